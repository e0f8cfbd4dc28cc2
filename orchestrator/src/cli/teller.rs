//! What verbs that execute no nodes say: the head that every verb has, then lines of their own. To people or programs,
//! and to the log file.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use project::warnings::Warning;
use project::{Project, Said};
use uuid::Uuid;

use super::printer::Printer;
use super::walk::renderer;
use crate::clock::{Clock, SystemClock};
use crate::config::LogArgs;
use crate::run::events::{Event, Happened, Renderer};
use crate::run::invoke::{self, read_aloud};
use crate::run::prepare::Place;
use crate::run::request::Request;

pub(super) struct Teller(Box<dyn Renderer>);

impl Teller {
    /// Logs to the project in `folder`.
    pub(super) fn new(log: &LogArgs, printer: &Printer, folder: &Path) -> Self {
        Self(renderer(log, printer, folder))
    }

    pub(super) fn tell(&mut self, event: Event) {
        let at = SystemClock.now();
        self.0.render(&Happened { at, event });
    }

    /// For what tells by itself.
    pub(super) fn renderer(&mut self) -> &mut dyn Renderer {
        self.0.as_mut()
    }

    /// A line with the time before it.
    pub(super) fn line(&mut self, text: impl Into<String>) {
        self.tell(Event::Said(Said::Log(text.into())));
    }

    /// Reads the project for the verb `which` and tells what is found.
    ///
    /// # Errors
    /// Whatever is wrong with the project.
    pub(super) async fn read(
        &mut self,
        place: &Place,
        request: &Request,
        which: &'static str,
        started_at: DateTime<Utc>,
        invocation_id: Uuid,
    ) -> Result<Project, invoke::Error> {
        let mut tell = |event| self.tell(event);
        read_aloud(place, request, which, started_at, invocation_id, &mut tell).await
    }

    /// Tells of `warnings` that came after reading.
    ///
    /// # Errors
    /// The first that is taken for an error.
    pub(super) fn heed(
        &mut self,
        project: &Project,
        warnings: &[Warning],
    ) -> Result<(), invoke::Error> {
        invoke::heed(&project.rules, warnings, &mut |event| self.tell(event))
    }

    /// Tells where the work is done that begins now, or that there is `nothing` to do.
    pub(super) fn begin_unless(&mut self, nothing: bool, project: &Project, request: &Request) {
        match nothing {
            true => self.tell(Event::NothingToDo { summed_up: false }),
            false => self.begin(project, request),
        }
    }

    /// Tells where the work is done that begins now.
    pub(super) fn begin(&mut self, project: &Project, request: &Request) {
        self.tell(Event::Began {
            run_id: None,
            nodes: Arc::from([]),
            threads: request.threads(project.profile.threads),
            target: project.profile.target_name.clone(),
        });
    }
}
