//! What somebody asks, types or presses on Discord, until it is answered: an interaction must be answered within three
//! seconds, by a request whose permission is the interaction's own token.

use std::sync::Arc;
use std::time::Duration;

use paperwire_core::channel::Place;
use paperwire_core::command::{
    Answer, Attachment, Command, CommandError, Manner, Permission, Question, Standing, TABLE, parse_named,
};
use paperwire_core::delivery::SendError;
use paperwire_core::locale::Lang;
use paperwire_core::message::Part;
use reqwest::Method;
use serde_json::{Value, json};
use serenity::model::Permissions;
use serenity::model::application::{
    CommandInteraction, ComponentInteraction, ComponentInteractionDataKind, InteractionContext,
};
use serenity::model::channel::{MessageFlags, PartialChannel};
use serenity::model::guild::Member;
use serenity::model::id::RoleId;
use tokio::time::{sleep, timeout};

use super::registration::language;
use super::sender::{Api, MARK};
use super::{components, markup};
use crate::desk::{Choice, Desk, Typing};

/// How long the desk may take to suggest something: who types has typed on by then.
const SUGGEST_WITHIN: Duration = Duration::from_secs(1);
/// How many suggestions Discord shows (Interactions, “Autocomplete”).
const CHOICES: usize = 25;
/// Characters of a suggestion's name and of what is sent for it (“Application Command Option Choice”).
const CHOICE: usize = 100;
/// How often one request of an answer is tried.
const TRIES: u32 = 5;
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Who may change a place's settings there.
const MANAGES: Permissions = Permissions::MANAGE_CHANNELS.union(Permissions::ADMINISTRATOR);

/// Kinds of callbacks (Receiving and Responding, “Interaction Callback Type”).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Callback {
    /// A message of its own.
    Message = 4,
    /// One that is yet to come.
    Thinking = 5,
    /// What was pressed stays as it is for now; nobody sees anything.
    Heard = 6,
    /// Another message in the place of the one below which something was pressed.
    Update = 7,
    /// Suggestions.
    Suggestions = 8,
}

/// Answers interactions.
pub(super) struct Interactions {
    pub desk: Arc<dyn Desk>,
    pub api: Api,
    /// After which time an answer is deferred.
    pub answer_within: Duration,
    /// The role whose members manage.
    pub manager_role: Option<u64>,
}

/// What slash commands and presses have in common.
struct Asked<'a> {
    /// Where the interaction is answered at first.
    callback: String,
    /// Where everything further goes.
    webhook: String,
    channel_id: u64,
    channel: Option<&'a PartialChannel>,
    /// Whether it comes from a server; else from a private chat.
    in_guild: bool,
    member: Option<&'a Member>,
    user: String,
    lang: Lang,
}

macro_rules! asked {
    ($interaction:expr) => {
        Asked {
            callback: format!("/interactions/{}/{}/callback", $interaction.id, $interaction.token),
            webhook: format!("/webhooks/{}/{}", $interaction.application_id, $interaction.token),
            channel_id: $interaction.channel_id.get(),
            channel: $interaction.channel.as_ref(),
            in_guild: $interaction.guild_id.is_some() || $interaction.context == Some(InteractionContext::Guild),
            member: None,
            user: $interaction.user.id.to_string(),
            lang: language(&$interaction.locale),
        }
    };
}

impl<'a> From<&'a CommandInteraction> for Asked<'a> {
    fn from(command: &'a CommandInteraction) -> Self {
        Self {
            member: command.member.as_deref(),
            ..asked!(command)
        }
    }
}

impl<'a> From<&'a ComponentInteraction> for Asked<'a> {
    fn from(press: &'a ComponentInteraction) -> Self {
        Self {
            member: press.member.as_ref(),
            ..asked!(press)
        }
    }
}

