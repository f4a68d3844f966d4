//! Takes in what people write on Telegram and answers it. Long polling through teloxide's client; what is read of an
//! update are the few fields below and not teloxide's types: those follow the Bot API with a delay, and one entity or
//! content kind that they do not know yet would make the text of a command disappear.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use paperwire_core::channel::Place;
use paperwire_core::command::press::MOST;
use paperwire_core::command::{self, Answer, Command, CommandError, Manner, Permission, Question, Standing};
use paperwire_core::delivery::SendError;
use paperwire_core::locale::Lang;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use teloxide::requests::{JsonRequest, Payload, Requester};
use teloxide::{ApiError, Bot, RequestError};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info, warn};

use super::keyboard::is_of_part;
use super::sender::{BAD_TOKEN, Identity, Sender};
use super::standing::Member;
use super::{inline, markup};
use crate::desk::{Desk, Inline};

/// How many chats are answered at the same time, and how many people's presses and inline searches.
const CONCURRENCY: usize = 32;
/// How many questions of one chat or presses of one person may wait. What exceeds it is dropped: nobody reads the answers
/// to a flood.
const WAITING_PER_LINE: usize = 16;
/// In whose name administrators write who do not show themselves: GroupAnonymousBot (Bot API, `Message.from`).
const ANONYMOUS: i64 = 1_087_968_824;
/// The longest inline search in characters (Bot API, InlineQuery: "up to 256 characters").
const INLINE_CHARS: usize = 256;
/// After a conflict, so many undisturbed polls in a row mean that the other copy is gone.
const CALM_POLLS: u32 = 3;

/// The pauses of the loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How long Telegram holds a poll open while nothing happens; must be shorter than the HTTP client's timeout.
    pub long_poll: Duration,
    /// The pause after a first failed poll; doubles with each further one.
    pub first_pause: Duration,
    /// The longest such pause.
    pub longest_pause: Duration,
    /// The pause while another copy of the bot polls. Each poll of ours ends one of the other's.
    pub conflict_pause: Duration,
    /// How long a stop waits for answers that are being sent.
    pub grace: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            long_poll: Duration::from_secs(10),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(30),
            conflict_pause: Duration::from_secs(5),
            grace: Duration::from_secs(10),
        }
    }
}

/// Telegram does not know the token: asking again would change nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{BAD_TOKEN}")]
pub struct UnknownToken;

/// getUpdates with updates as plain JSON.
#[derive(Serialize)]
struct Poll {
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
    /// In seconds.
    timeout: u64,
    allowed_updates: [&'static str; 4],
}

impl Payload for Poll {
    type Output = Vec<Value>;
    const NAME: &'static str = "GetUpdates";
}

fn poll(bot: &Bot, offset: Option<i64>, timeout: Duration) -> JsonRequest<Poll> {
    JsonRequest::new(
        bot.clone(),
        Poll {
            offset,
            timeout: timeout.as_secs(),
            allowed_updates: ["message", "channel_post", "callback_query", "inline_query"],
        },
    )
}

/// What is read of a message (Bot API, Message).
#[derive(Debug, Deserialize)]
struct Incoming {
    message_id: i64,
    chat: Chat,
    from: Option<User>,
    /// Who writes in the name of a chat.
    sender_chat: Option<SenderChat>,
    text: Option<String>,
    message_thread_id: Option<i32>,
    #[serde(default)]
    is_topic_message: bool,
    reply_to_message: Option<Replied>,
    migrate_to_chat_id: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Chat {
    id: i64,
    #[serde(rename = "type", default)]
    kind: String,
}

impl Chat {
    fn is_private(&self) -> bool {
        self.kind == "private"
    }
}

#[derive(Debug, Deserialize)]
struct SenderChat {
    id: i64,
}

#[derive(Debug, Deserialize)]
struct User {
    id: Option<i64>,
    /// Stands also for people who write in the name of their group or channel.
    #[serde(default)]
    is_bot: bool,
    language_code: Option<String>,
}

impl User {
    fn lang(&self) -> Lang {
        let code = self.language_code.as_deref().unwrap_or_default();
        if code.to_ascii_lowercase().starts_with("zh") {
            Lang::Zh
        } else {
            Lang::En
        }
    }
}

/// What is read of a pressed button (Bot API, CallbackQuery). Whatever the rest looks like, its id can be answered.
#[derive(Debug, Deserialize)]
struct Pressed {
    id: String,
    from: Option<User>,
    #[serde(default)]
    message: Value,
    data: Option<String>,
}

/// What is read of an inline search (Bot API, InlineQuery).
#[derive(Debug, Deserialize)]
struct Typed {
    id: String,
    from: User,
    #[serde(default)]
    query: String,
    #[serde(default)]
    offset: String,
}

#[derive(Debug, Deserialize)]
struct Replied {
    message_id: i64,
}

/// What an update asks of us.
#[derive(Debug, PartialEq, Eq)]
enum Task {
    Answer {
        asked: Asked,
        message_id: i64,
    },
    /// A button was pressed below this message.
    Press {
        query: String,
        asked: Asked,
        person: Option<i64>,
        message_id: i64,
    },
    /// A button was pressed that means nothing here.
    Tell {
        query: String,
        text: &'static str,
    },
    /// The answer to a press is more than its person alone gets to see.
    Show {
        place: Place,
        message_id: i64,
        answer: Box<Answer>,
    },
    Search {
        query: String,
        inline: Inline,
    },
    Move {
        from: Place,
        to: Place,
    },
}

/// A question, and about whom Telegram has to be asked first.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    question: Question,
    unsure: Option<Member>,
}

impl Asked {
    /// Nobody's standing matters for what everybody may do.
    fn new(question: Question, standing: impl FnOnce() -> Result<Standing, Member>) -> Self {
        let command = question.command.as_ref();
        let matters = command.is_ok_and(|command| command.permission() == Permission::Managers);
        let (standing, unsure) = match matters.then(standing) {
            None => (Standing::Member, None),
            Some(Ok(standing)) => (standing, None),
            Some(Err(member)) => (Standing::Unknown, Some(member)),
        };
        Self {
            question: Question { standing, ..question },
            unsure,
        }
    }

