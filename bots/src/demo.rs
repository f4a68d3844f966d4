//! `paperwire demo`: the whole program on an invented mailing, without any configuration, so that one command shows what
//! it does.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use paperwire_config::Config;
use paperwire_core::channel::Place;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::service::{Request, Response, Service};

/// The invented mailing, the report about some of its papers, and the next day's mailing.
const MAILING: &[u8] = include_bytes!("../sample/mailing.txt");
const REPORT: &[u8] = include_bytes!("../sample/report.md");
const NEXT_MAILING: &[u8] = include_bytes!("../sample/mailing_next.txt");

/// When the second digest is posted.
const SECOND_DIGEST: Duration = Duration::from_secs(60);

const CONFIG: &str = r#"
[web]
title = "Paperwire demo"

[[channel]]
place = "web:lobby"
topics = ["inference"]
style = "full"
schedule = "off"
"#;

/// Runs the demo until `stop`, with its page at `listen`; without one at the usual address or, where that is taken, any free
/// port.
///
/// # Errors
/// When the program cannot start or the sample cannot be read.
pub async fn run(listen: Option<SocketAddr>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut config = Config::parse(CONFIG, "the demo's configuration", &std::collections::BTreeMap::new())?;
    let data = std::env::temp_dir().join(format!("paperwire-demo-{}", std::process::id()));
    if let Some(listen) = listen {
        // The program would name a setting, and the demo reads none.
        std::net::TcpListener::bind(listen).with_context(|| {
            format!("the demo's page cannot listen on {listen}; give --listen another address, or leave it out for a free one")
        })?;
        config.web.listen = listen;
    } else if std::net::TcpListener::bind(config.web.listen).is_err() {
        config.web.listen.set_port(0);
    }
    let result = run_in(&config, data.clone(), stop).await;
    if let Err(error) = remove(&data).await {
        tracing::debug!(folder = %data.display(), %error, "the demo's folder stays");
    }
    result
}

/// Removes the folder, in which the search index may still finish what it was writing.
async fn remove(folder: &Path) -> std::io::Result<()> {
    for _ in 0..20 {
        match tokio::fs::remove_dir_all(folder).await {
            Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            done => return done,
        }
    }
    tokio::fs::remove_dir_all(folder).await
}

async fn run_in(config: &Config, data: std::path::PathBuf, stop: CancellationToken) -> anyhow::Result<()> {
    let app = App::build(config, data).await?;
    let address = app.web_address().context("the demo has no web page")?;
    let service = app.service();
    let digests = async {
        take_in(&service, "mailing.txt", MAILING).await?;
        take_in(&service, "report.md", REPORT).await?;
        post(&service).await?;
        say(&format!(
            "Paperwire's demo: open http://{address}/ — a digest is there, another follows in a minute. Type /paper 4 on the page. Ctrl-C ends it."
        ));
        tokio::time::sleep(SECOND_DIGEST).await;
        take_in(&service, "mailing_next.txt", NEXT_MAILING).await?;
        post(&service).await?;
        std::future::pending::<anyhow::Result<()>>().await
    };
    let running = app.run_until(stop.clone());
    tokio::pin!(running);
    tokio::select! {
        result = &mut running => result,
        result = digests => {
            stop.cancel();
            running.await.and(result)
        }
    }
}

async fn take_in(service: &Service, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    service
        .ingest(name, bytes.to_vec())
        .await
        .map(|_| ())
        .map_err(anyhow::Error::from)
}

async fn post(service: &Service) -> anyhow::Result<()> {
    match service
        .handle(Request::Post {
            places: vec![Place::web("lobby")?],
        })
        .await
    {
        Response::Failed(why) => anyhow::bail!(why),
        Response::Ingested(_)
        | Response::Windows(_)
        | Response::Posted(_)
        | Response::Digest(_)
        | Response::Paper(_)
        | Response::Queue(_)
        | Response::Delivery(_)
        | Response::Papers(_)
        | Response::Held(_)
        | Response::HeldDigest(_)
        | Response::Decided(_)
        | Response::Decisions(_)
        | Response::Decision(_)
        | Response::Status(_)
        | Response::Doctor(_) => Ok(()),
    }
}

#[expect(clippy::print_stdout, reason = "the address is what the demo is asked for")]
fn say(text: &str) {
    println!("{text}");
}
