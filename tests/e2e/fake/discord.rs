//! Discord on loopback: the REST calls and the gateway that the bot uses, with Discord's limits, its dedup by nonce, and
//! faults on request.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, patch, post, put};
use axum::serve::{IncomingStream, Listener};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The token that the fake accepts.
pub(crate) const TOKEN: &str = "MTIz.sesame.open";
/// The bot's application.
const APPLICATION: u64 = 900_000_000_000_000_001;
/// The longest that any expectation may take.
const LIMIT: Duration = Duration::from_secs(20);

/// What the fake does to one request instead of serving it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    /// Nothing: it is served.
    Pass,
    /// 429 of the route, seconds in the body.
    RouteLimit(f64),
    /// 429 of the whole bot.
    GlobalLimit(f64),
    /// 429 as Cloudflare says it: whole seconds in the header, a page as body.
    HeaderLimit(u64),
    /// Any status with one of Discord's codes.
    Refused(u16, u32),
    /// 500 without a body.
    Internal,
    /// 502 with Cloudflare's page.
    BadGateway,
    /// Reads the request and never answers.
    Hang,
    /// Does what was asked and never answers.
    AcceptAndHang,
    /// Closes the connection, nothing done.
    CloseBefore,
    /// Does what was asked and closes the connection without an answer.
    CloseAfter,
    /// Does what was asked and answers 200 with something else than JSON.
    Garbled,
}

/// What the bot did with an interaction.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reply {
    /// The callback: type and data.
    Callback(u64, Value),
    /// The deferred answer was filled in.
    Edit(Value),
    /// A further message.
    Followup(Value),
}

#[derive(Debug, Default)]
struct World {
    messages: Vec<(u64, Value)>,
    nonces: HashMap<String, Value>,
    faults: VecDeque<Fault>,
    callback_faults: VecDeque<Fault>,
    posts: usize,
    registrations: Vec<Value>,
    replies: HashMap<String, Vec<Reply>>,
    /// What the gateway dispatched, in order; the sequence number is the index from 1.
    events: Vec<(&'static str, Value)>,
    identified: usize,
    resumed: usize,
    sockets: usize,
    /// Sockets of an earlier generation are dropped.
    generation: usize,
    refuse_identify: bool,
    next_id: u64,
}

impl World {
    fn id(&mut self) -> u64 {
        self.next_id += 1;
        800_000_000_000_000_000 + self.next_id
    }
}

#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    world: Mutex<World>,
    changed: watch::Sender<()>,
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    fn change<T>(&self, what: impl FnOnce(&mut World) -> T) -> T {
        let result = what(&mut self.world());
        self.changed.send_replace(());
        result
    }
}

