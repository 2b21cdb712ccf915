//! The task of one application: events in, one after the other; each step is made durable before anything is done.

use std::sync::Arc;
use std::time::Duration;

use cardinal_adapter::journal::Entry;
use cardinal_adapter::time::UnixMs;
use cardinal_store::{Application, Commit, Lease, Status, Store, StoreError};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, info, info_span, warn};

use super::Shared;
use super::driver::{DriverError, Hands};
use super::monitor::{Evidence, evidence};
use super::record::{self, Ground};
use super::resources::{self, LoadError, Loaded};
use super::stats::Since;
use crate::decide::Resources;
use crate::decision::Answer;
use crate::foresight::Outlook;
use crate::input::DecisionInput;
use crate::metrics::MetricReading;
use crate::settings::{DriverSettings, LoopSettings};
use crate::state::{Act, ApplicationLoop, Course, Event, GivenOrder, LoopState, RecoverError, Step};

/// Events that wait for their turn; answers are never dropped, so there is no bound but the calls under way.
type Inbox = mpsc::UnboundedReceiver<(Event, Since)>;

/// The longest wait between two attempts to write.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// Why an application cannot be looked after.
#[derive(Debug, thiserror::Error)]
pub enum ActorError {
    /// The store does not give or take something.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored model or catalog cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// There is no driver.
    #[error("no driver")]
    Driver(#[from] DriverError),
    /// The journal does not fit.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The stored state cannot be read.
    #[error("the stored state of the loop cannot be read")]
    State(#[from] serde_json::Error),
    /// The settings make no sense.
    #[error("settings: {0}")]
    Settings(String),
}

/// One application that this host leads.
pub struct Actor {
    shared: Arc<Shared>,
    lease: Lease,
    running: ApplicationLoop,
    loaded: Loaded,
    driver: DriverSettings,
    generation: i64,
    hands: Hands,
    /// The state as it is stored.
    stored: Option<LoopState>,
    /// What is known of the loads that are forecast; learned anew after a restart.
    outlook: Outlook,
    /// When the loop wants to be woken.
    wake: tokio::time::Instant,
    inbox: Inbox,
    answers: mpsc::UnboundedSender<(Event, Since)>,
    poke: Arc<Notify>,
    stop: CancellationToken,
}

/// Whether the application is looked after any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Going {
    On,
    Over,
}

impl Actor {
    /// Takes an application over where its last leader left it.
    pub async fn begin(
        shared: Arc<Shared>,
        lease: Lease,
        poke: Arc<Notify>,
        stop: CancellationToken,
    ) -> Result<(Self, mpsc::UnboundedSender<(Event, Since)>), ActorError> {
        let store = &shared.store;
        let seen = store.overview(&lease.application).await?;
        let application = seen.application;
        let (loaded, settings) = load(&shared, &application).await?;
        let hands = Hands::of(&shared, &application.name, &settings.driver).await?;
        let stored = match store.loop_state(&application.name).await? {
            Some(text) => Some(serde_json::from_str::<LoopState>(&text)?),
            None => None,
        };
        let running = match &stored {
            Some(state) => {
                let journal = match record::executing(state) {
                    Some(plan) => journal(store, plan).await?,
                    None => Vec::new(),
                };
                ApplicationLoop::recover(state.clone(), &journal)?
            }
            None => {
                let (model, catalog, numbers) = (loaded.model, loaded.catalog.digest, settings.clone());
                let fresh = ApplicationLoop::new(&application.name, model, catalog, numbers, shared.now());
                match store.former_loop_state(&application.name).await? {
                    Some(text) => fresh.after(&serde_json::from_str(&text)?),
                    None => fresh,
                }
            }
        };
        // The first step writes the state of what was broken, so that it no longer shows as such.
        let stored = stored.filter(|_| seen.broken.is_none() && seen.glance.is_some());
        shared.monitors.watch(&application.name, &loaded.resources.application);
        let (answers, inbox) = mpsc::unbounded_channel();
        let outside = answers.clone();
        let actor = Actor {
            lease,
            running,
            loaded,
            driver: settings.driver,
            generation: application.generation,
            hands,
            stored,
            outlook: Outlook::default(),
            wake: tokio::time::Instant::now(),
            inbox,
            answers,
            poke,
            stop,
            shared,
        };
        Ok((actor, outside))
    }

