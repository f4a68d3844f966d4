//! From the language of rules to what the index can answer.
//!
//! | condition | in the index |
//! |---|---|
//! | word | its stem in title or abstract; several words in one (`kv-cache`, 混合专家) as a phrase |
//! | "phrase" | the same, as written |
//! | `title:` `author:` | in that field |
//! | `org:` | as a phrase in an institution, under each of its names |
//! | `cat:` `topic:` | the very name |
//! | `from:` `to:` | days of the asker's zone |
//! | `/regex/` | read through the texts that everything else leaves over, the newest first, for a bounded time |
//!
//! What a person types bounds nothing, so everything here is bounded: [`DEEPEST`], [`MOST_WORDS`], [`LONGEST_TEXT`],
//! [`MOST_REGEXES`], [`REGEX_MEMORY`].

use std::collections::HashMap;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use chrono::{NaiveDate, NaiveTime, TimeZone as _};
use paperwire_core::rule::{self, Expr, Scope};
use paperwire_core::text::fold;
use regex::{Regex, RegexBuilder};
use tantivy::index::SegmentId;
use tantivy::query::{
    BitSetDocSet, BooleanQuery, ConstScoreQuery, ConstScorer, EmptyQuery, EmptyScorer, EnableScoring, Explanation,
    Occur, PhraseQuery, Query as _, RangeQuery, Scorer, TermQuery, Weight,
};
use tantivy::schema::{Field, IndexRecordOption, Value as _};
use tantivy::{BitSet, DocId, Searcher, SegmentReader, TantivyDocument, Term};
use tokio::time::Instant;

use super::archive::{Fields, everything};
use super::words::Form;
use super::{Query, Refusal, SearchError};

/// How deep conditions may be nested.
const DEEPEST: usize = 32;
/// How many words a query may have in all.
const MOST_WORDS: usize = 200;
/// How long one word, phrase or expression may be, in characters.
const LONGEST_TEXT: usize = 500;
/// How many regular expressions a query may have.
const MOST_REGEXES: usize = 4;
/// How much one regular expression may take when it is compiled, in bytes.
const REGEX_MEMORY: usize = 1 << 20;
/// How many texts are read before the clock is looked at.
const PATIENCE: usize = 32;

/// All names of an institution, given one of them.
pub type Names = fn(&str) -> Vec<String>;

type Boxed = Box<dyn tantivy::query::Query>;

/// What can be asked of the index.
pub(super) struct Compiled {
    pub(super) scan: Scan,
    /// Whether there are words to rank by; else the newest come first.
    pub(super) ranked: bool,
    /// Whether the best can be found without a look at every paper: the query is of words alone, all of which or any of
    /// which are wanted.
    pub(super) skips: bool,
}

/// Whether texts must be read.
pub(super) enum Scan {
    No(Boxed),
    Regexes(Regexes),
}

/// A query with regular expressions.
pub(super) struct Regexes {
    regexes: Vec<Regex>,
    /// Finds all that the query can find whatever the expressions say.
    candidates: Boxed,
    query: Query,
    names: Names,
}

pub(super) fn compile(query: &Query, fields: &Fields, names: Names) -> Result<Compiled, SearchError> {
    let mut compiler = Compiler {
        fields,
        query,
        names,
        words: 0,
        regexes: Vec::new(),
        matches: None,
    };
    let part = compiler.part(&query.expr, 0, false)?;
    let (regexes, ranked, skips) = (compiler.regexes, part.ranked, part.shape != Shape::Other);
    let scan = if regexes.is_empty() {
        Scan::No(part.query)
    } else {
        Scan::Regexes(Regexes {
            regexes,
            candidates: part.query,
            query: query.clone(),
            names,
        })
    };
    Ok(Compiled { scan, ranked, skips })
}

/// A condition, and whether its score says how well a paper fits.
struct Part {
    query: Boxed,
    ranked: bool,
    shape: Shape,
}

/// What tantivy can skip papers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// One word.
    Word,
    /// Several words, all of which or any of which are wanted.
    Words,
    Other,
}

