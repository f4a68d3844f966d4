//! Which names mean the same institution: a team that follows 北京大学 wants what an affiliation calls “School of EECS, PKU”
//! too. A table knows the names of some two hundred places; any other name is found by its words.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::needles::Needles;
use crate::text::{fold, key};
use crate::topic::terms::{Canonical, Pattern};

/// An institution of the table: its place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(u16);

struct Table {
    places: Vec<Known>,
    /// By [`spelt`] name.
    names: HashMap<String, Place>,
    needles: Needles,
    /// For each of the needles its name.
    found: Vec<Found>,
}

struct Known {
    /// All by which it is found; the first one is what people read.
    names: Vec<&'static str>,
    part_of: Option<Place>,
}

struct Found {
    place: Place,
    /// How it is spelt: no plural of an abbreviation is meant.
    spelt: Vec<String>,
    /// “Nanjing University” is not meant in “Nanjing University of Posts and Telecommunications”.
    not_before_of: bool,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(include_str!("places.txt")));

/// What two ways to type a name have in common.
fn spelt(name: &str) -> String {
    let folded = fold(name);
    let words = folded.split_whitespace().map(|word| match word {
        "univ" | "univ." => "university",
        word => word,
    });
    key(&words.collect::<String>())
}

impl Table {
    fn read(text: &'static str) -> Self {
        let mut table = Self {
            places: Vec::new(),
            names: HashMap::new(),
            needles: Needles::default(),
            found: Vec::new(),
        };
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (line, whole) = line
                .split_once('<')
                .map_or((line, ""), |(line, whole)| (line, whole.trim()));
            let (names, typed) = line.split_once('|').unwrap_or((line, ""));
            let split = |names: &'static str| names.split(';').map(str::trim).filter(|name| !name.is_empty());
            let place = Place(u16::try_from(table.places.len()).unwrap_or(u16::MAX));
            table.places.push(Known {
                names: split(names).collect(),
                part_of: table.names.get(&spelt(whole)).copied(),
            });
            for name in split(names) {
                table.find_by(name, place);
            }
            for name in split(names).chain(split(typed)) {
                table.names.entry(spelt(name)).or_insert(place);
            }
        }
        table
    }

    fn find_by(&mut self, name: &str, place: Place) {
        let Some((pattern, spelt)) = Pattern::exact(name) else {
            return;
        };
        let (needle, new) = self.needles.insert(&pattern.text);
        if new {
            self.found.push(Found {
                place,
                spelt: Vec::new(),
                not_before_of: fold(name).ends_with("university"),
            });
        }
        if let Some(found) = self.found.get_mut(needle as usize) {
            found.spelt.push(spelt);
        }
    }
}

impl Place {
    /// The place that a person means by `name`.
    pub fn named(name: &str) -> Option<Self> {
        TABLE.names.get(&spelt(name)).copied()
    }

