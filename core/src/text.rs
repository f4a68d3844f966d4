//! What two spellings of the same text have in common: folding, keys, fingerprints. Everything that compares texts
//! (joining a report with a mailing, matching terms) goes through here, so that they agree on what is equal.

use sha2::{Digest, Sha256};
use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick, is_nfkc_quick};

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

/// A key for a note ([`crate::store::Write::Memo`]), which has at most 200 bytes: a longer one ends in its hash.
pub fn short_key(text: String) -> String {
    match text.char_indices().find(|(at, c)| at + c.len_utf8() > 160) {
        None => text,
        Some((at, _)) => {
            let hash = hash64(&[&text]);
            format!("{}…{hash:016x}", text.get(..at).unwrap_or_default())
        }
    }
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
    // Most text is in NFKC already, and telling so costs far less than bringing it there.
    if text.is_ascii() {
        text.to_ascii_lowercase()
    } else if is_nfkc_quick(text.chars()) == IsNormalized::Yes {
        text.chars().flat_map(char::to_lowercase).collect()
    } else {
        text.nfkc().flat_map(char::to_lowercase).collect()
    }
}

/// Only the letters and digits of the folded text: two titles with equal keys are the same title, however they were
/// broken, hyphenated or capitalised.
pub fn key(text: &str) -> String {
    if text.is_ascii() {
        let letters = text.bytes().filter(u8::is_ascii_alphanumeric);
        return letters.map(|letter| char::from(letter.to_ascii_lowercase())).collect();
    }
    let letters = fold(text).chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    // Korean letters that stood apart compose once nothing is left between them.
    match is_nfc_quick(letters.chars()) {
        IsNormalized::Yes => letters,
        IsNormalized::No | IsNormalized::Maybe => letters.nfc().collect(),
    }
}

/// White space collapsed to single spaces, trimmed.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How many characters of a folded text are the word that it begins with; 0 when no word begins there. `2.5`, `1,000`, `c++`
/// and `c#` are words; of scripts without spaces every character is one.
pub fn word_length(chars: &[char]) -> usize {
    if chars.first().is_some_and(|&c| is_unspaced(c)) {
        return usize::from(chars.first().is_some_and(|&c| is_word(c)));
    }
    let digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    let point = |at: usize, c: char| matches!(c, '.' | ',') && digit(at.wrapping_sub(1)) && digit(at + 1);
    let inside = |&(at, &c): &(usize, &char)| (is_word(c) && !is_unspaced(c)) || point(at, c);
    let length = chars.iter().enumerate().take_while(inside).count();
    match chars.split_at_checked(length) {
        Some(([.., _], ['+', '+', ..])) => length + 2,
        Some(([.., last], ['#', after @ ..]))
            if last.is_alphabetic() && !after.first().is_some_and(|&c| is_word(c)) =>
        {
            length + 1
        }
        _ => length,
    }
}

/// [`word_length`] of text that is ASCII throughout, without making characters of it: nearly all text is.
#[inline]
pub fn ascii_word_length(text: &[u8]) -> usize {
    let is = |at: usize, kind: fn(&u8) -> bool| text.get(at).is_some_and(kind);
    let digit = |at: usize| is(at, u8::is_ascii_digit);
    let mut length = 0;
    while is(length, u8::is_ascii_alphanumeric)
        || (length > 0 && is(length, |b| matches!(b, b'.' | b',')) && digit(length - 1) && digit(length + 1))
    {
        length += 1;
    }
    match (length, text.get(length), text.get(length + 1)) {
        (1.., Some(b'+'), Some(b'+')) => length + 2,
        (1.., Some(b'#'), after)
            if is(length - 1, u8::is_ascii_alphabetic) && !after.is_some_and(u8::is_ascii_alphanumeric) =>
        {
            length + 1
        }
        _ => length,
    }
}

/// Whether `c` stands inside words.
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c)
}

/// Whether `c` is of a script that puts no spaces between words, or glues particles to them: Han, kana, hangul.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30FF}' | '\u{31F0}'..='\u{31FF}' | '\u{3400}'..='\u{4DBF}'
        | '\u{4E00}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

