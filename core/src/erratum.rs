//! What became of a paper after a digest that shows it was posted: repaired, replaced by a new version, withdrawn. The
//! digest itself is immutable; its errata stand beside it, and are shown at its entries.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::digest::{DigestId, Entry};
use crate::locale::Lang;
use crate::message::{Amendment, ellipsis};
use crate::paper::{Paper, PaperId};
use crate::source::Announcement;
use crate::vote::Tally;

/// The mark at an entry whose paper was repaired or has a new version.
pub const MARK_CORRECTED: char = '✎';
/// The mark at an entry whose paper was withdrawn.
pub const MARK_WITHDRAWN: char = '⊘';
/// The most characters of a new title, and of new institutions, in an erratum.
const VALUE_CHARS: usize = 160;

/// All errata of a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errata {
    /// Whose. Key of the record.
    pub digest: DigestId,
    /// How many corrections of it were made; the last one shows all errata.
    pub revision: u32,
    /// At most one of each kind for an entry, by number, then in the order in which they came.
    pub errata: Vec<Erratum>,
    /// The votes that the last correction shows, by number; none of an entry on which nobody voted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counts: Vec<Count>,
    /// Before this, nothing is edited for the sake of counts alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest_until: Option<DateTime<Utc>>,
}

/// The votes on an entry's paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Of which entry.
    pub number: u32,
    /// How many.
    #[serde(flatten)]
    pub tally: Tally,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erratum {
    /// Of which entry.
    pub number: u32,
    /// Which paper that is, under its present name.
    pub paper: PaperId,
    /// When it was known here.
    pub at: DateTime<Utc>,
    /// What happened.
    #[serde(flatten)]
    pub kind: Kind,
}

/// What happened to a paper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Kind {
    /// What the entry shows was wrong.
    Repaired(Repair),
    /// There is a newer version than the one that was announced.
    NewVersion {
        /// Its number, where a source says it: arXiv's mailings do not.
        version: Option<u16>,
        /// When it was submitted.
        revised: Option<DateTime<Utc>>,
    },
    /// Its authors or arXiv took it back.
    Withdrawn,
}

/// What is right where the entry is wrong; `None` where it is right.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    /// The title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The institutions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub institutions: Option<Vec<String>>,
    /// The number of authors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author_count: Option<u32>,
}

impl Repair {
    /// What of an entry is not as the paper has it now.
    fn of(entry: &Entry, paper: &Paper) -> Self {
        let (title, institutions) = (paper.title(), paper.institutions());
        Self {
            title: (entry.title != title).then(|| title.to_owned()),
            institutions: (entry.institutions != institutions).then(|| institutions.to_vec()),
            author_count: paper.author_count().filter(|count| entry.author_count != Some(*count)),
        }
    }

    /// In words: with the right values, or only what was wrong.
    fn said(&self, lang: Lang, values: bool) -> String {
        let value = |label: &str, value: &str| {
            if values {
                format!("{label}{}{}", lang.pick("", " "), ellipsis(value, VALUE_CHARS))
            } else {
                label.to_owned()
            }
        };
        let title = self.title.as_ref().map(|title| {
            let title = ellipsis(title, VALUE_CHARS);
            value(lang.erratum_title(), &format!("“{title}”"))
        });
        let institutions = self.institutions.as_ref();
        let institutions = institutions.map(|all| value(lang.erratum_institutions(), &all.join(lang.comma())));
        let authors = self.author_count.map(|count| match values {
            true => lang.author_count(count),
            false => lang.erratum_authors().to_owned(),
        });
        let said: Vec<String> = [title, institutions, authors].into_iter().flatten().collect();
        said.join(lang.pick("；", "; "))
    }
}

/// How much an erratum says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// What is right now.
    Values,
    /// What was wrong.
    Names,
    /// Only the mark.
    Mark,
}

impl Detail {
    /// From the most to the least.
    pub const ALL: [Self; 3] = [Self::Values, Self::Names, Self::Mark];
}

