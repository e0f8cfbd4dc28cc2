//! Records as lines of JSON: `{"topic":…,"partition":…,"key":…,"value":{…}}`.
//!
//! A damaged record has `"raw"`, its bytes as a JSON string, in place of `"value"`.

use std::io::Write;

use crate::event::TOPICS;
use crate::fault::{Record, Sending};

/// Writes one line.
pub(crate) fn write(
    out: &mut dyn Write,
    record: &Record,
    partition: usize,
    key: &[u8],
    value: &[u8],
) -> std::io::Result<()> {
    out.write_all(b"{\"topic\":\"")?;
    out.write_all(TOPICS[record.event.topic() as usize].as_bytes())?;
    write!(out, "\",\"partition\":{partition},\"key\":\"")?;
    out.write_all(key)?;
    if matches!(record.sending, Sending::Malformed(_)) {
        out.write_all(b"\",\"raw\":")?;
        serde_json::to_writer(&mut *out, &String::from_utf8_lossy(value))?;
        return out.write_all(b"}\n");
    }
    out.write_all(b"\",\"value\":")?;
    out.write_all(value)?;
    out.write_all(b"}\n")
}
