//! The part of a program that is still open: its columns without those that can only be 0.

use super::{EngineError, Limits, Milp, Presolve, Run, run};

/// Runs a model without the columns that can only be 0, when they are many.
pub fn run_open(milp: &Milp, start: Option<&[f64]>, limits: &Limits, presolve: Presolve) -> Result<Run, EngineError> {
    let is_closed = |column: usize| milp.lower[column] == 0.0 && milp.upper[column] == 0.0;
    let closed = (0..milp.columns()).filter(|column| is_closed(*column)).count();
    if closed * 2 < milp.columns() || closed == milp.columns() {
        return run(milp, start, limits, presolve);
    }
    let kept: Vec<usize> = (0..milp.columns()).filter(|column| !is_closed(*column)).collect();
    let small = part(milp, &kept);
    let start: Option<Vec<f64>> = start.map(|start| kept.iter().map(|column| start[*column]).collect());
    let mut run = run(&small, start.as_deref(), limits, presolve)?;
    run.values = run.values.map(|few| {
        let mut values = vec![0.0; milp.columns()];
        kept.iter().zip(few).for_each(|(column, x)| values[*column] = x);
        values
    });
    Ok(run)
}

fn part(milp: &Milp, kept: &[usize]) -> Milp {
    let mut number = vec![None; milp.columns()];
    kept.iter().enumerate().for_each(|(at, column)| number[*column] = Some(at));
    let of = |all: &[f64]| kept.iter().map(|column| all[*column]).collect::<Vec<f64>>();
    let mut small = Milp {
        cost: of(&milp.cost),
        lower: of(&milp.lower),
        upper: of(&milp.upper),
        integer: kept.iter().map(|column| milp.integer[*column]).collect(),
        ..Milp::default()
    };
    for row in 0..milp.rows() {
        let begin = milp.row_start[row] as usize;
        let end = milp.row_start.get(row + 1).map_or(milp.index.len(), |end| *end as usize);
        let entries = (begin..end).filter_map(|k| Some((number[milp.index[k] as usize]?, milp.value[k])));
        small.add_row(milp.row_lower[row], milp.row_upper[row], entries);
    }
    small
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_closed_makes_no_difference() {
        let mut milp = Milp::default();
        for cost in [5.0, 1.0, 1.0, 1.0, 4.0] {
            let column = milp.add_column(0.0, 3.0, true);
            milp.cost[column] = cost;
        }
        (1..4).for_each(|column| milp.upper[column] = 0.0);
        milp.add_row(2.0, f64::INFINITY, (0..5).map(|column| (column, 1.0)));
        milp.add_row(1.0, f64::INFINITY, [(0, 1.0), (1, 1.0)]);
        let run = run_open(&milp, Some(&[2.0, 0.0, 0.0, 0.0, 0.0]), &Limits::default(), Presolve::Automatic).unwrap();
        assert_eq!(run.values.unwrap(), [1.0, 0.0, 0.0, 0.0, 1.0]);
        assert!((run.bound - 9.0).abs() < 1e-6);
    }
}
