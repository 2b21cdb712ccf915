//! Lines of bounded length.

use std::io::{BufRead, Error, ErrorKind, Read};

/// Reads a line without its end into `line`; false at the end of the input. A longer line is an error, and so is one
/// that ends without a line break: its writer died in the middle of it.
pub(crate) fn read(input: &mut impl BufRead, line: &mut Vec<u8>, bytes_max: usize) -> Result<bool, Error> {
    line.clear();
    let read = input.by_ref().take(bytes_max as u64 + 1).read_until(b'\n', line)?;
    if read == 0 {
        return Ok(false);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(true);
    }
    let what = if read > bytes_max { "a line is too long" } else { "a line has no end" };
    Err(Error::new(ErrorKind::InvalidData, what))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_whole_lines_only() {
        let mut line = Vec::new();
        let mut input: &[u8] = b"ab\n\ncd";
        assert!(read(&mut input, &mut line, 2).unwrap());
        assert_eq!(line, b"ab");
        assert!(read(&mut input, &mut line, 2).unwrap() && line.is_empty());
        assert_eq!(read(&mut input, &mut line, 2).unwrap_err().to_string(), "a line has no end");
        assert!(!read(&mut input, &mut line, 2).unwrap());
        let mut long: &[u8] = b"abc\n";
        assert_eq!(read(&mut long, &mut line, 2).unwrap_err().to_string(), "a line is too long");
    }
}
