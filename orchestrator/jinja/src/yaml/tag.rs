//! Tags: `!!str`.

use std::borrow::Cow;

use granit_parser::{Marker, Tag};

use super::Error;

/// The name of a tag of YAML's own, when it is one of `kinds`. `!` alone says nothing.
pub(super) fn known(
    tag: Option<Cow<'_, Tag>>,
    kinds: &[&str],
    at: Marker,
) -> Result<Option<String>, Error> {
    let Some(tag) = tag else { return Ok(None) };
    let (handle, suffix) = (tag.handle(), tag.suffix());
    let written = format!("{handle}{suffix}");
    if written == "!" {
        return Ok(None);
    }
    if handle == "tag:yaml.org,2002:" && kinds.contains(&suffix) {
        return Ok(Some(suffix.to_owned()));
    }
    Err(Error::at(
        at,
        format!("the tag `{written}` means nothing here"),
    ))
}
