//! What a member wrote: the journal of its unit, and the logs of its pod.

use inventories::{ClusterName, HostName};
use remote::{Call, Payload};
use serde_json::{Map, Value};
use templates::Layout;
use templates::layout::POD_LOGS;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::lock::{self, LockError};
use crate::pool::Pool;
use crate::script::{self, call::Arguments};

/// The most that is read of a journal, and as much of a pod's logs, in bytes.
const MOST: usize = 1024 * 1024;

/// The newest part of a member's logs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Logs {
    /// The lines, oldest first.
    pub lines: Vec<Line>,
    /// What the host said in the place of lines, such as why it has no journal.
    pub complaints: Vec<String>,
    /// Whether lines that were asked for are missing, as there were more bytes than are read.
    pub cut_off: bool,
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// When it was written, by the host's clock.
    pub at: OffsetDateTime,
    /// What it says. It is the host's text: nothing is escaped yet.
    pub text: String,
}

/// The newest `lines` of a member on a host, of these only what was written since then.
///
/// # Errors
///
/// The host could not be reached, or ended the script.
pub async fn newest(
    pool: &Pool,
    host: &HostName,
    cluster: &ClusterName,
    lines: u32,
    since: Option<OffsetDateTime>,
) -> Result<Logs, LockError> {
    let layout = Layout::new(cluster);
    let seconds = since.map(|since| since.unix_timestamp().to_string());
    let args = Arguments::new()
        .with("unit", layout.unit_name())
        .with("pod", layout.pod_name())
        .with("pods", POD_LOGS)
        .with("lines", lines)
        .with("since", seconds.unwrap_or_default())
        .with("bytes", MOST);
    let call = lock::call(script::READ_LOGS, args, Payload::new());
    let call = Call { max_reply: 2 * MOST + call.max_reply, ..call };
    let said =
        lock::made(pool, host, call).await.map_err(|kind| LockError::from_kind(host, &kind))?;
    let most = usize::try_from(lines).unwrap_or(usize::MAX);
    let mut logs = read(&said, most);
    logs.lines.retain(|line| since.is_none_or(|since| line.at >= since));
    logs.lines.drain(..logs.lines.len().saturating_sub(most));
    Ok(logs)
}

/// A piece of a line that was cut off is left out. `most` lines were asked for.
fn read(said: &str, most: usize) -> Logs {
    let mut logs = Logs::default();
    for line in said.lines() {
        match entry(line).or_else(|| of_pod(line)) {
            Some(line) => logs.lines.push(line),
            None if said.len() < MOST => logs.complaints.push(line.to_owned()),
            None => {}
        }
    }
    logs.lines.sort_by_key(|line| line.at);
    logs.cut_off = said.len() >= MOST && logs.lines.len() < most;
    logs
}

/// An entry of the journal.
fn entry(line: &str) -> Option<Line> {
    let fields: Map<String, Value> = serde_json::from_str(line).ok()?;
    let microseconds: i128 = fields.get("__REALTIME_TIMESTAMP")?.as_str()?.parse().ok()?;
    let at = OffsetDateTime::from_unix_timestamp_nanos(microseconds.checked_mul(1000)?).ok()?;
    let text = match fields.get("MESSAGE")? {
        Value::String(text) => text.clone(),
        // What is not UTF-8, or holds control characters.
        Value::Array(bytes) => {
            let byte = |value: &Value| u8::try_from(value.as_u64()?).ok();
            let bytes: Option<Vec<u8>> = bytes.iter().map(byte).collect();
            String::from_utf8_lossy(&bytes?).into_owned()
        }
        _ => return None,
    };
    Some(Line { at, text: readable(&text) })
}

/// A line as container runtimes write it: time, stream, whether it is whole, and the text.
fn of_pod(line: &str) -> Option<Line> {
    let mut parts = line.splitn(4, ' ');
    let at = OffsetDateTime::parse(parts.next()?, &Rfc3339).ok()?;
    if !matches!(parts.next()?, "stdout" | "stderr") || !matches!(parts.next()?, "F" | "P") {
        return None;
    }
    let at = at.to_offset(time::UtcOffset::UTC);
    Some(Line { at, text: readable(parts.next().unwrap_or_default()) })
}

/// A line of etcd's JSON as `level: message, key value, …`; any other line stays as it is.
fn readable(text: &str) -> String {
    let Ok(fields) = serde_json::from_str::<Map<String, Value>>(text.trim()) else {
        return text.to_owned();
    };
    let named = |name: &str| fields.get(name).and_then(Value::as_str);
    let (Some(level), Some(message)) = (named("level"), named("msg")) else {
        return text.to_owned();
    };
    let mut said = format!("{level}: {message}");
    for (name, value) in &fields {
        match (name.as_str(), value) {
            // The journal has the time, and the source's line is for etcd's own developers.
            ("level" | "msg" | "ts" | "caller" | "stacktrace", _) => {}
            (_, Value::String(value)) => said.push_str(&format!(", {name} {value}")),
            (_, value) => said.push_str(&format!(", {name} {value}")),
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use test_kit::hostile;

    const WHOLE: &str = r#"{"__CURSOR":"s=1","__REALTIME_TIMESTAMP":"1795978800123456","MESSAGE":"{\"level\":\"warn\",\"ts\":\"2026-11-29T19:00:00Z\",\"caller\":\"a.go:1\",\"msg\":\"slow fdatasync\",\"took\":\"1.2s\",\"round\":3}"}
{"__REALTIME_TIMESTAMP":"1795978801000000","MESSAGE":[27,91,255]}
2026-11-29T20:00:02.5+01:00 stderr F plain words
"#;

    fn texts(logs: &Logs) -> Vec<&str> {
        logs.lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn a_unit_and_a_pod_are_read_as_one_log() {
        let logs = read(WHOLE, 50);
        let said = ["warn: slow fdatasync, round 3, took 1.2s", "\u{1b}[\u{fffd}", "plain words"];
        assert_eq!(texts(&logs), said);
        assert_eq!(logs.complaints, [""; 0]);
        let times: Vec<i64> = logs.lines.iter().map(|line| line.at.unix_timestamp()).collect();
        assert_eq!(times, [1_795_978_800, 1_795_978_801, 1_795_978_802]);
    }

    #[test]
    fn what_is_no_line_of_a_log_is_a_complaint() {
        let logs = read("No journal files were found.\n", 50);
        assert_eq!(logs.complaints, ["No journal files were found."]);
        assert!(logs.lines.is_empty());
    }

    #[test]
    fn lines_that_did_not_come_are_reported() {
        assert!(!read(WHOLE, 50).cut_off);
        let line = format!("2026-11-29T20:00:02Z stderr F {}\n", "x".repeat(60_000));
        let cut = format!("xx\n{}", line.repeat(18));
        let logs = read(&cut, 50);
        assert!(logs.cut_off && logs.complaints.is_empty() && logs.lines.len() == 18);
        assert!(!read(&cut, 18).cut_off, "all that were asked for came");
    }

    proptest! {
        #[test]
        fn a_damaged_log_is_read_without_panic(text in hostile::damaged_text(&[WHOLE])) {
            let logs = read(&text, 50);
            assert!(logs.lines.len() + logs.complaints.len() <= text.lines().count());
        }
    }
}
