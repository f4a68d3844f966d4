//! What a message looks like on the page. The one part of a message is the message itself as JSON; it becomes HTML when
//! somebody looks, so that a better page shows old digests better too.

use paperwire_core::locale::Lang;
use paperwire_core::message::{Amendment, Block, Entry, Line, Message, Part, Span};
use paperwire_core::paper::PaperId;

use super::html::{Html, is_web_address, lang_of, path};
use super::words;

/// The parts of a message: always one, a page has no limit of length.
pub fn render(message: &Message) -> Vec<Part> {
    // A message is strings and numbers alone, which serde_json cannot fail on; an empty payload would be shown as damaged.
    let payload = serde_json::to_string(message).unwrap_or_default();
    vec![Part { payload }]
}

/// The message that a payload of [`render`] holds; `None` when it holds none.
pub fn read(part: &Part) -> Option<Message> {
    serde_json::from_str(&part.payload).ok()
}

/// The numbers of the entries in a part.
pub fn numbers(part: &Part) -> Vec<u32> {
    let blocks = read(part).map(|message| message.blocks).unwrap_or_default();
    let number = |block| match block {
        Block::Entry(entry) => entry.number,
        Block::Heading(_) | Block::Paragraph(_) => None,
    };
    blocks.into_iter().filter_map(number).collect()
}

/// A part with these added to its entries; `None` when it holds no message.
pub fn amend(part: &Part, amendments: &[Amendment]) -> Option<Part> {
    let mut message = read(part)?;
    message.amend(amendments);
    render(&message).pop()
}

/// The message as HTML; `reader` is the language of the words that the page adds.
pub fn html(message: &Message, reader: Lang) -> String {
    let mut h = Html::default();
    write(&mut h, &message.blocks, reader, None);
    h.finish()
}

/// The message as a document of its own, to be kept as a file.
pub fn standalone(message: &Message, reader: Lang) -> String {
    let mut h = Html::alone();
    h.el("html", &[("lang", super::pages::code(reader))], |h| {
        h.el("head", &[], |h| {
            h.tag("meta", &[("charset", "utf-8")]);
            let viewport = [("name", "viewport"), ("content", "width=device-width, initial-scale=1")];
            h.tag("meta", &viewport);
            h.tag("meta", &[("name", "color-scheme"), ("content", "light dark")]);
            h.leaf("title", &[], &message.running_title);
            h.style(super::assets::STYLE.body);
        });
        h.el("body", &[], |h| {
            h.el("main", &[], |h| write(h, &message.blocks, reader, None))
        });
    });
    h.finish()
}

/// What heads a message (its own heading, else its running title), and what follows.
pub(super) fn split(message: &Message) -> (&str, &[Block]) {
    match message.blocks.split_first() {
        Some((Block::Heading(text), rest)) => (text, rest),
        Some((Block::Paragraph(_) | Block::Entry(_), _)) | None => (&message.running_title, &message.blocks),
    }
}

/// Where votes for the papers of a post go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ballot<'a> {
    /// The address of the form.
    pub action: &'a str,
    /// The id of the post's message.
    pub message: &'a str,
}

/// Writes what a message says; with a ballot, each numbered entry can be voted for.
pub(super) fn write(h: &mut Html, blocks: &[Block], reader: Lang, ballot: Option<Ballot<'_>>) {
    let mut rest = blocks;
    while let Some((block, tail)) = rest.split_first() {
        match block {
            Block::Heading(text) => h.leaf("h2", &[("lang", lang_of(text))], text),
            Block::Paragraph(line) => h.el("p", &[("class", "line")], |h| spans(h, line)),
            Block::Entry(_) => {
                let run = rest.iter().take_while(|b| matches!(b, Block::Entry(_))).count();
                let (entries, after) = rest.split_at(run);
                // A list whose markers the style takes away is still a list for a screen reader when it says so.
                h.el("ol", &[("class", "entries"), ("role", "list")], |h| {
                    for block in entries {
                        if let Block::Entry(each) = block {
                            entry(h, each, reader, ballot);
                        }
                    }
                });
                rest = after;
                continue;
            }
        }
        rest = tail;
    }
}

