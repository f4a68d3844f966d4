//! The Discord adapter with serenity's real client against the fake Discord; the desk is a stub.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use futures::future::{BoxFuture, FutureExt};
use paperwire::clock;
use paperwire::desk::{Choice, Desk, Found, Inline, Typing};
use paperwire::discord::gateway::{self, GatewayError, Settings};
use paperwire::discord::{markup, sender::Sender};
use paperwire::messenger::{Answered, Messenger};
use paperwire_core::channel::Place;
use paperwire_core::command::press::Button;
use paperwire_core::command::{Answer, Attachment, Command, Manner, PaperQuery, Question, Standing, Suggest, TABLE};
use paperwire_core::delivery::{LimitScope, Looked, Missing, SendError, Tag};
use paperwire_core::limiter::Signal;
use paperwire_core::locale::Lang;
use paperwire_core::message::{Block, Entry, Message, Part, plain};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::fake::discord::{ASKER, FakeDiscord, Fault, Reply, Right, TOKEN, Who};

/// The role whose members may change settings.
const EDITORS: u64 = 42;
const CHANNEL: u64 = 123_456_789_012_345_678;

/// Answers with what it is told, as soon as there is a permit.
struct StubDesk {
    permits: Semaphore,
    answer: Answer,
    asked: Mutex<Vec<Question>>,
    typed: Mutex<Vec<Typing>>,
    /// What it suggests; for ever thinking when there is nothing.
    choices: Option<Vec<Choice>>,
    refused: Option<Place>,
}

impl StubDesk {
    fn new(message: Message, permits: usize) -> Arc<Self> {
        Self::answering(Answer::new(message, Lang::En), permits)
    }

    fn answering(answer: Answer, permits: usize) -> Arc<Self> {
        Arc::new(Self::with(answer, permits))
    }

    fn with(answer: Answer, permits: usize) -> Self {
        Self {
            permits: Semaphore::new(permits),
            answer,
            asked: Mutex::default(),
            typed: Mutex::default(),
            choices: Some(Vec::new()),
            refused: None,
        }
    }

    /// What was asked last.
    fn last(&self) -> Question {
        self.asked.lock().unwrap().last().cloned().unwrap()
    }
}

impl Desk for StubDesk {
    fn answer(&self, question: Question) -> BoxFuture<'_, Answer> {
        async move {
            self.asked.lock().unwrap().push(question);
            self.permits.acquire().await.unwrap().forget();
            self.answer.clone()
        }
        .boxed()
    }

    fn suggest(&self, typing: Typing) -> BoxFuture<'_, Vec<Choice>> {
        self.typed.lock().unwrap().push(typing);
        match self.choices.clone() {
            Some(choices) => std::future::ready(choices).boxed(),
            None => std::future::pending().boxed(),
        }
    }

    fn inline(&self, _: Inline) -> BoxFuture<'_, (Vec<Found>, Option<u32>)> {
        Box::pin(std::future::ready((Vec::new(), None)))
    }

    fn serves(&self, place: &Place) -> bool {
        self.refused.as_ref() != Some(place)
    }

    fn moved(&self, _: Place, _: Place) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }
}

struct Bot {
    stop: CancellationToken,
    running: JoinHandle<Result<(), GatewayError>>,
}

impl Bot {
    fn start(fake: &FakeDiscord, desk: Arc<StubDesk>, answer_within: Duration) -> Self {
        let stop = CancellationToken::new();
        let settings = Settings {
            answer_within,
            ..Settings::new(Client::new(), fake.url(), TOKEN.into()).managed_by(Some(EDITORS))
        };
        let running = tokio::spawn(gateway::run(settings, desk, stop.clone()));
        Self { stop, running }
    }

    async fn stop(self) -> Result<(), GatewayError> {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(20), self.running)
            .await
            .expect("the gateway stops")
            .unwrap()
    }
}

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);

fn content(reply: &Reply) -> &str {
    match reply {
        Reply::Callback(_, body) | Reply::Edit(body) | Reply::Followup(body) => {
            body["content"].as_str().unwrap_or_default()
        }
    }
}

fn two_parts() -> Message {
    Message {
        running_title: "Help".into(),
        blocks: vec![
            Block::Paragraph(plain("a".repeat(1_500))),
            Block::Paragraph(plain("b".repeat(1_500))),
        ],
    }
}

#[tokio::test]
async fn a_slash_command_is_answered_directly_and_pings_nobody() {
    let fake = FakeDiscord::start().await;
    let desk = StubDesk::new(Message::sentence("Paper 4 @everyone"), 1);
    let bot = Bot::start(&fake, desk.clone(), LONG);
    fake.ready().await;
    let asked = fake.interact(CHANNEL, "paper", &[("which", "4")]);
    let replies = fake.replies(&asked, 1).await;
    let [Reply::Callback(4, body)] = replies.as_slice() else {
        panic!("{replies:?}")
    };
    assert_eq!(body["content"], "Paper 4 @\u{200b}everyone");
    assert_eq!(body["allowed_mentions"]["parse"], json!([]));
    let question = desk.asked.lock().unwrap().pop().unwrap();
    assert_eq!(question.command, Ok(Command::Paper(PaperQuery::Number(4))));
    assert_eq!(question.place, Place::discord(CHANNEL));
    assert_eq!((question.reply_to, question.fallback_lang), (None, Lang::Zh));
    assert_eq!(question.asker, Some(ASKER.to_string()));
    assert_eq!(bot.stop().await, Ok(()));
}

#[tokio::test]
async fn a_slow_desk_is_deferred_and_its_further_parts_follow_even_through_a_rate_limit() {
    let fake = FakeDiscord::start().await;
    let desk = StubDesk::new(two_parts(), 0);
    let bot = Bot::start(&fake, desk.clone(), SHORT);
    fake.ready().await;
    let asked = fake.interact(CHANNEL, "help", &[]);
    assert!(matches!(
        fake.replies(&asked, 1).await.as_slice(),
        [Reply::Callback(5, _)]
    ));
    fake.interaction_fault(Fault::BadGateway);
    fake.interaction_fault(Fault::RouteLimit(0.05));
    desk.permits.add_permits(1);
    let replies = fake.replies(&asked, 3).await;
    assert!(
        matches!(&replies[1], Reply::Edit(_)) && content(&replies[1]).contains("1/2"),
        "{replies:?}"
    );
    assert!(
        matches!(&replies[2], Reply::Followup(_)) && content(&replies[2]).contains("2/2"),
        "{replies:?}"
    );
    assert_eq!(bot.stop().await, Ok(()));
}

