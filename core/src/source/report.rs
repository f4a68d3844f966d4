//! The analysis report as a source of papers: it has briefs and institutions that a mailing lacks, and lacks the ids.

use crate::source::{Parsed, SourceError};

/// Whether the bytes look like a report.
pub fn recognises(bytes: &[u8]) -> bool {
    let _ = bytes;
    todo!()
}

/// Papers of a report, with provisional ids.
///
/// # Errors
/// When it is no report.
pub fn parse(bytes: &[u8]) -> Result<Parsed, SourceError> {
    let _ = bytes;
    todo!()
}
