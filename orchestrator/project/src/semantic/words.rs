//! Words, conditions and spans of time of the semantic layer: read as they are written, kept as the manifest has them.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{DeserializeOwned, Deserializer, Error, IntoDeserializer};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// An enumeration of words, read in any case.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[expect(missing_docs, reason = "the words are dbt's")]
        pub enum $name {
            $(#[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every word.
            pub const ALL: &[&str] = &[$($word),+];

            /// The value of a word.
            #[must_use]
            pub fn of(word: &str) -> Option<Self> {
                match word.to_lowercase().as_str() {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// Its word.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                Self::of(&word).ok_or_else(|| {
                    let known = Self::ALL.join(", ");
                    D::Error::custom(format!("'{word}' is none of {known}"))
                })
            }
        }
    };
}

words! {
    /// How a metric is made.
    MetricType {
        Simple = "simple", Ratio = "ratio", Cumulative = "cumulative", Derived = "derived",
        Conversion = "conversion",
    }
}
words! {
    /// How a measure adds up.
    Aggregation {
        Sum = "sum", Min = "min", Max = "max", CountDistinct = "count_distinct", SumBoolean = "sum_boolean",
        Average = "average", Percentile = "percentile", Median = "median", Count = "count",
    }
}
words! {
    /// What joins through an entity.
    EntityType { Foreign = "foreign", Natural = "natural", Primary = "primary", Unique = "unique" }
}
words! {
    /// What a dimension holds.
    DimensionType { Categorical = "categorical", Time = "time" }
}
words! {
    /// Spans of time that need no time spine to name them, shortest first.
    Granularity {
        Nanosecond = "nanosecond", Microsecond = "microsecond", Millisecond = "millisecond", Second = "second",
        Minute = "minute", Hour = "hour", Day = "day", Week = "week", Month = "month", Quarter = "quarter",
        Year = "year",
    }
}
words! {
    /// What of a period a cumulative metric shows.
    PeriodAggregation { First = "first", Last = "last", Average = "average" }
}
words! {
    /// What a conversion metric counts.
    Calculation { Conversions = "conversions", ConversionRate = "conversion_rate" }
}
words! {
    /// What an export makes.
    Destination { Table = "table", View = "view" }
}

/// Conditions that all hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Filter {
    /// Each of them.
    pub where_filters: Vec<Condition>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// The template that the semantic layer renders.
    pub where_sql_template: String,
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = match Json::deserialize(deserializer)? {
            Json::String(text) => vec![text],
            Json::Array(items) => items
                .into_iter()
                .map(|item| match item {
                    Json::String(text) => Ok(text),
                    other => Err(no_text(&other)),
                })
                .collect::<Result<_, D::Error>>()?,
            other => return Err(no_text(&other)),
        };
        Ok(Self {
            where_filters: texts
                .into_iter()
                .map(|where_sql_template| Condition { where_sql_template })
                .collect(),
        })
    }
}

fn no_text<E: Error>(value: &Json) -> E {
    let kind = crate::yaml::kind(value);
    E::custom(format!(
        "expected a condition or a list of them, found {kind}"
    ))
}

/// `7 days`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Window {
    /// How many.
    pub count: u64,
    /// Of what: one of [`Granularity`], or a name of a time spine's.
    pub granularity: String,
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.count, self.granularity)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = String::deserialize(deserializer)?;
        let lower = written.to_lowercase();
        let Some((count, granularity)) = lower.split_once(' ').filter(|(_, g)| !g.contains(' '))
        else {
            return Err(D::Error::custom(format!(
                "Invalid window ({written}) in cumulative/conversion metric. Should be of the form \
                 `<count> <granularity>`, e.g., `28 days`"
            )));
        };
        let Ok(count) = count.parse() else {
            return Err(D::Error::custom(format!(
                "Invalid count ({count}) in cumulative/conversion metric window string: ({written})"
            )));
        };
        let singular = granularity.strip_suffix('s');
        let singular = singular.filter(|word| Granularity::of(word).is_some());
        Ok(Self {
            count,
            granularity: singular.unwrap_or(granularity).to_owned(),
        })
    }
}

/// Something that may be written as its name alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Named<T>(pub T);

impl<T> Deref for Named<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let whole = match Json::deserialize(deserializer)? {
            Json::String(name) => json!({ "name": name }),
            other => other,
        };
        serde_json::from_value(whole)
            .map(Self)
            .map_err(D::Error::custom)
    }
}

/// A key that nothing written fills: always null.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Absent(PhantomData<()>);

impl Serialize for Absent {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none()
    }
}

/// Text, where a number or a truth value may stand too; they read as Python prints them.
pub(super) fn printed<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    match Json::deserialize(deserializer)? {
        Json::Null => Ok(None),
        Json::Bool(true) => Ok(Some("True".to_owned())),
        Json::Bool(false) => Ok(Some("False".to_owned())),
        Json::Number(number) if number.is_i64() => Ok(Some(number.to_string())),
        other => String::deserialize(other.into_deserializer())
            .map(Some)
            .map_err(D::Error::custom),
    }
}

/// A list, for which nothing may stand.
pub(super) fn listed<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
