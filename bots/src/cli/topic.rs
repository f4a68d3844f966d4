//! `paperwire topic`: teaching a topic with past reports, measuring it, and asking it why.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, anyhow};
use clap::Subcommand;
use paperwire_core::paper::{Paper, PaperId};
use paperwire_core::store::ModelStore;
use paperwire_core::topic::eval::{self, Evaluation, Figures, Plan, Summary};
use paperwire_core::topic::examples::{Day, Example};
use paperwire_core::topic::judge::{Judge, Question};
use paperwire_core::topic::learn::{self, Learned};
use paperwire_core::topic::{Matcher, Topic, Verdict};
use tokio::runtime::Handle;

use super::{Common, Failure, ask, config, print, unexpected};
use crate::model::{Client, Purpose};
use crate::service::{Request, Response, Which};
use crate::storage::Storage;
use crate::{clock, models, writer};

/// Of the wanted papers, the part that is to be kept unless something else is said.
const RECALL: f64 = 0.95;
/// How many weights of each direction `explain` shows.
const STRONGEST: usize = 20;
/// How many contributions `explain` shows of a paper.
const PARTS: usize = 40;

#[derive(Debug, Subcommand)]
pub(super) enum TopicCommand {
    /// Learn a ranking from examples and save it in the data folder.
    Train {
        /// The topic.
        topic: String,
        /// Folders of past days, each with mail.txt and its report_*.md.
        #[arg(long, value_name = "DAY", num_args = 1.., required_unless_present_any = ["ids", "votes"])]
        examples: Vec<PathBuf>,
        /// A file with an arXiv id a line, `-` before those that were not wanted; looked up in the days and the archive.
        #[arg(long, value_name = "FILE")]
        ids: Option<PathBuf>,
        /// Also learn from the archive's papers that readers voted on.
        #[arg(long)]
        votes: bool,
        /// The part of the wanted papers that is to be kept.
        #[arg(long, default_value_t = RECALL, value_name = "0-1")]
        recall: f64,
        /// Write the model here instead of into the data folder.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Measure the weighted terms and a learned ranking on days that its training did not see.
    Eval {
        /// The topic.
        topic: String,
        /// The days to test on, each a folder with mail.txt and its report_*.md.
        #[arg(long, value_name = "DAY", num_args = 1.., required = true)]
        examples: Vec<PathBuf>,
        /// The days to train on [default: for each day all the others].
        #[arg(long, value_name = "DAY", num_args = 1..)]
        train: Vec<PathBuf>,
        /// The part of the wanted papers that is to be kept.
        #[arg(long, default_value_t = RECALL, value_name = "0-1")]
        recall: f64,
        /// Ask the configured model about the borderline, and compare.
        #[arg(long)]
        judge: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show what was learnt, or term by term why a paper is ranked where it is.
    Explain {
        /// The topic.
        topic: String,
        /// The paper: an arXiv id or a link.
        paper: Option<String>,
        /// Look for the paper in these days' folders too, not only in the archive.
        #[arg(long, value_name = "DAY", num_args = 1..)]
        examples: Vec<PathBuf>,
    },
}

pub(super) async fn run(common: &Common, command: TopicCommand) -> Result<(), Failure> {
    match command {
        TopicCommand::Train {
            topic,
            examples,
            ids,
            votes,
            recall,
            out,
        } => {
            let (topic, data) = named(common, &topic)?;
            let recall = checked(recall)?;
            let days = days(&examples)?;
            let mut single = Vec::new();
            if let Some(file) = &ids {
                single.extend(from_ids(common, file, &days).await?);
            }
            if votes {
                single.extend(voted(common).await?);
            }
            let learned = learn::train(&topic, &days, &single, recall, clock::now())
                .map_err(|error| anyhow!("{}{error}", contributions(&days)))?;
            let file = out.unwrap_or_else(|| models::path(&data, &topic.id));
            let bytes = learned.write().map_err(anyhow::Error::from)?;
            models::save(&file, &bytes).with_context(|| format!("{} cannot be written", file.display()))?;
            let text = format!(
                "{}{}{}Saved in {} ({} KB). A running Paperwire uses it after its next start.\n",
                contributions(&days),
                about(&learned),
                heard(&single, ids.is_some() || votes),
                file.display(),
                bytes.len().div_ceil(1000)
            );
            Ok(print(&text)?)
        }
        TopicCommand::Eval {
            topic,
            examples,
            train,
            recall,
            judge,
            json,
        } => {
            let (topic, _) = named(common, &topic)?;
            let recall = checked(recall)?;
            let (tested, trained) = (days(&examples)?, days(&train)?);
            let measured = measured(&trained, recall, judge);
            let judge = if judge { Some(ModelJudge::of(common)?) } else { None };
            let given = !train.is_empty();
            let notes = contributions(tested.iter().chain(&trained));
            let names: Vec<String> = trained.iter().map(|day| day.name.clone()).collect();
            let named = topic.id.clone();
            // A judge waits for its answers, which only a thread that nobody else needs may.
            let evaluated = tokio::task::spawn_blocking(move || {
                let plan = Plan {
                    tested: &tested,
                    train: given.then_some(&trained),
                    single: &[],
                    recall,
                    judge: judge.as_ref().map(|judge| judge as &dyn Judge),
                };
                let evaluation = eval::evaluate(&topic, &plan);
                (evaluation, judge.and_then(|judge| judge.failure()))
            });
            let (evaluation, failure) = evaluated.await.map_err(anyhow::Error::from)?;
            let evaluation = evaluation.map_err(|error| anyhow!("{notes}{error}"))?;
            let notes = match failure {
                Some(failure) => format!("{notes}The judge did not answer every question, at first since: {failure}\n"),
                None => notes,
            };
            let text = if json {
                let mut value = serde_json::to_value(&evaluation).map_err(anyhow::Error::from)?;
                if let Some(object) = value.as_object_mut() {
                    object.insert("topic".to_owned(), named.0.into());
                    object.insert("recall".to_owned(), recall.into());
                    object.insert("train".to_owned(), names.into());
                    object.insert("measured".to_owned(), measured.lines().collect::<Vec<_>>().into());
                    object.insert("notes".to_owned(), notes.lines().collect::<Vec<_>>().into());
                }
                serde_json::to_string_pretty(&value).map_err(anyhow::Error::from)? + "\n"
            } else {
                notes + &measured + "\n" + &table(&evaluation) + COLUMNS
            };
            Ok(print(&text)?)
        }
        TopicCommand::Explain { topic, paper, examples } => {
            let (mut topic, data) = named(common, &topic)?;
            let file = models::path(&data, &topic.id);
            let learned = models::load(&file, &topic)
                .map_err(anyhow::Error::from)?
                .ok_or_else(|| {
                    anyhow!(
                        "topic “{}” was not taught: there is no {}; run: paperwire topic train {} --examples DAY…",
                        topic.id,
                        file.display(),
                        topic.id
                    )
                })?;
            let Some(paper) = paper else {
                return Ok(print(&(about(&learned) + &strongest(&learned)))?);
            };
            let id: PaperId = paper
                .parse()
                .map_err(|error| Failure::Usage(format!("{paper}: {error}")))?;
            let paper = find(common, std::slice::from_ref(&id), &days(&examples)?).await?.pop();
            let paper = paper.ok_or_else(|| {
                anyhow!(
                    "{id} is not in the archive; take in its mailing (paperwire ingest) or name its day: --examples DAY"
                )
            })?;
            let bias = learned.bias();
            topic.learned = Some(Arc::new(learned));
            Ok(print(&explained(&topic, &paper, bias))?)
        }
    }
}

/// The configured model as the one who decides the borderline. It has a budget of its own, the configured one, for each
/// run: the store's belongs to the Paperwire that may be running.
struct ModelJudge {
    client: Client,
    runtime: Handle,
    /// The client's notes live as long as it does.
    _store: Arc<ModelStore>,
    failure: Mutex<Option<String>>,
}

impl ModelJudge {
    fn of(common: &Common) -> Result<Self, Failure> {
        let (config, _) = config(common)?;
        let model = config.model.as_ref().ok_or_else(|| {
            Failure::Usage(
                "--judge needs a language model: give [model] with url and name in the configuration".to_owned(),
            )
        })?;
        let store = Arc::new(ModelStore::new());
        let (storage, _) = Storage::start(Arc::clone(&store) as _).context("no thread for the store")?;
        Ok(Self {
            client: writer::client(model, storage)?,
            runtime: Handle::current(),
            _store: store,
            failure: Mutex::new(None),
        })
    }

    /// Why it gave no answer for the first time, if ever it gave none.
    fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Judge for ModelJudge {
    fn ask(&self, question: &Question) -> Result<String, String> {
        let answered = self.runtime.block_on(self.client.chat(&question.ask(), Purpose::Any));
        answered.map(|reply| reply.text).map_err(|error| {
            let error = error.to_string();
            // Later ones say no more than that it is left alone since.
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            failure.get_or_insert_with(|| error.clone());
            error
        })
    }
}

fn checked(recall: f64) -> Result<f64, Failure> {
    if recall > 0.0 && recall <= 1.0 {
        return Ok(recall);
    }
    Err(Failure::Usage(format!(
        "--recall {recall}: a recall lies above 0 and is at most 1, such as {RECALL}"
    )))
}

/// The topic as the configuration has it, and the data folder.
fn named(common: &Common, name: &str) -> Result<(Topic, PathBuf), Failure> {
    let (config, data) = config(common)?;
    let known: Vec<&str> = config.topics.iter().map(|topic| topic.id.0.as_str()).collect();
    let missing = format!("there is no topic “{name}”; there are: {}", known.join(", "));
    let topic = config.topics.into_iter().find(|topic| topic.id.0 == name);
    Ok((topic.ok_or(Failure::Usage(missing))?, data))
}

fn days(folders: &[PathBuf]) -> anyhow::Result<Vec<Day>> {
    folders.iter().map(|folder| day(folder)).collect()
}

/// Reads a day's folder.
fn day(folder: &Path) -> anyhow::Result<Day> {
    const SHAPE: &str = "a day's folder holds mail.txt and report_*.md";
    let shown = folder.display();
    let mut reports = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("{shown} cannot be read; {SHAPE}"))? {
        let path = entry.with_context(|| format!("{shown} cannot be read"))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        if let Some(name) = name.filter(|name| name.starts_with("report_") && name.ends_with(".md")) {
            let bytes = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
            reports.push((name, bytes));
        }
    }
    reports.sort();
    let mail = folder.join("mail.txt");
    let mail = std::fs::read(&mail).with_context(|| format!("{} cannot be read; {SHAPE}", mail.display()))?;
    if reports.is_empty() {
        return Err(anyhow!("{shown}: there is no report_*.md in it; {SHAPE}"));
    }
    let name = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = name.file_name().unwrap_or(folder.as_os_str()).to_string_lossy();
    let reports: Vec<(&str, &[u8])> = reports
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .collect();
    Day::read(&name, ("mail.txt", &mail), &reports).with_context(|| shown.to_string())
}

/// What of the days' reports contributes less than they have.
fn contributions<'a>(days: impl IntoIterator<Item = &'a Day>) -> String {
    let mut out = String::new();
    for day in days {
        for report in &day.reports {
            let (day, name, found, of) = (&day.name, &report.name, report.chosen.len(), report.entries);
            if report.set_aside {
                out += &format!(
                    "{day}/{name}: contributes nothing, for most of its {of} entries it cannot be told which papers they are\n"
                );
            } else if found < of {
                out += &format!("{day}/{name}: {found} of {of} entries are papers of the mailing\n");
            }
        }
    }
    out
}

/// The papers of these ids that the days or the archive have.
async fn find(common: &Common, ids: &[PaperId], days: &[Day]) -> Result<Vec<Paper>, Failure> {
    let mut found: Vec<Paper> = Vec::new();
    let mut missing = Vec::new();
    for id in ids {
        let mut examples = days.iter().flat_map(|day| &day.papers);
        match examples.find(|example| example.paper.id == *id) {
            Some(example) => found.push(example.paper.clone()),
            None => missing.push(id.clone()),
        }
    }
    if !missing.is_empty() {
        let response = ask(common, vec![Request::Papers(Which::Ids(missing))]).await?;
        let Some(Response::Papers(papers)) = response.into_iter().next() else {
            return Err(unexpected());
        };
        found.extend(papers.into_iter().map(|(paper, _)| paper));
    }
    Ok(found)
}

/// Examples from a file of ids.
async fn from_ids(common: &Common, file: &Path, days: &[Day]) -> Result<Vec<Example>, Failure> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("{shown} cannot be read as UTF-8 text"))?;
    let ids = ids(&text).map_err(|why| Failure::Failed(anyhow!("{shown}: {why}")))?;
    let wanted: Vec<PaperId> = ids.iter().map(|(id, _)| id.clone()).collect();
    let papers = find(common, &wanted, days).await?;
    let mut examples = Vec::new();
    for (id, wanted) in ids {
        match papers.iter().find(|paper| paper.id == id) {
            Some(paper) => examples.push(Example {
                paper: paper.clone(),
                wanted,
            }),
            None => tracing::warn!("{shown}: {id} is neither in the days nor in the archive, and teaches nothing"),
        }
    }
    Ok(examples)
}

