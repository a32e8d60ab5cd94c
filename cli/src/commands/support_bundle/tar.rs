//! An archive that every `tar` reads: files of its owner alone, without a folder's entry.

use std::io::{self, Write};

/// A record of the format.
const RECORD: usize = 512;

/// Writes files one after the other.
#[derive(Debug)]
pub(super) struct Archive<W> {
    out: W,
    /// In seconds since 1970, of every file.
    time: u64,
}

impl<W: Write> Archive<W> {
    pub(super) fn new(out: W, time: u64) -> Self {
        Self { out, time }
    }

    /// A file under a name that has a place.
    pub(super) fn add(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let header = header(name, content.len(), self.time)
            .ok_or_else(|| io::Error::other(format!("{name} has no place in an archive")))?;
        self.out.write_all(&header)?;
        self.out.write_all(content)?;
        let rest = content.len().next_multiple_of(RECORD) - content.len();
        self.out.write_all(&[0; RECORD][..rest])
    }

    /// The end of the archive.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * RECORD])?;
        Ok(self.out)
    }
}

/// Whether a name fits into a header.
pub(super) fn has_place(name: &str) -> bool {
    placed(name).is_some()
}

/// The folder and the rest of a name: the first has 155 bytes and the second 100.
fn placed(name: &str) -> Option<(&str, &str)> {
    if name.len() <= 100 {
        return Some(("", name));
    }
    let mut all = name.match_indices('/').map(|(slash, _)| (&name[..slash], &name[slash + 1..]));
    all.find(|(folder, rest)| (1..=155).contains(&folder.len()) && (1..=100).contains(&rest.len()))
}

/// The header of `ustar`; `None` where a value does not fit.
fn header(name: &str, size: usize, time: u64) -> Option<[u8; RECORD]> {
    let mut header = [0; RECORD];
    let mut put = |at: usize, text: &str| {
        let field = header.get_mut(at..at + text.len())?;
        field.copy_from_slice(text.as_bytes());
        Some(())
    };
    if size >= 1 << 33 || time >= 1 << 33 {
        return None;
    }
    let (folder, name) = placed(name)?;
    put(0, name)?;
    put(100, "0000600")?;
    put(108, "0000000")?;
    put(116, "0000000")?;
    put(124, &format!("{size:011o}"))?;
    put(136, &format!("{time:011o}"))?;
    // The sum counts its own field as blanks.
    put(148, "        ")?;
    put(156, "0")?;
    put(257, "ustar\x0000")?;
    put(345, folder)?;
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header.get_mut(148..155)?.copy_from_slice(format!("{sum:06o}\0").as_bytes());
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn tar_reads_every_byte_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tar");
        let mut archive = Archive::new(std::fs::File::create(&path).unwrap(), 1_795_978_800);
        let whole = vec![b'x'; RECORD];
        archive.add("quorate/empty", b"").unwrap();
        archive.add("quorate/hosts/etcd-1/log.txt", &whole).unwrap();
        archive.add("quorate/c", b"abc\n").unwrap();
        let long = format!("quorate/hosts/{}/{}.log", "h".repeat(130), "c".repeat(90));
        archive.add(&long, b"long").unwrap();
        assert!(archive.add(&"n".repeat(101), b"").is_err() && !has_place(&"n".repeat(101)));
        archive.finish().unwrap();
        let tar = |arguments: &[&str]| {
            let run = Command::new("tar").args(arguments).arg("-f").arg(&path).output().unwrap();
            assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
            assert_eq!(String::from_utf8_lossy(&run.stderr), "");
            String::from_utf8(run.stdout).unwrap()
        };
        let list = tar(&["-tv"]);
        assert!(list.lines().all(|line| line.starts_with("-rw------- ")), "{list}");
        assert_eq!(list.lines().count(), 4);
        assert_eq!(tar(&["-xO", &long]), "long");
        assert_eq!(tar(&["-xO", "quorate/c"]), "abc\n");
        assert_eq!(tar(&["-xO", "quorate/hosts/etcd-1/log.txt"]).len(), RECORD);
    }
}
