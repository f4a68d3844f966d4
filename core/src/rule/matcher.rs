//! All rules of all channels against a paper at once. What costs is what is found: every condition of every rule is looked
//! up in one pass over the paper, and a rule is looked at only where a condition is found without which it cannot hold.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use chrono::NaiveDate;
use unicode_normalization::{UnicodeNormalization as _, is_nfkc_quick};

use super::needles::{Interner, Needles};
use super::org::Place;
use super::parse::Rule;
use super::regexes::{self, Regexes};
use super::{Expr, Scope, Term, words};
use crate::locale::Lang;
use crate::message::Line;
use crate::paper::Paper;
use crate::text::fold;
use crate::topic::terms::{Canonical, Ending, Pattern};
use crate::topic::{Hit, Score, Verdict};

/// What words in the title count more than in the abstract.
const TITLE_FACTOR: u32 = 3;

/// What a rule is held against.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The paper.
    pub paper: &'a Paper,
    /// Its scores under the topics: `topic:` holds where the verdict is [`Verdict::Kept`].
    pub scores: &'a [Score],
    /// When it was taken in, for a search; a rule does not ask.
    pub day: Option<NaiveDate>,
}

impl<'a> Facts<'a> {
    /// A paper with nothing beside it.
    pub fn of(paper: &'a Paper) -> Self {
        Self {
            paper,
            scores: &[],
            day: None,
        }
    }
}

/// A rule that holds for a paper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// The key under which it was inserted.
    pub key: u64,
    /// The conditions that brought the paper, in the rule's order, as the rule spells them. Words count 1 point, 3 in the
    /// title; a topic its score; anything else 1.
    pub hits: Vec<Hit>,
}

/// The text in NFKC, for what is found by a regex.
pub(super) fn nfkc(text: &str) -> Cow<'_, str> {
    // Paragraphs do not matter, and a dot shall reach over their end.
    let one_line = |c: char| if c == '\n' { ' ' } else { c };
    let done = is_nfkc_quick(text.chars()) == unicode_normalization::IsNormalized::Yes && !text.contains('\n');
    if done {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfkc().map(one_line).collect())
    }
}

// ---- One condition ----

/// An author's name in parts: folded, without accents and points, the family name last.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Name(Vec<String>);

impl Name {
    fn new(name: &str) -> Self {
        let letter = |c: char| match c {
            'ł' => Some('l'),
            'ø' => Some('o'),
            'đ' => Some('d'),
            'ı' => Some('i'),
            c if unicode_normalization::char::is_combining_mark(c) || matches!(c, '\'' | '’') => None,
            c => Some(c),
        };
        let folded: String = fold(name).nfd().filter_map(letter).nfc().collect();
        // “LeCun, Yann”
        let turned = folded
            .split_once(',')
            .map(|(family, given)| format!("{given} {family}"));
        let parts = turned
            .as_deref()
            .unwrap_or(&folded)
            .split(|c: char| !c.is_alphanumeric());
        let mut parts: Vec<String> = parts.filter(|part| !part.is_empty()).map(str::to_owned).collect();
        if parts.len() > 1
            && parts
                .last()
                .is_some_and(|last| matches!(&**last, "jr" | "sr" | "ii" | "iii"))
        {
            parts.pop();
        }
        Self(parts)
    }

    fn family(&self) -> &str {
        self.0.last().map_or("", |part| part)
    }

    /// Whether this, typed by somebody, means the author `name`: the family name, or the whole name, in which middle names
    /// may lack and initials may stand for names.
    fn means(&self, name: &Self) -> bool {
        let (typed, name) = (self.0.as_slice(), name.0.as_slice());
        if typed.is_empty() {
            return false;
        }
        if name.ends_with(typed) {
            return true;
        }
        let ([first, middle @ .., last], [its_first, its_middle @ .., its_last]) = (typed, name) else {
            return false;
        };
        let same = |a: &str, b: &str| {
            let initial = |short: &str, long: &str| short.chars().count() == 1 && long.starts_with(short);
            a == b || initial(a, b) || initial(b, a)
        };
        let mut rest = its_middle.iter();
        last == its_last && same(first, its_first) && middle.iter().all(|part| rest.any(|its| same(part, its)))
    }
}

/// Where words stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sight {
    in_title: bool,
    points: u32,
}

impl Sight {
    const PLAIN: Self = Self {
        in_title: false,
        points: 1,
    };

    fn words(in_title: bool) -> Self {
        Self {
            in_title,
            points: if in_title { TITLE_FACTOR } else { 1 },
        }
    }
}

/// Whether `archive` and `class` mean `category`.
fn is_category(archive: &str, class: Option<&str>, category: &str) -> bool {
    let (its_archive, its_class) = category.split_once('.').unwrap_or((category, ""));
    archive == its_archive && class.is_none_or(|class| class == its_class)
}

