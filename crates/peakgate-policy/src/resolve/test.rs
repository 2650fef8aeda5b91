//! Tests: their scripts' environment, the releases that need them, and their objectives.

use indexmap::IndexMap;

use super::merge::Merged;
use super::{Cx, load, objective};
use crate::diagnostic::{Code, Diagnostic};
use crate::document::{
    Document, EngineWord, LiveWord, Objective as ObjectiveDoc, ReleaseRule as RuleDoc, ReleaseWord,
    Test as Doc, Text,
};
use crate::settings::{Bump, EngineChoice, LiveChannel, ReleaseRule, Test};
use crate::source::Pointer;

type Shared = IndexMap<String, ObjectiveDoc>;

pub(super) fn resolve_all(cx: &mut Cx<'_>, document: &Document) -> IndexMap<String, Test> {
    let no_objectives = Shared::new();
    let shared = document.objectives.as_ref().unwrap_or(&no_objectives);
    let no_tests = IndexMap::new();
    let tests = document.tests.as_ref().unwrap_or(&no_tests);
    let top = Pointer::root();
    let resolved = tests
        .iter()
        .filter_map(|(name, test)| {
            let at = top.key("tests").key(name);
            Some((name.clone(), resolve(cx, name, test, shared, &at)?))
        })
        .collect();
    // What no test uses is checked too: it may be used tomorrow.
    for (id, doc) in shared {
        let used = tests.values().any(|test| {
            test.objectives
                .as_ref()
                .and_then(|own| own.get(id))
                .is_none_or(Option::is_some)
        });
        if !used {
            let alone = Merged {
                id,
                shared: Some((doc, top.key("objectives").key(id))),
                own: None,
            };
            let _ = objective::resolve(cx, &alone);
        }
    }
    resolved
}

fn resolve(cx: &mut Cx<'_>, name: &str, doc: &Doc, shared: &Shared, at: &Pointer) -> Option<Test> {
    let env = env(cx, doc.env.as_ref(), &at.key("env"));
    let rehearsal_env = env_of_rehearsal(cx, doc, at);
    let tags = texts(cx, doc.tags.as_ref(), &at.key("tags"));
    let load = doc
        .load
        .as_ref()
        .and_then(|l| load::resolve(cx, l, &at.key("load")));
    let required_for = doc
        .required_for
        .iter()
        .flatten()
        .enumerate()
        .filter_map(|(i, rule)| release_rule(cx, rule, &at.key("required_for").item(i)))
        .collect();
    let objectives = objectives(cx, name, doc, shared, at);
    Some(Test {
        name: name.to_owned(),
        script: doc.script.clone()?,
        engine: match doc.engine {
            None | Some(EngineWord::Auto) => EngineChoice::Auto,
            Some(EngineWord::Embedded) => EngineChoice::Embedded,
            Some(EngineWord::K6) => EngineChoice::K6,
        },
        live: match doc.live {
            None | Some(LiveWord::Auto) => LiveChannel::Auto,
            Some(LiveWord::Exact) => LiveChannel::Exact,
            Some(LiveWord::Light) => LiveChannel::Light,
        },
        env,
        rehearsal_env,
        tags,
        load,
        required_for,
        objectives,
        position: cx.key_place(at).position,
    })
}

fn objectives(
    cx: &mut Cx<'_>,
    name: &str,
    doc: &Doc,
    shared: &Shared,
    at: &Pointer,
) -> Vec<crate::settings::Objective> {
    let none = IndexMap::new();
    let own = doc.objectives.as_ref().unwrap_or(&none);
    let at_own = at.key("objectives");
    let at_shared = Pointer::root().key("objectives");
    for (id, value) in own {
        if value.is_none() && !shared.contains_key(id) && !cx.written(&at_shared, id) {
            let problem = Diagnostic::new(
                Code::UnknownObjective,
                format!("`{id}: null` removes a shared objective that is not there"),
            )
            .allowed(id, shared.keys().map(String::as_str));
            cx.key(&at_own.key(id), problem);
        }
    }
    let inherited = shared
        .keys()
        .filter(|id| own.get(*id).is_none_or(Option::is_some));
    let added = own
        .iter()
        .filter(|(id, o)| o.is_some() && !shared.contains_key(*id));
    let ids: Vec<&String> = inherited.chain(added.map(|(id, _)| id)).collect();
    let nothing_written = ids.is_empty()
        && !cx.settled.contains(&at_own)
        && !cx.settled.contains(&at_shared)
        && !cx.settled.iter().any(|p| {
            p.split()
                .is_some_and(|(parent, _)| parent == at_own || parent == at_shared)
        });
    if nothing_written {
        let problem = Diagnostic::new(
            Code::NoObjectives,
            format!("test `{name}` has no objective: nothing could ever fail it"),
        )
        .help("add objectives at the top, for all tests, or under this test");
        cx.key(at, problem);
    }
    ids.into_iter()
        .filter_map(|id| {
            let merged = Merged {
                id,
                shared: shared.get(id).map(|o| (o, at_shared.key(id))),
                own: own
                    .get(id)
                    .and_then(Option::as_ref)
                    .map(|o| (o, at_own.key(id))),
            };
            // A shared objective that was taken out for its form leaves an override without its
            // other half: nothing more is said about it.
            if merged.shared.is_none() && cx.settled.contains(&at_shared.key(id)) {
                return None;
            }
            objective::resolve(cx, &merged)
        })
        .collect()
}

