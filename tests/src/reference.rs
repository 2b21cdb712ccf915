//! A second formulation of linear models: every instance is assigned to an offer by name.
//!
//! This is the textbook form, with all the symmetry that the solver's counts avoid, written with `good_lp` from the same
//! description that the YAML is written from. It shares nothing with the solver but the engine underneath.

use cardinal_models::offer::Offer;
use good_lp::{
    Expression, ProblemVariables, ResolutionError, Solution as _, SolverModel as _, Variable, constraint, highs,
    variable,
};

use crate::draw::Draw;
use crate::generate::offer;
use crate::world::World;

/// What is counted of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Nodes.
    Nodes,
    /// Their cores.
    Cores,
    /// Their memory in GiB.
    Memory,
    /// Their price.
    Price,
    /// Nodes with at least 4 cores.
    Large,
    /// Nodes of the provider `aws`.
    Aws,
}

impl Measure {
    const ALL: [Measure; 6] =
        [Measure::Nodes, Measure::Cores, Measure::Memory, Measure::Price, Measure::Large, Measure::Aws];

    fn of(self, offer: &Offer) -> f64 {
        match self {
            Measure::Nodes => 1.0,
            Measure::Cores => offer.cores.count(),
            Measure::Memory => offer.memory.mib() / 1024.0,
            Measure::Price => offer.price.units(),
            Measure::Large => f64::from(u8::from(offer.cores.count() >= 4.0)),
            Measure::Aws => f64::from(u8::from(offer.provider.as_ref() == "aws")),
        }
    }

    fn formula(self, c: &str) -> String {
        match self {
            Measure::Nodes => format!("{c}.cardinality"),
            Measure::Cores => format!("sum({c}.cores)"),
            Measure::Memory => format!("sum(number({c}.memory)) / 1024"),
            Measure::Price => format!("sum(number({c}.price))"),
            Measure::Large => format!("count({c}, {c}.cores >= 4)"),
            Measure::Aws => format!("count({c}, {c}.provider == \"aws\")"),
        }
    }

    /// A usual value for one node.
    fn usual(self) -> f64 {
        match self {
            Measure::Nodes => 1.0,
            Measure::Cores => 3.5,
            Measure::Memory => 6.0,
            Measure::Price => 0.2,
            Measure::Large | Measure::Aws => 0.5,
        }
    }
}

/// A component with a dedicated fleet.
#[derive(Clone, Debug)]
pub struct Part {
    name: String,
    mixed: bool,
    low: u32,
    high: u32,
    least_cores: f64,
    /// At most so many nodes in one region.
    spread: Option<u32>,
}

/// `sum of factor * measure of component  <=  or  >=  limit`.
#[derive(Clone, Debug)]
pub struct Limit {
    terms: Vec<(f64, Measure, usize)>,
    at_most: bool,
    limit: f64,
}

/// A linear model.
#[derive(Clone, Debug)]
pub struct LinearModel {
    offers: Vec<Offer>,
    parts: Vec<Part>,
    limits: Vec<Limit>,
    /// At most so many nodes of one provider.
    quota: Option<(String, u32)>,
    /// What is minimised besides the total cost.
    weights: Vec<(f64, Measure, usize)>,
}

impl LinearModel {
    /// The model of a seed.
    pub fn new(seed: u64) -> Self {
        let draw = &mut Draw::new(seed);
        let offers = (0..draw.number(10, 30) as usize)
            .map(|i| Offer { purchase: cardinal_models::offer::Purchase::OnDemand, ..offer(draw, i) })
            .collect();
        let names = ["web", "db", "worker"];
        let parts: Vec<Part> = names[..draw.number(1, 3) as usize]
            .iter()
            .map(|name| {
                let low = draw.number(1, 4);
                Part {
                    name: (*name).to_owned(),
                    mixed: draw.chance(60),
                    low,
                    high: draw.number(low, 8),
                    least_cores: draw.pick(&[0.0, 0.0, 1.0, 2.0]),
                    spread: draw.chance(25).then(|| draw.number(1, 3)),
                }
            })
            .collect();
        let term = |draw: &mut Draw| {
            let factor = draw.pick(&[1.0, 1.0, 1.0, 2.0, 0.5, -1.0]);
            (factor, draw.pick(&Measure::ALL), draw.number(0, parts.len() as u32 - 1) as usize)
        };
        let limits = (0..draw.number(0, 3))
            .map(|_| {
                let terms: Vec<_> = (0..draw.number(1, 3)).map(|_| term(draw)).collect();
                let at_most = draw.chance(40);
                let usual: f64 = terms.iter().map(|(f, m, c)| f * m.usual() * f64::from(parts[*c].high)).sum();
                let share = if at_most { draw.pick(&[0.8, 1.0, 1.3]) } else { draw.pick(&[0.4, 0.7, 1.0]) };
                Limit { terms, at_most, limit: (usual * share * 10.0).round() / 10.0 }
            })
            .collect();
        let quota = draw.chance(30).then(|| (draw.pick(&["aws", "gcp"]).to_owned(), draw.number(1, 6)));
        let weights = (0..draw.pick(&[0, 0, 1, 2]))
            .map(|_| {
                let (_, measure, part) = term(draw);
                (draw.pick(&[-0.2, -0.05, 0.1]), measure, part)
            })
            .collect();
        LinearModel { offers, parts, limits, quota, weights }
    }

