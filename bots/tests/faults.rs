//! The real program when the machine lets it down: the disk is full, a record is spoiled, a platform never answers.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests are tests, and a skipped test says so"
)]

mod common;

use std::fs::{self, File};
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use paperwire_core::store::Store as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout};

use common::{Fake, Home, Sums};

/// Channels of each platform.
const CHANNELS: u64 = 30;
/// The longest that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
const FULL: &str = "free some space and start again; nothing is lost";

/// Waits until the platforms took so many messages more.
async fn taken(fake: &Fake, home: &Home, more: usize) {
    let mut taken = fake.taken.subscribe();
    let goal = *taken.borrow_and_update() + more;
    let reached = timeout(PATIENCE, taken.wait_for(|taken| *taken >= goal)).await.is_ok();
    assert!(reached, "{}", home.last_words());
}

/// A small disk of its own for the data folder, as long as the returned process lives; `None` where the system gives no
/// namespaces.
async fn small_disk(home: &mut Home) -> Option<Child> {
    fs::create_dir(&home.data).unwrap();
    let mount = "mount -t tmpfs -o size=48m none \"$0\" && echo ready && exec sleep 600";
    let mut command = Command::new("unshare");
    command.args(["-Urm", "sh", "-c", mount]).arg(&home.data);
    command.stdout(Stdio::piped()).stdin(Stdio::null()).kill_on_drop(true);
    let mut holder = command.spawn().ok()?;
    let mut line = String::new();
    let mut said = BufReader::new(holder.stdout.take()?);
    said.read_line(&mut line).await.ok()?;
    if line != "ready\n" {
        return None;
    }
    let pid = holder.id()?.to_string();
    home.wrapper = ["nsenter", "-t", &pid, "-U", "-m", "--preserve-credentials"]
        .map(Into::into)
        .to_vec();
    // What enters the namespace begins at its root.
    home.environment = vec![
        ("PAPERWIRE_CONFIG", home.path().join("paperwire.toml").into()),
        ("PAPERWIRE_DATA", home.data.clone().into()),
    ];
    home.data = format!("/proc/{pid}/root{}", home.data.display()).into();
    Some(holder)
}