fn entry(h: &mut Html, entry: &Entry, reader: Lang, ballot: Option<Ballot<'_>>) {
    let class = if entry.number.is_some() {
        "entry"
    } else {
        "entry unnumbered"
    };
    h.el("li", &[("class", class)], |h| {
        if let Some(number) = entry.number {
            h.leaf("span", &[("class", "number")], &number.to_string());
        }
        h.el("div", &[("class", "body")], |h| {
            h.el("h3", &[("lang", lang_of(&entry.title))], |h| title(h, entry));
            for line in &entry.lines {
                h.el("p", &[("class", "line")], |h| spans(h, line));
            }
            if let Some(quote) = &entry.quote {
                quoted(h, quote, reader);
            }
            if let (Some(number), Some(ballot)) = (entry.number, ballot) {
                votes(h, number, reader, ballot);
            }
        });
    });
}

fn votes(h: &mut Html, number: u32, reader: Lang, ballot: Ballot<'_>) {
    let attrs = [("class", "press votes"), ("method", "post"), ("action", ballot.action)];
    h.el("form", &attrs, |h| {
        h.tag(
            "input",
            &[("type", "hidden"), ("name", "message"), ("value", ballot.message)],
        );
        for (sign, kind, name) in [
            ("👍", "u", reader.vote_up()),
            ("👎", "d", reader.vote_down()),
            ("🔖", "s", reader.vote_save()),
        ] {
            let (data, label) = (format!("{kind}:{number}"), words::vote_for(reader, name, number));
            let attrs = [
                ("name", "data"),
                ("value", data.as_str()),
                ("title", name),
                ("aria-label", &label),
            ];
            h.leaf("button", &attrs, sign);
        }
    });
}

/// A digest's entry leads to the paper's own page here, which has the links out; anything else leads where it says.
fn title(h: &mut Html, entry: &Entry) {
    let Some(link) = entry.link.as_deref().filter(|link| is_web_address(link)) else {
        return h.text(&entry.title);
    };
    match link.parse::<PaperId>() {
        Ok(id) if entry.number.is_some() && h.has_pages() => {
            h.leaf("a", &[("href", &path("/paper/", &id.to_string()))], &entry.title);
        }
        Ok(_) | Err(_) => h.link_out("out", &entry.title, link),
    }
}

/// Long text, folded.
pub(super) fn quoted(h: &mut Html, text: &str, reader: Lang) {
    h.el("details", &[("class", "quote")], |h| {
        h.leaf("summary", &[], words::abstract_(reader));
        paragraphs(h, text);
    });
}

/// A paragraph for each line that is not empty.
pub(super) fn paragraphs(h: &mut Html, text: &str) {
    for paragraph in text.lines().filter(|line| !line.trim().is_empty()) {
        h.leaf("p", &[("lang", lang_of(text))], paragraph);
    }
}

