//! A part of the data.

use clap::Args;
use project::sample::Sample;

use crate::clock::{Clock, SystemClock};

/// `--sample`, of the verbs that build models.
#[derive(Debug, Clone, Args)]
pub struct SampleArgs {
    /// Read only what happened in this span of inputs that have an event time: '3 days', '{start: …, end: …}'
    #[arg(long, value_name = "SPAN", env = "DBT_SAMPLE", hide_env = true, value_parser = span,
          help_heading = "Execution")]
    pub sample: Option<Sample>,
}

fn span(text: &str) -> Result<Sample, String> {
    Sample::parse(text, SystemClock.now())
}
