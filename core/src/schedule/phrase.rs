//! What people type for a time: `weekdays 9am`, `周一、周四 18:30`, `until monday`. One reader for both languages, since teams
//! mix them; it either understands all of a phrase or names what it did not.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, NaiveTime, TimeDelta, Timelike as _, Utc, Weekday};
use chrono_tz::Tz;

use super::zone::{self, ZoneError};
use super::{Schedule, ScheduleError, resolve};
use crate::locale::Lang;
use crate::text::{fold, one_line};

/// The longest phrase, in characters; longer ones are not looked at.
pub const MAX_PHRASE: usize = 200;
/// The longest pause that has an end, in days.
pub const MAX_PAUSE: i64 = 731;

/// What `/schedule …` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScheduleChange {
    /// Nothing: to be shown what there is.
    Show,
    /// No digests but on request.
    Off,
    /// Digests at these times.
    Posts {
        /// When.
        schedule: Schedule,
        /// The zone, where one was named: `9:00 Berlin`.
        zone: Option<Tz>,
    },
    /// A weekly round-up at these times.
    Weekly {
        /// When.
        schedule: Schedule,
        /// The zone, where one was named.
        zone: Option<Tz>,
    },
    /// No weekly round-up.
    WeeklyOff,
}

/// Why a phrase is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhraseError {
    /// It is longer than [`MAX_PHRASE`].
    #[error("it is longer than {MAX_PHRASE} characters")]
    TooLong,
    /// This part says nothing about time.
    #[error("“{what}” is not understood")]
    Unknown {
        /// The part.
        what: String,
        /// The nearest word that does.
        near: Option<&'static str>,
    },
    /// No clock shows this.
    #[error("“{what}” is no time of day")]
    NoSuchTime {
        /// The part.
        what: String,
    },
    /// No calendar has it.
    #[error("“{what}” is no day of the calendar")]
    NoSuchDay {
        /// The part.
        what: String,
    },
    /// There are words, but they name no time.
    #[error("no time is named")]
    NoTime,
    /// A pause has one end.
    #[error("more than one end is named")]
    TwoEnds,
    /// More times than fit in an expression.
    #[error("these are too many times")]
    TooMany,
    /// The time lies in the past.
    #[error("{0} has passed already")]
    Past(DateTime<Utc>),
    /// The time lies too far in the future.
    #[error("the end of a pause is at most {MAX_PAUSE} days away")]
    TooFar,
    /// What stands behind `cron`.
    #[error(transparent)]
    Cron(#[from] ScheduleError),
    /// What stands where a zone may.
    #[error(transparent)]
    Zone(#[from] ZoneError),
}

type Result<T> = std::result::Result<T, PhraseError>;

/// A part of the day that tells 9 from 21 o'clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    Am,
    Pm,
    /// 早上, 上午.
    Morning,
    /// 中午.
    Midday,
    /// 下午.
    Afternoon,
    /// 晚上.
    Evening,
    /// 凌晨.
    Small,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Hour,
    Day,
    Week,
    Month,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// From Monday.
    Day(Weekday),
    Weekdays,
    Weekends,
    Daily,
    Hourly,
    /// What follows the time, in English.
    HalfAfter(Half),
    /// What precedes it, in Chinese.
    HalfBefore(Half),
    Noon,
    Midnight,
    /// 点
    OClock,
    /// 半, 一刻, 三刻: minutes past.
    Past(u32),
    /// 分
    Minute,
    Off,
    Weekly,
    Show,
    Today,
    /// So many days from today.
    Ahead(u64),
    NextWeek,
    NextMonth,
    ThisWeek,
    Month(u32),
    /// 月, 日, 号, 年 behind a number.
    MonthMark,
    DayMark,
    YearMark,
    Unit(Unit),
    Forever,
    /// Says nothing.
    Noise,
}

/// Words in Latin letters; a run of letters is one of these or is not understood.
const LATIN: &[(&str, Word)] = &[
    ("mon", Word::Day(Weekday::Mon)),
    ("monday", Word::Day(Weekday::Mon)),
    ("mondays", Word::Day(Weekday::Mon)),
    ("tue", Word::Day(Weekday::Tue)),
    ("tues", Word::Day(Weekday::Tue)),
    ("tuesday", Word::Day(Weekday::Tue)),
    ("tuesdays", Word::Day(Weekday::Tue)),
    ("wed", Word::Day(Weekday::Wed)),
    ("weds", Word::Day(Weekday::Wed)),
    ("wednesday", Word::Day(Weekday::Wed)),
    ("wednesdays", Word::Day(Weekday::Wed)),
    ("thu", Word::Day(Weekday::Thu)),
    ("thur", Word::Day(Weekday::Thu)),
    ("thurs", Word::Day(Weekday::Thu)),
    ("thursday", Word::Day(Weekday::Thu)),
    ("thursdays", Word::Day(Weekday::Thu)),
    ("fri", Word::Day(Weekday::Fri)),
    ("friday", Word::Day(Weekday::Fri)),
    ("fridays", Word::Day(Weekday::Fri)),
    ("sat", Word::Day(Weekday::Sat)),
    ("saturday", Word::Day(Weekday::Sat)),
    ("saturdays", Word::Day(Weekday::Sat)),
    ("sun", Word::Day(Weekday::Sun)),
    ("sunday", Word::Day(Weekday::Sun)),
    ("sundays", Word::Day(Weekday::Sun)),
    ("weekdays", Word::Weekdays),
    ("weekday", Word::Weekdays),
    ("workdays", Word::Weekdays),
    ("workday", Word::Weekdays),
    ("weekends", Word::Weekends),
    ("weekend", Word::Weekends),
    ("daily", Word::Daily),
    ("everyday", Word::Daily),
    ("hourly", Word::Hourly),
    ("am", Word::HalfAfter(Half::Am)),
    ("pm", Word::HalfAfter(Half::Pm)),
    ("morning", Word::HalfAfter(Half::Morning)),
    ("afternoon", Word::HalfAfter(Half::Afternoon)),
    ("evening", Word::HalfAfter(Half::Evening)),
    ("night", Word::HalfAfter(Half::Evening)),
    ("noon", Word::Noon),
    ("midday", Word::Noon),
    ("midnight", Word::Midnight),
    ("off", Word::Off),
    ("none", Word::Off),
    ("never", Word::Off),
    ("stop", Word::Off),
    ("disable", Word::Off),
    ("weekly", Word::Weekly),
    ("roundup", Word::Weekly),
    ("show", Word::Show),
    ("today", Word::Today),
    ("tomorrow", Word::Ahead(1)),
    ("january", Word::Month(1)),
    ("jan", Word::Month(1)),
    ("february", Word::Month(2)),
    ("feb", Word::Month(2)),
    ("march", Word::Month(3)),
    ("mar", Word::Month(3)),
    ("april", Word::Month(4)),
    ("apr", Word::Month(4)),
    ("may", Word::Month(5)),
    ("june", Word::Month(6)),
    ("jun", Word::Month(6)),
    ("july", Word::Month(7)),
    ("jul", Word::Month(7)),
    ("august", Word::Month(8)),
    ("aug", Word::Month(8)),
    ("september", Word::Month(9)),
    ("sept", Word::Month(9)),
    ("sep", Word::Month(9)),
    ("october", Word::Month(10)),
    ("oct", Word::Month(10)),
    ("november", Word::Month(11)),
    ("nov", Word::Month(11)),
    ("december", Word::Month(12)),
    ("dec", Word::Month(12)),
    ("hours", Word::Unit(Unit::Hour)),
    ("hour", Word::Unit(Unit::Hour)),
    ("hrs", Word::Unit(Unit::Hour)),
    ("h", Word::Unit(Unit::Hour)),
    ("days", Word::Unit(Unit::Day)),
    ("day", Word::Unit(Unit::Day)),
    ("d", Word::Unit(Unit::Day)),
    ("weeks", Word::Unit(Unit::Week)),
    ("week", Word::Unit(Unit::Week)),
    ("w", Word::Unit(Unit::Week)),
    ("months", Word::Unit(Unit::Month)),
    ("month", Word::Unit(Unit::Month)),
    ("forever", Word::Forever),
    ("indefinitely", Word::Forever),
    ("resume", Word::Forever),
    ("every", Word::Noise),
    ("each", Word::Noise),
    ("at", Word::Noise),
    ("on", Word::Noise),
    ("in", Word::Noise),
    ("the", Word::Noise),
    ("of", Word::Noise),
    ("and", Word::Noise),
    ("for", Word::Noise),
    ("until", Word::Noise),
    ("till", Word::Noise),
    ("next", Word::Noise),
    ("o'clock", Word::Noise),
    ("oclock", Word::Noise),
    ("st", Word::Noise),
    ("nd", Word::Noise),
    ("rd", Word::Noise),
    ("th", Word::Noise),
];

