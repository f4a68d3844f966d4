//! Long messages in Telegram's form for them (Bot API 10.1, sendRichMessage): headings, abstracts that fold, formulas, and
//! room for a whole report. Beside it a part carries the entities form of as much as one ordinary message holds, for
//! servers that do not know the method: every title stands there too, and what folds is an answer away.

use paperwire_core::message::{Amendment, Block, Cost, Cut, Entry, Line, Message, Part, Ruler, Span, cut, ellipsis};
use serde_json::{Map, Value, json};

use super::markup::{self, Style, styled};

/// The field of a part with the message for sendRichMessage (Bot API, InputRichMessage).
pub(super) const FIELD: &str = "rich_message";
/// The longest text in characters and the most blocks (Bot API, "Rich Message Limits").
const CHARS: usize = 32_768;
const BLOCKS: usize = 500;
/// Of these so many stay free for what heads a further part, and for corrections.
const FREE_CHARS: usize = 700;
const FREE_BLOCKS: usize = 50;
/// The same of the entities form, in UTF-16 units.
const FREE_UNITS: usize = 800;
/// Before a message becomes two, its abstracts are cut to the first of these lengths, in characters, with which it is one:
/// their ends are an answer away.
const ABSTRACT_CHARS: [usize; 3] = [1_600, 1_400, 1_200];
/// How much of an abstract is seen while it is folded, in characters.
const TEASER_CHARS: usize = 48;
/// The longest formula, in bytes: what is longer between two dollar signs is prose about prices.
const FORMULA_BYTES: usize = 300;

/// The parts of a message, at least one.
pub fn render(message: &Message) -> Vec<Part> {
    let parts = cut(message, &Long);
    let parts = match parts.len() {
        1 => parts,
        _ => in_one(message).unwrap_or(parts),
    };
    parts.into_iter().map(|part| part_of(&headed(message, part))).collect()
}

/// The message in one part, with abstracts that lack their ends.
fn in_one(message: &Message) -> Option<Vec<Cut>> {
    let mut message = message.clone();
    ABSTRACT_CHARS.into_iter().find_map(|most| {
        for block in &mut message.blocks {
            if let Block::Entry(Entry { quote: Some(quote), .. }) = block {
                *quote = ellipsis(quote, most);
            }
        }
        let parts = cut(&message, &Long);
        (parts.len() == 1).then_some(parts)
    })
}

/// A part as a message of its own that says which part it is.
fn headed(message: &Message, part: Cut) -> (Message, bool) {
    let silent = part.index > 1;
    let label = part.label();
    let mut blocks = part.blocks;
    if let Some(label) = label {
        match blocks.first_mut() {
            Some(Block::Heading(text)) if !silent => *text = format!("{text} {label}"),
            Some(_) | None => blocks.insert(0, Block::Heading(format!("{} {label}", markup::running_title(message)))),
        }
    }
    let running_title = message.running_title.clone();
    (Message { running_title, blocks }, silent)
}

fn part_of((message, silent): &(Message, bool)) -> Part {
    let html: String = message.blocks.iter().map(html).collect();
    let html = if html.is_empty() { "<p>…</p>".to_owned() } else { html };
    let mut body: Map<String, Value> = serde_json::from_str(&short(message).payload).unwrap_or_default();
    if *silent {
        body.insert("disable_notification".to_owned(), true.into());
    }
    // Names and numbers in a text call nobody.
    let rich = json!({"html": html, "skip_entity_detection": true});
    body.insert(FIELD.to_owned(), rich);
    Part {
        payload: Value::from(body).to_string(),
    }
}

/// The message in one ordinary part: without abstracts if they do not fit, else without anything but titles.
fn short(message: &Message) -> Part {
    let less = |keep| Message {
        running_title: message.running_title.clone(),
        blocks: less(&message.blocks, keep),
    };
    let fits = |message: &Message| markup::fits(&message.blocks, FREE_UNITS);
    let fitting = [Keep::All, Keep::Lines].map(less).into_iter().find(fits);
    markup::one(&fitting.unwrap_or_else(|| less(Keep::Titles)))
}

/// What stays of an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    All,
    Lines,
    Titles,
}

fn less(blocks: &[Block], keep: Keep) -> Vec<Block> {
    let less = |block: &Block| match block {
        Block::Entry(entry) => Block::Entry(Entry {
            lines: if keep == Keep::Titles {
                Vec::new()
            } else {
                entry.lines.clone()
            },
            quote: entry.quote.clone().filter(|_| keep == Keep::All),
            ..entry.clone()
        }),
        Block::Heading(_) | Block::Paragraph(_) => block.clone(),
    };
    blocks.iter().map(less).collect()
}

