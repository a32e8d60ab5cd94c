//! A server that hangs up before the login is tried again: it has too many logins at this moment (`MaxStartups`), or
//! bans our address for a while.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::error::RemoteError;

/// The first pause; each is twice the last, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// What sshd says when it has too many logins, and when it bans an address. Both mean: not now.
const NOT_NOW: [&str; 2] = ["Exceeded MaxStartups", "Not allowed at this time"];

/// The error of a server that hung up before keys were agreed on. `said` is the last line that came from it.
pub(super) fn hung_up(said: Option<String>, why: &str) -> RemoteError {
    match said {
        None => RemoteError::HungUp { said: String::new(), times: 1 },
        Some(greeting) if greeting.starts_with("SSH-") => {
            RemoteError::HungUp { said: String::new(), times: 1 }
        }
        Some(said) if NOT_NOW.contains(&said.as_str()) => RemoteError::HungUp { said, times: 1 },
        Some(said) => RemoteError::Banner { why: format!("{why}; it said: {said}") },
    }
}

/// Repeats an attempt while the server hangs up, as long as `patience` lasts, which an attempt may change.
pub(super) fn until_heard<T>(
    patience: impl Fn() -> Duration,
    mut attempt: impl FnMut() -> Result<T, RemoteError>,
) -> Result<T, RemoteError> {
    let (started, mut pause, mut before) = (Instant::now(), FIRST_PAUSE, 0);
    loop {
        let error = match attempt() {
            Err(RemoteError::HungUp { said, times }) => {
                before += times;
                RemoteError::HungUp { said, times: before }
            }
            other => return other,
        };
        let wait = spread(pause);
        if started.elapsed() + wait >= patience() {
            return Err(error);
        }
        sleep(wait);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Between three quarters and five quarters of a pause: those who were refused together do not come back together.
pub(super) fn spread(pause: Duration) -> Duration {
    let mut chance = [128];
    // Without chance the pause is as it is.
    let _ = getrandom::fill(&mut chance);
    pause * 3 / 4 + pause * u32::from(chance[0]) / 510
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusing(times: u32) -> impl FnMut() -> Result<u32, RemoteError> {
        let mut asked = 0;
        move || {
            asked += 1;
            if asked > times { Ok(asked) } else { Err(hung_up(None, "")) }
        }
    }

    #[test]
    fn a_server_that_hangs_up_is_tried_again_and_not_without_end() {
        assert_eq!(until_heard(|| Duration::from_secs(9), refusing(2)), Ok(3));
        let given_up = until_heard(|| Duration::from_secs(1), refusing(99)).unwrap_err();
        assert!(matches!(given_up, RemoteError::HungUp { times: 2, .. }), "{given_up:?}");
        let other = || Err::<(), _>(hung_up(Some("HTTP/1.1 400".to_owned()), "x"));
        let started = Instant::now();
        assert!(matches!(until_heard(|| Duration::MAX, other), Err(RemoteError::Banner { .. })));
        assert!(started.elapsed() < FIRST_PAUSE / 2);
    }

    #[test]
    fn pauses_differ_by_a_quarter_at_most() {
        for _ in 0..100 {
            let wait = spread(FIRST_PAUSE);
            assert!(wait >= FIRST_PAUSE * 3 / 4 && wait <= FIRST_PAUSE * 5 / 4, "{wait:?}");
        }
    }
}
