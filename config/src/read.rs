//! From the checked tree to a [`Config`]: what a type alone cannot say (an address, a zone, a topic that exists).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use chrono_tz::{TZ_VARIANTS, Tz};
use paperwire_core::channel::{Missed, Place, PlaceError, Style, WhenEmpty};
use paperwire_core::delivery::UncertainPolicy;
use paperwire_core::locale::Lang;
use paperwire_core::schedule::Schedule;
use paperwire_core::subscription::Subjects;
use paperwire_core::topic::{Tier, Topic, TopicId};
use secrecy::SecretString;
use url::Url;

use crate::error::{ConfigError, Where, nearest, quoted};
use crate::tree::{Node, Table, Value};
use crate::{Access, ChannelConfig, Config, Defaults, Discord, Telegram, Web};

static EMPTY: Table = Table::new();

/// A table on the way from the tree to the configuration, and where to report.
struct Section<'a> {
    path: String,
    /// Where the table begins; what is missing in it is reported there.
    at: &'a Where,
    table: &'a Table,
}

impl<'a> Section<'a> {
    fn sub(root: &'a Table, name: &str, file: &'a Where) -> Self {
        let (at, table) = match root.get(name) {
            Some(Node {
                at,
                value: Value::Table(table),
            }) => (at, table),
            Some(_) | None => (file, &EMPTY),
        };
        Self {
            path: name.to_owned(),
            at,
            table,
        }
    }

    /// The tables of an array, with the indexes that they have in the file.
    fn each(&self, name: &'static str) -> Vec<Section<'a>> {
        let Some(Node {
            value: Value::Tables(tables),
            ..
        }) = self.table.get(name)
        else {
            return Vec::new();
        };
        let prefix = if self.path.is_empty() {
            String::new()
        } else {
            format!("{}.", self.path)
        };
        let section = |(i, node): (usize, &'a Node)| match &node.value {
            Value::Table(table) => Some(Section {
                path: format!("{prefix}{name}[{i}]"),
                at: &node.at,
                table,
            }),
            Value::Text(_)
            | Value::Whole(_)
            | Value::Switch(_)
            | Value::Words(_)
            | Value::Tables(_)
            | Value::Broken => None,
        };
        tables.iter().enumerate().filter_map(section).collect()
    }

    fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    fn at(&self, name: &str) -> &'a Where {
        self.table.get(name).map_or(self.at, |node| &node.at)
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        match &self.table.get(name)?.value {
            Value::Text(text) => Some(text),
            Value::Whole(_)
            | Value::Switch(_)
            | Value::Words(_)
            | Value::Table(_)
            | Value::Tables(_)
            | Value::Broken => None,
        }
    }

    fn whole(&self, name: &str, default: u32) -> u32 {
        match self.table.get(name) {
            Some(Node {
                value: Value::Whole(number),
                ..
            }) => *number,
            Some(_) | None => default,
        }
    }

    fn switch(&self, name: &str, default: bool) -> bool {
        match self.table.get(name) {
            Some(Node {
                value: Value::Switch(on),
                ..
            }) => *on,
            Some(_) | None => default,
        }
    }

    fn words(&self, name: &str) -> &'a [(Where, String)] {
        match self.table.get(name) {
            Some(Node {
                value: Value::Words(words),
                ..
            }) => words,
            Some(_) | None => &[],
        }
    }

    /// The error at a key.
    fn error(&self, name: &str, what: impl Into<String>, fix: impl Into<String>) -> ConfigError {
        self.error_at(self.at(name), name, what, fix)
    }

    fn error_at(&self, at: &Where, name: &str, what: impl Into<String>, fix: impl Into<String>) -> ConfigError {
        let key = match (self.path.as_str(), name) {
            ("", key) | (key, "") => key.to_owned(),
            (path, name) => format!("{path}.{name}"),
        };
        ConfigError {
            at: at.clone(),
            key,
            what: what.into(),
            fix: fix.into(),
        }
    }
}

