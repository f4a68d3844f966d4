//! Any bytes at all, and the same bytes as entries of a mailing, so that the fuzzer need not find the frame first.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paperwire_core::source::arxiv_mail;

fuzz_target!(|bytes: &[u8]| {
    assert_eq!(arxiv_mail::recognises(bytes), arxiv_mail::parse(bytes).is_ok());
    let framed = [b"\\\\\narXiv:2510.00001\n".as_slice(), bytes].concat();
    if let Ok(parsed) = arxiv_mail::parse(&framed) {
        for item in parsed.items {
            assert!(!item.paper.title().is_empty());
        }
    }
});