/// Discord, as far as the bot knows it.
#[derive(Debug)]
pub(crate) struct FakeDiscord {
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for FakeDiscord {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A question that was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    token: String,
}

impl FakeDiscord {
    /// Listens on a free port.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shared = Arc::new(Shared {
            address: listener.local_addr().unwrap(),
            world: Mutex::default(),
            changed: watch::Sender::new(()),
        });
        let api = Router::new()
            .route("/gateway", get(gateway))
            .route("/gateway/bot", get(gateway_bot))
            .route("/users/@me/channels", post(create_dm))
            .route("/applications/{id}/commands", put(register))
            .route("/channels/{id}/messages", post(create_message))
            .route("/interactions/{id}/{token}/callback", post(callback))
            .route("/webhooks/{id}/{token}", post(follow_up))
            .route("/webhooks/{id}/{token}/messages/@original", patch(edit_original));
        let app = Router::new()
            .nest("/api/v10", api)
            .route("/", get(connect))
            .with_state(Arc::clone(&shared))
            .into_make_service_with_connect_info::<Line>();
        let server = tokio::spawn(async move {
            axum::serve(Lines(listener), app).await.unwrap();
        });
        Self { shared, server }
    }

    /// The address to give the bot in place of `https://discord.com`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.shared.address)
    }

    /// The next request to post a message meets this.
    pub(crate) fn fault(&self, fault: Fault) {
        self.shared.world().faults.push_back(fault);
    }

    /// The next request about an interaction meets this.
    pub(crate) fn interaction_fault(&self, fault: Fault) {
        self.shared.world().callback_faults.push_back(fault);
    }

    /// From now on an IDENTIFY is answered with close code 4004.
    pub(crate) fn refuse_identify(&self) {
        self.shared.world().refuse_identify = true;
    }

    /// The messages of a channel in order.
    pub(crate) fn messages(&self, channel: u64) -> Vec<Value> {
        let world = self.shared.world();
        let of_channel = world.messages.iter().filter(|(of, _)| *of == channel);
        of_channel.map(|(_, message)| message.clone()).collect()
    }

    /// Waits for so many messages in a channel.
    pub(crate) async fn wait_for_messages(&self, channel: u64, count: usize) -> Vec<Value> {
        self.until("messages", |world| {
            let of_channel = || world.messages.iter().filter(|(of, _)| *of == channel);
            (of_channel().count() >= count).then(|| of_channel().map(|(_, message)| message.clone()).collect())
        })
        .await
    }

    /// How many requests to post a message arrived.
    pub(crate) fn posts(&self) -> usize {
        self.shared.world().posts
    }

    /// Every bulk overwrite of the global commands.
    pub(crate) fn registrations(&self) -> Vec<Value> {
        self.shared.world().registrations.clone()
    }

    /// How often sessions were resumed.
    pub(crate) fn resumed(&self) -> usize {
        self.shared.world().resumed
    }

    /// Waits until a session stands and the commands are registered.
    pub(crate) async fn ready(&self) {
        self.until("a session with commands", |world| {
            (world.identified > 0 && !world.registrations.is_empty()).then_some(())
        })
        .await;
    }

    /// Waits until the bot has left the gateway.
    pub(crate) async fn left(&self) {
        self.until("goodbye", |world| (world.sockets == 0).then_some(())).await;
    }

    /// Says READY once more, as to a further shard or after a session was lost.
    pub(crate) fn ready_again(&self) {
        let event = ("READY", ready(self.shared.address));
        self.shared.change(|world| world.events.push(event));
    }

    /// Drops every gateway socket without a close frame.
    pub(crate) fn drop_sockets(&self) {
        self.shared.change(|world| world.generation += 1);
    }

    /// Somebody uses a slash command. What is asked while no socket stands is delivered after a resume.
    pub(crate) fn interact(&self, channel: u64, name: &str, options: &[(&str, &str)]) -> Asked {
        self.dispatch_interaction(channel, name, options, true)
    }

    /// The same in a form that serenity 0.12.5 cannot read.
    pub(crate) fn interact_unreadably(&self, channel: u64, name: &str) -> Asked {
        self.dispatch_interaction(channel, name, &[], false)
    }

    fn dispatch_interaction(&self, channel: u64, name: &str, options: &[(&str, &str)], whole: bool) -> Asked {
        self.shared.change(|world| {
            let id = world.id();
            let token = format!("interaction-secret-{id}");
            let options: Vec<Value> = options
                .iter()
                .map(|(name, value)| json!({ "name": name, "type": 3, "value": value }))
                .collect();
            let mut event = json!({
                "id": id.to_string(),
                "application_id": APPLICATION.to_string(),
                "type": 2,
                "data": { "id": "700000000000000001", "name": name, "type": 1, "options": options },
                "channel_id": channel.to_string(),
                "user": user(600_000_000_000_000_001),
                "token": token,
                "version": 1,
                "app_permissions": "2048",
                "locale": "zh-CN",
                "entitlements": [],
                "authorizing_integration_owners": {},
                "context": 0,
            });
            if whole {
                event["attachment_size_limit"] = json!(10_485_760);
            }
            world.replies.insert(token.clone(), Vec::new());
            world.events.push(("INTERACTION_CREATE", event));
            Asked { token }
        })
    }

    /// Waits for so many replies to a question.
    pub(crate) async fn replies(&self, asked: &Asked, count: usize) -> Vec<Reply> {
        self.until("replies to a question", |world| {
            let replies = world.replies.get(&asked.token)?;
            (replies.len() >= count).then(|| replies.clone())
        })
        .await
    }

    /// What stands under a question now.
    pub(crate) fn replies_so_far(&self, asked: &Asked) -> Vec<Reply> {
        self.shared.world().replies[&asked.token].clone()
    }

    async fn until<T>(&self, what: &str, found: impl Fn(&World) -> Option<T>) -> T {
        let mut changes = self.shared.changed.subscribe();
        let search = async {
            loop {
                if let Some(found) = found(&self.shared.world()) {
                    return found;
                }
                changes.changed().await.unwrap();
            }
        };
        match tokio::time::timeout(LIMIT, search).await {
            Ok(found) => found,
            Err(_) => panic!("no {what} after {LIMIT:?}: {:#?}", self.shared.world()),
        }
    }
}

