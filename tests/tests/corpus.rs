//! The corpus of real inputs with known answers.
#![allow(clippy::unwrap_used)]

use std::io::Write as _;
use std::sync::Arc;

use cardinal_benches::{application, catalog, corpus, snapshot};
use cardinal_interop::catalog::{builtin, read_catalog};
use cardinal_models::diagnostic::Source;
use cardinal_models::placement::{CurrentDeployment, NodeGroup, Placement};
use cardinal_models::resolve::load;
use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::{Solution, Status};
use cardinal_solver::{Packing, Settings, SolveError, solve};

fn optimum(snapshot: &Snapshot) -> Solution {
    let outcome = solve(snapshot, &Settings::default()).unwrap();
    assert_eq!(outcome.status, Status::Optimal);
    outcome.solution.unwrap()
}

macro_rules! corpus_or_skip {
    () => {
        match corpus() {
            Some(corpus) => corpus,
            None => {
                // Not `println!`: the harness keeps that back from a test that passes.
                let _ = writeln!(std::io::stderr(), "skipped: there is no corpus; {}", module_path!());
                return;
            }
        }
    };
}

#[test]
fn cloudiator_every_size() {
    let corpus = corpus_or_skip!();
    let offers = catalog(&[corpus.join("cloudiator/small.json")]).unwrap();
    let expected: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(corpus.join("cloudiator/expected.json")).unwrap()).unwrap();
    for entry in expected["small"].as_array().unwrap() {
        let n = entry["n"].as_u64().unwrap();
        let text = format!(
            "application: nodes\ncomponents:\n  vm:\n    cardinality: {n}\n    fleet: mixed\n    requires: {{cores: '>= 2', memory: '>= 1024 MiB, < 8000 MiB'}}\n    placement: {{spread: {{by: location, at_most: 1}}}}\nconstraints:\n  two-big: count(vm, vm.cores >= 4) == 2\n  power: sum(vm.cores) >= 15\n  ram: count(vm, vm.cores >= 4 and vm.memory < 4096 MiB) == 0\nutility: {{minimize: total_cost}}\n"
        );
        let model = Arc::new(load(&Source::new("model", text)).unwrap_or_else(|d| panic!("{d}")).0);
        let begin = std::time::Instant::now();
        let solution = optimum(&snapshot(&model, &offers));
        println!("n = {n}: {} in {:?}", solution.cost, begin.elapsed());
        let right = entry["optimum"].as_f64().unwrap();
        assert!((solution.cost.units() - right).abs() < 1e-6, "n = {n}: {} instead of {right}", solution.cost);
    }
}

fn fcr(current: u32, rt: f64) -> (Snapshot, Arc<cardinal_models::application::Application>) {
    let corpus = corpus().unwrap();
    let model = application(&corpus.join("melodic/FCR.xmi")).unwrap();
    let text = "provider,region,machine_type,cores,memory_gib,price\naws,eu-west,a,1,1,10\naws,eu-west,b,1,2,10\naws,eu-west,c,1,4,10\naws,eu-west,d,1,8,10\naws,eu-west,e,1,9,10\n";
    let offers = Arc::new(read_catalog(&Source::new("c.csv", text), None).unwrap_or_else(|d| panic!("{d}")).0);
    let mut snapshot = snapshot(&model, &offers);
    snapshot.metrics[model.metric("RT_AVG").unwrap().index()] = Some(rt);
    let app = model.component("Component_App").unwrap();
    let free = cardinal_models::admissible::admissible(&model, &offers, app);
    let placement =
        Placement::of(vec![NodeGroup { offer: free[0], zone: None, instances: vec![(app, 1)], count: current }]);
    snapshot.current = Some(CurrentDeployment { placement, vanished: Vec::new() });
    (snapshot, model)
}

