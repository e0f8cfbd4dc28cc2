//! Where nodes stand in the graph of a run. Pure.

use super::plan::{Cycle, NodeIx};

/// Longest path from each node to a leaf, by peeling leaves off (Kahn's algorithm, upside down).
pub(super) fn heights(
    prerequisites: &[Vec<NodeIx>],
    dependants: &[Vec<NodeIx>],
) -> Result<Vec<u32>, Cycle> {
    let mut height = vec![0_u32; prerequisites.len()];
    let mut open: Vec<usize> = dependants.iter().map(Vec::len).collect();
    let mut leaves: Vec<usize> = (0..open.len()).filter(|&node| open[node] == 0).collect();
    let mut peeled = 0;
    while let Some(node) = leaves.pop() {
        peeled += 1;
        for &input in &prerequisites[node] {
            let input = input as usize;
            height[input] = height[input].max(height[node] + 1);
            open[input] -= 1;
            if open[input] == 0 {
                leaves.push(input);
            }
        }
    }
    if peeled == prerequisites.len() {
        return Ok(height);
    }
    let stuck = open.iter().position(|&count| count > 0).unwrap_or_default();
    Err(Cycle(ix(stuck)))
}

/// Longest path from a root, by node; what reads sources is one step from them.
pub(super) fn depths(dependants: &[Vec<NodeIx>], reads_sources: &[bool]) -> Vec<u32> {
    let mut depth: Vec<u32> = reads_sources
        .iter()
        .map(|&reads| u32::from(reads))
        .collect();
    depth.resize(dependants.len(), 0);
    let mut open = vec![0_u32; dependants.len()];
    for &dependant in dependants.iter().flatten() {
        open[dependant as usize] += 1;
    }
    let mut next: Vec<usize> = (0..open.len()).filter(|&node| open[node] == 0).collect();
    while let Some(node) = next.pop() {
        for &dependant in &dependants[node] {
            let dependant = dependant as usize;
            depth[dependant] = depth[dependant].max(depth[node] + 1);
            open[dependant] -= 1;
            if open[dependant] == 0 {
                next.push(dependant);
            }
        }
    }
    depth
}

/// A run of four thousand million nodes is beyond every other limit.
pub(super) fn ix(position: usize) -> NodeIx {
    NodeIx::try_from(position).unwrap_or(NodeIx::MAX)
}
