//! The form of a brief: whether a text is a sentence about a paper at all, or what a writer says who was given none.

use super::Refused;
use crate::text;

/// The form alone, without the grounds: whether `text` is a sentence about a paper at all, and the paper has an abstract.
///
/// # Errors
/// The reason for which it may not be shown: [`Refused::Empty`], [`Refused::Refusal`], [`Refused::Template`] or
/// [`Refused::NoAbstract`].
pub fn form(text: &str, title: &str, abstract_text: &str) -> Result<(), Refused> {
    let has_words = |text: &str| text.chars().any(char::is_alphanumeric);
    if !has_words(text) {
        return Err(Refused::Empty);
    }
    let folded = text::fold(&text::one_line(text)).replace('’', "'");
    if is_refusal(&folded) {
        return Err(Refused::Refusal);
    }
    let evidence = text::fold(&format!("{title}\n{abstract_text}"));
    if has_unfilled_slot(&folded, &evidence) {
        return Err(Refused::Template);
    }
    if !has_words(abstract_text) {
        return Err(Refused::NoAbstract);
    }
    Ok(())
}

/// What asks for the paper: with these in it, the whole text is a refusal, however it goes on. None of them can be said
/// about a paper: "以便生成" alone can ("以便生成高质量图像").
#[rustfmt::skip]
const REFUSES_ANYWHERE: [&str; 25] = [
    "请提供论文", "请补充论文", "请提供具体", "无法生成技术简报", "无法生成简报", "无法生成符合要求", "无法为您",
    "以便生成符合", "以便生成技术简报", "以便我为您", "后再次尝试", "作为一个ai", "作为ai助手", "作为ai语言模型",
    "作为人工智能助手", "as an ai language", "as an ai assistant", "as an ai,", "as a language model, i",
    "please provide the ", "please provide more", "please provide me", "please share the ",
    "no abstract was provided", "no abstract is provided",
];

/// What a refusal begins with; inside a sentence the same words can be about the paper ("由于缺少标注数据").
#[rustfmt::skip]
const REFUSES_AT_START: [&str; 25] = [
    "抱歉", "很抱歉", "非常抱歉", "对不起", "请提供", "请补充", "请输入", "请给出", "未提供", "您未提供",
    "您没有提供", "由于您", "由于未提供", "由于未收到", "由于没有提供", "由于缺少论文", "由于缺少必要",
    "由于缺乏论文", "缺少论文", "我无法", "i cannot", "i can't", "i am unable", "i'm unable", "please provide",
];

const APOLOGIES: [&str; 6] = [
    "i'm sorry",
    "i am sorry",
    "sorry, ",
    "i apologize",
    "i apologise",
    "unfortunately, i ",
];

fn is_refusal(folded: &str) -> bool {
    let start = folded.trim_start_matches(|c: char| !c.is_alphanumeric());
    // "由于缺少A、B和摘要信息，无法…": what is missing can be listed in any order.
    let lacks = start.starts_with("由于缺") && folded.contains("无法") && folded.contains("摘要");
    lacks
        || REFUSES_ANYWHERE.iter().any(|words| folded.contains(words))
        || REFUSES_AT_START
            .iter()
            .chain(&APOLOGIES)
            .any(|words| start.starts_with(words))
}

/// The words of which the slots of a template are made.
#[rustfmt::skip]
const SLOT_WORDS: [&str; 34] = [
    "机构", "标题", "论文", "技术", "创新", "问题", "效果", "性能", "方法", "作者", "名称", "结果", "待填", "填写",
    "institution", "institutions", "organization", "organisation", "affiliation", "title", "paper", "technique",
    "technology", "method", "problem", "effect", "result", "results", "author", "authors", "name", "insert",
    "improvement", "innovation",
];

/// `[主要机构]`, `{title}`, `<method>`, a row of X or of underscores: a hole that the paper itself does not have. `[CLS]` is no hole.
fn has_unfilled_slot(folded: &str, evidence: &str) -> bool {
    const BRACKETS: [(char, char); 4] = [('[', ']'), ('【', '】'), ('{', '}'), ('<', '>')];
    let is_slot = |content: &str| {
        let words: Vec<&str> = content.split(|c: char| !c.is_alphanumeric()).collect();
        let names_a_slot = SLOT_WORDS.iter().any(|slot| {
            if slot.is_ascii() {
                words.contains(slot)
            } else {
                content.contains(slot)
            }
        });
        content.chars().count() <= 30 && (names_a_slot || !content.chars().any(char::is_alphanumeric))
    };
    let bracketed = BRACKETS.iter().any(|&(open, close)| {
        folded.match_indices(open).any(|(at, _)| {
            let rest = folded.get(at + open.len_utf8()..).unwrap_or_default();
            rest.split_once(close)
                .is_some_and(|(content, _)| is_slot(content) && !evidence.contains(&format!("{open}{content}{close}")))
        })
    });
    let crossed = folded
        .split(|c: char| !c.is_ascii_alphanumeric())
        .any(|word| word.len() >= 2 && word.bytes().all(|b| b == b'x') && !evidence.contains(word));
    bracketed || crossed || folded.contains("___")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brief::tests::ABSTRACT;

    #[test]
    fn refusals_templates_and_claims_without_evidence_are_refused() {
        let judge = |text| form(text, "FastKV", ABSTRACT);
        for refusal in [
            "请提供论文的标题、主要机构和摘要信息以生成技术简报。",
            "未提供具体论文信息，无法生成技术简报。",
            "由于缺少论文标题、主要机构和摘要信息，无法生成技术简报。",
            "由于缺少主要机构和摘要，无法总结。",
            "很抱歉，我需要更多内容。",
            "I cannot summarize this paper.",
            "I’m sorry, but there is no text.",
            "Please provide the title and abstract.",
            "As an AI language model, I have no access.",
        ] {
            assert_eq!(judge(refusal), Err(Refused::Refusal), "{refusal}");
        }
        for template in [
            "[主要机构]发布了[论文标题]论文，使用[核心技术]技术",
            "清华大学发布了FastKV论文，达成了【关键效果】",
            "{institution} released FastKV, which solves <problem>.",
            "XX大学发布了FastKV论文",
            "清华大学发布了____论文",
            "清华大学发布了[]论文",
        ] {
            assert_eq!(judge(template), Err(Refused::Template), "{template}");
        }
        assert_eq!(judge(" …。 "), Err(Refused::Empty));
        assert_eq!(
            form("清华大学发布了FastKV论文。", "FastKV", " "),
            Err(Refused::NoAbstract)
        );
    }

    #[test]
    fn a_brief_about_such_words_is_let_through() {
        for text in [
            "清华大学发布了FastKV论文，使用[CLS]标记解决了现有方法无法生成高分辨率图像的问题",
            "清华大学发布了FastKV论文，解决了由于缺少标注数据、未提供深度信息而无法训练的问题",
            "由于未标注数据昂贵，清华大学发布了FastKV，作为AI加速器，以便生成高质量图像，再次尝试失败请求",
            "FastKV trains BERT as a language model and cannot hallucinate.",
            "FastKV reduces latency, which users cannot tolerate, from <50 ms to 3 ms [2].",
            "清华大学发布了FLUX.1 [dev]论文，使用x, y坐标，达成了2x加速",
        ] {
            assert_eq!(form(text, "FastKV", ABSTRACT), Ok(()), "{text}");
        }
        assert_eq!(form("复旦大学发布了[Method]论文", "A [method] study", ABSTRACT), Ok(()));
    }
}