impl Asked<'_> {
    fn place(&self) -> Place {
        Place::discord(self.channel_id)
    }

    /// A thread is a channel of its own with an id of its own, inside of another.
    fn parent(&self) -> Option<Place> {
        let thread = self.channel.filter(|channel| channel.thread_metadata.is_some());
        let parent = thread.and_then(|channel| channel.parent_id);
        parent.map(|parent| Place::discord(parent.get()))
    }

    fn question(&self, command: Result<Command, CommandError>, manager_role: Option<u64>) -> Question {
        Question {
            standing: self.standing(&command, manager_role),
            command,
            place: self.place(),
            parent: self.parent(),
            asker: Some(self.user.clone()),
            reply_to: None,
            fallback_lang: self.lang,
        }
    }

    /// What somebody is here, as far as the command wants to know it. The permissions that come with an interaction are
    /// those in its channel, with all that overwrites them.
    fn standing(&self, command: &Result<Command, CommandError>, manager_role: Option<u64>) -> Standing {
        match command.as_ref().map(Command::permission) {
            Ok(Permission::Everyone) | Err(_) => return Standing::Member,
            Ok(Permission::Managers) => {}
        }
        let Some(member) = self.member else {
            return if self.in_guild {
                Standing::Unknown
            } else {
                Standing::Manager
            };
        };
        if manager_role.is_some_and(|role| member.roles.contains(&RoleId::new(role))) {
            return Standing::Manager;
        }
        match member.permissions {
            Some(permissions) if permissions.intersects(MANAGES) => Standing::Manager,
            Some(_) => Standing::Member,
            None => Standing::Unknown,
        }
    }
}

/// How an answer appears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// To everybody, as messages of its own.
    Openly,
    /// To the asker alone, as messages of its own.
    Alone,
    /// In the place of what was pressed.
    InPlace,
    /// Not at all.
    Nowhere,
}

impl Interactions {
    /// Answers a slash command: directly, or with “is thinking …” first.
    pub(super) async fn command(&self, command: &CommandInteraction) {
        let asked = Asked::from(command);
        let question = asked.question(understood(command), self.manager_role);
        let place = question.place.clone();
        if let Err(error) = self.answer(&asked, question).await {
            let reason = of_an_interaction(error);
            tracing::warn!(%place, command = command.data.name, reason, "a question on Discord was not answered whole");
        }
    }

    async fn answer(&self, asked: &Asked<'_>, question: Question) -> Result<(), SendError> {
        let mut answering = self.desk_answers(question);
        let (answer, deferred) = match timeout(self.answer_within, &mut answering).await {
            Ok(answer) => (answer, false),
            Err(_) => {
                self.acknowledge(asked, Callback::Thinking).await?;
                (answering.await, true)
            }
        };
        let shown = match answer.manner {
            // Nothing was pressed that it could take the place of.
            Manner::Reply | Manner::Replace => Shown::Openly,
            // Discord insists on an answer to a command.
            Manner::Notice | Manner::Buttons | Manner::Silent => Shown::Alone,
        };
        let mut requests = Vec::new();
        for (body, index) in bodies(&answer, shown).into_iter().zip(0..) {
            requests.push(match (index, deferred) {
                (0, false) => asked.call_back(Callback::Message, body),
                (0, true) => asked.fill_in(body),
                _ => asked.follow_up(body),
            });
        }
        self.send(requests, answer.file.as_ref()).await
    }

    /// Answers a press of a button, or a choice in a menu. Every press is answered, or the app shows a failure.
    pub(super) async fn pressed(&self, press: &ComponentInteraction) {
        if let Err(error) = self.answer_press(press).await {
            let reason = of_an_interaction(error);
            tracing::warn!(channel = %press.channel_id, reason, "a press of a button on Discord was not answered");
        }
    }

