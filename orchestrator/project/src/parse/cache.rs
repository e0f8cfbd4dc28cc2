//! What was read of a file, kept from one invocation to the next by a hash of all it was read from.
//!
//! Two things are kept: the references of a template, which take a rendering, and the values of a
//! YAML file. A key covers the text, the binary that read it, and for a template everything else it
//! may look at: every macro, the variables, the target. Nothing has to be told apart or thrown away:
//! what changed has another key, and keys that nobody asked for are not kept. A template that looks
//! at what no key covers (the clock, the environment, flags) is rendered each time.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use jinja::Macros;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::context::lock;

/// Names whose values change from one invocation to the next without a key that says so, and those that say something
/// to the person.
pub(crate) const VOLATILE: [&str; 8] = [
    "env_var",
    "exceptions",
    "flags",
    "invocation_args_dict",
    "invocation_id",
    "modules",
    "run_started_at",
    "thread_id",
];

/// Results by key; a key is 32 hexadecimal digits.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    is_on: bool,
    text: String,
    known: HashMap<u128, Known>,
    fresh: Mutex<Vec<String>>,
    /// What reads YAML.
    binary: [u8; 32],
    /// What templates look at.
    context: [u8; 32],
}

/// Where a result stands in the text.
#[derive(Debug)]
struct Known {
    value: Range<usize>,
    line: Range<usize>,
    is_used: AtomicBool,
}

