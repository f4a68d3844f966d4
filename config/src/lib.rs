//! One file in, one checked [`Config`] out.
//!
//! The file is TOML, and `paperwire.toml` beside this crate ([`EXAMPLE`]) explains every key. A variable of the
//! environment goes before the file: `PAPERWIRE_` and the key's path in capitals, with two underscores between the
//! levels (`PAPERWIRE_TELEGRAM__TOKEN`, `PAPERWIRE_CHANNEL__0__PLACE`). Whatever is wrong is reported at once, with its
//! line or variable and what to do: an unknown key, a zone that does not exist, a channel that follows nothing.
//!
//! Absent on purpose: the network and the store. Only files of secrets and prompts are read besides the configuration's own.

mod error;
mod read;
mod schema;
mod show;
mod token;
mod tree;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono_tz::Tz;
use paperwire_core::brief::prompt::Prompts;
use paperwire_core::channel::{Missed, Place, Platform, Settings, Style, WhenEmpty};
use paperwire_core::delivery::UncertainPolicy;
use paperwire_core::locale::Lang;
use paperwire_core::schedule::Schedule;
use paperwire_core::source::SourceKind;
use paperwire_core::subscription::Subjects;
use paperwire_core::topic::{Topic, TopicId};
use secrecy::{ExposeSecret as _, SecretString};

pub use crate::error::{ConfigError, ConfigErrors, Where};

/// A configuration file in which every key is explained and stands with its default.
pub const EXAMPLE: &str = include_str!("../paperwire.toml");

/// The topics that come with the program, each as the file that declares it.
const SHIPPED: [(&str, &str); 1] = [("topics/inference.toml", include_str!("../topics/inference.toml"))];

/// Everything that can be set, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder of everything that is kept; relative to the working directory.
    pub data: PathBuf,
    /// Telegram.
    pub telegram: Telegram,
    /// Discord.
    pub discord: Discord,
    /// The local web page.
    pub web: Web,
    /// Whom the bot serves.
    pub access: Access,
    /// Who looks after the program.
    pub operator: Operator,
    /// Where institutions come from that a paper's source does not tell.
    pub institutions: Institutions,
    /// Where papers come from by themselves; no two are of the same kind and address.
    pub sources: Vec<SourceConfig>,
    /// Who writes the briefs; `None` leaves them to the abstracts' own words.
    pub model: Option<Model>,
    /// What a channel gets that does not choose.
    pub defaults: Defaults,
    /// The channels of the file.
    pub channels: Vec<ChannelConfig>,
    /// The shipped topics, unless replaced, then the user's; no two have the same id.
    pub topics: Vec<Topic>,
    /// Where every given value came from, by its path.
    origins: BTreeMap<String, Where>,
}

/// `[telegram]`.
#[derive(Debug, Clone)]
pub struct Telegram {
    /// The bot's token; without one there is no Telegram.
    pub token: Option<SecretString>,
    /// The address of the Bot API's server, without a slash at its end.
    pub api_url: String,
    /// What becomes of a message of which it is not known whether it arrived.
    pub uncertain: UncertainPolicy,
    /// Messages per second over all chats (bots FAQ: about 30; [`Self::FREE_PER_SECOND`], [`Self::PAID_PER_SECOND`]).
    pub messages_per_second: u32,
    /// Messages per second to one chat (Bot API FAQ: 1).
    pub per_chat_per_second: u32,
    /// Messages per minute to one group (Bot API FAQ: 20).
    pub per_group_per_minute: u32,
    /// Whether messages above the free limit are paid for (Bot API, `sendMessage`, `allow_paid_broadcast`).
    pub paid_broadcast: bool,
}

impl Telegram {
    /// The most messages per second that cost nothing (<https://core.telegram.org/bots/faq>, on hitting limits).
    pub const FREE_PER_SECOND: u32 = 30;
    /// The most with paid broadcasts (Bot API, `sendMessage`: “up to 1000 messages per second, ignoring broadcasting
    /// limits for a fee of 0.1 Telegram Stars per message”).
    pub const PAID_PER_SECOND: u32 = 1_000;
}

/// `[discord]`.
#[derive(Debug, Clone)]
pub struct Discord {
    /// The bot's token; without one there is no Discord.
    pub token: Option<SecretString>,
    /// The server's address without `/api/v10` and without a slash at its end, also when it was given with them.
    pub api_url: String,
    /// Requests per second over all channels (Discord API reference: 50).
    pub requests_per_second: u32,
    /// Messages per 5 seconds in one channel until the headers of Discord's answers say otherwise (in practice: 5).
    pub per_channel_per_5_seconds: u32,
    /// The id of a role whose members may change settings, beside those whom Discord lets manage the channel.
    pub manager_role: Option<u64>,
}

/// `[web]`.
#[derive(Debug, Clone)]
pub struct Web {
    /// Whether there is a page at all.
    pub enabled: bool,
    /// The address on which it is served.
    pub listen: SocketAddr,
    /// Its title.
    pub title: String,
    /// Its language until a reader chooses.
    pub language: Lang,
    /// Names under which it may be opened, beside those of the machine itself and `listen`'s.
    pub hosts: Vec<String>,
}

/// `[access]`: whom the bot serves, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The only places where it answers, beside the channels of the file; empty for everywhere.
    pub allow: Vec<Place>,
    /// Where it does not answer.
    pub deny: Vec<Place>,
    /// How many questions and presses of one person it answers in a minute.
    pub questions_per_minute: u32,
}

/// `[operator]`: who looks after the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Where it says what somebody should look at: gaps, sources that fail, digests that are held back; `None` leaves that
    /// to the log and to `doctor`.
    pub place: Option<Place>,
    /// In which language.
    pub language: Lang,
}

/// `[institutions]`: where institutions come from; each is an address without a slash at its end, or `None` where it is not
/// asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Institutions {
    /// arXiv's HTML pages of papers.
    pub arxiv_html: Option<String>,
    /// A GROBID server.
    pub grobid: Option<String>,
    /// Where it gets the papers that it reads: the address below which arXiv's `pdf/…` are.
    pub pdfs: String,
    /// OpenAlex.
    pub openalex: Option<String>,
}

/// A `[[source]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceConfig {
    /// Which kind.
    pub kind: SourceKind,
    /// Where it is; of arXiv's and Hugging Face's without a slash at its end. It may hold a key.
    pub url: String,
    /// arXiv's categories, `cs.*` for a whole archive; empty for other kinds.
    pub categories: Vec<String>,
    /// How many days of a gap it fills.
    pub days: u32,
}

