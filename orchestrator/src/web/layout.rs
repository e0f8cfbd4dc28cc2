//! Where the boxes of a graph go: layers from left to right, few crossings, no overlaps. Pure.
//!
//! Sugiyama's way, kept small: a node's layer is its longest path from a root; edges across several layers get
//! a waypoint in each; a few sweeps order every layer by the mean position of its neighbours, and a few more
//! pull nodes level with their neighbours as far as there is room. Linear in nodes and edges per sweep.

/// Box width, pixels.
pub const WIDTH: f32 = 208.0;
/// Box height, pixels.
pub const HEIGHT: f32 = 44.0;
/// Room between layers for edges to bend.
const GAP_X: f32 = 72.0;
/// Room between boxes of a layer.
const GAP_Y: f32 = 14.0;
/// Room that a passing edge takes.
const LANE: f32 = 12.0;
/// Ordering sweeps there and back; crossings hardly fall after this many.
const SWEEPS: usize = 8;
/// Beyond this many waypoints, long edges cut straight through: a picture of that size is read zoomed out.
const MOST_WAYPOINTS: usize = 40_000;

/// Upper left corner of a box.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Point {
    /// Pixels from the left.
    pub x: f32,
    /// Pixels from the top.
    pub y: f32,
}

/// A laid out graph.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// Upper left corners by node.
    pub nodes: Vec<Point>,
    /// Lines by edge, in the order given: from the right side of the parent to the left side of the child.
    pub edges: Vec<Vec<Point>>,
    /// Width of everything.
    pub width: f32,
    /// Height of everything.
    pub height: f32,
}

/// Something that stands in a layer: a box, or the place where an edge passes.
#[derive(Debug, Clone, Copy)]
struct Stop {
    layer: usize,
    /// Position in its layer's order.
    rank: usize,
    y: f32,
    height: f32,
}

/// Lays out `count` nodes with edges `(parent, child)`. Edges must not form a circle; one that goes backwards
/// anyway is drawn, but does not count for the layers.
#[must_use]
pub fn layout(count: usize, edges: &[(usize, usize)]) -> Layout {
    if count == 0 {
        return Layout::default();
    }
    let layer_of = layers(count, edges);
    let mut stops: Vec<Stop> = layer_of
        .iter()
        .map(|&layer| Stop {
            layer,
            rank: 0,
            y: 0.0,
            height: HEIGHT,
        })
        .collect();
    let span = |&(from, to): &(usize, usize)| layer_of[to].saturating_sub(layer_of[from]);
    let waypoints: usize = edges.iter().map(|edge| span(edge).saturating_sub(1)).sum();
    let mut chains: Vec<Vec<usize>> = Vec::with_capacity(edges.len());
    for edge in edges {
        let mut chain = vec![edge.0];
        if waypoints <= MOST_WAYPOINTS {
            for layer in layer_of[edge.0] + 1..layer_of[edge.1] {
                chain.push(stops.len());
                stops.push(Stop {
                    layer,
                    rank: 0,
                    y: 0.0,
                    height: LANE,
                });
            }
        }
        chain.push(edge.1);
        chains.push(chain);
    }
    let mut left: Vec<Vec<usize>> = vec![Vec::new(); stops.len()];
    let mut right: Vec<Vec<usize>> = vec![Vec::new(); stops.len()];
    for link in chains.iter().flat_map(|chain| chain.windows(2)) {
        right[link[0]].push(link[1]);
        left[link[1]].push(link[0]);
    }
    let mut columns: Vec<Vec<usize>> =
        vec![Vec::new(); layer_of.iter().max().map_or(0, |last| last + 1)];
    for (index, stop) in stops.iter().enumerate() {
        columns[stop.layer].push(index);
    }
    for column in &columns {
        number(column, &mut stops);
    }
    for sweep in 0..SWEEPS {
        if sweep % 2 == 0 {
            for column in &mut columns {
                reorder(column, &left, &mut stops);
            }
        } else {
            for column in columns.iter_mut().rev() {
                reorder(column, &right, &mut stops);
            }
        }
    }
    for column in &columns {
        stack(column, &mut stops);
    }
    for sweep in 0..SWEEPS {
        if sweep % 2 == 0 {
            for column in &columns {
                level(column, &left, &mut stops);
            }
        } else {
            for column in columns.iter().rev() {
                level(column, &right, &mut stops);
            }
        }
    }
    draw(count, &stops, &chains)
}