    /// The model in Cardinal's language.
    pub fn world(&self) -> World {
        let mut text = "application: linear\ncomponents:\n".to_owned();
        for part in &self.parts {
            let fleet = if part.mixed { "mixed" } else { "uniform" };
            text += &format!("  {}:\n    cardinality: {}..{}\n    fleet: {fleet}\n", part.name, part.low, part.high);
            text += &format!("    requires: {{cores: \">= {}\"}}\n", part.least_cores);
            if let Some(most) = part.spread {
                text += &format!("    placement: {{spread: {{by: region, at_most: {most}}}}}\n");
            }
        }
        if !self.limits.is_empty() {
            text += "constraints:\n";
        }
        for (i, limit) in self.limits.iter().enumerate() {
            let op = if limit.at_most { "<=" } else { ">=" };
            text += &format!("  c{i}: '{} {op} {}'\n", self.sum(&limit.terms), limit.limit);
        }
        if let Some((provider, nodes)) = &self.quota {
            text += &format!("quotas: {{q: {{provider: {provider}, nodes: {nodes}}}}}\n");
        }
        if !self.weights.is_empty() {
            text += &format!("utility: {{minimize: 'number(total_cost) + {}'}}\n", self.sum(&self.weights));
        }
        World { model: text, offers: self.offers.clone(), ..World::default() }
    }

    fn sum(&self, terms: &[(f64, Measure, usize)]) -> String {
        let one = |(factor, measure, part): &(f64, Measure, usize)| {
            format!("({factor}) * ({})", measure.formula(&self.parts[*part].name))
        };
        terms.iter().map(one).collect::<Vec<_>>().join(" + ")
    }

    /// The smallest value of the objective; `None` when no placement is admissible.
    ///
    /// # Errors
    ///
    /// When the engine fails.
    pub fn optimum(&self) -> Result<Option<f64>, ResolutionError> {
        let mut variables = ProblemVariables::new();
        // The instance number i of a part runs on offer o.
        let runs: Vec<Vec<Vec<Variable>>> = self
            .parts
            .iter()
            .map(|p| {
                let instance = |_| self.offers.iter().map(|_| variables.add(variable().binary())).collect();
                (0..p.high).map(instance).collect()
            })
            .collect();
        let chosen: Vec<Vec<Variable>> = self
            .parts
            .iter()
            .map(|_| self.offers.iter().map(|_| variables.add(variable().binary())).collect())
            .collect();
        let total = |terms: &[(f64, Measure, usize)]| -> Expression {
            let each = terms.iter().flat_map(|(factor, measure, part)| {
                let runs = &runs[*part];
                runs.iter().flat_map(move |instance| {
                    instance.iter().zip(&self.offers).map(move |(x, offer)| (factor * measure.of(offer)) * *x)
                })
            });
            each.sum()
        };
        let mut objective = total(&self.weights);
        for part in 0..self.parts.len() {
            objective += total(&[(1.0, Measure::Price, part)]);
        }
        let mut model = variables.minimise(objective.clone()).using(highs);
        model.set_verbose(false);
        for (p, part) in self.parts.iter().enumerate() {
            for (i, instance) in runs[p].iter().enumerate() {
                let used: Expression = instance.iter().sum();
                model.add_constraint(constraint!(used.clone() <= 1));
                if (i as u32) < part.low {
                    model.add_constraint(constraint!(used == 1));
                } else if i > 0 {
                    let before: Expression = runs[p][i - 1].iter().sum();
                    model.add_constraint(constraint!(used <= before));
                }
                for (o, offer) in self.offers.iter().enumerate() {
                    if offer.cores.count() < part.least_cores {
                        model.add_constraint(constraint!(instance[o] <= 0));
                    }
                    if !part.mixed {
                        model.add_constraint(constraint!(instance[o] <= chosen[p][o]));
                    }
                }
            }
            let one: Expression = chosen[p].iter().sum();
            model.add_constraint(constraint!(one <= 1));
            for region in part.spread.iter().flat_map(|most| self.regions().into_iter().map(move |r| (r, *most))) {
                let inside = |o: &&Offer| (o.provider.as_ref(), o.region.as_ref()) == region.0;
                let nodes: Expression = runs[p]
                    .iter()
                    .flat_map(|instance| instance.iter().zip(&self.offers).filter(|(_, o)| inside(o)).map(|(x, _)| *x))
                    .sum();
                model.add_constraint(constraint!(nodes <= region.1));
            }
        }
        for limit in &self.limits {
            let sum = total(&limit.terms);
            model.add_constraint(if limit.at_most {
                constraint!(sum <= limit.limit)
            } else {
                constraint!(sum >= limit.limit)
            });
        }
        if let Some((provider, most)) = &self.quota {
            let counts = |o: &Offer| o.provider.as_ref() == provider;
            let all = runs.iter().flatten();
            let nodes: Expression = all
                .flat_map(|instance| instance.iter().zip(&self.offers).filter(|(_, o)| counts(o)).map(|(x, _)| *x))
                .sum();
            model.add_constraint(constraint!(nodes <= *most));
        }
        match model.solve() {
            Ok(solution) => Ok(Some(solution.eval(&objective))),
            Err(ResolutionError::Infeasible) => Ok(None),
            Err(other) => Err(other),
        }
    }

    fn regions(&self) -> Vec<(&str, &str)> {
        let mut regions: Vec<_> = self.offers.iter().map(|o| (o.provider.as_ref(), o.region.as_ref())).collect();
        regions.sort_unstable();
        regions.dedup();
        regions
    }
}
