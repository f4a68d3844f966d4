//! The command line. Results go to stdout, everything else to stderr; exit 0 is done, 1 failed, 2 usage or
//! configuration. A command works whether or not the bot runs: where a process owns the data folder it is asked over its
//! socket, else the command opens the store itself.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use chrono::NaiveDate;
use clap::{Args, Parser, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use paperwire_config::{Config, ConfigErrors};
use paperwire_core::bibtex;
use paperwire_core::brief;
use paperwire_core::channel::{Place, Style};
use paperwire_core::delivery::{self, DeliveryId, Discard, State};
use paperwire_core::digest::{DigestId, View};
use paperwire_core::locale::Lang;
use paperwire_core::paper::Paper;
use paperwire_core::pipeline::queue::{Details, Entry, Listing};
use paperwire_core::pipeline::{Accepted, Extent, Waiting};
use paperwire_core::report::{self, Report};
use paperwire_core::source::{self, SourceKind};
use paperwire_core::topic::{Topic, TopicId, Verdict};
use tokio_util::sync::CancellationToken;

use crate::app::{App, Base};
use crate::bench::{self, Bench};
use crate::doctor::Mark;
use crate::folder::{Folder, FolderError};
use crate::service::{ChannelStatus, Decided, HeldAction, HeldDigest, Ledger, Preview, QueueAction, Request, Response};
use crate::{clock, control, demo, inbox, web};

mod topic;

/// How long to wait for a command that holds the data folder without serving it, such as another `ingest`.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is logged unless something else is wanted.
const DEFAULT_LOG: &str = "info";

/// A newswire for research papers: digests for Discord, Telegram and a local web page.
#[derive(Debug, Parser)]
#[command(name = "paperwire", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Action,
}

