//! How fast a mailing is taken in: bytes to papers, with TeX, authors and abstracts read. Papers per second and bytes
//! per second are over the same mailing of 600 papers, about the size of a busy day.
#![allow(missing_docs)] // criterion's macros make public functions

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use chrono::DateTime;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use paperwire_core::channel::{Activity, Channel, Missed, Place, Platform, Settings, Style, WhenEmpty};
use paperwire_core::locale::Lang;
use paperwire_core::message::{Message, Part, Render};
use paperwire_core::pipeline;
use paperwire_core::source::{arxiv_mail, jsonl};
use paperwire_core::store::{SledStore, Store as _};
use paperwire_core::subscription::Subjects;
use paperwire_core::tex;
use paperwire_core::topic::{Tier, Topic, TopicId};

const PAPERS: usize = 600;

const ABSTRACT: &str = r"  We study how a cache of keys and values can be kept small while a model reads
long documents. Prior work evicts tokens by their attention, which fails where
a token matters late; we instead predict its use with a probe of
$\mathcal{O}(n \log n)$ cost. On three benchmarks -- two of retrieval, one of
code -- the memory falls by $4.2\times$ at $p < 10^{-3}$, and the ``needle''
is found in 98\% of all runs. A theoretical analysis after Est\'evez and
Nowak{\l} shows that the error is at most $\epsilon_1$.
  We release the code at https://github.com/example/cache_probe, together with
the traces of all runs, so that others can repeat what we did.
";

fn mailing() -> String {
    numbered(0, PAPERS, title_alike, |_| ABSTRACT.to_owned())
}

/// Titles that differ in a number alone.
fn title_alike(n: usize) -> String {
    format!("A Small Cache Number {n} for Models That Read Long Documents and\n  Answer in $O(\\log n)$")
}

/// A mailing of the papers with these numbers.
fn numbered(
    from: usize,
    count: usize,
    title_of: impl Fn(usize) -> String,
    abstract_of: impl Fn(usize) -> String,
) -> String {
    let rule = "-".repeat(78);
    let mut out =
        format!("{rule}\n received from  Thu  9 Oct 25 18:00:00 GMT  to  Fri 10 Oct 25 18:00:00 GMT\n{rule}\n{rule}\n");
    for n in from..from + count {
        let (title, abstract_text) = (title_of(n), abstract_of(n));
        let cross = if n % 5 == 0 { " (*cross-listing*)" } else { "" };
        let _ = write!(
            out,
            "\\\\\narXiv:2510.{n:05}{cross}\nDate: Wed, 8 Oct 2025 08:47:07 GMT   (1366kb)\n\nTitle: {title}\n\
             Authors: Ana Est\\'evez (1), \
             Bo Li (1 and 2), Micha{{\\l}} Nowak (2), and Cy Vance (2)\n  ((1) Institute of Caches, (2) University of \
             Probes)\nCategories: cs.LG cs.AI cs.CL\nComments: 18 pages, 11 figures\n\\\\\n{abstract_text}\\\\ ( \
             https://arxiv.org/abs/2510.{n:05} ,  1366kb)\n{rule}\n"
        );
    }
    out
}

/// Nothing is posted here.
struct Unseen;

impl Render for Unseen {
    fn render(&self, _: Platform, _: &Message) -> Vec<Part> {
        Vec::new()
    }
}

/// The abstract with its sentences between words of its own: no two papers share a passage.
fn varied(n: usize) -> String {
    let words: Vec<&str> = ABSTRACT.split_whitespace().collect();
    let mut state = n as u64 + 1;
    let mut out = String::from("  ");
    for at in 0..words.len() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let word = usize::try_from(state >> 33)
            .ok()
            .and_then(|drawn| words.get(drawn % words.len()));
        let _ = write!(
            out,
            "{}{}",
            word.unwrap_or(&"of"),
            if at % 12 == 11 { "\n" } else { " " }
        );
    }
    out.push('\n');
    out
}

