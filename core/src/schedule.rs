//! When a channel's digest is due: a cron expression in the channel's own time zone, with crontab(5)'s meaning of five
//! fields, and a rule for the hours that daylight saving time skips or repeats.
//!
//! The `cron` crate finds the times; three of its habits are corrected here. It counts weekdays from 1 (Sunday), so that
//! `1-5` would be Sunday to Thursday: fields are read here and handed on as lists of its own numbers. It wants both day
//! fields to agree, where crontab(5) wants either: such an expression becomes two schedules. And in a zone with daylight
//! saving time it loses skipped times, doubles repeated ones and can step back: it is asked about the wall clock only,
//! and what a wall clock's time means in the zone is decided in `resolve`.
//!
//! What people type instead of an expression is read in [`phrase`], and where their clocks stand in [`zone`].

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::str::FromStr as _;
use std::sync::Arc;

use chrono::{DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, TimeDelta, TimeZone as _, Timelike as _, Utc};
use chrono_tz::{GapInfo, Tz};
use cron::TimeUnitSpec as _;
use serde::{Deserialize, Serialize};

pub mod phrase;
mod words;
pub mod zone;

/// The longest expression, in characters; the longest useful ones have about 60.
pub const MAX_EXPRESSION: usize = 200;

/// A cron expression, checked. Serialised as the text that the user wrote; equal when the texts are.
///
/// - Five fields are crontab(5)'s: minute, hour, day of month, month, day of week.
/// - Six have the second before them, seven also the year (1970–2100) behind.
/// - In all of them Sunday is 0 or 7, Monday 1; months and weekdays have English names (`jan`, `Mon`), lists, ranges and
///   steps are allowed, `?` in a day field is `*`.
/// - When both day fields are restricted (do not begin with `*`), a day on which either matches counts.
/// - Several expressions with `;` between mean every time that one of them means: `30 9 * * *; 0 18 * * *`.
/// - `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly`, `@annually`.
///
/// A time that the zone skips is due when the clocks have jumped; one that it repeats is due the first time only. So
/// `*/15 * * * *` rests for the hour that is repeated, and nothing is ever due twice.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Schedule {
    text: String,
    /// One schedule, or several whose union is meant.
    wall: Arc<[cron::Schedule]>,
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Schedule {}

impl Hash for Schedule {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

/// Why an expression is refused; it names the field and says what is possible there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schedule “{expression}”: {reason}")]
pub struct ScheduleError {
    /// The expression as written, cut to [`MAX_EXPRESSION`] characters.
    pub expression: String,
    /// The field ("hour"), when one is at fault.
    pub field: Option<&'static str>,
    /// What is wrong and what is possible.
    pub reason: String,
}

impl Schedule {
    /// Reads an expression.
    ///
    /// # Errors
    /// Names the field that cannot be.
    pub fn parse(expression: &str) -> Result<Self, ScheduleError> {
        let text = expression.trim();
        compile(text)
            .map(|wall| Self {
                text: text.to_owned(),
                wall,
            })
            .map_err(|(field, reason)| ScheduleError {
                expression: text.chars().take(MAX_EXPRESSION).collect(),
                field,
                reason: field.map_or_else(|| reason.clone(), |field| format!("{field}: {reason}")),
            })
    }

    /// The first occurrence strictly after `after`; `None` when there is none any more (the calendar ends with 2100).
    pub fn next_after(&self, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // No earlier wall clock time has to be tried: `resolve` is monotone, and the one of `after` resolves to `after`
        // or, when the hour is repeated, to before it. In the latter case the loop passes over the repeated hour.
        let mut wall = wall_clock(zone, after);
        loop {
            wall = self.wall_after(wall)?;
            if let Some(at) = resolve(zone, wall).filter(|at| *at > after) {
                return Some(at);
            }
        }
    }

    /// The latest occurrence that is after `after` and not after `now`: what a gap in uptime is merged into. It is found
    /// backwards from `now`, so the length of the gap does not matter.
    pub fn latest_due(&self, zone: Tz, after: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let wall = wall_clock(zone, now);
        let mut latest = self.wall_until(wall).and_then(|wall| resolve(zone, wall));
        // While an hour is repeated, wall clock times later than the present one have been due already.
        let mut later = wall;
        while let Some(next) = self.wall_after(later) {
            match resolve(zone, next).filter(|at| *at <= now) {
                Some(at) => (later, latest) = (next, Some(at)),
                None => break,
            }
        }
        latest.filter(|at| *at > after)
    }