/// A paper prepared for being asked about one condition after another.
struct Sought<'a> {
    facts: &'a Facts<'a>,
    text: Canonical,
    /// How many words the title has.
    title: usize,
    institutions: Canonical,
}

/// Title and abstract as words, and how many of them are the title's.
fn words_of(paper: &Paper) -> (Canonical, usize) {
    let mut text = Canonical::with_spelling();
    text.push(paper.title());
    let title = text.starts.len();
    text.border();
    text.push(paper.abstract_text());
    (text, title)
}

fn institutions_of(paper: &Paper) -> Canonical {
    let mut text = Canonical::new();
    for institution in paper.institutions() {
        text.push(institution);
        text.border();
    }
    text
}

impl<'a> Sought<'a> {
    fn new(facts: &'a Facts<'a>) -> Self {
        let (text, title) = words_of(facts.paper);
        Self {
            facts,
            text,
            title,
            institutions: institutions_of(facts.paper),
        }
    }

    fn find(&self, term: &Term) -> Option<Sight> {
        let paper = self.facts.paper;
        let plain = |found: bool| found.then_some(Sight::PLAIN);
        match term {
            Term::Words {
                scope: Scope::Author,
                text,
                ..
            } => {
                let typed = Name::new(text);
                plain(paper.authors().iter().any(|name| typed.means(&Name::new(name))))
            }
            Term::Words { scope, text, quoted } => {
                let (pattern, spelt) = Pattern::exact(text)?;
                let mut places = self
                    .text
                    .places(&pattern)
                    .filter(|&(first, last)| !quoted || self.text.spelt(first, last) == Some(&*spelt));
                let (first, _) = places.next()?;
                let in_title = first < self.title;
                (in_title || *scope == Scope::Anywhere).then(|| Sight::words(in_title))
            }
            Term::Category { archive, class } => {
                let categories = paper.categories();
                plain(
                    categories
                        .iter()
                        .any(|category| is_category(archive, class.as_deref(), category)),
                )
            }
            Term::Organisation(name) => match Place::named(name) {
                Some(place) => plain(paper.institutions().iter().any(|at| Place::all_in(at).contains(&place))),
                None => plain(self.institutions.places(&Pattern::new(name)?).next().is_some()),
            },
            Term::Topic(topic) => {
                let score = self.facts.scores.iter().find(|score| score.topic == *topic)?;
                (score.verdict == Verdict::Kept).then_some(Sight {
                    in_title: false,
                    points: score.points,
                })
            }
            Term::Regex(pattern) => {
                let regex = regexes::compile(pattern)?;
                let in_title = regex.is_match(&nfkc(paper.title()));
                (in_title || regex.is_match(&nfkc(paper.abstract_text()))).then(|| Sight::words(in_title))
            }
            Term::From(day) => plain(self.facts.day.is_some_and(|at| at >= *day)),
            Term::To(day) => plain(self.facts.day.is_some_and(|at| at <= *day)),
        }
    }
}

// ---- All conditions at once ----

/// The end of a list whose members name the next one.
const NONE: u32 = u32::MAX;

/// A condition that rules share.
#[derive(Debug, Clone, Copy)]
struct Atom {
    /// The first of [`RuleSet::postings`] with a rule that cannot hold without it (or one of a few others).
    rules: u32,
    kind: AtomKind,
}

#[derive(Debug, Clone, Copy)]
enum AtomKind {
    Words,
    Topic,
    Other,
}

/// Who waits for a phrase.
#[derive(Debug, Clone, Copy)]
struct Seeker {
    atom: u32,
    ending: Ending,
    title_only: bool,
    /// How it must be spelt, in [`RuleSet::spellings`]; [`NONE`] where inflections will do.
    spelt: u32,
    next: u32,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    key: u64,
    /// Where it begins in [`RuleSet::code`]; [`NONE`] once it was removed.
    code: u32,
}

/// Rules compiled into one. A rule is inserted and removed in microseconds; what a removed one leaves behind goes when the
/// set is made anew.
#[derive(Debug, Default)]
pub struct RuleSet {
    entries: Vec<Entry>,
    by_key: HashMap<u64, u32>,
    /// The rules' structure, each in prefix order, see [`Node`].
    code: Vec<u32>,
    /// As rules spell them; an atom's number is its label's.
    labels: Interner,
    atoms: Vec<Atom>,
    /// (rule, next posting)
    postings: Vec<(u32, u32)>,

    needles: Needles,
    /// For each of the needles the first seeker.
    seekers_of: Vec<u32>,
    seekers: Vec<Seeker>,
    spellings: Interner,

    organisation_needles: Needles,
    /// For each of these needles who waits for it.
    organisations: Vec<Vec<(Ending, u32)>>,
    places: HashMap<Place, Vec<u32>>,
    /// By family name.
    authors: HashMap<String, Vec<(Name, u32)>>,
    categories: HashMap<String, Vec<(Option<String>, u32)>>,
    topics: HashMap<String, u32>,
    regexes: Regexes,
}

