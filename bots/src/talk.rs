//! The conversation: whatever a person asks on any platform, changes, presses or types is answered here, from the store and
//! the search index. What only reads is answered beside the storage thread, so that no delivery waits for a question.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use chrono_tz::Tz;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use paperwire_core::channel::{Place, Settings};
use paperwire_core::command::press::Seal;
use paperwire_core::command::{self, Answer, Command, Context, HITS, Hits, Manner, Need, Question, Reply, Suggest};
use paperwire_core::digest::View;
use paperwire_core::locale::Lang;
use paperwire_core::message::{Block, ellipsis};
use paperwire_core::paper::PaperId;
use paperwire_core::pipeline;
use paperwire_core::rule;
use paperwire_core::schedule::zone;
use paperwire_core::store::{Store, StoreError};
use paperwire_core::text;
use paperwire_core::topic::Topic;
use tokio::sync::Notify;

use crate::clock;
use crate::desk::{Choice, Desk, Found, Inline, Typing};
use crate::manners::{Manners, Turn};
use crate::ops::Ops;
use crate::render::Renderers;
use crate::search::{self, SearchIndex};
use crate::service::Service;
use crate::storage::{Storage, StorageError};

/// How many papers `/similar` names.
const SIMILAR: usize = 5;
/// How many searches are kept for the buttons that turn their pages.
const SEARCHES: usize = 5_000;
/// How many results an inline search shows at a time (Bot API, answerInlineQuery: at most 50).
const INLINE: usize = 10;
/// How many choices are offered while typing (Discord: at most 25), and how long one may be.
const CHOICES: usize = 25;
const CHOICE_CHARS: usize = 100;

/// What the conversation is made of besides the store.
#[derive(Clone)]
pub struct Rules {
    /// What a channel gets that is made by somebody's first subscription.
    pub fresh: Settings,
    /// With which buttons are sealed.
    pub seal: Seal,
    /// How many questions of a person are answered in a minute.
    pub per_minute: u32,
    /// Whether a place is served.
    pub serves: Arc<dyn Fn(&Place) -> bool + Send + Sync>,
}

/// Answers people; cheap to clone.
#[derive(Clone)]
pub struct Talk {
    storage: Storage,
    service: Service,
    topics: Arc<[Topic]>,
    search: SearchIndex,
    searches: Arc<Mutex<Searches>>,
    rules: Rules,
    manners: Manners,
    channels_changed: Arc<Notify>,
    ops: Ops,
}

impl std::fmt::Debug for Talk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Talk")
    }
}

/// The latest searches, so that a button need not carry what was searched for.
#[derive(Debug, Default)]
struct Searches {
    words: HashMap<u64, String>,
    order: VecDeque<u64>,
}

impl Searches {
    fn keep(&mut self, words: &str) -> u64 {
        let id = text::hash64(&[words]);
        if self.words.insert(id, words.to_owned()).is_none() {
            self.order.push_back(id);
            if self.order.len() > SEARCHES
                && let Some(oldest) = self.order.pop_front()
            {
                self.words.remove(&oldest);
            }
        }
        id
    }

    fn words(&self, id: u64) -> Option<String> {
        self.words.get(&id).cloned()
    }
}

impl Talk {
    /// `channels_changed` is rung when a channel may be due at another time.
    pub fn new(
        storage: Storage,
        service: Service,
        topics: Arc<[Topic]>,
        search: SearchIndex,
        rules: Rules,
        channels_changed: Arc<Notify>,
        ops: Ops,
    ) -> Self {
        Self {
            storage,
            service,
            topics,
            search,
            searches: Arc::default(),
            manners: Manners::new(rules.per_minute),
            rules,
            channels_changed,
            ops,
        }
    }

