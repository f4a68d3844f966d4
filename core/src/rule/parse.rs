//! From what a person typed to a rule, or to a sentence that says where it cannot be understood. Nothing is guessed in
//! silence: what could be meant in two ways is refused with both of them spelt out.
//!
//! The grammar; a space means AND, which binds tighter than OR:
//!
//! ```text
//! rule   = all { ("OR" | "|" | "或") all }
//! all    = unary { ["AND" | "&"] unary }
//! unary  = { "-" | "NOT" | "非" } ( "(" rule ")" | [ field ":" ] value | "/" regex "/" )
//! value  = word | "phrase" | “phrase” | 「phrase」 | "(" rule ")"
//! field  = title | author | cat | org | topic | from | to
//! ```
//!
//! Before anything else the text is brought to NFKC, so that full-width signs and letters are the usual ones.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{Datelike as _, Days, Months, NaiveDate};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use unicode_width::UnicodeWidthChar as _;

use super::{Expr, Scope, Term, regexes, words};
use crate::locale::Lang;
use crate::message::{Line, Span, plain};
use crate::text::{fold, hash64, one_line};
use crate::topic::TopicId;

/// The most characters of a rule, typed or canonical.
pub const CHARS_MAX: usize = 500;
/// The most conditions of a rule.
pub const TERMS_MAX: usize = 50;
/// How deep groups may nest.
pub const DEPTH_MAX: usize = 20;
/// How much of a rule an error repeats, in characters.
const SHOWN_MAX: usize = 80;
/// The most accents on one letter.
const MARKS_MAX: usize = 3;

/// A rule that a channel or a person follows. Equal wishes are equal rules: case, width, spacing, order and repeats do not
/// count. People see it, and it is written down, in the order in which it was typed; either text reads as the same rule
/// again. A copy costs next to nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Rule {
    /// Where it differs from the canonical text.
    typed: Option<Arc<str>>,
    canonical: Arc<Canonical>,
}

/// What equal rules have in common.
#[derive(Debug)]
struct Canonical {
    text: String,
    key: u64,
    expr: Expr,
}

/// What somebody searches for: a rule that may also say when (`from:2025-09-01 to:2025-09-30`), and that may find
/// everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    text: String,
    expr: Expr,
}

/// A field's name before a colon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Title,
    Author,
    Category,
    Organisation,
    Topic,
    From,
    To,
}

