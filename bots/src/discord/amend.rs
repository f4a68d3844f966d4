//! Adding to a part that is posted already: a mark before the title of an entry's embed and a line above its description.
//! Nothing else of the part changes.

use paperwire_core::message::{Amendment, Part};
use serde_json::Value;

use super::markup::{DESCRIPTION, EMBED_TEXT, TITLE, escaped, units};

/// The numbers of the entries in a part.
pub fn numbers(part: &Part) -> Vec<u32> {
    let body: Value = serde_json::from_str(&part.payload).unwrap_or_default();
    embeds(&body).filter_map(|embed| Some(numbered(embed)?.0)).collect()
}

/// The part with all of these; `None` when it has not all those entries, or no room.
pub fn amend(part: &Part, amendments: &[Amendment]) -> Option<Part> {
    let mut body: Value = serde_json::from_str(&part.payload).ok()?;
    for Amendment { number, mark, line } in amendments {
        let mut all = body.get_mut("embeds")?.as_array_mut()?.iter_mut();
        let embed = all.find(|embed| numbered(embed).is_some_and(|(found, _)| found == *number))?;
        let title = format!("{number}. {mark} {}", numbered(embed)?.1);
        let said = said(embed, "description");
        let description = match line {
            None => said.to_owned(),
            Some(line) => format!("{}\n{said}", escaped(line)).trim_end().to_owned(),
        };
        if units(&title) > TITLE || units(&description) > DESCRIPTION {
            return None;
        }
        let fields = embed.as_object_mut()?;
        fields.insert("title".to_owned(), title.into());
        if !description.is_empty() {
            fields.insert("description".to_owned(), description.into());
        }
    }
    let text = |embed| units(said(embed, "title")) + units(said(embed, "description"));
    let fits = embeds(&body).map(text).sum::<usize>() <= EMBED_TEXT;
    fits.then(|| Part {
        payload: body.to_string(),
    })
}

fn embeds(body: &Value) -> impl Iterator<Item = &Value> {
    body.get("embeds").and_then(Value::as_array).into_iter().flatten()
}

fn said<'a>(embed: &'a Value, field: &str) -> &'a str {
    embed.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// An entry's number and what stands behind it in its title.
fn numbered(embed: &Value) -> Option<(u32, &str)> {
    // An entry without a title is its number alone.
    let (number, title) = said(embed, "title").split_once('.')?;
    Some((number.parse().ok()?, title.trim_start()))
}

#[cfg(test)]
mod tests {
    use paperwire_core::message::{Block, Entry, Message, plain};
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
            mark: '⊘',
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

    proptest! {
        #[test]
        fn an_amended_part_has_the_same_entries_and_keeps_the_limits(
            entries in prop::collection::vec(("\\PC{0,80}", "\\PC{0,900}"), 1..30),
            line in "\\PC{0,300}",
            which in 0_usize..4,
        ) {
            for part in render(&message(&entries)) {
                let all = numbers(&part);
                let some: Vec<Amendment> =
                    all.iter().skip(which).step_by(2).map(|number| amendment(*number, &line)).collect();
                if let Some(amended) = amend(&part, &some) {
                    prop_assert_eq!(numbers(&amended), all);
                    let text: usize = embeds(&body(&amended))
                        .map(|embed| units(said(embed, "title")) + units(said(embed, "description")))
                        .sum();
                    prop_assert!(text <= EMBED_TEXT);
                    for embed in embeds(&body(&amended)) {
                        prop_assert!(units(said(embed, "title")) <= TITLE && units(said(embed, "description")) <= DESCRIPTION);
                    }
                }
            }
        }
    }
}