    /// Looks after the application until it is gone, the lease is lost or the host stops.
    pub async fn run(mut self) {
        let span = info_span!("application", name = self.lease.application);
        async {
            match self.go().await {
                Ok(()) => debug!("let go"),
                Err(ActorError::Store(StoreError::Fenced { .. })) => {
                    info!("another replica leads the application now");
                }
                Err(error) => self.shared.tell_broken(&self.lease, &error).await,
            }
        }
        .instrument(span)
        .await;
    }

    /// The number of the decision that is made, or whose plan is proposed or carried out.
    fn decision(&self) -> Option<u64> {
        match &self.running.state().course {
            Course::Deciding { input } => Some(input.number),
            Course::Proposed { decision, .. } | Course::Executing { decision, .. } => Some(*decision),
            Course::Idle | Course::Gone => None,
        }
    }

    async fn go(&mut self) -> Result<(), ActorError> {
        let known = self.shared.store.metrics(&self.lease.application).await?;
        let first = (Event::Metrics(known.into_iter().map(reading).collect()), Since::none());
        if self.take(vec![first], Vec::new()).await? == Going::Over || self.look().await? == Going::Over {
            return Ok(());
        }
        loop {
            let stop = self.stop.clone();
            let going = tokio::select! {
                biased;
                () = stop.cancelled() => Going::Over,
                Some((event, since)) = self.inbox.recv() => self.take(vec![(event, since)], Vec::new()).await?,
                () = self.poke.notified() => self.look().await?,
                () = tokio::time::sleep_until(self.wake) => self.take(vec![(Event::Wake, Since::none())], Vec::new()).await?,
            };
            if going == Going::Over {
                return Ok(());
            }
        }
    }

    /// What has changed in the store: the model, the catalog, metrics, orders.
    async fn look(&mut self) -> Result<Going, ActorError> {
        let store = self.shared.store.clone();
        let name = self.lease.application.clone();
        let application = match store.application(&name).await {
            Ok(application) if application.status == Status::Gone => return Ok(Going::Over),
            Ok(application) => application,
            Err(StoreError::NotFound { .. }) => return Ok(Going::Over),
            Err(error) => return Err(error.into()),
        };
        let mut events = Vec::new();
        self.look_at_model(&application, &mut events).await?;
        self.look_at_catalog(&mut events).await?;
        let mut taken = Vec::new();
        for row in store.orders(&name).await? {
            taken.push(row.id);
            match serde_json::from_str::<GivenOrder>(&row.order) {
                Ok(GivenOrder { order, scope }) => {
                    events.push((Event::Person { by: row.by, scope, order }, Since::at(row.at)));
                }
                Err(error) => warn!(application = name, order = row.id, %error, "an order cannot be read"),
            }
        }
        if events.is_empty() {
            events.push((Event::Wake, Since::none()));
        }
        self.take(events, taken).await
    }

    async fn look_at_model(
        &mut self,
        application: &Application,
        events: &mut Vec<(Event, Since)>,
    ) -> Result<(), ActorError> {
        let is_new = application.generation != self.generation;
        if !is_new && application.digest == self.running.state().model {
            return Ok(());
        }
        let (loaded, settings) = load(&self.shared, application).await?;
        if settings.driver != self.driver {
            self.hands = Hands::of(&self.shared, &application.name, &settings.driver).await?;
        }
        self.shared.monitors.watch(&application.name, &loaded.resources.application);
        self.outlook.renew();
        (self.loaded, self.driver, self.generation) = (loaded, settings.driver.clone(), application.generation);
        events.push((Event::Model { model: self.loaded.model, settings: Box::new(settings) }, Since::none()));
        Ok(())
    }

    async fn look_at_catalog(&mut self, events: &mut Vec<(Event, Since)>) -> Result<(), ActorError> {
        let digest = self.shared.current_catalog().await?;
        if digest != self.loaded.catalog.digest {
            self.loaded.catalog = self.shared.library.catalog(&self.shared.store, digest).await?;
            self.loaded.resources.catalog = self.loaded.catalog.catalog.clone();
            self.outlook.renew();
        }
        if digest != self.running.state().catalog {
            events.push((Event::Catalog { catalog: digest }, Since::none()));
        }
        Ok(())
    }

