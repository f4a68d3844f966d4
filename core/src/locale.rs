//! Every sentence that the bot says, in Chinese and in English. A sentence stands here as a function, so that its
//! arguments are checked and both languages stand one above the other.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The language of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// Chinese, simplified.
    Zh,
    /// English.
    En,
}

impl Lang {
    /// Both, for tables.
    pub const ALL: [Self; 2] = [Self::Zh, Self::En];

    /// `zh` or `en`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Zh => "zh",
            Self::En => "en",
        }
    }

    /// One of two texts.
    pub fn pick<T>(self, zh: T, en: T) -> T {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }
}

impl fmt::Display for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Lang {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|lang| lang.code() == s)
            .ok_or_else(|| format!("“{s}” is not a language; use \"zh\" or \"en\""))
    }
}

/// Sentences of the digest, of answers and of notices. Numbers, dates and names come as arguments.
impl Lang {
    /// `10 Oct 2025`.
    pub fn date(self, day: chrono::NaiveDate) -> String {
        self.pick(day.format("%Y年%-m月%-d日"), day.format("%-d %b %Y"))
            .to_string()
    }

    /// `9 Oct`.
    pub fn short_date(self, day: chrono::NaiveDate) -> String {
        self.pick(day.format("%-m月%-d日"), day.format("%-d %b")).to_string()
    }

    /// An erratum: what was wrong with an entry.
    pub fn erratum_repaired(self, date: &str, what: &str) -> String {
        self.pick(
            format!("更正（{date}）：{what}。"),
            format!("Correction, {date}: {what}."),
        )
    }

