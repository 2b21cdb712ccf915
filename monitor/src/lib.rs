//! From raw measurements to the values, violations and forecasts that the loop sees.

pub mod forecast;
