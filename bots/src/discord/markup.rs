//! From a message to the bodies of Discord's Create Message, within every limit and with nothing in a paper's text able
//! to ping, format or unfurl.
//!
//! How the pieces lie: what comes before the first entry is the message's content; each entry is one embed; headings and
//! paragraphs after an entry become an embed of their own without a link, in their place, so that the order stays
//! readable. Where a message has room for more than ten of these, neighbours share an embed: the first has its title, the
//! others begin with a bold link. What ends a message stands small below the last embed. A second part begins with the
//! running title and `2/3`.

use paperwire_core::mention::Mention;
use paperwire_core::message::{self, Block, Cost, Cut, Entry, Line, Message, Part, Ruler, Span};
use serenity::builder::{CreateAllowedMentions, CreateEmbed, CreateEmbedFooter, CreateMessage};
use serenity::model::channel::MessageFlags;

/// Characters of a message's content (Create Message, `content`).
const CONTENT: usize = 2_000;
/// Embeds in a message (Create Message, `embeds`).
const EMBEDS: usize = 10;
/// Characters of titles, descriptions and footers of all embeds of a message together (Message, “Embed Limits”).
pub(super) const EMBED_TEXT: usize = 6_000;
/// Characters of an embed's title (“Embed Limits”).
pub(super) const TITLE: usize = 256;
/// Characters of an embed's description (“Embed Limits”).
pub(super) const DESCRIPTION: usize = 4_096;
/// Characters of an embed's footer (“Embed Limits”).
const FOOTER: usize = 2_048;
/// Characters of an embed's address. They count only where the address stands in a description.
const ADDRESS: usize = 2_048;
/// What the running title may take of the content.
const RUNNING: usize = 200;
/// Room for what marks the running line: `**`, ` · 999/999`, `**` and a line break.
const MARKS: usize = 16;
/// Where Discord wants text and there is none.
const NOTHING: &str = "—";
/// Characters of a thread's name (Start Thread in Forum or Media Channel, `name`).
const NAME: usize = 100;
/// What a post is called whose first part says nothing.
const UNNAMED: &str = "Paperwire";

/// The parts of a message: bodies of Create Message without a nonce.
///
/// Lengths are counted in UTF-16 units. Discord's documents say “characters”; this is the stricter reading.
pub fn render(message: &Message) -> Vec<Part> {
    let first_entry = message.blocks.iter().position(|block| matches!(block, Block::Entry(_)));
    let (lead, rest) = message.blocks.split_at(first_entry.unwrap_or(message.blocks.len()));
    let running = running_title(message);
    let content = Content {
        limit: CONTENT - MARKS - units(&running),
    };
    let mut drafts: Vec<Draft> = Vec::new();
    if !lead.is_empty() || rest.is_empty() {
        drafts.extend(blocks_of(lead, &content).map(|content| Draft {
            content,
            embeds: Vec::new(),
        }));
    }
    if !rest.is_empty() {
        let mut groups = blocks_of(rest, &Embeds);
        if let Some(last) = drafts.last_mut() {
            last.embeds = groups.next().unwrap_or_default();
        }
        drafts.extend(groups.map(|embeds| Draft {
            content: Vec::new(),
            embeds,
        }));
        close_with_content(&mut drafts, &content);
    }
    let total = drafts.len();
    let label = |index| {
        let blocks = Vec::new();
        Cut { index, total, blocks }.label()
    };
    (1..)
        .zip(&drafts)
        .map(|(index, draft)| draft.part(index, &running, label(index)))
        .collect()
}

/// A part that calls roles, and only those (Allowed Mentions Object, `roles`); `None` when there is none.
pub fn call(calls: &[(String, Mention)]) -> Option<Part> {
    let role = |(said, who): &(String, Mention)| match who {
        Mention::Role(id) => Some((format!("{said}{who}"), id.to_string())),
        Mention::Name(_) => None,
    };
    let (lines, roles): (Vec<String>, Vec<String>) = calls.iter().filter_map(role).unzip();
    let body = serde_json::json!({
        "content": lines.join("\n"),
        "allowed_mentions": { "parse": [], "roles": roles },
    });
    (!lines.is_empty()).then(|| Part {
        payload: body.to_string(),
    })
}

/// What a forum post is called that begins with this part: its first line as people read it, without the part's number; 1
/// to 100 characters (Start Thread in Forum or Media Channel, `name`).
pub(super) fn name(part: &Part) -> String {
    let body: serde_json::Value = serde_json::from_str(&part.payload).unwrap_or_default();
    let said = [&body["content"], &body["embeds"][0]["title"]].map(|text| text.as_str().unwrap_or_default());
    let mut lines = said.into_iter().flat_map(str::lines).map(|line| {
        let line = line.trim_start_matches('#').trim();
        unescaped(line.strip_prefix("**").unwrap_or(line))
    });
    let line = lines
        .find(|line| !line.is_empty())
        .unwrap_or_else(|| UNNAMED.to_owned());
    let is_label = |text: &str| {
        let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.split_once('/')
            .is_some_and(|(index, total)| number(index) && number(total))
    };
    let title = match line.rsplit_once(" · ") {
        Some((title, label)) if is_label(label) => title,
        Some(_) | None => &line,
    };
    shortened(title, NAME, units)
}

