//! What people can ask, in one table: from it come the parser, `/help`, Discord's registration and Telegram's menu. An
//! answer is a pure read of the store.

mod answer;
mod change;
mod evidence;
#[cfg(test)]
mod page;
pub mod press;
mod why;
mod words;

use chrono::NaiveDate;

pub use self::answer::{
    Context, HITS, Hits, Need, Reply, channel_of, found, latest_digest, paper_message, refusal, reply, tried,
};
pub use self::change::{change, changes};
use self::press::Button;
use crate::channel::{Place, Style};
pub use crate::export::Attachment;
use crate::locale::Lang;
use crate::message::Message;
use crate::paper::{PaperId, PaperIdError};

/// What a person asked, already typed. What has a language of its own (a rule, a schedule, a zone) is still as written:
/// it is read where its error can be answered with an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `/paper …`
    Paper(PaperQuery),
    /// `/digest [date]`: the latest digest, or that of a day.
    Digest {
        /// The day, in the channel's zone.
        day: Option<NaiveDate>,
    },
    /// `/search …`: over everything that was taken in.
    Search(String),
    /// `/similar …`: the papers nearest to one.
    Similar(PaperQuery),
    /// `/why …`: why a paper was posted here, or was not.
    Why(PaperQuery),
    /// `/evidence …`: what carries the brief of a paper.
    Evidence(PaperQuery),
    /// `/subscribe …`: a rule or a topic.
    Subscribe(String),
    /// `/subscribe test …`: what a rule would bring.
    Try(String),
    /// `/subscribe edit 2 …`: another rule in the place of one.
    Edit {
        /// Its number in the list.
        number: u32,
        /// The new rule.
        rule: String,
    },
    /// `/unsubscribe …`: a number of the list, a rule or a topic.
    Unsubscribe(String),
    /// `/mention 2 @role`, `/mention 2 off`: whom digests call for papers of one subscription.
    Mention {
        /// A number of the list, a rule or a topic.
        which: String,
        /// As typed.
        whom: String,
    },
    /// `/subscriptions`: what this place follows.
    Subscriptions,
    /// `/topics`: what there is and what this channel follows.
    Topics,
    /// `/schedule [when]`: when digests come.
    Schedule(String),
    /// `/timezone [zone]`
    Timezone(String),
    /// `/pause [until …]`
    Pause(String),
    /// `/resume`
    Resume,
    /// `/save …`: a paper to the asker's reading list, or from it.
    Save(PaperQuery),
    /// `/saved [export bibtex|ris|csl|markdown]`: the asker's reading list.
    Saved(String),
    /// `/top [week]`: the papers of the week that people liked best.
    Top,
    /// `/language [zh|en]`
    Language(Option<Lang>),
    /// `/style [titles|compact|full]`
    Style(Option<Style>),
    /// `/help`
    Help,
    /// `/start`: what this bot is; a paused channel gets digests again.
    Start,
    /// What the message is that [`Question::reply_to`] names. Asked by a button below a digest; nobody can type it.
    About,
    /// A button was pressed; what it carries ([`press`]). Nobody can type it.
    Press(String),
}

impl Command {
    /// Whether it is heard wherever it comes from, also where the bot answers nobody else ([`press::heard_anywhere`]).
    pub fn is_heard_anywhere(&self) -> bool {
        matches!(self, Self::Press(data) if press::heard_anywhere(data))
    }

    /// Who may ask this.
    pub fn permission(&self) -> Permission {
        match self {
            Self::Subscribe(_) | Self::Edit { .. } | Self::Unsubscribe(_) | Self::Mention { .. } => {
                Permission::Managers
            }
            Self::Schedule(args) | Self::Timezone(args) => Permission::for_change(!args.is_empty()),
            Self::Pause(_) | Self::Resume => Permission::Managers,
            Self::Language(lang) => Permission::for_change(lang.is_some()),
            Self::Style(style) => Permission::for_change(style.is_some()),
            Self::Press(data) => press::permission(data),
            Self::Paper(_) | Self::Digest { .. } | Self::Search(_) | Self::Similar(_) | Self::Why(_) | Self::Try(_) => {
                Permission::Everyone
            }
            Self::Subscriptions | Self::Topics | Self::Save(_) | Self::Saved(_) | Self::Top => Permission::Everyone,
            Self::Evidence(_) => Permission::Everyone,
            Self::Help | Self::Start | Self::About => Permission::Everyone,
        }
    }
}

