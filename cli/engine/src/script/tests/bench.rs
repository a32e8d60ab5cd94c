//! Runs a script as the transport does: as a function, with its payload on stdin.

use std::fmt::Display;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use remote::Reply;
use test_kit::executable::executable;

/// The shells that hosts call `sh`.
pub(crate) const SHELLS: [&str; 2] = ["dash", "bash"];

/// A scratch folder of a host, and the shell that it calls `sh`.
pub(crate) struct Bench {
    shell: &'static str,
    root: TempDir,
}

/// What is run.
pub(crate) struct Run<'a> {
    pub(crate) script: &'a str,
    pub(crate) args: Vec<String>,
    pub(crate) blobs: Vec<Vec<u8>>,
    /// Bytes of the payload that don't arrive.
    pub(crate) missing: usize,
}

impl<'a> Run<'a> {
    /// A run without a fence and a guard, with the script's own arguments in the order in which it names them. What
    /// is more than it names belongs to the last one, a list.
    pub(crate) fn unguarded<A: ToString>(script: &'a str, args: &[A]) -> Self {
        let keys = keys_of(script);
        let mut values: Vec<String> = args.iter().map(ToString::to_string).collect();
        if let Some(last) = keys.len().checked_sub(1).filter(|last| values.len() > *last) {
            let rest = values.split_off(last);
            values.push(match keys[last] {
                "moves" => rest.join("\n"),
                "directories" => {
                    rest.chunks(4).map(|one| one.join(" ")).collect::<Vec<_>>().join("\n")
                }
                _ => rest.join(" "),
            });
        }
        if keys.last() == Some(&"files") || keys.last() == Some(&"others") {
            values.resize(keys.len(), String::new());
        }
        let args = keys.iter().zip(values).map(|(key, value)| format!("{key}={value}")).collect();
        Self { script, args, blobs: Vec::new(), missing: 0 }
    }

    /// The same with one argument set, its own or one that every script takes.
    pub(crate) fn set(mut self, key: &str, value: impl Display) -> Self {
        self.args.retain(|argument| !argument.starts_with(&format!("{key}=")));
        self.args.push(format!("{key}={value}"));
        self
    }

    pub(crate) fn with(mut self, blob: &[u8]) -> Self {
        self.blobs.push(blob.to_vec());
        self
    }
}

/// Runs a check on a bench of each shell.
pub(crate) fn on_each_shell(check: impl Fn(&Bench)) {
    for shell in SHELLS {
        let root = tempfile::Builder::new().prefix("bench").tempdir().unwrap();
        check(&Bench { shell, root });
    }
}

impl Bench {
    /// A path on the host.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The shell that the host calls `sh`.
    pub(crate) fn shell(&self) -> &'static str {
        self.shell
    }

    /// A path on the host, as text for arguments.
    pub(crate) fn arg(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// A program of the host, which comes before the machine's of this name.
    pub(crate) fn program(&self, name: &str, text: &str) {
        executable(&self.path("bin").join(name), &format!("#!/bin/sh\n{text}\n"));
    }

    /// Every entry below the folder, sorted: what was left behind shows.
    pub(crate) fn entries(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut open = vec![self.root.path().to_owned()];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let path = entry.path();
                found.push(path.strip_prefix(self.root.path()).unwrap().display().to_string());
                if entry.file_type().unwrap().is_dir() {
                    open.push(path);
                }
            }
        }
        found.sort();
        found
    }

    /// Runs a script as root, or as somebody who takes himself for root.
    pub(crate) fn run(&self, run: &Run<'_>) -> Reply {
        const NONCE: &str = "0f0f";
        let lengths = run.blobs.iter().enumerate();
        let lengths: String =
            lengths.map(|(index, blob)| format!("blob{}={}\n", index + 1, blob.len())).collect();
        let source = format!(
            "umask 077\nrecv() {{ head -c \"$1\"; }}\n\
             whole() {{ IFS= read -r l && [ -z \"$l\" ] && IFS= read -r l && [ \"$l\" = {NONCE} ]; }}\n\
             {lengths}quorate_script() {{\n{}\n}}\n( quorate_script \"$@\" )\n",
            run.script
        );
        let mut payload = run.blobs.concat();
        payload.extend_from_slice(format!("\n{NONCE}\n").as_bytes());
        payload.truncate(payload.len() - run.missing);
        let mut child = as_root(self.shell)
            .args(["-c", &source, self.shell])
            .args(&run.args)
            .current_dir(self.root.path())
            .env("PATH", format!("{}:{}", self.arg("bin"), std::env::var("PATH").unwrap()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A script that refuses does not read its payload.
        let _ = child.stdin.take().unwrap().write_all(&payload);
        let output = child.wait_with_output().unwrap();
        Reply {
            status: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs a script that must succeed; its last word.
    pub(crate) fn done(&self, run: &Run<'_>) -> String {
        let reply = self.run(run);
        let said = String::from_utf8_lossy(&reply.stdout).into_owned();
        assert_eq!(reply.status, 0, "{}: {said}{}", self.shell, reply.stderr);
        said.trim_end().lines().next_back().unwrap_or_default().to_owned()
    }
}

fn as_root(shell: &str) -> Command {
    let uid = std::fs::metadata("/proc/self").map(|own| {
        use std::os::unix::fs::MetadataExt as _;
        own.uid()
    });
    if uid.is_ok_and(|uid| uid == 0) {
        return Command::new(shell);
    }
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", shell]);
    command
}

/// Permission bits and whether it is a symlink.
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// The arguments that a script names.
pub(crate) fn keys_of(script: &str) -> Vec<&str> {
    let service = script.lines().find_map(|line| line.strip_prefix("service='"));
    let line =
        script.lines().find(|line| line.starts_with("takes '") || line.starts_with("takes \""));
    let named = line.and_then(|line| line.split(['\'', '"']).nth(1)).unwrap_or_default();
    let keys = named.split_whitespace().flat_map(|key| match key {
        "$service" => service.unwrap_or_default().trim_end_matches('\'').split(' ').collect(),
        key => vec![key],
    });
    keys.collect()
}
