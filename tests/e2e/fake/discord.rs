//! Discord on loopback: the REST calls and the gateway that the bot uses, with Discord's limits and their headers, its dedup
//! by nonce, its permissions, and faults on request.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::connect_info::Connected;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, patch, post, put};
use axum::serve::{IncomingStream, Listener};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;

/// The token that the fake accepts.
pub(crate) const TOKEN: &str = "MTIz.sesame.open";
/// The bot's application.
const APPLICATION: u64 = 900_000_000_000_000_001;
/// The server.
const GUILD: u64 = 800_000_000_000_000_001;
/// Who asks and presses.
pub(crate) const ASKER: u64 = 600_000_000_000_000_001;
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
    /// 429 of the resource, which others have used up too.
    SharedLimit(f64),
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

/// What the bot may do in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Right {
    /// View Channel.
    View,
    /// Send Messages.
    Send,
    /// Read Message History.
    History,
}

/// A window of requests, begun by the first of them.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    used: u32,
    resets: Instant,
}

/// A forum channel.
#[derive(Debug, Clone, Default)]
struct Forum {
    /// Ids of the tags, and whether only moderators may use them.
    tags: Vec<(u64, bool)>,
    requires_tag: bool,
}

/// A post in a forum.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    pub(crate) id: u64,
    pub(crate) forum: u64,
    pub(crate) name: String,
    pub(crate) tags: Vec<u64>,
    /// When it was closed.
    pub(crate) archived: Option<chrono::DateTime<chrono::Utc>>,
    pub(crate) locked: bool,
}

impl Post {
    fn object(&self) -> Value {
        json!({ "id": self.id.to_string(), "type": 11, "guild_id": GUILD.to_string(), "name": self.name,
            "parent_id": self.forum.to_string(), "owner_id": APPLICATION.to_string(), "flags": 0,
            "applied_tags": self.tags.iter().map(u64::to_string).collect::<Vec<_>>(),
            "thread_metadata": { "archived": self.archived.is_some(), "locked": self.locked,
                "auto_archive_duration": 4320,
                "archive_timestamp": self.archived.unwrap_or_default().to_rfc3339() } })
    }
}

#[derive(Debug)]
struct World {
    forums: HashMap<u64, Forum>,
    threads: Vec<Post>,
    deleted: HashSet<u64>,
    /// How often a channel was asked for.
    described: usize,
    messages: Vec<(u64, Value)>,
    /// Which message a nonce has made, and when.
    nonces: HashMap<String, (Instant, Value)>,
    nonce_memory: Duration,
    /// One for each method and channel.
    buckets: HashMap<(Method, u64), Bucket>,
    bucket: (u32, Duration),
    garbled_headers: bool,
    denied: HashSet<(u64, Right)>,
    refusals: HashMap<u16, usize>,
    faults: VecDeque<Fault>,
    callback_faults: VecDeque<Fault>,
    posts: usize,
    registrations: Vec<Value>,
    replies: HashMap<String, Vec<Reply>>,
    /// Below which message an interaction was pressed.
    pressed: HashMap<String, String>,
    /// What the gateway dispatched, in order; the sequence number is the index from 1.
    events: Vec<(&'static str, Value)>,
    identified: usize,
    resumed: usize,
    sockets: usize,
    /// Sockets of an earlier generation are dropped.
    generation: usize,
    refuse_identify: bool,
    last_id: u64,
}

impl Default for World {
    fn default() -> Self {
        Self {
            forums: HashMap::new(),
            threads: Vec::new(),
            deleted: HashSet::new(),
            described: 0,
            messages: Vec::new(),
            nonces: HashMap::new(),
            nonce_memory: Duration::from_secs(300),
            buckets: HashMap::new(),
            bucket: (5, Duration::from_secs(5)),
            garbled_headers: false,
            denied: HashSet::new(),
            refusals: HashMap::new(),
            faults: VecDeque::new(),
            callback_faults: VecDeque::new(),
            posts: 0,
            registrations: Vec::new(),
            replies: HashMap::new(),
            pressed: HashMap::new(),
            events: Vec::new(),
            identified: 0,
            resumed: 0,
            sockets: 0,
            generation: 0,
            refuse_identify: false,
            last_id: 0,
        }
    }
}

impl World {
    /// A snowflake: milliseconds since Discord's epoch, and something that makes it the next one.
    fn id(&mut self) -> u64 {
        let millis = paperwire::clock::now().timestamp_millis() - 1_420_070_400_000;
        let now = u64::try_from(millis).unwrap() << 22;
        self.last_id = now.max(self.last_id + 1);
        self.last_id
    }

    fn message(&mut self, channel: u64, author: u64, body: &Value) -> Value {
        let id = self.id();
        self.message_with_id(id, channel, author, body)
    }

