//! `lipsum()`: paragraphs of Latin without a meaning.

use std::hash::{BuildHasher as _, RandomState};

use minijinja::Error;
use minijinja::value::Value;

use crate::arguments::Arguments;
use crate::error::raise;

/// Jinja's words.
const WORDS: &str = include_str!("lipsum/words.txt");

/// Numbers by chance.
pub(crate) struct Chance {
    state: RandomState,
    drawn: usize,
}

impl Chance {
    pub(crate) fn new() -> Self {
        // every `RandomState` has keys of its own
        let state = RandomState::new();
        Self { state, drawn: 0 }
    }

    /// One of the numbers from `from` on before `to`.
    pub(crate) fn within(&mut self, from: usize, to: usize) -> usize {
        self.drawn += 1;
        let drawn = usize::try_from(self.state.hash_one(self.drawn) >> 1).unwrap_or_default();
        from + drawn % to.saturating_sub(from).max(1)
    }
}

/// `lipsum(n=5, html=True, min=20, max=100)`.
pub(crate) fn lipsum(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let number = |at, name, default: usize| match arguments.get(at, name) {
        Some(value) => value
            .as_usize()
            .ok_or_else(|| raise(format!("lipsum: '{name}' must be a number"))),
        None => Ok(default),
    };
    let (count, least, most) = (
        number(0, "n", 5)?,
        number(2, "min", 20)?,
        number(3, "max", 100)?,
    );
    if least >= most || count.saturating_mul(most) > 1 << 24 {
        return Err(raise("lipsum: there are no such paragraphs"));
    }
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let mut chance = Chance::new();
    let paragraphs = (0..count).map(|_| paragraph(&words, least, most, &mut chance));
    let html = arguments.get(1, "html").is_none_or(|html| html.is_true());
    Ok(match html {
        true => {
            let paragraphs = paragraphs.map(|text| format!("<p>{text}</p>"));
            Value::from_safe_string(paragraphs.collect::<Vec<_>>().join("\n"))
        }
        false => Value::from(paragraphs.collect::<Vec<_>>().join("\n\n")),
    })
}

fn paragraph(words: &[&str], least: usize, most: usize, chance: &mut Chance) -> String {
    let mut text = String::new();
    let (mut last, mut comma, mut stop, mut begins) = ("", 0, 0, true);
    for at in 0..chance.within(least, most) {
        let mut word = last;
        while word == last {
            word = words[chance.within(0, words.len())];
        }
        last = word;
        if at > 0 {
            text.push(' ');
        }
        let capital = word.chars().next().filter(|_| begins);
        text.extend(capital.map(|c| c.to_ascii_uppercase()));
        text.push_str(&word[usize::from(begins)..]);
        begins = false;
        if at > comma + chance.within(3, 8) {
            comma = at;
            stop += 2;
            text.push(',');
        }
        if at > stop + chance.within(10, 20) {
            (comma, stop, begins) = (at, at, true);
            text.push('.');
        }
    }
    let ended = text.trim_end_matches([',', '.']).len();
    text.truncate(ended);
    text.push('.');
    text
}
