//! What the bot says, as structure: headings, entries, quotes, links, with no platform's markup in it. A platform turns
//! a message into parts that keep its limits; an entry is never split over two of them.

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use crate::mention::Mention;

/// A stretch of text of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Span {
    /// As it is.
    Plain(String),
    /// Emphasised.
    Bold(String),
    /// Secondary: a source, a mark, a hint.
    Dim(String),
    /// Typed by people or machines: a command, an id.
    Code(String),
    /// A link with its label.
    Link {
        /// What people read.
        label: String,
        /// An http(s) address.
        url: String,
    },
}

impl Span {
    /// The text that people read.
    pub fn text(&self) -> &str {
        match self {
            Self::Plain(text) | Self::Bold(text) | Self::Dim(text) | Self::Code(text) => text,
            Self::Link { label, .. } => label,
        }
    }

    fn with_text(&self, text: String) -> Self {
        match self {
            Self::Plain(_) => Self::Plain(text),
            Self::Bold(_) => Self::Bold(text),
            Self::Dim(_) => Self::Dim(text),
            Self::Code(_) => Self::Code(text),
            Self::Link { url, .. } => Self::Link {
                label: text,
                url: url.clone(),
            },
        }
    }
}

/// A line of spans.
pub type Line = Vec<Span>;

/// A line of plain text.
pub fn plain(text: impl Into<String>) -> Line {
    vec![Span::Plain(text.into())]
}

/// One paper, or one item of a list: the unit that is never split.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number in the digest.
    pub number: Option<u32>,
    /// Its title, one line.
    pub title: String,
    /// Where the title leads.
    pub link: Option<String>,
    /// Lines below the title.
    pub lines: Vec<Line>,
    /// Long text that a platform may show folded, such as the abstract.
    pub quote: Option<String>,
}

/// A piece of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Block {
    /// A headline.
    Heading(String),
    /// A line of its own.
    Paragraph(Line),
    /// A paper or an item.
    Entry(Entry),
}

/// What the bot says in one go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Repeated at the head of each further part, so that a part alone says what it belongs to.
    pub running_title: String,
    /// The pieces in order.
    pub blocks: Vec<Block>,
}

impl Message {
    /// A message of one line.
    pub fn line(line: Line) -> Self {
        Self {
            running_title: String::new(),
            blocks: vec![Block::Paragraph(line)],
        }
    }

    /// A message of one sentence.
    pub fn sentence(text: impl Into<String>) -> Self {
        Self::line(plain(text))
    }

    /// All that people read, one line each, without any markup: for logs, tests and the command line.
    pub fn to_plain(&self) -> String {
        let mut out = String::new();
        let mut push = |line: &str| {
            out.push_str(line);
            out.push('\n');
        };
        for block in &self.blocks {
            match block {
                Block::Heading(text) => push(text),
                Block::Paragraph(line) => push(&line_with_addresses(line)),
                Block::Entry(entry) => {
                    push(&entry.headline());
                    entry.lines.iter().for_each(|line| push(&line_with_addresses(line)));
                    entry.link.iter().for_each(|link| push(link));
                    entry.quote.iter().for_each(|quote| push(quote));
                }
            }
        }
        out
    }
}

/// What is added to an entry that is posted already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amendment {
    /// To which entry.
    pub number: u32,
    /// Put before its title, if anything is.
    pub mark: Option<char>,
    /// Put below its title.
    pub line: Option<String>,
}

impl Message {
    /// Adds to the entries what these say.
    pub fn amend(&mut self, amendments: &[Amendment]) {
        for block in &mut self.blocks {
            if let Block::Entry(entry) = block
                && let Some(amendment) = amendments.iter().find(|a| Some(a.number) == entry.number)
            {
                if let Some(mark) = amendment.mark {
                    entry.title = format!("{mark} {}", entry.title);
                }
                let line = amendment.line.iter().map(|line| vec![Span::Dim(line.clone())]);
                entry.lines.splice(0..0, line);
            }
        }
    }
}

impl Entry {
    /// `4. Title`, or the title alone.
    pub fn headline(&self) -> String {
        self.number
            .map_or_else(|| self.title.clone(), |n| format!("{n}. {}", self.title))
    }
}

