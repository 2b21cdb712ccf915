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

/// Every function with its name, its first being the one that is shown, and how many arguments it takes.
const NAMES: [(&str, Function, usize, usize); 44] = [
    ("abs", Function::Abs, 1, 1),
    ("sqrt", Function::Sqrt, 1, 1),
    ("exp", Function::Exp, 1, 1),
    ("ln", Function::Ln, 1, 1),
    ("log10", Function::Log10, 1, 1),
    ("lg", Function::Log10, 1, 1),
    ("log2", Function::Log2, 1, 1),
    ("ld", Function::Log2, 1, 1),
    ("log", Function::Log, 2, 2),
    ("sin", Function::Sin, 1, 1),
    ("cos", Function::Cos, 1, 1),
    ("tan", Function::Tan, 1, 1),
    ("tg", Function::Tan, 1, 1),
    ("asin", Function::Asin, 1, 1),
    ("arcsin", Function::Asin, 1, 1),
    ("asn", Function::Asin, 1, 1),
    ("acos", Function::Acos, 1, 1),
    ("arccos", Function::Acos, 1, 1),
    ("acs", Function::Acos, 1, 1),
    ("atan", Function::Atan, 1, 1),
    ("arctan", Function::Atan, 1, 1),
    ("atn", Function::Atan, 1, 1),
    ("rad", Function::Radians, 1, 1),
    ("deg", Function::Degrees, 1, 1),
    ("floor", Function::Floor, 1, 1),
    ("ceil", Function::Ceil, 1, 1),
    ("ceiling", Function::Ceil, 1, 1),
    ("round", Function::Round, 1, 1),
    ("sgn", Function::Sign, 1, 1),
    ("sign", Function::Sign, 1, 1),
    ("min", Function::Min, 1, usize::MAX),
    ("max", Function::Max, 1, usize::MAX),
    ("sum", Function::Sum, 1, usize::MAX),
    ("add", Function::Sum, 1, usize::MAX),
    ("mean", Function::Mean, 1, usize::MAX),
    ("avg", Function::Mean, 1, usize::MAX),
    ("average", Function::Mean, 1, usize::MAX),
    ("clamp", Function::Clamp, 3, 3),
    ("number", Function::Number, 1, 1),
    ("erlang_b", Function::ErlangB, 2, 2),
    ("erlang_c", Function::ErlangC, 2, 2),
    ("mmc_response_time", Function::MmcResponseTime, 3, 3),
    ("mmc_waiting_time", Function::MmcWaitingTime, 3, 3),
    ("mmc_queueing_time", Function::MmcWaitingTime, 3, 3),
];

/// The largest number of servers in a queueing formula.
pub const SERVERS_LIMIT: f64 = 1e6;

/// A function has no value for its arguments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DomainError {
    /// The function.
    pub function: Function,
    /// The argument that it refuses.
    pub value: f64,
    /// What the argument must be, or what else is wrong.
    pub reason: &'static str,
}

impl std::fmt::Display for DomainError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} has no value for {}: {}", self.function.name(), self.value, self.reason)
    }
}

impl std::error::Error for DomainError {}

impl Function {
    /// The function with a name, in Cardinal's or mXparser's spelling.
    pub fn named(name: &str) -> Option<Function> {
        NAMES.iter().find(|(n, ..)| *n == name).map(|(_, function, ..)| *function)
    }