/// The part as content alone: what its embeds say stands below one another. Each paper is cut to a like share of what
/// a content may hold, so that a reader sees of every paper that it is there.
pub fn plain(part: &Part) -> Part {
    let body: serde_json::Value = serde_json::from_str(&part.payload).unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let content = shortened(&text(&body["content"]), CONTENT, units);
    let embeds = body["embeds"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut said: Vec<String> = Vec::new();
    for embed in embeds {
        let (title, description) = (text(&embed["title"]), text(&embed["description"]));
        let mut cards = description.split(APART).map(unlinked);
        let first = [title, cards.next().unwrap_or_default()];
        let first: Vec<String> = first.into_iter().filter(|line| !line.is_empty()).collect();
        said.push(first.join("\n"));
        said.extend(cards);
        // A footer shows no markup, a content does.
        said.push(escaped(&text(&embed["footer"]["text"])));
    }
    said.retain(|text| !text.trim().is_empty());
    let room = CONTENT.saturating_sub(units(&content)) / said.len().max(1);
    let mut lines = vec![content];
    // The line break in front counts too.
    lines.extend(said.iter().map(|text| shortened(text, room.saturating_sub(1), units)));
    lines.retain(|line| !line.trim().is_empty());
    let content = if lines.is_empty() {
        NOTHING.to_owned()
    } else {
        // A content that leaves no room still gets an “…” for each embed.
        shortened(&lines.join("\n"), CONTENT, units)
    };
    let body = CreateMessage::new()
        .allowed_mentions(CreateAllowedMentions::new())
        .flags(MessageFlags::SUPPRESS_EMBEDS)
        .content(content);
    Part {
        payload: serde_json::json!(body).to_string(),
    }
}

/// A card without its address, which would be cut somewhere in the middle.
fn unlinked(card: &str) -> String {
    let linked = card.strip_prefix("[**").and_then(|card| card.split_once("**]("));
    match linked.and_then(|(title, rest)| Some((title, rest.split_once(')')?.1))) {
        Some((title, below)) => format!("{title}{below}"),
        None => card.to_owned(),
    }
}

/// One closing line is no reason for a further message: the content above the embeds, which their limit does not count,
/// has room for it.
fn close_with_content(drafts: &mut Vec<Draft>, ruler: &Content) {
    let [.., before, last] = drafts.as_mut_slice() else {
        return;
    };
    let ([], [line @ Block::Paragraph(_)]) = (last.content.as_slice(), last.embeds.as_slice()) else {
        return;
    };
    let mut content = before.content.clone();
    content.push(line.clone());
    let room = Cost {
        units: ruler.limit,
        pieces: usize::MAX,
    };
    if ruler.fits(&content, room) {
        before.content = content;
        drafts.pop();
    }
}

fn blocks_of(blocks: &[Block], ruler: &dyn Ruler) -> impl Iterator<Item = Vec<Block>> + use<> {
    let message = Message {
        running_title: String::new(),
        blocks: blocks.to_vec(),
    };
    message::cut(&message, ruler).into_iter().map(|cut| cut.blocks)
}

/// The blocks of one part.
struct Draft {
    content: Vec<Block>,
    embeds: Vec<Block>,
}

impl Draft {
    fn part(&self, index: usize, running: &str, label: Option<String>) -> Part {
        let content = self.content(index, running, label);
        let embeds = layout(&self.embeds)
            .into_iter()
            .filter_map(Card::embed)
            .collect::<Vec<_>>();
        let mut body = CreateMessage::new().allowed_mentions(CreateAllowedMentions::new());
        if embeds.is_empty() {
            // The flag takes away our own embeds too; beside those, links stand in <> instead.
            body = body.flags(MessageFlags::SUPPRESS_EMBEDS);
        }
        if !content.trim().is_empty() {
            body = body.content(content);
        } else if embeds.is_empty() {
            body = body.content(if running.is_empty() { NOTHING } else { running });
        }
        Part {
            payload: serde_json::json!(body.embeds(embeds)).to_string(),
        }
    }

    fn content(&self, index: usize, running: &str, label: Option<String>) -> String {
        let mut lines = Vec::new();
        let mut blocks = self.content.as_slice();
        match (label, blocks) {
            (None, _) => {}
            (Some(label), [Block::Heading(heading), below @ ..]) if index == 1 => {
                lines.push(format!("{} · {label}", content_line_of_heading(heading)));
                blocks = below;
            }
            (Some(label), _) if running.is_empty() => lines.push(format!("**{label}**")),
            (Some(label), _) => lines.push(format!("**{running} · {label}**")),
        }
        lines.extend(blocks.iter().map(content_line));
        lines.join("\n")
    }
}

/// What one embed says.
#[derive(Clone, Default)]
struct Card {
    title: String,
    link: Option<String>,
    description: String,
    footer: String,
}

impl Card {
    fn units(&self) -> usize {
        units(&self.title) + units(&self.description) + units(&self.footer)
    }

    /// Below the one above, in its embed.
    fn join(&mut self, below: Self) {
        let headline = match &below.link {
            _ if below.title.trim().is_empty() => String::new(),
            // Discord shows a link whose label looks like an address as raw markup.
            Some(url) if below.title.contains(r"\:/") => format!("**{}** <{url}>", below.title.trim()),
            Some(url) => {
                let label = below.title.trim().replace(r"\[", "(").replace(r"\]", ")");
                // Nothing in an embed is unfurled, so this address needs no angle brackets, and each character counts.
                format!("[**{label}**]({url})")
            }
            None => format!("**{}**", below.title.trim()),
        };
        let below = [headline, below.description]
            .into_iter()
            .filter(|text| !text.is_empty());
        let below = below.collect::<Vec<_>>().join("\n");
        if !self.description.is_empty() {
            self.description.push_str(APART);
        }
        self.description.push_str(&below);
    }

    /// `None` when there is nothing to read: Discord refuses an empty embed.
    fn embed(self) -> Option<CreateEmbed> {
        let mut embed = CreateEmbed::new();
        let (title, description) = (self.title.trim(), self.description.trim_end());
        if title.is_empty() && description.is_empty() {
            return None;
        }
        if !title.is_empty() {
            embed = embed.title(title);
        }
        if !description.is_empty() {
            embed = embed.description(description);
        }
        if let Some(link) = self.link {
            embed = embed.url(link);
        }
        if !self.footer.is_empty() {
            embed = embed.footer(CreateEmbedFooter::new(self.footer));
        }
        Some(embed)
    }
}

/// The embeds of one message: one for each card, as long as there are enough. Else the same number of cards in each looks
/// best, and one card more in the first ones is shortest: the address of an embed's title does not count.
fn layout(blocks: &[Block]) -> Vec<Card> {
    let (blocks, footer) = match blocks {
        [above @ .., Block::Paragraph(line)] if matches!(above.last(), Some(Block::Entry(_))) => {
            match footer_of(line) {
                Some(footer) => (above, footer),
                None => (blocks, String::new()),
            }
        }
        _ => (blocks, String::new()),
    };
    let cards = cards(blocks);
    let each = cards.len().div_ceil(EMBEDS).max(1);
    let with_footer = |mut cards: Vec<Card>| {
        if let Some(last) = cards.last_mut() {
            last.footer.clone_from(&footer);
        }
        cards
    };
    let even = with_footer(shared(&cards, cards.len().div_ceil(each)));
    if each == 1 || fit(&even) {
        return even;
    }
    with_footer(shared(&cards, EMBEDS))
}

/// Whether Discord takes these together.
fn fit(cards: &[Card]) -> bool {
    cards.len() <= EMBEDS
        && cards.iter().all(|card| units(&card.description) <= DESCRIPTION)
        && cards.iter().map(Card::units).sum::<usize>() <= EMBED_TEXT
}

/// The cards in so many embeds, in order, the first ones taking what is over.
fn shared(cards: &[Card], embeds: usize) -> Vec<Card> {
    let (each, over) = (cards.len() / embeds.max(1), cards.len() % embeds.max(1));
    let mut rest = cards.iter().cloned();
    let mut all = Vec::new();
    for embed in 0..embeds {
        let Some(mut first) = rest.next() else { break };
        let below = each + usize::from(embed < over);
        rest.by_ref()
            .take(below.saturating_sub(1))
            .for_each(|card| first.join(card));
        all.push(first);
    }
    all
}

/// Secondary text can stand in a footer, which shows no markup.
fn footer_of(line: &Line) -> Option<String> {
    let dim = line.iter().all(|span| matches!(span, Span::Dim(_)));
    let text: String = line.iter().map(Span::text).collect();
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.replace('@', "@\u{200b}").trim().to_owned();
    (dim && !text.is_empty() && units(&text) <= FOOTER).then_some(text)
}

/// What the blocks say, one card for each that could be an embed of its own.
fn cards(blocks: &[Block]) -> Vec<Card> {
    let mut all: Vec<Card> = Vec::new();
    // Text after an entry: a heading begins such a card, paragraphs gather in it as long as they fit.
    let mut aside = false;
    for block in blocks {
        match block {
            Block::Heading(text) => all.push(Card {
                title: escaped(text),
                ..Card::default()
            }),
            Block::Paragraph(line) => {
                let text = line_markdown(line);
                match all.last_mut().filter(|_| aside) {
                    Some(above) if units(&above.description) + 1 + units(&text) <= DESCRIPTION => {
                        if !above.description.is_empty() {
                            above.description.push('\n');
                        }
                        above.description.push_str(&text);
                    }
                    Some(_) | None => all.push(Card {
                        description: text,
                        ..Card::default()
                    }),
                }
            }
            Block::Entry(entry) => all.push(Card {
                title: entry_title(entry),
                link: entry.link.as_deref().and_then(web_address),
                description: entry_description(entry),
                footer: String::new(),
            }),
        }
        aside = !matches!(block, Block::Entry(_));
    }
    all.retain(|card| !(card.title.trim().is_empty() && card.description.trim().is_empty()));
    all
}

/// Blocks before the first entry, counted as content.
struct Content {
    limit: usize,
}

impl Ruler for Content {
    fn limit(&self, _: &Message, _: usize, _: usize) -> Cost {
        Cost {
            units: self.limit,
            pieces: usize::MAX,
        }
    }

    fn cost(&self, block: &Block) -> Cost {
        Cost {
            units: units(&content_line(block)) + 1,
            pieces: 0,
        }
    }

    fn trim(&self, block: Block) -> Block {
        trim_heading(block)
    }
}

/// Entries and all that follows the first of them, counted as embeds.
struct Embeds;

impl Ruler for Embeds {
    fn limit(&self, _: &Message, _: usize, _: usize) -> Cost {
        Cost {
            units: EMBED_TEXT,
            pieces: EMBEDS,
        }
    }

    fn fits(&self, blocks: &[Block], _: Cost) -> bool {
        fit(&layout(blocks))
    }

    fn cost(&self, block: &Block) -> Cost {
        let length = match block {
            Block::Heading(text) => units(&escaped(text)),
            Block::Paragraph(line) => units(&line_markdown(line)) + 1,
            Block::Entry(entry) => units(&entry_title(entry)) + units(&entry_description(entry)),
        };
        Cost {
            units: length,
            pieces: 1,
        }
    }

    fn trim(&self, block: Block) -> Block {
        let mut block = trim_heading(block);
        if let Block::Entry(entry) = &mut block {
            let Entry { number, title, .. } = entry.clone();
            entry.title = shortened(&title, TITLE, |title| {
                units(&entry_title(&Entry {
                    number,
                    title: title.to_owned(),
                    ..Entry::default()
                }))
            });
        }
        blocks_of(std::slice::from_ref(&block), &Description)
            .next()
            .and_then(|mut blocks| blocks.pop())
            .unwrap_or(block)
    }
}

/// One embed's description alone.
struct Description;

impl Ruler for Description {
    fn limit(&self, _: &Message, _: usize, _: usize) -> Cost {
        Cost {
            units: DESCRIPTION,
            pieces: 1,
        }
    }

    fn cost(&self, block: &Block) -> Cost {
        let length = match block {
            Block::Heading(_) => 0,
            Block::Paragraph(line) => units(&line_markdown(line)),
            Block::Entry(entry) => units(&entry_description(entry)),
        };
        Cost {
            units: length,
            pieces: 1,
        }
    }
}

fn trim_heading(block: Block) -> Block {
    match block {
        Block::Heading(text) => Block::Heading(shortened(&text, TITLE, |text| units(&escaped(text)))),
        Block::Paragraph(_) | Block::Entry(_) => block,
    }
}

/// The longest beginning of a text, near enough, that measures at most `max`.
pub(super) fn shortened(text: &str, max: usize, measure: impl Fn(&str) -> usize) -> String {
    let mut keep = max;
    loop {
        let text = message::ellipsis(text, keep);
        let excess = measure(&text).saturating_sub(max);
        if excess == 0 || keep == 0 {
            return text;
        }
        // Escaping makes a character two units at most, for nearly all texts.
        keep = keep.saturating_sub(excess.div_ceil(2));
    }
}

fn running_title(message: &Message) -> String {
    let title = shortened(&message.running_title, RUNNING, |text| units(&escaped(text)));
    escaped(&title)
}

fn content_line(block: &Block) -> String {
    match block {
        Block::Heading(text) => content_line_of_heading(text),
        Block::Paragraph(line) => line_markdown(line),
        // Entries are embeds; none reaches this place.
        Block::Entry(entry) => entry_title(entry),
    }
}

fn content_line_of_heading(text: &str) -> String {
    format!("## {}", escaped(text))
}

/// `4. Title`, or the title alone; empty when neither is there and the description says something.
fn entry_title(entry: &Entry) -> String {
    let mut markdown = Markdown::default();
    if let Some(number) = entry.number {
        markdown.out = format!("{number}. ");
    }
    markdown.text(&one_line(&entry.title));
    let title = markdown.out.trim();
    if title.is_empty() && entry_description(entry).trim().is_empty() {
        return NOTHING.to_owned();
    }
    title.to_owned()
}

fn entry_description(entry: &Entry) -> String {
    let mut markdown = Markdown::default();
    for line in &entry.lines {
        markdown.line(line);
        markdown.out.push('\n');
    }
    if let Some(quote) = &entry.quote {
        markdown.prefix = QUOTE;
        markdown.out.push_str(QUOTE);
        markdown.text(quote.trim());
    }
    markdown.out.truncate(markdown.out.trim_end().len());
    markdown.out
}

fn line_markdown(line: &Line) -> String {
    let mut markdown = Markdown::default();
    markdown.line(line);
    markdown.out
}

pub(super) fn escaped(text: &str) -> String {
    let mut markdown = Markdown::default();
    markdown.text(one_line(text).trim());
    markdown.out
}

/// What people read of an escaped text, up to where bold text ends.
pub(super) fn unescaped(markdown: &str) -> String {
    let mut out = String::new();
    let mut rest = markdown.chars();
    while let Some(c) = rest.next() {
        match c {
            '*' if rest.as_str().starts_with('*') => break,
            '\\' => out.extend(rest.next()),
            ZERO_WIDTH => {}
            c => out.push(c),
        }
    }
    out.trim().to_owned()
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

pub(super) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

const QUOTE: &str = "> ";
/// Between two cards in one embed.
pub(super) const APART: &str = "\n\n";
/// Parts what must not be read together; takes no room on the screen.
const ZERO_WIDTH: char = '\u{200b}';

/// Text in Discord's dialect of Markdown, growing from left to right.
#[derive(Default)]
struct Markdown {
    out: String,
    /// Set at the head of each further line.
    prefix: &'static str,
}

impl Markdown {
    fn line(&mut self, line: &Line) {
        for span in line {
            match span {
                Span::Plain(text) => self.text(text),
                Span::Bold(text) => self.marked("**", text),
                Span::Dim(text) => self.marked("*", text),
                Span::Code(text) => self.code(text),
                Span::Link { label, url } => self.link(label, url),
            }
        }
    }

    /// Text that means nothing but itself. Discord takes a backslash before any punctuation mark; what has a meaning
    /// only at the head of a line is escaped only there, so that the text stays short.
    fn text(&mut self, text: &str) {
        for (at, c) in text.char_indices() {
            let after = text.get(at + c.len_utf8()..).unwrap_or_default();
            let escape = match c {
                '\\' | '*' | '_' | '~' | '|' | '`' | '<' | '[' | ']' => true,
                '#' | '-' | '+' | '>' => self.line_so_far().is_empty(),
                '.' | ')' => {
                    let line = self.line_so_far();
                    !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit())
                }
                // An address would become a link, and one in the content a preview. It may go on in the next span.
                ':' => after.is_empty() || after.starts_with('/'),
                _ => false,
            };
            match c {
                '\n' => {
                    self.out.push('\n');
                    self.out.push_str(self.prefix);
                }
                '\u{2028}' | '\u{2029}' => self.out.push(' '),
                c if c.is_control() => self.out.push(' '),
                c => {
                    if escape {
                        self.out.push('\\');
                    }
                    self.out.push(c);
                    self.part_mention(c, after);
                }
            }
        }
    }

    /// The line as people see it, up to here.
    fn line_so_far(&self) -> &str {
        let line = self.out.rsplit('\n').next().unwrap_or_default();
        line.strip_prefix(self.prefix).unwrap_or(line).trim_start()
    }

    /// A backslash does not hide `@everyone` from Discord's server. `allowed_mentions` forbids the ping in any case; this
    /// keeps it from being shown as one.
    fn part_mention(&mut self, c: char, after: &str) {
        let begins = |word: &str| after.starts_with(word) || word.starts_with(after);
        if c == '@' && (begins("everyone") || begins("here")) {
            self.out.push(ZERO_WIDTH);
        }
    }

    /// Emphasis has to touch its text and not its neighbour's marks.
    fn marked(&mut self, mark: &str, text: &str) {
        let text = one_line(text);
        let inner = text.trim();
        if inner.is_empty() {
            self.text(&text);
            return;
        }
        let (before, after) = text.split_once(inner).unwrap_or_default();
        self.text(before);
        if self.out.ends_with('*') {
            self.out.push(ZERO_WIDTH);
        }
        self.out.push_str(mark);
        self.text(inner);
        self.out.push_str(mark);
        self.text(after);
    }

    /// Nothing can be escaped inside of code: a backtick is replaced by its look-alike.
    fn code(&mut self, text: &str) {
        if text.trim().is_empty() {
            self.text(&one_line(text));
            return;
        }
        if self.out.ends_with('`') {
            self.out.push(ZERO_WIDTH);
        }
        self.out.push('`');
        for (at, c) in text.char_indices() {
            let c = match c {
                '`' => 'ˋ',
                '\u{2028}' | '\u{2029}' => ' ',
                c if c.is_control() => ' ',
                c => c,
            };
            self.out.push(c);
            self.part_mention(c, text.get(at + c.len_utf8()..).unwrap_or_default());
        }
        self.out.push('`');
    }

    /// `[label](<url>)`: the angle brackets keep a link in the content from being unfurled. A label that looks like an
    /// address is shown by Discord as raw markup, so the address stands alone then.
    fn link(&mut self, label: &str, url: &str) {
        let Some(url) = web_address(url) else {
            self.text(label);
            return;
        };
        let label = one_line(label).replace('[', "(").replace(']', ")");
        let label = label.trim();
        if label.is_empty() || label.contains("://") {
            self.out.push_str(&format!("<{url}>"));
        } else {
            self.out.push('[');
            self.text(label);
            self.out.push_str(&format!("](<{url}>)"));
        }
    }
}

/// An address that Discord takes: http(s), a host with a dot, at most 2,048 characters; what could end a Markdown link is
/// percent-encoded. One bad address in an embed would have the whole message refused.
fn web_address(url: &str) -> Option<String> {
    let url = reqwest::Url::parse(url.trim()).ok()?;
    if !matches!(url.scheme(), "http" | "https") || !url.host_str()?.contains('.') {
        return None;
    }
    let mut out = String::with_capacity(url.as_str().len());
    for c in url.as_str().chars() {
        match c {
            '(' => out.push_str("%28"),
            ')' => out.push_str("%29"),
            '\\' => out.push_str("%5C"),
            '<' => out.push_str("%3C"),
            '>' => out.push_str("%3E"),
            c => out.push(c),
        }
    }
    let out = out.replace("@everyone", "%40everyone").replace("@here", "%40here");
    (units(&out) <= ADDRESS).then_some(out)
}

#[cfg(test)]
mod tests {
    use paperwire_core::message::plain;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn bodies(message: &Message) -> Vec<Value> {
        render(message)
            .iter()
            .map(|part| serde_json::from_str(&part.payload).unwrap())
            .collect()
    }

    fn text<'a>(value: &'a Value, field: &str) -> &'a str {
        value[field].as_str().unwrap_or_default()
    }

    #[test]
    fn a_post_is_called_as_the_first_line_of_its_first_part_reads() {
        let called = |heading: &str, paragraphs: usize| {
            let mut blocks = vec![Block::Heading(heading.to_owned())];
            blocks.extend((0..paragraphs).map(|_| Block::Paragraph(plain("p".repeat(900)))));
            let message = Message {
                running_title: heading.to_owned(),
                blocks,
            };
            render(&message).iter().map(name).collect::<Vec<_>>()
        };
        assert_eq!(
            called("AI_inference *fast* · 10 Oct", 0),
            ["AI_inference *fast* · 10 Oct"]
        );
        // Also of a later part, should the first ones have been refused.
        assert_eq!(called("推理加速 · 10 月", 3), ["推理加速 · 10 月", "推理加速 · 10 月"]);
        assert_eq!(called("a · 1/x", 0), ["a · 1/x"]);
        let long = called(&"🦀".repeat(150), 0).remove(0);
        assert!(units(&long) <= NAME && long.ends_with('…'), "{long}");
        let bare = |payload: &str| {
            name(&Part {
                payload: payload.to_owned(),
            })
        };
        assert_eq!(bare(r#"{"embeds":[{"title":"1. A *paper*"}]}"#), "1. A *paper*");
        assert_eq!(
            [bare("{}"), bare("no JSON"), bare(r#"{"content":" \n##  "}"#)],
            [UNNAMED; 3]
        );
    }

    #[test]
    fn a_part_that_calls_lets_those_roles_alone_be_called_and_says_nothing_else() {
        let role = |id| Mention::Role(id);
        let calls = [
            ("Number 1: ".to_owned(), role(987_654_321_098_765_432)),
            ("Numbers 1, 3: ".to_owned(), role(123_456_789_012_345_678)),
            ("Number 2: ".to_owned(), Mention::Name("everyone".to_owned())),
        ];
        let part = call(&calls).unwrap();
        let body: Value = serde_json::from_str(&part.payload).unwrap();
        let said = "Number 1: <@&987654321098765432>\nNumbers 1, 3: <@&123456789012345678>";
        assert_eq!(text(&body, "content"), said);
        let allowed = serde_json::json!({ "parse": [], "roles": ["987654321098765432", "123456789012345678"] });
        assert_eq!(body["allowed_mentions"], allowed);
        assert!(super::super::amend::numbers(&part).is_empty());
        assert_eq!(call(&calls[2..]), None);
    }

    fn list(body: &Value) -> &[Value] {
        body["embeds"].as_array().unwrap()
    }

    fn entry(number: u32, title: &str, quote: &str) -> Block {
        Block::Entry(Entry {
            number: Some(number),
            title: title.into(),
            link: Some("https://arxiv.org/abs/2510.09212".into()),
            lines: vec![plain("A brief of one sentence.")],
            quote: Some(quote.into()),
        })
    }

    fn message(blocks: Vec<Block>) -> Message {
        Message {
            running_title: "AI acceleration, 9 Oct".into(),
            blocks,
        }
    }

    /// What Discord would refuse, and what a paper must never be able to do.
    fn assert_acceptable(body: &Value) {
        let content = text(body, "content");
        let embeds = list(body);
        assert!(units(content) <= CONTENT, "content of {} units", units(content));
        assert!(embeds.len() <= EMBEDS, "{} embeds", embeds.len());
        assert!(!content.trim().is_empty() || !embeds.is_empty(), "an empty message");
        let mut total = 0;
        for embed in embeds {
            let (title, description) = (text(embed, "title"), text(embed, "description"));
            assert!(
                units(title) <= TITLE && units(description) <= DESCRIPTION,
                "{} and {} units",
                units(title),
                units(description)
            );
            assert!(!title.trim().is_empty() || !description.trim().is_empty(), "{embed}");
            let footer = embed["footer"]["text"].as_str().unwrap_or_default();
            assert!(units(footer) <= FOOTER && !footer.contains("@everyone"), "{embed}");
            total += units(title) + units(description) + units(footer);
            assert_harmless(title);
            assert_harmless(description);
        }
        assert!(total <= EMBED_TEXT, "{total} units in embeds");
        assert_eq!(body["allowed_mentions"]["parse"], serde_json::json!([]));
        assert_harmless(content);
    }

    /// Reads the text as Discord does: a backslash hides the next mark, code hides everything.
    fn assert_harmless(text: &str) {
        assert!(!text.contains("@everyone") && !text.contains("@here"), "{text:?}");
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            let ahead = rest.as_str();
            match c {
                '\\' => {
                    rest.next();
                }
                ']' if ahead.starts_with("(http") => {
                    rest.by_ref().find(|&c| c == ')').expect("a link ends");
                }
                '`' => {
                    rest.by_ref().find(|&c| c == '`').expect("code ends");
                }
                '<' => {
                    assert!(ahead.starts_with("http"), "a mention in {text:?}");
                    rest.by_ref().find(|&c| c == '>').expect("a link ends");
                }
                ':' => assert!(!ahead.starts_with("//"), "a bare address in {text:?}"),
                '|' | '~' | '_' => panic!("unescaped {c} in {text:?}"),
                _ => {}
            }
        }
    }

    #[test]
    fn a_plain_part_fits_into_a_content_and_names_every_paper() {
        let entry = |number: u32| {
            Block::Entry(Entry {
                number: Some(number),
                title: format!("On 𝔸spen number {number}"),
                lines: vec![plain("𝔸 long tale. ".repeat(40))],
                ..Entry::default()
            })
        };
        let mut blocks = vec![Block::Heading("Papers".to_owned())];
        blocks.extend((1..=10).map(entry));
        let message = Message {
            running_title: "Papers".to_owned(),
            blocks,
        };
        for part in render(&message) {
            let rich: Value = serde_json::from_str(&part.payload).unwrap();
            let body: Value = serde_json::from_str(&super::plain(&part).payload).unwrap();
            let content = body["content"].as_str().unwrap();
            assert!(units(content) <= CONTENT, "{}", units(content));
            assert!(content.starts_with(rich["content"].as_str().unwrap()));
            let embeds = rich["embeds"].as_array().unwrap();
            assert!(!embeds.is_empty());
            for embed in embeds {
                assert!(content.contains(embed["title"].as_str().unwrap()), "{content}");
            }
            assert!(body.get("embeds").is_none_or(|embeds| embeds == &serde_json::json!([])));
            assert_eq!(body["allowed_mentions"], rich["allowed_mentions"]);
        }
        let empty = Part {
            payload: "{}".to_owned(),
        };
        let full = serde_json::json!({"content": "x".repeat(CONTENT), "embeds": [{"title": "a"}, {"title": "b"}]});
        let full = Part {
            payload: full.to_string(),
        };
        let body: Value = serde_json::from_str(&super::plain(&full).payload).unwrap();
        assert_eq!(units(body["content"].as_str().unwrap()), CONTENT);
        assert!(super::plain(&empty).payload.contains(NOTHING));
    }

    #[test]
    fn an_entry_is_one_embed_with_number_title_link_lines_and_quote() {
        let body = &bodies(&message(vec![entry(4, "Fast KV caches", "We cache.\nIt helps.")]))[0];
        let embed = &list(body)[0];
        assert_eq!(text(embed, "title"), "4. Fast KV caches");
        assert_eq!(text(embed, "url"), "https://arxiv.org/abs/2510.09212");
        assert_eq!(
            text(embed, "description"),
            "A brief of one sentence.\n> We cache.\n> It helps."
        );
        assert!(body.get("content").is_none() && body.get("flags").is_none(), "{body}");
    }

    #[test]
    fn marks_in_a_papers_text_mean_only_themselves() {
        let title = "*A* _b_ ~~c~~ ||d|| `e` [x](http://y.org) <@1> #f";
        let body = &bodies(&message(vec![entry(
            1,
            title,
            "# not a heading\n- no list\n12. nor this",
        )]))[0];
        assert_eq!(
            text(&list(body)[0], "title"),
            r"1. \*A\* \_b\_ \~\~c\~\~ \|\|d\|\| \`e\` \[x\](http\://y.org) \<@1> #f"
        );
        assert!(
            text(&list(body)[0], "description").ends_with("> \\# not a heading\n> \\- no list\n> 12\\. nor this"),
            "{body}"
        );
    }

    #[test]
    fn nobody_is_mentioned_even_when_the_mention_is_split_over_two_spans() {
        let line = vec![Span::Plain("hi @every".into()), Span::Plain("one, pass@1".into())];
        let body = &bodies(&message(vec![Block::Paragraph(line)]))[0];
        assert_eq!(text(body, "content"), "hi @\u{200b}everyone, pass@1");
    }

    #[test]
    fn a_link_in_the_content_does_not_unfurl_and_its_parentheses_do_not_end_it() {
        let line = vec![Span::Link {
            label: "PDF [2]".into(),
            url: "https://a.org/x(1) y".into(),
        }];
        let body = &bodies(&message(vec![Block::Paragraph(line), entry(1, "T", "q")]))[0];
        assert_eq!(text(body, "content"), "[PDF (2)](<https://a.org/x%281%29%20y>)");
    }

    #[test]
    fn an_address_that_discord_would_refuse_is_left_out_and_the_rest_stays() {
        for bad in ["javascript:alert(1)", "http://localhost/x", "no address"] {
            let mut block = entry(1, "T", "q");
            if let Block::Entry(entry) = &mut block {
                entry.link = Some(bad.into());
                entry.lines = vec![vec![Span::Link {
                    label: "code".into(),
                    url: bad.into(),
                }]];
            }
            let embed = &list(&bodies(&message(vec![block]))[0])[0].clone();
            assert!(embed.get("url").is_none(), "{embed}");
            assert_eq!(text(embed, "description"), "code\n> q");
        }
    }

    #[test]
    fn neighbouring_marks_are_kept_apart() {
        let line = vec![
            Span::Bold(" a ".into()),
            Span::Bold("b".into()),
            Span::Dim("c".into()),
            Span::Code("d`".into()),
            Span::Code("/paper 4".into()),
        ];
        let body = &bodies(&message(vec![Block::Paragraph(line)]))[0];
        assert_eq!(text(body, "content"), " **a** **b**\u{200b}*c*`dˋ`\u{200b}`/paper 4`");
    }

    #[test]
    fn text_after_entries_becomes_an_embed_of_its_own_in_its_place() {
        let body = &bodies(&message(vec![
            Block::Heading("Day".into()),
            entry(1, "T", "q"),
            Block::Heading("Hint".into()),
            Block::Paragraph(plain("one")),
            Block::Paragraph(plain("two")),
            entry(2, "U", "q"),
        ]))[0];
        assert_eq!(text(body, "content"), "## Day");
        let embeds = list(body);
        assert_eq!(embeds.len(), 3);
        assert_eq!(
            (text(&embeds[1], "title"), text(&embeds[1], "description")),
            ("Hint", "one\ntwo")
        );
    }

    #[test]
    fn long_text_without_entries_goes_over_several_messages_that_say_their_place() {
        let blocks = (0..500).map(|_| Block::Paragraph(plain("word"))).collect();
        let bodies = bodies(&message(blocks));
        assert_eq!(bodies.len(), 2);
        assert!(text(&bodies[0], "content").starts_with("**AI acceleration, 9 Oct · 1/2**\nword"));
        assert!(text(&bodies[1], "content").starts_with("**AI acceleration, 9 Oct · 2/2**\nword"));
        assert!(units(text(&bodies[0], "content")) > CONTENT - 20, "the first is full");
        for body in &bodies {
            assert_acceptable(body);
            assert_eq!(body["flags"], 4, "link previews are off");
        }
    }

    #[test]
    fn a_digest_of_88_papers_fills_each_message_as_far_as_discord_allows() {
        let mut blocks = vec![Block::Heading("Digest".into()), Block::Paragraph(plain("88 of 363"))];
        blocks.extend((1..=88).map(|n| entry(n, "A title of some length", &"An abstract. ".repeat(30))));
        let bodies = bodies(&message(blocks));
        let said = bodies.iter().flat_map(list);
        let said: usize = said
            .map(|e| units(text(e, "title")) + units(text(e, "description")))
            .sum();
        assert_eq!(
            bodies.len(),
            said.div_ceil(EMBED_TEXT),
            "no fewer could hold so many characters"
        );
        assert_eq!(text(&bodies[0], "content"), "## Digest · 1/7\n88 of 363");
        assert_eq!(text(&bodies[6], "content"), "**AI acceleration, 9 Oct · 7/7**");
        bodies.iter().for_each(assert_acceptable);
    }

    fn brief(number: u32, title: &str) -> Block {
        Block::Entry(Entry {
            number: Some(number),
            title: title.into(),
            link: Some(format!("https://arxiv.org/abs/2510.{number:05}")),
            lines: vec![
                plain("A brief of one sentence."),
                vec![Span::Dim("MIT · 7 authors".into())],
            ],
            quote: None,
        })
    }

    fn compact(papers: u32, title: &str) -> Message {
        let mut blocks = vec![Block::Heading("Digest".into())];
        blocks.extend((1..=papers).map(|n| brief(n, title)));
        blocks.push(Block::Paragraph(vec![Span::Dim("To open a paper: /paper".into())]));
        message(blocks)
    }

    #[test]
    fn ten_short_papers_have_an_embed_each_and_the_closing_line_is_a_footer() {
        let bodies = bodies(&compact(10, "T"));
        let [body] = bodies.as_slice() else {
            panic!("{bodies:?}")
        };
        assert_acceptable(body);
        assert_eq!(list(body).len(), 10);
        assert_eq!(text(&list(body)[9], "title"), "10. T");
        assert_eq!(list(body)[9]["footer"]["text"], "To open a paper: /paper");
    }

    #[test]
    fn more_short_papers_share_embeds_in_order_and_each_keeps_its_number_and_link() {
        let title = "A *b* [c](d) `e` f_g $h^2$ @everyone";
        let bodies = bodies(&compact(20, title));
        let [body] = bodies.as_slice() else {
            panic!("{bodies:?}")
        };
        assert_acceptable(body);
        assert_eq!(list(body).len(), 10, "two in each");
        let shown = "A \\*b\\* (c)(d) \\`e\\` f\\_g $h^2$ @\u{200b}everyone";
        assert_eq!(
            text(&list(body)[0], "description"),
            format!(
                "A brief of one sentence.\n*MIT · 7 authors*\n\n\
                 [**2. {shown}**](https://arxiv.org/abs/2510.00002)\nA brief of one sentence.\n*MIT · 7 authors*"
            )
        );
    }

    #[test]
    fn a_title_that_looks_like_an_address_stands_beside_its_link() {
        let bodies = bodies(&compact(20, "On http://x.org"));
        assert!(
            text(&list(&bodies[0])[0], "description")
                .contains("**2. On http\\://x.org** <https://arxiv.org/abs/2510.00002>\n")
        );
    }

    #[test]
    fn a_plain_part_names_the_papers_that_share_an_embed_and_cuts_no_address() {
        let part = &render(&compact(20, "A title of some length"))[0];
        let body: Value = serde_json::from_str(&super::plain(part).payload).unwrap();
        let content = text(&body, "content");
        assert!(units(content) <= CONTENT && !content.contains("]("), "{content}");
        for number in 1..=20 {
            let headline = format!("{number}. A title of some length");
            assert!(content.lines().any(|line| line == headline), "{number} in {content}");
        }
        assert!(content.ends_with("To open a paper: /paper"), "{content}");
    }

    #[test]
    fn a_closing_line_that_no_embed_has_room_for_stands_in_the_content() {
        let long = |n| {
            Block::Entry(Entry {
                number: Some(n),
                title: "T".into(),
                lines: vec![plain("x".repeat(2_994))],
                ..Entry::default()
            })
        };
        let closing = Block::Paragraph(vec![Span::Dim("the end of it".into())]);
        let bodies = bodies(&message(vec![Block::Heading("Day".into()), long(1), long(2), closing]));
        let [body] = bodies.as_slice() else {
            panic!("{bodies:?}")
        };
        assert_eq!(text(body, "content"), "## Day\n*the end of it*");
        assert_acceptable(body);
    }

    #[test]
    fn a_message_of_nothing_still_says_something() {
        for blocks in [
            vec![],
            vec![Block::Paragraph(vec![])],
            vec![Block::Entry(Entry::default())],
        ] {
            let rendered = bodies(&Message {
                running_title: String::new(),
                blocks,
            });
            assert_eq!(rendered.len(), 1);
            assert_acceptable(&rendered[0]);
        }
    }

    #[test]
    fn one_endless_grapheme_keeps_the_limits() {
        let endless = format!("a{}", "\u{301}".repeat(9_000));
        let blocks = vec![
            Block::Heading(endless.clone()),
            Block::Paragraph(plain(endless.clone())),
            entry(1, &endless, &endless),
        ];
        bodies(&message(blocks)).iter().for_each(assert_acceptable);
    }

    /// Few pieces, possibly many times: long texts are slow to invent.
    fn hostile(times: usize) -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => "\\PC{1,8}",
            2 => "[a-z ]{1,9}",
            1 => "[*_~|>#`\\\\<@:/.\\[\\]()\n 1-]{1,4}",
            1 => Just("@everyone".to_owned()),
            1 => Just("<@1>".to_owned()),
            1 => Just("https://x.org/a_b".to_owned()),
            1 => Just("👍🏽𝛼".to_owned()),
        ];
        (prop::collection::vec(piece, 0..10), 1..=times).prop_map(|(pieces, times)| pieces.concat().repeat(times))
    }

    fn any_line() -> impl Strategy<Value = Line> {
        let span = (0..5_u8, hostile(2)).prop_map(|(kind, text)| match kind {
            0 => Span::Plain(text),
            1 => Span::Bold(text),
            2 => Span::Dim(text),
            3 => Span::Code(text),
            _ => Span::Link {
                url: format!("https://x.org/{text}"),
                label: text,
            },
        });
        prop::collection::vec(span, 0..4)
    }

    fn any_block() -> impl Strategy<Value = Block> {
        prop_oneof![
            1 => hostile(12).prop_map(Block::Heading),
            2 => any_line().prop_map(Block::Paragraph),
            6 => (hostile(12), prop::collection::vec(any_line(), 0..4), prop::option::of(hostile(150)))
                .prop_map(|(title, lines, quote)| Block::Entry(Entry { number: None, title, link: None, lines, quote })),
            // Short ones, of which many fit into a message.
            12 => hostile(1)
                .prop_map(|title| Block::Entry(Entry { title, ..Entry::default() })),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_message_keeps_every_limit_pings_nobody_and_has_its_entries_whole_and_in_order(
            running_title in hostile(8),
            mut blocks in prop::collection::vec(any_block(), 0..40),
        ) {
            let mut count = 0;
            for block in &mut blocks {
                if let Block::Entry(entry) = block {
                    count += 1;
                    entry.number = Some(count);
                    entry.link = Some(format!("https://n.org/{count}/"));
                }
            }
            let bodies = bodies(&Message { running_title, blocks });
            bodies.iter().for_each(assert_acceptable);
            // Each link stands once, at a title or in a description.
            let texts = bodies.iter().flat_map(list).flat_map(|embed| [text(embed, "url"), text(embed, "description")]);
            let numbers: Vec<u32> = texts
                .flat_map(|text| text.split("https://n.org/").skip(1))
                .filter_map(|rest| rest.split_once('/')?.0.parse().ok())
                .collect();
            prop_assert_eq!(numbers, (1..=count).collect::<Vec<_>>());
        }
    }
}
