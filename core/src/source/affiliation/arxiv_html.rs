//! A paper's page on arXiv (`/html/2510.00001`), made from its TeX by LaTeXML: most papers since December 2023 have one.
//!
//! Where the class of the document has commands for affiliations, LaTeXML marks them (`ltx_role_affiliation`,
//! `ltx_role_institutetext`, `ltx_affiliation_institution`). Most classes of conferences have none: names, marks and
//! institutions stand in one `ltx_personname`, and only lines and superscripts tell them apart.

use std::collections::BTreeSet;

use html5gum::{StartTag, Token, Tokenizer};

use super::{AffiliationError, below, repaired, unreadable};
use crate::institution;
use crate::paper::PaperId;
use crate::source::SourceKind;
use crate::source::request::Request;

/// Tags nested deeper within the list of authors are none of LaTeXML's.
const MAX_DEPTH: usize = 200;
/// The most texts that are collected.
const MAX_PIECES: usize = 5_000;

/// The page's address below `base` (`https://arxiv.org`); `None` for what is not on arXiv. The latest version's.
pub fn request(base: &str, id: &PaperId) -> Option<Request> {
    match id {
        PaperId::Arxiv(id) => Some(Request::get(below(base, &format!("html/{id}")))),
        PaperId::Doi(_) | PaperId::Url(_) => None,
    }
}

/// The institutions in a page, in the authors' order; none where the authors gave none.
///
/// # Errors
/// When it is no such page.
pub fn parse(bytes: &[u8]) -> Result<Vec<String>, AffiliationError> {
    let html = String::from_utf8_lossy(bytes);
    let mut authors = Authors::default();
    for token in Tokenizer::new(&*html) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => authors.open(&tag),
            Token::EndTag(tag) => authors.close(&tag.name),
            Token::String(text) if authors.within() => authors.text(&String::from_utf8_lossy(&text)),
            Token::String(_) | Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
        if authors.too_deep {
            return Err(unreadable(
                SourceKind::ArxivHtml,
                "its list of authors is nested too deeply",
            ));
        }
        if authors.over || authors.pieces.len() >= MAX_PIECES {
            break;
        }
    }
    if !authors.found {
        return Err(unreadable(SourceKind::ArxivHtml, "the page has no list of authors"));
    }
    authors.cut();
    Ok(authors.institutions())
}

/// What a text within the list of authors is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// An e-mail, a mark, a formula's source: nothing.
    Nothing,
    /// Names and whatever stands between them.
    Loose,
    /// An affiliation as it is printed.
    Affiliation,
    /// The institution's name within one.
    Institution,
}

#[derive(Default)]
struct Authors {
    found: bool,
    over: bool,
    too_deep: bool,
    /// Names of the open tags, with the role of what is in them.
    open: Vec<(Vec<u8>, Role)>,
    pieces: Vec<Piece>,
    text: String,
    /// How many authors there were; the last of them is spoken of.
    author: usize,
    /// Those with marks that tell whose is what.
    marked: BTreeSet<usize>,
}

/// A text within the list of authors.
struct Piece {
    role: Role,
    author: usize,
    text: String,
}

impl Authors {
    fn within(&self) -> bool {
        !self.open.is_empty()
    }

    fn role(&self) -> Role {
        self.open.last().map_or(Role::Nothing, |(_, role)| *role)
    }

    /// Ends a text.
    fn cut(&mut self) {
        let text = crate::text::one_line(&std::mem::take(&mut self.text));
        if !text.is_empty() {
            let (role, author) = (self.role(), self.author);
            self.pieces.push(Piece { role, author, text });
        }
    }

