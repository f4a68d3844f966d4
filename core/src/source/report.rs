//! The analysis report as a source of papers: it has briefs and institutions that a mailing lacks, and lacks the ids.
//!
//! Its fields were read off PDFs by a program. What can be told to be damage is repaired or left out here; what remains
//! gives way to a better source's field when the paper is joined ([`crate::join`]) and merged.

use crate::brief::{self, Brief, Origin, Refused, gate};
use crate::institution;
use crate::join;
use crate::paper::{Field, Paper, PaperId};
use crate::report::{self, Entry, Report};
use crate::source::{Announcement, Item, Parsed, RejectedItem, SourceError, SourceKind};
use crate::text;

/// Whether the bytes look like a report: a title, then one of the two lists.
pub fn recognises(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.trim_start_matches('\u{feff}').lines().map(str::trim_end);
    lines
        .find(|line| !line.is_empty())
        .is_some_and(|line| line.starts_with("# "))
        && lines.any(|line| matches!(line, "## 论文技术简报" | "## 论文详细信息"))
}

/// Papers of a report, with provisional ids. It says no interval, only when it was made, so it has no window. An entry
/// with neither title nor abstract is rejected; the others are not affected.
///
/// # Errors
/// When it is no report.
pub fn parse(bytes: &[u8]) -> Result<Parsed, SourceError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        SourceError::Damaged {
            line: 1 + before.iter().filter(|&&b| b == b'\n').count(),
            reason: "a report is UTF-8 text, and this is not; save it as UTF-8".to_owned(),
        }
    })?;
    let report = report::read(text).map_err(|error| SourceError::Damaged {
        line: error.line,
        reason: error.reason,
    })?;
    Ok(papers(&report))
}

fn papers(report: &Report) -> Parsed {
    let mut parsed = Parsed {
        source: SourceKind::Report,
        window: None,
        asked: None,
        items: Vec::new(),
        rejected: Vec::new(),
    };
    for (at, (entry, line)) in report.entries.iter().zip(report.entry_lines()).enumerate() {
        match paper(entry) {
            Some(paper) => parsed.items.push(Item {
                paper,
                announcement: Announcement::New,
            }),
            None => parsed.rejected.push(RejectedItem {
                line,
                item: format!("entry {}", at + 1),
                reason: reason(entry),
            }),
        }
    }
    parsed
}

fn reason(entry: &Entry) -> String {
    let asked = matches!(
        gate::form(&entry.brief, &entry.title, &entry.abstract_text),
        Err(Refused::Refusal | Refused::Template)
    );
    let brief = if asked {
        ", and its brief is a refusal or an unfilled template"
    } else {
        ""
    };
    format!(
        "it has neither a title nor an abstract{brief}; give at least a title, so that it can be told which paper it is"
    )
}

fn paper(entry: &Entry) -> Option<Paper> {
    let title = title(entry);
    let abstract_text = abstract_text(&entry.abstract_text);
    if title.is_none() && abstract_text.is_none() {
        return None;
    }
    let mut paper = Paper::new(PaperId::provisional(
        title.as_deref().unwrap_or_default(),
        abstract_text.as_deref().unwrap_or_default(),
    ));
    paper.author_count = entry.author_count.filter(|&n| n > 0).map(from_report);
    paper.institutions = Some(institution::repaired(&[&entry.institutions]))
        .filter(|names| !names.is_empty())
        .map(from_report);
    paper.briefs.extend(imported_brief(entry));
    paper.title = title.map(from_report);
    paper.abstract_text = abstract_text.map(from_report);
    Some(paper)
}

fn from_report<T>(value: T) -> Field<T> {
    Field::new(value, SourceKind::Report)
}

