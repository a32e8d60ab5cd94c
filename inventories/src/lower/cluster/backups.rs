//! Where backups go, and for whom they are sealed.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::backups::{BackupTarget, Backups, Keep, S3Server};
use crate::defaults;
use crate::escape::escape;
use crate::lower::{pki, ssh};
use crate::report::{At, Finding, Report};
use crate::schema::{self, Loc};

mod s3;
mod sftp;

/// More would be a slip of the hand: three hundred backups are a year of days.
const MOST_KEPT: i64 = 10_000;

/// What is written of a cluster's backups, without a mistake; the others have been reported.
pub(super) fn read(
    raw: Option<&Loc<schema::Backups>>,
    site: Option<&Loc<schema::Pki>>,
    logins: &ssh::Settings,
    report: &mut Report<'_>,
) -> Option<Backups> {
    let at = At::new(0, raw?.span());
    let schema::Backups { to, recipients, keep, max_age, max_age_opened, s3 } = raw?.value();
    let server = s3::server(s3.as_ref(), report);
    let to = targets(to.as_ref(), (&server, logins), &at, report);
    let recipients = match recipients {
        Some(written) => pki::recipients(written, report),
        None => site_recipients(site, &at, report),
    };
    let keep = keep.as_ref().and_then(|keep| kept(keep, report));
    let max_age = max_age.as_ref().and_then(|text| age("max-age", text, report));
    let opened = max_age_opened.as_ref();
    let max_age_opened = opened.and_then(|text| age("max-age-opened", text, report));
    Some(Backups { to, recipients, keep, max_age, max_age_opened })
}

fn targets(
    written: Option<&Loc<Vec<Loc<String>>>>,
    ways: (&S3Server, &ssh::Settings),
    table: &At,
    report: &mut Report<'_>,
) -> Vec<BackupTarget> {
    let mut found: BTreeMap<BackupTarget, At> = BTreeMap::new();
    let mut targets = Vec::new();
    for text in written.iter().flat_map(|list| list.iter()) {
        let at = At::new(0, text.span());
        match target(text, ways) {
            Err(_) if text.starts_with("s3:") && s3::holds_login(text, &at, report) => {}
            Err(_) if text.starts_with("sftp:") && sftp::holds_password(text, &at, report) => {}
            Err(hint) => {
                let shown = escape(&text.chars().take(80).collect::<String>());
                let message = format!("\"{shown}\" is not a backup target");
                report.add(Finding::error("backups", &at, message).hint(hint));
            }
            Ok(target) => match found.get(&target) {
                Some(first) => {
                    let message = "this target is listed twice";
                    let finding =
                        Finding::error("backups", &at, message).related(first, "here too");
                    report.add(finding.hint("remove one of them"));
                }
                None => {
                    found.insert(target.clone(), at);
                    targets.push(target);
                }
            },
        }
    }
    if written.is_none_or(|list| list.is_empty()) {
        let at = written.map_or(table.clone(), |list| At::new(0, list.span()));
        let message = "`backups` has no target in `to`";
        let hint = "write: to = [\"file:backups/\"]";
        report.add(Finding::error("backups", &at, message).hint(hint).about_absence());
    }
    targets
}

fn target(
    text: &str,
    (server, logins): (&S3Server, &ssh::Settings),
) -> Result<BackupTarget, &'static str> {
    if let Some(place) = text.strip_prefix("s3://") {
        return s3::target(place, server).map(BackupTarget::S3);
    }
    if let Some(place) = text.strip_prefix("sftp://") {
        return sftp::target(place, logins).map(BackupTarget::Sftp);
    }
    let path = text.strip_prefix("file:").ok_or(
        "write \"file:\" and a folder, such as \"file:backups/\", or \"s3://bucket/prefix\", or \"sftp://host/folder\"",
    )?;
    folder(path).map(BackupTarget::Folder)
}

