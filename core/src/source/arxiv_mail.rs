//! The arXiv mailing of a day.

use crate::source::{Parsed, SourceError};

/// Whether the bytes look like a mailing.
pub fn recognises(bytes: &[u8]) -> bool {
    let _ = bytes;
    todo!()
}

/// Papers of a mailing.
///
/// # Errors
/// When it is no mailing.
pub fn parse(bytes: &[u8]) -> Result<Parsed, SourceError> {
    let _ = bytes;
    todo!()
}
