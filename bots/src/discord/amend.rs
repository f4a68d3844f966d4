//! Adding to a part that is posted already: a mark before an entry's title and a line below it, whether the entry has an
//! embed of its own or shares one. Nothing else of the part changes.

use std::ops::Range;

use paperwire_core::message::{Amendment, Part};
use serde_json::Value;

use super::markup::{APART, DESCRIPTION, EMBED_TEXT, TITLE, escaped, unescaped, units};

/// The numbers of the entries in a part.
pub fn numbers(part: &Part) -> Vec<u32> {
    let body: Value = serde_json::from_str(&part.payload).unwrap_or_default();
    embeds(&body).flat_map(entries).map(|(number, _)| number).collect()
}

/// The numbers of the entries in a part with their titles as people read them.
pub(super) fn titles(part: &Part) -> Vec<(u32, String)> {
    let body: Value = serde_json::from_str(&part.payload).unwrap_or_default();
    let title = |embed: &Value, spot| match spot {
        Spot::Title => said(embed, "title").to_owned(),
        Spot::Headline(range) => {
            let headline = said(embed, "description").get(range).unwrap_or_default();
            let linked = headline.strip_prefix('[').unwrap_or(headline);
            linked.strip_prefix("**").unwrap_or(linked).to_owned()
        }
    };
    let of = |embed| entries(embed).map(move |(number, spot)| (number, title(embed, spot)));
    let all = embeds(&body).flat_map(of);
    all.map(|(number, headline)| {
        let title = numbered(&headline).map_or("", |(_, title)| title);
        (number, unescaped(title))
    })
    .collect()
}

/// The part with all of these; `None` when it has not all those entries, or no room.
pub fn amend(part: &Part, amendments: &[Amendment]) -> Option<Part> {
    let mut body: Value = serde_json::from_str(&part.payload).ok()?;
    for amendment in amendments {
        let mut all = body.get_mut("embeds")?.as_array_mut()?.iter_mut();
        let found = all.find_map(|embed| {
            let (_, spot) = entries(embed).find(|(number, _)| *number == amendment.number)?;
            Some((embed, spot))
        });
        let (embed, spot) = found?;
        let (title, description) = put(embed, spot, amendment)?;
        if units(&title) > TITLE || units(&description) > DESCRIPTION {
            return None;
        }
        let fields = embed.as_object_mut()?;
        for (field, text) in [("title", title), ("description", description)] {
            if !text.is_empty() {
                fields.insert(field.to_owned(), text.into());
            }
        }
    }
    let fits = embeds(&body).map(length).sum::<usize>() <= EMBED_TEXT;
    fits.then(|| Part {
        payload: body.to_string(),
    })
}

/// Title and description of an embed with what is said of the entry at `spot`.
fn put(embed: &Value, spot: Spot, Amendment { number, mark, line }: &Amendment) -> Option<(String, String)> {
    let (title, description) = (said(embed, "title"), said(embed, "description"));
    let line = line.as_deref().map(escaped);
    match spot {
        Spot::Title => {
            let title = match mark {
                Some(mark) => format!("{number}. {mark} {}", numbered(title)?.1),
                None => title.to_owned(),
            };
            let description = match line {
                None => description.to_owned(),
                // This one says nothing more: another one has begun.
                Some(line) if headlines(description).any(|(_, spot)| spot.begins_at(0)) => {
                    format!("{line}{APART}{description}")
                }
                Some(line) => format!("{line}\n{description}").trim_end().to_owned(),
            };
            Some((title, description))
        }
        Spot::Headline(Range { start, end }) => {
            let (before, headline, after) = (
                description.get(..start)?,
                description.get(start..end)?,
                description.get(end..)?,
            );
            let (open, rest) = headline.split_at(headline.find(|c: char| c.is_ascii_digit())?);
            let behind = numbered(rest)?.1;
            // An entry without a title ends with its number.
            let apart = if behind.starts_with("**") { "" } else { " " };
            let line = line.map(|line| format!("\n{line}")).unwrap_or_default();
            let rest = match mark {
                Some(mark) => format!("{number}. {mark}{apart}{behind}"),
                None => rest.to_owned(),
            };
            let description = format!("{before}{open}{rest}{line}{after}");
            Some((title.to_owned(), description))
        }
    }
}

/// Where an entry begins in its embed.
enum Spot {
    /// It has the embed's title.
    Title,
    /// In the description, from its first byte to the end of the line.
    Headline(Range<usize>),
}

