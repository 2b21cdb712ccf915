//! Standard output and files that are written.

use std::io::{ErrorKind, Write};
use std::path::Path;

use cardinal_edge::failure::Failure;
use cardinal_edge::finding::Finding;

/// Writes a text, which may have colours, to standard output. A reader that has gone away (`| head`) is no failure.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = anstream::AutoStream::auto(std::io::stdout());
    settle(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Writes bytes to standard output as they are.
pub fn print_raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    settle(out.write_all(bytes).and_then(|()| out.flush()))
}

fn settle(written: std::io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::internal(format!("cannot write the answer: {}", crate::input::files::cause(&error))))
        }
        _ => Ok(()),
    }
}

/// Writes a text to the file, or to standard output without one.
pub fn write(path: Option<&Path>, text: &str) -> Result<(), Failure> {
    match path {
        Some(path) if path != Path::new("-") => std::fs::write(path, text).map_err(|error| {
            let message = format!("cannot write `{}`: {}", path.display(), crate::input::files::cause(&error));
            match error.kind() {
                // A name that leads nowhere is the user's to mend; a full disk is not.
                ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::IsADirectory => {
                    Finding::error(message).into()
                }
                _ => Failure::internal(message),
            }
        }),
        _ => print_raw(text.as_bytes()),
    }
}