/// Several words that mean what one does.
const PAIRS: &[(&str, &str)] = &[
    ("a.m.", "am "),
    ("p.m.", "pm "),
    ("day after tomorrow", "后天"),
    ("working days", "weekdays"),
    ("business days", "weekdays"),
    ("every day", "daily"),
    ("each day", "daily"),
    ("every hour", "hourly"),
    ("round-up", "roundup"),
    ("next week", "下周"),
    ("next month", "下月"),
];

/// Chinese words, a longer one before its beginning.
const CHINESE: &[(&str, Word)] = &[
    ("工作日", Word::Weekdays),
    ("平日", Word::Weekdays),
    ("周末", Word::Weekends),
    ("週末", Word::Weekends),
    ("每天", Word::Daily),
    ("每日", Word::Daily),
    ("天天", Word::Daily),
    ("每小时", Word::Hourly),
    ("每个小时", Word::Hourly),
    ("每周回顾", Word::Weekly),
    ("每周汇总", Word::Weekly),
    ("一周精选", Word::Weekly),
    ("周报", Word::Weekly),
    ("早上", Word::HalfBefore(Half::Morning)),
    ("早晨", Word::HalfBefore(Half::Morning)),
    ("上午", Word::HalfBefore(Half::Morning)),
    ("清晨", Word::HalfBefore(Half::Morning)),
    ("早", Word::HalfBefore(Half::Morning)),
    ("中午", Word::HalfBefore(Half::Midday)),
    ("下午", Word::HalfBefore(Half::Afternoon)),
    ("傍晚", Word::HalfBefore(Half::Evening)),
    ("晚上", Word::HalfBefore(Half::Evening)),
    ("晚", Word::HalfBefore(Half::Evening)),
    ("凌晨", Word::HalfBefore(Half::Small)),
    ("正午", Word::Noon),
    ("午夜", Word::Midnight),
    ("点钟", Word::OClock),
    ("点整", Word::OClock),
    ("点", Word::OClock),
    ("點", Word::OClock),
    ("时", Word::OClock),
    ("半", Word::Past(30)),
    ("一刻", Word::Past(15)),
    ("三刻", Word::Past(45)),
    ("分", Word::Minute),
    ("关闭", Word::Off),
    ("停用", Word::Off),
    ("取消", Word::Off),
    ("停止", Word::Off),
    ("关", Word::Off),
    ("查看", Word::Show),
    ("今天", Word::Today),
    ("大后天", Word::Ahead(3)),
    ("后天", Word::Ahead(2)),
    ("明天", Word::Ahead(1)),
    ("明日", Word::Ahead(1)),
    ("下个月", Word::NextMonth),
    ("下月", Word::NextMonth),
    ("个小时", Word::Unit(Unit::Hour)),
    ("小时", Word::Unit(Unit::Hour)),
    ("个月", Word::Unit(Unit::Month)),
    ("天", Word::Unit(Unit::Day)),
    ("月", Word::MonthMark),
    ("日", Word::DayMark),
    ("号", Word::DayMark),
    ("年", Word::YearMark),
    ("恢复", Word::Forever),
    ("直到", Word::Noise),
    ("为止", Word::Noise),
    ("之前", Word::Noise),
    ("前", Word::Noise),
    ("每", Word::Noise),
    ("的", Word::Noise),
    ("在", Word::Noise),
    ("和", Word::Noise),
    ("于", Word::Noise),
];

/// Words before which a weekday's number may stand; alone, what is in the second place.
const WEEKS: &[(&str, Option<Word>, Word)] = &[
    ("下个星期", Some(Word::NextWeek), Word::NextWeek),
    ("下星期", Some(Word::NextWeek), Word::NextWeek),
    ("下礼拜", Some(Word::NextWeek), Word::NextWeek),
    ("下周", Some(Word::NextWeek), Word::NextWeek),
    ("本周", Some(Word::ThisWeek), Word::ThisWeek),
    ("这周", Some(Word::ThisWeek), Word::ThisWeek),
    ("每星期", None, Word::Weekly),
    ("每周", None, Word::Weekly),
    ("个星期", None, Word::Unit(Unit::Week)),
    ("星期", None, Word::Unit(Unit::Week)),
    ("礼拜", None, Word::Unit(Unit::Week)),
    ("周", None, Word::Unit(Unit::Week)),
    ("週", None, Word::Unit(Unit::Week)),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A number and how many digits it was written with.
    Number(u32, usize),
    Word(Word),
    Colon,
    Comma,
    Dash,
    Slash,
    Dot,
    /// A run of characters that mean nothing here.
    Strange,
}

#[derive(Debug, Clone, Copy)]
struct Token<'a> {
    kind: Kind,
    /// As it stands in the folded phrase.
    text: &'a str,
    /// Where that begins.
    at: usize,
}

/// The phrase as it is read: folded, without what cannot be seen.
fn plain(text: &str) -> Result<String> {
    if text.chars().nth(MAX_PHRASE).is_some() {
        return Err(PhraseError::TooLong);
    }
    let seen = |c: &char| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}');
    let folded: String = fold(text).chars().filter(seen).collect();
    // A few characters fold to many.
    if folded.chars().nth(4 * MAX_PHRASE).is_some() {
        return Err(PhraseError::TooLong);
    }
    let mut plain = one_line(&folded);
    for (pair, word) in PAIRS {
        plain = plain.replace(pair, word);
    }
    Ok(plain.trim().to_owned())
}

/// The day of the week of a Chinese numeral or of 1 to 7.
fn weekday(c: char) -> Option<Weekday> {
    Some(match c {
        '一' | '1' => Weekday::Mon,
        '二' | '2' => Weekday::Tue,
        '三' | '3' => Weekday::Wed,
        '四' | '4' => Weekday::Thu,
        '五' | '5' => Weekday::Fri,
        '六' | '6' => Weekday::Sat,
        '日' | '天' | '7' => Weekday::Sun,
        _ => return None,
    })
}

const NUMERALS: &str = "零〇一二两三四五六七八九十";

/// Up to 99, as it is spoken.
fn spoken(text: &str) -> Option<u32> {
    let digit = |text: &str| {
        let mut chars = text.chars();
        let value = match chars.next()? {
            '零' | '〇' => 0,
            '两' => 2,
            c => u32::try_from("一二三四五六七八九".chars().position(|d| d == c)?).ok()? + 1,
        };
        chars.next().is_none().then_some(value)
    };
    match text.split_once('十') {
        None => digit(text).or_else(|| digit(text.strip_prefix(['零', '〇'])?)),
        Some((tens, ones)) => {
            let tens = if tens.is_empty() { 1 } else { digit(tens)? };
            let ones = if ones.is_empty() { 0 } else { digit(ones)? };
            Some(tens * 10 + ones)
        }
    }
}

/// The first `n` bytes of a text, which end at a character.
fn split(text: &str, n: usize) -> (&str, &str) {
    text.split_at_checked(n).unwrap_or((text, ""))
}

fn run(text: &str, inside: impl Fn(char) -> bool) -> usize {
    text.find(|c: char| !inside(c)).unwrap_or(text.len())
}

