//! A reading list as a file for the program in which somebody keeps references: BibTeX, RIS (EndNote, Mendeley, Zotero),
//! CSL-JSON (Zotero, Pandoc), or Markdown for a page of one's own. Only what is known of a paper is written.

use std::str::FromStr;

use chrono::Datelike as _;
use serde_json::{Map, Value, json};

use crate::locale::Lang;
use crate::paper::{Paper, PaperId};
use crate::text::one_line;
use crate::{bibtex, brief};

mod name;

pub use self::name::Name;

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// BibTeX.
    Bibtex,
    /// Research Information Systems' tagged format.
    Ris,
    /// The JSON of the Citation Style Language.
    Csl,
    /// A list to read.
    Markdown,
}

impl Format {
    /// All of them, for tables.
    pub const ALL: [Self; 4] = [Self::Bibtex, Self::Ris, Self::Csl, Self::Markdown];

    /// The word that people type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bibtex => "bibtex",
            Self::Ris => "ris",
            Self::Csl => "csl",
            Self::Markdown => "markdown",
        }
    }

    /// The end of a file's name, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Bibtex => "bib",
            Self::Ris => "ris",
            Self::Csl => "json",
            Self::Markdown => "md",
        }
    }

    /// The media type by which programs know it: registered for CSL-JSON (IANA) and Markdown (RFC 7763), in common use for
    /// the others.
    pub fn mime(self) -> &'static str {
        match self {
            Self::Bibtex => "application/x-bibtex",
            Self::Ris => "application/x-research-info-systems",
            Self::Csl => "application/vnd.citationstyles.csl+json",
            Self::Markdown => "text/markdown; charset=utf-8",
        }
    }
}

/// The text names no kind of file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is no format; use bibtex, ris, csl or markdown")]
pub struct FormatError(String);

impl FromStr for Format {
    type Err = FormatError;

    /// By its word or its file's ending, in any case.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let word = s.trim().trim_start_matches('.');
        let named = |format: &Self| {
            [format.name(), format.extension()]
                .iter()
                .any(|name| name.eq_ignore_ascii_case(word))
        };
        let found = Self::ALL.into_iter().find(named);
        found.ok_or_else(|| FormatError(s.trim().chars().take(40).collect()))
    }
}

/// A file to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// What it is called.
    pub name: String,
    /// Its media type.
    pub mime: &'static str,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// The papers, in their order, as one file. `lang` is that of a Markdown list's own words and briefs.
pub fn export(papers: &[Paper], format: Format, lang: Lang) -> Attachment {
    let text = match format {
        Format::Bibtex => bibtex::write(papers),
        Format::Ris => ris(papers),
        Format::Csl => csl(papers),
        Format::Markdown => markdown(papers, lang),
    };
    Attachment {
        name: format!("saved.{}", format.extension()),
        mime: format.mime(),
        bytes: text.into_bytes(),
    }
}

/// The DOI, under which name the paper is known or not.
fn doi(paper: &Paper) -> Option<&str> {
    match &paper.id {
        PaperId::Doi(doi) => Some(doi),
        PaperId::Arxiv(_) | PaperId::Url(_) => paper.doi.as_ref().map(|doi| doi.value.as_str()),
    }
}

fn arxiv(paper: &Paper) -> Option<&str> {
    match &paper.id {
        PaperId::Arxiv(id) => Some(id),
        PaperId::Doi(_) | PaperId::Url(_) => None,
    }
}

