//! The lists that people ask for: what they saved, and what was voted best. Both are reads of the store.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{Person, Saved, Tally};
use crate::brief;
use crate::export::{Attachment, Format, export};
use crate::locale::Lang;
use crate::message::{Block, Entry, Line, Message, Span, plain};
use crate::paper::{Paper, PaperId};
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

/// Somebody's whole reading list as a file, the latest saved first. A paper of which nothing can be read any more is in it
/// by its name.
///
/// # Errors
/// Only when the store cannot be read.
pub fn saved_file(store: &dyn Store, person: &Person, format: Format, lang: Lang) -> Result<Attachment> {
    let mut papers = Vec::new();
    for saved in saved(store, person)? {
        papers.push(known(store, &saved.paper)?.unwrap_or_else(|| Paper::new(saved.paper)));
    }
    Ok(export(&papers, format, lang))
}

/// A damaged record takes nothing else away.
fn known(store: &dyn Store, id: &PaperId) -> Result<Option<Paper>> {
    match store.paper(id) {
        Err(StoreError::Damaged { .. }) => Ok(None),
        read => read,
    }
}

fn kept(store: &dyn Store, number: u32, saved: &Saved, lang: Lang, zone: Tz) -> Result<Entry> {
    let paper = known(store, &saved.paper)?;
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
            store
                .commit(vec![Write::Paper(Box::new(paper(number, &title, "")))])
                .unwrap();
            save(
                &store,
                &reader(),
                &arxiv(number),
                october(9, i64::try_from(number).unwrap()),
            )
            .unwrap();
        }
        vote(&store, &reader(), &arxiv(2), Vote::Up, october(9, 20)).unwrap();
        // One of which nothing is known.
        save(&store, &reader(), &arxiv(99), october(8, 0)).unwrap();
        insta::assert_snapshot!(pages(&store, 2), @r"
        我的收藏 · 13 篇
        11. On pruning 2
        👍 1 · 10月9日收藏
        https://arxiv.org/abs/2510.00002
        12. On pruning 1
        10月9日收藏
        https://arxiv.org/abs/2510.00001
        13. 2510.00099
        10月8日收藏
        https://arxiv.org/abs/2510.00099
        第 2/2 页；/saved 1 查看第 1 页。
        /saved export bibtex|ris|csl|markdown 将全部收藏导出为文件。

        Your reading list · 13 papers
        11. On pruning 2
        👍 1 · saved 9 Oct
        https://arxiv.org/abs/2510.00002
        12. On pruning 1
        saved 9 Oct
        https://arxiv.org/abs/2510.00001
        13. 2510.00099
        saved 8 Oct
        https://arxiv.org/abs/2510.00099
        Page 2 of 2; /saved 1 shows page 1.
        /saved export bibtex|ris|csl|markdown gives you all of them as a file.
        ");
        let first = saved_page(&store, &reader(), 0, Lang::En, chrono_tz::UTC).unwrap();
        assert_eq!((first.page, first.pages), (1, 2));
        assert!(first.message.to_plain().contains("\n1. On pruning 12\n"));
        let last = saved_page(&store, &reader(), usize::MAX, Lang::En, chrono_tz::UTC).unwrap();
        assert_eq!((last.page, last.pages), (2, 2));
        let file = saved_file(&store, &reader(), Format::Ris, Lang::En).unwrap();
        let ris = String::from_utf8(file.bytes).unwrap();
        assert_eq!((file.name.as_str(), ris.matches("TY  - ").count()), ("saved.ris", 13));
        assert!(ris.contains("TI  - On pruning 12\r\n") && ris.contains("AN  - arXiv:2510.00099\r\n"));
    }

    #[test]
    fn the_best_of_a_week_say_their_votes_and_where_they_were_posted() {
        let now = october(10, 22);
        let entry = |number: u32, title: &str| crate::digest::Entry {
            number,
            paper: arxiv(u64::from(number)),
            title: title.to_owned(),
            briefs: Vec::new(),
            institutions: Vec::new(),
            author_count: None,
            points: 9,
            topics: Vec::new(),
            hits: Vec::new(),
        };
        let top = |number, title, up| Top {
            paper: arxiv(u64::from(number)),
            digest: "9f86d081884c7d65@20251010T200000Z".parse().unwrap(),
            entry: entry(number, title),
            tally: Tally { up, down: 0 },
        };
        let said = |best: &[Top]| {
            let since = now - TimeDelta::days(7);
            let say = |lang| top_page(best, since, now, lang, chrono_tz::Asia::Shanghai).to_plain();
            Lang::ALL.map(say).join("\n")
        };
        let pages = [
            vec![],
            vec![top(4, "On pruning", 3), top(2, "", 0)],
            vec![top(1, "On pruning", 0)],
        ];
        insta::assert_snapshot!(pages.map(|best| said(&best)).join("\n"), @r"
        最近 7 天这里没有发布论文。

        No paper was posted here in the last 7 days.

        最近 7 天的热门论文
        1. On pruning
        👍 3 · 10月11日第 4 篇
        https://arxiv.org/abs/2510.00004
        2. （无标题）
        10月11日第 2 篇
        https://arxiv.org/abs/2510.00002

        Top papers of the last 7 days
        1. On pruning
        👍 3 · 11 Oct, no. 4
        https://arxiv.org/abs/2510.00004
        2. (untitled)
        11 Oct, no. 2
        https://arxiv.org/abs/2510.00002

        最近 7 天的热门论文
        还没有人投票，以下按得分排列。点论文下方的 👍 或 👎 即可投票。
        1. On pruning
        10月11日第 1 篇
        https://arxiv.org/abs/2510.00001

        Top papers of the last 7 days
        Nobody has voted yet; these scored best. Press 👍 or 👎 below a paper to vote.
        1. On pruning
        11 Oct, no. 1
        https://arxiv.org/abs/2510.00001
        ");
    }

    #[test]
    fn what_a_press_did_is_said_with_the_counts() {
        let (up, down) = (Some(Vote::Up), Some(Vote::Down));
        let say = |before, after, tally| Lang::ALL.map(|lang| lang.voted(before, after, tally)).join(" ");
        let one = Tally { up: 0, down: 1 };
        assert_eq!(say(None, down, one), "已投 👎（👎 1）。 You voted 👎 (👎 1).");
        assert_eq!(say(up, down, one), "已改投 👎（👎 1）。 Your vote is now 👎 (👎 1).");
        assert_eq!(say(down, None, Tally::default()), "已撤回投票。 Vote withdrawn.");
    }
}
