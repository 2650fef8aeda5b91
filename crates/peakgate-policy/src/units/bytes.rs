//! Amounts of data: powers of ten (`kB`, `MB`) and of two (`KiB`, `MiB`), as IEC 80000-13 has them.

/// Bytes in a unit; `None` when it is no unit of data.
pub(super) fn factor(unit: &str) -> Option<f64> {
    Some(match unit {
        "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        "KiB" => 1024.0,
        "MiB" => 1_048_576.0,
        "GiB" => 1_073_741_824.0,
        "TiB" => 1_099_511_627_776.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tens_and_twos_differ() {
        assert_eq!(factor("kB"), Some(1000.0));
        assert_eq!(factor("KiB"), Some(1024.0));
        assert_eq!(factor("GB"), Some(1e9));
        // Bits are no bytes, and `m` is a minute.
        assert_eq!(factor("Mb"), None);
        assert_eq!(factor("mb"), None);
        assert_eq!(factor(""), None);
    }
}
