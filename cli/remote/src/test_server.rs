//! An OpenSSH server of a test's own, on loopback, with its own keys, and a cable that can be cut.
//!
//! Compiled for tests alone: by `cfg(test)` here, and by the feature `test-server` for the engine's.

#![expect(clippy::unwrap_used, reason = "a test that can't continue is to panic")]
#![expect(missing_docs, reason = "helpers of tests, whose names say it")]
#![expect(clippy::print_stdout, reason = "a test that cannot check anything prints that")]

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketAddrV4, SocketType};
use test_kit::executable::executable;

use crate::{
    AgentChoice, Call, Connection, HostKeyPolicy, Payload, RemoteError, Reply, Target, connect,
};

/// A running sshd. Dropping it ends it.
pub struct Sshd {
    pub dir: tempfile::TempDir,
    pub port: u16,
    process: Child,
}

impl Sshd {
    pub fn start() -> Self {
        Self::with("")
    }

    /// With further lines of sshd_config, in which `{dir}` is the server's directory.
    pub fn with(config: &str) -> Self {
        Self::launch(Self::keys(), config, &["/usr/sbin/sshd"])
    }

    /// A directory with keys for the server and its user.
    fn keys() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for kind in ["ed25519", "ecdsa"] {
            keygen(&dir.path().join(format!("host_{kind}")), kind, "");
        }
        rsa_host_key(&dir.path().join("host_rsa"));
        keygen(&dir.path().join("user"), "ed25519", "");
        let user = std::fs::read(dir.path().join("user.pub")).unwrap();
        std::fs::write(dir.path().join("authorized_keys"), user).unwrap();
        dir
    }

    /// With keyboard-interactive by this PAM service, in a mount namespace of its own; `None` where the test can't
    /// make one.
    pub fn with_pam(config: &str, service: &str) -> Option<Self> {
        let is_able = Command::new("unshare").args(["--mount", "true"]).status();
        if !rustix::process::getuid().is_root() || !is_able.is_ok_and(|status| status.success()) {
            println!("skipped: needs root and mount namespaces");
            return None;
        }
        let dir = Self::keys();
        let services = dir.path().join("pam.d");
        std::fs::create_dir(&services).unwrap();
        let service = service.replace("{dir}", dir.path().to_str().unwrap());
        std::fs::write(services.join("sshd"), service).unwrap();
        let script = format!(
            "mount --bind '{}' /etc/pam.d && exec /usr/sbin/sshd \"$@\"",
            services.display()
        );
        let config = format!("UsePAM yes\nKbdInteractiveAuthentication yes\n{config}");
        let program = ["unshare", "--mount", "sh", "-c", &script, "sh"];
        Some(Self::launch(dir, &config, &program))
    }

    fn launch(dir: tempfile::TempDir, config: &str, program: &[&str]) -> Self {
        std::fs::create_dir_all("/run/sshd").unwrap();
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let path = dir.path().to_str().unwrap();
            let text = format!(
                "Port {port}\nListenAddress 127.0.0.1\nPidFile none\nStrictModes no\n\
                 PermitRootLogin yes\n\
                 AuthorizedKeysFile {path}/authorized_keys\n{}\n{}\nLogLevel VERBOSE\nUsePAM no\n\
                 KbdInteractiveAuthentication no\nPasswordAuthentication no\n",
                host_keys(config, path),
                config.replace("{dir}", path)
            );
            let file = dir.path().join("sshd_config");
            std::fs::write(&file, text).unwrap();
            let log = std::fs::File::create(dir.path().join("log")).unwrap();
            let mut process = Command::new(program[0])
                .args(&program[1..])
                .args(["-D", "-e", "-f"])
                .arg(&file)
                .stdin(Stdio::null())
                .stderr(log)
                .spawn()
                .expect("these tests need openssh-server");
            // Somebody may have taken the port in between, another test's server too: then sshd ends.
            let listens = || {
                std::fs::read_to_string(dir.path().join("log"))
                    .unwrap()
                    .contains("Server listening")
            };
            if wait_for(|| process.try_wait().unwrap().is_some() || listens()) && listens() {
                return Self { dir, port, process };
            }
            process.kill().unwrap();
            process.wait().unwrap();
        }
        panic!("sshd does not start");
    }

    /// Stops its process, as a frozen host's: the kernel still takes connections, and nobody answers.
    pub fn freeze(&self) {
        let process = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(process, rustix::process::Signal::STOP).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap()
    }

    /// `kind` and base64 of a host key.
    pub fn host_key(&self, kind: &str) -> String {
        public_half(&self.path(&format!("host_{kind}")))
    }

    pub fn know(&self, line: &str) {
        std::fs::write(self.path("known_hosts"), format!("{line}\n")).unwrap();
    }

    /// A login that works: the user's key, and the host's key in known_hosts.
    pub fn target(&self) -> Target {
        self.know(&format!("[127.0.0.1]:{} {}", self.port, self.host_key("ed25519")));
        Target {
            port: self.port,
            identity_files: vec![self.path("user")],
            agent: AgentChoice::Off,
            host_keys: HostKeyPolicy {
                pins: Vec::new(),
                known_hosts: vec![self.path("known_hosts")],
            },
            // Machines that run tests are busy.
            connect_timeout: Duration::from_secs(30),
            sudo: false,
            ..Target::new("127.0.0.1", &user(), self.dir.path())
        }
    }

    pub async fn connect(&self) -> Connection {
        connect(self.target()).await.unwrap_or_else(|error| panic!("{error}\n{}", self.log()))
    }

    /// Writes an executable shell script and returns its path.
    pub fn program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        executable(&path, &format!("#!/bin/sh\n{text}\n"));
        path
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn host_keys(config: &str, path: &str) -> String {
    if config.contains("HostKey ") {
        return String::new();
    }
    format!("HostKey {path}/host_ed25519\nHostKey {path}/host_ecdsa\nHostKey {path}/host_rsa")
}

