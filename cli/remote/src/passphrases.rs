//! The passphrases of the operator's keys: each is asked for once in a run, no matter how many logins need it.
//!
//! A key may log in to fifty hosts and open the CAs as well. The first who needs its passphrase asks,
//! the others wait for the answer.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use crate::jump::KeptLogins;
use secrecy::{ExposeSecret as _, SecretString};

/// How often a wrong passphrase is asked for again; ssh's own number.
const TRIES: u32 = 3;

/// A passphrase. It has no text of its own, so that nothing prints or logs it by accident.
pub struct Passphrase(SecretString);

impl Passphrase {
    /// Keeps a copy of a passphrase; the original is the caller's to wipe.
    pub fn new(text: &str) -> Self {
        Self(SecretString::from(text))
    }

    /// The text. What receives it must not print, log or keep it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// Puts a question to a person.
type Ask = dyn Fn(&str) -> Result<Passphrase, NoPassphrase> + Send + Sync;

/// The right to ask a person for what a host wants beside a key.
pub type Turn = tokio::sync::OwnedMutexGuard<()>;

/// What is known of passphrases so far, and how to ask for others.
pub struct Passphrases {
    ask: Box<Ask>,
    keys: Mutex<BTreeMap<PathBuf, Arc<Mutex<Known>>>>,
    /// Held while a person is asked: one question at a time.
    asking: Mutex<()>,
    /// The logins whose hosts asked for more than a key, and why they get no answer any more.
    asked: Mutex<BTreeMap<String, Option<NoPassphrase>>>,
    /// Held by a login that asks for more than a key, from before it connects.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// What answers opened is as good as the answers.
    kept: KeptLogins,
}

/// What is known of one key's passphrase.
enum Known {
    /// Nobody needed it so far.
    Nothing,
    /// The right one.
    Right(Arc<Passphrase>),
    /// It is not to be had.
    None(NoPassphrase),
}

/// Why a passphrase is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPassphrase {
    /// There is no terminal and no program to ask with.
    #[error("there is no terminal to ask for it, and no SSH_ASKPASS")]
    Nobody,
    /// The program that should ask did not.
    #[error("SSH_ASKPASS {program} {why}")]
    Askpass {
        /// The program.
        program: String,
        /// What happened to it.
        why: String,
    },
    /// The operator gave none.
    #[error("none was given")]
    Declined,
    /// The operator pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// A person is being asked something else. Waiting for that would use up the time that the host gives a login.
    #[error("another question is open")]
    Busy,
    /// Each that was given was wrong.
    #[error("{TRIES} wrong ones were given")]
    Wrong,
}

/// What a passphrase did to a key.
#[derive(Debug)]
pub enum Tried<T> {
    /// It is the right one, and this came of it.
    Right(T),
    /// It is not the right one.
    Wrong,
}

impl Passphrases {
    /// Passphrases that are asked for in this way.
    pub fn asking(
        ask: impl Fn(&str) -> Result<Passphrase, NoPassphrase> + Send + Sync + 'static,
    ) -> Self {
        Self {
            ask: Box::new(ask),
            keys: Mutex::default(),
            asking: Mutex::new(()),
            asked: Mutex::default(),
            turn: Arc::default(),
            kept: KeptLogins::default(),
        }
    }

    /// Nobody can be asked.
    pub fn unknown() -> Self {
        Self::asking(|_| Err(NoPassphrase::Nobody))
    }

    /// Whether the passphrase of a key is known already.
    pub fn knows(&self, key: &Path) -> bool {
        matches!(*lock(&self.of(key)), Known::Right(_))
    }

    /// Opens a key with its passphrase, which is asked for if it is not known. Blocks while somebody
    /// is asked.
    ///
    /// # Errors
    /// Why there is none. Who asks later for the same key gets the same answer, and nobody is
    /// asked again.
    pub fn open<T>(
        &self,
        key: &Path,
        mut open: impl FnMut(&Passphrase) -> Tried<T>,
    ) -> Result<T, NoPassphrase> {
        let known = self.of(key);
        let mut known = lock(&known);
        let right = match &*known {
            Known::Nothing => None,
            Known::None(why) => return Err(why.clone()),
            Known::Right(passphrase) => Some(Arc::clone(passphrase)),
        };
        if let Some(passphrase) = right {
            // Others may continue while this one is used.
            drop(known);
            return match open(&passphrase) {
                Tried::Right(opened) => Ok(opened),
                Tried::Wrong => Err(NoPassphrase::Wrong),
            };
        }
        let _one_question_at_a_time = lock(&self.asking);
        let question = format!("Enter passphrase for key '{}': ", key.display());
        for _ in 0..TRIES {
            let passphrase = match (self.ask)(&question) {
                Ok(passphrase) => passphrase,
                Err(why) => {
                    *known = Known::None(why.clone());
                    return Err(why);
                }
            };
            if let Tried::Right(opened) = open(&passphrase) {
                *known = Known::Right(Arc::new(passphrase));
                return Ok(opened);
            }
        }
        *known = Known::None(NoPassphrase::Wrong);
        Err(NoPassphrase::Wrong)
    }