fn tokens(phrase: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = phrase;
    // After 周一 a bare 三 is a Wednesday.
    let mut in_week = false;
    while !rest.is_empty() {
        let at = phrase.len() - rest.len();
        let (kinds, length) = first_token(rest, in_week);
        let (text, after) = split(rest, length);
        match kinds.last() {
            Some(Kind::Word(Word::Day(_))) => in_week = !text.is_ascii(),
            Some(Kind::Comma | Kind::Dash) | None => {}
            Some(_) => in_week = false,
        }
        found.extend(kinds.into_iter().map(|kind| Token { kind, text, at }));
        rest = after;
    }
    found
}

/// What a text begins with, and its length, which is not 0. Nothing for white space, two for 下周一.
fn first_token(rest: &str, in_week: bool) -> (Vec<Kind>, usize) {
    let Some(first) = rest.chars().next() else {
        return (Vec::new(), 1);
    };
    let one = first.len_utf8();
    if first.is_whitespace() {
        return (Vec::new(), one);
    }
    if first.is_ascii_digit() {
        let length = run(rest, |c| c.is_ascii_digit());
        let number = split(rest, length).0.parse().ok().filter(|_| length <= 8);
        return (
            vec![number.map_or(Kind::Strange, |number| Kind::Number(number, length))],
            length,
        );
    }
    if first.is_ascii_alphabetic() {
        let length = run(rest, |c| c.is_ascii_alphabetic() || c == '\'');
        let text = split(rest, length).0;
        let word = LATIN.iter().find(|(name, _)| *name == text);
        let other = if text == "to" { Kind::Dash } else { Kind::Strange };
        return (vec![word.map_or(other, |(_, word)| Kind::Word(*word))], length);
    }
    if let Some(day) = weekday(first).filter(|_| in_week && stands_alone(split(rest, one).1)) {
        return (vec![Kind::Word(Word::Day(day))], one);
    }
    let word = CHINESE
        .iter()
        .filter(|(name, _)| rest.starts_with(name))
        .max_by_key(|(name, _)| name.len());
    let week = WEEKS.iter().find(|(name, ..)| rest.starts_with(name));
    match (word, week) {
        (Some((name, word)), week) if week.is_none_or(|(week, ..)| week.len() <= name.len()) => {
            return (vec![Kind::Word(*word)], name.len());
        }
        (_, Some((name, marker, alone))) => {
            let after = split(rest, name.len()).1;
            // 周1 is Monday; 周 10:00 and 周9点 are not days.
            let clock = after.starts_with(|c: char| c.is_ascii_digit())
                && (run(after, |c| c.is_ascii_digit()) > 1 || split(after, 1).1.starts_with([':', '点']));
            let day = after.chars().next().filter(|_| !clock);
            return match day.and_then(|c| Some((weekday(c)?, c.len_utf8()))) {
                Some((day, length)) => {
                    let marker = marker.map(Kind::Word);
                    let kinds = marker.into_iter().chain([Kind::Word(Word::Day(day))]);
                    (kinds.collect(), name.len() + length)
                }
                None => (vec![Kind::Word(*alone)], name.len()),
            };
        }
        (Some(_) | None, None) => {}
    }
    if NUMERALS.contains(first) {
        let length = run(rest, |c| NUMERALS.contains(c));
        let number = spoken(split(rest, length).0);
        return (
            vec![number.map_or(Kind::Strange, |number| Kind::Number(number, 0))],
            length,
        );
    }
    let kind = match first {
        ':' | '∶' => Kind::Colon,
        ',' | '、' | ';' | '&' | '及' | '|' => Kind::Comma,
        '-' | '–' | '—' | '~' | '至' | '到' => Kind::Dash,
        '/' => Kind::Slash,
        '.' => Kind::Dot,
        _ => {
            let known = |text: &str| {
                text.starts_with(|c: char| c.is_whitespace() || c.is_ascii_alphanumeric() || ",、;".contains(c))
                    || CHINESE.iter().any(|(name, _)| text.starts_with(name))
                    || WEEKS.iter().any(|(name, ..)| text.starts_with(name))
            };
            let end = rest.char_indices().skip(1).find(|(at, _)| known(split(rest, *at).1));
            return (vec![Kind::Strange], end.map_or(rest.len(), |(at, _)| at));
        }
    };
    (vec![kind], one)
}

/// Whether a numeral before this can be a weekday: it is not the hour of 三点 and not the beginning of 二十点.
fn stands_alone(after: &str) -> bool {
    after.chars().next().is_none_or(|c| {
        c.is_whitespace() || ",、;-~至到和&及".contains(c) || (weekday(c).is_some() && !c.is_ascii_digit())
    })
}

/// Reads tokens from left to right.
struct Reader<'a> {
    phrase: &'a str,
    tokens: Vec<Token<'a>>,
    next: usize,
}

impl<'a> Reader<'a> {
    fn new(phrase: &'a str) -> Self {
        Self {
            phrase,
            tokens: tokens(phrase),
            next: 0,
        }
    }

    fn peek(&self, ahead: usize) -> Option<Kind> {
        self.tokens.get(self.next + ahead).map(|token| token.kind)
    }

    /// The text of the next token.
    fn text(&self) -> &'a str {
        self.tokens.get(self.next).map_or("", |token| token.text)
    }

    fn take(&mut self) -> Option<Token<'a>> {
        let token = self.tokens.get(self.next).copied();
        self.next += usize::from(token.is_some());
        token
    }

    /// Takes the next token if it is this word.
    fn word(&mut self, word: Word) -> bool {
        let it_is = self.peek(0) == Some(Kind::Word(word));
        self.next += usize::from(it_is);
        it_is
    }

    /// The phrase from one token to before the next one.
    fn since(&self, first: usize) -> String {
        let begin = self.tokens.get(first).map_or(self.phrase.len(), |token| token.at);
        let end = self.next.checked_sub(1).and_then(|last| self.tokens.get(last));
        let end = end.map_or(self.phrase.len(), |token| token.at + token.text.len());
        short(self.phrase.get(begin..end).unwrap_or_default())
    }

    /// The numbers of a date's form from here on, which takes so many tokens.
    fn numbers<const N: usize>(&self, forms: &[[Kind; N]]) -> Option<Vec<(u32, usize)>> {
        forms.iter().find_map(|form| {
            let mut numbers = Vec::new();
            for (ahead, wanted) in form.iter().enumerate() {
                match (self.peek(ahead)?, wanted) {
                    (Kind::Number(value, digits), Kind::Number(..)) => numbers.push((value, digits)),
                    (kind, wanted) if kind == *wanted => {}
                    _ => return None,
                }
            }
            Some(numbers)
        })
    }

    /// A time of day that begins here. `None` when none does; whether a bare number is one is the caller's to say.
    fn time(&mut self, bare: bool) -> Result<Option<NaiveTime>> {
        let start = self.next;
        let mut half = None;
        if let Some(Kind::Word(Word::HalfBefore(before))) = self.peek(0) {
            self.next += 1;
            half = Some(before);
        }
        let (mut hour, minute) = match (self.peek(0), self.peek(1)) {
            (Some(Kind::Word(Word::Noon)), _) if half.is_none() => {
                self.next += 1;
                return Ok(NaiveTime::from_hms_opt(12, 0, 0));
            }
            (Some(Kind::Word(Word::Midnight)), _) if half.is_none() => {
                self.next += 1;
                return Ok(NaiveTime::from_hms_opt(0, 0, 0));
            }
            (Some(Kind::Number(hour, 0..=2)), Some(Kind::Colon | Kind::Dot)) => {
                self.next += 2;
                match self.take().map(|token| token.kind) {
                    Some(Kind::Number(minute, 2)) => (hour, minute),
                    _ => {
                        return Err(PhraseError::NoSuchTime {
                            what: self.since(start),
                        });
                    }
                }
            }
            (Some(Kind::Number(hour, 0..=2)), Some(Kind::Word(Word::OClock))) => {
                self.next += 2;
                match (self.peek(0), self.peek(1)) {
                    (Some(Kind::Word(Word::Past(minute))), _) => {
                        self.next += 1;
                        (hour, minute)
                    }
                    (Some(Kind::Number(minute, digits)), after) => {
                        // 9点30 and 9点05分, and after 9点 a number of its own.
                        if after == Some(Kind::Word(Word::Minute)) {
                            self.next += 2;
                            (hour, minute)
                        } else if matches!(digits, 0 | 2)
                            && !matches!(after, Some(Kind::Colon | Kind::Word(Word::OClock)))
                        {
                            self.next += 1;
                            (hour, minute)
                        } else {
                            (hour, 0)
                        }
                    }
                    _ => (hour, 0),
                }
            }
            (Some(Kind::Number(clock, 3 | 4)), _) if bare || half.is_some() => {
                self.next += 1;
                (clock / 100, clock % 100)
            }
            (Some(Kind::Number(hour, 0..=2)), after) => {
                let followed = matches!(after, Some(Kind::Word(Word::HalfAfter(_))));
                if !bare && half.is_none() && !followed {
                    return Ok(None);
                }
                self.next += 1;
                (hour, 0)
            }
            _ if half == Some(Half::Midday) => return Ok(NaiveTime::from_hms_opt(12, 0, 0)),
            _ => {
                self.next = start;
                return Ok(None);
            }
        };
        while self.word(Word::Noise) {}
        if half.is_none()
            && let Some(Kind::Word(Word::HalfAfter(after))) = self.peek(0)
        {
            self.next += 1;
            half = Some(after);
        }
        let wrong = |reader: &Self| {
            Err(PhraseError::NoSuchTime {
                what: reader.since(start),
            })
        };
        hour = match (half, hour) {
            (None, _) => hour,
            (Some(Half::Am | Half::Small), 12) => 0,
            (Some(Half::Am | Half::Morning), 0..12) | (Some(Half::Small), 0..=6) => hour,
            (Some(Half::Pm | Half::Afternoon), 1..12) | (Some(Half::Evening), 4..12) => hour + 12,
            (Some(Half::Pm | Half::Afternoon), 12..24) | (Some(Half::Evening), 16..24) => hour,
            (Some(Half::Midday), 11..=14) => hour,
            (Some(Half::Midday), 1 | 2) => hour + 12,
            (Some(_), _) => return wrong(self),
        };
        match NaiveTime::from_hms_opt(hour, minute, 0) {
            Some(time) => Ok(Some(time)),
            None => wrong(self),
        }
    }

    /// What stands here is not understood.
    fn unknown(&self, token: Token<'_>) -> PhraseError {
        PhraseError::Unknown {
            what: short(token.text),
            near: near(token.text),
        }
    }
}

