//! What a model answered, read with suspicion: thoughts, fences, chatter around the object, half an answer, the same words
//! for ever, a plain sentence where an object was asked for. What it says is judged elsewhere ([`super::write::judge`]).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::prompt::SLOTS;
use crate::chat::{Finish, Reply};
use crate::locale::Lang;
use crate::text;

/// The longest answer that is read, in bytes: a hundred times what is asked for.
const MOST_BYTES: usize = 256 * 1024;
/// The deepest nesting that is looked into; two is asked for.
const MOST_DEPTH: u32 = 16;
/// How many objects of one answer are tried.
const MOST_OBJECTS: usize = 8;
/// The longest sentence or slot that is taken over, in characters. What is still too long for a brief is judged later.
const MOST_CHARS: usize = 2_000;

/// A piece of a brief and the words of the paper that carry it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// In the brief's language; empty where the paper says nothing of the kind.
    pub text: String,
    /// In the paper's words.
    pub quote: String,
}

impl Slot {
    /// Whether nothing was put into it.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.quote.is_empty()
    }
}

/// The four pieces of a brief.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slots {
    /// The institutions.
    pub who: Slot,
    /// The core technique.
    pub technique: Slot,
    /// The problem that it solves.
    pub problem: Slot,
    /// The stated results.
    pub effect: Slot,
}

impl Slots {
    /// Each with its name in an answer.
    pub fn named(&self) -> [(&'static str, &Slot); 4] {
        let [who, technique, problem, effect] = SLOTS;
        [
            (who, &self.who),
            (technique, &self.technique),
            (problem, &self.problem),
            (effect, &self.effect),
        ]
    }
}

/// An answer, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The brief, on one line.
    pub sentence: String,
    /// What carries it; `None` where the model answered with a sentence alone.
    pub slots: Option<Slots>,
}

/// Why an answer cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// There is nothing in it, apart from thoughts perhaps.
    Empty,
    /// It ends in the middle.
    Truncated {
        /// The window of which it and its question fill every token, where that tells a server's default.
        window: Option<u64>,
    },
    /// The provider stopped it.
    Filtered,
    /// It is far longer than what was asked for.
    Huge,
    /// It is nested far deeper than what was asked for.
    Deep,
    /// There is neither the object nor a sentence in it.
    Shapeless,
    /// The object lacks this.
    Lacks(&'static str),
    /// It says the same words again and again.
    Loops,
}

impl Unreadable {
    /// For the model, which is asked once more, and for operators.
    pub fn say(self, lang: Lang) -> String {
        match self {
            Self::Empty => lang.pick("回复为空。", "The reply is empty.").to_owned(),
            Self::Truncated { window: None } => lang
                .pick("回复没有写完。", "The reply ends in the middle.")
                .to_owned(),
            Self::Truncated { window: Some(window) } => lang.pick(
                format!("回复没有写完：模型的上下文窗口只有 {window} 个词元，请在服务器上调大（Ollama：num_ctx）。"),
                format!(
                    "The reply ends in the middle: the model's window has only {window} tokens; enlarge it at the server \
                     (Ollama: num_ctx)."
                ),
            ),
            Self::Filtered => lang
                .pick("服务商的内容过滤中断了回复。", "The provider's content filter stopped the reply.")
                .to_owned(),
            Self::Huge => lang.pick("回复太长。", "The reply is far too long.").to_owned(),
            Self::Deep => lang
                .pick("回复的嵌套太深。", "The reply is nested far too deeply.")
                .to_owned(),
            Self::Shapeless => lang
                .pick("回复中没有 JSON 对象。", "There is no JSON object in the reply.")
                .to_owned(),
            Self::Lacks(what) => lang.pick(
                format!("JSON 对象缺少“{what}”。"),
                format!("The JSON object has no “{what}”."),
            ),
            Self::Loops => lang
                .pick("回复不断重复同样的词句。", "The reply repeats the same words again and again.")
                .to_owned(),
        }
    }
}

/// Windows that servers have unless they are told otherwise. Ollama cuts silently at its own.
const DEFAULT_WINDOWS: [u64; 3] = [2_048, 4_096, 8_192];

/// Reads an answer.
///
/// # Errors
/// Why it cannot be read.
pub fn parse(reply: &Reply) -> Result<Parsed, Unreadable> {
    if reply.text.len() > MOST_BYTES {
        return Err(Unreadable::Huge);
    }
    match reply.finish {
        Finish::Stop => {}
        Finish::Filtered => return Err(Unreadable::Filtered),
        Finish::Length => {
            let total = reply.usage.map(crate::chat::Usage::total);
            let window = total.filter(|total| DEFAULT_WINDOWS.contains(total));
            return Err(Unreadable::Truncated { window });
        }
    }
    let said = without_thoughts(&reply.text).trim();
    if said.is_empty() {
        return Err(Unreadable::Empty);
    }
    let mut wrong = None;
    for found in objects(said).take(MOST_OBJECTS) {
        // One that is no JSON, or not ours, may stand before the right one.
        match found.and_then(brief_in) {
            Ok(parsed) => return whole(parsed),
            Err(error) => wrong = wrong.or(Some(error)),
        }
    }
    match wrong {
        Some(wrong) => Err(wrong),
        None => whole(Parsed {
            sentence: sentence_in(said)?,
            slots: None,
        }),
    }
}

