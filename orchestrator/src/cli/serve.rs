//! `ridehail serve`.

use std::process::ExitCode;
use std::sync::Arc;

use chrono::TimeDelta;
use clap::Args;
use lake::args::LakeArgs;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::archive::LogProgress;
use super::signals;
use crate::clock::SystemClock;
use crate::config::{ProjectArgs, ServeArgs, StoreArgs};
use crate::run::invoke::{Context, LakeAccess, Recording};
use crate::run::prepare::load;
use crate::run::request::{Command, Request};
use crate::schedule::fleet::Fleet;
use crate::schedule::service::Service;
use crate::store::leases::Holder;
use crate::store::{Address, Store};
use crate::web::Web;

/// Runs jobs when they are due, and shows what happens.
#[derive(Debug, Args)]
pub struct ServeVerb {
    #[command(flatten)]
    serve: ServeArgs,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    lake: LakeArgs,
}

/// Connections of the scheduler, the pages and the recorders together.
const CONNECTIONS: u32 = 8;

pub(super) async fn execute(args: ServeVerb) -> anyhow::Result<ExitCode> {
    let cancel = signals::cancel_on_signal()?;
    let clock = SystemClock::shared();
    let place = args.project.place();
    let project = {
        let (place, request) = (
            place.clone(),
            args.project.apply(Request::new(Command::Build)),
        );
        let now = clock.now();
        spawn_blocking(move || load(&place, &request, "serve", now, Uuid::new_v4())).await??
    };
    let name = project.name;
    let address = args
        .store
        .address()
        .unwrap_or_else(|| Address::Target(Box::new(project.profile.target)));
    let store = Store::open(&address, CONNECTIONS).await?;
    let holder = Holder::this_process();
    let web = Web::bind(
        args.serve.listen,
        store.clone(),
        Arc::clone(&clock),
        holder.name.clone(),
        name.clone(),
    )
    .await?;
    if let Some(address) = web.address() {
        tracing::info!("serving http://{address}/");
    }
    let context = Context {
        place: place.clone(),
        recording: Recording::In(store.clone()),
        holder: holder.clone(),
        clock: Arc::clone(&clock),
        // several runs at once would write the same files
        artifacts: false,
        lake: Some(LakeAccess {
            args: args.lake,
            reporter: Arc::new(LogProgress),
        }),
    };
    let fleet = Fleet::new(
        context,
        store.clone(),
        name.clone(),
        args.serve.max_runs,
        cancel.clone(),
    );
    let keep = args.serve.keep_runs_days;
    let service = Service {
        store: store.clone(),
        holder,
        clock,
        project_dir: place.project_dir,
        project: name,
        fleet,
        keep_runs: (keep > 0).then(|| TimeDelta::days(keep.into())),
    };
    // either one ending badly ends the other
    let scheduling = async {
        let done = Box::pin(service.run(cancel.clone())).await;
        cancel.cancel();
        done
    };
    let serving = async {
        let done = web.serve(cancel.clone()).await;
        cancel.cancel();
        done
    };
    let (scheduled, served) = tokio::join!(scheduling, serving);
    scheduled?;
    served?;
    store.close().await;
    Ok(ExitCode::SUCCESS)
}
