//! Gives some constraints of a random model a penalty, and some models several objectives.
//!
//! What the model was without that is drawn before and stays as it was.

use crate::draw::Draw;

/// Another objective with its direction.
pub(crate) type Goal = (&'static str, String);

/// The model with penalties and further objectives, in some of the cases. `goal` makes another objective.
pub(crate) fn softened(model: &str, draw: &mut Draw, mut goal: impl FnMut(&mut Draw) -> Goal) -> String {
    let with_penalties = draw.chance(30);
    let with_objectives = draw.chance(25);
    let mut section = "";
    let mut lines: Vec<String> = Vec::new();
    for line in model.lines() {
        if !line.starts_with(' ') {
            section = line.split(':').next().unwrap_or("");
        }
        let is_rule = ["constraints", "slo"].contains(&section) && line.starts_with(' ');
        match line.split_once(": ").filter(|_| is_rule && with_penalties && draw.chance(65)) {
            Some((name, formula)) => {
                let penalty = draw.pick(&["0.05", "0.5", "0.25", "3", "100"]);
                lines.push(format!("{name}: {{formula: {formula}, penalty: {penalty}}}"));
            }
            None if section == "utility" && with_objectives => {}
            None => lines.push(line.to_owned()),
        }
    }
    if with_objectives {
        let own = model.lines().find_map(|line| line.strip_prefix("utility: {")?.strip_suffix('}'));
        lines.push("utility:".to_owned());
        lines.extend(objectives(draw, own.unwrap_or("minimize: total_cost"), &mut goal));
    }
    lines.join("\n") + "\n"
}

fn objectives(draw: &mut Draw, own: &str, goal: &mut impl FnMut(&mut Draw) -> Goal) -> Vec<String> {
    let plain = |draw: &mut Draw, goal: &mut dyn FnMut(&mut Draw) -> Goal| match draw.number(0, 4) {
        0 => "minimize: total_cost".to_owned(),
        1 => "minimize: node_count".to_owned(),
        _ => {
            let (direction, formula) = goal(draw);
            format!("{direction}: '{formula}'")
        }
    };
    let weighted = |draw: &mut Draw, own: &str, goal: &mut dyn FnMut(&mut Draw) -> Goal| {
        let other = plain(draw, goal);
        let (a, b) = (draw.pick(&["1", "0.5", "0"]), draw.pick(&["0.25", "2"]));
        format!("weighted: [{{{own}, weight: {a}}}, {{{other}, weight: {b}}}]")
    };
    if draw.chance(25) {
        return vec![format!("  {}", weighted(draw, own, goal))];
    }
    let mut lines = vec!["  lexicographic:".to_owned()];
    let count = draw.number(2, 3);
    for i in 0..count {
        let one = if i == 0 { own.to_owned() } else { plain(draw, goal) };
        let one = if draw.chance(15) { weighted(draw, &one, goal) } else { one };
        let tolerance = draw.pick(&["", "", ", tolerance: 10 %", ", tolerance: 0.5", ", tolerance: 1"]);
        let tolerance = if i + 1 == count { "" } else { tolerance };
        lines.push(format!("    - {{{one}{tolerance}}}"));
    }
    lines
}
