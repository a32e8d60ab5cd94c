//! The manifest of an API server takes its place with one rename, and nothing else ever lies beside it.

use remote::Reply;

use super::bench::{Bench, Run, mode, on_each_shell};
use crate::script;

fn prepared(bench: &Bench) {
    std::fs::create_dir(bench.path("manifests")).unwrap();
    bench.write("manifests/kube-apiserver.yaml", "before");
}

fn wire(bench: &Bench, text: &str) -> Run<'static> {
    let args = [bench.arg("manifests/kube-apiserver.yaml"), bench.arg("state")];
    Run::unguarded(script::WIRE_API_SERVER, &args).with(text.as_bytes())
}

#[test]
fn a_manifest_is_replaced_and_the_one_before_is_kept_elsewhere() {
    on_each_shell(|bench| {
        prepared(bench);
        assert_eq!(bench.done(&wire(bench, "after")), "changed");
        assert_eq!(bench.read("manifests/kube-apiserver.yaml"), "after");
        assert_eq!(bench.done(&wire(bench, "after")), "already");
        let beside = std::fs::read_dir(bench.path("manifests")).unwrap().count();
        assert_eq!(beside, 1, "a kubelet would run whatever else is there");
        let kept = bench.entries().into_iter().find(|path| path.starts_with("state/manifest-"));
        let kept = kept.unwrap();
        assert_eq!((bench.read(&kept).as_str(), mode(&bench.path(&kept))), ("before", 0o600));
        assert!(bench.path("state/replaced").exists());
    });
}

#[test]
fn a_manifest_keeps_its_mode_and_owner() {
    on_each_shell(|bench| {
        use std::os::unix::fs::PermissionsExt as _;
        prepared(bench);
        let manifest = bench.path("manifests/kube-apiserver.yaml");
        std::fs::set_permissions(&manifest, std::fs::Permissions::from_mode(0o640)).unwrap();
        bench.done(&wire(bench, "after"));
        assert_eq!(mode(&manifest), 0o640);
    });
}

#[test]
fn what_is_cut_off_or_no_file_changes_nothing() {
    on_each_shell(|bench| {
        prepared(bench);
        for missing in [1, 3, 8] {
            let reply = bench.run(&Run { missing, ..wire(bench, "after") });
            assert_ne!(reply.status, 0, "{missing}");
            assert_eq!(bench.read("manifests/kube-apiserver.yaml"), "before");
        }
        let link = bench.path("manifests/kube-apiserver.yaml");
        std::fs::rename(&link, bench.path("elsewhere")).unwrap();
        std::os::unix::fs::symlink(bench.path("elsewhere"), &link).unwrap();
        assert_eq!(bench.run(&wire(bench, "after")).status, 80);
        assert_eq!(bench.read("elsewhere"), "before");
    });
}

/// Waits for one that does not come.
fn await_it(bench: &Bench) -> Reply {
    let args = [bench.arg("kube-apiserver.yaml"), bench.arg("state"), "0".to_owned()];
    let args = args.into_iter().chain(["etcd-prefix=/x".to_owned(), String::new()]);
    bench.run(&Run::unguarded(script::AWAIT_API_SERVER, &args.collect::<Vec<_>>()))
}

/// What was there twice was kept the first time.
#[test]
fn the_manifest_that_is_named_is_the_one_before_the_last_change() {
    on_each_shell(|bench| {
        prepared(bench);
        assert!(!String::from_utf8_lossy(&await_it(bench).stdout).contains("the manifest before"));
        for text in ["other", "before", "after"] {
            assert_eq!(bench.done(&wire(bench, text)), "changed");
        }
        let said = String::from_utf8_lossy(&await_it(bench).stdout).into_owned();
        let kept = said.split("before the last change is ").nth(1).unwrap();
        let kept = kept.split(',').next().unwrap();
        assert_eq!(std::fs::read_to_string(kept).unwrap(), "before", "{said}");
    });
}

/// Of a process, as the kernel tells its arguments.
#[test]
fn flags_with_underscores_are_those_with_dashes() {
    on_each_shell(|bench| {
        let arguments =
            "kube-apiserver\0--etcd_servers=https://a_b\0--secure_port\0x_y\0--a-b_c_d\0";
        bench.write("cmdline", arguments);
        let ask = "set -eu\narguments_of \"$1\"\nargument_of \"$1\" secure-port\n";
        let script = format!("{}\n{ask}", include_str!("../sh/api_server.sh"));
        let said = std::process::Command::new(bench.shell())
            .args(["-c", &script, "sh"])
            .arg(bench.path(""))
            .output()
            .unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        let expected =
            "kube-apiserver\n--etcd-servers=https://a_b\n--secure-port\nx_y\n--a-b-c-d\nx_y\n";
        assert_eq!(said, expected);
    });
}

#[test]
fn an_api_server_that_does_not_run_is_not_ready() {
    on_each_shell(|bench| {
        let reply = await_it(bench);
        let said = String::from_utf8_lossy(&reply.stdout).into_owned();
        assert_eq!(reply.status, 1, "{said}{}", reply.stderr);
        assert!(said.contains("not ready after 0 s: no kube-apiserver runs"), "{said}");
    });
}