/// Telegram's way to count a long message.
struct Long;

impl Ruler for Long {
    fn limit(&self, _: &Message, _: usize, _: usize) -> Cost {
        Cost {
            units: CHARS - FREE_CHARS,
            pieces: BLOCKS - FREE_BLOCKS,
        }
    }

    fn cost(&self, block: &Block) -> Cost {
        let html = html(block);
        let blocks = ["<h2>", "<h4>", "<p>", "<details>"];
        let pieces = blocks.iter().map(|tag| html.matches(tag).count()).sum();
        Cost {
            // Whether the end of a block counts is nowhere written.
            units: length(&html) + pieces,
            pieces,
        }
    }

    fn fits(&self, blocks: &[Block], limit: Cost) -> bool {
        let all = blocks.iter().map(|block| self.cost(block));
        let all = all.fold(Cost::default(), |sum, cost| Cost {
            units: sum.units + cost.units,
            pieces: sum.pieces + cost.pieces,
        });
        all.fits(limit) && markup::fits(&less(blocks, Keep::Titles), FREE_UNITS)
    }

    fn trim(&self, block: Block) -> Block {
        markup::Telegram.trim(block)
    }
}

/// A block; only headlines of entries are `h4`.
fn html(block: &Block) -> String {
    match block {
        Block::Heading(text) => tagged("h2", &text_html(&markup::one_line(text))),
        Block::Paragraph(line) => line_html(line),
        Block::Entry(entry) => {
            let headline = text_html(&markup::one_line(&entry.headline()));
            let headline = match entry.link.as_deref().and_then(markup::web_address) {
                Some(url) => format!("<a href=\"{}\">{headline}</a>", escaped(url.as_str())),
                None => headline,
            };
            let lines: String = entry.lines.iter().map(line_html).collect();
            let quote = entry.quote.as_deref().map(folded).unwrap_or_default();
            format!("{}{lines}{quote}", tagged("h4", &headline))
        }
    }
}

fn tagged(tag: &str, html: &str) -> String {
    if html.is_empty() {
        String::new()
    } else {
        format!("<{tag}>{html}</{tag}>")
    }
}

fn line_html(line: &Line) -> String {
    if !line.iter().any(|span| markup::has_visible(&styled(span).1)) {
        return String::new();
    }
    let span = |span: &Span| match styled(span) {
        (Style::Plain | Style::Quote, text) => text_html(&text),
        (Style::Bold, text) => tagged("b", &escaped(&text)),
        (Style::Italic, text) => tagged("i", &escaped(&text)),
        (Style::Code, text) => tagged("code", &escaped(&text)),
        (Style::Link(url) | Style::BoldLink(url), text) => {
            format!("<a href=\"{}\">{}</a>", escaped(url.as_str()), escaped(&text))
        }
    };
    tagged("p", line.iter().map(span).collect::<String>().trim())
}

/// A long text: its beginning is seen, the rest unfolds below it.
fn folded(quote: &str) -> String {
    let quote = markup::paragraphs(quote);
    if !markup::has_visible(&quote) {
        return String::new();
    }
    let mut texts: Vec<String> = quote.split("\n\n").map(|text| text.replace('\n', " ")).collect();
    let first = texts.remove(0);
    let teaser = teaser(&first);
    let below: String = match first.get(teaser.len()..).map(str::trim) {
        Some("") | None => String::new(),
        Some(rest) => tagged("p", &format!("…{}", text_html(rest))),
    };
    let all = texts
        .iter()
        .fold(below.clone(), |all, text| all + &tagged("p", &text_html(text)));
    if all.is_empty() {
        return tagged("p", &text_html(&first));
    }
    let mark = if below.is_empty() { "" } else { "…" };
    let summary = tagged("summary", &format!("{}{mark}", text_html(teaser)));
    format!("<details>{summary}{all}</details>")
}

/// The beginning of a text, whole words and formulas if it has any.
fn teaser(text: &str) -> &str {
    let shortened = ellipsis(text, TEASER_CHARS);
    let Some(kept) = shortened.strip_suffix('…').and_then(|kept| text.get(..kept.len())) else {
        return text;
    };
    let whole = kept.rsplit_once(' ').map_or(kept, |(words, _)| words);
    match whole.rsplit_once('$') {
        Some((before, _)) if whole.matches('$').count() % 2 == 1 && !before.is_empty() => before.trim_end(),
        Some(_) | None => whole,
    }
}

