//! A JSON object written part by part: a project of ten thousand models has sixty megabytes of
//! manifest, which would be a gigabyte as one value.

use std::io::{self, Write};
use std::num::NonZero;
use std::thread;

use serde::Serialize;
use serde_json::Value as Json;

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

    /// Writes an object under `key`, what `of` makes of each entry by its id. Entries are rendered
    /// on every core, and written in their order.
    pub(super) fn entries<'t, T: Sync + 't>(
        &mut self,
        key: &str,
        entries: impl IntoIterator<Item = (&'t String, &'t T)>,
        of: impl Fn(&T) -> Json + Sync,
    ) -> io::Result<()> {
        self.key(key)?;
        self.out.write_all(b"{")?;
        let entries: Vec<(&String, &T)> = entries.into_iter().collect();
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let mut is_first = true;
        for turn in entries.chunks(threads * PORTION) {
            for portion in rendered(turn, &of)? {
                if !std::mem::replace(&mut is_first, false) {
                    self.out.write_all(b",")?;
                }
                self.out.write_all(&portion)?;
            }
        }
        self.out.write_all(b"}")
    }

    /// Ends the object.
    pub(super) fn end(self) -> io::Result<()> {
        self.out.write_all(b"}")
    }
}

/// The entries as text, `"id":{…}` with commas between, a portion each thread.
fn rendered<T: Sync>(
    entries: &[(&String, &T)],
    of: &(impl Fn(&T) -> Json + Sync),
) -> io::Result<Vec<Vec<u8>>> {
    let portion = |entries: &[(&String, &T)]| -> io::Result<Vec<u8>> {
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
    };
    if entries.len() <= PORTION {
        return Ok(vec![portion(entries)?]);
    }
    thread::scope(|scope| {
        let workers: Vec<_> = entries
            .chunks(PORTION)
            .map(|entries| scope.spawn(|| portion(entries)))
            .collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value as Json, json};

    use super::{Document, PORTION};

    #[test]
    fn parts_make_one_object_in_order() {
        let many: BTreeMap<String, usize> = (0..PORTION * 9 + 5)
            .map(|n| (format!("\"{n:06}"), n))
            .collect();
        let few = BTreeMap::from([("a".to_owned(), 1)]);
        let none = BTreeMap::<String, usize>::new();
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
