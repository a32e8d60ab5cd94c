//! How long ago something was.

use time::Duration;

/// An age for people, in one unit.
pub fn age(age: Duration) -> String {
    let (days, hours, minutes) = (age.whole_days(), age.whole_hours(), age.whole_minutes());
    match (days, hours) {
        (2.., _) => format!("{days} days"),
        (_, 2..) => format!("{hours} hours"),
        _ => format!("{} minutes", minutes.max(0)),
    }
}
