//! `itertools`: the finite iterators.

use minijinja::Error;
use minijinja::value::{Tuple, Value};

use crate::arguments::Arguments;
use crate::functions::function;
use crate::list::{dict, list};

fn columns(arguments: &Arguments<'_>) -> Result<Vec<Vec<Value>>, Error> {
    arguments
        .all()
        .iter()
        .map(|column| Ok(column.try_iter()?.collect()))
        .collect()
}

fn tuples(rows: Vec<Vec<Value>>) -> Value {
    list(rows.into_iter().map(|row| Tuple::new(row).into()))
}

fn product(columns: &[Vec<Value>]) -> Vec<Vec<Value>> {
    columns.iter().fold(vec![Vec::new()], |rows, column| {
        rows.iter()
            .flat_map(|row| {
                column.iter().map(move |item| {
                    let mut longer = row.clone();
                    longer.push(item.clone());
                    longer
                })
            })
            .collect()
    })
}

/// Index tuples of `length` out of `n`; each strictly rising when `ordered`, else without repeats.
fn choices(n: usize, length: usize, ordered: bool) -> Vec<Vec<usize>> {
    (0..length).fold(vec![Vec::new()], |rows: Vec<Vec<usize>>, _| {
        rows.into_iter()
            .flat_map(|row| {
                let from = if ordered {
                    row.last().map_or(0, |last| last + 1)
                } else {
                    0
                };
                (from..n)
                    .filter(|next| !row.contains(next))
                    .map(|next| row.iter().copied().chain([next]).collect())
                    .collect::<Vec<Vec<usize>>>()
            })
            .collect()
    })
}

fn chosen(arguments: &Arguments<'_>, ordered: bool) -> Result<Value, Error> {
    let items: Vec<Value> = arguments.required(0, "iterable")?.try_iter()?.collect();
    let length = arguments
        .get(1, "r")
        .and_then(|v| v.as_usize())
        .unwrap_or(items.len());
    Ok(tuples(
        choices(items.len(), length, ordered)
            .into_iter()
            .map(|row| row.into_iter().map(|i| items[i].clone()).collect())
            .collect(),
    ))
}

/// `modules.itertools`.
pub(crate) fn module() -> Value {
    dict([
        (
            Value::from("chain"),
            function("chain", |_, a| Ok(list(columns(a)?.into_iter().flatten()))),
        ),
        (
            Value::from("product"),
            function("product", |_, a| {
                let repeat = a.keyword("repeat").and_then(|v| v.as_usize()).unwrap_or(1);
                let columns = columns(a)?;
                let repeated: Vec<_> = (0..repeat).flat_map(|_| columns.clone()).collect();
                Ok(tuples(product(&repeated)))
            }),
        ),
        (
            Value::from("combinations"),
            function("combinations", |_, a| chosen(a, true)),
        ),
        (
            Value::from("permutations"),
            function("permutations", |_, a| chosen(a, false)),
        ),
        (
            Value::from("zip_longest"),
            function("zip_longest", |_, a| {
                let (columns, fill) = (columns(a)?, a.keyword("fillvalue"));
                let fill = fill.unwrap_or(Value::from(()));
                let rows = columns.iter().map(Vec::len).max().unwrap_or(0);
                let row = |i: usize| {
                    columns
                        .iter()
                        .map(|c| c.get(i).unwrap_or(&fill).clone())
                        .collect()
                };
                Ok(tuples((0..rows).map(row).collect()))
            }),
        ),
    ])
}
