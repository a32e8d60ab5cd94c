//! Whether a host is there: seen from the inside, and over its network.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::LabError;
use crate::host::Host;

/// Where sshd listens.
pub(crate) const SSH: u16 = 22;

/// How long a host that runs may take to be reached.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until a host answers the operator at both of its addresses. A refusal is an answer: it comes from
/// the host.
pub(crate) fn wait(host: &Host) -> Result<(), LabError> {
    let deadline = Instant::now() + PATIENCE;
    let addresses: [IpAddr; 2] = [host.address().into(), host.address_v6().into()];
    for address in addresses {
        while let Err(source) = knock(address) {
            if Instant::now() > deadline {
                return Err(LabError::NotReached { host: host.id(), address, source });
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

fn knock(address: IpAddr) -> io::Result<()> {
    match TcpStream::connect_timeout(&SocketAddr::new(address, SSH), Duration::from_secs(2)) {
        Err(error) if error.kind() != io::ErrorKind::ConnectionRefused => Err(error),
        _ => Ok(()),
    }
}

/// Whether sshd listens and users other than root may log in. Read from the outside, so that it
/// also holds for a host that is cut off.
pub(crate) fn takes_logins(init: u32) -> bool {
    let table = fs::read_to_string(format!("/proc/{init}/net/tcp")).unwrap_or_default();
    let nologin = PathBuf::from(format!("/proc/{init}/root/run/nologin"));
    listens_on(&table, SSH) && !nologin.exists()
}

/// Reads `/proc/PID/net/tcp`: local address and port in hex, and 0A for a listening socket.
fn listens_on(table: &str, port: u16) -> bool {
    let end = format!(":{port:04X}");
    table.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        matches!(fields[..], [_, local, _, "0A", ..] if local.ends_with(&end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_not_a_listener() {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue\n";
        let listening = "   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:0 0 0 1\n";
        let connected = "   1: 0B004D0A:0016 01004D0A:D2F0 01 00000000:00000000 00:0 0 0 1\n";
        assert!(listens_on(&format!("{head}{connected}{listening}"), 22));
        assert!(!listens_on(&format!("{head}{connected}"), 22));
        assert!(!listens_on(&format!("{head}{listening}"), 23));
    }
}
