//! Distance: a switch in user space that keeps every frame for a while.
//!
//! Kernels without netem can't delay a link, and a TCP relay would hide a peer's address, which
//! etcd checks. So every port of the lab's switch gets a TAP device, and one process moves the
//! frames between those, each half a round trip after it came. The delay is the same for every
//! frame, so a plain queue keeps them in the order in which they are due.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tun_rs::{DeviceBuilder, Layer, SyncDevice};

use crate::error::LabError;

/// How many frames may be on their way. A gigabit at a second's distance; what comes above it is
/// dropped, as a full switch does.
const QUEUE: usize = 100_000;

/// More than any frame: the ports take 1500 bytes and a header.
const FRAME: usize = 2048;

/// How far apart everybody in the lab is: the time a packet takes there and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RoundTrip(u16);

/// Why a text is not a distance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a round trip: write milliseconds, 0 to 10000")]
pub struct RoundTripError;

impl RoundTrip {
    /// No distance at all: frames take the kernel's own switch.
    pub const NONE: Self = Self(0);

    /// A round trip of so many milliseconds, at most ten seconds.
    pub fn milliseconds(milliseconds: u16) -> Result<Self, RoundTripError> {
        if milliseconds <= 10_000 { Ok(Self(milliseconds)) } else { Err(RoundTripError) }
    }

    /// How long a frame is kept.
    fn one_way(self) -> Duration {
        Duration::from_millis(self.0.into()) / 2
    }
}

impl FromStr for RoundTrip {
    type Err = RoundTripError;

    fn from_str(text: &str) -> Result<Self, RoundTripError> {
        text.parse().map_err(|_| RoundTripError).and_then(Self::milliseconds)
    }
}

impl fmt::Display for RoundTrip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Moves frames between the TAP devices of these names until one of them is gone.
pub fn run(round_trip: RoundTrip, taps: &[String]) -> Result<(), LabError> {
    let devices = taps.iter().map(|name| open(name)).collect::<Result<Vec<_>, LabError>>()?;
    let (queue, due) = sync_channel(QUEUE);
    let table = Mutex::new(Table::default());
    thread::scope(|scope| {
        for port in 0..devices.len() {
            let (devices, table, queue) = (&devices, &table, queue.clone());
            scope.spawn(move || receive(port, devices, table, &queue, round_trip.one_way()));
        }
        drop(queue);
        send(&devices, &due);
    });
    Ok(())
}

fn open(name: &str) -> Result<SyncDevice, LabError> {
    DeviceBuilder::new()
        .name(name)
        .layer(Layer::L2)
        .inherit_enable_state()
        .build_sync()
        .map_err(LabError::file("open", Path::new(name)))
}

/// A frame on its way.
struct Flight {
    due: Instant,
    ports: Vec<usize>,
    frame: Vec<u8>,
}

fn receive(
    port: usize,
    devices: &[SyncDevice],
    table: &Mutex<Table>,
    queue: &SyncSender<Flight>,
    delay: Duration,
) {
    let mut buffer = [0; FRAME];
    loop {
        let frame = match devices[port].recv(&mut buffer) {
            Ok(length) => &buffer[..length],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        let due = Instant::now() + delay;
        let ports =
            table.lock().unwrap_or_else(PoisonError::into_inner).route(port, frame, devices.len());
        match queue.try_send(Flight { due, ports, frame: frame.to_vec() }) {
            Ok(()) | Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => return,
        }
    }
}

fn send(devices: &[SyncDevice], due: &Receiver<Flight>) {
    for flight in due {
        thread::sleep(flight.due.saturating_duration_since(Instant::now()));
        for port in flight.ports {
            // A port that is down loses the frame, as a real one does.
            let _ = devices[port].send(&flight.frame);
        }
    }
}

type Mac = [u8; 6];

/// Which address was last seen at which port.
#[derive(Debug, Default)]
struct Table(HashMap<Mac, usize>);

impl Table {
    /// Learns the sender, and returns the ports that the frame is for: the receiver's, or all
    /// others if it is for everybody or for somebody not seen yet.
    fn route(&mut self, from: usize, frame: &[u8], ports: usize) -> Vec<usize> {
        let Some(header) = frame.first_chunk::<12>() else { return Vec::new() };
        let [to, sender] = [0, 6].map(|at| -> Mac { std::array::from_fn(|i| header[at + i]) });
        self.0.insert(sender, from);
        match self.0.get(&to) {
            Some(port) if *port == from => Vec::new(),
            Some(port) => vec![*port],
            None => (0..ports).filter(|port| *port != from).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(to: u8, from: u8) -> Vec<u8> {
        [[to; 6], [from; 6]].concat()
    }

    #[test]
    fn a_frame_goes_to_everybody_until_its_receiver_has_spoken() {
        let mut table = Table::default();
        assert_eq!(table.route(0, &frame(2, 1), 3), [1, 2]);
        assert_eq!(table.route(2, &frame(1, 2), 3), [0]);
        assert_eq!(table.route(0, &frame(2, 1), 3), [2]);
        assert_eq!(table.route(0, &frame(0xff, 1), 3), [1, 2]);
    }

    #[test]
    fn a_receiver_that_moved_is_found_at_its_new_port() {
        let mut table = Table::default();
        table.route(1, &frame(0xff, 2), 3);
        table.route(2, &frame(0xff, 2), 3);
        assert_eq!(table.route(0, &frame(2, 1), 3), [2]);
        assert_eq!(table.route(2, &frame(2, 3), 3), [] as [usize; 0]);
    }

    #[test]
    fn a_frame_without_addresses_goes_nowhere() {
        assert_eq!(Table::default().route(0, &[0; 11], 3), [] as [usize; 0]);
    }

    #[test]
    fn distances_above_ten_seconds_are_refused() {
        assert_eq!("50".parse(), Ok(RoundTrip(50)));
        for bad in ["", "-1", "10001", "50ms"] {
            assert_eq!(bad.parse::<RoundTrip>(), Err(RoundTripError), "{bad:?}");
        }
    }
}
