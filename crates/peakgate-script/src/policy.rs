//! A first policy, written from what the scripts say.

use std::collections::HashSet;
use std::fmt::Write as _;

use crate::facts::{ScriptFacts, add_name};
use crate::objective::{SuggestedObjective, slug, threshold_to_objective};
use crate::url::literal_url;

/// Endings of script names that say nothing about which test it is.
const NOISE: &[&str] = &[
    "-test", "_test", ".test", "-load", "_load", ".load", "-k6", "_k6", ".k6", "-spec", "_spec",
    ".spec",
];

/// The name of a script's test: `k6/peak-load-test.js` → `peak`.
#[must_use]
pub fn test_name(path: &str) -> String {
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let mut name = stem.to_ascii_lowercase();
    while let Some(shorter) = NOISE
        .iter()
        .find_map(|noise| name.strip_suffix(noise))
        .filter(|shorter| !shorter.is_empty())
    {
        name = shorter.to_owned();
    }
    let name = slug(&name).replace('_', "-");
    if name.is_empty() {
        "load".to_owned()
    } else {
        name
    }
}

/// Writes a first policy as commented YAML: a test for each script (with its imports merged into
/// its facts), its thresholds as the test's objectives, and a starter where it has none.
///
/// `base_url` is written as given, so that it may refer to the environment
/// (`${BASE_URL:-http://api.staging.local}`); everything else is escaped.
#[must_use]
pub fn policy_yaml(service: &str, base_url: &str, scripts: &[(String, ScriptFacts)]) -> String {
    let names = unique_names(scripts);
    let mut yaml = Yaml::default();
    yaml.comment(
        0,
        "A first policy, written from the k6 scripts that were found.",
    );
    yaml.comment(
        0,
        "Look through it, set the limits to what the service has promised, and check it with:",
    );
    yaml.comment(0, "  peakgate check");
    yaml.line(0, &format!("service: {}", scalar(service)));
    yaml.blank();
    environment(&mut yaml, base_url, scripts);
    yaml.blank();
    if scripts.is_empty() {
        yaml.comment(0, "No k6 script was found. Write one and name it here:");
        yaml.line(0, "tests: {}");
        yaml.comment(0, "tests:");
        yaml.comment(0, "  peak:");
        yaml.comment(0, "    script: k6/peak-test.js");
    } else {
        yaml.line(0, "tests:");
        let required = names.iter().position(|name| name == "peak").unwrap_or(0);
        for (index, ((path, facts), name)) in scripts.iter().zip(&names).enumerate() {
            if index > 0 {
                yaml.blank();
            }
            test(&mut yaml, name, path, facts, index == required);
        }
    }
    yaml.blank();
    yaml.line(0, "safety:");
    yaml.comment(
        1,
        "Stops a test that does harm, instead of running it to its end.",
    );
    yaml.line(1, "valves:");
    yaml.line(2, "error_rate:");
    yaml.line(3, "metric: http_req_failed");
    yaml.line(3, "statistic: rate");
    yaml.line(3, "above: 10%");
    yaml.line(3, "for: 30s");
    yaml.text
}

fn environment(yaml: &mut Yaml, base_url: &str, scripts: &[(String, ScriptFacts)]) {
    yaml.line(0, "environment:");
    yaml.line(1, "name: staging");
    yaml.comment(1, "Where the load goes; scripts see it as __ENV.BASE_URL.");
    yaml.line(1, &format!("base_url: {}", quoted(base_url)));
    let host = literal_url(base_url).map(|(_, host)| host);
    let mut others = Vec::new();
    for url in scripts.iter().flat_map(|(_, facts)| &facts.urls) {
        if Some(&url.host) != host.as_ref() {
            add_name(&mut others, &url.host);
        }
    }
    yaml.comment(
        1,
        "Load goes nowhere else: exact names, addresses, or \"*.suffix\".",
    );
    match &host {
        Some(host) => {
            yaml.line(1, "allowed_hosts:");
            yaml.line(2, &format!("- {}", scalar(host)));
        }
        None => yaml.comment(
            1,
            "Without this list, the host of base_url alone is allowed.",
        ),
    }
    if !others.is_empty() {
        if host.is_none() {
            yaml.comment(1, "allowed_hosts:");
        }
        yaml.comment(
            2,
            "The scripts also spell these out; allow only what may be put under load:",
        );
        for other in others {
            yaml.comment(2, &format!("- {}", scalar(&other)));
        }
    }
}

