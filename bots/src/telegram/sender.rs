//! Sends to Telegram. The request is our own and not teloxide's, since a delivery depends on what exactly became of it:
//! teloxide's errors do not tell a request that never left from one whose answer was lost, and the Bot API has no key
//! that would make sending again harmless.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use paperwire_core::channel::{Place, Platform};
use paperwire_core::command::press::Button;
use paperwire_core::command::{Answer, Attachment, Permission, Standing, TABLE};
use paperwire_core::delivery::{LimitScope, Looked, Missing, SendError, Tag};
use paperwire_core::limiter::Signal;
use paperwire_core::locale::Lang;
use paperwire_core::message::{Message, Part, ellipsis};
use reqwest::multipart::{Form, Part as FormPart};
use reqwest::{RequestBuilder, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use teloxide::payloads::SetMyCommandsSetters;
use teloxide::requests::Requester;
use teloxide::types::{BotCommand, BotCommandScope};
use teloxide::{Bot, RequestError};

use super::keyboard::of_part;
use super::standing::{self, Member, Standings};
use super::{inline, keyboard, markup, rich};
use crate::desk::Found;
use crate::gate::Gate;
use crate::messenger::{Answered, Messenger, Whom};

/// The wait when Telegram asks to wait and does not say for how long.
const DEFAULT_WAIT: Duration = Duration::from_secs(30);
/// An answer that would come later than this is not waited for: nobody reads it any more.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often one part of an answer is tried.
const ANSWER_TRIES: u32 = 3;
/// The longest reason that is kept, in characters.
const REASON_CHARS: usize = 300;

/// After so many ids in a row with nothing there, the chat's latest message is taken to be passed. Messages that are
/// deleted leave holes, seldom this wide.
const NOTHING_IN_A_ROW: u32 = 10;
/// So many ids are looked at for one part: each costs a request, and sending the part again costs only one.
const MOST_PROBES: u32 = 40;
/// Supergroups and channels, the chats that count their messages for themselves, have ids below this
/// (core.telegram.org/api/bots/ids).
const OWN_COUNTER_BELOW: i64 = -1_000_000_000_000;
/// How many of the bot's own messages are remembered that are no parts of deliveries: far more than it sends while one
/// part is in doubt.
const REMEMBERED: usize = 4_096;
/// The longest text in answer to a press (Bot API, answerCallbackQuery).
const ALERT_CHARS: usize = 200;
/// Who wants to change a setting waits so long at most until Telegram says what they are in the chat.
const STANDING_PATIENCE: Duration = Duration::from_secs(5);

/// An address that no request can be sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is no address of a Bot API: write https://api.telegram.org, or the http(s) address of your own server")]
pub struct BadApiUrl(String);

/// The bot on Telegram; cheap to clone. Neither its errors nor its `Debug` show the token.
#[derive(Clone)]
pub struct Sender {
    http: reqwest::Client,
    api_url: Url,
    token: SecretString,
    /// Whether another program polls with this token, see [`Sender::set_rival`].
    rival: Arc<AtomicBool>,
    paid: bool,
    gate: Option<Gate>,
    own: Arc<Mutex<OwnMessages>>,
    standings: Arc<Standings>,
    /// Whether the server has said that it does not know sendRichMessage.
    never_rich: Arc<AtomicBool>,
}

/// Messages of the bot that are no parts of deliveries, as (chat, id), the latest last: never to be probed.
#[derive(Debug, Default)]
struct OwnMessages(VecDeque<(i64, i64)>);

impl OwnMessages {
    fn remember(&mut self, chat: i64, id: i64) {
        if self.0.len() >= REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((chat, id));
    }
}

/// What stands under one message id, as far as trying to edit it tells.
enum Probed {
    /// The part that is looked for.
    Part,
    /// Another message, somebody else's or the bot's own.
    Other,
    /// Nothing, or nothing that the bot may see.
    Nothing,
    /// An answer that nobody foresaw.
    Unclear(String),
}

/// One message of an answer: a request's body that lacks chat, thread and what it replies to.
struct Outgoing<'a> {
    body: Map<String, Value>,
    file: Option<&'a Attachment>,
}

impl<'a> Outgoing<'a> {
    fn text(part: &Part) -> Result<Self, SendError> {
        let body = payload(part)?;
        Ok(Self { body, file: None })
    }

    /// A file with a text that stood in a message of its own, if it is short enough.
    fn captioned(self, file: &'a Attachment) -> Result<Self, Self> {
        let text = self.body.get("text").and_then(Value::as_str).unwrap_or_default();
        if markup::units(text) > markup::CAPTION_UNITS {
            return Err(self);
        }
        let named = |(field, value): (String, Value)| match field.as_str() {
            "text" => Some(("caption".to_owned(), value)),
            "entities" => Some(("caption_entities".to_owned(), value)),
            "link_preview_options" => None,
            _ => Some((field, value)),
        };
        Ok(Self {
            body: self.body.into_iter().filter_map(named).collect(),
            file: Some(file),
        })
    }