/// Where in a folded word, in bytes, the `s` of a British `-ise`, `-isation` … stands that American spelling writes as `z`.
/// Words like `noise` are taken along: they change alike in a text and in what is looked for in it.
pub fn british(word: &str) -> Option<usize> {
    let suffixes: &[&str] = match word.as_bytes().last()? {
        b'e' => &["ise"],
        b'd' => &["ised"],
        b's' => &["ises", "isers", "isations"],
        b'g' => &["ising"],
        b'r' => &["iser"],
        b'n' => &["isation"],
        _ => return None,
    };
    suffixes
        .iter()
        .find(|suffix| word.len() > suffix.len() && word.ends_with(**suffix))
        .map(|suffix| word.len() - suffix.len() + 1)
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
    let mut starts: Vec<usize> = HOSTS.iter().flat_map(|host| hosts(&lower, host)).collect();
    starts.sort_unstable();
    starts.into_iter().find_map(|start| {
        let rest = text.get(start..)?;
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || "/._-~%#?=&".contains(c)))
            .unwrap_or(rest.len());
        let path = rest
            .get(..end)?
            .trim_end_matches(['.', '/', '-', '?', '#', '&', '=', '_']);
        // A host without an owner is an advertisement, and some owners are pages about papers.
        let (_, owner) = path.split_once('/')?;
        let page = owner.split('/').next().unwrap_or_default();
        (!matches!(page, "" | "papers" | "blog" | "docs")).then(|| format!("https://{path}"))
    })
}

/// Where `host` stands in `lower` as a host, not as the end of another one (`gist.github.com`).
fn hosts<'a>(lower: &'a str, host: &'a str) -> impl Iterator<Item = usize> + 'a {
    lower.match_indices(host).map(|(at, _)| at).filter(|&at| {
        let before = lower.get(..at).unwrap_or_default();
        before
            .chars()
            .next_back()
            .is_none_or(|c| !(c.is_ascii_alphanumeric() || c == '-' || c == '.'))
            || before.ends_with("www.")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_repository_is_found_as_authors_write_it() {
        for (text, link) in [
            (
                "Code: https://github.com/F1y1113/UniWM.",
                Some("https://github.com/F1y1113/UniWM"),
            ),
            ("(see GitHub.com/a/b_c)", Some("https://GitHub.com/a/b_c")),
            (
                "at http://www.github.com/a/b/, with data",
                Some("https://github.com/a/b"),
            ),
            (
                "the model (https://huggingface.co/a/b) and https://github.com/c/d",
                Some("https://huggingface.co/a/b"),
            ),
            (
                "hosted on github.com/ and then https://gitlab.com/g/p",
                Some("https://gitlab.com/g/p"),
            ),
            (
                "https://huggingface.co/papers/2510.1, code in github.com/a/b",
                Some("https://github.com/a/b"),
            ),
            ("代码在https://github.com/甲", None),
            ("https://mygithub.com/a/b and gist.github.com/a", None),
            ("we use GitHub and a.github.io/x", None),
        ] {
            assert_eq!(code_repository(text).as_deref(), link, "{text}");
        }
    }

    #[test]
    fn titles_with_equal_keys_are_the_same_title() {
        for (a, b) in [
            ("High-Quality KV Caching", "highquality  kv\ncaching."),
            ("Ｆｕｌｌ ＷＩＤＴＨ", "full width"),
            ("x² and ﬁne", "x2 and fine"),
            ("量化：KV 缓存", "量化 kv缓存"),
            ("㈀ￂ", "가"),
        ] {
            assert_eq!(key(a), key(b));
        }
        assert_ne!(key("Part I"), key("Part II"));
    }

    #[test]
    fn a_fingerprint_tells_where_one_part_ends() {
        assert_ne!(hash64(&["ab", "c"]), hash64(&["a", "bc"]));
        // Written to disk: it may never change.
        assert_eq!(hash64(&["paper", "wire"]), 15_664_769_887_246_829_617);
        assert_eq!(
            content_hash(b""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    proptest! {
        #[test]
        fn a_word_of_bytes_is_as_long_as_one_of_characters(text in "[a-bZ0-9.,+# _-]{0,12}") {
            let chars: Vec<char> = text.chars().collect();
            prop_assert_eq!(ascii_word_length(text.as_bytes()), word_length(&chars));
        }

        #[test]
        fn folding_and_joining_twice_is_folding_and_joining_once(text in r"\PC{0,40}") {
            prop_assert_eq!(fold(&text), text.nfkc().flat_map(char::to_lowercase).collect::<String>());
            prop_assert_eq!(fold(&fold(&text)), fold(&text));
            prop_assert_eq!(one_line(&one_line(&text)), one_line(&text));
            prop_assert_eq!(key(&key(&text)), key(&text));
        }

        #[test]
        fn a_link_to_code_stands_in_the_text(text in r"(github\.com/|[a-z/. é]){0,30}") {
            if let Some(link) = code_repository(&text) {
                prop_assert!(text.contains(link.strip_prefix("https://").unwrap()));
            }
        }
    }
}
