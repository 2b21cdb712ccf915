//! How the instances of a component are divided: `spread`, `diversify`, `spot` and `on_demand`.

use super::Resolver;
use crate::application::{Cardinality, Spread};
use crate::diagnostic::Diagnostic;
use crate::division::{Division, DivisionRule, Portion, Share};
use crate::document::{DiversifyDocument, Fleet, PlacementDocument, Scalar, SpreadBy, SpreadDocument};
use crate::requirement::{self, Measure};
use crate::span::Spanned;

impl Resolver<'_> {
    /// The rules of a component with so many instances at most. `fleet` is `None` for shared hosting.
    pub(super) fn divisions(
        &mut self,
        path: &str,
        placement: &PlacementDocument,
        fleet: Option<Fleet>,
        most: u32,
    ) -> (Vec<Spread>, Vec<Division>) {
        let (mut spread, mut divisions) = (Vec::new(), Vec::new());
        for rule in placement.spread.as_ref().map(|s| s.rules()).unwrap_or_default() {
            self.spread(&format!("{path}.spread"), rule, &mut spread, &mut divisions);
        }
        for rule in placement.diversify.as_ref().map(|s| s.rules()).unwrap_or_default() {
            self.diversify(&format!("{path}.diversify"), rule, fleet, most, &mut divisions);
        }
        if let Some(spot) = &placement.spot {
            let path = format!("{path}.spot.at_most");
            if let Some(portion) = self.portion(&path, &spot.at_most) {
                let is_part = portion != Portion::Count(0) && portion.most_of(u64::from(most)) < u64::from(most);
                if fleet == Some(Fleet::Uniform) && is_part && most > 1 {
                    self.all_or_nothing(&path, &spot.at_most, "spot");
                }
                divisions.push(Division { rule: DivisionRule::Spot { most: portion }, span: spot.at_most.span });
            }
        }
        if let Some(rule) = &placement.on_demand {
            let path = format!("{path}.on_demand.at_least");
            if let Some(portion) = self.portion(&path, &rule.at_least) {
                self.reachable(&path, &rule.at_least, portion.least_of(u64::from(most)), most);
                divisions.push(Division { rule: DivisionRule::OnDemand { least: portion }, span: rule.at_least.span });
            }
        }
        (spread, divisions)
    }

    fn spread(&mut self, path: &str, rule: &SpreadDocument, spread: &mut Vec<Spread>, divisions: &mut Vec<Division>) {
        let by = resolved(rule.by);
        if rule.at_most.is_none() && rule.skew.is_none() {
            let span = self.component_span(path);
            let finding = Diagnostic::error(span, "the spread rule limits nothing");
            self.report(path, finding.help("write `{by: zone, at_most: 2}` or `{by: zone, skew: 1}`"));
        }
        if let Some(value) = &rule.at_most
            && let Some(at_most) = self.count(&format!("{path}.at_most"), value)
        {
            spread.push(Spread { by, at_most });
        }
        if let Some(value) = &rule.skew
            && let Some(most) = self.count(&format!("{path}.skew"), value)
        {
            divisions.push(Division { rule: DivisionRule::Skew { by, most }, span: value.span });
        }
    }

    fn diversify(
        &mut self,
        path: &str,
        rule: &DiversifyDocument,
        fleet: Option<Fleet>,
        most: u32,
        divisions: &mut Vec<Division>,
    ) {
        let by = resolved(rule.by);
        if rule.at_least.is_none() && rule.at_most_share.is_none() {
            let span = self.component_span(path);
            let finding = Diagnostic::error(span, "the rule asks for nothing");
            self.report(path, finding.help("add `at_least: 2` or `at_most_share: 50 %`"));
        }
        let is_one_offer = fleet == Some(Fleet::Uniform) && by != SpreadBy::Zone;
        if let Some(value) = &rule.at_least {
            let path = format!("{path}.at_least");
            if let Some(least) = self.count(&path, value) {
                self.reachable(&path, value, u64::from(least), most);
                if is_one_offer && least > 1 {
                    self.one_offer(&path, value);
                }
                divisions.push(Division { rule: DivisionRule::Places { by, least }, span: value.span });
            }
        }
        if let Some(value) = &rule.at_most_share {
            let path = format!("{path}.at_most_share");
            let share = requirement::amount(value, Measure::Share, &self.currency).map(Share::from_fraction);
            if let Some(most) = self.keep(&path, share) {
                if is_one_offer && most.millionths() < Share::WHOLE {
                    self.one_offer(&path, value);
                }
                divisions.push(Division { rule: DivisionRule::Largest { by, most }, span: value.span });
            }
        }
    }

    /// A share with its sign, `50 %`, or a whole number of instances.
    fn portion(&mut self, path: &str, value: &Spanned<Scalar>) -> Option<Portion> {
        if value.value.to_string().trim_end().ends_with('%') {
            let share = requirement::amount(value, Measure::Share, &self.currency).map(Share::from_fraction);
            return self.keep(path, share).map(Portion::Share);
        }
        let limit = u64::from(Cardinality::LIMIT);
        let count = requirement::whole(value, 0).and_then(|n| {
            let too_large = || Diagnostic::error(value.span, format!("the number is at most {limit}"));
            u32::try_from(n).ok().filter(|n| u64::from(*n) <= limit).ok_or_else(too_large)
        });
        let count = count.map_err(|finding| finding.help("write a number of instances, or a share such as `50 %`"));
        self.keep(path, count).map(Portion::Count)
    }

    fn reachable(&mut self, path: &str, value: &Spanned<Scalar>, least: u64, most: u32) {
        if least > u64::from(most) {
            let message = format!("at least {least} are asked for, and the component has at most {most} instances");
            let finding = Diagnostic::error(value.span, message);
            self.report(path, finding.help("raise `cardinality`, or ask for fewer"));
        }
    }

    fn one_offer(&mut self, path: &str, value: &Spanned<Scalar>) {
        let finding = Diagnostic::error(value.span, "all instances of a uniform fleet are on one offer");
        self.report(path, finding.help("add `fleet: mixed`, or diversify by zone"));
    }

    fn all_or_nothing(&mut self, path: &str, value: &Spanned<Scalar>, word: &str) {
        let message = format!("a uniform fleet is on one offer: all of its instances are {word}, or none");
        self.report(path, Diagnostic::warning(value.span, message).help("add `fleet: mixed` to have some of each"));
    }

    /// Where the component of a path stands, for what has no place of its own.
    fn component_span(&self, path: &str) -> crate::span::Span {
        let name =
            path.strip_prefix("components.").and_then(|rest| rest.split(".placement").next()).unwrap_or_default();
        let found = self.document.components.iter().find(|(n, _)| n.value == name);
        found.map_or(crate::span::Span::NONE, |(n, _)| n.span)
    }
}

fn resolved(by: SpreadBy) -> SpreadBy {
    match by {
        SpreadBy::Location => SpreadBy::Region,
        other => other,
    }
}
