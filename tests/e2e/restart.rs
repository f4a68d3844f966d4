//! A stop or a death in the middle of a digest: the next start goes on with the next part.

use paperwire_config::Config;
use paperwire_core::channel::Place;
use paperwire_core::delivery::UncertainPolicy;
use serde_json::json;

use crate::fake::discord::{self, FakeDiscord};
use crate::fake::telegram::{FakeTelegram, Fault};
use crate::program::{Program, channel, config, counted, embed_titles, eventually, numbered, sample};

const GROUP: i64 = -100_123;
const CHANNEL: u64 = 123_456_789_012_345_678;

/// What a group has got.
fn arrived(fake: &FakeTelegram) -> Vec<(usize, String)> {
    let sent = fake.messages(GROUP);
    numbered(sent.iter().map(|message| message.text.as_str()))
}

async fn with_a_digest_queued(config: &Config, data: &std::path::Path) -> (Program, Vec<String>) {
    let program = Program::start(config, data).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    let titles = program.titles().await;
    program.post(&[]).await;
    (program, titles)
}

#[tokio::test]
async fn a_stop_between_two_parts_is_followed_by_the_next_part_after_the_start() {
    let data = tempfile::tempdir().unwrap();
    let telegram = FakeTelegram::start(&[GROUP]).await;
    let mut config = config(Some(&telegram), None, &channel(&format!("telegram:{GROUP}")));
    // What was given back in good order is not uncertain: this policy would skip it.
    config.telegram.uncertain = UncertainPolicy::Skip;
    let mut slow = config.clone();
    // Telegram's own pace: the stop comes while the second part waits for its permit.
    slow.telegram.per_chat_per_second = 1;
    let (program, titles) = with_a_digest_queued(&slow, data.path()).await;
    telegram.wait_for_messages(GROUP, 1).await;
    program.stop().await;
    let before = telegram.messages(GROUP).len();
    assert!(arrived(&telegram).len() < titles.len(), "stopped in the middle");

    let program = Program::start(&config, data.path()).await;
    let status = program.delivered().await;
    assert_eq!(status.waiting, 0);
    program.stop().await;
    assert!(telegram.messages(GROUP).len() > before);
    assert_eq!(arrived(&telegram), counted(&titles));
}

#[tokio::test]
async fn a_death_while_a_part_is_on_its_way_is_followed_by_that_part_at_the_start() {
    let data = tempfile::tempdir().unwrap();
    let telegram = FakeTelegram::start(&[GROUP]).await;
    telegram.script("sendMessage", [Fault::Pass, Fault::Hang]);
    let config = config(Some(&telegram), None, &channel(&format!("telegram:{GROUP}")));
    let (program, titles) = with_a_digest_queued(&config, data.path()).await;
    telegram
        .wait_until("the second part", || telegram.calls("sendMessage").len() == 2)
        .await;
    program.die().await;
    assert_eq!(telegram.messages(GROUP).len(), 1);

    let program = Program::start(&config, data.path()).await;
    program.delivered().await;
    program.stop().await;
    assert_eq!(arrived(&telegram), counted(&titles));
}

#[tokio::test]
async fn a_part_that_discord_took_just_before_a_death_appears_once() {
    let data = tempfile::tempdir().unwrap();
    let discord = FakeDiscord::start().await;
    discord.fault(discord::Fault::Pass);
    discord.fault(discord::Fault::AcceptAndHang);
    let config = config(None, Some(&discord), &channel(&format!("discord:{CHANNEL}")));
    let (program, titles) = with_a_digest_queued(&config, data.path()).await;
    discord.wait_for_messages(CHANNEL, 2).await;
    program.die().await;

    let program = Program::start(&config, data.path()).await;
    program.delivered().await;
    program.stop().await;
    let messages = discord.messages(CHANNEL);
    assert_eq!(embed_titles(&messages), counted(&titles));
    assert_eq!(
        discord.posts(),
        messages.len() + 1,
        "the second part was posted twice, with one nonce"
    );
}

#[tokio::test]
async fn where_the_policy_is_to_skip_a_part_in_flight_at_a_death_is_not_sent_again() {
    let data = tempfile::tempdir().unwrap();
    let telegram = FakeTelegram::start(&[GROUP]).await;
    telegram.script("sendMessage", [Fault::Pass, Fault::AcceptAndHang]);
    let mut config = config(Some(&telegram), None, &channel(&format!("telegram:{GROUP}")));
    config.telegram.uncertain = UncertainPolicy::Skip;
    let (program, titles) = with_a_digest_queued(&config, data.path()).await;
    telegram.wait_for_messages(GROUP, 2).await;
    program.die().await;

    let program = Program::start(&config, data.path()).await;
    program.delivered().await;
    program.stop().await;
    assert_eq!(arrived(&telegram), counted(&titles));
}

#[tokio::test]
async fn a_channel_that_moved_is_still_there_after_a_restart_though_the_configuration_has_its_old_place() {
    const OLD: i64 = -77;
    let data = tempfile::tempdir().unwrap();
    let telegram = FakeTelegram::start(&[GROUP]).await;
    let config = config(Some(&telegram), None, &channel(&format!("telegram:{OLD}")));
    let program = Program::start(&config, data.path()).await;
    telegram.push_message(OLD, json!({ "migrate_to_chat_id": GROUP }));
    let new = Place::telegram(GROUP, None);
    eventually("the move", || async {
        let status = program.status().await;
        status.channels.iter().any(|c| c.place == new).then_some(())
    })
    .await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    let titles = program.titles().await;
    program.post(&[]).await;
    program.delivered().await;
    assert_eq!(arrived(&telegram), counted(&titles));
    program.stop().await;
    let before = telegram.messages(GROUP).len();

    let program = Program::start(&config, data.path()).await;
    program.post(&[]).await;
    let status = program.delivered().await;
    program.stop().await;
    let places: Vec<&Place> = status.channels.iter().map(|c| &c.place).collect();
    assert_eq!(places, [&new]);
    let sent = telegram.messages(GROUP);
    assert_eq!(sent.len(), before + 1, "nothing again: {sent:?}");
}
