//! Which hosts may be loaded.

/// The hosts that requests may go to.
#[derive(Debug, Clone)]
pub(super) struct Targets(Vec<String>);

impl Targets {
    pub(super) fn new(allowed: &[String]) -> Self {
        Self(allowed.iter().map(|h| normal(h)).collect())
    }

    /// Judges a `url` or `name` tag: when it is an http(s) URL whose host is not allowed, says so.
    ///
    /// k6 replaces both tags by a name that the script gives, so a named request shows no host:
    /// this catches mistakes, not malice.
    pub(super) fn violation(&self, tag: &str) -> Option<String> {
        let scheme = ["http://", "https://"].iter().any(|s| {
            tag.get(..s.len())
                .is_some_and(|t| t.eq_ignore_ascii_case(s))
        });
        if !scheme {
            return None;
        }
        let url = url::Url::parse(tag).ok()?;
        let host = normal(url.host_str()?);
        // A grouped name such as `http://${}/x` has a place for a host, and none in it.
        if host.contains(['$', '{', '}']) {
            return None;
        }
        if self.allows(&host) {
            return None;
        }
        let port = url.port().map(|p| format!(":{p}")).unwrap_or_default();
        Some(format!(
            "{}://{host}{port}{} (allowed: {})",
            url.scheme(),
            url.path(),
            self.0.join(", ")
        ))
    }

    fn allows(&self, host: &str) -> bool {
        self.0
            .iter()
            .any(|allowed| match allowed.strip_prefix("*.") {
                Some(suffix) => host
                    .strip_suffix(suffix)
                    .is_some_and(|head| head.len() > 1 && head.ends_with('.')),
                None => allowed == host,
            })
    }
}

/// Lower case, without the brackets of an IPv6 address and the dot of a full name.
fn normal(host: &str) -> String {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .trim_end_matches('.')
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_exact_or_a_suffix() {
        let targets = Targets::new(&["Shop.test".into(), "*.eu.test".into(), "::1".into()]);
        for fine in [
            "http://shop.test/x",
            "https://SHOP.test.:8443/",
            "http://a.eu.test/",
            "http://[::1]:80/",
            "/relative",
            "my name",
            "http://${}/x",
            "ftp://evil/",
        ] {
            assert_eq!(targets.violation(fine), None, "{fine}");
        }
        for bad in [
            "http://evil/",
            "HTTP://evil/",
            "http://eu.test/",
            "http://xeu.test/",
            "http://shop.test@evil/",
            "http://shop.test.evil/",
            "http://evil\\@shop.test/",
        ] {
            assert!(targets.violation(bad).is_some(), "{bad}");
        }
        let told = targets
            .violation("http://evil:81/path?secret=1")
            .unwrap_or_default();
        assert!(told.starts_with("http://evil:81/path (allowed"), "{told}");
    }
}