/// A word of code: the kind in the highest two bits, an atom or a number of members in the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Has(u32),
    Lacks(u32),
    All(u32),
    Any(u32),
}

impl Node {
    fn write(self) -> u32 {
        match self {
            Self::Has(atom) => atom & (NONE >> 2),
            Self::Lacks(atom) => atom & (NONE >> 2) | 1 << 30,
            Self::All(n) => n & (NONE >> 2) | 2 << 30,
            Self::Any(n) => n & (NONE >> 2) | 3 << 30,
        }
    }

    fn read(word: u32) -> Self {
        let number = word & (NONE >> 2);
        match word >> 30 {
            0 => Self::Has(number),
            1 => Self::Lacks(number),
            2 => Self::All(number),
            _ => Self::Any(number),
        }
    }
}

/// Which atoms a paper has.
struct Present {
    bits: Vec<u64>,
    /// Found ones in the order of finding, with whether in the title.
    list: Vec<(u32, bool)>,
    /// Of topics, their points.
    points: Vec<(u32, u32)>,
}

impl Present {
    fn has(&self, atom: u32) -> bool {
        self.bits
            .get(atom as usize / 64)
            .is_some_and(|bits| bits >> (atom % 64) & 1 == 1)
    }

    fn add(&mut self, atom: u32, in_title: bool) {
        if let Some(bits) = self.bits.get_mut(atom as usize / 64)
            && *bits >> (atom % 64) & 1 == 0
        {
            *bits |= 1 << (atom % 64);
            self.list.push((atom, in_title));
        }
    }
}

/// Words that most abstracts have: a rule is filed under another of its conditions where it can.
const COMMON: &str = "a about across against algorithm all also an analysis and any application approach are art as \
    attention based be benchmark better between both by can challenge code complex compare data dataset deep demonstrate \
    design different domain each effective efficient enable evaluate evaluation existing experiment fast feature field \
    first for framework from function further generate generation graph have high human image improve in include \
    inference information into introduce is it its key knowledge language large learn less limit llm long low machine \
    make method metric model more most multi multiple network neural new no non not novel number of on one only optimal \
    or our over paper parameter perform performance policy predict present previous problem process propose provide \
    quality real reasoning recent reduce require research result robust s scale search set show signal significant \
    simple single space sparse state still strong structure study such system task test text than that the their these \
    they this three through time to token tool train transformer two under understand unify up use user using vision \
    visual via video we well when where which while with within without work world";

static COMMON_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| COMMON.split_whitespace().collect());

/// What it costs to look at a rule wherever this is found: the lower, the rarer it is.
fn frequency(term: &Term) -> u32 {
    match term {
        Term::Words {
            scope: Scope::Author, ..
        } => 5,
        Term::Words { scope, text, .. } => {
            let length = u32::try_from(text.len()).unwrap_or(u32::MAX).min(60);
            let stem = text.strip_suffix("ing").or(text.strip_suffix('s')).unwrap_or(text);
            let common = COMMON_WORDS.contains(&**text) || COMMON_WORDS.contains(stem);
            let rare = if text.contains([' ', '-']) { 30 } else { 200 };
            (if common { 1_000 } else { rare } + 60 - length) / if *scope == Scope::Title { 4 } else { 1 }
        }
        Term::Organisation(_) => 100,
        Term::Regex(_) => 150,
        Term::Topic(_) => 2_000,
        Term::Category { class, .. } => {
            if class.is_some() {
                3_000
            } else {
                5_000
            }
        }
        Term::From(_) | Term::To(_) => 9_000,
    }
}

/// Conditions of which one at least is found wherever the rule holds, the rarest; `None` where nothing need be found. The
/// rule has `Not` around single terms only.
fn needed(expr: &Expr) -> Option<(u32, Vec<&Term>)> {
    match expr {
        Expr::Term(term) => Some((frequency(term), vec![term])),
        Expr::Not(_) => None,
        Expr::And(members) => members.iter().filter_map(needed).min_by_key(|(cost, _)| *cost),
        Expr::Or(members) => members
            .iter()
            .try_fold((0_u32, Vec::new()), |(cost, mut terms), member| {
                let (more, of_member) = needed(member)?;
                terms.extend(of_member);
                Some((cost.saturating_add(more), terms))
            }),
    }
}

fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(NONE)
}

