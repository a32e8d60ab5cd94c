//! The record of a bootstrap at a discovery service.

use super::bench::{Bench, Run, mode, on_each_shell};
use crate::script;
use test_kit::executable::executable;

/// An etcd that keeps its keys as lines of a file, and lets in clients that have the password, if it asks for
/// one. It warns on stderr, as etcdctl does when an endpoint is slow.
const ETCDCTL: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
touch keys
printf '%s\n' "$*" >>asked
[ ! -e gone ] || { echo '{"level":"warn"}' >&2; echo 'Error: context deadline exceeded' >&2; exit 1; }
if [ -e password ] && [ "$ETCDCTL_USER:$ETCDCTL_PASSWORD" != "quorate:$(cat password)" ]; then
    echo 'Error: authentication failed, invalid user ID or password' >&2
    exit 1
fi
echo '{"level":"warn","msg":"slow"}' >&2
case "$*" in
*"get --prefix "*) grep -A1 "^${*##*--prefix }" keys | grep -v '^--$' || true ;;
*"del --prefix "*) awk -v p="${*##*--prefix }" 'index($0, p) == 1 { getline; next } { print }' keys >left
    mv left keys ;;
*" put "*) pair=${*##* put }; printf '%s\n%s\n' "${pair% *}" "${pair#* }" >>keys ;;
*) exit 64 ;;
esac
"#;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const MEMBERS: &str = "a=https://10.0.0.1:2380 b=https://10.0.0.2:2380 c=https://10.0.0.3:2380";

fn service(bench: &Bench) {
    executable(&bench.path("etcdctl"), ETCDCTL);
    bench.write("token", TOKEN);
}

fn common(bench: &Bench, user: &str) -> Vec<String> {
    let service = [&bench.arg("etcdctl"), "", "", "", user, "https://10.0.0.9:2379"];
    let mut args = vec![bench.arg("note"), String::new(), String::new()];
    args.extend(service.map(str::to_owned));
    args
}

fn open(bench: &Bench, user: &str, password: &str) -> Run<'static> {
    let mut args = common(bench, user);
    args.extend([TOKEN, "3", MEMBERS, &bench.arg("token"), "", "", "", "etcd"].map(str::to_owned));
    Run::unguarded(script::OPEN_DISCOVERY, &args).with(password.as_bytes())
}

fn close(bench: &Bench) -> Run<'static> {
    Run::unguarded(script::CLOSE_DISCOVERY, &common(bench, "")).with(b"")
}

fn key(what: &str) -> String {
    format!("/_etcd/registry/{TOKEN}/{what}")
}

fn fails(bench: &Bench, run: &Run<'_>) -> String {
    let reply = bench.run(run);
    assert_ne!(reply.status, 0);
    String::from_utf8_lossy(&reply.stdout).into_owned()
}

#[test]
fn a_record_is_made_once_noted_and_removed() {
    on_each_shell(|bench| {
        service(bench);
        assert_eq!(bench.done(&open(bench, "", "")), "changed");
        assert_eq!(bench.read("keys"), format!("{}\n3\n", key("_config/size")));
        assert_eq!(bench.read("note"), format!("{TOKEN} https://10.0.0.9:2379\n"));
        assert_eq!(bench.done(&open(bench, "", "")), "already");
        // Members of this bootstrap may have registered meanwhile.
        bench.write(
            "keys",
            &format!("{}\n3\n{}\na=https://10.0.0.1:2380\n", key("_config/size"), key("members/1")),
        );
        assert_eq!(bench.done(&open(bench, "", "")), "already");
        assert_eq!(bench.done(&close(bench)), "changed");
        assert_eq!((bench.read("keys").as_str(), bench.path("note").exists()), ("", false));
        assert_eq!(bench.done(&close(bench)), "already");
    });
}