/// At most forty characters, for an answer.
fn short(text: &str) -> String {
    text.trim().chars().take(40).collect()
}

/// The word that was meant, if one is near.
fn near(text: &str) -> Option<&'static str> {
    let length = text.chars().count();
    let most = match length {
        0..=2 => return None,
        3..=4 => 1,
        5..=14 => 2,
        _ => return None,
    };
    LATIN
        .iter()
        .filter(|(name, word)| name.len() > 2 && *word != Word::Noise)
        .map(|(name, _)| (strsim::damerau_levenshtein(text, name), *name))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Reads what follows `/schedule`: `weekdays 9am`, `mon,thu 18:30`, `每周五 下午5点`, `cron 0 9 * * 1-5`, `off`,
/// `weekly fri 17:00`, `9:00,18:00 Berlin`. Days without a time are meant at nine.
///
/// # Errors
/// Names what is not understood.
pub fn schedule(text: &str) -> Result<ScheduleChange> {
    let phrase = plain(text)?;
    if let Some(expression) = cron_of(text, &phrase) {
        let schedule = Schedule::parse(expression.trim().trim_matches('`'))?;
        return Ok(ScheduleChange::Posts { schedule, zone: None });
    }
    let (rest, zone) = leading_zone(&phrase)?;
    let mut times = Times {
        zone,
        ..Times::default()
    };
    times.read(&mut Reader::new(rest))?;
    times.change(rest)
}

/// The expression of a phrase that is one. As it was typed, unless only the folded phrase shows what it is.
fn cron_of<'a>(text: &'a str, phrase: &'a str) -> Option<&'a str> {
    let text = text.trim();
    let typed = text
        .split_at_checked(5)
        .filter(|(word, _)| word.eq_ignore_ascii_case("cron "));
    match (typed, phrase.strip_prefix("cron ")) {
        (Some((_, expression)), _) | (None, Some(expression)) => Some(expression),
        (None, None) => (phrase.starts_with('@') || phrase.contains('*')).then_some(phrase),
    }
}

/// A zone before the time: `New York 9:00`, 北京时间9点.
fn leading_zone(phrase: &str) -> Result<(&str, Option<Tz>)> {
    let Some(first) = tokens(phrase)
        .into_iter()
        .next()
        .filter(|token| token.kind == Kind::Strange)
    else {
        return Ok((phrase, None));
    };
    let word = Some(first.text.len());
    let time = phrase.find("时间").map(|at| at + "时间".len());
    // No name that is known has more than four words.
    let words = phrase.match_indices(' ').map(|(at, _)| at).take(4);
    for end in time.into_iter().chain(words).chain(word) {
        let (name, rest) = split(phrase, end);
        match zone::find(name) {
            Ok(zone) => return Ok((rest, Some(zone))),
            Err(error @ (ZoneError::Ambiguous { .. } | ZoneError::NoSuchOffset { .. })) => return Err(error.into()),
            Err(ZoneError::Empty | ZoneError::TooLong | ZoneError::Unknown { .. }) => {}
        }
    }
    Ok((phrase, None))
}

#[derive(Default)]
struct Times {
    /// Days with their times: `mon 9:00, thu 18:30` is two groups.
    groups: Vec<Group>,
    hourly: bool,
    weekly: bool,
    off: bool,
    show: bool,
    zone: Option<Tz>,
}

#[derive(Default)]
struct Group {
    days: BTreeSet<u32>,
    times: BTreeSet<NaiveTime>,
    /// Whether a time came before the days.
    times_first: bool,
}

const ALL_DAYS: [u32; 7] = [0, 1, 2, 3, 4, 5, 6];

/// As cron counts: from Sunday.
fn number(day: Weekday) -> u32 {
    day.num_days_from_sunday()
}

impl Times {
    /// The group that what comes now belongs to; a new one where both its kinds are there in the order they came in.
    fn group(&mut self, ends: impl Fn(&Group) -> bool) -> Option<&mut Group> {
        if self.groups.last().is_none_or(ends) {
            self.groups.push(Group::default());
        }
        self.groups.last_mut()
    }

    fn add_days(&mut self, days: impl IntoIterator<Item = u32>) {
        if let Some(group) = self.group(|group| !group.times_first && !group.times.is_empty()) {
            group.days.extend(days);
        }
    }

    fn add_time(&mut self, time: NaiveTime) {
        if let Some(group) = self.group(|group| group.times_first && !group.days.is_empty()) {
            group.times_first |= group.days.is_empty();
            group.times.insert(time);
        }
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        while let Some(kind) = reader.peek(0) {
            if let Some(time) = reader.time(true)? {
                self.add_time(time);
                continue;
            }
            let Some(token) = reader.take() else { break };
            match kind {
                Kind::Word(Word::Day(first)) => {
                    let last = self.range_end(reader)?;
                    let mut days = vec![number(first)];
                    let mut day = first;
                    while last.is_some_and(|last| last != day) {
                        day = day.succ();
                        days.push(number(day));
                    }
                    self.add_days(days);
                }
                Kind::Word(Word::Weekdays) => self.add_days(1..=5),
                Kind::Word(Word::Weekends) => self.add_days([0, 6]),
                Kind::Word(Word::Daily) => self.add_days(ALL_DAYS),
                Kind::Word(Word::Hourly) => self.hourly = true,
                Kind::Word(Word::Weekly) => self.weekly = true,
                Kind::Word(Word::Off) => self.off = true,
                Kind::Word(Word::Show) => self.show = true,
                Kind::Word(Word::Noise) | Kind::Comma => {}
                Kind::Strange => {
                    // A zone stands at the end or nowhere.
                    let rest = reader.phrase.get(token.at..).unwrap_or_default();
                    match zone::find(rest) {
                        Ok(zone) => {
                            self.zone = Some(zone);
                            return Ok(());
                        }
                        Err(error @ (ZoneError::Ambiguous { .. } | ZoneError::NoSuchOffset { .. })) => {
                            return Err(error.into());
                        }
                        Err(ZoneError::Empty | ZoneError::TooLong | ZoneError::Unknown { .. }) => {
                            return Err(reader.unknown(token));
                        }
                    }
                }
                Kind::Number(..) => {
                    return Err(PhraseError::NoSuchTime {
                        what: short(token.text),
                    });
                }
                Kind::Word(_) | Kind::Colon | Kind::Dash | Kind::Slash | Kind::Dot => return Err(reader.unknown(token)),
            }
        }
        Ok(())
    }

