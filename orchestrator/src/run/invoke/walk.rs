//! The walk itself: connect, execute, tell, write the artifacts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use project::Project;
use project::warnings::OF_TEST;
use serde_json::Map;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use warehouse::Warehouse;

use super::hooks::{self, Done, HookResult, Hooks};
use super::{Context, Error, Finished};
use crate::artifacts;
use crate::artifacts::manifest::Made;
use crate::retry::RetryLimits;
use crate::run::events::{Event, Happened, Renderer, Report};
use crate::run::execute::archive::Archiver;
use crate::run::execute::attempt::{Engine, Worker};
use crate::run::execute::{Executed, Execution, Stopped};
use crate::run::plan::{NodeIx, Plan};
use crate::run::prepare::{PlannedNode, Prepared};
use crate::run::record::Recorder;
use crate::run::request::{Command, Request};
use crate::run::state::{NodeState, RunEvent, RunState};

/// The database to build in, or why it cannot be reached.
pub(super) type Connected = Result<Warehouse, warehouse::Error>;

/// Everything between the first and the last mark in the store.
pub(super) struct Walk<'a> {
    pub(super) context: &'a Context,
    pub(super) request: &'a Request,
    pub(super) prepared: Arc<Prepared>,
    pub(super) plan: Plan,
    /// Attempts that another process began and nobody ended.
    pub(super) lost: Vec<(NodeIx, u16, Report)>,
    pub(super) recorder: Option<Recorder>,
    pub(super) run_id: Option<i64>,
    pub(super) invocation_id: Uuid,
    pub(super) began: DateTime<Utc>,
    pub(super) cancel: CancellationToken,
}

