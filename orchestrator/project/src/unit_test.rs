//! Unit tests: a model's SQL with rows in the place of what it reads, and the query that compares.

mod rows;
mod scope;

use std::path::Path;
use std::sync::Arc;

use jinja::functions::hex;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::adapter::{Adapter, Column};
use crate::compile::{Compiled, Rendering, cte_name};
use crate::context::lock;
use crate::error::{Error, Location};
use crate::inject::{Cte, inject};
use crate::load::Project;
use crate::lookup::Found;
use crate::manifest::{Fixture, Format, Node, NodeConfig, RefArgs, ResourceType, UnitTest};
use crate::parse::nodes::compiled_path;

use rows::{columns, fixture_sql, formatted, quote, select, types};
use scope::{Given, Input, UnitScope};

impl Project {
    /// The unit test `id`.
    ///
    /// # Errors
    /// There is none.
    pub fn unit_test(&self, id: &str) -> Result<&UnitTest, Error> {
        let found = self.manifest.unit_tests.get(id);
        found.ok_or_else(|| Error::NoSuchNode {
            unique_id: id.to_owned(),
        })
    }

    /// The tested model's SQL over the rows of unit test `id`. Blocks while `adapter` tells the types of columns.
    ///
    /// # Errors
    /// An input that is not there, a column that it does not have, or anything wrong with the template.
    pub fn compile_unit_test(
        &self,
        id: &str,
        adapter: Arc<dyn Adapter>,
    ) -> Result<Compiled, Error> {
        let test = self.unit_test(id)?;
        let node = self.tested(test)?;
        let given = Arc::new(self.given(test)?);
        let mut rendering = Rendering::with(self, &node, Arc::clone(&adapter), Vec::new());
        rendering.scope = Arc::new(UnitScope {
            inner: Arc::clone(&rendering.scope),
            given: Arc::clone(&given),
            test: Arc::new(test.clone()),
            lookup: Arc::clone(&self.lookup),
            project: self.name.clone(),
        });
        let main = rendering.render(&node.raw_code)?;
        let (mut ctes, mut fixtures) = (Vec::new(), Vec::new());
        for at in lock(&given.used).iter() {
            let input = &given.inputs[*at];
            let fixture = &test.given[input.fixture];
            let sql = match (&fixture.rows, fixture.format) {
                (Json::String(text), Format::Sql) => rendering.render(text)?,
                (rows, _) => {
                    let columns = columns(test, input, adapter.as_ref())?;
                    fixture_sql(test, &input.name, rows, &columns)?
                }
            };
            let file = test.original_file_path.join(format!("{}.sql", input.name));
            fixtures.push((Path::new(&input.package).join(file), sql.clone()));
            ctes.push(Cte {
                id: input.cte.clone(),
                sql: format!(" {} as (\n{sql}\n)", input.cte),
            });
        }
        let sql = inject(&main, &ctes);
        Ok(Compiled {
            sql_hash: hex(&Sha256::digest(sql.as_bytes())),
            sql,
            path: compiled_path(&node),
            messages: std::mem::take(&mut lock(&rendering.run.messages)),
            fixtures,
            ..Compiled::default()
        })
    }

    /// The model of `test`, as its template sees it: called like the test, configured by nobody.
    fn tested(&self, test: &UnitTest) -> Result<Node, Error> {
        let id = test.depends_on.nodes.first().map_or("", String::as_str);
        let model = self.node(id)?;
        let version = test.version.as_ref().map(crate::manifest::version_text);
        let name = match version {
            Some(version) => format!("{}_v{version}", test.name),
            None => test.name.clone(),
        };
        let folder = test.original_file_path.with_file_name("");
        Ok(Node {
            unique_id: test.unique_id.clone(),
            resource_type: ResourceType::UnitTest,
            alias: name.clone(),
            path: folder.join(format!("{name}.sql")),
            name,
            original_file_path: test.original_file_path.clone(),
            package_name: model.package_name.clone(),
            raw_code: model.raw_code.clone(),
            fqn: test.unique_id.split('.').map(str::to_owned).collect(),
            config: NodeConfig {
                enabled: true,
                materialized: "unit".into(),
                ..NodeConfig::default()
            },
            relation_name: model.relation_name.clone(),
            line: 1,
            ..Node::default()
        })
    }

    fn given(&self, test: &UnitTest) -> Result<Given, Error> {
        let mut given = Given::default();
        for (at, fixture) in test.given.iter().enumerate() {
            let input = self.input(test, fixture, at)?;
            let index = given.inputs.len();
            // `this`, or the model by its name
            if test.depends_on.nodes.contains(&input.id) {
                given.this = Some(index);
                // dbt puts it in front, whether the text names it or not
                lock(&given.used).insert(index);
            }
            given.by_id.insert(input.id.clone(), index);
            given.inputs.push(input);
        }
        Ok(given)
    }