impl Errata {
    /// None yet.
    pub fn new(digest: DigestId) -> Self {
        Self {
            digest,
            revision: 0,
            errata: Vec::new(),
            counts: Vec::new(),
            rest_until: None,
        }
    }

    /// Notes what an account of a paper has changed at this entry. Returns whether there is anything to show that was not
    /// shown before.
    pub fn note(
        &mut self,
        entry: &Entry,
        before: &Paper,
        after: &Paper,
        announced: Announcement,
        now: DateTime<Utc>,
    ) -> bool {
        let replaced = announced == Announcement::Replacement && after.revised > before.revised;
        let taken_back = announced == Announcement::Withdrawal || (is_withdrawn(after) && !is_withdrawn(before));
        let mut news = false;
        let mut put = |errata: &mut Self, kind| {
            news |= errata.put(Erratum {
                number: entry.number,
                paper: after.id.clone(),
                at: now,
                kind,
            });
        };
        if taken_back {
            put(self, Kind::Withdrawn);
        } else if replaced || after.version > before.version {
            let version = (after.version > before.version).then_some(after.version);
            let revised = after.revised;
            put(self, Kind::NewVersion { version, revised });
        }
        let shown = |paper: &Paper| {
            (
                paper.title().to_owned(),
                paper.institutions().to_vec(),
                paper.author_count(),
            )
        };
        if shown(before) != shown(after) {
            put(self, Kind::Repaired(Repair::of(entry, after)));
        }
        news
    }

    /// Puts an erratum in the place of the entry's earlier one of its kind. A repair that leaves nothing wrong goes.
    fn put(&mut self, new: Erratum) -> bool {
        let same = |old: &Erratum| {
            old.number == new.number && std::mem::discriminant(&old.kind) == std::mem::discriminant(&new.kind)
        };
        let old = self.errata.iter().find(|old| same(old)).map(|old| &old.kind);
        let void = new.kind == Kind::Repaired(Repair::default());
        if old == Some(&new.kind) || (old.is_none() && void) {
            return false;
        }
        self.errata.retain(|old| !same(old));
        // A paper that comes back in a new version is no longer withdrawn.
        if matches!(new.kind, Kind::NewVersion { .. }) {
            self.errata
                .retain(|old| old.number != new.number || old.kind != Kind::Withdrawn);
        }
        if !void {
            self.errata.push(new);
            self.errata.sort_by_key(|erratum| erratum.number);
        }
        true
    }

    /// The mark and the line of each entry that has errata.
    pub fn amendments(&self, lang: Lang, zone: Tz, detail: Detail) -> Vec<Amendment> {
        let groups = self.errata.chunk_by(|a, b| a.number == b.number);
        groups
            .filter_map(|of_entry| amendment(of_entry, lang, zone, detail))
            .collect()
    }

    /// What stands at the entries of a posted digest: errata, and votes where they are wanted and there are any. Votes stand
    /// before what else is said.
    pub fn additions(&self, lang: Lang, zone: Tz, detail: Detail, counts: bool) -> Vec<Amendment> {
        let mut all = self.amendments(lang, zone, detail);
        for count in self.counts.iter().filter(|_| counts) {
            let said = count.tally.to_string();
            match all.iter_mut().find(|amendment| amendment.number == count.number) {
                Some(amendment) => {
                    amendment.line = Some(match amendment.line.take() {
                        Some(line) => format!("{said} · {line}"),
                        None => said,
                    });
                }
                None => all.push(Amendment {
                    number: count.number,
                    mark: None,
                    line: Some(said),
                }),
            }
        }
        all.sort_by_key(|amendment| amendment.number);
        all
    }

    /// The mark and the line of one entry, if it has errata.
    pub fn amendment(&self, number: u32, lang: Lang, zone: Tz) -> Option<Amendment> {
        let all = self.amendments(lang, zone, Detail::Values);
        all.into_iter().find(|amendment| amendment.number == number)
    }
}

