//! A run from request to result: load, record, execute, write artifacts, end.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use lake::args::LakeArgs;
use lake::mover::Reporter;
use project::Project;
use project::warnings::{Rules, Warning};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::events::{Event, Happened, Renderer};
use super::execute::{Stopped, in_background};
use super::failure::lake_hint;
use super::plan::Limits;
use super::prepare::{Place, Prepared, load, prepare};
use super::request::{Command, Request, Trigger};
use super::state::RunState;
use crate::clock::SharedClock;
use crate::store::journal::RunEnd;
use crate::store::leases::Holder;
use crate::store::{self, Address, Store};

mod found;
pub mod hooks;
mod opening;
mod record_start;
mod walk;

pub use found::counts;
use opening::Opening;
use record_start::{Recorded, adopt, open_new};
use walk::{Walk, why};

/// Why a run could not be started or brought to its end. Failing nodes are no error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something is wrong with the project.
    #[error(transparent)]
    Project(#[from] Box<project::Error>),
    /// The database to build in is out of reach, or refuses its schemas.
    #[error(transparent)]
    Warehouse(warehouse::Error),
    /// The run store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The lake is out of reach, or its ledger cannot be prepared.
    #[error(transparent)]
    Lake(#[from] lake::Error),
    /// The run is someone else's now.
    #[error("run {run_id} was taken over by another process")]
    Fenced {
        /// Number.
        run_id: i64,
    },
    /// The project is not what it was when the run began.
    #[error("run {run_id} cannot go on: the project selects other nodes than when it began")]
    ProjectChanged {
        /// Number.
        run_id: i64,
    },
    /// A bug in this program.
    #[error("a bug in the scheduler: {0}")]
    Bug(String),
}

impl Error {
    /// What a person can do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Project(error) => error.hint(),
            Self::Warehouse(error) => error.hint().map(ToOwned::to_owned),
            Self::Store(error) => Some(error.hint().to_owned()),
            Self::Lake(error) => lake_hint(error).map(ToOwned::to_owned),
            Self::Fenced { run_id } => Some(format!(
                "`ridehail runs show {run_id}` tells what became of it"
            )),
            Self::ProjectChanged { .. } => Some("start a new run".to_owned()),
            Self::Bug(_) => None,
        }
    }
}

/// Where a run is recorded.
#[derive(Debug, Clone)]
pub enum Recording {
    /// Nowhere.
    Off,
    /// In a store that is open already.
    In(Store),
    /// Here; the profile's own database when `None`.
    At(Option<Address>),
}

/// What every run of a process shares.
#[derive(Debug, Clone)]
pub struct Context {
    /// Folders and environment.
    pub place: Place,
    /// The run store.
    pub recording: Recording,
    /// This process.
    pub holder: Holder,
    /// The time.
    pub clock: SharedClock,
    /// Write `target/*.json`.
    pub artifacts: bool,
    /// The lake; `None` for verbs that do not archive.
    pub lake: Option<LakeAccess>,
}

/// What archiving needs of this machine.
#[derive(Clone)]
pub struct LakeAccess {
    /// Where the lake is.
    pub args: LakeArgs,
    /// Who is told how far it has come.
    pub reporter: Arc<dyn Reporter>,
}

impl fmt::Debug for LakeAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LakeAccess").finish_non_exhaustive()
    }
}

/// Which run.
#[derive(Debug, Clone)]
pub enum Which {
    /// A new one.
    New(Trigger),
    /// One that the store holds and nobody is at work on.
    Stored(Box<store::runs::Run>),
}

/// How it ended.
#[derive(Debug)]
pub struct Finished {
    /// State.
    pub state: RunState,
    /// Number, when recorded.
    pub run_id: Option<i64>,
    /// What stopped it, if something did.
    pub stopped: Option<Stopped>,
    /// The selection was empty.
    pub nothing_to_do: bool,
}

