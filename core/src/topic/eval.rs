//! How good a topic's choice is, measured on days whose reports say what was wanted. A ranking is only ever tested on
//! papers that its training did not see: a figure on what it was trained with says how well it remembers.

use serde::{Deserialize, Serialize};

use super::Topic;
use super::examples::{Day, Example};
use super::judge::{self, Judge};
use super::learn::{self, Corpus, TrainError, thousandths};

/// What one way of choosing reaches on one day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// How many papers the reports have.
    pub wanted: usize,
    /// How many papers are kept …
    pub kept: usize,
    /// … and how many of the reports' are among them.
    pub kept_wanted: usize,
    /// Of as many papers as the reports have, taken from the top, the part that they have: from 0 to 1.
    pub precision: f64,
    /// Of the reports' papers, the part among twice as many from the top.
    pub recall_at_twice: f64,
    /// The mean, over the reports' papers, of the precision at the place of each: 1 when they are all on top.
    pub average_precision: f64,
}

impl Figures {
    /// The figures of a ranking, best first: of each paper whether it was wanted and whether it is kept.
    pub fn of(ranking: &[(bool, bool)]) -> Self {
        let wanted = ranking.iter().filter(|paper| paper.0).count();
        let top = |n: usize| ranking.iter().take(n).filter(|paper| paper.0).count();
        let part = |n: usize| n as f64 / wanted.max(1) as f64;
        let mut found = 0_usize;
        let mut precisions = 0.0;
        for (place, _) in (1_usize..).zip(ranking).filter(|(_, paper)| paper.0) {
            found += 1;
            precisions += found as f64 / place as f64;
        }
        Self {
            wanted,
            kept: ranking.iter().filter(|paper| paper.1).count(),
            kept_wanted: ranking.iter().filter(|paper| paper.0 && paper.1).count(),
            precision: part(top(wanted)),
            recall_at_twice: part(top(wanted * 2)),
            average_precision: precisions / wanted.max(1) as f64,
        }
    }
}

/// The figures of several days: counts are sums, the others means over the days.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Over how many mailings.
    pub days: usize,
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
}

impl Summary {
    /// Of the figures of each day; `None` of none.
    pub fn of(days: &[Figures]) -> Option<Self> {
        let n = days.len();
        let mean = |of: fn(&Figures) -> f64| days.iter().map(of).sum::<f64>() / n as f64;
        let sum = |of: fn(&Figures) -> usize| days.iter().map(of).sum();
        (n > 0).then(|| Self {
            days: n,
            figures: Figures {
                wanted: sum(|day| day.wanted),
                kept: sum(|day| day.kept),
                kept_wanted: sum(|day| day.kept_wanted),
                precision: mean(|day| day.precision),
                recall_at_twice: mean(|day| day.recall_at_twice),
                average_precision: mean(|day| day.average_precision),
            },
        })
    }
}

/// One tested day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tested {
    /// Its name.
    pub day: String,
    /// How many papers could have been chosen.
    pub papers: usize,
    /// Where an earlier tested day is of the same mailing: that one. The whole counts only the earlier one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_mailing_as: Option<String>,
    /// By the points alone.
    pub weighted: Figures,
    /// By a ranking that was learnt from other days.
    pub learned: Figures,
    /// By that ranking, and a judge for the borderline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judged: Option<Figures>,
    /// How many papers the judge was asked about, and how often it gave no readable answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<(usize, usize)>,
}

/// A day that was not tested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its name.
    pub day: String,
    /// Why; a sentence for people.
    pub why: String,
}

/// What an evaluation gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The days.
    pub days: Vec<Tested>,
    /// Those that were not tested.
    pub skipped: Vec<Skipped>,
    /// All days, by the points alone.
    pub weighted: Summary,
    /// All days, by what was learnt.
    pub learned: Summary,
    /// All days, with the judge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judged: Option<Summary>,
}

/// Why nothing can be said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// No day is left.
    #[error("no day is left to be tested{}; give days whose mailings training does not have", reasons(.0))]
    Nothing(Vec<Skipped>),
    /// A ranking cannot be learnt.
    #[error("for the day {day}: {error}")]
    Train {
        /// The tested day.
        day: String,
        /// Why.
        error: TrainError,
    },
}

fn reasons(skipped: &[Skipped]) -> String {
    let reasons: Vec<String> = skipped.iter().map(|day| format!("{}: {}", day.day, day.why)).collect();
    if reasons.is_empty() {
        String::new()
    } else {
        format!(" ({})", reasons.join("; "))
    }
}

