//! The members change: they are replaced, swapped, added, removed and moved.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use planner::{Policy, SiteSpec};
use quorate_tests::fault::Fault;
use quorate_tests::model::{Bounds, Command, Left, Operation, Order, Times};
use quorate_tests::site::{Shape, cluster, host, plain, spec_of};
use quorate_tests::story::formed;
use quorate_tests::world::World;

use super::{proving, tell};

/// What goes wrong while members change: a host is down, or we can't reach it, or its disk is lost.
const FAULTS: &[Fault] = &[Fault::Down, Fault::Cut, Fault::DiskLost];

/// quorate is killed anywhere and again, so many faults begin, and so often `members` becomes what it was.
const fn bounds(faults: u8, turns: u8) -> Bounds {
    Bounds {
        faults: FAULTS,
        at_once: 2,
        often: Left {
            crashes: Times::Any,
            faults: Times::AtMost(faults),
            turns: Times::AtMost(turns),
        },
        order: Order::PreparationsInTurn,
    }
}

/// A formed cluster of the first hosts.
struct Site {
    shape: Shape,
    world: World,
}

impl Site {
    fn new(hosts: usize, members: usize) -> Self {
        let shape = Shape { clusters: vec![members], ..plain(hosts) };
        let (world, spec) = shape.world();
        let world = formed(world, &spec);
        Self { shape, world }
    }

    /// The inventory with these members.
    fn members(&self, numbers: &[usize]) -> SiteSpec {
        let mut inventory = self.shape.inventory();
        let members = numbers.iter().map(|number| host(&format!("etcd-{number}")));
        if let Some(cluster) = inventory.clusters.get_mut(&cluster(0)) {
            cluster.members = members.collect();
        }
        spec_of(&inventory, &self.world.authorities)
    }

    fn strike(mut self, number: usize, fault: Fault) -> Self {
        let name = host(&format!("etcd-{number}"));
        self.world.strike(&name, fault).unwrap_or_else(|broken| panic!("{broken}"));
        self
    }

    /// A host goes down and never comes back.
    fn gone(self, number: usize) -> Self {
        let mut site = self.strike(number, Fault::Down);
        site.world.gone.insert(host(&format!("etcd-{number}")));
        site
    }

    /// `members` becomes this.
    fn becomes(self, wanted: &[usize], sizes: RangeInclusive<usize>) -> Operation {
        let wanted = self.members(wanted);
        Operation::apply(self.world, wanted).of_sizes(sizes)
    }

    /// The same, and the operator may put back what it was.
    fn change(self, before: &[usize], wanted: &[usize], sizes: RangeInclusive<usize>) -> Operation {
        let before = self.members(before);
        let back = Command::apply("quorate apply with the former members", before);
        self.becomes(wanted, sizes).or(back)
    }

    /// The members of these hosts are replaced on the same hosts.
    fn replace(self, numbers: &[usize], sizes: RangeInclusive<usize>) -> Operation {
        let spec = self.shape.spec(&self.world.authorities);
        let hosts = numbers.iter().map(|number| host(&format!("etcd-{number}")));
        let replace = Command {
            policy: Policy { replace: hosts.collect(), ..Policy::default() },
            ..Command::apply("quorate apply --replace", spec.clone())
        };
        Operation::apply(self.world, spec).helped_by(replace).of_sizes(sizes)
    }
}

/// The first members are found at other addresses of their hosts, which have both.
fn moved(members: u8, moving: u8) -> Operation {
    let Site { shape, mut world } = Site::new(usize::from(members), usize::from(members));
    let mut inventory = shape.inventory();
    for number in 1..=moving {
        let (old, new) = ([10, 77, 0, 10 + number], [10, 88, 0, 10 + number]);
        let [old, new] = [old, new].map(IpAddr::from);
        let name = host(&format!("etcd-{number}"));
        if let Some(entry) = inventory.hosts.get_mut(&name) {
            (entry.address, entry.peer_address) = (new, new);
            (entry.listen_address, entry.peer_listen_address) = (new, new);
        }
        world.renumber(&name, [old, new]);
    }
    let spec = spec_of(&inventory, &world.authorities);
    let n = usize::from(members);
    let mut operation = Operation::apply(world, spec).of_sizes(n..=n);
    if members == 1 {
        // The only one is an outage, which the operator allows.
        operation.commands[0].policy.allow_outage.insert(cluster(0));
    }
    operation
}

