//! What is written is written whole, once, and with the right mode.

use super::bench::{Run, mode, on_each_shell};
use crate::script;

/// A file system without hard links, or without room: nothing was claimed.
#[test]
fn a_host_that_can_not_be_claimed_is_not_claimed_already() {
    on_each_shell(|bench| {
        bench.program("ln", "echo 'ln: Operation not permitted' >&2; exit 1");
        let register =
            Run::unguarded(script::REGISTER_HOST, &[bench.arg("lib/site"), "prod".to_owned()]);
        let reply = bench.run(&register);
        assert_eq!(reply.status, 1);
        let said = String::from_utf8_lossy(&reply.stdout).into_owned();
        assert!(said.contains("Operation not permitted"), "{said}");
        assert_eq!(bench.entries().iter().filter(|path| path.contains("quorate-site")).count(), 0);
    });
}

#[test]
fn a_host_is_claimed_once() {
    on_each_shell(|bench| {
        let register = |site: &str| {
            Run::unguarded(script::REGISTER_HOST, &[bench.arg("lib/site"), site.to_owned()])
        };
        assert_eq!(bench.done(&register("prod")), "changed");
        // A run that was killed between the link and the end leaves its other name.
        bench.write("lib/.quorate-site.abcdef", "prod\n");
        assert_eq!(bench.done(&register("prod")), "already");
        assert_eq!(bench.read("lib/site"), "prod\n");
        assert_eq!(mode(&bench.path("lib")), 0o700);
        assert_eq!(mode(&bench.path("lib/site")), 0o600);
        assert_eq!(bench.entries(), ["lib", "lib/site"]);
    });
}

#[test]
fn a_host_of_another_site_is_refused() {
    on_each_shell(|bench| {
        bench.write("site", "other\n");
        let file = bench.arg("site");
        let register = Run::unguarded(script::REGISTER_HOST, &[&file[..], "prod"])
            .set("guard", "host-is-free");
        let reply = bench.run(&register.set("guard_file", &file).set("guard_site", "prod"));
        assert_eq!(reply.status, 80);
        assert_eq!(reply.stdout, b"refused the host belongs to site other\n");
        assert_eq!(bench.read("site"), "other\n");
    });
}

#[test]
fn a_token_is_written_whole_or_not_at_all() {
    on_each_shell(|bench| {
        let store = || Run::unguarded(script::STORE_TOKEN, &[bench.arg("token")]).with(b"0123");
        let reply = bench.run(&Run { missing: 1, ..store() });
        assert_eq!((reply.status, &reply.stdout[..]), (81, &b"cut\n"[..]));
        assert_eq!(bench.entries(), [""; 0]);
        assert_eq!(bench.done(&store()), "changed");
        assert_eq!(bench.done(&store()), "already");
        assert_eq!(bench.read("token"), "0123");
        assert_eq!(mode(&bench.path("token")), 0o600);
        assert_eq!(bench.entries(), ["token"]);
    });
}

/// What touches the disk in the order of its coming: each tool is the real one, and is noted first.
#[test]
fn a_file_is_closed_and_synced_before_it_gets_its_name() {
    on_each_shell(|bench| {
        std::fs::create_dir(bench.path("host")).unwrap();
        let noted = r#"for tool in chown chmod sync mv; do
            eval "$tool() { echo \"$tool\" >>noted; command $tool \"\$@\"; }"
        done
        "#;
        let script = noted.to_owned() + script::STORE_TOKEN;
        let token = bench.arg("host/token");
        bench.done(&Run::unguarded(&script, &[token]).with(b"0123"));
        let order: Vec<String> = bench.read("noted").lines().map(str::to_owned).collect();
        assert_eq!(order, ["chown", "chmod", "sync", "mv", "sync"]);
    });
}

#[test]
fn what_a_killed_run_left_is_swept_and_nothing_else() {
    on_each_shell(|bench| {
        for name in [".quorate-token.abcdef", ".quorate-marker.abcdef", ".quorate-token.keep"] {
            bench.write(name, "half");
        }
        let store = Run::unguarded(script::STORE_TOKEN, &[bench.arg("token")]).with(b"0123");
        bench.done(&store);
        assert_eq!(bench.entries(), [".quorate-marker.abcdef", ".quorate-token.keep", "token"]);
    });
}

#[test]
fn a_mode_that_was_changed_manually_is_repaired() {
    on_each_shell(|bench| {
        let store = Run::unguarded(script::STORE_TOKEN, &[bench.arg("token")]).with(b"0123");
        bench.done(&store);
        let loose = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        std::fs::set_permissions(bench.path("token"), loose).unwrap();
        assert_eq!(bench.done(&store), "changed");
        assert_eq!(mode(&bench.path("token")), 0o600);
    });
}

