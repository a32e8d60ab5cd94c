//! The directories of a member: where, whose, and who may look.

use std::collections::BTreeSet;

use inventories::AccountName;
use serde::Serialize;
use templates::layout::ReleaseLayout;
use templates::{Layout, Member};

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
    /// What etcd made below it, which belongs to the same owner.
    pub contents: Option<String>,
}

/// The directories of one member. The data directory is etcd's alone (CIS 1.1.11 and 1.1.12);
/// etcd reads its certificates and can't change them; quorate's own records are root's.
pub fn directories(layout: &Layout, account: &AccountName) -> Vec<Directory> {
    let account = account.as_str();
    let directory = |path: String, mode, owner: &str, group: &str| Directory {
        path,
        mode,
        owner: owner.to_owned(),
        group: group.to_owned(),
        contents: None,
    };
    let [config, pki, data_dir, state] = own(layout);
    let data = directory(data_dir, 0o700, account, account);
    vec![
        directory(config, 0o755, "root", "root"),
        directory(pki, 0o750, "root", account),
        Directory { contents: Some(layout.member_dir()), ..data },
        directory(state, 0o700, "root", "root"),
    ]
}

/// The paths of these directories, outermost first.
pub fn own(layout: &Layout) -> [String; 4] {
    [layout.config_dir(), layout.pki_dir(), layout.data_dir(), layout.state_dir()]
}

/// The directories above those of a member, and above its release. quorate makes those that are missing and
/// changes none that is there: others may have theirs below them.
pub fn parents(member: &Member) -> BTreeSet<String> {
    let layout = &member.layout();
    let mut parents = BTreeSet::new();
    let release = ReleaseLayout::new(member.version).etcd();
    for path in [layout.data_dir(), layout.pki_dir(), release] {
        let mut above = path.as_str();
        while let Some((parent, _)) =
            above.rsplit_once('/').filter(|(parent, _)| !parent.is_empty())
        {
            parents.insert(parent.to_owned());
            above = parent;
        }
    }
    let own = own(layout);
    parents.retain(|parent| !own.contains(parent));
    parents
}
