//! The numbers of the loop. Every one has a default and can be set for each application.

use std::collections::BTreeMap;

use cardinal_adapter::authorise::Authorisation;
use cardinal_adapter::diff::StartupTimes;
use cardinal_adapter::driver::simulated::CloudSettings;
use cardinal_adapter::execute::ExecutePolicy;
use cardinal_adapter::gate::GatePolicy;
use cardinal_adapter::plan::Rolling;
use cardinal_models::application::Application;
use cardinal_models::document::ReconfigureMode;
use serde::{Deserialize, Deserializer, Serialize};

use crate::foresight::MetricForecast;
use crate::metrics::MetricPolicy;

/// The largest `nodes_max`: a plan of so many nodes takes a gigabyte.
pub const NODES_MAX: u64 = 25_000;
/// The largest `instances_max`.
pub const INSTANCES_MAX: u64 = 100_000;

/// How an application is looked after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoopSettings {
    /// Time between two regular decisions, in milliseconds. Default: 5 minutes.
    pub every_ms: u64,
    /// Regular decisions come up to this share of their period later, so that many applications do not come at once.
    /// Default: 0.1.
    pub jitter: f64,
    /// Triggers that are not urgent wait this long for others to come, in milliseconds. Default: 5 seconds.
    pub coalesce_ms: u64,
    /// Time between two looks at what runs, in milliseconds. Default: 30 seconds.
    pub observe_ms: u64,
    /// What may happen without a person.
    pub mode: Mode,
    /// When values of metrics are too old, and what happens then.
    pub metrics: MetricPolicy,
    /// The loads for which to hold room, by metric: the loop sees what to be ready for instead of what is measured.
    /// Default: none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub forecast: BTreeMap<String, MetricForecast>,
    /// How long a decision may solve, and how exactly.
    pub solve: SolveSettings,
    /// When a change is worth its disturbance.
    pub gate: GatePolicy,
    /// Which plans may begin: policies, and the time zone that they see. Default: every plan.
    pub authorise: Authorisation,
    /// The limits of a rolling change.
    pub rolling: Rolling,
    /// How persistently plans are carried out.
    pub execute: ExecutePolicy,
    /// How long nodes take to come and to go.
    pub startup: StartupTimes,
    /// How long an offer is left out after its provider had no machine or no quota for it, in milliseconds. Default: 15
    /// minutes.
    pub unavailable_ms: u64,
    /// The wait after a plan that did not reach its target, in milliseconds; it doubles with each one. Default: 1 minute.
    pub retry_ms: u64,
    /// The longest such wait, in milliseconds. Default: 1 hour.
    pub retry_ms_max: u64,
    /// The most nodes that a deployment may have: what would need more is refused, because plans are held in memory.
    /// Default: 5,000.
    pub nodes_max: u64,
    /// The most instances, for the same reason. Default: 20,000.
    pub instances_max: u64,
    /// How long a proposed plan waits for a person, in milliseconds. Default: 24 hours.
    pub approval_ms: u64,
    /// What carries the actions out. Default: the simulated cloud.
    #[serde(skip_serializing_if = "DriverSettings::is_default", deserialize_with = "null_is_default")]
    pub driver: DriverSettings,
}

impl Default for LoopSettings {
    fn default() -> Self {
        LoopSettings {
            every_ms: 300_000,
            jitter: 0.1,
            coalesce_ms: 5_000,
            observe_ms: 30_000,
            mode: Mode::default(),
            metrics: MetricPolicy::default(),
            forecast: BTreeMap::new(),
            solve: SolveSettings::default(),
            gate: GatePolicy::default(),
            authorise: Authorisation::default(),
            rolling: Rolling::default(),
            execute: ExecutePolicy::default(),
            startup: StartupTimes::default(),
            unavailable_ms: 900_000,
            retry_ms: 60_000,
            retry_ms_max: 3_600_000,
            nodes_max: 5_000,
            instances_max: 20_000,
            approval_ms: 86_400_000,
            driver: DriverSettings::default(),
        }
    }
}

impl LoopSettings {
    /// The settings that a model states, and the defaults of all others.
    pub fn of(application: &Application) -> Self {
        let mut settings = LoopSettings::default();
        if let Some(every_s) = application.every_s {
            settings.every_ms = (every_s * 1000.0).clamp(1_000.0, 1e12) as u64;
        }
        if let Some(mode) = application.mode {
            settings.mode = mode.into();
        }
        for forecast in &application.forecasts {
            let ms = |seconds: Option<f64>, default: u64| seconds.map_or(default, |s| (s * 1000.0) as u64);
            let default = MetricForecast::new(forecast.violation);
            let made = MetricForecast {
                lead_ms: ms(forecast.lead_s, default.lead_ms),
                step_ms: ms(forecast.step_s, default.step_ms),
                seasons: forecast.seasons.unwrap_or(default.seasons),
                ..default
            };
            settings.forecast.insert(application.metrics[forecast.metric.index()].name.to_string(), made);
        }
        settings
    }

