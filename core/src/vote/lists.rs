//! The lists that people ask for: what they saved, and what was voted best. Both are reads of the store.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{Person, Saved, Tally};
use crate::brief;
use crate::export::Format;
use crate::locale::Lang;
use crate::message::{Block, Entry, Line, Message, Span, plain};
use crate::paper::Paper;
use crate::pipeline::{Top, saved, tally_of};
use crate::store::{Result, Store, StoreError};

/// How many papers a page of the reading list has.
const PAGE: usize = 10;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// What to say.
    pub message: Message,
    /// Which page it is, from 1: the nearest one that there is.
    pub page: usize,
    /// How many there are, at least one.
    pub pages: usize,
}

/// A page of somebody's reading list, the latest saved first; the numbers go through all pages. `page` counts from 1.
///
/// # Errors
/// Only when the store cannot be read.
pub fn saved_page(store: &dyn Store, person: &Person, page: usize, lang: Lang, zone: Tz) -> Result<Listing> {
    let all = saved(store, person)?;
    let pages = all.len().div_ceil(PAGE).max(1);
    let page = page.clamp(1, pages);
    if all.is_empty() {
        let message = Message::sentence(lang.nothing_saved());
        return Ok(Listing { message, page, pages });
    }
    let title = lang.saved_title(all.len());
    let mut blocks = vec![Block::Heading(title.clone())];
    for (number, saved) in (1..).zip(&all).skip((page - 1) * PAGE).take(PAGE) {
        blocks.push(Block::Entry(kept(store, number, saved, lang, zone)?));
    }
    let mut hint = |text: String| blocks.push(Block::Paragraph(vec![Span::Dim(text)]));
    if pages > 1 {
        hint(lang.saved_pages(page, pages));
    }
    hint(lang.saved_export_hint(&Format::ALL.map(Format::name)));
    let message = Message {
        running_title: title,
        blocks,
    };
    Ok(Listing { message, page, pages })
}

fn kept(store: &dyn Store, number: u32, saved: &Saved, lang: Lang, zone: Tz) -> Result<Entry> {
    // A damaged record takes nothing else away.
    let paper = match store.paper(&saved.paper) {
        Err(StoreError::Damaged { .. }) => None,
        other => other?,
    };
    let day = lang.short_date(saved.at.with_timezone(&zone).date_naive());
    let brief = paper.as_ref().and_then(|paper| brief::compose(paper, lang));
    let mut lines: Vec<Line> = brief.map(|brief| plain(brief.text)).into_iter().collect();
    lines.push(facts([tally_of(store, &saved.paper)?.to_string(), lang.saved_on(&day)]));
    Ok(Entry {
        number: Some(number),
        title: match paper.as_ref().map(Paper::title) {
            Some("") => lang.no_title().to_owned(),
            Some(title) => title.to_owned(),
            None => saved.paper.bare().to_owned(),
        },
        link: saved.paper.link(),
        lines,
        quote: None,
    })
}

/// The best of the last days ([`crate::pipeline::top`]) since `since`, as a message.
pub fn top_page(best: &[Top], since: DateTime<Utc>, now: DateTime<Utc>, lang: Lang, zone: Tz) -> Message {
    let days = (now - since + TimeDelta::hours(12)).num_days().max(1);
    if best.is_empty() {
        return Message::sentence(lang.top_nothing(days));
    }
    let title = lang.top_title(days);
    let mut blocks = vec![Block::Heading(title.clone())];
    if best.iter().all(|top| top.tally == Tally::default()) {
        blocks.push(Block::Paragraph(plain(lang.top_no_votes())));
    }
    blocks.extend((1..).zip(best).map(|(number, top)| {
        let day = lang.short_date(top.digest.occurrence.with_timezone(&zone).date_naive());
        let brief = top.entry.briefs.iter().find(|brief| brief.reader == lang);
        let mut lines: Vec<Line> = brief.map(|brief| plain(brief.brief.text.clone())).into_iter().collect();
        lines.push(facts([top.tally.to_string(), lang.posted_as(&day, top.entry.number)]));
        Block::Entry(Entry {
            number: Some(number),
            title: match top.entry.title.as_str() {
                "" => lang.no_title().to_owned(),
                title => title.to_owned(),
            },
            link: top.paper.link(),
            lines,
            quote: None,
        })
    }));
    Message {
        running_title: title,
        blocks,
    }
}

fn facts(facts: [String; 2]) -> Line {
    let said: Vec<String> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
    vec![Span::Dim(said.join(" · "))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::fixture::{arxiv, october, paper};
    use crate::pipeline::{save, vote};
    use crate::store::{ModelStore, Write};
    use crate::vote::Vote;

    fn reader() -> Person {
        "telegram:7".parse().unwrap()
    }

    fn pages(store: &ModelStore, page: usize) -> String {
        let text = |lang| saved_page(store, &reader(), page, lang, chrono_tz::Asia::Shanghai).unwrap();
        Lang::ALL.map(|lang| text(lang).message.to_plain()).join("\n")
    }

    #[test]
    fn a_reading_list_is_paged_and_says_how_it_is_exported() {
        let store = ModelStore::new();
        insta::assert_snapshot!(pages(&store, 1), @r"
        你还没有收藏论文。点论文下方的“收藏”即可加入。

        Your reading list is empty. Press “save” below a paper to put it there.
        ");
        for number in 1..=12 {
            let title = format!("On pruning {number}");
            store.commit(vec![Write::Paper(Box::new(paper(number, &title, "")))]).unwrap();
            save(&store, &reader(), &arxiv(number), october(9, i64::try_from(number).unwrap())).unwrap();
        }
        vote(&store, &reader(), &arxiv(2), Vote::Up, october(9, 20)).unwrap();
        // One of which nothing is known.
        save(&store, &reader(), &arxiv(99), october(8, 0)).unwrap();
        insta::assert_snapshot!(pages(&store, 2), @"");
        let first = saved_page(&store, &reader(), 0, Lang::En, chrono_tz::UTC).unwrap();
        assert_eq!((first.page, first.pages), (1, 2));
        assert!(first.message.to_plain().contains("\n1. On pruning 12\n"));
        let last = saved_page(&store, &reader(), usize::MAX, Lang::En, chrono_tz::UTC).unwrap();
        assert_eq!((last.page, last.message.to_plain()), (2, {
            let second = saved_page(&store, &reader(), 2, Lang::En, chrono_tz::UTC).unwrap();
            second.message.to_plain()
        }));
    }
}
