//! URLs that are spelt out.

/// The URL without credentials, and its host; `None` unless the host is wholly literal.
pub(crate) fn literal_url(text: &str) -> Option<(String, String)> {
    let scheme_end = text.find("://")? + 3;
    let (scheme, rest) = text.split_at(scheme_end);
    if !scheme.eq_ignore_ascii_case("http://") && !scheme.eq_ignore_ascii_case("https://") {
        return None;
    }
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let (credentials, address) = match authority.rsplit_once('@') {
        Some((_, address)) => (true, address),
        None => (false, authority),
    };
    let host = match address.strip_prefix('[') {
        Some(inner) => inner.split_once(']')?.0,
        None => address.split_once(':').map_or(address, |(host, _)| host),
    };
    // `http://localhost${PORT}` may continue the name; a computed port does not.
    if host.is_empty() || host.contains("${") || host.contains(char::is_whitespace) {
        return None;
    }
    let text = if credentials {
        format!("{scheme}****@{address}{tail}")
    } else {
        text.to_owned()
    };
    Some((text, host.to_ascii_lowercase()))
}
