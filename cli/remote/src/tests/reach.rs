//! Whether one host reaches another.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use crate::login::resolve;
use crate::test_server::{FullListener, Sshd, run};
use crate::{Reach, Target};

const TIMEOUT: Duration = Duration::from_secs(1);

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

#[tokio::test]
async fn what_listens_refuses_or_stays_silent_is_told_apart() {
    let sshd = Sshd::start();
    let connection = sshd.connect().await;
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let full = FullListener::new();
    let reach = async |address| connection.probe(address, TIMEOUT).await.map(|probed| probed.reach);
    assert_eq!(reach(open.local_addr().unwrap()).await, Ok(Reach::Connected));
    assert_eq!(reach(closed).await, Ok(Reach::Refused));
    assert_eq!(connection.counters().connections, 2, "one session serves all probes");
    let started = Instant::now();
    assert_eq!(reach(local(full.port)).await, Ok(Reach::Silent));
    assert!(started.elapsed() < Duration::from_secs(4));
    assert_eq!(reach(closed).await, Ok(Reach::Refused), "silence spoils nothing");
}

#[tokio::test]
async fn a_silent_probe_does_not_hold_up_a_run() {
    let sshd = Sshd::start();
    let connection = sshd.connect().await;
    let full = FullListener::new();
    let probe = connection.probe(local(full.port), Duration::from_secs(5));
    let started = Instant::now();
    let (reach, took) = tokio::join!(probe, async {
        run(&connection, "true").await.unwrap();
        started.elapsed()
    });
    assert_eq!(reach.map(|probed| probed.reach), Ok(Reach::Silent));
    assert!(took < Duration::from_secs(4));
}

#[tokio::test]
async fn a_server_that_forwards_nothing_gives_no_verdict() {
    let sshd = Sshd::with("AllowTcpForwarding no");
    let connection = sshd.connect().await;
    let probed = connection.probe(local(1), TIMEOUT).await.unwrap();
    assert_eq!(probed.reach, Reach::Forbidden);
}

/// Answers each question with its own bytes, in two pieces.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut text = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut text).unwrap();
            if text == b"hang up" {
                continue;
            }
            stream.write_all(&length).unwrap();
            std::thread::sleep(Duration::from_millis(20));
            stream.write_all(&text).unwrap();
        }
    });
    address
}

fn question(text: &[u8]) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes(), text].concat()
}

#[tokio::test]
async fn an_answer_comes_whole_through_the_host_or_not_at_all() {
    let sshd = Sshd::start();
    let connection = sshd.connect().await;
    let (server, text) = (echo(), vec![b'x'; 40_000]);
    let ask = async |text: &[u8]| connection.exchange(server, question(text), TIMEOUT).await;
    assert_eq!(ask(&text).await, Ok(text.clone()));
    assert!(ask(b"hang up").await.is_err());
    assert_eq!(ask(b"again").await, Ok(b"again".to_vec()), "one failure spoils nothing");
}

#[tokio::test]
async fn the_zone_of_an_address_reaches_the_socket() {
    let home = std::path::Path::new("/nonexistent");
    let addresses = resolve(&Target::new("fe80::1%lo", "ops", home)).await.unwrap();
    let SocketAddr::V6(address) = addresses[0] else { panic!("{addresses:?}") };
    assert_ne!(address.scope_id(), 0);
    assert!(resolve(&Target::new("fe80::1%nowhere", "ops", home)).await.is_err());
}
