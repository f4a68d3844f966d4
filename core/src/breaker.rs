//! Decides whether a digest may be posted by itself. What went wrong with a digest shows in its numbers before anybody reads
//! it: 24 papers without a word in them, no match on a day of 300 papers, five times the usual. Such a digest waits for
//! a person, since what is posted once has been read.
//!
//! It is judged by what the same subjects brought before, relative to how many papers came, so that a quiet week-end and a
//! digest that makes up for three days are what they are. It holds only what its history makes very unlikely: an alarm
//! that is wrong once a month is soon pressed away unread.

use chrono::Weekday;
use serde::{Deserialize, Serialize};

use crate::locale::Lang;
use crate::topic::{Topic, TopicId};

mod words;

/// What a digest is judged by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Papers that came.
    pub considered: u32,
    /// How many of them matched.
    pub matched: u32,
    /// How many of those the digest shows.
    pub entries: u32,
    /// Entries of which there is neither abstract nor brief.
    pub blank: u32,
    /// Entries for which somebody wrote a brief that did not pass the gate ([`crate::brief::gate`]).
    pub refused: u32,
    /// Items without title and abstract, of files that had hardly anything else: they became no papers.
    pub lost: u32,
    /// Windows of sources that were read.
    pub windows: u32,
    /// Hours that those windows cover together, from the beginning of the first to the end of the last.
    pub hours: u32,
    /// The day of the occurrence, in UTC.
    pub weekday: Weekday,
    /// How many entries each followed topic brought.
    pub topics: Vec<(TopicId, u32)>,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            considered: 0,
            matched: 0,
            entries: 0,
            blank: 0,
            refused: 0,
            lost: 0,
            windows: 0,
            hours: 0,
            weekday: Weekday::Mon,
            topics: Vec::new(),
        }
    }
}

/// Why a digest is held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Reason {
    /// Most of its papers have neither abstract nor brief.
    Blank {
        /// How many of them.
        blank: u32,
        /// Of how many.
        of: u32,
    },
    /// Far less matched than usual.
    Few {
        /// How many did.
        matched: u32,
        /// Of how many that came.
        considered: u32,
        /// How many would be usual of as many, in tenths.
        usual_tenths: u32,
        /// Under which topic alone, if not over all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        topic: Option<TopicId>,
    },
    /// Far more matched than usual.
    Many {
        /// How many did.
        matched: u32,
        /// Of how many that came.
        considered: u32,
        /// How many would be usual of as many, in tenths.
        usual_tenths: u32,
        /// Under which topic alone, if not over all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        topic: Option<TopicId>,
    },
    /// Too much to be posted unseen while nobody knows what is usual.
    Flood {
        /// How many papers.
        entries: u32,
        /// How many are posted unseen at most.
        most: u32,
    },
}

impl Facts {
    /// Whether most of what it shows has neither abstract nor brief.
    pub fn is_blank(&self) -> bool {
        most(self.blank, self.entries)
    }
}

fn most(part: u32, of: u32) -> bool {
    part >= LEAST_BLANK && u64::from(part) * 2 > u64::from(of)
}

/// What is done with a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is posted.
    Post,
    /// It waits for a person.
    Hold(Reason),
}

/// Fewer past digests say nothing about what is usual.
pub const LEAST_HISTORY: usize = 5;
/// As many past digests are looked at, at most: three months of working days, in which a topic changes slowly.
pub const MOST_HISTORY: usize = 60;

/// After so many digests of the same subjects that were held for their empty papers and that a person posted, one after the
/// other, another is not held for that: who is asked daily presses unread.
pub const ENOUGH_SAID: u32 = 3;