    /// The occurrences that are after `after` and not after `now`, oldest first; of more than `most` the latest.
    pub fn latest_dues(&self, zone: Tz, after: DateTime<Utc>, now: DateTime<Utc>, most: usize) -> Vec<DateTime<Utc>> {
        let before = |at: &DateTime<Utc>| self.latest_due(zone, after, *at - TimeDelta::nanoseconds(1));
        let mut dues: Vec<_> = std::iter::successors(self.latest_due(zone, after, now), before)
            .take(most)
            .collect();
        dues.reverse();
        dues
    }

    fn wall_after(&self, wall: NaiveDateTime) -> Option<NaiveDateTime> {
        let wall = wall.and_utc();
        let next = self
            .wall
            .iter()
            .filter_map(|schedule| schedule.after(&wall).next())
            .min()?;
        Some(next.naive_utc())
    }

    fn wall_until(&self, wall: NaiveDateTime) -> Option<NaiveDateTime> {
        let until = |schedule: &cron::Schedule| {
            // Backwards, cron 0.17 keeps the month and day of its start in the first year that it finds, even when that
            // is not the start's: begin at the end of that year.
            let year = schedule
                .years()
                .range(..=u32::try_from(wall.year()).ok()?)
                .next_back()?;
            let new_year =
                NaiveDate::from_yo_opt(i32::try_from(year).ok()?.checked_add(1)?, 1)?.and_hms_opt(0, 0, 0)?;
            let second = wall.with_nanosecond(0)?.checked_add_signed(TimeDelta::seconds(1))?;
            schedule.after(&second.min(new_year).and_utc()).next_back()
        };
        self.wall.iter().filter_map(until).max().map(|at| at.naive_utc())
    }
}

/// What a clock on the wall shows, kept within the years for which the calendar of `cron` is made.
fn wall_clock(zone: Tz, at: DateTime<Utc>) -> NaiveDateTime {
    let bound = |year| Utc.with_ymd_and_hms(year, 6, 1, 0, 0, 0).single().unwrap_or(at);
    at.clamp(bound(1969), bound(2101)).with_timezone(&zone).naive_local()
}

/// The instant that a wall clock's time means: the first of two, and the end of the gap for a time that is skipped.
/// Later times on the wall never mean earlier instants.
fn resolve(zone: Tz, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
    let local = match zone.from_local_datetime(&wall) {
        LocalResult::Single(at) => at,
        LocalResult::Ambiguous(a, b) => a.min(b),
        LocalResult::None => GapInfo::new(&wall, &zone)?.end?,
    };
    Some(local.with_timezone(&Utc))
}

/// What may stand in one of the fields.
struct Unit {
    name: &'static str,
    min: u32,
    max: u32,
    /// The names of the values from `min` on.
    names: &'static [&'static str],
    possible: &'static str,
}

const SECOND: Unit = Unit {
    name: "second",
    min: 0,
    max: 59,
    names: &[],
    possible: "0 to 59",
};
const MINUTE: Unit = Unit {
    name: "minute",
    ..SECOND
};
const HOUR: Unit = Unit {
    name: "hour",
    max: 23,
    possible: "0 (midnight) to 23",
    ..SECOND
};
const DAY: Unit = Unit {
    name: "day of month",
    min: 1,
    max: 31,
    possible: "1 to 31",
    ..SECOND
};
const MONTH: Unit = Unit {
    name: "month",
    min: 1,
    max: 12,
    names: &[
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ],
    possible: "1 to 12 or jan to dec",
};
const WEEKDAY: Unit = Unit {
    name: "day of week",
    min: 0,
    max: 7,
    names: &[
        "sunday",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
    ],
    possible: "0 to 7 (0 and 7 are Sunday) or mon to sun",
};
const YEAR: Unit = Unit {
    name: "year",
    min: 1970,
    max: 2100,
    possible: "1970 to 2100",
    ..SECOND
};

