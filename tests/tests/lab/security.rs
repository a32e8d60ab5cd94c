//! What a formed cluster looks like to somebody who distrusts quorate: the unit, the files, the
//! certificates.

use std::fs;

use quorate_lab::site::Runtime;
use quorate_lab::{Host, SiteOptions};

use crate::harness::{Stage, eventually, here, on, options};

/// What `systemd-analyze security` may find at most, of 10.
const MOST_EXPOSURE: f64 = 1.5;

#[test]
fn the_running_unit_and_its_files_are_closed() {
    let stage = Stage::formed("x-files", 3, &SiteOptions::default());
    for host in stage.hosts() {
        exposure(&host);
        modes(&host);
        process(&host);
    }
    println!("systemd-analyze security: {}", exposure(&stage.host(1)));
}

fn exposure(host: &Host) -> f64 {
    let last = on(host, "systemd-analyze security --no-pager etcd-main.service | tail -1");
    // → Overall exposure level for etcd-main.service: 1.2 OK :-)
    let level = last.split(": ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    let level: f64 = level.parse().unwrap_or_else(|_| panic!("{last}"));
    assert!(level <= MOST_EXPOSURE, "{last}");
    on(host, "systemd-analyze verify /etc/systemd/system/etcd-main.service");
    level
}

fn modes(host: &Host) {
    let mode = |path: &str| on(host, &format!("stat -L -c '%a %U:%G' {path}"));
    let pki = "/etc/etcd/main/pki/current";
    for key in ["server.key", "peer.key", "healthcheck.key"] {
        assert_eq!(mode(&format!("{pki}/{key}")), "600 etcd:etcd", "{key}");
    }
    assert_eq!(mode("/var/lib/etcd/main"), "700 etcd:etcd");
    assert_eq!(mode("/var/lib/etcd/main/member"), "700 etcd:etcd");
    assert_eq!(mode("/var/lib/quorate"), "700 root:root");
    assert_eq!(mode("/etc/systemd/system/etcd-main.service"), "644 root:root");
    let open = "find /etc/etcd /var/lib/etcd /var/lib/quorate /opt/quorate -perm /022 ! -type l";
    assert_eq!(on(host, open), "", "others may write there");
    let not_root_s = "find /opt/quorate ! -user root";
    assert_eq!(on(host, not_root_s), "", "the owner of a binary can change it");
    assert_eq!(on(host, "getent passwd etcd | cut -d: -f7 | grep -c nologin"), "1");
}

fn process(host: &Host) {
    let status = on(host, "cat /proc/$(pgrep -x etcd)/status");
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(field("CapEff:"), ["0000000000000000"]);
    assert_eq!(field("NoNewPrivs:"), ["1"]);
    assert_eq!(field("Seccomp:"), ["2"]);
    let owner = on(host, "ps -o user= -p $(pgrep -x etcd)");
    assert_eq!(owner, "etcd");
}

/// An etcd that somebody took over can write its data directory, and end itself.
#[test]
fn a_link_in_a_pod_s_data_directory_shows_it_nothing_of_the_host() {
    let stage = Stage::formed("x-link", 1, &options(Runtime::StaticPod));
    let host = stage.host(1);
    let attack = "cd /var/lib/etcd/main && mv member real && ln -s / member && pkill -KILL -x etcd";
    on(&host, &format!("setpriv --reuid=etcd --regid=etcd --clear-groups sh -c '{attack}'"));
    // The container is started again at once, and ends soon: what it saw must be caught meanwhile.
    let mounts = on(
        &host,
        "timeout 60 sh -c 'until p=$(pgrep -x etcd) && cat /proc/$p/mountinfo 2>/dev/null; do :; done'",
    );
    let points: Vec<&str> = mounts.lines().filter_map(|line| line.split(' ').nth(4)).collect();
    assert!(points.contains(&"/var/lib/etcd/main"), "{mounts}");
    let known = ["/", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/etcd/main/pki"];
    let of_the_runtime =
        |point: &str| ["/proc", "/dev", "/sys"].iter().any(|root| point.starts_with(root));
    for point in points {
        let is_known = known.contains(&point) || point == "/var/lib/etcd/main";
        assert!(is_known || of_the_runtime(point), "{point} is mounted: {mounts}");
    }
    // Undone, the member is what it was.
    on(&host, "cd /var/lib/etcd/main && rm member && mv real member");
    eventually("the member is back", || stage.run(&["status"]).code == Some(0));
}

/// What somebody could do who took over the etcd of one cluster, with its user and in what it sees of the
/// host: read the keys and the data of another cluster that is there too.
pub(crate) fn a_taken_over_etcd_reads_nothing_of_another_cluster(host: &Host) {
    let pid =
        |cluster: &str| on(host, &format!("systemctl show -p MainPID --value etcd-{cluster}"));
    let (events, main) = (pid("events"), pid("main"));
    // The same commands find the attacker's own cluster, so that what they don't find is hidden.
    let key = "pki/current/server.key";
    let attack = |command: &str| {
        let user = "setpriv --reuid etcd --regid etcd --clear-groups --no-new-privs";
        on(
            host,
            &format!("nsenter --target {events} --mount {user} sh -c '({command}) 2>&1 || true'"),
        )
    };
    assert!(attack(&format!("cat /etc/etcd/events/{key}")).contains("PRIVATE KEY"));
    assert_eq!(
        attack("ls /etc/etcd /var/lib/etcd"),
        "/etc/etcd:\nevents\n\n/var/lib/etcd:\nevents"
    );
    assert!(attack("ls /var/lib/etcd/events").contains("member"));
    for path in [format!("/etc/etcd/main/{key}"), "/var/lib/etcd/main".to_owned()] {
        assert!(attack(&format!("ls {path}")).contains("No such file"), "{path}");
    }
    assert!(attack("touch /etc/etcd/events/x").contains("Read-only"));
    assert!(attack("mkdir /var/lib/etcd/main").contains("Read-only"));
    assert_eq!(
        attack("touch /var/lib/etcd/events/x && rm /var/lib/etcd/events/x && echo done"),
        "done"
    );
    // The other process has the same user; what it sees of the host is not for this one either.
    let way = format!("ls /proc/{main}/root/var/lib/etcd/main /proc/{main}/fd");
    let ids = "--setuid $(id -u etcd) --setgid $(id -g etcd)";
    let inside =
        format!("nsenter --target {events} --user --mount {ids} sh -c '({way}) 2>&1 || true'");
    let said = on(host, &inside);
    assert_eq!(said.matches("No such file").count(), 2, "{said}");
}

#[test]
fn every_installed_certificate_passes_openssl() {
    let stage = Stage::formed("x-certs", 3, &SiteOptions::default());
    for host in stage.hosts() {
        let folder = stage.folder().join(host.name());
        fs::create_dir_all(&folder).unwrap();
        let path = |name: &str| folder.join(name).display().to_string();
        for name in ["client-ca.crt", "peer-ca.crt", "server.crt", "peer.crt", "healthcheck.crt"] {
            let text = on(&host, &format!("cat /etc/etcd/main/pki/current/{name}"));
            fs::write(folder.join(name), text + "\n").unwrap();
        }
        let verify = |ca: &str, purpose: &str, name: &str| {
            let (ca, leaf) = (path(ca), path(name));
            let arguments = [
                "verify",
                "-x509_strict",
                "-check_ss_sig",
                "-purpose",
                purpose,
                "-CAfile",
                &ca,
                &leaf,
            ];
            here("openssl", &arguments)
        };
        for (ca, purpose, name) in [
            ("client-ca.crt", "sslserver", "server.crt"),
            ("client-ca.crt", "sslclient", "server.crt"),
            ("peer-ca.crt", "sslserver", "peer.crt"),
            ("peer-ca.crt", "sslclient", "peer.crt"),
            ("client-ca.crt", "sslclient", "healthcheck.crt"),
        ] {
            verify(ca, purpose, name);
        }
        let address = host.address().to_string();
        for (name, address) in
            [("server.crt", &*address), ("server.crt", "127.0.0.1"), ("peer.crt", &*address)]
        {
            let leaf = path(name);
            let said = here("openssl", &["x509", "-in", &leaf, "-noout", "-checkip", address]);
            assert!(said.contains("does match"), "{name}: {said}");
        }
    }
}
