//! `cardinal simulate` as its callers see it.

mod support;

use support::{Scratch, run};

#[test]
fn a_day_is_told_and_repeats_by_its_seed() {
    let day = "simulate shop.yaml --catalog offers.csv --load requests=50..400:12h --seed 5 --losses 0.2 --crashes 1%";
    let told = run(day).expect(0);
    assert!(told.out.contains("plan") && told.out.contains("paid") && told.out.contains("seed 5"), "{}", told.out);
    let reports = run(&format!("{day} --output json")).expect(0).json();
    let again = run(&format!("{day} --output json")).expect(0).json();
    assert_eq!(reports, again);
    let report = &reports[0];
    assert_eq!(report["breaches"], serde_json::json!([]));
    assert!(report["reached"].as_u64().is_some_and(|n| n > 1) && report["crashes"].as_u64().is_some_and(|n| n > 0));
    let lines = run(&format!("{} --seeds 1..3", day.replace(" --seed 5", ""))).expect(0).out;
    assert_eq!(lines.lines().count(), 4, "{lines}");
}

#[test]
fn a_trace_is_replayed_and_settings_are_read() {
    let trace = Scratch::new("trace.csv", "time,requests\n0,60\n3600,300\n7200,60\n");
    let settings = Scratch::new("settings.yaml", "every_ms: 60000\ngate: {floor_relative: 0.5}\n");
    let (trace, settings) = (trace.path(), settings.path());
    let quiet = run(&format!(
        "simulate shop.yaml --catalog offers.csv --trace {trace} --settings {settings} --duration 6h --output json"
    ));
    let report = quiet.expect(0).json();
    assert!(report[0]["decisions"].as_u64().is_some_and(|n| n > 300), "{report}");
    let shown = run(&format!("simulate shop.yaml --settings {settings} --show-settings")).expect(0).out;
    assert!(shown.contains("every_ms: 60000") && shown.contains("floor_relative: 0.5"), "{shown}");
}

#[test]
fn ways_to_serve_one_load_are_set_beside_each_other() {
    let rows: String =
        (0..240).map(|i| format!("1998-06-10 {:02}:{:02}:00,{}\n", i / 60, i % 60, 3000 + 150 * (i % 90))).collect();
    let trace = Scratch::new("day.csv", format!("period,count\n{rows}"));
    let plot = Scratch::new("day.svg", "");
    let run_it = |rest: &str| {
        let model = "--model ../../../examples/match-day.yaml";
        run(&format!(
            "simulate {model} --trace {} --duration 4h --noise 0 --start-up 2m --compare {rest}",
            trace.path()
        ))
    };
    let told = run_it(&format!("--plot {}", plot.path())).expect(0).out;
    for way in
        ["Cardinal, reactive", "Cardinal, with forecasts", "threshold 60 %", "the peak, all the time", "in hindsight"]
    {
        assert!(told.contains(way), "{way}: {told}");
    }
    let drawn = std::fs::read_to_string(plot.path()).unwrap_or_default();
    assert!(drawn.contains("<svg") && drawn.contains("requests and capacity"), "{drawn:.200}");
    let answer = run_it("--targets 50%,80% --output json").expect(0).json();
    let cost = |i: usize| answer["ways"][i]["cost"].as_f64().unwrap_or(f64::NAN);
    assert_eq!(answer["ways"].as_array().map(Vec::len), Some(6));
    assert!(cost(2) > cost(3) && cost(4) > cost(2) && cost(5) < cost(2), "{}", answer["ways"][2]["cost"]);
    run_it("--targets 50%,0%").expect(2).says("--targets");
    run_it("--limit 120%").expect(2).says("--limit");
    run_it("--plot day.gif").expect(2).says("SVG nor PNG");
    run_it("--column visits=count").expect(2).says("there is no metric `visits`");
    run_it("--column requests=visits").expect(2).says("its columns are count");
    run_it("--skip 9d").expect(2).says("--skip");
    run_it("--start-up 1s").expect(2).says("--start-up");
    run_it("--violation 0").expect(2).says("--violation");
    run("simulate --compare").expect(2).says("required");
}

#[test]
fn what_cannot_be_simulated_is_refused_with_the_mend() {
    let simulate = |rest: &str| run(&format!("simulate shop.yaml --catalog offers.csv {rest}")).expect(2);
    simulate("--load reqests=5").says("did you mean `requests`");
    simulate("--load requests").says("NAME=LOW..HIGH");
    simulate("--load requests=5 --load requests=6").says("given twice");
    simulate("--load requests=5:0s").says("at least a second");
    simulate("--duration none").says("between a millisecond and a year");
    let wrong = Scratch::new("wrong.csv", "time,requests\n5,1\n4,2\n");
    simulate(&format!("--trace {}", wrong.path())).says("must rise");
    let other = Scratch::new("other.csv", "time,visits,hits\n5,1,2\n");
    simulate(&format!("--trace {}", other.path())).says("no column of the trace is a metric");
    let settings = Scratch::new("settings.yaml", "gate: {k: 0}\n");
    simulate(&format!("--settings {}", settings.path())).says("gate.k is 0");
}

#[test]
fn policies_hold_plans_back_and_are_named() {
    let day = "simulate shop.yaml --catalog offers.csv --load requests=50..400:12h --seed 5 --duration 1d";
    let hours = "--policy ../../../examples/policies/working-hours.cedar";
    let told = run(&format!("{day} {hours} --time-zone Europe/Berlin")).expect(0).out;
    assert!(told.contains("Denied by the policy `working-hours` of working-hours.cedar"), "{told}");
    assert!(told.contains("of these changes, by policies"), "{told}");
    // 08:00 in Berlin is 07:00 after the midnight at which the simulation begins.
    let first = told.lines().find(|l| l.contains("begins.")).unwrap_or("");
    assert!(first.trim_start().starts_with("07:0"), "{told}");
    // In another zone the hours of the policy would mean something else.
    let elsewhere = run(&format!("{day} {hours}")).expect(0).out;
    assert!(elsewhere.contains("`time-zone` of working-hours.cedar") && !elsewhere.contains("begins."), "{elsewhere}");
    let reports = run(&format!("{day} {hours} --time-zone Europe/Berlin --output json")).expect(0).json();
    assert!(reports[0]["denied"].as_u64().is_some_and(|n| n > 10), "{}", reports[0]["denied"]);
    run(&format!("{day} {hours} --time-zone Mars/Olympus")).expect(2).says("Europe/Berlin");
    run(&format!("{day} {hours} {hours}")).expect(2).says("two are called `working-hours.cedar`");
    let wrong = Scratch::new("wrong.cedar", "@id(\"a\") permit (principal, action, resource) when { context.cost };");
    run(&format!("{day} --policy {}", wrong.path())).expect(2).says("attribute `cost`");
}
