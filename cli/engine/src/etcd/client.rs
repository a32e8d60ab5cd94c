//! The etcdctl of a member's host, and what it shows and trusts.

use inventories::EtcdVersion;
use templates::Layout;
use templates::layout::{PkiFile, ReleaseLayout};

/// The client of this version, and what it shows and trusts.
pub(crate) fn credentials(layout: &Layout, version: EtcdVersion) -> [String; 4] {
    [
        ReleaseLayout::new(version).etcdctl(),
        layout.pki_file(PkiFile::ClientCa),
        layout.pki_file(PkiFile::HealthcheckCert),
        layout.pki_file(PkiFile::HealthcheckKey),
    ]
}
