//! Every flag of etcd 3.4 to 3.7.
//!
//! Tried on 3.4.23 (what came later in that line is from the release notes), thirteen patches from 3.5.0 to
//! 3.5.35, five from 3.6.0 to 3.6.16 and three of 3.7, the last two lines with the same flags in each patch. The
//! help of 3.7 still prints `--discovery` and `--discovery-proxy`, which it refuses.

use inventories::Minor::{self, *};

use super::super::value::Kind::{self, *};
use super::{Entry, Successor};

const INT: Kind = Number { from: i64::MIN, to: i64::MAX };
const UINT: Kind = Number { from: 0, to: i64::MAX };
const UINT32: Kind = Number { from: 0, to: u32::MAX as i64 };
const HEARTBEAT_MS: Kind = Number { from: 1, to: 10_000 };
/// etcd refuses more than 50 s, and less than five heartbeats.
const ELECTION_MS: Kind = Number { from: 5, to: 50_000 };
const PER_MILLION: Kind = Number { from: 0, to: 1_000_000 };
const COMPACTION_MODE: Kind = Choice(&["periodic", "revision"]);
const FREELIST: Kind = Choice(&["array", "map"]);
const LOG_FORMAT: Kind = Choice(&["json", "console"]);
const LOG_LEVEL: Kind = Choice(&["debug", "info", "warn", "error", "panic", "fatal"]);
const LOGGER: Kind = Choice(&["zap"]);
const METRICS: Kind = Choice(&["basic", "extensive"]);
const TLS_VERSION: Kind = Choice(&["TLS1.2", "TLS1.3"]);
/// No files: the unit lets etcd write to its data directory alone, and the journal rotates.
const LOG_OUTPUT: Kind = Choice(&["default", "stderr", "stdout", "systemd/journal"]);

const GATES_3_6: &[&str] = &[
    "AllAlpha",
    "AllBeta",
    "CompactHashCheck",
    "InitialCorruptCheck",
    "LeaseCheckpoint",
    "LeaseCheckpointPersist",
    "SetMemberLocalAddr",
    "StopGRPCServiceOnDefrag",
    "TxnModeWriteWithSharedBuffer",
];

const GATES_3_7: &[&str] = &[
    "AllAlpha",
    "AllBeta",
    "CompactHashCheck",
    "FastLeaseKeepAlive",
    "InitialCorruptCheck",
    "LeaseCheckpoint",
    "LeaseCheckpointPersist",
    "PriorityRequest",
    "SetMemberLocalAddr",
    "StopGRPCServiceOnDefrag",
    "TxnModeWriteWithSharedBuffer",
];

