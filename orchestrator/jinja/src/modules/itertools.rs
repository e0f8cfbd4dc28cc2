//! `itertools`.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Tuple, Value};
use minijinja::{Error, State};

use crate::arguments::Arguments;
use crate::functions::function;
use crate::list::{dict, list};
use crate::operators;

/// What goes on without end in Python: it ends after more items than a template can use.
#[derive(Debug)]
pub(crate) struct Endless {
    from: Vec<Value>,
    step: Option<Value>,
}

impl Endless {
    const MOST: usize = 1_000_000;

    fn of(from: Vec<Value>, step: Option<Value>) -> Value {
        Value::from_object(Self { from, step })
    }
}

impl Object for Endless {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let Some(step) = self.step.clone() else {
            let items = self.from.clone().into_iter().cycle().take(Self::MOST);
            return Enumerator::Iter(Box::new(items));
        };
        let first = self.from.first().cloned();
        let numbers = std::iter::successors(first, move |last| operators::add(last, &step).ok());
        Enumerator::Iter(Box::new(numbers.take(Self::MOST)))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        None
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.step, self.from.first()) {
            (Some(_), Some(first)) => write!(f, "count({first})"),
            _ => f.write_str("<itertools.cycle object>"),
        }
    }
}

/// `count`, `cycle` and `repeat`, the last perhaps with a number of times.
fn endless(arguments: &Arguments<'_>, name: &str) -> Result<Value, Error> {
    match name {
        "count" => {
            let start = arguments.get(0, "start").unwrap_or_else(|| 0.into());
            let step = arguments.get(1, "step").unwrap_or_else(|| 1.into());
            Ok(Endless::of(vec![start], Some(step)))
        }
        "cycle" => {
            let items = arguments.required(0, "iterable")?.try_iter()?.collect();
            Ok(Endless::of(items, None))
        }
        _ => {
            let item = arguments.required(0, "object")?;
            Ok(match arguments.get(1, "times") {
                Some(times) => list(vec![item; times.as_usize().unwrap_or(0)]),
                None => Endless::of(vec![item], None),
            })
        }
    }
}

/// Sums, or what `func` makes of the last and the next.
fn accumulate(state: &mut State<'_, '_>, arguments: &Arguments<'_>) -> Result<Value, Error> {
    let func = arguments.get(1, "func").filter(|func| !func.is_none());
    let initial = arguments
        .keyword("initial")
        .filter(|first| !first.is_none());
    let mut made: Vec<Value> = initial.into_iter().collect();
    for item in arguments.required(0, "iterable")?.try_iter()? {
        let next = match (made.last(), &func) {
            (None, _) => item,
            (Some(last), None) => operators::add(last, &item)?,
            (Some(last), Some(func)) => func.call(state, &[last.clone(), item])?,
        };
        made.push(next);
    }
    Ok(list(made))
}

/// `islice(items, stop)` or `islice(items, start, stop, step)`.
fn islice(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let number = |at: usize| {
        let value = arguments.positional(at).filter(|value| !value.is_none());
        value.and_then(|value| value.as_usize())
    };
    let (start, stop, step) = match arguments.count() {
        2 => (0, number(1), 1),
        _ => (number(1).unwrap_or(0), number(2), number(3).unwrap_or(1)),
    };
    let items = arguments.required(0, "iterable")?.try_iter()?;
    let items = items.take(stop.unwrap_or(usize::MAX)).skip(start);
    Ok(list(items.step_by(step.max(1))))
}

fn starmap(state: &mut State<'_, '_>, arguments: &Arguments<'_>) -> Result<Value, Error> {
    let func = arguments.required(0, "function")?;
    let mut made = Vec::new();
    for row in arguments.required(1, "iterable")?.try_iter()? {
        let row: Vec<Value> = row.try_iter()?.collect();
        made.push(func.call(state, &row)?);
    }
    Ok(list(made))
}

fn compress(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let kept = arguments.required(1, "selectors")?.try_iter()?;
    let items = arguments.required(0, "data")?.try_iter()?.zip(kept);
    let kept = items.filter(|(_, kept)| kept.is_true());
    Ok(list(kept.map(|(item, _)| item)))
}

fn tee(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let items = arguments.required(0, "iterable")?;
    let times = arguments.get(1, "n").and_then(|n| n.as_usize());
    let copies = (0..times.unwrap_or(2)).map(|_| Ok(list(items.try_iter()?)));
    Ok(Tuple::new(copies.collect::<Result<_, Error>>()?).into())
}

