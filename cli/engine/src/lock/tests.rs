//! The lock on hosts of a test's own: each is an sshd whose scripts find a folder of their own in the
//! place of `/var/lib`.

mod lost;

use super::*;
use crate::sessions::history;
use remote::test_server::Sshd;

const COMMAND: &str = r#"map=
[ "$(id -u)" = 0 ] || map='--user --map-root-user'
exec unshare $map --mount sh -c 'mount --bind "$1" /var/lib && exec sh -c "$SSH_ORIGINAL_COMMAND"' sh "${0%/*}/lib""#;

fn host() -> Sshd {
    let host = Sshd::with("ForceCommand {dir}/command");
    host.program("command", COMMAND);
    std::fs::create_dir(host.path("lib")).unwrap();
    host
}

fn name(name: &str) -> HostName {
    name.parse().unwrap()
}

fn pool(hosts: &[(&str, &Sshd)]) -> Arc<Pool> {
    let targets = hosts.iter().map(|(host, sshd)| (name(host), sshd.target())).collect();
    Arc::new(Pool::new(targets, 4))
}

fn claim(owner: &str) -> Claim {
    Claim { owner: owner.to_owned(), since: "noon".to_owned(), why: "a test".to_owned() }
}

async fn held(pool: &Arc<Pool>, host: &str) -> Option<String> {
    holder(pool, &name(host), false).await.unwrap()
}

#[tokio::test]
async fn a_run_that_is_refused_on_one_host_leaves_none_locked() {
    let (a, b) = (host(), host());
    let pool = pool(&[("a", &a), ("b", &b)]);
    let [only_b, both] = [vec!["b"], vec!["a", "b"]]
        .map(|hosts| hosts.into_iter().map(name).collect::<BTreeSet<HostName>>());
    let mut first = take(&pool, &only_b, &BTreeMap::new(), &claim("ann@a")).await.unwrap();
    let refused = take(&pool, &both, &BTreeMap::new(), &claim("bob@b")).await.unwrap_err();
    assert!(matches!(&refused, LockError::Held { host, .. } if *host == name("b")), "{refused}");
    assert!(refused.to_string().contains("ann@a holds the lock since noon: a test"), "{refused}");
    assert_eq!(held(&pool, "a").await, None);
    assert_eq!(held(&pool, "b").await.as_deref(), Some("ann@a, since noon: a test"));

    first.free().await;
    assert_eq!(held(&pool, "b").await, None);
    let lock = take(&pool, &both, &BTreeMap::new(), &claim("bob@b")).await.unwrap();
    assert_eq!(lock.generations, BTreeMap::from([(name("a"), 2), (name("b"), 2)]));
    assert!(held(&pool, "a").await.is_some() && held(&pool, "b").await.is_some());
}

/// A name may point elsewhere since the plan was made: there no lock is taken, kept or given back.
#[tokio::test]
async fn the_lock_is_taken_on_the_machine_of_the_plan_alone() {
    let a = host();
    let pool = pool(&[("a", &a)]);
    let hosts = BTreeSet::from([name("a")]);
    let of = |id: String| BTreeMap::from([(name("a"), Machine { id: Some(id), address: None })]);
    let refused = take(&pool, &hosts, &of("0".repeat(32)), &claim("ann@a")).await.unwrap_err();
    assert!(refused.to_string().contains("leads to another machine"), "{refused}");
    assert!(!a.path("lib/quorate").exists());
    let own = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let mut lock = take(&pool, &hosts, &of(own.trim().to_owned()), &claim("ann@a")).await.unwrap();
    assert!(held(&pool, "a").await.is_some());
    lock.free().await;
    assert_eq!(held(&pool, "a").await, None);
}

#[tokio::test]
async fn a_long_history_is_read_whole() {
    let a = host();
    std::fs::create_dir(a.path("lib/quorate")).unwrap();
    let line = format!("{{\"step\":\"{}\"}}\n", "x".repeat(180));
    std::fs::write(a.path("lib/quorate/journal"), line.repeat(5000)).unwrap();
    let pool = pool(&[("a", &a)]);
    for lines in [1, 400, 5000] {
        let read = history::last(&pool, &name("a"), lines).await.unwrap();
        assert_eq!(read.lines().count(), lines as usize);
    }
    assert_eq!(history::last(&pool, &name("a"), 6000).await.unwrap().lines().count(), 5000);
}

/// The first host decides between two runs that start at once: the run that does not get it asks no other host.
#[tokio::test]
async fn a_run_that_is_refused_on_the_first_host_tries_no_other() {
    let (a, b) = (host(), host());
    let pool = pool(&[("a", &a), ("b", &b)]);
    let [only_a, both] = [vec!["a"], vec!["a", "b"]]
        .map(|hosts| hosts.into_iter().map(name).collect::<BTreeSet<HostName>>());
    let _first = take(&pool, &only_a, &BTreeMap::new(), &claim("ann@a")).await.unwrap();
    take(&pool, &both, &BTreeMap::new(), &claim("bob@b")).await.unwrap_err();
    assert!(!b.path("lib/quorate/lock").exists());
}

#[tokio::test]
async fn a_host_that_went_away_is_away_and_leaves_none_locked() {
    let (a, b) = (host(), host());
    let pool = pool(&[("a", &a), ("b", &b)]);
    drop(b);
    let both: BTreeSet<HostName> = ["a", "b"].into_iter().map(name).collect();
    let refused = take(&pool, &both, &BTreeMap::new(), &claim("ann@a")).await.unwrap_err();
    assert!(matches!(&refused, LockError::Away { host, .. } if *host == name("b")), "{refused:?}");
    assert_eq!(held(&pool, "a").await, None);
}

#[test]
fn the_refusal_that_is_reported_does_not_depend_on_which_host_is_faster() {
    let (why, who) = ("no answer".to_owned(), "ann@a".to_owned());
    let refusals = || {
        vec![
            LockError::Failed { host: name("a"), why: why.clone() },
            LockError::Away { host: name("b"), why: why.clone() },
            LockError::Held { host: name("d"), who: who.clone(), left: 7 },
            LockError::Held { host: name("c"), who: who.clone(), left: 7 },
        ]
    };
    let told = |refusals: Vec<LockError>| foremost(refusals).map(|error| error.to_string());
    assert_eq!(told(refusals()).as_deref(), Some("c: ann@a"));
    assert_eq!(told(refusals().into_iter().rev().collect()).as_deref(), Some("c: ann@a"));
    assert_eq!(told(refusals().into_iter().take(2).collect()).as_deref(), Some("b: no answer"));
    assert_eq!(told(Vec::new()), None);
}
