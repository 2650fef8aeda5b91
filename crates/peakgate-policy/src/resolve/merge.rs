//! A shared objective and a test's override of it, field by field, each field with its place.

use super::Cx;
use crate::document::Objective;
use crate::source::{Data, Pointer};

/// An objective as it is written, in up to two places.
pub(super) struct Merged<'a> {
    pub(super) id: &'a str,
    /// The shared one.
    pub(super) shared: Option<(&'a Objective, Pointer)>,
    /// The test's own.
    pub(super) own: Option<(&'a Objective, Pointer)>,
}

impl<'a> Merged<'a> {
    /// Where it stands: the override, when there is one.
    pub(super) fn place(&self) -> Pointer {
        self.own
            .as_ref()
            .or(self.shared.as_ref())
            .map(|(_, at)| at.clone())
            .unwrap_or_default()
    }

    /// The place that has the say about a field; `None`: nobody wrote it, or the test took it away.
    fn holder(&self, cx: &Cx<'_>, field: &str) -> Option<&(&'a Objective, Pointer)> {
        if let Some(own) = &self.own {
            if cx.written(&own.1, field) {
                return Some(own);
            }
            // Written, and yet not: null.
            let taken_away = cx
                .root
                .at(&own.1.key(field))
                .is_some_and(|node| matches!(node.data, Data::Null));
            if taken_away {
                return None;
            }
        }
        self.shared
            .as_ref()
            .filter(|shared| cx.written(&shared.1, field))
    }

    /// Whether a field was given, even with a value that is no good.
    pub(super) fn written(&self, cx: &Cx<'_>, field: &str) -> bool {
        self.holder(cx, field).is_some()
    }

    /// Whether the test itself gave a field.
    pub(super) fn is_own(&self, cx: &Cx<'_>, field: &str) -> bool {
        self.own
            .as_ref()
            .is_some_and(|own| cx.written(&own.1, field))
    }

    /// A field's value and place.
    pub(super) fn get<T>(
        &self,
        cx: &Cx<'_>,
        field: &str,
        read: impl Fn(&'a Objective) -> Option<T>,
    ) -> Option<(T, Pointer)> {
        let (objective, at) = self.holder(cx, field)?;
        Some((read(objective)?, at.key(field)))
    }
}
