//! Searching an archive of invented papers in both languages. Words are drawn as in real texts: the commoner a word, the
//! oftener it comes (Zipf), so that a query meets words that half of the papers have beside words that one has.

use std::time::Duration;

use anyhow::anyhow;
use chrono::{DateTime, TimeDelta, Utc};
use paperwire_core::brief::{Brief, Origin};
use paperwire_core::locale::Lang;
use paperwire_core::paper::{Field, Paper, PaperId};
use paperwire_core::rule::{Expr, Scope, Term};
use paperwire_core::source::SourceKind;
use paperwire_core::text;
use tokio::time::Instant;

use super::{Row, Scratch, Table, percentile};
use crate::search::{Query, SearchIndex};

/// How many words the invented language has.
const VOCABULARY: f64 = 40_000.0;
/// The commonest words.
const COMMON: [&str; 40] = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "a",
    "we",
    "for",
    "model",
    "on",
    "with",
    "is",
    "that",
    "language",
    "learning",
    "data",
    "training",
    "method",
    "models",
    "large",
    "performance",
    "cache",
    "inference",
    "attention",
    "memory",
    "reasoning",
    "efficient",
    "network",
    "tokens",
    "decoding",
    "experts",
    "routing",
    "sparse",
    "quantization",
    "retrieval",
    "agents",
    "speculative",
    "kernel",
    "kv",
    "batching",
];
/// Words of Chinese abstracts, the commonest first.
const CHINESE: [&str; 32] = [
    "的",
    "模型",
    "我们",
    "方法",
    "语言",
    "在",
    "推理",
    "训练",
    "大",
    "数据",
    "性能",
    "和",
    "提出",
    "加速",
    "混合",
    "专家",
    "注意力",
    "缓存",
    "显存",
    "量化",
    "稀疏",
    "解码",
    "投机",
    "检索",
    "增强",
    "智能体",
    "长",
    "上下文",
    "路由",
    "内核",
    "调度",
    "并行",
];

/// What is measured.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Papers in the archive.
    #[arg(long, default_value_t = 100_000)]
    pub papers: u32,
    /// Searches of each kind.
    #[arg(long, default_value_t = 2_000)]
    pub queries: u32,
}

/// Invents the same things every time (xorshift64*).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// At least 0 and below 1.
    fn roll(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, end: usize) -> usize {
        (self.roll() * end as f64) as usize
    }

    /// A rank by Zipf's law: each power of the ranks is as likely as any other.
    fn rank(&mut self, ranks: f64) -> usize {
        ranks.powf(self.roll()) as usize - 1
    }

    fn word(&mut self) -> String {
        const SYLLABLES: [&str; 16] = [
            "ka", "ro", "mi", "te", "lun", "por", "sa", "ver", "no", "qui", "bel", "dra", "fo", "gen", "zu", "thi",
        ];
        let rank = self.rank(VOCABULARY);
        if let Some(word) = COMMON.get(rank) {
            return (*word).to_owned();
        }
        let mut rest = rank;
        let mut word = String::new();
        while rest > 0 {
            word.push_str(SYLLABLES.get(rest % 16).copied().unwrap_or_default());
            rest /= 16;
        }
        word
    }

    fn chinese(&mut self, words: usize) -> String {
        let ranks = CHINESE.len() as f64;
        let word = |_| CHINESE.get(self.rank(ranks)).copied().unwrap_or_default();
        (0..words).map(word).collect()
    }

    /// So many words; the commoner one is, the oftener it comes.
    pub(super) fn english(&mut self, words: usize) -> String {
        let words: Vec<String> = (0..words).map(|_| self.word()).collect();
        words.join(" ")
    }

    /// Abstracts of 180 words; one in ten papers is in Chinese, and half of the others have a Chinese brief.
    fn paper(&mut self, n: u32) -> Paper {
        let mut paper = Paper::new(PaperId::Arxiv(format!("2{:03}.{:05}", 101 + n / 20_000, n % 20_000)));
        let (title, abstract_text) = if n.is_multiple_of(10) {
            (self.chinese(8), format!("{}。{}。", self.chinese(40), self.chinese(40)))
        } else {
            (self.english(9), format!("{}. {}.", self.english(90), self.english(90)))
        };
        if n % 2 == 1 {
            paper.briefs.push(Brief {
                lang: Lang::Zh,
                origin: Origin::Imported,
                text: self.chinese(20),
            });
        }
        paper.title = Some(Field::new(title, SourceKind::ArxivMail));
        paper.abstract_text = Some(Field::new(abstract_text, SourceKind::ArxivMail));
        let category = ["cs.CL", "cs.LG", "cs.AI", "cs.DC", "stat.ML"].get(self.below(5));
        let category = category.copied().unwrap_or_default().to_owned();
        paper.categories = Some(Field::new(vec![category], SourceKind::ArxivMail));
        let author = self.english(2);
        paper.authors = Some(Field::new(vec![author], SourceKind::ArxivMail));
        paper
    }
}

/// Half of them, all but one in a hundred, and the slowest, took so many microseconds.
fn row(figure: &str, mut times: Vec<i64>, aim: &'static str) -> Row {
    let mut at = |share| percentile(&mut times, share).unwrap_or_default() as f64 / 1_000.0;
    let (p50, p99, most) = (at(0.5), at(0.99), at(1.0));
    Row::plain(
        format!("{figure}: p50, p99, most"),
        format!("{p50:.2}, {p99:.2}, {most:.2} ms"),
        aim,
    )
}

