//! The peakgate command.

fn main() {}
