//! The answer to a question: a pure read of the store, in the language of the place where it was asked.

use chrono::{DateTime, NaiveDate, Utc};

use super::{Answer, Command, CommandError, PaperQuery, Question, TABLE};
use crate::channel::{Activity, Channel, Place, Style};
use crate::digest::{Digest, Entry, View};
use crate::locale::Lang;
use crate::message::{self, Block, Line, Message, Span, plain};
use crate::paper::{Paper, PaperId};
use crate::store::{Result, Store};
use crate::topic::Topic;

/// How many authors are named before "and 12 more".
const NAMED_AUTHORS: usize = 8;
/// How many past deliveries of a place are looked through for a day's digest: more than ten years of daily ones.
const LOOK_BACK: usize = 4_000;
const PAGE: usize = 50;

/// What an answer is made from.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Where everything is remembered.
    pub store: &'a dyn Store,
    /// All topics.
    pub topics: &'a [Topic],
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

/// Answers a question.
///
/// # Errors
/// Only when the store cannot be read.
pub fn answer(question: &Question, context: &Context<'_>) -> Result<Answer> {
    let channel = channel_of(question, context.store)?;
    let asked = Asked {
        context,
        place: channel.as_ref().map_or(&question.place, |c| &c.place),
        lang: channel.as_ref().map_or(question.fallback_lang, |c| c.settings.language),
        channel: channel.as_ref(),
    };
    let message = match &question.command {
        Err(error) => Message::sentence(refusal(error, asked.lang)),
        Ok(Command::Paper(query)) => asked.paper(query, question.reply_to.as_deref())?,
        Ok(Command::Digest { day }) => asked.digest(*day)?,
        Ok(Command::Topics) => asked.topics(),
        Ok(Command::Help) => asked.help(),
        Ok(Command::Start) => asked.start(),
    };
    Ok(Answer {
        message,
        lang: asked.lang,
    })
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

/// Why a command was not understood, in words.
pub fn refusal(error: &CommandError, lang: Lang) -> String {
    match error {
        CommandError::Unknown { name, nearest } => lang.unknown_command(name, *nearest),
        CommandError::WhichPaper => lang.which_paper().to_owned(),
        CommandError::NoPaper(error) => lang.no_paper_name(&error.0),
        CommandError::NoDay(text) => lang.no_day(text),
    }
}

struct Asked<'a> {
    context: &'a Context<'a>,
    place: &'a Place,
    channel: Option<&'a Channel>,
    lang: Lang,
}

