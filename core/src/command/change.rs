//! What a person changes from where they talk: subscriptions, settings, votes, the reading list. Each is one stage of the
//! [`crate::pipeline`]; here it is decided which, and what is said of it.

use chrono::{DateTime, Utc};

use super::answer::Asked;
use super::press::{Change, HoldAction, Pointed, Press};
use super::{Answer, Command, Context, Manner, Need, PaperQuery, Permission, Question, Reply, Standing};
use crate::channel::{Channel, Missed, Place};
use crate::digest::DigestId;
use crate::locale::Lang;
use crate::mention::Mention;
use crate::message::{Block, Line, Message, Span, plain};
use crate::paper::PaperId;
use crate::pipeline::{self, Followed, Item, Resolution, Revision, Setting};
use crate::rule::{Expr, Rule, Term};
use crate::schedule::phrase::{self, ScheduleChange};
use crate::schedule::zone;
use crate::store::Result;
use crate::text::fold;
use crate::topic::{Topic, TopicId};
use crate::vote::Vote;

/// How many subscriptions a page of the list has: each is a row of buttons, of which Discord takes five (“Action Row”), and
/// one more turns the pages.
pub(super) const PER_PAGE: usize = 4;

/// Whether a command may change something, so that it must be answered where the store is written.
pub fn changes(command: &Command) -> bool {
    match command {
        Command::Subscribe(_) | Command::Edit { .. } | Command::Unsubscribe(_) | Command::Mention { .. } => true,
        Command::Schedule(args) | Command::Timezone(args) => !args.is_empty(),
        Command::Pause(_) | Command::Resume | Command::Save(_) | Command::Start => true,
        Command::Language(language) => language.is_some(),
        Command::Style(style) => style.is_some(),
        Command::Press(data) => data.starts_with(['u', 'd', 's', 'f', 'h']),
        Command::Paper(_) | Command::Digest { .. } | Command::Search(_) | Command::Similar(_) => false,
        Command::Why(_) | Command::Try(_) | Command::Subscriptions | Command::Topics | Command::Saved(_) => false,
        Command::Evidence(_) | Command::Top | Command::Help | Command::About => false,
    }
}

/// Does what a question asks for, and answers it; one that changes nothing is answered too.
///
/// # Errors
/// Only when the store fails.
pub fn change(question: &Question, context: &Context<'_>) -> Result<Reply> {
    let Ok(command) = &question.command else {
        return super::reply(question, context);
    };
    let asked = Asked::new(question, context)?;
    let lang = asked.lang;
    match (command.permission(), question.standing) {
        (Permission::Everyone, _) | (Permission::Managers, Standing::Manager) => {}
        (Permission::Managers, Standing::Member) => {
            return Ok(notice(lang.managers_only(), lang));
        }
        (Permission::Managers, Standing::Unknown) => {
            return Ok(notice(lang.standing_unknown(), lang));
        }
    }
    let place = asked.place.clone();
    let doing = Doing { asked, question };
    let said = match command {
        Command::Subscribe(typed) => return doing.subscribe(typed),
        Command::Edit { number, rule } => return doing.edit(*number, rule),
        Command::Unsubscribe(typed) => doing.unsubscribe(typed)?,
        Command::Mention { which, whom } => doing.mention(which, whom)?,
        Command::Schedule(typed) if !typed.is_empty() => doing.schedule(typed)?,
        Command::Timezone(typed) if !typed.is_empty() => match zone::find(typed) {
            Ok(zone) => doing.set(&place, Setting::Timezone(zone))?,
            Err(error) => Message::sentence(error.says(lang)),
        },
        Command::Pause(typed) => doing.pause(&place, typed)?,
        Command::Resume => doing.set(&place, Setting::Resume)?,
        Command::Language(Some(language)) => doing.set(&place, Setting::Language(*language))?,
        Command::Style(Some(style)) => doing.set(&place, Setting::Style(*style))?,
        Command::Save(query) => match doing.asked.paper_of(query, question.reply_to.as_deref())? {
            Ok(paper) => doing.save(&paper)?,
            Err(refused) => refused,
        },
        Command::Start => return doing.start(&place),
        Command::Press(data) => match Press::read(data, &question.place, context.seal) {
            Ok(press) => return doing.press(press),
            Err(_) => return Ok(notice(lang.stale_button(), lang)),
        },
        Command::Schedule(_) | Command::Timezone(_) | Command::Language(None) | Command::Style(None) => {
            return super::reply(question, context);
        }
        Command::Paper(_) | Command::Digest { .. } | Command::Search(_) | Command::Similar(_) | Command::Why(_) => {
            return super::reply(question, context);
        }
        Command::Try(_) | Command::Subscriptions | Command::Topics | Command::Saved(_) | Command::Top => {
            return super::reply(question, context);
        }
        Command::Evidence(_) | Command::Help | Command::About => return super::reply(question, context),
    };
    // A new language is answered in it.
    let lang = context
        .store
        .channel(&place)?
        .map_or(lang, |channel| channel.settings.language);
    Ok(Reply::Answer(Answer::new(said, lang)))
}