    /// The day behind a dash.
    fn range_end(&self, reader: &mut Reader<'_>) -> Result<Option<Weekday>> {
        if reader.peek(0) != Some(Kind::Dash) {
            return Ok(None);
        }
        let dash = reader.take();
        match (reader.peek(0), reader.peek(1)) {
            (Some(Kind::Word(Word::Day(day))), _) => {
                reader.next += 1;
                Ok(Some(day))
            }
            // 周1-5 9点
            (Some(Kind::Number(day @ 1..=7, 1)), after)
                if !matches!(after, Some(Kind::Colon | Kind::Word(Word::OClock | Word::HalfAfter(_)))) =>
            {
                reader.next += 1;
                Ok(char::from_digit(day, 10).and_then(weekday))
            }
            _ => Err(match reader.take().or(dash) {
                Some(token) => reader.unknown(token),
                None => PhraseError::NoTime,
            }),
        }
    }

    fn change(self, phrase: &str) -> Result<ScheduleChange> {
        if self.off {
            return match (self.groups.is_empty() && !self.hourly, self.weekly) {
                (true, true) => Ok(ScheduleChange::WeeklyOff),
                (true, false) => Ok(ScheduleChange::Off),
                (false, _) => Err(PhraseError::Unknown {
                    what: short(phrase),
                    near: Some("off"),
                }),
            };
        }
        let zone = self.zone;
        if self.weekly {
            let groups = match self.groups.is_empty() {
                true => vec![Group::default()],
                false => self.groups,
            };
            let schedule = expression(
                groups,
                &[number(Weekday::Fri)],
                NaiveTime::from_hms_opt(17, 0, 0),
                phrase,
            )?;
            return Ok(ScheduleChange::Weekly { schedule, zone });
        }
        if self.hourly {
            return if self.groups.is_empty() {
                let schedule = Schedule::parse(HOURLY)?;
                Ok(ScheduleChange::Posts { schedule, zone })
            } else {
                Err(PhraseError::TooMany)
            };
        }
        if self.groups.is_empty() {
            return if phrase.trim().is_empty() && zone.is_none() || self.show {
                Ok(ScheduleChange::Show)
            } else {
                Err(PhraseError::NoTime)
            };
        }
        let schedule = expression(self.groups, &ALL_DAYS, NaiveTime::from_hms_opt(9, 0, 0), phrase)?;
        Ok(ScheduleChange::Posts { schedule, zone })
    }
}

const HOURLY: &str = "0 * * * *";

/// These groups as cron has them: an expression for each minute of the hour. A group without days means `days`, one
/// without a time `time`.
fn expression(groups: Vec<Group>, days: &[u32], time: Option<NaiveTime>, phrase: &str) -> Result<Schedule> {
    let lonely = groups.len() > 1 && groups.iter().any(|group| group.days.is_empty());
    if lonely {
        // `9:00 mon 10:00`: on which days at ten?
        return Err(PhraseError::Unknown {
            what: short(phrase),
            near: None,
        });
    }
    let mut merged: Vec<Group> = Vec::new();
    for mut group in groups {
        if group.days.is_empty() {
            group.days.extend(days);
        }
        if group.times.is_empty() {
            group.times.extend(time);
        }
        match merged.iter_mut().find(|known| known.days == group.days) {
            Some(known) => known.times.extend(group.times),
            None => merged.push(group),
        }
    }
    let list = |numbers: &BTreeSet<u32>| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let mut expressions = Vec::new();
    for Group { days, times, .. } in &merged {
        let days = match days.iter().copied().collect::<Vec<_>>().as_slice() {
            [0, 1, 2, 3, 4, 5, 6] => "*".to_owned(),
            [1, 2, 3, 4, 5] => "1-5".to_owned(),
            _ => list(days),
        };
        let mut by_minute: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for time in times {
            by_minute.entry(time.minute()).or_default().insert(time.hour());
        }
        let of_group = by_minute.iter();
        expressions.extend(of_group.map(|(minute, hours)| format!("{minute} {} * * {days}", list(hours))));
    }
    // All its fields are possible ones, so that only its length can be wrong.
    Schedule::parse(&expressions.join("; ")).map_err(|_| PhraseError::TooMany)
}

/// The schedule as people say it, where it is times on days of the week: “weekdays at 09:00”. Others are `cron` and the
/// expression. [`schedule`] reads all of it back.
pub fn describe(schedule: &Schedule, lang: Lang) -> String {
    simple(&schedule.text, lang).unwrap_or_else(|| format!("cron {schedule}"))
}

/// Hours with minutes.
type Clocks = BTreeSet<(u32, u32)>;

fn simple(text: &str, lang: Lang) -> Option<String> {
    if text == HOURLY {
        return Some(lang.pick("每小时", "hourly").to_owned());
    }
    let mut groups: Vec<(BTreeSet<u32>, Clocks)> = Vec::new();
    for expression in text.split(';') {
        let [minute, hour, "*", "*", weekday] = *expression.split_whitespace().collect::<Vec<_>>() else {
            return None;
        };
        if minute.contains(['*', '/', '-']) || hour.contains(['*', '/', '-']) || weekday.contains('/') {
            return None;
        }
        let (minutes, hours) = (
            super::read(&super::MINUTE, minute).ok()?,
            super::read(&super::HOUR, hour).ok()?,
        );
        let days = super::read(&super::WEEKDAY, weekday).ok()?;
        let days: BTreeSet<u32> = days.values.iter().map(|day| day % 7).collect();
        let times = hours
            .values
            .iter()
            .flat_map(|hour| minutes.values.iter().map(|minute| (*hour, *minute)));
        match groups.iter_mut().find(|(known, _)| *known == days) {
            Some((_, known)) => known.extend(times),
            None => groups.push((days, times.collect())),
        }
    }
    if groups.iter().map(|(_, times)| times.len()).sum::<usize>() > MOST_DESCRIBED {
        return None;
    }
    let said: Vec<String> = groups.iter().map(|(days, times)| say(days, times, lang)).collect();
    Some(said.join(lang.pick("；", "; ")))
}

/// More times than that are easier to read as an expression.
const MOST_DESCRIBED: usize = 8;

const DAY_NAMES: [(&str, &str); 7] = [
    ("周日", "Sun"),
    ("周一", "Mon"),
    ("周二", "Tue"),
    ("周三", "Wed"),
    ("周四", "Thu"),
    ("周五", "Fri"),
    ("周六", "Sat"),
];

fn say(days: &BTreeSet<u32>, times: &Clocks, lang: Lang) -> String {
    let times: Vec<String> = times
        .iter()
        .map(|(hour, minute)| format!("{hour:02}:{minute:02}"))
        .collect();
    let times = times.join(lang.pick("、", ", "));
    let days = match days.iter().copied().collect::<Vec<_>>().as_slice() {
        [0, 1, 2, 3, 4, 5, 6] => lang.pick("每天", "daily").to_owned(),
        [1, 2, 3, 4, 5] => lang.pick("工作日", "weekdays").to_owned(),
        [0, 6] => lang.pick("周末", "weekends").to_owned(),
        _ => {
            // Sunday ends the week.
            let order = (1..=6).chain([0]).filter(|day| days.contains(day));
            let names = order.filter_map(|day| DAY_NAMES.get(usize::try_from(day).ok()?));
            let names: Vec<&str> = names.map(|(zh, en)| lang.pick(*zh, *en)).collect();
            names.join(lang.pick("、", ", "))
        }
    };
    lang.pick(format!("{days} {times}"), format!("{days} at {times}"))
}

