//! Adding to a part that is posted already: a mark before an entry's title and a line below it. The text grows in place and
//! the entities behind it move along, so that nothing else of the part changes.

use paperwire_core::message::{Amendment, Part};
use serde_json::Value;

use super::markup::UNITS;
use super::rich;

/// The numbers of the entries in a part.
pub fn numbers(part: &Part) -> Vec<u32> {
    let Some(text) = Text::read(part) else {
        return Vec::new();
    };
    let headlines = text.entities().filter_map(|entity| text.headline(entity));
    headlines.map(|headline| headline.number).collect()
}

/// The part with all of these; `None` when it has not all those entries, or no room.
pub fn amend(part: &Part, amendments: &[Amendment]) -> Option<Part> {
    let mut text = Text::read(part)?;
    for Amendment { number, mark, line } in amendments {
        let headline = text.entities().filter_map(|entity| text.headline(entity));
        let Headline { title, end, .. } = headline.into_iter().find(|headline| headline.number == *number)?;
        if let Some(line) = line {
            text.insert(end, &format!("\n{line}"))?;
        }
        if let Some(mark) = mark {
            text.insert(title, &format!("{mark} "))?;
        }
    }
    if let Some(html) = text.body.pointer_mut("/rich_message/html") {
        *html = rich::amend(html.as_str()?, amendments)?.into();
    }
    (text.units.len() <= UNITS).then(|| text.write())?
}

/// Where an entry's headline is, in UTF-16 units.
struct Headline {
    number: u32,
    /// Behind the number.
    title: usize,
    end: usize,
}

/// A part's body, with its text as Telegram counts it.
struct Text {
    body: Value,
    units: Vec<u16>,
}

impl Text {
    fn read(part: &Part) -> Option<Self> {
        let body: Value = serde_json::from_str(&part.payload).ok()?;
        let units = body.get("text")?.as_str()?.encode_utf16().collect();
        Some(Self { body, units })
    }

    fn entities(&self) -> impl Iterator<Item = &Value> {
        self.body
            .get("entities")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    }

    /// A bold stretch at the head of a line that begins with a number: only entries have such ones.
    fn headline(&self, entity: &Value) -> Option<Headline> {
        let (offset, length) = span(entity)?;
        let end = offset.checked_add(length)?;
        let above = offset.checked_sub(1).and_then(|above| self.units.get(above));
        if entity.get("type")? != "bold" || above.is_none_or(|above| *above != u16::from(b'\n')) {
            return None;
        }
        let text = String::from_utf16(self.units.get(offset..end)?).ok()?;
        let (number, _) = text.split_once(". ")?;
        Some(Headline {
            number: number.parse().ok()?,
            title: offset + number.len() + ". ".len(),
            end,
        })
    }

    /// What begins at `at` or behind it moves, what lies around it grows.
    fn insert(&mut self, at: usize, text: &str) -> Option<()> {
        let new: Vec<u16> = text.encode_utf16().collect();
        let entities = self.body.get_mut("entities").and_then(Value::as_array_mut);
        for entity in entities.into_iter().flatten() {
            let (offset, length) = span(entity)?;
            let (field, value) = if offset >= at {
                ("offset", offset + new.len())
            } else if offset + length > at {
                ("length", length + new.len())
            } else {
                continue;
            };
            entity.as_object_mut()?.insert(field.to_owned(), value.into());
        }
        let tail = self.units.split_off(at.min(self.units.len()));
        self.units.extend(new);
        self.units.extend(tail);
        Some(())
    }

    fn write(mut self) -> Option<Part> {
        let text = String::from_utf16(&self.units).ok()?;
        self.body.as_object_mut()?.insert("text".to_owned(), text.into());
        Some(Part {
            payload: self.body.to_string(),
        })
    }
}

fn span(entity: &Value) -> Option<(usize, usize)> {
    let number = |field: &str| {
        entity
            .get(field)
            .and_then(Value::as_u64)
            .and_then(|n| usize::try_from(n).ok())
    };
    Some((number("offset")?, number("length")?))
}

#[cfg(test)]
mod tests {
    use paperwire_core::message::{Block, Entry, Message, plain};
    use proptest::prelude::*;

    use super::super::markup::render;
    use super::*;

