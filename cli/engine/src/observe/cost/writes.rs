//! What `dd` said of single writes.

use std::time::Duration;

use planner::facts::DiskTime;

use remote::clean;

/// With fewer writes, a half says nothing of one in a hundred.
const FEWEST_FOR_HALVES: usize = 100;

/// Reads what several runs of `dd` printed, one after the other. The first write pays for the new
/// file as well, so it counts only where there is no other.
pub(super) fn read(said: &str) -> DiskTime {
    if let Some(complaint) = said.lines().find(|line| line.starts_with("dd: ")) {
        return DiskTime::Unmeasured(clean(complaint.as_bytes()));
    }
    let times: Vec<Duration> = said.lines().filter_map(time).collect();
    let counted = match &times[..] {
        [] => return DiskTime::Unmeasured("dd printed no time that can be read".to_owned()),
        [_, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    };
    let writes = u32::try_from(counted.len()).unwrap_or(u32::MAX);
    DiskTime::Written { p99: quicker_half(counted), writes }
}

/// The 99th percentile of the first half or of the second, whichever is the quicker: a slow disk is
/// slow in both, and a machine that paused once is no slow disk.
fn quicker_half(times: &[Duration]) -> Duration {
    if times.len() < FEWEST_FOR_HALVES {
        return p99(times);
    }
    let (first, second) = times.split_at(times.len() / 2);
    p99(first).min(p99(second))
}

fn p99(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * 99).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// `2048 bytes (2.0 kB, 2.0 KiB) copied, 0.000773043 s, 2.6 MB/s`, short times as `2.3e-05 s`.
fn time(line: &str) -> Option<Duration> {
    let (_, rest) = line.split_once(" copied, ")?;
    let (seconds, _) = rest.split_once(" s")?;
    Duration::try_from_secs_f64(seconds.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(micros: impl IntoIterator<Item = u64>) -> String {
        let run = |micros: u64| {
            let seconds = micros as f64 / 1e6;
            format!(
                "1+0 records in\n1+0 records out\n\
                 2048 bytes (2.0 kB, 2.0 KiB) copied, {seconds:e} s, 2.6 MB/s\n"
            )
        };
        micros.into_iter().map(run).collect()
    }

    #[test]
    fn the_slowest_one_in_a_hundred_does_not_count_and_neither_does_the_first() {
        let writes = |micros: Vec<u64>| read(&said(micros));
        let one = |p99, writes| DiskTime::Written { p99: Duration::from_micros(p99), writes };
        let mut micros: Vec<u64> = (0..=99).collect();
        assert_eq!(writes(micros.clone()), one(99, 99));
        micros[0] = 1_000_000;
        assert_eq!(writes(micros), one(99, 99));
        assert_eq!(writes(vec![9, 5, 70, 6]), one(70, 3));
        assert_eq!(writes(vec![6_000_000]), one(6_000_000, 1));
    }

    #[test]
    fn a_pause_of_the_machine_is_no_slow_disk() {
        let mut micros = vec![1_000; 201];
        micros[20..30].fill(400_000);
        let quick = DiskTime::Written { p99: Duration::from_millis(1), writes: 200 };
        assert_eq!(read(&said(micros.clone())), quick);
        // Slow now and then, all the time, is slow.
        micros[120..130].fill(300_000);
        let slow = DiskTime::Written { p99: Duration::from_millis(300), writes: 200 };
        assert_eq!(read(&said(micros)), slow);
    }

    #[test]
    fn dd_is_read_as_it_speaks() {
        let text = "1+0 records in\n1+0 records out\n\
            2048 bytes (2.0 kB, 2.0 KiB) copied, 0.000773043 s, 2.6 MB/s";
        assert_eq!(read(text), DiskTime::Written { p99: Duration::from_nanos(773_043), writes: 1 });
        let text = "2048 bytes (2.0 kB, 2.0 KiB) copied, 2.3194e-05 s, 88.3 MB/s\n\
            2048 bytes (2.0 kB, 2.0 KiB) copied, 12.5 s, 0.2 kB/s";
        assert_eq!(read(text), DiskTime::Written { p99: Duration::from_millis(12_500), writes: 1 });
    }

    #[test]
    fn a_write_that_failed_is_no_time() {
        let why = "dd: error writing '/var/lib/.quorate-disk.x': No space left on device";
        let text = format!("{}{why}\n", said([5, 6, 7]));
        assert_eq!(read(&text), DiskTime::Unmeasured(why.to_owned()));
        assert!(matches!(read(""), DiskTime::Unmeasured(_)));
        assert!(matches!(read("2048 bytes copied, -1 s, x"), DiskTime::Unmeasured(_)));
        assert!(matches!(read("2048 bytes copied, nan s, x"), DiskTime::Unmeasured(_)));
    }
}
