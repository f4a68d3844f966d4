//! What matching costs a paper: the shipped topic, ten thousand keywords, and the same keywords one by one for the ratio;
//! and what a digest of those that match costs, whose briefs are held against their papers.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use paperwire_core::brief::{Brief, Origin};
use paperwire_core::digest::{Candidate, DigestId, Draft, EntryBrief, compose};
use paperwire_core::locale::Lang;
use paperwire_core::paper::{Field, Paper, PaperId};
use paperwire_core::source::SourceKind;
use paperwire_core::subscription::{KeywordMatcher, Subjects};
use paperwire_core::topic::{Hit, Matcher, Topic};

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

/// Papers with a brief in each language, as a model writes them.
fn briefed() -> Vec<Candidate> {
    let brief = |lang, text: String| Brief {
        lang,
        origin: Origin::Model,
        text,
    };
    let mut papers = papers();
    papers.truncate(60);
    let one = |(seq, mut paper): (u64, Paper)| {
        let result = "We evaluate on GSM8K, ImageNet-1K and HumanEval with LLaMA-3-8B: it reduces latency by 48.53% and memory \
            by 2.1×, and improves accuracy by 1.2 points over 1.3 billion tokens on 8 H800 GPUs.";
        let whole = format!("{}. {result}", paper.abstract_text());
        paper.abstract_text = Some(Field::new(whole, SourceKind::ArxivMail));
        let names = vec!["Tsinghua University".to_owned(), "School of Software".to_owned()];
        paper.institutions = Some(Field::new(names, SourceKind::Report));
        let zh = "清华大学发布了一种推理加速论文，使用键值缓存量化与稀疏注意力技术，解决了大语言模型推理延迟高的问题，达成了在LLaMA-3-8B上\
            延迟降低48.5%、内存减少2.1倍且GSM8K准确率提升1.2个百分点的效果";
        let en = "Tsinghua University released a cache that quantizes keys and values, which solves slow inference, achieving \
            48.5% lower latency and 2.1x less memory for LLaMA-3-8B on ImageNet-1K";
        paper.briefs = vec![brief(Lang::Zh, zh.to_owned()), brief(Lang::En, en.to_owned())];
        Candidate {
            seq,
            paper,
            scores: Vec::new(),
            keywords: vec![Hit {
                term: "kv cache".to_owned(),
                points: 1,
                in_title: true,
            }],
        }
    };
    (1..).zip(papers).map(one).collect()
}

fn composing(c: &mut Criterion) {
    let candidates = briefed();
    let subjects = Subjects::new([], ["kv cache".to_owned()]);
    let draft = Draft {
        id: DigestId::new(&subjects, 0, chrono::DateTime::UNIX_EPOCH),
        subjects,
        since: 0,
        upto: 60,
        windows: Vec::new(),
        considered: 200,
    };
    let digest = compose(draft.clone(), candidates.clone(), &[]);
    let written = |brief: &EntryBrief| brief.brief.origin == Origin::Model;
    assert!(digest.entries.len() == 60 && digest.entries.iter().all(|entry| entry.briefs.iter().all(written)));
    c.bench_function("composing a digest of 60 papers", |b| {
        b.iter(|| compose(draft.clone(), black_box(candidates.clone()), &[]).entries.len());
    });
}

criterion_group!(benches, matching, composing);
criterion_main!(benches);
