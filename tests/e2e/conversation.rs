//! A team runs the bot from its channel: the same conversation on Telegram in English and on Discord in Chinese, with the
//! whole program and the real clients between the chat and the store.

use std::path::Path;

use chrono::TimeDelta;
use paperwire::clock;
use paperwire_config::Config;
use paperwire_core::channel::Place;
use paperwire_core::command::TABLE;
use paperwire_core::locale::Lang;
use paperwire_core::store::{SledStore, Store as _, Write};
use serde_json::{Value, json};

use crate::fake::discord::{FakeDiscord, Reply, Who};
use crate::fake::telegram::FakeTelegram;
use crate::program::{Program, config, embed_titles, eventually, numbered, sample};

const GROUP: i64 = -100_123;
const OTHER: i64 = -100_456;
const CHANNEL: u64 = 123_456_789_012_345_678;
/// People on Telegram: one who manages the group, one who does not.
const ADA: i64 = 1_001;
const BEN: i64 = 1_002;
/// Manage Channels (Discord, “Permissions”).
const MANAGE_CHANNELS: u64 = 16;
/// The flag of a message for the asker alone (Discord, “Message Flags”).
const EPHEMERAL: u64 = 64;

/// Who talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Person {
    Manager,
    Member,
}

/// A chat on one of the platforms, as its people see it.
enum Chat<'a> {
    Telegram(&'a FakeTelegram),
    Discord(&'a FakeDiscord),
}

/// A message of the bot's.
#[derive(Debug, Clone)]
struct Said {
    text: String,
    /// What its buttons are called and carry.
    buttons: Vec<(String, String)>,
    /// The file beside it: name and text.
    file: Option<(String, String)>,
    id: Value,
}

impl Said {
    fn data(&self, label: &str) -> &str {
        let found = self.buttons.iter().find(|(called, _)| called.contains(label));
        &found.unwrap_or_else(|| panic!("no {label} below {self:?}")).1
    }
}

impl Person {
    fn on_telegram(self) -> Value {
        let id = match self {
            Self::Manager => ADA,
            Self::Member => BEN,
        };
        json!({"id": id, "is_bot": false, "first_name": "P", "language_code": "en"})
    }

    fn on_discord(self) -> Who {
        match self {
            Self::Manager => Who::Permitted(MANAGE_CHANNELS),
            Self::Member => Who::Member,
        }
    }
}

/// What Discord shows of a body, without its markup.
fn shown(body: &Value) -> Said {
    let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut text = part(&body["content"]);
    for embed in body["embeds"].as_array().into_iter().flatten() {
        text = format!("{text}\n{}\n{}", part(&embed["title"]), part(&embed["description"]));
    }
    let rows = body["components"].as_array().into_iter().flatten();
    let buttons = rows.flat_map(|row| row["components"].as_array().unwrap());
    let file = &body["files"][0];
    Said {
        text: text.replace(['\\', '`', '*'], ""),
        buttons: buttons
            .map(|button| (part(&button["label"]), part(&button["custom_id"])))
            .collect(),
        file: file.is_object().then(|| (part(&file["name"]), part(&file["text"]))),
        id: body["id"].clone(),
    }
}

fn on_telegram(fake: &FakeTelegram, id: i64) -> Said {
    let sent = fake.messages(GROUP).into_iter().find(|sent| sent.id == id).unwrap();
    let rows = sent.keyboard["inline_keyboard"].as_array().into_iter().flatten();
    let buttons = rows.flat_map(|row| row.as_array().unwrap());
    let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let file = &sent.request["document"];
    Said {
        text: sent.text,
        buttons: buttons
            .map(|button| (part(&button["text"]), part(&button["callback_data"])))
            .collect(),
        file: file.is_object().then(|| (part(&file["name"]), part(&file["text"]))),
        id: json!(id),
    }
}

/// The body of the answer to a slash command or a press, if it has one, and whether it takes the place of a message.
async fn answered(fake: &FakeDiscord, asked: &crate::fake::discord::Asked) -> (Value, bool) {
    let replies = fake.replies(asked, 1).await;
    let (reply, pressed) = match &replies[0] {
        Reply::Callback(5, _) => (fake.replies(asked, 2).await.remove(1), false),
        Reply::Callback(6, _) => (fake.replies(asked, 2).await.remove(1), true),
        reply => (reply.clone(), false),
    };
    match reply {
        Reply::Callback(kind, body) => (body, kind == 7),
        Reply::Edit(body) => (body, pressed),
        Reply::Followup(body) => (body, false),
    }
}

impl Chat<'_> {
    fn place(&self) -> Place {
        match self {
            Self::Telegram(_) => Place::telegram(GROUP, None),
            Self::Discord(_) => Place::discord(CHANNEL),
        }
    }

    /// Somebody types a command, and the bot answers with one message.
    async fn say(&self, person: Person, typed: &str) -> Said {
        self.say_at_once(person, &[typed]).await.remove(0)
    }

    /// Somebody types several without waiting for an answer.
    async fn say_at_once(&self, person: Person, typed: &[&str]) -> Vec<Said> {
        match self {
            Self::Telegram(fake) => {
                let before = fake.messages(GROUP).len();
                for text in typed {
                    fake.push_message(GROUP, json!({"from": person.on_telegram(), "text": text}));
                }
                let sent = fake.wait_for_messages(GROUP, before + typed.len()).await;
                sent[before..].iter().map(|sent| on_telegram(fake, sent.id)).collect()
            }
            Self::Discord(fake) => {
                let mut asked = Vec::new();
                for text in typed {
                    let (name, argument) = text[1..].split_once(' ').unwrap_or((&text[1..], ""));
                    let spec = TABLE.iter().find(|spec| spec.name == name).unwrap();
                    let options = spec.args.first().map(|arg| (arg.name, argument));
                    let options: Vec<_> = options.into_iter().filter(|(_, value)| !value.is_empty()).collect();
                    asked.push(fake.interact_as(CHANNEL, name, &options, person.on_discord()));
                }
                let mut said = Vec::new();
                for asked in &asked {
                    let (body, _) = answered(fake, asked).await;
                    let files = body["files"].clone();
                    let mut message = fake.posted(CHANNEL, &Reply::Followup(body));
                    message["files"] = files;
                    said.push(shown(&message));
                }
                said
            }
        }
    }

    /// Somebody presses a button, and hears something that nobody else does.
    async fn hears(&self, person: Person, on: &Said, data: &str) -> String {
        match self {
            Self::Telegram(fake) => {
                let above = json!({"message_id": on.id, "date": 0, "chat": {"id": GROUP, "type": "supergroup"}});
                let press = json!({"message": above, "data": data, "from": person.on_telegram()});
                fake.alert(&fake.push_press(press)).await
            }
            Self::Discord(fake) => {
                let message = self.stands(on);
                let asked = fake.press_as(CHANNEL, &message, data, person.on_discord());
                let (body, replaces) = answered(fake, &asked).await;
                let alone = body["flags"].as_u64().unwrap_or_default() & EPHEMERAL > 0;
                assert!(alone && !replaces, "{body}");
                shown(&body).text
            }
        }
    }

    /// Somebody presses a button, and the message becomes another.
    async fn turns(&self, person: Person, on: &Said, label: &str) -> Said {
        let data = on.data(label);
        match self {
            Self::Telegram(fake) => {
                let id = on.id.as_i64().unwrap();
                assert_eq!(self.hears(person, on, data).await, "");
                fake.wait_until("an edit", || on_telegram(fake, id).text != on.text)
                    .await;
                on_telegram(fake, id)
            }
            Self::Discord(fake) => {
                let message = self.stands(on);
                let asked = fake.press_as(CHANNEL, &message, data, person.on_discord());
                let (body, replaces) = answered(fake, &asked).await;
                assert!(replaces, "{body}");
                shown(&self.stands(on))
            }
        }
    }

    /// The message on Discord as it stands now.
    fn stands(&self, on: &Said) -> Value {
        let Self::Discord(fake) = self else {
            panic!("asked of Discord alone")
        };
        let found = fake
            .messages(CHANNEL)
            .into_iter()
            .find(|message| message["id"] == on.id);
        found.unwrap_or_else(|| panic!("no longer there: {on:?}"))
    }

    /// A button of `on` whose data nobody made is pressed below it.
    async fn forges(&self, on: &Said, data: &str) -> String {
        match self {
            Self::Telegram(_) => self.hears(Person::Manager, on, data).await,
            Self::Discord(fake) => {
                let button = json!({ "type": 2, "style": 2, "label": "x", "custom_id": data });
                let body = json!({ "content": "x", "components": [{ "type": 1, "components": [button] }] });
                let forged = shown(&fake.posted(CHANNEL, &Reply::Followup(body)));
                self.hears(Person::Manager, &forged, data).await
            }
        }
    }

    /// The numbered titles that were posted, the bot's answers left out, and the message of the first of them.
    fn digest(&self, before: usize) -> (Vec<(usize, String)>, Option<Said>) {
        match self {
            Self::Telegram(fake) => {
                let sent = &fake.messages(GROUP)[before..];
                let titles = numbered(sent.iter().map(|sent| sent.text.as_str()));
                (titles, sent.first().map(|sent| on_telegram(fake, sent.id)))
            }
            Self::Discord(fake) => {
                let messages = &fake.messages(CHANNEL)[before..];
                (embed_titles(messages), messages.first().map(shown))
            }
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::Telegram(fake) => fake.messages(GROUP).len(),
            Self::Discord(fake) => fake.messages(CHANNEL).len(),
        }
    }

    /// Somebody votes for the first paper below a posted part.
    async fn votes(&self, part: &Said) -> String {
        match self {
            Self::Discord(fake) if part.buttons.iter().any(|(_, data)| data == "u") => {
                let asked = fake.choose(CHANNEL, &self.stands(part), "u", "1");
                shown(&answered(fake, &asked).await.0).text
            }
            Self::Telegram(_) | Self::Discord(_) => self.hears(Person::Member, part, "u:1").await,
        }
    }
}

