//! `str.encode`.

use minijinja::Error;

use crate::arguments::Arguments;
use crate::error::raise;

/// `encode(encoding='utf-8', errors='strict')`.
pub(super) fn encoded(text: &str, arguments: &Arguments<'_>) -> Result<Vec<u8>, Error> {
    let name = arguments
        .text(0, "encoding")
        .unwrap_or_else(|_| "utf-8".into());
    let most = match name.to_ascii_lowercase().replace('_', "-").as_str() {
        "utf-8" | "utf8" => return Ok(text.as_bytes().to_vec()),
        "ascii" | "us-ascii" => 0x7f,
        "latin-1" | "latin1" | "iso-8859-1" => 0xff,
        _ => return Err(raise(format!("unknown encoding: {name}"))),
    };
    let errors = arguments
        .text(1, "errors")
        .unwrap_or_else(|_| "strict".into());
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match (u8::try_from(u32::from(c)), errors.as_str()) {
            (Ok(byte), _) if byte <= most => bytes.push(byte),
            (_, "ignore") => {}
            (_, "replace") => bytes.push(b'?'),
            _ => {
                let message = format!("'{name}' codec can't encode character '{c}'");
                return Err(raise(message));
            }
        }
    }
    Ok(bytes)
}
