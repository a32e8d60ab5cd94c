//! A thread that owns a session at a jump host and carries the bytes of many connections that this host makes.
//!
//! libssh2 opens one connection at a time, and an opening that the jump host leaves unanswered can't be taken back: its
//! sshd reports a host that is down after two minutes. Until then this session carries what it has, and makes no
//! other connection.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use ssh2::Channel;

use super::PATIENCE;
use super::lane::Lane;
use crate::link::{Link, Unread, is_broken, wait, would_block};
use crate::target::Target;

/// What came of asking for a connection.
#[derive(Debug)]
pub(super) enum Opened {
    /// Our end of it.
    Connected(OwnedFd),
    /// Why the jump host made none.
    Failed(String),
    /// It said nothing in time.
    Late,
    /// This session makes no connection now.
    NotHere,
}

/// The way to the thread. Dropping it ends the thread.
pub(super) struct Carrier {
    requests: Sender<Request>,
    bell: UnixStream,
    state: Arc<Mutex<State>>,
}

/// What the session is able to do.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Free,
    /// It waits for a connection to this host, which nobody waits for any more.
    Stuck(Place),
    Over,
}

/// Name and port.
type Place = (String, u16);

struct Request {
    to: Place,
    within: Duration,
    answer: Sender<Opened>,
}

impl Carrier {
    /// Starts the thread on a session at `hop`.
    pub(super) fn start(link: Link, hop: &Target) -> io::Result<Self> {
        let (bell, door) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        door.set_nonblocking(true)?;
        let (requests, inbox) = channel();
        let state = Arc::new(Mutex::new(State::Free));
        let worker = Worker {
            link,
            inbox,
            door,
            state: Arc::clone(&state),
            waiting: VecDeque::new(),
            opening: None,
            lanes: Vec::new(),
        };
        std::thread::Builder::new()
            .name(format!("jump {}", hop.host))
            .spawn(move || worker.serve())?;
        Ok(Self { requests, bell, state })
    }

    /// Asks for a connection to `target`, and blocks until something came of it.
    pub(super) fn connect(&self, target: &Target) -> Opened {
        let (answer, answered) = channel();
        let request = Request { to: place(target), within: target.connect_timeout, answer };
        if self.requests.send(request).is_err() {
            return Opened::NotHere;
        }
        self.ring();
        // A thread that ends answers nobody.
        answered.recv().unwrap_or(Opened::NotHere)
    }

    pub(super) fn is_free(&self) -> bool {
        self.state() == State::Free
    }

    /// Whether a connection to `target` can be asked for. Where it is the very one that is being waited for, its answer
    /// may still come.
    pub(super) fn is_free_for(&self, target: &Target) -> bool {
        match self.state() {
            State::Free => true,
            State::Stuck(at) => at == place(target),
            State::Over => false,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.state() == State::Over
    }

    fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn ring(&self) {
        // A full pipe rings already.
        let _ = (&self.bell).write(&[1]);
    }
}

fn place(target: &Target) -> Place {
    (target.host.clone(), target.port)
}

struct Worker {
    link: Link,
    inbox: Receiver<Request>,
    door: UnixStream,
    state: Arc<Mutex<State>>,
    waiting: VecDeque<Request>,
    opening: Option<Opening>,
    lanes: Vec<Lane>,
}

/// The one connection that is being made.
struct Opening {
    to: Place,
    /// Who waits for it, and until when.
    asked: Option<(Sender<Opened>, Instant)>,
}

impl Opening {
    fn new(request: Request) -> Self {
        let asked = Some((request.answer, Instant::now() + request.within));
        Self { to: request.to, asked }
    }
}

/// The session is at its end.
struct Ended;

impl Worker {
    fn serve(mut self) {
        while self.turn().is_ok() {}
        // Before anybody hears of it, so that who does finds it so.
        self.set(State::Over);
        for lane in &self.lanes {
            lane.cut();
        }
        self.link.hang_up();
    }

    fn turn(&mut self) -> Result<(), Ended> {
        self.take_requests()?;
        let unread = self.link.unread();
        let mut moved = self.open()?;
        for lane in &mut self.lanes {
            moved |= lane.step();
        }
        self.lanes.retain(|lane| !lane.is_gone());
        moved |= self.link.carry();
        let is_reading = self.opening.is_some() || self.lanes.iter().any(Lane::is_reading);
        if moved || (is_reading && unread == Unread::Some && !self.link.is_sending()) {
            return Ok(());
        }
        self.sleep()
    }

