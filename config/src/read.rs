//! From the checked tree to a [`Config`]: what a type alone cannot say (an address, a zone, a topic that exists).

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use chrono_tz::{TZ_VARIANTS, Tz};
use paperwire_core::brief::prompt::{Prompt, Prompts};
use paperwire_core::channel::{Missed, Place, PlaceError, Style, WhenEmpty};
use paperwire_core::delivery::UncertainPolicy;
use paperwire_core::locale::Lang;
use paperwire_core::schedule::Schedule;
use paperwire_core::source::SourceKind;
use paperwire_core::subscription::Subjects;
use paperwire_core::topic::{Tier, Topic, TopicId};
use secrecy::SecretString;
use url::Url;

use crate::error::{ConfigError, Where, nearest, quoted};
use crate::token;
use crate::tree::{Node, Table, Value};
use crate::{
    Access, ChannelConfig, Config, Defaults, Discord, Institutions, Model, Operator, SourceConfig, Telegram, Web,
};

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
        operator: operator(&Section::sub(root, "operator", file), errors),
        institutions: institutions(&Section::sub(root, "institutions", file), errors),
        sources: sources(&top, errors),
        model: model(&Section::sub(root, "model", file), &topics, errors),
        defaults,
        channels,
        topics,
        origins,
    }
}

