//! The store over sled 0.34.

/// Why it cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {}

/// On disk.
#[derive(Debug)]
pub struct SledStore {}
