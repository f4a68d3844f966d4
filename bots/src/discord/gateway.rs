//! Questions from Discord: slash commands over the gateway, answered within the three seconds that Discord gives. serenity
//! keeps the connection (heartbeat, resume, shards); answers go out through our own requests, since a refused follow-up
//! must be able to say how long to wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use paperwire_core::delivery::SendError;
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serenity::client::{Client, ClientBuilder, Context, EventHandler, RawEventHandler};
use serenity::gateway::GatewayError as Closed;
use serenity::http::{Http, HttpBuilder, HttpError};
use serenity::model::application::Interaction;
use serenity::model::event::Event;
use serenity::model::gateway::{BotGateway, GatewayIntents, Ready};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::interaction::Interactions;
use super::registration;
use super::sender::{Api, TOKEN_HELP, chain};
use crate::desk::Desk;

/// How long the desk may take for a direct answer. Discord gives three seconds from its side (Interactions, “Receiving and
/// Responding”); the rest is for the way there and back.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_500);
/// How long a stop waits for answers that are under way.
const GRACE: Duration = Duration::from_secs(10);
/// How long a stop waits for the shards to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);
/// The longest pause between two tries to reach Discord.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// After which time without a connection the log says so.
const SILENCE: Duration = Duration::from_secs(60);
/// The pause before a connection that ended by itself is made anew.
const ANEW: Duration = Duration::from_secs(30);

/// What the gateway needs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The shared client.
    pub http: reqwest::Client,
    /// Discord's address without path, `https://discord.com` but for tests and proxies.
    pub api_url: String,
    /// The bot's token.
    pub token: SecretString,
    /// After which time an answer is deferred (“is thinking …”).
    pub answer_within: Duration,
    /// The id of a role whose members may change settings, beside those who may manage the channel.
    pub manager_role: Option<u64>,
}

impl Settings {
    /// With the usual time limit.
    pub fn new(http: reqwest::Client, api_url: impl Into<String>, token: SecretString) -> Self {
        Self {
            http,
            api_url: api_url.into(),
            token,
            answer_within: ANSWER_WITHIN,
            manager_role: None,
        }
    }

    /// The members of this role may change settings too.
    #[must_use]
    pub fn managed_by(mut self, role: Option<u64>) -> Self {
        self.manager_role = role;
        self
    }
}

/// Why the gateway gave up. Anything else is tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// HTTP 401 or close code 4004.
    #[error("{TOKEN_HELP}, then start again")]
    Token,
    /// A close code that a further try cannot change.
    #[error("Discord refuses the connection for good: {0}")]
    Refused(String),
}

/// Answers questions until `stop`, whatever happens to the connection. When Discord refuses it for good though it accepts the
/// token, the log says so and nothing else is affected: digests are sent without it.
///
/// # Errors
/// When Discord does not accept the token: with it nothing can be sent either.
pub async fn keep(settings: Settings, desk: Arc<dyn Desk>, stop: CancellationToken) -> anyhow::Result<()> {
    while !stop.is_cancelled() {
        match run(settings.clone(), Arc::clone(&desk), stop.clone()).await {
            Err(GatewayError::Token) => return Err(GatewayError::Token.into()),
            Err(error @ GatewayError::Refused(_)) => {
                tracing::error!("{error}. Until then slash commands are not answered; everything else goes on");
                return Ok(());
            }
            Ok(()) if stop.is_cancelled() => break,
            Ok(()) => {
                tracing::warn!("the connection to Discord's gateway ended; it is made anew");
                stop.run_until_cancelled(sleep(ANEW)).await;
            }
        }
    }
    Ok(())
}

