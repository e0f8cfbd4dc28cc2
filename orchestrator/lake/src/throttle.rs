//! A rate that is not exceeded, so that Postgres and the store have room for others.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// So many units (bytes, rows) a second, shared by all who hold it.
#[derive(Debug)]
pub struct Throttle {
    per_second: u64,
    /// When the units taken so far are paid for.
    paid_until: Mutex<Instant>,
}

impl Throttle {
    /// At most this many units a second, after a first second's worth at once.
    #[must_use]
    pub fn new(per_second: u64) -> Self {
        Self {
            per_second: per_second.max(1),
            paid_until: Mutex::new(Instant::now()),
        }
    }

    /// Takes units that are about to be used, or just were, and waits while too many have been taken. A take larger
    /// than a second's worth is let through and paid for afterwards. Callers are served in turn.
    pub async fn take(&self, units: u64) {
        let mut paid_until = self.paid_until.lock().await;
        let (next, wait) = self.pay(*paid_until, Instant::now(), units);
        *paid_until = next;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// When the units taken so far and `units` more are paid for, and how long to wait at `now`.
    fn pay(&self, paid_until: Instant, now: Instant, units: u64) -> (Instant, Duration) {
        let cost = Duration::from_secs_f64(units as f64 / self.per_second as f64);
        // unused time is not saved up
        let paid_until = paid_until.max(now) + cost;
        let ahead = paid_until.saturating_duration_since(now);
        (paid_until, ahead.saturating_sub(Duration::from_secs(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_and_idle_time_is_not_saved_up() {
        let throttle = Throttle::new(100);
        let start = Instant::now();
        let (mut now, mut paid_until) = (start, start);
        let mut take = |now: &mut Instant, units| {
            let (next, wait) = throttle.pay(paid_until, *now, units);
            paid_until = next;
            *now += wait;
        };
        for _ in 0..50 {
            take(&mut now, 10);
        }
        // 500 units, the first 100 at once
        assert_eq!((now - start).as_secs_f64().round(), 4.0);
        now += Duration::from_secs(60);
        let start = now;
        take(&mut now, 300);
        assert_eq!((now - start).as_secs_f64().round(), 2.0);
    }
}
