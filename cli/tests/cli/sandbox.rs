//! A folder and an environment of its own for each test, so that nothing of this machine shows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A checksum as an inventory wants one. No test fetches an archive.
pub(crate) const DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// An age public key whose private half nobody needs.
pub(crate) const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

pub(crate) struct Sandbox(tempfile::TempDir);

/// What a run printed, and its exit code.
#[must_use = "look at what came of it"]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A sandbox with a sound `quorate.toml` of three hosts on ports where nothing listens.
    pub(crate) fn with_site() -> Self {
        let sandbox = Self::new();
        sandbox.write("quorate.toml", &site([1, 2, 3]));
        sandbox
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The program, in this folder and with nothing of our environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env_clear()
            .env("HOME", self.0.path())
            .env("USER", "tester")
            .env("TERM", "xterm-256color")
            // Whatever would leave this machine ends here.
            .env("https_proxy", "http://127.0.0.1:1")
            .env("http_proxy", "http://127.0.0.1:1")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        ended(&mut self.command(arguments))
    }
}

pub(crate) fn ended(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// An inventory of three hosts behind these ports of the loopback address.
pub(crate) fn site(ports: [u16; 3]) -> String {
    let mut text = String::from("[site]\nname = \"lab\"\n");
    for (number, port) in (1..).zip(ports) {
        text.push_str(&format!(
            "\n[hosts.etcd-{number}]\naddress = \"10.20.0.1{number}\"\n\
             ssh = {{ host = \"127.0.0.1\", port = {port}, user = \"root\" }}\n"
        ));
    }
    text.push_str(&format!(
        "\n[clusters.main]\nversion = \"3.6.16\"\nmembers = [\"etcd-1\", \"etcd-2\", \"etcd-3\"]\n\
         \n[pki]\nrecipients = [\"{RECIPIENT}\"]\n\
         \n[release.sha256]\n\"3.6.16-amd64\" = \"{DIGEST}\"\n"
    ));
    text
}

/// Compares a text with the stored one; `REWRITE=1` stores it, to be read before it is committed.
pub(crate) fn snapshot(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(name);
    if std::env::var_os("REWRITE").is_some() {
        fs::write(&path, text).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, stored, "{} differs; REWRITE=1 stores the new text", path.display());
}
