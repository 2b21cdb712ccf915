//! Long lists, page by page.

use cardinal_store::{Before, Listed};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::Problem;

/// How many entries a page has unless asked otherwise, and at most.
const LIMIT: u32 = 50;
/// See above.
pub const LIMIT_MAX: u32 = 500;

/// A part of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// What to give as `after` for the next page; null on the last.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The page that rows of the store are; `key` is what the next one begins after.
    pub fn of<R>(
        listed: Listed<R>,
        key: impl Fn(&R) -> i64,
        view: impl FnMut(R) -> Result<T, Problem>,
    ) -> Result<Self, Problem> {
        let next = listed.rows.last().filter(|_| listed.more).map(|row| key(row).to_string());
        let items = listed.rows.into_iter().map(view).collect::<Result<_, _>>()?;
        Ok(Page { items, next })
    }
}

/// What a list that begins with the latest asks the store for.
pub fn before(after: Option<i64>, asked: Option<u32>) -> Before {
    Before { number: after, limit: limit(asked) }
}

/// Which part of a list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageParams {
    /// The `next` of the page before; from the beginning when left out.
    pub after: Option<String>,
    /// How many entries at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    pub limit: Option<u32>,
}

/// The number of entries of a page.
pub fn limit(asked: Option<u32>) -> u32 {
    asked.unwrap_or(LIMIT).clamp(1, LIMIT_MAX)
}
