//! What was posted follows what becomes of its papers: by edits of the very messages, never by further ones.

use paperwire::service::{QueueAction, Request, Response};
use serde_json::Value;

use crate::fake::discord::FakeDiscord;
use crate::fake::telegram::{self, FakeTelegram, Sent};
use crate::program::{Program, channel, config, eventually, numbered, sample};

const GROUP: i64 = -100_123;
const CHANNEL: u64 = 123_456_789_012_345_678;
/// Of the sample's paper that the next mailing replaces.
const TITLE: &str = "TideCache: Feature Caching for Diffusion Transformers that Follows the Ebb of Change";

/// A mailing with one replacement of that paper.
fn replacement(day: u32, size: &str) -> Vec<u8> {
    let rule = "-".repeat(78);
    let entry = format!(
        "\\\\\narXiv:2602.90033\nreplaced with revised version Thu, {day} Feb 2026 08:00:00 GMT   ({size})\n\n\
         Title: {TITLE}\nAuthors: Lingtao Pellworm\nCategories: cs.CV cs.LG\n\
         \\\\ ( https://arxiv.org/abs/2602.90033 ,  {size})\n{rule}\n"
    );
    format!("received from  Wed  4 Feb 26 19:00:00 GMT  to  Thu  {day} Feb 26 19:00:00 GMT\n\n{rule}\n{entry}")
        .into_bytes()
}

/// The only pair that differs.
fn only_change<'a, T>(before: &'a [T], after: &'a [T], same: impl Fn(&T, &T) -> bool) -> (&'a T, &'a T) {
    assert_eq!(before.len(), after.len(), "nothing is posted anew");
    let mut changed = before.iter().zip(after).filter(|(before, after)| !same(before, after));
    let change = changed.next().expect("one is edited");
    assert!(changed.next().is_none(), "and no other");
    change
}

fn embeds(message: &Value) -> &[Value] {
    message["embeds"].as_array().map_or(&[], Vec::as_slice)
}

#[tokio::test]
async fn a_replaced_and_then_withdrawn_paper_is_marked_in_the_posted_messages() {
    let data = tempfile::tempdir().unwrap();
    let telegram = FakeTelegram::start(&[GROUP]).await;
    let discord = FakeDiscord::start().await;
    let channels = [
        format!("telegram:{GROUP}"),
        format!("discord:{CHANNEL}"),
        "web:lobby".to_owned(),
    ];
    let channels: String = channels.iter().map(|place| channel(place)).collect();
    let program = Program::start(&config(Some(&telegram), Some(&discord), &channels), data.path()).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    let titles = program.titles().await;
    let number = 1 + titles
        .iter()
        .position(|title| title == TITLE)
        .expect("the sample's topic keeps it");
    program.post(&[]).await;
    program.delivered().await;
    let (sent, posted) = (telegram.messages(GROUP), discord.messages(CHANNEL));
    let posts = discord.posts();

    let taken = program.ingest("mailing_next.txt", &sample("mailing_next.txt")).await;
    assert_eq!(
        taken.corrections, 1,
        "one digest, whichever channels have it: {taken:?}"
    );
    program.delivered().await;
    let corrected = telegram.messages(GROUP);
    let same = |a: &Sent, b: &Sent| a.text == b.text && a.entities == b.entities;
    let (before, after) = only_change(&sent, &corrected, same);
    assert_eq!((before.id, &before.keyboard), (after.id, &after.keyboard));
    let line = format!("{number}. {TITLE}\n");
    let marked = format!("{number}. ✎ {TITLE}\nNew version of 4 Feb.\n");
    assert!(after.text.contains(&marked), "{}", after.text);
    assert_eq!(after.text.replace(&marked, &line), before.text);
    assert_eq!(telegram.calls("sendMessage").len(), sent.len());

    let edited = discord.messages(CHANNEL);
    let same = |a: &Value, b: &Value| a["embeds"] == b["embeds"] && a["content"] == b["content"];
    let (before, after) = only_change(&posted, &edited, same);
    // Its mark stays; what is voted for has its new title.
    assert_eq!(
        (&before["id"], &before["components"][0]),
        (&after["id"], &after["components"][0])
    );
    assert!(
        after["components"]
            .to_string()
            .contains(&format!("{number}. ✎ {TITLE}"))
    );
    assert_eq!(discord.posts(), posts);
    let (_, embed) = only_change(embeds(before), embeds(after), |a, b| a == b);
    assert_eq!(embed["title"], format!("{number}. ✎ {TITLE}"));
    assert!(
        embed["description"]
            .as_str()
            .unwrap()
            .starts_with("New version of 4 Feb."),
        "{embed}"
    );

    let page = || async {
        reqwest::get(program.page("/c/lobby"))
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    };
    assert!(page().await.contains("New version of 4 Feb."));

    // Withdrawn: the same part changes again, and so does what a person gets who asks.
    let taken = program.ingest("withdrawn.txt", &replacement(5, "0kb,I")).await;
    assert_eq!(taken.corrections, 1, "{taken:?}");
    program.delivered().await;
    let withdrawn = telegram.messages(GROUP);
    assert_eq!(withdrawn.len(), sent.len());
    let marked = format!("{number}. ⊘ {TITLE}\nWithdrawn, ");
    assert!(
        withdrawn.iter().any(|message| message.text.contains(&marked)),
        "{withdrawn:?}"
    );
    let titles: Vec<String> = numbered(withdrawn.iter().map(|message| message.text.as_str()))
        .into_iter()
        .map(|(_, title)| title.replace("⊘ ", ""))
        .collect();
    assert_eq!(titles, program_titles(&sent));
    telegram.push_text(GROUP, "ada", &format!("/paper {number}"));
    let answers = telegram.wait_for_messages(GROUP, sent.len() + 1).await;
    let answer = answers.last().unwrap();
    assert!(
        answer.text.contains("⊘") && answer.text.contains("Withdrawn, "),
        "{}",
        answer.text
    );
    program.stop().await;
}