/// A digest of texts, none of which runs into the next.
fn digest(seed: &[u8], parts: &[impl AsRef<str>]) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(seed);
    for part in parts.iter().map(AsRef::as_ref) {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// All that the templates of a project look at while they are parsed, the volatile aside:
/// `variables` and every macro, in whatever order.
pub(crate) fn seen(variables: &str, macros: &Macros) -> Vec<String> {
    let mut seen: Vec<String> = macros
        .iter()
        .map(|one| {
            format!(
                "{} {} {} {}",
                one.unique_id,
                one.path,
                one.block.line,
                one.template()
            )
        })
        .collect();
    seen.sort_unstable();
    seen.push(variables.to_owned());
    seen
}

impl Cache {
    /// The results in `text`, as [`Cache::text`] gave it; none of a damaged text. `binary` tells
    /// builds of this program apart, `context` is all that templates look at.
    pub(crate) fn new(text: String, binary: &str, context: &[String]) -> Self {
        let mut known = HashMap::new();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let whole = start..start + line.len();
            start = whole.end;
            // a line that does not end was not written to its end
            if let Some((key, value)) = line.strip_suffix('\n').and_then(|l| l.split_once(' '))
                && let Ok(key) = u128::from_str_radix(key, 16)
            {
                let begin = whole.end - '\n'.len_utf8() - value.len();
                let entry = Known {
                    value: begin..begin + value.len(),
                    line: whole,
                    is_used: AtomicBool::new(false),
                };
                known.insert(key, entry);
            }
        }
        let binary = digest(&[], &[binary]);
        Self {
            is_on: true,
            text,
            known,
            fresh: Mutex::default(),
            context: digest(&binary, context),
            binary,
        }
    }

    /// The values of a YAML text, or what `read` makes of it.
    pub(crate) fn yaml<T, E>(&self, text: &str, read: impl FnOnce() -> Result<T, E>) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
    {
        self.get(&self.binary, &[text], || read().map(|value| (value, true)))
    }

    /// What `read` makes of a template and all that `parts` say of its node. `read` tells whether
    /// the same parts will always give the same.
    pub(crate) fn template<T, E>(
        &self,
        parts: &[&str],
        read: impl FnOnce() -> Result<(T, bool), E>,
    ) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
    {
        self.get(&self.context, parts, read)
    }

    fn get<T, E>(
        &self,
        seed: &[u8],
        parts: &[&str],
        read: impl FnOnce() -> Result<(T, bool), E>,
    ) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
    {
        if !self.is_on {
            return read().map(|(value, _)| value);
        }
        let key = digest(seed, parts);
        let key = key[..16]
            .iter()
            .fold(0, |key, byte| key << 8 | u128::from(*byte));
        if let Some(known) = self.known.get(&key)
            && let Ok(value) = serde_json::from_str(&self.text[known.value.clone()])
        {
            known.is_used.store(true, Ordering::Relaxed);
            return Ok(value);
        }
        let (value, is_kept) = read()?;
        if is_kept && let Ok(text) = serde_json::to_string(&value) {
            let mut line = String::with_capacity(text.len() + 34);
            // writing to a String cannot fail
            let _ = writeln!(line, "{key:032x} {text}");
            lock(&self.fresh).push(line);
        }
        Ok(value)
    }

    /// What to keep for the next invocation; `None` when that is what this one was given.
    pub(crate) fn text(&self) -> Option<String> {
        let mut fresh = std::mem::take(&mut *lock(&self.fresh));
        let is_used = |known: &&Known| known.is_used.load(Ordering::Relaxed);
        if !self.is_on || (fresh.is_empty() && self.known.values().all(|known| is_used(&known))) {
            return None;
        }
        let used = self.known.values().filter(is_used);
        let mut lines: Vec<&str> = used.map(|known| &self.text[known.line.clone()]).collect();
        // threads come in any order
        fresh.sort_unstable();
        fresh.dedup();
        lines.extend(fresh.iter().map(String::as_str));
        lines.sort_unstable();
        Some(lines.concat())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::Cache;

    fn cache(text: &str, binary: &str, context: &str) -> Cache {
        Cache::new(text.to_owned(), binary, &[context.to_owned()])
    }

    /// What is found for two templates and a YAML text, and whether each had to be read.
    fn asked(cache: &Cache) -> Vec<(String, bool)> {
        let ask = |what: &str| {
            let mut was_read = false;
            let mut read = || {
                was_read = true;
                what.to_uppercase()
            };
            let found: Result<String, Infallible> = match what {
                "yaml" => cache.yaml(what, || Ok(read())),
                _ => cache.template(&["id", what], || Ok((read(), what != "clock"))),
            };
            (found.unwrap(), was_read)
        };
        ["plain", "clock", "yaml"].map(ask).to_vec()
    }

    fn reads(cache: &Cache) -> [bool; 3] {
        let found = asked(cache);
        let texts: Vec<&str> = found.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts, ["PLAIN", "CLOCK", "YAML"]);
        [found[0].1, found[1].1, found[2].1]
    }

    #[test]
    fn what_did_not_change_is_not_read_again() {
        let first = cache("", "b", "c");
        assert_eq!(reads(&first), [true, true, true]);
        let kept = first.text().unwrap();
        let again = cache(&kept, "b", "c");
        assert_eq!(reads(&again), [false, true, false]);
        assert_eq!(again.text(), None);
        assert_eq!(reads(&cache(&kept, "b", "other")), [true, true, false]);
        assert_eq!(reads(&cache(&kept, "other", "c")), [true, true, true]);
    }

    #[test]
    fn what_nobody_asks_for_goes() {
        let first = cache("", "b", "c");
        asked(&first);
        let kept = first.text().unwrap();
        let changed = cache(&kept, "b", "other");
        asked(&changed);
        let text = changed.text().unwrap();
        assert_eq!(text.lines().count(), kept.lines().count());
        assert_eq!(reads(&cache(&text, "b", "c")), [true, true, false]);
    }

    #[test]
    fn damage_is_a_miss() {
        let first = cache("", "b", "c");
        asked(&first);
        let kept = first.text().unwrap();
        for damaged in [
            kept.replace('"', ""),
            kept[..kept.len() / 2].to_owned(),
            kept.replace('\n', ""),
            "\u{0}\n \nzz yy\n".to_owned(),
        ] {
            let cache = cache(&damaged, "b", "c");
            reads(&cache);
            assert_eq!(cache.text().unwrap(), kept, "{damaged}");
        }
    }
}
