//! The effective configuration as a file of its own, with the origin of every value that somebody gave.

use paperwire_core::delivery::UncertainPolicy;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use paperwire_core::channel::{Place, WhenEmpty};
use paperwire_core::schedule::Schedule;
use secrecy::SecretString;
use toml::Value;

use crate::error::Where;
use crate::{Config, Defaults};

/// What stands for a secret.
const HIDDEN: &str = "(hidden)";

struct Page<'a> {
    text: String,
    path: String,
    origins: &'a BTreeMap<String, Where>,
}

impl Page<'_> {
    /// Begins a section: `[web]` or `[[channel]]`, whose values' origins are under `path`.
    fn section(&mut self, header: &str, path: String) {
        let _ = writeln!(self.text, "\n{header}");
        self.path = format!("{path}.");
    }

    fn origin(&self, name: &str) -> Option<&Where> {
        self.origins.get(&format!("{}{name}", self.path))
    }

    fn line(&mut self, name: &str, value: impl Into<Value>) {
        let comment = comment(self.origin(name));
        let _ = writeln!(self.text, "{name} = {}{comment}", value.into());
    }

    fn secret(&mut self, name: &str, secret: Option<&SecretString>) {
        if secret.is_some() {
            // When both keys are given, the one from the environment counts; a variable sorts behind a file.
            let comment = comment(self.origin(name).max(self.origin(&format!("{name}_file"))));
            let _ = writeln!(self.text, "{name} = \"{HIDDEN}\"{comment}");
        }
    }

    fn choices(&mut self, choices: &Defaults) {
        let schedule = choices.schedule.as_ref().map_or("off".to_owned(), Schedule::to_string);
        self.line("schedule", schedule);
        self.line("timezone", choices.timezone.name());
        self.line("language", choices.language.code());
        self.line(
            "when_empty",
            match choices.when_empty {
                WhenEmpty::Say => "say",
                WhenEmpty::Silent => "silent",
            },
        );
        self.line("style", choices.style.name());
        self.line("missed", choices.missed.name());
        let weekly = choices.weekly.as_ref().map_or("off".to_owned(), Schedule::to_string);
        self.line("weekly", weekly);
    }
}

fn comment(origin: Option<&Where>) -> String {
    origin.map(|at| format!("  # {at}")).unwrap_or_default()
}

fn list<'a>(words: impl IntoIterator<Item = &'a String>) -> Value {
    Value::Array(words.into_iter().map(|word| Value::String(word.clone())).collect())
}

/// An address without what may be a key: user, password and the values of its query.
fn public(url: &str) -> String {
    let Ok(mut url) = url::Url::parse(url) else {
        return HIDDEN.to_owned();
    };
    if !url.username().is_empty() || url.password().is_some() {
        let _ = url.set_username("");
        let _ = url.set_password(None);
    }
    match url.query() {
        Some(_) => {
            url.set_query(None);
            format!("{url}?{HIDDEN}")
        }
        None => url.to_string(),
    }
}