struct Compiler<'a> {
    fields: &'a Fields,
    query: &'a Query,
    names: Names,
    words: usize,
    regexes: Vec<Regex>,
    /// What each expression matches, once the texts are read.
    matches: Option<&'a [Documents]>,
}

impl Compiler<'_> {
    fn part(&mut self, expr: &Expr, depth: usize, negated: bool) -> Result<Part, Refusal> {
        if depth > DEEPEST {
            return Err(Refusal::TooDeep);
        }
        match expr {
            Expr::And(members) => {
                let mut clauses = Vec::new();
                let (mut ranked, mut shape) = (false, Shape::Words);
                for member in members {
                    if let Expr::Not(inner) = member {
                        shape = Shape::Other;
                        clauses.push((Occur::MustNot, self.part(inner, depth + 1, !negated)?.query));
                    } else {
                        let part = self.part(member, depth + 1, negated)?;
                        if members.len() == 1 {
                            return Ok(part);
                        }
                        ranked |= part.ranked;
                        if part.shape != Shape::Word {
                            shape = Shape::Other;
                        }
                        clauses.push((Occur::Must, part.query));
                    }
                }
                if clauses.iter().all(|(occur, _)| *occur == Occur::MustNot) {
                    clauses.push((Occur::Must, everything()));
                }
                let query = Box::new(BooleanQuery::new(clauses));
                Ok(Part { query, ranked, shape })
            }
            Expr::Or(members) => {
                let mut parts = Vec::new();
                for member in members {
                    parts.push(self.part(member, depth + 1, negated)?);
                }
                Ok(any(parts))
            }
            Expr::Not(inner) => {
                let excluded = self.part(inner, depth + 1, !negated)?.query;
                let clauses = vec![(Occur::Must, everything()), (Occur::MustNot, excluded)];
                Ok(filter(Box::new(BooleanQuery::new(clauses))))
            }
            Expr::Term(term) => self.term(term, negated),
        }
    }

    fn term(&mut self, term: &rule::Term, negated: bool) -> Result<Part, Refusal> {
        let fields = self.fields;
        Ok(match term {
            rule::Term::Words { scope, text, quoted } => {
                let (field, form) = match (scope, quoted) {
                    (Scope::Anywhere, false) => (fields.text, Form::Stemmed),
                    (Scope::Anywhere, true) => (fields.text_exact, Form::Exact),
                    (Scope::Title, false) => (fields.title, Form::Stemmed),
                    (Scope::Title, true) => (fields.title_exact, Form::Exact),
                    (Scope::Author, false | true) => (fields.author, Form::Name),
                };
                self.phrases(field, form, text)?
            }
            rule::Term::Category { archive, class } => {
                let name = match class {
                    Some(class) => format!("{archive}.{class}"),
                    None => archive.clone(),
                };
                self.count(1)?;
                filter(exactly(Term::from_field_text(fields.category, &fold(&name))))
            }
            rule::Term::Organisation(name) => {
                let mut parts = Vec::new();
                for name in (self.names)(name) {
                    parts.push(self.phrases(fields.organisation, Form::Name, &name)?);
                }
                filter(any(parts).query)
            }
            rule::Term::Topic(topic) => {
                self.count(1)?;
                filter(exactly(Term::from_field_text(fields.topic, &topic.0)))
            }
            rule::Term::Regex(pattern) => filter(self.regex(pattern, negated)?),
            rule::Term::From(day) => filter(self.taken(Some(*day), None)),
            rule::Term::To(day) => filter(self.taken(None, day.succ_opt())),
        })
    }

    fn count(&mut self, words: usize) -> Result<(), Refusal> {
        self.words += words;
        if self.words > MOST_WORDS {
            return Err(Refusal::TooMany(MOST_WORDS));
        }
        Ok(())
    }

    fn phrases(&mut self, field: Field, form: Form, text: &str) -> Result<Part, Refusal> {
        check_length(text)?;
        let mut parts = Vec::new();
        for phrase in form.phrases(text) {
            self.count(phrase.len())?;
            let begun = phrase.first().map_or(0, |(at, _)| *at);
            let mut terms: Vec<(usize, Term)> = phrase
                .iter()
                .map(|(at, word)| (at - begun, Term::from_field_text(field, word)))
                .collect();
            let (query, shape): (Boxed, _) = match terms.len() {
                1 => (
                    Box::new(TermQuery::new(terms.remove(0).1, IndexRecordOption::WithFreqs)),
                    Shape::Word,
                ),
                _ => (Box::new(PhraseQuery::new_with_offset(terms)), Shape::Other),
            };
            parts.push(Part {
                query,
                ranked: true,
                shape,
            });
        }
        Ok(any(parts))
    }

    fn taken(&self, from: Option<NaiveDate>, before: Option<NaiveDate>) -> Boxed {
        let begins = |day: Option<NaiveDate>| day.and_then(|day| self.begins(day));
        let bound = |at: Option<i64>, bound: fn(Term) -> Bound<Term>| {
            at.map_or(Bound::Unbounded, |at| {
                bound(Term::from_field_i64(self.fields.taken, at))
            })
        };
        let (from, before) = (begins(from), begins(before));
        if from.is_none() && before.is_none() {
            return everything();
        }
        Box::new(RangeQuery::new(
            bound(from, Bound::Included),
            bound(before, Bound::Excluded),
        ))
    }

    /// When a day begins in the asker's zone, in seconds since the epoch; where clocks go forward at midnight, an hour
    /// later.
    fn begins(&self, day: NaiveDate) -> Option<i64> {
        let midnight = day.and_time(NaiveTime::MIN);
        let later = midnight.checked_add_signed(chrono::TimeDelta::hours(1));
        let at = |local| self.query.zone.from_local_datetime(&local).earliest();
        at(midnight).or_else(|| at(later?)).map(|at| at.timestamp())
    }

    fn regex(&mut self, pattern: &str, negated: bool) -> Result<Boxed, Refusal> {
        check_length(pattern)?;
        let index = self.regexes.len();
        if index >= MOST_REGEXES {
            return Err(Refusal::TooMany(MOST_REGEXES));
        }
        let regex = RegexBuilder::new(pattern)
            .case_insensitive(true)
            .size_limit(REGEX_MEMORY)
            .dfa_size_limit(REGEX_MEMORY)
            .nest_limit(50)
            .build();
        self.regexes
            .push(regex.map_err(|error| Refusal::Regex(error.to_string()))?);
        Ok(match self.matches {
            Some(matches) => match matches.get(index) {
                Some(documents) => Box::new(documents.clone()),
                None => Box::new(EmptyQuery),
            },
            // Whatever could be found: matched where that finds more, unmatched where it excludes.
            None if negated => Box::new(EmptyQuery),
            None => everything(),
        })
    }
}