/// Answers questions until `stop`; then closes the shards and lets answers under way finish. A lost connection is resumed.
///
/// # Errors
/// Only what trying again cannot mend.
pub async fn run(settings: Settings, desk: Arc<dyn Desk>, stop: CancellationToken) -> Result<(), GatewayError> {
    let tracker = TaskTracker::new();
    let ready = Arc::new(AtomicBool::new(false));
    let result = match stop
        .run_until_cancelled(connect(&settings, desk, &tracker, &ready, &stop))
        .await
    {
        None => return Ok(()),
        Some(Err(error)) => return Err(error),
        Some(Ok((mut client, shards))) => {
            let manager = Arc::clone(&client.shard_manager);
            // serenity tries again and again without a word that reaches the log.
            let watch = async {
                sleep(SILENCE).await;
                if !ready.load(Ordering::Relaxed) {
                    tracing::warn!(
                        "Discord's gateway does not answer: slash commands cannot be answered yet; still trying"
                    );
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                ended = client.start_shards(shards) => ended.map_err(fatal),
                () = watch => Ok(()),
                () = stop.cancelled() => {
                    if timeout(GOODBYE, manager.shutdown_all()).await.is_err() {
                        tracing::debug!("Discord's gateway did not confirm the goodbye");
                    }
                    Ok(())
                }
            }
        }
    };
    tracker.close();
    if timeout(GRACE, tracker.wait()).await.is_err() {
        tracing::warn!(unanswered = tracker.len(), "questions on Discord stay unanswered");
    }
    result
}

async fn connect(
    settings: &Settings,
    desk: Arc<dyn Desk>,
    tracker: &TaskTracker,
    ready: &Arc<AtomicBool>,
    stop: &CancellationToken,
) -> Result<(Client, u32), GatewayError> {
    // serenity ignores the proxy setting while its rate limiter is on.
    let http = HttpBuilder::new(settings.token.expose_secret())
        .proxy(&settings.api_url)
        .ratelimiter_disabled(true)
        .client(settings.http.clone())
        .build();
    let interactions = Interactions {
        desk,
        api: Api::new(settings.http.clone(), &settings.api_url),
        answer_within: settings.answer_within,
        manager_role: settings.manager_role,
    };
    let handler = Handler {
        interactions,
        token: settings.token.clone(),
        tracker: tracker.clone(),
        stop: stop.clone(),
        registered: Arc::clone(ready),
    };
    let client = ClientBuilder::new_with_http(http, GatewayIntents::empty())
        .event_handler(handler)
        .raw_event_handler(Unreadable::default())
        .await
        .map_err(fatal)?;
    let gateway = gateway(&client.http).await?;
    // The builder has asked for the address too, but takes Discord's own, to which the token then goes, when it gets none.
    *client.ws_url.lock().await = gateway.url;
    Ok((client, gateway.shards.max(1)))
}

/// Where to connect, as soon as Discord can be reached and lets us.
async fn gateway(http: &Http) -> Result<BotGateway, GatewayError> {
    for pause in pauses() {
        let wait = match http.get_bot_gateway().await {
            Ok(gateway) if gateway.session_start_limit.remaining >= u64::from(gateway.shards) => return Ok(gateway),
            // One more would have Discord reset the token (Gateway, “Session Start Limit”).
            Ok(gateway) => {
                let wait = Duration::from_millis(gateway.session_start_limit.reset_after).max(pause);
                tracing::warn!(?wait, "Discord allows no further connection of this bot for a while");
                wait
            }
            Err(error) if is_token(&error) => return Err(GatewayError::Token),
            Err(error) => {
                tracing::warn!(
                    reason = describe(error),
                    ?pause,
                    "Discord's gateway cannot be reached; trying again"
                );
                pause
            }
        };
        sleep(wait).await;
    }
    Err(GatewayError::Refused("no answer".into()))
}

/// One second, doubling up to a minute, without end.
fn pauses() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(Duration::from_secs(1)), |pause| {
        Some((*pause * 2).min(LONGEST_PAUSE))
    })
}