    /// All messages of an answer, at least one. The buttons stand below the last text.
    fn of(answer: &'a Answer) -> Result<Vec<Self>, SendError> {
        let mut texts = Vec::new();
        if !answer.message.blocks.is_empty() || answer.file.is_none() {
            texts = markup::render(&answer.message)
                .iter()
                .map(Self::text)
                .collect::<Result<_, _>>()?;
        }
        let mut file = answer.file.as_ref().map(|file| Self {
            body: Map::new(),
            file: Some(file),
        });
        let last = texts.last_mut().or(file.as_mut());
        if let (Some(last), Some(keyboard)) = (last, keyboard::of_answer(&answer.buttons)) {
            last.body.insert("reply_markup".to_owned(), keyboard);
        }
        if let (1, Some(attachment)) = (texts.len(), &answer.file)
            && let Some(text) = texts.pop()
        {
            match text.captioned(attachment) {
                Ok(both) => return Ok(vec![both]),
                Err(text) => texts.push(text),
            }
        }
        texts.extend(file);
        Ok(texts)
    }
}

/// What becomes of one message of an answer.
#[derive(Clone, Copy)]
enum Way {
    /// A new message, in reply to another one.
    New { reply_to: Option<i64> },
    /// It takes the place of this one.
    Instead { of: i64 },
}

/// How a part is told from other messages.
struct Sought {
    keyboard: Value,
    part: Value,
}

impl Sought {
    /// Whether this message, as Telegram shows it after an edit, has the part's text; Telegram takes white space off both
    /// ends.
    fn is_in(&self, message: &Value) -> bool {
        let [shown, sought] = [message, &self.part].map(|body| body.get("text").and_then(Value::as_str));
        let same = shown.is_some() && shown.map(str::trim) == sought.map(str::trim);
        same || rich::is_in(&self.part, message)
    }
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender")
            .field("api_url", &self.api_url.as_str())
            .finish_non_exhaustive()
    }
}

/// Who the bot is on Telegram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its user name without `@`: what stands behind a command that is meant for it, `/paper@NAME`.
    pub username: Option<String>,
}

/// Bot API, "Making requests".
#[derive(Deserialize)]
struct Reply {
    ok: bool,
    result: Option<Value>,
    description: Option<String>,
    parameters: Option<Parameters>,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct Parameters {
    migrate_to_chat_id: Option<i64>,
    retry_after: Option<u64>,
}

impl Sender {
    /// A sender over the common client. `api_url` is `https://api.telegram.org` or a server of one's own.
    ///
    /// # Errors
    /// When nothing can be requested from `api_url`.
    pub fn new(http: reqwest::Client, mut api_url: Url, token: SecretString) -> Result<Self, BadApiUrl> {
        let web = matches!(api_url.scheme(), "http" | "https") && api_url.has_host();
        if !web {
            return Err(BadApiUrl(api_url.into()));
        }
        if let Ok(mut path) = api_url.path_segments_mut() {
            path.pop_if_empty();
        }
        Ok(Self {
            http,
            api_url,
            token,
            rival: Arc::default(),
            paid: false,
            gate: None,
            own: Arc::default(),
            standings: Arc::default(),
            never_rich: Arc::default(),
        })
    }

    /// Whether deliveries may go faster than Telegram's free limit, for Stars out of the bot's balance (Bot API,
    /// `allow_paid_broadcast`). Answers to people never cost anything.
    #[must_use]
    pub fn paid_broadcast(mut self, paid: bool) -> Self {
        self.paid = paid;
        self
    }

    /// Answers and probes take their permits from `gate`, as the digests do.
    #[must_use]
    pub fn behind(mut self, gate: Gate) -> Self {
        self.gate = Some(gate);
        self
    }

    /// Another program polls Telegram with this bot's token, or no longer does. While it does no digest is posted: two
    /// copies of Paperwire would post each of them twice.
    pub fn set_rival(&self, present: bool) {
        self.rival.store(present, Ordering::Relaxed);
    }

    /// teloxide's client for everything that no delivery depends on. It knows the token, and its `Debug` shows it.
    pub(super) fn bot(&self) -> Bot {
        Bot::with_client(self.token.expose_secret(), self.http.clone()).set_api_url(self.api_url.clone())
    }

    /// Asks Telegram who the bot is.
    ///
    /// # Errors
    /// No connection, or a token that Telegram does not know.
    pub async fn get_me(&self) -> Result<Identity, RequestError> {
        let me = self.bot().get_me().await?;
        Ok(Identity {
            username: me.user.username,
        })
    }

    /// Fills the menus that open with `/`, in English and, where the app is in Chinese, in Chinese: all commands in private
    /// chats and for administrators, in groups those that everybody may use.
    ///
    /// # Errors
    /// What kept a menu from being set, of each such menu; the others are set.
    pub async fn set_my_commands(&self) -> Result<(), Vec<RequestError>> {
        let bot = self.bot();
        let menus = [
            (BotCommandScope::Default, false),
            (BotCommandScope::AllGroupChats, false),
            (BotCommandScope::AllPrivateChats, true),
            (BotCommandScope::AllChatAdministrators, true),
        ];
        let set = menus
            .into_iter()
            .flat_map(|menu| Lang::ALL.map(|lang| (menu.clone(), lang)));
        let set = set.map(|((scope, all), lang)| {
            let commands = TABLE
                .iter()
                .filter(|spec| all || spec.permission == Permission::Everyone)
                .map(|spec| BotCommand::new(spec.name, lang.pick(spec.zh, spec.en)));
            let set = bot.set_my_commands(commands).scope(scope);
            async move {
                match lang {
                    Lang::En => set.await,
                    Lang::Zh => set.language_code(lang.code()).await,
                }
            }
        });
        let failed: Vec<RequestError> = join_all(set).await.into_iter().filter_map(Result::err).collect();
        if failed.is_empty() { Ok(()) } else { Err(failed) }
    }

