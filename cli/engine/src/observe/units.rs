//! What systemd says of the members' units.

use std::collections::BTreeSet;
use std::time::Duration;

use planner::facts::{DropIn, Observed, UnitFacts};

use super::records::Records;
use super::unread::Unread;
use remote::clean;

/// The facts of each unit that was asked for, in that order.
pub(super) fn read(records: &Records, asked: &[String]) -> Vec<Observed<UnitFacts>> {
    let blocks = blocks(records, asked.len());
    match blocks {
        Ok(blocks) => {
            let uptime = uptime(records);
            let read = |(unit, block): (&String, &str)| read_unit(unit, block, uptime);
            asked.iter().zip(blocks).map(read).collect()
        }
        Err(why) => asked.iter().map(|_| Observed::Unknown(why.to_string())).collect(),
    }
}

fn blocks(records: &Records, count: usize) -> Result<Vec<&str>, Unread> {
    let said = records.need("units", "what its units do")?;
    let (status, said) = said.split_once(' ').unwrap_or((said, ""));
    if status != "0" {
        let why = clean(said.lines().next().unwrap_or_default().as_bytes());
        return Err(Unread::odd(format!("systemctl failed: {why}")));
    }
    let blocks: Vec<&str> = said.trim_matches('\n').split("\n\n").collect();
    if blocks.len() == count {
        Ok(blocks)
    } else {
        Err(Unread::odd(format!("systemctl listed {} units, expected {count}", blocks.len())))
    }
}

/// The time since the kernel's boot, by the clock that systemd counts with.
fn uptime(records: &Records) -> Option<Duration> {
    records.text("uptime")?.trim().parse().ok().map(Duration::from_secs)
}

fn read_unit(unit: &str, block: &str, uptime: Option<Duration>) -> Observed<UnitFacts> {
    let property =
        |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let need = |name: &str| {
        property(name)
            .ok_or_else(|| Unread::odd(format!("systemctl did not say the {name} of {unit}")))
    };
    let read = || {
        if need("Id")? != unit {
            let other = clean(need("Id")?.as_bytes());
            return Err(Unread::odd(format!("{unit} is another name of {other}")));
        }
        let pid = need("MainPID")?;
        // A unit whose file was removed under a running process is still a unit.
        if need("LoadState")? == "not-found" && pid == "0" {
            return Ok(None);
        }
        Ok(Some(UnitFacts {
            active: clean(need("ActiveState")?.as_bytes()),
            sub: clean(need("SubState")?.as_bytes()),
            enabled: need("UnitFileState")? == "enabled",
            needs_reload: need("NeedDaemonReload")? == "yes",
            invocation: clean(need("InvocationID")?.as_bytes()),
            main_pid: pid
                .parse()
                .map_err(|_| Unread::odd(format!("systemctl printed an invalid pid for {unit}")))?,
            restarts: property("NRestarts")
                .and_then(|count| count.parse().ok())
                .unwrap_or_default(),
            running_for: property("ExecMainStartTimestampMonotonic")
                .filter(|start| pid != "0" && *start != "0")
                .and_then(|start| start.parse().ok().map(Duration::from_micros))
                .and_then(|start| uptime?.checked_sub(start)),
        }))
    };
    match read() {
        Ok(Some(facts)) => Observed::Known(facts),
        Ok(None) => Observed::Absent,
        Err(why) => Observed::Unknown(why.to_string()),
    }
}

/// The files that change a member's unit: `NAME,NAME, PATH` a line, with `?` where the file can't be read.
pub(super) fn drop_ins(records: &Records, cluster: &str) -> Observed<Vec<DropIn>> {
    match records.text(&format!("drop-ins:{cluster}")) {
        Some(said) => Observed::Known(said.lines().filter_map(drop_in).collect()),
        None => Observed::Unknown("the host did not say what changes its unit".to_owned()),
    }
}

