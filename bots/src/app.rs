//! The running program: every loop is started here, and ends here in the right order.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use paperwire_config::{ChannelConfig, Config, Institutions, Operator, SourceConfig};
use paperwire_core::channel::{Place, Platform};
use paperwire_core::command::press::Seal;
use paperwire_core::delivery::{DeliveryId, UncertainPolicy};
use paperwire_core::pipeline::{self, Extent, Wanted};
use paperwire_core::rule::org;
use paperwire_core::store::SledStore;
use paperwire_core::subscription::Subjects;
use paperwire_core::topic::Topic;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::ballast;
use crate::clock;
use crate::desk::Desk;
use crate::doctor::Known;
use crate::fetch::Fetcher;
use crate::folder::Folder;
use crate::gate::Gate;
use crate::inbox::{self, Inbox};
use crate::limits::limits_of;
use crate::ops::Ops;
use crate::owner::Deciders;
use crate::queued::Queued;
use crate::search::SearchIndex;
use crate::service::Service;
use crate::sources::{self, Pace};
use crate::storage::{Storage, StorageError};
use crate::talk::{Rules, Talk};
use crate::watch::Watch;
use crate::worker::{self, Outlet, Worker};
use crate::writer::Writer;
use crate::{control, discord, housekeeping, http, institutions, models, scheduler, telegram, web};

/// How long everything may take to end after a stop: what is on the wire gets its own time first.
const GRACE: Duration = Duration::from_secs(worker::DRAIN.as_secs() + 1);

/// The store with everything that is made from the configuration: enough to serve requests, without any loop.
pub struct Base {
    folder: Folder,
    storage: Storage,
    thread: std::thread::JoinHandle<()>,
    /// For whoever measures it.
    store: Weak<SledStore>,
    service: Service,
    talk: Talk,
    topics: Arc<[Topic]>,
    queued: Queued,
    channels_changed: Arc<Notify>,
    ops: Ops,
    search: SearchIndex,
    writer: Option<Writer>,
}

impl Base {
    /// Opens the store in a folder that the caller owns, and makes it agree with the configuration.
    ///
    /// # Errors
    /// When the store cannot be opened or written.
    pub async fn open(folder: Folder, config: &Config, extent: Extent) -> anyhow::Result<Self> {
        let path = folder.path().to_owned();
        let store = tokio::task::spawn_blocking(move || ballast::open_store(&path)).await??;
        housekeeping::report(store.compaction());
        let store = Arc::new(store);
        let measured = Arc::downgrade(&store);
        let (storage, thread) = Storage::start(store).context("no thread for the store")?;
        let mut topics = models::attached(config.topics.clone(), folder.path());
        if let Some(model) = &config.model {
            models::judged(&mut topics, model);
        }
        let topics: Arc<[Topic]> = topics.into();
        let wanted = wanted(config)?;
        let known = Arc::clone(&topics);
        let moved = storage
            .run(move |store| {
                let refreshed = pipeline::refresh_topics(store, &known)?;
                if !refreshed.is_empty() && store.head()? > 0 {
                    let names: Vec<String> = refreshed.iter().map(ToString::to_string).collect();
                    tracing::info!(topics = names.join(", "), "the latest papers were matched anew");
                }
                pipeline::configure_channels(store, &wanted, extent, clock::now())
            })
            .await?;
        for (configured, now) in moved {
            tracing::warn!("{configured} has become {now}; change its place in the configuration");
        }
        // The folder has one owner: whoever held these claims is dead, and waiting for their end would only delay.
        let held = storage.run(|store| pipeline::take_over(store, clock::steady())).await?;
        if held > 0 {
            tracing::info!(deliveries = held, "what the last run broke off can go on");
        }
        let path = folder.path().to_owned();
        tokio::task::spawn_blocking(move || ballast::restore(&path)).await?;
        let queued = Queued::default();
        let channels_changed = Arc::new(Notify::new());
        let ops = Ops::new(clock::now());
        let search = SearchIndex::with_names(folder.path(), institution);
        let writer = |model| Writer::of(model, storage.clone(), Arc::clone(&topics));
        let writer = config.model.as_ref().map(writer).transpose()?;
        let writer = writer.map(|writer| writer.shown_in(search.clone()));
        let service = Service::new(
            storage.clone(),
            Arc::clone(&topics),
            queued.clone(),
            Arc::clone(&channels_changed),
            ops.clone(),
        )
        .searching(search.clone())
        .asking(sources::known(config))
        .telling_operator(config.operator.place.is_some())
        .written_by(writer.clone())
        .judging(config.model.as_ref().map(|model| &*model.judge).unwrap_or_default())
        .warned(config.warnings());
        let config = config.clone();
        let rules = Rules {
            fresh: config.defaults.clone().settings(Subjects::default()),
            seal: Seal::new(folder.secret()?),
            per_minute: config.access.questions_per_minute,
            serves: Arc::new(move |place| config.serves(place)),
        };
        let talk = Talk::new(
            storage.clone(),
            service.clone(),
            Arc::clone(&topics),
            search.clone(),
            rules,
            Arc::clone(&channels_changed),
            ops.clone(),
        );
        Ok(Self {
            folder,
            storage,
            thread,
            store: measured,
            service,
            talk,
            topics,
            queued,
            channels_changed,
            ops,
            search,
            writer,
        })
    }

