//! Every key, declared once: the check for unknown ones, the names of the environment's variables and the test that
//! the example explains all of them follow from this table.

/// What a key holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Text,
    /// A text that is never shown.
    Secret,
    /// A whole number from and to.
    Whole(u32, u32),
    Switch,
    /// A list of texts.
    Words,
    Choice(&'static [&'static str]),
    Table(&'static [Key]),
    /// An array of tables.
    Tables(&'static [Key]),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

const fn key(name: &'static str, kind: Kind) -> Key {
    Key { name, kind }
}

const LANGUAGE: Kind = Kind::Choice(&["en", "zh"]);
const RATE: Kind = Kind::Whole(1, 10_000);

pub(crate) const ROOT: &[Key] = &[
    key("data", Kind::Text),
    key("telegram", Kind::Table(TELEGRAM)),
    key("discord", Kind::Table(DISCORD)),
    key("web", Kind::Table(WEB)),
    key("access", Kind::Table(ACCESS)),
    key("operator", Kind::Table(OPERATOR)),
    key("institutions", Kind::Table(INSTITUTIONS)),
    key("source", Kind::Tables(SOURCE)),
    key("model", Kind::Table(MODEL)),
    key("defaults", Kind::Table(DEFAULTS)),
    key("channel", Kind::Tables(CHANNEL)),
    key("topic", Kind::Tables(TOPIC)),
];

const TELEGRAM: &[Key] = &[
    key("token", Kind::Secret),
    key("token_file", Kind::Text),
    key("api_url", Kind::Text),
    key("uncertain", Kind::Choice(&["resend", "skip"])),
    key("messages_per_second", RATE),
    key("per_chat_per_second", RATE),
    key("per_group_per_minute", RATE),
    key("paid_broadcast", Kind::Switch),
];

const DISCORD: &[Key] = &[
    key("token", Kind::Secret),
    key("token_file", Kind::Text),
    key("api_url", Kind::Text),
    key("requests_per_second", RATE),
    key("per_channel_per_5_seconds", RATE),
    key("manager_role", Kind::Text),
];

const WEB: &[Key] = &[
    key("enabled", Kind::Switch),
    key("listen", Kind::Text),
    key("title", Kind::Text),
    key("language", LANGUAGE),
    key("hosts", Kind::Words),
];

const ACCESS: &[Key] = &[
    key("allow", Kind::Words),
    key("deny", Kind::Words),
    key("questions_per_minute", Kind::Whole(1, 10_000)),
];

const OPERATOR: &[Key] = &[key("place", Kind::Text), key("language", LANGUAGE)];

const INSTITUTIONS: &[Key] = &[
    key("from", Kind::Words),
    key("arxiv_html_url", Kind::Text),
    key("grobid_url", Kind::Text),
    key("pdf_url", Kind::Text),
    key("openalex_url", Kind::Text),
];

const SOURCE: &[Key] = &[
    key(
        "kind",
        Kind::Choice(&["arxiv-api", "arxiv-rss", "arxiv-oai", "hugging-face", "feed", "jsonl"]),
    ),
    key("url", Kind::Text),
    key("categories", Kind::Words),
    key("days", Kind::Whole(0, 14)),
];

const MODEL: &[Key] = &[
    key("url", Kind::Text),
    key("name", Kind::Text),
    key("api_key", Kind::Secret),
    key("api_key_file", Kind::Text),
    key("calls_per_day", Kind::Whole(1, 10_000_000)),
    key("tokens_per_day", Kind::Whole(1, 4_000_000_000)),
    key("concurrency", Kind::Whole(1, 256)),
    key("requests_per_minute", Kind::Whole(1, 100_000)),
    key("timeout", Kind::Whole(1, 3_600)),
    key("patience", Kind::Whole(0, 3_600)),
    key("prompts", Kind::Text),
    key("judge", Kind::Words),
];

const SCHEDULE: Key = key("schedule", Kind::Text);
const TIMEZONE: Key = key("timezone", Kind::Text);
const WHEN_EMPTY: Key = key("when_empty", Kind::Choice(&["say", "silent"]));
const STYLE: Key = key("style", Kind::Choice(&["titles", "compact", "full", "rich"]));

const WEEKLY: Key = key("weekly", Kind::Text);
const MISSED: Key = key("missed", Kind::Choice(&["merge", "skip", "replay"]));

const DEFAULTS: &[Key] = &[
    SCHEDULE,
    TIMEZONE,
    key("language", LANGUAGE),
    WHEN_EMPTY,
    STYLE,
    MISSED,
    WEEKLY,
];

const CHANNEL: &[Key] = &[
    key("place", Kind::Text),
    key("topics", Kind::Words),
    key("keywords", Kind::Words),
    SCHEDULE,
    TIMEZONE,
    key("language", LANGUAGE),
    WHEN_EMPTY,
    STYLE,
    MISSED,
    WEEKLY,
];

/// A `[[topic]]`; a shipped topic is a file with these keys at its top.
pub(crate) const TOPIC: &[Key] = &[
    key("id", Kind::Text),
    key("name_zh", Kind::Text),
    key("name_en", Kind::Text),
    key("tiers", Kind::Tables(TIER)),
    key("title_factor", Kind::Whole(1, 100)),
    key("categories_include", Kind::Words),
    key("categories_exclude", Kind::Words),
    key("excluded_terms", Kind::Words),
    key("threshold", Kind::Whole(1, 1_000_000)),
    key("cap", Kind::Whole(1, 10_000)),
];

const TIER: &[Key] = &[key("weight", Kind::Whole(1, 1_000)), key("terms", Kind::Words)];

/// What every variable of this program begins with.
pub(crate) const PREFIX: &str = "PAPERWIRE_";

/// Variables that are read by the command line, and those that Kubernetes sets in every container beside a service
/// called `paperwire`.
pub(crate) fn is_foreign(variable: &str) -> bool {
    matches!(
        variable,
        "PAPERWIRE_CONFIG" | "PAPERWIRE_DATA" | "PAPERWIRE_LOG" | "PAPERWIRE_PORT"
    ) || variable.starts_with("PAPERWIRE_SERVICE_")
        || variable.starts_with("PAPERWIRE_PORT_")
}

/// The path of every key that holds a value, with `0` for the indexes.
pub(crate) fn leaves() -> Vec<Vec<&'static str>> {
    fn collect(keys: &'static [Key], path: &[&'static str], out: &mut Vec<Vec<&'static str>>) {
        for key in keys {
            let path = [path, &[key.name]].concat();
            match key.kind {
                Kind::Table(keys) => collect(keys, &path, out),
                Kind::Tables(keys) => collect(keys, &[&path[..], &["0"]].concat(), out),
                Kind::Text | Kind::Secret | Kind::Whole(..) | Kind::Switch | Kind::Words | Kind::Choice(_) => {
                    out.push(path);
                }
            }
        }
    }
    let mut out = Vec::new();
    collect(ROOT, &[], &mut out);
    out
}

/// The variable that overrides a key.
pub(crate) fn variable(path: &[&str]) -> String {
    format!("{PREFIX}{}", path.join("__").to_uppercase())
}

/// The sections, as they are written in the file, that have a key of this name.
pub(crate) fn sections_with(name: &str) -> Vec<String> {
    let has = |keys: &[Key]| keys.iter().any(|key| key.name == name);
    ROOT.iter()
        .filter_map(|key| match key.kind {
            Kind::Table(keys) if has(keys) => Some(format!("[{}]", key.name)),
            Kind::Tables(keys) if has(keys) => Some(format!("[[{}]]", key.name)),
            Kind::Table(_)
            | Kind::Tables(_)
            | Kind::Text
            | Kind::Secret
            | Kind::Whole(..)
            | Kind::Switch
            | Kind::Words
            | Kind::Choice(_) => None,
        })
        .collect()
}
