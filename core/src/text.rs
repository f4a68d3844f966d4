//! What two spellings of the same text have in common: folding, keys, fingerprints. Everything that compares texts
//! (joining a report with a mailing, matching terms) goes through here, so that they agree on what is equal.

use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

/// The first 64 bits of SHA-256 over the parts, each preceded by its length so that no two lists collide. Stable over
/// versions of the program: it is written to disk.
pub fn hash64(parts: &[&str]) -> u64 {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let bytes: [u8; 32] = hasher.finalize().into();
    bytes.iter().take(8).fold(0, |acc, &b| (acc << 8) | u64::from(b))
}

/// SHA-256 of a file's bytes in hexadecimal: what "the same content" means for an intake.
pub fn content_hash(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    hash.iter().fold(String::with_capacity(64), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// NFKC, lower case: width and case no longer matter.
pub fn fold(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).collect()
}

/// Only the letters and digits of the folded text: two titles with equal keys are the same title, however they were
/// broken, hyphenated or capitalised.
pub fn key(text: &str) -> String {
    fold(text).chars().filter(|c| c.is_alphanumeric()).collect()
}

/// White space collapsed to single spaces, trimmed.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first link to a code repository in `text`, complete with `https://`.
pub fn code_repository(text: &str) -> Option<String> {
    const HOSTS: [&str; 5] = [
        "github.com/",
        "gitlab.com/",
        "huggingface.co/",
        "bitbucket.org/",
        "codeberg.org/",
    ];
    let lower = text.to_ascii_lowercase();
    let start = HOSTS.iter().filter_map(|host| find_host(&lower, host)).min()?;
    let end = text[start..]
        .find(|c: char| !(c.is_ascii_alphanumeric() || "/._-~%#?=&".contains(c)))
        .map_or(text.len(), |n| start + n);
    let path = text[start..end].trim_end_matches(['.', '/', '-', '?', '#', '&', '=', '_']);
    // A host without an owner is an advertisement, not a repository.
    path.split_once('/')
        .filter(|(_, rest)| !rest.is_empty())
        .map(|_| format!("https://{path}"))
}

fn find_host(lower: &str, host: &str) -> Option<usize> {
    lower.match_indices(host).map(|(at, _)| at).find(|&at| {
        lower[..at]
            .chars()
            .next_back()
            .is_none_or(|before| !(before.is_ascii_alphanumeric() || before == '-' || before == '.'))
            || lower[..at].ends_with("www.")
    })
}
