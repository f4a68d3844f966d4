//! Which paper an entry is about, from whatever it names itself by: a feed's `guid` and links, `dc:identifier`, `prism:doi`.

use url::Url;

use crate::paper::PaperId;

/// The names under which one entry goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    arxiv: Option<(PaperId, Option<u16>)>,
    doi: Option<String>,
    url: Option<PaperId>,
}

impl Identity {
    /// What these texts name. The first of each kind counts.
    pub(crate) fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut found = Self::default();
        for text in texts {
            found.read(text.trim());
        }
        found
    }

    /// The best name, and the version if that is arXiv's and says one: arXiv's over a DOI over an address.
    pub(crate) fn best(&self) -> Option<(PaperId, Option<u16>)> {
        let doi = || self.doi.clone().map(|doi| (PaperId::Doi(doi), None));
        let url = || self.url.clone().map(|url| (url, None));
        self.arxiv.clone().or_else(doi).or_else(url)
    }

    /// The DOI, where it is not the name itself.
    pub(crate) fn doi(&self) -> Option<&str> {
        self.arxiv.as_ref().and(self.doi.as_deref())
    }

    fn read(&mut self, text: &str) {
        const OAI: &str = "oai:arxiv.org:";
        let lower = text.to_ascii_lowercase();
        let named = ["info:doi/", "urn:doi:", "doi.org/", "doi:", "doi "];
        let named = named.iter().find_map(|name| lower.strip_prefix(name));
        let parsed = if let Some(id) = lower.strip_prefix(OAI) {
            PaperId::parse_with_version(id)
        } else if let Some(doi) = named {
            PaperId::parse_with_version(&format!("doi:{}", doi.trim()))
        } else if lower.starts_with("http") || lower.starts_with("arxiv:") || lower.starts_with("10.") {
            PaperId::parse_with_version(text)
        } else {
            return;
        };
        let Ok((id, version)) = parsed else { return };
        match id {
            PaperId::Arxiv(_) => {
                self.arxiv.get_or_insert((id, version));
            }
            PaperId::Doi(doi) => {
                self.doi.get_or_insert(doi);
            }
            PaperId::Url(_) if id.is_provisional() => {}
            PaperId::Url(address) => {
                let Ok(mut url) = Url::parse(&address) else { return };
                if let Some(doi) = doi_in(&url) {
                    self.doi.get_or_insert(doi);
                }
                clean(&mut url);
                self.url.get_or_insert(PaperId::Url(url.into()));
            }
        }
    }
}

/// The DOI in an address of a publisher: `https://dl.acm.org/doi/abs/10.1145/1.2`.
fn doi_in(url: &Url) -> Option<String> {
    let path = url.path();
    let at = path.find("/10.")?;
    let mut doi = path.get(at + 1..)?.trim_end_matches('/');
    // What of the page follows it.
    const PAGES: [&str; 12] = [
        "/full",
        "/abstract",
        "/pdf",
        "/meta",
        "/html",
        "/epdf",
        "/fulltext",
        ".full",
        ".abstract",
        ".pdf",
        ".short",
        ".full-text",
    ];
    while let Some(shorter) = PAGES.iter().find_map(|page| doi.strip_suffix(page)) {
        doi = shorter;
    }
    // bioRxiv and medRxiv put the version behind it (10.1101/2025.10.01.680000v2).
    if doi.starts_with("10.1101/") || doi.starts_with("10.64898/") {
        let (before, version) = doi.rsplit_once('v').unwrap_or((doi, ""));
        if !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit()) {
            doi = before;
        }
    }
    match PaperId::parse_with_version(&format!("https://doi.org/{doi}")) {
        Ok((PaperId::Doi(doi), _)) => Some(doi),
        Ok((PaperId::Arxiv(_) | PaperId::Url(_), _)) | Err(_) => None,
    }
}

/// Without what only says through which feed somebody came.
fn clean(url: &mut Url) {
    url.set_fragment(None);
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(key, _)| !(key.starts_with("utm_") || matches!(&**key, "rss" | "af" | "ref" | "source" | "fbclid")))
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect();
    if kept.is_empty() {
        url.set_query(None);
    } else if kept.len() != url.query_pairs().count() {
        url.query_pairs_mut().clear().extend_pairs(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_known_by_the_best_of_its_names() {
        for (texts, id, doi) in [
            (
                &["oai:arXiv.org:2510.00001v2", "https://arxiv.org/abs/2510.00001"][..],
                "arxiv:2510.00001",
                None,
            ),
            (
                &["https://arxiv.org/abs/2510.00001v3", "doi:10.1145/1.2"],
                "arxiv:2510.00001",
                Some("10.1145/1.2"),
            ),
            (
                &["https://dl.acm.org/doi/abs/10.1145/3717383.3719313?af=R"],
                "doi:10.1145/3717383.3719313",
                None,
            ),
            (
                &["https://www.biorxiv.org/content/10.1101/2025.10.01.680001v1?rss=1"],
                "doi:10.1101/2025.10.01.680001",
                None,
            ),
            (
                &["10.1038/S41586-025-1", "https://www.nature.com/articles/s41586-025-1"],
                "doi:10.1038/s41586-025-1",
                None,
            ),
            (
                &["https://journals.aps.org/prl/abstract/10.1103/abc-d1"],
                "doi:10.1103/abc-d1",
                None,
            ),
            (
                &["post-17", "2510.00001", "https://a.b/c?utm_source=rss&page=2#top"],
                "url:https://a.b/c?page=2",
                None,
            ),
            (&["https://doi.org/10.48550/arXiv.2510.00001"], "arxiv:2510.00001", None),
        ] {
            let found = Identity::of(texts.iter().copied());
            let (best, _) = found.best().unwrap();
            assert_eq!((best.to_string().as_str(), found.doi()), (id, doi), "{texts:?}");
        }
        assert_eq!(Identity::of(["", "17", "mailto:a@b.c", "paperwire:0"]).best(), None);
    }
}
