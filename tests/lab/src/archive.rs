//! Archives of which the same files make the same bytes, whenever and by whomever they are packed.

use std::fs;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::error::LabError;
use crate::tool;

/// Packs all that is in a folder into a tar archive; `option` is one more for tar.
pub(crate) fn pack(folder: &Path, option: &str, archive: &Path) -> Result<(), LabError> {
    let fixed = [
        "--create",
        "--sort=name",
        "--mtime=@0",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--mode=0755",
        option,
        "--directory",
    ];
    let fixed = fixed.into_iter().map(AsRef::as_ref);
    let paths = [folder.as_os_str(), "--file".as_ref(), archive.as_os_str(), ".".as_ref()];
    tool::run("tar", fixed.chain(paths)).map(drop)
}

/// The SHA-256 digest of a file, in lower-case hex.
pub(crate) fn digest(path: &Path) -> Result<String, LabError> {
    let bytes = fs::read(path).map_err(LabError::file("read", path))?;
    Ok(format!("{:x}", Sha256::digest(bytes)))
}