/// The names of fields; the first of each is the one that is suggested.
const FIELDS: &[(&str, Field)] = &[
    ("title", Field::Title),
    ("ti", Field::Title),
    ("标题", Field::Title),
    ("题目", Field::Title),
    ("author", Field::Author),
    ("au", Field::Author),
    ("作者", Field::Author),
    ("cat", Field::Category),
    ("category", Field::Category),
    ("分类", Field::Category),
    ("类别", Field::Category),
    ("org", Field::Organisation),
    ("institution", Field::Organisation),
    ("机构", Field::Organisation),
    ("单位", Field::Organisation),
    ("topic", Field::Topic),
    ("主题", Field::Topic),
    ("from", Field::From),
    ("since", Field::From),
    ("自", Field::From),
    ("to", Field::To),
    ("until", Field::To),
    ("至", Field::To),
];

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Nothing was typed.
    Empty,
    /// More than [`CHARS_MAX`] characters.
    TooLong,
    /// More than [`TERMS_MAX`] conditions.
    TooManyTerms,
    /// Groups in more than [`DEPTH_MAX`] groups.
    TooDeep,
    /// A character that nobody sees: a control or direction character, or one without width.
    Hidden(char),
    /// A letter with more accents than any language writes.
    Marks,
    /// `@`: nobody can be called through a rule.
    Mention,
    /// No field has this name.
    UnknownField {
        /// As typed, at most 40 characters.
        name: String,
        /// What was probably meant.
        nearest: Option<&'static str>,
    },
    /// A field (its name) without a value after its colon.
    NoValue(&'static str),
    /// A quotation, group or regex that begins with this and does not end.
    Unclosed(char),
    /// `)` without `(`.
    Unopened,
    /// Something in which no letter or digit can be looked for.
    NoWord,
    /// An operator with nothing on one of its sides.
    Dangling(&'static str),
    /// `and`, `or`, `not` in small letters: an operator or a word?
    LowerCase(String),
    /// A comma between conditions: both of them, or either?
    Comma,
    /// `*` in this word.
    Wildcard(String),
    /// No such category of arXiv.
    Category {
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// No such topic.
    Topic {
        /// What was probably meant.
        nearest: Option<TopicId>,
    },
    /// Not a day.
    Day,
    /// The search ends before it begins.
    EmptySpan,
    /// A day in a rule, which looks at new papers only.
    DateInRule,
    /// A day inside a group, beside an `OR` or behind a negation.
    DateInGroup,
    /// No regular expression; with the reason as the regex library gives it, in English.
    Regex(String),
    /// A regular expression whose program is too large.
    RegexSize,
    /// A regular expression that is found in everything.
    RegexEverything,
    /// A regular expression without three fixed letters in a row, by which papers could be told apart fast.
    RegexLoose,
    /// Papers in which nothing is found match: only negations.
    Everything,
}

/// Why a text is no rule, with the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {shown}", words::problem(Lang::En, .problem))]
pub struct RuleError {
    /// What is wrong.
    pub problem: Problem,
    /// The rule on one line, at most about 80 characters around the place. What cannot be seen stands as `�`, and `@` is
    /// widened so that repeating it calls nobody.
    pub shown: String,
    /// The place: bytes of `shown`.
    pub span: Range<usize>,
}

impl RuleError {
    fn new(problem: Problem, text: &str, span: Range<usize>) -> Self {
        let chars: Vec<(usize, char)> = text.char_indices().collect();
        let place = |byte: usize| chars.partition_point(|&(at, _)| at < byte);
        let (start, end) = (place(span.start), place(span.end));
        // The window begins a little before the place.
        let first = if chars.len() <= SHOWN_MAX {
            0
        } else {
            start.saturating_sub(SHOWN_MAX / 3)
        };
        let last = chars.len().min(first + SHOWN_MAX);
        let mut shown = String::new();
        if first > 0 {
            shown.push('…');
        }
        let mut marked = None;
        let mut marks = 0;
        for (at, &(_, c)) in chars.iter().enumerate().take(last).skip(first) {
            if at == start {
                marked = Some(shown.len()..shown.len());
            }
            marks = if is_combining_mark(c) { marks + 1 } else { 0 };
            match c {
                '@' => shown.push('＠'),
                c if is_hidden(c) => shown.push(char::REPLACEMENT_CHARACTER),
                _ if marks > MARKS_MAX => {}
                c => shown.push(c),
            }
            if let Some(marked) = marked.as_mut().filter(|_| at < end) {
                marked.end = shown.len();
            }
        }
        let span = marked.unwrap_or(shown.len()..shown.len());
        if last < chars.len() {
            shown.push('…');
        }
        Self { problem, shown, span }
    }

    /// The line that stands below [`Self::shown`] in a font of equal widths: `^` below the place. Chinese characters take
    /// two columns (UAX #11), and are stood for by ideographic spaces, which keep in step with them in any font.
    pub fn caret(&self) -> String {
        let width = |c: char| c.width().unwrap_or(0);
        let before = self.shown.get(..self.span.start).unwrap_or_default();
        let marked = self.shown.get(self.span.clone()).unwrap_or_default();
        let mut line: String = before
            .chars()
            .filter_map(|c| match width(c) {
                0 => None,
                1 => Some(' '),
                _ => Some('\u{3000}'),
            })
            .collect();
        line.push_str(&"^".repeat(marked.chars().map(width).sum::<usize>().max(1)));
        line
    }

    /// What a person reads: what is wrong, the rule, the place below it, what to type instead.
    pub fn lines(&self, lang: Lang) -> Vec<Line> {
        let mut lines = vec![plain(words::problem(lang, &self.problem))];
        if !self.shown.is_empty() {
            lines.push(vec![Span::Code(self.shown.clone())]);
            lines.push(vec![Span::Code(self.caret())]);
        }
        lines.extend(words::advice(lang, &self.problem).map(plain));
        lines
    }
}

type Fail = (Problem, Range<usize>);

impl Rule {
    /// Reads what was typed.
    ///
    /// # Errors
    /// [`RuleError`] says where it cannot be understood, and what to type instead.
    pub fn parse(typed: &str) -> Result<Self, RuleError> {
        let expr = parse(typed, Dialect::Rule)?;
        // Groups may be spelt out longer than what was typed, and longer than what can be read again.
        let tidied = canonical(&expr).ok();
        let expr = expr.sorted();
        let text = canonical(&expr)?;
        Ok(Self {
            typed: tidied.filter(|tidied| *tidied != text).map(Arc::from),
            canonical: Arc::new(Canonical {
                key: hash64(&["rule", &text]),
                text,
                expr,
            }),
        })
    }

    /// As it was typed, tidied up but in its own order.
    pub fn typed(&self) -> &str {
        self.typed.as_deref().unwrap_or(&self.canonical.text)
    }

    /// The canonical text: that of equal rules is the same.
    pub fn as_str(&self) -> &str {
        &self.canonical.text
    }

    /// A hash of the canonical text. Written to disk: it may never change.
    pub fn key(&self) -> u64 {
        self.canonical.key
    }

    /// The same rule as if its canonical text had been typed.
    #[must_use]
    pub fn anonymous(&self) -> Self {
        Self {
            typed: None,
            canonical: Arc::clone(&self.canonical),
        }
    }

    /// What it looks for.
    pub fn expr(&self) -> &Expr {
        &self.canonical.expr
    }

    /// Whether every topic that it names is one of these.
    ///
    /// # Errors
    /// [`Problem::Topic`] at the first that is not, with the nearest one.
    pub fn check_topics(&self, topics: &[TopicId]) -> Result<(), RuleError> {
        check_topics(self.as_str(), self.expr(), topics)
    }
}

impl Query {
    /// Reads what was typed into a search.
    ///
    /// # Errors
    /// [`RuleError`] says where it cannot be understood, and what to type instead.
    pub fn parse(typed: &str) -> Result<Self, RuleError> {
        let expr = parse(typed, Dialect::Query)?;
        let text = canonical(&expr)?;
        let query = Self { text, expr };
        match (query.from(), query.to()) {
            (Some(from), Some(to)) if to < from => {
                let shown = format!("from:{from} to:{to}");
                let at = shown.find("to:").unwrap_or_default();
                let end = shown.len();
                Err(RuleError::new(Problem::EmptySpan, &shown, at..end))
            }
            _ => Ok(query),
        }
    }

    /// As it was typed, tidied up; it reads as the same search again.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it looks for; days stand at the top, alone or among the members of the outermost `And`.
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// The first day that is meant.
    pub fn from(&self) -> Option<NaiveDate> {
        let terms = self.expr.terms().into_iter();
        terms
            .filter_map(|term| if let Term::From(day) = term { Some(*day) } else { None })
            .max()
    }

    /// The last day that is meant.
    pub fn to(&self) -> Option<NaiveDate> {
        let terms = self.expr.terms().into_iter();
        terms
            .filter_map(|term| if let Term::To(day) = term { Some(*day) } else { None })
            .min()
    }

    /// Whether every topic that it names is one of these.
    ///
    /// # Errors
    /// [`Problem::Topic`] at the first that is not, with the nearest one.
    pub fn check_topics(&self, topics: &[TopicId]) -> Result<(), RuleError> {
        check_topics(&self.text, &self.expr, topics)
    }
}

/// The canonical text, which may be longer than what was typed (`title:(a b)` becomes `title:a title:b`).
fn canonical(expr: &Expr) -> Result<String, RuleError> {
    let text = expr.to_string();
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => Err(RuleError::new(Problem::TooLong, &text, end..end)),
        None => Ok(text),
    }
}

fn check_topics(text: &str, expr: &Expr, topics: &[TopicId]) -> Result<(), RuleError> {
    for term in expr.terms() {
        if let Term::Topic(topic) = term
            && !topics.contains(topic)
        {
            let nearest = topics
                .iter()
                .map(|known| (strsim::damerau_levenshtein(&known.0, &topic.0), known))
                .filter(|(distance, known)| *distance <= known.0.len() / 2)
                .min()
                .map(|(_, known)| known.clone());
            let typed = term.to_string();
            let at = text.find(&typed).unwrap_or_default();
            return Err(RuleError::new(Problem::Topic { nearest }, text, at..at + typed.len()));
        }
    }
    Ok(())
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::parse(s)
    }
}