    /// Answers message `question` at `place`, in the same thread, all parts in order and the file last. Waits where Telegram
    /// asks to, but not longer than a person would; sends nothing again that may have arrived. Returns the ids of the
    /// messages.
    ///
    /// # Errors
    /// What became of the first part that could not be sent; the ones before it have arrived.
    pub async fn answer(&self, place: &Place, question: i64, answer: &Answer) -> Result<Vec<String>, SendError> {
        let mut place = place.clone();
        let mut reply_to = Some(question);
        let mut ids = Vec::new();
        for outgoing in Outgoing::of(answer)? {
            let way = Way::New {
                reply_to: reply_to.take(),
            };
            ids.push(self.patiently(&mut place, &outgoing, way).await?);
        }
        Ok(ids)
    }

    /// Puts an answer in the place of the bot's message `of`; what does not fit into one message follows it. Where that
    /// message cannot be changed any more, or there is a file, the answer is a message of its own. Returns the ids of the
    /// messages.
    ///
    /// # Errors
    /// As [`Sender::answer`].
    pub async fn replace(&self, place: &Place, of: i64, answer: &Answer) -> Result<Vec<String>, SendError> {
        if answer.file.is_some() {
            return self.answer(place, of, answer).await;
        }
        let mut place = place.clone();
        let mut way = Way::Instead { of };
        let mut ids = Vec::new();
        for outgoing in Outgoing::of(answer)? {
            let id = match self.patiently(&mut place, &outgoing, way).await {
                Err(SendError::Rejected { .. }) if matches!(way, Way::Instead { .. }) => {
                    let own = Way::New { reply_to: Some(of) };
                    self.patiently(&mut place, &outgoing, own).await?
                }
                shown => shown?,
            };
            ids.push(id);
            way = Way::New { reply_to: None };
        }
        Ok(ids)
    }

    async fn patiently(&self, place: &mut Place, outgoing: &Outgoing<'_>, way: Way) -> Result<String, SendError> {
        let mut tries = 1;
        loop {
            let error = match self.attempt(place, outgoing, way).await {
                Ok(id) => return Ok(id),
                Err(error) if tries == ANSWER_TRIES => return Err(error),
                Err(error) => error,
            };
            match &error {
                SendError::RateLimited { retry_after, .. } if *retry_after <= PATIENCE => {
                    tokio::time::sleep(*retry_after).await;
                }
                SendError::Unreachable { .. } => tokio::time::sleep(Duration::from_secs(1)).await,
                SendError::Moved { to } => *place = to.clone(),
                SendError::RateLimited { .. }
                | SendError::Gone { .. }
                | SendError::Rejected { .. }
                | SendError::Unauthorized { .. }
                | SendError::Uncertain { .. } => return Err(error),
            }
            tries += 1;
        }
    }

    async fn attempt(&self, place: &Place, outgoing: &Outgoing<'_>, way: Way) -> Result<String, SendError> {
        let done = match way {
            Way::New { reply_to } => self.send_answer(place, outgoing, reply_to).await,
            Way::Instead { of } => self.edit_answer(place, outgoing, of).await,
        };
        if let Some(gate) = &self.gate {
            gate.heard(place, &done, &Signal::default());
        }
        done
    }

    async fn send_answer(
        &self,
        place: &Place,
        outgoing: &Outgoing<'_>,
        reply_to: Option<i64>,
    ) -> Result<String, SendError> {
        let chat = chat_of(place)?;
        let mut body = addressed(outgoing.body.clone(), place, chat);
        if let Some(message) = reply_to {
            // Somebody may have deleted the question in the meantime.
            let reply = json!({"message_id": message, "allow_sending_without_reply": true});
            body.insert("reply_parameters".into(), reply);
        }
        if let Some(gate) = &self.gate {
            gate.person(place).await;
        }
        let id = match outgoing.file {
            None => self.send_message(body).await?,
            Some(file) => message_id(&self.upload("sendDocument", body, "document", file).await?)?,
        };
        self.own().remember(chat, id);
        Ok(id.to_string())
    }

    async fn edit_answer(&self, place: &Place, outgoing: &Outgoing<'_>, of: i64) -> Result<String, SendError> {
        let mut body = editable(outgoing.body.clone());
        body.insert("chat_id".into(), chat_of(place)?.into());
        body.insert("message_id".into(), of.into());
        if let Some(gate) = &self.gate {
            gate.request().await;
        }
        self.edit(body).await?;
        Ok(of.to_string())
    }

    async fn send_part(&self, place: &Place, part: &Part, tag: &Tag) -> Result<String, SendError> {
        let mut body = addressed(payload(part)?, place, chat_of(place)?);
        body.insert("reply_markup".into(), of_part(part, tag));
        if self.paid {
            body.insert("allow_paid_broadcast".into(), true.into());
        }
        if let Some(long) = self.take_rich(&mut body) {
            match self.call("sendRichMessage", long).await {
                Err(SendError::Rejected { reason }) => self.not_rich(&reason),
                sent => return message_id(&sent?).map(|id| id.to_string()),
            }
        }
        Ok(self.send_message(body).await?.to_string())
    }

