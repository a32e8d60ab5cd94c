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
        "see which one with quorate status; once it runs: quorate apply",
    ),
    (
        &["etcdserver: unhealthy cluster"],
        "the leader is not connected to enough members",
        "wait until quorate status shows every member up, then quorate apply",
    ),
    (
        &["Peer URLs already exists", "member ID already exist"],
        "an earlier attempt to add this member was left half done",
        "compare the list with the inventory: quorate etcdctl -- member list -w table",
    ),
    (
        &["too many learner members in cluster"],
        "another member is a learner still, and the cluster takes one at a time",
        "see which one it is: quorate etcdctl -- member list -w table",
    ),
    (
        &["the learner does not catch up"],
        "the new member gets the data more slowly than the cluster changes, or not at all",
        "compare the disk and the network of this host with those of the others, then try again: quorate apply",
    ),
    (
        &["can only promote a learner member which is in sync with leader"],
        "the learner has not caught up with the leader yet",
        "watch its raft index reach the leader's, then try again: \
         quorate etcdctl -- endpoint status --cluster -w table",
    ),
    (
        &["can only promote a learner member"],
        "the member has a vote already, so nothing is left to do",
        "check the member list: quorate etcdctl -- member list -w table",
    ),
    (
        &["has already been bootstrapped"],
        "the member's data is gone, and its cluster still lists it",
        "it can't come back under its old id: it must be replaced; which members are left: \
         quorate status",
    ),
    (
        &["has been permanently removed from the cluster"],
        "the data directory is that of a removed member",
        "move its data directory aside on the host, then quorate plan",
    ),
    (
        &["cluster ID mismatch", "cluster-id mismatch"],
        "the member has data or a token of another cluster",
        "find out which member is the stranger: quorate status; its data directory must be moved aside",
    ),
    (
        &["cannot find local etcd member", "error querying DNS SRV records"],
        "the member did not find itself in DNS while the cluster was formed",
        "`quorate dns` prints the records that are wanted; correct yours, then plan again",
    ),
    (
        &["by others at http", "is used for a cluster of"],
        "the bootstrap's token stands in a record that is not this bootstrap's",
        "take the token away on every host of the cluster, rm /var/lib/quorate/CLUSTER/token, and apply \
         again: a new one is made",
    ),
    (
        &[
            "discovery: size key not found",
            "discovery: cluster is full",
            "discovery: found duplicate id",
        ],
        "the token of the discovery service is missing, used or full",
        "with a `url` in the inventory: have the service make a new one, at /new?size=N; else apply \
         again",
    ),
    (
        &["failed to join discovery cluster", "bad discovery endpoint", "invalid discovery"],
        "the member gets no answer from the discovery service",
        "see that every host reaches it, or form the cluster from its list: bootstrap = { static = {} }",
    ),
    (
        &["couldn't find local name"],
        "the member's name is not in its own list of members",
        "the unit was changed manually; quorate plan shows how",
    ),
    (
        &["member count is unequal", "no match found for existing member"],
        "the list of members in the unit is not the cluster's",
        "compare the list with the inventory: quorate etcdctl -- member list -w table; then quorate \
         plan with the inventory that made this cluster",
    ),
    (
        &["tocommit("],
        "the member lost data that it had promised to keep",
        "it must be replaced, for its data can't be repaired; which members are left: quorate status",
    ),
    (
        &["database space exceeded"],
        "the database is full",
        "quorate defrag --dry-run shows the way out",
    ),
    (
        &["detected disallowed custom content in v2store", "illegal v2store content"],
        "the data directory holds data of etcd's version 2 store",
        "go back to 3.5.32 or newer and remove the v2 data; to list it: etcdutl check v2store \
         --data-dir DIR, with the member stopped",
    ),
    (
        &["expected sha256", "snapshot file integrity check failed"],
        "the snapshot is damaged, or it is a copy of a member's database and never was a snapshot",
        "take another one; to check it: etcdutl snapshot status FILE -w table",
    ),
    (
        &["not empty or could not be read"],
        "a restore never writes over data that is there",
        "see what it is with ls -la DIR, then move it aside on the host",
    ),
    (
        &["invalid downgrade target version"],
        "etcd goes back by exactly one minor version",
        "see what runs now: quorate etcdctl -- endpoint status --cluster -w table",
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
        &["Failed to set up user namespacing", "status=217/USER"],
        "systemd could not give etcd its user (217/USER): the account is missing, or the kernel allows no \
         user namespaces",
        "run on the host: getent passwd etcd; sysctl user.max_user_namespaces; if it must stay 0, write: \
         [clusters.NAME.systemd] without = { PrivateUsers = \"your reason\" }",
    ),
    (
        &["conflicting environment variable"],
        "etcd got a flag as an argument and, by a variable, from its image, its container runtime or a drop-in",
        "remove the variable that the message names: from the image, from the runtime (`default_env` of CRI-O, \
         `base_runtime_spec` of containerd), or from the drop-in",
    ),
    (
        &["Failed to set up mount namespacing", "status=226/NAMESPACE"],
        "systemd could not set up the unit's private view of the file system (226/NAMESPACE)",
        "if the message names a path, check that it exists; if it names a read-only file system, make /tmp \
         writable: findmnt -T /tmp; if it says that no space is left, the kernel allows too few namespaces: \
         sysctl -a -r '^user.max_.*_namespaces'",
    ),
    (
        &["status=203/EXEC", "Failed to locate executable", "status=126/", "status=127/"],
        "systemd could not run etcd's program (203/EXEC, or 126 and 127 of /usr/bin/env)",
        "check that /opt is not mounted noexec: findmnt -T /opt/quorate; with SELinux, look for denials: \
         ausearch -m avc -ts recent",
    ),
    (
        &["TLS handshake timeout"],
        "the other host answers and the TLS handshake gets stuck: mostly large packets that are dropped on the way (MTU)",
        "compare what passes between the two hosts: ping -M do -s 1472 ADDRESS, then -s 1372; set the interface's MTU \
         to what passes, plus 28",
    ),
    (&["no space left on device"], "the host's disk is full", "free some space, then apply again"),
    (
        &[
            "etcdserver: permission denied",
            "etcdserver: user name is empty",
            "etcdserver: user name not found",
        ],
        "etcd's own authentication is on, and the client's certificate names no user that may do this",
        "make a certificate for a user with the role root: quorate client-cert --cn root --out DIR; or turn it off with that \
         one: etcdctl auth disable",
    ),
    (
        &["permission denied"],
        "a file or directory belongs to another user",
        "run quorate plan, which names files that are not etcd's; if it names none, run on the host: \
         namei -l /var/lib/etcd/*/member",
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
                "{\"level\":\"fatal\",\"msg\":\"conflicting environment variable is shadowed by corresponding command-line flag (either unset environment variable or disable flag))\",\"environment-variable\":\"ETCD_NAME=x\"}",
                "by a variable, from its image",
            ),
            (
                "etcd-main.service: Failed to set up user namespacing: No space left on device",
                "217/USER",
            ),
            (
                "etcd-main.service: Main process exited, code=exited, status=203/EXEC",
                "could not run etcd's program",
            ),
            (
                "etcd-main.service: Main process exited, code=exited, status=126/n/a",
                "could not run etcd's program",
            ),
            (
                "etcd-main.service: Main process exited, code=exited, status=226/NAMESPACE",
                "private view of the file system",
            ),
            (
                "etcd-main.service: Failed to set up mount namespacing: /run/systemd/unit-root/dev: Read-only file system",
                "systemd could not set up",
            ),
            (
                "warn: prober detected unhealthy status: net/http: TLS handshake timeout",
                "large packets that are dropped",
            ),
            ("Error: etcdserver: permission denied", "etcd's own authentication is on"),
            ("flag provided but not defined: -experimental-x", "does not know a flag"),
        ] {
            let explanation = explain(line).unwrap_or_else(|| panic!("{line}"));
            assert!(explanation.cause.contains(cause), "{line}: {explanation}");
        }
    }

    /// The lines as etcd 3.6 writes them, with what the explanation must speak of and the command
    /// that it must name.
    const KNOWN: &[(&str, &str, &str)] = &[
        ("etcdserver: unhealthy cluster", "not connected", "quorate status"),
        (
            "etcdserver: re-configuration failed due to not enough started members",
            "never started",
            "quorate status",
        ),
        ("etcdserver: Peer URLs already exists", "half done", "member list"),
        ("etcdserver: member ID already exist", "half done", "member list"),
        ("etcdserver: too many learner members in cluster", "one at a time", "member list"),
        (
            "etcdserver: can only promote a learner member which is in sync with leader",
            "not caught up",
            "endpoint status",
        ),
        ("etcdserver: can only promote a learner member", "has a vote already", "member list"),
        (
            "error validating peerURLs {...}: member count is unequal",
            "is not the cluster's",
            "member list",
        ),
        (
            "PeerURLs: no match found for existing member (9d5, [https://10.0.0.1:2380])",
            "is not the cluster's",
            "member list",
        ),
        (
            "couldn't find local name \"a1\" in the initial cluster configuration",
            "its own list",
            "quorate plan",
        ),
        ("member 8e9e05c52164694d has already been bootstrapped", "data is gone", "quorate status"),
        (
            "the member has been permanently removed from the cluster",
            "a removed member",
            "quorate plan",
        ),
        ("request cluster ID mismatch", "another cluster", "quorate status"),
        ("cluster ID mismatch", "another cluster", "quorate status"),
        ("tocommit(41) is out of range [lastIndex(7)]. Was the", "lost data", "quorate status"),
        ("etcdserver: mvcc: database space exceeded", "database is full", "quorate defrag"),
        (
            "detected disallowed custom content in v2store for stage --v2-deprecation=write-only",
            "version 2 store",
            "etcdutl check v2store",
        ),
        ("illegal v2store content", "version 2 store", "etcdutl check v2store"),
        ("expected sha256 [1 2], got [3 4]", "damaged", "etcdutl snapshot status"),
        ("snapshot file integrity check failed. Expected", "damaged", "etcdutl snapshot status"),
        (
            "data-dir \"/var/lib/etcd\" not empty or could not be read",
            "never writes over",
            "ls -la",
        ),
        ("etcdserver: invalid downgrade target version", "one minor", "endpoint status"),
        (
            "failed to join discovery cluster (discovery: cluster is full)",
            "missing, used or full",
            "/new?size=N",
        ),
        ("discovery: size key not found", "missing, used or full", "apply again"),
        ("discovery: found duplicate id", "missing, used or full", "apply again"),
        (
            "failed to join discovery cluster (context deadline exceeded)",
            "no answer from the discovery service",
            "static",
        ),
        (
            "token 01ab is used by others at https://10.0.0.9:2379: x=https://10.9.0.1:2380",
            "not this bootstrap's",
            "rm /var/lib/quorate/CLUSTER/token",
        ),
    ];

    #[test]
    fn every_known_error_of_etcd_is_explained_with_the_next_command() {
        for (line, cause, next) in KNOWN {
            let explanation = explain(line).unwrap_or_else(|| panic!("{line}"));
            assert!(explanation.cause.contains(cause), "{line}: {explanation}");
            assert!(explanation.next.contains(next), "{line}: {explanation}");
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