    /// Steps through events, makes what follows durable, then does it.
    async fn take(&mut self, events: Vec<(Event, Since)>, orders: Vec<i64>) -> Result<Going, ActorError> {
        let (mut commit, mut acts) = (Commit::default(), Vec::new());
        let mut news = None;
        let mut latest = Since::none();
        let decision = self.decision();
        for (event, since) in events {
            latest = latest.or(since);
            let now = self.shared.now();
            let deciding = match &self.running.state().course {
                Course::Deciding { input } => Some(input.clone()),
                _ => None,
            };
            let event = match event {
                Event::Metrics(readings) => Event::Metrics(self.foresee(readings, now)),
                other => other,
            };
            let paid = self.running.executor().map(|e| e.plan().content().summary.cost_before_nanos);
            let Step { writes, acts: more, wake_at } = self.running.step(now, &self.loaded.resources, event);
            self.shared.stats.count(&writes, self.running.state(), paid, since, now);
            let stored = news.as_deref().or(self.stored.as_ref());
            let (rows, state) = record::rows(writes, &Ground { stored, deciding: deciding.as_deref(), now });
            join(&mut commit, rows);
            news = state.or(news);
            acts.extend(more);
            if let Some(at) = wake_at {
                self.wake = tokio::time::Instant::now() + Duration::from_millis(at.ms_since(now).min(86_400_000));
            }
        }
        commit.orders = orders;
        self.write(&commit).await?;
        let decision = decision.or(self.decision());
        for event in &commit.events {
            info!(decision, kind = event.kind, body = event.body, "told");
        }
        if let Some(state) = news {
            self.stored = Some(*state);
        }
        for act in acts {
            self.act(act, latest);
        }
        let gone = self.running.state().course == Course::Gone;
        Ok(if gone { Going::Over } else { Going::On })
    }

    /// Metrics with a forecast become what to be ready for.
    fn foresee(&mut self, readings: Vec<(String, MetricReading)>, now: UnixMs) -> Vec<(String, MetricReading)> {
        let (running, resources) = (&self.running, &self.loaded.resources);
        self.outlook.pass(&running.state().settings.forecast, || running.snapshot(now, resources), readings)
    }

