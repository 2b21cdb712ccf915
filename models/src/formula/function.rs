//! The functions of numbers that formulas may call.

/// A function of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Function {
    /// `abs(x)`
    Abs,
    /// `sqrt(x)`; undefined for x < 0
    Sqrt,
    /// `exp(x)`; undefined where it overflows
    Exp,
    /// `ln(x)`; undefined for x <= 0
    Ln,
    /// `log10(x)`; undefined for x <= 0
    Log10,
    /// `log2(x)`; undefined for x <= 0
    Log2,
    /// `log(base, x)`; undefined for x <= 0, base <= 0 or base = 1
    Log,
    /// `sin(x)`, x in radians
    Sin,
    /// `cos(x)`, x in radians
    Cos,
    /// `tan(x)`, x in radians
    Tan,
    /// `asin(x)`; undefined outside -1..1
    Asin,
    /// `acos(x)`; undefined outside -1..1
    Acos,
    /// `atan(x)`
    Atan,
    /// `rad(x)`: degrees to radians
    Radians,
    /// `deg(x)`: radians to degrees
    Degrees,
    /// `floor(x)`
    Floor,
    /// `ceil(x)`
    Ceil,
    /// `round(x)`, halves away from zero
    Round,
    /// `sgn(x)`: -1, 0 or 1
    Sign,
    /// `min(a, b, ...)`
    Min,
    /// `max(a, b, ...)`
    Max,
    /// `sum(a, b, ...)`
    Sum,
    /// `mean(a, b, ...)`
    Mean,
    /// `clamp(x, low, high)`
    Clamp,
    /// `number(x)`: the number without its unit
    Number,
    /// `erlang_b(servers, offered_load)`: the probability that all servers are busy in M/M/c/c
    ErlangB,
    /// `erlang_c(servers, offered_load)`: the probability of waiting in M/M/c; 1 when offered_load >= servers
    ErlangC,
    /// `mmc_response_time(arrival_rate, service_rate, servers)`: mean time in system in M/M/c, in the inverse unit of
    /// the rates; undefined (unstable) when arrival_rate >= servers * service_rate
    MmcResponseTime,
    /// `mmc_waiting_time(arrival_rate, service_rate, servers)`: mean time in queue
    MmcWaitingTime,
}