/// Walks with no fault, and in a proof with so many, and with a change of mind.
fn walk(name: &str, operation: &Operation, most: u8) {
    tell(name, operation, &bounds(0, 0));
    if proving() {
        tell(name, operation, &bounds(0, 1));
        tell(name, operation, &bounds(most, 0));
    }
}

#[test]
fn a_failed_member_of_three_is_replaced_by_another_host() {
    let operation = Site::new(4, 3).gone(3).becomes(&[1, 2, 4], 2..=3);
    walk("replace of a failed member of 3 by another host", &operation, 2);
}

#[test]
fn a_failed_member_of_three_is_replaced_on_its_host() {
    let operation = Site::new(3, 3).strike(2, Fault::DiskLost).replace(&[2], 2..=3);
    walk("replace of a failed member of 3 on its host", &operation, 2);
}

#[test]
fn a_healthy_member_of_three_is_swapped() {
    let operation = Site::new(4, 3).change(&[1, 2, 3], &[1, 2, 4], 2..=4);
    walk("swap of a member of 3", &operation, 2);
}

#[test]
fn a_cluster_grows_from_one_to_three() {
    let operation = Site::new(3, 1).change(&[1], &[1, 2, 3], 1..=3);
    walk("1 to 3", &operation, 2);
}

#[test]
fn a_cluster_shrinks_from_three_to_one() {
    let operation = Site::new(3, 3).change(&[1, 2, 3], &[2], 1..=3);
    walk("3 to 1", &operation, 2);
}

#[test]
fn a_single_member_moves() {
    walk("move of the member of 1", &moved(1, 1), 2);
}

#[test]
#[ignore = "a walk of a move of one of three members is a proof: ./dev prove model"]
fn a_member_of_three_moves() {
    walk("move of a member of 3", &moved(3, 1), 2);
}

#[test]
#[ignore = "a walk of a change of five members is a proof: ./dev prove model"]
fn a_failed_member_of_five_is_replaced() {
    let operation = Site::new(6, 5).gone(5).becomes(&[1, 2, 3, 4, 6], 4..=5);
    walk("replace of a failed member of 5 by another host", &operation, 1);
    let operation = Site::new(5, 5).strike(2, Fault::DiskLost).replace(&[2], 4..=5);
    walk("replace of a failed member of 5 on its host", &operation, 1);
}

#[test]
#[ignore = "a walk of a change of five members is a proof: ./dev prove model"]
fn two_failed_members_of_five_are_replaced() {
    let operation = Site::new(7, 5).gone(4).gone(5).becomes(&[1, 2, 3, 6, 7], 3..=5);
    walk("replace of two failed members of 5 by other hosts", &operation, 1);
    let site = Site::new(5, 5).strike(2, Fault::DiskLost).strike(4, Fault::DiskLost);
    walk("replace of two failed members of 5 on their hosts", &site.replace(&[2, 4], 3..=5), 1);
}

#[test]
#[ignore = "a walk of a change of five members is a proof: ./dev prove model"]
fn a_healthy_member_of_five_is_swapped() {
    let operation = Site::new(6, 5).change(&[1, 2, 3, 4, 5], &[1, 2, 3, 4, 6], 4..=6);
    walk("swap of a member of 5", &operation, 1);
}

#[test]
#[ignore = "a walk of a change of five members is a proof: ./dev prove model"]
fn a_cluster_grows_from_three_to_five_and_shrinks_from_five_to_three() {
    let operation = Site::new(5, 3).change(&[1, 2, 3], &[1, 2, 3, 4, 5], 3..=5);
    walk("3 to 5", &operation, 1);
    let operation = Site::new(5, 5).change(&[1, 2, 3, 4, 5], &[2, 3, 4], 3..=5);
    walk("5 to 3", &operation, 1);
}

#[test]
#[ignore = "a walk of five members that move is a proof: ./dev prove model"]
fn a_member_of_five_moves() {
    walk("move of a member of 5", &moved(5, 1), 1);
}
