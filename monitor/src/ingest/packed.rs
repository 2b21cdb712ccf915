//! Bodies that come compressed, unpacked within a limit.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::Malformed;

/// Unpacks gzip.
///
/// # Errors
/// When it is none, or unpacked would be larger than the limit.
pub fn gunzip(packed: &[u8], limit: usize) -> Result<Vec<u8>, Malformed> {
    let mut plain = Vec::new();
    // One byte more than may be tells that there is more.
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let read = MultiGzDecoder::new(packed).take(most).read_to_end(&mut plain);
    read.map_err(|_| Malformed::NotPacked("gzip"))?;
    if plain.len() > limit {
        return Err(Malformed::TooLarge { what: "the unpacked body", limit });
    }
    Ok(plain)
}

/// Unpacks a snappy block, which says at its beginning how large it is.
///
/// # Errors
/// When it is none, or unpacked would be larger than the limit.
pub fn unsnap(packed: &[u8], limit: usize) -> Result<Vec<u8>, Malformed> {
    let length = snap::raw::decompress_len(packed).map_err(|_| Malformed::NotPacked("a snappy block"))?;
    if length > limit {
        return Err(Malformed::TooLarge { what: "the unpacked body", limit });
    }
    snap::raw::Decoder::new().decompress_vec(packed).map_err(|_| Malformed::NotPacked("a snappy block"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn nothing_grows_beyond_the_limit() {
        let zeros = vec![0_u8; 1 << 20];
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&zeros).unwrap();
        let gzip = gzip.finish().unwrap();
        assert!(gzip.len() < 2000);
        assert_eq!(gunzip(&gzip, 1 << 20).unwrap().len(), 1 << 20);
        assert!(matches!(gunzip(&gzip, 1000), Err(Malformed::TooLarge { limit: 1000, .. })));
        assert!(matches!(gunzip(b"plain", 1000), Err(Malformed::NotPacked(_))));
        let snappy = snap::raw::Encoder::new().compress_vec(&zeros).unwrap();
        assert_eq!(unsnap(&snappy, 1 << 20).unwrap().len(), 1 << 20);
        assert!(matches!(unsnap(&snappy, 1000), Err(Malformed::TooLarge { limit: 1000, .. })));
        // A block that promises 4 GiB is refused before anything is allocated.
        assert!(unsnap(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0x00], 1000).is_err());
    }
}