impl RuleSet {
    /// Compiles the rules; each is known by its key.
    pub fn new<'a>(rules: impl IntoIterator<Item = (u64, &'a Rule)>) -> Self {
        let mut set = Self::default();
        for (key, rule) in rules {
            set.insert(key, rule);
        }
        set
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// How many have been removed; what is kept of them goes when the set is made anew.
    pub fn removed(&self) -> usize {
        self.entries.len() - self.by_key.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Adds a rule; one with the same key is replaced.
    pub fn insert(&mut self, key: u64, rule: &Rule) {
        self.remove(key);
        let expr = rule.expr().pushed_down(false);
        let entry = number(self.entries.len());
        let code = number(self.code.len());
        self.compile(&expr);
        self.entries.push(Entry { key, code });
        self.by_key.insert(key, entry);
        // A rule always needs something: one that holds where nothing is found is refused.
        let mut atoms: Vec<u32> = needed(&expr)
            .into_iter()
            .flat_map(|(_, terms)| terms)
            .map(|term| self.atom(term))
            .collect();
        atoms.sort_unstable();
        atoms.dedup();
        for atom in atoms {
            let posting = number(self.postings.len());
            if let Some(atom) = self.atoms.get_mut(atom as usize) {
                self.postings.push((entry, atom.rules));
                atom.rules = posting;
            }
        }
    }

    /// Takes a rule out. Returns whether it was there.
    pub fn remove(&mut self, key: u64) -> bool {
        let Some(entry) = self.by_key.remove(&key) else {
            return false;
        };
        if let Some(entry) = self.entries.get_mut(entry as usize) {
            entry.code = NONE;
        }
        true
    }

    fn compile(&mut self, expr: &Expr) {
        let node = match expr {
            Expr::And(members) => Node::All(number(members.len())),
            Expr::Or(members) => Node::Any(number(members.len())),
            Expr::Not(inner) => match &**inner {
                Expr::Term(term) => Node::Lacks(self.atom(term)),
                // Pushed down, there is none.
                Expr::And(_) | Expr::Or(_) | Expr::Not(_) => Node::Any(0),
            },
            Expr::Term(term) => Node::Has(self.atom(term)),
        };
        self.code.push(node.write());
        if let Expr::And(members) | Expr::Or(members) = expr {
            members.iter().for_each(|member| self.compile(member));
        }
    }

    /// The number of a condition.
    fn atom(&mut self, term: &Term) -> u32 {
        let (atom, new) = self.labels.intern(&term.to_string());
        if !new {
            return atom;
        }
        let mut kind = AtomKind::Other;
        match term {
            Term::Words {
                scope: Scope::Author,
                text,
                ..
            } => {
                let name = Name::new(text);
                self.authors
                    .entry(name.family().to_owned())
                    .or_default()
                    .push((name, atom));
            }
            Term::Words { scope, text, quoted } => {
                kind = AtomKind::Words;
                if let Some((pattern, spelt)) = Pattern::exact(text) {
                    let (needle, new) = self.needles.insert(&pattern.text);
                    if new {
                        self.seekers_of.push(NONE);
                    }
                    let spelt = if *quoted { self.spellings.intern(&spelt).0 } else { NONE };
                    if let Some(first) = self.seekers_of.get_mut(needle as usize) {
                        self.seekers.push(Seeker {
                            atom,
                            ending: pattern.ending,
                            title_only: *scope == Scope::Title,
                            spelt,
                            next: *first,
                        });
                        *first = number(self.seekers.len() - 1);
                    }
                }
            }
            Term::Category { archive, class } => {
                self.categories
                    .entry(archive.clone())
                    .or_default()
                    .push((class.clone(), atom));
            }
            Term::Organisation(name) => match Place::named(name) {
                Some(place) => self.places.entry(place).or_default().push(atom),
                None => {
                    if let Some(pattern) = Pattern::new(name) {
                        let (needle, new) = self.organisation_needles.insert(&pattern.text);
                        if new {
                            self.organisations.push(Vec::new());
                        }
                        if let Some(waiting) = self.organisations.get_mut(needle as usize) {
                            waiting.push((pattern.ending, atom));
                        }
                    }
                }
            },
            Term::Topic(topic) => {
                kind = AtomKind::Topic;
                self.topics.insert(topic.0.clone(), atom);
            }
            Term::Regex(pattern) => {
                kind = AtomKind::Words;
                self.regexes.insert(atom, pattern);
            }
            // Only searches have them.
            Term::From(_) | Term::To(_) => {}
        }
        self.atoms.push(Atom { rules: NONE, kind });
        atom
    }

    /// The rules that hold for the paper, in the order of their insertion.
    pub fn find(&self, facts: &Facts<'_>) -> Vec<Matched> {
        let present = self.look(facts);
        let mut candidates = Vec::new();
        for &(atom, _) in &present.list {
            let mut at = self.atoms.get(atom as usize).map_or(NONE, |atom| atom.rules);
            while let Some(&(entry, next)) = self.postings.get(at as usize) {
                candidates.push(entry);
                at = next;
            }
        }
        candidates.sort_unstable();
        candidates.dedup();
        let mut titles = Vec::new();
        let mut matched = Vec::new();
        for entry in candidates.iter().filter_map(|&entry| self.entries.get(entry as usize)) {
            let Some(mut code) = self.code.get(entry.code as usize..).filter(|_| entry.code != NONE) else {
                continue;
            };
            if !holds(&mut code, &present) {
                continue;
            }
            if titles.is_empty() {
                titles = present.list.clone();
                titles.sort_unstable();
            }
            matched.push(Matched {
                key: entry.key,
                hits: self.hits(entry, &present, &titles),
            });
        }
        matched
    }

    fn hits(&self, entry: &Entry, present: &Present, sorted: &[(u32, bool)]) -> Vec<Hit> {
        let mut hits = Vec::new();
        // One node and then as many as the nodes before have asked for.
        let mut waiting = 1_u32;
        for &word in self.code.get(entry.code as usize..).unwrap_or_default() {
            if waiting == 0 {
                break;
            }
            waiting -= 1;
            match Node::read(word) {
                Node::All(n) | Node::Any(n) => waiting = waiting.saturating_add(n),
                Node::Lacks(_) => {}
                Node::Has(atom) => {
                    let at = sorted.binary_search_by_key(&atom, |&(atom, _)| atom);
                    let Some(&(_, in_title)) = at.ok().and_then(|at| sorted.get(at)) else {
                        continue;
                    };
                    let term = self.labels.get(atom);
                    if hits.iter().any(|hit: &Hit| hit.term == term) {
                        continue;
                    }
                    let points = match self.atoms.get(atom as usize).map(|atom| atom.kind) {
                        Some(AtomKind::Words) => Sight::words(in_title).points,
                        Some(AtomKind::Topic) => {
                            let points = present.points.iter().find(|(topic, _)| *topic == atom);
                            points.map_or(1, |(_, points)| *points)
                        }
                        Some(AtomKind::Other) | None => 1,
                    };
                    hits.push(Hit {
                        term: term.to_owned(),
                        points,
                        in_title,
                    });
                }
            }
        }
        hits
    }

    /// Every condition that the paper meets.
    fn look(&self, facts: &Facts<'_>) -> Present {
        let paper = facts.paper;
        let mut present = Present {
            bits: vec![0; self.atoms.len().div_ceil(64)],
            list: Vec::with_capacity(64),
            points: Vec::new(),
        };
        if !self.seekers.is_empty() {
            let (text, title) = words_of(paper);
            self.needles.find(&text, |at| {
                let in_title = at.first < title;
                let Some(&(_, ending)) = text.ends.get(at.last) else {
                    return;
                };
                let mut next = self.seekers_of.get(at.needle as usize).copied().unwrap_or(NONE);
                while let Some(seeker) = self.seekers.get(next as usize) {
                    next = seeker.next;
                    let spelt = || {
                        seeker.spelt == NONE || text.spelt(at.first, at.last) == Some(self.spellings.get(seeker.spelt))
                    };
                    if seeker.ending.agrees(ending) && (in_title || !seeker.title_only) && spelt() {
                        present.add(seeker.atom, in_title);
                    }
                }
            });
        }
        if !self.authors.is_empty() {
            for name in paper.authors().iter().map(|name| Name::new(name)) {
                for (typed, atom) in self.authors.get(name.family()).into_iter().flatten() {
                    if typed.means(&name) {
                        present.add(*atom, false);
                    }
                }
            }
        }
        if !self.categories.is_empty() {
            for category in paper.categories() {
                let archive = category.split_once('.').map_or(&**category, |(archive, _)| archive);
                for (class, atom) in self.categories.get(archive).into_iter().flatten() {
                    if is_category(archive, class.as_deref(), category) {
                        present.add(*atom, false);
                    }
                }
            }
        }
        if !self.places.is_empty() {
            for place in paper
                .institutions()
                .iter()
                .flat_map(|institution| Place::all_in(institution))
            {
                for atom in self.places.get(&place).into_iter().flatten() {
                    present.add(*atom, false);
                }
            }
        }
        if !self.organisations.is_empty() {
            let text = institutions_of(paper);
            self.organisation_needles.find(&text, |at| {
                let Some(&(_, followed)) = text.ends.get(at.last) else {
                    return;
                };
                for (ending, atom) in self.organisations.get(at.needle as usize).into_iter().flatten() {
                    if ending.agrees(followed) {
                        present.add(*atom, false);
                    }
                }
            });
        }
        for score in facts.scores.iter().filter(|score| score.verdict == Verdict::Kept) {
            if let Some(&atom) = self.topics.get(&score.topic.0) {
                present.add(atom, false);
                present.points.push((atom, score.points));
            }
        }
        if !self.regexes.is_empty() {
            let (title, body) = (nfkc(paper.title()), nfkc(paper.abstract_text()));
            self.regexes
                .find(&title, &body, |atom, in_title| present.add(atom, in_title));
        }
        present
    }
}

/// Whether the rule at the head of `code` holds; `code` is behind it afterwards. Rules nest boundedly, and so does this.
fn holds(code: &mut &[u32], present: &Present) -> bool {
    let Some((&word, rest)) = code.split_first() else {
        return false;
    };
    *code = rest;
    match Node::read(word) {
        Node::Has(atom) => present.has(atom),
        Node::Lacks(atom) => !present.has(atom),
        // Every member is read, since the next one begins behind it.
        Node::All(n) => (0..n).map(|_| holds(code, present)).filter(|holds| !holds).count() == 0,
        Node::Any(n) => (0..n).map(|_| holds(code, present)).filter(|holds| *holds).count() > 0,
    }
}

// ---- Why, and why not ----

/// What stands between a paper and a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// This would have to be found.
    Missing(Term),
    /// This was found and must not be.
    Forbidden(Term),
}

