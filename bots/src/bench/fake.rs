//! Both platforms over loopback, with their limits: what the benchmarks send to. It runs as a process of its own, so that
//! its work is not counted as ours, and it is the judge: what it accepted, when, and what it had to refuse.
//!
//! A request travels half of the latency, is judged, and its answer travels the other half.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock;

/// Short bursts to one chat are tolerated (core.telegram.org/bots/faq).
const TELEGRAM_CHAT_BURST: f64 = 3.0;
/// Messages in a group per minute (core.telegram.org/bots/faq).
const TELEGRAM_GROUP: f64 = 20.0;
/// Messages in one channel of Discord per [`DISCORD_WINDOW`], as its headers say today.
const DISCORD_CHANNEL: u32 = 5;
const DISCORD_WINDOW: Duration = Duration::from_secs(5);
/// The latest messages of a channel that can be read back.
const KEPT: usize = 50;

/// What the fake platforms allow.
#[derive(Debug, Clone, Copy, PartialEq, clap::Args)]
pub struct Rules {
    /// Messages a second over all chats on Telegram.
    #[arg(long, default_value_t = 30.0)]
    pub telegram_rate: f64,
    /// Requests a second on Discord.
    #[arg(long, default_value_t = 50.0)]
    pub discord_rate: f64,
    /// How many seconds' worth of messages may come beyond the limit in any second.
    #[arg(long, default_value_t = 0.0)]
    pub burst_seconds: f64,
    /// The time from a request to its answer.
    #[arg(long, default_value_t = 60)]
    pub latency_ms: u64,
}

impl Rules {
    /// How many messages may come in any second at this rate.
    fn most(&self, rate: f64) -> usize {
        (rate * (1.0 + self.burst_seconds)).max(1.0) as usize
    }
}

/// What one platform has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Parts of digests that stand in a chat, each counted once.
    pub parts: u64,
    /// Parts that stand in a chat beside an equal one.
    pub twice: u64,
    /// Requests that were answered with 429.
    pub refused: u64,
    /// When each message was accepted, in microseconds since 1970.
    pub arrivals: Vec<i64>,
    /// How long each person waited for an answer, in microseconds.
    pub answers: Vec<i64>,
    /// Questions without an answer so far.
    pub unanswered: u64,
}

/// What both have seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Telegram.
    pub telegram: Counts,
    /// Discord.
    pub discord: Counts,
}

impl Seen {
    /// Both together; the times one after the other.
    pub fn total(&self) -> Counts {
        let (a, b) = (&self.telegram, &self.discord);
        Counts {
            parts: a.parts + b.parts,
            twice: a.twice + b.twice,
            refused: a.refused + b.refused,
            arrivals: [a.arrivals.as_slice(), &b.arrivals].concat(),
            answers: [a.answers.as_slice(), &b.answers].concat(),
            unanswered: a.unanswered + b.unanswered,
        }
    }
}

/// Tokens that come back evenly.
#[derive(Debug, Clone, Copy)]
struct Tokens {
    left: f64,
    most: f64,
    per_second: f64,
    at: Instant,
}

impl Tokens {
    fn new(most: f64, per_second: f64, at: Instant) -> Self {
        let left = most;
        Self {
            left,
            most,
            per_second,
            at,
        }
    }

    /// How long until there is one; zero when there is.
    fn wait(&mut self, now: Instant) -> Duration {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * self.per_second;
        (self.left, self.at) = ((self.left + gained).min(self.most), now);
        // A sender that keeps the rate to the microsecond is not refused over a rounding.
        Duration::from_secs_f64(((1.0 - self.left - 1e-6) / self.per_second).max(0.0))
    }

    fn take(&mut self) {
        self.left -= 1.0;
    }
}

/// So many in any stretch of a second.
#[derive(Debug)]
struct Second {
    most: usize,
    at: VecDeque<Instant>,
}

impl Second {
    const LENGTH: Duration = Duration::from_secs(1);