/// `TAG␣␣-␣value` and CRLF, each field on a line of its own; a record begins with `TY` and ends with `ER` (RIS Format
/// Specifications, Research Information Systems 2001; the tags `AB`, `DA`, `DO`, `AN` as its 2011 revision has them).
fn ris(papers: &[Paper]) -> String {
    let mut out = String::new();
    for (key, paper) in bibtex::keys(papers).iter().zip(papers) {
        let journal = paper.journal_ref.as_ref().map(|journal| journal.value.as_str());
        let mut line = |tag: &str, value: &str| {
            // A break, or what some program takes for one, would end the field and begin nonsense.
            let value = one_line(&value.replace(char::is_control, " "));
            if !value.is_empty() {
                out.push_str(&format!("{tag}  - {value}\r\n"));
            }
        };
        line("TY", if journal.is_some() { "JOUR" } else { "GEN" });
        line("ID", key);
        line("TI", paper.title());
        for author in paper.authors() {
            line("AU", &Name::read(author).sorted());
        }
        if let Some(at) = paper.submitted {
            line("PY", &at.format("%Y").to_string());
            line("DA", &at.format("%Y/%m/%d").to_string());
        }
        line("T2", journal.unwrap_or_default());
        line("AB", paper.abstract_text());
        paper.categories().iter().for_each(|category| line("KW", category));
        line("DO", doi(paper).unwrap_or_default());
        if let Some(id) = arxiv(paper) {
            line("AN", &format!("arXiv:{id}"));
            line("DB", "arXiv");
        }
        line("UR", &paper.id.link().unwrap_or_default());
        line("L1", &paper.id.pdf().unwrap_or_default());
        out.push_str("ER  - \r\n\r\n");
    }
    out
}

/// An array of items as citeproc-js reads them (CSL 1.0.2, `csl-data.json`): a preprint is an `article`, one in a journal an
/// `article-journal`.
fn csl(papers: &[Paper]) -> String {
    let items = bibtex::keys(papers).into_iter().zip(papers).map(|(key, paper)| {
        let mut item = Map::new();
        let mut put = |field: &str, value: Option<Value>| {
            if let Some(value) = value {
                item.insert(field.to_owned(), value);
            }
        };
        let journal = paper.journal_ref.as_ref();
        let text = |text: &str| (!text.is_empty()).then(|| Value::from(text));
        put("id", text(&key));
        put(
            "type",
            Some(
                if journal.is_some() {
                    "article-journal"
                } else {
                    "article"
                }
                .into(),
            ),
        );
        put("title", text(paper.title()));
        let authors: Vec<Value> = paper
            .authors()
            .iter()
            .map(|author| person(&Name::read(author)))
            .collect();
        put("author", (!authors.is_empty()).then(|| authors.into()));
        let day = |at: chrono::DateTime<chrono::Utc>| json!({ "date-parts": [[at.year(), at.month(), at.day()]] });
        put("issued", paper.submitted.map(day));
        put("container-title", journal.and_then(|journal| text(&journal.value)));
        put("abstract", text(paper.abstract_text()));
        put("DOI", doi(paper).and_then(text));
        if let Some(id) = arxiv(paper) {
            put("number", text(&format!("arXiv:{id}")));
            put("publisher", text("arXiv"));
        }
        put("URL", paper.id.link().map(Value::from));
        Value::from(item)
    });
    let mut text = format!("{:#}", Value::from(items.collect::<Vec<_>>()));
    text.push('\n');
    text
}

fn person(name: &Name) -> Value {
    match name {
        Name::Whole(name) => json!({ "literal": name }),
        Name::Parts { family, given, suffix } => {
            let mut person = json!({ "family": family, "given": given });
            if let (Some(suffix), Some(fields)) = (suffix, person.as_object_mut()) {
                fields.insert("suffix".to_owned(), suffix.as_str().into());
            }
            person
        }
    }
}

/// How many authors a Markdown list names.
const NAMED: usize = 5;

fn markdown(papers: &[Paper], lang: Lang) -> String {
    let mut out = format!("# {}\n\n", lang.export_title());
    for (number, paper) in (1..).zip(papers) {
        let title = match one_line(paper.title()).as_str() {
            "" => lang.no_title().to_owned(),
            title => unmarked(title),
        };
        let title = match paper.id.link() {
            Some(link) => format!("[{title}]({})", in_parentheses(&link)),
            None => title,
        };
        out.push_str(&format!("{number}. {title}\n"));
        let mut facts = Vec::new();
        let authors = paper.authors();
        if !authors.is_empty() {
            let named: Vec<&str> = authors.iter().take(NAMED).map(String::as_str).collect();
            let more = if authors.len() > NAMED { lang.et_al() } else { "" };
            facts.push(unmarked(&one_line(&format!("{}{more}", named.join(lang.comma())))));
        }
        facts.extend(paper.submitted.map(|at| lang.date(at.date_naive())));
        let brief = brief::compose(paper, lang).map(|brief| unmarked(&one_line(&brief.text)));
        let facts = (!facts.is_empty()).then(|| facts.join(" · "));
        // Behind a blank line and as far in as the item's own text: a paragraph of it.
        let indent = " ".repeat(format!("{number}. ").len());
        for paragraph in [facts, brief].into_iter().flatten() {
            out.push_str(&format!("\n{indent}{paragraph}\n"));
        }
        out.push('\n');
    }
    out
}

