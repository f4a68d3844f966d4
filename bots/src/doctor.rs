//! What `paperwire doctor` says: everything that somebody who looks after the program should know, each with what to do
//! about it. It reads what the loops have written down; it asks nobody and changes nothing.

use chrono::{DateTime, TimeDelta, Utc};
use paperwire_core::alarm::{self, Alarm};
use paperwire_core::channel::Activity;
use paperwire_core::locale::Lang;
use paperwire_core::pipeline::judging::{self, Note, Outcome, Tally};
use paperwire_core::pipeline::{self, Ruling};
use paperwire_core::source::daybook::{self, Day};
use paperwire_core::source::health::{Health, Trouble};
use paperwire_core::source::{SourceKind, Window, calendar, ledger};
use paperwire_core::store::{Result, Store, StoreError, WindowRecord};
use paperwire_core::topic::{Topic, TopicId};
use serde::{Deserialize, Serialize};

use crate::model::{JUDGES_PART, JudgesShare, ModelReport};
use crate::models;

/// How far back the ledger is shown.
const DAYS: TimeDelta = TimeDelta::days(ledger::FILL_DAYS as i64);
/// How many of a kind are listed.
const MOST: usize = 20;

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// As it should be.
    Good,
    /// Worth knowing.
    Note,
    /// Somebody should do something.
    Wrong,
}

impl Mark {
    /// A sign for a line of text.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Note => "--",
            Self::Wrong => "!!",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub mark: Mark,
    /// A sentence.
    pub text: String,
}

impl Finding {
    /// As it should be.
    pub fn good(text: impl Into<String>) -> Self {
        Self::new(Mark::Good, text)
    }

    /// Worth knowing.
    pub fn note(text: impl Into<String>) -> Self {
        Self::new(Mark::Note, text)
    }

    /// Somebody should do something.
    pub fn wrong(text: impl Into<String>) -> Self {
        Self::new(Mark::Wrong, text)
    }

    fn new(mark: Mark, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { mark, text }
    }
}

/// Findings of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// What was looked at.
    pub name: String,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Everything that was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkup {
    /// In the order of a paper's way.
    pub sections: Vec<Section>,
}

impl Checkup {
    /// The worst of it.
    pub fn worst(&self) -> Mark {
        let all = self.sections.iter().flat_map(|section| &section.findings);
        all.map(|finding| finding.mark).max().unwrap_or(Mark::Good)
    }

    /// As lines of text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for section in &self.sections {
            text.push_str(&section.name);
            text.push('\n');
            for finding in &section.findings {
                text.push_str(&format!("  {} {}\n", finding.mark.sign(), finding.text));
            }
        }
        let [good, note, wrong] = [Mark::Good, Mark::Note, Mark::Wrong].map(Mark::sign);
        text.push_str(&format!(
            "\n{good} is as it should be, {note} is worth knowing, {wrong} wants somebody to do something.\n"
        ));
        text
    }

    pub(crate) fn add(&mut self, name: &str, findings: Vec<Finding>) {
        if !findings.is_empty() {
            let name = name.to_owned();
            self.sections.push(Section { name, findings });
        }
    }
}

/// A source of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its name ([`paperwire_core::source::request::Source::name`]).
    pub name: String,
    /// Its kind.
    pub kind: SourceKind,
}

/// Looks at what the store has. What cannot be read of it is a finding, too. `has_operator` says whether somebody is told of
/// alarms.
///
/// # Errors
/// Only when the store is broken.
pub fn look(
    store: &dyn Store,
    topics: &[Topic],
    sources: &[Known],
    has_operator: bool,
    now: DateTime<Utc>,
) -> Result<Checkup> {
    let mut checkup = Checkup::default();
    checkup.add("Papers", papers(store, sources, now)?);
    checkup.add("Sources", asked(store, sources, has_operator, now)?);
    checkup.add("Topics", topics.iter().map(|topic| of_topic(topic, now)).collect());
    checkup.add("Digests", digests(store, topics)?);
    checkup.add("Channels", channels(store, now)?);
    checkup.add("Deliveries", deliveries(store)?);
    checkup.add("Store", damaged(store)?);
    Ok(checkup)
}

