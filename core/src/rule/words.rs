//! What people read about rules, in both languages. `lang.pick(zh, en)` as in [`crate::locale`].

use super::matcher::{Explanation, Obstacle};
use super::parse::{CHARS_MAX, DEPTH_MAX, Problem, TERMS_MAX};
use super::{Scope, Term};
use crate::locale::Lang;
use crate::message::{Line, Span, plain};
use crate::topic::Hit;

/// What is wrong with a rule: one sentence.
pub(super) fn problem(lang: Lang, problem: &Problem) -> String {
    let fixed = |zh: &str, en: &str| lang.pick(zh, en).to_owned();
    match problem {
        Problem::Empty => fixed("规则是空的。", "The rule is empty."),
        Problem::TooLong => lang.pick(
            format!("规则太长：最多 {CHARS_MAX} 个字符。"),
            format!("The rule is too long: {CHARS_MAX} characters are the most."),
        ),
        Problem::TooManyTerms => lang.pick(
            format!("条件太多：最多 {TERMS_MAX} 个。"),
            format!("Too many conditions: {TERMS_MAX} are the most."),
        ),
        Problem::TooDeep => lang.pick(
            format!("括号嵌套太深：最多 {DEPTH_MAX} 层。"),
            format!("Too many groups inside groups: {DEPTH_MAX} are the most."),
        ),
        Problem::Hidden(c) => lang.pick(
            format!("这里有一个看不见的字符（U+{:04X}）。", u32::from(*c)),
            format!("Here stands a character that nobody can see (U+{:04X}).", u32::from(*c)),
        ),
        Problem::Marks => fixed("这个字母上的附加符号太多。", "Too many accents on one letter."),
        Problem::Mention => fixed("规则里不能有“@”。", "A rule cannot contain “@”."),
        Problem::UnknownField { name, .. } => lang.pick(
            format!("没有名为“{name}:”的字段。"),
            format!("There is no field “{name}:”."),
        ),
        Problem::NoValue(field) => lang.pick(
            format!("“{field}:”后面缺少内容。"),
            format!("A value is missing after “{field}:”."),
        ),
        Problem::Unclosed('/') => fixed(
            "正则表达式缺少结尾的“/”。",
            "The regular expression has no “/” at its end.",
        ),
        Problem::Unclosed('(') => fixed("这个括号没有闭合。", "This parenthesis is never closed."),
        Problem::Unclosed(_) => fixed("这个引号没有闭合。", "This quotation mark is never closed."),
        Problem::Unopened => fixed("多了一个右括号。", "This parenthesis closes nothing."),
        Problem::NoWord => fixed("这里缺少可以查找的字词。", "Here is no word to look for."),
        Problem::Dangling(operator) => lang.pick(
            format!("“{operator}”旁边缺少内容。"),
            format!("“{operator}” has nothing beside it."),
        ),
        Problem::LowerCase(word) => lang.pick(
            format!("“{word}”是运算符还是要查找的词？"),
            format!("Is “{word}” an operator, or a word to look for?"),
        ),
        Problem::Comma => fixed(
            "逗号的意思不明确：要同时满足，还是满足其一？",
            "A comma can mean both or either.",
        ),
        Problem::Wildcard(_) => fixed("词里不能用“*”。", "“*” has no meaning in a word."),
        Problem::Category { .. } => fixed("arXiv 没有这个分类。", "There is no such category at arXiv."),
        Problem::Topic { .. } => fixed("没有这个主题。", "There is no such topic."),
        Problem::Day => fixed("这不是日期。", "This is not a day."),
        Problem::EmptySpan => fixed("结束日期早于开始日期。", "The last day is before the first."),
        Problem::DateInRule => fixed(
            "订阅规则只看新论文，不能用日期。",
            "A rule looks at new papers only and takes no dates.",
        ),
        Problem::DateInGroup => fixed(
            "日期不能放在括号里，也不能与 OR 或否定连用。",
            "A date stands neither in a group nor beside OR nor behind a negation.",
        ),
        Problem::Regex(reason) => lang.pick(
            format!("正则表达式有误：{reason}。"),
            format!("The regular expression cannot be read: {reason}."),
        ),
        Problem::RegexSize => fixed("正则表达式太大。", "The regular expression is too large."),
        Problem::RegexEverything => fixed(
            "这个正则表达式在任何文字中都能匹配。",
            "The regular expression is found in any text.",
        ),
        Problem::RegexLoose => fixed(
            "正则表达式里没有固定的文字。",
            "The regular expression has no fixed letters in it.",
        ),
        Problem::Everything => fixed(
            "这条规则会匹配几乎所有论文：只说了不要什么。",
            "Almost every paper would match: the rule says only what is not wanted.",
        ),
    }
}