fn user(id: u64) -> Value {
    json!({ "id": id.to_string(), "username": "ada", "discriminator": "0", "global_name": null, "avatar": null,
        "bot": false, "mfa_enabled": false, "verified": true })
}

// REST

type Fake = State<Arc<Shared>>;

fn error(status: u16, code: u32, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, Json(json!({ "message": message, "code": code }))).into_response()
}

fn authorized(headers: &HeaderMap) -> Result<(), Response> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if given == Some(&format!("Bot {TOKEN}")) {
        Ok(())
    } else {
        Err(error(401, 0, "401: Unauthorized"))
    }
}

async fn gateway(State(fake): Fake) -> Json<Value> {
    Json(json!({ "url": format!("ws://{}", fake.address) }))
}

async fn gateway_bot(State(fake): Fake, headers: HeaderMap) -> Result<Json<Value>, Response> {
    authorized(&headers)?;
    Ok(Json(json!({
        "url": format!("ws://{}", fake.address),
        "shards": 1,
        "session_start_limit": { "total": 1000, "remaining": 999, "reset_after": 0, "max_concurrency": 1 },
    })))
}

async fn register(State(fake): Fake, headers: HeaderMap, Json(commands): Json<Value>) -> Result<Json<Value>, Response> {
    authorized(&headers)?;
    fake.change(|world| world.registrations.push(commands.clone()));
    Ok(Json(commands))
}

async fn create_message(
    State(fake): Fake,
    ConnectInfo(line): ConnectInfo<Line>,
    Path(channel): Path<u64>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Response, Response> {
    let fault = fake.change(|world| {
        world.posts += 1;
        world.faults.pop_front()
    });
    authorized(&headers)?;
    let accept = || -> Result<Response, Response> {
        check(&body)?;
        let nonce = body["nonce"].as_str().unwrap_or_default().to_owned();
        if nonce.len() > 25 {
            return Err(error(400, 50_035, "nonce: Must be 25 or fewer in length."));
        }
        Ok(Json(fake.change(|world| {
            if let Some(known) = world.nonces.get(&nonce).filter(|_| body["enforce_nonce"] == true) {
                return known.clone();
            }
            let mut message = body.clone();
            message["id"] = json!(world.id().to_string());
            message["channel_id"] = json!(channel.to_string());
            world.messages.push((channel, message.clone()));
            world.nonces.insert(nonce, message.clone());
            message
        }))
        .into_response())
    };
    with_fault(fault, &line, accept).await
}

async fn with_fault(
    fault: Option<Fault>,
    line: &Line,
    accept: impl FnOnce() -> Result<Response, Response>,
) -> Result<Response, Response> {
    let limited = |seconds: f64, global: bool| {
        let body = json!({ "message": "You are being rate limited.", "retry_after": seconds, "global": global });
        let retry_after = [(header::RETRY_AFTER, seconds.ceil().to_string())];
        Ok((StatusCode::TOO_MANY_REQUESTS, retry_after, Json(body)).into_response())
    };
    match fault {
        None | Some(Fault::Pass) => accept(),
        Some(Fault::RouteLimit(seconds)) => limited(seconds, false),
        Some(Fault::GlobalLimit(seconds)) => limited(seconds, true),
        Some(Fault::HeaderLimit(seconds)) => {
            let retry_after = [(header::RETRY_AFTER, seconds.to_string())];
            Ok((StatusCode::TOO_MANY_REQUESTS, retry_after, Html("error code: 1015")).into_response())
        }
        Some(Fault::Refused(status, code)) => Err(error(status, code, "Refused by the test")),
        Some(Fault::Internal) => Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
        Some(Fault::BadGateway) => Ok((StatusCode::BAD_GATEWAY, Html("<html>cloudflare</html>")).into_response()),
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::AcceptAndHang) => {
            accept()?;
            std::future::pending().await
        }
        Some(Fault::CloseBefore) => {
            line.cut();
            Ok(StatusCode::OK.into_response())
        }
        Some(Fault::CloseAfter) => {
            line.cut();
            accept()
        }
        Some(Fault::Garbled) => accept().map(|_| Html("<html>").into_response()),
    }
}

