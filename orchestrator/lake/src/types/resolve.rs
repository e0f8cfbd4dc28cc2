//! From what `pg_type` says of a column to a line of the table, or to a reason why there is none. Pure.

use std::collections::HashMap;

use super::{DataType, MAX_PRECISION, Scalar};

/// What `pg_type` says.
#[derive(Clone, Debug)]
pub(crate) struct PgType {
    pub(crate) oid: u32,
    /// `typtype`: b(ase), c(omposite), d(omain), e(num), p(seudo), r(ange), m(ultirange).
    pub(crate) kind: char,
    /// A domain's type.
    pub(crate) base: u32,
    pub(crate) base_typmod: i32,
    /// An array's element type, 0 when it is no array.
    pub(crate) element: u32,
}

/// The type of a column declared with `typmod`, or what the owner of the table can do.
pub(crate) fn resolve(
    types: &HashMap<u32, PgType>,
    oid: u32,
    typmod: i32,
) -> Result<DataType, String> {
    let (base, typmod) = undomain(types, oid, typmod)?;
    if base.kind == 'b' && base.element != 0 {
        let (element, typmod) = undomain(types, base.element, typmod)?;
        if element.element != 0 {
            return Err(CAST.to_owned());
        }
        return Ok(DataType::List(scalar(element, typmod)?));
    }
    Ok(DataType::Scalar(scalar(base, typmod)?))
}

const CAST: &str = "cast the column to text or jsonb, or leave the table without an archive";

/// A domain's type; its modifier is the domain's own.
fn undomain(
    types: &HashMap<u32, PgType>,
    mut oid: u32,
    mut typmod: i32,
) -> Result<(&PgType, i32), String> {
    loop {
        let found = types
            .get(&oid)
            .ok_or_else(|| format!("pg_type has no row for {oid}"))?;
        if found.kind != 'd' {
            return Ok((found, typmod));
        }
        (oid, typmod) = (found.base, found.base_typmod);
    }
}

/// `pg_type.oid` is part of Postgres' protocol: those of built-in types never change.
fn scalar(found: &PgType, typmod: i32) -> Result<Scalar, String> {
    Ok(match found.oid {
        16 => Scalar::Bool,
        17 => Scalar::Bytea,
        20 => Scalar::Int8,
        21 => Scalar::Int2,
        23 => Scalar::Int4,
        19 | 25 | 1043 => Scalar::Text,
        1042 => Scalar::Char,
        114 => Scalar::Json,
        700 => Scalar::Float4,
        701 => Scalar::Float8,
        1082 => Scalar::Date,
        1083 => Scalar::Time,
        1114 => Scalar::Timestamp,
        1184 => Scalar::Timestamptz,
        1700 => return numeric(typmod),
        2950 => Scalar::Uuid,
        3802 => Scalar::Jsonb,
        _ if found.kind == 'e' => Scalar::Text,
        1186 => {
            return Err(
                "keep the interval's length in a bigint of microseconds, or cast it to text"
                    .to_owned(),
            );
        }
        1266 => return Err("use time, or timestamp with time zone".to_owned()),
        790 => return Err("cast the column to numeric(p, s)".to_owned()),
        _ => return Err(CAST.to_owned()),
    })
}

/// `numeric(p, s)`; Postgres allows a scale beyond the precision, and below zero: both become the decimal that
/// holds every value of theirs.
fn numeric(typmod: i32) -> Result<Scalar, String> {
    if typmod < 4 {
        return Err("declare it numeric(p, s), with p at most 38, or cast it to text".to_owned());
    }
    let precision = ((typmod - 4) >> 16) & 0xffff;
    // eleven bits, signed
    let scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
    let (precision, scale) = match scale {
        ..0 => (precision - scale, 0),
        _ => (precision.max(scale), scale),
    };
    match (u8::try_from(precision), u8::try_from(scale)) {
        (Ok(precision), Ok(scale)) if precision <= MAX_PRECISION => {
            Ok(Scalar::Numeric { precision, scale })
        }
        _ => Err(format!(
            "{precision} digits are more than the {MAX_PRECISION} that Iceberg's decimals hold: narrow it, or cast it to text"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types() -> HashMap<u32, PgType> {
        // the names are for whoever reads this
        let t = |oid, _name: &str, kind, base, base_typmod, element| {
            let found = PgType {
                oid,
                kind,
                base,
                base_typmod,
                element,
            };
            (oid, found)
        };
        HashMap::from([
            t(23, "int4", 'b', 0, -1, 0),
            t(1007, "_int4", 'b', 0, -1, 23),
            t(1700, "numeric", 'b', 0, -1, 0),
            t(1231, "_numeric", 'b', 0, -1, 1700),
            t(1186, "interval", 'b', 0, -1, 0),
            t(600, "point", 'b', 0, -1, 0),
            t(9001, "fare", 'd', 1700, typmod(12, 2), 0),
            t(9002, "tip", 'd', 9001, -1, 0),
            t(9003, "_fare", 'b', 0, -1, 9001),
            t(9004, "status", 'e', 0, -1, 0),
            t(9005, "pair", 'c', 0, -1, 0),
        ])
    }

    fn typmod(precision: i32, scale: i32) -> i32 {
        ((precision << 16) | (scale & 0x7ff)) + 4
    }

    fn check(oid: u32, typmod: i32, expected: &str) {
        let found = match resolve(&types(), oid, typmod) {
            Ok(data_type) => data_type.to_string(),
            Err(hint) => format!("refused: {hint}"),
        };
        assert!(found.starts_with(expected), "{found}");
    }

    #[test]
    fn columns_find_their_line() {
        check(23, -1, "int4");
        check(1007, -1, "int4[]");
        check(1700, typmod(12, 2), "numeric(12,2)");
        check(1231, typmod(38, 38), "numeric(38,38)[]");
        check(9001, -1, "numeric(12,2)");
        check(9002, -1, "numeric(12,2)");
        check(9003, -1, "numeric(12,2)[]");
        check(9004, -1, "text");
    }

    #[test]
    fn odd_scales_get_room() {
        check(1700, typmod(3, 5), "numeric(5,5)");
        check(1700, typmod(5, -2), "numeric(7,0)");
        check(1700, typmod(38, -1), "refused: 39 digits");
    }

    #[test]
    fn others_are_refused_with_a_hint() {
        check(1700, -1, "refused: declare it numeric(p, s)");
        check(1700, typmod(39, 0), "refused: 39 digits");
        check(1186, -1, "refused: keep the interval");
        check(600, -1, "refused: cast the column");
        check(9005, -1, "refused: cast the column");
    }
}
