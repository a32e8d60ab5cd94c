//! What each path is, from one `stat`, one `sha256sum` and one `cat` for all of them.

use std::collections::BTreeMap;

use pki::Sha256Digest;
use planner::facts::{FileFacts, Observed};

use super::records::Records;
use super::unread::Unread;
use remote::clean;

/// The format of `stat` in `facts.sh` has this many words; the last is a name, which may hold blanks.
const WORDS: usize = 8;
const TYPE_MASK: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
const SYMLINK: u32 = 0o120_000;

/// Every path that the host was asked for or found.
#[derive(Debug)]
pub(super) struct Files {
    paths: BTreeMap<String, Observed<Inode>>,
    digests: BTreeMap<String, String>,
    texts: BTreeMap<String, String>,
    /// Whether a text that the host showed is not the one that it hashed.
    torn: bool,
}

/// What `stat` says of a path, its last component not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inode {
    /// Type and permission bits.
    mode: u32,
    /// Inode, size, mtime and ctime: when none of them moved, neither did the content.
    pub(super) stamp: String,
    pub(super) size: usize,
    owner: String,
    group: String,
    /// Bytes on disk.
    pub(super) allocated: u64,
    /// Where a symbolic link points.
    target: Option<String>,
}

impl Inode {
    /// Permission bits.
    pub(super) fn permissions(&self) -> u32 {
        self.mode & 0o7777
    }

    /// Owner and group.
    pub(super) fn owner(&self) -> (&str, &str) {
        (&self.owner, &self.group)
    }

    /// When its content was last written, in seconds since 1970.
    pub(super) fn written(&self) -> Option<u64> {
        self.stamp.split('.').nth(2)?.parse().ok()
    }

    pub(super) fn is_directory(&self) -> bool {
        self.mode & TYPE_MASK == DIRECTORY
    }

    fn is_regular(&self) -> bool {
        self.mode & TYPE_MASK == REGULAR
    }
}

impl Files {
    /// Reads the records of files. Where `stat` did not print one line for each path it is unclear
    /// which line is whose.
    pub(super) fn read(records: &Records) -> Result<Self, Unread> {
        let asked = records.need("files", "what its files are")?.split_whitespace();
        let said = records.need("stat", "what its files are")?;
        let asked: Vec<&str> = asked.collect();
        let lines: Vec<&str> = said.lines().collect();
        if asked.len() != lines.len() {
            let why = format!("stat listed {} files, expected {}", lines.len(), asked.len());
            return Err(Unread::Odd(why));
        }
        let paths: BTreeMap<String, Observed<Inode>> = asked
            .into_iter()
            .zip(lines)
            .map(|(path, line)| (path.to_owned(), inode(path, line)))
            .collect();
        let digests = digests(records.text("sha256").unwrap_or_default());
        let texts = texts(records, &paths, &digests);
        let mut shown = shown(records);
        let torn = shown.any(|path| !texts.contains_key(path));
        Ok(Self { paths, digests, texts, torn })
    }

    /// Whether a file changed while the host read it: then the facts are not of one moment. A file that is
    /// no text looks the same.
    pub(super) fn is_torn(&self) -> bool {
        self.torn
    }

    /// What `stat` says of a path.
    pub(super) fn inode(&self, path: &str) -> Observed<Inode> {
        match self.paths.get(path) {
            Some(inode) => inode.clone(),
            None => Observed::Unknown(format!("the host did not say what {path} is")),
        }
    }

    /// The sha256 of a file that was hashed.
    pub(super) fn digest(&self, path: &str) -> Option<&str> {
        self.digests.get(path).map(String::as_str)
    }

    /// The facts of a path. What is not a regular file has no content, and one whose content is
    /// longer than any file of ours has the digest of none.
    pub(super) fn facts(&self, path: &str) -> Observed<FileFacts> {
        let inode = match self.inode(path) {
            Observed::Known(inode) => inode,
            Observed::Absent => return Observed::Absent,
            Observed::Unknown(why) => return Observed::Unknown(why),
        };
        Observed::Known(FileFacts {
            mode: inode.permissions(),
            sha256: self.digest(path).unwrap_or_default().to_owned(),
            text: self.texts.get(path).cloned(),
            owner: inode.owner,
            group: inode.group,
        })
    }