#[derive(Debug, Args)]
struct Common {
    /// The configuration file [default: paperwire.toml, if it is there].
    #[arg(long, global = true, value_name = "FILE", env = "PAPERWIRE_CONFIG")]
    config: Option<PathBuf>,
    /// The data folder; goes before the configuration's `data`.
    #[arg(long, global = true, value_name = "DIR", env = "PAPERWIRE_DATA")]
    data: Option<PathBuf>,
    /// What is logged to stderr: error, warn, info, debug, or a filter such as paperwire=debug.
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        env = "PAPERWIRE_LOG",
        default_value = DEFAULT_LOG
    )]
    log: String,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show the whole program on an invented mailing; needs no configuration and no token.
    Demo {
        /// Where the page listens [default: 127.0.0.1:8787, or any free port].
        #[arg(long, value_name = "ADDRESS")]
        listen: Option<SocketAddr>,
    },
    /// Run the bots that have tokens, the schedules and the web page, until Ctrl-C or SIGTERM.
    Run,
    /// Take in mailings and reports; `-` is standard input.
    Ingest {
        /// The files.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Print one JSON object with the counts.
        #[arg(long)]
        json: bool,
    },
    /// Show the ledger: which intervals came in, what is missing, what came twice.
    Windows {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Build the digest now and queue it, as if the channels' occurrence were now.
    Post {
        /// Only this channel, such as telegram:-1001234567890; may be repeated.
        #[arg(long = "channel", value_name = "PLACE")]
        channels: Vec<Place>,
    },
    /// Print what a topic's digest would be; or, with list and show, what was decided about those that were made.
    #[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
    Digest {
        #[command(subcommand)]
        action: Option<DigestCommand>,
        /// The topic.
        #[arg(long, required = true)]
        topic: Option<String>,
        /// The day on which the window ends, such as 2025-10-10 [default: the latest].
        #[arg(long)]
        date: Option<NaiveDate>,
        /// In which form.
        #[arg(long, value_enum, default_value = "report")]
        format: Format,
        /// Add each candidate's score and matched terms, those not kept too.
        #[arg(long)]
        explain: bool,
        /// The language of the HTML page.
        #[arg(long, default_value = "en", value_name = "zh|en")]
        lang: Lang,
    },
    /// Read a report or a mailing (`-`: standard input, JSON too) and write it in another form.
    Convert {
        /// The file.
        file: PathBuf,
        /// Which form.
        #[arg(long, value_enum)]
        to: ConvertTo,
    },
    /// Show a paper: a number of the latest digest, a day and a number, an arXiv id or a link.
    Paper {
        /// Which.
        #[arg(required = true, value_name = "N|ID")]
        which: Vec<String>,
        /// In which language.
        #[arg(long, default_value = "en", value_name = "zh|en")]
        lang: Lang,
    },
    /// Show and mend the delivery queue: what waits, and what a platform refused.
    Queue {
        #[command(subcommand)]
        action: Option<QueueCommand>,
        /// Print JSON.
        #[arg(long, global = true)]
        json: bool,
    },
    /// Show and decide about digests that are held back, since they look odd; nothing of them is posted before.
    Held {
        #[command(subcommand)]
        action: Option<HeldCommand>,
        /// Print JSON.
        #[arg(long, global = true)]
        json: bool,
    },
    /// Teach a topic what its readers choose, measure it, and ask why it ranks a paper where it does.
    Topic {
        /// What to do.
        #[command(subcommand)]
        action: topic::TopicCommand,
    },
    /// Check or show the configuration.
    Config {
        #[command(subcommand)]
        action: ConfigAction,
    },
    /// Measure against fake platforms on this machine; needs no configuration and leaves nothing behind.
    Bench {
        /// What.
        #[command(subcommand)]
        bench: Bench,
    },
    /// Look at everything: sources, missing days, channels, deliveries; exit 1 when somebody should do something.
    Doctor {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Ask the running process how it is; exit 1 when none runs.
    Status {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
enum QueueCommand {
    /// List what waits and the dead letters; what `queue` alone does.
    List,
    /// Show one delivery, with the requests and answers of what was refused.
    Show {
        /// As the list shows it.
        id: DeliveryId,
    },
    /// Send now what has not arrived of a delivery; what has arrived does not come again.
    Retry {
        /// As the list shows it.
        id: DeliveryId,
    },
    /// Take a delivery out of the queue: what has not arrived never will.
    Drop {
        /// As the list shows it.
        id: DeliveryId,
    },
}

#[derive(Debug, Subcommand)]
enum DigestCommand {
    /// List the latest digests with what was decided about each: posted, held back, dropped, why, when and by whom.
    List {
        /// How many.
        #[arg(long, default_value_t = 20, value_name = "N")]
        most: usize,
        #[command(flatten)]
        form: DecisionForm,
    },
    /// Show one digest with what was decided about it.
    Show {
        /// As the list shows it.
        id: DigestId,
        #[command(flatten)]
        form: DecisionForm,
    },
}

#[derive(Debug, clap::Args)]
struct DecisionForm {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// In which language.
    #[arg(long, default_value = "en", value_name = "zh|en")]
    lang: Lang,
}

#[derive(Debug, Subcommand)]
enum HeldCommand {
    /// List what waits, for which channels, and why; what `held` alone does.
    List,
    /// Show a digest with what it was judged by.
    Show {
        /// As the list shows it.
        id: DigestId,
    },
    /// Post a held digest to the channels that it is for.
    Post {
        /// As the list shows it.
        id: DigestId,
    },
    /// Never post a held digest.
    Drop {
        /// As the list shows it.
        id: DigestId,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigAction {
    /// Say whether it can be used, and all that is wrong with it if not.
    Check,
    /// Print what is in force and where it comes from; secrets stay hidden.
    Show,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Report,
    Json,
    Html,
    Bibtex,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ConvertTo {
    Report,
    Json,
    Bibtex,
}

/// What ends a command without a result.
enum Failure {
    /// Usage or configuration: exit 2.
    Usage(String),
    /// Anything else: exit 1.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast_ref::<FolderError>() {
            Some(FolderError::Owned { .. }) => Self::Usage(format!("{error:#}")),
            Some(FolderError::Io { .. }) | None => Self::Failed(error),
        }
    }
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        Self::Usage(errors.to_string())
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let log = match &cli.command {
        // A line for each delivery would be measured too.
        Action::Bench { .. } if cli.common.log == DEFAULT_LOG => "error",
        Action::Bench { .. }
        | Action::Demo { .. }
        | Action::Run
        | Action::Ingest { .. }
        | Action::Windows { .. }
        | Action::Post { .. }
        | Action::Digest { .. }
        | Action::Convert { .. }
        | Action::Paper { .. }
        | Action::Queue { .. }
        | Action::Held { .. }
        | Action::Topic { .. }
        | Action::Config { .. }
        | Action::Doctor { .. }
        | Action::Status { .. } => &cli.common.log,
    };
    if let Err(message) = start_log(log) {
        return end(Err(Failure::Usage(message)));
    }
    // One provider, chosen once: a later dependency that brings another cannot make TLS fail at run time.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(Err(Failure::Failed(anyhow!(error).context("the runtime cannot start")))),
    };
    let result = runtime.block_on(run(cli));
    // A socket of a library that ended at the wrong moment can keep a task turning; the program ends all the same.
    runtime.shutdown_timeout(Duration::from_secs(2));
    end(result)
}

fn start_log(filter: &str) -> Result<(), String> {
    use tracing_subscriber::EnvFilter;
    // The libraries below log their own retries; what matters of them is logged by us. Serenity's warnings may hold an
    // event with the token of an interaction, and tungstenite's traces the frame with the bot's.
    const QUIET: &str = "serenity=error,tungstenite=warn,tokio_tungstenite=warn,teloxide=warn,teloxide_core=warn,\
                         hyper=warn,hyper_util=warn,h2=warn,reqwest=warn,sled=warn,rustls=warn";
    let filter = EnvFilter::try_new(format!("{filter},{QUIET}")).map_err(|error| {
        format!("--log (or PAPERWIRE_LOG) “{filter}” is no filter: {error}; write error, warn, info, debug or paperwire=debug")
    })?;
    // A test may have set another subscriber in this process.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    Ok(())
}

#[expect(
    clippy::print_stderr,
    reason = "why a command failed is said to the person who typed it"
)]
fn end(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => {
            eprintln!("paperwire: {message}");
            ExitCode::from(2)
        }
        Err(Failure::Failed(error)) => {
            eprintln!("paperwire: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let Cli { common, command } = cli;
    match command {
        Action::Demo { listen } => Ok(demo::run(listen, stop_signal()?).await?),
        Action::Run => {
            // Heard from the first moment on, or a signal that comes while everything opens would kill instead of stop.
            let stop = stop_signal()?;
            let (config, data) = config(&common)?;
            let app = tokio::select! {
                app = wait_for_folder(|| App::build(&config, data.clone())) => app?,
                () = stop.cancelled() => return Ok(()),
            };
            if let Some(address) = app.web_address() {
                tracing::info!("the web page is at http://{address}/");
            }
            let platforms = [
                ("Telegram", config.telegram.token.is_some()),
                ("Discord", config.discord.token.is_some()),
            ];
            for (platform, present) in platforms {
                if !present {
                    tracing::info!("{platform} has no token and is left out");
                }
            }
            Ok(app.run_until(stop).await?)
        }
        Action::Ingest { files, json } => ingest(&common, &files, json).await,
        Action::Windows { json } => windows(&common, json).await,
        Action::Post { channels } => post(&common, channels).await,
        Action::Digest {
            action: Some(command), ..
        } => decisions(&common, command).await,
        Action::Digest {
            action: None,
            topic,
            date,
            format,
            explain,
            lang,
        } => {
            let (config, _) = config(&common)?;
            let topic = topic.unwrap_or_default();
            if !config.topics.iter().any(|known| known.id.0 == topic) {
                let known: Vec<&str> = config.topics.iter().map(|known| known.id.0.as_str()).collect();
                return Err(Failure::Usage(format!(
                    "there is no topic “{topic}”; there are: {}",
                    known.join(", ")
                )));
            }
            let topic = TopicId(topic);
            let response = ask(&common, vec![Request::Digest { topic, day: date }]).await?;
            let Some(Response::Digest(preview)) = response.into_iter().next() else {
                return Err(unexpected());
            };
            Ok(print(&digest(&preview, &config.topics, format, explain, lang)?)?)
        }
        Action::Convert { file, to } => Ok(print(&convert(&file, to)?)?),
        Action::Paper { which, lang } => {
            let query = which.join(" ");
            let response = ask(&common, vec![Request::Paper { query, lang }]).await?;
            match response.into_iter().next() {
                Some(Response::Paper(message)) => Ok(print(&message.to_plain())?),
                _ => Err(unexpected()),
            }
        }
        Action::Queue { action, json } => queue(&common, action, json).await,
        Action::Held { action, json } => held(&common, action, json).await,
        Action::Topic { action } => topic::run(&common, action).await,
        Action::Config { action } => {
            let (config, _) = config(&common)?;
            match action {
                ConfigAction::Check => {
                    for warning in config.warnings().into_iter().chain(config.odd_tokens()) {
                        tracing::warn!("{warning}");
                    }
                    Ok(print("The configuration is good.\n")?)
                }
                ConfigAction::Show => Ok(print(&config.show())?),
            }
        }
        Action::Bench { bench } => {
            // A benchmark that is broken off cleans up behind itself too.
            let stop = stop_signal()?;
            tokio::select! {
                text = bench::run(bench) => Ok(print(&text?)?),
                () = stop.cancelled() => Ok(()),
            }
        }
        Action::Doctor { json } => doctor(&common, json).await,
        Action::Status { json } => status(&common, json).await,
    }
}

fn unexpected() -> Failure {
    Failure::Failed(anyhow!(
        "the running Paperwire answered something else; are both of the same version?"
    ))
}

/// The configuration, and the data folder that is in force.
fn config(common: &Common) -> Result<(Config, PathBuf), Failure> {
    let fallback = Path::new("paperwire.toml");
    let file = common
        .config
        .as_deref()
        .or_else(|| fallback.exists().then_some(fallback));
    let mut config = Config::load(file, &paperwire_config::environment())?;
    if let Some(data) = &common.data {
        config.data.clone_from(data);
    }
    let data = config.data.clone();
    Ok((config, data))
}

/// Cancelled by Ctrl-C and SIGTERM.
fn stop_signal() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt()).context("Ctrl-C cannot be heard")?;
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be heard")?;
    let heard = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping; what is in flight is settled first");
        heard.cancel();
    });
    Ok(stop)
}