/// Reads when a pause ends: `monday`, `until tomorrow 9am`, `2025-12-01`, `3 days`, `下周一`, `12月1日`. A day means its
/// beginning in `zone`; a number of days or weeks means the same time of day then, so that as many daily posts are left
/// out. Nothing, and `forever`, is `None`: until somebody ends it. What comes back is later than `now`.
///
/// # Errors
/// Names what is not understood, and refuses what has passed already.
pub fn until(text: &str, zone: Tz, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    let phrase = plain(text)?;
    let here = now.with_timezone(&zone).naive_local();
    let mut reader = Reader::new(&phrase);
    let (mut end, mut time, mut forever) = (None, None, false);
    while let Some(kind) = reader.peek(0) {
        // 到 and `to`; a sign before a number is none.
        let leads = kind == Kind::Dash && !reader.text().starts_with(['-', '–', '—', '~']);
        if leads || matches!(kind, Kind::Word(Word::Noise) | Kind::Comma | Kind::Slash) {
            reader.next += 1;
            continue;
        }
        if kind == Kind::Word(Word::Forever) {
            reader.next += 1;
            forever = true;
            continue;
        }
        let found = match reader.span(here)? {
            Some(at) => Some(End::At(at)),
            None => reader.date(here.date())?.map(End::Day),
        };
        if let Some(found) = found {
            if end.replace(found).is_some() {
                return Err(PhraseError::TwoEnds);
            }
            continue;
        }
        match reader.time(false)? {
            Some(at) => {
                if time.replace(at).is_some() {
                    return Err(PhraseError::TwoEnds);
                }
            }
            None => {
                if let Some(token) = reader.take() {
                    return Err(reader.unknown(token));
                }
            }
        }
    }
    let wall = match (end, time, forever) {
        (None, None, _) => {
            return if forever || phrase.is_empty() {
                Ok(None)
            } else {
                Err(PhraseError::NoTime)
            };
        }
        (Some(_), _, true) | (_, Some(_), true) | (Some(End::At(_)), Some(_), _) => return Err(PhraseError::TwoEnds),
        (Some(End::At(at)), None, false) => Some(at),
        (Some(End::Day(day)), time, false) => Some(day.and_time(time.unwrap_or_default())),
        (None, Some(time), false) => {
            let today = here.date().and_time(time);
            if today > here {
                Some(today)
            } else {
                today.checked_add_days(Days::new(1))
            }
        }
    };
    let at = wall
        .filter(|wall| (1970..=2200).contains(&wall.year()))
        .and_then(|wall| resolve(zone, wall))
        .ok_or(PhraseError::TooFar)?;
    if at <= now {
        return Err(PhraseError::Past(at));
    }
    if at - now > TimeDelta::days(MAX_PAUSE) {
        return Err(PhraseError::TooFar);
    }
    Ok(Some(at))
}

enum End {
    Day(NaiveDate),
    At(chrono::NaiveDateTime),
}

impl Reader<'_> {
    /// `3 days`, 两周: so long from `here`.
    fn span(&mut self, here: chrono::NaiveDateTime) -> Result<Option<chrono::NaiveDateTime>> {
        let (Some(Kind::Number(n, digits)), Some(Kind::Word(Word::Unit(unit)))) = (self.peek(0), self.peek(1)) else {
            return Ok(None);
        };
        if digits > 4 {
            return Err(PhraseError::TooFar);
        }
        self.next += 2;
        let end = match unit {
            Unit::Hour => here.checked_add_signed(TimeDelta::hours(n.into())),
            Unit::Day => here.checked_add_days(Days::new(n.into())),
            Unit::Week => here.checked_add_days(Days::new(u64::from(n) * 7)),
            Unit::Month => here.checked_add_months(Months::new(n)),
        };
        end.map(Some).ok_or(PhraseError::TooFar)
    }

    /// A day of the calendar that begins here.
    fn date(&mut self, today: NaiveDate) -> Result<Option<NaiveDate>> {
        const N: Kind = Kind::Number(0, 0);
        const YEAR: Kind = Kind::Word(Word::YearMark);
        const MONTH: Kind = Kind::Word(Word::MonthMark);
        const DAY: Kind = Kind::Word(Word::DayMark);
        let start = self.next;
        let ahead = |days| today.checked_add_days(Days::new(days));
        let monday = || {
            let back = today.weekday().num_days_from_monday();
            today.checked_sub_days(Days::new(back.into()))
        };
        let in_week = |monday: Option<NaiveDate>, weeks: u64, day: Weekday| {
            monday?.checked_add_days(Days::new(weeks * 7 + u64::from(day.num_days_from_monday())))
        };
        let full = [
            [N, Kind::Dash, N, Kind::Dash, N],
            [N, Kind::Slash, N, Kind::Slash, N],
            [N, Kind::Dot, N, Kind::Dot, N],
        ];
        let day = match self.peek(0) {
            Some(Kind::Word(Word::Today)) => {
                self.next += 1;
                Some(today)
            }
            Some(Kind::Word(Word::Ahead(days))) => {
                self.next += 1;
                ahead(days)
            }
            Some(Kind::Word(Word::Day(day))) => {
                self.next += 1;
                // The next one: on a Monday, “monday” is in a week.
                let days = (day.num_days_from_monday() + 6 - today.weekday().num_days_from_monday()) % 7 + 1;
                ahead(days.into())
            }
            Some(Kind::Word(week @ (Word::NextWeek | Word::ThisWeek))) => {
                self.next += 1;
                let weeks = u64::from(week == Word::NextWeek);
                match self.peek(0) {
                    Some(Kind::Word(Word::Day(day))) => {
                        self.next += 1;
                        in_week(monday(), weeks, day)
                    }
                    _ => in_week(monday(), weeks, Weekday::Mon),
                }
            }
            Some(Kind::Word(Word::NextMonth)) => {
                self.next += 1;
                today
                    .with_day(1)
                    .and_then(|first| first.checked_add_months(Months::new(1)))
            }
            Some(Kind::Word(Word::Month(month))) => {
                self.next += 1;
                let Some(Kind::Number(day, 1 | 2)) = self.peek(0) else {
                    return Err(PhraseError::NoSuchDay {
                        what: self.since(start),
                    });
                };
                self.next += 1;
                self.of_month(today, month, day)
            }
            Some(Kind::Number(day, 1 | 2)) if self.month_ahead().is_some() => {
                let (ahead, month) = self.month_ahead().unwrap_or_default();
                self.next += ahead + 1;
                self.of_month(today, month, day)
            }
            Some(Kind::Number(..)) => {
                if let Some(numbers) = self.numbers(&full) {
                    self.next += 5;
                    match *numbers.as_slice() {
                        [(year, 4), (month, _), (day, _)] => ymd(year, month, day),
                        _ => None,
                    }
                } else if let Some(numbers) = self.numbers(&[[N, YEAR, N, MONTH, N, DAY]]) {
                    self.next += 6;
                    match *numbers.as_slice() {
                        [(year, 4), (month, _), (day, _)] => ymd(year, month, day),
                        _ => None,
                    }
                } else if let Some(numbers) = self.numbers(&[[N, MONTH, N, DAY]]) {
                    self.next += 4;
                    match *numbers.as_slice() {
                        [(month, _), (day, _)] => next_day(today, month, day),
                        _ => None,
                    }
                } else {
                    return Ok(None);
                }
            }
            _ => return Ok(None),
        };
        day.map(Some).ok_or_else(|| PhraseError::NoSuchDay {
            what: self.since(start),
        })
    }

    /// The month of `1st of december`, and how many tokens are before it.
    fn month_ahead(&self) -> Option<(usize, u32)> {
        let ahead = (1..=3).find(|ahead| self.peek(*ahead) != Some(Kind::Word(Word::Noise)))?;
        let Kind::Word(Word::Month(month)) = self.peek(ahead)? else {
            return None;
        };
        Some((ahead, month))
    }

    /// A day and a month by name, and the year if it follows.
    fn of_month(&mut self, today: NaiveDate, month: u32, day: u32) -> Option<NaiveDate> {
        let ahead = (0..=2).find(|ahead| !matches!(self.peek(*ahead), Some(Kind::Comma | Kind::Word(Word::Noise))))?;
        match self.peek(ahead) {
            Some(Kind::Number(year, 4)) if self.peek(ahead + 1) != Some(Kind::Colon) => {
                self.next += ahead + 1;
                ymd(year, month, day)
            }
            _ => next_day(today, month, day),
        }
    }
}

