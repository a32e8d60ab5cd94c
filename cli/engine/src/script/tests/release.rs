//! A release is installed whole from the archive that is pinned, or not at all.

use std::path::Path;
use std::process::Command;

use super::bench::{Bench, Run, mode, on_each_shell};
use crate::script;

const VERSION: &str = "3.6.16";

/// An archive as releases are made, whose programs say their version.
fn archive(bench: &Bench, version: &str, tools: &[&str]) -> Vec<u8> {
    let name = format!("etcd-v{version}-linux-amd64");
    let folder = bench.path(&format!("build/{name}"));
    std::fs::create_dir_all(folder.join("Documentation")).unwrap();
    std::fs::write(folder.join("README.md"), "read me").unwrap();
    std::fs::write(folder.join("Documentation/etcd"), "not the program").unwrap();
    for tool in tools {
        let text = format!("#!/bin/sh\necho 'etcd Version: {version}'\necho 'Git SHA: {tool}'\n");
        std::fs::write(folder.join(tool), text).unwrap();
        std::fs::set_permissions(
            folder.join(tool),
            std::os::unix::fs::PermissionsExt::from_mode(0o700),
        )
        .unwrap();
    }
    let file = bench.path("build/archive.tar.gz");
    let mut tar = Command::new("tar");
    tar.arg("-czf").arg(&file).arg("-C").arg(bench.path("build")).arg(&name);
    assert!(tar.status().unwrap().success());
    let bytes = std::fs::read(file).unwrap();
    std::fs::remove_dir_all(bench.path("build")).unwrap();
    bytes
}

fn install(bench: &Bench, archive: &[u8]) -> Run<'static> {
    let sha256 = pki::Sha256Digest::hash(archive).to_string();
    let args = [&bench.arg(&format!("opt/{VERSION}")), &sha256, VERSION, "", "10", "1000000", ""];
    Run::unguarded(script::INSTALL_RELEASE, &args).with(archive)
}

