//! The local web page: the third messenger, so that the bot does its main job with no account and no token. Digests appear
//! live in a channel's view, commands are typed and answered there, an archive has every digest and a page every paper.
//! All of it can be read, and asked, without JavaScript.

mod assets;
mod guard;
mod html;
pub mod markup;
mod pages;
mod read;
mod sender;
mod words;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::FormRejection;
use axum::extract::{DefaultBodyLimit, Extension, Form, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono_tz::Tz;
use futures::{StreamExt, stream};
use paperwire_core::channel::Place;
use paperwire_core::command::{self, Answer, Command, CommandError, Manner, Question, Standing};
use paperwire_core::locale::Lang;
use paperwire_core::paper::PaperId;
use paperwire_core::store::{Result as StoreResult, Store};
use paperwire_core::topic::{Topic, TopicId};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_stream::wrappers::BroadcastStream;
use tokio_util::sync::CancellationToken;

use self::pages::{Asked, Frame};
use self::read::PostView;
pub use self::sender::{Live, Post, Sender};
use crate::desk::Desk;
use crate::ops::{self, Ops};
use crate::storage::{Storage, StorageError};

/// The largest command that is read, in bytes, with its form's encoding.
const COMMAND_BYTES: usize = 4 * 1024;
/// How long connections may take to end after the stop signal.
const GRACE: Duration = Duration::from_secs(5);
/// Asks for the answer alone instead of a whole page.
const FRAGMENT: &str = "paperwire-fragment";

/// A topic and what people call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicName {
    /// Its name in configuration and commands.
    pub id: TopicId,
    /// What people read, in Chinese.
    pub zh: String,
    /// What people read, in English.
    pub en: String,
}

impl TopicName {
    /// That of `topic`.
    pub fn of(topic: &Topic) -> Self {
        Self {
            id: topic.id.clone(),
            zh: topic.name_zh.clone(),
            en: topic.name_en.clone(),
        }
    }
}

/// What the page needs.
#[derive(Clone)]
pub struct WebState {
    /// Where digests and papers are read.
    pub storage: Storage,
    /// Who answers commands.
    pub desk: Arc<dyn Desk>,
    /// Where new posts are announced.
    pub live: Live,
    /// The name in the masthead.
    pub title: String,
    /// The language for readers who say none.
    pub lang: Lang,
    /// The zone for dates that belong to no channel.
    pub zone: Tz,
    /// The program's version.
    pub version: String,
    /// What there is to follow.
    pub topics: Vec<TopicName>,
    /// Names, beside those of the machine itself, under which the page may be opened.
    pub hosts: Vec<String>,
    /// What `/metrics` tells.
    pub ops: Ops,
}

#[derive(Clone)]
struct Site {
    state: Arc<WebState>,
    stop: CancellationToken,
}

/// Serves the page on `listener` until `stop`; then streams end, requests in flight are answered, and it returns.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, state: WebState, stop: CancellationToken) -> std::io::Result<()> {
    let app = router(state, stop.clone());
    let served = axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
    let overdue = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        result = served => result,
        // A connection that neither asks nor closes must not keep the program from ending.
        () = overdue => Ok(()),
    }
}

/// The routes. Streams end with `stop`.
pub fn router(state: WebState, stop: CancellationToken) -> Router {
    let site = Site {
        state: Arc::new(state),
        stop,
    };
    Router::new()
        .route("/", get(home))
        .route("/c/{name}", get(channel))
        .route("/c/{name}/ask", post(ask).get(asked_already))
        .route("/c/{name}/press", post(press).get(asked_already))
        .route("/c/{name}/events", get(events))
        .route("/archive", get(archive))
        .route("/digest/{id}", get(digest))
        .route("/paper/{*id}", get(paper))
        .route("/assets/{file}", get(asset))
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .fallback(no_page)
        .layer(DefaultBodyLimit::max(COMMAND_BYTES))
        .layer(axum::middleware::from_fn_with_state(site.clone(), guarded))
        .with_state(site)
}