pub(crate) fn at(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn papers(store: &dyn Store, sources: &[Known], now: DateTime<Utc>) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let records = store.windows()?;
    let windows: Vec<Window> = records.iter().map(|record| record.window).collect();
    let head = store.head()?;
    if head == 0 {
        findings.push(match sources.is_empty() {
            true => Finding::wrong(
                "no paper has come in; put a mailing into the inbox, or add a [[source]] to the configuration",
            ),
            false => Finding::note("no paper has come in yet"),
        });
    } else {
        findings.push(Finding::good(format!("{head} papers have come in")));
    }
    let of_arxiv = |record: &&WindowRecord| record.window.source.covers_arxiv();
    if let Some(last) = records.iter().filter(of_arxiv).map(|record| record.window.to).max() {
        let expected = sources.iter().any(|known| known.kind.covers_arxiv());
        let missing = alarm::gaps(&windows, expected, now);
        let announced = calendar::announced_until(now);
        let next = at(calendar::next_announcement(now));
        let due = calendar::announced_until(now - alarm::GRACE);
        findings.extend(match (missing.is_empty(), last) {
            (true, last) if last >= announced => Some(Finding::good(format!(
                "arXiv: everything that was announced is here, up to submissions of {}; the next announcement is at {next}",
                at(last)
            ))),
            (true, last) if last >= due => Some(Finding::good(format!(
                "arXiv: everything is here up to submissions of {}; those up to {} were announced a few hours ago and come as \
                 soon as arXiv hands them out",
                at(last),
                at(announced)
            ))),
            (true, last) => Some(Finding::note(format!(
                "arXiv: the last submissions here are of {}, those up to {} were announced; if they are wanted, put the \
                 mailings into the inbox, or add a [[source]]",
                at(last),
                at(announced)
            ))),
            (false, _) => None,
        });
        for (from, to) in missing {
            findings.push(Finding::wrong(format!(
                "arXiv: submissions from {} to {} were announced and are missing{}",
                at(from),
                at(to),
                match expected {
                    true => "; they are being fetched",
                    false => "; put their mailings into the inbox, or add a [[source]]",
                }
            )));
        }
        for record in records
            .iter()
            .filter(of_arxiv)
            .filter(|record| record.window.to > now - DAYS)
        {
            let WindowRecord { window, items, .. } = record;
            findings.push(Finding::good(format!(
                "{}: submissions from {} to {}: {items} papers, {} of them new, taken in at {}",
                window.source,
                at(window.from),
                at(window.to),
                record.new_papers(),
                at(record.taken_at)
            )));
        }
    }
    if sources.iter().any(|known| known.kind == SourceKind::HuggingFace) {
        let missing = alarm::missing_days(&records, now);
        let of_days = records
            .iter()
            .filter(|record| record.window.source == SourceKind::HuggingFace);
        if let Some(last) = of_days
            .map(|record| record.window.day())
            .max()
            .filter(|_| missing.is_empty())
        {
            findings.push(Finding::good(format!("Hugging Face: every day is here, up to {last}")));
        }
        for (from, to) in missing {
            findings.push(Finding::wrong(format!(
                "Hugging Face: what was listed from {} to {} is missing; it is being fetched",
                at(from),
                at(to)
            )));
        }
    }
    Ok(findings)
}

/// `1 answer`, `2 answers`.
fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// For which days a source answered without a paper, if any.
fn empty_days(health: &Health) -> Option<String> {
    let ((from, _), (_, to)) = (health.empty.first()?, health.empty.last()?);
    Some(format!(
        "{} of submissions, {} – {}",
        counted(health.empty.len(), "day"),
        at(*from),
        at(*to)
    ))
}