/// The ids of a file and whether each was wanted. Empty lines and what follows `#` say nothing.
fn ids(text: &str) -> Result<Vec<(PaperId, bool)>, String> {
    let mut ids = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let (wanted, id) = match line.strip_prefix('-') {
            Some(id) => (false, id.trim()),
            None => (true, line),
        };
        let id = id.parse().map_err(|error| {
            format!(
                "line {number}: {error}; write one id a line, such as 2510.09212, and - before one that was not wanted"
            )
        })?;
        ids.push((id, wanted));
    }
    Ok(ids)
}

/// What readers voted on: more for than against was wanted.
async fn voted(common: &Common) -> Result<Vec<Example>, Failure> {
    let response = ask(common, vec![Request::Papers(Which::Voted)]).await?;
    let Some(Response::Papers(papers)) = response.into_iter().next() else {
        return Err(unexpected());
    };
    let example = |(paper, tally): (Paper, paperwire_core::vote::Tally)| Example {
        paper,
        wanted: tally.up > tally.down,
    };
    Ok(papers.into_iter().map(example).collect())
}

fn heard(single: &[Example], asked: bool) -> String {
    if !asked {
        return String::new();
    }
    let wanted = single.iter().filter(|example| example.wanted).count();
    format!(
        "Besides the days: {wanted} papers that were wanted, {} that were not.\n",
        single.len() - wanted
    )
}

