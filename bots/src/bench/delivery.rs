//! First the delivery path at full size in virtual time, which takes seconds. Then, if asked for, the whole program against
//! fake platforms with the real limits: one digest for every channel, sent to the end. Start-up, storage, rendering, HTTP:
//! nothing is left out, and nothing of the fake platforms is counted, which run in a process of their own and are the judge.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use paperwire_config::Config;
use paperwire_core::channel::{Place, Platform, Style};
use paperwire_core::locale::Lang;
use paperwire_core::message::{Part, Render as _};
use paperwire_core::pipeline::Extent;
use serde::Deserialize;
use teloxide::Bot;
use teloxide::adaptors::throttle::{Limits, Throttle};
use teloxide::payloads::SendMessageSetters as _;
use teloxide::requests::Requester as _;
use teloxide::types::{ChatId, MessageEntity};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::fake::{Counts, FakeProcess, Rules, Seen};
use super::packing::{self, Issue};
use super::{Platforms, Row, Scratch, Table, cpu_time, papers, peak_memory, percentile, virtual_time, worst_second};
use crate::app::{App, Base};
use crate::folder::Folder;
use crate::render::Renderers;
use crate::service::{Request, Response};
use crate::{clock, http};

/// Telegram's limit with paid broadcasts (Bot API, sendMessage, `allow_paid_broadcast`).
pub(super) const PAID: u32 = 1_000;
/// No part has more papers than this.
const MOST_IN_A_PART: usize = 24;
/// The most channels that share the waiting deliveries.
const WAITING_CHANNELS: u32 = 10_000;
/// How often a person asks while the bulk is sent.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// What is measured.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Channels on each platform in virtual time.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub channels: u32,
    /// Also send to so many channels on each platform over loopback, in real time.
    #[arg(long, default_value_t = 0, value_name = "CHANNELS", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub loopback: u32,
    /// Parts of the digest that each of them gets.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=30))]
    pub parts: u32,
    /// Which platforms.
    #[arg(long, value_enum, default_value = "both")]
    pub platform: Platforms,
    /// The time from a request to its answer.
    #[arg(long, default_value_t = 60)]
    pub latency_ms: u64,
    /// In virtual time each way takes up to so much longer than half of that.
    #[arg(long, default_value_t = 5)]
    pub jitter_ms: u64,
    /// Messages a second over loopback, for the fake platforms and for Paperwire [default: 30 on Telegram, 50 on Discord].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub rate: Option<u32>,
    /// Give each run up after so long; what has not arrived by then counts as lost.
    #[arg(long, default_value_t = 300)]
    pub seconds_at_most: u64,
    /// Also send one message to each of so many chats at Telegram's paid rate.
    #[arg(long, default_value_t = 0, value_name = "CHATS")]
    pub paid: u32,
    /// Also start the program with so many deliveries waiting.
    #[arg(long, default_value_t = 0, value_name = "DELIVERIES")]
    pub waiting: u32,
}

/// A platform with its channels.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    pub(super) platform: Platform,
    pub(super) rate: u32,
    pub(super) channels: u32,
    pub(super) parts: u32,
    /// Papers that make so many parts.
    pub(super) papers: usize,
}

impl Lane {
    /// What its channels follow.
    fn phrase(&self) -> String {
        format!("{} lane", self.platform)
    }

    /// Parts for all of its channels.
    pub(super) fn messages(&self) -> u64 {
        u64::from(self.channels) * u64::from(self.parts)
    }

    pub(super) fn place(&self, n: u32) -> Place {
        match self.platform {
            Platform::Telegram | Platform::Web => Place::telegram(chat(n), None),
            Platform::Discord => Place::discord(100_000_000_000_000_000 + u64::from(n)),
        }
    }