#[tokio::test]
async fn the_table_of_commands_is_registered_once_in_one_bulk_overwrite() {
    let fake = FakeDiscord::start().await;
    let bot = Bot::start(&fake, StubDesk::new(Message::sentence("ok"), 9), LONG);
    fake.ready().await;
    fake.ready_again();
    // By the second answer the further READY has been dealt with.
    for _ in 0..2 {
        let asked = fake.interact(CHANNEL, "topics", &[]);
        fake.replies(&asked, 1).await;
    }
    let registrations = fake.registrations();
    assert_eq!(registrations.len(), 1);
    let names: Vec<&str> = registrations[0]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, TABLE.iter().map(|spec| spec.name).collect::<Vec<_>>());
    assert_eq!(bot.stop().await, Ok(()));
}

#[tokio::test]
async fn what_is_asked_while_the_gateway_is_gone_is_answered_after_the_resume() {
    let fake = FakeDiscord::start().await;
    let bot = Bot::start(&fake, StubDesk::new(Message::sentence("here again"), 9), LONG);
    fake.ready().await;
    let before = fake.interact(CHANNEL, "help", &[]);
    fake.replies(&before, 1).await;
    fake.drop_sockets();
    let during = fake.interact(CHANNEL, "help", &[]);
    assert_eq!(content(&fake.replies(&during, 1).await[0]), "here again");
    assert_eq!(fake.resumed(), 1);
    assert_eq!(fake.replies_so_far(&before).len(), 1, "nothing is answered twice");
    assert_eq!(bot.stop().await, Ok(()));
}

#[tokio::test]
async fn an_interaction_that_cannot_be_read_does_not_disturb_the_next_one() {
    let fake = FakeDiscord::start().await;
    let bot = Bot::start(&fake, StubDesk::new(Message::sentence("ok"), 9), LONG);
    fake.ready().await;
    let unreadable = fake.interact_unreadably(CHANNEL, "help");
    let asked = fake.interact(CHANNEL, "help", &[]);
    fake.replies(&asked, 1).await;
    assert_eq!(fake.replies_so_far(&unreadable), []);
    assert_eq!(bot.stop().await, Ok(()));
}

#[tokio::test]
async fn a_stop_lets_an_answer_under_way_finish() {
    let fake = FakeDiscord::start().await;
    let desk = StubDesk::new(Message::sentence("late"), 0);
    let bot = Bot::start(&fake, desk.clone(), SHORT);
    fake.ready().await;
    let asked = fake.interact(CHANNEL, "help", &[]);
    fake.replies(&asked, 1).await;
    bot.stop.cancel();
    fake.left().await;
    desk.permits.add_permits(1);
    assert_eq!(bot.stop().await, Ok(()));
    assert!(matches!(fake.replies_so_far(&asked).as_slice(), [_, Reply::Edit(_)]));
}

#[tokio::test]
async fn a_token_that_discord_does_not_accept_ends_the_gateway_and_says_what_to_do() {
    let fake = FakeDiscord::start().await;
    let desk = StubDesk::new(Message::sentence("ok"), 0);
    let wrong = Settings::new(Client::new(), fake.url(), "wrong-sesame".into());
    let by_rest = gateway::run(wrong, desk.clone(), CancellationToken::new())
        .await
        .unwrap_err();
    fake.refuse_identify();
    let right = Settings::new(Client::new(), fake.url(), TOKEN.into());
    let by_gateway = gateway::run(right, desk, CancellationToken::new()).await.unwrap_err();
    assert_eq!((&by_rest, &by_gateway), (&GatewayError::Token, &GatewayError::Token));
    assert!(
        by_rest
            .to_string()
            .contains("reset it on https://discord.com/developers/applications")
    );
    assert!(!by_rest.to_string().contains("sesame"));
}

#[tokio::test]
async fn a_token_that_is_revoked_later_ends_what_otherwise_never_gives_up() {
    let fake = FakeDiscord::start().await;
    let desk = StubDesk::new(Message::sentence("ok"), 9);
    let settings = Settings::new(Client::new(), fake.url(), TOKEN.into());
    let keeping = tokio::spawn(gateway::keep(settings, desk, CancellationToken::new()));
    fake.ready().await;
    fake.refuse_identify();
    fake.drop_sockets();
    let ended = tokio::time::timeout(Duration::from_secs(20), keeping).await;
    let error = ended.expect("it ends").unwrap().unwrap_err();
    assert!(error.to_string().contains("(discord.token)"), "{error}");
}

#[tokio::test]
async fn what_a_part_is_hears_only_whoever_pressed_its_button() {
    let fake = FakeDiscord::start().await;
    let desk = StubDesk::new(Message::sentence("help"), 9);
    let bot = Bot::start(&fake, desk.clone(), LONG);
    fake.ready().await;
    let sender = Sender::new(client(20_000), &fake.url(), TOKEN.into());
    let digest = Message {
        blocks: vec![Block::Heading("Inference · 9 Oct 2025".into())],
        ..two_parts()
    };
    let tag = Tag {
        number: 2,
        of: 5,
        ..Tag::only("key-1")
    };
    let part = markup::render(&digest).remove(0);
    sender
        .send(&Place::discord(CHANNEL), &part, &tag)
        .await
        .outcome
        .unwrap();
    let message = fake.messages(CHANNEL).remove(0);
    assert_eq!(message["components"][0]["components"][0]["label"], "ⓘ 2/5");
    let pressed = fake.press(CHANNEL, &message);
    let replies = fake.replies(&pressed, 1).await;
    let [Reply::Callback(4, body)] = replies.as_slice() else {
        panic!("{replies:?}")
    };
    assert_eq!(body["content"], "help");
    assert_eq!(body["flags"].as_u64().unwrap() & EPHEMERAL, EPHEMERAL, "{body}");
    let question = desk.last();
    assert_eq!(question.command, Ok(Command::About));
    assert_eq!(question.reply_to, message["id"].as_str().map(str::to_owned));
    assert_eq!(bot.stop().await, Ok(()));
}

/// The flag of a message for the asker alone (Message Resource, “Message Flags”).
const EPHEMERAL: u64 = 64;

#[tokio::test]
async fn a_slow_answer_to_a_press_follows_as_soon_as_it_is_there() {
    let fake = FakeDiscord::start().await;
    let desk = StubDesk::new(Message::sentence("help"), 0);
    let bot = Bot::start(&fake, desk.clone(), SHORT);
    fake.ready().await;
    let sender = Sender::new(client(20_000), &fake.url(), TOKEN.into());
    post(&sender, "key-1").await.unwrap();
    let pressed = fake.press(CHANNEL, &fake.messages(CHANNEL)[0]);
    assert!(matches!(
        fake.replies(&pressed, 1).await.as_slice(),
        [Reply::Callback(6, _)]
    ));
    desk.permits.add_permits(1);
    let replies = fake.replies(&pressed, 2).await;
    assert!(
        matches!(&replies[1], Reply::Followup(body) if body["flags"].as_u64().unwrap() & EPHEMERAL > 0),
        "{replies:?}"
    );
    assert_eq!(bot.stop().await, Ok(()));
}

