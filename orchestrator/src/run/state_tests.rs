use super::*;

fn at() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

fn check(state: NodeState, event: NodeEvent, expected: Option<NodeState>) {
    assert_eq!(state.next(event).ok(), expected, "{state:?} x {event:?}");
}

#[test]
fn an_attempt_starts_once_and_in_order() {
    use NodeEvent as E;
    use NodeState as S;
    check(
        S::Queued,
        E::Started { attempt: 1 },
        Some(S::Running { attempt: 1 }),
    );
    check(S::Queued, E::Started { attempt: 2 }, None);
    let waiting = S::UpForRetry {
        attempt: 1,
        at: at(),
    };
    check(
        waiting,
        E::Started { attempt: 2 },
        Some(S::Running { attempt: 2 }),
    );
    check(waiting, E::Started { attempt: 1 }, None);
    check(S::Running { attempt: 1 }, E::Started { attempt: 1 }, None);
    let last = S::UpForRetry {
        attempt: u16::MAX,
        at: at(),
    };
    check(last, E::Started { attempt: 0 }, None);
}

#[test]
fn a_zombie_has_no_say() {
    use NodeEvent as E;
    use NodeState as S;
    let second = S::Running { attempt: 2 };
    check(second, E::Succeeded { attempt: 1 }, None);
    check(second, E::Failed { attempt: 1 }, None);
    check(second, E::Succeeded { attempt: 2 }, Some(S::Success));
}

#[test]
fn a_lost_attempt_is_retried_or_fails() {
    use NodeEvent as E;
    use NodeState as S;
    let running = S::Running { attempt: 1 };
    let retried = E::Lost {
        attempt: 1,
        retry_at: Some(at()),
    };
    check(
        running,
        retried,
        Some(S::UpForRetry {
            attempt: 1,
            at: at(),
        }),
    );
    check(
        running,
        E::Lost {
            attempt: 1,
            retry_at: None,
        },
        Some(S::Failed),
    );
    check(
        S::Queued,
        E::Lost {
            attempt: 1,
            retry_at: None,
        },
        None,
    );
}

#[test]
fn what_has_ended_stays_ended() {
    use NodeState as S;
    let events = [
        NodeEvent::Started { attempt: 1 },
        NodeEvent::Succeeded { attempt: 1 },
        NodeEvent::Skipped,
        NodeEvent::Cancelled { attempt: 1 },
    ];
    for state in [S::Success, S::Warned, S::Failed, S::Skipped, S::Cancelled] {
        for event in events {
            check(state, event, None);
        }
        assert!(state.is_final());
    }
}

#[test]
fn a_cancelled_run_never_ends_well() {
    let stopping = RunState::Running.next(RunEvent::CancelRequested);
    assert_eq!(stopping, Ok(RunState::Cancelling));
    let ended = RunState::Cancelling.next(RunEvent::Ended { failed: false });
    assert_eq!(ended, Ok(RunState::Cancelled));
    assert!(RunState::Success.next(RunEvent::Claimed).is_err());
    assert_eq!(
        RunState::from_word("cancelling"),
        Some(RunState::Cancelling)
    );
}
