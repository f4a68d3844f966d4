//! arXiv's query interface as a plain struct over HTTP: it answers windows of submissions in its own dialect of Atom, is
//! away for some of them, and counts what it is asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use chrono::{DateTime, NaiveDateTime, Utc};

/// One paper as arXiv has it.
#[derive(Debug, Clone)]
pub(crate) struct Preprint {
    /// Without version.
    pub(crate) id: String,
    pub(crate) submitted: DateTime<Utc>,
    pub(crate) title: String,
    pub(crate) summary: String,
    pub(crate) category: &'static str,
}

#[derive(Default)]
struct Shelf {
    papers: Vec<Preprint>,
    /// So many questions are still answered with 503.
    away: usize,
    asked: Vec<(DateTime<Utc>, DateTime<Utc>)>,
}

/// The server.
#[derive(Clone)]
pub(crate) struct FakeArxiv {
    url: String,
    shelf: Arc<Mutex<Shelf>>,
}

impl FakeArxiv {
    pub(crate) async fn start(papers: Vec<Preprint>) -> Self {
        let shelf = Arc::new(Mutex::new(Shelf {
            papers,
            ..Shelf::default()
        }));
        let router = Router::new()
            .route("/api/query", get(query))
            .with_state(Arc::clone(&shelf));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/query", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shelf }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn add(&self, papers: Vec<Preprint>) {
        self.shelf.lock().unwrap().papers.extend(papers);
    }

    /// The next so many questions are answered with 503.
    pub(crate) fn away(&self, times: usize) {
        self.shelf.lock().unwrap().away = times;
    }

    /// The windows that were asked for.
    pub(crate) fn asked(&self) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        self.shelf.lock().unwrap().asked.clone()
    }
}

/// `submittedDate:[202510091800 TO 202510101800]`
fn window(query: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let (_, rest) = query.split_once("submittedDate:[")?;
    let (from, to) = rest.split_once(']')?.0.split_once(" TO ")?;
    let time = |text: &str| Some(NaiveDateTime::parse_from_str(text, "%Y%m%d%H%M").ok()?.and_utc());
    Some((time(from)?, time(to)?))
}

/// `(cat:cs.CL OR cat:stat.*) AND …`: whether the paper is of one of them. Without any, all are.
fn is_asked_for(query: &str, category: &str) -> bool {
    let mut asked = query
        .split(['(', ' ', ')'])
        .filter_map(|word| word.strip_prefix("cat:"))
        .peekable();
    asked.peek().is_none()
        || asked.any(|pattern| match pattern.strip_suffix('*') {
            Some(archive) => category.starts_with(archive),
            None => category == pattern,
        })
}

async fn query(State(shelf): State<Arc<Mutex<Shelf>>>, Query(asked): Query<HashMap<String, String>>) -> Response {
    let mut shelf = shelf.lock().unwrap();
    let query = asked.get("search_query").map(String::as_str).unwrap_or_default();
    let Some((from, to)) = window(query) else {
        return (StatusCode::BAD_REQUEST, "malformed query").into_response();
    };
    shelf.asked.push((from, to));
    if shelf.away > 0 {
        shelf.away -= 1;
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::RETRY_AFTER, "1")],
            "Rate exceeded.",
        )
            .into_response();
    }
    let number = |key: &str, default: usize| asked.get(key).and_then(|n| n.parse().ok()).unwrap_or(default);
    let (start, most) = (number("start", 0), number("max_results", 10));
    let mut found: Vec<&Preprint> = shelf
        .papers
        .iter()
        .filter(|p| from <= p.submitted && p.submitted <= to && is_asked_for(query, p.category))
        .collect();
    found.sort_by_key(|paper| paper.submitted);
    let total = found.len();
    let entries: String = found.into_iter().skip(start).take(most).map(entry).collect();
    let feed = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <title type="html">ArXiv Query</title>
  <id>http://arxiv.org/api/example</id>
  <updated>2026-01-01T00:00:00-05:00</updated>
  <opensearch:totalResults xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">{total}</opensearch:totalResults>
  <opensearch:startIndex xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">{start}</opensearch:startIndex>
  <opensearch:itemsPerPage xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">{most}</opensearch:itemsPerPage>
{entries}</feed>
"#
    );
    ([(header::CONTENT_TYPE, "application/atom+xml; charset=UTF-8")], feed).into_response()
}

fn entry(paper: &Preprint) -> String {
    let Preprint {
        id,
        submitted,
        title,
        summary,
        category,
    } = paper;
    let at = submitted.format("%Y-%m-%dT%H:%M:%SZ");
    format!(
        r#"  <entry>
    <id>http://arxiv.org/abs/{id}v1</id>
    <updated>{at}</updated>
    <published>{at}</published>
    <title>{title}</title>
    <summary>  {summary}
</summary>
    <author><name>Ada Lind</name></author>
    <author><name>Bo Wen</name></author>
    <arxiv:primary_category xmlns:arxiv="http://arxiv.org/schemas/atom" term="{category}" scheme="http://arxiv.org/schemas/atom"/>
    <category term="{category}" scheme="http://arxiv.org/schemas/atom"/>
  </entry>
"#
    )
}
