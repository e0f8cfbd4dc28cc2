//! Connections, made while the project is read: neither waits for the other.

use chrono::{DateTime, Utc};
use project::{PostgresTarget, Profile};
use tokio::task::{JoinHandle, spawn_blocking};
use uuid::Uuid;
use warehouse::Warehouse;

use super::walk::Connected;
use super::{Context, Error, Recording};
use crate::run::prepare::{Prepared, options};
use crate::run::request::Request;
use crate::store::{self, Address, Line, Store};

/// The store, and a connection of it that is the run's own.
pub(super) type Open = (Store, Option<Line>);

struct Made {
    store: Result<Option<Open>, Error>,
    warehouse: Option<Connected>,
}

/// Connections on their way.
pub(super) struct Opening {
    /// `None` when the profile cannot be read: reading the project tells why.
    made: JoinHandle<Option<Made>>,
}

impl Opening {
    /// Reads the profile and connects to where it says.
    pub(super) fn begin(
        context: &Context,
        request: &Request,
        started_at: DateTime<Utc>,
        invocation_id: Uuid,
    ) -> Self {
        let which = request.command.word();
        let options = options(&context.place, request, which, started_at, invocation_id);
        let (recording, request) = (context.recording.clone(), request.clone());
        let made = tokio::spawn(async move {
            let profile = spawn_blocking(move || project::load::profile(&options));
            let profile = profile.await.ok()?.ok()?;
            let (store, warehouse) =
                tokio::join!(store(&recording, &profile), connect(&request, &profile),);
            Some(Made { store, warehouse })
        });
        Self { made }
    }

    /// The store if the run is to be recorded, and the database to build in if anything is to be built there.
    pub(super) async fn ready(
        mut self,
        prepared: &Prepared,
    ) -> Result<(Option<Open>, Option<Connected>), Error> {
        let made = (&mut self.made).await;
        let made = made.map_err(|panic| Error::Bug(panic.to_string()))?;
        let made = made.ok_or_else(|| Error::Bug("the profile is read once only".to_owned()))?;
        let warehouse = made.warehouse.filter(|_| !prepared.nodes.is_empty());
        Ok((made.store?, warehouse))
    }
}

/// Nobody waits for connections to a project that cannot be read.
impl Drop for Opening {
    fn drop(&mut self) {
        self.made.abort();
    }
}

async fn store(recording: &Recording, profile: &Profile) -> Result<Option<Open>, Error> {
    match recording {
        Recording::Off => Ok(None),
        Recording::In(store) => Ok(Some((store.clone(), None))),
        Recording::At(Some(address)) => open(address).await.map(Some),
        Recording::At(None) => {
            let target = Box::new(profile.target.clone());
            open(&Address::Target(target)).await.map(Some)
        }
    }
}

/// Opens the store. Where that is the database to build in, one that is away is told of in the words for that.
async fn open(address: &Address) -> Result<Open, Error> {
    let error = match Store::open_line(address, 2).await {
        Ok((store, line)) => return Ok((store, Some(line))),
        Err(error) => error,
    };
    if let (Address::Target(target), store::Error::Connect { .. }) = (address, &error)
        && let Err(error) = away(target).await
    {
        return Err(Error::Warehouse(error));
    }
    Err(error.into())
}

async fn away(target: &PostgresTarget) -> Result<(), warehouse::Error> {
    Warehouse::connect(target, 1).await.map(|_| ())
}

async fn connect(request: &Request, profile: &Profile) -> Option<Connected> {
    if request.command.of_lake().is_some() {
        return None;
    }
    let threads = request.threads(profile.threads);
    Some(Warehouse::connect(&profile.target, threads).await)
}