    async fn answer_press(&self, press: &ComponentInteraction) -> Result<(), SendError> {
        let asked = Asked::from(press);
        let Some(command) = meant(press) else {
            return self.acknowledge(&asked, Callback::Heard).await;
        };
        let about = command == Command::About;
        // A posted part stays what it is: it is looked for by its mark.
        let stays = is_marked(press);
        let question = Question {
            reply_to: Some(press.message.id.to_string()),
            ..asked.question(Ok(command), self.manager_role)
        };
        let mut answering = self.desk_answers(question);
        let (answer, deferred) = match timeout(self.answer_within, &mut answering).await {
            Ok(answer) => (answer, false),
            Err(_) => {
                // Whatever the answer turns out to be, it can still follow this.
                self.acknowledge(&asked, Callback::Heard).await?;
                (answering.await, true)
            }
        };
        let openly = match is_ephemeral(press) {
            true => Shown::Alone,
            false => Shown::Openly,
        };
        let shown = match answer.manner {
            _ if about => Shown::Alone,
            Manner::Reply => openly,
            Manner::Replace if stays => Shown::Alone,
            // What needs several messages cannot take the place of one.
            Manner::Replace if markup::render(&answer.message).len() > 1 => openly,
            Manner::Replace => Shown::InPlace,
            Manner::Notice | Manner::Buttons => Shown::Alone,
            Manner::Silent => Shown::Nowhere,
        };
        if answer.manner == Manner::Buttons && !stays {
            // What is left out of an update stays as it was.
            let body = json!({ "components": components::rows(&answer.buttons) });
            let update = match deferred {
                false => asked.call_back(Callback::Update, body),
                true => asked.fill_in(body),
            };
            let said = Answer {
                buttons: Vec::new(),
                ..answer
            };
            let said = bodies(&said, Shown::Alone)
                .into_iter()
                .map(|body| asked.follow_up(body));
            return self.send(std::iter::once(update).chain(said).collect(), None).await;
        }
        let mut requests = Vec::new();
        for (body, index) in bodies(&answer, shown).into_iter().zip(0..) {
            requests.push(match (index, deferred, shown) {
                (0, false, Shown::InPlace) => asked.call_back(Callback::Update, body),
                (0, false, Shown::Openly | Shown::Alone | Shown::Nowhere) => asked.call_back(Callback::Message, body),
                (0, true, Shown::InPlace) => asked.fill_in(body),
                _ => asked.follow_up(body),
            });
        }
        if requests.is_empty() && !deferred {
            return self.acknowledge(&asked, Callback::Heard).await;
        }
        self.send(requests, answer.file.as_ref()).await
    }

    /// Suggests what may be meant by what is being typed. Once: what comes late is of no use.
    pub(super) async fn suggest(&self, typing: &CommandInteraction) {
        let asked = Asked::from(typing);
        let choices = match typed(typing, &asked).filter(|_| self.serves(&asked.place(), asked.parent().as_ref())) {
            Some(typing) => timeout(SUGGEST_WITHIN, self.desk.suggest(typing))
                .await
                .unwrap_or_default(),
            None => Vec::new(),
        };
        let (method, path, body) = asked.call_back(Callback::Suggestions, json!({ "choices": offered(&choices) }));
        if let Err(error) = self.api.call(method, &path, None, &body).await {
            let reason = of_an_interaction(error);
            tracing::debug!(command = typing.data.name, reason, "nothing was suggested on Discord");
        }
    }

    /// The desk's answer, or why this place gets none.
    async fn desk_answers_where_served(&self, question: Question) -> Answer {
        let anywhere = question.command.as_ref().is_ok_and(Command::is_heard_anywhere);
        if anywhere || self.serves(&question.place, question.parent.as_ref()) {
            return self.desk.answer(question).await;
        }
        let lang = question.fallback_lang;
        Answer::sentence(lang.not_served(), lang).shown(Manner::Notice)
    }