fn texts(
    cx: &Cx<'_>,
    doc: Option<&IndexMap<String, Text>>,
    at: &Pointer,
) -> IndexMap<String, String> {
    doc.into_iter()
        .flatten()
        .filter_map(|(key, _)| Some((key.clone(), cx.text(&at.key(key))?)))
        .collect()
}

fn env_of_rehearsal(cx: &mut Cx<'_>, doc: &Doc, at: &Pointer) -> IndexMap<String, String> {
    let written = doc.rehearsal.as_ref().and_then(|r| r.env.as_ref());
    env(cx, written, &at.key("rehearsal").key("env"))
}

fn env(
    cx: &mut Cx<'_>,
    doc: Option<&IndexMap<String, Text>>,
    at: &Pointer,
) -> IndexMap<String, String> {
    for name in doc.into_iter().flat_map(IndexMap::keys) {
        let problem = if name.starts_with("K6_") {
            let problem = Diagnostic::new(
                Code::ReservedName,
                format!("`{name}` would change k6's own options"),
            );
            match name.as_str() {
                "K6_VUS" | "K6_DURATION" | "K6_STAGES" | "K6_ITERATIONS" => problem.help(format!(
                    "use the test's `load`, for example `load: {{vus: 10, duration: 1m}}`, in place of {name}"
                )),
                _ => problem.help("the load is set by the test's `load`, other options by the script"),
            }
        } else if name.starts_with("PEAKGATE_") {
            Diagnostic::new(
                Code::ReservedName,
                format!("`{name}`: names that begin with PEAKGATE_ are the gate's own"),
            )
            .help("choose another name")
        } else if name.is_empty() || name.contains(['=', '\0']) {
            Diagnostic::new(
                Code::BadName,
                format!("`{name}` cannot name an environment variable"),
            )
            .help("use letters, digits and '_'")
        } else {
            continue;
        };
        cx.key(&at.key(name), problem);
    }
    for name in doc.into_iter().flat_map(IndexMap::keys) {
        let at = at.key(name);
        if cx.text(&at).is_some_and(|text| text.contains('\0')) {
            let problem = Diagnostic::new(
                Code::OutOfRange,
                format!("the value of `{name}` contains a NUL character"),
            )
            .help("no environment variable can hold one");
            cx.value(&at, problem);
        }
    }
    texts(cx, doc, at)
}

fn release_rule(cx: &mut Cx<'_>, doc: &RuleDoc, at: &Pointer) -> Option<ReleaseRule> {
    let version = match &doc.version {
        None => None,
        Some(text) => match semver::VersionReq::parse(text) {
            Ok(range) => Some(range),
            Err(error) => {
                let problem = Diagnostic::new(
                    Code::BadVersion,
                    format!("`{text}` is not a version range: {error}"),
                )
                .help("for example: \">=2.0.0\", \"^1.4\", \">=1.2, <2\"");
                cx.value(&at.key("version"), problem);
                None
            }
        },
    };
    let mut good = true;
    let paths = doc.paths.clone().unwrap_or_default();
    for (i, glob) in paths.iter().enumerate() {
        if let Err(error) = globset::Glob::new(glob) {
            good = false;
            let problem = Diagnostic::new(
                Code::BadGlob,
                format!("`{glob}` is not a glob: {}", error.kind()),
            )
            .help("for example: src/db/**, migrations/*.sql");
            cx.value(&at.key("paths").item(i), problem);
        }
    }
    if (doc.version.is_some() && version.is_none()) || !good {
        return None;
    }
    Some(ReleaseRule {
        bump: match doc.release {
            None | Some(ReleaseWord::Any) => None,
            Some(ReleaseWord::Patch) => Some(Bump::Patch),
            Some(ReleaseWord::Minor) => Some(Bump::Minor),
            Some(ReleaseWord::Major) => Some(Bump::Major),
        },
        version,
        paths,
    })
}