    /// What it is called in English.
    pub fn name(self) -> &'static str {
        self.known().and_then(|known| known.names.first()).unwrap_or(&"")
    }

    /// Under which names it stands in affiliations, those of its parts among them.
    pub fn names(self) -> Vec<&'static str> {
        let parts = TABLE.places.iter().filter(|known| known.part_of == Some(self));
        let all = self.known().into_iter().chain(parts);
        all.flat_map(|known| &known.names).copied().collect()
    }

    /// The one name in the table that begins so at the end of a word, if one does: of a name that was cut off.
    pub(crate) fn completing(cut: &str) -> Option<&'static str> {
        let begins = format!("{} ", fold(cut.trim()));
        let names = TABLE.places.iter().flat_map(|known| &known.names);
        let mut found = names.filter(|name| fold(name).starts_with(&begins));
        let first = found.next()?;
        found.next().is_none().then_some(*first)
    }

    fn known(self) -> Option<&'static Known> {
        TABLE.places.get(usize::from(self.0))
    }

    fn part_of(self) -> Option<Self> {
        self.known()?.part_of
    }

    /// Whether it is a part of `whole`: of the Chinese Academy of Sciences its Institute of Automation.
    pub fn is_part_of(self, whole: Self) -> bool {
        self.part_of() == Some(whole)
    }

    /// The places that an affiliation names, with those that they are part of, sorted.
    pub fn all_in(affiliation: &str) -> Vec<Self> {
        let mut text = Canonical::with_spelling();
        // A footnote's number is no part of the word that it stands at.
        text.push(&affiliation.replace(['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'], " "));
        let mut hits = Vec::new();
        TABLE.needles.find(&text, |at| {
            let Some(found) = TABLE.found.get(at.needle as usize) else {
                return;
            };
            let after = text.spelt(at.last, at.last + 1).unwrap_or_default();
            let of = found.not_before_of && after.ends_with("universityof");
            let spelt = text.spelt(at.first, at.last);
            if !of && found.spelt.iter().any(|known| Some(&**known) == spelt) {
                hits.push((at.first, at.last, found.place));
            }
        });
        // A name inside a longer one is part of that.
        let outer = |&(first, last, _): &(usize, usize, Self)| {
            let inside =
                |other: &(usize, usize, Self)| other.0 <= first && last <= other.1 && last - first < other.1 - other.0;
            !hits.iter().any(inside)
        };
        let mut places: Vec<Self> = hits.iter().filter(|hit| outer(hit)).map(|&(.., place)| place).collect();
        places.extend(Self::named(affiliation));
        let wholes: Vec<Self> = places.iter().filter_map(|place| place.part_of()).collect();
        places.extend(wholes);
        places.sort_unstable();
        places.dedup();
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(affiliation: &str) -> Vec<&'static str> {
        Place::all_in(affiliation).into_iter().map(Place::name).collect()
    }

    #[test]
    fn a_place_has_its_names_in_both_languages_and_those_of_its_parts() {
        let names = |name: &str| Place::named(name).unwrap().names();
        assert_eq!(names("pku"), ["Peking University", "北京大学", "PKU", "Beida"]);
        let academy = names("中科院");
        assert!(academy.starts_with(&["Chinese Academy of Sciences", "中国科学院"]));
        assert!(academy.contains(&"UCAS") && !names("UCAS").contains(&"CAS"));
    }

    #[test]
    fn all_names_of_a_place_mean_it_and_no_name_means_two() {
        let mut seen: HashMap<String, &str> = HashMap::new();
        let mut shapes: HashMap<String, &str> = HashMap::new();
        let lines = include_str!("places.txt")
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        for line in lines {
            let (names, whole) = line.split_once('<').unwrap_or((line, ""));
            assert!(
                whole.is_empty() || Place::named(whole).is_some_and(|whole| whole.name() != ""),
                "{line}"
            );
            let first = names.split([';', '|']).next().unwrap().trim();
            let typed = names.split_once('|').map_or(0, |(found, _)| found.split(';').count());
            for (at, name) in names
                .split([';', '|'])
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .enumerate()
            {
                assert_eq!(Place::named(name).map(Place::name), Some(first), "{name}");
                let once = seen.insert(spelt(name), first).is_none_or(|other| other == first);
                assert!(once, "{name} stands for two places");
                if at < typed || typed == 0 {
                    let shape = Pattern::new(name).unwrap().text;
                    let same = shapes.insert(shape, first).is_none_or(|other| other == first);
                    assert!(same, "{name} is found as another place");
                    assert!(
                        super::tests::names(&format!("Lab of it, {name}, Earth")).contains(&first),
                        "{name}"
                    );
                }
            }
        }
        assert!(TABLE.places.len() > 120);
    }

    #[test]
    fn a_place_is_found_in_an_affiliation_under_any_name() {
        for (affiliation, expected) in [
            ("School of EECS, PKU", &["Peking University"][..]),
            ("北京大学计算机学院", &["Peking University"]),
            ("北大", &["Peking University"]),
            ("Tsinghua Univ. (清华大学), Beijing", &["Tsinghua University"]),
            (
                "MIT-IBM Watson AI Lab",
                &["Massachusetts Institute of Technology", "IBM"],
            ),
            ("Institute of Physics, CAS", &["Chinese Academy of Sciences"]),
            (
                "University of Chinese Academy of Sciences",
                &[
                    "Chinese Academy of Sciences",
                    "University of Chinese Academy of Sciences",
                ],
            ),
            ("Google DeepMind, London", &["Google", "Google DeepMind"]),
            (
                "¹University of California, Berkeley",
                &["University of California, Berkeley"],
            ),
            ("Xi’an Jiaotong University", &["Xi'an Jiaotong University"]),
            ("ETH Zürich", &["ETH Zurich"]),
            ("Huawei Noah's Ark Lab Shenzhen", &["Huawei"]),
        ] {
            assert_eq!(names(affiliation), expected, "{affiliation}");
        }
    }

    #[test]
    fn a_place_is_not_found_in_another_one() {
        for affiliation in [
            "东北大学",
            "湖南大学岳麓书院南大门",
            "RMIT University",
            "Casablanca University",
            "Nanjing University of Finance",
            "Xiamen University of Technology",
            "Metallurgy Institute",
            "Washington University in St. Louis",
            "",
        ] {
            let wrong = [
                "Peking University",
                "Nanjing University",
                "Massachusetts Institute of Technology",
            ];
            let wrong = [
                &wrong[..],
                &[
                    "Xiamen University",
                    "Meta",
                    "University of Washington",
                    "Chinese Academy of Sciences",
                ],
            ]
            .concat();
            assert!(
                !names(affiliation).iter().any(|name| wrong.contains(name)),
                "{affiliation}"
            );
        }
        assert_eq!(
            names("Hong Kong University of Science and Technology"),
            ["Hong Kong University of Science and Technology"]
        );
        assert_eq!(Place::named("Institute of Nowhere"), None);
    }
}
