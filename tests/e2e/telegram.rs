//! The Telegram adapter against the fake Bot API: through teloxide's client for what comes in, through the sender for
//! what goes out.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use paperwire::app::App;
use paperwire::desk::{Choice, Desk, Found, Inline, Typing};
use paperwire::messenger::Messenger as _;
use paperwire::telegram::markup::render;
use paperwire::telegram::sender::Sender;
use paperwire::telegram::updates::{Settings, UnknownToken, run};
use paperwire_core::channel::Place;
use paperwire_core::command::press::Button;
use paperwire_core::command::{Answer, Attachment, Command, Manner, Permission, Question, Standing, TABLE};
use paperwire_core::delivery::{Looked, Missing, SendError, Tag};
use paperwire_core::locale::Lang;
use paperwire_core::message::{Block, Entry, Message, Part, plain};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::fake::telegram::{FakeTelegram, Fault, TOKEN};
use crate::program::{Program, channel, config, sample};

const CHAT: i64 = -100_123;
const OTHER: i64 = 77;
/// A chat that counts its messages for itself.
const GROUP: i64 = -1_001_234_567_890;

/// Says back what was asked, and keeps it. `/digest` is answered only with a permit.
struct Echo {
    asked: Mutex<Vec<Question>>,
    moved: Mutex<Vec<(Place, Place)>>,
    slow: Semaphore,
}

impl Echo {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            asked: Mutex::default(),
            moved: Mutex::default(),
            slow: Semaphore::new(0),
        })
    }
}

impl Desk for Echo {
    fn answer(&self, question: Question) -> BoxFuture<'_, Answer> {
        async move {
            if matches!(question.command, Ok(Command::Digest { .. })) {
                self.slow.acquire().await.unwrap().forget();
            }
            let message = match &question.command {
                Ok(Command::Topics) => Message {
                    running_title: "Topics".into(),
                    blocks: (0..3)
                        .map(|n| Block::Paragraph(plain(format!("{n}{}", "x".repeat(3_000)))))
                        .collect(),
                },
                command => Message::sentence(format!("{command:?}")),
            };
            let lang = question.fallback_lang;
            self.asked.lock().unwrap().push(question);
            Answer::new(message, lang)
        }
        .boxed()
    }

    fn suggest(&self, _: Typing) -> BoxFuture<'_, Vec<Choice>> {
        Box::pin(std::future::ready(Vec::new()))
    }

    fn inline(&self, _: Inline) -> BoxFuture<'_, (Vec<Found>, Option<u32>)> {
        Box::pin(std::future::ready((Vec::new(), None)))
    }

    fn serves(&self, _: &Place) -> bool {
        true
    }

    fn moved(&self, from: Place, to: Place) -> BoxFuture<'_, ()> {
        async move { self.moved.lock().unwrap().push((from, to)) }.boxed()
    }
}

fn http() -> reqwest::Client {
    paperwire::http::client().unwrap()
}

fn sender(url: &str, token: &str) -> Sender {
    Sender::new(http(), url.parse().unwrap(), token.into()).unwrap()
}

/// A running bot.
struct Bot {
    stop: CancellationToken,
    task: JoinHandle<Result<(), UnknownToken>>,
}

impl Bot {
    fn start<D: Desk + 'static>(fake: &FakeTelegram, desk: &Arc<D>) -> Self {
        let settings = Settings {
            first_pause: Duration::from_millis(20),
            conflict_pause: Duration::from_millis(50),
            ..Settings::default()
        };
        let stop = CancellationToken::new();
        let sender = Arc::new(sender(fake.url(), TOKEN));
        let desk: Arc<dyn Desk> = desk.clone();
        let task = tokio::spawn(run(settings, desk, sender, stop.clone()));
        Self { stop, task }
    }

    async fn stop(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(20), self.task).await;
        ended.expect("a stop is quick").unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_command_that_names_the_bot_is_answered_in_the_group_and_another_bots_is_not() {
    let fake = FakeTelegram::start(&[CHAT]).await;
    let desk = Echo::new();
    let bot = Bot::start(&fake, &desk);
    fake.push_text(CHAT, "ada", "/paper@other_bot 3");
    fake.push_text(CHAT, "ada", "what a paper");
    let asked = fake.push_text(CHAT, "ada", "/paper@Paperwire_Bot 4");
    let sent = fake.wait_for_messages(CHAT, 1).await;
    bot.stop().await;
    assert_eq!(sent[0].text, "Ok(Paper(Number(4)))");
    assert_eq!(
        sent[0].request["reply_parameters"],
        json!({"message_id": asked, "allow_sending_without_reply": true})
    );
    assert_eq!(fake.messages(CHAT).len(), 1);
}

#[tokio::test]
async fn a_command_in_a_topic_is_answered_in_that_topic_all_parts_in_order() {
    let fake = FakeTelegram::start(&[CHAT]).await;
    let desk = Echo::new();
    let bot = Bot::start(&fake, &desk);
    fake.push_text_in_topic(CHAT, 9, "ada", "/topics");
    let sent = fake.wait_for_messages(CHAT, 3).await;
    bot.stop().await;
    let heads: Vec<&str> = sent.iter().map(|m| m.text.lines().next().unwrap()).collect();
    assert_eq!(heads, ["Topics 1/3", "Topics 2/3", "Topics 3/3"]);
    assert!(sent.iter().all(|m| m.thread == Some(9)));
    let question = desk.asked.lock().unwrap()[0].clone();
    assert_eq!(question.place, Place::telegram(CHAT, Some(9)));
    assert_eq!(question.reply_to, None);
}

#[tokio::test]
async fn a_slow_answer_holds_up_its_own_chat_and_no_other() {
    let fake = FakeTelegram::start(&[CHAT, OTHER]).await;
    let desk = Echo::new();
    let bot = Bot::start(&fake, &desk);
    fake.push_text(CHAT, "ada", "/digest");
    fake.push_text(CHAT, "ada", "/help");
    fake.push_text(OTHER, "bob", "/help");
    fake.wait_for_messages(OTHER, 1).await;
    assert_eq!(fake.messages(CHAT).len(), 0);
    desk.slow.add_permits(1);
    let sent = fake.wait_for_messages(CHAT, 2).await;
    bot.stop().await;
    assert!(
        sent[0].text.contains("Digest") && sent[1].text.contains("Help"),
        "{sent:?}"
    );
}

#[tokio::test]
async fn a_channels_post_is_answered_and_updates_that_nobody_knows_are_passed_over() {
    let fake = FakeTelegram::start(&[CHAT]).await;
    let desk = Echo::new();
    let bot = Bot::start(&fake, &desk);
    fake.push_update(json!({"telepathy": {"from": 1}}));
    fake.push_update(json!({"message": {"no": "message"}}));
    fake.push_update(json!({"edited_message": {"message_id": 1, "chat": {"id": CHAT}, "text": "/start"}}));
    let chat = json!({"id": CHAT, "type": "channel"});
    fake.push_update(json!({"channel_post": {"message_id": 5, "chat": chat, "text": "/help"}}));
    let sent = fake.wait_for_messages(CHAT, 1).await;
    bot.stop().await;
    assert_eq!(sent[0].text, "Ok(Help)");
    assert_eq!(fake.unconfirmed(), 0);
}