impl TryFrom<String> for Rule {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Rule> for String {
    fn from(rule: Rule) -> Self {
        rule.typed().to_owned()
    }
}

impl fmt::Display for Rule {
    /// As it was typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.typed())
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

// The canonical text decides alone: it says all that the structure does.
impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Rule {}

impl PartialOrd for Rule {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Rule {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Rule {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Rule,
    Query,
}

fn parse(typed: &str, dialect: Dialect) -> Result<Expr, RuleError> {
    let text = cleaned(typed)?;
    let parsed = tokens(&text, dialect).and_then(|tokens| {
        let mut parser = Parser {
            tokens: &tokens,
            at: 0,
            terms: 0,
            end: text.len(),
            dialect,
        };
        let expr = parser.whole()?.tidy();
        if dialect == Dialect::Rule && expr.holds(&mut |_| false) {
            return Err((Problem::Everything, 0..text.len()));
        }
        Ok(expr)
    });
    parsed.map_err(|(problem, span)| RuleError::new(problem, &text, span))
}

/// The text in NFKC on one line, of bounded length, without anything that cannot be seen.
fn cleaned(typed: &str) -> Result<String, RuleError> {
    let bounded = |text: &str| match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => {
            let head = text.get(..end).unwrap_or_default();
            let head: String = head.chars().map(spaced).collect();
            Err(RuleError::new(Problem::TooLong, &head, head.len()..head.len()))
        }
        None => Ok(()),
    };
    let typed = typed.trim();
    // Of ten megabytes only the beginning is looked at.
    bounded(typed)?;
    let text: String = typed.nfkc().map(spaced).collect();
    bounded(&text)?;
    let mut marks = 0;
    for (at, c) in text.char_indices() {
        marks = if is_combining_mark(c) { marks + 1 } else { 0 };
        let problem = match c {
            '@' => Problem::Mention,
            c if is_hidden(c) => Problem::Hidden(c),
            _ if marks > MARKS_MAX => Problem::Marks,
            _ => continue,
        };
        return Err(RuleError::new(problem, &text, at..at + c.len_utf8()));
    }
    if text.is_empty() {
        return Err(RuleError::new(Problem::Empty, "", 0..0));
    }
    Ok(text)
}

fn spaced(c: char) -> char {
    if c.is_whitespace() { ' ' } else { c }
}

/// Whether nobody sees that `c` stands there, or where.
fn is_hidden(c: char) -> bool {
    let directs = matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let blank = matches!(c, '\u{AD}' | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FFF9}'..='\u{FFFC}');
    // Private characters and tags have no agreed shape; an accent has no width either, and is seen.
    let shapeless = matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{E0000}'..='\u{10FFFF}');
    directs || blank || shapeless || c.is_control() || (c.width() == Some(0) && !is_combining_mark(c))
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Open,
    Close,
    Or,
    And,
    Not,
    Field(Field),
    Word(String),
    Phrase(String),
    Regex(String),
}

/// The closing signs of what `open` opens; none where it opens nothing.
fn closing(open: char) -> &'static [char] {
    match open {
        '"' | '“' | '”' | '„' => &['"', '“', '”'],
        '「' => &['」'],
        '『' => &['』'],
        '《' => &['》'],
        '«' => &['»'],
        _ => &[],
    }
}

fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2013}' | '\u{2212}')
}

fn is_comma(c: char) -> bool {
    matches!(c, ',' | ';' | '、')
}

/// Whether `c` ends a word without quotes.
fn ends_word(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | '|' | '&') || !closing(c).is_empty()
}

/// A word without what stands around it: it begins with a letter or digit and ends with one, `+` or `#`.
fn trimmed(word: &str) -> &str {
    word.trim_start_matches(|c: char| !c.is_alphanumeric())
        .trim_end_matches(|c: char| !(c.is_alphanumeric() || is_combining_mark(c) || matches!(c, '+' | '#')))
}

/// The letters before the first colon and what follows it, if there is one and nothing else stands before it.
fn field_name(word: &str) -> Option<(&str, &str)> {
    let (name, rest) = word.split_once(':')?;
    (!name.is_empty() && name.chars().all(char::is_alphabetic)).then_some((name, rest))
}

/// Where a comma stands that does not belong to a number.
fn comma(word: &str) -> Option<Range<usize>> {
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    word.char_indices().find_map(|(at, c)| {
        let place = at..at + c.len_utf8();
        let before = word.get(..place.start).unwrap_or_default();
        let after = word.get(place.end..).unwrap_or_default();
        let number = digit(before.chars().next_back()) && digit(after.chars().next());
        (is_comma(c) && !number).then_some(place)
    })
}

fn is_operator(word: &str) -> bool {
    matches!(word, "and" | "or" | "not" | "或" | "非")
}

/// Whether a folded value reads as itself without quotes.
pub(super) fn is_bare(text: &str) -> bool {
    !text.is_empty()
        && !is_operator(text)
        && trimmed(text) == text
        && !text.contains(|c| ends_word(c) || c == '*')
        && comma(text).is_none()
        && field_name(text).is_none()
}

fn tokens(text: &str, dialect: Dialect) -> Result<Vec<(Token, Range<usize>)>, Fail> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..)
        && let Some(c) = rest.chars().next()
    {
        let here = at..at + c.len_utf8();
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        let next = after.chars().next();
        let (token, length) = match c {
            '(' => (Some(Token::Open), 1),
            ')' => (Some(Token::Close), 1),
            '|' | '&' => {
                let token = if c == '|' { Token::Or } else { Token::And };
                (Some(token), if next == Some(c) { 2 } else { 1 })
            }
            '/' => {
                let (pattern, length) = slashes(after).ok_or((Problem::Unclosed('/'), here))?;
                (Some(Token::Regex(pattern)), 1 + length)
            }
            _ if !closing(c).is_empty() => {
                let end = after.find(closing(c)).ok_or((Problem::Unclosed(c), here.clone()))?;
                let (phrase, closer) = after.split_at_checked(end).unwrap_or_default();
                let closer = closer.chars().next().map_or(0, char::len_utf8);
                (Some(Token::Phrase(phrase.to_owned())), c.len_utf8() + end + closer)
            }
            _ if is_dash(c) => match next {
                Some(next) if !next.is_whitespace() && next != ')' => (Some(Token::Not), c.len_utf8()),
                Some(_) | None if dialect == Dialect::Query => (None, c.len_utf8()),
                Some(_) | None => return Err((Problem::Dangling("-"), here)),
            },
            _ if c.is_alphanumeric() => word(rest, at, dialect)?,
            _ if c.is_whitespace() => (None, c.len_utf8()),
            _ if is_comma(c) && dialect == Dialect::Rule => return Err((Problem::Comma, here)),
            '*' if dialect == Dialect::Rule => return Err((Problem::NoWord, here)),
            // A sign before a word is passed over (`#rag`, `.net`), one that stands alone is not.
            _ if dialect == Dialect::Query || next.is_some_and(char::is_alphanumeric) => (None, c.len_utf8()),
            _ => return Err((Problem::NoWord, here)),
        };
        tokens.extend(token.map(|token| (token, at..at + length)));
        at += length.max(1);
    }
    Ok(tokens)
}