fn has_words(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// The title above the details, else the one above the brief.
fn title(entry: &Entry) -> Option<String> {
    [Some(&entry.title), entry.brief_title.as_ref()]
        .into_iter()
        .flatten()
        .map(|title| join::undoubled(without_running_head(title)))
        .find(|title| has_words(title))
}

/// Without the line that conference styles print above a title.
fn without_running_head(title: &str) -> &str {
    let heads = ["Under review as a conference paper", "Published as a conference paper"];
    let Some(rest) = heads.iter().find_map(|head| title.trim_start().strip_prefix(head)) else {
        return title;
    };
    // "at ICLR 2026": the venue and its year.
    let venue = rest.trim_start().strip_prefix("at ").and_then(|venue| {
        let (_, after) = venue.split_once(' ')?;
        let title = after.trim_start_matches(|c: char| c.is_ascii_digit());
        (title.len() < after.len()).then_some(title)
    });
    venue.unwrap_or(rest).trim_start()
}

/// A brief that says something. A refusal is left out already here: merging must not prefer it to another report's good
/// brief. So is one below another paper's title. Whether the abstract carries it is asked when it is shown, because the
/// abstract can come later.
fn imported_brief(entry: &Entry) -> Option<Brief> {
    let says = match gate::form(&entry.brief, &entry.title, &entry.abstract_text) {
        Ok(()) | Err(Refused::NoAbstract) => true,
        Err(Refused::Empty | Refused::Refusal | Refused::Template) => false,
        // What an abstract can refute is asked when it is shown, too.
        Err(Refused::WrongLanguage | Refused::AnotherPaper | Refused::Organisation) => true,
        Err(Refused::Number | Refused::Name | Refused::Direction) => true,
    };
    let belongs = entry.brief_title.as_ref().is_none_or(|other| {
        let (one, other) = (text::key(&entry.title), text::key(other));
        one.is_empty() || other.is_empty() || strsim::sorensen_dice(&one, &other) > 0.6
    });
    (says && belongs).then(|| {
        let text = text::one_line(&entry.brief);
        Brief {
            lang: brief::language(&text),
            origin: Origin::Imported,
            text,
        }
    })
}

/// What begins a footnote or the next part of the page, folded.
#[rustfmt::skip]
const TAILS: [&str; 14] = [
    "equal contribution", "equal contributions", "corresponding author", "joint first author", "co-first author",
    "these authors contributed", "the major part of the work was done", "work done during", "work done while",
    "work was done during", "preprint. under review", "ccs concepts", "index terms", "keywords:",
];

/// The abstract on one line without what is not its text; `None` for a caption of a figure or table.
fn abstract_text(raw: &str) -> Option<String> {
    let mut flat = text::one_line(raw);
    for label in [
        "Abstract—",
        "Abstract-",
        "Abstract:",
        "Abstract.",
        "ABSTRACT",
        "摘要：",
        "摘要:",
    ] {
        if let Some(rest) = flat.strip_prefix(label) {
            flat = rest.trim_start().to_owned();
        }
    }
    if is_caption(&flat) {
        return None;
    }
    let mut rest = flat.as_str();
    while let Some(cut) = TAILS.iter().filter_map(|tail| tail_start(rest, tail)).min() {
        rest = rest.get(..cut).unwrap_or_default();
    }
    let rest = without_footnote_mark(rest.trim_end());
    has_words(rest).then(|| rest.to_owned())
}

fn is_caption(flat: &str) -> bool {
    ["Figure", "Fig.", "FIGURE", "Table", "TABLE", "图", "表"]
        .iter()
        .any(|word| {
            flat.strip_prefix(word).is_some_and(|rest| {
                let rest = rest.trim_start();
                let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
                after.len() < rest.len() && after.trim_start().starts_with(['.', ':', '：', '|', ' '])
            })
        })
}

/// Where a footnote that begins with `tail` starts: at its marks ("1 * Equal contribution"), and only after a sentence,
/// so that an abstract about "equal contribution of features" keeps it.
fn tail_start(flat: &str, tail: &str) -> Option<usize> {
    // ASCII lower case keeps the byte positions.
    let lower = flat.to_ascii_lowercase();
    lower.match_indices(tail).map(|(at, _)| at).find_map(|at| {
        let before = flat.get(..at)?;
        let text = before.trim_end_matches(|c: char| {
            c.is_whitespace() || c.is_ascii_digit() || matches!(c, '*' | '†' | '‡' | '§' | '¶' | '•' | '#' | '⋆')
        });
        let marked = before.len() > text.len() && before.contains(['*', '†', '‡', '§', '¶', '⋆']);
        let ends = text.ends_with(['.', '!', '?', '。', ')', ';']) || marked && text.trim_end() != before.trim_end();
        (ends || text.is_empty()).then_some(text.len())
    })
}

/// "…domains. 1" and "…project. 1 *" end in the mark of a footnote.
fn without_footnote_mark(text: &str) -> &str {
    let rest = text.trim_end_matches(|c: char| {
        c.is_whitespace() || c.is_ascii_digit() || matches!(c, '*' | '†' | '‡' | '§' | '¶' | '⋆')
    });
    if rest.ends_with(['.', '!', '?', '。']) && text.get(rest.len()..).is_some_and(|mark| mark.starts_with(' ')) {
        rest
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locale::Lang;

    fn entry(title: &str, abstract_text: &str) -> Entry {
        Entry {
            title: title.to_owned(),
            abstract_text: abstract_text.to_owned(),
            ..Entry::default()
        }
    }

    fn parsed(entries: Vec<Entry>) -> Parsed {
        let text = report::write(&Report::new("报告", "2025-10-17 11:36:03", entries));
        assert!(recognises(text.as_bytes()));
        parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn an_entry_becomes_a_paper_with_a_provisional_id_and_an_imported_brief() {
        let parsed = parsed(vec![Entry {
            title: "FastKV: Caching FASTKV: CACHING".to_owned(),
            brief: "清华大学发布了FastKV: A Cache论文，使用缓存技术".to_owned(),
            institutions: "Tsinghua University, University of California, Berkeley".to_owned(),
            author_count: Some(3),
            abstract_text: "We cache. 1 * Equal contribution. † Corresponding author.".to_owned(),
            ..Entry::default()
        }]);
        assert_eq!((parsed.window, parsed.rejected.len()), (None, 0));
        let item = &parsed.items[0];
        assert_eq!(item.announcement, Announcement::New);
        let paper = &item.paper;
        assert!(paper.id.is_provisional());
        assert_eq!(paper.title(), "FastKV: Caching");
        assert_eq!(paper.abstract_text(), "We cache.");
        assert_eq!(paper.author_count(), Some(3));
        assert_eq!(
            paper.institutions(),
            ["Tsinghua University", "University of California, Berkeley"]
        );
        assert_eq!(paper.briefs[0].lang, Lang::Zh);
        assert_eq!(paper.briefs[0].origin, Origin::Imported);
    }

    #[test]
    fn an_empty_entry_is_rejected_with_its_number_and_line_and_stops_no_other() {
        let mut empty = entry("", "Figure 2. A caption.");
        empty.brief = "请提供论文的标题".to_owned();
        let parsed = parsed(vec![empty, entry("A Title", "")]);
        assert_eq!(parsed.items.len(), 1);
        assert_eq!(
            parsed.rejected[0].to_string(),
            "line 17: entry 1: it has neither a title nor an abstract, and its brief is a refusal or an unfilled \
             template; give at least a title, so that it can be told which paper it is"
        );
    }

    #[test]
    fn zero_authors_means_unknown_and_a_refusal_is_no_brief() {
        let mut one = entry("A Title", "");
        one.author_count = Some(0);
        one.brief = "抱歉，请提供论文内容。".to_owned();
        let paper = parsed(vec![one]).items.remove(0).paper;
        assert_eq!(paper.author_count(), None);
        assert_eq!(paper.briefs, []);
    }

    #[test]
    fn what_is_not_the_abstract_is_cut_off() {
        for (raw, clean) in [
            (
                "We win. 1 * Equal contribution. † Corresponding author.",
                Some("We win."),
            ),
            ("We win. * Equal contribution. Preprint. Under review.", Some("We win.")),
            (
                "Higher efficiency in low-resolution domains. 1",
                Some("Higher efficiency in low-resolution domains."),
            ),
            (
                "For LLMs. CCS Concepts • Computer systems → Parallel.",
                Some("For LLMs."),
            ),
            (
                "We model the equal contribution of experts in 2.",
                Some("We model the equal contribution of experts in 2."),
            ),
            ("Abstract—We win by 3.", Some("We win by 3.")),
            ("Figure 1. The comparison.", None),
            ("Table 2: Results", None),
            (
                "Figures are hard. We read them.",
                Some("Figures are hard. We read them."),
            ),
            ("Table 2D data is common.", Some("Table 2D data is common.")),
            ("  ", None),
        ] {
            assert_eq!(abstract_text(raw).as_deref(), clean, "{raw}");
        }
    }

    #[test]
    fn a_running_head_is_no_part_of_a_title() {
        assert_eq!(
            without_running_head("Under review as a conference paper FASTKV"),
            "FASTKV"
        );
        assert_eq!(
            without_running_head("Published as a conference paper at ICLR 2026 FASTKV"),
            "FASTKV"
        );
        assert_eq!(without_running_head("Under review: peers"), "Under review: peers");
    }

    #[test]
    fn the_brief_of_another_title_is_left_out() {
        let mut wrong = entry("FastKV: Caching", "");
        wrong.brief = "清华大学发布了论文".to_owned();
        wrong.brief_title = Some("Drones over Cotton".to_owned());
        assert_eq!(imported_brief(&wrong), None);
        wrong.brief_title = Some("FASTKV: Cach-ing".to_owned());
        assert!(imported_brief(&wrong).is_some());
    }

    #[test]
    fn what_is_no_report_is_told_by_line() {
        assert!(!recognises(b"Subject: cs daily\n\n# x\n"));
        assert!(recognises("\u{feff}\n# x\r\n\r\n## 论文详细信息\r\n".as_bytes()));
        let damaged = |line| matches!(parse(line), Err(SourceError::Damaged { line: 2, .. }));
        assert!(damaged(b"# x\n\xff\n"));
        assert!(damaged(b"\nx\n"));
    }

    #[test]
    fn every_entry_of_a_real_report_becomes_a_paper_unless_it_is_empty() {
        for (name, text) in crate::tests::real_reports() {
            let parsed = parse(text.as_bytes()).unwrap();
            let report = report::read(&text).unwrap();
            println!(
                "{name}: {} papers, {} rejected",
                parsed.items.len(),
                parsed.rejected.len()
            );
            assert_eq!(parsed.items.len() + parsed.rejected.len(), report.entries.len());
            let empty = report
                .entries
                .iter()
                .filter(|e| e.title.is_empty() && e.abstract_text.is_empty());
            assert_eq!(parsed.rejected.len(), empty.count(), "{name}");
            for item in &parsed.items {
                let briefs = item.paper.briefs.len();
                assert_eq!(briefs, 1, "{name}: {}", item.paper.title());
            }
        }
    }
}
