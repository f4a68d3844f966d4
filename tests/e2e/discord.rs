//! The Discord adapter with serenity's real client against the fake Discord; the desk is a stub.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use paperwire::desk::Desk;
use paperwire::discord::gateway::{self, GatewayError, Settings};
use paperwire::discord::{markup, sender::Sender};
use paperwire::messenger::Messenger;
use paperwire_core::channel::Place;
use paperwire_core::command::{Answer, Command, PaperQuery, Question, TABLE};
use paperwire_core::delivery::{LimitScope, SendError, Tag};
use paperwire_core::locale::Lang;
use paperwire_core::message::{Block, Message, Part, plain};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::fake::discord::{FakeDiscord, Fault, Reply, TOKEN};

const CHANNEL: u64 = 123_456_789_012_345_678;

/// Answers with what it is told, as soon as there is a permit.
struct StubDesk {
    permits: Semaphore,
    message: Message,
    asked: Mutex<Vec<Question>>,
}

impl StubDesk {
    fn new(message: Message, permits: usize) -> Arc<Self> {
        Arc::new(Self {
            permits: Semaphore::new(permits),
            message,
            asked: Mutex::default(),
        })
    }
}

impl Desk for StubDesk {
    fn answer(&self, question: Question) -> BoxFuture<'_, Answer> {
        async move {
            self.asked.lock().unwrap().push(question);
            self.permits.acquire().await.unwrap().forget();
            Answer {
                message: self.message.clone(),
                lang: Lang::En,
            }
        }
        .boxed()
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
            ..Settings::new(Client::new(), fake.url(), TOKEN.into())
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

const LONG: Duration = Duration::from_secs(2);
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

fn part() -> Part {
    markup::render(&Message::sentence("hello")).remove(0)
}

fn hasty() -> Client {
    Client::builder().timeout(Duration::from_millis(500)).build().unwrap()
}

async fn post(sender: &Sender, key: &str) -> Result<String, SendError> {
    sender
        .send(&Place::discord(CHANNEL), &part(), &Tag::only(key))
        .await
        .outcome
}

#[tokio::test]
async fn the_same_key_twice_is_one_message_with_one_id() {
    let fake = FakeDiscord::start().await;
    let sender = Sender::new(hasty(), &fake.url(), TOKEN.into());
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
    let limited = |millis, scope| SendError::RateLimited {
        retry_after: Duration::from_millis(millis),
        scope,
    };
    let text = String::new;
    let gone = SendError::Gone { reason: text() };
    let rejected = SendError::Rejected { reason: text() };
    let unreachable = SendError::Unreachable { reason: text() };
    let uncertain = SendError::Uncertain { reason: text() };
    let table = [
        (Fault::RouteLimit(0.25), limited(250, LimitScope::Chat)),
        (Fault::GlobalLimit(1.5), limited(1_500, LimitScope::Bot)),
        (Fault::HeaderLimit(7), limited(7_000, LimitScope::Bot)),
        (Fault::Refused(403, 50_001), gone.clone()),
        (Fault::Refused(403, 50_013), gone.clone()),
        (Fault::Refused(403, 50_007), gone.clone()),
        (Fault::Refused(404, 10_003), gone),
        (Fault::Refused(400, 50_035), rejected),
        (Fault::Refused(401, 0), unreachable.clone()),
        (Fault::Internal, unreachable.clone()),
        (Fault::BadGateway, unreachable),
        (Fault::Hang, uncertain.clone()),
        (Fault::CloseBefore, uncertain.clone()),
        (Fault::CloseAfter, uncertain.clone()),
        (Fault::Garbled, uncertain),
    ];
    for (index, (fault, expected)) in table.into_iter().enumerate() {
        // A client of its own: a connection that was cut must not decide about the next row.
        let sender = Sender::new(hasty(), &fake.url(), TOKEN.into());
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
async fn no_connection_and_a_wrong_token_keep_the_delivery_and_name_the_remedy() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nowhere = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let error = post(&Sender::new(hasty(), &nowhere, TOKEN.into()), "key")
        .await
        .unwrap_err();
    assert!(matches!(error, SendError::Unreachable { .. }), "{error:?}");
    assert!(!error.to_string().contains("sesame"));

    let fake = FakeDiscord::start().await;
    for token in ["wrong-sesame", "a\nnewline in sesame"] {
        let error = post(&Sender::new(hasty(), &fake.url(), token.into()), "key")
            .await
            .unwrap_err();
        assert!(matches!(error, SendError::Unreachable { .. }), "{error:?}");
        assert!(error.to_string().contains("developer"), "{error}");
        assert!(!error.to_string().contains("sesame"), "{error}");
    }
    assert_eq!(fake.messages(CHANNEL), Vec::<Value>::new());
}
