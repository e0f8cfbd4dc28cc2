//! The one place that writes to standard output. A reader that hangs up (`ridehail ls | head`) is no error.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::secrets::Secrets;

/// Colours of status words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Went well.
    Green,
    /// Look at it some time.
    Yellow,
    /// Look at it now.
    Red,
    /// Beside the point.
    Dim,
}

/// Standard output. Clones share it.
#[derive(Debug, Clone)]
pub struct Printer {
    colors: bool,
    hung_up: Arc<AtomicBool>,
    /// Why nothing more can be written, when it is not that the reader has gone.
    broken: Arc<OnceLock<io::Error>>,
    /// What tests read instead of a terminal.
    captured: Option<Arc<Mutex<Vec<u8>>>>,
    /// A log file instead of standard output.
    file: Option<Arc<Mutex<File>>>,
    /// What nobody is to read.
    secrets: Secrets,
}

impl Printer {
    /// Colours only for a person: not when piped, not with `NO_COLOR`, not when `plain`.
    #[must_use]
    pub fn new(plain: bool, no_color: bool) -> Self {
        let colors = !plain && !no_color && io::stdout().is_terminal();
        Self {
            colors,
            hung_up: Arc::default(),
            broken: Arc::default(),
            captured: None,
            file: None,
            secrets: Secrets::here(),
        }
    }

    /// Appends to the file at `path`; when that has grown beyond ten megabytes, it is put aside first.
    ///
    /// # Errors
    /// The folder cannot be made or written to.
    pub fn file(path: &Path) -> io::Result<Self> {
        const FULL: u64 = 10 << 20;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        if std::fs::metadata(path).is_ok_and(|facts| facts.len() > FULL) {
            std::fs::rename(path, path.with_extension("log.1"))?;
        }
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self {
            file: Some(Arc::new(Mutex::new(file))),
            ..Self::new(true, true)
        })
    }

    /// Keeps what is printed, for tests.
    #[must_use]
    pub fn capturing() -> Self {
        Self {
            colors: false,
            hung_up: Arc::default(),
            broken: Arc::default(),
            captured: Some(Arc::default()),
            file: None,
            secrets: Secrets::default(),
        }
    }

    /// Hides these, whatever the environment holds.
    #[must_use]
    pub fn hiding(self, secrets: Secrets) -> Self {
        Self { secrets, ..self }
    }

    /// What was printed so far, when capturing.
    #[must_use]
    pub fn captured(&self) -> String {
        let bytes = self
            .captured
            .as_ref()
            .map(|bytes| bytes.lock().unwrap_or_else(PoisonError::into_inner).clone());
        String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
    }

    /// Writes one line.
    pub fn line(&self, text: &str) {
        self.write(&format!("{text}\n"));
    }

    /// Writes a value as JSON, for scripts.
    pub fn json(&self, value: &impl serde::Serialize) {
        self.line(&serde_json::to_string(value).unwrap_or_default());
    }

    /// Whether the reader of standard output has gone, so that nothing written arrives any more.
    #[must_use]
    pub fn is_hung_up(&self) -> bool {
        self.hung_up.load(Ordering::Relaxed)
    }

    /// Writes `text` as it is, but for secrets.
    pub fn write(&self, text: &str) {
        let text = &*self.secrets.hide(text);
        if let Some(captured) = &self.captured {
            let mut bytes = captured.lock().unwrap_or_else(PoisonError::into_inner);
            bytes.extend_from_slice(text.as_bytes());
            return;
        }
        if let Some(file) = &self.file {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            // a full disk must not stop a run
            let _ = file.write_all(text.as_bytes());
            return;
        }
        if self.hung_up.load(Ordering::Relaxed) {
            return;
        }
        let mut out = io::stdout().lock();
        if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            self.hung_up.store(true, Ordering::Relaxed);
            if error.kind() != io::ErrorKind::BrokenPipe {
                let _ = self.broken.set(error);
            }
        }
    }

    /// What kept standard output from being written, such as a full disk: the verb has failed then, whatever it did. That
    /// the reader has gone is none.
    #[must_use]
    pub fn broken(&self) -> Option<&io::Error> {
        self.broken.get()
    }

    /// Standard output for what streams: `generate --sink ndjson`, tables of other rooms. It does fail when the
    /// reader hangs up, so that whoever writes stops; [`super::fail`] takes that for a good end.
    #[must_use]
    pub fn writer(&self) -> impl Write + use<> {
        io::stdout()
    }

    /// `text` in `color`, when colours are on.
    #[must_use]
    pub fn paint(&self, color: Color, text: &str) -> String {
        let code = match color {
            Color::Green => "32",
            Color::Yellow => "33",
            Color::Red => "31",
            Color::Dim => "2",
        };
        if self.colors {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_printed() {
        let secrets = Secrets::among([("DBT_ENV_SECRET_S", "hush")]);
        let printer = Printer::capturing().hiding(secrets);
        printer.line("1 of 1 START sql view model hush.v");
        printer.json(&serde_json::json!({ "schema": "hush" }));
        assert_eq!(
            printer.captured(),
            "1 of 1 START sql view model *****.v\n{\"schema\":\"*****\"}\n"
        );
    }
}
