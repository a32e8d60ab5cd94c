//! The id that etcd gives a cluster at its birth: of its token and its members' peer URLs, and of nothing else.

use sha1::{Digest as _, Sha1};

/// The id, in hex, of a cluster that was formed from this list of `NAME=URL` with this token.
pub fn cluster_id(token: &str, initial_cluster: &str) -> String {
    let urls =
        initial_cluster.split(',').map(|entry| entry.split_once('=').map_or(entry, |of| of.1));
    let mut members: Vec<u64> = urls.map(|url| first_bytes([url, token].concat())).collect();
    members.sort_unstable();
    let ids: Vec<u8> = members.into_iter().flat_map(u64::to_be_bytes).collect();
    format!("{:x}", first_bytes(ids))
}

fn first_bytes(of: impl AsRef<[u8]>) -> u64 {
    let digest = Sha1::digest(of);
    digest.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As etcd 3.4.23, 3.5.35, 3.6.16 and 3.7.3 said themselves, started with these.
    #[test]
    fn it_is_the_id_that_etcd_gives() {
        let list = "a=http://127.0.0.1:33380,b=http://127.0.0.1:33381,c=http://127.0.0.1:33382";
        let token = "0123456789abcdef0123456789abcdef";
        assert_eq!(cluster_id(token, list), "c493978cb1e78762");
        assert_ne!(cluster_id("etcd-cluster", list), "c493978cb1e78762");
    }
}
