//! Macro files and docs blocks.

use std::path::Path;

use indexmap::IndexMap;
use jinja::blocks::{BlockKind, blocks};
use jinja::calls::{Call, calls};
use jinja::macros::INTERNAL_PACKAGE;
use jinja::{Macro, Macros};
use regex::Regex;
use serde_json::{Map, Value as Json};

use crate::context::{Shared, dispatch};
use crate::error::{Error, Location};
use crate::files;
use crate::manifest::{DocBlock, MacroArgument, MacroProperties, UniqueId};
use crate::parse::properties::Patches;
use crate::project_file::ProjectFile;
use crate::warnings::{MACRO_NOT_FOUND_FOR_PATCH, Warning};
use crate::yaml::Entry;

/// Adds the macros that `text` defines.
pub(crate) fn add(
    macros: &mut Macros,
    package: &str,
    path: &Path,
    text: &str,
) -> Result<(), Error> {
    let shown = path.to_string_lossy();
    let found = blocks(text, &shown).map_err(|error| Error::Template {
        subject: "macro file".into(),
        location: Box::new(Location::line(path, error.line.unwrap_or(0))),
        message: error.message,
        stack: Vec::new(),
        hint: None,
    })?;
    for block in found {
        let line = block.line;
        let Some(found) = Macro::new(block, package, &shown) else {
            continue;
        };
        let name = found.name.clone();
        if let Some(first) = macros.add(found) {
            return Err(Error::Duplicate {
                what: format!("macro '{name}' of package '{package}'"),
                first: Location::line(&*first.path, first.block.line),
                second: Location::line(path, line),
            });
        }
    }
    Ok(())
}

/// Adds every macro of a package: `macro-paths`, and `generic` below `test-paths`.
pub(crate) fn read(macros: &mut Macros, file: &ProjectFile) -> Result<(), Error> {
    let mut searched = file.macro_paths.clone();
    searched.extend(file.test_paths.iter().map(|path| format!("{path}/generic")));
    for found in files::find(&file.root, &searched, &["sql"])? {
        add(macros, &file.name, &found.original, &found.read()?)?;
    }
    Ok(())
}

/// The docs blocks of a package's Markdown files.
pub(crate) fn docs(file: &ProjectFile) -> Result<Vec<DocBlock>, Error> {
    let block = Regex::new(r"(?s)\{%-?\s*docs\s+(\w+)\s*-?%\}(.*?)\{%-?\s*enddocs\s*-?%\}")
        .expect("a constant pattern");
    let opening = Regex::new(r"\{%-?\s*docs\s+\w+\s*-?%\}").expect("a constant pattern");
    let mut found = Vec::new();
    for page in files::find(&file.root, &file.docs_paths, &["md"])? {
        let text = page.read()?;
        // what opens and is not within a whole block never closes
        let whole: Vec<_> = block.find_iter(&text).map(|found| found.range()).collect();
        let lost = opening
            .find_iter(&text)
            .find(|found| !whole.iter().any(|range| range.contains(&found.start())));
        if let Some(lost) = lost {
            let line = text[..lost.start()].matches('\n').count() + 1;
            return Err(Error::Config {
                location: Some(Location::line(&page.original, line)),
                message: "this docs block has no {% enddocs %}".to_owned(),
                hint: None,
            });
        }
        for part in block.captures_iter(&text) {
            let name = part[1].to_owned();
            found.push(DocBlock {
                unique_id: format!("doc.{}.{name}", file.name),
                name,
                package_name: file.name.clone(),
                original_file_path: page.original.clone(),
                block_contents: part[2].trim().to_owned(),
            });
        }
    }
    Ok(found)
}

/// The manifest's entry of a macro.
pub(crate) fn entry(found: &Macro) -> crate::manifest::Macro {
    debug_assert!(!matches!(
        found.block.kind,
        BlockKind::Docs | BlockKind::Snapshot
    ));
    crate::manifest::Macro {
        unique_id: found.unique_id.clone(),
        name: found.name.clone(),
        package_name: found.package.clone(),
        original_file_path: (*found.path).into(),
        macro_sql: {
            let [before, after] = &found.block.margins;
            [before.as_str(), &found.block.text, after].concat()
        },
        properties: MacroProperties::default(),
    }
}