impl Spot {
    fn begins_at(&self, at: usize) -> bool {
        match self {
            Self::Title => false,
            Self::Headline(range) => range.start == at,
        }
    }
}

/// The entries of an embed, in order.
fn entries(embed: &Value) -> impl Iterator<Item = (u32, Spot)> {
    let own = numbered(said(embed, "title")).map(|(number, _)| (number, Spot::Title));
    own.into_iter().chain(headlines(said(embed, "description")))
}

/// The bold lines that begin with a number and stand at the head of a card: a paper's own text has its asterisks and
/// brackets escaped, and a heading the dot behind a number.
fn headlines(description: &str) -> impl Iterator<Item = (u32, Spot)> {
    let mut at = 0;
    description.split(APART).filter_map(move |card| {
        let start = at;
        at += card.len() + APART.len();
        let headline = card.split('\n').next().unwrap_or_default();
        let bold = headline.strip_prefix('[').unwrap_or(headline).strip_prefix("**");
        let (number, _) = bold.and_then(numbered)?;
        Some((number, Spot::Headline(start..start + headline.len())))
    })
}

/// Characters of an embed that count.
fn length(embed: &Value) -> usize {
    let footer = embed.get("footer").map_or("", |footer| said(footer, "text"));
    units(said(embed, "title")) + units(said(embed, "description")) + units(footer)
}

fn embeds(body: &Value) -> impl Iterator<Item = &Value> {
    body.get("embeds").and_then(Value::as_array).into_iter().flatten()
}

fn said<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// An entry's number and what stands behind it in its headline.
fn numbered(headline: &str) -> Option<(u32, &str)> {
    // An entry without a title is its number alone.
    let (number, title) = headline.split_once('.')?;
    Some((number.parse().ok()?, title.trim_start()))
}

#[cfg(test)]
mod tests {
    use paperwire_core::message::{Block, Entry, Message, Span, plain};
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::markup::render;
    use super::*;

    fn message(entries: &[(String, String)]) -> Message {
        let mut blocks = vec![Block::Heading("Caching".to_owned())];
        blocks.extend((1..).zip(entries).map(|(number, (title, line))| {
            Block::Entry(Entry {
                number: Some(number),
                title: title.clone(),
                link: Some("https://arxiv.org/abs/2510.00001".to_owned()),
                lines: vec![plain(line)],
                quote: None,
            })
        }));
        Message {
            running_title: "Caching".to_owned(),
            blocks,
        }
    }

    fn amendment(number: u32, line: &str) -> Amendment {
        Amendment {
            number,
            mark: Some('⊘'),
            line: (!line.is_empty()).then(|| line.to_owned()),
        }
    }

    fn body(part: &Part) -> Value {
        serde_json::from_str(&part.payload).unwrap()
    }

    #[test]
    fn a_mark_and_a_line_are_added_to_one_embed_and_the_rest_stays() {
        let entries = [("First", "a"), ("Second", "b")].map(|(title, line)| (title.to_owned(), line.to_owned()));
        let [part] = render(&message(&entries)).try_into().unwrap();
        let amended = amend(&part, &[amendment(2, "Withdrawn, *9 Oct*.")]).unwrap();
        let mut expected = body(&part);
        expected["embeds"][1]["title"] = json!("2. ⊘ Second");
        expected["embeds"][1]["description"] = json!("Withdrawn, \\*9 Oct\\*.\nb");
        assert_eq!(body(&amended), expected);
        assert_eq!(amend(&part, &[amendment(3, "")]), None);
        let long = [("x".repeat(300), "a".to_owned())];
        let [part] = render(&message(&long)).try_into().unwrap();
        assert_eq!(amend(&part, &[amendment(1, "")]), None);
    }

    /// As many short papers, and a closing line that becomes a footer.
    fn shared(count: usize) -> Part {
        let entries = vec![("On pruning".to_owned(), "A brief of one sentence.".to_owned()); count];
        let mut message = message(&entries);
        message
            .blocks
            .push(Block::Paragraph(vec![Span::Dim("Sources: arXiv".to_owned())]));
        let [part] = render(&message).try_into().unwrap();
        part
    }