/// The text of a line, with the address behind each link: where nothing can be clicked.
fn line_with_addresses(line: &[Span]) -> String {
    line.iter()
        .map(|span| match span {
            Span::Link { label, url } if label != url => format!("{label} <{url}>"),
            Span::Plain(_) | Span::Bold(_) | Span::Dim(_) | Span::Code(_) | Span::Link { .. } => span.text().to_owned(),
        })
        .collect()
}

/// What blocks cost against a platform's limits. Costs add up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Length in the platform's own unit.
    pub units: usize,
    /// Things of which a message may have only so many (entities on Telegram, embeds on Discord).
    pub pieces: usize,
}

impl Cost {
    fn plus(self, other: Self) -> Self {
        Self {
            units: self.units + other.units,
            pieces: self.pieces + other.pieces,
        }
    }

    /// Whether this much still fits.
    pub fn fits(self, limit: Self) -> bool {
        self.units <= limit.units && self.pieces <= limit.pieces
    }
}

/// A platform's way to count.
pub trait Ruler {
    /// What the blocks of one part may cost, with room already taken off for what else stands in it: part `index`, from
    /// 1, of `total` at most.
    fn limit(&self, message: &Message, index: usize, total: usize) -> Cost;
    /// What a block costs, separators included.
    fn cost(&self, block: &Block) -> Cost;
    /// Whether one part can hold these blocks. The default adds up their costs; a platform on which blocks can share
    /// what is scarce says so here.
    fn fits(&self, blocks: &[Block], limit: Cost) -> bool {
        let costs = blocks.iter().map(|block| self.cost(block));
        costs.fold(Cost::default(), Cost::plus).fits(limit)
    }
    /// Makes a block smaller in ways that only this platform needs (a title of at most 256 characters), before it is
    /// measured. The default leaves it alone.
    fn trim(&self, block: Block) -> Block {
        block
    }
}

/// A part of a message: some blocks and its place among all parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// From 1.
    pub index: usize,
    /// How many parts there are.
    pub total: usize,
    /// Its blocks.
    pub blocks: Vec<Block>,
}

impl Cut {
    /// `2/3`; `None` when there is only one part.
    pub fn label(&self) -> Option<String> {
        (self.total > 1).then(|| format!("{}/{}", self.index, self.total))
    }
}

/// Cuts a message into as few parts as its order allows. A block goes whole into one part; one that is too large for
/// any part is abridged, its quote first, and ends in “…”.
pub fn cut(message: &Message, ruler: &dyn Ruler) -> Vec<Cut> {
    let blocks: Vec<Block> = message.blocks.iter().map(|block| ruler.trim(block.clone())).collect();
    // A label is as long as the number of parts has digits, so the fewest digits that are enough are looked for.
    let mut most = 1;
    let parts = loop {
        let limit = |index| ruler.limit(message, index, most);
        let parts = fill(&blocks, ruler, &limit);
        if parts.len() <= most {
            break parts;
        }
        most = if most == 1 { 9 } else { most * 10 + 9 };
    };
    let total = parts.len();
    parts
        .into_iter()
        .enumerate()
        .map(|(i, blocks)| Cut {
            index: i + 1,
            total,
            blocks,
        })
        .collect()
}

/// Fills one part after the other: nothing that keeps the order needs fewer.
fn fill(blocks: &[Block], ruler: &dyn Ruler, limit: &dyn Fn(usize) -> Cost) -> Vec<Vec<Block>> {
    let mut parts: Vec<Vec<Block>> = Vec::new();
    let mut current: Vec<Block> = Vec::new();
    for block in blocks {
        current.push(block.clone());
        if ruler.fits(&current, limit(parts.len() + 1)) {
            continue;
        }
        let last = current.pop();
        if !current.is_empty() {
            let mut next = Vec::new();
            // A heading must not stand alone at the end of a part: it belongs to what follows it.
            if current.len() > 1
                && let Some(heading) = current.pop_if(|last| matches!(last, Block::Heading(_)))
            {
                next.push(heading);
            }
            parts.push(std::mem::replace(&mut current, next));
        }
        current.extend(last);
        let room = limit(parts.len() + 1);
        if let [heading, _] = current.as_slice()
            && !ruler.fits(&current, room)
            && let Some(last) = parts.last_mut()
        {
            last.push(heading.clone());
            current.remove(0);
        }
        current = current.into_iter().map(|block| abridge(block, ruler, room)).collect();
    }
    if !current.is_empty() || parts.is_empty() {
        parts.push(current);
    }
    parts
}

