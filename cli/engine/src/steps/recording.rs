//! Whether the host's sudo records what we send: keys and passwords travel on its stdin.

use crate::script::{
    self, answer,
    call::{self, Arguments},
    failure::Failure,
};
use remote::{Connection, Payload};

/// Refuses before anything secret is sent.
pub(crate) async fn refuse(connection: &Connection) -> Result<(), Failure> {
    let call = call::call(script::SUDO_RECORDS, Arguments::new(), Payload::new());
    let answered = answer::read(&connection.run(call).await?);
    answered.map(|_| ()).map_err(|failure| {
        failure.hinted(
            "add this line to /etc/sudoers.d/quorate on the host (visudo -f), with the login's name: \
             Defaults:USER !log_input, !log_stdin\n\
             if a rule has the tag LOG_INPUT, remove the tag\n\
             or log in as root (ssh.user)",
        )
    })
}
