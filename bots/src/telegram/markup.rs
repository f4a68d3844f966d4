//! Messages as Telegram takes them: plain text beside a list of entities. There is no parse mode, so no title can break
//! or inject markup, and the length that Telegram counts is the length that we count: UTF-16 units.

use paperwire_core::mention::Mention;
use paperwire_core::message::{Block, Cost, Cut, Entry, Line, Message, Part, Ruler, Span, cut, ellipsis};
use reqwest::Url;
use serde::Serialize;

/// The longest text of a message in UTF-16 units (Bot API, sendMessage: "1-4096 characters after entities parsing").
pub(super) const UNITS: usize = 4096;
/// The longest text below a file in UTF-16 units (Bot API, sendDocument: "0-1024 characters after entities parsing").
pub(super) const CAPTION_UNITS: usize = 1024;
/// The most entities of a message; Telegram ignores further ones (found by experiment, python-telegram-bot,
/// `constants.MessageLimit.MESSAGE_ENTITIES`).
const ENTITIES: usize = 100;
/// The most marked spans of one block: with headline, link, quote and running title it stays below [`ENTITIES`].
const BLOCK_MARKS: usize = 90;
/// Between two blocks: a blank line.
const SEPARATOR: &str = "\n\n";
/// Headlines longer than this are damage, not titles. It keeps what cannot be abridged further far below [`UNITS`].
const HEADLINE_CHARS: usize = 1_000;
/// The same for the line that heads every further part.
const RUNNING_TITLE_CHARS: usize = 200;
/// Telegram leaves longer addresses out of a message.
const URL_BYTES: usize = 2_048;

/// The parts of a message as request bodies of sendMessage that lack only `chat_id` and the thread; at least one. Parts
/// after the first make no sound.
pub fn render(message: &Message) -> Vec<Part> {
    cut(message, &Telegram)
        .iter()
        .map(|part| {
            let mut out = Writer::default();
            write_part(&mut out, message, part);
            out.into_part(part.index > 1)
        })
        .collect()
}

/// A part that calls people by their names, which Telegram finds in the text by itself; `None` when there is nobody. It
/// makes a sound.
pub fn call(calls: &[(String, Mention)]) -> Option<Part> {
    let lines = calls.iter().filter_map(|(said, who)| match who {
        Mention::Name(_) => Some(format!("{said}{who}")),
        Mention::Role(_) => None,
    });
    let mut out = Writer::default();
    for line in lines {
        out.gap("\n");
        // Not as a span, whose names are kept from calling anybody.
        out.raw(&line);
    }
    (!out.text.is_empty()).then(|| out.into_part(false))
}

/// A message as one part, whatever does not fit left out.
pub(super) fn one(message: &Message) -> Part {
    let parts = cut(message, &Telegram);
    let mut out = Writer::default();
    if let Some(first) = parts.into_iter().next() {
        let (more, alone) = (first.total > 1, Cut { total: 1, ..first });
        write_part(&mut out, message, &alone);
        if more {
            // There is room: the part was cut for one with a label.
            out.gap(SEPARATOR);
            out.push(Style::Plain, "…");
        }
    }
    out.into_part(false)
}

/// Whether one part can hold these blocks and still has so many units free.
pub(super) fn fits(blocks: &[Block], free: usize) -> bool {
    let limit = Cost {
        units: UNITS.saturating_sub(free),
        pieces: ENTITIES,
    };
    let trimmed: Vec<Block> = blocks.iter().map(|block| Telegram.trim(block.clone())).collect();
    Telegram.fits(&trimmed, limit)
}

/// What stands on a button, in a menu or in a list: one line; empty when nothing is to be seen.
pub(super) fn label(text: &str, chars: usize) -> String {
    let line = one_line(text);
    if has_visible(&line) {
        ellipsis(&line, chars)
    } else {
        String::new()
    }
}

/// A message as an alert shows it: no marks, no length that matters here.
pub(super) fn notice(message: &Message) -> String {
    paragraphs(&message.to_plain())
}

