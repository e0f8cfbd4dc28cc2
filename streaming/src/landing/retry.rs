//! How long to wait before trying again. Pure.

use std::time::Duration;

/// First wait: a restarted server refuses connections for about this long.
const FIRST: Duration = Duration::from_millis(100);
/// Longest wait: how late landing may notice that a server is back.
const LONGEST: Duration = Duration::from_secs(3);

/// Doubling waits.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// The next wait.
    pub(super) fn next(&mut self) -> Duration {
        let wait = FIRST
            .saturating_mul(1 << self.attempts.min(10))
            .min(LONGEST);
        self.attempts += 1;
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..7).map(|_| backoff.next().as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3000, 3000]);
    }
}