/// A title of its own, for the same reason.
fn title_of(n: usize) -> String {
    let text = varied(n);
    let words = text
        .split_whitespace()
        .filter(|word| word.chars().all(char::is_alphabetic))
        .take(9);
    format!("{} {n}", words.collect::<Vec<_>>().join(" "))
}

/// How many papers a month of all of computer science has, about.
const MANY: usize = 20_000;

/// A topic of as many terms as a real one.
fn topic() -> Topic {
    let tier = |weight, words: &[&str]| Tier {
        weight,
        terms: (0..40)
            .flat_map(|n| words.iter().map(move |word| format!("{word} {n}")))
            .chain(words.iter().map(|word| (*word).to_owned()))
            .collect(),
    };
    Topic {
        id: TopicId("caching".to_owned()),
        name_zh: "缓存".to_owned(),
        name_en: "Caching".to_owned(),
        tiers: vec![
            tier(6, &["kv cache", "speculative decoding"]),
            tier(5, &["long documents", "quantization"]),
            tier(3, &["cache", "retrieval"]),
            tier(1, &["attention", "probe"]),
        ],
        title_factor: 2,
        categories_include: Vec::new(),
        categories_exclude: Vec::new(),
        excluded_terms: Vec::new(),
        threshold: 8,
        cap: 40,
        learned: None,
    }
}

fn channel(topic: &Topic, cursor: u64) -> Channel {
    Channel {
        place: Place::telegram(-1_000_000_000_001, None),
        settings: Settings {
            subjects: Subjects::new([topic.id.clone()], []),
            schedule: None,
            timezone: chrono_tz::Asia::Shanghai,
            language: Lang::Zh,
            when_empty: WhenEmpty::Say,
            missed: Missed::Merge,
            weekly: None,
            style: Style::Compact,
        },
        cursor,
        last_fired: None,
        next_due: None,
        last_weekly: None,
        weekly_due: None,
        activity: Activity::Active,
        added_at: DateTime::default(),
        configured_as: None,
        configured_with: None,
        owner: None,
        resting: Subjects::default(),
        mentions: Vec::new(),
    }
}

