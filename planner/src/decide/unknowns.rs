//! What could not be looked at on a host that answered otherwise: a failing disk, a file of another
//! file system. What a member's steps rely on must be known, whatever it is.

use crate::facts::walk::{self, Fact, ReliedOn};
use crate::facts::{HostFacts, MemberFacts};
use crate::layout::own;
use crate::spec::{ClusterSpec, MemberSpec};
use templates::layout::PkiFile;

/// Each thing that is not known and that steps for this member would rely on, with the reason.
pub(crate) fn unknowns(
    cluster: &ClusterSpec,
    member: &MemberSpec,
    host: &HostFacts,
    facts: &MemberFacts,
) -> Vec<String> {
    let layout = member.member.layout();
    let mut files = vec![layout.unit_file(), layout.pod_manifest(), layout.pki_manifest()];
    files.push(layout.pki_untried());
    files.extend([layout.discovery_ca(), layout.discovery_password(), layout.discovery_note()]);
    files.extend(own(&layout));
    files.extend(PkiFile::ALL.map(|file| layout.pki_file(file)));
    let relied_on = |by: ReliedOn<'_>| match by {
        ReliedOn::Always(what) => Some(what.to_owned()),
        ReliedOn::Account(account) if *account == member.member.account => {
            Some(format!("the account {account}"))
        }
        ReliedOn::Release(version) if version == cluster.version => Some(format!("etcd {version}")),
        ReliedOn::File(path) if files.iter().any(|file| file == path) => Some(path.to_owned()),
        ReliedOn::Nowhere | ReliedOn::Account(_) | ReliedOn::Release(_) | ReliedOn::File(_) => None,
    };
    let unknown = |fact: Fact<'_>| {
        let why = fact.unknown?;
        Some(format!("{}: {why}", relied_on(fact.relied_on)?))
    };
    walk::host(host).into_iter().chain(walk::member(facts)).filter_map(unknown).collect()
}