/// What a source that lists what is latest brought on its last day, and on which days it was not fetched.
fn of_days(name: &str, health: &Health, days: &[Day], now: DateTime<Utc>) -> Vec<Finding> {
    let days: Vec<&Day> = days.iter().filter(|day| day.source == name).collect();
    let mut findings = Vec::new();
    if let Some(last) = days.last() {
        let asked = last
            .asked()
            .map(|(first, last)| (first.format("%H:%M").to_string(), last.format("%H:%M").to_string()))
            .map(|(first, last)| match first == last {
                true => format!(" at {first}"),
                false => format!(" from {first} to {last}"),
            })
            .unwrap_or_default();
        let papers = match last.answered.is_empty() {
            true => String::new(),
            false => format!(
                "; at most {} in one answer, {} new in all",
                counted(usize::try_from(last.items).unwrap_or(usize::MAX), "paper"),
                last.new
            ),
        };
        let text = format!(
            "{name}: on {} (UTC): {} and {}{asked}{papers}",
            last.day,
            counted(last.answered.len(), "answer"),
            counted(last.failed.len(), "failure"),
        );
        findings.push(match (last.answered.is_empty(), health.failures > 0) {
            (true, true) if health.answered.is_none() => Finding::wrong(text),
            (true, true) => Finding::note(text),
            (true, false) | (false, _) => Finding::good(text),
        });
    }
    let (Some(since), Some(yesterday)) = (health.since, now.date_naive().pred_opt()) else {
        return findings;
    };
    let first = (since.date_naive() + chrono::Days::new(1)).max((now - DAYS).date_naive());
    // Of days before there were such records nothing is known.
    let first = days.first().map_or(first, |known| first.max(known.day));
    for (from, to) in daybook::unanswered(&days, first, yesterday) {
        let when = match from == to {
            true => format!("on {from}"),
            false => format!("from {from} to {to}"),
        };
        let lost = days.iter().find(|day| day.day > to && !day.answered.is_empty());
        findings.push(match lost.map(|day| day.turned_over.is_some()) {
            // By its own pace, or because nothing ran.
            None if health.failures == 0 => Finding::note(format!(
                "{name}: it was not asked {when} (UTC): the program did not run, or the source wants longer pauses"
            )),
            None => Finding::wrong(format!(
                "{name}: it was not fetched {when} (UTC); what it no longer lists when it answers again will be missing"
            )),
            Some(true) => Finding::wrong(format!(
                "{name}: it was not fetched {when} (UTC), and then listed nothing any more that it had listed before: papers may \
                 be lost; look at its site, and put what is missing into the inbox"
            )),
            Some(false) => Finding::note(format!(
                "{name}: it was not fetched {when} (UTC), and then still listed what it had listed before: nothing is lost"
            )),
        });
    }
    findings
}

fn asked(store: &dyn Store, sources: &[Known], has_operator: bool, now: DateTime<Utc>) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let days = daybook::since(store, (now - DAYS).date_naive())?;
    for Known { name, kind } in sources {
        let Some(health) = alarm::health(store, name)? else {
            findings.push(Finding::note(format!(
                "{name}: it was not asked yet; paperwire run asks it"
            )));
            continue;
        };
        let next = health
            .next
            .map(|next| format!("; asked again at {}", at(next)))
            .unwrap_or_default();
        let empty = empty_days(&health);
        let is_always_empty = health.failures == 0 && health.is_always_empty(now);
        // A failure says itself when it is asked again.
        findings.push(match health.trouble(now) {
            Some(Trouble::Silent(_)) | None if is_always_empty => Finding::wrong(format!(
                "{name}: it answers, but without a paper for any day that it was asked for ({}); check the categories{next}",
                empty.unwrap_or_default()
            )),
            Some(Trouble::Ended(reason)) => Finding::wrong(format!(
                "{name}: it is there no more ({reason}); take it out of the configuration or give another url"
            )),
            Some(Trouble::Failing { since, reason }) => Finding::wrong(format!(
                "{name}: {} in a row, no answer since {}; the last failure: {reason}",
                counted(usize::try_from(health.failures).unwrap_or(usize::MAX), "failure"),
                at(since)
            )),
            Some(Trouble::Silent(since)) => Finding::wrong(format!(
                "{name}: it answers, but has brought nothing new since {}; look whether its url is still the right one",
                at(since)
            )),
            None => match (health.answered, &health.failed) {
                (Some(answered), Some((when, reason))) if health.failures > 0 => Finding::note(format!(
                    "{name}: it answered at {}, and failed at {}: {reason}",
                    at(answered),
                    at(*when)
                )),
                (None, Some((when, reason))) => Finding::wrong(format!(
                    "{name}: it has never answered; it failed at {}: {reason}",
                    at(*when)
                )),
                (Some(answered), _) => {
                    let brought = health
                        .brought
                        .map(|brought| format!(", last brought something new at {}", at(brought)));
                    let brought = brought.unwrap_or_default();
                    match empty {
                        Some(days) => Finding::note(format!(
                            "{name}: answered at {}, with no papers for {days}{brought}{next}",
                            at(answered)
                        )),
                        None => Finding::good(format!("{name}: answered at {}{brought}{next}", at(answered))),
                    }
                }
                (None, None) => Finding::note(format!("{name}: it has not answered yet{next}")),
            },
        });
        if kind.lists_latest() {
            findings.extend(of_days(name, &health, &days, now));
        }
    }
    let filled = sources.iter().any(|known| known.kind.covers_arxiv());
    for (_, raised) in alarm::raised(store)? {
        let told = match (raised.told, raised.over) {
            (_, Some(_)) => continue,
            (_, None) if !has_operator => " ([operator] names no place to write to)",
            (true, None) => " (the operator was told)",
            (false, None) => " (the operator is told next)",
        };
        // Gaps and troubles stand above; this is what became of them.
        let what = match raised.alarm {
            Alarm::Gap { .. } => raised.alarm.sentence(Lang::En, filled),
            Alarm::Failing { source, .. }
            | Alarm::Ended { source, .. }
            | Alarm::Silent { source, .. }
            | Alarm::Unfetched { source, .. }
            | Alarm::TurnedOver { source, .. } => format!("the source {source}, see above"),
        };
        findings.push(Finding::note(format!(
            "alarm raised at {}: {what}{told}",
            at(raised.seen)
        )));
    }
    Ok(findings)
}

