//! The one sentence that a busy reader gets of a paper: who published what, with which technique, solving which problem,
//! to what effect. It says only what the paper says: a brief that somebody else wrote passes the [`gate`] first, and where
//! it does not, the abstract's own words take its place.

mod effects;
pub mod evidence;
mod extract;
mod form;
pub mod gate;
mod glossary;
mod names;
mod numbers;

use std::cell::OnceCell;

use serde::{Deserialize, Serialize};

pub use self::extract::extract;
use crate::locale::Lang;
use crate::paper::Paper;

pub mod note;
pub mod prompt;
pub mod reply;
pub mod write;

/// The longest extractive brief, in characters (Unicode scalar values).
pub const EXTRACT_CHARS: usize = 280;

/// Where a brief comes from; [`compose`] says which one is preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Read from a report that somebody else made.
    Imported,
    /// Sentences or clauses of the abstract, word for word.
    Extracted,
    /// Written by a language model.
    Model,
}

/// A one-sentence summary in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brief {
    /// The language it is written in.
    pub lang: Lang,
    /// Where it comes from.
    pub origin: Origin,
    /// The sentence, on one line.
    pub text: String,
}

/// Why a brief was not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refused {
    /// There is no sentence.
    Empty,
    /// The writer asked for the paper instead of summarising it ("请提供论文的标题…").
    Refusal,
    /// A template whose brackets nobody filled (`[主要机构]发布了…`).
    Template,
    /// It claims something of a paper whose abstract nobody has.
    NoAbstract,
    /// It is not in the language that was asked for.
    WrongLanguage,
    /// It summarises another paper.
    AnotherPaper,
    /// It names a publisher that is not among the paper's institutions.
    Organisation,
    /// It has a number that the paper does not have, or not for this.
    Number,
    /// It names a model, a data set or a system that the paper does not name.
    Name,
    /// It says the opposite of what the paper says.
    Direction,
}

impl Refused {
    /// Every reason, for tables.
    pub const ALL: [Self; 10] = [
        Self::Empty,
        Self::Refusal,
        Self::Template,
        Self::NoAbstract,
        Self::WrongLanguage,
        Self::AnotherPaper,
        Self::Organisation,
        Self::Number,
        Self::Name,
        Self::Direction,
    ];
}

/// The language of a text, told by its script: Chinese once it has as many Han characters as Latin words (a Chinese
/// sentence about an English title is Chinese).
pub fn language(text: &str) -> Lang {
    let han = text.chars().filter(|&c| is_han(c)).count();
    let latin = text
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| !word.is_empty())
        .count();
    if han > 0 && han >= latin { Lang::Zh } else { Lang::En }
}

/// Whether it is a Chinese character.
pub(crate) fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3134f}')
}

/// A brief for a reader, and what was in its place before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Composed {
    /// The brief; `None` where there is nothing to say.
    pub brief: Option<Brief>,
    /// Why a written brief in the reader's language was not let through, where an extract or nothing takes its place.
    pub replaced: Option<Refused>,
}

/// The brief of `paper` for a reader of `lang`: one that a model wrote in that language, else an imported one, whichever
/// first passes the [`gate`]; else an extract of the abstract (in the abstract's own language), else nothing.
pub fn compose(paper: &Paper, lang: Lang) -> Option<Brief> {
    composed(paper, lang).brief
}

/// The same as [`compose`], with the reason for which a written brief was replaced.
pub fn composed(paper: &Paper, lang: Lang) -> Composed {
    Composer::new(paper).composed(lang)
}

/// Composes briefs of one paper in several languages; what they are held against is made ready once.
pub struct Composer<'a> {
    paper: &'a Paper,
    grounds: OnceCell<gate::Grounds<'a>>,
    extracted: OnceCell<Option<Brief>>,
}

impl<'a> Composer<'a> {
    /// Of this paper.
    pub fn new(paper: &'a Paper) -> Self {
        Self {
            paper,
            grounds: OnceCell::new(),
            extracted: OnceCell::new(),
        }
    }

