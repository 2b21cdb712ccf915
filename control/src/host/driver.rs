//! The driver of an application, as its settings ask for it.

use std::sync::Arc;

use cardinal_adapter::driver::simulated::{CloudSettings, CloudState, SimulatedCloud};
use cardinal_adapter::driver::webhook::{Secret, Transport, Webhook};
use cardinal_adapter::driver::{Call, Driver, Fault, FaultClass, Observation, Progress};
use cardinal_adapter::time::UnixMs;
use cardinal_store::{Lease, Store, StoreError};
use tokio::sync::Mutex;

use super::Shared;
use crate::settings::DriverSettings;

/// What carries an application's actions out.
#[derive(Clone)]
pub enum Hands {
    /// The simulated cloud. What it has done is durable before it answers, as in a real one.
    Simulated {
        /// The cloud.
        cloud: Arc<SimulatedCloud>,
        /// Where it is kept.
        store: Store,
        /// One after the other, so that no older state is kept over a newer one.
        turn: Arc<Mutex<()>>,
    },
    /// A driver that talks to the world and may block.
    World(Arc<dyn Driver>),
}

/// How requests of drivers are sent.
pub type Wire = Arc<dyn Transport>;

/// Why there is no driver.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The store does not give what it needs.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The settings do not make sense.
    #[error("{0}")]
    Settings(String),
}

/// A transport that several drivers use.
struct Line(Wire);

impl Transport for Line {
    fn send(
        &self,
        request: &cardinal_adapter::driver::webhook::Request,
    ) -> Result<cardinal_adapter::driver::webhook::Answer, String> {
        self.0.send(request)
    }
}

impl Hands {
    /// The driver of an application.
    ///
    /// # Errors
    /// When the store does not give its cloud or its secret, or its address makes no sense.
    pub(super) async fn of(shared: &Shared, application: &str, settings: &DriverSettings) -> Result<Self, DriverError> {
        let store = &shared.store;
        match settings {
            DriverSettings::Simulated { cloud } => {
                let kept = store.cloud(application).await?;
                let cloud = match kept {
                    None if **cloud == CloudSettings::default() => SimulatedCloud::new(shared.cloud.clone()),
                    None => SimulatedCloud::new((**cloud).clone()),
                    Some(text) => {
                        let state: CloudState = serde_json::from_str(&text)
                            .map_err(|e| DriverError::Settings(format!("the stored cloud cannot be read: {e}")))?;
                        SimulatedCloud::restore(state)
                    }
                };
                Ok(Hands::Simulated { cloud: Arc::new(cloud), store: store.clone(), turn: Arc::default() })
            }
            DriverSettings::Webhook { url, secret } => {
                let bytes = store.secret(secret).await?;
                let secret = Secret::new(bytes.expose().to_vec()).map_err(DriverError::Settings)?;
                let webhook = Webhook::new(url, secret, Line(shared.wire.clone())).map_err(DriverError::Settings)?;
                Ok(Hands::World(Arc::new(webhook)))
            }
        }
    }

    /// Carries a call out.
    ///
    /// # Errors
    /// As [`Driver::act`].
    pub async fn act(&self, lease: &Lease, now: UnixMs, call: Call) -> Result<Progress, Fault> {
        match self {
            Hands::Simulated { cloud, store, turn } => {
                let _turn = turn.lock().await;
                let answer = cloud.act(now, &call);
                keep(cloud, store, lease, now).await?;
                answer
            }
            Hands::World(driver) => {
                let driver = driver.clone();
                blocking(move || driver.act(now, &call)).await
            }
        }
    }

    /// What there is.
    ///
    /// # Errors
    /// As [`Driver::observe`].
    pub async fn observe(&self, now: UnixMs, application: &str) -> Result<Observation, Fault> {
        match self {
            Hands::Simulated { cloud, .. } => cloud.observe(now, application),
            Hands::World(driver) => {
                let (driver, application) = (driver.clone(), application.to_owned());
                blocking(move || driver.observe(now, &application)).await
            }
        }
    }
}

/// Makes the state of the cloud durable. An effect that is not is taken for one whose answer was lost.
async fn keep(cloud: &SimulatedCloud, store: &Store, lease: &Lease, now: UnixMs) -> Result<(), Fault> {
    let lost = |why: String| Fault::new(FaultClass::Unanswered, format!("the simulated cloud cannot be kept: {why}"));
    let text = serde_json::to_string(&cloud.state()).map_err(|e| lost(e.to_string()))?;
    store.set_cloud(lease, now, &text).await.map_err(|e| lost(e.to_string()))
}

/// Runs something that may block on a thread that may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Fault> + Send + 'static) -> Result<T, Fault> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|error| Err(Fault::new(FaultClass::Unanswered, format!("the driver failed: {error}"))))
}