/// The part without its entities. The text stays, and with it the length.
pub fn plain(part: &Part) -> Part {
    let mut body: serde_json::Value = serde_json::from_str(&part.payload).unwrap_or_default();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("entities");
        fields.remove(super::rich::FIELD);
    }
    Part {
        payload: body.to_string(),
    }
}

/// The body of sendMessage.
#[derive(Serialize)]
struct Payload<'a> {
    text: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    entities: &'a [Entity],
    link_preview_options: LinkPreview,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disable_notification: bool,
}

#[derive(Serialize)]
struct LinkPreview {
    is_disabled: bool,
}

/// Bot API, MessageEntity; offsets and lengths in UTF-16 units.
#[derive(Serialize)]
struct Entity {
    #[serde(rename = "type")]
    kind: &'static str,
    offset: usize,
    length: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

/// How a stretch of text looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Bold,
    Italic,
    Code,
    Quote,
    Link(Url),
    /// A headline that leads somewhere.
    BoldLink(Url),
}

/// Text with its entities. Every stretch that goes in is trimmed of white space on both sides before it is marked:
/// Telegram trims a message and shifts what begins or ends with white space.
#[derive(Default)]
struct Writer {
    text: String,
    units: usize,
    entities: Vec<Entity>,
}

impl Writer {
    fn raw(&mut self, text: &str) {
        self.text.push_str(text);
        self.units += units(text);
    }

    fn push(&mut self, style: Style, text: &str) {
        let core = text.trim();
        if !has_visible(core) {
            self.raw(text);
            return;
        }
        let leading = &text[..text.len() - text.trim_start().len()];
        let trailing = &text[text.trim_end().len()..];
        self.raw(leading);
        let (offset, length) = (self.units, units(core));
        self.raw(core);
        self.raw(trailing);
        let mut mark = |kind, url: Option<Url>| {
            self.entities.push(Entity {
                kind,
                offset,
                length,
                url: url.map(String::from),
            });
        };
        match style {
            Style::Plain => {}
            Style::Bold => mark("bold", None),
            Style::Italic => mark("italic", None),
            Style::Code => mark("code", None),
            Style::Quote => mark("expandable_blockquote", None),
            Style::Link(url) => mark("text_link", Some(url)),
            Style::BoldLink(url) => {
                mark("bold", None);
                mark("text_link", Some(url));
            }
        }
    }

    fn into_part(mut self, silent: bool) -> Part {
        if !has_visible(&self.text) {
            // Telegram refuses an empty text, and an empty answer would look like no answer.
            self = Self::default();
            self.push(Style::Plain, "…");
        }
        let payload = Payload {
            text: &self.text,
            entities: &self.entities,
            link_preview_options: LinkPreview { is_disabled: true },
            disable_notification: silent,
        };
        Part {
            // Strings, numbers and flags only: writing them as JSON cannot fail.
            payload: serde_json::to_string(&payload).unwrap_or_default(),
        }
    }

    fn append(&mut self, other: Self) {
        let before = self.units;
        self.raw(&other.text);
        self.entities.extend(other.entities.into_iter().map(|entity| Entity {
            offset: before + entity.offset,
            ..entity
        }));
    }

    /// Begins a new line or, at the head of the text, nothing.
    fn gap(&mut self, separator: &str) {
        if !self.text.is_empty() {
            self.raw(separator);
        }
    }
}

/// Telegram's way to count.
pub(super) struct Telegram;

impl Ruler for Telegram {
    fn limit(&self, message: &Message, index: usize, total: usize) -> Cost {
        // Every block is counted with a separator, and the first thing in a message has none above it.
        let whole = Cost {
            units: UNITS + SEPARATOR.len(),
            pieces: ENTITIES,
        };
        if total == 1 {
            return whole;
        }
        // The actual number may be smaller, never have more digits.
        let label = format!(" {index}/{total}").len();
        if index == 1 && matches!(message.blocks.first(), Some(Block::Heading(_))) {
            return Cost {
                units: whole.units - label,
                ..whole
            };
        }
        Cost {
            units: UNITS - units(&running_title(message)) - label,
            pieces: ENTITIES - 1,
        }
    }