/// Longest path from a root, by Kahn's order; what lies on a circle stays in layer 0.
fn layers(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut waiting = vec![0_usize; count];
    for &(from, to) in edges {
        children[from].push(to);
        waiting[to] += 1;
    }
    let mut layer = vec![0; count];
    let mut ready: Vec<usize> = (0..count).filter(|&node| waiting[node] == 0).collect();
    while let Some(node) = ready.pop() {
        for &child in &children[node] {
            layer[child] = layer[child].max(layer[node] + 1);
            waiting[child] -= 1;
            if waiting[child] == 0 {
                ready.push(child);
            }
        }
    }
    layer
}

fn number(column: &[usize], stops: &mut [Stop]) {
    for (rank, &stop) in column.iter().enumerate() {
        stops[stop].rank = rank;
    }
}

/// Sorts a layer by the mean rank of each stop's neighbours on one side; those without keep their place.
fn reorder(column: &mut [usize], neighbours: &[Vec<usize>], stops: &mut [Stop]) {
    let mut keyed: Vec<(f32, usize)> = column
        .iter()
        .map(|&stop| {
            let near = &neighbours[stop];
            let sum: usize = near.iter().map(|&other| stops[other].rank).sum();
            let key = if near.is_empty() {
                real(stops[stop].rank)
            } else {
                real(sum) / real(near.len())
            };
            (key, stop)
        })
        .collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (place, (_, stop)) in column.iter_mut().zip(keyed) {
        *place = stop;
    }
    number(column, stops);
}

/// Puts a layer's stops one below the other.
fn stack(column: &[usize], stops: &mut [Stop]) {
    let mut y = 0.0;
    for &stop in column {
        stops[stop].y = y;
        y += stops[stop].height + GAP_Y;
    }
}

/// Moves a layer's stops towards the middle of their neighbours on one side, keeping order and distances.
fn level(column: &[usize], neighbours: &[Vec<usize>], stops: &mut [Stop]) {
    let wanted: Vec<f32> = column
        .iter()
        .map(|&stop| {
            let near = &neighbours[stop];
            if near.is_empty() {
                return stops[stop].y;
            }
            let sum: f32 = near
                .iter()
                .map(|&o| stops[o].y + stops[o].height / 2.0)
                .sum();
            sum / real(near.len()) - stops[stop].height / 2.0
        })
        .collect();
    // Blocks of stops that touch move as one, to the mean of what their members want (pool adjacent
    // violators): the closest placement to the wishes that keeps the order.
    let mut blocks: Vec<(f32, f32, usize)> = Vec::new(); // (sum of wishes for the block's top, members, first)
    let mut offset = vec![0.0_f32; column.len()];
    for index in 0..column.len() {
        let mut block = (wanted[index], 1.0, index);
        while let Some(&(sum, members, first)) = blocks.last() {
            // a block that follows another does not start at 0
            let above = block.2 - 1;
            let reach = sum / members + offset[above] + stops[column[above]].height + GAP_Y;
            if block.0 / block.1 >= reach {
                break;
            }
            let shift = offset[above] + stops[column[above]].height + GAP_Y;
            for moved in &mut offset[block.2..=index] {
                *moved += shift;
            }
            block = (sum + block.0 - shift * block.1, members + block.1, first);
            blocks.pop();
        }
        blocks.push(block);
    }
    for (position, &(sum, members, first)) in blocks.iter().enumerate() {
        let end = blocks.get(position + 1).map_or(column.len(), |next| next.2);
        for index in first..end {
            stops[column[index]].y = sum / members + offset[index];
        }
    }
}