impl Walk<'_> {
    /// `connected`: the database to build in, where it was asked for.
    pub(super) async fn go(
        self,
        connected: Option<Connected>,
        renderer: &mut dyn Renderer,
    ) -> Result<Finished, Error> {
        let clock = Arc::clone(&self.context.clock);
        let recorder = self.recorder.clone();
        let nothing_to_do = self.prepared.nodes.is_empty();
        let project = Arc::clone(&self.prepared.project);
        let nodes = Arc::clone(&self.prepared.nodes);
        let tell = |renderer: &mut dyn Renderer, event: Event| {
            let happened = Happened {
                at: clock.now(),
                event,
            };
            renderer.render(&happened);
            if let Some(recorder) = &recorder {
                recorder.note(happened);
            }
        };
        // the artifacts are dbt's, which knows no archive: those of the last build stay
        let macros = (self.context.artifacts && self.request.command.of_lake().is_none())
            .then(|| self.macros(&project));
        let threads = self.request.threads(project.profile.threads);
        if !nothing_to_do {
            let target = project.profile.target_name.clone();
            let nodes = Arc::clone(&nodes);
            tell(
                renderer,
                Event::Began {
                    run_id: self.run_id,
                    nodes,
                    threads,
                    target,
                },
            );
        }
        let mut hooks = Done::default();
        let executed = if nothing_to_do {
            Executed {
                states: Vec::new(),
                reports: Vec::new(),
                remarks: BTreeMap::new(),
                stopped: None,
            }
        } else {
            let (executed, done) = self.execute(connected, renderer).await?;
            hooks = done;
            executed
        };
        let Done {
            results: hooks,
            error: broken,
        } = hooks;
        let hook_failed = broken.is_some() || hooks.iter().any(|hook| hook.end.error().is_some());
        let state = ending(&executed, hook_failed)?;
        let took = (clock.now() - self.began).to_std().unwrap_or_default();
        if !nothing_to_do {
            let unrendered = || Some("on-run-end could not be rendered".to_owned());
            let error = executed.stopped.and_then(why);
            let error = error.or_else(|| broken.as_ref().and_then(|_| unrendered()));
            tell(renderer, Event::RunFinished { state, error, took });
        }
        if let Some(macros) = macros {
            self.write_artifacts(&project, &nodes, &executed, &hooks, took, macros)
                .await;
        }
        if let Some(error) = broken {
            return Err(Error::Project(error));
        }
        let Executed { stopped, .. } = executed;
        Ok(Finished {
            state,
            run_id: self.run_id,
            stopped,
            nothing_to_do,
        })
    }

    async fn execute(
        &self,
        connected: Option<Connected>,
        renderer: &mut dyn Renderer,
    ) -> Result<(Executed, Done), Error> {
        let project = &self.prepared.project;
        let engine = match self.request.command {
            Command::Archive | Command::Maintain => Engine::Lake(Box::new(self.archiver().await?)),
            Command::Build
            | Command::Run
            | Command::Test
            | Command::Seed
            | Command::Snapshot
            | Command::Clone => self.warehouse(connected).await?,
        };
        // dbt clones without them
        let with_hooks = self.request.command != Command::Clone;
        let mut done = match &engine {
            Engine::Warehouse { warehouse, .. } if with_hooks => {
                let hooks = self.hooks(warehouse);
                hooks
                    .run(&project.on_run_start, &Map::new(), renderer)
                    .await?
            }
            Engine::Warehouse { .. } | Engine::Lake(_) => Done::default(),
        };
        if let Some(error) = done.error {
            engine.close().await;
            return Err(Error::Project(error));
        }
        let (news, happening) = mpsc::unbounded_channel();
        let execution = Execution {
            plan: self.plan.clone(),
            worker: Arc::new(Worker {
                prepared: Arc::clone(&self.prepared),
                engine: engine.clone(),
                clock: Arc::clone(&self.context.clock),
                full_refresh: self.request.full_refresh,
                warn_error: project.rules.errors(OF_TEST),
                invocation_id: self.invocation_id,
                now: self.now(),
                window: self.request.window(),
                windows: self.request.windows.clone(),
                news,
                show: self.request.show,
                secrets: self.context.place.secrets(),
                artifacts: self.context.artifacts,
            }),
            news: happening,
            recorder: self.recorder.clone(),
            renderer: &mut *renderer,
            clock: Arc::clone(&self.context.clock),
            cancel: self.cancel.clone(),
            timeout: self.request.timeout(),
            retries: RetryLimits {
                retries: self.request.retries,
            },
            index: 0,
            broken: BTreeMap::new(),
            command: self.request.command,
            positions: vec![0; self.prepared.nodes.len()],
        };
        let executed = execution
            .run(&self.lost)
            .await
            .map_err(|e| Error::Bug(e.to_string()))?;
        if let Engine::Warehouse { warehouse, .. } = &engine
            && with_hooks
            && !project.on_run_end.is_empty()
        {
            let names = hooks::names(project, &self.prepared.nodes, &executed, &done.results);
            let hooks = self.hooks(warehouse);
            let at_end = hooks.run(&project.on_run_end, &names, renderer).await?;
            done.results.extend(at_end.results);
            done.error = at_end.error;
        }
        engine.close().await;
        Ok((executed, done))
    }

    /// What microbatch models take for now: a run that is tried again builds the windows it was asked for.
    fn now(&self) -> DateTime<Utc> {
        let request = self.request;
        let first = request.retried_from.or(request.started_at);
        first.unwrap_or(self.began)
    }

    fn hooks<'a>(&'a self, warehouse: &'a Warehouse) -> Hooks<'a> {
        Hooks {
            project: &self.prepared.project,
            warehouse,
            clock: &self.context.clock,
            cancel: &self.cancel,
            secrets: self.context.place.secrets(),
        }
    }

    /// Makes the schemas that are built in.
    async fn warehouse(&self, connected: Option<Connected>) -> Result<Engine, Error> {
        let target = &self.prepared.project.profile.target;
        let warehouse = connected
            .ok_or_else(|| Error::Bug("nobody connected to the database".to_owned()))?
            .map_err(Error::Warehouse)?;
        let mut schemas: BTreeSet<String> = self
            .prepared
            .nodes
            .iter()
            .filter_map(|node| node.schema.clone())
            .collect();
        schemas.insert(target.schema.clone());
        warehouse
            .prepare(&schemas)
            .await
            .map_err(Error::Warehouse)?;
        Ok(Engine::Warehouse {
            adapter: warehouse.adapter(),
            warehouse,
        })
    }

    /// Opens the lake of the profile's database: the ledger lies where the tables are.
    async fn archiver(&self) -> Result<Archiver, Error> {
        let access =
            self.context.lake.as_ref().ok_or_else(|| {
                Error::Bug("a verb that does not archive was asked to".to_owned())
            })?;
        let now = self.request.started_at.unwrap_or(self.began);
        Archiver::open(access, &self.prepared.project, self.request, now).await
    }

    /// Renders the macros for the manifest while the database is at work.
    fn macros(&self, project: &Arc<Project>) -> JoinHandle<Vec<u8>> {
        let (project, at) = (Arc::clone(project), self.began);
        spawn_blocking(move || artifacts::manifest::macros(&project, at))
    }

    async fn write_artifacts(
        &self,
        project: &Arc<Project>,
        nodes: &Arc<[PlannedNode]>,
        executed: &Executed,
        hooks: &[HookResult],
        took: Duration,
        macros: JoinHandle<Vec<u8>>,
    ) {
        let about = artifacts::Invocation {
            invocation_id: self.invocation_id,
            started_at: self.began,
            generated_at: self.context.clock.now(),
            which: self.request.command.word(),
        };
        let mut results =
            artifacts::run_results::render(&about, self.request, project, nodes, executed, took);
        if let Some(list) = results.get_mut("results").and_then(|r| r.as_array_mut()) {
            list.extend(hooks.iter().map(HookResult::artifact));
        }
        let mut made = made(project, &self.prepared, executed);
        made.extend(hooks.iter().filter_map(|hook| hook.made(project)));
        let project = Arc::clone(project);
        let macros = macros.await.unwrap_or_default();
        let written = spawn_blocking(move || {
            artifacts::write_manifest_with(&about, &project, &made, &macros)?;
            artifacts::write(&project.target_path, "run_results.json", &results)
        });
        match written.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "cannot write the artifacts"),
            Err(panic) => tracing::error!(%panic, "cannot write the artifacts"),
        }
    }
}

