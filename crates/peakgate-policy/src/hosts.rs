//! Hosts: which may be loaded, and which never.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why a text is not an allowed host's pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadHost {
    /// `http://…`.
    Scheme,
    /// `host:8080`.
    Port,
    /// `*` or `*.`: everything.
    Everything,
    /// `a.*.b`.
    Wildcard,
    /// Anything else.
    Malformed,
}

/// A pattern in its usual form: lower case, without the dot at the end and without brackets.
pub(crate) fn normal_pattern(text: &str) -> Result<String, BadHost> {
    if text.contains("://") {
        return Err(BadHost::Scheme);
    }
    if let Some(suffix) = text.strip_prefix('*') {
        let Some(name) = suffix.strip_prefix('.').filter(|n| !n.is_empty()) else {
            return Err(if suffix.is_empty() || suffix == "." {
                BadHost::Everything
            } else {
                BadHost::Wildcard
            });
        };
        return match normal_host(name) {
            Ok(name) if name.parse::<IpAddr>().is_err() => Ok(format!("*.{name}")),
            Ok(_) => Err(BadHost::Wildcard),
            Err(error) => Err(error),
        };
    }
    normal_host(text)
}

/// A host in its usual form.
pub(crate) fn normal_host(text: &str) -> Result<String, BadHost> {
    let bare = text
        .strip_prefix('[')
        .and_then(|t| t.strip_suffix(']'))
        .unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    let name = bare.strip_suffix('.').unwrap_or(bare).to_ascii_lowercase();
    if name.contains('*') {
        return Err(BadHost::Wildcard);
    }
    if let Some((host, port)) = name.rsplit_once(':')
        && !host.is_empty()
        && !port.is_empty()
        && port.chars().all(|c| c.is_ascii_digit())
    {
        return Err(BadHost::Port);
    }
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    // A last label of digits (also 0x…) is an address in a disguise that some resolvers see through
    // (2852039166 is 169.254.169.254); WHATWG's URL standard calls it an address too.
    let last = name.rsplit('.').next().unwrap_or_default();
    let disguised = !last.is_empty() && last.chars().all(|c| c.is_ascii_digit())
        || last
            .strip_prefix("0x")
            .is_some_and(|hex| hex.chars().all(|c| c.is_ascii_hexdigit()));
    if name.len() <= 253 && name.split('.').all(label) && !disguised {
        Ok(name)
    } else {
        Err(BadHost::Malformed)
    }
}

/// Whether a host is within the patterns (exact names, addresses, `*.suffix`).
#[must_use]
pub fn allows(patterns: &[String], host: &str) -> bool {
    let Ok(host) = normal_host(host) else {
        return false;
    };
    patterns
        .iter()
        .any(|pattern| match pattern.strip_prefix("*.") {
            Some(suffix) => host
                .strip_suffix(suffix)
                .is_some_and(|head| head.len() > 1 && head.ends_with('.')),
            None => *pattern == host,
        })
}

/// Whether an address must never be loaded: link-local (169.254.0.0/16, fe80::/10) and the clouds'
/// metadata services (169.254.169.254, 168.63.129.16, fd00:ec2::254), also mapped into IPv6.
#[must_use]
pub fn is_forbidden_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4 == Ipv4Addr::new(168, 63, 129, 16),
        IpAddr::V6(v6) => {
            v6.is_unicast_link_local()
                || v6 == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
                || v6
                    .to_ipv4()
                    .is_some_and(|v4| is_forbidden_address(IpAddr::V4(v4)))
        }
    }
}

/// Whether a host, by name or address, must never be loaded.
#[must_use]
pub fn is_forbidden_host(host: &str) -> bool {
    let host = host.strip_prefix("*.").unwrap_or(host);
    let Ok(host) = normal_host(host) else {
        return false;
    };
    if let Ok(address) = host.parse::<IpAddr>() {
        return is_forbidden_address(address);
    }
    [
        "metadata.google.internal",
        "metadata.azure.internal",
        "instance-data.ec2.internal",
    ]
    .contains(&host.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_brought_to_one_form() {
        for (text, want) in [
            ("API.Staging.local.", Ok("api.staging.local".to_owned())),
            ("*.Staging.local", Ok("*.staging.local".into())),
            ("127.0.0.1", Ok("127.0.0.1".into())),
            ("[::1]", Ok("::1".into())),
            ("::1", Ok("::1".into())),
            ("my_host", Ok("my_host".into())),
            ("http://a.b", Err(BadHost::Scheme)),
            ("a.b:80", Err(BadHost::Port)),
            ("*", Err(BadHost::Everything)),
            ("*.", Err(BadHost::Everything)),
            ("*.0.0.1", Err(BadHost::Malformed)),
            ("a.*.b", Err(BadHost::Wildcard)),
            ("*foo", Err(BadHost::Wildcard)),
            ("", Err(BadHost::Malformed)),
            ("a..b", Err(BadHost::Malformed)),
            ("a b", Err(BadHost::Malformed)),
            ("2852039166", Err(BadHost::Malformed)),
            ("0xa9fea9fe", Err(BadHost::Malformed)),
        ] {
            assert_eq!(normal_pattern(text), want, "{text}");
        }
    }

    #[test]
    fn a_suffix_does_not_hold_for_its_own_name_nor_for_look_alikes() {
        let list = ["*.staging.local".to_owned(), "::1".to_owned()];
        assert!(allows(&list, "api.staging.local"));
        assert!(allows(&list, "a.b.STAGING.local"));
        assert!(allows(&list, "[::1]"));
        assert!(!allows(&list, "staging.local"));
        assert!(!allows(&list, "evilstaging.local"));
        assert!(!allows(&list, ".staging.local"));
    }

    #[test]
    fn metadata_and_link_local_are_never_loaded() {
        for host in [
            "169.254.169.254",
            "169.254.1.1",
            "168.63.129.16",
            "fd00:ec2::254",
            "[fe80::1]",
            "::ffff:169.254.169.254",
            "Metadata.google.internal.",
        ] {
            assert!(is_forbidden_host(host), "{host}");
        }
        for host in ["127.0.0.1", "10.0.0.1", "::1", "fd00::1", "api.local"] {
            assert!(!is_forbidden_host(host), "{host}");
        }
    }
}
