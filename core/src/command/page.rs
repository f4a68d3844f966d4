//! docs/COMMANDS.md: every command as the table has it, the conversations that the snapshot tests recorded, and the
//! languages of rules and times with what their parsers make of the examples. A page that people keep by hand says after
//! a while what was once so; this one is compared with the program by a test, which also writes it.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::{ArgKind, ArgSpec, CommandSpec, Permission, Suggest, TABLE, parse_named};
use crate::channel::Missed;
use crate::locale::Lang;
use crate::message::Message;
use crate::pipeline::MOST_FOLLOWED;
use crate::rule::parse::{CHARS_MAX, TERMS_MAX};
use crate::rule::trial::NOISE;
use crate::rule::{Query, Rule};
use crate::schedule::phrase::{self, MAX_PAUSE, ScheduleChange};
use crate::schedule::zone;

const HEAD: &str = "\
<!-- Written by a test from the program itself; do not edit it. After a change of core/src/command:
     PAPERWIRE_WRITE_DOCS=1 cargo test -p paperwire-core --lib command::page -->

# Commands · 命令

The same commands work on Discord, on Telegram and on the local web page: typed as `/paper 4`, in Telegram groups also as
`/paper@yourbot 4`; on Discord they are slash commands, which suggest while you type. A name that is nearly right is answered
with the right one. Answers come in the channel's language; names of commands are the same in both.

Discord、Telegram 和本地网页上的命令相同：输入 `/paper 4` 即可，在 Telegram 群组里也可写成 `/paper@yourbot 4`；在 Discord 上是斜杠命令，\
输入时有提示。命令名写得差不多时，会提示正确的写法。回答使用频道的语言，命令名在两种语言中相同。