fn telegram(section: &Section<'_>, errors: &mut Vec<ConfigError>) -> Telegram {
    let api_url = base_url(section, "api_url", "https://api.telegram.org", errors);
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
    let given = base_url(section, "api_url", "https://discord.com", errors);
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

fn operator(section: &Section<'_>, errors: &mut Vec<ConfigError>) -> Operator {
    let place = section.text("place").and_then(|text| {
        let place = Place::from_str(text);
        let place = place.map_err(|error| errors.push(section.error("place", error.to_string(), "")));
        place.ok()
    });
    Operator {
        place,
        language: language(section).unwrap_or(Lang::En),
    }
}

fn institutions(section: &Section<'_>, errors: &mut Vec<ConfigError>) -> Institutions {
    const KINDS: [&str; 3] = ["arxiv-html", "grobid", "openalex"];
    let from = section.words("from");
    for (at, kind) in from {
        if !KINDS.contains(&kind.as_str()) {
            errors.push(section.error_at(
                at,
                "from",
                format!("{} is not possible", quoted(kind)),
                format!("possible are {}", KINDS.join(", ")),
            ));
        }
    }
    let mut url = |kind: &str, key: &str, default: &str| {
        let url = base_url(section, key, default, errors);
        from.iter().any(|(_, wanted)| wanted == kind).then_some(url)
    };
    Institutions {
        arxiv_html: url("arxiv-html", "arxiv_html_url", "https://arxiv.org/html"),
        grobid: url("grobid", "grobid_url", "http://127.0.0.1:8070"),
        openalex: url("openalex", "openalex_url", "https://api.openalex.org"),
        pdfs: base_url(section, "pdf_url", "https://arxiv.org", errors),
    }
}

/// A source's kind by its name in the file, with the address where it usually is; a feed and a file of one's own are
/// everywhere.
fn source_kind(name: &str) -> Option<(SourceKind, &'static str)> {
    Some(match name {
        "arxiv-api" => (SourceKind::ArxivApi, "https://export.arxiv.org/api/query"),
        "arxiv-rss" => (SourceKind::ArxivRss, "https://rss.arxiv.org/rss"),
        "arxiv-oai" => (SourceKind::ArxivOai, "https://oaipmh.arxiv.org/oai"),
        "hugging-face" => (SourceKind::HuggingFace, "https://huggingface.co/api/daily_papers"),
        "feed" => (SourceKind::Feed, ""),
        "jsonl" => (SourceKind::Jsonl, ""),
        _ => return None,
    })
}

fn sources(top: &Section<'_>, errors: &mut Vec<ConfigError>) -> Vec<SourceConfig> {
    let mut sources: Vec<SourceConfig> = Vec::new();
    for section in top.each("source") {
        let Some((kind, default)) = section.text("kind").and_then(source_kind) else {
            if !section.has("kind") {
                errors.push(section.error(
                    "kind",
                    "it is missing",
                    "say which: \"arxiv-api\" takes in what arXiv announces in your categories",
                ));
            }
            continue;
        };
        let own_address = default.is_empty();
        let url = if own_address {
            whole_url(&section, errors)
        } else {
            base_url(&section, "url", default, errors)
        };
        let of_arxiv = match kind {
            SourceKind::ArxivApi | SourceKind::ArxivRss | SourceKind::ArxivOai => true,
            SourceKind::HuggingFace
            | SourceKind::Feed
            | SourceKind::Jsonl
            | SourceKind::ArxivMail
            | SourceKind::Report
            | SourceKind::ArxivHtml
            | SourceKind::Grobid
            | SourceKind::OpenAlex => false,
        };
        let categories = section.words("categories");
        if of_arxiv && categories.is_empty() {
            errors.push(section.error(
                "categories",
                "there are none",
                "name arXiv's categories: categories = [\"cs.LG\", \"cs.CL\"], or [\"cs.*\"] for all of computer science",
            ));
        } else if !of_arxiv && section.has("categories") {
            errors.push(section.error(
                "categories",
                "only arXiv's sources have categories",
                "leave the line out, and let topics and rules choose",
            ));
        }
        for (at, category) in categories {
            if !is_category(category) {
                errors.push(section.error_at(
                    at,
                    "categories",
                    format!("{} is no category of arXiv", quoted(category)),
                    "they are written as cs.LG, stat.ML, quant-ph, or cs.* for a whole archive",
                ));
            }
        }
        let source = SourceConfig {
            kind,
            url,
            categories: categories.iter().map(|(_, category)| category.clone()).collect(),
            days: section.whole("days", 14),
        };
        if sources
            .iter()
            .any(|other| other.kind == kind && other.url == source.url)
        {
            errors.push(section.error(
                "kind",
                format!("there is a [[source]] of this kind and address already ({kind})"),
                "put the categories of both into one",
            ));
        }
        sources.push(source);
    }
    sources
}

/// `cs.LG`, `cs.*`, `quant-ph` (arXiv category taxonomy).
fn is_category(text: &str) -> bool {
    let (archive, class) = text.split_once('.').unwrap_or((text, "*"));
    let named = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
    named(archive) && text.len() <= 24 && (class == "*" || named(class))
}

/// An address of one's own, which may have a query. No message repeats it: some hold a key.
fn whole_url(section: &Section<'_>, errors: &mut Vec<ConfigError>) -> String {
    let Some(text) = section.text("url") else {
        if !section.has("url") {
            errors.push(section.error(
                "url",
                "it is missing",
                "give the feed's address: https://example.org/feed.xml",
            ));
        }
        return String::new();
    };
    let usable = Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !usable {
        errors.push(section.error(
            "url",
            "this is no address",
            "write one such as https://example.org/feed.xml",
        ));
    }
    text.to_owned()
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
    let followed = named(section, "topics", topics, errors);
    let keywords = texts(section, "keywords", errors);
    let broken = |name| section.has(name) && !is_list(section, name);
    if followed.is_empty() && keywords.is_empty() && !broken("topics") && !broken("keywords") {
        errors.push(section.error(
            "",
            "it follows nothing",
            "give it topics = [\"inference\"] or keywords = [\"kv cache\"]",
        ));
    }
    Subjects::new(followed, keywords)
}

/// A list of topics that there are.
fn named(section: &Section<'_>, name: &str, topics: &[Topic], errors: &mut Vec<ConfigError>) -> Vec<TopicId> {
    let ids = || topics.iter().map(|topic| topic.id.0.as_str());
    let words = section.words(name);
    for (at, id) in words {
        if !ids().any(|known| known == id) {
            let near = nearest(id, ids()).map(|near| format!("did you mean “{near}”? "));
            errors.push(section.error_at(
                at,
                name,
                format!("there is no topic {}", quoted(id)),
                format!(
                    "{}known are {}; more are declared as [[topic]]",
                    near.unwrap_or_default(),
                    ids().collect::<Vec<_>>().join(", ")
                ),
            ));
        }
    }
    words.iter().map(|(_, id)| TopicId(id.clone())).collect()
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

fn base_url(section: &Section<'_>, key: &str, default: &str, errors: &mut Vec<ConfigError>) -> String {
    address(section, key, &format!("{default} or http://127.0.0.1:8081"), errors).unwrap_or_else(|| default.to_owned())
}

/// The address without a slash at its end. No message repeats it: people paste tokens into it.
fn address(section: &Section<'_>, key: &str, such_as: &str, errors: &mut Vec<ConfigError>) -> Option<String> {
    let url = Url::parse(section.text(key)?).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    if url.is_none() {
        errors.push(section.error(
            key,
            "this is no address of a server",
            format!("write one such as {such_as}, without user, ? and #"),
        ));
    }
    Some(url?.as_str().trim_end_matches('/').to_owned())
}

fn model(section: &Section<'_>, topics: &[Topic], errors: &mut Vec<ConfigError>) -> Option<Model> {
    let url = address(
        section,
        "url",
        "http://localhost:11434/v1 or https://api.openai.com/v1",
        errors,
    );
    let name = section.text("name").filter(|name| !name.is_empty());
    if !section.has("url") {
        for key in ["name", "api_key", "api_key_file", "prompts", "judge"] {
            if section.has(key) {
                errors.push(section.error(
                    key,
                    "there is no model.url, and without it no model",
                    "say where the model is, or leave this out",
                ));
            }
        }
        return None;
    }
    if name.is_none() {
        errors.push(section.error(
            "name",
            "it is missing",
            "say which model to ask, as its server calls it",
        ));
    }
    let prompts_from = section.text("prompts").map(|path| beside(section.at("prompts"), path));
    let seconds = |key, default| Duration::from_secs(u64::from(section.whole(key, default)));
    let model = Model {
        // People copy the whole address from examples.
        url: url
            .as_deref()
            .map_or("", |url| url.trim_end_matches("/chat/completions"))
            .to_owned(),
        name: name.unwrap_or_default().to_owned(),
        api_key: secret(
            section,
            "api_key",
            "api_key_file",
            "copy it again from your provider, or leave the key out",
            errors,
        ),
        calls_per_day: section.whole("calls_per_day", 1_000),
        tokens_per_day: section.whole("tokens_per_day", 2_000_000),
        concurrency: section.whole("concurrency", 4),
        requests_per_minute: section.whole("requests_per_minute", 120),
        timeout: seconds("timeout", 60),
        patience: seconds("patience", 300),
        prompts: prompts(section, prompts_from.as_deref(), errors),
        prompts_from,
        judge: named(section, "judge", topics, errors),
    };
    url.is_some().then_some(model)
}

/// The prompts in a folder of the user's own: `brief.zh.md`, `brief.en.md` or both.
fn prompts(section: &Section<'_>, folder: Option<&std::path::Path>, errors: &mut Vec<ConfigError>) -> Prompts {
    let Some(folder) = folder else {
        return Prompts::default();
    };
    let mut found = false;
    let mut of = |lang: Lang| {
        let path = folder.join(format!("brief.{lang}.md"));
        let named = quoted(&path.display().to_string());
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => {
                found = true;
                errors.push(section.error("prompts", format!("the prompt {named} cannot be read: {error}"), ""));
                return None;
            }
        };
        found = true;
        let prompt = Prompt::parse(lang, &text);
        prompt
            .map_err(|error| errors.push(section.error("prompts", format!("the prompt {named}: {error}"), "")))
            .ok()
    };
    let prompts = Prompts::new(of(Lang::Zh), of(Lang::En));
    if !found {
        let folder = quoted(&folder.display().to_string());
        errors.push(section.error(
            "prompts",
            format!("there is neither brief.zh.md nor brief.en.md in {folder}"),
            "put a prompt there, or leave the line out",
        ));
    }
    prompts
}

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
    let again = "copy it again from BotFather or from Discord's developer page, or leave the key out";
    secret(section, "token", "token_file", again, errors)
}

