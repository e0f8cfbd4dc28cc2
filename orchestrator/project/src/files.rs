//! Reading a project's files: the only place of this crate that touches the disk.

use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::error::Error;

/// One file of a project.
#[derive(Debug, Clone)]
pub(crate) struct SourceFile {
    /// Path below the folder it was searched in.
    pub(crate) path: PathBuf,
    /// Path below the project's root.
    pub(crate) original: PathBuf,
    /// Where it is.
    pub(crate) full: PathBuf,
}

impl SourceFile {
    /// The file's text.
    pub(crate) fn read(&self) -> Result<String, Error> {
        read(&self.full)
    }

    /// Its text as dbt reads property files, without blanks at the end: a YAML block there has no last newline.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn read_stripped(&self) -> Result<String, Error> {
        let mut text = self.read()?;
        text.truncate(text.trim_end().len());
        Ok(text)
    }

    /// File name without extension.
    pub(crate) fn stem(&self) -> String {
        self.path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    /// Folders below the searched folder.
    pub(crate) fn folders(&self) -> Vec<String> {
        let parent = self.path.parent().unwrap_or(Path::new(""));
        parent
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect()
    }
}

/// The text of `path`.
pub(crate) fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })
}

/// The files with one of `extensions` below `root`'s folders `searched`, sorted by path. Folders
/// that do not exist are no error; hidden and editor files are left out, as dbt does.
pub(crate) fn find(
    root: &Path,
    searched: &[String],
    extensions: &[&str],
) -> Result<Vec<SourceFile>, Error> {
    let mut found = Vec::new();
    for folder in searched {
        let base = root.join(folder);
        if !base.is_dir() {
            continue;
        }
        for entry in WalkDir::new(&base).follow_links(true).sort_by_file_name() {
            let entry = entry.map_err(|error| Error::Io {
                path: error.path().unwrap_or(&base).to_owned(),
                source: error.into(),
            })?;
            let name = entry.file_name().to_string_lossy();
            let wanted = entry.path().extension().is_some_and(|extension| {
                extensions
                    .iter()
                    .any(|wanted| extension.eq_ignore_ascii_case(wanted))
            });
            if !entry.file_type().is_file() || !wanted || name.starts_with(['.', '#', '~']) {
                continue;
            }
            let path = entry
                .path()
                .strip_prefix(&base)
                .unwrap_or(entry.path())
                .to_owned();
            let original = if folder == "." {
                path.clone()
            } else {
                Path::new(folder).join(&path)
            };
            found.push(SourceFile {
                path,
                original,
                full: entry.path().to_owned(),
            });
        }
    }
    Ok(found)
}

/// The folders directly in `path`, sorted; none when it does not exist.
pub(crate) fn folders(path: &Path) -> Result<Vec<PathBuf>, Error> {
    if !path.is_dir() {
        return Ok(Vec::new());
    }
    let wrong = |source| Error::Io {
        path: path.to_owned(),
        source,
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(wrong)? {
        let entry = entry.map_err(wrong)?.path();
        if entry.is_dir() {
            found.push(entry);
        }
    }
    found.sort();
    Ok(found)
}
