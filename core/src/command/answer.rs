//! The answer to a question: a pure read of the store, in the language of the place where it was asked.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use super::change::PER_PAGE;
use super::press::{Button, Change, Pointed, Press, Seal};
use super::{Answer, Command, CommandError, Manner, PaperQuery, Question, TABLE};
use crate::brief::{self, Brief, Refused as Unfit};
use crate::channel::{Activity, Channel, Place, Platform, Settings, Style};
use crate::digest::{Digest, Entry, View};
use crate::erratum::{Count, Detail, Errata};
use crate::export::{Format, export};
use crate::locale::Lang;
use crate::message::{self, Block, Line, Message, Render, Span, ellipsis, plain};
use crate::paper::{Paper, PaperId};
use crate::pipeline::{self, Item, Refused, readable};
use crate::rule::{self, Query, Rule};
use crate::schedule::phrase;
use crate::store::{Result, Store};
use crate::topic::{Topic, TopicId};
use crate::vote::{Person, saved_page, top_page};

/// How many papers `/top` names.
const TOP: usize = 10;
/// How many authors are named before "and 12 more".
const NAMED_AUTHORS: usize = 8;
/// How many past digests of a place are looked through for a day's: more than ten years of daily ones.
pub(super) const LOOK_BACK: usize = 4_000;
/// How many of a place's deliveries are looked through for those that arrived without a message's id.
const RECENT: usize = 50;
/// How much of a digest's title is said about it, in characters: with the sentence behind it it must fit into the 200 that
/// Telegram shows.
const ABOUT_TITLE: usize = 90;

/// What an answer is made from.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Where everything is remembered.
    pub store: &'a dyn Store,
    /// All topics.
    pub topics: &'a [Topic],
    /// What a channel gets that is made by somebody's first subscription; its subjects do not count.
    pub fresh: &'a Settings,
    /// With which buttons are sealed.
    pub seal: &'a Seal,
    /// For what a person has posted after all.
    pub render: &'a dyn Render,
    /// When it is asked.
    pub now: DateTime<Utc>,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// What an answer still needs: it is not in the store, or takes longer than whoever else waits for the store should wait.
#[derive(Debug, Clone, PartialEq)]
pub enum Need {
    /// A page of what a search finds.
    Search {
        /// For what.
        query: Query,
        /// Which page, from 0.
        page: u32,
    },
    /// Another page of an earlier search.
    Page {
        /// Which search.
        search: u64,
        /// Which page, from 0.
        page: u32,
    },
    /// The papers nearest to one.
    Similar(Box<Paper>),
    /// What a rule would have brought of late.
    Trial {
        /// The rule.
        rule: Rule,
        /// What stands before that in the answer.
        head: Vec<Block>,
    },
}

/// An answer, or what it needs first.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// This is it.
    Answer(Answer),
    /// [`found`] or [`tried`] makes it from this.
    Needs(Need),
}

/// A page of what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hits {
    /// How many there are in all.
    pub total: usize,
    /// Before this page.
    pub skipped: usize,
    /// The papers of this page, best first.
    pub papers: Vec<PaperId>,
    /// What people should know of it: that the index is still being built, say.
    pub notes: Vec<String>,
}

/// How many papers a page of a search shows.
pub const HITS: usize = 5;

/// Answers a question that changes nothing.
///
/// # Errors
/// Only when the store cannot be read.
pub fn reply(question: &Question, context: &Context<'_>) -> Result<Reply> {
    let asked = Asked::new(question, context)?;
    let lang = asked.lang;
    let reply_to = question.reply_to.as_deref();
    let command = match &question.command {
        Ok(command) => command,
        Err(error) => {
            let said = refusal(error, asked.place.platform(), lang);
            return Ok(Reply::Answer(Answer::sentence(said, lang)));
        }
    };
    let message = match command {
        Command::Paper(query) => return asked.paper(query, reply_to).map(Reply::Answer),
        Command::Digest { day } => asked.digest(*day)?,
        Command::Search(words) => return Ok(asked.search(words)),
        Command::Similar(query) => return asked.similar(query, reply_to),
        Command::Why(query) => asked.why(query, reply_to)?,
        Command::Evidence(query) => asked.evidence(query, reply_to)?,
        Command::Try(typed) => match asked.item(typed) {
            Ok(item) => match item.as_rule() {
                Some(rule) => {
                    let head = vec![Block::Paragraph(vec![Span::Code(asked.item_name(&item))])];
                    return Ok(Reply::Needs(Need::Trial { rule, head }));
                }
                None => asked.topics(),
            },
            Err(refused) => refused,
        },
        Command::Subscriptions => return Ok(Reply::Answer(asked.subscriptions(0))),
        Command::Topics => asked.topics(),
        Command::Schedule(_) => asked.schedule_message(),
        Command::Timezone(_) => {
            let zone = asked.zone();
            Message::sentence(lang.setting_now(lang.timezone_name(), zone.name(), "/timezone Asia/Shanghai"))
        }
        Command::Language(_) => {
            let name = lang.name_of_language(lang);
            Message::sentence(lang.setting_now(lang.language_name(), name, "/language zh|en"))
        }
        Command::Style(_) => {
            let how = format!("/style {}", Style::ALL.map(Style::name).join("|"));
            Message::sentence(lang.setting_now(lang.style_name(), asked.view().style.name(), &how))
        }
        Command::Saved(args) => return asked.saved(args).map(Reply::Answer),
        Command::Top => asked.top()?,
        Command::Help => asked.help(),
        Command::Start => asked.start(),
        Command::About => asked.about(reply_to)?,
        Command::Press(data) => return asked.pressed(data),
        // They change something, and are answered there.
        Command::Subscribe(_) | Command::Edit { .. } | Command::Unsubscribe(_) => Message::sentence(lang.which_rule()),
        Command::Mention { .. } => Message::sentence(lang.which_mention(asked.place.platform())),
        Command::Pause(_) | Command::Resume | Command::Save(_) => asked.schedule_message(),
    };
    Ok(Reply::Answer(Answer::new(message, lang)))
}

/// The channel that a question is about: that of its place, else that of the chat around it.
///
/// # Errors
/// Only when the store cannot be read.
pub fn channel_of(question: &Question, store: &dyn Store) -> Result<Option<Channel>> {
    let own = store.channel(&question.place)?;
    match (own, &question.parent) {
        (None, Some(parent)) => store.channel(parent),
        (own, _) => Ok(own),
    }
}

/// The latest digest with papers of a question's channel.
///
/// # Errors
/// Only when the store cannot be read.
pub fn latest_digest(question: &Question, context: &Context<'_>) -> Result<Option<Digest>> {
    Asked::new(question, context)?.asked_digest(None)
}

/// The answer to a search, or to the question what is near a paper.
///
/// # Errors
/// Only when the store cannot be read.
pub fn found(
    question: &Question,
    context: &Context<'_>,
    title: &str,
    search: Option<(u64, u32)>,
    hits: &Hits,
) -> Result<Answer> {
    let asked = Asked::new(question, context)?;
    asked.hits_page(title, search, hits)
}

/// The answer to what a rule would have brought.
///
/// # Errors
/// Only when the store cannot be read.
pub fn tried(question: &Question, context: &Context<'_>, rule: &Rule, head: Vec<Block>) -> Result<Answer> {
    let asked = Asked::new(question, context)?;
    let trial = rule::trial(context.store, rule, context.topics, context.now)?;
    let mut message = trial.message(&rule.to_string(), asked.lang);
    // The rule itself stands in what is said before.
    let named = usize::from(!head.is_empty()).min(message.blocks.len());
    message.blocks.splice(0..named, head);
    Ok(Answer::new(message, asked.lang))
}

/// Why a command that was typed on a platform was not understood, in words.
pub fn refusal(error: &CommandError, platform: Platform, lang: Lang) -> String {
    match error {
        CommandError::Unknown { name, nearest } => lang.unknown_command(name, *nearest),
        CommandError::WhichPaper => lang.which_paper().to_owned(),
        CommandError::NoPaper(error) => lang.no_paper_name(&error.0),
        CommandError::NoDay(text) => lang.no_day(text),
        CommandError::WhichWords => lang.which_words().to_owned(),
        CommandError::WhichRule => lang.which_rule().to_owned(),
        CommandError::WhichMention => lang.which_mention(platform).to_owned(),
        CommandError::NoChoice { typed, choices } => lang.no_choice(typed, choices),
    }
}

pub(super) struct Asked<'a> {
    pub(super) context: &'a Context<'a>,
    question: &'a Question,
    pub(super) place: Place,
    pub(super) channel: Option<Channel>,
    pub(super) lang: Lang,
}

impl<'a> Asked<'a> {
    pub(super) fn new(question: &'a Question, context: &'a Context<'a>) -> Result<Self> {
        let channel = channel_of(question, context.store)?;
        Ok(Self {
            context,
            question,
            place: channel.as_ref().map_or(&question.place, |c| &c.place).clone(),
            lang: channel.as_ref().map_or(question.fallback_lang, |c| c.settings.language),
            channel,
        })
    }
}

