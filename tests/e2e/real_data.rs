//! The program over the real mailings and reports beside the repository, where they are.

use std::fs;
use std::path::{Path, PathBuf};

use crate::fake::telegram::FakeTelegram;
use crate::program::{Program, channel, config};

/// A file or folder of the real data; none, with a printed line, where it is absent.
fn real(name: &str) -> Option<PathBuf> {
    // One folder further up where this is a second work tree.
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(2).take(2);
    let found = above
        .map(|folder| folder.join("shared/data").join(name))
        .find(|data| data.exists());
    if found.is_none() {
        println!("skipped: no ../shared/data beside the repository");
    }
    found
}

/// The days in order, with their mailing and reports.
fn days() -> Vec<(String, PathBuf, Vec<PathBuf>)> {
    let Some(folder) = real("arxiv-mail") else {
        return Vec::new();
    };
    let entries = |folder: &Path| {
        let mut paths: Vec<PathBuf> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.sort();
        paths
    };
    let day = |path: PathBuf| {
        let mut reports = entries(&path);
        reports.retain(|file| file.extension().is_some_and(|ending| ending == "md"));
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, path.join("mail.txt"), reports)
    };
    entries(&folder).into_iter().map(day).collect()
}

#[tokio::test]
async fn every_real_mailing_is_taken_in_whole_and_its_reports_find_their_papers() {
    let days = days();
    if days.is_empty() {
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(&config(None, None, &channel("web:lobby")), data.path()).await;
    println!(
        "{:<12} {:>5} {:>5} {:>8}   report: joined of all",
        "day", "new", "known", "replaced"
    );
    for (day, mail, reports) in days {
        let before = program.status().await;
        let mailing = program.ingest(&day, &fs::read(mail).unwrap()).await;
        let after = program.status().await;
        assert_eq!((mailing.papers_rejected, &mailing.rejected), (0, &Vec::new()), "{day}");
        if day == "2025-10-10" {
            assert_eq!(
                (after.papers, after.windows),
                (before.papers, before.windows),
                "{day} is 2025-10-09 again"
            );
            assert_eq!((mailing.papers_new, mailing.papers_updated, mailing.windows), (0, 0, 0));
        } else {
            assert!(mailing.papers_new > 100 && mailing.windows == 1, "{day}: {mailing:?}");
        }
        for report in reports {
            let name = report.file_name().unwrap().to_string_lossy().into_owned();
            let taken = program.ingest(&name, &fs::read(&report).unwrap()).await;
            let joined = taken.papers_known + taken.papers_updated;
            let all = joined + taken.papers_new + taken.papers_rejected;
            println!(
                "{day:<12} {:>5} {:>5} {:>8}   {name}: {joined} of {all}",
                mailing.papers_new, mailing.papers_known, mailing.replacements
            );
            // The report of 2025-09-15 that has nothing but refusals in it joins nothing.
            if name != "report_20250923_112629.md" {
                assert!(joined * 10 >= all * 8, "{name}: {taken:?}");
            }
        }
    }
    program.stop().await;
}

#[tokio::test]
async fn a_real_report_with_all_of_its_abstracts_is_one_post_in_the_rich_style() {
    const GROUP: i64 = -1_001_234_567_890;
    let Some(report) = real("seed_report.md") else { return };
    let data = tempfile::tempdir().unwrap();
    let fake = FakeTelegram::start(&[GROUP]).await;
    let channels = format!("{}style = \"rich\"\n", channel(&format!("telegram:{GROUP}")));
    let program = Program::start(&config(Some(&fake), None, &channels), data.path()).await;
    program.ingest("seed_report.md", &fs::read(report).unwrap()).await;
    program.post(&[]).await;
    program.delivered().await;
    program.stop().await;
    let sent = fake.messages(GROUP);
    let mut all = Vec::new();
    for post in &sent {
        let html = post.request["rich_message"]["html"].as_str().unwrap();
        let (papers, abstracts) = (html.matches("<h4>").count(), html.matches("<details>").count());
        println!(
            "{papers} papers, {abstracts} abstracts, {} characters",
            post.text.chars().count()
        );
        all.push((papers, abstracts));
    }
    // Two papers of the report have no abstract worth folding.
    assert_eq!(all, [(21, 19)]);
}
