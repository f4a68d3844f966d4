//! Any bytes as an answer of each source that strangers write: feeds, Hugging Face, lines of JSON, pages and catalogues with
//! institutions. What comes out of them is what is stored and shown, so it is bounded and whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paperwire_core::source::affiliation::{arxiv_html, grobid, openalex};
use paperwire_core::source::{Parsed, feed, hugging_face, jsonl};
use paperwire_core::{institution, markup};

fn bounded(parsed: Parsed) {
    for item in parsed.items {
        assert!(item.paper.title().len() <= 4 * 601 && !item.paper.title().contains('\n'));
        assert!(item.paper.abstract_text().chars().count() <= 8_001);
        assert!(item.paper.version > 0);
        assert!(item.paper.institutions().len() <= institution::MAX_INSTITUTIONS);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let framed = [
        b"<rss version=\"2.0\"><channel><item><link>https://a.b/c</link><title>".as_slice(),
        bytes,
        b"</title></item></channel></rss>",
    ]
    .concat();
    for xml in [bytes, &framed] {
        let parsed = feed::parse(xml, None, "https://news.example/feed");
        parsed.into_iter().for_each(bounded);
    }
    hugging_face::parse(bytes, Default::default()).into_iter().for_each(bounded);
    jsonl::parse(bytes).into_iter().for_each(bounded);
    let page = [b"<div class=\"ltx_authors\">".as_slice(), bytes].concat();
    for names in [arxiv_html::parse(&page), grobid::parse(bytes), openalex::parse(bytes)].into_iter().flatten() {
        assert!(names.len() <= institution::MAX_INSTITUTIONS && names.iter().all(|name| !name.is_empty()));
    }
    let text = String::from_utf8_lossy(bytes);
    let readable = markup::readable(&text);
    assert!(readable.lines().all(|line| !line.trim().is_empty()));
});
