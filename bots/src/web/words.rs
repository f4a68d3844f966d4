//! Every sentence that the page itself says, in Chinese and in English, one above the other.

use chrono::{DateTime, Datelike, NaiveDate, Utc, Weekday};
use chrono_tz::Tz;
use paperwire_core::locale::Lang;

macro_rules! words {
    ($($name:ident: $zh:literal, $en:literal;)*) => {
        $(pub(super) fn $name(lang: Lang) -> &'static str { lang.pick($zh, $en) })*
        /// All of them with both texts, for the test that none is missing.
        #[cfg(test)]
        const ALL: &[(&str, &str, &str)] = &[$((stringify!($name), $zh, $en)),*];
    };
}

words! {
    abstract_: "摘要", "Abstract";
    archive: "往期", "Archive";
    archive_lead: "所有已发布的简报，最新在前。", "Every digest that was published, newest first.";
    archive_none: "还没有发布过简报。", "No digest has been published yet.";
    ask: "提问", "Ask";
    ask_hint: "例如 /paper 4 或 /help", "/paper 4, /help …";
    ask_help: "我只认识命令：/paper 4 打开最新一期的第 4 篇，/digest 再次显示最新一期，/topics 列出主题，/help 列出全部命令。",
        "I understand commands only: /paper 4 opens the fourth paper of the latest digest, /digest shows the latest one again, \
         /topics lists the topics, and /help lists all commands.";
    ask_empty: "请先输入命令，例如 /paper 4。", "Type a command first, such as /paper 4.";
    ask_failed: "没有得到回答：连不上 Paperwire。请确认程序还在运行，然后再试一次。",
        "No answer came: Paperwire cannot be reached. Check that it is still running, then try again.";
    ask_too_long: "命令太长了：最多 4 KiB。请缩短后再发送。", "That command is too long: at most 4 KiB. Shorten it and send it again.";
    ask_unreadable: "没有看懂这次提交：请在频道页面的输入框里输入命令。",
        "That could not be read: type the command into the box on the channel's page.";
    authors: "作者", "Authors";
    brief: "简报", "Brief";
    brief_extracted: "摘自摘要", "from the abstract";
    brief_replaced: "原简报依据不足，改摘自摘要", "from the abstract; the brief was not grounded";
    categories: "分类", "Categories";
    channels: "频道", "Channels";
    channels_lead: "选择一个频道。", "Choose a channel.";
    channels_none: "还没有网页频道。请在 paperwire.toml 里添加 [[channel]]，写上 place = \"web:lobby\"，然后重新启动。",
        "There is no web channel yet. Add a [[channel]] with place = \"web:lobby\" to paperwire.toml and start again.";
    code: "代码", "Code";
    comments: "备注", "Comments";
    digests_with: "收录于", "Appeared in";
    earlier: "更早的简报", "Earlier digests";
    empty_channel: "这里还没有简报。第一期发布后会自动出现在这里。",
        "No digest has come yet. The first one appears here by itself as soon as it is published.";
    empty_digest: "这一期没有论文。", "This digest has no papers.";
    forbidden: "已拒绝", "Refused";
    forbidden_origin: "这个请求来自另一个网站，因此没有执行。请直接在本页面上操作。",
        "This request came from another site and was not carried out. Use the page itself.";
    held: "已暂缓", "Held back";
    held_lead: "这些简报看起来不对，没有推送，也不会自行推送。请在服务器上用下面的命令决定。",
        "These digests look odd. They were not posted and never are by themselves; decide with a command on the server.";
    home: "首页", "Home";
    institutions: "机构", "Institutions";
    journal: "发表于", "Published in";
    later: "较新的简报", "Newer digests";
    live_on: "实时更新中", "Live";
    live_off: "连接已断开，正在重连…", "Connection lost, trying again…";
    navigation: "导航", "Navigation";
    new_post: "有新简报", "A new digest has arrived";
    no_abstract: "目前没有这篇论文的摘要。", "No abstract of this paper is known yet.";
    not_found: "没有这个页面", "There is no such page";
    not_found_channel: "没有这个频道。网页频道写在 paperwire.toml 里，例如 place = \"web:lobby\"。",
        "There is no such channel. Web channels stand in paperwire.toml, such as place = \"web:lobby\".";
    not_found_digest: "没有这一期简报。请从往期列表中选择。", "There is no such digest. Choose one from the archive.";
    not_found_paper: "没有收录这篇论文。论文的地址形如 /paper/arxiv:2510.09212；请检查编号，或从往期简报中打开。",
        "This paper is not known here. A paper's address looks like /paper/arxiv:2510.09212; check the id, or open the paper \
         from a digest in the archive.";
    not_found_page: "请检查地址，或从首页、往期开始。", "Check the address, or start from the home page or the archive.";
    paper: "论文", "Paper";
    pause_wanted: "推送已暂停。输入 /resume 可恢复。", "Digests pause here. Type /resume to end that.";
    paused: "此频道已暂停。输入 /start 可恢复。", "This channel is paused. Type /start to get digests again.";
    pdf: "PDF", "PDF";
    post_damaged: "这一期无法显示：它的记录已损坏。可在往期中打开它。",
        "This digest cannot be shown here: its record is damaged. Open it from the archive instead.";
    posts: "简报", "Digests";
    read_online: "在线阅读", "Abstract page";
    revised: "修订", "Revised";
    skip: "跳到正文", "Skip to the content";
    submitted: "提交", "Submitted";
    tagline: "论文电讯", "Research newswire";
    title_missing: "（无标题）", "(no title)";
    trouble: "暂时无法读取", "This cannot be read just now";
    trouble_storage: "读不到数据。请稍后再试；如果一直如此，请查看 Paperwire 的日志。",
        "The data cannot be read. Try again in a moment; if it stays so, look into Paperwire's log.";
    wrong_host_title: "地址不被接受", "This address is not accepted";
    write_to_channel: "命令", "Command";
}

/// Why a Host is refused, and the setting that accepts it.
pub(super) fn wrong_host(lang: Lang, host: &str) -> String {
    lang.pick(
        format!("Paperwire 不以“{host}”这个名字提供服务。请用 http://127.0.0.1 或 http://localhost 打开；如果这个名字是你自己的，请把它加入 web.hosts。"),
        format!("Paperwire does not answer to the name “{host}”. Open it as http://127.0.0.1 or http://localhost; if the name is yours, add it to web.hosts."),
    )
}

/// How many authors.
pub(super) fn author_count(lang: Lang, n: u32) -> String {
    lang.pick(
        format!("{n} 位作者"),
        if n == 1 {
            "1 author".to_owned()
        } else {
            format!("{n} authors")
        },
    )
}

/// How many papers.
pub(super) fn papers(lang: Lang, n: usize) -> String {
    lang.pick(
        format!("{n} 篇"),
        if n == 1 {
            "1 paper".to_owned()
        } else {
            format!("{n} papers")
        },
    )
}

/// What a digest was chosen from.
pub(super) fn chosen_from(lang: Lang, matched: u32, considered: u32) -> String {
    lang.pick(
        format!("新到 {considered} 篇，其中 {matched} 篇相关"),
        format!("{considered} came in, {matched} of them matched"),
    )
}

/// When the next digest is due.
pub(super) fn next_due(lang: Lang, when: &str) -> String {
    lang.pick(format!("下一期：{when}"), format!("Next digest: {when}"))
}

/// A paper's number in a digest.
pub(super) fn number_in(lang: Lang, number: u32) -> String {
    lang.pick(format!("第 {number} 篇"), format!("no. {number}"))
}

/// What a vote's button does, for whoever does not see below which paper it stands.
pub(super) fn vote_for(lang: Lang, name: &str, number: u32) -> String {
    lang.pick(format!("{name}：第 {number} 篇"), format!("{name}: no. {number}"))
}

/// How large a file is.
pub(super) fn size(bytes: usize) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024.. => format!("{} KiB", bytes.div_ceil(1_024)),
    }
}

