//! What 100,000 rules cost a paper, over a real mailing where there is one beside the repository: the one pass, the same
//! rules one by one, and the least that any one pass does: an automaton over the same phrases and the same text. Then what
//! one rule more or less costs, and how much memory all of them take.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

use std::hint::black_box;
use std::path::Path;

use aho_corasick::AhoCorasick;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use paperwire_core::paper::{Field, Paper, PaperId};
use paperwire_core::rule::{Facts, Rule, RuleSet, explain};
use paperwire_core::source::{SourceKind, arxiv_mail};

const RULES: usize = 100_000;

/// What the process holds, in MiB, as Linux counts it.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

fn mailing(day: &str) -> Vec<Paper> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(2).take(2);
    let mail = above
        .map(|folder| folder.join("shared/data/arxiv-mail").join(day).join("mail.txt"))
        .find_map(|mail| std::fs::read(mail).ok());
    let parsed = mail.and_then(|bytes| arxiv_mail::parse(&bytes).ok());
    parsed
        .map(|parsed| parsed.items.into_iter().map(|item| item.paper).collect())
        .unwrap_or_default()
}

/// Papers of invented words whose frequencies fall as those of a language do.
fn invented(count: usize) -> Vec<Paper> {
    let mut numbers = Numbers(7);
    let mut text = |words: usize| {
        let word = |_| {
            let rank = (20_000.0_f64.powf(numbers.below(1_000_000) as f64 / 1e6)) as usize;
            format!("w{rank}ord")
        };
        (0..words).map(word).collect::<Vec<_>>().join(" ")
    };
    let field = |text| Some(Field::new(text, SourceKind::ArxivMail));
    let paper = |n: usize| {
        let mut paper = Paper::new(PaperId::Arxiv(format!("2510.{n:05}")));
        paper.title = field(text(10));
        paper.abstract_text = field(text(180));
        paper.categories = Some(Field::new(vec!["cs.CL".to_owned()], SourceKind::ArxivMail));
        paper
    };
    (0..count).map(paper).collect()
}

/// Phrases of one to three words from titles, distinct.
fn phrases(papers: &[Paper], count: usize) -> Vec<String> {
    let mut numbers = Numbers(1);
    let mut seen = std::collections::HashSet::new();
    let mut phrases = Vec::new();
    for _ in 0..count * 20 {
        let paper = &papers[numbers.below(papers.len())];
        let source = if numbers.below(3) == 0 {
            paper.abstract_text()
        } else {
            paper.title()
        };
        let words: Vec<&str> = source
            .split(|c: char| !c.is_alphanumeric() && c != '-')
            .filter(|word| word.len() > 2)
            .collect();
        let length = 1 + numbers.below(3);
        if words.len() < length {
            continue;
        }
        let at = numbers.below(words.len() - length + 1);
        let phrase = words[at..at + length].join(" ").to_lowercase();
        if seen.insert(phrase.clone()) {
            phrases.push(phrase);
        }
        if phrases.len() == count {
            break;
        }
    }
    phrases
}

/// As people write them: mostly phrases, some with a second word, a negation, a field.
fn mixed(papers: &[Paper], phrases: &[String]) -> Vec<String> {
    let mut numbers = Numbers(3);
    let pick = |numbers: &mut Numbers| phrases[numbers.below(phrases.len())].clone();
    let authors: Vec<&String> = papers.iter().flat_map(|paper| paper.authors()).collect();
    let rule = |n: usize| {
        let phrase = &phrases[n % phrases.len()];
        match n % 10 {
            0 => format!("title:\"{phrase}\""),
            1 => format!("{phrase} -\"{}\"", pick(&mut numbers)),
            2 => format!("\"{phrase}\" OR \"{}\"", pick(&mut numbers)),
            3 if !authors.is_empty() => {
                format!("author:\"{}\"", authors[numbers.below(authors.len())].replace('"', ""))
            }
            4 => format!("{phrase} cat:cs.CL"),
            5 => format!(
                "\"{phrase}\" (\"{}\" OR \"{}\")",
                pick(&mut numbers),
                pick(&mut numbers)
            ),
            6 if n % 200 == 6 => format!("/{}.?{}/", phrase.replace(' ', "."), numbers.below(10)),
            _ => format!("\"{phrase}\" {}", pick(&mut numbers)),
        }
    };
    (0..RULES).map(rule).collect()
}

fn parsed(texts: &[String]) -> Vec<Rule> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

fn keyed(rules: &[Rule]) -> impl Iterator<Item = (u64, &Rule)> {
    rules.iter().enumerate().map(|(n, rule)| (n as u64, rule))
}

