//! Makes a world smaller while a fault stays, so that the cause can be seen.

use cardinal_models::diagnostic::Source;
use cardinal_models::resolve::load;

use crate::world::World;

/// The smallest world that is found by leaving out lines of the model, the running deployment and offers, one after
/// another, as long as `what` still says what is wrong.
pub fn shrink(world: &World, what: impl Fn(&World) -> Option<String>) -> (World, Option<String>) {
    let mut smallest = world.clone();
    let mut said = what(world);
    loop {
        let smaller = candidates(&smallest).find_map(|w| what(&w).map(|why| (w, why)));
        let Some((world, why)) = smaller else { return (smallest, said) };
        (smallest, said) = (world, Some(why));
    }
}

/// The valid worlds that have one thing less.
fn candidates(world: &World) -> impl Iterator<Item = World> + '_ {
    let lines: Vec<&str> = world.model.lines().collect();
    let without_line = (1..lines.len()).filter_map(move |i| {
        let kept = lines.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, line)| *line);
        let model = kept.collect::<Vec<_>>().join("\n");
        // What runs now is written down by the numbers of the components, which must stay.
        let (before, after) = (components(&world.model)?, components(&model)?);
        (world.current.is_none() || before == after).then(|| World { model, ..world.clone() })
    });
    let still = world.current.as_ref().map(|_| World { current: None, ..world.clone() });
    let offers = if world.current.is_none() { world.offers.len() } else { 0 };
    let without_offer = (0..offers).map(|i| {
        let mut smaller = world.clone();
        smaller.offers.remove(i);
        smaller
    });
    without_line.chain(still).chain(without_offer)
}

fn components(model: &str) -> Option<usize> {
    load(&Source::new("shrunk", model)).ok().map(|(application, ..)| application.components.len())
}
