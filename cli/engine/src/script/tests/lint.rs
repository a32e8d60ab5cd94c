//! Every script by someone else's eyes.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::script::*;
use remote::lean;

/// Those that look, which are no steps.
const LOOKS: [&str; 4] = [
    crate::observe::SCRIPT,
    include_str!("../sh/cost.sh"),
    concat!(include_str!("../sh/api_server.sh"), include_str!("../sh/api_server_facts.sh")),
    include_str!("../sh/api_server_etcd.sh"),
];

pub(super) const ALL: [&str; 69] = [
    AWAIT_API_SERVER,
    READ_MANIFEST,
    WIRE_API_SERVER,
    END_RESTORE,
    PLACE_RESTORE,
    SET_ASIDE,
    STAGE_RESTORE,
    LOOK_FOR_CLIENTS,
    STOP_FOR_RESTORE,
    ENABLE_DOWNGRADE,
    PREPARE_LOG,
    PROVE_VERSION,
    ADD_LEARNER,
    FORGET_MEMBER,
    PROMOTE_MEMBER,
    REMOVE_LISTED,
    UPDATE_PEER_URL,
    REMOVE_MEMBER,
    DECOMMISSION_MEMBER,
    SAVE_SNAPSHOT,
    CHECK_SNAPSHOT,
    CLOSE_DISCOVERY,
    END_TRIAL,
    TRY_CERTIFICATES,
    TRY_SNAPSHOT,
    FORGET_DISCOVERY,
    LOCK_AGAIN,
    OPEN_DISCOVERY,
    TRUST_DISCOVERY,
    AWAIT_REJOIN,
    STOP_OLD_RUNTIME,
    RUN_POD,
    STANDALONE_KUBELET,
    WRITE_MANIFEST,
    LOCK_BREAK,
    LOCK_KEEP,
    LOCK_TAKE,
    MOVE_DROP_INS,
    LIST_ARCHIVES,
    LIST_BY_ADDRESS,
    PURGE_ARCHIVE,
    MOVE_LEADER,
    NOTE_PROOF,
    NOTE_RESTART,
    READ_HISTORY,
    RECORD_APPLY,
    RESTART_MEMBER,
    REGISTER_HOST,
    CREATE_ACCOUNT,
    COMPACT,
    COMPARE_DATA,
    DISARM,
    DEFRAGMENT,
    DEFRAGMENT_STOPPED,
    DISCARD_BOOTSTRAP,
    INSTALL_CERTIFICATES,
    INSTALL_RELEASE,
    PREPARE_DIRECTORIES,
    PROVE_HEALTHY,
    READ_IDENTITY,
    READ_JOURNAL,
    READ_LOGS,
    READ_SUPPORT,
    STREAM_SNAPSHOT,
    START_MEMBER,
    STORE_TOKEN,
    SUDO_RECORDS,
    WRITE_MARKER,
    WRITE_UNIT,
];

/// What a program says of a script on its stdin.
fn opinion(program: &mut Command, script: &str) -> Option<String> {
    let mut child =
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().ok()?;
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    Some(String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn shellcheck_has_nothing_to_say() {
    for script in ALL {
        let said = opinion(Command::new("shellcheck").args(["--shell=sh", "-"]), script);
        assert_eq!(said.as_deref(), Some(""), "is shellcheck installed?");
    }
}

#[test]
fn every_script_fits_where_it_is_sent() {
    for script in ALL {
        assert!(!script.contains('\0') && script.ends_with('\n'));
        for shell in super::bench::SHELLS {
            let said = opinion(Command::new(shell).args(["-n", "/dev/stdin"]), script);
            assert_eq!(said.as_deref(), Some(""), "{shell}");
        }
    }
}

#[test]
fn a_script_on_its_way_is_the_same_program() {
    // bash prints a function as it understood it, texts and here documents letter by letter.
    let understood = |script: &str| {
        let function = format!("f() {{\n{script}\n}}\ndeclare -f f\n");
        opinion(&mut Command::new("bash"), &function).expect("bash")
    };
    for script in ALL.into_iter().chain(LOOKS) {
        let told = understood(script);
        assert!(told.len() > script.len() / 4, "{told}");
        assert_eq!(understood(&lean(script)), told);
    }
    assert_ne!(understood("echo 'a\n  b'"), understood(&lean("echo 'a\n  b'")));
}