    /// Writes until it is written: nothing may be done before.
    async fn write(&mut self, commit: &Commit) -> Result<(), ActorError> {
        if *commit == Commit::default() {
            return Ok(());
        }
        let mut wait = Duration::from_millis(50);
        loop {
            match self.shared.store.commit(&self.lease, self.shared.now(), commit).await {
                Ok(event) => {
                    self.shared.written(event);
                    return Ok(());
                }
                Err(error @ StoreError::Unavailable { .. }) => {
                    warn!(%error, "not written; it is tried again");
                    self.shared.stats.unwritten();
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(RETRY_MAX);
                    if self.stop.is_cancelled() {
                        return Err(error.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Begins something; its answer comes back as an event.
    fn act(&self, act: Act, since: Since) {
        let (shared, answers, lease) = (self.shared.clone(), self.answers.clone(), self.lease.clone());
        let hands = self.hands.clone();
        match act {
            Act::Decide(input) => {
                let loaded = self.loaded.clone();
                let span = info_span!("decision", number = input.number);
                let work = async move {
                    // A decision that was under way before a restart may be about an older model or catalog.
                    let is_current = input.model == loaded.model && input.catalog == loaded.catalog.digest;
                    let loaded = if is_current { Ok(loaded) } else { older(&shared, &input, loaded).await };
                    if let Some(decision) = shared.decide(input, loaded).await {
                        if let Answer::Failed { message } = &decision.answer {
                            warn!(reason = message, "the decision could not be made; it is tried again");
                        }
                        // The loop may be over by now.
                        let _ = answers.send((Event::Decided(Box::new(decision)), since));
                    }
                };
                tokio::spawn(work.instrument(span));
            }
            Act::Call(call) => {
                let (token, attempt) = (call.token, call.attempt);
                let span =
                    info_span!("call", decision = self.decision(), plan = %token.plan, action = token.action, attempt);
                let work = async move {
                    if !shared.still_leads(&lease) {
                        return;
                    }
                    shared.stats.called();
                    let result = hands.act(&lease, shared.now(), *call).await;
                    match &result {
                        Ok(progress) => debug!(?progress, "the driver answered"),
                        Err(fault) => warn!(%fault, "the driver did not do it"),
                    }
                    let _ = answers.send((Event::Answered { token, attempt, result }, Since::none()));
                };
                tokio::spawn(work.instrument(span));
            }
            Act::Observe => {
                let work = async move {
                    match hands.observe(shared.now(), &lease.application).await {
                        Ok(seen) => drop(answers.send((Event::Observed(Box::new(seen)), Since::none()))),
                        // It is looked at again in its time.
                        Err(error) => warn!(%error, "what runs cannot be seen"),
                    }
                };
                tokio::spawn(work.in_current_span());
            }
        }
    }
}

/// The model and the offers of an application, and how it is to be looked after.
async fn load(shared: &Shared, application: &Application) -> Result<(Loaded, LoopSettings), ActorError> {
    let model = shared.store.model(&application.name, application.generation).await?;
    let digest = shared.current_catalog().await?;
    let catalog = shared.library.catalog(&shared.store, digest).await?;
    let meaning = resources::application(&application.name, &application.format, &model.text)?;
    let settings = settings(&application.settings, &meaning)?;
    let loaded = Loaded {
        resources: Resources { application: meaning, catalog: catalog.catalog.clone() },
        model: model.version.digest,
        format: model.version.format,
        model_text: model.text.into(),
        catalog,
    };
    Ok((loaded, settings))
}

/// The model and offers that a decision is about, where they are not those of now; otherwise these with the reason.
async fn older(shared: &Shared, input: &DecisionInput, now: Loaded) -> Result<Loaded, (Loaded, String)> {
    match found(shared, input).await {
        Ok(loaded) => Ok(loaded),
        Err(error) => Err((now, error.to_string())),
    }
}

async fn found(shared: &Shared, input: &DecisionInput) -> Result<Loaded, ActorError> {
    let model = shared.store.model_by_digest(input.model).await?;
    let catalog = shared.library.catalog(&shared.store, input.catalog).await?;
    let meaning = resources::application(&input.application, &model.version.format, &model.text)?;
    Ok(Loaded {
        resources: Resources { application: meaning, catalog: catalog.catalog.clone() },
        model: model.version.digest,
        format: model.version.format,
        model_text: model.text.into(),
        catalog,
    })
}

/// How an application is to be looked after: as is stored, or as its model says.
fn settings(stored: &str, meaning: &cardinal_models::application::Application) -> Result<LoopSettings, ActorError> {
    if stored.trim().is_empty() {
        return Ok(LoopSettings::of(meaning));
    }
    let settings: LoopSettings =
        serde_json::from_str(stored).map_err(|error| ActorError::Settings(error.to_string()))?;
    let mistakes = settings.mistakes();
    if mistakes.is_empty() { Ok(settings) } else { Err(ActorError::Settings(mistakes.join("; "))) }
}

async fn journal(store: &Store, plan: cardinal_adapter::digest::Digest) -> Result<Vec<Entry>, ActorError> {
    let lines = store.journal(plan).await?;
    let entries: Result<Vec<Entry>, _> = lines.iter().map(|line| serde_json::from_str(line)).collect();
    Ok(entries?)
}

/// A value as the loop takes it.
pub fn reading(row: cardinal_store::MetricRow) -> (String, MetricReading) {
    let Evidence { samples, partial, .. } = evidence(row.labels.as_deref());
    (row.name, MetricReading { samples, partial, ..MetricReading::new(row.value, row.at) })
}

/// Puts the rows of a later step behind those of an earlier one.
fn join(commit: &mut Commit, later: Commit) {
    let Commit { state, glance, decisions, plans, plan_statuses, journal, events, status, .. } = later;
    commit.state = state.or(commit.state.take());
    commit.glance = glance.or(commit.glance.take());
    commit.decisions.extend(decisions);
    commit.plans.extend(plans);
    commit.plan_statuses.extend(plan_statuses);
    commit.journal.extend(journal);
    commit.events.extend(events);
    commit.status = status.or(commit.status.take());
}
