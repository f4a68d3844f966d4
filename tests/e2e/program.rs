//! The whole program in a runtime of its own: it can be stopped as by a signal, or die as by one, without a process.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use paperwire::app::App;
use paperwire::control;
use paperwire::doctor::Checkup;
use paperwire::service::{Request, Response, Status};
use paperwire::sources::Pace;
use paperwire_config::Config;
use paperwire_core::channel::Place;
use paperwire_core::pipeline::Accepted;
use paperwire_core::store::SledStore;
use paperwire_core::topic::TopicId;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::fake;
use crate::fake::discord::FakeDiscord;
use crate::fake::telegram::FakeTelegram;

/// How often the inbox is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// The longest that a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks again and again until there is an answer; the only place where a test waits without being told.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, asking).await;
    found.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// A file of the invented sample.
pub(crate) fn sample(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bots/sample");
    std::fs::read(folder.join(name)).unwrap()
}

/// A configuration with both fakes, a page on a free port, and no schedule but those of `channels`.
pub(crate) fn config(telegram: Option<&FakeTelegram>, discord: Option<&FakeDiscord>, channels: &str) -> Config {
    let telegram = telegram.map_or(String::new(), |fake| {
        format!(
            "[telegram]\ntoken = \"{}\"\napi_url = \"{}\"\nmessages_per_second = 1000\nper_chat_per_second = 1000\n\
             per_group_per_minute = 1000\n",
            fake::telegram::TOKEN,
            fake.url()
        )
    });
    let discord = discord.map_or(String::new(), |fake| {
        format!(
            "[discord]\ntoken = \"{}\"\napi_url = \"{}\"\nrequests_per_second = 1000\n",
            fake::discord::TOKEN,
            fake.url()
        )
    });
    let text = format!(
        "{telegram}{discord}[web]\nlisten = \"127.0.0.1:0\"\n[defaults]\nschedule = \"off\"\nlanguage = \"en\"\n{channels}"
    );
    Config::parse(&text, "the test's configuration", &Default::default()).unwrap()
}

/// A channel that follows the shipped topic.
pub(crate) fn channel(place: &str) -> String {
    format!("[[channel]]\nplace = \"{place}\"\ntopics = [\"inference\"]\n")
}

/// The running program.
pub(crate) struct Program {
    runtime: Runtime,
    running: JoinHandle<anyhow::Result<()>>,
    stop: CancellationToken,
    data: PathBuf,
    web: SocketAddr,
}

impl Program {
    /// Starts it on a data folder.
    pub(crate) async fn start(config: &Config, data: &Path) -> Self {
        Self::start_at(config, data, Pace::default()).await
    }

    /// Starts it with sources that are asked at this pace.
    pub(crate) async fn start_at(config: &Config, data: &Path, pace: Pace) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (config, data) = (config.clone(), data.to_owned());
        let folder = data.clone();
        let app = runtime.spawn(async move { App::build(&config, folder).await });
        let app = app.await.unwrap().unwrap().inbox_interval(LOOK).pace(pace);
        let web = app.web_address().unwrap();
        let stop = CancellationToken::new();
        let running = runtime.spawn(app.run_until(stop.clone()));
        Self {
            runtime,
            running,
            stop,
            data,
            web,
        }
    }

    /// As SIGTERM does.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.running).await;
        ended.expect("a stop ends it").unwrap().unwrap();
        self.runtime.shutdown_background();
    }

    /// Waits until it gives up by itself, and why.
    pub(crate) async fn failed(self) -> anyhow::Error {
        let ended = tokio::time::timeout(PATIENCE, self.running).await;
        let error = ended.expect("it gives up").unwrap().unwrap_err();
        self.runtime.shutdown_background();
        error
    }

    /// As SIGKILL does: nothing more is sent, received or written down.
    pub(crate) async fn die(self) {
        let Self { runtime, data, .. } = self;
        let dead = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(PATIENCE));
        dead.await.unwrap();
        // Unlike a dead process's, its storage thread has to notice first.
        eventually("the store to be free", || async {
            SledStore::open(&data.join("store")).ok().map(drop)
        })
        .await;
    }

    /// What the command line would ask.
    pub(crate) async fn ask(&self, request: Request) -> Response {
        let socket = self.data.join("paperwire.sock");
        control::ask(&socket, &request).await.unwrap()
    }

    pub(crate) async fn ingest(&self, name: &str, bytes: &[u8]) -> Accepted {
        match self.ask(Request::ingest(name, bytes)).await {
            Response::Ingested(accepted) => accepted,
            other => panic!("{other:?}"),
        }
    }

    /// Publishes in these places, in all when there are none. Returns how many papers each gets.
    pub(crate) async fn post(&self, places: &[&str]) -> Vec<(Place, Option<usize>)> {
        let places = places.iter().map(|place| place.parse().unwrap()).collect();
        match self.ask(Request::Post { places }).await {
            Response::Posted(posted) => posted,
            other => panic!("{other:?}"),
        }
    }

    /// What the doctor says.
    pub(crate) async fn doctor(&self) -> Checkup {
        match self.ask(Request::Doctor).await {
            Response::Doctor(checkup) => checkup,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn status(&self) -> Status {
        match self.ask(Request::Status).await {
            Response::Status(status) => status,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until every delivery is finished.
    pub(crate) async fn delivered(&self) -> Status {
        eventually("the queue to be empty", || async {
            Some(self.status().await).filter(|status| status.waiting == 0)
        })
        .await
    }

    /// The titles of the latest mailing's digest, in order.
    pub(crate) async fn titles(&self) -> Vec<String> {
        let topic = TopicId("inference".to_owned());
        match self.ask(Request::Digest { topic, day: None }).await {
            Response::Digest(preview) => preview.digest.entries.into_iter().map(|entry| entry.title).collect(),
            other => panic!("{other:?}"),
        }
    }

    /// The address of a page.
    pub(crate) fn page(&self, path: &str) -> String {
        format!("http://{}{path}", self.web)
    }
}

/// The numbered titles in texts, in order: `4. Title` at the beginning of a line.
pub(crate) fn numbered<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<(usize, String)> {
    let lines = texts.into_iter().flat_map(str::lines);
    lines
        .filter_map(|line| {
            let (number, title) = line.split_once(". ")?;
            Some((number.parse().ok()?, title.to_owned()))
        })
        .collect()
}

/// The numbered titles in Discord's embeds: an embed's own, and the bold links of those that share it.
pub(crate) fn embed_titles(messages: &[Value]) -> Vec<(usize, String)> {
    let embeds = messages.iter().flat_map(|m| m["embeds"].as_array().unwrap());
    let titles = embeds.flat_map(|embed| {
        let lines = embed["description"].as_str().unwrap_or_default().lines();
        let linked = lines.filter_map(|line| Some(line.strip_prefix("[**")?.split_once("**](http")?.0));
        embed["title"].as_str().into_iter().chain(linked)
    });
    numbered(titles)
}

/// Titles with their numbers.
pub(crate) fn counted(titles: &[String]) -> Vec<(usize, String)> {
    (1..).zip(titles.iter().cloned()).collect()
}
