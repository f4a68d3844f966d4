//! The grounding gate: whether a brief that somebody else wrote says only what its paper says. It flags what certainly is
//! not there, and lets through what it cannot tell: a false alarm costs a good brief, and then nobody trusts the gate.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::ops::Range;

use chrono::Datelike as _;

use super::effects::{Effect, Says, effects};
pub use super::form::form;
use super::glossary::{self, Term};
use super::names::{self, Vocabulary};
use super::numbers::{Quantity, Unit, quantities};
use super::{Refused, evidence, is_han, language};
use crate::institution;
use crate::join;
use crate::locale::Lang;
use crate::message::ellipsis;
use crate::paper::Paper;
use crate::rule::org::Place;
use crate::text;

/// What a brief says and its paper does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub kind: Refused,
    /// Where it stands in the brief, in bytes; the whole of it where no part is to blame.
    pub at: Range<usize>,
    /// The words that stand there.
    pub words: String,
    /// What the paper has in their place, as far as it can be told.
    pub expected: Vec<String>,
}

/// How much of a brief or of a paper a reason repeats, in characters.
const QUOTED: usize = 80;
/// How many alternatives a reason names.
const ALTERNATIVES: usize = 4;

impl Finding {
    fn new(kind: Refused, text: &str, at: Range<usize>) -> Self {
        let words = text.get(at.clone()).unwrap_or_default().trim().to_owned();
        Self {
            kind,
            at,
            words,
            expected: Vec::new(),
        }
    }

    fn whole(kind: Refused, text: &str) -> Self {
        Self::new(kind, text, 0..text.len())
    }

    fn expecting<T: Into<String>>(mut self, expected: impl IntoIterator<Item = T>) -> Self {
        self.expected = expected.into_iter().map(Into::into).take(ALTERNATIVES).collect();
        self
    }

    /// One sentence for whoever is to write the brief again.
    pub fn reason(&self, lang: Lang) -> String {
        let words = ellipsis(&self.words, QUOTED);
        let there = self
            .expected
            .iter()
            .map(|one| ellipsis(one, QUOTED))
            .collect::<Vec<_>>();
        let there = there.join(lang.comma());
        let instead = match there.is_empty() {
            true => String::new(),
            false => lang.pick(format!("论文中有：{there}。"), format!(" The paper has: {there}.")),
        };
        let says = match self.kind {
            Refused::Empty => lang.pick("没有任何文字。", "There is no sentence.").to_owned(),
            Refused::Refusal => lang
                .pick(
                    "这是拒绝，不是简报。",
                    "This asks for the paper instead of summarising it.",
                )
                .to_owned(),
            Refused::Template => lang
                .pick("模板中的空位没有填写。", "A slot of the template is not filled.")
                .to_owned(),
            Refused::NoAbstract => lang
                .pick(
                    "没有摘要，无从依据。",
                    "Nobody has the abstract, so nothing carries it.",
                )
                .to_owned(),
            Refused::WrongLanguage => lang
                .pick("不是所要求的语言。", "It is not in the language that was asked for.")
                .to_owned(),
            Refused::AnotherPaper => lang.pick(
                format!("“{words}”说的是另一篇论文。"),
                format!("“{words}” is about another paper."),
            ),
            Refused::Organisation => lang.pick(
                format!("“{words}”不在论文的机构之中。"),
                format!("“{words}” is not among the paper's institutions."),
            ),
            Refused::Number => lang.pick(
                format!("数字“{words}”用于此处，在标题和摘要中没有依据。"),
                // It may well stand there, of something else.
                format!("Neither the title nor the abstract gives the number “{words}” for this."),
            ),
            Refused::Name => lang.pick(
                format!("名称“{words}”在标题和摘要中没有出现。"),
                format!("The name “{words}” stands neither in the title nor in the abstract."),
            ),
            Refused::Direction => lang.pick(
                format!("“{words}”与摘要的方向相反。"),
                format!("“{words}” is the opposite of what the abstract says."),
            ),
        };
        says + &instead
    }
}

/// Whether `text` may be shown as the brief of `paper` to a reader who asked for the language.
///
/// # Errors
/// The gravest reason for which it may not; [`findings`] has them all.
pub fn check(text: &str, asked: Lang, paper: &Paper) -> Result<(), Refused> {
    match findings(text, asked, paper).first() {
        Some(finding) => Err(finding.kind),
        None => Ok(()),
    }
}

/// Everything for which `text` may not be shown as the brief of `paper`, the gravest first; nothing where it may.
pub fn findings(text: &str, asked: Lang, paper: &Paper) -> Vec<Finding> {
    findings_on(text, asked, &Grounds::new(paper))
}

/// The same as [`findings`], on what was made ready before.
pub(super) fn findings_on(text: &str, asked: Lang, grounds: &Grounds<'_>) -> Vec<Finding> {
    let paper = grounds.paper;
    if let Err(kind) = form(text, paper.title(), paper.abstract_text()) {
        return vec![Finding::whole(kind, text)];
    }
    if is_other_language(text, asked) {
        return vec![Finding::whole(Refused::WrongLanguage, text)];
    }
    let said = Said::new(text);
    let mut found: Vec<Finding> = grounds.another_paper(&said).into_iter().collect();
    found.extend(grounds.organisations(&said));
    found.extend(grounds.numbers(&said));
    found.extend(grounds.names(&said));
    found.extend(grounds.directions(&said));
    if found.iter().all(|finding| finding.kind != Refused::AnotherPaper) && all_foreign(grounds, &said, &found) {
        found.insert(
            0,
            Finding::whole(Refused::AnotherPaper, text).expecting([paper.title()]),
        );
    }
    found
}

/// Every name and number is foreign, and there are some.
fn all_foreign(grounds: &Grounds<'_>, said: &Said<'_>, found: &[Finding]) -> bool {
    let count = |kind| found.iter().filter(|finding| finding.kind == kind).count();
    let (names, numbers) = (count(Refused::Name), count(Refused::Number));
    let known = said.names().any(|name| grounds.vocabulary.has(name.text));
    names >= 2 && names + numbers >= 3 && !known && !said.quantities.iter().any(|said| grounds.carries(said))
}

/// A brief, taken apart.
pub(super) struct Said<'a> {
    pub(super) text: &'a str,
    is_chinese: bool,
    pub(super) quantities: Vec<Quantity>,
    /// The bytes of those who publish.
    who: Option<Range<usize>>,
}

impl<'a> Said<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            is_chinese: language(text) == Lang::Zh,
            quantities: quantities(text),
            who: publisher(text),
        }
    }

    fn names(&self) -> impl Iterator<Item = names::Token<'a>> {
        let after = self.who.as_ref().map_or(0, |who| who.end);
        names::names(self.text, self.is_chinese).filter(move |token| token.at.start >= after)
    }
}

/// What is known of a paper, made ready.
pub(super) struct Grounds<'a> {
    paper: &'a Paper,
    /// Title, abstract, comments, journal reference.
    texts: Vec<&'a str>,
    pub(super) vocabulary: Vocabulary,
    quantities: Vec<Quantity>,
    terms: OnceCell<BTreeSet<Term>>,
    /// The effects that the texts tell.
    effects: OnceCell<Vec<Told>>,
}

/// An effect that a paper tells.
struct Told {
    effect: Effect,
    /// The numbers in its clause.
    quantities: Vec<Quantity>,
    /// It stands behind the words with which the paper begins to speak of itself.
    is_own: bool,
}

impl<'a> Grounds<'a> {
    pub(super) fn new(paper: &'a Paper) -> Self {
        let field = |field: &'a Option<crate::paper::Field<String>>| field.as_ref().map_or("", |f| f.value.as_str());
        let texts = vec![
            paper.title(),
            paper.abstract_text(),
            field(&paper.comments),
            field(&paper.journal_ref),
        ];
        let people = paper.institutions().iter().chain(paper.authors()).map(String::as_str);
        Self {
            paper,
            vocabulary: Vocabulary::new(texts.iter().copied().chain(people)),
            quantities: texts.iter().flat_map(|text| evidence_of(text)).collect(),
            texts,
            terms: OnceCell::new(),
            effects: OnceCell::new(),
        }
    }

    pub(super) fn carries(&self, said: &Quantity) -> bool {
        self.quantities.iter().any(|here| here.carries(said))
    }

    fn terms(&self) -> &BTreeSet<Term> {
        self.terms
            .get_or_init(|| self.texts.iter().flat_map(|text| glossary::terms(text)).collect())
    }

    fn effects(&self) -> &[Told] {
        let of_text = |text: &str| {
            let own = own_work(text);
            let told = |mut effect: Effect| {
                let quantities = quantities(text.get(effect.at.clone())?);
                let is_own = effect.at.start >= own;
                if self.is_of_others(text, effect.at.start) {
                    effect.forget();
                }
                Some(Told {
                    effect,
                    quantities,
                    is_own,
                })
            };
            effects(text).into_iter().filter_map(told).collect::<Vec<_>>()
        };
        self.effects
            .get_or_init(|| self.texts.iter().flat_map(|text| of_text(text)).collect())
    }