fn answer(text: &str, buttons: &[(&str, &str)], manner: Manner) -> Answer {
    let row = buttons.iter().map(|(label, data)| Button {
        label: (*label).to_owned(),
        data: (*data).to_owned(),
    });
    Answer {
        buttons: vec![row.collect()],
        ..Answer::sentence(text, Lang::En).shown(manner)
    }
}

#[tokio::test]
async fn a_button_turns_the_page_in_the_message_itself() {
    let fake = FakeDiscord::start().await;
    let desk = StubDesk::answering(
        answer("Page 2 @everyone", &[("‹", "q:1:0"), ("›", "q:1:2")], Manner::Replace),
        9,
    );
    let bot = Bot::start(&fake, desk.clone(), LONG);
    fake.ready().await;
    // Nothing was pressed that it could take the place of.
    let asked = fake.interact(CHANNEL, "search", &[("words", "kv cache")]);
    let replies = fake.replies(&asked, 1).await;
    assert!(matches!(&replies[0], Reply::Callback(4, body) if body["flags"].as_u64().unwrap() & EPHEMERAL == 0));
    let message = fake.posted(CHANNEL, &replies[0]);
    let pressed = fake.press_as(CHANNEL, &message, "q:1:2", Who::Member);
    let replies = fake.replies(&pressed, 1).await;
    let [Reply::Callback(7, body)] = replies.as_slice() else {
        panic!("{replies:?}")
    };
    assert_eq!(body["allowed_mentions"]["parse"], json!([]));
    let now = &fake.messages(CHANNEL)[0];
    assert_eq!(now["content"], "Page 2 @\u{200b}everyone");
    assert_eq!(now["components"][0]["components"][1]["custom_id"], "q:1:2");
    let question = desk.last();
    assert_eq!(question.command, Ok(Command::Press("q:1:2".to_owned())));
    assert_eq!(question.reply_to, message["id"].as_str().map(str::to_owned));
    assert_eq!(bot.stop().await, Ok(()));
}

#[tokio::test]
async fn a_page_that_comes_late_still_takes_the_place_of_the_other() {
    let fake = FakeDiscord::start().await;
    let desk = StubDesk::answering(answer("Page 2", &[], Manner::Replace), 1);
    let bot = Bot::start(&fake, desk.clone(), SHORT);
    fake.ready().await;
    let reply = Reply::Followup(json!({ "content": "Page 1", "components": [{ "type": 1, "components":
        [{ "type": 2, "style": 2, "label": "›", "custom_id": "q:1:1" }] }] }));
    let message = fake.posted(CHANNEL, &reply);
    desk.permits.forget_permits(1);
    let pressed = fake.press(CHANNEL, &message);
    fake.replies(&pressed, 1).await;
    desk.permits.add_permits(1);
    let replies = fake.replies(&pressed, 2).await;
    assert!(
        matches!(replies.as_slice(), [Reply::Callback(6, _), Reply::Edit(_)]),
        "{replies:?}"
    );
    let now = &fake.messages(CHANNEL)[0];
    assert_eq!((&now["content"], &now["components"]), (&json!("Page 2"), &json!([])));
    assert_eq!(bot.stop().await, Ok(()));
}

/// A part of a digest with so many papers.
fn digest(papers: u32) -> Part {
    let entry = |number| {
        Block::Entry(Entry {
            number: Some(number),
            title: format!("On *caching*, {number}"),
            link: Some("https://arxiv.org/abs/2510.00001".into()),
            ..Entry::default()
        })
    };
    let blocks = (1..=papers).map(entry).collect();
    markup::render(&Message {
        running_title: "Caching".into(),
        blocks,
    })
    .remove(0)
}

#[tokio::test]
async fn papers_of_a_posted_part_are_voted_for_with_a_button_or_from_a_menu_and_the_part_stays() {
    let fake = FakeDiscord::start().await;
    let desk = StubDesk::answering(answer("👍", &[], Manner::Replace), 9);
    let bot = Bot::start(&fake, desk.clone(), LONG);
    fake.ready().await;
    let sender = Sender::new(client(20_000), &fake.url(), TOKEN.into());
    let place = Place::discord(CHANNEL);
    for (key, papers) in [("key-1", 1), ("key-30", 30)] {
        sender
            .send(&place, &digest(papers), &Tag::only(key))
            .await
            .outcome
            .unwrap();
    }
    let before = fake.messages(CHANNEL);
    let menu = &before[1]["components"][2]["components"][0];
    assert_eq!(menu["options"].as_array().unwrap().len(), 25);
    assert_eq!(
        menu["options"][6],
        json!({ "label": "7. On *caching*, 7", "value": "7" })
    );
    for (asked, data) in [
        (fake.press_as(CHANNEL, &before[0], "u:1", Who::Member), "u:1"),
        (fake.choose(CHANNEL, &before[1], "s", "7"), "s:7"),
    ] {
        let replies = fake.replies(&asked, 1).await;
        let [Reply::Callback(4, body)] = replies.as_slice() else {
            panic!("a part that is looked for by its mark stays as it is: {replies:?}")
        };
        assert_eq!(body["flags"].as_u64().unwrap() & EPHEMERAL, EPHEMERAL);
        assert!(
            desk.asked
                .lock()
                .unwrap()
                .iter()
                .any(|q| q.command == Ok(Command::Press(data.to_owned())))
        );
    }
    assert_eq!(fake.messages(CHANNEL), before);
    // An edit keeps both, and it is still found.
    let id = before[1]["id"].as_str().unwrap();
    sender
        .edit(&place, id, &digest(29), &Tag::only("key-30"))
        .await
        .outcome
        .unwrap();
    assert_eq!(fake.messages(CHANNEL)[1]["components"], before[1]["components"]);
    assert_eq!(look(&sender, "key-30").await, Looked::There(id.to_owned()));
    assert_eq!(bot.stop().await, Ok(()));
}