fn notice(text: &str, lang: Lang) -> Reply {
    Reply::Answer(Answer::sentence(text, lang).shown(Manner::Notice))
}

struct Doing<'a> {
    asked: Asked<'a>,
    question: &'a Question,
}

impl Doing<'_> {
    fn now(&self) -> DateTime<Utc> {
        self.asked.context.now
    }

    fn subscribe(&self, typed: &str) -> Result<Reply> {
        let (context, lang) = (self.asked.context, self.asked.lang);
        let item = match self.asked.item(typed) {
            Ok(item) => item,
            Err(refused) => return Ok(Reply::Answer(Answer::new(refused, lang))),
        };
        let name = self.asked.item_name(&item);
        // What is typed in a topic or thread is meant for it, not for the chat around it; it begins with that one's settings.
        let place = &self.question.place;
        let fresh = match &self.asked.channel {
            Some(around) => around.settings.clone(),
            None => crate::channel::Settings {
                language: lang,
                ..context.fresh.clone()
            },
        };
        let person = self.question.asker.as_deref();
        let followed = pipeline::follow(context.store, place, item.clone(), &fresh, person, self.now())?;
        let (channel, followed) = match followed {
            Ok(done) => done,
            Err(_) => return Ok(notice(&lang.too_many_rules(pipeline::MOST_FOLLOWED), lang)),
        };
        let head = match followed {
            Followed::New { .. } => lang.now_following(),
            Followed::Again => lang.following_again(),
            Followed::Already => lang.already_following(),
        };
        let mut blocks = vec![Block::Paragraph(vec![Span::Plain(head.to_owned()), Span::Code(name)])];
        if followed == (Followed::New { channel: true }) {
            let next = pipeline::upcoming(&channel, self.now(), 1)
                .first()
                .map(|at| self.asked.time(at));
            blocks.push(Block::Paragraph(plain(lang.first_digest(next.as_deref()))));
        }
        blocks.extend(self.asked.silent(&channel).map(|why| Block::Paragraph(plain(why))));
        Ok(self.with_trial(&item, blocks))
    }

    /// What was said of an item, with what it would have brought.
    fn with_trial(&self, item: &Item, head: Vec<Block>) -> Reply {
        match item.as_rule() {
            Some(rule) => Reply::Needs(Need::Trial { rule, head }),
            None => {
                let running_title = String::new();
                let message = Message {
                    running_title,
                    blocks: head,
                };
                Reply::Answer(Answer::new(message, self.asked.lang))
            }
        }
    }

    /// The mark of what the place follows under a number of the list, or as typed.
    fn which(&self, typed: &str) -> Option<u64> {
        let channel = self.asked.channel.as_ref()?;
        let all = pipeline::listed(channel);
        let number = super::number(typed).and_then(|n| usize::try_from(n).ok()?.checked_sub(1));
        if let Some(listed) = number.and_then(|at| all.get(at)) {
            return Some(listed.item.mark());
        }
        let folded = fold(typed.trim());
        let typed = self.asked.item(typed).ok();
        all.iter()
            .map(|listed| &listed.item)
            .find(|item| typed.as_ref() == Some(item) || fold(&item.text()) == folded)
            .map(Item::mark)
    }

    fn edit(&self, number: u32, typed: &str) -> Result<Reply> {
        let (context, lang) = (self.asked.context, self.asked.lang);
        let answer = |message| Ok(Reply::Answer(Answer::new(message, lang)));
        let item = match self.asked.item(typed) {
            Ok(item) => item,
            Err(refused) => return answer(refused),
        };
        let name = self.asked.item_name(&item);
        let number = number.to_string();
        let Some(mark) = self.which(&number) else {
            return answer(Message::sentence(lang.follows_no_such(&number)));
        };
        let swapped = pipeline::revise(context.store, &self.asked.place, mark, Revision::Swap(item.clone()))?;
        let Some((_, old)) = swapped else {
            return answer(Message::sentence(lang.follows_no_such(&number)));
        };
        let head = vec![Block::Paragraph(vec![
            Span::Plain(lang.now_following().to_owned()),
            Span::Code(name),
            Span::Plain(lang.instead_of().to_owned()),
            Span::Code(self.asked.item_name(&old)),
        ])];
        Ok(self.with_trial(&item, head))
    }

    fn unsubscribe(&self, typed: &str) -> Result<Message> {
        let (context, lang) = (self.asked.context, self.asked.lang);
        let dropped = match self.which(typed) {
            Some(mark) => pipeline::revise(context.store, &self.asked.place, mark, Revision::Drop)?,
            None => None,
        };
        Ok(match dropped {
            Some((_, item)) => Message::line(vec![
                Span::Plain(lang.no_longer_following().to_owned()),
                Span::Code(self.asked.item_name(&item)),
            ]),
            None => Message::sentence(lang.follows_no_such(&crate::message::ellipsis(typed, 80))),
        })
    }

    fn mention(&self, which: &str, whom: &str) -> Result<Message> {
        let (context, lang, place) = (self.asked.context, self.asked.lang, &self.asked.place);
        let who = Mention::parse(place.platform(), whom);
        if who.is_none() && !Mention::is_off(whom) {
            return Ok(Message::sentence(lang.which_mention(place.platform())));
        }
        let called = match self.which(which) {
            Some(mark) => pipeline::call(context.store, place, mark, who.clone())?,
            None => None,
        };
        let code = |item: &Item| Span::Code(self.asked.item_name(item));
        Ok(match (called, who) {
            (None, _) => Message::sentence(lang.follows_no_such(&crate::message::ellipsis(which, 80))),
            (Some(Err(_)), _) => Message::sentence(lang.too_many_mentions(pipeline::MOST_CALLS)),
            (Some(Ok(item)), None) => Message::line(vec![Span::Plain(lang.calls_nobody().to_owned()), code(&item)]),
            (Some(Ok(item)), Some(who)) => {
                let [calls, of] = lang.calls().map(|text| Span::Plain(text.to_owned()));
                Message::line(vec![calls, Span::Code(who.to_string()), of, code(&item)])
            }
        })
    }

    fn schedule(&self, typed: &str) -> Result<Message> {
        let lang = self.asked.lang;
        let place = &self.asked.place;
        if let Some(("missed", word)) = fold(typed).split_once(char::is_whitespace).map(|(a, b)| (a, b.trim())) {
            return match Missed::ALL.into_iter().find(|missed| missed.name() == word) {
                Some(missed) => self.set(place, Setting::Missed(missed)),
                None => {
                    let names = Missed::ALL.map(Missed::name);
                    Ok(Message::sentence(
                        lang.no_choice(&crate::message::ellipsis(word, 32), &names),
                    ))
                }
            };
        }
        match phrase::schedule(typed) {
            Ok(ScheduleChange::Show) => Ok(self.asked.schedule_message()),
            Ok(ScheduleChange::Off) => self.set(place, Setting::Schedule(None)),
            Ok(ScheduleChange::Posts { schedule, zone }) => {
                let zoned = match zone {
                    Some(zone) => self.set(place, Setting::Timezone(zone))?.blocks.into_iter().next(),
                    None => None,
                };
                let mut message = self.set(place, Setting::Schedule(Some(schedule)))?;
                // Whatever refuses the one refuses the other.
                let zoned = zoned.filter(|said| message.blocks.first() != Some(said));
                message.blocks.splice(0..0, zoned);
                Ok(message)
            }
            Ok(ScheduleChange::WeeklyOff) => self.set(place, Setting::Weekly(None)),
            Ok(ScheduleChange::Weekly { schedule, zone }) => {
                if let Some(zone) = zone {
                    self.set(place, Setting::Timezone(zone))?;
                }
                self.set(place, Setting::Weekly(Some(schedule)))
            }
            Err(error) => Ok(Message::sentence(error.of_schedule(lang))),
        }
    }

    fn pause(&self, place: &Place, typed: &str) -> Result<Message> {
        let lang = self.asked.lang;
        match phrase::until(typed, self.asked.zone(), self.now()) {
            Ok(until) => {
                let by = self.question.asker.clone().unwrap_or_default();
                self.set(place, Setting::Pause { until, by })
            }
            Err(error) => Ok(Message::sentence(error.of_pause(lang))),
        }
    }

    /// Makes a change and says what it replaced.
    fn set(&self, place: &Place, setting: Setting) -> Result<Message> {
        let changed = match pipeline::change(self.asked.context.store, place, setting, self.now())? {
            Ok(changed) => changed,
            Err(refused) => return Ok(Message::sentence(refused.says(self.asked.lang))),
        };
        let lang = changed.channel.settings.language;
        let said = self.asked.says(lang, &changed.channel, &changed.was, &changed.is);
        let mut blocks = vec![Block::Paragraph(plain(said))];
        if matches!(
            changed.is,
            Setting::Schedule(_) | Setting::Weekly(_) | Setting::Timezone(_)
        ) {
            blocks.extend(self.asked.next_times(&changed.channel, lang));
        }
        Ok(Message {
            running_title: String::new(),
            blocks,
        })
    }

    fn start(&self, place: &Place) -> Result<Reply> {
        let context = self.asked.context;
        if self.asked.channel.is_some() {
            if let Some(person) = &self.question.asker {
                pipeline::adopt_channel(context.store, place, person)?;
            }
            let resumed = pipeline::resume_channel(context.store, place, self.now())?;
            let anew = Asked::new(self.question, context)?;
            let mut message = anew.start();
            if resumed {
                message.blocks.extend(Message::sentence(anew.lang.resumed()).blocks);
            }
            return Ok(Reply::Answer(Answer::new(message, anew.lang)));
        }
        Ok(Reply::Answer(Answer::new(self.asked.start(), self.asked.lang)))
    }

    fn save(&self, paper: &PaperId) -> Result<Message> {
        let lang = self.asked.lang;
        let Some(person) = self.asked.person() else {
            return Ok(Message::sentence(lang.nobody()));
        };
        let saved = pipeline::save(self.asked.context.store, &person, paper, self.now())?;
        Ok(Message::sentence(lang.saved_or_removed(saved)))
    }

    /// The buttons below a paper show the counts; a digest shows them in its text, by an edit at its own pace.
    fn vote(&self, what: &Pointed, vote: Vote) -> Result<Answer> {
        let lang = self.asked.lang;
        let said = |text: String| Answer::sentence(text, lang).shown(Manner::Notice);
        let Some(paper) = self.asked.pointed(what, self.question.reply_to.as_deref())? else {
            return Ok(said(lang.stale_button().to_owned()));
        };
        let Some(person) = self.asked.person() else {
            return Ok(said(lang.nobody().to_owned()));
        };
        let voted = pipeline::vote(self.asked.context.store, &person, &paper, vote, self.now())?;
        let answer = said(lang.voted(voted.before, voted.after, voted.tally));
        // Whatever was sent as pressed there: a posted part keeps its buttons, by which it is looked for.
        let posted = match self.question.reply_to.as_deref() {
            Some(message) => self.asked.context.store.digest_of_message(&self.asked.place, message)?,
            None => None,
        };
        match what {
            Pointed::Here(_) => Ok(answer),
            Pointed::Entry(..) | Pointed::Paper(_) if posted.is_some() => Ok(answer),
            Pointed::Entry(..) | Pointed::Paper(_) => Ok(Answer {
                buttons: self.asked.paper_buttons(what, &paper)?,
                ..answer.shown(Manner::Buttons)
            }),
        }
    }

    fn press(&self, press: Press) -> Result<Reply> {
        let lang = self.asked.lang;
        let on = |pointed: &Pointed| self.asked.pointed(pointed, self.question.reply_to.as_deref());
        let stale = || Message::sentence(lang.stale_button());
        let said = match press {
            Press::Up(what) => return self.vote(&what, Vote::Up).map(Reply::Answer),
            Press::Down(what) => return self.vote(&what, Vote::Down).map(Reply::Answer),
            Press::Save(what) => on(&what)?.map_or_else(|| Ok(stale()), |paper| self.save(&paper))?,
            Press::Follow { change, which } => return self.follow(change, which),
            Press::Hold { action, digest } => return self.decide(action, &digest),
            Press::Evidence(_) | Press::Why(_) | Press::Similar(_) => {
                return super::reply(self.question, self.asked.context);
            }
            Press::Open(_) | Press::Page { .. } | Press::List(_) => {
                return super::reply(self.question, self.asked.context);
            }
        };
        Ok(Reply::Answer(Answer::new(said, lang).shown(Manner::Notice)))
    }

    /// Who has the button may decide: it was sent to them alone.
    fn decide(&self, action: HoldAction, digest: &DigestId) -> Result<Reply> {
        let Context {
            store, topics, render, ..
        } = *self.asked.context;
        let by = self.asked.person();
        let by = by.map_or_else(|| self.question.place.to_string(), |person| person.to_string());
        let outcome = pipeline::resolve(store, topics, render, digest, action, &by, self.now())?;
        let (message, lang) = pipeline::verdict_message(store, topics, digest, &outcome, None, self.asked.lang)?;
        let manner = match outcome {
            Resolution::Posted { .. } | Resolution::Dropped | Resolution::Already(_) => Manner::Replace,
            // Its buttons may still be of use.
            Resolution::NoChannel(_) | Resolution::Gone => Manner::Notice,
        };
        Ok(Reply::Answer(Answer::new(message, lang).shown(manner)))
    }

    fn follow(&self, change: Change, which: u64) -> Result<Reply> {
        let (context, lang) = (self.asked.context, self.asked.lang);
        let listed = |channel: &Channel| pipeline::listed(channel);
        let at = self.asked.channel.as_ref().and_then(|channel| {
            listed(channel)
                .iter()
                .position(|listed| listed.item.mark() == which)
                .map(|at| (at, channel.clone()))
        });
        let Some((at, channel)) = at else {
            return Ok(notice(lang.stale_button(), lang));
        };
        let revision = match change {
            Change::Pause => Revision::Rest,
            Change::Resume => Revision::Wake,
            Change::Remove => Revision::Drop,
            Change::Edit => {
                let text = listed(&channel)
                    .get(at)
                    .map(|listed| listed.item.text())
                    .unwrap_or_default();
                return Ok(notice(&lang.edit_how(at + 1, &text), lang));
            }
        };
        if pipeline::revise(context.store, &self.asked.place, which, revision)?.is_none() {
            return Ok(notice(lang.stale_button(), lang));
        }
        let anew = Asked::new(self.question, context)?;
        let page = u32::try_from(at / PER_PAGE).unwrap_or(0);
        Ok(Reply::Answer(anew.subscriptions(page).shown(Manner::Replace)))
    }
}