/// Makes a configuration of the trees of the user and of the shipped topics; it is of use only when no error was added.
pub(crate) fn config(
    root: &Table,
    file: &Where,
    shipped: &[Topic],
    origins: BTreeMap<String, Where>,
    errors: &mut Vec<ConfigError>,
) -> Config {
    let top = Section {
        path: String::new(),
        at: file,
        table: root,
    };
    if top.text("data") == Some("") {
        errors.push(top.error("data", "no folder is named", "give one or leave the line out"));
    }
    let defaults = defaults(&Section::sub(root, "defaults", file), errors);
    let own = own_topics(&top, errors);
    let mut topics: Vec<Topic> = shipped
        .iter()
        .filter(|topic| own.iter().all(|own| own.id != topic.id))
        .cloned()
        .collect();
    topics.extend(own);
    let channels = channels(&top, &topics, &defaults, errors);
    Config {
        data: PathBuf::from(top.text("data").unwrap_or("data")),
        telegram: telegram(&Section::sub(root, "telegram", file), errors),
        discord: discord(&Section::sub(root, "discord", file), errors),
        web: web(&Section::sub(root, "web", file), errors),
        access: access(&Section::sub(root, "access", file), errors),
        defaults,
        channels,
        topics,
        origins,
    }
}

fn telegram(section: &Section<'_>, errors: &mut Vec<ConfigError>) -> Telegram {
    let api_url = base_url(section, "https://api.telegram.org", errors);
    if api_url.split('/').skip(3).any(|part| part.starts_with("bot")) {
        errors.push(section.error(
            "api_url",
            "the address has a part that begins with “bot”",
            "give the server's address only; the token is added to it",
        ));
    }
    Telegram {
        token: token(section, errors),
        api_url,
        uncertain: match section.text("uncertain") {
            Some("skip") => UncertainPolicy::Skip,
            Some(_) | None => UncertainPolicy::Resend,
        },
        messages_per_second: section.whole("messages_per_second", 30),
        per_chat_per_second: section.whole("per_chat_per_second", 1),
        per_group_per_minute: section.whole("per_group_per_minute", 20),
        paid_broadcast: section.switch("paid_broadcast", false),
    }
}

fn discord(section: &Section<'_>, errors: &mut Vec<ConfigError>) -> Discord {
    let given = base_url(section, "https://discord.com", errors);
    let api_url = ["/api/v10", "/api"]
        .iter()
        .find_map(|end| given.strip_suffix(end))
        .unwrap_or(&given)
        .to_owned();
    if let Some((_, version)) = api_url.rsplit_once("/api/v") {
        errors.push(section.error(
            "api_url",
            format!("the address asks for version {} of the API", quoted(version)),
            "only version 10 is spoken: end it in /api/v10, or give the server's address only",
        ));
    }
    Discord {
        token: token(section, errors),
        api_url,
        requests_per_second: section.whole("requests_per_second", 50),
        per_channel_per_5_seconds: section.whole("per_channel_per_5_seconds", 5),
        manager_role: manager_role(section, errors),
    }
}

fn manager_role(section: &Section<'_>, errors: &mut Vec<ConfigError>) -> Option<u64> {
    let given = section.text("manager_role")?;
    let digits = given.bytes().all(|byte| byte.is_ascii_digit());
    let id = given.parse().ok().filter(|&id| digits && id > 0);
    if id.is_none() {
        errors.push(section.error(
            "manager_role",
            format!("{} is no id of a role", quoted(given)),
            "turn on Developer Mode in Discord's settings, right-click the role, choose “Copy Role ID”, and put that number here",
        ));
    }
    id
}

fn web(section: &Section<'_>, errors: &mut Vec<ConfigError>) -> Web {
    let title = section.text("title").unwrap_or("Paperwire");
    if title.is_empty() || title.chars().count() > 100 {
        errors.push(section.error("title", "a title has 1 to 100 characters", ""));
    }
    let listen = section.text("listen").unwrap_or("127.0.0.1:8787");
    let listen = listen.parse().unwrap_or_else(|_| {
        errors.push(section.error(
            "listen",
            format!("{} is no address to listen on", quoted(listen)),
            "write an IP address and a port: 127.0.0.1:8787 for this machine only, 0.0.0.0:8787 for all its networks",
        ));
        ([127, 0, 0, 1], 8787).into()
    });
    Web {
        enabled: section.switch("enabled", true),
        listen,
        title: title.to_owned(),
        language: language(section).unwrap_or(Lang::En),
        hosts: section
            .words("hosts")
            .iter()
            .map(|(_, host)| host.to_lowercase())
            .collect(),
    }
}

