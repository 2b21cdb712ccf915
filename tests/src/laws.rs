//! Changes of a world whose effect on the best answer is known without solving.

use cardinal_models::application::ComponentId;
use cardinal_models::catalog::OfferIndex;
use cardinal_models::offer::Offer;
use cardinal_models::placement::Placement;
use cardinal_models::quantity::Price;

use crate::draw::Draw;
use crate::world::World;

/// The same offers in another order.
pub fn offers_shuffled(world: &World, draw: &mut Draw) -> World {
    let order = draw.shuffled(&(0..world.offers.len()).collect::<Vec<_>>());
    let offers = order.iter().map(|i| world.offers[*i].clone()).collect();
    let place = |old: OfferIndex| {
        let new = order.iter().position(|i| *i == old.0 as usize).unwrap_or(0);
        OfferIndex(new as u32)
    };
    let current = world.current.clone().map(|mut placement| {
        placement.groups.iter_mut().for_each(|g| g.offer = place(g.offer));
        normal(placement)
    });
    World { offers, current, ..world.clone() }
}

/// The same components in another order.
pub fn components_shuffled(world: &World, draw: &mut Draw) -> World {
    let (mut before, mut blocks, mut after): (Vec<&str>, Vec<Vec<&str>>, Vec<&str>) = Default::default();
    let mut inside = false;
    for line in world.model.lines() {
        let top = !line.starts_with(' ');
        if inside && !top && !line.starts_with("   ") {
            blocks.push(vec![line]);
        } else if inside && !top {
            blocks.last_mut().expect("a component begins before its properties").push(line);
        } else if blocks.is_empty() {
            before.push(line);
        } else {
            after.push(line);
        }
        inside = if top { line == "components:" } else { inside };
    }
    let order = draw.shuffled(&(0..blocks.len()).collect::<Vec<_>>());
    let shuffled = order.iter().flat_map(|i| blocks[*i].iter());
    let lines: Vec<&str> = before.iter().chain(shuffled).chain(&after).copied().collect();
    let place = |old: ComponentId| {
        let new = order.iter().position(|i| *i == old.index()).unwrap_or(0);
        ComponentId(new as u32)
    };
    let current = world.current.clone().map(|mut placement| {
        placement.groups.iter_mut().flat_map(|g| &mut g.instances).for_each(|(c, _)| *c = place(*c));
        normal(placement)
    });
    World { model: lines.join("\n") + "\n", current, ..world.clone() }
}

fn normal(mut placement: Placement) -> Placement {
    placement.normalize();
    placement
}

/// True when the model speaks of prices in no formula, quota, penalty or requirement: its objective is the default.
pub fn is_silent_about_prices(world: &World) -> bool {
    !["price", "cost", "budget", "utility", "candidates", "penalty"].iter().any(|word| world.model.contains(word))
}

/// Every price so many times as high.
pub fn prices_times(world: &World, factor: i64) -> World {
    let dearer = |o: &Offer| Offer { price: Price::from_nanos(o.price.nanos() * factor), ..o.clone() };
    World { offers: world.offers.iter().map(dearer).collect(), ..world.clone() }
}

/// One more offer, like another but dearer.
pub fn with_dominated_offer(world: &World, draw: &mut Draw) -> World {
    let like = draw.pick(&world.offers);
    let price = Price::from_nanos(like.price.nanos() + 10_000_000);
    let id = draw.pick(&["a-first", "z-last"]).into();
    let mut offers = world.offers.clone();
    offers.push(Offer { id, price, ..like });
    World { offers, ..world.clone() }
}

/// The worlds with one rule less: a constraint, a structural rule or a quota.
pub fn relaxed(world: &World) -> Vec<World> {
    let lines: Vec<&str> = world.model.lines().collect();
    let is_rule = |line: &str| {
        let line = line.trim_start();
        let starts = |letter: char| {
            let rest = line.strip_prefix(letter).unwrap_or_default();
            rest.split_once(':').is_some_and(|(number, _)| number.parse::<u32>().is_ok())
        };
        ['c', 's', 'q'].into_iter().any(starts)
    };
    let without = |i: usize| {
        let kept = lines.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, line)| *line);
        let mut kept: Vec<&str> = kept.collect();
        // A heading with nothing under it goes too.
        let headings: Vec<usize> = (0..kept.len())
            .filter(|j| ["constraints:", "structure:", "quotas:"].contains(&kept[*j]))
            .filter(|j| kept.get(j + 1).is_none_or(|next| !next.starts_with(' ')))
            .collect();
        for heading in headings.into_iter().rev() {
            kept.remove(heading);
        }
        World { model: kept.join("\n") + "\n", ..world.clone() }
    };
    (0..lines.len()).filter(|i| is_rule(lines[*i])).map(without).collect()
}

/// The worlds with one upper or lower limit of a constraint moved outwards.
pub fn slackened(world: &World) -> Vec<World> {
    let lines: Vec<&str> = world.model.lines().collect();
    let logic = [" or ", " and ", " implies ", " xor ", "not ", "if("];
    let looser = |line: &str| {
        let formula = line.trim_start().strip_prefix('c')?.strip_suffix('\'')?;
        if logic.iter().any(|word| formula.contains(word)) || formula.matches("<=").count() > 1 {
            return None;
        }
        let (begin, limit) = line.trim_end_matches('\'').rsplit_once(' ')?;
        let limit: f64 = limit.parse().ok()?;
        let by = if begin.ends_with("<=") {
            1.0
        } else if begin.ends_with(">=") {
            -1.0
        } else {
            return None;
        };
        // A chain `0 <= x <= k` is not told apart from `x <= k` by its end alone, and loosens all the same.
        Some(format!("{begin} {}'", limit + by))
    };
    (0..lines.len())
        .filter_map(|i| {
            let line = looser(lines[i])?;
            let mut changed: Vec<&str> = lines.clone();
            changed[i] = &line;
            Some(World { model: changed.join("\n") + "\n", ..world.clone() })
        })
        .collect()
}