fn check_length(text: &str) -> Result<(), Refusal> {
    // Bytes first: a text of 10 MB is not counted.
    let long = text.len() > LONGEST_TEXT * 4 || text.chars().count() > LONGEST_TEXT;
    if long {
        Err(Refusal::TooLong(LONGEST_TEXT))
    } else {
        Ok(())
    }
}

fn any(mut parts: Vec<Part>) -> Part {
    if parts.len() == 1
        && let Some(part) = parts.pop()
    {
        return part;
    }
    let ranked = parts.iter().any(|part| part.ranked);
    let shape = match parts.iter().all(|part| part.shape == Shape::Word) {
        true => Shape::Words,
        false => Shape::Other,
    };
    let clauses = parts.into_iter().map(|part| (Occur::Should, part.query));
    let query = Box::new(BooleanQuery::new(clauses.collect()));
    Part { query, ranked, shape }
}

/// A condition that says nothing about how well a paper fits.
fn filter(query: Boxed) -> Part {
    Part {
        query: Box::new(ConstScoreQuery::new(query, 0.0)),
        ranked: false,
        shape: Shape::Other,
    }
}

fn exactly(term: Term) -> Boxed {
    Box::new(TermQuery::new(term, IndexRecordOption::Basic))
}

impl Regexes {
    /// Reads the texts that the expressions decide about, the newest segments first, until `deadline`. The query with what
    /// they say, and whether all were read; papers that were not are not found.
    pub(super) fn run(
        self,
        searcher: &Searcher,
        fields: &Fields,
        deadline: Instant,
    ) -> Result<(Boxed, bool), SearchError> {
        let weight = self
            .candidates
            .weight(EnableScoring::disabled_from_searcher(searcher))?;
        let mut segments: Vec<(&SegmentReader, i64)> = Vec::new();
        for segment in searcher.segment_readers() {
            let name = segment.schema().get_field_name(fields.taken);
            segments.push((segment, segment.fast_fields().i64(name)?.max_value()));
        }
        segments.sort_by_key(|(_, latest)| std::cmp::Reverse(*latest));
        let mut read: HashMap<SegmentId, BitSet> = HashMap::new();
        let mut matches = vec![HashMap::new(); self.regexes.len()];
        let mut complete = true;
        for (segment, _) in segments {
            let mut candidates: Vec<DocId> = Vec::new();
            weight.for_each_no_score(segment, &mut |found| candidates.extend(found))?;
            let alive = |document: &DocId| segment.alive_bitset().is_none_or(|alive| alive.is_alive(*document));
            candidates.retain(alive);
            let texts = segment.get_store_reader(2).map_err(tantivy::TantivyError::from)?;
            let empty = || BitSet::with_max_value(segment.max_doc());
            let mut seen = empty();
            let mut found: Vec<BitSet> = self.regexes.iter().map(|_| empty()).collect();
            for (index, &document) in candidates.iter().rev().enumerate() {
                if index.is_multiple_of(PATIENCE) && Instant::now() >= deadline {
                    complete = false;
                    break;
                }
                let stored: TantivyDocument = texts.get(document)?;
                let text = |field| {
                    stored
                        .get_first(field)
                        .and_then(|value| value.as_str())
                        .unwrap_or_default()
                };
                let (title, abstract_text) = (text(fields.shown), text(fields.read));
                for (regex, found) in self.regexes.iter().zip(&mut found) {
                    if regex.is_match(title) || regex.is_match(abstract_text) {
                        found.insert(document);
                    }
                }
                seen.insert(document);
            }
            read.insert(segment.segment_id(), seen);
            for (matches, found) in matches.iter_mut().zip(found) {
                matches.insert(segment.segment_id(), found);
            }
        }
        let matches: Vec<Documents> = matches.into_iter().map(Documents::new).collect();
        let mut compiler = Compiler {
            fields,
            query: &self.query,
            names: self.names,
            words: 0,
            regexes: Vec::new(),
            matches: Some(&matches),
        };
        let query = compiler.part(&self.query.expr, 0, false)?.query;
        let read = filter(Box::new(Documents::new(read))).query;
        let both = vec![(Occur::Must, query), (Occur::Must, read)];
        Ok((Box::new(BooleanQuery::new(both)), complete))
    }
}

/// Chosen documents, as a query.
#[derive(Clone)]
struct Documents(Arc<HashMap<SegmentId, BitSet>>);

impl Documents {
    fn new(chosen: HashMap<SegmentId, BitSet>) -> Self {
        Self(Arc::new(chosen))
    }
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Documents({} segments)", self.0.len())
    }
}

impl tantivy::query::Query for Documents {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for Documents {
    fn scorer(&self, reader: &SegmentReader, boost: f32) -> tantivy::Result<Box<dyn Scorer>> {
        Ok(match self.0.get(&reader.segment_id()) {
            Some(chosen) => Box::new(ConstScorer::new(BitSetDocSet::from(chosen.clone()), boost)),
            None => Box::new(EmptyScorer),
        })
    }

    fn explain(&self, _: &SegmentReader, _: DocId) -> tantivy::Result<Explanation> {
        Ok(Explanation::new("a chosen document", 1.0))
    }
}