/// What to type instead.
pub(super) fn advice(lang: Lang, problem: &Problem) -> Option<String> {
    let fixed = |zh: &str, en: &str| Some(lang.pick(zh, en).to_owned());
    let meant = |text: &str| Some(lang.pick(format!("是否想写 {text} ？"), format!("Did you mean {text} ?")));
    match problem {
        Problem::Empty => fixed(
            "例如：\"kv cache\" -survey cat:cs.*",
            "For example: \"kv cache\" -survey cat:cs.*",
        ),
        Problem::TooLong | Problem::TooManyTerms => fixed("请拆成几条规则。", "Make several rules of it."),
        Problem::TooDeep => fixed("请去掉多余的括号。", "Leave out the parentheses that are not needed."),
        Problem::Hidden(_) | Problem::Marks => {
            fixed("请删掉它，或重新输入这个词。", "Delete it, or type the word anew.")
        }
        Problem::Mention => fixed("请去掉它。", "Leave it out."),
        Problem::UnknownField { name, nearest } => match nearest {
            Some(nearest) => meant(&format!("{nearest}:")),
            None => Some(lang.pick(
                format!("字段有 title: author: cat: org: topic: ；如果要查找这些字，请加引号：\"{name}: …\""),
                format!(
                    "The fields are title: author: cat: org: topic: ; to look for the text, quote it: \"{name}: …\""
                ),
            )),
        },
        Problem::NoValue(field) => {
            let example = match *field {
                "title" => "title:\"kv cache\"",
                "author" => "author:\"Yann LeCun\"",
                "cat" => "cat:cs.CL",
                "org" => "org:PKU",
                "topic" => "topic:inference",
                _ => "from:2025-09-01",
            };
            Some(lang.pick(format!("例如：{example}"), format!("For example: {example}")))
        }
        Problem::Unclosed(open) => {
            let close = match open {
                '(' => ')',
                '「' => '」',
                '『' => '』',
                '《' => '》',
                '«' => '»',
                '/' => '/',
                _ => '"',
            };
            Some(lang.pick(
                format!("它从标记处开始；请补上“{close}”。"),
                format!("It opens at the mark; add “{close}” where it ends."),
            ))
        }
        Problem::Unopened => fixed(
            "请删掉它，或在前面补上“(”。",
            "Delete it, or add “(” where the group begins.",
        ),
        Problem::NoWord => fixed("请写至少一个字母、数字或汉字。", "Write a letter or a digit at least."),
        Problem::Dangling("-" | "NOT") => fixed(
            "减号要紧跟在词前面：-survey",
            "The minus stands right before a word: -survey",
        ),
        Problem::Dangling(operator) => Some(lang.pick(
            format!("两边都要有条件：pruning {operator} quantization"),
            format!("It needs a condition on both sides: pruning {operator} quantization"),
        )),
        Problem::LowerCase(word) => {
            let upper = match &**word {
                "或" => "OR".to_owned(),
                "非" => "NOT".to_owned(),
                word => word.to_uppercase(),
            };
            Some(lang.pick(
                format!("运算符请大写：{upper}；要查找这个词请加引号：\"{word}\""),
                format!("An operator is written in capitals, {upper}; a word in quotation marks, \"{word}\""),
            ))
        }
        Problem::Comma => fixed(
            "同时满足用空格：pruning quantization；满足其一用 OR：pruning OR quantization",
            "A space means both: pruning quantization; OR means either: pruning OR quantization",
        ),
        Problem::Wildcard(word) => {
            let stem: String = word.chars().filter(|c| *c != '*').collect();
            Some(lang.pick(
                format!("词形变化会自动匹配：{stem}；其他情况请用正则表达式：/{stem}\\w*/"),
                format!("Inflections are found without it: {stem}; for anything else write /{stem}\\w*/"),
            ))
        }
        Problem::Category { nearest: Some(nearest) } => meant(&format!("cat:{nearest}")),
        Problem::Category { nearest: None } => fixed(
            "例如 cat:cs.CL；整个大类写 cat:cs.* ；列表见 arxiv.org/category_taxonomy",
            "For example cat:cs.CL, or cat:cs.* for all of an archive; the list is at arxiv.org/category_taxonomy",
        ),
        Problem::Topic { nearest: Some(nearest) } => meant(&format!("topic:{nearest}")),
        Problem::Topic { nearest: None } => fixed("主题列表：/topics", "For the list: /topics"),
        Problem::Day => fixed(
            "例如 2025-09-01、2025-09 或 2025年9月1日",
            "For example 2025-09-01, or 2025-09 for the month",
        ),
        Problem::EmptySpan => fixed("请交换两个日期。", "Exchange the two."),
        Problem::DateInRule => fixed("日期请用在 /search 里。", "In /search dates can be given."),
        Problem::DateInGroup => fixed(
            "请写在最外层：(a OR b) from:2025-09-01",
            "Write it outside: (a OR b) from:2025-09-01",
        ),
        Problem::Regex(_) => fixed(
            "要查找符号本身，请在前面加“\\”，或改用引号。",
            "To look for a sign itself, write “\\” before it, or use quotation marks.",
        ),
        Problem::RegexSize => fixed("请减少重复次数。", "Let it repeat less."),
        Problem::RegexEverything | Problem::RegexLoose => fixed(
            "请写出至少三个连续的固定字母（或一个汉字），例如 /kv.?cache/",
            "Write at least three letters in a row that are fixed, as in /kv.?cache/",
        ),
        Problem::Everything => fixed(
            "请加上至少一个想要的条件，例如：pruning -survey",
            "Add a condition that is wanted, for example: pruning -survey",
        ),
    }
}