/// Text in which nothing means anything to CommonMark: a paper's title makes no link and no picture. A hash, a sign or a
/// number at its beginning would begin a heading or a list.
fn unmarked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    const MARKS: [char; 12] = ['\\', '`', '*', '_', '[', ']', '<', '>', '&', '~', '|', '!'];
    let leading = |at: usize, c: char| at == 0 && matches!(c, '#' | '+' | '-' | '=');
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    for (at, c) in text.char_indices() {
        let numbering = digits > 0 && at == digits && matches!(c, '.' | ')');
        if leading(at, c) || numbering || MARKS.contains(&c) {
            out.push('\\');
        }
        out.push(if c.is_control() { ' ' } else { c });
    }
    out
}

/// An address between parentheses.
fn in_parentheses(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for c in url.chars() {
        match c {
            '(' => out.push_str("%28"),
            ')' => out.push_str("%29"),
            '<' => out.push_str("%3C"),
            '>' => out.push_str("%3E"),
            '\\' => out.push_str("%5C"),
            c if c.is_control() || c.is_whitespace() => out.push_str("%20"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::paper::Field;
    use crate::source::SourceKind;

    fn field<T>(value: T) -> Option<Field<T>> {
        Some(Field::new(value, SourceKind::ArxivMail))
    }

    fn paper(id: &str, title: &str, authors: &[&str]) -> Paper {
        Paper {
            title: field(title.to_owned()),
            authors: field(authors.iter().map(|author| (*author).to_owned()).collect()),
            ..Paper::new(id.parse().unwrap())
        }
    }

    fn papers() -> Vec<Paper> {
        let first = Paper {
            abstract_text: field("We gain 50% on A_1 & B.\nCode is out.".to_owned()),
            categories: field(vec!["cs.CL".to_owned(), "cs.AI".to_owned()]),
            submitted: Some("2026-02-03T04:05:06Z".parse().unwrap()),
            ..paper(
                "2602.90001",
                "50% Faster Caches: *All* of $K_V$",
                &["Ana van der Estévez", "王小明", "DeepSeek-AI"],
            )
        };
        let second = Paper {
            journal_ref: field("J. Caches 7 (2025) 1".to_owned()),
            ..paper("10.1000/a(b)_c", "", &["Li, Bo, Jr."])
        };
        vec![first, second, Paper::new(PaperId::provisional("a", "b"))]
    }

    fn text(papers: &[Paper], format: Format, lang: Lang) -> String {
        String::from_utf8(export(papers, format, lang).bytes).unwrap()
    }

    #[test]
    fn bibtex_escapes_what_tex_would_read() {
        insta::assert_snapshot!(text(&papers(), Format::Bibtex, Lang::En), @r"
        @misc{estevez2026faster,
          title = {{50\% Faster Caches: *All* of \$K\_V\$}},
          author = {Ana van der Estévez and 王小明 and DeepSeek-AI},
          year = {2026},
          eprint = {2602.90001},
          archivePrefix = {arXiv},
          primaryClass = {cs.CL},
          url = {https://arxiv.org/abs/2602.90001},
        }

        @article{li,
          author = {Li, Jr., Bo},
          journal = {J. Caches 7 (2025) 1},
          doi = {10.1000/a(b)_c},
          url = {https://doi.org/10.1000/a(b)_c},
        }

        @misc{paperwire3c9d591045bc8876,
        }
        ");
    }

    #[test]
    fn ris_has_a_tag_on_every_line() {
        let ris = text(&papers(), Format::Ris, Lang::En);
        assert_eq!(ris.matches('\n').count(), ris.matches("\r\n").count());
        insta::assert_snapshot!(ris.replace("\r\n", "\n"), @r"
        TY  - GEN
        ID  - estevez2026faster
        TI  - 50% Faster Caches: *All* of $K_V$
        AU  - van der Estévez, Ana
        AU  - 王, 小明
        AU  - DeepSeek-AI
        PY  - 2026
        DA  - 2026/02/03
        AB  - We gain 50% on A_1 & B. Code is out.
        KW  - cs.CL
        KW  - cs.AI
        AN  - arXiv:2602.90001
        DB  - arXiv
        UR  - https://arxiv.org/abs/2602.90001
        L1  - https://arxiv.org/pdf/2602.90001
        ER  - 

        TY  - JOUR
        ID  - li
        AU  - Li, Bo, Jr.
        T2  - J. Caches 7 (2025) 1
        DO  - 10.1000/a(b)_c
        UR  - https://doi.org/10.1000/a(b)_c
        ER  - 

        TY  - GEN
        ID  - paperwire3c9d591045bc8876
        ER  -
        ");
    }

    #[test]
    fn csl_is_what_citeproc_reads() {
        insta::assert_snapshot!(text(&papers(), Format::Csl, Lang::En), @r#"
        [
          {
            "URL": "https://arxiv.org/abs/2602.90001",
            "abstract": "We gain 50% on A_1 & B.\nCode is out.",
            "author": [
              {
                "family": "van der Estévez",
                "given": "Ana"
              },
              {
                "family": "王",
                "given": "小明"
              },
              {
                "literal": "DeepSeek-AI"
              }
            ],
            "id": "estevez2026faster",
            "issued": {
              "date-parts": [
                [
                  2026,
                  2,
                  3
                ]
              ]
            },
            "number": "arXiv:2602.90001",
            "publisher": "arXiv",
            "title": "50% Faster Caches: *All* of $K_V$",
            "type": "article"
          },
          {
            "DOI": "10.1000/a(b)_c",
            "URL": "https://doi.org/10.1000/a(b)_c",
            "author": [
              {
                "family": "Li",
                "given": "Bo",
                "suffix": "Jr."
              }
            ],
            "container-title": "J. Caches 7 (2025) 1",
            "id": "li",
            "type": "article-journal"
          },
          {
            "id": "paperwire3c9d591045bc8876",
            "type": "article"
          }
        ]
        "#);
    }

    #[test]
    fn markdown_is_a_list_with_links_in_the_readers_language() {
        let both = Lang::ALL.map(|lang| text(&papers(), Format::Markdown, lang));
        insta::assert_snapshot!(both.join("---\n"), @r"
        # 我的收藏

        1. [50% Faster Caches: \*All\* of $K\_V$](https://arxiv.org/abs/2602.90001)

           Ana van der Estévez、王小明、DeepSeek-AI · 2026年2月3日

           We gain 50% on A\_1 \& B. Code is out.

        2. [（无标题）](https://doi.org/10.1000/a%28b%29_c)

           Li, Bo, Jr.

        3. （无标题）

        ---
        # Reading list

        1. [50% Faster Caches: \*All\* of $K\_V$](https://arxiv.org/abs/2602.90001)

           Ana van der Estévez, 王小明, DeepSeek-AI · 3 Feb 2026

           We gain 50% on A\_1 \& B. Code is out.

        2. [(untitled)](https://doi.org/10.1000/a%28b%29_c)

           Li, Bo, Jr.

        3. (untitled)
        ");
    }

    #[test]
    fn a_format_is_known_by_its_word_or_its_ending() {
        for format in Format::ALL {
            assert_eq!(format.name().to_uppercase().parse(), Ok(format));
            assert_eq!(format!(" .{}", format.extension()).parse(), Ok(format));
        }
        let error = "endnote".parse::<Format>().unwrap_err().to_string();
        assert_eq!(error, "“endnote” is no format; use bibtex, ris, csl or markdown");
        let attachment = export(&[], Format::Csl, Lang::En);
        assert_eq!(
            (attachment.name.as_str(), attachment.bytes.as_slice()),
            ("saved.json", b"[]\n".as_slice())
        );
    }

    fn any_papers() -> impl Strategy<Value = Vec<Paper>> {
        let text = || r"(\PC|[\r\n\t\x00\x0b\x1b\x85\u{2028}\\{}%$&_#~^*<>\[\]()!`|-]){0,20}";
        let one = (
            0..4_u8,
            text(),
            prop::collection::vec(text(), 0..3),
            text(),
            any::<bool>(),
        );
        let one = one.prop_map(|(id, title, authors, abstract_text, journal)| Paper {
            title: field(title.clone()),
            authors: field(authors),
            abstract_text: field(abstract_text),
            journal_ref: if journal { field(title.clone()) } else { None },
            ..Paper::new(match id {
                0 => PaperId::Arxiv("2602.90001".to_owned()),
                1 => PaperId::Doi(format!("10.1000/{}", title.replace(char::is_whitespace, ""))),
                2 => PaperId::provisional(&title, ""),
                _ => "https://example.org/a(b)?q={c}".parse().unwrap(),
            })
        });
        prop::collection::vec(one, 0..4)
    }

    proptest! {
        #[test]
        fn csl_parses_and_keeps_titles_abstracts_and_one_id_for_each(papers in any_papers()) {
            let items: Vec<Value> = serde_json::from_str(&text(&papers, Format::Csl, Lang::Zh)).unwrap();
            prop_assert_eq!(items.len(), papers.len());
            let mut ids: Vec<&str> = items.iter().filter_map(|item| item["id"].as_str()).collect();
            for (item, paper) in items.iter().zip(&papers) {
                prop_assert_eq!(item["title"].as_str().unwrap_or_default(), paper.title());
                prop_assert_eq!(item["abstract"].as_str().unwrap_or_default(), paper.abstract_text());
                prop_assert_eq!(item["author"].as_array().map_or(0, Vec::len), paper.authors().len());
            }
            ids.sort_unstable();
            ids.dedup();
            prop_assert_eq!(ids.len(), papers.len());
        }

        #[test]
        fn whatever_is_in_a_title_a_ris_file_is_tagged_lines_and_whole_records(papers in any_papers()) {
            let ris = text(&papers, Format::Ris, Lang::En);
            let other_breaks = ['\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'];
            prop_assert!(!ris.replace("\r\n", "").contains(|c: char| c.is_control() || other_breaks.contains(&c)));
            let mut open = false;
            for line in ris.split("\r\n").filter(|line| !line.is_empty()) {
                let (tag, value) = line.split_once("  - ").unwrap();
                prop_assert!(tag.len() == 2 && tag.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()));
                prop_assert_eq!(open, tag != "TY");
                open = tag != "ER";
                prop_assert_eq!(tag == "ER", value.is_empty());
            }
            prop_assert_eq!(ris.matches("ER  - \r\n\r\n").count(), papers.len());
        }

        #[test]
        fn whatever_is_in_a_title_bibtex_keeps_its_braces_even_and_its_keys_apart(papers in any_papers()) {
            let bibtex = text(&papers, Format::Bibtex, Lang::En);
            let mut depth = 0_i32;
            for c in bibtex.chars() {
                depth += i32::from(c == '{') - i32::from(c == '}');
                prop_assert!((0..=3).contains(&depth));
            }
            prop_assert_eq!(depth, 0);
            let mut keys: Vec<&str> = bibtex.lines().filter(|line| line.starts_with('@')).collect();
            prop_assert_eq!(keys.len(), papers.len());
            keys.sort_unstable();
            keys.dedup();
            prop_assert_eq!(keys.len(), papers.len());
        }

        #[test]
        fn whatever_is_in_a_title_a_markdown_list_has_one_item_for_each(papers in any_papers()) {
            let markdown = text(&papers, Format::Markdown, Lang::En);
            let items = markdown.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).count();
            prop_assert_eq!(items, papers.len());
            let links = papers.iter().filter(|paper| paper.id.link().is_some()).count();
            let (mut meant, mut chars) = (String::new(), markdown.chars());
            while let Some(c) = chars.next() {
                if c == '\\' {
                    chars.next();
                } else {
                    meant.push(c);
                }
            }
            prop_assert_eq!(meant.matches("](").count(), links);
        }
    }
}
