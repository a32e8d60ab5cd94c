//! The bytes between libssh2 and a host go through our hands, so that we know what libssh2 was given.
//!
//! Every call of libssh2 reads from its socket, and silently keeps data for other channels or streams
//! than the call's own. On the host's own socket bytes may come between a look for one
//! run and the next call for another, which takes them: then the run waits for a socket that has
//! nothing left. So libssh2's socket is one end of a pair, and nothing comes out of it that we did not
//! put in. A pass over all runs that starts with an empty socket and moves nothing has nothing left
//! to do, and only then does a thread sleep.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::event::PollFlags;

use super::buffer::Buffer;

/// How often one carrying goes back and forth, so that a flood leaves the thread its other work.
const ROUNDS: usize = 16;

/// Both ends that bytes are carried between.
pub(super) struct Gate {
    /// The host's socket. It may be TCP: only what all stream sockets can do is done with it.
    pub(super) host: UnixStream,
    /// The other end of libssh2's socket.
    near: UnixStream,
    up: RefCell<Way>,
    down: RefCell<Way>,
    /// Whether anything came from the host since somebody last asked.
    heard: Cell<bool>,
    /// How many bytes came from the host in all.
    received: Cell<usize>,
}

impl Gate {
    /// A gate in front of `host`, and the socket for libssh2.
    pub(super) fn new(host: OwnedFd) -> io::Result<(Self, UnixStream)> {
        let host = UnixStream::from(host);
        let (near, socket) = UnixStream::pair()?;
        for end in [&host, &near, &socket] {
            end.set_nonblocking(true)?;
        }
        let gate = Self {
            host,
            near,
            up: Way::new(),
            down: Way::new(),
            heard: Cell::new(false),
            received: Cell::new(0),
        };
        Ok((gate, socket))
    }

    /// Carries bytes in both directions as far as that goes without waiting. Whether any moved.
    pub(super) fn carry(&self) -> bool {
        let mut moved = false;
        for _ in 0..ROUNDS {
            let up = self.up.borrow_mut().carry(&self.near, &self.host);
            let down = self.down.borrow_mut().carry(&self.host, &self.near);
            self.heard.set(self.heard.get() || down.came > 0);
            self.received.set(self.received.get() + down.came);
            if !up.moved && !down.moved {
                break;
            }
            moved = true;
        }
        moved
    }

    /// Whether anything came from the host since this was last asked, no matter what it was and who took it.
    pub(super) fn take_heard(&self) -> bool {
        self.heard.take()
    }

    /// How many bytes came from the host in all.
    pub(super) fn received(&self) -> usize {
        self.received.get()
    }

    /// What the host's socket must be ready for before anything can be carried.
    pub(super) fn wanted(&self) -> PollFlags {
        let mut wanted = PollFlags::empty();
        wanted.set(PollFlags::IN, self.down.borrow().wants_more());
        wanted.set(PollFlags::OUT, self.holds_back());
        wanted
    }

    /// Whether the host takes less than libssh2 sends.
    pub(super) fn holds_back(&self) -> bool {
        !self.up.borrow().bytes.is_empty()
    }
}

/// One direction.
struct Way {
    bytes: Buffer,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Closed,
}

/// What one carrying in one direction did.
#[derive(Debug, Clone, Copy, Default)]
struct Carried {
    /// How many bytes came from the source.
    came: usize,
    /// Anything changed: bytes came or went, or an end was passed on.
    moved: bool,
}

impl Way {
    fn new() -> RefCell<Self> {
        RefCell::new(Self { bytes: Buffer::new(), state: State::Open })
    }

    fn wants_more(&self) -> bool {
        self.state == State::Open && self.bytes.is_empty()
    }

    /// The end of one side is passed on to the other, as one socket would show it: what was sent before
    /// can still be read.
    fn carry(&mut self, source: &UnixStream, sink: &UnixStream) -> Carried {
        if self.state == State::Closed {
            return Carried::default();
        }
        let Ok(is_filled) = self.bytes.fill(&mut &*source) else {
            self.close(sink, Shutdown::Write);
            return Carried { came: 0, moved: true };
        };
        let came = if is_filled { self.bytes.len() } else { 0 };
        match self.bytes.drain(&mut &*sink) {
            Ok(given) => Carried { came, moved: is_filled || given },
            Err(_) => {
                self.bytes = Buffer::new();
                self.close(source, Shutdown::Read);
                Carried { came, moved: true }
            }
        }
    }

    fn close(&mut self, end: &UnixStream, direction: Shutdown) {
        self.state = State::Closed;
        // An end that is gone already is as good as shut.
        let _ = end.shutdown(direction);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn gate() -> (Gate, UnixStream, UnixStream) {
        let (host, far) = UnixStream::pair().unwrap();
        far.set_nonblocking(true).unwrap();
        let (gate, socket) = Gate::new(host.into()).unwrap();
        (gate, socket, far)
    }

    #[test]
    fn nothing_comes_out_that_was_not_carried() {
        let (gate, mut socket, mut far) = gate();
        far.write_all(b"down").unwrap();
        socket.write_all(b"up").unwrap();
        let mut read = [0; 8];
        assert_eq!(socket.read(&mut read).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(gate.carry());
        assert_eq!((socket.read(&mut read).unwrap(), far.read(&mut read).unwrap()), (4, 2));
        assert!(!gate.carry());
        assert_eq!(gate.wanted(), PollFlags::IN);
    }

    /// An answer to a probe is taken in passing where the thread lost its turn between sending and sleeping.
    #[test]
    fn a_host_is_heard_by_whatever_comes_from_it_and_by_nothing_else() {
        let (gate, mut socket, mut far) = gate();
        socket.write_all(b"probe").unwrap();
        assert!(gate.carry() && !gate.take_heard());
        far.write_all(b"answer").unwrap();
        assert!(gate.carry() && gate.take_heard());
        assert!(!gate.take_heard());
        // libssh2 takes the answer later, when nothing comes from the host any more.
        assert_eq!(socket.read(&mut [0; 8]).unwrap(), 6);
        assert!(!gate.carry() && !gate.take_heard());
        drop(far);
        assert!(gate.carry() && !gate.take_heard());
    }

    #[test]
    fn a_side_that_takes_nothing_is_waited_for() {
        let (gate, mut socket, mut far) = gate();
        let mut sent = 0;
        loop {
            while let Ok(count) = socket.write(&[7; 4096]) {
                sent += count;
            }
            if !gate.carry() {
                break;
            }
        }
        assert!(gate.wanted().contains(PollFlags::OUT));
        let mut got = 0;
        let mut read = [0; 4096];
        while gate.carry() || got < sent {
            while let Ok(count @ 1..) = far.read(&mut read) {
                got += count;
            }
        }
        assert_eq!((got, gate.wanted()), (sent, PollFlags::IN));
    }

    #[test]
    fn the_last_words_of_a_host_come_before_its_end() {
        let (gate, mut socket, mut far) = gate();
        far.write_all(b"too many keys").unwrap();
        drop(far);
        while gate.carry() {}
        let mut said = String::new();
        socket.read_to_string(&mut said).unwrap();
        assert_eq!(said, "too many keys");
        assert_eq!(gate.wanted(), PollFlags::empty());
        let _ = socket.write(b"more");
        while gate.carry() {}
        assert!(socket.write(b"more").is_err());
    }
}