/// `[model]`: a language model behind an address that speaks OpenAI's chat completions.
#[derive(Debug, Clone)]
pub struct Model {
    /// The address to which `/chat/completions` is added, without a slash at its end.
    pub url: String,
    /// What the model is called there.
    pub name: String,
    /// The key, where the server wants one.
    pub api_key: Option<SecretString>,
    /// How many requests a day (UTC) may be made.
    pub calls_per_day: u32,
    /// How many tokens a day (UTC) may be used, questions and answers together.
    pub tokens_per_day: u32,
    /// How many requests may be under way at the same time.
    pub concurrency: u32,
    /// How many requests may begin in a minute.
    pub requests_per_minute: u32,
    /// How long one request may take, whole seconds.
    pub timeout: Duration,
    /// How long a digest that is due waits for its briefs at most, whole seconds.
    pub patience: Duration,
    /// What it is asked.
    pub prompts: Prompts,
    /// The folder of the user's own prompts, if there is one.
    pub prompts_from: Option<PathBuf>,
    /// The topics that were taught of which it judges the papers near the threshold.
    pub judge: Vec<TopicId>,
}

impl Model {
    /// A key that leaves this machine unencrypted.
    fn warning(&self) -> Option<String> {
        let host = self.url.strip_prefix("http://")?.split(['/', ':']).next()?;
        let here = matches!(host, "localhost" | "127.0.0.1" | "[");
        (self.api_key.is_some() && !here).then(|| {
            "model.url begins with http:// and there is a model.api_key: it crosses the network unencrypted; use https://"
                .to_owned()
        })
    }
}

/// `[defaults]`: what a channel gets that does not choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// When it is due; `None` posts only on request.
    pub schedule: Option<Schedule>,
    /// The zone in which the schedule is meant and dates are shown.
    pub timezone: Tz,
    /// The language of everything that it gets.
    pub language: Lang,
    /// What it gets on an empty day.
    pub when_empty: WhenEmpty,
    /// How much of each paper.
    pub style: Style,
    /// What becomes of occurrences that were missed.
    pub missed: Missed,
    /// When a round-up of the week is due; `None` for none.
    pub weekly: Option<Schedule>,
}

impl Defaults {
    /// The settings of a channel that chose only its subjects.
    pub fn settings(self, subjects: Subjects) -> Settings {
        Settings {
            subjects,
            schedule: self.schedule,
            timezone: self.timezone,
            language: self.language,
            when_empty: self.when_empty,
            style: self.style,
            missed: self.missed,
            weekly: self.weekly,
        }
    }
}

/// A `[[channel]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelConfig {
    /// Where; no two channels have the same.
    pub place: Place,
    /// What it chose, filled up from [`Defaults`].
    pub settings: Settings,
}

impl Config {
    /// Whether the bot answers in this place. A topic counts as the chat that it is in, unless it is listed itself.
    pub fn serves(&self, place: &Place) -> bool {
        let covers = |listed: &Place| {
            listed.platform() == place.platform()
                && listed.chat() == place.chat()
                && listed.thread().is_none_or(|topic| place.thread() == Some(topic))
        };
        let Access { allow, deny, .. } = &self.access;
        let configured = || self.channels.iter().any(|channel| covers(&channel.place));
        !deny.iter().any(covers) && (allow.is_empty() || allow.iter().any(covers) || configured())
    }

    fn tokens(&self) -> [(Platform, &Option<SecretString>); 2] {
        [
            (Platform::Telegram, &self.telegram.token),
            (Platform::Discord, &self.discord.token),
        ]
    }

    /// Tokens that do not look like those of their platform: a sentence each, without a part of them. They stand apart from
    /// [`Config::warnings`] because a platform that takes such a token is right, and nobody has to hear of it any more.
    pub fn odd_tokens(&self) -> Vec<String> {
        let odd =
            |(platform, token): (_, &Option<SecretString>)| token::oddity(platform, token.as_ref()?.expose_secret());
        self.tokens().into_iter().filter_map(odd).collect()
    }

    /// What is no mistake, and yet not what somebody wants: a sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let tokens = self.tokens().map(|(platform, token)| (platform, token.is_some()));
        let has_channels = |platform| self.channels.iter().any(|c| c.place.platform() == platform);
        let without = tokens
            .into_iter()
            .filter(|&(platform, token)| !token && has_channels(platform));
        let mut warnings: Vec<String> = without
            .map(|(platform, _)| {
                format!(
                    "there are channels on {platform}, but no {platform}.token: their digests wait until there is one"
                )
            })
            .collect();
        let unheard = self.operator.place.as_ref().filter(|place| {
            tokens
                .into_iter()
                .any(|(platform, token)| !token && place.platform() == platform)
                || (!self.web.enabled && place.platform() == Platform::Web)
        });
        warnings.extend(unheard.map(|place| {
            format!("operator.place is {place}, which nothing can be written to as things are: what fails stands in the log alone")
        }));
        if !self.web.enabled && has_channels(Platform::Web) {
            warnings
                .push("there are channels on the web page, but web.enabled is false: nobody can read them".to_owned());
        }
        let Telegram {
            messages_per_second: rate,
            paid_broadcast,
            ..
        } = self.telegram;
        if paid_broadcast && rate > Telegram::PAID_PER_SECOND {
            warnings.push(format!(
                "telegram.messages_per_second is {rate}, but Telegram takes at most {} a second, paid ones included: it \
                 will ask the bot to wait",
                Telegram::PAID_PER_SECOND
            ));
        } else if !paid_broadcast && rate > Telegram::FREE_PER_SECOND {
            warnings.push(format!(
                "telegram.messages_per_second is {rate}, but Telegram takes only about {} a second for nothing: it will \
                 ask the bot to wait, unless telegram.paid_broadcast is true",
                Telegram::FREE_PER_SECOND
            ));
        }
        warnings.extend(self.model.as_ref().and_then(Model::warning));
        warnings
    }

    /// Reads the file, if one is given, and lays the environment over it. `env` is usually [`environment`]'s.
    ///
    /// # Errors
    /// All mistakes at once; also a file that cannot be read.
    pub fn load(path: Option<&Path>, env: &BTreeMap<String, String>) -> Result<Self, ConfigErrors> {
        let Some(path) = path else {
            return Self::parse("", "the built-in configuration", env);
        };
        let name = path.display().to_string();
        let fail = |line, what: String, fix: &str| {
            ConfigErrors(vec![ConfigError {
                at: Where::File {
                    name: name.clone(),
                    line,
                },
                key: String::new(),
                what,
                fix: fix.to_owned(),
            }])
        };
        let bytes = std::fs::read(path)
            .map_err(|error| fail(None, format!("cannot be read: {error}"), "name another with --config"))?;
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let before = bytes.iter().take(error.valid_up_to());
            let line = before.filter(|&&byte| byte == b'\n').count() + 1;
            fail(
                Some(line),
                "this line is not UTF-8".to_owned(),
                "save the file as UTF-8",
            )
        })?;
        Self::parse(text, &name, env)
    }

    /// Reads a file's text; `file_name` is what messages call it.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn parse(toml_text: &str, file_name: &str, env: &BTreeMap<String, String>) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let named = |name: &str| Where::File {
            name: name.to_owned(),
            line: None,
        };
        let mut shipped = Vec::new();
        for (name, text) in SHIPPED {
            let tree = tree::parse(schema::TOPIC, text, name, &mut errors);
            shipped.extend(tree.and_then(|tree| read::shipped_topic(&tree, &named(name), &mut errors)));
        }
        let Some(mut root) = tree::parse(schema::ROOT, toml_text, file_name, &mut errors) else {
            // What such a file lacks, and what the environment names in it, would be noise beside this.
            return Err(ConfigErrors::in_order(errors));
        };
        tree::overlay(&mut root, env, &mut errors);
        let mut origins = BTreeMap::new();
        tree::origins(&root, "", &mut origins);
        let config = read::config(&root, &named(file_name), &shipped, origins, &mut errors);
        if errors.is_empty() {
            Ok(config)
        } else {
            Err(ConfigErrors::in_order(errors))
        }
    }

    /// The effective configuration as TOML: secrets are `"(hidden)"`, and what was given says where.
    pub fn show(&self) -> String {
        show::show(self)
    }

    /// Where a value came from, by its path (`telegram.token`, `channel[0].schedule`); `None` for a default.
    pub fn origin(&self, path: &str) -> Option<&Where> {
        self.origins.get(path)
    }
}

