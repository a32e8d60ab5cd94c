//! `etcdctl auth status -w json`, which etcd has since 3.5.

use planner::facts::Observed;

use super::answer::{EtcdctlError, Header, read};

/// Whether etcd's own authentication is on.
///
/// # Errors
/// When there is no answer; the reason is etcdctl's.
pub fn authentication(said: &str) -> Result<bool, EtcdctlError> {
    let AuthStatus { enabled, _header: _ } = read(said)?;
    Ok(enabled)
}

/// Whether etcd's own authentication is on, as a member of 3.4 answers a user that does not exist: with authentication off
/// every user may read.
pub(crate) fn stranger_is_refused(said: &str, status: &str) -> Observed<bool> {
    match read::<Answer>(said) {
        Ok(Answer { _header: _ }) if status == "0" => Observed::Known(false),
        _ if said.contains("authentication failed") => Observed::Known(true),
        Ok(_) => Observed::Unknown(format!("etcdctl ended with status {status}")),
        Err(error) => Observed::Unknown(error.to_string()),
    }
}

#[derive(serde::Deserialize)]
struct Answer {
    #[serde(rename = "header")]
    _header: Header,
}

#[derive(serde::Deserialize)]
struct AuthStatus {
    /// Tells an answer from a line of a log.
    #[serde(rename = "header")]
    _header: Header,
    #[serde(default)]
    enabled: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_off_and_what_is_no_answer_is_unknown() {
        let header =
            r#""header":{"cluster_id":14841639068965178418,"member_id":10276657743932975437}"#;
        let on = format!(r#"{{{header},"enabled":true,"authRevision":5}}"#);
        assert_eq!(authentication(&on), Ok(true));
        assert_eq!(authentication(&format!(r#"{{{header},"authRevision":1}}"#)), Ok(false));
        let old = "Error: unknown command \"status\" for \"etcdctl auth\"";
        assert!(authentication(old).is_err());
        assert!(authentication("{}").is_err());
    }

    /// What etcdctl 3.4.23 printed against etcd 3.4.23, and 3.5.35's, which has no line for the first.
    #[test]
    fn a_stranger_is_let_in_where_authentication_is_off() {
        let warned = |why: &str| {
            format!(
                r#"{{"level":"warn","ts":"2026-11-30T04:17:11.821Z","caller":"clientv3/retry_interceptor.go:62","msg":"retrying of unary invoker failed","target":"endpoint://client-7c465521/127.0.0.1:23990","attempt":0,"error":"rpc error: code = FailedPrecondition desc = etcdserver: {why}"}}"#
            )
        };
        let answer = r#"{"header":{"cluster_id":3397744812459331135,"member_id":2657891847502279730,"revision":1,"raft_term":2}}"#;
        let off = format!("{}\n{answer}", warned("authentication is not enabled"));
        assert_eq!(stranger_is_refused(&off, "0"), Observed::Known(false));
        assert_eq!(stranger_is_refused(answer, "0"), Observed::Known(false));
        let refusal = "authentication failed, invalid user ID or password";
        let on = format!("{}\nError: etcdserver: {refusal}", warned(refusal));
        assert_eq!(stranger_is_refused(&on, "2"), Observed::Known(true));
        for unknown in ["", "Error: context deadline exceeded", "{}", &warned("x"), &off] {
            assert!(
                matches!(stranger_is_refused(unknown, "124"), Observed::Unknown(_)),
                "{unknown}"
            );
        }
    }
}