/// The token at the head of `rest`, which begins with a letter or digit, and its length.
fn word(rest: &str, at: usize, dialect: Dialect) -> Result<(Option<Token>, usize), Fail> {
    let end = rest.find(ends_word).unwrap_or(rest.len());
    let word = rest.get(..end).unwrap_or_default();
    let operator = match word {
        "AND" => Some(Token::And),
        "OR" | "或" => Some(Token::Or),
        "NOT" | "非" => Some(Token::Not),
        _ => None,
    };
    if operator.is_some() {
        return Ok((operator, end));
    }
    if let Some((name, value)) = field_name(word) {
        let folded = fold(name);
        if let Some((_, field)) = FIELDS.iter().find(|(known, _)| *known == folded) {
            return Ok((Some(Token::Field(*field)), name.len() + 1));
        }
        // The title of a paper, pasted into a search: “FlashAttention: Fast and …”.
        if dialect == Dialect::Rule || !value.is_empty() {
            let nearest = FIELDS
                .iter()
                .filter(|(known, field)| known.is_ascii() && (dialect == Dialect::Query || !field.is_day()))
                .map(|(known, _)| (strsim::damerau_levenshtein(known, &folded), *known))
                .filter(|(distance, known)| *distance <= known.len() / 2)
                .min()
                .map(|(_, known)| known);
            let place = at..at + name.len() + 1;
            let name = name.chars().take(SHOWN_MAX / 2).collect();
            return Err((Problem::UnknownField { name, nearest }, place));
        }
    }
    match comma(word) {
        Some(comma) if dialect == Dialect::Rule => Err((Problem::Comma, at + comma.start..at + comma.end)),
        Some(comma) => Ok((
            word.get(..comma.start).map(|word| Token::Word(word.to_owned())),
            comma.end,
        )),
        None => Ok((Some(Token::Word(word.to_owned())), end)),
    }
}

/// A pattern up to the slash that closes it, and the length with that slash. `\/` is a slash in the pattern.
fn slashes(rest: &str) -> Option<(String, usize)> {
    let mut pattern = String::new();
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '/' => return Some((pattern, at + 1)),
            '\\' => match chars.next()?.1 {
                '/' => pattern.push('/'),
                other => pattern.extend(['\\', other]),
            },
            c => pattern.push(c),
        }
    }
    None
}

impl Field {
    fn is_day(self) -> bool {
        matches!(self, Self::From | Self::To)
    }

    fn name(self) -> &'static str {
        FIELDS
            .iter()
            .find(|(_, field)| *field == self)
            .map_or("", |(name, _)| name)
    }
}

fn has_day(expr: &Expr) -> bool {
    expr.terms()
        .into_iter()
        .any(|term| matches!(term, Term::From(_) | Term::To(_)))
}