fn program_titles(sent: &[Sent]) -> Vec<String> {
    let all = numbered(sent.iter().map(|message| message.text.as_str()));
    all.into_iter().map(|(_, title)| title).collect()
}

#[tokio::test]
async fn a_message_that_is_gone_is_left_and_nobody_is_woken() {
    let data = tempfile::tempdir().unwrap();
    let telegram = FakeTelegram::start(&[GROUP]).await;
    let place = format!("telegram:{GROUP}");
    let program = Program::start(&config(Some(&telegram), None, &channel(&place)), data.path()).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    program.post(&[]).await;
    program.delivered().await;
    let sent = telegram.messages(GROUP);

    let down = telegram::Fault::refuse(500, "Internal Server Error");
    let gone = telegram::Fault::refuse(400, "Bad Request: message to edit not found");
    telegram.script("editMessageText", [down, gone]);
    program.ingest("mailing_next.txt", &sample("mailing_next.txt")).await;
    // It waits for its second try.
    let waiting = eventually("the correction in the queue", || async {
        match program.ask(Request::Queue).await {
            Response::Queue(listing) => listing.waiting.into_iter().find(|entry| entry.attempts > 0),
            other => panic!("{other:?}"),
        }
    })
    .await;
    assert_eq!((waiting.correction, waiting.parts, waiting.id.revision), (true, 1, 1));
    program.delivered().await;
    assert_eq!(telegram.calls("editMessageText").len(), 2);
    assert_eq!(telegram.messages(GROUP).len(), sent.len());
    let (id, action) = (waiting.id, QueueAction::Show);
    let Response::Delivery(details) = program.ask(Request::Delivery { id, action }).await else {
        panic!("it is kept")
    };
    assert_eq!(details.entry.arrived, 0);
    let decided: Vec<String> = details
        .decisions
        .iter()
        .map(|decided| decided.verdict.to_string())
        .collect();
    assert!(decided.concat().contains("message to edit not found"), "{decided:?}");
    let Response::Queue(listing) = program.ask(Request::Queue).await else {
        panic!("a list")
    };
    assert_eq!((listing.waiting, listing.dead_letters), (vec![], vec![]));
    program.stop().await;
}
