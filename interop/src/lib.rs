//! Foreign formats to and from the models of Cardinal.
//!
//! An importer takes a text and gives a [`cardinal_models::document::ModelDocument`], the same type that a native file
//! is decoded to, with a [`report::ConversionReport`] that names everything the document does not carry. No importer
//! reads files, follows references to other files, or expands entities. Catalogs of offers are read by [`catalog`].
#![forbid(unsafe_code)]

pub mod camel;
pub mod catalog;
pub mod choices;
pub mod cp;
mod names;
pub mod recognise;
pub mod report;
pub mod sage;

pub use recognise::{Format, Imported, import_model, import_over, recognise};
pub use report::ConversionReport;