fn drop_in(line: &str) -> Option<DropIn> {
    let (names, path) = line.split_once(' ')?;
    let path = clean(path.as_bytes());
    let is_name = |name: &&str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let sets: BTreeSet<String> = names
        .split(',')
        .filter(|name| !name.is_empty())
        .filter(is_name)
        .map(str::to_owned)
        .collect();
    let sets = match names {
        "?" => Observed::Unknown(format!("{path} can't be read")),
        _ => Observed::Known(sets),
    };
    Some(DropIn { path, sets })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNING: &str = "MainPID=412\nInvocationID=0f\nId=etcd-main.service\nLoadState=loaded\nActiveState=active\n\
        SubState=running\nDropInPaths=/etc/systemd/system/etcd-main.service.d/a.conf\n\
        UnitFileState=enabled\nNeedDaemonReload=no\n";
    const GONE: &str = "MainPID=0\nInvocationID=\nId=etcd-events.service\nLoadState=not-found\n\
        ActiveState=inactive\nSubState=dead\nDropInPaths=\nUnitFileState=\nNeedDaemonReload=no\n";

    fn units(said: &str) -> Vec<Observed<UnitFacts>> {
        let reply = format!("units {}\n{said}\n", said.len());
        let asked = ["etcd-main.service".to_owned(), "etcd-events.service".to_owned()];
        read(&Records::parse(reply.as_bytes()).unwrap(), &asked)
    }

    #[test]
    fn each_unit_is_read_from_its_own_block() {
        let units = units(&format!("0 {RUNNING}\n{GONE}"));
        let main = units[0].known().unwrap();
        assert_eq!((main.active.as_str(), main.main_pid, main.enabled), ("active", 412, true));
        assert!(units[1].is_absent());
    }

    #[test]
    fn how_long_a_process_runs_is_counted_from_its_own_start() {
        let running_for = |uptime: &str, start: &str, pid: &str| {
            let main = RUNNING.replace("MainPID=412", &format!("MainPID={pid}"));
            let said = format!("0 {main}ExecMainStartTimestampMonotonic={start}\n\n{GONE}");
            let reply =
                format!("uptime {}\n{uptime}\nunits {}\n{said}\n", uptime.len(), said.len());
            let asked = ["etcd-main.service".to_owned(), "etcd-events.service".to_owned()];
            read(&Records::parse(reply.as_bytes()).unwrap(), &asked)[0].known().unwrap().running_for
        };
        assert_eq!(running_for("100", "40000000", "412"), Some(Duration::from_secs(60)));
        for (uptime, start, pid) in [
            ("100", "40000000", "0"),
            ("100", "0", "412"),
            ("100", "-1", "412"),
            ("10", "40000000", "412"),
            ("?", "40000000", "412"),
        ] {
            assert_eq!(running_for(uptime, start, pid), None, "{uptime} {start} {pid}");
        }
    }

    #[test]
    fn a_drop_in_is_known_by_its_path_and_by_what_it_sets() {
        let said = "Environment,User, /etc/systemd/system/etcd-main.service.d/a b.conf\n\
            ? /run/systemd/system/service.d/x.conf\n, /etc/empty.conf\nno-path\n";
        let reply = format!("drop-ins:main {}\n{said}\n", said.len());
        let files = drop_ins(&Records::parse(reply.as_bytes()).unwrap(), "main");
        let Observed::Known(files) = files else { panic!("{files:?}") };
        assert_eq!(files.len(), 3);
        assert_eq!(files[0].name(), "a b.conf");
        assert!(files[0].sets("User") && files[0].sets("Environment") && !files[0].sets("Nice"));
        assert!(matches!(files[1].sets, Observed::Unknown(_)));
        assert_eq!(files[2].sets, Observed::Known(BTreeSet::new()));
        let nothing = drop_ins(&Records::parse(b"").unwrap(), "main");
        assert!(matches!(nothing, Observed::Unknown(_)));
    }

    #[test]
    fn a_process_outlives_its_unit_file() {
        let running = RUNNING.replace("LoadState=loaded", "LoadState=not-found");
        assert!(units(&format!("0 {running}\n{GONE}"))[0].known().is_some_and(UnitFacts::is_up));
    }

    #[test]
    fn a_systemctl_that_fails_makes_units_unknown() {
        for said in [
            "1 System has not been booted with systemd as init system (PID 1). Can't operate.",
            "124 ",
            "0 ",
            &format!("0 {RUNNING}"),
            &format!("0 {GONE}\n{RUNNING}"),
        ] {
            for unit in units(said) {
                assert!(matches!(unit, Observed::Unknown(_)), "{said}");
            }
        }
        let nothing = read(&Records::parse(b"").unwrap(), &["etcd-main.service".to_owned()]);
        assert_eq!(
            nothing,
            [Observed::Unknown("the host did not say what its units do".to_owned())]
        );
    }
}
