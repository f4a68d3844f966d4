//! What somebody should look at who looks after the program: a day that no source brought, a source that fails. Each is
//! said once when it begins and once when it is over, so that nothing fails in silence and nobody learns to look away.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::locale::Lang;
use crate::source::health::{Health, Trouble};
use crate::source::{SourceKind, Window, calendar, daybook, ledger};
use crate::store::{MemoSpace, Result, Store, WindowRecord, Write};
use crate::text::short_key;

/// How long after arXiv's announcement, or after its end, a day may be missing: servers need a while, and so does whoever saves a
/// mail.
pub const GRACE: TimeDelta = TimeDelta::hours(6);

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum Alarm {
    /// Submissions to arXiv that were announced and that no source has brought; or days of another source.
    Gap {
        /// From …
        from: DateTime<Utc>,
        /// … to.
        to: DateTime<Utc>,
        /// Whose days, if not arXiv's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<SourceKind>,
    },
    /// A source fails.
    Failing {
        /// Its name.
        source: String,
        /// Since when it has not answered.
        since: DateTime<Utc>,
        /// The last failure.
        reason: String,
    },
    /// A source was taken back by who serves it.
    Ended {
        /// Its name.
        source: String,
        /// Why.
        reason: String,
    },
    /// A source answers, and brings nothing.
    Silent {
        /// Its name.
        source: String,
        /// Since when.
        since: DateTime<Utc>,
    },
    /// A source that lists what is latest has not been fetched for a whole day, nor since.
    Unfetched {
        /// Its name.
        source: String,
        /// The first such day, in UTC.
        day: NaiveDate,
    },
    /// It was fetched again, and nothing was listed any more that had been listed before: papers may be lost.
    TurnedOver {
        /// Its name.
        source: String,
        /// When it had answered before.
        from: DateTime<Utc>,
        /// The day, in UTC, on which it was fetched again.
        to: NaiveDate,
    },
}

/// An alarm as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    /// What it is.
    #[serde(flatten)]
    pub alarm: Alarm,
    /// When it was seen.
    pub seen: DateTime<Utc>,
    /// Whether somebody was told.
    pub told: bool,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<DateTime<Utc>>,
}

/// What is to be told: the alarm's key, and it.
pub type News = (String, Raised);

/// Whose days are missing, if not arXiv's, and which.
type Gap = (Option<SourceKind>, (DateTime<Utc>, DateTime<Utc>));

impl Alarm {
    fn gap(&self) -> Option<Gap> {
        match self {
            Self::Gap { from, to, of } => Some((*of, (*from, *to))),
            Self::Failing { .. }
            | Self::Ended { .. }
            | Self::Silent { .. }
            | Self::Unfetched { .. }
            | Self::TurnedOver { .. } => None,
        }
    }

    /// Whose trouble it is; of a gap nobody's.
    fn source(&self) -> Option<&str> {
        match self {
            Self::Gap { .. } => None,
            Self::Failing { source, .. }
            | Self::Ended { source, .. }
            | Self::Silent { source, .. }
            | Self::Unfetched { source, .. }
            | Self::TurnedOver { source, .. } => Some(source),
        }
    }

    /// Under which name it is kept: the same trouble has the same one.
    fn key(&self) -> String {
        match self {
            Self::Gap { from, of, .. } => {
                let of = of.map(|source| format!("{source} ")).unwrap_or_default();
                format!("gap {of}{}", from.format("%Y-%m-%dT%H:%M"))
            }
            Self::Failing { source, .. } => short_key(format!("failing {source}")),
            Self::Ended { source, .. } => short_key(format!("ended {source}")),
            Self::Silent { source, .. } => short_key(format!("silent {source}")),
            Self::Unfetched { source, .. } => short_key(format!("unfetched {source}")),
            Self::TurnedOver { source, to, .. } => short_key(format!("turned-over {to} {source}")),
        }
    }

