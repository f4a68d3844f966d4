//! What an operator watches, and who hears that a channel is lost.

use paperwire::messenger::{Messenger, Whom};
use paperwire::{discord, telegram};
use paperwire_core::delivery::SendError;
use paperwire_core::message::Message;
use serde_json::json;

use crate::fake;
use crate::fake::discord::{FakeDiscord, direct};
use crate::fake::telegram::FakeTelegram;
use crate::program::{Program, channel, config, eventually, sample};

const GROUP: i64 = -100_123;
/// The person of the fake's messages, hence their private chat with the bot as well.
const ADA: i64 = 1_001;

async fn metrics(program: &Program) -> String {
    let response = reqwest::get(program.page("/metrics")).await.unwrap();
    assert_eq!(response.status(), 200);
    let media_type = response.headers()["content-type"].to_str().unwrap();
    assert!(media_type.starts_with("application/openmetrics-text;"), "{media_type}");
    response.text().await.unwrap()
}

#[tokio::test]
async fn the_figures_follow_what_happens_and_hold_no_token_and_no_place() {
    let data = tempfile::tempdir().unwrap();
    let fake = FakeTelegram::start(&[GROUP]).await;
    let discord = FakeDiscord::start().await;
    let channels = channel(&format!("telegram:{GROUP}")) + &channel("web:lobby");
    let program = Program::start(&config(Some(&fake), Some(&discord), &channels), data.path()).await;
    let version = format!(
        "paperwire_build_info{{version=\"{}\"}} 1",
        program.status().await.version
    );
    let at_first = metrics(&program).await;
    for line in [
        version.as_str(),
        "paperwire_papers_taken_in_total 0",
        "paperwire_last_digest_timestamp_seconds 0",
        "paperwire_answers_total{platform=\"telegram\"} 0",
        "paperwire_send_outcomes_total{platform=\"discord\",outcome=\"unauthorized\"} 0",
        "paperwire_channels{state=\"active\"} 2",
        "paperwire_deliveries_waiting{platform=\"telegram\"} 0",
    ] {
        assert!(at_first.lines().any(|l| l == line), "{line}: {at_first}");
    }
    let new = program.ingest("mailing.txt", &sample("mailing.txt")).await.papers_new;
    program.post(&[]).await;
    program.delivered().await;
    let before = fake.messages(GROUP).len();
    fake.push_text(GROUP, "ada", "/paper 4");
    fake.wait_for_messages(GROUP, before + 1).await;
    let papers = format!("paperwire_papers_taken_in_total {new}");
    let text = eventually("the store to be counted again", || async {
        let text = metrics(&program).await;
        (!text.contains("last_digest_timestamp_seconds 0\n")).then_some(text)
    })
    .await;
    for line in [
        papers.as_str(),
        "paperwire_answers_total{platform=\"telegram\"} 1",
        "paperwire_digests_published_total 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}: {text}");
    }
    for secret in [fake::telegram::TOKEN, fake::discord::TOKEN, "100123", "lobby"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }

    let elsewhere = reqwest::Client::new()
        .get(program.page("/metrics"))
        .header("host", "evil.example");
    assert_eq!(elsewhere.send().await.unwrap().status(), 421);
    program.stop().await;
}

#[tokio::test]
async fn the_first_who_starts_a_channel_owns_it_and_the_status_says_who() {
    let data = tempfile::tempdir().unwrap();
    let fake = FakeTelegram::start(&[GROUP]).await;
    let channels = channel(&format!("telegram:{GROUP}"));
    let program = Program::start(&config(Some(&fake), None, &channels), data.path()).await;
    let owner = async || program.status().await.channels.remove(0).owner;
    fake.push_text(GROUP, "ada", "/help");
    fake.wait_for_messages(GROUP, 1).await;
    assert_eq!(owner().await, None);
    fake.push_text(GROUP, "ada", "/start");
    fake.wait_for_messages(GROUP, 2).await;
    let later = json!({"from": {"id": 2002, "is_bot": false, "first_name": "bob"}, "text": "/start"});
    fake.push_message(GROUP, later);
    fake.wait_for_messages(GROUP, 3).await;
    assert_eq!(owner().await, Some(ADA.to_string()));
    program.stop().await;
}

#[tokio::test]
async fn a_person_is_told_in_private_on_telegram_if_they_have_started_the_bot() {
    let fake = FakeTelegram::start(&[ADA]).await;
    let http = paperwire::http::client().unwrap();
    let token = fake::telegram::TOKEN.into();
    let sender = telegram::sender::Sender::new(http, fake.url().parse().unwrap(), token).unwrap();
    let notice = Message::sentence("no rights in telegram:-100");
    assert_eq!(sender.tell(Whom::Person(&ADA.to_string()), &notice, &[]).await, Ok(()));
    assert_eq!(fake.messages(ADA)[0].text, "no rights in telegram:-100");
    let refusal = "Forbidden: bot can't initiate conversation with a user";
    fake.script("sendMessage", [fake::telegram::Fault::refuse(403, refusal)]);
    let reason = refusal.to_owned();
    assert_eq!(
        sender.tell(Whom::Person("2002"), &notice, &[]).await,
        Err(SendError::Gone { reason })
    );
    let group = sender.tell(Whom::Person(&GROUP.to_string()), &notice, &[]).await;
    assert!(matches!(group, Err(SendError::Rejected { .. })), "{group:?}");
}

#[tokio::test]
async fn a_person_is_told_in_private_on_discord_and_a_repeat_of_the_notice_arrives_once() {
    const PERSON: u64 = 600_000_000_000_000_001;
    let fake = FakeDiscord::start().await;
    let token = fake::discord::TOKEN.into();
    let sender = discord::sender::Sender::new(reqwest::Client::new(), &fake.url(), token);
    let (first, second) = (
        Message::sentence("discord:1 is lost"),
        Message::sentence("discord:2 is lost"),
    );
    for notice in [&first, &first, &second] {
        assert_eq!(
            sender.tell(Whom::Person(&PERSON.to_string()), notice, &[]).await,
            Ok(())
        );
    }
    let messages = fake.messages(direct(PERSON));
    let told: Vec<&str> = messages.iter().filter_map(|m| m["content"].as_str()).collect();
    assert_eq!(told, ["discord:1 is lost", "discord:2 is lost"]);
    fake.fault(fake::discord::Fault::Refused(403, 50_007));
    let closed = sender.tell(Whom::Person(&PERSON.to_string()), &first, &[]).await;
    assert!(matches!(closed, Err(SendError::Gone { .. })), "{closed:?}");
    let nobody = sender.tell(Whom::Person("ada"), &first, &[]).await;
    assert!(matches!(nobody, Err(SendError::Rejected { .. })), "{nobody:?}");
}
