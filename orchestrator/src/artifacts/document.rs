//! A JSON object written part by part: a project of ten thousand models has sixty megabytes of
//! manifest, which would be a gigabyte as one value.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

use indexmap::IndexMap;
use serde::Serialize;

/// Entries a thread renders at a time.
const PORTION: usize = 256;

/// An object that is being written.
pub(super) struct Document<'w> {
    out: &'w mut dyn Write,
    is_empty: bool,
}

impl<'w> Document<'w> {
    /// Begins the object.
    ///
    /// # Errors
    /// `out` takes no more; so for every method.
    pub(super) fn begin(out: &'w mut dyn Write) -> io::Result<Self> {
        out.write_all(b"{")?;
        Ok(Self {
            out,
            is_empty: true,
        })
    }

    fn key(&mut self, key: &str) -> io::Result<()> {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.out.write_all(b",")?;
        }
        serde_json::to_writer(&mut self.out, key)?;
        self.out.write_all(b":")
    }

    /// Writes `value` under `key`.
    pub(super) fn value(&mut self, key: &str, value: &impl Serialize) -> io::Result<()> {
        self.key(key)?;
        Ok(serde_json::to_writer(&mut self.out, value)?)
    }

    /// Writes `json` under `key`.
    pub(super) fn rendered(&mut self, key: &str, json: &[u8]) -> io::Result<()> {
        self.key(key)?;
        self.out.write_all(json)
    }

    /// Writes an object under `key`, what `of` makes of each entry by its id. Entries are rendered
    /// on every core, and written in their order.
    pub(super) fn entries<'t, T: Sync + 't, S: Serialize>(
        &mut self,
        key: &str,
        entries: &'t IndexMap<String, T>,
        of: impl Fn(&'t T) -> S + Sync,
    ) -> io::Result<()> {
        self.key(key)?;
        self.out.write_all(b"{")?;
        let entries: Vec<(&String, &T)> = entries.iter().collect();
        let mut portions = entries.chunks(PORTION).enumerate();
        let out = &mut *self.out;
        let mut write = |index: usize, text: &[u8]| -> io::Result<()> {
            if index > 0 {
                out.write_all(b",")?;
            }
            out.write_all(text)
        };
        if entries.len() <= PORTION {
            for (index, entries) in portions {
                write(index, &rendered(entries, &of)?)?;
            }
        } else {
            // as many are rendered as there are cores, while the oldest is waited for and written
            let ahead = thread::available_parallelism().map_or(1, NonZero::get);
            thread::scope(|scope| -> io::Result<()> {
                let mut begun = VecDeque::new();
                loop {
                    for (index, entries) in portions.by_ref().take(ahead + 1 - begun.len()) {
                        begun.push_back((index, scope.spawn(|| rendered(entries, &of))));
                    }
                    let Some((index, oldest)) = begun.pop_front() else {
                        return Ok(());
                    };
                    let text = oldest.join().unwrap_or_else(|panic| resume_unwind(panic))?;
                    write(index, &text)?;
                }
            })?;
        }
        self.out.write_all(b"}")
    }

    /// Ends the object.
    pub(super) fn end(self) -> io::Result<()> {
        self.out.write_all(b"}")
    }
}

/// Entries as text, `"id":{…}` with commas between.
fn rendered<'t, T, S: Serialize>(
    entries: &[(&'t String, &'t T)],
    of: &impl Fn(&'t T) -> S,
) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for (at, (id, entry)) in entries.iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        serde_json::to_writer(&mut text, id)?;
        text.push(b':');
        serde_json::to_writer(&mut text, &of(entry))?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;
    use serde_json::{Value as Json, json};

    use super::{Document, PORTION};

    #[test]
    fn parts_make_one_object_in_order() {
        let many: IndexMap<String, usize> = (0..PORTION * 9 + 5)
            .map(|n| (format!("\"{n:06}"), n))
            .collect();
        let few = IndexMap::from([("a".to_owned(), 1)]);
        let none = IndexMap::<String, usize>::new();
        let mut text = Vec::new();
        let mut document = Document::begin(&mut text).unwrap();
        let of = |n: &usize| json!({ "n": n });
        document.value("head", &json!([1])).unwrap();
        for (key, entries) in [("many", &many), ("few", &few), ("none", &none)] {
            document.entries(key, entries, of).unwrap();
        }
        document.end().unwrap();
        let read: Json = serde_json::from_slice(&text).unwrap();
        let entry = |(id, n): (&String, &usize)| (id.clone(), of(n));
        let expected = json!({
            "head": [1],
            "many": many.iter().map(entry).collect::<serde_json::Map<_, _>>(),
            "few": {"a": {"n": 1}},
            "none": {},
        });
        assert_eq!(read.to_string(), expected.to_string());
    }
}