/// The limits of Create Message, counted in UTF-16 units.
fn check(body: &Value) -> Result<(), Response> {
    let units = |value: &Value| value.as_str().map_or(0, |text| text.encode_utf16().count());
    let bad = |what: &str| Err(error(400, 50_035, &format!("Invalid Form Body: {what}")));
    if units(&body["content"]) > 2_000 {
        return bad("content");
    }
    let none = Vec::new();
    let embeds = body["embeds"].as_array().unwrap_or(&none);
    if embeds.len() > 10 {
        return bad("embeds");
    }
    let mut total = 0;
    for embed in embeds {
        let (title, description) = (units(&embed["title"]), units(&embed["description"]));
        if title > 256 || description > 4_096 || title + description == 0 {
            return bad("an embed");
        }
        if embed["url"].as_str().is_some_and(|url| !url.starts_with("http")) {
            return bad("embed url");
        }
        total += title + description;
    }
    if total > 6_000 {
        return bad("embeds together");
    }
    if embeds.is_empty() && body["content"].as_str().unwrap_or_default().trim().is_empty() {
        return Err(error(400, 50_006, "Cannot send an empty message"));
    }
    Ok(())
}

/// What follows is the interaction's own permission, hence no token in a header; there is one in the path.
async fn on_interaction(
    fake: &Shared,
    line: &Line,
    token: String,
    apply: impl FnOnce(&mut Vec<Reply>) -> Result<Response, Response>,
) -> Result<Response, Response> {
    let fault = fake.world().callback_faults.pop_front();
    let accept = || {
        fake.change(|world| match world.replies.get_mut(&token) {
            Some(replies) => apply(replies),
            None => Err(error(404, 10_062, "Unknown interaction")),
        })
    };
    with_fault(fault, line, accept).await
}

async fn callback(
    State(fake): Fake,
    ConnectInfo(line): ConnectInfo<Line>,
    Path((_, token)): Path<(u64, String)>,
    Json(body): Json<Value>,
) -> Result<Response, Response> {
    let kind = body["type"].as_u64().unwrap_or_default();
    if kind == 4 {
        check(&body["data"])?;
    }
    on_interaction(&fake, &line, token, |replies| {
        if !replies.is_empty() {
            return Err(error(400, 40_060, "Interaction has already been acknowledged."));
        }
        replies.push(Reply::Callback(kind, body["data"].clone()));
        Ok(StatusCode::NO_CONTENT.into_response())
    })
    .await
}

async fn edit_original(
    State(fake): Fake,
    ConnectInfo(line): ConnectInfo<Line>,
    Path((_, token)): Path<(u64, String)>,
    Json(body): Json<Value>,
) -> Result<Response, Response> {
    check(&body)?;
    on_interaction(&fake, &line, token, |replies| {
        if replies.is_empty() {
            return Err(error(404, 10_015, "Unknown Webhook"));
        }
        replies.push(Reply::Edit(body.clone()));
        Ok(Json(body).into_response())
    })
    .await
}

async fn follow_up(
    State(fake): Fake,
    ConnectInfo(line): ConnectInfo<Line>,
    Path((_, token)): Path<(u64, String)>,
    Json(body): Json<Value>,
) -> Result<Response, Response> {
    check(&body)?;
    on_interaction(&fake, &line, token, |replies| {
        if replies.is_empty() {
            return Err(error(404, 10_015, "Unknown Webhook"));
        }
        replies.push(Reply::Followup(body.clone()));
        Ok(Json(body).into_response())
    })
    .await
}

// The gateway

async fn connect(State(fake): Fake, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| async move {
        fake.change(|world| world.sockets += 1);
        // An error is a socket that the bot has closed.
        let _ = serve_socket(&fake, socket).await;
        fake.change(|world| world.sockets -= 1);
    })
}

