//! The database of the service, as the commands open it.

use cardinal_edge::failure::Failure;
use cardinal_edge::finding::Finding;
use cardinal_store::{KeyRing, Keys, Store, StoreError, StoreOptions, StoreUrl};
use tokio::runtime::{Builder, Runtime};

use crate::arguments::serve::Database;

/// What runs the commands that wait.
pub fn runtime() -> Result<Runtime, Failure> {
    Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal(format!("no threads can be started: {error}")))
}

/// Opens the database that the arguments name.
pub async fn open(arguments: &Database) -> Result<Store, Failure> {
    let url: StoreUrl = arguments.database.parse().map_err(refused)?;
    let keys = match (&arguments.secret_key_file, arguments.secret_key()) {
        (Some(file), _) => Keys::Given(KeyRing::from_file(file).map_err(refused)?),
        (None, Some(text)) => Keys::Given(KeyRing::parse(text).map_err(refused)?),
        (None, None) => Keys::Beside,
    };
    Store::open(&url, &StoreOptions { keys, ..StoreOptions::default() }).await.map_err(refused)
}

/// A store that cannot be used, or has not what is asked for: told with all its causes.
pub fn refused(error: StoreError) -> Failure {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(deeper) = cause {
        message = format!("{message}: {deeper}");
        cause = deeper.source();
    }
    Failure::from(Finding::error(message))
}