/// So many papers without a word in them are no accident of one paper.
const LEAST_BLANK: u32 = 5;
/// As many papers are posted without a history at most: nearly a whole mailing.
const MOST_UNSEEN: u32 = 300;
/// How many times the usual is too much, and which part of it too little.
const TIMES: f64 = 5.0;
/// Fewer matches than this are never too many: the rare ones of a narrow topic come in groups.
const LEAST_MANY: u32 = 10;
/// How unlikely a day must be: a tail of e⁻⁷, less than one in a thousand, so that a topic's false alarms are years apart.
const UNLIKELY: f64 = 7.0;
/// A past day counts as this many variances from the usual at most, so that one odd day that was posted all the same does
/// not make every other one likely.
const MOST_DEVIATION: f64 = 9.0;
/// The variance of a median is larger than that of a mean by this (π/2).
const OF_A_MEDIAN: f64 = std::f64::consts::FRAC_PI_2;
/// Below what a rounding error decides.
const EPSILON: f64 = 1e-6;

/// Judges a digest by the past ones of the same subjects; their order does not matter.
///
/// A digest that is held would become one of these only when a person posts it: what was dropped is no example of what is
/// usual.
///
/// With `titles_suffice` a person has said often enough ([`ENOUGH_SAID`]) that papers without a word in them are what these
/// subjects bring: a feed of nothing but titles, say. Items that became no papers are none of those.
pub fn judge(history: &[Facts], today: &Facts, titles_suffice: bool) -> Verdict {
    if today.is_blank() && !titles_suffice {
        return Verdict::Hold(Reason::Blank {
            blank: today.blank,
            of: today.entries,
        });
    }
    let came = today.considered.saturating_add(today.lost);
    if most(today.lost, came) {
        return Verdict::Hold(Reason::Blank {
            blank: today.lost,
            of: came,
        });
    }
    // A day on which nothing came is quiet: whether the source is well is another question.
    if today.considered == 0 {
        return Verdict::Post;
    }
    let past: Vec<&Facts> = history.iter().filter(|facts| facts.considered > 0).collect();
    if past.len() < LEAST_HISTORY {
        return match today.entries > MOST_UNSEEN {
            true => Verdict::Hold(Reason::Flood {
                entries: today.entries,
                most: MOST_UNSEEN,
            }),
            false => Verdict::Post,
        };
    }
    let all = past.iter().map(|facts| (facts.matched, facts.considered)).collect();
    if let Some(odd) = Usual::new(all).and_then(|usual| usual.odd(today.matched, today.considered)) {
        return Verdict::Hold(odd.reason(today.matched, today.considered, None));
    }
    // Of several topics one can fall silent unnoticed.
    if today.topics.len() > 1 {
        for (topic, matched) in &today.topics {
            let of = |facts: &Facts| facts.topics.iter().find(|(id, _)| id == topic).map(|(_, n)| *n);
            let past = past.iter().filter_map(|facts| Some((of(facts)?, facts.considered)));
            let usual = Usual::new(past.collect());
            if let Some(odd) = usual.and_then(|usual| usual.odd(*matched, today.considered)) {
                return Verdict::Hold(odd.reason(*matched, today.considered, Some(topic.clone())));
            }
        }
    }
    Verdict::Post
}

/// What past digests of the same subjects make likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Likely {
    /// How many past digests say so.
    pub digests: u32,
    /// How many of as many papers would usually match, in tenths.
    pub usual_tenths: u32,
}

/// What is likely of so many papers; `None` before there are [`LEAST_HISTORY`] digests.
pub fn likely(history: &[Facts], considered: u32) -> Option<Likely> {
    let past = history.iter().filter(|facts| facts.considered > 0);
    let past: Vec<(u32, u32)> = past.map(|facts| (facts.matched, facts.considered)).collect();
    let digests = u32::try_from(past.len()).unwrap_or(u32::MAX);
    let usual = Usual::new(past)?;
    let usual_tenths = tenths(usual.low * f64::from(considered));
    Some(Likely { digests, usual_tenths })
}

