//! The dependency graph of a plan's steps.

use std::collections::{BTreeMap, BTreeSet};

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
    let mut steps = steps;
    let known: BTreeSet<StepId> = steps.keys().cloned().collect();
    for step in steps.values_mut() {
        step.after.retain(|id| known.contains(id));
    }
    let mut followers: BTreeMap<StepId, Vec<StepId>> = BTreeMap::new();
    let mut missing: BTreeMap<StepId, usize> = BTreeMap::new();
    let mut ready: BTreeSet<StepId> = BTreeSet::new();
    for (id, step) in &steps {
        for before in &step.after {
            followers.entry(before.clone()).or_default().push(id.clone());
        }
        missing.insert(id.clone(), step.after.len());
        if step.after.is_empty() {
            ready.insert(id.clone());
        }
    }
    let mut ordered = Vec::with_capacity(steps.len());
    while let Some(id) = ready.pop_first() {
        for follower in followers.remove(&id).unwrap_or_default() {
            let Some(count) = missing.get_mut(&follower) else { continue };
            *count -= 1;
            if *count == 0 {
                ready.insert(follower);
            }
        }
        ordered.extend(steps.remove(&id));
    }
    if steps.is_empty() { Ok(ordered) } else { Err(CycleError(steps.into_keys().collect())) }
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
        let circle = CycleError(["a/x", "b/y"].map(|id| StepId(id.to_owned())).to_vec());
        assert_eq!(circle.to_string(), "the steps depend on each other in a circle: a/x, b/y");
    }
}