pub fn wait_for(mut ready: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(10);
    while Instant::now() < end {
        if ready() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

pub fn keygen(path: &Path, kind: &str, passphrase: &str) {
    let args = ["-q", "-t", kind, "-N", passphrase, "-C", "test", "-f"];
    let mut make = Command::new("ssh-keygen");
    make.args(args).arg(path);
    if kind == "rsa" {
        // As short as is still in use: the time goes up with the length.
        make.args(["-b", "2048"]);
    }
    assert!(make.status().unwrap().success());
}

/// The same for all servers: one takes as long to make as everything else that most of these tests do.
fn rsa_host_key(path: &Path) {
    static HALVES: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    let halves = HALVES.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        keygen(&dir.path().join("key"), "rsa", "");
        ["key", "key.pub"].map(|name| std::fs::read(dir.path().join(name)).unwrap())
    });
    for (path, half) in [path.to_owned(), path.with_extension("pub")].iter().zip(halves) {
        // sshd takes no key that others may read.
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
        file.write_all(half).unwrap();
    }
}

pub fn public_half(key: &Path) -> String {
    let mut file = key.as_os_str().to_owned();
    file.push(".pub");
    let text = std::fs::read_to_string(file).unwrap();
    text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

pub fn user() -> String {
    let id = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(id.stdout).unwrap().trim().to_owned()
}

/// A call with room and time.
pub fn call(script: &'static str) -> Call {
    Call {
        script,
        args: Vec::new(),
        payload: Payload::new(),
        deadline: Duration::from_secs(60),
        max_reply: 1024 * 1024,
    }
}

pub async fn run(connection: &Connection, script: &'static str) -> Result<Reply, RemoteError> {
    connection.run(call(script)).await
}

/// An ssh-agent of a test's own. Dropping it ends it.
pub struct Agent {
    pub socket: PathBuf,
    process: Child,
}

impl Agent {
    pub fn start(dir: &Path) -> Self {
        let socket = dir.join("agent");
        let process = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // It is there a moment before anybody listens.
        assert!(wait_for(|| UnixStream::connect(&socket).is_ok()));
        Self { socket, process }
    }

    /// Adds a key without a passphrase.
    pub fn add(&self, key: &Path) {
        let mut add = Command::new("ssh-add");
        add.arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.socket).stderr(Stdio::null());
        assert!(add.status().unwrap().success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A relay in front of a server that can be cut, or go silent as a lost link does.
pub struct Cable {
    pub port: u16,
    silent: Arc<Mutex<Arc<AtomicBool>>>,
    ends: Arc<Mutex<Vec<TcpStream>>>,
}

impl Cable {
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let silent = Arc::new(Mutex::new(Arc::new(AtomicBool::new(false))));
        let ends = Arc::new(Mutex::new(Vec::new()));
        let (quiet, kept) = (Arc::clone(&silent), Arc::clone(&ends));
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let far = TcpStream::connect(("127.0.0.1", server)).unwrap();
                let quiet = Arc::clone(&quiet.lock().unwrap());
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let quiet = Arc::clone(&quiet);
                    std::thread::spawn(move || relay(from, to, &quiet));
                }
                kept.lock().unwrap().extend([near, far]);
            }
        });
        Self { port, silent, ends }
    }

    pub fn cut(&self) {
        for end in self.ends.lock().unwrap().drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    pub fn fall_silent(&self) {
        self.silent.lock().unwrap().store(true, Ordering::SeqCst);
    }

    /// Ends what goes through at this moment for us, and not for the server, which hears nothing.
    pub fn strand(&self) {
        let before = std::mem::take(&mut *self.silent.lock().unwrap());
        before.store(true, Ordering::SeqCst);
        for near in self.ends.lock().unwrap().iter().step_by(2) {
            let _ = near.shutdown(Shutdown::Both);
        }
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream, silent: &AtomicBool) {
    let mut buffer = [0; 64 * 1024];
    let mut pass = || -> io::Result<bool> {
        let count = from.read(&mut buffer)?;
        if !silent.load(Ordering::SeqCst) {
            to.write_all(&buffer[..count])?;
        }
        Ok(count > 0)
    };
    while pass().unwrap_or(false) {}
    if !silent.load(Ordering::SeqCst) {
        let _ = to.shutdown(Shutdown::Both);
    }
}

/// A port that swallows connection attempts: its queue is full and nobody accepts.
pub struct FullListener {
    pub port: u16,
    _socket: rustix::fd::OwnedFd,
    _waiting: Vec<TcpStream>,
}

impl FullListener {
    #[expect(clippy::new_without_default, reason = "each is another port")]
    pub fn new() -> Self {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
        rustix::net::listen(&socket, 0).unwrap();
        let address = SocketAddr::try_from(rustix::net::getsockname(&socket).unwrap()).unwrap();
        let quick = Duration::from_millis(200);
        let waiting =
            (0..4).map_while(|_| TcpStream::connect_timeout(&address, quick).ok()).collect();
        Self { port: address.port(), _socket: socket, _waiting: waiting }
    }
}
