//! When arXiv announces what it received. A day without papers is an alarm only where arXiv announced some, and a question
//! that is asked before the announcement gets an answer that is too short: so whoever asks, waits or complains looks here.
//!
//! The rules are those of <https://info.arxiv.org/help/availability.html>, all in the time of New York: what was received
//! until 14:00 of a working day is announced at 20:00, on Sunday what was received until Friday; nothing is announced on
//! Friday and Saturday evenings; on a holiday nothing is closed and nothing announced.

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;

/// A stretch of time: from (inclusive) to (exclusive).
pub type Stretch = (DateTime<Utc>, DateTime<Utc>);

const ZONE: Tz = Tz::America__New_York;
/// The hour at which a day of submissions closes.
const CUTOFF: u32 = 14;
/// The hour at which it is announced.
const ANNOUNCED: u32 = 20;
/// No two cutoffs and no two announcements are further apart, in days.
const FURTHEST: u64 = 14;

/// The days on which nothing is closed and nothing announced (year, month, day). Those of 2025 up to Thanksgiving stand on
/// <https://info.arxiv.org/help/availability.html#holiday>; 4 July and December 2025 and all of 2026 are those of the table
/// `arXiv_holidays` in arXiv's own published code, as of May 2026, to be compared with that page when a year begins. The
/// days between the years differ each year.
const HOLIDAYS: [(i32, u32, u32); 18] = [
    (2025, 1, 1),
    (2025, 1, 20),
    (2025, 6, 19),
    (2025, 7, 4),
    (2025, 7, 6),
    (2025, 9, 1),
    (2025, 11, 27),
    (2025, 12, 25),
    (2025, 12, 30),
    (2026, 1, 1),
    (2026, 1, 19),
    (2026, 6, 19),
    (2026, 7, 3),
    (2026, 9, 7),
    (2026, 11, 26),
    (2026, 12, 25),
    (2026, 12, 29),
    (2026, 12, 31),
];

/// Whether arXiv rests on that day, weekends aside. Of years that are not listed: what has recurred since 2023, on the
/// nearest working day where it falls on a weekend.
pub fn is_holiday(day: NaiveDate) -> bool {
    let year = day.year();
    if HOLIDAYS.iter().any(|(listed, ..)| *listed == year) {
        return HOLIDAYS.contains(&(year, day.month(), day.day()));
    }
    let observed = |month, date| {
        let holiday = NaiveDate::from_ymd_opt(year, month, date)?;
        match holiday.weekday() {
            Weekday::Sat => holiday.pred_opt(),
            Weekday::Sun => holiday.succ_opt(),
            Weekday::Mon | Weekday::Tue | Weekday::Wed | Weekday::Thu | Weekday::Fri => Some(holiday),
        }
    };
    let nth = |month, weekday, n| NaiveDate::from_weekday_of_month_opt(year, month, weekday, n);
    [
        observed(1, 1),
        nth(1, Weekday::Mon, 3),
        observed(6, 19),
        observed(7, 4),
        nth(9, Weekday::Mon, 1),
        nth(11, Weekday::Thu, 4),
        observed(12, 25),
    ]
    .contains(&Some(day))
}

fn closes(day: NaiveDate) -> bool {
    !matches!(day.weekday(), Weekday::Sat | Weekday::Sun) && !is_holiday(day)
}

/// The day whose cutoff is announced on the evening of `day`, if anything is.
fn announces(day: NaiveDate) -> Option<NaiveDate> {
    let closed = match day.weekday() {
        Weekday::Fri | Weekday::Sat => return None,
        Weekday::Sun => day.checked_sub_days(Days::new(2))?,
        Weekday::Mon | Weekday::Tue | Weekday::Wed | Weekday::Thu => day,
    };
    closes(closed).then_some(closed)
}

fn local_day(at: DateTime<Utc>) -> NaiveDate {
    at.with_timezone(&ZONE).date_naive()
}

/// The full hour of a day in New York. The clocks there change at night, so that these hours exist once.
fn at(day: NaiveDate, hour: u32) -> DateTime<Utc> {
    let local = day.and_hms_opt(hour, 0, 0).unwrap_or_default();
    local
        .and_local_timezone(ZONE)
        .earliest()
        .map_or_else(|| local.and_utc(), |time| time.to_utc())
}

fn back_from(day: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    (0..=FURTHEST).filter_map(move |n| day.checked_sub_days(Days::new(n)))
}

fn on_from(day: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    (0..=FURTHEST).filter_map(move |n| day.checked_add_days(Days::new(n)))
}

/// The last announcement at or before `now`.
pub fn last_announcement(now: DateTime<Utc>) -> DateTime<Utc> {
    back_from(local_day(now))
        .filter(|day| announces(*day).is_some())
        .map(|day| at(day, ANNOUNCED))
        .find(|announced| *announced <= now)
        .unwrap_or(now)
}

