//! Ctrl-C and SIGTERM.

use std::io;

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
