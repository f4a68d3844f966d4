//! Any bytes at all as answers of arXiv's interfaces, and the same bytes within one item, so that the fuzzer need not find
//! the frame first.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paperwire_core::source::{arxiv_api, arxiv_rss, oai};

fn framed(head: &str, bytes: &[u8], tail: &str) -> Vec<u8> {
    [head.as_bytes(), bytes, tail.as_bytes()].concat()
}

fuzz_target!(|bytes: &[u8]| {
    let feed = framed("<feed><totalResults>1</totalResults><entry>", bytes, "</entry></feed>");
    for bytes in [bytes, &feed] {
        if let Ok(page) = arxiv_api::parse(bytes, &[]) {
            assert!(page.items.iter().all(|item| !item.paper.title().is_empty()));
        }
    }
    let feed = framed("<rss><channel><item>", bytes, "</item></channel></rss>");
    for bytes in [bytes, &feed] {
        if let Ok(parsed) = arxiv_rss::parse(bytes) {
            assert!(parsed.items.iter().all(|item| !item.paper.title().is_empty()));
        }
    }
    let list = framed("<OAI-PMH><ListRecords><record>", bytes, "</record></ListRecords></OAI-PMH>");
    for bytes in [bytes, &list] {
        if let Ok(oai::Answer::List(list)) = oai::parse(bytes) {
            assert!(list.records.iter().all(|record| !record.versions.is_empty()));
        }
    }
});