/// What became of the nodes' SQL, for the manifest.
fn made(project: &Project, prepared: &Prepared, executed: &Executed) -> HashMap<String, Made> {
    let of = |(node, report): &(NodeIx, Report)| {
        let id = prepared.node(*node).unique_id.clone();
        let build_path = report.build_path.clone();
        let Some(sql) = report.compiled_sql.as_ref() else {
            return build_path.is_some().then(|| {
                let made = Made {
                    build_path,
                    ..Made::default()
                };
                (id, made)
            });
        };
        if report.windows.is_some() {
            let made = Made {
                build_path,
                macros: report.macros.clone(),
                ..Made::default()
            };
            return Some((id, made));
        }
        let extra_ctes = report.injected.as_ref();
        let of_node = Made {
            compiled_code: Some(sql.to_string()),
            compiled_path: report.compiled_path.clone(),
            build_path,
            extra_ctes: extra_ctes.map(|all| all.ctes.clone()).unwrap_or_default(),
            macros: report.macros.clone(),
        };
        Some((id, of_node))
    };
    let mut made: HashMap<String, Made> = executed.reports.iter().filter_map(of).collect();
    for (_, report) in &executed.reports {
        let Some(injected) = &report.injected else {
            continue;
        };
        let models = injected.models.iter();
        made.extend(models.map(|(id, model)| (id.clone(), Made::of(project, model))));
    }
    made
}

/// The run's state by those of its nodes. Where nothing stopped it, what was skipped has a reason, though it be an
/// ephemeral model that nobody counts.
fn ending(executed: &Executed, hook_failed: bool) -> Result<RunState, Error> {
    let bad = |state: &NodeState| match state {
        NodeState::Failed | NodeState::Cancelled | NodeState::Skipped => true,
        NodeState::Queued
        | NodeState::Running { .. }
        | NodeState::UpForRetry { .. }
        | NodeState::Success
        | NodeState::Warned => false,
    };
    let failed = hook_failed || executed.states.iter().any(bad);
    let state = match executed.stopped {
        Some(_) => RunState::Running.next(RunEvent::CancelRequested),
        None => Ok(RunState::Running),
    };
    state
        .and_then(|state| state.next(RunEvent::Ended { failed }))
        .map_err(|e| Error::Bug(e.to_string()))
}

pub(super) fn why(stopped: Stopped) -> Option<String> {
    match stopped {
        Stopped::Cancelled | Stopped::Fenced => None,
        Stopped::TimedOut(limit) => Some(format!("took longer than {} seconds", limit.as_secs())),
    }
}
