//! Whatever a model or a report writes about whatever paper, the gate answers, its findings and clauses are parts of the
//! text, and an abstract's own words are their own evidence.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paperwire_core::brief::{compose, evidence, gate, language};
use paperwire_core::locale::Lang;
use paperwire_core::paper::{Field, Paper, PaperId};
use paperwire_core::source::SourceKind;

fuzz_target!(|input: (&str, &str, &str)| {
    let (text, title, abstract_text) = input;
    let field = |text: &str| Some(Field::new(text.to_owned(), SourceKind::Report));
    let mut paper = Paper::new(PaperId::provisional(title, abstract_text));
    paper.title = field(title);
    paper.abstract_text = field(abstract_text);
    paper.institutions = Some(Field::new(vec![title.to_owned()], SourceKind::Report));
    for asked in Lang::ALL {
        let found = gate::findings(text, asked, &paper);
        assert_eq!(gate::check(text, asked, &paper).err(), found.first().map(|finding| finding.kind));
        for finding in found {
            assert_eq!(text.get(finding.at.clone()).map(str::trim), Some(finding.words.as_str()));
            assert!(!finding.reason(asked).is_empty());
        }
    }
    for clause in evidence::of(text, &paper) {
        assert_eq!(text.get(clause.at), Some(clause.text.as_str()));
    }
    if let Some(brief) = compose(&paper, language(abstract_text)) {
        assert!(!brief.text.trim().is_empty());
    }
});
