//! The analysis report in Markdown, a format that other systems already write and teams already read: title, time, count,
//! numbered briefs, numbered details. Reading and writing one gives the same bytes, so nothing in it may be lost, not
//! even an empty title or a missing line end.

use serde::{Deserialize, Serialize};

/// A report as it stands in the file. How the parts are kept apart so that writing gives the same bytes is the codec's
/// business; what people use is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// `# title`.
    pub title: String,
    /// `生成时间:`, as written.
    pub generated_at: String,
    /// `分析论文数量: N篇`, as written (it can disagree with the entries).
    pub count: String,
    /// The entries.
    pub entries: Vec<Entry>,
}

/// One paper of a report. Empty fields are legal and occur.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Title.
    pub title: String,
    /// The brief.
    pub brief: String,
    /// `**主要机构**:`, as written.
    pub institutions: String,
    /// `**作者数量**: k人`: k.
    pub author_count: u32,
    /// `**摘要**:`.
    pub abstract_text: String,
}

/// What is wrong with a report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ReportError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong and what was expected.
    pub reason: String,
}

/// Reads a report.
///
/// # Errors
/// Names the line.
pub fn read(text: &str) -> Result<Report, ReportError> {
    let _ = text;
    todo!()
}

/// Writes a report; `write(&read(text)?) == text`.
pub fn write(report: &Report) -> String {
    let _ = report;
    todo!()
}
