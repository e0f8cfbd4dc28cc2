//! Projects on disk and a database that answers from a list.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use chrono::DateTime;
use project::adapter::{Adapter, AdapterError, Column, Table};
use project::relation::{RelationKind, RelationName};
use project::{Error, LoadOptions, Project, load};

/// A database with the given relations; every query gives one row, `1` and `x`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fake {
    pub(crate) relations: BTreeMap<String, RelationKind>,
    pub(crate) refuses: Option<AdapterError>,
}

impl Adapter for Fake {
    fn relation(&self, name: &RelationName) -> Result<Option<RelationKind>, AdapterError> {
        Ok(self.relations.get(&name.display()).copied())
    }

    fn columns(&self, _: &RelationName) -> Result<Vec<Column>, AdapterError> {
        let column = |name: &str, data_type: &str| Column {
            name: name.to_owned(),
            data_type: data_type.to_owned(),
        };
        Ok(vec![
            column("id", "integer"),
            column("name", "character varying(20)"),
        ])
    }

    fn query(&self, _: &str) -> Result<Table, AdapterError> {
        match &self.refuses {
            Some(refusal) => Err(refusal.clone()),
            None => Ok(Table {
                columns: vec!["a".into(), "b".into()],
                types: vec!["INT4".into(), "TEXT".into()],
                rows: vec![vec![1.into(), "x".into()]],
            }),
        }
    }
}

/// The folder of a fixture project.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// Options for the project in `dir`; its profile is in the same folder.
pub(crate) fn options(dir: &Path) -> LoadOptions {
    LoadOptions {
        project_dir: dir.to_owned(),
        started_at: DateTime::UNIX_EPOCH,
        invocation_id: "00000000-0000-0000-0000-000000000000".into(),
        which: "build".into(),
        ..LoadOptions::default()
    }
}

/// A project in a folder of its own, made of the given files. A `dbt_project.yml` and a
/// `profiles.yml` are added unless given.
pub(crate) struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let made = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        made.write("dbt_project.yml", "name: p\nversion: '1.0'\nprofile: p\n");
        made.write(
            "profiles.yml",
            "p:\n  target: dev\n  outputs:\n    dev: {type: postgres, host: h, user: u, \
             password: secret, dbname: db, schema: s, threads: 3}\n",
        );
        for (path, text) in files {
            made.write(path, text);
        }
        made
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn options(&self) -> LoadOptions {
        options(self.dir.path())
    }

    pub(crate) fn load(&self) -> Result<Project, Error> {
        load(&self.options())
    }

    /// `text` without the folder's own path.
    pub(crate) fn told(&self, error: &Error) -> String {
        let mut text = error.to_string();
        if let Some(hint) = error.hint() {
            text.push_str(&format!("\nhint: {hint}"));
        }
        text.replace(&self.dir.path().display().to_string(), "DIR")
    }
}

/// The compiled SQL of one node of a project made of `files`.
pub(crate) fn compiled(files: &[(&str, &str)], id: &str, database: &Fake) -> String {
    let files = Files::new(files);
    match files
        .load()
        .and_then(|project| project.compile(id, database))
    {
        Ok(compiled) => compiled.sql,
        Err(error) => format!("ERROR {}", files.told(&error)),
    }
}
