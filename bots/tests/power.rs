//! The real program under power cuts. SIGKILL leaves the page cache alone, so it cannot show that a sync is missing; here
//! a library between the program and the system (power.c) keeps what a disk would have, and after each kill the data
//! folder is put back to that: every other time exactly to it, else with some of the unsynced sectors written all the same,
//! as the system is free to do.
//!
//! ```text
//! PAPERWIRE_CUTS=100 PAPERWIRE_SEED=7 cargo test --test power -- --nocapture
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests are tests, and the figures are for people"
)]
#![cfg(target_os = "linux")]

mod common;

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use paperwire_core::channel::{Platform, Style};
use paperwire_core::delivery::{Delivery, DeliveryId};
use paperwire_core::digest::{DigestId, RenderingId};
use paperwire_core::locale::Lang;
use paperwire_core::store::{SledStore, Store, Write};
use tokio::time::{Instant, sleep, timeout_at};

use common::{Fake, Home, Random, Sums, variable};

/// Channels of each platform.
const CHANNELS: u64 = 30;
/// How long everything may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// A disk for one folder, on which only what was synced is certain to be.
struct Disk {
    root: PathBuf,
    image: PathBuf,
    library: PathBuf,
}

impl Disk {
    /// `root` has to exist; the disk's own files are kept in `beside`, on the same file system.
    fn new(root: &Path, beside: &Path) -> Self {
        let library = beside.join("power.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/power.c");
        let built = Command::new("cc")
            .args(["-O1", "-shared", "-fPIC", "-o"])
            .args([&library, &source])
            .args(["-ldl", "-lpthread"])
            .status();
        assert!(built.unwrap().success(), "cc cannot build power.c");
        // The library sees the paths of open files, which have no links in them.
        let disk = Self {
            root: root.canonicalize().unwrap(),
            image: beside.canonicalize().unwrap().join("image"),
            library,
        };
        disk.settle();
        disk
    }

    /// What makes a program use it.
    fn environment(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("LD_PRELOAD", self.library.clone().into()),
            ("POWER_ROOT", self.root.clone().into()),
            ("POWER_IMAGE", self.image.clone().into()),
        ]
    }

    /// Everything in the folder is durable, whoever wrote it.
    fn settle(&self) {
        let _ = fs::remove_dir_all(&self.image);
        for kind in ["content", "tree", "held"] {
            fs::create_dir_all(self.image.join(kind)).unwrap();
        }
        for (rel, is) in files(&self.root) {
            let name = self.image.join("tree").join(&rel);
            let content = self.image.join("content").join(is.ino().to_string());
            fs::create_dir_all(name.parent().unwrap()).unwrap();
            fs::copy(self.root.join(&rel), &content).unwrap();
            fs::hard_link(content, name).unwrap();
        }
    }

    /// The power goes and comes back. With `spared`, some of what was not synced was written none the less. Returns how many
    /// bytes were lost.
    fn cut(&self, mut spared: Option<&mut Random>) -> usize {
        let tree = self.image.join("tree");
        let mut lost = 0;
        let mut after = Vec::new();
        for (rel, _) in files(&tree) {
            let mut durable = fs::read(tree.join(&rel)).unwrap();
            let live = fs::read(self.root.join(&rel)).unwrap_or_default();
            lost += (0..live.len()).filter(|at| durable.get(*at) != live.get(*at)).count();
            if let Some(random) = &mut spared {
                // A file grows only with what is written into it.
                for (n, sector) in live.chunks(SECTOR).enumerate() {
                    let from = n * SECTOR;
                    if random.below(2) == 0 && durable.get(from..from + sector.len()) != Some(sector) {
                        durable.resize(durable.len().max(from + sector.len()), 0);
                        durable[from..from + sector.len()].copy_from_slice(sector);
                    }
                }
            }
            after.push((rel, durable));
        }
        fs::remove_dir_all(&self.root).unwrap();
        fs::create_dir(&self.root).unwrap();
        for (rel, bytes) in after {
            let path = self.root.join(rel);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        self.settle();
        lost
    }
}

/// The regular files below a folder, with paths relative to it.
fn files(folder: &Path) -> Vec<(PathBuf, fs::Metadata)> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(rel) = folders.pop() {
        for entry in fs::read_dir(folder.join(&rel)).unwrap() {
            let entry = entry.unwrap();
            let (rel, is) = (rel.join(entry.file_name()), entry.metadata().unwrap());
            if is.is_dir() {
                folders.push(rel);
            } else if is.is_file() {
                found.push((rel, is));
            }
        }
    }
    found
}

/// The n-th delivery of those that are committed one by one.
fn delivery(n: u32) -> Delivery {
    let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    let digest = DigestId {
        set: n.into(),
        occurrence: now,
    };
    let rendering = RenderingId {
        digest,
        platform: Platform::Telegram,
        lang: Lang::En,
        style: Style::Full,
        zone: chrono_tz::UTC,
        revision: 0,
    };
    let place = "telegram:-1001000000001".parse().unwrap();
    Delivery::new(DeliveryId::post(place, digest), rendering, 3, now)
}