    fn open(&mut self, tag: &StartTag<()>) {
        let class = tag
            .attributes
            .get(&b"class"[..])
            .map(|class| String::from_utf8_lossy(class).into_owned());
        let class = class.unwrap_or_default();
        let has = |name: &str| class.split_ascii_whitespace().any(|word| word == name);
        if !self.within() {
            if has("ltx_authors") {
                self.found = true;
                self.open.push((tag.name.to_vec(), Role::Loose));
            }
            return;
        }
        let name: &[u8] = &tag.name;
        let around = self.role();
        let role = if around == Role::Nothing || matches!(name, b"sup" | b"math" | b"script" | b"style" | b"svg") {
            Role::Nothing
        } else if has("ltx_affiliation_institution") {
            Role::Institution
        } else if class.contains("ltx_affiliation_")
            || has("ltx_role_email")
            || has("ltx_role_orcid")
            || has("ltx_note_mark")
            || has("ltx_tag_note")
            || has("ltx_note_type")
            || has("ltx_ERROR")
            || has("ltx_role_url")
            || has("ltx_role_dedicatory")
        {
            Role::Nothing
        } else if has("ltx_role_affiliation")
            || has("ltx_role_affiliationtext")
            || has("ltx_role_institutetext")
            || has("ltx_role_address")
            || has("ltx_role_institute")
        {
            Role::Affiliation
        } else {
            around
        };
        // Fonts change within a name; marks, lines, cells and notes end one.
        let inline = matches!(
            name,
            b"span" | b"b" | b"i" | b"em" | b"a" | b"strong" | b"small" | b"cite" | b"wbr"
        );
        let note = has("ltx_note")
            || class.contains("ltx_creator")
            || class.contains("ltx_contact")
            || class.contains("ltx_role_");
        if !inline || note || role != around {
            self.cut();
        }
        if has("ltx_creator") {
            self.author += 1;
        }
        if name == b"sup" {
            self.marked.insert(self.author);
        }
        let is_void = matches!(
            name,
            b"br" | b"img" | b"hr" | b"wbr" | b"input" | b"meta" | b"link" | b"col"
        );
        if !is_void && !tag.self_closing {
            self.too_deep |= self.open.len() >= MAX_DEPTH;
            self.open.push((name.to_vec(), role));
        }
    }

    fn close(&mut self, name: &[u8]) {
        let Some(at) = self.open.iter().rposition(|(open, _)| open == name) else {
            return;
        };
        let around = at
            .checked_sub(1)
            .and_then(|at| self.open.get(at))
            .map_or(Role::Nothing, |(_, role)| *role);
        if around != self.role() || !matches!(name, b"span" | b"b" | b"i" | b"em" | b"a" | b"strong" | b"small") {
            self.cut();
        }
        self.open.truncate(at);
        self.over = self.open.is_empty();
    }

    fn text(&mut self, text: &str) {
        if self.role() != Role::Nothing && self.text.len() < 4096 {
            self.text.push_str(text);
        }
    }

    fn institutions(&self) -> Vec<String> {
        let best = self
            .pieces
            .iter()
            .map(|piece| piece.role)
            .max()
            .unwrap_or(Role::Nothing);
        let mut said: Vec<Vec<String>> = Vec::new();
        let mut last = None;
        for piece in self.pieces.iter().filter(|piece| piece.role == best) {
            let text = match best {
                // Between the authors' names.
                Role::Loose => loose(&piece.text),
                Role::Nothing | Role::Affiliation | Role::Institution => piece.text.clone(),
            };
            let same = last == Some(piece.author) && !self.marked.contains(&piece.author);
            match said.last_mut().filter(|_| same) {
                Some(texts) => texts.push(text),
                None => said.push(vec![text]),
            }
            last = Some(piece.author);
        }
        repaired(&said)
    }
}

