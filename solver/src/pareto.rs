//! The Pareto front of two objectives: placements of which none is better in one objective without being worse in the
//! other, each proven.
//!
//! A point is found by the lexicographic epsilon-constraint method: the first objective is optimised with a limit on the
//! second, then the second with the first held, so that nothing dominates what is found. (Y. Haimes, L. Lasdon, D. Wismer,
//! On a bicriterion formulation, 1971; G. Mavrotas, Effective implementation of the epsilon-constraint method, 2009.)
//! Where the next limit lies is decided by the largest box in which points may still be (H. Hamacher, C. Pedersen,
//! S. Ruzika, Finding representative systems for discrete bicriterion optimization problems, 2007): the points are spread
//! over the front from the first on, and what is excluded between them is known at any time.
//!
//! A front runs nothing. It says what to solve next ([`Front::ask`]) and is told the answer ([`Front::record`]), so that its
//! caller runs any number of solves at a time and may stop whenever it likes with what there is so far. Tasks are handed out
//! in rounds, so that the points do not depend on which solve is the faster.

use std::sync::Arc;

use cardinal_models::application::{Application, Direction, Objective, Tolerance};
use cardinal_models::diagnostic::Severity;
use cardinal_models::document::{ModelDocument, Scalar, UtilityDocument};
use cardinal_models::resolve::resolve;
use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::{Solution, Status};
use cardinal_models::span::{Span, Spanned};
use cardinal_models::tolerance;

use crate::ranked::hold;
use crate::selector::Misread;
use crate::solve::{Outcome, SolveError};

/// The most points of a front.
pub const POINTS_MAX: usize = 10_000;
/// Points closer to each other than this share of the range of an objective are told apart by no default.
pub const RESOLUTION: f64 = 1e-6;

/// A point of a front.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The values of the two objectives.
    pub values: [f64; 2],
    /// The placement with its proof.
    pub solution: Solution,
}

/// A placement that a front wants.
#[derive(Clone, Debug)]
pub struct Task {
    /// What to solve.
    pub snapshot: Snapshot,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    /// The best of one objective.
    End(usize),
    /// A limit on the second objective inside a box.
    Inside { number: usize, limit: f64 },
}

/// Two neighbours with room between them: a point there costs less in the first objective than the right one, and more in
/// the second than `low`. Objectives count as losses: the smaller the better.
#[derive(Clone, Copy, Debug)]
struct Room {
    left: usize,
    right: usize,
    low: f64,
    /// True after the lower half was found to be empty: then the next point after the left one is sought.
    is_thin: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Being solved.
    Asked,
    /// No further point at the resolution.
    Closed,
    /// A solve was stopped or failed: points may be missing.
    Lost,
}

/// The front of two objectives on its way.
#[derive(Debug)]
pub struct Front {
    base: Snapshot,
    goals: [Objective; 2],
    points_max: usize,
    resolution: f64,
    ends: [Option<Solution>; 2],
    asked_ends: usize,
    points: Vec<Point>,
    rooms: Vec<Room>,
    round: Vec<usize>,
    running: usize,
    solves: usize,
    failure: Option<SolveError>,
    is_infeasible: bool,
    is_stopped: bool,
}

impl Front {
    /// The front of two objectives of a snapshot, whose own objectives do not count: at most so many points, and none that
    /// are closer than this share of the range of the second objective.
    pub fn new(base: &Snapshot, goals: [Objective; 2], points: usize, resolution: f64) -> Front {
        Front {
            base: base.clone(),
            goals,
            points_max: points.clamp(2, POINTS_MAX),
            resolution: resolution.clamp(RESOLUTION, 1.0),
            ends: [None, None],
            asked_ends: 0,
            points: Vec::new(),
            rooms: Vec::new(),
            round: Vec::new(),
            running: 0,
            solves: 0,
            failure: None,
            is_infeasible: false,
            is_stopped: false,
        }
    }

    /// The objectives.
    pub fn goals(&self) -> &[Objective; 2] {
        &self.goals
    }

    /// The points that are known, from the best of the first objective to the best of the second.
    pub fn points(&self) -> Vec<&Point> {
        let mut all: Vec<&Point> = self.points.iter().collect();
        all.sort_by(|a, b| self.loss(0, a.values[0]).total_cmp(&self.loss(0, b.values[0])));
        all
    }

