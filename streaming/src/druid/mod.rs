//! Keeps Druid's supervisors, retention rules and compaction as spec files say.
//!
//! Three journeys. **plan**: [`spec`] reads the files, [`session`] asks Druid and Kafka what is
//! there, [`plan`](mod@plan) compares the two ([`canon`] knows how Druid rewrites what it is given,
//! [`consequence`] what a change costs). **apply** carries the steps out, waits until every
//! supervisor reads ([`health`]) and puts the last good spec back when one does not. **status**
//! holds positions against Kafka's own logs, since Druid calls a supervisor healthy that waits for
//! records which will never come.
//!
//! `plan`, `canon`, `consequence`, `health` and `iso` are pure. This module refuses to know what
//! an event means: that is in the files. Nothing here touches Postgres, and landing needs nothing
//! from here: either goes on when the other is away.
//!
//! # The window, and which days are whole
//! Druid holds recent weeks only. A task fixes its bounds when it is created: rows older than
//! *created - lateMessageRejectionPeriod* or newer than *created + taskDuration +
//! earlyMessageRejectionPeriod* are refused for as long as it reads, so the window moves with each
//! task and its edge lies within a day. [`iso::complete_from`] names the first UTC day of which no
//! row can have been refused; `status --output json` carries it. Counts of Druid and of landing
//! agree on the days from there to yesterday.
//!
//! Rows that landing rejects are refused here by the files' filters too. Known differences, none of
//! which the generator makes: two JSON objects in one record are two rows here and a reject there;
//! text with U+0000, a lone surrogate, or a number too large for a double is a row here and a
//! reject there; a space instead of `T`, or a leap second, is unparseable here and lands there; a
//! time between two days ahead and `taskDuration` more is a row here and a reject there.

mod actions;
mod apply;
mod args;
pub mod canon;
mod client;
pub mod consequence;
mod error;
pub mod health;
pub mod iso;
pub mod kafka;
pub mod plan;
mod render;
mod session;
pub mod spec;
mod status;
mod wait;
mod watch;

use std::io::Write;

use tokio_util::sync::CancellationToken;

pub use args::{Command, DruidArgs, Options, Output, Position};
pub use client::Client;
pub use error::Error;
pub use session::Session;
pub use status::{Report, Standing};

/// How a verb ended that could be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is as asked.
    Good,
    /// Something is unhealthy, blocked or differs; what was printed says what.
    Bad,
}

impl Outcome {
    /// 0 or 1, for the process.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Bad => 1,
        }
    }

    fn good_if(good: bool) -> Self {
        if good { Self::Good } else { Self::Bad }
    }
}

/// Carries out one verb and prints to `out`; questions and progress go to stderr and the log.
///
/// # Errors
/// Druid or Kafka is away, a spec file is wrong, a deadline passed, or `cancel` fired. Everything
/// applied so far stays, and every verb can be run again.
pub async fn run(
    args: &DruidArgs,
    cancel: &CancellationToken,
    out: &mut dyn Write,
) -> Result<Outcome, Error> {
    tokio::select! {
        done = dispatch(args, out) => done,
        () = cancel.cancelled() => Err(Error::Cancelled),
    }
}

async fn dispatch(args: &DruidArgs, out: &mut dyn Write) -> Result<Outcome, Error> {
    let session = Session::open(&args.options)?;
    let json = args.options.output == Output::Json;
    match &args.command {
        Command::Plan { prune, check } => {
            let plan = session.plan(*prune).await?;
            if json {
                render::json(out, &plan)?;
            } else {
                render::plan(out, &plan)?;
            }
            Ok(Outcome::good_if(
                !plan.is_blocked() && (!*check || plan.is_empty()),
            ))
        }
        Command::Apply {
            prune,
            yes,
            deadline,
        } => {
            let how = apply::How {
                prune: *prune,
                yes: *yes,
                deadline: *deadline,
            };
            apply::run(&session, how, json, out).await
        }
        Command::Status => {
            let report = status::gather(&session).await?;
            if json {
                render::json(out, &report)?;
            } else {
                render::status(out, &report)?;
            }
            Ok(Outcome::good_if(report.healthy))
        }
        Command::Wait { names, deadline } => wait::run(&session, names, *deadline, json, out).await,
        Command::Reset {
            name,
            to,
            partitions,
            yes,
        } => actions::reset(&session, name, *to, partitions, *yes, out).await,
        Command::Suspend { names } => actions::suspend(&session, names, out).await,
        Command::Resume { names } => actions::resume(&session, names, out).await,
    }
}