    /// The least time from the first to the last of so many messages at an even pace: the bot's limit, and the limit of one
    /// chat for the parts of its digest (one a second and 20 a minute in a group of Telegram, 5 in 5 s on Discord).
    fn bound(&self, messages: usize) -> f64 {
        let all = (messages as f64 - 1.0) / f64::from(self.rate);
        let parts = self.parts.saturating_sub(1);
        let one = match self.platform {
            Platform::Telegram | Platform::Web => f64::from(parts.max(parts / 20 * 60)),
            Platform::Discord => f64::from(parts / 5 * 5),
        };
        all.max(one).max(0.0)
    }

    fn counts(&self, seen: &Seen) -> Counts {
        match self.platform {
            Platform::Telegram | Platform::Web => seen.telegram.clone(),
            Platform::Discord => seen.discord.clone(),
        }
    }
}

/// A supergroup's id.
fn chat(n: u32) -> i64 {
    -1_002_000_000_000 - i64::from(n)
}

/// One run of the program to the end of its queue.
struct Run {
    seen: Seen,
    /// From the first message on.
    cpu: Duration,
    /// How many messages had arrived by then.
    first: u64,
}

/// Measures.
///
/// # Errors
/// When something cannot be started at all.
pub async fn run(options: &Options) -> anyhow::Result<Table> {
    let at_most = Duration::from_secs(options.seconds_at_most);
    let simulated = virtual_time::Options {
        channels: options.channels,
        parts: options.parts,
        platform: options.platform,
        latency: Duration::from_millis(options.latency_ms),
        jitter: Duration::from_millis(options.jitter_ms),
    };
    let mut rows = tokio::task::spawn_blocking(move || virtual_time::run(&simulated)).await??;
    if options.loopback > 0 {
        rows.extend(loopback(options, at_most).await?);
    }
    if options.paid > 0 {
        rows.push(paid(options, at_most).await?);
    }
    if options.waiting > 0 {
        rows.extend(waiting(options, at_most).await?);
    }
    rows.extend(packed()?);
    Ok(Table(rows))
}

/// The whole program with real clocks and sockets.
async fn loopback(options: &Options, at_most: Duration) -> anyhow::Result<Vec<Row>> {
    let lanes = lanes(options.platform, options.loopback, options.parts, options.rate)?;
    let rules = rules(options, 0.0);
    let mut rows = Vec::new();

    let plain = through(&lanes, rules, at_most, false).await?;
    let peak = peak_memory("self");
    rows.extend(lanes.iter().map(|lane| makespan(lane, &plain.seen)));
    let again = through(&lanes, rules, at_most, true).await?;
    rows.extend(lanes.iter().flat_map(|lane| {
        let worst = |what: &str, run: &Run| {
            let worst = worst_second(&lane.counts(&run.seen).arrivals) as f64;
            let bound = (f64::from(lane.rate), format!("{}/s", lane.rate));
            let figure = format!("{}: worst second ÷ limit{what}", lane.platform);
            Row::against(figure, (worst, format!("{worst}/s")), bound, "≤ 1.0")
        };
        [worst("", &plain), worst(", with a restart", &again)]
    }));
    for (what, run) in [("", &plain), (", with a restart", &again)] {
        let total = run.seen.total();
        let wanted: u64 = lanes.iter().map(Lane::messages).sum();
        let messages = total.arrivals.len();
        rows.push(Row::plain(
            format!("answered with 429{what}"),
            format!("{} of {messages}", total.refused),
            "0",
        ));
        rows.push(Row::plain(
            format!("lost{what}"),
            format!("{} of {wanted}", wanted.saturating_sub(total.parts)),
            "0",
        ));
        rows.push(Row::plain(
            format!("twice{what}"),
            format!("{} of {wanted}", total.twice),
            "0",
        ));
    }
    rows.extend(answers(&plain.seen, options.parts));
    if let Some(lane) = lanes.iter().find(|lane| lane.platform == Platform::Telegram) {
        let peer = throttle(lane, self::rules(options, 2.0), at_most).await?;
        let per_thousand = |run: &Run| {
            let arrivals = u64::try_from(run.seen.total().arrivals.len()).unwrap_or(u64::MAX);
            let thousands = arrivals.saturating_sub(run.first) as f64 / 1_000.0;
            let seconds = run.cpu.as_secs_f64() / thousands.max(1e-9);
            (seconds, format!("{seconds:.3} s"))
        };
        rows.push(Row::against(
            "CPU for 1000 messages ÷ teloxide's Throttle in memory",
            per_thousand(&plain),
            per_thousand(&peer),
            "≤ 2",
        ));
        rows.extend(throttled(lane, &peer));
    }
    rows.extend(peak.map(|mib| {
        let channels: u32 = lanes.iter().map(|lane| lane.channels).sum();
        Row::plain(
            format!("peak memory, {channels} channels, this benchmark in it"),
            format!("{mib:.1} MiB"),
            "≤ 64 MB, then ≤ 32 MB",
        )
    }));
    Ok(rows)
}

