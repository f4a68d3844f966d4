//! Which known paper an entry without an id is.

use crate::paper::Paper;
use crate::text;

/// Stable fingerprints of title and abstract, at most 8.
pub fn sketch(paper: &Paper) -> Vec<u64> {
    [("title", paper.title()), ("abstract", paper.abstract_text())]
        .into_iter()
        .map(|(kind, words)| (kind, text::key(words)))
        .filter(|(_, key)| !key.is_empty())
        .map(|(kind, key)| text::hash64(&[kind, &key]))
        .collect()
}
