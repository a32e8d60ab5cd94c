//! A site on the operator's disk: the inventory, what it includes, and the CAs beside it.

use std::env;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use inventories::inventory::{Bootstrap, SshConfig};
use inventories::{
    BackupTarget, ClusterName, Diagnostic, DiscoveryV3, FlagChecks, Inventory, MAX_BYTES, Parsed,
    Source,
};
use planner::SiteSpec;
use planner::spec::ClusterSpec;

use crate::authorities::AuthorityFolder;
use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use crate::formed_record;

/// A site whose inventory is sound.
#[derive(Debug)]
pub struct Site {
    /// The inventory's file.
    pub path: PathBuf,
    /// What it says.
    pub inventory: Inventory,
    /// The files that it includes.
    pub included: Vec<PathBuf>,
    /// The CAs beside it.
    pub authorities: AuthorityFolder,
    /// What an operator should check in the inventory.
    pub warnings: Vec<Diagnostic>,
}

impl Site {
    /// Reads an inventory and what it includes.
    pub fn load(path: &Path) -> Result<Self, CliError> {
        Self::of_text(path, Self::text(path)?)
    }

    /// The same for a command that installs nothing: its release may have no checksum yet.
    pub fn load_unpinned(path: &Path) -> Result<Self, CliError> {
        Self::parsed(path, Self::text(path)?, inventories::parse_unpinned)
    }

    /// The text of an inventory.
    pub fn text(path: &Path) -> Result<String, CliError> {
        read_text(path).map_err(|error| unreadable(path, error))
    }

    /// The site that the inventory would be if its file had this text.
    pub fn of_text(path: &Path, text: String) -> Result<Self, CliError> {
        Self::parsed(path, text, inventories::parse)
    }

    fn parsed(
        path: &Path,
        text: String,
        parse: fn(&Source, &[Source], FlagChecks) -> Parsed,
    ) -> Result<Self, CliError> {
        let main = Source::new(path.display().to_string(), text);
        let (included, mut diagnostics) = read_included(path, &main);
        let all_read = diagnostics.is_empty();
        let Parsed { inventory, diagnostics: found } =
            parse(&main, &included, templates::FLAG_CHECKS);
        diagnostics.extend(found);
        match inventory {
            Some(inventory) if all_read => Ok(Self {
                path: path.to_owned(),
                inventory: with_rebased_paths(inventory, folder_of(path)),
                included: included.iter().map(|source| PathBuf::from(&source.name)).collect(),
                authorities: AuthorityFolder::beside(path),
                warnings: diagnostics,
            }),
            _ => {
                let message = format!("{} can't be used as it is", path.display());
                Err(CliError { diagnostics, ..CliError::new(ExitCode::Inventory, message) })
            }
        }
    }

    /// The folder of the inventory, where relative paths begin.
    pub fn folder(&self) -> &Path {
        folder_of(&self.path)
    }

    /// Where a path of the inventory leads: relative ones begin at its folder, and `~/` at the home.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        rebased(path, self.folder())
    }

    /// The public files that the site is read from: what belongs in git.
    pub fn public_files(&self) -> Vec<PathBuf> {
        let services = self.inventory.clusters.values().filter_map(|cluster| {
            let Bootstrap::DiscoveryV3(DiscoveryV3::Given(service)) = &cluster.bootstrap else {
                return None;
            };
            service.ca.clone()
        });
        let mut files = vec![self.path.clone()];
        files.extend(self.included.iter().cloned());
        files.extend(self.authorities.public_files(&self.inventory));
        files.extend(services);
        files
    }

    /// Where the records of formed clusters are, or would be.
    pub fn records(&self) -> Vec<PathBuf> {
        let clusters = self.inventory.clusters.keys();
        clusters.map(|name| formed_record::path(&self.authorities.of(name))).collect()
    }

    /// Where CA keys lie that are not sealed, if there are any.
    pub fn plain_keys(&self) -> Vec<PathBuf> {
        self.authorities.plain_keys(&self.inventory)
    }

    /// The desired state, with the public halves of the CAs and the records of formed clusters.
    pub fn spec(&self) -> Result<SiteSpec, CliError> {
        let authorities = self.authorities.public(&self.inventory)?;
        let mut spec = planner::expand(&self.inventory, &authorities)
            .map_err(|error| CliError::new(ExitCode::Inventory, error))?;
        for (name, cluster) in &mut spec.clusters {
            cluster.formed = formed_record::read(&self.authorities.of(name));
        }
        Ok(spec)
    }
}