/// What the peer reached; no aim of ours.
fn throttled(lane: &Lane, run: &Run) -> [Row; 2] {
    let arrivals = &run.seen.telegram.arrivals;
    let limit = f64::from(lane.rate);
    let worst = worst_second(arrivals) as f64;
    let bound = (arrivals.len() as f64 / limit - 1.0).max(0.0);
    let took = span(arrivals);
    [
        Row::against(
            format!("(teloxide's Throttle: makespan of {} messages)", arrivals.len()),
            (took, format!("{took:.2} s")),
            (bound, format!("{bound:.2} s")),
            "",
        ),
        Row::against(
            "(teloxide's Throttle: worst second ÷ limit)",
            (worst, format!("{worst}/s")),
            (limit, format!("{limit}/s")),
            "",
        ),
    ]
}

fn rules(options: &Options, burst_seconds: f64) -> Rules {
    Rules {
        telegram_rate: f64::from(options.rate.unwrap_or(30)),
        discord_rate: f64::from(options.rate.unwrap_or(50)),
        burst_seconds,
        latency_ms: options.latency_ms,
    }
}

pub(super) fn lanes(
    platforms: Platforms,
    channels: u32,
    parts: u32,
    rate_of_all: Option<u32>,
) -> anyhow::Result<Vec<Lane>> {
    let all = [
        (Platform::Telegram, platforms != Platforms::Discord, 30),
        (Platform::Discord, platforms != Platforms::Telegram, 50),
    ];
    let chosen = all.into_iter().filter(|(_, chosen, _)| *chosen);
    chosen
        .map(|(platform, _, rate)| {
            let mut lane = Lane {
                platform,
                rate: rate_of_all.unwrap_or(rate),
                channels,
                parts,
                papers: 0,
            };
            lane.papers = papers_for(&lane)?;
            Ok(lane)
        })
        .collect()
}