fn stat(path: &Path) -> String {
    let output = Command::new("stat").args(["-c", "%i.%s.%Y.%Z"]).arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_pushed_archive_is_installed_once() {
    on_each_shell(|bench| {
        let archive = archive(bench, VERSION, &["etcd", "etcdctl", "etcdutl"]);
        assert_eq!(bench.done(&install(bench, &archive)), "changed");
        assert_eq!(bench.done(&install(bench, &archive)), "already");
        let dir = format!("opt/{VERSION}");
        let expected =
            ["", "/etcd", "/etcdctl", "/etcdutl", "/manifest"].map(|file| format!("{dir}{file}"));
        assert_eq!(bench.entries()[1..], expected);
        assert_eq!(mode(&bench.path(&dir)), 0o755);
        assert_eq!(mode(&bench.path(&format!("{dir}/etcd"))), 0o755);
    });
}

#[test]
fn the_manifest_says_what_a_later_look_will_find() {
    on_each_shell(|bench| {
        let archive = archive(bench, VERSION, &["etcd", "etcdctl"]);
        bench.done(&install(bench, &archive));
        let mut expected =
            format!("quorate-release 1\narchive {}\n", pki::Sha256Digest::hash(&archive));
        for name in ["etcd", "etcdctl"] {
            let path = bench.path(&format!("opt/{VERSION}/{name}"));
            let digest = pki::Sha256Digest::hash(&std::fs::read(&path).unwrap());
            expected += &format!("file {name} {digest} {}\n", stat(&path));
        }
        assert_eq!(bench.read(&format!("opt/{VERSION}/manifest")), expected);
    });
}

#[test]
fn what_a_killed_run_left_is_swept_also_where_the_release_is_whole() {
    on_each_shell(|bench| {
        let archive = archive(bench, VERSION, &["etcd", "etcdctl"]);
        bench.done(&install(bench, &archive));
        let before = bench.entries();
        let left = bench.path(&format!("opt/.quorate-{VERSION}.abcdef"));
        std::fs::create_dir(&left).unwrap();
        std::fs::write(left.join("archive.tar.gz"), "half").unwrap();
        assert_eq!(bench.done(&install(bench, &archive)), "already");
        assert_eq!(bench.entries(), before);
    });
}

/// After a run that is killed once the release is in its place, no next run would sweep.
#[test]
fn once_the_release_is_in_its_place_nothing_is_left_to_sweep() {
    on_each_shell(|bench| {
        let archive = archive(bench, VERSION, &["etcd", "etcdctl"]);
        bench.done(&install(bench, &archive));
        bench.write(&format!("opt/{VERSION}/etcdctl"), "tampered");
        // It dies where it would make the last renaming last.
        let dying = script::INSTALL_RELEASE.replace("lasts \"$dir\"\n", "exec kill -9 $$\n");
        assert_ne!(dying, script::INSTALL_RELEASE);
        bench.run(&Run { script: &dying, ..install(bench, &archive) });
        assert!(bench.read(&format!("opt/{VERSION}/etcdctl")).contains("Git SHA"));
        assert_eq!(bench.entries().len(), 5, "{:?}", bench.entries());
    });
}

#[test]
fn a_damaged_release_is_replaced() {
    on_each_shell(|bench| {
        let archive = archive(bench, VERSION, &["etcd", "etcdctl"]);
        bench.done(&install(bench, &archive));
        bench.write(&format!("opt/{VERSION}/etcdctl"), "tampered");
        assert_eq!(bench.done(&install(bench, &archive)), "changed");
        assert!(bench.read(&format!("opt/{VERSION}/etcdctl")).contains("Git SHA"));
        assert_eq!(bench.entries().len(), 5);
    });
}

#[test]
fn another_archive_than_the_pinned_one_is_not_installed() {
    on_each_shell(|bench| {
        let archive = archive(bench, VERSION, &["etcd", "etcdctl"]);
        let mut run = install(bench, &archive);
        run = run.set("sha256", "0".repeat(64));
        let reply = bench.run(&run);
        let said = String::from_utf8_lossy(&reply.stdout).into_owned();
        assert_eq!(reply.status, 1);
        assert!(said.contains(&"0".repeat(64)), "{said}");
        assert!(said.contains(&pki::Sha256Digest::hash(&archive).to_string()), "{said}");
        assert_eq!(bench.entries(), ["opt"]);
    });
}

#[test]
fn an_archive_that_is_not_what_it_should_be_is_not_installed() {
    on_each_shell(|bench| {
        for (version, tools, complaint) in [
            (VERSION, &["etcd"][..], "holds no etcdctl"),
            ("3.5.35", &["etcd", "etcdctl"][..], "is not 3.6.16: it says etcd Version: 3.5.35"),
        ] {
            let archive = archive(bench, version, tools);
            let reply = bench.run(&install(bench, &archive));
            let said = String::from_utf8_lossy(&reply.stdout).into_owned();
            assert_eq!(reply.status, 1);
            assert!(said.contains(complaint), "{said}");
            assert_eq!(bench.entries(), ["opt"]);
        }
    });
}

#[test]
fn a_push_that_was_cut_off_installs_nothing() {
    on_each_shell(|bench| {
        let archive = archive(bench, VERSION, &["etcd", "etcdctl"]);
        let reply = bench.run(&Run { missing: 100, ..install(bench, &archive) });
        assert_eq!(reply.status, 81, "{}", String::from_utf8_lossy(&reply.stdout));
        assert_eq!(bench.entries(), ["opt"]);
    });
}

#[test]
fn a_host_that_cannot_download_says_so_apart_from_other_failures() {
    on_each_shell(|bench| {
        let mut run = install(bench, b"archive");
        // Nothing listens on this port of loopback.
        run = run.set("url", "http://127.0.0.1:9/etcd.tar.gz");
        let reply = bench.run(&run);
        let said = String::from_utf8_lossy(&reply.stdout).into_owned();
        assert_eq!(reply.status, 82, "{said}");
        assert!(said.starts_with("undownloaded "), "{said}");
        assert_eq!(bench.entries(), ["opt"]);
    });
}

#[test]
fn a_download_is_bounded_and_its_sum_is_checked() {
    on_each_shell(|bench| {
        let archive = archive(bench, VERSION, &["etcd", "etcdctl"]);
        let url = serve(archive.clone());
        let mut run = install(bench, &archive);
        run = run.set("url", url);
        run.blobs.clear();
        run = run.set("bytes", 100);
        let reply = bench.run(&run);
        assert_eq!(reply.status, 82, "{}", String::from_utf8_lossy(&reply.stdout));
        run = run.set("bytes", 1000000);
        assert_eq!(bench.done(&run), "changed");
    });
}

/// The proxy of the inventory counts, whatever the login's environment says: sudo drops it anyway.
#[test]
fn a_host_downloads_through_the_proxy_of_the_inventory() {
    for downloader in ["curl", "wget"] {
        on_each_shell(|bench| {
            let archive = archive(bench, VERSION, &["etcd", "etcdctl"]);
            let proxy = serve(archive.clone()).replace("/etcd.tar.gz", "");
            let mut run = install(bench, &archive);
            // Only the proxy knows this name.
            run = run.set("url", "http://mirror.invalid/etcd.tar.gz");
            run = run.set("proxy", proxy);
            run.blobs.clear();
            let around = format!(
                "export no_proxy='*' NO_PROXY='*' http_proxy=http://127.0.0.1:9\n\
                 command() {{ [ \"$2\" = {downloader} ]; }}\n{}",
                script::INSTALL_RELEASE
            );
            assert_eq!(bench.done(&Run { script: &around, ..run }), "changed", "{downloader}");
        });
    }
}

/// A web server on loopback that gives these bytes to everybody, until the tests end.
fn serve(bytes: Vec<u8>) -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/etcd.tar.gz", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len());
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&bytes));
        }
    });
    url
}
