//! Facts about a k6 script, read without running it. Pure.
