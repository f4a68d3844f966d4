//! Whatever is typed is a rule that reads as itself again, or an error of a few lines in which nothing is hidden.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paperwire_core::locale::Lang;
use paperwire_core::rule::{Query, Rule, RuleError};

fuzz_target!(|text: &str| {
    match Rule::parse(text) {
        Ok(rule) => assert_eq!(rule.as_str().parse::<Rule>().as_ref().map(Rule::as_str), Ok(rule.as_str())),
        Err(error) => short(&error),
    }
    match Query::parse(text) {
        Ok(query) => assert_eq!(Query::parse(query.as_str()), Ok(query)),
        Err(error) => short(&error),
    }
});

fn short(error: &RuleError) {
    assert!(error.shown.get(error.span.clone()).is_some());
    assert!(error.shown.chars().count() <= 82 && !error.shown.contains(['@', '\u{202E}', '\u{200B}', '\n']));
    for lang in Lang::ALL {
        assert!(error.lines(lang).len() >= 1);
    }
}
