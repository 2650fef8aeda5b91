//! The environment: where the load may go.

use fluent_uri::Uri;

use super::Cx;
use crate::diagnostic::{Code, Diagnostic};
use crate::document::Environment as Doc;
use crate::hosts::{self, BadHost};
use crate::settings::Environment;
use crate::source::Pointer;

pub(super) fn resolve(cx: &mut Cx<'_>, doc: &Doc, at: &Pointer) -> Option<Environment> {
    let at_url = at.key("base_url");
    let url = doc
        .base_url
        .as_deref()
        .and_then(|text| base_url(cx, text, &at_url));
    let hosts = doc
        .allowed_hosts
        .as_ref()
        .map(|list| allowed_hosts(cx, list, &at.key("allowed_hosts")));
    let (url, host) = url?;
    let allowed_hosts = match hosts {
        // Some entry was bad: whether the host is within cannot be said.
        Some(None) => return None,
        Some(Some(list)) => {
            if !hosts::allows(&list, &host) {
                cx.value(
                    &at_url,
                    Diagnostic::new(
                        Code::ForbiddenHost,
                        format!("the host `{host}` is not among `allowed_hosts`"),
                    )
                    .help(format!(
                        "add `{host}` to `allowed_hosts` if load may really go there; allowed now: {}",
                        list.join(", ")
                    )),
                );
                return None;
            }
            list
        }
        None if cx.written(at, "allowed_hosts") => return None,
        None => vec![host],
    };
    Some(Environment {
        name: doc.name.clone()?,
        base_url: url,
        allowed_hosts,
    })
}

fn bad_url(message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(Code::BadUrl, message).help("for example: base_url: http://api.staging.local")
}

/// The URL without its last slash, and its host. Messages do not repeat the URL: it may come from
/// a variable and hold a password.
fn base_url(cx: &mut Cx<'_>, text: &str, at: &Pointer) -> Option<(String, String)> {
    let problem = match check_url(text) {
        Ok(found) => return Some(found),
        Err(problem) => problem,
    };
    cx.value(at, *problem);
    None
}

fn check_url(text: &str) -> Result<(String, String), Box<Diagnostic>> {
    let uri = Uri::parse(text.trim()).map_err(|error| {
        let bad = bad_url(format!("`base_url` is not a URL: {}", short(&error)));
        if text.contains("://") {
            Box::new(bad)
        } else {
            Box::new(bad.suggest(Some(format!("http://{}", text.trim()))))
        }
    })?;
    let scheme = uri.scheme().as_str().to_ascii_lowercase();
    if scheme != "http" && scheme != "https" {
        return Err(bad_url(format!(
            "`base_url` must begin with http:// or https://, not {scheme}:"
        ))
        .into());
    }
    let Some(authority) = uri.authority() else {
        return Err(bad_url("`base_url` has no host").into());
    };
    if authority.userinfo().is_some() {
        return Err(
            Diagnostic::new(Code::BadUrl, "`base_url` holds a user or password").help(
                "verdicts and logs show the URL; give credentials to the script by `env:`, from \
                 `${VARIABLES}`",
            )
            .into(),
        );
    }
    if uri.query().is_some() || uri.fragment().is_some() {
        return Err(bad_url(
            "`base_url` must end with its path: scripts append to it, which a ? or # would undo",
        )
        .into());
    }
    if authority.port_to_u16().is_err() {
        return Err(bad_url("`base_url` has no valid port: 0 to 65535").into());
    }
    let host = hosts::normal_host(authority.host()).map_err(|_bad: BadHost| {
        if authority.host().is_empty() {
            Box::new(bad_url("`base_url` has no host"))
        } else {
            Box::new(bad_url(
                "the host of `base_url` is neither a name nor an address",
            ))
        }
    })?;
    if hosts::is_forbidden_host(&host) {
        return Err(forbidden(&host).into());
    }
    Ok((text.trim().trim_end_matches('/').to_owned(), host))
}

/// The parser's reason without the input, which it may quote.
fn short(error: &fluent_uri::ParseError) -> String {
    error.to_string().chars().take(80).collect()
}

fn forbidden(host: &str) -> Diagnostic {
    Diagnostic::new(
        Code::ForbiddenHost,
        format!("`{host}` is a link-local or metadata address, which is never loaded"),
    )
    .help("these addresses hand out a machine's credentials; no policy can allow them")
}

/// The patterns; `None` when one of them was bad.
fn allowed_hosts(cx: &mut Cx<'_>, list: &[String], at: &Pointer) -> Option<Vec<String>> {
    let mut good = Vec::with_capacity(list.len());
    for (i, text) in list.iter().enumerate() {
        let at = at.item(i);
        let problem = match hosts::normal_pattern(text.trim()) {
            Ok(pattern) if hosts::is_forbidden_host(&pattern) => forbidden(&pattern),
            Ok(pattern) => {
                good.push(pattern);
                continue;
            }
            Err(bad) => explain(bad, text),
        };
        cx.value(&at, problem);
    }
    (good.len() == list.len()).then_some(good)
}

fn explain(bad: BadHost, text: &str) -> Diagnostic {
    let problem = |message: String| Diagnostic::new(Code::BadHost, message);
    match bad {
        BadHost::Scheme => problem(format!("`{text}` is a URL; a host is wanted")).suggest(
            Uri::parse(text)
                .ok()
                .and_then(|uri| uri.authority().map(|a| a.host().to_owned())),
        ),
        BadHost::Port => problem(format!(
            "`{text}` has a port; hosts are allowed on all ports"
        ))
        .suggest(text.rsplit_once(':').map(|(host, _)| host)),
        BadHost::Everything => problem(format!("`{text}` would allow every host"))
            .help("name the hosts, or their suffix: `*.staging.local`"),
        BadHost::Wildcard => problem(format!(
            "`{text}`: a `*` stands for whole labels at the start only"
        ))
        .help("for example: `*.staging.local`"),
        BadHost::Malformed => problem(format!("`{text}` is neither a host name nor an address"))
            .help("for example: api.staging.local, *.staging.local, 10.0.0.5, ::1"),
    }
}