pub(crate) fn show(config: &Config) -> String {
    let mut page = Page {
        text: String::new(),
        path: String::new(),
        origins: &config.origins,
    };
    page.line("data", config.data.display().to_string());

    let telegram = &config.telegram;
    page.section("[telegram]", "telegram".to_owned());
    page.secret("token", telegram.token.as_ref());
    page.line("api_url", telegram.api_url.as_str());
    page.line(
        "uncertain",
        match telegram.uncertain {
            UncertainPolicy::Resend => "resend",
            UncertainPolicy::Skip => "skip",
        },
    );
    page.line("messages_per_second", telegram.messages_per_second);
    page.line("per_chat_per_second", telegram.per_chat_per_second);
    page.line("per_group_per_minute", telegram.per_group_per_minute);
    page.line("paid_broadcast", telegram.paid_broadcast);

    page.section("[discord]", "discord".to_owned());
    page.secret("token", config.discord.token.as_ref());
    page.line("api_url", config.discord.api_url.as_str());
    page.line("requests_per_second", config.discord.requests_per_second);
    page.line("per_channel_per_5_seconds", config.discord.per_channel_per_5_seconds);
    if let Some(role) = config.discord.manager_role {
        page.line("manager_role", role.to_string());
    }

    page.section("[web]", "web".to_owned());
    page.line("enabled", config.web.enabled);
    page.line("listen", config.web.listen.to_string());
    page.line("title", config.web.title.as_str());
    page.line("language", config.web.language.code());
    page.line("hosts", list(&config.web.hosts));

    let places = |places: &[Place]| list(&places.iter().map(ToString::to_string).collect::<Vec<_>>());
    page.section("[access]", "access".to_owned());
    page.line("allow", places(&config.access.allow));
    page.line("deny", places(&config.access.deny));
    page.line("questions_per_minute", config.access.questions_per_minute);

    page.section("[operator]", "operator".to_owned());
    if let Some(place) = &config.operator.place {
        page.line("place", place.to_string());
    }
    page.line("language", config.operator.language.code());

    let institutions = &config.institutions;
    let asked = [
        ("arxiv-html", "arxiv_html_url", &institutions.arxiv_html),
        ("grobid", "grobid_url", &institutions.grobid),
        ("openalex", "openalex_url", &institutions.openalex),
    ];
    let asked = || {
        asked
            .iter()
            .filter_map(|(kind, key, url)| Some((*kind, *key, url.as_ref()?)))
    };
    page.section("[institutions]", "institutions".to_owned());
    page.line(
        "from",
        list(&asked().map(|(kind, ..)| kind.to_owned()).collect::<Vec<_>>()),
    );
    for (_, key, url) in asked() {
        page.line(key, url.as_str());
    }
    page.line("pdf_url", institutions.pdfs.as_str());

    for (i, source) in config.sources.iter().enumerate() {
        page.section("[[source]]", format!("source[{i}]"));
        page.line("kind", source.kind.name());
        page.line("url", public(&source.url));
        if !source.categories.is_empty() {
            page.line("categories", list(&source.categories));
        }
        page.line("days", source.days);
    }

    if let Some(model) = &config.model {
        page.section("[model]", "model".to_owned());
        page.line("url", model.url.as_str());
        page.line("name", model.name.as_str());
        page.secret("api_key", model.api_key.as_ref());
        page.line("calls_per_day", model.calls_per_day);
        page.line("tokens_per_day", model.tokens_per_day);
        page.line("concurrency", model.concurrency);
        page.line("requests_per_minute", model.requests_per_minute);
        page.line("timeout", i64::try_from(model.timeout.as_secs()).unwrap_or(i64::MAX));
        page.line("patience", i64::try_from(model.patience.as_secs()).unwrap_or(i64::MAX));
        if let Some(folder) = &model.prompts_from {
            page.line("prompts", folder.display().to_string());
        }
        page.line("judge", list(model.judge.iter().map(|id| &id.0)));
    }

    page.section("[defaults]", "defaults".to_owned());
    page.choices(&config.defaults);

    for (i, channel) in config.channels.iter().enumerate() {
        let settings = &channel.settings;
        page.section("[[channel]]", format!("channel[{i}]"));
        page.line("place", channel.place.to_string());
        page.line("topics", list(settings.subjects.topics.iter().map(|id| &id.0)));
        page.line("keywords", list(&settings.subjects.keywords));
        page.choices(&Defaults {
            schedule: settings.schedule.clone(),
            timezone: settings.timezone,
            language: settings.language,
            when_empty: settings.when_empty,
            style: settings.style,
            missed: settings.missed,
            weekly: settings.weekly.clone(),
        });
    }

    // The user's topics stand behind the shipped ones; those have no origin.
    let given = config
        .origins
        .keys()
        .filter(|path| path.starts_with("topic[") && path.ends_with("].id"))
        .count();
    let shipped = config.topics.len().saturating_sub(given);
    for (i, topic) in config.topics.iter().enumerate() {
        match i.checked_sub(shipped) {
            Some(i) => page.section("[[topic]]", format!("topic[{i}]")),
            None => page.section("[[topic]]  # shipped with the program", "shipped".to_owned()),
        }
        page.line("id", topic.id.0.as_str());
        page.line("name_zh", topic.name_zh.as_str());
        page.line("name_en", topic.name_en.as_str());
        page.line("title_factor", topic.title_factor);
        page.line("categories_include", list(&topic.categories_include));
        page.line("categories_exclude", list(&topic.categories_exclude));
        page.line("excluded_terms", list(&topic.excluded_terms));
        page.line("threshold", topic.threshold);
        page.line("cap", i64::try_from(topic.cap).unwrap_or(i64::MAX));
        let _ = writeln!(page.text, "tiers = [");
        for tier in &topic.tiers {
            let _ = writeln!(
                page.text,
                "  {{ weight = {}, terms = {} }},",
                tier.weight,
                list(&tier.terms)
            );
        }
        let _ = writeln!(page.text, "]");
    }
    page.text
}
