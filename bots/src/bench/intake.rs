//! Taking a month of papers in as the running program does, in one run: mailings are parsed, joined with what is known,
//! matched under the shipped topics, written and made durable one after the other, while the search index follows the
//! store; then channels with rules of their own get their digests of all of it.
//!
//! The words of titles and abstracts are drawn as in real texts ([`super::search`]), with TeX and accents among them.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use paperwire_config::Config;
use paperwire_core::channel::Place;
use paperwire_core::pipeline::{self, Extent, Wanted};
use paperwire_core::rule::{Expr, Rule, Scope, Term};
use paperwire_core::source;
use paperwire_core::store::SledStore;
use paperwire_core::subscription::Subjects;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::papers::wrap;
use super::search::Dice;
use super::{Row, Scratch, Table, cpu_time};
use crate::clock;
use crate::ops::Ops;
use crate::queued::Queued;
use crate::render::Renderers;
use crate::search::{Query, SearchIndex};
use crate::service::Service;
use crate::storage::Storage;

/// How many papers a mailing has.
const MAILING: usize = 1_000;
/// How often it is looked whether the index is whole.
const GLANCE: Duration = Duration::from_millis(5);

/// What is measured.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Papers to take in.
    #[arg(long, default_value_t = 20_000)]
    pub papers: usize,
    /// Channels that get a digest of them.
    #[arg(long, default_value_t = 20)]
    pub channels: usize,
    /// Rules of each channel.
    #[arg(long, default_value_t = 50)]
    pub rules: usize,
    /// How long all of it may take, in seconds.
    #[arg(long, default_value_t = 20.0)]
    pub limit: f64,
}

/// A stretch of time, and of processor time.
#[derive(Debug, Clone, Copy)]
struct Spent {
    wall: Duration,
    cpu: Duration,
}

/// Since when something is measured.
struct Since(Instant, Duration);

impl Since {
    fn now() -> Self {
        Self(Instant::now(), cpu_time())
    }

    fn spent(&self) -> Spent {
        Spent {
            wall: self.0.elapsed(),
            cpu: cpu_time().saturating_sub(self.1),
        }
    }
}

impl Spent {
    fn tell(self) -> String {
        format!("{:.2} s ({:.2} s)", self.wall.as_secs_f64(), self.cpu.as_secs_f64())
    }
}

/// Measures.
///
/// # Errors
/// When the disk refuses, or what was taken in cannot be found.
pub async fn run(options: &Options) -> anyhow::Result<Table> {
    let Config { topics, defaults, .. } = Config::parse("", "the benchmark's configuration", &Default::default())?;
    let topics: Arc<[_]> = topics.into();
    let mut dice = Dice(5);
    let papers: Vec<Invented> = (0..options.papers).map(|n| Invented::new(&mut dice, n)).collect();
    let mails: Vec<String> = papers
        .chunks(MAILING)
        .enumerate()
        .map(|(n, of)| mailing(n, of))
        .collect();
    let channels = channels(options, &papers);

    let scratch = Scratch::new("intake")?;
    let store = Arc::new(SledStore::open(&scratch.path().join("store"))?);
    let (storage, thread) = Storage::start(store)?;
    let search = SearchIndex::new(scratch.path());
    let ops = Ops::new(clock::now());
    let service = Service::new(
        storage.clone(),
        Arc::clone(&topics),
        Queued::default(),
        Arc::new(Notify::new()),
        ops.clone(),
    )
    .searching(search.clone());
    let stop = CancellationToken::new();
    let following = tokio::spawn(
        search
            .clone()
            .run(storage.clone(), Arc::clone(&topics), ops, stop.clone()),
    );
    while search.status() == "being opened" {
        tokio::time::sleep(GLANCE).await;
    }

    let wanted: Vec<Wanted> = (1..)
        .zip(channels)
        .map(|(chat, subjects)| Wanted {
            place: Place::telegram(chat, None),
            settings: defaults.clone().settings(subjects),
        })
        .collect();
    let configured =
        storage.run(move |store| pipeline::configure_channels(store, &wanted, Extent::Whole, clock::now()).map(drop));
    configured.await?;

    let whole = Since::now();
    let (mut parsing, mut accepting, mut slowest) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let mut taken = 0;
    for (n, mail) in mails.into_iter().enumerate() {
        let begun = Instant::now();
        let bytes = mail.into_bytes();
        let (parsed, bytes) = tokio::task::spawn_blocking(move || (source::parse(&bytes), bytes)).await?;
        let read = begun.elapsed();
        let accepted = service.accept(&format!("mailing {n}"), bytes, parsed?).await?;
        taken += usize::try_from(accepted.papers_new)?;
        let both = begun.elapsed();
        parsing += read;
        accepting += both - read;
        slowest = slowest.max(both);
    }
    let taking = whole.spent();
    let coverage = search.coverage();
    let trailing = Since::now();
    while !is_whole(&search, options.papers) {
        tokio::time::sleep(GLANCE).await;
    }
    let trailing = trailing.spent();
    let publishing = Since::now();
    let of = Arc::clone(&topics);
    let published = storage.run(move |store| {
        let channels = store.channels()?;
        pipeline::publish_now(store, &of, &Renderers, channels, clock::now())
    });
    let published = published.await?;
    let publishing = publishing.spent();
    let all = whole.spent();

    ensure!(
        taken == options.papers,
        "{taken} of {} papers were taken in",
        options.papers
    );
    let entries: usize = published.digests.iter().map(|(_, entries)| entries).sum();
    for paper in papers.iter().step_by((options.papers / 20).max(1)) {
        let words = paper.title.split(' ').map(|word| term(word, false)).collect();
        let (expr, zone) = (Expr::And(words), chrono_tz::Tz::UTC);
        let page = search.query(Query { expr, zone }, 10, 0).await?;
        let found = page.hits.iter().any(|hit| hit.paper.bare() == paper.id);
        ensure!(found, "{} is not found by its title", paper.id);
    }
    stop.cancel();
    following.await?;
    storage.close();
    let joined = tokio::task::spawn_blocking(move || thread.join()).await?;
    joined.map_err(|_| anyhow!("the storage thread panicked"))?;

    let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
    let limit = options.limit;
    let papers = options.papers;
    let behind = papers.saturating_sub(usize::try_from(coverage.indexed).unwrap_or(papers));
    Ok(Table(vec![
        Row::plain(format!("{papers} papers parsed"), seconds(parsing), ""),
        Row::plain(
            format!("joined, matched under {} topics, written and durable", topics.len()),
            seconds(accepting),
            "",
        ),
        Row::plain(format!("the slowest {MAILING}"), seconds(slowest), ""),
        Row::plain("all taken in (processor, with the index meanwhile)", taking.tell(), ""),
        Row::plain(
            format!("the index, {behind} papers behind then, whole after"),
            trailing.tell(),
            "",
        ),
        Row::plain(
            format!(
                "{} rules of {} channels matched, {entries} papers posted",
                options.rules * options.channels,
                options.channels
            ),
            publishing.tell(),
            "",
        ),
        Row::against(
            "all of it",
            (all.wall.as_secs_f64(), all.tell()),
            (limit, format!("{limit} s")),
            "≤ 1",
        ),
    ]))
}

