//! `generate`: the loop around the simulation. Wall clock, cancellation and files live here.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::args::{GenerateArgs, SinkKind};
use crate::clock;
use crate::driver::{HOUR, MINUTE};
use crate::error::Error;
use crate::pipeline::{Pipeline, Sink};
use crate::plan::{Run, plan};
use crate::publish::kafka::KafkaSink;
use crate::publish::resume;
use crate::time_text::time_text;
use crate::truth::Truth;

/// Partitions that records get when no topic says otherwise.
const PARTITIONS: u32 = 6;
/// How often the live loop looks at the clock.
const LIVE_STEP: Duration = Duration::from_millis(50);

/// Runs the simulation as the arguments say and returns what was acknowledged.
///
/// `out` gets the records of `--sink ndjson` without `--out`, otherwise the truth (unless
/// `--truth` names a file). Cancelling stops gracefully: what is on its way is waited for, and
/// the truth is still written.
///
/// # Errors
///
/// See [`Error`]. After a failure of Kafka in the middle the truth of what was acknowledged is
/// written before the error is returned.
pub async fn generate(
    args: GenerateArgs,
    cancel: CancellationToken,
    out: &mut dyn Write,
) -> Result<Truth, Error> {
    let stdout_taken = args.sink == SinkKind::Ndjson && args.out.is_none();
    let (mut pipeline, run) = prepare(&args, &mut *out)?;
    tracing::info!(
        world = %run.spec.fingerprint(),
        seed = run.spec.seed,
        start = %time_text(run.spec.start),
        replay_until = %time_text(run.replay_until),
        live = run.live,
        "generating"
    );
    let mut reached = run.spec.start;
    let mut result = drive(&mut pipeline, &run, args.speed, &cancel, &mut reached).await;
    if result.is_ok() {
        result = pipeline.finish();
    }
    if result.is_err() {
        pipeline.abandon();
    }
    let truth = pipeline.tally().truth(reached);
    drop(pipeline);
    if let Some(path) = &args.truth {
        write_whole(path, truth.to_json().as_bytes())?;
    } else if !stdout_taken {
        let path = PathBuf::from("standard output");
        out.write_all(truth.to_json().as_bytes())
            .and_then(|()| out.flush())
            .map_err(|source| Error::Write { path, source })?;
    }
    result?;
    Ok(truth)
}

fn prepare<'a>(args: &GenerateArgs, out: &'a mut dyn Write) -> Result<(Pipeline<'a>, Run), Error> {
    if args.sink == SinkKind::Kafka {
        let held = resume::read(&args.brokers, &args.topic_prefix)?;
        let run = plan(args, held.recorded, held.partitions, clock::now_ms())?;
        let sink = KafkaSink::connect(
            &args.brokers,
            &args.topic_prefix,
            &run.spec,
            &held.ends,
            args.delivery_timeout,
        )?;
        let sink = Sink::Kafka(Box::new(sink));
        return Ok((
            Pipeline::new(run.spec.clone(), sink, held.ends, held.lasts),
            run,
        ));
    }
    let run = plan(args, None, [PARTITIONS; 3], clock::now_ms())?;
    let sink = match (args.sink, &args.out) {
        (SinkKind::Ndjson, Some(path)) => {
            let file = std::fs::File::create(path).map_err(|source| Error::Write {
                path: path.clone(),
                source,
            })?;
            Sink::Ndjson(
                Box::new(BufWriter::with_capacity(1 << 18, file)),
                path.clone(),
            )
        }
        (SinkKind::Ndjson, None) => {
            let out = BufWriter::with_capacity(1 << 16, out);
            Sink::Ndjson(Box::new(out), PathBuf::from("standard output"))
        }
        (SinkKind::None | SinkKind::Kafka, _) => Sink::Nowhere,
    };
    let none = run.spec.partitions.map(|count| vec![0; count as usize]);
    let lasts = run.spec.partitions.map(|count| vec![None; count as usize]);
    Ok((Pipeline::new(run.spec.clone(), sink, none, lasts), run))
}

/// Moves simulated time on: as fast as possible (or `speed`) while behind, then with the clock.
async fn drive(
    pipeline: &mut Pipeline<'_>,
    run: &Run,
    speed: Option<f64>,
    cancel: &CancellationToken,
    reached: &mut i64,
) -> Result<(), Error> {
    let progress = progress_bar(run);
    let mut paced_since: Option<i64> = None;
    while *reached < run.until && !cancel.is_cancelled() {
        let now = clock::now_ms();
        let mut goal = if run.live {
            run.until.min(now)
        } else {
            run.until
        };
        if let Some(speed) = speed
            && *reached >= run.replay_until
        {
            let since = *paced_since.get_or_insert(now);
            let allowed = ((now - since) as f64 * speed) as i64;
            goal = goal.min(run.replay_until.saturating_add(allowed));
        }
        // short enough to notice a cancellation, long enough not to count
        let live_phase = run.spec.phase_at(*reached).rate.is_some();
        let step = reached.saturating_add(if live_phase { MINUTE / 12 } else { HOUR });
        let next = goal.min(step);
        if next > *reached {
            pipeline.run(next)?;
            *reached = next;
            progress.set_position(((*reached - run.spec.start) / 1_000) as u64);
            progress.set_message(format!("{} acknowledged", pipeline.tally().acknowledged()));
        } else {
            pipeline.poll()?;
        }
        if next == goal && goal < run.until {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = tokio::time::sleep(LIVE_STEP) => {}
            }
        } else {
            tokio::task::yield_now().await;
        }
    }
    progress.finish_and_clear();
    Ok(())
}

/// Simulated seconds, on stderr, and only on a terminal.
fn progress_bar(run: &Run) -> indicatif::ProgressBar {
    if run.until == i64::MAX {
        return indicatif::ProgressBar::hidden();
    }
    let length = ((run.until - run.spec.start) / 1_000) as u64;
    let style = indicatif::ProgressStyle::with_template(
        "generating {wide_bar} {percent:>3} % of simulated time, {msg}, {eta} left",
    )
    .expect("invariant: the template is well-formed");
    indicatif::ProgressBar::new(length).with_style(style)
}

/// Writes a file so that readers see the old or the new one, whole.
fn write_whole(path: &Path, contents: &[u8]) -> Result<(), Error> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    std::fs::write(&beside, contents)
        .and_then(|()| std::fs::rename(&beside, path))
        .map_err(|source| Error::Write {
            path: path.to_owned(),
            source,
        })
}
