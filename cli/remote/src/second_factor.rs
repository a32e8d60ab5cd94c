//! What a host wants beside a key: questions that a person answers (`keyboard-interactive`), mostly a one-time code.

use std::time::{Duration, Instant};

use ssh2::{KeyboardInteractivePrompt, Prompt};

use super::auth::{AuthenticationEnd, Unanswered};
use super::link::{Link, Stopped};
use super::offer::{hung_up, methods};
use super::target::Target;
use super::text::clean;
use crate::passphrases::{NoPassphrase, Passphrases};

const METHOD: &str = "keyboard-interactive";
/// How often a wrong answer is asked for again; ssh's own number.
const TRIES: u32 = 3;
/// sshd's own `LoginGraceTime`, within which a person has to answer.
const PATIENCE: Duration = Duration::from_secs(120);
/// The most of a host's question that is shown.
const LONGEST_QUESTION: usize = 300;

/// A person who answers the questions of one host.
struct Answers<'a> {
    link: &'a Link,
    passphrases: &'a Passphrases,
    login: &'a str,
    place: &'a str,
    is_asked: bool,
    none: Option<NoPassphrase>,
}

impl KeyboardInteractivePrompt for Answers<'_> {
    fn prompt(&mut self, _: &str, instruction: &str, prompts: &[Prompt<'_>]) -> Vec<String> {
        prompts.iter().map(|prompt| self.answer(instruction, &prompt.text)).collect()
    }
}

impl Answers<'_> {
    /// libssh2 takes no refusal, and an empty answer is a wrong one, which hosts count until they lock the account.
    /// Where nobody answers, none is sent. libssh2 frees the answer, and wipes no copy.
    fn answer(&mut self, instruction: &str, prompt: &str) -> String {
        self.is_asked = true;
        if self.none.is_some() {
            return String::new();
        }
        let asked = question(self.login, instruction, prompt);
        let answer = match self.link.tally.may_ask(self.passphrases) {
            true => self.passphrases.answer(self.place, &asked),
            false => Err(self.passphrases.busy(self.place)),
        };
        match answer {
            Ok(answer) => answer.expose().to_owned(),
            Err(why) => {
                self.link.cut();
                self.none = Some(why);
                String::new()
            }
        }
    }
}

/// A host may ask for anything, so each question begins with who asks it.
fn question(login: &str, instruction: &str, prompt: &str) -> String {
    let said = clean(format!("{instruction} {prompt}").as_bytes());
    let words: Vec<&str> = said.split_whitespace().collect();
    let said: String = words.join(" ").chars().take(LONGEST_QUESTION).collect();
    format!("({login}) {said} ")
}

/// Gives the host what it wants after it accepted a key. `wanted` are its methods.
pub(super) fn give(
    link: &Link,
    target: &Target,
    mut wanted: String,
) -> Result<(), AuthenticationEnd> {
    let (login, place) = (target.login_name(), target.login_place());
    let end = Instant::now() + PATIENCE;
    for _ in 0..TRIES {
        if !wanted.split(',').any(|method| method == METHOD) {
            return Err(AuthenticationEnd::MoreWanted { wanted, why: Unanswered::Unsupported });
        }
        let passphrases = &*target.passphrases;
        let mut answers = Answers {
            link,
            passphrases,
            login: &login,
            place: &place,
            is_asked: false,
            none: None,
        };
        let ask = || link.session.userauth_keyboard_interactive(&target.user, &mut answers);
        let stopped = match link.drive(end, ask) {
            Ok(()) => return Ok(()),
            Err(stopped) => stopped,
        };
        if let Some(why) = answers.none {
            return Err(AuthenticationEnd::MoreWanted { wanted, why: Unanswered::Nobody(why) });
        }
        match &stopped {
            Stopped::Failed(error) if !hung_up(error) => {}
            _ => return Err(AuthenticationEnd::HungUp { why: stopped.why() }),
        }
        if !answers.is_asked {
            return Err(AuthenticationEnd::MoreWanted { wanted, why: Unanswered::NotAsked });
        }
        wanted = methods(link, &target.user, end);
    }
    target.passphrases.give_up(&place, NoPassphrase::Wrong);
    let why = Unanswered::Nobody(NoPassphrase::Wrong);
    Err(AuthenticationEnd::MoreWanted { wanted: METHOD.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_says_who_asks_and_is_one_line_of_bounded_length() {
        let asked = question("ops@gate", "Hello\r\n\u{1b}[2J", "Enter passphrase\nfor key: ");
        assert_eq!(asked, "(ops@gate) Hello Enter passphrase for key: ");
        assert!(question("ops@gate", "", &"x".repeat(100_000)).len() < 400);
    }
}
