//! `${VAR}` and `${VAR:-default}` in values; `$${` stands for `${` itself.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Data, Node, Pointer};

/// Looks a variable up; `None` when it is not set.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What is wrong with a reference.
#[derive(Debug, PartialEq, Eq)]
enum BadReference {
    Unset(String),
    Unclosed,
    Name(String),
}

/// Replaces references in all values (never in keys). A value with a bad reference becomes null
/// and its pointer is returned, so that nothing more is said about it.
pub(crate) fn interpolate(
    root: &mut Node,
    lookup: Lookup<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Pointer> {
    let mut broken = Vec::new();
    walk(root, &Pointer::root(), lookup, problems, &mut broken);
    broken
}

fn walk(
    node: &mut Node,
    pointer: &Pointer,
    lookup: Lookup<'_>,
    problems: &mut Vec<Diagnostic>,
    broken: &mut Vec<Pointer>,
) {
    match &mut node.data {
        Data::List(items) => {
            for (i, item) in items.iter_mut().enumerate() {
                walk(item, &pointer.item(i), lookup, problems, broken);
            }
        }
        Data::Map(entries) => {
            for entry in entries {
                walk(
                    &mut entry.value,
                    &pointer.key(&entry.key),
                    lookup,
                    problems,
                    broken,
                );
            }
        }
        Data::Text(text) if text.contains("${") => match replace(text, lookup) {
            Ok(new) => {
                node.interpolated = true;
                *text = new;
            }
            Err(bad) => {
                for bad in bad {
                    problems.push(explain(&bad).at(node.place).pointing(pointer));
                }
                broken.push(pointer.clone());
            }
        },
        Data::Text(_) | Data::Null | Data::Bool(_) | Data::Number(..) => {}
    }
}

fn explain(bad: &BadReference) -> Diagnostic {
    match bad {
        BadReference::Unset(name) => Diagnostic::new(
            Code::UnsetVariable,
            format!("the environment variable {name} is not set"),
        )
        .help(format!(
            "set it (`export {name}=…`, or `env:` of the workflow's step), or give a default: \
             `${{{name}:-value}}`"
        )),
        BadReference::Unclosed => {
            Diagnostic::new(Code::BadReference, "`${` without its closing `}`")
                .help("write `${NAME}`, or `$${` for the characters themselves")
        }
        BadReference::Name(name) => Diagnostic::new(
            Code::BadReference,
            format!("`${{{name}}}` does not name an environment variable"),
        )
        .help(
            "write `${NAME}` or `${NAME:-default}` with letters, digits and '_', or `$${` for the \
             characters themselves",
        ),
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn replace(text: &str, lookup: Lookup<'_>) -> Result<String, Vec<BadReference>> {
    let mut out = String::with_capacity(text.len());
    let mut bad = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            out += &rest[..at - 1];
            out += "${";
            rest = &rest[at + 2..];
            continue;
        }
        out += &rest[..at];
        let Some(end) = rest[at..].find('}') else {
            bad.push(BadReference::Unclosed);
            rest = "";
            break;
        };
        let inner = &rest[at + 2..at + end];
        rest = &rest[at + end + 1..];
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        if !is_name(name) {
            bad.push(BadReference::Name(inner.to_owned()));
            continue;
        }
        // As in a shell, `:-` also stands in for a variable that is set to nothing.
        match (lookup(name), default) {
            (Some(value), Some(default)) if value.is_empty() => out += default,
            (Some(value), _) => out += &value,
            (None, Some(default)) => out += default,
            (None, None) => bad.push(BadReference::Unset(name.to_owned())),
        }
    }
    out += rest;
    if bad.is_empty() { Ok(out) } else { Err(bad) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str) -> Result<String, Vec<BadReference>> {
        replace(text, &|name| match name {
            "HOST" => Some("h.local".into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        })
    }

    #[test]
    fn replaces_defaults_and_escapes() {
        for (text, want) in [
            ("http://${HOST}/x", "http://h.local/x"),
            ("${HOST:-d}", "h.local"),
            ("${NONE:-a b}", "a b"),
            ("${NONE:-}", ""),
            ("${EMPTY}", ""),
            ("${EMPTY:-d}", "d"),
            ("$${HOST}", "${HOST}"),
            ("$5 and {x}", "$5 and {x}"),
            ("${HOST}${HOST}", "h.localh.local"),
            ("é${HOST}é", "éh.localé"),
        ] {
            assert_eq!(run(text).unwrap(), want, "{text}");
        }
    }

    #[test]
    fn all_bad_references_of_a_value_are_found() {
        assert_eq!(
            run("${A} ${1x} ${").unwrap_err(),
            [
                BadReference::Unset("A".into()),
                BadReference::Name("1x".into()),
                BadReference::Unclosed
            ]
        );
    }

    #[test]
    fn a_replacement_is_not_replaced_again() {
        let out = replace("${A}", &|_| Some("${B}".into())).unwrap();
        assert_eq!(out, "${B}");
    }
}
