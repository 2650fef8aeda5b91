//! The reference service: our own lead API on loopback, healthy or broken on purpose.
