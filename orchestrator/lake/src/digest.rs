//! What rows contain, in a few numbers that do not depend on their order. Pure.
//!
//! Every value that is not NULL is hashed in a canonical form, seeded with its column's name. A column keeps the
//! count, sum and xor of its hashes; the rows keep the sum of a hash over each row's cells, so that cells that
//! changed rows are seen. Digests of parts add up to the digest of the whole.
//!
//! The canonical form does not know how wide a type is (an `int2` equals the `int8` of the same value), and a NULL
//! adds nothing: so a digest stays true when a column is widened or added later. Nothing here is secret: this finds
//! accidents, not forgers.

mod hash;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};

use crate::shape::Shape;

use hash::{mix, seed};

/// What rows contain.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Digest {
    rows: u64,
    #[serde(with = "hex")]
    row_sum: u64,
    columns: BTreeMap<String, ColumnDigest>,
}

/// What a column contains. All zeros when it holds nothing but NULLs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct ColumnDigest {
    /// Values that are not NULL.
    count: u64,
    #[serde(with = "hex")]
    sum: u64,
    #[serde(with = "hex")]
    xor: u64,
}

impl ColumnDigest {
    fn add(&mut self, hash: u64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(hash);
        self.xor ^= hash;
    }
}

impl Digest {
    /// The digest of a batch whose columns are those of `shape`, in its order; columns after them do not count.
    #[must_use]
    pub fn of(shape: &Shape, batch: &RecordBatch) -> Self {
        let mut digester = Digester::new(shape);
        digester.update(batch);
        digester.finish()
    }

    /// Makes it the digest of both sets of rows.
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.row_sum = self.row_sum.wrapping_add(other.row_sum);
        for (name, theirs) in &other.columns {
            let ours = self.columns.entry(name.clone()).or_default();
            ours.count += theirs.count;
            ours.sum = ours.sum.wrapping_add(theirs.sum);
            ours.xor ^= theirs.xor;
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// In what two digests differ, for a person. Empty when they are equal. A column that one of them does not
    /// know equals one without a value.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        if self.rows != other.rows {
            found.push(format!("{} rows, not {}", other.rows, self.rows));
        }
        let names: BTreeSet<_> = self.columns.keys().chain(other.columns.keys()).collect();
        let of = |digest: &Self, name: &String| -> ColumnDigest {
            digest.columns.get(name).copied().unwrap_or_default()
        };
        for name in names {
            let (ours, theirs) = (of(self, name), of(other, name));
            if ours.count != theirs.count {
                let (theirs, ours) = (theirs.count, ours.count);
                found.push(format!("column `{name}`: {theirs} values, not {ours}"));
            } else if ours != theirs {
                found.push(format!("column `{name}`: other values"));
            }
        }
        if found.is_empty() && self.row_sum != other.row_sum {
            found.push("the same values, but in other rows".to_owned());
        }
        found
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.differences(other).is_empty()
    }
}

impl Eq for Digest {}

impl fmt::Display for Digest {
    /// Rows and a short name of their contents, for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows {:016x}", self.rows, self.row_sum)
    }
}

/// One number a row over some of its columns: equal rows have equal ones, whatever batch they are in.
#[must_use]
pub fn row_hashes(shape: &Shape, batch: &RecordBatch, columns: &[usize]) -> Vec<u64> {
    let mut cells = vec![0u64; batch.num_rows()];
    for at in columns {
        let seed = seed(&shape.columns[*at].name);
        hash::each(batch.column(*at), seed, |row, hash| {
            cells[row] = cells[row].wrapping_add(hash);
        });
    }
    cells.into_iter().map(mix).collect()
}

/// Digests batch after batch.
pub struct Digester {
    columns: Vec<(String, u64, ColumnDigest)>,
    rows: u64,
    row_sum: u64,
    /// One number a row, reused from batch to batch.
    cells: Vec<u64>,
}

impl Digester {
    /// Of batches whose columns are those of `shape`, in its order; columns after them do not count.
    #[must_use]
    pub fn new(shape: &Shape) -> Self {
        let column = |name: &str| (name.to_owned(), seed(name), ColumnDigest::default());
        Self {
            columns: shape.columns.iter().map(|c| column(&c.name)).collect(),
            rows: 0,
            row_sum: 0,
            cells: Vec::new(),
        }
    }

    /// Takes a batch in.
    pub fn update(&mut self, batch: &RecordBatch) {
        self.cells.clear();
        self.cells.resize(batch.num_rows(), 0);
        for ((_, seed, digest), array) in self.columns.iter_mut().zip(batch.columns()) {
            let cells = &mut self.cells;
            hash::each(array, *seed, |row, hash| {
                digest.add(hash);
                cells[row] = cells[row].wrapping_add(hash);
            });
        }
        self.rows += batch.num_rows() as u64;
        // Mixed before they are summed: a plain sum of sums would not see cells that changed rows.
        self.row_sum = self
            .cells
            .iter()
            .fold(self.row_sum, |sum, cells| sum.wrapping_add(mix(*cells)));
    }

    /// The digest of all batches.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest {
            rows: self.rows,
            row_sum: self.row_sum,
            columns: self
                .columns
                .into_iter()
                .map(|(name, _, digest)| (name, digest))
                .collect(),
        }
    }
}

/// Sixteen digits: JSON's numbers do not hold 64 bits.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{value:016x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        let text = String::deserialize(from)?;
        u64::from_str_radix(&text, 16).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
