//! Which of arXiv's categories a source asks for. A day in the ledger counts for those that it was asked for alone: without
//! that, a day on which a misspelt category had no paper would stay empty when the category is mended.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Announcement;

/// Categories: `cs.CL`, `cs.*` or `cs` for an archive with all below it. None means all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scope(Vec<String>);

impl Scope {
    /// Those of the configuration, whatever their order.
    pub fn new(categories: impl IntoIterator<Item = String>) -> Self {
        let tidy = categories.into_iter().map(|category| category.trim().to_owned());
        let known: BTreeSet<String> = tidy.filter(|category| !category.is_empty()).collect();
        Self(known.into_iter().collect())
    }

    /// Whether the category is one of them or below one of them.
    pub fn covers(&self, category: &str) -> bool {
        self.0.is_empty()
            || self.0.iter().any(|wanted| {
                let archive = wanted.strip_suffix(".*").unwrap_or(wanted);
                let below = category.strip_prefix(archive);
                below.is_some_and(|rest| rest.is_empty() || !archive.contains('.') && rest.starts_with('.'))
            })
    }

    /// Whether who asks for these gets all that who asks for `other` gets.
    pub fn includes(&self, other: &Self) -> bool {
        match other.0.is_empty() {
            true => self.0.is_empty(),
            false => other.0.iter().all(|category| self.covers(category)),
        }
    }

    /// What was asked for by who asked for both.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        match self.0.is_empty() || other.0.is_empty() {
            true => Self(Vec::new()),
            false => Self::new(self.0.iter().chain(&other.0).cloned()),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// For people.
    pub(super) fn named(&self) -> String {
        match self.0.is_empty() {
            true => "all categories".to_owned(),
            false => self.0.join(", "),
        }
    }

    /// New, or a cross-list where the first category is none of those wanted.
    pub(super) fn announcement(&self, categories: &[String]) -> Announcement {
        match categories.first() {
            Some(primary) if !self.covers(primary) => Announcement::CrossList,
            Some(_) | None => Announcement::New,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scope(categories: &[&str]) -> Scope {
        Scope::new(categories.iter().map(|category| (*category).to_owned()))
    }

    #[test]
    fn a_category_covers_itself_and_an_archive_what_is_below_it() {
        let some = scope(&["cs.*", " stat.ML", "hep-th", ""]);
        for wanted in ["cs.CL", "cs", "stat.ML", "hep-th"] {
            assert!(some.covers(wanted), "{wanted}");
        }
        for other in ["stat.ME", "csx.AI", "hep-ph", "stat.MLX", "math.CO"] {
            assert!(!some.covers(other), "{other}");
        }
        assert!(scope(&[]).covers("math.CO"));
    }

    #[test]
    fn an_archive_includes_its_categories_and_all_of_them_are_less_than_everything() {
        for (more, less) in [
            (&["cs.*"][..], &["cs.CL", "cs.LG"][..]),
            (&["cs"], &["cs.*"]),
            (&["cs.*"], &["cs"]),
            (&[], &["cs.CL"]),
            (&[], &[]),
            (&["cs.CL", "stat.ML"], &["stat.ML"]),
        ] {
            assert!(scope(more).includes(&scope(less)), "{more:?} {less:?}");
        }
        for (less, more) in [
            (&["cs.CL"][..], &["cs.*"][..]),
            (&["cs.CLL"], &["cs.CL"]),
            (&["cs.CL"], &["cs.CL", "cs.LG"]),
            (&["cs.*", "stat.*"], &[]),
        ] {
            assert!(!scope(less).includes(&scope(more)), "{less:?} {more:?}");
        }
    }

    fn any_scope() -> impl Strategy<Value = Scope> {
        let category = prop::sample::select(vec!["cs", "cs.*", "cs.CL", "cs.LG", "stat.ML", "hep-th"]);
        prop::collection::vec(category.prop_map(str::to_owned), 0..4).prop_map(Scope::new)
    }

    proptest! {
        #[test]
        fn what_was_asked_for_with_another_includes_both_and_covers_nothing_else(
            a in any_scope(), b in any_scope(), category in "(cs|stat|hep)[.-](CL|LG|ML|th)",
        ) {
            let both = a.with(&b);
            prop_assert!(both.includes(&a) && both.includes(&b) && a.includes(&a));
            prop_assert_eq!(both.covers(&category), a.covers(&category) || b.covers(&category));
            prop_assert_eq!(a.with(&a), a.clone());
            if a.includes(&b) && b.covers(&category) {
                prop_assert!(a.covers(&category));
            }
        }
    }
}