/// What is tested, and how.
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    /// The days to test.
    pub tested: &'a [Day],
    /// The days to train on; without any, each day is tested by what all others teach.
    pub train: Option<&'a [Day]>,
    /// Examples besides the days.
    pub single: &'a [Example],
    /// The recall for which thresholds are chosen.
    pub recall: f64,
    /// Who decides the borderline.
    pub judge: Option<&'a dyn Judge>,
}

impl std::fmt::Debug for Plan<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan")
            .field("recall", &self.recall)
            .finish_non_exhaustive()
    }
}

/// Tests the topic's points and what can be learnt. No paper of a tested day is in the training of the ranking that ranks
/// it, even where another day's mailing has it too.
///
/// # Errors
/// [`EvalError`] when no day can be tested, or nothing can be learnt.
pub fn evaluate(topic: &Topic, plan: &Plan<'_>) -> Result<Evaluation, EvalError> {
    let mut skipped = Vec::new();
    let mut tested: Vec<&Day> = Vec::new();
    let training: Vec<&Day> = plan
        .train
        .unwrap_or_default()
        .iter()
        .filter(|day| day.is_usable())
        .collect();
    for day in plan.tested {
        let why = if !day.is_usable() {
            "it has no report of which papers are known".to_owned()
        } else if let Some(same) = training.iter().find(|other| other.same_mailing(day)) {
            format!("its mailing is in training ({})", same.name)
        } else {
            tested.push(day);
            continue;
        };
        skipped.push(Skipped {
            day: day.name.clone(),
            why,
        });
    }
    let all: Vec<&Day> = tested.iter().chain(&training).copied().collect();
    let (corpus, rows, single) = Corpus::of(topic, &all, plan.single);
    let (own, other) = rows.split_at_checked(tested.len()).unwrap_or((&rows, &[]));
    let mailings = learn::mailings(&corpus, own);
    let mut days: Vec<Tested> = Vec::new();
    let mut model = None;
    for (at, (day, unseen)) in tested.iter().zip(own).enumerate() {
        let shares_a_paper = || {
            let day: std::collections::HashSet<_> = day.papers.iter().map(|example| &example.paper.id).collect();
            let lessons = other.iter().flatten().chain(&single);
            let mut ids = lessons.filter_map(|&row| corpus.rows.get(row));
            ids.any(|row| day.contains(&row.id))
        };
        // With days of its own to train on, one model serves every tested day that has no paper in common with them.
        let fitted = match model.take().filter(|_| plan.train.is_some() && !shares_a_paper()) {
            Some(model) => model,
            None => {
                let lessons: Vec<Vec<usize>> = match plan.train {
                    Some(_) => other.to_vec(),
                    None => own
                        .iter()
                        .enumerate()
                        .filter(|(i, _)| *i != at)
                        .map(|(_, day)| day.clone())
                        .collect(),
                };
                let among: Vec<usize> = lessons.iter().flatten().chain(&single).copied().collect();
                let fitted = corpus.fit(&among, unseen);
                fitted.enough().map_err(|error| EvalError::Train {
                    day: day.name.clone(),
                    error,
                })?;
                let scores = corpus.cross_validated(&learn::parts(&corpus, &lessons), &single, unseen);
                let threshold = corpus.threshold(&scores, plan.recall);
                (fitted, threshold)
            }
        };
        let (ranking, threshold) = &fitted;
        let scored: Vec<(usize, f64)> = unseen.iter().map(|&row| (row, ranking.score(&corpus, row))).collect();
        let mut asked = None;
        let judged = plan.judge.map(|judge| {
            let (scores, counts) = consult(judge, topic, day, &corpus, &scored, *threshold);
            asked = Some(counts);
            learned(&corpus, &scores, *threshold)
        });
        let mailing = mailings.iter().find(|days| days.contains(&at));
        let first = mailing.and_then(|days| days.first()).filter(|first| **first != at);
        days.push(Tested {
            day: day.name.clone(),
            papers: day.papers.len(),
            same_mailing_as: first.and_then(|first| tested.get(*first)).map(|day| day.name.clone()),
            weighted: weighted(&corpus, day, unseen),
            learned: learned(&corpus, &scored, *threshold),
            judged,
            asked,
        });
        model = (plan.train.is_some() && !shares_a_paper()).then_some(fitted);
    }
    let once = || days.iter().filter(|day| day.same_mailing_as.is_none());
    let sum = |of: &dyn Fn(&Tested) -> Option<Figures>| Summary::of(&once().filter_map(of).collect::<Vec<_>>());
    let (Some(weighted), Some(learned)) = (sum(&|day| Some(day.weighted)), sum(&|day| Some(day.learned))) else {
        return Err(EvalError::Nothing(skipped));
    };
    let judged = sum(&|day| day.judged);
    Ok(Evaluation {
        days,
        skipped,
        weighted,
        learned,
        judged,
    })
}