    /// What serves requests.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// The limits of one platform, as the last run left them.
    async fn gate(&self, platform: Platform, config: &Config) -> anyhow::Result<Gate> {
        let limits = limits_of(platform, config);
        let limiter = self
            .storage
            .run(move |store| pipeline::limiter(store, platform, limits, clock::steady()))
            .await?;
        Ok(Gate::new(limiter, Some(self.storage.clone())))
    }

    /// Closes the store: everything is on disk and the folder is free afterwards.
    ///
    /// # Errors
    /// When the storage thread panicked.
    pub async fn close(self) -> anyhow::Result<()> {
        let Self {
            folder,
            storage,
            thread,
            ..
        } = self;
        storage.close();
        let joined = tokio::task::spawn_blocking(move || thread.join()).await?;
        drop(folder);
        joined.map_err(|_| anyhow!("the storage thread panicked"))
    }
}

/// The names of the institution that somebody means by `name`; one that the table does not have is called so alone.
fn institution(name: &str) -> Vec<String> {
    match org::Place::named(name) {
        Some(place) => place.names().into_iter().map(str::to_owned).collect(),
        None => vec![name.to_owned()],
    }
}

/// The channels of the configuration. Without any, the web page has a lobby that follows every topic, so that Paperwire
/// does its job before anything is configured.
fn wanted(config: &Config) -> anyhow::Result<Vec<Wanted>> {
    if config.channels.is_empty() && config.web.enabled {
        let subjects = Subjects::new(config.topics.iter().map(|t| t.id.clone()), []);
        let settings = config.defaults.clone().settings(subjects);
        return Ok(vec![Wanted {
            place: Place::web("lobby")?,
            settings,
        }]);
    }
    let wanted = |channel: &ChannelConfig| Wanted {
        place: channel.place.clone(),
        settings: channel.settings.clone(),
    };
    Ok(config.channels.iter().map(wanted).collect())
}

/// Everything, ready to run.
pub struct App {
    base: Base,
    control: UnixListener,
    web: Option<(TcpListener, web::WebState)>,
    telegram: Option<Arc<telegram::sender::Sender>>,
    discord: Option<discord::gateway::Settings>,
    outlets: Vec<Outlet>,
    inbox: Inbox,
    inbox_interval: Duration,
    sources: Vec<SourceConfig>,
    institutions: Institutions,
    fetcher: Fetcher,
    pace: Pace,
    writer: Option<Writer>,
    seal: Seal,
    operator: Operator,
    known: Vec<Known>,
}