    /// Answers a question of a host. Unlike a passphrase an answer is not kept: the next one-time code is another.
    ///
    /// # Errors
    /// Why there is none. The same login gets the same error from then on, and nobody is asked again; unless somebody
    /// is being asked already, which this does not wait for.
    pub fn answer(&self, login: &str, question: &str) -> Result<Passphrase, NoPassphrase> {
        if let Some(why) = lock(&self.asked).entry(login.to_owned()).or_default() {
            return Err(why.clone());
        }
        let _one_question_at_a_time = match self.asking.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(NoPassphrase::Busy),
        };
        let answer = (self.ask)(question);
        lock(&self.asked).insert(login.to_owned(), answer.as_ref().err().cloned());
        answer
    }

    /// The turn of a login that asks for more than a key. A host counts its time from the connection on, so a login
    /// takes its turn before it connects, and has it until it is over: one that is kept may spare the next one the
    /// question.
    pub async fn turn(&self) -> Turn {
        Arc::clone(&self.turn).lock_owned().await
    }

    /// The same for a login that did not know that its host asks, if nobody has it.
    pub(crate) fn turn_at_once(&self) -> Option<Turn> {
        Arc::clone(&self.turn).try_lock_owned().ok()
    }

    /// Why a host that asks gets no answer while another login has the turn. Once it is known that it asks, its login
    /// waits for its turn.
    pub(crate) fn busy(&self, login: &str) -> NoPassphrase {
        let known = lock(&self.asked).entry(login.to_owned()).or_default().clone();
        known.unwrap_or(NoPassphrase::Busy)
    }

    /// Nobody is asked for this login again.
    pub fn give_up(&self, login: &str, why: NoPassphrase) {
        lock(&self.asked).insert(login.to_owned(), Some(why));
    }

    /// Whether the host of this login asked for more than a key.
    pub fn was_asked(&self, login: &str) -> bool {
        lock(&self.asked).contains_key(login)
    }

    /// The logins at jump hosts that asked for more than a key.
    pub(crate) fn kept(&self) -> &KeptLogins {
        &self.kept
    }

    fn of(&self, key: &Path) -> Arc<Mutex<Known>> {
        // The same key under two names is the same key.
        let name = std::fs::canonicalize(key).unwrap_or_else(|_| key.to_owned());
        let mut keys = lock(&self.keys);
        Arc::clone(keys.entry(name).or_insert_with(|| Arc::new(Mutex::new(Known::Nothing))))
    }
}

/// How many keys there are, and nothing about them.
impl fmt::Debug for Passphrases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Passphrases(of {} keys)", lock(&self.keys).len())
    }
}

/// What a thread that panicked left behind is as it was: nothing here is changed in two steps.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Passphrases from somebody who gives these answers, and how often he was asked.
    fn answering(answers: &'static [&str]) -> (Passphrases, Arc<AtomicU32>) {
        let asked = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&asked);
        let ask = move |question: &str| {
            assert_eq!(question, "Enter passphrase for key '/k': ");
            let number = counted.fetch_add(1, Ordering::SeqCst) as usize;
            let answer = answers.get(number).ok_or(NoPassphrase::Declined)?;
            Ok(Passphrase::new(answer))
        };
        (Passphrases::asking(ask), asked)
    }

    fn open(passphrases: &Passphrases) -> Result<(), NoPassphrase> {
        passphrases.open(Path::new("/k"), |passphrase| match passphrase.expose() {
            "right" => Tried::Right(()),
            _ => Tried::Wrong,
        })
    }

    #[test]
    fn a_passphrase_is_asked_for_once_for_all_logins() {
        let (passphrases, asked) = answering(&["right"]);
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| open(&passphrases).unwrap());
            }
        });
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        assert!(passphrases.knows(Path::new("/k")));
    }

    #[test]
    fn a_wrong_one_is_asked_for_again_three_times_and_then_never() {
        let (passphrases, asked) = answering(&["wrong", "still", "right"]);
        assert_eq!(open(&passphrases), Ok(()));
        assert_eq!(asked.load(Ordering::SeqCst), 3);
        let (passphrases, asked) = answering(&["a", "b", "c", "right"]);
        assert_eq!(open(&passphrases), Err(NoPassphrase::Wrong));
        assert_eq!(open(&passphrases), Err(NoPassphrase::Wrong));
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn who_declines_is_not_asked_again() {
        let (passphrases, asked) = answering(&[]);
        assert_eq!(open(&passphrases), Err(NoPassphrase::Declined));
        assert_eq!(open(&passphrases), Err(NoPassphrase::Declined));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn no_passphrase_is_in_the_debug_text() {
        let (passphrases, _) = answering(&["right"]);
        open(&passphrases).unwrap();
        assert_eq!(format!("{passphrases:?}"), "Passphrases(of 1 keys)");
    }
}
