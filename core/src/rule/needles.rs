//! Finding hundreds of thousands of phrases in a text in one pass, with a phrase more or less costing microseconds. An
//! automaton must be built anew for every change; here a phrase is filed under the hash of its canonical form, and the
//! text's own stretches from a word's beginning to a word's end are looked up. Which lengths are worth a look is known
//! from the first four bytes.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::topic::terms::Canonical;

/// Texts with numbers, each once.
#[derive(Debug, Clone, Default)]
pub(super) struct Interner {
    arena: String,
    /// Where each text ends in the arena.
    ends: Vec<u32>,
    /// The latest text of each hash.
    latest: HashMap<u64, u32, BuildHasherDefault<Mixed>>,
    /// Of texts with equal hashes the one before; itself where there is none.
    before: HashMap<u32, u32>,
}

/// For keys that are hashes already.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0 ^ u64::from(byte));
        }
    }

    fn write_u64(&mut self, hash: u64) {
        // The low bits of a polynomial depend on the low bits of its letters alone.
        let hash = (hash ^ (hash >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = hash ^ (hash >> 29);
    }
}

/// The base of the polynomial.
const BASE: u64 = 6_364_136_223_846_793_005;

fn step(hash: u64, byte: u8) -> u64 {
    hash.wrapping_mul(BASE).wrapping_add(u64::from(byte) + 1)
}

fn hash(text: &str) -> u64 {
    text.bytes().fold(0, step)
}

impl Interner {
    /// The text's number, and whether it is new.
    pub(super) fn intern(&mut self, text: &str) -> (u32, bool) {
        let hash = hash(text);
        if let Some(known) = self.lookup(hash, text) {
            return (known, false);
        }
        let number = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        self.arena.push_str(text);
        self.ends.push(u32::try_from(self.arena.len()).unwrap_or(u32::MAX));
        if let Some(before) = self.latest.insert(hash, number) {
            self.before.insert(number, before);
        }
        (number, true)
    }

    /// The text of a number.
    pub(super) fn get(&self, number: u32) -> &str {
        let at = number as usize;
        let end = |at: usize| self.ends.get(at).map(|&end| end as usize);
        let start = at.checked_sub(1).map_or(Some(0), end);
        let range = start.zip(end(at)).map(|(start, end)| start..end);
        range.and_then(|range| self.arena.get(range)).unwrap_or_default()
    }

    fn lookup(&self, hash: u64, text: &str) -> Option<u32> {
        let mut number = *self.latest.get(&hash)?;
        while self.get(number) != text {
            number = *self.before.get(&number)?;
        }
        Some(number)
    }
}

/// How many bytes decide which lengths are looked at.
const HEAD: usize = 4;
const SLOTS: usize = 1 << 15;
/// 2^21 bits, of which 100,000 phrases set one in twenty.
const BITS: usize = 1 << 15;

/// Phrases in canonical form, found in canonical texts.
#[derive(Debug, Clone, Default)]
pub(super) struct Needles {
    texts: Interner,
    /// For what begins with these four bytes: which lengths there are; the highest bit stands for 63 and more. Empty until
    /// there is a phrase.
    lengths: Vec<u64>,
    /// A bit for the hash of each phrase: most stretches are told to be none without a look at the table, which is too
    /// large for the nearer caches.
    bits: Vec<u64>,
    /// The lengths below four.
    short: u64,
    longest: usize,
    /// The powers of the base up to the longest phrase.
    powers: Vec<u64>,
}

/// A phrase in a text: its number, and the words of the text with which it begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) needle: u32,
    pub(super) first: usize,
    pub(super) last: usize,
}

fn slot(head: [u8; HEAD]) -> usize {
    (u32::from_le_bytes(head).wrapping_mul(0x9E37_79B1) >> 17) as usize % SLOTS
}

/// Where a hash's bit is: the highest bits depend on every letter.
fn spot(hash: u64) -> (usize, u64) {
    ((hash >> 49) as usize % BITS, 1 << ((hash >> 43) % 64))
}

fn bit(length: usize) -> u64 {
    1 << length.min(63)
}

