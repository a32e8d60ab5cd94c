//! How large the database of a member may become.

use inventories::inventory::FlagValue;

use crate::decide::member_context::MemberContext;
use crate::policy::DEFAULT_QUOTA_BYTES;

const FLAG: &str = "quota-backend-bytes";

/// The quota that the inventory asks for, in bytes.
pub(crate) fn wanted(member: &templates::Member) -> u64 {
    match member.flags.get(FLAG) {
        Some(FlagValue::Int(quota)) if *quota > 0 => quota.unsigned_abs(),
        _ => DEFAULT_QUOTA_BYTES,
    }
}

/// The quota that the member's process was started with, in bytes; where that is unknown, the wanted one.
pub(crate) fn in_force(member: &MemberContext<'_>) -> u64 {
    let Some(running) = member.facts.running.known() else { return wanted(&member.wanted.member) };
    let value = |argument: &'_ String| -> Option<u64> {
        argument.strip_prefix("--")?.strip_prefix(FLAG)?.strip_prefix('=')?.parse().ok()
    };
    let bytes = running.iter().rev().find_map(value);
    bytes.filter(|bytes| *bytes > 0).unwrap_or(DEFAULT_QUOTA_BYTES)
}
