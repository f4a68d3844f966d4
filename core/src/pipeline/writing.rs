//! Briefs by a model, ahead of the digests that show them: which papers are wanted in which languages, and what becomes of
//! what was written. Who asks the model is elsewhere ([`crate::brief::write`] says what to ask). A paper is asked about once
//! for each language, however many channels show it.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::publish::{Occasion, foresee};
use super::readable;
use crate::brief::note::{Note, Outcome, key, prefix};
use crate::brief::prompt::Prompts;
use crate::brief::write::judge;
use crate::brief::{self, Brief, Origin};
use crate::locale::Lang;
use crate::paper::{Paper, PaperId};
use crate::store::{MemoSpace, Result, Store, Write};
use crate::topic::Topic;

/// A paper whose brief failed is asked about again after this time, if it is still wanted then.
pub const ASK_AGAIN: TimeDelta = TimeDelta::hours(20);

/// A brief that no model was asked for yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// Of which paper, as it is now.
    pub paper: Paper,
    /// In which language.
    pub lang: Lang,
    /// Under which key the note of it is kept ([`key`]).
    pub key: String,
}

/// A brief that was written, or failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrote {
    /// From [`Want::key`].
    pub key: String,
    /// What came of it.
    pub note: Note,
}

/// What digests will need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wants {
    /// To be asked for: what is needed first, and ranks first, comes first.
    pub ask: Vec<Want>,
    /// Written before, but the paper has it no longer (it changed, and changed back): hand them to [`wrote`].
    pub known: Vec<Wrote>,
    /// How many are there already.
    pub there: usize,
    /// How many failed lately and are not asked for again yet.
    pub failed: usize,
}

/// The briefs that the digests of an occasion would need at `now`, in the languages of their channels. Left out are papers without an abstract, of which nothing can be said, and those for which somebody else's
/// brief is there that passes the gate.
///
/// # Errors
/// Only when the store fails.
pub fn wanted(
    store: &dyn Store,
    topics: &[Topic],
    occasion: &Occasion,
    now: DateTime<Utc>,
    model: &str,
    prompts: &Prompts,
) -> Result<Wants> {
    let mut pairs: Vec<(Paper, Lang)> = Vec::new();
    let mut seen: BTreeSet<(PaperId, Lang)> = BTreeSet::new();
    foresee(store, topics, occasion, now, &mut |langs, papers| {
        for paper in papers {
            for lang in langs {
                if seen.insert((paper.id.clone(), *lang)) {
                    pairs.push((paper.clone(), *lang));
                }
            }
        }
    })?;
    let mut wants = Wants::default();
    for (paper, lang) in pairs {
        if !paper.abstract_text().chars().any(char::is_alphanumeric) {
            continue;
        }
        let shown = paper
            .briefs
            .iter()
            .find(|b| b.lang == lang && b.origin == Origin::Model);
        let imported = || brief::compose(&paper, lang).is_some_and(|brief| brief.origin == Origin::Imported);
        let key = key(&paper, model, prompts.of(lang));
        let stored = readable(store.memo(MemoSpace::Brief, &key))?;
        let note = stored.and_then(|stored| Note::decode(&stored));
        match note {
            Some(note) => match &note.outcome {
                Outcome::Failed { .. } if now - note.at < ASK_AGAIN => wants.failed += 1,
                Outcome::Failed { .. } => wants.ask.push(Want { paper, lang, key }),
                // The gate may have become stricter since.
                Outcome::Written { sentence, slots } if judge(sentence, slots.as_ref(), lang, &paper).is_err() => {
                    wants.ask.push(Want { paper, lang, key });
                }
                Outcome::Written { sentence, .. } if shown.is_some_and(|brief| brief.text == *sentence) => {
                    wants.there += 1;
                }
                Outcome::Written { .. } => wants.known.push(Wrote { key, note }),
            },
            None if imported() => wants.there += 1,
            None => wants.ask.push(Want { paper, lang, key }),
        }
    }
    Ok(wants)
}

