//! What a member's data directory remembers of its cluster.

use pki::Sha256Digest;

/// A member's write-ahead log: what it was born with, which no later flag changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The member's name.
    pub name: String,
    /// Token of its cluster's bootstrap.
    pub token: String,
    /// Names and peer URLs of that bootstrap.
    pub initial_cluster: String,
    /// Whether somebody restored a snapshot into it.
    pub restored: bool,
    /// Whether a restore of quorate's made it.
    pub from_snapshot: bool,
    /// Whether what it holds is no longer what the others have.
    pub odd: bool,
    cluster_id: String,
    member_id: String,
}

impl Log {
    /// The log of a member that begins its first life with these settings.
    pub fn new(name: String, token: String, initial_cluster: String) -> Self {
        let cluster_id = short_hash(&format!("cluster {token} {initial_cluster}"));
        let member_id = id_at_birth(&token, &initial_cluster, &name);
        Self {
            name,
            token,
            initial_cluster,
            restored: false,
            from_snapshot: false,
            odd: false,
            cluster_id,
            member_id,
        }
    }

    /// The log of a member that joins the cluster which this one is of: what it gets from the others tells of the same
    /// bootstrap, and the cluster gave it an id of its own when it was added.
    #[must_use]
    pub fn joined(&self, name: String, member_id: String) -> Self {
        Self { name, member_id, restored: false, from_snapshot: false, odd: false, ..self.clone() }
    }

    /// What `etcdutl snapshot restore` leaves without a token.
    pub fn restored(name: String, initial_cluster: String) -> Self {
        Self { restored: true, ..Self::new(name, "etcd-cluster".to_owned(), initial_cluster) }
    }

    /// The same, as a restore to it leaves it.
    #[must_use]
    pub fn from_snapshot(self) -> Self {
        Self { from_snapshot: true, ..self }
    }

    /// etcd's cluster id: of the token and the peer URLs alone.
    pub fn cluster_id(&self) -> String {
        self.cluster_id.clone()
    }

    /// etcd's member id.
    pub fn member_id(&self) -> String {
        self.member_id.clone()
    }

    /// The members that the cluster was born with: the id, the name and the peer URL of each.
    pub fn first_members(&self) -> impl Iterator<Item = (String, &str, &str)> {
        let entries = self.initial_cluster.split(',').filter_map(|entry| entry.split_once('='));
        entries
            .map(|(name, url)| (id_at_birth(&self.token, &self.initial_cluster, name), name, url))
    }

    /// The peer URL that the member was born with.
    pub fn peer_url(&self) -> Option<&str> {
        self.first_members().find(|(_, name, _)| *name == self.name).map(|(_, _, url)| url)
    }
}

/// etcd's id of a member of a bootstrap.
fn id_at_birth(token: &str, initial_cluster: &str, name: &str) -> String {
    short_hash(&format!("member {token} {initial_cluster} {name}"))
}

/// etcd's id of a member that is added: of its peer URL and the time, for which a number stands here.
pub(crate) fn id_when_added(peer_url: &str, number: u64) -> String {
    short_hash(&format!("member {peer_url} {number}"))
}

fn short_hash(text: &str) -> String {
    Sha256Digest::hash(text.as_bytes()).to_string()[..16].to_owned()
}
