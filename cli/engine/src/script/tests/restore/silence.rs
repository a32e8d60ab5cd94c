//! What counts as stopped, when a member checks whether the others are.

use super::*;

/// What the etcdctl of 3.4 to 3.7 say of members that take the connection and refuse us, or hang, and of such as are
/// not there.
#[test]
fn only_a_connection_that_nobody_takes_is_silence() {
    on_each_shell(|bench| {
        host(bench);
        bench.done(&stage(bench));
        bench.done(&stop(bench));
        for serves in [
            "desc = \"transport: authentication handshake failed: remote error: tls: bad certificate\"",
            "code = Unavailable desc = connection error: desc = \"error reading server preface: remote error: tls: x\"",
            "code = Unavailable desc = write tcp 10.0.0.1:1->10.0.0.2:12: write: broken pipe",
            "code = Unavailable desc = connection closed before server preface received",
            "code = DeadlineExceeded desc = context deadline exceeded",
            "desc = context deadline exceeded while waiting for connections to become ready",
            "code = Unknown desc = OK: HTTP status code 200; transport: missing content-type field",
            "dial tcp: lookup etcd-2.example on 10.0.0.53:53: read udp: i/o timeout",
        ] {
            bench.write("said-12", serves);
            let said = refusal(bench, &set_aside(bench));
            assert!(said.contains(":12"), "{serves}: {said}");
            assert_eq!(bench.read(OLD), "old", "{serves}");
        }
        // The second URL of a member counts like the first.
        let both = set_aside(bench).set("others", "https://10.0.0.2:11,https://10.0.0.2:12");
        assert!(refusal(bench, &both).contains(":12"));
        for absent in
            ["connect: no route to host", "i/o timeout", "connect: network is unreachable"]
        {
            bench.write(
                "said-12",
                &format!("transport: Error while dialing dial tcp 10.0.0.2:12: {absent}"),
            );
            bench.done(&set_aside(bench));
        }
        // A host without power does not even refuse.
        bench.write("said-12", "code = DeadlineExceeded desc = context deadline exceeded");
        assert!(refusal(bench, &place(bench)).contains("still takes connections"));
        bench.write("unanswered", "0 1 10.0.0.1:40000 10.0.0.2:12\n");
        assert_eq!(bench.done(&place(bench)), "changed");
    });
}

#[test]
fn what_can_not_be_asked_with_is_no_silence() {
    on_each_shell(|bench| {
        host(bench);
        bench.done(&stage(bench));
        bench.done(&stop(bench));
        bench.write("said-12", "open /etc/key: no such file or directory");
        executable(
            &bench.path("etcdctl"),
            "#!/bin/sh\necho 'Error: open key: permission denied' >&2\nexit 1\n",
        );
        assert!(refusal(bench, &set_aside(bench)).contains("can't ask https://10.0.0."));
        std::fs::remove_file(bench.path("key")).unwrap();
        assert_eq!(bench.run(&set_aside(bench)).status, 1);
        assert_eq!(bench.read(OLD), "old");
        // A former member's host may have lost its keys, so the hosts that get restored data ask its member.
        assert_eq!(bench.done(&set_aside(bench).set("sha256", "")), "changed");
    });
}
