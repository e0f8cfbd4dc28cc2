//! `ridehail archive views`.

use std::process::ExitCode;

use clap::Args;
use lake::ledger::tables;

use super::{Advice, Common};
use crate::archive::views::refresh;
use crate::cli::printer::Printer;
use crate::clock::{Clock, SystemClock};

/// Makes `live.<table>` and the view over its newest hours alone, for policies that name where those are.
/// `archive run` does the same at its end.
#[derive(Debug, Args)]
pub(super) struct ViewsArgs {
    #[command(flatten)]
    common: Common,
}

pub(super) async fn execute(args: ViewsArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let opened = args.common.open().await?;
    let trino = opened.lake.trino().ok_or_else(no_trino)?;
    let now = SystemClock.now();
    let mut made = 0;
    for archived in &opened.policies {
        let policy = &archived.policy;
        let Some(live) = &policy.live else { continue };
        let Some(table) = tables::get(opened.lake.pool(), &policy.table).await? else {
            tracing::warn!(table = %policy.table, "no archive yet: `ridehail archive run` begins one");
            continue;
        };
        for name in refresh(trino, &args.common.lake.names, &table, live, now).await? {
            printer.line(&format!("{}.{name}", args.common.lake.names.trino_lake));
            made += 1;
        }
    }
    if made == 0 {
        tracing::warn!("no archived table has a policy with `live`");
    }
    Ok(ExitCode::SUCCESS)
}

/// The advice of every verb that cannot do without.
pub(in crate::cli) fn no_trino() -> Advice {
    Advice {
        what: "there is no Trino to ask: RIDEHAIL_TRINO_URL is not set".to_owned(),
        hint: "start it with `make up` (it needs a JDK 25) and set the variables: eval \"$(make -s env)\""
            .to_owned(),
    }
}
