//! `quorate support-bundle`

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use inventories::{ClusterName, HostName};
use planner::SiteSpec;
use serde::Serialize;
use time::OffsetDateTime;
use time::macros::format_description;

use super::hosts::HostAccess;
use super::planning::{Asked, PolicyArgs};
use super::{Context, logs, plan};
use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use crate::interrupt::Interrupts;
use crate::report::columns::{bytes, table};
use crate::report::plan_document::PlanDocument;
use crate::report::status::Status;
use crate::report::verdict::verdict;
use crate::site::Site;
use engine::hosts::Timed;
use engine::lock::LockError;
use engine::pool::Pool;
use engine::sessions::{history, support};

mod redact;
mod tar;

use redact::redacted;

/// Arguments of `quorate support-bundle`.
#[derive(Debug, Args)]
pub struct SupportBundleArgs {
    /// The archive (default: quorate-SITE-TIME.tar)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How many lines of each member's log
    #[arg(short = 'n', long, value_name = "LINES", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    lines: u32,
}

/// How many lines of a host's journal of applies.
const JOURNAL_LINES: u32 = 2000;

/// The files of a bundle by name, redacted.
#[derive(Debug, Default)]
struct Bundle {
    files: BTreeMap<String, String>,
    /// What could not be read, and why.
    missing: Vec<String>,
}

pub(super) fn run(context: &Context, arguments: &SupportBundleArgs) -> Result<ExitCode, CliError> {
    let site = Site::load(&context.inventory)?;
    let now = OffsetDateTime::now_utc();
    let path = arguments.out.clone().unwrap_or_else(|| name(&site, now));
    let file = create(&path)?;
    let written = gathered(context, &site, arguments).and_then(|(bundle, code)| {
        write(file, &bundle, now)
            .map_err(|error| cannot_write(&path, error))
            .map(|()| (bundle, code))
    });
    // An empty file must not stay in the way of the next try.
    let (bundle, code) = written.inspect_err(|_| drop(fs::remove_file(&path)))?;
    show(context, &bundle, &path);
    Ok(code)
}

fn gathered(
    context: &Context,
    site: &Site,
    arguments: &SupportBundleArgs,
) -> Result<(Bundle, ExitCode), CliError> {
    let planned =
        plan::connect_and_plan(context, &Asked::Inventory(&PolicyArgs::default()), Timed::Nothing)?;
    let mut bundle = Bundle::default();
    for path in std::iter::once(&site.path).chain(&site.included) {
        bundle.add_inventory(site, path);
    }
    let shown = planned.shown();
    let code = verdict(&shown);
    let status = Status::new(&planned.spec, &planned.facts, &shown.report, Timed::Nothing);
    bundle.add_json("status.json", &status);
    bundle.add_json("plan.json", &PlanDocument::new(&shown, code));
    bundle.add("facts.txt".to_owned(), &format!("{:#?}\n", planned.facts));
    bundle.add("version.txt".to_owned(), concat!("quorate ", env!("CARGO_PKG_VERSION"), "\n"));
    let code = context.block_on(async {
        let access = HostAccess::new(context, site)?;
        let mut interrupts = Interrupts::listen().map_err(CliError::failed)?;
        let asking = bundle.ask(context, &access, &planned.spec, arguments.lines);
        interrupts.give_way(async { Ok(asking.await) }).await
    })??;
    let missing = bundle.missing.join("\n");
    bundle.add("missing.txt".to_owned(), &missing);
    let readme = bundle.readme();
    bundle.files.insert("README.txt".to_owned(), readme);
    Ok((bundle, code))
}

/// What one host gave: files by the end of their name, and what it failed to give.
type OfHost = (Vec<(String, String)>, Vec<String>);

async fn ask_host(
    pool: Arc<Pool>,
    host: HostName,
    clusters: Vec<ClusterName>,
    lines: u32,
) -> Result<OfHost, LockError> {
    let system = support::system(&pool, &host, &clusters).await?;
    let (mut files, mut missing) = (vec![("system.txt".to_owned(), system)], Vec::new());
    match history::last(&pool, &host, JOURNAL_LINES).await {
        Ok(text) => files.push(("journal.jsonl".to_owned(), text)),
        Err(error) => missing.push(format!("the journal of applies: {error}")),
    }
    for cluster in &clusters {
        match engine::sessions::logs::newest(&pool, &host, cluster, lines, None).await {
            Ok(found) => {
                files.push((format!("{cluster}.log"), logs::text_of(host.as_str(), &found)));
                if found.cut_off {
                    missing.push(format!("{host}: {cluster} {}", logs::CUT_OFF));
                }
                missing.extend(found.complaints.iter().map(|why| format!("{host}: {why}")));
            }
            Err(error) => missing.push(format!("the log of {cluster}: {error}")),
        }
    }
    Ok((files, missing))
}

impl Bundle {
    fn add(&mut self, name: String, text: &str) {
        self.insert(name, redacted(text));
    }

    /// A text that is without secrets. What has no place must not cost the rest of the bundle.
    fn insert(&mut self, name: String, text: String) {
        if tar::has_place(&in_archive(&name)) {
            self.files.insert(name, text);
        } else {
            self.missing.push(format!("{name}: its name is too long for an archive"));
        }
    }

    fn add_inventory(&mut self, site: &Site, path: &Path) {
        match Site::text(path).map(|text| redact::inventory(&text)) {
            Ok(Some(text)) => {
                let name = self.unused(&inventory_name(site.folder(), path));
                self.insert(name, text);
            }
            Ok(None) => self.missing.push(format!("{}: it is not TOML", path.display())),
            Err(error) => self.missing.push(format!("{}: {error}", path.display())),
        }
    }