/// Shortens a block until it fits alone: the quote, then the lines from the last, then the title.
fn abridge(mut block: Block, ruler: &dyn Ruler, limit: Cost) -> Block {
    // Each round takes off at least the excess in units, or drops a piece; the loop is bounded by the block's own size.
    loop {
        let cost = ruler.cost(&block);
        if cost.fits(limit) {
            return block;
        }
        let excess = cost.units.saturating_sub(limit.units);
        let shortened = match &mut block {
            Block::Heading(text) => cut_text(text, excess),
            Block::Paragraph(line) => cut_line(line, excess),
            Block::Entry(entry) => {
                if let Some(quote) = &mut entry.quote {
                    if !cut_text(quote, excess) {
                        entry.quote = None;
                    }
                    true
                } else if let Some(line) = entry.lines.last_mut() {
                    if !cut_line(line, excess) {
                        entry.lines.pop();
                    }
                    true
                } else {
                    cut_text(&mut entry.title, excess)
                }
            }
        };
        if !shortened {
            return block;
        }
    }
}

/// Takes at least `excess` units (one at least) off the end at a grapheme boundary and puts “…” there. `false` when
/// nothing worth showing would be left.
fn cut_text(text: &mut String, excess: usize) -> bool {
    let had_mark = text.ends_with('…');
    let body = if had_mark {
        &text[..text.len() - '…'.len_utf8()]
    } else {
        text.as_str()
    };
    // “…” itself costs one unit when it is new; a grapheme of n UTF-16 units counts n at least on every platform.
    let wanted = excess.max(1) + usize::from(!had_mark);
    let mut taken = 0;
    let mut end = body.len();
    for (at, grapheme) in body.grapheme_indices(true).rev() {
        if taken >= wanted {
            break;
        }
        taken += grapheme.chars().count();
        end = at;
    }
    let kept = body[..end].trim_end();
    if kept.is_empty() {
        return false;
    }
    *text = format!("{kept}…");
    true
}

fn cut_line(line: &mut Line, excess: usize) -> bool {
    let Some(last) = line.last_mut() else { return false };
    let mut text = last.text().to_owned();
    if cut_text(&mut text, excess) {
        *last = last.with_text(text);
    } else {
        line.pop();
    }
    !line.is_empty()
}

/// The text cut to at most `max` characters at a grapheme boundary, with “…” where something is missing.
pub fn ellipsis(text: &str, max: usize) -> String {
    let length = text.chars().count();
    if length <= max {
        return text.to_owned();
    }
    let mut shortened = text.to_owned();
    if cut_text(&mut shortened, length - max) {
        shortened
    } else {
        "…".to_owned()
    }
}

/// One rendered part: the body of a request, ready but for the address and the key, as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The platform's request body as JSON.
    pub payload: String,
}

/// Turns messages into a platform's parts. Pure; implemented beside each platform's adapter.
pub trait Render {
    /// The parts of `message` on `platform`, at least one.
    fn render(&self, platform: crate::channel::Platform, message: &Message) -> Vec<Part>;

    /// The same in a form that the platform has for long texts, if it has one.
    fn render_rich(&self, platform: crate::channel::Platform, message: &Message) -> Vec<Part> {
        self.render(platform, message)
    }

    /// A part of its own that calls these people, each behind what it says to them; it has nothing else that could call
    /// anybody. `None` where nobody can be called.
    fn call(&self, _platform: crate::channel::Platform, _calls: &[(String, Mention)]) -> Option<Part> {
        None
    }

    /// Which entries are in a part that was rendered before, in order. None where it cannot be told.
    fn numbers(&self, _platform: crate::channel::Platform, _part: &Part) -> Vec<u32> {
        Vec::new()
    }