    /// Whether the sentence around a place says how others fare: “full fine-tuning needs 3.1× the memory of LoRA”, where
    /// LoRA is what the paper is about.
    fn is_of_others(&self, text: &str, at: usize) -> bool {
        const OTHERS: [&str; 10] = [
            "existing ",
            "prior ",
            "previous ",
            "conventional ",
            "naive ",
            "traditional ",
            "vanilla ",
            "baseline",
            "standard ",
            "current ",
        ];
        const THAN: [&str; 8] = [
            " over ",
            " than ",
            " compared to ",
            " compared with ",
            " relative to ",
            " versus ",
            " vs. ",
            " against ",
        ];
        let rest = text.get(at..).unwrap_or_default();
        let at = at + (rest.len() - rest.trim_start().len());
        let start = text
            .get(..at)
            .and_then(|before| before.rfind(". "))
            .map_or(0, |end| end + 2);
        let end = text
            .get(at..)
            .and_then(|rest| rest.find(". "))
            .map_or(text.len(), |end| at + end);
        let sentence = text.get(start..end).unwrap_or_default();
        let lower = sentence.to_ascii_lowercase();
        let title = self.paper.title();
        let subject = title
            .split_once(':')
            .map_or("", |(subject, _)| subject)
            .to_ascii_lowercase();
        let mut own: Vec<String> = names::names(title, false)
            .map(|name| name.text.to_ascii_lowercase())
            .collect();
        own.extend([subject, "our".to_owned()]);
        own.retain(|name| !name.is_empty());
        let is_compared = THAN.iter().any(|than| {
            lower.match_indices(than).any(|(at, _)| {
                let other = lower.get(at + than.len()..).unwrap_or_default();
                own.iter()
                    .any(|own| other.strip_prefix("the ").unwrap_or(other).starts_with(own.as_str()))
            })
        });
        is_compared || OTHERS.iter().any(|word| lower.trim_start().starts_with(word))
    }

    fn evidence(&self) -> impl Iterator<Item = &'a str> {
        self.texts.clone().into_iter()
    }

    // ---- Numbers ----

    fn numbers(&self, said: &Said<'_>) -> Vec<Finding> {
        let year = |n: &Quantity| {
            let years = [self.paper.submitted, self.paper.revised];
            years.into_iter().flatten().any(|at| n.is_year(at.year()))
        };
        let clauses = effects(said.text);
        let is_false = |n: &Quantity| {
            let is_foreign = !self.carries(n) || n.is_empty_range || self.is_named_otherwise(said.text, n);
            match is_foreign {
                true => !n.counts || self.is_counted_otherwise(said.text, n),
                false => self.is_measured_otherwise(n, &clauses),
            }
        };
        let foreign = said.quantities.iter();
        let is_told =
            |n: &&Quantity| !(n.in_name || is_enumeration(said.text, n) || is_numerator(said.text, n) || year(n));
        let foreign = foreign.filter(|n| is_told(n) && is_false(n));
        foreign
            .map(|n| {
                let alike = self
                    .quantities
                    .iter()
                    .filter(|here| here.unit == n.unit && here.is_measure());
                let mut expected: Vec<&str> = Vec::new();
                for words in alike.filter_map(|here| self.words_of(here)) {
                    if !expected.contains(&words) {
                        expected.push(words);
                    }
                }
                Finding::new(Refused::Number, said.text, n.at.clone()).expecting(expected)
            })
            .collect()
    }

    /// “5 bit” of a paper that has 4 bits and no 5 of them.
    fn is_named_otherwise(&self, text: &str, n: &Quantity) -> bool {
        if n.unit != Unit::None || !is_of_bits(text, n) {
            return false;
        }
        let mut bits = self.texts.iter().flat_map(|text| {
            let of_bits = quantities(text).into_iter().filter(|here| is_of_bits(text, here));
            of_bits.collect::<Vec<_>>()
        });
        let named = || {
            self.vocabulary
                .names
                .iter()
                .any(|name| name.chars().any(|c| c.is_ascii_digit()))
        };
        let mut any = false;
        let carried = bits.any(|here| {
            any = true;
            here.carries(n)
        });
        any && !carried && !named()
    }

    /// “2.3× less memory” of a paper that has 2.3× only of its speed, and another number of its memory.
    fn is_measured_otherwise(&self, n: &Quantity, clauses: &[Effect]) -> bool {
        let clause = clauses.iter().find(|clause| clause.at.contains(&n.at.start));
        let Some(family) = clause.and_then(Effect::family).filter(|_| n.is_measure()) else {
            return false;
        };
        let told = self.effects();
        let mut carriers = told
            .iter()
            .filter(|told| told.quantities.iter().any(|here| here.carries(n)))
            .peekable();
        let has_carrier = carriers.peek().is_some();
        let of_another = carriers.all(|told| told.effect.family().is_some_and(|other| other != family));
        let has_own = told.iter().any(|told| {
            let alike = told.quantities.iter().any(|here| here.is_measure() && !here.in_name);
            alike && told.effect.family() == Some(family)
        });
        has_carrier && of_another && has_own
    }

    fn words_of(&self, here: &Quantity) -> Option<&'a str> {
        self.texts.iter().find_map(|text| {
            let words = text.get(here.at.clone())?;
            // The same bytes of another field are other words.
            quantities(words)
                .first()
                .is_some_and(|read| read.is_same(here))
                .then_some(words)
        })
    }

    /// "five benchmarks" of a paper that counts seven; who counts a list that the paper gives is let through.
    fn is_counted_otherwise(&self, text: &str, n: &Quantity) -> bool {
        let Some(noun) = counted(text, n.at.end) else {
            return false;
        };
        self.texts.iter().any(|text| {
            quantities(text)
                .iter()
                .filter(|here| !here.in_name && here.counts)
                .any(|here| counted(text, here.at.end) == Some(noun))
        })
    }

    // ---- Names ----

    fn names(&self, said: &Said<'_>) -> Vec<Finding> {
        said.names()
            .filter(|token| !self.vocabulary.has(token.text))
            // "提升3.2x" reads a number there.
            .filter(|token| {
                !said
                    .quantities
                    .iter()
                    .any(|n| !n.in_name && n.at.start <= token.at.start && token.at.end <= n.at.end)
            })
            .map(|token| {
                let nearest = self.vocabulary.nearest(token.text);
                Finding::new(Refused::Name, said.text, token.at).expecting(nearest)
            })
            .collect()
    }

    // ---- Organisations ----

    fn organisations(&self, said: &Said<'_>) -> Vec<Finding> {
        let Some(who) = said.who.clone() else { return Vec::new() };
        let Some(words) = said.text.get(who.clone()) else {
            return Vec::new();
        };
        let named = Place::all_in(words);
        let institutions = self.paper.institutions();
        let mut here: Vec<Place> = institutions.iter().flat_map(|name| Place::all_in(name)).collect();
        // A line break may have torn one in two.
        here.extend(Place::all_in(&institutions.join(" ")));
        // Schools without any university: who knows whose they are.
        let is_whole = institutions.is_empty() || institutions.iter().any(|name| !is_fragment(name));
        let strange = |place: &Place| {
            let related = here
                .iter()
                .any(|other| other == place || other.is_part_of(*place) || place.is_part_of(*other));
            // "Beijing University of Posts" was cut off where its name goes on.
            let cut_off = institutions
                .iter()
                .map(|name| text::key(name))
                .any(|name| name.len() >= 12 && place.names().iter().any(|known| text::key(known).contains(&name)));
            !related && !cut_off && !self.evidence().any(|text| Place::all_in(text).contains(place))
        };
        let mut found = Vec::new();
        for segment in segments(words) {
            let Some(name) = words.get(segment.clone()).map(str::trim) else {
                continue;
            };
            let at = who.start + segment.start..who.start + segment.end;
            let places: Vec<Place> = Place::all_in(name)
                .into_iter()
                .filter(|place| named.contains(place))
                .collect();
            let is_strange = match places.is_empty() {
                false => is_whole && places.iter().all(strange),
                true => self.is_unheard_of(name, is_whole, said.is_chinese),
            };
            if is_strange {
                let expected = institutions.iter().map(String::as_str);
                found.push(Finding::new(Refused::Organisation, said.text, trimmed(said.text, at)).expecting(expected));
            }
        }
        found
    }

    /// A name that the table does not have: it can only be compared with names in its own script.
    fn is_unheard_of(&self, name: &str, is_whole: bool, is_chinese: bool) -> bool {
        let institutions = self.paper.institutions();
        // A school is in nobody's list of institutions, and whose it is cannot be told.
        if institution::is_fragment(name) {
            return false;
        }
        let han: String = name.chars().filter(|&c| is_han(c)).collect();
        let stands = |text: &str| text.contains(name) || (!han.is_empty() && text.contains(&han));
        if institutions.iter().any(|known| stands(known)) || self.evidence().any(stands) {
            return false;
        }
        if han.chars().count() >= 2 {
            let heads = [
                "大学",
                "学院",
                "研究院",
                "研究所",
                "公司",
                "实验室",
                "集团",
                "医院",
                "中心",
            ];
            let vague = [
                "研究团队",
                "相关",
                "多所",
                "多家",
                "某",
                "研究人员",
                "作者",
                "学者",
                "等机构",
                "一个",
                "该",
            ];
            let is_name = heads.iter().any(|head| han.ends_with(head)) && !vague.iter().any(|word| han.contains(word));
            let comparable = institutions.iter().all(|known| known.chars().any(is_han));
            return is_name && is_whole && comparable && !institutions.iter().any(|known| shares_place(&han, known));
        }
        let words: Vec<&str> = name
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| word.chars().count() >= 3 && !GENERIC.contains(&word.to_lowercase().as_str()))
            .collect();
        let is_name = is_chinese || ORGANISED.iter().any(|word| name.contains(word));
        let heard = |word: &&str| {
            let word = text::fold(word);
            let mut all = institutions.iter().map(String::as_str).chain(self.evidence());
            all.any(|text| text::fold(text).contains(&word))
        };
        let capital = name.starts_with(char::is_uppercase);
        is_name && capital && is_whole && !words.is_empty() && !words.iter().any(heard)
    }

    // ---- Directions ----

    fn directions(&self, said: &Said<'_>) -> Vec<Finding> {
        let mut claims = effects(said.text);
        claims.retain(|claim| claim.is_good.is_some() || claim.is_more.is_some() || !claim.says.is_empty());
        if claims.is_empty() {
            return Vec::new();
        }
        let results: Vec<Range<usize>> = evidence::results(said.text);
        let is_contrary = |claim: &Effect| {
            let words = said.text.get(claim.at.clone()).unwrap_or_default();
            if is_absurd(words, claim) {
                return true;
            }
            let mut measures = quantities(words);
            measures.retain(|n| n.is_measure() && !n.in_name);
            let by_number: Vec<Option<bool>> = measures.iter().map(|n| self.contradicts(claim, n)).collect();
            if by_number.contains(&Some(true)) {
                return true;
            }
            // Another clause has the number, and does not say which way it goes.
            let is_open = by_number.iter().all(Option::is_none);
            let in_results = results
                .iter()
                .any(|part| part.start < claim.at.end && claim.at.start < part.end);
            is_open && in_results && self.contradicts_measure(claim, measures.is_empty())
        };
        let contrary = claims.into_iter().filter(is_contrary);
        contrary
            .map(|claim| Finding::new(Refused::Direction, said.text, trimmed(said.text, claim.at)))
            .collect()
    }

    /// Whether all clauses that have a number say the opposite by it; `None` where that cannot be told.
    fn contradicts(&self, claim: &Effect, n: &Quantity) -> Option<bool> {
        let carriers = self
            .effects()
            .iter()
            .filter(|told| told.quantities.iter().any(|here| here.carries(n)));
        let judged: Vec<Option<bool>> = carriers.map(|told| claim.contradicts(&told.effect)).collect();
        let is_known = !judged.is_empty() && judged.iter().all(Option::is_some);
        is_known.then(|| judged.iter().all(|judged| *judged == Some(true)))
    }

    /// Whether the paper says the opposite of a measure by words alone. What is worse than before belongs into no result,
    /// unless the paper says so; what is better may be told in other words.
    fn contradicts_measure(&self, claim: &Effect, has_no_number: bool) -> bool {
        let own = || {
            self.effects()
                .iter()
                .filter(|told| told.is_own)
                .map(|told| &told.effect)
        };
        let against = |says: &Says| {
            let mut about = own().filter(|effect| effect.of.contains(&says.of)).peekable();
            let mut opposite = own().filter_map(|effect| effect.of(says.of));
            let is_told = match says.is_good {
                false => opposite.any(|other| other.is_good),
                true => {
                    has_no_number
                        && says.is_more.is_some()
                        && opposite.any(|other| other.is_more.is_some_and(|more| Some(more) != says.is_more))
                }
            };
            let disputed = |effect: &Effect| {
                effect.is_unclear || effect.of(says.of).is_some_and(|other| other.is_good == says.is_good)
            };
            is_told && about.peek().is_some() && !about.any(disputed)
        };
        claim.says.iter().any(against)
    }

    // ---- Another paper ----

    fn another_paper(&self, said: &Said<'_>) -> Option<Finding> {
        let finding = |at| Some(Finding::new(Refused::AnotherPaper, said.text, at).expecting([self.paper.title()]));
        if let Some(at) =
            quoted_title(said.text).filter(|at| self.is_other_title(said.text.get(at.clone()).unwrap_or_default()))
        {
            return finding(at);
        }
        let known = said.names().any(|name| self.vocabulary.has(name.text));
        let carried = said.quantities.iter().any(|n| !n.counts && self.carries(n));
        if known || carried {
            return None;
        }
        let strange = match said.is_chinese {
            true => {
                let terms = glossary::terms(said.text);
                let shared = terms.intersection(self.terms()).count();
                terms.len() >= 6 && shared * 6 < terms.len()
            }
            false => {
                let words = content_words(said.text);
                let shared = words.iter().filter(|word| self.vocabulary.has_stem(word)).count();
                language(self.paper.abstract_text()) == Lang::En && words.len() >= 8 && shared * 4 < words.len()
            }
        };
        if strange { finding(0..said.text.len()) } else { None }
    }

    /// A title of which the paper has few words.
    fn is_other_title(&self, quoted: &str) -> bool {
        let words = content_words(quoted);
        let known = words.iter().filter(|word| self.vocabulary.has_stem(word)).count();
        let title = join::undoubled(self.paper.title());
        let alike = strsim::sorensen_dice(&text::key(quoted), &text::key(&title));
        words.len() >= 3 && known * 5 < words.len() * 2 && alike < 0.5
    }
}