    /// True when no placement is admissible.
    pub fn is_infeasible(&self) -> bool {
        self.is_infeasible
    }

    /// Why an end of the front cannot be found.
    pub fn failure(&self) -> Option<&SolveError> {
        self.failure.as_ref()
    }

    /// True when nothing is left to ask, now or later.
    pub fn is_done(&self) -> bool {
        let is_over = self.failure.is_some() || self.is_infeasible || self.is_stopped;
        let is_full = self.points.len() >= self.points_max;
        let has_room = self.rooms.iter().any(|room| room.state == State::Open);
        let has_ends = self.asked_ends == 2;
        self.running == 0 && (is_over || (has_ends && self.round.is_empty() && (is_full || !has_room)))
    }

    /// True when every point of the front is known that is not closer to another one than the resolution.
    pub fn is_complete(&self) -> bool {
        self.is_infeasible || (self.is_settled() && self.rooms.iter().all(|room| room.state == State::Closed))
    }

    /// True when every point that was asked for is known: the whole front, or as many as wanted.
    pub fn is_settled(&self) -> bool {
        let has_ends = self.ends.iter().all(Option::is_some) || self.points.len() == 1;
        let is_lost = self.rooms.iter().any(|room| room.state == State::Lost);
        self.is_infeasible || (has_ends && self.is_done() && !is_lost && !self.is_stopped)
    }

    /// How many solves were answered, and how many points are known of those wanted.
    pub fn progress(&self) -> (usize, usize) {
        (self.points.len(), if self.is_done() { self.points.len() } else { self.points_max })
    }

    /// How many solves were answered.
    pub fn solves(&self) -> usize {
        self.solves
    }

    /// The next question, if there is one now. More may come once the answers that are awaited are recorded.
    pub fn ask(&mut self) -> Option<Task> {
        if self.failure.is_some() || self.is_infeasible || self.is_stopped {
            return None;
        }
        if self.asked_ends < 2 {
            let end = self.asked_ends;
            self.asked_ends += 1;
            self.running += 1;
            return Some(Task { snapshot: self.snapshot(end, None), place: Place::End(end) });
        }
        if self.round.is_empty() {
            if self.running > 0 {
                return None;
            }
            self.begin_round();
        }
        let number = self.round.pop()?;
        let limit = self.limit_of(&self.rooms[number]);
        self.rooms[number].state = State::Asked;
        self.running += 1;
        Some(Task { snapshot: self.snapshot(0, Some(limit)), place: Place::Inside { number, limit } })
    }

    /// Takes the answer to a question.
    pub fn record(&mut self, task: &Task, answer: Result<Outcome, SolveError>) {
        self.running -= 1;
        self.solves += 1;
        match task.place {
            Place::End(end) => self.record_end(end, answer),
            Place::Inside { number, limit } => self.record_inside(number, limit, answer),
        }
    }

    /// A value as a loss.
    fn loss(&self, goal: usize, value: f64) -> f64 {
        -self.goals[goal].direction.sign() * value
    }

    fn losses(&self, point: usize) -> [f64; 2] {
        let values = self.points[point].values;
        [self.loss(0, values[0]), self.loss(1, values[1])]
    }

    /// The range of an objective between the ends.
    fn range(&self, goal: usize) -> f64 {
        let all = || self.points.iter().map(|p| self.loss(goal, p.values[goal]));
        all().fold(f64::NEG_INFINITY, f64::max) - all().fold(f64::INFINITY, f64::min)
    }

    /// What is optimised first, then the other, with a limit on the loss of the second objective.
    fn snapshot(&self, first: usize, limit: Option<f64>) -> Snapshot {
        let mut application = Application::clone(&self.base.application);
        application.soft.clear();
        application.objective = self.goals[first].clone();
        application.later = vec![self.goals[1 - first].clone()];
        if let Some(limit) = limit {
            let second = &self.goals[1];
            application.constraints.push(hold(second, -second.direction.sign() * limit));
        }
        Snapshot { application: Arc::new(application), ..self.base.clone() }
    }