impl Likely {
    /// How many match usually: `0.3`, `7`, `120`.
    pub fn usual(&self) -> String {
        usual(self.usual_tenths)
    }
}

/// How a day is odd, and what would have been usual.
enum Odd {
    Few(f64),
    Many(f64),
}

impl Odd {
    fn reason(&self, matched: u32, considered: u32, topic: Option<TopicId>) -> Reason {
        match self {
            Self::Few(usual) => Reason::Few {
                matched,
                considered,
                usual_tenths: tenths(*usual),
                topic,
            },
            Self::Many(usual) => Reason::Many {
                matched,
                considered,
                usual_tenths: tenths(*usual),
                topic,
            },
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes the nearest number that there is, which is what is shown"
)]
fn tenths(expected: f64) -> u32 {
    (expected * 10.0).round() as u32
}

/// What part of the papers that come matches, as far as the past tells.
struct Usual {
    /// The lower and the higher of two estimates, the median and the mean of the days: each rule is tried with the one by
    /// which it holds less.
    low: f64,
    high: f64,
    /// How much more the days vary than by chance alone (Poisson: 1).
    dispersion: f64,
    /// Papers that came on all past days.
    considered: f64,
}

impl Usual {
    /// From (matched, considered) of past days, with at least [`LEAST_HISTORY`] of them.
    fn new(past: Vec<(u32, u32)>) -> Option<Self> {
        let past: Vec<(f64, f64)> = past.into_iter().map(|(m, n)| (f64::from(m), f64::from(n))).collect();
        if past.len() < LEAST_HISTORY {
            return None;
        }
        let mut rates: Vec<f64> = past.iter().map(|(matched, of)| matched / of).collect();
        rates.sort_by(f64::total_cmp);
        let at = |index: usize| rates.get(index).copied().unwrap_or(0.0);
        let median = (at((rates.len() - 1) / 2) + at(rates.len() / 2)) / 2.0;
        let considered: f64 = past.iter().map(|(_, of)| of).sum();
        let matched: f64 = past.iter().map(|(matched, _)| matched).sum();
        let mean = matched / considered;
        let deviation = |&(matched, of): &(f64, f64)| match mean * of {
            expected if expected > 0.0 => ((matched - expected).powi(2) / expected).min(MOST_DEVIATION),
            _ => 0.0,
        };
        let days = f64::from(u32::try_from(past.len()).unwrap_or(u32::MAX));
        let dispersion = past.iter().map(deviation).sum::<f64>() / days;
        Some(Self {
            low: median.min(mean),
            // One match more than there were: that there never was one does not mean that there cannot be.
            high: median.max((matched + 1.0) / considered),
            dispersion: dispersion.max(1.0),
            considered,
        })
    }

    /// Whether so many matches of so many papers are too unlikely.
    fn odd(&self, matched: u32, of: u32) -> Option<Odd> {
        let (matches, of) = (f64::from(matched), f64::from(of));
        let (low, high) = (self.low * of, self.high * of);
        if matches * TIMES <= low + EPSILON && self.is_unlikely(matches, low, of) {
            return Some(Odd::Few(low));
        }
        let many = matched >= LEAST_MANY && matches + EPSILON >= high * TIMES;
        (many && self.is_unlikely(matches, high, of)).then_some(Odd::Many(high))
    }

