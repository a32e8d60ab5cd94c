//! The process of an API server, and the flags of it that are facts.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use planner::facts::{ApiServerProcess, Observed};
use remote::clean;

use crate::observe::records::Records;

/// The process, where there is one.
pub(super) fn process(records: &Records) -> Observed<ApiServerProcess> {
    let Some(said) = records.text("processes") else {
        return Observed::Unknown("the host did not say what runs".to_owned());
    };
    let lines: Vec<&str> = said.lines().collect();
    match lines[..] {
        [] => Observed::Absent,
        [line] => match one_process(line) {
            Some((pid, flags)) => {
                let said = records.text("readyz").unwrap_or_default();
                let is_ready = said == "ok";
                let wants_login = !is_ready && (wants_login(&flags) || turns_away(said));
                let version = records.text("version").and_then(release);
                let flags = of_etcd(flags.into_iter());
                Observed::Known(ApiServerProcess { pid, flags, version, is_ready, wants_login })
            }
            None => Observed::Unknown("its process can't be read".to_owned()),
        },
        _ => Observed::Unknown(format!("{} processes are named kube-apiserver", lines.len())),
    }
}

/// The pid and the flags of a process. In the name of a flag, kube-apiserver takes `_` as `-`.
fn one_process(line: &str) -> Option<(u32, Vec<(String, String)>)> {
    let [pid, _, arguments] = line.split(' ').collect::<Vec<_>>()[..] else { return None };
    let arguments = STANDARD.decode(arguments).ok()?;
    let arguments = String::from_utf8_lossy(&arguments).into_owned();
    let words: Vec<&str> = arguments.split('\0').skip(1).collect();
    let mut flags = Vec::new();
    for (number, word) in words.iter().enumerate() {
        let Some(flag) = word.strip_prefix("--") else { continue };
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, value),
            None => (flag, words.get(number + 1).copied().unwrap_or_default()),
        };
        flags.push((name.replace('_', "-"), value.to_owned()));
    }
    Some((pid.parse().ok()?, flags))
}

/// The release in what `/version` answers.
fn release(said: &str) -> Option<String> {
    let said: serde_json::Value = serde_json::from_str(said).ok()?;
    let version = said.get("gitVersion")?.as_str()?;
    Some(clean(version.chars().take(40).collect::<String>().as_bytes()))
}

/// Those of an API server's flags that are facts. A flag that is given twice is a list.
pub(super) fn of_etcd(flags: impl Iterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in flags {
        if !name.starts_with("etcd-") && !name.starts_with("storage-") {
            continue;
        }
        let (name, value) = (clean(name.as_bytes()), clean(value.as_bytes()));
        match found.get_mut(&name) {
            Some(known) => *known += &format!(",{value}"),
            None => {
                found.insert(name, value);
            }
        }
    }
    found
}

/// Whether these flags turn anonymous clients away, as Go reads the word.
pub(super) fn wants_login(flags: &[(String, String)]) -> bool {
    let mut said = flags.iter().rev().filter(|(name, _)| name == "anonymous-auth");
    let no = ["0", "f", "F", "false", "FALSE", "False"];
    said.next().is_some_and(|(_, value)| no.contains(&value.as_str()))
}

/// Whether an API server turned its questioner away: that answer alone is not a word but an object. It answers 403 to
/// everybody while it starts and has not read its rules yet.
fn turns_away(said: &str) -> bool {
    let said = serde_json::from_str::<serde_json::Value>(said).ok();
    let code = said.and_then(|said| said.get("code")?.as_u64());
    code == Some(401)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(processes: &str, readyz: &str) -> Observed<ApiServerProcess> {
        let all = [("processes", processes), ("readyz", readyz)];
        let text: String =
            all.iter().map(|(key, body)| format!("{key} {}\n{body}\n", body.len())).collect();
        process(&Records::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn a_process_is_known_by_its_arguments_and_two_are_not() {
        let arguments =
            STANDARD.encode(b"kube-apiserver\0--etcd-servers\0https://a\0--etcd-prefix=/x\0");
        let one = format!("7 99 {arguments}\n");
        let seen = said(&one, "ok");
        let process = seen.known().unwrap();
        assert_eq!((process.pid, process.is_ready), (7, true));
        let flags = [("etcd-servers", "https://a"), ("etcd-prefix", "/x")];
        assert_eq!(process.flags, flags.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
        assert!(matches!(said(&(one.clone() + &one), "ok"), Observed::Unknown(_)));
    }

    fn process_of(arguments: &[u8], readyz: &str) -> ApiServerProcess {
        let line = format!("7 99 {}\n", STANDARD.encode(arguments));
        said(&line, readyz).known().unwrap().clone()
    }

    #[test]
    fn a_flag_is_known_with_underscores_too() {
        let arguments = b"kube-apiserver\0--etcd_servers=https://a_b\0--etcd_prefix\0/x_y\0";
        let flags = [("etcd-prefix", "/x_y"), ("etcd-servers", "https://a_b")];
        let seen = process_of(arguments, "ok");
        assert_eq!(seen.flags, flags.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }

    #[test]
    fn an_api_server_that_turns_anonymous_clients_away_wants_a_login() {
        let unauthorized = r#"{"kind":"Status","reason":"Unauthorized","code":401}"#;
        let forbidden = r#"{"kind":"Status","reason":"Forbidden","code":403}"#;
        let plain = b"kube-apiserver\0--etcd-servers=https://a\0".as_slice();
        let closed = b"kube-apiserver\0--anonymous_auth=false\0".as_slice();
        let open = b"kube-apiserver\0--anonymous-auth=true\0".as_slice();
        for (arguments, readyz, wants_login) in [
            (plain, "ok", false),
            (plain, "[-]etcd failed: reason withheld", false),
            (plain, "", false),
            (plain, unauthorized, true),
            (plain, forbidden, false),
            (closed, "", true),
            (open, "", false),
        ] {
            let seen = process_of(arguments, readyz);
            assert_eq!(seen.wants_login, wants_login, "{readyz}");
        }
    }
}