#[tokio::test]
async fn a_group_that_became_a_supergroup_is_followed() {
    let fake = FakeTelegram::start(&[CHAT]).await;
    let desk = Echo::new();
    let bot = Bot::start(&fake, &desk);
    fake.push_message(-5, json!({"migrate_to_chat_id": CHAT}));
    fake.push_text(CHAT, "ada", "/help");
    fake.wait_for_messages(CHAT, 1).await;
    bot.stop().await;
    let expected = (Place::telegram(-5, None), Place::telegram(CHAT, None));
    assert_eq!(*desk.moved.lock().unwrap(), [expected]);
}

#[tokio::test]
async fn a_stop_finishes_the_answer_under_way_and_a_restart_does_not_answer_again() {
    let fake = FakeTelegram::start(&[CHAT]).await;
    let desk = Echo::new();
    // The poll that would confirm the question never reaches Telegram.
    fake.script("getUpdates", [Fault::Pass, Fault::Hang]);
    fake.push_text(CHAT, "ada", "/digest");
    let bot = Bot::start(&fake, &desk);
    fake.wait_until("the second poll", || fake.calls("getUpdates").len() == 2)
        .await;
    bot.stop.cancel();
    desk.slow.add_permits(1);
    bot.stop().await;
    assert_eq!(fake.messages(CHAT).len(), 1, "finished before the end");
    assert_eq!(fake.unconfirmed(), 0);

    let again = Bot::start(&fake, &desk);
    fake.push_text(CHAT, "ada", "/help");
    let sent = fake.wait_for_messages(CHAT, 2).await;
    again.stop().await;
    assert_eq!(sent[1].text, "Ok(Help)");
}

#[tokio::test]
async fn two_copies_disturb_each_other_until_one_stops_and_the_other_recovers() {
    let fake = FakeTelegram::start(&[CHAT]).await;
    let desk = Echo::new();
    let (first, second) = (Bot::start(&fake, &desk), Bot::start(&fake, &desk));
    fake.wait_until("a conflict on either side", || fake.conflicts() >= 4)
        .await;
    first.stop().await;
    fake.push_text(CHAT, "ada", "/help");
    fake.wait_for_messages(CHAT, 1).await;
    second.stop().await;
    assert_eq!(fake.messages(CHAT).len(), 1);
}

#[tokio::test]
async fn a_webhook_that_was_left_behind_is_removed() {
    let fake = FakeTelegram::start(&[CHAT]).await;
    fake.set_webhook();
    // The first attempt to remove it fails, so that polling meets it.
    fake.script("deleteWebhook", [Fault::refuse(400, "Bad Request: try later")]);
    let desk = Echo::new();
    let bot = Bot::start(&fake, &desk);
    fake.push_text(CHAT, "ada", "/help");
    fake.wait_for_messages(CHAT, 1).await;
    bot.stop().await;
}

#[tokio::test]
async fn every_menu_is_set_in_both_languages_and_one_that_fails_keeps_no_other_from_it() {
    let fake = FakeTelegram::start(&[]).await;
    fake.script("setMyCommands", [Fault::refuse(500, "Internal Server Error")]);
    let failed = sender(fake.url(), TOKEN).set_my_commands().await.unwrap_err();
    let calls = fake.calls("setMyCommands");
    assert_eq!((failed.len(), calls.len()), (1, 8));
    let menu = |scope: &str, lang: Option<&str>| {
        let found = calls.iter().find(|call| {
            let language = call.get("language_code").and_then(Value::as_str);
            call["scope"]["type"] == scope && language == lang
        });
        let commands = found.unwrap()["commands"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let named = commands
            .iter()
            .map(|one| (text(&one["command"]), text(&one["description"])));
        named.collect::<Vec<_>>()
    };
    for (lang, code) in [(Lang::En, None), (Lang::Zh, Some("zh"))] {
        let spec = |everybody: bool| {
            let specs = TABLE
                .iter()
                .filter(move |spec| !everybody || spec.permission == Permission::Everyone);
            let named = specs.map(|spec| (spec.name.to_owned(), lang.pick(spec.zh, spec.en).to_owned()));
            named.collect::<Vec<_>>()
        };
        for scope in ["all_private_chats", "all_chat_administrators"] {
            assert_eq!(menu(scope, code), spec(false), "{scope}");
        }
        for scope in ["all_group_chats", "default"] {
            assert_eq!(menu(scope, code), spec(true), "{scope}");
        }
    }
}

#[tokio::test]
async fn an_answer_waits_as_long_as_telegram_asks_and_follows_a_group_that_moves() {
    let fake = FakeTelegram::start(&[CHAT]).await;
    let moved = json!({ "migrate_to_chat_id": CHAT });
    fake.script(
        "sendMessage",
        [
            Fault::flood(1),
            Fault::Refuse(400, "Bad Request: group chat was upgraded to a supergroup chat", moved),
        ],
    );
    let sender = sender(fake.url(), TOKEN);
    let ids = sender
        .answer(&Place::telegram(-5, None), 3, &Answer::sentence("hi", Lang::En))
        .await;
    assert_eq!(ids, Ok(vec!["101".to_owned()]));
    assert_eq!(fake.messages(CHAT)[0].text, "hi");
}

#[tokio::test]
async fn an_answer_that_may_have_arrived_or_would_come_too_late_is_not_sent_again() {
    let fake = FakeTelegram::start(&[CHAT]).await;
    fake.script("sendMessage", [Fault::AcceptAndClose, Fault::flood(3_600)]);
    let sender = sender(fake.url(), TOKEN);
    for _ in 0..2 {
        let answered = sender
            .answer(&Place::telegram(CHAT, None), 3, &Answer::sentence("hi", Lang::En))
            .await;
        assert!(answered.is_err(), "{answered:?}");
    }
    assert_eq!(fake.calls("sendMessage").len(), 2);
}

/// The variant's name and the number or text that matters in it.
fn class(error: &SendError) -> String {
    match error {
        SendError::RateLimited { retry_after, .. } => format!("RateLimited {}", retry_after.as_secs()),
        SendError::Moved { to } => format!("Moved {to}"),
        SendError::Gone { reason } => format!("Gone {reason}"),
        SendError::Rejected { reason } => format!("Rejected {reason}"),
        SendError::Unreachable { .. } => "Unreachable".into(),
        SendError::Uncertain { .. } => "Uncertain".into(),
        SendError::Unauthorized { .. } => "Unauthorized".into(),
    }
}

#[tokio::test]
async fn every_way_in_which_sending_can_fail_has_its_class() {
    let fake = FakeTelegram::start(&[CHAT]).await;
    let moved = json!({"migrate_to_chat_id": -1_009});
    let html = "<html>Not found: /bot4242424242:AAFakeFakeFakeFakeFakeFakeFakeFake-_/sendMessage</html>";
    let table = [
        (Fault::flood(17), "RateLimited 17"),
        (Fault::refuse(429, "Too Many Requests"), "RateLimited 30"),
        (Fault::Raw(429, "slow down"), "RateLimited 30"),
        (
            Fault::Refuse(400, "Bad Request: group chat was upgraded to a supergroup chat", moved),
            "Moved telegram:-1009",
        ),
        (
            Fault::refuse(403, "Forbidden: bot was blocked by the user"),
            "Gone Forbidden: bot was blocked by the user",
        ),
        (
            Fault::refuse(403, "Forbidden: bot was kicked from the supergroup chat"),
            "Gone Forbidden: bot was kicked from the supergroup chat",
        ),
        (
            Fault::refuse(400, "Bad Request: not enough rights to send text messages to the chat"),
            "Gone Bad Request: not enough rights to send text messages to the chat",
        ),
        (
            Fault::refuse(400, "Bad Request: CHAT_WRITE_FORBIDDEN"),
            "Gone Bad Request: CHAT_WRITE_FORBIDDEN",
        ),
        (
            Fault::refuse(400, "Bad Request: message thread not found"),
            "Gone Bad Request: message thread not found",
        ),
        (
            Fault::refuse(400, "Bad Request: TOPIC_CLOSED"),
            "Gone Bad Request: TOPIC_CLOSED",
        ),
        (
            Fault::refuse(400, "Bad Request: message text is empty"),
            "Rejected Bad Request: message text is empty",
        ),
        (
            Fault::refuse(413, "Request Entity Too Large"),
            "Rejected Request Entity Too Large",
        ),
        (Fault::refuse(401, "Unauthorized"), "Unauthorized"),
        (Fault::refuse(500, "Internal Server Error"), "Unreachable"),
        (Fault::Raw(502, html), "Unreachable"),
        (Fault::Raw(404, html), "Unreachable"),
        (Fault::Raw(302, ""), "Unreachable"),
        (Fault::Hang, "Uncertain"),
        (Fault::AcceptAndHang, "Uncertain"),
        (Fault::Close, "Uncertain"),
        (Fault::AcceptAndClose, "Uncertain"),
        (Fault::AcceptAndCloseHalfway, "Uncertain"),
        (Fault::AcceptAndBabble, "Uncertain"),
    ];
    let sender = |milliseconds| {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_millis(milliseconds))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Sender::new(http, fake.url().parse().unwrap(), TOKEN.into()).unwrap()
    };
    let (hasty, sender) = (sender(500), sender(20_000));
    let place = Place::telegram(CHAT, None);
    let [part] = render(&Message::sentence("hello")).try_into().unwrap();
    for (fault, expected) in table {
        fake.script("sendMessage", [fault.clone()]);
        let hangs = matches!(fault, Fault::Hang | Fault::AcceptAndHang);
        let sender = if hangs { &hasty } else { &sender };
        let error = sender.send(&place, &part, &Tag::only("key")).await.outcome.unwrap_err();
        assert_eq!(class(&error), expected, "{fault:?}");
        assert!(!format!("{error} {error:?}").contains("AAFake"), "{error}");
    }
    let unknown = Place::telegram(-1, None);
    let error = sender
        .send(&unknown, &part, &Tag::only("key"))
        .await
        .outcome
        .unwrap_err();
    assert_eq!(class(&error), "Gone Bad Request: chat not found");
    let before = fake.messages(CHAT).len();
    assert_eq!(before, 4, "what was taken without an answer");
    let id = sender.send(&place, &part, &Tag::only("key")).await.outcome;
    assert_eq!(id, Ok((100 + 1 + i64::try_from(before).unwrap()).to_string()));
}