/// How old a learned ranking may be: fields move on.
const STALE: TimeDelta = TimeDelta::days(180);

fn of_topic(topic: &Topic, now: DateTime<Utc>) -> Finding {
    let id = &topic.id;
    let Some(learned) = &topic.learned else {
        return Finding::good(format!(
            "{id}: papers are ranked by the topic's weighted terms; past reports can teach it better ones (paperwire topic train)"
        ));
    };
    let figures = learned.figures.as_ref().map(|figures| {
        let (precision, twice) = (figures.figures.average_precision, figures.figures.recall_at_twice);
        format!(
            "; tried on days that it was not taught with: average precision {precision:.2} (1 is best), {:.0}% of the wanted \
             papers among twice as many from its top",
            100.0 * twice
        )
    });
    let text = format!(
        "{id}: papers are ranked as it was taught on {} with {} papers, {} of them wanted{}",
        at(learned.trained_at),
        learned.examples,
        learned.wanted,
        figures.unwrap_or_default()
    );
    match now - learned.trained_at > STALE {
        true => Finding::note(format!(
            "{text}; that is long ago: teach it again with paperwire topic train"
        )),
        false => Finding::good(text),
    }
}

/// How many of the last digests are shown with why they were posted or held.
const DIGESTS: usize = 10;

fn digests(store: &dyn Store, topics: &[Topic]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for waiting in pipeline::waiting(store, topics)? {
        findings.push(Finding::wrong(format!(
            "{}: held back since {}: {}; decide with paperwire held post '{id}' or paperwire held drop '{id}'",
            waiting.title,
            at(waiting.since),
            waiting.reason,
            id = waiting.digest
        )));
    }
    for id in store.digests(None, DIGESTS)? {
        let Some(decision) = pipeline::decision(store, &id)? else {
            continue;
        };
        let facts = &decision.facts;
        let brought = format!(
            "of {} papers that came in {} matched, {} are in it",
            facts.considered, facts.matched, facts.entries
        );
        findings.push(match (&decision.ruling, &decision.resolved) {
            (Ruling::Post, _) => Finding::good(format!("{id}: passed the checks and was queued; {brought}")),
            (Ruling::Unjudged, _) => Finding::good(format!(
                "{id}: queued without the checks, since a person asked for it; {brought}"
            )),
            (Ruling::Hold(reason), None) => {
                Finding::note(format!("{id}: held back: {}; {brought}", reason.says(Lang::En, topics)))
            }
            (Ruling::Hold(reason), Some(resolved)) => Finding::good(format!(
                "{id}: held back ({}), then {} by {} at {}; {brought}",
                reason.says(Lang::En, topics),
                if resolved.posted { "posted" } else { "dropped" },
                resolved.by,
                at(resolved.at)
            )),
        });
    }
    Ok(findings)
}

/// What the judges of the borderlines of these topics have said of late. What they cost stands with the briefs.
pub(crate) fn judged(
    store: &dyn Store,
    topics: &[Topic],
    asked: &[TopicId],
    now: DateTime<Utc>,
) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for id in asked {
        if topics.iter().all(|topic| topic.id != *id || topic.judge().is_none()) {
            findings.push(Finding::wrong(models::untaught(id)));
            continue;
        }
        let Tally {
            kept,
            left_out,
            failed,
            spent,
            last,
        } = judging::tally(store, id, now - judging::LOOK_BACK)?;
        let last = last.map(
            |Note {
                 paper,
                 at: when,
                 outcome,
                 ..
             }| {
                let said = match outcome {
                    Outcome::Said(opinion) => {
                        let yes = if opinion.yes { "yes" } else { "no" };
                        format!("{yes}, “{}”", opinion.reason)
                    }
                    Outcome::Failed(why) => why,
                    Outcome::Spent => "not asked".to_owned(),
                };
                format!("; the last at {}: {paper}, {said}", at(when))
            },
        );
        findings.push(Finding::good(format!(
            "{id}: {} papers near the threshold were asked about in the last {} days: {kept} kept, {left_out} left out, \
             {failed} answers of no use{}",
            kept + left_out + failed,
            judging::LOOK_BACK.num_days(),
            last.unwrap_or_default()
        )));
        if spent > 0 {
            findings.push(Finding::note(format!(
                "{id}: about {spent} more papers it was not asked, since the judge's part of a day's calls or tokens was used up; \
                 the learned ranking decided alone"
            )));
        }
    }
    Ok(findings)
}

