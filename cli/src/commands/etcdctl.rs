//! `quorate etcdctl`

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use inventories::{ClusterName, HostName};
use planner::spec::ClusterSpec;
use templates::Layout;
use templates::layout::{PkiFile, ReleaseLayout};

use super::Context;
use super::hosts::Door;
use crate::error::{CliError, While};
use crate::exit::ExitCode;
use crate::interrupt::Interrupts;
use crate::report::endpoints;
use crate::site::choose_cluster;
use crate::terminal::AsIs;
use remote::{Call, Payload, RemoteError, Reply};

/// Arguments of `quorate etcdctl`.
#[derive(Debug, Args)]
pub struct EtcdctlArgs {
    /// The cluster; may be left out where the inventory has one
    #[arg(long, value_name = "NAME")]
    cluster: Option<ClusterName>,
    /// The member's host to run it on; otherwise the first that can be reached
    #[arg(long, value_name = "NAME")]
    host: Option<HostName>,
    /// Print etcdctl's output byte for byte, even to a terminal or a CI runner, which may act on it
    #[arg(long)]
    raw: bool,
    /// What etcdctl gets, such as: member list -w table
    #[arg(last = true, required = true, value_name = "ARGS")]
    arguments: Vec<String>,
}

/// A dump of a large key space is slow; nothing that only asks takes longer.
const DEADLINE: Duration = Duration::from_secs(600);

/// The most that etcdctl may print, in bytes, as base64.
const MAX_REPLY: usize = 64 * 1024 * 1024;

/// Runs `$@`, and answers with its exit status, its stdout and its stderr, in base64 because both
/// may hold any bytes. They wait in memory, and go however this ends: keys and values may be secrets.
/// Nothing of the host's environment reaches etcdctl, and it does not outlive our waiting for it.
const SCRIPT: &str = r#"
dir=$(mktemp -d /run/quorate-etcdctl.XXXXXX) || exit 125
trap 'rm -rf "$dir"' EXIT
trap 'exit 125' HUP INT PIPE TERM
env -i timeout 600 "$@" >"$dir/out" 2>"$dir/err" </dev/null
printf '%s\n' "$?"
base64 -w 0 "$dir/out"
printf '\n'
base64 -w 0 "$dir/err"
"#;

pub(super) fn run(context: &Context, arguments: &EtcdctlArgs) -> Result<u8, CliError> {
    let site = context.site()?;
    let spec = site.spec()?;
    let cluster = choose_cluster(&spec, arguments.cluster.as_ref())?;
    let hosts = candidates(cluster, arguments.host.as_ref())?;
    let answer = context.block_on(async {
        let door = Door::of(context, &site)?;
        let mut interrupts = Interrupts::listen().map_err(CliError::failed)?;
        interrupts.give_way(ask(&door, cluster, hosts, &arguments.arguments)).await
    })??;
    let as_is = if arguments.raw { AsIs::Everywhere } else { AsIs::WhereNobodyObeys };
    context.terminal.print_bytes(&answer.stdout, as_is);
    context.terminal.say_bytes(&answer.stderr, as_is);
    Ok(answer.status)
}

fn candidates<'a>(
    cluster: &'a ClusterSpec,
    named: Option<&HostName>,
) -> Result<Vec<&'a HostName>, CliError> {
    match named {
        None => Ok(cluster.members.keys().collect()),
        Some(name) => match cluster.members.get_key_value(name) {
            Some((host, _)) => Ok(vec![host]),
            None => {
                let message = format!("{name} is not a member of cluster {}", cluster.name);
                Err(CliError::new(ExitCode::Usage, message))
            }
        },
    }
}

/// What etcdctl said and came to.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u8,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

async fn ask(
    door: &Door,
    cluster: &ClusterSpec,
    hosts: Vec<&HostName>,
    arguments: &[String],
) -> Result<Answer, CliError> {
    let mut refusals: Vec<(&HostName, RemoteError)> = Vec::new();
    for host in hosts {
        let connection = match door.pool.connection(host).await {
            Ok(connection) => connection,
            Err(error) => {
                refusals.push((host, error));
                continue;
            }
        };
        let reply = connection.run(call(cluster, arguments)).await.map_err(|error| {
            let hint = error.hint();
            CliError::failed(While::new(host.to_string(), error)).maybe_hint(hint)
        })?;
        return read(&reply).ok_or_else(|| {
            CliError::failed(format!("{host}: etcdctl could not be run: {}", reply.stderr))
        });
    }
    let reasons: Vec<String> =
        refusals.iter().map(|(host, error)| format!("{host}: {error}")).collect();
    let hint = refusals.iter().find_map(|(_, error)| error.hint());
    let message = format!("no member's host could be reached: {}", reasons.join("; "));
    Err(CliError::new(ExitCode::Unreachable, message).maybe_hint(hint))
}

fn call(cluster: &ClusterSpec, arguments: &[String]) -> Call {
    let layout = Layout::of(&cluster.name);
    let mut args = vec![ReleaseLayout::of(cluster.version).etcdctl()];
    // etcdctl adds a second list of endpoints to the first, so the operator's own stands alone.
    if !arguments.iter().any(|argument| argument.starts_with("--endpoints")) {
        args.push(format!("--endpoints={}", endpoints(cluster).join(",")));
    }
    args.push(format!("--cacert={}", layout.pki_file(PkiFile::ClientCa)));
    args.push(format!("--cert={}", layout.pki_file(PkiFile::HealthcheckCert)));
    args.push(format!("--key={}", layout.pki_file(PkiFile::HealthcheckKey)));
    args.extend(arguments.iter().cloned());
    Call { script: SCRIPT, args, payload: Payload::new(), deadline: DEADLINE, max_reply: MAX_REPLY }
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
