//! One run of a script, as a state machine that is stepped whenever the socket is ready.

use std::io::{self, PipeReader, Read, Write};
use std::time::{Duration, Instant};

use ssh2::{Channel, Session};
use tokio::sync::oneshot;

use super::call::{Call, Reply};
use super::counters::Traffic;
use super::error::{RemoteError, SudoRefusal};
use super::frame::FrameError;
use super::link::{is_broken, would_block};
use super::outgoing::{Outgoing, Rest};
use super::script;
use super::stream::{Incoming, Output};
use super::text::Tail;

/// How long the end of stderr and the exit status may trail behind a complete reply.
const GRACE: Duration = Duration::from_secs(1);
/// Bytes that one step moves at most, so that runs on one connection share it.
const STEP_BYTES: usize = 256 * 1024;
const CHUNK: usize = 32 * 1024;
/// libssh2's code for a channel that the server refused to open.
const OPEN_REFUSED: ssh2::ErrorCode = ssh2::ErrorCode::Session(-21);
/// How often a refused opening is tried again, and after what pause: sshd counts a session for longer than it lasts.
const REOPENINGS: u32 = 5;
const REOPENING_PAUSE: Duration = Duration::from_millis(100);

/// A run of a script.
pub(crate) struct Exec {
    user: String,
    sudo: bool,
    answer: Option<oneshot::Sender<Result<Reply, RemoteError>>>,
    outgoing: Outgoing,
    stdin_closed: bool,
    incoming: Incoming,
    stderr: Tail,
    started: Instant,
    deadline: Instant,
    give_up: Option<Instant>,
    refusals: u32,
    not_before: Option<Instant>,
    stage: Stage,
}

enum Stage {
    Waiting,
    Opening,
    Starting(Channel),
    Talking(Channel),
    Closing(Channel),
    Gone,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Something moved: step again.
    Moved,
    /// Nothing to do until the socket or the clock wakes us.
    Blocked,
    /// The server allows no more channels for now.
    Refused,
    /// The run is over and its channel is gone.
    Over,
}

impl Exec {
    /// A run that waits for its turn. Its clock starts now.
    pub(crate) fn new(
        call: &Call,
        user: &str,
        sudo: bool,
        output: Output,
        answer: oneshot::Sender<Result<Reply, RemoteError>>,
    ) -> Option<Self> {
        let prepare = || -> Result<(Incoming, Outgoing), RemoteError> {
            let failed = |why: String| RemoteError::Session { why };
            let nonce = script::nonce().map_err(|error| failed(error.to_string()))?;
            let outgoing = Outgoing::new(call, &nonce, &output)?;
            let incoming = Incoming::new(nonce, call.max_reply, output);
            Ok((incoming.map_err(|error| failed(error.to_string()))?, outgoing))
        };
        let (incoming, outgoing) = match prepare() {
            Ok(prepared) => prepared,
            Err(error) => {
                // The caller may have stopped waiting.
                let _ = answer.send(Err(error));
                return None;
            }
        };
        let started = Instant::now();
        Some(Self {
            user: user.to_owned(),
            sudo,
            answer: Some(answer),
            outgoing,
            stdin_closed: false,
            incoming,
            stderr: Tail::default(),
            started,
            deadline: started + call.deadline,
            give_up: None,
            refusals: 0,
            not_before: None,
            stage: Stage::Waiting,
        })
    }

    /// Whether a channel of the server is in use.
    pub(crate) fn holds_channel(&self) -> bool {
        !matches!(self.stage, Stage::Waiting | Stage::Gone)
    }

    /// Whether the one opening that libssh2 can do at a time is in use.
    pub(crate) fn is_opening(&self) -> bool {
        matches!(self.stage, Stage::Opening)
    }

