//! What outlives a restart.
//!
//! One schema on two databases: SQLite in a file for one replica, PostgreSQL for several ([`StoreUrl`]). A call either has
//! its whole effect, durable before it returns, or none. Documents are texts to the store: it knows neither models nor
//! decisions, only their digests and numbers.
//!
//! Replicas share the work by leases with fencing ([`Lease`]); the loop writes through [`Store::commit`] alone. Numbers of
//! changes and events rise in the order in which they become visible, so that whoever polls misses nothing. Secrets are
//! encrypted ([`KeyRing`]), tokens hashed. Nothing here reads a clock: time is passed in, except that leases on PostgreSQL
//! go by the server's, because the clocks of replicas differ.
#![forbid(unsafe_code)]

mod applications;
mod catalogs;
mod commit;
mod counter;
mod decisions;
mod error;
mod events;
mod glances;
mod idempotency;
mod inbox;
mod keys;
mod leases;
mod metrics;
mod open;
mod plans;
mod retention;
mod row;
mod schema;
mod secrets;
mod tokens;
mod url;
mod webhooks;
mod words;
mod write;

pub use applications::{Application, Filter, ModelText, ModelVersion, NewModel, Page, Status};
pub use catalogs::{Catalog, CurrentCatalog};
pub use commit::Commit;
pub use decisions::{Before, DecisionRow, DecisionSummary};
pub use error::{Clash, StoreError};
pub use events::{EventRow, KINDS_MAX, NewEvent};
pub use glances::{Glance, Overview};
pub use idempotency::{Answer, IN_FLIGHT_MS_MAX, KEY_KEPT_MS, Repeat};
pub use inbox::InboxRow;
pub use keys::{KeyRing, Secret};
pub use leases::{Holding, Lease};
pub use metrics::{ChangedMetric, MetricRow};
pub use open::{Keys, Store, StoreOptions};
pub use plans::{JournalRow, PlanRow, PlanStatus};
pub use retention::{Pruned, Retention};
pub use row::Listed;
pub use schema::SCHEMA_VERSION;
pub use secrets::{SECRET_BYTES_MAX, SecretInfo};
pub use tokens::{NewToken, Scope, TokenInfo};
pub use url::{Backend, StoreUrl};
pub use webhooks::{DELIVERY_MS_MAX, Delivery, DeliveryState, Failure, NewWebhook, Webhook};
pub use words::{LIST_MAX, NAME_BYTES_MAX};
