//! What quorate set aside on a host and kept: earlier data of members.

use inventories::{ClusterName, HostName};
use remote::Payload;
use templates::Layout;
use templates::layout::DATA_ROOT;

use crate::lock::{self, LockError};
use crate::pool::Pool;
use crate::script::{self, call::Arguments};

/// How the name of a snapshot ends, which is a file.
const SNAPSHOT: &str = "-snapshot.db";

/// The data of a member as it was at some moment: its directory, or a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Archive {
    /// The cluster that it was a member of. The inventory need not know it any more.
    pub cluster: String,
    /// Its name: when it was set aside, and the member's id or `snapshot.db`.
    pub name: String,
    /// How much room it takes.
    pub bytes: u64,
}

/// The archives on a host, by cluster and time.
///
/// # Errors
///
/// The host could not be reached, or could not read them. What it did not list whole is an error, not an absence.
pub async fn list(pool: &Pool, host: &HostName) -> Result<Vec<Archive>, LockError> {
    let call =
        lock::call(script::LIST_ARCHIVES, Arguments::new().with("root", DATA_ROOT), Payload::new());
    let said =
        lock::made(pool, host, call).await.map_err(|kind| LockError::from_kind(host, &kind))?;
    let mut archives = read(&said).map_err(|line| LockError::Failed {
        host: host.clone(),
        why: format!("the list of its archives has an unexpected line: {line:?}"),
    })?;
    archives.sort();
    Ok(archives)
}

/// Deletes an archive permanently, and notes in the host's journal who did. It needs no lock: it names one
/// archive, and nothing else touches that.
///
/// # Errors
///
/// The host could not be reached, or refused. Whether it was deleted before a connection was lost, the next list
/// shows.
pub async fn purge(
    pool: &Pool,
    host: &HostName,
    archive: &Archive,
    who: &str,
) -> Result<(), LockError> {
    let Archive { cluster, name, bytes: _ } = archive;
    let step = format!("{host}/{cluster}/purge-{name}");
    let entry = lock::journal::entry(who, &step)
        .map_err(|failure| LockError::from_kind(host, &failure.kind))?;
    // A folder that no cluster can be called has no restore either.
    let record = ClusterName::new(cluster).map(|name| Layout::new(&name).restore_record());
    let record = record.unwrap_or_default();
    let args = entry.with("root", DATA_ROOT).with("cluster", cluster).with("name", name);
    let args = args.with("record", record);
    let call = lock::call(script::PURGE_ARCHIVE, args, Payload::new());
    lock::made(pool, host, call).await.map_err(|kind| LockError::from_kind(host, &kind))?;
    Ok(())
}

/// The list, or the first line that is none of it.
fn read(said: &str) -> Result<Vec<Archive>, &str> {
    let entry = |line: &'_ str| {
        let (bytes, place) = line.split_once(' ')?;
        let (cluster, name) = place.split_once('/')?;
        let is_name = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        if !is_name(cluster) || !is_name(name.strip_suffix(SNAPSHOT).unwrap_or(name)) {
            return None;
        }
        let (cluster, name) = (cluster.to_owned(), name.to_owned());
        Some(Archive { cluster, name, bytes: bytes.parse().ok()? })
    };
    said.lines().map(|line| entry(line).ok_or(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_names_no_archive_is_an_error() {
        let archives = read("4096 main/20261128T120000Z-2baa8bd9efc286ee\n").unwrap();
        assert_eq!(archives[0].bytes, 4096);
        assert_eq!(archives[0].name, "20261128T120000Z-2baa8bd9efc286ee");
        let snapshots = read("32 main/20261128T120000Z-snapshot.db\n").unwrap();
        assert_eq!(snapshots[0].name, "20261128T120000Z-snapshot.db");
        let back = read("32 main/20261128T120000Z-before-3-6-snapshot.db\n").unwrap();
        assert_eq!(back[0].name, "20261128T120000Z-before-3-6-snapshot.db");
        for bad in ["1 main/-snapshot.db", "1 main/a.db", "1 main/a-snapshot.db-snapshot.db"] {
            assert_eq!(read(bad), Err(bad));
        }
        for bad in ["4096 main", "x main/a", "1 main/../a", "1 ../a", "1 main/a b", "1 main/"] {
            assert_eq!(read(bad), Err(bad));
        }
    }
}
