//! Where a paper's institutions come from when its announcement has none, as arXiv's never have: the paper's own page on
//! arXiv, a GROBID server that reads its PDF, or OpenAlex. Each is optional, asked per paper, and only parsed here.

pub mod arxiv_html;
pub mod grobid;
pub mod openalex;

use serde::{Deserialize, Serialize};

use super::{Announcement, Item, Parsed, SourceKind};
use crate::institution;
use crate::paper::{Field, Paper, PaperId};

/// Who can be asked, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The paper's page on arXiv.
    ArxivHtml,
    /// A GROBID server.
    Grobid,
    /// OpenAlex.
    OpenAlex,
}

impl Kind {
    /// Every kind, best first.
    pub const ALL: [Self; 3] = [Self::ArxivHtml, Self::Grobid, Self::OpenAlex];

    /// Whose fields it gives.
    pub fn source(self) -> SourceKind {
        match self {
            Self::ArxivHtml => SourceKind::ArxivHtml,
            Self::Grobid => SourceKind::Grobid,
            Self::OpenAlex => SourceKind::OpenAlex,
        }
    }

    /// Whether it can know a paper of this name.
    fn knows(self, id: &PaperId) -> bool {
        match (self, id) {
            (_, PaperId::Arxiv(_)) | (Self::OpenAlex, PaperId::Doi(_)) => true,
            (Self::ArxivHtml | Self::Grobid, PaperId::Doi(_)) | (_, PaperId::Url(_)) => false,
        }
    }
}

/// Why an answer says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AffiliationError {
    /// It is not what was asked for.
    #[error("{from} did not answer with what was asked for: {reason}")]
    Unreadable {
        /// Who answered.
        from: SourceKind,
        /// What is wrong.
        reason: String,
    },
}

/// Whom to ask next for a paper's institutions: of those `available` and not `tried`, the best one that can know the paper
/// and is better than where its institutions come from. OpenAlex is asked only when nobody has said anything.
pub fn next(paper: &Paper, available: &[Kind], tried: &[Kind]) -> Option<Kind> {
    let said = paper.institutions.as_ref().map(|known| known.source.authority());
    Kind::ALL.into_iter().find(|kind| {
        let better = match kind {
            Kind::ArxivHtml | Kind::Grobid => said.is_none_or(|said| said < kind.source().authority()),
            Kind::OpenAlex => said.is_none(),
        };
        better && available.contains(kind) && !tried.contains(kind) && kind.knows(&paper.id)
    })
}

/// What [`crate::pipeline::accept`] takes in of an answer: the paper with nothing but its institutions, which makes it
/// neither a candidate nor a new version.
pub fn account(id: &PaperId, kind: Kind, institutions: Vec<String>) -> Parsed {
    let source = kind.source();
    let mut paper = Paper::new(id.clone());
    paper.institutions = (!institutions.is_empty()).then(|| Field::new(institutions, source));
    let item = Item {
        paper,
        announcement: Announcement::Replacement,
    };
    Parsed {
        source,
        window: None,
        asked: None,
        items: vec![item],
        rejected: Vec::new(),
    }
}

/// `path` below `base`, whichever of them has the slash.
fn below(base: &str, path: &str) -> String {
    format!("{}/{path}", base.trim_end_matches('/'))
}

fn unreadable(from: SourceKind, reason: impl Into<String>) -> AffiliationError {
    AffiliationError::Unreadable {
        from,
        reason: reason.into(),
    }
}

/// The institutions in what a source said, author by author.
fn repaired(said: &[Vec<String>]) -> Vec<String> {
    institution::by_author(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paper(id: &str, source: Option<SourceKind>) -> Paper {
        let mut paper = Paper::new(id.parse().unwrap());
        paper.institutions = source.map(|source| Field::new(vec!["MIT".to_owned()], source));
        paper
    }

    #[test]
    fn the_best_one_that_can_know_better_is_asked_and_openalex_last() {
        use Kind::{ArxivHtml, Grobid, OpenAlex};
        let none = paper("2510.00001", None);
        assert_eq!(next(&none, &Kind::ALL, &[]), Some(ArxivHtml));
        assert_eq!(next(&none, &Kind::ALL, &[ArxivHtml]), Some(Grobid));
        assert_eq!(next(&none, &[OpenAlex, Grobid], &[Grobid]), Some(OpenAlex));
        assert_eq!(next(&none, &Kind::ALL, &Kind::ALL), None);
        let reported = paper("2510.00001", Some(SourceKind::Report));
        assert_eq!(next(&reported, &Kind::ALL, &[]), Some(ArxivHtml));
        assert_eq!(next(&reported, &[OpenAlex], &[]), None);
        let known = paper("2510.00001", Some(SourceKind::ArxivHtml));
        assert_eq!(next(&known, &Kind::ALL, &[]), None);
        assert_eq!(next(&paper("10.1145/1.2", None), &Kind::ALL, &[]), Some(OpenAlex));
        assert_eq!(next(&paper("https://a.b/c", None), &Kind::ALL, &[]), None);
    }

    #[test]
    fn an_account_says_nothing_but_institutions() {
        let parsed = account(&"2510.00001".parse().unwrap(), Kind::Grobid, vec!["MIT".to_owned()]);
        let item = &parsed.items[0];
        assert!(!item.announcement.is_candidate());
        assert_eq!(item.paper.institutions.as_ref().unwrap().source, SourceKind::Grobid);
        assert_eq!((item.paper.version, item.paper.title()), (1, ""));
    }
}
