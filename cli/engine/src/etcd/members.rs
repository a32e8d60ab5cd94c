//! `etcdctl member list -w json`.

use planner::facts::ListedMember;

use super::answer::{EtcdctlError, Header, read};
use super::number::Number;
use remote::clean;

/// Reads the member list, sorted by id.
///
/// # Errors
/// When there is none, which is how a member without a quorum answers since 3.5; the reason is
/// etcdctl's.
pub fn member_list(said: &str) -> Result<Vec<ListedMember>, EtcdctlError> {
    let List { members, _header: _ } = read(said)?;
    let mut members: Vec<ListedMember> = members.into_iter().map(Row::into_member).collect();
    members.sort();
    Ok(members)
}

#[derive(serde::Deserialize)]
struct List {
    /// Tells an answer from a line of a log.
    #[serde(rename = "header")]
    _header: Header,
    members: Vec<Row>,
}

#[derive(serde::Deserialize)]
struct Row {
    #[serde(rename = "ID")]
    id: Number,
    #[serde(default)]
    name: String,
    #[serde(rename = "peerURLs", default)]
    peer_urls: Vec<String>,
    #[serde(rename = "clientURLs", default)]
    client_urls: Vec<String>,
    #[serde(rename = "isLearner", default)]
    is_learner: bool,
}

impl Row {
    fn into_member(self) -> ListedMember {
        ListedMember {
            id: self.id.id(),
            name: clean(self.name.as_bytes()),
            peer_urls: sorted(&self.peer_urls),
            client_urls: sorted(&self.client_urls),
            learner: self.is_learner,
        }
    }
}

fn sorted(urls: &[String]) -> Vec<String> {
    let mut urls: Vec<String> = urls.iter().map(|url| clean(url.as_bytes())).collect();
    urls.sort();
    urls
}