    fn new(most: usize) -> Self {
        let at = VecDeque::new();
        Self { most, at }
    }

    /// How long until there is room; zero when there is.
    fn wait(&mut self, now: Instant) -> Duration {
        while self.at.front().is_some_and(|&first| first + Self::LENGTH <= now) {
            self.at.pop_front();
        }
        let first = self.at.front().filter(|_| self.at.len() >= self.most);
        first.map_or(Duration::ZERO, |&first| {
            (first + Self::LENGTH).saturating_duration_since(now)
        })
    }
}

struct Chat {
    tokens: Vec<Tokens>,
    /// Discord: since when the present window runs and how much of it is used.
    window: Option<(Instant, u32)>,
    /// How often each part came, by the hash of what people see.
    parts: HashMap<u64, u64>,
    last_id: u64,
    messages: VecDeque<Stored>,
}

struct Stored {
    id: u64,
    body: Value,
}

struct Book {
    bot: Second,
    chats: HashMap<String, Chat>,
    counts: Counts,
    /// Questions that wait: the id of the asking message in its chat, and when it was asked.
    asked: HashMap<(String, i64), i64>,
    updates: Vec<Value>,
    next_update: i64,
}

impl Book {
    fn new(rate: f64, rules: &Rules) -> Self {
        Self {
            bot: Second::new(rules.most(rate)),
            chats: HashMap::new(),
            counts: Counts::default(),
            asked: HashMap::new(),
            updates: Vec::new(),
            next_update: 1,
        }
    }

    fn chat(&mut self, name: &str, fresh: impl FnOnce() -> Vec<Tokens>) -> &mut Chat {
        self.chats.entry(name.to_owned()).or_insert_with(|| Chat {
            tokens: fresh(),
            window: None,
            parts: HashMap::new(),
            last_id: 0,
            messages: VecDeque::new(),
        })
    }
}

/// Whom a refusal concerns, and for how long.
struct Refused {
    wait: Duration,
    whole_bot: bool,
}

struct Fake {
    rules: Rules,
    telegram: Mutex<Book>,
    discord: Mutex<Book>,
    /// Rung at every accepted part.
    accepted: Notify,
    /// Rung at every question.
    asked: Notify,
}

