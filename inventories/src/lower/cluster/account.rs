//! The account that a cluster's members run as.

use std::collections::BTreeSet;

use super::Lowered;
use crate::account::AccountName;
use crate::escape::escape;
use crate::report::{At, Finding, Report};
use crate::schema::Loc;

/// The account; `None` where what is written was a mistake.
pub(super) fn read(raw: Option<&Loc<String>>, report: &mut Report<'_>) -> Option<AccountName> {
    let Some(written) = raw else { return Some(AccountName::default()) };
    let account = AccountName::new(written).ok();
    if account.is_none() {
        let shown = escape(&written.chars().take(80).collect::<String>());
        let at = At::new(0, written.span());
        let message = format!("\"{shown}\" can't be the account of etcd");
        report.add(Finding::error("account", &at, message).hint(
            "write `etcd`, or `etcd-` and a name of a-z, 0-9 and '-': quorate creates the account and takes its \
             login shell, so nobody else may use it",
        ));
    }
    account
}

/// Warns of clusters that share an account and a host, once for each account: nothing on that host keeps one
/// etcd from the other's files.
pub(super) fn shared(clusters: &[Lowered], report: &mut Report<'_>) {
    let mut told = BTreeSet::new();
    for (index, later) in clusters.iter().enumerate() {
        let Some(account) = &later.account else { continue };
        let common = |earlier: &&Lowered| {
            earlier.account.as_ref() == Some(account)
                && earlier.members.iter().any(|host| later.members.contains(host))
        };
        let Some(earlier) = clusters[..index].iter().find(common) else { continue };
        if !told.insert(account) {
            continue;
        }
        let host = earlier.members.iter().find(|host| later.members.contains(host));
        let host = host.map(|host| host.as_str()).unwrap_or_default();
        let (one, other) = (escape(&earlier.written), escape(&later.written));
        let message = format!(
            "the clusters \"{one}\" and \"{other}\" both run as {account} on {host}: an attacker who breaks into one \
             etcd can read the keys and data of the other"
        );
        let hint = match AccountName::new(&format!("etcd-{other}")) {
            Ok(own) => format!("write under [clusters.{other}]: account = \"{own}\""),
            Err(_) => "give each cluster an `account` of its own".to_owned(),
        };
        report.add(Finding::warning("shared-account", &later.at, message).hint(hint));
    }
}
