//! What the store costs at the size of years: `cargo bench -p paperwire-core --bench scale -- PART [FOLDER]`, where PART is
//! `commit` (a thousand deliveries change their state), `start` (open a store with a million papers) or `churn` (a
//! million parts sent, then archived; the folder's size). Without a part it does nothing, for it takes minutes.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement run by hand"
)]
#![allow(clippy::disallowed_methods, reason = "it measures the time that passes")]

use std::fs;
use std::path::Path;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use paperwire_core::channel::{Activity, Channel, Missed, Place, Platform, Settings, Style, WhenEmpty};
use paperwire_core::delivery::{Delivery, DeliveryId, State};
use paperwire_core::digest::{DigestId, RenderingId};
use paperwire_core::locale::Lang;
use paperwire_core::paper::{Field, Paper, PaperId};
use paperwire_core::pipeline::compact;
use paperwire_core::source::SourceKind;
use paperwire_core::store::{SledStore, Store, Write};
use paperwire_core::subscription::Subjects;

const PAPERS: u64 = 1_000_000;
const CHANNELS: i64 = 100_000;
const WAITING: i64 = 100_000;
const PARTS: u32 = 3;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
}

fn digest_id(day: i64) -> DigestId {
    let occurrence = at(day * 86_400);
    DigestId { set: 1, occurrence }
}

fn delivery(chat: i64, day: i64, state: State, through: u32) -> Write {
    let digest = digest_id(day);
    let rendering = RenderingId {
        digest,
        platform: Platform::Telegram,
        lang: Lang::Zh,
        style: Style::Compact,
        zone: chrono_tz::Asia::Shanghai,
        revision: 0,
    };
    let place = Place::telegram(-1_000_000_000_000 - chat, None);
    let id = DeliveryId::post(place, digest);
    let message = |part| (day * i64::from(PARTS) + i64::from(part)).to_string();
    Write::Delivery(Box::new(Delivery {
        state,
        message_ids: (0..through).map(message).collect(),
        ..Delivery::new(id, rendering, PARTS, at(0))
    }))
}

fn paper(number: u64) -> Paper {
    let words = |count: u64, seed: u64| -> String {
        let word = |n| (number + seed).wrapping_mul(2 * n + 0x9E37_79B9_7F4A_7C15) >> 40;
        (0..count).map(|n| format!("{:x} ", word(n))).collect()
    };
    Paper {
        title: Some(Field::new(words(10, 1), SourceKind::ArxivMail)),
        abstract_text: Some(Field::new(words(110, 2), SourceKind::ArxivMail)),
        ..Paper::new(PaperId::Arxiv(format!(
            "{:04}.{:05}",
            1_001 + number / 90_000,
            number % 90_000
        )))
    }
}

fn channel(chat: i64) -> Channel {
    Channel {
        place: Place::telegram(-1_000_000_000_000 - chat, None),
        settings: Settings {
            subjects: Subjects::default(),
            schedule: Some("0 9 * * *".to_owned().try_into().unwrap()),
            timezone: chrono_tz::Asia::Shanghai,
            language: Lang::Zh,
            when_empty: WhenEmpty::Say,
            missed: Missed::Merge,
            weekly: None,
            style: Style::Compact,
        },
        cursor: 0,
        last_fired: None,
        next_due: Some(at(chat)),
        last_weekly: None,
        weekly_due: None,
        activity: Activity::Active,
        added_at: at(0),
        configured_as: None,
        configured_with: None,
        owner: None,
        resting: Subjects::default(),
        mentions: Vec::new(),
    }
}

/// A line of `/proc/self/status`, in MB.
fn memory(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let value = status.lines().find_map(|l| l.strip_prefix(line)).unwrap();
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    digits.parse::<u64>().unwrap() / 1024
}

/// Seconds that this thread had a processor: unlike the time that passed, it does not depend on who else is at work.
fn processor() -> f64 {
    let schedstat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds = schedstat.split(' ').next().unwrap();
    nanoseconds.parse::<f64>().unwrap() / 1e9
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (wall, busy) = (Instant::now(), processor());
    let result = work();
    let (wall, busy) = (wall.elapsed().as_secs_f64(), processor() - busy);
    println!("{what:<48} {:>9.1} ms, {:>9.1} ms of processor", wall * 1e3, busy * 1e3);
    result
}

fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| match entry.metadata().unwrap() {
            meta if meta.is_dir() => size(&entry.path()),
            meta => meta.len(),
        })
        .sum()
}

fn put(store: &SledStore, writes: impl Iterator<Item = Write>) {
    let mut writes = writes.peekable();
    while writes.peek().is_some() {
        store.commit(writes.by_ref().take(2_000).collect()).unwrap();
        store.sync().unwrap();
    }
}

fn available(second: i64) -> State {
    State::Available { at: at(second) }
}

