//! Logins that are not as simple as root's: other shells, start-up files that talk, a slow sudo, a
//! banner, a `/tmp` that nobody can write to.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use quorate_lab::ssh::User;
use quorate_lab::{Host, SiteOptions};

use crate::harness::{Members, NEWEST, Stage, eventually, here, on};

/// Where a host has the shells of this machine, with the libraries that they need.
const SHELLS: &str = "/opt/shells";

/// One member, whose host is logged in to as `ops`.
fn one_member() -> SiteOptions {
    SiteOptions { members: Some(1), user: User::Ops, ..SiteOptions::default() }
}

/// Where a program of this machine is, if it is there.
fn installed(name: &str) -> Option<PathBuf> {
    ["/usr/bin", "/bin"].iter().map(|dir| Path::new(dir).join(name)).find(|path| path.exists())
}

/// Brings a shell of this machine to a host. What its login runs there.
fn bring(host: &Host, shell: &str, program: &Path) -> String {
    let needs = here("ldd", &[program.to_str().unwrap()]);
    let libraries = needs.split_whitespace().filter(|word| word.starts_with('/'));
    let mut pack = Command::new("tar");
    pack.args(["-c", "--dereference", "--transform", "s,.*/,,", "-P"]).arg(program).args(libraries);
    let mut pack = pack.stdout(Stdio::piped()).spawn().unwrap();
    let mut unpack = host.ssh_command(User::Root).unwrap();
    unpack.arg("--").arg(format!("mkdir -p {SHELLS}/{shell} && tar -x -C {SHELLS}/{shell}"));
    assert!(unpack.stdin(pack.stdout.take().unwrap()).status().unwrap().success());
    assert!(pack.wait().unwrap().success());
    let file = program.file_name().unwrap().to_str().unwrap();
    let script = format!(
        "#!/bin/sh\nd={SHELLS}/{shell}; exec $d/ld-linux* --library-path $d $d/{file} \"$@\"\n"
    );
    let path = format!("{SHELLS}/{shell}.sh");
    on(host, &format!("printf '%s' '{script}' > {path} && chmod 755 {path} && {path} -c true"));
    path
}

/// Stops the member, and lets quorate find and repair that.
#[track_caller]
fn expect_to_work(stage: &Stage, what: &str) {
    on(&stage.host(1), "systemctl stop etcd-main");
    println!("{what}");
    stage.run(&["plan", "--detailed-exitcode"]).ends(2).says("start the member");
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
}

#[test]
fn whatever_shell_a_user_has_and_whatever_it_says_the_apply_works() {
    let stage = Stage::ready("s-shells", 1, &one_member());
    let host = stage.host(1);
    let noise = "echo QUORATE-BEGIN of the day; printf no-newline; echo warning >&2; set -e";
    for file in ["/home/ops/.bashrc", "/home/ops/.profile", "/etc/profile.d/noise.sh"] {
        on(&host, &format!("echo '{noise}' > {file}"));
    }
    on(&host, "echo 'Authorised users only' > /etc/banner");
    on(
        &host,
        "echo 'Banner /etc/banner' > /etc/ssh/sshd_config.d/banner.conf && systemctl reload ssh",
    );
    eventually("sshd is back", || host.ssh("true").unwrap().status.success());
    let slow = "#!/bin/sh\necho slow >&2\nsleep 2\nexec /usr/bin/sudo.real \"$@\"\n";
    on(&host, "mv /usr/bin/sudo /usr/bin/sudo.real");
    on(&host, &format!("printf '{slow}' > /usr/bin/sudo && chmod 755 /usr/bin/sudo"));

    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
    Members::of_main(NEWEST, 1).expect_whole(&stage);
    on(&host, "mv /usr/bin/sudo.real /usr/bin/sudo");

    for shell in ["sh", "bash", "dash", "fish", "tcsh", "zsh", "mksh"] {
        let login = match shell {
            "sh" | "bash" | "dash" => format!("/bin/{shell}"),
            _ => match installed(shell) {
                Some(program) => bring(&host, shell, &program),
                None => continue,
            },
        };
        on(&host, &format!("usermod -s {login} ops"));
        expect_to_work(&stage, shell);
    }

    // A member could not start: systemd itself wants to write there.
    on(&host, "mount -t tmpfs -o ro tmpfs /tmp");
    stage.expect_nothing_to_do();
    on(&host, "chmod 0644 /etc/etcd/main/pki/current/peer.key");
    stage.run(&["apply", "--yes"]).ends(0).says("peer.key");
    stage.expect_nothing_to_do();
}

#[test]
fn a_sudo_that_does_not_let_us_is_refused_with_the_line_to_write() {
    let stage = Stage::ready("s-sudo", 1, &one_member());
    let host = stage.host(1);
    let before = on(&host, "cat /etc/sudoers.d/*");
    let sudoers = |line: &str| {
        on(&host, &format!("rm -f /etc/sudoers.d/*; echo '{line}' > /etc/sudoers.d/ops"));
    };
    for (line, why, cure) in [
        (
            "Defaults:ops requiretty\nops ALL=(ALL) NOPASSWD: ALL",
            "sudo on the host wants a terminal",
            "/etc/sudoers.d/quorate on the host (visudo -f): Defaults:ops !requiretty",
        ),
        (
            "ops ALL=(ALL) ALL",
            "sudo on the host wants a password",
            "/etc/sudoers.d/quorate on the host (visudo -f): ops ALL=(root) NOPASSWD: ALL",
        ),
        ("", "sudo on the host", "ops ALL=(root) NOPASSWD: ALL"),
    ] {
        sudoers(line);
        stage.run(&["plan"]).ends(4).says("etcd-1").says(why).says(cure);
    }
    // The line that the first refusal names is the cure.
    sudoers("Defaults:ops requiretty\nops ALL=(ALL) NOPASSWD: ALL");
    on(&host, "echo 'Defaults:ops !requiretty' > /etc/sudoers.d/quorate");
    stage.run(&["plan"]).ends(0);
    on(&host, "rm /etc/sudoers.d/quorate");
    sudoers(&before);
    stage.run(&["apply", "--yes"]).ends(0);
}
