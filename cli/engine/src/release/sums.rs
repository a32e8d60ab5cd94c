//! The checksums that a release publishes: `SHA256SUMS`, beside the archives.

use std::collections::BTreeMap;
use std::path::Path;

use inventories::EtcdVersion;
use inventories::inventory::{Arch, ReleaseSource};
use pki::Sha256Digest;

use super::PATIENCE;
use crate::http::{self, HttpError};
use remote::bounded;

/// The longest `SHA256SUMS` that is taken, in bytes.
const MAX_SUMS: u64 = 1024 * 1024;

/// Why the checksums of a release are not known.
#[derive(Debug, thiserror::Error)]
pub enum SumsError {
    /// The download failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The file can't be read.
    #[error("can't read {path}: {why}")]
    File {
        /// Which.
        path: String,
        /// What the system said.
        why: std::io::Error,
    },
    /// The file holds no checksum of this version's archives.
    #[error("{place} names no archive of etcd {version}, such as {example}")]
    NoArchive {
        /// URL or path of the file.
        place: String,
        /// Which version.
        version: EtcdVersion,
        /// The name of one archive.
        example: String,
    },
}

/// Fetches the checksums of a release from `SHA256SUMS` beside its archives. `source` is the
/// inventory's, with its placeholders; a relative path begins at `base`. Blocks.
///
/// # Errors
/// When the file can't be had, or names none of the version's archives.
pub fn fetch_sums(
    source: &ReleaseSource,
    base: &Path,
    version: EtcdVersion,
) -> Result<BTreeMap<Arch, String>, SumsError> {
    let (ReleaseSource::Url(template) | ReleaseSource::Path(template)) = source;
    let place = beside(&fill(template, version, Arch::Amd64));
    let (place, text) = match source {
        ReleaseSource::Url(_) => {
            let bytes = http::get(&place, MAX_SUMS, PATIENCE)?;
            (place, String::from_utf8_lossy(&bytes).into_owned())
        }
        ReleaseSource::Path(_) => {
            let path = base.join(place);
            let place = path.display().to_string();
            match bounded::read(&path, MAX_SUMS) {
                Ok(bytes) => (place, String::from_utf8_lossy(&bytes).into_owned()),
                Err(why) => return Err(SumsError::File { path: place, why }),
            }
        }
    };
    let sums = read(&text, template, version);
    if sums.is_empty() {
        let example = name(&fill(template, version, Arch::Amd64)).to_owned();
        return Err(SumsError::NoArchive { place, version, example });
    }
    Ok(sums)
}

/// Finds each architecture's archive among the lines of `sha256sum`.
fn read(text: &str, template: &str, version: EtcdVersion) -> BTreeMap<Arch, String> {
    let listed: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.trim().split_once(char::is_whitespace))
        .map(|(digest, file)| (name(file.trim_start().trim_start_matches('*')), digest))
        .filter(|(_, digest)| digest.parse::<Sha256Digest>().is_ok())
        .collect();
    let digest = |arch: &Arch| listed.get(name(&fill(template, version, *arch))).copied();
    Arch::ALL.iter().filter_map(|arch| Some((*arch, digest(arch)?.to_owned()))).collect()
}

fn fill(template: &str, version: EtcdVersion, arch: Arch) -> String {
    template.replace("{version}", &version.to_string()).replace("{arch}", arch.as_str())
}

fn name(place: &str) -> &str {
    place.rsplit('/').next().unwrap_or(place)
}

fn beside(place: &str) -> String {
    match place.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/SHA256SUMS"),
        None => "SHA256SUMS".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFICIAL: &str = "https://github.com/etcd-io/etcd/releases/download/v{version}/etcd-v{version}-linux-{arch}.tar.gz";

    fn version() -> EtcdVersion {
        "3.6.16".parse().unwrap()
    }

    #[test]
    fn the_sums_lie_beside_the_archive() {
        assert_eq!(
            beside(&fill(OFFICIAL, version(), Arch::Amd64)),
            "https://github.com/etcd-io/etcd/releases/download/v3.6.16/SHA256SUMS"
        );
    }

    #[test]
    fn only_archives_of_this_system_and_version_are_pinned() {
        let sum = |digit: &str| digit.repeat(64);
        let text = format!(
            "{}  etcd-v3.6.16-darwin-amd64.zip\n{}  etcd-v3.6.16-linux-amd64.tar.gz\n\
             {} *./etcd-v3.6.16-linux-arm64.tar.gz\nnonsense  etcd-v3.6.16-linux-s390x.tar.gz\n\
             {}  etcd-v3.6.15-linux-ppc64le.tar.gz\n",
            sum("0"),
            sum("a"),
            sum("b"),
            sum("c")
        );
        let sums = read(&text, OFFICIAL, version());
        assert_eq!(sums, BTreeMap::from([(Arch::Amd64, sum("a")), (Arch::Arm64, sum("b"))]));
    }

    #[test]
    fn a_file_without_the_version_is_an_error_that_names_the_archive() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("SHA256SUMS"), "").unwrap();
        let source = ReleaseSource::Path("etcd-v{version}-linux-{arch}.tar.gz".to_owned());
        let error = fetch_sums(&source, folder.path(), version()).unwrap_err().to_string();
        assert!(error.contains("etcd-v3.6.16-linux-amd64.tar.gz"), "{error}");
    }
}