/// The variables of this process that concern the program. One that is not UTF-8 is taken with � for what is not.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        })
        .filter(|(name, _)| name.starts_with(schema::PREFIX))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;

    use super::*;

    fn env(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        variables.iter().map(pair).collect()
    }

    fn parse(text: &str) -> Config {
        Config::parse(text, "paperwire.toml", &BTreeMap::new()).unwrap()
    }

    fn with_env(text: &str, variables: &[(&str, &str)]) -> Config {
        Config::parse(text, "paperwire.toml", &env(variables)).unwrap()
    }

    fn errors(text: &str, variables: &[(&str, &str)]) -> String {
        Config::parse(text, "paperwire.toml", &env(variables))
            .unwrap_err()
            .to_string()
    }

    /// What is in effect, without where it came from.
    fn effective(config: &Config) -> String {
        let without_comment = |line: &str| line.split("  # ").next().unwrap_or_default().to_owned();
        config
            .show()
            .lines()
            .map(without_comment)
            .collect::<Vec<_>>()
            .join("\n")
    }

    const SOURCES: &str = r#"
[[source]]
kind = "arxiv-api"
categories = ["cs.LG", "cs.*", "quant-ph"]
url = "http://127.0.0.1:9/api/query/"
[[source]]
kind = "feed"
url = "https://example.org/feed.xml?a=1"
days = 3
"#;

    const LOBBY: &str = "[[channel]]\nplace = \"web:lobby\"\ntopics = [\"inference\"]\n";

    #[test]
    fn nothing_at_all_is_a_configuration() {
        let config = Config::load(None, &BTreeMap::new()).unwrap();
        assert_eq!(config.data, Path::new("data"));
        assert!(config.telegram.token.is_none() && config.discord.token.is_none() && config.channels.is_empty());
        assert_eq!(config.web.listen.to_string(), "127.0.0.1:8787");
        assert_eq!(
            config
                .topics
                .iter()
                .map(|topic| topic.id.0.as_str())
                .collect::<Vec<_>>(),
            ["inference"]
        );
        assert_eq!(config.defaults.schedule, Schedule::parse("0 9 * * *").ok());
    }

    #[test]
    fn the_example_explains_every_key_under_its_section() {
        let mut section = String::new();
        let mut explained = Vec::new();
        for line in EXAMPLE.lines() {
            let line = line.trim_start_matches('#').trim_start();
            if let Some(header) = line.strip_prefix('[') {
                section = header.trim_matches(['[', ']']).to_owned();
            } else if let Some((key, _)) = line.split_once(" = ") {
                explained.push((section.clone(), key.to_owned()));
            }
        }
        for path in schema::leaves() {
            let (section, key) = match *path {
                [key] => ("", key),
                // Weight and terms stand within tiers.
                [section, "0", "tiers", ..] => (section, "tiers"),
                [section, .., key] => (section, key),
                [] => unreachable!(),
            };
            assert!(
                explained.contains(&(section.to_owned(), key.to_owned())),
                "{section}.{key} is not explained"
            );
        }
    }

    #[test]
    fn the_defaults_that_the_example_shows_are_the_defaults() {
        let without = |sign: &str, line: &str| match line.strip_prefix(sign) {
            Some(bare) if bare.contains(" = ") && bare.starts_with(|c: char| c.is_ascii_lowercase()) => bare.to_owned(),
            _ => line.to_owned(),
        };
        let strip = |sign: &str, text: &str| text.lines().map(|line| without(sign, line) + "\n").collect::<String>();
        let (settings, topic) = EXAMPLE.split_once("# [[topic]]").unwrap();
        let given = strip("#", settings);
        assert_eq!(
            given.lines().zip(settings.lines()).filter(|(a, b)| a != b).count(),
            44,
            "{given}"
        );
        assert_eq!(effective(&parse(&given)), effective(&parse(LOBBY)));
        assert_eq!(effective(&parse(EXAMPLE)), effective(&parse(LOBBY)));

        let topic = format!("[[topic]]\n{}", strip("# ", topic));
        let given = strip("#", &topic);
        assert_eq!(
            given.lines().zip(topic.lines()).filter(|(a, b)| a != b).count(),
            6,
            "{given}"
        );
        assert_eq!(effective(&parse(&given)), effective(&parse(&topic)));
    }

    #[test]
    fn every_mistake_is_reported_at_once_with_its_line_and_what_to_do() {
        let text = r#"data = ""
timezone = "UTC"
[telegram]
tokn = "x"
api_url = "https://api.telegram.org/bot123:SECRET"
uncertain = "maybe"
messages_per_second = 0
[web]
enabled = "yes"
listen = "localhost:8787"
[defaults]
schedule = "0 24 * * *"
timezone = "Asia/Shanghia"
[[channel]]
place = "telegram:\nme"
topics = [
  "inference",
  "inferense",
]
[[channel]]
place = "web:lobby"
[[channel]]
place = "web:lobby"
keywords = "kv cache"
[[channel]]
topics = ["inference"]
[[topic]]
id = "My Topic"
tiers = [{ weight = 0, terms = [""] }, { terms = [] }]
"#;
        let found = errors(
            text,
            &[
                ("PAPERWIRE_TELEGRAM_TOKEN", "t"),
                ("PAPERWIRE_CHANNEL__9__STYLE", "full"),
            ],
        );
        let expected = r#"paperwire.toml:1: data: no folder is named; give one or leave the line out
paperwire.toml:2: unknown key “timezone”; it belongs under [defaults] or [[channel]]
paperwire.toml:4: telegram: unknown key “tokn”; did you mean “token”?
paperwire.toml:5: telegram.api_url: the address has a part that begins with “bot”; give the server's address only; the token is added to it
paperwire.toml:6: telegram.uncertain: “maybe” is not possible; possible is "resend" or "skip"
paperwire.toml:7: telegram.messages_per_second: this is a whole number from 1 to 10000, without quotes
paperwire.toml:9: web.enabled: this is true or false, without quotes
paperwire.toml:10: web.listen: “localhost:8787” is no address to listen on; write an IP address and a port: 127.0.0.1:8787 for this machine only, 0.0.0.0:8787 for all its networks
paperwire.toml:12: defaults.schedule: schedule “0 24 * * *”: hour: “24” is not possible; possible is 0 (midnight) to 23
paperwire.toml:13: defaults.timezone: “Asia/Shanghia” is no time zone; did you mean Asia/Shanghai? zones are named as Asia/Shanghai, Europe/Berlin or UTC
paperwire.toml:15: channel[0].place: “telegram: me”: a Telegram chat id is a whole number such as -1001234567890, and a topic id a positive one
paperwire.toml:18: channel[0].topics: there is no topic “inferense”; did you mean “inference”? known are inference; more are declared as [[topic]]
paperwire.toml:20: channel[1]: it follows nothing; give it topics = ["inference"] or keywords = ["kv cache"]
paperwire.toml:23: channel[2].place: web:lobby has a [[channel]] already, at paperwire.toml:21; make one of the two
paperwire.toml:24: channel[2].keywords: this is a list of texts: ["one", "two"]
paperwire.toml:25: channel[3].place: it is missing; say where to post: telegram:CHAT_ID, discord:CHANNEL_ID or web:NAME
paperwire.toml:28: topic[0].id: “My Topic” is no id; an id has 1 to 32 lower-case letters, digits or hyphens
paperwire.toml:29: topic[0].tiers[0].weight: this is a whole number from 1 to 1000, without quotes
paperwire.toml:29: topic[0].tiers[0].terms: one of the texts is empty; remove it
paperwire.toml:29: topic[0].tiers[1].weight: it is missing; give the points of a term, such as 3
paperwire.toml:29: topic[0].tiers[1].terms: there are none; list at least one term
PAPERWIRE_CHANNEL__9__STYLE: channel[9].style: there are 4 [[channel]] before it, so the next index is 4
PAPERWIRE_TELEGRAM_TOKEN: unknown variable; did you mean PAPERWIRE_TELEGRAM__TOKEN?"#;
        assert_eq!(found, expected);
    }

    #[test]
    fn a_file_that_is_not_toml_is_reported_by_line_without_what_it_says() {
        let found = errors("data = \"d\"\n[telegram]\ntoken = 123:SECRET\n[web\n", &[]);
        assert!(found.starts_with("paperwire.toml:3: not TOML: "), "{found}");
        assert!(found.contains("paperwire.toml:4: not TOML: "), "{found}");
        assert!(!found.contains("SECRET"), "{found}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c.toml");
        let missing = Config::load(Some(&file), &BTreeMap::new()).unwrap_err().to_string();
        assert!(
            missing.contains("c.toml: cannot be read") && missing.contains("--config"),
            "{missing}"
        );
        fs::write(&file, b"data = \"d\"\n# \xff\n").unwrap();
        let foreign = Config::load(Some(&file), &BTreeMap::new()).unwrap_err().to_string();
        assert!(foreign.contains("c.toml:2: this line is not UTF-8"), "{foreign}");
    }

    #[test]
    fn the_environment_goes_before_the_file_at_every_level() {
        let config = with_env(
            &format!("[web]\ntitle = \"T\"\nlisten = \"127.0.0.1:1\"\n{LOBBY}"),
            &[
                ("PAPERWIRE_WEB__LISTEN", "0.0.0.0:2"),
                ("PAPERWIRE_WEB__ENABLED", "false"),
                ("PAPERWIRE_DISCORD__TOKEN", " abc\n"),
                ("PAPERWIRE_DISCORD__REQUESTS_PER_SECOND", "5"),
                ("PAPERWIRE_DEFAULTS__SCHEDULE", "off"),
                ("PAPERWIRE_CHANNEL__0__KEYWORDS", "kv cache, Mixture  of Experts"),
                ("PAPERWIRE_CHANNEL__0__STYLE", "full"),
                ("PAPERWIRE_CHANNEL__1__PLACE", "telegram:-100123/4"),
                ("PAPERWIRE_CHANNEL__1__TOPICS", "[\"robots\"]"),
                ("PAPERWIRE_TOPIC__0__ID", "robots"),
                ("PAPERWIRE_TOPIC__0__TIERS__0__WEIGHT", "4"),
                ("PAPERWIRE_TOPIC__0__TIERS__0__TERMS", "robot"),
                // Not ours, or as good as absent.
                ("PAPERWIRE_CONFIG", "/etc/paperwire.toml"),
                ("PAPERWIRE_DATA", "/var/lib/paperwire"),
                ("PAPERWIRE_PORT_8787_TCP", "tcp://10.0.0.1:8787"),
                ("PAPERWIRE_TELEGRAM__TOKEN", ""),
                ("HOME", "/root"),
            ],
        );
        assert_eq!(
            (config.web.listen.to_string().as_str(), config.web.title.as_str()),
            ("0.0.0.0:2", "T")
        );
        assert!(!config.web.enabled && config.telegram.token.is_none());
        assert_eq!(config.discord.token.as_ref().unwrap().expose_secret(), "abc");
        assert_eq!(config.discord.requests_per_second, 5);
        let [lobby, group] = config.channels.as_slice() else {
            panic!("{:?}", config.channels)
        };
        assert_eq!(lobby.settings.subjects.keywords, ["kv cache", "mixture of experts"]);
        assert_eq!((lobby.settings.style, &lobby.settings.schedule), (Style::Full, &None));
        assert_eq!(group.place, Place::telegram(-100_123, Some(4)));
        assert_eq!(
            group.settings.subjects.topics,
            [paperwire_core::topic::TopicId("robots".to_owned())]
        );
        assert_eq!(config.topics.last().unwrap().tiers.first().unwrap().weight, 4);
    }

    #[test]
    fn every_key_has_a_variable_and_a_list_may_have_more_than_ten_tables() {
        // The folder is the command line's.
        for path in schema::leaves().into_iter().filter(|path| path[..] != ["data"]) {
            // A value that no key takes, or a channel or topic that lacks the rest: the variable is known in any case.
            let name = schema::variable(&path);
            let result = Config::parse("", "paperwire.toml", &env(&[(&name, "x")]));
            let message = result.map_or_else(|errors| errors.to_string(), |config| config.show());
            assert!(
                message.contains(&name) && !message.contains("unknown"),
                "{name}: {message}"
            );
        }
        let places: Vec<_> = (0..12)
            .map(|i| (format!("PAPERWIRE_CHANNEL__{i}__PLACE"), format!("web:c{i}")))
            .collect();
        let words = (0..12).map(|i| (format!("PAPERWIRE_CHANNEL__{i}__KEYWORDS"), "x".to_owned()));
        let config = Config::parse("", "", &places.into_iter().chain(words).collect()).unwrap();
        assert_eq!(config.channels.get(11).unwrap().place.to_string(), "web:c11");
    }

    #[test]
    fn secrets_are_neither_shown_nor_debugged() {
        let config = with_env(
            "[telegram]\ntoken = \"1:SECRET\"",
            &[("PAPERWIRE_DISCORD__TOKEN", "SECRET")],
        );
        assert_eq!(config.telegram.token.as_ref().unwrap().expose_secret(), "1:SECRET");
        let shown = config.show();
        assert!(
            shown.contains("[telegram]\ntoken = \"(hidden)\"  # paperwire.toml:2\n"),
            "{shown}"
        );
        assert!(
            shown.contains("[discord]\ntoken = \"(hidden)\"  # PAPERWIRE_DISCORD__TOKEN\n"),
            "{shown}"
        );
        assert!(!shown.contains("SECRET") && !format!("{config:?}").contains("SECRET"));
    }

    #[test]
    fn channels_that_nobody_can_reach_are_warned_of() {
        let unreachable = "[web]\nenabled = false\n[[channel]]\nplace = \"telegram:-1\"\ntopics = [\"inference\"]\n\
                           [[channel]]\nplace = \"web:lobby\"\ntopics = [\"inference\"]\n";
        let warnings = parse(unreachable).warnings();
        assert!(warnings.len() == 2 && warnings[0].contains("telegram.token") && warnings[1].contains("web.enabled"));
        assert_eq!(parse(LOBBY).warnings(), [""; 0]);
        let unheard = parse("[operator]\nplace = \"telegram:1\"\n").warnings();
        assert!(unheard.len() == 1 && unheard[0].contains("telegram:1"), "{unheard:?}");
    }

    #[test]
    fn a_token_of_another_form_is_warned_of_whichever_way_it_came_and_never_shown() {
        let config = with_env(
            "[telegram]\ntoken = \"1:SECRET\"\n",
            &[("PAPERWIRE_DISCORD__TOKEN", "\"SECRET\"")],
        );
        let [telegram, discord] = &config.odd_tokens()[..] else {
            panic!()
        };
        assert!(telegram.contains("telegram.token does not look like"), "{telegram}");
        assert!(discord.contains("discord.token has quotation marks"), "{discord}");
        assert!(!format!("{telegram}{discord}").contains("SECRET"));
        for (text, before) in [
            (
                "[discord]\ntoken = \"Bot SECRET\"",
                "the token has “Bot” before it, which is added by itself",
            ),
            (
                "[model]\nurl = \"http://h/v1\"\nname = \"m\"\napi_key = \"Bearer SECRET\"",
                "the api key has “Bearer” before it",
            ),
        ] {
            let found = errors(text, &[]);
            assert!(found.contains(before) && !found.contains("SECRET"), "{found}");
        }
    }

    #[test]
    fn a_secret_in_the_place_of_its_files_name_is_not_repeated() {
        let secret = "SECRETSECRETSECRETSECRETSECRETSECRE";
        for text in [
            format!("[telegram]\ntoken_file = \"123456:{secret}\""),
            format!("[discord]\ntoken_file = \"{secret}.SECRET.{secret}\""),
            format!("[model]\nurl = \"http://h/v1\"\nname = \"m\"\napi_key_file = \"sk-{secret}\""),
        ] {
            let found = errors(&text, &[]);
            assert!(found.contains("looks like the") && found.contains("itself"), "{found}");
            assert!(!found.contains("SECRE") && !found.contains("123456"), "{found}");
        }
        let found = errors(
            "[telegram]\ntoken_file = \"secrets/telegram-token-of-the-papers-channel.txt\"",
            &[],
        );
        assert!(found.contains("telegram-token-of-the-papers-channel.txt"), "{found}");
    }

    #[test]
    fn a_rate_that_telegram_does_not_give_for_that_price_is_warned_of() {
        let warnings = |rate: u32, paid: bool| {
            parse(&format!(
                "[telegram]\nmessages_per_second = {rate}\npaid_broadcast = {paid}\n"
            ))
            .warnings()
        };
        assert_eq!((warnings(30, false).len(), warnings(1_000, true).len()), (0, 0));
        let [unpaid] = &warnings(31, false)[..] else { panic!() };
        assert!(
            unpaid.contains("31") && unpaid.contains("telegram.paid_broadcast"),
            "{unpaid}"
        );
        let [beyond] = &warnings(1_001, true)[..] else { panic!() };
        assert!(beyond.contains("at most 1000"), "{beyond}");
    }

    #[test]
    fn a_token_file_lies_beside_the_configuration_whatever_folder_the_program_is_started_in() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("bot.token"), "1:SECRET\n").unwrap();
        let file = folder.path().join("paperwire.toml");
        fs::write(&file, "[telegram]\ntoken_file = \"bot.token\"\n").unwrap();
        let config = Config::load(Some(&file), &BTreeMap::new()).unwrap();
        assert_eq!(config.telegram.token.unwrap().expose_secret(), "1:SECRET");
    }

    #[test]
    fn a_token_may_come_from_a_file_and_messages_name_only_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        fs::write(&file, "1:SECRET\n").unwrap();
        let path = file.to_str().unwrap();
        let named = format!("[telegram]\ntoken_file = {path:?}");
        let token = |config: Config| config.telegram.token.unwrap().expose_secret().to_owned();
        assert_eq!(token(parse(&named)), "1:SECRET");
        assert_eq!(
            token(with_env("", &[("PAPERWIRE_TELEGRAM__TOKEN_FILE", path)])),
            "1:SECRET"
        );
        // The environment goes before the file, whichever of the two keys is where.
        assert_eq!(token(with_env(&named, &[("PAPERWIRE_TELEGRAM__TOKEN", "2:X")])), "2:X");
        let both = with_env(
            "[telegram]\ntoken = \"2:X\"",
            &[("PAPERWIRE_TELEGRAM__TOKEN_FILE", path)],
        );
        assert_eq!(token(both), "1:SECRET");
        let both = errors(&format!("{named}\ntoken = \"2:X\""), &[]);
        assert!(
            both.starts_with("paperwire.toml:3: telegram.token: token and token_file are both given"),
            "{both}"
        );

        fs::write(&file, "SECRET one\nSECRET two\n").unwrap();
        let wrong = errors(&named, &[]);
        assert!(
            wrong.contains(path) && wrong.contains("white space") && !wrong.contains("SECRET"),
            "{wrong}"
        );
        fs::remove_file(&file).unwrap();
        let missing = errors(&named, &[]);
        assert!(
            missing.contains("paperwire.toml:2: telegram.token_file") && missing.contains(path),
            "{missing}"
        );
    }

    #[test]
    fn an_api_address_is_kept_without_what_the_client_adds() {
        for (given, kept) in [
            ("https://discord.com/api/v10", "https://discord.com"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("http://127.0.0.1:9000/", "http://127.0.0.1:9000"),
            ("http://proxy/discord/api/v10/", "http://proxy/discord"),
            ("http://proxy/api", "http://proxy"),
        ] {
            let config = with_env("", &[("PAPERWIRE_DISCORD__API_URL", given)]);
            assert_eq!(config.discord.api_url, kept, "{given}");
        }
        let telegram = with_env("", &[("PAPERWIRE_TELEGRAM__API_URL", "http://127.0.0.1:8081/tg/")]);
        assert_eq!(telegram.telegram.api_url, "http://127.0.0.1:8081/tg");
        for wrong in [
            "discord.com",
            "ftp://x",
            "http://SECRET@host",
            "http://host/?SECRET",
            "http://host/api/v9",
            "http://",
        ] {
            let found = errors("", &[("PAPERWIRE_DISCORD__API_URL", wrong)]);
            assert!(
                found.starts_with("PAPERWIRE_DISCORD__API_URL: discord.api_url: "),
                "{found}"
            );
            assert!(!found.contains("SECRET"), "{found}");
        }
    }

    #[test]
    fn the_role_that_may_change_settings_is_named_by_its_id() {
        let role = |given| with_env("", &[("PAPERWIRE_DISCORD__MANAGER_ROLE", given)]).discord;
        assert_eq!(role("987654321098765432").manager_role, Some(987_654_321_098_765_432));
        assert_eq!(parse("").discord.manager_role, None);
        let config = parse("[discord]\nmanager_role = \"42\"");
        assert!(
            config.show().contains("manager_role = \"42\"  # paperwire.toml:2\n"),
            "{}",
            config.show()
        );
        for wrong in ["0", "-1", "+1", "Editors", "<@&42>", "18446744073709551616"] {
            let found = errors("", &[("PAPERWIRE_DISCORD__MANAGER_ROLE", wrong)]);
            assert!(
                found.contains("discord.manager_role") && found.contains("Copy Role ID"),
                "{found}"
            );
        }
    }

    #[test]
    fn a_channel_has_what_it_chooses_and_the_defaults_for_the_rest() {
        let config = parse(&format!(
            "[defaults]\nschedule = \"0 8 * * mon\"\ntimezone = \"Asia/Shanghai\"\nlanguage = \"zh\"\n\
             when_empty = \"silent\"\nmissed = \"replay\"\nweekly = \"0 17 * * fri\"\n{LOBBY}schedule = \"off\"\nwhen_empty = \"say\""
        ));
        let settings = &config.channels.first().unwrap().settings;
        let weekly = settings.weekly.as_ref().map(Schedule::to_string);
        assert_eq!((&settings.schedule, weekly.as_deref()), (&None, Some("0 17 * * fri")));
        assert_eq!((settings.timezone, settings.language), (Tz::Asia__Shanghai, Lang::Zh));
        assert_eq!(
            (settings.when_empty, settings.style, settings.missed),
            (WhenEmpty::Say, Style::Compact, Missed::Replay)
        );
        assert_eq!(
            config.origin("channel[0].schedule").unwrap().to_string(),
            "paperwire.toml:11"
        );
        assert_eq!(config.origin("channel[0].style"), None);
    }

    #[test]
    fn a_topic_with_the_id_of_the_shipped_one_replaces_it() {
        let topic = "[[topic]]\nid = \"inference\"\nname_zh = \"我的\"\ntiers = [{ weight = 2, terms = [\"x\"] }]\n";
        let config = parse(topic);
        let [only] = config.topics.as_slice() else {
            panic!("{:?}", config.topics)
        };
        assert_eq!(
            (only.name_zh.as_str(), only.name_en.as_str(), only.threshold),
            ("我的", "我的", 1)
        );
        let twice = errors(&topic.repeat(2), &[]);
        assert!(
            twice.contains("paperwire.toml:6: topic[1].id") && twice.contains("at paperwire.toml:2"),
            "{twice}"
        );
    }

    #[test]
    fn what_is_shown_says_where_it_came_from_and_is_a_configuration_itself() {
        let text =
            format!("{LOBBY}\n[[topic]]\nid = \"t\"\ntiers = [{{ weight = 2, terms = [\"\\\"a\\\"\\n\"] }}]{SOURCES}");
        let prompts = tempfile::tempdir().unwrap();
        fs::write(prompts.path().join("brief.en.md"), PROMPT).unwrap();
        // Neither the role nor the model has a default.
        let given = [
            ("PAPERWIRE_INSTITUTIONS__FROM", "openalex,grobid,arxiv-html"),
            ("PAPERWIRE_OPERATOR__PLACE", "telegram:42"),
            ("PAPERWIRE_DEFAULTS__LANGUAGE", "zh"),
            ("PAPERWIRE_DISCORD__MANAGER_ROLE", "42"),
            ("PAPERWIRE_MODEL__URL", "http://localhost:11434/v1"),
            ("PAPERWIRE_MODEL__NAME", "qwen3:8b"),
            ("PAPERWIRE_MODEL__PROMPTS", prompts.path().to_str().unwrap()),
        ];
        let config = with_env(&text, &given);
        let shown = config.show();
        for line in [
            "topics = [\"inference\"]  # paperwire.toml:3\n",
            "language = \"zh\"  # PAPERWIRE_DEFAULTS__LANGUAGE\n",
            "title = \"Paperwire\"\n",
            "[[topic]]  # shipped with the program\n",
            "id = \"t\"  # paperwire.toml:6\n",
        ] {
            assert!(shown.contains(line), "{line} is not in\n{shown}");
        }
        // Shown, the shipped topic is one of the file's.
        assert_eq!(effective(&parse(&shown)), effective(&config));
        for path in schema::leaves() {
            let key = path.last().unwrap();
            let secret = ["token", "token_file", "api_key", "api_key_file"].contains(key);
            assert_eq!(shown.contains(&format!("{key} = ")), !secret, "{key}");
        }
    }

    #[test]
    fn a_source_knows_its_address_and_what_it_may_ask_for() {
        let config = parse(&format!("{SOURCES}[[source]]\nkind = \"hugging-face\"\n"));
        let of = |source: &SourceConfig| (source.kind.name(), source.url.clone(), source.days);
        assert_eq!(
            config.sources.iter().map(of).collect::<Vec<_>>(),
            [
                ("arxiv-api", "http://127.0.0.1:9/api/query".to_owned(), 14),
                ("feed", "https://example.org/feed.xml?a=1".to_owned(), 3),
                ("hugging-face", "https://huggingface.co/api/daily_papers".to_owned(), 14),
            ]
        );
        let found = errors(
            "[[source]]\nkind = \"arxiv-api\"\n[[source]]\nkind = \"arxiv-rss\"\ncategories = [\"cs.\"]\n[[source]]\nkind = \
             \"feed\"\ncategories = [\"cs.LG\"]\n[[source]]\nkind = \"feed\"\nurl = \"file:///etc/passwd\"\n[[source]]\n\
             [[source]]\nkind = \"hugging-face\"\n[[source]]\nkind = \"hugging-face\"\n[institutions]\nfrom = [\"pdf\"]\n",
            &[],
        );
        for wrong in [
            "1: source[0].categories: there are none",
            "5: source[1].categories: “cs.” is no category",
            "6: source[2].url: it is missing",
            "8: source[2].categories: only arXiv's",
            "11: source[3].url: this is no address",
            "12: source[4].kind: it is missing",
            "16: source[6].kind: there is a [[source]] of this kind",
            "18: institutions.from: “pdf” is not possible",
        ] {
            assert!(found.contains(wrong), "{wrong} is not in\n{found}");
        }
    }

    #[test]
    fn a_key_in_a_feeds_address_is_not_shown() {
        let config = parse("[[source]]\nkind = \"feed\"\nurl = \"https://me:pass@example.org/f?key=hush\"\n");
        let shown = config.show();
        assert!(shown.contains("url = \"https://example.org/f?(hidden)\""), "{shown}");
    }

    const PROMPT: &str = "# System\nBe brief.\n# Paper\n{paper}\n# Again\n{reasons}\n";

    #[test]
    fn a_model_is_an_address_and_a_name_and_without_an_address_there_is_none() {
        assert!(parse("[model]\ncalls_per_day = 5").model.is_none());
        let config = parse(
            "[model]\nurl = \"https://api.example.com/v1/chat/completions\"\nname = \"m\"\napi_key = \"sk-SECRET\"\ntimeout = 9",
        );
        let model = config.model.clone().unwrap();
        assert_eq!(
            (model.url.as_str(), model.name.as_str()),
            ("https://api.example.com/v1", "m")
        );
        assert_eq!(
            (model.timeout, model.patience),
            (Duration::from_secs(9), Duration::from_secs(300))
        );
        assert_eq!(
            (model.calls_per_day, model.concurrency, model.prompts_from),
            (1_000, 4, None)
        );
        let shown = config.show();
        assert!(
            shown.contains("api_key = \"(hidden)\"  # paperwire.toml:4\n"),
            "{shown}"
        );
        assert!(!format!("{shown}{config:?}").contains("SECRET") && config.warnings().is_empty());
        for (text, said) in [
            ("url = \"https://api.example.com/v1\"", "model.name: it is missing"),
            ("name = \"m\"", "model.name: there is no model.url"),
            ("api_key = \"SECRET\"", "model.api_key: there is no model.url"),
            (
                "url = \"SECRET\"\nname = \"m\"",
                "model.url: this is no address of a server",
            ),
            (
                "url = \"http://h/v1\"\nname = \"m\"\napi_key = \"SE CRET\"",
                "has white space in it",
            ),
            (
                "url = \"http://h/v1\"\nname = \"m\"\napi_key = \"a\"\napi_key_file = \"b\"",
                "are both given",
            ),
        ] {
            let found = errors(&format!("[model]\n{text}"), &[]);
            assert!(found.contains(said) && !found.contains("SECRET"), "{said}: {found}");
        }
        let judge = "[model]\nurl = \"http://h/v1\"\nname = \"m\"\njudge = [\"inference\", \"inferense\"]";
        let found = errors(judge, &[]);
        assert!(
            found.contains("paperwire.toml:4") && found.contains("model.judge: there is no topic “inferense”"),
            "{found}"
        );
        let judging = parse(&judge.replace(", \"inferense\"", "")).model.unwrap();
        assert_eq!(judging.judge, [TopicId("inference".to_owned())]);
        assert!(errors("[model]\njudge = [\"inference\"]", &[]).contains("model.judge: there is no model.url"));
        let open = parse("[model]\nurl = \"http://gpu.lan:8000/v1\"\nname = \"m\"\napi_key = \"k\"");
        assert!(open.warnings()[0].contains("https://"), "{:?}", open.warnings());
    }

    #[test]
    fn prompts_of_ones_own_are_checked_at_the_start_and_named_with_what_they_lack() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("paperwire.toml");
        fs::write(
            &file,
            "[model]\nurl = \"http://localhost:1/v1\"\nname = \"m\"\nprompts = \"prompts\"\n",
        )
        .unwrap();
        let load = || Config::load(Some(&file), &BTreeMap::new());
        let said = || load().unwrap_err().to_string();
        let prompts = folder.path().join("prompts");
        assert!(
            said().contains("model.prompts") && said().contains("brief.zh.md"),
            "{}",
            said()
        );
        fs::create_dir(&prompts).unwrap();
        fs::write(prompts.join("brief.zh.md"), PROMPT).unwrap();
        let model = load().unwrap().model.unwrap();
        assert!(model.prompts.of(Lang::Zh).version().starts_with("own-"));
        assert_eq!(model.prompts.of(Lang::En).version(), "v1.en");
        fs::write(prompts.join("brief.en.md"), PROMPT.replace("{paper}", "it")).unwrap();
        assert!(
            said().contains("brief.en.md") && said().contains("{paper}"),
            "{}",
            said()
        );
    }

    fn typo(word: &str, at: usize, letter: char, kind: u8) -> String {
        let mut letters: Vec<char> = word.chars().collect();
        let at = at % letters.len();
        match kind {
            0 => letters[at] = letter,
            1 => letters.insert(at, letter),
            2 => drop(letters.remove(at)),
            _ => letters.swap(at, (at + 1) % word.len()),
        }
        letters.into_iter().collect()
    }

    proptest! {
        #[test]
        fn a_key_with_one_typo_is_answered_with_the_nearest_known_one(
            path in prop::sample::select(schema::leaves()), at in 0..40usize, letter in "[a-z]", kind in 0..3u8,
        ) {
            let key = *path.last().unwrap();
            let wrong = typo(key, at, letter.chars().next().unwrap(), kind);
            let siblings: Vec<&str> = schema::leaves().iter()
                .filter(|other| other[..other.len() - 1] == path[..path.len() - 1])
                .map(|other| *other.last().unwrap())
                .collect();
            prop_assume!(!wrong.is_empty() && !siblings.contains(&wrong.as_str()));
            let text = match *path {
                [_] => format!("{wrong} = 1"),
                ["topic", "0", "tiers", ..] => format!("[[topic]]\n[[topic.tiers]]\n{wrong} = 1"),
                [section, "0", _] => format!("[[{section}]]\n{wrong} = 1"),
                [section, ..] => format!("[{section}]\n{wrong} = 1"),
                [] => unreachable!(),
            };
            let found = errors(&text, &[]);
            // Two keys may be equally near (name_zh, name_en); the answer is one of the nearest.
            let near = |known: &str| strsim::damerau_levenshtein(known, &wrong) <= 1;
            let proposed = siblings.iter().any(|known| near(known) && found.contains(&format!("did you mean “{known}”?")));
            prop_assert!(proposed, "{wrong}: {found}");

            let segments: Vec<&str> = path.iter().copied().take(path.len() - 1).chain([wrong.as_str()]).collect();
            let found = errors("", &[(&schema::variable(&segments), "1")]);
            prop_assert!(found.contains("unknown variable; did you mean PAPERWIRE_"), "{found}");
        }

        #[test]
        fn any_text_is_a_configuration_that_can_be_shown_or_mistakes_of_one_line_each(
            text in "(\\[{0,2}(web|channel|topic|x|defaults|telegram)\\]{0,2}|[a-z_]{1,8} ?= ?(\"([^\"]|\\\\n){0,9}\"|[0-9]{1,9}|\\[.?\\])|\\PC{0,9}|\n){0,9}",
        ) {
            match Config::parse(&text, "f", &BTreeMap::new()) {
                Ok(config) => prop_assert_eq!(effective(&parse(&config.show())), effective(&config)),
                Err(errors) => {
                    prop_assert!(!errors.0.is_empty());
                    prop_assert_eq!(errors.to_string().lines().count(), errors.0.len(), "{}", errors);
                }
            }
        }

        #[test]
        fn a_damaged_file_does_not_tell_its_secret(at in 0..200usize, with in "[\"'=.#\n\\[\\]x, ]{0,2}", n in 0..3usize) {
            let text = format!("[telegram]\ntoken = \"1:SECRET\"\n[discord]\ntoken = \"SECRET\"\n{LOBBY}");
            let mut letters: Vec<char> = text.chars().collect();
            let at = at % letters.len();
            letters.splice(at..(at + n).min(letters.len()), with.chars());
            let damaged: String = letters.into_iter().collect();
            let said = Config::parse(&damaged, "f", &BTreeMap::new())
                .map_or_else(|errors| errors.to_string(), |config| format!("{config:?}{}", config.show()));
            prop_assert!(!said.contains("SECRE"), "{said}");
        }
    }

    #[test]
    fn a_place_is_served_unless_it_is_denied_or_not_among_those_allowed() {
        let place = |text: &str| text.parse().unwrap();
        let serves = |text: &str, places: &[(&str, bool)]| {
            let config = parse(text);
            for (name, served) in places {
                assert_eq!(config.serves(&place(name)), *served, "{text}: {name}");
            }
        };
        serves("", &[("telegram:-100", true)]);
        serves(
            "[access]\ndeny = [\"telegram:-100\", \"telegram:-200/7\"]",
            &[
                ("telegram:-100", false),
                ("telegram:-100/3", false),
                ("telegram:-200", true),
                ("telegram:-200/7", false),
                ("telegram:-200/8", true),
            ],
        );
        serves(
            &format!("[access]\nallow = [\"telegram:-100\"]\n{LOBBY}"),
            &[("telegram:-100/3", true), ("telegram:5", false), ("web:lobby", true)],
        );
        let told = errors("[access]\nallow = [\"everyone\"]", &[]);
        assert!(told.contains("access.allow") && told.contains("everyone"), "{told}");
    }
}