    #[test]
    fn of_25_papers_in_shared_embeds_the_17th_gets_its_mark_and_its_line() {
        let part = shared(25);
        assert_eq!(
            (numbers(&part), embeds(&body(&part)).count() <= 10),
            ((1..=25).collect(), true)
        );
        let amended = amend(&part, &[amendment(17, "Withdrawn, *9 Oct*.")]).unwrap();
        let link = "**](https://arxiv.org/abs/2510.00001)\n";
        let posted = format!("[**17. On pruning{link}A brief");
        let corrected = format!("[**17. ⊘ On pruning{link}Withdrawn, \\*9 Oct\\*.\nA brief");
        let mut expected = body(&part);
        for embed in expected["embeds"].as_array_mut().unwrap() {
            let description = said(embed, "description").replace(&posted, &corrected);
            embed["description"] = description.into();
        }
        assert_ne!(expected, body(&part), "it stands in a shared description");
        assert_eq!((body(&amended), numbers(&amended)), (expected, numbers(&part)));
    }

    #[test]
    fn votes_are_a_line_below_a_title_that_stays_as_it_is() {
        let counted = Amendment {
            mark: None,
            ..amendment(17, "👍 3 👎 1")
        };
        let amended = amend(&shared(25), std::slice::from_ref(&counted)).unwrap();
        let expected = "**17. On pruning**](https://arxiv.org/abs/2510.00001)\n👍 3 👎 1\nA brief";
        assert!(embeds(&body(&amended)).any(|embed| said(embed, "description").contains(expected)));
        let own = render(&message(&[("On pruning".to_owned(), "A brief".to_owned())]));
        let first = Amendment { number: 1, ..counted };
        let amended = body(&amend(&own[0], &[first]).unwrap());
        let said = |field| {
            embeds(&amended)
                .map(|embed| said(embed, field).to_owned())
                .collect::<Vec<_>>()
                .concat()
        };
        assert!(said("title").ends_with("1. On pruning") && said("description").contains("👍 3 👎 1\nA brief"));
        let unnamed = render(&message(&vec![(String::new(), "A brief".to_owned()); 11]));
        let first = Amendment {
            number: 1,
            mark: None,
            line: None,
        };
        assert_eq!(body(&amend(&unnamed[0], &[first]).unwrap()), body(&unnamed[0]));
    }

    #[test]
    fn a_paper_that_says_nothing_below_its_title_keeps_its_line_from_the_next_one() {
        let entries = vec![("On pruning".to_owned(), String::new()); 11];
        let [part] = render(&message(&entries)).try_into().unwrap();
        let amended = amend(&part, &[amendment(1, "Withdrawn."), amendment(2, "")]).unwrap();
        let body = body(&amended);
        assert_eq!(body["embeds"][0]["title"], json!("1. ⊘ On pruning"));
        assert_eq!(
            body["embeds"][0]["description"],
            json!("Withdrawn.\n\n[**2. ⊘ On pruning**](https://arxiv.org/abs/2510.00001)")
        );
    }

    #[test]
    fn a_footer_counts_in_what_the_embeds_may_say_together() {
        let mut full = body(&shared(25));
        let rest = EMBED_TEXT - embeds(&full).map(length).sum::<usize>() - 2;
        let last = full["embeds"].as_array_mut().unwrap().last_mut().unwrap();
        let footer = said(&last["footer"], "text").to_owned();
        last["footer"]["text"] = format!("{footer}{}", "x".repeat(rest)).into();
        let part = Part {
            payload: full.to_string(),
        };
        // A mark and the space behind it are all that is left.
        assert!(amend(&part, &[amendment(17, "")]).is_some());
        assert_eq!(amend(&part, &[amendment(17, ""), amendment(18, "")]), None);
    }

    proptest! {
        #[test]
        fn an_amended_part_has_the_same_entries_and_keeps_the_limits(
            entries in prop::collection::vec(("\\PC{0,80}", "\\PC{0,900}"), 1..30),
            line in "\\PC{0,300}",
            which in 0_usize..4,
        ) {
            let mut found = Vec::new();
            for part in render(&message(&entries)) {
                let all = numbers(&part);
                found.extend(all.clone());
                let some: Vec<Amendment> =
                    all.iter().skip(which).step_by(2).map(|number| amendment(*number, &line)).collect();
                if let Some(amended) = amend(&part, &some) {
                    prop_assert_eq!(numbers(&amended), all);
                    let text: usize = embeds(&body(&amended)).map(length).sum();
                    prop_assert!(text <= EMBED_TEXT);
                    for embed in embeds(&body(&amended)) {
                        prop_assert!(units(said(embed, "title")) <= TITLE && units(said(embed, "description")) <= DESCRIPTION);
                    }
                }
            }
            prop_assert_eq!(found, (1..=u32::try_from(entries.len()).unwrap()).collect::<Vec<_>>());
        }
    }
}
