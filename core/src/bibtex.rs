//! Papers as BibTeX, for the people who cite them.

use std::collections::HashMap;
use std::fmt::Write as _;

use chrono::Datelike as _;

use crate::export::Name;
use crate::paper::{Paper, PaperId};

/// One `@misc` entry per paper, in order; `@article` where a journal reference is known. Keys are unique.
pub fn write(papers: &[Paper]) -> String {
    let mut out = String::new();
    for (key, paper) in keys(papers).iter().zip(papers) {
        entry(&mut out, key, paper);
    }
    out
}

/// A key for each paper, by which a text cites it; no two are alike.
pub(crate) fn keys(papers: &[Paper]) -> Vec<String> {
    let mut used: HashMap<String, usize> = HashMap::new();
    let keys = papers.iter().map(|paper| {
        let stem = key(paper);
        let times = used.entry(stem.clone()).or_default();
        *times += 1;
        // A stem has no hyphen.
        if *times == 1 { stem } else { format!("{stem}-{times}") }
    });
    keys.collect()
}

fn entry(out: &mut String, key: &str, paper: &Paper) {
    let journal = paper.journal_ref.as_ref().map(|f| f.value.as_str());
    let kind = if journal.is_some() { "article" } else { "misc" };
    let mut fields: Vec<(&str, String)> = Vec::new();
    if !paper.title().is_empty() {
        // Double braces keep the title's capitals.
        fields.push(("title", format!("{{{}}}", escape(paper.title()))));
    }
    let authors: Vec<String> = paper.authors().iter().map(|name| author(name)).collect();
    if !authors.is_empty() {
        fields.push(("author", authors.join(" and ")));
    }
    fields.extend(paper.submitted.map(|at| ("year", at.year().to_string())));
    fields.extend(journal.map(|j| ("journal", escape(j))));
    match &paper.id {
        PaperId::Arxiv(id) => {
            fields.push(("eprint", id.clone()));
            fields.push(("archivePrefix", "arXiv".to_owned()));
            fields.extend(paper.categories().first().map(|c| ("primaryClass", escape(c))));
        }
        PaperId::Doi(_) | PaperId::Url(_) => {}
    }
    let doi = match &paper.id {
        PaperId::Doi(doi) => Some(doi.clone()),
        PaperId::Arxiv(_) | PaperId::Url(_) => paper.doi.as_ref().map(|f| f.value.clone()),
    };
    // Programs print these as they are; only a brace would end the field.
    fields.extend(doi.map(|doi| ("doi", without_braces(&doi))));
    fields.extend(paper.id.link().map(|url| ("url", without_braces(&url))));
    // Writing into a String cannot fail.
    let _ = writeln!(out, "@{kind}{{{key},");
    for (name, value) in fields {
        let _ = writeln!(out, "  {name} = {{{value}}},");
    }
    out.push_str("}\n\n");
}

/// `estevez2025hypothesis`: first author's family name without particles, year, first long word of the title.
fn key(paper: &Paper) -> String {
    let plain = |text: &str| -> String {
        use unicode_normalization::UnicodeNormalization as _;
        text.nfkd()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_ascii_lowercase()
    };
    let last_name = paper.authors().first().map(|name| match Name::read(name) {
        Name::Parts { family, .. } => plain(family.split(' ').next_back().unwrap_or_default()),
        Name::Whole(name) => plain(&name),
    });
    let year = paper.submitted.map(|at| at.year().to_string());
    let word = paper.title().split_whitespace().map(plain).find(|word| word.len() > 3);
    let key: String = [last_name, year, word].into_iter().flatten().collect();
    if key.is_empty() { plain(paper.id.bare()) } else { key }
}

/// A name as BibTeX takes it apart: at its last word, or at commas (`Downey, Jr., Robert`). What it would take apart wrongly,
/// or for two names, is in braces.
fn author(name: &str) -> String {
    let in_braces = |text: &str| {
        let two = text.split_whitespace().any(|word| word.eq_ignore_ascii_case("and"));
        let escaped = escape(text);
        if two || text.contains(',') {
            format!("{{{escaped}}}")
        } else {
            escaped
        }
    };
    match Name::read(name) {
        Name::Parts { family, given, suffix } if suffix.is_some() || name.contains(',') => {
            let parts = [Some(family), suffix, Some(given)].into_iter().flatten();
            parts.map(|part| in_braces(&part)).collect::<Vec<_>>().join(", ")
        }
        Name::Whole(name) if name.contains(' ') => format!("{{{}}}", escape(&name)),
        Name::Parts { .. } | Name::Whole(_) => in_braces(name),
    }
}

/// An address or a DOI, in which a brace is written in the way of addresses.
fn without_braces(address: &str) -> String {
    address
        .replace('{', "%7B")
        .replace('}', "%7D")
        .replace(char::is_control, "")
}

/// TeX's special characters; braces are dropped, since an odd one would end the field.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '{' | '}' => {}
            '\\' => out.push_str("\\textbackslash "),
            '&' | '%' | '$' | '#' | '_' => out.extend(['\\', c]),
            '~' => out.push_str("\\textasciitilde "),
            '^' => out.push_str("\\textasciicircum "),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paper::Field;
    use crate::source::SourceKind;

    fn paper(id: &str, title: &str, authors: &[&str]) -> Paper {
        let mut paper = Paper::new(id.parse().unwrap());
        let source = SourceKind::ArxivMail;
        paper.title = Some(Field::new(title.to_owned(), source));
        paper.authors = Some(Field::new(authors.iter().map(|a| (*a).to_owned()).collect(), source));
        paper
    }

    #[test]
    fn an_arxiv_paper_becomes_an_entry_with_its_eprint() {
        let bibtex = write(&[paper("2602.90001", "50% Faster Caches", &["Ana Estévez", "Bo Li"])]);
        insta::assert_snapshot!(bibtex, @r"
        @misc{estevezfaster,
          title = {{50\% Faster Caches}},
          author = {Ana Estévez and Bo Li},
          eprint = {2602.90001},
          archivePrefix = {arXiv},
          url = {https://arxiv.org/abs/2602.90001},
        }
        ");
    }

    #[test]
    fn two_papers_with_the_same_key_get_different_ones() {
        let twice = [
            paper("2602.90001", "Caches", &["A B"]),
            paper("2602.90002", "Caches", &["C B"]),
        ];
        let bibtex = write(&twice);
        assert!(
            bibtex.contains("{bcaches,") && bibtex.contains("{bcaches-2,"),
            "{bibtex}"
        );
    }

    #[test]
    fn an_unbalanced_brace_in_a_title_cannot_end_the_field() {
        let bibtex = write(&[paper("2602.90001", "A } B { C", &[])]);
        assert_eq!(bibtex.matches('{').count(), bibtex.matches('}').count());
    }
}