    fn desk_answers(&self, question: Question) -> std::pin::Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        Box::pin(self.desk_answers_where_served(question))
    }

    /// A thread is served as the channel around it is.
    fn serves(&self, place: &Place, parent: Option<&Place>) -> bool {
        self.desk.serves(parent.unwrap_or(place))
    }

    async fn acknowledge(&self, asked: &Asked<'_>, callback: Callback) -> Result<(), SendError> {
        let body = json!({ "type": callback as u8 });
        self.insist(&(Method::POST, asked.callback.clone(), body), None).await
    }

    /// One after the other; the file goes with the last one.
    async fn send(&self, requests: Vec<Request>, file: Option<&Attachment>) -> Result<(), SendError> {
        let Some((last, before)) = requests.split_last() else {
            return Ok(());
        };
        for request in before {
            self.insist(request, None).await?;
        }
        self.insist(last, file).await
    }

    /// Repeats what was certainly not taken. Webhooks have no idempotency key, so a doubtful request is not repeated: a
    /// part that is missing can be asked for again.
    async fn insist(&self, (method, path, body): &Request, file: Option<&Attachment>) -> Result<(), SendError> {
        let call = || async {
            match file {
                Some(file) => self.api.upload(method.clone(), path, body, file).await,
                None => self.api.call(method.clone(), path, None, body).await,
            }
        };
        for _ in 1..TRIES {
            match call().await {
                Ok(_) => return Ok(()),
                Err(SendError::RateLimited { retry_after, .. }) => sleep(retry_after.min(LONGEST_PAUSE)).await,
                Err(SendError::Unreachable { .. }) => sleep(Duration::from_millis(250)).await,
                Err(
                    error @ (SendError::Moved { .. }
                    | SendError::Gone { .. }
                    | SendError::Rejected { .. }
                    | SendError::Unauthorized { .. }
                    | SendError::Uncertain { .. }),
                ) => return Err(error),
            }
        }
        call().await.map(|_| ())
    }
}

type Request = (Method, String, Value);

impl Asked<'_> {
    fn call_back(&self, callback: Callback, data: Value) -> Request {
        let body = json!({ "type": callback as u8, "data": data });
        (Method::POST, self.callback.clone(), body)
    }

    /// Fills in what was deferred: the answer that is yet to come, or the message below which something was pressed.
    fn fill_in(&self, body: Value) -> Request {
        (Method::PATCH, format!("{}/messages/@original", self.webhook), body)
    }

    fn follow_up(&self, body: Value) -> Request {
        (Method::POST, self.webhook.clone(), body)
    }
}

/// The messages of an answer. The last one has the buttons and names the file.
fn bodies(answer: &Answer, shown: Shown) -> Vec<Value> {
    let parts = match shown {
        Shown::Openly | Shown::Alone | Shown::InPlace => markup::render(&answer.message),
        Shown::Nowhere => Vec::new(),
    };
    let mut bodies: Vec<Value> = parts.iter().map(|part| body(part, shown)).collect();
    if let Some(last) = bodies.last_mut().and_then(Value::as_object_mut) {
        let rows = components::rows(&answer.buttons);
        if shown == Shown::InPlace || !rows.is_empty() {
            last.insert("components".into(), json!(rows));
        }
        if let Some(file) = &answer.file {
            last.insert("attachments".into(), json!([{ "id": 0, "filename": file.name }]));
        }
    }
    bodies
}

/// What a webhook message and an interaction's answer have in common with Create Message.
fn body(part: &Part, shown: Shown) -> Value {
    let mut body: Value = serde_json::from_str(&part.payload).unwrap_or_default();
    if let Some(fields) = body.as_object_mut() {
        fields.retain(|name, _| matches!(name.as_str(), "content" | "embeds" | "allowed_mentions" | "flags"));
        let flags = fields.get("flags").and_then(Value::as_u64).unwrap_or_default();
        match shown {
            Shown::Alone => {
                fields.insert("flags".into(), json!(flags | MessageFlags::EPHEMERAL.bits()));
            }
            Shown::InPlace => {
                // What is left out stays as it was (Edit Message).
                for (name, nothing) in [
                    ("content", Value::Null),
                    ("embeds", json!([])),
                    ("attachments", json!([])),
                    ("flags", json!(0)),
                ] {
                    fields.entry(name).or_insert(nothing);
                }
            }
            Shown::Openly | Shown::Nowhere => {}
        }
    }
    body
}

