//! Judgement: from evidence to a verdict that explains itself. Pure.
