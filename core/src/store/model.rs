//! The store as plain maps: the model that the others are compared with, and what tests run on.

/// In memory.
#[derive(Debug, Default)]
pub struct ModelStore {}
