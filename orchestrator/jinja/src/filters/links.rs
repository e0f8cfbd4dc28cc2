//! `urlize`: addresses in a text as links.

use std::sync::LazyLock;

use minijinja::Error;
use minijinja::value::Value;
use regex::Regex;

use super::markup::escaped;
use crate::arguments::Arguments;
use crate::error::raise;
use crate::format;

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}

static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?ix)^(?:
            (?:https?://|www\.) (?:(?:[\w%-]+\.)+)? (?:[a-z]{2,63}|xn--[\w%]{2,59})
          | (?:[\w%-]{2,63}\.)+ (?:com|net|int|edu|gov|org|info|mil)
          | https?:// (?:\d{1,3}(?:\.\d{1,3}){3} | \[(?:[\da-f]{0,4}:){2}(?:[\da-f]{0,4}:?){1,6}\])
        ) (?::\d{1,5})? (?:[/?\#]\S*)? $",
    )
});

static MAIL: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\S+@\w[\w.-]*\.\w+$"));
static SCHEME: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[\w.+-]{2,}:/{0,2}$"));
static HEAD: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(?:[(<]|&lt;)+"));
static TAIL: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?:[)>.,\n]|&gt;)+$"));
static BLANKS: LazyLock<Regex> = LazyLock::new(|| pattern(r"\s+"));

/// What a link says besides its address.
struct Links {
    limit: Option<usize>,
    attributes: String,
    schemes: Vec<String>,
}

/// `urlize(trim_url_limit=None, nofollow=False, target=None, rel=None, extra_schemes=None)`.
pub(super) fn urlized(value: &Value, arguments: &Arguments<'_>) -> Result<Value, Error> {
    let given = |at, name| arguments.get(at, name).filter(|v| !v.is_none());
    let mut rel = given(3, "rel").map_or_else(String::new, |rel| format::text(&rel).into_owned());
    rel.push_str(if arguments.flag(1, "nofollow") {
        " nofollow"
    } else {
        ""
    });
    rel.push_str(" noopener");
    let mut rel: Vec<&str> = rel.split_whitespace().collect();
    rel.sort_unstable();
    rel.dedup();
    let mut attributes = format!(" rel=\"{}\"", escaped(&rel.join(" ")));
    if let Some(target) = given(2, "target") {
        attributes += &format!(" target=\"{}\"", escaped(&format::text(&target)));
    }
    let schemes = match given(4, "extra_schemes") {
        Some(schemes) => schemes
            .try_iter()?
            .map(|scheme| format::text(&scheme).into_owned())
            .collect(),
        None => Vec::new(),
    };
    if let Some(odd) = schemes.iter().find(|scheme| !SCHEME.is_match(scheme)) {
        return Err(raise(format!("'{odd}' is not a valid URI scheme prefix.")));
    }
    let links = Links {
        limit: given(0, "trim_url_limit").and_then(|limit| limit.as_usize()),
        attributes,
        schemes,
    };
    let text = match value.is_safe() {
        true => format::text(value).into_owned(),
        false => escaped(&format::text(value)),
    };
    let (mut out, mut done) = (String::with_capacity(text.len()), 0);
    for blanks in BLANKS.find_iter(&text) {
        links.word(&text[done..blanks.start()], &mut out);
        out.push_str(blanks.as_str());
        done = blanks.end();
    }
    links.word(&text[done..], &mut out);
    Ok(Value::from(out))
}

impl Links {
    fn word(&self, word: &str, out: &mut String) {
        let head = HEAD.find(word).map_or(0, |found| found.end());
        let tail = TAIL.find(&word[head..]);
        let mut end = tail.map_or(word.len(), |found| head + found.start());
        // brackets that open within close within
        for (open, close) in [("(", ")"), ("<", ">"), ("&lt;", "&gt;")] {
            let middle = &word[head..end];
            let opened = middle.matches(open).count();
            if opened <= middle.matches(close).count() {
                continue;
            }
            for _ in 0..opened.min(word[end..].matches(close).count()) {
                let at = word[end..].find(close).unwrap_or(0);
                end += at + close.len();
            }
        }
        let middle = &word[head..end];
        out.push_str(&word[..head]);
        out.push_str(&self.link(middle).unwrap_or_else(|| middle.to_owned()));
        out.push_str(&word[end..]);
    }

    fn link(&self, word: &str) -> Option<String> {
        let attributes = &self.attributes;
        if ADDRESS.is_match(word) {
            let known = word.starts_with("https://") || word.starts_with("http://");
            let scheme = if known { "" } else { "https://" };
            let shown = match self.limit.filter(|limit| word.chars().count() > *limit) {
                Some(limit) => word.chars().take(limit).chain("...".chars()).collect(),
                None => word.to_owned(),
            };
            return Some(format!(
                "<a href=\"{scheme}{word}\"{attributes}>{shown}</a>"
            ));
        }
        if let Some(mail) = word
            .strip_prefix("mailto:")
            .filter(|mail| MAIL.is_match(mail))
        {
            return Some(format!("<a href=\"{word}\">{mail}</a>"));
        }
        let other = word.starts_with("www.") || word.starts_with('@') || word.contains(':');
        if !other && MAIL.is_match(word) {
            return Some(format!("<a href=\"mailto:{word}\">{word}</a>"));
        }
        let mut schemes = self.schemes.iter();
        schemes
            .any(|scheme| word != scheme && word.starts_with(scheme.as_str()))
            .then(|| format!("<a href=\"{word}\"{attributes}>{word}</a>"))
    }
}