/// Who may use a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Everyone who can write where the bot is.
    Everyone,
    /// Who manages the place; in a private chat everyone does.
    Managers,
}

impl Permission {
    fn for_change(changes: bool) -> Self {
        if changes { Self::Managers } else { Self::Everyone }
    }
}

/// What a person is where a question is asked, as far as the adapter had to find out: only for what
/// [`Permission::Managers`] may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Manages the place: its settings may be changed.
    Manager,
    /// Anyone else, or not asked for.
    Member,
    /// The platform did not say; a change is refused with that reason.
    Unknown,
}

/// Which paper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaperQuery {
    /// `/paper 4`: of the latest digest, or of the one replied to.
    Number(u32),
    /// `/paper 2025-10-09 4`: of the digest of that day.
    OfDay(NaiveDate, u32),
    /// `/paper 2510.09212`, or a link.
    Id(PaperId),
}

/// Which kind of value an argument takes: decides Discord's option type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgKind {
    /// Free text.
    Text,
    /// A day, `2025-10-09`.
    Day,
    /// One of a few words.
    Choice(&'static [&'static str]),
}

/// What a person is offered while typing an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suggest {
    /// Nothing.
    Nothing,
    /// Papers: numbers of the latest digest with their titles, and titles of the archive.
    Papers,
    /// What the place follows.
    Subscriptions,
    /// Topics that can be followed.
    Topics,
    /// Time zones.
    Zones,
}

/// One argument of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArgSpec {
    /// Its name in Discord's form, lower case.
    pub name: &'static str,
    /// What it takes.
    pub kind: ArgKind,
    /// Whether it must be given.
    pub required: bool,
    /// What is offered while it is typed.
    pub suggest: Suggest,
    /// What it is, in Chinese, at most 100 characters (Discord's limit).
    pub zh: &'static str,
    /// The same in English.
    pub en: &'static str,
}

/// One command of the table.
#[derive(Debug, Clone, Copy)]
pub struct CommandSpec {
    /// Its name without the slash: lower-case letters, at most 32 (Telegram's and Discord's limit).
    pub name: &'static str,
    /// Its arguments, in order.
    pub args: &'static [ArgSpec],
    /// What it does, in Chinese, at most 100 characters (Discord's limit; Telegram allows 256).
    pub zh: &'static str,
    /// The same in English.
    pub en: &'static str,
    /// Who may change something with it; everyone may ask.
    pub permission: Permission,
    parse: fn(&str) -> Result<Command, CommandError>,
}

/// How many characters of a command's name are looked at.
const NAME_MAX: usize = 32;

