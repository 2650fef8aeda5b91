//! The policy's form: the JSON Schema's faults in the words of the policy, and what is wrong taken
//! out, so that the rest can still be resolved.

use std::collections::HashSet;
use std::sync::LazyLock;

use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::{Draft, Validator};
use serde_json::Value;

use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::document::schema;
use crate::source::{Data, Node, Pointer, Scalar, core_schema};

/// Keys at the top that are planned.
const PLANNED: &[&str] = &["preflight", "server_objectives", "notifications", "cleanup"];

struct Compiled {
    schema: Value,
    validator: Result<Validator, String>,
}

/// Compiled once for the process.
static COMPILED: LazyLock<Compiled> = LazyLock::new(|| {
    let schema = schema();
    let validator = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .build(&schema)
        .map_err(|error| error.to_string());
    Compiled { schema, validator }
});

/// What is left of a policy after its faults of form are taken out.
pub(crate) struct Form {
    /// The rest.
    pub(crate) value: Value,
    /// What was taken out, and what misspelt keys were meant to be: nothing is to be concluded from
    /// its absence.
    pub(crate) settled: HashSet<Pointer>,
}

/// Checks the form. `broken`: values that were complained about already.
pub(crate) fn check(
    root: &mut Node,
    broken: &[Pointer],
    problems: &mut Vec<Diagnostic>,
) -> Option<Form> {
    let validator = match &COMPILED.validator {
        Ok(validator) => validator,
        Err(error) => {
            problems.push(internal(&format!("the schema does not compile: {error}")));
            return None;
        }
    };
    coerce(root, validator);
    let mut value = root.to_json();
    let mut settled: HashSet<Pointer> = broken.iter().cloned().collect();
    // Places to take out, and keys that are missing only because they are misspelt.
    let mut out: Vec<Pointer> = broken.to_vec();
    let mut missing = Vec::new();
    for error in validator.iter_errors(&value) {
        let pointer = Pointer::from(error.instance_path().as_str());
        if settled.contains(&pointer) && broken.contains(&pointer) {
            continue;
        }
        let keywords = keywords(error.schema_path().as_str());
        match error.kind() {
            Kind::AdditionalProperties { unexpected } => {
                let known = known_keys(root, &pointer, keywords);
                for key in unexpected {
                    let problem = unknown_key(root, &pointer, key, &known);
                    if let Some(meant) = &problem.suggestion {
                        settled.insert(pointer.key(meant));
                    }
                    problems.push(problem);
                    out.push(pointer.key(key));
                }
            }
            Kind::Required { property } => {
                missing.push((pointer, property.as_str().unwrap_or_default().to_owned()));
            }
            Kind::PropertyNames { error } => {
                let key = error.instance().as_str().unwrap_or_default().to_owned();
                let at = pointer.key(&key);
                problems.push(
                    Diagnostic::new(
                        Code::BadName,
                        format!(
                            "`{key}` is not a name: lower-case letters, digits, '_' and '-', \
                             beginning with a letter or digit"
                        ),
                    )
                    .suggest(plain_name(&key))
                    .at(root.key_place(&at))
                    .pointing(&at),
                );
                out.push(at);
            }
            kind => {
                problems.push(
                    fault(kind, root, &pointer, keywords)
                        .at(root.value_place(&pointer))
                        .pointing(&pointer),
                );
                out.push(pointer);
            }
        }
    }
    for (pointer, key) in missing {
        let at = pointer.key(&key);
        if !settled.contains(&at) && !out.contains(&pointer) {
            problems.push(missing_key(root, &pointer, &key));
        }
    }
    for pointer in &out {
        prune(&mut value, pointer);
    }
    settled.extend(out);
    Some(Form { value, settled })
}

pub(crate) fn internal(what: &str) -> Diagnostic {
    Diagnostic::new(Code::Internal, what.to_owned())
        .help("this is a fault of peakgate; please report it with the policy")
}

pub(crate) fn missing_key(root: &Node, holder: &Pointer, key: &str) -> Diagnostic {
    let what = match holder.split() {
        None => "the policy".to_owned(),
        Some((_, last)) => format!("`{last}`"),
    };
    let example = schema_of(holder)
        .and_then(|s| s.pointer(&format!("/properties/{key}")))
        .and_then(example);
    let problem = Diagnostic::new(Code::MissingKey, format!("{what} lacks `{key}`"))
        .at(root.key_place(holder))
        .pointing(holder);
    match example {
        Some(example) => problem.help(format!("add `{key}: {example}`")),
        None => problem.help(format!("add `{key}:`")),
    }
}