fn draw(count: usize, stops: &[Stop], chains: &[Vec<usize>]) -> Layout {
    let top = stops
        .iter()
        .map(|stop| stop.y)
        .fold(f32::INFINITY, f32::min);
    let x = |stop: &Stop| real(stop.layer) * (WIDTH + GAP_X);
    let corner = |stop: &Stop| Point {
        x: x(stop),
        y: stop.y - top,
    };
    let edges = chains
        .iter()
        .map(|chain| {
            let mut line = Vec::with_capacity(chain.len() * 2);
            for (position, &index) in chain.iter().enumerate() {
                let stop = &stops[index];
                let y = stop.y - top + stop.height / 2.0;
                if position > 0 {
                    line.push(Point { x: x(stop), y });
                }
                if position + 1 < chain.len() {
                    line.push(Point {
                        x: x(stop) + WIDTH,
                        y,
                    });
                }
            }
            line
        })
        .collect();
    Layout {
        nodes: stops[..count].iter().map(corner).collect(),
        edges,
        width: stops.iter().map(|stop| x(stop) + WIDTH).fold(0.0, f32::max),
        height: stops
            .iter()
            .map(|stop| stop.y - top + stop.height)
            .fold(0.0, f32::max),
    }
}

/// Counts of boxes are far below where f32 loses a pixel.
#[expect(clippy::cast_precision_loss, reason = "pixels")]
fn real(count: usize) -> f32 {
    count as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(count: usize, edges: &[(usize, usize)]) -> Layout {
        let layout = layout(count, edges);
        assert_eq!(layout.nodes.len(), count);
        for (one, a) in layout.nodes.iter().enumerate() {
            assert!(
                a.x >= 0.0 && a.y >= -0.01 && a.y + HEIGHT <= layout.height + 0.01,
                "{a:?}"
            );
            for b in &layout.nodes[one + 1..] {
                let apart = (a.x - b.x).abs() > 0.5 || (a.y - b.y).abs() >= HEIGHT - 0.5;
                assert!(apart, "{a:?} covers {b:?}");
            }
        }
        for (&(from, to), line) in edges.iter().zip(&layout.edges) {
            assert!(
                layout.nodes[from].x < layout.nodes[to].x,
                "edges point to the right"
            );
            let middle = |node: usize| layout.nodes[node].y + HEIGHT / 2.0;
            let (first, last) = (line[0], line[line.len() - 1]);
            assert!((first.y - middle(from)).abs() < 0.01 && (last.y - middle(to)).abs() < 0.01);
        }
        layout
    }

    #[test]
    fn a_chain_is_a_straight_line() {
        let layout = check(3, &[(0, 1), (1, 2)]);
        assert!(
            layout.nodes.iter().all(|node| node.y.abs() < 0.01),
            "{:?}",
            layout.nodes
        );
    }

    #[test]
    fn two_chains_do_not_cross() {
        let layout = check(4, &[(0, 3), (1, 2)]);
        let order = |a: usize, b: usize| layout.nodes[a].y < layout.nodes[b].y;
        assert_eq!(order(0, 1), order(3, 2));
    }

    #[test]
    fn a_child_stands_between_its_parents() {
        let layout = check(3, &[(0, 2), (1, 2)]);
        let mean = (layout.nodes[0].y + layout.nodes[1].y) / 2.0;
        assert!((layout.nodes[2].y - mean).abs() < 1.0, "{:?}", layout.nodes);
    }

    #[test]
    fn five_thousand_nodes_are_laid_out() {
        let edges: Vec<(usize, usize)> = (100..5_000)
            .flat_map(|node| (1..4).map(move |step| (node - 100 + step * 7 % 100, node)))
            .filter(|(from, to)| from / 100 < to / 100)
            .collect();
        let layout = layout(5_000, &edges);
        assert_eq!(layout.nodes.len(), 5_000);
    }

    proptest! {
        #[test]
        fn nothing_overlaps(
            count in 1..40_usize,
            pairs in prop::collection::vec((0..40_usize, 0..40_usize), 0..80),
        ) {
            let edges: Vec<(usize, usize)> = pairs
                .into_iter()
                .map(|(a, b)| (a.min(b), a.max(b)))
                .filter(|(a, b)| a != b && *b < count)
                .collect();
            check(count, &edges);
        }
    }
}
