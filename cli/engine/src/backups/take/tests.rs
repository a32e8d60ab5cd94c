//! From a real shell through a real sshd into folders: whole, or not at all.

use std::path::Path;

use inventories::ClusterName;
use tempfile::TempDir;
use test_kit::executable::executable;
use time::macros::datetime;

use super::*;
use crate::backups::open::open_snapshot;
use crate::backups::tests::{id, identity, recipient, sidecar, snapshot};

fn reply(status: u8, words: &str) -> Reply {
    let stdout = format!("status {status}\n{words}\nalready\n").into_bytes();
    Reply { status: 0, stdout, stderr: String::new() }
}

#[test]
fn only_the_complaint_about_fsync_is_forgiven() {
    // As the binaries print it, by minor.
    let of_3_6 = "{\"level\":\"info\"}\nError: could not fsync snapshot: sync /run/q/s.part: invalid argument";
    let of_3_4 = "Error: sync /run/q/s.part: invalid argument";
    assert!(ended(&reply(5, of_3_6)).is_ok());
    assert!(ended(&reply(5, of_3_4)).is_ok());
    assert!(ended(&reply(0, "Snapshot saved at /run/q/s")).is_ok());
    for (status, words) in [
        (1, of_3_4),
        (124, of_3_6),
        (5, "Error: context deadline exceeded"),
        (5, "Error: sync /run/q/s.part: input/output error"),
        (5, "Error: sync /run/q/s.part: invalid argument\nError: rpc error: code = Unavailable"),
        (5, ""),
        (127, "env: 'etcdctl': No such file or directory"),
    ] {
        let failed = ended(&reply(status, words));
        assert!(matches!(failed, Err(TakeError::Etcdctl { .. })), "{status} {words}: {failed:?}");
    }
    let garbage =
        Reply { status: 0, stdout: b"status x\nalready\n".to_vec(), stderr: String::new() };
    assert!(matches!(ended(&garbage), Err(TakeError::Host(_))));
}

/// They fail one after the other, on one dead server as well.
#[test]
fn a_snapshot_outlasts_the_last_bucket_that_does_not_answer() {
    let bucket = || {
        let target = inventories::S3Target {
            bucket: "b".to_owned(),
            prefix: String::new(),
            server: inventories::S3Server {
                endpoint: "http://127.0.0.1:9".to_owned(),
                region: "us-east-1".to_owned(),
                style: inventories::BucketStyle::Path,
                ca_file: None,
            },
        };
        let target = inventories::BackupTarget::S3(target);
        Store::for_target(&target, std::path::Path::to_path_buf, |_| None, |_| unreachable!())
    };
    let root = TempDir::new().unwrap();
    let stores = [folder(&root, "a"), bucket(), bucket(), bucket()];
    assert_eq!(patience(&stores[..1]).as_secs(), 300);
    for buckets in 1..=3_u32 {
        assert!(patience(&stores[..=buckets as usize]) > GIVEN_UP * buckets, "{buckets}");
    }
}

/// A store in a folder of the test's.
fn folder(root: &TempDir, name: &str) -> Store {
    Store::Folder { name: format!("file:{name}"), path: root.path().join(name) }
}