fn ymd(year: u32, month: u32, day: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
}

/// The next such day after today; 29 February may be years away.
fn next_day(today: NaiveDate, month: u32, day: u32) -> Option<NaiveDate> {
    (today.year()..=today.year().saturating_add(8))
        .filter_map(|year| NaiveDate::from_ymd_opt(year, month, day))
        .find(|date| *date > today)
}

#[cfg(test)]
mod tests {
    use chrono_tz::America::Havana;
    use chrono_tz::Asia::Shanghai;
    use chrono_tz::Europe::Berlin;
    use chrono_tz::UTC;
    use proptest::prelude::*;

    use super::*;

    /// The change as a short text.
    fn read(text: &str) -> String {
        let at = |zone: Option<Tz>| zone.map(|zone| format!(" in {zone}")).unwrap_or_default();
        match schedule(text) {
            Ok(ScheduleChange::Show) => "show".to_owned(),
            Ok(ScheduleChange::Off) => "off".to_owned(),
            Ok(ScheduleChange::WeeklyOff) => "weekly off".to_owned(),
            Ok(ScheduleChange::Posts { schedule, zone }) => format!("{schedule}{}", at(zone)),
            Ok(ScheduleChange::Weekly { schedule, zone }) => format!("weekly {schedule}{}", at(zone)),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn a_schedule_is_read_as_people_type_it() {
        for (text, meaning) in [
            ("", "show"),
            ("  ", "show"),
            ("09:00", "0 9 * * *"),
            ("9am", "0 9 * * *"),
            ("9:30 PM", "30 21 * * *"),
            ("9.30 p.m.", "30 21 * * *"),
            ("12am", "0 0 * * *"),
            ("12 pm", "0 12 * * *"),
            ("noon", "0 12 * * *"),
            ("0930", "30 9 * * *"),
            ("weekdays 9am", "0 9 * * 1-5"),
            ("9am on weekdays", "0 9 * * 1-5"),
            ("every day at 18:00", "0 18 * * *"),
            ("daily 18:00", "0 18 * * *"),
            ("daily", "0 9 * * *"),
            ("mon,thu 18:30", "30 18 * * 1,4"),
            ("Monday and Thursday at 6:30 in the evening", "30 18 * * 1,4"),
            ("mon-fri 9", "0 9 * * 1-5"),
            ("mon to fri 9", "0 9 * * 1-5"),
            ("fri-mon 9", "0 9 * * 0,1,5,6"),
            ("weekends 10:00", "0 10 * * 0,6"),
            ("9:00,18:00", "0 9,18 * * *"),
            ("9:00, 18:30", "0 9 * * *; 30 18 * * *"),
            ("mon 9:00, thu 18:30", "0 9 * * 1; 30 18 * * 4"),
            ("9am mon, 6pm thu", "0 9 * * 1; 0 18 * * 4"),
            ("hourly", "0 * * * *"),
            ("cron 0 9 * * 1-5", "0 9 * * 1-5"),
            ("Cron 0 9 1 JAN *", "0 9 1 JAN *"),
            ("*/30 9 * * *", "*/30 9 * * *"),
            ("off", "off"),
            ("weekly", "weekly 0 17 * * 5"),
            ("weekly off", "weekly off"),
            ("weekly fri 17:00", "weekly 0 17 * * 5"),
            ("weekly round-up sun 8pm", "weekly 0 20 * * 0"),
            ("9:00 Berlin", "0 9 * * * in Europe/Berlin"),
            ("09:00 new york time", "0 9 * * * in America/New_York"),
            ("New York 9am", "0 9 * * * in America/New_York"),
            ("9:00 utc+8", "0 9 * * * in Etc/GMT-8"),
            ("北京时间9点", "0 9 * * * in Asia/Shanghai"),
            ("北京早上9点", "0 9 * * * in Asia/Shanghai"),
            ("每天 9点", "0 9 * * *"),
            ("每天９：３０", "30 9 * * *"),
            ("工作日 早上9点半", "30 9 * * 1-5"),
            ("周一、周四 18:30", "30 18 * * 1,4"),
            ("周一三五 9点", "0 9 * * 1,3,5"),
            ("周一、三、五 九点一刻", "15 9 * * 1,3,5"),
            ("周一至周五 9点", "0 9 * * 1-5"),
            ("周1-5 9点", "0 9 * * 1-5"),
            ("周三二十点", "0 20 * * 3"),
            ("每周五 下午5点", "0 17 * * 5"),
            ("星期天晚上八点三十分", "30 20 * * 0"),
            ("上午9点", "0 9 * * *"),
            ("9点 18点", "0 9,18 * * *"),
            ("中午12点", "0 12 * * *"),
            ("周末 中午", "0 12 * * 0,6"),
            ("周报 周五 17:00", "weekly 0 17 * * 5"),
            ("每周", "weekly 0 17 * * 5"),
            ("关闭", "off"),
        ] {
            assert_eq!(read(text), meaning, "{text}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_named_with_what_is_near_and_examples() {
        for (text, en, zh) in [
            ("mondey 9", "“mondey”. Did you mean monday?", "“mondey”"),
            ("every 2 hours", "“hours”", "“hours”"),
            ("9-18", "“-”", "“-”"),
            ("25:00", "There is no time “25:00”", "“25:00”这个时间"),
            ("9:75", "“9:75”", "“9:75”"),
            ("13am", "“13am”", "“13am”"),
            ("99999999999", "“99999999999”", "看不懂"),
            ("-3", "“-”", "“-”"),
            ("下午0点", "“下午0点”", "没有“下午0点”这个时间"),
            ("民国", "“民国”", "“民国”"),
            ("9:00 mon 10:00", "“9:00 mon 10:00”", "看不懂"),
            ("off 9:00", "“off 9:00”", "看不懂"),
            ("berlin", "No time is named", "没有写时间"),
            ("cron 0 25 * * *", "hour: “25”", "cron 表达式有误：hour"),
            ("9am est", "means several time zones", "可以指几个时区"),
        ] {
            let error = schedule(text).unwrap_err();
            let (said_en, said_zh) = (error.of_schedule(Lang::En), error.of_schedule(Lang::Zh));
            assert!(said_en.contains(en), "{text}: {said_en}");
            assert!(said_zh.contains(zh), "{text}: {said_zh}");
        }
        let said = schedule("soon").unwrap_err().of_schedule(Lang::En);
        assert!(said.contains("Examples: 9:00, weekdays 9am"), "{said}");
        assert_eq!(schedule(&"9:00 ".repeat(100_000)), Err(PhraseError::TooLong));
        let all_day: Vec<String> = (0..24).map(|hour| format!("{hour}:{hour:02}")).collect();
        assert_eq!(schedule(&all_day.join(",")), Err(PhraseError::TooMany));
    }

    #[test]
    fn the_examples_are_understood() {
        for lang in Lang::ALL {
            let listed = |text: &'static str| text.split_once([':', '：']).unwrap().1;
            let split = lang.pick("、", ", ");
            for example in listed(super::super::words::schedule_examples(lang)).split(split) {
                assert!(schedule(example).is_ok(), "{example}");
            }
            let now = "2025-10-10T12:00:00Z".parse().unwrap();
            for example in listed(super::super::words::until_examples(lang)).split(split) {
                assert!(until(example, UTC, now).is_ok_and(|end| end.is_some()), "{example}");
            }
        }
    }

    #[test]
    fn a_simple_schedule_is_described_and_another_is_its_expression() {
        for (text, en, zh) in [
            ("0 9 * * 1-5", "weekdays at 09:00", "工作日 09:00"),
            ("0 9 * * MON-FRI", "weekdays at 09:00", "工作日 09:00"),
            ("0 9,18 * * *", "daily at 09:00, 18:00", "每天 09:00、18:00"),
            ("30 18 * * 4,1", "Mon, Thu at 18:30", "周一、周四 18:30"),
            ("0 10 * * 6,7", "weekends at 10:00", "周末 10:00"),
            (
                "0 9 * * 1; 30 18 * * 0,4",
                "Mon at 09:00; Thu, Sun at 18:30",
                "周一 09:00；周四、周日 18:30",
            ),
            ("0 * * * *", "hourly", "每小时"),
            ("0 9 1 * *", "cron 0 9 1 * *", "cron 0 9 1 * *"),
            ("*/5 * * * *", "cron */5 * * * *", "cron */5 * * * *"),
            ("@daily", "cron @daily", "cron @daily"),
        ] {
            let schedule = Schedule::parse(text).unwrap();
            assert_eq!(describe(&schedule, Lang::En), en);
            assert_eq!(describe(&schedule, Lang::Zh), zh);
        }
    }

    /// Friday, 10 October 2025, 20:00 in Shanghai.
    fn friday() -> DateTime<Utc> {
        "2025-10-10T12:00:00Z".parse().unwrap()
    }

    fn ends(text: &str, zone: Tz) -> String {
        match until(text, zone, friday()) {
            Ok(Some(at)) => at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string(),
            Ok(None) => "resume".to_owned(),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn the_end_of_a_pause_is_read_as_people_type_it() {
        for (text, end) in [
            ("", "resume"),
            ("until resume", "resume"),
            ("forever", "resume"),
            ("monday", "2025-10-13 00:00"),
            ("until Monday", "2025-10-13 00:00"),
            ("friday", "2025-10-17 00:00"),
            ("next week", "2025-10-13 00:00"),
            ("next month", "2025-11-01 00:00"),
            ("tomorrow", "2025-10-11 00:00"),
            ("tomorrow 9am", "2025-10-11 09:00"),
            ("9am", "2025-10-11 09:00"),
            ("21:00", "2025-10-10 21:00"),
            ("the day after tomorrow", "2025-10-12 00:00"),
            ("2025-12-01", "2025-12-01 00:00"),
            ("until 2025/12/1 18:30", "2025-12-01 18:30"),
            ("1 December", "2025-12-01 00:00"),
            ("dec 1st, 2026", "2026-12-01 00:00"),
            ("1st of march", "2026-03-01 00:00"),
            ("3 days", "2025-10-13 20:00"),
            ("for 2 weeks", "2025-10-24 20:00"),
            ("3d", "2025-10-13 20:00"),
            ("12 hours", "2025-10-11 08:00"),
            ("一个月", "2025-11-10 20:00"),
            ("下周一", "2025-10-13 00:00"),
            ("周一", "2025-10-13 00:00"),
            ("下周五", "2025-10-17 00:00"),
            ("本周日", "2025-10-12 00:00"),
            ("明天", "2025-10-11 00:00"),
            ("明天早上9点", "2025-10-11 09:00"),
            ("12月1日", "2025-12-01 00:00"),
            ("十二月一号", "2025-12-01 00:00"),
            ("到1月5日为止", "2026-01-05 00:00"),
            ("2026年1月5日", "2026-01-05 00:00"),
            ("三天", "2025-10-13 20:00"),
            ("两周", "2025-10-24 20:00"),
            ("２０２５－１２－０１", "2025-12-01 00:00"),
        ] {
            assert_eq!(ends(text, Shanghai), end, "{text}");
        }
    }

    #[test]
    fn an_end_that_is_past_or_no_day_at_all_is_refused() {
        for (text, error) in [
            ("today", "Past"),
            ("2025-10-09", "Past"),
            ("2020-01-01", "Past"),
            ("本周一", "Past"),
            ("2568-12-01", "TooFar"),
            ("99999 weeks", "TooFar"),
            ("9999 months", "TooFar"),
            ("2025-02-30", "NoSuchDay"),
            ("13月1日", "NoSuchDay"),
            ("1/12/2025", "NoSuchDay"),
            ("monday tuesday", "TwoEnds"),
            ("3 days 9am", "TwoEnds"),
            ("munday", "Unknown"),
            ("12", "Unknown"),
            ("初一", "Unknown"),
            ("٢٠٢٥-١٢-٠١", "Unknown"),
            ("25:00", "NoSuchTime"),
            ("-3 days", "Unknown"),
        ] {
            let found = ends(text, UTC);
            assert!(found.starts_with(error), "{text}: {found}");
        }
        let said = until("munday", UTC, friday()).unwrap_err();
        assert!(
            said.of_pause(Lang::En)
                .contains("Did you mean monday?\nExamples: monday")
        );
        assert!(said.of_pause(Lang::Zh).contains("例如：下周一"));
    }

    #[test]
    fn a_day_that_begins_in_a_gap_begins_at_its_end() {
        let now = "2026-03-06T12:00:00Z".parse().unwrap();
        let end = until("sunday", Havana, now).unwrap().unwrap();
        assert_eq!(end.to_rfc3339(), "2026-03-08T05:00:00+00:00");
    }

    fn any_phrase() -> impl Strategy<Value = String> {
        let days = prop_oneof![
            Just(String::new()),
            proptest::sample::select(vec![
                "daily",
                "weekdays",
                "weekends",
                "mon-thu",
                "周一、三、六",
                "每周日",
                "tue, sat"
            ])
            .prop_map(str::to_owned),
        ];
        let time = prop_oneof![
            (0..24u32, 0..60u32).prop_map(|(hour, minute)| format!("{hour}:{minute:02}")),
            (1..=12u32).prop_map(|hour| format!("{hour}pm")),
            (1..12u32).prop_map(|hour| format!("下午{hour}点半")),
        ];
        let group = (days, proptest::collection::vec(time, 1..3))
            .prop_map(|(days, times)| format!("{days} {}", times.join(", ")));
        proptest::collection::vec(group, 1..3).prop_map(|groups| groups.join(", "))
    }

    proptest! {
        #[test]
        fn a_schedule_that_was_typed_is_described_in_words_that_mean_the_same(phrase in any_phrase()) {
            if let Ok(ScheduleChange::Posts { schedule: meant, .. }) = schedule(&phrase) {
                for lang in Lang::ALL {
                    let said = describe(&meant, lang);
                    let again = ScheduleChange::Posts { schedule: meant.clone(), zone: None };
                    prop_assert_eq!(schedule(&said), Ok(again), "{} was described as {}", phrase, said);
                }
            }
        }

        #[test]
        fn a_pause_never_ends_in_the_past(
            text in "(until |to |for )?([0-9]{1,5}|mon|下周|周|今天|tomorrow|dec|[一二三十日天]|[:年月日点 -]|days|weeks|w|am|pm|半){1,6}",
            seconds in 0..4_000_000_000_i64,
            zone in proptest::sample::select(vec![UTC, Berlin, Shanghai, Havana]),
        ) {
            let now = DateTime::from_timestamp(seconds, 0).unwrap();
            if let Ok(Some(end)) = until(&text, zone, now) {
                prop_assert!(end > now && end - now <= TimeDelta::days(MAX_PAUSE));
            }
        }

        #[test]
        fn any_text_is_understood_or_named_in_a_short_answer(text in r"(\PC{0,12}|周|mon|[0-9]{1,9}|[:., -]|点|半|utc\+|\u{202e}){0,12}") {
            for error in [schedule(&text).err(), until(&text, UTC, friday()).err()].into_iter().flatten() {
                for lang in Lang::ALL {
                    let said = [error.of_schedule(lang), error.of_pause(lang)];
                    prop_assert!(said.iter().all(|said| said.chars().count() < 700), "{:?}", said);
                }
            }
        }
    }
}