impl Asked<'_> {
    /// Who asks; `None` where the platform does not say.
    pub(super) fn person(&self) -> Option<Person> {
        let asker = self.question.asker.as_deref()?;
        Person::new(self.question.place.platform(), asker).ok()
    }

    pub(super) fn zone(&self) -> Tz {
        self.channel
            .as_ref()
            .map_or(self.context.fresh.timezone, |c| c.settings.timezone)
    }

    /// `10 Oct 2025 09:00 (Asia/Shanghai)`.
    pub(super) fn time(&self, at: &DateTime<Tz>) -> String {
        let day = self.lang.date(at.date_naive());
        format!("{day} {} ({})", at.format("%H:%M"), at.timezone().name())
    }

    fn view(&self) -> View<'_> {
        View {
            lang: self.lang,
            zone: self.zone(),
            style: self.channel.as_ref().map_or(Style::Compact, |c| c.settings.style),
            topics: self.context.topics,
        }
    }

    /// The digest that a number is about: that of the message replied to, that of the forum post in which it is asked, else
    /// the latest with papers. On Discord a post has the id of its first message.
    pub(super) fn asked_digest(&self, reply_to: Option<&str>) -> Result<Option<Digest>> {
        let inside = (self.question.place != self.place).then(|| self.question.place.chat());
        let replied = match reply_to.or(inside) {
            Some(message) => self.context.store.digest_of_message(&self.place, message)?,
            None => None,
        };
        match replied {
            Some(id) => self.context.store.digest(&id),
            None => self.find(|digest| !digest.entries.is_empty()),
        }
    }

    fn paper(&self, query: &PaperQuery, reply_to: Option<&str>) -> Result<Answer> {
        let digest = match query {
            PaperQuery::Id(id) => return self.paper_by_id(id),
            PaperQuery::Number(n) => self.asked_digest(reply_to)?.map(|digest| (digest, *n)),
            PaperQuery::OfDay(day, n) => match self.of_day(*day)? {
                Some(digest) => Some((digest, *n)),
                None => return Ok(Answer::new(self.none_on(*day)?, self.lang)),
            },
        };
        match digest {
            Some((digest, n)) => self.numbered(&digest, n),
            None => Ok(Answer::sentence(self.lang.no_digest_yet(), self.lang)),
        }
    }

    pub(super) fn no_entry(&self, digest: &Digest, n: u32) -> Message {
        let date = self.lang.date(self.view().day(digest));
        Message::sentence(self.lang.no_such_number(n, &date, digest.entries.len()))
    }

    fn numbered(&self, digest: &Digest, n: u32) -> Result<Answer> {
        let Some(entry) = digest.entry(n) else {
            return Ok(Answer::new(self.no_entry(digest, n), self.lang));
        };
        let paper = match self.context.store.paper(&entry.paper)? {
            Some(paper) => paper,
            None => return Ok(Answer::sentence(self.unknown(&entry.paper), self.lang)),
        };
        let mut message = paper_message(&paper, Some(entry), &self.view());
        if let Some(errata) = self.context.store.errata(&digest.id)? {
            message.amend(&errata.amendments(self.lang, self.view().zone, Detail::Values));
        }
        let buttons = self.paper_buttons(&Pointed::Entry(digest.id, n), &paper.id)?;
        Ok(Answer {
            buttons,
            ..Answer::new(message, self.lang)
        })
    }

    fn paper_by_id(&self, id: &PaperId) -> Result<Answer> {
        let Some(paper) = self.context.store.paper(id)? else {
            return Ok(Answer::sentence(self.unknown(id), self.lang));
        };
        let buttons = self.paper_buttons(&Pointed::Paper(paper.id.clone()), &paper.id)?;
        Ok(Answer {
            buttons,
            ..Answer::new(paper_message(&paper, None, &self.view()), self.lang)
        })
    }

    /// What can be done with a paper: votes and saving, then what is asked about it.
    pub(super) fn paper_buttons(&self, what: &Pointed, paper: &PaperId) -> Result<Vec<Vec<Button>>> {
        let tally = pipeline::tally_of(self.context.store, paper)?;
        let counted = |sign: &str, n: u32| match n {
            0 => sign.to_owned(),
            n => format!("{sign} {n}"),
        };
        let lang = self.lang;
        let rows = [
            vec![
                (Press::Up(what.clone()), counted("👍", tally.up)),
                (Press::Down(what.clone()), counted("👎", tally.down)),
                (Press::Save(what.clone()), format!("🔖 {}", lang.save_button())),
            ],
            vec![
                (Press::Evidence(what.clone()), lang.evidence_button().to_owned()),
                (Press::Why(what.clone()), lang.why_button().to_owned()),
                (Press::Similar(what.clone()), lang.similar_button().to_owned()),
            ],
        ];
        Ok(self.rows(rows))
    }

    /// Rows of buttons; what does not fit into one is left out.
    fn rows(&self, rows: impl IntoIterator<Item = Vec<(Press, String)>>) -> Vec<Vec<Button>> {
        let button = |(press, label): (Press, String)| press.button(label, &self.question.place, self.context.seal);
        rows.into_iter()
            .map(|row| row.into_iter().filter_map(button).collect::<Vec<_>>())
            .filter(|row| !row.is_empty())
            .collect()
    }

    pub(super) fn unknown(&self, id: &PaperId) -> String {
        self.lang.unknown_paper(id.bare(), id.link().as_deref())
    }

    fn digest(&self, day: Option<NaiveDate>) -> Result<Message> {
        let digest = match day {
            Some(day) => match self.of_day(day)? {
                Some(digest) => digest,
                None => return self.none_on(day),
            },
            None => match self.find(|_| true)? {
                Some(digest) => digest,
                None => return Ok(Message::sentence(self.lang.no_digest_yet())),
            },
        };
        let abstract_of = |id: &PaperId| {
            let paper = self.context.store.paper(id).ok().flatten()?;
            Some(paper.abstract_text().to_owned())
        };
        let mut message = self.view().message(&digest, &abstract_of);
        let store = self.context.store;
        let mut errata = store.errata(&digest.id)?.unwrap_or_else(|| Errata::new(digest.id));
        // Those of the last correction are older than what is asked.
        errata.counts.clear();
        for entry in &digest.entries {
            let tally = pipeline::tally_of(store, &entry.paper)?;
            if !tally.is_empty() {
                let number = entry.number;
                errata.counts.push(Count { number, tally });
            }
        }
        message.amend(&errata.additions(self.lang, self.view().zone, Detail::Values, true));
        Ok(message)
    }

    /// What a message is: which digest, and how its papers are opened.
    fn about(&self, message: Option<&str>) -> Result<Message> {
        let id = match message {
            Some(message) => self.context.store.digest_of_message(&self.place, message)?,
            None => None,
        };
        let digest = match id {
            Some(id) => self.context.store.digest(&id)?,
            None => None,
        };
        let said = match digest {
            Some(digest) => {
                let title = ellipsis(&self.view().title(&digest), ABOUT_TITLE);
                self.lang.about_digest(&title, digest.entries.len())
            }
            None => self.lang.unknown_button().to_owned(),
        };
        Ok(Message::sentence(said))
    }

    pub(super) fn none_on(&self, day: NaiveDate) -> Result<Message> {
        let latest = self
            .find(|_| true)?
            .map(|digest| self.lang.date(self.view().day(&digest)));
        Ok(Message::sentence(
            self.lang.no_digest_on(&self.lang.date(day), latest.as_deref()),
        ))
    }

    /// The digest that was posted here on `day`, one with papers if there were several, and a round-up only if there was
    /// nothing else; else the one whose mailing ended on it.
    pub(super) fn of_day(&self, day: NaiveDate) -> Result<Option<Digest>> {
        let view = self.view();
        let with_papers = self.find(|d| view.day(d) == day && d.week.is_none() && !d.entries.is_empty())?;
        let of_day = match with_papers {
            Some(digest) => Some(digest),
            None => self.find(|digest| view.day(digest) == day)?,
        };
        match of_day {
            Some(digest) => Ok(Some(digest)),
            None => self.find(|digest| digest.windows.iter().any(|w| w.day() == day)),
        }
    }

    /// The latest digest of which at least one part has arrived here and that `wanted` accepts.
    pub(super) fn find(&self, wanted: impl Fn(&Digest) -> bool) -> Result<Option<Digest>> {
        let store = self.context.store;
        let mut arrived = BTreeSet::from_iter(store.digests_of_place(&self.place, LOOK_BACK)?);
        // A part that was taken as arrived without an answer has no message.
        let recent = store.deliveries(&self.place, None, RECENT)?;
        let posts = recent.iter().filter(|delivery| !delivery.id.is_correction());
        arrived.extend(posts.filter(|post| post.arrived() > 0).map(|post| post.id.digest));
        for id in arrived.iter().rev() {
            if let Some(digest) = store.digest(id)?.filter(&wanted) {
                return Ok(Some(digest));
            }
        }
        Ok(None)
    }

    fn topics(&self) -> Message {
        let lang = self.lang;
        let followed = |topic: &Topic| {
            self.channel
                .as_ref()
                .is_some_and(|c| c.settings.subjects.topics.contains(&topic.id))
        };
        let mut blocks = vec![Block::Heading(lang.topics_title().to_owned())];
        blocks.extend(self.context.topics.iter().map(|topic| {
            let mark = if followed(topic) {
                lang.followed()
            } else {
                lang.not_followed()
            };
            Block::Paragraph(vec![
                Span::Code(topic.id.to_string()),
                Span::Plain(format!(" {} ", lang.pick(&topic.name_zh, &topic.name_en))),
                Span::Dim(format!("({mark})")),
            ])
        }));
        let keywords = self
            .channel
            .as_ref()
            .map(|c| c.settings.subjects.keywords.join(lang.comma()))
            .unwrap_or_default();
        if !keywords.is_empty() {
            blocks.push(Block::Paragraph(plain(lang.keywords_here(&keywords))));
        }
        blocks.push(Block::Paragraph(self.schedule()));
        Message {
            running_title: String::new(),
            blocks,
        }
    }

    pub(super) fn schedule(&self) -> Line {
        let lang = self.lang;
        let Some(channel) = &self.channel else {
            // Its name is what the configuration file calls it by.
            let name = Span::Dim(format!(" ({})", self.place));
            return vec![Span::Plain(lang.not_a_channel().to_owned()), name];
        };
        if let Some(why) = self.silent(channel) {
            return plain(why);
        }
        match channel.due() {
            Some(at) => {
                let at = self.time(&at.with_timezone(&channel.settings.timezone));
                vec![Span::Dim(lang.next_digest(&at))]
            }
            None => vec![Span::Dim(lang.no_schedule().to_owned())],
        }
    }

    /// Why a channel gets nothing for now, and what ends that; `None` where it gets what is due.
    pub(super) fn silent(&self, channel: &Channel) -> Option<String> {
        let lang = self.lang;
        match &channel.activity {
            Activity::Active => None,
            Activity::Paused { .. } => Some(lang.paused().to_owned()),
            // It is over, and the scheduler is about to notice.
            Activity::Snoozed { until: Some(until), .. } if *until <= self.context.now => None,
            Activity::Snoozed { until, .. } => {
                let until = until.map(|at| self.time(&at.with_timezone(&channel.settings.timezone)));
                Some(lang.paused_until(until.as_deref()))
            }
            Activity::Absent { .. } => Some(Refused::Absent(channel.place.clone()).says(lang)),
        }
    }

    fn help(&self) -> Message {
        let lang = self.lang;
        let mut blocks = vec![
            Block::Heading(lang.help_title().to_owned()),
            Block::Paragraph(plain(lang.about())),
        ];
        blocks.extend(TABLE.iter().map(|spec| {
            Block::Paragraph(vec![
                Span::Code(format!("/{}", spec.name)),
                Span::Plain(format!(" {}", lang.pick(spec.zh, spec.en))),
            ])
        }));
        blocks.push(Block::Paragraph(vec![Span::Dim(lang.help_reply_tip().to_owned())]));
        Message {
            running_title: String::new(),
            blocks,
        }
    }

    pub(super) fn start(&self) -> Message {
        let mut message = self.help();
        message.blocks.push(Block::Paragraph(self.schedule()));
        message
    }

    fn search(&self, words: &str) -> Reply {
        let known: Vec<TopicId> = self.context.topics.iter().map(|topic| topic.id.clone()).collect();
        let query = Query::parse(words).and_then(|query| query.check_topics(&known).map(|()| query));
        match query {
            Ok(query) => Reply::Needs(Need::Search { query, page: 0 }),
            Err(error) => Reply::Answer(Answer::new(super::change::lines(error.lines(self.lang)), self.lang)),
        }
    }

    fn similar(&self, query: &PaperQuery, reply_to: Option<&str>) -> Result<Reply> {
        Ok(match self.paper_of(query, reply_to)? {
            Ok(id) => self.similar_to(&id)?,
            Err(refused) => Reply::Answer(Answer::new(refused, self.lang)),
        })
    }

    fn similar_to(&self, id: &PaperId) -> Result<Reply> {
        Ok(match self.context.store.paper(id)? {
            Some(paper) => Reply::Needs(Need::Similar(Box::new(paper))),
            None => Reply::Answer(Answer::sentence(self.unknown(id), self.lang)),
        })
    }

    fn pressed(&self, data: &str) -> Result<Reply> {
        let message = self.question.reply_to.as_deref();
        let stale = || Reply::Answer(Answer::sentence(self.lang.stale_button(), self.lang).shown(Manner::Notice));
        let Ok(press) = Press::read(data, &self.question.place, self.context.seal) else {
            return Ok(stale());
        };
        let on = |what: &Pointed| self.pointed(what, message);
        Ok(match press {
            Press::Open(Pointed::Entry(digest, n)) => match self.context.store.digest(&digest)? {
                Some(digest) => Reply::Answer(self.numbered(&digest, n)?),
                None => stale(),
            },
            Press::Open(what) => match on(&what)? {
                Some(id) => Reply::Answer(self.paper_by_id(&id)?),
                None => stale(),
            },
            Press::Evidence(Pointed::Entry(digest, n)) => match self.context.store.digest(&digest)? {
                Some(digest) => Reply::Answer(Answer::new(self.evidence_entry(&digest, n)?, self.lang)),
                None => stale(),
            },
            Press::Evidence(what) => match on(&what)? {
                Some(id) => Reply::Answer(Answer::new(self.evidence_id(&id)?, self.lang)),
                None => stale(),
            },
            Press::Why(Pointed::Entry(digest, n)) => match self.context.store.digest(&digest)? {
                Some(digest) => Reply::Answer(Answer::new(self.why_entry(&digest, n)?, self.lang)),
                None => stale(),
            },
            Press::Why(what) => match on(&what)? {
                Some(id) => Reply::Answer(Answer::new(self.why(&PaperQuery::Id(id), None)?, self.lang)),
                None => stale(),
            },
            Press::Similar(what) => match on(&what)? {
                Some(id) => self.similar_to(&id)?,
                None => stale(),
            },
            Press::Page { search, page } => Reply::Needs(Need::Page { search, page }),
            Press::List(page) => Reply::Answer(self.subscriptions(page).shown(Manner::Replace)),
            // They change something, and are answered there.
            Press::Up(_) | Press::Down(_) | Press::Save(_) | Press::Follow { .. } | Press::Hold { .. } => stale(),
        })
    }

    /// A page of what a search found, with buttons that open its papers and turn pages.
    fn hits_page(&self, title: &str, search: Option<(u64, u32)>, hits: &Hits) -> Result<Answer> {
        let lang = self.lang;
        let mut blocks = vec![Block::Heading(title.to_owned())];
        let last = hits.skipped + hits.papers.len();
        if search.is_some() {
            let count = lang.search_count(hits.total, hits.skipped + 1, last);
            blocks.push(Block::Paragraph(vec![Span::Dim(count)]));
        }
        let notes = hits.notes.iter().map(|note| vec![Span::Dim(note.clone())]);
        blocks.extend(notes.map(Block::Paragraph));
        let mut open = Vec::new();
        for (number, id) in (hits.skipped + 1..).zip(&hits.papers) {
            // What the index still has and the store has not any more is passed over.
            let Some(paper) = readable(self.context.store.paper(id))? else {
                continue;
            };
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            blocks.push(Block::Entry(self.hit(number, &paper)));
            open.push((Press::Open(Pointed::Paper(paper.id)), number.to_string()));
        }
        let mut turn = Vec::new();
        if let Some((search, page)) = search {
            if let Some(before) = page.checked_sub(1) {
                turn.push((Press::Page { search, page: before }, "◀".to_owned()));
            }
            if last < hits.total {
                let page = page.saturating_add(1);
                turn.push((Press::Page { search, page }, "▶".to_owned()));
            }
        }
        let message = Message {
            running_title: title.to_owned(),
            blocks,
        };
        Ok(Answer {
            buttons: self.rows([open, turn]),
            ..Answer::new(message, lang)
        })
    }

    /// One line of a search's result: title, brief, when it came.
    fn hit(&self, number: u32, paper: &Paper) -> message::Entry {
        let lang = self.lang;
        let brief = crate::brief::compose(paper, lang);
        let mut facts: Vec<String> = Vec::new();
        if !paper.institutions().is_empty() {
            facts.push(ellipsis(&paper.institutions().join(lang.comma()), 120));
        }
        facts.extend(paper.submitted.map(|at| lang.date(at.date_naive())));
        let mut lines: Vec<Line> = brief.iter().map(|brief| plain(ellipsis(&brief.text, 280))).collect();
        if !facts.is_empty() {
            lines.push(vec![Span::Dim(facts.join(" · "))]);
        }
        message::Entry {
            number: Some(number),
            title: match paper.title() {
                "" => lang.no_title().to_owned(),
                title => title.to_owned(),
            },
            link: paper.id.link(),
            lines,
            quote: None,
        }
    }

    /// What is followed here, a page of it with its buttons.
    pub(super) fn subscriptions(&self, page: u32) -> Answer {
        let lang = self.lang;
        let all = self.channel.as_ref().map(pipeline::listed);
        let all = all.unwrap_or_default();
        if all.is_empty() {
            return Answer::sentence(lang.follows_nothing(), lang);
        }
        let pages = all.len().div_ceil(PER_PAGE);
        let page = usize::try_from(page).unwrap_or(usize::MAX).min(pages - 1);
        let mut blocks = vec![Block::Heading(lang.subscriptions_title().to_owned())];
        let mut rows = Vec::new();
        for (number, listed) in (1_usize..).zip(&all).skip(page * PER_PAGE).take(PER_PAGE) {
            let which = listed.item.mark();
            let mark = match listed.resting {
                true => format!(" · {}", lang.resting_mark()),
                false => String::new(),
            };
            blocks.push(Block::Paragraph(vec![
                Span::Bold(format!("{number}. ")),
                Span::Code(self.item_name(&listed.item)),
                Span::Dim(format!(" {}{mark}", lang.kind_of_subscription(&listed.item))),
            ]));
            let mut mentions = self.channel.iter().flat_map(|channel| &channel.mentions);
            if let (Some((_, who)), Some(Block::Paragraph(line))) =
                (mentions.find(|(of, _)| *of == which), blocks.last_mut())
            {
                line.push(Span::Dim(" · ".to_owned()));
                line.push(Span::Code(who.to_string()));
            }
            let (change, label) = match listed.resting {
                true => (Change::Resume, lang.resume_button()),
                false => (Change::Pause, lang.pause_button()),
            };
            let follow = |change| Press::Follow { change, which };
            rows.push(vec![
                (follow(change), format!("{number} {label}")),
                (follow(Change::Edit), format!("{number} {}", lang.edit_button())),
                (follow(Change::Remove), format!("{number} {}", lang.remove_button())),
            ]);
        }
        let list = |page: usize| Press::List(u32::try_from(page).unwrap_or(u32::MAX));
        let mut turn = Vec::new();
        if page > 0 {
            turn.push((list(page - 1), "◀".to_owned()));
        }
        if page + 1 < pages {
            turn.push((list(page + 1), "▶".to_owned()));
        }
        rows.push(turn);
        blocks.push(Block::Paragraph(self.schedule()));
        Answer {
            buttons: self.rows(rows),
            ..Answer::new(
                Message {
                    running_title: String::new(),
                    blocks,
                },
                lang,
            )
        }
    }

    /// A subscription as people know it: a topic by its name, a rule as it was typed.
    pub(super) fn item_name(&self, item: &Item) -> String {
        match item {
            Item::Topic(id) => {
                let topic = self.context.topics.iter().find(|topic| topic.id == *id);
                topic.map_or_else(|| id.to_string(), |topic| self.topic_name(topic))
            }
            Item::Keyword(_) | Item::Rule(_) => item.text(),
        }
    }

    /// When digests come, and how that is changed.
    pub(super) fn schedule_message(&self) -> Message {
        let lang = self.lang;
        let Some(channel) = &self.channel else {
            return Message::line(self.schedule());
        };
        let now = match &channel.settings.schedule {
            Some(schedule) => phrase::describe(schedule, lang),
            None => lang.schedule_off().to_owned(),
        };
        let how = lang.pick("/schedule 工作日 9点", "/schedule weekdays 9am");
        let now = lang.setting_now(lang.schedule_name(), &now, how);
        let mut blocks = vec![Block::Paragraph(plain(now))];
        if let Some(weekly) = &channel.settings.weekly {
            let how = lang.pick("/schedule weekly 周五 17:00", "/schedule weekly fri 17:00");
            let weekly = lang.setting_now(lang.weekly_name(), &phrase::describe(weekly, lang), how);
            blocks.push(Block::Paragraph(plain(weekly)));
        }
        blocks.extend(self.silent(channel).map(|why| Block::Paragraph(plain(why))));
        blocks.extend(self.next_times(channel, lang));
        Message {
            running_title: String::new(),
            blocks,
        }
    }

    /// The next three times, and among them that of the round-up, one below the other.
    pub(super) fn next_times(&self, channel: &Channel, lang: Lang) -> Vec<Block> {
        let digests = pipeline::upcoming(channel, self.context.now, 3);
        let mut times: Vec<_> = digests.into_iter().map(|at| (at, false)).collect();
        let weekly = channel.weekly_after(self.context.now);
        times.extend(weekly.map(|at| (at.with_timezone(&channel.settings.timezone), true)));
        times.sort();
        if times.is_empty() {
            return Vec::new();
        }
        let head = Block::Paragraph(plain(lang.next_times()));
        let time = |(at, weekly): &(DateTime<Tz>, bool)| {
            let mark = if *weekly {
                format!(" · {}", lang.weekly_name())
            } else {
                String::new()
            };
            Block::Paragraph(plain(format!("· {}{mark}", self.time(at))))
        };
        std::iter::once(head).chain(times.iter().map(time)).collect()
    }

    fn saved(&self, args: &str) -> Result<Answer> {
        let lang = self.lang;
        let (store, zone) = (self.context.store, self.zone());
        let Some(person) = self.person() else {
            return Ok(Answer::sentence(lang.nobody(), lang));
        };
        let folded = crate::text::fold(args);
        let word = folded.trim().trim_start_matches("export").trim();
        if folded.trim() == "export" {
            return Ok(Answer::sentence(lang.which_format(), lang));
        }
        if !word.is_empty() && super::number(word).is_none() {
            let Ok(format) = word.parse::<Format>() else {
                let names = Format::ALL.map(Format::name);
                return Ok(Answer::sentence(lang.no_choice(&ellipsis(word, 32), &names), lang));
            };
            let mut papers = Vec::new();
            for saved in pipeline::saved(store, &person)? {
                papers.extend(readable(store.paper(&saved.paper))?);
            }
            if papers.is_empty() {
                return Ok(Answer::sentence(lang.nothing_saved(), lang));
            }
            return Ok(Answer {
                file: Some(export(&papers, format, lang)),
                ..Answer::sentence(lang.exported(papers.len()), lang)
            });
        }
        let page = super::number(word).and_then(|n| usize::try_from(n).ok()).unwrap_or(1);
        let listing = saved_page(store, &person, page, lang, zone)?;
        Ok(Answer::new(listing.message, lang))
    }

    fn top(&self) -> Result<Message> {
        let (store, now) = (self.context.store, self.context.now);
        let since = now - TimeDelta::days(7);
        let best = pipeline::top(store, &self.place, since, now, TOP)?;
        Ok(top_page(&best, since, now, self.lang, self.zone()))
    }
}