    /// A part that was rendered before, with all of these added to it; each names one of its [`Render::numbers`]. `None`
    /// when the platform's limits leave no room for that.
    fn amend(&self, _platform: crate::channel::Platform, _part: &Part, _amendments: &[Amendment]) -> Option<Part> {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Chars {
        units: usize,
        pieces: usize,
    }

    impl Ruler for Chars {
        fn limit(&self, _: &Message, index: usize, _: usize) -> Cost {
            Cost {
                // A further part has a line of its own at its head.
                units: self.units - if index > 1 { 5 } else { 0 },
                pieces: self.pieces,
            }
        }

        fn cost(&self, block: &Block) -> Cost {
            let message = Message {
                running_title: String::new(),
                blocks: vec![block.clone()],
            };
            Cost {
                units: message.to_plain().chars().count(),
                pieces: 1,
            }
        }
    }

    fn entry(number: u32, title: &str, quote: &str) -> Block {
        Block::Entry(Entry {
            number: Some(number),
            title: title.into(),
            quote: Some(quote.into()),
            ..Entry::default()
        })
    }

    #[test]
    fn an_entry_that_does_not_fit_into_the_rest_of_a_part_begins_the_next_one_whole() {
        let message = Message {
            running_title: "T".into(),
            blocks: vec![entry(1, "a", "bbbb"), entry(2, "c", "dddd")],
        };
        let parts = cut(&message, &Chars { units: 15, pieces: 10 });
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0].blocks, message.blocks[..1]);
        assert_eq!(parts[1].blocks, message.blocks[1..]);
        assert_eq!(parts[1].label().as_deref(), Some("2/2"));
    }

    #[test]
    fn a_single_part_says_no_label() {
        let parts = cut(&Message::sentence("hello"), &Chars { units: 15, pieces: 10 });
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].label(), None);
    }

    #[test]
    fn an_entry_too_large_for_any_part_loses_the_end_of_its_quote_and_keeps_its_title() {
        let message = Message {
            running_title: String::new(),
            blocks: vec![entry(1, "title", &"x".repeat(100))],
        };
        let parts = cut(&message, &Chars { units: 40, pieces: 10 });
        let Block::Entry(entry) = &parts[0].blocks[0] else {
            panic!("an entry")
        };
        assert_eq!(entry.title, "title");
        assert!(
            entry.quote.as_deref().is_some_and(|q| q.ends_with('…') && q.len() > 20),
            "{entry:?}"
        );
    }

    #[test]
    fn a_heading_moves_to_the_part_of_what_it_heads() {
        let blocks = vec![entry(1, "aaaa", "b"), Block::Heading("H".into()), entry(2, "cccc", "d")];
        let parts = cut(
            &Message {
                running_title: String::new(),
                blocks,
            },
            &Chars { units: 17, pieces: 10 },
        );
        assert_eq!(parts[0].blocks.len(), 1);
        assert!(matches!(parts[1].blocks[0], Block::Heading(_)));
    }

    #[test]
    fn a_cut_never_splits_a_grapheme() {
        assert_eq!(ellipsis("ab👍🏽cd", 4), "ab…");
    }

    proptest! {
        #[test]
        fn every_part_keeps_the_limit_and_every_entry_appears_once_in_order(
            entries in prop::collection::vec(("\\PC{1,30}", "\\PC{0,200}"), 1..40),
            units in 40_usize..300,
            pieces in 1_usize..8,
        ) {
            let blocks: Vec<Block> =
                (1..).zip(&entries).map(|(n, (title, quote))| entry(n, title, quote)).collect();
            let ruler = Chars { units, pieces };
            let parts = cut(&Message { running_title: String::new(), blocks }, &ruler);
            let mut numbers = Vec::new();
            for part in &parts {
                let cost = part.blocks.iter().map(|b| ruler.cost(b)).fold(Cost::default(), Cost::plus);
                prop_assert!(cost.fits(ruler.limit(&Message::default(), part.index, part.total)), "{cost:?} in {part:?}");
                for block in &part.blocks {
                    if let Block::Entry(entry) = block {
                        numbers.extend(entry.number);
                    }
                }
            }
            prop_assert_eq!(numbers, (1..=u32::try_from(entries.len()).unwrap_or(0)).collect::<Vec<_>>());
        }
    }
}
