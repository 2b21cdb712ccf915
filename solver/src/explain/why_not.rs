//! Why not another placement: the alternative is forced, everything else is optimised anew, and the answer is compared,
//! or the rules are named that exclude it.

use std::sync::Arc;

use cardinal_models::application::{Application, ComponentId, Constraint, ConstraintKind, Requirement, Subject, Test};
use cardinal_models::catalog::{Catalog, OfferIndex};
use cardinal_models::diagnostic::did_you_mean;
use cardinal_models::document::{Fleet, Hosting};
use cardinal_models::formula::expr::{Aggregate, BinaryOp, Expr, ExprKind, Type};
use cardinal_models::offer::{Attribute, LabelValue, Offer};
use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::Solution;
use cardinal_models::span::Span;

use super::clock::{Clock, Found};
use super::conflict::{Conflict, among};
use super::rule::UserRule;
use crate::selector::{Misread, Selector};
use crate::solve::Settings;

/// What somebody would have expected of one component: `web on c5.xlarge x 3`.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// As it was written.
    pub text: String,
    /// The component.
    pub component: ComponentId,
    /// The offers that it is on; `None` for any.
    pub offers: Option<Vec<OfferIndex>>,
    /// The number of instances, of a mixed fleet those on the offers; `None` for any number.
    pub count: Option<u32>,
}

/// What forcing the alternative gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The best placement with it.
    Placement(Solution),
    /// It cannot be, because of these rules.
    Conflict(Conflict),
    /// The objective has no value with it.
    Undefined,
    /// Not found in the time that was left.
    Unknown,
}

const SHAPE: &str = "write `COMPONENT on OFFER x NUMBER`, such as `web on c5.xlarge x 3`, `web on aws/eu-west-1/*` or \
                     `web x 3`; several are joined by `and`";

/// Reads an alternative: parts joined by `and`, each `COMPONENT [on OFFERS] [x NUMBER]`.
pub fn read(application: &Application, catalog: &Catalog, text: &str) -> Result<Vec<Wish>, Misread> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let parts = words.split(|word| word.eq_ignore_ascii_case("and"));
    parts.map(|part| one(application, catalog, part)).collect()
}

fn one(application: &Application, catalog: &Catalog, words: &[&str]) -> Result<Wish, Misread> {
    let text = words.join(" ");
    let Some((name, rest)) = words.split_first() else {
        return Err(Misread::new("an alternative is empty", SHAPE));
    };
    let name = name.trim_matches('`');
    let Some(component) = application.component(name) else {
        let names = || application.components.iter().map(|c| c.name.as_ref());
        let help = match did_you_mean(name, names()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the components are {}", names().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")),
        };
        return Err(Misread::new(format!("the application has no component `{name}`"), help));
    };
    let (rest, count) = count(rest).map_err(|word| {
        Misread::new(format!("`{word}` is no number of instances"), "write a whole number from 0, such as `x 3`")
    })?;
    let offers = match rest {
        [] => None,
        [on, offers @ ..] if on.eq_ignore_ascii_case("on") && !offers.is_empty() => {
            Some(Selector::read(&offers.concat())?.offers(catalog)?)
        }
        _ => return Err(Misread::new(format!("`{text}` cannot be read"), SHAPE)),
    };
    if offers.is_none() && count.is_none() {
        return Err(Misread::new(format!("`{text}` says neither where nor how many"), SHAPE));
    }
    Ok(Wish { text, component, offers, count })
}

/// Takes the number of instances off the end: `x 3`, `x3`, `* 3`, `× 3`.
fn count<'w, 't>(words: &'w [&'t str]) -> Result<(&'w [&'t str], Option<u32>), &'t str> {
    let is_times = |word: &str| ["x", "X", "*", "×"].contains(&word);
    match words {
        [rest @ .., times, number] if is_times(times) => match number.parse() {
            Ok(number) => Ok((rest, Some(number))),
            Err(_) => Err(number),
        },
        [rest @ .., last] => {
            let digits = last.strip_prefix(['x', 'X', '×']);
            match digits.filter(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit())) {
                Some(digits) => digits.parse().map(|number| (rest, Some(number))).map_err(|_| *last),
                None => Ok((words, None)),
            }
        }
        [] => Ok((words, None)),
    }
}

