//! Going through another host: a TCP connection that the jump host makes for us.
//!
//! libssh2 wants a socket, so the session beyond gets one end of a pair. A thread owns the jump
//! host's session and carries bytes between the other end and the channel.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use ssh2::Channel;

use super::error::RemoteError;
use super::link::{Link, Stopped, wait};
use super::target::Target;

/// Nothing happens by the clock alone, so this is only how late a missed wake-up is noticed.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most that one direction holds back.
const BUFFER: usize = 32 * 1024;

/// A connection to `target` that the host at the other end of `link` makes.
pub(crate) fn forward(link: Link, hop: &Target, target: &Target) -> Result<OwnedFd, RemoteError> {
    let failed = |why: String| RemoteError::Forward {
        hop: hop.login_name(),
        to: format!("{}:{}", target.host, target.port),
        why,
    };
    let open = || link.session.channel_direct_tcpip(&target.host, target.port, None);
    let channel = match link.drive(Instant::now() + target.connect_timeout, open) {
        Ok(channel) => channel,
        Err(stopped) => {
            link.hang_up();
            return Err(failed(match stopped {
                Stopped::Late => {
                    format!("no answer within {:.1} s", target.connect_timeout.as_secs_f64())
                }
                Stopped::Failed(error) => error.message().to_owned(),
            }));
        }
    };
    let started = UnixStream::pair().and_then(|(ours, theirs)| {
        theirs.set_nonblocking(true)?;
        let pump = Pump { link, channel, far: theirs, up: Buffer::new(), down: Buffer::new() };
        let name = format!("jump {}", hop.host);
        std::thread::Builder::new().name(name).spawn(move || pump.run())?;
        Ok(ours.into())
    });
    started.map_err(|error: io::Error| failed(error.to_string()))
}

struct Pump {
    link: Link,
    channel: Channel,
    far: UnixStream,
    /// From us to the host.
    up: Buffer,
    /// From the host to us.
    down: Buffer,
}

impl Pump {
    fn run(mut self) {
        // Whatever ends it, the session beyond sees its socket close.
        while self.turn().is_ok() {}
        let _ = self.far.shutdown(std::net::Shutdown::Both);
        self.link.hang_up();
    }

    fn turn(&mut self) -> io::Result<()> {
        let mut moved = self.up.fill(&mut self.far)?;
        moved |= self.up.drain(&mut self.channel)?;
        // A packet that is sent in half must be finished before reading may send another one.
        let sending = !self.up.is_empty() && self.link.wanted().contains(PollFlags::OUT);
        if !sending {
            moved |= self.down.fill(&mut self.channel)?;
        }
        moved |= self.down.drain(&mut self.far)?;
        if !moved {
            let mut near = PollFlags::empty();
            near.set(PollFlags::IN, self.up.is_empty());
            near.set(PollFlags::OUT, !self.down.is_empty());
            let host = if sending {
                PollFlags::OUT
            } else if self.down.is_empty() {
                PollFlags::IN
            } else {
                PollFlags::empty()
            };
            let fds = &mut [PollFd::new(&self.link, host), PollFd::new(&self.far, near)];
            wait(fds, PATIENCE);
            if fds[1].revents().intersects(PollFlags::HUP | PollFlags::ERR) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        }
        Ok(())
    }
}

/// Bytes on their way. They do not move until they are written: libssh2 wants the very same bytes
/// again after a write that would block.
struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    fn new() -> Self {
        Self { bytes: vec![0; BUFFER].into(), start: 0, end: 0 }
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Takes from `source` if there is nothing left to write. The end of the source is an error.
    fn fill(&mut self, source: &mut impl Read) -> io::Result<bool> {
        if !self.is_empty() {
            return Ok(false);
        }
        let count = unless_blocked(source.read(&mut self.bytes))?;
        (self.start, self.end) = (0, count.unwrap_or(0));
        if count == Some(0) {
            Err(io::ErrorKind::UnexpectedEof.into())
        } else {
            Ok(count.is_some())
        }
    }

    fn drain(&mut self, sink: &mut impl Write) -> io::Result<bool> {
        if self.is_empty() {
            return Ok(false);
        }
        let count = unless_blocked(sink.write(&self.bytes[self.start..self.end]))?;
        self.start += count.unwrap_or(0);
        Ok(count.is_some_and(|count| count > 0))
    }
}

fn unless_blocked(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