/// Takes every byte that is left on the data folder's disk.
fn fill(home: &Home) {
    let mut filler = File::options()
        .append(true)
        .create(true)
        .open(home.data.join("filler"))
        .unwrap();
    for size in [1 << 20, 1 << 12] {
        while filler.write_all(&vec![1; size]).is_ok() {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_full_disk_stops_the_program_with_a_reason_and_costs_nothing_once_there_is_room() {
    let (fake, url) = Fake::start().await;
    let mut home = Home::new(&url, CHANNELS);
    let Some(_disk) = small_disk(&mut home).await else {
        println!("skipped: no tmpfs in a namespace here");
        return;
    };
    let ballast = home.data.join("ballast");
    home.publish("mailing.txt").await;
    let (published, ids) = home.published();
    let parts: usize = published.values().map(Vec::len).sum();
    assert!(ballast.exists());

    // It fills while parts are on the wire.
    fake.world().life += 1;
    let running = home.run();
    taken(&fake, &home, 20).await;
    fake.hanging.send_replace(true);
    let mut hung = fake.hung.subscribe();
    let hangs = timeout(PATIENCE, hung.wait_for(|hung| *hung > 0)).await.is_ok();
    assert!(hangs, "{}", home.last_words());
    fill(&home);
    fake.hanging.send_replace(false);
    assert_eq!(home.end(running).await, Some(1), "{}", home.last_words());
    assert!(home.words().contains(FULL), "{}", home.last_words());
    assert!(fake.arrived(0) < parts);

    // The ballast makes room for a while.
    fake.world().life += 1;
    let mut running = home.run();
    taken(&fake, &home, 5).await;
    running.kill().await.unwrap();
    assert!(!ballast.exists());
    assert!(home.words().contains("is used up to go on"), "{}", home.last_words());

    // Without it, it says what is wrong and does not begin.
    fill(&home);
    let before = home.words().len();
    let arrived = fake.arrived(0);
    fake.world().life += 1;
    assert_eq!(home.end(home.run()).await, Some(1), "{}", home.last_words());
    assert!(home.words()[before..].contains(FULL), "{}", home.last_words());
    assert!(arrived < parts);

    fs::remove_file(home.data.join("filler")).unwrap();
    let complete = home.finish(&fake, 0, parts, Instant::now() + PATIENCE).await;
    assert!(complete, "{}", home.last_words());
    let mut sums = Sums::default();
    sums.compare(&fake, &published, 0);
    assert_eq!((sums.of("telegram").lost, sums.of("discord").lost), (0, 0));
    assert_eq!(sums.of("discord").twice, 0);
    home.assert_sent(&ids);
    assert!(ballast.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_file_that_may_not_grow_is_a_full_disk_too() {
    let (fake, url) = Fake::start().await;
    let mut home = Home::new(&url, CHANNELS);
    home.publish("mailing.txt").await;
    let (published, ids) = home.published();
    let parts: usize = published.values().map(Vec::len).sum();
    // In units of 512 bytes (POSIX): no more than the log has now.
    let blocks = fs::metadata(home.data.join("store/db")).unwrap().len() / 512;
    let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    home.wrapper = ["sh", "-c", &limited].map(Into::into).to_vec();
    fake.world().life += 1;
    assert_eq!(home.end(home.run()).await, Some(1), "{}", home.last_words());
    assert!(home.words().contains(FULL), "{}", home.last_words());
    assert!(fake.arrived(0) < parts);

    home.wrapper.clear();
    let complete = home.finish(&fake, 0, parts, Instant::now() + PATIENCE).await;
    assert!(complete, "{}", home.last_words());
    let mut sums = Sums::default();
    sums.compare(&fake, &published, 0);
    assert_eq!((sums.of("telegram").lost, sums.of("discord").lost), (0, 0));
    home.assert_sent(&ids);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn whoever_meets_the_full_disk_first_the_program_ends() {
    let (_fake, url) = Fake::start().await;
    let mut home = Home::new(&url, 1);
    let Some(_disk) = small_disk(&mut home).await else {
        println!("skipped: no tmpfs in a namespace here");
        return;
    };
    let running = home.run();
    let serves = async { while !home.command(&["status"]).status().await.unwrap().success() {} };
    assert!(timeout(PATIENCE, serves).await.is_ok(), "{}", home.last_words());
    fill(&home);
    // Nothing waits to be sent: only the one that asks would notice.
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/sample/mailing.txt");
    let asked = timeout(PATIENCE, home.command(&["ingest", sample]).status()).await;
    assert_eq!(asked.unwrap().unwrap().code(), Some(1), "{}", home.last_words());
    assert_eq!(home.end(running).await, Some(1), "{}", home.last_words());
    assert!(home.words().contains(FULL), "{}", home.last_words());
}

/// Flips bits of the first value in a table of the store, behind its count of pieces.
fn spoil(home: &Home, table: u8) {
    // A process that another test is just starting has the lock for a moment longer than who opened the store before.
    let file = fs::File::open(home.data.join("store/db")).unwrap();
    file.lock().unwrap();
    file.unlock().unwrap();
    let log = sled::Config::new().path(home.data.join("store")).open().unwrap();
    let (key, mut value) = log
        .scan_prefix([table])
        .next()
        .unwrap()
        .map(|(key, value)| (key, value.to_vec()))
        .unwrap();
    value.iter_mut().skip(2).for_each(|byte| *byte ^= 0x55);
    log.insert(key, value).unwrap();
    log.flush().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_spoiled_part_is_given_up_by_name_and_a_spoiled_delivery_costs_no_other_channel_anything() {
    let (fake, url) = Fake::start().await;
    let home = Home::new(&url, 3);
    home.publish("mailing.txt").await;
    let (published, mut ids) = home.published();
    // The tables of parts and deliveries, see the store's module; the first part and the first channel are Discord's.
    spoil(&home, b'r');
    spoil(&home, b'd');
    let lost = ids.remove(0);
    assert_eq!(lost.place.to_string(), "discord:100000000000000001");
    let named: Vec<String> = home
        .store()
        .damaged()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(named.len(), 2, "{named:?}");
    assert!(named[0].contains(&lost.to_string()), "{named:?}");

    // Two channels miss a part, one a digest.
    let parts: usize = published.values().map(Vec::len).sum();
    let discord = published[&lost.place.to_string()].len();
    assert!(
        home.finish(&fake, 0, parts - discord - 2, Instant::now() + PATIENCE)
            .await
    );
    for id in &ids {
        let named = home
            .words()
            .contains(&format!("delivery={id} reason=Rejected(\"part 1: it cannot be read"));
        assert_eq!(
            named,
            id.place.to_string().starts_with("discord"),
            "{id}: {}",
            home.last_words()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn behind_a_spoiled_delivery_its_channel_gets_the_next_digest() {
    let (fake, url) = Fake::start().await;
    let home = Home::new(&url, 1);
    home.publish("mailing.txt").await;
    let (published, ids) = home.published();
    spoil(&home, b'd');
    let spoiled = published[&ids[0].place.to_string()].len();
    let parts: usize = published.values().map(Vec::len).sum();
    assert!(home.finish(&fake, 0, parts - spoiled, Instant::now() + PATIENCE).await);
    let named = home
        .words()
        .lines()
        .any(|line| line.contains(&ids[0].to_string()) && line.contains("set aside"));
    assert!(named, "nobody names it: {}", home.last_words());
    assert_eq!(home.store().set_aside(9).unwrap(), [ids[0].clone()]);

    home.publish("mailing_next.txt").await;
    let (published, next) = home.published();
    assert_eq!(published.len(), 2);
    let first = fake.world().life + 1;
    let parts: usize = published.values().map(Vec::len).sum();
    let complete = home.finish(&fake, first, parts, Instant::now() + PATIENCE).await;
    assert!(complete, "{}", home.last_words());
    home.assert_sent(&next);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_platform_that_never_answers_delays_a_stop_by_10_s_at_most() {
    let (fake, url) = Fake::start().await;
    let home = Home::new(&url, 1);
    home.publish("mailing.txt").await;
    let (published, ids) = home.published();
    let parts: usize = published.values().map(Vec::len).sum();
    fake.hanging.send_replace(true);
    let running = home.run();
    let mut hung = fake.hung.subscribe();
    timeout(PATIENCE, hung.wait_for(|hung| *hung == 2))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        home.stop(running, Duration::from_secs(12)).await,
        Some(0),
        "{}",
        home.last_words()
    );

    fake.hanging.send_replace(false);
    let complete = home.finish(&fake, 0, parts, Instant::now() + PATIENCE).await;
    assert!(complete, "{}", home.last_words());
    home.assert_sent(&ids);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_token_that_is_revoked_while_parts_go_out_ends_the_program_and_loses_and_repeats_nothing() {
    for (platform, key) in [("telegram", "(telegram.token)"), ("discord", "(discord.token)")] {
        let (fake, url) = Fake::start().await;
        let home = Home::new(&url, CHANNELS);
        home.publish("mailing.txt").await;
        let (published, ids) = home.published();
        let parts: usize = published.values().map(Vec::len).sum();
        fake.world().life += 1;
        let running = home.run();
        taken(&fake, &home, 20).await;
        fake.world().revoked = Some(platform);
        assert_eq!(home.end(running).await, Some(1), "{}", home.last_words());
        assert!(home.words().contains(key), "{}", home.last_words());
        assert!(fake.arrived(0) < parts);

        fake.world().revoked = None;
        let complete = home.finish(&fake, 0, parts, Instant::now() + PATIENCE).await;
        assert!(complete, "{}", home.last_words());
        let mut sums = Sums::default();
        sums.compare(&fake, &published, 0);
        for kind in ["telegram", "discord"] {
            assert_eq!(sums.of(kind).lost, 0, "{kind}");
        }
        assert_eq!(sums.of("discord").twice, 0);
        home.assert_sent(&ids);
    }
}