/// Whether everything can be found.
fn is_whole(search: &SearchIndex, papers: usize) -> bool {
    usize::try_from(search.coverage().indexed).is_ok_and(|indexed| indexed >= papers)
}

fn term(text: &str, quoted: bool) -> Expr {
    Expr::Term(Term::Words {
        scope: Scope::Anywhere,
        text: text.to_owned(),
        quoted,
    })
}

/// A paper that nobody wrote.
struct Invented {
    id: String,
    title: String,
    abstract_text: String,
}

impl Invented {
    fn new(dice: &mut Dice, n: usize) -> Self {
        let mut abstract_text = dice.english(90);
        if n.is_multiple_of(3) {
            abstract_text.push_str(" of $\\mathcal{O}(n \\log n)$ cost at $p < 10^{-3}$ after Est\\'evez");
        }
        abstract_text.push_str(". ");
        abstract_text.push_str(&dice.english(90));
        Self {
            id: format!("26{:02}.{:05}", 1 + n / 90_000, n % 90_000 + 1),
            title: dice.english(9),
            abstract_text,
        }
    }
}

/// A mailing of these papers; each has a window of its own.
fn mailing(n: usize, papers: &[Invented]) -> String {
    let rule = "-".repeat(78);
    let days = i64::try_from(n).unwrap_or_default();
    let from = DateTime::<Utc>::from_timestamp(1_769_968_800, 0).unwrap_or_default() + TimeDelta::days(days);
    let at = |at: DateTime<Utc>| at.format("%a %e %b %y %H:%M:%S GMT").to_string();
    let mut out = format!(
        "{rule}\n received from  {}  to  {}\n{rule}\n{rule}\n",
        at(from),
        at(from + TimeDelta::days(1))
    );
    for paper in papers {
        let id = &paper.id;
        let _ = write!(
            out,
            "\\\\\narXiv:{id}\nDate: Tue, 3 Feb 2026 04:27:57 GMT   (614kb)\n\nTitle: {}\nAuthors: Ana Est\\'evez (1), \
             Bo Li (1 and 2), Micha{{\\l}} Nowak (2), and Cy Vance (2)\n  ((1) Institute of Caches, (2) University of \
             Probes)\nCategories: cs.LG cs.AI cs.CL\nComments: 18 pages, 11 figures\n\\\\\n",
            paper.title
        );
        wrap(&mut out, &paper.abstract_text);
        let _ = writeln!(out, "\\\\ ( https://arxiv.org/abs/{id} ,  614kb)\n{rule}");
    }
    out
}

/// What the channels follow: as rules the phrases of titles, of words that few papers have.
fn channels(options: &Options, papers: &[Invented]) -> Vec<Subjects> {
    /// A word of so many letters is of the rarer ones, see [`Dice::english`].
    const RARE: usize = 8;
    let pairs = papers.iter().flat_map(|paper| {
        let words = paper.title.split(' ');
        words.clone().zip(words.skip(1))
    });
    let rare = pairs.filter(|(one, two)| one.len().min(two.len()) >= RARE);
    let mut rules = rare.filter_map(|(one, two)| Rule::parse(&format!("\"{one} {two}\"")).ok());
    (0..options.channels)
        .map(|_| Subjects::default().with_rules(rules.by_ref().take(options.rules)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_taken_in_is_found_and_posted_and_the_table_has_its_ratio() {
        let options = Options {
            papers: 60,
            channels: 2,
            rules: 3,
            limit: 1e6,
        };
        let Table(rows) = run(&options).await.unwrap();
        let last = rows.last().unwrap();
        assert!(last.ratio.is_some_and(|ratio| ratio > 0.0 && ratio < 1.0), "{last:?}");
        let posted = rows
            .iter()
            .find(|row| row.figure.starts_with("6 rules of 2 channels"))
            .unwrap();
        assert!(!posted.figure.ends_with(" 0 papers posted"), "{posted:?}");
    }
}