/// The table.
pub const TABLE: &[CommandSpec] = &[
    CommandSpec {
        name: "paper",
        args: &[ArgSpec {
            name: "which",
            kind: ArgKind::Text,
            required: true,
            suggest: Suggest::Papers,
            zh: "编号、日期加编号、arXiv 编号或链接",
            en: "Number, date and number, arXiv id or link",
        }],
        zh: "查看一篇论文：/paper 4，/paper 2025-10-09 4，/paper 2510.09212",
        en: "Open a paper: /paper 4, /paper 2025-10-09 4, /paper 2510.09212",
        permission: Permission::Everyone,
        parse: parse_paper,
    },
    CommandSpec {
        name: "digest",
        args: &[ArgSpec {
            name: "date",
            kind: ArgKind::Day,
            required: false,
            suggest: Suggest::Nothing,
            zh: "日期，如 2025-10-09；不填则为最新",
            en: "Day such as 2025-10-09; the latest if left out",
        }],
        zh: "再次显示最新一期或某日的简报",
        en: "Show the latest digest again, or that of a day",
        permission: Permission::Everyone,
        parse: parse_digest,
    },
    CommandSpec {
        name: "search",
        args: &[ArgSpec {
            name: "words",
            kind: ArgKind::Text,
            required: true,
            suggest: Suggest::Nothing,
            zh: "词、短语、title: author: cat: org: from: to:",
            en: "Words, phrases, title: author: cat: org: from: to:",
        }],
        zh: "在收录的全部论文中检索",
        en: "Search everything that was taken in",
        permission: Permission::Everyone,
        parse: parse_search,
    },
    CommandSpec {
        name: "similar",
        args: &[ArgSpec {
            name: "which",
            kind: ArgKind::Text,
            required: true,
            suggest: Suggest::Papers,
            zh: "编号、日期加编号、arXiv 编号或链接",
            en: "Number, date and number, arXiv id or link",
        }],
        zh: "与某篇论文最相近的论文",
        en: "The papers nearest to one",
        permission: Permission::Everyone,
        parse: |args| paper_query(args).map(Command::Similar),
    },
    CommandSpec {
        name: "why",
        args: &[ArgSpec {
            name: "which",
            kind: ArgKind::Text,
            required: true,
            suggest: Suggest::Papers,
            zh: "编号、日期加编号、arXiv 编号或链接",
            en: "Number, date and number, arXiv id or link",
        }],
        zh: "一篇论文为何推送到这里，或为何没有",
        en: "Why a paper was posted here, or was not",
        permission: Permission::Everyone,
        parse: |args| paper_query(args).map(Command::Why),
    },
    CommandSpec {
        name: "evidence",
        args: &[ArgSpec {
            name: "which",
            kind: ArgKind::Text,
            required: true,
            suggest: Suggest::Papers,
            zh: "编号、日期加编号、arXiv 编号或链接",
            en: "Number, date and number, arXiv id or link",
        }],
        zh: "一篇论文的简报依据原文的哪些话",
        en: "Which words of a paper carry its brief",
        permission: Permission::Everyone,
        parse: |args| paper_query(args).map(Command::Evidence),
    },
    CommandSpec {
        name: "subscribe",
        args: &[ArgSpec {
            name: "rule",
            kind: ArgKind::Text,
            required: true,
            suggest: Suggest::Topics,
            zh: "规则或主题；test 加规则可先试，edit 2 加规则可修改",
            en: "A rule or topic; test RULE tries it first, edit 2 RULE changes one",
        }],
        zh: "关注一条规则或一个主题：/subscribe kv cache -survey",
        en: "Follow a rule or a topic: /subscribe kv cache -survey",
        permission: Permission::Managers,
        parse: parse_subscribe,
    },
    CommandSpec {
        name: "unsubscribe",
        args: &[ArgSpec {
            name: "which",
            kind: ArgKind::Text,
            required: true,
            suggest: Suggest::Subscriptions,
            zh: "/subscriptions 中的编号，或规则本身",
            en: "Its number in /subscriptions, or the rule itself",
        }],
        zh: "不再关注",
        en: "Stop following",
        permission: Permission::Managers,
        parse: parse_unsubscribe,
    },
    CommandSpec {
        name: "mention",
        args: &[
            ArgSpec {
                name: "which",
                kind: ArgKind::Text,
                required: true,
                suggest: Suggest::Subscriptions,
                zh: "/subscriptions 中的编号",
                en: "Its number in /subscriptions",
            },
            ArgSpec {
                name: "whom",
                kind: ArgKind::Text,
                required: true,
                suggest: Suggest::Nothing,
                zh: "Discord 的身份组，Telegram 的 @用户名，或 off",
                en: "A role on Discord, @name on Telegram, or off",
            },
        ],
        zh: "某条订阅有新论文时提醒谁：/mention 2 @团队，/mention 2 off",
        en: "Whom digests call for papers of one subscription: /mention 2 @team, /mention 2 off",
        permission: Permission::Managers,
        parse: parse_mention,
    },
    CommandSpec {
        name: "subscriptions",
        args: &[],
        zh: "这里关注了什么；可暂停、修改、移除",
        en: "What is followed here; pause, edit, remove",
        permission: Permission::Everyone,
        parse: |_| Ok(Command::Subscriptions),
    },
    CommandSpec {
        name: "topics",
        args: &[],
        zh: "有哪些主题，本频道订阅了什么",
        en: "Which topics there are and what this channel follows",
        permission: Permission::Everyone,
        parse: |_| Ok(Command::Topics),
    },
    CommandSpec {
        name: "schedule",
        args: &[ArgSpec {
            name: "when",
            kind: ArgKind::Text,
            required: false,
            suggest: Suggest::Nothing,
            zh: "如 09:00、工作日 9点、weekly fri 17:00、off",
            en: "Such as 09:00, weekdays 9am, weekly fri 17:00, off",
        }],
        zh: "何时推送；不填则显示接下来三次",
        en: "When digests come; shows the next three if left out",
        permission: Permission::Managers,
        parse: |args| Ok(Command::Schedule(args.to_owned())),
    },
    CommandSpec {
        name: "timezone",
        args: &[ArgSpec {
            name: "zone",
            kind: ArgKind::Text,
            required: false,
            suggest: Suggest::Zones,
            zh: "如 Asia/Shanghai、北京、UTC+8",
            en: "Such as Asia/Shanghai, Berlin, UTC+8",
        }],
        zh: "本频道的时区",
        en: "This channel's time zone",
        permission: Permission::Managers,
        parse: |args| Ok(Command::Timezone(args.to_owned())),
    },
    CommandSpec {
        name: "pause",
        args: &[ArgSpec {
            name: "until",
            kind: ArgKind::Text,
            required: false,
            suggest: Suggest::Nothing,
            zh: "如 周一、2025-12-01、3天；不填则直到 /resume",
            en: "Such as monday, 2025-12-01, 3 days; until /resume if left out",
        }],
        zh: "暂停推送",
        en: "Pause the digests",
        permission: Permission::Managers,
        parse: |args| Ok(Command::Pause(args.to_owned())),
    },
    CommandSpec {
        name: "resume",
        args: &[],
        zh: "恢复推送",
        en: "Go on after /pause",
        permission: Permission::Managers,
        parse: |_| Ok(Command::Resume),
    },
    CommandSpec {
        name: "save",
        args: &[ArgSpec {
            name: "which",
            kind: ArgKind::Text,
            required: true,
            suggest: Suggest::Papers,
            zh: "编号、日期加编号、arXiv 编号或链接",
            en: "Number, date and number, arXiv id or link",
        }],
        zh: "把论文加入你的阅读清单，或移出",
        en: "Put a paper on your reading list, or take it off",
        permission: Permission::Everyone,
        parse: |args| paper_query(args).map(Command::Save),
    },
    CommandSpec {
        name: "saved",
        args: &[ArgSpec {
            name: "export",
            kind: ArgKind::Choice(&["bibtex", "ris", "csl", "markdown"]),
            required: false,
            suggest: Suggest::Nothing,
            zh: "导出为文件的格式",
            en: "The format of a file to export",
        }],
        zh: "你的阅读清单；可导出为 bibtex、ris、csl、markdown",
        en: "Your reading list; export it as bibtex, ris, csl or markdown",
        permission: Permission::Everyone,
        parse: |args| Ok(Command::Saved(args.to_owned())),
    },
    CommandSpec {
        name: "top",
        args: &[],
        zh: "本周得票最多的论文",
        en: "The papers of the week that people liked best",
        permission: Permission::Everyone,
        parse: |_| Ok(Command::Top),
    },
    CommandSpec {
        name: "language",
        args: &[ArgSpec {
            name: "language",
            kind: ArgKind::Choice(&["zh", "en"]),
            required: false,
            suggest: Suggest::Nothing,
            zh: "zh 或 en",
            en: "zh or en",
        }],
        zh: "本频道的语言",
        en: "This channel's language",
        permission: Permission::Managers,
        parse: parse_language,
    },
    CommandSpec {
        name: "style",
        args: &[ArgSpec {
            name: "style",
            kind: ArgKind::Choice(&["titles", "compact", "full", "rich"]),
            required: false,
            suggest: Suggest::Nothing,
            zh: "titles、compact、full 或 rich",
            en: "titles, compact, full or rich",
        }],
        zh: "简报的详略",
        en: "How much of each paper a digest shows",
        permission: Permission::Managers,
        parse: parse_style,
    },
    CommandSpec {
        name: "help",
        args: &[],
        zh: "我能回答什么",
        en: "What I can answer",
        permission: Permission::Everyone,
        parse: |_| Ok(Command::Help),
    },
    CommandSpec {
        name: "start",
        args: &[],
        zh: "我是谁；恢复已暂停的频道",
        en: "What I am; a paused channel gets digests again",
        permission: Permission::Everyone,
        parse: |_| Ok(Command::Start),
    },
];