/// The values of one field.
struct Field {
    /// Whether it begins with `*`, crontab(5)'s sign that a day field does not restrict the day.
    star: bool,
    /// Whether it is nothing else.
    all: bool,
    values: BTreeSet<u32>,
}

impl Field {
    /// As `*` or a list of numbers, `shift` added to each.
    fn list(&self, shift: u32) -> String {
        if self.all {
            return "*".to_owned();
        }
        let numbers: Vec<String> = self.values.iter().map(|value| (value + shift).to_string()).collect();
        numbers.join(",")
    }
}

type Refusal = (Option<&'static str>, String);

const ALIASES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

fn compile(text: &str) -> Result<Arc<[cron::Schedule]>, Refusal> {
    if text.chars().count() > MAX_EXPRESSION {
        return Err((None, format!("it is longer than {MAX_EXPRESSION} characters")));
    }
    let all: Vec<_> = text
        .split(';')
        .map(|part| compile_one(part.trim()))
        .collect::<Result<_, _>>()?;
    Ok(all.iter().flat_map(|wall| wall.iter().cloned()).collect())
}

fn compile_one(text: &str) -> Result<Arc<[cron::Schedule]>, Refusal> {
    let refuse = |reason: String| Err((None, reason));
    if text.starts_with('@') {
        return match ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(text)) {
            Some((_, meaning)) => compile_one(meaning),
            None if text.starts_with("@every") => {
                refuse("@every is not available; steps are: “*/15 * * * *” is every quarter of an hour".to_owned())
            }
            None => refuse(format!(
                "it names no time; possible are {}, or five fields such as “0 9 * * 1-5”",
                ALIASES.map(|(alias, _)| alias).join(", ")
            )),
        };
    }
    if text.starts_with("TZ=") || text.starts_with("CRON_TZ=") {
        return refuse("the time zone is a setting of its own (timezone)".to_owned());
    }

    let fields: Vec<&str> = text.split_whitespace().collect();
    let (second, minute, hour, day, month, weekday, year) = match *fields.as_slice() {
        [minute, hour, day, month, weekday] => ("0", minute, hour, day, month, weekday, None),
        [second, minute, hour, day, month, weekday] => (second, minute, hour, day, month, weekday, None),
        [second, minute, hour, day, month, weekday, year] => (second, minute, hour, day, month, weekday, Some(year)),
        _ => {
            return refuse(format!(
                "it has {}; five are needed (minute, hour, day of month, month, day of week), six with the second in \
                 front, seven with the year at the end: “0 9 * * 1-5” is nine o'clock from Monday to Friday",
                match fields.len() {
                    0 => "no fields".to_owned(),
                    1 => "one field".to_owned(),
                    n => format!("{n} fields"),
                }
            ));
        }
    };
    let second = read(&SECOND, second)?;
    let minute = read(&MINUTE, minute)?;
    let hour = read(&HOUR, hour)?;
    let day = read(&DAY, day)?;
    let month = read(&MONTH, month)?;
    let mut weekday = read(&WEEKDAY, weekday)?;
    weekday.values = weekday.values.iter().map(|day| day % 7).collect();
    let year = year.map(|year| read(&YEAR, year)).transpose()?;

    let (days, weekdays) = (day.list(0), weekday.list(1));
    let pairs = if day.star || weekday.star {
        vec![(days.as_str(), weekdays.as_str())]
    } else {
        vec![(days.as_str(), "*"), ("*", weekdays.as_str())]
    };
    let wall = pairs
        .into_iter()
        .map(|(days, weekdays)| {
            cron::Schedule::from_str(&format!(
                "{} {} {} {days} {} {weekdays} {}",
                second.list(0),
                minute.list(0),
                hour.list(0),
                month.list(0),
                year.as_ref().map_or_else(|| "*".to_owned(), |year| year.list(0)),
            ))
        })
        .collect::<Result<Arc<[_]>, _>>()
        .map_err(|error| (None, error.to_string()))?;
    let beginning = DateTime::UNIX_EPOCH - TimeDelta::days(1);
    if wall.iter().all(|schedule| schedule.after(&beginning).next().is_none()) {
        return Err((
            Some(DAY.name),
            "this date never comes; choose a day that the month has (28 is in every month)".to_owned(),
        ));
    }
    Ok(wall)
}

