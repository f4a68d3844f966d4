//! What the tests of the real program share: both platforms in one server, a home for the program with its
//! configuration and log, and the comparison of what the platforms took with what was published.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path as UrlPath, Query, State};
use axum::http::StatusCode;
use axum::routing::{any, get};
use axum::{Json, Router};
use paperwire_core::delivery::{DeliveryId, State as Stage};
use paperwire_core::store::{SledStore, Store};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// How long the platforms take to answer; a message stands in its chat at half of it.
pub(crate) const LATENCY: Duration = Duration::from_millis(60);
/// Somebody else writes in a Telegram chat after so many of the bot's messages, and takes an id.
const CHATTER: usize = 4;
/// The longest that a command or the end of a process is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// splitmix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n).unwrap()).unwrap()
    }

    pub(crate) fn millis(&mut self, most: usize) -> Duration {
        Duration::from_millis(u64::try_from(self.below(most)).unwrap())
    }
}

pub(crate) fn variable(name: &str) -> Option<usize> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

// Both platforms in one server.

/// A message that stands in a chat.
pub(crate) struct Message {
    id: String,
    /// Which of the program's lives sent it.
    pub(crate) life: usize,
    /// The request that brought it; `None` for somebody else's.
    request: Option<Value>,
}

impl Message {
    /// What people read of it; `None` for somebody else's.
    pub(crate) fn content(&self) -> Option<Value> {
        self.request.as_ref().map(content)
    }
}

/// Telegram's private chats, where nobody can look for a message.
pub(crate) const PRIVATE: &str = "private";

/// What kind of place it is: Discord's, a supergroup on Telegram, or a private chat there.
fn kind(place: &str) -> &'static str {
    match place.strip_prefix("telegram:") {
        None => "discord",
        Some(chat) if chat.starts_with('-') => "telegram",
        Some(_) => PRIVATE,
    }
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) life: usize,
    pub(crate) chats: BTreeMap<String, Vec<Message>>,
    nonces: HashMap<String, String>,
    /// Repeats that Discord recognised by their nonce.
    pub(crate) recognised: usize,
    /// Messages that were taken after their connection broke.
    pub(crate) late: usize,
    /// How often somebody looked whether a message is there.
    pub(crate) looks: usize,
    on_the_wire: BTreeMap<&'static str, usize>,
    discord_messages: usize,
    private_messages: usize,
    /// How long the platforms go on with a request whose connection broke before they take its message; `None`: not at all.
    pub(crate) busy: Option<Duration>,
    /// Where the token is not known any more.
    pub(crate) revoked: Option<&'static str>,
}

pub(crate) struct Fake {
    world: Mutex<World>,
    /// How many messages were taken.
    pub(crate) taken: watch::Sender<usize>,
    /// While this is true no message is taken and no request that brings one is answered.
    pub(crate) hanging: watch::Sender<bool>,
    /// How many requests that brought a message hung.
    pub(crate) hung: watch::Sender<usize>,
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

/// A message that is about to be taken. If the connection ends before, a busy platform takes it all the same, later: half
/// of the time, or nothing would ever be absent.
struct Pending {
    fake: Arc<Fake>,
    life: usize,
    message: Option<(String, Option<String>, Value)>,
}

impl Pending {
    fn new(fake: &Arc<Fake>, place: String, nonce: Option<String>, request: Value) -> Self {
        Self {
            fake: Arc::clone(fake),
            life: fake.world().life,
            message: Some((place, nonce, request)),
        }
    }