#[tokio::test]
async fn a_notice_is_for_the_asker_alone_and_silence_to_a_press_shows_nothing_at_all() {
    for (manner, on_command, on_press) in [(Manner::Notice, 4, 4), (Manner::Silent, 4, 6), (Manner::Reply, 4, 4)] {
        let fake = FakeDiscord::start().await;
        let bot = Bot::start(&fake, StubDesk::answering(answer("no", &[], manner), 9), LONG);
        fake.ready().await;
        let alone = u64::from(manner != Manner::Reply) * EPHEMERAL;
        let message = fake.posted(
            CHANNEL,
            &Reply::Followup(json!({ "content": "x", "components": [{ "type": 1,
            "components": [{ "type": 2, "style": 2, "label": "x", "custom_id": "fx:0:0" }] }] })),
        );
        for (asked, expected) in [
            (fake.interact(CHANNEL, "resume", &[]), on_command),
            (fake.press(CHANNEL, &message), on_press),
        ] {
            let replies = fake.replies(&asked, 1).await;
            let [Reply::Callback(kind, body)] = replies.as_slice() else {
                panic!("{replies:?}")
            };
            assert_eq!(*kind, expected, "{manner:?}");
            assert_eq!(body["flags"].as_u64().unwrap_or(alone) & EPHEMERAL, alone, "{manner:?}");
        }
        assert_eq!(bot.stop().await, Ok(()));
    }
}

#[tokio::test]
async fn a_reading_list_is_exported_as_a_file() {
    let fake = FakeDiscord::start().await;
    let file = Attachment {
        name: "saved.bib".into(),
        mime: "application/x-bibtex",
        bytes: "@misc{x, title = {阅读}}\r\n".into(),
    };
    let with_file = Answer {
        file: Some(file),
        ..answer("1 paper", &[("x", "o:1")], Manner::Reply)
    };
    let desk = StubDesk::answering(with_file, 1);
    let bot = Bot::start(&fake, desk.clone(), SHORT);
    fake.ready().await;
    let expected =
        json!([{ "name": "saved.bib", "type": "application/x-bibtex", "text": "@misc{x, title = {阅读}}\r\n" }]);
    // A request that was not taken is made again with its file.
    fake.interaction_fault(Fault::BadGateway);
    let direct = fake.interact(CHANNEL, "saved", &[("export", "bibtex")]);
    let replies = fake.replies(&direct, 1).await;
    assert!(
        matches!(&replies[0], Reply::Callback(4, body) if body["files"] == expected),
        "{replies:?}"
    );
    let late = fake.interact(CHANNEL, "saved", &[("export", "bibtex")]);
    fake.replies(&late, 1).await;
    desk.permits.add_permits(1);
    let replies = fake.replies(&late, 2).await;
    assert!(
        matches!(&replies[1], Reply::Edit(body) if body["files"] == expected),
        "{replies:?}"
    );
    assert_eq!(desk.last().command, Ok(Command::Saved("bibtex".into())));
    assert_eq!(bot.stop().await, Ok(()));
}

#[tokio::test]
async fn what_is_typed_is_completed_and_a_desk_that_thinks_too_long_suggests_nothing() {
    let choice = |n: u32| Choice {
        label: format!("{n}. {}", "x".repeat(200)),
        value: n.to_string(),
    };
    for (choices, expected) in [(Some((1..=30).map(choice).collect()), 25), (None, 0)] {
        let fake = FakeDiscord::start().await;
        let desk = Arc::new(StubDesk {
            choices,
            ..StubDesk::with(Answer::sentence("", Lang::En), 0)
        });
        let bot = Bot::start(&fake, desk.clone(), LONG);
        fake.ready().await;
        let asked = fake.typing(CHANNEL, "paper", "which", "cach");
        let replies = fake.replies(&asked, 1).await;
        let [Reply::Callback(8, body)] = replies.as_slice() else {
            panic!("{replies:?}")
        };
        assert_eq!(body["choices"].as_array().unwrap().len(), expected);
        let typing = desk.typed.lock().unwrap().pop().unwrap();
        assert_eq!(
            (typing.typed.as_str(), typing.suggest, typing.place, typing.lang),
            ("cach", Suggest::Papers, Place::discord(CHANNEL), Lang::Zh)
        );
        assert_eq!(bot.stop().await, Ok(()));
    }
}

#[tokio::test]
async fn who_may_change_settings_comes_from_permissions_or_the_role_and_in_private_everyone_may() {
    let fake = FakeDiscord::start().await;
    let desk = StubDesk::new(Message::sentence("ok"), 99);
    let bot = Bot::start(&fake, desk.clone(), LONG);
    fake.ready().await;
    let (manage_channels, administrator) = (1 << 4, 1 << 3);
    let message = fake.posted(
        CHANNEL,
        &Reply::Followup(json!({ "content": "x", "components": [{ "type": 1,
        "components": [{ "type": 2, "style": 2, "label": "x", "custom_id": "fx:0:0" }] }] })),
    );
    for (who, standing) in [
        (Who::Permitted(manage_channels | 2_048), Standing::Manager),
        (Who::Permitted(administrator), Standing::Manager),
        (Who::WithRole(EDITORS), Standing::Manager),
        (Who::WithRole(EDITORS + 1), Standing::Member),
        (Who::Member, Standing::Member),
        (Who::Nondescript, Standing::Unknown),
        (Who::Private, Standing::Manager),
    ] {
        for asked in [
            fake.interact_as(CHANNEL, "subscribe", &[("rule", "kv cache")], who),
            fake.press_as(CHANNEL, &message, "fx:0:0", who),
        ] {
            fake.replies(&asked, 1).await;
            let question = desk.last();
            assert_eq!(
                (question.standing, question.asker),
                (standing, Some(ASKER.to_string())),
                "{who:?}"
            );
        }
    }
    assert_eq!(bot.stop().await, Ok(()));
}

#[tokio::test]
async fn a_thread_knows_its_channel_and_is_refused_with_it() {
    let fake = FakeDiscord::start().await;
    let desk = Arc::new(StubDesk {
        refused: Some(Place::discord(CHANNEL)),
        ..StubDesk::with(Answer::sentence("ok", Lang::En), 9)
    });
    let bot = Bot::start(&fake, desk.clone(), LONG);
    fake.ready().await;
    let elsewhere = fake.interact_in_thread(CHANNEL + 2, CHANNEL + 1, "topics");
    fake.replies(&elsewhere, 1).await;
    let question = desk.last();
    assert_eq!(question.place, Place::discord(CHANNEL + 2));
    assert_eq!(question.parent, Some(Place::discord(CHANNEL + 1)));
    for refused in [
        fake.interact(CHANNEL, "topics", &[]),
        fake.interact_in_thread(CHANNEL + 3, CHANNEL, "topics"),
    ] {
        let replies = fake.replies(&refused, 1).await;
        let [Reply::Callback(4, body)] = replies.as_slice() else {
            panic!("{replies:?}")
        };
        assert_eq!(body["content"], Lang::Zh.not_served());
        assert_eq!(body["flags"].as_u64().unwrap() & EPHEMERAL, EPHEMERAL);
    }
    let typing = fake.typing(CHANNEL, "paper", "which", "4");
    fake.replies(&typing, 1).await;
    assert!(desk.typed.lock().unwrap().is_empty() && desk.asked.lock().unwrap().len() == 1);
    assert_eq!(bot.stop().await, Ok(()));
}