/// How many papers make a digest of so many parts: the middle of those that do, since a digest in the store says a
/// little more about itself than one that was made up.
fn papers_for(lane: &Lane) -> anyhow::Result<usize> {
    let parts = usize::try_from(lane.parts)?;
    let made = |papers: usize| -> anyhow::Result<usize> { Ok(rendered(lane, papers)?.len()) };
    // More papers never make fewer parts.
    let first_with = |wanted: usize| -> anyhow::Result<usize> {
        let (mut low, mut high) = (1, wanted * MOST_IN_A_PART);
        while low < high {
            let middle = (low + high) / 2;
            if made(middle)? >= wanted {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(low)
    };
    let papers = (first_with(parts)? + first_with(parts + 1)? - 1) / 2;
    ensure!(
        made(papers)? == parts,
        "no digest has {parts} parts on {}",
        lane.platform
    );
    Ok(papers)
}

pub(super) fn rendered(lane: &Lane, papers: usize) -> anyhow::Result<Vec<Part>> {
    let issue = Issue::invented(papers, &lane.phrase())?;
    Ok(Renderers.render(lane.platform, &issue.message(Style::Compact, Lang::En)))
}

/// The configuration of bots with these lanes' limits, without any channel.
pub(super) fn bots(lanes: &[Lane], url: &str) -> String {
    let mut text = "[web]\nenabled = false\n".to_owned();
    for lane in lanes {
        let rate = lane.rate;
        let _ = match lane.platform {
            Platform::Telegram | Platform::Web => writeln!(
                text,
                "[telegram]\ntoken = \"1:bench\"\napi_url = \"{url}\"\nmessages_per_second = {rate}"
            ),
            Platform::Discord => writeln!(
                text,
                "[discord]\ntoken = \"bench\"\napi_url = \"{url}\"\nrequests_per_second = {rate}"
            ),
        };
    }
    text
}

/// The configuration that sends these lanes to the fake platforms.
fn config(lanes: &[Lane], url: &str) -> String {
    let mut text = bots(lanes, url);
    for lane in lanes {
        for n in 0..lane.channels {
            let (place, phrase) = (lane.place(n), lane.phrase());
            let _ = writeln!(
                text,
                "[[channel]]\nplace = \"{place}\"\nkeywords = [\"{phrase}\"]\nschedule = \"off\""
            );
        }
    }
    text
}

pub(super) fn parsed(text: &str) -> anyhow::Result<Config> {
    Ok(Config::parse(
        text,
        "the benchmark's configuration",
        &std::collections::BTreeMap::new(),
    )?)
}

/// Fills a data folder: the papers, and for every channel as many digests; the first has the papers, the others none.
async fn fill(data: &Path, config: &Config, lanes: &[Lane], digests: u32) -> anyhow::Result<()> {
    let base = Base::open(Folder::own(data)?, config, Extent::Whole).await?;
    let phrases: Vec<String> = lanes.iter().map(Lane::phrase).collect();
    let wanted: Vec<(&str, usize)> = phrases
        .iter()
        .map(String::as_str)
        .zip(lanes.iter().map(|l| l.papers))
        .collect();
    let mailing = papers::mailing(&wanted).into_bytes();
    base.service().ingest("the invented mailing", mailing).await?;
    for _ in 0..digests {
        if let Response::Failed(why) = base.service().handle(Request::Post { places: Vec::new() }).await {
            bail!(why);
        }
    }
    base.close().await
}

/// Publishes one digest for all channels of all lanes and has it sent, in the middle of it with a restart if wanted, else
/// with people asking.
async fn through(lanes: &[Lane], rules: Rules, at_most: Duration, restart: bool) -> anyhow::Result<Run> {
    let scratch = Scratch::new(if restart { "restart" } else { "plain" })?;
    let fake = FakeProcess::start(rules)?;
    let config = parsed(&config(lanes, &fake.url()))?;
    fill(scratch.path(), &config, lanes, 1).await?;

    let wanted: u64 = lanes.iter().map(Lane::messages).sum();
    let until = Instant::now() + at_most;
    let mut running = Running::start(&config, scratch.path()).await?;
    // A start costs the same for one message and for a million.
    let first = fake.wait(1, at_most).await?;
    let before = cpu_time();
    if restart {
        fake.wait(wanted / 2, at_most).await?;
        running.stop().await?;
        running = Running::start(&config, scratch.path()).await?;
    }
    let asked = lanes
        .iter()
        .find(|lane| lane.platform == Platform::Telegram && !restart);
    let mut questions = 0_u32;
    while Instant::now() < until && !running.task.is_finished() {
        let pause = if asked.is_some() {
            ASK_EVERY
        } else {
            Duration::from_secs(5)
        };
        let pause = pause.min(until.saturating_duration_since(Instant::now()));
        if fake.wait(wanted, pause).await? >= wanted {
            break;
        }
        if let Some(lane) = asked {
            // Spread over the channels, with no chat asked twice in a row.
            fake.ask(chat(questions.wrapping_mul(7) % lane.channels)).await?;
            questions += 1;
        }
    }
    // An answer that was asked for last is under way.
    let cpu = cpu_time() - before;
    running.stop().await?;
    let seen = fake.seen().await?;
    Ok(Run { seen, cpu, first })
}

/// The program while it runs.
struct Running {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Running {
    async fn start(config: &Config, data: &Path) -> anyhow::Result<Self> {
        let app = App::build(config, data.to_owned()).await?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(app.run_until(stop.clone()));
        Ok(Self { stop, task })
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.task.await?
    }
}

/// From the first to the last message.
pub(super) fn span(arrivals: &[i64]) -> f64 {
    let (first, last) = (arrivals.iter().min(), arrivals.iter().max());
    first.zip(last).map_or(0.0, |(first, last)| (last - first) as f64 / 1e6)
}

fn makespan(lane: &Lane, seen: &Seen) -> Row {
    let arrivals = lane.counts(seen).arrivals;
    let (took, bound) = (span(&arrivals), lane.bound(arrivals.len()));
    Row::against(
        format!(
            "{}: makespan of {} messages ÷ lower bound",
            lane.platform,
            arrivals.len()
        ),
        (took, format!("{took:.2} s")),
        (bound, format!("{bound:.2} s")),
        "≤ 1.02",
    )
}

/// How long people waited while the bulk was sent. A chat's own slot is a second; a question falls anywhere into one.
fn answers(seen: &Seen, parts: u32) -> Option<Row> {
    let mut waited = seen.telegram.answers.clone();
    let p99 = percentile(&mut waited, 0.99)? as f64 / 1e6;
    let (answered, open) = (waited.len(), seen.telegram.unanswered);
    Some(Row::against(
        format!("a person's answer in a chat with {parts} parts, p99 of {answered} ({open} open) ÷ the chat's slot"),
        (p99, format!("{p99:.3} s")),
        (1.0, "1 s".to_owned()),
        "≤ 2",
    ))
}

/// The same messages through teloxide's limiter, which keeps everything in memory: one task for each chat.
async fn throttle(lane: &Lane, rules: Rules, at_most: Duration) -> anyhow::Result<Run> {
    #[derive(Deserialize)]
    struct Body {
        text: String,
        #[serde(default)]
        entities: Vec<MessageEntity>,
    }
    let bodies: Vec<Body> = rendered(lane, lane.papers)?
        .iter()
        .map(|part| serde_json::from_str(&part.payload))
        .collect::<Result<_, _>>()?;
    let bodies: std::sync::Arc<[Body]> = bodies.into();
    let fake = FakeProcess::start(rules)?;
    let bot = Bot::with_client("1:bench", http::client()?).set_api_url(fake.url().parse()?);
    let limits = Limits {
        messages_per_sec_overall: lane.rate,
        messages_per_min_channel_or_supergroup: 20,
        ..Limits::default()
    };
    let (bot, worker) = Throttle::new(bot, limits);
    let worker = tokio::spawn(worker);
    let mut chats = JoinSet::new();
    for n in 0..lane.channels {
        let (bot, bodies) = (bot.clone(), std::sync::Arc::clone(&bodies));
        chats.spawn(async move {
            for body in &*bodies {
                let message = bot
                    .send_message(ChatId(chat(n)), &body.text)
                    .entities(body.entities.clone());
                message.await.map_err(|error| error.to_string())?;
            }
            Ok::<(), String>(())
        });
    }
    let first = fake.wait(1, at_most).await?;
    let before = cpu_time();
    let all = async {
        while let Some(ended) = chats.join_next().await {
            if let Err(error) = ended? {
                tracing::warn!("teloxide's Throttle: {error}");
            }
        }
        anyhow::Ok(())
    };
    // What it has not sent by then it does not send; its processor time is for what it has.
    if let Ok(ended) = tokio::time::timeout(at_most, all).await {
        ended?;
    }
    let cpu = cpu_time() - before;
    worker.abort();
    let seen = fake.seen().await?;
    Ok(Run { seen, cpu, first })
}

/// One part to each of many chats at the rate that Telegram sells.
async fn paid(options: &Options, at_most: Duration) -> anyhow::Result<Row> {
    let lanes = lanes(Platforms::Telegram, options.paid, 1, Some(PAID))?;
    let rules = Rules {
        telegram_rate: f64::from(PAID),
        ..rules(options, 0.0)
    };
    let run = through(&lanes, rules, at_most, false).await?;
    let arrivals = run.seen.telegram.arrivals;
    let rate = arrivals.len().saturating_sub(1) as f64 / span(&arrivals).max(1e-9);
    let refused = run.seen.telegram.refused;
    Ok(Row::against(
        format!(
            "Telegram's paid lane, durable, {} messages, {refused} times 429",
            arrivals.len()
        ),
        (rate, format!("{rate:.0}/s")),
        (f64::from(PAID), format!("{PAID}/s")),
        "≥ 0.95",
    ))
}

/// The binary is started with deliveries waiting: the time from its start to its first message, and its memory.
async fn waiting(options: &Options, at_most: Duration) -> anyhow::Result<Vec<Row>> {
    let scratch = Scratch::new("waiting")?;
    let fake = FakeProcess::start(rules(options, 0.0))?;
    let channels = options.waiting.min(WAITING_CHANNELS);
    let digests = options.waiting.div_ceil(channels);
    let lane = Lane {
        platform: Platform::Telegram,
        rate: options.rate.unwrap_or(30),
        channels,
        parts: 1,
        papers: 1,
    };
    let lanes = [lane];
    let text = config(&lanes, &fake.url());
    fill(&scratch.path().join("data"), &parsed(&text)?, &lanes, digests).await?;
    let file = scratch.path().join("paperwire.toml");
    std::fs::write(&file, text)?;

    let mut command = Command::new(std::env::current_exe()?);
    command.arg("run").arg("--config").arg(&file).args(["--log", "error"]);
    command.arg("--data").arg(scratch.path().join("data"));
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let started = clock::now().timestamp_micros();
    let mut child = command.spawn().context("the program cannot be started")?;
    let arrived = fake.wait(1, at_most).await;
    let peak = peak_memory(&child.id().to_string());
    let _ = child.kill();
    let _ = child.wait();
    arrived?;
    let first = fake.seen().await?.telegram.arrivals.iter().min().copied();
    let first = first.context("nothing was sent in the time that was given")?;
    // A message travels half of the latency before it is seen.
    let on_the_way = Duration::from_millis(options.latency_ms) / 2;
    let took = (first - started) as f64 / 1e6 - on_the_way.as_secs_f64();
    let count = channels * digests;
    let mut rows = vec![Row::plain(
        format!("start of the process to its first message, {count} deliveries waiting in {channels} channels"),
        format!("{took:.3} s"),
        "≤ 0.3 s, then ≤ 0.15 s",
    )];
    rows.extend(peak.map(|mib| {
        Row::plain(
            format!("peak memory of that process, {count} deliveries waiting"),
            format!("{mib:.1} MiB"),
            "≤ 64 MB, then ≤ 32 MB",
        )
    }));
    Ok(rows)
}

fn packed() -> anyhow::Result<Vec<Row>> {
    let all = packing::measure()?;
    let Some((messages, fewest, worst)) = packing::summary(&all) else {
        return Ok(Vec::new());
    };
    let row = |figure: String, (messages, fewest): (usize, usize)| {
        let number = |n: usize| (n as f64, n.to_string());
        Row::against(figure, number(messages), number(fewest), "≤ 1.05")
    };
    let (papers, platform) = (worst.papers, worst.platform);
    Ok(vec![
        row(
            format!("messages of {} digests ÷ the fewest possible", all.len()),
            (messages, fewest),
        ),
        row(
            format!("the worst of them ({papers} papers on {platform}; `bench packing` has all)"),
            (worst.messages, worst.fewest),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_invented_digest_has_the_wanted_parts_on_both_platforms() {
        for lane in lanes(Platforms::Both, 1, 3, None).unwrap() {
            assert_eq!(rendered(&lane, lane.papers).unwrap().len(), 3, "{lane:?}");
        }
    }

    #[test]
    fn the_bound_is_the_bots_limit_or_that_of_one_chat() {
        let lane = Lane {
            platform: Platform::Telegram,
            rate: 30,
            channels: 1_000,
            parts: 3,
            papers: 1,
        };
        assert!((lane.bound(3_001) - 100.0).abs() < 1e-9);
        assert!((lane.bound(3) - 2.0).abs() < 1e-9);
    }
}