/// The first announcement after `now`.
pub fn next_announcement(now: DateTime<Utc>) -> DateTime<Utc> {
    on_from(local_day(now))
        .filter(|day| announces(*day).is_some())
        .map(|day| at(day, ANNOUNCED))
        .find(|announced| *announced > now)
        .unwrap_or(now + TimeDelta::days(1))
}

/// Until when what was received has been announced by `now`, moderation aside: the last cutoff whose announcement is past.
pub fn announced_until(now: DateTime<Utc>) -> DateTime<Utc> {
    let evening = local_day(last_announcement(now));
    announces(evening).map_or(now - TimeDelta::days(1), |closed| at(closed, CUTOFF))
}

/// When something received at `received` is announced, moderation aside.
pub fn announcement_of(received: DateTime<Utc>) -> DateTime<Utc> {
    let cutoff = cutoff_after(received);
    next_announcement(cutoff)
}

/// The first cutoff after `time`.
pub fn cutoff_after(time: DateTime<Utc>) -> DateTime<Utc> {
    on_from(local_day(time))
        .filter(|day| closes(*day))
        .map(|day| at(day, CUTOFF))
        .find(|cutoff| *cutoff > time)
        .unwrap_or(time + TimeDelta::days(1))
}

/// The last cutoff before `time`.
pub fn cutoff_before(time: DateTime<Utc>) -> DateTime<Utc> {
    back_from(local_day(time))
        .filter(|day| closes(*day))
        .map(|day| at(day, CUTOFF))
        .find(|cutoff| *cutoff < time)
        .unwrap_or(time - TimeDelta::days(1))
}

