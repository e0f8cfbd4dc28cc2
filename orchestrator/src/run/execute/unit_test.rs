//! A unit test in a session: compiled over its rows, compared, told.

use std::sync::Arc;

use project::{Compiled, Error};
use warehouse::{Outcome, unit_test};

use super::attempt::write;
use super::build::Build;
use crate::run::events::Report;
use crate::run::failure::Failure;

impl Build<'_> {
    /// Runs the unit test; an error is one of its definition or of the model's template.
    pub(super) async fn unit_test(&self) -> Result<Report, Failure> {
        let (worker, planned) = (self.worker, self.planned);
        let began = worker.clock.now();
        let (project, id) = (
            Arc::clone(&worker.prepared.project),
            planned.unique_id.clone(),
        );
        let adapter = Arc::new(self.adapter.clone());
        let compiled = self
            .in_blocking(move || project.compile_unit_test(&id, adapter))
            .await?
            .map_err(|error| Failure::of_project(planned, &error))?;
        let (file, shown) = worker.file("compiled", &compiled.path);
        write(&file, &compiled.sql);
        for (path, sql) in &compiled.fixtures {
            write(&worker.file("compiled", path).0, sql);
        }
        self.said.add(compiled.messages.iter().cloned());
        let compile_ended = worker.clock.now();

        let (project, id) = (
            Arc::clone(&worker.prepared.project),
            planned.unique_id.clone(),
        );
        let adapter = self.adapter.clone();
        let done: (Result<Outcome, Error>, Compiled) = self
            .in_blocking(move || {
                let done = unit_test(&project, &id, &compiled, &adapter);
                (done, compiled)
            })
            .await?;
        let (done, compiled) = done;
        let outcome = done.map_err(|error| Failure::of_project(planned, &error))?;
        let mut report = self.report(Ok(outcome), &compiled);
        report.said = self.said.take();
        report.compile = Some((began, compile_ended));
        report.execute = Some((compile_ended, worker.clock.now()));
        report.compiled_path = Some(shown);
        report.compiled_sql = Some(Arc::from(compiled.sql));
        Ok(report)
    }
}