/// The channel was due ten days ago, and nobody was there since.
fn ten_days_pass(data: &Path, place: &Place) {
    let store = SledStore::open(&data.join("store")).unwrap();
    let mut channel = store.channel(place).unwrap().unwrap();
    assert!(channel.next_due.is_some_and(|due| due > clock::now()), "{channel:?}");
    channel.last_fired = Some(clock::now() - TimeDelta::days(11));
    channel.next_due = Some(clock::now() - TimeDelta::days(10));
    store.commit(vec![Write::Channel(Box::new(channel))]).unwrap();
    store.sync().unwrap();
}

/// That what was said has all of these in it.
fn has(said: &Said, parts: &[&str]) {
    for part in parts {
        assert!(said.text.contains(part.trim()), "no {part:?} in {}", said.text);
    }
}

/// A team's first days with the bot, in a place that the configuration does not know.
async fn first_days(chat: &Chat<'_>, lang: Lang, config: &Config, data: &Path) -> Program {
    let program = Program::start(config, data).await;
    if let Chat::Discord(fake) = chat {
        fake.ready().await;
    }
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    let (manager, member) = (Person::Manager, Person::Member);

    let tried = chat.say(member, "/subscribe test kv cache").await;
    has(&tried, &["HalfStep: Two-Bit KV Cache Quantization"]);
    has(&chat.say(member, "/subscriptions").await, &[lang.follows_nothing()]);
    let refused = chat.say(member, "/subscribe kv cache -survey").await;
    has(&refused, &[lang.managers_only()]);
    let made = chat.say(manager, "/subscribe kv cache -survey").await;
    let first = lang.first_digest(None);
    has(&made, &[lang.now_following(), "kv cache -survey", &first, "HalfStep"]);
    let zoned = chat.say(manager, "/timezone Berlin").await;
    has(
        &zoned,
        &[&lang.setting_changed(lang.timezone_name(), "UTC", "Europe/Berlin")],
    );
    let timed = chat.say(manager, "/schedule weekdays 9am").await;
    assert_eq!(timed.text.matches("09:00 (Europe/Berlin)").count(), 3, "{}", timed.text);

    let list = chat.say(member, "/subscriptions").await;
    let pause = list.data(lang.pause_button()).to_owned();
    let heard = chat.hears(member, &list, &pause).await;
    assert_eq!(heard.trim(), lang.managers_only());
    let rests = chat.turns(manager, &list, lang.pause_button()).await;
    has(&rests, &[lang.resting_mark()]);
    let goes_on = chat.turns(manager, &rests, lang.resume_button()).await;
    assert!(!goes_on.text.contains(lang.resting_mark()), "{}", goes_on.text);
    // The same button with another seal.
    let (named, seal) = pause.rsplit_once(':').unwrap();
    let forged = format!("{named}:{}", seal.chars().rev().collect::<String>());
    assert_eq!(chat.forges(&goes_on, &forged).await.trim(), lang.stale_button());
    has(&chat.say(member, "/subscriptions").await, &["kv cache -survey"]);

    // Two at once: each hears what was replaced, and the later one stays.
    let both = chat.say_at_once(manager, &["/style full", "/style titles"]).await;
    let changed = |was, is| lang.setting_changed(lang.style_name(), was, is);
    let orders = [
        [changed("compact", "full"), changed("full", "titles")],
        [changed("titles", "full"), changed("compact", "titles")],
    ];
    let heard = [both[0].text.trim(), both[1].text.trim()];
    let last = orders
        .iter()
        .position(|order| order.each_ref().map(String::as_str) == heard);
    let last = ["titles", "full"][last.unwrap_or_else(|| panic!("{heard:?}"))];
    has(&chat.say(manager, "/style compact").await, &[&changed(last, "compact")]);

    program.ingest("mailing_next.txt", &sample("mailing_next.txt")).await;
    program.stop().await;
    let before = chat.count();
    ten_days_pass(data, &chat.place());
    let program = Program::start(config, data).await;
    program.delivered().await;
    eventually("the digest", || async { (chat.count() > before).then_some(()) }).await;
    program.delivered().await;
    let (titles, part) = chat.digest(before);
    assert!(
        titles.iter().any(|(_, title)| title.starts_with("HalfStep")) && titles.len() > 2,
        "{titles:?}"
    );
    if let Chat::Discord(fake) = chat {
        eventually("the second session", || async {
            (fake.registrations().len() == 2).then_some(())
        })
        .await;
    }

    let voted = chat.votes(&part.unwrap()).await;
    assert!(voted.contains("👍 1"), "{voted}");
    let (_, first) = &titles[0];
    let opened = chat.say(member, "/paper 1").await;
    has(&opened, &[first]);
    assert!(opened.buttons.iter().any(|(label, _)| label == "👍 1"), "{opened:?}");
    let why = chat.say(member, "/why 1").await;
    has(&why, &[first, lang.why_rule(), "kv cache -survey"]);

    let query = "quantization OR decoding OR cache";
    let found = eventually("everything to be found", || async {
        let found = chat.say(member, &format!("/search {query}")).await;
        let whole = !["search index", "搜索索引"]
            .iter()
            .any(|note| found.text.contains(note));
        (whole && found.buttons.iter().any(|(label, _)| label == "▶")).then_some(found)
    })
    .await;
    has(&found, &[&lang.search_title(query)]);
    let second = chat.turns(member, &found, "▶").await;
    assert!(second.buttons.iter().any(|(label, _)| label == "6"), "{second:?}");
    let again = chat.turns(member, &second, "◀").await;
    assert_eq!(again.text, found.text);
    let near = chat.say(member, "/similar 1").await;
    has(&near, &[first.split(':').next().unwrap()]);
    let opens = near.buttons.iter().filter(|(_, data)| data.starts_with("o:")).count();
    assert_eq!(opens, 5, "{near:?}");

    has(&chat.say(member, "/save 1").await, &[lang.saved_or_removed(true)]);
    let export = match chat {
        Chat::Telegram(_) => "/saved export bibtex",
        // There the format is chosen.
        Chat::Discord(_) => "/saved bibtex",
    };
    let (name, text) = chat.say(member, export).await.file.expect("a file");
    assert!(
        name.ends_with(".bib") && text.contains(first.split([' ', ':']).next().unwrap()),
        "{name}: {text}"
    );

    let until = if lang == Lang::Zh {
        "/pause 周一"
    } else {
        "/pause until monday"
    };
    has(&chat.say(manager, until).await, &["00:00 (Europe/Berlin)", "/resume"]);
    has(
        &chat.say(member, "/topics").await,
        &["00:00 (Europe/Berlin)", "/resume"],
    );
    has(&chat.say(member, "/resume").await, &[lang.managers_only()]);
    let resumed = chat.say(manager, "/resume").await;
    has(
        &resumed,
        &[
            "09:00 (Europe/Berlin)",
            lang.pause_over(None).trim_end_matches(['.', '。']),
        ],
    );
    program
}