/// Why questions had no answer, for people: by the word for it in the statistics.
fn unanswered(kind: &str) -> &str {
    match kind {
        "unusable" => "refused as they were (too long, or filtered)",
        "refused" => "refused like any other (key, address, account or model)",
        "down" => "while the server did not answer",
        "busy" => "while the server had too much to do",
        "resting" => "not sent, in a pause after failures",
        "budget" => "not sent, with the day's budget or the judge's part of it used up",
        "storage" => "not sent, for the store failed",
        other => other,
    }
}

/// What the judges of all topics have used of their part of today.
pub(crate) fn judges_share(share: &JudgesShare) -> Finding {
    let JudgesShare {
        calls,
        calls_per_day,
        tokens,
        tokens_per_day,
        spent,
    } = share;
    let used = format!(
        "the judge has made {calls} of {calls_per_day} calls and used {tokens} of {tokens_per_day} tokens that are its part of \
         today's (UTC), one in {JUDGES_PART}"
    );
    match spent {
        true => Finding::note(format!(
            "{used}; until tomorrow the learned ranking decides alone, unless model.calls_per_day or model.tokens_per_day is \
             raised"
        )),
        false => Finding::good(used),
    }
}

/// What the model that writes briefs does.
pub(crate) fn briefs(report: &ModelReport) -> Vec<Finding> {
    let ModelReport {
        name,
        calls,
        calls_per_day,
        tokens,
        tokens_per_day,
        estimated,
        spent: used_up,
        written,
        given_up,
        there,
        failures,
        last_error,
        resting_until,
        prompts,
        ..
    } = report;
    let about = if *estimated { "about " } else { "" };
    let spent = format!(
        "{name}: {calls} of today's {calls_per_day} calls and {about}{tokens} of today's {tokens_per_day} tokens are used \
         (days in UTC)"
    );
    let mut findings = vec![match *used_up {
        true => Finding::wrong(format!(
            "{spent}; until tomorrow briefs are the abstracts' own words and nothing is judged, unless \
             model.calls_per_day or model.tokens_per_day is raised"
        )),
        false => Finding::good(spent),
    }];
    findings.push(Finding::good(format!(
        "since the program started {written} briefs were written, and {given_up} more did not pass the gate, whose papers keep \
         the abstract's own words; at the last look {there} briefs for the digests to come were there without asking; \
         prompts in use: {}",
        prompts.join(", ")
    )));
    let failed: Vec<String> = failures
        .iter()
        .map(|(kind, count)| format!("{count} {}", unanswered(kind)))
        .collect();
    if let Some((when, reason)) = last_error {
        let text = format!(
            "questions without an answer since the program started: {}; the last one at {}: {reason}",
            failed.join(", "),
            at(*when)
        );
        findings.push(match resting_until {
            Some(until) => Finding::wrong(format!(
                "{text}; after so many failures it is not asked again before {}",
                at(*until)
            )),
            None => Finding::note(text),
        });
    }
    findings
}

fn channels(store: &dyn Store, now: DateTime<Utc>) -> Result<Vec<Finding>> {
    let all = store.channels()?;
    let mut findings = Vec::new();
    let active = all
        .iter()
        .filter(|channel| matches!(channel.activity, Activity::Active))
        .count();
    findings.push(match (all.is_empty(), active) {
        (true, _) => Finding::wrong("there is no channel; add a [[channel]], or type /subscribe where the bot is"),
        (false, 0) => Finding::wrong(format!(
            "none of the {} channels gets digests now; paperwire status says why, channel by channel",
            all.len()
        )),
        (false, active) => {
            let next = all.iter().filter_map(|channel| channel.next_due).min();
            let next = next.map(|next| format!("; the next digest is due at {}", at(next)));
            Finding::good(format!(
                "{active} of {} channels get digests{}",
                all.len(),
                next.unwrap_or_default()
            ))
        }
    });
    let mut paused = Vec::new();
    for channel in &all {
        match &channel.activity {
            Activity::Paused { reason, .. } => paused.push(Finding::wrong(format!(
                "{}: it cannot be written to: {reason}; give the bot its rights back and send /start there",
                channel.place
            ))),
            Activity::Absent { .. } => paused.push(Finding::note(format!(
                "{}: the configuration does not have it any more, and it gets no digests",
                channel.place
            ))),
            Activity::Active if channel.next_due.is_some_and(|due| due < now - TimeDelta::hours(1)) => {
                paused.push(Finding::wrong(format!(
                    "{}: a digest is overdue; look whether the program runs (paperwire status), and at its log",
                    channel.place
                )));
            }
            Activity::Active | Activity::Snoozed { .. } => {}
        }
    }
    let more = paused.len().saturating_sub(MOST);
    findings.extend(paused.into_iter().take(MOST));
    if more > 0 {
        findings.push(Finding::note(format!("{more} more; see paperwire status")));
    }
    Ok(findings)
}