#[test]
fn a_token_of_others_is_told_apart_from_one_that_is_full_or_of_another_size() {
    on_each_shell(|bench| {
        service(bench);
        let member = |number: u8| {
            format!(
                "{}\nx{number}=https://10.9.0.{number}:2380\n",
                key(&format!("members/{number}"))
            )
        };
        let size = |size: u8| format!("{}\n{size}\n", key("_config/size"));
        let said = |keys: String| {
            bench.write("keys", &keys);
            let said = fails(bench, &open(bench, "", ""));
            assert_eq!(bench.read("keys"), keys, "nothing of others is changed");
            said
        };
        let used = said(size(3) + &member(1));
        assert!(used.contains("is used by others") && used.contains("x1=https"), "{used}");
        let full = said(size(3) + &member(1) + &member(2) + &member(3));
        assert!(full.contains("is full, and used by others"), "{full}");
        let other = said(size(5));
        assert!(other.contains("is used for a cluster of 5 members"), "{other}");
    });
}

#[test]
fn the_password_goes_by_the_environment_alone() {
    on_each_shell(|bench| {
        service(bench);
        let password = "p4ss \"$(id)\\";
        bench.write("password", password);
        let said = fails(bench, &open(bench, "quorate", "wrong"));
        assert!(said.contains("authentication failed"), "{said}");
        assert!(!said.contains("wrong"), "{said}");
        assert_eq!(bench.done(&open(bench, "quorate", password)), "changed");
        assert!(!bench.read("asked").contains("p4ss"));
    });
}

#[test]
fn a_record_of_a_discarded_bootstrap_is_noted_until_it_is_gone() {
    on_each_shell(|bench| {
        service(bench);
        bench.done(&open(bench, "", ""));
        let new = "f".repeat(32);
        bench.write("token", &new);
        let mut again = open(bench, "", "");
        again = again.set("token", &new);
        bench.write("gone", "");
        let said = fails(bench, &again);
        assert!(said.contains("https://10.0.0.9:2379 does not answer"), "{said}");
        assert!(bench.read("note").starts_with(TOKEN), "the old record is still there");
        std::fs::remove_file(bench.path("gone")).unwrap();
        assert_eq!(bench.done(&again), "changed");
        assert_eq!(bench.read("keys"), format!("/_etcd/registry/{new}/_config/size\n3\n"));
        assert!(bench.read("note").starts_with(&new));
    });
}

#[test]
fn a_token_that_is_not_stored_opens_nothing() {
    on_each_shell(|bench| {
        service(bench);
        bench.write("token", "another");
        let reply = bench.run(&open(bench, "", ""));
        assert_eq!(reply.status, 80);
        assert!(!bench.path("keys").exists() && !bench.path("note").exists());
    });
}

#[test]
fn ca_and_password_come_and_go() {
    on_each_shell(|bench| {
        let files = [bench.arg("ca"), bench.arg("password")];
        let trust = |files: &[String; 2], line: &str| {
            Run::unguarded(script::TRUST_DISCOVERY, files).with(b"PEM\n").with(line.as_bytes())
        };
        assert_eq!(bench.done(&trust(&files, "A=\"x\"\n")), "changed");
        assert_eq!(
            (bench.read("ca").as_str(), bench.read("password").as_str()),
            ("PEM\n", "A=\"x\"\n")
        );
        assert_eq!((mode(&bench.path("ca")), mode(&bench.path("password"))), (0o644, 0o600));
        assert_eq!(bench.done(&trust(&files, "A=\"x\"\n")), "already");
        assert_eq!(bench.done(&trust(&files, "A=\"y\"\n")), "changed");
        let forget = Run::unguarded(script::FORGET_DISCOVERY, &files);
        assert_eq!(bench.done(&forget), "changed");
        assert_eq!(bench.entries(), Vec::<String>::new());
        assert_eq!(bench.done(&forget), "already");
        // A payload that was cut off changes nothing.
        let mut cut = trust(&files, "A=\"x\"\n");
        cut.missing = 1;
        assert_eq!(bench.run(&cut).status, 81);
        assert_eq!(bench.entries(), Vec::<String>::new());
        // Without a password there is no file for one.
        assert_eq!(bench.done(&trust(&[bench.arg("ca"), String::new()], "")), "changed");
        assert_eq!(bench.entries(), ["ca"]);
    });
}
