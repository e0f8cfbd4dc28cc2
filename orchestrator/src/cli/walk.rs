//! What `build`, `run`, `test` and `seed` share: options, and the walk over nodes they ask for.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use indexmap::IndexMap;
use project::sample::Sample;
use project::warnings::Warning;

use super::console::Console;
use super::json_log::JsonLog;
use super::printer::Printer;
use super::signals;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{
    EmptySelection, ExecutionArgs, LogArgs, LogFormat, LogLevel, ProjectArgs, SelectionArgs,
    StoreArgs,
};
use crate::run::events::{Event, Happened, Renderer};
use crate::run::execute::Stopped;
use crate::run::invoke::{Context, Finished, Recording, Which, invoke};
use crate::run::prepare::Place;
use crate::run::request::{Command, Request, Trigger};
use crate::run::state::RunState;
use crate::store::leases::Holder;

/// Options of a verb that executes nodes.
#[derive(Debug, Clone, Args)]
pub(super) struct WalkArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    execution: ExecutionArgs,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// Do not record the run; for when the run store is away
    #[arg(long, help_heading = "Run store")]
    no_record: bool,
    #[arg(skip)]
    show: bool,
}

impl WalkArgs {
    /// Whether rows of what was loaded are printed.
    pub(super) fn showing(self, show: bool) -> Self {
        Self { show, ..self }
    }
}

/// What a walk needs to know beside its request.
#[derive(Debug)]
pub(super) struct WalkOptions {
    /// Folders and environment.
    pub(super) place: Place,
    /// The run store.
    pub(super) store: StoreArgs,
    /// Do not record.
    pub(super) no_record: bool,
    /// Write `target/*.json`.
    pub(super) artifacts: bool,
}

/// Executes the nodes and says how it went.
pub(super) async fn walk(
    command: Command,
    args: WalkArgs,
    sample: Option<Sample>,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let request = args.execution.request(command);
    let request = Request {
        sample,
        show: args.show,
        ..args.selection.apply(args.project.apply(request))
    };
    let options = WalkOptions {
        place: args.project.place(),
        store: args.store,
        no_record: args.no_record,
        artifacts: log.writes_json(),
    };
    go(
        request,
        options,
        args.execution.empty_selection,
        log,
        printer,
    )
    .await
}

/// Carries out `request` and says how it went.
pub(super) async fn go(
    request: Request,
    options: WalkOptions,
    empty_selection: EmptySelection,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let recording = if options.no_record {
        Recording::Off
    } else {
        Recording::At(options.store.address())
    };
    let context = Context {
        place: options.place,
        recording,
        holder: Holder::this_process(),
        clock: SystemClock::shared(),
        artifacts: options.artifacts,
        lake: None,
    };
    let mut renderer = renderer(log, printer, &context.place.project_dir);
    let cancel = signals::cancel_on_signal()?;
    let which = Which::New(Trigger::Cli);
    let finished = Box::pin(invoke(&context, request, which, renderer.as_mut(), cancel)).await?;
    if finished.nothing_to_do {
        return Ok(match empty_selection {
            EmptySelection::Ok => ExitCode::SUCCESS,
            EmptySelection::Warn => {
                tracing::warn!("nothing is selected");
                ExitCode::SUCCESS
            }
            EmptySelection::Error => ExitCode::from(1),
        });
    }
    Ok(exit_code(&finished))
}

/// Lines for people or for programs, and all of them in the log file of the project in `folder`.
pub(super) fn renderer(log: &LogArgs, printer: &Printer, folder: &Path) -> Box<dyn Renderer> {
    let shown: Option<Box<dyn Renderer>> = match (log.log_level, log.log_format) {
        (LogLevel::None, _) => None,
        (_, LogFormat::Text | LogFormat::Default) => Some(Box::new(
            Console::new(printer.clone(), log.failures_only()).printing(log.prints()),
        )),
        (_, LogFormat::Debug) => {
            let console = Console::for_file(printer.clone()).printing(log.prints());
            Some(Box::new(console))
        }
        (_, LogFormat::Json) => Some(Box::new(JsonLog::new(printer.clone()))),
    };
    // no log in folders that are no project
    let path = folder.join("dbt_project.yml").is_file().then(|| {
        let below = log.log_path.clone().unwrap_or_else(|| "logs".into());
        folder.join(below).join("dbt.log")
    });
    let file = path
        .filter(|_| log.writes_file())
        .and_then(|path| Printer::file(&path).ok())
        .map(|printer| Box::new(Console::for_file(printer)) as Box<dyn Renderer>);
    Box::new(All {
        renderers: shown.into_iter().chain(file).collect(),
        deprecations: IndexMap::new(),
        every_deprecation: log.shows_all_deprecations(),
    })
}

/// Shows events to several. Of each kind of deprecation only the first is shown, and all are summed up when the verb
/// is over, however it ends.
struct All {
    renderers: Vec<Box<dyn Renderer>>,
    /// How often each was met.
    deprecations: IndexMap<&'static str, usize>,
    every_deprecation: bool,
}

impl Renderer for All {
    fn render(&mut self, happened: &Happened) {
        if let Event::Warning(warning) = &happened.event
            && warning.is_deprecation()
        {
            let count = self.deprecations.entry(warning.event).or_default();
            *count += 1;
            if *count > 1 && !self.every_deprecation {
                return;
            }
        }
        for renderer in &mut self.renderers {
            renderer.render(happened);
        }
    }
}

impl Drop for All {
    fn drop(&mut self) {
        if !self.deprecations.is_empty() {
            let summary = Warning::summary(&self.deprecations, !self.every_deprecation);
            self.render(&Happened {
                at: SystemClock.now(),
                event: Event::Warning(summary),
            });
        }
    }
}

/// What a run's end means to the shell.
pub(super) fn exit_code(finished: &Finished) -> ExitCode {
    match (finished.state, finished.stopped) {
        (RunState::Success, _) => ExitCode::SUCCESS,
        // dbt exits with 2 when a person interrupts it; a timeout is a failure that was foreseen
        (_, Some(Stopped::Cancelled | Stopped::Fenced)) => ExitCode::from(2),
        (_, Some(Stopped::TimedOut(_)) | None) => ExitCode::from(1),
    }
}
