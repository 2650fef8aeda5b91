//! The kinds of fault.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! codes {
    ($($(#[$doc:meta])+ $name:ident = $text:literal,)+) => {
        /// A kind of fault. Its text (`unknown-key`) is stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$doc])+ $name,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The code as text.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

codes! {
    /// The text is longer than 1 MiB.
    TooLarge = "too-large",
    /// The text is not YAML.
    Syntax = "syntax",
    /// There is nothing in it.
    Empty = "empty",
    /// The top is not a mapping.
    NotAMapping = "not-a-mapping",
    /// Nested too deep.
    TooDeep = "too-deep",
    /// Too many values, aliases expanded.
    TooManyNodes = "too-many-values",
    /// A feature of YAML that policies do not have.
    YamlFeature = "yaml-feature",
    /// A key that stands twice in one mapping.
    DuplicateKey = "duplicate-key",
    /// `${VAR}` of a variable that is not set.
    UnsetVariable = "unset-variable",
    /// `${` that is not a reference to a variable.
    BadReference = "bad-reference",
    /// A key that means nothing here.
    UnknownKey = "unknown-key",
    /// A key that must be there.
    MissingKey = "missing-key",
    /// Text for a number, a list for a mapping, and the like.
    WrongType = "wrong-type",
    /// Not one of the listed words.
    UnknownValue = "unknown-value",
    /// A number or a list that is too small or too great.
    OutOfRange = "out-of-range",
    /// A name that breaks the rule for names.
    BadName = "bad-name",
    /// A number or a unit that cannot be read, or a unit that does not fit.
    BadUnit = "bad-unit",
    /// A statistic that does not exist, or not for this metric.
    BadStatistic = "bad-statistic",
    /// Not a metric's name.
    BadMetric = "bad-metric",
    /// An objective that nothing could fail.
    NoLimit = "no-limit",
    /// Keys that exclude each other.
    Conflict = "conflict",
    /// A warning limit or ceiling on the wrong side of the limit.
    WrongSide = "wrong-side",
    /// Not a date.
    BadDate = "bad-date",
    /// A window that ends before it begins.
    BadWindow = "bad-window",
    /// The base URL cannot be used.
    BadUrl = "bad-url",
    /// Not a host.
    BadHost = "bad-host",
    /// A host that no load may ever go to, or that the list does not allow.
    ForbiddenHost = "forbidden-host",
    /// A test that nothing is required of.
    NoObjectives = "no-objectives",
    /// An override that removes what is not there.
    UnknownObjective = "unknown-objective",
    /// A regular expression that does not compile.
    BadRegex = "bad-regex",
    /// A load that is not one of the shapes.
    BadLoad = "bad-load",
    /// Not a version range.
    BadVersion = "bad-version",
    /// Not a glob.
    BadGlob = "bad-glob",
    /// A variable's name that is not the policy's to set.
    ReservedName = "reserved-name",
    /// An objective, a valve or a test that its script can never feed; found where policy and script
    /// meet, not by reading the policy alone.
    Unmeasurable = "unmeasurable",
    /// A fault of the program: the policy could be neither resolved nor explained.
    Internal = "internal",
}

impl Code {
    /// Whether it comes of the form rather than of the meaning.
    pub(crate) fn is_structural(self) -> bool {
        matches!(
            self,
            Self::UnknownKey
                | Self::MissingKey
                | Self::WrongType
                | Self::UnknownValue
                | Self::OutOfRange
                | Self::BadName
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}
