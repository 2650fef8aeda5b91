//! What people see in a terminal: live progress and the final table.
//!
//! Progress goes to stderr, the table to stdout. All outside text is stripped of control characters
//! and escape sequences: a check's name must not move the cursor.

mod phase;
mod progress;
mod style;
mod table;

pub use phase::phase;
pub use progress::{Live, Progress, ProgressKind};
pub use style::Style;
pub use table::{final_table, final_table_with};