/// Tries again while a short command, which serves nobody, owns the folder.
async fn wait_for_folder<T, F>(mut attempt: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<T>>,
{
    let mut waited = Duration::ZERO;
    let pause = Duration::from_millis(100);
    loop {
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let Some(FolderError::Owned { owner, .. }) = error.downcast_ref::<FolderError>() else {
            return Err(error);
        };
        let serves = tokio::net::UnixStream::connect(&owner.socket).await.is_ok();
        if serves || waited >= PATIENCE {
            return Err(error);
        }
        tokio::time::sleep(pause).await;
        waited += pause;
    }
}

/// Has requests served by whoever owns the data folder: the running process, or this one. The first failure ends it.
async fn ask(common: &Common, requests: Vec<Request>) -> Result<Vec<Response>, Failure> {
    let mut asked = Asking::start(common).await?;
    let mut responses = Vec::new();
    for request in requests {
        match asked.one(request).await {
            Ok(Response::Failed(why)) => {
                asked.end().await?;
                return Err(Failure::Failed(anyhow!(why)));
            }
            Ok(response) => responses.push(response),
            Err(error) => {
                asked.end().await?;
                return Err(error.into());
            }
        }
    }
    asked.end().await?;
    Ok(responses)
}

/// A way to have requests served.
enum Asking {
    Running(PathBuf),
    Own(Box<Base>),
}

impl Asking {
    async fn start(common: &Common) -> Result<Self, Failure> {
        let (config, data) = config(common)?;
        let opened = wait_for_folder(|| async { Ok(Folder::own(&data)?) }).await;
        match opened {
            Ok(folder) => Ok(Self::Own(Box::new(
                Base::open(folder, &config, Extent::Additions).await?,
            ))),
            Err(error) => match error.downcast_ref::<FolderError>() {
                Some(FolderError::Owned { owner, .. }) => Ok(Self::Running(owner.socket.clone())),
                Some(FolderError::Io { .. }) | None => Err(error.into()),
            },
        }
    }

    async fn one(&mut self, request: Request) -> anyhow::Result<Response> {
        match self {
            Self::Running(socket) => control::ask(socket, &request).await,
            Self::Own(base) => Ok(base.service().handle(request).await),
        }
    }

    async fn end(self) -> anyhow::Result<()> {
        match self {
            Self::Running(_) => Ok(()),
            Self::Own(base) => base.close().await,
        }
    }
}

async fn ingest(common: &Common, files: &[PathBuf], json: bool) -> Result<(), Failure> {
    let bar = ProgressBar::with_draw_target(Some(files.len() as u64), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}") {
        bar.set_style(style);
    }
    let mut asked = Asking::start(common).await?;
    let mut total = Accepted::default();
    let mut failed = 0;
    let mut only = None;
    let mut lines = String::new();
    for file in files {
        let name = file.display().to_string();
        bar.set_message(name.clone());
        let taken = match read(file) {
            Ok(bytes) => match asked.one(Request::ingest(name.clone(), &bytes)).await? {
                Response::Ingested(accepted) => Ok(accepted),
                Response::Failed(why) => Err(why),
                Response::Windows(_)
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
                | Response::Doctor(_) => return Err(unexpected()),
            },
            Err(error) => Err(format!("{error:#}")),
        };
        match taken {
            Ok(accepted) => {
                lines.push_str(&inbox::sentence(&name, &accepted));
                lines.push('\n');
                for rejected in &accepted.rejected {
                    bar.suspend(|| tracing::warn!("{name}: {rejected}"));
                }
                total.add(&accepted);
            }
            Err(why) => {
                failed += 1;
                // Of a single file it is why the command failed, and said as that.
                match files.len() {
                    1 => only = Some(why),
                    _ => bar.suspend(|| tracing::error!("{why}")),
                }
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    asked.end().await?;
    if json {
        let counts = serde_json::json!({
            "papers_new": total.papers_new,
            "papers_known": total.papers_known,
            "papers_updated": total.papers_updated,
            "papers_rejected": total.papers_rejected,
            "replacements": total.replacements,
            "windows": total.windows,
            "duplicates": total.duplicates,
        });
        print(&format!("{counts}\n"))?;
    } else {
        print(&lines)?;
    }
    if let Some(why) = only {
        return Err(Failure::Failed(anyhow!(why)));
    }
    if failed > 0 {
        return Err(Failure::Failed(anyhow!(
            "{failed} of {} files were not taken in",
            files.len()
        )));
    }
    Ok(())
}

async fn doctor(common: &Common, json: bool) -> Result<(), Failure> {
    let response = ask(common, vec![Request::Doctor]).await?;
    let Some(Response::Doctor(checkup)) = response.into_iter().next() else {
        return Err(unexpected());
    };
    match json {
        true => print(&(serde_json::to_string_pretty(&checkup).map_err(anyhow::Error::from)? + "\n"))?,
        false => print(&checkup.text())?,
    }
    match checkup.worst() {
        Mark::Good | Mark::Note => Ok(()),
        Mark::Wrong => Err(Failure::Failed(anyhow!(
            "what is marked !! wants somebody to look at it"
        ))),
    }
}

async fn windows(common: &Common, json: bool) -> Result<(), Failure> {
    let response = ask(common, vec![Request::Windows]).await?;
    let Some(Response::Windows(ledger)) = response.into_iter().next() else {
        return Err(unexpected());
    };
    if json {
        let text = serde_json::to_string_pretty(&ledger).map_err(anyhow::Error::from)?;
        return Ok(print(&(text + "\n"))?);
    }
    let Ledger {
        windows,
        gaps,
        repeats,
        days,
    } = ledger;
    let mut out = String::new();
    let span = |w: &source::Window| {
        format!(
            "{:<11} {} – {}",
            w.source.name(),
            w.from.format("%Y-%m-%d %H:%M"),
            w.to.format("%Y-%m-%d %H:%M UTC")
        )
    };
    for window in &windows {
        out += &format!(
            "{}  {} new of {} items\n",
            span(&window.window),
            window.papers_new,
            window.items
        );
    }
    for gap in &gaps {
        out += &format!("gap:    {}\n", span(gap));
    }
    for repeat in &repeats {
        out += &format!("repeat: {}  came {} times\n", span(&repeat.window), repeat.times);
    }
    for day in &days {
        let asked = day
            .asked()
            .map(|(first, last)| format!(", {} – {}", first.format("%H:%M"), last.format("%H:%M UTC")))
            .unwrap_or_default();
        out += &format!(
            "day:    {}  {}  {} new of {} items; {} answers, {} failures{asked}\n",
            day.day,
            day.source,
            day.new,
            day.items,
            day.answered.len(),
            day.failed.len()
        );
        if let Some(since) = day.turned_over {
            let since = since.format("%Y-%m-%d %H:%M UTC");
            out += &format!(
                "lost?   {}  {}  nothing is listed any more that was listed at {since}\n",
                day.day, day.source
            );
        }
    }
    if windows.is_empty() && days.is_empty() {
        out.push_str("Nothing was taken in yet.\n");
    }
    Ok(print(&out)?)
}

async fn post(common: &Common, places: Vec<Place>) -> Result<(), Failure> {
    if let Some(model) = config(common)?.0.model {
        let seconds = model.patience.as_secs();
        note(&format!(
            "{} gets up to {seconds} s for judgements and briefs that are missing.",
            model.name
        ));
    }
    let response = ask(common, vec![Request::Post { places }]).await?;
    let Some(Response::Posted(posted)) = response.into_iter().next() else {
        return Err(unexpected());
    };
    let mut out = String::new();
    for (place, papers) in posted {
        out += &match papers {
            Some(n) => format!("{place}: queued, {n} papers\n"),
            None => format!("{place}: nothing new, and the channel stays silent then\n"),
        };
    }
    Ok(print(&out)?)
}

async fn queue(common: &Common, command: Option<QueueCommand>, json: bool) -> Result<(), Failure> {
    let request = match command {
        None | Some(QueueCommand::List) => Request::Queue,
        Some(QueueCommand::Show { id }) => Request::Delivery {
            id,
            action: QueueAction::Show,
        },
        Some(QueueCommand::Retry { id }) => Request::Delivery {
            id,
            action: QueueAction::Retry,
        },
        Some(QueueCommand::Drop { id }) => Request::Delivery {
            id,
            action: QueueAction::Drop,
        },
    };
    let response = ask(common, vec![request]).await?.into_iter().next();
    let text = match response {
        Some(Response::Queue(listing)) if json => {
            serde_json::to_string_pretty(&listing).map_err(anyhow::Error::from)?
        }
        Some(Response::Delivery(details)) if json => {
            serde_json::to_string_pretty(&details).map_err(anyhow::Error::from)?
        }
        Some(Response::Queue(listing)) => queue_lines(&listing),
        Some(Response::Delivery(details)) => delivery_lines(&details)?,
        _ => return Err(unexpected()),
    };
    Ok(print(&(text + "\n"))?)
}

fn queue_lines(listing: &Listing) -> String {
    let Listing {
        waiting,
        dead_letters,
        more,
    } = listing;
    let mut lines: Vec<String> = waiting.iter().chain(dead_letters).map(entry_line).collect();
    if *more {
        lines.push("There are more than these.".to_owned());
    }
    if lines.is_empty() {
        lines.push("Nothing waits, and nothing was refused.".to_owned());
    }
    lines.join("\n")
}

fn entry_line(entry: &Entry) -> String {
    let instant = |at: &chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    let state = match &entry.state {
        State::Available { at } if entry.attempts > 0 => {
            let error = entry.last_error.as_deref().unwrap_or_default();
            format!(
                "waits until {} after {} failed attempts: {error}",
                instant(at),
                entry.attempts
            )
        }
        State::Available { at } => format!("waits since {}", instant(at)),
        State::Leased { until } => format!("is being sent, at the latest until {}", instant(until)),
        State::Sent { at } => format!("sent {}", instant(at)),
        State::Discarded { reason, at } => match reason {
            Discard::Rejected(why) => format!("dead letter since {}: {why}", instant(at)),
            Discard::Gone(why) => format!("given up {}, the channel cannot be written to: {why}", instant(at)),
            Discard::Dropped => format!("dropped {}", instant(at)),
        },
    };
    let (arrived, parts) = (entry.arrived, entry.parts);
    let progress = if entry.correction {
        format!("a correction, {arrived} of {parts} parts edited")
    } else {
        format!("{arrived} of {parts} parts arrived")
    };
    format!("{}  {progress}, {state}", entry.id)
}

fn delivery_lines(details: &Details) -> anyhow::Result<String> {
    let entry = &details.entry;
    let mut lines = vec![
        entry_line(entry),
        format!("published {}", entry.published_at.format("%Y-%m-%d %H:%M:%S UTC")),
    ];
    if details.in_doubt {
        lines.push("the next part was sent and not answered: it may have arrived".to_owned());
    }
    for decided in &details.decisions {
        let at = decided.at.format("%Y-%m-%d %H:%M:%S UTC");
        let about = match &decided.verdict {
            delivery::Verdict::Unedited(_) => "is not corrected",
            delivery::Verdict::Found
            | delivery::Verdict::NotThere
            | delivery::Verdict::Resent(_)
            | delivery::Verdict::Skipped(_) => "was in doubt",
        };
        lines.push(format!("part {} {about}: {}, {at}", decided.part, decided.verdict));
    }
    for (part, id) in (1_u32..).zip(&details.message_ids).filter(|(_, id)| !id.is_empty()) {
        lines.push(format!("part {part}: message {id}"));
    }
    for refused in &details.refused {
        lines.push(format!("part {}: refused: {}", refused.part, refused.answer));
        if let Some(answer) = &refused.answer_to_plain {
            lines.push(format!("  and as plain text: {answer}"));
        }
        if let Some(request) = &refused.request {
            lines.push(serde_json::to_string_pretty(request)?);
        }
    }
    if let Some(part) = details.next_part {
        let plain = if details.next_as_plain { ", as plain text" } else { "" };
        lines.push(format!("part {part} is next{plain}"));
    }
    Ok(lines.join("\n"))
}

async fn held(common: &Common, command: Option<HeldCommand>, json: bool) -> Result<(), Failure> {
    let of = |id, action| Request::HeldDigest { id, action };
    let request = match command {
        None | Some(HeldCommand::List) => Request::Held,
        Some(HeldCommand::Show { id }) => of(id, HeldAction::Show),
        Some(HeldCommand::Post { id }) => of(id, HeldAction::Post),
        Some(HeldCommand::Drop { id }) => of(id, HeldAction::Drop),
    };
    let response = ask(common, vec![request]).await?.into_iter().next();
    let text = match response {
        Some(Response::Held(all)) if json => serde_json::to_string_pretty(&all).map_err(anyhow::Error::from)?,
        Some(Response::HeldDigest(one)) if json => serde_json::to_string_pretty(&one).map_err(anyhow::Error::from)?,
        Some(Response::Held(all)) if all.is_empty() => "Nothing is held back.".to_owned(),
        Some(Response::Held(all)) => all.iter().map(held_lines).collect::<Vec<_>>().join("\n"),
        Some(Response::HeldDigest(one)) => held_details(&one),
        Some(Response::Decided(message)) => message.to_plain().trim_end().to_owned(),
        _ => return Err(unexpected()),
    };
    Ok(print(&(text + "\n"))?)
}

async fn decisions(common: &Common, command: DigestCommand) -> Result<(), Failure> {
    let (request, json) = match command {
        DigestCommand::List { most, form } => (Request::Decisions { most, lang: form.lang }, form.json),
        DigestCommand::Show { id, form } => (Request::Decision { id, lang: form.lang }, form.json),
    };
    let response = ask(common, vec![request]).await?.into_iter().next();
    let text = match response {
        Some(Response::Decisions(all)) if json => serde_json::to_string_pretty(&all).map_err(anyhow::Error::from)?,
        Some(Response::Decision(one)) if json => serde_json::to_string_pretty(&one).map_err(anyhow::Error::from)?,
        Some(Response::Decisions(all)) if all.is_empty() => "There is no digest yet.".to_owned(),
        Some(Response::Decisions(all)) => all.iter().map(decided_lines).collect::<Vec<_>>().join("\n"),
        Some(Response::Decision(one)) => {
            let text = one.text.as_deref().unwrap_or_default().trim_end();
            format!("{}\n\n{text}", decided_lines(&one))
        }
        _ => return Err(unexpected()),
    };
    Ok(print(&(text + "\n"))?)
}

fn decided_lines(decided: &Decided) -> String {
    let mut lines = format!("{}  {}", decided.id, decided.title);
    for line in &decided.says {
        lines += "\n  ";
        lines += line;
    }
    if !decided.channels.is_empty() {
        let places: Vec<String> = decided.channels.iter().map(ToString::to_string).collect();
        lines += "\n  ";
        lines += &places.join(", ");
    }
    lines
}

fn held_lines(waiting: &Waiting) -> String {
    let Waiting {
        digest,
        title,
        reason,
        since,
        papers,
        channels,
        told,
    } = waiting;
    let joined = |places: &[Place]| places.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let told = match told.as_slice() {
        [] => "nobody yet".to_owned(),
        told => told.join(", "),
    };
    format!(
        "{digest}  {title}\n  held since {}: {reason}\n  papers: {papers}, channels: {}\n  told: {told}\n  decide: \
         paperwire held post {digest} | paperwire held drop {digest}",
        since.format("%Y-%m-%d %H:%M UTC"),
        joined(channels),
    )
}

fn held_details(shown: &HeldDigest) -> String {
    let mut lines = Vec::new();
    match &shown.waiting {
        Some(waiting) => lines.push(held_lines(waiting)),
        None => lines.push(format!("{}  is not held back", shown.id)),
    }
    if let Some(decision) = &shown.decision {
        let facts = &decision.facts;
        lines.push(format!(
            "judged {} by: papers {}, matched {}, entries {}, without abstract and brief {}, with a refused brief {}, items \
             that became no papers {}, windows {} over {} h, {}",
            decision.decided_at.format("%Y-%m-%d %H:%M UTC"),
            facts.considered,
            facts.matched,
            facts.entries,
            facts.blank,
            facts.refused,
            facts.lost,
            facts.windows,
            facts.hours,
            facts.weekday,
        ));
        if let Some(resolved) = &decision.resolved {
            let what = if resolved.posted { "posted" } else { "dropped" };
            let at = resolved.at.format("%Y-%m-%d %H:%M UTC");
            lines.push(format!("{what} by {} at {at}", resolved.by));
        }
    }
    lines.push(String::new());
    lines.push(shown.text.trim_end().to_owned());
    lines.join("\n")
}

async fn status(common: &Common, json: bool) -> Result<(), Failure> {
    let (_, data) = config(common)?;
    if !data.exists() {
        return Err(Failure::Failed(anyhow!("no Paperwire runs on {}", data.display())));
    }
    let socket = match Folder::own(&data) {
        Err(FolderError::Owned { owner, .. }) => owner.socket,
        Err(error @ FolderError::Io { .. }) => return Err(anyhow::Error::from(error).into()),
        Ok(_) => return Err(Failure::Failed(anyhow!("no Paperwire runs on {}", data.display()))),
    };
    let Response::Status(status) = control::ask(&socket, &Request::Status).await? else {
        return Err(unexpected());
    };
    if json {
        let text = serde_json::to_string_pretty(&status).map_err(anyhow::Error::from)?;
        return Ok(print(&(text + "\n"))?);
    }
    let mut out = format!(
        "Paperwire {} runs with pid {}; papers: {}, windows: {}, rules: {}, deliveries waiting: {}\n",
        status.version, status.pid, status.papers, status.windows, status.rules, status.waiting
    );
    if let Some(search) = &status.search {
        out += &format!("search index: {search}\n");
    }
    for waiting in &status.held {
        out += &held_lines(waiting);
        out.push('\n');
    }
    for delivery in &status.set_aside {
        out +=
            &format!("{delivery}: set aside, since it cannot be read from the store; its channel misses this digest\n");
    }
    for channel in &status.channels {
        out += &status_line(channel);
    }
    Ok(print(&out)?)
}

fn status_line(channel: &ChannelStatus) -> String {
    let place = &channel.place;
    let owner = channel
        .owner
        .as_ref()
        .map_or(String::new(), |id| format!(" (set up by {id})"));
    match (&channel.paused, channel.next_due) {
        (Some(why), _) => format!("{place}{owner}: silent: {why}\n"),
        (None, Some(at)) => format!("{place}{owner}: next digest {}\n", at.format("%Y-%m-%d %H:%M UTC")),
        (None, None) => format!("{place}{owner}: nothing scheduled\n"),
    }
}

/// A preview in the wanted form.
fn digest(preview: &Preview, topics: &[Topic], format: Format, explain: bool, lang: Lang) -> anyhow::Result<String> {
    let Preview {
        digest,
        papers,
        explained,
    } = preview;
    let mut out = match format {
        Format::Report => {
            let name = digest
                .subjects
                .topics
                .first()
                .and_then(|id| topics.iter().find(|t| t.id == *id));
            let name = name.map_or("论文", |t| t.name_zh.as_str());
            let entries = digest
                .entries
                .iter()
                .map(|entry| {
                    let paper = papers.iter().find(|p| p.id == entry.paper);
                    let brief = entry
                        .briefs
                        .iter()
                        .find(|b| b.reader == Lang::Zh)
                        .map(|b| b.brief.text.clone());
                    report::Entry {
                        title: entry.title.clone(),
                        brief: brief.unwrap_or_default(),
                        institutions: entry.institutions.join(", "),
                        // 0 is how a report says that it does not know.
                        author_count: Some(entry.author_count.unwrap_or(0)),
                        abstract_text: paper.map(|p| p.abstract_text().to_owned()).unwrap_or_default(),
                        ..report::Entry::default()
                    }
                })
                .collect();
            let generated = clock::now().format("%Y-%m-%d %H:%M:%S").to_string();
            report::write(&Report::new(&format!("{name}技术论文分析报告"), &generated, entries))
        }
        Format::Json => {
            let mut value = serde_json::json!({ "digest": digest, "papers": papers });
            if explain && let Some(object) = value.as_object_mut() {
                object.insert("explained".to_owned(), serde_json::to_value(explained)?);
            }
            return Ok(serde_json::to_string_pretty(&value)? + "\n");
        }
        Format::Html => {
            let view = View {
                lang,
                zone: chrono_tz::UTC,
                style: Style::Full,
                topics,
            };
            let abstract_of = |id: &paperwire_core::paper::PaperId| {
                papers
                    .iter()
                    .find(|p| p.id == *id)
                    .map(|p| p.abstract_text().to_owned())
            };
            web::markup::standalone(&view.message(digest, &abstract_of), lang)
        }
        Format::Bibtex => bibtex::write(papers),
    };
    if explain {
        let comment = |line: String| match format {
            Format::Html => format!("<!-- {} -->\n", line.replace("--", "—")),
            Format::Bibtex => format!("% {line}\n"),
            Format::Report | Format::Json => format!("{line}\n"),
        };
        out.push('\n');
        for item in explained {
            out += &comment(explanation(item));
        }
    }
    Ok(out)
}

fn explanation(item: &crate::service::Explained) -> String {
    let verdict = match &item.score.verdict {
        Verdict::Kept => "kept".to_owned(),
        Verdict::BelowThreshold => "below the threshold".to_owned(),
        Verdict::ExcludedTerm(term) => format!("excluded by the term “{term}”"),
        Verdict::ExcludedCategory(category) => format!("excluded by the category {category}"),
        Verdict::OtherCategory => "of another category".to_owned(),
    };
    let terms: Vec<String> = item
        .score
        .hits
        .iter()
        .map(|hit| {
            format!(
                "{}{} {}",
                hit.term,
                if hit.in_title { " (title)" } else { "" },
                hit.points
            )
        })
        .collect();
    // What decided comes first.
    let rank = match &item.score.learned {
        Some(rated) => format!(
            "{:>7.2} (takes {:.2})",
            f64::from(rated.decided()) / 1000.0,
            f64::from(rated.threshold) / 1000.0
        ),
        None => format!("{:>4}", item.score.points),
    };
    format!(
        "{rank} {verdict}: {} {} [{}]",
        item.intake.paper,
        item.title,
        terms.join(", ")
    )
}

fn convert(file: &Path, to: ConvertTo) -> anyhow::Result<String> {
    let name = file.display();
    let bytes = read(file)?;
    let first = bytes.iter().find(|b| !b.is_ascii_whitespace());
    let parsed = if first == Some(&b'{') {
        let report: Report =
            serde_json::from_slice(&bytes).with_context(|| format!("{name}: this JSON is no report of Paperwire's"))?;
        Converted { report, papers: None }
    } else if source::report::recognises(&bytes) {
        let text = String::from_utf8(bytes).with_context(|| format!("{name}: a report is UTF-8 text"))?;
        let report = report::read(&text).with_context(|| name.to_string())?;
        Converted { report, papers: None }
    } else {
        let parsed = source::parse(&bytes).with_context(|| name.to_string())?;
        for rejected in &parsed.rejected {
            tracing::warn!("{name}: {rejected}");
        }
        let generated = parsed
            .window
            .map(|w| w.to.format("%Y-%m-%d %H:%M:%S").to_string())
            .unwrap_or_default();
        let papers: Vec<Paper> = parsed
            .items
            .into_iter()
            .filter(|i| i.announcement.is_candidate())
            .map(|i| i.paper)
            .collect();
        let title = match parsed.source {
            SourceKind::ArxivMail | SourceKind::ArxivApi | SourceKind::ArxivRss | SourceKind::ArxivOai => {
                "arXiv 新论文"
            }
            SourceKind::Report => "论文分析报告",
            SourceKind::HuggingFace
            | SourceKind::Feed
            | SourceKind::Jsonl
            | SourceKind::ArxivHtml
            | SourceKind::Grobid
            | SourceKind::OpenAlex => "新论文",
        };
        let report = Report::new(title, &generated, papers.iter().map(entry_of).collect());
        Converted {
            report,
            papers: Some(papers),
        }
    };
    Ok(match to {
        ConvertTo::Report => report::write(&parsed.report),
        ConvertTo::Json => serde_json::to_string_pretty(&parsed.report)? + "\n",
        ConvertTo::Bibtex => match parsed.papers {
            Some(papers) => bibtex::write(&papers),
            None => {
                let parsed = source::parse(report::write(&parsed.report).as_bytes())?;
                let papers: Vec<Paper> = parsed.items.into_iter().map(|item| item.paper).collect();
                bibtex::write(&papers)
            }
        },
    })
}

struct Converted {
    report: Report,
    papers: Option<Vec<Paper>>,
}

fn entry_of(paper: &Paper) -> report::Entry {
    report::Entry {
        title: paper.title().to_owned(),
        brief: brief::compose(paper, Lang::Zh).map(|b| b.text).unwrap_or_default(),
        institutions: paper.institutions().join(", "),
        author_count: Some(paper.author_count().unwrap_or(0)),
        abstract_text: paper.abstract_text().to_owned(),
        ..report::Entry::default()
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin()
            .read_to_end(&mut bytes)
            .context("standard input cannot be read")?;
        return Ok(bytes);
    }
    if file.is_dir() {
        bail!("{} is a folder; name the files in it", file.display());
    }
    std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// Says something that is no part of the output.
#[expect(clippy::print_stderr, reason = "who waits is told why")]
fn note(text: &str) {
    eprintln!("paperwire: {text}");
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // A reader that closed the pipe has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("standard output cannot be written"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_channel_says_why_and_who_set_it_up() {
        let paused = ChannelStatus {
            place: "telegram:-100".parse().unwrap(),
            next_due: Some(clock::now()),
            paused: Some("Forbidden: bot was kicked".to_owned()),
            owner: Some("1001".to_owned()),
        };
        assert_eq!(
            status_line(&paused),
            "telegram:-100 (set up by 1001): silent: Forbidden: bot was kicked\n"
        );
        let unknown = ChannelStatus {
            paused: None,
            next_due: None,
            owner: None,
            ..paused
        };
        assert_eq!(status_line(&unknown), "telegram:-100: nothing scheduled\n");
    }
}