fn read(unit: &Unit, text: &str) -> Result<Field, Refusal> {
    let mut values = BTreeSet::new();
    for item in text.split(',') {
        values.extend(read_item(unit, item).map_err(|reason| (Some(unit.name), reason))?);
    }
    Ok(Field {
        star: text.starts_with(['*', '?']),
        all: matches!(text, "*" | "?"),
        values,
    })
}

/// The values of `*`, `a`, `a-b`, each possibly with `/step`; `a/step` runs to the end.
fn read_item(unit: &Unit, item: &str) -> Result<impl Iterator<Item = u32> + use<>, String> {
    // Sunday counts once in `*` and in `1/2`.
    let last = if unit.name == WEEKDAY.name { 6 } else { unit.max };
    let is_day = unit.name == DAY.name || unit.name == WEEKDAY.name;
    let (range, step) = match item.split_once('/') {
        None => (item, None),
        Some((range, step)) => {
            let most = last - unit.min + 1;
            let number = number(step).filter(|step| (1..=most).contains(step));
            let wrong = || format!("“{item}”: a step is a number from 1 to {most}");
            (range, Some(number.ok_or_else(wrong)?))
        }
    };
    let (from, to) = match range.split_once('-') {
        None if range == "*" || (range == "?" && is_day) => (unit.min, last),
        None => {
            let value = value(unit, range)?;
            (value, if step.is_some() { last.max(value) } else { value })
        }
        Some((from, to)) => {
            let (from_value, mut to_value) = (value(unit, from)?, value(unit, to)?);
            // As the end of a range, Sunday by name is the end of the week.
            if to_value == 0 && from_value > 0 && number(to).is_none() {
                to_value = 7;
            }
            if to_value < from_value {
                return Err(format!(
                    "“{range}” runs backwards; write the two halves: “{from}-{},{}-{to}”",
                    unit.max, unit.min
                ));
            }
            (from_value, to_value)
        }
    };
    Ok((from..=to).step_by(step.unwrap_or(1) as usize))
}

fn value(unit: &Unit, text: &str) -> Result<u32, String> {
    let named = || {
        let text = text.to_ascii_lowercase();
        let at = unit
            .names
            .iter()
            .position(|name| text.len() >= 3 && name.starts_with(&text))?;
        Some(unit.min + u32::try_from(at).ok()?)
    };
    match number(text).or_else(named) {
        Some(value) if (unit.min..=unit.max).contains(&value) => Ok(value),
        Some(_) => Err(format!("“{text}” is not possible; possible is {}", unit.possible)),
        None if text.contains(['L', 'W', '#']) => Err(format!(
            "“{text}”: L, W and # are not available; possible is {}",
            unit.possible
        )),
        None => Err(format!(
            "“{text}” is not understood; possible is {}, lists (1,3), ranges (1-5), steps (*/2) and *",
            unit.possible
        )),
    }
}

/// Up to four digits and nothing else; `u32::from_str` would take a sign.
fn number(text: &str) -> Option<u32> {
    let digits = (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

impl std::fmt::Display for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        schedule.text
    }
}

impl TryFrom<String> for Schedule {
    type Error = ScheduleError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::America::{Havana, New_York};
    use chrono_tz::Asia::Shanghai;
    use chrono_tz::Australia::Lord_Howe;
    use chrono_tz::Europe::Berlin;
    use chrono_tz::UTC;
    use proptest::prelude::*;

    use super::*;

