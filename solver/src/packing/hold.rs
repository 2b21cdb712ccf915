//! A pool that has to hold instances at least cost: bound and nodes of the relaxation, made whole, and filled with actual
//! instances.

use std::time::Instant;

use cardinal_models::quantity::Price;
use cardinal_models::verify::verify;

use super::cover::Cover;
use super::dive::DIVES;
use super::generate::{Generator, Root};
use super::rounding::Plan;
use super::{Generation, assign, bound};
use crate::decimal::divisor;
use crate::engine::{Engine, Limits, RunStatus};
use crate::program::{Answer, Effort, Ground, Method, ProgramError};

/// The part of the time in which bound and nodes are sought; the rest is for whole numbers.
const GENERATION_SHARE: f64 = 0.5;
/// The part of what is left then for a better bound at the same duals.
const SHARPENING_SHARE: f64 = 0.2;
/// The part of what is left for whole numbers; the rest is for actual instances.
const WHOLE_SHARE: f64 = 0.8;
/// Where items are wanted less often than this on average, diving comes before rounding.
const RARE: f64 = 4.0;

/// The limits of a step that may take a part of the time that is left.
fn share(limits: &Limits, part: f64) -> Limits {
    let now = Instant::now();
    let deadline = limits.deadline.map(|end| now + end.saturating_duration_since(now).mul_f64(part));
    Limits { deadline, ..limits.clone() }
}

/// The answer of the relaxation; `None` when it has none. One that is not the last word is sought with less effort.
pub(super) fn hold(
    ground: Ground<'_>,
    method: &Method,
    cover: &Cover,
    is_last: bool,
    trace: &mut Generation,
) -> Result<Option<Answer>, ProgramError> {
    if method.limits.engine == Engine::Off {
        return Ok(first_fit(ground, cover, &method.limits));
    }
    let probe = cover.probe();
    let limits = &method.limits;
    let most_nodes: f64 = cover.demand.iter().map(|n| f64::from(*n)).sum();
    let while_generating = share(limits, GENERATION_SHARE);
    let sharpening;
    let mut generator = Generator::new(&cover.model, &probe, &while_generating, most_nodes);
    let mut start = generator.start();
    let fits = cover.first_fits();
    let cheapest = fits.iter().min_by_key(|plan| cover.price(plan));
    // Where many are alike the grid finds better ones at once.
    let helpful = fits.iter().filter(|plan| generator.grid.is_none() || Some(*plan) == cheapest);
    start.extend(helpful.flatten().map(|(load, _)| load.clone()));
    let mut root = generator.run(start).map_err(ProgramError::Engine)?;
    if root.infeasible {
        return Ok(None);
    }
    if generator.grid.is_none() && !generator.is_tight(&root) {
        // What is left of the share of generation is too little for it where generation took all.
        sharpening = share(limits, SHARPENING_SHARE);
        generator.limits = &sharpening;
        generator.sharpen(&mut root);
        generator.limits = &while_generating;
    }
    generator.diversify(&mut root).map_err(ProgramError::Engine)?;
    let step = cover.prices.iter().fold(0, |a, price| divisor(a, price.unsigned_abs())).max(1) as i64;
    let unit = cover.factor / Price::SCALE as f64;
    trace.bounds.extend(generator.bounds.iter().map(|b| -(b + cover.constant)));
    trace.rounds += root.rounds;
    trace.generated = root.loads.len();
    let lower = bound::lifted(root.bound, Some(step as f64 * unit));
    let best = fits.into_iter().min_by_key(|plan| cover.price(plan));
    let are_many = cover.demand.iter().map(|n| f64::from(*n)).sum::<f64>() >= RARE * cover.demand.len() as f64;
    let (known, within) = ((lower / unit, step), share(limits, WHOLE_SHARE));
    let plan = if are_many && !is_last {
        cover.round((&root.loads, &root.uses), best, known, &within)
    } else {
        whole(cover, &generator, &mut root, best, known, &within)?
    };
    let mut answer = unanswered(cover, lower);
    answer.effort.columns = root.loads.len();
    answer.effort.rows = cover.demand.len();
    if let Some(plan) = plan {
        fill(&mut answer, ground, cover, &plan, limits);
        let allowed = limits.relative_gap.max(1e-9) * answer.value.abs();
        if answer.bound - answer.value <= allowed {
            answer.status = RunStatus::Optimal;
        }
    }
    Ok(Some(answer))
}

/// The cheapest plan that rounding, diving and polishing find.
fn whole(
    cover: &Cover,
    generator: &Generator<'_>,
    root: &mut Root,
    mut best: Option<Plan>,
    known: (f64, i64),
    limits: &Limits,
) -> Result<Option<Plan>, ProgramError> {
    let is_rare = cover.demand.iter().map(|n| f64::from(*n)).sum::<f64>() < RARE * cover.demand.len() as f64;
    if !is_rare {
        best = cover.round((&root.loads, &root.uses), best, known, &share(limits, 0.5));
    }
    let scales = generator.scales.as_ref();
    for boldness in DIVES {
        if cover.is_enough(best.as_ref(), known.0, limits) || limits.reached() {
            return Ok(best);
        }
        let (plan, generated) =
            cover.dive(root, scales, boldness, known, &share(limits, 0.4)).map_err(ProgramError::Engine)?;
        let price = |plan: &Option<Plan>| plan.as_ref().map_or(i128::MAX, |p| cover.price(p));
        if price(&plan) < price(&best) {
            best = plan;
        }
        root.uses.resize(root.loads.len() + generated.len(), 0.0);
        root.loads.extend(generated);
    }
    match best {
        Some(plan) => cover.polished(plan, &root.duals, scales, known, limits).map(Some).map_err(ProgramError::Engine),
        None => Ok(None),
    }
}

fn unanswered(cover: &Cover, lower: f64) -> Answer {
    Answer {
        status: RunStatus::Limit,
        placement: None,
        bound: -(lower + cover.constant),
        value: f64::NAN,
        formulate_s: 0.0,
        effort: Effort { ties_open: true, ..Effort::default() },
        generation: None,
    }
}

/// Gives the answer the best placement that a plan stands for, where the checker finds nothing wrong with it.
fn fill(answer: &mut Answer, ground: Ground<'_>, cover: &Cover, plan: &Plan, limits: &Limits) {
    let planned = -(cover.price(plan) as f64 / Price::SCALE as f64 * cover.factor + cover.constant);
    assign::assign(cover, ground.snapshot, plan, limits, |placement| {
        if verify(ground.snapshot, &placement).is_empty() {
            let cost = placement.cost(&ground.snapshot.catalog).units();
            let value = -(cost * cover.factor + cover.constant);
            if answer.placement.is_none() || value > answer.value {
                answer.value = value;
                answer.placement = Some(placement);
            }
        }
        answer.placement.is_some() && answer.value >= planned - 1e-9 * planned.abs()
    });
}

/// A pool filled by first fit decreasing, with the bound that follows from the cheapest unit of one resource.
fn first_fit(ground: Ground<'_>, cover: &Cover, limits: &Limits) -> Option<Answer> {
    let unit = cover.factor / Price::SCALE as f64;
    let mut answer = unanswered(cover, cover.volume_bound() * unit);
    fill(&mut answer, ground, cover, &cover.first_fit()?, limits);
    Some(answer)
}