    /// Whether the tail beyond `matches` is smaller than e to the minus [`UNLIKELY`], by Chernoff's bound for a Poisson
    /// variable, widened by how much the days vary and by how well the mean is known from as many papers.
    fn is_unlikely(&self, matches: f64, expected: f64, of: f64) -> bool {
        let distance = match matches > 0.0 && expected > 0.0 {
            true => matches * (matches / expected).ln() - (matches - expected),
            false => (expected - matches).abs(),
        };
        let widened = self.dispersion * (1.0 + OF_A_MEDIAN * of / self.considered);
        distance / widened >= UNLIKELY
    }
}

impl Reason {
    /// The reason as a sentence; topics by their names where `topics` has them.
    pub fn says(&self, lang: Lang, topics: &[Topic]) -> String {
        let name = |topic: &Option<TopicId>| {
            topic.as_ref().map(|id| {
                let known = topics.iter().find(|topic| topic.id == *id);
                known.map_or_else(|| id.to_string(), |t| lang.pick(&t.name_zh, &t.name_en).clone())
            })
        };
        match self {
            Self::Blank { blank, of } => lang.held_blank(*blank, *of),
            Self::Few {
                matched,
                considered,
                usual_tenths,
                topic,
            } => lang.held_few(*matched, *considered, &usual(*usual_tenths), name(topic).as_deref()),
            Self::Many {
                matched,
                considered,
                usual_tenths,
                topic,
            } => lang.held_many(*matched, *considered, &usual(*usual_tenths), name(topic).as_deref()),
            Self::Flood { entries, most } => lang.held_flood(*entries, *most),
        }
    }
}

/// `0.3`, `7`, `120`: a decimal only where it says something.
fn usual(tenths: u32) -> String {
    match tenths {
        0..30 => format!("{}.{}", tenths / 10, tenths % 10),
        _ => ((u64::from(tenths) + 5) / 10).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judge(history: &[Facts], today: &Facts) -> Verdict {
        super::judge(history, today, false)
    }

    fn day(matched: u32, considered: u32) -> Facts {
        Facts {
            considered,
            matched,
            entries: matched,
            ..Facts::default()
        }
    }

    fn days(each: &[u32], considered: u32) -> Vec<Facts> {
        each.iter().map(|&matched| day(matched, considered)).collect()
    }

    fn is_held(verdict: &Verdict) -> bool {
        match verdict {
            Verdict::Post => false,
            Verdict::Hold(_) => true,
        }
    }

    /// A generator that gives the same year every time (SplitMix64).
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let bits = u32::try_from((z ^ (z >> 31)) >> 32).unwrap();
            (f64::from(bits) + 0.5) / 4_294_967_296.0
        }

        /// By counting the arrivals of a unit of time.
        fn poisson(&mut self, mean: f64) -> u32 {
            let (mut at, mut count) = (-self.roll().ln(), 0);
            while at < mean {
                at -= self.roll().ln();
                count += 1;
            }
            count
        }
    }

    #[test]
    fn papers_without_a_word_in_them_are_held_whatever_was_before() {
        let empty = Facts {
            blank: 24,
            ..day(24, 24)
        };
        let held = Verdict::Hold(Reason::Blank { blank: 24, of: 24 });
        assert_eq!(judge(&[], &empty), held);
        let history = vec![empty.clone(); 60];
        assert_eq!(judge(&history, &empty), held);
        // They were so empty that they became no papers at all.
        let lost = Facts {
            lost: 24,
            ..Facts::default()
        };
        assert_eq!(judge(&days(&[20; 60], 300), &lost), held);
        for fine in [
            Facts {
                blank: 12,
                ..day(24, 300)
            },
            Facts { blank: 3, ..day(3, 3) },
            Facts {
                lost: 24,
                ..day(20, 300)
            },
        ] {
            assert_eq!(judge(&days(&[20; 60], 300), &fine), Verdict::Post, "{fine:?}");
        }
    }

    #[test]
    fn no_match_is_held_where_several_are_likely_and_a_day_without_papers_is_quiet() {
        let usual = days(&[18, 22, 19, 25, 20, 16, 23, 21], 300);
        let held = judge(&usual, &day(0, 300));
        let Verdict::Hold(Reason::Few {
            matched: 0,
            considered: 300,
            usual_tenths,
            topic: None,
        }) = held
        else {
            panic!("{held:?}")
        };
        assert!((190..=210).contains(&usual_tenths), "{usual_tenths}");
        assert_eq!(judge(&usual, &day(0, 0)), Verdict::Post);
        // Of twenty papers one is usual: none is no wonder.
        assert_eq!(judge(&usual, &day(0, 20)), Verdict::Post);
        assert_eq!(
            judge(&days(&[1, 0, 2, 1, 0, 1, 3, 0], 300), &day(0, 300)),
            Verdict::Post
        );
        // What a week-end brings is scaled like everything else.
        assert_eq!(judge(&usual, &day(60, 900)), Verdict::Post);
        assert!(is_held(&judge(&usual, &day(1, 900))));
    }