fn test(yaml: &mut Yaml, name: &str, path: &str, facts: &ScriptFacts, required: bool) {
    yaml.line(1, &format!("{}:", scalar(name)));
    yaml.line(2, &format!("script: {}", scalar(path)));
    let reads_base_url = facts.env_vars.iter().any(|var| var == "BASE_URL");
    if !reads_base_url && !facts.dynamic_env {
        yaml.comment(
            2,
            "The script does not read __ENV.BASE_URL, so base_url above does not move its load.",
        );
    }
    let others: Vec<&str> = facts
        .env_vars
        .iter()
        .map(String::as_str)
        // The gate drives k6 itself, so a policy may not set these.
        .filter(|var| {
            *var != "BASE_URL" && !var.starts_with("K6_") && !var.starts_with("PEAKGATE_")
        })
        .collect();
    if !others.is_empty() {
        yaml.comment(
            2,
            &format!(
                "The script also reads {}. It sees only what is given here:",
                others.join(", ")
            ),
        );
        yaml.comment(2, "env:");
        for var in others {
            yaml.comment(2, &format!("  {var}: ${{{var}}}"));
        }
    }
    if required {
        yaml.comment(2, "Which releases need this test to pass.");
        yaml.line(2, "required_for:");
        yaml.line(3, "- release: any");
    }
    yaml.line(2, "objectives:");
    objectives(yaml, facts);
}

fn objectives(yaml: &mut Yaml, facts: &ScriptFacts) {
    let mut used = HashSet::new();
    for threshold in &facts.thresholds {
        let source = format!("{}: {}", threshold.metric, threshold.expression);
        match threshold_to_objective(threshold, &facts.metrics) {
            Some(suggested) => {
                yaml.comment(3, &format!("The script's threshold {source}"));
                if suggested.abort {
                    yaml.comment(
                        3,
                        "The script stops the test when it fails (abortOnFail); that stays so.",
                    );
                }
                let id = unique(&suggested.id, "_", &mut used);
                objective(yaml, &id, &suggested);
            }
            None => {
                yaml.comment(
                    3,
                    &format!("Not a limit, so it stays with the script: {source}"),
                );
            }
        }
    }
    if facts.dynamic_thresholds {
        yaml.comment(
            3,
            "The script computes (some of) its thresholds; only literal ones are listed here.",
        );
    }
    if used.is_empty() {
        yaml.comment(3, "A starting point: the script has no thresholds of its own that say a limit. Set these limits.");
        yaml.line(3, "error_rate:");
        yaml.line(4, "metric: http_req_failed");
        yaml.line(4, "statistic: rate");
        yaml.line(4, "max: 1%");
        yaml.line(3, "latency_p95:");
        yaml.line(4, "metric: http_req_duration");
        yaml.line(4, "statistic: p(95)");
        yaml.line(4, "max: 500ms");
    }
}

fn objective(yaml: &mut Yaml, id: &str, suggested: &SuggestedObjective) {
    yaml.line(3, &format!("{}:", scalar(id)));
    yaml.line(4, &format!("metric: {}", scalar(&suggested.metric)));
    yaml.line(4, &format!("statistic: {}", scalar(&suggested.statistic)));
    if !suggested.select.is_empty() {
        yaml.line(4, "select:");
        for (tag, value) in &suggested.select {
            yaml.line(5, &format!("{}: {}", scalar(tag), scalar(value)));
        }
    }
    // Limits are plain by their grammar: digits, a point, a unit.
    yaml.line(
        4,
        &format!("{}: {}", suggested.direction.key(), suggested.limit_text),
    );
}

fn unique_names(scripts: &[(String, ScriptFacts)]) -> Vec<String> {
    let mut used = HashSet::new();
    scripts
        .iter()
        .map(|(path, _)| unique(&test_name(path), "-", &mut used))
        .collect()
}

/// The name, or with the first free number behind it.
fn unique(name: &str, glue: &str, used: &mut HashSet<String>) -> String {
    let mut candidate = name.to_owned();
    let mut number = 2;
    while !used.insert(candidate.clone()) {
        candidate = format!("{name}{glue}{number}");
        number += 1;
    }
    candidate
}

/// A text as a YAML scalar that stays this text, also after interpolation of `${…}`.
fn scalar(text: &str) -> String {
    quoted(&text.replace("${", "$${"))
}

/// A text as a YAML scalar: plain where that is safe, else in double quotes.
fn quoted(text: &str) -> String {
    let plain_char = |c: char| c.is_ascii_alphanumeric() || "_-./()%".contains(c);
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(plain_char)
        // Words like `true` or `null` are no strings.
        && matches!(serde_yaml::from_str(text), Ok(serde_yaml::Value::String(read)) if read == text)
        // … and YAML 1.1 readers, of which editors are full, have more of them.
        && !["y", "n", "yes", "no", "on", "off"].contains(&text.to_ascii_lowercase().as_str());
    if plain {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The text under construction; two spaces for each level.
#[derive(Default)]
struct Yaml {
    text: String,
}

impl Yaml {
    fn line(&mut self, level: usize, text: &str) {
        for _ in 0..level {
            self.text.push_str("  ");
        }
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn comment(&mut self, level: usize, text: &str) {
        // A line break in a script's text must not end the comment.
        let text: String = text
            .chars()
            .map(|c| match c {
                '\u{2028}' | '\u{2029}' => ' ',
                c if c.is_control() => ' ',
                c => c,
            })
            .collect();
        self.line(level, &format!("# {text}"));
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }
}
