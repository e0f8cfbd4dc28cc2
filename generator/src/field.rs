//! JSON fields, written by hand: `,"name":value`.

use crate::identity::Id;
use crate::place::Point;

pub(crate) fn name(out: &mut Vec<u8>, name: &[u8]) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name);
    out.extend_from_slice(b"\":");
}

/// A field whose text needs no escaping.
pub(crate) fn text(out: &mut Vec<u8>, field: &[u8], value: &[u8]) {
    name(out, field);
    out.push(b'"');
    out.extend_from_slice(value);
    out.push(b'"');
}

pub(crate) fn id(out: &mut Vec<u8>, field: &[u8], value: &Id) {
    text(out, field, value.as_bytes());
}

pub(crate) fn escaped(out: &mut Vec<u8>, field: &[u8], value: &str) {
    name(out, field);
    serde_json::to_writer(out, value).expect("invariant: writing to memory can't fail");
}

pub(crate) fn number(out: &mut Vec<u8>, field: &[u8], value: i64) {
    name(out, field);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// The surge multiplier, as a decimal with one digit.
pub(crate) fn tenths(out: &mut Vec<u8>, value: u8) {
    name(out, b"surge_multiplier");
    out.extend_from_slice(itoa::Buffer::new().format(value / 10).as_bytes());
    out.extend_from_slice(&[b'.', b'0' + value % 10]);
}

pub(crate) fn location(out: &mut Vec<u8>, field: &[u8], point: Point) {
    name(out, field);
    out.push(b'"');
    degrees(out, point.lat_e5);
    out.push(b',');
    degrees(out, point.lon_e5);
    out.push(b'"');
}

/// Hundred-thousandths of a degree as a decimal with five digits.
pub(crate) fn degrees(out: &mut Vec<u8>, e5: i32) {
    if e5 < 0 {
        out.push(b'-');
    }
    let e5 = e5.unsigned_abs();
    out.extend_from_slice(itoa::Buffer::new().format(e5 / 100_000).as_bytes());
    let mut rest = e5 % 100_000;
    let mut digits = [b'.', 0, 0, 0, 0, 0];
    for digit in digits[1..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_keep_five_digits() {
        let check = |e5: i32, expected: &str| {
            let mut out = Vec::new();
            degrees(&mut out, e5);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        };
        check(642_810, "6.42810");
        check(-4_665_590, "-46.65590");
        check(-5, "-0.00005");
        check(0, "0.00000");
    }
}