/// What reads like institutions and their parts in a text that can be anything.
fn loose(text: &str) -> String {
    let mut parts = institution::split(text);
    parts.retain(|part| institution::is_one(part) || institution::is_fragment(part));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page around a list of authors.
    fn page(authors: &str) -> String {
        format!(
            "<!DOCTYPE html><html lang=\"en\"><head><title>A Small Cache</title></head><body><nav>Massachusetts Institute of Technology</nav>\n\
             <article class=\"ltx_document ltx_authors_1line\">\n<h1 class=\"ltx_title ltx_title_document\">A Small Cache</h1>\n\
             <div class=\"ltx_authors\">\n{authors}\n</div>\n<div class=\"ltx_abstract\"><p>We use data of Harvard University.</p></div>\n</article></body></html>"
        )
    }

    fn found(authors: &str) -> Vec<String> {
        parse(page(authors).as_bytes()).unwrap()
    }

    #[test]
    fn marked_affiliations_are_taken_in_the_authors_order() {
        let acm = "<span class=\"ltx_creator ltx_role_author\"><span class=\"ltx_personname\">Ada Lund\n</span><span class=\"ltx_author_notes\">\
            <span class=\"ltx_contact ltx_role_email\"><a href=\"mailto:ada@kth.se\">ada@kth.se</a></span>\
            <span class=\"ltx_contact ltx_role_orcid\">0000-0001</span>\
            <span class=\"ltx_contact ltx_role_affiliation\"><span class=\"ltx_text ltx_affiliation_department\">School of EECS</span>\
            <span class=\"ltx_text ltx_affiliation_institution\">KTH <span class=\"ltx_text ltx_font_bold\">Royal</span> Institute of Technology</span>\
            <span class=\"ltx_text ltx_affiliation_city\">Stockholm</span><span class=\"ltx_text ltx_affiliation_country\">Sweden</span></span></span></span>\n\
            <span class=\"ltx_author_before\">, </span><span class=\"ltx_creator ltx_role_author\"><span class=\"ltx_personname\">Bo Chen</span>\
            <span class=\"ltx_author_notes\"><span class=\"ltx_contact ltx_role_affiliation\">\
            <span class=\"ltx_text ltx_affiliation_institution\">Zhejiang University</span><span class=\"ltx_text ltx_affiliation_city\">Hangzhou</span></span></span></span>";
        assert_eq!(found(acm), ["KTH Royal Institute of Technology", "Zhejiang University"]);
        let plain = "<span class=\"ltx_creator ltx_role_author\"><span class=\"ltx_personname\">Ada Lund<span class=\"ltx_note ltx_role_footnotemark\"><sup>1</sup>Equal contribution</span></span>\
            <span class=\"ltx_author_notes\"><span class=\"ltx_contact ltx_role_affiliation\">Department of Physics, Fudan University, Shanghai 200433, China\n</span></span></span>\
            <span class=\"ltx_creator ltx_role_author\"><span class=\"ltx_personname\">Bo</span><span class=\"ltx_contact ltx_role_affiliation\">Google DeepMind, London</span></span>";
        assert_eq!(found(plain), ["Fudan University", "Google DeepMind"]);
    }

    #[test]
    fn institutions_between_names_are_told_from_the_names() {
        let authors = "<span class=\"ltx_creator ltx_role_author\">\n<span class=\"ltx_personname\">Ada Lund<sup class=\"ltx_sup\">1,2</sup>,\
            Bo Chen<sup class=\"ltx_sup\"><span class=\"ltx_text\">2∗</span></sup> Cy Vance<sup>3</sup>\
            <br class=\"ltx_break\"/><sup class=\"ltx_sup\">1</sup>Tsinghua University <sup class=\"ltx_sup\">2</sup>Shanghai AI Laboratory\
            <br class=\"ltx_break\"/><sup>3</sup>Independent <span class=\"ltx_text ltx_font_typewriter\">{ada,bo}@thu.edu</span>\
            <span class=\"ltx_note ltx_role_thanks\"><sup class=\"ltx_note_mark\">†</sup><span class=\"ltx_note_outer\"><span class=\"ltx_note_content\">\
            <sup class=\"ltx_note_mark\">†</sup>Work done during an internship at Meta</span></span></span></span></span>";
        assert_eq!(found(authors), ["Tsinghua University", "Shanghai AI Laboratory"]);
        assert_eq!(
            found("<span class=\"ltx_personname\">Ada Lund</span>"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_laboratory_is_its_authors_institutions_and_nobodys_where_marks_part_them() {
        let author = |lines: &str| {
            format!("<span class=\"ltx_creator ltx_role_author\"><span class=\"ltx_personname\">{lines}</span></span>")
        };
        let lines = author(
            "Ada Lund<br class=\"ltx_break\"/>Department of ECE<br/>NLP Lab<br/>University of Probes<br/>Probeville, Italy",
        );
        let other = author("Bo Chen<br/>Vision Group");
        assert_eq!(found(&(lines.clone() + &other)), ["University of Probes NLP Lab"]);
        let marked = author(
            "Ada Lund<sup>1</sup>, Bo Chen<sup>2</sup><br/><sup>1</sup>NLP Lab<br/><sup>2</sup>University of Probes",
        );
        assert_eq!(found(&marked), ["University of Probes"]);
        let institute = "<span class=\"ltx_contact ltx_role_institutetext\">Vision Lab, Fudan University, Shanghai, China</span>\
            <span class=\"ltx_contact ltx_role_institutetext\">School of AI, Nankai University</span>";
        assert_eq!(found(institute), ["Fudan University Vision Lab", "Nankai University"]);
    }

    #[test]
    fn another_page_and_a_bomb_are_told() {
        let refused = |html: &str| parse(html.as_bytes()).unwrap_err().to_string();
        assert!(
            refused("<html><body>HTML is not available for this paper</body></html>").contains("no list of authors")
        );
        assert!(refused(&page(&"<span>".repeat(10_000))).contains("too deeply"));
        assert!(found(&"<br>Peking University".repeat(100_000)).len() == 1);
        let id: PaperId = "2510.00001".parse().unwrap();
        assert_eq!(
            request("https://arxiv.org/", &id).unwrap().url,
            "https://arxiv.org/html/2510.00001"
        );
        assert_eq!(request("https://arxiv.org", &"10.1145/1.2".parse().unwrap()), None);
    }
}