/// By points, equal ones in the order of the mailing, as a digest has them. What the topic excludes comes last.
fn weighted(corpus: &Corpus, day: &Day, rows: &[usize]) -> Figures {
    let order: std::collections::HashMap<_, usize> =
        day.papers.iter().zip(0..).map(|(e, at)| (&e.paper.id, at)).collect();
    let mut ranking: Vec<_> = rows.iter().filter_map(|&row| corpus.rows.get(row)).collect();
    ranking.sort_by_key(|row| (row.excluded, std::cmp::Reverse(row.points), order.get(&row.id)));
    Figures::of(&ranking.iter().map(|row| (row.wanted, row.kept)).collect::<Vec<_>>())
}

fn learned(corpus: &Corpus, scores: &[(usize, f64)], threshold: f64) -> Figures {
    let mut ranking: Vec<_> = scores
        .iter()
        .filter_map(|&(row, score)| Some((corpus.rows.get(row)?, score)))
        .collect();
    ranking.sort_by(|(a, x), (b, y)| a.excluded.cmp(&b.excluded).then(y.total_cmp(x)).then(a.id.cmp(&b.id)));
    let kept = |score: f64| thousandths(score) >= thousandths(threshold);
    let ranking: Vec<(bool, bool)> = ranking
        .into_iter()
        .map(|(row, score)| (row.wanted, !row.excluded && kept(score)))
        .collect();
    Figures::of(&ranking)
}

/// The scores after a judge was asked about the borderline, with how often it was asked and how often that was of no use.
fn consult(
    judge: &dyn Judge,
    topic: &Topic,
    day: &Day,
    corpus: &Corpus,
    scores: &[(usize, f64)],
    threshold: f64,
) -> (Vec<(usize, f64)>, (usize, usize)) {
    let (mut asked, mut failed) = (0, 0);
    let mut out = Vec::with_capacity(scores.len());
    for &(at, score) in scores {
        let row = corpus
            .rows
            .get(at)
            .filter(|row| !row.excluded && judge::is_borderline(score, threshold));
        let example = row.and_then(|row| day.papers.iter().find(|example| example.paper.id == row.id));
        let Some(example) = example else {
            out.push((at, score));
            continue;
        };
        asked += 1;
        let reply = judge.ask(&judge::question(topic, &example.paper)).ok();
        match reply.and_then(|reply| judge::parse(&reply).ok()) {
            Some(opinion) => out.push((at, judge::combined(score, threshold, opinion.yes))),
            None => {
                failed += 1;
                out.push((at, score));
            }
        }
    }
    (out, (asked, failed))
}

