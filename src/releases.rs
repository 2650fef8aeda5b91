//! Which tests a release needs.

use globset::Glob;
use peakgate_policy::settings::{Bump, Policy, ReleaseRule, Test};
use semver::{Version, VersionReq};

/// What is known of a release.
#[derive(Debug, Default)]
pub(crate) struct Release<'a> {
    /// Its name, `v1.2.3`.
    pub(crate) name: Option<&'a str>,
    /// The release before it.
    pub(crate) previous: Option<&'a str>,
    /// The files that it changes, when known.
    pub(crate) changed: &'a [String],
}

fn version(name: &str) -> Option<Version> {
    // Tags carry prefixes: `v1.2.3`, `lead-api-1.2.3`, `release/1.2.3`.
    let start = name.find(|c: char| c.is_ascii_digit())?;
    Version::parse(&name[start..]).ok()
}

/// Semver ranges leave pre-releases out; `3.1.0-rc.1` is a release of `>=3.0.0` all the same.
fn in_range(range: &VersionReq, version: &Version) -> bool {
    range.matches(version)
        || range.matches(&Version::new(version.major, version.minor, version.patch))
}

impl Release<'_> {
    /// How much the version grew; `None` when it cannot be told.
    fn bump(&self) -> Option<Bump> {
        let now = version(self.name?)?;
        let Some(before) = self.previous.and_then(version) else {
            // Without the one before only this much is sure.
            return (now.minor == 0 && now.patch == 0).then_some(Bump::Major);
        };
        match (
            now.major != before.major,
            now.minor != before.minor,
            now.patch != before.patch,
        ) {
            (true, ..) => Some(Bump::Major),
            (_, true, _) => Some(Bump::Minor),
            (_, _, true) => Some(Bump::Patch),
            // From one pre-release to the next, or to the release: how far the last release is
            // away cannot be told.
            _ => None,
        }
    }

    /// Whether a rule asks for its test. What cannot be told asks for it: a test too many is
    /// safe, a test too few is a silent green.
    fn needs(&self, rule: &ReleaseRule) -> bool {
        let bump = rule
            .bump
            .is_none_or(|least| self.bump().is_none_or(|bump| bump >= least));
        let range = rule.version.as_ref().is_none_or(|range| {
            self.name
                .and_then(version)
                .is_none_or(|version| in_range(range, &version))
        });
        let paths = rule.paths.is_empty()
            || self.changed.is_empty()
            || rule.paths.iter().any(|glob| {
                Glob::new(glob).map_or(true, |glob| {
                    let matcher = glob.compile_matcher();
                    self.changed
                        .iter()
                        .any(|path| matcher.is_match(path.trim_start_matches("./")))
                })
            });
        bump && range && paths
    }

    /// The tests that this release needs, in the policy's order.
    pub(crate) fn required<'p>(&self, policy: &'p Policy) -> Vec<&'p Test> {
        policy
            .tests
            .values()
            .filter(|test| test.required_for.iter().any(|rule| self.needs(rule)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "
service: s
environment: {name: e, base_url: http://127.0.0.1}
objectives: {e: {metric: http_req_failed, statistic: rate, max: 1%}}
tests:
  peak: {script: a.js, required_for: [{release: any}]}
  spike: {script: a.js, required_for: [{release: major}]}
  soak: {script: a.js, required_for: [{paths: ['db/**']}, {version: '>=3.0.0'}]}
  stress: {script: a.js}
";

    fn required(name: Option<&str>, previous: Option<&str>, changed: &[&str]) -> Vec<String> {
        let policy = peakgate_policy::load(POLICY, &|_| None).unwrap();
        let changed: Vec<String> = changed.iter().map(ToString::to_string).collect();
        Release {
            name,
            previous,
            changed: &changed,
        }
        .required(&policy)
        .iter()
        .map(|t| t.name.clone())
        .collect()
    }

    #[test]
    fn rules_pick_tests_and_doubt_picks_more() {
        let ui = &["ui/a.ts"];
        assert_eq!(required(Some("v1.2.3"), Some("v1.2.2"), ui), ["peak"]);
        assert_eq!(
            required(Some("v2.0.0"), Some("v1.9.0"), ui),
            ["peak", "spike"]
        );
        assert_eq!(
            required(Some("v1.2.0"), Some("v1.1.0"), &["db/x.sql"]),
            ["peak", "soak"]
        );
        assert_eq!(
            required(Some("lead-api-3.1.0"), Some("3.0.0"), ui),
            ["peak", "soak"]
        );
        assert_eq!(
            required(Some("v3.1.0-rc.1"), Some("v3.0.0"), &["./ui/a.ts"]),
            ["peak", "soak"]
        );
        assert_eq!(
            required(Some("v1.2.1"), Some("v1.2.0"), &["./db/x.sql"]),
            ["peak", "soak"]
        );
        // How much it grew cannot be told.
        assert_eq!(required(Some("v2.0.1"), None, ui), ["peak", "spike"]);
        assert_eq!(
            required(Some("v2.0.0"), Some("v2.0.0-rc.3"), ui),
            ["peak", "spike"]
        );
        // Neither version nor files are known: everything that could be needed.
        assert_eq!(required(None, None, &[]), ["peak", "spike", "soak"]);
    }
}
