//! One of the connections of a session at a jump host: a channel, and the near end's other half.

use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags};
use ssh2::Channel;

use crate::buffer::Buffer;
use crate::link::would_block;

pub(super) struct Lane {
    far: UnixStream,
    /// From us to the host.
    up: Buffer,
    /// From the host to us.
    down: Buffer,
    stage: Stage,
}

enum Stage {
    Carrying(Channel),
    Closing(Channel),
    Gone,
}

impl Lane {
    /// A lane for a channel, and the near end of it.
    pub(super) fn new(channel: Channel) -> io::Result<(Self, OwnedFd)> {
        let (near, far) = UnixStream::pair()?;
        far.set_nonblocking(true)?;
        let stage = Stage::Carrying(channel);
        Ok((Self { far, up: Buffer::new(), down: Buffer::new(), stage }, near.into()))
    }

    /// Carries what can be carried without waiting. Whether anything moved.
    pub(super) fn step(&mut self) -> bool {
        match std::mem::replace(&mut self.stage, Stage::Gone) {
            Stage::Carrying(mut channel) => {
                let carried = self.carry(&mut channel);
                self.stage = Stage::Carrying(channel);
                carried.unwrap_or_else(|_| {
                    self.close();
                    true
                })
            }
            // The jump host keeps the channel until it has closed its side, so we keep it too.
            Stage::Closing(mut channel) => match channel.close() {
                Err(error) if would_block(&error) => {
                    self.stage = Stage::Closing(channel);
                    false
                }
                _ => true,
            },
            Stage::Gone => false,
        }
    }

    fn carry(&mut self, channel: &mut Channel) -> io::Result<bool> {
        let mut moved = self.up.fill(&mut self.far)?;
        moved |= self.up.drain(channel)?;
        moved |= self.down.fill(channel)?;
        moved |= self.down.drain(&mut self.far)?;
        Ok(moved)
    }

    /// Ends the lane, whatever ended its connection: the session beyond sees its socket close.
    pub(super) fn close(&mut self) {
        self.cut();
        self.stage = match std::mem::replace(&mut self.stage, Stage::Gone) {
            Stage::Carrying(channel) | Stage::Closing(channel) => Stage::Closing(channel),
            Stage::Gone => Stage::Gone,
        };
    }

    pub(super) fn is_carrying(&self) -> bool {
        matches!(self.stage, Stage::Carrying(_))
    }

    /// The near end sees that nothing is carried any more.
    pub(super) fn cut(&self) {
        // An end that is gone already is as good as shut.
        let _ = self.far.shutdown(Shutdown::Both);
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(self.stage, Stage::Gone)
    }

    /// Whether what comes from the jump host next may be for this lane.
    pub(super) fn is_reading(&self) -> bool {
        match self.stage {
            // What the near side does not take yet keeps us from reading what comes next.
            Stage::Carrying(_) => self.down.is_empty(),
            Stage::Closing(_) => true,
            Stage::Gone => false,
        }
    }

    /// Whether libssh2 holds something for a direction that could continue with it.
    pub(super) fn has_work(&self) -> bool {
        let Stage::Carrying(channel) = &self.stage else { return false };
        let readable = channel.read_window().available > 0 || channel.eof();
        let writable = channel.write_window().remaining > 0;
        (self.down.is_empty() && readable) || (!self.up.is_empty() && writable)
    }

    /// What the near end must be ready for before this lane gets any further; nothing once it is being closed.
    pub(super) fn awaited(&self) -> Option<PollFd<'_>> {
        let mut wanted = PollFlags::empty();
        wanted.set(PollFlags::IN, self.up.is_empty());
        wanted.set(PollFlags::OUT, !self.down.is_empty());
        self.is_carrying().then(|| PollFd::new(&self.far, wanted))
    }
}
