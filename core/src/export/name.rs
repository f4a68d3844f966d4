//! An author's name as reference managers want it: family and given name apart. Sources give it on one line, in the order
//! of its language.

use crate::brief::is_han;
use crate::text::one_line;

/// A name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// Of a person whose family name is known.
    Parts {
        /// With its particles: `van der Berg`.
        family: String,
        /// What is left.
        given: String,
        /// `Jr.`, `III`.
        suffix: Option<String>,
    },
    /// Of a group, or one that cannot be taken apart.
    Whole(String),
}

/// Chinese family names of two characters; all others have one.
#[rustfmt::skip]
const COMPOUND: [&str; 42] = [
    "欧阳", "歐陽", "司马", "司馬", "上官", "诸葛", "諸葛", "夏侯", "皇甫", "尉迟", "尉遲", "公孙", "公孫", "慕容",
    "长孙", "長孫", "令狐", "司徒", "东方", "東方", "独孤", "獨孤", "南宫", "南宮", "宇文", "轩辕", "軒轅", "端木",
    "申屠", "呼延", "澹台", "澹臺", "闻人", "聞人", "钟离", "鍾離", "公冶", "太史", "东郭", "南荣", "西门", "西門",
];

/// Words in lower case that belong to the family name behind them.
#[rustfmt::skip]
const PARTICLES: [&str; 24] = [
    "van", "von", "der", "den", "de", "del", "della", "di", "da", "dos", "das", "do", "du", "la", "le", "ter", "ten", "zu",
    "zur", "bin", "ibn", "al", "el", "af",
];

const SUFFIXES: [&str; 8] = ["jr", "jr.", "sr", "sr.", "ii", "iii", "iv", "v"];

/// What a group's name ends with.
const GROUPS: [&str; 9] = [
    "collaboration",
    "team",
    "group",
    "consortium",
    "project",
    "lab",
    "labs",
    "initiative",
    "community",
];

impl Name {
    /// Takes a name apart. Chinese and Korean names begin with the family name, others end with it; a comma stands behind
    /// the family name in either case. A single word, a group, and a name in kana stay whole.
    pub fn read(name: &str) -> Self {
        let name = one_line(&name.replace(char::is_control, " "));
        if name.contains(',') {
            return Self::inverted(&name);
        }
        let words: Vec<&str> = name.split(' ').collect();
        if !name.is_empty() && name.chars().all(|c| is_han(c) || is_hangul(c) || c == ' ') {
            return Self::eastern(&name, &words);
        }
        let Some((last, before)) = words.split_last().filter(|(_, before)| !before.is_empty()) else {
            return Self::Whole(name);
        };
        let lower = last.to_lowercase();
        if GROUPS.contains(&lower.as_str()) || words.first().is_some_and(|first| first.eq_ignore_ascii_case("the")) {
            return Self::Whole(name);
        }
        let (words, suffix) = match before {
            [_, _, ..] if SUFFIXES.contains(&lower.as_str()) => (before, Some((*last).to_owned())),
            _ => (words.as_slice(), None),
        };
        // The first word is a given name, whatever it looks like.
        let family = words.len() - 1;
        let particles = words
            .iter()
            .take(family)
            .skip(1)
            .rev()
            .take_while(|word| PARTICLES.contains(word))
            .count();
        let (given, family) = words.split_at(family - particles);
        Self::Parts {
            family: family.join(" "),
            given: given.join(" "),
            suffix,
        }
    }

    /// `Family, Given` or `Family, Given, Jr.`
    fn inverted(name: &str) -> Self {
        let mut parts = name.splitn(3, ',').map(str::trim);
        let mut part = || parts.next().unwrap_or_default().to_owned();
        let (family, given, suffix) = (part(), part(), part());
        if family.is_empty() || given.is_empty() {
            return Self::Whole(name.to_owned());
        }
        // BibTeX has the suffix in the middle, and so do people.
        let (given, suffix) = match SUFFIXES.contains(&given.to_lowercase().as_str()) && !suffix.is_empty() {
            true => (suffix, given),
            false => (given, suffix),
        };
        Self::Parts {
            family,
            given,
            suffix: (!suffix.is_empty()).then_some(suffix),
        }
    }

    fn eastern(name: &str, words: &[&str]) -> Self {
        let (family, given) = match words {
            [_] => {
                let count = name.chars().count();
                let compound = COMPOUND.iter().any(|family| name.starts_with(family));
                let length = match count {
                    // Four characters without such a name are a Japanese name, as a rule two and two.
                    4 => 2,
                    3 if compound => 2,
                    2 | 3 => 1,
                    _ => return Self::Whole(name.to_owned()),
                };
                let given: String = name.chars().skip(length).collect();
                (name.chars().take(length).collect::<String>(), given)
            }
            [family, given @ ..] => ((*family).to_owned(), given.concat()),
            [] => return Self::Whole(name.to_owned()),
        };
        Self::Parts {
            family,
            given,
            suffix: None,
        }
    }

    /// `Family, Given, Suffix`, as RIS has it; a whole name as it is, without commas, which would take it apart.
    pub fn sorted(&self) -> String {
        match self {
            Self::Whole(name) => one_line(&name.replace(',', " ")),
            Self::Parts { family, given, suffix } => {
                let suffix = suffix.as_ref().map(|suffix| format!(", {suffix}"));
                format!("{family}, {given}{}", suffix.unwrap_or_default())
            }
        }
    }
}

fn is_hangul(c: char) -> bool {
    matches!(c, '\u{ac00}'..='\u{d7a3}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_taken_apart_in_the_order_of_its_language() {
        for (name, sorted) in [
            ("Ana Estévez", "Estévez, Ana"),
            ("J. R. R. Tolkien", "Tolkien, J. R. R."),
            ("Laurens van der Maaten", "van der Maaten, Laurens"),
            ("Van Jacobson", "Jacobson, Van"),
            ("Robert Downey Jr.", "Downey, Robert, Jr."),
            ("King III", "III, King"),
            ("Li, Bo", "Li, Bo"),
            ("Li, Jr., Bo", "Li, Bo, Jr."),
            ("王明", "王, 明"),
            ("王小明", "王, 小明"),
            ("欧阳修", "欧阳, 修"),
            ("欧阳娜娜", "欧阳, 娜娜"),
            ("王 小明", "王, 小明"),
            ("山田太郎", "山田, 太郎"),
            ("김민수", "김, 민수"),
            ("さくら ももこ", "ももこ, さくら"),
        ] {
            let read = Name::read(name);
            assert!(matches!(read, Name::Parts { .. }), "{name}");
            assert_eq!(read.sorted(), sorted);
        }
        for whole in [
            "DeepSeek-AI",
            "The ATLAS Collaboration",
            "Qwen Team",
            "王",
            "",
            "阿里巴巴通义实验室",
            "Aristotle,",
        ] {
            assert_eq!(Name::read(whole), Name::Whole(whole.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn no_letter_of_a_name_is_lost(name in r"(\PC|[ ,王小明김]){0,24}") {
            let letters = |text: &str| {
                let mut letters: Vec<char> = text.chars().filter(|c| !c.is_whitespace() && *c != ',').collect();
                letters.sort_unstable();
                letters
            };
            prop_assert_eq!(letters(&Name::read(&name).sorted()), letters(&name));
        }
    }
}
