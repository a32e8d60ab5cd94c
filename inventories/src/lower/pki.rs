//! For whom the CA keys are sealed.

use crate::inventory::PkiSettings;
use crate::report::{At, Finding, Report};
use crate::schema::{self, Loc};
use crate::secret;

mod recipient;

pub(super) fn settings(raw: &Loc<schema::Pki>, report: &mut Report<'_>) -> PkiSettings {
    let written = raw.recipients.as_ref();
    let recipients = written.map(|list| recipients(list, report)).unwrap_or_default();
    let plain_keys = raw.plain_keys.as_ref().is_some_and(|plain| *plain.value());
    let none = written.is_none_or(|list| list.is_empty());
    if none && !plain_keys && !report.has_hole(&["pki"]) {
        let at = written.map_or(At::new(0, raw.span()), |list| At::new(0, list.span()));
        let message = "the keys of the certificate authorities must be sealed for a recipient";
        let hint = "write: recipients = [\"age1…\"] with your public key (`age-keygen` makes one)\nor, to keep the keys unsealed: plain-keys = true";
        report.add(Finding::error("no-recipient", &at, message).hint(hint).about_absence());
    }
    if let (Some(list), Some(plain)) = (written, &raw.plain_keys)
        && plain_keys
        && !none
    {
        let message = "`plain-keys = true` keeps the keys unsealed, and `recipients` seals them";
        report.add(
            Finding::error("plain-keys", &At::new(0, plain.span()), message)
                .related(&At::new(0, list.span()), "sealed for these")
                .hint("leave `plain-keys` out"),
        );
    }
    PkiSettings { recipients, plain_keys }
}

/// The public keys of a list; those that are none have been reported.
pub(super) fn recipients(written: &[Loc<String>], report: &mut Report<'_>) -> Vec<String> {
    let mut recipients = Vec::new();
    for text in written {
        let at = At::new(0, text.span());
        if secret::is_private_key(text) {
            report.hide(&at);
            let message = "this is a private key: anyone who has read this file can open what is sealed for it";
            let hint = "make a new key, and write the public one: `age-keygen -y FILE` prints it";
            report.add(Finding::error("plain-secret", &at, message).hint(hint));
        } else if let Err(hint) = recipient::check(text) {
            let message = "this is not a public key of age or SSH";
            report.add(Finding::error("recipient", &at, message).hint(hint));
        } else {
            recipients.push(text.value().clone());
        }
    }
    recipients
}
