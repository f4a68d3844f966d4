//! The drop folder.

use std::fs;

use crate::program::{Program, channel, config, eventually, sample};

#[tokio::test]
async fn a_file_is_taken_in_and_moved_a_bad_one_is_rejected_with_a_sentence_and_an_unfinished_one_waits() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let program = Program::start(&config(None, None, &channel("web:lobby")), data).await;
    let inbox = data.join("inbox");
    let mailing = sample("mailing.txt");
    // What is copied under another name is not finished.
    fs::write(inbox.join("next.txt.part"), sample("mailing_next.txt")).unwrap();
    fs::write(inbox.join("mailing.txt"), &mailing).unwrap();
    fs::write(inbox.join("letter.txt"), "Dear list, my paper is attached.\n").unwrap();
    let there = |name: &str| {
        let path = data.join(name);
        async move { path.exists().then_some(()) }
    };
    eventually("the mailing in done/", || there("done/mailing.txt")).await;
    eventually("the note", || there("rejected/letter.txt.why.txt")).await;
    assert_eq!(fs::read(data.join("done/mailing.txt")).unwrap(), mailing);
    let why = fs::read_to_string(data.join("rejected/letter.txt.why.txt")).unwrap();
    assert!(why.starts_with("letter.txt: ") && why.trim_end().len() > 30, "{why}");
    assert!(data.join("rejected/letter.txt").exists());
    assert_eq!(program.status().await.windows, 1);
    assert!(inbox.join("next.txt.part").exists());

    fs::rename(inbox.join("next.txt.part"), inbox.join("next.txt")).unwrap();
    eventually("the next mailing in done/", || there("done/next.txt")).await;
    assert_eq!(program.status().await.windows, 2);
    assert_eq!(fs::read_dir(&inbox).unwrap().count(), 0);

    // The same again is no harm, and the note says what it was.
    fs::write(inbox.join("mailing.txt"), &mailing).unwrap();
    eventually("the note", || there("done/mailing-2.txt.why.txt")).await;
    let note = fs::read_to_string(data.join("done/mailing-2.txt.why.txt")).unwrap();
    assert!(note.contains("the same content was taken in on"), "{note}");
    program.stop().await;
}