/// Before a request: who may ask, and in which language. After it: the headers that every response has.
async fn guarded(State(site): State<Site>, mut request: Request, next: Next) -> Response {
    let chosen = query(request.uri(), "lang").and_then(|code| code.parse::<Lang>().ok());
    let lang = chosen.unwrap_or_else(|| language(request.headers(), site.state.lang));
    let host = guard::host(request.headers(), request.uri());
    let mut stranger = None;
    let mut response = if !guard::host_allowed(&host, &site.state.hosts) {
        let shown: String = host.chars().take(80).collect();
        let page = site
            .frame(lang, "/")
            .notice(words::wrong_host_title(lang), &words::wrong_host(lang, &shown));
        html(StatusCode::MISDIRECTED_REQUEST, page)
    } else if !guard::origin_allowed(request.method(), request.headers()) {
        let page = site
            .frame(lang, "/")
            .notice(words::forbidden(lang), words::forbidden_origin(lang));
        html(StatusCode::FORBIDDEN, page)
    } else {
        request.extensions_mut().insert(lang);
        if request.method() == Method::POST {
            let known = guard::asker(request.headers());
            let asker = known.or_else(|| {
                stranger = guard::new_asker();
                stranger.clone()
            });
            request.extensions_mut().insert(Asker(asker));
        }
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.extend(guard::HEADERS);
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("Cookie, Accept-Language"));
    if let Some(lang) = chosen {
        let cookie = lang.pick(
            "lang=zh; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly",
            "lang=en; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly",
        );
        headers.append(header::SET_COOKIE, HeaderValue::from_static(cookie));
    }
    if let Some(cookie) = stranger.and_then(|name| guard::asker_cookie(&name)) {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

/// The reader's language: what was chosen before, else what the browser prefers, else the configured one.
fn language(headers: &HeaderMap, default: Lang) -> Lang {
    let text = |name| {
        headers
            .get(name)
            .and_then(|v: &HeaderValue| v.to_str().ok())
            .unwrap_or_default()
    };
    let cookie = text(header::COOKIE)
        .split(';')
        .find_map(|pair| pair.trim().strip_prefix("lang=")?.parse().ok());
    cookie
        .or_else(|| accepted(text(header::ACCEPT_LANGUAGE)))
        .unwrap_or(default)
}

/// The best of our languages in an Accept-Language (RFC 9110, 12.5.4); among equals the first.
fn accepted(header: &str) -> Option<Lang> {
    let mut best: Option<(f32, Lang)> = None;
    for item in header.split(',') {
        let mut pieces = item.split(';').map(str::trim);
        let tag = pieces.next().unwrap_or_default().to_ascii_lowercase();
        let primary = tag.split('-').next().unwrap_or_default();
        let weight = pieces
            .find_map(|p| p.strip_prefix("q=")?.parse::<f32>().ok())
            .unwrap_or(1.0);
        if let Ok(lang) = primary.parse::<Lang>()
            && weight > 0.0
            && best.is_none_or(|(most, _)| weight > most)
        {
            best = Some((weight, lang));
        }
    }
    best.map(|(_, lang)| lang)
}

impl Site {
    fn frame(&self, lang: Lang, here: impl Into<String>) -> Frame<'_> {
        Frame {
            site: &self.state.title,
            version: &self.state.version,
            lang,
            here: here.into(),
            topics: &self.state.topics,
            zone: self.state.zone,
        }
    }

    async fn read<T, F>(&self, lang: Lang, job: F) -> Result<T, Response>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Store) -> StoreResult<T> + Send + 'static,
    {
        self.state
            .storage
            .run(job)
            .await
            .map_err(|error| self.trouble(lang, &error))
    }

    fn trouble(&self, lang: Lang, error: &StorageError) -> Response {
        tracing::error!(%error, "a page cannot be read");
        let page = self
            .frame(lang, "/")
            .notice(words::trouble(lang), words::trouble_storage(lang));
        html(StatusCode::SERVICE_UNAVAILABLE, page)
    }

    fn not_found(&self, lang: Lang, what_to_do: &str) -> Response {
        let page = self.frame(lang, "/").notice(words::not_found(lang), what_to_do);
        html(StatusCode::NOT_FOUND, page)
    }

    /// The channel of this name, or the page that says that there is none.
    async fn channel(&self, lang: Lang, name: &str) -> Result<(Place, read::ChannelView), Response> {
        let missing = || self.not_found(lang, words::not_found_channel(lang));
        let place = Place::web(name).map_err(|_| missing())?;
        let wanted = place.clone();
        let view = self.read(lang, move |store| read::channel(store, &wanted)).await?;
        view.map(|view| (place, view)).ok_or_else(missing)
    }
}

