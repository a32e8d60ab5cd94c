//! Whether sudo records what it is given.

use super::bench::{Run, on_each_shell};
use crate::script::SUDO_RECORDS;

#[test]
fn a_sudo_that_records_gets_no_secret() {
    let script = format!("SUDO_USER=ops\n{}", SUDO_RECORDS);
    for (settings, refused) in [
        ("env_reset, mail_badpass", false),
        ("env_reset, !log_input, !log_stdin", false),
        ("env_reset, log_output, logfile=/var/log/log_input", false),
        ("env_reset, log_input, log_output", true),
        ("log_stdin", true),
        // What our own hint makes of it, and what puts it back.
        ("log_input, log_stdin, !log_input, !log_stdin", false),
        ("!log_input, log_input", true),
        ("log_stdin, !log_input", true),
        // What holds for some commands turns nothing off.
        ("log_input\nRunas and Command-specific defaults:\n Defaults!/bin/ls !log_input", true),
        ("env_reset\nRunas and Command-specific defaults:\n Defaults>root log_input", true),
    ] {
        on_each_shell(|bench| {
            let said = format!(
                "[ \"$*\" = '-n -l -U ops' ] && echo 'Matching Defaults entries for ops on h:' && \
                 printf '    {settings}\\n' && echo '    (ALL) NOPASSWD: ALL'"
            );
            bench.program("sudo", &said);
            let reply = bench.run(&Run::unguarded(&script, &[""; 0]));
            assert_eq!(reply.status, if refused { 80 } else { 0 }, "{settings}: {reply:?}");
        });
    }
    on_each_shell(|bench| {
        bench.program("sudo", "echo '    (root) NOPASSWD: LOG_INPUT: ALL'");
        assert_eq!(bench.run(&Run::unguarded(&script, &[""; 0])).status, 80);
        // Root's own login needs no sudo.
        let root = Run::unguarded(SUDO_RECORDS, &[""; 0]);
        let root_script = format!("unset SUDO_USER\n{}", root.script);
        assert_eq!(bench.run(&Run { script: &root_script, ..root }).status, 0);
    });
}
