//! The page as the program serves it, to a client and to a real browser.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use crate::program::{Program, channel, config, sample};

async fn get(url: String) -> String {
    let response = reqwest::get(url).await.unwrap();
    assert_eq!(response.status(), 200);
    response.text().await.unwrap()
}

#[tokio::test]
async fn the_page_shows_the_digest_answers_what_is_asked_and_tells_of_a_new_one() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(&config(None, None, &channel("web:lobby")), data.path()).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    let titles = program.titles().await;
    program.post(&[]).await;
    program.delivered().await;
    // A reader that knows the one channel is led there.
    let page = get(program.page("/")).await;
    assert!(page.contains(&titles[3]), "{}", titles[3]);

    let ask = reqwest::Client::new()
        .post(program.page("/c/lobby/ask"))
        .header("paperwire-fragment", "1")
        .form(&[("text", "/paper 4")]);
    let answer = ask.send().await.unwrap().text().await.unwrap();
    assert!(answer.contains(&titles[3]) && !answer.contains(&titles[4]), "{answer}");

    let key = page
        .split("data-after=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap();
    let mut events = reqwest::get(program.page(&format!("/c/lobby/events?after={key}")))
        .await
        .unwrap();
    program.ingest("mailing_next.txt", &sample("mailing_next.txt")).await;
    let newer = program.titles().await;
    program.post(&["web:lobby"]).await;
    let heard = async {
        let mut heard = String::new();
        while !heard.contains(&newer[1]) {
            let chunk = events.chunk().await.unwrap().expect("the stream goes on");
            heard.push_str(&String::from_utf8_lossy(&chunk));
        }
        heard
    };
    let heard = tokio::time::timeout(Duration::from_secs(20), heard)
        .await
        .expect("the new digest");
    let (edits, new): (Vec<&str>, Vec<&str>) = heard
        .lines()
        .filter(|line| line.starts_with("data: "))
        .partition(|line| line.contains("\"edited\":true"));
    assert!(
        new.iter().all(|post| !post.contains(&titles[3])),
        "only what is new: {new:?}"
    );
    // The new mailing replaces a paper of the first digest.
    assert!(
        edits.iter().all(|edit| edit.contains(key) && edit.contains("✎")),
        "{edits:?}"
    );
    assert_eq!(edits.len(), 1, "{heard}");
    // An open stream does not hold up the end.
    program.stop().await;
}

/// A browser's program, or `None` with a printed line.
fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|program| program.is_file());
    if found.is_none() {
        println!("skipped: Chromium is not installed");
    }
    found
}

#[tokio::test]
async fn a_browser_shows_the_fourth_paper_of_the_digest() {
    let Some(browser) = browser() else { return };
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(&config(None, None, &channel("web:lobby")), data.path()).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    let titles = program.titles().await;
    program.post(&[]).await;
    program.delivered().await;
    let profile = tempfile::tempdir().unwrap();
    let shown = tokio::process::Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg("--dump-dom")
        .arg(program.page("/c/lobby"))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let shown = tokio::time::timeout(Duration::from_secs(30), shown).await;
    let shown = shown.expect("the browser ends").unwrap();
    let dom = String::from_utf8(shown.stdout).unwrap();
    assert!(dom.contains(&titles[3]), "{}: {dom}", titles[3]);
    program.stop().await;
}