struct Parser<'a> {
    tokens: &'a [(Token, Range<usize>)],
    at: usize,
    terms: usize,
    /// Where the text ends.
    end: usize,
    dialect: Dialect,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    /// The place of the next token, or the end of the text.
    fn span(&self) -> Range<usize> {
        self.tokens
            .get(self.at)
            .map_or(self.end..self.end, |(_, span)| span.clone())
    }

    fn whole(&mut self) -> Result<Expr, Fail> {
        let expr = self.either(None, 0)?;
        match self.peek() {
            None => Ok(expr),
            Some(_) => Err((Problem::Unopened, self.span())),
        }
    }

    fn either(&mut self, field: Option<Field>, depth: usize) -> Result<Expr, Fail> {
        let begins = self.span().start;
        let mut members = vec![self.all(field, depth, None)?];
        while self.peek() == Some(&Token::Or) {
            let operator = self.span();
            self.at += 1;
            members.push(self.all(field, depth, Some(operator))?);
        }
        if members.len() > 1 && members.iter().any(has_day) {
            return Err((Problem::DateInGroup, begins..self.span().start));
        }
        Ok(Expr::Or(members))
    }

    /// `or` is the place of the operator that asks for something to stand here.
    fn all(&mut self, field: Option<Field>, depth: usize, or: Option<Range<usize>>) -> Result<Expr, Fail> {
        let mut members = Vec::new();
        let mut wanting = or.map(|span| (Problem::Dangling("OR"), span));
        loop {
            match self.peek() {
                None | Some(Token::Close | Token::Or) => break,
                Some(Token::And) => {
                    let and = (Problem::Dangling("AND"), self.span());
                    if members.is_empty() || wanting.is_some() {
                        return Err(and);
                    }
                    wanting = Some(and);
                    self.at += 1;
                }
                Some(
                    Token::Open | Token::Not | Token::Field(_) | Token::Word(_) | Token::Phrase(_) | Token::Regex(_),
                ) => {
                    members.push(self.unary(field, depth)?);
                    wanting = None;
                }
            }
        }
        match (wanting, self.peek()) {
            (Some(dangling), _) => Err(dangling),
            (None, _) if !members.is_empty() => Ok(Expr::And(members)),
            (None, Some(Token::Or)) => Err((Problem::Dangling("OR"), self.span())),
            (None, Some(Token::Close)) if depth == 0 => Err((Problem::Unopened, self.span())),
            (None, _) => Err((Problem::NoWord, self.span())),
        }
    }

    fn unary(&mut self, field: Option<Field>, depth: usize) -> Result<Expr, Fail> {
        let mut negated = false;
        while self.peek() == Some(&Token::Not) {
            let not = self.span();
            negated = !negated;
            self.at += 1;
            if matches!(self.peek(), None | Some(Token::Close | Token::Or | Token::And)) {
                return Err((Problem::Dangling("NOT"), not));
            }
        }
        let begins = self.span();
        let expr = self.value(field, depth)?;
        if (depth > 0 || negated) && has_day(&expr) {
            return Err((Problem::DateInGroup, begins));
        }
        Ok(if negated { Expr::Not(Box::new(expr)) } else { expr })
    }

    fn value(&mut self, field: Option<Field>, depth: usize) -> Result<Expr, Fail> {
        let span = self.span();
        let token = self.peek();
        self.at += 1;
        match token {
            Some(Token::Open) if depth >= DEPTH_MAX => Err((Problem::TooDeep, span)),
            Some(Token::Open) => {
                let expr = match self.either(field, depth + 1) {
                    // What is missing is the end of this group rather than its content.
                    Err((Problem::NoWord, _)) if self.peek().is_none() => Err((Problem::Unclosed('('), span.clone())),
                    other => other,
                }?;
                if self.peek() != Some(&Token::Close) {
                    return Err((Problem::Unclosed('('), span));
                }
                self.at += 1;
                Ok(expr)
            }
            Some(Token::Field(named)) => {
                let value = match self.peek() {
                    Some(Token::Word(_) | Token::Phrase(_)) => true,
                    Some(Token::Open) => !named.is_day(),
                    Some(Token::Close | Token::Or | Token::And | Token::Not | Token::Field(_) | Token::Regex(_))
                    | None => false,
                };
                if value {
                    self.value(Some(*named), depth)
                } else {
                    Err((Problem::NoValue(named.name()), span))
                }
            }
            Some(Token::Word(text)) => self.term(field, text, false, span),
            Some(Token::Phrase(text)) => self.term(field, text, true, span),
            Some(Token::Regex(pattern)) => match field {
                None => match regexes::check(pattern) {
                    Ok(()) => self.counted(Term::Regex(pattern.clone()), span),
                    Err((problem, inner)) => {
                        let place = inner.map(|at| span.start + 1 + at).filter(|at| *at < span.end);
                        Err((problem, place.map_or(span, |at| at..at + 1)))
                    }
                },
                Some(field) => Err((Problem::NoValue(field.name()), span)),
            },
            Some(Token::Close | Token::Or | Token::And | Token::Not) | None => Err((Problem::NoWord, span)),
        }
    }

    fn counted(&mut self, term: Term, span: Range<usize>) -> Result<Expr, Fail> {
        self.terms += 1;
        if self.terms > TERMS_MAX {
            Err((Problem::TooManyTerms, span))
        } else {
            Ok(Expr::Term(term))
        }
    }

    fn term(&mut self, field: Option<Field>, text: &str, quoted: bool, span: Range<usize>) -> Result<Expr, Fail> {
        let rule = self.dialect == Dialect::Rule;
        let plain = one_line(&fold(trimmed(&text.replace(['"', '“', '”', '„'], " "))));
        if plain.is_empty() {
            return Err((Problem::NoWord, span));
        }
        let term = match field {
            None | Some(Field::Title) => {
                if !quoted && rule && is_operator(&plain) {
                    return Err((Problem::LowerCase(plain), span));
                }
                if !quoted && text.contains('*') {
                    return Err((Problem::Wildcard(fold(text)), span));
                }
                Term::Words {
                    scope: if field.is_none() { Scope::Anywhere } else { Scope::Title },
                    quoted: quoted || !is_bare(&plain),
                    text: plain,
                }
            }
            Some(Field::Author) => Term::Words {
                scope: Scope::Author,
                text: plain,
                quoted: false,
            },
            Some(Field::Organisation) => Term::Organisation(plain),
            Some(Field::Category) => match category(&one_line(text)) {
                Ok(term) => term,
                Err(nearest) => return Err((Problem::Category { nearest }, span)),
            },
            Some(Field::Topic) => {
                let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
                if !plain.chars().all(known) {
                    return Err((Problem::Topic { nearest: None }, span));
                }
                Term::Topic(TopicId(plain))
            }
            Some(Field::From | Field::To) if rule => return Err((Problem::DateInRule, span)),
            Some(Field::From) => Term::From(days(text).ok_or((Problem::Day, span.clone()))?.0),
            Some(Field::To) => Term::To(days(text).ok_or((Problem::Day, span.clone()))?.1),
        };
        self.counted(term, span)
    }
}

/// The first and the last of the days that `text` names: one day, or those of a month.
fn days(text: &str) -> Option<(NaiveDate, NaiveDate)> {
    let parse = |text: &str, format| NaiveDate::parse_from_str(text, format).ok();
    let text = one_line(&fold(text));
    let day = || {
        ["%Y-%m-%d", "%Y/%m/%d", "%Y年%m月%d日", "%Y%m%d"]
            .into_iter()
            .find_map(|format| parse(&text, format))
            .map(|day| (day, day))
    };
    let month = || {
        let first = [("-1", "%Y-%m-%d"), ("/1", "%Y/%m/%d"), ("1日", "%Y年%m月%d日")]
            .into_iter()
            .find_map(|(first, format)| parse(&format!("{text}{first}"), format))?;
        Some((
            first,
            first
                .checked_add_months(Months::new(1))?
                .checked_sub_days(Days::new(1))?,
        ))
    };
    day()
        .or_else(month)
        .filter(|(first, _)| (1991..=2100).contains(&first.year()))
}

/// arXiv's archives with their classes, as the category taxonomy lists them (<https://arxiv.org/category_taxonomy>).
const ARCHIVES: &[(&str, &str)] = &[
    (
        "cs",
        "AI AR CC CE CG CL CR CV CY DB DC DL DM DS ET FL GL GR GT HC IR IT LG LO MA MM MS NA NE NI OH OS PF PL RO SC SD SE SI SY",
    ),
    ("econ", "EM GN TH"),
    ("eess", "AS IV SP SY"),
    (
        "math",
        "AC AG AP AT CA CO CT CV DG DS FA GM GN GR GT HO IT KT LO MG MP NA NT OA OC PR QA RA RT SG SP ST",
    ),
    ("astro-ph", "CO EP GA HE IM SR"),
    (
        "cond-mat",
        "dis-nn mes-hall mtrl-sci other quant-gas soft stat-mech str-el supr-con",
    ),
    ("gr-qc", ""),
    ("hep-ex", ""),
    ("hep-lat", ""),
    ("hep-ph", ""),
    ("hep-th", ""),
    ("math-ph", ""),
    ("nlin", "AO CD CG PS SI"),
    ("nucl-ex", ""),
    ("nucl-th", ""),
    (
        "physics",
        "acc-ph ao-ph app-ph atm-clus atom-ph bio-ph chem-ph class-ph comp-ph data-an ed-ph flu-dyn gen-ph geo-ph hist-ph \
         ins-det med-ph optics plasm-ph pop-ph soc-ph space-ph",
    ),
    ("q-bio", "BM CB GN MN NC OT PE QM SC TO"),
    ("q-fin", "CP EC GN MF PM PR RM ST TR"),
    ("quant-ph", ""),
    ("stat", "AP CO ME ML OT TH"),
];

