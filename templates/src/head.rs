//! The comment at the head of a unit and of a pod, for people who open the file. quorate reads it back where
//! no member answers: then nothing else shows what the cluster was made of.

use crate::member::Member;

const MEMBERS: &str = "# Members of the cluster: ";
const VERSION: &str = ", etcd ";

/// The comment for a member: whole lines.
pub(crate) fn of(member: &Member) -> String {
    let members = member.formation.initial_cluster().iter();
    let members: Vec<String> = members.map(|(name, url)| format!("{name}={url}")).collect();
    format!(
        "# Managed by quorate from the inventory: edits here are drift, which `quorate plan` shows and\n\
         # `quorate apply` undoes. Member {} of cluster {}{VERSION}{}.\n{MEMBERS}{}\n",
        member.name,
        member.cluster,
        member.version,
        members.join(",")
    )
}

/// The members of the cluster, as `NAME=URL` with commas between.
pub fn members(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix(MEMBERS))
}

/// The version of etcd.
pub fn version(text: &str) -> Option<&str> {
    let line = text.lines().take_while(|line| line.starts_with('#')).nth(1)?;
    line.split_once(VERSION)?.1.strip_suffix('.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn what_is_written_is_read_back() {
        for member in [sample::member("3.6.16"), sample::by_dns("3.6.16"), sample::formed("3.6.16")]
        {
            let text = of(&member) + "[Unit]\n";
            assert_eq!(version(&text), Some("3.6.16"));
            let all = "etcd-1=https://10.30.0.11:2380,etcd-2=https://10.30.0.12:2380,\
                       etcd-3=https://10.30.0.13:2380";
            assert_eq!(members(&text), Some(all));
        }
        assert_eq!((version("[Unit]\n"), members("")), (None, None));
    }
}