    async fn question(mut self, sender: &Sender) -> Question {
        if let Some(member) = self.unsure {
            self.question.standing = sender.standing(member).await;
        }
        self.question
    }
}

/// What is done in order. Whatever is quick waits for no answer that is being sent: such an answer may have to wait for
/// its turn by Telegram's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Line {
    /// A chat's questions.
    Chat(i64),
    /// What one person presses.
    Person(Option<i64>),
    /// The messages that this makes.
    Shown(Option<i64>),
    /// One person's inline searches, of which only the latest matters: each letter is one.
    Typing(Option<i64>),
}

impl Line {
    fn is_quick(self) -> bool {
        match self {
            Self::Person(_) | Self::Typing(_) => true,
            Self::Chat(_) | Self::Shown(_) => false,
        }
    }
}

/// The topic that a message stands in. Replies in groups without topics have a thread id as well; only a topic is a place
/// of its own.
fn topic(message: &Incoming) -> Option<i32> {
    message.message_thread_id.filter(|_| message.is_topic_message)
}

/// The task in a pressed button: it always gets an answer, since the app shows a spinner until then. Messages that are
/// too old to be shown here (Bot API, InaccessibleMessage) still have their chat and id.
fn press(pressed: Pressed) -> (Line, Task) {
    let Pressed {
        id: query,
        from,
        message,
        data,
    } = pressed;
    let person = from.as_ref().and_then(|user| user.id);
    let lang = from.as_ref().map_or(Lang::En, User::lang);
    let line = Line::Person(person);
    let command = match data {
        Some(data) if is_of_part(&data) => Command::About,
        // Whoever speaks Telegram's protocol can send any data as pressed.
        Some(data) if data.len() <= MOST => Command::Press(data),
        Some(_) | None => {
            let text = lang.unused_button();
            return (line, Task::Tell { query, text });
        }
    };
    let Ok(message) = Incoming::deserialize(message) else {
        // Below a message that was posted by inline search, which Paperwire gives no buttons.
        let about = command == Command::About;
        let text = if about {
            lang.unknown_button()
        } else {
            lang.unused_button()
        };
        return (line, Task::Tell { query, text });
    };
    let (chat, topic) = (message.chat.id, topic(&message));
    let question = Question {
        command: Ok(command),
        place: Place::telegram(chat, topic),
        parent: topic.map(|_| Place::telegram(chat, None)),
        asker: person.map(|id| id.to_string()),
        reply_to: Some(message.message_id.to_string()),
        standing: Standing::Member,
        fallback_lang: lang,
    };
    let asked = Asked::new(question, || standing(&message.chat, person));
    let message_id = message.message_id;
    let task = Task::Press {
        query,
        asked,
        person,
        message_id,
    };
    (line, task)
}

/// What somebody is in a chat, or who Telegram has to be asked about.
fn standing(chat: &Chat, person: Option<i64>) -> Result<Standing, Member> {
    if chat.is_private() {
        return Ok(Standing::Manager);
    }
    person.map_or(Ok(Standing::Member), |person| Err(Member { chat: chat.id, person }))
}