    fn cost(&self, block: &Block) -> Cost {
        let mut out = Writer::default();
        write_block(&mut out, block, None);
        Cost {
            units: out.units + SEPARATOR.len(),
            pieces: out.entities.len(),
        }
    }

    fn trim(&self, block: Block) -> Block {
        match block {
            Block::Heading(text) => Block::Heading(ellipsis(&one_line(&text), HEADLINE_CHARS)),
            Block::Paragraph(mut line) => {
                unmark([&mut line]);
                Block::Paragraph(line)
            }
            Block::Entry(mut entry) => {
                unmark(&mut entry.lines);
                entry.title = ellipsis(&one_line(&entry.title), HEADLINE_CHARS);
                Block::Entry(entry)
            }
        }
    }
}

/// Spans beyond what one block may mark lose their look and keep their text.
fn unmark<'a>(lines: impl IntoIterator<Item = &'a mut Line>) {
    let marked = lines
        .into_iter()
        .flatten()
        .filter(|span| !matches!(span, Span::Plain(_)));
    for span in marked.skip(BLOCK_MARKS) {
        let (_, text) = styled(span);
        *span = Span::Plain(text);
    }
}

pub(super) fn running_title(message: &Message) -> String {
    ellipsis(&one_line(&message.running_title), RUNNING_TITLE_CHARS)
}

fn write_part(out: &mut Writer, message: &Message, part: &Cut) {
    let label = part.label();
    let mut blocks = part.blocks.iter();
    if let Some(label) = &label {
        if let (1, Some(heading @ Block::Heading(_))) = (part.index, part.blocks.first()) {
            blocks.next();
            write_block(out, heading, Some(label));
        } else {
            write_heading(out, &running_title(message), Some(label));
        }
    }
    for block in blocks {
        let mut alone = Writer::default();
        write_block(&mut alone, block, None);
        if !alone.text.is_empty() {
            out.gap(SEPARATOR);
            out.append(alone);
        }
    }
}

fn write_block(out: &mut Writer, block: &Block, label: Option<&str>) {
    match block {
        Block::Heading(text) => write_heading(out, &one_line(text), label),
        Block::Paragraph(line) => write_line(out, line, ""),
        Block::Entry(entry) => write_entry(out, entry),
    }
}

fn write_heading(out: &mut Writer, text: &str, label: Option<&str>) {
    out.push(Style::Bold, text);
    if let Some(label) = label {
        out.gap(" ");
        out.push(Style::Plain, label);
    }
}

fn write_entry(out: &mut Writer, entry: &Entry) {
    let headline = one_line(&entry.headline());
    let style = match entry.link.as_deref().and_then(web_address) {
        Some(url) => Style::BoldLink(url),
        None => Style::Bold,
    };
    out.push(style, &headline);
    for line in &entry.lines {
        write_line(out, line, "\n");
    }
    if let Some(quote) = &entry.quote {
        let quote = paragraphs(quote);
        if has_visible(&quote) {
            out.gap("\n");
            out.push(Style::Quote, &quote);
        }
    }
}

/// A line without white space at its ends, or nothing at all if nothing is to be seen on it.
fn write_line(out: &mut Writer, line: &Line, separator: &str) {
    let spans: Vec<(Style, String)> = line.iter().map(styled).collect();
    if !spans.iter().any(|(_, text)| has_visible(text)) {
        return;
    }
    out.gap(separator);
    let first = spans.iter().position(|(_, text)| !text.trim().is_empty()).unwrap_or(0);
    let last = spans.iter().rposition(|(_, text)| !text.trim().is_empty()).unwrap_or(0);
    for (i, (style, text)) in spans.into_iter().enumerate() {
        if i < first || i > last {
            continue;
        }
        let text = if i == first { text.trim_start() } else { &text };
        let text = if i == last { text.trim_end() } else { text };
        out.push(style, text);
    }
}

pub(super) fn styled(span: &Span) -> (Style, String) {
    match span {
        Span::Plain(text) => (Style::Plain, flat(text)),
        Span::Bold(text) => (Style::Bold, flat(text)),
        Span::Dim(text) => (Style::Italic, flat(text)),
        Span::Code(text) => (Style::Code, flat(text)),
        Span::Link { label, url } => {
            let label = flat(label);
            match web_address(url) {
                Some(url) => (Style::Link(url), label),
                // What Telegram cannot link is still worth reading.
                None if has_visible(&label) => (Style::Plain, label),
                None => (Style::Plain, flat(url)),
            }
        }
    }
}

