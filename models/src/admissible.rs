//! Which offers may host a component.

use std::fmt::{self, Display, Formatter};

use crate::application::{Application, Choice, Component, ComponentId, DEFAULT_PURCHASES, Requirement, Subject};
use crate::catalog::{Catalog, OfferIndex};
use crate::document::Hosting;
use crate::offer::{Attribute, Offer, Purchase};

/// Why an offer may not host a component.
#[derive(Clone, Copy, Debug)]
pub enum Refusal<'a> {
    /// It does not satisfy a requirement of the application or of the component.
    Requirement(&'a Requirement),
    /// It is bought in a way that must be asked for, and neither the application nor the component asks.
    Purchase(Purchase),
    /// Not even one instance fits on a node of it; the resource that lacks.
    Demand(&'static str),
    /// It is a configuration of another component, or the component takes none but its own configurations.
    Foreign,
}

impl Display for Refusal<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Requirement(requirement) => write!(f, "it does not satisfy `{}`", requirement.text),
            Refusal::Purchase(purchase) => {
                write!(f, "it is a {0} offer, which must be asked for with `purchase: {0}`", purchase.as_str())
            }
            Refusal::Demand(resource) => write!(f, "it has too little {resource} for one instance"),
            Refusal::Foreign => f.write_str("a component runs on offers of the catalog, or on its own configurations"),
        }
    }
}

/// The first reason why the offer may not host the component; `None` when it may.
pub fn refusal<'a>(application: &'a Application, component: &'a Component, offer: &Offer) -> Option<Refusal<'a>> {
    let is_own = offer.configuration.as_ref().is_some_and(|c| c.component == component.name);
    match (&component.choice, &offer.configuration) {
        (Choice::Offers, None) => {}
        // The filter of the application is about the catalog.
        (Choice::Configurations(_), Some(_)) if is_own => {
            return component.requirements.iter().find(|r| !r.admits(offer)).map(Refusal::Requirement);
        }
        _ => return Some(Refusal::Foreign),
    }
    if let Some(requirement) = first_refusal(application, component, offer) {
        return Some(Refusal::Requirement(requirement));
    }
    if !names_purchase(application, component) && !DEFAULT_PURCHASES.contains(&offer.purchase) {
        return Some(Refusal::Purchase(offer.purchase));
    }
    (component.hosting == Hosting::Shared).then(|| lacking(component, offer)).flatten().map(Refusal::Demand)
}

/// The first requirement of the application or the component that the offer does not satisfy. An offer without one can
/// still be refused for its purchase or its size: see [`refusal`].
pub fn first_refusal<'a>(
    application: &'a Application,
    component: &'a Component,
    offer: &Offer,
) -> Option<&'a Requirement> {
    application.offers.iter().chain(&component.requirements).find(|requirement| !requirement.admits(offer))
}

/// True when nodes of the offer may host the component.
pub fn admits(application: &Application, component: &Component, offer: &Offer) -> bool {
    refusal(application, component, offer).is_none()
}

/// The offers that may host a component, ascending. None for a component that the application does not have.
pub fn admissible(application: &Application, catalog: &Catalog, component: ComponentId) -> Vec<OfferIndex> {
    let Some(component) = application.components.get(component.index()) else { return Vec::new() };
    catalog.iter().filter(|(_, offer)| admits(application, component, offer)).map(|(index, _)| index).collect()
}

fn names_purchase(application: &Application, component: &Component) -> bool {
    let mut all = application.offers.iter().chain(&component.requirements);
    all.any(|requirement| requirement.subject == Subject::Attribute(Attribute::Purchase))
}

/// The first resource of which the offer has too little for one instance.
fn lacking(component: &Component, offer: &Offer) -> Option<&'static str> {
    let demand = &component.demand;
    if offer.cores < demand.cores {
        Some("cores")
    } else if offer.memory < demand.memory {
        Some("memory")
    } else if offer.disk.is_some_and(|disk| disk < demand.disk) {
        Some("disk")
    } else if offer.gpus < demand.gpus {
        Some("gpus")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::Test;
    use crate::fixtures::{application, component, offer, requirement, shared};
    use crate::quantity::Cores;

    #[test]
    fn spot_must_be_asked_for() {
        let mut app = application(vec![component("web", 1, 3)]);
        let spot = Offer { purchase: Purchase::Spot, ..offer("s", 2, 4, 0.1) };
        let web = app.components.first().cloned();
        let Some(mut web) = web else { return };
        assert!(matches!(refusal(&app, &web, &spot), Some(Refusal::Purchase(Purchase::Spot))));
        assert!(admits(&app, &web, &offer("o", 2, 4, 0.1)));
        let ask = requirement(Subject::Attribute(Attribute::Purchase), Test::Text(vec!["spot".into()]));
        web.requirements.push(ask.clone());
        assert!(admits(&app, &web, &spot));
        assert!(first_refusal(&app, &web, &offer("o", 2, 4, 0.1)).is_some());
        web.requirements.clear();
        app.offers.push(ask);
        assert!(admits(&app, &web, &spot));
    }

    #[test]
    fn one_instance_must_fit() {
        let app = application(vec![shared("api", 1, 3, 2, 4)]);
        let Some(api) = app.components.first() else { return };
        assert!(admits(&app, api, &offer("o", 2, 4, 0.1)));
        let small = offer("o", 1, 8, 0.1);
        assert!(matches!(refusal(&app, api, &small), Some(Refusal::Demand("cores"))));
        let mut thirsty = api.clone();
        thirsty.demand.gpus = 1;
        thirsty.demand.cores = Cores(1000);
        assert!(matches!(refusal(&app, &thirsty, &small), Some(Refusal::Demand("gpus"))));
    }
}