/// The days of submission from `from` to `to`, oldest first, the first and the last one cut to them.
pub fn windows_between(from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Stretch> {
    let mut windows = Vec::new();
    let mut start = from;
    while start < to {
        let end = cutoff_after(start).min(to);
        windows.push((start, end));
        start = end;
    }
    windows
}

/// The day of submissions that is in the listing dated `day` (arXiv's listings and feeds bear the date of the morning after
/// the announcement), if there was an announcement.
pub fn listed_on(day: NaiveDate) -> Option<Stretch> {
    let to = at(announces(day.pred_opt()?)?, CUTOFF);
    Some((cutoff_before(to), to))
}

/// The beginning of that many announced days of submission before what is announced by `now`.
pub fn days_before(now: DateTime<Utc>, days: u32) -> DateTime<Utc> {
    (0..days).fold(announced_until(now), |cutoff, _| cutoff_before(cutoff))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use chrono::TimeZone as _;
    use proptest::prelude::*;

    use super::*;

    /// Whether arXiv announced nothing after `since` and until `now`.
    fn quiet(since: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        last_announcement(now) <= since
    }

    fn utc(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_str(&format!("{text} +0000"), "%Y-%m-%d %H:%M %z")
            .unwrap()
            .to_utc()
    }

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn each_day_is_announced_as_arxivs_table_says() {
        // In New York's summer time, which is UTC-4: 14:00 is 18:00 UTC, 20:00 is midnight UTC.
        for (received, announced) in [
            ("2025-10-06 18:00", "2025-10-08 00:00"), // Monday 14:00 to Tuesday 14:00: Tuesday 20:00
            ("2025-10-07 17:59", "2025-10-08 00:00"),
            ("2025-10-07 18:00", "2025-10-09 00:00"), // to Wednesday
            ("2025-10-08 18:00", "2025-10-10 00:00"), // to Thursday
            ("2025-10-09 18:00", "2025-10-13 00:00"), // to Friday: Sunday 20:00
            ("2025-10-10 17:59", "2025-10-13 00:00"),
            ("2025-10-10 18:00", "2025-10-14 00:00"), // Friday to Monday: Monday 20:00
            ("2025-10-13 17:59", "2025-10-14 00:00"),
        ] {
            assert_eq!(announcement_of(utc(received)), utc(announced), "{received}");
        }
    }

    #[test]
    fn what_is_announced_ends_at_the_last_cutoff_whose_evening_is_past() {
        for (now, until) in [
            ("2025-10-10 23:59", "2025-10-09 18:00"), // Friday evening brings nothing
            ("2025-10-12 23:59", "2025-10-09 18:00"),
            ("2025-10-13 00:00", "2025-10-10 18:00"), // Sunday, 20:00 in New York
            ("2025-10-14 00:00", "2025-10-13 18:00"),
            ("2025-11-04 00:30", "2025-10-31 18:00"), // clocks were set back on 2 November: 20:00 is 01:00 UTC
            ("2025-11-04 01:00", "2025-11-03 19:00"),
        ] {
            assert_eq!(announced_until(utc(now)), utc(until), "{now}");
        }
    }

    #[test]
    fn a_holiday_joins_two_days_and_is_quiet() {
        // Labor Day is Monday 1 September 2025: Friday's papers came on Sunday, all since then on Tuesday.
        assert_eq!(
            windows_between(utc("2025-08-28 18:00"), utc("2025-09-03 18:00")),
            [
                (utc("2025-08-28 18:00"), utc("2025-08-29 18:00")),
                (utc("2025-08-29 18:00"), utc("2025-09-02 18:00")),
                (utc("2025-09-02 18:00"), utc("2025-09-03 18:00")),
            ]
        );
        assert!(quiet(utc("2025-09-01 00:00"), utc("2025-09-02 12:00")));
        assert!(!quiet(utc("2025-09-01 00:00"), utc("2025-09-03 00:00")));
        // Christmas 2026 is a Friday, so that Sunday has nothing to announce.
        assert_eq!(next_announcement(utc("2026-12-25 12:00")), utc("2026-12-29 01:00"));
        // A weekend is quiet, a Tuesday is not.
        assert!(quiet(utc("2025-10-10 00:00"), utc("2025-10-12 23:00")));
        assert!(!quiet(utc("2025-10-14 00:00"), utc("2025-10-15 00:00")));
    }

    #[test]
    fn the_holidays_of_years_to_come_follow_the_rules() {
        for day in [
            "2027-01-01",
            "2027-01-18",
            "2027-06-18",
            "2027-07-05",
            "2027-09-06",
            "2027-11-25",
            "2027-12-24",
        ] {
            assert!(is_holiday(date(day)), "{day}");
        }
        for day in ["2027-02-15", "2027-11-26", "2027-06-19", "2026-05-25", "2025-12-26"] {
            assert!(!is_holiday(date(day)), "{day}");
        }
        assert!(
            HOLIDAYS
                .iter()
                .all(|&(year, month, day)| is_holiday(NaiveDate::from_ymd_opt(year, month, day).unwrap()))
        );
    }

    #[test]
    fn a_listing_of_the_morning_is_the_announcement_of_the_evening_before() {
        assert_eq!(
            listed_on(date("2025-10-13")),
            Some((utc("2025-10-09 18:00"), utc("2025-10-10 18:00")))
        );
        assert_eq!(
            listed_on(date("2025-10-14")),
            Some((utc("2025-10-10 18:00"), utc("2025-10-13 18:00")))
        );
        for weekend_or_holiday in ["2025-10-11", "2025-10-12", "2025-09-02"] {
            assert_eq!(listed_on(date(weekend_or_holiday)), None, "{weekend_or_holiday}");
        }
    }

    #[test]
    fn so_many_days_before_are_days_with_papers() {
        let now = utc("2025-10-13 12:00"); // Monday morning: Friday's papers came last
        assert_eq!(days_before(now, 0), utc("2025-10-10 18:00"));
        assert_eq!(days_before(now, 1), utc("2025-10-09 18:00"));
        assert_eq!(days_before(now, 5), utc("2025-10-03 18:00"));
    }

    #[test]
    fn real_mailings_have_the_windows_of_this_calendar() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/arxiv-mail");
        let Ok(days) = std::fs::read_dir(&root) else {
            println!("skipped: {} is not here", root.display());
            return;
        };
        let mut seen = 0;
        for day in days {
            let bytes = std::fs::read(day.unwrap().path().join("mail.txt")).unwrap();
            let window = crate::source::arxiv_mail::parse(&bytes).unwrap().window.unwrap();
            assert_eq!(
                windows_between(window.from, window.to),
                [(window.from, window.to)],
                "{window:?} is one day of submissions"
            );
            assert_eq!(cutoff_before(window.to), window.from);
            seen += 1;
        }
        assert!(seen > 0);
    }

    proptest! {
        #[test]
        fn windows_are_without_hole_or_overlap_and_each_is_announced_once_after_it_ends(
            hours in 0_i64..24 * 365 * 3, length in 1_i64..24 * 30,
        ) {
            let from = Utc.with_ymd_and_hms(2024, 12, 20, 0, 0, 0).unwrap() + TimeDelta::hours(hours);
            let to = from + TimeDelta::hours(length);
            let windows = windows_between(from, to);
            prop_assert_eq!(windows.first().map(|w| w.0), Some(from));
            prop_assert_eq!(windows.last().map(|w| w.1), Some(to));
            prop_assert!(windows.windows(2).all(|pair| pair[0].1 == pair[1].0));
            for (start, end) in windows {
                prop_assert!(start < end && end - start <= TimeDelta::days(6));
                let announced = announcement_of(start);
                prop_assert_eq!(announced, announcement_of(end - TimeDelta::minutes(1)));
                prop_assert!(announced > end);
                prop_assert!(announced_until(announced) >= end);
                prop_assert!(announced_until(announced - TimeDelta::seconds(1)) <= start);
            }
            prop_assert!(announced_until(from) < from && last_announcement(from) <= from);
            prop_assert!(next_announcement(from) > from && !quiet(from, next_announcement(from)));
        }
    }
}