fn part() -> Part {
    markup::render(&Message::sentence("hello")).remove(0)
}

fn client(milliseconds: u64) -> Client {
    let timeout = Duration::from_millis(milliseconds);
    Client::builder().timeout(timeout).build().unwrap()
}

async fn answered(sender: &Sender, key: &str) -> Answered {
    sender.send(&Place::discord(CHANNEL), &part(), &Tag::only(key)).await
}

async fn post(sender: &Sender, key: &str) -> Result<String, SendError> {
    answered(sender, key).await.outcome
}

async fn look(sender: &Sender, key: &str) -> Looked {
    let missing = Missing {
        tag: Tag::only(key),
        first_sent: clock::now(),
        after: None,
        known: Vec::new(),
    };
    sender.look(&Place::discord(CHANNEL), &part(), &missing).await
}

#[tokio::test]
async fn the_bucket_is_read_from_every_answer_and_an_exceeded_one_is_obeyed_to_the_millisecond() {
    let fake = FakeDiscord::start().await;
    fake.bucket(2, Duration::from_secs(600));
    let sender = Sender::new(client(20_000), &fake.url(), TOKEN.into());
    fake.fault(Fault::Pass);
    fake.fault(Fault::Refused(400, 50_035));
    let mut left = Vec::new();
    for key in ["key-1", "key-2", "key-3"] {
        let said = answered(&sender, key).await;
        let bucket = said.signal.bucket.unwrap();
        assert_eq!(bucket.limit, 2);
        assert!(
            bucket.reset_after > TimeDelta::seconds(590) && bucket.reset_after <= TimeDelta::seconds(600),
            "{bucket:?}"
        );
        left.push((bucket.remaining, said.signal.invalid));
        if let Err(SendError::RateLimited { retry_after, scope }) = said.outcome {
            assert_eq!(scope, LimitScope::Chat);
            assert!(retry_after.subsec_millis() > 0 && retry_after < Duration::from_secs(600));
        }
    }
    assert_eq!(left, [(1, false), (0, false), (0, true)]);
    // Another channel has a bucket of its own.
    let elsewhere = sender
        .send(&Place::discord(CHANNEL + 1), &part(), &Tag::only("key-4"))
        .await;
    assert!(elsewhere.outcome.is_ok() && elsewhere.signal.bucket.unwrap().remaining == 1);
}

#[tokio::test]
async fn what_discord_counts_as_invalid_is_said_to_be_and_nothing_else() {
    let fake = FakeDiscord::start().await;
    fake.bucket(1_000, Duration::from_secs(5));
    let sender = Sender::new(client(20_000), &fake.url(), TOKEN.into());
    let mut invalid = 0;
    for (fault, counts) in [
        (Fault::RouteLimit(0.1), true),
        (Fault::GlobalLimit(0.1), true),
        (Fault::HeaderLimit(1), true),
        (Fault::SharedLimit(0.1), false),
        (Fault::Refused(401, 0), true),
        (Fault::Refused(403, 50_013), true),
        (Fault::Refused(404, 10_003), false),
        (Fault::Internal, false),
        (Fault::Pass, false),
    ] {
        fake.fault(fault);
        assert_eq!(answered(&sender, "key").await.signal.invalid, counts, "{fault:?}");
        invalid += usize::from(counts);
    }
    let counted: usize = [401, 403, 429].map(|status| fake.refusals(status)).iter().sum();
    assert_eq!(counted, invalid, "as Discord counts");
}

#[tokio::test]
async fn headers_that_are_no_numbers_say_nothing_and_do_no_harm() {
    let fake = FakeDiscord::start().await;
    fake.garble_headers();
    let sender = Sender::new(client(20_000), &fake.url(), TOKEN.into());
    let said = answered(&sender, "key-1").await;
    assert_eq!(said.signal, Signal::default());
    assert_eq!(said.outcome.unwrap(), fake.messages(CHANNEL)[0]["id"]);
}

#[tokio::test]
async fn a_part_whose_answer_was_lost_is_found_by_reading_back_after_the_nonce_is_forgotten() {
    let fake = FakeDiscord::start().await;
    fake.nonce_memory(Duration::ZERO);
    fake.bucket(100, Duration::from_secs(5));
    let sender = Sender::new(client(20_000), &fake.url(), TOKEN.into());
    fake.fault(Fault::CloseAfter);
    fake.chat(CHANNEL, 150);
    post(&sender, "key-1").await.unwrap_err();
    fake.chat(CHANNEL, 150);
    let id = fake.messages(CHANNEL)[150]["id"].as_str().unwrap().to_owned();
    assert_eq!(look(&sender, "key-1").await, Looked::There(id));
    assert_eq!(look(&sender, "key-2").await, Looked::NotThere);
    // It had to be looked for: posting again would have made a second one.
    post(&sender, "key-1").await.unwrap();
    assert_eq!(fake.messages(CHANNEL).len(), 302);
}

#[tokio::test]
async fn where_nothing_was_written_since_the_latest_messages_tell_even_with_a_clock_that_was_ahead() {
    let fake = FakeDiscord::start().await;
    let sender = Sender::new(client(20_000), &fake.url(), TOKEN.into());
    let id = post(&sender, "key-1").await.unwrap();
    for (key, expected) in [("key-1", Looked::There(id)), ("key-2", Looked::NotThere)] {
        let missing = Missing {
            tag: Tag::only(key),
            first_sent: clock::now() + TimeDelta::hours(1),
            after: None,
            known: Vec::new(),
        };
        let looked = sender.look(&Place::discord(CHANNEL), &part(), &missing).await;
        assert_eq!(looked, expected);
    }
}

#[tokio::test]
async fn somebody_elses_message_with_the_same_mark_is_not_the_part() {
    let fake = FakeDiscord::start().await;
    let sender = Sender::new(client(20_000), &fake.url(), TOKEN.into());
    post(&sender, "key-1").await.unwrap();
    let components = fake.messages(CHANNEL)[0]["components"].clone();
    fake.write(CHANNEL + 1, &json!({ "content": "copied", "components": components }));
    let missing = Missing {
        tag: Tag::only("key-1"),
        first_sent: clock::now(),
        after: None,
        known: Vec::new(),
    };
    let looked = sender.look(&Place::discord(CHANNEL + 1), &part(), &missing).await;
    assert_eq!(looked, Looked::NotThere);
}

