//! A model's server over loopback: OpenAI's chat completions with an honest model behind it, and the faults of real ones, in
//! the order in which they are scripted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) const KEY: &str = "sk-fake-0123456789";

/// What it does instead of its work, once.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// 400: it does not know `response_format` of this type.
    Formless,
    /// 429, later.
    Busy,
    /// 502 as a proxy's page.
    Page,
    /// It says this instead.
    Says(String),
}

#[derive(Default)]
struct Inner {
    faults: VecDeque<Fault>,
    asked: Vec<Value>,
    refused: Vec<String>,
}

/// The server; it ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct FakeModel {
    inner: Arc<Mutex<Inner>>,
    url: String,
}

impl FakeModel {
    /// Starts it with what it does first.
    pub(crate) async fn start(faults: impl IntoIterator<Item = Fault>) -> Self {
        let inner = Inner {
            faults: faults.into_iter().collect(),
            asked: Vec::new(),
            refused: Vec::new(),
        };
        let inner = Arc::new(Mutex::new(inner));
        let app = Router::new()
            .route("/v1/chat/completions", post(complete))
            .with_state(Arc::clone(&inner));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { inner, url }
    }

    /// Its section of the configuration.
    pub(crate) fn section(&self) -> String {
        format!(
            "[model]\nurl = \"{}\"\nname = \"fake\"\napi_key = \"{KEY}\"\n",
            self.url
        )
    }

    /// As a judge it says no to papers with this in their title; to others it says yes.
    pub(crate) fn refuse(&self, title: &str) {
        self.inner.lock().unwrap().refused.push(title.to_owned());
    }

    /// The bodies of all requests, in order.
    pub(crate) fn asked(&self) -> Vec<Value> {
        self.inner.lock().unwrap().asked.clone()
    }
}

async fn complete(State(inner): State<Arc<Mutex<Inner>>>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let key = headers.get(header::AUTHORIZATION).and_then(|key| key.to_str().ok());
    if key != Some(&format!("Bearer {KEY}")) {
        let error = json!({ "error": { "message": format!("Incorrect API key provided: {key:?}") } });
        return (StatusCode::UNAUTHORIZED, Json(error)).into_response();
    }
    let (fault, refused) = {
        let mut inner = inner.lock().unwrap();
        inner.asked.push(body.clone());
        (inner.faults.pop_front(), inner.refused.clone())
    };
    let said = match fault {
        Some(Fault::Formless) => {
            let error = json!({ "error": { "message": "response_format.type json_schema is not supported" } });
            return (StatusCode::BAD_REQUEST, Json(error)).into_response();
        }
        Some(Fault::Busy) => return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "0")]).into_response(),
        Some(Fault::Page) => {
            let page = "<html><title>502 Bad Gateway</title></html>";
            return (StatusCode::BAD_GATEWAY, [(header::CONTENT_TYPE, "text/html")], page).into_response();
        }
        Some(Fault::Says(said)) => said,
        None => opinion(&body, &refused).unwrap_or_else(|| honest(&body)),
    };
    let completion = json!({
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": said }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 900, "completion_tokens": 100, "total_tokens": 1_000 },
    });
    Json(completion).into_response()
}

/// What a judge is asked for begins with the paper's title.
pub(crate) fn judged_title(body: &Value) -> Option<&str> {
    let asked = body["messages"][1]["content"].as_str()?;
    asked.strip_prefix("Title: ")?.lines().next()
}

fn opinion(body: &Value, refused: &[String]) -> Option<String> {
    let title = judged_title(body)?;
    let no = refused.iter().any(|part| title.contains(part));
    Some(
        if no {
            "no: it is about something else"
        } else {
            "Yes: as the fake model sees it"
        }
        .to_owned(),
    )
}

/// A brief of the paper in a question, in English, with thoughts and a fence around it.
fn honest(body: &Value) -> String {
    let asked = body["messages"][1]["content"].as_str().unwrap();
    let (_, data) = asked.split_once("<<<PAPER ").unwrap();
    let field = |name: &str| data.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let (title, institutions, abstract_text) = (field("Title: "), field("Institutions: "), field("Abstract: "));
    let quote: String = abstract_text.chars().take(60).collect();
    let slot = |text: &str, quote: &str| json!({ "text": text, "quote": quote });
    let who = match institutions {
        "(not given)" => slot("", ""),
        names => slot("its institutions", names.split("; ").next().unwrap()),
    };
    let brief = json!({
        "who": who,
        "technique": slot("what it proposes", &quote),
        "problem": slot("", ""),
        "effect": slot("", ""),
        "sentence": format!("The authors released “{title}”, as the fake model puts it."),
    });
    format!("<think>They want JSON.</think>\n```json\n{brief}\n```")
}
