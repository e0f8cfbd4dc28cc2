use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;

fn t(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn plan(prerequisites: &[&[NodeIx]], threads: usize) -> Plan {
    let prerequisites: Vec<_> = prerequisites.iter().map(|inputs| inputs.to_vec()).collect();
    Plan::new(
        &prerequisites,
        Limits {
            threads,
            fail_fast: false,
        },
    )
    .expect("no cycle")
}

fn start(plan: &mut Plan, node: NodeIx) {
    plan.apply(node, NodeEvent::Started { attempt: 1 })
        .expect("may start");
}

#[test]
fn a_diamond_runs_from_top_to_bottom() {
    let mut plan = plan(&[&[], &[0], &[0], &[1, 2]], 4);
    assert_eq!(
        plan.next_actions(t(0)),
        [Action::Start {
            node: 0,
            attempt: 1
        }]
    );
    start(&mut plan, 0);
    assert_eq!(plan.next_actions(t(0)), []);
    plan.apply(0, NodeEvent::Succeeded { attempt: 1 })
        .expect("running");
    assert_eq!(
        plan.next_actions(t(0)),
        [
            Action::Start {
                node: 1,
                attempt: 1
            },
            Action::Start {
                node: 2,
                attempt: 1
            }
        ]
    );
    start(&mut plan, 1);
    start(&mut plan, 2);
    plan.apply(1, NodeEvent::Failed { attempt: 1 })
        .expect("running");
    // its turn comes when the other side has ended too
    assert_eq!(plan.next_actions(t(0)), []);
    plan.apply(2, NodeEvent::Succeeded { attempt: 1 })
        .expect("running");
    let skip = Action::Skip {
        node: 3,
        cause: SkipCause::Upstream(1),
    };
    assert_eq!(plan.next_actions(t(0)), [skip]);
    plan.apply(3, NodeEvent::Skipped).expect("queued");
    assert_eq!(plan.next_actions(t(0)), [Action::Finish]);
}

#[test]
fn the_critical_path_goes_first() {
    // 2 heads a chain of three, 0 and 1 stand alone
    let nodes: [&[NodeIx]; 5] = [&[], &[], &[], &[2], &[3]];
    let first = |node| Action::Start { node, attempt: 1 };
    assert_eq!(plan(&nodes, 2).next_actions(t(0)), [first(2), first(0)]);
    // one after the other takes as long in any order
    assert_eq!(plan(&nodes, 1).next_actions(t(0)), [first(0)]);
}

#[test]
fn one_after_the_other_the_first_that_is_ready_goes_first() {
    // 2 stands on 0, 3 on 1
    let mut plan = plan(&[&[], &[], &[1], &[0]], 1);
    let first = |node| Action::Start { node, attempt: 1 };
    for (done, next) in [(0, 1), (1, 3), (3, 2)] {
        start(&mut plan, done);
        plan.apply(done, NodeEvent::Succeeded { attempt: 1 })
            .expect("running");
        assert_eq!(plan.next_actions(t(0)), [first(next)]);
    }
}

#[test]
fn roots_go_first_and_behind_them_what_reads_sources() {
    // 0 reads a source and heads a chain, 1 is a seed, 4 stands on it
    let plan =
        plan(&[&[], &[], &[0], &[2], &[1]], 2).behind_sources(&[true, false, false, false, false]);
    let first = |node| Action::Start { node, attempt: 1 };
    assert_eq!(plan.next_actions(t(0)), [first(1), first(0)]);
    let mut plan = plan;
    start(&mut plan, 1);
    plan.apply(1, NodeEvent::Succeeded { attempt: 1 })
        .expect("running");
    // both are one step from a root; 0 has more behind it
    assert_eq!(plan.next_actions(t(0)), [first(0), first(4)]);
}

#[test]
fn a_retry_waits_for_its_time_and_holds_no_thread() {
    let mut plan = plan(&[&[], &[]], 1);
    start(&mut plan, 0);
    plan.apply(
        0,
        NodeEvent::RetryAt {
            attempt: 1,
            at: t(10),
        },
    )
    .expect("running");
    let other = Action::Start {
        node: 1,
        attempt: 1,
    };
    assert_eq!(plan.next_actions(t(5)), [other, Action::WaitUntil(t(10))]);
    assert_eq!(
        plan.next_actions(t(10)),
        [Action::Start {
            node: 0,
            attempt: 2
        }]
    );
}

#[test]
fn a_skip_names_the_first_culprit_all_the_way_down() {
    let mut plan = plan(&[&[], &[0], &[1], &[2]], 2);
    start(&mut plan, 0);
    plan.apply(0, NodeEvent::Failed { attempt: 1 })
        .expect("running");
    for node in 1..=3 {
        let cause = SkipCause::Upstream(0);
        assert_eq!(plan.next_actions(t(0)), [Action::Skip { node, cause }]);
        plan.apply(node, NodeEvent::Skipped).expect("queued");
    }
    assert_eq!(plan.next_actions(t(0)), [Action::Finish]);
}

#[test]
fn fail_fast_stops_the_rest() {
    let limits = Limits {
        threads: 2,
        fail_fast: true,
    };
    let mut plan = Plan::new(&[vec![], vec![], vec![]], limits).expect("no cycle");
    start(&mut plan, 0);
    start(&mut plan, 1);
    plan.apply(0, NodeEvent::Failed { attempt: 1 })
        .expect("running");
    let skip = Action::Skip {
        node: 2,
        cause: SkipCause::FailFast(0),
    };
    assert_eq!(plan.next_actions(t(0)), [skip, Action::CancelRunning]);
}

#[test]
fn resuming_knows_what_was_done() {
    let inputs = vec![vec![], vec![0], vec![1], vec![0]];
    let states = vec![
        NodeState::Success,
        NodeState::Running { attempt: 1 },
        NodeState::Queued,
        NodeState::Failed,
    ];
    let limits = Limits {
        threads: 4,
        fail_fast: false,
    };
    let mut plan = Plan::resume(&inputs, states, limits).expect("no cycle");
    assert_eq!(plan.next_actions(t(0)), []);
    plan.apply(
        1,
        NodeEvent::Lost {
            attempt: 1,
            retry_at: Some(t(0)),
        },
    )
    .expect("running");
    assert_eq!(
        plan.next_actions(t(0)),
        [Action::Start {
            node: 1,
            attempt: 2
        }]
    );
}

#[test]
fn a_circle_is_refused() {
    let limits = Limits {
        threads: 1,
        fail_fast: false,
    };
    assert!(Plan::new(&[vec![1], vec![0], vec![]], limits).is_err());
}

#[test]
fn five_thousand_models_with_three_tests_each_are_planned_in_no_time() {
    // layers of 100 models, each on ten of the layer before and on their tests
    let mut prerequisites: Vec<Vec<NodeIx>> = Vec::new();
    for model in 0..5_000_u32 {
        let (layer, column) = (model / 100, model % 100);
        let mut inputs = Vec::new();
        if layer > 0 {
            for step in 0..10 {
                let parent = ((layer - 1) * 100 + (column + step) % 100) * 4;
                inputs.extend(parent..parent + 4);
            }
        }
        prerequisites.push(inputs);
        prerequisites.extend([vec![model * 4], vec![model * 4], vec![model * 4]]);
    }
    let mut plan = Plan::new(
        &prerequisites,
        Limits {
            threads: 8,
            fail_fast: false,
        },
    )
    .expect("no cycle");
    let mut ended = 0;
    loop {
        for action in plan.next_actions(t(0)) {
            match action {
                Action::Start { node, attempt } => {
                    plan.apply(node, NodeEvent::Started { attempt })
                        .expect("may start");
                    plan.apply(node, NodeEvent::Succeeded { attempt })
                        .expect("runs");
                    ended += 1;
                }
                Action::Finish => {
                    assert_eq!(ended, 20_000);
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// One thing the world may do next.
#[derive(Debug, Clone, Copy)]
enum Turn {
    Succeed(usize),
    Warn(usize),
    Fail(usize),
    Retry(usize, u8),
    Lose(usize, bool),
    Wait(u8),
    Cancel,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![
        8 => any::<usize>().prop_map(Turn::Succeed),
        1 => any::<usize>().prop_map(Turn::Warn),
        2 => any::<usize>().prop_map(Turn::Fail),
        2 => (any::<usize>(), 0..20_u8).prop_map(|(n, s)| Turn::Retry(n, s)),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(n, again)| Turn::Lose(n, again)),
        2 => (0..20_u8).prop_map(Turn::Wait),
        1 => Just(Turn::Cancel),
    ];
    prop::collection::vec(turn, 0..300)
}

/// Edges only from lower to higher numbers, so that every graph has an order.
fn graphs() -> impl Strategy<Value = Vec<Vec<NodeIx>>> {
    prop::collection::vec(
        prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        1..40,
    )
    .prop_map(|rows| {
        let pick = |(node, inputs): (usize, Vec<prop::sample::Index>)| {
            let inputs = inputs.into_iter().filter(|_| node > 0);
            let chosen: BTreeSet<NodeIx> = inputs.map(|index| ix(index.index(node))).collect();
            chosen.into_iter().collect()
        };
        rows.into_iter().enumerate().map(pick).collect()
    })
}

proptest! {
    /// Whatever the world does, no illegal state, no node before its inputs, never too many at once,
    /// nothing named a culprit that ended well, and always an end.
    #[test]
    fn any_order_of_events_ends_well(
        graph in graphs(),
        threads in 1..6_usize,
        fail_fast in any::<bool>(),
        turns in turns(),
    ) {
        let mut plan = Plan::new(&graph, Limits { threads, fail_fast }).expect("no cycle");
        let mut now = t(0);
        let mut turns = turns.into_iter();
        for _ in 0..10_000 {
            let actions = plan.next_actions(now);
            prop_assert_eq!(&actions, &plan.next_actions(now), "asking changes nothing");
            let mut wait = None;
            for action in actions {
                match action {
                    Action::Start { node, attempt } => {
                        for &input in &graph[node as usize] {
                            prop_assert!(plan.state(input).satisfies_dependants());
                        }
                        plan.apply(node, NodeEvent::Started { attempt }).expect("may start");
                        prop_assert!(plan.running() <= threads);
                    }
                    Action::Skip { node, cause } => {
                        if let SkipCause::Upstream(culprit) = cause {
                            let state = plan.state(culprit);
                            prop_assert!(state.is_final() && !state.satisfies_dependants());
                        }
                        plan.apply(node, NodeEvent::Skipped).expect("may be skipped");
                    }
                    Action::CancelRunning => {
                        let attempt = |s: &NodeState| match s {
                            NodeState::Running { attempt } => Some(*attempt),
                            _ => None,
                        };
                        let running: Vec<_> = plan.states().iter().map(attempt).collect();
                        for (node, attempt) in running.into_iter().enumerate() {
                            if let Some(attempt) = attempt {
                                plan.apply(ix(node), NodeEvent::Cancelled { attempt }).expect("runs");
                            }
                        }
                    }
                    Action::WaitUntil(at) => wait = Some(at),
                    Action::Finish => {
                        prop_assert!(plan.states().iter().all(|s| s.is_final()));
                        return Ok(());
                    }
                }
            }
            let running: Vec<(NodeIx, u16)> = plan
                .states()
                .iter()
                .enumerate()
                .filter_map(|(node, state)| match state {
                    NodeState::Running { attempt } => Some((ix(node), *attempt)),
                    _ => None,
                })
                .collect();
            let turn = turns.next().unwrap_or(Turn::Succeed(0));
            if let Turn::Cancel = turn {
                plan.stop(StopCause::Cancelled);
                continue;
            }
            if running.is_empty() {
                now = wait.unwrap_or(now);
                continue;
            }
            let pick = |n: usize| running[n % running.len()];
            let (node, event) = match turn {
                Turn::Succeed(n) => (pick(n).0, NodeEvent::Succeeded { attempt: pick(n).1 }),
                Turn::Warn(n) => (pick(n).0, NodeEvent::Warned { attempt: pick(n).1 }),
                Turn::Fail(n) => (pick(n).0, NodeEvent::Failed { attempt: pick(n).1 }),
                Turn::Retry(n, s) => {
                    let at = now + TimeDelta::seconds(s.into());
                    (pick(n).0, NodeEvent::RetryAt { attempt: pick(n).1, at })
                }
                Turn::Lose(n, again) => {
                    (pick(n).0, NodeEvent::Lost { attempt: pick(n).1, retry_at: again.then_some(now) })
                }
                Turn::Wait(s) => {
                    now += TimeDelta::seconds(s.into());
                    continue;
                }
                Turn::Cancel => unreachable!("handled above"),
            };
            plan.apply(node, event).expect("a running attempt may report");
        }
        prop_assert!(false, "the run does not end");
    }
}
