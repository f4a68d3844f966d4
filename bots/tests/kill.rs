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

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use axum::routing::{any, post};
use axum::{Json, Router};
use paperwire_core::delivery::{DeliveryId, State as Stage};
use paperwire_core::store::{SledStore, Store};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

/// Channels of each platform.
const CHANNELS: u64 = 30;
/// How long the platforms take to answer; a message stands in its chat at half of it.
const LATENCY: Duration = Duration::from_millis(20);
/// How long ten kills may take in all.
const TEN_KILLS: Duration = Duration::from_secs(60);

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n).unwrap()).unwrap()
    }

    fn millis(&mut self, most: usize) -> Duration {
        Duration::from_millis(u64::try_from(self.below(most)).unwrap())
    }
}

// Both platforms in one server.

/// A message that stands in a chat.
struct Message {
    /// Which of the program's lives sent it.
    life: usize,
    content: Value,
}

#[derive(Default)]
struct World {
    life: usize,
    chats: BTreeMap<String, Vec<Message>>,
    nonces: HashMap<String, String>,
    /// Repeats that Discord recognised by their nonce.
    recognised: usize,
    on_the_wire: BTreeMap<&'static str, usize>,
    messages: usize,
}

struct Fake {
    world: Mutex<World>,
    /// How many messages were taken.
    taken: watch::Sender<usize>,
}