    /// The text of a small record of ours: unknown where it is there and can't be read.
    pub(super) fn text(&self, path: &str) -> Observed<&str> {
        match self.inode(path) {
            Observed::Known(inode) if !inode.is_regular() => {
                Observed::Unknown(format!("{path} is not a regular file"))
            }
            Observed::Known(_) => match self.texts.get(path) {
                Some(text) => Observed::Known(text),
                None => Observed::Unknown(format!("{path} is not readable text")),
            },
            Observed::Absent => Observed::Absent,
            Observed::Unknown(why) => Observed::Unknown(why),
        }
    }

    /// Where a symbolic link points.
    pub(super) fn link(&self, path: &str) -> Observed<String> {
        match self.inode(path) {
            Observed::Known(Inode { target: Some(target), .. }) => Observed::Known(target),
            Observed::Known(_) => {
                Observed::Unknown(format!("{path} is not a symbolic link of ours"))
            }
            Observed::Absent => Observed::Absent,
            Observed::Unknown(why) => Observed::Unknown(why),
        }
    }

    /// The regular files of a directory that the host listed and whose names end in this.
    pub(super) fn named<'a>(
        &'a self,
        directory: &str,
        end: &'a str,
    ) -> impl Iterator<Item = &'a Inode> {
        let prefix = format!("{directory}/");
        self.paths
            .iter()
            .filter(move |(path, _)| {
                path.strip_prefix(&prefix).is_some_and(|name| name.ends_with(end))
            })
            .filter_map(|(_, inode)| inode.known())
            .filter(|inode| inode.is_regular())
    }

    /// Paths below a directory that the host listed or that the request named.
    pub(super) fn below<'a>(&'a self, directory: &str) -> impl Iterator<Item = &'a Inode> {
        let prefix = format!("{directory}/");
        self.paths
            .iter()
            .filter(move |(path, _)| path.starts_with(&prefix))
            .filter_map(|(_, inode)| inode.known())
    }
}

/// One line of `stat`, which either tells or complains. Only the complaint that nothing is there
/// says so; a disk that can't be read says something else.
fn inode(path: &str, line: &str) -> Observed<Inode> {
    if let Some(inode) = parse_inode(line) {
        return Observed::Known(inode);
    }
    let gone = [": No such file or directory", ": Not a directory"];
    if line.starts_with("stat: ") && gone.iter().any(|end| line.ends_with(end)) {
        return Observed::Absent;
    }
    Observed::Unknown(format!("{path}: {}", clean(line.as_bytes())))
}

fn parse_inode(line: &str) -> Option<Inode> {
    let words: Vec<&str> = line.splitn(WORDS, ' ').collect();
    let [mode, stamp, size, owner, group, blocks, block, name] = words[..] else { return None };
    let mode = u32::from_str_radix(mode, 16).ok()?;
    Some(Inode {
        mode,
        stamp: stamp.to_owned(),
        size: size.parse().ok()?,
        owner: name_of(owner),
        group: name_of(group),
        allocated: blocks.parse::<u64>().ok()?.checked_mul(block.parse().ok()?)?,
        target: (mode & TYPE_MASK == SYMLINK).then(|| link_target(name)).flatten(),
    })
}

/// The account or group in `NAME/NUMBER`: its number where the host knows no name for it.
fn name_of(whose: &str) -> String {
    let (name, number) = whose.split_once('/').unwrap_or((whose, ""));
    clean(if name == "UNKNOWN" && !number.is_empty() { number } else { name }.as_bytes())
}

