//! The thread that owns a host's session and steps the runs on it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use tokio::sync::oneshot;
use tracing::{Span, debug};

use super::call::{Call, Reply};
use super::error::{Progress, RemoteError};
use super::exec::{Exec, Step};
use super::link::{Link, PROBES, Unread, wait};
use super::silence::Silence;
use super::stream::Output;
use super::target::Target;

/// sshd's default `MaxSessions`. A server that allows fewer refuses, and the limit follows.
const MAX_CHANNELS: usize = 10;

/// The shortest that libssh2 can be told to leave between two probes, which it takes for two seconds. It keeps that
/// time by a clock of its own, which runs a little slower or faster than ours: told our interval, or asked more often,
/// it would leave out a probe now and then.
const OWN_INTERVAL: u32 = 1;
const LEAST_INTERVAL: Duration = Duration::from_millis(2200);

/// What the thread is asked to do.
enum Request {
    Run(Asked),
    Close(oneshot::Sender<()>),
}

type Answer = oneshot::Sender<Result<Reply, RemoteError>>;

/// A script that was not taken up yet. Where it never is, because the thread ends, the caller gets
/// that nothing was started.
struct Asked(Option<(Call, Output, Answer)>);

impl Asked {
    fn take(mut self) -> Option<(Call, Output, Answer)> {
        self.0.take()
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some((_, _, answer)) = self.0.take() {
            let why = "it was closed before".to_owned();
            let _ = answer.send(Err(RemoteError::Lost { why, progress: Progress::NotStarted }));
        }
    }
}

/// The way to the thread. Dropping the last one ends it.
pub(crate) struct Handle {
    requests: Sender<Request>,
    bell: UnixStream,
    over: Arc<AtomicBool>,
}

impl Handle {
    /// Starts the thread on a session that is logged in.
    pub(crate) fn start(link: Link, target: Arc<Target>) -> std::io::Result<Self> {
        let (bell, door) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        door.set_nonblocking(true)?;
        let (requests, inbox) = channel();
        let over = Arc::new(AtomicBool::new(false));
        let name = format!("ssh {}", target.host);
        // The span of the login: later waits of the session are traced in it too.
        let span = Span::current();
        let worker = Worker {
            silence: Silence::new(target.silence_limit),
            link,
            target,
            inbox,
            door,
            over: Arc::clone(&over),
            runs: Vec::new(),
            max_channels: MAX_CHANNELS,
            probed: Instant::now(),
            woken: Woken::ByEvent,
        };
        std::thread::Builder::new().name(name).spawn(move || span.in_scope(|| worker.serve()))?;
        Ok(Self { requests, bell, over })
    }

    /// Runs a script and waits for its outcome.
    pub(crate) async fn run(&self, call: Call, output: Output) -> Result<Reply, RemoteError> {
        let mut bell = RungUnlessAnswered { handle: self, is_answered: false };
        let (answer, answered) = oneshot::channel();
        let (bytes, within_s) = (call.payload.lengths().sum::<u64>(), call.deadline.as_secs());
        debug!(bytes, within_s, "awaiting the reply of a script");
        let asked = Asked(Some((call, output, answer)));
        // A request that nobody takes answers on its own.
        if self.requests.send(Request::Run(asked)).is_ok() {
            self.ring();
        }
        // Only a thread that fell over leaves a run without an answer.
        let outcome = answered.await.unwrap_or_else(|_| {
            let why = "its thread ended".to_owned();
            Err(RemoteError::Lost { why, progress: Progress::Unknown })
        });
        bell.is_answered = true;
        match &outcome {
            Ok(reply) => debug!(status = reply.status, "the script replied"),
            Err(error) => debug!("no reply: {error}"),
        }
        outcome
    }

    /// Ends the session; runs that are still open are lost.
    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.requests.send(Request::Close(done)).is_ok() {
            self.ring();
            // An error means that the thread is gone already.
            let _ = closed.await;
        }
    }

    /// Whether the session has ended: nothing will ever run on it again.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    fn ring(&self) {
        // A full pipe rings already.
        let _ = (&self.bell).write(&[1]);
    }
}