/// The schema that holds the keyword a fault is about.
fn keywords(schema_path: &str) -> Option<&'static Value> {
    let (holder, _) = schema_path.rsplit_once('/')?;
    COMPILED.schema.pointer(holder)
}

/// The schema of an instance, found by walking properties and references.
fn schema_of(pointer: &Pointer) -> Option<&'static Value> {
    let mut schema = &COMPILED.schema;
    for segment in pointer.segments() {
        let next = schema
            .get("properties")
            .and_then(|p| p.get(&segment))
            .or_else(|| schema.get("additionalProperties").filter(|a| a.is_object()))
            .or_else(|| schema.get("items"))?;
        schema = follow(next);
    }
    Some(schema)
}

fn follow(schema: &'static Value) -> &'static Value {
    schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|r| COMPILED.schema.pointer(r.strip_prefix('#')?))
        .unwrap_or(schema)
}

/// An example as it is written in YAML.
fn example(schema: &'static Value) -> Option<String> {
    let own = schema
        .get("examples")
        .or_else(|| follow(schema).get("examples"))?;
    Some(match own.get(0)? {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

/// The keys that a mapping may have, and those of them that are not written yet: what is written
/// already was not meant again.
struct Known {
    allowed: Vec<String>,
    free: Vec<String>,
}

fn known_keys(root: &Node, holder: &Pointer, schema: Option<&'static Value>) -> Known {
    let allowed: Vec<String> = schema
        .and_then(|s| s.get("properties"))
        .and_then(Value::as_object)
        .map(|p| p.keys().filter(|k| !k.starts_with('$')).cloned().collect())
        .unwrap_or_default();
    let node = root.at(holder);
    let free = allowed
        .iter()
        .filter(|k| node.is_none_or(|node| node.entry(k).is_none()))
        .cloned()
        .collect();
    Known { allowed, free }
}

fn unknown_key(root: &Node, holder: &Pointer, key: &str, known: &Known) -> Diagnostic {
    let at = holder.key(key);
    let holder_name = match holder.split() {
        None => "a policy".to_owned(),
        Some((_, last)) => format!("`{last}`"),
    };
    let suggestion = nearest(key, known.free.iter().map(String::as_str));
    let planned = holder == &Pointer::root() && PLANNED.contains(&key);
    let mut problem = Diagnostic::new(
        Code::UnknownKey,
        if planned {
            format!("`{key}` is not available yet")
        } else {
            format!("`{key}` is not a key of {holder_name}")
        },
    )
    .at(root.key_place(&at))
    .pointing(&at);
    problem.allowed.clone_from(&known.allowed);
    problem.suggestion = suggestion;
    if planned {
        problem.help = Some("this name is kept for a coming version; remove it for now".into());
    } else if problem.suggestion.is_none() && key.starts_with("x-") {
        problem.help = Some("notes belong in comments".into());
    }
    problem
}

/// A name as the rule wants it, if it is one but for case and separators.
fn plain_name(key: &str) -> Option<String> {
    let name: String = key
        .trim()
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let name = name.trim_matches('-').to_owned();
    (!name.is_empty()).then_some(name)
}

fn type_words(schema: Option<&Value>) -> String {
    let word = |t: &str| match t {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a mapping",
        _ => "nothing",
    };
    match schema.and_then(|s| s.get("type")) {
        Some(Value::String(one)) => word(one).to_owned(),
        Some(Value::Array(many)) => many
            .iter()
            .filter_map(Value::as_str)
            .filter(|t| *t != "null")
            .map(word)
            .collect::<Vec<_>>()
            .join(" or "),
        _ => "something else".to_owned(),
    }
}

fn fault(
    kind: &Kind,
    root: &Node,
    pointer: &Pointer,
    schema: Option<&'static Value>,
) -> Diagnostic {
    let name = pointer
        .split()
        .map_or_else(|| "the policy".to_owned(), |(_, last)| format!("`{last}`"));
    let node = root.at(pointer);
    match kind {
        Kind::Type { .. } => wrong_type(&name, node, pointer, schema),
        Kind::Enum { options } => {
            let written = node.and_then(Node::scalar_text).unwrap_or_default();
            let words: Vec<String> = options
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect();
            Diagnostic::new(Code::UnknownValue, format!("{name} cannot be `{written}`"))
                .allowed(&written, words)
        }
        Kind::Minimum { limit } | Kind::ExclusiveMinimum { limit } => {
            Diagnostic::new(Code::OutOfRange, format!("{name} must be at least {limit}"))
        }
        Kind::Maximum { limit } | Kind::ExclusiveMaximum { limit } => {
            Diagnostic::new(Code::OutOfRange, format!("{name} must be at most {limit}"))
        }
        Kind::MinItems { .. } | Kind::MinProperties { .. } | Kind::MinLength { .. } => {
            let problem = Diagnostic::new(Code::OutOfRange, format!("{name} must not be empty"));
            match schema.and_then(example) {
                Some(example) => problem.help(format!("for example: {example}")),
                None => problem,
            }
        }
        Kind::MaxProperties { limit } => {
            Diagnostic::new(Code::OutOfRange, format!("{name} takes {limit} key only"))
        }
        other => Diagnostic::new(
            Code::WrongType,
            format!("{name} breaks the schema's rule '{}'", other.keyword()),
        ),
    }
}

fn wrong_type(
    name: &str,
    node: Option<&Node>,
    pointer: &Pointer,
    schema: Option<&'static Value>,
) -> Diagnostic {
    let found = match node.map(|n| &n.data) {
        Some(Data::Null) => "nothing",
        Some(Data::Bool(_)) => "true or false",
        Some(Data::Number(n, _)) if n.is_f64() => "a fraction",
        Some(Data::Number(..)) => "a number",
        Some(Data::Text(_)) => "text",
        Some(Data::List(_)) => "a list",
        Some(Data::Map(_)) => "a mapping",
        None => "something else",
    };
    let is_duration = schema.and_then(|s| s.get("title")) == Some(&"Duration".into())
        || matches!(pointer.split(), Some((_, k)) if k == "from" || k == "to");
    let written = node.and_then(Node::scalar_text);
    let only_text = schema.and_then(|s| s.get("type")) == Some(&"string".into());
    let problem = match (&written, node.map(|n| &n.data)) {
        (Some(text), Some(Data::Number(..))) if is_duration => {
            return Diagnostic::new(Code::BadUnit, format!("{name} needs a unit"))
                .suggest(Some(format!("{text}s")))
                .help("times are written `500ms`, `30s`, `1m30s`, `4h`");
        }
        (Some(text), Some(Data::Number(..) | Data::Bool(_))) if only_text => {
            Diagnostic::new(Code::WrongType, format!("{name} must be text, not {found}"))
                .suggest(Some(format!("\"{text}\"")))
        }
        (None, Some(Data::Null)) => Diagnostic::new(
            Code::WrongType,
            format!("{name} has no value; it must be {}", type_words(schema)),
        ),
        _ => Diagnostic::new(
            Code::WrongType,
            format!("{name} must be {}, not {found}", type_words(schema)),
        ),
    };
    if problem.suggestion.is_some() {
        return problem;
    }
    let keys = schema
        .and_then(|s| s.get("properties"))
        .and_then(Value::as_object);
    let problem = match keys {
        Some(keys) => problem.allowed("", keys.keys().map(|k| format!("{k}: …"))),
        None => problem,
    };
    match schema.and_then(example) {
        Some(example) => problem.help(format!("for example: {example}")),
        None => problem,
    }
}

/// Unquoted values that came of a variable are numbers and booleans where only such will do
/// (`vus: ${VUS}`).
fn coerce(root: &mut Node, validator: &Validator) {
    let value = root.to_json();
    let candidates: Vec<Pointer> = validator
        .iter_errors(&value)
        .filter(|error| matches!(error.kind(), Kind::Type { .. }))
        .map(|error| Pointer::from(error.instance_path().as_str()))
        .collect();
    for pointer in candidates {
        let Some(node) = root.at_mut(&pointer) else {
            continue;
        };
        let Data::Text(text) = &node.data else {
            continue;
        };
        if !(node.plain && node.interpolated) {
            continue;
        }
        match core_schema(text) {
            Scalar::Number(n) => node.data = Data::Number(n, text.clone()),
            Scalar::Bool(b) => node.data = Data::Bool(b),
            Scalar::Null | Scalar::Text => {}
        }
    }
}

/// Takes a value out. Of a list, the whole list goes: its other items would move up, and what is
/// said of them would point at the wrong places.
fn prune(value: &mut Value, pointer: &Pointer) {
    let Some((parent, last)) = pointer.split() else {
        return;
    };
    match value.pointer_mut(parent.as_str()) {
        Some(Value::Object(map)) => {
            map.shift_remove(&last);
        }
        Some(Value::Array(_)) => prune(value, &parent),
        _ => {}
    }
}