/// When, from what and how well.
fn about(learned: &Learned) -> String {
    let mut out = format!(
        "Topic {}: trained {} on {} papers of which {} were wanted",
        learned.topic,
        learned.trained_at.format("%Y-%m-%d %H:%M UTC"),
        learned.examples,
        learned.wanted
    );
    if !learned.days.is_empty() {
        out += &format!(", from {}", learned.days.join(", "));
    }
    out += &format!(
        ".\n{} weights. Kept from {:.3} on, chosen for a recall of {:.2}.\n",
        learned.size(),
        learned.threshold,
        learned.recall
    );
    out += &match &learned.figures {
        Some(Summary { days, figures }) => format!(
            "Cross-check on its own {days} mailings, in {} parts: {} of {} wanted papers kept among {}, precision at the \
             report's size {:.3}, recall at twice its size {:.3}, average precision {:.3}. Each part was ranked by what the \
             other parts teach; the threshold was chosen with these very scores, so what is kept is flattered.\n\
             What to expect of new days says: paperwire topic eval {} --examples DAY…. It ranks each day by all others, with a \
             threshold chosen without it; so its figures differ from these.\n",
            learn::FOLDS.min(*days),
            figures.kept_wanted,
            figures.wanted,
            figures.kept,
            figures.precision,
            figures.recall_at_twice,
            figures.average_precision,
            learned.topic
        ),
        None => "It takes two mailings to say how good it is on days that training did not see.\n".to_owned(),
    };
    out
}