/// The same for who has written a message: only administrators write in the name of the chat itself.
fn writers_standing(message: &Incoming) -> Result<Standing, Member> {
    let from = message.from.as_ref();
    let in_its_name = message.sender_chat.as_ref().is_some_and(|by| by.id == message.chat.id)
        && from.is_some_and(|user| user.id == Some(ANONYMOUS));
    if in_its_name || message.chat.kind == "channel" {
        return Ok(Standing::Manager);
    }
    standing(&message.chat, from.filter(|user| !user.is_bot).and_then(|user| user.id))
}

/// The task in a message; `None` for everything that is not meant for the bot.
fn task(message: &Incoming, bot_name: Option<&str>) -> Option<Task> {
    if let Some(to) = message.migrate_to_chat_id {
        return Some(Task::Move {
            from: Place::telegram(message.chat.id, None),
            to: Place::telegram(to, None),
        });
    }
    let text = message.text.as_deref()?;
    let command = command::parse(text, bot_name)?;
    let addressed = text.split_whitespace().next().is_some_and(|head| head.contains('@'));
    if !message.chat.is_private() && !addressed && matches!(command, Err(CommandError::Unknown { nearest: None, .. })) {
        // Other bots live in groups too, and `/ban` is theirs.
        return None;
    }
    let topic = topic(message);
    let reply_to = message
        .reply_to_message
        .as_ref()
        .map(|replied| replied.message_id)
        // In a topic every message formally replies to the one that opened it.
        .filter(|&id| topic.is_none_or(|topic| id != i64::from(topic)));
    let from = message.from.as_ref();
    let asker = from.filter(|user| !user.is_bot).and_then(|user| user.id);
    let question = Question {
        command,
        place: Place::telegram(message.chat.id, topic),
        parent: topic.map(|_| Place::telegram(message.chat.id, None)),
        asker: asker.map(|id| id.to_string()),
        reply_to: reply_to.map(|id| id.to_string()),
        standing: Standing::Member,
        fallback_lang: from.map_or(Lang::En, User::lang),
    };
    Some(Task::Answer {
        asked: Asked::new(question, || writers_standing(message)),
        message_id: message.message_id,
    })
}

/// The task in an inline search; `None` where nobody asks.
fn search(typed: Typed) -> Option<(Line, Task)> {
    let Typed {
        id,
        from,
        query,
        offset,
    } = typed;
    let lang = from.lang();
    let person = from.id?;
    let inline = Inline {
        asker: person.to_string(),
        words: query.chars().take(INLINE_CHARS).collect(),
        skip: inline::skip(&offset),
        lang,
    };
    Some((Line::Typing(Some(person)), Task::Search { query: id, inline }))
}

/// Answers people until `stop`: then no further update is taken in, the answers under way are finished, and Telegram is
/// told what has been dealt with, so that a restart answers nothing twice.
///
/// A crash is different: questions that were taken in but not answered by then stay unanswered. People ask again; an
/// answer that comes twice helps nobody.
///
/// # Errors
/// When Telegram does not know the token.
pub async fn run(
    settings: Settings,
    desk: Arc<dyn Desk>,
    sender: Arc<Sender>,
    stop: CancellationToken,
) -> Result<(), UnknownToken> {
    let bot = sender.bot();
    let me = match stop.run_until_cancelled(introduce(&settings, &sender, &bot)).await {
        Some(me) => me?,
        None => return Ok(()),
    };
    let lanes = Lanes::new(desk, sender.clone());
    let mut trouble = Trouble::default();
    let mut offset = None;
    loop {
        let polled = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            polled = async { poll(&bot, offset, settings.long_poll).await } => polled,
        };
        match polled {
            Ok(updates) => {
                trouble.calm(&sender);
                for update in updates {
                    if let Some(id) = update.get("update_id").and_then(Value::as_i64) {
                        offset = offset.max(Some(id + 1));
                    }
                    lanes.take(update, &me);
                }
                lanes.tidy();
            }
            Err(error) if is_unknown_token(&error) => {
                lanes.finish(settings.grace).await;
                return Err(UnknownToken);
            }
            Err(error) => {
                let pause = trouble.pause(&error, &settings, &sender);
                if is_webhook_conflict(&error) {
                    remove_webhook(&bot, &sender).await;
                }
                if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                    break;
                }
            }
        }
    }
    lanes.finish(settings.grace).await;
    if offset.is_some() {
        let confirmed = tokio::time::timeout(settings.grace, async { poll(&bot, offset, Duration::ZERO).await }).await;
        if !matches!(confirmed, Ok(Ok(_))) {
            warn!("Telegram could not be told which messages are dealt with; some may be answered again");
        }
    }
    Ok(())
}

