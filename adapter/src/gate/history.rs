//! What the gate remembers. All of it can be stored, so that a restart forgets nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::deployment::{RunningDeployment, WantedDeployment};
use crate::digest::Digest;
use crate::time::UnixMs;

/// The most changes that are remembered; the oldest are forgotten first.
pub const CHANGES_MAX: usize = 200;

/// Which way a change goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Course {
    /// More instances of some component, or dearer nodes.
    Up,
    /// Fewer instances, or cheaper or other nodes.
    Down,
}

/// What the gate remembers of one application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateHistory {
    /// The changes that were begun, oldest first.
    pub changes: Vec<ChangeRecord>,
    /// The change that is wanted and held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
}

/// A change that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRecord {
    /// When it began.
    pub begun: UnixMs,
    /// When it ended; `None` while it is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<UnixMs>,
    /// The shape that was left.
    pub from: Digest,
    /// The shape that was gone to.
    pub to: Digest,
    /// Which way it went.
    pub course: Course,
    /// How many running instances it stopped.
    pub stops: u64,
    /// True when it turned the direction or went back to a shape that had just been left.
    pub flap: bool,
}

/// A change that is wanted and held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Which way it goes.
    pub course: Course,
    /// Since when changes this way have been wanted without a break.
    pub since: UnixMs,
    /// When that was last so.
    pub seen: UnixMs,
}

impl GateHistory {
    /// Adds a change that begins now.
    pub fn begin(&mut self, change: ChangeRecord) {
        self.pending = None;
        self.changes.push(change);
        if self.changes.len() > CHANGES_MAX {
            self.changes.drain(..self.changes.len() - CHANGES_MAX);
        }
    }

    /// The change that was begun last has ended.
    pub fn end(&mut self, now: UnixMs) {
        if let Some(last) = self.changes.last_mut() {
            last.ended = Some(now);
        }
    }

    /// True when a change this way to this shape would turn the direction, or undo a change, of the last `within_s`.
    pub(super) fn would_flap(&self, course: Course, to: Digest, now: UnixMs, within_s: u64) -> bool {
        let mut recent =
            self.changes.iter().rev().take_while(|c| now.ms_since(c.begun) < within_s.saturating_mul(1000));
        let turns = recent.clone().next().is_some_and(|last| last.course != course);
        turns || recent.any(|c| c.from == to)
    }
}

/// The shape of a deployment: how many nodes of each offer host what. Names of nodes and zones do not matter.
pub fn shape_of_running(running: &RunningDeployment) -> Digest {
    let alive = running.surviving();
    shape(alive.nodes.values().map(|n| (n.offer.id.clone(), n.counts())))
}

/// The shape of a wanted deployment; see [`shape_of_running`].
pub fn shape_of_wanted(wanted: &WantedDeployment) -> Digest {
    shape(wanted.nodes.iter().map(|n| (n.offer.id.clone(), n.instances.clone())))
}

fn shape(nodes: impl Iterator<Item = (String, BTreeMap<String, u32>)>) -> Digest {
    let mut groups: BTreeMap<(String, BTreeMap<String, u32>), u64> = BTreeMap::new();
    nodes.for_each(|node| *groups.entry(node).or_insert(0) += 1);
    Digest::of(&groups.into_iter().collect::<Vec<_>>())
}