    fn take_requests(&mut self) -> Result<(), Ended> {
        // Emptied before the inbox is read, so that no ring is lost.
        while matches!((&self.door).read(&mut [0; 64]), Ok(count) if count > 0) {}
        loop {
            match self.inbox.try_recv() {
                Ok(request) => self.take(request),
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(Ended),
            }
        }
    }

    fn take(&mut self, request: Request) {
        match &mut self.opening {
            Some(stuck) if stuck.asked.is_none() && stuck.to == request.to => {
                *stuck = Opening::new(request);
            }
            Some(stuck) if stuck.asked.is_none() => not_here(&request),
            _ => self.waiting.push_back(request),
        }
    }

    /// Continues to open the connection. Returns whether anything changed.
    fn open(&mut self) -> Result<bool, Ended> {
        if self.opening.is_none() {
            self.opening = self.waiting.pop_front().map(Opening::new);
        }
        let Some(opening) = &mut self.opening else { return Ok(false) };
        let (host, port) = &opening.to;
        let opened = match self.link.session.channel_direct_tcpip(host, *port, None) {
            Ok(channel) => Ok(channel),
            Err(error) if would_block(&error) => return Ok(self.give_up_if_late()),
            Err(error) if is_broken(&error) => return Err(Ended),
            Err(error) => Err(error.message().to_owned()),
        };
        let asked = opening.asked.take();
        self.opening = None;
        self.set(State::Free);
        match opened {
            Ok(channel) => self.carry_for(channel, asked.map(|(answer, _)| answer)),
            Err(why) => {
                // The caller may have stopped waiting.
                let _ = asked.map(|(answer, _)| answer.send(Opened::Failed(why)));
            }
        }
        Ok(true)
    }

    /// What nobody waits for any more keeps all others waiting, too.
    fn give_up_if_late(&mut self) -> bool {
        let Some(opening) = &mut self.opening else { return false };
        let Some((answer, _)) = opening.asked.take_if(|(_, end)| Instant::now() >= *end) else {
            return false;
        };
        let to = opening.to.clone();
        self.set(State::Stuck(to));
        let _ = answer.send(Opened::Late);
        for request in self.waiting.drain(..) {
            not_here(&request);
        }
        true
    }

    fn carry_for(&mut self, channel: Channel, answer: Option<Sender<Opened>>) {
        let (lane, near) = match Lane::new(channel) {
            Ok(made) => made,
            Err(error) => {
                let _ = answer.map(|answer| answer.send(Opened::Failed(error.to_string())));
                return;
            }
        };
        // Where nobody waits, the near end is dropped, and the lane finds that.
        let _ = answer.map(|answer| answer.send(Opened::Connected(near)));
        self.lanes.push(lane);
    }

    fn sleep(&mut self) -> Result<(), Ended> {
        if !self.link.is_sending() && self.lanes.iter().any(Lane::has_work) {
            self.link.tally.count_overslept();
        }
        let end = self.opening.as_ref().and_then(|opening| opening.asked.as_ref());
        let left = end.map(|(_, end)| end.saturating_duration_since(Instant::now()));
        let patience = left.map_or(PATIENCE, |left| left.max(Duration::from_millis(1)));
        let mut fds = vec![
            PollFd::new(&self.link, self.link.wanted()),
            PollFd::new(&self.door, PollFlags::IN),
        ];
        fds.extend(self.lanes.iter().filter_map(Lane::awaited));
        wait(&mut fds, patience);
        let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        let gone: Vec<bool> = fds.iter().map(|fd| fd.revents().intersects(gone)).collect();
        let carrying = self.lanes.iter_mut().filter(|lane| lane.is_carrying());
        for (lane, _) in carrying.zip(&gone[2..]).filter(|(_, is_gone)| **is_gone) {
            lane.close();
        }
        // What came before the end is read first, where anybody reads.
        let is_idle = self.lanes.is_empty() && self.opening.is_none();
        let is_over = gone[0] && (is_idle || self.link.unread() == Unread::Nothing);
        if is_over { Err(Ended) } else { Ok(()) }
    }

    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

fn not_here(request: &Request) {
    // The caller may have stopped waiting.
    let _ = request.answer.send(Opened::NotHere);
}