/// Keeps what was written and what failed, in one commit. A brief goes to its paper in the place of the model's former one in
/// its language, unless the paper has changed since; where it failed, the former one goes, since it is of other words.
///
/// # Errors
/// Only when the store fails.
pub fn wrote(store: &dyn Store, all: Vec<Wrote>) -> Result<()> {
    let mut writes = Vec::new();
    let mut papers: Vec<Paper> = Vec::new();
    for Wrote { key, note } in all {
        let at = papers.iter().position(|paper| paper.id == note.paper);
        let read = match at {
            Some(at) => Some(papers.swap_remove(at)),
            None => readable(store.paper(&note.paper))?,
        };
        if let Some(mut paper) = read {
            if key.starts_with(&prefix(&paper, note.lang)) {
                put(&mut paper, &note);
            }
            papers.push(paper);
        }
        writes.push(Write::Memo {
            space: MemoSpace::Brief,
            key,
            value: Some(note.encode()),
        });
    }
    for paper in papers {
        // Merged meanwhile, it may have two names in this list; each leads to the same paper, which is read once more.
        if readable(store.paper(&paper.id))?.is_some_and(|stored| stored != paper) {
            writes.push(Write::Paper(Box::new(paper)));
        }
    }
    if writes.is_empty() {
        Ok(())
    } else {
        store.commit(writes)
    }
}

fn put(paper: &mut Paper, note: &Note) {
    let lang = note.lang;
    paper.briefs.retain(|b| !(b.lang == lang && b.origin == Origin::Model));
    match &note.outcome {
        Outcome::Written { sentence, .. } => paper.briefs.push(Brief {
            lang,
            origin: Origin::Model,
            text: sentence.clone(),
        }),
        Outcome::Failed { .. } => {}
    }
    paper.briefs.sort_by_key(|brief| (brief.lang, brief.origin));
}