type Shared = State<Arc<Fake>>;

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fake {
    async fn travel(&self) {
        tokio::time::sleep(Duration::from_millis(self.rules.latency_ms) / 2).await;
    }

    /// Judges one message to Telegram. The id of what now stands there, or the refusal.
    fn telegram(&self, chat: &str, body: Value) -> Result<u64, Refused> {
        let now = Instant::now();
        let mut guard = lock(&self.telegram);
        let book = &mut *guard;
        let wait = book.bot.wait(now);
        if !wait.is_zero() {
            book.counts.refused += 1;
            return Err(Refused { wait, whole_bot: true });
        }
        let known = book.chat(chat, || {
            let mut tokens = vec![Tokens::new(TELEGRAM_CHAT_BURST, 1.0, now)];
            if chat.starts_with('-') {
                tokens.push(Tokens::new(TELEGRAM_GROUP, TELEGRAM_GROUP / 60.0, now));
            }
            tokens
        });
        let wait = known
            .tokens
            .iter_mut()
            .map(|tokens| tokens.wait(now))
            .max()
            .unwrap_or_default();
        if !wait.is_zero() {
            book.counts.refused += 1;
            return Err(Refused { wait, whole_bot: false });
        }
        known.tokens.iter_mut().for_each(Tokens::take);
        book.bot.at.push_back(now);
        let question = body.pointer("/reply_parameters/message_id").and_then(Value::as_i64);
        Ok(self.accept(book, chat, body, question))
    }

    /// Judges one message to Discord; `Ok` with what the headers say about the channel's window.
    fn discord(&self, chat: &str, body: Value) -> (Result<u64, Refused>, u32, Duration) {
        let now = Instant::now();
        let mut guard = lock(&self.discord);
        let book = &mut *guard;
        let wait = book.bot.wait(now);
        let channel = book.chat(chat, Vec::new);
        let (since, used) = channel
            .window
            .filter(|(since, _)| now < *since + DISCORD_WINDOW)
            .unwrap_or((now, 0));
        let reset = (since + DISCORD_WINDOW).saturating_duration_since(now);
        if !wait.is_zero() || used >= DISCORD_CHANNEL {
            let whole_bot = !wait.is_zero();
            let wait = if whole_bot { wait } else { reset };
            book.counts.refused += 1;
            return (
                Err(Refused { wait, whole_bot }),
                DISCORD_CHANNEL.saturating_sub(used),
                reset,
            );
        }
        channel.window = Some((since, used + 1));
        let nonce = body
            .get("nonce")
            .filter(|_| body.get("enforce_nonce") == Some(&Value::Bool(true)));
        let known = nonce.and_then(|nonce| channel.messages.iter().find(|m| m.body.get("nonce") == Some(nonce)));
        let known = known.map(|message| message.id);
        book.bot.at.push_back(now);
        let id = known.unwrap_or_else(|| self.accept(book, chat, body, None));
        (Ok(id), DISCORD_CHANNEL - used - 1, reset)
    }

    fn accept(&self, book: &mut Book, chat: &str, body: Value, question: Option<i64>) -> u64 {
        let at = clock::now().timestamp_micros();
        book.counts.arrivals.push(at);
        let waited = question.and_then(|id| book.asked.remove(&(chat.to_owned(), id)));
        let answer = waited.is_some();
        book.counts.answers.extend(waited.map(|asked| at - asked));
        book.counts.unanswered = u64::try_from(book.asked.len()).unwrap_or(u64::MAX);
        let seen = shown(&body);
        let Some(known) = book.chats.get_mut(chat) else {
            return 0;
        };
        known.last_id += 1;
        let id = known.last_id;
        if !answer {
            let times = known.parts.entry(seen).or_default();
            *times += 1;
            if *times == 1 {
                book.counts.parts += 1;
            } else {
                book.counts.twice += 1;
            }
        }
        if known.messages.len() == KEPT {
            known.messages.pop_front();
        }
        known.messages.push_back(Stored { id, body });
        self.accepted.notify_waiters();
        id
    }

    fn seen(&self) -> Seen {
        Seen {
            telegram: lock(&self.telegram).counts.clone(),
            discord: lock(&self.discord).counts.clone(),
        }
    }
}

/// A hash of what people see of a message: neither its key nor its address.
fn shown(body: &Value) -> u64 {
    let field = |name: &str| body.get(name).map(Value::to_string).unwrap_or_default();
    paperwire_core::text::hash64(&[&field("text"), &field("content"), &field("embeds")])
}

