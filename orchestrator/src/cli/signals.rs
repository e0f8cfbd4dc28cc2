//! What a person says while a verb runs: Ctrl-C, SIGTERM, and answers to questions.

use std::io::{self, IsTerminal};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::run::execute::in_background;

/// A token that the first Ctrl-C or SIGTERM cancels. The second ends the process at once, for when the server
/// does not answer; what that leaves is described in `store/mod.rs`.
///
/// # Errors
/// The handlers cannot be installed.
pub(super) fn cancel_on_signal() -> io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let token = CancellationToken::new();
    let fired = token.clone();
    in_background(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if fired.is_cancelled() {
                #[expect(clippy::exit, reason = "asked for twice")]
                std::process::exit(2);
            }
            tracing::warn!("stopping; once more to leave at once");
            fired.cancel();
        }
    });
    Ok(token)
}

/// Asks on standard error and reads the answer; no terminal, no consent.
#[expect(clippy::print_stderr, reason = "a question is not data")]
pub(super) fn confirm(question: &str) -> bool {
    if !io::stdin().is_terminal() {
        eprintln!("{question}\nnobody is there to answer: pass --yes");
        return false;
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}