impl App {
    /// Opens the store, takes the addresses and builds the platforms that have tokens. Nothing is sent yet.
    ///
    /// # Errors
    /// When the folder is owned by another process, an address is taken or a setting cannot be used.
    pub async fn build(config: &Config, data: PathBuf) -> anyhow::Result<Self> {
        let folder = Folder::own(&data)?;
        let inbox = Inbox::new(folder.path()).context("the inbox cannot be made")?;
        let control = control::listen(folder.socket())
            .with_context(|| format!("the control socket {} cannot be made", folder.socket().display()))?;
        let listener = if config.web.enabled {
            let address = config.web.listen;
            Some(TcpListener::bind(address).await.with_context(|| {
                format!("the web page cannot listen on {address}; set web.listen to a free address")
            })?)
        } else {
            None
        };
        let base = Base::open(folder, config, Extent::Whole).await?;
        for warning in config.warnings().into_iter().chain(config.odd_tokens()) {
            tracing::warn!("{warning}");
        }
        let http = http::client().context("the HTTP client cannot be made")?;
        let mut outlets = Vec::new();
        let telegram = match &config.telegram.token {
            Some(token) => {
                let url = config.telegram.api_url.parse().context("telegram.api_url")?;
                let gate = base.gate(Platform::Telegram, config).await?;
                let sender = telegram::sender::Sender::new(http.clone(), url, token.clone())?
                    .paid_broadcast(config.telegram.paid_broadcast)
                    .behind(gate.clone());
                let sender = Arc::new(sender);
                outlets.push(Outlet {
                    messenger: sender.clone(),
                    gate,
                    policy: config.telegram.uncertain,
                    ops: base.ops.clone(),
                });
                Some(sender)
            }
            None => None,
        };
        let discord = match &config.discord.token {
            Some(token) => {
                let base_url = config.discord.api_url.clone();
                let gate = base.gate(Platform::Discord, config).await?;
                let sender = discord::sender::Sender::new(http.clone(), &base_url, token.clone());
                let sender = Arc::new(sender.behind(gate.clone()));
                outlets.push(Outlet {
                    messenger: sender,
                    gate,
                    // What cannot be read back is rare there, and twice is better than missing.
                    policy: UncertainPolicy::Resend,
                    ops: base.ops.clone(),
                });
                let settings = discord::gateway::Settings::new(http.clone(), base_url, token.clone());
                Some(settings.managed_by(config.discord.manager_role))
            }
            None => None,
        };
        let web_gate = base.gate(Platform::Web, config).await?;
        let web = listener.map(|listener| {
            let live = web::Live::default();
            outlets.push(Outlet {
                messenger: Arc::new(web::Sender::new(live.clone())),
                gate: web_gate,
                policy: UncertainPolicy::Resend,
                ops: base.ops.clone(),
            });
            let state = web::WebState {
                storage: base.storage.clone(),
                desk: Arc::new(base.talk.clone()),
                live,
                title: config.web.title.clone(),
                lang: config.web.language,
                zone: config.defaults.timezone,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                topics: base.topics.iter().map(web::TopicName::of).collect(),
                hosts: config.web.hosts.clone(),
                ops: base.ops.clone(),
            };
            (listener, state)
        });
        let writer = base.writer.clone();
        let seal = Seal::new(base.folder.secret()?);
        Ok(Self {
            base,
            control,
            web,
            telegram,
            discord,
            outlets,
            inbox,
            inbox_interval: inbox::INTERVAL,
            sources: config.sources.clone(),
            institutions: config.institutions.clone(),
            fetcher: Fetcher::new().context("the HTTP client for sources cannot be made")?,
            pace: Pace::default(),
            writer,
            seal,
            operator: config.operator.clone(),
            known: sources::known(config),
        })
    }

    /// Looks into the inbox so often.
    #[must_use]
    pub fn inbox_interval(mut self, interval: Duration) -> Self {
        self.inbox_interval = interval;
        self
    }

    /// Asks sources at this pace.
    #[must_use]
    pub fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Where the web page is.
    pub fn web_address(&self) -> Option<std::net::SocketAddr> {
        self.web.as_ref().and_then(|(listener, _)| listener.local_addr().ok())
    }

    /// What serves requests.
    pub fn service(&self) -> Service {
        self.base.service.clone()
    }