    /// What an input stands for: the model itself, or what a `ref` or `source` names.
    fn input(&self, test: &UnitTest, fixture: &Fixture, at: usize) -> Result<Input, Error> {
        let text = fixture.input.as_deref().unwrap_or_default().trim();
        let tested = test.depends_on.nodes.first().cloned().unwrap_or_default();
        let missing = || {
            let message = format!(
                "Unit test '{}' had an input ({text}) which was not found in the manifest.",
                test.name
            );
            wrong(test, message)
        };
        if let Some(call) = text.strip_prefix("source") {
            let parts = quoted(call);
            let id = self
                .lookup
                .find_source(&self.name, &test.package_name, &parts);
            let source = id.and_then(|id| self.manifest.sources.get(&id));
            let source = source.ok_or_else(missing)?;
            return Ok(Input {
                id: source.unique_id.clone(),
                name: source.name.clone(),
                package: source.package_name.clone(),
                cte: cte_name(&format!("{}__{}", source.source_name, source.name)),
                relation: Some(source.relation_name.clone()),
                deferred: None,
                fixture: at,
            });
        }
        let id = if text == "this" {
            tested
        } else if let Some(call) = text.strip_prefix("ref") {
            let wanted = ref_of(call).ok_or_else(missing)?;
            match self
                .lookup
                .find_ref(&self.name, &test.package_name, &wanted)
            {
                Found::Node(id) => id,
                Found::Disabled | Found::Nothing => return Err(missing()),
            }
        } else {
            return Err(wrong(
                test,
                format!(
                    "Unit test given inputs must be either a 'ref', 'source' or 'this' call. Got: \
                     '{text}'."
                ),
            ));
        };
        let node = self.node(&id)?;
        let deferral = self.deferral.as_ref().filter(|deferral| deferral.refs);
        Ok(Input {
            deferred: deferral.and_then(|there| there.relation(&id).cloned()),
            id,
            name: node.name.clone(),
            package: node.package_name.clone(),
            cte: cte_name(&node.alias),
            relation: node.relation_name.clone(),
            fixture: at,
        })
    }

    /// The query that puts the rows of `sql` beside the expected ones of unit test `id`. `columns` are those of
    /// `sql`.
    ///
    /// # Errors
    /// A column is expected that there is not.
    pub fn unit_test_sql(&self, id: &str, sql: &str, columns: &[Column]) -> Result<String, Error> {
        let test = self.unit_test(id)?;
        let types = types(columns);
        let rows = test.expect.rows.as_array();
        let names: Vec<String> = match rows.and_then(|rows| rows.first()) {
            Some(Json::Object(first)) => first.keys().map(|key| key.to_lowercase()).collect(),
            _ => types.keys().cloned().collect(),
        };
        let expected = match (&test.expect.rows, rows) {
            (Json::String(text), _) => text.clone(),
            (_, Some(rows)) if !rows.is_empty() => {
                let lines = rows.iter().map(|row| {
                    let row = formatted(test, "expected output", row, &types)?;
                    Ok(select(&row, &types))
                });
                lines
                    .collect::<Result<Vec<_>, Error>>()?
                    .join("\nunion all\n")
            }
            _ => "select * from dbt_internal_unit_test_actual\n    limit 0".to_owned(),
        };
        let quoted: Vec<String> = names
            .iter()
            .map(|name| {
                types
                    .get(name)
                    .map_or_else(|| quote(name), |c| quote(&c.name))
            })
            .collect();
        Ok(format!(
            "\n    -- Build actual result given inputs\nwith dbt_internal_unit_test_actual as (\n  \
             select\n    {}, 'actual' as \"actual_or_expected\"\n  from (\n    {sql}\n  ) \
             _dbt_internal_unit_test_actual\n),\n-- Build expected result\n\
             dbt_internal_unit_test_expected as (\n  select\n    {}, 'expected' as \
             \"actual_or_expected\"\n  from (\n    {expected}\n  ) \
             _dbt_internal_unit_test_expected\n)\n-- Union actual and expected results\n\
             select * from dbt_internal_unit_test_actual\nunion all\n\
             select * from dbt_internal_unit_test_expected",
            quoted.join(","),
            quoted.join(", "),
        ))
    }
}

fn wrong(test: &UnitTest, message: String) -> Error {
    Error::Template {
        subject: format!("unit_test {}", test.name),
        location: Box::new(Location::line(&test.original_file_path, test.line)),
        message,
        stack: Vec::new(),
        hint: None,
    }
}

/// The quoted parts of a call.
fn quoted(call: &str) -> Vec<String> {
    let parts = call.split(['\'', '"']).skip(1).step_by(2);
    parts.map(str::to_owned).collect()
}

/// `('a')`, `('package', 'a')`, `('a', v=2)`, `('a', version='2')`.
fn ref_of(call: &str) -> Option<RefArgs> {
    let inner = call.trim().strip_prefix('(')?.strip_suffix(')')?;
    let (versions, names): (Vec<&str>, Vec<&str>) = inner
        .split(',')
        .map(str::trim)
        .partition(|part| part.contains('='));
    let plain = |text: &str| text.trim().trim_matches(['\'', '"']).to_owned();
    let version = versions
        .first()
        .and_then(|part| part.split_once('='))
        .map(|(_, value)| Json::String(plain(value)));
    let (package, name) = match names.as_slice() {
        [name] => (None, plain(name)),
        [package, name] => (Some(plain(package)), plain(name)),
        _ => return None,
    };
    Some(RefArgs {
        name,
        package,
        version,
    })
}