fn amendment(of_entry: &[Erratum], lang: Lang, zone: Tz, detail: Detail) -> Option<Amendment> {
    let number = of_entry.first()?.number;
    let withdrawn = of_entry.iter().find(|erratum| erratum.kind == Kind::Withdrawn);
    let mark = match withdrawn {
        Some(_) => MARK_WITHDRAWN,
        None => MARK_CORRECTED,
    };
    let mark = Some(mark);
    let day = |at: DateTime<Utc>| lang.short_date(at.with_timezone(&zone).date_naive());
    let sentence = |erratum: &Erratum| match &erratum.kind {
        Kind::Repaired(repair) => lang.erratum_repaired(&day(erratum.at), &repair.said(lang, detail == Detail::Values)),
        Kind::NewVersion { version, revised } => {
            lang.erratum_new_version(*version, &day(revised.unwrap_or(erratum.at)))
        }
        Kind::Withdrawn => lang.erratum_withdrawn(&day(erratum.at)),
    };
    let line = match (detail, withdrawn) {
        (Detail::Mark, _) => None,
        // Whatever else was wrong with it does not matter any more.
        (Detail::Values | Detail::Names, Some(withdrawn)) => Some(sentence(withdrawn)),
        (Detail::Values | Detail::Names, None) => {
            let said: Vec<String> = of_entry.iter().map(sentence).collect();
            Some(said.join(lang.pick("", " ")))
        }
    };
    Some(Amendment { number, mark, line })
}