/// Measures.
///
/// # Errors
/// When the disk refuses, or a search has no answer.
pub async fn run(options: &Options) -> anyhow::Result<Table> {
    let scratch = Scratch::new("search")?;
    let search = SearchIndex::new(scratch.path());
    let latest = DateTime::from_timestamp(1_790_000_000, 0).unwrap_or_default();
    let papers = options.papers;
    let taken = move |n: u32| -> DateTime<Utc> { latest - TimeDelta::minutes(i64::from(papers - n) * 5) };
    let before = memory();
    let begun = Instant::now();
    let filled = search.clone();
    let size = tokio::task::spawn_blocking(move || {
        let mut dice = Dice(7);
        filled.fill(&mut (0..papers).map(|n| (dice.paper(n), taken(n))))
    });
    let size = size.await?.map_err(|error| anyhow!(error))?;
    let building = begun.elapsed();
    let peak = super::peak_memory("self").unwrap_or_default();
    let filled = memory();
    let mut rows = vec![
        Row::plain(
            format!("{papers} papers indexed in"),
            format!("{:.1} s", building.as_secs_f64()),
            "",
        ),
        Row::plain("index on disk", format!("{:.0} MB", size as f64 / 1e6), ""),
    ];
    let known: Vec<Paper> = {
        let mut dice = Dice(7);
        let step = usize::try_from(papers / options.queries.max(1)).unwrap_or(1).max(1);
        (0..papers).map(|n| dice.paper(n)).step_by(step).collect()
    };
    let mut dice = Dice(11);
    let mut all = Vec::new();
    for (kind, aim) in [
        (Kind::All, "≤ 0.3, 2"),
        (Kind::Any, ""),
        (Kind::Phrase, ""),
        (Kind::Chinese, ""),
        (Kind::Filtered, ""),
    ] {
        let mut times = Vec::new();
        for paper in &known {
            let expr = kind.query(&mut dice, paper, taken(papers / 2));
            times.push(timed(&search, expr).await?);
        }
        all.extend(times.iter().copied());
        rows.push(row(kind.name(), times, aim));
    }
    rows.push(row("every search above", all, "≤ 0.3, 2"));
    let mut times = Vec::new();
    for pattern in ["kv.?cache", "(tokens|experts) routing", "attention of the"] {
        times.push(timed(&search, Expr::Term(Term::Regex(pattern.to_owned()))).await?);
    }
    rows.push(row("regular expression over everything", times, "≤ 300"));
    let mut times = Vec::new();
    for paper in &known {
        let (paper, begun) = (paper.clone(), Instant::now());
        search.similar(paper, 5).await?;
        times.push(micros(begun.elapsed()));
    }
    rows.push(row("similar papers", times, ""));
    let mut times = Vec::new();
    for (n, paper) in known.iter().enumerate() {
        let typed: String = match n % 4 {
            0 => paper.id.bare().chars().take(1 + dice.below(8)).collect(),
            _ => paper.title().chars().take(1 + dice.below(20)).collect(),
        };
        let begun = Instant::now();
        search.complete(typed, 25).await?;
        times.push(micros(begun.elapsed()));
    }
    rows.push(row("autocompletion", times, "≤ 100"));
    let after = memory();
    for (figure, (own, mapped)) in [
        ("memory before: own, of files", before),
        ("memory with the index built", filled),
        ("memory after the searches", after),
    ] {
        rows.push(Row::plain(figure, format!("{own:.0}, {mapped:.0} MiB"), ""));
    }
    rows.push(Row::plain("peak memory", format!("{peak:.0} MiB"), ""));
    Ok(Table(rows))
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

async fn timed(search: &SearchIndex, expr: Expr) -> anyhow::Result<i64> {
    let zone = chrono_tz::Tz::UTC;
    let begun = Instant::now();
    search.query(Query { expr, zone }, 10, 0).await?;
    Ok(micros(begun.elapsed()))
}

/// What people search for.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// One to three words of a title.
    All,
    /// Three words of a title, of which one will do.
    Any,
    /// Two words of a title, as written.
    Phrase,
    /// Two Chinese words in a row.
    Chinese,
    /// Two words, in one category, of the newer half.
    Filtered,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::All => "1–3 words, all of them",
            Self::Any => "3 words, any of them",
            Self::Phrase => "a phrase",
            Self::Chinese => "a Chinese phrase",
            Self::Filtered => "2 words, a category and days",
        }
    }

    fn query(self, dice: &mut Dice, paper: &Paper, half: DateTime<Utc>) -> Expr {
        let words: Vec<&str> = paper.title().split(' ').collect();
        let at = dice.below(words.len().saturating_sub(2).max(1));
        let some = |count: usize| words.iter().skip(at).take(count).copied().collect::<Vec<_>>();
        let term = |text: &str, quoted| {
            Expr::Term(Term::Words {
                scope: Scope::Anywhere,
                text: text::fold(text),
                quoted,
            })
        };
        let all = |words: Vec<&str>| Expr::And(words.into_iter().map(|word| term(word, false)).collect());
        match self {
            Self::All => all(some(1 + dice.below(3))),
            Self::Any => Expr::Or(some(3).into_iter().map(|word| term(word, false)).collect()),
            Self::Phrase => term(&some(2).join(" "), true),
            Self::Chinese => term(&dice.chinese(2), false),
            Self::Filtered => {
                let category = Term::Category {
                    archive: "cs".to_owned(),
                    class: Some("CL".to_owned()),
                };
                let days = Term::From(half.date_naive());
                Expr::And(vec![all(some(2)), Expr::Term(category), Expr::Term(days)])
            }
        }
    }
}

/// How much memory the process has: its own, and that of files it has mapped, which the system takes back when it needs
/// it, in MiB (`RssAnon` and `RssFile`, proc(5)).
fn memory() -> (f64, f64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib: Option<f64> = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
        kib.unwrap_or_default() / 1_024.0
    };
    (of("RssAnon:"), of("RssFile:"))
}