    fn record_end(&mut self, end: usize, answer: Result<Outcome, SolveError>) {
        match answer {
            Ok(Outcome { status: Status::Optimal, solution: Some(solution), .. }) => self.ends[end] = Some(solution),
            Ok(Outcome { status: Status::Infeasible, .. }) => self.is_infeasible = true,
            Ok(_) => self.is_stopped = true,
            Err(error) => self.failure = Some(error),
        }
        let values = |solution: &Solution, first: usize| {
            let value = |at: usize| solution.objectives.get(at).map_or(f64::NAN, |one| one.value);
            if first == 0 { [value(0), value(1)] } else { [value(1), value(0)] }
        };
        let found: Vec<Point> = self
            .ends
            .iter()
            .enumerate()
            .filter_map(|(first, s)| s.as_ref().map(|s| Point { values: values(s, first), solution: s.clone() }))
            .collect();
        self.points = found;
        if let [left, right] = self.points.as_slice() {
            // One placement may be the best of both.
            if tolerance::equal(left.values[0], right.values[0]) || tolerance::equal(left.values[1], right.values[1]) {
                self.points.truncate(1);
                return;
            }
            let low = self.losses(1)[1];
            self.add_room(0, 1, low);
        }
    }

    /// The room between two points, if it is large enough for another one.
    fn add_room(&mut self, left: usize, right: usize, low: f64) {
        let room = Room { left, right, low, is_thin: false, state: State::Open };
        self.rooms.push(Room { state: if self.is_open(&room) { State::Open } else { State::Closed }, ..room });
    }

    fn is_open(&self, room: &Room) -> bool {
        let (left, right) = (self.losses(room.left), self.losses(room.right));
        let wide = right[0] - left[0] > self.step(0) && left[1] - room.low > 1.5 * self.step(1);
        wide && !tolerance::equal(left[0], right[0]) && !tolerance::equal(left[1], room.low)
    }

    /// The least distance of two points in an objective: the resolution, and what comparisons tell apart.
    fn step(&self, goal: usize) -> f64 {
        let size = self.points.iter().map(|p| p.values[goal].abs()).fold(0.0, f64::max);
        (self.resolution * self.range(goal)).max(100.0 * tolerance::TOLERANCE * size)
    }

    /// How much room there is, as a share of all.
    fn size(&self, room: &Room) -> f64 {
        let (left, right) = (self.losses(room.left), self.losses(room.right));
        (right[0] - left[0]) / self.range(0) * ((left[1] - room.low) / self.range(1))
    }

    /// The limit on the second objective that is tried in a room.
    fn limit_of(&self, room: &Room) -> f64 {
        let top = self.losses(room.left)[1];
        let next = top - self.step(1);
        if room.is_thin { next } else { ((top + room.low) / 2.0).min(next) }
    }

    /// The largest rooms, as many as points are wanted.
    fn begin_round(&mut self) {
        let wanted = self.points_max.saturating_sub(self.points.len());
        let mut open: Vec<usize> = (0..self.rooms.len()).filter(|i| self.rooms[*i].state == State::Open).collect();
        open.sort_by(|a, b| self.size(&self.rooms[*b]).total_cmp(&self.size(&self.rooms[*a])).then(a.cmp(b)));
        open.truncate(wanted);
        open.reverse();
        self.round = open;
    }

    fn record_inside(&mut self, number: usize, limit: f64, answer: Result<Outcome, SolveError>) {
        let room = self.rooms[number];
        let is_last = limit >= self.losses(room.left)[1] - 1.01 * self.step(1);
        let solution = match answer {
            Ok(Outcome { status: Status::Optimal, solution: Some(solution), .. }) => solution,
            // The right neighbour keeps to the limit: that nothing does is a matter of the last digits.
            Ok(Outcome { status: Status::Infeasible, .. }) => return self.lower_half_is_empty(number, limit, is_last),
            Ok(_) | Err(_) => {
                self.rooms[number].state = State::Lost;
                return;
            }
        };
        let value = |at: usize| solution.objectives.get(at).map_or(f64::NAN, |one| one.value);
        let values = [value(0), value(1)];
        let losses = [self.loss(0, values[0]), self.loss(1, values[1])];
        let (left, right) = (self.losses(room.left), self.losses(room.right));
        let is_between = |goal: usize, low: f64, high: f64| {
            low < losses[goal]
                && losses[goal] < high
                && !tolerance::equal(low, losses[goal])
                && !tolerance::equal(losses[goal], high)
        };
        if !is_between(0, left[0], right[0]) || !is_between(1, right[1], left[1]) {
            return self.lower_half_is_empty(number, limit, is_last);
        }
        self.points.push(Point { values, solution });
        let found = self.points.len() - 1;
        self.rooms[number].state = State::Closed;
        // Whatever lies before the new point costs less than it in the first objective, and is beyond the limit.
        if !is_last {
            self.add_room(room.left, found, limit);
        }
        self.add_room(found, room.right, room.low);
    }