async fn serve_socket(fake: &Shared, mut socket: WebSocket) -> Result<(), axum::Error> {
    let generation = fake.world().generation;
    let mut changes = fake.changed.subscribe();
    // The next event to send; known once the session stands.
    let mut position: Option<usize> = None;
    send(&mut socket, json!({ "op": 10, "d": { "heartbeat_interval": 41_250 } })).await?;
    loop {
        let received = tokio::select! {
            received = socket.recv() => received,
            _ = changes.changed() => {
                let (now, events) = {
                    let world = fake.world();
                    (world.generation, position.map(|from| world.events[from..].to_vec()).unwrap_or_default())
                };
                if now != generation {
                    return Ok(());
                }
                send_events(&mut socket, &mut position, events).await?;
                continue;
            }
        };
        let text = match received {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Close(_))) | None => return Ok(()),
            Some(Ok(_)) => continue,
            Some(Err(error)) => return Err(error),
        };
        let payload: Value = serde_json::from_str(&text).unwrap();
        let token_fits = payload["d"]["token"]
            .as_str()
            .is_some_and(|token| token.ends_with(TOKEN));
        match payload["op"].as_u64() {
            Some(1) => send(&mut socket, json!({ "op": 11 })).await?,
            Some(2) if !token_fits || fake.world().refuse_identify => {
                let close = CloseFrame {
                    code: 4004,
                    reason: "Authentication failed.".into(),
                };
                socket.send(Message::Close(Some(close))).await?;
                return Ok(());
            }
            Some(2) => {
                let events = fake.change(|world| {
                    world.identified += 1;
                    position = Some(world.events.len());
                    world.events.push(("READY", ready(fake.address)));
                    world.events.last().cloned().into_iter().collect()
                });
                send_events(&mut socket, &mut position, events).await?;
            }
            Some(6) => {
                let seen = usize::try_from(payload["d"]["seq"].as_u64().unwrap()).unwrap();
                let events = fake.change(|world| {
                    world.resumed += 1;
                    position = Some(seen);
                    world.events.push(("RESUMED", json!({})));
                    world.events[seen..].to_vec()
                });
                send_events(&mut socket, &mut position, events).await?;
            }
            _ => {}
        }
    }
}

fn ready(address: SocketAddr) -> Value {
    json!({
        "v": 10,
        "user": user(APPLICATION),
        "guilds": [],
        "session_id": "s1",
        "resume_gateway_url": format!("ws://{address}"),
        "shard": [0, 1],
        "application": { "id": APPLICATION.to_string(), "flags": 0 },
    })
}

async fn send_events(
    socket: &mut WebSocket,
    position: &mut Option<usize>,
    events: Vec<(&'static str, Value)>,
) -> Result<(), axum::Error> {
    for (name, data) in events {
        let Some(at) = position.as_mut() else { return Ok(()) };
        *at += 1;
        let sequence = *at;
        send(socket, json!({ "op": 0, "t": name, "s": sequence, "d": data })).await?;
    }
    Ok(())
}

async fn send(socket: &mut WebSocket, payload: Value) -> Result<(), axum::Error> {
    socket.send(Message::Text(payload.to_string().into())).await
}

// Connections that can be cut

/// A handle on one connection.
#[derive(Debug, Clone, Default)]
struct Line {
    is_cut: Arc<AtomicBool>,
}

impl Line {
    /// Whatever is written from now on fails, and the connection closes without a byte of an answer.
    fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
    }
}

impl Connected<IncomingStream<'_, Lines>> for Line {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Self {
        stream.io().line.clone()
    }
}

struct Lines(TcpListener);

impl Listener for Lines {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, address) = <TcpListener as Listener>::accept(&mut self.0).await;
        let line = Line::default();
        (Connection { stream, line }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

struct Connection {
    stream: TcpStream,
    line: Line,
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.line.is_cut.load(Ordering::SeqCst) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

// Direct messages

/// The channel of the direct messages with a person.
pub(crate) fn direct(person: u64) -> u64 {
    person + 100_000_000_000_000_000
}

/// Create DM: for the same person always the same channel.
async fn create_dm(headers: HeaderMap, Json(body): Json<Value>) -> Result<Json<Value>, Response> {
    authorized(&headers)?;
    let person = body["recipient_id"].as_str().and_then(|id| id.parse().ok());
    let person = person.ok_or_else(|| error(400, 50_033, "Invalid Recipient(s)"))?;
    Ok(Json(json!({ "id": direct(person).to_string(), "type": 1 })))
}