pub(super) const ENTRIES: &[Entry] = &[
    flag("advertise-client-urls", Urls),
    flag("auth-token", Text),
    flag("auth-token-ttl", UINT),
    flag("auto-compaction-mode", COMPACTION_MODE),
    flag("auto-compaction-retention", Retention),
    flag("auto-tls", Bool),
    flag("backend-batch-interval", Duration),
    flag("backend-batch-limit", INT),
    flag("backend-bbolt-freelist-type", FREELIST).from(V3_5),
    flag("bcrypt-cost", UINT),
    flag("bootstrap-defrag-threshold-megabytes", UINT).from(V3_6),
    flag("cert-file", Text),
    flag("cipher-suites", Text),
    flag("client-cert-allowed-hostname", Text),
    flag("client-cert-auth", Bool),
    flag("client-cert-file", Text).from(V3_5),
    flag("client-crl-file", Text),
    flag("client-key-file", Text).from(V3_5),
    flag("compact-hash-check-time", Duration).from(V3_6),
    flag("compaction-batch-limit", INT).from(V3_6),
    flag("compaction-sleep-interval", Duration).from(V3_6),
    flag("config-file", Text),
    flag("corrupt-check-time", Duration).from(V3_6),
    flag("cors", Urls),
    flag("data-dir", Text),
    flag("debug", Bool).last(V3_4).deprecated(V3_4).renamed("log-level"),
    flag("discovery", Text).last(V3_6),
    flag("discovery-cacert", Text).from(V3_6),
    flag("discovery-cert", Text).from(V3_6),
    flag("discovery-dial-timeout", Duration).from(V3_6),
    flag("discovery-endpoints", Text).from(V3_6),
    flag("discovery-fallback", Choice(&["exit", "proxy"])),
    flag("discovery-insecure-skip-tls-verify", Bool).from(V3_6),
    flag("discovery-insecure-transport", Bool).from(V3_6),
    flag("discovery-keepalive-time", Duration).from(V3_6),
    flag("discovery-keepalive-timeout", Duration).from(V3_6),
    flag("discovery-key", Text).from(V3_6),
    flag("discovery-password", Text).from(V3_6),
    flag("discovery-proxy", Text).last(V3_6),
    flag("discovery-request-timeout", Duration).from(V3_6),
    flag("discovery-srv", Text),
    flag("discovery-srv-name", Text),
    flag("discovery-token", Text).from(V3_6),
    flag("discovery-user", Text).from(V3_6),
    flag("distributed-tracing-address", Text).from(V3_6),
    flag("distributed-tracing-instance-id", Text).from(V3_6),
    flag("distributed-tracing-sampling-rate", PER_MILLION).from(V3_6),
    flag("distributed-tracing-service-name", Text).from(V3_6),
    flag("downgrade-check-time", Duration).from(V3_6),
    flag("election-timeout", ELECTION_MS),
    flag("enable-distributed-tracing", Bool).from(V3_6),
    flag("enable-grpc-gateway", Bool),
    flag("enable-log-rotation", Bool).from(V3_5),
    flag("enable-pprof", Bool),
    flag("enable-v2", Bool).last(V3_5).deprecated(V3_5),
    flag("experimental-backend-bbolt-freelist-type", FREELIST)
        .last(V3_4)
        .renamed("backend-bbolt-freelist-type"),
    flag("experimental-bootstrap-defrag-threshold-megabytes", UINT)
        .from(V3_5)
        .last(V3_6)
        .deprecated(V3_6)
        .renamed("bootstrap-defrag-threshold-megabytes"),
    flag("experimental-compact-hash-check-enabled", Bool)
        .from(V3_5)
        .late(&[(V3_5, 5)])
        .last(V3_6)
        .deprecated(V3_6)
        .gate("CompactHashCheck"),
    flag("experimental-compact-hash-check-time", Duration)
        .from(V3_5)
        .late(&[(V3_5, 5)])
        .last(V3_6)
        .deprecated(V3_6)
        .renamed("compact-hash-check-time"),
    flag("experimental-compaction-batch-limit", INT)
        .last(V3_6)
        .deprecated(V3_6)
        .renamed("compaction-batch-limit"),
    flag("experimental-compaction-sleep-interval", Duration)
        .from(V3_5)
        .late(&[(V3_5, 16)])
        .last(V3_6)
        .deprecated(V3_6)
        .renamed("compaction-sleep-interval"),
    flag("experimental-corrupt-check-time", Duration)
        .last(V3_6)
        .deprecated(V3_6)
        .renamed("corrupt-check-time"),
    flag("experimental-distributed-tracing-address", Text)
        .from(V3_5)
        .last(V3_6)
        .deprecated(V3_6)
        .renamed("distributed-tracing-address"),
    flag("experimental-distributed-tracing-instance-id", Text)
        .from(V3_5)
        .last(V3_6)
        .deprecated(V3_6)
        .renamed("distributed-tracing-instance-id"),
    flag("experimental-distributed-tracing-sampling-rate", PER_MILLION)
        .from(V3_5)
        .late(&[(V3_5, 11)])
        .last(V3_6)
        .deprecated(V3_6)
        .renamed("distributed-tracing-sampling-rate"),
    flag("experimental-distributed-tracing-service-name", Text)
        .from(V3_5)
        .last(V3_6)
        .deprecated(V3_6)
        .renamed("distributed-tracing-service-name"),
    flag("experimental-downgrade-check-time", Duration)
        .from(V3_5)
        .last(V3_6)
        .deprecated(V3_6)
        .renamed("downgrade-check-time"),
    flag("experimental-enable-distributed-tracing", Bool)
        .from(V3_5)
        .last(V3_6)
        .deprecated(V3_6)
        .renamed("enable-distributed-tracing"),
    flag("experimental-enable-lease-checkpoint", Bool)
        .last(V3_6)
        .deprecated(V3_6)
        .gate("LeaseCheckpoint"),
    flag("experimental-enable-lease-checkpoint-persist", Bool)
        .late(&[(V3_5, 2)])
        .last(V3_6)
        .deprecated(V3_6)
        .gate("LeaseCheckpointPersist"),
    flag("experimental-enable-v2v3", Text).last(V3_5).deprecated(V3_5),
    flag("experimental-initial-corrupt-check", Bool)
        .last(V3_6)
        .deprecated(V3_6)
        .gate("InitialCorruptCheck"),
    flag("experimental-memory-mlock", Bool)
        .from(V3_5)
        .last(V3_6)
        .deprecated(V3_6)
        .renamed("memory-mlock"),
    flag("experimental-peer-skip-client-san-verification", Bool)
        .last(V3_6)
        .deprecated(V3_6)
        .renamed("peer-skip-client-san-verification"),
    flag("experimental-snapshot-catchup-entries", UINT)
        .from(V3_5)
        .late(&[(V3_5, 14)])
        .last(V3_6)
        .deprecated(V3_6)
        .renamed("snapshot-catchup-entries"),
    flag("experimental-stop-grpc-service-on-defrag", Bool)
        .from(V3_5)
        .late(&[(V3_5, 14)])
        .last(V3_6)
        .deprecated(V3_6)
        .gate("StopGRPCServiceOnDefrag"),
    flag("experimental-txn-mode-write-with-shared-buffer", Bool)
        .from(V3_5)
        .last(V3_6)
        .deprecated(V3_6)
        .gate("TxnModeWriteWithSharedBuffer"),
    flag("experimental-warning-apply-duration", Duration)
        .last(V3_6)
        .deprecated(V3_6)
        .renamed("warning-apply-duration"),
    flag("experimental-warning-unary-request-duration", Duration)
        .from(V3_6)
        .last(V3_6)
        .deprecated(V3_6)
        .renamed("warning-unary-request-duration"),
    flag("experimental-watch-progress-notify-interval", Duration)
        .last(V3_6)
        .deprecated(V3_6)
        .renamed("watch-progress-notify-interval"),
    flag("feature-gates", Gates(GATES_3_6)).from(V3_6).then(V3_7, Gates(GATES_3_7)),
    flag("force-new-cluster", Bool),
    flag("grpc-keepalive-interval", Duration),
    flag("grpc-keepalive-min-time", Duration),
    flag("grpc-keepalive-timeout", Duration),
    flag("heartbeat-interval", HEARTBEAT_MS),
    flag("host-whitelist", Text),
    flag("initial-advertise-peer-urls", Urls),
    flag("initial-cluster", Text),
    flag("initial-cluster-state", Choice(&["new", "existing"])),
    flag("initial-cluster-token", Text),
    flag("initial-election-tick-advance", Bool),
    flag("key-file", Text),
    flag("listen-client-http-urls", Urls).late(&[(V3_4, 25), (V3_5, 8)]),
    flag("listen-client-urls", Urls),
    flag("listen-metrics-urls", Urls),
    flag("listen-peer-urls", Urls),
    flag("log-format", LOG_FORMAT).from(V3_6),
    flag("log-level", LOG_LEVEL),
    flag("log-output", Text).last(V3_4).deprecated(V3_4).renamed("log-outputs"),
    flag("log-outputs", LOG_OUTPUT),
    flag("log-package-levels", Text).last(V3_4).deprecated(V3_4).renamed("log-level"),
    flag("log-rotation-config-json", Text).from(V3_5),
    flag("logger", Choice(&["capnslog", "zap"])).then(V3_5, LOGGER),
    flag("max-concurrent-streams", UINT32).late(&[(V3_5, 5)]),
    flag("max-learners", INT).from(V3_6),
    flag("max-request-bytes", UINT),
    flag("max-snapshots", UINT).deprecated(V3_6),
    flag("max-txn-ops", UINT),
    flag("max-wals", UINT),
    flag("memory-mlock", Bool).from(V3_6),
    flag("metrics", METRICS),
    flag("name", Text),
    flag("next-cluster-version-compatible", Bool).late(&[(V3_4, 31)]).last(V3_4),
    flag("peer-auto-tls", Bool),
    flag("peer-cert-allowed-cn", Text),
    flag("peer-cert-allowed-hostname", Text),
    flag("peer-cert-file", Text),
    flag("peer-client-cert-auth", Bool),
    flag("peer-client-cert-file", Text).from(V3_5),
    flag("peer-client-key-file", Text).from(V3_5),
    flag("peer-crl-file", Text),
    flag("peer-key-file", Text),
    flag("peer-skip-client-san-verification", Bool).from(V3_6),
    flag("peer-trusted-ca-file", Text),
    flag("pre-vote", Bool),
    flag("proxy", Choice(&["off", "readonly", "on"])).last(V3_5),
    flag("proxy-dial-timeout", UINT).last(V3_5),
    flag("proxy-failure-wait", UINT).last(V3_5),
    flag("proxy-read-timeout", UINT).last(V3_5),
    flag("proxy-refresh-interval", UINT).last(V3_5),
    flag("proxy-write-timeout", UINT).last(V3_5),
    flag("quota-backend-bytes", INT),
    flag("raft-read-timeout", Duration).from(V3_5),
    flag("raft-write-timeout", Duration).from(V3_5),
    flag("self-signed-cert-validity", UINT).from(V3_5),
    flag("snapshot-catchup-entries", UINT).from(V3_6),
    flag("snapshot-count", UINT),
    flag("socket-reuse-address", Bool).from(V3_5),
    flag("socket-reuse-port", Bool).from(V3_5),
    flag("strict-reconfig-check", Bool),
    flag("tls-max-version", TLS_VERSION).late(&[(V3_4, 25), (V3_5, 8)]),
    flag("tls-min-version", TLS_VERSION).late(&[(V3_4, 25), (V3_5, 8)]),
    flag("trusted-ca-file", Text),
    flag("unsafe-no-fsync", Bool),
    flag("v2-deprecation", Choice(&["not-yet", "write-only"]))
        .from(V3_5)
        .then(V3_6, Choice(&["write-only"]))
        .deprecated(V3_6),
    flag("wal-dir", Text),
    flag("warning-apply-duration", Duration).from(V3_6),
    flag("warning-unary-request-duration", Duration).from(V3_6),
    flag("watch-progress-notify-interval", Duration).from(V3_6),
];

const fn flag(name: &'static str, kind: Kind) -> Entry {
    Entry {
        name,
        kind,
        first: V3_4,
        last: None,
        late: &[],
        then: None,
        deprecated: None,
        successor: None,
    }
}

impl Entry {
    const fn from(self, first: Minor) -> Self {
        Self { first, ..self }
    }

    const fn last(self, last: Minor) -> Self {
        Self { last: Some(last), ..self }
    }

    const fn late(self, late: &'static [(Minor, u32)]) -> Self {
        Self { late, ..self }
    }

    const fn then(self, from: Minor, kind: Kind) -> Self {
        Self { then: Some((from, kind)), ..self }
    }

    const fn deprecated(self, from: Minor) -> Self {
        Self { deprecated: Some(from), ..self }
    }

    const fn renamed(self, to: &'static str) -> Self {
        Self { successor: Some(Successor::Flag(to)), ..self }
    }

    const fn gate(self, gate: &'static str) -> Self {
        Self { successor: Some(Successor::Gate(gate)), ..self }
    }
}