/// An address that Telegram makes clickable: http(s) only.
pub(super) fn web_address(url: &str) -> Option<Url> {
    Url::parse(url.trim())
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.as_str().len() <= URL_BYTES)
}

/// The text without what must not reach a chat: control characters, line and paragraph separators, and the marks that
/// turn the writing direction of everything behind them. Line breaks stay. No `@name` calls anybody: Telegram finds
/// mentions in any text, so a word joiner, which nobody sees, keeps the name apart (tdlib, `match_mentions`).
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = None;
    let mut at = false;
    for c in text.chars() {
        let c = match c {
            '\n' => '\n',
            '\t' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => continue,
            c if c.is_control() => continue,
            c => c,
        };
        if at && (c.is_ascii_alphanumeric() || c == '_') {
            out.push('\u{2060}');
        }
        // Behind a letter it is an address of mail, or a command for one bot.
        at = c == '@' && !before.is_some_and(|before: char| before.is_alphanumeric() || before == '_');
        before = Some(c);
        out.push(c);
    }
    out
}

/// Cleaned, on one line, with the white space inside left as it is: spans of a line carry their own spaces.
fn flat(text: &str) -> String {
    clean(text).replace('\n', " ")
}

pub(super) fn one_line(text: &str) -> String {
    paperwire_core::text::one_line(&flat(text))
}

/// Cleaned, each line trimmed, at most one blank line between paragraphs.
pub(super) fn paragraphs(text: &str) -> String {
    let text = clean(text);
    let mut out = String::with_capacity(text.len());
    let mut blank = false;
    for line in text.lines().map(str::trim) {
        if line.is_empty() {
            blank = true;
            continue;
        }
        if !out.is_empty() {
            out.push_str(if blank { "\n\n" } else { "\n" });
        }
        blank = false;
        out.push_str(line);
    }
    out
}