    /// What is wrong with the numbers, each with the name of the setting; nothing when all make sense.
    pub fn mistakes(&self) -> Vec<String> {
        let mut mistakes: Vec<String> = self.gate.mistakes().iter().map(|m| format!("gate.{m}")).collect();
        mistakes.extend(self.authorise.mistakes().iter().map(|m| format!("authorise.{m}")));
        for (metric, forecast) in &self.forecast {
            mistakes.extend(forecast.mistakes().iter().map(|m| format!("forecast.{metric}.{m}")));
        }
        for (name, value) in [("every_ms", self.every_ms), ("observe_ms", self.observe_ms)] {
            if value < 1_000 {
                mistakes.push(format!("{name} is {value}; write at least 1000"));
            }
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            mistakes.push(format!("jitter is {}; write a share from 0 to 1", self.jitter));
        }
        for (name, value, most) in
            [("nodes_max", self.nodes_max, NODES_MAX), ("instances_max", self.instances_max, INSTANCES_MAX)]
        {
            if !(1..=most).contains(&value) {
                mistakes.push(format!("{name} is {value}; write a number from 1 to {most}"));
            }
        }
        if self.solve.retry_ms < 1_000 {
            mistakes.push(format!("solve.retry_ms is {}; write at least 1000", self.solve.retry_ms));
        }
        if !(self.solve.gap.is_finite() && self.solve.gap >= 0.0) {
            mistakes.push(format!("solve.gap is {}; write a number that is not negative", self.solve.gap));
        }
        if let DriverSettings::Webhook { url, .. } = &self.driver
            && !(url.starts_with("https://") || url.starts_with("http://"))
        {
            mistakes.push(format!("driver.url is `{url}`; write an address such as https://automation.example.com"));
        }
        if self.solve.time_limit_ms == 0 {
            mistakes.push("solve.time_limit_ms is 0; write a number of milliseconds, such as 10000".to_owned());
        }
        mistakes
    }
}

/// In a patch of settings null stands for the default.
fn null_is_default<'de, D: Deserializer<'de>>(from: D) -> Result<DriverSettings, D::Error> {
    Option::<DriverSettings>::deserialize(from).map(Option::unwrap_or_default)
}

/// What carries the actions of an application out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DriverSettings {
    /// The simulated cloud, kept in the store.
    Simulated {
        /// Its start-up times and faults. They count when the application first runs; what is there stays as it is.
        #[serde(default)]
        cloud: Box<CloudSettings>,
    },
    /// An automation of one's own, by signed HTTP requests.
    Webhook {
        /// Its address.
        url: String,
        /// The name of the stored secret that signs the requests.
        secret: String,
    },
}

impl DriverSettings {
    fn is_default(&self) -> bool {
        *self == DriverSettings::default()
    }
}

impl Default for DriverSettings {
    fn default() -> Self {
        DriverSettings::Simulated { cloud: Box::default() }
    }
}

/// What may happen without a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Decide and record, change nothing.
    Observe,
    /// Propose a plan that a person approves.
    #[default]
    Recommend,
    /// Apply what passes the gate and is small; propose the rest.
    AutomaticSmall,
    /// Apply what passes the gate.
    Automatic,
}

impl Mode {
    /// The word in settings and policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Observe => "observe",
            Mode::Recommend => "recommend",
            Mode::AutomaticSmall => "automatic-small",
            Mode::Automatic => "automatic",
        }
    }
}

impl From<ReconfigureMode> for Mode {
    fn from(mode: ReconfigureMode) -> Self {
        match mode {
            ReconfigureMode::Observe => Mode::Observe,
            ReconfigureMode::Recommend => Mode::Recommend,
            ReconfigureMode::AutomaticSmall => Mode::AutomaticSmall,
            ReconfigureMode::Automatic => Mode::Automatic,
        }
    }
}

/// How long a decision may solve, and how exactly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SolveSettings {
    /// The longest time to take, in milliseconds. Default: 10 seconds.
    pub time_limit_ms: u64,
    /// Stop when the proven relative gap is at most this. Default: 0.
    pub gap: f64,
    /// The wait after a decision that could not be made, because a worker or the solver failed, in milliseconds; it
    /// doubles with each one up to `retry_ms` of the loop. Default: 5 seconds.
    pub retry_ms: u64,
}

impl Default for SolveSettings {
    fn default() -> Self {
        SolveSettings { time_limit_ms: 10_000, gap: 0.0, retry_ms: 5_000 }
    }
}