    /// Whether this run has no channel yet, and may ask for one.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Waiting)
            && self.not_before.is_none_or(|time| Instant::now() >= time)
    }

    /// Lets a waiting run ask for its channel.
    pub(crate) fn admit(&mut self) {
        self.stage = Stage::Opening;
    }

    /// When to look again even if the socket stays silent.
    pub(crate) fn next_look(&self) -> Option<Instant> {
        let end = self.give_up.or(self.answer.is_some().then_some(self.deadline));
        let waiting = matches!(self.stage, Stage::Waiting);
        let again = self.not_before.filter(|time| waiting && *time > Instant::now());
        end.into_iter().chain(again).min()
    }

    /// Whether this run waits for nothing but a packet: its step moves only when one has come.
    pub(crate) fn awaits_packet(&self) -> bool {
        matches!(self.stage, Stage::Opening | Stage::Starting(_) | Stage::Closing(_))
    }

    /// What this run reads what it sends from, while nothing more has come.
    pub(crate) fn awaited_source(&self) -> Option<&PipeReader> {
        match &self.stage {
            Stage::Talking(_) if !self.stdin_closed => self.outgoing.awaited_source(),
            _ => None,
        }
    }

    /// Whether libssh2 holds something for this run that it has not taken yet.
    pub(crate) fn has_unread(&self) -> bool {
        match &self.stage {
            Stage::Talking(channel) => channel.read_window().available > 0 || channel.eof(),
            _ => false,
        }
    }

    /// Moves the run on as far as the socket allows. `Err` when the connection broke.
    pub(crate) fn step(
        &mut self,
        session: &Session,
        alone: bool,
    ) -> Result<(Step, Traffic), ssh2::Error> {
        let mut traffic = Traffic::default();
        self.watch_clock();
        if self.answer.is_none() {
            // The stream's reader must not wait for a host that may never answer again.
            self.incoming.hang_up();
        }
        let step = match std::mem::replace(&mut self.stage, Stage::Gone) {
            Stage::Waiting if self.answer.is_none() => Step::Over,
            Stage::Waiting => {
                self.stage = Stage::Waiting;
                Step::Blocked
            }
            Stage::Opening => self.open(session, alone)?,
            Stage::Starting(channel) => self.start(channel)?,
            Stage::Talking(channel) => self.talk(channel, &mut traffic)?,
            Stage::Closing(channel) => self.close(channel)?,
            Stage::Gone => Step::Over,
        };
        Ok((step, traffic))
    }

    /// The connection is gone: answers what is still open.
    pub(crate) fn lose(&mut self, why: &str) {
        // The whole reply may have come before.
        self.answer_complete();
        let error = RemoteError::Lost { why: why.to_owned(), progress: self.outgoing.progress() };
        self.send(Err(error));
        self.stage = Stage::Gone;
    }

    fn open(&mut self, session: &Session, alone: bool) -> Result<Step, ssh2::Error> {
        match session.channel_session() {
            Ok(channel) if self.answer.is_some() => self.stage = Stage::Starting(channel),
            Ok(channel) => self.stage = Stage::Closing(channel),
            Err(error) if would_block(&error) => {
                self.stage = Stage::Opening;
                return Ok(Step::Blocked);
            }
            Err(error) if is_broken(&error) => return Err(error),
            Err(error)
                if error.code() == OPEN_REFUSED && (!alone || self.refusals < REOPENINGS) =>
            {
                self.refusals += u32::from(alone);
                self.not_before = Some(Instant::now() + REOPENING_PAUSE);
                self.stage = Stage::Waiting;
                return Ok(Step::Refused);
            }
            Err(error) => {
                self.send(Err(RemoteError::Session { why: error.message().to_owned() }));
                return Ok(Step::Over);
            }
        }
        Ok(Step::Moved)
    }

    fn start(&mut self, mut channel: Channel) -> Result<Step, ssh2::Error> {
        let command = if self.sudo { script::EXEC_SUDO } else { script::EXEC };
        match channel.exec(command) {
            Ok(()) => self.stage = Stage::Talking(channel),
            Err(error) if would_block(&error) => {
                self.stage = Stage::Starting(channel);
                return Ok(Step::Blocked);
            }
            Err(error) if is_broken(&error) => return Err(error),
            Err(error) => {
                self.send(Err(RemoteError::Session { why: error.message().to_owned() }));
                self.stage = Stage::Closing(channel);
            }
        }
        Ok(Step::Moved)
    }

    fn talk(&mut self, mut channel: Channel, traffic: &mut Traffic) -> Result<Step, ssh2::Error> {
        traffic.sent = self.write(&mut channel)?;
        // Both streams, in turn: a server that cannot get rid of stderr sends no stdout either.
        traffic.received = self.read(&mut channel)?;
        if self.incoming.is_finished() && self.give_up.is_none() {
            self.give_up = Some(Instant::now() + GRACE);
        }
        let over = (channel.eof() && self.incoming.has_handed_on())
            || self.answer.is_none()
            || self.give_up.is_some_and(|give_up| Instant::now() >= give_up);
        if over {
            self.give_up = Some(Instant::now() + GRACE);
            self.stage = Stage::Closing(channel);
            self.answer_complete();
            return Ok(Step::Moved);
        }
        self.stage = Stage::Talking(channel);
        let moved = traffic.sent + traffic.received > 0 || !self.incoming.has_handed_on();
        Ok(if moved { Step::Moved } else { Step::Blocked })
    }

    fn write(&mut self, channel: &mut Channel) -> Result<usize, ssh2::Error> {
        let mut total = 0;
        while total < STEP_BYTES && !self.stdin_closed {
            let rest = match self.outgoing.rest() {
                Rest::Bytes(rest) => rest,
                Rest::Dry => break,
                Rest::End => {
                    match channel.send_eof() {
                        Err(error) if would_block(&error) => break,
                        Err(error) if is_broken(&error) => return Err(error),
                        _ => self.stdin_closed = true,
                    }
                    break;
                }
            };
            match channel.write(&rest[..rest.len().min(CHUNK)]) {
                Ok(0) => break,
                Ok(count) => {
                    self.outgoing.advance(count);
                    total += count;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The script has read what it wanted and gone; its reply says whether that was right.
                Err(_) => self.stdin_closed = true,
            }
        }
        Ok(total)
    }

    fn read(&mut self, channel: &mut Channel) -> Result<usize, ssh2::Error> {
        let mut buffer = [0; CHUNK];
        let mut total = 0;
        let mut errors = channel.stderr();
        while total < STEP_BYTES && self.incoming.has_room() {
            let out = take(channel.read(&mut buffer))?;
            self.incoming.push(&buffer[..out]);
            let err = take(errors.read(&mut buffer))?;
            self.stderr.push(&buffer[..err]);
            total += out + err;
            if out + err == 0 {
                break;
            }
        }
        Ok(total)
    }

    /// Waits for the server to close its side: before that, exit status and signal may be missing.
    fn close(&mut self, mut channel: Channel) -> Result<Step, ssh2::Error> {
        match channel.close() {
            Err(error) if would_block(&error) => {
                let late = self.give_up.is_some_and(|give_up| Instant::now() >= give_up);
                if late {
                    self.give_up = None;
                    self.answer_incomplete(&channel);
                }
                // The server keeps the channel until the command is gone, so we keep it too.
                self.stage = Stage::Closing(channel);
                return Ok(Step::Blocked);
            }
            Err(error) if is_broken(&error) => return Err(error),
            _ => {}
        }
        self.answer_incomplete(&channel);
        Ok(Step::Over)
    }

    fn watch_clock(&mut self) {
        if self.answer.as_ref().is_some_and(oneshot::Sender::is_closed) {
            self.answer = None;
        }
        // A reply that is already complete is not late.
        if self.answer.is_some() && self.give_up.is_none() && Instant::now() >= self.deadline {
            let after = self.started.elapsed();
            let (progress, said) = (self.outgoing.progress(), self.stderr.text());
            self.send(Err(RemoteError::Deadline { after, progress, said }));
        }
    }

    fn answer_complete(&mut self) {
        if self.incoming.is_complete()
            && let Ok(frame) = self.incoming.take_frame()
        {
            let stderr = self.stderr.text();
            self.send(Ok(Reply { status: frame.status, stdout: frame.body, stderr }));
        }
    }

    fn answer_incomplete(&mut self, channel: &Channel) {
        if self.answer.is_none() {
            return;
        }
        let why = match self.incoming.take_frame() {
            Err(why) => why,
            Ok(_) => FrameError::Cut,
        };
        let said = self.said(&why);
        // A command that was killed has exit status 0 in libssh2: the signal must be asked first. It
        // dies of a broken pipe where we hung up on its flood, which is then the reason.
        let signal = channel.exit_signal().ok().and_then(|exit| exit.exit_signal);
        let refusal = SudoRefusal::read(&said).filter(|_| self.sudo);
        let error = match (signal, refusal, &why) {
            (Some(signal), _, why) if !matches!(why, FrameError::Flood { .. }) => {
                RemoteError::Killed { signal, said }
            }
            (None, Some(why), FrameError::Missing { .. }) => {
                RemoteError::Sudo { user: self.user.clone(), why, said }
            }
            _ => {
                RemoteError::Frame { why, status: channel.exit_status().unwrap_or_default(), said }
            }
        };
        self.send(Err(error));
    }

    /// stderr, or what came on stdout instead of a reply: some refusals are printed there.
    fn said(&self, why: &FrameError) -> String {
        let stderr = self.stderr.text();
        match why {
            FrameError::Missing { said } | FrameError::Flood { said } if stderr.is_empty() => {
                said.clone()
            }
            _ => stderr,
        }
    }

    fn send(&mut self, outcome: Result<Reply, RemoteError>) {
        if let Some(answer) = self.answer.take() {
            // The caller may have stopped waiting.
            let _ = answer.send(outcome);
        }
    }
}

fn take(read: io::Result<usize>) -> Result<usize, ssh2::Error> {
    match read {
        Ok(count) => Ok(count),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        // ssh2 drops libssh2's code here; a read fails only when the connection does.
        Err(_) => Err(ssh2::Error::new(ssh2::ErrorCode::Session(-43), "the host closed it")),
    }
}
