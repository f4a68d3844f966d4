//! The real data beside the repository, for tests that run where it is present.

use std::path::PathBuf;

use crate::paper::{Field, Paper, PaperId};
use crate::source::SourceKind;
use crate::text;

/// The folder of real data, or `None` with a printed line.
pub(crate) fn real_data() -> Option<PathBuf> {
    // Beside the repository; one folder further up where this is a second work tree of it.
    let above = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .skip(2)
        .take(2);
    let found = above
        .map(|folder| folder.join("shared/data"))
        .find(|data| data.is_dir());
    if found.is_none() {
        println!("skipped: no ../shared/data beside the repository");
    }
    found
}

/// The days of mailings, in order.
pub(crate) fn real_days() -> Vec<PathBuf> {
    let Some(folder) = real_data() else { return Vec::new() };
    let mut days: Vec<PathBuf> = std::fs::read_dir(folder.join("arxiv-mail"))
        .unwrap()
        .map(|day| day.unwrap().path())
        .collect();
    days.sort();
    days
}

/// Every real report: its name with its day's, and its text.
pub(crate) fn real_reports() -> Vec<(String, String)> {
    let Some(folder) = real_data() else { return Vec::new() };
    let mut files = vec![folder.join("seed_report.md")];
    for day in real_days() {
        let mut reports: Vec<PathBuf> = std::fs::read_dir(day)
            .unwrap()
            .map(|file| file.unwrap().path())
            .filter(|file| file.extension().is_some_and(|e| e == "md"))
            .collect();
        reports.sort();
        files.extend(reports);
    }
    files
        .into_iter()
        .map(|file| {
            let name = file.strip_prefix(&folder).unwrap().display().to_string();
            (name, std::fs::read_to_string(&file).unwrap())
        })
        .collect()
}

/// Ids, titles and abstracts of a day's mailing, read roughly: enough for tests of what comes after the parser.
pub(crate) fn real_mailing(day: &str) -> Vec<Paper> {
    let Some(folder) = real_data() else { return Vec::new() };
    let mail = std::fs::read_to_string(folder.join("arxiv-mail").join(day).join("mail.txt")).unwrap();
    let mut papers: Vec<Paper> = Vec::new();
    for item in mail.split("\n\\\\\narXiv:").skip(1) {
        let id: PaperId = item.split_whitespace().next().unwrap().parse().unwrap();
        let (head, rest) = item.split_once("\n\\\\").unwrap();
        let title = head
            .split_once("\nTitle: ")
            .unwrap()
            .1
            .split_once("\nAuthors: ")
            .unwrap()
            .0;
        let body = rest
            .strip_prefix('\n')
            .and_then(|rest| rest.split_once("\n\\\\"))
            .map_or("", |(body, _)| body);
        let field =
            |raw: &str| Some(Field::new(text::one_line(raw), SourceKind::ArxivMail)).filter(|f| !f.value.is_empty());
        let mut paper = Paper::new(id);
        paper.title = field(title);
        paper.abstract_text = field(body);
        papers.push(paper);
    }
    papers
}

/// The topic that is shipped.
pub(crate) fn real_topic() -> crate::topic::Topic {
    toml::from_str(include_str!("../../config/topics/inference.toml")).unwrap()
}
