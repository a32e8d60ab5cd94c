//! The directories of a member: where, whose, and who may look.

use serde::Serialize;
use templates::Layout;
use templates::layout::USER;

/// A directory that must be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Directory {
    /// Path on the host.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub owner: String,
    /// Group.
    pub group: String,
}

/// The directories of one member. The data directory is etcd's alone (CIS 1.1.11 and 1.1.12);
/// etcd reads its certificates and can't change them; quorate's own records are root's.
pub fn directories(layout: &Layout) -> Vec<Directory> {
    let directory = |path: String, mode, owner: &str, group: &str| Directory {
        path,
        mode,
        owner: owner.to_owned(),
        group: group.to_owned(),
    };
    vec![
        directory(layout.config_dir(), 0o755, "root", "root"),
        directory(layout.pki_dir(), 0o750, "root", USER),
        directory(layout.data_dir(), 0o700, USER, USER),
        directory(layout.state_dir(), 0o700, "root", "root"),
    ]
}