/// Why a text that was meant for the bot is no command. Shown to the person through [`crate::locale`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandError {
    /// No such command; the nearest one, if any is near.
    Unknown {
        /// As typed, without the slash, at most 32 characters.
        name: String,
        /// What was probably meant.
        nearest: Option<&'static str>,
    },
    /// `/paper` without saying which.
    WhichPaper,
    /// Not a number, a date and a number, an id or a link.
    NoPaper(PaperIdError),
    /// Not a day.
    NoDay(String),
    /// `/search` without words.
    WhichWords,
    /// `/subscribe` or `/unsubscribe` without saying what.
    WhichRule,
    /// `/mention` without saying which and whom.
    WhichMention,
    /// Not one of the few words that are possible.
    NoChoice {
        /// As typed, at most 32 characters.
        typed: String,
        /// What there is.
        choices: &'static [&'static str],
    },
}

/// A question with its circumstances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What was asked, or why it could not be understood.
    pub command: Result<Command, CommandError>,
    /// Where.
    pub place: Place,
    /// The chat or channel around that place, where it is a topic or a thread: its digests are meant when the place itself
    /// has none.
    pub parent: Option<Place>,
    /// The platform's id of the person who asks, where it tells: who sets a channel up hears when it is lost.
    pub asker: Option<String>,
    /// The platform's id of the message that it replies to.
    pub reply_to: Option<String>,
    /// What the asker is there. [`Standing::Member`] where the command asks for no more.
    pub standing: Standing,
    /// The asker's language where the place has no channel's setting.
    pub fallback_lang: Lang,
}

