//! A Telegram Bot API server: as strict as the real one, scriptable request by request, and open to inspection.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest as _, Multipart, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The token that the server knows.
pub(crate) const TOKEN: &str = "4242424242:AAFakeFakeFakeFakeFakeFakeFakeFake-_";
/// The bot's id, which its token begins with.
const BOT_ID: i64 = 4_242_424_242;
/// The bot's user name.
pub(crate) const BOT: &str = "paperwire_bot";
/// The longest that a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// What happens to one request instead of its usual treatment.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Nothing: it is treated as usual.
    Pass,
    /// The Bot API refuses: `error_code` (also the HTTP status), `description`, `parameters`.
    Refuse(u16, &'static str, Value),
    /// Something before the Bot API answers: status and body.
    Raw(u16, &'static str),
    /// No answer, ever; it is not taken.
    Hang,
    /// It is taken, and no answer comes.
    AcceptAndHang,
    /// The connection closes; it is not taken.
    Close,
    /// It is taken, and the connection closes.
    AcceptAndClose,
    /// It is taken, and the connection closes within the answer.
    AcceptAndCloseHalfway,
    /// It is taken, and the answer is not the Bot API's.
    AcceptAndBabble,
}

impl Fault {
    /// 429 as the Bot API gives it.
    pub(crate) fn flood(seconds: u64) -> Self {
        Self::Refuse(429, "Too Many Requests: retry later", json!({"retry_after": seconds}))
    }

    /// A refusal without parameters.
    pub(crate) fn refuse(code: u16, description: &'static str) -> Self {
        Self::Refuse(code, description, Value::Null)
    }
}

/// A message that the bot sent.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) id: i64,
    pub(crate) thread: Option<i64>,
    pub(crate) text: String,
    /// As it looks now; null when there is none.
    pub(crate) entities: Value,
    /// The same of the keyboard below it.
    pub(crate) keyboard: Value,
    /// The whole request that sent it.
    pub(crate) request: Value,
}

