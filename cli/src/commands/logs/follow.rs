//! Members that are followed: a task for each host, so that one that is slow or away holds up no other.

use std::sync::Arc;
use std::time::Duration;

use inventories::HostName;
use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::news::{News, Said};
use super::{Answers, MOST_NEW, Member, ask};
use engine::pool::Pool;
use remote::{RemoteError, Stage};

/// How long to wait before a host is asked for new lines.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest wait for a host that is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What is new of the members of a host.
pub(super) type Batch = Vec<(Member, Said)>;

/// The members of a host, from what each has shown on.
pub(super) struct Follower {
    host: HostName,
    members: Vec<Member>,
    news: News,
}

impl Follower {
    /// One for each host.
    pub(super) fn for_hosts(first: &Answers) -> Vec<Self> {
        let hosts = first.chunk_by(|a, b| a.0.0 == b.0.0);
        let follower = |answers: &[(Member, _)]| {
            let members: Vec<Member> = answers.iter().map(|(member, _)| member.clone()).collect();
            let host = members.first()?.0.clone();
            Some(Self { host, members, news: News::new(answers) })
        };
        hosts.filter_map(follower).collect()
    }

    async fn run(
        mut self,
        pool: Arc<Pool>,
        since: Option<OffsetDateTime>,
        out: mpsc::Sender<Batch>,
    ) {
        let mut pause = PAUSE;
        loop {
            tokio::time::sleep(pause).await;
            let asked = pool.connection(&self.host).await;
            let (batch, next) = match asked {
                Ok(_) => {
                    let since = |member: &Member| self.news.since(member).or(since);
                    let answers = ask(&pool, &self.members, MOST_NEW, since).await;
                    let is_away = answers.iter().any(|(_, said)| said.is_err());
                    (self.news.take(answers), Some(after(pause, is_away)))
                }
                Err(error) => {
                    let why = format!("{}: {error}", self.host);
                    match is_refusal(&error) {
                        true => (self.of_the_first(Said::Refused(why)), None),
                        false => (self.away(&why), Some(after(pause, true))),
                    }
                }
            };
            let is_heard = batch.is_empty() || out.send(batch).await.is_ok();
            match next {
                Some(next) if is_heard => pause = next,
                _ => return,
            }
        }
    }

    fn away(&mut self, why: &str) -> Batch {
        let mut is_new = false;
        for member in &self.members {
            is_new |= self.news.goes_away(member);
        }
        // Report the host as away, and not each of its members.
        if is_new { self.of_the_first(Said::Away(why.to_owned())) } else { Vec::new() }
    }

    fn of_the_first(&self, said: Said) -> Batch {
        self.members.first().map(|member| (member.clone(), said)).into_iter().collect()
    }
}

/// Follows all of them, and hands on what is new, until no host is left to read again.
pub(super) async fn follow(
    pool: &Arc<Pool>,
    followers: Vec<Follower>,
    since: Option<OffsetDateTime>,
    print: impl Fn(Batch),
) {
    let (out, mut news) = mpsc::channel(16);
    let mut all = JoinSet::new();
    for follower in followers {
        all.spawn(follower.run(Arc::clone(pool), since, out.clone()));
    }
    drop(out);
    while let Some(batch) = news.recv().await {
        print(batch);
    }
}

/// The wait after an answer, or after none.
fn after(pause: Duration, is_away: bool) -> Duration {
    if is_away { (pause * 2).min(LONGEST_PAUSE) } else { PAUSE }
}

/// Whether a host that is asked again says the same again, and may lock us out for asking.
fn is_refusal(error: &RemoteError) -> bool {
    matches!(error.stage(), Stage::HostKey | Stage::Authentication) && !error.may_pass()
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::lock::LockError;

    #[test]
    fn a_host_that_is_away_is_asked_less_and_less_often() {
        let mut pauses = vec![PAUSE];
        while pauses.last() != Some(&LONGEST_PAUSE) {
            pauses.push(after(pauses[pauses.len() - 1], true));
        }
        let seconds: Vec<u64> = pauses.iter().map(Duration::as_secs).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60]);
        assert_eq!(after(LONGEST_PAUSE, false), PAUSE);
    }

    #[test]
    fn what_is_refused_is_not_asked_again_and_what_is_away_is() {
        let address = "192.0.2.1:22".parse().unwrap();
        let away = RemoteError::Connect { address, why: "refused".to_owned() };
        assert!(!is_refusal(&away));
        let hop = |error| RemoteError::Hop { hop: "ops@jump".to_owned(), error: Box::new(error) };
        assert!(!is_refusal(&hop(away)));
        let end = remote::AuthenticationEnd::Exhausted { accepted: "publickey".to_owned() };
        let no_key =
            remote::AuthenticationError { user: "ops".to_owned(), attempts: Vec::new(), end };
        assert!(is_refusal(&hop(RemoteError::Authentication(no_key.clone()))));
        assert!(is_refusal(&RemoteError::Authentication(no_key)));
    }

    #[test]
    fn each_host_is_followed_by_itself_and_said_to_be_away_once() {
        let member = |host: &str, cluster: &str| (host.parse().unwrap(), cluster.parse().unwrap());
        let answer = |host: &str, cluster: &str| {
            (member(host, cluster), Ok::<_, LockError>(Default::default()))
        };
        let first = vec![answer("a", "x"), answer("a", "y"), answer("b", "x")];
        let mut followers = Follower::for_hosts(&first);
        let hosts: Vec<&str> = followers.iter().map(|follower| follower.host.as_str()).collect();
        assert_eq!(hosts, ["a", "b"]);
        let away = vec![(member("a", "x"), Said::Away("a: gone".to_owned()))];
        assert_eq!(followers[0].away("a: gone"), away);
        assert_eq!(followers[0].away("a: gone"), []);
    }
}
