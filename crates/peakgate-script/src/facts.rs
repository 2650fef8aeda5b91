//! What is known of a script.

use std::fmt;

use peakgate_load::MetricKind;
use serde::Serialize;

/// A place in a script: line and column, both from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Where an imported module comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportKind {
    /// k6's own: `k6` and `k6/…` (also extensions, `k6/x/…`).
    K6,
    /// A file: `./…`, `../…`, `/…` or `file://…`.
    Relative,
    /// `https://…` or `http://…`.
    Remote,
    /// Anything else: a bare name, which k6 resolves itself or refuses.
    Other,
}

impl ImportKind {
    /// Classifies a module specifier.
    #[must_use]
    pub fn of(specifier: &str) -> Self {
        let starts = |prefix: &str| specifier.starts_with(prefix);
        if specifier == "k6" || starts("k6/") {
            Self::K6
        } else if starts("./") || starts("../") || starts("/") || starts("file://") {
            Self::Relative
        } else if starts("https://") || starts("http://") {
            Self::Remote
        } else {
            Self::Other
        }
    }
}

/// An import, `export … from`, `require("…")` or `import("…")` with a literal specifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Import {
    /// The module, as written.
    pub specifier: String,
    /// Where it comes from.
    pub kind: ImportKind,
    /// Where it is imported.
    pub position: Position,
}

/// A custom metric: `new Trend("name", true)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DefinedMetric {
    /// Its name, as written; not checked against k6's rule.
    pub name: String,
    /// Its type.
    pub kind: MetricKind,
    /// Whether its values are times in milliseconds; `None`: the argument is not a literal.
    pub is_time: Option<bool>,
    /// Where it is defined.
    pub position: Position,
}

/// A URL that the script spells out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UrlLiteral {
    /// The URL; a template's expressions stand as `${}`, credentials as `****`.
    pub text: String,
    /// The host in lower case, without credentials, port, or the brackets of an IPv6 address.
    pub host: String,
    /// Where it stands.
    pub position: Position,
}

/// A threshold of the script's options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Threshold {
    /// The metric or sub-metric, as written: `http_req_duration{name:login}`.
    pub metric: String,
    /// The condition, as written: `p(95)<500`.
    pub expression: String,
    /// Whether k6 stops the test when it fails.
    pub abort_on_fail: bool,
    /// Where it stands.
    pub position: Position,
}

/// What is known of a script (or, after [`merge`](crate::merge()), of a script with its files).
///
/// Lists keep the order of first appearance; lists of plain names are free of duplicates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ScriptFacts {
    /// What it imports. After a merge: relative imports only where the file was not among the
    /// merged ones, with the resolved path as specifier.
    pub imports: Vec<Import>,
    /// Something is imported by a computed specifier.
    pub dynamic_imports: bool,
    /// Custom metrics with literal names.
    pub metrics: Vec<DefinedMetric>,
    /// A custom metric is (or may be) made with a name that is not literal.
    pub dynamic_metrics: bool,
    /// Literal names of checks.
    pub checks: Vec<String>,
    /// Some checks are named by computed keys, spreads or objects from elsewhere.
    pub dynamic_checks: bool,
    /// Literal names of groups (one level; k6 joins nested ones with `::`).
    pub groups: Vec<String>,
    /// Some groups have computed names.
    pub dynamic_groups: bool,
    /// Literal values of the `name` tag, and of templates of `http.url` in k6's form (`/x/${}`).
    pub request_names: Vec<String>,
    /// Some `name` tags are computed.
    pub dynamic_request_names: bool,
    /// Names of tags that the script sets anywhere.
    pub tags: Vec<String>,
    /// Some tags have computed names.
    pub dynamic_tags: bool,
    /// URLs with a literal host.
    pub urls: Vec<UrlLiteral>,
    /// Environment variables that it reads.
    pub env_vars: Vec<String>,
    /// It reads environment variables by computed names.
    pub dynamic_env: bool,
    /// What it exports: `default`, `options`, `setup`, `teardown`, `handleSummary`, …
    pub exports: Vec<String>,
    /// Files of which it exports everything (`export * from`), as specifiers.
    pub star_exports: Vec<String>,
    /// Thresholds of its options.
    pub thresholds: Vec<Threshold>,
    /// The options or their thresholds are not (wholly) literal, so there may be more.
    pub dynamic_thresholds: bool,
}

impl ScriptFacts {
    /// Whether modules that were not read might add to what is known: anything but k6's own.
    /// k6's extensions (`k6/x/…`) count as unknown, too: they may define metrics.
    #[must_use]
    pub fn has_unread_modules(&self) -> bool {
        self.dynamic_imports
            || self
                .imports
                .iter()
                .any(|i| i.kind != ImportKind::K6 || i.specifier.starts_with("k6/x/"))
    }

    /// Whether `metrics` is the whole list of the script's custom metrics.
    #[must_use]
    pub fn metrics_are_known(&self) -> bool {
        !self.dynamic_metrics && !self.has_unread_modules()
    }

    /// Whether `checks` is the whole list of the script's checks.
    #[must_use]
    pub fn checks_are_known(&self) -> bool {
        !self.dynamic_checks && !self.has_unread_modules()
    }

    /// Whether `groups` is the whole list of the script's groups.
    #[must_use]
    pub fn groups_are_known(&self) -> bool {
        !self.dynamic_groups && !self.has_unread_modules()
    }

    /// Whether the script exports this name.
    #[must_use]
    pub fn exports(&self, name: &str) -> bool {
        self.exports.iter().any(|export| export == name)
    }
}

/// Adds a name unless it is there.
pub(crate) fn add_name(list: &mut Vec<String>, name: &str) {
    if !list.iter().any(|known| known == name) {
        list.push(name.to_owned());
    }
}
