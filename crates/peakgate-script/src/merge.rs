//! Several files as one script.

use std::collections::HashSet;

use crate::facts::{ImportKind, ScriptFacts, add_name};

/// Specifiers of the files that a script imports, in order, each once.
#[must_use]
pub fn relative_imports(facts: &ScriptFacts) -> Vec<&str> {
    let mut seen = HashSet::new();
    facts
        .imports
        .iter()
        .filter(|import| import.kind == ImportKind::Relative)
        .map(|import| import.specifier.as_str())
        .filter(|specifier| seen.insert(*specifier))
        .collect()
}

/// The path of a file that another file imports: the specifier joined to the importing file's
/// folder, without `.` and `..` where they can be resolved. Nothing is added: k6 wants the
/// extension as written. Absolute specifiers (`/…`, `file://…`) stand for themselves.
#[must_use]
pub fn resolve_relative(base_path: &str, specifier: &str) -> String {
    let specifier = specifier.strip_prefix("file://").unwrap_or(specifier);
    let folder = match base_path.rsplit_once('/') {
        _ if specifier.starts_with('/') => "",
        Some(("", _)) => "/",
        Some((folder, _)) => folder,
        None => "",
    };
    let absolute = specifier.starts_with('/') || folder.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(specifier.split('/')) {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&last) if last != ".." => {
                    parts.pop();
                }
                // There is nothing above the root.
                None if absolute => {}
                _ => parts.push(".."),
            },
            name => parts.push(name),
        }
    }
    let joined = parts.join("/");
    if absolute {
        format!("/{joined}")
    } else {
        joined
    }
}

/// Makes one set of facts of a script (the first entry) and the files that it imports, each with
/// its path as [`resolve_relative`] gives it.
///
/// Exports are the script's, with those of files that it exports wholly (`export * from`).
/// Thresholds are the script's; where it does not spell them out, those that its files have in
/// options of their own are taken as well. Positions keep referring to each fact's own file.
#[must_use]
pub fn merge(entries: Vec<(String, ScriptFacts)>) -> ScriptFacts {
    let paths: HashSet<String> = entries.iter().map(|(path, _)| normal(path)).collect();
    let exported_wholly = star_exported(&entries);
    let mut merged = ScriptFacts::default();
    for (index, (path, facts)) in entries.into_iter().enumerate() {
        let is_script = index == 0;
        for mut import in facts.imports {
            if import.kind == ImportKind::Relative {
                import.specifier = resolve_relative(&path, &import.specifier);
                if paths.contains(&import.specifier) {
                    continue;
                }
            }
            let known = merged
                .imports
                .iter()
                .any(|other| other.specifier == import.specifier);
            if !known {
                merged.imports.push(import);
            }
        }
        merged.metrics.extend(facts.metrics);
        merged.urls.extend(facts.urls);
        for (all, names) in [
            (&mut merged.checks, &facts.checks),
            (&mut merged.groups, &facts.groups),
            (&mut merged.request_names, &facts.request_names),
            (&mut merged.tags, &facts.tags),
            (&mut merged.env_vars, &facts.env_vars),
        ] {
            for name in names {
                add_name(all, name);
            }
        }
        merged.dynamic_imports |= facts.dynamic_imports;
        merged.dynamic_metrics |= facts.dynamic_metrics;
        merged.dynamic_checks |= facts.dynamic_checks;
        merged.dynamic_groups |= facts.dynamic_groups;
        merged.dynamic_request_names |= facts.dynamic_request_names;
        merged.dynamic_tags |= facts.dynamic_tags;
        merged.dynamic_env |= facts.dynamic_env;
        if is_script || exported_wholly.contains(&normal(&path)) {
            for name in &facts.exports {
                // `export *` leaves the default out.
                if is_script || name != "default" {
                    add_name(&mut merged.exports, name);
                }
            }
            merged.dynamic_thresholds |= facts.dynamic_thresholds;
            merged.thresholds.extend(facts.thresholds);
        } else if merged.dynamic_thresholds {
            merged.thresholds.extend(facts.thresholds);
        }
        for specifier in facts.star_exports {
            let target = if ImportKind::of(&specifier) == ImportKind::Relative {
                resolve_relative(&path, &specifier)
            } else {
                specifier
            };
            if !paths.contains(&target) {
                add_name(&mut merged.star_exports, &target);
            }
        }
    }
    merged
}

fn normal(path: &str) -> String {
    resolve_relative("", path)
}

/// Paths of the files whose exports are the script's, directly or by way of others.
fn star_exported(entries: &[(String, ScriptFacts)]) -> HashSet<String> {
    let mut found = HashSet::new();
    let mut waiting: Vec<&(String, ScriptFacts)> = entries.first().into_iter().collect();
    while let Some((path, facts)) = waiting.pop() {
        for specifier in &facts.star_exports {
            let target = resolve_relative(path, specifier);
            if found.insert(target.clone()) {
                waiting.extend(entries.iter().filter(|(path, _)| normal(path) == target));
            }
        }
    }
    found
}