    async fn send_message(&self, body: Map<String, Value>) -> Result<i64, SendError> {
        message_id(&self.call("sendMessage", body).await?)
    }

    async fn edit_message(&self, place: &Place, message: &str, part: &Part, tag: &Tag) -> Result<String, SendError> {
        let id: i64 = message
            .parse()
            .map_err(|_| rejected(format!("“{message}” is no message on Telegram")))?;
        let mut body = editable(payload(part)?);
        body.insert("chat_id".into(), chat_of(place)?.into());
        body.insert("message_id".into(), id.into());
        body.insert("reply_markup".into(), of_part(part, tag));
        if let Some(long) = self.take_rich(&mut body) {
            match self.edit(long).await {
                Err(SendError::Rejected { reason }) => self.not_rich(&reason),
                edited => return edited.map(|()| message.to_owned()),
            }
        }
        self.edit(body).await.map(|()| message.to_owned())
    }

    /// Leaves the entities form in `body`, and gives the long one if there is one and the server knows such.
    fn take_rich(&self, body: &mut Map<String, Value>) -> Option<Map<String, Value>> {
        let rich = body.remove(rich::FIELD)?;
        let mut long = body.clone();
        long.retain(|field, _| !matches!(field.as_str(), "text" | "entities" | "link_preview_options"));
        long.insert(rich::FIELD.to_owned(), rich);
        (!self.never_rich.load(Ordering::Relaxed)).then_some(long)
    }