    fn message_with_id(&mut self, id: u64, channel: u64, author: u64, body: &Value) -> Value {
        let mut message = json!({ "type": 0, "tts": false, "content": "", "embeds": [], "attachments": [], "components": [],
            "mentions": [], "mention_roles": [], "mention_everyone": false, "pinned": false, "edited_timestamp": null });
        for (name, value) in body.as_object().unwrap() {
            message[name] = value.clone();
        }
        message["id"] = json!(id.to_string());
        message["channel_id"] = json!(channel.to_string());
        message["timestamp"] = json!("2025-10-10T08:00:00.000000+00:00");
        message["author"] = user(author);
        self.messages.push((channel, message.clone()));
        message
    }

    /// What was pressed says something else from now on.
    fn update(&mut self, token: &str, body: &Value) {
        let Some(pressed) = self.pressed.get(token) else { return };
        let updated = self.updated(token, body);
        let found = self.messages.iter_mut().find(|(_, message)| message["id"] == **pressed);
        found.expect("what was pressed is there").1 = updated;
    }

    /// What was pressed as an update makes it: what that leaves out stays. The update itself where nothing was pressed.
    fn updated(&self, token: &str, body: &Value) -> Value {
        let pressed = self.pressed.get(token);
        let found = pressed.and_then(|id| self.messages.iter().find(|(_, message)| message["id"] == **id));
        let Some((_, message)) = found else { return body.clone() };
        let mut message = message.clone();
        for name in ["content", "embeds", "flags", "components"] {
            if let Some(value) = body.get(name) {
                message[name] = value.clone();
            }
        }
        message
    }

    fn may(&self, channel: u64, right: Right) -> Result<(), Response> {
        if self.deleted.contains(&channel) {
            return Err(error(404, 10_003, "Unknown Channel"));
        }
        let channel = self.ruled_by(channel);
        if self.denied.contains(&(channel, Right::View)) {
            return Err(error(403, 50_001, "Missing Access"));
        }
        if self.denied.contains(&(channel, right)) {
            return Err(error(403, 50_013, "Missing Permissions"));
        }
        Ok(())
    }

    /// What a channel is that is no text channel: a message cannot be written to a forum, and a post may be gone or locked.
    fn writable(&self, channel: u64) -> Result<(), Response> {
        if self.forums.contains_key(&channel) {
            return Err(error(400, 50_008, "Cannot send messages in a non-text channel"));
        }
        match self.threads.iter().find(|post| post.id == channel) {
            Some(post) if post.locked => Err(error(403, 160_005, "Thread is locked")),
            Some(_) | None => Ok(()),
        }
    }

    /// The channel by whose rights something happens: a post's are its forum's.
    fn ruled_by(&self, channel: u64) -> u64 {
        let post = self.threads.iter().find(|post| post.id == channel);
        post.map_or(channel, |post| post.forum)
    }

