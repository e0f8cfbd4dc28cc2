//! The hash that Postgres partitions and joins by (`hash_bytes` in src/common/hashfn.c, Bob Jenkins' lookup3 on a
//! little-endian machine). Its values are part of every hash-partitioned table on disk, so they do not change. Pure.

use crate::copy::encode::Digits;

const START: u32 = 0x9e37_79b9 + 3_923_095;

/// `hashtext` of UTF-8 bytes.
pub(super) fn bytes(value: &[u8]) -> i32 {
    let start = START.wrapping_add(value.len() as u32);
    let [mut a, mut b, mut c] = [start; 3];
    let mut pieces = value.chunks_exact(12);
    for piece in &mut pieces {
        a = a.wrapping_add(word(piece, 0));
        b = b.wrapping_add(word(piece, 4));
        c = c.wrapping_add(word(piece, 8));
        (a, b, c) = mixed(a, b, c);
    }
    let rest = pieces.remainder();
    a = a.wrapping_add(word(rest, 0));
    b = b.wrapping_add(word(rest, 4));
    // the lowest byte of the last word is the length's
    c = c.wrapping_add(word(rest, 8) << 8);
    last(a, b, c)
}

/// `hashint8`; `hashint2` and `hashint4` of the same number are equal.
pub(super) fn integer(value: i64) -> i32 {
    let (low, high) = (value as u32, (value >> 32) as u32);
    let folded = low ^ if value >= 0 { high } else { !high };
    let start = START.wrapping_add(4);
    last(start.wrapping_add(folded), start, start)
}

/// `hash_numeric`: of the digits alone, whatever the sign.
pub(super) fn decimal(value: i128, scale: u8) -> i32 {
    let digits = Digits::new(value.unsigned_abs(), scale);
    if digits.all().is_empty() {
        return -1;
    }
    let mut memory = [0; 24];
    for (at, digit) in memory.chunks_exact_mut(2).zip(digits.all()) {
        at.copy_from_slice(&digit.to_le_bytes());
    }
    bytes(&memory[..digits.all().len() * 2]) ^ i32::from(digits.weight)
}

/// `hashfloat8`, and `hashfloat4` of a real: all zeros are one, and all NaNs.
pub(super) fn float(value: f64) -> i32 {
    if value == 0.0 {
        return 0;
    }
    let value = if value.is_nan() { f64::NAN } else { value };
    bytes(&value.to_le_bytes())
}

/// Up to four bytes from `at`, little-endian.
fn word(bytes: &[u8], at: usize) -> u32 {
    match bytes.get(at..at + 4) {
        Some(whole) => u32::from_le_bytes(whole.try_into().expect("four bytes")),
        None => {
            let rest = bytes.get(at..).unwrap_or_default();
            let bytes = rest.iter().rev();
            bytes.fold(0, |word, byte| word << 8 | u32::from(*byte))
        }
    }
}

fn mixed(mut a: u32, mut b: u32, mut c: u32) -> (u32, u32, u32) {
    let step = |x: &mut u32, y: &mut u32, z: u32, by: u32| {
        *x = x.wrapping_sub(*y) ^ y.rotate_left(by);
        *y = y.wrapping_add(z);
    };
    step(&mut a, &mut c, b, 4);
    step(&mut b, &mut a, c, 6);
    step(&mut c, &mut b, a, 8);
    step(&mut a, &mut c, b, 16);
    step(&mut b, &mut a, c, 19);
    step(&mut c, &mut b, a, 4);
    (a, b, c)
}

fn last(mut a: u32, mut b: u32, mut c: u32) -> i32 {
    let step = |x: &mut u32, y: u32, by: u32| *x = (*x ^ y).wrapping_sub(y.rotate_left(by));
    step(&mut c, b, 14);
    step(&mut a, c, 11);
    step(&mut b, a, 25);
    step(&mut c, b, 16);
    step(&mut a, c, 4);
    step(&mut b, a, 14);
    step(&mut c, b, 24);
    c.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Postgres 15 says.
    #[test]
    fn it_is_postgres_hash() {
        let integers = [
            0,
            -1,
            i64::MAX,
            i64::MIN,
            7,
            848_448_000_000_000,
            86_399_999_999,
        ];
        assert_eq!(
            integers.map(integer),
            [
                -272_711_505,
                385_747_274,
                -1_524_351_049,
                -96_758_253,
                -978_793_473,
                -1_041_746_660,
                38_296_624
            ]
        );
        let texts = [
            "",
            "a",
            "twelve bytes",
            "ünïcödé 🚕 and more of it",
            "abcdefghijk",
        ];
        assert_eq!(
            texts.map(|text| bytes(text.as_bytes())),
            [
                -1_477_818_771,
                1_075_015_857,
                652_846_557,
                -702_234_804,
                -1_483_803_693
            ]
        );
        let decimals = [
            (0, 2),
            (1234, 2),
            (-123_400, 4),
            (10_000, 0),
            (1, 4),
            (10_i128.pow(38) - 1, 0),
            (10, 2),
        ];
        assert_eq!(
            decimals.map(|(value, scale)| decimal(value, scale)),
            [
                -1,
                -462_988_411,
                -462_988_411,
                1_324_868_425,
                -1_324_868_425,
                -1_224_642_789,
                1_951_971_037
            ]
        );
        let floats = [-0.0, f64::NAN, 0.1, f64::NEG_INFINITY, f64::from(0.1_f32)];
        assert_eq!(
            floats.map(float),
            [
                0,
                -1_275_764_840,
                -573_871_567,
                -1_377_680_656,
                -222_057_114
            ]
        );
    }
}