/// “Lowers it from 26 to 45”.
fn is_absurd(words: &str, claim: &Effect) -> bool {
    let numbers = quantities(words);
    let (Some(is_more), [from, to]) = (claim.is_more, numbers.as_slice()) else {
        return false;
    };
    let before = words.get(..from.at.start).unwrap_or_default().trim_end();
    let between = words.get(from.at.end..to.at.start).unwrap_or_default();
    let is_range =
        before.ends_with('从') && between.contains(['至', '到']) || before.ends_with("from") && between.contains("to ");
    is_range && to.is_more_than(from).is_some_and(|grows| grows != is_more)
}

/// Where an abstract begins to speak of its own work: at its first sentence with “we” or “this paper”; what stands before
/// is how others fare.
fn own_work(text: &str) -> usize {
    const OWN: [&str; 8] = [
        " we ",
        " our ",
        "this paper",
        "this work",
        "this study",
        "this article",
        "本文",
        "我们",
    ];
    let lower = format!(" {}", text.to_ascii_lowercase());
    // Where the words begin, without the space before them.
    let begun = |words: &&str| Some(lower.find(words)? + words.len() - words.trim_start().len());
    let Some(at) = OWN.iter().filter_map(begun).min() else {
        return 0;
    };
    let before = lower.get(..at).unwrap_or_default();
    let end = before.rfind(". ").or(before.rfind('。'));
    // One byte stands before the text.
    end.map_or(0, |end| end.saturating_sub(1))
}

/// The numbers of a text that can carry a brief's: neither those that count its points, as in “(1)”, nor its pages.
fn evidence_of(text: &str) -> Vec<Quantity> {
    const PAGES: [&str; 7] = ["page", "pp", "figure", "fig", "table", "appendi", "reference"];
    let mut found = quantities(text);
    found.retain(|n| {
        let after = text
            .get(n.at.end..)
            .unwrap_or_default()
            .trim_start()
            .to_ascii_lowercase();
        let of_pages = n.unit == Unit::None && PAGES.iter().any(|noun| after.starts_with(noun));
        !of_pages && !is_enumeration(text, n)
    });
    found
}

/// “4-bit”, 4比特.
fn is_of_bits(text: &str, n: &Quantity) -> bool {
    let words = text.get(n.at.clone()).unwrap_or_default().to_ascii_lowercase();
    let after = text.get(n.at.end..).unwrap_or_default().to_ascii_lowercase();
    let after = after.trim_start_matches([' ', '-']);
    words.ends_with("bit") || words.ends_with("bits") || after.starts_with("bit") || after.starts_with("比特")
}

/// The words of a Latin text that say something.
pub(super) fn content_words(text: &str) -> Vec<String> {
    #[rustfmt::skip]
    const EMPTY: [&str; 44] = [
        "with", "from", "that", "this", "which", "using", "uses", "used", "their", "them", "they", "into", "while", "these",
        "those", "than", "then", "over", "under", "both", "such", "have", "been", "were", "does", "more", "most", "less",
        "only", "also", "released", "paper", "work", "method", "methods", "approach", "problem", "achieving", "achieves",
        "results", "solves", "solving", "based", "technique",
    ];
    names::tokens(text)
        .flat_map(|token| token.text.split(|c: char| !c.is_ascii_alphanumeric()))
        .map(str::to_ascii_lowercase)
        .filter(|word| word.len() >= 4 && !EMPTY.contains(&word.as_str()))
        .collect()
}

/// `《…》`, or the Latin words between 发布了 and 论文.
fn quoted_title(text: &str) -> Option<Range<usize>> {
    let between = |open: &str, close: &str| {
        let start = text.find(open)? + open.len();
        let end = start + text.get(start..)?.find(close)?;
        Some(start..end)
    };
    let named = between("发布了", "论文").filter(|at| {
        let words = text.get(at.clone()).unwrap_or_default();
        !words.contains(['，', '。']) && !words.chars().any(is_han)
    });
    between("《", "》").or(named)
}