fn access(section: &Section<'_>, errors: &mut Vec<ConfigError>) -> Access {
    let mut places = |name: &str| {
        let mut places = Vec::new();
        for (at, text) in section.words(name) {
            match text.parse() {
                Ok(place) => places.push(place),
                Err::<Place, PlaceError>(error) => errors.push(section.error_at(at, name, error.to_string(), "")),
            }
        }
        places
    };
    Access {
        allow: places("allow"),
        deny: places("deny"),
        questions_per_minute: section.whole("questions_per_minute", 20),
    }
}

fn defaults(section: &Section<'_>, errors: &mut Vec<ConfigError>) -> Defaults {
    let fallback = Defaults {
        schedule: Schedule::parse("0 9 * * *").ok(),
        timezone: Tz::UTC,
        language: Lang::En,
        when_empty: WhenEmpty::Say,
        style: Style::Compact,
        missed: Missed::Merge,
        weekly: None,
    };
    choices(section, &fallback, errors)
}

/// What a channel may choose, and `[defaults]` for those that do not.
fn choices(section: &Section<'_>, fallback: &Defaults, errors: &mut Vec<ConfigError>) -> Defaults {
    let mut times = |key, fallback: &Option<Schedule>| match section.text(key) {
        None => fallback.clone(),
        Some("off") => None,
        Some(text) => Schedule::parse(text)
            .map_err(|error| errors.push(section.error(key, error.to_string(), "")))
            .ok(),
    };
    let schedule = times("schedule", &fallback.schedule);
    let weekly = times("weekly", &fallback.weekly);
    let timezone = match section.text("timezone") {
        None => fallback.timezone,
        Some(text) => Tz::from_str(text).unwrap_or_else(|_| {
            let near = nearest(text, TZ_VARIANTS.iter().map(|zone| zone.name()));
            let near = near.map(|near| format!("did you mean {near}? ")).unwrap_or_default();
            errors.push(section.error(
                "timezone",
                format!("{} is no time zone", quoted(text)),
                format!("{near}zones are named as Asia/Shanghai, Europe/Berlin or UTC"),
            ));
            fallback.timezone
        }),
    };
    Defaults {
        schedule,
        timezone,
        language: language(section).unwrap_or(fallback.language),
        when_empty: match section.text("when_empty") {
            Some("silent") => WhenEmpty::Silent,
            Some(_) => WhenEmpty::Say,
            None => fallback.when_empty,
        },
        style: match section.text("style") {
            Some("full") => Style::Full,
            Some("rich") => Style::Rich,
            Some("titles") => Style::Titles,
            Some(_) => Style::Compact,
            None => fallback.style,
        },
        missed: match section.text("missed") {
            Some("skip") => Missed::Skip,
            Some("replay") => Missed::Replay,
            Some(_) => Missed::Merge,
            None => fallback.missed,
        },
        weekly,
    }
}

fn language(section: &Section<'_>) -> Option<Lang> {
    section.text("language")?.parse().ok()
}

fn channels(
    top: &Section<'_>,
    topics: &[Topic],
    defaults: &Defaults,
    errors: &mut Vec<ConfigError>,
) -> Vec<ChannelConfig> {
    let mut channels: Vec<ChannelConfig> = Vec::new();
    let mut seen: BTreeMap<Place, Where> = BTreeMap::new();
    for section in top.each("channel") {
        let place = section.text("place").map(Place::from_str);
        match &place {
            Some(Ok(place)) => {
                if let Some(first) = seen.insert(place.clone(), section.at("place").clone()) {
                    errors.push(section.error(
                        "place",
                        format!("{place} has a [[channel]] already, at {first}"),
                        "make one of the two",
                    ));
                }
            }
            Some(Err(error)) => errors.push(section.error("place", error.to_string(), "")),
            None if section.has("place") => {}
            None => errors.push(section.error(
                "place",
                "it is missing",
                "say where to post: telegram:CHAT_ID, discord:CHANNEL_ID or web:NAME",
            )),
        }
        let subjects = subjects(&section, topics, errors);
        let settings = choices(&section, defaults, errors).settings(subjects);
        if let Some(Ok(place)) = place {
            channels.push(ChannelConfig { place, settings });
        }
    }
    channels
}