impl Needles {
    /// A phrase's number, and whether it is new.
    pub(super) fn insert(&mut self, text: &str) -> (u32, bool) {
        let (number, new) = self.texts.intern(text);
        if new {
            self.bits.resize(BITS, 0);
            let (word, mask) = spot(hash(text));
            if let Some(bits) = self.bits.get_mut(word) {
                *bits |= mask;
            }
            self.longest = self.longest.max(text.len());
            while self.powers.len() <= self.longest {
                self.powers
                    .push(self.powers.last().map_or(1, |power| power.wrapping_mul(BASE)));
            }
            match text.as_bytes().first_chunk() {
                Some(head) => {
                    self.lengths.resize(SLOTS, 0);
                    if let Some(lengths) = self.lengths.get_mut(slot(*head)) {
                        *lengths |= bit(text.len());
                    }
                }
                None => self.short |= bit(text.len()),
            }
        }
        (number, new)
    }

    /// Calls `found` with every place of every phrase that begins where a word does and ends where a word's stem does.
    pub(super) fn find(&self, text: &Canonical, mut found: impl FnMut(Place)) {
        if self.longest == 0 {
            return;
        }
        let bytes = text.text.as_bytes();
        let mut hashes = Vec::with_capacity(bytes.len() + 1);
        hashes.push(0);
        let mut hash = 0;
        for &byte in bytes {
            hash = step(hash, byte);
            hashes.push(hash);
        }
        for (first, &start) in text.starts.iter().enumerate() {
            let head = bytes.get(start..).and_then(|rest| rest.first_chunk());
            let lengths = head
                .and_then(|head| self.lengths.get(slot(*head)))
                .copied()
                .unwrap_or(0)
                | self.short;
            if lengths == 0 {
                continue;
            }
            let most = if lengths & bit(63) == 0 {
                63 - lengths.leading_zeros() as usize
            } else {
                self.longest
            };
            for (last, &(end, _)) in text.ends.iter().enumerate().skip(first) {
                let length = end.saturating_sub(start);
                if length > most {
                    break;
                }
                if lengths & bit(length) == 0 {
                    continue;
                }
                let (Some(before), Some(whole), Some(power)) =
                    (hashes.get(start), hashes.get(end), self.powers.get(length))
                else {
                    continue;
                };
                let hash = whole.wrapping_sub(before.wrapping_mul(*power));
                let (word, mask) = spot(hash);
                if self.bits.get(word).is_none_or(|bits| bits & mask == 0) {
                    continue;
                }
                let stretch = text.text.get(start..end).unwrap_or_default();
                if let Some(needle) = self.texts.lookup(hash, stretch) {
                    found(Place { needle, first, last });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_keeps_its_number() {
        let mut interner = Interner::default();
        let numbers: Vec<_> = ["a", "", "ab", "a", ""]
            .iter()
            .map(|text| interner.intern(text))
            .collect();
        assert_eq!(numbers, [(0, true), (1, true), (2, true), (0, false), (1, false)]);
        assert_eq!([0, 1, 2, 3].map(|number| interner.get(number)), ["a", "", "ab", ""]);
    }

    proptest! {
        #[test]
        fn every_stretch_of_words_that_is_a_phrase_is_found(
            phrases in prop::collection::vec("(kv|cache|a|量化|c){1,20}", 0..20), text in "((kv|caches|a|量化|c)[ ,]?){0,40}",
        ) {
            let mut needles = Needles::default();
            let numbers: Vec<u32> = phrases.iter().map(|phrase| needles.insert(phrase).0).collect();
            let mut canonical = Canonical::new();
            canonical.push(&text);
            let mut found = Vec::new();
            needles.find(&canonical, |place| found.push((place.needle, place.first, place.last)));
            let mut expected = Vec::new();
            for (first, &start) in canonical.starts.iter().enumerate() {
                for (last, &(end, _)) in canonical.ends.iter().enumerate().skip(first) {
                    let stretch = canonical.text.get(start..end);
                    let at = phrases.iter().position(|phrase| Some(&**phrase) == stretch);
                    expected.extend(at.map(|at| (numbers[at], first, last)));
                }
            }
            prop_assert_eq!(found, expected);
        }
    }
}