/// The category that `text` names, whatever its case; else the one that was probably meant.
fn category(text: &str) -> Result<Term, Option<String>> {
    let lower = text.to_lowercase();
    let (archive, class) = lower.split_once('.').unwrap_or((&lower, "*"));
    if let Some((archive, classes)) = ARCHIVES.iter().find(|(known, _)| *known == archive) {
        let known = classes.split_whitespace().find(|known| known.to_lowercase() == class);
        if class == "*" || known.is_some() {
            return Ok(Term::Category {
                archive: (*archive).to_owned(),
                class: known.map(str::to_owned),
            });
        }
    }
    let all: Vec<(&str, String)> = ARCHIVES
        .iter()
        .flat_map(|(archive, classes)| {
            let classes = classes.split_whitespace().chain(["*"]);
            classes.map(move |class| (class, format!("{archive}.{class}")))
        })
        .collect();
    // The class alone, `CL`, or with a sign less, `csCL`.
    let key = crate::text::key(&lower);
    let partly = |(class, whole): &&(&str, String)| class.to_lowercase() == lower || crate::text::key(whole) == key;
    let near = |(_, whole): &(&str, String)| {
        let distance = strsim::damerau_levenshtein(&whole.to_lowercase(), &lower);
        (distance <= 2 && distance < whole.len() / 2).then(|| (distance, whole.clone()))
    };
    let partly = all.iter().find(partly).map(|(_, whole)| whole.clone());
    Err(partly.or_else(|| all.iter().filter_map(near).min().map(|(_, whole)| whole)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::Message;

    fn rule(text: &str) -> String {
        text.parse::<Rule>()
            .unwrap_or_else(|error| panic!("{text}: {error}"))
            .as_str()
            .to_owned()
    }

    fn query(text: &str) -> String {
        Query::parse(text)
            .unwrap_or_else(|error| panic!("{text}: {error}"))
            .to_string()
    }

    fn refused(text: &str) -> (Problem, String) {
        let error = text.parse::<Rule>().unwrap_err();
        let marked = error.shown[error.span.clone()].to_owned();
        (error.problem, marked)
    }

    /// As it stands in a chat.
    fn told(error: &RuleError, lang: Lang) -> String {
        let lines = error.lines(lang).into_iter().map(|line| Message::line(line).to_plain());
        lines.collect()
    }

    #[test]
    fn equal_wishes_are_equal_rules() {
        for (canonical, spellings) in [
            (
                "cache kv -survey",
                &[
                    "kv cache -survey",
                    "  KV   Cache  -Survey ",
                    "ＫＶ　ｃａｃｈｅ　－ｓｕｒｖｅｙ",
                    "NOT survey AND cache AND kv",
                    "非 survey kv & cache",
                    "kv kv (cache) -survey -survey",
                    "kv −survey #cache",
                ][..],
            ),
            (
                "\"kv cache\" OR 量化",
                &[
                    "“KV  cache” | 量化",
                    "「kv cache」或 量化",
                    "量化 || \"kv cache\"",
                    "(量化 OR \"kv cache\") | 量化",
                ],
            ),
            (
                "cat:cs.* cat:cs.CL",
                &["cat:cs cat:cs.cl", "CAT：CS.* 分类：Cs.Cl", "cat:(cs.* cs.CL)"],
            ),
            (
                "title:a title:b",
                &["title:(b a)", "标题：a ti: b", "title:\u{3000}a (title:b)"],
            ),
            ("author:\"yann lecun\"", &["au:“Yann LeCun”", "作者：「YANN lecun」"]),
            ("org:北京大学 OR topic:inference", &["topic:Inference | 机构:北京大学"]),
            ("c (a OR b) -(d e)", &["c -(e d) (b|a)", "-(d AND e) (a OR b OR a) c"]),
            (r"/a\/b.?cache\d/", &[r" /a\/b.?cache\d/ "]),
            ("2:4 c++ gpt-4 i/o", &["i/o GPT-4 C++ 2:4"]),
            ("a", &["--a", "NOT -a", "((a))", "a a"]),
        ] {
            assert_eq!(rule(canonical), canonical);
            for spelling in spellings {
                assert_eq!(rule(spelling), canonical, "{spelling}");
            }
        }
    }

    #[test]
    fn the_rule_is_repeated_in_the_order_in_which_it_was_typed() {
        let rule = Rule::parse("  KV cache   -Survey | kv").unwrap();
        assert_eq!(
            (rule.as_str(), rule.typed()),
            ("kv OR (cache kv -survey)", "(kv cache -survey) OR kv")
        );
        let stored = serde_json::to_string(&rule).unwrap();
        assert_eq!(stored, r#""(kv cache -survey) OR kv""#);
        let read: Rule = serde_json::from_str(&stored).unwrap();
        assert_eq!((&read, read.typed(), read.key()), (&rule, rule.typed(), rule.key()));
        let other: Rule = "kv OR (-survey cache kv)".parse().unwrap();
        assert_eq!((&other, other.key()), (&rule, rule.key()));
        assert_eq!(rule.anonymous().typed(), rule.as_str());
        // Written to disk: it may never change.
        assert_eq!("kv".parse::<Rule>().unwrap().key(), 5_794_113_308_059_908_643);
    }

    #[test]
    fn what_is_spelt_out_too_long_to_be_read_again_is_shown_in_its_canonical_form() {
        let word = "w".repeat(118);
        let group = format!("title:(a{word} b{word}) OR title:(b{word} a{word})");
        let rule = Rule::parse(&group).unwrap();
        assert_eq!(rule.typed(), rule.as_str());
        assert_eq!(rule.typed().parse(), Ok(rule));
    }

    #[test]
    fn what_cannot_be_understood_is_marked() {
        use Problem as P;
        let unknown = |name: &str, nearest| P::UnknownField {
            name: name.to_owned(),
            nearest,
        };
        let category = |nearest: &str| P::Category {
            nearest: Some(nearest.to_owned()),
        };
        for (text, problem, marked) in [
            (" \n", P::Empty, ""),
            ("kv titel:cache", unknown("titel", Some("title")), "titel:"),
            ("http://a.b", unknown("http", None), "http:"),
            ("kv title:", P::NoValue("title"), "title:"),
            ("author:/lecun/", P::NoValue("author"), "author:"),
            ("缓存 “kv cache", P::Unclosed('“'), "“"),
            ("a (b (c)", P::Unclosed('('), "("),
            ("a (", P::Unclosed('('), "("),
            ("a /kv cache", P::Unclosed('/'), "/"),
            ("a) b", P::Unopened, ")"),
            ("a ()", P::NoWord, ")"),
            ("a ***", P::NoWord, "*"),
            ("a \"?!\"", P::NoWord, "\"?!\""),
            ("OR a", P::Dangling("OR"), "OR"),
            ("a OR OR b", P::Dangling("OR"), "OR"),
            ("a AND", P::Dangling("AND"), "AND"),
            ("a - b", P::Dangling("-"), "-"),
            ("a NOT", P::Dangling("NOT"), "NOT"),
            ("pruning or 量化", P::LowerCase("or".to_owned()), "or"),
            ("剪枝，量化", P::Comma, ","),
            ("quant*", P::Wildcard("quant*".to_owned()), "quant*"),
            ("cat:cs.CX", category("cs.CC"), "cs.CX"),
            ("cat:CL", category("cs.CL"), "CL"),
            ("cat:csCL", category("cs.CL"), "csCL"),
            ("cat:biology", P::Category { nearest: None }, "biology"),
            ("a from:2025-09-01", P::DateInRule, "2025-09-01"),
            ("a /kv(cache/", P::Regex("unclosed group".to_owned()), "("),
            ("/a*/", P::RegexEverything, "/a*/"),
            ("-a -b", P::Everything, "-a -b"),
            ("a OR -b", P::Everything, "a OR -b"),
            ("a\u{202E}b", P::Hidden('\u{202E}'), "\u{FFFD}"),
            ("a\u{200B}b", P::Hidden('\u{200B}'), "\u{FFFD}"),
            ("a\u{7}b", P::Hidden('\u{7}'), "\u{FFFD}"),
            ("@everyone", P::Mention, "＠"),
        ] {
            assert_eq!(refused(text), (problem, marked.to_owned()), "{text}");
        }
        let flood = format!("a{}", "\u{301}".repeat(60));
        assert_eq!(refused(&flood).0, P::Marks);
        assert_eq!(refused(&"a ".repeat(51)).0, P::TooManyTerms);
        assert_eq!(refused(&format!("{}a{}", "(".repeat(21), ")".repeat(21))).0, P::TooDeep);
        assert_eq!(
            refused(&format!(
                "title:({})",
                (100..149).map(|n| format!("量化{n} ")).collect::<String>()
            ))
            .0,
            P::TooLong
        );
        assert_eq!(refused(&"\u{FDFA}".repeat(400)).0, P::TooLong);
    }

    #[test]
    fn an_error_shows_the_place_and_what_to_type() {
        let error = "缓存 titel:量化 -survey".parse::<Rule>().unwrap_err();
        assert_eq!(
            told(&error, Lang::Zh),
            "没有名为“titel:”的字段。\n缓存 titel:量化 -survey\n\u{3000}\u{3000} ^^^^^^\n是否想写 title: ？\n"
        );
        assert_eq!(
            told(&error, Lang::En),
            "There is no field “titel:”.\n缓存 titel:量化 -survey\n\u{3000}\u{3000} ^^^^^^\nDid you mean title: ?\n"
        );
        let long = format!("{} titel:a", "缓存 ".repeat(40));
        let error = long.parse::<Rule>().unwrap_err();
        assert_eq!(error.shown.get(error.span.clone()), Some("titel:"));
        assert!(
            error.shown.starts_with('…') && error.shown.chars().count() < 40,
            "{}",
            error.shown
        );
    }

    #[test]
    fn ten_megabytes_are_refused_with_a_short_error() {
        for unit in ["a ", "(", "\u{202E}", "\u{301}", "/", "量", "@everyone "] {
            let error = unit.repeat(10_000_000 / unit.len()).parse::<Rule>().unwrap_err();
            assert_eq!(error.problem, Problem::TooLong);
            assert!(told(&error, Lang::Zh).chars().count() < 300);
        }
    }

    #[test]
    fn a_search_may_say_when_and_may_find_everything() {
        for (typed, canonical) in [
            (
                "kv cache from:2025-09-01 to:2025/9/30",
                "cache kv from:2025-09-01 to:2025-09-30",
            ),
            ("自：2025年9月 to:2025-09", "from:2025-09-01 to:2025-09-30"),
            ("-survey", "-survey"),
            ("since:20250901 topic:inference", "from:2025-09-01 topic:inference"),
            (
                "FlashAttention: Fast and Exact - a study, again",
                "a again and exact fast flashattention study",
            ),
        ] {
            let words: std::collections::BTreeSet<String> =
                query(typed).split(' ').map(|w| w.replace('"', "")).collect();
            assert_eq!(
                words.into_iter().collect::<Vec<_>>().join(" "),
                canonical
                    .split(' ')
                    .collect::<std::collections::BTreeSet<_>>()
                    .into_iter()
                    .collect::<Vec<_>>()
                    .join(" ")
            );
            assert_eq!(query(&query(typed)), query(typed));
        }
        for (typed, problem) in [
            ("from:yesterday", Problem::Day),
            ("from:114年9月1日", Problem::Day),
            ("from:2025-02-30", Problem::Day),
            ("from:2025-09-02 to:2025-09-01", Problem::EmptySpan),
            ("a (from:2025-09-02)", Problem::DateInGroup),
            ("-from:2025-09-02", Problem::DateInGroup),
            ("a OR from:2025-09-02", Problem::DateInGroup),
            ("@here", Problem::Mention),
        ] {
            assert_eq!(
                Query::parse(typed).map_err(|error| error.problem),
                Err(problem),
                "{typed}"
            );
        }
    }

    #[test]
    fn a_topic_that_is_not_there_brings_the_nearest() {
        let topics = ["inference", "training"].map(|topic| TopicId(topic.to_owned()));
        let rule: Rule = "a topic:inferense".parse().unwrap();
        let error = rule.check_topics(&topics).unwrap_err();
        assert_eq!(error.shown.get(error.span.clone()), Some("topic:inferense"));
        assert_eq!(
            error.problem,
            Problem::Topic {
                nearest: topics.first().cloned()
            }
        );
        assert_eq!("topic:training".parse::<Rule>().unwrap().check_topics(&topics), Ok(()));
    }

    #[test]
    fn every_problem_is_told_in_both_languages() {
        for text in [
            "",
            "a*",
            "x:y",
            "a or b",
            "(",
            "a,b",
            "-a",
            "/./",
            "cat:xx",
            "@",
            "a\u{200E}",
            "title:",
            "to:2025-01-01",
        ] {
            let error = text.parse::<Rule>().unwrap_err();
            let chinese = told(&error, Lang::Zh);
            assert!(
                chinese.chars().any(|c| ('\u{4E00}'..='\u{9FFF}').contains(&c)),
                "{chinese}"
            );
            let english = words::problem(Lang::En, &error.problem);
            assert!(
                english.ends_with(['.', '?']) && english.starts_with(|c: char| c == '“' || c.is_uppercase()),
                "{english}"
            );
        }
    }

    /// Structures beyond what the grammar writes: groups of one, of none of their kind, with repeats.
    fn expr() -> impl Strategy<Value = Expr> {
        let words = (
            prop::sample::select(vec![
                "kv", "a b", "量化", "or", "c++", "x:y", "i/o", "a,b", "2:4", "1,5", "not",
            ]),
            any::<bool>(),
            0..3_u8,
        );
        let term = prop_oneof![
            words.prop_map(|(text, quoted, scope)| {
                let scope = [Scope::Anywhere, Scope::Title, Scope::Author][usize::from(scope)];
                let quoted = scope != Scope::Author && (quoted || !is_bare(text));
                Term::Words {
                    scope,
                    text: text.to_owned(),
                    quoted,
                }
            }),
            prop::sample::select(vec![
                ("cs", Some("CL")),
                ("cs", None),
                ("cond-mat", Some("str-el")),
                ("hep-th", None)
            ])
            .prop_map(|(archive, class)| Term::Category {
                archive: archive.to_owned(),
                class: class.map(str::to_owned)
            }),
            prop::sample::select(vec!["pku", "北京大学", "a b", "or"])
                .prop_map(|name| Term::Organisation(name.to_owned())),
            Just(Term::Topic(TopicId("inference".to_owned()))),
            prop::sample::select(vec!["kv.?cache", "a/bcd", r"\\/abc", r"\bllm"])
                .prop_map(|pattern| Term::Regex(pattern.to_owned())),
        ];
        term.prop_map(Expr::Term).prop_recursive(4, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..4).prop_map(Expr::And),
                prop::collection::vec(inner.clone(), 1..4).prop_map(Expr::Or),
                inner.prop_map(|inner| Expr::Not(Box::new(inner))),
            ]
        })
    }

    /// Whether the structure is what [`Expr`] promises.
    fn is_tidy(expr: &Expr) -> bool {
        match expr {
            Expr::And(members) => {
                members.len() > 1
                    && members
                        .iter()
                        .all(|member| !matches!(member, Expr::And(_)) && is_tidy(member))
            }
            Expr::Or(members) => {
                members.len() > 1
                    && members
                        .iter()
                        .all(|member| !matches!(member, Expr::Or(_)) && is_tidy(member))
            }
            Expr::Not(inner) => !matches!(**inner, Expr::Not(_)) && is_tidy(inner),
            Expr::Term(_) => true,
        }
    }

    fn shuffled(expr: &Expr) -> Expr {
        match expr {
            Expr::And(members) => Expr::And(members.iter().rev().map(shuffled).collect()),
            Expr::Or(members) => {
                let mut members: Vec<Expr> = members.iter().rev().map(shuffled).collect();
                members.extend(members.first().cloned());
                Expr::Or(members)
            }
            Expr::Not(inner) => Expr::Not(Box::new(shuffled(inner))),
            Expr::Term(_) => expr.clone(),
        }
    }

    proptest! {
        #[test]
        fn the_canonical_text_reads_as_the_same_rule(expr in expr()) {
            let sorted = expr.clone().sorted();
            prop_assert!(is_tidy(&sorted), "{:?}", sorted);
            prop_assert_eq!(&shuffled(&expr).sorted(), &sorted);
            let text = sorted.to_string();
            match text.parse::<Rule>() {
                Ok(rule) => {
                    prop_assert_eq!(rule.expr(), &sorted, "{}", text);
                    prop_assert_eq!(rule.as_str(), text);
                }
                Err(error) => prop_assert!(
                    sorted.holds(&mut |_| false) || matches!(error.problem, Problem::TooLong | Problem::TooManyTerms),
                    "{}: {}", text, error
                ),
            }
            // The order in which it was written says the same.
            prop_assert_eq!(expr.clone().tidy().to_string().parse::<Rule>().is_ok(), expr.to_string().parse::<Rule>().is_ok());
        }

        #[test]
        fn whatever_is_typed_is_a_rule_that_reads_as_itself_or_a_short_error(
            text in r#"((title|author|cat|org|topic|from|x|标题)[:：]|[-/|()"“”「」*#+,，@&. 　]|OR |AND|NOT |或|非|kv|量化|cs\.CL|K|ﬁ|２|\PC){0,30}"#,
        ) {
            match Rule::parse(&text) {
                Ok(rule) => {
                    for text in [rule.as_str(), rule.typed()] {
                        let read: Rule = text.parse().unwrap();
                        prop_assert_eq!((read.as_str(), read.typed()), (rule.as_str(), text));
                    }
                }
                Err(error) => {
                    prop_assert!(error.shown.chars().count() <= SHOWN_MAX + 2 && !error.shown.contains('@'));
                    prop_assert!(!error.shown.chars().any(is_hidden));
                    let (before, marked) = (&error.shown[..error.span.start], &error.shown[error.span.clone()]);
                    let width = |text: &str| text.chars().map(|c| c.width().unwrap_or(0)).sum::<usize>();
                    prop_assert_eq!(width(&error.caret()), width(before) + width(marked).max(1));
                }
            }
            if let Ok(query) = Query::parse(&text) {
                prop_assert_eq!(Query::parse(&query.text), Ok(query));
            }
        }
    }

    #[test]
    fn a_search_stays_in_the_order_in_which_it_was_typed() {
        for (typed, tidied) in [
            ("speculative  decoding", "speculative decoding"),
            (
                "-survey kv (b OR a) from:2025-09-01",
                "-survey kv (b OR a) from:2025-09-01",
            ),
        ] {
            let query = Query::parse(typed).unwrap();
            assert_eq!(query.as_str(), tidied);
            assert_eq!(Query::parse(query.as_str()), Ok(query));
        }
    }
}