fn subjects(section: &Section<'_>, topics: &[Topic], errors: &mut Vec<ConfigError>) -> Subjects {
    let ids = || topics.iter().map(|topic| topic.id.0.as_str());
    let followed = section.words("topics");
    for (at, id) in followed {
        if !ids().any(|known| known == id) {
            let near = nearest(id, ids()).map(|near| format!("did you mean “{near}”? "));
            errors.push(section.error_at(
                at,
                "topics",
                format!("there is no topic {}", quoted(id)),
                format!(
                    "{}known are {}; more are declared as [[topic]]",
                    near.unwrap_or_default(),
                    ids().collect::<Vec<_>>().join(", ")
                ),
            ));
        }
    }
    let keywords = texts(section, "keywords", errors);
    let broken = |name| section.has(name) && !is_list(section, name);
    if followed.is_empty() && keywords.is_empty() && !broken("topics") && !broken("keywords") {
        errors.push(section.error(
            "",
            "it follows nothing",
            "give it topics = [\"inference\"] or keywords = [\"kv cache\"]",
        ));
    }
    Subjects::new(followed.iter().map(|(_, id)| TopicId(id.clone())), keywords)
}

/// Whether the key has a list, be it empty; anything else has been reported.
fn is_list(section: &Section<'_>, name: &str) -> bool {
    section
        .table
        .get(name)
        .is_some_and(|node| matches!(node.value, Value::Words(_)))
}

/// A list in which no text is empty or longer than 200 characters.
fn texts(section: &Section<'_>, name: &str, errors: &mut Vec<ConfigError>) -> Vec<String> {
    let words = section.words(name);
    for (at, word) in words {
        if word.is_empty() {
            errors.push(section.error_at(at, name, "one of the texts is empty", "remove it"));
        } else if word.chars().count() > 200 {
            errors.push(section.error_at(
                at,
                name,
                format!("{} is too long", quoted(word)),
                "200 characters are enough",
            ));
        }
    }
    words.iter().map(|(_, word)| word.clone()).collect()
}

fn own_topics(top: &Section<'_>, errors: &mut Vec<ConfigError>) -> Vec<Topic> {
    let mut seen: BTreeMap<TopicId, Where> = BTreeMap::new();
    let mut topics = Vec::new();
    for section in top.each("topic") {
        let Some(topic) = topic(&section, errors) else { continue };
        if let Some(first) = seen.insert(topic.id.clone(), section.at("id").clone()) {
            errors.push(section.error(
                "id",
                format!("the topic “{}” is declared already, at {first}", topic.id),
                "make one of the two or give it another id",
            ));
        }
        topics.push(topic);
    }
    topics
}

/// The topic that a shipped file declares.
pub(crate) fn shipped_topic(table: &Table, file: &Where, errors: &mut Vec<ConfigError>) -> Option<Topic> {
    let section = Section {
        path: String::new(),
        at: file,
        table,
    };
    topic(&section, errors)
}