/// What the property files of `package` say of its macros. Returns a warning for each that is not there.
pub(crate) fn describe(
    macros: &mut IndexMap<UniqueId, crate::manifest::Macro>,
    package: &str,
    patches: &Patches,
) -> Result<Vec<Warning>, Error> {
    let mut warnings = Vec::new();
    for file in &patches.files {
        for entry in file.entries("macros")? {
            let name = entry.name()?;
            let Some(found) = macros.get_mut(&format!("macro.{package}.{name}")) else {
                warnings.push(Warning {
                    event: MACRO_NOT_FOUND_FOR_PATCH,
                    text: format!("Found patch for macro \"{name}\" which was not found"),
                });
                continue;
            };
            if let Some(first) = &found.properties.patch_path {
                return Err(Error::Duplicate {
                    what: format!("the patch of macro '{name}'"),
                    first: Location::file(first),
                    second: Location::file(&file.path),
                });
            }
            found.properties = properties(&entry, &file.path)?;
        }
    }
    Ok(warnings)
}

fn properties(entry: &Entry<'_>, path: &Path) -> Result<MacroProperties, Error> {
    let mut config = entry.mapping("config")?;
    let mut inner = |key: &str| match config.remove(key) {
        Some(Json::Object(inner)) => inner,
        _ => Map::new(),
    };
    let mut meta = entry.mapping("meta")?;
    meta.extend(inner("meta"));
    let docs = Some(inner("docs")).filter(|docs| !docs.is_empty());
    let argument = |entry: Entry<'_>| {
        Ok(MacroArgument {
            name: entry.name()?,
            data_type: entry.text("type")?,
            description: entry.text("description")?.unwrap_or_default(),
        })
    };
    Ok(MacroProperties {
        patch_path: Some(path.to_owned()),
        description: entry.text("description")?.unwrap_or_default(),
        meta,
        docs: docs.map_or_else(|| entry.mapping("docs"), Ok)?,
        arguments: entry
            .entries("arguments")?
            .into_iter()
            .map(argument)
            .collect::<Result<_, Error>>()?,
    })
}

/// Refuses macros that dispatch to where there is nothing, called or not
/// (`ManifestLoader.macro_depends_on` of dbt-core's `parser/manifest.py`).
fn check_dispatches(shared: &Shared) -> Result<(), Error> {
    let macros = shared.engine.macros();
    let theirs = macros.iter().filter(|found| {
        !matches!(&*found.package, INTERNAL_PACKAGE | "dbt_postgres")
            && found.block.text.contains("dispatch")
    });
    for found in theirs {
        for call in calls(&found.block.text) {
            let Call::Dispatch(name, namespace) = call else {
                continue;
            };
            let search = dispatch::searched(shared, namespace.as_deref());
            let refused = dispatch::dotted(&name).or_else(|| {
                let is_there = search.iter().any(|package| {
                    let names = dispatch::candidates(&name);
                    names.iter().any(|name| match package {
                        Some(package) => macros.in_package(package, name).is_some(),
                        // a macro of any package will do here
                        None => macros.iter().any(|other| other.name == *name),
                    })
                });
                let namespace = namespace.as_deref().unwrap_or("None");
                (!is_there).then(|| dispatch::lost(&name, namespace, &search))
            });
            if let Some(message) = refused {
                return Err(Error::Template {
                    subject: format!("macro {}", found.name),
                    location: Box::new(Location::line(&*found.path, found.block.line)),
                    message,
                    stack: Vec::new(),
                    hint: None,
                });
            }
        }
    }
    Ok(())
}

/// Parses the root project's macros now, so that their mistakes come up once and early; and looks where those of every
/// package dispatch to.
pub(crate) fn check(shared: &Shared) -> Result<(), Error> {
    let macros = shared.engine.macros();
    let mut own: Vec<_> = macros
        .iter()
        .filter(|m| m.package == shared.project_name)
        .collect();
    own.sort_by_key(|found| (&found.path, found.block.line));
    for found in own {
        shared
            .engine
            .check_macro(&found.unique_id)
            .map_err(|error| Error::Template {
                subject: format!("macro {}", found.name),
                location: Box::new(Location::line(
                    &*found.path,
                    error.line.unwrap_or(found.block.line),
                )),
                message: error.message,
                stack: Vec::new(),
                hint: None,
            })?;
    }
    check_dispatches(shared)
}