fn spans(h: &mut Html, line: &Line) {
    for span in line {
        match span {
            Span::Plain(text) => h.text(text),
            Span::Bold(text) => h.leaf("strong", &[], text),
            Span::Dim(text) => h.leaf("span", &[("class", "dim")], text),
            Span::Code(text) => h.leaf("code", &[], text),
            Span::Link { label, url } => h.link_out("out", label, url),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads HTML of the writer's own kind back: the texts between tags, in order. Panics when a tag is not closed where it
    /// was opened, or when anything looks like a tag that the page does not use.
    pub(crate) fn texts(html: &str) -> Vec<String> {
        let mut open: Vec<&str> = Vec::new();
        let mut texts = Vec::new();
        let mut rest = html;
        while let Some(at) = rest.find('<') {
            let (text, tail) = rest.split_at(at);
            if !text.is_empty() {
                texts.push(unescape(text));
            }
            let end = tail.find('>').expect("a tag ends");
            let tag = &tail[1..end];
            rest = &tail[end + 1..];
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "closed where it was opened");
                continue;
            }
            let (name, attrs) = tag.split_once(' ').unwrap_or((tag, ""));
            assert!(
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'!'),
                "<{tag}>"
            );
            assert_eq!(
                attrs.matches('"').count() % 2,
                0,
                "quotes in attributes are paired: {attrs}"
            );
            assert!(
                !attrs.contains("href=\"")
                    || attrs.contains("href=\"/")
                    || attrs.contains("href=\"#")
                    || attrs.contains("href=\"data:image/svg")
                    || (attrs.contains("href=\"data:") && attrs.contains("download=\""))
                    || attrs.contains("href=\"http"),
                "{attrs}"
            );
            if !matches!(name, "meta" | "link" | "input" | "br" | "!doctype") {
                open.push(name);
            }
        }
        assert_eq!(open, Vec::<&str>::new(), "everything is closed");
        assert!(!rest.contains('>'));
        texts.extend((!rest.is_empty()).then(|| unescape(rest)));
        texts
    }

    fn unescape(text: &str) -> String {
        assert!(!text.contains(['>', '"', '\'']), "escaped: {text}");
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&#39;", "'")
            .replace("&amp;", "&")
    }

    fn hostile() -> impl Strategy<Value = String> {
        prop_oneof![
            "[<>&\"'/= a-z\\n]{1,24}",
            "\\PC{1,16}",
            Just("</h3><script>alert(1)</script>".to_owned()),
            Just("\" onmouseover=\"x".to_owned()),
        ]
    }

    fn span() -> impl Strategy<Value = Span> {
        prop_oneof![
            hostile().prop_map(Span::Plain),
            hostile().prop_map(Span::Bold),
            hostile().prop_map(Span::Dim),
            hostile().prop_map(Span::Code),
            (
                hostile(),
                prop_oneof![
                    hostile(),
                    hostile().prop_map(|s| format!("https://{s}")),
                    Just("javascript:x".to_owned())
                ]
            )
                .prop_map(|(label, url)| Span::Link { label, url }),
        ]
    }

    fn block() -> impl Strategy<Value = Block> {
        let entry = (
            prop::option::of(1_u32..99),
            hostile(),
            prop::option::of(hostile().prop_map(|s| format!("https://x.org/{s}"))),
            prop::collection::vec(prop::collection::vec(span(), 0..3), 0..3),
        )
            .prop_map(|(number, title, link, lines)| {
                Block::Entry(Entry {
                    number,
                    title,
                    link,
                    lines,
                    quote: None,
                })
            });
        prop_oneof![
            hostile().prop_map(Block::Heading),
            prop::collection::vec(span(), 0..4).prop_map(Block::Paragraph),
            entry
        ]
    }

    proptest! {
        #[test]
        fn whatever_a_message_says_reaches_the_reader_as_text_and_never_as_markup(
            blocks in prop::collection::vec(block(), 0..6),
        ) {
            let message = Message { running_title: String::new(), blocks };
            let shown: String = texts(&html(&message, Lang::En)).concat();
            let mut said = String::new();
            for block in &message.blocks {
                match block {
                    Block::Heading(text) => said.push_str(text),
                    Block::Paragraph(line) => line.iter().for_each(|s| said.push_str(s.text())),
                    Block::Entry(entry) => {
                        entry.number.iter().for_each(|n| said.push_str(&n.to_string()));
                        said.push_str(&entry.title);
                        entry.lines.iter().flatten().for_each(|s| said.push_str(s.text()));
                    }
                }
            }
            prop_assert_eq!(shown, said);
        }

        #[test]
        fn a_message_comes_back_from_its_one_part(blocks in prop::collection::vec(block(), 0..6)) {
            let message = Message { running_title: "T".into(), blocks };
            let parts = render(&message);
            prop_assert_eq!(parts.len(), 1);
            prop_assert_eq!(read(&parts[0]), Some(message));
        }
    }

    #[test]
    fn an_entry_leads_to_the_papers_own_page_and_folds_its_abstract() {
        let message = Message {
            running_title: String::new(),
            blocks: vec![Block::Entry(Entry {
                number: Some(4),
                title: "A <b> title".into(),
                link: Some("https://arxiv.org/abs/2510.09212v2".into()),
                lines: vec![],
                quote: Some("One.\n\nTwo.".into()),
            })],
        };
        assert_eq!(
            html(&message, Lang::En),
            "<ol class=\"entries\" role=\"list\"><li class=\"entry\"><span class=\"number\">4</span><div class=\"body\">\
             <h3 lang=\"en\"><a href=\"/paper/arxiv:2510.09212\">A &lt;b&gt; title</a></h3>\
             <details class=\"quote\"><summary>Abstract</summary><p lang=\"en\">One.</p><p lang=\"en\">Two.</p></details>\
             </div></li></ol>"
        );
    }
}