fn commit(folder: &Path) {
    let store = SledStore::open(folder).unwrap();
    store
        .commit((0..1_000).map(|chat| delivery(chat, 0, available(0), 0)).collect())
        .unwrap();
    for round in 0..20 {
        for (what, state, through) in [
            ("1,000 claimed", State::Leased { until: at(round + 120) }, 0),
            ("1,000 given back", available(round), 0),
            ("1,000 claimed", State::Leased { until: at(round + 121) }, 0),
            ("1,000 settled, one part on", available(round + 1), 1),
            ("1,000 back to their first part", available(round + 1), 0),
        ] {
            let writes = (0..1_000)
                .map(|chat| delivery(chat, 0, state.clone(), through))
                .collect();
            timed(what, || store.commit(writes)).unwrap();
            timed("sync", || store.sync()).unwrap();
        }
    }
}

fn start(folder: &Path) {
    // A fill that was broken off goes on with what is missing: `PAPERS=0 FILL=1`.
    let papers = std::env::var("PAPERS").map_or(PAPERS, |papers| papers.parse().unwrap());
    if !folder.join("db").exists() || std::env::var_os("FILL").is_some() {
        let store = SledStore::open(folder).unwrap();
        timed("papers", || {
            put(&store, (0..papers).map(|number| Write::Paper(Box::new(paper(number)))));
        });
        timed("channels", || {
            put(
                &store,
                (0..CHANNELS).map(|chat| Write::Channel(Box::new(channel(chat)))),
            );
        });
        timed("deliveries", || {
            put(&store, (0..WAITING).map(|chat| delivery(chat, 0, available(0), 0)));
            put(
                &store,
                (0..100).map(|chat| delivery(chat, 0, State::Leased { until: at(1) }, 0)),
            );
        });
        println!(
            "filled: {} MB; run it once more to measure the start",
            size(folder) >> 20
        );
        return;
    }
    let store = timed("all of the start", || {
        let store = timed("open", || SledStore::open(folder)).unwrap();
        println!("memory {} MB", memory("VmHWM:"));
        println!(
            "{}",
            timed("leased", || store.leased(Platform::Telegram)).unwrap().len()
        );
        println!(
            "{}",
            timed("due", || store.due(Platform::Telegram, at(9), 64)).unwrap().len()
        );
        println!(
            "{:?}",
            timed("next_due", || store.next_due(Platform::Telegram)).unwrap()
        );
        println!(
            "{}",
            timed("channels_due", || store.channels_due(at(9), 64)).unwrap().len()
        );
        println!("{:?}", timed("next_channel_due", || store.next_channel_due()).unwrap());
        println!("memory {} MB", memory("VmHWM:"));
        println!(
            "{}",
            timed("all channels, as for a configuration", || store.channels())
                .unwrap()
                .len()
        );
        println!("memory {} MB", memory("VmHWM:"));
        store
    });
    // They came in order.
    let (mut least, mut most) = (0, PAPERS);
    while least < most {
        let middle = least.midpoint(most);
        if store.paper(&paper(middle).id).unwrap().is_some() {
            least = middle + 1;
        } else {
            most = middle;
        }
    }
    println!("among {least} papers");
}

/// Every day a digest of [`PARTS`] parts goes to a thousand chats, part by part, and what is older than the window is
/// archived.
fn churn(folder: &Path) {
    let store = SledStore::open(folder).unwrap();
    let chats = 1_000;
    let days = std::env::var("DAYS").map_or(1_000_000 / (chats * i64::from(PARTS)), |days| days.parse().unwrap());
    for day in 0..days {
        let now = day * 86_400;
        let all = |state: State, through| (0..chats).map(move |chat| delivery(chat, day, state.clone(), through));
        put(&store, all(available(now), 0));
        for part in 1..=PARTS {
            put(&store, all(State::Leased { until: at(now + 120) }, part - 1));
            let settled = if part == PARTS {
                State::Sent { at: at(now) }
            } else {
                available(now)
            };
            put(&store, all(settled, part));
        }
        while compact(&store, at(now), 1_000).unwrap() > 0 {
            store.sync().unwrap();
        }
        if day % 30 == 0 {
            println!("day {day}: {} MB, memory {} MB", size(folder) >> 20, memory("VmHWM:"));
        }
    }
    let (space, _) = timed("measure", || store.measure()).unwrap();
    println!("folder {} MB, live {} MB", space.folder >> 20, space.live >> 20);
    drop(store);
    let store = timed("open anew", || SledStore::open(folder)).unwrap();
    println!(
        "{:?}; {} MB, memory {} MB",
        store.compaction(),
        size(folder) >> 20,
        memory("VmHWM:")
    );
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    let part = arguments.next();
    let kept = arguments.next();
    let own = tempfile::tempdir().unwrap();
    let folder = kept.as_deref().map_or(own.path(), Path::new);
    match part.as_deref() {
        Some("commit") => commit(folder),
        Some("start") => start(folder),
        Some("churn") => churn(folder),
        Some(_) | None => println!("say which: commit, start or churn"),
    }
}