    fn take(mut self) -> String {
        let (place, nonce, request) = self.message.take().unwrap();
        self.fake.take(self.life, place, nonce, request)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let Some((place, nonce, request)) = self.message.take() else {
            return;
        };
        let (fake, life, busy) = (Arc::clone(&self.fake), self.life, self.fake.world().busy);
        // In a private chat nobody can look, and a repeat would overtake it.
        if let Some(busy) = busy.filter(|_| kind(&place) != PRIVATE && place.ends_with(['0', '2', '4', '6', '8'])) {
            tokio::spawn(async move {
                sleep(busy).await;
                fake.world().late += 1;
                fake.take(life, place, nonce, request);
            });
        }
    }
}

impl Fake {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Takes a message; returns its id. A nonce that is known brings back its message.
    fn take(&self, life: usize, place: String, nonce: Option<String>, request: Value) -> String {
        let id = {
            let mut world = self.world();
            if let Some(known) = nonce.as_ref().and_then(|nonce| world.nonces.get(nonce).cloned()) {
                world.recognised += 1;
                return known;
            }
            let discord = place.starts_with("discord");
            world.discord_messages += usize::from(discord);
            let snowflake = 700_000_000_000_000_000_usize + world.discord_messages;
            // Private chats have one counter together.
            let private = kind(&place) == PRIVATE;
            world.private_messages += usize::from(private);
            let shared = world.private_messages;
            let chat = world.chats.entry(place).or_default();
            if !discord && !private && chat.len() % (CHATTER + 1) == CHATTER {
                let id = (chat.len() + 1).to_string();
                chat.push(Message {
                    id,
                    life,
                    request: None,
                });
            }
            let id = match (discord, private) {
                (true, _) => snowflake,
                (_, true) => shared,
                (false, false) => chat.len() + 1,
            }
            .to_string();
            chat.push(Message {
                id: id.clone(),
                life,
                request: Some(request),
            });
            world.nonces.extend(nonce.map(|nonce| (nonce, id.clone())));
            id
        };
        self.taken.send_modify(|taken| *taken += 1);
        id
    }

    async fn pass(&self) {
        let mut hanging = self.hanging.subscribe();
        if *hanging.borrow_and_update() {
            self.hung.send_modify(|hung| *hung += 1);
            // Never an error: `self` has the sender.
            let _ = hanging.wait_for(|hanging| !hanging).await;
        }
    }

