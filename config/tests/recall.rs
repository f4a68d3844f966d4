//! Measures the shipped topic on real mailings: of the papers that another system picked on the same day, how many does it
//! keep, and how many others? Runs where the data is, beside the repository.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use paperwire_core::paper::{Paper, PaperId};
use paperwire_core::report::{self, Entry};
use paperwire_core::source::arxiv_mail;
use paperwire_core::text;
use paperwire_core::topic::{Matcher, Topic, Verdict};

/// The days. None of their reports' papers may be missed.
const DAYS: [&str; 9] = [
    "2025-09-01",
    "2025-09-04",
    "2025-09-08",
    "2025-09-09",
    "2025-09-15",
    "2025-09-17",
    "2025-10-02",
    "2025-10-09",
    "2025-10-10",
];

/// More than this is no selection any more: one and a half times the 39 that another system's list of 465 terms keeps on
/// the largest day. Of 190 to 370 candidates a day, 23 to 52 were kept.
const KEPT_AT_MOST: usize = 58;

fn topic() -> Result<Topic, toml::de::Error> {
    toml::from_str(include_str!("../topics/inference.toml"))
}

#[test]
fn the_shipped_topic_says_each_term_once() {
    let topic = topic().expect("valid");
    let mut seen = BTreeSet::new();
    for term in topic.tiers.iter().flat_map(|tier| &tier.terms) {
        assert!(seen.insert(text::key(term)), "{term} stands there twice");
    }
    assert!(topic.tiers.iter().map(|tier| tier.weight).is_sorted_by(|a, b| a > b));
}

#[test]
fn the_shipped_topic_keeps_what_other_readers_picked_and_little_else() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/arxiv-mail");
    if !data.is_dir() {
        println!("skipped: no mailings in {}", data.display());
        return;
    }
    let matcher = Matcher::new(&[topic().expect("valid")]);
    println!("day         candidates  kept  in report  found  kept of them  recall");
    let mut failures = Vec::new();
    for day in DAYS {
        let mailing = fs::read(data.join(day).join("mail.txt")).expect("every day has a mailing");
        let items = arxiv_mail::parse(&mailing).expect("a mailing").items;
        let candidates: Vec<Paper> = items
            .into_iter()
            .filter(|item| item.announcement.is_candidate())
            .map(|item| item.paper)
            .collect();
        let kept: BTreeSet<&PaperId> = candidates
            .iter()
            .filter(|paper| matcher.score(paper).iter().any(|score| score.verdict == Verdict::Kept))
            .map(|paper| &paper.id)
            .collect();
        let entries: Vec<Entry> = reports(&data.join(day))
            .iter()
            .flat_map(|path| {
                report::read(&fs::read_to_string(path).expect("UTF-8"))
                    .expect("a report")
                    .entries
            })
            .filter(|entry| !(entry.title.is_empty() && entry.abstract_text.is_empty()))
            .collect();
        let found: BTreeSet<&PaperId> = entries.iter().filter_map(|entry| join(entry, &candidates)).collect();
        let hits = found.intersection(&kept).count();
        println!(
            "{day}  {:10}  {:4}  {:9}  {:5}  {hits:12}  {:6.3}",
            candidates.len(),
            kept.len(),
            entries.len(),
            found.len(),
            hits as f64 / found.len().max(1) as f64,
        );
        for id in found.difference(&kept) {
            println!("            missed {id}");
        }
        if found.is_empty() || found.len() > hits || kept.len() > KEPT_AT_MOST {
            failures.push(day);
        }
    }
    assert!(
        failures.is_empty(),
        "worse than measured on {failures:?}; see the table"
    );
}

fn reports(day: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(day)
        .into_iter()
        .flatten()
        .flatten()
        .map(|file| file.path());
    files
        .filter(|path| path.extension().is_some_and(|ext| ext == "md"))
        .collect()
}

/// The candidate that a report's entry means. Its title may be doubled, damaged or shortened.
fn join<'a>(entry: &Entry, candidates: &'a [Paper]) -> Option<&'a PaperId> {
    let (title, start) = (text::key(&entry.title), beginning(&entry.abstract_text));
    let named = |paper: &&Paper| !paper.title().is_empty() && title.contains(&text::key(paper.title()));
    let alike = |paper: &&Paper| strsim::normalized_levenshtein(&title, &text::key(paper.title())) > 0.85;
    let told = |paper: &&Paper| {
        start.len() > 100 && strsim::normalized_levenshtein(&start, &beginning(paper.abstract_text())) > 0.7
    };
    let find = |how: &dyn Fn(&&Paper) -> bool| candidates.iter().find(how);
    let found = find(&named).or_else(|| find(&alike)).or_else(|| find(&told));
    found.map(|paper| &paper.id)
}

fn beginning(abstract_text: &str) -> String {
    text::key(abstract_text).chars().take(300).collect()
}