/// The target in `'LINK' -> 'TARGET'`, if it is a name as we make them: `stat` writes any other in
/// quotes of a shell.
fn link_target(name: &str) -> Option<String> {
    let (_, quoted) = name.split_once("' -> '")?;
    let target = quoted.strip_suffix('\'')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    target.chars().all(plain).then(|| target.to_owned())
}

/// The lines of `sha256sum`.
fn digests(said: &str) -> BTreeMap<String, String> {
    let hex = |digest: &str| digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
    said.lines()
        .filter_map(|line| line.split_once("  "))
        .filter(|(digest, _)| hex(digest))
        .map(|(digest, path)| (path.to_owned(), digest.to_owned()))
        .collect()
}

/// The files whose texts the host showed, in the order of their texts.
fn shown(records: &Records) -> impl Iterator<Item = &str> {
    records.text("shown").unwrap_or_default().split_whitespace()
}

/// Cuts what `cat` said at the sizes that `stat` told. A text counts only if it has the digest that
/// `sha256sum` told, so a file that changed meanwhile, or that a shell can't carry, has no text.
fn texts(
    records: &Records,
    paths: &BTreeMap<String, Observed<Inode>>,
    digests: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut rest = records.bytes("texts").unwrap_or_default();
    let mut texts = BTreeMap::new();
    for path in shown(records) {
        let Some(inode) = paths.get(path).and_then(Observed::known) else { break };
        let Some((body, after)) = rest.split_at_checked(inode.size) else { break };
        rest = after;
        if let Ok(text) = std::str::from_utf8(body)
            && digests
                .get(path)
                .is_some_and(|digest| *digest == Sha256Digest::hash(body).to_string())
        {
            texts.insert(path.to_owned(), text.to_owned());
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_that_has_no_name_is_a_number() {
        let owner = |whose: &str| {
            let line = format!("81a4 1.2.3.4 3 {whose} root/0 8 512 '/x'");
            parse_inode(&line).unwrap().owner
        };
        assert_eq!(owner("etcd/997"), "etcd");
        assert_eq!(owner("UNKNOWN/997"), "997");
        assert_eq!(owner("UNKNOWN"), "UNKNOWN");
    }

    #[test]
    fn only_the_right_complaint_means_that_nothing_is_there() {
        for absent in [
            "stat: cannot statx '/x': No such file or directory",
            "stat: cannot stat '/x/y': Not a directory",
        ] {
            assert_eq!(inode("/x", absent), Observed::Absent);
        }
        for unknown in [
            "stat: cannot statx '/x': Input/output error",
            "stat: cannot statx '/x': Permission denied",
            "sh: 1: stat: not found",
            "",
            "81a4 1.2.3.4 x root root 8 512 '/x'",
        ] {
            assert!(matches!(inode("/x", unknown), Observed::Unknown(_)), "{unknown}");
        }
    }

    #[test]
    fn a_path_that_the_host_left_out_is_unknown() {
        let said = "stat: cannot statx '/x': No such file or directory";
        let reply = format!("files 2\n/x\nstat {}\n{said}\n", said.len());
        let files = Files::read(&Records::parse(reply.as_bytes()).unwrap()).unwrap();
        assert_eq!(files.inode("/x"), Observed::Absent);
        assert!(matches!(files.inode("/y"), Observed::Unknown(_)));
        assert!(matches!(files.facts("/y"), Observed::Unknown(_)));
        assert!(matches!(files.text("/y"), Observed::Unknown(_)));
        assert!(matches!(files.link("/y"), Observed::Unknown(_)));
    }

    #[test]
    fn a_link_is_read_where_its_target_needs_no_quotes() {
        let line = |target| format!("a1ff 1.4.3.4 4 root root 0 512 '/p/current' -> {target}");
        let link = |target| match inode("/p/current", &line(target)) {
            Observed::Known(inode) => inode.target,
            other => panic!("{other:?}"),
        };
        assert_eq!(link("'2026-11-23'"), Some("2026-11-23".to_owned()));
        assert_eq!(link("'a'$'\\n''b'"), None);
        assert_eq!(link("\"it's\""), None);
    }
}
