//! Programs of a host that talk without end.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use planner::facts::Observed;
use templates::layout::ReleaseLayout;

use super::{SHELLS, Tree, member};
use test_kit::executable::executable;

/// Repaints a terminal, gives a command to the CI system that runs the job, and breaks out of JSON.
const LINE: &str = "\\033]0;pwned\\007\\033[2J::error::pwned ##[error]pwned \\\"}]";

fn program(tree: &Tree, path: &str, text: &str) {
    executable(tree.path(path).as_ref(), &format!("#!/bin/sh\n{text}\n"));
}

#[test]
fn an_etcdctl_that_talks_without_end_is_cut_off_and_hides_nothing_else() {
    let tree = Tree::new();
    let mut units = String::new();
    for cluster in ["events", "main"] {
        let pid = std::process::id();
        let _ = write!(
            units,
            "MainPID={pid}\nInvocationID=0f\nId=etcd-{cluster}.service\nLoadState=loaded\nActiveState=active\n\
             SubState=running\nDropInPaths=\nUnitFileState=enabled\nNeedDaemonReload=no\n\n"
        );
    }
    program(&tree, "/bin/systemctl", &format!("cat <<'UNITS'\n{}\nUNITS", units.trim_end()));
    for version in ["3.5.35", "3.6.16"] {
        let etcdctl = ReleaseLayout::new(version.parse().expect("a version")).etcdctl();
        program(&tree, &etcdctl, &format!("yes \"$(printf '{LINE}')\""));
    }
    for shell in SHELLS {
        let started = Instant::now();
        let facts = tree.facts(shell);
        assert!(started.elapsed() < Duration::from_secs(4), "{shell:?}: {:?}", started.elapsed());
        for cluster in ["events", "main"] {
            let member = member(&facts, cluster);
            assert!(member.unit.known().is_some(), "{:?}", member.unit);
            let Observed::Unknown(why) = &member.etcd else { panic!("{:?}", member.etcd) };
            assert!(why.chars().count() <= 300 && !why.chars().any(char::is_control), "{why}");
        }
    }
}
