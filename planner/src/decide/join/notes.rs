//! What new members mean for the quorum, for clients, and for what was there before.

use super::Joins;
use crate::decide::assess::View;
use crate::decide::member_context::MemberContext;
use crate::decide::membership::{Joining, majority};
use crate::report::{PlanReport, QuorumNote};

impl Joins<'_, '_> {
    /// What more voters are good for, and what not.
    pub(super) fn growth(&self, view: &View<'_>) -> Option<String> {
        let (before, cluster) = (view.now.quorum.voters, self.newcomers.first()?.0.cluster);
        let goal = cluster.members.len();
        // One that takes the place of an earlier member is nothing new.
        let is_new = |(member, place): &(&MemberContext<'_>, &Joining)| {
            let data = member.facts.data.known();
            **place == Joining::Unlisted
                && data.is_none_or(|data| data.empty && data.archives.is_empty())
        };
        (goal > before && self.newcomers.iter().all(is_new)).then(|| {
            let more = match goal {
                3 => ". In production 5 survive a failure while another member is down for an upgrade",
                _ => "",
            };
            format!(
                "cluster {}: of {goal} members {} may fail instead of {}. Nothing gets faster: each write waits for {} \
                 members instead of {}{more}",
                cluster.name,
                goal - majority(goal),
                before - majority(before),
                majority(goal),
                majority(before),
            )
        })
    }

    /// What a new voter means; so many have a vote then.
    pub(super) fn addition(
        &self,
        member: &MemberContext<'_>,
        up: usize,
        voters: usize,
    ) -> QuorumNote {
        let leave: Vec<&str> = self.leaving.keys().map(|host| host.as_str()).collect();
        let until = match &leave[..] {
            [] => String::new(),
            hosts => format!(" ({voters} voters until the removal of {})", hosts.join(", ")),
        };
        QuorumNote {
            cluster: member.cluster.name.clone(),
            what: format!("add {}, as a learner and then as a voter{until}", member.name),
            up,
            needed: majority(voters),
        }
    }

    /// What a removal means.
    pub(super) fn note_removal(
        &self,
        member: &MemberContext<'_>,
        (place, id): (&Joining, &str),
        report: &mut PlanReport,
    ) {
        let serves = matches!(place, Joining::Serving(_));
        let which = if serves { "serving" } else { "failed" };
        if serves {
            report.clients.push(format!(
                "cluster {}: nothing answers at {} until the new member on {} has the data",
                member.cluster.name,
                member.wanted.member.client_url(),
                member.name
            ));
        }
        report.quorum.push(QuorumNote {
            cluster: member.cluster.name.clone(),
            what: format!("remove the {which} {}", member.name),
            up: self.others.len(),
            needed: self.needed,
        });
        let log = match member.facts.has_log() && !serves {
            true => "; its log is still there, so starting it may be enough",
            false => "",
        };
        report.one_way.push(format!(
            "member {id} of cluster {} on {} is removed, and a new one takes its place; what is left of its data \
             is kept in {}{log}",
            member.cluster.name,
            member.name,
            member.wanted.member.layout().archive_dir()
        ));
    }
}
