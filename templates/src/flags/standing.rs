//! Which flags are the operator's, and which are quorate's, with the reason.

/// Whose a flag is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The operator's.
    Open,
    /// quorate decides about it; the text says what to use instead.
    Owned(&'static str),
    /// Nobody sets it; the text says why.
    Unsupported(&'static str),
    /// May have this one value only; the text says why.
    Only(bool, &'static str),
}

/// Whose a flag is, in whichever version.
pub fn standing(name: &str) -> Standing {
    use Standing::{Only, Open, Owned, Unsupported};

    const CERTIFICATES: &str = "quorate issues the certificates and names their files: use `sans` \
        of the host for more names, and `client-ca` of the cluster to share a CA";
    const MUTUAL_TLS: &str = "quorate always serves TLS with certificates of its own CAs, and \
        always asks for the other side's: leave it out";
    const ADDRESSES: &str =
        "use `address` and `peer-address` of the host, and `ports` of the cluster";
    const FORMATION: &str = "quorate knows whether the cluster is formed, and its members: use `members` of the cluster";
    const DISCOVERY: &str = "use `bootstrap` of the cluster";
    // etcd renames a directory to member/wal, so no disk can be mounted at that place.
    const DATA: &str = "the data, with the write-ahead log, is in /var/lib/etcd/<cluster>: mount \
        a disk there";
    const V2_PROXY: &str = "a v2 proxy is not a member of a cluster";
    const OWN_PEER_CA: &str = "the cluster's peer CA signs nothing but its members, so there is no other client to keep out";
    const JOURNAL: &str = "logs go to the journal, which rotates them";

    match name {
        "data-dir" | "wal-dir" => Owned(DATA),
        "name" => Owned("a member has the name of its host"),
        "listen-client-urls"
        | "advertise-client-urls"
        | "listen-peer-urls"
        | "initial-advertise-peer-urls" => Owned(ADDRESSES),
        "listen-metrics-urls" => Owned("use `metrics` and `ports.metrics` of the cluster"),
        "cert-file"
        | "key-file"
        | "trusted-ca-file"
        | "ca-file"
        | "peer-cert-file"
        | "peer-key-file"
        | "peer-trusted-ca-file"
        | "peer-ca-file"
        | "client-cert-file"
        | "client-key-file"
        | "peer-client-cert-file"
        | "peer-client-key-file" => Owned(CERTIFICATES),
        "client-cert-auth" | "peer-client-cert-auth" | "auto-tls" | "peer-auto-tls" => {
            Owned(MUTUAL_TLS)
        }
        "initial-cluster" | "initial-cluster-state" | "initial-cluster-token" => Owned(FORMATION),
        "discovery"
        | "discovery-cacert"
        | "discovery-cert"
        | "discovery-dial-timeout"
        | "discovery-endpoints"
        | "discovery-fallback"
        | "discovery-insecure-skip-tls-verify"
        | "discovery-insecure-transport"
        | "discovery-keepalive-time"
        | "discovery-keepalive-timeout"
        | "discovery-key"
        | "discovery-password"
        | "discovery-proxy"
        | "discovery-request-timeout"
        | "discovery-srv"
        | "discovery-srv-name"
        | "discovery-token"
        | "discovery-user" => Owned(DISCOVERY),

        "config-file" => {
            Unsupported("etcd would ignore every other flag: write the settings in the inventory")
        }
        "listen-client-http-urls" => {
            Unsupported("HTTP and gRPC are served on the client port, with one certificate")
        }
        "self-signed-cert-validity" => Unsupported("quorate never has etcd sign certificates"),
        "client-cert-allowed-hostname" => Unsupported(
            "client certificates have no host name, so this would shut every client out",
        ),
        "peer-cert-allowed-cn" | "peer-cert-allowed-hostname" => Unsupported(OWN_PEER_CA),
        "enable-log-rotation" | "log-rotation-config-json" => Unsupported(JOURNAL),
        "memory-mlock" | "experimental-memory-mlock" => {
            Unsupported("the unit runs etcd without the right to lock memory")
        }
        "next-cluster-version-compatible" => {
            Unsupported("it belongs to a downgrade, which is not a setting of a cluster")
        }
        "proxy"
        | "proxy-dial-timeout"
        | "proxy-failure-wait"
        | "proxy-read-timeout"
        | "proxy-refresh-interval"
        | "proxy-write-timeout" => Unsupported(V2_PROXY),

        "force-new-cluster" => {
            Only(false, "it makes one member forget all others, which cannot be taken back")
        }
        "unsafe-no-fsync" => Only(false, "it loses acknowledged writes when the host stops"),
        "strict-reconfig-check" => {
            Only(true, "without it a change of members can lose the quorum permanently")
        }
        _ => Open,
    }
}
