//! Durations counted in buckets. Pure.

/// Upper bounds in seconds, about 1.6 apart where latency is expected, wide where catching up is.
const BOUNDS: [f64; 18] = [
    0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.4, 0.6, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0,
    3600.0, 86400.0,
];

/// Counts of durations in seconds.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// Per bound, then those beyond the last.
    counts: [u64; BOUNDS.len() + 1],
    sum: f64,
}

impl Histogram {
    pub(super) fn add(&mut self, value: f64) {
        // Clocks of producer and landing differ: below zero means at once.
        let value = value.max(0.0);
        self.counts[BOUNDS.partition_point(|bound| *bound < value)] += 1;
        self.sum += value;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.sum += other.sum;
    }

    /// Upper bound of the bucket that holds quantile `q`; `None` without values. Beyond the last bound, infinity.
    pub(super) fn quantile(&self, q: f64) -> Option<f64> {
        let total: u64 = self.counts.iter().sum();
        let rank = (total as f64 * q).ceil() as u64;
        let mut seen = 0;
        (total > 0).then(|| {
            let bucket = self.counts.iter().position(|count| {
                seen += count;
                seen >= rank
            });
            bucket
                .and_then(|n| BOUNDS.get(n).copied())
                .unwrap_or(f64::INFINITY)
        })
    }

    /// Upper bounds with the number of values up to each, then the sum of all. The last bound is `+Inf`.
    pub(super) fn cumulated(&self) -> (impl Iterator<Item = (String, u64)> + '_, f64) {
        let bounds = BOUNDS
            .iter()
            .map(ToString::to_string)
            .chain(["+Inf".to_owned()]);
        let counts = self.counts.iter().scan(0, |seen, count| {
            *seen += count;
            Some(*seen)
        });
        (bounds.zip(counts), self.sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_bucket_bounds() {
        let mut h = Histogram::default();
        assert_eq!(h.quantile(0.95), None);
        (0..95).for_each(|_| h.add(0.08));
        (0..5).for_each(|_| h.add(3.0));
        assert_eq!((h.quantile(0.95), h.quantile(0.96)), (Some(0.1), Some(5.0)));
        h.add(1e9);
        assert_eq!(h.quantile(1.0), Some(f64::INFINITY));
    }
}
