//! What the store costs where people wait for it: `/paper 4` looks a digest and a paper up among 100,000, and a sender
//! settles a hundred deliveries at once.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;

use chrono::{DateTime, TimeDelta, Utc};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use paperwire_core::channel::{Place, Platform, Style};
use paperwire_core::delivery::{Delivery, DeliveryId};
use paperwire_core::digest::{Digest, DigestId, Entry, RenderingId};
use paperwire_core::locale::Lang;
use paperwire_core::paper::{Field, Paper, PaperId};
use paperwire_core::source::SourceKind;
use paperwire_core::store::{SledStore, Store, Write};
use paperwire_core::subscription::Subjects;

const PAPERS: u32 = 100_000;
const ENTRIES: u32 = 40;

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minutes)
}

fn arxiv(number: u32) -> PaperId {
    PaperId::Arxiv(format!("2510.{number:05}"))
}

fn paper(number: u32) -> Paper {
    let words = |count: u32| -> String {
        (0..count)
            .map(|n| format!("word{} ", number.wrapping_mul(n + 7)))
            .collect()
    };
    Paper {
        title: Some(Field::new(words(8), SourceKind::ArxivMail)),
        abstract_text: Some(Field::new(words(120), SourceKind::ArxivMail)),
        ..Paper::new(arxiv(number))
    }
}

fn digest_id() -> DigestId {
    DigestId {
        set: 1,
        occurrence: at(0),
    }
}

fn digest() -> Digest {
    let entry = |number| Entry {
        number,
        paper: arxiv(number * 2_000),
        title: "A title of about the usual length for a paper of this field".to_owned(),
        briefs: Vec::new(),
        institutions: vec!["清华大学".to_owned()],
        author_count: Some(5),
        points: 12,
        topics: Vec::new(),
        hits: Vec::new(),
    };
    Digest {
        id: digest_id(),
        subjects: Subjects::default(),
        week: None,
        since: 0,
        upto: u64::from(PAPERS),
        windows: Vec::new(),
        considered: PAPERS,
        matched: ENTRIES,
        entries: (1..=ENTRIES).map(entry).collect(),
    }
}

fn deliveries(count: i64, minute: i64) -> Vec<Write> {
    let rendering = RenderingId {
        digest: digest_id(),
        platform: Platform::Telegram,
        lang: Lang::Zh,
        style: Style::Compact,
        zone: chrono_tz::Asia::Shanghai,
        revision: 0,
    };
    (1..=count)
        .map(|chat| {
            let id = DeliveryId::post(Place::telegram(-chat, None), digest_id());
            Write::Delivery(Box::new(Delivery::new(id, rendering.clone(), 3, at(minute))))
        })
        .collect()
}

fn queue(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(dir.path()).unwrap();
    store.commit(deliveries(1_000, 0)).unwrap();
    let mut minute = 0;
    for count in [100, 1_000] {
        for (what, synced) in [("", false), (" and sync", true)] {
            c.bench_function(&format!("commit of {count} deliveries{what}"), |b| {
                b.iter_batched(
                    || {
                        store.sync().unwrap();
                        minute += 1;
                        deliveries(count, minute)
                    },
                    |writes| {
                        store.commit(writes).unwrap();
                        if synced {
                            store.sync().unwrap();
                        }
                    },
                    BatchSize::PerIteration,
                );
            });
        }
    }
    c.bench_function("what is due, 100 of 1000", |b| {
        b.iter(|| black_box(store.due(Platform::Telegram, at(1_000_000), 100).unwrap()));
    });
}

fn benches(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(dir.path()).unwrap();
    let numbers: Vec<u32> = (0..PAPERS).collect();
    for some in numbers.chunks(1_000) {
        let writes = some.iter().map(|n| Write::Paper(Box::new(paper(*n))));
        store.commit(writes.collect()).unwrap();
        store.sync().unwrap();
    }
    store.commit(vec![Write::Digest(Box::new(digest()))]).unwrap();

    let mut number = 0;
    c.bench_function("paper by id among 100000", |b| {
        b.iter(|| {
            number = (number + 7_919) % PAPERS;
            black_box(store.paper(&arxiv(number)).unwrap().unwrap())
        });
    });
    c.bench_function("paper by its number in a digest of 40", |b| {
        b.iter(|| {
            number = number % ENTRIES + 1;
            let digest = store.digest(&digest_id()).unwrap().unwrap();
            black_box(store.paper(&digest.entry(number).unwrap().paper).unwrap().unwrap())
        });
    });
}

criterion_group!(store, queue, benches);
criterion_main!(store);