/// What an archive's beginning takes: 20,000 papers parsed, joined, matched, written and made durable, in mailings of a
/// thousand; once more as another source's accounts of them; then a digest of 60 of the last mailing's. And as many papers
/// that all share one abstract and most of a title. Printed, since these are promises in seconds.
fn many(_: &mut Criterion) {
    #[allow(clippy::disallowed_methods, clippy::print_stdout)] // it measures time, and its figures are read
    let run = || -> Option<()> {
        let topics = [Topic { cap: 60, ..topic() }];
        let take = |store: &SledStore, name: &str, bytes: &[u8], parsed| {
            let accepted = pipeline::accept(store, &topics, &Unseen, name, bytes, parsed, DateTime::default()).ok()?;
            store.sync().ok()?;
            Some(accepted)
        };
        let mails = |title: fn(usize) -> String, text: fn(usize) -> String| -> Vec<String> {
            let starts = (0..MANY).step_by(1_000);
            starts.map(|from| numbered(from, 1_000, title, text)).collect()
        };
        let take_all = |store: &SledStore, mails: Vec<String>| {
            let (started, mut slowest) = (Instant::now(), 0.0_f64);
            for mail in mails {
                let began = Instant::now();
                let accepted = take(store, "mail", mail.as_bytes(), arxiv_mail::parse(mail.as_bytes()).ok()?)?;
                assert_eq!(accepted.papers_new, 1_000);
                slowest = slowest.max(began.elapsed().as_secs_f64());
            }
            Some((started.elapsed().as_secs_f64(), slowest))
        };

        let dir = tempfile::tempdir().ok()?;
        let store = SledStore::open(dir.path()).ok()?;
        let (seconds, slowest) = take_all(&store, mails(title_of, varied))?;
        println!(
            "intake of {MANY} papers, parsed, joined, matched and durable: {seconds:.1} s (slowest 1,000: {slowest:.2} s)"
        );
        let lines = |from: usize| {
            let mut lines = String::new();
            for n in from..from + 1_000 {
                let _ = writeln!(
                    lines,
                    "{{\"doi\":\"10.1145/{n}\",\"title\":\"{}\",\
                     \"authors\":[\"Ana Est\u{e9}vez\"],\"institutions\":[\"School of EECS, Peking University\"]}}",
                    title_of(n)
                );
            }
            lines
        };
        let files: Vec<String> = (0..MANY).step_by(1_000).map(lines).collect();
        let (started, mut updated) = (Instant::now(), 0);
        for lines in files {
            updated += take(&store, "jsonl", lines.as_bytes(), jsonl::parse(lines.as_bytes()).ok()?)?.papers_updated;
        }
        println!(
            "another source's accounts of them under other names, merged: {:.1} s ({updated} joined)",
            started.elapsed().as_secs_f64()
        );

        let mut best = f64::MAX;
        for second in 1..=20 {
            let channel = channel(topics.first()?, store.head().ok()?.saturating_sub(1_000));
            let now = DateTime::from_timestamp(second, 0)?;
            let started = Instant::now();
            let published = pipeline::publish_now(&store, &topics, &Unseen, vec![channel], now).ok()?;
            best = best.min(started.elapsed().as_secs_f64());
            assert_eq!(published.digests.first().map(|(_, entries)| *entries), Some(60));
        }
        println!(
            "a digest of 60 of 1,000 papers composed, the best of 20: {:.1} ms",
            best * 1_000.0
        );

        let dir = tempfile::tempdir().ok()?;
        let store = SledStore::open(dir.path()).ok()?;
        let (seconds, slowest) = take_all(&store, mails(title_alike, |_| ABSTRACT.to_owned()))?;
        println!("as many that share one abstract: {seconds:.1} s (slowest 1,000: {slowest:.2} s)");
        Some(())
    };
    assert!(run().is_some());
}

fn intake(c: &mut Criterion) {
    let mailing = mailing();
    let parsed = arxiv_mail::parse(mailing.as_bytes());
    assert!(parsed.is_ok_and(|parsed| parsed.items.len() == PAPERS && parsed.rejected.is_empty()));
    let mut group = c.benchmark_group("arxiv_mail");
    for (name, throughput) in [
        ("papers", Throughput::Elements(PAPERS as u64)),
        ("bytes", Throughput::Bytes(mailing.len() as u64)),
    ] {
        group.throughput(throughput);
        group.bench_function(name, |b| b.iter(|| arxiv_mail::parse(black_box(mailing.as_bytes()))));
    }
    group.finish();

    // The whole intake: parsed, joined, written to a fresh store and made durable.
    let mut group = c.benchmark_group("accept");
    group.sample_size(20).throughput(Throughput::Elements(PAPERS as u64));
    let bytes = mailing.as_bytes();
    group.bench_function("papers", |b| {
        b.iter_batched(
            || {
                let dir = tempfile::tempdir().ok();
                let store = dir.as_ref().and_then(|dir| SledStore::open(dir.path()).ok());
                (store, dir)
            },
            |(store, dir)| {
                let (Some(store), Ok(parsed)) = (store, arxiv_mail::parse(bytes)) else {
                    return None;
                };
                let accepted = pipeline::accept(&store, &[], &Unseen, "mail", bytes, parsed, DateTime::default()).ok();
                store.sync().ok();
                assert!(accepted.is_some_and(|a| usize::try_from(a.papers_new) == Ok(PAPERS)));
                Some((store, dir))
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();

    let mut group = c.benchmark_group("tex");
    group.throughput(Throughput::Bytes(ABSTRACT.len() as u64));
    group.bench_function("abstract", |b| b.iter(|| tex::to_unicode(black_box(ABSTRACT))));
    group.finish();
}

criterion_group!(benches, intake, many);
criterion_main!(benches);