    /// Runs until `stop`, or until something fails that cannot go on. What is in flight is settled first either way.
    ///
    /// # Errors
    /// What could not go on.
    pub async fn run_until(self, stop: CancellationToken) -> anyhow::Result<()> {
        let Self {
            base,
            control,
            web,
            telegram,
            discord,
            outlets,
            inbox,
            inbox_interval,
            sources,
            institutions,
            fetcher,
            pace,
            writer,
            seal,
            operator,
            known,
        } = self;
        // Questions, sources and schedules end before the worker; the store outlives them all.
        let stop = stop.child_token();
        let desk: Arc<dyn Desk> = Arc::new(base.talk.clone());
        let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
        let service = base.service.clone();
        tasks.spawn(with(control::serve(control, service.clone(), stop.clone())));
        tasks.spawn(with(inbox.watch(service.clone(), inbox_interval, stop.clone())));
        let wake = Arc::new(Notify::new());
        let asking = sources::run(
            sources,
            base.storage.clone(),
            service.clone(),
            fetcher.clone(),
            pace,
            Arc::clone(&wake),
            stop.clone(),
        );
        tasks.spawn(async move { asking.await.context("the sources cannot be asked") });
        let asking = institutions::run(
            institutions,
            Arc::clone(&base.topics),
            base.storage.clone(),
            service,
            fetcher,
            stop.clone(),
        );
        tasks.spawn(async move { asking.await.context("institutions cannot be asked for") });
        let schedule = scheduler::run(
            base.storage.clone(),
            Arc::clone(&base.topics),
            Arc::clone(&base.channels_changed),
            base.queued.clone(),
            base.ops.clone(),
            writer.clone(),
            stop.clone(),
        );
        tasks.spawn(async move { schedule.await.context("the scheduler stopped") });
        if let Some(writer) = writer {
            let ahead = writer.run(stop.clone());
            tasks.spawn(async move { ahead.await.context("no briefs can be written") });
        }
        let (storage, ops) = (base.storage.clone(), base.ops.clone());
        let search = base.search.clone();
        tasks.spawn(with(search.run(storage, Arc::clone(&base.topics), ops, stop.clone())));
        let (storage, ended) = (base.storage.clone(), stop.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = ended.cancelled() => Ok(()),
                error = storage.broken() => Err(error.into()),
            }
        });
        let check = set_unreadable_aside(base.storage.clone(), base.queued.clone());
        let checked = stop.clone();
        tasks.spawn(async move {
            let check = checked.run_until_cancelled(check).await;
            check.unwrap_or(Ok(())).context("the queue cannot be read")
        });
        let archive = housekeeping::archive(base.storage.clone(), stop.clone());
        tasks.spawn(async move { archive.await.context("nothing can be archived") });
        let measure = housekeeping::measure(base.store.clone(), base.ops.clone(), stop.clone());
        tasks.spawn(async move { measure.await.context("the store cannot be measured") });
        let forget = housekeeping::forget(base.storage.clone(), stop.clone());
        tasks.spawn(async move { forget.await.context("old decisions cannot be forgotten") });
        let deciders = Deciders {
            messengers: outlets.iter().map(|outlet| Arc::clone(&outlet.messenger)).collect(),
            topics: Arc::clone(&base.topics),
            seal,
            operator: operator.place.clone(),
        };
        let watch = Watch {
            operator,
            sources: known,
            messengers: deciders.messengers.clone(),
        };
        let watch = watch.run(base.storage.clone(), wake, stop.clone());
        tasks.spawn(async move { watch.await.context("what comes in cannot be watched") });
        let tell = deciders.tell(base.storage.clone(), base.queued.listen(), stop.clone());
        tasks.spawn(async move { tell.await.context("nobody can be told what is held back") });
        for outlet in outlets {
            let worker = Worker::new(base.storage.clone(), outlet, base.queued.clone()).run(stop.clone());
            tasks.spawn(async move { worker.await.context("sending stopped") });
        }
        if let Some((listener, state)) = web {
            let page = web::serve(listener, state, stop.clone());
            tasks.spawn(async move { page.await.context("the web page stopped") });
        }
        if let Some(sender) = telegram {
            let settings = telegram::updates::Settings::default();
            let updates = telegram::updates::run(settings, Arc::clone(&desk), sender, stop.clone());
            tasks.spawn(async move { updates.await.context("Telegram cannot be used") });
        }
        if let Some(settings) = discord {
            tasks.spawn(discord::gateway::keep(settings, Arc::clone(&desk), stop.clone()));
        }
        drop(desk);
        let mut first_error = None;
        loop {
            let ended = tokio::select! {
                () = stop.cancelled() => break,
                ended = tasks.join_next() => ended,
            };
            let Some(ended) = ended else { break };
            if let Err(error) = ended.map_err(anyhow::Error::from).and_then(|result| result) {
                tracing::error!("{error:#}");
                first_error = Some(error);
                break;
            }
        }
        stop.cancel();
        let drained = tokio::time::timeout(GRACE, async {
            while let Some(ended) = tasks.join_next().await {
                if let Err(error) = ended.map_err(anyhow::Error::from).and_then(|result| result) {
                    tracing::error!("{error:#}");
                }
            }
        });
        if drained.await.is_err() {
            tracing::warn!(
                "some tasks did not end within {} s; what they held is available again later",
                GRACE.as_secs()
            );
            tasks.shutdown().await;
        }
        base.close().await?;
        first_error.map_or(Ok(()), Err)
    }
}

/// Looks through the whole queue once, beside everything else: reading it takes longer than a start should.
async fn set_unreadable_aside(storage: Storage, queued: Queued) -> Result<(), StorageError> {
    let mut after: Option<DeliveryId> = None;
    loop {
        let (found, last) = storage
            .run(move |store| pipeline::set_aside(store, after.as_ref()))
            .await?;
        for delivery in &found {
            tracing::error!(
                %delivery,
                "it cannot be read from the store and is set aside; its channel misses this digest and goes on with the next"
            );
        }
        if !found.is_empty() {
            queued.announce();
        }
        if last.is_none() {
            return Ok(());
        }
        after = last;
    }
}

async fn with(task: impl Future<Output = ()>) -> anyhow::Result<()> {
    task.await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_institution_is_searched_for_under_all_its_names_and_an_unknown_one_under_its_own() {
        let names = institution("北大");
        assert!(
            ["Peking University", "北京大学", "PKU"]
                .iter()
                .all(|name| names.contains(&(*name).to_owned()))
        );
        assert_eq!(institution("Harrow Institute"), ["Harrow Institute"]);
    }
}