/// The figures of cross-validated scores, every mailing once.
pub(super) fn summary(
    corpus: &Corpus,
    days: &[Vec<usize>],
    scores: &[(usize, f64)],
    threshold: f64,
) -> Option<Summary> {
    let scores: std::collections::HashMap<usize, f64> = scores.iter().copied().collect();
    let firsts = learn::mailings(corpus, days)
        .into_iter()
        .filter_map(|days| days.first().copied());
    let figures: Vec<Figures> = firsts
        .filter_map(|day| days.get(day))
        .map(|rows| {
            let scored: Vec<(usize, f64)> = rows.iter().filter_map(|row| Some((*row, *scores.get(row)?))).collect();
            learned(corpus, &scored, threshold)
        })
        .collect();
    Summary::of(&figures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests;

    #[test]
    fn the_figures_are_those_computed_by_hand() {
        // Wanted at places 1, 3 and 6; the first four are kept.
        let ranking = [
            (true, true),
            (false, true),
            (true, true),
            (false, true),
            (false, false),
            (true, false),
        ];
        let figures = Figures::of(&ranking);
        assert_eq!((figures.wanted, figures.kept, figures.kept_wanted), (3, 4, 2));
        assert_eq!((figures.precision, figures.recall_at_twice), (2.0 / 3.0, 1.0));
        let expected = (1.0 + 2.0 / 3.0 + 3.0 / 6.0) / 3.0;
        assert!((figures.average_precision - expected).abs() < 1e-12);
        let perfect = Figures::of(&[(true, true), (false, false)]);
        let both = Summary::of(&[figures, perfect]).unwrap();
        assert_eq!((both.days, both.figures.wanted, both.figures.kept), (2, 4, 5));
        assert!((both.figures.average_precision - (expected + 1.0) / 2.0).abs() < 1e-12);
    }

    /// The real days with what their reports chose.
    fn days() -> Vec<Day> {
        let read = |folder: std::path::PathBuf| {
            let name = folder.file_name().unwrap().to_string_lossy().into_owned();
            let mail = std::fs::read(folder.join("mail.txt")).unwrap();
            let reports = tests::real_reports();
            let reports: Vec<(&str, &[u8])> = reports
                .iter()
                .filter(|(file, _)| file.contains(&name))
                .map(|(file, text)| (file.as_str(), text.as_bytes()))
                .collect();
            Day::read(&name, ("mail.txt", &mail), &reports).unwrap()
        };
        tests::real_days().into_iter().map(read).collect()
    }

    #[test]
    fn a_real_unseen_day_is_ranked_well_and_a_day_of_training_is_not_tested() {
        let days = days();
        let find = |name: &str| days.iter().find(|day| day.name == name).cloned();
        let wanted = ["2025-09-04", "2025-09-15", "2025-10-09", "2025-10-10", "2025-10-02"].map(find);
        let [Some(a), Some(b), Some(c), Some(again), Some(test)] = wanted else {
            return;
        };
        // One of the reports of that day is of empty papers.
        assert_eq!(
            b.reports.iter().map(|report| report.set_aside).collect::<Vec<_>>(),
            [true, false]
        );
        let train = [a, b, c];
        let plan = Plan {
            tested: &[test, again],
            train: Some(&train),
            single: &[],
            recall: 0.95,
            judge: None,
        };
        let evaluation = evaluate(&tests::real_topic(), &plan).unwrap();
        println!("{:?}", evaluation.days);
        assert_eq!(
            evaluation.skipped.iter().map(|day| &*day.day).collect::<Vec<_>>(),
            ["2025-10-10"]
        );
        let learned = evaluation.learned.figures;
        assert!(
            learned.average_precision > 0.7 && learned.recall_at_twice > 0.85,
            "{learned:?}"
        );
    }

    /// Knows the truth, and answers some questions badly.
    struct Fake<'a>(&'a Day);

    impl Judge for Fake<'_> {
        fn ask(&self, question: &judge::Question) -> Result<String, String> {
            let of = |example: &&Example| question.paper.contains(example.paper.abstract_text());
            match self.0.papers.iter().find(of) {
                Some(example) if example.wanted => Ok("yes: it is".to_owned()),
                Some(example) if example.paper.id.to_string().ends_with('2') => Ok("I would rather not say".to_owned()),
                Some(_) => Ok("no: it is not".to_owned()),
                None => Err("unknown".to_owned()),
            }
        }
    }

    #[test]
    fn a_judge_is_asked_about_the_borderline_only_and_compared() {
        let paper = |number: usize, text: String| {
            let mut paper = crate::paper::Paper::new(crate::paper::PaperId::Arxiv(format!("2510.{number:05}")));
            paper.abstract_text = Some(crate::paper::Field::new(text, crate::source::SourceKind::ArxivMail));
            paper
        };
        // What was wanted can be told from the rest half of the time.
        let day = |name: &str, first: usize| Day {
            name: name.to_owned(),
            papers: (first..first + 40)
                .map(|number| Example {
                    paper: paper(
                        number,
                        format!(
                            "Paper {number}: {}",
                            ["kv cache", "kv cache, maybe", "birds"][number % 3]
                        ),
                    ),
                    wanted: number % 3 == 0 || number % 6 == 1,
                })
                .collect(),
            reports: Vec::new(),
            rejected: 0,
        };
        let days = [day("a", 100), day("b", 200), day("c", 300)];
        let fake = Fake(&days[2]);
        let plan = Plan {
            tested: &days[2..],
            train: Some(&days[..2]),
            single: &[],
            recall: 0.95,
            judge: Some(&fake),
        };
        let evaluation = evaluate(&tests::real_topic(), &plan).unwrap();
        let tested = &evaluation.days[0];
        let (asked, failed) = tested.asked.unwrap();
        assert!(asked > 0 && asked < tested.papers && failed < asked, "{tested:?}");
        assert!(
            tested.judged.unwrap().average_precision >= tested.learned.average_precision,
            "{tested:?}"
        );
        assert!(matches!(
            evaluate(&tests::real_topic(), &Plan { tested: &days[..1], ..plan }),
            Err(EvalError::Nothing(skipped)) if skipped.len() == 1
        ));
    }
}
