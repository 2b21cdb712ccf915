//! Limits that the kernel keeps, taken on by the child before it reads anything.

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, setrlimit};

/// The limits were not taken on.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the limit on {what} was refused")]
pub struct ConfineError {
    what: &'static str,
    #[source]
    cause: Errno,
}

/// Limits this process to so many bytes of address space, and has it leave no core file behind when it crashes.
///
/// An allocation beyond the limit fails, which ends the process. Address space is more than memory in use: each thread
/// reserves its stack and 64 MiB for its small allocations.
pub fn confine(memory_bytes: Option<u64>) -> Result<(), ConfineError> {
    let limit = |resource, bytes, what| {
        let both = Rlimit { current: Some(bytes), maximum: Some(bytes) };
        setrlimit(resource, both).map_err(|cause| ConfineError { what, cause })
    };
    limit(Resource::Core, 0, "core files")?;
    memory_bytes.map_or(Ok(()), |bytes| limit(Resource::As, bytes, "memory"))
}
