//! Questions and their answers, from the chat to the store and back.

use serde_json::json;

use crate::fake::discord::{FakeDiscord, Reply};
use crate::fake::telegram::{FakeTelegram, Sent};
use crate::program::{Program, channel, config, sample};

const GROUP: i64 = -100_123;
const FORUM: i64 = -100_456;
const CHINESE: i64 = -100_789;
const CHANNEL: u64 = 123_456_789_012_345_678;

/// The answer that comes next in a chat, to what `ask` writes there.
async fn answer(fake: &FakeTelegram, chat: i64, ask: impl FnOnce()) -> Sent {
    let before = fake.messages(chat).len();
    ask();
    let mut sent = fake.wait_for_messages(chat, before + 1).await;
    sent.remove(before)
}

#[tokio::test]
async fn a_paper_is_opened_by_its_number_in_a_group_in_a_topic_and_in_reply_to_an_older_digest() {
    let data = tempfile::tempdir().unwrap();
    let fake = FakeTelegram::start(&[GROUP, FORUM]).await;
    let channels = format!(
        "{}{}",
        channel(&format!("telegram:{GROUP}")),
        channel(&format!("telegram:{FORUM}/7"))
    );
    let program = Program::start(&config(Some(&fake), None, &channels), data.path()).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    let older = program.titles().await;
    program.post(&[]).await;
    program.delivered().await;
    let digest = fake.messages(GROUP)[0].id;
    let asked = answer(&fake, GROUP, || {
        fake.push_text(GROUP, "ada", "/paper@paperwire_bot 4");
    })
    .await;
    assert!(asked.text.starts_with(&format!("4. {}", older[3])), "{asked:?}");
    let in_topic = answer(&fake, FORUM, || {
        fake.push_text_in_topic(FORUM, 7, "ada", "/paper 4");
    })
    .await;
    assert_eq!(in_topic.text, asked.text);
    assert_eq!(in_topic.thread, Some(7));

    program.ingest("mailing_next.txt", &sample("mailing_next.txt")).await;
    let newer = program.titles().await;
    assert_ne!(newer[1], older[1]);
    program.post(&[]).await;
    program.delivered().await;
    let latest = answer(&fake, GROUP, || {
        fake.push_text(GROUP, "ada", "/paper 2");
    })
    .await;
    assert!(latest.text.starts_with(&format!("2. {}", newer[1])), "{latest:?}");
    let replied = answer(&fake, GROUP, || {
        let fields = json!({"text": "/paper 2", "reply_to_message": {"message_id": digest}});
        fake.push_message(GROUP, fields);
    })
    .await;
    assert!(replied.text.starts_with(&format!("2. {}", older[1])), "{replied:?}");
    program.stop().await;
}

#[tokio::test]
async fn what_does_not_exist_is_said_in_the_channels_language() {
    let data = tempfile::tempdir().unwrap();
    let fake = FakeTelegram::start(&[GROUP, CHINESE]).await;
    let channels = format!(
        "{}{}language = \"zh\"\n",
        channel(&format!("telegram:{GROUP}")),
        channel(&format!("telegram:{CHINESE}"))
    );
    let program = Program::start(&config(Some(&fake), None, &channels), data.path()).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    let count = program.titles().await.len();
    let early = answer(&fake, GROUP, || {
        fake.push_text(GROUP, "ada", "/paper 1");
    })
    .await;
    assert!(early.text.contains("No digest was posted here yet"), "{early:?}");
    program.post(&[]).await;
    program.delivered().await;
    for (chat, ask, parts) in [
        (
            GROUP,
            "/paper 999",
            vec![format!("numbers 1 to {count}"), "no number 999".into()],
        ),
        (
            GROUP,
            "/paper 2510.99999",
            vec!["2510.99999 was never taken in here".into()],
        ),
        (
            CHINESE,
            "/paper 999",
            vec![format!("第 1 到第 {count} 篇"), "没有第 999 篇".into()],
        ),
        (CHINESE, "/paper 2510.99999", vec!["没有收录 2510.99999".into()]),
    ] {
        let said = answer(&fake, chat, || {
            fake.push_text(chat, "ada", ask);
        })
        .await;
        assert!(parts.iter().all(|part| said.text.contains(part)), "{ask}: {said:?}");
    }
    program.stop().await;
}

#[tokio::test]
async fn a_slash_command_is_answered_with_the_paper_of_that_number() {
    let data = tempfile::tempdir().unwrap();
    let fake = FakeDiscord::start().await;
    let channels = channel(&format!("discord:{CHANNEL}"));
    let program = Program::start(&config(None, Some(&fake), &channels), data.path()).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    let titles = program.titles().await;
    program.post(&[]).await;
    program.delivered().await;
    fake.ready().await;
    let mut answers = Vec::new();
    for which in ["4", "999"] {
        let asked = fake.interact(CHANNEL, "paper", &[("which", which)]);
        match fake.replies(&asked, 1).await.remove(0) {
            Reply::Callback(4, body) => answers.push(body),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(answers[0]["embeds"][0]["title"], format!("4. {}", titles[3]));
    let numbers = format!("numbers 1 to {}, no number 999", titles.len());
    assert!(
        answers[1]["content"].as_str().unwrap().contains(&numbers),
        "{answers:?}"
    );
    program.stop().await;
    fake.left().await;
}