impl Sent {
    /// What the buttons below it carry.
    pub(crate) fn data(&self) -> Vec<String> {
        let rows = self.keyboard["inline_keyboard"].as_array().into_iter().flatten();
        rows.filter_map(Value::as_array)
            .flatten()
            .map(|button| button["callback_data"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[derive(Debug, Default)]
struct Inside {
    chats: BTreeMap<i64, Vec<Sent>>,
    /// The ids of other people's messages.
    others: HashMap<i64, BTreeSet<i64>>,
    /// Whether the bot is no administrator anywhere, and other people's messages do not exist for it.
    blind: bool,
    /// Whether the server is older than sendRichMessage.
    old: bool,
    /// The latest message id, over people's and the bot's messages: of each chat that counts for itself, and of all the
    /// others together.
    message_ids: HashMap<Option<i64>, i64>,
    /// What was pressed, with the text that the bot answered.
    presses: BTreeMap<String, Option<String>>,
    /// What people are in chats; of everybody else nothing is known.
    statuses: HashMap<(i64, i64), &'static str>,
    /// Updates that are not yet confirmed.
    updates: VecDeque<Value>,
    latest_update: i64,
    /// The number of the getUpdates that came last: an older one that still waits has lost.
    poll: u64,
    conflicts: usize,
    webhook: bool,
    script: HashMap<String, VecDeque<Fault>>,
    calls: Vec<(String, Value)>,
}

struct Shared {
    inside: Mutex<Inside>,
    changed: watch::Sender<()>,
}

impl Shared {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().expect("no test thread has panicked in here")
    }

    fn change<T>(&self, change: impl FnOnce(&mut Inside) -> T) -> T {
        let result = change(&mut self.inside());
        self.changed.send_replace(());
        result
    }
}

/// The server; it ends with its value.
pub(crate) struct FakeTelegram {
    shared: Arc<Shared>,
    url: String,
    server: JoinHandle<()>,
}

impl fmt::Debug for FakeTelegram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#?}", self.shared.inside())
    }
}

impl Drop for FakeTelegram {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl FakeTelegram {
    /// Starts it on a free port, with these chats in which the bot may write.
    pub(crate) async fn start(chats: &[i64]) -> Self {
        let shared = Arc::new(Shared {
            inside: Mutex::default(),
            changed: watch::Sender::new(()),
        });
        for &chat in chats {
            shared.inside().chats.insert(chat, Vec::new());
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/{bot}/{method}", axum::routing::any(serve))
            .with_state(shared.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { shared, url, server }
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What happens to the next requests of a method, one after the other.
    pub(crate) fn script(&self, method: &str, faults: impl IntoIterator<Item = Fault>) {
        let mut inside = self.shared.inside();
        inside.script.entry(method.to_lowercase()).or_default().extend(faults);
    }

    /// Somebody set a webhook for this bot.
    pub(crate) fn set_webhook(&self) {
        self.shared.inside().webhook = true;
    }

    /// A person writes into a chat. Returns the message's id.
    pub(crate) fn push_text(&self, chat: i64, user: &str, text: &str) -> i64 {
        self.push_message(chat, json!({"from": person(user), "text": text}))
    }

    /// A person writes into a topic of a forum.
    pub(crate) fn push_text_in_topic(&self, chat: i64, topic: i64, user: &str, text: &str) -> i64 {
        let fields = json!({
            "from": person(user),
            "text": text,
            "message_thread_id": topic,
            "is_topic_message": true,
            // As the real server says of every message in a topic.
            "reply_to_message": {"message_id": topic, "chat": {"id": chat}, "forum_topic_created": {"name": "t"}},
        });
        self.push_message(chat, fields)
    }

    /// Somebody else writes something that the bot is not told of. Returns the message's id.
    pub(crate) fn post(&self, chat: i64) -> i64 {
        self.shared.change(|inside| inside.post(chat))
    }

    /// From now on the bot sees no messages but its own and those for it.
    pub(crate) fn hide_people(&self) {
        self.shared.inside().blind = true;
    }

    /// From now on a person is this in a chat: `administrator`, `member`, …
    pub(crate) fn rank(&self, chat: i64, person: i64, status: &'static str) {
        self.shared.inside().statuses.insert((chat, person), status);
    }

    /// From now on the server is one of before Bot API 10.1.
    pub(crate) fn grow_old(&self) {
        self.shared.inside().old = true;
    }

    /// A person presses a digest part's own button. Returns the query's id.
    pub(crate) fn press(&self, chat: i64, message: i64) -> String {
        let sent = self.messages(chat).into_iter().find(|sent| sent.id == message).unwrap();
        let data = sent.data().into_iter().find(|data| data.starts_with("p:"));
        self.press_on(
            chat,
            message,
            &data.unwrap_or_else(|| panic!("no such button below {sent:?}")),
        )
    }

    /// A person presses the button that carries `data`. Returns the query's id.
    pub(crate) fn press_on(&self, chat: i64, message: i64, data: &str) -> String {
        let sent = self.messages(chat).into_iter().find(|sent| sent.id == message).unwrap();
        let kind = if chat < 0 { "supergroup" } else { "private" };
        let mut above = json!({
            "message_id": message, "date": 0, "chat": {"id": chat, "type": kind, "title": "t"}, "text": sent.text,
            "from": {"id": BOT_ID, "is_bot": true, "first_name": "Paperwire"}, "reply_markup": sent.keyboard,
        });
        if let Some(thread) = sent.thread {
            above["message_thread_id"] = thread.into();
            above["is_topic_message"] = true.into();
        }
        assert!(
            sent.data().iter().any(|there| there == data),
            "no {data} below {sent:?}"
        );
        self.push_press(json!({"message": above, "data": data, "from": person("ada")}))
    }

    /// Any press; it gets its id here.
    pub(crate) fn push_press(&self, mut query: Value) -> String {
        let id = self.shared.change(|inside| {
            let id = (4_000_000_000_000_i64 + i64::try_from(inside.presses.len()).unwrap()).to_string();
            inside.presses.insert(id.clone(), None);
            id
        });
        query["id"] = id.clone().into();
        self.push_update(json!({ "callback_query": query }));
        id
    }

    /// Waits until the bot has answered what was pressed.
    pub(crate) async fn alert(&self, query: &str) -> String {
        let answer = || self.shared.inside().presses.get(query).cloned().flatten();
        self.wait_until("an answer to a press", || answer().is_some()).await;
        answer().unwrap()
    }

    /// Under which message ids of a chat the bot has tried to change the keyboard, in order.
    pub(crate) fn probes(&self, chat: i64) -> Vec<i64> {
        let calls = self.calls("editMessageReplyMarkup").into_iter();
        let there = calls.filter(|body| body["chat_id"] == chat && body.get("reply_markup").is_some());
        there.filter_map(|body| body["message_id"].as_i64()).collect()
    }

    /// Any message; `fields` are added to what every message has.
    pub(crate) fn push_message(&self, chat: i64, fields: Value) -> i64 {
        let id = self.post(chat);
        let kind = if chat < 0 { "supergroup" } else { "private" };
        let mut message = json!({"message_id": id, "date": 0, "chat": {"id": chat, "type": kind, "title": "t"}});
        message
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        self.push_update(json!({ "message": message }));
        id
    }

    /// Any update; it gets its id here.
    pub(crate) fn push_update(&self, mut update: Value) {
        self.shared.change(|inside| {
            inside.latest_update += 1;
            update["update_id"] = inside.latest_update.into();
            inside.updates.push_back(update);
        });
    }

    /// What the bot has sent to a chat.
    pub(crate) fn messages(&self, chat: i64) -> Vec<Sent> {
        self.shared.inside().chats.get(&chat).cloned().unwrap_or_default()
    }

    /// The bodies of all requests of a method.
    pub(crate) fn calls(&self, method: &str) -> Vec<Value> {
        let inside = self.shared.inside();
        let calls = inside
            .calls
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(method));
        calls.map(|(_, body)| body.clone()).collect()
    }

    /// How many updates the bot has not confirmed.
    pub(crate) fn unconfirmed(&self) -> usize {
        self.shared.inside().updates.len()
    }

    /// How many polls ended because another one began.
    pub(crate) fn conflicts(&self) -> usize {
        self.shared.inside().conflicts
    }

    /// Waits until the bot has sent so many messages to a chat.
    pub(crate) async fn wait_for_messages(&self, chat: i64, count: usize) -> Vec<Sent> {
        self.wait_until(&format!("{count} messages in {chat}"), || {
            self.messages(chat).len() >= count
        })
        .await;
        self.messages(chat)
    }

    /// Waits until `done`; looks again whenever something has changed here.
    pub(crate) async fn wait_until(&self, what: &str, done: impl Fn() -> bool) {
        let mut changed = self.shared.changed.subscribe();
        let waiting = async {
            while !done() {
                changed.changed().await.unwrap();
            }
        };
        let ended = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(ended.is_ok(), "waited in vain for {what}: {self:?}");
    }
}

fn person(name: &str) -> Value {
    json!({"id": 1001, "is_bot": false, "first_name": name, "language_code": "en"})
}

impl Inside {
    fn next_message_id(&mut self, chat: i64) -> i64 {
        // Supergroups and channels have ids below this, and count for themselves.
        let own = (chat < -1_000_000_000_000).then_some(chat);
        let id = self.message_ids.entry(own).or_insert(100);
        *id += 1;
        *id
    }

    fn post(&mut self, chat: i64) -> i64 {
        let id = self.next_message_id(chat);
        self.others.entry(chat).or_default().insert(id);
        id
    }

    /// The bot's message that a request wants to change.
    fn editable(&mut self, request: &Value) -> Result<&mut Sent, (u16, String)> {
        let (Some(chat), Some(id)) = (request["chat_id"].as_i64(), request["message_id"].as_i64()) else {
            return refuse(400, "Bad Request: message identifier is not specified");
        };
        let Some(sent) = self.chats.get_mut(&chat) else {
            return refuse(400, "Bad Request: chat not found");
        };
        if !self.blind && self.others.get(&chat).is_some_and(|others| others.contains(&id)) {
            return refuse(400, "Bad Request: message can't be edited");
        }
        match sent.iter_mut().find(|sent| sent.id == id) {
            Some(sent) => Ok(sent),
            None => refuse(400, "Bad Request: message to edit not found"),
        }
    }
}

const NOT_MODIFIED: &str = "Bad Request: message is not modified: specified new message content and reply markup are \
                            exactly the same as a current content and reply markup of the message";

/// The keyboard of a request; null when it has none.
fn keyboard_of(request: &Value) -> Result<Value, (u16, String)> {
    let keyboard = &request["reply_markup"];
    let rows = keyboard["inline_keyboard"].as_array().map_or(&[][..], Vec::as_slice);
    let in_rows = rows.iter().filter_map(Value::as_array).map(Vec::len);
    if in_rows.clone().any(|buttons| !(1..=8).contains(&buttons)) || in_rows.sum::<usize>() > 100 {
        return refuse(
            400,
            "Bad Request: reply markup is too long (the real server cuts a row with more than 8)",
        );
    }
    for button in rows.iter().filter_map(Value::as_array).flatten() {
        if button["text"].as_str().is_none_or(str::is_empty) {
            return refuse(
                400,
                "Bad Request: can't parse inline keyboard button: Text buttons must be non-empty",
            );
        }
        let data = button["callback_data"].as_str().unwrap_or_default();
        if !(1..=64).contains(&data.len()) {
            return refuse(400, "Bad Request: BUTTON_DATA_INVALID");
        }
    }
    Ok(if rows.is_empty() { Value::Null } else { keyboard.clone() })
}

/// What the Bot API says, before it is HTTP.
type Said = Result<Value, (u16, String)>;

fn refuse<T>(code: u16, description: &str) -> Result<T, (u16, String)> {
    Err((code, description.to_owned()))
}

async fn serve(
    State(shared): State<Arc<Shared>>,
    Path((bot, method)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if bot != format!("bot{TOKEN}") {
        // The real server says 401 for a token of the right form, and 404 for anything else.
        let well_formed = bot.starts_with("bot") && bot.contains(':');
        return api(if well_formed {
            refuse(401, "Unauthorized")
        } else {
            refuse(404, "Not Found")
        });
    }
    // teloxide writes `GetMe`: the real server does not mind either.
    let method = method.to_lowercase();
    let request: Value = match serde_json::from_slice(&body) {
        _ if is_form(&headers) => form(&headers, body).await,
        Ok(request) => request,
        Err(_) if body.is_empty() => json!({}),
        Err(_) => return api(refuse(400, "Bad Request: can't parse JSON object")),
    };
    let fault = shared.change(|inside| {
        inside.calls.push((method.clone(), request.clone()));
        inside.script.get_mut(&method).and_then(VecDeque::pop_front)
    });
    let usual = async { treat(&shared, &method, &request).await };
    match fault.unwrap_or(Fault::Pass) {
        Fault::Pass => api(usual.await),
        Fault::Refuse(code, description, parameters) => {
            refusal(code, description, Some(parameters).filter(|p| !p.is_null()))
        }
        Fault::Raw(status, body) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        Fault::Hang => std::future::pending().await,
        Fault::AcceptAndHang => {
            usual.await.unwrap();
            std::future::pending().await
        }
        Fault::Close => closing(""),
        Fault::AcceptAndClose => {
            usual.await.unwrap();
            closing("")
        }
        Fault::AcceptAndCloseHalfway => {
            usual.await.unwrap();
            closing(r#"{"ok":true,"result":{"mess"#)
        }
        Fault::AcceptAndBabble => {
            usual.await.unwrap();
            "<html>Welcome to our wireless network</html>".into_response()
        }
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/form-data"))
}

/// The fields of a form; a file is its name, its type and its text.
async fn form(headers: &HeaderMap, body: Bytes) -> Value {
    let request = Request::builder()
        .header(header::CONTENT_TYPE, &headers[header::CONTENT_TYPE])
        .body(Body::from(body));
    let mut form = Multipart::from_request(request.unwrap(), &()).await.unwrap();
    let mut fields = json!({});
    while let Some(field) = form.next_field().await.unwrap() {
        let name = field.name().unwrap().to_owned();
        let file = field.file_name().map(str::to_owned);
        let mime = field.content_type().map(str::to_owned);
        let text = field.text().await.unwrap();
        fields[name] = match file {
            Some(file) => json!({"name": file, "mime": mime, "text": text}),
            None => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        };
    }
    fields
}

fn api(said: Said) -> Response {
    match said {
        Ok(result) => axum::Json(json!({"ok": true, "result": result})).into_response(),
        Err((code, description)) => refusal(code, &description, None),
    }
}

fn refusal(code: u16, description: &str, parameters: Option<Value>) -> Response {
    let mut body = json!({"ok": false, "error_code": code, "description": description});
    if let Some(parameters) = parameters {
        body["parameters"] = parameters;
    }
    (StatusCode::from_u16(code).unwrap(), axum::Json(body)).into_response()
}

/// An answer that begins and ends with the connection.
fn closing(begin: &'static str) -> Response {
    let broken = Err(std::io::Error::other("scripted"));
    let chunks = [Ok(Bytes::from_static(begin.as_bytes())), broken];
    Body::from_stream(futures::stream::iter(chunks)).into_response()
}

async fn treat(shared: &Shared, method: &str, request: &Value) -> Said {
    match method {
        "getme" => Ok(json!({
            "id": BOT_ID, "is_bot": true, "first_name": "Paperwire", "username": BOT,
            "can_join_groups": true, "can_read_all_group_messages": false, "supports_inline_queries": true,
            "can_connect_to_business": false, "has_main_web_app": false,
        })),
        "getupdates" => get_updates(shared, request).await,
        "sendmessage" => shared.change(|inside| send_message(inside, request)),
        "sendrichmessage" => shared.change(|inside| send_rich(inside, request)),
        "senddocument" => shared.change(|inside| send_document(inside, request)),
        "answerinlinequery" => answer_inline(request),
        "editmessagetext" => shared.change(|inside| edit_message(inside, request)),
        "editmessagereplymarkup" => shared.change(|inside| edit_keyboard(inside, request)),
        "answercallbackquery" => shared.change(|inside| answer_press(inside, request)),
        "getchatmember" => get_chat_member(&shared.inside(), request),
        "setmycommands" => set_my_commands(request),
        "deletewebhook" => {
            shared.inside().webhook = false;
            Ok(json!(true))
        }
        _ => refuse(404, "Not Found: method not found"),
    }
}

async fn get_updates(shared: &Shared, request: &Value) -> Said {
    let offset = request["offset"].as_i64().unwrap_or(0);
    let limit = usize::try_from(request["limit"].as_u64().unwrap_or(100)).unwrap();
    let timeout = Duration::from_secs(request["timeout"].as_u64().unwrap_or(0));
    let mut changed = shared.changed.subscribe();
    let me = shared.change(|inside| {
        if inside.webhook {
            return refuse(
                409,
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the \
                 webhook first",
            );
        }
        inside.poll += 1;
        inside
            .updates
            .retain(|update| update["update_id"].as_i64() >= Some(offset));
        Ok(inside.poll)
    })?;
    let waiting = async {
        loop {
            {
                let mut inside = shared.inside();
                if inside.poll != me {
                    inside.conflicts += 1;
                    return refuse(
                        409,
                        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is \
                         running",
                    );
                }
                if !inside.updates.is_empty() {
                    return Ok(inside.updates.iter().take(limit).cloned().collect::<Value>());
                }
            }
            changed.changed().await.unwrap();
        }
    };
    let said = tokio::time::timeout(timeout, waiting).await.unwrap_or(Ok(json!([])));
    shared.changed.send_replace(());
    said
}

fn text_of(request: &Value) -> Result<String, (u16, String)> {
    marked(request, "text", "entities", 4096)
}

/// A text with its entities, and the most UTF-16 units that it may have.
fn marked(request: &Value, text: &str, entities: &str, most: usize) -> Result<String, (u16, String)> {
    let text = request[text].as_str().unwrap_or_default();
    if text.trim().is_empty() {
        return refuse(400, "Bad Request: message text is empty");
    }
    let units: Vec<u16> = text.encode_utf16().collect();
    if units.len() > most {
        return refuse(400, "Bad Request: message is too long");
    }
    let entities = request[entities].as_array().map_or(&[][..], Vec::as_slice);
    if entities.len() > 100 {
        return refuse(
            400,
            "Bad Request: too many entities (the real server drops what exceeds 100)",
        );
    }
    for entity in entities {
        let at = |field: &str| entity[field].as_u64().and_then(|n| usize::try_from(n).ok());
        let covered = at("offset")
            .zip(at("length"))
            .filter(|&(_, length)| length > 0)
            .and_then(|(offset, length)| units.get(offset..offset + length))
            .and_then(|covered| String::from_utf16(covered).ok());
        if covered.is_none_or(|covered| covered.trim() != covered) {
            return refuse(400, &format!("Bad Request: can't parse entities: {entity}"));
        }
    }
    if request.get("parse_mode").is_some() {
        return refuse(400, "Bad Request: entities and parse_mode exclude each other");
    }
    Ok(text.to_owned())
}

fn send_message(inside: &mut Inside, request: &Value) -> Said {
    let text = text_of(request);
    take_message(inside, request, text, "entities")
}

fn send_document(inside: &mut Inside, request: &Value) -> Said {
    if request["document"]["name"].as_str().is_none_or(str::is_empty) {
        return refuse(400, "Bad Request: there is no document in the request");
    }
    let caption = match request.get("caption") {
        Some(_) => marked(request, "caption", "caption_entities", 1024),
        None => Ok(String::new()),
    };
    take_message(inside, request, caption, "caption_entities")
}

/// What people read of a long message; its tags are those of the Bot API, each one closed.
fn rich_text(request: &Value) -> Result<String, (u16, String)> {
    let html = request["rich_message"]["html"].as_str().unwrap_or_default();
    if request.get("text").is_some() || html.is_empty() {
        return refuse(400, "Bad Request: rich message must be specified");
    }
    let mut open: Vec<&str> = Vec::new();
    let mut pieces = html.split('<');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let Some((tag, behind)) = piece.split_once('>') else {
            return refuse(400, "Bad Request: can't parse rich message: unclosed start tag");
        };
        let name = tag.split(' ').next().unwrap_or_default();
        match name.strip_prefix('/') {
            Some(closed) if open.pop() == Some(closed) => {}
            None if "h2 h4 p a b i code details summary tg-math"
                .split(' ')
                .any(|known| known == name) =>
            {
                open.push(name)
            }
            Some(_) | None => return refuse(400, "Bad Request: can't parse rich message: unexpected tag"),
        }
        text.push_str(behind);
    }
    let text = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&");
    if text.chars().count() > 32_768 {
        return refuse(400, "Bad Request: RICH_MESSAGE_TOO_LONG");
    }
    Ok(text)
}

fn send_rich(inside: &mut Inside, request: &Value) -> Said {
    if inside.old {
        return refuse(404, "Not Found: method not found");
    }
    take_message(inside, request, rich_text(request), "entities")
}

/// A message as an answer shows it.
fn shown(message: &Sent) -> Value {
    let mut shown = json!({"message_id": message.id, "date": 0});
    if message.request.get("rich_message").is_some() {
        shown["rich_message"] = json!({"blocks": [{"type": "paragraph", "text": [message.text]}]});
    } else {
        shown["text"] = message.text.clone().into();
    }
    shown
}

fn answer_inline(request: &Value) -> Said {
    let results = request["results"].as_array().map_or(&[][..], Vec::as_slice);
    let ids: BTreeSet<&str> = results.iter().filter_map(|result| result["id"].as_str()).collect();
    let named = ids.iter().all(|id| (1..=64).contains(&id.len()));
    if !named || ids.len() != results.len() || results.len() > 50 {
        return refuse(400, "Bad Request: RESULT_ID_INVALID");
    }
    for result in results {
        if result["type"] != "article" || result["title"].as_str().is_none_or(str::is_empty) {
            return refuse(400, "Bad Request: ARTICLE_TITLE_EMPTY");
        }
        marked(&result["input_message_content"], "message_text", "entities", 4096)?;
    }
    Ok(json!(true))
}

fn take_message(inside: &mut Inside, request: &Value, text: Result<String, (u16, String)>, entities: &str) -> Said {
    let Some(chat) = request["chat_id"].as_i64() else {
        return refuse(400, "Bad Request: chat_id is empty");
    };
    if !inside.chats.contains_key(&chat) {
        return refuse(400, "Bad Request: chat not found");
    }
    let text = text?;
    let keyboard = keyboard_of(request)?;
    let id = inside.next_message_id(chat);
    let sent = Sent {
        id,
        thread: request["message_thread_id"].as_i64(),
        text,
        entities: request[entities].clone(),
        keyboard,
        request: request.clone(),
    };
    inside.chats.entry(chat).or_default().push(sent);
    Ok(json!({"message_id": id, "date": 0, "chat": {"id": chat, "type": "private"}, "text": request["text"]}))
}

fn edit_message(inside: &mut Inside, request: &Value) -> Said {
    let rich = request.get("rich_message").filter(|_| !inside.old);
    let (text, entities) = (
        if rich.is_some() {
            rich_text(request)?
        } else {
            text_of(request)?
        },
        &request["entities"],
    );
    let keyboard = keyboard_of(request)?;
    let message = inside.editable(request)?;
    if message.request.get("document").is_some() {
        return refuse(400, "Bad Request: there is no text in the message to edit");
    }
    if (&message.text, &message.entities, &message.keyboard) == (&text, entities, &keyboard) {
        return refuse(400, NOT_MODIFIED);
    }
    message.text = text;
    message.entities = entities.clone();
    message.keyboard = keyboard;
    Ok(shown(message))
}

fn edit_keyboard(inside: &mut Inside, request: &Value) -> Said {
    let keyboard = keyboard_of(request)?;
    let message = inside.editable(request)?;
    if message.keyboard == keyboard {
        return refuse(400, NOT_MODIFIED);
    }
    message.keyboard = keyboard;
    Ok(shown(message))
}

fn answer_press(inside: &mut Inside, request: &Value) -> Said {
    let query = request["callback_query_id"].as_str().unwrap_or_default();
    let text = request["text"].as_str().unwrap_or_default();
    if text.chars().count() > 200 {
        return refuse(400, "Bad Request: MESSAGE_TOO_LONG");
    }
    match inside.presses.get_mut(query) {
        Some(answer @ None) => {
            *answer = Some(text.to_owned());
            Ok(json!(true))
        }
        Some(Some(_)) | None => refuse(
            400,
            "Bad Request: query is too old and response timeout expired or query ID is invalid",
        ),
    }
}

fn get_chat_member(inside: &Inside, request: &Value) -> Said {
    if request["chat_id"]
        .as_i64()
        .is_none_or(|chat| !inside.chats.contains_key(&chat))
    {
        return refuse(400, "Bad Request: chat not found");
    }
    let chat = request["chat_id"].as_i64().unwrap();
    let known = |person| inside.statuses.get(&(chat, person)).copied();
    let status = match request["user_id"].as_i64() {
        Some(BOT_ID) => Some(if inside.blind { "member" } else { "administrator" }),
        person => person.and_then(known),
    };
    match status {
        Some(status) => Ok(json!({"status": status, "user": {"id": request["user_id"], "first_name": "P"}})),
        None => refuse(400, "Bad Request: PARTICIPANT_ID_INVALID"),
    }
}

fn set_my_commands(request: &Value) -> Said {
    for command in request["commands"].as_array().map_or(&[][..], Vec::as_slice) {
        let name = command["command"].as_str().unwrap_or_default();
        let named = (1..=32).contains(&name.len())
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let described = (3..=256).contains(&command["description"].as_str().unwrap_or_default().chars().count());
        if !named || !described {
            return refuse(400, "Bad Request: BOT_COMMAND_INVALID");
        }
    }
    Ok(json!(true))
}
