//! Orders and cycles of "needs" relations.

/// An order in which everything comes after what it needs, and the cycles, each as the list of its members. Members of
/// cycles stand in the order too, somewhere.
pub(super) fn order(needs: &[Vec<usize>]) -> (Vec<usize>, Vec<Vec<usize>>) {
    let mut missing: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
    for (i, all) in needs.iter().enumerate() {
        for &j in all {
            needed_by[j].push(i);
        }
    }
    let mut done = vec![false; needs.len()];
    let mut order = Vec::with_capacity(needs.len());
    let mut cycles = Vec::new();
    let mut ready: Vec<usize> = (0..needs.len()).rev().filter(|i| missing[*i] == 0).collect();
    let mut next_stuck = 0;
    loop {
        while let Some(i) = ready.pop() {
            if std::mem::replace(&mut done[i], true) {
                continue;
            }
            order.push(i);
            for &j in &needed_by[i] {
                missing[j] = missing[j].saturating_sub(1);
                if missing[j] == 0 && !done[j] {
                    ready.push(j);
                }
            }
        }
        while next_stuck < needs.len() && done[next_stuck] {
            next_stuck += 1;
        }
        if next_stuck == needs.len() {
            return (order, cycles);
        }
        let cycle = cycle_from(next_stuck, needs, &done);
        ready.extend(&cycle);
        cycles.push(cycle);
    }
}

/// The first cycle met when following needs that are not done. Each such member has one: else it would be ready.
fn cycle_from(start: usize, needs: &[Vec<usize>], done: &[bool]) -> Vec<usize> {
    let mut at = start;
    let mut path = Vec::new();
    let mut position = vec![None; needs.len()];
    loop {
        if let Some(begin) = position[at] {
            return path.split_off(begin);
        }
        position[at] = Some(path.len());
        path.push(at);
        match needs[at].iter().find(|j| !done[**j]) {
            Some(next) => at = *next,
            None => return path,
        }
    }
}

/// `a -> b -> a` for a message.
pub(super) fn show<'a>(cycle: &[usize], name: impl Fn(usize) -> &'a str) -> String {
    let mut names: Vec<String> = cycle.iter().map(|i| format!("`{}`", name(*i))).collect();
    names.extend(names.first().cloned());
    names.join(" -> ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_and_finds_every_cycle() {
        let (sorted, cycles) = order(&[vec![1], vec![2], vec![], vec![4], vec![3, 2], vec![5], vec![3]]);
        assert_eq!(cycles, [vec![3, 4], vec![5]]);
        let place = |x: usize| sorted.iter().position(|y| *y == x);
        assert!(place(2) < place(1) && place(1) < place(0));
        assert_eq!(sorted.len(), 7);
        assert_eq!(show(&[0, 1], |i| ["a", "b"][i]), "`a` -> `b` -> `a`");
    }
}
