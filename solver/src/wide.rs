//! Free attributes of very many values, written as sums of digits.
//!
//! A range of a million whole numbers is not listed: its value is a multiple of a thousand plus a rest, and each of the
//! two is a choice of its own. The branch and bound then closes in on a value from the coarse to the fine, with tables
//! of a thousand entries. Only the solver knows of digits: in an answer they are one value again.

use cardinal_models::application::{Application, ComponentId, Domain};
use cardinal_models::formula::expr::BinaryOp;
use cardinal_models::offer::Attribute;
use cardinal_models::placement::{Placement, Setting, SettingValue};

use crate::bound::{BoundConstraint, BoundModel};
use crate::range::Range;
use crate::space::Space;
use crate::term::{Slot, Slots, Term, Wanted, binary};

/// A domain with more values is written in digits.
const LISTED_MAX: u64 = 20_000;
/// The largest size of a number in a domain that is: up to here neighbours are told apart in comparisons.
const SIZE_MAX: f64 = 4e8;

/// A free attribute in digits.
#[derive(Clone, Debug)]
pub struct Wide {
    component: ComponentId,
    /// The attribute.
    slot: Slot,
    /// The coarse part and the rest, whose sum is the value.
    digits: [Slot; 2],
}

/// Writes the attributes of very many values in digits, in every formula.
pub fn split(application: &Application, bound: &mut BoundModel, space: &mut Space) -> Vec<Wide> {
    let mut found: Vec<(ComponentId, Slot, f64, f64)> = Vec::new();
    for ((component, slot), domain) in &space.free {
        let fits = domain.min() >= -SIZE_MAX && domain.max() <= SIZE_MAX;
        if let [(low, high)] = domain.pieces()[..]
            && domain.count() > LISTED_MAX
            && fits
        {
            found.push((*component, *slot, low, high));
        }
    }
    found.sort_by_key(|(component, slot, ..)| (*component, *slot));
    let mut all = Vec::new();
    for (component, slot, low, high) in found {
        let step = (high - low + 1.0).sqrt().ceil();
        let name = bound.slots.attribute(slot).name().to_owned();
        // No attribute of a model has a name with such a character.
        let mut digit = |what: &str| {
            let attribute = Attribute::Label(format!("{name}\u{1}{what}").into());
            bound.slots.of(&attribute, Wanted::Number)
        };
        let digits = [digit("coarse"), digit("rest")];
        let tops = ((high - low) / step).floor();
        let coarse = (0..=tops as u64).map(|i| low + step * i as f64).map(|x| (x, x)).collect();
        for (digit, domain) in digits.into_iter().zip([Domain::new(coarse), Domain::new(vec![(0.0, step - 1.0)])]) {
            space.ranges.set(component, digit, Range::new(domain.min(), domain.max()));
            space.free.insert((component, digit), domain);
        }
        space.free.remove(&(component, slot));
        let sum = digits.map(|digit| Term::Attribute(component, digit));
        let sum = sum.into_iter().reduce(|a, b| binary(BinaryOp::Add, a, b)).unwrap_or(Term::Constant(0.0));
        let wide = Wide { component, slot, digits };
        wide.write(&mut bound.objective, &sum);
        bound.constraints.iter_mut().for_each(|c| wide.write(&mut c.term, &sum));
        if low + step * tops + (step - 1.0) > high {
            let term = binary(BinaryOp::LessEqual, sum, Term::Constant(high));
            bound.constraints.push(BoundConstraint { index: usize::MAX, term });
        }
        all.push(wide);
    }
    debug_assert!(all.iter().all(|w| application[w.component].is_free()));
    all
}

impl Wide {
    /// Puts the sum of the digits in the place of the attribute.
    fn write(&self, term: &mut Term, sum: &Term) {
        match term {
            Term::Attribute(c, slot) if *c == self.component && *slot == self.slot => *term = sum.clone(),
            Term::Constant(_)
            | Term::Attribute(..)
            | Term::Cardinality(_)
            | Term::Cost(_)
            | Term::Paid(_)
            | Term::Nodes(_)
            | Term::Replicas(_) => {}
            Term::Fleet(fleet) => {
                self.write(&mut fleet.body, sum);
                fleet.filter.iter_mut().for_each(|f| self.write(f, sum));
            }
            Term::Negate(x) | Term::Not(x) => self.write(x, sum),
            Term::Binary(_, a, b) | Term::Grid(_, a, b) => [a, b].into_iter().for_each(|x| self.write(x, sum)),
            Term::If(c, a, b) => [c, a, b].into_iter().for_each(|x| self.write(x, sum)),
            Term::Call(_, args) => args.iter_mut().for_each(|x| self.write(x, sum)),
        }
    }
}

/// Makes one value of the digits in a placement.
pub fn join(all: &[Wide], slots: &Slots, placement: &mut Placement) {
    for wide in all {
        let digits = wide.digits.map(|digit| slots.attribute(digit).clone());
        let [Some(coarse), Some(rest)] = [0, 1].map(|i| placement.setting(wide.component, &digits[i])) else {
            continue;
        };
        placement.settings.retain(|s| s.component != wide.component || !digits.contains(&s.attribute));
        let attribute = slots.attribute(wide.slot).clone();
        placement.settings.push(Setting { component: wide.component, attribute, value: SettingValue(coarse + rest) });
    }
}