    /// The alarm for people, and what to do. `filled` says whether a source fills gaps by itself.
    pub fn sentence(&self, lang: Lang, filled: bool) -> String {
        match self {
            Self::Gap { from, to, of: Some(source) } => {
                let (from, to, name) = (lang.instant(*from), lang.instant(*to), lang.source_name(*source));
                lang.pick(
                    format!("{name} {from} 至 {to} 的论文尚未收录，正在自动补齐。"),
                    format!("{name}: what was listed from {from} to {to} has not come in. It is being fetched."),
                )
            }
            Self::Gap { from, to, of: None } => {
                let (from, to) = (lang.instant(*from), lang.instant(*to));
                let then = match filled {
                    true => lang.pick("正在自动补齐。", "They are being fetched."),
                    false => lang.pick(
                        "请把那几天的邮件放入收件夹，或在配置中添加一个来源。",
                        "Put the mailings of those days into the inbox, or add a source to the configuration.",
                    ),
                };
                lang.pick(
                    format!("{from} 至 {to} 提交的论文已由 arXiv 公布，但尚未收录。{then}"),
                    format!("Papers submitted to arXiv from {from} to {to} were announced and have not come in. {then}"),
                )
            }
            Self::Failing { source, since, reason } => {
                let since = lang.instant(*since);
                lang.pick(
                    format!("来源 {source} 自 {since} 起没有正常应答，最近一次：{reason}。程序会继续尝试。"),
                    format!("The source {source} has not answered since {since}. The last failure: {reason}. It is tried on."),
                )
            }
            Self::Ended { source, reason } => lang.pick(
                format!("来源 {source} 已不存在：{reason}。请从配置中移除，或换一个地址。"),
                format!("The source {source} is there no more: {reason}. Take it out of the configuration, or give another address."),
            ),
            Self::Silent { source, since } => {
                let since = lang.instant(*since);
                lang.pick(
                    format!("来源 {source} 有应答，但自 {since} 起没有带来任何新论文。请检查地址是否仍然正确。"),
                    format!("The source {source} answers, but has brought nothing new since {since}. Look whether its address is still the right one."),
                )
            }
            Self::Unfetched { source, day } => {
                let day = lang.date(*day);
                lang.pick(
                    format!("来源 {source} 自 {day}（UTC）起整日未能获取。它只列出最新内容：恢复之前已不再列出的论文将无法补收。"),
                    format!("The source {source} has not been fetched since {day} (UTC) began. It lists what is latest: papers that it no longer lists when it answers again will be missing."),
                )
            }
            Self::TurnedOver { source, from, to } => {
                let (from, to) = (lang.instant(*from), lang.date(*to));
                lang.pick(
                    format!("来源 {source} 在 {from} 之后到 {to} 才再次获取，此前列出的内容已全部不在列表中：其间的论文可能遗漏。请到其网站查看，并把缺少的论文放入收件夹。"),
                    format!("The source {source} was not fetched from {from} until {to}, and lists nothing any more that it listed before: papers in between may be lost. Look at its site, and put what is missing into the inbox."),
                )
            }
        }
    }

    /// That it is over, for people.
    pub fn over(&self, lang: Lang) -> String {
        match self {
            Self::Gap { from, to, of } => {
                let (from, to) = (lang.instant(*from), lang.instant(*to));
                let of = of
                    .map(|source| format!(" ({})", lang.source_name(source)))
                    .unwrap_or_default();
                lang.pick(
                    format!("{from} 至 {to} 的论文已补齐{of}。"),
                    format!("The papers from {from} to {to}{of} have come in."),
                )
            }
            Self::Failing { source, .. } | Self::Ended { source, .. } => lang.pick(
                format!("来源 {source} 恢复正常。"),
                format!("The source {source} answers again."),
            ),
            Self::Silent { source, .. } => lang.pick(
                format!("来源 {source} 又有新论文了。"),
                format!("The source {source} brings papers again."),
            ),
            Self::Unfetched { source, .. } | Self::TurnedOver { source, .. } => lang.pick(
                format!("来源 {source} 已重新获取，此前列出的内容仍在列表中：没有遗漏。"),
                format!(
                    "The source {source} was fetched again and still lists what it listed before: nothing is lost."
                ),
            ),
        }
    }
}