fn html(status: StatusCode, page: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

fn query(uri: &Uri, name: &str) -> Option<String> {
    let Query(mut pairs) = Query::<HashMap<String, String>>::try_from_uri(uri).ok()?;
    pairs.remove(name)
}

async fn home(State(site): State<Site>, Extension(lang): Extension<Lang>) -> Result<Response, Response> {
    let names = site.read(lang, read::channel_names).await?;
    Ok(match names.as_slice() {
        [only] => Redirect::to(&html::path("/c/", only)).into_response(),
        _ => html(StatusCode::OK, site.frame(lang, "/").channels(&names)),
    })
}

async fn channel(
    State(site): State<Site>,
    Extension(lang): Extension<Lang>,
    Path(name): Path<String>,
) -> Result<Response, Response> {
    let (_, view) = site.channel(lang, &name).await?;
    let frame = site.frame(lang, html::path("/c/", &name));
    Ok(html(StatusCode::OK, frame.channel(&view, None)))
}

/// Who asks: a name that the browser keeps, so that everybody has one vote.
#[derive(Debug, Clone)]
struct Asker(Option<String>);

/// Somebody at a channel's page.
struct Reader {
    site: Site,
    lang: Lang,
    asker: Asker,
    place: Place,
    view: read::ChannelView,
    /// Whether the answer alone is wanted.
    alone: bool,
}

impl Reader {
    async fn at(site: Site, lang: Lang, asker: Asker, name: &str, headers: &HeaderMap) -> Result<Self, Response> {
        let (place, view) = site.channel(lang, name).await?;
        Ok(Self {
            site,
            lang,
            asker,
            place,
            view,
            alone: headers.contains_key(FRAGMENT),
        })
    }

    /// The desk's answer. Whoever can open the page runs the bot: it asks nobody who they are.
    async fn ask(&self, command: Result<Command, CommandError>, reply_to: Option<String>) -> Answer {
        let desk = &self.site.state.desk;
        if !desk.serves(&self.place) {
            return sentence(self.lang, self.lang.not_served());
        }
        let question = Question {
            asker: self.asker.0.clone(),
            command,
            place: self.place.clone(),
            parent: None,
            reply_to,
            standing: Standing::Manager,
            fallback_lang: self.lang,
        };
        desk.answer(question).await
    }

    /// The channel's page with the answer, or the answer alone.
    fn shows(&self, status: StatusCode, question: Option<&str>, answer: &Answer) -> Response {
        let base = html::path("/c/", &self.view.name);
        let asked = Asked {
            question,
            answer,
            base: &base,
        };
        // What was typed is always answered.
        let silent = answer.manner == Manner::Silent && question.is_none();
        match (self.alone, silent) {
            (true, true) => StatusCode::NO_CONTENT.into_response(),
            (true, false) => html(status, pages::answer_html(&asked)),
            (false, _) => {
                let frame = self.site.frame(self.lang, base.clone());
                html(status, frame.channel(&self.view, Some(&asked).filter(|_| !silent)))
            }
        }
    }

    /// Why a form could not be read.
    fn refuses(&self, rejection: &FormRejection) -> Response {
        let status = rejection.status();
        let why = if status == StatusCode::PAYLOAD_TOO_LARGE {
            words::ask_too_long(self.lang)
        } else {
            words::ask_unreadable(self.lang)
        };
        self.shows(status, Some("…"), &sentence(self.lang, why))
    }
}

#[derive(Deserialize)]
struct Ask {
    text: String,
}

async fn ask(
    State(site): State<Site>,
    Extension(lang): Extension<Lang>,
    Extension(asker): Extension<Asker>,
    Path(name): Path<String>,
    headers: HeaderMap,
    form: Result<Form<Ask>, FormRejection>,
) -> Result<Response, Response> {
    let reader = Reader::at(site, lang, asker, &name, &headers).await?;
    let text = match form {
        Ok(Form(Ask { text })) => text.trim().to_owned(),
        Err(rejection) => return Ok(reader.refuses(&rejection)),
    };
    let answer = match understand(&text) {
        Some(command) => reader.ask(command, None).await,
        None if text.is_empty() => sentence(lang, words::ask_empty(lang)),
        None => sentence(lang, words::ask_help(lang)),
    };
    Ok(reader.shows(StatusCode::OK, Some(&text), &answer))
}

#[derive(Deserialize)]
struct Pressed {
    /// What the button carries.
    data: String,
    /// The id of the message below which it stands; an answer has none.
    message: Option<String>,
}

async fn press(
    State(site): State<Site>,
    Extension(lang): Extension<Lang>,
    Extension(asker): Extension<Asker>,
    Path(name): Path<String>,
    headers: HeaderMap,
    form: Result<Form<Pressed>, FormRejection>,
) -> Result<Response, Response> {
    let reader = Reader::at(site, lang, asker, &name, &headers).await?;
    let Pressed { data, message } = match form {
        Ok(Form(pressed)) => pressed,
        Err(rejection) => return Ok(reader.refuses(&rejection)),
    };
    let answer = reader.ask(Ok(Command::Press(data)), message).await;
    Ok(reader.shows(StatusCode::OK, None, &answer))
}

/// The address of an answer's page, opened again: the channel.
async fn asked_already(Path(name): Path<String>) -> Redirect {
    Redirect::to(&html::path("/c/", &name))
}

fn sentence(lang: Lang, text: &str) -> Answer {
    Answer::sentence(text, lang)
}

/// What was typed into the box. There, unlike in a chat, everything is meant for the bot: the slash may be left out
/// (`help`), and so may the command's name before a number, an id or a link (`4`).
fn understand(text: &str) -> Option<Result<Command, CommandError>> {
    if text.starts_with('/') {
        return command::parse(text, None);
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (first, rest) = text.split_at(end);
    if command::TABLE.iter().any(|spec| spec.name.eq_ignore_ascii_case(first)) {
        return Some(command::parse_named(first, rest));
    }
    command::parse_named("paper", text).ok().map(Ok)
}

/// New posts of a channel as they are sent, preceded by those that the reader missed since the page was made or since
/// the connection broke. A post may come twice; its key tells.
async fn events(
    State(site): State<Site>,
    Extension(lang): Extension<Lang>,
    Path(name): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Response> {
    // Before the store is read, so that no post falls between the two.
    let (recent, to_come) = site.state.live.listen();
    let (place, view) = site.channel(lang, &name).await?;
    let post_lang = view.lang;
    let base = html::path("/c/", &name);
    let zone = view.zone;
    let shown = move |post: &Post| PostView {
        key: post.key.clone(),
        digest: None,
        lang: post_lang,
        at: post.at,
        zone,
        message: Some(post.message.clone()),
    };
    let mut posts = view.posts;
    for post in recent.iter().filter(|post| post.place == place) {
        if posts.iter().all(|known| known.key != post.key) {
            posts.push(shown(post));
        }
    }
    let resumed = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let seen = resumed.map(str::to_owned).or_else(|| query(&uri, "after"));
    if let Some(at) = posts.iter().position(|post| Some(&post.key) == seen.as_ref()) {
        posts.drain(..=at);
    }
    let live = BroadcastStream::new(to_come)
        // A reader that fell behind is let go; it comes back and is told what it missed.
        .take_while(|post| std::future::ready(post.is_ok()))
        .filter_map(move |post| {
            let here = post.ok().filter(|post| post.place == place);
            std::future::ready(here.map(|post| (shown(&post), post.edited)))
        });
    let events = stream::iter(posts.into_iter().map(|post| (post, false)))
        .chain(live)
        .map(move |(post, edited)| Ok::<_, Infallible>(event(&post, edited, &base, lang)))
        .take_until(site.stop.clone().cancelled_owned());
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

fn event(post: &PostView, edited: bool, base: &str, reader: Lang) -> Event {
    let title = post.message.as_ref().map_or("", |message| markup::split(message).0);
    let data =
        json!({ "key": post.key, "title": title, "html": pages::post_html(post, base, reader), "edited": edited });
    let event = Event::default().data(data.to_string());
    // An id with a line break would end the field; an edit is not the latest that a reader has.
    if edited || post.key.chars().any(char::is_control) {
        event
    } else {
        event.id(&post.key)
    }
}

async fn archive(State(site): State<Site>, Extension(lang): Extension<Lang>, uri: Uri) -> Result<Response, Response> {
    let before = match query(&uri, "before").map(|id| id.parse()).transpose() {
        Ok(before) => before,
        Err(_) => return Err(site.not_found(lang, words::not_found_digest(lang))),
    };
    let view = site.read(lang, move |store| read::archive(store, before)).await?;
    let here = before.map_or("/archive".to_owned(), |id| {
        html::path("/archive?before=", &id.to_string())
    });
    Ok(html(
        StatusCode::OK,
        site.frame(lang, here).archive(&view, before.is_none()),
    ))
}

async fn digest(
    State(site): State<Site>,
    Extension(lang): Extension<Lang>,
    Path(id): Path<String>,
) -> Result<Response, Response> {
    let missing = || site.not_found(lang, words::not_found_digest(lang));
    let id = id.parse().map_err(|_| missing())?;
    let view = site.read(lang, move |store| read::digest(store, &id)).await?;
    let view = view.ok_or_else(missing)?;
    let here = html::path("/digest/", &id.to_string());
    Ok(html(StatusCode::OK, site.frame(lang, here).digest(&view)))
}

async fn paper(
    State(site): State<Site>,
    Extension(lang): Extension<Lang>,
    Path(id): Path<String>,
) -> Result<Response, Response> {
    let missing = || site.not_found(lang, words::not_found_paper(lang));
    let id: PaperId = id.parse().map_err(|_| missing())?;
    let view = site.read(lang, move |store| read::paper(store, &id)).await?;
    let view = view.ok_or_else(missing)?;
    let here = html::path("/paper/", &view.paper.id.to_string());
    Ok(html(StatusCode::OK, site.frame(lang, here).paper(&view)))
}

async fn asset(State(site): State<Site>, Extension(lang): Extension<Lang>, uri: Uri) -> Response {
    match assets::find(uri.path()) {
        Some(asset) => {
            let headers = [
                (header::CONTENT_TYPE, asset.mime),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            ];
            (headers, asset.body).into_response()
        }
        None => site.not_found(lang, words::not_found_page(lang)),
    }
}

async fn healthz(State(site): State<Site>) -> Response {
    let version = &site.state.version;
    match site.state.storage.run(|store| store.head()).await {
        Ok(_) => Json(json!({ "status": "ok", "version": version })).into_response(),
        Err(error) => {
            let body = json!({ "status": "failed", "version": version, "reason": error.to_string() });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

async fn metrics(State(site): State<Site>) -> Response {
    match site.state.ops.scrape(&site.state.storage).await {
        Ok(text) => ([(header::CONTENT_TYPE, ops::CONTENT_TYPE)], text).into_response(),
        // Prometheus then knows that it is told nothing, instead of old figures.
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

async fn no_page(State(site): State<Site>, Extension(lang): Extension<Lang>) -> Response {
    site.not_found(lang, words::not_found_page(lang))
}
