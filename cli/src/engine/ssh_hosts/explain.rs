//! What etcd's errors mean, and what to do about them.

use std::fmt;

/// What a line of etcd's means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// The cause, in plain words.
    pub cause: &'static str,
    /// What to do next.
    pub next: &'static str,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.cause, self.next)
    }
}

/// Explains a line that etcd or etcdctl wrote, where it is one of the known ones. The texts are
/// those of etcd 3.4 to 3.7.
pub fn explain(line: &str) -> Option<Explanation> {
    TABLE
        .iter()
        .find(|(texts, _, _)| texts.iter().any(|text| line.contains(text)))
        .map(|(_, cause, next)| Explanation { cause, next })
}

/// Texts, cause, next step. The first row that fits counts, so the special comes before the general.
const TABLE: &[(&[&str], &str, &str)] = &[
    (
        &["re-configuration failed due to not enough started members"],
        "a member that was added never started",
        "start it or remove it, then plan again",
    ),
    (
        &["etcdserver: unhealthy cluster"],
        "the leader is not connected to enough members",
        "wait until every member is healthy, then plan again",
    ),
    (
        &["has already been bootstrapped"],
        "the member's data is gone, and its cluster still knows it",
        "it can't come back under its old id: it must be replaced",
    ),
    (
        &["has been permanently removed from the cluster"],
        "the data directory is that of a removed member",
        "move its data directory aside, then plan again",
    ),
    (
        &["cluster ID mismatch", "cluster-id mismatch"],
        "the member has data or a token of another cluster",
        "find out which member is the stranger; its data directory must be moved aside",
    ),
    (
        &["couldn't find local name"],
        "the member's name is not in its own list of members",
        "the unit was changed by hand: plan again",
    ),
    (
        &["member count is unequal", "no match found for existing member"],
        "the list of members in the unit is not the cluster's",
        "plan again with the inventory that made this cluster",
    ),
    (
        &["tocommit("],
        "the member lost data that it had promised to keep",
        "it must be replaced; its data can't be repaired",
    ),
    (
        &["database space exceeded"],
        "the database is full",
        "compact and defragment every member, then disarm the alarm",
    ),
    (
        &["detected disallowed custom content in v2store", "illegal v2store content"],
        "the data directory holds data of etcd's version 2 store",
        "go back to 3.5, remove the v2 data, then upgrade",
    ),
    (
        &["asserts failed", "Assertion failed for"],
        "the member's write-ahead log is missing, and without it the member does not start",
        "if its disk is lost, the member must be replaced",
    ),
    (
        &["address already in use"],
        "another process listens on the member's port",
        "find it with ss -ltnp on the host",
    ),
    (
        &["cannot assign requested address"],
        "the host does not have the address that the inventory gives it",
        "check address and peer-address of the host in the inventory",
    ),
    (
        &["Failed to set up mount namespacing"],
        "systemd could not make the unit's private view of the file system",
        "where it speaks of a read-only file system, /tmp must be writable: findmnt -T /tmp",
    ),
    (&["no space left on device"], "the host's disk is full", "free some space, then apply again"),
    (
        &["permission denied"],
        "a file or directory belongs to somebody else",
        "plan again: owners and modes are part of the plan",
    ),
    (
        &["private key does not match public key", "failed to find any PEM data"],
        "a certificate and its key don't belong together",
        "plan again: certificates are replaced as one generation",
    ),
    (
        &["certificate has expired or is not yet valid"],
        "a certificate is outside its life, or a clock is wrong",
        "compare the clocks of the hosts, then plan again",
    ),
    (
        &["certificate signed by unknown authority"],
        "a member shows a certificate of another CA",
        "plan again with the inventory, and the pki folder, that made this cluster",
    ),
    (
        &["certificate is valid for"],
        "a member is reached under a name or address that its certificate lacks",
        "add it to the host's sans in the inventory",
    ),
    (
        &["flag provided but not defined", "unknown flag"],
        "this version of etcd does not know a flag of the unit",
        "check the [etcd] flags of the cluster in the inventory",
    ),
    (
        &["clock difference"],
        "the clocks of the members differ",
        "let chrony or systemd-timesyncd set them",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_etcd_have_a_cause_and_a_next_step() {
        for (line, cause) in [
            (
                "fatal: discovery failed: member a1 has already been bootstrapped",
                "the member's data is gone",
            ),
            ("Error: etcdserver: mvcc: database space exceeded", "the database is full"),
            ("panic: tocommit(9) is out of range [lastIndex(0)]", "lost data"),
            (
                "fatal: listen tcp 10.0.0.1:2380: bind: address already in use",
                "another process listens",
            ),
            (
                "listen tcp 10.0.0.9:2380: bind: cannot assign requested address",
                "does not have the address",
            ),
            (
                "etcd-main.service: Failed to set up mount namespacing: /run/systemd/unit-root/dev: Read-only file system",
                "systemd could not make",
            ),
            ("flag provided but not defined: -experimental-x", "does not know a flag"),
        ] {
            let explanation = explain(line).unwrap_or_else(|| panic!("{line}"));
            assert!(explanation.cause.contains(cause), "{line}: {explanation}");
        }
    }

    #[test]
    fn the_special_case_is_not_taken_for_the_general_one() {
        let line = "etcdserver: re-configuration failed due to not enough started members";
        assert_eq!(explain(line).unwrap().cause, "a member that was added never started");
    }

    #[test]
    fn an_unknown_line_is_not_explained() {
        assert_eq!(explain("info: published local member to cluster through raft"), None);
    }
}
