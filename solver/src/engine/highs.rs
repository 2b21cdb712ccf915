//! The shim over HiGHS: the only place with unsafe code.
//!
//! Every option is passed explicitly; one thread per run, a fixed seed. `Highs` objects live for one run and never
//! cross threads.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::time::Instant;

use highs_sys as sys;

use super::linear::{Column, LinearRun};
use super::{EngineError, Limits, Milp, Presolve, Run, RunStatus};

/// Models with at most this many columns run without the heuristics that cost more than they bring there.
const SMALL_COLUMNS: usize = 20_000;

/// An owned `Highs` object.
struct Engine(*mut c_void);

impl Drop for Engine {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `Highs_create` and is destroyed once.
        unsafe { sys::Highs_destroy(self.0) }
    }
}

fn check(status: sys::HighsInt, what: &'static str) -> Result<(), EngineError> {
    if status == sys::STATUS_ERROR { Err(EngineError::Refused(what)) } else { Ok(()) }
}

impl Engine {
    fn new() -> Self {
        // SAFETY: no preconditions.
        Engine(unsafe { sys::Highs_create() })
    }

    fn set_bool(&mut self, name: &'static CStr, value: bool) -> Result<(), EngineError> {
        // SAFETY: the object is alive, the name is a C string.
        check(unsafe { sys::Highs_setBoolOptionValue(self.0, name.as_ptr(), value.into()) }, "an option")
    }

    fn set_int(&mut self, name: &'static CStr, value: i32) -> Result<(), EngineError> {
        // SAFETY: as above.
        check(unsafe { sys::Highs_setIntOptionValue(self.0, name.as_ptr(), value) }, "an option")
    }

    fn set_double(&mut self, name: &'static CStr, value: f64) -> Result<(), EngineError> {
        // SAFETY: as above.
        check(unsafe { sys::Highs_setDoubleOptionValue(self.0, name.as_ptr(), value) }, "an option")
    }

    fn set_text(&mut self, name: &'static CStr, value: &'static CStr) -> Result<(), EngineError> {
        // SAFETY: as above, both are C strings.
        check(unsafe { sys::Highs_setStringOptionValue(self.0, name.as_ptr(), value.as_ptr()) }, "an option")
    }

    fn double_info(&self, name: &'static CStr) -> Option<f64> {
        let mut value = 0.0;
        // SAFETY: the object is alive, `value` outlives the call.
        let status = unsafe { sys::Highs_getDoubleInfoValue(self.0, name.as_ptr(), &mut value) };
        (status != sys::STATUS_ERROR && value.is_finite()).then_some(value)
    }
}

/// What the interrupt callback looks at.
struct Interrupt<'a> {
    limits: &'a Limits,
}

