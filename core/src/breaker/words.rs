//! Why a digest is held back, and what became of it, in Chinese and in English.

use crate::locale::Lang;

impl Lang {
    /// Most papers of a digest say nothing.
    pub(crate) fn held_blank(self, blank: u32, of: u32) -> String {
        self.pick(
            format!("{of} 篇论文中有 {blank} 篇既无摘要也无简报"),
            format!("{blank} of {of} papers have neither abstract nor brief"),
        )
    }

    /// Less matched than usual.
    pub(crate) fn held_few(self, matched: u32, considered: u32, usual: &str, topic: Option<&str>) -> String {
        let (zh, en) = match topic {
            Some(topic) => (format!("符合主题“{topic}”"), format!(" the topic {topic}")),
            None => ("符合订阅".to_owned(), String::new()),
        };
        self.pick(
            format!("{considered} 篇论文中只有 {matched} 篇{zh}，平时同样多的论文约有 {usual} 篇"),
            format!("{matched} of {considered} papers matched{en}; usually about {usual} of as many do"),
        )
    }

    /// More matched than usual.
    pub(crate) fn held_many(self, matched: u32, considered: u32, usual: &str, topic: Option<&str>) -> String {
        let (zh, en) = match topic {
            Some(topic) => (format!("符合主题“{topic}”"), format!(" the topic {topic}")),
            None => ("符合订阅".to_owned(), String::new()),
        };
        self.pick(
            format!("{considered} 篇论文中有 {matched} 篇{zh}，平时同样多的论文只有约 {usual} 篇"),
            format!("{matched} of {considered} papers matched{en}; usually only about {usual} of as many do"),
        )
    }

    /// A large digest without a history.
    pub(crate) fn held_flood(self, entries: u32, most: u32) -> String {
        self.pick(
            format!("这一期有 {entries} 篇论文，而以往的期数太少，无法判断是否正常；未经确认最多推送 {most} 篇"),
            format!(
                "it has {entries} papers, and there are too few past digests to tell whether that is usual; unseen, at \
                 most {most} are posted"
            ),
        )
    }

    /// The head of what an owner is told.
    pub(crate) fn held_title(self, digest: &str) -> String {
        self.pick(format!("已暂缓：{digest}"), format!("Held back: {digest}"))
    }

    /// Why a digest was not posted.
    pub(crate) fn held_because(self, reason: &str) -> String {
        self.pick(
            format!("这一期看起来不对，没有推送：{reason}。"),
            format!("This digest looks odd and was not posted: {reason}."),
        )
    }

    /// Which channels wait for it.
    pub(crate) fn held_for(self, places: &[String], more: usize) -> String {
        let places = places.join(self.pick("、", ", "));
        match more {
            0 => self.pick(format!("频道：{places}。"), format!("Channels: {places}.")),
            _ => self.pick(
                format!("频道：{places}，另有 {more} 个。"),
                format!("Channels: {places} and {more} more."),
            ),
        }
    }

    /// How it is decided; the command follows.
    pub(crate) fn held_how(self) -> [&'static str; 3] {
        [
            self.pick(
                "它不会自行推送，之后各期照常。请用下面的按钮决定，或在服务器上运行 ",
                "It is never posted by itself; later digests come as usual. Decide with a button below, or on the server with ",
            ),
            self.pick(" 或 ", " or "),
            self.pick("。", "."),
        ]
    }

