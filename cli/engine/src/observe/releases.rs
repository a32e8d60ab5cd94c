//! Installed etcd releases, against the manifest that the install wrote beside them.

use std::collections::BTreeSet;

use inventories::EtcdVersion;
use planner::facts::{InstalledRelease, Observed};
use templates::layout::ReleaseLayout;

use super::files::Files;

/// The first line of a manifest that we can read.
const FORMAT: &str = "quorate-release 1";
/// Only root may write a program that root runs, and every user may run it.
const PERMISSIONS: u32 = 0o755;

/// What is installed of a release. A release without a manifest is none: the install writes it
/// last.
pub(super) fn read(files: &Files, version: EtcdVersion) -> Observed<InstalledRelease> {
    let layout = ReleaseLayout::new(version);
    let text = match files.text(&layout.manifest()) {
        Observed::Known(text) => text,
        Observed::Absent => return Observed::Absent,
        Observed::Unknown(why) => return Observed::Unknown(why),
    };
    let Some(manifest) = Manifest::parse(text) else {
        return Observed::Known(InstalledRelease {
            archive_sha256: "that the manifest does not name".to_owned(),
            damaged: BTreeSet::from(["manifest".to_owned()]),
        });
    };
    let mut damaged = BTreeSet::new();
    for file in &manifest.files {
        match is_whole(files, &layout, file) {
            Observed::Known(()) => {}
            Observed::Absent => {
                damaged.insert(file.name.to_owned());
            }
            Observed::Unknown(why) => return Observed::Unknown(why),
        }
    }
    Observed::Known(InstalledRelease { archive_sha256: manifest.archive.to_owned(), damaged })
}

/// A file is as it was installed if nothing about it moved, or if it moved and still has the same
/// content, which the host hashed only then.
fn is_whole(files: &Files, layout: &ReleaseLayout, file: &File<'_>) -> Observed<()> {
    let path = format!("{}/{}", layout.dir(), file.name);
    let inode = match files.inode(&path) {
        Observed::Known(inode) => inode,
        Observed::Absent => return Observed::Absent,
        Observed::Unknown(why) => return Observed::Unknown(why),
    };
    let same = inode.stamp == file.stamp || files.digest(&path) == Some(file.sha256);
    let (owner, _) = inode.owner();
    if same && owner == "root" && inode.permissions() == PERMISSIONS {
        Observed::Known(())
    } else {
        Observed::Absent
    }
}

struct Manifest<'a> {
    archive: &'a str,
    files: Vec<File<'a>>,
}

struct File<'a> {
    name: &'a str,
    sha256: &'a str,
    stamp: &'a str,
}

impl<'a> Manifest<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != FORMAT {
            return None;
        }
        let archive = lines.next()?.strip_prefix("archive ")?;
        let files: Option<Vec<File<'a>>> = lines.map(File::parse).collect();
        let files = files?;
        let has = |name| files.iter().any(|file| file.name == name);
        (has("etcd") && has("etcdctl")).then_some(Self { archive, files })
    }
}

impl<'a> File<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.strip_prefix("file ")?.split(' ');
        let (name, sha256, stamp) = (words.next()?, words.next()?, words.next()?);
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        let fits = name.chars().all(plain) && !name.starts_with('.') && sha256.len() == 64;
        (fits && words.next().is_none()).then_some(Self { name, sha256, stamp })
    }
}