/// All that is known of a paper, as one entry. `entry` is its place in the digest that it was asked from.
pub fn paper_message(paper: &Paper, entry: Option<&Entry>, view: &View<'_>) -> Message {
    let lang = view.lang;
    let mut lines: Vec<Line> = Vec::new();
    let (brief, replaced) = shown_brief(paper, entry, lang);
    let mut brief_line = vec![Span::Bold(lang.brief_label().to_owned())];
    brief_line.extend(view.brief(brief.as_ref(), replaced));
    lines.push(brief_line);
    match (paper.authors(), paper.author_count()) {
        ([], Some(n)) => lines.push(plain(lang.author_count(n))),
        ([], None) => {}
        (authors, _) => {
            let named = authors
                .iter()
                .take(NAMED_AUTHORS)
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(lang.comma());
            let more = authors.len().saturating_sub(NAMED_AUTHORS);
            let more = if more > 0 {
                format!("{}{}", lang.pick("", " "), lang.and_more(more))
            } else {
                String::new()
            };
            lines.push(labelled(lang.authors_label(), format!("{named}{more}")));
        }
    }
    if !paper.institutions().is_empty() {
        lines.push(labelled(
            lang.institutions_label(),
            paper.institutions().join(lang.comma()),
        ));
    }
    if !paper.categories().is_empty() {
        lines.push(labelled(lang.categories_label(), paper.categories().join(" ")));
    }
    let day = |at: DateTime<Utc>| lang.date(at.date_naive());
    let dates = lang.dates(
        paper.submitted.map(day).as_deref(),
        paper.revised.map(day).as_deref(),
        paper.version,
    );
    lines.extend(dates.map(plain));
    if let Some(votes) = paper.upvotes.as_ref().filter(|votes| votes.value > 0) {
        lines.push(plain(format!("🤗 {}", votes.value)));
    }
    if let Some(comments) = &paper.comments {
        lines.push(labelled(lang.comments_label(), comments.value.clone()));
    }
    let links = [
        (lang.abstract_link(), paper.id.link()),
        ("PDF", paper.id.pdf()),
        (
            "DOI",
            paper.doi.as_ref().map(|doi| format!("https://doi.org/{}", doi.value)),
        ),
        (lang.code_link(), paper.code_link()),
    ];
    let mut link_line: Line = Vec::new();
    for (label, url) in links.into_iter().filter_map(|(label, url)| Some((label, url?))) {
        if !link_line.is_empty() {
            link_line.push(Span::Plain(" · ".to_owned()));
        }
        link_line.push(Span::Link {
            label: label.to_owned(),
            url,
        });
    }
    if !link_line.is_empty() {
        lines.push(link_line);
    }
    let title = if paper.title().is_empty() {
        lang.no_title().to_owned()
    } else {
        paper.title().to_owned()
    };
    let quote = Some(paper.abstract_text().to_owned()).filter(|text| !text.is_empty());
    let number = entry.map(|e| e.number);
    let block = Block::Entry(message::Entry {
        number,
        title: title.clone(),
        link: paper.id.link(),
        lines,
        quote,
    });
    Message {
        running_title: title,
        blocks: vec![block],
    }
}

