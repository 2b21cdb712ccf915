//! Typed values out of the rows of a table, and rows out of a query.

use cardinal_adapter::digest::Digest;
use cardinal_adapter::time::UnixMs;
use sqlx::any::AnyRow;
use sqlx::{Any, Decode, Row, Type};

use crate::error::StoreError;

/// Something that a row holds.
pub(crate) trait FromRow: Sized {
    /// The table, for messages.
    const TABLE: &'static str;

    fn from_columns(columns: &Columns<'_>) -> Result<Self, StoreError>;

    fn from_row(row: &AnyRow) -> Result<Self, StoreError> {
        Self::from_columns(&Columns { table: Self::TABLE, row })
    }

    fn from_rows(rows: &[AnyRow]) -> Result<Vec<Self>, StoreError> {
        rows.iter().map(Self::from_row).collect()
    }
}

/// The columns of a row by name. What is not of the expected type is damage.
pub(crate) struct Columns<'r> {
    table: &'static str,
    row: &'r AnyRow,
}

impl<'r> Columns<'r> {
    pub(crate) fn new(table: &'static str, row: &'r AnyRow) -> Self {
        Columns { table, row }
    }

    fn get<T: Decode<'r, Any> + Type<Any>>(&self, column: &'static str) -> Result<T, StoreError> {
        self.row.try_get(column).map_err(|e| StoreError::Corrupt {
            what: format!("column `{column}` of table `{}`", self.table),
            source: Some(e.into()),
        })
    }

    pub(crate) fn text(&self, column: &'static str) -> Result<String, StoreError> {
        self.get(column)
    }

    pub(crate) fn maybe_text(&self, column: &'static str) -> Result<Option<String>, StoreError> {
        self.get(column)
    }

    pub(crate) fn int(&self, column: &'static str) -> Result<i64, StoreError> {
        self.get(column)
    }

    pub(crate) fn maybe_int(&self, column: &'static str) -> Result<Option<i64>, StoreError> {
        self.get(column)
    }

    pub(crate) fn truth(&self, column: &'static str) -> Result<bool, StoreError> {
        Ok(self.int(column)? != 0)
    }

    pub(crate) fn real(&self, column: &'static str) -> Result<f64, StoreError> {
        self.get(column)
    }

    pub(crate) fn bytes(&self, column: &'static str) -> Result<Vec<u8>, StoreError> {
        self.get(column)
    }

    pub(crate) fn maybe_bytes(&self, column: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(column)
    }

    pub(crate) fn time(&self, column: &'static str) -> Result<UnixMs, StoreError> {
        self.int(column).map(UnixMs)
    }

    pub(crate) fn maybe_time(&self, column: &'static str) -> Result<Option<UnixMs>, StoreError> {
        Ok(self.maybe_int(column)?.map(UnixMs))
    }

    pub(crate) fn digest(&self, column: &'static str) -> Result<Digest, StoreError> {
        self.word(column)
    }

    /// A value that is written as text.
    pub(crate) fn word<T: std::str::FromStr>(&self, column: &'static str) -> Result<T, StoreError> {
        self.text(column)?.parse().map_err(|_| self.damaged(column))
    }

    /// What stands in a column is not what was written.
    pub(crate) fn damaged(&self, column: &'static str) -> StoreError {
        StoreError::corrupt(format!("column `{column}` of table `{}`", self.table))
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// The rows, in the order of the list.
    pub rows: Vec<T>,
    /// True when the list goes on after them.
    pub more: bool,
}

impl<T> Listed<T> {
    /// From rows of which one more than `limit` was asked for.
    pub(crate) fn of(mut rows: Vec<T>, limit: u32) -> Self {
        let limit = limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        Listed { rows, more }
    }
}

/// How many rows to ask for to know whether there are more.
pub(crate) fn one_more(limit: u32) -> i64 {
    i64::from(limit) + 1
}