fn folder(path: &str) -> Result<PathBuf, &'static str> {
    if path.trim_matches(['/', '.']).is_empty() || path.chars().any(char::is_control) {
        return Err(
            "write \"file:\" and a folder, such as \"file:backups/\"; a relative path starts at the inventory's folder",
        );
    }
    if path.starts_with("//") {
        return Err("write one slash: \"file:/srv/backups\"");
    }
    // Two spellings of one folder are one place.
    Ok(Path::new(path).components().filter(|part| *part != Component::CurDir).collect())
}

/// The site's recipients have been checked where they are written.
fn site_recipients(
    site: Option<&Loc<schema::Pki>>,
    at: &At,
    report: &mut Report<'_>,
) -> Vec<String> {
    let written = site.and_then(|site| site.recipients.as_ref());
    let recipients: Vec<String> =
        written.iter().flat_map(|list| list.iter()).map(|text| text.value().clone()).collect();
    if recipients.is_empty() && !report.has_hole(&["pki"]) {
        let message = "backups must be sealed for a recipient, and [pki] has no recipients";
        let hint = "write: recipients = [\"age1…\"] with your public key (`age-keygen` makes one)";
        report.add(Finding::error("no-recipient", at, message).hint(hint).about_absence());
    }
    recipients
}

fn kept(raw: &Loc<schema::Keep>, report: &mut Report<'_>) -> Option<Keep> {
    let schema::Keep { hourly, daily, weekly } = raw.value();
    let mut number = |written: &Option<Loc<i64>>| {
        let Some(written) = written else { return Some(defaults::KEPT) };
        let number = Some(*written.value()).filter(|number| (0..=MOST_KEPT).contains(number));
        let number = number.and_then(|number| u32::try_from(number).ok());
        if number.is_none() {
            let message = format!("this is not a number of backups from 0 to {MOST_KEPT}");
            report.add(Finding::error("backups", &At::new(0, written.span()), message));
        }
        number
    };
    let (hourly, daily, weekly) = (number(hourly), number(daily), number(weekly));
    let keep = Keep { hourly: hourly?, daily: daily?, weekly: weekly? };
    if keep == Keep::default() {
        let message = "`keep` keeps no backup at all";
        let hint = "write: keep = { hourly = 24, daily = 14, weekly = 8 }\nor leave `keep` out to keep all of them";
        report.add(Finding::error("backups", &At::new(0, raw.span()), message).hint(hint));
        return None;
    }
    Some(keep)
}

fn age(key: &str, raw: &Loc<String>, report: &mut Report<'_>) -> Option<Duration> {
    let parsed = duration(raw);
    if parsed.is_none() {
        let message = format!("`{key}` is not a time from 1 minute to 1000 days");
        let finding = Finding::error("backups", &At::new(0, raw.span()), message);
        report.add(finding.hint(format!("write: {key} = \"3h\", or \"90m\", or \"2d\"")));
    }
    parsed
}

fn duration(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let number: u64 = number.parse().ok().filter(|number| *number > 0)?;
    let age = Duration::from_secs(number.checked_mul(seconds)?);
    (age <= Duration::from_secs(1000 * 86_400)).then_some(age)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_folder_is_one_place_however_it_is_spelled() {
        let server = s3::tests::aws();
        let read = |text| target(text, (&server, &ssh::Settings::default()));
        let folder = |path: &str| Ok(BackupTarget::Folder(PathBuf::from(path)));
        assert_eq!(read("file:backups/"), folder("backups"));
        assert_eq!(read("file:./backups//a/./"), folder("backups/a"));
        assert_eq!(read("file:/srv/b"), folder("/srv/b"));
        for bad in ["", "backups/", "file:", "file:/", "file://srv/b", "s3:bucket", "file:a\nb"] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_time_is_a_number_and_a_unit() {
        assert_eq!(duration("90m"), Some(Duration::from_secs(5400)));
        assert_eq!(duration("2d"), Some(Duration::from_secs(172_800)));
        for bad in ["", "3", "h", "0h", "-1h", "3 h", "3s", "1001d", "99999999999999999999d", "3hh"]
        {
            assert_eq!(duration(bad), None, "{bad:?}");
        }
    }
}