#[test]
fn a_symlink_in_the_place_of_a_file_is_replaced_not_followed() {
    on_each_shell(|bench| {
        bench.write("victim", "precious");
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(bench.path("victim"), private).unwrap();
        std::os::unix::fs::symlink(bench.path("victim"), bench.path("token")).unwrap();
        bench.done(&Run::unguarded(script::STORE_TOKEN, &[bench.arg("token")]).with(b"precious"));
        assert!(bench.path("token").symlink_metadata().unwrap().is_file());
        assert_eq!(bench.read("victim"), "precious");
    });
}

#[test]
fn directories_are_created_and_repaired() {
    on_each_shell(|bench| {
        let [outer, inner] = [bench.arg("etc/etcd/main"), bench.arg("var/main")];
        let args = [&outer, "755", "root:root", "-", &inner, "700", "root:root", "-"];
        let prepare = Run::unguarded(script::PREPARE_DIRECTORIES, &args);
        assert_eq!(bench.done(&prepare), "changed");
        assert_eq!(bench.done(&prepare), "already");
        let modes = ["etc", "etc/etcd", "etc/etcd/main", "var/main"].map(|d| mode(&bench.path(d)));
        assert_eq!(modes, [0o755, 0o755, 0o755, 0o700]);
        let loose = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(bench.path("var/main"), loose).unwrap();
        assert_eq!(bench.done(&prepare), "changed");
        assert_eq!(mode(&bench.path("var/main")), 0o700);
    });
}

/// Whose a path is, itself and not what it points to.
fn owner(path: &std::path::Path) -> (u32, u32) {
    use std::os::unix::fs::MetadataExt as _;
    let seen = std::fs::symlink_metadata(path).unwrap();
    (seen.uid(), seen.gid())
}

/// A disk that comes from another system. Only root may give files away.
#[test]
fn what_etcd_made_is_given_to_its_account_and_nothing_else() {
    if owner(std::path::Path::new("/proc/self")) != (0, 0) {
        return;
    }
    on_each_shell(|bench| {
        std::fs::create_dir_all(bench.path("data/member/snap")).unwrap();
        std::fs::create_dir(bench.path("data/lost+found")).unwrap();
        bench.write("data/member/snap/db", "");
        bench.write("secret", "");
        std::os::unix::fs::symlink(bench.path("secret"), bench.path("data/member/link")).unwrap();
        let stray = ["data", "data/member", "data/member/snap", "data/member/snap/db"];
        let kept = ["data/lost+found", "secret"];
        for name in stray.iter().chain(&kept) {
            std::os::unix::fs::chown(bench.path(name), Some(4711), Some(4711)).unwrap();
        }
        std::os::unix::fs::lchown(bench.path("data/member/link"), Some(4711), Some(4711)).unwrap();
        let args = [&bench.arg("data"), "700", "root:root", &bench.arg("data/member")];
        let prepare = Run::unguarded(script::PREPARE_DIRECTORIES, &args);
        assert_eq!(bench.done(&prepare), "changed");
        for name in stray.iter().chain(&["data/member/link"]) {
            assert_eq!(owner(&bench.path(name)), (0, 0), "{name}");
        }
        for name in kept {
            assert_eq!(owner(&bench.path(name)), (4711, 4711), "{name}");
        }
        assert_eq!(bench.done(&prepare), "already");
        bench.program("find", "exit 1");
        let reply = bench.run(&prepare);
        assert_ne!(reply.status, 0, "a search that fails has not found that all is well");
    });
}

#[test]
fn a_symlink_in_the_place_of_a_directory_is_refused() {
    on_each_shell(|bench| {
        std::fs::create_dir(bench.path("elsewhere")).unwrap();
        std::os::unix::fs::symlink(bench.path("elsewhere"), bench.path("data")).unwrap();
        let args = [&bench.arg("data"), "700", "root:root", "-"];
        let reply = bench.run(&Run::unguarded(script::PREPARE_DIRECTORIES, &args));
        assert_eq!(reply.status, 1);
        assert!(String::from_utf8_lossy(&reply.stdout).contains("is not a directory"));
    });
}

#[test]
fn a_marker_is_written_over_what_was_judged_only() {
    on_each_shell(|bench| {
        let write = |digest: &str| {
            let args = [bench.arg("marker"), digest.to_owned()];
            Run::unguarded(script::WRITE_MARKER, &args).with(b"{}\n")
        };
        assert_eq!(bench.done(&write("absent")), "changed");
        let reply = bench.run(&write("absent"));
        assert_eq!(reply.status, 80, "it is there by now");
        let digest = pki::Sha256Digest::hash(b"{}\n").to_string();
        assert_eq!(bench.done(&write(&digest)), "already");
    });
}
