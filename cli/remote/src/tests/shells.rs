//! The exact command line, parsed by real login shells and run by real `sh`s.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::runs::hostile;
use crate::frame::{Frame, FrameError, FrameReader};
use crate::script::{EXEC, EXEC_SUDO, head, tail};
use crate::stream;
use crate::test_server::{Sshd, call, run};
use crate::{Call, Payload};
use test_kit::executable::executable;

const NONCE: &str = "00112233445566778899aabbccddeeff";
/// Login shells: those of the first three are on every host.
const LOGIN_SHELLS: [&[&str]; 8] = [
    &["sh", "-c"],
    &["bash", "-c"],
    &["dash", "-c"],
    &["fish", "-c"],
    &["tcsh", "-c"],
    &["zsh", "-c"],
    &["mksh", "-c"],
    &["busybox", "sh", "-c"],
];

fn installed(shell: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|dir| dir.join(shell).exists())
}

fn stream(call: &Call, blobs: &[&[u8]]) -> Vec<u8> {
    let mut bytes = head(call, NONCE, &stream::Output::Reply).unwrap();
    bytes.extend(blobs.concat());
    bytes.extend(tail(NONCE));
    bytes
}

fn execute(shell: &[&str], command: &str, path: &Path, input: &[u8]) -> Output {
    let mut process = Command::new(shell[0])
        .args(&shell[1..])
        .arg(command)
        .env("PATH", format!("{}:{}", path.display(), std::env::var("PATH").unwrap()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A script that fails early leaves its input unread.
    let _ = process.stdin.take().unwrap().write_all(input);
    process.wait_with_output().unwrap()
}

fn frame(output: &Output) -> Result<Frame, FrameError> {
    let mut reader = FrameReader::new(NONCE.to_owned(), 1024 * 1024);
    reader.push(&output.stdout);
    reader.into_frame()
}

/// A directory in which `sh` is this shell, and `sudo` runs its command.
fn host_with(sh: &str) -> tempfile::TempDir {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let real = std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|dir| dir.join(sh))
        .find(|path| path.exists());
    symlink(real.unwrap(), dir.path().join("sh")).unwrap();
    executable(&dir.path().join("sudo"), "#!/bin/sh\nshift\nexec \"$@\"\n");
    dir
}

#[test]
fn every_login_shell_reads_the_command_line_alike() {
    let mut args = hostile();
    args.retain(|arg| arg.len() < 1000);
    let asked = Call {
        payload: Payload::new().with(b"rm -rf /nonexistent\n".to_vec()),
        args,
        ..call("printf '%s\\001' \"$@\"; recv \"$blob1\"; whole; exit $?")
    };
    let input = stream(&asked, &[b"rm -rf /nonexistent\n"]);
    let mut expected: String = asked.args.iter().map(|arg| format!("{arg}\u{1}")).collect();
    expected.push_str("rm -rf /nonexistent\n");
    for sh in ["dash", "bash"] {
        let host = host_with(sh);
        for shell in LOGIN_SHELLS.into_iter().filter(|shell| installed(shell[0])) {
            for command in [EXEC, EXEC_SUDO] {
                let output = execute(shell, command, host.path(), &input);
                let what = format!("{shell:?}, {sh}: {}", String::from_utf8_lossy(&output.stderr));
                let Frame { status, body } =
                    frame(&output).unwrap_or_else(|error| panic!("{what} {error}"));
                assert_eq!(
                    (status, String::from_utf8_lossy(&body).as_ref()),
                    (0, expected.as_str()),
                    "{what}"
                );
            }
        }
    }
}

#[test]
fn no_part_of_a_script_that_was_cut_off_is_run() {
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace");
    let asked = Call {
        args: vec![trace.display().to_string()],
        ..call(
            "echo first > \"$1\"\nfor word in a b; do echo $word >> \"$1\"; done\necho last >> \"$1\"",
        )
    };
    let input = head(&asked, NONCE, &stream::Output::Reply).unwrap();
    for sh in ["dash", "bash"] {
        let host = host_with(sh);
        // Every byte in turn takes a minute. The last newline closes nothing that is still open.
        for cut in (0..input.len() - 1).step_by(3) {
            let output = execute(&["sh", "-c"], EXEC, host.path(), &input[..cut]);
            assert!(!trace.exists(), "{sh}, {cut} of {}", input.len());
            assert!(frame(&output).is_err());
        }
        assert!(frame(&execute(&["sh", "-c"], EXEC, host.path(), &input)).is_ok());
        std::fs::remove_file(&trace).unwrap();
    }
}

#[test]
fn a_payload_that_was_cut_off_is_not_whole() {
    let asked =
        Call { payload: Payload::new().with(*b"12345"), ..call("recv \"$blob1\"; whole; exit $?") };
    let input = stream(&asked, &[b"12345"]);
    let script = head(&asked, NONCE, &stream::Output::Reply).unwrap().len();
    let host = host_with("dash");
    for cut in script..input.len() {
        let status =
            frame(&execute(&["sh", "-c"], EXEC, host.path(), &input[..cut])).unwrap().status;
        assert_ne!(status, 0, "{cut} of {}", input.len());
    }
    assert_eq!(frame(&execute(&["sh", "-c"], EXEC, host.path(), &input)).unwrap().status, 0);
}

#[tokio::test]
async fn noisy_start_up_files_and_login_shells_do_not_break_the_reply() {
    for shell in LOGIN_SHELLS.into_iter().filter(|shell| installed(shell[0])) {
        let sshd = Sshd::with("ForceCommand {dir}/shell\nBanner {dir}/banner");
        std::fs::write(sshd.path("banner"), "Authorised users only\n").unwrap();
        let noise = "printf 'QUORATE-BEGIN of the day\\nno newline'; echo warning >&2; set -e";
        sshd.program(
            "shell",
            &format!("{noise}\nexec {} \"$SSH_ORIGINAL_COMMAND\"", shell.join(" ")),
        );
        let reply = run(&sshd.connect().await, "echo fine")
            .await
            .unwrap_or_else(|error| panic!("{shell:?}: {error}"));
        assert_eq!(reply.stdout, b"fine\n");
    }
}
