//! Every run on record: one SQLite file.
