//! What matching costs a paper: the shipped topic, ten thousand keywords, and the same keywords one by one for the ratio.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use paperwire_core::paper::{Field, Paper, PaperId};
use paperwire_core::source::SourceKind;
use paperwire_core::subscription::KeywordMatcher;
use paperwire_core::topic::{Matcher, Topic};

const WORDS: &str = "the of and a to in we for that with on is our by this model models data learning method training \
    language large performance results approach tasks image propose which from using framework state-of-the-art \
    inference efficient KV-cache latency quantized attention decoding pruning speculative sparse experts diffusion \
    across while existing novel benchmark reasoning graph robust network features multimodal video real-time 3D";

/// A text of `n` words that is the same in every run.
fn text(seed: usize, n: usize) -> String {
    let words: Vec<_> = WORDS.split_whitespace().collect();
    let mut state = seed as u64 + 1;
    let picked = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        words[(state >> 33) as usize % words.len()]
    });
    picked.take(n).collect::<Vec<_>>().join(" ")
}

fn papers() -> Vec<Paper> {
    let field = |text| Some(Field::new(text, SourceKind::ArxivMail));
    let paper = |n: usize| {
        let mut paper = Paper::new(PaperId::Arxiv(format!("2510.{n:05}")));
        paper.title = field(text(n, 10));
        paper.abstract_text = field(text(n + 1_000, 180));
        paper
    };
    (0..200).map(paper).collect()
}

fn matching(c: &mut Criterion) {
    let papers = papers();
    let topic: Topic = toml::from_str(include_str!("../../config/topics/inference.toml")).unwrap();
    let keywords: Vec<String> = (0..10_000).map(|n| format!("{} {n}", text(n, 1 + n % 3))).collect();

    let mut group = c.benchmark_group("matching");
    group.throughput(Throughput::Elements(papers.len() as u64));
    let matcher = Matcher::new(&[topic]);
    group.bench_function("inference topic", |b| {
        b.iter(|| {
            papers
                .iter()
                .map(|paper| matcher.score(black_box(paper)).len())
                .sum::<usize>()
        });
    });
    let matcher = KeywordMatcher::new(&keywords);
    group.bench_function("10,000 keywords", |b| {
        b.iter(|| {
            papers
                .iter()
                .map(|paper| matcher.find(black_box(paper)).len())
                .sum::<usize>()
        });
    });
    group.sample_size(10);
    group.bench_function("10,000 keywords, `contains` for each", |b| {
        b.iter(|| {
            papers
                .iter()
                .map(|paper| naive(&keywords, black_box(paper)))
                .sum::<usize>()
        });
    });
    group.finish();
    c.bench_function("compiling 10,000 keywords", |b| {
        b.iter(|| KeywordMatcher::new(black_box(&keywords)))
    });
}

/// The least that one could do for each keyword, with neither words nor inflection.
fn naive(keywords: &[String], paper: &Paper) -> usize {
    let text = format!("{}\n{}", paper.title(), paper.abstract_text()).to_lowercase();
    keywords.iter().filter(|keyword| text.contains(&**keyword)).count()
}

criterion_group!(benches, matching);
criterion_main!(benches);