    /// A long message was refused: nothing of it is there, and the entities form goes instead.
    fn not_rich(&self, reason: &str) {
        if !says(reason, &UNKNOWN_METHOD) {
            tracing::warn!("Telegram refused a long message, which goes in the ordinary form: {reason}");
        } else if !self.never_rich.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "this Bot API server does not know sendRichMessage (Bot API 10.1): channels of the style \"rich\" get as \
                 much as one ordinary message holds. Update the server, or choose another style"
            );
        }
    }

    /// Doing it twice does no harm, and a message that is so already is as good.
    async fn edit(&self, body: Map<String, Value>) -> Result<(), SendError> {
        match self.call("editMessageText", body).await {
            Err(SendError::Rejected { reason }) if says(&reason, &UNCHANGED) => Ok(()),
            Err(error) => Err(harmless(error)),
            Ok(_) => Ok(()),
        }
    }

    /// Shows the person who pressed a button `text` in a window, cut to what it may hold. The app shows a spinner until
    /// then.
    ///
    /// # Errors
    /// No connection, or Telegram's refusal: it forgets what was pressed after a while.
    pub async fn alert(&self, query: &str, text: &str) -> Result<(), SendError> {
        self.answer_press(query, text, true).await
    }

    /// Shows the person who pressed a button `text` for a moment. What is too long for that stands in a window, and what is
    /// too long for a window is cut.
    ///
    /// # Errors
    /// As [`Sender::alert`].
    pub async fn notice(&self, query: &str, text: &str) -> Result<(), SendError> {
        let long = text.chars().count() > ALERT_CHARS;
        self.answer_press(query, text, long).await
    }

    /// Puts these buttons in the place of those below a message of the bot's own, which stays otherwise.
    ///
    /// # Errors
    /// [`SendError::Rejected`] where nothing changes, or the message is gone.
    pub async fn show_buttons(&self, place: &Place, message: i64, buttons: &[Vec<Button>]) -> Result<(), SendError> {
        let chat = chat_of(place)?;
        let keyboard = keyboard::of_answer(buttons);
        self.edit_keyboard(chat, message, keyboard.as_ref()).await.map(drop)
    }

    /// Ends the spinner on a button that was pressed, and shows nothing.
    ///
    /// # Errors
    /// As [`Sender::alert`].
    pub async fn hush(&self, query: &str) -> Result<(), SendError> {
        self.answer_press(query, "", false).await
    }

    async fn answer_press(&self, query: &str, text: &str, in_window: bool) -> Result<(), SendError> {
        let mut body = Map::new();
        body.insert("callback_query_id".into(), query.into());
        if !text.is_empty() {
            body.insert("text".into(), ellipsis(text, ALERT_CHARS).into());
        }
        if in_window {
            body.insert("show_alert".into(), true.into());
        }
        self.call("answerCallbackQuery", body).await.map(drop)
    }

    /// Shows what an inline search found, and how many results to skip for the next ones.
    ///
    /// # Errors
    /// No connection, or Telegram's refusal: nobody waits for the answer to what they typed before.
    pub async fn answer_inline(&self, query: &str, found: &[Found], next: Option<u32>) -> Result<(), SendError> {
        let body = inline::answer(query, found, next);
        self.call("answerInlineQuery", body).await.map(drop)
    }

    /// What a person is in a chat, as Telegram says now or said lately.
    pub(super) async fn standing(&self, member: Member) -> Standing {
        if let Some(known) = self.standings.get(member) {
            return known;
        }
        let asked = tokio::time::timeout(STANDING_PATIENCE, self.chat_member(member.chat, member.person.into()));
        let standing = match asked.await {
            Ok(Ok(said)) => standing::read(&said),
            Ok(Err(error)) => {
                tracing::warn!(chat = member.chat, "Telegram does not say who manages it: {error}");
                Standing::Unknown
            }
            Err(_) => Standing::Unknown,
        };
        self.standings.learn(member, standing);
        standing
    }

    async fn chat_member(&self, chat: i64, person: Value) -> Result<Value, SendError> {
        let mut body = Map::new();
        body.insert("chat_id".into(), chat.into());
        body.insert("user_id".into(), person);
        self.call("getChatMember", body).await
    }

    /// Looks for a part by trying to give each message after the last known one the keyboard that the part has: Telegram
    /// refuses that for the part itself, since nothing would change. Where it does not refuse, it shows the message: what
    /// is not the part loses the keyboard again.
    async fn find(&self, place: &Place, part: &Part, missing: &Missing) -> Result<Looked, SendError> {
        let undecidable = |reason: &str| Ok(Looked::Undecidable(reason.to_owned()));
        let chat = chat_of(place)?;
        if chat >= OWN_COUNTER_BELOW {
            return undecidable("private chats and basic groups number their messages together");
        }
        let known: HashSet<i64> = missing.known.iter().filter_map(|id| id.parse().ok()).collect();
        // Another topic of the same chat may have got messages since.
        let last = missing.after.as_ref().and_then(|id| id.parse().ok());
        let Some(last) = last.or_else(|| known.iter().copied().max()) else {
            return undecidable("no earlier message of the bot is known there");
        };
        let sought = Sought {
            keyboard: of_part(part, &missing.tag),
            part: serde_json::from_str(&part.payload).unwrap_or_default(),
        };
        let (mut id, mut probes, mut nothing, mut blind) = (last, 0, 0, false);
        while probes < MOST_PROBES {
            id = id.saturating_add(1);
            if known.contains(&id) || self.own().0.contains(&(chat, id)) {
                nothing = 0;
                continue;
            }
            probes += 1;
            match self.probe(chat, id, &sought).await? {
                Probed::Part => return Ok(Looked::There(id.to_string())),
                Probed::Other => nothing = 0,
                Probed::Nothing => {
                    nothing += 1;
                    if nothing == NOTHING_IN_A_ROW && !blind {
                        if self.sees_everything(chat).await? {
                            return Ok(Looked::NotThere);
                        }
                        blind = true;
                    }
                }
                Probed::Unclear(said) => return undecidable(&said),
            }
        }
        undecidable(if blind {
            "other people's messages are hidden from the bot there; it sees them as an administrator"
        } else {
            "too many messages since"
        })
    }

    async fn probe(&self, chat: i64, id: i64, sought: &Sought) -> Result<Probed, SendError> {
        let message = match self.edit_keyboard(chat, id, Some(&sought.keyboard)).await {
            Ok(message) => message,
            // A probe whose answer was lost may have left the keyboard on another message: the text tells.
            Err(SendError::Rejected { reason }) if says(&reason, &UNCHANGED) => {
                match self.edit_keyboard(chat, id, None).await {
                    Ok(message) if sought.is_in(&message) => {
                        let back = self.edit_keyboard(chat, id, Some(&sought.keyboard)).await;
                        return back.map(|_| Probed::Part).map_err(harmless);
                    }
                    Ok(_) => return Ok(Probed::Other),
                    Err(SendError::Rejected { reason }) => return Ok(Probed::Unclear(reason)),
                    Err(error) => return Err(harmless(error)),
                }
            }
            Err(SendError::Rejected { reason }) if says(&reason, &FOREIGN) => return Ok(Probed::Other),
            Err(SendError::Rejected { reason }) if says(&reason, &MISSING) => return Ok(Probed::Nothing),
            Err(SendError::Rejected { reason }) => return Ok(Probed::Unclear(reason)),
            Err(error) => return Err(harmless(error)),
        };
        if sought.is_in(&message) {
            return Ok(Probed::Part);
        }
        match self.edit_keyboard(chat, id, None).await {
            Ok(_) | Err(SendError::Rejected { .. }) => Ok(Probed::Other),
            Err(error) => Err(harmless(error)),
        }
    }

    async fn edit_keyboard(&self, chat: i64, id: i64, keyboard: Option<&Value>) -> Result<Value, SendError> {
        if let Some(gate) = &self.gate {
            gate.request().await;
        }
        let mut body = Map::new();
        body.insert("chat_id".into(), chat.into());
        body.insert("message_id".into(), id.into());
        if let Some(keyboard) = keyboard {
            body.insert("reply_markup".into(), keyboard.clone());
        }
        self.call("editMessageReplyMarkup", body).await
    }

    /// Whether every message of the chat exists for the bot. In privacy mode (core.telegram.org/bots/features,
    /// “Privacy mode”) people's messages in a group do not, unless the bot is an administrator.
    async fn sees_everything(&self, chat: i64) -> Result<bool, SendError> {
        let me = self.call("getMe", Map::new()).await.map_err(harmless)?;
        if me.get("can_read_all_group_messages").and_then(Value::as_bool) == Some(true) {
            return Ok(true);
        }
        let me = me.get("id").cloned().unwrap_or_default();
        let member = self.chat_member(chat, me).await.map_err(harmless)?;
        Ok(standing::read(&member) == Standing::Manager)
    }

    fn own(&self) -> MutexGuard<'_, OwnMessages> {
        // Whatever a panic left behind is still a list of messages.
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One request; what it answers with.
    async fn call(&self, method: &str, body: Map<String, Value>) -> Result<Value, SendError> {
        self.exchange(self.http.post(self.method(method)).json(&body)).await
    }

    /// One request with a file, in the field of this name; what it answers with.
    async fn upload(
        &self,
        method: &str,
        body: Map<String, Value>,
        field: &'static str,
        file: &Attachment,
    ) -> Result<Value, SendError> {
        let content = FormPart::bytes(file.bytes.clone()).file_name(file.name.clone());
        let content = content
            .mime_str(file.mime)
            .map_err(|_| rejected(format!("“{}” is no media type", file.mime)))?;
        let form = body.into_iter().fold(Form::new(), |form, (field, value)| {
            // What is no text goes as JSON (Bot API, "Making requests").
            let text = value.as_str().map(str::to_owned);
            form.text(field, text.unwrap_or_else(|| value.to_string()))
        });
        let form = form.part(field, content);
        self.exchange(self.http.post(self.method(method)).multipart(form)).await
    }

    async fn exchange(&self, request: RequestBuilder) -> Result<Value, SendError> {
        let response = request.send().await.map_err(|error| {
            // Only a connection that was never made proves that nothing was sent. A timeout, a reset or a close after
            // that leaves open whether Telegram had already taken the request.
            match self.network_reason(error, "sending") {
                (true, reason) => SendError::Unreachable { reason },
                (false, reason) => SendError::Uncertain { reason },
            }
        })?;
        let status = response.status();
        let retry_after = response
            .headers()
            .get(reqwest::header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let body = response.bytes().await;
        let reply = match &body {
            Ok(bytes) => serde_json::from_slice::<Reply>(bytes).ok(),
            Err(_) => None,
        };
        if status.is_success() {
            return self.accepted(reply, body.err());
        }
        Err(self.refused(status, reply, retry_after))
    }

    /// A 2xx answer. What cannot be read as the promised one may still belong to a request that was taken.
    fn accepted(&self, reply: Option<Reply>, broken: Option<reqwest::Error>) -> Result<Value, SendError> {
        let result = match reply {
            Some(Reply { ok: true, result, .. }) => result,
            Some(Reply { ok: false, .. }) | None => None,
        };
        result.ok_or_else(|| SendError::Uncertain {
            reason: match broken {
                Some(error) => self.network_reason(error, "reading the answer").1,
                None => UNPROMISED.into(),
            },
        })
    }

    /// Any other answer: certainly not accepted. Which kind of refusal decides what becomes of the delivery.
    fn refused(&self, status: StatusCode, reply: Option<Reply>, retry_after: Option<u64>) -> SendError {
        let Some(reply) = reply else {
            // Not the Bot API but something before it: a gateway's page may even repeat the address with the token.
            return if status == StatusCode::TOO_MANY_REQUESTS {
                SendError::RateLimited {
                    retry_after: retry_after.map_or(DEFAULT_WAIT, Duration::from_secs),
                    // Something before the Bot API says so, and it does not know chats.
                    scope: LimitScope::Bot,
                }
            } else {
                SendError::Unreachable {
                    reason: format!("{status}, and not in the Bot API's form"),
                }
            };
        };
        let parameters = reply.parameters.unwrap_or_default();
        let said = reply.description.unwrap_or_else(|| status.to_string());
        let reason = self.without_token(&said);
        if let Some(chat) = parameters.migrate_to_chat_id {
            return SendError::Moved {
                // The group had no topics: they come only with the supergroup.
                to: Place::telegram(chat, None),
            };
        }
        match status {
            StatusCode::NOT_FOUND if says(&said, &UNKNOWN_METHOD) => SendError::Rejected { reason },
            StatusCode::TOO_MANY_REQUESTS => SendError::RateLimited {
                retry_after: parameters
                    .retry_after
                    .or(retry_after)
                    .map_or(DEFAULT_WAIT, Duration::from_secs),
                scope: LimitScope::Chat,
            },
            StatusCode::FORBIDDEN => SendError::Gone { reason },
            StatusCode::BAD_REQUEST if says_gone(&said) => SendError::Gone { reason },
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => SendError::Rejected { reason },
            // Nothing is wrong with the message or the channel: it waits until the operator has put the token right.
            StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND => SendError::Unauthorized {
                reason: format!("{reason}: {BAD_TOKEN}"),
            },
            status => SendError::Unreachable {
                reason: format!("{} {reason}", status.as_u16()),
            },
        }
    }

    fn method(&self, name: &str) -> Url {
        let mut url = self.api_url.clone();
        // `new` has seen to it that the address has a path to add to.
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(&format!("bot{}", self.token.expose_secret())).push(name);
        }
        url
    }

    /// What happened, with its causes, and whether it is certain that no connection was made.
    fn network_reason(&self, error: reqwest::Error, doing: &str) -> (bool, String) {
        // The address has the token in it.
        let error = error.without_url();
        let never_sent = error.is_connect() || error.is_builder();
        let mut reason = doing.to_owned();
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = cause {
            reason = format!("{reason}: {error}");
            cause = error.source();
        }
        (never_sent, self.without_token(&reason))
    }

    /// The text without the token, should it be in there, and not longer than a line of a log may be.
    pub(super) fn without_token(&self, text: &str) -> String {
        let token = self.token.expose_secret();
        let hidden = if token.is_empty() {
            text.to_owned()
        } else {
            text.replace(token, "<token>")
        };
        ellipsis(&hidden, REASON_CHARS)
    }
}

