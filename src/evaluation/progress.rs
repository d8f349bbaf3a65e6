//! How far something is.

/// Is told what is done, how much of it, and of how much.
pub type Progress<'a> = &'a (dyn Fn(&str, usize, usize) + Sync);