/// How many of the commits that were acknowledged as durable are gone after a power cut in the midst of them.
fn acked_commits_that_a_cut_loses(random: &mut Random, swallow: bool, spare: bool) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("store");
    fs::create_dir(&root).unwrap();
    let disk = Disk::new(&root, folder.path());
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        "every_acknowledged_commit_survives_a_power_cut",
        "--nocapture",
    ]);
    command.envs(disk.environment()).env("POWER_STORE", &disk.root);
    if swallow {
        command.env("POWER_SWALLOW", "1");
    }
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let goal = 100 + random.below(200);
    let mut acked: Option<u32> = None;
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in lines.map_while(Result::ok) {
        if let Some(n) = line.strip_prefix("acked ").and_then(|n| n.parse().ok()) {
            acked = Some(n);
            if usize::try_from(n).unwrap() == goal {
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    let acked = acked.unwrap();
    assert!(
        usize::try_from(acked).unwrap() >= goal,
        "it ended by itself after {acked}"
    );
    disk.cut(spare.then_some(random));
    let store = SledStore::open(&root).unwrap();
    let there = (0..=acked).filter(|n| store.delivery(&delivery(*n).id).unwrap() == Some(delivery(*n)));
    usize::try_from(acked).unwrap() + 1 - there.count()
}

#[test]
fn every_acknowledged_commit_survives_a_power_cut() {
    // This test runs itself as the program whose power goes.
    if let Some(store) = std::env::var_os("POWER_STORE") {
        let store = SledStore::open(Path::new(&store)).unwrap();
        for n in 0.. {
            store.commit(vec![Write::Delivery(Box::new(delivery(n)))]).unwrap();
            store.sync().unwrap();
            println!("acked {n}");
        }
    }
    let mut random = Random(u64::try_from(variable("PAPERWIRE_SEED").unwrap_or(1)).unwrap());
    for spare in [false, true] {
        assert_eq!(acked_commits_that_a_cut_loses(&mut random, false, spare), 0);
    }
    // And a sync that is missing shows.
    let without = acked_commits_that_a_cut_loses(&mut random, true, false);
    println!("without fdatasync a cut loses {without} acknowledged commits");
    assert!(without > 0, "the test cannot tell");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_program_whose_power_goes_again_and_again_loses_nothing_and_repeats_only_what_was_on_the_wire() {
    let cuts = variable("PAPERWIRE_CUTS").unwrap_or(5);
    let seed = variable("PAPERWIRE_SEED").unwrap_or(1);
    let mut random = Random(u64::try_from(seed).unwrap());
    let deadline = Instant::now() + PATIENCE * u32::try_from(cuts.div_ceil(5)).unwrap();
    let (fake, url) = Fake::start().await;
    let mut home = Home::new(&url, CHANNELS);
    fs::create_dir(&home.data).unwrap();
    let disk = Disk::new(&home.data, home.path());
    home.environment = disk.environment();

    // What `ingest` and `post` have said done survives at once.
    home.publish("mailing.txt").await;
    let mut lost = disk.cut(None);
    let (published, ids) = home.published();
    disk.settle();
    assert_eq!(published.len(), 2 * usize::try_from(CHANNELS).unwrap());
    let parts: usize = published.values().map(Vec::len).sum();

    let mut sums = Sums::default();
    let mut taken = fake.taken.subscribe();
    for cut in 0..cuts {
        fake.world().life += 1;
        let mut child = home.run();
        let left = parts - fake.arrived(0);
        let goal = *taken.borrow_and_update() + (1 + random.below(2 * left / (cuts - cut + 1) + 1)).min(left);
        let reached = timeout_at(deadline, taken.wait_for(|taken| *taken >= goal))
            .await
            .is_ok();
        assert!(reached, "seed {seed}, cut {cut}: {}", home.last_words());
        sleep(random.millis(30)).await;
        sums.cut(&fake);
        child.kill().await.unwrap();
        lost += disk.cut((cut % 2 == 1).then_some(&mut random));
    }
    let complete = home.finish(&fake, 0, parts, deadline).await;

    sums.compare(&fake, &published, 0);
    println!("seed {seed}: {CHANNELS} channels of each platform; unsynced bytes at the cuts: {lost}");
    sums.print(cuts);
    assert_eq!((sums.of("telegram").lost, sums.of("discord").lost), (0, 0));
    assert!(complete, "{}", home.last_words());
    assert_eq!(sums.of("discord").twice, 0);
    assert!(lost > 0, "the test lost nothing that could be missed");
    home.settle().await;
    home.assert_sent(&ids);
}