fn rules(c: &mut Criterion) {
    let day = mailing("2025-10-09");
    let papers = if day.is_empty() { invented(600) } else { day };
    // One mailing has not enough distinct phrases.
    let days = [
        "2025-09-01",
        "2025-09-04",
        "2025-09-08",
        "2025-09-09",
        "2025-09-15",
        "2025-09-17",
        "2025-10-02",
        "2025-10-10",
    ];
    let mut source: Vec<Paper> = days.into_iter().flat_map(mailing).collect();
    source.extend(if source.is_empty() {
        invented(4_000)
    } else {
        papers.clone()
    });
    let distinct = phrases(&source, RULES);
    let exact: Vec<String> = distinct.iter().map(|phrase| format!("\"{phrase}\"")).collect();
    let inflected: Vec<String> = distinct.iter().map(|phrase| phrase.replace(' ', "-")).collect();
    let bare = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(&distinct)
        .unwrap();
    let scan = |paper: &Paper| {
        bare.find_overlapping_iter(paper.title()).count() + bare.find_overlapping_iter(paper.abstract_text()).count()
    };
    let contains = |paper: &Paper| {
        let text = format!("{}\n{}", paper.title(), paper.abstract_text()).to_lowercase();
        distinct.iter().filter(|phrase| text.contains(&***phrase)).count()
    };

    let mut group = c.benchmark_group(format!("{} papers", papers.len()));
    group
        .throughput(Throughput::Elements(papers.len() as u64))
        .sample_size(10);
    table(
        &format!("{} distinct phrases", distinct.len()),
        "papers/s",
        "s to build",
        "MiB",
    );
    let (_, seconds) = timed(|| AhoCorasick::new(&distinct));
    let mib = bare.memory_usage() as f64 / f64::from(1 << 20);
    row("bare aho-corasick", rate(&papers, scan), seconds, mib);
    row(
        "`contains` for each phrase",
        rate(&papers[..papers.len().min(20)], contains),
        0.0,
        0.0,
    );
    for (name, texts) in [
        ("phrases, exact", exact),
        ("phrases, inflected", inflected),
        ("mixed rules", mixed(&source, &distinct)),
    ] {
        let rules = parsed(&texts);
        let before = resident();
        let (mut set, seconds) = timed(|| RuleSet::new(keyed(&rules)));
        let memory = resident() - before;
        let find = |paper: &Paper| set.find(&Facts::of(paper)).len();
        let hits: usize = papers.iter().map(find).sum();
        row(name, rate(&papers, find), seconds, memory);
        println!(
            "    {} rules, {:.1} hit a paper",
            set.len(),
            hits as f64 / papers.len() as f64
        );
        let alone = |paper: &Paper| {
            let holds = |rule: &&Rule| explain(rule, &Facts::of(paper)).holds();
            rules.iter().filter(holds).count()
        };
        row(&format!("{name}, one by one"), rate(&papers[..1], alone), 0.0, 0.0);
        group.bench_function(name, |b| {
            b.iter(|| {
                let find = |paper| set.find(&Facts::of(black_box(paper))).len();
                papers.iter().map(find).sum::<usize>()
            });
        });
        let more: Rule = "\"kv cache\" -survey cat:cs.* OR speculative decoding".parse().unwrap();
        let (_, seconds) = timed(|| {
            for n in 0..1_000 {
                set.insert(u64::MAX - n, &more);
                set.remove(u64::MAX - n);
            }
        });
        println!("    one rule more and one less: {:.1} µs", seconds * 1e3);
    }
    group.finish();
}

fn table(head: &str, a: &str, b: &str, c: &str) {
    println!("{head:<36} {a:>10} {b:>12} {c:>8}");
}

fn row(name: &str, rate: f64, seconds: f64, mib: f64) {
    println!("{name:<36} {rate:>10.1} {seconds:>12.3} {mib:>8.1}");
}

/// Seconds on a processor, which other processes do not change; Linux alone tells them. Elsewhere the figure is none.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = stat.split_whitespace().next().and_then(|n| n.parse::<f64>().ok());
    nanoseconds.unwrap_or(f64::NAN) / 1e9
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let before = processor();
    let done = work();
    (done, processor() - before)
}

/// Papers a second, on one processor.
fn rate(papers: &[Paper], each: impl Fn(&Paper) -> usize) -> f64 {
    let rounds = if papers.len() > 100 { 5 } else { 1 };
    let work = || {
        (0..rounds).for_each(|_| {
            papers.iter().for_each(|paper| {
                black_box(each(black_box(paper)));
            })
        })
    };
    let (_, seconds) = timed(work);
    (rounds * papers.len()) as f64 / seconds
}

criterion_group!(benches, rules);
criterion_main!(benches);