/// A condition in words.
fn condition(lang: Lang, term: &Term) -> String {
    match term {
        Term::Words { scope, text, quoted } => {
            let text = if *quoted { format!("\"{text}\"") } else { text.clone() };
            match scope {
                Scope::Anywhere => text,
                Scope::Title => lang.pick(format!("标题含 {text}"), format!("{text} in the title")),
                Scope::Author => lang.pick(format!("作者 {text}"), format!("the author {text}")),
            }
        }
        Term::Category { archive, class } => {
            let category = format!("{archive}.{}", class.as_deref().unwrap_or("*"));
            lang.pick(format!("分类 {category}"), format!("the category {category}"))
        }
        Term::Organisation(name) => lang.pick(format!("机构 {name}"), format!("the institution {name}")),
        Term::Topic(topic) => lang.pick(format!("主题 {topic}"), format!("the topic {topic}")),
        Term::Regex(pattern) => format!("/{pattern}/"),
        Term::From(day) => lang.pick(format!("{day} 或之后"), format!("{day} or later")),
        Term::To(day) => lang.pick(format!("{day} 或之前"), format!("{day} or earlier")),
    }
}

/// What was found, on one line: `kv cache (title), cat:cs.CL`.
pub(super) fn found(lang: Lang, hits: &[Hit]) -> String {
    let hits = hits.iter().map(|hit| {
        let place = if hit.in_title {
            lang.pick("（标题）", " (title)")
        } else {
            ""
        };
        format!("{}{place}", hit.term)
    });
    hits.collect::<Vec<_>>().join(lang.pick("、", ", "))
}