/// The stretches of arXiv's submissions that should have come in by `now` and have not, oldest first: between the first
/// that ever came and the last that was announced [`GRACE`] ago, none older than [`ledger::FILL_DAYS`]. Where nothing of
/// arXiv came in all that time and `expected` is false, nothing is expected.
pub fn gaps(windows: &[Window], expected: bool, now: DateTime<Utc>) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let oldest = calendar::cutoff_after(now - TimeDelta::days(i64::from(ledger::FILL_DAYS)));
    let Some(first) = ledger::first(windows) else {
        return Vec::new();
    };
    let lately = windows.iter().any(|w| w.source.covers_arxiv() && w.to > oldest);
    if !expected && !lately {
        return Vec::new();
    }
    ledger::uncovered(windows, first.max(oldest), calendar::announced_until(now - GRACE))
}

/// The days of Hugging Face that should have come in by `now` and have not, oldest first.
pub fn missing_days(records: &[WindowRecord], now: DateTime<Utc>) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    ledger::missing_days(records, SourceKind::HuggingFace, now - GRACE)
}

/// The whole days for which a source that lists what is latest was asked in vain, if it still is: the first and the last.
pub fn unfetched(health: &Health, now: DateTime<Utc>) -> Option<(NaiveDate, NaiveDate)> {
    // Since a start nobody has asked yet.
    let failed = health.ended.is_none() && health.failures > 0;
    let since = health.answered.or(health.since).filter(|_| failed)?;
    daybook::between(since, now)
}

/// A source of the configuration: its name and its kind.
pub type Known = (String, SourceKind);

