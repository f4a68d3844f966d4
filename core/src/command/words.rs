//! What the bot says in conversation about subscriptions, searches and settings, in Chinese and in English.

use crate::brief::Refused;
use crate::brief::evidence::Slot;
use crate::channel::Platform;
use crate::locale::Lang;
use crate::topic::Ground;
use crate::topic::learn::Kind;

impl Lang {
    /// A change was asked for by somebody who may not.
    pub fn managers_only(self) -> &'static str {
        self.pick(
            "只有本频道的管理员可以更改设置。你可以在与我的私聊中关注自己的内容。",
            "Only those who manage this channel change its settings. In a private chat with me you can follow what you like.",
        )
    }

    /// Nobody could say whether somebody may.
    pub fn standing_unknown(self) -> &'static str {
        self.pick(
            "暂时无法确认你是否为管理员，请稍后再试。",
            "Whether you manage this channel cannot be found out just now; please try again in a minute.",
        )
    }

    /// A person asks too fast.
    pub fn too_fast(self, per_minute: u32) -> String {
        self.pick(
            format!("太快了：每人每分钟最多 {per_minute} 次。请稍候，期间我不再回应。"),
            format!("That is too fast: at most {per_minute} a minute for each person. Until then I stay silent."),
        )
    }

    /// A button of another version, or of a message that is too old.
    pub fn stale_button(self) -> &'static str {
        self.pick(
            "这个按钮已经失效，请重新输入命令。",
            "This button is too old; please type the command again.",
        )
    }

    /// A rule is followed from now on.
    pub fn now_following(self) -> &'static str {
        self.pick("已关注：", "Now following: ")
    }

    /// It was followed already.
    pub fn already_following(self) -> &'static str {
        self.pick("早已关注：", "Followed already: ")
    }

    /// It was resting and goes on.
    pub fn following_again(self) -> &'static str {
        self.pick("恢复关注：", "Following again: ")
    }

    /// It is followed no more.
    pub fn no_longer_following(self) -> &'static str {
        self.pick("不再关注：", "No longer following: ")
    }

    /// One was put in the place of another.
    pub fn instead_of(self) -> &'static str {
        self.pick("，取代：", " instead of ")
    }

    /// Nothing of this kind is followed.
    pub fn follows_no_such(self, typed: &str) -> String {
        self.pick(
            format!("这里没有关注“{typed}”。/subscriptions 列出已关注的内容及编号。"),
            format!("“{typed}” is not followed here. /subscriptions lists what is, with numbers."),
        )
    }

    /// There are as many as there can be.
    pub fn too_many_rules(self, most: usize) -> String {
        self.pick(
            format!("最多关注 {most} 条。可先用 /unsubscribe 移除一些。"),
            format!("At most {most} can be followed in one place. /unsubscribe from some first."),
        )
    }

    /// `/mention` without saying which and whom, or with somebody who cannot be called there.
    pub fn which_mention(self, platform: Platform) -> &'static str {
        match platform {
            Platform::Discord => self.pick(
                "格式：/mention 2 @身份组，或 /mention 2 off；编号见 /subscriptions。",
                "Write /mention 2 @role, or /mention 2 off; /subscriptions has the numbers.",
            ),
            Platform::Telegram => self.pick(
                "格式：/mention 2 @用户名，或 /mention 2 off；编号见 /subscriptions。",
                "Write /mention 2 @name, or /mention 2 off; /subscriptions has the numbers.",
            ),
            Platform::Web => self.pick(
                "网页上的简报无法提醒任何人；/mention 只用于 Discord 和 Telegram。",
                "Digests on the web page can call nobody; /mention is for Discord and Telegram.",
            ),
        }
    }

    /// Too many subscriptions call somebody.
    pub fn too_many_mentions(self, most: usize) -> String {
        self.pick(
            format!("一个频道最多有 {most} 条订阅可提醒他人。可先用 /mention 编号 off 取消一些。"),
            format!(
                "At most {most} subscriptions of a place can call somebody. Turn one off first: /mention NUMBER off."
            ),
        )
    }

    /// Before somebody who is called, and the subscription for whose papers.
    pub fn calls(self) -> [&'static str; 2] {
        self.pick(["有新论文时提醒 ", "，订阅："], ["Digests call ", " for papers of "])
    }

    /// Before a subscription for whose papers nobody is called.
    pub fn calls_nobody(self) -> &'static str {
        self.pick("不再提醒任何人，订阅：", "Digests call nobody for papers of ")
    }

    /// The heading of the list.
    pub fn subscriptions_title(self) -> &'static str {
        self.pick("已关注", "Followed here")
    }

    /// The list is empty.
    pub fn follows_nothing(self) -> &'static str {
        self.pick(
            "这里还没有关注任何内容。/topics 列出主题；/subscribe kv cache 关注一条规则；/subscribe test kv cache 先试一试。",
            "Nothing is followed here yet. /topics lists topics; /subscribe kv cache follows a rule; /subscribe test kv cache tries it first.",
        )
    }

    /// What kind of subscription it is.
    pub fn kind_of_subscription(self, kind: &crate::pipeline::Item) -> &'static str {
        match kind {
            crate::pipeline::Item::Topic(_) => self.pick("主题", "topic"),
            crate::pipeline::Item::Keyword(_) => self.pick("关键词", "keyword"),
            crate::pipeline::Item::Rule(_) => self.pick("规则", "rule"),
        }
    }

    /// The mark of one that rests.
    pub fn resting_mark(self) -> &'static str {
        self.pick("已暂停", "paused")
    }

    /// How one is changed: what to type.
    pub fn edit_how(self, number: usize, rule: &str) -> String {
        self.pick(
            format!("请发送：/subscribe edit {number} 新规则。现在是：{rule}"),
            format!("Send /subscribe edit {number} and the new rule. Now it is: {rule}"),
        )
    }

    /// A button.
    pub fn pause_button(self) -> &'static str {
        self.pick("暂停", "Pause")
    }

    /// A button.
    pub fn resume_button(self) -> &'static str {
        self.pick("恢复", "Resume")
    }

    /// A button.
    pub fn edit_button(self) -> &'static str {
        self.pick("修改", "Edit")
    }

    /// A button.
    pub fn remove_button(self) -> &'static str {
        self.pick("移除", "Remove")
    }

    /// A button.
    pub fn evidence_button(self) -> &'static str {
        self.pick("依据", "Evidence")
    }

    /// What a slot of a brief says.
    pub fn slot(self, slot: Slot) -> &'static str {
        match slot {
            Slot::Who => self.pick("谁", "Who"),
            Slot::Technique => self.pick("技术", "Technique"),
            Slot::Problem => self.pick("问题", "Problem"),
            Slot::Effect => self.pick("效果", "Effect"),
        }
    }

    /// A clause of a brief of which nobody can tell the slot.
    pub fn brief_slot(self) -> &'static str {
        self.pick("简报", "Brief")
    }

    /// Label before words of a title.
    pub fn title_label(self) -> &'static str {
        self.pick("标题：", "Title: ")
    }

    /// Label before words of an abstract.
    pub fn abstract_label(self) -> &'static str {
        self.pick("摘要：", "Abstract: ")
    }

    /// A clause for which there is no evidence.
    pub fn nothing_carries(self) -> &'static str {
        self.pick(
            "在标题、摘要和机构中没有找到依据。",
            "Nothing in title, abstract or institutions carries this.",
        )
    }

    /// A brief is an extract.
    pub fn word_for_word(self) -> &'static str {
        self.pick("这些句子逐字摘自摘要。", "These sentences are the abstract's own.")
    }

    /// A written brief was replaced by an extract; `reason` is a sentence.
    pub fn replaced_because(self, reason: &str) -> String {
        self.pick(
            format!("原有的简报没有采用，改为摘自摘要：{reason}"),
            format!("The written brief was replaced by the abstract's own words. {reason}"),
        )
    }

    /// Why a brief is not shown, where no more can be told than that.
    pub fn refused(self, reason: Refused) -> &'static str {
        match reason {
            Refused::Empty => self.pick("它没有内容。", "It was empty."),
            Refused::Refusal => self.pick(
                "它是拒绝，不是简报。",
                "It asked for the paper instead of summarising it.",
            ),
            Refused::Template => self.pick("它的模板没有填写。", "Its template was not filled."),
            Refused::NoAbstract => self.pick("当时没有摘要。", "No abstract was known."),
            Refused::WrongLanguage => self.pick("它不是所要求的语言。", "It was in another language."),
            Refused::AnotherPaper => self.pick("它说的是另一篇论文。", "It was about another paper."),
            Refused::Organisation => self.pick("它提到的机构不是论文的机构。", "It named another institution."),
            Refused::Number => self.pick(
                "它的数字没有依据。",
                "It had a number that the paper does not give for that.",
            ),
            Refused::Name => self.pick("它的名称没有依据。", "It had a name that the paper does not have."),
            Refused::Direction => self.pick("它说反了效果。", "It said the opposite of the paper."),
        }
    }

    /// A button.
    pub fn why_button(self) -> &'static str {
        self.pick("为何", "Why")
    }

    /// A button.
    pub fn similar_button(self) -> &'static str {
        self.pick("相似", "Similar")
    }

    /// A button.
    pub fn save_button(self) -> &'static str {
        self.pick("收藏", "Save")
    }

    /// A place gets digests from now on, and when the first one comes; `None` where nothing is scheduled.
    pub fn first_digest(self, when: Option<&str>) -> String {
        match when {
            Some(when) => self.pick(
                format!("这里从现在起会收到简报，下一期：{when}。/schedule 可更改时间，/timezone 可更改时区。"),
                format!(
                    "This place gets digests from now on; the next one: {when}. /schedule changes when, /timezone the zone."
                ),
            ),
            None => self.pick(
                "尚未设定推送时间：用 /schedule 设定，例如 /schedule 09:00；用 /timezone 设定时区。".to_owned(),
                "Nothing is scheduled yet: /schedule 09:00 posts a digest every morning, /timezone sets the zone.".to_owned(),
            ),
        }
    }

    /// The heading of a search's result.
    pub fn search_title(self, words: &str) -> String {
        self.pick(format!("检索：{words}"), format!("Search: {words}"))
    }

    /// How much was found.
    pub fn search_count(self, total: usize, from: usize, to: usize) -> String {
        self.pick(
            format!("共 {total} 篇，以下为第 {from}–{to} 篇"),
            format!("{total} found; these are {from}–{to}"),
        )
    }

    /// Nothing was found.
    pub fn search_nothing(self, words: &str) -> String {
        self.pick(
            format!("没有找到“{words}”。可少用几个词，或用 OR 连接。"),
            format!("Nothing was found for “{words}”. Try fewer words, or OR between them."),
        )
    }

    /// A regular expression took too long to read everything.
    pub fn search_incomplete(self) -> &'static str {
        self.pick(
            "正则表达式耗时过长，较早的论文未检查。",
            "The regular expression took too long: the oldest papers were not looked at.",
        )
    }

    /// The search behind a page's button is not known any more.
    pub fn search_forgotten(self) -> &'static str {
        self.pick(
            "这次检索已过期，请重新输入 /search。",
            "This search is too old; please type /search again.",
        )
    }

    /// The heading of the papers nearest to one.
    pub fn similar_title(self, title: &str) -> String {
        self.pick(format!("与《{title}》相近"), format!("Nearest to “{title}”"))
    }

    /// None is near.
    pub fn similar_nothing(self) -> &'static str {
        self.pick("没有相近的论文。", "No paper is near it.")
    }

    /// What brought an entry: a topic.
    pub fn why_topic(self, name: &str, points: u32, threshold: Option<u32>) -> String {
        let needs = threshold
            .map(|t| self.pick(format!("（阈值 {t}）"), format!(" (it takes {t})")))
            .unwrap_or_default();
        self.pick(
            format!("主题“{name}”：{points} 分{needs}"),
            format!("Topic “{name}”: {points} points{needs}"),
        )
    }

    /// What readers at Hugging Face said of an entry, and what that counts.
    pub fn why_voted(self, votes: u32, points: &str) -> String {
        self.pick(
            format!("Hugging Face 票数：{votes}，排序时计 {points} 分"),
            format!("Votes at Hugging Face: {votes}, which count {points} points in the order"),
        )
    }

    /// What brought an entry: a keyword.
    pub fn why_keyword(self, keyword: &str, in_title: bool) -> String {
        let place = if in_title { self.in_title() } else { "" };
        self.pick(
            format!("关键词“{keyword}”{place}"),
            format!("Keyword “{keyword}”{place}"),
        )
    }

    /// What brought an entry: a rule follows.
    pub fn why_rule(self) -> &'static str {
        self.pick("规则：", "Rule: ")
    }

    /// Where a term stood.
    pub fn in_title(self) -> &'static str {
        self.pick("（标题）", " (title)")
    }

    /// Before the papers that were nearly posted.
    pub fn just_missed(self) -> &'static str {
        self.pick("差一点入选：", "Just missed:")
    }

    /// Why one was not: its points.
    pub fn missed_by_points(self, points: u32, threshold: u32) -> String {
        self.pick(
            format!("{points} 分，阈值 {threshold}"),
            format!("{points} points, it takes {threshold}"),
        )
    }

    /// What brought an entry: a topic that was taught.
    pub fn why_learned(self, name: &str, score: &str, threshold: &str) -> String {
        self.pick(
            format!("主题“{name}”：学习到的排序 {score}（阈值 {threshold}）"),
            format!("Topic “{name}”: learned ranking {score} (it takes {threshold})"),
        )
    }

    /// Who decided about a paper that is near the threshold of a learned ranking.
    pub fn why_judged(self, yes: bool, reason: &str) -> String {
        let said = self.pick(
            if yes { "属于该主题" } else { "不属于该主题" },
            if yes { "yes" } else { "no" },
        );
        self.pick(
            format!("接近阈值，由模型判定：{said}（“{reason}”）"),
            format!("That is near the threshold, so a model was asked: {said} (“{reason}”)"),
        )
    }

    /// Why nobody decided about a paper that is near the threshold of a learned ranking but the ranking.
    pub fn why_unasked(self) -> &'static str {
        self.pick(
            "接近阈值，但当天可用于询问模型的额度已用完，由排序本身决定",
            "That is near the threshold, where a model is asked; what may be spent on that in a day was used up, and the ranking \
             decided alone",
        )
    }

    /// What contributed to a learned score.
    pub fn learned_feature(self, ground: &Ground) -> String {
        let name = &ground.name;
        match ground.kind {
            Kind::Whole => match self {
                Self::Zh => match name.as_str() {
                    "points" | "points, logarithmic" => "分数",
                    "points in the title" => "标题中的分数",
                    "number of terms" => "主题词个数",
                    "heaviest term" => "最重的主题词",
                    "number of heavy terms" => "重要主题词个数",
                    "mentions of terms" => "主题词出现次数",
                    "number of authors" => "作者人数",
                    other => other,
                }
                .to_owned(),
                Self::En => name.clone(),
            },
            Kind::Term | Kind::Abstract => name.clone(),
            Kind::TermInTitle | Kind::Title => format!("{name}{}", self.in_title()),
            Kind::Primary => self.pick(format!("主分类 {name}"), format!("primary category {name}")),
            Kind::Category => name.clone(),
        }
    }

    /// Why one was not: the learned ranking.
    pub fn missed_by_rank(self, score: &str, threshold: &str) -> String {
        self.pick(
            format!("学习到的排序 {score}，阈值 {threshold}"),
            format!("learned ranking {score}, it takes {threshold}"),
        )
    }

    /// Why one was not: the learned ranking, without the judge that would have been asked.
    pub fn missed_unasked(self, score: &str, threshold: &str) -> String {
        self.pick(
            format!("学习到的排序 {score}，阈值 {threshold}；当天可用于询问模型的额度已用完"),
            format!(
                "learned ranking {score}, it takes {threshold}; what may be spent on asking a model in a day was used up"
            ),
        )
    }

    /// Why one was not: the judge of the borderline.
    pub fn missed_by_judge(self, score: &str, threshold: &str, reason: &str) -> String {
        self.pick(
            format!("学习到的排序 {score}，阈值 {threshold}，模型判定不属于该主题（“{reason}”）"),
            format!("learned ranking {score}, it takes {threshold}; a model was asked and said no (“{reason}”)"),
        )
    }

    /// Why one was not: the cap.
    pub fn missed_by_cap(self, points: u32) -> String {
        self.pick(
            format!("{points} 分，超出篇数上限"),
            format!("{points} points, beyond the number of papers in one digest"),
        )
    }

    /// The same where a ranking was learnt.
    pub fn missed_by_cap_ranked(self, score: &str) -> String {
        self.pick(
            format!("学习到的排序 {score}，超出篇数上限"),
            format!("learned ranking {score}, beyond the number of papers in one digest"),
        )
    }

    /// What all that is not named adds to a learned score.
    pub fn learned_rest(self, adds: &str) -> String {
        self.pick(format!("其余 {adds}"), format!("everything else {adds}"))
    }

    /// A paper that is known and never was a candidate.
    pub fn fate_no_candidate(self) -> &'static str {
        self.pick(
            "收录过这篇论文，但它没有作为新论文出现过（例如只有修订版）。",
            "It is known, but it never came in as a new paper (only its revision came, for example).",
        )
    }

    /// The place gets no digests.
    pub fn fate_no_channel(self) -> &'static str {
        self.pick(
            "这里不推送简报，因此没有推送过。/subscribe 可以关注。",
            "No digests are posted here, so it was not. /subscribe follows something.",
        )
    }

    /// It was posted.
    pub fn fate_posted(self, day: &str, number: u32) -> String {
        self.pick(
            format!("已在 {day} 的简报中推送，第 {number} 篇。"),
            format!("Posted with the digest of {day}, number {number}."),
        )
    }

    /// It is on its way.
    pub fn fate_waiting(self, day: &str, number: u32, attempts: u32, error: Option<&str>) -> String {
        let trouble = match (attempts, error) {
            (0, _) | (_, None) => String::new(),
            (n, Some(error)) => self.pick(
                format!("已尝试 {n} 次：{error}"),
                format!(" {n} attempts so far: {error}"),
            ),
        };
        self.pick(
            format!("在 {day} 的简报中，第 {number} 篇，正在发送。{trouble}"),
            format!("Number {number} of the digest of {day}, which is on its way.{trouble}"),
        )
    }

    /// It could not be posted.
    pub fn fate_failed(self, day: &str, number: u32, reason: &str) -> String {
        self.pick(
            format!("在 {day} 的简报中，第 {number} 篇，但未能送达：{reason}"),
            format!("Number {number} of the digest of {day}, which could not be posted: {reason}"),
        )
    }

    /// It comes with the next digest.
    pub fn fate_to_come(self) -> &'static str {
        self.pick("会出现在下一期简报中。", "It comes with the next digest.")
    }

    /// Others filled the topic's cap.
    pub fn fate_beyond_cap(self, day: &str) -> String {
        self.pick(
            format!("它符合条件，但 {day} 的简报已满，排名更前的论文优先。"),
            format!("It matched, but the digest of {day} was full: papers that rank higher went before it."),
        )
    }

    /// It came before the channel followed this.
    pub fn fate_before(self) -> &'static str {
        self.pick(
            "它符合现在关注的内容，但在开始关注之前就已收录。",
            "It matches what is followed now, but it came in before that was followed.",
        )
    }

    /// It matches nothing.
    pub fn fate_unmatched(self) -> &'static str {
        self.pick(
            "没有推送：不符合这里关注的内容。",
            "Not posted: it matches nothing that is followed here.",
        )
    }

    /// A topic's points are too few.
    pub fn why_below(self, name: &str, points: u32, threshold: u32) -> String {
        self.pick(
            format!("主题“{name}”：{points} 分，未达到阈值 {threshold}"),
            format!("Topic “{name}”: {points} points; it takes {threshold}"),
        )
    }

    /// A topic excludes a term.
    pub fn why_excluded_term(self, name: &str, term: &str) -> String {
        self.pick(
            format!("主题“{name}”：含有排除词“{term}”"),
            format!("Topic “{name}”: it has the excluded term “{term}”"),
        )
    }

    /// A topic excludes a category.
    pub fn why_excluded_category(self, name: &str, category: &str) -> String {
        self.pick(
            format!("主题“{name}”：排除分类 {category}"),
            format!("Topic “{name}”: category {category} is excluded"),
        )
    }

    /// A topic wants other categories.
    pub fn why_other_category(self, name: &str, categories: &str) -> String {
        self.pick(
            format!("主题“{name}”：分类 {categories} 不在范围内"),
            format!("Topic “{name}”: none of its categories ({categories}) is wanted"),
        )
    }

    /// The rule that comes nearest follows.
    pub fn why_nearest_rule(self) -> &'static str {
        self.pick("最接近的规则：", "The nearest rule: ")
    }

    /// An operator gave a delivery up.
    pub fn dropped_by_operator(self) -> &'static str {
        self.pick("运行者取消了发送", "whoever runs this bot dropped it")
    }

    /// A setting as it is, and was.
    pub fn setting_changed(self, name: &str, was: &str, is: &str) -> String {
        match was == is {
            true => self.pick(format!("{name}：{is}（未变）"), format!("{name}: {is}, as before")),
            false => self.pick(
                format!("{name}：{is}（原为 {was}）"),
                format!("{name}: {is} (was {was})"),
            ),
        }
    }

    /// A setting as it is, and how to change it.
    pub fn setting_now(self, name: &str, is: &str, how: &str) -> String {
        self.pick(
            format!("{name}：{is}。更改：{how}"),
            format!("{name}: {is}. To change it: {how}"),
        )
    }

    /// A setting's name.
    pub fn schedule_name(self) -> &'static str {
        self.pick("推送时间", "Schedule")
    }

    /// A setting's name.
    pub fn weekly_name(self) -> &'static str {
        self.pick("一周精选", "Weekly round-up")
    }

    /// A setting's name.
    pub fn timezone_name(self) -> &'static str {
        self.pick("时区", "Time zone")
    }

    /// A setting's name.
    pub fn language_name(self) -> &'static str {
        self.pick("语言", "Language")
    }

    /// A setting's name.
    pub fn style_name(self) -> &'static str {
        self.pick("详略", "Style")
    }

    /// A setting's name.
    pub fn missed_name(self) -> &'static str {
        self.pick("错过的简报", "Missed digests")
    }

    /// A value: a language.
    pub fn name_of_language(self, of: Lang) -> &'static str {
        match of {
            Self::Zh => self.pick("中文", "Chinese"),
            Self::En => self.pick("英文", "English"),
        }
    }

    /// A value: nothing is scheduled.
    pub fn schedule_off(self) -> &'static str {
        self.pick("关闭", "off")
    }

    /// Before the next times.
    pub fn next_times(self) -> &'static str {
        self.pick("接下来：", "Next:")
    }

    /// Digests pause.
    pub fn paused_until(self, when: Option<&str>) -> String {
        match when {
            Some(when) => self.pick(
                format!("已暂停推送，{when} 自动恢复；/resume 可提前恢复。"),
                format!("Digests pause until {when}; /resume ends that sooner."),
            ),
            None => self.pick(
                "已暂停推送，直到 /resume。".to_owned(),
                "Digests pause until /resume.".to_owned(),
            ),
        }
    }

    /// A pause took the place of another one.
    pub fn pause_replaced(self, until: Option<&str>) -> String {
        match until {
            Some(until) => self.pick(
                format!("（原定暂停至 {until}）"),
                format!("(They paused until {until} before.)"),
            ),
            None => self.pick(
                "（原定暂停至 /resume）".to_owned(),
                "(They paused until /resume before.)".to_owned(),
            ),
        }
    }

    /// They go on.
    pub fn pause_over(self, next: Option<&str>) -> String {
        match next {
            Some(next) => self.pick(
                format!("已恢复推送。下一期：{next}。"),
                format!("Digests go on. The next one: {next}."),
            ),
            None => self.pick("已恢复推送。".to_owned(), "Digests go on.".to_owned()),
        }
    }

    /// An export without its format.
    pub fn which_format(self) -> &'static str {
        self.pick(
            "请说明格式：/saved export bibtex，或 ris、csl、markdown。",
            "In which format? /saved export bibtex, ris, csl or markdown.",
        )
    }

    /// A file comes with the answer.
    pub fn exported(self, papers: usize) -> String {
        let s = if papers == 1 { "" } else { "s" };
        self.pick(format!("已导出 {papers} 篇。"), format!("{papers} paper{s} exported."))
    }

    /// A person whom the platform does not name has no list.
    pub fn nobody(self) -> &'static str {
        self.pick(
            "匿名身份没有投票和收藏；请以自己的身份操作。",
            "Anonymous people have no votes and no reading list; please do this as yourself.",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locale::tests::assert_translated;
    use crate::pipeline::Item;

    /// Every sentence of this module with stand-ins for its arguments.
    fn sentences(lang: Lang) -> Vec<String> {
        let items = [
            Item::Topic(crate::topic::TopicId("t".to_owned())),
            Item::Keyword(String::new()),
        ];
        let rule = Item::Rule("kv cache".parse().unwrap());
        let kinds = items.iter().chain([&rule]).map(|item| lang.kind_of_subscription(item));
        #[rustfmt::skip]
        let fixed = [
            lang.managers_only(), lang.standing_unknown(), lang.stale_button(), lang.now_following(),
            lang.already_following(), lang.following_again(), lang.no_longer_following(), lang.instead_of(),
            lang.subscriptions_title(), lang.follows_nothing(), lang.resting_mark(), lang.pause_button(),
            lang.resume_button(), lang.edit_button(), lang.remove_button(), lang.why_button(), lang.similar_button(),
            lang.save_button(), lang.search_incomplete(), lang.search_forgotten(), lang.similar_nothing(), lang.why_rule(),
            lang.in_title(), lang.just_missed(), lang.fate_no_candidate(), lang.fate_no_channel(), lang.fate_to_come(),
            lang.fate_before(), lang.fate_unmatched(), lang.why_nearest_rule(), lang.dropped_by_operator(),
            lang.schedule_name(), lang.timezone_name(), lang.language_name(), lang.style_name(), lang.missed_name(),
            lang.schedule_off(), lang.next_times(), lang.which_format(), lang.nobody(),
            lang.why_unasked(),
        ];
        let mut all: Vec<String> = fixed.into_iter().chain(kinds).map(str::to_owned).collect();
        all.extend(Lang::ALL.map(|of| lang.name_of_language(of).to_owned()));
        all.extend([Some("甲"), None].map(|when| lang.first_digest(when)));
        all.extend([Some("甲"), None].map(|when| lang.paused_until(when)));
        all.extend([Some("甲"), None].map(|when| lang.pause_replaced(when)));
        all.extend([Some("甲"), None].map(|when| lang.pause_over(when)));
        all.extend([Some(5), None].map(|threshold| lang.why_topic("甲", 3, threshold)));
        all.extend([false, true].map(|in_title| lang.why_keyword("甲", in_title)));
        all.extend([false, true].map(|yes| lang.why_judged(yes, "甲")));
        all.extend([(0, None), (2, Some("乙"))].map(|(tries, error)| lang.fate_waiting("甲", 3, tries, error)));
        all.extend([1, 2].map(|papers| lang.exported(papers)));
        all.extend(["甲", "乙"].map(|was| lang.setting_changed("丙", was, "甲")));
        all.extend([
            lang.too_fast(20),
            lang.follows_no_such("甲"),
            lang.too_many_rules(200),
            lang.edit_how(2, "甲"),
            lang.search_title("甲"),
            lang.search_count(12, 6, 10),
            lang.search_nothing("甲"),
            lang.similar_title("甲"),
            lang.missed_by_points(3, 5),
            lang.why_learned("甲", "1.20", "0.50"),
            lang.missed_by_rank("0.20", "0.50"),
            lang.missed_unasked("0.20", "0.50"),
            lang.missed_by_judge("0.20", "0.50", "甲"),
            lang.missed_by_cap(9),
            lang.missed_by_cap_ranked("0.20"),
            lang.learned_rest("-1.00"),
            lang.fate_posted("甲", 3),
            lang.fate_failed("甲", 3, "乙"),
            lang.fate_beyond_cap("甲"),
            lang.why_below("甲", 3, 5),
            lang.why_excluded_term("甲", "乙"),
            lang.why_excluded_category("甲", "乙"),
            lang.why_other_category("甲", "乙"),
            lang.setting_now("甲", "乙", "丙"),
        ]);
        all
    }

    #[test]
    fn every_sentence_of_the_conversation_exists_in_both_languages_and_mixes_neither() {
        // Where one sentence goes on in another, a space is between them.
        let trimmed = |lang| {
            sentences(lang)
                .iter()
                .map(|said| said.trim().to_owned())
                .collect::<Vec<_>>()
        };
        assert_translated(&trimmed(Lang::Zh), &trimmed(Lang::En));
    }
}