    /// The name in formulas.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, function, ..)| *function == self).map_or("", |(name, ..)| name)
    }

    /// The names of all functions.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, ..)| *name)
    }

    /// The smallest and the largest number of arguments.
    pub fn arity(self) -> (usize, usize) {
        NAMES.iter().find(|(_, function, ..)| *function == self).map_or((0, 0), |(_, _, low, high)| (*low, *high))
    }

    /// The value for the arguments. It is always finite.
    pub fn apply(self, args: &[f64]) -> Result<f64, DomainError> {
        let x = args.first().copied().unwrap_or(0.0);
        let refuse = |value, reason| Err(DomainError { function: self, value, reason });
        let (low, high) = self.arity();
        if args.len() < low || args.len() > high {
            return refuse(args.len() as f64, "the number of arguments is wrong");
        }
        if let Some(odd) = args.iter().find(|a| !a.is_finite()) {
            return refuse(*odd, "it is not finite");
        }
        let second = args.get(1).copied().unwrap_or(0.0);
        let third = args.get(2).copied().unwrap_or(0.0);
        let value = match self {
            Function::Abs => x.abs(),
            Function::Sqrt if x < 0.0 => return refuse(x, "it is negative"),
            Function::Sqrt => x.sqrt(),
            Function::Exp => x.exp(),
            Function::Ln | Function::Log10 | Function::Log2 if x <= 0.0 => return refuse(x, "it is not positive"),
            Function::Ln => x.ln(),
            Function::Log10 => x.log10(),
            Function::Log2 => x.log2(),
            Function::Log if x <= 0.0 || x == 1.0 => return refuse(x, "a base is positive and not 1"),
            Function::Log if second <= 0.0 => return refuse(second, "it is not positive"),
            Function::Log => second.ln() / x.ln(),
            Function::Sin => x.sin(),
            Function::Cos => x.cos(),
            Function::Tan => x.tan(),
            Function::Asin | Function::Acos if x.abs() > 1.0 => return refuse(x, "it lies outside -1..1"),
            Function::Asin => x.asin(),
            Function::Acos => x.acos(),
            Function::Atan => x.atan(),
            Function::Radians => x.to_radians(),
            Function::Degrees => x.to_degrees(),
            Function::Floor => x.floor(),
            Function::Ceil => x.ceil(),
            Function::Round => x.round(),
            Function::Sign if x == 0.0 => 0.0,
            Function::Sign => x.signum(),
            Function::Min => args.iter().copied().fold(x, f64::min),
            Function::Max => args.iter().copied().fold(x, f64::max),
            Function::Sum => args.iter().sum(),
            Function::Mean => args.iter().sum::<f64>() / args.len() as f64,
            Function::Clamp if second > third => return refuse(second, "the lower limit is above the upper"),
            Function::Clamp => x.clamp(second, third),
            Function::Number => x,
            Function::ErlangB => {
                let servers = self.servers(x)?;
                erlang_b(servers, self.load(second)?)
            }
            Function::ErlangC => {
                let servers = self.servers(x)?;
                erlang_c(servers, self.load(second)?)
            }
            Function::MmcResponseTime => self.queueing(x, second, third)? + 1.0 / second,
            Function::MmcWaitingTime => self.queueing(x, second, third)?,
        };
        if value.is_finite() { Ok(value) } else { refuse(x, "the result is too large") }
    }

    /// A number of servers: whole within the tolerance, because it may be the result of a division.
    fn servers(self, servers: f64) -> Result<u32, DomainError> {
        let refuse = |reason| Err(DomainError { function: self, value: servers, reason });
        let whole = servers.round();
        if !crate::tolerance::equal(servers, whole) {
            return refuse("the number of servers is not whole");
        }
        if !(0.0..=SERVERS_LIMIT).contains(&whole) {
            return refuse("the number of servers is negative or above a million");
        }
        Ok(whole as u32)
    }

    fn load(self, load: f64) -> Result<f64, DomainError> {
        if load >= 0.0 {
            return Ok(load);
        }
        Err(DomainError { function: self, value: load, reason: "the load is negative" })
    }

    /// The mean time in the queue of M/M/c: C(c, a) / (c mu - lambda).
    fn queueing(self, arrivals: f64, service: f64, servers: f64) -> Result<f64, DomainError> {
        let refuse = |value, reason| Err(DomainError { function: self, value, reason });
        let count = self.servers(servers)?;
        if service <= 0.0 {
            return refuse(service, "the service rate is not positive");
        }
        if arrivals < 0.0 {
            return refuse(arrivals, "the arrival rate is negative");
        }
        let slack = f64::from(count) * service - arrivals;
        if slack <= 0.0 {
            return refuse(arrivals, "the queue grows without end: arrival_rate >= servers * service_rate");
        }
        Ok(erlang_c(count, arrivals / service) / slack)
    }
}