/// The arguments stand in the table's order, whatever the order in which they were filled in.
fn understood(command: &CommandInteraction) -> Result<Command, CommandError> {
    let name = &command.data.name;
    let spec = TABLE.iter().find(|spec| spec.name == name);
    let args: Vec<&str> = spec
        .iter()
        .flat_map(|spec| spec.args)
        .filter_map(|arg| command.data.options.iter().find(|given| given.name == arg.name))
        .filter_map(|given| given.value.as_str())
        .collect();
    parse_named(name, &args.join(" "))
}

/// What a press asks for; nothing when no choice is left in a menu. What else can be pressed was never made here: the desk
/// says so.
fn meant(press: &ComponentInteraction) -> Option<Command> {
    let name = &press.data.custom_id;
    match &press.data.kind {
        ComponentInteractionDataKind::StringSelect { values } => {
            let value = values.first()?;
            Some(Command::Press(components::chosen(name, value)))
        }
        // What a part is: which digest that was and how to open a paper.
        ComponentInteractionDataKind::Button if name.starts_with(MARK) => Some(Command::About),
        ComponentInteractionDataKind::Button
        | ComponentInteractionDataKind::UserSelect { .. }
        | ComponentInteractionDataKind::RoleSelect { .. }
        | ComponentInteractionDataKind::MentionableSelect { .. }
        | ComponentInteractionDataKind::ChannelSelect { .. }
        | ComponentInteractionDataKind::Unknown(_) => Some(Command::Press(name.clone())),
    }
}

/// Whether what was pressed stands below a posted part.
fn is_marked(press: &ComponentInteraction) -> bool {
    let components = json!(press.message.components);
    let rows = components.as_array().into_iter().flatten();
    rows.filter_map(|row| row["components"].as_array())
        .flatten()
        .filter_map(|component| component["custom_id"].as_str())
        .any(|name| name.starts_with(MARK))
}

fn is_ephemeral(press: &ComponentInteraction) -> bool {
    press
        .message
        .flags
        .is_some_and(|flags| flags.contains(MessageFlags::EPHEMERAL))
}

/// What is being typed, if it is an argument of the table.
fn typed(typing: &CommandInteraction, asked: &Asked<'_>) -> Option<Typing> {
    let focused = typing.data.autocomplete()?;
    let spec = TABLE.iter().find(|spec| spec.name == typing.data.name)?;
    let arg = spec.args.iter().find(|arg| arg.name == focused.name)?;
    Some(Typing {
        place: asked.place(),
        parent: asked.parent(),
        suggest: arg.suggest,
        typed: focused.value.to_owned(),
        lang: asked.lang,
    })
}

/// Suggestions as Discord takes them. What is read may be cut, what is sent may not.
fn offered(choices: &[Choice]) -> Vec<Value> {
    let fits = |choice: &&Choice| (1..=CHOICE).contains(&markup::units(&choice.value));
    let offered = choices
        .iter()
        .filter(fits)
        .take(CHOICES)
        .map(|Choice { label, value }| {
            let label = markup::shortened(label.trim(), CHOICE, markup::units);
            let name = if label.is_empty() { value } else { &label };
            json!({ "name": name, "value": value })
        });
    offered.collect()
}