/// Looks at everything anew and keeps what it finds: what is new is raised, what is no more is over. `sources` are the
/// sources of the configuration, `expected` says whether one of them is arXiv's. Returns what nobody was told yet;
/// [`tell`] notes that they were.
///
/// # Errors
/// Only when the store fails.
pub fn look(store: &dyn Store, sources: &[Known], expected: bool, now: DateTime<Utc>) -> Result<Vec<News>> {
    let mut open: Vec<Raised> = Vec::new();
    let mut writes = Vec::new();
    let mut news = Vec::new();
    let records = store.windows()?;
    let windows: Vec<Window> = records.iter().map(|record| record.window).collect();
    let known = raised(store)?;
    let mut missing: Vec<Gap> = gaps(&windows, expected, now)
        .into_iter()
        .map(|gap| (None, gap))
        .collect();
    if sources.iter().any(|(_, kind)| *kind == SourceKind::HuggingFace) {
        let of = Some(SourceKind::HuggingFace);
        missing.extend(missing_days(&records, now).into_iter().map(|gap| (of, gap)));
    }
    let reaches = |(of, a): Gap, (other, b): Gap| of == other && a.0 < b.1 && b.0 < a.1;
    for gap in &missing {
        // A gap that is being filled grows smaller; it is still the one that somebody was told of.
        let same = known
            .iter()
            .any(|(_, raised)| raised.over.is_none() && raised.alarm.gap().is_some_and(|told| reaches(*gap, told)));
        if !same {
            let (of, (from, to)) = *gap;
            open.push(fresh(Alarm::Gap { from, to, of }, now));
        }
    }
    let mut troubles: Vec<Alarm> = Vec::new();
    for (source, kind) in sources {
        let Some(health) = health(store, source)? else { continue };
        let source = source.clone();
        if kind.lists_latest()
            && let Some((day, _)) = unfetched(&health, now)
        {
            let source = source.clone();
            troubles.push(Alarm::Unfetched { source, day });
        }
        troubles.extend(health.trouble(now).map(|trouble| match trouble {
            Trouble::Ended(reason) => Alarm::Ended { source, reason },
            Trouble::Failing { since, reason } => Alarm::Failing { source, since, reason },
            Trouble::Silent(since) => Alarm::Silent { source, since },
        }));
    }
    if sources.iter().any(|(_, kind)| kind.lists_latest()) {
        let lately = now - TimeDelta::days(i64::from(ledger::FILL_DAYS));
        let days = daybook::since(store, lately.date_naive())?;
        troubles.extend(days.into_iter().filter_map(|day| {
            let (source, from, to) = (day.source, day.turned_over?, day.day);
            Some(Alarm::TurnedOver { source, from, to })
        }));
    }
    for alarm in &troubles {
        if !known
            .iter()
            .any(|(key, raised)| *key == alarm.key() && raised.over.is_none())
        {
            open.push(fresh(alarm.clone(), now));
        }
    }
    for (key, raised) in known {
        let goes_on = match raised.alarm.gap() {
            Some(told) => missing.iter().any(|gap| reaches(*gap, told)),
            None => troubles.iter().any(|alarm| alarm.key() == key),
        };
        match (goes_on, raised.told, raised.over) {
            // Over before anybody was told: there is nothing to say.
            (false, false, None) => writes.push(memo(key, None)),
            (false, true, None) => {
                let over = Raised {
                    told: false,
                    over: Some(now),
                    ..raised
                };
                // Nobody knows how it is with a source that is asked no more, or is in another trouble now.
                let is_in = |name: &str, trouble: fn(&Alarm) -> bool| {
                    let mut own = troubles.iter().filter(|alarm| alarm.source() == Some(name));
                    own.any(trouble)
                };
                let is_gone = |name: &str| {
                    let ended = is_in(name, |alarm| matches!(alarm, Alarm::Ended { .. }));
                    ended || sources.iter().all(|(known, _)| known != name)
                };
                // What is too old to be filled is not over, nor is what is lost; they are only not waited for any more.
                let given_up = match &over.alarm {
                    Alarm::Gap { from, to, of: None } => !ledger::uncovered(&windows, *from, *to).is_empty(),
                    Alarm::Gap { from, of: Some(_), .. } => {
                        let days = missing_days(&records, now);
                        let unexpected = over
                            .alarm
                            .gap()
                            .is_some_and(|told| days.iter().any(|gap| reaches((told.0, *gap), told)));
                        unexpected || now - *from > TimeDelta::days(i64::from(ledger::FILL_DAYS))
                    }
                    Alarm::TurnedOver { .. } => true,
                    Alarm::Unfetched { source, .. } => {
                        is_gone(source) || is_in(source, |alarm| matches!(alarm, Alarm::TurnedOver { .. }))
                    }
                    Alarm::Silent { source, .. } => {
                        is_gone(source) || is_in(source, |alarm| matches!(alarm, Alarm::Failing { .. }))
                    }
                    Alarm::Failing { source, .. } | Alarm::Ended { source, .. } => is_gone(source),
                };
                if given_up {
                    writes.push(memo(key, None));
                } else {
                    writes.push(memo(key.clone(), Some(&over)));
                    news.push((key, over));
                }
            }
            (true, false, None) | (_, false, Some(_)) => news.push((key, raised)),
            (true, true, None) | (_, true, Some(_)) => {}
        }
    }
    for raised in open {
        let key = raised.alarm.key();
        writes.push(memo(key.clone(), Some(&raised)));
        news.push((key, raised));
    }
    if !writes.is_empty() {
        store.commit(writes)?;
    }
    Ok(news)
}

/// Notes that somebody was told.
///
/// # Errors
/// Only when the store fails.
pub fn tell(store: &dyn Store, news: &[News]) -> Result<()> {
    let writes = news.iter().map(|(key, raised)| match raised.over {
        Some(_) => memo(key.clone(), None),
        None => {
            let told = Raised {
                told: true,
                ..raised.clone()
            };
            memo(key.clone(), Some(&told))
        }
    });
    store.commit(writes.collect())
}

/// Every alarm that is not over, by its key.
///
/// # Errors
/// Only when the store fails.
pub fn raised(store: &dyn Store) -> Result<Vec<News>> {
    let all = store.memos(MemoSpace::Alarm, None, usize::MAX)?.into_iter();
    // One that cannot be read is raised anew.
    Ok(all
        .filter_map(|(key, value)| Some((key, serde_json::from_str(&value).ok()?)))
        .collect())
}

/// What is remembered of a source; `None` where it was never asked, or its record cannot be read.
///
/// # Errors
/// Only when the store fails.
pub fn health(store: &dyn Store, source: &str) -> Result<Option<Health>> {
    let record = store.memo(MemoSpace::Source, source)?;
    Ok(record.and_then(|record| serde_json::from_str(&record).ok()))
}