/// Why a rule holds for a paper, or what is in its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The conditions that are met, in the rule's order.
    pub found: Vec<Hit>,
    /// The fewest obstacles without which the rule would hold; none where it does.
    pub obstacles: Vec<Obstacle>,
}

impl Explanation {
    /// Whether the rule holds.
    pub fn holds(&self) -> bool {
        self.obstacles.is_empty()
    }

    /// How far the rule is from holding; the nearest rule has the least: fewest obstacles, then most that is met.
    pub fn distance(&self) -> impl Ord + use<> {
        (self.obstacles.len(), std::cmp::Reverse(self.found.len()))
    }

    /// What a person reads.
    pub fn lines(&self, lang: Lang) -> Vec<Line> {
        words::explanation(lang, self)
    }
}

/// Why the rule holds for the paper, or what is in its way. It asks for one condition after the other.
pub fn explain(rule: &Rule, facts: &Facts<'_>) -> Explanation {
    explain_in(rule.expr(), &Sought::new(facts))
}

fn explain_in(expr: &Expr, sought: &Sought<'_>) -> Explanation {
    let expr = expr.pushed_down(false);
    let mut found = Vec::new();
    let mut obstacles = obstacles(&expr, sought, &mut found);
    obstacles.sort();
    obstacles.dedup();
    Explanation { found, obstacles }
}