    /// What may be wrong with an entry.
    pub fn erratum_title(self) -> &'static str {
        self.pick("标题", "title")
    }

    /// What may be wrong with an entry.
    pub fn erratum_institutions(self) -> &'static str {
        self.pick("机构", "institutions")
    }

    /// What may be wrong with an entry.
    pub fn erratum_authors(self) -> &'static str {
        self.pick("作者人数", "number of authors")
    }

    /// An erratum: there is a newer version than the one that was announced.
    pub fn erratum_new_version(self, version: Option<u16>, date: &str) -> String {
        let number = version.map(|version| format!(" v{version}")).unwrap_or_default();
        self.pick(
            format!("已有新版本{number}（{date}）。"),
            format!("New version{number} of {date}."),
        )
    }

    /// An erratum: the paper was taken back.
    pub fn erratum_withdrawn(self, date: &str) -> String {
        self.pick(format!("已撤稿（{date}）。"), format!("Withdrawn, {date}."))
    }

    /// `9 Oct 2025 18:00 UTC`.
    pub fn instant(self, at: chrono::DateTime<chrono::Utc>) -> String {
        format!("{} {} UTC", self.date(at.date_naive()), at.format("%H:%M"))
    }

    /// The heading of a digest.
    pub fn digest_title(self, subjects: &str, date: &str) -> String {
        format!("{subjects} · {date}")
    }

    /// The heading of a round-up.
    pub fn weekly_title(self, subjects: &str, date: &str) -> String {
        format!("{subjects} · {} · {date}", self.weekly_mark())
    }

    /// What a round-up is.
    pub fn weekly_mark(self) -> &'static str {
        self.pick("一周精选", "the week's best")
    }

    /// What a round-up shows, of how many papers.
    pub fn weekly_count(self, shown: usize, of: u32) -> String {
        match of {
            1 => self
                .pick(
                    "过去一周这里推送的唯一一篇论文",
                    "The one paper posted here in the past week",
                )
                .to_owned(),
            n if usize::try_from(n).unwrap_or(usize::MAX) > shown => self.pick(
                format!("过去一周这里推送的 {n} 篇论文中最好的 {shown} 篇：先按投票，再按评分"),
                format!("The best {shown} of {n} papers posted here in the past week: by votes, then by score"),
            ),
            n => self.pick(
                format!("过去一周这里推送的 {n} 篇论文：先按投票，再按评分"),
                format!("The {n} papers posted here in the past week: by votes, then by score"),
            ),
        }
    }

    /// Before somebody who is called: which papers are theirs, at most 20 of them by number.
    pub fn numbers_named(self, numbers: &std::collections::BTreeSet<u32>) -> String {
        let list: Vec<String> = numbers.iter().take(20).map(u32::to_string).collect();
        let more = if numbers.len() > list.len() { "…" } else { "" };
        let list = list.join(self.comma());
        match numbers.len() {
            1 => self.pick(format!("第 {list} 篇："), format!("Number {list}: ")),
            _ => self.pick(format!("第 {list}{more} 篇："), format!("Numbers {list}{more}: ")),
        }
    }

    /// What a subscription of keywords alone is called.
    pub fn keywords_name(self, keywords: &[String]) -> String {
        let list = keywords.join(self.pick("、", ", "));
        self.pick(format!("关键词：{list}"), format!("Keywords: {list}"))
    }

    /// What a subscription of rules is called: the first of them and how many more.
    pub fn rules_name(self, first: &str, others: usize) -> String {
        match others {
            0 => first.to_owned(),
            n => self.pick(format!("{first} 等 {} 条规则", n + 1), format!("{first} and {n} more")),
        }
    }

    /// How many papers a digest has, of how many.
    pub fn digest_count(self, shown: usize, matched: u32, considered: u32) -> String {
        let capped = usize::try_from(matched).unwrap_or(usize::MAX) > shown;
        match (capped, shown) {
            (true, 1) => self.pick(
                format!("{considered} 篇新论文中有 {matched} 篇相关，以下为评分最高的 1 篇"),
                format!("{matched} of {considered} new papers match; this is the best one"),
            ),
            (true, _) => self.pick(
                format!("{considered} 篇新论文中有 {matched} 篇相关，以下为评分最高的 {shown} 篇"),
                format!("{matched} of {considered} new papers match; these are the best {shown}"),
            ),
            (false, 1) => self.pick(
                format!("{considered} 篇新论文中有 1 篇相关"),
                format!("1 of {considered} new papers matches"),
            ),
            (false, _) => self.pick(
                format!("{considered} 篇新论文中有 {shown} 篇相关"),
                format!("{shown} of {considered} new papers match"),
            ),
        }
    }

    /// What a source is called.
    pub fn source_name(self, source: crate::source::SourceKind) -> &'static str {
        match source {
            crate::source::SourceKind::ArxivMail => self.pick("arXiv 邮件列表", "arXiv mailing"),
            crate::source::SourceKind::Report => self.pick("分析报告", "analysis report"),
            crate::source::SourceKind::ArxivApi => self.pick("arXiv 接口", "arXiv API"),
            crate::source::SourceKind::ArxivRss => self.pick("arXiv 订阅源", "arXiv feed"),
            crate::source::SourceKind::ArxivOai => self.pick("arXiv OAI-PMH 接口", "arXiv OAI-PMH"),
            crate::source::SourceKind::HuggingFace => self.pick("Hugging Face 每日论文", "Hugging Face daily papers"),
            crate::source::SourceKind::Feed => self.pick("订阅源", "feed"),
            crate::source::SourceKind::Jsonl => self.pick("JSONL 文件", "JSONL file"),
            crate::source::SourceKind::ArxivHtml => self.pick("arXiv 论文网页", "paper's page on arXiv"),
            crate::source::SourceKind::Grobid => self.pick("GROBID 服务", "GROBID server"),
            crate::source::SourceKind::OpenAlex => self.pick("OpenAlex 目录", "OpenAlex catalogue"),
        }
    }

    /// The interval that a digest covers.
    pub fn covers(self, source: &str, from: &str, to: &str) -> String {
        self.pick(format!("{source}：{from} 至 {to}"), format!("{source}, {from} to {to}"))
    }

    /// The mark at a brief that is taken from the abstract.
    pub fn extracted_mark(self) -> &'static str {
        self.pick("〔摘自摘要〕", "[from the abstract]")
    }

    /// The mark at a brief that is taken from the abstract because the written one said what the paper does not say.
    pub fn replaced_mark(self) -> &'static str {
        self.pick(
            "〔原简报依据不足，改摘自摘要〕",
            "[from the abstract; the brief was not grounded]",
        )
    }

    /// In place of a brief.
    pub fn no_brief(self) -> &'static str {
        self.pick("暂无摘要，无法给出简报。", "No abstract is known, hence no brief.")
    }

    /// In place of a title.
    pub fn no_title(self) -> &'static str {
        self.pick("（无标题）", "(untitled)")
    }

    /// `10 authors`.
    pub fn author_count(self, n: u32) -> String {
        match n {
            1 => self.pick("1 位作者", "1 author").to_owned(),
            n => self.pick(format!("{n} 位作者"), format!("{n} authors")),
        }
    }

    /// The last line of a digest.
    pub fn digest_hint(self) -> &'static str {
        self.pick("查看某篇：/paper 编号", "To open a paper: /paper and its number")
    }

    /// A digest without papers, since none of those that came matched.
    pub fn empty_no_match(self, considered: u32) -> String {
        match considered {
            1 => self
                .pick("收到 1 篇新论文，没有相关的。", "1 new paper came; it does not match.")
                .to_owned(),
            n => self.pick(
                format!("收到 {n} 篇新论文，没有相关的。"),
                format!("{n} new papers came; none of them matches."),
            ),
        }
    }

    /// A digest without papers, since a mailing came that had no new paper.
    pub fn empty_no_paper(self) -> &'static str {
        self.pick("收到的邮件列表里没有新论文。", "The mailing had no new paper.")
    }

    /// A digest without papers, since nothing came.
    pub fn empty_no_window(self) -> &'static str {
        self.pick(
            "上一期之后没有收到任何邮件列表或报告。",
            "No mailing and no report came since the last digest.",
        )
    }

    /// `and 12 more`.
    pub fn and_more(self, n: usize) -> String {
        self.pick(format!("等另外 {n} 位"), format!("and {n} more"))
    }

    /// Separator in lists of names.
    pub fn comma(self) -> &'static str {
        self.pick("、", ", ")
    }

    /// Label before authors.
    pub fn authors_label(self) -> &'static str {
        self.pick("作者：", "Authors: ")
    }

    /// Label before institutions.
    pub fn institutions_label(self) -> &'static str {
        self.pick("机构：", "Institutions: ")
    }

    /// Label before categories.
    pub fn categories_label(self) -> &'static str {
        self.pick("分类：", "Categories: ")
    }

    /// Label before the brief.
    pub fn brief_label(self) -> &'static str {
        self.pick("简报：", "In brief: ")
    }

    /// Label before the authors' comment.
    pub fn comments_label(self) -> &'static str {
        self.pick("备注：", "Comments: ")
    }

    /// When it was submitted, and last revised if it was.
    pub fn dates(self, submitted: Option<&str>, revised: Option<&str>, version: u16) -> Option<String> {
        let revised = revised.filter(|r| submitted != Some(*r));
        match (submitted, revised) {
            (Some(s), Some(r)) if version > 1 => Some(self.pick(
                format!("提交于 {s}，修订于 {r}（v{version}）"),
                format!("Submitted {s}, revised {r} (v{version})"),
            )),
            (Some(s), Some(r)) => {
                Some(self.pick(format!("提交于 {s}，修订于 {r}"), format!("Submitted {s}, revised {r}")))
            }
            (Some(s), None) => Some(self.pick(format!("提交于 {s}"), format!("Submitted {s}"))),
            (None, Some(r)) => Some(self.pick(format!("修订于 {r}"), format!("Revised {r}"))),
            (None, None) => None,
        }
    }

    /// Label of the link to the abstract page.
    pub fn abstract_link(self) -> &'static str {
        self.pick("摘要页", "Abstract")
    }

    /// Label of the link to the code.
    pub fn code_link(self) -> &'static str {
        self.pick("代码", "Code")
    }

    /// No digest was posted here yet.
    pub fn no_digest_yet(self) -> &'static str {
        self.pick(
            "这里还没有发布过简报。可以用 arXiv 编号或链接查看论文，例如 /paper 2510.09212。",
            "No digest was posted here yet. A paper can be opened by its arXiv id or link: /paper 2510.09212.",
        )
    }

    /// On the command line: no digest was posted anywhere yet.
    pub fn no_digest_at_all(self) -> &'static str {
        self.pick(
            "还没有发布过简报。可以用 paperwire post 发布，或用 arXiv 编号查看论文：paperwire paper 2510.09212。",
            "No digest was posted yet. `paperwire post` posts one; a paper can be opened by its arXiv id: paperwire paper 2510.09212.",
        )
    }

    /// No digest on that day.
    pub fn no_digest_on(self, day: &str, latest: Option<&str>) -> String {
        match latest {
            Some(latest) => self.pick(
                format!("{day} 没有发布简报。最新一期是 {latest}。"),
                format!("No digest was posted on {day}. The latest one is of {latest}."),
            ),
            None => self.pick(
                format!("{day} 没有发布简报。"),
                format!("No digest was posted on {day}."),
            ),
        }
    }

    /// A number that the digest does not have.
    pub fn no_such_number(self, n: u32, date: &str, count: usize) -> String {
        match count {
            0 => self.pick(
                format!("{date} 的简报里没有论文。"),
                format!("The digest of {date} has no papers."),
            ),
            1 => self.pick(
                format!("{date} 的简报只有第 1 篇，没有第 {n} 篇。"),
                format!("The digest of {date} has only number 1, no number {n}."),
            ),
            count => self.pick(
                format!("{date} 的简报有第 1 到第 {count} 篇，没有第 {n} 篇。"),
                format!("The digest of {date} has numbers 1 to {count}, no number {n}."),
            ),
        }
    }

    /// An id that was never taken in.
    pub fn unknown_paper(self, id: &str, link: Option<&str>) -> String {
        let see = link
            .map(|l| self.pick(format!("原文：{l}"), format!(" See {l}")))
            .unwrap_or_default();
        self.pick(
            format!("没有收录 {id}。{see}"),
            format!("{id} was never taken in here.{see}"),
        )
    }

    /// `/paper` without an argument.
    pub fn which_paper(self) -> &'static str {
        self.pick(
            "哪一篇？例如 /paper 4，/paper 2025-10-09 4，或 /paper 2510.09212。",
            "Which one? For example /paper 4, /paper 2025-10-09 4 or /paper 2510.09212.",
        )
    }

    /// `/paper` with something that names no paper.
    pub fn no_paper_name(self, text: &str) -> String {
        self.pick(
            format!("“{text}”不是编号、arXiv 编号、DOI 或链接。例如 /paper 4 或 /paper 2510.09212。"),
            format!("“{text}” is no number, arXiv id, DOI or link. For example: /paper 4 or /paper 2510.09212."),
        )
    }

    /// `/search` without words.
    pub fn which_words(self) -> &'static str {
        self.pick(
            "检索什么？例如：/search 投机解码，/search \"kv cache\" title:attention from:2025-09-01",
            "Search for what? For example: /search speculative decoding, /search \"kv cache\" title:attention from:2025-09-01",
        )
    }

    /// `/subscribe` or `/unsubscribe` without saying what.
    pub fn which_rule(self) -> &'static str {
        self.pick(
            "哪一条？例如：/subscribe kv cache -survey，/subscribe test cat:cs.DC gpu，/subscribe edit 2 投机解码，/unsubscribe 2。/subscriptions 列出已关注的内容。",
            "Which one? For example: /subscribe kv cache -survey, /subscribe test cat:cs.DC gpu, /subscribe edit 2 speculative decoding, /unsubscribe 2. /subscriptions lists what is followed.",
        )
    }

    /// A word that is none of those that are possible.
    pub fn no_choice(self, typed: &str, choices: &[&str]) -> String {
        let list = choices.join(self.pick("、", ", "));
        self.pick(
            format!("“{typed}”不在可选之列：{list}。"),
            format!("“{typed}” is none of: {list}."),
        )
    }

    /// A day that is none.
    pub fn no_day(self, text: &str) -> String {
        self.pick(
            format!("“{text}”不是日期。请写成 2025-10-09。"),
            format!("“{text}” is not a day. Write it as 2025-10-09."),
        )
    }

    /// A command that does not exist.
    pub fn unknown_command(self, name: &str, nearest: Option<&str>) -> String {
        match nearest {
            Some(nearest) => self.pick(
                format!("没有 /{name} 这个命令。是不是 /{nearest}？全部命令见 /help。"),
                format!("There is no /{name}. Did you mean /{nearest}? /help lists all commands."),
            ),
            None => self.pick(
                format!("没有 /{name} 这个命令。全部命令见 /help。"),
                format!("There is no /{name}. /help lists all commands."),
            ),
        }
    }

    /// Heading of `/topics`.
    pub fn topics_title(self) -> &'static str {
        self.pick("主题", "Topics")
    }

    /// Beside a topic that the channel follows.
    pub fn followed(self) -> &'static str {
        self.pick("本频道已订阅", "followed here")
    }

    /// Beside one that it does not.
    pub fn not_followed(self) -> &'static str {
        self.pick("未订阅", "not followed here")
    }

    /// The keywords of a channel.
    pub fn keywords_here(self, keywords: &str) -> String {
        self.pick(
            format!("本频道的关键词：{keywords}"),
            format!("Keywords here: {keywords}"),
        )
    }

    /// When the next digest is due.
    pub fn next_digest(self, at: &str) -> String {
        self.pick(format!("下一期：{at}"), format!("Next digest: {at}"))
    }

    /// A channel without a schedule.
    pub fn no_schedule(self) -> &'static str {
        self.pick("本频道没有定时发布。", "Nothing is scheduled here.")
    }

    /// A channel that the platform refused.
    pub fn paused(self) -> &'static str {
        self.pick(
            "本频道已暂停，因为之前无法在这里发消息。发送 /start 恢复。",
            "This channel is paused, since posting here was refused. /start makes it active again.",
        )
    }

    /// A place that is no channel of this bot.
    pub fn not_a_channel(self) -> &'static str {
        self.pick(
            "这里还没有关注任何内容。/subscribe 加主题名或规则即可开始，例如 /subscribe kv cache -survey。",
            "Nothing is followed here yet. /subscribe with a topic's name or a rule begins, such as \
             /subscribe kv cache -survey.",
        )
    }

    /// Heading of `/help`.
    pub fn help_title(self) -> &'static str {
        self.pick("Paperwire：研究论文通讯社", "Paperwire, a newswire for research papers")
    }

    /// What the bot does.
    pub fn about(self) -> &'static str {
        self.pick(
            "我收集新论文，挑出这个频道关心的，按时发布带编号的简报，每篇一句话。",
            "I take in new papers, pick those that this channel follows and post them as a numbered digest, one sentence each.",
        )
    }

    /// A tip below the list of commands.
    pub fn help_reply_tip(self) -> &'static str {
        self.pick(
            "回复某一期简报并发送 /paper 4，看的就是那一期的第 4 篇。",
            "Reply to an older digest with /paper 4 to open the fourth paper of that one.",
        )
    }

    /// What the button below a digest tells: its title and how its papers are opened. At most 100 characters beside the
    /// title.
    pub fn about_digest(self, title: &str, papers: usize) -> String {
        match papers {
            0 => self.pick(
                format!("{title}\n这一期没有论文。"),
                format!("{title}\nThis digest has no papers."),
            ),
            1 => self.pick(
                format!("{title}\n这一期有 1 篇论文。回复本消息并发送 /paper 1 即可查看。"),
                format!("{title}\n1 paper. Reply to this message with /paper 1 to open it."),
            ),
            n => self.pick(
                format!("{title}\n第 1 篇至第 {n} 篇。回复本消息并发送 /paper 编号，即可查看其中一篇。"),
                format!("{title}\nPapers 1 to {n}. Reply to this message with /paper and a number to open one."),
            ),
        }
    }

    /// A button that was pressed below nothing that is known.
    pub fn unknown_button(self) -> &'static str {
        self.pick(
            "我不记得这是哪一期简报。最新一期：/digest。",
            "I do not remember which digest this is. /digest shows the latest one.",
        )
    }

    /// In answer to a button that an earlier version made.
    pub fn unused_button(self) -> &'static str {
        self.pick("这个按钮已不再使用。", "This button is no longer in use.")
    }

    /// In a place that the configuration leaves out.
    pub fn not_served(self) -> &'static str {
        self.pick(
            "我不在这里服务：运行者没有允许这个地方。",
            "I do not serve this place: whoever runs this bot has not allowed it.",
        )
    }

    /// What a vote for a paper says.
    pub fn vote_up(self) -> &'static str {
        self.pick("值得一读", "Worth reading")
    }

    /// What a vote against a paper says.
    pub fn vote_down(self) -> &'static str {
        self.pick("不感兴趣", "Not for us")
    }

    /// What putting a paper on one's reading list is called.
    pub fn vote_save(self) -> &'static str {
        self.pick("加入阅读清单", "Save to my reading list")
    }

    /// A paused channel goes on.
    pub fn resumed(self) -> &'static str {
        self.pick(
            "本频道已恢复，错过的论文会合并到下一期。",
            "This channel is active again; what it missed will be in the next digest.",
        )
    }

    /// To the person who set a channel up: it cannot be written to any more. `reason` is the platform's own, as it came.
    pub fn lost_access(self, place: &str, reason: &str) -> String {
        self.pick(
            format!(
                "Paperwire 无法再向 {place} 发送消息：{reason}。订阅和进度都已保留：请恢复权限，并在那里发送 /start，\
                 错过的论文会合并为一期发布。"
            ),
            format!(
                "Paperwire can no longer write to {place}: {reason}. Its subscriptions and place are kept: give it its \
                 rights back and send /start there, and one digest with everything missed follows."
            ),
        )
    }

    /// The store failed while answering.
    pub fn trouble(self) -> &'static str {
        self.pick(
            "出错了，运行者可以在日志里看到原因。请稍后再试。",
            "Something went wrong; whoever runs this bot finds it in the log. Please try again later.",
        )
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::command::{ArgKind, TABLE};
    use crate::source::SourceKind;

    /// What is typed as it stands, in whatever language, besides the names of commands: fields of rules, options, and what
    /// stands in examples.
    #[rustfmt::skip]
    const TYPED: &[&str] = &[
        "title", "author", "cat", "org", "from", "to", "OR", "test", "edit", "until", "export", "off", "missed", "weekly",
        "fri", "weekdays", "am", "kv", "cache", "survey", "Asia", "Shanghai", "paperwire", "queue",
    ];
    /// Names, also of what a paper has.
    const NAMES: &[&str] = &[
        "arXiv",
        "Discord",
        "DOI",
        "Face",
        "GROBID",
        "Hugging",
        "JSONL",
        "OAI",
        "OpenAlex",
        "Paperwire",
        "PMH",
        "Telegram",
        "UTC",
        "v",
    ];

    /// That each sentence exists in both languages, that the Chinese one has no English words beside names and what is
    /// typed, and the English one no Chinese. 甲乙丙 stand for what is inserted.
    pub(crate) fn assert_translated(zh: &[String], en: &[String]) {
        let choices = TABLE.iter().flat_map(|spec| spec.args).flat_map(|arg| match arg.kind {
            ArgKind::Choice(choices) => choices,
            ArgKind::Text | ArgKind::Day => &[],
        });
        let commands = TABLE.iter().map(|spec| &spec.name);
        let known: Vec<&str> = commands.chain(choices).chain(TYPED).chain(NAMES).copied().collect();
        let han = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        assert_eq!(zh.len(), en.len());
        for (zh, en) in zh.iter().zip(en) {
            assert!(!zh.is_empty() && !en.is_empty() && zh != en, "{zh} / {en}");
            let english = zh
                .split(|c: char| !c.is_ascii_alphabetic())
                .filter(|word| !word.is_empty());
            let strange: Vec<&str> = english
                .filter(|word| !known.iter().any(|known| known.eq_ignore_ascii_case(word)))
                .collect();
            assert!(strange.is_empty(), "{zh}: {strange:?}");
            let own_words = en.replace(['甲', '乙', '丙'], "");
            assert!(!han(&own_words) && !own_words.contains(['，', '。', '：']), "{en}");
        }
    }

    /// Every sentence with stand-ins for its arguments; numbers where a number decides the wording.
    fn sentences(lang: Lang) -> Vec<String> {
        let mut all = vec![
            lang.date(chrono::NaiveDate::from_ymd_opt(2025, 10, 9).unwrap()),
            lang.instant("2025-10-09T18:05:00Z".parse().unwrap()),
            lang.keywords_name(&["甲".to_owned(), "乙".to_owned()]),
            lang.covers("甲", "乙", "丙"),
            lang.and_more(12),
            lang.no_digest_on("甲", Some("乙")),
            lang.no_digest_on("甲", None),
            lang.unknown_paper("甲", Some("乙")),
            lang.unknown_paper("甲", None),
            lang.no_paper_name("甲"),
            lang.no_day("甲"),
            lang.unknown_command("甲", Some("乙")),
            lang.unknown_command("甲", None),
            lang.keywords_here("甲"),
            lang.next_digest("甲"),
            lang.lost_access("甲", "乙"),
        ];
        all.extend([0, 1, 2].map(|papers| lang.about_digest("甲", papers)));
        all.extend([(1, 1), (5, 5), (5, 9)].map(|(shown, of)| lang.weekly_count(shown, of)));
        all.extend([1, 2, 21].map(|n| lang.numbers_named(&(1..=n).collect())));
        all.extend([1, 2].map(|n| lang.author_count(n)));
        all.extend([1, 2].map(|n| lang.empty_no_match(n)));
        all.extend([0, 1, 2].map(|count| lang.no_such_number(9, "甲", count)));
        all.extend([(1, 1), (2, 2), (1, 2), (2, 5)].map(|(shown, matched)| lang.digest_count(shown, matched, 9)));
        all.extend(SourceKind::ALL.map(|kind| lang.source_name(kind).to_owned()));
        let dates = [
            (Some("甲"), Some("乙"), 2),
            (Some("甲"), Some("乙"), 1),
            (Some("甲"), None, 1),
            (None, Some("乙"), 1),
        ];
        all.extend(dates.map(|(submitted, revised, version)| lang.dates(submitted, revised, version).unwrap()));
        #[rustfmt::skip]
        let fixed = [
            lang.extracted_mark(), lang.replaced_mark(), lang.no_brief(), lang.no_title(), lang.digest_hint(), lang.empty_no_paper(),
            lang.empty_no_window(), lang.comma(), lang.authors_label(), lang.institutions_label(),
            lang.categories_label(), lang.brief_label(), lang.comments_label(), lang.abstract_link(), lang.code_link(),
            lang.no_digest_yet(), lang.which_paper(), lang.topics_title(), lang.followed(), lang.not_followed(),
            lang.no_schedule(), lang.paused(), lang.help_title(), lang.about(), lang.help_reply_tip(), lang.resumed(),
            lang.trouble(), lang.not_a_channel(), lang.unknown_button(), lang.not_served(), lang.vote_up(), lang.vote_down(),
            lang.vote_save(), lang.weekly_mark(),
        ];
        all.extend(fixed.map(str::to_owned));
        all.extend([
            lang.erratum_repaired("甲", lang.erratum_title()),
            lang.erratum_repaired("甲", lang.erratum_institutions()),
            lang.erratum_repaired("甲", lang.erratum_authors()),
            lang.erratum_new_version(Some(3), "甲"),
            lang.erratum_withdrawn("甲"),
        ]);
        all.extend(crate::command::TABLE.iter().flat_map(|spec| {
            let args = spec.args.iter().map(|arg| lang.pick(arg.zh, arg.en).to_owned());
            args.chain([lang.pick(spec.zh, spec.en).to_owned()])
        }));
        all
    }

    #[test]
    fn every_sentence_exists_in_both_languages_and_mixes_neither() {
        assert_translated(&sentences(Lang::Zh), &sentences(Lang::En));
    }

    #[test]
    fn an_argument_is_in_the_sentence_in_both_languages() {
        for lang in Lang::ALL {
            for (text, said) in [
                (lang.no_such_number(9, "D", 3), ["9", "D", "3"]),
                (lang.digest_count(2, 5, 9), ["2", "5", "9"]),
                (lang.covers("S", "A", "B"), ["S", "A", "B"]),
                (lang.unknown_command("N", Some("M")), ["N", "M", "/help"]),
                (lang.no_digest_on("D", Some("L")), ["D", "L", ""]),
                (lang.lost_access("P", "R"), ["P", "R", "/start"]),
            ] {
                assert!(said.iter().all(|argument| text.contains(argument)), "{text}");
            }
            assert_eq!(lang.code().parse(), Ok(lang));
        }
        assert!("de".parse::<Lang>().unwrap_err().contains("“de”"));
    }
}