/// Why a rule holds, or what is in its way.
pub(super) fn explanation(lang: Lang, explanation: &Explanation) -> Vec<Line> {
    let labelled = |label: &str, text: String| {
        let colon = lang.pick("：", ": ");
        vec![Span::Plain(format!("{label}{colon}{text}"))]
    };
    let list = |terms: Vec<&Term>| {
        let terms = terms.into_iter().map(|term| condition(lang, term));
        terms.collect::<Vec<_>>().join(lang.pick("、", ", "))
    };
    let mut lacking = Vec::new();
    let mut forbidden = Vec::new();
    for obstacle in &explanation.obstacles {
        match obstacle {
            Obstacle::Missing(term) => lacking.push(term),
            Obstacle::Forbidden(term) => forbidden.push(term),
        }
    }
    let mut lines = Vec::new();
    if !explanation.found.is_empty() {
        lines.push(labelled(lang.pick("找到", "Found"), found(lang, &explanation.found)));
    }
    if !lacking.is_empty() {
        lines.push(labelled(lang.pick("缺少", "Lacking"), list(lacking)));
    }
    if !forbidden.is_empty() {
        lines.push(labelled(lang.pick("被排除", "Ruled out by"), list(forbidden)));
    }
    lines
}

/// What a rule would have brought.
pub(super) fn trial_count(lang: Lang, matched: usize, papers: usize, days: usize, per_day: f64) -> Line {
    let rate = if matched == 0 || days < 2 {
        String::new()
    } else if per_day < 0.95 {
        let every = (1.0 / per_day).round().max(1.0);
        lang.pick(
            format!("，约每 {every} 天 1 篇"),
            format!(", about one every {every} days"),
        )
    } else {
        let per_day = if per_day < 9.5 {
            format!("{per_day:.1}")
        } else {
            format!("{per_day:.0}")
        };
        lang.pick(format!("，约每天 {per_day} 篇"), format!(", about {per_day} a day"))
    };
    let days = match days {
        1 => lang.pick(" 1 天".to_owned(), "day".to_owned()),
        days => lang.pick(format!(" {days} 天"), format!("{days} days")),
    };
    let papers = match papers {
        1 => lang.pick("1 篇论文".to_owned(), "1 paper".to_owned()),
        papers => lang.pick(format!("{papers} 篇论文"), format!("{papers} papers")),
    };
    plain(lang.pick(
        format!("在最近{days}收到的 {papers}中，有 {matched} 篇符合{rate}。"),
        format!("Of the {papers} of the last {days} with papers, {matched} would have come{rate}."),
    ))
}

/// Nothing was taken in yet.
pub(super) fn trial_unknown(lang: Lang) -> &'static str {
    lang.pick(
        "还没有收到任何论文，所以无法估计这条规则会带来多少。",
        "No paper has been taken in yet, so nobody can say how many this rule would bring.",
    )
}

/// More than a person reads.
pub(super) fn trial_noise(lang: Lang, most: u32) -> String {
    lang.pick(
        format!("每天超过 {most} 篇，太多了。可以加上条件（title:、cat:、\"短语\"）或排除一些词（-survey）。"),
        format!("More than {most} a day is noise. Add a condition (title:, cat:, a \"phrase\") or rule something out (-survey)."),
    )
}

/// Nothing came.
pub(super) fn trial_silence(lang: Lang) -> &'static str {
    lang.pick(
        "这段时间没有一篇符合。可以少写几个条件，或用 OR 加上同义词。",
        "Not one would have come. Leave out a condition, or add other words for the same with OR.",
    )
}

/// The heading of the examples.
pub(super) fn trial_examples(lang: Lang) -> &'static str {
    lang.pick("例如：", "For example:")
}