    /// No point of the room keeps to the limit but the right neighbour.
    fn lower_half_is_empty(&mut self, number: usize, limit: f64, is_last: bool) {
        let room = &mut self.rooms[number];
        room.low = room.low.max(limit);
        room.is_thin = true;
        let room = *room;
        self.rooms[number].state = if !is_last && self.is_open(&room) { State::Open } else { State::Closed };
    }
}

const SHAPE: &str = "write `minimize FORMULA`, `maximize FORMULA`, or `utility` for that of the model";

/// Reads the two objectives of a front: `minimize FORMULA`, `maximize FORMULA`, or `utility` for the model's own with
/// what its soft constraints cost. None stands for the total cost and the model's own.
///
/// # Errors
///
/// What cannot be read, with the mend.
pub fn read_goals(
    document: &ModelDocument,
    application: &Application,
    texts: &[String],
) -> Result<[Objective; 2], Misread> {
    let own = || {
        let objective = application.objective.clone();
        // The losses are a part of it from here on.
        let stated = objective.formula.clone();
        let with = if application.soft.is_empty() { "" } else { " with penalties" };
        let text = format!("{}{with}", objective.text);
        Objective { stated, text, parts: Vec::new(), tolerance: Tolerance::NONE, ..objective }
    };
    match texts {
        [] if application.objective.text == "total_cost" && application.soft.is_empty() => {
            let message = "the model minimises the total cost, which is one objective and not two";
            Err(Misread::new(message, "name two: `--objective 'minimize total_cost' --objective 'minimize FORMULA'`"))
        }
        [] => Ok([Objective::total_cost(), own()]),
        [first, second] => {
            let one = |text: &String| match text.trim() {
                "utility" => Ok(own()),
                text => read_goal(document, text),
            };
            Ok([one(first)?, one(second)?])
        }
        _ => Err(Misread::new("a front has two objectives", format!("give `--objective` twice: {SHAPE}"))),
    }
}

fn read_goal(document: &ModelDocument, text: &str) -> Result<Objective, Misread> {
    let wrong = || Misread::new(format!("`{text}` is no objective"), SHAPE);
    let (word, formula) = text.split_once(char::is_whitespace).ok_or_else(wrong)?;
    let formula = formula.trim();
    let (direction, name) = match word.trim_end_matches(':') {
        "minimize" | "minimise" | "min" => (Direction::Minimize, formula),
        "maximize" | "maximise" | "max" => (Direction::Maximize, formula),
        _ => return Err(wrong()),
    };
    let written = Spanned::made(Scalar::Text(name.to_owned()));
    let mut changed = document.clone();
    // Only the formula is of interest: penalties may be in a unit that is none of this objective's.
    changed.constraints.0.retain(|(_, constraint)| constraint.penalty().is_none());
    changed.slo.0.retain(|(_, constraint)| constraint.penalty().is_none());
    changed.utility = Some(match direction {
        Direction::Minimize => UtilityDocument::Minimize { minimize: written },
        Direction::Maximize => UtilityDocument::Maximize { maximize: written },
    });
    let (application, _) = resolve(&changed).map_err(|findings| {
        let first = findings.0.into_iter().find(|d| d.severity == Severity::Error);
        let (message, help) = first.map_or((String::new(), None), |d| (d.message, d.help));
        Misread { message: format!("`{text}`: {message}"), help }
    })?;
    let objective = application.objective;
    let stated = objective.stated.without_places();
    Ok(Objective { formula: stated.clone(), stated, span: Span::NONE, ..objective })
}
