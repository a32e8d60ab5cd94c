//! The dependency graph of a plan's steps.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use petgraph::algo::tred::{dag_to_toposorted_adjacency_list, dag_transitive_reduction_closure};
use petgraph::graph::{DiGraph, NodeIndex};

use crate::plan::{Step, StepId};

/// Steps depend on each other in a circle: a defect of the planner, never of an inventory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the steps depend on each other in a circle: {}", names(.0))]
pub struct CycleError(pub Vec<StepId>);

fn names(ids: &[StepId]) -> String {
    ids.iter().map(StepId::to_string).collect::<Vec<_>>().join(", ")
}

/// Puts steps into an order in which each comes after what it depends on. Of several that could
/// come next the smallest name does, so that equal plans print equally. Dependencies on steps that
/// are not in the plan are satisfied already, and dropped.
pub fn in_order(steps: BTreeMap<StepId, Step>) -> Result<Vec<Step>, CycleError> {
    // In the order of their names, so that numbers compare as names do, and faster.
    let numbers: HashMap<StepId, usize> = steps.keys().cloned().zip(0..).collect();
    let mut steps: Vec<Option<Step>> = steps.into_values().map(Some).collect();
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); steps.len()];
    let mut missing: Vec<usize> = Vec::with_capacity(steps.len());
    for (number, step) in steps.iter_mut().flatten().enumerate() {
        step.after.retain(|id| numbers.contains_key(id));
        missing.push(step.after.len());
        for before in &step.after {
            followers[numbers[before]].push(number);
        }
    }
    let none_missing = |number: &usize| missing[*number] == 0;
    let mut ready: BinaryHeap<Reverse<usize>> =
        (0..steps.len()).filter(none_missing).map(Reverse).collect();
    let mut ordered = Vec::with_capacity(steps.len());
    while let Some(Reverse(number)) = ready.pop() {
        for follower in std::mem::take(&mut followers[number]) {
            missing[follower] -= 1;
            if missing[follower] == 0 {
                ready.push(Reverse(follower));
            }
        }
        ordered.extend(steps[number].take());
    }
    let left: Vec<StepId> = steps.into_iter().flatten().map(|step| step.id).collect();
    if left.is_empty() { Ok(ordered) } else { Err(CycleError(left)) }
}

/// The dependencies that are not implied by others: what a reader wants to see drawn.
pub fn essential_edges(steps: &[Step]) -> Vec<(StepId, StepId)> {
    let mut graph: DiGraph<&StepId, ()> = DiGraph::new();
    let nodes: BTreeMap<&StepId, NodeIndex> =
        steps.iter().map(|step| (&step.id, graph.add_node(&step.id))).collect();
    for step in steps {
        for before in &step.after {
            if let Some(from) = nodes.get(before) {
                graph.add_edge(*from, nodes[&step.id], ());
            }
        }
    }
    // The steps of a plan are in topological order, and so are the nodes that were added for them.
    let order: Vec<NodeIndex> = graph.node_indices().collect();
    let (list, positions) = dag_to_toposorted_adjacency_list::<_, u32>(&graph, &order);
    let (reduced, _) = dag_transitive_reduction_closure(&list);
    let mut edges = Vec::new();
    for step in steps {
        for before in &step.after {
            let (Some(from), to) = (nodes.get(before), nodes[&step.id]) else { continue };
            if reduced.contains_edge(positions[from.index()], positions[to.index()]) {
                edges.push((before.clone(), step.id.clone()));
            }
        }
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_names_its_steps() {
        let circle =
            CycleError(["a/register-host", "b/c/start"].map(|id| id.parse().unwrap()).to_vec());
        assert_eq!(
            circle.to_string(),
            "the steps depend on each other in a circle: a/register-host, b/c/start"
        );
    }
}