/// Reads a chat message. `None` when it is no command, or one addressed to another bot (`/paper@other_bot`).
///
/// `bot_name` is the bot's user name without `@`; it is compared without case, as Telegram does.
pub fn parse(text: &str, bot_name: Option<&str>) -> Option<Result<Command, CommandError>> {
    let rest = text.trim_start().strip_prefix('/')?;
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let (head, args) = rest.split_at(end);
    let name = match head.split_once('@') {
        Some((name, to)) => {
            if !bot_name.is_some_and(|bot| bot.eq_ignore_ascii_case(to)) {
                return None;
            }
            name
        }
        None => head,
    };
    if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    Some(parse_named(name, args))
}

/// Reads a command whose name and argument text are already apart, as Discord gives them.
///
/// # Errors
/// [`CommandError`] says what was not understood.
pub fn parse_named(name: &str, args: &str) -> Result<Command, CommandError> {
    // Nothing longer is a command, and comparing costs memory by its length.
    let name: String = name.chars().take(NAME_MAX).collect();
    let folded = name.to_lowercase();
    match TABLE.iter().find(|spec| spec.name == folded) {
        Some(spec) => (spec.parse)(args.trim()),
        None => {
            let nearest = TABLE
                .iter()
                .map(|spec| (strsim::damerau_levenshtein(spec.name, &folded), spec.name))
                .filter(|&(distance, name)| distance <= name.len() / 2)
                .min()
                .map(|(_, name)| name);
            Err(CommandError::Unknown { name, nearest })
        }
    }
}

fn parse_paper(args: &str) -> Result<Command, CommandError> {
    paper_query(args).map(Command::Paper)
}

fn paper_query(args: &str) -> Result<PaperQuery, CommandError> {
    let words: Vec<&str> = args.split_whitespace().collect();
    Ok(match words.as_slice() {
        [] => return Err(CommandError::WhichPaper),
        [one] => match number(one) {
            Some(n) => PaperQuery::Number(n),
            None => PaperQuery::Id(paper_id(one)?),
        },
        [first, second] => match (day(first), number(second), day(second), number(first)) {
            (Some(day), Some(n), _, _) | (_, _, Some(day), Some(n)) => PaperQuery::OfDay(day, n),
            _ => PaperQuery::Id(paper_id(args)?),
        },
        _ => PaperQuery::Id(paper_id(args)?),
    })
}