/// The note behind the model's brief that a paper has in a language: which words carry it, which model wrote it, when.
///
/// # Errors
/// Only when the store fails.
pub fn evidence(store: &dyn Store, paper: &Paper, lang: Lang) -> Result<Option<Note>> {
    let shown = paper
        .briefs
        .iter()
        .find(|b| b.lang == lang && b.origin == Origin::Model);
    let Some(shown) = shown else { return Ok(None) };
    let prefix = prefix(paper, lang);
    // Notes of one paper stand together; more than a few models have not written about it.
    let notes = store.memos(MemoSpace::Brief, Some(&prefix), 20)?;
    let of_paper = notes.into_iter().take_while(|(key, _)| key.starts_with(&prefix));
    let mut notes = of_paper.filter_map(|(_, stored)| Note::decode(&stored));
    Ok(notes.find(|note| matches!(&note.outcome, Outcome::Written { sentence, .. } if *sentence == shown.text)))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Counting, add_channel, arxiv, news, october, paper, settings, take, topic};
    use super::*;
    use crate::channel::{Settings, Style};
    use crate::pipeline::{Extent, configure_channels, publish_due};
    use crate::store::ModelStore;
    use crate::subscription::Subjects;

    const MODEL: &str = "qwen3:8b";

    fn wants_by(store: &ModelStore, horizon: DateTime<Utc>, now: DateTime<Utc>) -> Wants {
        let due = Occasion::Due(horizon);
        wanted(store, &[topic()], &due, now, MODEL, &Prompts::default()).unwrap()
    }

    fn wants(store: &ModelStore) -> Wants {
        wants_by(store, october(10, 9), october(10, 9))
    }

    fn abstract_of(number: u64) -> String {
        format!("We propose Scheme{number}, which drops layers of models and is faster on every benchmark.")
    }

    fn asked(wants: &Wants) -> Vec<(PaperId, Lang)> {
        wants
            .ask
            .iter()
            .map(|want| (want.paper.id.clone(), want.lang))
            .collect()
    }

    /// What a good model makes of it.
    fn good(want: &Want) -> Wrote {
        let title = want.paper.title();
        let sentence = want.lang.pick(
            format!("作者发布了《{title}》论文，使用剪枝技术，解决了模型缓慢的问题。"),
            format!("The authors released “{title}”, which drops layers of models."),
        );
        let outcome = Outcome::Written { sentence, slots: None };
        made(want, outcome, october(10, 8))
    }

    fn made(want: &Want, outcome: Outcome, at: DateTime<Utc>) -> Wrote {
        Wrote {
            key: want.key.clone(),
            note: Note {
                paper: want.paper.id.clone(),
                lang: want.lang,
                model: MODEL.to_owned(),
                prompt: "v1".to_owned(),
                at,
                outcome,
            },
        }
    }

    fn failed(want: &Want, at: DateTime<Utc>) -> Wrote {
        let reasons = vec!["It is a refusal.".to_owned()];
        made(want, Outcome::Failed { reasons }, at)
    }

    /// Three papers of which two match, one a keyword's alone.
    fn newsroom() -> ModelStore {
        let store = ModelStore::new();
        add_channel(&store, "telegram:-1", settings(), october(9, 12));
        let matching = |n, title: &str| paper(n, title, &abstract_of(n));
        let papers = vec![
            matching(1, "Pruning of roses"),
            matching(2, "Weather"),
            matching(3, "On the KV cache"),
            paper(4, "Pruning without an abstract", ""),
        ];
        take(&store, "a", news(9, papers), october(9, 20));
        store
    }

    #[test]
    fn five_thousand_channels_in_two_languages_cost_two_calls_a_paper() {
        let store = newsroom();
        let of = |n: u32| Settings {
            language: Lang::ALL[usize::try_from(n % 2).unwrap()],
            ..settings()
        };
        let all: Vec<_> = (1..=5_000).map(|n| wanted_channel(n, of(n))).collect();
        configure_channels(&store, &all, Extent::Whole, october(9, 19)).unwrap();
        rewind(&store);
        // Ahead of time, all of them; what is due at once, in batches.
        let ahead = wants_by(&store, october(10, 9), october(10, 8));
        let both = |n| [(arxiv(n), Lang::Zh), (arxiv(n), Lang::En)];
        assert_eq!(asked(&ahead), [both(3), both(1)].concat());
        wrote(&store, ahead.ask.iter().map(good).collect()).unwrap();
        let after = wants_by(&store, october(10, 9), october(10, 8));
        assert_eq!((after.ask.len(), after.known.len(), after.there), (0, 0, 4));
    }

    fn wanted_channel(n: u32, settings: Settings) -> crate::pipeline::Wanted {
        super::super::fixture::wanted(&format!("telegram:-{n}"), settings)
    }

    /// Every channel has read nothing.
    fn rewind(store: &ModelStore) {
        let all = store.channels().unwrap().into_iter();
        let read_nothing = |channel| crate::channel::Channel { cursor: 0, ..channel };
        let writes = all.map(|channel| Write::Channel(Box::new(read_nothing(channel))));
        store.commit(writes.collect()).unwrap();
    }

    #[test]
    fn only_what_is_shown_in_time_is_wanted_best_first() {
        let store = newsroom();
        assert_eq!(asked(&wants(&store)), [(arxiv(3), Lang::En), (arxiv(1), Lang::En)]);
        assert_eq!(wants_by(&store, october(10, 8), october(10, 8)), Wants::default());
        // Titles alone show no briefs; a keyword's papers are wanted too, in that channel's language.
        let titles = Settings {
            style: Style::Titles,
            language: Lang::Zh,
            ..settings()
        };
        add_channel(&store, "telegram:-2", titles, october(9, 12));
        assert_eq!(wants(&store).ask.len(), 2);
        let weather = Settings {
            subjects: Subjects::new([], ["weather".to_owned()]),
            language: Lang::Zh,
            ..settings()
        };
        add_channel(&store, "telegram:-3", weather, october(9, 12));
        let all = [(arxiv(3), Lang::En), (arxiv(1), Lang::En), (arxiv(2), Lang::Zh)];
        assert_eq!(asked(&wants(&store)), all);
        // Who asks for a digest now waits for no schedule.
        let asked_for = |place: &str| {
            let occasion = Occasion::Asked(vec![place.parse().unwrap()]);
            let (now, prompts) = (october(9, 21), Prompts::default());
            asked(&wanted(&store, &[topic()], &occasion, now, MODEL, &prompts).unwrap())
        };
        assert_eq!(asked_for("telegram:-3"), [(arxiv(2), Lang::Zh)]);
        assert_eq!((asked_for("telegram:-2"), asked_for("telegram:-9")), (vec![], vec![]));
        // A digest that was published wants nothing more.
        publish_due(&store, &[topic()], &Counting::default(), october(10, 9)).unwrap();
        assert_eq!(wants_by(&store, october(11, 9), october(10, 9)).ask.len(), 0);
    }

    #[test]
    fn what_was_written_stands_in_the_digest_and_shows_its_evidence() {
        let store = newsroom();
        let ask = wants(&store).ask;
        wrote(&store, ask.iter().map(good).collect()).unwrap();
        let published = publish_due(&store, &[topic()], &Counting::default(), october(10, 9)).unwrap();
        let digest = store.digest(&published.digests[0].0).unwrap().unwrap();
        let brief = |n: usize, lang| {
            let of = digest.entries[n].briefs.iter().find(|brief| brief.reader == lang);
            of.map(|brief| (brief.brief.origin, brief.brief.text.clone())).unwrap()
        };
        let said = "The authors released “On the KV cache”, which drops layers of models.";
        assert_eq!(brief(0, Lang::En), (Origin::Model, said.to_owned()));
        assert_eq!(brief(0, Lang::Zh).0, Origin::Extracted);
        let paper = store.paper(&arxiv(3)).unwrap().unwrap();
        assert_eq!(evidence(&store, &paper, Lang::En).unwrap(), Some(good(&ask[0]).note));
        assert_eq!(evidence(&store, &paper, Lang::Zh), Ok(None));
    }

    #[test]
    fn a_failure_is_remembered_for_a_day_and_the_extract_stays() {
        let store = newsroom();
        let ask = wants(&store).ask;
        wrote(&store, ask.iter().map(|want| failed(want, october(10, 8))).collect()).unwrap();
        let now = wants(&store);
        assert_eq!((now.ask.len(), now.failed), (0, 2));
        assert_eq!(wants_by(&store, october(11, 9), october(11, 9)).ask.len(), 2);
        let paper = store.paper(&arxiv(3)).unwrap().unwrap();
        assert_eq!(brief::compose(&paper, Lang::En).unwrap().origin, Origin::Extracted);
    }

    #[test]
    fn a_paper_that_changes_is_asked_about_anew_and_one_that_changes_back_is_not() {
        let store = newsroom();
        let ask = wants(&store).ask;
        wrote(&store, ask.iter().map(good).collect()).unwrap();
        let before = store.paper(&arxiv(1)).unwrap().unwrap();
        let mut changed = before.clone();
        changed.abstract_text.as_mut().unwrap().value.push_str(" It is simple.");
        store.commit(vec![Write::Paper(Box::new(changed))]).unwrap();
        let anew = wants(&store);
        assert_eq!(asked(&anew), [(arxiv(1), Lang::En)]);
        // It fails this time: nothing said about other words stays.
        wrote(
            &store,
            anew.ask.iter().map(|want| failed(want, october(10, 8))).collect(),
        )
        .unwrap();
        assert_eq!(store.paper(&arxiv(1)).unwrap().unwrap().briefs, []);
        let bare = Paper {
            briefs: Vec::new(),
            ..before.clone()
        };
        store.commit(vec![Write::Paper(Box::new(bare))]).unwrap();
        let back = wants(&store);
        assert_eq!((back.ask.len(), back.known.len(), back.there), (0, 1, 1));
        wrote(&store, back.known).unwrap();
        assert_eq!(store.paper(&arxiv(1)).unwrap(), Some(before));
    }

    #[test]
    fn an_answer_about_a_paper_that_changed_meanwhile_is_kept_and_not_shown() {
        let store = newsroom();
        let ask = wants(&store).ask;
        let mut changed = ask[0].paper.clone();
        changed.title.as_mut().unwrap().value.push('!');
        store.commit(vec![Write::Paper(Box::new(changed.clone()))]).unwrap();
        wrote(&store, vec![good(&ask[0])]).unwrap();
        assert_eq!(store.paper(&arxiv(3)).unwrap(), Some(changed));
        assert!(store.memo(MemoSpace::Brief, &ask[0].key).unwrap().is_some());
    }

    #[test]
    fn a_brief_of_somebody_else_that_passes_the_gate_saves_the_call() {
        let store = newsroom();
        let mut known = store.paper(&arxiv(1)).unwrap().unwrap();
        let import = |text: &str| Brief {
            lang: Lang::En,
            origin: Origin::Imported,
            text: text.to_owned(),
        };
        known.briefs = vec![import("The authors released a scheme which drops layers of models.")];
        store.commit(vec![Write::Paper(Box::new(known.clone()))]).unwrap();
        assert_eq!(asked(&wants(&store)), [(arxiv(3), Lang::En)]);
        known.briefs = vec![import("I cannot summarise this paper.")];
        store.commit(vec![Write::Paper(Box::new(known))]).unwrap();
        assert_eq!(wants(&store).ask.len(), 2);
    }
}