    pub(crate) async fn start() -> (Arc<Self>, String) {
        let fake = Arc::new(Self {
            world: Mutex::default(),
            taken: watch::Sender::new(0),
            hanging: watch::Sender::new(false),
            hung: watch::Sender::new(0),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        // Discord's gateway is not at home: questions are another test's.
        let app = Router::new()
            .route("/telegram/{bot}/{method}", any(telegram))
            .route(
                "/discord/api/v10/channels/{id}/messages",
                get(discord_messages).post(discord),
            )
            .fallback(|| async { StatusCode::SERVICE_UNAVAILABLE })
            .with_state(Arc::clone(&fake));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (fake, url)
    }

    /// What was heard of and not answered, by platform.
    pub(crate) fn on_the_wire(&self) -> BTreeMap<&'static str, usize> {
        self.world().on_the_wire.clone()
    }

    /// How many different parts arrived in this life or, if it is 0, in any after the `first`.
    pub(crate) fn arrived(&self, first: usize) -> usize {
        let world = self.world();
        let different = |messages: &Vec<Message>| {
            let contents = messages.iter().filter(|m| m.life >= first).filter_map(Message::content);
            contents
                .map(|content| content.to_string())
                .collect::<std::collections::HashSet<_>>()
                .len()
        };
        world.chats.values().map(different).sum()
    }
}

/// Bot API, "Making requests".
fn refused(description: &str) -> Result<Value, (StatusCode, Json<Value>)> {
    let body = json!({"ok": false, "error_code": 400, "description": format!("Bad Request: {description}")});
    Err((StatusCode::BAD_REQUEST, Json(body)))
}

fn telegram_message(id: i64, request: &Value) -> Value {
    json!({"message_id": id, "date": 0, "chat": {"id": request["chat_id"], "type": "supergroup"}, "text": request["text"]})
}

async fn telegram(
    State(fake): State<Arc<Fake>>,
    UrlPath((_, method)): UrlPath<(String, String)>,
    body: Bytes,
) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    let request = || serde_json::from_slice::<Value>(&body).unwrap();
    let result = match method.to_lowercase().as_str() {
        "sendmessage" => {
            let request = request();
            let place = format!("telegram:{}", request["chat_id"]);
            let _wire = OnTheWire::enter(&fake, kind(&place));
            if fake.world().revoked == Some("telegram") {
                let body = json!({"ok": false, "error_code": 401, "description": "Unauthorized"});
                return Err((StatusCode::UNAUTHORIZED, Json(body)));
            }
            fake.pass().await;
            let pending = Pending::new(&fake, place, None, request.clone());
            sleep(LATENCY / 2).await;
            let id = pending.take();
            sleep(LATENCY / 2).await;
            Ok(telegram_message(id.parse().unwrap(), &request))
        }
        "editmessagereplymarkup" => {
            sleep(LATENCY).await;
            keyboard(&mut fake.world(), &request())
        }
        "getupdates" => std::future::pending().await,
        "getchatmember" => {
            assert_eq!(request()["user_id"], 42);
            Ok(json!({"status": "administrator", "user": {"id": 42, "is_bot": true, "first_name": "P"}}))
        }
        "getme" => Ok(
            json!({"id": 42, "is_bot": true, "first_name": "P", "username": "p_bot", "can_join_groups": true,
            "can_read_all_group_messages": false, "supports_inline_queries": false, "can_connect_to_business": false,
            "has_main_web_app": false}),
        ),
        _ => Ok(json!(true)),
    };
    result.map(|result| Json(json!({"ok": true, "result": result})))
}

/// Bot API, editMessageReplyMarkup; the descriptions are those of tdlib/telegram-bot-api.
fn keyboard(world: &mut World, request: &Value) -> Result<Value, (StatusCode, Json<Value>)> {
    world.looks += 1;
    let id = request["message_id"].as_i64().unwrap();
    let chat = world
        .chats
        .entry(format!("telegram:{}", request["chat_id"]))
        .or_default();
    let Some(message) = chat.iter_mut().find(|message| message.id == id.to_string()) else {
        return refused("message to edit not found");
    };
    let Some(sent) = &mut message.request else {
        return refused("message can't be edited");
    };
    if sent["reply_markup"] == request["reply_markup"] {
        return refused(
            "message is not modified: specified new message content and reply markup are exactly the same as a \
             current content and reply markup of the message",
        );
    }
    sent["reply_markup"] = request["reply_markup"].clone();
    Ok(telegram_message(id, sent))
}

async fn discord(
    State(fake): State<Arc<Fake>>,
    UrlPath(channel): UrlPath<u64>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    let _wire = OnTheWire::enter(&fake, "discord");
    if fake.world().revoked == Some("discord") {
        let body = json!({"message": "401: Unauthorized", "code": 0});
        return Err((StatusCode::UNAUTHORIZED, Json(body)));
    }
    fake.pass().await;
    let nonce = (body["enforce_nonce"] == true).then(|| body["nonce"].as_str().unwrap().to_owned());
    let pending = Pending::new(&fake, format!("discord:{channel}"), nonce, body.clone());
    sleep(LATENCY / 2).await;
    let id = pending.take();
    sleep(LATENCY / 2).await;
    Ok(Json(discord_message(&id, channel, &body)))
}

fn discord_message(id: &str, channel: u64, request: &Value) -> Value {
    let list = |name: &str| json!(request[name].as_array().cloned().unwrap_or_default());
    json!({"id": id, "channel_id": channel.to_string(), "type": 0, "timestamp": "2026-02-04T09:00:00+00:00",
        "author": {"id": "42", "username": "paperwire", "bot": true}, "nonce": request["nonce"],
        "content": request["content"].as_str().unwrap_or_default(), "embeds": list("embeds"),
        "components": list("components")})
}

/// Discord, Get Channel Messages: the latest first, at most `limit` (50), after or before one if asked.
async fn discord_messages(
    State(fake): State<Arc<Fake>>,
    UrlPath(channel): UrlPath<u64>,
    Query(query): Query<HashMap<String, String>>,
) -> Json<Value> {
    sleep(LATENCY).await;
    let mut world = fake.world();
    world.looks += 1;
    let number = |name: &str| query.get(name).map(|value| value.parse::<u64>().unwrap());
    let (after, before) = (number("after").unwrap_or(0), number("before").unwrap_or(u64::MAX));
    let limit = number("limit").unwrap_or(50).min(100);
    let chat = world.chats.entry(format!("discord:{channel}")).or_default();
    let within = chat.iter().filter(|message| {
        let id = message.id.parse::<u64>().unwrap();
        after < id && id < before
    });
    let mut found: Vec<Value> = within
        .map(|message| discord_message(&message.id, channel, message.request.as_ref().unwrap()))
        .collect();
    // With `after` alone, Discord gives the messages that follow it directly.
    if query.contains_key("after") {
        found.truncate(usize::try_from(limit).unwrap());
    }
    found.reverse();
    found.truncate(usize::try_from(limit).unwrap());
    Json(json!(found))
}

/// What people read of a request's body.
fn content(body: &Value) -> Value {
    json!([body["text"], body["content"], body["embeds"]])
}

// The program.

/// A folder with the configuration, the data folder and the log of all lives.
pub(crate) struct Home {
    folder: tempfile::TempDir,
    /// What the program is started with, such as `nsenter …`.
    pub(crate) wrapper: Vec<OsString>,
    pub(crate) environment: Vec<(&'static str, OsString)>,
    /// Under which path this process finds the data folder.
    pub(crate) data: PathBuf,
}

impl Home {
    /// With so many channels of each platform, which allow any rate.
    pub(crate) fn new(url: &str, channels: u64) -> Self {
        // A full digest has more parts.
        Self::at_rate(url, channels, 0, 10_000, "full")
    }