/// Learns the bot's name, however long it takes, and prepares what polling and people need.
async fn introduce(settings: &Settings, sender: &Sender, bot: &Bot) -> Result<Identity, UnknownToken> {
    let mut trouble = Trouble::default();
    let me = loop {
        match sender.get_me().await {
            Ok(me) => break me,
            Err(error) if is_unknown_token(&error) => return Err(UnknownToken),
            Err(error) => tokio::time::sleep(trouble.pause(&error, settings, sender)).await,
        }
    };
    info!(name = me.username.as_deref().unwrap_or("without a name"), "on Telegram");
    remove_webhook(bot, sender).await;
    for error in sender.set_my_commands().await.err().into_iter().flatten() {
        warn!(
            "a menu of commands on Telegram could not be set: {}",
            describe(&error, sender)
        );
    }
    Ok(me)
}

/// While a webhook is set, Telegram refuses every poll. Messages that wait for it stay.
async fn remove_webhook(bot: &Bot, sender: &Sender) {
    if let Err(error) = bot.delete_webhook().await {
        warn!(
            "a webhook of this bot could not be removed: {}",
            describe(&error, sender)
        );
    }
}

/// What went wrong, without the token and without the body of an answer.
fn describe(error: &RequestError, sender: &Sender) -> String {
    match error {
        RequestError::Api(ApiError::InvalidToken) => BAD_TOKEN.to_owned(),
        RequestError::InvalidJson { source, .. } => format!("the answer is not the Bot API's: {source}"),
        RequestError::Network(source) => {
            let mut text = "no connection".to_owned();
            let mut cause = std::error::Error::source(source.as_ref());
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            sender.without_token(&text)
        }
        RequestError::Api(_) | RequestError::MigrateToChatId(_) | RequestError::RetryAfter(_) | RequestError::Io(_) => {
            sender.without_token(&error.to_string())
        }
    }
}

/// 401, or 404 in the Bot API's form: no other method is called here that it could mean.
fn is_unknown_token(error: &RequestError) -> bool {
    matches!(error, RequestError::Api(ApiError::InvalidToken))
}

fn is_conflict(error: &RequestError) -> bool {
    matches!(error, RequestError::Api(error) if error.to_string().contains("Conflict")) && !is_webhook_conflict(error)
}

fn is_webhook_conflict(error: &RequestError) -> bool {
    matches!(error, RequestError::Api(error) if error.to_string().contains("webhook"))
}

/// Failures in a row: how long to pause, and that the log says each trouble once and its end once.
#[derive(Default)]
struct Trouble {
    failures: u32,
    conflict: bool,
    calm_polls: u32,
}

impl Trouble {
    fn pause(&mut self, error: &RequestError, settings: &Settings, sender: &Sender) -> Duration {
        self.calm_polls = 0;
        let what = describe(error, sender);
        if is_conflict(error) {
            if self.conflict {
                debug!("still: {what}");
            } else {
                self.conflict = true;
                sender.set_rival(true);
                error!(
                    "another program polls Telegram with this bot's token; stop one of the two. No digest is posted on Telegram \
                     while it does. Telegram says: {what}"
                );
            }
            return settings.conflict_pause;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures == 1 {
            warn!("Telegram cannot be asked for messages, trying again: {what}");
        } else {
            debug!(failures = self.failures, "still: {what}");
        }
        if let RequestError::RetryAfter(wait) = error {
            return wait.duration();
        }
        let factor = 1_u32.checked_shl(self.failures - 1).unwrap_or(u32::MAX);
        settings.first_pause.saturating_mul(factor).min(settings.longest_pause)
    }

    fn calm(&mut self, sender: &Sender) {
        if self.failures > 0 {
            info!("Telegram can be asked again");
            self.failures = 0;
        }
        if self.conflict {
            self.calm_polls += 1;
            if self.calm_polls >= CALM_POLLS {
                info!("this is the only program that polls Telegram again; digests are posted again");
                self.conflict = false;
                sender.set_rival(false);
            }
        }
    }
}

/// One lane per [`Line`]: what is asked in a chat is answered in order, and no chat waits for another. Cheap to clone.
#[derive(Clone)]
struct Lanes(Arc<Inside>);

struct Inside {
    desk: Arc<dyn Desk>,
    sender: Arc<Sender>,
    lanes: Mutex<HashMap<Line, Lane>>,
    /// For answers that are sent, and for what is quick.
    permits: [Semaphore; 2],
    tasks: TaskTracker,
    abandon: CancellationToken,
}

struct Lane {
    /// The latest question's task; the next one begins when it has ended.
    last: JoinHandle<()>,
    /// Every task holds a clone: the number of clones is that of the questions that wait.
    tickets: Arc<()>,
}

impl Lanes {
    fn new(desk: Arc<dyn Desk>, sender: Arc<Sender>) -> Self {
        Self(Arc::new(Inside {
            desk,
            sender,
            lanes: Mutex::default(),
            permits: [CONCURRENCY; 2].map(Semaphore::new),
            tasks: TaskTracker::new(),
            abandon: CancellationToken::new(),
        }))
    }

