//! What a lab leaves on the machine, found without asking the lab.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Everything on this machine that bears a lab's name, by kind.
pub(crate) fn of(lab: &str) -> BTreeMap<&'static str, Vec<String>> {
    let thing = format!("quorate-{lab}-");
    let disks = format!("/disks/{lab}/");
    let mut processes = Vec::new();
    for pid in names_in("/proc").into_iter().filter(|name| name.parse::<u32>().is_ok()) {
        let read =
            |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        // A process without a command line is the machine's own, or dead and not yet buried.
        if read("cgroup").contains(&thing) && !read("cmdline").is_empty() {
            processes.push(pid);
        }
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let groups = printed("find", &["/sys/fs/cgroup", "-type", "d", "-name", &format!("{thing}*")]);
    let loops = printed("losetup", &["--list", "--noheadings", "--output", "BACK-FILE"]);
    BTreeMap::from([
        ("processes", processes),
        ("namespaces", containing(&names_in("/run/netns").join("\n"), &thing)),
        ("links", containing(&names_in("/sys/class/net").join("\n"), &format!("ql-{lab}"))),
        ("mounts", containing(&mounts, &disks)),
        ("loop devices", containing(&loops, &disks)),
        ("control groups", containing(&groups, &thing)),
        ("containers", containing(&names_in("/run/systemd/nspawn/propagate").join("\n"), &thing)),
        ("state", existing(&format!("/run/quorate-lab/{lab}"))),
    ])
}

/// The kinds of which something is there.
pub(crate) fn kinds(lab: &str) -> Vec<&'static str> {
    of(lab).into_iter().filter(|(_, found)| !found.is_empty()).map(|(kind, _)| kind).collect()
}

fn names_in(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn existing(path: &str) -> Vec<String> {
    if Path::new(path).exists() { vec![path.to_owned()] } else { Vec::new() }
}

fn containing(text: &str, part: &str) -> Vec<String> {
    text.lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
}

fn printed(program: &str, args: &[&str]) -> String {
    String::from_utf8(Command::new(program).args(args).output().unwrap().stdout).unwrap()
}