fn patient(config: Config) -> Config {
    let mut config = config;
    config.access.questions_per_minute = 10_000;
    config
}

#[tokio::test]
async fn a_group_on_telegram_is_run_from_its_chat() {
    let data = tempfile::tempdir().unwrap();
    let fake = FakeTelegram::start(&[GROUP]).await;
    fake.rank(GROUP, ADA, "administrator");
    fake.rank(GROUP, BEN, "member");
    let config = patient(config(Some(&fake), None, ""));
    let program = first_days(&Chat::Telegram(&fake), Lang::En, &config, data.path()).await;

    let from = Person::Member.on_telegram();
    let query = json!({"id": "77", "from": from, "query": "title:\"kv cache\"", "offset": "", "chat_type": "sender"});
    fake.push_update(json!({ "inline_query": query }));
    fake.wait_until("an answer to the search", || {
        !fake.calls("answerInlineQuery").is_empty()
    })
    .await;
    let answer = fake.calls("answerInlineQuery").remove(0);
    let titles: Vec<&str> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["title"].as_str().unwrap())
        .collect();
    assert_eq!(answer["inline_query_id"], "77");
    assert!(titles.iter().any(|title| title.starts_with("HalfStep")), "{titles:?}");
    program.stop().await;
}

#[tokio::test]
async fn a_channel_on_discord_is_run_from_itself() {
    let data = tempfile::tempdir().unwrap();
    let fake = FakeDiscord::start().await;
    let config = patient(config(None, Some(&fake), ""));
    let program = first_days(&Chat::Discord(&fake), Lang::Zh, &config, data.path()).await;

    let choices = |command: &'static str, argument: &'static str, typed: &'static str| {
        let fake = &fake;
        async move {
            let typing = fake.typing(CHANNEL, command, argument, typed);
            match fake.replies(&typing, 1).await.remove(0) {
                Reply::Callback(8, body) => body["choices"].clone(),
                other => panic!("{other:?}"),
            }
        }
    };
    let papers = choices("paper", "which", "half").await;
    assert!(papers[0]["name"].as_str().unwrap().contains("HalfStep"), "{papers}");
    assert!(papers[0]["value"].as_str().unwrap().parse::<u32>().is_ok(), "{papers}");
    let rules = choices("unsubscribe", "which", "kv").await;
    assert_eq!(rules, json!([{ "name": "1. kv cache -survey", "value": "1" }]));
    assert!(
        choices("timezone", "zone", "shang")
            .await
            .to_string()
            .contains("Asia/Shanghai")
    );
    assert!(
        choices("subscribe", "rule", "infer")
            .await
            .to_string()
            .contains("inference")
    );
    program.stop().await;
    fake.left().await;
}

