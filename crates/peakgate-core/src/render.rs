//! The verdict as text for people.
