//! `quorate release`

use clap::Subcommand;
use inventories::EtcdVersion;
use inventories::edit::{self, EditError};
use inventories::inventory::Arch;

use super::Context;
use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use crate::rewrite::rewrite;
use crate::site::Site;
use engine::release::fetch_sums;

/// What to do with etcd releases.
#[derive(Debug, Subcommand)]
pub enum ReleaseCommand {
    /// Fetch the checksums of releases and write them into the inventory
    ///
    /// Fetches them from the url in the inventory's release table, once for each architecture. Writes nothing if one of
    /// the releases can't be had.
    #[command(
        after_long_help = "Examples:\n  quorate release pin 3.6.16\n  quorate release pin 3.5.35 3.6.16 3.7.3"
    )]
    Pin {
        /// The releases, such as 3.6.16
        #[arg(value_name = "VERSION", required = true)]
        versions: Vec<EtcdVersion>,
    },
}

pub(super) fn run(context: &Context, command: &ReleaseCommand) -> Result<ExitCode, CliError> {
    let ReleaseCommand::Pin { versions } = command;
    let path = &context.inventory;
    let text = Site::text(path)?;
    let text = versions.iter().fold(text, |text, version| pinned_to_anything(&text, *version));
    let site = Site::of_text(path, text)?;
    let source = &site.inventory.release.source;
    let mut pins = Vec::new();
    for version in versions {
        let sums = fetch_sums(source, site.folder(), *version).map_err(|error| {
            CliError::failed(ErrorContext::new(format!("cannot pin etcd {version}"), error))
        })?;
        pins.extend(sums.into_iter().map(|(arch, sha256)| (*version, arch, sha256)));
    }
    rewrite(path, |text| {
        pins.iter().try_fold(text.to_owned(), |text, (version, arch, sha256)| {
            edit::set_release_sha256(&text, *version, *arch, sha256)
        })
    })?;
    for (version, arch, sha256) in &pins {
        context.terminal.print(&format!("{version}-{}  {sha256}", arch.as_str()));
    }
    context.terminal.say(&format!("Written into {}.", path.display()));
    Ok(ExitCode::Done)
}

/// The inventory as it would be with a checksum: without one it can't be used, and where its
/// archives come from must be known to fetch it.
fn pinned_to_anything(text: &str, version: EtcdVersion) -> String {
    let digest = "0".repeat(64);
    Arch::ALL
        .iter()
        .try_fold(text.to_owned(), |text, arch| {
            edit::set_release_sha256(&text, version, *arch, &digest)
        })
        // The reader of the text reports what is wrong with it.
        .unwrap_or_else(|_: EditError| text.to_owned())
}