fn columns(arguments: &Arguments<'_>) -> Result<Vec<Vec<Value>>, Error> {
    let column = |column: &Value| Ok(column.try_iter()?.collect());
    arguments.all().iter().map(column).collect()
}

fn tuples(rows: Vec<Vec<Value>>) -> Value {
    list(rows.into_iter().map(|row| Tuple::new(row).into()))
}

fn zip_longest(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let (columns, fill) = (columns(arguments)?, arguments.keyword("fillvalue"));
    let fill = fill.unwrap_or(Value::from(()));
    let rows = columns.iter().map(Vec::len).max().unwrap_or(0);
    let item = |column: &Vec<Value>, row: usize| column.get(row).unwrap_or(&fill).clone();
    let row = |row: usize| columns.iter().map(|column| item(column, row)).collect();
    Ok(tuples((0..rows).map(row).collect()))
}

fn product(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let repeat = arguments.keyword("repeat").and_then(|v| v.as_usize());
    let columns = columns(arguments)?;
    let repeated = (0..repeat.unwrap_or(1)).flat_map(|_| columns.iter());
    let rows = repeated.fold(vec![Vec::new()], |rows: Vec<Vec<Value>>, column| {
        let longer = |row: &Vec<Value>, item: &Value| {
            let mut row = row.clone();
            row.push(item.clone());
            row
        };
        let with = |row| column.iter().map(move |item| longer(row, item));
        rows.iter().flat_map(with).collect()
    });
    Ok(tuples(rows))
}

/// Which index tuples.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// Each index above the last.
    Rising,
    /// None below the last.
    Repeated,
    /// No index twice.
    Any,
}

/// Index tuples of `length` out of `n`.
fn choices(n: usize, length: usize, choice: Choice) -> Vec<Vec<usize>> {
    (0..length).fold(vec![Vec::new()], |rows: Vec<Vec<usize>>, _| {
        rows.into_iter()
            .flat_map(|row| {
                let last = row.last().copied();
                let from = match choice {
                    Choice::Rising => last.map_or(0, |last| last + 1),
                    Choice::Repeated => last.unwrap_or(0),
                    Choice::Any => 0,
                };
                (from..n)
                    .filter(|next| choice == Choice::Repeated || !row.contains(next))
                    .map(|next| row.iter().copied().chain([next]).collect())
                    .collect::<Vec<Vec<usize>>>()
            })
            .collect()
    })
}

fn chosen(arguments: &Arguments<'_>, choice: Choice) -> Result<Value, Error> {
    let items: Vec<Value> = arguments.required(0, "iterable")?.try_iter()?.collect();
    let length = arguments.get(1, "r").and_then(|v| v.as_usize());
    let rows = choices(items.len(), length.unwrap_or(items.len()), choice);
    let row = |row: Vec<usize>| row.into_iter().map(|i| items[i].clone()).collect();
    Ok(tuples(rows.into_iter().map(row).collect()))
}

fn chain(arguments: &Arguments<'_>) -> Result<Value, Error> {
    Ok(list(columns(arguments)?.into_iter().flatten()))
}

/// `modules.itertools`.
pub(crate) fn module() -> Value {
    let unending = ["count", "cycle", "repeat"].map(|name| {
        let made = function(name, move |_, a| endless(a, name));
        (Value::from(name), made)
    });
    let finite = [
        ("chain", function("chain", |_, a| chain(a))),
        ("accumulate", function("accumulate", accumulate)),
        ("starmap", function("starmap", starmap)),
        ("islice", function("islice", |_, a| islice(a))),
        ("compress", function("compress", |_, a| compress(a))),
        ("tee", function("tee", |_, a| tee(a))),
        (
            "zip_longest",
            function("zip_longest", |_, a| zip_longest(a)),
        ),
        ("product", function("product", |_, a| product(a))),
    ];
    let choosing = [
        ("combinations", Choice::Rising),
        ("combinations_with_replacement", Choice::Repeated),
        ("permutations", Choice::Any),
    ];
    let choosing = choosing.map(|(name, choice)| {
        let made = function(name, move |_, a| chosen(a, choice));
        (name, made)
    });
    let named = finite.into_iter().chain(choosing);
    let named = named.map(|(name, made)| (Value::from(name), made));
    dict(unending.into_iter().chain(named))
}