    /// A button.
    pub(crate) fn held_post_button(self) -> &'static str {
        self.pick("照发", "Post it")
    }

    /// A button.
    pub(crate) fn held_drop_button(self) -> &'static str {
        self.pick("不发", "Drop it")
    }

    /// It was posted now.
    pub(crate) fn held_posted(self, channels: usize) -> String {
        self.pick(
            format!("照发，已为 {channels} 个频道排队。"),
            match channels {
                1 => "It is queued for 1 channel.".to_owned(),
                _ => format!("It is queued for {channels} channels."),
            },
        )
    }

    /// It was dropped now.
    pub(crate) fn held_dropped(self) -> &'static str {
        self.pick("不会推送。", "It is dropped and will not be posted.")
    }

    /// It had been decided before.
    pub(crate) fn held_already(self, posted: bool, by: &str, at: &str) -> String {
        let (zh, en) = match posted {
            true => ("照发", "posted"),
            false => ("决定不发", "dropped"),
        };
        self.pick(
            format!("早已{zh}：由 {by} 于 {at} 决定。"),
            format!("It was already {en} by {by} at {at}."),
        )
    }

    /// The record of a decision: what became of the digest by itself, and when; `reason` if it was held.
    pub(crate) fn decided(self, judged: bool, reason: Option<&str>, at: &str) -> String {
        match (reason, judged) {
            (Some(reason), _) => self.pick(
                format!("{at} 暂缓：{reason}。"),
                format!("Held back on {at}: {reason}."),
            ),
            (None, true) => self.pick(
                format!("{at} 判断正常，排队推送。"),
                format!("Found nothing odd and queued on {at}."),
            ),
            (None, false) => self.pick(
                format!("{at} 未经判断即排队推送：由人要求，或重复已推送的内容。"),
                format!("Queued on {at} without being judged: a person asked for it, or it repeats what was posted."),
            ),
        }
    }

    /// What a person decided about a held digest; `None` while nobody has.
    pub(crate) fn decided_by(self, resolved: Option<(bool, &str, &str)>) -> String {
        match resolved {
            Some((true, by, at)) => self.pick(
                format!("{at} 由 {by} 决定照发。"),
                format!("Queued after all, as {by} decided on {at}."),
            ),
            Some((false, by, at)) => self.pick(format!("{at} 由 {by} 决定不发。"), format!("Dropped by {by} on {at}.")),
            None => self.pick("尚待决定。", "It waits for a decision.").to_owned(),
        }
    }

    /// How many channels have a digest whole, and since when the last one has.
    pub(crate) fn arrived_in(self, channels: u32, last: &str) -> String {
        self.pick(
            match channels {
                1 => format!("已推送到 1 个频道，时间 {last}。"),
                _ => format!("已推送到 {channels} 个频道，最后一个在 {last}。"),
            },
            match channels {
                1 => format!("Posted in 1 channel on {last}."),
                _ => format!("Posted in {channels} channels, in the last one on {last}."),
            },
        )
    }

    /// How many channels do not have a digest whole yet, and how long the longest has waited.
    pub(crate) fn waiting_for(self, channels: u32, since: &str) -> String {
        self.pick(
            format!("尚未推送到 {channels} 个频道，自 {since} 起等待（paperwire queue）。"),
            match channels {
                1 => format!("Not posted yet in 1 channel, which has waited since {since} (paperwire queue)."),
                _ => {
                    format!("Not posted yet in {channels} channels, which have waited since {since} (paperwire queue).")
                }
            },
        )
    }

    /// What became of a digest in the channels that will not have it whole.
    pub(crate) fn never_whole(self, refused: u32, gone: u32, dropped: u32) -> String {
        let counted = |zh: &str, en: &str, count: u32| {
            (count > 0).then(|| self.pick(format!("{zh} {count} 个"), format!("{count} {en}")))
        };
        let parts = [
            counted(
                "平台拒绝（paperwire queue）",
                "where the platform refused it (paperwire queue)",
                refused,
            ),
            counted("频道无法写入", "that could not be written to", gone),
            counted("从队列移除", "where it was taken out of the queue", dropped),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let parts = parts.join(self.pick("，", "; "));
        self.pick(
            format!("未完整推送：{parts}。"),
            format!("Channels that do not have it whole: {parts}."),
        )
    }

    /// A digest that nothing waits for and nobody has.
    pub(crate) fn for_no_channel(self) -> &'static str {
        self.pick("没有为任何频道排队。", "It is queued for no channel.")
    }

    /// How much came, and what is usual: how many, by so many digests.
    pub(crate) fn decided_volume(self, [came, matched, shown]: [u32; 3], usual: Option<(&str, u32)>) -> String {
        let usual = match usual {
            Some((usual, digests)) => self.pick(
                format!("平时同样多的论文约有 {usual} 篇符合（据以往 {digests} 期）"),
                format!("usually about {usual} of as many match (by {digests} past digests)"),
            ),
            None => self
                .pick("没有记录平时的数量", "what is usual is not recorded")
                .to_owned(),
        };
        self.pick(
            format!("收到 {came} 篇，符合 {matched} 篇，列出 {shown} 篇；{usual}。"),
            format!("{came} papers came, {matched} matched, {shown} are in it; {usual}."),
        )
    }

    /// A digest without a record of a decision.
    pub fn undecided(self) -> &'static str {
        self.pick(
            "没有决定记录（记录保存 400 天）。",
            "There is no record of a decision; records are kept for 400 days.",
        )
    }

    /// How empty it is.
    pub(crate) fn decided_emptiness(self, blank: u32, refused: u32, lost: u32) -> String {
        self.pick(
            format!("既无摘要也无简报的 {blank} 篇，简报未通过检查的 {refused} 篇，未能成为论文的条目 {lost} 个。"),
            format!(
                "Without abstract and brief: {blank}; with a brief that was refused: {refused}; items that became no papers: \
                 {lost}."
            ),
        )
    }

    /// Whoever decided on the command line.
    pub(crate) fn by_operator(self) -> &'static str {
        self.pick("管理者", "the operator")
    }

    /// Channels that did not get it.
    pub(crate) fn held_left_out(self, removed: &[String], silent: &[String]) -> Vec<String> {
        let joint = self.pick("、", ", ");
        let mut said = Vec::new();
        if !removed.is_empty() {
            let places = removed.join(joint);
            said.push(self.pick(
                format!("已不存在、未推送的频道：{places}。"),
                format!("Left out, since they are channels no more: {places}."),
            ));
        }
        if !silent.is_empty() {
            let places = silent.join(joint);
            said.push(self.pick(
                format!("已暂停、未推送的频道：{places}。"),
                format!("Left out, since they are paused: {places}."),
            ));
        }
        said
    }

    /// None of its channels could get it.
    pub(crate) fn held_no_channel(self) -> &'static str {
        self.pick(
            "没有推送：它的频道都不再接收简报。它仍处于暂缓状态。",
            "Nothing was posted: none of its channels gets digests now. It is still held back.",
        )
    }

    /// A digest that nobody holds.
    pub(crate) fn held_gone(self, digest: &str) -> String {
        self.pick(
            format!("没有暂缓的简报 {digest}。它可能已被存档；`paperwire held` 列出仍在等待的。"),
            format!("No digest {digest} is held back. It may be archived; `paperwire held` lists those that wait."),
        )
    }

    /// `/why`: the paper stands in a digest that waits for a decision.
    pub(crate) fn fate_held(self, date: &str, number: u32, reason: &str) -> String {
        self.pick(
            format!("它是 {date} 那期的第 {number} 篇，那一期已暂缓，等待决定：{reason}。"),
            format!(
                "It is number {number} of the digest of {date}, which is held back until somebody decides: {reason}."
            ),
        )
    }

    /// `/why`: the paper stands in a digest that was dropped.
    pub(crate) fn fate_withheld(self, date: &str, number: u32, reason: &str) -> String {
        self.pick(
            format!("它是 {date} 那期的第 {number} 篇，那一期被暂缓后决定不发：{reason}。"),
            format!("It is number {number} of the digest of {date}, which was held back and then dropped: {reason}."),
        )
    }
}
