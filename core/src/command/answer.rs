//! The answer to a question: a pure read of the store, in the language of the place where it was asked.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};

use super::{Answer, Command, CommandError, PaperQuery, Question, TABLE};
use crate::channel::{Activity, Channel, Place, Style};
use crate::digest::{Digest, Entry, View};
use crate::erratum::Detail;
use crate::locale::Lang;
use crate::message::{self, Block, Line, Message, Span, ellipsis, plain};
use crate::paper::{Paper, PaperId};
use crate::store::{Result, Store};
use crate::topic::Topic;

/// How many authors are named before "and 12 more".
const NAMED_AUTHORS: usize = 8;
/// How many past digests of a place are looked through for a day's: more than ten years of daily ones.
const LOOK_BACK: usize = 4_000;
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
        Ok(Command::About) => asked.about(question.reply_to.as_deref())?,
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
        let mut message = paper_message(&paper, Some(entry), &self.view());
        if let Some(errata) = self.context.store.errata(&digest.id)? {
            message.amend(&errata.amendments(self.lang, self.view().zone, Detail::Values));
        }
        Ok(message)
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
        let mut message = self.view().message(&digest, &abstract_of);
        if let Some(errata) = self.context.store.errata(&digest.id)? {
            message.amend(&errata.amendments(self.lang, self.view().zone, Detail::Values));
        }
        Ok(message)
    }

    /// What a message is: which digest, and how its papers are opened.
    fn about(&self, message: Option<&str>) -> Result<Message> {
        let id = match message {
            Some(message) => self.context.store.digest_of_message(self.place, message)?,
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

    fn none_on(&self, day: NaiveDate) -> Result<Message> {
        let latest = self
            .find(|_| true)?
            .map(|digest| self.lang.date(self.view().day(&digest)));
        Ok(Message::sentence(
            self.lang.no_digest_on(&self.lang.date(day), latest.as_deref()),
        ))
    }

    /// The digest that was posted here on `day`, one with papers if there were several; else the one whose mailing ended on
    /// it.
    fn of_day(&self, day: NaiveDate) -> Result<Option<Digest>> {
        let view = self.view();
        let with_papers = self.find(|digest| view.day(digest) == day && !digest.entries.is_empty())?;
        let of_day = match with_papers {
            Some(digest) => Some(digest),
            None => self.find(|digest| view.day(digest) == day)?,
        };
        match of_day {
            Some(digest) => Ok(Some(digest)),
            None => self.find(|digest| digest.windows.iter().any(|w| w.to.date_naive() == day)),
        }
    }

    /// The latest digest of which at least one part has arrived here and that `wanted` accepts.
    fn find(&self, wanted: impl Fn(&Digest) -> bool) -> Result<Option<Digest>> {
        let store = self.context.store;
        let mut arrived = BTreeSet::from_iter(store.digests_of_place(self.place, LOOK_BACK)?);
        // A part that was taken as arrived without an answer has no message.
        let recent = store.deliveries(self.place, None, RECENT)?;
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

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::channel::Settings;
    use crate::command;
    use crate::paper::Field;
    use crate::pipeline::fixture::{
        Counting, add_channel, back, channel, claims, mailing, news, october, paper, sent, settings, take, topic,
    };
    use crate::pipeline::{Job, publish_due};
    use crate::source::{Announcement, SourceKind};
    use crate::store::{ModelStore, Write};
    use crate::subscription::Subjects;

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

    fn ask(store: &ModelStore, place: &str, text: &str, reply_to: Option<&str>) -> String {
        let question = Question {
            asker: None,
            command: command::parse(text, Some("PaperwireBot")).unwrap(),
            place: place.parse().unwrap(),
            parent: None,
            reply_to: reply_to.map(str::to_owned),
            fallback_lang: Lang::En,
        };
        let topics = [topic()];
        let context = Context {
            store,
            topics: &topics,
            now: october(11, 12),
        };
        answer(&question, &context).unwrap().message.to_plain()
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
        assert!(topics.contains("not followed here") && topics.contains("place = \"discord:100000000000000001\""));
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
            fallback_lang: Lang::Zh,
        };
        let topics = [topic()];
        let context = Context {
            store: &store,
            topics: &topics,
            now: october(11, 12),
        };
        let said = |question: &Question| answer(question, &context).unwrap().message.to_plain();
        assert!(said(&question).contains("Later Pruning"));
        question.parent = None;
        assert_eq!(said(&question), format!("{}\n", Lang::Zh.no_digest_yet()));
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
                    fallback_lang: Lang::En,
                };
                let topics = [topic()];
                let context = Context {
                    store: &store,
                    topics: &topics,
                    now: october(11, 12),
                };
                answer(&question, &context).unwrap().message.to_plain()
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
}