async fn bot_api(State(fake): Shared, Path((_, method)): Path<(String, String)>, Json(body): Json<Value>) -> Response {
    let ok = |result: Value| Json(json!({"ok": true, "result": result})).into_response();
    let bad = |status: StatusCode, description: &str| {
        let code = status.as_u16();
        (
            status,
            Json(json!({"ok": false, "error_code": code, "description": description})),
        )
            .into_response()
    };
    let chat = body
        .get("chat_id")
        .map(|id| id.to_string().replace('"', ""))
        .unwrap_or_default();
    match method.to_ascii_lowercase().as_str() {
        "getme" => ok(json!({
            "id": 1, "is_bot": true, "first_name": "Bench", "username": "bench_bot", "can_join_groups": true,
            "can_read_all_group_messages": false, "supports_inline_queries": false, "can_connect_to_business": false,
            "has_main_web_app": false
        })),
        "getupdates" => ok(updates(&fake, &body).await),
        "sendmessage" => {
            fake.travel().await;
            let judged = fake.telegram(&chat, body);
            fake.travel().await;
            match judged {
                Ok(id) => {
                    let kind = if chat.starts_with('-') { "supergroup" } else { "private" };
                    let chat = json!({"id": chat.parse::<i64>().unwrap_or_default(), "type": kind, "title": "x", "first_name": "x"});
                    ok(json!({"message_id": id, "date": clock::now().timestamp(), "chat": chat, "text": "x"}))
                }
                Err(Refused { wait, .. }) => {
                    let seconds = wait.as_secs_f64().ceil().max(1.0);
                    let said = format!("Too Many Requests: retry after {seconds}");
                    let parameters = json!({"retry_after": seconds as u64});
                    let body = json!({"ok": false, "error_code": 429, "description": said, "parameters": parameters});
                    (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response()
                }
            }
        }
        "editmessagereplymarkup" => {
            fake.travel().await;
            let id = body.get("message_id").and_then(Value::as_u64);
            let keyboard = body.get("reply_markup").cloned();
            let found = lock(&fake.telegram)
                .chats
                .get(&chat)
                .and_then(|chat| chat.messages.iter().find(|m| Some(m.id) == id))
                .map(|message| message.body.get("reply_markup").cloned() == keyboard);
            fake.travel().await;
            match found {
                Some(true) => bad(StatusCode::BAD_REQUEST, "Bad Request: message is not modified"),
                Some(false) => ok(json!(true)),
                None => bad(StatusCode::BAD_REQUEST, "Bad Request: message to edit not found"),
            }
        }
        _ => ok(json!(true)),
    }
}

/// The questions from `offset` on, as soon as there are any.
async fn updates(fake: &Fake, body: &Value) -> Value {
    let offset = body.get("offset").and_then(Value::as_i64).unwrap_or_default();
    let patience = Duration::from_secs(body.get("timeout").and_then(Value::as_u64).unwrap_or_default());
    let until = Instant::now() + patience;
    loop {
        let asked = fake.asked.notified();
        tokio::pin!(asked);
        asked.as_mut().enable();
        let new: Vec<Value> = {
            let mut book = lock(&fake.telegram);
            book.updates
                .retain(|update| update.get("update_id").and_then(Value::as_i64) >= Some(offset));
            book.updates.clone()
        };
        if !new.is_empty() || tokio::time::timeout_at(until, asked).await.is_err() {
            return Value::Array(new);
        }
    }
}

#[derive(Deserialize)]
struct Ask {
    chat: i64,
}

/// A person asks in a chat.
async fn ask(State(fake): Shared, Query(Ask { chat }): Query<Ask>) {
    let mut guard = lock(&fake.telegram);
    let book = &mut *guard;
    let update = book.next_update;
    book.next_update += 1;
    // Questions have ids of their own, far from those of the bot's messages.
    let message_id = 1_000_000 + update;
    let now = clock::now();
    book.asked
        .insert((chat.to_string(), message_id), now.timestamp_micros());
    book.counts.unanswered += 1;
    let kind = if chat < 0 { "supergroup" } else { "private" };
    book.updates.push(json!({"update_id": update, "message": {
        "message_id": message_id, "date": now.timestamp(), "text": "/paper 1",
        "chat": {"id": chat, "type": kind, "title": "x", "first_name": "x"},
        "from": {"id": 7, "is_bot": false, "first_name": "x", "language_code": "en"}
    }}));
    drop(guard);
    fake.asked.notify_waiters();
}

async fn create_message(State(fake): Shared, Path(channel): Path<String>, Json(body): Json<Value>) -> Response {
    fake.travel().await;
    let nonce = body.get("nonce").cloned();
    let (judged, left, reset) = fake.discord(&channel, body);
    fake.travel().await;
    let mut headers = HeaderMap::new();
    let mut say = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    say("x-ratelimit-limit", DISCORD_CHANNEL.to_string());
    say("x-ratelimit-remaining", left.to_string());
    say("x-ratelimit-reset-after", format!("{:.3}", reset.as_secs_f64()));
    say("x-ratelimit-bucket", format!("messages-{channel}"));
    match judged {
        Ok(id) => (
            headers,
            Json(json!({"id": id.to_string(), "channel_id": channel, "nonce": nonce})),
        )
            .into_response(),
        Err(Refused { wait, whole_bot }) => {
            let seconds = wait.as_secs_f64();
            say("retry-after", seconds.ceil().to_string());
            say(
                "x-ratelimit-scope",
                if whole_bot { "global" } else { "user" }.to_owned(),
            );
            if whole_bot {
                say("x-ratelimit-global", "true".to_owned());
            }
            let body = json!({"message": "You are being rate limited.", "retry_after": seconds, "global": whole_bot});
            (StatusCode::TOO_MANY_REQUESTS, headers, Json(body)).into_response()
        }
    }
}

async fn read_messages(State(fake): Shared, Path(channel): Path<String>) -> Json<Value> {
    fake.travel().await;
    let book = lock(&fake.discord);
    let messages = book.chats.get(&channel).map(|chat| &chat.messages);
    let shown = messages.into_iter().flatten().rev().map(|message| {
        let mut body = message.body.clone();
        if let Some(fields) = body.as_object_mut() {
            fields.insert("id".to_owned(), message.id.to_string().into());
            fields.insert("author".to_owned(), json!({"id": "1", "bot": true}));
        }
        body
    });
    Json(shown.collect())
}

#[derive(Deserialize)]
struct Awaited {
    parts: u64,
    milliseconds: u64,
}

/// Answers as soon as so many parts stand in the chats of both platforms, or the time is over; with how many there are.
async fn wait(State(fake): Shared, Query(awaited): Query<Awaited>) -> Json<u64> {
    let until = Instant::now() + Duration::from_millis(awaited.milliseconds);
    loop {
        let accepted = fake.accepted.notified();
        tokio::pin!(accepted);
        accepted.as_mut().enable();
        let parts = lock(&fake.telegram).counts.parts + lock(&fake.discord).counts.parts;
        if parts >= awaited.parts || tokio::time::timeout_at(until, accepted).await.is_err() {
            return Json(parts);
        }
    }
}

/// Serves the fake platforms until standard input ends, and prints the address first. So it never outlives who started it.
///
/// # Errors
/// When the address is taken.
pub async fn serve(listen: SocketAddr, rules: Rules) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(listen).await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", listener.local_addr()?)?;
    out.flush()?;
    let stop = CancellationToken::new();
    let ended = stop.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        ended.cancel();
    });
    let app = router(rules);
    tokio::select! {
        served = axum::serve(listener, app) => served?,
        () = stop.cancelled() => {}
    }
    Ok(())
}

