//! `quorate snapshot get`

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::backups::open::{OpenError, copy_sealed, open_snapshot};
use engine::backups::store::Staged;
use engine::backups::{BackupId, Sidecar, Store};
use pki::Identity;

use super::copies::{copies_of, first_good, hint_of};
use super::{GetArgs, settings_of};
use crate::commands::Context;
use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use crate::interrupt::Interrupts;
use crate::keys::{self, Sealed};
use crate::site::folder_of;

/// What is written.
enum Form {
    Sealed,
    Opened(Vec<Identity>),
}

pub(super) fn run(context: &Context, arguments: &GetArgs) -> Result<ExitCode, CliError> {
    let GetArgs { id, out, open, identity } = arguments;
    let site = context.site()?;
    let backups = settings_of(&site, id)?;
    if out.symlink_metadata().is_ok() {
        let message = format!("{} already exists", out.display());
        return Err(CliError::failed(message).hint("name another file, or remove this one"));
    }
    let copies = copies_of(context, &site, id)?;
    let form = Arc::new(if *open {
        let recipients = &backups.recipients;
        let (terminal, passphrases) = (&context.terminal, &context.passphrases);
        let opened = keys::identities(recipients, Sealed::Backup, identity, terminal, passphrases)?;
        Form::Opened(opened)
    } else {
        Form::Sealed
    });
    let copy = |store: &Store, known: &Sidecar| {
        unless_stopped(context, Copying::new(store, id, known, &form, out))
    };
    let ((), known) = first_good(context, copies, copy, |store, error| {
        let hint = hint_of(&error);
        let doing = format!("{}: {id} was not written", store.name());
        CliError::failed(ErrorContext::new(doing, error)).maybe_hint(hint)
    })?;
    tell(context, &form, &known, out);
    Ok(ExitCode::Done)
}

/// A copy that is on its way to the operator's file.
struct Copying {
    store: Store,
    id: BackupId,
    known: Sidecar,
    form: Arc<Form>,
    out: PathBuf,
    stop: Arc<AtomicBool>,
}

impl Copying {
    fn new(store: &Store, id: &BackupId, known: &Sidecar, form: &Arc<Form>, out: &Path) -> Self {
        Self {
            store: store.clone(),
            id: id.clone(),
            known: known.clone(),
            form: Arc::clone(form),
            out: out.to_owned(),
            stop: Arc::default(),
        }
    }

    fn run(&self) -> Result<(), OpenError> {
        let Self { store, id, known, form, out, stop } = self;
        let stored = store.open(&id.object()).map_err(OpenError::Read)?;
        write(Stoppable { stored, stop }, known, form, out)
    }
}

/// A reader that ends with an error once the run was interrupted, so that what was written goes as after any failure.
struct Stoppable<'a, R> {
    stored: R,
    stop: &'a AtomicBool,
}

impl<R: io::Read> io::Read for Stoppable<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(io::Error::other("interrupted")),
            false => self.stored.read(buffer),
        }
    }
}

/// Copies on a thread of its own. Who says stop gets nothing, and nothing is left behind.
fn unless_stopped(context: &Context, copying: Copying) -> Result<Result<(), OpenError>, CliError> {
    context.block_on(async {
        let mut interrupts = Interrupts::listen().map_err(CliError::failed)?;
        let stop = Arc::clone(&copying.stop);
        let mut task = tokio::task::spawn_blocking(move || copying.run());
        let done = tokio::select! {
            done = &mut task => Some(done),
            () = interrupts.next() => {
                stop.store(true, Ordering::Relaxed);
                // It may have finished before.
                interrupts.unless_twice(task).await.filter(|done| matches!(done, Ok(Ok(()))))
            }
        };
        match done {
            Some(done) => done.map_err(|_| {
                CliError::failed("the copying stopped unexpectedly; this is a bug in quorate")
            }),
            None => Err(CliError::new(ExitCode::Interrupted, "interrupted; nothing was written")),
        }
    })?
}

/// Writes it without its name, which it gets once it was compared to the last byte.
fn write(stored: impl io::Read, known: &Sidecar, form: &Form, out: &Path) -> Result<(), OpenError> {
    let Some(name) = out.file_name().and_then(|name| name.to_str()) else {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "its path names no file");
        return Err(OpenError::Write(error));
    };
    let part = format!(".{name}.{}.part", std::process::id());
    let mut staged = Staged::nameless(folder_of(out), &part, name).map_err(OpenError::Write)?;
    match form {
        Form::Sealed => copy_sealed(stored, known, &mut staged)?,
        Form::Opened(identities) => open_snapshot(stored, known, identities, &mut staged)?,
    }
    staged.flush().and_then(|()| staged.publish()).map_err(OpenError::Write)
}

fn tell(context: &Context, form: &Form, known: &Sidecar, out: &Path) {
    let (path, version) = (out.display(), &known.etcd_version);
    context.terminal.say(&match form {
        Form::Sealed => format!("{path} is the sealed backup, as it was stored. Open it: age -d -i KEY -o backup.db {path}"),
        Form::Opened(_) => format!(
            "{path} is the snapshot of etcd {version}. It holds every Secret of cluster {}: delete it once you no longer need it.",
            known.cluster
        ),
    });
}
