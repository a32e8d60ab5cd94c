//! `etcdctl auth status -w json`, which etcd has since 3.5.

use super::answer::{EtcdctlError, Header, read};

/// Whether etcd's own authentication is on.
///
/// # Errors
/// When there is no answer; the reason is etcdctl's.
pub fn authentication(said: &str) -> Result<bool, EtcdctlError> {
    let AuthStatus { enabled, _header: _ } = read(said)?;
    Ok(enabled)
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
}
