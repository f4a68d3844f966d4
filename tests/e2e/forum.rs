//! A digest in a forum: a post of its own, made once whatever happens on the way.

use std::path::Path;

use paperwire_config::Config;

use crate::fake::discord::{FakeDiscord, Fault, Post};
use crate::program::{Program, channel, config, counted, embed_titles, eventually, sample};

const FORUM: u64 = 123_456_789_012_345_678;

async fn a_forum() -> (FakeDiscord, Config) {
    let discord = FakeDiscord::start().await;
    discord.forum(FORUM, &[(7, false)], true);
    let config = config(None, Some(&discord), &channel(&format!("discord:{FORUM}")));
    (discord, config)
}

async fn with_a_digest_queued(config: &Config, data: &Path) -> (Program, Vec<String>) {
    let program = Program::start(config, data).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    let titles = program.titles().await;
    program.post(&[]).await;
    (program, titles)
}

/// The only post, which has all these papers in order.
fn only_post(discord: &FakeDiscord, titles: &[String]) -> Post {
    let [post] = discord.forum_posts().try_into().unwrap();
    let messages = discord.messages(post.id);
    assert!(messages.len() > 1, "in several parts: {messages:?}");
    assert_eq!(embed_titles(&messages), counted(titles));
    assert_eq!(discord.messages(FORUM).len(), 0);
    post
}

#[tokio::test]
async fn a_digest_is_a_post_of_its_own_and_its_corrections_find_it_though_it_is_closed() {
    let data = tempfile::tempdir().unwrap();
    let (discord, config) = a_forum().await;
    let (program, titles) = with_a_digest_queued(&config, data.path()).await;
    let status = program.delivered().await;
    assert!(status.channels[0].paused.is_none(), "{status:?}");
    let post = only_post(&discord, &titles);
    assert_eq!(post.tags, [7]);
    assert!(post.name.contains("AI inference acceleration"), "{}", post.name);
    program.stop().await;

    discord.close(post.id);
    let before = discord.messages(post.id);
    let program = Program::start(&config, data.path()).await;
    let taken = program.ingest("mailing_next.txt", &sample("mailing_next.txt")).await;
    assert_eq!(taken.corrections, 1, "{taken:?}");
    program.delivered().await;
    let after = discord.messages(post.id);
    let changed: Vec<_> = before
        .iter()
        .zip(&after)
        .filter(|(a, b)| a["embeds"] != b["embeds"])
        .collect();
    assert_eq!((changed.len(), before.len()), (1, after.len()));
    assert!(changed[0].1["embeds"].to_string().contains('✎'));
    assert!(discord.forum_posts()[0].archived.is_some());

    // The next digest is the next post.
    program.post(&[]).await;
    program.delivered().await;
    program.stop().await;
    assert_eq!(discord.forum_posts().len(), 2);
}

#[tokio::test]
async fn a_post_that_was_made_just_before_a_death_is_found_and_gets_the_rest() {
    let data = tempfile::tempdir().unwrap();
    let (discord, config) = a_forum().await;
    discord.fault(Fault::AcceptAndHang);
    let (program, titles) = with_a_digest_queued(&config, data.path()).await;
    eventually("the post", || async {
        (!discord.forum_posts().is_empty()).then_some(())
    })
    .await;
    program.die().await;

    let program = Program::start(&config, data.path()).await;
    program.delivered().await;
    program.stop().await;
    only_post(&discord, &titles);
}

#[tokio::test]
async fn a_part_that_was_taken_just_before_a_death_stands_once_in_its_post() {
    let data = tempfile::tempdir().unwrap();
    let (discord, config) = a_forum().await;
    discord.fault(Fault::Pass);
    discord.fault(Fault::AcceptAndHang);
    let (program, titles) = with_a_digest_queued(&config, data.path()).await;
    eventually("the second part", || async {
        let post = discord.forum_posts().first()?.id;
        (discord.messages(post).len() == 2).then_some(())
    })
    .await;
    program.die().await;

    let program = Program::start(&config, data.path()).await;
    program.delivered().await;
    program.stop().await;
    only_post(&discord, &titles);
}

#[tokio::test]
async fn faults_and_a_lost_answer_on_the_way_make_one_post() {
    let data = tempfile::tempdir().unwrap();
    let (discord, config) = a_forum().await;
    for fault in [
        Fault::Internal,
        Fault::RouteLimit(0.2),
        Fault::CloseAfter,
        Fault::SharedLimit(0.1),
    ] {
        discord.fault(fault);
    }
    let (program, titles) = with_a_digest_queued(&config, data.path()).await;
    program.delivered().await;
    program.stop().await;
    only_post(&discord, &titles);
}