/// A request that is being answered; the connection's end ends it too.
struct OnTheWire(Arc<Fake>, &'static str);

impl OnTheWire {
    fn enter(fake: &Arc<Fake>, platform: &'static str) -> Self {
        *fake.world().on_the_wire.entry(platform).or_default() += 1;
        Self(Arc::clone(fake), platform)
    }
}

impl Drop for OnTheWire {
    fn drop(&mut self) {
        if let Some(count) = self.0.world().on_the_wire.get_mut(self.1) {
            *count -= 1;
        }
    }
}

impl Fake {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Takes a message; returns its id. A nonce that is known brings back its message.
    fn take(&self, place: String, nonce: Option<String>, content: Value) -> String {
        let id = {
            let mut world = self.world();
            if let Some(known) = nonce.as_ref().and_then(|nonce| world.nonces.get(nonce).cloned()) {
                world.recognised += 1;
                return known;
            }
            world.messages += 1;
            let id = (700_000_000_000_000_000_usize + world.messages).to_string();
            let life = world.life;
            world.chats.entry(place).or_default().push(Message { life, content });
            world.nonces.extend(nonce.map(|nonce| (nonce, id.clone())));
            id
        };
        self.taken.send_modify(|taken| *taken += 1);
        id
    }

    async fn start() -> (Arc<Self>, String) {
        let fake = Arc::new(Self {
            world: Mutex::default(),
            taken: watch::Sender::new(0),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        // Discord's gateway is not at home: questions are another test's.
        let app = Router::new()
            .route("/telegram/{bot}/{method}", any(telegram))
            .route("/discord/api/v10/channels/{id}/messages", post(discord))
            .fallback(|| async { StatusCode::SERVICE_UNAVAILABLE })
            .with_state(Arc::clone(&fake));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (fake, url)
    }
}

async fn telegram(
    State(fake): State<Arc<Fake>>,
    UrlPath((_, method)): UrlPath<(String, String)>,
    body: Bytes,
) -> Json<Value> {
    let result = match method.to_lowercase().as_str() {
        "sendmessage" => {
            let _wire = OnTheWire::enter(&fake, "telegram");
            let body: Value = serde_json::from_slice(&body).unwrap();
            sleep(LATENCY / 2).await;
            let id = fake.take(format!("telegram:{}", body["chat_id"]), None, content(&body));
            sleep(LATENCY / 2).await;
            let id: i64 = id.parse().unwrap();
            json!({"message_id": id, "date": 0, "chat": {"id": body["chat_id"], "type": "private"}, "text": body["text"]})
        }
        "getupdates" => std::future::pending().await,
        "getme" => json!({"id": 42, "is_bot": true, "first_name": "P", "username": "p_bot", "can_join_groups": true,
            "can_read_all_group_messages": false, "supports_inline_queries": false, "can_connect_to_business": false,
            "has_main_web_app": false}),
        _ => json!(true),
    };
    Json(json!({"ok": true, "result": result}))
}

async fn discord(
    State(fake): State<Arc<Fake>>,
    UrlPath(channel): UrlPath<u64>,
    Json(body): Json<Value>,
) -> Json<Value> {
    let _wire = OnTheWire::enter(&fake, "discord");
    sleep(LATENCY / 2).await;
    let nonce = (body["enforce_nonce"] == true).then(|| body["nonce"].as_str().unwrap().to_owned());
    let id = fake.take(format!("discord:{channel}"), nonce, content(&body));
    sleep(LATENCY / 2).await;
    Json(json!({"id": id, "channel_id": channel.to_string()}))
}

/// What people read of a request's body.
fn content(body: &Value) -> Value {
    json!([body["text"], body["content"], body["embeds"]])
}

// The program.

struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new(url: &str) -> Self {
        let mut config = format!(
            "[telegram]\ntoken = \"42:AAFake\"\napi_url = \"{url}/telegram\"\nmessages_per_second = 1000\n\
             per_chat_per_second = 1000\nper_group_per_minute = 1000\n\
             [discord]\ntoken = \"fake\"\napi_url = \"{url}/discord\"\nrequests_per_second = 1000\n\
             [web]\nenabled = false\n[defaults]\nschedule = \"off\"\n"
        );
        for n in 1..=CHANNELS {
            // Private chats and groups; a full digest has more parts.
            let chat = i64::try_from(1_000 + n).unwrap() * if n % 2 == 0 { 1 } else { -1 };
            for (place, style) in [
                (format!("telegram:{chat}"), "full"),
                (format!("discord:{}", 100_000_000_000_000_000 + n), "compact"),
            ] {
                config.push_str(&format!(
                    "[[channel]]\nplace = \"{place}\"\ntopics = [\"inference\"]\nstyle = \"{style}\"\n"
                ));
            }
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("paperwire.toml"), config).unwrap();
        Self { folder }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paperwire"));
        let inherited = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PAPERWIRE_"));
        for (name, _) in inherited {
            command.env_remove(name);
        }
        let log = File::options().append(true).create(true).open(self.log()).unwrap();
        command.args(args).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command.kill_on_drop(true);
        command
    }

    fn log(&self) -> std::path::PathBuf {
        self.folder.path().join("log")
    }

    /// The last lines of what all lives said.
    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    async fn done(&self, args: &[&str]) {
        let status = self.command(args).status().await.unwrap();
        assert!(status.success(), "{args:?}: {}", self.last_words());
    }

    fn run(&self) -> Child {
        self.command(&["run"]).spawn().unwrap()
    }

    /// What every place shall get, part by part, as the store has it, and which deliveries bring it.
    fn published(&self) -> (BTreeMap<String, Vec<Value>>, Vec<DeliveryId>) {
        let store = SledStore::open(&self.folder.path().join("data/store")).unwrap();
        let deliveries = store.unfinished(usize::MAX).unwrap();
        let ids = deliveries.iter().map(|delivery| delivery.id.clone()).collect();
        let parts = deliveries.iter().map(|delivery| {
            let parts = (0..delivery.parts).map(|index| {
                let part = store.part(&delivery.rendering, index).unwrap().unwrap();
                content(&serde_json::from_str(&part.payload).unwrap())
            });
            (delivery.id.place.to_string(), parts.collect())
        });
        (parts.collect(), ids)
    }
}

/// What became of a platform's parts.
#[derive(Default)]
struct Sum {
    parts: usize,
    lost: usize,
    twice: usize,
    /// Sends that the platform had heard of and not answered, over all kills.
    cut: usize,
}

/// Compares one place; any message that is out of order is an error.
fn compare(place: &str, published: &[Value], messages: &[Message], sum: &mut Sum) {
    let mut last: Option<(usize, usize)> = None;
    for Message { life, content } in messages {
        let part = published.iter().position(|part| part == content);
        let part = part.unwrap_or_else(|| panic!("{place} got what was not published: {content}"));
        match last {
            // Only what was on the wire when the program was killed may come again, as the first of the next life.
            Some((before, of_life)) if part == before => {
                assert!(of_life < *life, "{place}: part {part} came twice in one life");
                sum.twice += 1;
            }
            Some((before, _)) => assert_eq!(part, before + 1, "{place}: the order is broken"),
            None => assert_eq!(part, 0, "{place}: the order is broken"),
        }
        last = Some((part, *life));
    }
    sum.parts += published.len();
    sum.lost += published.len() - last.map_or(0, |(part, _)| part + 1);
}

/// How many different parts arrived.
fn arrived(fake: &Fake) -> usize {
    let world = fake.world();
    let chats = world.chats.values();
    chats
        .map(|messages| {
            messages
                .iter()
                .map(|m| m.content.to_string())
                .collect::<std::collections::HashSet<_>>()
                .len()
        })
        .sum()
}

fn variable(name: &str) -> Option<usize> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_program_that_is_killed_again_and_again_loses_nothing_and_repeats_only_what_was_on_the_wire() {
    let kills = variable("PAPERWIRE_KILLS").unwrap_or(10);
    let seed = variable("PAPERWIRE_SEED").unwrap_or(1);
    let mut random = Random(u64::try_from(seed).unwrap());
    let deadline = Instant::now() + TEN_KILLS * u32::try_from(kills.div_ceil(10)).unwrap();
    let (fake, url) = Fake::start().await;
    let home = Home::new(&url);
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample/mailing.txt");
    home.done(&["ingest", sample.to_str().unwrap()]).await;
    home.done(&["post"]).await;
    let (published, ids) = home.published();
    let parts: usize = published.values().map(Vec::len).sum();
    assert_eq!(published.len(), 2 * usize::try_from(CHANNELS).unwrap());

    let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
    let mut taken = fake.taken.subscribe();
    for killed in 0..kills {
        fake.world().life += 1;
        let mut child = home.run();
        // A seventh of the kills meet the start, the others the sending, spread over all parts.
        if random.below(7) == 0 {
            sleep(random.millis(300)).await;
        } else {
            let left = parts - arrived(&fake);
            let goal = *taken.borrow_and_update() + (1 + random.below(2 * left / (kills - killed + 1) + 1)).min(left);
            let reached = timeout_at(deadline, taken.wait_for(|taken| *taken >= goal))
                .await
                .is_ok();
            assert!(reached, "seed {seed}, kill {killed}: {}", home.last_words());
            sleep(random.millis(30)).await;
        }
        for (platform, count) in fake.world().on_the_wire.clone() {
            sums.entry(platform).or_default().cut += count;
        }
        child.kill().await.unwrap();
    }
    fake.world().life += 1;
    let mut child = home.run();
    let complete = timeout_at(deadline, taken.wait_for(|_| arrived(&fake) == parts))
        .await
        .is_ok();
    if complete {
        let pid = child.id().unwrap().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .await
                .unwrap()
                .success()
        );
        let ended = timeout_at(deadline, child.wait()).await;
        assert_eq!(
            ended.ok().and_then(Result::ok).and_then(|status| status.code()),
            Some(0),
            "{}",
            home.last_words()
        );
    } else {
        child.kill().await.unwrap();
    }

    let world = fake.world();
    for (place, published) in &published {
        let platform = if place.starts_with("telegram") {
            "telegram"
        } else {
            "discord"
        };
        let messages = world.chats.get(place).map_or(&[][..], Vec::as_slice);
        compare(place, published, messages, sums.entry(platform).or_default());
    }
    println!(
        "seed {seed}: {CHANNELS} channels of each platform; repeats that Discord recognised: {}",
        world.recognised
    );
    println!(
        "{:<9} {:>5} {:>6} {:>5} {:>6}  on the wire at the kills",
        "platform", "kills", "parts", "lost", "twice"
    );
    for (platform, sum) in &sums {
        let Sum {
            parts,
            lost,
            twice,
            cut,
        } = sum;
        println!("{platform:<9} {kills:>5} {parts:>6} {lost:>5} {twice:>6}  {cut}");
    }
    assert_eq!(
        (sums["telegram"].lost, sums["discord"].lost),
        (0, 0),
        "{}",
        home.last_words()
    );
    assert_eq!(sums["discord"].twice, 0);
    // Of each chat one part is on the wire at a time.
    assert!(sums["telegram"].twice <= kills * usize::try_from(CHANNELS).unwrap());
    // The program knows that everything is done, too.
    let store = SledStore::open(&home.folder.path().join("data/store")).unwrap();
    for id in ids {
        let delivery = store.delivery(&id).unwrap().unwrap();
        assert!(matches!(delivery.state, Stage::Sent { .. }), "{delivery:?}");
    }
}