fn topic(section: &Section<'_>, errors: &mut Vec<ConfigError>) -> Option<Topic> {
    let id = section.text("id").unwrap_or_default();
    let valid = (1..=32).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !section.has("id") {
        errors.push(section.error("id", "it is missing", "a topic's id is what channels name it by"));
    } else if !valid && section.text("id").is_some() {
        errors.push(section.error(
            "id",
            format!("{} is no id", quoted(id)),
            "an id has 1 to 32 lower-case letters, digits or hyphens",
        ));
    }
    if !section.has("tiers") {
        errors.push(section.error(
            "tiers",
            "it is missing",
            "tiers = [{ weight = 6, terms = [\"kv cache\"] }]",
        ));
    }
    let tiers = section
        .each("tiers")
        .iter()
        .map(|tier| {
            if !tier.has("weight") {
                errors.push(tier.error("weight", "it is missing", "give the points of a term, such as 3"));
            }
            let terms = texts(tier, "terms", errors);
            if terms.is_empty() && (is_list(tier, "terms") || !tier.has("terms")) {
                errors.push(tier.error("terms", "there are none", "list at least one term"));
            }
            Tier {
                weight: tier.whole("weight", 1),
                terms,
            }
        })
        .collect();
    let name = |key| section.text(key).filter(|name| !name.is_empty());
    valid.then(|| Topic {
        id: TopicId(id.to_owned()),
        // A name in one language is better than an id in the other.
        name_zh: name("name_zh").or(name("name_en")).unwrap_or(id).to_owned(),
        name_en: name("name_en").or(name("name_zh")).unwrap_or(id).to_owned(),
        tiers,
        title_factor: section.whole("title_factor", 2),
        categories_include: texts(section, "categories_include", errors),
        categories_exclude: texts(section, "categories_exclude", errors),
        excluded_terms: texts(section, "excluded_terms", errors),
        threshold: section.whole("threshold", 1),
        cap: usize::try_from(section.whole("cap", 50)).unwrap_or(usize::MAX),
        learned: None,
    })
}

/// The address without a slash at its end. No message repeats it: people paste tokens into it.
fn base_url(section: &Section<'_>, default: &str, errors: &mut Vec<ConfigError>) -> String {
    let Some(text) = section.text("api_url") else {
        return default.to_owned();
    };
    let url = Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    match url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => {
            errors.push(section.error(
                "api_url",
                "this is no address of a server",
                format!("write one such as {default} or http://127.0.0.1:8081, without user, ? and #"),
            ));
            default.to_owned()
        }
    }
}

/// The token, from the key or from the file that is named. The environment goes before the file; at the same level only
/// one of the two may be given.
/// A path in the file is meant from the file's own folder, whatever folder the program was started in.
fn beside(at: &Where, path: &str) -> PathBuf {
    match at {
        Where::File { name, .. } => std::path::Path::new(name)
            .parent()
            .unwrap_or(std::path::Path::new(""))
            .join(path),
        Where::Variable(_) => PathBuf::from(path),
    }
}

fn token(section: &Section<'_>, errors: &mut Vec<ConfigError>) -> Option<SecretString> {
    let is_variable = |name| matches!(section.at(name), Where::Variable(_));
    let (token, file) = match (section.text("token"), section.text("token_file")) {
        (Some(_), Some(_)) if is_variable("token") == is_variable("token_file") => {
            errors.push(section.error("token", "token and token_file are both given", "keep one of them"));
            return None;
        }
        (Some(_), file @ Some(_)) if is_variable("token_file") => (None, file),
        (Some(token), _) => (Some(token), None),
        (None, file) => (None, file),
    };
    let (name, content) = match (token, file) {
        (Some(token), _) => ("token", token.to_owned()),
        (None, Some(path)) => match std::fs::read_to_string(beside(section.at("token_file"), path)) {
            Ok(content) => ("token_file", content),
            Err(error) => {
                errors.push(section.error(
                    "token_file",
                    format!(
                        "the file {} cannot be read: {error}",
                        quoted(&beside(section.at("token_file"), path).display().to_string())
                    ),
                    "",
                ));
                return None;
            }
        },
        (None, None) => return None,
    };
    let token = content.trim();
    if token.is_empty() || token.contains(|c: char| c.is_whitespace() || c.is_control()) {
        let holder = file.map_or_else(
            || "the token".to_owned(),
            |path| format!("the token in the file {}", quoted(path)),
        );
        let wrong = if token.is_empty() {
            "is empty"
        } else {
            "has white space in it"
        };
        errors.push(section.error(
            name,
            format!("{holder} {wrong}"),
            "copy it again from BotFather or from Discord's developer page, or leave the key out",
        ));
        return None;
    }
    Some(SecretString::from(token))
}