/// What the operator can do about 401 and 404, Telegram's answers to a token that it does not know.
pub(super) const BAD_TOKEN: &str = "Telegram does not know this bot's token (telegram.token); it is mistyped or was \
                                    revoked. Put the token that @BotFather shows into the configuration and restart. \
                                    Nothing is lost";

/// A 2xx answer with something else in it.
const UNPROMISED: &str = "Telegram's answer was not what the Bot API promises";

/// The descriptions of 400 with which editing fails. Telegram gives no codes; these are the texts of
/// tdlib/telegram-bot-api (`Client::fail_query_with_error`, `Client::check_message`) and the errors of
/// messages.editMessage (core.telegram.org/method/messages.editMessage) that it passes on in capitals. First: nothing
/// would change.
const UNCHANGED: [&str; 2] = ["message is not modified", "message_not_modified"];
/// The message is not the bot's.
const FOREIGN: [&str; 3] = [
    "message can't be edited",
    "message_author_required",
    "message_edit_time_expired",
];
/// The server is older than the method (404), tdlib/telegram-bot-api, `Client::on_cmd`; an unknown token is “Not Found”.
const UNKNOWN_METHOD: [&str; 1] = ["method not found"];
/// There is no message, or none that the bot may see.
const MISSING: [&str; 2] = ["message to edit not found", "message_id_invalid"];

