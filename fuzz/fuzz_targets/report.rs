//! A report that can be read is written back byte for byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paperwire_core::report;

fuzz_target!(|text: &str| {
    if let Ok(read) = report::read(text) {
        assert_eq!(report::write(&read), text);
    }
});