fn names(store: &Store) -> Vec<String> {
    let Store::Folder { path, .. } = store else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Pours a file into the sealing, as the connection does.
async fn poured(root: &TempDir, plain: &[u8], stores: &[Store]) -> Result<Sealed, TakeError> {
    let (stream, mut out) = io::pipe().unwrap();
    let id = id(datetime!(2026-11-29 14:05 UTC));
    let layout = Layout::new(&ClusterName::new("main").unwrap());
    let order = Order {
        host: &HostName::new("etcd-1").unwrap(),
        layout: &layout,
        version: "3.6.16".parse().unwrap(),
        endpoint: "",
        recipients: &[recipient()],
        stores,
        id: &id,
        check: None,
        most: u64::MAX,
        progress: &Arc::new(AtomicU64::new(0)),
    };
    let sealing = Sealing::start(&order, stream);
    let plain = plain.to_vec();
    let pouring = std::thread::spawn(move || out.write_all(&plain));
    let sealed = sealing.end().await;
    let _ = pouring.join().unwrap();
    assert!(root.path().exists());
    let Sealed { measured, written } = sealed?;
    let sidecar = Sidecar {
        sealed_size: written.size,
        sealed_sha256: written.sha256.clone(),
        ..sidecar(&id, &snapshot(3000), b"")
    };
    let copies = written.copies;
    let taken = store(&id, sidecar, copies).await?;
    for kept in &taken.kept {
        if kept.outcome.is_ok() {
            let mut opened = Vec::new();
            let stored = kept.store.open(&id.object()).unwrap();
            open_snapshot(stored, &taken.sidecar, &[identity()], &mut opened).unwrap();
            assert_eq!(opened, snapshot(3000));
        }
    }
    let copies = taken
        .kept
        .into_iter()
        .map(|kept| Copy {
            store: kept.store,
            staged: Err(kept.outcome.err().map_or(io::Error::other("kept"), io::Error::other)),
        })
        .collect();
    Ok(Sealed { measured, written: Written { copies, size: 0, sha256: String::new() } })
}

#[tokio::test]
async fn every_target_gets_the_backup_and_one_that_fails_fails_alone() {
    let root = tempfile::tempdir().unwrap();
    let (good, other) = (folder(&root, "good"), folder(&root, "other"));
    std::fs::write(root.path().join("file"), "").unwrap();
    let bad = folder(&root, "file/below");
    let stores = [good.clone(), bad, other.clone()];
    let sealed = poured(&root, &snapshot(3000), &stores).await.unwrap();
    assert_eq!(sealed.measured.trailer, Ok(()));
    let outcomes: Vec<String> = sealed
        .written
        .copies
        .iter()
        .map(|copy| copy.staged.as_ref().unwrap_err().to_string())
        .collect();
    assert_eq!(outcomes, ["kept", "it could not be written", "kept"]);
    for store in [&good, &other] {
        assert_eq!(names(store).len(), 2, "{:?}", names(store));
    }
}

#[tokio::test]
async fn without_any_target_there_is_no_backup() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("file"), "").unwrap();
    let stores = [folder(&root, "file/a"), folder(&root, "file/b")];
    let Err(error) = poured(&root, &snapshot(3000), &stores).await else { panic!("it was stored") };
    let said = error.to_string();
    assert!(said.starts_with("no target took the backup: file:file/a: Not a directory"), "{said}");
}

/// A host whose etcdctl is a script, and the call that takes a snapshot there.
struct Host {
    sshd: remote::test_server::Sshd,
    cable: remote::test_server::Cable,
    root: TempDir,
}

impl Host {
    fn with(etcdctl: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        executable(&root.path().join("etcdctl"), &format!("#!/bin/sh\n{etcdctl}\n"));
        std::fs::write(root.path().join("db"), snapshot(3000)).unwrap();
        let sshd = remote::test_server::Sshd::start();
        Self { cable: remote::test_server::Cable::to(sshd.port), sshd, root }
    }

    /// What a stop of the streaming, or its end, leaves in the store.
    async fn take(&self, stop: impl Future<Output = ()>) -> (Result<(), TakeError>, Store) {
        self.take_within(Duration::from_secs(300), stop).await
    }

    async fn take_within(
        &self,
        patience: Duration,
        stop: impl Future<Output = ()>,
    ) -> (Result<(), TakeError>, Store) {
        let store_of = folder(&self.root, "backups");
        let target = self.sshd.target();
        let port = self.cable.port;
        self.sshd.know(&format!("[127.0.0.1]:{port} {}", self.sshd.host_key("ed25519")));
        let connection = remote::connect(remote::Target { port, ..target }).await.unwrap();
        let id = id(datetime!(2026-11-29 14:05 UTC));
        let layout = Layout::new(&ClusterName::new("main").unwrap());
        let stores = [store_of.clone()];
        let recipients = [recipient()];
        let order = Order {
            host: &HostName::new("etcd-1").unwrap(),
            layout: &layout,
            version: "3.6.16".parse().unwrap(),
            endpoint: "https://127.0.0.1:2379",
            recipients: &recipients,
            stores: &stores,
            id: &id,
            check: None,
            most: 20_000_000,
            progress: &Arc::new(AtomicU64::new(0)),
        };
        let describe = async |sizes: Sizes, _| {
            Ok(Sidecar {
                size: sizes.size,
                sha256: sizes.sha256,
                sealed_size: sizes.sealed_size,
                sealed_sha256: sizes.sealed_sha256,
                ..sidecar(&id, b"", b"")
            })
        };
        let asked = self.here(save(&order));
        let taken = take_over(&connection, asked, &order, patience, describe, stop).await;
        (taken.map(|taken| taken.kept.into_iter().for_each(|kept| kept.outcome.unwrap())), store_of)
    }

    /// The same call with this host's etcdctl.
    fn here(&self, call: Call) -> Call {
        let etcdctl = format!("etcdctl={}", self.path("etcdctl").display());
        let args = call
            .args
            .into_iter()
            .map(|arg| if arg.starts_with("etcdctl=") { etcdctl.clone() } else { arg });
        Call { args: args.collect(), ..call }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.root.path().join(name)
    }
}

const GOOD: &str = r#"cd "$(dirname "$0")" || exit 1
for path; do :; done
cat db >"$path.part"
echo "Error: could not fsync snapshot: sync $path.part: invalid argument" >&2
exit 5"#;