fn whole(parsed: Parsed) -> Result<Parsed, Unreadable> {
    let slots = parsed.slots.iter().flat_map(Slots::named);
    let all = slots
        .flat_map(|(_, slot)| [&slot.text, &slot.quote])
        .chain([&parsed.sentence]);
    for said in all {
        if said.chars().count() > MOST_CHARS {
            return Err(Unreadable::Huge);
        }
        if loops(said) {
            return Err(Unreadable::Loops);
        }
    }
    Ok(parsed)
}

/// What a model says after it has thought. Some templates swallow the tag that begins the thoughts.
pub(crate) fn without_thoughts(text: &str) -> &str {
    for (open, close) in [("<think>", "</think>"), ("<thinking>", "</thinking>")] {
        let begins = text.trim_start().starts_with(open);
        match text.find(close) {
            Some(at) if begins || !text.get(..at).unwrap_or_default().contains("\"sentence\"") => {
                return text.get(at + close.len()..).unwrap_or_default();
            }
            // Thoughts without an end: there is nothing behind them.
            None if begins => return "",
            Some(_) | None => {}
        }
    }
    text
}

/// The balanced objects of a text, one after the other; braces in strings do not count. An opening brace that nothing closes
/// makes [`Unreadable::Truncated`] where no object follows it.
fn objects(text: &str) -> impl Iterator<Item = Result<&str, Unreadable>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text.get(at..)?.find('{')?;
        let rest = text.get(start..)?;
        match balanced(rest) {
            Ok(Some(end)) => {
                at = start + end;
                Some(Ok(rest.get(..end).unwrap_or_default()))
            }
            Ok(None) => {
                at = start + 1;
                Some(Err(Unreadable::Truncated { window: None }))
            }
            Err(error) => {
                at = text.len();
                Some(Err(error))
            }
        }
    })
}

/// Where the object ends with which a text begins.
fn balanced(text: &str) -> Result<Option<usize>, Unreadable> {
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Ok(Some(at + 1));
                }
            }
            _ => {}
        }
        if depth > MOST_DEPTH {
            return Err(Unreadable::Deep);
        }
    }
    Ok(None)
}

fn brief_in(object: &str) -> Result<Parsed, Unreadable> {
    let value: Value = serde_json::from_str(object).map_err(|_| Unreadable::Shapeless)?;
    let line = |value: Option<&Value>| value.and_then(Value::as_str).map(text::one_line);
    let sentence = line(value.get("sentence")).filter(|sentence| !sentence.is_empty());
    let slot = |name: &'static str| match value.get(name) {
        None => Err(Unreadable::Lacks(name)),
        // Smaller models leave the quotes out; what carries the text is asked for then.
        Some(Value::String(said)) => Ok(Slot {
            text: text::one_line(said),
            quote: String::new(),
        }),
        Some(slot) => Ok(Slot {
            text: line(slot.get("text")).unwrap_or_default(),
            quote: line(slot.get("quote")).unwrap_or_default(),
        }),
    };
    let [who, technique, problem, effect] = SLOTS;
    Ok(Parsed {
        sentence: sentence.ok_or(Unreadable::Lacks("sentence"))?,
        slots: Some(Slots {
            who: slot(who)?,
            technique: slot(technique)?,
            problem: slot(problem)?,
            effect: slot(effect)?,
        }),
    })
}

/// The sentence of an answer without an object: its longest line, without a fence, a bullet or quotation marks around it.
fn sentence_in(said: &str) -> Result<String, Unreadable> {
    let lines = said.lines().map(str::trim).filter(|line| !line.starts_with("```"));
    let longest = lines.max_by_key(|line| line.chars().count()).unwrap_or_default();
    let bare = longest
        .trim_start_matches(['-', '*', '>', '#', ' '])
        .trim_matches(['"', '“', '”', '*', ' ']);
    // A page of a proxy, or a list: no sentence.
    if bare.is_empty() || bare.starts_with('<') || bare.starts_with('[') {
        return Err(Unreadable::Shapeless);
    }
    Ok(text::one_line(bare))
}

