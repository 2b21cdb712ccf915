//! The fewest serving and the most existing instances over all interleavings of a plan, exactly.
//!
//! An instance stops serving when its drain begins, and a new one serves when its registration has ended. A state that
//! execution can be in is a set of begun and ended actions closed under "waits for". The state with the most drains
//! begun beyond registrations ended is a closure of greatest weight; by the duality of closures and flows (Picard, 1976)
//! that weight is the number of drains minus a maximum matching of drains with registrations that they wait for, since
//! every step weighs one. The same holds for starts, which wait for stops.

use super::{Expectation, Facts, Reach, Report, Rule};
use crate::plan::PlanContent;

/// The largest surplus of `takers` begun over `givers` ended that some interleaving reaches.
pub(super) fn worst_surplus(reach: &Reach<'_>, takers: &[usize], givers: &[usize]) -> u64 {
    (takers.len() - largest_matching(reach, takers, givers)) as u64
}

/// The size of a maximum matching of takers with givers among their ancestors; augmenting paths breadth first.
fn largest_matching(reach: &Reach<'_>, takers: &[usize], givers: &[usize]) -> usize {
    let rows = reach.rows(takers, givers);
    let mut taker_of: Vec<Option<usize>> = vec![None; givers.len()];
    let mut giver_of: Vec<Option<usize>> = vec![None; takers.len()];
    let mut size = 0;
    for taker in 0..takers.len() {
        let mut from: Vec<Option<usize>> = vec![None; givers.len()];
        let mut queue = std::collections::VecDeque::from([taker]);
        let mut end = None;
        'search: while let Some(t) = queue.pop_front() {
            for giver in rows.ones(t) {
                if from[giver].is_some() {
                    continue;
                }
                from[giver] = Some(t);
                match taker_of[giver] {
                    Some(next) => queue.push_back(next),
                    None => {
                        end = Some(giver);
                        break 'search;
                    }
                }
            }
        }
        size += usize::from(end.is_some());
        // Turns the path over, from its free end back to the taker.
        while let Some((giver, t)) = end.and_then(|giver| Some((giver, from[giver]?))) {
            end = giver_of[t];
            taker_of[giver] = Some(t);
            giver_of[t] = Some(giver);
        }
    }
    size
}

pub(super) fn check(
    content: &PlanContent,
    expectation: &Expectation<'_>,
    facts: &Facts<'_>,
    reach: &Reach<'_>,
    report: &mut Report,
) {
    for (component, steps) in &facts.components {
        let bounds = expectation.rolling.bounds(steps.before, steps.after());
        let most = steps.before + worst_surplus(reach, &steps.starts, &steps.stops);
        if most > bounds.most {
            let message = format!("{component} may reach {most} instances; {} are allowed", bounds.most);
            report.add(Rule::Surge, steps.starts.first().copied(), message);
        }
        let least = steps.before.saturating_sub(worst_surplus(reach, &steps.drained, &steps.registered));
        if least < bounds.least {
            let message = format!("{component} may fall to {least} serving instances; {} are required", bounds.least);
            report.add(Rule::Availability, steps.drained.first().copied(), message);
        }
    }
    for (node, (starts, stops)) in &facts.on_node {
        let pairs: Vec<_> = starts.iter().flat_map(|start| stops.iter().map(move |stop| (*stop, *start))).collect();
        for (_, start) in reach.missing(&pairs) {
            let message = format!("{}: {node} may still hold what it is to lose", content.actions[start].operation);
            report.add(Rule::NodeContent, Some(start), message);
        }
    }
}