/// Wakes the thread where somebody stops waiting for an answer, so that it stops at once as well.
struct RungUnlessAnswered<'a> {
    handle: &'a Handle,
    is_answered: bool,
}

impl Drop for RungUnlessAnswered<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.handle.ring();
        }
    }
}

struct Worker {
    link: Link,
    target: Arc<Target>,
    inbox: Receiver<Request>,
    door: UnixStream,
    over: Arc<AtomicBool>,
    runs: Vec<Exec>,
    max_channels: usize,
    silence: Silence,
    probed: Instant,
    woken: Woken,
}

/// What ended the last sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Woken {
    ByEvent,
    ByClock,
}

/// Why the thread ends.
struct End {
    why: String,
    done: Option<oneshot::Sender<()>>,
}

impl End {
    fn because(why: impl Into<String>) -> Self {
        Self { why: why.into(), done: None }
    }
}

impl Worker {
    fn serve(mut self) {
        let end = loop {
            if let Err(end) = self.turn() {
                break end;
            }
        };
        debug!("the session ends: {}", end.why);
        // Before any caller hears of it, so that the caller finds it done.
        self.over.store(true, Ordering::Release);
        for run in &mut self.runs {
            run.lose(&end.why);
        }
        // Refused from here on, instead of never answered.
        while let Ok(request) = self.inbox.try_recv() {
            if let Request::Run(asked) = request
                && let Some((_, _, answer)) = asked.take()
            {
                let error =
                    RemoteError::Lost { why: end.why.clone(), progress: Progress::NotStarted };
                let _ = answer.send(Err(error));
            }
        }
        self.link.hang_up();
        if let Some(done) = end.done {
            let _ = done.send(());
        }
    }