/// The cluster that a command works on: the one that was named, or the only one.
pub fn choose_cluster<'a>(
    spec: &'a SiteSpec,
    named: Option<&ClusterName>,
) -> Result<&'a ClusterSpec, CliError> {
    let hint = clusters_of(spec);
    let mut all = spec.clusters.values();
    match (named, all.next(), all.next()) {
        (Some(name), ..) => spec.clusters.get(name).ok_or_else(|| {
            let message = format!("the inventory has no cluster {name}");
            CliError::new(ExitCode::Usage, message).hint(hint)
        }),
        (None, Some(only), None) => Ok(only),
        (None, ..) => {
            let message = "the inventory has several clusters; say which one with --cluster NAME";
            Err(CliError::new(ExitCode::Usage, message).hint(hint))
        }
    }
}

/// The names of a site's clusters, for a user who gave another.
pub fn clusters_of(spec: &SiteSpec) -> String {
    let names: Vec<&str> = spec.clusters.keys().map(ClusterName::as_str).collect();
    format!("the inventory has: {}", names.join(", "))
}

/// The folder of a file, `.` where the path names none.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Relative paths of files begin at the inventory's folder, and `~/` at the home.
fn with_rebased_paths(mut inventory: Inventory, folder: &Path) -> Inventory {
    let rebase = |path: &PathBuf| rebased(path, folder);
    let targets = inventory.clusters.values_mut().filter_map(|cluster| cluster.backups.as_mut());
    let far = targets.flat_map(|backups| &mut backups.to).filter_map(|target| match target {
        BackupTarget::Sftp(target) => Some(&mut target.ssh),
        BackupTarget::Folder(_) | BackupTarget::S3(_) => None,
    });
    for ssh in inventory.hosts.values_mut().map(|host| &mut host.ssh).chain(far) {
        for path in &mut ssh.identity_files {
            *path = rebase(path);
        }
        if let SshConfig::File(file) = &mut ssh.config {
            *file = rebase(file);
        }
    }
    for cluster in inventory.clusters.values_mut() {
        if let Bootstrap::DiscoveryV3(DiscoveryV3::Given(service)) = &mut cluster.bootstrap {
            let password = service.user.as_mut().map(|user| &mut user.password_file);
            for path in service.ca.as_mut().into_iter().chain(password) {
                *path = rebase(path);
            }
        }
    }
    inventory
}

fn rebased(path: &Path, folder: &Path) -> PathBuf {
    match (path.strip_prefix("~"), env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        (Ok(_), None) | (Err(_), _) => folder.join(path),
    }
}

fn read_included(path: &Path, main: &Source) -> (Vec<Source>, Vec<Diagnostic>) {
    let mut included = Vec::new();
    let mut diagnostics = Vec::new();
    for include in inventories::includes(main) {
        let file = folder_of(path).join(&include.path);
        match read_text(&file) {
            Ok(text) => included.push(Source::new(file.display().to_string(), text)),
            Err(error) => {
                let reason = error.to_string();
                diagnostics.push(inventories::unreadable_include(main, &include, &reason));
            }
        }
    }
    (included, diagnostics)
}

/// Reads a text. Of a file that is too large no more is read than shows it, so that a wrong path
/// costs no memory.
pub fn read_text(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_BYTES {
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "is not UTF-8 text"))
}

fn unreadable(path: &Path, error: io::Error) -> CliError {
    let missing = error.kind() == io::ErrorKind::NotFound;
    let doing = format!("cannot read the inventory {}", path.display());
    let error = CliError::new(ExitCode::Inventory, ErrorContext::new(doing, error));
    if missing {
        error
            .hint("write one with: quorate init USER@HOST…")
            .hint("or name it with --inventory PATH or QUORATE_INVENTORY")
    } else {
        error
    }
}
