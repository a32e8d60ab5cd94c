//! One etcdctl of the operator's, run on a member's host with the member's own credentials.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use inventories::{ClusterName, EtcdVersion};
use remote::{Call, Connection, Payload, RemoteError, Reply};
use templates::Layout;
use templates::layout::{PkiFile, ReleaseLayout};

use crate::script;

/// How long the host may take beyond what etcdctl takes.
const WORK: Duration = Duration::from_secs(10);

/// The most that etcdctl may print, in bytes, as base64.
const MAX_REPLY: usize = 64 * 1024 * 1024;

/// The most that the names of all releases may take, in bytes.
const MAX_NAMES: usize = 64 * 1024;

const INSTALLED: &str = include_str!("../script/sh/list_etcdctl.sh");

const SCRIPT: &str = include_str!("../script/sh/etcdctl.sh");

/// What etcdctl is asked.
#[derive(Debug)]
pub struct Question<'a> {
    /// The cluster that is asked.
    pub cluster: &'a ClusterName,
    /// The release whose etcdctl asks.
    pub version: EtcdVersion,
    /// Its members, unless the arguments name others.
    pub endpoints: Vec<String>,
    /// What the operator wrote.
    pub arguments: &'a [String],
}

/// What etcdctl printed, and its exit status.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its exit status.
    pub status: u8,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// What it complained of.
    pub stderr: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// The connection failed.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The host could not run it; in its own words.
    #[error("etcdctl could not be run: {0}")]
    NotRun(String),
}

/// Runs it on one host.
pub async fn ask(connection: &Connection, question: &Question<'_>) -> Result<Answer, NoAnswer> {
    let reply = connection.run(call(question)).await?;
    read(&reply).ok_or(NoAnswer::NotRun(reply.stderr))
}

/// The releases whose etcdctl is on a host. What else lies there is passed over.
pub async fn installed(connection: &Connection) -> Result<Vec<EtcdVersion>, RemoteError> {
    let reply = connection.run(listing(ReleaseLayout::ROOT)).await?;
    Ok(read_names(&reply))
}

fn read_names(reply: &Reply) -> Vec<EtcdVersion> {
    let names = String::from_utf8_lossy(&reply.stdout);
    names.lines().filter_map(|name| name.parse().ok()).collect()
}

fn listing(root: &str) -> Call {
    Call {
        script: INSTALLED,
        args: vec![root.to_owned()],
        payload: Payload::new(),
        deadline: WORK,
        max_reply: MAX_NAMES,
    }
}

fn call(question: &Question<'_>) -> Call {
    let Question { cluster, version, endpoints, arguments } = question;
    let layout = Layout::new(cluster);
    let mut args = vec![ReleaseLayout::new(*version).etcdctl()];
    // etcdctl adds a second list of endpoints to the first, so the operator's own stands alone.
    if !arguments.iter().any(|argument| argument.starts_with("--endpoints")) {
        args.push(format!("--endpoints={}", endpoints.join(",")));
    }
    args.push(format!("--cacert={}", layout.pki_file(PkiFile::ClientCa)));
    args.push(format!("--cert={}", layout.pki_file(PkiFile::HealthcheckCert)));
    args.push(format!("--key={}", layout.pki_file(PkiFile::HealthcheckKey)));
    args.extend(arguments.iter().cloned());
    Call {
        script: SCRIPT,
        args,
        payload: Payload::new(),
        deadline: WORK + script::waits(SCRIPT),
        max_reply: MAX_REPLY,
    }
}

fn read(reply: &Reply) -> Option<Answer> {
    let text = std::str::from_utf8(&reply.stdout).ok()?;
    let mut lines = text.lines();
    let status = lines.next()?.parse().ok()?;
    let mut bytes = || STANDARD.decode(lines.next().unwrap_or_default()).ok();
    Some(Answer { status, stdout: bytes()?, stderr: bytes()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_kit::executable::executable;

    /// Runs the script as a host's shell would.
    fn run(arguments: &[&str]) -> Answer {
        let output = std::process::Command::new("sh")
            .args(["-c", SCRIPT, "sh"])
            .args(arguments)
            .output()
            .unwrap();
        let reply = Reply { status: 0, stdout: output.stdout, stderr: String::new() };
        read(&reply).unwrap()
    }

    #[test]
    fn every_byte_and_the_exit_status_come_back() {
        let answer = run(&["sh", "-c", r"printf 'a\000\377\n\n'; printf oops >&2; exit 7"]);
        assert_eq!(answer.stdout, b"a\0\xff\n\n");
        assert_eq!(answer.stderr, b"oops");
        assert_eq!(answer.status, 7);
    }

    /// The script, with its files in a folder of the test's own.
    fn in_folder(folder: &std::path::Path) -> String {
        let script = SCRIPT.replace("/run/", &format!("{}/", folder.display()));
        assert_ne!(script, SCRIPT);
        script
    }

    #[test]
    fn nothing_of_an_answer_that_is_cut_off_stays_on_the_host() {
        for shell in ["dash", "bash"] {
            let folder = tempfile::tempdir().unwrap();
            let cut = "\"$0\" -c \"$1\" sh head -c 3000000 /dev/zero | head -c 1000 >/dev/null";
            let output = std::process::Command::new("sh")
                .args(["-c", cut, shell, &in_folder(folder.path())])
                .output()
                .unwrap();
            assert!(output.status.success());
            let left = std::fs::read_dir(folder.path()).unwrap().count();
            assert_eq!(left, 0, "{shell} left its folder behind");
        }
    }

    #[test]
    fn nothing_of_the_host_s_environment_reaches_etcdctl() {
        let folder = tempfile::tempdir().unwrap();
        let output = std::process::Command::new("sh")
            .args(["-c", &in_folder(folder.path()), "sh", "env"])
            .env("ETCDCTL_ENDPOINTS", "http://127.0.0.1:1")
            .env("https_proxy", "http://127.0.0.1:1")
            .output()
            .unwrap();
        let reply = Reply { status: 0, stdout: output.stdout, stderr: String::new() };
        assert_eq!(String::from_utf8(read(&reply).unwrap().stdout).unwrap(), "");
    }

    #[tokio::test]
    async fn a_host_tells_which_releases_it_has() {
        let sshd = remote::test_server::Sshd::start();
        for name in ["3.5.35", "3.6.16", "rubbish"] {
            std::fs::create_dir_all(sshd.path("opt").join(name)).unwrap();
            executable(&sshd.path("opt").join(name).join("etcdctl"), "#!/bin/sh\n");
        }
        std::fs::create_dir_all(sshd.path("opt/3.4.45")).unwrap();
        let listing = listing(sshd.path("opt").to_str().unwrap());
        let reply = sshd.connect().await.run(listing).await.unwrap();
        let versions = read_names(&reply);
        let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
        assert_eq!(versions, ["3.5.35", "3.6.16"]);
    }

    #[test]
    fn silence_is_an_answer() {
        let answer = run(&["true"]);
        assert_eq!(answer, Answer { status: 0, stdout: Vec::new(), stderr: Vec::new() });
    }

    #[test]
    fn arguments_are_data() {
        let answer = run(&["printf", "%s|", "$(id)", "a b", "'", "-n"]);
        assert_eq!(answer.stdout, b"$(id)|a b|'|-n|");
    }
}
