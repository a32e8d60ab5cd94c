//! Rewriting a member's database without its free pages, by the member or while it is stopped.

use std::time::Duration;

use inventories::inventory::Runtime;
use inventories::{EtcdVersion, Minor};
use planner::plan::{BYTES_A_SECOND, DefragRule, DefragWay};
use remote::{Call, clean};
use templates::layout::ReleaseLayout;

use super::{MemberStep, pods};
use crate::hosts::{Defragmented, Done};
use crate::lock::LockedConnection;
use crate::script::{
    self, answer,
    call::{self, Arguments},
    failure::Failure,
};

/// What the client waits beside the time that the size explains, in seconds: a disk may be busy for that long.
const LEAST: u64 = 30;
/// The longest that the client waits, in seconds. It gives up the answer alone: the member continues.
const MOST: u64 = 600;
/// How long a member may take after that to serve again, in seconds; a member that was stopped reads its database and
/// catches up with the log.
const PATIENCE: u64 = 600;
/// The longest that the tool may take on a stopped member, in seconds: 8 GB, the largest database that etcd's guide
/// speaks of, at little more than a megabyte a second.
const LONGEST: u64 = 2 * 60 * 60;

/// What is asked of a step.
pub(crate) struct Wanted<'a> {
    pub(crate) way: DefragWay,
    pub(crate) endpoint: &'a str,
    pub(crate) rule: DefragRule,
    pub(crate) version: EtcdVersion,
}

/// Does it, and tells how long the member stood still.
pub(crate) async fn run(
    step: &MemberStep<'_>,
    wanted: &Wanted<'_>,
    connection: &LockedConnection,
) -> Result<Done, Failure> {
    let call = match wanted.way {
        DefragWay::Online => online(step, wanted)?,
        DefragWay::Stopped(runtime) => stopped(step, wanted, runtime)?,
    };
    let answer = answer::read(&connection.run(call).await?)?;
    match answer.done {
        Done::Changed => told(&answer.body).map(Done::Defragmented),
        other => Ok(other),
    }
}

fn online(step: &MemberStep<'_>, wanted: &Wanted<'_>) -> Result<Call, Failure> {
    let args = of_both(step, wanted)
        .with("rate", BYTES_A_SECOND)
        .with("least", LEAST)
        .with("most", MOST)
        .with("seconds", PATIENCE);
    Ok(call::patient(call::guarded(step, script::DEFRAGMENT, args)?, MOST + 2 * PATIENCE))
}

fn stopped(step: &MemberStep<'_>, wanted: &Wanted<'_>, runtime: Runtime) -> Result<Call, Failure> {
    let layout = &step.layout;
    let args = of_both(step, wanted)
        .with("tool", tool(wanted.version))
        .with("wal", layout.wal_dir())
        .with("runtime", runtime.as_str())
        .with("unit", layout.unit_name())
        .with("pod", layout.pod_name())
        .with("manifest", layout.pod_manifest())
        .with("kept", layout.kept_manifest())
        .with("seconds", PATIENCE)
        .with("end_seconds", pods::END)
        .with("most", LONGEST);
    let call = call::guarded(step, script::DEFRAGMENT_STOPPED, args)?;
    Ok(call::patient(call, LONGEST + 2 * pods::END + 2 * PATIENCE))
}

fn of_both(step: &MemberStep<'_>, wanted: &Wanted<'_>) -> Arguments {
    let DefragRule { min_free_percent, min_free_bytes } = wanted.rule;
    Arguments::new()
        .with_etcdctl(&step.layout, wanted.version)
        .with("own", wanted.endpoint)
        .with("data", step.layout.data_dir())
        .with("test_key", "/quorate/defragment")
        .with("percent", min_free_percent)
        .with("bytes", min_free_bytes)
}

/// What rewrites a database that no etcd has open.
fn tool(version: EtcdVersion) -> String {
    let release = ReleaseLayout::new(version);
    match version.minor() {
        Minor::V3_4 => release.etcdctl(),
        _ => release.etcdutl(),
    }
}

/// What the script printed before its last word.
fn told(body: &str) -> Result<Defragmented, Failure> {
    let number = |key: &str| -> Result<u64, Failure> {
        let line = body.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        let number = line.and_then(|number| number.parse().ok());
        number.ok_or_else(|| {
            Failure::failed(format!(
                "the database was defragmented, and the host did not say {key}: {}",
                clean(body.as_bytes())
            ))
        })
    };
    Ok(Defragmented {
        stood_still: Duration::from_millis(number("stood-still-ms")?),
        before: number("before")?,
        after: number("after")?,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use planner::Step;
    use planner::plan::{Action, Guard, StepKind, Why};

    use super::*;
    use crate::script::tests::bench::keys_of;

    fn check(version: &str, way: DefragWay, look: impl Fn(&Call)) {
        let wanted = Wanted {
            way,
            endpoint: "https://127.0.0.1:2379",
            rule: DefragRule::default(),
            version: version.parse().unwrap(),
        };
        let step = Step {
            id: "etcd-3/main/defragment".parse().unwrap(),
            action: Action::Run,
            kind: StepKind::NoteRestart,
            guard: Guard::Nothing,
            after: BTreeSet::new(),
            why: Why::Unfinished,
        };
        let cluster = "main".parse().unwrap();
        let step = MemberStep::new(&step, &cluster);
        let call = match way {
            DefragWay::Online => online(&step, &wanted),
            DefragWay::Stopped(runtime) => stopped(&step, &wanted, runtime),
        };
        look(&call.unwrap());
    }

    #[test]
    fn each_script_is_given_the_arguments_that_it_names_and_time_for_all_of_it() {
        let ways = [
            DefragWay::Online,
            DefragWay::Stopped(Runtime::Systemd),
            DefragWay::Stopped(Runtime::StaticPod),
        ];
        for way in ways {
            check("3.6.16", way, |call| {
                let given = call.args.iter().map(|argument| argument.split_once('=').unwrap().0);
                assert_eq!(given.collect::<Vec<_>>(), keys_of(call.script));
                let waits = script::waits(call.script) + Duration::from_secs(MOST + 2 * PATIENCE);
                assert!(call.deadline > waits, "{way:?}");
            });
        }
    }

    /// 3.4 has no etcdutl.
    #[test]
    fn a_stopped_member_is_defragmented_by_the_tool_that_its_release_has() {
        for (version, tool) in [
            ("3.4.23", "etcdctl"),
            ("3.5.35", "etcdutl"),
            ("3.6.16", "etcdutl"),
            ("3.7.3", "etcdutl"),
        ] {
            check(version, DefragWay::Stopped(Runtime::Systemd), |call| {
                let wanted = format!("tool=/opt/quorate/etcd/{version}/{tool}");
                assert!(call.args.contains(&wanted), "{:?}", call.args);
            });
        }
    }

    #[test]
    fn what_the_script_says_is_read_and_nothing_else() {
        let read = told("stood-still-ms 1230\nbefore 400\nafter 60").unwrap();
        let stood_still = Duration::from_millis(1230);
        assert_eq!(read, Defragmented { stood_still, before: 400, after: 60 });
        for body in
            ["", "stood-still-ms\nbefore 1\nafter 1", "stood-still-ms -1\nbefore 1\nafter 1"]
        {
            assert!(told(body).is_err(), "{body}");
        }
    }
}
