//! Unit tests: a model's SQL with rows in the place of what it reads, and the query that compares.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use indexmap::{IndexMap, IndexSet};
use jinja::functions::{function, hex};
use jinja::{Root, Scope, raise};
use minijinja::value::Value;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::adapter::{Adapter, Column};
use crate::compile::{Compiled, Rendering, cte_name};
use crate::context::refs::wanted;
use crate::context::{lock, relation};
use crate::error::{Error, Location};
use crate::inject::{Cte, inject};
use crate::load::Project;
use crate::lookup::{Found, Lookup};
use crate::manifest::{Fixture, Format, Node, NodeConfig, RefArgs, ResourceType, UnitTest};
use crate::parse::nodes::compiled_path;
use crate::relation::RelationName;

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
        let mut ctes = Vec::new();
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
                cte: cte_name(&format!("{}__{}", source.source_name, source.name)),
                relation: Some(source.relation_name.clone()),
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
        Ok(Input {
            id,
            name: node.name.clone(),
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

/// A relation that rows stand in for.
#[derive(Debug, Clone)]
struct Input {
    /// Node or source.
    id: String,
    name: String,
    cte: String,
    /// Where the types of its columns are looked up.
    relation: Option<RelationName>,
    /// Position among the test's inputs.
    fixture: usize,
}

#[derive(Debug, Default)]
struct Given {
    inputs: Vec<Input>,
    by_id: HashMap<String, usize>,
    this: Option<usize>,
    /// Inputs that the model's text names, in order.
    used: Mutex<IndexSet<usize>>,
}

impl Given {
    fn cte(&self, at: usize) -> Value {
        lock(&self.used).insert(at);
        relation::cte(RelationName {
            database: String::new(),
            schema: String::new(),
            identifier: self.inputs[at].cte.clone(),
        })
    }

    fn of(&self, id: &str, test: &UnitTest, shown: &str) -> Result<Value, minijinja::Error> {
        match self.by_id.get(id) {
            Some(at) => Ok(self.cte(*at)),
            None => Err(raise(format!(
                "unit_test '{}' ({}) depends on a node named '{shown}' which was not found: give it \
                 rows",
                test.unique_id,
                test.original_file_path.display()
            ))),
        }
    }
}

/// The names that a unit test changes; everything else is as the model sees it.
#[derive(Debug)]
struct UnitScope {
    inner: Arc<dyn Scope>,
    given: Arc<Given>,
    test: Arc<UnitTest>,
    lookup: Arc<Lookup>,
    project: String,
}

impl UnitScope {
    fn refer(&self) -> Value {
        let (given, test) = (Arc::clone(&self.given), Arc::clone(&self.test));
        let (lookup, project) = (Arc::clone(&self.lookup), self.project.clone());
        function("ref", move |_, arguments| {
            let wanted = wanted(arguments)?;
            match lookup.find_ref(&project, &test.package_name, &wanted) {
                Found::Node(id) => given.of(&id, &test, &wanted.name),
                Found::Disabled | Found::Nothing => given.of("", &test, &wanted.name),
            }
        })
    }

    fn source(&self) -> Value {
        let (given, test) = (Arc::clone(&self.given), Arc::clone(&self.test));
        let (lookup, project) = (Arc::clone(&self.lookup), self.project.clone());
        function("source", move |_, arguments| {
            let parts = vec![arguments.text(0, "source")?, arguments.text(1, "table")?];
            let id = lookup.find_source(&project, &test.package_name, &parts);
            given.of(&id.unwrap_or_default(), &test, &parts.join("."))
        })
    }

    /// `var` or `env_var`: what the test says, else what the project says.
    fn replaced(
        &self,
        root: &Arc<Root>,
        name: &'static str,
        values: &serde_json::Map<String, Json>,
    ) -> Option<Value> {
        let inner = self.inner.variable(root, name)?;
        if values.is_empty() {
            return Some(inner);
        }
        let values = values.clone();
        Some(function(name, move |state, arguments| {
            let wanted = arguments.text(0, "name")?;
            match values.get(&wanted) {
                Some(value) => Ok(jinja::json::to_value(value)),
                None => inner.call(state, arguments.all()),
            }
        }))
    }
}

impl Scope for UnitScope {
    fn variable(&self, root: &Arc<Root>, name: &str) -> Option<Value> {
        let none = crate::manifest::Overrides::default();
        let overrides = self.test.overrides.as_ref().unwrap_or(&none);
        match name {
            "ref" => Some(self.refer()),
            "source" => Some(self.source()),
            "this" => Some(match self.given.this {
                Some(at) => self.given.cte(at),
                None => Value::from(()),
            }),
            "builtins" => {
                let config = self.inner.variable(root, "config").unwrap_or_default();
                Some(jinja::list::dict([
                    (Value::from("ref"), self.refer()),
                    (Value::from("source"), self.source()),
                    (Value::from("config"), config),
                ]))
            }
            "var" => self.replaced(root, "var", &overrides.vars),
            "env_var" => self.replaced(root, "env_var", &overrides.env_vars),
            _ => self.inner.variable(root, name),
        }
    }

    fn replaces(&self, name: &str) -> Option<Value> {
        let macros = &self.test.overrides.as_ref()?.macros;
        let value = jinja::json::to_value(macros.get(name)?);
        Some(function("override", move |_, _| Ok(value.clone())))
    }
}

/// Columns by lower-case name.
type Types<'c> = IndexMap<String, &'c Column>;

fn types(columns: &[Column]) -> Types<'_> {
    let named = columns.iter().map(|c| (c.name.to_lowercase(), c));
    named.collect()
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn columns(test: &UnitTest, input: &Input, adapter: &dyn Adapter) -> Result<Vec<Column>, Error> {
    let found = match &input.relation {
        Some(relation) => adapter.columns(relation).map_err(|source| Error::Adapter {
            subject: format!("unit_test {}", test.name),
            location: Location::file(&test.original_file_path),
            source,
        })?,
        None => Vec::new(),
    };
    if found.is_empty() {
        let relation = input.relation.as_ref().map(ToString::to_string);
        return Err(Error::Template {
            subject: format!("unit_test {}", test.name),
            location: Box::new(Location::line(&test.original_file_path, test.line)),
            message: format!(
                "Not able to get columns for unit test '{}' from relation {} because the relation \
                 doesn't exist",
                input.name,
                relation.unwrap_or_else(|| input.name.clone())
            ),
            stack: Vec::new(),
            hint: Some(
                "build it first ('ridehail run --empty' is enough), or give rows as 'format: sql'"
                    .into(),
            ),
        });
    }
    Ok(found)
}

/// Rows as a query of the columns' own types; columns that a row leaves out are null.
fn fixture_sql(
    test: &UnitTest,
    name: &str,
    rows: &Json,
    columns: &[Column],
) -> Result<String, Error> {
    let types = types(columns);
    let nothing: IndexMap<String, String> = types
        .iter()
        .map(|(name, column)| (name.clone(), format!("cast(null as {})", column.data_type)))
        .collect();
    let rows = rows.as_array().map_or(&[][..], Vec::as_slice);
    if rows.is_empty() {
        return Ok(format!(
            "\n-- Fixture for {name}\n{}\n    limit 0",
            select(&nothing, &types)
        ));
    }
    let lines = rows.iter().map(|row| {
        let mut whole = nothing.clone();
        whole.extend(formatted(test, &format!("'{name}'"), row, &types)?);
        Ok(select(&whole, &types))
    });
    let lines = lines.collect::<Result<Vec<_>, Error>>()?;
    Ok(format!(
        "\n-- Fixture for {name}\n{}",
        lines.join("\nunion all\n")
    ))
}

/// `select value as "column", …`, dbt's blanks kept.
fn select(row: &IndexMap<String, String>, types: &Types<'_>) -> String {
    let columns: Vec<String> = row
        .iter()
        .map(|(name, value)| {
            let column = types.get(name).map_or(name.as_str(), |column| &column.name);
            format!(" {value} as {}", quote(column))
        })
        .collect();
    format!("select{}", columns.join(","))
}

/// The values of `row`, each cast to its column's type.
fn formatted(
    test: &UnitTest,
    of: &str,
    row: &Json,
    types: &Types<'_>,
) -> Result<IndexMap<String, String>, Error> {
    let mut values = IndexMap::new();
    let Json::Object(row) = row else {
        return Ok(values);
    };
    for (name, value) in row {
        let name = name.to_lowercase();
        let Some(column) = types.get(&name) else {
            let known: Vec<String> = types.keys().map(|key| format!("'{key}'")).collect();
            return Err(wrong(
                test,
                format!(
                    "Invalid column name: '{name}' in unit test fixture for {of}.\nAccepted columns \
                     for {of} are: [{}]",
                    known.join(", ")
                ),
            ));
        };
        let mut kind = column.data_type.as_str();
        let literal = match value {
            Json::Null => "null".to_owned(),
            Json::String(text) => {
                // a length would cut the text off without a word
                if kind.contains("varying") {
                    kind = kind.split('(').next().unwrap_or(kind);
                }
                format!("'{}'", text.replace('\'', "''"))
            }
            Json::Bool(true) => "True".to_owned(),
            Json::Bool(false) => "False".to_owned(),
            Json::Array(_) | Json::Object(_) => {
                format!("'{}'", value.to_string().replace('\'', "''"))
            }
            Json::Number(number) => number.to_string(),
        };
        values.insert(name, format!("\n    \n    cast({literal} as {kind})\n"));
    }
    Ok(values)
}