/// Of many rules the one that is nearest to holding, the first of several.
pub fn nearest<'a>(rules: impl IntoIterator<Item = (u64, &'a Rule)>, facts: &Facts<'_>) -> Option<(u64, Explanation)> {
    let sought = Sought::new(facts);
    let explained = rules
        .into_iter()
        .map(|(key, rule)| (key, explain_in(rule.expr(), &sought)));
    explained.min_by_key(|(_, explanation)| explanation.distance())
}

fn obstacles(expr: &Expr, sought: &Sought<'_>, found: &mut Vec<Hit>) -> Vec<Obstacle> {
    match expr {
        Expr::Term(term) => match sought.find(term) {
            Some(Sight { in_title, points }) => {
                let term = term.to_string();
                if !found.iter().any(|hit| hit.term == term) {
                    found.push(Hit { term, points, in_title });
                }
                Vec::new()
            }
            None => vec![Obstacle::Missing(term.clone())],
        },
        Expr::Not(inner) => {
            let forbidden = inner.terms().into_iter().filter(|term| sought.find(term).is_some());
            forbidden.map(|term| Obstacle::Forbidden(term.clone())).collect()
        }
        Expr::And(members) => members
            .iter()
            .flat_map(|member| obstacles(member, sought, found))
            .collect(),
        Expr::Or(members) => {
            let each: Vec<_> = members.iter().map(|member| obstacles(member, sought, found)).collect();
            each.into_iter().min_by_key(Vec::len).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::Message;
    use crate::paper::{Field, PaperId};
    use crate::source::SourceKind;
    use crate::topic::TopicId;

    fn rule(text: &str) -> Rule {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn strings(items: &[&str]) -> Option<Field<Vec<String>>> {
        let items: Vec<String> = items.iter().map(|&item| item.to_owned()).collect();
        (!items.is_empty()).then(|| Field::new(items, SourceKind::ArxivMail))
    }

    fn paper(title: &str, abstract_text: &str) -> Paper {
        let field = |text: &str| Some(Field::new(text.to_owned(), SourceKind::ArxivMail));
        let mut paper = Paper::new(PaperId::Arxiv("2510.00001".to_owned()));
        paper.title = field(title);
        paper.abstract_text = field(abstract_text);
        paper
    }

    fn example() -> Paper {
        let mut paper = paper(
            "Caching Keys: KV-cache 压缩",
            "We survey quantised models.\nLLM decoding is slow. 推理加速",
        );
        paper.authors = strings(&[
            "Yann LeCun",
            "Laurens van der Maaten",
            "Kaiming He",
            "Michał Kowal Jr.",
            "Jean-Luc O'Brien",
        ]);
        paper.institutions = strings(&["School of EECS, PKU", "Potsdam Institute"]);
        paper.categories = strings(&["cs.CL", "stat.ML", "quant-ph"]);
        paper
    }

    fn score(topic: &str, verdict: Verdict) -> Score {
        Score {
            topic: TopicId(topic.to_owned()),
            points: 12,
            hits: Vec::new(),
            verdict,
            learned: None,
        }
    }

    /// Whether the rule holds for the example, as both ways to find out agree.
    fn matches(text: &str) -> bool {
        let paper = example();
        let scores = [
            score("inference", Verdict::Kept),
            score("training", Verdict::BelowThreshold),
        ];
        let facts = Facts {
            paper: &paper,
            scores: &scores,
            day: None,
        };
        let rule = rule(text);
        let found = RuleSet::new([(0, &rule)]).find(&facts);
        assert_eq!(!found.is_empty(), explain(&rule, &facts).holds(), "{text}");
        !found.is_empty()
    }

    #[test]
    fn conditions_mean_what_people_mean() {
        for text in [
            "kv cache",
            "KVCache",
            "caches",
            "\"kv cache\"",
            "title:压缩",
            "quantized",
            "\"quantised models\"",
            "survey OR nothing",
            "cache -nothing",
            "author:lecun",
            "author:\"Yann LeCun\"",
            "author:\"Y. LeCun\"",
            "author:\"lecun, yann\"",
            "author:\"van der maaten\"",
            "author:maaten",
            "author:\"L. van der Maaten\"",
            "author:\"michal kowal\"",
            "author:obrien",
            "author:\"Jean Luc O’Brien\"",
            "cat:cs.CL",
            "cat:cs.*",
            "cat:stat.ML",
            "cat:quant-ph",
            "org:北京大学",
            "org:\"Peking University\"",
            "org:北大",
            "org:potsdam",
            "org:\"potsdam institutes\"",
            "topic:inference",
            "/kv.?cache/",
            "/slow.+推理/",
            "/models.{0,3}llm/",
            "cache -(survey nothing)",
        ] {
            assert!(matches(text), "{text}");
        }
        for text in [
            "nothing",
            "\"kv caches\"",
            "\"quantized models\"",
            "title:survey",
            "kv -survey",
            "author:yann",
            "author:\"Z. LeCun\"",
            "author:\"yann he\"",
            "cat:cs.LG",
            "cat:math.*",
            "org:tsinghua",
            "org:pots",
            "topic:training",
            "topic:other",
            "/kv.{5}cache/",
            "cache -(survey llm)",
            "\"keys kv\"",
        ] {
            assert!(!matches(text), "{text}");
        }
    }

    #[test]
    fn all_rules_are_found_at_once_with_what_brought_the_paper() {
        let texts = [
            "llm kv -nothing",
            "topic:inference OR cache",
            "nothing",
            "title:\"kv cache\" author:lecun",
            "llm -survey",
        ];
        let rules: Vec<Rule> = texts.into_iter().map(rule).collect();
        let paper = example();
        let scores = [score("inference", Verdict::Kept)];
        let mut set = RuleSet::new((10..).zip(&rules));
        let facts = Facts {
            paper: &paper,
            scores: &scores,
            day: None,
        };
        let hit = |term: &str, points, in_title| Hit {
            term: term.to_owned(),
            points,
            in_title,
        };
        let first = Matched {
            key: 10,
            hits: vec![hit("kv", 3, true), hit("llm", 1, false)],
        };
        let second = Matched {
            key: 11,
            hits: vec![hit("cache", 3, true), hit("topic:inference", 12, false)],
        };
        let fourth = Matched {
            key: 13,
            hits: vec![hit("title:\"kv cache\"", 3, true), hit("author:lecun", 1, false)],
        };
        assert_eq!(set.find(&facts), [first.clone(), second, fourth.clone()]);

        assert!(set.remove(11) && !set.remove(11));
        set.insert(10, &rule("nothing"));
        assert_eq!((set.find(&facts), set.len()), (vec![fourth], 4));
        set.insert(20, &rules[0]);
        assert_eq!(set.find(&facts).last(), Some(&Matched { key: 20, ..first }));
    }

    #[test]
    fn an_explanation_names_the_fewest_things_in_the_way() {
        let paper = example();
        let facts = Facts::of(&paper);
        let why = |text: &str, lang| {
            let lines = explain(&rule(text), &facts).lines(lang);
            lines
                .into_iter()
                .map(|line| Message::line(line).to_plain())
                .collect::<String>()
        };
        assert_eq!(why("kv llm", Lang::En), "Found: kv (title), llm\n");
        assert_eq!(
            why("kv (pruning diffusion OR title:llm) -survey", Lang::En),
            "Found: kv (title)\nLacking: llm in the title\nRuled out by: survey\n"
        );
        assert_eq!(
            why("kv cat:cs.LG org:清华 author:hinton", Lang::Zh),
            "找到：kv（标题）\n缺少：作者 hinton、分类 cs.LG、机构 清华\n"
        );
        assert_eq!(
            why("kv -(survey llm)", Lang::En),
            "Found: kv (title)\nRuled out by: llm\n"
        );
    }

    #[test]
    fn the_nearest_rule_lacks_least_and_meets_most() {
        let paper = example();
        let rules = ["diffusion video", "pruning", "kv pruning", "kv cache pruning diffusion"].map(rule);
        let found =
            nearest((0..).zip(&rules), &Facts::of(&paper)).map(|(key, explanation)| (key, explanation.obstacles.len()));
        assert_eq!(found, Some((2, 1)));
    }

    #[test]
    fn a_rule_costs_only_where_its_rarest_condition_is_found() {
        let expr = |text: &str| rule(text).expr().pushed_down(false);
        let needed = |text: &str| {
            let expr = expr(text);
            let terms = needed(&expr).unwrap().1;
            terms.into_iter().map(Term::to_string).collect::<Vec<_>>()
        };
        assert_eq!(needed("model cat:cs.CL topic:inference distillation"), ["distillation"]);
        assert_eq!(needed("model (mamba OR hyena) -kv"), ["hyena", "mamba"]);
        assert_eq!(needed("-(-lecun OR model)"), ["lecun"]);
    }

    fn words() -> impl Strategy<Value = String> {
        prop::collection::vec(
            prop::sample::select(vec![
                "kv", "cache", "caching", "caches", "llm", "量化", "推理", "batch", "model",
            ]),
            1..4,
        )
        .prop_map(|words| words.join(" "))
    }

    fn any_rule() -> impl Strategy<Value = String> {
        let term = prop_oneof![
            5 => words().prop_map(|words| words.split(' ').next().unwrap().to_owned()),
            3 => words().prop_map(|words| format!("\"{words}\"")),
            1 => words().prop_map(|words| format!("title:\"{words}\"")),
            1 => prop::sample::select(vec!["author:lecun", "author:\"y lecun\"", "author:\"van der maaten\""]).prop_map(str::to_owned),
            1 => prop::sample::select(vec!["cat:cs.CL", "cat:cs.*", "cat:hep-th"]).prop_map(str::to_owned),
            1 => prop::sample::select(vec!["org:pku", "org:北京大学", "org:potsdam", "org:mit"]).prop_map(str::to_owned),
            1 => prop::sample::select(vec!["topic:a", "topic:b"]).prop_map(str::to_owned),
            1 => prop::sample::select(vec!["/kv.?cach/", "/(llm|model) ?(kv|ba)/", "/量化.?推/"]).prop_map(str::to_owned),
        ];
        term.prop_recursive(3, 10, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..4).prop_map(|members| format!("({})", members.join(" "))),
                prop::collection::vec(inner.clone(), 1..4).prop_map(|members| format!("({})", members.join(" OR "))),
                inner.prop_map(|inner| format!("-{inner}")),
            ]
        })
    }

    fn any_paper() -> impl Strategy<Value = Paper> {
        let some = |items: Vec<&'static str>| {
            let most = items.len();
            prop::sample::subsequence(items, 0..=most)
        };
        let text = || {
            prop::collection::vec((words(), prop::sample::select(vec![" ", "-", ". ", "\n"])), 0..4).prop_map(|pairs| {
                pairs
                    .into_iter()
                    .flat_map(|(words, gap)| [words, gap.to_owned()])
                    .collect::<String>()
            })
        };
        (
            text(),
            text(),
            some(vec!["Yann LeCun", "L. van der Maaten"]),
            some(vec!["cs.CL", "cs.LG", "hep-th"]),
            some(vec!["PKU, Beijing", "Potsdam", "MIT"]),
        )
            .prop_map(|(title, body, authors, categories, institutions)| {
                let mut paper = paper(&title, &body);
                paper.authors = strings(&authors);
                paper.categories = strings(&categories);
                paper.institutions = strings(&institutions);
                paper
            })
    }

    proptest! {
        #[test]
        fn one_pass_finds_the_rules_that_each_alone_holds(
            texts in prop::collection::vec(any_rule(), 0..12), removed in any::<u16>(), paper in any_paper(), kept: bool,
        ) {
            let rules: Vec<(u64, Rule)> = (0..).zip(texts.iter().filter_map(|text| text.parse().ok())).collect();
            let scores = [score("a", if kept { Verdict::Kept } else { Verdict::OtherCategory }), score("b", Verdict::Kept)];
            let facts = Facts { paper: &paper, scores: &scores, day: None };
            let mut set = RuleSet::new(rules.iter().map(|(key, rule)| (*key, rule)));
            let gone = |key: u64| removed >> key & 1 == 1;
            rules.iter().filter(|(key, _)| gone(*key)).for_each(|(key, _)| { set.remove(*key); });
            let found = set.find(&facts);
            let sought = Sought::new(&facts);
            let mut expected = Vec::new();
            for (key, rule) in rules.iter().filter(|(key, _)| !gone(*key)) {
                // The structure as it was written, one condition after the other.
                let holds = rule.expr().holds(&mut |term| sought.find(term).is_some());
                let explanation = explain(rule, &facts);
                prop_assert_eq!(explanation.holds(), holds, "{}", rule);
                if holds {
                    expected.push(Matched { key: *key, hits: explanation.found });
                }
            }
            prop_assert_eq!(found, expected);
        }
    }
}