impl Asked<'_> {
    fn view(&self) -> View<'_> {
        View {
            lang: self.lang,
            zone: self.channel.map_or(chrono_tz::UTC, |c| c.settings.timezone),
            style: self.channel.map_or(Style::Compact, |c| c.settings.style),
            topics: self.context.topics,
        }
    }

    fn paper(&self, query: &PaperQuery, reply_to: Option<&str>) -> Result<Message> {
        match query {
            PaperQuery::Id(id) => self.paper_by_id(id),
            PaperQuery::Number(n) => {
                let replied = match reply_to {
                    Some(message) => self.context.store.digest_of_message(self.place, message)?,
                    None => None,
                };
                let digest = match replied {
                    Some(id) => self.context.store.digest(&id)?,
                    None => self.find(|digest| !digest.entries.is_empty())?,
                };
                match digest {
                    Some(digest) => self.numbered(&digest, *n),
                    None => Ok(Message::sentence(self.lang.no_digest_yet())),
                }
            }
            PaperQuery::OfDay(day, n) => match self.of_day(*day)? {
                Some(digest) => self.numbered(&digest, *n),
                None => self.none_on(*day),
            },
        }
    }

    fn numbered(&self, digest: &Digest, n: u32) -> Result<Message> {
        let Some(entry) = digest.entry(n) else {
            let date = self.lang.date(self.view().day(digest));
            return Ok(Message::sentence(self.lang.no_such_number(
                n,
                &date,
                digest.entries.len(),
            )));
        };
        let paper = match self.context.store.paper(&entry.paper)? {
            Some(paper) => paper,
            None => return Ok(Message::sentence(self.unknown(&entry.paper))),
        };
        Ok(paper_message(&paper, Some(entry), &self.view()))
    }

    fn paper_by_id(&self, id: &PaperId) -> Result<Message> {
        Ok(match self.context.store.paper(id)? {
            Some(paper) => paper_message(&paper, None, &self.view()),
            None => Message::sentence(self.unknown(id)),
        })
    }

    fn unknown(&self, id: &PaperId) -> String {
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
        Ok(self.view().message(&digest, &abstract_of))
    }

    fn none_on(&self, day: NaiveDate) -> Result<Message> {
        let latest = self
            .find(|_| true)?
            .map(|digest| self.lang.date(self.view().day(&digest)));
        Ok(Message::sentence(
            self.lang.no_digest_on(&self.lang.date(day), latest.as_deref()),
        ))
    }

    /// The digest that was posted here on `day`; else the one whose mailing ended on it.
    fn of_day(&self, day: NaiveDate) -> Result<Option<Digest>> {
        let view = self.view();
        match self.find(|digest| view.day(digest) == day)? {
            Some(digest) => Ok(Some(digest)),
            None => self.find(|digest| digest.windows.iter().any(|w| w.to.date_naive() == day)),
        }
    }

    /// The latest digest of which at least one part has arrived here and that `wanted` accepts.
    fn find(&self, wanted: impl Fn(&Digest) -> bool) -> Result<Option<Digest>> {
        let mut before = None;
        for _ in 0..LOOK_BACK / PAGE {
            let page = self.context.store.deliveries(self.place, before, PAGE)?;
            for delivery in &page {
                if delivery.message_ids.is_empty() {
                    continue;
                }
                if let Some(digest) = self.context.store.digest(&delivery.id.digest)?.filter(&wanted) {
                    return Ok(Some(digest));
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE => before = Some(last.id.digest),
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    fn topics(&self) -> Message {
        let lang = self.lang;
        let followed = |topic: &Topic| {
            self.channel
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

    fn schedule(&self) -> Line {
        let lang = self.lang;
        let Some(channel) = self.channel else {
            return plain(lang.not_a_channel(&self.place.to_string()));
        };
        if matches!(channel.activity, Activity::Paused { .. }) {
            return plain(lang.paused());
        }
        match channel.next_due {
            Some(at) => {
                let zone = channel.settings.timezone;
                let local = at.with_timezone(&zone);
                let at = format!(
                    "{} {} ({})",
                    lang.date(local.date_naive()),
                    local.format("%H:%M"),
                    zone.name()
                );
                vec![Span::Dim(lang.next_digest(&at))]
            }
            None => vec![Span::Dim(lang.no_schedule().to_owned())],
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

    fn start(&self) -> Message {
        let mut message = self.help();
        message.blocks.push(Block::Paragraph(self.schedule()));
        message
    }
}

/// All that is known of a paper, as one entry. `entry` is its place in the digest that it was asked from.
pub fn paper_message(paper: &Paper, entry: Option<&Entry>, view: &View<'_>) -> Message {
    let lang = view.lang;
    let mut lines: Vec<Line> = Vec::new();
    let frozen = entry
        .and_then(|e| e.briefs.iter().find(|b| b.reader == lang))
        .map(|b| b.brief.clone());
    let brief = frozen.or_else(|| crate::brief::compose(paper, lang));
    let mut brief_line = vec![Span::Bold(lang.brief_label().to_owned())];
    brief_line.extend(view.brief(brief.as_ref()));
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

fn labelled(label: &str, text: String) -> Line {
    vec![Span::Bold(label.to_owned()), Span::Plain(text)]
}