/// The descriptions of 400 that mean: this chat or topic cannot be written to. Telegram gives no codes; these are the
/// texts of tdlib/telegram-bot-api and the errors of messages.sendMessage (core.telegram.org/method/messages.sendMessage)
/// that it passes on in capitals.
fn says_gone(description: &str) -> bool {
    const TEXTS: [&str; 20] = [
        "chat not found",
        "user not found",
        "not enough rights",
        "have no rights",
        "need administrator rights",
        "chat_admin_required",
        "chat_write_forbidden",
        "chat_restricted",
        "chat_send_plain_forbidden",
        "channel_private",
        "channel_invalid",
        "peer_id_invalid",
        "user_banned_in_channel",
        "user_is_blocked",
        "user_deactivated",
        "group chat was deactivated",
        "bot is not a member",
        "message thread not found",
        "topic_closed",
        "topic_deleted",
    ];
    says(description, &TEXTS)
}

fn says(description: &str, texts: &[&str]) -> bool {
    let description = description.to_ascii_lowercase();
    texts.iter().any(|text| description.contains(text))
}

/// What went wrong with a request that may be repeated: nothing stays in doubt.
fn harmless(error: SendError) -> SendError {
    match error {
        SendError::Uncertain { reason } => SendError::Unreachable { reason },
        SendError::RateLimited { .. }
        | SendError::Moved { .. }
        | SendError::Gone { .. }
        | SendError::Rejected { .. }
        | SendError::Unreachable { .. }
        | SendError::Unauthorized { .. } => error,
    }
}

fn rejected(reason: String) -> SendError {
    SendError::Rejected { reason }
}

fn chat_of(place: &Place) -> Result<i64, SendError> {
    match place.platform() {
        Platform::Telegram => place.chat().parse().ok(),
        Platform::Discord | Platform::Web => None,
    }
    .ok_or_else(|| rejected(format!("{place} is no place on Telegram")))
}

fn payload(part: &Part) -> Result<Map<String, Value>, SendError> {
    serde_json::from_str(&part.payload).map_err(|_| rejected("the stored part is no JSON object".into()))
}

/// With chat and thread.
fn addressed(mut body: Map<String, Value>, place: &Place, chat: i64) -> Map<String, Value> {
    body.insert("chat_id".into(), chat.into());
    if let Some(thread) = place.thread() {
        body.insert("message_thread_id".into(), thread.into());
    }
    body
}

/// What only concerns sending is no field of editMessageText.
fn editable(mut body: Map<String, Value>) -> Map<String, Value> {
    let fields = ["text", "entities", "link_preview_options", "reply_markup", rich::FIELD];
    body.retain(|field, _| fields.contains(&field.as_str()));
    body
}

fn message_id(sent: &Value) -> Result<i64, SendError> {
    let id = sent.get("message_id").and_then(Value::as_i64);
    id.ok_or_else(|| SendError::Uncertain {
        reason: UNPROMISED.into(),
    })
}

impl Messenger for Sender {
    fn platform(&self) -> Platform {
        Platform::Telegram
    }

    /// The Bot API knows no idempotency (tdlib/telegram-bot-api#126), hence [`SendError::Uncertain`]. The part's button
    /// carries the key instead, so that [`Messenger::look`] can tell it from others.
    fn send<'a>(&'a self, place: &'a Place, part: &'a Part, tag: &'a Tag) -> BoxFuture<'a, Answered> {
        Box::pin(async move {
            if self.is_barred() {
                let reason = "another program works with this bot's token".to_owned();
                return Err(SendError::Unreachable { reason }).into();
            }
            self.send_part(place, part, tag).await.into()
        })
    }