#[tokio::test]
async fn without_the_rights_to_read_it_cannot_be_decided_and_the_missing_right_is_named() {
    for right in [Right::History, Right::View] {
        let fake = FakeDiscord::start().await;
        let sender = Sender::new(client(20_000), &fake.url(), TOKEN.into());
        post(&sender, "key-1").await.unwrap();
        fake.deny(CHANNEL, right);
        let looked = look(&sender, "key-1").await;
        let Looked::Undecidable(reason) = &looked else {
            panic!("{right:?}: {looked:?}")
        };
        assert!(reason.contains("“Read Message History”"), "{reason}");
    }
}

#[tokio::test]
async fn a_flood_of_messages_makes_looking_end_undecided_after_five_pages() {
    let fake = FakeDiscord::start().await;
    let sender = Sender::new(client(20_000), &fake.url(), TOKEN.into());
    fake.chat(CHANNEL, 501);
    let looked = look(&sender, "key-1").await;
    assert!(
        matches!(&looked, Looked::Undecidable(reason) if reason.contains("500 messages")),
        "{looked:?}"
    );
}

#[tokio::test]
async fn a_look_that_reaches_nobody_has_failed_and_decides_nothing() {
    let fake = FakeDiscord::start().await;
    fake.bucket(0, Duration::from_millis(300));
    let limited = look(&Sender::new(client(20_000), &fake.url(), TOKEN.into()), "key-1").await;
    assert!(
        matches!(limited, Looked::Failed(SendError::RateLimited { .. })),
        "{limited:?}"
    );
    let unknown = look(
        &Sender::new(client(20_000), &fake.url(), "wrong-sesame".into()),
        "key-1",
    )
    .await;
    assert!(
        matches!(unknown, Looked::Failed(SendError::Unauthorized { .. })),
        "{unknown:?}"
    );
    let nowhere = look(
        &Sender::new(client(20_000), "http://127.0.0.1:1", TOKEN.into()),
        "key-1",
    )
    .await;
    assert!(
        matches!(nowhere, Looked::Failed(SendError::Unreachable { .. })),
        "{nowhere:?}"
    );
}

#[tokio::test]
async fn an_edit_changes_the_posted_message_and_leaves_nothing_of_what_it_was() {
    let fake = FakeDiscord::start().await;
    let sender = Sender::new(client(20_000), &fake.url(), TOKEN.into());
    let place = Place::discord(CHANNEL);
    let digest = Message {
        running_title: "Inference".into(),
        blocks: vec![Block::Entry(Entry {
            number: Some(1),
            title: "Speculative decoding".into(),
            ..Entry::default()
        })],
    };
    let entries = markup::render(&digest).remove(0);
    let tag = Tag::only("key-1");
    let id = post(&sender, "key-1").await.unwrap();
    for (part, content, embeds) in [(&entries, Value::Null, 1), (&part(), json!("hello"), 0)] {
        let edited = sender.edit(&place, &id, part, &tag).await;
        assert_eq!(edited.outcome.as_ref(), Ok(&id));
        assert!(edited.signal.bucket.is_some());
        let messages = fake.messages(CHANNEL);
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0]["content"], content);
        assert_eq!(messages[0]["embeds"].as_array().unwrap().len(), embeds);
        assert_eq!(
            messages[0]["flags"] == json!(0),
            embeds > 0,
            "embeds are not suppressed"
        );
    }
    assert_eq!(look(&sender, "key-1").await, Looked::There(id), "it keeps its mark");
    fake.chat(CHANNEL, 1);
    let others = fake.messages(CHANNEL)[1]["id"].as_str().unwrap().to_owned();
    for message in [others.as_str(), "1", "", "1/../../x"] {
        let refused = sender.edit(&place, message, &part(), &tag).await.outcome;
        assert!(
            matches!(refused, Err(SendError::Rejected { .. })),
            "{message}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn the_same_key_twice_is_one_message_with_one_id() {
    let fake = FakeDiscord::start().await;
    let sender = Sender::new(client(20_000), &fake.url(), TOKEN.into());
    fake.fault(Fault::CloseAfter);
    let lost = post(&sender, "key-1").await.unwrap_err();
    assert!(matches!(lost, SendError::Uncertain { .. }), "{lost:?}");
    let first = post(&sender, "key-1").await.unwrap();
    let again = post(&sender, "key-1").await.unwrap();
    let other = post(&sender, "key-2").await.unwrap();
    assert!(first == again && first != other);
    let ids: Vec<Value> = fake
        .messages(CHANNEL)
        .iter()
        .map(|message| message["id"].clone())
        .collect();
    assert_eq!(ids, [first, other]);
    assert_eq!(fake.posts(), 4, "the sender itself repeats nothing");
}

#[tokio::test]
async fn every_answer_of_discord_has_its_class() {
    let fake = FakeDiscord::start().await;
    fake.bucket(1_000, Duration::from_secs(5));
    let limited = |millis, scope| SendError::RateLimited {
        retry_after: Duration::from_millis(millis),
        scope,
    };
    let text = String::new;
    let gone = SendError::Gone { reason: text() };
    let rejected = SendError::Rejected { reason: text() };
    let unreachable = SendError::Unreachable { reason: text() };
    let unauthorized = SendError::Unauthorized { reason: text() };
    let uncertain = SendError::Uncertain { reason: text() };
    let table = [
        (Fault::RouteLimit(0.25), limited(250, LimitScope::Chat)),
        (Fault::GlobalLimit(1.5), limited(1_500, LimitScope::Bot)),
        (Fault::SharedLimit(0.125), limited(125, LimitScope::Chat)),
        (Fault::HeaderLimit(7), limited(7_000, LimitScope::Bot)),
        (Fault::Refused(403, 50_001), gone.clone()),
        (Fault::Refused(403, 50_013), gone.clone()),
        (Fault::Refused(403, 50_007), gone.clone()),
        (Fault::Refused(404, 10_003), gone),
        (Fault::Refused(400, 50_035), rejected),
        (Fault::Refused(401, 0), unauthorized),
        (Fault::Internal, unreachable.clone()),
        (Fault::BadGateway, unreachable),
        (Fault::Hang, uncertain.clone()),
        (Fault::CloseBefore, uncertain.clone()),
        (Fault::CloseAfter, uncertain.clone()),
        (Fault::Garbled, uncertain),
    ];
    for (index, (fault, expected)) in table.into_iter().enumerate() {
        // A client of its own: a connection that was cut must not decide about the next row.
        let sender = Sender::new(
            client(if fault == Fault::Hang { 500 } else { 20_000 }),
            &fake.url(),
            TOKEN.into(),
        );
        fake.fault(fault);
        let error = post(&sender, &format!("key-{index}")).await.unwrap_err();
        assert_eq!(
            std::mem::discriminant(&error),
            std::mem::discriminant(&expected),
            "{fault:?}: {error:?}"
        );
        if let SendError::RateLimited { .. } = expected {
            assert_eq!(error, expected, "{fault:?}");
        }
        assert!(!format!("{error} {error:?}").contains("sesame"), "{fault:?}: {error:?}");
    }
    assert_eq!(
        fake.messages(CHANNEL).len(),
        2,
        "of the faults, two came after the message was taken"
    );
}

#[tokio::test]
async fn no_connection_and_a_wrong_token_are_told_apart_and_the_remedy_is_named() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nowhere = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let error = post(&Sender::new(client(20_000), &nowhere, TOKEN.into()), "key")
        .await
        .unwrap_err();
    assert!(matches!(error, SendError::Unreachable { .. }), "{error:?}");
    assert!(!error.to_string().contains("sesame"));

    let fake = FakeDiscord::start().await;
    for token in ["wrong-sesame", "a\nnewline in sesame"] {
        let error = post(&Sender::new(client(20_000), &fake.url(), token.into()), "key")
            .await
            .unwrap_err();
        assert!(matches!(error, SendError::Unauthorized { .. }), "{error:?}");
        assert!(error.to_string().contains("developer"), "{error}");
        assert!(!error.to_string().contains("sesame"), "{error}");
    }
    assert_eq!(fake.messages(CHANNEL), Vec::<Value>::new());
}