fn parse_search(args: &str) -> Result<Command, CommandError> {
    match args.is_empty() {
        true => Err(CommandError::WhichWords),
        false => Ok(Command::Search(args.to_owned())),
    }
}

fn parse_subscribe(args: &str) -> Result<Command, CommandError> {
    let (first, rest) = args.split_once(char::is_whitespace).unwrap_or((args, ""));
    let rest = rest.trim();
    let folded = crate::text::fold(first.get(..first.len().min(16)).unwrap_or_default());
    if rest.is_empty() {
        return match args.is_empty() || matches!(folded.as_str(), "test" | "edit") {
            true => Err(CommandError::WhichRule),
            false => Ok(Command::Subscribe(args.to_owned())),
        };
    }
    match folded.as_str() {
        "test" | "试" | "测试" => Ok(Command::Try(rest.to_owned())),
        "edit" | "改" | "修改" => {
            let (which, rule) = rest.split_once(char::is_whitespace).ok_or(CommandError::WhichRule)?;
            Ok(match number(which) {
                Some(number) => Command::Edit {
                    number,
                    rule: rule.trim().to_owned(),
                },
                None => Command::Subscribe(args.to_owned()),
            })
        }
        _ => Ok(Command::Subscribe(args.to_owned())),
    }
}

fn parse_unsubscribe(args: &str) -> Result<Command, CommandError> {
    match args.is_empty() {
        true => Err(CommandError::WhichRule),
        false => Ok(Command::Unsubscribe(args.to_owned())),
    }
}

fn parse_mention(args: &str) -> Result<Command, CommandError> {
    let (which, whom) = args
        .rsplit_once(char::is_whitespace)
        .ok_or(CommandError::WhichMention)?;
    Ok(Command::Mention {
        which: which.trim().to_owned(),
        whom: whom.to_owned(),
    })
}

fn parse_language(args: &str) -> Result<Command, CommandError> {
    const CHOICES: &[&str] = &["zh", "en"];
    let chosen = match crate::text::fold(&short(args)).as_str() {
        "" => None,
        "zh" | "zh-cn" | "cn" | "chinese" | "中文" | "汉语" | "简体中文" => Some(Lang::Zh),
        "en" | "english" | "英文" | "英语" => Some(Lang::En),
        _ => return Err(no_choice(args, CHOICES)),
    };
    Ok(Command::Language(chosen))
}

fn parse_style(args: &str) -> Result<Command, CommandError> {
    const CHOICES: &[&str] = &["titles", "compact", "full", "rich"];
    let chosen = match crate::text::fold(&short(args)).as_str() {
        "" => None,
        "titles" | "title" | "标题" => Some(Style::Titles),
        "compact" | "简" | "简洁" => Some(Style::Compact),
        "full" | "全" | "完整" => Some(Style::Full),
        "rich" | "富文本" => Some(Style::Rich),
        _ => return Err(no_choice(args, CHOICES)),
    };
    Ok(Command::Style(chosen))
}

fn no_choice(typed: &str, choices: &'static [&'static str]) -> CommandError {
    CommandError::NoChoice {
        typed: short(typed),
        choices,
    }
}

/// As much of what was typed as an error repeats.
fn short(typed: &str) -> String {
    typed.chars().take(NAME_MAX).collect()
}

fn parse_digest(args: &str) -> Result<Command, CommandError> {
    if args.is_empty() {
        return Ok(Command::Digest { day: None });
    }
    let day = day(args).ok_or_else(|| CommandError::NoDay(args.chars().take(40).collect()))?;
    Ok(Command::Digest { day: Some(day) })
}

/// `4`, `#4`, `4.`, `第4篇`, full-width `４`. Numbers beyond `u32` are capped, so that the answer can say which exist.
fn number(word: &str) -> Option<u32> {
    let folded = crate::text::fold(word);
    let digits = folded
        .trim_start_matches(['#', '第'])
        .trim_end_matches(['.', ',', '。', '篇']);
    let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    all_digits.then(|| digits.parse().unwrap_or(u32::MAX))
}

fn day(word: &str) -> Option<NaiveDate> {
    let folded = crate::text::fold(word);
    ["%Y-%m-%d", "%Y/%m/%d", "%Y年%m月%d日", "%Y%m%d"]
        .iter()
        .find_map(|format| NaiveDate::parse_from_str(folded.trim(), format).ok())
        .filter(|day| (1991..=2100).contains(&chrono::Datelike::year(day)))
}