    /// A job over the store that has a question's context.
    fn with<T>(
        &self,
        question: &Question,
        job: impl FnOnce(&Question, &Context<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static {
        let (question, topics, rules) = (question.clone(), Arc::clone(&self.topics), self.rules.clone());
        move |store| {
            let context = Context {
                store,
                topics: &topics,
                fresh: &rules.fresh,
                seal: &rules.seal,
                render: &Renderers,
                now: clock::now(),
            };
            job(&question, &context)
        }
    }

    async fn converse(&self, question: &Question) -> Result<Answer, StorageError> {
        let changes = question.command.as_ref().is_ok_and(command::changes);
        let reply = match changes {
            true => {
                let reply = self.storage.run(self.with(question, command::change)).await?;
                self.channels_changed.notify_one();
                // A held digest may have been posted.
                if question.command.as_ref().is_ok_and(Command::is_heard_anywhere) {
                    self.service.announce();
                }
                reply
            }
            false => self.storage.read(self.with(question, command::reply)).await?,
        };
        match reply {
            Reply::Answer(answer) => Ok(answer),
            Reply::Needs(need) => self.meet(question, need).await,
        }
    }

    /// The language and the zone in which a question is answered.
    async fn terms(&self, question: &Question) -> Result<(Lang, Tz), StorageError> {
        let fallback = (question.fallback_lang, self.rules.fresh.timezone);
        let channel = self.with(question, |question, context| {
            command::channel_of(question, context.store)
        });
        let channel = self.storage.read(channel).await?;
        Ok(channel.map_or(fallback, |channel| {
            (channel.settings.language, channel.settings.timezone)
        }))
    }

    async fn meet(&self, question: &Question, need: Need) -> Result<Answer, StorageError> {
        match need {
            Need::Trial { rule, head } => {
                let job = self.with(question, move |question, context| {
                    command::tried(question, context, &rule, head)
                });
                self.storage.read(job).await
            }
            Need::Search { query, page } => self.search(question, &query, page).await,
            Need::Page { search, page } => {
                let words = self
                    .searches
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .words(search);
                let query = words.and_then(|words| rule::Query::parse(&words).ok());
                match query {
                    Some(query) => Ok(self.search(question, &query, page).await?.shown(Manner::Replace)),
                    None => {
                        let (lang, _) = self.terms(question).await?;
                        Ok(Answer::sentence(lang.search_forgotten(), lang).shown(Manner::Notice))
                    }
                }
            }
            Need::Similar(paper) => {
                let (lang, _) = self.terms(question).await?;
                let title = lang.similar_title(&ellipsis(paper.title(), 80));
                let near = match self.search.similar(*paper, SIMILAR).await {
                    Ok(near) if near.is_empty() => return Ok(Answer::sentence(lang.similar_nothing(), lang)),
                    Ok(near) => near,
                    Err(error) => return Ok(Answer::sentence(error.tell(lang), lang)),
                };
                let hits = Hits {
                    total: near.len(),
                    papers: near.into_iter().map(|hit| hit.paper).collect(),
                    ..Hits::default()
                };
                let job = self.with(question, move |question, context| {
                    command::found(question, context, &title, None, &hits)
                });
                self.storage.read(job).await
            }
        }
    }

    async fn search(&self, question: &Question, query: &rule::Query, page: u32) -> Result<Answer, StorageError> {
        let (lang, zone) = self.terms(question).await?;
        let words = query.as_str().to_owned();
        let skip = usize::try_from(page).unwrap_or(usize::MAX).saturating_mul(HITS);
        let wanted = search::Query {
            expr: query.expr().clone(),
            zone,
        };
        let found = match self.search.query(wanted, HITS, skip).await {
            Ok(found) => found,
            Err(error) => return Ok(Answer::sentence(error.tell(lang), lang)),
        };
        let mut notes: Vec<String> = found.coverage.tell(lang).into_iter().collect();
        if !found.complete {
            notes.push(lang.search_incomplete().to_owned());
        }
        let shown = ellipsis(&words, 80);
        if found.hits.is_empty() {
            let nothing = match page {
                0 => lang.search_nothing(&shown),
                _ => lang.search_forgotten().to_owned(),
            };
            let said = std::iter::once(nothing).chain(notes).collect::<Vec<_>>().join(" ");
            return Ok(Answer::sentence(said, lang));
        }
        let search = self
            .searches
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .keep(&words);
        let hits = Hits {
            total: found.total,
            skipped: skip,
            papers: found.hits.into_iter().map(|hit| hit.paper).collect(),
            notes,
        };
        let title = lang.search_title(&shown);
        let job = self.with(question, move |question, context| {
            command::found(question, context, &title, Some((search, page)), &hits)
        });
        self.storage.read(job).await
    }

    /// What the latest digest of the place has, then what the index knows.
    async fn papers(&self, typing: Typing) -> Vec<Choice> {
        let typed = text::fold(typing.typed.trim());
        let question = asked(&typing);
        let wanted = typed.clone();
        let entries = self.with(&question, move |question, context| {
            let digest = command::latest_digest(question, context)?;
            let entries = digest.map(|digest| digest.entries).unwrap_or_default();
            let fits = |number: u32, title: &str| {
                wanted.is_empty() || number.to_string().starts_with(&wanted) || text::fold(title).contains(&wanted)
            };
            let entries = entries.into_iter().filter(|entry| fits(entry.number, &entry.title));
            Ok(entries
                .map(|entry| (entry.number.to_string(), format!("{}. {}", entry.number, entry.title)))
                .collect::<Vec<_>>())
        });
        let mut choices = self.storage.read(entries).await.unwrap_or_default();
        if choices.len() < CHOICES && !typed.is_empty() {
            let found = self.search.complete(typing.typed, CHOICES).await.unwrap_or_default();
            let known = |paper: &PaperId| paper.bare().to_owned();
            choices.extend(found.into_iter().map(|found| (known(&found.paper), found.title)));
        }
        offered(choices)
    }

    async fn subscriptions(&self, typing: Typing) -> Vec<Choice> {
        let question = asked(&typing);
        let typed = text::fold(&typing.typed);
        let job = self.with(&question, move |question, context| {
            let channel = command::channel_of(question, context.store)?;
            let all = channel.map(|channel| pipeline::listed(&channel)).unwrap_or_default();
            let numbered = (1..).zip(all).map(|(number, listed)| {
                let text = listed.item.text();
                (number.to_string(), format!("{number}. {text}"))
            });
            Ok(numbered
                .filter(|(_, label)| text::fold(label).contains(&typed))
                .collect::<Vec<_>>())
        });
        offered(self.storage.read(job).await.unwrap_or_default())
    }

    fn topics(&self, typing: &Typing) -> Vec<Choice> {
        let typed = text::fold(&typing.typed);
        let named = self.topics.iter().map(|topic| {
            let name = typing.lang.pick(&topic.name_zh, &topic.name_en);
            (topic.id.to_string(), format!("{} · {name}", topic.id))
        });
        let mut choices: Vec<(String, String)> =
            named.filter(|(_, label)| text::fold(label).contains(&typed)).collect();
        // What is typed may be a rule: it is offered as it stands, or Discord could not send it while a topic is near.
        if !typed.trim().is_empty() {
            choices.insert(0, (typing.typed.clone(), typing.typed.clone()));
        }
        offered(choices)
    }

    async fn inline_page(&self, inline: &Inline) -> Result<(Vec<Found>, Option<u32>), StorageError> {
        let skip = usize::try_from(inline.skip).unwrap_or(usize::MAX);
        let words = match inline.words.trim() {
            // Everything, the newest first.
            "" => "from:1991-01-01",
            words => words,
        };
        let Ok(query) = rule::Query::parse(words) else {
            return Ok((Vec::new(), None));
        };
        let wanted = search::Query {
            expr: query.expr().clone(),
            zone: self.rules.fresh.timezone,
        };
        let Ok(page) = self.search.query(wanted, INLINE, skip).await else {
            return Ok((Vec::new(), None));
        };
        let shown = page.hits.len();
        let next = (shown == INLINE && skip + shown < page.total)
            .then(|| u32::try_from(skip + shown).ok())
            .flatten();
        let (topics, rules, lang) = (Arc::clone(&self.topics), self.rules.clone(), inline.lang);
        let job = move |store: &dyn Store| {
            let view = View {
                lang,
                zone: rules.fresh.timezone,
                style: rules.fresh.style,
                topics: &topics,
            };
            let mut found = Vec::new();
            for hit in page.hits {
                // One that cannot be read takes nothing else away.
                let Ok(Some(paper)) = store.paper(&hit.paper) else {
                    continue;
                };
                let message = command::paper_message(&paper, None, &view);
                let description = paperwire_core::brief::compose(&paper, lang).map(|brief| brief.text);
                found.push(Found {
                    id: format!("{:016x}", text::hash64(&[&paper.id.to_string()])),
                    title: ellipsis(paper.title(), 200),
                    description: ellipsis(&description.unwrap_or_default(), 200),
                    url: paper.id.link(),
                    message: without_abstract(message),
                });
            }
            Ok(found)
        };
        Ok((self.storage.read(job).await?, next))
    }
}

/// A card that goes into any chat is short: what folds on other platforms is left out.
fn without_abstract(mut message: paperwire_core::message::Message) -> paperwire_core::message::Message {
    for block in &mut message.blocks {
        if let Block::Entry(entry) = block {
            entry.quote = None;
        }
    }
    message
}

/// A question of whoever is still typing.
fn asked(typing: &Typing) -> Question {
    Question {
        command: Ok(Command::Help),
        place: typing.place.clone(),
        parent: typing.parent.clone(),
        asker: None,
        reply_to: None,
        standing: command::Standing::Member,
        fallback_lang: typing.lang,
    }
}

/// As many as may be offered, none too long. A value that is too long would not be sent as it is: it is left out.
fn offered(choices: Vec<(String, String)>) -> Vec<Choice> {
    let fits = |value: &String| (1..=CHOICE_CHARS).contains(&value.chars().count());
    choices
        .into_iter()
        .filter(|(value, _)| fits(value))
        .take(CHOICES)
        .map(|(value, label)| Choice {
            label: ellipsis(&label, CHOICE_CHARS),
            value,
        })
        .collect()
}

impl Desk for Talk {
    fn answer(&self, question: Question) -> BoxFuture<'_, Answer> {
        async move {
            let lang = question.fallback_lang;
            let platform = question.place.platform();
            if let Some(person) = &question.asker {
                let turn = self.manners.ask(platform, person, clock::now());
                let warned = Answer::sentence(lang.too_fast(self.rules.per_minute), lang);
                match turn {
                    Turn::Answer => {}
                    Turn::Warn => return warned.shown(Manner::Notice),
                    Turn::Ignore => return warned.shown(Manner::Silent),
                }
            }
            let answer = self.converse(&question).await;
            self.ops.answered(platform);
            answer.unwrap_or_else(|error| {
                tracing::error!(%error, "a question could not be answered");
                Answer::sentence(lang.trouble(), lang)
            })
        }
        .boxed()
    }

    fn suggest(&self, typing: Typing) -> BoxFuture<'_, Vec<Choice>> {
        async move {
            match typing.suggest {
                Suggest::Nothing => Vec::new(),
                Suggest::Papers => self.papers(typing).await,
                Suggest::Subscriptions => self.subscriptions(typing).await,
                Suggest::Topics => self.topics(&typing),
                Suggest::Zones => {
                    let zones = zone::complete(&typing.typed, CHOICES);
                    offered(
                        zones
                            .into_iter()
                            .map(|zone| (zone.name().to_owned(), zone.name().to_owned()))
                            .collect(),
                    )
                }
            }
        }
        .boxed()
    }

