//! Digests on their way out: whole, in order and once, on every platform and through every fault.

use paperwire::service::{QueueAction, Request, Response};
use paperwire_core::delivery::DeliveryId;
use paperwire_core::pipeline::queue::{Details, Listing};
use serde_json::json;

use crate::fake::discord::{self, FakeDiscord};
use crate::fake::telegram::{self, FakeTelegram, Sent};
use crate::program::{Program, channel, config, counted, embed_titles, eventually, numbered, sample};

const GROUP: i64 = -100_123;
const CHANNEL: u64 = 123_456_789_012_345_678;

fn group() -> String {
    channel(&format!("telegram:{GROUP}"))
}

fn discord_channel() -> String {
    channel(&format!("discord:{CHANNEL}"))
}

fn texts(sent: &[Sent]) -> impl Iterator<Item = &str> {
    sent.iter().map(|message| message.text.as_str())
}

/// The label in a part's first line: `2/3`.
fn label(text: &str) -> &str {
    let first = text.lines().next().unwrap();
    first.trim_end_matches('*').rsplit(' ').next().unwrap()
}

fn labels(n: usize) -> Vec<String> {
    (1..=n).map(|i| format!("{i}/{n}")).collect()
}

#[tokio::test]
async fn a_digest_arrives_whole_and_in_order_in_a_group_a_discord_channel_and_on_the_page() {
    let data = tempfile::tempdir().unwrap();
    let telegram = FakeTelegram::start(&[GROUP]).await;
    let discord = FakeDiscord::start().await;
    let channels = format!("{}{}{}", group(), discord_channel(), channel("web:lobby"));
    let config = config(Some(&telegram), Some(&discord), &channels);
    let program = Program::start(&config, data.path()).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    let titles = program.titles().await;
    assert!(titles.len() > 20, "enough for several parts: {}", titles.len());
    let posted = program.post(&[]).await;
    assert!(
        posted.iter().all(|(_, papers)| *papers == Some(titles.len())),
        "{posted:?}"
    );
    program.delivered().await;

    let sent = telegram.messages(GROUP);
    assert_eq!(numbered(texts(&sent)), counted(&titles));
    assert_eq!(texts(&sent).map(label).collect::<Vec<_>>(), labels(sent.len()));
    assert!(
        sent.iter()
            .all(|m| m.request["link_preview_options"] == json!({"is_disabled": true}))
    );

    let messages = discord.messages(CHANNEL);
    assert_eq!(embed_titles(&messages), counted(&titles));
    let contents: Vec<&str> = messages.iter().map(|m| label(m["content"].as_str().unwrap())).collect();
    assert_eq!(contents, labels(messages.len()));
    assert!(messages.iter().all(|m| m["allowed_mentions"]["parse"] == json!([])));

    let page = reqwest::get(program.page("/c/lobby"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let mut rest = page.as_str();
    for title in &titles {
        let at = rest
            .find(&escaped(title))
            .unwrap_or_else(|| panic!("{title} behind the one before"));
        rest = &rest[at..];
    }
    program.stop().await;
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[tokio::test]
async fn a_keyword_brings_a_paper_that_the_topic_leaves_out() {
    let data = tempfile::tempdir().unwrap();
    let telegram = FakeTelegram::start(&[GROUP]).await;
    let channels = format!("[[channel]]\nplace = \"telegram:{GROUP}\"\nkeywords = [\"ferry announcement\"]\n");
    let program = Program::start(&config(Some(&telegram), None, &channels), data.path()).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    assert!(
        !program
            .titles()
            .await
            .iter()
            .any(|title| title.contains("Ferry Announcements"))
    );
    program.post(&[]).await;
    let sent = telegram.wait_for_messages(GROUP, 1).await;
    let expected = (1, "A Corpus of Ferry Announcements in Nine Coastal Dialects".to_owned());
    assert_eq!(numbered(texts(&sent)), [expected]);
    program.stop().await;
}

#[tokio::test]
async fn the_same_mailing_twice_posts_nothing_new_and_the_empty_digest_says_why() {
    let data = tempfile::tempdir().unwrap();
    let telegram = FakeTelegram::start(&[GROUP]).await;
    let program = Program::start(&config(Some(&telegram), None, &group()), data.path()).await;
    let first = program.ingest("mailing.txt", &sample("mailing.txt")).await;
    assert!(first.papers_new > 0 && first.windows == 1, "{first:?}");
    program.post(&[]).await;
    program.delivered().await;
    let parts = telegram.messages(GROUP).len();

    let again = program.ingest("again.txt", &sample("mailing.txt")).await;
    assert_eq!(
        (again.duplicates, again.papers_new, again.papers_updated, again.windows),
        (1, 0, 0, 0)
    );
    program.post(&[]).await;
    program.delivered().await;
    let sent = telegram.messages(GROUP);
    let [empty] = &sent[parts..] else {
        panic!("one more message: {sent:?}")
    };
    assert!(
        empty
            .text
            .contains("No mailing and no report came since the last digest."),
        "{empty:?}"
    );
    program.stop().await;
}

#[tokio::test]
async fn digests_that_were_missed_become_one_that_comes_by_itself() {
    let data = tempfile::tempdir().unwrap();
    let telegram = FakeTelegram::start(&[GROUP]).await;
    // The first of January: a test that runs just then may fail.
    let channels = format!("{}schedule = \"0 9 1 1 *\"\n", group());
    let config = config(Some(&telegram), None, &channels);
    let program = Program::start(&config, data.path()).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    let mut titles = program.titles().await;
    program.ingest("mailing_next.txt", &sample("mailing_next.txt")).await;
    titles.extend(program.titles().await);
    program.stop().await;
    assert_eq!(telegram.messages(GROUP).len(), 0);
    three_years_pass(data.path());

    let program = Program::start(&config, data.path()).await;
    eventually("the digest", || async {
        (!telegram.messages(GROUP).is_empty()).then_some(())
    })
    .await;
    let status = program.delivered().await;
    program.stop().await;
    let sent = telegram.messages(GROUP);
    let arrived = numbered(texts(&sent));
    let numbers: Vec<usize> = arrived.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=titles.len()).collect::<Vec<_>>());
    let mut arrived: Vec<String> = arrived.into_iter().map(|(_, title)| title).collect();
    arrived.sort();
    titles.sort();
    assert_eq!(arrived, titles);
    assert_eq!(texts(&sent).map(label).collect::<Vec<_>>(), labels(sent.len()));
    let next = status.channels[0].next_due.unwrap();
    assert!(next > paperwire::clock::now(), "{next}");
}

/// The channels were last served three years ago, and nobody was there since.
fn three_years_pass(data: &std::path::Path) {
    use paperwire_core::store::{SledStore, Store as _, Write};
    let store = SledStore::open(&data.join("store")).unwrap();
    let past = |years: i64| paperwire::clock::now() - chrono::TimeDelta::days(366 * years);
    let channels = store.channels().unwrap();
    let writes = channels.into_iter().map(|mut channel| {
        channel.last_fired = Some(past(3));
        channel.next_due = Some(past(2));
        Write::Channel(Box::new(channel))
    });
    store.commit(writes.collect()).unwrap();
    store.sync().unwrap();
}

#[tokio::test]
async fn a_flood_limit_and_a_fault_of_the_platform_between_two_parts_lose_and_double_nothing() {
    let data = tempfile::tempdir().unwrap();
    let telegram = FakeTelegram::start(&[GROUP]).await;
    let discord = FakeDiscord::start().await;
    telegram.script("sendMessage", [telegram::Fault::Pass, telegram::Fault::flood(1)]);
    for fault in [
        discord::Fault::Internal,
        discord::Fault::Pass,
        discord::Fault::RouteLimit(0.2),
        discord::Fault::CloseAfter,
    ] {
        discord.fault(fault);
    }
    let channels = format!("{}{}", group(), discord_channel());
    let program = Program::start(&config(Some(&telegram), Some(&discord), &channels), data.path()).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    let titles = program.titles().await;
    program.post(&[]).await;
    program.delivered().await;
    program.stop().await;
    let sent = telegram.messages(GROUP);
    assert_eq!(numbered(texts(&sent)), counted(&titles));
    assert_eq!(telegram.calls("sendMessage").len(), sent.len() + 1);
    let messages = discord.messages(CHANNEL);
    assert_eq!(embed_titles(&messages), counted(&titles));
    assert_eq!(discord.posts(), messages.len() + 3);
}

#[tokio::test]
async fn a_channel_that_refuses_is_paused_alone_and_gets_everything_after_start() {
    // No access to it, and it is not there.
    for (status, code) in [(403, 50_001), (404, 10_003)] {
        refuse_once(status, code).await;
    }
}

async fn refuse_once(status: u16, code: u32) {
    let data = tempfile::tempdir().unwrap();
    let telegram = FakeTelegram::start(&[GROUP]).await;
    let discord = FakeDiscord::start().await;
    discord.fault(discord::Fault::Refused(status, code));
    let channels = format!("{}{}", group(), discord_channel());
    let program = Program::start(&config(Some(&telegram), Some(&discord), &channels), data.path()).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    let titles = program.titles().await;
    program.post(&[]).await;
    let status = program.delivered().await;
    assert_eq!(numbered(texts(&telegram.messages(GROUP))), counted(&titles));
    let paused: Vec<bool> = status.channels.iter().map(|c| c.paused.is_some()).collect();
    let places: Vec<String> = status.channels.iter().map(|c| c.place.to_string()).collect();
    let refused = places.iter().position(|place| place.starts_with("discord")).unwrap();
    assert_eq!(paused.iter().filter(|p| **p).count(), 1);
    assert!(paused[refused], "{status:?}");
    // Posting to all leaves it out.
    assert_eq!(program.post(&[]).await.len(), 1);

    discord.ready().await;
    let asked = discord.interact(CHANNEL, "start", &[]);
    let answer = format!("{:?}", discord.replies(&asked, 1).await);
    assert!(answer.contains("This channel is active again"), "{answer}");
    program.post(&[&format!("discord:{CHANNEL}")]).await;
    program.delivered().await;
    program.stop().await;
    assert_eq!(embed_titles(&discord.messages(CHANNEL)), counted(&titles));
}

/// When each message came, in milliseconds since Discord's epoch: its id says it.
fn times(discord: &FakeDiscord, channel: u64) -> Vec<i64> {
    let ids = discord.messages(channel);
    let ids = ids
        .iter()
        .map(|message| message["id"].as_str().unwrap().parse::<i64>().unwrap());
    ids.map(|id| id >> 22).collect()
}

/// The first message to one of two channels meets `fault`, which asks to wait so long.
async fn limited(fault: discord::Fault, millis: i64, whole_bot: bool) {
    let data = tempfile::tempdir().unwrap();
    let discord = FakeDiscord::start().await;
    discord.fault(fault);
    let channels = [CHANNEL, CHANNEL + 1];
    let configured = channels.map(|id| channel(&format!("discord:{id}"))).concat();
    let program = Program::start(&config(None, Some(&discord), &configured), data.path()).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    let titles = program.titles().await;
    let open = paperwire::clock::now().timestamp_millis() - 1_420_070_400_000 + millis;
    program.post(&[]).await;
    program.delivered().await;
    program.stop().await;
    for id in channels {
        assert_eq!(embed_titles(&discord.messages(id)), counted(&titles), "{fault:?}");
    }
    let [mut other, mut held_up] = channels.map(|id| times(&discord, id));
    if held_up[0] < other[0] {
        std::mem::swap(&mut other, &mut held_up);
    }
    assert!(held_up[0] >= open, "{fault:?}: {held_up:?} before {open}");
    if whole_bot {
        // One was on the wire together with the one that was refused.
        assert!(other[1] >= open, "{fault:?}: {other:?} before {open}");
    } else {
        assert!(
            other.iter().all(|&at| at < open),
            "{fault:?}: {other:?} waited for {open}"
        );
    }
}

#[tokio::test]
async fn a_limit_of_discords_holds_up_whom_it_concerns_and_nobody_else() {
    use discord::Fault::{GlobalLimit, HeaderLimit, RouteLimit, SharedLimit};
    tokio::join!(
        limited(RouteLimit(3.0), 3_000, false),
        limited(SharedLimit(3.0), 3_000, false),
        limited(GlobalLimit(1.5), 1_500, true),
        limited(HeaderLimit(2), 2_000, true),
    );
}

#[tokio::test]
async fn a_chat_that_telegram_asks_to_wait_for_holds_up_no_other() {
    let data = tempfile::tempdir().unwrap();
    let chats = [GROUP, GROUP - 1];
    let telegram = FakeTelegram::start(&chats).await;
    telegram.script("sendMessage", [telegram::Fault::flood(2)]);
    let configured = chats.map(|id| channel(&format!("telegram:{id}"))).concat();
    let program = Program::start(&config(Some(&telegram), None, &configured), data.path()).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    program.post(&[]).await;
    program.delivered().await;
    program.stop().await;
    let calls = telegram.calls("sendMessage");
    let (limited, after) = (&calls[0]["chat_id"], &calls[1..]);
    let other = after.iter().take_while(|call| call["chat_id"] != *limited).count();
    assert_eq!((other, after.len()), (after.len() / 2, 2 * other), "{calls:?}");
}

#[tokio::test]
async fn whatever_comes_back_instead_of_an_answer_every_digest_arrives_whole_and_once() {
    use discord::Fault::{BadGateway, CloseAfter, CloseBefore, Garbled, Internal};
    let data = tempfile::tempdir().unwrap();
    let faults = [Internal, BadGateway, CloseBefore, CloseAfter, Garbled];
    let posts = faults.len();
    let discord = FakeDiscord::start().await;
    faults.into_iter().for_each(|fault| discord.fault(fault));
    let html = "<html>Bad Gateway</html>";
    // Of these nothing was taken.
    let faults = [
        telegram::Fault::refuse(500, "Internal Server Error"),
        telegram::Fault::Raw(502, html),
        telegram::Fault::Raw(404, html),
        telegram::Fault::Close,
    ];
    let groups: Vec<i64> = (0..).map(|n| GROUP - n).take(faults.len()).collect();
    let telegram = FakeTelegram::start(&groups).await;
    telegram.script("sendMessage", faults);
    let discords: Vec<u64> = (CHANNEL..).take(posts).collect();
    let places = discords.iter().map(|id| format!("discord:{id}"));
    let places = places.chain(groups.iter().map(|id| format!("telegram:{id}")));
    let channels: String = places.map(|place| channel(&place)).collect();
    let program = Program::start(&config(Some(&telegram), Some(&discord), &channels), data.path()).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    let titles = program.titles().await;
    program.post(&[]).await;
    program.delivered().await;
    program.stop().await;
    let mut taken = 0;
    for id in discords {
        let messages = discord.messages(id);
        taken += messages.len();
        assert_eq!(embed_titles(&messages), counted(&titles), "{id}");
    }
    assert_eq!(discord.posts(), taken + posts, "each fault costs one request");
    for id in groups {
        assert_eq!(numbered(texts(&telegram.messages(id))), counted(&titles), "{id}");
    }
}

#[tokio::test]
async fn a_digest_and_its_channel_follow_a_group_that_became_a_supergroup() {
    const OLD: i64 = -77;
    let data = tempfile::tempdir().unwrap();
    let telegram = FakeTelegram::start(&[OLD, GROUP]).await;
    let moved = json!({ "migrate_to_chat_id": GROUP });
    let upgraded = telegram::Fault::Refuse(400, "Bad Request: group chat was upgraded to a supergroup chat", moved);
    telegram.script("sendMessage", [telegram::Fault::Pass, upgraded]);
    let channels = channel(&format!("telegram:{OLD}"));
    let program = Program::start(&config(Some(&telegram), None, &channels), data.path()).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    let titles = program.titles().await;
    program.post(&[]).await;
    let status = program.delivered().await;
    assert_eq!(status.channels.len(), 1);
    assert_eq!(status.channels[0].place.to_string(), format!("telegram:{GROUP}"));
    let (old, new) = (telegram.messages(OLD), telegram.messages(GROUP));
    assert_eq!(old.len(), 1);
    assert_eq!(numbered(texts(&old).chain(texts(&new))), counted(&titles));
    // What was asked about the digest is answered in the new place.
    telegram.push_text(GROUP, "ada", "/paper@paperwire_bot 4");
    let all = telegram.wait_for_messages(GROUP, new.len() + 1).await;
    assert!(all[new.len()].text.starts_with(&format!("4. {}", titles[3])), "{all:?}");
    program.stop().await;
}

#[tokio::test]
async fn a_discord_token_that_is_refused_ends_the_program_with_an_error_that_names_it() {
    let data = tempfile::tempdir().unwrap();
    let discord = FakeDiscord::start().await;
    let mut config = config(None, Some(&discord), &discord_channel());
    config.discord.token = Some("another".to_owned().into());
    let program = Program::start(&config, data.path()).await;
    let error = program.failed().await.to_string();
    assert!(
        error.contains("does not accept the bot's token") && error.contains("(discord.token)"),
        "{error}"
    );
}

async fn queue(program: &Program) -> Listing {
    match program.ask(Request::Queue).await {
        Response::Queue(listing) => listing,
        other => panic!("{other:?}"),
    }
}

async fn delivery(program: &Program, id: &DeliveryId, action: QueueAction) -> Details {
    let id = id.clone();
    match program.ask(Request::Delivery { id, action }).await {
        Response::Delivery(details) => *details,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_part_that_is_refused_even_as_plain_text_waits_for_the_operator_while_the_rest_arrives() {
    let data = tempfile::tempdir().unwrap();
    let telegram = FakeTelegram::start(&[GROUP]).await;
    let refused = || telegram::Fault::refuse(400, "Bad Request: can't parse entities");
    telegram.script("sendMessage", [telegram::Fault::Pass, refused(), refused()]);
    let program = Program::start(&config(Some(&telegram), None, &group()), data.path()).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    let titles = program.titles().await;
    program.post(&[]).await;
    program.delivered().await;

    let listing = queue(&program).await;
    let [letter] = listing.dead_letters.as_slice() else {
        panic!("one dead letter: {listing:?}")
    };
    let sent = telegram.messages(GROUP);
    let parts = sent.len() + 1;
    assert!(parts > 2, "something follows the refused part");
    let mut without_second = labels(parts);
    without_second.remove(1);
    assert_eq!(texts(&sent).map(label).collect::<Vec<_>>(), without_second);
    // The second try was the same text without markup.
    let calls = telegram.calls("sendMessage");
    assert!(calls[1].get("entities").is_some() && calls[2].get("entities").is_none());
    assert_eq!(calls[1]["text"], calls[2]["text"]);

    let details = delivery(&program, &letter.id, QueueAction::Show).await;
    assert_eq!(details.message_ids.iter().filter(|id| id.is_empty()).count(), 1);
    let [part] = details.refused.as_slice() else {
        panic!("one part: {details:?}")
    };
    assert_eq!(
        (part.part, part.answer.as_str()),
        (2, "Bad Request: can't parse entities")
    );
    assert_eq!(part.request.as_ref().unwrap()["text"], calls[1]["text"]);
    assert!(!format!("{details:?}").contains(telegram::TOKEN));

    delivery(&program, &letter.id, QueueAction::Retry).await;
    program.delivered().await;
    let all = telegram.messages(GROUP);
    assert_eq!(
        (all.len(), label(&all[parts - 1].text)),
        (parts, labels(parts)[1].as_str())
    );
    let mut arrived = numbered(texts(&all));
    arrived.sort();
    assert_eq!(arrived, counted(&titles));
    assert_eq!(queue(&program).await.dead_letters, []);
    let again = Request::Delivery {
        id: letter.id.clone(),
        action: QueueAction::Retry,
    };
    let answer = format!("{:?}", program.ask(again).await);
    assert!(answer.contains("was sent whole already"), "{answer}");
    program.stop().await;
}
