//! What could not be looked at on a host that answered otherwise: a failing disk, a file of another
//! file system. What a member's steps rely on must be known, whatever it is.

use crate::facts::{HostFacts, MemberFacts, Observed};
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
    let mut found = Vec::new();
    let mut look = |what: &str, reason: Option<&String>| {
        found.extend(reason.map(|reason| format!("{what}: {reason}")));
    };
    let account = &member.member.account;
    look(&format!("the account {account}"), why_unknown(host.account(account)));
    let release = host.releases.get(&cluster.version);
    look(&format!("etcd {}", cluster.version), release.and_then(why_unknown));
    look("the bootstrap's token", why_unknown(&facts.token));
    look("the certificates in use", why_unknown(&facts.pki_generation));
    look("the data directory", why_unknown(&facts.data));
    look("the unit's state", why_unknown(&facts.unit));
    look("the unit's drop-ins", why_unknown(&facts.drop_ins));
    look("its processes", why_unknown(&facts.pod));
    look("the arguments of its process", why_unknown(&facts.running));
    look("the account of its process", why_unknown(&facts.runs_as));
    look("the kubelet", why_unknown(&host.kubelet));
    if let Observed::Known(kubelet) = &host.kubelet {
        look("the kubelet's program", why_unknown(&kubelet.program));
        look("the kubelet's unit", why_unknown(&kubelet.unit));
        look("the kubelet's drop-in", why_unknown(&kubelet.drop_in));
        look("the kubelet's configuration", why_unknown(&kubelet.config));
    }
    for path in files {
        look(&path, facts.files.get(&path).and_then(why_unknown));
    }
    found
}

fn why_unknown<T>(observed: &Observed<T>) -> Option<&String> {
    match observed {
        Observed::Unknown(why) => Some(why),
        Observed::Known(_) | Observed::Absent => None,
    }
}