/// Why an interaction was not answered. Not the error's own text: that speaks of channels, and here it is the interaction
/// that may be gone.
fn of_an_interaction(error: SendError) -> String {
    match error {
        SendError::Gone { reason }
        | SendError::Rejected { reason }
        | SendError::Unreachable { reason }
        | SendError::Unauthorized { reason }
        | SendError::Uncertain { reason } => reason,
        error @ (SendError::RateLimited { .. } | SendError::Moved { .. }) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use paperwire_core::command::press::Button;
    use paperwire_core::message::{Block, Message, plain};

    use super::*;

    fn member(permissions: Option<Permissions>, roles: &[u64]) -> Member {
        let mut member = Member::default();
        member.permissions = permissions;
        member.roles = roles.iter().map(|&role| RoleId::new(role)).collect();
        member
    }

    fn standing(member: Option<&Member>, in_guild: bool, command: Command) -> Standing {
        let asked = Asked {
            callback: String::new(),
            webhook: String::new(),
            channel_id: 1,
            channel: None,
            in_guild,
            member,
            user: "2".to_owned(),
            lang: Lang::En,
        };
        asked.standing(&Ok(command), Some(7))
    }

    #[test]
    fn who_manages_the_channel_or_has_the_role_may_change_it_and_in_private_everyone_may() {
        let send = Permissions::SEND_MESSAGES;
        for (permissions, roles, expected) in [
            (Some(send | Permissions::MANAGE_CHANNELS), &[][..], Standing::Manager),
            (Some(Permissions::ADMINISTRATOR), &[], Standing::Manager),
            (Some(send), &[6, 7], Standing::Manager),
            (None, &[7], Standing::Manager),
            (Some(send), &[6], Standing::Member),
            (None, &[], Standing::Unknown),
        ] {
            let member = member(permissions, roles);
            assert_eq!(
                standing(Some(&member), true, Command::Resume),
                expected,
                "{permissions:?} {roles:?}"
            );
            assert_eq!(
                standing(Some(&member), true, Command::Topics),
                Standing::Member,
                "nobody asked"
            );
        }
        assert_eq!(standing(None, false, Command::Resume), Standing::Manager);
        assert_eq!(standing(None, true, Command::Resume), Standing::Unknown);
    }

    #[test]
    fn a_message_in_the_place_of_another_leaves_nothing_of_it() {
        let answer = Answer::sentence("page 2", Lang::En);
        let [body] = bodies(&answer, Shown::InPlace).try_into().unwrap();
        assert_eq!(
            (&body["embeds"], &body["components"], &body["attachments"]),
            (&json!([]), &json!([]), &json!([]))
        );
        let [open] = bodies(&answer, Shown::Openly).try_into().unwrap();
        assert_eq!(
            (&open["components"], &open["attachments"]),
            (&Value::Null, &Value::Null)
        );
    }

    #[test]
    fn buttons_and_the_file_go_with_the_last_message_and_every_one_is_for_the_asker_alone() {
        let blocks = vec![Block::Paragraph(plain("a".repeat(1_500))); 2];
        let answer = Answer {
            buttons: vec![vec![Button {
                label: "1".to_owned(),
                data: "o:1".to_owned(),
            }]],
            file: Some(Attachment {
                name: "saved.bib".to_owned(),
                mime: "text/plain",
                bytes: Vec::new(),
            }),
            ..Answer::new(
                Message {
                    running_title: String::new(),
                    blocks,
                },
                Lang::En,
            )
        };
        let [first, last] = bodies(&answer, Shown::Alone).try_into().unwrap();
        assert_eq!(
            (&first["components"], &first["attachments"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(last["components"][0]["components"][0]["custom_id"], "o:1");
        assert_eq!(last["attachments"], json!([{ "id": 0, "filename": "saved.bib" }]));
        for body in [first, last] {
            assert_eq!(body["flags"], json!(64 | 4));
            assert_eq!(body["allowed_mentions"]["parse"], json!([]));
        }
    }

    #[test]
    fn suggestions_are_cut_to_what_discord_takes() {
        let choice = |label: &str, value: &str| Choice {
            label: label.to_owned(),
            value: value.to_owned(),
        };
        let mut choices = vec![
            choice(&"é".repeat(300), "4"),
            choice(" ", "5"),
            choice("none", ""),
            choice("cut", &"x".repeat(101)),
        ];
        choices.extend((0..30).map(|n| choice("x", &n.to_string())));
        let offered = offered(&choices);
        assert_eq!(offered.len(), 25);
        assert_eq!(markup::units(offered[0]["name"].as_str().unwrap()), 100);
        assert_eq!(offered[1], json!({ "name": "5", "value": "5" }));
        assert_eq!(offered[2]["value"], "0");
    }
}