impl Asked<'_> {
    /// What somebody means that can be followed, a topic by its id or name, else a rule.
    pub(super) fn item(&self, typed: &str) -> std::result::Result<Item, Message> {
        let folded = fold(typed.trim());
        let named = |topic: &&Topic| {
            [topic.id.0.as_str(), &topic.name_zh, &topic.name_en]
                .iter()
                .any(|name| fold(name) == folded)
        };
        if let Some(topic) = self.context.topics.iter().find(named) {
            return Ok(Item::Topic(topic.id.clone()));
        }
        let rule = self.rule(typed)?;
        Ok(match rule.expr() {
            Expr::Term(Term::Topic(id)) => Item::Topic(id.clone()),
            Expr::Term(_) | Expr::And(_) | Expr::Or(_) | Expr::Not(_) => Item::Rule(rule),
        })
    }

    /// What was typed, as a rule over topics that exist; else what to say of it.
    fn rule(&self, typed: &str) -> std::result::Result<Rule, Message> {
        let known: Vec<TopicId> = self.context.topics.iter().map(|topic| topic.id.clone()).collect();
        let checked = Rule::parse(typed).and_then(|rule| rule.check_topics(&known).map(|()| rule));
        checked.map_err(|error| lines(error.lines(self.lang)))
    }

    /// What a setting was and is.
    fn says(&self, lang: Lang, channel: &Channel, was: &Setting, is: &Setting) -> String {
        let name = match is {
            Setting::Schedule(_) => lang.schedule_name(),
            Setting::Weekly(_) => lang.weekly_name(),
            Setting::Timezone(_) => lang.timezone_name(),
            Setting::Missed(_) => lang.missed_name(),
            Setting::Language(_) => lang.language_name(),
            Setting::Style(_) => lang.style_name(),
            Setting::Pause { until, .. } => {
                let time = |until: &Option<DateTime<Utc>>| {
                    until.map(|at| self.time(&at.with_timezone(&channel.settings.timezone)))
                };
                let now = lang.paused_until(time(until).as_deref());
                if let Setting::Pause { until: before, .. } = was
                    && before != until
                {
                    return format!("{now} {}", lang.pause_replaced(time(before).as_deref()));
                }
                return now;
            }
            Setting::Resume => {
                let next = pipeline::upcoming(channel, self.context.now, 1);
                let next = next.first().map(|at| self.time(at));
                return lang.pause_over(next.as_deref());
            }
        };
        lang.setting_changed(name, &value(was, lang), &value(is, lang))
    }
}

