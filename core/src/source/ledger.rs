//! What of arXiv's days has been taken in, whichever source it came from, and what is still to be fetched: a gap is closed
//! because it is seen here, not because somebody remembers it.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::calendar::{self, Stretch};
use super::scope::Scope;
use super::{SourceKind, Window};
use crate::store::WindowRecord;

/// How far back gaps are filled, in days: what is older is no news any more.
pub const FILL_DAYS: u32 = 14;

/// The windows that stand for what a source asks for. One that was asked for other categories, or for fewer, does not: so the
/// days whose categories were misspelt, or have become more, are fetched again.
pub fn standing(records: &[WindowRecord], asks: Option<&Scope>) -> Vec<Window> {
    let stands = |record: &&WindowRecord| match (&record.asked, asks) {
        (Some(asked), Some(asks)) => asked.includes(asks),
        (None, _) | (_, None) => true,
    };
    records.iter().filter(stands).map(|record| record.window).collect()
}

/// The stretches from `from` to `to` that no window of a source of arXiv's submissions covers, oldest first.
pub fn uncovered(windows: &[Window], from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Stretch> {
    let mut covering: Vec<Stretch> = windows
        .iter()
        .filter(|window| window.source.covers_arxiv() && window.from < to && window.to > from)
        .map(|window| (window.from, window.to))
        .collect();
    covering.sort_unstable();
    let mut holes = Vec::new();
    let mut reached = from;
    for (start, end) in covering {
        if start > reached {
            holes.push((reached, start));
        }
        reached = reached.max(end);
    }
    if reached < to {
        holes.push((reached, to));
    }
    holes
}

/// What is to be fetched at `now`, newest first, so that today's digest does not wait for last week's: the uncovered days of
/// submission that arXiv has announced, none before `started` (from when on this installation wants papers) and none
/// more than `days` days ago. A day that is covered in part is left to its rest.
pub fn gaps_to_fill(windows: &[Window], started: DateTime<Utc>, now: DateTime<Utc>, days: u32) -> Vec<Stretch> {
    // A day that has begun to be too old is left alone altogether.
    let oldest = calendar::cutoff_after(now - TimeDelta::days(i64::from(days)));
    let mut gaps: Vec<Stretch> = uncovered(windows, started.max(oldest), calendar::announced_until(now))
        .into_iter()
        .flat_map(|(from, to)| calendar::windows_between(from, to))
        .collect();
    gaps.reverse();
    gaps
}

/// Where the first window of arXiv's submissions begins.
pub fn first(windows: &[Window]) -> Option<DateTime<Utc>> {
    let covering = windows.iter().filter(|window| window.source.covers_arxiv());
    covering.map(|window| window.from).min()
}

/// Of windows of different sources those by which a day is called: of what arXiv announced, where there is any.
pub fn leading(records: &[WindowRecord]) -> impl Iterator<Item = &WindowRecord> {
    let announced = records.iter().any(|record| record.window.source.announces());
    records
        .iter()
        .filter(move |record| record.window.source.announces() || !announced)
}

/// The stretches of days of a source whose windows are whole days (in UTC) that should be there at `as_of` and are not, oldest
/// first: between the first that ever came and the last that was over, none more than [`FILL_DAYS`] days ago. A day that was
/// last taken in before it was over is missing, too.
pub fn missing_days(records: &[WindowRecord], source: SourceKind, as_of: DateTime<Utc>) -> Vec<Stretch> {
    let own = || records.iter().filter(|record| record.window.source == source);
    let today = as_of.date_naive();
    let Some(first) = own().map(|record| record.window.day()).min() else {
        return Vec::new();
    };
    let first: NaiveDate = first.max(today - TimeDelta::days(i64::from(FILL_DAYS)));
    let mut missing: Vec<Stretch> = Vec::new();
    for day in first.iter_days().take_while(|day| *day < today) {
        let Window { from, to, .. } = Window::of_day(source, day);
        if own().any(|record| record.window.from == from && record.last_at() >= to) {
            continue;
        }
        match missing.last_mut().filter(|(_, end)| *end == from) {
            Some((_, end)) => *end = to,
            None => missing.push((from, to)),
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;
    use proptest::prelude::*;

    use super::*;
    use crate::source::SourceKind;

    fn utc(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_str(&format!("{text} +0000"), "%Y-%m-%d %H:%M %z")
            .unwrap()
            .to_utc()
    }

    fn window(source: SourceKind, from: &str, to: &str) -> Window {
        Window {
            source,
            from: utc(from),
            to: utc(to),
        }
    }

    #[test]
    fn the_sources_of_arxiv_fill_each_others_gaps_and_no_other_source_does() {
        let windows = [
            window(SourceKind::ArxivApi, "2025-10-08 18:00", "2025-10-09 18:00"),
            window(SourceKind::ArxivMail, "2025-10-06 18:00", "2025-10-07 18:00"),
            window(SourceKind::ArxivRss, "2025-10-07 18:00", "2025-10-08 18:00"),
        ];
        let now = utc("2025-10-13 12:00");
        assert_eq!(
            gaps_to_fill(&windows, utc("2025-10-06 18:00"), now, FILL_DAYS),
            [
                (utc("2025-10-09 18:00"), utc("2025-10-10 18:00")),
                (utc("2025-10-07 18:00"), utc("2025-10-08 18:00")),
            ]
        );
    }

    #[test]
    fn a_day_that_is_covered_in_part_is_left_to_its_rest() {
        let windows = [window(SourceKind::ArxivMail, "2025-10-06 18:00", "2025-10-07 12:00")];
        assert_eq!(
            gaps_to_fill(&windows, utc("2025-10-06 18:00"), utc("2025-10-08 12:00"), FILL_DAYS),
            [(utc("2025-10-07 12:00"), utc("2025-10-07 18:00"))]
        );
    }

    fn of_day(day: u32, taken: &str, again: Option<&str>) -> WindowRecord {
        let source = SourceKind::HuggingFace;
        WindowRecord {
            window: Window::of_day(source, NaiveDate::from_ymd_opt(2025, 10, day).unwrap()),
            taken_at: utc(taken),
            repeats: u32::from(again.is_some()),
            since: 0,
            upto: 0,
            items: 0,
            replacements: 0,
            again_at: again.map(utc),
            asked: None,
            new: None,
        }
    }

    #[test]
    fn a_day_that_was_not_taken_in_since_it_was_over_is_missing() {
        let records = [
            of_day(8, "2025-10-08 12:00", Some("2025-10-09 00:00")),
            of_day(9, "2025-10-09 03:00", Some("2025-10-09 23:59")),
            of_day(12, "2025-10-13 01:00", None),
            of_day(14, "2025-10-14 01:00", None),
        ];
        let missing = |as_of| missing_days(&records, SourceKind::HuggingFace, utc(as_of));
        assert_eq!(
            missing("2025-10-14 02:00"),
            [
                (utc("2025-10-09 00:00"), utc("2025-10-12 00:00")),
                (utc("2025-10-13 00:00"), utc("2025-10-14 00:00")),
            ]
        );
        assert_eq!(missing("2025-10-09 23:00"), []);
        // What is more than a fortnight ago is given up, and other sources have no days.
        assert_eq!(missing("2025-10-27 00:00")[0].0, utc("2025-10-13 00:00"));
        assert_eq!(
            missing_days(&records, SourceKind::ArxivApi, utc("2025-10-14 02:00")),
            []
        );
    }

    fn windows() -> impl Strategy<Value = Vec<Window>> {
        let base = Utc.with_ymd_and_hms(2025, 8, 20, 0, 0, 0).unwrap();
        let one = (
            prop::sample::select(SourceKind::ALL.to_vec()),
            0_i64..60 * 24,
            1_i64..80,
        );
        prop::collection::vec(one, 0..20).prop_map(move |spans| {
            spans
                .into_iter()
                .map(|(source, from, length)| Window {
                    source,
                    from: base + TimeDelta::hours(from),
                    to: base + TimeDelta::hours(from + length),
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn filling_every_gap_leaves_none_and_asks_for_nothing_too_old_too_new_or_covered(
            windows in windows(), started in 0_i64..60 * 24, hours in 0_i64..80 * 24, days in 0_u32..20,
        ) {
            let base = Utc.with_ymd_and_hms(2025, 8, 20, 0, 0, 0).unwrap();
            let (started, now) = (base + TimeDelta::hours(started), base + TimeDelta::hours(hours));
            let gaps = gaps_to_fill(&windows, started, now, days);
            let mut shuffled = windows.clone();
            shuffled.reverse();
            prop_assert_eq!(&gaps, &gaps_to_fill(&shuffled, started, now, days));
            shuffled.retain(|window| window.source.covers_arxiv());
            prop_assert_eq!(&gaps, &gaps_to_fill(&shuffled, started, now, days), "no other source closes one");
            let mut filled = windows.clone();
            for &(from, to) in &gaps {
                prop_assert!(from < to && to <= calendar::announced_until(now));
                prop_assert!(from >= started && from >= now - TimeDelta::days(i64::from(days)));
                prop_assert!(calendar::announcement_of(from) <= now);
                prop_assert_eq!(uncovered(&filled, from, to), [(from, to)]);
                filled.push(Window { source: SourceKind::ArxivApi, from, to });
            }
            prop_assert!(gaps.windows(2).all(|pair| pair[0].0 >= pair[1].1), "newest first");
            prop_assert_eq!(gaps_to_fill(&filled, started, now, days), []);
        }
    }
}