    fn turn(&mut self) -> Result<(), End> {
        self.take_requests()?;
        let unread = self.link.unread();
        let moved = self.step_runs()?;
        self.keep_alive()?;
        let carried = self.link.carry();
        // Bytes that came before the pass may have been read after the run that they are for had its
        // turn. Where nobody reads, there is nothing to wait for.
        let again = self.channels() > 0 && unread == Unread::Some && !self.link.is_sending();
        let ready =
            self.sleep(if moved || carried || again { Duration::ZERO } else { self.patience() });
        if moved || ready.contains(PollFlags::IN) || self.link.take_heard() {
            self.silence.broken();
        }
        let gone = ready.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL)
            || is_half_closed(ready);
        if gone && self.runs.is_empty() {
            return Err(End::because("the host closed it"));
        }
        if !self.runs.is_empty() && self.silence.is_over() {
            let seconds = self.target.silence_limit.as_secs();
            return Err(End::because(format!("no sign of life for {seconds} s")));
        }
        Ok(())
    }

    fn take_requests(&mut self) -> Result<(), End> {
        // Emptied before the inbox is read, so that no ring is lost.
        while matches!((&self.door).read(&mut [0; 64]), Ok(count) if count > 0) {}
        loop {
            match self.inbox.try_recv() {
                Ok(Request::Run(asked)) => {
                    let Some((call, output, answer)) = asked.take() else { continue };
                    if self.runs.is_empty() {
                        self.silence.broken();
                    }
                    let (user, sudo) = (&self.target.user, self.target.sudo);
                    self.runs.extend(Exec::new(&call, user, sudo, output, answer));
                }
                Ok(Request::Close(done)) => {
                    return Err(End { why: "it was closed by us".to_owned(), done: Some(done) });
                }
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(End::because("it was closed by us")),
            }
        }
    }

    fn step_runs(&mut self) -> Result<bool, End> {
        self.admit();
        let mut moved = false;
        let mut index = 0;
        while index < self.runs.len() {
            let channels = self.channels();
            let run = &mut self.runs[index];
            let was_opening = run.is_opening();
            let awaited_packet = run.awaits_packet();
            let (step, traffic) = run
                .step(&self.link.session, channels == 1)
                .map_err(|error| End::because(error.message()))?;
            if was_opening && !run.is_opening() && run.holds_channel() {
                self.link.tally.count_exec();
            }
            self.link.tally.count(traffic);
            let arrived = traffic.received > 0
                || (awaited_packet && matches!(step, Step::Moved | Step::Over));
            if arrived && self.woken == Woken::ByClock {
                self.link.tally.count_overslept();
            }
            match step {
                Step::Moved => moved = true,
                Step::Blocked => {}
                Step::Refused => self.max_channels = (channels - 1).max(1),
                Step::Over => {
                    self.runs.remove(index);
                    moved = true;
                    continue;
                }
            }
            index += 1;
        }
        Ok(moved)
    }

    /// libssh2 can open one channel at a time, and the server allows only so many.
    fn admit(&mut self) {
        if self.channels() < self.max_channels
            && !self.runs.iter().any(Exec::is_opening)
            && let Some(run) = self.runs.iter_mut().find(|run| run.is_waiting())
        {
            run.admit();
        }
    }

    fn channels(&self) -> usize {
        self.runs.iter().filter(|run| run.holds_channel()).count()
    }

    fn keep_alive(&mut self) -> Result<(), End> {
        if self.probed.elapsed() < self.probe_interval() {
            return Ok(());
        }
        self.probed = Instant::now();
        if !self.runs.is_empty() {
            let left = self.silence.left().as_secs();
            debug!(runs = self.runs.len(), left_s = left, "asking for a sign of life");
        }
        // libssh2 forgets a probe that was sent in half, and then the session is stuck.
        if !self.link.takes_at_once() {
            return Ok(());
        }
        // Answers are wanted only while a run reads them.
        self.link.session.set_keepalive(!self.runs.is_empty(), OWN_INTERVAL);
        match self.link.session.keepalive_send() {
            Ok(_) => Ok(()),
            Err(error) => Err(End::because(error.message())),
        }
    }

    fn probe_interval(&self) -> Duration {
        (self.target.silence_limit / PROBES).max(LEAST_INTERVAL)
    }

    fn patience(&self) -> Duration {
        let now = Instant::now();
        let looks = self.runs.iter().filter_map(Exec::next_look);
        let probe = self.probed + self.probe_interval();
        let silence = (!self.runs.is_empty()).then(|| now + self.silence.left());
        let next = looks.chain(silence).fold(probe, Instant::min);
        next.saturating_duration_since(now).max(Duration::from_millis(1))
    }

    fn sleep(&mut self, timeout: Duration) -> PollFlags {
        let is_asleep = !timeout.is_zero();
        if is_asleep && self.has_work() {
            self.link.tally.count_overslept();
        }
        // Without a run nobody reads what the host sends, so its arrival must not wake us up.
        let wanted = match self.link.wanted() {
            wanted if self.runs.is_empty() => wanted.difference(PollFlags::IN) | HALF_CLOSED,
            wanted => wanted,
        };
        let mut fds = vec![PollFd::new(&self.link, wanted), PollFd::new(&self.door, PollFlags::IN)];
        let dry = self.runs.iter().filter_map(Exec::awaited_source);
        fds.extend(dry.map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        let asleep = Instant::now();
        wait(&mut fds, timeout);
        self.silence.listened(timeout, asleep.elapsed());
        let by_clock = is_asleep && fds.iter().all(|fd| fd.revents().is_empty());
        let of_link = fds[0].revents();
        self.woken = if by_clock { Woken::ByClock } else { Woken::ByEvent };
        of_link
    }

    /// Whether anything has come that a run waits for.
    fn has_work(&self) -> bool {
        let unread = self.channels() > 0 && self.link.unread() == Unread::Some;
        !self.link.is_sending() && (unread || self.runs.iter().any(Exec::has_unread))
    }
}

#[cfg(target_os = "linux")]
const HALF_CLOSED: PollFlags = PollFlags::RDHUP;
#[cfg(not(target_os = "linux"))]
const HALF_CLOSED: PollFlags = PollFlags::empty();

fn is_half_closed(ready: PollFlags) -> bool {
    !HALF_CLOSED.is_empty() && ready.contains(HALF_CLOSED)
}
