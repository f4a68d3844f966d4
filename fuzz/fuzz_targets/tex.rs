//! Whatever stands between dollars and braces, the result stays within its bound.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paperwire_core::tex::to_unicode;

fuzz_target!(|text: &str| {
    assert!(to_unicode(text).len() <= 4 * text.len() + 4);
});
