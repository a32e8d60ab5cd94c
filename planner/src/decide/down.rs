//! Why a member does not serve: one answer for plans and for `status`.

use inventories::inventory::Runtime;
use templates::Layout;
use templates::layout::PkiFile;

use crate::facts::{MemberFacts, Observed};
use crate::spec::ClusterSpec;

/// Why a member is down: what it lacks, before how its process is.
pub fn why_down(cluster: &ClusterSpec, member: &MemberFacts) -> String {
    let mut why = state(cluster, member);
    if let Some(lacks) = lacks(member) {
        why = format!("{lacks}; {why}");
    }
    if let Some(words) = &member.last_words {
        why = format!("{why}; it said: {words}");
    }
    why
}

fn lacks(member: &MemberFacts) -> Option<String> {
    match &member.data {
        // Without a sign of a log that it once had, there is nothing to miss.
        Observed::Absent if member.had_quorum() => {
            return Some("its data directory is gone".to_owned());
        }
        Observed::Known(data) if !data.wal && member.had_quorum() => {
            return Some("its write-ahead log is gone".to_owned());
        }
        Observed::Known(_) | Observed::Absent | Observed::Unknown(_) => {}
    }
    let missing: Vec<&str> = missing_files(member).map(PkiFile::name).collect();
    match missing.len() {
        0 => None,
        1 => Some(format!("its {} is missing", missing.join(", "))),
        some if some < PkiFile::ALL.len() => {
            Some(format!("its {} are missing", missing.join(", ")))
        }
        _ => Some("its certificates and keys are missing".to_owned()),
    }
}

fn state(cluster: &ClusterSpec, member: &MemberFacts) -> String {
    match (&member.unit, &member.pod, &member.etcd) {
        (_, Observed::Known(_), Observed::Unknown(why)) => {
            format!("its pod runs, but it does not answer: {why}")
        }
        (_, Observed::Known(_), _) => {
            "its pod runs and knows no leader: it waits for a quorum of the others".to_owned()
        }
        (Observed::Known(unit), _, Observed::Unknown(why)) if unit.is_up() => {
            format!("unit {} ({}), but it does not answer: {why}", unit.active, unit.sub)
        }
        (Observed::Known(unit), ..) if unit.is_up() => format!(
            "unit {} ({}), and it knows no leader: it waits for a quorum of the others",
            unit.active, unit.sub
        ),
        (Observed::Known(unit), ..) if unit.is_looping() => {
            format!("unit {} ({}), it ends before it is ready", unit.active, unit.sub)
        }
        (Observed::Known(unit), ..) => format!("unit {} ({})", unit.active, unit.sub),
        (Observed::Absent, ..) if cluster.runtime == Runtime::StaticPod => "no pod runs".to_owned(),
        (Observed::Absent, ..) => "no unit".to_owned(),
        (Observed::Unknown(why), ..) => format!("unit unknown: {why}"),
    }
}

/// The certificates and keys that are not where the member looks for them.
pub fn missing_files(member: &MemberFacts) -> impl Iterator<Item = PkiFile> {
    let layout = Layout::new(&member.cluster);
    let is_missing = |path: &String| member.files.get(path).is_some_and(Observed::is_absent);
    PkiFile::ALL.into_iter().filter(move |file| is_missing(&layout.pki_file(*file)))
}