/// A setting's value for people.
fn value(setting: &Setting, lang: Lang) -> String {
    match setting {
        Setting::Schedule(Some(schedule)) | Setting::Weekly(Some(schedule)) => phrase::describe(schedule, lang),
        Setting::Schedule(None) | Setting::Weekly(None) => lang.schedule_off().to_owned(),
        Setting::Timezone(zone) => zone.name().to_owned(),
        Setting::Missed(missed) => missed.name().to_owned(),
        Setting::Language(language) => lang.name_of_language(*language).to_owned(),
        Setting::Style(style) => style.name().to_owned(),
        Setting::Pause { .. } | Setting::Resume => String::new(),
    }
}

pub(super) fn lines(lines: Vec<Line>) -> Message {
    Message {
        running_title: String::new(),
        blocks: lines.into_iter().map(Block::Paragraph).collect(),
    }
}

/// Which paper a query means, for commands that are about one.
impl Asked<'_> {
    pub(super) fn paper_of(
        &self,
        query: &PaperQuery,
        reply_to: Option<&str>,
    ) -> Result<std::result::Result<PaperId, Message>> {
        let digest = match query {
            PaperQuery::Id(id) => {
                return Ok(match self.context.store.paper(id)? {
                    Some(paper) => Ok(paper.id),
                    None => Err(Message::sentence(self.unknown(id))),
                });
            }
            PaperQuery::Number(n) => self.asked_digest(reply_to)?.map(|digest| (digest, *n)),
            PaperQuery::OfDay(day, n) => match self.of_day(*day)? {
                Some(digest) => Some((digest, *n)),
                None => return Ok(Err(self.none_on(*day)?)),
            },
        };
        Ok(match digest {
            Some((digest, n)) => match digest.entry(n) {
                Some(entry) => Ok(entry.paper.clone()),
                None => Err(self.no_entry(&digest, n)),
            },
            None => Err(Message::sentence(self.lang.no_digest_yet())),
        })
    }

    /// The paper that a button means.
    pub(super) fn pointed(&self, pointed: &Pointed, message: Option<&str>) -> Result<Option<PaperId>> {
        let store = self.context.store;
        match pointed {
            Pointed::Here(number) => {
                let digest = match message {
                    Some(message) => store.digest_of_message(&self.place, message)?,
                    None => None,
                };
                match digest {
                    Some(digest) => pipeline::paper_of(store, &digest, *number),
                    None => Ok(None),
                }
            }
            Pointed::Entry(digest, number) => pipeline::paper_of(store, digest, *number),
            Pointed::Paper(id) => Ok(store.paper(id)?.map(|paper| paper.id)),
        }
    }
}
