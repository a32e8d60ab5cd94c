//! A host on which somebody writes while it is looked at.

use planner::facts::Observed;

use super::{SHELLS, host, now, request};
use crate::hosts::Timed;
use crate::observe::{MOST_LOOKS, observe};
use crate::pool::Pool;
use remote::test_server::Sshd;

/// Gives a host a `/var/lib` of its own, and programs that come before the system's.
const COMMAND: &str = r#"map=
[ "$(id -u)" = 0 ] || map='--user --map-root-user'
exec unshare $map --mount sh -c 'mount --bind "$1/lib" /var/lib && mount --bind "$1/bin" /usr/local/bin &&
    exec sh -c "$SSH_ORIGINAL_COMMAND"' sh "${0%/*}""#;

/// A host of site `lab` that counts the looks at it.
fn counting() -> Sshd {
    let sshd = Sshd::with("ForceCommand {dir}/command\nAllowTcpForwarding no");
    sshd.program("command", COMMAND);
    std::fs::create_dir_all(sshd.path("lib/quorate/torn")).expect("a directory");
    std::fs::write(sshd.path("lib/quorate/site"), "lab\n").expect("a file");
    // Each look asks for it once.
    let dir = sshd.dir.path().display();
    sshd.program("bin/uname", &format!("echo >>{dir}/looks\nexec /bin/uname \"$@\""));
    sshd
}

/// A host whose site is written again between its digest and its text, so many times.
fn restless(times: u32) -> Sshd {
    let sshd = counting();
    let dir = sshd.dir.path().display().to_string();
    sshd.program(
        "bin/cat",
        &format!(
            "echo >>{dir}/reads\n\
             [ $(wc -l <{dir}/reads) -gt {times} ] || printf 'a' | /bin/cat - {dir}/lib/quorate/site >{dir}/new\n\
             [ ! -e {dir}/new ] || mv {dir}/new {dir}/lib/quorate/site\n\
             exec /bin/cat \"$@\""
        ),
    );
    sshd
}

/// The cluster has a name that no lab uses: the processes of one that is up are to be seen here.
async fn site_of(sshd: &Sshd) -> Observed<String> {
    let spec = super::spec(
        r#"
        [site]
        name = "lab"
        [hosts.etcd-1]
        address = "192.0.2.1"
        [clusters.torn]
        version = "3.6.16"
        members = ["etcd-1"]
        [pki]
        plain-keys = true
        [release.sha256]
        "3.6.16-amd64" = "0000000000000000000000000000000000000000000000000000000000000000"
    "#,
    );
    let name: inventories::HostName = "etcd-1".parse().expect("a name");
    let pool = Pool::new([(name.clone(), sshd.target())].into(), 4).into();
    let facts = observe(&pool, &spec, Timed::Nothing).await;
    match &facts.hosts[&name] {
        Observed::Known(host) => match &host.site {
            Observed::Known(site) => Observed::Known(site.to_string()),
            Observed::Absent => Observed::Absent,
            Observed::Unknown(why) => Observed::Unknown(why.clone()),
        },
        other => panic!("{other:?}"),
    }
}

fn looks(sshd: &Sshd) -> usize {
    std::fs::read_to_string(sshd.path("looks")).expect("a count").lines().count()
}

#[tokio::test]
async fn what_is_written_during_a_look_is_looked_at_again() {
    let sshd = restless(1);
    assert_eq!(site_of(&sshd).await, Observed::Known("alab".to_owned()));
    assert_eq!(looks(&sshd), 2);
}

#[tokio::test]
async fn a_file_that_never_rests_is_unknown_and_does_not_hold_up_the_look() {
    let sshd = restless(u32::MAX);
    assert!(matches!(site_of(&sshd).await, Observed::Unknown(_)));
    assert_eq!(looks(&sshd), MOST_LOOKS as usize);
}

/// A member that was in a quorum and has no log may have started its log between the looks at two hosts.
#[tokio::test]
async fn a_member_that_seems_to_have_lost_its_log_is_looked_at_twice() {
    for (was_in_a_quorum, expected) in [(false, 1), (true, 2)] {
        let sshd = counting();
        if was_in_a_quorum {
            std::fs::write(sshd.path("lib/quorate/torn/quorum-seen"), "").expect("a file");
        }
        assert_eq!(site_of(&sshd).await, Observed::Known("lab".to_owned()));
        assert_eq!(looks(&sshd), expected);
    }
}

#[test]
fn a_host_at_rest_is_looked_at_once() {
    let tree = super::started_member();
    for shell in SHELLS {
        assert!(!host::seen(&request(), &tree.records(shell), now()).expect("facts").torn);
    }
}
