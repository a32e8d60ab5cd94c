//! Going through another host: a TCP connection that the jump host makes for us.
//!
//! libssh2 wants a socket, so the session beyond gets one end of a pair. A thread owns the jump
//! host's session and carries bytes between the other end and the channel. Each host behind it has a session at the
//! jump host of its own, so that none waits for another; unless a person would have to open each of them.

mod carrier;
mod kept;
mod lane;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use ssh2::Channel;

use super::buffer::Buffer;
use super::error::RemoteError;
use super::link::{Link, Stopped, Unread, wait};
use super::target::Target;

pub(crate) use kept::KeptLogins;

/// Nothing happens by the clock alone, so this is only how late a missed wake-up is noticed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to `target` that the host at the other end of `link` makes.
pub(crate) fn forward(link: Link, hop: &Target, target: &Target) -> Result<OwnedFd, RemoteError> {
    let failed = |why: String| not_forwarded(hop, target, why);
    let open = || link.session.channel_direct_tcpip(&target.host, target.port, None);
    let channel = match link.drive(Instant::now() + target.connect_timeout, open) {
        Ok(channel) => channel,
        Err(stopped) => {
            link.hang_up();
            return Err(failed(match stopped {
                Stopped::Late => late(target),
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

/// Why `hop` makes no connection to `target`.
pub(crate) fn not_forwarded(hop: &Target, target: &Target, why: String) -> RemoteError {
    let to = format!("{}:{}", target.host, target.port);
    RemoteError::Forward { hop: hop.login_name(), to, why }
}

fn late(target: &Target) -> String {
    format!("no answer within {:.1} s", target.connect_timeout.as_secs_f64())
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
        let unread = self.link.unread();
        let mut moved = self.up.fill(&mut self.far)?;
        moved |= self.up.drain(&mut self.channel)?;
        // A packet that is sent in half must be finished before reading may send another one.
        let sending = !self.up.is_empty() && self.link.is_sending();
        if !sending {
            moved |= self.down.fill(&mut self.channel)?;
        }
        moved |= self.down.drain(&mut self.far)?;
        moved |= self.link.carry();
        // What the near side does not take yet keeps us from reading what comes next.
        let is_reading = !sending && self.down.is_empty();
        if moved || (is_reading && unread == Unread::Some) {
            return Ok(());
        }
        if self.has_work() {
            self.link.tally.count_overslept();
        }
        let mut near = PollFlags::empty();
        near.set(PollFlags::IN, self.up.is_empty());
        near.set(PollFlags::OUT, !self.down.is_empty());
        let host = self.link.wanted();
        let fds = &mut [PollFd::new(&self.link, host), PollFd::new(&self.far, near)];
        wait(fds, PATIENCE);
        if fds[1].revents().intersects(PollFlags::HUP | PollFlags::ERR) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(())
    }

    /// Whether libssh2 holds something for a direction that could continue with it.
    fn has_work(&self) -> bool {
        let sending = self.link.is_sending();
        let readable = self.channel.read_window().available > 0 || self.channel.eof();
        let writable = self.channel.write_window().remaining > 0;
        !sending && ((self.down.is_empty() && readable) || (!self.up.is_empty() && writable))
    }
}
