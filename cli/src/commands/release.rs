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
    /// Fetch the checksums of a release and write them into the inventory
    ///
    /// Fetches them from the url in the inventory's release table, once for each architecture.
    #[command(after_long_help = "Examples:\n  quorate release pin 3.6.16")]
    Pin {
        /// The release, such as 3.6.16
        #[arg(value_name = "VERSION")]
        version: EtcdVersion,
    },
}

pub(super) fn run(context: &Context, command: &ReleaseCommand) -> Result<ExitCode, CliError> {
    let ReleaseCommand::Pin { version } = command;
    let path = &context.inventory;
    let site = Site::of_text(path, pinned_to_anything(&Site::text(path)?, *version))?;
    let source = &site.inventory.release.source;
    let sums = fetch_sums(source, site.folder(), *version).map_err(|error| {
        CliError::failed(ErrorContext::new(format!("cannot pin etcd {version}"), error))
    })?;
    rewrite(path, |text| {
        sums.iter().try_fold(text.to_owned(), |text, (arch, sha256)| {
            edit::set_release_sha256(&text, *version, *arch, sha256)
        })
    })?;
    for (arch, sha256) in &sums {
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
        // What is wrong with the text is said by whoever reads it.
        .unwrap_or_else(|_: EditError| text.to_owned())
}
