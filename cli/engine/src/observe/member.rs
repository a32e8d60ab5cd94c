//! What is on a host of one cluster's member.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use inventories::{EtcdVersion, Minor};
use planner::facts::{EtcdFacts, FileFacts, Marker, MemberFacts, Observed, PodProcess, UnitFacts};
use templates::{BootstrapToken, Layout, Member};

use super::files::Files;
use super::records::Records;
use super::unread::{Unread, observed};
use super::{data, request, restore, units, words};
use crate::etcd::{self, EtcdctlError};

/// Puts together what the host said of a member.
pub(super) fn read(
    records: &Records,
    files: &Files,
    member: &Member,
    unit: Observed<UnitFacts>,
) -> MemberFacts {
    let layout = member.layout();
    let cluster = member.cluster.as_str();
    let pod = pod(records, cluster);
    let process = process(&unit, &pod);
    let by_unit = unit.known().is_some_and(UnitFacts::is_up);
    MemberFacts {
        cluster: member.cluster.clone(),
        marker: parsed(files.text(&layout.marker()), marker),
        // Whether it was in a quorum decides whether its data may be thrown away: only a clear no
        // is a no.
        quorum_seen: !files.inode(&layout.quorum_witness()).is_absent(),
        token: parsed(files.text(&layout.token_file()), token),
        restore: parsed(files.text(&layout.restore_record()), restore::record),
        files: file_facts(files, member),
        pki_generation: files.link(&layout.pki_current()),
        data: data::directory(records, files, &layout, cluster),
        restart_due: restart_due(files, &layout, &unit),
        proof_due: parsed(files.text(&layout.proof_due()), minor),
        running: process.clone().and_then(|()| running(records, cluster)),
        last_words: words::last(records, cluster),
        runs_as: process.clone().and_then(|()| runs_as(records, cluster)),
        etcd: process.and_then(|()| etcd(records, cluster)),
        unit,
        drop_ins: units::drop_ins(records, cluster),
        // Only a clear answer restarts a member. A pod mounts what lies in the folder, and the folder above is
        // the container's own.
        folder_replaced: by_unit && records.text(&format!("folder:{cluster}")) == Some("replaced"),
        pod,
    }
}

fn parsed<T>(text: Observed<&str>, parse: impl Fn(&str) -> Result<T, Unread>) -> Observed<T> {
    text.and_then(|text| observed(parse(text)))
}

fn minor(text: &str) -> Result<Minor, Unread> {
    let version = text.trim_end().parse::<EtcdVersion>();
    version.map(EtcdVersion::minor).map_err(|_| Unread::odd("it names no release of etcd"))
}

/// A note names the start that it is about: the process of a later one is not meant. If it also says how often
/// systemd had started a member that kept ending, it is about systemd's next starts too. What can't be read may be
/// about this one.
fn restart_due(files: &Files, layout: &Layout, unit: &Observed<UnitFacts>) -> bool {
    let Observed::Known(unit) = unit else { return false };
    match files.text(&layout.restart_due()) {
        Observed::Known(note) => unit.main_pid != 0 && is_meant(note, unit),
        Observed::Absent => false,
        Observed::Unknown(_) => unit.main_pid != 0,
    }
}

fn is_meant(note: &str, unit: &UnitFacts) -> bool {
    let (start, times) = note.trim_end().split_once(' ').unwrap_or((note.trim_end(), ""));
    start == unit.invocation || times.parse().is_ok_and(|times: u32| unit.restarts > times)
}

fn marker(text: &str) -> Result<Marker, Unread> {
    let marker: Marker =
        serde_json::from_str(text).map_err(|error| Unread::odd(error.to_string()))?;
    if marker.format != Marker::FORMAT {
        let known = Marker::FORMAT;
        let why = format!("it is of format {}, and this quorate knows {known}", marker.format);
        return Err(Unread::Odd(why));
    }
    // Other hosts are asked whether they are of this cluster, by these very words.
    for (word, id) in [("cluster_id", &marker.cluster_id), ("member_id", &marker.member_id)] {
        if !is_id(id) {
            return Err(Unread::odd(format!("its {word} is not etcd's id in hex")));
        }
    }
    Ok(marker)
}

/// Whether etcd may have such an id: a number of 64 bits, as quorate writes it.
fn is_id(id: &str) -> bool {
    let is_digit = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
    (1..=16).contains(&id.len()) && id.bytes().all(is_digit)
}

fn token(text: &str) -> Result<BootstrapToken, Unread> {
    text.trim_end().parse().map_err(|error| Unread::odd(format!("it {error}")))
}

fn file_facts(files: &Files, member: &Member) -> BTreeMap<String, Observed<FileFacts>> {
    let asked = request::facts(member).into_iter();
    asked.map(|(_, path)| (path.clone(), files.facts(&path))).collect()
}

/// The process that has the member's data and is not of its unit, with its manifest's identity.
fn pod(records: &Records, cluster: &str) -> Observed<PodProcess> {
    let Some(said) = records.text(&format!("pod:{cluster}")) else {
        return Observed::Unknown("the host did not say which etcd has its data".to_owned());
    };
    if said.is_empty() {
        return Observed::Absent;
    }
    let (pid, manifest) = said.split_once(' ').unwrap_or((said, ""));
    let settings = records.text(&format!("pod-settings:{cluster}")).unwrap_or_default();
    let is_identity = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    match pid.parse() {
        Ok(pid) => Observed::Known(PodProcess {
            pid,
            manifest: if is_identity(manifest) { manifest.to_owned() } else { String::new() },
            settings: settings.lines().map(|name| remote::clean(name.as_bytes())).collect(),
        }),
        Err(_) => Observed::Unknown("the host reported an invalid pid of its pod".to_owned()),
    }
}

