//! JSON pointers (RFC 6901).

use std::fmt;

use serde::Serialize;

/// A JSON pointer into the policy: `/tests/peak/load`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Pointer(String);

impl Pointer {
    /// The whole document.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// One step down, into a mapping.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        Self(format!(
            "{}/{}",
            self.0,
            key.replace('~', "~0").replace('/', "~1")
        ))
    }

    /// One step down, into a list.
    #[must_use]
    pub fn item(&self, index: usize) -> Self {
        Self(format!("{}/{index}", self.0))
    }

    /// The pointer as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The steps, unescaped.
    pub fn segments(&self) -> impl Iterator<Item = String> {
        self.0
            .split('/')
            .skip(1)
            .map(|s| s.replace("~1", "/").replace("~0", "~"))
    }

    /// The holder and the last step; `None` for the root.
    #[must_use]
    pub fn split(&self) -> Option<(Self, String)> {
        let (parent, last) = self.0.rsplit_once('/')?;
        Some((
            Self(parent.to_owned()),
            last.replace("~1", "/").replace("~0", "~"),
        ))
    }
}

/// From a text that is a pointer already.
impl From<&str> for Pointer {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_splits() {
        let p = Pointer::root().key("a/b").key("c~d").item(3);
        assert_eq!(p.as_str(), "/a~1b/c~0d/3");
        assert_eq!(p.segments().collect::<Vec<_>>(), ["a/b", "c~d", "3"]);
        let (parent, last) = p.split().unwrap();
        assert_eq!((parent.as_str(), last.as_str()), ("/a~1b/c~0d", "3"));
        assert!(Pointer::root().split().is_none());
        assert_eq!(Pointer::root().segments().count(), 0);
    }
}