/// The brief that a reader of `lang` has before him: as it was posted, else as it is composed now.
pub(super) fn shown_brief(paper: &Paper, entry: Option<&Entry>, lang: Lang) -> (Option<Brief>, Option<Unfit>) {
    match entry.and_then(|entry| entry.briefs.iter().find(|brief| brief.reader == lang)) {
        Some(posted) => (Some(posted.brief.clone()), posted.replaced),
        None => {
            let composed = brief::composed(paper, lang);
            (composed.brief, composed.replaced)
        }
    }
}

fn labelled(label: &str, text: String) -> Line {
    vec![Span::Bold(label.to_owned()), Span::Plain(text)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{self, Standing};
    use crate::paper::Field;
    use crate::pipeline::fixture::{
        Counting, Spoiled, add_channel, arxiv, back, channel, claims, mailing, news, october, paper, sent, settings,
        take, taught, topic,
    };
    use crate::pipeline::{Job, judging, publish_due};
    use crate::source::{Announcement, SourceKind};
    use crate::store::{ModelStore, Write};
    use crate::subscription::Subjects;
    use crate::topic::judge::Opinion;

    const HERE: &str = "telegram:-1005";

    fn said<T>(value: T) -> Option<Field<T>> {
        Some(Field::new(value, SourceKind::ArxivMail))
    }

    /// Four invented papers; the first has all fields, the last nearly none.
    fn papers() -> Vec<Paper> {
        let mut whole = paper(
            101,
            "StrataKV: A KV Cache That Evicts by Layer",
            "Long prompts fill the memory of accelerators. We present StrataKV, which gives every layer a KV cache of the \
             size that its attention needs. On six benchmarks it halves the memory and keeps the quality. Code: \
             https://github.com/invented/stratakv.",
        );
        whole.authors = said((1..=20).map(|n| format!("Author No{n}")).collect());
        whole.institutions = said(vec!["Invented University".to_owned(), "虚构研究院".to_owned()]);
        whole.categories = said(vec!["cs.LG".to_owned(), "cs.CL".to_owned()]);
        whole.comments = said("12 pages".to_owned());
        whole.doi = said("10.1000/182".to_owned());
        whole.submitted = Some(october(1, 7));
        whole.revised = Some(october(8, 7));
        whole.version = 2;
        let mut two = paper(
            102,
            "Pruning Without Tears",
            "We prune half of the weights by a rule of thumb and lose nothing.",
        );
        two.authors = said(vec!["Ada Lund".to_owned(), "Bo Chen".to_owned()]);
        let weather = paper(103, "On weather", "It rains.");
        let mut bare = paper(104, "KV cache", "");
        bare.author_count = said(1);
        vec![whole, two, weather, bare]
    }

    /// Digests of three days were posted here; that of the third had no paper.
    fn newsroom(language: Lang) -> ModelStore {
        let store = ModelStore::new();
        let settings = Settings {
            language,
            subjects: Subjects::new([topic().id], ["kv cache".to_owned(), "mixture of experts".to_owned()]),
            timezone: chrono_tz::Asia::Shanghai,
            ..settings()
        };
        add_channel(&store, HERE, settings, october(8, 0));
        let later = vec![
            paper(201, "Later Pruning", "We prune later."),
            paper(202, "Rain", "It rains."),
        ];
        for (day, papers) in [(8, papers()), (9, later), (10, vec![paper(301, "Snow", "")])] {
            take(&store, &day.to_string(), news(day, papers), october(day, 20));
            let now = october(day + 1, 1);
            publish_due(&store, &[topic()], &Counting::default(), now).unwrap();
            post(&store, now);
        }
        store
    }

    /// Sends what waits; a part's message id is its digest's day and its number.
    fn post(store: &ModelStore, now: DateTime<Utc>) {
        for Job { delivery, .. } in claims(store, now) {
            for part in 0..delivery.parts {
                let id = format!("{}-{part}", now.format("%d"));
                back(store, &delivery.id, sent(&id), now);
            }
        }
    }

    fn seal() -> Seal {
        Seal::new([7; 32])
    }

    fn asking(place: &str, command: std::result::Result<Command, CommandError>, reply_to: Option<&str>) -> Question {
        Question {
            command,
            place: place.parse().unwrap(),
            parent: None,
            asker: Some("1001".to_owned()),
            reply_to: reply_to.map(str::to_owned),
            standing: Standing::Manager,
            fallback_lang: Lang::En,
        }
    }

    fn answered(store: &dyn Store, question: &Question) -> Answer {
        with_fresh(store, question, &settings())
    }

    fn with_fresh(store: &dyn Store, question: &Question, fresh: &Settings) -> Answer {
        among(&[topic()], store, question, fresh)
    }

    fn among(topics: &[Topic], store: &dyn Store, question: &Question, fresh: &Settings) -> Answer {
        let seal = seal();
        let context = Context {
            store,
            topics,
            fresh,
            seal: &seal,
            render: &Counting::default(),
            now: october(11, 12),
        };
        match crate::command::change(question, &context).unwrap() {
            Reply::Answer(answer) => answer,
            Reply::Needs(Need::Trial { rule, head }) => tried(question, &context, &rule, head).unwrap(),
            // The index is not the core's: what is looked for stands for what it finds.
            Reply::Needs(Need::Search { query, page }) => {
                let papers = vec![arxiv(102), arxiv(201)];
                let hits = Hits {
                    total: 12,
                    skipped: usize::try_from(page).unwrap() * HITS,
                    papers,
                    notes: Vec::new(),
                };
                let title = Lang::En.search_title(query.as_str());
                found(question, &context, &title, Some((9, page)), &hits).unwrap()
            }
            Reply::Needs(Need::Similar(paper)) => {
                let hits = Hits {
                    papers: vec![arxiv(102)],
                    ..Hits::default()
                };
                found(question, &context, &format!("like {}", paper.title()), None, &hits).unwrap()
            }
            Reply::Needs(Need::Page { search, page }) => {
                Answer::sentence(format!("page {page} of search {search}"), Lang::En).shown(Manner::Replace)
            }
        }
    }

    /// As people see it: the text, the buttons in brackets, the file's name, and how it is shown if not as a reply.
    fn seen(answer: &Answer) -> String {
        let mut out = answer.message.to_plain();
        for row in &answer.buttons {
            let row: Vec<String> = row.iter().map(|button| format!("[{}]", button.label)).collect();
            out.push_str(&format!("{}\n", row.join(" ")));
        }
        if let Some(file) = &answer.file {
            out.push_str(&format!("<{}, {} bytes>\n", file.name, file.bytes.len()));
        }
        if answer.manner != Manner::Reply {
            out.push_str(&format!("({:?})\n", answer.manner));
        }
        out
    }

    fn ask(store: &ModelStore, place: &str, text: &str, reply_to: Option<&str>) -> String {
        let command = command::parse(text, Some("PaperwireBot")).unwrap();
        answered(store, &asking(place, command, reply_to)).message.to_plain()
    }

    /// The same with its buttons.
    fn talk(store: &ModelStore, place: &str, text: &str) -> Answer {
        answered(store, &asking(place, command::parse(text, None).unwrap(), None))
    }

    fn press(store: &ModelStore, place: &str, data: &str, message: Option<&str>) -> Answer {
        answered(store, &asking(place, Ok(Command::Press(data.to_owned())), message))
    }

    /// What a team's first hour with the bot looks like, in a place where nothing is followed yet.
    fn conversation(language: Lang) -> String {
        let store = newsroom(language);
        let there = "telegram:-1001";
        let mut lines = Vec::new();
        let zh = language == Lang::Zh;
        let ask = |lines: &mut Vec<String>, text: &str| {
            let question = Question {
                fallback_lang: language,
                ..asking(there, command::parse(text, None).unwrap(), None)
            };
            lines.push(format!("> {text}\n{}", seen(&answered(&store, &question))));
        };
        for text in [
            "/start",
            "/subscriptions",
            "/subscribe",
            "/subscribe test pruning",
            "/subscribe titel:pruning",
            "/subscribe (kv cache",
            "/subscribe pruning -survey",
            "/subscribe Pruning  -SURVEY",
            if zh { "/subscribe 缓存" } else { "/subscribe caching" },
            "/subscribe topic:cachin",
            "/subscriptions",
            "/subscribe edit 2 pruning OR \"kv cache\"",
            "/subscriptions",
            "/unsubscribe 9",
            "/unsubscribe 1",
            "/schedule",
            if zh {
                "/schedule 工作日 9点"
            } else {
                "/schedule weekdays 9am"
            },
            "/schedule mon,thu 18:30",
            "/schedule cron 0 9 * * 1-5",
            "/schedule whenever",
            "/schedule missed replay",
            "/schedule missed never",
            "/schedule off",
            "/schedule 09:00",
            "/timezone",
            "/timezone Asia/Shanghai",
            "/timezone Atlantis",
            if zh { "/pause 周一" } else { "/pause until monday" },
            "/schedule",
            "/resume",
            "/style",
            "/style titles",
            "/style loud",
            "/language",
            "/search pruning from:2025-09-01",
            "/search",
            "/search (",
            "/similar 2510.00102",
            "/why 2510.00102",
            "/why 2510.00103",
            "/why 2510.99999",
            "/save 2510.00102",
            "/saved",
            "/saved export bibtex",
            "/saved export word",
            "/top",
            "/language en",
        ] {
            ask(&mut lines, text);
        }
        lines.join("\n")
    }

    #[test]
    fn a_conversation_in_english() {
        insta::assert_snapshot!(conversation(Lang::En));
    }

    #[test]
    fn a_conversation_in_chinese() {
        insta::assert_snapshot!(conversation(Lang::Zh));
    }

    fn button<'a>(answer: &'a Answer, label: &str) -> &'a str {
        let buttons = answer.buttons.iter().flatten();
        let found = buttons.into_iter().find(|button| button.label.contains(label));
        &found.unwrap_or_else(|| panic!("{label} in {:?}", answer.buttons)).data
    }

    #[test]
    fn what_is_followed_is_paused_resumed_and_removed_by_its_buttons() {
        let store = newsroom(Lang::En);
        talk(&store, HERE, "/subscribe pruning -survey");
        let list = talk(&store, HERE, "/subscriptions");
        let rule = "4. pruning -survey rule";
        assert!(list.message.to_plain().contains(rule), "{}", list.message.to_plain());
        let rested = press(&store, HERE, button(&list, "4 Pause"), None);
        let said = rested.message.to_plain();
        assert!(
            rested.manner == Manner::Replace && said.contains("4. pruning -survey rule · paused"),
            "{said}"
        );
        let channel = channel(&store, HERE);
        assert_eq!(
            (channel.settings.subjects.rules.len(), channel.resting.rules.len()),
            (0, 1)
        );
        let again = press(&store, HERE, button(&rested, "4 Resume"), None);
        assert!(!again.message.to_plain().contains("paused"));
        let how = press(&store, HERE, button(&again, "4 Edit"), None);
        assert!(how.manner == Manner::Notice && how.message.to_plain().contains("/subscribe edit 4"));
        let gone = button(&again, "4 Remove").to_owned();
        assert!(!press(&store, HERE, &gone, None).message.to_plain().contains("survey"));
        // Pressed once more, on a message that nobody has changed since.
        let stale = press(&store, HERE, &gone, None);
        assert!(stale.manner == Manner::Notice && stale.message.to_plain().contains("too old"));
        // The same bytes in another place.
        let elsewhere = press(&store, "telegram:-7", button(&again, "1 Remove"), None);
        assert!(elsewhere.message.to_plain().contains("too old"));
    }

    #[test]
    fn a_round_up_is_set_shown_and_taken_off_and_its_numbers_open_its_papers() {
        let store = newsroom(Lang::En);
        let said = ask(&store, HERE, "/schedule weekly sun 17:00", None);
        let next = "12 Oct 2025 17:00 (Asia/Shanghai) · Weekly round-up";
        assert!(
            said.starts_with("Weekly round-up: ") && said.contains("(was off)") && said.contains(next),
            "{said}"
        );
        let shown = ask(&store, HERE, "/schedule", None);
        assert!(
            shown.contains("/schedule weekly fri 17:00") && shown.contains(next),
            "{shown}"
        );
        let person = "telegram:1001".parse().unwrap();
        pipeline::vote(&store, &person, &arxiv(201), crate::vote::Vote::Up, october(11, 12)).unwrap();
        let now = october(12, 9);
        for _ in 0..3 {
            publish_due(&store, &[topic()], &Counting::default(), now).unwrap();
            post(&store, now);
        }
        let first = ask(&store, HERE, "/paper 1", None);
        assert!(first.contains("Later Pruning"), "{first}");
        let second = ask(&store, HERE, "/paper 2", None);
        assert!(second.contains("StrataKV"), "{second}");
        // It is no second posting of its papers.
        let why = ask(&store, HERE, "/why 2510.00101", None);
        assert!(why.contains("Posted with the digest of 9 Oct 2025, number 1"), "{why}");
        let off = ask(&store, HERE, "/schedule weekly off", None);
        assert!(off.contains("Weekly round-up: off (was "), "{off}");
        assert_eq!(channel(&store, HERE).weekly_due, None);
    }

    #[test]
    fn whom_a_subscription_calls_is_set_shown_and_taken_off() {
        let store = newsroom(Lang::En);
        let said = |text| ask(&store, HERE, text, None);
        assert_eq!(
            said("/mention 2 @kv_team"),
            "Digests call @kv_team for papers of kv cache\n"
        );
        assert!(said("/subscriptions").contains("2. kv cache keyword · @kv_team\n"));
        assert_eq!(
            said("/mention mixture of experts @moe_team"),
            "Digests call @moe_team for papers of mixture of experts\n"
        );
        for refused in ["/mention", "/mention 2", "/mention 2 @x", "/mention 2 kv_team"] {
            assert!(said(refused).starts_with("Write /mention 2 @name, or"), "{refused}");
        }
        // Nothing on the web page rings; off is off everywhere.
        let on_web = |text| ask(&store, "web:lobby", text, None);
        for refused in ["/mention", "/mention 1 @kv_team", "/mention 1 <@&987654321098765432>"] {
            assert!(
                on_web(refused).starts_with("Digests on the web page can call nobody"),
                "{refused}"
            );
        }
        assert!(said("/mention 9 @kv_team").contains("“9” is not followed here"));
        assert_eq!(said("/mention 2 off"), "Digests call nobody for papers of kv cache\n");
        assert_eq!(channel(&store, HERE).mentions.len(), 1);
    }

    #[test]
    fn only_managers_change_a_place_and_everyone_may_ask() {
        let store = newsroom(Lang::En);
        let list = talk(&store, HERE, "/subscriptions");
        let pause = button(&list, "1 Pause").to_owned();
        let before = channel(&store, HERE);
        for (standing, why) in [
            (Standing::Member, Lang::En.managers_only()),
            (Standing::Unknown, Lang::En.standing_unknown()),
        ] {
            let commands = [
                "/subscribe x",
                "/unsubscribe 1",
                "/mention 1 @kv_team",
                "/schedule off",
                "/pause",
                "/style full",
                "/language zh",
            ];
            let typed = commands.iter().map(|text| command::parse(text, None).unwrap());
            for command in typed.chain([Ok(Command::Press(pause.clone()))]) {
                let question = Question {
                    standing,
                    ..asking(HERE, command, None)
                };
                let answer = answered(&store, &question);
                assert_eq!((answer.message.to_plain().trim(), answer.manner), (why, Manner::Notice));
            }
            for text in [
                "/subscriptions",
                "/schedule",
                "/subscribe test x",
                "/why 1",
                "/save 1",
                "/top",
                "/style",
            ] {
                let question = Question {
                    standing,
                    ..asking(HERE, command::parse(text, None).unwrap(), None)
                };
                assert!(!answered(&store, &question).message.to_plain().contains(why), "{text}");
            }
        }
        assert_eq!(channel(&store, HERE), before);
    }

    #[test]
    fn votes_below_a_digest_and_below_a_paper_are_the_same_persons() {
        let store = newsroom(Lang::En);
        let up = press(&store, HERE, "u:1", Some("09-0"));
        assert!(up.manner == Manner::Notice && up.message.to_plain().contains("You voted 👍 (👍 1)"));
        let paper = talk(&store, HERE, "/paper 2025-10-09 1");
        assert_eq!(paper.buttons[0][0].label, "👍 1");
        let withdrawn = press(&store, HERE, button(&paper, "👍"), None);
        assert!(withdrawn.message.to_plain().contains("Vote withdrawn"), "{withdrawn:?}");
        // The answer's own buttons show it at once, and say nothing else than before.
        assert_eq!(
            (withdrawn.manner, withdrawn.buttons[0][0].label.as_str()),
            (Manner::Buttons, "👍")
        );
        let down = press(&store, HERE, button(&paper, "👎"), None);
        assert_eq!(down.buttons[0][1].label, "👎 1");
        let data = |answer: &Answer| -> Vec<String> {
            answer
                .buttons
                .iter()
                .flatten()
                .map(|button| button.data.clone())
                .collect()
        };
        assert_eq!(data(&down), data(&paper));
        // Sent as if it stood below a posted part, it changes nothing there.
        let forged = press(&store, HERE, button(&paper, "👎"), Some("09-0"));
        assert_eq!((forged.manner, forged.buttons.len()), (Manner::Notice, 0));
        let saved = press(&store, HERE, button(&paper, "🔖"), None);
        assert!(saved.message.to_plain().contains("Saved"));
        assert!(talk(&store, "telegram:55", "/saved").message.to_plain().contains("1. "));
        for data in ["u:9", "d:1", "s:x", "u:", "nonsense", ""] {
            let stale = press(&store, HERE, data, Some("somebody else's"));
            assert!(stale.message.to_plain().contains("too old"), "{data}");
        }
    }

    #[test]
    fn what_stands_in_a_paper_or_is_typed_calls_nobody() {
        let store = newsroom(Lang::En);
        for text in [
            "/subscribe @everyone",
            "/subscribe \u{202e}gnp.exe",
            "/search \u{200b}\u{200b}",
            "/unsubscribe @here",
            "/schedule @everyone",
            "/timezone <@&1>",
            "/why @all",
        ] {
            let said = talk(&store, HERE, text).message.to_plain();
            assert!(said.chars().count() < 600 && !said.contains('\u{202e}'), "{said:?}");
        }
        let long = format!("/subscribe {}", "kv cache ".repeat(1_000_000));
        assert!(talk(&store, HERE, &long).message.to_plain().chars().count() < 600);
    }

    fn told(store: &ModelStore, place: &str, text: &str) -> String {
        ask(store, place, text, None)
    }

    #[test]
    fn a_pause_is_told_with_its_end_wherever_the_next_digest_would_be() {
        let store = newsroom(Lang::En);
        told(&store, HERE, "/pause until 2025-10-20");
        let again = told(&store, HERE, "/pause until 2025-10-25");
        assert!(
            again.contains("until 25 Oct 2025") && again.contains("until 20 Oct 2025"),
            "{again}"
        );
        for question in ["/topics", "/subscriptions", "/start", "/schedule", "/subscribe gpu"] {
            let answer = told(&store, HERE, question);
            assert!(
                answer.contains("Digests pause until 25 Oct 2025 00:00"),
                "{question}: {answer}"
            );
            assert!(!answer.contains("Next digest"), "{question}: {answer}");
        }
        let mut over = channel(&store, HERE);
        let (until, since) = (Some(october(11, 11)), october(9, 9));
        over.activity = Activity::Snoozed {
            until,
            since,
            by: String::new(),
        };
        store.commit(vec![Write::Channel(Box::new(over))]).unwrap();
        assert!(
            told(&store, HERE, "/topics").contains("Next digest"),
            "a minute late is no pause"
        );
    }

    #[test]
    fn where_nothing_comes_for_now_a_new_subscription_says_so() {
        let store = newsroom(Lang::En);
        let channel = channel(&store, HERE);
        let (reason, since) = ("kicked".to_owned(), october(9, 9));
        let paused = Activity::Paused { reason, since };
        for (activity, why) in [
            (paused, "/start makes it active again"),
            (Activity::Absent { since }, "taken out of the configuration file"),
        ] {
            let channel = channel.clone();
            let silent = Channel { activity, ..channel };
            store.commit(vec![Write::Channel(Box::new(silent))]).unwrap();
            let answer = told(&store, HERE, "/subscribe gpu");
            assert!(answer.contains(why), "{answer}");
        }
        let nowhere = "telegram:-1001";
        let fresh = Settings {
            schedule: None,
            ..settings()
        };
        let question = asking(nowhere, command::parse("/subscribe gpu", None).unwrap(), None);
        let answer = with_fresh(&store, &question, &fresh).message.to_plain();
        assert!(answer.contains("Nothing is scheduled yet"), "{answer}");
    }

    #[test]
    fn a_topic_is_tried_followed_and_put_in_a_rules_place_by_its_name_as_by_its_id() {
        let store = newsroom(Lang::En);
        let there = "telegram:-1001";
        let by_id = told(&store, there, "/subscribe test caching");
        assert!(
            by_id.starts_with("Caching\n") && by_id.contains("would have come"),
            "{by_id}"
        );
        assert_eq!(told(&store, there, "/subscribe test 缓存"), by_id);
        assert!(told(&store, there, "/subscribe pruning").contains("Now following: pruning"));
        let swapped = told(&store, there, "/subscribe edit 1 topic:caching");
        assert!(
            swapped.contains("Now following: Caching instead of pruning"),
            "{swapped}"
        );
        assert!(told(&store, there, "/subscribe caching").contains("Followed already: Caching"));
        assert!(told(&store, there, "/subscriptions").contains("1. Caching topic"));
    }

    #[test]
    fn a_topic_of_a_forum_begins_with_the_settings_of_the_group_around_it() {
        let store = newsroom(Lang::Zh);
        let inside = "telegram:-1005/7";
        let question = Question {
            parent: Some(HERE.parse().unwrap()),
            ..asking(inside, command::parse("/subscribe gpu", None).unwrap(), None)
        };
        answered(&store, &question);
        let (made, around) = (channel(&store, inside).settings, channel(&store, HERE).settings);
        assert_eq!(made.subjects.len(), 1);
        let subjects = around.subjects.clone();
        assert_eq!(Settings { subjects, ..made }, around);
    }

    #[test]
    fn a_zone_that_comes_with_a_schedule_is_told_with_what_it_replaced() {
        let store = newsroom(Lang::En);
        let answer = told(&store, HERE, "/schedule weekdays 9am Europe/Berlin");
        assert!(
            answer.contains("Time zone: Europe/Berlin (was Asia/Shanghai)") && answer.contains("(was daily at 09:00)"),
            "{answer}"
        );
        let refused = told(&store, "telegram:-1001", "/schedule weekdays 9am Europe/Berlin");
        assert_eq!(refused.matches("is no channel yet").count(), 1, "{refused}");
    }

    #[test]
    fn a_digest_that_is_shown_again_has_its_votes() {
        let store = newsroom(Lang::En);
        assert!(!told(&store, HERE, "/digest 2025-10-09").contains('👍'));
        press(&store, HERE, "u:1", Some("09-0"));
        let again = told(&store, HERE, "/digest 2025-10-09");
        assert_eq!(again.matches("👍 1").count(), 1, "{again}");
    }

    #[test]
    fn why_calls_a_rule_the_nearest_only_where_it_does_not_match() {
        let store = newsroom(Lang::En);
        told(&store, HERE, "/subscribe weather OR blizzard");
        let (matched, lacking) = (
            told(&store, HERE, "/why 2510.00103"),
            told(&store, HERE, "/why 2510.00301"),
        );
        assert!(
            matched.contains("\nRule: ") && !matched.contains("nearest"),
            "{matched}"
        );
        assert!(lacking.contains("The nearest rule: "), "{lacking}");
    }

    #[test]
    fn why_names_the_judge_of_the_borderline_and_its_reason_in_both_languages() {
        let store = ModelStore::new();
        let topics = [taught(&["certain", "near"], &[2.0, 0.1], 0.05, Some("m"))];
        crate::pipeline::refresh_topics(&store, &topics).unwrap();
        add_channel(&store, HERE, settings(), october(9, 12));
        let mut papers = vec![
            paper(1, "First", "It is certain."),
            paper(2, "Second", "It is near."),
            paper(3, "Third", "It is neither."),
        ];
        papers[0].upvotes = Some(Field::new(7, SourceKind::HuggingFace));
        let (news, at) = (news(9, papers), october(9, 20));
        crate::pipeline::accept(&store, &topics, &Counting::default(), "m", b"m", news, at).unwrap();
        let due = crate::pipeline::Occasion::Due(october(10, 9));
        for case in judging::borderline(&store, &topics, &due, &mut judging::Seen::default(), october(10, 8)).unwrap() {
            let yes = case.paper == arxiv(3);
            let reason = if yes { "it caches" } else { "only its data" }.to_owned();
            let outcome = judging::Outcome::Said(Opinion { yes, reason });
            judging::answered(&store, &topics, &case, outcome, october(10, 8)).unwrap();
        }
        publish_due(&store, &topics, &Counting::default(), october(10, 9)).unwrap();
        post(&store, october(10, 9));
        let why = |text: &str, language: Lang| {
            let now = channel(&store, HERE);
            let spoken = Settings {
                language,
                ..now.settings.clone()
            };
            let now = Channel {
                settings: spoken,
                ..now
            };
            store.commit(vec![Write::Channel(Box::new(now))]).unwrap();
            let question = asking(HERE, command::parse(text, None).unwrap(), None);
            among(&topics, &store, &question, &settings()).message.to_plain()
        };
        // Of a paper that cannot be read it says what it knows.
        let spoiled = Spoiled {
            whole: &store,
            papers: vec![arxiv(1)],
            parts: Vec::new(),
        };
        let question = asking(HERE, command::parse("/why 1", None).unwrap(), None);
        let unread = among(&topics, &spoiled, &question, &settings()).message.to_plain();
        assert!(unread.contains("First"), "{unread}");
        // The first paper needed no judge, and names the one that nearly came.
        let first = why("/why 1", Lang::En);
        let missed = "learned ranking 0.10, it takes 0.05; a model was asked and said no (“only its data”)";
        assert!(first.contains("Second") && first.contains(missed), "{first}");
        assert!(!first.contains("near the threshold"), "{first}");
        assert!(
            first.contains("Votes at Hugging Face: 7, which count 3.0 points in the order"),
            "{first}"
        );
        let accepted = why("/why 2", Lang::En);
        assert!(
            accepted.contains("Third")
                && !accepted.contains("Hugging Face")
                && accepted.contains("learned ranking 0.00 (it takes 0.05)")
                && accepted.contains("near the threshold, so a model was asked: yes (“it caches”)"),
            "{accepted}"
        );
        let refused = why("/why 2510.00002", Lang::En);
        assert!(refused.contains("a model was asked: no (“only its data”)"), "{refused}");
        assert!(why("/why 2", Lang::Zh).contains("接近阈值，由模型判定：属于该主题（“it caches”）"));
        assert!(why("/why 2510.00002", Lang::Zh).contains("由模型判定：不属于该主题（“only its data”）"));
    }

    #[test]
    fn why_says_that_the_judge_could_not_be_asked_and_the_ranking_decided_alone() {
        let store = ModelStore::new();
        let topics = [taught(&["certain", "near"], &[2.0, 0.1], 0.05, Some("m"))];
        crate::pipeline::refresh_topics(&store, &topics).unwrap();
        add_channel(&store, HERE, settings(), october(9, 12));
        let papers = vec![
            paper(1, "First", "It is certain."),
            paper(2, "Second", "It is near."),
            paper(3, "Third", "It is neither."),
        ];
        let (news, at) = (news(9, papers), october(9, 20));
        crate::pipeline::accept(&store, &topics, &Counting::default(), "m", b"m", news, at).unwrap();
        let due = crate::pipeline::Occasion::Due(october(10, 9));
        let cases = judging::borderline(&store, &topics, &due, &mut judging::Seen::default(), october(10, 8)).unwrap();
        judging::unasked(&store, &topics, &cases, october(10, 8)).unwrap();
        publish_due(&store, &topics, &Counting::default(), october(10, 9)).unwrap();
        post(&store, october(10, 9));
        let why = |text: &str| {
            let question = asking(HERE, command::parse(text, None).unwrap(), None);
            among(&topics, &store, &question, &settings()).message.to_plain()
        };
        let first = why("/why 1");
        assert!(
            first.contains("it takes 0.05; what may be spent on asking a model in a day was used up")
                && !first.contains("the ranking decided alone"),
            "{first}"
        );
        for borderline in ["/why 2", "/why 2510.00003"] {
            let said = why(borderline);
            assert!(said.contains("the ranking decided alone"), "{said}");
        }
    }

    #[test]
    fn what_was_posted_and_archived_is_known_as_posted_whatever_is_followed_today() {
        let store = newsroom(Lang::En);
        told(&store, HERE, "/subscribe blizzard");
        let later = october(12, 0) + crate::pipeline::EDIT_WINDOW;
        assert!(crate::pipeline::compact(&store, later, 99).unwrap() >= 3);
        let answer = told(&store, HERE, "/why 2510.00201");
        assert!(
            answer.contains("Posted with the digest of 10 Oct 2025, number 1."),
            "{answer}"
        );
        // The same digest was never posted there.
        let there = "telegram:-1001";
        told(&store, there, "/subscribe caching");
        assert!(!told(&store, there, "/why 2510.00201").contains("Posted with"));
    }

    #[test]
    fn an_export_without_a_format_is_asked_for_one() {
        let store = newsroom(Lang::En);
        assert_eq!(told(&store, HERE, "/saved export").trim(), Lang::En.which_format());
    }

    /// Questions and answers, one below the other.
    fn dialogue(language: Lang) -> String {
        let store = newsroom(language);
        let mut lines = Vec::new();
        for (text, reply_to) in [
            ("/start", None),
            ("/topics", None),
            ("/digest", None),
            ("/digest 2025-10-09", None),
            ("/digest 2025-10-10", None),
            ("/digest 2025-10-05", None),
            ("/digest yesterday", None),
            ("/paper 1", None),
            ("/paper 2", None),
            ("/paper 3", Some("09-1")),
            ("/paper 9", Some("09-0")),
            ("/paper 1", Some("11-0")),
            ("/paper 1", Some("somebody else's")),
            ("/paper 2025-10-09 1", None),
            ("/paper 2025-10-09 2", None),
            ("/paper 2025-10-05 2", None),
            ("/paper https://arxiv.org/abs/2510.00103v1", None),
            ("/paper 2510.99999", None),
            ("/paper", None),
            ("/paper four", None),
            ("/papre 4", None),
            ("/weather", None),
        ] {
            let reply = reply_to.map_or_else(String::new, |id| format!("(in reply to {id}) "));
            lines.push(format!("> {reply}{text}\n{}", ask(&store, HERE, text, reply_to)));
        }
        lines.join("\n")
    }

    #[test]
    fn a_dialogue_in_english() {
        insta::assert_snapshot!(dialogue(Lang::En));
    }

    #[test]
    fn a_dialogue_in_chinese() {
        insta::assert_snapshot!(dialogue(Lang::Zh));
    }

    #[test]
    fn votes_of_readers_elsewhere_stand_below_a_paper_that_has_some() {
        let store = newsroom(Lang::En);
        let shown = |text: String| {
            text.lines()
                .filter(|line| line.contains('🤗'))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(ask(&store, HERE, "/paper 2510.00101", None)), [""; 0]);
        let mut voted = Paper::new(arxiv(101));
        for (votes, line) in [(0, vec![]), (23, vec!["🤗 23"])] {
            voted.upvotes = Some(Field::new(votes, SourceKind::HuggingFace));
            let name = format!("votes {votes}");
            take(&store, &name, news(12, vec![voted.clone()]), october(12, 20));
            assert_eq!(shown(ask(&store, HERE, "/paper 2510.00101", None)), line);
        }
    }

    #[test]
    fn what_became_of_a_paper_since_it_was_posted_is_said_where_it_stood() {
        let store = newsroom(Lang::En);
        let taken_back = vec![(Announcement::Withdrawal, paper(201, "Later Pruning, Not At All", ""))];
        let taken = take(&store, "withdrawal", mailing(11, taken_back), october(11, 20));
        assert_eq!(taken.corrections, 1);
        // The queue has not got to it yet: who asks hears of it all the same.
        for question in ["/paper 1", "/digest 2025-10-10", "/paper 2025-10-10 1"] {
            let answer = ask(&store, HERE, question, None);
            assert!(
                answer.contains("1. ⊘ Later Pruning") && answer.contains("Withdrawn, 12 Oct."),
                "{answer}"
            );
        }
        assert!(!ask(&store, HERE, "/paper 2510.00201", None).contains('⊘'));
    }

    #[test]
    fn where_nothing_is_followed_papers_are_known_by_their_id_alone() {
        let store = newsroom(Lang::Zh);
        let there = |text| ask(&store, "discord:100000000000000001", text, None);
        assert_eq!(there("/paper 1"), format!("{}\n", Lang::En.no_digest_yet()));
        assert_eq!(there("/digest"), format!("{}\n", Lang::En.no_digest_yet()));
        assert!(there("/digest 2025-10-09").contains("No digest was posted on 9 Oct 2025."));
        assert!(there("/paper 2510.00102").contains("Pruning Without Tears"));
        let topics = there("/topics");
        assert!(topics.contains("not followed here") && topics.contains(Lang::En.not_a_channel()));
    }

    #[test]
    fn a_question_in_a_topic_or_thread_is_about_the_digests_around_it_where_it_has_none() {
        let store = newsroom(Lang::En);
        let (thread, around) = ("discord:100000000000000001".parse().unwrap(), HERE.parse().unwrap());
        let mut question = Question {
            asker: None,
            command: command::parse("/paper 1", None).unwrap(),
            place: thread,
            parent: Some(around),
            reply_to: None,
            standing: Standing::Member,
            fallback_lang: Lang::Zh,
        };
        let said = |question: &Question| answered(&store, question).message.to_plain();
        assert!(said(&question).contains("Later Pruning"));
        question.parent = None;
        assert_eq!(said(&question), format!("{}\n", Lang::Zh.no_digest_yet()));
    }

    #[test]
    fn in_a_forum_post_a_number_is_about_the_digest_that_the_post_is() {
        let store = newsroom(Lang::En);
        let (post, forum): (Place, Place) = ("discord:100000000000000001".parse().unwrap(), HERE.parse().unwrap());
        let asked = |place: &Place| {
            let question = Question {
                parent: Some(forum.clone()),
                ..asking(&place.to_string(), command::parse("/paper 1", None).unwrap(), None)
            };
            answered(&store, &question).message.to_plain()
        };
        let later = asked(&post);
        let mut earlier = store.deliveries(&forum, None, 9).unwrap().pop().unwrap();
        earlier.message_ids[0] = post.chat().to_owned();
        store.commit(vec![Write::Delivery(Box::new(earlier))]).unwrap();
        assert_ne!(asked(&post), later);
        assert_eq!(asked(&"discord:100000000000000002".parse().unwrap()), later);
    }

    #[test]
    fn a_button_below_a_digest_tells_which_one_it_is_and_which_papers_it_has() {
        for lang in Lang::ALL {
            let store = newsroom(lang);
            let about = |message: Option<&str>| {
                let question = Question {
                    asker: None,
                    command: Ok(Command::About),
                    place: HERE.parse().unwrap(),
                    parent: None,
                    reply_to: message.map(str::to_owned),
                    standing: Standing::Member,
                    fallback_lang: Lang::En,
                };
                answered(&store, &question).message.to_plain()
            };
            let said = about(Some("09-1"));
            let day = lang.date("2025-10-09".parse().unwrap());
            assert!(
                said.contains(&day) && said.contains('3') && said.contains("/paper"),
                "{said}"
            );
            assert!(said.chars().count() <= 200);
            for unknown in [None, Some("somebody else's")] {
                assert_eq!(about(unknown).trim(), lang.unknown_button());
            }
        }
    }

    #[test]
    fn of_two_digests_on_one_day_the_one_with_papers_is_meant() {
        let store = newsroom(Lang::En);
        let again = crate::pipeline::publish_now(
            &store,
            &[topic()],
            &Counting::default(),
            vec![store.channel(&HERE.parse().unwrap()).unwrap().unwrap()],
            october(10, 3),
        );
        assert_eq!(again.unwrap().deliveries.len(), 1);
        post(&store, october(10, 3));
        assert!(ask(&store, HERE, "/paper 2025-10-10 1", None).contains("Later Pruning"));
    }

    #[test]
    fn a_digest_is_known_here_once_some_of_it_has_arrived() {
        let store = newsroom(Lang::En);
        take(
            &store,
            "11",
            news(11, vec![paper(401, "Yet more pruning", "")]),
            october(11, 20),
        );
        let now = october(12, 1);
        publish_due(&store, &[topic()], &Counting::default(), now).unwrap();
        assert!(ask(&store, HERE, "/paper 1", None).contains("Later Pruning"));
        post(&store, now);
        assert!(ask(&store, HERE, "/paper 1", None).contains("Yet more pruning"));
    }

    #[test]
    fn an_old_digest_is_found_behind_many() {
        let store = newsroom(Lang::En);
        let (old, mut latest) = {
            let mut all = store.deliveries(&HERE.parse().unwrap(), None, 9).unwrap();
            (all.len(), all.remove(0))
        };
        let empty = store.digest(&latest.id.digest).unwrap().unwrap();
        for hours in 1..=120 {
            latest.id.digest.occurrence = october(11, 1) + TimeDelta::hours(hours);
            let digest = Digest {
                id: latest.id.digest,
                ..empty.clone()
            };
            let writes = vec![
                Write::Digest(Box::new(digest)),
                Write::Delivery(Box::new(latest.clone())),
            ];
            store.commit(writes).unwrap();
        }
        assert_eq!(store.deliveries(&latest.id.place, None, 999).unwrap().len(), old + 120);
        assert!(ask(&store, HERE, "/paper 2025-10-09 3", None).contains("Pruning Without Tears"));
        assert!(ask(&store, HERE, "/paper 1", None).contains("Later Pruning"));
    }

    #[test]
    fn what_was_archived_is_found_by_its_day_by_its_message_and_as_the_latest() {
        let store = newsroom(Lang::En);
        let asked = [
            ("/paper 3", Some("09-0")),
            ("/paper 2025-10-09 3", None),
            ("/paper 1", None),
            ("/digest", None),
        ];
        let answers = || asked.map(|(text, reply_to)| ask(&store, HERE, text, reply_to));
        let before = answers();
        let later = october(12, 0) + crate::pipeline::EDIT_WINDOW;
        assert!(crate::pipeline::compact(&store, later, 99).unwrap() >= 3);
        assert_eq!(store.deliveries(&HERE.parse().unwrap(), None, 9), Ok(vec![]));
        assert_eq!(answers(), before);
    }

    #[test]
    fn a_paused_channel_is_told_so_instead_of_a_date_in_the_past() {
        let store = newsroom(Lang::En);
        let paused = Channel {
            activity: Activity::Paused {
                reason: "kicked".to_owned(),
                since: october(9, 9),
            },
            ..channel(&store, HERE)
        };
        store.commit(vec![Write::Channel(Box::new(paused))]).unwrap();
        let topics = ask(&store, HERE, "/topics", None);
        assert!(
            topics.contains(Lang::En.paused()) && !topics.contains("Next digest"),
            "{topics}"
        );
    }

    #[test]
    fn a_brief_shows_the_words_that_carry_it_and_why_another_one_was_replaced() {
        let written = |text: &str, number, title: &str| {
            let evidence = "KV cache pruning is slow. We propose SlimKV, which reduces latency by 48.5%.";
            let mut paper = paper(number, title, evidence);
            paper.briefs.push(Brief {
                lang: Lang::Zh,
                origin: brief::Origin::Imported,
                text: text.to_owned(),
            });
            paper
        };
        let store = ModelStore::new();
        let settings = Settings {
            language: Lang::Zh,
            subjects: Subjects::new([topic().id], ["kv cache".to_owned()]),
            ..settings()
        };
        add_channel(&store, HERE, settings, october(8, 0));
        let papers = vec![
            written(
                "研究团队发布了SlimKV论文，解决了KV缓存剪枝慢的问题，达成了延迟降低48.5%的效果",
                501,
                "SlimKV one",
            ),
            written("研究团队发布了SlimKV论文，达成了延迟降低84.5%的效果", 502, "SlimKV two"),
        ];
        take(&store, "8", news(8, papers), october(8, 20));
        publish_due(&store, &[topic()], &Counting::default(), october(9, 1)).unwrap();
        post(&store, october(9, 1));

        let digest = ask(&store, HERE, "/digest", None);
        assert_eq!(digest.matches(Lang::Zh.replaced_mark()).count(), 1, "{digest}");
        let good = ask(&store, HERE, "/evidence 1", None);
        assert!(
            good.contains("效果") && good.contains("摘要：We propose SlimKV, which reduces latency by 48.5%."),
            "{good}"
        );
        assert!(!good.contains("原有的简报"), "{good}");
        let replaced = ask(&store, HERE, "/evidence 2", None);
        assert!(
            replaced.contains("原有的简报没有采用") && replaced.contains("84.5%"),
            "{replaced}"
        );
        assert!(replaced.contains(Lang::Zh.word_for_word()), "{replaced}");
        let by_day = ask(&store, HERE, "/evidence 2025-10-08 2", None);
        assert_eq!(by_day, replaced);

        let buttons = talk(&store, HERE, "/paper 2").buttons;
        let button = buttons.iter().flatten().find(|button| button.label == "依据").unwrap();
        assert_eq!(press(&store, HERE, &button.data, None).message.to_plain(), replaced);
        let by_id = ask(&store, HERE, "/evidence 2510.00502", None);
        assert!(by_id.contains("84.5%"), "{by_id}");
        let unknown = ask(&store, HERE, "/evidence 9", None);
        assert!(unknown.contains('2') && !unknown.contains("摘要"), "{unknown}");
    }
}
