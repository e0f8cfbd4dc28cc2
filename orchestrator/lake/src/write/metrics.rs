//! What Iceberg's metadata says of a file: from Parquet's own statistics. Pure.

use std::cmp::Ordering;
use std::collections::HashMap;

use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, Datum, PrimitiveType,
};
use parquet::data_type::AsBytes as _;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;

use crate::Error;

use super::layout::Layout;

/// Bounds of one column. Both may be cut (text, bytes): the lower then lies before all values, the upper after them.
enum Bounds {
    /// Some row group does not say.
    Unknown,
    Between(Value, Value),
}

#[derive(Clone, PartialEq, PartialOrd)]
enum Value {
    Bool(bool),
    Int(i128),
    Float(f64),
    Bytes(Vec<u8>),
}

pub(super) fn data_file(
    layout: &Layout,
    metadata: &ParquetMetaData,
    location: String,
    bytes: u64,
    nans: &[u64],
) -> Result<DataFile, Error> {
    let (mut sizes, mut values, mut nulls) = (HashMap::new(), HashMap::new(), HashMap::new());
    let mut bounds: HashMap<i32, Bounds> = HashMap::new();
    for chunk in metadata
        .row_groups()
        .iter()
        .flat_map(|group| group.columns())
    {
        let info = chunk.column_descr().self_type().get_basic_info();
        if !info.has_id() {
            return Err(layout.wrong(format!("column `{}` has no id", info.name())));
        }
        let id = info.id();
        *sizes.entry(id).or_insert(0) += chunk.compressed_size().cast_unsigned();
        let count = chunk.num_values().cast_unsigned();
        *values.entry(id).or_insert(0) += count;
        let statistics = chunk.statistics();
        let empty = statistics.and_then(Statistics::null_count_opt);
        if let Some(empty) = empty {
            *nulls.entry(id).or_insert(0) += empty;
        }
        let Some(primitive) = layout.bounded.get(&id) else {
            continue;
        };
        if empty == Some(count) {
            continue;
        }
        match statistics.and_then(|statistics| between(statistics, primitive)) {
            Some((low, high)) => match bounds.get_mut(&id) {
                None => {
                    bounds.insert(id, Bounds::Between(low, high));
                }
                Some(Bounds::Between(lowest, highest)) => {
                    if low.partial_cmp(lowest) == Some(Ordering::Less) {
                        *lowest = low;
                    }
                    if high.partial_cmp(highest) == Some(Ordering::Greater) {
                        *highest = high;
                    }
                }
                Some(Bounds::Unknown) => {}
            },
            // A row group of NaNs has no bounds either, and needs none: Iceberg's leave NaNs out.
            None if matches!(primitive, PrimitiveType::Float | PrimitiveType::Double) => {}
            None => {
                bounds.insert(id, Bounds::Unknown);
            }
        }
    }
    let (mut lower, mut upper) = (HashMap::new(), HashMap::new());
    for (id, bounds) in bounds {
        let Bounds::Between(low, high) = bounds else {
            continue;
        };
        let primitive = &layout.bounded[&id];
        if let (Some(low), Some(high)) = (datum(low, primitive), datum(high, primitive)) {
            lower.insert(id, low);
            upper.insert(id, high);
        }
    }
    let fields = layout.schema.fields().iter().zip(nans);
    let nans = fields.filter_map(|(field, nans)| {
        let id = field
            .metadata()
            .get(parquet::arrow::PARQUET_FIELD_ID_META_KEY)?;
        let id: i32 = id.parse().ok()?;
        let float = layout.bounded.get(&id)?;
        matches!(float, PrimitiveType::Float | PrimitiveType::Double).then_some((id, *nans))
    });
    let offsets = metadata.row_groups().iter().map(|group| {
        let first = group.column(0);
        first
            .dictionary_page_offset()
            .unwrap_or(first.data_page_offset())
    });
    DataFileBuilder::default()
        .content(DataContentType::Data)
        .file_path(location)
        .file_format(DataFileFormat::Parquet)
        .partition(layout.partition())
        .partition_spec_id(layout.spec_id)
        .record_count(metadata.file_metadata().num_rows().cast_unsigned())
        .file_size_in_bytes(bytes)
        .column_sizes(sizes)
        .value_counts(values)
        .null_value_counts(nulls)
        .nan_value_counts(nans.collect())
        .lower_bounds(lower)
        .upper_bounds(upper)
        .split_offsets(Some(offsets.collect()))
        .build()
        .map_err(|e| layout.wrong(e.to_string()))
}

/// A row group's lowest and highest value, if it says both.
fn between(statistics: &Statistics, primitive: &PrimitiveType) -> Option<(Value, Value)> {
    let int = |value: i128| Value::Int(value);
    Some(match statistics {
        Statistics::Boolean(s) => (Value::Bool(*s.min_opt()?), Value::Bool(*s.max_opt()?)),
        Statistics::Int32(s) => (int((*s.min_opt()?).into()), int((*s.max_opt()?).into())),
        Statistics::Int64(s) => (int((*s.min_opt()?).into()), int((*s.max_opt()?).into())),
        Statistics::Float(s) => (
            Value::Float((*s.min_opt()?).into()),
            Value::Float((*s.max_opt()?).into()),
        ),
        Statistics::Double(s) => (Value::Float(*s.min_opt()?), Value::Float(*s.max_opt()?)),
        Statistics::FixedLenByteArray(s) if matches!(primitive, PrimitiveType::Decimal { .. }) => (
            int(big_endian(s.min_opt()?.as_bytes())?),
            int(big_endian(s.max_opt()?.as_bytes())?),
        ),
        Statistics::ByteArray(s) => (
            Value::Bytes(s.min_opt()?.data().to_vec()),
            Value::Bytes(s.max_opt()?.data().to_vec()),
        ),
        Statistics::Int96(_) | Statistics::FixedLenByteArray(_) => return None,
    })
}

fn big_endian(bytes: &[u8]) -> Option<i128> {
    let mut wide = [if bytes.first()? & 0x80 == 0 { 0 } else { 0xff }; 16];
    let start = wide.len().checked_sub(bytes.len())?;
    wide[start..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(wide))
}

/// As Iceberg writes single values.
fn datum(value: Value, primitive: &PrimitiveType) -> Option<Datum> {
    let bytes = match (value, primitive) {
        (Value::Bool(value), _) => vec![u8::from(value)],
        (Value::Int(value), PrimitiveType::Decimal { .. }) => value.to_be_bytes().to_vec(),
        (Value::Int(value), PrimitiveType::Int | PrimitiveType::Date) => {
            i32::try_from(value).ok()?.to_le_bytes().to_vec()
        }
        (Value::Int(value), _) => i64::try_from(value).ok()?.to_le_bytes().to_vec(),
        (Value::Float(value), PrimitiveType::Float) => (value as f32).to_le_bytes().to_vec(),
        (Value::Float(value), _) => value.to_le_bytes().to_vec(),
        (Value::Bytes(value), _) => value,
    };
    Datum::try_from_bytes(&bytes, primitive.clone()).ok()
}
