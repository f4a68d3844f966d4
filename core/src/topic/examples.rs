//! What a topic is taught with: papers of which is known whether they were wanted. Past reports say it best: what a report
//! has of its day's mailing was wanted, and the rest of that mailing was read and was not.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::join;
use crate::paper::{Paper, PaperId};
use crate::source::{self, SourceError, SourceKind};

/// A paper of which is known whether it was wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The paper, as its mailing announced it.
    pub paper: Paper,
    /// Whether it was.
    pub wanted: bool,
}

/// The mailing of one day and what its reports chose of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// What people call it: its folder's name.
    pub name: String,
    /// The papers that could have been chosen, new ones and cross-lists, in the mailing's order.
    pub papers: Vec<Example>,
    /// The reports and what each of them contributed, in the order in which they were given.
    pub reports: Vec<Contribution>,
    /// How many items of the mailing could not be read.
    pub rejected: usize,
}

/// What one report contributed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contribution {
    /// The report's name.
    pub name: String,
    /// How many papers it has, empty ones too.
    pub entries: usize,
    /// Those of its papers that are candidates of the mailing; none where it was set aside.
    pub chosen: BTreeSet<PaperId>,
    /// The titles that were not found among them, or were empty.
    pub lost: Vec<String>,
    /// Whether it was set aside: of most of its entries nobody can tell which papers they are, so that what is not in
    /// it may have been wanted all the same.
    pub set_aside: bool,
}

/// Why a day cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DayError {
    /// One of its files cannot be read.
    #[error("{file}: {error}")]
    File {
        /// Its name.
        file: String,
        /// Why.
        error: SourceError,
    },
    /// One of its files is something else.
    #[error("{file}: this is {found}, and {wanted} was expected")]
    Kind {
        /// Its name.
        file: String,
        /// What it is.
        found: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// The mailing has nothing that could have been chosen.
    #[error("{file}: it announces no new paper")]
    Empty {
        /// The mailing's name.
        file: String,
    },
}

/// A file's name and its bytes.
pub type File<'a> = (&'a str, &'a [u8]);

impl Day {
    /// Joins the reports with their mailing. Of several reports the union counts.
    ///
    /// # Errors
    /// [`DayError`], which names the file.
    pub fn read(name: &str, mail: File<'_>, reports: &[File<'_>]) -> Result<Self, DayError> {
        let parsed = parse(mail, SourceKind::ArxivMail)?;
        let mut seen = HashSet::new();
        let mut papers: Vec<Example> = parsed
            .items
            .into_iter()
            .filter(|item| item.announcement.is_candidate() && seen.insert(item.paper.id.clone()))
            .map(|item| Example {
                paper: item.paper,
                wanted: false,
            })
            .collect();
        if papers.is_empty() {
            return Err(DayError::Empty {
                file: mail.0.to_owned(),
            });
        }
        let mut index: HashMap<u64, Vec<usize>> = HashMap::new();
        for (at, example) in papers.iter().enumerate() {
            for value in join::sketch(&example.paper) {
                index.entry(value).or_default().push(at);
            }
        }
        let mut contributions = Vec::with_capacity(reports.len());
        for report in reports {
            contributions.push(contribution(*report, &papers, &index)?);
        }
        let chosen: BTreeSet<&PaperId> = contributions.iter().flat_map(|report| &report.chosen).collect();
        for example in &mut papers {
            example.wanted = chosen.contains(&example.paper.id);
        }
        Ok(Self {
            name: name.to_owned(),
            papers,
            reports: contributions,
            rejected: parsed.rejected.len(),
        })
    }

    /// How many of its papers were wanted.
    pub fn wanted(&self) -> usize {
        self.papers.iter().filter(|example| example.wanted).count()
    }

    /// Whether it says anything: a day without a usable report would make all of its papers unwanted.
    pub fn is_usable(&self) -> bool {
        self.wanted() > 0
    }

    /// Whether both are of the same mailing: most of the smaller one's papers are in the other one, too.
    pub fn same_mailing(&self, other: &Self) -> bool {
        let ids: HashSet<&PaperId> = self.papers.iter().map(|example| &example.paper.id).collect();
        let shared = other.papers.iter().filter(|example| ids.contains(&example.paper.id));
        shared.count() * 2 > ids.len().min(other.papers.len())
    }
}

fn parse((file, bytes): File<'_>, wanted: SourceKind) -> Result<source::Parsed, DayError> {
    let parsed = source::parse(bytes).map_err(|error| DayError::File {
        file: file.to_owned(),
        error,
    })?;
    if parsed.source != wanted {
        return Err(DayError::Kind {
            file: file.to_owned(),
            found: parsed.source.name(),
            wanted: wanted.name(),
        });
    }
    Ok(parsed)
}

fn contribution(
    report: File<'_>,
    papers: &[Example],
    index: &HashMap<u64, Vec<usize>>,
) -> Result<Contribution, DayError> {
    let parsed = parse(report, SourceKind::Report)?;
    let mut contribution = Contribution {
        name: report.0.to_owned(),
        entries: parsed.items.len() + parsed.rejected.len(),
        chosen: BTreeSet::new(),
        lost: parsed.rejected.iter().map(|rejected| rejected.item.clone()).collect(),
        set_aside: false,
    };
    for item in parsed.items {
        let alike: BTreeSet<usize> = join::sketch(&item.paper)
            .iter()
            .filter_map(|value| index.get(value))
            .flatten()
            .copied()
            .collect();
        let alike: Vec<&Paper> = alike
            .into_iter()
            .filter_map(|at| papers.get(at))
            .map(|e| &e.paper)
            .collect();
        let alike = join::best(&item.paper, alike.iter().copied()).and_then(|at| alike.get(at).copied());
        let begun = || join::begun(&item.paper, papers.iter().map(|e| &e.paper)).and_then(|at| papers.get(at));
        match alike.or_else(|| begun().map(|e| &e.paper)) {
            Some(paper) => {
                contribution.chosen.insert(paper.id.clone());
            }
            None => contribution.lost.push(item.paper.title().to_owned()),
        }
    }
    if contribution.chosen.len() * 2 < contribution.entries {
        contribution.set_aside = true;
        contribution.chosen.clear();
    }
    Ok(contribution)
}
