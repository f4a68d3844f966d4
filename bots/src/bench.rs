//! `paperwire bench`: how well the promises are kept that can be measured, each beside a bound or a peer that is measured
//! in the same run, so that the ratios hold on any machine. Everything happens in a temporary folder (`TMPDIR` chooses
//! where) against fake platforms on loopback; nothing is left behind.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Subcommand, ValueEnum};

pub mod delivery;
pub mod fake;
pub mod intake;
pub mod packing;
mod papers;
pub mod queue;
pub mod search;
mod virtual_time;

/// What can be measured.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Send digests to fake platforms with the real limits, in virtual time and over loopback: makespan, refusals, CPU,
    /// memory, answers to people.
    Delivery(delivery::Options),
    /// Durable jobs through the storage thread beside a raw append log.
    Queue(queue::Options),
    /// How full the messages of digests are.
    Packing,
    /// Take a month of papers in, matched and indexed, in one run.
    Intake(intake::Options),
    /// Full-text search over invented papers: how fast, how large.
    Search(search::Options),
    /// Be the fake platforms until standard input ends; prints the address.
    #[command(hide = true)]
    Fake {
        /// Where.
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// What they allow.
        #[command(flatten)]
        rules: fake::Rules,
    },
}

/// Which platforms take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Platforms {
    /// Telegram alone.
    Telegram,
    /// Discord alone.
    Discord,
    /// Both at once.
    Both,
}

/// Measures; the text to print.
///
/// # Errors
/// When something could not be run at all; a bad figure is no error.
pub async fn run(bench: Bench) -> anyhow::Result<String> {
    match bench {
        Bench::Delivery(options) => Ok(delivery::run(&options).await?.to_string()),
        Bench::Queue(options) => Ok(queue::run(&options).await?.to_string()),
        Bench::Packing => Ok(packing::report()?),
        Bench::Intake(options) => Ok(intake::run(&options).await?.to_string()),
        Bench::Search(options) => Ok(search::run(&options).await?.to_string()),
        Bench::Fake { listen, rules } => fake::serve(listen, rules).await.map(|()| String::new()),
    }
}

/// One measured figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What it is.
    pub figure: String,
    /// What was measured.
    pub measured: String,
    /// What bounds it, or what a peer reached, in the same run.
    pub bound: String,
    /// The one by the other.
    pub ratio: Option<f64>,
    /// What it should be.
    pub aim: &'static str,
}

impl Row {
    /// A figure that speaks for itself.
    pub fn plain(figure: impl Into<String>, measured: impl fmt::Display, aim: &'static str) -> Self {
        Self {
            figure: figure.into(),
            measured: measured.to_string(),
            bound: String::new(),
            ratio: None,
            aim,
        }
    }

    /// A figure beside its bound. `ratio` is left out where the bound is nothing.
    pub fn against(
        figure: impl Into<String>,
        (measured, text): (f64, String),
        (bound, bound_text): (f64, String),
        aim: &'static str,
    ) -> Self {
        Self {
            figure: figure.into(),
            measured: text,
            bound: bound_text,
            ratio: (bound > 0.0).then_some(measured / bound),
            aim,
        }
    }
}

/// Figures as a table of plain text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table(pub Vec<Row>);

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["figure", "measured", "bound or peer", "ratio", "aim"].map(str::to_owned);
        let mut lines = vec![head];
        lines.extend(self.0.iter().map(|row| {
            let ratio = row.ratio.map(|ratio| format!("{ratio:.3}")).unwrap_or_default();
            [
                row.figure.clone(),
                row.measured.clone(),
                row.bound.clone(),
                ratio,
                row.aim.to_owned(),
            ]
        }));
        write_columns(f, &lines)
    }
}

/// Lines of cells, the columns below one another.
fn write_columns<const N: usize>(f: &mut impl fmt::Write, lines: &[[String; N]]) -> fmt::Result {
    let mut widths = [0; N];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    for line in lines {
        let cells: Vec<String> = line
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        writeln!(f, "{}", cells.join(" | ").trim_end())?;
    }
    Ok(())
}

/// A folder that is gone when this is.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A fresh one; `name` tells apart those of one process.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(name: &str) -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("paperwire-bench-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "the benchmark's folder stays");
        }
    }
}

/// The processor time that this process has used so far.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// The most memory that a process has had, in MiB (`VmHWM`, proc(5)); `None` where the system has no such file.
fn peak_memory(pid: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1_024.0)
}

/// The value below which `share` of the values lie; sorts them. `None` when there are none.
fn percentile(values: &mut [i64], share: f64) -> Option<i64> {
    values.sort_unstable();
    let index = (values.len() as f64 * share).ceil() as usize;
    values.get(index.saturating_sub(1)).copied()
}

/// The most of these instants (in microseconds) that lie in any one second.
fn worst_second(instants: &[i64]) -> usize {
    const SECOND: i64 = 1_000_000;
    let mut sorted = instants.to_vec();
    sorted.sort_unstable();
    let mut from = 0;
    let mut worst = 0;
    for (index, &at) in sorted.iter().enumerate() {
        while sorted.get(from).is_some_and(|&first| first + SECOND <= at) {
            from += 1;
        }
        worst = worst.max(index + 1 - from);
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_second_is_any_second_and_not_one_of_the_clocks() {
        assert_eq!(worst_second(&[]), 0);
        assert_eq!(worst_second(&[0, 600_000, 900_000, 1_000_000, 1_500_000, 1_599_999]), 5);
        assert_eq!(worst_second(&[2_000_000, 1_000_000, 0]), 1);
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let mut values: Vec<i64> = (1..=100).rev().collect();
        assert_eq!(percentile(&mut values, 0.99), Some(99));
        assert_eq!(percentile(&mut values, 0.5), Some(50));
        assert_eq!(percentile(&mut [7], 0.99), Some(7));
        assert_eq!(percentile(&mut [], 0.5), None);
    }

    #[test]
    fn a_table_has_its_columns_below_one_another_and_no_ratio_to_nothing() {
        let rows = vec![
            Row::plain("lost", 0, "0"),
            Row::against("makespan", (10.2, "10.2 s".into()), (10.0, "10.0 s".into()), "≤ 1.02"),
            Row::against("none", (1.0, "1".into()), (0.0, "0".into()), ""),
        ];
        let expected = "\
figure   | measured | bound or peer | ratio | aim
lost     | 0        |               |       | 0
makespan | 10.2 s   | 10.0 s        | 1.020 | ≤ 1.02
none     | 1        | 0             |       |
";
        assert_eq!(Table(rows).to_string(), expected);
    }

    #[test]
    fn a_scratch_folder_is_gone_afterwards() {
        let scratch = Scratch::new("test").unwrap();
        let path = scratch.path().to_owned();
        std::fs::write(path.join("file"), "x").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }
}
