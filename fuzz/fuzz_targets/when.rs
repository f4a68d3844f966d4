//! Whatever is typed for a time, what is understood is described in words that mean it, and a pause ends after it began.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paperwire_core::locale::Lang;
use paperwire_core::schedule::phrase::{self, ScheduleChange};
use paperwire_core::schedule::zone;

fuzz_target!(|text: &str| {
    if let Ok(ScheduleChange::Posts { schedule, .. }) = phrase::schedule(text) {
        for lang in Lang::ALL {
            let said = phrase::describe(&schedule, lang);
            assert!(matches!(phrase::schedule(&said), Ok(ScheduleChange::Posts { .. })), "{said}");
        }
    }
    let now = chrono::DateTime::from_timestamp(1_760_097_600, 0).unwrap_or_default();
    let zone = zone::find(text).unwrap_or(chrono_tz::UTC);
    if let Ok(Some(end)) = phrase::until(text, zone, now) {
        assert!(end > now);
    }
    assert!(zone::complete(text, 25).len() <= 25);
});
