//! The known answers of the corpus on imported models, with the exact evaluator; and that offers are left to choose
//! from.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use cardinal_interop::catalog::{builtin, read_catalog};
use cardinal_models::admissible::admissible;
use cardinal_models::application::{Application, ComponentId};
use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::Source;
use cardinal_models::evaluate::Evaluator;
use cardinal_models::placement::{NodeGroup, Placement};
use cardinal_models::snapshot::Snapshot;
use support::{corpus, example, import};

/// The numbers of offers that each component may use.
fn choices(application: &Application, catalog: &Catalog) -> Vec<usize> {
    (0..application.components.len() as u32).map(|i| admissible(application, catalog, ComponentId(i)).len()).collect()
}

#[test]
fn face_recognition_scales_as_published() {
    let Some(source) = corpus("melodic/FCR.xmi") else { return };
    let (_, application) = import(&source);
    let catalog = Source::new(
        "catalog.csv",
        "provider,region,country,machine_type,cores,memory_gib,price\naws,eu-west-1,IE,m,1,8,10\naws,eu-west-3,FR,s,1,1,10\n",
    );
    let (catalog, _) = read_catalog(&catalog, None).unwrap();
    let application = Arc::new(application);
    let catalog = Arc::new(catalog);
    assert_eq!(choices(&application, &catalog), [1, 1, 1]);
    let offers: Vec<_> = (0..3).map(|i| admissible(&application, &catalog, ComponentId(i))[0]).collect();
    let utility = |current: f64, response: f64, instances: u32| {
        let mut snapshot = Snapshot::new(application.clone(), catalog.clone());
        for (name, value) in [("AppActCardinality", current), ("AppActPrice", 10.0), ("RT_AVG", response)] {
            snapshot.metrics[application.metric(name).unwrap().index()] = Some(value);
        }
        let groups = (0..3u32)
            .map(|i| NodeGroup {
                offer: offers[i as usize],
                zone: None,
                instances: vec![(ComponentId(i), 1)],
                count: if i == 0 { instances } else { 1 },
            })
            .collect();
        Evaluator::new(&snapshot).number(&application.objective.formula, &Placement::of(groups)).unwrap()
    };
    for (current, response, instances, wanted) in [
        (1.0, 40.0, 1, 0.545),
        (1.0, 120.0, 2, 0.5425),
        (1.0, 120.0, 3, 0.541_666_666_667),
        (1.0, 120.0, 1, -0.535),
        (2.0, 80.0, 3, 0.563_333_333_333),
    ] {
        let found = utility(current, response, instances);
        assert!((found - wanted).abs() < 1e-9, "{found} instead of {wanted}");
    }
}

#[test]
fn node_candidates_are_admitted() {
    for model in ["CRM", "CRM2"] {
        let Some(source) = corpus(&format!("melodic/{model}.xmi")) else { return };
        let Some(candidates) = corpus("melodic/node-candidates-1506.json") else { return };
        let (_, application) = import(&source);
        let (catalog, _) = read_catalog(&candidates, None).unwrap();
        let choices = choices(&application, &catalog);
        assert!(choices.iter().all(|n| *n > 0), "{model}: {choices:?}");
    }
}

#[test]
fn the_example_has_choices_in_the_built_in_catalog() {
    let (_, application) = import(&example("webapp.xmi"));
    let choices = choices(&application, &builtin());
    assert!(choices.iter().all(|n| *n > 0), "{choices:?}");
}