    /// The name, or one like it that no file has.
    fn unused(&self, name: &str) -> String {
        let others = (2..).map(|number| format!("{name}.{number}"));
        let mut all = std::iter::once(name.to_owned()).chain(others);
        all.find(|name| !self.files.contains_key(name)).unwrap_or_default()
    }

    fn add_json(&mut self, name: &str, document: &impl Serialize) {
        match serde_json::to_string_pretty(document) {
            Ok(text) => self.add(name.to_owned(), &text),
            Err(error) => self.missing.push(format!("{name}: {error}")),
        }
    }

    /// Asks all hosts at once.
    async fn ask(
        &mut self,
        context: &Context,
        access: &HostAccess,
        spec: &SiteSpec,
        lines: u32,
    ) -> ExitCode {
        let clusters_on = |host: &HostName| -> Vec<ClusterName> {
            let on = spec.clusters.values().filter(|c| c.members.contains_key(host));
            on.map(|cluster| cluster.name.clone()).collect()
        };
        let ask = |pool: Arc<Pool>, host: HostName| {
            ask_host(pool, host.clone(), clusters_on(&host), lines)
        };
        let (answers, code) = access.ask_each(&context.terminal, spec.hosts(), ask).await;
        for host in spec.hosts() {
            if !answers.iter().any(|(answered, _)| answered == host) {
                self.missing.push(format!("{host}: did not answer; why is in plan.json"));
            }
        }
        for (host, (files, missing)) in answers {
            for (name, text) in files {
                self.add(format!("hosts/{host}/{name}"), &text);
            }
            self.missing.extend(missing);
        }
        code
    }

    /// What the archive holds, for its reader.
    fn readme(&self) -> String {
        let names: String = self.files.keys().map(|name| format!("  {name}\n")).collect();
        format!(
            "Made by quorate support-bundle. It holds no private key, and what looked like a secret was replaced by \
             [removed]. Names of hosts, addresses and logs are in it.\n\n{names}\n\
             facts.txt      what quorate saw, on which plan.json and status.json rest\n\
             hosts/*/*.log  what the members wrote\n\
             journal.jsonl  what was done on the host, and by whom\n\
             missing.txt    what could not be read, and why\n\
             system.txt     the host's system, units, and the names and modes of files\n"
        )
    }
}

/// What a file of an inventory is called: where it lies beside the inventory. No name leads out of the archive.
fn inventory_name(folder: &Path, path: &Path) -> String {
    let beside = path.strip_prefix(folder).unwrap_or(path);
    let parts = beside.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_string_lossy()),
        Component::ParentDir => Some("up".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    parts.fold("inventory".to_owned(), |all, part| format!("{all}/{part}"))
}

fn in_archive(name: &str) -> String {
    format!("quorate/{name}")
}

fn name(site: &Site, now: OffsetDateTime) -> PathBuf {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let time = now.format(&format).unwrap_or_default();
    PathBuf::from(format!("quorate-{}-{time}.tar", site.inventory.site.name))
}

/// A file of the operator's alone that was not there.
fn create(path: &Path) -> Result<File, CliError> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    created.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            let message = format!("{} already exists, and nothing was written", path.display());
            CliError::failed(message).hint("move it away, or name another file with --out")
        }
        _ => cannot_write(path, error),
    })
}

fn cannot_write(path: &Path, error: io::Error) -> CliError {
    CliError::failed(ErrorContext::new(format!("cannot write {}", path.display()), error))
}

fn write(file: File, bundle: &Bundle, now: OffsetDateTime) -> io::Result<()> {
    let time = u64::try_from(now.unix_timestamp()).unwrap_or_default();
    let mut archive = tar::Archive::new(io::BufWriter::new(file), time);
    for (name, text) in &bundle.files {
        archive.add(&in_archive(name), text.as_bytes())?;
    }
    let mut file = archive.finish()?;
    file.flush()
}

fn show(context: &Context, bundle: &Bundle, path: &Path) {
    let size = |text: &String| bytes(text.len().try_into().unwrap_or(u64::MAX));
    let mut rows = vec![["FILE", "SIZE"].map(str::to_owned)];
    rows.extend(bundle.files.iter().map(|(name, text)| [name.clone(), size(text)]));
    context.terminal.print(&table(&rows).join("\n"));
    for missing in &bundle.missing {
        context.terminal.warn(&format!("not in the bundle: {missing}"));
    }
    context.terminal.say(&format!(
        "Wrote {}, for your eyes only (0600). Look at it before you give it away: it has the names and addresses of \
         your hosts.",
        path.display()
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_same_name_stand_beside_each_other_and_stay_in_the_archive() {
        for (path, name) in [
            ("site/quorate.toml", "inventory/quorate.toml"),
            ("site/a/hosts.toml", "inventory/a/hosts.toml"),
            ("site/../b/hosts.toml", "inventory/up/b/hosts.toml"),
            ("/etc/hosts.toml", "inventory/etc/hosts.toml"),
        ] {
            assert_eq!(inventory_name(Path::new("site"), Path::new(path)), name);
        }
        let mut bundle = Bundle::default();
        for text in ["a", "b"] {
            let name = bundle.unused("inventory/x.toml");
            bundle.insert(name, text.to_owned());
        }
        let names: Vec<&str> = bundle.files.keys().map(String::as_str).collect();
        assert_eq!(names, ["inventory/x.toml", "inventory/x.toml.2"]);
        bundle.insert("n".repeat(200), String::new());
        assert_eq!((bundle.files.len(), bundle.missing.len()), (2, 1));
    }
}