/// Whether some stretch stands there four times in a row, twelve characters or more in all.
fn loops(text: &str) -> bool {
    let chars: Vec<char> = text.chars().take(MOST_CHARS).collect();
    (1..=chars.len() / 4).any(|period| {
        let least = (3 * period).max(12_usize.saturating_sub(period));
        let mut run = 0;
        chars.iter().zip(chars.iter().skip(period)).any(|(a, b)| {
            run = if a == b { run + 1 } else { 0 };
            run >= least
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chat::Usage;

    const WHOLE: &str = r#"{"who": {"text": "MIT", "quote": "MIT"}, "technique": {"text": "a } cache", "quote": "a \"{\" cache"},
        "problem": {"text": "", "quote": ""}, "effect": {"text": "2x", "quote": "by 2x"}, "sentence": "MIT released “F”."}"#;

    fn reply(text: &str) -> Reply {
        Reply {
            text: text.to_owned(),
            finish: Finish::Stop,
            usage: None,
        }
    }

    fn read(text: &str) -> Result<Parsed, Unreadable> {
        parse(&reply(text))
    }

    #[test]
    fn the_object_is_found_behind_thoughts_in_fences_and_between_chatter() {
        let bare = read(WHOLE).unwrap();
        assert_eq!(bare.sentence, "MIT released “F”.");
        assert_eq!(bare.slots.as_ref().unwrap().technique.quote, "a \"{\" cache");
        for around in [
            format!("<think>\nThe user wants {{\"sentence\": …}}. {{\n</think>\n\n{WHOLE}"),
            format!("they ask for an object {{x}}</think>{WHOLE}"),
            format!("<thinking>hm</thinking> {WHOLE}"),
            format!("```json\n{WHOLE}\n```\nI hope this helps {{:"),
            format!("Sure! As in {{institution}}, here it is: {WHOLE} {WHOLE}"),
            format!("\u{feff}{WHOLE}<|im_end|>"),
        ] {
            assert_eq!(read(&around), Ok(bare.clone()), "{around}");
        }
    }

    #[test]
    fn half_an_answer_an_empty_one_and_one_without_a_slot_are_named() {
        let half = &WHOLE[..200];
        assert_eq!(read(half), Err(Unreadable::Truncated { window: None }));
        let cut = |total: u64| Reply {
            finish: Finish::Length,
            usage: Some(Usage {
                prompt: 3_000,
                completion: total - 3_000,
            }),
            ..reply(WHOLE)
        };
        assert_eq!(parse(&cut(3_700)), Err(Unreadable::Truncated { window: None }));
        let window = Unreadable::Truncated { window: Some(4_096) };
        assert_eq!(parse(&cut(4_096)), Err(window));
        assert!(window.say(Lang::En).contains("num_ctx"));
        for empty in ["", " \n", "<think>so long", "<think>done</think>\n"] {
            assert_eq!(read(empty), Err(Unreadable::Empty), "{empty}");
        }
        let without = |name: &str| WHOLE.replace(&format!("\"{name}\""), "\"other\"");
        for name in ["who", "effect", "sentence"] {
            assert!(matches!(read(&without(name)), Err(Unreadable::Lacks(lacks)) if lacks == name));
        }
        assert_eq!(
            read("<html><body>502 Bad Gateway</body></html>"),
            Err(Unreadable::Shapeless)
        );
        assert_eq!(read("[1, 2]"), Err(Unreadable::Shapeless));
    }

    #[test]
    fn a_plain_sentence_is_taken_as_one_without_evidence() {
        let parsed =
            read("Here is the brief:\n\n**“MIT released FastKV, which evicts by age and is 2x faster.”**").unwrap();
        assert_eq!(
            parsed.sentence,
            "MIT released FastKV, which evicts by age and is 2x faster."
        );
        assert_eq!(parsed.slots, None);
    }

    #[test]
    fn a_model_that_goes_round_in_circles_is_stopped() {
        let said = |sentence: &str| read(&WHOLE.replace("MIT released “F”.", sentence));
        for circling in [
            "MIT released F, and then and then and then and then and then",
            "麻省理工学院发布了论文论文论文论文论文论文论文",
            "MIT released FFFFFFFFFFFFFFFFFF",
        ] {
            assert_eq!(said(circling), Err(Unreadable::Loops), "{circling}");
        }
        for straight in [
            "MIT MIT: F and F and G, 1,000,000 and 1,000,000,000",
            "the … of the of the",
            "大大大大",
        ] {
            assert!(said(straight).is_ok(), "{straight}");
        }
        assert_eq!(said(&"a b c ".repeat(1_000)), Err(Unreadable::Huge));
    }

    #[test]
    fn huge_and_deep_answers_are_refused_before_they_cost_anything() {
        assert_eq!(read(&"x".repeat(MOST_BYTES + 1)), Err(Unreadable::Huge));
        let deep = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
        assert_eq!(read(&deep), Err(Unreadable::Deep));
        assert_eq!(read(&"{".repeat(10_000)), Err(Unreadable::Deep));
        // Many unclosed ones side by side.
        assert!(read(&"{\"".repeat(10_000)).is_err());
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused_and_what_is_read_is_one_line(
            pieces in prop::collection::vec(
                prop_oneof![
                    Just(WHOLE.to_owned()), Just("<think>".to_owned()), Just("</think>".to_owned()), Just("```".to_owned()),
                    Just("{".to_owned()), Just("\"".to_owned()), Just("\\".to_owned()), "\\PC{0,12}", "\n",
                ], 0..12),
        ) {
            if let Ok(parsed) = read(&pieces.concat()) {
                prop_assert!(!parsed.sentence.is_empty() && !parsed.sentence.contains('\n'));
            }
        }
    }
}