#[tokio::test]
async fn a_server_that_is_not_there_was_certainly_not_reached_and_the_token_stays_hidden() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let sender = sender(&url, TOKEN);
    let [part] = render(&Message::sentence("hello")).try_into().unwrap();
    let error = sender
        .send(&Place::telegram(CHAT, None), &part, &Tag::only("key"))
        .await
        .outcome
        .unwrap_err();
    assert_eq!(class(&error), "Unreachable");
    let me = sender.get_me().await.unwrap_err();
    let shown = format!("{error} {error:?} {me} {me:?} {sender:?}");
    assert!(shown.contains("refused") && !shown.contains("AAFake"), "{shown}");
}

#[tokio::test]
async fn a_wrong_token_keeps_the_delivery_and_says_what_to_do() {
    let fake = FakeTelegram::start(&[CHAT]).await;
    for token in ["4242424242:AARevoked", "no-token"] {
        let [part] = render(&Message::sentence("hello")).try_into().unwrap();
        let error = sender(fake.url(), token)
            .send(&Place::telegram(CHAT, None), &part, &Tag::only("key"))
            .await
            .outcome
            .unwrap_err();
        assert_eq!(class(&error), "Unauthorized");
        assert!(error.to_string().contains("@BotFather"), "{error}");
        assert!(!error.to_string().contains(token), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_token_ends_the_program_which_says_which_one_it_is_and_does_not_show_it() {
    let fake = FakeTelegram::start(&[CHAT]).await;
    for token in ["4242424242:AARevoked", "no-token"] {
        let data = tempfile::tempdir().unwrap();
        let mut config = config(Some(&fake), None, &channel(&format!("telegram:{CHAT}")));
        config.telegram.token = Some(token.into());
        let app = App::build(&config, data.path().to_owned()).await.unwrap();
        let ended = app.run_until(CancellationToken::new());
        let ended = tokio::time::timeout(Duration::from_secs(20), ended).await;
        let said = format!("{:#}", ended.expect("it ends by itself").unwrap_err());
        assert!(said.contains("telegram.token") && !said.contains(token), "{said}");
    }
}

#[tokio::test]
async fn a_token_that_is_revoked_while_the_bot_runs_ends_it() {
    let fake = FakeTelegram::start(&[CHAT]).await;
    fake.script("getUpdates", [Fault::Pass, Fault::refuse(401, "Unauthorized")]);
    let bot = Bot::start(&fake, &Echo::new());
    fake.push_text(CHAT, "ada", "/help");
    assert_eq!(bot.task.await.unwrap(), Err(UnknownToken));
}

#[tokio::test]
async fn what_the_renderer_makes_of_a_large_message_is_what_telegram_takes() {
    let fake = FakeTelegram::start(&[CHAT]).await;
    let sender = sender(fake.url(), TOKEN);
    let message = Message {
        running_title: "𝛼 <b>title</b>".into(),
        blocks: (0..60)
            .map(|n| Block::Heading(format!(" {n} 👩‍👩‍👧‍👦 {}", "שלום ".repeat(40))))
            .collect(),
    };
    let parts = render(&message);
    for part in &parts {
        sender
            .send(&Place::telegram(CHAT, None), part, &Tag::only("key"))
            .await
            .outcome
            .unwrap();
    }
    let sent = fake.messages(CHAT);
    assert!(sent.len() > 1 && sent.len() == parts.len(), "{}", sent.len());
    assert!(sent[1].request["disable_notification"].as_bool().unwrap());
}

fn part(text: &str) -> Part {
    let [part] = render(&Message::sentence(text)).try_into().unwrap();
    part
}

fn tag(number: u32) -> Tag {
    Tag {
        number,
        of: 3,
        ..Tag::only(format!("e73aa823d3ca36bd56f2{number:02}"))
    }
}

fn missing(number: u32, known: &[i64]) -> Missing {
    Missing {
        tag: tag(number),
        first_sent: "2025-10-10T09:00:00Z".parse().unwrap(),
        after: None,
        known: known.iter().map(ToString::to_string).collect(),
    }
}

/// A digest of which the first part is posted and the second is in doubt.
struct Doubt {
    fake: FakeTelegram,
    sender: Sender,
    place: Place,
    first: i64,
}

impl Doubt {
    async fn new(chat: i64) -> Self {
        let fake = FakeTelegram::start(&[chat]).await;
        let sender = sender(fake.url(), TOKEN);
        let place = Place::telegram(chat, None);
        let first = sender.send(&place, &part("one"), &tag(1)).await.outcome.unwrap();
        Self {
            fake,
            sender,
            place,
            first: first.parse().unwrap(),
        }
    }

    async fn second(&self, fault: Fault) {
        self.fake.script("sendMessage", [fault]);
        let error = self.send_second().await.unwrap_err();
        assert_eq!(class(&error), "Uncertain");
    }

    async fn send_second(&self) -> Result<String, SendError> {
        self.sender.send(&self.place, &part("two"), &tag(2)).await.outcome
    }

    async fn look(&self) -> Looked {
        let missing = missing(2, &[self.first]);
        self.sender.look(&self.place, &part("two"), &missing).await
    }

    async fn answer(&self) -> i64 {
        let ids = self
            .sender
            .answer(&self.place, 1, &Answer::sentence("hi", Lang::En))
            .await
            .unwrap();
        ids[0].parse().unwrap()
    }
}

#[tokio::test]
async fn a_part_whose_answer_was_lost_is_found_among_other_peoples_messages() {
    let doubt = Doubt::new(GROUP).await;
    let (before, asked) = (doubt.fake.post(GROUP), doubt.fake.push_text(GROUP, "ada", "hm"));
    doubt.second(Fault::AcceptAndClose).await;
    doubt.fake.post(GROUP);
    let looks = doubt.fake.messages(GROUP);
    let there = looks[1].id;
    assert_eq!(doubt.look().await, Looked::There(there.to_string()));
    // The last one is put back as it was, once its text has been seen.
    assert_eq!(doubt.fake.probes(GROUP), [before, asked, there, there]);
    let after = doubt.fake.messages(GROUP);
    assert_eq!(after.len(), 2, "nothing was sent again");
    assert_eq!(after[1].keyboard, looks[1].keyboard);
}

#[tokio::test]
async fn a_part_that_is_not_there_is_sent_again_and_found_from_then_on() {
    let doubt = Doubt::new(GROUP).await;
    doubt.fake.post(GROUP);
    doubt.second(Fault::Close).await;
    assert_eq!(doubt.look().await, Looked::NotThere);
    let again = doubt.send_second().await.unwrap();
    assert_eq!(doubt.look().await, Looked::There(again));
    assert_eq!(doubt.fake.messages(GROUP).len(), 2);
}

#[tokio::test]
async fn a_part_sent_as_plain_text_is_found_just_as_well() {
    let doubt = Doubt::new(GROUP).await;
    doubt.fake.script("sendMessage", [Fault::AcceptAndClose]);
    let plain = doubt.sender.plain(&part("two"));
    let sent = doubt.sender.send(&doubt.place, &plain, &tag(2)).await.outcome;
    assert_eq!(class(&sent.unwrap_err()), "Uncertain");
    assert!(matches!(doubt.look().await, Looked::There(_)));
}

#[tokio::test]
async fn the_bots_own_messages_that_are_known_are_never_probed() {
    let doubt = Doubt::new(GROUP).await;
    let answered = doubt.answer().await;
    let third = doubt.sender.send(&doubt.place, &part("three"), &tag(3)).await.outcome;
    let third: i64 = third.unwrap().parse().unwrap();
    let looks = doubt.fake.messages(GROUP);
    let later = doubt.answer().await;
    doubt.second(Fault::AcceptAndClose).await;
    let there = doubt.fake.messages(GROUP).last().unwrap().id;
    let missing = missing(2, &[third, doubt.first]);
    let found = doubt.sender.look(&doubt.place, &part("two"), &missing).await;
    assert_eq!(found, Looked::There(there.to_string()));
    let probes = doubt.fake.probes(GROUP);
    assert_eq!(probes, [there, there], "not {answered}, {third} or {later}");
    let keyboards = |messages: &[crate::fake::telegram::Sent]| -> Vec<_> {
        messages.iter().take(3).map(|sent| sent.keyboard.clone()).collect()
    };
    assert_eq!(keyboards(&doubt.fake.messages(GROUP)), keyboards(&looks));
}

#[tokio::test]
async fn an_answer_that_is_hit_unexpectedly_keeps_its_looks_and_is_not_taken_for_the_part() {
    let doubt = Doubt::new(GROUP).await;
    let answered = doubt.answer().await;
    doubt.second(Fault::Close).await;
    // After a restart nobody knows of the answer any more. Taking the keyboard away fails at first.
    let restarted = sender(doubt.fake.url(), TOKEN);
    doubt
        .fake
        .script("editMessageReplyMarkup", [Fault::Pass, Fault::flood(3)]);
    let look = || async {
        let missing = missing(2, &[doubt.first]);
        restarted.look(&doubt.place, &part("two"), &missing).await
    };
    match look().await {
        Looked::Failed(error) => assert_eq!(class(&error), "RateLimited 3"),
        other => panic!("{other:?}"),
    }
    assert_eq!(look().await, Looked::NotThere);
    assert!(
        doubt
            .fake
            .messages(GROUP)
            .iter()
            .any(|sent| sent.id == answered && sent.keyboard.is_null())
    );
}

#[tokio::test]
async fn looking_ends_after_so_many_messages_or_so_many_ids_without_any() {
    let doubt = Doubt::new(GROUP).await;
    for _ in 0..3 {
        doubt.fake.post(GROUP);
    }
    assert_eq!(doubt.look().await, Looked::NotThere);
    assert_eq!(doubt.fake.probes(GROUP).len(), 3 + 10);
    for _ in 3..50 {
        doubt.fake.post(GROUP);
    }
    assert_eq!(
        doubt.look().await,
        Looked::Undecidable("too many messages since".into())
    );
    assert_eq!(doubt.fake.probes(GROUP).len(), 13 + 40);
}

#[tokio::test]
async fn where_people_are_hidden_from_the_bot_a_part_is_found_behind_them_but_never_declared_absent() {
    let doubt = Doubt::new(GROUP).await;
    doubt.fake.hide_people();
    for _ in 0..20 {
        doubt.fake.post(GROUP);
    }
    match doubt.look().await {
        Looked::Undecidable(reason) => assert!(reason.contains("administrator"), "{reason}"),
        other => panic!("{other:?}"),
    }
    doubt.second(Fault::AcceptAndCloseHalfway).await;
    assert!(matches!(doubt.look().await, Looked::There(_)));
}

#[tokio::test]
async fn a_chat_that_shares_its_counter_or_in_which_nothing_is_known_cannot_be_decided_and_is_not_probed() {
    for chat in [OTHER, -5, CHAT] {
        let doubt = Doubt::new(chat).await;
        doubt.second(Fault::AcceptAndClose).await;
        match doubt.look().await {
            Looked::Undecidable(reason) => assert!(reason.contains("together"), "{reason}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(doubt.fake.calls("editMessageReplyMarkup").len(), 0);
    }
    let doubt = Doubt::new(GROUP).await;
    let found = doubt.sender.look(&doubt.place, &part("two"), &missing(2, &[])).await;
    let expected = "no earlier message of the bot is known there";
    assert_eq!(found, Looked::Undecidable(expected.into()));
}

#[tokio::test]
async fn trouble_while_looking_is_reported_and_decides_nothing() {
    let doubt = Doubt::new(GROUP).await;
    let kicked = "Forbidden: bot was kicked from the supergroup chat";
    for (fault, expected) in [
        (Fault::flood(7), "RateLimited 7"),
        (Fault::refuse(500, "Internal Server Error"), "Unreachable"),
        (Fault::Raw(502, "<html>"), "Unreachable"),
        (Fault::Close, "Unreachable"),
        (
            Fault::refuse(403, kicked),
            "Gone Forbidden: bot was kicked from the supergroup chat",
        ),
        (
            Fault::refuse(400, "Bad Request: chat not found"),
            "Gone Bad Request: chat not found",
        ),
        (Fault::refuse(401, "Unauthorized"), "Unauthorized"),
    ] {
        doubt.fake.script("editMessageReplyMarkup", [Fault::Pass, fault]);
        match doubt.look().await {
            Looked::Failed(error) => assert_eq!(class(&error), expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    let unheard_of = Fault::refuse(400, "Bad Request: MESSAGE_ENCHANTED");
    doubt.fake.script("editMessageReplyMarkup", [unheard_of]);
    let expected = "Bad Request: MESSAGE_ENCHANTED";
    assert_eq!(doubt.look().await, Looked::Undecidable(expected.into()));
    let invalid = Fault::refuse(400, "Bad Request: MESSAGE_ID_INVALID");
    doubt.fake.script("editMessageReplyMarkup", vec![invalid; 10]);
    assert_eq!(doubt.look().await, Looked::NotThere);
}

#[tokio::test]
async fn an_edit_changes_the_posted_message_once_and_keeps_its_button() {
    let doubt = Doubt::new(GROUP).await;
    let (id, button) = (doubt.first.to_string(), doubt.fake.messages(GROUP)[0].keyboard.clone());
    let edit = |id: String, text: &'static str| {
        let doubt = &doubt;
        async move { doubt.sender.edit(&doubt.place, &id, &part(text), &tag(1)).await.outcome }
    };
    for _ in 0..2 {
        assert_eq!(edit(id.clone(), "withdrawn").await, Ok(id.clone()));
    }
    let posted = doubt.fake.messages(GROUP);
    assert_eq!((posted.len(), posted[0].text.as_str()), (1, "withdrawn"));
    assert_eq!(posted[0].keyboard, button);
    let foreign = doubt.fake.post(GROUP);
    for (id, said) in [
        (foreign.to_string(), "Rejected Bad Request: message can't be edited"),
        ("9999".to_owned(), "Rejected Bad Request: message to edit not found"),
        ("x".to_owned(), "Rejected “x” is no message on Telegram"),
    ] {
        assert_eq!(class(&edit(id, "withdrawn").await.unwrap_err()), said);
    }
    // Whether it arrived makes no difference: it can be repeated.
    doubt.fake.script("editMessageText", [Fault::AcceptAndClose]);
    assert_eq!(class(&edit(id.clone(), "again").await.unwrap_err()), "Unreachable");
    assert_eq!(edit(id.clone(), "again").await, Ok(id));
}

#[tokio::test]
async fn only_deliveries_pay_for_speed_and_only_they_have_a_button() {
    let fake = FakeTelegram::start(&[GROUP]).await;
    let place = Place::telegram(GROUP, None);
    for paid in [true, false] {
        let sender = sender(fake.url(), TOKEN).paid_broadcast(paid);
        sender.send(&place, &part("one"), &tag(1)).await.outcome.unwrap();
        sender
            .answer(&place, 1, &Answer::sentence("hi", Lang::En))
            .await
            .unwrap();
        let sent = fake.messages(GROUP);
        let [delivery, answer] = &sent[sent.len() - 2..] else {
            panic!("{sent:?}")
        };
        assert_eq!(
            delivery.request.get("allow_paid_broadcast"),
            paid.then_some(&json!(true))
        );
        assert_eq!(delivery.keyboard["inline_keyboard"][0][0]["text"], "ⓘ 1/3");
        assert_eq!(answer.request.get("allow_paid_broadcast"), None);
        assert!(answer.keyboard.is_null());
    }
}

#[tokio::test]
async fn a_pressed_button_tells_which_digest_it_is_in_the_channels_language_and_a_foreign_one_is_answered_too() {
    const FORUM: i64 = -1_009_876_543_210;
    let data = tempfile::tempdir().unwrap();
    let fake = FakeTelegram::start(&[GROUP, FORUM]).await;
    let channels = format!(
        "{}language = \"zh\"\n{}",
        channel(&format!("telegram:{GROUP}")),
        channel(&format!("telegram:{FORUM}/7"))
    );
    let program = Program::start(&config(Some(&fake), None, &channels), data.path()).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    program.post(&[]).await;
    program.delivered().await;
    let papers = program.titles().await.len();
    for (chat, lang) in [(GROUP, Lang::Zh), (FORUM, Lang::En)] {
        let posted = fake.messages(chat).remove(0);
        let (title, _) = posted.text.split_once(" 1/").unwrap();
        let told = fake.alert(&fake.press(chat, posted.id)).await;
        assert_eq!(told, lang.about_digest(title, papers));
        assert!(told.contains("/paper"), "{told}");
    }
    let (unknown, unused) = (Lang::En.unknown_button(), Lang::En.unused_button());
    for (query, expected) in [
        (json!({"data": "somebody else's", "from": {"id": 7}}), unused),
        (
            json!({"data": "p:gone", "from": {"id": 7}, "message": {"message_id": 1, "date": 0, "chat": {"id": -1}}}),
            unknown,
        ),
        (
            json!({"data": "p:gone", "from": {"id": 7}, "inline_message_id": "AA"}),
            unknown,
        ),
        (json!({"message": 3}), unused),
    ] {
        assert_eq!(fake.alert(&fake.push_press(query)).await, expected);
    }
    let asked_for = &fake.calls("getUpdates")[0]["allowed_updates"];
    assert!(asked_for.as_array().unwrap().contains(&json!("callback_query")));
    program.stop().await;
}

/// Answers as the test says, and keeps what it was asked.
struct Script {
    asked: Mutex<Vec<Question>>,
    answer: fn(&Question) -> Answer,
    found: Vec<Found>,
    typed: Mutex<Vec<Inline>>,
    /// Only this chat, if any.
    only: Option<i64>,
}

impl Script {
    fn new(answer: fn(&Question) -> Answer) -> Self {
        Self {
            asked: Mutex::default(),
            answer,
            found: Vec::new(),
            typed: Mutex::default(),
            only: None,
        }
    }

    fn standings(&self) -> Vec<Standing> {
        self.asked.lock().unwrap().iter().map(|asked| asked.standing).collect()
    }
}

impl Desk for Script {
    fn answer(&self, question: Question) -> BoxFuture<'_, Answer> {
        let answer = (self.answer)(&question);
        self.asked.lock().unwrap().push(question);
        Box::pin(std::future::ready(answer))
    }

    fn suggest(&self, _: Typing) -> BoxFuture<'_, Vec<Choice>> {
        Box::pin(std::future::ready(Vec::new()))
    }

    fn inline(&self, inline: Inline) -> BoxFuture<'_, (Vec<Found>, Option<u32>)> {
        let next = inline.skip + 20;
        self.typed.lock().unwrap().push(inline);
        Box::pin(std::future::ready((self.found.clone(), Some(next))))
    }

    fn serves(&self, place: &Place) -> bool {
        self.only.is_none_or(|chat| place.chat() == chat.to_string())
    }

    fn moved(&self, _: Place, _: Place) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }
}

fn buttons(data: &[&str]) -> Vec<Vec<Button>> {
    let button = |data: &&str| Button {
        label: (*data).to_owned(),
        data: (*data).to_owned(),
    };
    vec![data.iter().map(button).collect()]
}

/// A list of two pages, and what the other buttons below it bring.
fn pages(question: &Question) -> Answer {
    let lang = Lang::En;
    let page = |text: &str, data: &[&str]| Answer {
        buttons: buttons(data),
        ..Answer::sentence(text, lang)
    };
    match &question.command {
        Ok(Command::Press(data)) => match data.as_str() {
            "next" => page("page two", &["back", "next"]).shown(Manner::Replace),
            "back" => page("page one", &["next"]).shown(Manner::Replace),
            "open" => Answer::sentence("a paper", lang),
            "vote" => Answer::sentence("noted", lang).shown(Manner::Notice),
            "count" => page("noted", &["count", "next"]).shown(Manner::Buttons),
            "essay" => Answer::sentence("word ".repeat(100), lang).shown(Manner::Notice),
            _ => Answer::sentence("unheard", lang).shown(Manner::Silent),
        },
        Ok(Command::Subscriptions) => page("page one", &["next", "open", "vote", "essay", "nothing", "count"]),
        _ => Answer::sentence("unheard", lang).shown(Manner::Silent),
    }
}

#[tokio::test]
async fn a_pressed_button_turns_the_page_of_the_message_that_it_stands_below() {
    let fake = FakeTelegram::start(&[GROUP]).await;
    let desk = Arc::new(Script::new(pages));
    let bot = Bot::start(&fake, &desk);
    fake.push_text_in_topic(GROUP, 9, "ada", "/subscriptions");
    let list = fake.wait_for_messages(GROUP, 1).await.remove(0);
    assert_eq!(list.data(), ["next", "open", "vote", "essay", "nothing", "count"]);
    let shows = |text: &str| fake.messages(GROUP)[0].text == text;
    for (button, text) in [("next", "page two"), ("back", "page one"), ("next", "page two")] {
        let query = fake.press_on(GROUP, list.id, button);
        assert_eq!(fake.alert(&query).await, "");
        fake.wait_until(text, || shows(text)).await;
    }
    assert_eq!(fake.messages(GROUP)[0].data(), ["back", "next"]);
    // Twice the same is no failure, and makes no message.
    fake.press_on(GROUP, list.id, "next");
    fake.wait_until("the same again", || fake.calls("editMessageText").len() == 4)
        .await;
    bot.stop().await;
    assert_eq!(fake.messages(GROUP).len(), 1);
    let asked = desk.asked.lock().unwrap();
    let pressed = asked.last().unwrap();
    assert_eq!(pressed.place, Place::telegram(GROUP, Some(9)));
    assert_eq!(pressed.reply_to, Some(list.id.to_string()));
    assert_eq!(pressed.asker.as_deref(), Some("1001"));
}

#[tokio::test]
async fn a_vote_below_an_answer_shows_the_counts_on_its_buttons_and_nothing_else_changes() {
    let fake = FakeTelegram::start(&[GROUP]).await;
    let desk = Arc::new(Script::new(pages));
    let bot = Bot::start(&fake, &desk);
    fake.push_text(GROUP, "ada", "/subscriptions");
    let list = fake.wait_for_messages(GROUP, 1).await.remove(0);
    let query = fake.press_on(GROUP, list.id, "count");
    assert_eq!(fake.alert(&query).await, "noted");
    let shown = || fake.messages(GROUP)[0].data() == ["count", "next"];
    fake.wait_until("the new buttons", shown).await;
    bot.stop().await;
    let now = fake.messages(GROUP);
    assert_eq!((now.len(), now[0].text.as_str()), (1, "page one"));
}

#[tokio::test]
async fn where_a_message_can_no_longer_be_changed_the_next_page_is_a_new_one() {
    let fake = FakeTelegram::start(&[GROUP]).await;
    let desk = Arc::new(Script::new(pages));
    let bot = Bot::start(&fake, &desk);
    let foreign = fake.post(GROUP);
    // Bot API, InaccessibleMessage: no text, and no date.
    let above = json!({"message_id": foreign, "date": 0, "chat": {"id": GROUP, "type": "supergroup"}});
    let query = fake.push_press(json!({"data": "next", "message": above, "from": {"id": 7}}));
    let sent = fake.wait_for_messages(GROUP, 1).await.remove(0);
    assert_eq!(fake.alert(&query).await, "");
    bot.stop().await;
    assert_eq!(
        (sent.text.as_str(), sent.data()),
        ("page two", vec!["back".into(), "next".into()])
    );
    assert_eq!(sent.request["reply_parameters"]["message_id"], foreign);
}

#[tokio::test]
async fn a_press_is_answered_with_a_message_a_word_a_window_or_nothing_as_the_answer_wants() {
    let fake = FakeTelegram::start(&[GROUP]).await;
    let desk = Arc::new(Script::new(pages));
    let bot = Bot::start(&fake, &desk);
    fake.push_text(GROUP, "ada", "/help");
    fake.push_text(GROUP, "ada", "/subscriptions");
    let list = fake.wait_for_messages(GROUP, 1).await.remove(0);
    assert_eq!(list.text, "page one", "what is silent is not said");
    let mut told = Vec::new();
    for button in ["vote", "essay", "nothing", "open"] {
        let text = fake.alert(&fake.press_on(GROUP, list.id, button)).await;
        let window = fake
            .calls("answerCallbackQuery")
            .last()
            .unwrap()
            .get("show_alert")
            .is_some();
        told.push((text.chars().count(), window));
    }
    let essay = fake.calls("answerCallbackQuery")[1]["text"].clone();
    let opened = fake.wait_for_messages(GROUP, 2).await.remove(1);
    bot.stop().await;
    assert_eq!([told[0], told[2], told[3]], [(5, false), (0, false), (0, false)]);
    assert!(told[1].1 && essay.as_str().unwrap().ends_with('…'), "{told:?} {essay}");
    assert_eq!(opened.text, "a paper");
    assert_eq!(opened.request["reply_parameters"]["message_id"], list.id);
}

#[tokio::test]
async fn who_may_change_a_setting_is_known_for_every_kind_of_chat_and_writer() {
    const ANONYMOUS: i64 = 1_087_968_824;
    let fake = FakeTelegram::start(&[GROUP, OTHER]).await;
    let desk = Arc::new(Script::new(|_| Answer::sentence("done", Lang::En)));
    let bot = Bot::start(&fake, &desk);
    let (ada, bob, eve, who) = (1001, 1002, 1003, 1004);
    fake.rank(GROUP, ada, "creator");
    fake.rank(GROUP, bob, "member");
    fake.rank(GROUP, eve, "administrator");
    let ask = async |chat: i64, fields: Value| {
        let before = desk.standings().len();
        fake.push_message(chat, fields);
        crate::program::eventually("the question", async || desk.standings().get(before).copied()).await
    };
    let from = |person: i64| json!({"from": {"id": person}, "text": "/pause"});
    for (person, standing) in [
        (ada, Standing::Manager),
        (bob, Standing::Member),
        (who, Standing::Unknown),
        (ada, Standing::Manager),
        (bob, Standing::Member),
    ] {
        assert_eq!(ask(GROUP, from(person)).await, standing, "{person}");
    }
    assert_eq!(fake.calls("getChatMember").len(), 3, "what is known is not asked again");
    let anonymous = json!({"from": {"id": ANONYMOUS, "is_bot": true}, "sender_chat": {"id": GROUP}, "text": "/pause"});
    assert_eq!(ask(GROUP, anonymous).await, Standing::Manager);
    assert_eq!(ask(OTHER, from(bob)).await, Standing::Manager, "in private");
    fake.script("getChatMember", [Fault::flood(9)]);
    assert_eq!(ask(GROUP, from(eve)).await, Standing::Unknown);
    assert_eq!(
        ask(GROUP, from(eve)).await,
        Standing::Manager,
        "silence is not remembered"
    );
    let everybody = json!({"from": {"id": 2000}, "text": "/subscriptions"});
    assert_eq!(ask(GROUP, everybody).await, Standing::Member);
    bot.stop().await;
    assert_eq!(fake.calls("getChatMember").len(), 5);
}

#[tokio::test]
async fn while_telegram_does_not_say_who_manages_a_chat_only_that_chat_waits() {
    let fake = FakeTelegram::start(&[GROUP, OTHER]).await;
    fake.script("getChatMember", [Fault::Hang]);
    let desk = Arc::new(Script::new(|_| Answer::sentence("done", Lang::En)));
    let bot = Bot::start(&fake, &desk);
    fake.push_text(GROUP, "ada", "/pause");
    fake.wait_until("a question about ada", || fake.calls("getChatMember").len() == 1)
        .await;
    fake.push_text(OTHER, "bob", "/pause");
    fake.wait_for_messages(OTHER, 1).await;
    assert_eq!(desk.standings(), [Standing::Manager]);
    // Nobody waits for Telegram for ever.
    fake.wait_for_messages(GROUP, 1).await;
    bot.stop().await;
    assert_eq!(desk.standings(), [Standing::Manager, Standing::Unknown]);
}

#[tokio::test]
async fn presses_and_searches_wait_for_no_answer_in_any_chat() {
    let chats: Vec<i64> = (1..=40).collect();
    let fake = FakeTelegram::start(&chats).await;
    let desk = Echo::new();
    let bot = Bot::start(&fake, &desk);
    for &chat in &chats {
        fake.push_text(chat, "ada", "/digest");
    }
    let above = json!({"message_id": 1, "date": 0, "chat": {"id": 1, "type": "private"}});
    let query = fake.push_press(json!({"data": "p:key", "message": above, "from": {"id": 1001}}));
    assert_eq!(fake.alert(&query).await, "Ok(About)");
    fake.push_update(json!({"inline_query": {"id": "5", "from": {"id": 1001}, "query": "", "offset": ""}}));
    fake.wait_until("a search", || fake.calls("answerInlineQuery").len() == 1)
        .await;
    assert!(chats.iter().all(|&chat| fake.messages(chat).is_empty()));
    desk.slow.add_permits(chats.len());
    bot.stop().await;
    assert!(chats.iter().all(|&chat| fake.messages(chat).len() == 1));
}

#[tokio::test]
async fn where_the_bot_does_not_serve_nobody_is_answered() {
    let fake = FakeTelegram::start(&[GROUP, OTHER]).await;
    let desk = Arc::new(Script {
        only: Some(OTHER),
        ..Script::new(|_| Answer::sentence("done", Lang::En))
    });
    let bot = Bot::start(&fake, &desk);
    fake.push_text(GROUP, "ada", "/help");
    let above = json!({"message_id": 1, "date": 0, "chat": {"id": GROUP, "type": "supergroup"}});
    fake.push_press(json!({"data": "u:1", "message": above, "from": {"id": 1001}}));
    fake.push_update(json!({"inline_query": {"id": "5", "from": {"id": 1001}, "query": "x", "offset": ""}}));
    fake.push_update(json!({"inline_query": {"id": "6", "from": {"id": OTHER}, "query": "x", "offset": ""}}));
    fake.push_text(OTHER, "bob", "/help");
    fake.wait_for_messages(OTHER, 1).await;
    bot.stop().await;
    assert_eq!(desk.asked.lock().unwrap().len(), 1);
    assert_eq!(desk.typed.lock().unwrap().len(), 1);
    assert!(fake.messages(GROUP).is_empty() && fake.calls("answerCallbackQuery").is_empty());
}

#[tokio::test]
async fn an_inline_search_shows_papers_that_can_be_posted_anywhere_and_further_ones_on_demand() {
    let fake = FakeTelegram::start(&[]).await;
    let paper = |n: u32| Found {
        id: format!("arxiv:2510.0000{n}"),
        title: format!("Paper {n} <b>@everyone</b>"),
        description: "MIT".to_owned(),
        url: Some(format!("https://arxiv.org/abs/2510.0000{n}")),
        message: Message {
            running_title: "Paper".to_owned(),
            blocks: vec![Block::Entry(Entry {
                title: format!("Paper {n} by @somebody"),
                quote: Some("An abstract. ".repeat(1_000)),
                ..Entry::default()
            })],
        },
    };
    let desk = Arc::new(Script {
        found: vec![paper(1), paper(2)],
        ..Script::new(|_| Answer::sentence("", Lang::En))
    });
    let bot = Bot::start(&fake, &desk);
    let mut asked_for = Vec::new();
    for (n, offset) in (1..).zip(["", "20"]) {
        let query =
            json!({"id": n.to_string(), "from": {"id": 7, "language_code": "zh"}, "query": "cache", "offset": offset});
        fake.push_update(json!({ "inline_query": query }));
        fake.wait_until("results", || fake.calls("answerInlineQuery").len() == n)
            .await;
        asked_for.push(desk.typed.lock().unwrap().last().unwrap().clone());
    }
    bot.stop().await;
    let inline = |skip| Inline {
        asker: "7".to_owned(),
        words: "cache".to_owned(),
        skip,
        lang: Lang::Zh,
    };
    assert_eq!(asked_for, [inline(0), inline(20)]);
    let answers = fake.calls("answerInlineQuery");
    let first = &answers[0];
    assert_eq!(
        (&first["inline_query_id"], &first["next_offset"]),
        (&json!("1"), &json!("20"))
    );
    assert_eq!(
        (&first["is_personal"], &first["cache_time"]),
        (&json!(true), &json!(30))
    );
    assert_eq!(answers[1]["next_offset"], "40");
    let posted = first["results"][0]["input_message_content"]["message_text"]
        .as_str()
        .unwrap();
    assert!(
        posted.starts_with("Paper 1 by @\u{2060}somebody\n") && posted.ends_with('…'),
        "{posted}"
    );
    assert_eq!(first["results"].as_array().unwrap().len(), 2);
    let polled = &fake.calls("getUpdates")[0]["allowed_updates"];
    assert!(polled.as_array().unwrap().contains(&json!("inline_query")));
}

#[tokio::test]
async fn a_file_comes_with_the_answer_below_it_or_behind_it_if_that_is_long() {
    fn file(question: &Question) -> Answer {
        let text = match &question.command {
            Ok(Command::Saved(_)) => "Your list as BibTeX".to_owned(),
            _ => "word ".repeat(300),
        };
        Answer {
            buttons: buttons(&["again"]),
            file: Some(Attachment {
                name: "papers.bib".to_owned(),
                mime: "application/x-bibtex",
                bytes: "@article{a, title={缓存}}".as_bytes().to_vec(),
            }),
            ..Answer::sentence(text, Lang::En)
        }
    }
    let fake = FakeTelegram::start(&[GROUP]).await;
    // What is not taken for now is sent once more, whole.
    fake.script("sendDocument", [Fault::flood(0)]);
    let desk = Arc::new(Script::new(file));
    let bot = Bot::start(&fake, &desk);
    let asked = fake.push_text_in_topic(GROUP, 9, "ada", "/saved bibtex");
    fake.push_text(GROUP, "ada", "/help");
    let sent = fake.wait_for_messages(GROUP, 3).await;
    bot.stop().await;
    let document = json!({"name": "papers.bib", "mime": "application/x-bibtex", "text": "@article{a, title={缓存}}"});
    let shown: Vec<(Option<&str>, Vec<String>, &Value)> = sent
        .iter()
        .map(|sent| (sent.text.get(..8), sent.data(), &sent.request["document"]))
        .collect();
    assert_eq!(
        shown,
        [
            (Some("Your lis"), vec!["again".to_owned()], &document),
            (Some("word wor"), vec!["again".to_owned()], &Value::Null),
            (None, vec![], &document),
        ]
    );
    assert_eq!(sent[0].thread, Some(9));
    assert_eq!(sent[0].request["reply_parameters"]["message_id"], asked);
}

/// A part with two papers, which can be voted on.
fn papers() -> Part {
    let entry = |number| {
        Block::Entry(Entry {
            number: Some(number),
            title: format!("Paper {number}"),
            ..Entry::default()
        })
    };
    let message = Message {
        running_title: "Caching".to_owned(),
        blocks: vec![Block::Heading("Caching".to_owned()), entry(1), entry(2)],
    };
    let [part] = render(&message).try_into().unwrap();
    part
}

#[tokio::test]
async fn a_part_with_votes_is_sent_looked_for_and_edited_with_one_and_the_same_keyboard() {
    let doubt = Doubt::new(GROUP).await;
    doubt.fake.script("sendMessage", [Fault::AcceptAndClose]);
    let sent = doubt.sender.send(&doubt.place, &papers(), &tag(2)).await.outcome;
    assert_eq!(class(&sent.unwrap_err()), "Uncertain");
    let posted = || doubt.fake.messages(GROUP).pop().unwrap();
    let (there, keyboard) = (posted().id, posted().keyboard);
    assert_eq!(
        posted().data(),
        ["u:1", "d:1", "s:1", "u:2", "d:2", "s:2", "p:e73aa823d3ca36bd56f202"]
    );
    let missing = missing(2, &[doubt.first]);
    let found = doubt.sender.look(&doubt.place, &papers(), &missing).await;
    assert_eq!(found, Looked::There(there.to_string()));
    // Telegram refused the first attempt, as it does for the very same keyboard.
    assert_eq!(doubt.fake.probes(GROUP), [there, there]);
    assert_eq!(posted().keyboard, keyboard);
    let edited = doubt
        .sender
        .edit(&doubt.place, &there.to_string(), &papers(), &tag(2))
        .await;
    assert_eq!(edited.outcome, Ok(there.to_string()));
    assert_eq!(posted().keyboard, keyboard);
}

/// The same two papers with abstracts, as a long message.
fn long() -> Part {
    let entry = |number| {
        Block::Entry(Entry {
            number: Some(number),
            title: format!("Paper {number} & <more>"),
            quote: Some("An abstract. ".repeat(400)),
            ..Entry::default()
        })
    };
    let message = Message {
        running_title: "Caching".to_owned(),
        blocks: vec![Block::Heading("Caching".to_owned()), entry(1), entry(2)],
    };
    let [part] = paperwire::telegram::rich::render(&message).try_into().unwrap();
    part
}

#[tokio::test]
async fn a_long_message_is_sent_looked_for_and_edited_as_one() {
    let doubt = Doubt::new(GROUP).await;
    doubt.fake.script("sendRichMessage", [Fault::AcceptAndClose]);
    let sent = doubt.sender.send(&doubt.place, &long(), &tag(2)).await.outcome;
    assert_eq!(class(&sent.unwrap_err()), "Uncertain");
    let posted = || doubt.fake.messages(GROUP).pop().unwrap();
    let (there, keyboard) = (posted().id, posted().keyboard);
    assert!(posted().text.contains("2. Paper 2 & <more>") && posted().text.len() > 10_000);
    assert_eq!(posted().data().len(), 7);
    let missing = missing(2, &[doubt.first]);
    let found = doubt.sender.look(&doubt.place, &long(), &missing).await;
    assert_eq!(found, Looked::There(there.to_string()));
    assert_eq!(posted().keyboard, keyboard);
    let correction = paperwire_core::message::Amendment {
        number: 2,
        mark: Some('✎'),
        line: Some("New version".to_owned()),
    };
    let amended = paperwire::telegram::amend::amend(&long(), &[correction]).unwrap();
    let edited = doubt
        .sender
        .edit(&doubt.place, &there.to_string(), &amended, &tag(2))
        .await;
    assert_eq!(edited.outcome, Ok(there.to_string()));
    assert!(
        posted().text.contains("2. ✎ Paper 2 & <more>New version"),
        "{}",
        posted().text
    );
    assert_eq!((posted().keyboard, doubt.fake.messages(GROUP).len()), (keyboard, 2));
}

#[tokio::test]
async fn a_server_that_knows_no_long_messages_is_asked_once_and_gets_the_ordinary_form() {
    let fake = FakeTelegram::start(&[GROUP]).await;
    fake.grow_old();
    let sender = sender(fake.url(), TOKEN);
    let place = Place::telegram(GROUP, None);
    let mut ids = Vec::new();
    for number in 1..=2 {
        ids.push(sender.send(&place, &long(), &tag(number)).await.outcome.unwrap());
    }
    assert_eq!(fake.calls("sendRichMessage").len(), 1);
    let sent = fake.messages(GROUP);
    for sent in &sent {
        assert_eq!(sent.text, "Caching\n\n1. Paper 1 & <more>\n\n2. Paper 2 & <more>");
        assert!(sent.request.get("rich_message").is_none() && sent.entities.is_array());
    }
    let edited = sender.edit(&place, &ids[0], &long(), &tag(1)).await.outcome;
    assert_eq!(edited, Ok(ids.remove(0)));
    // What the server knows and only dislikes this time is tried again the next time.
    let young = FakeTelegram::start(&[GROUP]).await;
    young.script(
        "sendRichMessage",
        [Fault::refuse(400, "Bad Request: can't parse rich message")],
    );
    let sender = self::sender(young.url(), TOKEN);
    for number in 1..=2 {
        sender.send(&place, &long(), &tag(number)).await.outcome.unwrap();
    }
    assert_eq!(young.calls("sendRichMessage").len(), 2);
    let lengths: Vec<bool> = young
        .messages(GROUP)
        .iter()
        .map(|sent| sent.text.len() > 10_000)
        .collect();
    assert_eq!(lengths, [false, true]);
}

#[tokio::test]
async fn a_channel_of_the_rich_style_gets_its_whole_digest_with_abstracts_in_one_post() {
    let data = tempfile::tempdir().unwrap();
    let fake = FakeTelegram::start(&[GROUP]).await;
    let channels = format!("{}style = \"rich\"\n", channel(&format!("telegram:{GROUP}")));
    let program = Program::start(&config(Some(&fake), None, &channels), data.path()).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    program.post(&[]).await;
    program.delivered().await;
    let titles = program.titles().await;
    let sent = fake.messages(GROUP);
    program.stop().await;
    assert_eq!((sent.len(), fake.calls("sendRichMessage").len()), (1, 1));
    let html = sent[0].request["rich_message"]["html"].as_str().unwrap();
    assert_eq!(html.matches("<h4>").count(), titles.len());
    assert!(html.contains("<details><summary>"), "{html}");
    assert_eq!(sent[0].data().len(), titles.len() * 3 + 1);
}