fn is_token(error: &serenity::Error) -> bool {
    if let serenity::Error::Http(HttpError::UnsuccessfulRequest(said)) = error {
        return said.status_code == StatusCode::UNAUTHORIZED;
    }
    matches!(
        error,
        serenity::Error::Http(HttpError::InvalidHeader(_))
            | serenity::Error::Gateway(Closed::InvalidAuthentication | Closed::NoAuthentication)
    )
}

fn fatal(error: serenity::Error) -> GatewayError {
    if is_token(&error) {
        GatewayError::Token
    } else {
        GatewayError::Refused(describe(error))
    }
}

/// What happened, without the address, in which an interaction's token may stand.
fn describe(error: serenity::Error) -> String {
    if let serenity::Error::Http(HttpError::Request(error)) = error {
        return chain(&error.without_url());
    }
    error.to_string()
}

/// Counts interactions that serenity cannot read: it drops them with a debug line, and the asker waits for nothing.
#[derive(Debug, Default)]
struct Unreadable {
    count: AtomicU64,
}

#[serenity::async_trait]
impl RawEventHandler for Unreadable {
    async fn raw_event(&self, _: Context, event: Event) {
        if let Event::Unknown(unknown) = event
            && unknown.kind == "INTERACTION_CREATE"
        {
            let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::error!(
                count,
                "a question on Discord has a form that this version cannot read; is there an update?"
            );
        }
    }
}

struct Handler {
    interactions: Interactions,
    token: SecretString,
    tracker: TaskTracker,
    stop: CancellationToken,
    registered: Arc<AtomicBool>,
}

#[serenity::async_trait]
impl EventHandler for Handler {
    async fn ready(&self, _: Context, ready: Ready) {
        tracing::info!(bot = ready.user.name, "connected to Discord");
        // Each shard and each new session says that it is ready; once a start is enough.
        if !self.registered.swap(true, Ordering::Relaxed) {
            let path = format!("/applications/{}/commands", ready.application.id);
            self.stop.run_until_cancelled(self.register(&path)).await;
        }
    }

    async fn interaction_create(&self, _: Context, interaction: Interaction) {
        if let Interaction::Command(command) = &interaction {
            self.tracker.track_future(self.interactions.command(command)).await;
        }
        if let Interaction::Autocomplete(typing) = &interaction {
            self.tracker.track_future(self.interactions.suggest(typing)).await;
        }
        if let Interaction::Component(press) = &interaction {
            self.tracker.track_future(self.interactions.pressed(press)).await;
        }
    }
}

impl Handler {
    /// Replaces all global commands at once (Bulk Overwrite Global Application Commands): what is no longer in the table
    /// disappears, and the same table again changes nothing.
    async fn register(&self, path: &str) {
        let commands = registration::commands();
        for pause in pauses() {
            let wait = match self
                .interactions
                .api
                .call(Method::PUT, path, Some(&self.token), &commands)
                .await
            {
                Ok(_) => return,
                Err(SendError::RateLimited { retry_after, .. }) => retry_after,
                Err(error @ (SendError::Unreachable { .. } | SendError::Uncertain { .. })) => {
                    tracing::warn!(%error, ?pause, "the commands could not be registered on Discord; trying again");
                    pause
                }
                Err(
                    error @ (SendError::Moved { .. }
                    | SendError::Gone { .. }
                    | SendError::Rejected { .. }
                    | SendError::Unauthorized { .. }),
                ) => {
                    tracing::error!(%error, "Discord does not take the commands; old ones keep working");
                    return;
                }
            };
            sleep(wait).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_error_shows_the_address_in_which_an_interactions_token_stands() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let api = Api::new(reqwest::Client::new(), "http://127.0.0.1:1");
        let path = "/interactions/1/sesame/callback";
        let error = runtime
            .block_on(async { api.call(Method::POST, path, None, &json!({})).await })
            .unwrap_err();
        assert!(matches!(error, SendError::Unreachable { .. }), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("sesame"), "{error:?}");
    }
}
