//! The program as it is started in earnest: the binary, with tokens and addresses in its environment.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::{Child, Command};

use crate::fake::discord::{self, FakeDiscord};
use crate::fake::telegram::{self, FakeTelegram};
use crate::program::{eventually, sample};

const GROUP: i64 = -100_123;
const CHANNEL: u64 = 123_456_789_012_345_678;

/// Beside this test's own folder; `cargo test` at the root builds it, since its package has tests that need it.
pub(crate) fn binary() -> Option<PathBuf> {
    let test = std::env::current_exe().unwrap();
    let binary = test.parent().and_then(|deps| deps.parent())?.join("paperwire");
    binary.is_file().then_some(binary)
}

#[tokio::test]
async fn the_binary_posts_the_digest_to_a_group_and_a_channel_and_answers_paper_4_in_both() {
    let Some(binary) = binary() else {
        println!("skipped: no paperwire beside the test; run cargo test at the root");
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let telegram = FakeTelegram::start(&[GROUP]).await;
    let discord = FakeDiscord::start().await;
    let environment = [
        ("PAPERWIRE_DATA", data.path().display().to_string()),
        ("PAPERWIRE_WEB__LISTEN", "127.0.0.1:0".to_owned()),
        ("PAPERWIRE_TELEGRAM__TOKEN", telegram::TOKEN.to_owned()),
        ("PAPERWIRE_TELEGRAM__API_URL", telegram.url().to_owned()),
        ("PAPERWIRE_DISCORD__TOKEN", discord::TOKEN.to_owned()),
        ("PAPERWIRE_DISCORD__API_URL", discord.url()),
        ("PAPERWIRE_CHANNEL__0__PLACE", format!("telegram:{GROUP}")),
        ("PAPERWIRE_CHANNEL__0__TOPICS", "inference".to_owned()),
        ("PAPERWIRE_CHANNEL__1__PLACE", format!("discord:{CHANNEL}")),
        ("PAPERWIRE_CHANNEL__1__TOPICS", "inference".to_owned()),
    ];
    let paperwire = |args: &[&str]| {
        let mut command = Command::new(&binary);
        command.env_clear();
        command
            .args(args)
            .envs(environment.clone())
            .current_dir(data.path())
            .kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let mut running: Child = paperwire(&["run"]).spawn().unwrap();
    eventually("it to serve", || async {
        data.path().join("paperwire.sock").exists().then_some(())
    })
    .await;
    let mailing = data.path().join("mailing.txt");
    std::fs::write(&mailing, sample("mailing.txt")).unwrap();
    for args in [&["ingest", "mailing.txt"][..], &["post"]] {
        assert!(paperwire(args).status().await.unwrap().success(), "{args:?}");
    }
    eventually("both digests to arrive whole", || async {
        let text = |n: usize| {
            telegram
                .messages(GROUP)
                .iter()
                .any(|m| m.text.contains(&format!("{n}/{n}")))
        };
        let content = |n: usize| {
            let posts = discord.messages(CHANNEL);
            posts
                .iter()
                .any(|m| m["content"].as_str().unwrap_or_default().contains(&format!("{n}/{n}")))
        };
        ((2..9).any(text) && (2..9).any(content)).then_some(())
    })
    .await;

    let before = telegram.messages(GROUP).len();
    telegram.push_text(GROUP, "ada", "/paper 4");
    let answered = telegram.wait_for_messages(GROUP, before + 1).await;
    let fourth = answered[before].text.lines().next().unwrap();
    assert!(fourth.starts_with("4. "), "{fourth}");
    discord.ready().await;
    let asked = discord.interact(CHANNEL, "paper", &[("which", "4")]);
    let reply = discord.replies(&asked, 1).await;
    assert!(format!("{reply:?}").contains(fourth), "{fourth} is not in {reply:?}");
    running.kill().await.unwrap();
}