#[tokio::test]
async fn a_vote_below_an_answer_shows_the_counts_on_its_buttons_and_below_a_posted_part_it_does_not() {
    let counted = answer("You voted", &[("👍 3", "u:a#1"), ("👎", "d:a#1")], Manner::Buttons);
    for within in [LONG, SHORT] {
        let fake = FakeDiscord::start().await;
        let desk = StubDesk::answering(counted.clone(), 9);
        if within == SHORT {
            desk.permits.forget_permits(9);
        }
        let bot = Bot::start(&fake, desk.clone(), within);
        fake.ready().await;
        let shown = Reply::Followup(json!({ "content": "A paper", "components": [{ "type": 1, "components":
            [{ "type": 2, "style": 2, "label": "👍 2", "custom_id": "u:a#1" }] }] }));
        let message = fake.posted(CHANNEL, &shown);
        let pressed = fake.press(CHANNEL, &message);
        if within == SHORT {
            fake.replies(&pressed, 1).await;
            desk.permits.add_permits(9);
        }
        let replies = fake.replies(&pressed, if within == SHORT { 3 } else { 2 }).await;
        let Some(Reply::Followup(said)) = replies.last() else {
            panic!("{replies:?}")
        };
        assert_eq!(said["flags"].as_u64().unwrap() & EPHEMERAL, EPHEMERAL);
        assert!(said.get("components").is_none(), "{said}");
        let now = fake.messages(CHANNEL).pop().unwrap();
        assert_eq!((&now["content"], &now["id"]), (&json!("A paper"), &message["id"]));
        assert_eq!(now["components"][0]["components"][0]["label"], "👍 3");

        let sender = Sender::new(client(20_000), &fake.url(), TOKEN.into());
        post(&sender, "key-1").await.unwrap();
        let part = fake.messages(CHANNEL).pop().unwrap();
        let pressed = fake.press(CHANNEL, &part);
        fake.replies(&pressed, 1).await;
        assert_eq!(fake.messages(CHANNEL).pop().unwrap()["components"], part["components"]);
        assert_eq!(bot.stop().await, Ok(()));
    }
}

/// The first part of a digest in two, and the second.
fn in_two_parts() -> [Part; 2] {
    let entry = |number| {
        Block::Entry(Entry {
            number: Some(number),
            title: format!("Speculative decoding {number}"),
            quote: Some("q".repeat(3_000)),
            ..Entry::default()
        })
    };
    let title = "AI_inference · 10 Oct 2025";
    let mut blocks = vec![Block::Heading(title.into())];
    blocks.extend((1..=2).map(entry));
    let message = Message {
        running_title: title.into(),
        blocks,
    };
    markup::render(&message).try_into().unwrap()
}

fn numbered(number: u32, first: Option<&str>) -> Tag {
    Tag {
        key: format!("key-{number}"),
        number,
        of: 2,
        first: first.map(str::to_owned),
        doubted: None,
    }
}

/// A forum with one more digest in it, whose post it is; the first one's keys are those of [`numbered`].
async fn posted(fake: &FakeDiscord, sender: &Sender) -> String {
    let again = "x".repeat(fake.forum_posts().len());
    let send = async |part: &Part, tag: Tag| {
        let key = format!("{again}{}", tag.key);
        let tag = Tag { key, ..tag };
        sender.send(&Place::discord(CHANNEL), part, &tag).await.outcome.unwrap()
    };
    let [first, second] = in_two_parts();
    let post = send(&first, numbered(1, None)).await;
    assert_ne!(send(&second, numbered(2, Some(&post))).await, post);
    assert_eq!(fake.messages(post.parse().unwrap()).len(), 2);
    post
}

#[tokio::test]
async fn a_digest_becomes_a_post_of_its_own_in_a_forum_and_its_parts_stand_in_it() {
    let fake = FakeDiscord::start().await;
    fake.forum(CHANNEL, &[(7, false)], false);
    let sender = Sender::new(client(20_000), &fake.url(), TOKEN.into());
    let first = posted(&fake, &sender).await;
    let asked = fake.described();
    let second = posted(&fake, &sender).await;
    assert_eq!((asked, fake.described()), (1, 1), "it is asked about once");
    let posts = fake.forum_posts();
    let ids: Vec<String> = posts.iter().map(|post| post.id.to_string()).collect();
    assert_eq!(ids, [first, second]);
    for post in posts {
        assert_eq!((post.forum, post.tags.len()), (CHANNEL, 0));
        assert_eq!(post.name, "AI_inference · 10 Oct 2025");
        let messages = fake.messages(post.id);
        assert_eq!(messages[0]["id"], post.id.to_string());
        assert!(messages[0]["content"].as_str().unwrap().contains("1/2"), "{messages:?}");
    }
    // A channel with text is never asked about.
    let text = sender
        .send(&Place::discord(CHANNEL + 1), &part(), &numbered(1, None))
        .await;
    assert!(text.outcome.is_ok() && fake.described() == 1);
}

