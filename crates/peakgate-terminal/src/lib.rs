//! What people see in a terminal: live progress and the final table.
