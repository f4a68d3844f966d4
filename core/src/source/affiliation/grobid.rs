//! A GROBID server (`/api/processHeaderDocument`): it reads the first pages of a PDF and answers with their heading in TEI.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::{AffiliationError, below, repaired, unreadable};
use crate::institution;
use crate::paper::PaperId;
use crate::source::SourceKind;
use crate::source::request::Request;

/// Elements nested deeper are none of GROBID's.
const MAX_DEPTH: usize = 200;

/// What to send: a `multipart/form-data` POST with the PDF and some fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Where the PDF is.
    pub pdf: Request,
    /// Where it goes.
    pub url: String,
    /// The name of the part with the PDF.
    pub part: &'static str,
    /// The other parts.
    pub fields: Vec<(&'static str, &'static str)>,
    /// The `Accept` header: without it the answer is BibTeX.
    pub accept: &'static str,
}

/// What to send to the server at `base` for a paper whose PDF is below `pdfs` (`https://arxiv.org`); `None` where the PDF's
/// address is not known.
pub fn request(base: &str, pdfs: &str, id: &PaperId) -> Option<Upload> {
    match id {
        PaperId::Arxiv(id) => Some(Upload {
            pdf: Request::get(below(pdfs, &format!("pdf/{id}"))),
            url: below(base, "api/processHeaderDocument"),
            part: "input",
            // Nothing is looked up elsewhere: only what the page says.
            fields: vec![("consolidateHeader", "0"), ("includeRawAffiliations", "0")],
            accept: "application/xml",
        }),
        PaperId::Doi(_) | PaperId::Url(_) => None,
    }
}

/// The institutions in an answer, in the authors' order; none where it found none.
///
/// # Errors
/// When it is no TEI.
pub fn parse(bytes: &[u8]) -> Result<Vec<String>, AffiliationError> {
    let wrong = |reason: String| unreadable(SourceKind::Grobid, reason);
    let text = String::from_utf8_lossy(bytes);
    let mut reader = Reader::from_str(&text);
    let mut open: Vec<String> = Vec::new();
    let mut is_tei = false;
    // For each author his affiliations.
    let mut said: Vec<Vec<String>> = Vec::new();
    // Of the affiliation that is open: (type, name).
    let mut names: Vec<(String, String)> = Vec::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                let name = start.local_name().as_ref().to_owned();
                is_tei |= name == "TEI";
                if open.len() >= MAX_DEPTH {
                    return Err(wrong("its elements are nested too deeply".to_owned()));
                }
                if name == "affiliation" {
                    names.clear();
                }
                if name == "author" || said.is_empty() {
                    said.push(Vec::new());
                }
                if name == "orgName" {
                    let kind = start
                        .attributes()
                        .flatten()
                        .find(|attribute| attribute.key.as_ref() == "type");
                    let kind = kind.map(|kind| kind.value.into_owned());
                    names.push((kind.unwrap_or_default(), String::new()));
                }
                open.push(name);
            }
            Ok(Event::End(_)) => match open.pop().as_deref() {
                Some("affiliation") => said
                    .last_mut()
                    .into_iter()
                    .for_each(|said| said.extend(affiliation(&names))),
                // The authors of what is cited come behind the heading.
                Some("teiHeader") => break,
                Some(_) | None => {}
            },
            Ok(Event::Text(text)) => {
                if let (Some("orgName"), Some((_, name))) = (open.last().map(String::as_str), names.last_mut()) {
                    name.push_str(&text);
                }
            }
            Ok(Event::GeneralRef(named)) => {
                if let (Some("orgName"), Some((_, name))) = (open.last().map(String::as_str), names.last_mut()) {
                    name.push_str(&crate::markup::readable(&format!("&{};", &*named)));
                }
            }
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(error) => return Err(wrong(error.to_string())),
        }
    }
    if !is_tei {
        let begins: String = text.trim_start().chars().take(40).collect();
        return Err(wrong(format!("it begins “{begins}” and is no TEI")));
    }
    Ok(repaired(&said))
}