/// Whether there is a process that can be asked anything.
fn process(unit: &Observed<UnitFacts>, pod: &Observed<PodProcess>) -> Observed<()> {
    match (unit, pod) {
        (Observed::Known(unit), _) if unit.main_pid != 0 => Observed::Known(()),
        (_, Observed::Known(_)) => Observed::Known(()),
        (Observed::Unknown(why), _) | (_, Observed::Unknown(why)) => Observed::Unknown(why.clone()),
        (Observed::Known(_) | Observed::Absent, Observed::Absent) => Observed::Absent,
    }
}

/// The argument list crosses the shell in base64, because an argument may hold anything but NUL. A
/// process that ended while the host was looked at has none.
fn running(records: &Records, cluster: &str) -> Observed<Vec<String>> {
    let unsaid = || Observed::Unknown("the host did not say them".to_owned());
    let Some(said) = records.text(&format!("argv:{cluster}")) else { return unsaid() };
    let Ok(bytes) = STANDARD.decode(said.trim()) else { return unsaid() };
    if bytes.is_empty() {
        return Observed::Absent;
    }
    let Ok(text) = String::from_utf8(bytes) else {
        return Observed::Unknown("they are not text".to_owned());
    };
    match text.strip_suffix('\0') {
        Some(text) => Observed::Known(text.split('\0').skip(1).map(str::to_owned).collect()),
        None => unsaid(),
    }
}

/// The real one of the four that the kernel shows. A process that ended while the host was looked at has
/// none.
fn runs_as(records: &Records, cluster: &str) -> Observed<u32> {
    match records.text(&format!("uid:{cluster}")).map(str::split_whitespace) {
        None => Observed::Absent,
        Some(mut said) => match said.next().and_then(|uid| uid.parse().ok()) {
            Some(uid) => Observed::Known(uid),
            None => Observed::Unknown("the host reported an invalid one".to_owned()),
        },
    }
}

fn etcd(records: &Records, cluster: &str) -> Observed<EtcdFacts> {
    let answer = |question: &str| {
        let said = records.text(&format!("{question}:{cluster}"));
        said.map(answer_of).ok_or_else(|| "no etcdctl on the host could ask it".to_owned())
    };
    let status = answer("status")
        .and_then(|(said, status)| etcd::statuses(said).map_err(|error| reason(&error, status)));
    let members = answer("members")
        .and_then(|(said, status)| etcd::member_list(said).map_err(|error| reason(&error, status)));
    let members = match members {
        Ok(members) => Observed::Known(members),
        Err(why) => Observed::Unknown(why),
    };
    match status.map(|statuses| statuses.into_iter().next()) {
        Ok(Some(status)) => {
            let forbids_us = answer("read").is_ok_and(|(said, _)| etcd::is_forbidden(said));
            let authentication = match records.text(&format!("stranger:{cluster}")).map(answer_of) {
                Some((said, status)) => etcd::stranger_is_refused(said, status),
                None => Observed::Absent,
            };
            Observed::Known(EtcdFacts { members, forbids_us, authentication, ..status.facts })
        }
        Ok(None) => Observed::Unknown("etcdctl printed no answer".to_owned()),
        Err(why) => Observed::Unknown(why),
    }
}

/// What etcdctl said, and its exit status, which the script adds as a last line.
fn answer_of(said: &str) -> (&str, &str) {
    said.trim_end().rsplit_once('\n').unwrap_or(("", said.trim()))
}

fn reason(error: &EtcdctlError, status: &str) -> String {
    match (error, status) {
        (EtcdctlError::Unreadable, "124") => "no answer in 5 s".to_owned(),
        (EtcdctlError::Unreadable, status) => format!("{error}; it ended with status {status}"),
        (EtcdctlError::Refused(_), _) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_about_one_start_or_about_all_that_systemd_makes_of_a_member_that_kept_ending() {
        let unit = |invocation: &str, restarts: u32| UnitFacts {
            active: "active".to_owned(),
            sub: "running".to_owned(),
            enabled: true,
            needs_reload: false,
            main_pid: 7,
            invocation: invocation.to_owned(),
            restarts,
            running_for: None,
        };
        assert!(is_meant("0f\n", &unit("0f", 0)));
        assert!(!is_meant("0f\n", &unit("0e", 9)), "systemd started another one");
        assert!(is_meant("0f 7\n", &unit("0f", 7)));
        assert!(is_meant("0f 7\n", &unit("0e", 8)), "systemd's next start");
        assert!(!is_meant("0f 7\n", &unit("0e", 0)), "somebody started it");
        for odd in ["", "\n", "0f x", "0f -1", "0f 7 7", "0f  "] {
            assert!(!is_meant(odd, &unit("0e", 8)), "{odd:?}");
        }
    }

    #[test]
    fn a_marker_s_ids_are_numbers_and_nothing_that_a_script_could_obey() {
        let of = |cluster_id: &str, member_id: &str| {
            let ids = [cluster_id, member_id].map(|id| serde_json::to_string(id).unwrap());
            let [cluster_id, member_id] = ids;
            marker(&format!(
                r#"{{"format":1,"site":"lab","cluster":"main","cluster_id":{cluster_id},"member_id":{member_id}}}"#
            ))
        };
        assert!(of("c493978cb1e78762", "f").is_ok());
        let hostile =
            ["", "-", "a /tmp/x b c d", "a\nb", "$(id)", "A", "00000000000000001", "\u{1b}[2J"];
        for id in hostile {
            assert!(of(id, "f").is_err() && of("f", id).is_err(), "{id:?}");
        }
    }
}