fn fresh(alarm: Alarm, now: DateTime<Utc>) -> Raised {
    Raised {
        alarm,
        seen: now,
        told: false,
        over: None,
    }
}

fn memo(key: String, raised: Option<&Raised>) -> Write {
    Write::Memo {
        space: MemoSpace::Alarm,
        key,
        value: raised.and_then(|raised| serde_json::to_string(raised).ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locale::tests::assert_translated;
    use crate::store::{ModelStore, WindowRecord};

    fn utc(text: &str) -> DateTime<Utc> {
        format!("{text}:00Z").parse().unwrap()
    }

    fn put(store: &ModelStore, window: Window, taken_at: DateTime<Utc>) {
        let record = WindowRecord {
            window,
            taken_at,
            repeats: 0,
            since: 0,
            upto: 0,
            items: 0,
            replacements: 0,
            again_at: None,
            asked: None,
            new: None,
        };
        store.commit(vec![Write::Window(record)]).unwrap();
    }

    fn cover(store: &ModelStore, from: &str, to: &str) {
        let (source, from, to) = (SourceKind::ArxivApi, utc(from), utc(to));
        put(store, Window { source, from, to }, to);
    }

    fn said(news: &[News]) -> Vec<String> {
        let say = |raised: &Raised| match raised.over {
            None => raised.alarm.sentence(Lang::En, true),
            Some(_) => raised.alarm.over(Lang::En),
        };
        news.iter().map(|(_, raised)| say(raised)).collect()
    }

    #[test]
    fn three_missing_days_are_one_alarm_that_is_told_once_and_is_over_when_the_last_has_come() {
        let store = ModelStore::new();
        cover(&store, "2025-09-30T18:00", "2025-10-01T18:00");
        let now = utc("2025-10-08T12:00");
        let look = || look(&store, &[], true, now).unwrap();
        let first = look();
        assert_eq!(
            said(&first),
            [
                "Papers submitted to arXiv from 1 Oct 2025 18:00 UTC to 7 Oct 2025 18:00 UTC were announced and have not come \
                 in. They are being fetched."
            ]
        );
        assert_eq!(look(), first, "nobody was told");
        tell(&store, &first).unwrap();
        assert_eq!(look(), []);
        cover(&store, "2025-10-06T18:00", "2025-10-07T18:00");
        cover(&store, "2025-10-01T18:00", "2025-10-02T18:00");
        assert_eq!(look(), [], "it is smaller, and still the same");
        cover(&store, "2025-10-02T18:00", "2025-10-06T18:00");
        let over = look();
        assert_eq!(
            said(&over),
            ["The papers from 1 Oct 2025 18:00 UTC to 7 Oct 2025 18:00 UTC have come in."]
        );
        tell(&store, &over).unwrap();
        assert_eq!((look(), raised(&store).unwrap()), (vec![], vec![]));
    }

    #[test]
    fn a_quiet_weekend_is_no_gap_and_where_nothing_is_expected_nothing_is_missing() {
        let store = ModelStore::new();
        cover(&store, "2025-10-08T18:00", "2025-10-09T18:00");
        assert_eq!(look(&store, &[], true, utc("2025-10-12T12:00")).unwrap(), []);
        assert_eq!(look(&store, &[], true, utc("2025-10-13T12:00")).unwrap().len(), 1);
        // One mailing, taken in long ago to try the program out.
        let store = ModelStore::new();
        cover(&store, "2025-10-08T18:00", "2025-10-09T18:00");
        assert_eq!(look(&store, &[], false, utc("2026-10-12T12:00")).unwrap(), []);
    }

    #[test]
    fn a_gap_that_has_become_too_old_is_given_up_without_a_word() {
        let store = ModelStore::new();
        cover(&store, "2025-09-30T18:00", "2025-10-01T18:00");
        cover(&store, "2025-10-02T18:00", "2025-12-01T19:00");
        let news = look(&store, &[], true, utc("2025-10-08T12:00")).unwrap();
        tell(&store, &news).unwrap();
        assert_eq!(look(&store, &[], true, utc("2025-11-20T12:00")).unwrap(), []);
        assert_eq!(raised(&store).unwrap(), []);
    }

    #[test]
    fn a_source_in_trouble_is_told_of_once_and_again_when_it_is_well() {
        let store = ModelStore::new();
        let mut health = Health::default();
        let keep = |health: &Health| {
            let (space, key) = (MemoSpace::Source, "feed:a".to_owned());
            let value = serde_json::to_string(health).ok();
            store.commit(vec![Write::Memo { space, key, value }]).unwrap();
        };
        let names = ["feed:a", "feed:never-asked"].map(|name| (name.to_owned(), SourceKind::Feed));
        let look = |at| look(&store, &names, false, utc(at)).unwrap();
        for hour in 0..8 {
            health.fail("503".to_owned(), utc(&format!("2025-10-08T0{hour}:00")));
        }
        keep(&health);
        let news = look("2025-10-08T08:00");
        assert_eq!(
            said(&news),
            ["The source feed:a has not answered since 8 Oct 2025 00:00 UTC. The last failure: 503. It is tried on."]
        );
        tell(&store, &news).unwrap();
        assert_eq!(look("2025-10-08T09:00"), []);
        health.succeed(1, utc("2025-10-08T10:00"));
        keep(&health);
        assert_eq!(said(&look("2025-10-08T10:00")), ["The source feed:a answers again."]);
    }

    #[test]
    fn a_feed_that_was_not_fetched_all_day_is_told_of_once_and_then_whether_papers_may_be_lost() {
        for turned_over in [false, true] {
            let store = ModelStore::new();
            let sources = [("feed:a".to_owned(), SourceKind::Feed)];
            let name = &sources[0].0;
            let keep = |health: &Health| {
                let (space, key) = (MemoSpace::Source, name.clone());
                let value = serde_json::to_string(health).ok();
                store.commit(vec![Write::Memo { space, key, value }]).unwrap();
            };
            let told = |at| {
                let news = look(&store, &sources, false, utc(at)).unwrap();
                tell(&store, &news).unwrap();
                said(&news)
            };
            let mut health = Health::default();
            health.succeed(1, utc("2025-10-07T23:00"));
            // One failure, so that the source is not in trouble yet.
            health.fail("503".to_owned(), utc("2025-10-08T23:00"));
            keep(&health);
            assert_eq!(told("2025-10-08T23:59"), [] as [String; 0]);
            assert_eq!(
                told("2025-10-09T00:00"),
                [
                    "The source feed:a has not been fetched since 8 Oct 2025 (UTC) began. It lists what is latest: papers that it \
                  no longer lists when it answers again will be missing."
                ]
            );
            assert_eq!(told("2025-10-10T00:00"), [] as [String; 0], "it is the same");
            health.succeed(1, utc("2025-10-10T08:00"));
            keep(&health);
            if turned_over {
                let event = daybook::Event::TurnedOver(utc("2025-10-07T23:00"));
                let day = daybook::note(&store, name, &[event], utc("2025-10-10T08:00")).unwrap();
                store.commit(vec![day]).unwrap();
            }
            let said = told("2025-10-10T08:00").join("\n");
            match turned_over {
                false => assert!(
                    said.ends_with("still lists what it listed before: nothing is lost."),
                    "{said}"
                ),
                true => assert!(
                    said.starts_with("The source feed:a was not fetched from 7 Oct 2025 23:00 UTC until 10 Oct 2025")
                        && !said.contains('\n'),
                    "{said}"
                ),
            }
            assert_eq!(told("2025-10-10T09:00"), [] as [String; 0]);
            assert_eq!(
                (told("2025-10-25T09:00").len(), raised(&store).unwrap().len()),
                (1, 1),
                "it is silent by then"
            );
        }
    }

    #[test]
    fn what_is_asked_no_more_or_fails_now_is_not_said_to_be_well_again() {
        let store = ModelStore::new();
        let sources = [("feed:a".to_owned(), SourceKind::Feed)];
        let look = |sources: &[Known], health: &Health, at| {
            let (space, key) = (MemoSpace::Source, "feed:a".to_owned());
            let value = serde_json::to_string(health).ok();
            store.commit(vec![Write::Memo { space, key, value }]).unwrap();
            let news = look(&store, sources, false, utc(at)).unwrap();
            tell(&store, &news).unwrap();
            said(&news)
        };
        let mut health = Health::default();
        health.succeed(1, utc("2025-10-01T00:00"));
        health.succeed(0, utc("2025-10-20T00:00"));
        assert!(look(&sources, &health, "2025-10-20T00:00")[0].contains("has brought nothing new"));
        for hour in 0..8 {
            health.fail("503".to_owned(), utc(&format!("2025-10-22T0{hour}:00")));
        }
        let failing = look(&sources, &health, "2025-10-22T07:00");
        assert!(
            failing.len() == 2 && failing.iter().all(|line| !line.contains("again.")),
            "{failing:?}"
        );
        health.ended = Some("410".to_owned());
        let ended = look(&sources, &health, "2025-10-22T08:00");
        assert!(ended.len() == 1 && ended[0].contains("410"), "{ended:?}");
        // It was taken out of the configuration.
        assert_eq!(look(&[], &health, "2025-10-22T09:00"), [] as [String; 0]);
        assert_eq!(raised(&store).unwrap(), []);
    }

    #[test]
    fn days_of_hugging_face_that_are_missing_are_a_gap_of_their_own() {
        let store = ModelStore::new();
        let sources = [("hugging-face".to_owned(), SourceKind::HuggingFace)];
        let take = |day: u32, taken: &str| {
            let day = NaiveDate::from_ymd_opt(2025, 10, day).unwrap();
            put(&store, Window::of_day(SourceKind::HuggingFace, day), utc(taken));
        };
        take(7, "2025-10-08T01:00");
        let told = |at| {
            let news = look(&store, &sources, true, utc(at)).unwrap();
            tell(&store, &news).unwrap();
            said(&news)
        };
        assert_eq!(told("2025-10-09T05:00"), [] as [String; 0]);
        assert_eq!(
            told("2025-10-11T06:00"),
            [
                "Hugging Face daily papers: what was listed from 8 Oct 2025 00:00 UTC to 11 Oct 2025 00:00 UTC has not come in. It \
              is being fetched."
            ]
        );
        take(10, "2025-10-11T07:00");
        take(8, "2025-10-11T07:00");
        assert_eq!(told("2025-10-11T07:00"), [] as [String; 0]);
        take(9, "2025-10-11T07:00");
        assert_eq!(
            told("2025-10-11T07:00"),
            ["The papers from 8 Oct 2025 00:00 UTC to 11 Oct 2025 00:00 UTC (Hugging Face daily papers) have come in."]
        );
        // Where it is configured no more, nothing is expected of it.
        assert_eq!(look(&store, &[], true, utc("2025-10-20T07:00")).unwrap(), []);
    }

    #[test]
    fn every_alarm_exists_in_both_languages() {
        let (from, to) = (utc("2025-10-08T18:00"), utc("2025-10-09T18:00"));
        let (source, reason) = ("甲".to_owned(), "乙".to_owned());
        let all = [
            Alarm::Gap { from, to, of: None },
            Alarm::Gap {
                from,
                to,
                of: Some(SourceKind::HuggingFace),
            },
            Alarm::Unfetched {
                source: source.clone(),
                day: from.date_naive(),
            },
            Alarm::TurnedOver {
                source: source.clone(),
                from,
                to: to.date_naive(),
            },
            Alarm::Failing {
                source: source.clone(),
                since: from,
                reason: reason.clone(),
            },
            Alarm::Ended {
                source: source.clone(),
                reason,
            },
            Alarm::Silent { source, since: from },
        ];
        let say = |lang| -> Vec<String> {
            let each = |alarm: &Alarm| {
                [
                    alarm.sentence(lang, true),
                    alarm.sentence(lang, false),
                    alarm.over(lang),
                ]
            };
            all.iter().flat_map(each).collect()
        };
        assert_translated(&say(Lang::Zh), &say(Lang::En));
    }
}
