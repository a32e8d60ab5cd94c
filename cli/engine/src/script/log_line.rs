//! A line of etcd's log, as a person reads it.

use serde_json::Value;

/// Turns a line of etcd's JSON log into `level: message: error`; any other line stays as it is.
pub(crate) fn readable(line: &str) -> String {
    let line = line.trim();
    let Ok(Value::Object(fields)) = serde_json::from_str(line) else { return line.to_owned() };
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let Some(message) = text("msg") else { return line.to_owned() };
    let parts = [text("level"), Some(message), text("error"), text("reason")];
    parts.into_iter().flatten().collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_of_the_log_becomes_a_sentence() {
        let line = r#"{"level":"fatal","ts":"2026-11-23T16:00:00Z","caller":"etcdmain/etcd.go:204","msg":"discovery failed","error":"member 1 has already been bootstrapped","stacktrace":"go.etcd.io…"}"#;
        assert_eq!(
            readable(line),
            "fatal: discovery failed: member 1 has already been bootstrapped"
        );
    }

    #[test]
    fn what_systemd_says_stays_as_it_is() {
        let line = "etcd-main.service: Main process exited, code=exited, status=1/FAILURE";
        assert_eq!(readable(line), line);
        assert_eq!(readable("{\"other\":1}"), "{\"other\":1}");
    }
}
