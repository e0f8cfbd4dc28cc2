//! Random draws that are the same on every platform.
//!
//! ChaCha8 is specified bit for bit; the distributions below use only IEEE additions,
//! multiplications, divisions and square roots. The system's `exp` and `ln` differ in the last
//! bit between platforms, and one bit is enough to turn a replayed world into another one.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// One seeded stream of draws.
pub(crate) struct Draw {
    rng: ChaCha8Rng,
}

impl Draw {
    /// `stream` separates users of one seed, so that adding a draw to one leaves the others alone.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self { rng }
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in [0, n); `n` must not be 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// Uniform in [low, high).
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Milliseconds, uniform in [low, high) seconds.
    pub(crate) fn seconds(&mut self, low: f64, high: f64) -> i64 {
        (self.between(low, high) * 1000.0) as i64
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Standard normal, as the sum of eight uniforms: cut off at 4.9 sigma, no logarithm needed.
    pub(crate) fn normal(&mut self) -> f64 {
        let mut sum = 0u64;
        for _ in 0..2 {
            let bits = self.bits();
            sum += (bits & 0xffff)
                + ((bits >> 16) & 0xffff)
                + ((bits >> 32) & 0xffff)
                + ((bits >> 48) & 0xffff);
        }
        (sum as f64 / 65_536.0 - 4.0) * 1.224_744_871_391_589
    }

    pub(crate) fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        let z = self.normal();
        median * exp(sigma * z)
    }

    /// Waiting time of a Poisson process with this mean.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -ln(1.0 - self.unit()) * mean
    }

    /// Index drawn in proportion to the weights; the last one when all are 0.
    pub(crate) fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (index, weight) in weights.iter().enumerate() {
            if left < *weight {
                return index;
            }
            left -= weight;
        }
        weights.len() - 1
    }
}

/// A bijection on 64 bits (the finalizer of splitmix64): distinct in, distinct out.
pub(crate) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// e^x for |x| < 700, by halving x below 2^-6 and squaring back.
pub(crate) fn exp(x: f64) -> f64 {
    let k = (x * std::f64::consts::LOG2_E).round();
    let r = x - k * std::f64::consts::LN_2;
    let mut term = 1.0;
    let mut sum = 1.0;
    for n in 1..=12 {
        term *= r / f64::from(n);
        sum += term;
    }
    // 2^k put together from its bits; k is far inside the exponent's range here
    sum * f64::from_bits(((1023 + k as i64) as u64) << 52)
}

/// Natural logarithm of a positive, normal number.
pub(crate) fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | (1023u64 << 52));
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    // ln m = 2 artanh((m-1)/(m+1)); |s| < 0.172, so nine odd terms reach 1e-16
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let mut power = s;
    let mut sum = 0.0;
    for n in 0..10 {
        sum += power / f64::from(2 * n + 1);
        power *= square;
    }
    2.0 * sum + exponent as f64 * std::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_and_ln_agree_with_the_platform() {
        for step in -200..200 {
            let x = f64::from(step) * 0.07;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-13, "exp({x})");
            let y = exp(x);
            assert!((ln(y) - y.ln()).abs() < 1e-13, "ln({y})");
        }
    }

    #[test]
    fn distributions_have_their_moments() {
        let mut draw = Draw::new(7, 0);
        let n = 50_000;
        let normals: Vec<f64> = (0..n).map(|_| draw.normal()).collect();
        let mean = normals.iter().sum::<f64>() / f64::from(n);
        let variance = normals.iter().map(|z| z * z).sum::<f64>() / f64::from(n);
        assert!(
            mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03,
            "{mean} {variance}"
        );
        let waits = (0..n).map(|_| draw.exponential(5.0)).sum::<f64>() / f64::from(n);
        assert!((waits - 5.0).abs() < 0.1, "{waits}");
        let mut below_median = 0;
        for _ in 0..n {
            below_median += i32::from(draw.lognormal(3.0, 0.5) < 3.0);
        }
        assert!((f64::from(below_median) / f64::from(n) - 0.5).abs() < 0.02);
    }

    #[test]
    fn a_stream_is_the_same_every_time() {
        let mut a = Draw::new(42, 3);
        let mut b = Draw::new(42, 3);
        let mut other = Draw::new(42, 4);
        let xs: Vec<u64> = (0..8).map(|_| a.bits()).collect();
        assert_eq!(xs, (0..8).map(|_| b.bits()).collect::<Vec<_>>());
        assert_ne!(xs, (0..8).map(|_| other.bits()).collect::<Vec<_>>());
    }
}
