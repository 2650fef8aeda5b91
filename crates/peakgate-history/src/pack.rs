//! Evidence, packed: zlib (deflate with a checksum, so that a damaged blob is noticed).

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

/// The most that a blob may unpack to: far above any run's evidence, far below what harms a machine.
const MAX_UNPACKED: u64 = 1 << 30;

pub(crate) fn pack(text: &str) -> io::Result<Vec<u8>> {
    // Fast: the verdict waits for it.
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes())?;
    encoder.finish()
}

pub(crate) fn unpack(blob: &[u8]) -> io::Result<String> {
    let mut bytes = Vec::new();
    ZlibDecoder::new(blob)
        .take(MAX_UNPACKED + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_UNPACKED {
        return Err(io::Error::other(
            "the evidence unpacks to more than 1 GiB; no run leaves that much",
        ));
    }
    String::from_utf8(bytes).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_and_notices_damage() {
        let text = "{\"bins\":[1,2,3]}".repeat(1000);
        let mut blob = pack(&text).unwrap();
        assert!(blob.len() < text.len() / 10);
        assert_eq!(unpack(&blob).unwrap(), text);
        let last = blob.len() - 1;
        blob[last] ^= 1;
        assert!(unpack(&blob).is_err());
        assert!(unpack(&blob[..last / 2]).is_err());
    }
}