    /// With private chats on Telegram as well; each platform allows so many messages a second. `style`: of Telegram's.
    pub(crate) fn at_rate(url: &str, channels: u64, private: u64, rate: u32, style: &str) -> Self {
        let mut config = format!(
            "[telegram]\ntoken = \"42:AAFake\"\napi_url = \"{url}/telegram\"\nmessages_per_second = {rate}\n\
             per_chat_per_second = 10000\nper_group_per_minute = 10000\n\
             [discord]\ntoken = \"fake\"\napi_url = \"{url}/discord\"\nrequests_per_second = {rate}\n\
             [web]\nenabled = false\n[defaults]\nschedule = \"off\"\n"
        );
        let mut add = |place: String, style: &str| {
            config.push_str(&format!(
                "[[channel]]\nplace = \"{place}\"\ntopics = [\"inference\"]\nstyle = \"{style}\"\n"
            ));
        };
        for n in 1..=channels {
            // Supergroups, where messages are counted by chat.
            add(format!("telegram:-{}", 1_001_000_000_000 + n), style);
            add(format!("discord:{}", 100_000_000_000_000_000 + n), "compact");
        }
        for n in 1..=private {
            add(format!("telegram:{}", 1_000 + n), style);
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("paperwire.toml"), config).unwrap();
        let data = folder.path().join("data");
        Self {
            folder,
            wrapper: Vec::new(),
            environment: Vec::new(),
            data,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let binary = OsString::from(env!("CARGO_BIN_EXE_paperwire"));
        let mut words = self.wrapper.iter().chain([&binary]);
        let mut command = Command::new(words.next().unwrap());
        let inherited = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PAPERWIRE_"));
        for (name, _) in inherited {
            command.env_remove(name);
        }
        let log = File::options().append(true).create(true).open(self.log()).unwrap();
        command.args(words).args(args).current_dir(self.folder.path());
        command.envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command.kill_on_drop(true);
        command
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// What all lives said.
    pub(crate) fn words(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// The last lines of it.
    pub(crate) fn last_words(&self) -> String {
        let log = self.words();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    pub(crate) async fn done(&self, args: &[&str]) {
        let status = timeout(PATIENCE, self.command(args).status()).await;
        assert!(status.unwrap().unwrap().success(), "{args:?}: {}", self.last_words());
    }

    /// Takes a sample in and queues its digest.
    pub(crate) async fn publish(&self, sample: &str) {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample").join(sample);
        self.done(&["ingest", sample.to_str().unwrap()]).await;
        self.done(&["post"]).await;
    }

    pub(crate) fn run(&self) -> Child {
        self.command(&["run"]).spawn().unwrap()
    }

    /// The exit code after SIGTERM, which has to come in this time.
    pub(crate) async fn stop(&self, mut child: Child, within: Duration) -> Option<i32> {
        let pid = child.id().unwrap().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
        assert!(told.success());
        let ended = timeout(within, child.wait()).await;
        let ended = ended.unwrap_or_else(|_| panic!("it runs on after {within:?}: {}", self.last_words()));
        ended.unwrap().code()
    }

    /// The exit code of a program that ends by itself.
    pub(crate) async fn end(&self, mut child: Child) -> Option<i32> {
        let ended = timeout(PATIENCE, child.wait()).await;
        let ended = ended.unwrap_or_else(|_| panic!("it runs on: {}", self.last_words()));
        ended.unwrap().code()
    }

    pub(crate) fn store(&self) -> SledStore {
        SledStore::open(&self.data.join("store")).unwrap()
    }

    /// What every place shall get, part by part, as the store has it, and which deliveries bring it.
    pub(crate) fn published(&self) -> (BTreeMap<String, Vec<Value>>, Vec<DeliveryId>) {
        let store = self.store();
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

    /// Has everything delivered that is left, and ends the program by SIGTERM. `false` when it is not done in time.
    pub(crate) async fn finish(&self, fake: &Fake, first: usize, parts: usize, deadline: Instant) -> bool {
        fake.world().life += 1;
        let mut taken = fake.taken.subscribe();
        let child = self.run();
        let complete = timeout_at(deadline, taken.wait_for(|_| fake.arrived(first) >= parts))
            .await
            .is_ok();
        if complete {
            assert_eq!(self.stop(child, PATIENCE).await, Some(0), "{}", self.last_words());
        }
        complete
    }

    /// Lets the program find out about everything that has arrived without its knowing.
    pub(crate) async fn settle(&self) {
        let child = self.run();
        let asking = async {
            loop {
                let status = self.command(&["status"]).stdout(Stdio::piped()).output().await.unwrap();
                if String::from_utf8_lossy(&status.stdout).contains("deliveries waiting: 0\n") {
                    break;
                }
                sleep(LATENCY).await;
            }
        };
        let settled = timeout(PATIENCE, asking).await;
        assert!(settled.is_ok(), "{}", self.last_words());
        assert_eq!(self.stop(child, PATIENCE).await, Some(0), "{}", self.last_words());
    }

    /// The program knows that these have arrived.
    pub(crate) fn assert_sent(&self, ids: &[DeliveryId]) {
        let store = self.store();
        for id in ids {
            let delivery = store.delivery(id).unwrap().unwrap();
            assert!(matches!(delivery.state, Stage::Sent { .. }), "{delivery:?}");
        }
    }
}

/// What became of a platform's parts.
#[derive(Default)]
pub(crate) struct Sum {
    pub(crate) parts: usize,
    pub(crate) lost: usize,
    pub(crate) twice: usize,
    /// Sends that the platform had heard of and not answered, over all ends.
    pub(crate) cut: usize,
}

/// Compares what came to one place since the life `first` with what was published; a message that is out of order is an
/// error, and so is a repeat of any part but the last of an earlier life: what came before that one was settled.
fn compare(place: &str, published: &[Value], messages: &[Message], first: usize, sum: &mut Sum) {
    let mut last: Option<(usize, usize)> = None;
    for message in messages.iter().filter(|message| message.life >= first) {
        let (Some(content), life) = (message.content(), message.life) else {
            continue;
        };
        let part = published.iter().position(|part| *part == content);
        let part = part.unwrap_or_else(|| panic!("{place} got what was not published: {content}"));
        match last {
            // Only what was on the wire when the program ended may come again, as the first of the next life.
            Some((before, of_life)) if part == before => {
                assert!(of_life < life, "{place}: part {part} came twice in one life");
                sum.twice += 1;
            }
            Some((before, _)) => assert_eq!(part, before + 1, "{place}: the order is broken"),
            None => assert_eq!(part, 0, "{place}: the order is broken"),
        }
        last = Some((part, life));
    }
    sum.parts += published.len();
    sum.lost += published.len() - last.map_or(0, |(part, _)| part + 1);
}

/// The sums of every kind of place, as far as they can be seen from outside.
#[derive(Default)]
pub(crate) struct Sums(BTreeMap<&'static str, Sum>);

impl Sums {
    /// Counts what is on the wire now, as the program ends.
    pub(crate) fn cut(&mut self, fake: &Fake) {
        for (platform, count) in fake.on_the_wire() {
            self.0.entry(platform).or_default().cut += count;
        }
    }

    /// Compares every place.
    pub(crate) fn compare(&mut self, fake: &Fake, published: &BTreeMap<String, Vec<Value>>, first: usize) {
        let world = fake.world();
        for (place, published) in published {
            let messages = world.chats.get(place).map_or(&[][..], Vec::as_slice);
            compare(
                place,
                published,
                messages,
                first,
                self.0.entry(kind(place)).or_default(),
            );
        }
    }

    pub(crate) fn of(&self, platform: &str) -> &Sum {
        &self.0[platform]
    }

    pub(crate) fn print(&self, ends: usize) {
        println!(
            "{:<9} {:>5} {:>6} {:>5} {:>6}  on the wire at the ends",
            "platform", "ends", "parts", "lost", "twice"
        );
        for (platform, sum) in &self.0 {
            let Sum {
                parts,
                lost,
                twice,
                cut,
            } = sum;
            println!("{platform:<9} {ends:>5} {parts:>6} {lost:>5} {twice:>6}  {cut}");
        }
    }
}