/// The snapshot in which the alternative is forced. The user's rules keep their indices.
pub fn forced(snapshot: &Snapshot, wishes: &[Wish]) -> Snapshot {
    let mut application = Application::clone(&snapshot.application);
    let mut catalog = snapshot.catalog.clone();
    for (number, wish) in wishes.iter().enumerate() {
        let component = &application.components[wish.component.index()];
        let is_mixed = component.hosting == Hosting::Dedicated && component.fleet == Fleet::Mixed;
        let counted = match (&wish.offers, wish.count) {
            // Of a mixed fleet so many instances are on these offers, and the others are where they like.
            (Some(offers), Some(_)) if is_mixed => {
                let label: Arc<str> = format!("alternative {number}").into();
                catalog = Arc::new(marked(&catalog, offers, &label));
                on_marked(wish.component, label)
            }
            (offers, _) => {
                if let Some(offers) = offers {
                    let ids = offers.iter().map(|o| snapshot.catalog[*o].id.clone()).collect();
                    application.components[wish.component.index()].requirements.push(Requirement {
                        subject: Subject::OfferId,
                        test: Test::Text(ids),
                        text: wish.text.clone(),
                        span: Span::NONE,
                    });
                }
                bare(ExprKind::Attribute(wish.component, Attribute::Cardinality))
            }
        };
        if let Some(count) = wish.count {
            let count = Expr::number(f64::from(count));
            let kind = ExprKind::Binary(BinaryOp::Equal, Box::new(counted), Box::new(count));
            application.constraints.push(Constraint {
                name: "the alternative".into(),
                kind: ConstraintKind::Constraint,
                formula: Expr { kind, ty: Type::Bool, span: Span::NONE },
                text: wish.text.clone(),
                span: Span::NONE,
            });
        }
    }
    Snapshot { application: Arc::new(application), catalog, ..snapshot.clone() }
}

fn bare(kind: ExprKind) -> Expr {
    Expr { kind, ty: Type::Number(None), span: Span::NONE }
}

/// The number of instances of a mixed fleet on marked offers.
fn on_marked(component: ComponentId, label: Arc<str>) -> Expr {
    let mark = bare(ExprKind::Attribute(component, Attribute::Label(label)));
    let kind = ExprKind::Binary(BinaryOp::Equal, Box::new(mark), Box::new(Expr::number(1.0)));
    let filter = Expr { kind, ty: Type::Bool, span: Span::NONE };
    bare(ExprKind::Fleet {
        aggregate: Aggregate::Count,
        component,
        body: Box::new(Expr::number(1.0)),
        filter: Some(Box::new(filter)),
    })
}

/// The catalog with a label that is 1 on some offers and 0 on the others.
fn marked(catalog: &Catalog, offers: &[OfferIndex], label: &Arc<str>) -> Catalog {
    let mut changed = Catalog::new(&catalog.currency, &catalog.date, &catalog.source);
    for (index, offer) in catalog.iter() {
        let mut labels = offer.labels.as_ref().clone();
        let mark = if offers.contains(&index) { 1.0 } else { 0.0 };
        labels.insert(label.clone(), LabelValue::Number(mark));
        changed.insert(Offer { labels: Arc::new(labels), ..offer.clone() });
    }
    changed
}

/// The best placement with the alternative, or why there is none.
pub fn why_not(snapshot: &Snapshot, wishes: &[Wish], settings: &Settings) -> Answer {
    let clock = Clock::start(settings);
    let forced = forced(snapshot, wishes);
    match clock.solve(&forced) {
        Found::Best(solution) => Answer::Placement(solution),
        Found::Undefined => Answer::Undefined,
        Found::Unknown => Answer::Unknown,
        Found::Nothing => Answer::Conflict(among(&forced, &UserRule::all(&snapshot.application), &clock)),
    }
}