#[tokio::test]
async fn a_snapshot_of_a_host_is_stored_sealed() {
    let host = Host::with(GOOD);
    let (taken, store) = host.take(std::future::pending()).await;
    taken.unwrap();
    let names = names(&store);
    assert_eq!(names.len(), 2, "{names:?}");
    let sealed = store.read(&names[0], 1 << 24).unwrap();
    assert!(sealed.starts_with(b"age-encryption.org/v1\n"));
    let id = names[1].strip_suffix(".json").unwrap().parse().unwrap();
    let text = store.read(&names[1], 1 << 24).unwrap();
    let sidecar = Sidecar::read(&text, &id).unwrap();
    let mut opened = Vec::new();
    open_snapshot(sealed.as_slice(), &sidecar, &[identity()], &mut opened).unwrap();
    assert_eq!(opened, snapshot(3000));
}

#[tokio::test]
async fn what_is_not_whole_is_stored_nowhere() {
    let cut = GOOD.replace("cat db", "head -c 512000 db");
    let altered = GOOD.replace("cat db", "tr a b <db");
    let killed = GOOD.replace("echo \"Error", "kill -9 $$; echo \"Error");
    let empty = GOOD.replace("cat db", ":");
    let never_opened = "echo 'Error: context deadline exceeded' >&2; exit 1";
    for (etcdctl, expected) in [
        (cut.as_str(), "the snapshot is truncated"),
        (&altered, "the snapshot does not match the checksum"),
        (&killed, "etcdctl ended with status 137"),
        (&empty, "the snapshot is empty"),
        (never_opened, "etcdctl ended with status 1: Error: context deadline exceeded"),
    ] {
        let host = Host::with(etcdctl);
        let taking = host.take(std::future::pending());
        let (taken, store) = tokio::time::timeout(Duration::from_secs(60), taking).await.unwrap();
        let said = taken.unwrap_err().to_string();
        assert!(said.starts_with(expected), "{said}");
        assert!(names(&store).is_empty(), "{:?}", names(&store));
    }
}

#[tokio::test]
async fn who_says_stop_finds_nothing_stored_and_nothing_left_running() {
    let endless = GOOD.replace("cat db", "echo $$ >pid; cat db; exec cat /dev/zero");
    let host = Host::with(&endless);
    let pid = host.path("pid");
    let running = |path: &Path| {
        let pid = std::fs::read_to_string(path).unwrap_or_default();
        Path::new("/proc").join(pid.trim()).exists() && !pid.is_empty()
    };
    let stop = async {
        while !running(&pid) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let (taken, store) = host.take(stop).await;
    assert!(matches!(taken, Err(TakeError::Interrupted)), "{taken:?}");
    assert!(names(&store).is_empty(), "{:?}", names(&store));
    let ended = tokio::task::spawn_blocking({
        let pid = pid.clone();
        move || remote::test_server::wait_for(|| !running(&pid))
    });
    assert!(ended.await.unwrap(), "etcdctl still runs");
}

#[tokio::test]
async fn a_stream_without_end_and_one_that_stalls_are_given_up() {
    let endless = Host::with(&GOOD.replace("cat db", "exec cat /dev/zero"));
    let (taken, store) = endless.take(std::future::pending()).await;
    assert!(matches!(taken, Err(TakeError::TooLarge { most: 20_000_000 })), "{taken:?}");
    assert!(names(&store).is_empty(), "{:?}", names(&store));
    let stalled = Host::with(&GOOD.replace("cat db", "cat db; sleep 30"));
    let taking = stalled.take_within(Duration::from_secs(2), std::future::pending());
    let (taken, store) = tokio::time::timeout(Duration::from_secs(60), taking).await.unwrap();
    assert!(matches!(taken, Err(TakeError::Stalled { .. })), "{taken:?}");
    assert!(names(&store).is_empty(), "{:?}", names(&store));
}

#[tokio::test]
async fn a_host_that_fell_silent_does_not_hold_who_says_stop() {
    let host = Host::with(&GOOD.replace("cat db", "echo $$ >pid; cat db; sleep 30"));
    let stop = async {
        while !host.path("pid").exists() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        host.cable.fall_silent();
    };
    let taking = host.take(stop);
    let (taken, store) = tokio::time::timeout(Duration::from_secs(5), taking).await.unwrap();
    assert!(matches!(taken, Err(TakeError::Interrupted)), "{taken:?}");
    assert!(names(&store).is_empty(), "{:?}", names(&store));
}

#[tokio::test]
async fn what_nobody_waits_for_is_removed_and_other_files_are_not() {
    let root = tempfile::tempdir().unwrap();
    let store = folder(&root, "backups");
    let id = id(datetime!(2026-11-29 14:05 UTC));
    store.put(&id.object(), b"whole").unwrap();
    std::mem::forget(store.stage(&id.object()).unwrap());
    discard(std::slice::from_ref(&store), &id).await;
    assert_eq!(names(&store), [id.object()]);
}