fn router(rules: Rules) -> Router {
    let fake = Arc::new(Fake {
        rules,
        telegram: Mutex::new(Book::new(rules.telegram_rate, &rules)),
        discord: Mutex::new(Book::new(rules.discord_rate, &rules)),
        accepted: Notify::new(),
        asked: Notify::new(),
    });
    Router::new()
        .route("/bot{token}/{method}", post(bot_api))
        .route(
            "/api/v10/channels/{channel}/messages",
            post(create_message).get(read_messages),
        )
        .route("/counts", get(async |State(fake): Shared| Json(fake.seen())))
        .route("/wait", get(wait))
        .route("/ask", post(ask))
        // The gateway and whatever else is asked for: nobody is at home, try again later.
        .fallback(any(async || {
            tokio::time::sleep(Duration::from_secs(10)).await;
            StatusCode::SERVICE_UNAVAILABLE
        }))
        .with_state(fake)
}

/// The fake platforms as a child process, which ends when this is dropped.
#[derive(Debug)]
pub struct FakeProcess {
    child: Child,
    stdin: Option<ChildStdin>,
    address: SocketAddr,
    http: reqwest::Client,
}

impl FakeProcess {
    /// Starts this very program as the fake platforms.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(rules: Rules) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["bench", "fake", "--listen", "127.0.0.1:0"])
            .args(["--telegram-rate", &rules.telegram_rate.to_string()])
            .args(["--discord-rate", &rules.discord_rate.to_string()])
            .args(["--burst-seconds", &rules.burst_seconds.to_string()])
            .args(["--latency-ms", &rules.latency_ms.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the fake platforms cannot be started")?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let Ok(address) = line.trim().parse() else {
            let _ = child.kill();
            let _ = child.wait();
            bail!("the fake platforms said “{line}” instead of their address");
        };
        Ok(Self {
            stdin: child.stdin.take(),
            child,
            address,
            http: reqwest::Client::new(),
        })
    }

