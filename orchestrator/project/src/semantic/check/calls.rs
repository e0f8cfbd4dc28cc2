//! What a filter, a grouping or an order names: `Dimension('order__status').grain('day')` and its like.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Kwargs, Object, Rest, Value};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior};

use crate::semantic::Granularity;

/// The functions and the arguments each takes, in order.
const FUNCTIONS: [(&str, &[&str]); 4] = [
    ("Dimension", &["name", "entity_path"]),
    (
        "TimeDimension",
        &[
            "time_dimension_name",
            "time_granularity_name",
            "entity_path",
            "descending",
            "date_part_name",
        ],
    ),
    ("Entity", &["entity_name", "entity_path"]),
    ("Metric", &["metric_name", "group_by"]),
];

/// What may be asked of a date.
const DATE_PARTS: [&str; 6] = ["year", "quarter", "month", "day", "dow", "doy"];

/// One thing that is named.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Call {
    function: &'static str,
    name: String,
    path: Vec<String>,
    grain: Option<String>,
    part: Option<String>,
    group_by: Vec<String>,
    pub(super) descending: Option<bool>,
}

/// Where it is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a condition or a grouping.
    Plain,
    /// In an order, where things may descend.
    OrderBy,
}

/// What calls print to.
type Printed = Arc<Mutex<Vec<Call>>>;

#[derive(Debug)]
struct Built {
    call: Call,
    place: Place,
    printed: Printed,
}

impl Object for Built {
    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let allowed = match (self.call.function, method) {
            ("Dimension", "grain" | "date_part" | "descending") => true,
            (_, "descending") => self.place == Place::OrderBy,
            _ => false,
        };
        if !allowed {
            return Err(wrong(format!(
                "`{method}` can't be used with `{}` in this context",
                self.call.function
            )));
        }
        let [value] = arguments else {
            return Err(wrong(format!("`{method}` takes one argument")));
        };
        let mut call = self.call.clone();
        match method {
            "grain" => call.grain = Some(value.to_string()),
            "date_part" => call.part = Some(value.to_string()),
            _ => call.descending = Some(value.is_true()),
        }
        Ok(Value::from_object(Self {
            call,
            place: self.place,
            printed: Arc::clone(&self.printed),
        }))
    }

    fn render(self: &Arc<Self>, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        if !printed.contains(&self.call) {
            printed.push(self.call.clone());
        }
        Ok(())
    }
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

fn build(
    (function, names): (&'static str, &'static [&'static str]),
    (positional, named): (&[Value], &Kwargs),
    place: Place,
    printed: &Printed,
) -> Result<Value, Error> {
    if positional.len() > names.len() {
        return Err(wrong(format!("{function} takes {} arguments", names.len())));
    }
    let at = |name: &str| -> Result<Option<Value>, Error> {
        let index = names.iter().position(|known| *known == name);
        if let Some(value) = index.and_then(|index| positional.get(index)) {
            return Ok(Some(value.clone()));
        }
        let found: Option<Value> = named.get(name)?;
        Ok(found.filter(|value| !value.is_none() && !value.is_undefined()))
    };
    let text = |name: &str| Ok::<_, Error>(at(name)?.map(|value| value.to_string()));
    let list = |name: &str| -> Result<Vec<String>, Error> {
        match at(name)? {
            Some(value) => Ok(value.try_iter()?.map(|item| item.to_string()).collect()),
            None => Ok(Vec::new()),
        }
    };
    let mut call = Call {
        function,
        name: text(names[0])?.ok_or_else(|| wrong(format!("{function} names nothing")))?,
        ..Call::default()
    };
    match function {
        "Metric" => call.group_by = list("group_by")?,
        "TimeDimension" => {
            call.grain = text("time_granularity_name")?;
            call.path = list("entity_path")?;
            call.part = text("date_part_name")?;
            call.descending = at("descending")?.map(|value| value.is_true());
        }
        _ => call.path = list("entity_path")?,
    }
    named.assert_all_used()?;
    Ok(Value::from_object(Built {
        call,
        place,
        printed: Arc::clone(printed),
    }))
}

/// Everything that `template` names.
///
/// # Errors
/// It is no template, or names things in ways there are not.
pub(super) fn named(template: &str, place: Place) -> Result<Vec<Call>, String> {
    let printed = Printed::default();
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    for function in FUNCTIONS {
        let printed = Arc::clone(&printed);
        environment.add_function(function.0, move |positional: Rest<Value>, named: Kwargs| {
            build(function, (&positional, &named), place, &printed)
        });
    }
    let rendered = environment.render_str(template, ());
    rendered.map_err(|error| error.to_string())?;
    let mut printed = printed.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut printed))
}

/// What a call means.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Meaning {
    /// The name of the dimension, entity or metric.
    pub(super) element: String,
    /// The span of time it is shown by.
    pub(super) grain: Option<String>,
}

impl Call {
    /// Takes the name apart: `order__ordered_at__month`.
    ///
    /// # Errors
    /// The name has too many or too few parts, or something is said twice.
    pub(super) fn meaning(&self, place: Place, custom: &[&str]) -> Result<Meaning, String> {
        let is_time = self.function == "TimeDimension"
            || self.function == "Dimension" && (self.grain.is_some() || self.part.is_some());
        if self.function == "Metric" {
            if place == Place::Plain && self.group_by.is_empty() {
                return Err(
                    "`group_by` parameter is required for Metric in where filter".to_owned(),
                );
            }
            return Ok(Meaning {
                element: self.name.clone(),
                grain: None,
            });
        }
        let mut parts: Vec<&str> = self.name.split("__").collect();
        let is_grain =
            |word: &&str| Granularity::ALL.contains(word) || is_time && custom.contains(word);
        let last = parts.last().copied();
        let in_name = last.filter(|word| parts.len() > 1 && is_grain(word));
        if in_name.is_some() {
            parts.pop();
        }
        let element = parts.pop().unwrap_or_default().to_owned();
        if self.function == "Entity" {
            return match in_name {
                Some(_) => Err(format!(
                    "Name is in an incorrect format: '{}'. It should not contain a time grain suffix",
                    self.name
                )),
                None => Ok(Meaning {
                    element,
                    grain: None,
                }),
            };
        }
        if parts.len() != 1 && !element.eq_ignore_ascii_case("metric_time") {
            return Err(format!(
                "Name is in an incorrect format: '{}'. It should be of the form: \
                 <primary entity name>__<dimension_name>",
                self.name
            ));
        }
        if !is_time {
            return Ok(Meaning {
                element,
                grain: None,
            });
        }
        if let (Some(in_name), Some(grain)) = (in_name, &self.grain)
            && in_name != grain
        {
            return Err(format!(
                "Received different grains in '{}' and '{grain}': remove the grain suffix (`{in_name}`)",
                self.name
            ));
        }
        if let Some(part) = &self.part
            && !DATE_PARTS.contains(&part.to_lowercase().as_str())
        {
            return Err(format!("'{part}' is none of {}", DATE_PARTS.join(", ")));
        }
        let grain = in_name.map(str::to_owned).or_else(|| self.grain.clone());
        Ok(Meaning {
            element,
            grain: grain.map(|grain| grain.to_lowercase()),
        })
    }
}