fn paper_id(text: &str) -> Result<PaperId, CommandError> {
    text.parse().map_err(CommandError::NoPaper)
}

/// How an answer is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As a message of its own, in reply.
    Reply,
    /// In the place of the message whose button was pressed.
    Replace,
    /// To the asker alone and shortly, as far as the platform can: to a press of a button.
    Notice,
    /// The same; and the buttons below the pressed message, which stays otherwise, become those of the answer.
    Buttons,
    /// Not at all; where the platform insists on an answer, to the asker alone.
    Silent,
}

/// An answer: what to say, in which form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What to say.
    pub message: Message,
    /// In which language it is written.
    pub lang: Lang,
    /// Rows of buttons below its last part.
    pub buttons: Vec<Vec<Button>>,
    /// A file that goes with it.
    pub file: Option<Attachment>,
    /// How it is shown.
    pub manner: Manner,
}

impl Answer {
    /// A message of its own, without buttons.
    pub fn new(message: Message, lang: Lang) -> Self {
        Self {
            message,
            lang,
            buttons: Vec::new(),
            file: None,
            manner: Manner::Reply,
        }
    }

    /// One sentence.
    pub fn sentence(text: impl Into<String>, lang: Lang) -> Self {
        Self::new(Message::sentence(text), lang)
    }

