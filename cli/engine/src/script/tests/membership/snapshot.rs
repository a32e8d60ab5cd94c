//! A snapshot counts when it is whole, and never before.

use super::super::bench::{Bench, Run, mode, on_each_shell};
use super::fails;
use crate::script;
use test_kit::executable::executable;

/// Writes the file `snapshot` where it is asked to, in two goes.
const ETCDCTL: &str = r#"#!/bin/sh
bench=$(dirname "$0")
case "$*" in
*"endpoint status"*)
    [ ! -e "$bench/down" ] || { echo 'Error: context deadline exceeded' >&2; exit 1; }
    printf '"DBSize" : %s\n' "$(cat "$bench/size")"
    ;;
*"snapshot save"*)
    echo "$*" >"$bench/asked"
    for path; do :; done
    head -c 100 "$bench/snapshot" >"$path.part"
    if [ -e "$bench/dies" ]; then
        # The script, and what it asks in.
        shells='' up=$PPID
        while read -r pid name _ above _ <"/proc/$up/stat" && case $name in *sh*) ;; *) false ;; esac; do
            shells="$shells $pid" up=$above
        done
        kill -9 $shells
        exit 1
    fi
    [ ! -e "$bench/breaks" ] || { echo 'Error: no leader' >&2; exit 1; }
    cat "$bench/snapshot" >"$path.part"
    mv "$path.part" "$path"
    ;;
*) exit 64 ;;
esac
"#;

/// Two pages and their sha256.
fn whole() -> Vec<u8> {
    let mut bytes = vec![7; 1024];
    bytes.extend(sha256(&bytes));
    bytes
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).to_vec()
}

fn host(bench: &Bench) {
    executable(&bench.path("etcdctl"), ETCDCTL);
    std::fs::write(bench.path("snapshot"), whole()).unwrap();
    bench.write("size", "1024");
    bench.write("key", "");
    std::fs::create_dir(bench.path("data")).unwrap();
    at(bench, "20261128T120000Z");
}

fn at(bench: &Bench, stamp: &str) {
    bench.program("date", &format!("echo {stamp}"));
}

fn save(bench: &Bench) -> Run<'static> {
    let etcdctl = bench.arg("etcdctl");
    let data = bench.arg("data");
    let key = bench.arg("key");
    let args = [etcdctl.as_str(), "ca", "cert", &key, "https://127.0.0.1:2379", &data, "", "1800"];
    Run::unguarded(script::SAVE_SNAPSHOT, &args)
}

#[test]
fn the_way_back_of_an_upgrade_outlasts_removals_and_goes_with_the_next_one() {
    on_each_shell(|bench| {
        host(bench);
        bench.done(&save(bench).set("kind", "before-3-6-"));
        at(bench, "20261128T130000Z");
        bench.done(&save(bench));
        let (back, removal) =
            ("20261128T120000Z-before-3-6-snapshot.db", "20261128T130000Z-snapshot.db");
        assert_eq!(kept(bench), [back, removal]);
        at(bench, "20261128T140000Z");
        bench.done(&save(bench).set("kind", "before-3-7-"));
        assert_eq!(kept(bench), [removal, "20261128T140000Z-before-3-7-snapshot.db"]);
    });
}

fn kept(bench: &Bench) -> Vec<String> {
    let all = bench.entries().into_iter();
    all.filter_map(|path| path.strip_prefix("data/archived/").map(str::to_owned)).collect()
}

#[test]
fn a_snapshot_is_roots_alone_and_takes_the_place_of_the_last_one() {
    on_each_shell(|bench| {
        host(bench);
        assert_eq!(bench.done(&save(bench)), "changed");
        let name = "20261128T120000Z-snapshot.db";
        assert_eq!(kept(bench), [name]);
        let path = bench.path("data/archived").join(name);
        assert_eq!((mode(&path), std::fs::read(&path).unwrap()), (0o600, whole()));
        assert_eq!(mode(&bench.path("data/archived")), 0o700);
        assert!(bench.read("asked").contains("--command-timeout=1800s"));
        std::fs::create_dir(bench.path("data/archived/20261128T110000Z-c3")).unwrap();
        at(bench, "20261128T130000Z");
        bench.done(&save(bench));
        assert_eq!(kept(bench), ["20261128T110000Z-c3", "20261128T130000Z-snapshot.db"]);
    });
}

#[test]
fn what_is_not_whole_gets_no_name_and_the_last_one_stays() {
    on_each_shell(|bench| {
        host(bench);
        bench.done(&save(bench));
        at(bench, "20261128T130000Z");
        let mut damaged = whole();
        damaged[500] ^= 1;
        let mut other_end = whole();
        *other_end.last_mut().unwrap() ^= 1;
        let cut = whole()[..1024].to_vec();
        let odd = whole()[..1055].to_vec();
        for bytes in [damaged, other_end, cut, odd, Vec::new()] {
            std::fs::write(bench.path("snapshot"), bytes).unwrap();
            assert!(fails(&bench.run(&save(bench))).contains("its checksum does not match"));
            assert_eq!(kept(bench), ["20261128T120000Z-snapshot.db"]);
        }
    });
}

#[test]
fn what_a_killed_run_left_goes_with_the_next_one() {
    on_each_shell(|bench| {
        host(bench);
        bench.write("dies", "");
        assert_ne!(bench.run(&save(bench)).status, 0);
        let left = kept(bench);
        assert!(left.iter().any(|path| path.ends_with("/db.part")), "{left:?}");
        assert!(left.iter().all(|path| path.starts_with(".quorate-")), "{left:?}");
        std::fs::remove_file(bench.path("dies")).unwrap();
        assert_eq!(bench.done(&save(bench)), "changed");
        assert_eq!(kept(bench), ["20261128T120000Z-snapshot.db"]);
    });
}

#[test]
fn a_snapshot_that_etcd_does_not_finish_says_why_and_leaves_nothing() {
    on_each_shell(|bench| {
        host(bench);
        bench.write("breaks", "");
        let said = fails(&bench.run(&save(bench)));
        assert_eq!(said, "failed etcdctl could not save a snapshot: Error: no leader\n");
        bench.write("down", "");
        assert!(fails(&bench.run(&save(bench))).starts_with("failed the member does not answer"));
        assert_eq!(kept(bench), [""; 0]);
    });
}

#[test]
fn a_disk_without_room_for_it_is_left_alone() {
    on_each_shell(|bench| {
        host(bench);
        bench.program(
            "stat",
            "case $* in -f*) echo '200 * 1048576' ;; *) exec /usr/bin/stat \"$@\" ;; esac",
        );
        bench.write("size", &(72 * 1024 * 1024).to_string());
        let said = fails(&bench.run(&save(bench)));
        let why = format!("refused a snapshot needs 201 MiB in {}, and 200 MiB", bench.arg("data"));
        assert!(said.starts_with(&why), "{said}");
        assert!(!bench.path("asked").exists());
        bench.write("size", &(71 * 1024 * 1024).to_string());
        assert_eq!(bench.done(&save(bench)), "changed");
    });
}

#[test]
fn a_folder_that_leads_elsewhere_is_not_written_to() {
    on_each_shell(|bench| {
        host(bench);
        std::fs::create_dir(bench.path("elsewhere")).unwrap();
        std::os::unix::fs::symlink(bench.path("elsewhere"), bench.path("data/archived")).unwrap();
        assert!(fails(&bench.run(&save(bench))).contains("is not a directory"));
        assert_eq!(std::fs::read_dir(bench.path("elsewhere")).unwrap().count(), 0);
    });
}
