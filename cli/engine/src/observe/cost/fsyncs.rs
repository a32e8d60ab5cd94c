//! The histogram in which a member counts the fsyncs of its log.

use std::time::Duration;

use inventories::ClusterName;
use planner::facts::DiskTime;

const BUCKET: &str = "etcd_disk_wal_fsync_duration_seconds_bucket{le=\"";

/// The time within which 99 of 100 ended, told from the histogram's lines as Prometheus does it:
/// as if the fsyncs of a bucket were spread evenly over it.
pub(super) fn read(cluster: ClusterName, lines: &str) -> DiskTime {
    let buckets: Vec<(f64, u64)> = lines.lines().filter_map(bucket).collect();
    let Some((_, fsyncs)) = buckets.last().copied() else {
        return DiskTime::Unmeasured(format!(
            "the member of {cluster} runs on this disk, and its metrics could not be read (curl, \
             wget or bash is needed on the host)"
        ));
    };
    if fsyncs == 0 {
        let why = format!("the member of {cluster} runs on this disk and has synced nothing yet");
        return DiskTime::Unmeasured(why);
    }
    match quantile(&buckets, fsyncs as f64 * 0.99).map(Duration::try_from_secs_f64) {
        Some(Ok(p99)) => DiskTime::Member { cluster, p99, fsyncs },
        _ => DiskTime::Unmeasured(format!("the metrics of the member of {cluster} make no sense")),
    }
}

/// `etcd_disk_wal_fsync_duration_seconds_bucket{le="0.008"} 11`: how many were at most that long.
fn bucket(line: &str) -> Option<(f64, u64)> {
    let (bound, count) = line.strip_prefix(BUCKET)?.split_once("\"} ")?;
    let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
    // Large counts are written as 1.234567e+06.
    let count: f64 = count.parse().ok()?;
    (bound > 0.0 && (0.0..1e15).contains(&count)).then_some((bound, count as u64))
}

fn quantile(buckets: &[(f64, u64)], wanted: f64) -> Option<f64> {
    let (mut below, mut counted) = (0.0, 0.0);
    for (bound, count) in buckets {
        let count = *count as f64;
        if count >= wanted {
            // What took longer than the last bound took at least that long.
            let inside = (wanted - counted) / (count - counted);
            let spread = if bound.is_finite() { (bound - below) * inside } else { 0.0 };
            return Some(below + spread);
        }
        (below, counted) = (*bound, count);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn main() -> ClusterName {
        "main".parse().unwrap()
    }

    fn lines(counts: &[(&str, &str)]) -> String {
        let line = |(bound, count): &(&str, &str)| format!("{BUCKET}{bound}\"}} {count}\n");
        counts.iter().map(line).collect()
    }

    fn p99(counts: &[(&str, &str)]) -> (f64, u64) {
        match read(main(), &lines(counts)) {
            DiskTime::Member { p99, fsyncs, .. } => (p99.as_secs_f64(), fsyncs),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_quantile_is_what_prometheus_would_say() {
        let counts = [("0.001", "50"), ("0.002", "98"), ("0.004", "100"), ("+Inf", "100")];
        assert_eq!(p99(&counts), (0.003, 100));
        assert_eq!(p99(&[("0.001", "200"), ("+Inf", "200")]), (0.00099, 200));
    }

    #[test]
    fn what_is_beyond_the_last_bound_is_at_least_that_bound() {
        assert_eq!(p99(&[("0.001", "1"), ("8.192", "2"), ("+Inf", "9")]), (8.192, 9));
    }

    #[test]
    fn a_real_members_lines_are_read() {
        let text = include_str!("../captured/fsyncs.txt");
        let DiskTime::Member { cluster, p99, fsyncs } = read(main(), text) else {
            panic!("{text}")
        };
        assert_eq!((cluster, fsyncs), (main(), 16));
        assert!(p99 > Duration::from_millis(8) && p99 < Duration::from_millis(16), "{p99:?}");
    }

    #[test]
    fn without_a_count_there_is_no_time() {
        let none = [lines(&[("0.001", "0"), ("+Inf", "0")]), String::new(), "garbage".to_owned()];
        let odd = [lines(&[("NaN", "5")]), lines(&[("0.001", "-1")]), lines(&[("x", "1")])];
        for text in none.iter().chain(&odd) {
            assert!(matches!(read(main(), text), DiskTime::Unmeasured(_)), "{text}");
        }
    }

    #[test]
    fn large_counts_are_written_with_an_exponent() {
        assert_eq!(p99(&[("0.001", "2e+06"), ("+Inf", "2e+06")]).1, 2_000_000);
    }
}