    #[test]
    fn five_times_the_usual_is_held_and_small_numbers_are_not() {
        let usual = days(&[8, 11, 9, 12, 10, 7, 13, 10], 300);
        let held = judge(&usual, &day(56, 300));
        assert!(
            matches!(held, Verdict::Hold(Reason::Many { matched: 56, .. })),
            "{held:?}"
        );
        assert_eq!(judge(&usual, &day(35, 300)), Verdict::Post);
        assert_eq!(judge(&usual, &day(56, 1_700)), Verdict::Post);
        let rare = days(&[1, 0, 1, 2, 0, 1, 1, 0], 300);
        assert_eq!(judge(&rare, &day(5, 300)), Verdict::Post);
        assert_eq!(judge(&days(&[0; 20], 300), &day(9, 300)), Verdict::Post);
        assert!(is_held(&judge(&days(&[0; 20], 300), &day(40, 300))));
    }

    #[test]
    fn without_a_history_only_a_flood_is_held() {
        let few = days(&[10; LEAST_HISTORY - 1], 300);
        assert_eq!(judge(&few, &day(300, 900)), Verdict::Post);
        assert_eq!(judge(&few, &day(0, 300)), Verdict::Post);
        let flood = Reason::Flood {
            entries: 301,
            most: 300,
        };
        assert_eq!(judge(&few, &day(301, 900)), Verdict::Hold(flood));
        // Days without papers are no history.
        assert_eq!(judge(&days(&[0; 60], 0), &day(0, 300)), Verdict::Post);
    }

    #[test]
    fn one_topic_of_several_that_falls_silent_is_held_under_its_name() {
        let topic = |name: &str| TopicId(name.to_owned());
        let both = |a, b| Facts {
            topics: vec![(topic("a"), a), (topic("b"), b)],
            ..day(a + b, 300)
        };
        let history: Vec<Facts> = [19, 21, 20, 18, 22, 20].iter().map(|&n| both(n, n + 1)).collect();
        assert_eq!(judge(&history, &both(20, 21)), Verdict::Post);
        let held = judge(&history, &both(41, 0));
        let Verdict::Hold(reason @ Reason::Few { .. }) = held else {
            panic!("{held:?}")
        };
        assert_eq!(
            reason.says(Lang::En, &[]),
            "0 of 300 papers matched the topic b; usually about 21 of as many do"
        );
    }