    fn inline(&self, inline: Inline) -> BoxFuture<'_, (Vec<Found>, Option<u32>)> {
        async move {
            let turn = self.manners.ask(
                paperwire_core::channel::Platform::Telegram,
                &format!("inline {}", inline.asker),
                clock::now(),
            );
            if turn != Turn::Answer {
                return (Vec::new(), None);
            }
            self.inline_page(&inline).await.unwrap_or_else(|error| {
                tracing::error!(%error, "an inline search could not be answered");
                (Vec::new(), None)
            })
        }
        .boxed()
    }

    fn serves(&self, place: &Place) -> bool {
        (self.rules.serves)(place)
    }

    fn moved(&self, from: Place, to: Place) -> BoxFuture<'_, ()> {
        self.service.moved(from, to).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_searches_are_kept_and_older_ones_forgotten() {
        let mut searches = Searches::default();
        let first = searches.keep("kv cache");
        assert_eq!(searches.keep("kv cache"), first);
        for n in 0..SEARCHES - 1 {
            searches.keep(&n.to_string());
        }
        assert_eq!(searches.words(first).as_deref(), Some("kv cache"));
        searches.keep("one more");
        assert_eq!((searches.words(first), searches.words.len()), (None, SEARCHES));
    }

    #[test]
    fn only_what_can_be_sent_is_offered() {
        let choices = offered(vec![
            ("4".to_owned(), "x".repeat(200)),
            ("y".repeat(101), "too long".to_owned()),
            (String::new(), "nothing".to_owned()),
        ]);
        assert_eq!(choices.len(), 1);
        assert_eq!(
            (choices[0].value.as_str(), choices[0].label.chars().count()),
            ("4", 100)
        );
    }
}