/// Text in which what is surely a formula is shown as one.
fn text_html(text: &str) -> String {
    let text = text.replace("$$", "$");
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, behind)) = rest.split_once('$') {
        out.push_str(&escaped(before));
        match behind.split_once('$') {
            Some((formula, after)) if is_formula(formula) && !before.ends_with('\\') => {
                out.push_str(&tagged("tg-math", &escaped(formula)));
                rest = after;
            }
            Some(_) | None => {
                out.push('$');
                rest = behind;
            }
        }
    }
    out.push_str(&escaped(rest));
    out
}

fn is_formula(text: &str) -> bool {
    let whole = text.trim() == text && text.len() <= FORMULA_BYTES;
    whole && text.contains(['\\', '^', '_', '{', '='])
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// How many characters are read of it: every `<` begins a tag, and every `&` the name of one character.
fn length(html: &str) -> usize {
    let mut length = 0;
    let mut inside = None;
    for c in html.chars() {
        if let Some(end) = inside {
            inside = (c != end).then_some(end);
            continue;
        }
        inside = match c {
            '<' => Some('>'),
            '&' => Some(';'),
            _ => None,
        };
        length += usize::from(c != '<');
    }
    length
}

/// The same message with all of these; `None` when it has not all those entries, or no room.
pub(super) fn amend(html: &str, amendments: &[Amendment]) -> Option<String> {
    let mut html = html.to_owned();
    for Amendment { number, mark, line } in amendments {
        let (title, end) = headlines(&html).find_map(|(n, title, end)| (n == *number).then_some((title, end)))?;
        if let Some(line) = line {
            html.insert_str(end, &tagged("p", &tagged("i", &escaped(line))));
        }
        if let Some(mark) = mark {
            html.insert_str(title, &format!("{mark} "));
        }
    }
    (length(&html) <= CHARS).then_some(html)
}

/// The number of each entry, where its title begins, and where its headline ends.
fn headlines(html: &str) -> impl Iterator<Item = (u32, usize, usize)> {
    html.match_indices("<h4>").filter_map(|(at, tag)| {
        let inside = at + tag.len();
        let (headline, _) = html.get(inside..)?.split_once("</h4>")?;
        let text = match headline.strip_prefix("<a ") {
            Some(link) => link.split_once('>')?.1,
            None => headline,
        };
        let (number, title) = text.split_once(". ")?;
        let end = inside + headline.len();
        Some((number.parse().ok()?, end - title.len(), end + "</h4>".len()))
    })
}

/// Whether a message, as Telegram gives it back, is this part: its first title stands in it. The form in which Telegram
/// gives it has kinds of blocks for everything; only their letters and digits are looked at.
pub(super) fn is_in(part: &Value, message: &Value) -> bool {
    let Some(html) = part.pointer("/rich_message/html").and_then(Value::as_str) else {
        return false;
    };
    let begun = html.split_once("<h4>").or_else(|| html.split_once("<h2>"));
    let Some((_, first)) = begun else { return false };
    let title = first.split_once("</h").map_or(first, |(title, _)| title);
    let sought = letters(&without_tags(title));
    let mut shown = String::new();
    message.get(FIELD).into_iter().for_each(|rich| words(rich, &mut shown));
    !sought.is_empty() && letters(&shown).contains(&sought)
}

fn words(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => out.push_str(text),
        Value::Array(all) => all.iter().for_each(|value| words(value, out)),
        Value::Object(fields) => {
            let said = fields
                .iter()
                .filter(|(field, _)| !matches!(field.as_str(), "type" | "url"));
            said.for_each(|(_, value)| words(value, out));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn without_tags(html: &str) -> String {
    let mut pieces = html.split('<');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    pieces.for_each(|piece| text.push_str(piece.split_once('>').map_or("", |(_, text)| text)));
    ["&amp;", "&lt;", "&gt;", "&quot;"]
        .iter()
        .fold(text, |text, name| text.replace(name, ""))
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use paperwire_core::message::plain;
    use proptest::prelude::*;

    use super::super::{amend as parts, keyboard};
    use super::*;

    fn paper(number: u32, title: &str, quote: &str) -> Block {
        Block::Entry(Entry {
            number: Some(number),
            title: title.to_owned(),
            link: Some(format!("https://arxiv.org/abs/2510.{number:05}?a=1&b=2")),
            lines: vec![vec![Span::Plain("A brief. ".into()), Span::Dim("MIT".into())]],
            quote: Some(quote.to_owned()),
        })
    }

    fn digest(blocks: impl IntoIterator<Item = Block>) -> Message {
        let heading = Block::Heading("Systems · 9 Oct".into());
        Message {
            running_title: "Systems · 9 Oct".into(),
            blocks: std::iter::once(heading).chain(blocks).collect(),
        }
    }

    fn bodies(message: &Message) -> Vec<Value> {
        let parse = |part: &Part| serde_json::from_str(&part.payload).unwrap();
        render(message).iter().map(parse).collect()
    }

    fn html_of(body: &Value) -> &str {
        body["rich_message"]["html"].as_str().unwrap()
    }

    #[test]
    fn a_paper_is_a_linked_heading_its_lines_and_an_abstract_that_folds() {
        let quote = format!(
            "We show <b> & more: $\\frac{{a}}{{b}}$ for $5 or $6. {}",
            "Word ".repeat(30)
        );
        let [body] = bodies(&digest([paper(4, "A $O(n^2)$ \"fast\" method", &quote)]))
            .try_into()
            .unwrap();
        let words = "Word ".repeat(30);
        assert_eq!(
            html_of(&body),
            format!(
                "<h2>Systems · 9 Oct</h2>\
                 <h4><a href=\"https://arxiv.org/abs/2510.00004?a=1&amp;b=2\">4. A <tg-math>O(n^2)</tg-math> \
                 &quot;fast&quot; method</a></h4><p>A brief. <i>MIT</i></p>\
                 <details><summary>We show &lt;b&gt; &amp; more: <tg-math>\\frac{{a}}{{b}}</tg-math> for…</summary>\
                 <p>…$5 or $6. {}</p></details>",
                words.trim()
            )
        );
        assert_eq!(body["rich_message"]["skip_entity_detection"], true);
        let text = body["text"].as_str().unwrap();
        assert!(text.contains("4. A $O(n^2)$") && text.contains("Word Word"), "{text}");
        let short = bodies(&digest([paper(1, "T", "A short abstract.")]));
        assert!(html_of(&short[0]).ends_with("<p>A short abstract.</p>"));
    }

    #[test]
    fn what_folds_is_torn_apart_between_words_and_reads_on_without_a_repetition() {
        let long = "word ".repeat(20);
        for (quote, expected) in [
            (
                long.as_str(),
                ("word word word word word word word word word…", "…word word word word"),
            ),
            (
                "推".repeat(60).as_str(),
                (format!("{}…", "推".repeat(47)).as_str(), "…推推推推推推推推推推推推推"),
            ),
            ("A short one.\n\nAnd another.", ("A short one.", "And another.")),
        ] {
            let html = folded(quote);
            let (summary, below) = (
                format!("<summary>{}</summary>", expected.0),
                format!("<p>{}", expected.1),
            );
            assert!(html.contains(&summary) && html.contains(&below), "{html}");
        }
        assert_eq!(folded("A short one."), "<p>A short one.</p>");
        assert_eq!(folded(" \n\n \u{200b}"), "");
    }

    #[test]
    fn a_report_of_21_papers_with_their_abstracts_is_one_message_and_its_short_form_has_every_title() {
        let abstract_ = "An abstract of the usual length. ".repeat(40);
        let papers = (1..=21).map(|n| paper(n, &format!("Paper {n} about caching and its many uses"), &abstract_));
        let [part] = render(&digest(papers)).try_into().unwrap();
        assert_eq!(parts::numbers(&part), (1..=21).collect::<Vec<_>>());
        let body: Value = serde_json::from_str(&part.payload).unwrap();
        assert!(html_of(&body).chars().count() > 21 * 1_000);
        assert!(
            body["text"].as_str().unwrap().contains("A brief.") && !body["text"].as_str().unwrap().contains("usual")
        );
    }

    #[test]
    fn what_is_too_long_for_one_goes_on_in_a_second_that_makes_no_sound() {
        let papers = (1..=30).map(|n| paper(n, "A title", &"Many words. ".repeat(200)));
        let all = bodies(&digest(papers));
        let total = all.len();
        assert!(total > 1);
        for (i, body) in all.iter().enumerate() {
            let heading = format!("<h2>Systems · 9 Oct {}/{total}</h2>", i + 1);
            assert!(html_of(body).starts_with(&heading), "{body}");
            assert_eq!(body.get("disable_notification").is_some(), i > 0);
        }
    }

    #[test]
    fn a_correction_marks_both_forms_and_nothing_that_only_looks_like_an_entry() {
        let misleading = "<h4>2. No entry</h4>";
        let message = digest([paper(1, misleading, "q"), paper(2, "Second", "q")]);
        let [part] = render(&message).try_into().unwrap();
        let correction = Amendment {
            number: 2,
            mark: Some('✎'),
            line: Some("New <version>".to_owned()),
        };
        let amended = parts::amend(&part, std::slice::from_ref(&correction)).unwrap();
        let body: Value = serde_json::from_str(&amended.payload).unwrap();
        let expected = "2. ✎ Second</a></h4><p><i>New &lt;version&gt;</i></p><p>A brief.";
        assert!(html_of(&body).contains(expected), "{body}");
        assert!(html_of(&body).contains("1. &lt;h4&gt;2. No entry"), "{body}");
        assert!(
            body["text"]
                .as_str()
                .unwrap()
                .contains("2. ✎ Second\nNew <version>\nA brief."),
            "{body}"
        );
        let missing = Amendment {
            number: 3,
            ..correction
        };
        assert_eq!(parts::amend(&part, &[missing]), None);
    }

    #[test]
    fn a_posted_part_is_known_by_its_first_title_in_whatever_blocks_it_comes_back() {
        let body = |title: &str| bodies(&digest([paper(1, title, "q")])).remove(0);
        let back = json!({"rich_message": {"blocks": [
            {"type": "section_heading", "text": "Systems · 9 Oct", "size": 2},
            {"type": "section_heading", "size": 4, "text": {"type": "url", "url": "https://arxiv.org", "text": [
                "1. A ", {"type": "mathematical_expression", "expression": "n^2"}, " “fast” & small",
            ]}},
        ]}});
        assert!(is_in(&body("A $n^2$ \"fast\" & small"), &back));
        assert!(!is_in(&body("Another"), &back));
        assert!(!is_in(&body("A"), &json!({"text": "1. A"})));
        assert!(is_in(&bodies(&digest([]))[0], &back), "by its heading");
    }

    #[test]
    fn a_plain_part_has_nothing_but_text() {
        let [part] = render(&digest([paper(1, "T", "q")])).try_into().unwrap();
        let plain: Value = serde_json::from_str(&markup::plain(&part).payload).unwrap();
        assert!(plain.get("rich_message").is_none() && plain.get("entities").is_none());
        assert!(plain["text"].as_str().unwrap().contains("1. T"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn both_forms_keep_their_limits_and_every_entry_stands_once_in_order(
            entries in prop::collection::vec(("T\\PC{0,300}", "\\PC{0,200}", 0_usize..25), 0..30),
            heading in "H\\PC{0,300}",
        ) {
            let papers = (1..).zip(&entries).map(|(n, (title, quote, times))| paper(n, title, &quote.repeat(*times)));
            let message = Message {
                running_title: heading.clone(),
                blocks: std::iter::once(Block::Heading(heading)).chain(papers).collect(),
            };
            let mut numbers = Vec::new();
            for part in render(&message) {
                let body: Value = serde_json::from_str(&part.payload).unwrap();
                let html = html_of(&body);
                prop_assert!(length(html) <= CHARS);
                prop_assert!(html.matches('<').count() / 2 <= 4 * BLOCKS);
                let opened: Vec<&str> = html.split('<').skip(1).filter(|tag| !tag.starts_with('/')).collect();
                let closed = html.matches("</").count();
                prop_assert_eq!(opened.len(), closed);
                let text = body["text"].as_str().unwrap();
                prop_assert!((1..=markup::UNITS).contains(&markup::units(text)));
                prop_assert_eq!(headlines(html).map(|(n, _, _)| n).collect::<Vec<_>>(), parts::numbers(&part));
                numbers.extend(parts::numbers(&part));
                let tag = paperwire_core::delivery::Tag::only("key");
                prop_assert!(keyboard::of_part(&part, &tag).is_object());
            }
            prop_assert_eq!(numbers, (1..).take(entries.len()).collect::<Vec<u32>>());
        }

        #[test]
        fn no_text_becomes_a_tag_and_every_character_is_counted_once(text in "[<>&\"$\\\\^_a-z ]{0,60}") {
            let html = text_html(&text).replace("<tg-math>", "").replace("</tg-math>", "");
            prop_assert!(!html.contains(['<', '>', '"']), "{}", html);
            prop_assert_eq!(length(&html), html.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").chars().count());
        }
    }

    #[test]
    fn a_message_without_anything_to_see_is_still_a_message() {
        for message in [Message::default(), Message::line(plain(" \u{200b}"))] {
            let [body] = bodies(&message).try_into().unwrap();
            assert_eq!((html_of(&body), &body["text"]), ("<p>…</p>", &json!("…")));
        }
    }
}
