//! Certificates come into use as one generation.

use templates::layout::PkiFile;

use super::bench::{Bench, Run, mode, on_each_shell};
use crate::script;

fn install(bench: &Bench, generation: &str) -> Run<'static> {
    swap(bench, generation, "at-once")
}

fn swap(bench: &Bench, generation: &str, how: &str) -> Run<'static> {
    let mut args = vec![bench.arg("pki"), generation.to_owned(), "root".to_owned()];
    args.extend([bench.arg(UNTRIED), how.to_owned(), String::new()]);
    let mut blobs = Vec::new();
    let mut manifest = String::new();
    for file in PkiFile::ALL {
        let (mode, ..) = planner::attributes(file, &Default::default());
        let content = format!("{generation} {}", file.name()).into_bytes();
        args.extend([file.name().to_owned(), format!("{mode:o}"), "root:root".to_owned()]);
        manifest += &format!("{}  {}\n", pki::Sha256Digest::hash(&content), file.name());
        blobs.push(content);
    }
    blobs.push(manifest.into_bytes());
    Run { blobs, ..Run::unguarded(script::INSTALL_CERTIFICATES, &args) }
}

const UNTRIED: &str = "pki/untried";

/// The generation in use.
fn used(bench: &Bench) -> String {
    std::fs::read_link(bench.path("pki/current")).unwrap().display().to_string()
}

fn end(bench: &Bench, how: &str) -> Run<'static> {
    let args = [bench.arg("pki"), bench.arg(UNTRIED), how.to_owned()];
    Run::unguarded(script::END_TRIAL, &args)
}

fn prepared(bench: &Bench) {
    std::fs::create_dir(bench.path("pki")).unwrap();
}

#[test]
fn a_generation_is_whole_and_its_keys_are_closed() {
    on_each_shell(|bench| {
        prepared(bench);
        assert_eq!(bench.done(&install(bench, "one")), "changed");
        assert_eq!(std::fs::read_link(bench.path("pki/current")).unwrap().as_os_str(), "one");
        for file in PkiFile::ALL {
            let path = format!("pki/current/{}", file.name());
            assert_eq!(bench.read(&path), format!("one {}", file.name()));
            assert_eq!(mode(&bench.path(&path)), planner::attributes(file, &Default::default()).0);
        }
        assert_eq!(bench.read("pki/current/manifest").lines().count(), 8);
        assert_eq!(mode(&bench.path("pki/one")), 0o750);
    });
}

#[test]
fn the_generation_before_stays_and_older_ones_go() {
    on_each_shell(|bench| {
        prepared(bench);
        for generation in ["one", "two", "three"] {
            bench.done(&install(bench, generation));
        }
        std::fs::create_dir(bench.path("pki/foreign")).unwrap();
        bench.done(&install(bench, "four"));
        let mut there: Vec<String> =
            bench.entries().into_iter().filter(|path| path.matches('/').count() == 1).collect();
        there.sort();
        assert_eq!(there, ["pki/current", "pki/foreign", "pki/four", "pki/three"]);
        assert_eq!(std::fs::read_link(bench.path("pki/current")).unwrap().as_os_str(), "four");
    });
}

#[test]
fn a_payload_that_was_cut_off_anywhere_changes_nothing() {
    on_each_shell(|bench| {
        prepared(bench);
        bench.done(&install(bench, "one"));
        let before = bench.entries();
        let length: usize = install(bench, "two").blobs.iter().map(Vec::len).sum();
        for missing in [1, 6, 7, length / 2, length] {
            let reply = bench.run(&Run { missing, ..install(bench, "two") });
            assert_eq!(reply.status, 81, "{missing} bytes missing: {}", reply.stderr);
            assert_eq!(bench.entries(), before);
        }
    });
}

#[test]
fn what_differs_from_its_manifest_is_not_used() {
    on_each_shell(|bench| {
        prepared(bench);
        let mut run = install(bench, "one");
        run.blobs[0][0] ^= 1;
        let reply = bench.run(&run);
        assert_eq!(reply.status, 1);
        assert_eq!(bench.entries(), ["pki"]);
    });
}

#[test]
fn what_fails_its_trial_gives_way_to_what_was_proven_last() {
    on_each_shell(|bench| {
        prepared(bench);
        bench.done(&install(bench, "one"));
        bench.done(&swap(bench, "two", "tried"));
        assert_eq!((used(bench).as_str(), bench.read(UNTRIED).as_str()), ("two", "one\n"));
        // A run that was killed before its trial, then another one: the proven one stays all the while.
        bench.done(&swap(bench, "three", "tried"));
        bench.done(&swap(bench, "four", "tried"));
        assert_eq!((used(bench).as_str(), bench.read(UNTRIED).as_str()), ("four", "one\n"));
        assert_eq!(bench.done(&end(bench, "restore")), "changed");
        assert_eq!(used(bench), "one");
        assert_eq!(bench.read("pki/current/server.crt"), "one server.crt");
        assert!(!bench.path(UNTRIED).exists());
        assert_eq!(bench.done(&end(bench, "restore")), "already");
    });
}