    /// What [`composed`] gives for a reader of `lang`.
    pub fn composed(&self, lang: Lang) -> Composed {
        let paper = self.paper;
        let mut replaced = None;
        for origin in [Origin::Model, Origin::Imported] {
            let Some(brief) = paper.briefs.iter().find(|b| b.lang == lang && b.origin == origin) else {
                continue;
            };
            let grounds = self.grounds.get_or_init(|| gate::Grounds::new(paper));
            match gate::findings_on(&brief.text, lang, grounds).first() {
                None => {
                    return Composed {
                        brief: Some(brief.clone()),
                        replaced: None,
                    };
                }
                Some(finding) => replaced = replaced.or(Some(finding.kind)),
            }
        }
        let extracted = self.extracted.get_or_init(|| {
            extract(paper.title(), paper.abstract_text()).map(|text| Brief {
                lang: language(&text),
                origin: Origin::Extracted,
                text,
            })
        });
        Composed {
            brief: extracted.clone(),
            replaced,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paper::{Field, PaperId};
    use crate::source::SourceKind;

    pub(super) const ABSTRACT: &str = "Serving large models is slow, e.g. on edge devices. Recent work, cf. Fig. 3, has shown \
        2.5x gains. To address this issue, we propose FastKV, a cache that evicts by age. Extensive experiments on five \
        benchmarks show that FastKV reduces latency by 48.5% and memory by 2.1×. Code is available at \
        https://github.com/a/fastkv.";

    fn paper(briefs: &[(Lang, &str)]) -> Paper {
        let mut paper = Paper::new(PaperId::provisional("t", "a"));
        paper.title = Some(Field::new("FastKV".to_owned(), SourceKind::Report));
        paper.abstract_text = Some(Field::new(ABSTRACT.to_owned(), SourceKind::Report));
        paper.institutions = Some(Field::new(vec!["Tsinghua University".to_owned()], SourceKind::Report));
        paper.briefs = briefs
            .iter()
            .map(|&(lang, text)| Brief {
                lang,
                origin: Origin::Imported,
                text: text.to_owned(),
            })
            .collect();
        paper
    }

    #[test]
    fn a_good_import_in_the_readers_language_is_kept_and_a_bad_one_replaced_by_an_extract() {
        let good = paper(&[(Lang::Zh, "清华大学发布了FastKV论文，达成了降低48.5%延迟的效果")]);
        assert_eq!(compose(&good, Lang::Zh).unwrap().origin, Origin::Imported);
        let for_english = compose(&good, Lang::En).unwrap();
        assert_eq!((for_english.lang, for_english.origin), (Lang::En, Origin::Extracted));
        let bad = paper(&[(Lang::Zh, "请提供论文的标题")]);
        assert_eq!(compose(&bad, Lang::Zh).unwrap().origin, Origin::Extracted);
        let mut both = bad.clone();
        both.briefs.push(Brief {
            lang: Lang::Zh,
            origin: Origin::Model,
            text: "清华大学发布了FastKV论文，内存减少2.1倍".to_owned(),
        });
        assert_eq!(composed(&both, Lang::Zh).brief.unwrap().origin, Origin::Model);
        both.briefs[0].text = "清华大学发布了FastKV论文".to_owned();
        both.briefs[1].text = "清华大学发布了FastKV论文，内存减少3.1倍".to_owned();
        let imported = composed(&both, Lang::Zh);
        assert_eq!(
            (imported.brief.unwrap().origin, imported.replaced),
            (Origin::Imported, None)
        );
        both.briefs[0].text = "请提供论文的标题".to_owned();
        let extracted = composed(&both, Lang::Zh);
        assert_eq!(extracted.brief.unwrap().origin, Origin::Extracted);
        assert_eq!(extracted.replaced, Some(Refused::Number));
        let mut nothing = bad.clone();
        nothing.abstract_text = None;
        assert_eq!(compose(&nothing, Lang::Zh), None);
    }
}