    fn message(titles: &[String], lines: &[String]) -> Message {
        let mut blocks = vec![Block::Heading("Caching · 9 Oct 2025".to_owned())];
        blocks.extend((1..).zip(titles.iter().zip(lines)).map(|(number, (title, line))| {
            Block::Entry(Entry {
                number: Some(number),
                title: title.clone(),
                link: Some("https://arxiv.org/abs/2510.00001".to_owned()),
                lines: vec![plain(line)],
                quote: None,
            })
        }));
        Message {
            running_title: "Caching · 9 Oct 2025".to_owned(),
            blocks,
        }
    }

    fn amendment(number: u32, line: &str) -> Amendment {
        Amendment {
            number,
            mark: Some('✎'),
            line: (!line.is_empty()).then(|| line.to_owned()),
        }
    }

    /// What each entity marks.
    fn marked(part: &Part) -> Vec<(String, String)> {
        let text = Text::read(part).unwrap();
        let read = |entity: &Value| {
            let (offset, length) = span(entity).unwrap();
            let stretch = String::from_utf16(&text.units[offset..offset + length]).unwrap();
            (entity["type"].as_str().unwrap().to_owned(), stretch)
        };
        text.entities().map(read).collect()
    }

    #[test]
    fn a_mark_and_a_line_are_added_and_every_entity_stays_on_its_words() {
        let titles = ["𝒜 first".to_owned(), "Second 👩‍🔬".to_owned(), "Third".to_owned()];
        let [part] = render(&message(&titles, &["a", "b", "c"].map(str::to_owned)))
            .try_into()
            .unwrap();
        let amended = amend(&part, &[amendment(1, "New version of 9 Oct."), amendment(2, "")]).unwrap();
        let text = String::from_utf16(&Text::read(&amended).unwrap().units).unwrap();
        assert_eq!(
            text,
            "Caching · 9 Oct 2025\n\n1. ✎ 𝒜 first\nNew version of 9 Oct.\na\n\n2. ✎ Second 👩‍🔬\nb\n\n3. Third\nc"
        );
        let headlines = ["1. ✎ 𝒜 first", "2. ✎ Second 👩‍🔬", "3. Third"];
        let bold: Vec<String> = marked(&amended)
            .into_iter()
            .filter(|(kind, _)| kind == "bold")
            .map(|(_, t)| t)
            .collect();
        assert_eq!(bold[1..], headlines);
        let linked: Vec<String> = marked(&amended)
            .into_iter()
            .filter(|(kind, _)| kind == "text_link")
            .map(|(_, t)| t)
            .collect();
        assert_eq!(linked, headlines);
        assert_eq!(amend(&part, &[amendment(4, "")]), None);
        let counted = Amendment {
            mark: None,
            ..amendment(3, "👍 3 👎 1")
        };
        let counted = Text::read(&amend(&part, &[counted]).unwrap()).unwrap().units;
        assert!(
            String::from_utf16(&counted)
                .unwrap()
                .ends_with("\n\n3. Third\n👍 3 👎 1\nc")
        );
    }

    proptest! {
        #[test]
        fn an_amended_part_has_the_same_entries_and_keeps_the_limit(
            entries in prop::collection::vec(("\\PC{1,80}", "\\PC{0,700}"), 1..40),
            line in "\\PC{0,300}",
            which in 0_usize..8,
        ) {
            let (titles, lines): (Vec<String>, Vec<String>) = entries.into_iter().unzip();
            for part in render(&message(&titles, &lines)) {
                let all = numbers(&part);
                let some: Vec<Amendment> =
                    all.iter().skip(which).step_by(2).map(|number| amendment(*number, &line)).collect();
                if let Some(amended) = amend(&part, &some) {
                    prop_assert_eq!(&numbers(&amended), &all);
                    prop_assert!(Text::read(&amended).unwrap().units.len() <= UNITS);
                    let kinds = |part: &Part| marked(part).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>();
                    prop_assert_eq!(kinds(&amended), kinds(&part));
                    for (before, after) in marked(&part).iter().zip(marked(&amended)) {
                        prop_assert_eq!(after.1.replacen("✎ ", "", 1), before.1.replacen("✎ ", "", 1));
                    }
                } else {
                    let added = some.len() * (line.encode_utf16().count() + "✎ \n".len());
                    prop_assert!(Text::read(&part).unwrap().units.len() + added > UNITS);
                }
            }
        }
    }
}
