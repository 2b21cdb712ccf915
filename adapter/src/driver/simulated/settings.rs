//! What a simulated cloud does, and how often it goes wrong.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::diff::StartupTime;
use crate::driver::{FaultClass, Way};
use crate::plan::ActionKind;

/// The settings of a simulated cloud. All times are in simulated milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CloudSettings {
    /// Everything that is drawn follows from this.
    pub seed: u64,
    /// Everything takes this part of its time: 60 lets an hour pass in a minute. Default: 1.
    pub speed: f64,
    /// Between which times the mean start-up time of each machine type lies. A node's own differs by up to a tenth.
    /// Default: 50 to 150 seconds.
    pub startup: StartupTime,
    /// From the start of an instance until it is healthy. Default: 3 to 10 seconds.
    pub instance_startup: StartupTime,
    /// From a drain to its end. Default: 2 to 10 seconds.
    pub drain: StartupTime,
    /// How often calls go wrong, each from 0 to 1. Default: never.
    pub faults: FaultRates,
    /// Limits by region. Default: none.
    pub quotas: BTreeMap<String, RegionQuota>,
    /// How many times an hour a spot node is taken back, on average. Default: 0.
    pub reclaims_per_hour: f64,
    /// How prices move. Default: not at all.
    pub prices: PriceMoves,
    /// The provider's clock is ahead by so much; negative when behind. Default: 0.
    pub clock_skew_ms: i64,
    /// Events come up to this much later than what they tell of. Default: 0.
    pub event_delay_ms_max: u64,
    /// The share of events that come twice, from 0 to 1. Default: 0.
    pub event_duplicates: f64,
    /// Faults that come at a certain call, before any that are drawn.
    pub script: Vec<ScriptedFault>,
}

impl Default for CloudSettings {
    fn default() -> Self {
        CloudSettings {
            seed: 0,
            speed: 1.0,
            startup: StartupTime { low_ms: 50_000, high_ms: 150_000 },
            instance_startup: StartupTime { low_ms: 3_000, high_ms: 10_000 },
            drain: StartupTime { low_ms: 2_000, high_ms: 10_000 },
            faults: FaultRates::default(),
            quotas: BTreeMap::new(),
            reclaims_per_hour: 0.0,
            prices: PriceMoves::default(),
            clock_skew_ms: 0,
            event_delay_ms_max: 0,
            event_duplicates: 0.0,
            script: Vec::new(),
        }
    }
}

/// How often calls go wrong, each from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultRates {
    /// A call fails and nothing was done.
    pub before_effect: f64,
    /// A call fails although it was done.
    pub after_effect: f64,
    /// A call is done and the answer is lost.
    pub answer_lost: f64,
    /// There is no machine of the type.
    pub capacity: f64,
    /// What was asked takes three times as long.
    pub slow: f64,
}

/// What may run in one region at once, over all applications.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegionQuota {
    /// Nodes.
    pub nodes: Option<u64>,
    /// vCPU, in thousandths.
    pub cores_milli: Option<u64>,
}

/// How prices move: at each tick every price is multiplied by a factor drawn around 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PriceMoves {
    /// Milliseconds between ticks; 0 for never.
    pub every_ms: u64,
    /// The factor lies within so many in a hundred of 1.
    pub percent: f64,
}

/// A fault at a certain call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedFault {
    /// Of which kind the action is whose call fails.
    pub kind: ActionKind,
    /// Whether it fails when the action is done or undone.
    pub way: Way,
    /// So many calls pass before.
    #[serde(default)]
    pub skip: u32,
    /// What happens.
    pub injected: Injected,
    /// How often; it is used up then.
    pub times: u32,
}

/// What can happen to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Injected {
    /// It fails and nothing was done.
    Before(FaultClass),
    /// It fails although it was done.
    After(FaultClass),
    /// It is done and the answer is lost.
    AnswerLost,
    /// It is carried out twice, as by a network that repeats requests.
    Repeated,
}