pub(super) fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Whether anything is to be seen. Telegram takes a text of blanks and invisible characters for an empty one (tdlib,
/// `is_empty_string`).
pub(super) fn has_visible(text: &str) -> bool {
    text.chars().any(|c| {
        !(c.is_whitespace()
            || matches!(c, '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}')
            || matches!(c, '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{fffc}' | '\u{e0000}'..='\u{e0fff}'))
    })
}

#[cfg(test)]
mod tests {
    use paperwire_core::message::plain;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_part_that_calls_has_the_names_as_telegram_finds_them_and_no_number_to_be_amended() {
        let calls = [
            ("Numbers 1, 3: ".to_owned(), Mention::Name("kv_team".to_owned())),
            ("Number 2: ".to_owned(), Mention::Role(1)),
        ];
        let part = call(&calls).unwrap();
        let body: Value = serde_json::from_str(&part.payload).unwrap();
        let expected = json!({ "text": "Numbers 1, 3: @kv_team", "link_preview_options": { "is_disabled": true } });
        assert_eq!(body, expected);
        assert!(super::super::amend::numbers(&part).is_empty());
        assert_eq!(call(&calls[1..]), None);
    }

    fn payloads(message: &Message) -> Vec<Value> {
        render(message)
            .iter()
            .map(|part| serde_json::from_str(&part.payload).unwrap())
            .collect()
    }

    fn only(message: &Message) -> Value {
        let [payload] = payloads(message).try_into().unwrap();
        payload
    }

    fn entities(payload: &Value) -> Vec<(String, String)> {
        let text: Vec<u16> = payload["text"].as_str().unwrap().encode_utf16().collect();
        let field = |e: &Value, name: &str| usize::try_from(e[name].as_u64().unwrap()).unwrap();
        payload["entities"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|e| {
                let covered = &text[field(e, "offset")..][..field(e, "length")];
                let covered = String::from_utf16(covered).expect("an entity splits no character");
                (e["type"].as_str().unwrap().to_owned(), covered)
            })
            .collect()
    }

    fn owned(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(k, t)| ((*k).into(), (*t).into())).collect()
    }

    fn paper(number: u32, title: &str, quote: &str) -> Block {
        Block::Entry(Entry {
            number: Some(number),
            title: title.into(),
            link: Some(format!("https://arxiv.org/abs/2510.{number:05}")),
            lines: vec![vec![Span::Plain("MIT ".into()), Span::Dim("7 authors".into())]],
            quote: Some(quote.into()),
        })
    }

    fn digest(papers: u32, quote: &str) -> Message {
        let mut blocks = vec![Block::Heading("Systems · 2025-10-09".into())];
        blocks.extend((1..=papers).map(|n| paper(n, &format!("Paper number {n} of the day"), quote)));
        Message {
            running_title: "Systems · 2025-10-09".into(),
            blocks,
        }
    }

    #[test]
    fn a_plain_part_has_the_same_text_and_no_entities() {
        let [part] = render(&digest(1, "We show.")).try_into().unwrap();
        let (mut marked, plain): (Value, Value) = (
            serde_json::from_str(&part.payload).unwrap(),
            serde_json::from_str(&super::plain(&part).payload).unwrap(),
        );
        assert!(marked.as_object_mut().unwrap().remove("entities").is_some());
        assert_eq!(plain, marked);
    }

    #[test]
    fn a_paper_becomes_a_linked_headline_its_lines_and_a_folded_quote() {
        let payload = only(&digest(1, "We show.\r\n\r\n\r\nIt works."));
        assert_eq!(
            payload["text"],
            "Systems · 2025-10-09\n\n1. Paper number 1 of the day\nMIT 7 authors\nWe show.\n\nIt works."
        );
        assert_eq!(
            entities(&payload),
            owned(&[
                ("bold", "Systems · 2025-10-09"),
                ("bold", "1. Paper number 1 of the day"),
                ("text_link", "1. Paper number 1 of the day"),
                ("italic", "7 authors"),
                ("expandable_blockquote", "We show.\n\nIt works."),
            ])
        );
        assert_eq!(payload["entities"][2]["url"], "https://arxiv.org/abs/2510.00001");
        assert_eq!(payload["link_preview_options"], json!({"is_disabled": true}));
        assert_eq!(payload.get("disable_notification"), None);
    }

    #[test]
    fn offsets_count_utf_16_units() {
        let line = vec![Span::Plain("𝛼👍🏽 ".into()), Span::Bold("β".into())];
        assert_eq!(
            only(&Message::line(line))["entities"],
            json!([{"type": "bold", "offset": 7, "length": 1}])
        );
    }

    #[test]
    fn markup_in_a_title_is_shown_as_it_was_written() {
        let payload = only(&Message {
            running_title: String::new(),
            blocks: vec![paper(4, "<b>*x*</b> [a](b) `c` _d_ &amp;", "q")],
        });
        assert_eq!(entities(&payload)[0].1, "4. <b>*x*</b> [a](b) `c` _d_ &amp;");
    }

    #[test]
    fn an_entity_neither_begins_nor_ends_with_white_space_and_is_never_empty() {
        let line = vec![
            Span::Bold("  a ".into()),
            Span::Code(" \u{200b}".into()),
            Span::Dim("\u{a0}b\n".into()),
        ];
        let payload = only(&Message::line(line));
        assert_eq!(payload["text"], "a  \u{200b}\u{a0}b");
        assert_eq!(entities(&payload), owned(&[("bold", "a"), ("italic", "b")]));
    }

    #[test]
    fn only_web_addresses_become_links() {
        let link = |label: &str, url: &str| Span::Link {
            label: label.into(),
            url: url.into(),
        };
        let line = vec![
            link("a", "javascript:alert(1)"),
            link(" b", "tg://user?id=1"),
            link(" c", "HTTPS://Example.org/ü"),
            link("", " doi:10.1/x"),
        ];
        let payload = only(&Message::line(line));
        assert_eq!(payload["text"], "a b c doi:10.1/x");
        assert_eq!(
            payload["entities"],
            json!([{"type": "text_link", "offset": 4, "length": 1, "url": "https://example.org/%C3%BC"}])
        );
    }

    #[test]
    fn control_characters_and_direction_overrides_are_taken_out() {
        let payload = only(&Message::sentence("a\u{0}b\u{202e}c\u{2066}d\te\u{7f}\u{2028}f"));
        assert_eq!(payload["text"], "abcd e f");
    }

    #[test]
    fn nobody_is_called_by_a_name_in_a_text_and_addresses_stay_as_they_are() {
        let text = |text: &str| only(&Message::sentence(text))["text"].as_str().unwrap().to_owned();
        assert_eq!(text("by @ada, (@bob) 和@eve"), "by @\u{2060}ada, (@\u{2060}bob) 和@eve");
        assert_eq!(text("@\u{202e}ada"), "@\u{2060}ada");
        for kept in ["ada@example.org", "/paper@paperwire_bot 4", "pass@10", "@ 5 km", "@@"] {
            assert_eq!(text(kept), kept);
        }
    }

    #[test]
    fn a_message_without_anything_to_see_is_still_a_message() {
        for message in [Message::default(), Message::sentence(" \u{200b}\u{feff}\n")] {
            assert_eq!(only(&message)["text"], "…");
        }
    }

    #[test]
    fn a_digest_of_88_papers_says_in_every_part_what_it_belongs_to_and_rings_once() {
        let message = digest(88, &"An abstract of some length. ".repeat(40));
        let parts = payloads(&message);
        let total = parts.len();
        assert!((20..=44).contains(&total), "{total}");
        for (i, part) in parts.iter().enumerate() {
            let first = part["text"].as_str().unwrap().lines().next().unwrap().to_owned();
            assert_eq!(first, format!("Systems · 2025-10-09 {}/{total}", i + 1));
            assert_eq!(part["disable_notification"] == true, i > 0);
        }
        let all: String = parts.iter().map(|p| p["text"].as_str().unwrap()).collect();
        for n in 1..=88 {
            assert_eq!(
                all.matches(&format!("{n}. Paper number {n} of the day\n")).count(),
                1,
                "{n}"
            );
        }
    }

    #[test]
    fn entities_run_out_before_units_do_in_a_digest_of_short_entries() {
        let message = Message {
            running_title: "T".into(),
            blocks: (1..=88).map(|n| paper(n, "x", "y")).collect(),
        };
        let parts = payloads(&message);
        assert_eq!(parts.len(), 4, "4 entities each, 99 beside the title's");
        assert_eq!(parts[0]["entities"].as_array().unwrap().len(), 97);
        assert_eq!(parts[0]["text"].as_str().unwrap().lines().next(), Some("T 1/4"));
    }

    #[test]
    fn a_message_that_just_fills_one_part_is_not_cut_for_a_label_it_does_not_need() {
        let message = |length| Message {
            running_title: "T".repeat(100),
            blocks: vec![Block::Paragraph(plain("x".repeat(length)))],
        };
        let full = UNITS;
        assert_eq!(only(&message(full))["text"].as_str().unwrap().len(), full);
        assert!(only(&message(full + 1))["text"].as_str().unwrap().ends_with('…'));
    }

    #[test]
    fn spans_beyond_the_limit_of_entities_lose_their_look_and_not_their_text() {
        let line = (0..150).map(|n| Span::Code(format!("{n},"))).collect();
        let payload = only(&Message::line(line));
        assert_eq!(payload["entities"].as_array().unwrap().len(), BLOCK_MARKS);
        assert!(payload["text"].as_str().unwrap().ends_with("148,149,"));
    }

    #[test]
    fn one_grapheme_longer_than_a_message_does_not_break_the_limit() {
        let zalgo = format!("a{}", "\u{301}".repeat(6_000));
        let message = Message {
            running_title: zalgo.clone(),
            blocks: vec![
                Block::Heading(zalgo.clone()),
                paper(1, &zalgo, &zalgo),
                Block::Paragraph(plain(zalgo)),
            ],
        };
        for part in payloads(&message) {
            assert!(units(part["text"].as_str().unwrap()) <= UNITS);
        }
    }

    /// Text as hostile as real feeds: emoji with modifiers, right to left, zero width, markup, blanks, controls.
    fn text(max: usize) -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => "\\PC{1,12}",
            2 => "[a-z ]{1,20}",
            1 => Just("👩‍👩‍👧‍👦👍🏽𝛼".to_owned()),
            1 => Just("שלום עולם مرحبا".to_owned()),
            1 => Just("\u{200b}\u{200d}\u{feff}\u{202e}".to_owned()),
            1 => Just("<b>&amp;</b>*_`[x](y)~|".to_owned()),
            1 => Just(" \n\t\u{a0}\u{3000}\r\n\u{0}".to_owned()),
            1 => Just("e\u{301}\u{301}\u{301}".to_owned()),
        ];
        prop::collection::vec(piece, 0..max).prop_map(|pieces| pieces.concat())
    }

    fn span() -> impl Strategy<Value = Span> {
        prop_oneof![
            text(6).prop_map(Span::Plain),
            text(4).prop_map(Span::Bold),
            text(4).prop_map(Span::Dim),
            text(2).prop_map(Span::Code),
            (
                text(3),
                prop_oneof![Just("https://arxiv.org/abs/1".to_owned()), text(3)]
            )
                .prop_map(|(label, url)| Span::Link { label, url }),
        ]
    }

    fn block() -> impl Strategy<Value = Block> {
        let line = || prop::collection::vec(span(), 0..6);
        let entry = (
            text(8),
            prop::option::of(Just("https://arxiv.org/abs/1".to_owned())),
            prop::collection::vec(line(), 0..5),
            prop::option::of((text(8), 1_usize..60).prop_map(|(text, times)| text.repeat(times))),
        );
        prop_oneof![
            1 => text(6).prop_map(Block::Heading),
            1 => prop::collection::vec(span(), 0..130).prop_map(Block::Paragraph),
            6 => entry.prop_map(|(title, link, lines, quote)| Block::Entry(Entry {
                number: None,
                title,
                link,
                lines,
                quote,
            })),
        ]
    }

    fn message() -> impl Strategy<Value = Message> {
        (text(30), prop::collection::vec(block(), 0..12)).prop_map(|(running_title, mut blocks)| {
            let mut number = 0;
            for block in &mut blocks {
                if let Block::Entry(entry) = block {
                    number += 1;
                    entry.number = Some(number);
                }
            }
            Message { running_title, blocks }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_part_is_one_that_telegram_takes_as_it_stands(message in message()) {
            let parts = payloads(&message);
            prop_assert!(!parts.is_empty());
            for part in &parts {
                let text = part["text"].as_str().unwrap();
                prop_assert!(units(text) <= UNITS);
                prop_assert!(has_visible(text));
                prop_assert_eq!(text.trim(), text, "Telegram would trim it and shift the entities");
                prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
                let entities = entities(part);
                prop_assert!(entities.len() <= ENTITIES);
                for (_, covered) in entities {
                    prop_assert!(!covered.is_empty());
                    prop_assert_eq!(covered.trim(), covered.as_str());
                }
            }
        }

        #[test]
        fn every_entry_stands_once_in_order_and_whole_in_one_part(message in message()) {
            let parts = payloads(&message);
            let mut at = (0, 0);
            for block in &message.blocks {
                let Block::Entry(entry) = block else { continue };
                let headline = one_line(&entry.headline());
                let found = parts.iter().enumerate().skip(at.0).find_map(|(i, part)| {
                    let text = part["text"].as_str().unwrap();
                    let from = if i == at.0 { at.1 } else { 0 };
                    text[from..].find(&headline).map(|n| (i, from + n + headline.len()))
                });
                prop_assert!(found.is_some(), "{:?} is missing", headline);
                at = found.unwrap();
                let quote = paragraphs(entry.quote.as_deref().unwrap_or_default());
                if has_visible(&quote) && units(&quote) < 1_500 {
                    let here = parts[at.0]["text"].as_str().unwrap();
                    prop_assert!(here[at.1..].contains(&quote), "the quote is not where its headline is");
                }
            }
        }
    }
}
