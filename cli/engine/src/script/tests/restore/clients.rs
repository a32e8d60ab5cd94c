//! What counts as a client when a member is to be stopped.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use super::*;

/// A process with the arguments of a member, for as long as it is held.
struct Member(Child);

impl Member {
    fn new(bench: &Bench) -> Self {
        let arguments = [
            "--listen-peer-urls=https://10.0.0.1:2380",
            "--listen-metrics-urls=http://127.0.0.1:2381/",
        ];
        let mut child = Command::new("/bin/sh");
        child.arg0("etcd").args(["-c", "read -r end", "-"]).args(arguments);
        let child = child.stdin(Stdio::piped()).spawn().unwrap();
        bench.write("pid", &format!("{}\n", child.id()));
        Self(child)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// What the kernel says of the member's sockets: it listens on another port than the inventory has, and its gateway is
/// a client of its own.
fn serves(bench: &Bench) -> Member {
    bench.write(
        "sockets",
        "socket:[11] socket:[12] socket:[13] socket:[14] socket:[15] socket:[16] ",
    );
    bench.write(
        "listens",
        "0 0 10.0.0.1:2479 0.0.0.0:* ino:11 sk:1 <->\n0 0 10.0.0.1:2380 0.0.0.0:* ino:12 sk:2 <->\n\
         0 0 127.0.0.1:2381 0.0.0.0:* ino:13 sk:3 <->\n0 0 0.0.0.0:22 0.0.0.0:* ino:99 sk:4 <->\n",
    );
    bench.write("ends", OWN);
    Member::new(bench)
}

/// A peer, somebody who measures, a login, and the gateway, whose both ends are the member's.
const OWN: &str = "0 0 10.0.0.1:2380 10.0.0.2:4711 ino:14 sk:5 <->\n\
                   0 0 127.0.0.1:2381 127.0.0.1:4712 ino:15 sk:5 <->\n\
                   0 0 10.0.0.1:22 10.0.0.9:4713 ino:98 sk:5 <->\n\
                   0 0 [::ffff:127.0.0.1]:2479 [::ffff:127.0.0.1]:40000 ino:15 sk:6 <->\n\
                   0 0 127.0.0.1:40000 127.0.0.1:2479 timer:(keepalive,9sec,0) ino:16 sk:7 cgroup:/x <->\n";

fn refused(bench: &Bench, ends: &str) -> String {
    bench.write("ends", &format!("{OWN}{ends}"));
    let said = refusal(bench, &stop(bench));
    assert_eq!(bench.read("state"), "active\n");
    said
}

#[test]
fn clients_are_found_before_anybody_stops() {
    on_each_shell(|bench| {
        host(bench);
        let args = ["etcd-main.service".to_owned(), bench.arg("data")];
        let look = || Run::unguarded(script::LOOK_FOR_CLIENTS, &args);
        {
            let _member = serves(bench);
            bench.write("ends", &format!("{OWN}0 0 10.0.0.1:2479 10.0.0.9:4711 ino:14 sk:8 <->\n"));
            let said = refusal(bench, &look());
            assert!(said.contains("port 2479: 10.0.0.9. Stop them first"), "{said}");
            bench.write("ends", OWN);
            assert_eq!(bench.done(&look()), "already");
        }
        // Nothing runs, so nobody is asked who is connected.
        bench.write("pid", "0\n");
        bench.program("ss", "exit 1");
        assert_eq!(bench.done(&look()), "already");
        assert_eq!(bench.read("state"), "active\n");
    });
}

#[test]
fn a_member_with_clients_is_not_stopped() {
    on_each_shell(|bench| {
        host(bench);
        bench.done(&stage(bench));
        let _member = serves(bench);
        let said = refused(
            bench,
            "0 0 10.0.0.1:2479 10.0.0.9:4711 ino:14 sk:8 <->\n\
             0 0 [::ffff:10.0.0.1]:2479 [::ffff:10.0.0.8]:1 ino:14 sk:9 <->\n\
             0 0 10.0.0.1:2479 10.0.0.9:4712 ino:0 sk:a <->\n",
        );
        assert!(said.contains("port 2479: 10.0.0.9, 10.0.0.8."), "{said}");
        bench.write("ends", OWN);
        assert_eq!(bench.done(&stop(bench)), "changed");
        assert_eq!(bench.read("state"), "inactive\n");
        assert_eq!(bench.done(&stop(bench)), "already");
        bench.write("state", "active\n");
        bench.program("ss", "exit 1");
        assert_eq!(bench.run(&stop(bench)).status, 1);
        assert_eq!(bench.read("state"), "active\n");
    });
}

/// A name costs nothing, and neither does an address of the host: a pod of it has its sockets elsewhere.
#[test]
fn neither_a_name_nor_an_address_makes_a_client_the_members_own() {
    on_each_shell(|bench| {
        host(bench);
        bench.done(&stage(bench));
        let _member = serves(bench);
        bench.write("named", "0 0 [::1]:77 [::1]:2479 users:((\"etcd\",pid=7,fd=9))\n");
        let said = refused(
            bench,
            "0 0 [::1]:2479 [::1]:77 ino:14 sk:8 <->\n0 0 [::1]:77 [::1]:2479 ino:70 sk:9 <->\n",
        );
        assert!(said.contains("port 2479: etcd on this host."), "{said}");
        let said = refused(bench, "0 0 10.0.0.1:2479 10.0.0.1:78 ino:14 sk:8 <->\n");
        assert!(said.contains("port 2479: 10.0.0.1."), "{said}");
        // What ss does not say is no sign of anything.
        bench.write("ends", &format!("{OWN}0 0 10.0.0.1:2479 10.0.0.1:78\n"));
        assert_eq!(bench.run(&stop(bench)).status, 1);
        assert_eq!(bench.read("state"), "active\n");
    });
}

/// While one that can't be stopped answers, nobody is.
#[test]
fn a_member_that_can_not_be_stopped_is_checked_before_any_other_stops() {
    on_each_shell(|bench| {
        host(bench);
        bench.done(&stage(bench));
        let stop = || stop(bench).set("others", OTHERS);
        bench.write("up-13", "");
        assert!(refusal(bench, &stop()).contains(":13 is not stopped"));
        assert_eq!(bench.read("state"), "active\n");
        std::fs::remove_file(bench.path("up-13")).unwrap();
        assert_eq!(bench.done(&stop()), "changed");
    });
}
