//! The first apply of three members, beside the minimum of manual work for it: log in to
//! each host, send the release's archive there, and start etcd from files that are ready.

use std::time::{Duration, Instant};

use quorate_lab::Host;
use quorate_lab::releases;
use quorate_lab::site::SiteOptions;
use serde::Serialize;

use crate::Failure;
use crate::bare::{on, on_each};
use crate::measure::{Spread, median, together};
use crate::results::say;
use crate::site::Site;

const ROUNDS: usize = 3;

/// What a first apply costs.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct FirstApply {
    /// Our first apply.
    ours_s: Spread,
    /// The same done manually, in seconds: the sum of the three parts.
    bare_s: f64,
    /// A login on each host, side by side.
    bare_logins_s: f64,
    /// The archive to each host over a login of its own, side by side.
    bare_archive_s: f64,
    /// Three etcds started from ready files, until the cluster answers.
    bare_start_s: f64,
    /// Ratio of the medians.
    ratio: f64,
}

impl FirstApply {
    /// One row of the table.
    pub(crate) fn row(&self) -> [String; 3] {
        let Self { bare_logins_s, bare_archive_s, bare_start_s, .. } = self;
        [
            self.ours_s.to_string(),
            format!(
                "{:.2} (logins {bare_logins_s:.2}, archive {bare_archive_s:.2}, etcd {bare_start_s:.2})",
                self.bare_s
            ),
            format!("{:.2} (aim 1.2)", self.ratio),
        ]
    }
}

/// Measures both on new hosts, several times.
pub(crate) fn measure() -> Result<FirstApply, Failure> {
    let mut rounds = Vec::new();
    for round in 1..=ROUNDS {
        say(&format!("the first apply of three members, {round} of {ROUNDS}"));
        let site = Site::new(3)?;
        // A host that still boots has no time for anybody.
        on_each(&site, None, |_| {
            Ok("systemctl is-system-running --wait >/dev/null || true".into())
        })?;
        let ours = together([&site.apply()])?.wall_s;
        let (logins, archive, start) = by_hand(&site)?;
        rounds.push([ours, logins.as_secs_f64(), archive.as_secs_f64(), start.as_secs_f64()]);
    }
    let of = |index: usize| median(rounds.iter().map(|round| round[index]));
    let ours_s = Spread::from_values(rounds.iter().map(|round| round[0]));
    let (bare_logins_s, bare_archive_s, bare_start_s) = (of(1), of(2), of(3));
    let bare_s = bare_logins_s + bare_archive_s + bare_start_s;
    Ok(FirstApply {
        ours_s,
        bare_s,
        bare_logins_s,
        bare_archive_s,
        bare_start_s,
        ratio: ours_s.median / bare_s,
    })
}

/// What the three parts take on hosts where we have just formed the cluster.
fn by_hand(site: &Site) -> Result<(Duration, Duration, Duration), Failure> {
    let version = SiteOptions::default().version;
    let release = releases::ensure(version, |_| {})?;
    let logins = on_each(site, None, |_| Ok("true".to_owned()))?;
    let archive = on_each(site, Some(&release.archive), |_| Ok("cat >/root/archive".to_owned()))?;
    let starts = site.hosts()?.iter().map(start).collect::<Result<Vec<_>, _>>()?;
    on_each(site, None, |_| {
        Ok("systemctl stop etcd-main && install -d -o etcd -g etcd -m 700 /var/lib/etcd/bare"
            .into())
    })?;
    let mut starts = starts.into_iter();
    let started = Instant::now();
    on_each(site, None, |_| Ok(starts.next().unwrap_or_default()))?;
    let first = site.hosts()?.into_iter().next().ok_or("no host")?;
    let pki = "/etc/etcd/main/pki/current";
    on(
        &first,
        &format!(
            "/opt/quorate/etcd/{version}/etcdctl --endpoints https://127.0.0.1:2379 \
             --cacert {pki}/client-ca.crt --cert {pki}/healthcheck.crt --key {pki}/healthcheck.key \
             endpoint health --cluster"
        ),
    )?;
    Ok((logins, archive, started.elapsed()))
}

/// The command that starts the member as it was started first, on a data directory of its own, and
/// ends when it is ready.
fn start(host: &Host) -> Result<String, Failure> {
    let pid = on(host, "systemctl show -P MainPID etcd-main")?;
    let words = on(host, &format!("tr '\\0' '\\n' </proc/{}/cmdline", pid.trim()))?;
    let words: Vec<String> = words
        .lines()
        .map(|word| word.replace("/var/lib/etcd/main", "/var/lib/etcd/bare"))
        .map(|word| format!("'{word}'"))
        .collect();
    if !words.iter().any(|word| word.contains("--initial-cluster-state=new")) {
        return Err(format!("{}: it was not started as a new member", host.name()).into());
    }
    Ok(format!(
        "systemd-run -q --unit bare -p Type=notify -p User=etcd -p LimitNOFILE=65536 {}",
        words.join(" ")
    ))
}