/// The words before "发布了" or "released": who publishes, where it is said.
fn publisher(text: &str) -> Option<Range<usize>> {
    const LONGEST: usize = 160;
    #[rustfmt::skip]
    const PUBLISHES: [&str; 18] = [
        "发布", "提出", "推出", "公布", "开源", "研发", "开发", " released ", " releases ", " release ", " published ",
        " publish ", " present", " propos", " introduc", " develop", " describe", " report",
    ];
    let end = PUBLISHES.iter().filter_map(|word| text.find(word)).min()?;
    let who = text.get(..end)?;
    // "基于Google的BERT提出": on whose work it builds, not whose it is.
    #[rustfmt::skip]
    const BUILDS_ON: [&str; 22] = [
        "基于", "针对", "通过", "使用", "利用", "结合", "为", "在", "受", "借鉴", "随着", "面向", "采用", "不同于", "building on",
        "based on", "using ", "to ", "by ", "unlike ", "inspired by", "in contrast",
    ];
    let lower = who.trim_start().to_lowercase();
    let is_clause = who.contains(['，', '。', '；']) || BUILDS_ON.iter().any(|opener| lower.starts_with(opener));
    (!who.trim().is_empty() && who.chars().count() <= LONGEST && !is_clause).then_some(0..end)
}

/// "A、B与C": the names in a list of names.
fn segments(words: &str) -> Vec<Range<usize>> {
    const BETWEEN: [&str; 10] = ["、", "，", ", ", "与", "和", "及", "联合", " and ", " & ", "; "];
    let mut found = Vec::new();
    let mut start = 0;
    for (at, _) in words.char_indices() {
        if at < start {
            continue;
        }
        let here = words.get(at..).unwrap_or_default();
        if let Some(word) = BETWEEN.iter().find(|word| here.starts_with(**word)) {
            found.push(start..at);
            start = at + word.len();
        }
    }
    found.push(start..words.len());
    found.retain(|at| {
        words
            .get(at.clone())
            .is_some_and(|name| name.chars().any(char::is_alphanumeric))
    });
    found
}

fn trimmed(text: &str, at: Range<usize>) -> Range<usize> {
    let Some(words) = text.get(at.clone()) else { return at };
    let start = at.start + (words.len() - words.trim_start().len());
    start..start + words.trim().len()
}

/// What says of an English name that it is one of an organisation.
#[rustfmt::skip]
const ORGANISED: [&str; 18] = [
    "University", "Institute", "College", "Laborator", "Academy", "Research", "Inc", "Corp", "Ltd", "Company", "Lab", "Université",
    "Universität", "Universidad", "Technologies", "Center", "Centre", "Hospital",
];

/// The words that many institutions share.
#[rustfmt::skip]
const GENERIC: [&str; 40] = [
    "university", "institute", "college", "laboratory", "laboratories", "academy", "research", "inc", "corp", "ltd", "company",
    "lab", "labs", "technologies", "center", "centre", "hospital", "the", "and", "for", "science", "sciences", "technology",
    "national", "school", "department", "engineering", "computer", "state", "international", "artificial", "intelligence",
    "group", "technical", "information", "researchers", "from", "polytechnic", "scientists", "team",
];

/// A part of an institution that does not say of which one.
fn is_fragment(name: &str) -> bool {
    #[rustfmt::skip]
    const PARTS: [&str; 17] = [
        "School of", "Department", "Dept", "Faculty", "College of", "Lab", "Division", "Group", "Institute of", "Center for",
        "Centre for", "Key", "Team", "Program", "学院", "系", "实验室",
    ];
    const WHOLES: [&str; 9] = [
        "Universit",
        "大学",
        "Inc",
        "Corp",
        "公司",
        "Academy",
        "Polytechnic",
        "ETH",
        "MIT",
    ];
    Place::all_in(name).is_empty()
        && PARTS.iter().any(|part| name.contains(part))
        && !WHOLES.iter().any(|whole| name.contains(whole))
}

/// 南京航空航天大学 and 航空航天大学, 浙江大学计算机学院 and 浙江大学.
fn shares_place(name: &str, known: &str) -> bool {
    let place: String = name.chars().take(2).collect();
    known.contains(&place) || known.chars().take(2).all(|c| name.contains(c))
}

/// "(1)": counts the points of a list.
fn is_enumeration(text: &str, n: &Quantity) -> bool {
    let before = text.get(..n.at.start).unwrap_or_default();
    let after = text.get(n.at.end..).unwrap_or_default();
    let short = n.at.len() <= 2;
    short
        && after.starts_with([')', '）'])
        && (before.ends_with(['(', '（', '，', '；', ' ', '：']) || before.is_empty())
}