    /// Where they are.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until so many parts have arrived; how many there are at the end of `at_most`.
    ///
    /// # Errors
    /// When the process is gone.
    pub async fn wait(&self, parts: u64, at_most: Duration) -> anyhow::Result<u64> {
        let url = format!("{}/wait?parts={parts}&milliseconds={}", self.url(), at_most.as_millis());
        Ok(self.http.get(url).send().await?.json().await?)
    }

    /// A person asks in this chat of Telegram.
    ///
    /// # Errors
    /// When the process is gone.
    pub async fn ask(&self, chat: i64) -> anyhow::Result<()> {
        self.http.post(format!("{}/ask?chat={chat}", self.url())).send().await?;
        Ok(())
    }

    /// What they have seen so far.
    ///
    /// # Errors
    /// When the process is gone.
    pub async fn seen(&self) -> anyhow::Result<Seen> {
        Ok(self
            .http
            .get(format!("{}/counts", self.url()))
            .send()
            .await?
            .json()
            .await?)
    }
}

impl Drop for FakeProcess {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // It may hang on a request that never ends.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fake(rate: f64) -> Fake {
        let rules = Rules {
            telegram_rate: rate,
            discord_rate: rate,
            burst_seconds: 0.0,
            latency_ms: 0,
        };
        Fake {
            rules,
            telegram: Mutex::new(Book::new(rate, &rules)),
            discord: Mutex::new(Book::new(rate, &rules)),
            accepted: Notify::new(),
            asked: Notify::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_that_keeps_the_limits_is_never_refused_and_one_that_does_not_is() {
        let fake = fake(10.0);
        for n in 0..40 {
            assert!(fake.telegram(&n.to_string(), json!({"text": "x"})).is_ok(), "{n}");
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        assert!(fake.telegram("1", json!({"text": "y"})).is_ok());
        let refused = fake.telegram("2", json!({"text": "y"})).unwrap_err();
        assert!(refused.whole_bot && refused.wait <= Duration::from_millis(100));
        let counts = fake.seen().telegram;
        assert_eq!(
            (counts.parts, counts.twice, counts.refused, counts.arrivals.len()),
            (41, 0, 1, 41)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_text_in_one_chat_counts_as_twice_unless_a_nonce_is_enforced() {
        let fake = fake(1_000.0);
        for _ in 0..2 {
            fake.telegram("1", json!({"text": "x"})).ok();
            fake.telegram("2", json!({"text": "x"})).ok();
            fake.discord("3", json!({"content": "x", "nonce": "n", "enforce_nonce": true}))
                .0
                .ok();
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let seen = fake.seen();
        assert_eq!((seen.telegram.parts, seen.telegram.twice), (2, 2));
        assert_eq!((seen.discord.parts, seen.discord.twice), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_channel_of_discord_takes_five_messages_in_five_seconds() {
        let fake = fake(1_000.0);
        let post = |n: u32| fake.discord("3", json!({"content": n.to_string()}));
        for n in 0..5 {
            assert!(post(n).0.is_ok());
        }
        let (refused, left, reset) = post(5);
        assert!(refused.is_err_and(|refused| !refused.whole_bot));
        assert_eq!((left, reset), (0, DISCORD_WINDOW));
        tokio::time::advance(DISCORD_WINDOW).await;
        assert!(post(6).0.is_ok());
    }
}
