//! Files of this machine that somebody else may have written, or that a path leads to by mistake: no
//! more of them is read than they may be long.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The longest configuration or key that is read, in bytes: real ones are a thousandth of it.
pub const SMALL: u64 = 1024 * 1024;

/// Reads a file of at most `limit` bytes. Its length is not asked before: a device has none, and any
/// file may grow.
///
/// # Errors
/// Of the file system, and a file that is longer.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    // Allocated at its final size: a buffer that grew would leave a copy of a key behind.
    let expected = usize::try_from(file.metadata()?.len().min(limit)).unwrap_or_default();
    let mut bytes = Vec::with_capacity(expected + 1);
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let why = format!("it is longer than {limit} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_end_is_not_read_to_it() {
        let error = read(Path::new("/dev/zero"), SMALL).unwrap_err();
        assert_eq!(error.to_string(), "it is longer than 1048576 bytes");
    }

    #[test]
    fn a_file_may_be_as_long_as_its_limit_and_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "1234").unwrap();
        assert_eq!(read(&path, 4).unwrap(), b"1234");
        assert!(read(&path, 3).is_err());
        assert_eq!(
            read(&folder.path().join("none"), 3).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