    /// Counts a request. The headers for its answer, and whether it was one too many.
    fn count(&mut self, method: Method, channel: u64) -> (HeaderMap, Option<f64>) {
        let (limit, window) = self.bucket;
        let now = Instant::now();
        let fresh = Bucket {
            used: 0,
            resets: now + window,
        };
        let bucket = self.buckets.entry((method, channel)).or_insert(fresh);
        if bucket.resets <= now {
            *bucket = fresh;
        }
        let reset_after = (bucket.resets - now).as_secs_f64();
        let exceeded = (bucket.used >= limit).then_some(reset_after);
        bucket.used = limit.min(bucket.used + 1);
        let remaining = limit - bucket.used;
        let said = |text: String| {
            let text = if self.garbled_headers {
                "\u{1F980} NaN".to_owned()
            } else {
                text
            };
            HeaderValue::from_bytes(text.as_bytes()).unwrap()
        };
        let headers = [
            ("x-ratelimit-limit", said(limit.to_string())),
            ("x-ratelimit-remaining", said(remaining.to_string())),
            ("x-ratelimit-reset-after", said(format!("{reset_after:.3}"))),
            ("x-ratelimit-bucket", said("abcd1234".into())),
        ];
        let headers = headers.map(|(name, value)| (HeaderName::from_static(name), value));
        (HeaderMap::from_iter(headers), exceeded)
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

/// Who asks or presses, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Who {
    /// In direct messages.
    Private,
    /// In a server, without any say.
    Member,
    /// With these permissions in the channel.
    Permitted(u64),
    /// With this role.
    WithRole(u64),
    /// In a server, but Discord does not say who that is there.
    Nondescript,
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
            .route("/users/@me", get(current_user))
            .route("/channels/{id}", get(describe).patch(archive))
            .route("/channels/{id}/threads", post(create_post))
            .route("/channels/{id}/threads/archived/public", get(archived_posts))
            .route("/guilds/{id}/threads/active", get(active_posts))
            .route("/channels/{id}/messages", post(create_message).get(read_messages))
            .route(
                "/channels/{id}/messages/{message}",
                patch(edit_message).get(read_message),
            )
            .route("/interactions/{id}/{token}/callback", post(callback))
            .route("/webhooks/{id}/{token}", post(follow_up))
            .route("/webhooks/{id}/{token}/messages/@original", patch(edit_original));
        let app = Router::new()
            .nest("/api/v10", api)
            .layer(middleware::from_fn_with_state(Arc::clone(&shared), count_refusals))
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

    /// So many requests of one kind in a channel in so much time; 5 in 5 s unless set.
    pub(crate) fn bucket(&self, limit: u32, window: Duration) {
        self.shared.world().bucket = (limit, window);
    }

    /// From now on the headers about limits are no numbers.
    pub(crate) fn garble_headers(&self) {
        self.shared.world().garbled_headers = true;
    }

    /// How long a nonce is remembered; 5 min unless set.
    pub(crate) fn nonce_memory(&self, memory: Duration) {
        self.shared.world().nonce_memory = memory;
    }

    /// From now on this channel is a forum. Its tags: ids, and whether only moderators may use them.
    pub(crate) fn forum(&self, channel: u64, tags: &[(u64, bool)], requires_tag: bool) {
        let tags = tags.to_vec();
        self.shared.world().forums.insert(channel, Forum { tags, requires_tag });
    }

    /// The posts of all forums, the oldest first.
    pub(crate) fn forum_posts(&self) -> Vec<Post> {
        self.shared.world().threads.clone()
    }

    /// How often somebody asked what a channel is.
    pub(crate) fn described(&self) -> usize {
        self.shared.world().described
    }

    /// Somebody closes a post, or it closes by itself.
    pub(crate) fn close(&self, post: u64) {
        self.change_post(post, |post| post.archived = Some(paperwire::clock::now()));
    }

    /// A moderator locks a post.
    pub(crate) fn lock(&self, post: u64) {
        self.change_post(post, |post| post.locked = true);
    }

    /// A moderator deletes a post.
    pub(crate) fn delete(&self, post: u64) {
        let mut world = self.shared.world();
        world.threads.retain(|other| other.id != post);
        world.messages.retain(|(channel, _)| *channel != post);
        world.deleted.insert(post);
    }

    fn change_post(&self, id: u64, change: impl FnOnce(&mut Post)) {
        let mut world = self.shared.world();
        change(world.threads.iter_mut().find(|post| post.id == id).unwrap());
    }

    /// Takes a right away from the bot.
    pub(crate) fn deny(&self, channel: u64, right: Right) {
        self.shared.world().denied.insert((channel, right));
    }

    /// How many answers had this status, those of a shared limit left out: what Discord counts as invalid requests.
    pub(crate) fn refusals(&self, status: u16) -> usize {
        self.shared.world().refusals.get(&status).copied().unwrap_or(0)
    }

    /// Somebody else writes so many messages.
    pub(crate) fn chat(&self, channel: u64, count: usize) {
        for _ in 0..count {
            self.write(channel, &json!({ "content": "hello" }));
        }
    }

    /// Somebody else writes this.
    pub(crate) fn write(&self, channel: u64, body: &Value) {
        self.shared.change(|world| world.message(channel, ASKER, body));
    }

    /// From now on an IDENTIFY, or a RESUME, is answered with close code 4004.
    pub(crate) fn refuse_identify(&self) {
        self.shared.world().refuse_identify = true;
    }

    /// The messages of a channel in order.
    pub(crate) fn messages(&self, channel: u64) -> Vec<Value> {
        let world = self.shared.world();
        of_channel(&world, channel).cloned().collect()
    }

    /// Waits for so many messages in a channel.
    pub(crate) async fn wait_for_messages(&self, channel: u64, count: usize) -> Vec<Value> {
        self.until("messages", |world| {
            (of_channel(world, channel).count() >= count).then(|| of_channel(world, channel).cloned().collect())
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

    /// Somebody without any say uses a slash command. What is asked while no socket stands is delivered after a resume.
    pub(crate) fn interact(&self, channel: u64, name: &str, options: &[(&str, &str)]) -> Asked {
        self.interact_as(channel, name, options, Who::Member)
    }

    /// The same by somebody in particular.
    pub(crate) fn interact_as(&self, channel: u64, name: &str, options: &[(&str, &str)], who: Who) -> Asked {
        self.dispatch(command(channel, name, options), who)
    }

    /// The same inside of a thread of a channel.
    pub(crate) fn interact_in_thread(&self, thread: u64, parent: u64, name: &str) -> Asked {
        let mut event = command(thread, name, &[]);
        event["channel"] = json!({ "id": thread.to_string(), "name": "a thread", "type": 11, "permissions": "0",
            "parent_id": parent.to_string(), "thread_metadata": { "archived": false, "auto_archive_duration": 1440,
            "archive_timestamp": null, "locked": false, "invitable": false, "create_timestamp": null } });
        self.dispatch(event, Who::Member)
    }

    /// The same in a form that serenity 0.12.5 cannot read.
    pub(crate) fn interact_unreadably(&self, channel: u64, name: &str) -> Asked {
        let mut event = command(channel, name, &[]);
        event.as_object_mut().unwrap().remove("attachment_size_limit");
        self.dispatch(event, Who::Member)
    }

    /// Somebody is typing an argument.
    pub(crate) fn typing(&self, channel: u64, name: &str, argument: &str, typed: &str) -> Asked {
        let mut event = command(channel, name, &[(argument, typed)]);
        event["type"] = json!(4);
        event["data"]["options"][0]["focused"] = json!(true);
        self.dispatch(event, Who::Member)
    }

    /// Somebody presses the first button of a message.
    pub(crate) fn press(&self, channel: u64, message: &Value) -> Asked {
        let name = &message["components"][0]["components"][0]["custom_id"];
        self.press_as(channel, message, name.as_str().unwrap(), Who::Member)
    }

    /// Somebody in particular presses a button that stands below a message.
    pub(crate) fn press_as(&self, channel: u64, message: &Value, name: &str, who: Who) -> Asked {
        let button = components(message).find(|component| component["custom_id"] == name);
        assert_eq!(button.expect("what is pressed is there")["type"], 2);
        self.component(channel, message, json!({ "custom_id": name, "component_type": 2 }), who)
    }

    /// Somebody chooses from a menu below a message.
    pub(crate) fn choose(&self, channel: u64, message: &Value, name: &str, value: &str) -> Asked {
        let menu = components(message).find(|component| component["custom_id"] == name);
        let options = menu.expect("the menu is there")["options"].as_array().unwrap();
        assert!(options.iter().any(|option| option["value"] == value), "{options:?}");
        let data = json!({ "custom_id": name, "component_type": 3, "values": [value] });
        self.component(channel, message, data, Who::Member)
    }

    fn component(&self, channel: u64, message: &Value, data: Value, who: Who) -> Asked {
        let event = json!({
            "type": 3,
            "data": data,
            "message": message,
            "channel_id": channel.to_string(),
            "attachment_size_limit": 10_485_760,
        });
        self.dispatch(event, who)
    }

    /// The message that an answer has become.
    pub(crate) fn posted(&self, channel: u64, reply: &Reply) -> Value {
        let (Reply::Callback(_, body) | Reply::Edit(body) | Reply::Followup(body)) = reply;
        self.shared.change(|world| world.message(channel, APPLICATION, body))
    }

    fn dispatch(&self, mut event: Value, who: Who) -> Asked {
        self.shared.change(|world| {
            let id = world.id();
            let token = format!("interaction-secret-{id}");
            let common = json!({
                "id": id.to_string(),
                "application_id": APPLICATION.to_string(),
                "token": token,
                "version": 1,
                "app_permissions": "2048",
                "locale": "zh-CN",
                "entitlements": [],
                "authorizing_integration_owners": {},
            });
            let from = match who {
                Who::Private => json!({ "user": user(ASKER), "context": 1 }),
                Who::Member => member("2048", &[]),
                Who::Permitted(permissions) => member(&permissions.to_string(), &[]),
                Who::WithRole(role) => member("2048", &[role.to_string()]),
                Who::Nondescript => json!({ "user": user(ASKER), "context": 0 }),
            };
            for (name, value) in from.as_object().unwrap() {
                event[name] = value.clone();
            }
            if let Some(message) = event["message"]["id"].as_str() {
                world.pressed.insert(token.clone(), message.to_owned());
            }
            for (name, value) in common.as_object().unwrap() {
                event[name] = value.clone();
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

fn command(channel: u64, name: &str, options: &[(&str, &str)]) -> Value {
    let options: Vec<Value> = options
        .iter()
        .map(|(name, value)| json!({ "name": name, "type": 3, "value": value }))
        .collect();
    json!({
        "type": 2,
        "data": { "id": "700000000000000001", "name": name, "type": 1, "options": options },
        "channel_id": channel.to_string(),
        "attachment_size_limit": 10_485_760,
    })
}

/// What tells of a server that an interaction comes from there.
fn member(permissions: &str, roles: &[String]) -> Value {
    json!({ "guild_id": GUILD.to_string(), "context": 0, "member": { "user": user(ASKER), "roles": roles,
        "permissions": permissions, "joined_at": "2025-10-10T08:00:00.000000+00:00", "deaf": false, "mute": false,
        "flags": 0, "nick": null, "avatar": null, "premium_since": null, "pending": false } })
}

/// All that can be pressed below a message.
fn components(message: &Value) -> impl Iterator<Item = &Value> {
    let rows = message["components"].as_array().into_iter().flatten();
    rows.flat_map(|row| row["components"].as_array().unwrap())
}

fn user(id: u64) -> Value {
    json!({ "id": id.to_string(), "username": "ada", "discriminator": "0", "global_name": null, "avatar": null,
        "bot": id == APPLICATION, "mfa_enabled": false, "verified": true })
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
    check_commands(&commands)?;
    fake.change(|world| world.registrations.push(commands.clone()));
    Ok(Json(commands))
}

async fn current_user(headers: HeaderMap) -> Result<Json<Value>, Response> {
    authorized(&headers)?;
    Ok(Json(user(APPLICATION)))
}

/// Discord counts what it refuses, but for limits that others have used up.
async fn count_refusals(State(fake): Fake, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let shared = response
        .headers()
        .get("x-ratelimit-scope")
        .is_some_and(|scope| scope == "shared");
    if !shared && matches!(response.status().as_u16(), 401 | 403 | 429) {
        *fake.world().refusals.entry(response.status().as_u16()).or_default() += 1;
    }
    response
}

/// Serves a request about a channel's messages as far as its bucket allows; the answer tells the bucket's state.
async fn in_bucket(
    fake: &Shared,
    headers: &HeaderMap,
    method: Method,
    channel: u64,
    serve: impl Future<Output = Result<Response, Response>>,
) -> Result<Response, Response> {
    authorized(headers)?;
    let (said, exceeded) = fake.world().count(method, channel);
    let mut response = match exceeded {
        Some(seconds) => limited(seconds, "user"),
        None => serve.await.unwrap_or_else(|refusal| refusal),
    };
    // A global limit has no bucket.
    if !response.headers().contains_key("x-ratelimit-global") {
        response.headers_mut().extend(said);
    }
    Ok(response)
}

async fn create_message(
    State(fake): Fake,
    ConnectInfo(line): ConnectInfo<Line>,
    Path(channel): Path<u64>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Response, Response> {
    fake.change(|world| world.posts += 1);
    let accept = || -> Result<Response, Response> {
        check(&body)?;
        let nonce = body["nonce"].as_str().unwrap_or_default().to_owned();
        if nonce.len() > 25 {
            return Err(error(400, 50_035, "nonce: Must be 25 or fewer in length."));
        }
        fake.change(|world| {
            world.may(channel, Right::Send)?;
            world.writable(channel)?;
            if let Some(post) = world.threads.iter_mut().find(|post| post.id == channel) {
                post.archived = None;
            }
            let known = world
                .nonces
                .get(&nonce)
                .filter(|(since, _)| since.elapsed() < world.nonce_memory);
            if let Some((_, message)) = known.filter(|_| body["enforce_nonce"] == true) {
                return Ok(Json(message.clone()).into_response());
            }
            let message = world.message(channel, APPLICATION, &body);
            world.nonces.insert(nonce, (Instant::now(), message.clone()));
            Ok(Json(message).into_response())
        })
    };
    in_bucket(&fake, &headers, Method::POST, channel, async {
        let fault = fake.change(|world| {
            let in_vain = world.forums.contains_key(&channel);
            (!in_vain).then(|| world.faults.pop_front()).flatten()
        });
        with_fault(fault, &line, accept).await
    })
    .await
}

async fn describe(State(fake): Fake, Path(channel): Path<u64>, headers: HeaderMap) -> Result<Json<Value>, Response> {
    authorized(&headers)?;
    let mut world = fake.world();
    world.described += 1;
    world.may(channel, Right::View)?;
    if let Some(post) = world.threads.iter().find(|post| post.id == channel) {
        return Ok(Json(post.object()));
    }
    let mut object = json!({ "id": channel.to_string(), "type": 0, "guild_id": GUILD.to_string(), "flags": 0 });
    if let Some(forum) = world.forums.get(&channel) {
        let tag =
            |(id, moderated): &(u64, bool)| json!({ "id": id.to_string(), "name": "a tag", "moderated": moderated });
        object["type"] = json!(15);
        object["flags"] = json!(u8::from(forum.requires_tag) << 4);
        object["available_tags"] = forum.tags.iter().map(tag).collect();
    }
    Ok(Json(object))
}

/// Opens or closes a post.
async fn archive(
    State(fake): Fake,
    Path(channel): Path<u64>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Response> {
    authorized(&headers)?;
    fake.change(|world| {
        world.may(channel, Right::Send)?;
        let post = world.threads.iter_mut().find(|post| post.id == channel).unwrap();
        if post.locked {
            return Err(error(403, 50_013, "Missing Permissions"));
        }
        post.archived = (body["archived"] == true).then(paperwire::clock::now);
        Ok(Json(post.object()))
    })
}

/// Start Thread in Forum or Media Channel. It knows no nonce.
async fn create_post(
    State(fake): Fake,
    ConnectInfo(line): ConnectInfo<Line>,
    Path(channel): Path<u64>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Response, Response> {
    fake.change(|world| world.posts += 1);
    let accept = || -> Result<Response, Response> {
        let message = &body["message"];
        check(message)?;
        let name = body["name"].as_str().unwrap_or_default();
        if !(1..=100).contains(&name.encode_utf16().count()) {
            return Err(error(400, 50_035, "name: Must be between 1 and 100 in length."));
        }
        // No more than is documented: a nonce, for one, would promise in vain.
        let known = [
            "content",
            "embeds",
            "allowed_mentions",
            "components",
            "sticker_ids",
            "attachments",
            "flags",
        ];
        let unknown = message
            .as_object()
            .unwrap()
            .keys()
            .find(|name| !known.contains(&name.as_str()));
        let flags = message["flags"].as_u64().unwrap_or_default();
        if unknown.is_some() || flags & !(1 << 2 | 1 << 12) != 0 {
            return Err(error(400, 50_035, &format!("Invalid Form Body: {unknown:?}")));
        }
        let applied = body["applied_tags"].as_array().cloned().unwrap_or_default();
        let tags: Vec<u64> = applied
            .iter()
            .map(|tag| tag.as_str().unwrap().parse().unwrap())
            .collect();
        fake.change(|world| {
            world.may(channel, Right::Send)?;
            let Some(forum) = world.forums.get(&channel).cloned() else {
                return Err(error(400, 50_024, "Cannot execute action on this channel type"));
            };
            if tags.iter().any(|tag| !forum.tags.contains(&(*tag, false))) {
                return Err(error(400, 10_087, "Unknown tag"));
            }
            if forum.requires_tag && tags.is_empty() {
                return Err(error(
                    400,
                    40_067,
                    "A tag is required to create a forum post in this channel",
                ));
            }
            let id = world.id();
            let post = Post {
                id,
                forum: channel,
                name: name.to_owned(),
                tags,
                archived: None,
                locked: false,
            };
            let mut object = post.object();
            world.threads.push(post);
            object["message"] = world.message_with_id(id, id, APPLICATION, message);
            Ok(Json(object).into_response())
        })
    };
    in_bucket(&fake, &headers, Method::POST, channel, async {
        let fault = fake.change(|world| world.faults.pop_front());
        with_fault(fault, &line, accept).await
    })
    .await
}

async fn active_posts(State(fake): Fake, Path(guild): Path<u64>, headers: HeaderMap) -> Result<Response, Response> {
    in_bucket(&fake, &headers, Method::GET, guild, async {
        let world = fake.world();
        let visible = |post: &&Post| post.archived.is_none() && !world.denied.contains(&(post.forum, Right::View));
        let open: Vec<Value> = world.threads.iter().rev().filter(visible).map(Post::object).collect();
        Ok(Json(json!({ "threads": open, "members": [] })).into_response())
    })
    .await
}

/// Two at a time, the latest closed first.
async fn archived_posts(
    State(fake): Fake,
    Path(channel): Path<u64>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    in_bucket(&fake, &headers, Method::GET, channel, async {
        let world = fake.world();
        world.may(channel, Right::History)?;
        let before: Option<chrono::DateTime<chrono::Utc>> = query.get("before").map(|at| at.parse().unwrap());
        let mut closed: Vec<&Post> = world.threads.iter().filter(|post| post.forum == channel).collect();
        closed.retain(|post| post.archived.is_some_and(|at| before.is_none_or(|before| at < before)));
        closed.sort_by_key(|post| std::cmp::Reverse(post.archived));
        let page: Vec<Value> = closed.iter().take(2).map(|post| post.object()).collect();
        Ok(Json(json!({ "threads": page, "members": [], "has_more": closed.len() > 2 })).into_response())
    })
    .await
}

async fn read_message(
    State(fake): Fake,
    Path((channel, id)): Path<(u64, String)>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    in_bucket(&fake, &headers, Method::GET, channel, async {
        let world = fake.world();
        world.may(channel, Right::History)?;
        let found = of_channel(&world, channel).find(|message| message["id"] == id);
        let found = found.ok_or_else(|| error(404, 10_008, "Unknown Message"))?;
        Ok(Json(found.clone()).into_response())
    })
    .await
}

/// The oldest that are newer than `after`, or the newest of all; the newest first.
async fn read_messages(
    State(fake): Fake,
    Path(channel): Path<u64>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    in_bucket(&fake, &headers, Method::GET, channel, async {
        let number = |name: &str| query.get(name).map(|value| value.parse::<u64>().unwrap());
        let limit = usize::try_from(number("limit").unwrap_or(50)).unwrap();
        if !(1..=100).contains(&limit) {
            return Err(error(400, 50_035, "limit: int value should be between 1 and 100."));
        }
        let world = fake.world();
        world.may(channel, Right::View)?;
        if world.forums.contains_key(&channel) {
            world.writable(channel)?;
        }
        if world.denied.contains(&(world.ruled_by(channel), Right::History)) {
            return Ok(Json(json!([])).into_response());
        }
        let after = number("after");
        let id = |message: &Value| message["id"].as_str().unwrap().parse::<u64>().unwrap();
        let newer = |message: &&Value| after.is_none_or(|after| id(message) > after);
        let mut found: Vec<Value> = of_channel(&world, channel).filter(newer).cloned().collect();
        if after.is_some() {
            found.truncate(limit);
        } else {
            found.drain(..found.len().saturating_sub(limit));
        }
        found.reverse();
        for message in &mut found {
            // Stored with no message.
            message
                .as_object_mut()
                .unwrap()
                .retain(|name, _| !name.ends_with("nonce"));
        }
        Ok(Json(json!(found)).into_response())
    })
    .await
}

fn of_channel(world: &World, channel: u64) -> impl Iterator<Item = &Value> {
    world
        .messages
        .iter()
        .filter(move |(of, _)| *of == channel)
        .map(|(_, message)| message)
}

async fn edit_message(
    State(fake): Fake,
    Path((channel, id)): Path<(u64, String)>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Response, Response> {
    in_bucket(&fake, &headers, Method::PATCH, channel, async {
        fake.change(|world| {
            world.may(channel, Right::View)?;
            let closed = world
                .threads
                .iter()
                .find(|post| post.id == channel && post.archived.is_some());
            if closed.is_some() {
                return Err(error(400, 50_083, "Thread is archived"));
            }
            let message = world
                .messages
                .iter_mut()
                .find(|(of, message)| *of == channel && message["id"] == id);
            let Some((_, message)) = message else {
                return Err(error(404, 10_008, "Unknown Message"));
            };
            if message["author"] != user(APPLICATION) {
                return Err(error(403, 50_005, "Cannot edit a message authored by another user"));
            }
            let mut edited = message.clone();
            for name in ["content", "embeds", "flags", "components"] {
                if let Some(value) = body.get(name) {
                    edited[name] = value.clone();
                }
            }
            check(&edited)?;
            edited["edited_timestamp"] = json!("2025-10-10T09:00:00.000000+00:00");
            *message = edited.clone();
            Ok(Json(edited).into_response())
        })
    })
    .await
}

fn limited(seconds: f64, scope: &'static str) -> Response {
    let global = scope == "global";
    let body = json!({ "message": "You are being rate limited.", "retry_after": seconds, "global": global });
    let said = [
        (header::RETRY_AFTER, seconds.ceil().to_string()),
        (HeaderName::from_static("x-ratelimit-scope"), scope.to_owned()),
    ];
    let mut response = (StatusCode::TOO_MANY_REQUESTS, said, Json(body)).into_response();
    if global {
        let yes = HeaderValue::from_static("true");
        response.headers_mut().insert("x-ratelimit-global", yes);
    }
    response
}

async fn with_fault(
    fault: Option<Fault>,
    line: &Line,
    accept: impl FnOnce() -> Result<Response, Response>,
) -> Result<Response, Response> {
    match fault {
        None | Some(Fault::Pass) => accept(),
        Some(Fault::RouteLimit(seconds)) => Ok(limited(seconds, "user")),
        Some(Fault::GlobalLimit(seconds)) => Ok(limited(seconds, "global")),
        Some(Fault::SharedLimit(seconds)) => Ok(limited(seconds, "shared")),
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
        let footer = units(&embed["footer"]["text"]);
        if footer > 2_048 {
            return bad("embed footer");
        }
        total += title + description + footer;
    }
    if total > 6_000 {
        return bad("embeds together");
    }
    check_components(&body["components"])?;
    if embeds.is_empty() && body["content"].as_str().unwrap_or_default().trim().is_empty() {
        return Err(error(400, 50_006, "Cannot send an empty message"));
    }
    Ok(())
}

/// The rules for what can be pressed below a message.
fn check_components(rows: &Value) -> Result<(), Response> {
    let none = Vec::new();
    let rows = rows.as_array().unwrap_or(&none);
    let bad = |what: &str| Err(error(400, 50_035, &format!("Invalid Form Body: components: {what}")));
    let length = |value: &Value| value.as_str().map_or(0, |text| text.encode_utf16().count());
    if rows.len() > 5 {
        return bad("rows");
    }
    let mut names = HashSet::new();
    for row in rows {
        let inside = row["components"].as_array().unwrap_or(&none);
        let menus = inside.iter().filter(|component| component["type"] == 3).count();
        if row["type"] != 1 || !(1..=5).contains(&inside.len()) || (menus > 0 && inside.len() > 1) {
            return bad("a row");
        }
        for component in inside {
            if !(1..=100).contains(&length(&component["custom_id"]))
                || !names.insert(component["custom_id"].to_string())
            {
                return bad("a custom_id");
            }
            match component["type"].as_u64() {
                Some(2) if (1..=80).contains(&length(&component["label"])) => {}
                Some(3) if length(&component["placeholder"]) <= 150 => {
                    let options = component["options"].as_array().unwrap_or(&none);
                    let fits = |option: &Value| {
                        ["label", "value"]
                            .iter()
                            .all(|name| (1..=100).contains(&length(&option[name])))
                    };
                    let values: HashSet<String> = options.iter().map(|option| option["value"].to_string()).collect();
                    if !(1..=25).contains(&options.len()) || !options.iter().all(fits) || values.len() < options.len() {
                        return bad("options");
                    }
                }
                _ => return bad("a component"),
            }
        }
    }
    Ok(())
}

/// The rules for a command, its options and what can be chosen for them.
fn check_commands(commands: &Value) -> Result<(), Response> {
    let none = Vec::new();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let bad = |what: &Value| Err(error(400, 50_035, &format!("Invalid Form Body: {what}")));
    let length = |value: &Value| value.as_str().map_or(0, |text| text.encode_utf16().count());
    let named = |value: &Value| {
        let name = value["name"].as_str().unwrap_or_default();
        let locales = value["description_localizations"].as_object();
        (1..=32).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
            && (1..=100).contains(&length(&value["description"]))
            && locales.is_none_or(|texts| texts.values().all(|text| (1..=100).contains(&length(text))))
    };
    for command in commands.as_array().unwrap_or(&none) {
        let options = list(&command["options"]);
        let required: Vec<bool> = options.iter().map(|option| option["required"] == true).collect();
        if !named(command) || options.len() > 25 || !required.is_sorted_by(|a, b| a >= b) {
            return bad(command);
        }
        for option in &options {
            let choices = list(&option["choices"]);
            let fits = |choice: &Value| {
                ["name", "value"]
                    .iter()
                    .all(|name| (1..=100).contains(&length(&choice[name])))
            };
            let both = option["autocomplete"] == true && !choices.is_empty();
            if !named(option) || both || choices.len() > 25 || !choices.iter().all(fits) {
                return bad(option);
            }
        }
    }
    Ok(())
}

/// A body as JSON, or as a form whose files are put beside the rest as `files`: name, type and text. The attachments that
/// the body names must be the files.
fn read_body(headers: &HeaderMap, bytes: &Bytes) -> Result<Value, Response> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let Some(boundary) = kind.and_then(|kind| kind.strip_prefix("multipart/form-data; boundary=")) else {
        return serde_json::from_slice(bytes)
            .map_err(|_| error(400, 50_109, "The request body contains invalid JSON."));
    };
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let mut body = Value::Null;
    let mut files = Vec::new();
    for piece in text.split(&format!("--{boundary}")) {
        let Some((head, content)) = piece.trim_start_matches("\r\n").split_once("\r\n\r\n") else {
            continue;
        };
        let content = content.strip_suffix("\r\n").unwrap();
        if head.contains("name=\"payload_json\"") {
            body = serde_json::from_str(content).unwrap();
        } else {
            let named = head.split("filename=\"").nth(1).unwrap().split('"').next().unwrap();
            let kind = head.split("Content-Type: ").nth(1).unwrap().lines().next().unwrap();
            assert!(head.contains(&format!("name=\"files[{}]\"", files.len())), "{head}");
            files.push(json!({ "name": named, "type": kind, "text": content }));
        }
    }
    let message = if body["data"].is_object() {
        &mut body["data"]
    } else {
        &mut body
    };
    assert_eq!(message["attachments"].as_array().unwrap().len(), files.len());
    message["files"] = json!(files);
    // As it stands in a message that is read back.
    message["attachments"] = json!([]);
    Ok(body)
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
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Response> {
    let body = read_body(&headers, &bytes)?;
    let kind = body["type"].as_u64().unwrap_or_default();
    let pressed = fake.world().pressed.contains_key(&token);
    match kind {
        4 => check(&body["data"])?,
        5 => {}
        6 if pressed => {}
        7 if pressed => check(&fake.world().updated(&token, &body["data"]))?,
        8 => check_choices(&body["data"]["choices"])?,
        _ => return Err(error(400, 50_035, "Invalid Form Body: type")),
    }
    on_interaction(&fake, &line, token.clone(), |replies| {
        if !replies.is_empty() {
            return Err(error(400, 40_060, "Interaction has already been acknowledged."));
        }
        replies.push(Reply::Callback(kind, body["data"].clone()));
        Ok(StatusCode::NO_CONTENT.into_response())
    })
    .await
    .inspect(|_| {
        if kind == 7 {
            fake.change(|world| world.update(&token, &body["data"]));
        }
    })
}

fn check_choices(choices: &Value) -> Result<(), Response> {
    let length = |value: &Value| value.as_str().map_or(0, |text| text.encode_utf16().count());
    let fits = |choice: &Value| {
        ["name", "value"]
            .iter()
            .all(|name| (1..=100).contains(&length(&choice[name])))
    };
    let choices = choices.as_array().unwrap();
    match choices.len() <= 25 && choices.iter().all(fits) {
        true => Ok(()),
        false => Err(error(400, 50_035, "Invalid Form Body: choices")),
    }
}

async fn edit_original(
    State(fake): Fake,
    ConnectInfo(line): ConnectInfo<Line>,
    Path((_, token)): Path<(u64, String)>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Response> {
    let body = read_body(&headers, &bytes)?;
    check(&fake.world().updated(&token, &body))?;
    let said = body.clone();
    on_interaction(&fake, &line, token.clone(), |replies| {
        if replies.is_empty() {
            return Err(error(404, 10_015, "Unknown Webhook"));
        }
        replies.push(Reply::Edit(said.clone()));
        Ok(Json(said).into_response())
    })
    .await
    .inspect(|_| fake.change(|world| world.update(&token, &body)))
}

async fn follow_up(
    State(fake): Fake,
    ConnectInfo(line): ConnectInfo<Line>,
    Path((_, token)): Path<(u64, String)>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Response> {
    let body = read_body(&headers, &bytes)?;
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
            Some(2 | 6) if !token_fits || fake.world().refuse_identify => {
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
