//! Asks for the institutions of papers that a digest may have, where the operator wants that. What comes after a paper was
//! posted becomes a correction, like every better account of it.

use std::time::Duration;

use paperwire_config::Institutions;
use paperwire_core::paper::Paper;
use paperwire_core::pipeline::{self, Asked};
use paperwire_core::source::affiliation::{self, Kind, arxiv_html, grobid, openalex};
use paperwire_core::source::request::Fetched;
use paperwire_core::topic::Topic;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::fetch::Fetcher;
use crate::service::Service;
use crate::storage::{Storage, StorageError};

/// How often is looked for papers.
const LOOK: Duration = Duration::from_secs(30);
/// How many at once: arXiv's pace decides the rest.
const BATCH: usize = 20;

/// Asks until `stop`; at once to an end where nobody is to be asked.
///
/// # Errors
/// When the store fails.
pub async fn run(
    config: Institutions,
    topics: std::sync::Arc<[Topic]>,
    storage: Storage,
    service: Service,
    fetcher: Fetcher,
    stop: CancellationToken,
) -> Result<(), StorageError> {
    let kinds = available(&config);
    if kinds.is_empty() {
        return Ok(());
    }
    loop {
        let (known, whom) = (std::sync::Arc::clone(&topics), kinds.clone());
        let wanted = storage
            .run(move |store| pipeline::unaffiliated(store, &known, &whom, BATCH, clock::now()))
            .await?;
        let idle = wanted.is_empty();
        for (paper, kind) in wanted {
            let answer = tokio::select! {
                answer = ask(&config, &fetcher, &paper, kind) => answer,
                () = stop.cancelled() => return Ok(()),
            };
            let asked = match answer {
                Ok(institutions) => {
                    take(&service, &paper, kind, institutions).await?;
                    Asked::Answered
                }
                Err(Silence::Unknown(reason)) => {
                    tracing::debug!(paper = %paper.id, from = %kind.source(), "nothing about its institutions: {reason}");
                    Asked::Answered
                }
                Err(Silence::Away(reason)) => {
                    tracing::warn!(paper = %paper.id, from = %kind.source(), "its institutions could not be asked for: {reason}");
                    Asked::Failed
                }
            };
            let id = paper.id.clone();
            storage
                .run(move |store| pipeline::affiliated(store, &id, kind, asked, clock::now()))
                .await?;
        }
        let nap = if idle { LOOK } else { Duration::ZERO };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(nap) => {}
        }
    }
}

/// Whom the operator wants asked.
fn available(config: &Institutions) -> Vec<Kind> {
    let named = |kind| match kind {
        Kind::ArxivHtml => config.arxiv_html.is_some(),
        Kind::Grobid => config.grobid.is_some(),
        Kind::OpenAlex => config.openalex.is_some(),
    };
    Kind::ALL.into_iter().filter(|kind| named(*kind)).collect()
}

/// Why there are no institutions.
enum Silence {
    /// There is an answer, and it has none.
    Unknown(String),
    /// There was no answer.
    Away(String),
}

async fn ask(config: &Institutions, fetcher: &Fetcher, paper: &Paper, kind: Kind) -> Result<Vec<String>, Silence> {
    let nothing = || Silence::Unknown("its address is not known there".to_owned());
    let parsed = match kind {
        Kind::ArxivHtml => {
            let base = config.arxiv_html.as_deref().unwrap_or_default();
            let request = arxiv_html::request(base, &paper.id).ok_or_else(nothing)?;
            arxiv_html::parse(&body(fetcher.fetch(&request).await)?)
        }
        Kind::OpenAlex => {
            let base = config.openalex.as_deref().unwrap_or_default();
            let request = openalex::request(base, &paper.id).ok_or_else(nothing)?;
            openalex::parse(&body(fetcher.fetch(&request).await)?)
        }
        Kind::Grobid => {
            let base = config.grobid.as_deref().unwrap_or_default();
            let upload = grobid::request(base, &config.pdfs, &paper.id).ok_or_else(nothing)?;
            let pdf = body(fetcher.fetch(&upload.pdf).await)?;
            grobid::parse(&body(fetcher.upload(&upload, pdf).await)?)
        }
    };
    parsed.map_err(|error| Silence::Unknown(error.to_string()))
}

fn body(fetched: Fetched) -> Result<Vec<u8>, Silence> {
    match fetched {
        Fetched::Body(body) => Ok(body.bytes),
        Fetched::Unchanged | Fetched::Gone => Err(Silence::Unknown("there is nothing".to_owned())),
        Fetched::Later { .. } => Err(Silence::Away("it asks for patience".to_owned())),
        Fetched::Failed { reason, transient } => Err(match transient {
            true => Silence::Away(reason),
            // A page that is not there: not every paper has one.
            false => Silence::Unknown(reason),
        }),
    }
}

async fn take(service: &Service, paper: &Paper, kind: Kind, institutions: Vec<String>) -> Result<(), StorageError> {
    if institutions.is_empty() {
        return Ok(());
    }
    let name = format!("{} of {}", kind.source(), paper.id);
    let bytes = format!("{name}\n{}", institutions.join("\n")).into_bytes();
    let account = affiliation::account(&paper.id, kind, institutions);
    let accepted = service.accept(&name, bytes, account).await?;
    tracing::debug!(corrections = accepted.corrections, "{name}");
    Ok(())
}