/// Asks the engine to stop when a limit is reached. Called by the engine on the thread that runs it.
unsafe extern "C" fn interrupt(
    _kind: c_int,
    _message: *const c_char,
    _out: *const sys::HighsCallbackDataOut,
    input: *mut sys::HighsCallbackDataIn,
    user: *mut c_void,
) {
    if input.is_null() || user.is_null() {
        return;
    }
    // SAFETY: `user` is the `Interrupt` that `run` keeps alive while the engine runs; `input` is the engine's own.
    unsafe {
        let state = &*(user as *const Interrupt<'_>);
        if state.limits.reached() {
            (*input).user_interrupt = 1;
        }
    }
}

/// Runs HiGHS on a model.
pub(super) fn run(milp: &Milp, start: Option<&[f64]>, limits: &Limits, presolve: Presolve) -> Result<Run, EngineError> {
    let mut engine = Engine::new();
    configure(&mut engine, milp, limits, presolve)?;
    pass_model(&mut engine, milp)?;
    if let Some(start) = start.filter(|s| s.len() == milp.columns()) {
        // SAFETY: `start` has one value per column; the other arrays may be null. A refused start is only a lost hint.
        unsafe { sys::Highs_setSolution(engine.0, start.as_ptr(), ptr::null(), ptr::null(), ptr::null()) };
    }
    let state = Interrupt { limits };
    if limits.cancel.is_some() || limits.deadline.is_some() {
        // SAFETY: `state` outlives the run; the callback only reads it.
        unsafe {
            sys::Highs_setCallback(engine.0, Some(interrupt), &state as *const Interrupt<'_> as *mut c_void);
            sys::Highs_startCallback(engine.0, sys::kHighsCallbackMipInterrupt);
            sys::Highs_startCallback(engine.0, sys::kHighsCallbackSimplexInterrupt);
        }
    }
    // SAFETY: the object holds a complete model.
    let status = unsafe { sys::Highs_run(engine.0) };
    if status == sys::STATUS_ERROR {
        return Err(EngineError::Refused("while running"));
    }
    read_answer(&engine, milp)
}

fn configure(engine: &mut Engine, milp: &Milp, limits: &Limits, presolve: Presolve) -> Result<(), EngineError> {
    engine.set_bool(c"output_flag", false)?;
    engine.set_int(c"threads", 1)?;
    engine.set_text(c"parallel", c"off")?;
    engine.set_int(c"random_seed", 1)?;
    engine.set_double(c"mip_rel_gap", limits.relative_gap)?;
    engine.set_double(c"mip_abs_gap", limits.absolute_gap)?;
    engine.set_double(c"mip_feasibility_tolerance", 1e-9)?;
    engine.set_double(c"primal_feasibility_tolerance", 1e-9)?;
    engine.set_double(c"dual_feasibility_tolerance", 1e-9)?;
    if milp.columns() <= SMALL_COLUMNS {
        engine.set_bool(c"mip_heuristic_run_feasibility_jump", false)?;
    }
    if presolve == Presolve::Off {
        engine.set_text(c"presolve", c"off")?;
    }
    if let Some(target) = limits.target {
        engine.set_double(c"objective_target", target)?;
    }
    if let Some(nodes) = limits.nodes {
        engine.set_int(c"mip_max_nodes", i32::try_from(nodes).unwrap_or(i32::MAX))?;
    }
    if let Some(deadline) = limits.deadline {
        engine.set_double(c"time_limit", deadline.saturating_duration_since(Instant::now()).as_secs_f64())?;
    }
    Ok(())
}

fn pass_model(engine: &mut Engine, milp: &Milp) -> Result<(), EngineError> {
    let integrality: Vec<sys::HighsInt> = milp.integer.iter().map(|i| (*i).into()).collect();
    // HiGHS reads no entry of an empty array, but wants a pointer.
    let status = unsafe {
        // SAFETY: every array has the length that the counts say; HiGHS copies them all.
        sys::Highs_passMip(
            engine.0,
            milp.columns() as i32,
            milp.rows() as i32,
            milp.index.len() as i32,
            sys::MATRIX_FORMAT_ROW_WISE,
            sys::OBJECTIVE_SENSE_MINIMIZE,
            0.0,
            milp.cost.as_ptr(),
            milp.lower.as_ptr(),
            milp.upper.as_ptr(),
            milp.row_lower.as_ptr(),
            milp.row_upper.as_ptr(),
            milp.row_start.as_ptr(),
            milp.index.as_ptr(),
            milp.value.as_ptr(),
            integrality.as_ptr(),
        )
    };
    check(status, "the matrix")
}

fn read_answer(engine: &Engine, milp: &Milp) -> Result<Run, EngineError> {
    // SAFETY: the object is alive.
    let model_status = unsafe { sys::Highs_getModelStatus(engine.0) };
    let status = match model_status {
        sys::MODEL_STATUS_OPTIMAL | sys::MODEL_STATUS_MODEL_EMPTY => RunStatus::Optimal,
        sys::MODEL_STATUS_INFEASIBLE => RunStatus::Infeasible,
        // Every column that Cardinal makes is bounded, so "unbounded or infeasible" means infeasible.
        sys::MODEL_STATUS_UNBOUNDED_OR_INFEASIBLE => RunStatus::Infeasible,
        sys::MODEL_STATUS_REACHED_TIME_LIMIT
        | sys::MODEL_STATUS_REACHED_ITERATION_LIMIT
        | sys::MODEL_STATUS_REACHED_SOLUTION_LIMIT
        | sys::MODEL_STATUS_OBJECTIVE_TARGET
        | sys::MODEL_STATUS_REACHED_INTERRUPT
        | sys::MODEL_STATUS_REACHED_MEMORY_LIMIT => RunStatus::Limit,
        other => return Err(EngineError::Failed(other)),
    };
    let mut primal_status = 0;
    // SAFETY: `primal_status` outlives the call.
    unsafe { sys::Highs_getIntInfoValue(engine.0, c"primal_solution_status".as_ptr(), &mut primal_status) };
    let has_values = status != RunStatus::Infeasible && primal_status == sys::SOLUTION_STATUS_FEASIBLE;
    let values = has_values.then(|| {
        let mut values = vec![0.0; milp.columns()];
        // SAFETY: one slot per column; null for what is not wanted is allowed by the C interface.
        unsafe {
            sys::Highs_getSolution(engine.0, values.as_mut_ptr(), ptr::null_mut(), ptr::null_mut(), ptr::null_mut())
        };
        values
    });
    let is_mip = milp.integer.iter().any(|i| *i);
    let bound = if is_mip {
        engine.double_info(c"mip_dual_bound").unwrap_or(f64::NEG_INFINITY)
    } else if status == RunStatus::Optimal {
        engine.double_info(c"objective_function_value").unwrap_or(f64::NEG_INFINITY)
    } else {
        f64::NEG_INFINITY
    };
    let mut nodes = 0i64;
    // SAFETY: `nodes` outlives the call.
    unsafe { sys::Highs_getInt64InfoValue(engine.0, c"mip_node_count".as_ptr(), &mut nodes) };
    Ok(Run { status, values, bound, nodes: u64::try_from(nodes).unwrap_or(0) })
}

/// A linear program that stays in the engine between solves.
pub(super) struct Session(Engine);

impl Session {
    /// The linear relaxation of a model.
    pub(super) fn new(milp: &Milp) -> Result<Self, EngineError> {
        let mut engine = Engine::new();
        engine.set_bool(c"output_flag", false)?;
        engine.set_int(c"threads", 1)?;
        engine.set_text(c"parallel", c"off")?;
        engine.set_int(c"random_seed", 1)?;
        engine.set_text(c"solver", c"simplex")?;
        engine.set_text(c"presolve", c"off")?;
        engine.set_double(c"primal_feasibility_tolerance", 1e-9)?;
        engine.set_double(c"dual_feasibility_tolerance", 1e-9)?;
        let relaxed = Milp { integer: vec![false; milp.columns()], ..milp.clone() };
        pass_model(&mut engine, &relaxed)?;
        Ok(Session(engine))
    }

    pub(super) fn add_columns(&mut self, columns: &[Column]) -> Result<(), EngineError> {
        let of = |f: fn(&Column) -> f64| columns.iter().map(f).collect::<Vec<f64>>();
        let (cost, lower, upper) = (of(|c| c.cost), of(|c| c.lower), of(|c| c.upper));
        let (mut start, mut index, mut value) = (Vec::new(), Vec::new(), Vec::new());
        for column in columns {
            start.push(index.len() as i32);
            index.extend(column.entries.iter().map(|(row, _)| *row as i32));
            value.extend(column.entries.iter().map(|(_, x)| *x));
        }
        // SAFETY: one cost, bound pair and start for each column, one row and value for each entry; HiGHS copies them.
        let status = unsafe {
            sys::Highs_addCols(
                self.0.0,
                columns.len() as i32,
                cost.as_ptr(),
                lower.as_ptr(),
                upper.as_ptr(),
                index.len() as i32,
                start.as_ptr(),
                index.as_ptr(),
                value.as_ptr(),
            )
        };
        check(status, "columns")
    }

    pub(super) fn bound(&mut self, column: usize, lower: f64, upper: f64) -> Result<(), EngineError> {
        // SAFETY: the object is alive; HiGHS checks the column number.
        check(unsafe { sys::Highs_changeColBounds(self.0.0, column as i32, lower, upper) }, "bounds")
    }

    pub(super) fn charge(&mut self, column: usize, cost: f64) -> Result<(), EngineError> {
        // SAFETY: as above.
        check(unsafe { sys::Highs_changeColCost(self.0.0, column as i32, cost) }, "a cost")
    }

    pub(super) fn solve(&mut self, limits: &Limits, columns: usize, rows: usize) -> Result<LinearRun, EngineError> {
        // The engine's clock runs on from solve to solve: the deadline is watched by the callback alone.
        let state = Interrupt { limits };
        // SAFETY: `state` outlives the run and is taken away after it; the callback only reads it.
        let status = unsafe {
            sys::Highs_setCallback(self.0.0, Some(interrupt), &state as *const Interrupt<'_> as *mut c_void);
            sys::Highs_startCallback(self.0.0, sys::kHighsCallbackSimplexInterrupt);
            let status = sys::Highs_run(self.0.0);
            sys::Highs_stopCallback(self.0.0, sys::kHighsCallbackSimplexInterrupt);
            sys::Highs_setCallback(self.0.0, None, ptr::null_mut());
            status
        };
        if status == sys::STATUS_ERROR {
            return Err(EngineError::Refused("while running"));
        }
        // SAFETY: the object is alive.
        let status = match unsafe { sys::Highs_getModelStatus(self.0.0) } {
            sys::MODEL_STATUS_OPTIMAL | sys::MODEL_STATUS_MODEL_EMPTY => RunStatus::Optimal,
            sys::MODEL_STATUS_INFEASIBLE | sys::MODEL_STATUS_UNBOUNDED_OR_INFEASIBLE => RunStatus::Infeasible,
            sys::MODEL_STATUS_REACHED_TIME_LIMIT
            | sys::MODEL_STATUS_REACHED_ITERATION_LIMIT
            | sys::MODEL_STATUS_REACHED_INTERRUPT => RunStatus::Limit,
            other => return Err(EngineError::Failed(other)),
        };
        let (mut values, mut duals) = (vec![0.0; columns], vec![0.0; rows]);
        // SAFETY: one slot per column and per row; null for what is not wanted is allowed by the C interface.
        unsafe {
            sys::Highs_getSolution(self.0.0, values.as_mut_ptr(), ptr::null_mut(), ptr::null_mut(), duals.as_mut_ptr())
        };
        let objective = self.0.double_info(c"objective_function_value").unwrap_or(f64::NAN);
        Ok(LinearRun { status, objective, values, duals })
    }
}