- [The table · 一览](#the-table--一览)
- [Each command · 逐条说明](#each-command--逐条说明)
- [Rules and searches · 规则与检索](#rules-and-searches--规则与检索)
- [Times · 时间](#times--时间)
- [Buttons · 按钮](#buttons--按钮)
- [Who may · 权限](#who-may--权限)
";

/// What the table has no room for.
const NOTES: &[(&str, &str, &str)] = &[
    (
        "paper",
        "A number is that of the latest digest here; on Telegram, in reply to an older digest, of that one.",
        "编号指这里最新一期的编号；在 Telegram 上回复某一期简报时，指那一期的编号。",
    ),
    (
        "search",
        "The words are a rule, see [below](#rules-and-searches--规则与检索), with `from:` and `to:` besides. \
         On Telegram also from any chat: `@yourbot kv cache`.",
        "检索词的写法与规则相同，见[下文](#rules-and-searches--规则与检索)，并可加 `from:` 和 `to:`。\
         在 Telegram 的任何聊天中也可输入 `@yourbot kv cache`。",
    ),
    (
        "why",
        "What brought it and how it scored; of a paper that was not posted, the nearest rule and what it lacked, or what \
         else stood in the way.",
        "是什么选中了它、得了多少分；对没有推送的论文，说明最接近的规则和所缺的条件，或其他原因。",
    ),
    (
        "evidence",
        "Clause by clause, the words of the paper on which its brief rests and where they stand; says so where a brief was \
         replaced by the abstract's own words, and why, and where nothing carries a clause.",
        "逐句列出简报所依据的原文及其出处；若原有的简报被摘要原文取代，会说明原因；没有依据的句子也会指出。",
    ),
    (
        "subscribe",
        "`test RULE` follows nothing and says what the rule would have brought in the last 30 days; everyone may. The first \
         subscription of a place, a thread or a forum topic too, makes it a channel with a digest of its own.",
        "`test 规则` 只试不关注，说明过去 30 天它会带来什么，人人可用。某处（包括子区和论坛话题）的第一次关注会使它成为一个频道，\
         有自己的简报。",
    ),
    (
        "schedule",
        "What it understands stands [below](#times--时间). `missed` and one of `merge`, `skip`, `replay` says what becomes \
         of digests that were missed.",
        "可用的写法见[下文](#times--时间)。`missed` 加 `merge`、`skip` 或 `replay` 决定错过的简报如何处理。",
    ),
    (
        "saved",
        "The list is your own; `/saved 2` is its second page, `/saved export bibtex` (or `/saved bibtex`) all of it as a \
         file.",
        "清单属于你自己；`/saved 2` 为第二页，`/saved export bibtex`（或 `/saved bibtex`）把全部导出为文件。",
    ),
    (
        "top",
        "Of what was posted here in the last seven days. Votes from everywhere count; without votes the best scored come.",
        "范围是最近七天推送到这里的论文。各处的投票都计入；没有投票时按得分排列。",
    ),
    (
        "start",
        "Wakes a channel that was paused since it could not be written to; a `/pause` it does not end.",
        "唤醒因无法发送而暂停的频道；不会结束 `/pause` 的暂停。",
    ),
];

/// Rules with what they find.
const RULES: &[(&str, &str, &str)] = &[
    (
        "kv cache",
        "both words in title or abstract, in any order and inflection (caching, caches)",
        "标题或摘要中两个词都出现，不论顺序和词形",
    ),
    (
        "\"kv cache\"",
        "the phrase as it is spelt; case, width, hyphens and spaces do not count (KV-Cache, KVCache)",
        "原样的短语；不计大小写、全半角、连字符和空格",
    ),
    (
        "pruning OR 剪枝",
        "either; `|` and 或 are the same",
        "两者之一；也可写 `|` 或“或”",
    ),
    (
        "pruning -survey",
        "the one without the other; `NOT` and 非 are the same",
        "有前者而无后者；也可写 `NOT` 或“非”",
    ),
    (
        "(pruning OR quantization) llm -(survey benchmark)",
        "groups; a space binds tighter than `OR`",
        "括号分组；空格优先于 `OR`",
    ),
    ("title:attention", "in the title alone", "只在标题中"),
    (
        "author:\"Yann LeCun\"",
        "an author: the family name, or the whole name, where initials and missing middle names will do",
        "作者：姓，或全名；名可缩写，中间名可省略",
    ),
    ("cat:cs.CL", "one of arXiv's categories", "arXiv 分类"),
    ("cat:cs.*", "a whole archive of arXiv", "arXiv 的整个大类"),
    (
        "org:北京大学",
        "an institution under any of its names: Peking University, PKU",
        "机构，中英文名称和缩写均可：Peking University、PKU",
    ),
    (
        "topic:inference",
        "what a topic of `/topics` picks",
        "`/topics` 中某个主题选出的论文",
    ),
    (
        "/speculative.{1,20}(decoding|sampling)/",
        "a regular expression over title and abstract, without case, with three fixed letters in a row at least",
        "标题和摘要上的正则表达式，不分大小写，至少含三个连续的固定字母",
    ),
    (
        "title:(kv cache)",
        "a field before a group means each of its words",
        "字段放在括号前，对括号内每个词有效",
    ),
];

/// What only a search takes.
const QUERIES: &[(&str, &str, &str)] = &[
    (
        "kv cache from:2025-09-01 to:2025-09-30",
        "taken in on one of these days, in the time zone of `[defaults]`",
        "在这些日子收录的论文，按 `[defaults]` 的时区",
    ),
    ("pruning from:2025-09", "a month is all of its days", "月份指整个月"),
    (
        "-survey from:2025-09-01",
        "a search may name only what is not wanted",
        "检索可以只写不要什么",
    ),
];

/// What is no rule; what is said of it comes from the parser.
const REFUSED: &[&str] = &[
    "pruning, quantization",
    "pruning or quantization",
    "quant*",
    "titel:pruning",
    "cat:CL",
    "-survey",
    "/.*/",
    "(kv cache",
    "pruning from:2025-09-01",
];

/// What stands behind `/schedule`; the meaning comes from the parser.
const SCHEDULES: &[&str] = &[
    "09:00",
    "9am",
    "weekdays 9am",
    "mon,thu 18:30",
    "mon-fri 9",
    "mon 9:00, thu 18:30",
    "9:00, 18:30",
    "weekends noon",
    "9:00 Berlin",
    "工作日 早上9点半",
    "周一、周四 18:30",
    "每周五 下午5点",
    "北京时间9点",
    "hourly",
    "cron 0 9 1 * *",
    "off",
    "关闭",
];

/// When the examples of pauses are read: Friday, 10 October 2025, 20:00 in Shanghai.
const READ_AT: (&str, Tz) = ("2025-10-10T12:00:00Z", Tz::Asia__Shanghai);

/// What stands behind `/pause`.
const PAUSES: &[&str] = &[
    "until monday",
    "tomorrow 9am",
    "3 days",
    "2 weeks",
    "next month",
    "2025-12-01",
    "1 December",
    "下周一",
    "明天早上9点",
    "三天",
    "12月1日",
    "forever",
];

/// What stands behind `/timezone`.
const ZONES: &[&str] = &[
    "Asia/Shanghai",
    "berlin",
    "new york",
    "北京",
    "UTC+8",
    "东八区",
    "India",
    "cet",
];

const OF_RULES: [&str; 2] = [
    "A rule says which papers are wanted. `/subscribe` follows it, `/subscribe test` tries it first, `/search` takes it too: \
     what was tried in one works in the other.",
    "规则说明想要哪些论文。`/subscribe` 关注一条规则，`/subscribe test` 先试一试，`/search` 也用同样的写法：在一处试好的，在另一处同样有效。",
];

const OF_REFUSALS: [&str; 2] = [
    "What is wrong, or could be meant in two ways, is refused, and the answer shows the place and what to type instead:",
    "有误或可能有两种意思的写法会被拒绝，回答会标出位置并给出正确的写法：",
];

const OF_SCHEDULES: [&str; 2] = [
    "`/schedule` takes times of day with days of the week, in either language, with a time zone where another is meant; days \
     without a time mean nine o'clock. Anything else is a cron expression, as in crontab(5). A time that the \
     clocks skip in spring is the end of the gap; one that they repeat in autumn comes once.",
    "`/schedule` 接受时刻和星期，中英文均可，也可注明时区；只写日子则为九点。其他情况用 cron 表达式，含义同 crontab(5)。\
     夏令时开始时被跳过的时刻，在跳过之后立即推送；结束时重复的时刻，只推送一次。",
];

const OF_MISSED: [(Missed, &str, &str); 3] = [
    (
        Missed::Merge,
        "one digest with everything since the last, at the next occasion",
        "下一次时合并为一期",
    ),
    (Missed::Skip, "their papers are never posted", "不再推送"),
    (
        Missed::Replay,
        "each by itself, the last 14, with the papers that it would have had",
        "逐期补发（最近 14 期），各含当时的论文",
    ),
];

const OF_PAUSES: [&str; 2] = [
    "`/pause` takes a day, which means its beginning, a day and a time, or a length; nothing means until `/resume`.",
    "`/pause` 接受日期（指当天零点）、日期加时刻，或时长；不填则直到 `/resume`。",
];

const OF_ZONES: [&str; 2] = [
    "`/timezone` takes a name of the IANA, a large city, a country with one zone, or an offset. What means several (`EST`, \
     `CST`, `USA`) is answered with a choice.",
    "`/timezone` 接受 IANA 名称、大城市、只有一个时区的国家，或与 UTC 的差。有多种含义的（`EST`、`CST`、`美国`）会列出选项。",
];

const OF_BUTTONS: &str = "\
- Below a digest: 👍, 👎 and 🔖 (save) for every paper; on Discord three menus in which the paper is chosen. ⓘ, on
  Discord and Telegram, says which digest the message is.
- Below `/paper`: 👍, 👎, 🔖, *Evidence* (`/evidence`), *Why* (`/why`) and *Similar* (`/similar`).
- Below a search: a number opens that paper, ◀ and ▶ turn the page in the same message.
- Below `/subscriptions`: *Pause*, *Resume*, *Edit* (says what to type) and *Remove*, for those who may change settings.

Everybody has one vote for a paper, whichever message shows it; pressing again takes it back, and so it is with 🔖. Somebody on
two platforms counts as two. Counts are shown in the posted digests of the last seven days, by an edit five minutes apart at
least. A button that means nothing any more says so.

- 简报下方：每篇论文有 👍、👎 和 🔖（收藏）；在 Discord 上是三个菜单，在其中选择论文。Discord 和 Telegram 上的 ⓘ 说明这条消息属于哪一期。
- `/paper` 下方：👍、👎、🔖、“依据”（`/evidence`）、“为何”（`/why`）和“相似”（`/similar`）。
- 检索结果下方：编号打开论文，◀ 和 ▶ 在同一条消息里翻页。
- `/subscriptions` 下方：“暂停”“恢复”“修改”（告诉你该输入什么）和“移除”，仅限可更改设置的人。

每人对每篇论文有一票，不论在哪条消息下投；再按一次即撤回，🔖 也一样。同一个人在两个平台上算两个人。票数显示在最近七天的简报里，\
消息每隔至少五分钟编辑一次。已失效的按钮会说明自己已失效。
";

const OF_PEOPLE: &str = "\
Everyone may ask, vote and save. Settings are changed by whoever manages the place: on Discord with *Manage Channels* there,
*Administrator*, or the role of `discord.manager_role`; on Telegram the creator and the administrators, anonymous ones too;
in a private chat everyone, for themselves; on the web page whoever can open it. Somebody who asks more often than
`access.questions_per_minute` is told so once and then not answered for a while.

人人可以提问、投票和收藏。设置由该处的管理者更改：在 Discord 上是在该频道有“管理频道”或“管理员”权限、或拥有 `discord.manager_role` \
角色的人；在 Telegram 上是群主和管理员，包括匿名管理员；在私聊中每个人管理自己的；在网页上是能打开网页的人。提问超过 \
`access.questions_per_minute` 的人会被告知一次，之后一段时间不再回答。
";

/// The conversations, as the snapshot tests of [`super::answer`] keep them.
const RECORDED: [(Lang, [&str; 2]); 2] = [
    (
        Lang::En,
        [
            include_str!("snapshots/paperwire_core__command__answer__tests__a_dialogue_in_english.snap"),
            include_str!("snapshots/paperwire_core__command__answer__tests__a_conversation_in_english.snap"),
        ],
    ),
    (
        Lang::Zh,
        [
            include_str!("snapshots/paperwire_core__command__answer__tests__a_dialogue_in_chinese.snap"),
            include_str!("snapshots/paperwire_core__command__answer__tests__a_conversation_in_chinese.snap"),
        ],
    ),
];

/// docs/COMMANDS.md.
pub(super) fn page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n## The table · 一览\n\n");
    let commands = TABLE.iter().map(|spec| {
        let link = format!("[`/{0}`](#{0})", spec.name);
        [link, prose(spec.en), prose(spec.zh), who(spec).to_owned()]
    });
    page.push_str(&table(
        ["Command", "What it does", "作用", "Who may · 谁可以用"],
        commands,
    ));
    page.push_str("\n## Each command · 逐条说明\n");
    for spec in TABLE {
        page.push_str(&command(spec));
    }

    page.push_str("\n## Rules and searches · 规则与检索\n\n");
    page.push_str(&both(OF_RULES));
    let explained = |&(text, en, zh): &(&str, &str, &str)| [code(text), cell(en), cell(zh)];
    page.push_str(&table(
        ["Rule · 规则", "What it finds", "找到什么"],
        RULES.iter().map(explained),
    ));
    page.push_str("\nA search may also say when · 检索还可限定时间：\n\n");
    page.push_str(&table(
        ["Search · 检索", "What it finds", "找到什么"],
        QUERIES.iter().map(explained),
    ));
    page.push('\n');
    page.push_str(&both(OF_REFUSALS));
    let refused = REFUSED
        .iter()
        .map(|text| [code(text), refusal(text, Lang::En), refusal(text, Lang::Zh)]);
    page.push_str(&table(["Not a rule · 不是规则", "What is said", "回答"], refused));
    page.push_str(&format!(
        "\nA rule has at most {CHARS_MAX} characters and {TERMS_MAX} conditions; a place follows at most {MOST_FOLLOWED}. \
         More than {NOISE} papers a day is called noise when a rule is tried.\n\n\
         每条规则最多 {CHARS_MAX} 个字符、{TERMS_MAX} 个条件；每处最多关注 {MOST_FOLLOWED} 条。试规则时，每天超过 {NOISE} 篇会提醒过多。\n"
    ));

    page.push_str("\n## Times · 时间\n\n");
    page.push_str(&both(OF_SCHEDULES));
    let schedules = SCHEDULES
        .iter()
        .map(|text| [code(text), scheduled(text, Lang::En), scheduled(text, Lang::Zh)]);
    page.push_str(&table(["`/schedule` …", "What it means", "含义"], schedules));
    page.push_str("\nDigests that were missed, since the program was off or the channel paused · 程序停止或频道暂停期间错过的简报：\n\n");
    let missed = OF_MISSED.map(|(missed, en, zh)| [code(&format!("missed {missed}")), cell(en), cell(zh)]);
    page.push_str(&table(["`/schedule` …", "What becomes of them", "如何处理"], missed));
    page.push('\n');
    page.push_str(&both(OF_PAUSES));
    let pauses = PAUSES.iter().map(|text| [code(text), paused(text)]);
    let read_at = "Until, on Friday 10 Oct 2025 at 20:00 · 到何时（在 2025 年 10 月 10 日周五 20:00 输入）";
    page.push_str(&table(["`/pause` …", read_at], pauses));
    page.push_str(&format!(
        "\nA pause lasts {MAX_PAUSE} days at most. · 最多暂停 {MAX_PAUSE} 天。\n\n"
    ));
    page.push_str(&both(OF_ZONES));
    let zones = ZONES
        .iter()
        .map(|text| [code(text), zoned(text, Lang::En), zoned(text, Lang::Zh)]);
    page.push_str(&table(["`/timezone` …", "What it means", "含义"], zones));

    page.push_str("\n## Buttons · 按钮\n\n");
    page.push_str(OF_BUTTONS);
    page.push_str("\n## Who may · 权限\n\n");
    page.push_str(OF_PEOPLE);
    page
}

/// A command's own section.
fn command(spec: &CommandSpec) -> String {
    let (en, zh) = (prose(spec.en), prose(spec.zh));
    let mut section = format!("\n### {}\n\n{en}  \n{zh}\n", spec.name);
    if let Some((_, en, zh)) = NOTES.iter().find(|(name, ..)| *name == spec.name) {
        section.push_str(&format!("\n{en}  \n{zh}\n"));
    }
    if !spec.args.is_empty() {
        section.push('\n');
        section.push_str(&table(
            [
                "Argument · 参数",
                "Type · 类型",
                "Suggested while typing · 输入提示",
                "What it is",
                "说明",
            ],
            spec.args.iter().map(|arg| {
                let needed = if arg.required {
                    "required · 必填"
                } else {
                    "optional · 可选"
                };
                let kind = format!("{}, {needed}", kind(arg));
                [
                    code(arg.name),
                    kind,
                    suggested(arg).to_owned(),
                    prose(arg.en),
                    prose(arg.zh),
                ]
            }),
        ));
    }
    let who = who(spec);
    section.push_str(&format!("\nWho may · 谁可以用：{who}\n"));
    let heard: Vec<String> = RECORDED
        .iter()
        .map(|(_, recorded)| {
            recorded
                .iter()
                .flat_map(|text| exchanges(text, spec.name))
                .collect::<Vec<_>>()
                .join("\n\n")
        })
        .filter(|heard| !heard.is_empty())
        .collect();
    if !heard.is_empty() {
        let heard = heard
            .iter()
            .map(|heard| format!("```text\n{heard}\n```\n"))
            .collect::<Vec<_>>()
            .join("\n");
        section.push_str(&format!(
            "\n<details><summary>As a conversation · 对话</summary>\n\n{heard}\n</details>\n"
        ));
    }
    section
}

/// What was typed of a command, each with its answer.
fn exchanges<'a>(recorded: &'a str, name: &str) -> Vec<&'a str> {
    let said = recorded.splitn(3, "---\n").nth(2).unwrap_or_default();
    let starts: Vec<usize> = said
        .match_indices("> ")
        .map(|(at, _)| at)
        .filter(|&at| at == 0 || said[..at].ends_with('\n'))
        .collect();
    let ends = starts.iter().skip(1).copied().chain([said.len()]);
    let all = starts.iter().zip(ends).map(|(&start, end)| said[start..end].trim_end());
    // A message that is replied to stands before the command.
    let typed = |exchange: &&str| {
        let line = exchange.lines().next().unwrap_or_default();
        let command = line.split_once('/').map(|(_, command)| command).unwrap_or_default();
        command.split_whitespace().next() == Some(name)
    };
    all.filter(typed).collect()
}

/// Who may use it; what only looks is everybody's.
fn who(spec: &CommandSpec) -> &'static str {
    let looks = parse_named(spec.name, "").is_ok_and(|bare| bare.permission() == Permission::Everyone);
    match (spec.permission, looks) {
        (Permission::Everyone, _) => "everyone · 所有人",
        (Permission::Managers, false) => "managers · 管理者",
        (Permission::Managers, true) => "everyone sees, managers change · 所有人可看，管理者可改",
    }
}

fn kind(arg: &ArgSpec) -> String {
    match arg.kind {
        ArgKind::Text => "text · 文本".to_owned(),
        ArgKind::Day => "day · 日期".to_owned(),
        ArgKind::Choice(words) => words.iter().map(|word| code(word)).collect::<Vec<_>>().join(" "),
    }
}

fn suggested(arg: &ArgSpec) -> &'static str {
    match arg.suggest {
        Suggest::Nothing => "",
        Suggest::Papers => "papers of the latest digest and of the archive · 最新一期和已收录的论文",
        Suggest::Subscriptions => "what is followed here · 这里关注的内容",
        Suggest::Topics => "topics · 主题",
        Suggest::Zones => "time zones · 时区",
    }
}

/// What the parser says of a rule: what is wrong, and what to type.
fn refusal(text: &str, lang: Lang) -> String {
    let lines = match text.parse::<Rule>() {
        Ok(_) => Vec::new(),
        Err(error) => error.lines(lang),
    };
    let said = |line| Message::line(line).to_plain().trim().to_owned();
    let mut said: Vec<String> = lines.into_iter().map(said).collect();
    // Between what is wrong and what to type stands the rule with its caret.
    if said.len() > 3 {
        said.drain(1..3);
    }
    prose(&said.join(lang.pick("", " ")))
}

fn scheduled(text: &str, lang: Lang) -> String {
    match phrase::schedule(text) {
        Ok(ScheduleChange::Posts { schedule, zone }) => {
            let zone = zone
                .map(|zone| format!(" ({})", zone::label(zone, lang)))
                .unwrap_or_default();
            cell(&format!("{}{zone}", prose(&phrase::describe(&schedule, lang))))
        }
        Ok(ScheduleChange::Off) => lang.pick("只在要求时推送", "only on request").to_owned(),
        Ok(ScheduleChange::Show | ScheduleChange::Weekly { .. } | ScheduleChange::WeeklyOff) | Err(_) => String::new(),
    }
}

fn paused(text: &str) -> String {
    let (now, zone) = READ_AT;
    let now: DateTime<Utc> = now.parse().unwrap();
    match phrase::until(text, zone, now) {
        Ok(Some(end)) => end.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string(),
        Ok(None) => "`/resume`".to_owned(),
        Err(_) => String::new(),
    }
}

fn zoned(text: &str, lang: Lang) -> String {
    zone::find(text)
        .map(|zone| prose(&zone::label(zone, lang)))
        .unwrap_or_default()
}

fn both(text: [&str; 2]) -> String {
    text.map(|text| format!("{text}\n\n")).concat()
}

fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(N));
    for row in rows {
        table.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    table
}