/// The institutions of one affiliation, a single one with its laboratory; where GROBID saw none, its laboratory or
/// department.
fn affiliation(names: &[(String, String)]) -> Vec<String> {
    let of = |kind: &str| {
        let of_kind = names
            .iter()
            .filter(|(its, name)| its == kind && !name.trim().is_empty());
        of_kind.map(|(_, name)| crate::text::one_line(name)).collect::<Vec<_>>()
    };
    let institutions = of("institution");
    match institutions.as_slice() {
        [single] => {
            let units = of("laboratory")
                .into_iter()
                .filter(|name| institution::is_fragment(name));
            vec![units.chain([single.clone()]).collect::<Vec<_>>().join(", ")]
        }
        [_, ..] => institutions,
        [] => of("laboratory")
            .into_iter()
            .chain(of("department"))
            .chain(of(""))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEI: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<TEI xml:space="preserve" xmlns="http://www.tei-c.org/ns/1.0">
 <teiHeader xml:lang="en"><fileDesc><titleStmt><title level="a" type="main">A Small Cache</title><funder><orgName type="full">NSF</orgName></funder></titleStmt>
 <sourceDesc><biblStruct><analytic>
  <author><persName><forename type="first">Ada</forename><surname>Lund</surname></persName><email>ada@kth.se</email>
   <affiliation key="aff0"><orgName type="department">School of EECS</orgName><orgName type="institution" key="instit1">Texas A&amp;M University</orgName>
    <orgName type="institution" key="instit2">KTH Royal Institute of Technology</orgName><address><settlement>Stockholm</settlement><country key="SE">Sweden</country></address></affiliation></author>
  <author><persName><surname>Chen</surname></persName>
   <affiliation key="aff1"><orgName type="laboratory">Noah's Ark Lab, Huawei</orgName></affiliation>
   <affiliation key="aff0"><orgName type="institution">Texas A&amp;M University</orgName></affiliation></author>
  <title level="a" type="main">A Small Cache</title></analytic></biblStruct></sourceDesc></fileDesc></teiHeader>
 <text><back><listBibl><biblStruct><author><affiliation><orgName type="institution">Harvard University</orgName></affiliation></author></biblStruct></listBibl></back></text>
</TEI>"#;

    #[test]
    fn the_institutions_of_the_authors_are_taken_in_their_order() {
        let found = parse(TEI.as_bytes()).unwrap();
        assert_eq!(
            found[..2],
            ["Texas A&M University", "KTH Royal Institute of Technology"]
        );
        assert!(found[2..].iter().any(|name| name.contains("Noah's Ark")), "{found:?}");
        assert!(!found.iter().any(|name| name.contains("Harvard") || name == "NSF"));
    }

    #[test]
    fn a_laboratory_is_put_to_the_institution_of_its_affiliation_or_of_its_author() {
        let org = |kind: &str, name: &str| format!("<orgName type=\"{kind}\">{name}</orgName>");
        let affiliation = |names: &[&String]| {
            let names: String = names.iter().map(|name| name.as_str()).collect();
            format!("<affiliation>{names}</affiliation>")
        };
        let author = |affiliations: &[String]| format!("<author>{}</author>", affiliations.concat());
        let page = |authors: &[String]| {
            let tei = format!("<TEI><teiHeader>{}</teiHeader></TEI>", authors.concat());
            parse(tei.as_bytes()).unwrap()
        };
        let (lab, school) = (org("laboratory", "NLP Lab"), org("department", "School of AI"));
        let (one, two) = (org("institution", "University of Probes"), org("institution", "MIT"));
        let both = affiliation(&[&school, &lab, &one]);
        assert_eq!(page(&[author(&[both])]), ["University of Probes NLP Lab"]);
        let apart = [affiliation(&[&lab]), affiliation(&[&one])];
        assert_eq!(
            page(&[author(&apart), author(&[affiliation(&[&two])])]),
            ["University of Probes NLP Lab", "MIT"]
        );
        let unknown = [affiliation(&[&lab, &one, &two])];
        assert_eq!(page(&[author(&unknown)]), ["University of Probes", "MIT"]);
        assert!(page(&[author(&[affiliation(&[&school])])]).is_empty());
    }

    #[test]
    fn an_error_and_a_bomb_are_told() {
        let refused = |xml: &str| parse(xml.as_bytes()).unwrap_err().to_string();
        assert!(refused("[NO_BLOCKS] PDF parsing resulted in empty content").contains("NO_BLOCKS"));
        assert!(refused("").contains("no TEI"));
        assert!(refused(&format!("<TEI>{}", "<a>".repeat(10_000))).contains("too deeply"));
        assert!(parse(b"<TEI><teiHeader></teiHeader></TEI>").unwrap().is_empty());
    }

    #[test]
    fn the_pdf_is_sent_as_a_form() {
        let upload = request(
            "http://grobid:8070/",
            "https://arxiv.org",
            &"cs/0112017".parse().unwrap(),
        )
        .unwrap();
        assert_eq!(upload.pdf.url, "https://arxiv.org/pdf/cs/0112017");
        assert_eq!(
            (upload.url.as_str(), upload.part),
            ("http://grobid:8070/api/processHeaderDocument", "input")
        );
        assert_eq!(
            request("http://g", "https://arxiv.org", &"https://a.b/c".parse().unwrap()),
            None
        );
    }
}
