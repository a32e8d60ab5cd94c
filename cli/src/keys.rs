//! Opening CA keys: which private keys of the operator open them, and asking for passphrases.

use std::collections::BTreeMap;
use std::env;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use inventories::ClusterName;
use pki::seal::IdentityError;
use pki::{CaKind, CertificateAuthority, Identity, Recipient};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use crate::site::Site;
use crate::terminal::Terminal;
use remote::passphrases::{NoPassphrase, Passphrases, Tried};

/// An identity file is a few hundred bytes; a larger one is another file.
const LARGEST_IDENTITY: u64 = 64 * 1024;

/// The operator's keys.
#[derive(Debug, Default, Args)]
pub struct IdentityArgs {
    /// A private key that opens what is sealed: an age identity file or an OpenSSH private key.
    /// May be given several times. Default: the key in ~/.ssh that is a recipient
    #[arg(long = "identity", value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Opened CAs, by the cluster that they belong to.
pub type OpenAuthorities = BTreeMap<(ClusterName, CaKind), CertificateAuthority>;

/// Opens CAs. Nobody is asked for anything where their keys are plain.
pub fn open(
    site: &Site,
    wanted: impl IntoIterator<Item = (ClusterName, CaKind)>,
    arguments: &IdentityArgs,
    terminal: &Terminal,
    passphrases: &Passphrases,
    now: OffsetDateTime,
) -> Result<OpenAuthorities, CliError> {
    let wanted: Vec<(ClusterName, CaKind)> = wanted.into_iter().collect();
    let mut sealed = false;
    for (cluster, kind) in &wanted {
        sealed |= site.authorities.is_sealed(cluster, *kind)?;
    }
    let identities = if sealed {
        identities(
            &site.inventory.pki.recipients,
            Sealed::CaKeys,
            arguments,
            terminal,
            passphrases,
        )?
    } else {
        Vec::new()
    };
    let mut open = BTreeMap::new();
    for (cluster, kind) in wanted {
        let authority = site.authorities.open(&cluster, kind, &identities, now)?;
        open.insert((cluster, kind), authority);
    }
    Ok(open)
}

/// What identities are wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealed {
    /// The keys of CAs.
    CaKeys,
    /// A backup.
    Backup,
}

impl Sealed {
    fn what(self) -> &'static str {
        match self {
            Sealed::CaKeys => "the CA keys",
            Sealed::Backup => "the backup",
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Sealed::CaKeys => {
                ("the CA keys are sealed, and no key that opens them is here", "[pki]")
            }
            Sealed::Backup => (
                "the backup is sealed, and no key that opens it is here",
                "[clusters.NAME.backups] or [pki]",
            ),
        }
    }
}

/// The operator's keys that open what is sealed for these recipients.
pub fn identities(
    recipients: &[String],
    sealed: Sealed,
    arguments: &IdentityArgs,
    terminal: &Terminal,
    passphrases: &Passphrases,
) -> Result<Vec<Identity>, CliError> {
    let mut files = arguments.files.clone();
    if files.is_empty() {
        files = usual(recipients);
        for file in &files {
            terminal.say_more(&format!("opening what is sealed with {}", file.display()));
        }
    }
    if files.is_empty() {
        let (message, place) = sealed.words();
        let hint =
            format!("give the private key of one of the recipients in {place}: --identity FILE");
        return Err(CliError::failed(message).hint(hint));
    }
    files.iter().map(|file| identity(file, sealed, terminal, passphrases)).collect()
}

/// The operator's own SSH keys, those that the inventory names as recipients.
fn usual(recipients: &[String]) -> Vec<PathBuf> {
    let Some(home) = env::home_dir() else { return Vec::new() };
    let recipients: Vec<Recipient> =
        recipients.iter().filter_map(|text| Recipient::parse(text).ok()).collect();
    ["id_ed25519", "id_rsa"]
        .map(|name| home.join(".ssh").join(name))
        .into_iter()
        .filter(|key| {
            let own = public_half(key);
            key.exists() && own.is_some_and(|own| recipients.contains(&own))
        })
        .collect()
}

/// The recipient that an SSH key's `.pub` file makes.
pub fn public_half(key: &Path) -> Option<Recipient> {
    let text = std::fs::read_to_string(key.with_extension("pub")).ok()?;
    Recipient::parse(text.lines().next()?).ok()
}

fn identity(
    file: &Path,
    sealed: Sealed,
    terminal: &Terminal,
    passphrases: &Passphrases,
) -> Result<Identity, CliError> {
    let doing = || format!("cannot use the identity {}", file.display());
    let mut text = Zeroizing::new(String::with_capacity(LARGEST_IDENTITY as usize));
    File::open(file)
        .and_then(|opened| opened.take(LARGEST_IDENTITY).read_to_string(&mut text))
        .map_err(|error| CliError::new(ExitCode::Failed, ErrorContext::new(doing(), error)))?;
    let failed = |error: IdentityError| CliError::failed(ErrorContext::new(doing(), error));
    match Identity::parse(&text, None) {
        Err(IdentityError::PassphraseNeeded) => {}
        other => return other.map_err(failed),
    }
    terminal.say(&format!(
        "{} opens {}. An SSH agent can't do that, so its passphrase is needed.",
        file.display(),
        sealed.what()
    ));
    let opened = passphrases.open(file, |passphrase| {
        let passphrase = pki::Passphrase::new(passphrase.expose());
        match Identity::parse(&text, Some(&passphrase)) {
            Err(IdentityError::WrongPassphrase) => Tried::Wrong,
            other => Tried::Right(other),
        }
    });
    match opened {
        Ok(opened) => opened.map_err(failed),
        Err(NoPassphrase::Wrong) => Err(failed(IdentityError::WrongPassphrase)),
        Err(NoPassphrase::Interrupted) => {
            Err(CliError::new(ExitCode::Interrupted, "interrupted; nothing was changed"))
        }
        Err(why) => {
            let doing = format!("{}: {}", doing(), IdentityError::PassphraseNeeded);
            Err(CliError::failed(ErrorContext::new(doing, why)).hint(
                "run it at a terminal, or let a program answer: SSH_ASKPASS=PROGRAM SSH_ASKPASS_REQUIRE=force",
            ))
        }
    }
}