/// Text with Markdown of its own inside a table.
fn cell(text: &str) -> String {
    text.replace('|', r"\|")
}

/// What is typed, inside a table. No example has a backtick.
fn code(text: &str) -> String {
    format!("`{}`", cell(text))
}

/// Text that is no Markdown.
fn prose(text: &str) -> String {
    let mut prose = String::new();
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '_' | '<' | '|' | '`' | '[') {
            prose.push('\\');
        }
        prose.push(c);
    }
    prose
}

#[test]
fn the_page_of_commands_is_what_the_program_does() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/COMMANDS.md");
    if std::env::var_os("PAPERWIRE_WRITE_DOCS").is_some() {
        std::fs::write(path, page()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default().replace("\r\n", "\n");
    assert!(
        written == page(),
        "docs/COMMANDS.md is not what the program does any more. To write it anew:\n\
         PAPERWIRE_WRITE_DOCS=1 cargo test -p paperwire-core --lib command::page"
    );
}

#[test]
fn every_example_of_the_page_is_understood_and_every_refused_one_refused() {
    for (text, ..) in RULES {
        assert!(text.parse::<Rule>().is_ok(), "{text}");
    }
    for (text, ..) in RULES.iter().chain(QUERIES) {
        assert!(Query::parse(text).is_ok(), "{text}");
    }
    for lang in Lang::ALL {
        for text in REFUSED {
            assert_ne!(refusal(text, lang), "", "{text}");
        }
        for text in SCHEDULES {
            assert_ne!(scheduled(text, lang), "", "{text}");
        }
        for text in ZONES {
            assert_ne!(zoned(text, lang), "", "{text}");
        }
    }
    for text in PAUSES {
        assert_ne!(paused(text), "", "{text}");
    }
    for (name, ..) in NOTES {
        assert!(TABLE.iter().any(|spec| spec.name == *name), "{name}");
    }
}