/// A secret, from `key` or from the file that `key_file` names. The environment goes before the file; at the same level only
/// one of the two may be given.
fn secret(
    section: &Section<'_>,
    key: &str,
    key_file: &str,
    again: &str,
    errors: &mut Vec<ConfigError>,
) -> Option<SecretString> {
    let what = key.replace('_', " ");
    let is_variable = |name| matches!(section.at(name), Where::Variable(_));
    let (token, file) = match (section.text(key), section.text(key_file)) {
        (Some(_), Some(_)) if is_variable(key) == is_variable(key_file) => {
            errors.push(section.error(key, format!("{key} and {key_file} are both given"), "keep one of them"));
            return None;
        }
        (Some(_), file @ Some(_)) if is_variable(key_file) => (None, file),
        (Some(token), _) => (Some(token), None),
        (None, file) => (None, file),
    };
    let (name, content) = match (token, file) {
        (Some(token), _) => (key, token.to_owned()),
        (None, Some(path)) => {
            match std::fs::read_to_string(beside(section.at(key_file), path)) {
                Ok(content) => (key_file, content),
                Err(error)
                    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidFilename)
                        && token::is_likely(path) =>
                {
                    errors.push(section.error(
                    key_file,
                    format!("there is no such file, and its name, not repeated here, looks like the {what} itself: {error}"),
                    format!("write that into {key}, or name a file that holds it"),
                ));
                    return None;
                }
                Err(error) => {
                    errors.push(section.error(
                        key_file,
                        format!(
                            "the file {} cannot be read: {error}",
                            quoted(&beside(section.at(key_file), path).display().to_string())
                        ),
                        "",
                    ));
                    return None;
                }
            }
        }
        (None, None) => return None,
    };
    let token = content.trim();
    if token.is_empty() || token.contains(|c: char| c.is_whitespace() || c.is_control()) {
        let holder = file.map_or_else(
            || format!("the {what}"),
            |path| format!("the {what} in the file {}", quoted(path)),
        );
        let before = ["Bot", "Bearer"].into_iter().find(|word| {
            let rest = token.strip_prefix(word);
            rest.is_some_and(|rest| rest.starts_with(char::is_whitespace))
        });
        let wrong = match before {
            _ if token.is_empty() => "is empty".to_owned(),
            Some(word) => format!("has “{word}” before it, which is added by itself"),
            None => "has white space in it".to_owned(),
        };
        errors.push(section.error(name, format!("{holder} {wrong}"), again));
        return None;
    }
    Some(SecretString::from(token))
}