/// The Erlang B formula: the share of arrivals that find all servers busy and are lost in M/M/c/c, by the stable
/// recursion B(0) = 1, B(k) = a B(k-1) / (k + a B(k-1)).
///
/// A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in automatic telephone
/// exchanges", 1917; the recursion as in Gross, Shortle, Thompson and Harris, *Fundamentals of Queueing Theory*,
/// section 3.5.
fn erlang_b(servers: u32, load: f64) -> f64 {
    (1..=servers).fold(1.0, |b, k| {
        let offered = load * b;
        offered / (f64::from(k) + offered)
    })
}

/// The Erlang C formula: the share of arrivals that wait in M/M/c, from B: C = c B / (c - a (1 - B)); all of them wait
/// when the load reaches the number of servers. Same sources.
fn erlang_c(servers: u32, load: f64) -> f64 {
    let c = f64::from(servers);
    if load >= c {
        return 1.0;
    }
    let b = erlang_b(servers, load);
    c * b / (c - load * (1.0 - b))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64, by: f64) {
        assert!((a - b).abs() < by, "{a} is not {b}");
    }

    #[test]
    fn erlang_agrees_with_the_tables() {
        let b = |c: f64, a: f64| Function::ErlangB.apply(&[c, a]).unwrap();
        let c = |c: f64, a: f64| Function::ErlangC.apply(&[c, a]).unwrap();
        near(b(10.0, 7.0), 0.0787, 5e-5);
        near(c(10.0, 7.0), 0.2217, 5e-5);
        near(b(1.0, 1.0), 0.5, 1e-15);
        // One server: the probability of waiting is the utilisation.
        near(c(1.0, 0.3), 0.3, 1e-15);
        assert_eq!(b(0.0, 3.0), 1.0);
        assert_eq!(b(4.0, 0.0), 0.0);
        assert_eq!(c(4.0, 5.0), 1.0);
        // Large systems neither overflow nor take long.
        assert!((0.0..1.0).contains(&b(1e6, 1e6)));
    }

    #[test]
    fn one_server_responds_in_the_known_time() {
        let time = |l: f64, m: f64, c: f64| Function::MmcResponseTime.apply(&[l, m, c]);
        near(time(8.0, 10.0, 1.0).unwrap(), 1.0 / (10.0 - 8.0), 1e-12);
        near(Function::MmcWaitingTime.apply(&[8.0, 10.0, 1.0]).unwrap(), 0.5 - 0.1, 1e-12);
        near(time(0.0, 10.0, 3.0).unwrap(), 0.1, 1e-15);
        assert!(time(10.0, 10.0, 1.0).unwrap_err().reason.contains("grows"));
        assert!(time(1.0, 0.0, 1.0).is_err());
        assert!(time(1.0, 2.0, 1.5).unwrap_err().reason.contains("whole"));
        assert!(time(1.0, 2.0, 2e6).is_err());
        assert!(time(1.0, 2.0, -1.0).is_err());
    }

    #[test]
    fn what_has_no_value_is_an_error() {
        for (function, args) in [
            (Function::Sqrt, vec![-1.0]),
            (Function::Ln, vec![0.0]),
            (Function::Log, vec![1.0, 5.0]),
            (Function::Log, vec![10.0, 0.0]),
            (Function::Asin, vec![1.1]),
            (Function::Exp, vec![1000.0]),
            (Function::Clamp, vec![1.0, 3.0, 2.0]),
            (Function::Abs, vec![f64::NAN]),
            (Function::Abs, vec![]),
            (Function::ErlangB, vec![2.0, -1.0]),
        ] {
            assert!(function.apply(&args).is_err(), "{function:?} {args:?}");
        }
        assert_eq!(Function::Log.apply(&[2.0, 8.0]), Ok(3.0));
        assert_eq!(Function::Mean.apply(&[1.0, 2.0, 6.0]), Ok(3.0));
        assert_eq!(Function::Sign.apply(&[-0.0]), Ok(0.0));
        assert_eq!(Function::Round.apply(&[-2.5]), Ok(-3.0));
    }

    #[test]
    fn names_lead_back_to_functions() {
        for name in Function::names() {
            let function = Function::named(name).unwrap();
            assert_eq!(Function::named(function.name()), Some(function));
        }
        assert_eq!(Function::named("avg"), Some(Function::Mean));
        assert_eq!(Function::named("nope"), None);
    }
}