/// Whether title or comments say that the paper was withdrawn. “Withdrawn from” a conference is another matter.
pub fn is_withdrawn(paper: &Paper) -> bool {
    const SAYINGS: [&str; 14] = [
        "been withdrawn",
        "being withdrawn",
        "is withdrawn",
        "was withdrawn",
        "withdrawn by",
        "withdrawn due to",
        "withdraw the ",
        "withdraw this ",
        "withdraw our ",
        "withdrawing the ",
        "withdrawing this ",
        "withdrawal of ",
        "for withdrawal",
        "been retracted",
    ];
    let comments = paper.comments.as_ref().map_or("", |comments| &comments.value);
    [paper.title(), comments].into_iter().any(|text| {
        let text = text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
        let own = text
            .replace("withdrawn from arxiv", "withdrawn by")
            .replace("withdrawn from", "");
        own == "withdrawn"
            || own.starts_with("withdrawn ")
            || own.starts_with("withdrawn.")
            || own.starts_with("[withdrawn]")
            || SAYINGS.iter().any(|saying| own.contains(saying))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::DigestId;
    use crate::paper::Field;
    use crate::source::SourceKind;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn now() -> DateTime<Utc> {
        at("2025-10-12T20:00:00Z")
    }

    fn field<T>(value: T) -> Option<Field<T>> {
        Some(Field::new(value, SourceKind::ArxivMail))
    }

    fn paper() -> Paper {
        Paper {
            title: field("On pruning".to_owned()),
            authors: field(vec!["A".to_owned()]),
            ..Paper::new(PaperId::Arxiv("2510.00001".to_owned()))
        }
    }

    fn entry() -> Entry {
        Entry {
            number: 4,
            paper: paper().id,
            title: "On pruning".to_owned(),
            briefs: Vec::new(),
            institutions: Vec::new(),
            author_count: Some(1),
            points: 9,
            topics: Vec::new(),
            hits: Vec::new(),
        }
    }

    fn none() -> Errata {
        Errata::new("9f86d081884c7d65@20251010T090000Z".parse::<DigestId>().unwrap())
    }

    fn lines(errata: &Errata, detail: Detail) -> [Option<String>; 2] {
        [Lang::Zh, Lang::En].map(|lang| {
            let all = errata.amendments(lang, chrono_tz::Asia::Shanghai, detail);
            all.into_iter().next().and_then(|first| first.line)
        })
    }

    fn said(errata: &Errata) -> [String; 2] {
        lines(errata, Detail::Values).map(Option::unwrap_or_default)
    }

    #[test]
    fn an_erratum_says_what_is_right_now_in_the_readers_language_and_day() {
        let repaired = Paper {
            title: field("On gentle pruning".to_owned()),
            institutions: field(vec!["MIT".to_owned(), "ETH".to_owned()]),
            authors: field(vec!["A".to_owned(), "B".to_owned()]),
            ..paper()
        };
        let mut errata = none();
        assert!(errata.note(&entry(), &paper(), &repaired, Announcement::New, now()));
        // It is the next day in Shanghai.
        assert_eq!(
            said(&errata),
            [
                "更正（10月13日）：标题“On gentle pruning”；机构MIT、ETH；2 位作者。",
                "Correction, 13 Oct: title “On gentle pruning”; institutions MIT, ETH; 2 authors."
            ]
        );
        let names = lines(&errata, Detail::Names).map(Option::unwrap_or_default);
        assert_eq!(
            names,
            [
                "更正（10月13日）：标题；机构；作者人数。",
                "Correction, 13 Oct: title; institutions; number of authors."
            ]
        );
        assert_eq!(lines(&errata, Detail::Mark), [None, None]);
        // Back to what was posted.
        assert!(errata.note(&entry(), &repaired, &paper(), Announcement::New, now()));
        assert_eq!(errata.errata, []);
    }

    #[test]
    fn a_new_version_is_named_by_its_day_and_by_its_number_where_that_is_known() {
        let revised = Paper {
            revised: Some(at("2025-10-11T02:00:00Z")),
            ..paper()
        };
        let mut errata = none();
        assert!(!errata.note(&entry(), &paper(), &revised, Announcement::CrossList, now()));
        assert!(errata.note(&entry(), &paper(), &revised, Announcement::Replacement, now()));
        assert_eq!(said(&errata), ["已有新版本（10月11日）。", "New version of 11 Oct."]);
        assert!(!errata.note(&entry(), &paper(), &revised, Announcement::Replacement, now()));
        let third = Paper { version: 3, ..revised };
        assert!(errata.note(&entry(), &paper(), &third, Announcement::CrossList, now()));
        assert_eq!(
            said(&errata),
            ["已有新版本 v3（10月11日）。", "New version v3 of 11 Oct."]
        );
    }

    #[test]
    fn a_withdrawal_outweighs_everything_until_a_new_version_comes() {
        let withdrawn = Paper {
            title: field("On prunning".to_owned()),
            ..paper()
        };
        let mut errata = none();
        assert!(errata.note(&entry(), &paper(), &withdrawn, Announcement::Withdrawal, now()));
        assert_eq!(said(&errata), ["已撤稿（10月13日）。", "Withdrawn, 13 Oct."]);
        let marks = |errata: &Errata| errata.amendment(4, Lang::En, chrono_tz::UTC).and_then(|a| a.mark);
        assert_eq!(
            (marks(&errata), errata.amendment(5, Lang::En, chrono_tz::UTC)),
            (Some('⊘'), None)
        );
        assert!(!errata.note(&entry(), &withdrawn, &withdrawn, Announcement::Withdrawal, now()));
        let back = Paper {
            revised: Some(now()),
            ..withdrawn.clone()
        };
        assert!(errata.note(&entry(), &withdrawn, &back, Announcement::Replacement, now()));
        assert_eq!(marks(&errata), Some('✎'));
    }

    #[test]
    fn authors_say_in_many_ways_that_they_take_a_paper_back() {
        let commented = |comments: &str| Paper {
            comments: field(comments.to_owned()),
            ..paper()
        };
        for comments in [
            "Withdrawn due to an error in the author list",
            "This paper has been withdrawn by the authors due to a significant bug",
            "This paper is being withdrawn as the work is incomplete",
            "incomplete content, we request withdrawal of the current version",
            "I need to withdraw the paper as there is something wrong",
            "We are withdrawing the\n paper to allow for corrections",
            "it is no longer suitable, so I am applying for withdrawal",
            "This submission has been withdrawn from arXiv",
        ] {
            assert!(is_withdrawn(&commented(comments)), "{comments}");
        }
        for comments in [
            "Accepted to a workshop at ICAPS 2025 (withdrawn before the camera-ready)",
            "Withdrawn from ICLR 2025, now accepted at ICML",
            "12 pages; cash withdrawal networks",
        ] {
            assert!(!is_withdrawn(&commented(comments)), "{comments}");
        }
    }
}
