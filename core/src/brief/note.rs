//! What is kept of a model's work on a paper: the brief with the words that carry it, or why there is none. The key says
//! everything that decides it (the paper's content, the language, the model, the prompt), so that nothing is asked twice,
//! and nothing old is taken for new.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::prompt::Prompt;
use super::reply::{Slot, Slots};
use crate::locale::Lang;
use crate::paper::{Paper, PaperId};
use crate::text;

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A brief that was let through.
    Written {
        /// The sentence.
        sentence: String,
        /// What carries it; `None` where the model gave the sentence alone.
        slots: Option<Slots>,
    },
    /// None: the abstract's own words are shown.
    Failed {
        /// Why, for operators.
        reasons: Vec<String>,
    },
}

/// What came of a model's work on a paper, in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The paper as it was called then.
    pub paper: PaperId,
    /// The language.
    pub lang: Lang,
    /// The model's name.
    pub model: String,
    /// The prompt's version.
    pub prompt: String,
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub outcome: Outcome,
}

/// What a brief depends on of its paper.
fn content(paper: &Paper) -> u64 {
    let institutions = paper.institutions().join("\n");
    text::hash64(&[paper.title(), paper.abstract_text(), &institutions])
}

/// What the keys of all notes on a paper as it is now begin with, in this language: whichever model wrote them.
pub fn prefix(paper: &Paper, lang: Lang) -> String {
    format!("{:016x}.{lang}.", content(paper))
}

/// The key of the note on a paper as it is now.
pub fn key(paper: &Paper, model: &str, prompt: &Prompt) -> String {
    let lang = prompt.lang();
    format!(
        "{}{:016x}",
        prefix(paper, lang),
        text::hash64(&[model, prompt.version()])
    )
}

/// How it stands on disk: `v1` and JSON, as all records. A new field needs a new version, which reads this one too.
#[derive(Serialize, Deserialize)]
struct NoteV1 {
    paper: PaperId,
    lang: Lang,
    model: String,
    prompt: String,
    at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sentence: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slots: Option<[SlotV1; 4]>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    failed: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct SlotV1 {
    text: String,
    quote: String,
}

impl Note {
    /// What is stored.
    pub fn encode(&self) -> String {
        let Self {
            paper,
            lang,
            model,
            prompt,
            at,
            outcome,
        } = self.clone();
        let (sentence, slots, failed) = match outcome {
            Outcome::Written { sentence, slots } => (Some(sentence), slots, Vec::new()),
            Outcome::Failed { reasons } => (None, None, reasons),
        };
        let slot = |Slot { text, quote }| SlotV1 { text, quote };
        let slots = slots.map(
            |Slots {
                 who,
                 technique,
                 problem,
                 effect,
             }| [slot(who), slot(technique), slot(problem), slot(effect)],
        );
        let stored = NoteV1 {
            paper,
            lang,
            model,
            prompt,
            at,
            sentence,
            slots,
            failed,
        };
        // Text and times always have a JSON form.
        format!("v1 {}", serde_json::to_string(&stored).unwrap_or_default())
    }

    /// The note in what was stored; `None` where it is damaged or a later program's: then the paper is asked about anew.
    pub fn decode(stored: &str) -> Option<Self> {
        let NoteV1 {
            paper,
            lang,
            model,
            prompt,
            at,
            sentence,
            slots,
            failed,
        } = serde_json::from_str(stored.strip_prefix("v1 ")?).ok()?;
        let slots = slots.map(|slots| {
            let [who, technique, problem, effect] = slots.map(|SlotV1 { text, quote }| Slot { text, quote });
            Slots {
                who,
                technique,
                problem,
                effect,
            }
        });
        let outcome = match sentence {
            Some(sentence) => Outcome::Written { sentence, slots },
            None => Outcome::Failed { reasons: failed },
        };
        Some(Self {
            paper,
            lang,
            model,
            prompt,
            at,
            outcome,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paper::Field;
    use crate::source::SourceKind;

    fn note(outcome: Outcome) -> Note {
        Note {
            paper: PaperId::Arxiv("2510.00001".to_owned()),
            lang: Lang::Zh,
            model: "qwen3:8b".to_owned(),
            prompt: "v1.zh".to_owned(),
            at: "2025-10-09T09:00:00Z".parse().unwrap(),
            outcome,
        }
    }

    #[test]
    fn a_note_stands_on_disk_like_this_and_is_read_back() {
        let slot = |text: &str, quote: &str| Slot {
            text: text.to_owned(),
            quote: quote.to_owned(),
        };
        let written = note(Outcome::Written {
            sentence: "麻省理工学院发布了F论文。".to_owned(),
            slots: Some(Slots {
                who: slot("麻省理工学院", "MIT"),
                technique: slot("缓存", "a cache"),
                ..Slots::default()
            }),
        });
        assert_eq!(
            written.encode(),
            r#"v1 {"paper":"arxiv:2510.00001","lang":"zh","model":"qwen3:8b","prompt":"v1.zh","at":"2025-10-09T09:00:00Z","sentence":"麻省理工学院发布了F论文。","slots":[{"text":"麻省理工学院","quote":"MIT"},{"text":"缓存","quote":"a cache"},{"text":"","quote":""},{"text":"","quote":""}]}"#
        );
        let failed = note(Outcome::Failed {
            reasons: vec!["句子太长。".to_owned()],
        });
        assert_eq!(
            failed.encode(),
            r#"v1 {"paper":"arxiv:2510.00001","lang":"zh","model":"qwen3:8b","prompt":"v1.zh","at":"2025-10-09T09:00:00Z","failed":["句子太长。"]}"#
        );
        for note in [written, failed] {
            assert_eq!(Note::decode(&note.encode()), Some(note));
        }
        for damaged in ["", "v2 {}", "v1 {\"paper\":1}", "v1 "] {
            assert_eq!(Note::decode(damaged), None);
        }
    }

    #[test]
    fn whatever_decides_a_brief_decides_its_key() {
        let field = |text: &str| Some(Field::new(text.to_owned(), SourceKind::ArxivMail));
        let paper = Paper {
            title: field("T"),
            abstract_text: field("A"),
            ..Paper::new(PaperId::Arxiv("2510.00001".to_owned()))
        };
        let prompt = Prompt::shipped(Lang::En);
        let first = key(&paper, "m", &prompt);
        assert!(first.starts_with(&prefix(&paper, Lang::En)) && first.len() <= 200);
        let named = Paper {
            institutions: Some(Field::new(vec!["MIT".to_owned()], SourceKind::Report)),
            ..paper.clone()
        };
        let own = Prompt::parse(Lang::En, "# System\nx\n# Paper\n{paper}\n# Again\n{reasons}").unwrap();
        let others = [
            key(&named, "m", &prompt),
            key(
                &Paper {
                    title: field("U"),
                    ..paper.clone()
                },
                "m",
                &prompt,
            ),
            key(
                &Paper {
                    abstract_text: field("B"),
                    ..paper.clone()
                },
                "m",
                &prompt,
            ),
            key(&paper, "n", &prompt),
            key(&paper, "m", &own),
            key(&paper, "m", &Prompt::shipped(Lang::Zh)),
        ];
        assert!(others.iter().all(|other| *other != first), "{others:?}");
        // What its brief does not depend on changes nothing.
        let renamed = Paper {
            version: 3,
            comments: field("12 pages"),
            ..paper
        };
        assert_eq!(key(&renamed, "m", &prompt), first);
    }
}
