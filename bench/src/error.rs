//! What goes wrong here is only ever told to a person.

/// A sentence that says what happened, where, and what to do.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// A result of this program.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Adds what was being done to an error.
pub(crate) trait During<T> {
    /// `what` begins the message.
    fn during(self, what: &str) -> Result<T>;
}

impl<T, E: std::fmt::Display> During<T> for std::result::Result<T, E> {
    fn during(self, what: &str) -> Result<T> {
        self.map_err(|error| format!("{what}: {error}").into())
    }
}