#[test]
fn face_recognition() {
    let _ = corpus_or_skip!();
    for (current, rt, n, utility) in [(1, 40.0, 1, 0.545), (1, 120.0, 2, 0.5425), (2, 80.0, 3, 0.563_333_333_333)] {
        let (snapshot, model) = fcr(current, rt);
        let solution = optimum(&snapshot);
        assert_eq!(solution.placement.cardinality(model.component("Component_App").unwrap()), n);
        assert!((solution.utility - utility).abs() < 1e-9, "{}", solution.utility);
    }
}

#[test]
fn smartwe_demonstrator() {
    let corpus = corpus_or_skip!();
    let six = catalog(&[corpus.join("melodic/node-candidates-small.json")]).unwrap();
    let many = catalog(&[corpus.join("melodic/node-candidates-1506.json")]).unwrap();
    for (file, cost) in [("CRM.xmi", 30.0), ("CRM2.xmi", 35.0)] {
        let model = application(&corpus.join("melodic").join(file)).unwrap();
        let solution = optimum(&snapshot(&model, &six));
        assert_eq!((solution.utility, solution.cost.units()), (1.0, cost), "{file}");
        let refused = solve(&snapshot(&model, &many), &Settings::default());
        assert!(
            matches!(&refused, Err(SolveError::Undefined(e)) if e.to_string().contains("division by zero")),
            "{refused:?}"
        );
        let built_in = Arc::new(builtin());
        let solution = optimum(&snapshot(&model, &built_in));
        println!("{file}: utility {} at {}", solution.utility, solution.cost);
    }
}

#[test]
fn two_component_application() {
    let corpus = corpus_or_skip!();
    let model = application(&corpus.join("melodic/TwoComponentAppnew.xmi")).unwrap();
    let offers = catalog(&[corpus.join("catalog/aws_vms.csv")]).unwrap();
    let solution = optimum(&snapshot(&model, &offers));
    // One node each of the cheapest types with one core and enough memory, found by reading the table.
    println!("{:?}", solution);
    let cheapest = |low: f64, high: f64| {
        let fits = offers.offers().iter().filter(|o| o.cores.count() == 1.0 && (low..=high).contains(&o.memory.mib()));
        fits.map(|o| o.price).min().unwrap()
    };
    let cost = cheapest(8100.0, 10072.0) + cheapest(1024.0, 3100.0);
    assert_eq!(solution.cost, cost);
    assert!((solution.utility - 1.0 / (1.0 + cost.units())).abs() < 1e-12);
}

#[test]
fn sage_every_instance_with_generated_patterns() {
    let corpus = corpus_or_skip!();
    let published = std::fs::read_to_string(corpus.join("sage/published.csv")).unwrap();
    let settings = Settings { packing: Packing::Generated, ..Settings::default() };
    for line in published.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let model = application(&corpus.join(format!("sage/apps/{}.json", fields[0]))).unwrap();
        let offers = catalog(&[corpus.join(format!("sage/offers/offers_{}.json", fields[1]))]).unwrap();
        let outcome = solve(&snapshot(&model, &offers), &settings).unwrap();
        assert_eq!(outcome.status, Status::Optimal, "{line}");
        assert_eq!(outcome.solution.unwrap().cost.units(), fields[2].parse::<f64>().unwrap(), "{line}");
    }
}

#[test]
fn sage_every_instance() {
    let corpus = corpus_or_skip!();
    let published = std::fs::read_to_string(corpus.join("sage/published.csv")).unwrap();
    let mut solved = 0;
    for line in published.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let model = application(&corpus.join(format!("sage/apps/{}.json", fields[0]))).unwrap();
        let offers = catalog(&[corpus.join(format!("sage/offers/offers_{}.json", fields[1]))]).unwrap();
        let solution = optimum(&snapshot(&model, &offers));
        assert_eq!(solution.cost.units(), fields[2].parse::<f64>().unwrap(), "{line}");
        assert_eq!(solution.gap, 0.0);
        solved += 1;
    }
    assert_eq!(solved, 52);
}
