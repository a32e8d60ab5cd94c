//! `pki/CLUSTER/formed.toml`: that the cluster was formed, in the operator's own version control. It tells when
//! no host that the inventory names can.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use inventories::ClusterName;
use planner::FormedRecord;
use planner::facts::Observed;

use crate::rewrite;
use remote::bounded;

/// The file's name in the folder of a cluster's CAs.
const NAME: &str = "formed.toml";

/// Where the record in the folder of a cluster's CAs is.
pub fn path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

/// Reads the record beside a cluster's CAs. One that can't be read is not a missing one.
pub fn read(folder: &Path) -> Observed<FormedRecord> {
    let bytes = match bounded::read(&path(folder), bounded::SMALL) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Observed::Absent,
        Err(error) => return Observed::Unknown(error.to_string()),
    };
    match std::str::from_utf8(&bytes).map(toml::from_str) {
        Ok(Ok(record)) => Observed::Known(record),
        Ok(Err(error)) => Observed::Unknown(error.message().to_owned()),
        Err(_) => Observed::Unknown("it is not text".to_owned()),
    }
}

/// The text of a record.
pub fn text(cluster: &ClusterName, record: &FormedRecord) -> String {
    let FormedRecord { cluster_id, formed } = record;
    format!(
        "# quorate formed cluster {cluster}. Commit this file: while it exists, no plan forms the\n\
         # cluster a second time, even if all of its hosts change.\n\
         cluster-id = {cluster_id:?}\n\
         formed = {formed:?}\n"
    )
}

/// Writes a record beside the CAs of its cluster, whole or not at all.
pub fn write(folder: &Path, cluster: &ClusterName, record: &FormedRecord) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let path = path(folder);
    rewrite::put(&path, &text(cluster, record))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use planner::record_path;

    fn record() -> FormedRecord {
        FormedRecord { cluster_id: "25ccc620a9a7e1ea".to_owned(), formed: "2026-11-28".to_owned() }
    }

    #[test]
    fn what_is_written_is_read_and_replaces_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let cluster: ClusterName = "main".parse().unwrap();
        let place = folder.path().join("main");
        assert_eq!(read(&place), Observed::Absent);
        for day in ["2026-11-28", "2026-11-29"] {
            let record = FormedRecord { formed: day.to_owned(), ..record() };
            let path = write(&place, &cluster, &record).unwrap();
            assert!(path.ends_with(record_path(&cluster).trim_start_matches("pki/")));
            assert_eq!(read(&place), Observed::Known(record));
        }
        assert_eq!(fs::read_dir(&place).unwrap().count(), 1);
    }

    #[test]
    fn a_record_that_cannot_be_read_is_unknown_and_never_absent() {
        let folder = tempfile::tempdir().unwrap();
        let whole = text(&"main".parse().unwrap(), &record());
        let garbage = ["", "<<<<<<< HEAD", "cluster-id = 1", "formed = \"x\"", "\u{1b}[31m"];
        for bad in garbage.into_iter().chain([&whole[..whole.len() / 2]]) {
            fs::write(folder.path().join(NAME), bad).unwrap();
            assert!(matches!(read(folder.path()), Observed::Unknown(_)), "{bad:?}");
        }
        fs::write(folder.path().join(NAME), [0xff]).unwrap();
        assert!(matches!(read(folder.path()), Observed::Unknown(_)));
    }
}