fn strongest(learned: &Learned) -> String {
    let [with, against] = learned.strongest(STRONGEST);
    let mut out = String::new();
    for (title, weights) in [("For a paper speak:", with), ("Against it speak:", against)] {
        out += &format!("\n{title}\n");
        for (kind, name, weight) in weights {
            out += &format!("  {weight:+.3}  {}\n", kind.describe(&name));
        }
    }
    out
}

fn explained(topic: &Topic, paper: &Paper, bias: f64) -> String {
    let parts = topic.explain(paper);
    let score = bias + parts.iter().map(learn::Part::adds).sum::<f64>();
    let mut out = format!("{}  {}\n", paper.id, paper.title());
    if let Some(found) = Matcher::new(std::slice::from_ref(topic)).score(paper).first() {
        let threshold = found
            .learned
            .as_ref()
            .map_or(0.0, |rated| f64::from(rated.threshold) / 1000.0);
        let verdict = match &found.verdict {
            Verdict::Kept => "kept".to_owned(),
            Verdict::BelowThreshold => "not kept".to_owned(),
            Verdict::ExcludedTerm(term) => format!("not kept: it has the excluded term “{term}”"),
            Verdict::ExcludedCategory(category) => format!("not kept: its primary category {category} is excluded"),
            Verdict::OtherCategory => "not kept: none of its categories is wanted".to_owned(),
        };
        out += &format!(
            "Score {score:.3}, it takes {threshold:.3}: {verdict}. By its terms alone {} points.\n",
            found.points
        );
    }
    out += &format!("  {bias:+.3}  every paper\n");
    for part in parts.iter().take(PARTS) {
        let factor = if (part.value - 1.0).abs() < 1e-9 {
            String::new()
        } else {
            format!("  ({:+.3} × {:.2})", part.weight, part.value)
        };
        out += &format!("  {:+.3}  {}{factor}\n", part.adds(), part.kind.describe(&part.name));
    }
    if let Some(rest) = parts.get(PARTS..).filter(|rest| !rest.is_empty()) {
        let adds: f64 = rest.iter().map(learn::Part::adds).sum();
        out += &format!("  {adds:+.3}  {} more\n", rest.len());
    }
    out
}