    fn schedule(text: &str) -> Schedule {
        Schedule::parse(text).unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// The next `n` occurrences, as text.
    fn upcoming(text: &str, zone: Tz, after: &str, n: usize) -> Vec<String> {
        let schedule = schedule(text);
        let next = |after: &DateTime<Utc>| schedule.next_after(zone, *after);
        std::iter::successors(next(&at(after)), next)
            .take(n)
            .map(|at| at.format("%m-%d %H:%M:%S").to_string())
            .collect()
    }

    fn refusal(text: &str) -> (Option<&'static str>, String) {
        let error = Schedule::parse(text).unwrap_err();
        (error.field, error.to_string())
    }

    #[test]
    fn an_occurrence_is_strictly_after_the_given_instant() {
        let daily = schedule("0 9 * * *");
        let nine = at("2026-01-05T09:00:00Z");
        assert_eq!(daily.next_after(UTC, nine - TimeDelta::milliseconds(1)), Some(nine));
        assert_eq!(daily.next_after(UTC, nine), Some(nine + TimeDelta::days(1)));
        assert_eq!(
            daily.latest_due(UTC, nine - TimeDelta::milliseconds(1), nine),
            Some(nine)
        );
        assert_eq!(daily.latest_due(UTC, nine, nine + TimeDelta::hours(23)), None);
    }

    #[test]
    fn weekdays_count_from_sunday_as_0_or_7_with_names_in_every_form() {
        // 2026-01-04 is a Sunday.
        let sunday = ["01-04 09:00:00", "01-11 09:00:00"];
        for text in [
            "0 9 * * 0",
            "0 9 * * 7",
            "0 9 * * sun",
            "0 0 9 ? * Sunday",
            "0 0 9 * * 7 2026",
        ] {
            assert_eq!(upcoming(text, UTC, "2026-01-01T00:00:00Z", 2), sunday, "{text}");
        }
        let working_days = ["01-01", "01-02", "01-05", "01-06", "01-07", "01-08", "01-09", "01-12"];
        for text in ["0 9 * * 1-5", "0 9 * * mon-FRI", "0 9 * * 1,2,3-5", "0 0 9 * * 1-5"] {
            let days = upcoming(text, UTC, "2026-01-01T00:00:00Z", 8);
            assert!(
                days.iter().zip(working_days).all(|(a, b)| a.starts_with(b)),
                "{text}: {days:?}"
            );
        }
        let weekend = ["01-02", "01-03", "01-04", "01-09"];
        for text in ["0 9 * * fri-sun", "0 9 * * 5-7", "0 9 * * 0,5,6"] {
            let days = upcoming(text, UTC, "2026-01-01T00:00:00Z", 4);
            assert!(
                days.iter().zip(weekend).all(|(a, b)| a.starts_with(b)),
                "{text}: {days:?}"
            );
        }
        assert_eq!(
            upcoming("0 9 * * 1/2", UTC, "2026-01-03T00:00:00Z", 4),
            ["01-05 09:00:00", "01-07 09:00:00", "01-09 09:00:00", "01-12 09:00:00"],
        );
    }

    #[test]
    fn two_restricted_day_fields_mean_either_and_a_starred_one_means_both() {
        assert_eq!(
            upcoming("0 9 13 * fri", UTC, "2026-01-01T00:00:00Z", 4),
            ["01-02 09:00:00", "01-09 09:00:00", "01-13 09:00:00", "01-16 09:00:00"],
        );
        // crontab(5) takes a field that begins with a star for unrestricted, even with a step: odd days that are Fridays.
        assert_eq!(
            upcoming("0 9 */2 * fri", UTC, "2026-01-01T00:00:00Z", 3),
            ["01-09 09:00:00", "01-23 09:00:00", "02-13 09:00:00"],
        );
        assert_eq!(
            upcoming("0 9 31 2 mon", UTC, "2026-01-01T00:00:00Z", 1),
            ["02-02 09:00:00"]
        );
    }

    #[test]
    fn seconds_years_and_nicknames_are_understood() {
        assert_eq!(
            upcoming("*/30 59 23 31 dec * 2026", UTC, "2026-12-31T23:59:00Z", 9),
            ["12-31 23:59:30"],
        );
        for (nickname, first) in [
            ("@hourly", "01-01 01:00:00"),
            ("@daily", "01-02 00:00:00"),
            ("@Midnight", "01-02 00:00:00"),
            ("@weekly", "01-04 00:00:00"),
            ("@monthly", "02-01 00:00:00"),
            ("@yearly", "01-01 00:00:00"),
            ("@annually", "01-01 00:00:00"),
        ] {
            assert_eq!(
                upcoming(nickname, UTC, "2026-01-01T00:00:00Z", 1),
                [first],
                "{nickname}"
            );
        }
        assert_eq!(
            upcoming("0 9 29 2 *", UTC, "2026-01-01T00:00:00Z", 1),
            ["02-29 09:00:00"]
        );
    }

    #[test]
    fn several_expressions_mean_each_of_their_times_once() {
        let both = "30 9 * * 1-5; 0 18 * * *;0 18 * * fri";
        let times = [
            "01-02 09:30:00",
            "01-02 18:00:00",
            "01-03 18:00:00",
            "01-04 18:00:00",
            "01-05 09:30:00",
        ];
        assert_eq!(upcoming(both, UTC, "2026-01-02T00:00:00Z", 5), times);
        let (after, now) = (at("2026-01-02T00:00:00Z"), at("2026-01-05T12:00:00Z"));
        let dues = |most| {
            let dues = schedule(both).latest_dues(UTC, after, now, most);
            dues.iter()
                .map(|at| at.format("%m-%d %H:%M:%S").to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (dues(9), dues(2)),
            (
                times.map(str::to_owned).to_vec(),
                times[3..].iter().map(|t| (*t).to_owned()).collect()
            )
        );
    }

    #[test]
    fn an_impossible_expression_is_refused_naming_the_field_and_what_is_possible() {
        for (text, field, hint) in [
            ("0 24 * * *", Some("hour"), "0 (midnight) to 23"),
            ("60 * * * *", Some("minute"), "0 to 59"),
            ("60 0 9 * * *", Some("second"), "0 to 59"),
            ("0 9 0 * *", Some("day of month"), "1 to 31"),
            ("0 9 * 13 *", Some("month"), "1 to 12"),
            ("0 9 * * 8", Some("day of week"), "Sunday"),
            ("0 9 * * moon", Some("day of week"), "mon to sun"),
            ("0 0 9 * * * 1969", Some("year"), "1970 to 2100"),
            ("0 9 31 2 *", Some("day of month"), "never comes"),
            ("0 0 9 29 2 * 2025", Some("day of month"), "never comes"),
            ("0 9 L * *", Some("day of month"), "L, W and #"),
            ("0 9 15W * *", Some("day of month"), "L, W and #"),
            ("0 9 * * 5#2", Some("day of week"), "L, W and #"),
            ("0 22-2 * * *", Some("hour"), "22-23,0-2"),
            ("0 9 * * fri-mon", Some("day of week"), "fri-7,0-mon"),
            ("*/90 * * * *", Some("minute"), "1 to 60"),
            ("*/0 * * * *", Some("minute"), "1 to 60"),
            ("+5 * * * *", Some("minute"), "not understood"),
            ("1,,2 * * * *", Some("minute"), "not understood"),
            ("? 9 * * *", Some("minute"), "not understood"),
            ("@reboot", None, "@daily"),
            ("@every 5m", None, "*/15"),
            ("TZ=UTC 0 9 * * *", None, "timezone"),
            ("0 9 * *", None, "it has 4 fields; five"),
            ("0 0 9 * * * 2026 x", None, "it has 8 fields; five"),
            ("09:00", None, "one field"),
            ("0 9 * * *; 0 25 * * *", Some("hour"), "0 (midnight) to 23"),
            ("0 9 * * *;", None, "no fields"),
            ("", None, "no fields"),
        ] {
            let (named, message) = refusal(text);
            assert_eq!(named, field, "{message}");
            assert!(message.contains(hint), "{message}");
            assert!(field.is_none_or(|field| message.contains(field)), "{message}");
        }
        let (_, message) = refusal(&"1,".repeat(100_000));
        assert!(message.contains("longer than 200") && message.len() < 400, "{message}");
    }

    #[test]
    fn what_a_refusal_proposes_is_accepted() {
        for (refused, proposed) in [
            ("0 22-2 * * *", "0 22-23,0-2 * * *"),
            ("0 9 * * fri-mon", "0 9 * * fri-7,0-mon"),
        ] {
            assert!(Schedule::parse(refused).is_err());
            assert!(Schedule::parse(proposed).is_ok(), "{proposed}");
        }
    }

    #[test]
    fn a_skipped_time_is_due_when_the_clocks_have_jumped() {
        assert_eq!(
            upcoming("30 2 * * *", New_York, "2026-03-07T12:00:00Z", 2),
            ["03-08 07:00:00", "03-09 06:30:00"],
        );
        assert_eq!(
            upcoming("30 2 * * *", Berlin, "2026-03-28T12:00:00Z", 2),
            ["03-29 01:00:00", "03-30 00:30:00"],
        );
        // Lord Howe jumps by half an hour, Havana at midnight.
        assert_eq!(
            upcoming("15 2 * * *", Lord_Howe, "2026-10-03T12:00:00Z", 1),
            ["10-03 15:30:00"]
        );
        assert_eq!(
            upcoming("0 0 * * *", Havana, "2026-03-07T12:00:00Z", 1),
            ["03-08 05:00:00"]
        );
        // Every quarter of the skipped hour is one occurrence, and it is the same as three o'clock.
        assert_eq!(
            upcoming("*/15 * * * *", New_York, "2026-03-08T06:40:00Z", 3),
            ["03-08 06:45:00", "03-08 07:00:00", "03-08 07:15:00"],
        );
    }

    #[test]
    fn a_repeated_time_is_due_once() {
        assert_eq!(
            upcoming("30 1 * * *", New_York, "2025-11-01T12:00:00Z", 2),
            ["11-02 05:30:00", "11-03 06:30:00"],
        );
        assert_eq!(
            upcoming("30 2 * * *", Berlin, "2025-10-25T12:00:00Z", 2),
            ["10-26 00:30:00", "10-27 01:30:00"],
        );
        // Asked in the middle of the repetition, it does not go back.
        assert_eq!(
            upcoming("*/15 * * * *", New_York, "2025-11-02T06:05:00Z", 1),
            ["11-02 07:00:00"]
        );
        let quarters = schedule("*/15 * * * *");
        let repetition = at("2025-11-02T06:05:00Z");
        assert_eq!(
            quarters.latest_due(New_York, at("2025-11-02T00:00:00Z"), repetition),
            Some(at("2025-11-02T05:45:00Z")),
        );
    }

    #[test]
    fn nine_o_clock_is_nine_on_the_wall_on_both_sides_of_a_transition() {
        assert_eq!(
            upcoming("0 9 * * *", New_York, "2026-03-07T00:00:00Z", 3),
            ["03-07 14:00:00", "03-08 13:00:00", "03-09 13:00:00"],
        );
        assert_eq!(
            upcoming("0 9 * * *", Shanghai, "2026-03-07T12:00:00Z", 1),
            ["03-08 01:00:00"]
        );
    }

    #[test]
    fn a_day_that_the_calendar_of_a_zone_left_out_does_not_stop_the_schedule() {
        // Samoa went from 29 to 31 December 2011: that day's occurrence falls on its end.
        assert_eq!(
            upcoming("0 9 30 12 *", chrono_tz::Pacific::Apia, "2011-12-01T00:00:00Z", 1),
            ["12-30 10:00:00"],
        );
    }

    #[test]
    fn a_gap_of_years_is_merged_into_its_last_occurrence() {
        let every_second = schedule("* * * * * *");
        let now = at("2026-06-01T12:00:00.5Z");
        assert_eq!(
            every_second.latest_due(New_York, DateTime::UNIX_EPOCH, now),
            Some(at("2026-06-01T12:00:00Z")),
        );
        // The year's restriction lies before `now`, in a later month.
        let once = schedule("0 0 9 24 12 * 2020,2022");
        assert_eq!(
            once.latest_due(UTC, at("2000-01-01T00:00:00Z"), at("2026-03-01T00:00:00Z")),
            Some(at("2022-12-24T09:00:00Z")),
        );
        assert_eq!(once.next_after(UTC, at("2023-01-01T00:00:00Z")), None);
    }

    #[test]
    fn the_ends_of_time_have_an_answer() {
        let daily = schedule("@daily");
        assert_eq!(daily.next_after(Shanghai, DateTime::<Utc>::MAX_UTC), None);
        assert_eq!(
            daily.next_after(UTC, DateTime::<Utc>::MIN_UTC),
            Some(at("1970-01-01T00:00:00Z")),
        );
        assert_eq!(
            daily.latest_due(UTC, DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC),
            Some(at("2100-12-31T00:00:00Z")),
        );
    }

    #[test]
    fn a_schedule_is_stored_as_its_text() {
        let written = serde_json::to_string(&schedule(" 0 9 * * mon ")).unwrap();
        assert_eq!(written, "\"0 9 * * mon\"");
        assert_eq!(
            serde_json::from_str::<Schedule>(&written).unwrap(),
            schedule("0 9 * * mon")
        );
        let refused = serde_json::from_str::<Schedule>("\"0 24 * * *\"").unwrap_err();
        assert!(refused.to_string().contains("hour"), "{refused}");
    }

    const ZONES: [Tz; 6] = [
        New_York,
        Berlin,
        Shanghai,
        Lord_Howe,
        chrono_tz::Africa::Casablanca,
        Havana,
    ];

    /// Expressions with a fixed minute and hour: the kind of which all implementations have the same idea.
    fn fixed_time() -> impl Strategy<Value = String> {
        let day = prop_oneof![
            Just("*".to_owned()),
            (1..=31u32).prop_map(|d| d.to_string()),
            Just("1,15-20".to_owned())
        ];
        let month = prop_oneof![3 => Just("*"), 1 => Just("mar,OCT-dec"), 1 => Just("*/3")];
        let weekday = prop_oneof![
            Just("*"),
            Just("1-5"),
            Just("0"),
            Just("7"),
            Just("5-7"),
            Just("tue,sat"),
            Just("1-6/2")
        ];
        let minute = prop_oneof![Just(0u32), Just(30), 0..60u32];
        (minute, 0..24u32, day, month, weekday)
            .prop_map(|(minute, hour, day, month, weekday)| format!("{minute} {hour} {day} {month} {weekday}"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn croner_agrees_on_fixed_times_over_two_years(text in fixed_time(), zone in 0..ZONES.len()) {
            let zone = ZONES[zone];
            let Ok(ours) = Schedule::parse(&text) else { return Ok(()) };
            let oracle: croner::Cron = text.parse().unwrap();
            let (mut after, end) = (at("2025-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
            while after < end {
                let theirs = oracle.find_next_occurrence(&after.with_timezone(&zone), false).unwrap().with_timezone(&Utc);
                let next = ours.next_after(zone, after).unwrap();
                prop_assert_eq!(next, theirs, "{} in {} after {}", text, zone, after);
                after = next;
            }
        }

        #[test]
        fn looking_back_finds_the_last_of_what_looking_forward_finds(
            text in prop_oneof![fixed_time(), Just("*/15 * * * *".to_owned()), Just("*/40 7 1-3 * * *".to_owned())],
            zone in 0..ZONES.len(),
            start in 0..700u32,
            minutes in 0..4000i64,
            millis in 0..60_000i64,
        ) {
            let zone = ZONES[zone];
            let Ok(schedule) = Schedule::parse(&text) else { return Ok(()) };
            let after = at("2025-01-01T00:00:00Z") + TimeDelta::days(start.into());
            let now = after + TimeDelta::minutes(minutes) + TimeDelta::milliseconds(millis);
            let next = |after: &DateTime<Utc>| schedule.next_after(zone, *after);
            let forward: Vec<_> = std::iter::successors(next(&after), next).take_while(|at| *at <= now).collect();
            prop_assert!(forward.is_sorted_by(|a, b| a < b));
            prop_assert_eq!(schedule.latest_due(zone, after, now), forward.last().copied());
        }

        #[test]
        fn any_text_is_read_to_the_same_text_or_refused_with_it(text in "[-0-9*/,?@a-zL# ]{0,30}|\\PC{0,30}") {
            match Schedule::parse(&text) {
                Ok(schedule) => {
                    prop_assert_eq!(schedule.to_string(), text.trim());
                    prop_assert!(schedule.next_after(UTC, DateTime::UNIX_EPOCH - TimeDelta::days(2)).is_some());
                }
                Err(error) => prop_assert_eq!(error.expression, text.trim()),
            }
        }
    }
}