    fn take(&self, update: Value, me: &Identity) {
        let id = update.get("update_id").and_then(Value::as_i64);
        let found = if let Some(pressed) = update.get("callback_query") {
            Pressed::deserialize(pressed).map(|pressed| Some(press(pressed)))
        } else if let Some(typed) = update.get("inline_query") {
            Typed::deserialize(typed).map(search)
        } else if let Some(message) = update.get("message").or_else(|| update.get("channel_post")) {
            Incoming::deserialize(message).map(|message| {
                let line = Line::Chat(message.chat.id);
                task(&message, me.username.as_deref()).map(|task| (line, task))
            })
        } else {
            debug!(id, "an update of a kind that was not asked for");
            return;
        };
        match found {
            Ok(Some((line, task))) if self.serves(&task) => self.enqueue(line, task),
            Ok(Some((line, _))) => debug!(?line, "a question from where nobody is served"),
            Ok(None) => {}
            Err(error) => warn!(id, "a message from Telegram could not be read and is left out: {error}"),
        }
    }

    /// Whether the operator wants this to be dealt with. Who searches from any chat is served as in their private one.
    fn serves(&self, task: &Task) -> bool {
        match task {
            Task::Answer { asked, .. } | Task::Press { asked, .. } => {
                let Question { command, place, .. } = &asked.question;
                command.as_ref().is_ok_and(Command::is_heard_anywhere) || self.0.desk.serves(place)
            }
            Task::Search { inline, .. } => {
                let person = inline.asker.parse();
                person.is_ok_and(|person| self.0.desk.serves(&Place::telegram(person, None)))
            }
            Task::Tell { .. } | Task::Show { .. } | Task::Move { .. } => true,
        }
    }

    fn enqueue(&self, line: Line, task: Task) {
        let mut lanes = self.lanes();
        let waiting = lanes.get(&line).map_or(0, |lane| Arc::strong_count(&lane.tickets) - 1);
        if waiting >= WAITING_PER_LINE && !matches!(task, Task::Move { .. } | Task::Search { .. }) {
            warn!(?line, "too many questions at once; one is left out");
            return;
        }
        let (previous, tickets) = match lanes.remove(&line) {
            Some(lane) => (Some(lane.last), lane.tickets),
            None => (None, Arc::new(())),
        };
        if let (Line::Typing(_), Some(previous)) = (line, &previous) {
            previous.abort();
        }
        let ticket = tickets.clone();
        let all = self.clone();
        let last = self.0.tasks.spawn(async move {
            let in_turn = async {
                if let Some(previous) = previous {
                    // How the one before ended is its own affair.
                    let _ = previous.await;
                }
                let [answers, quick] = &all.0.permits;
                // The semaphores are never closed.
                let _permit = if line.is_quick() { quick } else { answers }.acquire().await;
                all.perform(task).await;
            };
            let _ = all.0.abandon.run_until_cancelled(in_turn).await;
            drop(ticket);
        });
        lanes.insert(line, Lane { last, tickets });
    }