fn deliveries(store: &dyn Store) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let waiting = store.unfinished(10_000)?.len();
    findings.push(Finding::good(match waiting {
        0 => "nothing waits to be sent".to_owned(),
        1 => "1 digest or correction waits to be sent to its channel".to_owned(),
        more => format!("{more} digests and corrections wait to be sent to their channels"),
    }));
    let dead = store.dead_letters(MOST)?;
    for letter in &dead {
        findings.push(Finding::wrong(format!(
            "{}: the platform refused a part of a digest; paperwire queue show '{}' has the part and the answer",
            letter.id.place, letter.id
        )));
    }
    for id in store.set_aside(MOST)? {
        findings.push(Finding::wrong(format!(
            "{id}: this delivery cannot be read and was set aside; its channel misses the digest"
        )));
    }
    Ok(findings)
}

fn damaged(store: &dyn Store) -> Result<Vec<Finding>> {
    let all = store.damaged()?;
    if all.is_empty() {
        return Ok(vec![Finding::good("every record can be read")]);
    }
    let more = all.len().saturating_sub(MOST);
    let mut findings: Vec<Finding> = all
        .iter()
        .take(MOST)
        .map(|error: &StoreError| Finding::wrong(error.to_string()))
        .collect();
    if more > 0 {
        findings.push(Finding::wrong(format!("{more} more records cannot be read")));
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use paperwire_core::source::daybook::Event;
    use paperwire_core::store::{MemoSpace, ModelStore, Write};

    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        format!("{text}:00Z").parse().unwrap()
    }

    fn cover(store: &ModelStore, from: &str, to: &str) {
        let source = SourceKind::ArxivApi;
        let (from, to) = (utc(from), utc(to));
        let record = WindowRecord {
            window: Window { source, from, to },
            taken_at: to + TimeDelta::hours(7),
            repeats: 0,
            since: 0,
            upto: 3,
            items: 5,
            replacements: 0,
            again_at: None,
            asked: None,
            new: None,
        };
        store.commit(vec![Write::Window(record)]).unwrap();
    }

    fn known() -> Vec<Known> {
        let name = "arxiv-api".to_owned();
        let kind = SourceKind::ArxivApi;
        vec![Known { name, kind }]
    }

    fn text(store: &ModelStore, now: &str) -> String {
        look(store, &[], &known(), true, utc(now)).unwrap().text()
    }

    #[test]
    fn a_quiet_weekend_is_said_to_be_one_and_a_missing_day_is_named() {
        let store = ModelStore::new();
        cover(&store, "2025-10-07T18:00", "2025-10-09T18:00");
        let quiet = text(&store, "2025-10-11T12:00");
        assert!(
            quiet.contains(
                "ok arXiv: everything that was announced is here, up to submissions of 2025-10-09 18:00 UTC; the next \
                 announcement is at 2025-10-13 00:00 UTC"
            ),
            "{quiet}"
        );
        let missing = text(&store, "2025-10-13T08:00");
        assert!(
            missing.contains(
                "!! arXiv: submissions from 2025-10-09 18:00 UTC to 2025-10-10 18:00 UTC were announced and are missing; \
                 they are being fetched"
            ),
            "{missing}"
        );
        assert!(missing.contains("5 papers, 3 of them new"), "{missing}");
    }

    #[test]
    fn a_feed_shows_its_last_day_and_the_days_on_which_it_was_not_fetched() {
        let store = ModelStore::new();
        let (name, kind) = ("feed:a.example/rss".to_owned(), SourceKind::Feed);
        let note = |event, when: &str| {
            let day = daybook::note(&store, &name, &[event], utc(when)).unwrap();
            store.commit(vec![day]).unwrap();
        };
        let mut health = Health::default();
        health.succeed(3, utc("2025-10-05T08:00"));
        note(Event::Came { items: 20, new: 3 }, "2025-10-05T08:00");
        note(Event::Unchanged, "2025-10-05T09:00");
        let keep = |health: &Health| {
            let (space, key) = (MemoSpace::Source, name.clone());
            let value = serde_json::to_string(health).ok();
            store.commit(vec![Write::Memo { space, key, value }]).unwrap();
        };
        let known = [Known {
            name: name.clone(),
            kind,
        }];
        let text = |now| look(&store, &[], &known, true, utc(now)).unwrap().text();
        keep(&health);
        let good = text("2025-10-06T20:00");
        assert!(
            good.contains(
                "ok feed:a.example/rss: on 2025-10-05 (UTC): 2 answers and 0 failures from 08:00 to 09:00; at most 20 papers in \
                 one answer, 3 new in all"
            ) && !good.contains("not fetched"),
            "{good}"
        );
        health.fail("503".to_owned(), utc("2025-10-07T20:00"));
        note(Event::Failed, "2025-10-07T20:00");
        keep(&health);
        let failing = text("2025-10-08T00:00");
        assert!(
            failing.contains(
                "!! feed:a.example/rss: it was not fetched from 2025-10-06 to 2025-10-07 (UTC); what it no longer"
            ),
            "{failing}"
        );
        health.succeed(3, utc("2025-10-08T08:00"));
        note(Event::Came { items: 20, new: 3 }, "2025-10-08T08:00");
        keep(&health);
        let whole = text("2025-10-08T09:00");
        assert!(
            whole.contains("(UTC), and then still listed what it had listed before: nothing is lost"),
            "{whole}"
        );
        note(Event::TurnedOver(utc("2025-10-05T09:00")), "2025-10-08T08:00");
        let lost = text("2025-10-08T09:00");
        assert!(
            lost.contains(
                "!! feed:a.example/rss: it was not fetched from 2025-10-06 to 2025-10-07 (UTC), and then listed nothing"
            ),
            "{lost}"
        );
    }

    #[test]
    fn a_source_is_shown_with_its_last_answer_and_its_trouble() {
        let store = ModelStore::new();
        let mut health = Health::default();
        let keep = |health: &Health| {
            let (space, key) = (MemoSpace::Source, "arxiv-api".to_owned());
            let value = serde_json::to_string(health).ok();
            store.commit(vec![Write::Memo { space, key, value }]).unwrap();
        };
        assert!(text(&store, "2025-10-08T00:00").contains("-- arxiv-api: it was not asked yet"));
        health.succeed(2, utc("2025-10-08T00:00"));
        keep(&health);
        assert!(text(&store, "2025-10-08T01:00").contains("ok arxiv-api: answered at 2025-10-08 00:00 UTC"));
        for hour in 1..=8 {
            health.fail("503".to_owned(), utc(&format!("2025-10-08T0{hour}:00")));
        }
        keep(&health);
        let failing = look(&store, &[], &known(), true, utc("2025-10-08T08:00")).unwrap();
        assert_eq!(failing.worst(), Mark::Wrong);
        let text = failing.text();
        assert!(
            text.contains(
                "!! arxiv-api: 8 failures in a row, no answer since 2025-10-08 00:00 UTC; the last failure: 503"
            ),
            "{text}"
        );
    }

    fn keep(store: &ModelStore, name: &str, health: &Health) {
        let (space, key) = (MemoSpace::Source, name.to_owned());
        let value = serde_json::to_string(health).ok();
        store.commit(vec![Write::Memo { space, key, value }]).unwrap();
    }

    #[test]
    fn a_source_that_answers_without_papers_is_said_to_answer_and_after_three_days_to_be_asked_for_the_wrong_thing() {
        let store = ModelStore::new();
        let mut health = Health::default();
        let day = |from: &str, to: &str| Window {
            source: SourceKind::ArxivApi,
            from: utc(from),
            to: utc(to),
        };
        health.came_empty(day("2025-10-09T18:00", "2025-10-10T18:00"), utc("2025-10-13T12:00"));
        keep(&store, "arxiv-api", &health);
        let one = text(&store, "2025-10-13T12:01");
        assert!(
            one.contains(
                "-- arxiv-api: answered at 2025-10-13 12:00 UTC, with no papers for 1 day of submissions, 2025-10-09 18:00 UTC \
                 – 2025-10-10 18:00 UTC"
            ),
            "{one}"
        );
        health.came_empty(day("2025-10-08T18:00", "2025-10-09T18:00"), utc("2025-10-13T12:00"));
        health.came_empty(day("2025-10-07T18:00", "2025-10-08T18:00"), utc("2025-10-13T12:00"));
        keep(&store, "arxiv-api", &health);
        let all = text(&store, "2025-10-13T12:01");
        assert!(
            all.contains(
                "!! arxiv-api: it answers, but without a paper for any day that it was asked for (3 days of submissions, \
                 2025-10-07 18:00 UTC – 2025-10-10 18:00 UTC); check the categories"
            ),
            "{all}"
        );
    }

    #[test]
    fn every_sign_is_explained_and_a_gap_that_nothing_fills_is_not_said_to_be_filled() {
        let store = ModelStore::new();
        cover(&store, "2025-10-07T18:00", "2025-10-09T18:00");
        let now = utc("2025-10-13T08:00");
        alarm::look(&store, &[], false, now).unwrap();
        let text = look(&store, &[], &[], false, now).unwrap().text();
        let (_, legend) = text.rsplit_once("\n\n").unwrap();
        for mark in [Mark::Good, Mark::Note, Mark::Wrong] {
            assert!(legend.contains(&format!("{} ", mark.sign())), "{legend}");
        }
        assert!(
            text.contains("-- alarm raised at 2025-10-13 08:00 UTC: Papers submitted"),
            "{text}"
        );
        assert!(
            !text.contains("being fetched") && text.contains("Put the mailings"),
            "{text}"
        );
    }

    #[test]
    fn what_became_of_a_models_questions_is_said_in_words() {
        let report = ModelReport {
            name: "m".to_owned(),
            url: "http://h/v1".to_owned(),
            rung: crate::model::Rung::Plain,
            calls: 6,
            calls_per_day: 1000,
            tokens: 700,
            tokens_per_day: 9000,
            estimated: true,
            spent: false,
            judge: JudgesShare {
                calls: 0,
                calls_per_day: 333,
                tokens: 0,
                tokens_per_day: 3000,
                spent: false,
            },
            written: 5,
            given_up: 1,
            there: 14,
            failures: [("down", 4), ("resting", 21)]
                .map(|(kind, count)| (kind.to_owned(), count))
                .into(),
            last_error: Some((utc("2025-10-08T08:00"), "503".to_owned())),
            resting_until: Some(utc("2025-10-08T08:01")),
            prompts: vec!["v1.zh".to_owned(), "v1.en".to_owned()],
        };
        let said: Vec<String> = briefs(&report).into_iter().map(|finding| finding.text).collect();
        assert_eq!(
            said,
            [
                "m: 6 of today's 1000 calls and about 700 of today's 9000 tokens are used (days in UTC)",
                "since the program started 5 briefs were written, and 1 more did not pass the gate, whose papers keep the \
                 abstract's own words; at the last look 14 briefs for the digests to come were there without asking; \
                 prompts in use: v1.zh, v1.en",
                "questions without an answer since the program started: 4 while the server did not answer, 21 not sent, in a \
                 pause after failures; the last one at 2025-10-08 08:00 UTC: 503; after so many failures it is not asked again \
                 before 2025-10-08 08:01 UTC",
            ]
        );
    }

    #[test]
    fn an_operator_was_told_only_where_there_is_one() {
        let store = ModelStore::new();
        let mut health = Health::default();
        for hour in 1..=8 {
            health.fail("503".to_owned(), utc(&format!("2025-10-08T0{hour}:00")));
        }
        keep(&store, "arxiv-api", &health);
        let now = utc("2025-10-08T09:00");
        let sources = [("arxiv-api".to_owned(), SourceKind::ArxivApi)];
        let news = alarm::look(&store, &sources, true, now).unwrap();
        alarm::tell(&store, &news).unwrap();
        let text = |operator| look(&store, &[], &known(), operator, now).unwrap().text();
        assert!(
            text(true).contains("the source arxiv-api, see above (the operator was told)"),
            "{}",
            text(true)
        );
        let nobody = text(false);
        assert!(
            nobody.contains("alarm raised at") && !nobody.contains("told"),
            "{nobody}"
        );
    }

    #[test]
    fn a_feed_that_never_answered_is_wrong_from_its_first_failure_on() {
        let store = ModelStore::new();
        let (name, kind) = ("feed:a.example/rss".to_owned(), SourceKind::Feed);
        let mut health = Health::default();
        health.fail("404".to_owned(), utc("2025-10-08T08:00"));
        keep(&store, &name, &health);
        let day = daybook::note(&store, &name, &[Event::Failed], utc("2025-10-08T08:00")).unwrap();
        store.commit(vec![day]).unwrap();
        let known = [Known { name, kind }];
        let text = look(&store, &[], &known, true, utc("2025-10-08T09:00")).unwrap().text();
        for line in [
            "!! feed:a.example/rss: it has never answered; it failed at 2025-10-08 08:00 UTC: 404\n",
            "!! feed:a.example/rss: on 2025-10-08 (UTC): 0 answers and 1 failure at 08:00\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