    /// The same, shown otherwise.
    #[must_use]
    pub fn shown(self, manner: Manner) -> Self {
        Self { manner, ..self }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn arxiv(id: &str) -> PaperQuery {
        PaperQuery::Id(PaperId::Arxiv(id.to_owned()))
    }

    fn unknown(name: &str, nearest: Option<&'static str>) -> CommandError {
        CommandError::Unknown {
            name: name.to_owned(),
            nearest,
        }
    }

    #[test]
    fn a_paper_is_named_as_people_write_it() {
        let of_day = PaperQuery::OfDay(day("2025-10-09"), 4);
        for (args, query) in [
            ("4", PaperQuery::Number(4)),
            (" #4 ", PaperQuery::Number(4)),
            ("4.", PaperQuery::Number(4)),
            ("０４", PaperQuery::Number(4)),
            ("第4篇", PaperQuery::Number(4)),
            ("0", PaperQuery::Number(0)),
            ("99999999999999999999999", PaperQuery::Number(u32::MAX)),
            ("2025-10-09 4", of_day.clone()),
            ("4 2025-10-09", of_day.clone()),
            ("2025/10/9\t#４", of_day.clone()),
            ("２０２５－１０－０９ 4", of_day.clone()),
            ("2025年10月9日 第4篇", of_day.clone()),
            ("20251009 4", of_day),
            ("2510.09212", arxiv("2510.09212")),
            ("arXiv: 2510.09212v2", arxiv("2510.09212")),
            ("https://arxiv.org/pdf/2510.09212v1", arxiv("2510.09212")),
            (
                "doi:10.1145/3717383.3719313",
                PaperQuery::Id(PaperId::Doi("10.1145/3717383.3719313".to_owned())),
            ),
        ] {
            assert_eq!(parse_named("paper", args), Ok(Command::Paper(query)), "{args}");
        }
        assert_eq!(parse_named("paper", " \n"), Err(CommandError::WhichPaper));
        for args in ["four", "-4", "4 5", "4 2025-13-09", "#", "2025-10-09", "2025-10-09 4 5"] {
            let refused = Err(CommandError::NoPaper(PaperIdError(args.to_owned())));
            assert_eq!(parse_named("paper", args), refused);
        }
    }

    #[test]
    fn a_digest_is_the_latest_or_that_of_a_day() {
        assert_eq!(parse_named("digest", ""), Ok(Command::Digest { day: None }));
        for args in ["2025-10-09", "2025年10月9日", " ２０２５/１０/９ "] {
            let day = Some(day("2025-10-09"));
            assert_eq!(parse_named("digest", args), Ok(Command::Digest { day }), "{args}");
        }
        for args in ["yesterday", "2025-02-30", "0025-10-09", "2025-10-09 4"] {
            assert_eq!(parse_named("digest", args), Err(CommandError::NoDay(args.to_owned())));
        }
    }

    #[test]
    fn a_command_is_for_this_bot_when_it_is_addressed_to_it_or_to_nobody() {
        let four = || Some(Ok(Command::Paper(PaperQuery::Number(4))));
        for text in ["/paper 4", " /PAPER@PaperWireBot 4", "/paper@paperwirebot\n4"] {
            assert_eq!(parse(text, Some("PaperwireBot")), four(), "{text}");
        }
        assert_eq!(parse("/paper 4", None), four());
        for text in [
            "/paper@other_bot 4",
            "/paper@ 4",
            "paper 4",
            "see /paper 4",
            "/",
            "/ paper",
            "/usr/bin",
            "/@PaperwireBot",
        ] {
            assert_eq!(parse(text, Some("PaperwireBot")), None, "{text}");
        }
        assert_eq!(parse("/paper@PaperwireBot 4", None), None);
    }

    #[test]
    fn an_unknown_command_names_the_nearest_if_one_is_near() {
        for (name, nearest) in [
            ("papre", Some("paper")),
            ("Topic", Some("topics")),
            ("digets", Some("digest")),
            ("hlep", Some("help")),
            ("weather", None),
            ("论文", None),
        ] {
            assert_eq!(parse_named(name, "4"), Err(unknown(name, nearest)));
        }
        let long = "é".repeat(3_000_000);
        assert_eq!(
            parse(&format!("/{long}"), None),
            Some(Err(unknown(&"é".repeat(32), None)))
        );
    }

    #[test]
    fn the_table_keeps_the_limits_of_discord_and_telegram() {
        let described = |zh: &str, en: &str| [zh, en].iter().all(|text| (1..=100).contains(&text.chars().count()));
        let named = |name: &str| (1..=32).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase());
        let mut names: Vec<&str> = TABLE.iter().map(|spec| spec.name).collect();
        for spec in TABLE {
            assert!(named(spec.name) && described(spec.zh, spec.en), "{spec:?}");
            assert!(
                spec.args.iter().all(|arg| named(arg.name) && described(arg.zh, arg.en)),
                "{spec:?}"
            );
            // Discord wants required options first, at most 25.
            assert!(spec.args.is_sorted_by_key(|arg| !arg.required) && spec.args.len() <= 25);
            let bare = parse_named(spec.name, "");
            assert_eq!(bare.is_err(), spec.args.iter().any(|arg| arg.required), "{spec:?}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len());
    }

    proptest! {
        #[test]
        fn whatever_is_written_an_error_repeats_little_of_it(
            text in r"[ ]?(/(paper|digest|topics|help|start|[a-zé论]{0,40})(@[a-zA-Z_]{0,6})?)?([ \n](\PC{0,200}|[0-9:./ -]{0,90}))?",
        ) {
            let parsed = parse(&text, Some("bot"));
            prop_assert!(parsed.is_none() || text.trim_start().starts_with('/'));
            let repeated = match parsed {
                Some(Err(CommandError::Unknown { name, nearest })) => {
                    prop_assert!(nearest.is_none_or(|n| TABLE.iter().any(|spec| spec.name == n)));
                    prop_assert!(name.chars().count() <= 32);
                    name
                }
                Some(Err(CommandError::NoPaper(error))) => error.0,
                Some(Err(CommandError::NoDay(day))) => day,
                Some(Err(CommandError::NoChoice { typed, .. })) => typed,
                Some(Err(CommandError::WhichPaper | CommandError::WhichWords) | Ok(_)) | None => String::new(),
                Some(Err(CommandError::WhichRule | CommandError::WhichMention)) => String::new(),
            };
            prop_assert!(repeated.chars().count() <= 80);
        }

        #[test]
        fn any_number_of_any_day_is_found_in_either_order(n: u32, days in 0_u64..36_000, swapped: bool) {
            let day = day("1995-01-01") + chrono::Days::new(days);
            let args = if swapped { format!("{n} {day}") } else { format!("{day} {n}") };
            prop_assert_eq!(parse_named("paper", &args), Ok(Command::Paper(PaperQuery::OfDay(day, n))));
        }
    }
}