/// Version of a paper.
pub(super) fn version(lang: Lang, n: u16) -> String {
    lang.pick(format!("第 {n} 版"), format!("version {n}"))
}

/// `2025年10月10日 星期五`, `Friday, 10 October 2025`.
pub(super) fn day(lang: Lang, day: NaiveDate) -> String {
    let weekday = match day.weekday() {
        Weekday::Mon => lang.pick("星期一", "Monday"),
        Weekday::Tue => lang.pick("星期二", "Tuesday"),
        Weekday::Wed => lang.pick("星期三", "Wednesday"),
        Weekday::Thu => lang.pick("星期四", "Thursday"),
        Weekday::Fri => lang.pick("星期五", "Friday"),
        Weekday::Sat => lang.pick("星期六", "Saturday"),
        Weekday::Sun => lang.pick("星期日", "Sunday"),
    };
    lang.pick(
        day.format(&format!("%Y年%-m月%-d日 {weekday}")).to_string(),
        day.format(&format!("{weekday}, %-d %B %Y")).to_string(),
    )
}

/// `2025年10月`, `October 2025`.
pub(super) fn month(lang: Lang, day: NaiveDate) -> String {
    day.format(lang.pick("%Y年%-m月", "%B %Y")).to_string()
}

/// `10月10日 17:00`, `10 October, 17:00`, in the zone.
pub(super) fn moment(lang: Lang, at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone)
        .format(lang.pick("%-m月%-d日 %H:%M %Z", "%-d %B, %H:%M %Z"))
        .to_string()
}

/// `17:00`, in the zone.
pub(super) fn time(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%H:%M %Z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_exists_in_chinese_and_in_english() {
        for (name, zh, en) in ALL {
            let han = |text: &str| super::super::html::lang_of(text) == "zh-Hans";
            assert!(!en.trim().is_empty() && !han(en), "{name}: {en}");
            // “PDF” is Chinese, too.
            assert!(han(zh) || zh == &"PDF", "{name}: {zh}");
        }
    }

    #[test]
    fn a_day_is_written_as_its_readers_write_it() {
        let friday = NaiveDate::from_ymd_opt(2025, 10, 10).unwrap();
        assert_eq!(day(Lang::Zh, friday), "2025年10月10日 星期五");
        assert_eq!(day(Lang::En, friday), "Friday, 10 October 2025");
        assert_eq!(month(Lang::En, friday), "October 2025");
    }
}