    #[test]
    fn every_reason_is_a_sentence_with_its_numbers_in_both_languages() {
        let many = Reason::Many {
            matched: 120,
            considered: 340,
            usual_tenths: 4,
            topic: None,
        };
        let few = Reason::Few {
            matched: 0,
            considered: 300,
            usual_tenths: 204,
            topic: None,
        };
        let said: Vec<String> = [
            Reason::Blank { blank: 24, of: 24 },
            few,
            many,
            Reason::Flood {
                entries: 400,
                most: 300,
            },
        ]
        .iter()
        .flat_map(|reason| Lang::ALL.map(|lang| reason.says(lang, &[])))
        .collect();
        insta::assert_snapshot!(said.join("\n"), @r"
        24 篇论文中有 24 篇既无摘要也无简报
        24 of 24 papers have neither abstract nor brief
        300 篇论文中只有 0 篇符合订阅，平时同样多的论文约有 20 篇
        0 of 300 papers matched; usually about 20 of as many do
        340 篇论文中有 120 篇符合订阅，平时同样多的论文只有约 0.4 篇
        120 of 340 papers matched; usually only about 0.4 of as many do
        这一期有 400 篇论文，而以往的期数太少，无法判断是否正常；未经确认最多推送 300 篇
        it has 400 papers, and there are too few past digests to tell whether that is usual; unseen, at most 300 are posted
        ");
    }

    /// Days as a topic has them: the papers that come vary by the day of the week, of which about this part matches; with
    /// `spread` the part itself varies from day to day. Every digest but those that are held becomes history.
    fn false_alarms(seed: u64, part: f64, spread: f64) -> usize {
        let mut dice = Dice(seed);
        let (mut history, mut alarms): (Vec<Facts>, usize) = (Vec::new(), 0);
        for number in 0..365_u32 {
            let came = match number % 7 {
                5 => 0,
                6 => 40,
                0 => 620,
                _ => 330,
            };
            let came = dice.poisson(f64::from(came));
            let today_part = part * (1.0 + spread * (2.0 * dice.roll() - 1.0));
            let matched = dice.poisson(f64::from(came) * today_part).min(came);
            let today = day(matched, came);
            match judge(&history, &today) {
                Verdict::Post => history.push(today),
                Verdict::Hold(_) => alarms += 1,
            }
            if history.len() > MOST_HISTORY {
                history.remove(0);
            }
        }
        alarms
    }

    #[test]
    fn in_a_year_of_plausible_days_a_topic_has_less_than_one_false_alarm() {
        let kinds = [0.0005, 0.003, 0.01, 0.03, 0.06, 0.15, 0.5];
        let mut worst = 0.0_f64;
        for part in kinds {
            for spread in [0.0, 0.5] {
                const YEARS: u32 = 40;
                let alarms: usize = (0..YEARS).map(|seed| false_alarms(u64::from(seed), part, spread)).sum();
                let a_year = f64::from(u32::try_from(alarms).unwrap()) / f64::from(YEARS);
                worst = worst.max(a_year);
                assert!(a_year < 1.0, "{a_year} a year with {part} and {spread}");
            }
        }
        println!("at most {worst} false alarms a year");
    }

    fn history() -> impl Strategy<Value = Vec<Facts>> {
        let one = (1_u32..2_000, 0.0_f64..0.3).prop_map(|(considered, part)| {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let matched = (f64::from(considered) * part) as u32;
            day(matched, considered)
        });
        prop::collection::vec(one, 0..70)
    }

    proptest! {
        #[test]
        fn more_of_the_usual_is_never_held(matched in 0_u32..40, times in 1_u32..7, past in 1_usize..60) {
            let history = vec![day(matched, 300); past];
            prop_assert_eq!(judge(&history, &day(matched * times, 300 * times)), Verdict::Post);
        }

        #[test]
        fn what_is_farther_from_the_usual_is_held_all_the_more(
            history in history(), considered in 1_u32..2_000, a in 0_u32..250, b in 0_u32..250, c in 0_u32..250,
        ) {
            let mut three = [a, b, c];
            three.sort_unstable();
            let [low, middle, high] = three.map(|matched| is_held(&judge(&history, &day(matched, considered))));
            // What lies between two that are posted is posted.
            prop_assert!(low || high || !middle, "{:?}", three);
        }

        #[test]
        fn how_many_papers_come_for_each_that_matches_does_not_matter(
            history in history(), considered in 1_u32..2_000, matched in 0_u32..250, times in 1_u32..50,
        ) {
            let scaled = |facts: &Facts| Facts { considered: facts.considered * times, ..facts.clone() };
            let today = day(matched, considered);
            let larger: Vec<Facts> = history.iter().map(scaled).collect();
            prop_assert_eq!(is_held(&judge(&history, &today)), is_held(&judge(&larger, &scaled(&today))));
        }
    }
}