/// What the figures of an evaluation are measured on, so that they are compared with none that are measured otherwise.
fn measured(train: &[Day], recall: f64, judge: bool) -> String {
    let by = match train {
        [] => "all the other days teach".to_owned(),
        days => {
            let names: Vec<&str> = days.iter().map(|day| day.name.as_str()).collect();
            format!("{} teach", names.join(", "))
        }
    };
    let judged = if judge {
        "judged: as learned, and the model decides the borderline.\n"
    } else {
        ""
    };
    format!(
        "weighted: by the topic's terms alone.\n\
         learned: each day is ranked by what {by}, without its own papers, and kept by a threshold for a recall of \
         {recall:.2} that is chosen on those days, too.\n{judged}\
         A saved ranking plays no part. What `topic train` prints is another measurement: one threshold, chosen on the days \
         that it is checked on.\n"
    )
}

/// The legend of [`table`].
const COLUMNS: &str = "\
kept: how many papers are kept; of report: how many of the report's are among them.\n\
P@size: of as many papers from the top as the report has, the part that is in it; R@2x: of the report's papers, the part \
among twice as many; AP: average precision.\n\
The last lines have the sums of kept and of report, and the means of the others.\n";

/// The figures as a table: a line per day and way of choosing.
fn table(evaluation: &Evaluation) -> String {
    let mut out = "day          papers  report  by         kept  of report  P@size  R@2x   AP\n".to_owned();
    let mut line = |day: &str, papers: &str, by: &str, f: &Figures| {
        out += &format!(
            "{day:<11}  {papers:>6}  {:>6}  {by:<9}  {:>4}  {:>9}  {:>6.3}  {:.3}  {:.3}\n",
            f.wanted, f.kept, f.kept_wanted, f.precision, f.recall_at_twice, f.average_precision
        );
    };
    for day in &evaluation.days {
        line(&day.day, &day.papers.to_string(), "weighted", &day.weighted);
        line("", "", "learned", &day.learned);
        if let Some(judged) = &day.judged {
            line("", "", "judged", judged);
        }
    }
    let all = format!("{} mailings", evaluation.learned.days);
    line(&all, "", "weighted", &evaluation.weighted.figures);
    line("", "", "learned", &evaluation.learned.figures);
    if let Some(judged) = &evaluation.judged {
        line("", "", "judged", &judged.figures);
    }
    for day in &evaluation.days {
        if let Some(same) = &day.same_mailing_as {
            out += &format!("{} is the mailing of {same}; the last lines count it once.\n", day.day);
        }
        if let Some((asked, failed)) = day.asked {
            out += &format!(
                "{}: the judge was asked {asked} times, {failed} times to no use.\n",
                day.day
            );
        }
    }
    for day in &evaluation.skipped {
        out += &format!("{} was not tested: {}.\n", day.day, day.why);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_ids_may_have_comments_and_a_mistake_in_it_is_named_by_its_line() {
        let read = ids("2510.09212\n\n- 2510.00001v2  # not this\nhttps://arxiv.org/abs/2510.00002\n").unwrap();
        let shown: Vec<(String, bool)> = read.iter().map(|(id, wanted)| (id.to_string(), *wanted)).collect();
        let expected = [
            ("arxiv:2510.09212", true),
            ("arxiv:2510.00001", false),
            ("arxiv:2510.00002", true),
        ];
        assert_eq!(shown, expected.map(|(id, wanted)| (id.to_owned(), wanted)));
        assert!(ids("2510.09212\nnothing").unwrap_err().starts_with("line 2: "));
    }
}