#[tokio::test]
async fn a_forum_that_wants_a_tag_gets_one_also_after_its_tags_have_changed() {
    let fake = FakeDiscord::start().await;
    fake.forum(CHANNEL, &[(6, true), (7, false)], true);
    fake.bucket(1_000, Duration::from_secs(5));
    let sender = Sender::new(client(20_000), &fake.url(), TOKEN.into());
    posted(&fake, &sender).await;
    fake.forum(CHANNEL, &[(8, false)], true);
    posted(&fake, &sender).await;
    let tags: Vec<Vec<u64>> = fake.forum_posts().into_iter().map(|post| post.tags).collect();
    assert_eq!(tags, [[7], [8]]);
    fake.forum(CHANNEL, &[], true);
    let [first, _] = in_two_parts();
    let refused = sender
        .send(&Place::discord(CHANNEL), &first, &numbered(1, None))
        .await
        .outcome;
    assert!(
        matches!(&refused, Err(SendError::Gone { reason }) if reason.contains("tag")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_post_whose_answer_was_lost_is_found_whether_it_is_open_or_closed_and_made_once() {
    let fake = FakeDiscord::start().await;
    fake.forum(CHANNEL, &[], false);
    fake.bucket(1_000, Duration::from_secs(5));
    let forum = Place::discord(CHANNEL);
    let [first, second] = in_two_parts();
    let before = clock::now();
    let old = posted(&fake, &Sender::new(client(20_000), &fake.url(), TOKEN.into())).await;
    for closed in [false, true] {
        let (made, key) = (fake.forum_posts().len(), format!("lost-{closed}"));
        let lost = Tag {
            key: key.clone(),
            ..numbered(1, None)
        };
        fake.fault(Fault::CloseAfter);
        let sender = Sender::new(client(20_000), &fake.url(), TOKEN.into());
        let error = sender.send(&forum, &first, &lost).await.outcome.unwrap_err();
        assert!(matches!(error, SendError::Uncertain { .. }), "{error:?}");
        let post = fake.forum_posts()[made].id;
        if closed {
            // Behind others that were closed since.
            fake.close(post);
            for _ in 0..3 {
                fake.close(posted(&fake, &sender).await.parse().unwrap());
            }
        }
        // Who asks has been started anew and knows of no forum.
        let sender = Sender::new(client(20_000), &fake.url(), TOKEN.into());
        let look = |tag: &Tag| {
            let (sender, place, part) = (sender.clone(), forum.clone(), first.clone());
            let missing = Missing {
                tag: tag.clone(),
                first_sent: before,
                after: None,
                known: Vec::new(),
            };
            async move { sender.look(&place, &part, &missing).await }
        };
        assert_eq!(look(&lost).await, Looked::There(post.to_string()));
        assert_eq!(look(&Tag::only("another")).await, Looked::NotThere);
        let count = fake.forum_posts().len();
        let doubted = Tag {
            doubted: Some(before - TimeDelta::minutes(1)),
            ..lost
        };
        let again = sender.send(&forum, &first, &doubted).await.outcome;
        assert_eq!((again, fake.forum_posts().len()), (Ok(post.to_string()), count));
        // One that is not there is made.
        let other = Tag {
            key: format!("{key}-other"),
            ..doubted
        };
        assert!(sender.send(&forum, &first, &other).await.outcome.is_ok());
        assert_eq!(fake.forum_posts().len(), count + 1);
    }
    // A part inside of a post is looked for there.
    let sender = Sender::new(client(20_000), &fake.url(), TOKEN.into());
    let missing = |number: u32, first: &str| Missing {
        tag: numbered(number, Some(first)),
        first_sent: before,
        after: None,
        known: Vec::new(),
    };
    let there = fake.messages(old.parse().unwrap())[1]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        sender.look(&forum, &second, &missing(2, &old)).await,
        Looked::There(there)
    );
    assert_eq!(sender.look(&forum, &second, &missing(3, &old)).await, Looked::NotThere);
    fake.delete(old.parse().unwrap());
    assert_eq!(sender.look(&forum, &second, &missing(2, &old)).await, Looked::NotThere);
}

#[tokio::test]
async fn without_the_rights_to_read_a_forum_it_cannot_be_decided_and_nothing_is_made_twice() {
    for right in [Right::History, Right::View] {
        let fake = FakeDiscord::start().await;
        fake.forum(CHANNEL, &[], false);
        let sender = Sender::new(client(20_000), &fake.url(), TOKEN.into());
        posted(&fake, &sender).await;
        fake.deny(CHANNEL, right);
        let looked = look(&sender, "key-1").await;
        let Looked::Undecidable(reason) = &looked else {
            panic!("{right:?}: {looked:?}")
        };
        assert!(reason.contains("“Read Message History”"), "{reason}");
        let doubted = Tag {
            doubted: Some(clock::now() - TimeDelta::minutes(1)),
            ..numbered(1, None)
        };
        let again = sender
            .send(&Place::discord(CHANNEL), &in_two_parts()[0], &doubted)
            .await
            .outcome;
        assert!(matches!(again, Err(SendError::Uncertain { .. })), "{again:?}");
        assert_eq!(fake.forum_posts().len(), 1);
    }
}

#[tokio::test]
async fn an_edit_reaches_the_post_and_leaves_a_closed_one_closed() {
    let fake = FakeDiscord::start().await;
    fake.forum(CHANNEL, &[], false);
    fake.bucket(1_000, Duration::from_secs(5));
    let forum = Place::discord(CHANNEL);
    let id = posted(&fake, &Sender::new(client(20_000), &fake.url(), TOKEN.into())).await;
    let post: u64 = id.parse().unwrap();
    // Who edits has been started anew.
    let sender = Sender::new(client(20_000), &fake.url(), TOKEN.into());
    let second = fake.messages(post)[1]["id"].as_str().unwrap().to_owned();
    let edit = |message: &str, text: &str| {
        let (sender, forum, message) = (sender.clone(), forum.clone(), message.to_owned());
        let (part, tag) = (
            markup::render(&Message::sentence(text)).remove(0),
            numbered(1, Some(&id)),
        );
        async move { sender.edit(&forum, &message, &part, &tag).await.outcome }
    };
    assert_eq!(edit(&id, "one").await, Ok(id.clone()));
    fake.close(post);
    assert_eq!(edit(&second, "two").await, Ok(second.clone()));
    assert!(fake.forum_posts()[0].archived.is_some());
    let said: Vec<Value> = fake.messages(post).iter().map(|m| m["content"].clone()).collect();
    assert_eq!(said, ["one", "two"]);

    // What a moderator has done to a post is no reason to leave the forum.
    fake.lock(post);
    for how in ["locked", "deleted"] {
        let refused = edit(&id, "three").await;
        assert!(
            matches!(&refused, Err(SendError::Rejected { .. })),
            "{how}: {refused:?}"
        );
        let next = sender
            .send(&forum, &in_two_parts()[1], &numbered(2, Some(&id)))
            .await
            .outcome;
        assert!(
            matches!(&next, Err(SendError::Rejected { reason }) if reason.contains("deleted or locked")),
            "{how}: {next:?}"
        );
        fake.delete(post);
    }
}