    async fn perform(&self, task: Task) {
        let Inside { desk, sender, .. } = &*self.0;
        match task {
            Task::Move { from, to } => {
                info!(%from, %to, "a group became a supergroup");
                desk.moved(from, to).await;
            }
            Task::Tell { query, text } => told(sender.alert(&query, text).await),
            Task::Press {
                query,
                asked,
                person,
                message_id,
            } => {
                let question = asked.question(sender).await;
                let place = question.place.clone();
                let about = question.command == Ok(Command::About);
                let answer = desk.answer(question).await;
                let text = markup::notice(&answer.message);
                if about {
                    return told(sender.alert(&query, &text).await);
                }
                match answer.manner {
                    Manner::Notice => told(sender.notice(&query, &text).await),
                    Manner::Silent => told(sender.hush(&query).await),
                    Manner::Buttons => {
                        told(sender.notice(&query, &text).await);
                        told(sender.show_buttons(&place, message_id, &answer.buttons).await);
                    }
                    Manner::Reply | Manner::Replace => {
                        told(sender.hush(&query).await);
                        let show = Task::Show {
                            place,
                            message_id,
                            answer: Box::new(answer),
                        };
                        self.enqueue(Line::Shown(person), show);
                    }
                }
            }
            Task::Show {
                place,
                message_id,
                answer,
            } => {
                let shown = match answer.manner {
                    Manner::Replace => sender.replace(&place, message_id, &answer).await,
                    Manner::Reply | Manner::Notice | Manner::Buttons | Manner::Silent => {
                        sender.answer(&place, message_id, &answer).await
                    }
                };
                if let Err(error) = shown {
                    warn!(%place, "a pressed button stays without a whole answer: {error}");
                }
            }
            Task::Answer { asked, message_id } => {
                let question = asked.question(sender).await;
                let place = question.place.clone();
                let answer = desk.answer(question).await;
                if answer.manner == Manner::Silent {
                    return;
                }
                if let Err(error) = sender.answer(&place, message_id, &answer).await {
                    warn!(%place, "a question stays without a whole answer: {error}");
                }
            }
            Task::Search { query, inline } => {
                let (found, next) = desk.inline(inline).await;
                if let Err(error) = sender.answer_inline(&query, &found, next).await {
                    debug!("an inline search stays without an answer: {error}");
                }
            }
        }
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<Line, Lane>> {
        // Whatever a panic left behind is still a list of lanes.
        self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets chats in which nothing is under way.
    fn tidy(&self) {
        self.lanes().retain(|_, lane| !lane.last.is_finished());
    }

    async fn finish(self, grace: Duration) {
        let tasks = &self.0.tasks;
        tasks.close();
        if tokio::time::timeout(grace, tasks.wait()).await.is_err() {
            warn!(answers = tasks.len(), "stopping with answers on Telegram unfinished");
            self.0.abandon.cancel();
            tasks.wait().await;
        }
    }
}

/// Telegram forgets what was pressed after a while, and then there is nobody to tell.
fn told(told: Result<(), SendError>) {
    if let Err(error) = told {
        debug!("a pressed button stays without an answer: {error}");
    }
}

#[cfg(test)]
mod tests {
    use paperwire_core::command::{Command, PaperQuery};
    use serde_json::json;

    use super::*;

    fn read(message: Value) -> Option<Task> {
        task(&Incoming::deserialize(message).unwrap(), Some("paperwire_bot"))
    }

    fn question(message: Value) -> Question {
        match read(message) {
            Some(Task::Answer { asked, .. }) => asked.question,
            other => panic!("a question and not {other:?}"),
        }
    }

    fn group(text: &str) -> Value {
        json!({"message_id": 50, "date": 0, "chat": {"id": -100, "type": "supergroup"}, "text": text})
    }

    fn with(mut message: Value, fields: Value) -> Value {
        let fields = fields.as_object().unwrap().clone();
        message.as_object_mut().unwrap().extend(fields);
        message
    }

    #[test]
    fn who_asks_is_known_by_the_id_of_the_person_and_not_where_a_channel_speaks() {
        let asker = question(with(group("/help"), json!({"from": {"id": 1001, "first_name": "Ada"}}))).asker;
        assert_eq!(asker.as_deref(), Some("1001"));
        assert_eq!(question(group("/help")).asker, None);
    }

    fn pressed(fields: Value) -> Task {
        let from = json!({"id": "9", "from": {"id": 1001, "language_code": "zh-hans"}});
        let (line, task) = press(Pressed::deserialize(with(from, fields)).unwrap());
        assert_eq!(line, Line::Person(Some(1001)));
        task
    }

    fn above(kind: &str) -> Value {
        json!({"message_id": 31, "date": 0, "chat": {"id": -100, "type": kind}})
    }

    #[test]
    fn a_pressed_button_asks_what_it_carries_where_it_stands_and_a_parts_own_what_the_part_is() {
        let in_topic = with(
            above("supergroup"),
            json!({"message_thread_id": 7, "is_topic_message": true}),
        );
        for (data, command) in [("p:key", Command::About), ("u:4", Command::Press("u:4".to_owned()))] {
            let Task::Press { query, asked, .. } = pressed(json!({"data": data, "message": in_topic})) else {
                panic!("a press of {data}")
            };
            let question = asked.question;
            assert_eq!((query.as_str(), question.fallback_lang), ("9", Lang::Zh));
            assert_eq!(question.command, Ok(command));
            assert_eq!(question.place, Place::telegram(-100, Some(7)));
            assert_eq!(question.parent, Some(Place::telegram(-100, None)));
            assert_eq!(question.reply_to.as_deref(), Some("31"));
            assert_eq!(question.asker.as_deref(), Some("1001"));
            assert_eq!((question.standing, asked.unsure), (Standing::Member, None));
        }
    }

    #[test]
    fn a_button_that_means_nothing_or_stands_nowhere_is_answered_without_asking() {
        let told = |fields: Value| {
            let Task::Tell { text, .. } = pressed(fields) else {
                panic!("a question")
            };
            text
        };
        let lang = Lang::Zh;
        let message = above("supergroup");
        assert_eq!(told(json!({"message": message})), lang.unused_button());
        let long = "u".repeat(65);
        assert_eq!(told(json!({"data": long, "message": message})), lang.unused_button());
        assert_eq!(
            told(json!({"data": "u:4", "inline_message_id": "AA"})),
            lang.unused_button()
        );
        assert_eq!(told(json!({"data": "p:key"})), lang.unknown_button());
        let no_message = json!({"data": "p:key", "message": {"no": "message"}});
        assert_eq!(told(no_message), lang.unknown_button());
    }

    #[test]
    fn who_manages_a_chat_is_asked_only_where_a_setting_would_change_and_nobody_can_know() {
        let unsure = Some(Member {
            chat: -100,
            person: 1001,
        });
        let asks = |message: Value| match read(message) {
            Some(Task::Answer { asked, .. }) => (asked.question.standing, asked.unsure),
            other => panic!("a question and not {other:?}"),
        };
        let ada = json!({"from": {"id": 1001}});
        assert_eq!(asks(with(group("/pause"), ada.clone())), (Standing::Unknown, unsure));
        assert_eq!(asks(with(group("/help"), ada.clone())), (Standing::Member, None));
        assert_eq!(asks(with(group("/schedule"), ada.clone())), (Standing::Member, None));
        let private = json!({"chat": {"id": 1001, "type": "private"}});
        assert_eq!(
            asks(with(with(group("/pause"), ada), private)),
            (Standing::Manager, None)
        );
        let post = json!({"chat": {"id": -100, "type": "channel"}});
        assert_eq!(asks(with(group("/pause"), post)), (Standing::Manager, None));
        let anonymous = |chat: i64, id: i64| {
            let by = json!({"from": {"id": id, "is_bot": true}, "sender_chat": {"id": chat}});
            asks(with(group("/pause"), by))
        };
        assert_eq!(anonymous(-100, ANONYMOUS), (Standing::Manager, None));
        // Somebody in the name of their own channel.
        assert_eq!(anonymous(-200, 136_817_688), (Standing::Member, None));
        assert_eq!(anonymous(-200, ANONYMOUS), (Standing::Member, None));

        let presses = |kind: &str, data: &str| {
            let Task::Press { asked, .. } = pressed(json!({"data": data, "message": above(kind)})) else {
                panic!("no press of {data}")
            };
            (asked.question.standing, asked.unsure)
        };
        // Everybody who reads a channel can press what stands in it.
        for kind in ["supergroup", "group", "channel", ""] {
            assert_eq!(presses(kind, "fx:1:2"), (Standing::Unknown, unsure), "{kind}");
        }
        assert_eq!(presses("private", "fx:1:2"), (Standing::Manager, None));
        assert_eq!(presses("supergroup", "u:4"), (Standing::Member, None));
    }

    #[test]
    fn an_inline_search_goes_on_where_the_last_answer_ended_and_is_never_longer_than_telegram_allows() {
        let typed = |fields: Value| {
            let from = json!({"id": "5", "from": {"id": 1001, "language_code": "zh"}});
            search(Typed::deserialize(with(from, fields)).unwrap())
        };
        let (line, task) = typed(json!({"query": "缓存 cache", "offset": "20", "chat_type": "sender"})).unwrap();
        let inline = Inline {
            asker: "1001".to_owned(),
            words: "缓存 cache".to_owned(),
            skip: 20,
            lang: Lang::Zh,
        };
        let query = "5".to_owned();
        assert_eq!((line, task), (Line::Typing(Some(1001)), Task::Search { query, inline }));
        match typed(json!({"query": "词".repeat(300)})) {
            Some((_, Task::Search { inline, .. })) => assert_eq!(inline.words, "词".repeat(256)),
            other => panic!("{other:?}"),
        }
        let nobody = Typed::deserialize(json!({"id": "5", "from": {}})).unwrap();
        assert_eq!(search(nobody), None);
    }

    #[test]
    fn a_reply_to_a_digest_says_which_one_it_replies_to() {
        let question = question(with(group("/paper 4"), json!({"reply_to_message": {"message_id": 31}})));
        assert_eq!(question.command, Ok(Command::Paper(PaperQuery::Number(4))));
        assert_eq!(question.reply_to.as_deref(), Some("31"));
    }

    #[test]
    fn in_a_topic_only_a_reply_to_something_else_than_its_beginning_counts() {
        let topic = |replied: i64| {
            let fields = json!({
                "message_thread_id": 7, "is_topic_message": true, "reply_to_message": {"message_id": replied},
            });
            question(with(group("/paper 4"), fields))
        };
        assert_eq!(topic(7).place, Place::telegram(-100, Some(7)));
        assert_eq!(topic(7).reply_to, None);
        assert_eq!(topic(31).reply_to.as_deref(), Some("31"));
    }

    #[test]
    fn a_thread_of_replies_in_a_group_without_topics_is_no_place_of_its_own() {
        let fields = json!({"message_thread_id": 7, "reply_to_message": {"message_id": 7}});
        let question = question(with(group("/help"), fields));
        assert_eq!(question.place, Place::telegram(-100, None));
        assert_eq!(question.reply_to.as_deref(), Some("7"));
    }

    #[test]
    fn a_person_whose_app_is_in_chinese_is_answered_in_chinese() {
        let lang = |code: Value| {
            question(with(group("/help"), json!({"from": {"id": 1, "language_code": code}}))).fallback_lang
        };
        assert_eq!(lang(json!("zh-hans")), Lang::Zh);
        assert_eq!(lang(json!("de")), Lang::En);
        assert_eq!(lang(Value::Null), Lang::En);
    }

    #[test]
    fn whoever_asks_is_known_unless_they_hide_behind_their_group() {
        let asker = |from: Value| question(with(group("/start"), json!({ "from": from }))).asker;
        assert_eq!(asker(json!({"id": 1001, "is_bot": false})).as_deref(), Some("1001"));
        // GroupAnonymousBot, in whose name anonymous administrators write (Bot API, `Message.from`).
        assert_eq!(asker(json!({"id": 1_087_968_824, "is_bot": true})), None);
        assert_eq!(question(group("/start")).asker, None);
    }

    #[test]
    fn another_bots_command_in_a_group_is_none_of_ours_but_a_misspelt_one_of_ours_is() {
        assert_eq!(read(group("/ban")), None);
        assert_eq!(read(group("/paper@other_bot 4")), None);
        assert!(question(group("/ban@paperwire_bot")).command.is_err());
        assert!(question(group("/papr 4")).command.is_err());
        let private = json!({"chat": {"id": 5, "type": "private"}});
        assert!(question(with(group("/ban"), private)).command.is_err());
    }

    #[test]
    fn chatter_captions_and_pictures_ask_nothing() {
        assert_eq!(read(group("see https://arxiv.org/abs/2510.09212")), None);
        let mut picture = with(group(""), json!({"caption": "/paper 4", "photo": []}));
        picture.as_object_mut().unwrap().remove("text");
        assert_eq!(read(picture), None);
    }

    #[test]
    fn an_entity_of_a_kind_that_is_yet_to_be_invented_hides_no_command() {
        let entities = json!({"entities": [{"type": "hologram", "offset": 0, "length": 5}], "rich": {"blocks": []}});
        assert_eq!(question(with(group("/help"), entities)).command, Ok(Command::Help));
    }

    #[test]
    fn a_group_that_became_a_supergroup_has_moved() {
        let moved = json!({"message_id": 1, "chat": {"id": -5, "type": "group"}, "migrate_to_chat_id": -1005});
        let expected = Task::Move {
            from: Place::telegram(-5, None),
            to: Place::telegram(-1005, None),
        };
        assert_eq!(read(moved), Some(expected));
    }

    #[test]
    fn trouble_is_waited_out_ever_longer_up_to_a_limit_and_a_flood_as_long_as_it_says() {
        let http = reqwest::Client::new();
        let sender = Sender::new(http, "http://127.0.0.1:1".parse().unwrap(), "t".into()).unwrap();
        let settings = Settings::default();
        let mut trouble = Trouble::default();
        let mut pause = |error: &RequestError| trouble.pause(error, &settings, &sender).as_secs();
        let down = RequestError::Api(ApiError::Unknown("Internal Server Error".into()));
        let pauses: Vec<u64> = (0..40).map(|_| pause(&down)).collect();
        assert_eq!(pauses[..7], [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(pauses[39], 30);
        assert_eq!(
            pause(&RequestError::RetryAfter(teloxide::types::Seconds::from_seconds(77))),
            77
        );
    }
}
