//! What is said about a time that was not understood, in both languages: what it was, and examples of what is.

use chrono_tz::Tz;

use super::phrase::{MAX_PAUSE, MAX_PHRASE, PhraseError};
use super::zone::{ZoneError, label};
use crate::locale::Lang;

fn labels(zones: &[Tz], lang: Lang) -> String {
    let names: Vec<String> = zones.iter().map(|zone| label(*zone, lang)).collect();
    names.join(lang.comma())
}

/// Examples for `/schedule`.
pub(super) fn schedule_examples(lang: Lang) -> &'static str {
    lang.pick(
        "例如：9:00、工作日 早上9点半、周一、周四 18:30、每周五 下午5点、cron 0 9 * * 1-5、关闭",
        "Examples: 9:00, weekdays 9am, mon,thu 18:30, mon-fri 9, weekly fri 17:00, cron 0 9 * * 1-5, off",
    )
}

/// Examples for `/pause`.
pub(super) fn until_examples(lang: Lang) -> &'static str {
    lang.pick(
        "例如：下周一、明天、12月1日、3天、2025-12-01 9:00",
        "Examples: monday, tomorrow 9am, 2025-12-01, 3 days, 2 weeks",
    )
}

impl PhraseError {
    /// The error for people who typed a schedule.
    pub fn of_schedule(&self, lang: Lang) -> String {
        self.with_examples(lang, schedule_examples(lang))
    }

    /// The error for people who typed the end of a pause.
    pub fn of_pause(&self, lang: Lang) -> String {
        self.with_examples(lang, until_examples(lang))
    }

    fn with_examples(&self, lang: Lang, examples: &str) -> String {
        match self {
            Self::Cron(error) => lang.pick(
                format!("cron 表达式有误：{}", error.reason),
                format!("The cron expression is wrong: {}", error.reason),
            ),
            Self::Zone(error) => error.says(lang),
            Self::Past(_) | Self::TooFar | Self::TooLong | Self::TooMany => self.plain(lang),
            Self::Unknown { .. } | Self::NoSuchTime { .. } | Self::NoSuchDay { .. } | Self::NoTime | Self::TwoEnds => {
                format!("{}\n{examples}", self.plain(lang))
            }
        }
    }

    fn plain(&self, lang: Lang) -> String {
        match self {
            Self::TooLong => lang.pick(
                format!("太长了：最多 {MAX_PHRASE} 个字符。"),
                format!("That is too long: {MAX_PHRASE} characters at most."),
            ),
            Self::Unknown { what, near: Some(near) } => lang.pick(
                format!("看不懂“{what}”。是不是想写 {near}？"),
                format!("I do not understand “{what}”. Did you mean {near}?"),
            ),
            Self::Unknown { what, near: None } => {
                lang.pick(format!("看不懂“{what}”。"), format!("I do not understand “{what}”."))
            }
            Self::NoSuchTime { what } => lang.pick(
                format!("没有“{what}”这个时间：请写 0:00 到 23:59。"),
                format!("There is no time “{what}”: write 0:00 to 23:59, or 1am to 12pm."),
            ),
            Self::NoSuchDay { what } => lang.pick(
                format!("日历上没有“{what}”：请写成 2025-12-01。"),
                format!("There is no day “{what}”: write it as 2025-12-01."),
            ),
            Self::NoTime => lang.pick("没有写时间。", "No time is named.").to_owned(),
            Self::TwoEnds => lang
                .pick(
                    "只能写一个结束时间。",
                    "A pause has one end, and there are several here.",
                )
                .to_owned(),
            Self::TooMany => lang
                .pick(
                    "时间太多了：请少写几个，或使用 cron 表达式。",
                    "Those are too many times: name fewer, or write a cron expression.",
                )
                .to_owned(),
            Self::Past(at) => lang.pick(
                format!("这个时间已经过去了（{} UTC）。", at.format("%Y-%m-%d %H:%M")),
                format!("That has passed already ({} UTC).", at.format("%Y-%m-%d %H:%M")),
            ),
            Self::TooFar => lang.pick(
                format!("太久了：最多暂停 {MAX_PAUSE} 天；不写时间则一直暂停到 /resume。"),
                format!("That is too far away: {MAX_PAUSE} days at most. Without an end, a pause lasts until /resume."),
            ),
            Self::Cron(error) => error.to_string(),
            Self::Zone(error) => error.says(lang),
        }
    }
}

impl ZoneError {
    /// The same for people.
    pub fn says(&self, lang: Lang) -> String {
        match self {
            Self::Empty => lang
                .pick(
                    "请写一个时区，例如 北京、Europe/Berlin 或 UTC+8。",
                    "Name a time zone, for example berlin, Asia/Shanghai or UTC+8.",
                )
                .to_owned(),
            Self::TooLong => lang
                .pick("时区名没有这么长。", "No time zone has such a long name.")
                .to_owned(),
            Self::Unknown { what, near } if near.is_empty() => lang.pick(
                format!("不认识时区“{what}”：请写大城市、Europe/Berlin 这样的名称，或 UTC+8。"),
                format!(
                    "I do not know the time zone “{what}”: write a large city, a name like Europe/Berlin, or UTC+8."
                ),
            ),
            Self::Unknown { what, near } => {
                let near = labels(near, lang);
                lang.pick(
                    format!("不认识时区“{what}”。是不是想写：{near}？"),
                    format!("I do not know the time zone “{what}”. Did you mean: {near}?"),
                )
            }
            Self::Ambiguous { what, choices } => {
                let choices = labels(choices, lang);
                lang.pick(
                    format!("“{what}”可以指几个时区，冬夏令时也不同。请选一个：{choices}"),
                    format!(
                        "“{what}” means several time zones, with and without daylight saving. Choose one: {choices}"
                    ),
                )
            }
            Self::NoSuchOffset { what, choices } if choices.is_empty() => lang.pick(
                format!("没有“{what}”这个时区：UTC 偏移从 UTC-12 到 UTC+14。"),
                format!("There is no time zone “{what}”: offsets go from UTC-12 to UTC+14."),
            ),
            Self::NoSuchOffset { what, choices } => {
                let choices = labels(choices, lang);
                lang.pick(
                    format!("没有全年都是“{what}”的时区。是不是想写：{choices}？"),
                    format!("No time zone is “{what}” all the year. Did you mean: {choices}?"),
                )
            }
        }
    }
}
