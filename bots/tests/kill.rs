//! The real program under SIGKILL: it is killed at random moments while it delivers one digest to many channels, and what
//! the platforms took is compared with what was published.
//!
//! ```text
//! PAPERWIRE_KILLS=100 PAPERWIRE_SEED=7 cargo test --test kill -- --nocapture
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests are tests, and the figures are for people"
)]

mod common;

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use common::{Fake, Home, LATENCY, PRIVATE, Random, Sums, variable};

/// Channels of Discord, and as many supergroups of Telegram.
const CHANNELS: u64 = 80;
/// Private chats of Telegram, where nobody can look for a message.
const PRIVATE_CHATS: u64 = 40;
/// What each platform allows in a second.
const RATE: u32 = 100;
/// How long a platform is busy with what it has of a killed program: longer than the next start takes.
const BUSY: Duration = Duration::from_secs(3);
/// How long ten kills may take in all.
const TEN_KILLS: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_program_that_is_killed_again_and_again_loses_nothing_and_repeats_only_what_nobody_can_look_for() {
    let kills = variable("PAPERWIRE_KILLS").unwrap_or(30);
    let seed = variable("PAPERWIRE_SEED").unwrap_or(1);
    let mut random = Random(u64::try_from(seed).unwrap());
    let deadline = Instant::now() + TEN_KILLS * u32::try_from(kills.div_ceil(10)).unwrap();
    let (fake, url) = Fake::start().await;
    let home = Home::at_rate(&url, CHANNELS, PRIVATE_CHATS, RATE, "compact");
    let channels = usize::try_from(2 * CHANNELS + PRIVATE_CHATS).unwrap();
    let began = Instant::now();

    // Nobody kills the first, small digest: every channel has a message of the bot's before.
    home.publish("mailing_next.txt").await;
    let (published, _) = home.published();
    assert_eq!(published.len(), channels);
    let parts = published.values().map(Vec::len).sum();
    assert!(home.finish(&fake, 0, parts, deadline).await, "{}", home.last_words());

    home.publish("mailing.txt").await;
    let (published, ids) = home.published();
    assert_eq!(published.len(), channels);
    let parts: usize = published.values().map(Vec::len).sum();
    let first = fake.world().life + 1;
    fake.world().busy = Some(BUSY);
    let mut sums = Sums::default();
    let mut taken = fake.taken.subscribe();
    for killed in 0..kills {
        fake.world().life += 1;
        let mut child = home.run();
        // A seventh of the kills meet the start, the others the sending, spread over all parts.
        if random.below(7) == 0 {
            sleep(random.millis(300)).await;
        } else {
            let left = parts - fake.arrived(first);
            let goal = *taken.borrow_and_update() + (1 + random.below(2 * left / (kills - killed + 1) + 1)).min(left);
            let reached = timeout_at(deadline, taken.wait_for(|taken| *taken >= goal))
                .await
                .is_ok();
            assert!(reached, "seed {seed}, kill {killed}: {}", home.last_words());
            sleep(random.millis(30)).await;
        }
        sums.cut(&fake);
        child.kill().await.unwrap();
    }
    let complete = home.finish(&fake, first, parts, deadline).await;
    // What was taken late stands in its chat before the program has looked.
    fake.world().life += 1;
    home.settle().await;

    sums.compare(&fake, &published, first);
    let (recognised, looks, late) = {
        let world = fake.world();
        (world.recognised, world.looks, world.late)
    };
    println!(
        "seed {seed}: {channels} channels in {:.0?}; repeats that Discord recognised: {recognised}; looks: {looks}; \
         taken late: {late}",
        began.elapsed()
    );
    sums.print(kills);
    for kind in ["discord", "telegram", PRIVATE] {
        assert_eq!(sums.of(kind).lost, 0, "{kind}: {}", home.last_words());
    }
    assert!(complete, "{}", home.last_words());
    assert_eq!((sums.of("discord").twice, sums.of("telegram").twice), (0, 0));
    // Only what was on the wire: what was claimed and waited for its instant was never sent, and cannot come twice.
    let on_the_wire = (LATENCY * RATE).as_millis().div_ceil(1_000);
    let most = kills * usize::try_from(on_the_wire).unwrap();
    assert!(sums.of(PRIVATE).twice <= most, "more than {most}");
    home.assert_sent(&ids);
}