    /// Looks behind `missing.after`, else behind the highest id in `missing.known`: nothing that was sent to the chat after
    /// the missing part may be that one. A message of the bot that nobody knew of may lose its button.
    fn look<'a>(&'a self, place: &'a Place, part: &'a Part, missing: &'a Missing) -> BoxFuture<'a, Looked> {
        Box::pin(async move { self.find(place, part, missing).await.unwrap_or_else(Looked::Failed) })
    }

    fn edit<'a>(&'a self, place: &'a Place, message: &'a str, part: &'a Part, tag: &'a Tag) -> BoxFuture<'a, Answered> {
        Box::pin(async move { self.edit_message(place, message, part, tag).await.into() })
    }

    fn is_barred(&self) -> bool {
        self.rival.load(Ordering::Relaxed)
    }

    fn plain(&self, part: &Part) -> Part {
        markup::plain(part)
    }

    /// A private chat has its person's id. It exists once they have started the bot: before, Telegram says “bot can't
    /// initiate conversation with a user”.
    fn tell<'a>(
        &'a self,
        whom: Whom<'a>,
        message: &'a Message,
        buttons: &'a [Vec<Button>],
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let place = match whom {
                Whom::Place(place) => place.clone(),
                Whom::Person(person) => {
                    let Some(id) = person.parse().ok().filter(|&id| id > 0) else {
                        let reason = format!("“{person}” is nobody on Telegram");
                        return Err(SendError::Rejected { reason });
                    };
                    Place::telegram(id, None)
                }
            };
            let answer = Answer {
                buttons: buttons.to_vec(),
                ..Answer::new(message.clone(), Lang::En)
            };
            for outgoing in Outgoing::of(&answer)? {
                let way = Way::New { reply_to: None };
                self.attempt(&place, &outgoing, way).await?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(url: &str) -> Sender {
        Sender::new(reqwest::Client::new(), url.parse().unwrap(), "12:secret".into()).unwrap()
    }

    #[tokio::test]
    async fn while_another_program_polls_with_the_token_deliveries_wait_and_nothing_is_sent() {
        // Nobody listens there: a request would come back as unreachable.
        let sender = sender("http://127.0.0.1:1");
        let (place, part) = (
            Place::telegram(1, None),
            Part {
                payload: r#"{"text":"a"}"#.to_owned(),
            },
        );
        sender.set_rival(true);
        let held_back = Messenger::send(&sender, &place, &part, &Tag::only("key")).await.outcome;
        let Err(SendError::Unreachable { reason }) = held_back else {
            panic!("{held_back:?}")
        };
        assert!(sender.is_barred() && reason.contains("another program"), "{reason}");
        sender.set_rival(false);
        let tried = Messenger::send(&sender, &place, &part, &Tag::only("key")).await.outcome;
        assert!(matches!(tried, Err(SendError::Unreachable { .. })), "{tried:?}");
    }

    #[test]
    fn debug_shows_no_token() {
        let shown = format!("{:?}", sender("http://127.0.0.1:1"));
        assert!(shown.contains("127.0.0.1") && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn an_api_url_may_have_a_path_and_a_slash_at_its_end() {
        let url = |base| sender(base).method("sendMessage").to_string();
        assert_eq!(url("http://h/"), "http://h/bot12:secret/sendMessage");
        assert_eq!(url("http://h/api/"), "http://h/api/bot12:secret/sendMessage");
        assert_eq!(sender("http://h/api/").bot().api_url().as_str(), "http://h/api");
    }

    #[test]
    fn an_api_url_that_cannot_be_requested_is_refused_at_once() {
        let error = Sender::new(reqwest::Client::new(), "mailto:x@y".parse().unwrap(), "t".into()).unwrap_err();
        assert!(error.to_string().contains("mailto:x@y"), "{error}");
    }

    #[test]
    fn the_place_decides_chat_and_thread_of_the_request() {
        let part = Part {
            payload: r#"{"text":"x"}"#.into(),
        };
        let place = Place::telegram(-100, Some(7));
        let body = addressed(payload(&part).unwrap(), &place, chat_of(&place).unwrap());
        assert_eq!(
            Value::from(body),
            json!({"text": "x", "chat_id": -100, "message_thread_id": 7})
        );
        let elsewhere = chat_of(&Place::discord(123_456_789_012_345_678));
        assert!(matches!(elsewhere, Err(SendError::Rejected { .. })));
    }

    #[test]
    fn of_the_bots_other_messages_the_latest_are_remembered() {
        let mut own = OwnMessages::default();
        (0..=4_096).for_each(|id| own.remember(-1, id));
        assert_eq!(own.0.len(), REMEMBERED);
        assert!(!own.0.contains(&(-1, 0)) && own.0.contains(&(-1, 4_096)));
    }

    #[test]
    fn a_token_that_somebody_repeats_to_us_is_hidden() {
        assert_eq!(
            sender("http://h").without_token("no /bot12:secret/x"),
            "no /bot<token>/x"
        );
    }
}