/// The 1 of “1/5.2”, which is 5.2×.
fn is_numerator(text: &str, n: &Quantity) -> bool {
    let after = text.get(n.at.end..).unwrap_or_default();
    let denominator = after.strip_prefix(['/', '／']);
    text.get(n.at.clone()) == Some("1")
        && denominator.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// What is counted by a number that ends at `at`: the first term behind it in its clause.
fn counted(text: &str, at: usize) -> Option<Term> {
    const NEAR: usize = 24;
    let rest = text.get(at..)?;
    let near: String = rest
        .chars()
        .take(NEAR)
        .take_while(|c| !matches!(c, ',' | '.' | ';' | '，' | '。' | '；' | '、' | '(' | '（'))
        .collect();
    let found = glossary::terms_at(&glossary::plain(&near));
    found.into_iter().min().map(|(_, term)| term)
}

/// Whether it is written in another language than asked for.
fn is_other_language(text: &str, asked: Lang) -> bool {
    let han = text.chars().filter(|&c| is_han(c)).count();
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let strange =
        |c: &char| c.is_alphabetic() && !is_han(*c) && u32::from(*c) > 0x24f && !matches!(c, 'Ͱ'..='Ͽ' | '𝐀'..='𝟿');
    let other = text.chars().filter(strange).count();
    let is_asked = match asked {
        Lang::Zh => language(text) == Lang::Zh || han >= 20,
        Lang::En => language(text) == Lang::En,
    };
    !is_asked || other * 3 > letters
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use proptest::prelude::*;

    use super::*;
    use crate::paper::{Field, PaperId};
    use crate::source::{SourceKind, arxiv_mail, report};

    const ABSTRACT: &str = "Serving large models is slow, e.g. on edge devices. Recent work, cf. Fig. 3, has shown \
        2.5x gains. To address this issue, we propose FastKV, a cache that evicts by age. Extensive experiments on five \
        benchmarks show that FastKV reduces latency by 48.5% and memory by 2.1×. Code is available at \
        https://github.com/a/fastkv.";

    fn paper(title: &str, abstract_text: &str, institutions: &[&str]) -> Paper {
        let mut paper = Paper::new(PaperId::provisional(title, abstract_text));
        paper.title = Some(Field::new(title.to_owned(), SourceKind::Report));
        paper.abstract_text = Some(Field::new(abstract_text.to_owned(), SourceKind::Report));
        let institutions: Vec<String> = institutions.iter().map(|&name| name.to_owned()).collect();
        paper.institutions = Some(Field::new(institutions, SourceKind::Report)).filter(|f| !f.value.is_empty());
        paper
    }

    fn fast() -> Paper {
        paper(
            "FastKV: A Cache That Evicts by Age",
            "Serving large language models is slow because the key-value cache grows. We propose FastKV, a cache that \
             evicts old tokens layer by layer. On seven benchmarks, FastKV reduces the latency of LLaMA-3-8B by 48.53% and \
             its memory by 2.1×, and improves the accuracy on LongQuest by 1.2 points over 1.3 billion tokens.",
            &["Tsinghua University", "School of Software", "Ant Group"],
        )
    }

    fn kinds(text: &str, asked: Lang, paper: &Paper) -> Vec<Refused> {
        findings(text, asked, paper)
            .into_iter()
            .map(|finding| finding.kind)
            .collect()
    }

    #[test]
    fn a_lie_is_refused_where_its_honest_twin_passes() {
        use Refused::{Direction, Name, Number, Organisation};
        for (asked, honest, lies) in [
            (
                Lang::Zh,
                "清华大学与蚂蚁集团发布了FastKV论文，使用逐层驱逐旧令牌的缓存技术，解决了大语言模型KV缓存增长导致的推理缓慢问题，\
                 达成了在七个基准上LLaMA-3-8B延迟降低48.5%、内存减少2.1倍、LongQuest准确率提升1.2个百分点的效果",
                &[
                    ("48.5%", "43.5%", Number),
                    ("2.1倍", "2.1%", Number),
                    ("七个基准", "九个基准", Number),
                    ("清华大学", "斯坦福大学", Organisation),
                    ("蚂蚁集团", "Google", Organisation),
                    ("LLaMA-3-8B", "LLaMA-3-70B", Name),
                    ("LongQuest", "GSM8K", Name),
                    ("延迟降低48.5%", "延迟增加48.5%", Direction),
                    ("准确率提升1.2", "准确率下降1.2", Direction),
                ][..],
            ),
            (
                Lang::En,
                "Tsinghua University released FastKV, which uses a cache that evicts old tokens to solve the growth of the KV \
                 cache, achieving 48.5% lower latency, 2.1x less memory and 1.2 points higher accuracy on LongQuest",
                &[
                    ("48.5%", "84.5%", Number),
                    ("2.1x", "21x", Number),
                    ("Tsinghua University", "Peking University", Organisation),
                    ("Tsinghua University", "Grimsby Institute of Widgets", Organisation),
                    ("LongQuest", "LongBench", Name),
                    ("48.5% lower latency", "48.5% higher latency", Direction),
                    ("1.2 points higher accuracy", "1.2 points lower accuracy", Direction),
                ][..],
            ),
        ] {
            assert_eq!(findings(honest, asked, &fast()), [], "{honest}");
            for (truth, lie, kind) in lies {
                let lied = honest.replace(truth, lie);
                assert_ne!(lied, honest);
                let found = findings(&lied, asked, &fast());
                assert_eq!(found.iter().map(|f| f.kind).collect::<Vec<_>>(), [*kind], "{lied}");
                assert!(found.iter().all(|f| lied.get(f.at.clone()) == Some(f.words.as_str())));
                assert!(
                    found.iter().all(|f| lie.contains(&f.words) || f.words.contains(lie)),
                    "{found:?}"
                );
            }
        }
    }

    /// Invented abstracts with what may be said of them and what may not.
    struct Case {
        title: &'static str,
        abstract_text: &'static str,
        true_ones: &'static [&'static str],
        lies: &'static [&'static str],
    }

    #[rustfmt::skip]
    const CASES: [Case; 12] = [
        Case {
            title: "PageTurner: Prefetching Key-Value Pages for Long Contexts",
            abstract_text: "Long prompts fill GPU memory and slow decoding. Offloading pages to the host increases latency, and quantizing \
                them degrades accuracy. We present PageTurner, which predicts the pages that the next layer will need. On six tasks \
                PageTurner reduces time-to-first-token latency by 38% and peak memory by 2.3x while preserving accuracy, and it \
                increases throughput by 1.7x over the strongest baseline.",
            true_ones: &[
                "研究团队发布了PageTurner论文，使用页面预取技术，解决了长上下文占满显存的问题，达成了首词延迟降低38%、峰值显存减少2.3倍且吞吐量提升1.7倍的效果。",
                "研究团队发布了PageTurner论文，使用预测下一层所需页面的技术，解决了卸载增加延迟、量化降低精度的问题，达成了降低延迟和显存、提升吞吐量的效果。",
                "研究团队发布了PageTurner论文，使用页面预取，解决了长提示解码缓慢的问题，达成了吞吐量提高至1.7倍，精度不下降的效果。",
                "The authors released PageTurner, using page prefetching, to solve slow decoding of long prompts, achieving 38% lower latency, 2.3x less memory and 1.7x higher throughput.",
                "The authors released PageTurner, using predicted pages, to address memory that offloading makes slow, achieving higher throughput at lower latency without losing accuracy.",
                "The authors released PageTurner, using page prediction, to solve that offloading increases latency and quantization degrades accuracy, achieving reduced memory.",
            ],
            lies: &[
                "研究团队发布了PageTurner论文，使用页面预取技术，解决了长上下文占满显存的问题，达成了首词延迟增加38%、峰值显存减少2.3倍的效果。",
                "研究团队发布了PageTurner论文，使用页面预取技术，解决了长上下文占满显存的问题，达成了峰值显存增加、吞吐量提升的效果。",
                "研究团队发布了PageTurner论文，使用页面预取技术，解决了长上下文占满显存的问题，达成了吞吐量提升2.3倍的效果。",
                "研究团队发布了PageTurner论文，使用页面预取技术，解决了长上下文占满显存的问题，达成了吞吐量下降、显存减少的效果。",
                "The authors released PageTurner, using page prefetching, to solve slow decoding of long prompts, achieving lower throughput and less memory.",
                "The authors released PageTurner, using page prefetching, to solve slow decoding of long prompts, achieving 38% higher latency and 2.3x less memory.",
                "The authors released PageTurner, using page prefetching, to solve slow decoding of long prompts, achieving 38% less memory.",
            ],
        },
        Case {
            title: "Cheap Teachers: Distillation with Fewer Queries",
            abstract_text: "Distillation needs many teacher queries, which drives up cost. In this paper, we study which queries matter. Our \
                selection rule asks 62.5% fewer questions, cuts training cost from $940 to $310 and raises student accuracy by 1.8 points \
                on average. The student loses 0.4 points on code generation. Two ablations show that random selection increases perplexity.",
            true_ones: &[
                "研究团队发布了Cheap Teachers论文，使用查询选择规则，解决了蒸馏查询成本高的问题，达成了提问减少62.5%、训练成本从940美元降至310美元、学生准确率平均提升1.8个百分点的效果。",
                "研究团队发布了Cheap Teachers论文，使用查询选择，解决了成本上升的问题，达成了准确率提升，但代码生成下降0.4个点的效果。",
                "研究团队发布了Cheap Teachers论文，使用查询选择，解决了蒸馏成本问题，达成了以更少查询提升准确率的效果。",
                "研究团队发布了Cheap Teachers论文，使用选择规则，解决了蒸馏成本问题，达成了成本降低、准确率提高1.8个点的效果；随机选择会增加困惑度。",
                "The authors released Cheap Teachers, using a selection rule, to solve costly distillation, achieving 62.5% fewer queries, a training cost cut from $940 to $310 and 1.8 points higher accuracy.",
            ],
            lies: &[
                "研究团队发布了Cheap Teachers论文，使用查询选择规则，解决了蒸馏查询成本高的问题，达成了学生准确率平均下降1.8个百分点的效果。",
                "研究团队发布了Cheap Teachers论文，使用查询选择规则，解决了蒸馏查询成本高的问题，达成了准确率平均提升2个百分点的效果。",
                "研究团队发布了Cheap Teachers论文，使用查询选择规则，解决了蒸馏查询成本高的问题，达成了训练成本从310美元降至940美元的效果。",
                "研究团队发布了Cheap Teachers论文，使用查询选择规则，解决了蒸馏查询成本高的问题，达成了增加训练成本、提升准确率的效果。",
                "The authors released Cheap Teachers, using a selection rule, to solve costly distillation, achieving 62.5% more queries and lower accuracy.",
            ],
        },
        Case {
            title: "Sparse by Night: Event Cameras on Microwatts",
            abstract_text: "We build a sensor loop whose energy consumption falls by 91% compared with frame cameras, at the price of 3.5% \
                lower recall. Latency increases slightly from 4 ms to 6 ms. The 4-bit network keeps its quality.",
            true_ones: &[
                "研究团队发布了Sparse by Night论文，使用事件相机环路，解决了功耗问题，达成了能耗降低91%、召回率下降3.5%的效果。",
                "研究团队发布了Sparse by Night论文，使用4比特网络，解决了功耗问题，达成了能耗减少91%，延迟从4毫秒增加到6毫秒的效果。",
                "研究团队发布了Sparse by Night论文，使用4位网络，解决了功耗问题，达成了降低能耗、保持质量的效果，但延迟略有增加。",
                "The authors released Sparse by Night, using a sensor loop, to solve power draw, achieving 91% lower energy consumption at 3.5% lower recall.",
                "The authors released Sparse by Night, using a 4-bit network, to solve power draw, reducing energy although latency increases from 4 ms to 6 ms.",
            ],
            lies: &[
                "研究团队发布了Sparse by Night论文，使用事件相机环路，解决了功耗问题，达成了能耗增加91%的效果。",
                "研究团队发布了Sparse by Night论文，使用事件相机环路，解决了功耗问题，达成了召回率提升3.5%的效果。",
                "研究团队发布了Sparse by Night论文，使用事件相机环路，解决了功耗问题，达成了降低延迟的效果。",
                "研究团队发布了Sparse by Night论文，使用8比特网络，解决了功耗问题，达成了能耗降低91%的效果。",
                "The authors released Sparse by Night, using a sensor loop, to solve power draw, achieving lower energy and reduced latency.",
            ],
        },
        Case {
            title: "Rerank Once",
            abstract_text: "Rerankers are slow. This work proposes Rerank Once, a listwise model that is 5.2x faster than pairwise rerankers and \
                outperforms them by 2.6% in nDCG. It uses 40% fewer parameters, so that its footprint drops by 1.1 GB. Hallucinations in \
                downstream answers decrease by 12%.",
            true_ones: &[
                "研究团队发布了Rerank Once论文，使用列表式重排模型，解决了重排缓慢的问题，达成了速度提升5.2倍、nDCG提高2.6%、参数减少40%、幻觉降低12%的效果。",
                "研究团队发布了Rerank Once论文，使用列表式模型，解决了重排器推理变慢的问题，达成了以更少参数实现更快推理，并减少幻觉的效果。",
                "研究团队发布了Rerank Once论文，使用列表式模型，解决了重排缓慢的问题，达成了延迟缩短至1/5.2，占用减少1.1GB的效果。",
                "The authors released Rerank Once, using a listwise model, to solve slow reranking, achieving a 5.2x speedup, 2.6% better nDCG and 12% fewer hallucinations with 40% fewer parameters.",
                "The authors released Rerank Once, using listwise ranking, to solve slow rerankers, reducing latency and hallucinations while improving ranking quality.",
            ],
            lies: &[
                "研究团队发布了Rerank Once论文，使用列表式重排模型，解决了重排缓慢的问题，达成了速度下降5.2倍的效果。",
                "研究团队发布了Rerank Once论文，使用列表式重排模型，解决了重排缓慢的问题，达成了参数增加40%的效果。",
                "研究团队发布了Rerank Once论文，使用列表式重排模型，解决了重排缓慢的问题，达成了增加幻觉的效果。",
                "研究团队发布了Rerank Once论文，使用列表式重排模型，解决了重排缓慢的问题，达成了参数减少12%的效果。",
                "The authors released Rerank Once, using a listwise model, to solve slow reranking, achieving 12% more hallucinations.",
                "The authors released Rerank Once, using a listwise model, to solve slow reranking, achieving 40% more parameters.",
            ],
        },
        Case {
            title: "What Pruning Costs",
            abstract_text: "It is often claimed that pruning is free. We show that it is not: pruning half of the weights increases calibration \
                error by 27%, reduces robustness by 9.3%, and makes inference only 1.1x faster. Existing fixes increase memory.",
            true_ones: &[
                "研究团队发布了What Pruning Costs论文，通过校准实验，解决了剪枝代价不明的问题，揭示剪枝使校准误差增加27%、鲁棒性下降9.3%，推理仅加速1.1倍。",
                "研究团队发布了What Pruning Costs论文，通过实验，解决了剪枝代价问题，达成了发现剪枝降低鲁棒性并增大误差的效果。",
                "The authors released What Pruning Costs, using calibration tests, to solve an open question, achieving evidence that pruning increases error by 27% and reduces robustness by 9.3%.",
            ],
            lies: &[
                "研究团队发布了What Pruning Costs论文，通过校准实验，解决了剪枝代价不明的问题，达成了校准误差降低27%的效果。",
                "研究团队发布了What Pruning Costs论文，通过校准实验，解决了剪枝代价不明的问题，达成了鲁棒性提升9.3%的效果。",
                "The authors released What Pruning Costs, using calibration tests, to solve an open question, achieving 27% lower error.",
            ],
        },
        Case {
            title: "Two Clocks: Asynchronous Training at Scale",
            abstract_text: "Synchronous training wastes accelerators. We introduce Two Clocks, an optimizer with delayed gradients. Across 512 \
                GPUs it improves utilization by 31% and reduces communication by 4.4x and wall-clock time by 31%, without loss of \
                accuracy. Memory grows by 6%.",
            true_ones: &[
                "研究团队发布了Two Clocks论文，使用延迟梯度优化器，解决了同步训练浪费的问题，达成了利用率提升31%、通信减少4.4倍、训练时间缩短31%且精度无损的效果。",
                "研究团队发布了Two Clocks论文，使用异步训练，解决了加速器空闲的问题，达成了提高利用率、降低通信量，内存仅增加6%的效果。",
                "研究团队发布了Two Clocks论文，使用异步训练，解决了同步训练效率低的问题，达成了在512个GPU上训练时间减少31%的效果，内存增长6%。",
                "The authors released Two Clocks, using delayed gradients, to solve idle accelerators, achieving 31% better utilization, 4.4x less communication and 31% shorter training without losing accuracy.",
            ],
            lies: &[
                "研究团队发布了Two Clocks论文，使用延迟梯度优化器，解决了同步训练浪费的问题，达成了通信增加4.4倍的效果。",
                "研究团队发布了Two Clocks论文，使用延迟梯度优化器，解决了同步训练浪费的问题，达成了训练时间增加31%的效果。",
                "研究团队发布了Two Clocks论文，使用延迟梯度优化器，解决了同步训练浪费的问题，达成了内存减少6%的效果。",
                "研究团队发布了Two Clocks论文，使用延迟梯度优化器，解决了同步训练浪费的问题，达成了利用率下降的效果。",
                "The authors released Two Clocks, using delayed gradients, to solve idle accelerators, achieving 4.4x more communication.",
            ],
        },
        Case {
            title: "LoRA without Regret? A Replication",
            abstract_text: "We replicate low-rank adaptation on 24 tasks. Full fine-tuning improves accuracy by 0.9 points over LoRA but increases \
                memory by 3.1x. LoRA reduces trainable parameters by 98.7% and forgets less.",
            true_ones: &[
                "研究团队发布了LoRA论文，使用复现实验，解决了低秩适配代价问题，达成了LoRA可训练参数减少98.7%、遗忘更少的效果。",
                "研究团队发布了LoRA论文，使用复现实验，解决了低秩适配代价问题，发现全量微调准确率提升0.9个点但内存增加3.1倍。",
                "研究团队发布了LoRA论文，使用复现实验，解决了微调内存高的问题，达成了LoRA降低内存的效果。",
                "The authors released a replication, using LoRA, to solve costly fine-tuning, achieving 98.7% fewer trainable parameters and 3.1x less memory.",
            ],
            lies: &[
                "研究团队发布了LoRA论文，使用复现实验，解决了低秩适配代价问题，达成了可训练参数增加98.7%的效果。",
                "研究团队发布了LoRA论文，使用复现实验，解决了低秩适配代价问题，达成了参数减少89.7%的效果。",
                "The authors released a replication, using LoRA, to solve costly fine-tuning, achieving 98.7% more trainable parameters.",
            ],
        },
        Case {
            title: "Quiet Audio: Noise-Robust Codecs",
            abstract_text: "Neural codecs fail in noise: word error rates rise and bitrates grow. Here we propose Quiet Audio. It lowers word error \
                rate by 17% and the real-time factor by 2x, enhances perceived quality, and decreases energy use by a quarter.",
            true_ones: &[
                "研究团队发布了Quiet Audio论文，使用抗噪编解码器，解决了噪声下错误率上升的问题，达成了错误率降低17%、提升感知质量、能耗减少25%的效果。",
                "研究团队发布了Quiet Audio论文，使用抗噪编解码，解决了噪声导致质量下降、比特率增加的问题，达成了改善质量的效果。",
                "The authors released Quiet Audio, using a noise-robust codec, to solve rising error rates, achieving 17% lower word error, better quality and a quarter less energy.",
            ],
            lies: &[
                "研究团队发布了Quiet Audio论文，使用抗噪编解码器，解决了噪声下错误率上升的问题，达成了错误率增加17%的效果。",
                "研究团队发布了Quiet Audio论文，使用抗噪编解码器，解决了噪声下错误率上升的问题，达成了降低感知质量、减少能耗的效果。",
                "研究团队发布了Quiet Audio论文，使用抗噪编解码器，解决了噪声下错误率上升的问题，达成了能耗增加的效果。",
                "The authors released Quiet Audio, using a noise-robust codec, to solve rising error rates, achieving 17% less energy.",
            ],
        },
        Case {
            title: "StepSkip: Adaptive Diffusion Sampling",
            abstract_text: "Diffusion samplers waste steps on easy regions. Skipping steps naively speeds up sampling but harms fidelity. We \
                learn a policy that decides where to skip. StepSkip shortens sampling time by 44% with an FID increase of only 0.2, \
                whereas uniform skipping raises FID by 3.9. Training the policy costs 2 GPU hours. Energy drops from 310 J to 180 J per image.",
            true_ones: &[
                "研究团队发布了StepSkip论文，使用可学习的跳步策略，解决了扩散采样浪费的问题，达成了采样时间缩短44%而FID仅增加0.2的效果。",
                "研究团队发布了StepSkip论文，使用自适应跳步，解决了朴素跳步损害保真度的问题，达成了加速采样、降低能耗的效果。",
                "研究团队发布了StepSkip论文，使用策略学习，解决了采样慢的问题，达成了每张图像能耗从310焦降至180焦的效果；均匀跳步使FID升高3.9。",
                "The authors released StepSkip, using a learned policy, to solve wasteful sampling, achieving 44% less sampling time and lower energy, with FID rising by 0.2.",
                "The authors released StepSkip, using adaptive skipping, to solve the loss of fidelity of naive skipping, cutting energy from 310 J to 180 J per image.",
            ],
            lies: &[
                "研究团队发布了StepSkip论文，使用可学习的跳步策略，解决了扩散采样浪费的问题，达成了采样时间增加44%的效果。",
                "研究团队发布了StepSkip论文，使用可学习的跳步策略，解决了扩散采样浪费的问题，达成了增加能耗的效果。",
                "研究团队发布了StepSkip论文，使用可学习的跳步策略，解决了扩散采样浪费的问题，达成了能耗从180焦降至310焦的效果。",
                "The authors released StepSkip, using a learned policy, to solve wasteful sampling, achieving 44% less energy.",
                "The authors released StepSkip, using a learned policy, to solve wasteful sampling, achieving 44% more sampling time.",
            ],
        },
        Case {
            title: "Federated Learning on Trams",
            abstract_text: "Vehicles lose connection in tunnels, so that federated training stalls. We propose gossip rounds between trams. \
                Compared with a central server, gossip cuts uplink traffic by 5.6x and halves convergence time; accuracy stays within \
                0.3 points. With 40 trams the benefit diminishes: traffic decreases only by 1.4x and accuracy falls by 1.1 points.",
            true_ones: &[
                "研究团队发布了有轨电车联邦学习论文，使用车间闲聊轮次，解决了隧道断连导致训练停滞的问题，达成了上行通信减少5.6倍、收敛时间减半且准确率变化在0.3个点以内的效果。",
                "研究团队发布了有轨电车联邦学习论文，使用车间通信，解决了联邦训练停滞的问题，达成了降低通信量并缩短时间的效果，但40辆车时准确率下降1.1个点。",
                "研究团队发布了有轨电车联邦学习论文，使用闲聊轮次，解决了断连问题，达成了通信量减少1.4至5.6倍的效果。",
                "The authors released a study of trams, using gossip rounds, to solve stalled federated training, achieving 5.6x less traffic and half the convergence time.",
                "The authors released a study of trams, using gossip rounds, to solve lost connections, achieving reduced traffic at nearly the same accuracy, which falls by 1.1 points with 40 trams.",
            ],
            lies: &[
                "研究团队发布了有轨电车联邦学习论文，使用车间闲聊轮次，解决了隧道断连导致训练停滞的问题，达成了上行通信增加5.6倍的效果。",
                "研究团队发布了有轨电车联邦学习论文，使用车间闲聊轮次，解决了隧道断连导致训练停滞的问题，达成了准确率提升1.1个点的效果。",
                "研究团队发布了有轨电车联邦学习论文，使用车间闲聊轮次，解决了隧道断连导致训练停滞的问题，达成了准确率下降5.6倍的效果。",
                "The authors released a study of trams, using gossip rounds, to solve stalled federated training, achieving 5.6x more traffic.",
            ],
        },
        Case {
            title: "Small Judges: Cheap Evaluation of Agents",
            abstract_text: "Judging agents with large models is expensive. We train 1B-parameter judges whose agreement with humans improves by 14% \
                after calibration, whose bias declines, and which are 30x cheaper. Longer traces degrade all judges; ours lose 6% less \
                consistency. Robustness to prompt order increases.",
            true_ones: &[
                "研究团队发布了Small Judges论文，使用校准的10亿参数裁判，解决了大模型评估昂贵的问题，达成了与人类一致性提升14%、偏见减少、成本降低30倍的效果。",
                "研究团队发布了Small Judges论文，使用小型裁判模型，解决了评估成本高的问题，达成了增强对提示顺序的鲁棒性、降低偏见的效果。",
                "研究团队发布了Small Judges论文，使用小型裁判，解决了评估昂贵的问题，达成了长轨迹下一致性损失减少6%的效果。",
                "The authors released Small Judges, using calibrated 1B models, to solve expensive evaluation, achieving 14% better agreement, less bias and 30x lower cost.",
            ],
            lies: &[
                "研究团队发布了Small Judges论文，使用校准的10亿参数裁判，解决了大模型评估昂贵的问题，达成了与人类一致性下降14%的效果。",
                "研究团队发布了Small Judges论文，使用校准的10亿参数裁判，解决了大模型评估昂贵的问题，达成了加剧偏见、偏见增加的效果。",
                "研究团队发布了Small Judges论文，使用校准的10亿参数裁判，解决了大模型评估昂贵的问题，达成了降低鲁棒性的效果。",
                "The authors released Small Judges, using calibrated 1B models, to solve expensive evaluation, achieving 30x higher cost.",
            ],
        },
        Case {
            title: "Does Chain-of-Thought Help Tabular Models?",
            abstract_text: "We revisit reasoning for tables. Contrary to common belief, chain-of-thought lowers accuracy by 2.2% on narrow tables \
                and raises it by 4.8% on wide ones, while latency grows sevenfold in both. Self-consistency does not reduce errors.",
            true_ones: &[
                "研究团队发布了表格推理论文，使用思维链，解决了表格推理是否有效的问题，揭示窄表准确率下降2.2%、宽表准确率提升4.8%，延迟增加七倍。",
                "研究团队发布了表格推理论文，使用思维链实验，解决了有效性存疑的问题，达成了发现自洽性未减少错误的效果。",
                "研究团队发布了表格推理论文，使用思维链，解决了有效性问题，达成了宽表准确率提高4.8%的效果，但延迟上升。",
                "The authors released a study of tables, using chain-of-thought, to solve an open question, achieving 4.8% higher accuracy on wide tables and 2.2% lower accuracy on narrow ones at higher latency.",
            ],
            lies: &[
                "研究团队发布了表格推理论文，使用思维链，解决了表格推理是否有效的问题，达成了窄表准确率提升2.2%的效果。",
                "研究团队发布了表格推理论文，使用思维链，解决了表格推理是否有效的问题，达成了降低延迟的效果。",
                "The authors released a study of tables, using chain-of-thought, to solve an open question, achieving lower latency.",
            ],
        },
    ];

    #[test]
    fn a_number_of_another_measure_is_not_said_to_be_missing() {
        let [case, ..] = &CASES;
        let paper = paper(case.title, case.abstract_text, &[]);
        let text = "The authors released PageTurner, using page prefetching, to solve slow decoding of long prompts, achieving \
            2.3x higher throughput.";
        let found = findings(text, Lang::En, &paper);
        let reason = found[0].reason(Lang::En);
        assert!(
            found[0].kind == Refused::Number
                && reason.starts_with("Neither the title nor the abstract gives the number “2.3x” for this."),
            "{reason}"
        );
    }

    #[test]
    fn own_work_begins_with_the_sentence_that_says_so_in_either_language() {
        for (text, own) in [
            ("Others are slow. We are fast.", ". We are fast."),
            ("Others are slow. Here we are fast.", ". Here we are fast."),
            ("Others are slow. This paper is fast.", ". This paper is fast."),
            ("现有方法延迟增加。本文提出新方法。", "。本文提出新方法。"),
            ("现有方法延迟增加。为此，我们提出新方法。", "。为此，我们提出新方法。"),
            ("We are fast. Others are slow.", "We are fast. Others are slow."),
            ("本文提出新方法。", "本文提出新方法。"),
            ("Nobody is fast.", "Nobody is fast."),
        ] {
            assert_eq!(text.get(own_work(text)..), Some(own), "{text}");
        }
    }

    #[test]
    fn invented_lies_are_told_from_what_is_true_in_other_words() {
        let (mut said, mut told, mut caught, mut wrong) = (0, 0, 0, Vec::new());
        for case in &CASES {
            let paper = paper(case.title, case.abstract_text, &[]);
            for text in case.true_ones {
                said += 1;
                let found = findings(text, language(text), &paper);
                if !found.is_empty() {
                    println!("FALSE ALARM {text} {found:?}");
                    wrong.push(text);
                }
            }
            for text in case.lies {
                told += 1;
                match check(text, language(text), &paper) {
                    Err(Refused::Direction | Refused::Number) => caught += 1,
                    other => println!("MISSED {other:?} {text}"),
                }
            }
        }
        println!("{said} true, {} flagged; {told} lies, {caught} caught", wrong.len());
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(said >= 35 && caught * 100 >= told * 80, "{caught} of {told}");
    }

    #[test]
    fn what_cannot_be_known_is_let_through() {
        for (text, paper) in [
            (
                "研究团队发布了FastKV论文，使用缓存技术，降低了延迟",
                paper("FastKV", ABSTRACT, &[]),
            ),
            (
                "北方大学发布了FastKV论文，降低了延迟",
                paper("FastKV", ABSTRACT, &["Northern University"]),
            ),
            (
                "清华大学发布了FastKV论文，降低了延迟",
                paper("FastKV", ABSTRACT, &["School of Software"]),
            ),
            ("FastKV在三个数据集上降低了延迟48.5%", paper("FastKV", ABSTRACT, &[])),
            ("FastKV提升延迟48.5%", paper("FastKV", ABSTRACT, &[])),
            (
                "清华大学的FastKV通过混合专家(MoE)在GPU上减少48.5%的延迟(1)",
                paper("FastKV", ABSTRACT, &[]),
            ),
        ] {
            assert_eq!(findings(text, Lang::Zh, &paper), [], "{text}");
        }
        // On whose work it builds is not whose it is.
        let builds = paper("FastKV", ABSTRACT, &["Tsinghua University"]);
        assert_eq!(
            kinds("基于Google的缓存提出FastKV，降低了延迟", Lang::Zh, &builds),
            [Refused::Name]
        );
        let named = paper("FastKV", ABSTRACT, &[]);
        assert_eq!(
            kinds("清华大学发布了FastKV论文，降低了延迟", Lang::Zh, &named),
            [Refused::Organisation]
        );
    }

    #[test]
    fn a_brief_of_another_paper_or_in_another_language_is_refused() {
        let other = "南湖大学发布了《Counting Penguins From Orbit With Cheap Cameras》论文，使用遥感图像与点云分割技术，解决了企鹅检测问题";
        assert_eq!(check(other, Lang::Zh, &fast()), Err(Refused::AnotherPaper));
        let no_title = "研究团队发布了一种方法，使用遥感图像与点云的语音合成技术，解决了自动驾驶分割与蛋白质分类问题";
        assert_eq!(check(no_title, Lang::Zh, &fast()), Err(Refused::AnotherPaper));
        let english =
            "Penguins are counted from orbit by cheap cameras whose pictures volunteers label during antarctic winters";
        assert_eq!(check(english, Lang::En, &fast()), Err(Refused::AnotherPaper));
        assert_eq!(
            check("FastKV reduces latency.", Lang::Zh, &fast()),
            Err(Refused::WrongLanguage)
        );
        assert_eq!(
            check("FastKV降低了推理延迟。", Lang::En, &fast()),
            Err(Refused::WrongLanguage)
        );
        assert_eq!(
            check("FastKV уменьшает задержку и память модели", Lang::En, &fast()),
            Err(Refused::WrongLanguage)
        );
    }

    #[test]
    fn a_reason_names_what_is_wrong_and_what_the_paper_has() {
        let found = findings("FastKV将LLaMA-3-8B的延迟降低58.5%", Lang::Zh, &fast());
        let reason = found[0].reason(Lang::Zh);
        assert!(reason.contains("58.5%") && reason.contains("48.53%"), "{reason}");
        let reason = found[0].reason(Lang::En);
        assert!(reason.contains("58.5%") && reason.contains("48.53%"), "{reason}");
        let found = findings("FastKV works on LLaMA-3-9B", Lang::En, &fast());
        assert_eq!(found[0].expected, ["LLaMA-3-8B"]);
        for kind in Refused::ALL {
            let finding = Finding::whole(kind, "words");
            assert_ne!(finding.reason(Lang::Zh), finding.reason(Lang::En));
        }
    }

    fn sentence() -> impl Strategy<Value = String> {
        let subject = prop::sample::select(vec!["We", "FastKV", "The proposed cache", "Our method", "Google"]);
        let verb = prop::sample::select(vec![
            "reduces",
            "increases",
            "improves",
            "degrades",
            "halves",
            "presents",
        ]);
        let object = prop::sample::select(vec![
            "latency",
            "accuracy",
            "the memory of GPT-4",
            "LLaMA-3-8B",
            "three tasks",
        ]);
        let number = "[1-9][0-9]{0,2}(\\.[0-9]{1,2})?";
        let unit = prop::sample::select(vec!["%", "×", " million", "B", " points", " ms", "-fold", " to 900%"]);
        (subject, verb, object, number, unit).prop_map(|(s, v, o, n, u)| format!("{s} {v} {o} by {n}{u}."))
    }

    proptest! {
        #[test]
        fn a_brief_made_of_the_abstracts_sentences_passes(
            sentences in prop::collection::vec(sentence(), 1..6), mask in any::<u8>(),
        ) {
            let paper = paper("FastKV", &sentences.join(" "), &["Tsinghua University"]);
            let chosen: Vec<&str> = (0..).zip(&sentences).filter(|(n, _)| mask >> n & 1 == 1).map(|(_, s)| s.as_str()).collect();
            prop_assume!(!chosen.is_empty());
            prop_assert_eq!(findings(&chosen.join(" "), Lang::En, &paper), []);
        }

        #[test]
        fn a_changed_digit_is_always_found(
            number in "[1-9][0-9]\\.[1-9]", digit in 0..3_usize, more in 1..9_u8,
            (here, said) in prop::sample::select(vec![
                ("%", "%"), ("×", "倍"), ("%", "个百分点"), (" billion", "B"), (" percent", "%"), (" points", "个点"), ("x", "×"),
            ]),
        ) {
            let paper = paper("FastKV", &format!("FastKV changes the cache by {number}{here}."), &[]);
            let honest = format!("FastKV缓存变化{number}{said}");
            prop_assert_eq!(findings(&honest, Lang::Zh, &paper), []);
            let at = [0, 1, 3][digit];
            let mut lied = number.clone();
            let old = lied.as_bytes()[at] - b'0';
            lied.replace_range(at..=at, &((old + more) % 10).to_string());
            prop_assume!(!lied.starts_with('0'));
            let lie = format!("FastKV缓存变化{lied}{said}");
            prop_assert_eq!(kinds(&lie, Lang::Zh, &paper), [Refused::Number]);
        }

        #[test]
        fn whatever_is_written_findings_and_clauses_are_parts_of_it(
            text in "(\\PC|发布了|论文|，|解决|%|[0-9]|\\.|×|亿|GPT| reduces ){0,60}",
            abstract_text in "(\\PC|[0-9]|%|\\.| |latency|一半){0,60}",
            title in "\\PC{0,20}",
        ) {
            let paper = paper(&title, &abstract_text, &[&title]);
            for asked in Lang::ALL {
                for finding in findings(&text, asked, &paper) {
                    prop_assert_eq!(text.get(finding.at.clone()).map(str::trim), Some(finding.words.as_str()));
                    prop_assert!(!finding.reason(asked).is_empty());
                }
            }
            for clause in evidence::of(&text, &paper) {
                prop_assert_eq!(text.get(clause.at.clone()), Some(clause.text.as_str()));
            }
        }
    }

    /// A real brief with its paper as the mailings have it.
    struct Real {
        report: String,
        text: String,
        paper: Paper,
    }

    /// The entries of all reports that have a title or an abstract, joined with the mailings.
    fn real() -> Vec<Real> {
        let mut mailed: Vec<Paper> = Vec::new();
        for day in crate::tests::real_days() {
            let bytes = std::fs::read(day.join("mail.txt")).unwrap();
            mailed.extend(
                arxiv_mail::parse(&bytes)
                    .unwrap()
                    .items
                    .into_iter()
                    .map(|item| item.paper),
            );
        }
        let mut places: HashMap<u64, Vec<usize>> = HashMap::new();
        for (n, paper) in mailed.iter().enumerate() {
            for mark in join::sketch(paper) {
                places.entry(mark).or_default().push(n);
            }
        }
        let mut found = Vec::new();
        for (report, text) in crate::tests::real_reports() {
            for item in report::parse(text.as_bytes()).unwrap().items {
                let mut paper = item.paper;
                let marks = join::sketch(&paper);
                let near = marks.iter().flat_map(|mark| places.get(mark).into_iter().flatten());
                let same = near
                    .map(|&n| &mailed[n])
                    .find(|other| join::similarity(&paper, other).is_same_paper());
                if let Some(same) = same {
                    paper.merge(same.clone());
                }
                for brief in paper.briefs.clone() {
                    let (report, text) = (report.clone(), brief.text);
                    found.push(Real {
                        report,
                        text,
                        paper: paper.clone(),
                    });
                }
            }
        }
        found
    }

    /// Prints the tables of docs/JUDGEMENT.md.
    #[test]
    fn real_briefs_nearly_all_pass_and_lies_made_of_them_do_not() {
        let mut forms: BTreeMap<String, usize> = BTreeMap::new();
        for (name, text) in crate::tests::real_reports() {
            for entry in crate::report::read(&text).unwrap().entries {
                let form = form(&entry.brief, &entry.title, &entry.abstract_text);
                let is_form = matches!(form, Err(Refused::Refusal | Refused::Template));
                let about_nothing = entry.title.is_empty() && entry.abstract_text.is_empty();
                assert_eq!(about_nothing, is_form, "{name}: {}", entry.brief);
                if let Err(kind @ (Refused::Refusal | Refused::Template)) = form {
                    *forms.entry(format!("{kind:?}")).or_default() += 1;
                }
            }
        }
        println!("not about a paper: {forms:?}");
        let real = real();
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        let (mut good, mut seeds) = (Vec::new(), (0, 0));
        for one in &real {
            let is_seed = one.report.starts_with("seed");
            seeds.0 += usize::from(is_seed);
            let found = findings(&one.text, language(&one.text), &one.paper);
            match found.first() {
                None => {
                    good.push(one);
                    seeds.1 += usize::from(is_seed);
                }
                Some(first) => {
                    *kinds.entry(format!("{:?}", first.kind)).or_default() += 1;
                    let reasons: Vec<String> = found.iter().map(|finding| finding.reason(Lang::En)).collect();
                    println!("{}: {}\n    {}", one.report, one.text, reasons.join("\n    "));
                }
            }
        }
        println!("{} briefs, {} pass, refused {kinds:?}", real.len(), good.len());
        assert!(seeds.1 + 1 >= seeds.0, "{seeds:?} of the seed report");
        assert!(good.len() * 100 >= real.len() * 95);

        let mut lies: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        let mut lie = |kind: &'static str, honest: &str, lied: &str, paper: &Paper| {
            if honest != lied {
                let (told, caught) = lies.entry(kind).or_default();
                *told += 1;
                *caught += usize::from(check(lied, Lang::Zh, paper).is_err());
            }
        };
        // Every lie of every brief takes a minute without optimisation.
        let step = if cfg!(debug_assertions) { 5 } else { 1 };
        for (n, Real { text, paper, .. }) in good.iter().enumerate().step_by(step) {
            let replaced = |at: Range<usize>, by: &str| {
                let mut lied = (*text).clone();
                lied.replace_range(at, by);
                lied
            };
            for number in quantities(text)
                .iter()
                .filter(|number| !number.in_name && !number.counts)
            {
                let Some(at) = text[number.at.clone()].find(|c: char| c.is_ascii_digit()) else {
                    continue;
                };
                let at = number.at.start + at;
                let digit = (text.as_bytes()[at] - b'0' + 1) % 10;
                lie("number", text, &replaced(at..at + 1, &digit.to_string()), paper);
            }
            if let Some(who) = publisher(text).filter(|who| !Place::all_in(&text[who.clone()]).is_empty()) {
                lie("organisation", text, &replaced(who, "苏黎世联邦理工学院"), paper);
            }
            for (truth, flipped) in [("降低", "增加"), ("减少", "增加"), ("提升", "下降")] {
                lie("direction", text, &text.replace(truth, flipped), paper);
            }
            for name in Said::new(text).names().take(3) {
                lie("name", text, &replaced(name.at, "Zorblax-V3"), paper);
            }
            lie("another paper's brief", text, &good[(n + 7) % good.len()].text, paper);
        }
        println!("lies made of those that pass, told and caught: {lies:?}");
        for (kind, least) in [
            ("number", 93),
            ("organisation", 90),
            ("direction", 80),
            ("name", 98),
            ("another paper's brief", 93),
        ] {
            if let Some((told, caught)) = lies.get(kind) {
                assert!(caught * 100 >= told * least, "{kind}: {caught} of {told}");
            }
        }
    }

    #[test]
    fn extracts_and_sentences_of_real_abstracts_pass() {
        for day in crate::tests::real_days().iter().take(3) {
            let day = day.file_name().unwrap().to_string_lossy().into_owned();
            for paper in crate::tests::real_mailing(&day).iter().step_by(9) {
                let extract = crate::brief::extract(paper.title(), paper.abstract_text());
                let whole = text::one_line(paper.abstract_text());
                let sentences = crate::brief::extract::sentences(&whole)
                    .filter(|s| s.split(' ').count() > 8)
                    .take(8);
                let texts: Vec<&str> = extract.as_deref().into_iter().chain(sentences).collect();
                for text in texts {
                    assert_eq!(findings(text, Lang::En, paper), [], "{text}");
                }
            }
        }
    }
}