#[tokio::test]
async fn who_asks_too_fast_is_told_once_and_then_not_heard_while_others_are() {
    let data = tempfile::tempdir().unwrap();
    let fake = FakeTelegram::start(&[GROUP]).await;
    let mut config = config(Some(&fake), None, "");
    config.access.questions_per_minute = 2;
    let program = Program::start(&config, data.path()).await;
    for _ in 0..6 {
        fake.push_message(
            GROUP,
            json!({"from": Person::Manager.on_telegram(), "text": "/subscriptions"}),
        );
    }
    fake.push_message(GROUP, json!({"from": Person::Member.on_telegram(), "text": "/top"}));
    let said: Vec<String> = fake
        .wait_for_messages(GROUP, 4)
        .await
        .into_iter()
        .map(|sent| sent.text)
        .collect();
    program.stop().await;
    let lang = Lang::En;
    let (answer, warning) = (lang.follows_nothing(), lang.too_fast(2));
    assert_eq!(said[..3], [answer, answer, warning.as_str()]);
    assert!(!said[3].contains(&warning), "{said:?}");
    assert_eq!(fake.messages(GROUP).len(), 4);
}

#[tokio::test]
async fn where_the_bot_is_not_to_be_nobody_is_answered() {
    let data = tempfile::tempdir().unwrap();
    let telegram = FakeTelegram::start(&[GROUP, OTHER]).await;
    let discord = FakeDiscord::start().await;
    let mut config = config(Some(&telegram), Some(&discord), "");
    config.access.deny = vec![Place::telegram(GROUP, None), Place::discord(CHANNEL)];
    let program = Program::start(&config, data.path()).await;
    discord.ready().await;
    telegram.push_text(GROUP, "ada", "/help");
    telegram.push_text(OTHER, "ada", "/help");
    telegram.wait_for_messages(OTHER, 1).await;
    // Discord insists on an answer: the asker alone hears why there is none.
    let asked = discord.interact_as(
        CHANNEL,
        "subscribe",
        &[("rule", "kv cache")],
        Who::Permitted(MANAGE_CHANNELS),
    );
    let (body, _) = answered(&discord, &asked).await;
    assert_eq!(shown(&body).text.trim(), Lang::Zh.not_served());
    assert_eq!(body["flags"].as_u64().unwrap() & EPHEMERAL, EPHEMERAL);
    let typing = discord.typing(CHANNEL, "timezone", "zone", "berlin");
    assert_eq!(
        discord.replies(&typing, 1).await,
        [Reply::Callback(8, json!({ "choices": [] }))]
    );
    program.stop().await;
    discord.left().await;
    assert!(telegram.messages(GROUP).is_empty(), "{:?}", telegram.messages(GROUP));
    let store = SledStore::open(&data.path().join("store")).unwrap();
    assert_eq!(store.channel(&Place::discord(CHANNEL)), Ok(None));
}