/// Carries out `request`.
///
/// # Errors
/// See [`Error`]; a run that was recorded is then marked as failed, unless it is someone else's.
pub async fn invoke(
    context: &Context,
    request: Request,
    which: Which,
    renderer: &mut dyn Renderer,
    cancel: CancellationToken,
) -> Result<Finished, Error> {
    let mut request = request;
    let clock = Arc::clone(&context.clock);
    let began = clock.now();
    let started_at = *request.started_at.get_or_insert(began);
    let invocation_id = match &which {
        Which::New(_) => Uuid::new_v4(),
        Which::Stored(run) => run.invocation_id,
    };
    let mut tell = |event: Event| {
        renderer.render(&Happened {
            at: clock.now(),
            event,
        })
    };
    // connections are made while the project is read
    let opening = Opening::begin(context, &request, started_at, invocation_id);
    let which_verb = request.command.word();
    let project = read_aloud(
        &context.place,
        &request,
        which_verb,
        started_at,
        invocation_id,
        &mut tell,
    )
    .await?;
    let prepared = prepare(Arc::new(project), &request)?;
    heed(&prepared.project.rules, &prepared.warnings, &mut tell)?;
    if prepared.nodes.is_empty() {
        // of all verbs dbt's seed alone
        let summed_up = request.command == Command::Seed;
        tell(Event::NothingToDo { summed_up });
    }

    let (store, connected) = opening.ready(&prepared).await?;
    let recorded = begin(
        context,
        &request,
        which,
        invocation_id,
        &prepared,
        store,
        &cancel,
    )
    .await;
    let Recorded {
        recorder,
        run_id,
        plan,
        lost,
        recording,
    } = recorded?;
    let ended = async {
        if let Some(task) = recording {
            in_background(task);
        }
        let walk = Walk {
            context,
            request: &request,
            prepared: Arc::new(prepared),
            plan,
            lost,
            recorder: recorder.clone(),
            run_id,
            invocation_id,
            began,
            cancel,
        };
        walk.go(connected, renderer).await
    }
    .await;
    let (finished, end) = match ended {
        Ok(finished) => {
            let error = finished.stopped.and_then(why);
            let end = RunEnd {
                state: finished.state,
                error,
            };
            (Ok(finished), end)
        }
        Err(error) => {
            let end = RunEnd {
                state: RunState::Failed,
                error: Some(error.to_string()),
            };
            (Err(error), end)
        }
    };
    if let Some(recorder) = recorder
        && !recorder.end(end).await
        && let Some(run_id) = run_id
    {
        return Err(Error::Fenced { run_id });
    }
    finished
}

/// Tells of `warnings`, but for those that nobody wants to hear of.
///
/// # Errors
/// The first that is taken for an error.
pub fn heed(
    rules: &Rules,
    warnings: &[Warning],
    tell: &mut impl FnMut(Event),
) -> Result<(), Error> {
    for warning in warnings {
        if let Some(warning) = rules.heed(warning).map_err(Box::new)? {
            tell(Event::Warning(warning.clone()));
        }
    }
    Ok(())
}

/// Reads the project for the verb `which`, and tells what every verb tells first.
///
/// # Errors
/// As [`read`], and a warning that is taken for an error.
pub async fn read_aloud(
    place: &Place,
    request: &Request,
    which: &'static str,
    started_at: DateTime<Utc>,
    invocation_id: Uuid,
    tell: &mut impl FnMut(Event),
) -> Result<Project, Error> {
    tell(Event::Invoked);
    let project = read(place, request, which, started_at, invocation_id).await?;
    for said in &project.said {
        tell(Event::Said(said.clone()));
    }
    heed(&project.rules, &project.warnings, tell)?;
    tell(Event::Found {
        counts: counts(&project),
    });
    Ok(project)
}

/// Reads the project for the verb `which`, on a thread that may block.
///
/// # Errors
/// Whatever is wrong with the project.
pub async fn read(
    place: &Place,
    request: &Request,
    which: &'static str,
    started_at: DateTime<Utc>,
    invocation_id: Uuid,
) -> Result<Project, Error> {
    let (place, request) = (place.clone(), request.clone());
    spawn_blocking(move || load(&place, &request, which, started_at, invocation_id))
        .await
        .map_err(|panic| Error::Bug(panic.to_string()))?
        .map_err(Error::from)
}

/// Writes the run down and takes its lease, if it is to be recorded.
async fn begin(
    context: &Context,
    request: &Request,
    which: Which,
    invocation_id: Uuid,
    prepared: &Prepared,
    store: Option<opening::Open>,
    cancel: &CancellationToken,
) -> Result<Recorded, Error> {
    let limits = Limits {
        threads: request.threads(prepared.project.profile.threads),
        fail_fast: request.fail_fast,
    };
    let Some((store, line)) = store else {
        let plan = (prepared.plan(None, limits)).map_err(|e| Error::Bug(e.to_string()))?;
        return Ok(Recorded {
            recorder: None,
            run_id: None,
            plan,
            lost: Vec::new(),
            recording: None,
        });
    };
    match which {
        Which::New(trigger) => {
            open_new(
                context,
                &store,
                line,
                request,
                trigger,
                invocation_id,
                prepared,
                limits,
                cancel,
            )
            .await
        }
        Which::Stored(run) => {
            adopt(
                context, &store, line, request, &run, prepared, limits, cancel,
            )
            .await
        }
    }
}