#[test]
fn what_passed_its_trial_stays() {
    on_each_shell(|bench| {
        prepared(bench);
        bench.done(&install(bench, "one"));
        bench.done(&swap(bench, "two", "tried"));
        assert_eq!(bench.done(&end(bench, "keep")), "changed");
        assert_eq!(bench.done(&end(bench, "keep")), "already");
        assert_eq!(used(bench), "two");
        // Nobody reads the next one yet, so there is nothing to try.
        bench.done(&swap(bench, "three", "tried"));
        bench.done(&install(bench, "four"));
        assert!(!bench.path(UNTRIED).exists());
    });
}

#[test]
fn nothing_is_put_back_where_nothing_was_or_a_stranger_wrote_the_note() {
    on_each_shell(|bench| {
        prepared(bench);
        bench.done(&swap(bench, "one", "tried"));
        for note in ["\n", "../elsewhere\n", ".hidden\n", "gone\n"] {
            bench.write(UNTRIED, note);
            assert_eq!(bench.run(&end(bench, "restore")).status, 1, "{note}");
            assert_eq!(used(bench), "one");
            assert!(bench.path(UNTRIED).exists());
        }
    });
}

fn trying(bench: &Bench, seconds: u32) -> Run<'static> {
    let mut args = vec![bench.arg("pki"), bench.arg("bin/etcdctl")];
    args.extend(["ca", "cert", "key", "https://127.0.0.1:2379"].map(str::to_owned));
    args.extend([seconds.to_string(), "server.crt".to_owned(), "peer-ca.crt".to_owned()]);
    Run::unguarded(script::TRY_CERTIFICATES, &args)
}

#[test]
fn a_trial_shows_what_handshakes_must_show_and_what_etcdctl_met() {
    on_each_shell(|bench| {
        prepared(bench);
        bench.done(&install(bench, "one"));
        bench.program("etcdctl", "echo '\"Leader\" : 1'");
        let said = |run: &Run<'_>| {
            let reply = bench.run(run);
            assert_eq!(reply.status, 0, "{}", reply.stderr);
            String::from_utf8(reply.stdout).unwrap()
        };
        let files = "= server.crt\none server.crt\n= peer-ca.crt\none peer-ca.crt\nchanged\n";
        assert_eq!(said(&trying(bench, 5)), files);
        bench.program("etcdctl", "echo 'tls: bad certificate' >&2; exit 1");
        let silent = format!("= silent\ntls: bad certificate\n{files}");
        assert_eq!(said(&trying(bench, 0)), silent);
        // A member that is slow to answer is asked again.
        bench.program("etcdctl", "[ -e asked ] || { : >asked; exit 1; }");
        assert_eq!(said(&trying(bench, 5)), files);
    });
}

/// A new client certificate of an API server, of which a member says this.
fn client(bench: &Bench, generation: &str, member: &str) -> Run<'static> {
    bench.program("curl", member);
    let mut args = vec![bench.arg("pki"), generation.to_owned(), "root".to_owned()];
    args.extend([String::new(), "at-once".to_owned(), "https://10.0.0.1:2379".to_owned()]);
    let (mut blobs, mut manifest) = (Vec::new(), String::new());
    for name in ["ca.crt", "client.crt", "client.key"] {
        let content = format!("{generation} {name}").into_bytes();
        args.extend([name.to_owned(), "600".to_owned(), "root:root".to_owned()]);
        manifest += &format!("{}  {name}\n", pki::Sha256Digest::hash(&content));
        blobs.push(content);
    }
    blobs.push(manifest.into_bytes());
    Run { blobs, ..Run::unguarded(script::INSTALL_CERTIFICATES, &args) }
}

#[test]
fn a_client_certificate_that_no_member_lets_in_is_not_installed() {
    on_each_shell(|bench| {
        assert_eq!(bench.done(&client(bench, "one", "printf 200")), "changed");
        let refused = "echo 'curl: (56) alert bad certificate' >&2; printf 000; exit 56";
        let reply = bench.run(&client(bench, "two", refused));
        let said = String::from_utf8_lossy(&reply.stdout).into_owned();
        assert_eq!(reply.status, 1, "{said}");
        assert!(said.contains("10.0.0.1:2379: curl: (56) alert bad certificate"), "{said}");
        assert_eq!(used(bench), "one");
        assert!(!bench.path("pki/two").exists());
    });
}
