//! What readers say of papers: votes and reading lists. Each press of a button is one commit, and pressing again takes it
//! back.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::readable;
use super::tally::SHOWN_FOR;
use crate::channel::Place;
use crate::delivery::DeliveryId;
use crate::digest::{Digest, DigestId, Entry};
use crate::paper::PaperId;
use crate::store::{Result, Store, Write};
use crate::vote::{Person, Saved, Tally, Vote};

/// How long counts gather before they are shown: who votes at all often votes on several papers.
pub(super) const GATHER: TimeDelta = TimeDelta::seconds(20);
/// How many deliveries are read at a time.
const PAGE: usize = 50;

/// What a press of a vote's button did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Voted {
    /// The person's vote before.
    pub before: Option<Vote>,
    /// The one now; `None` when it was withdrawn.
    pub after: Option<Vote>,
    /// All votes on the paper now.
    pub tally: Tally,
}

/// A person presses a vote's button of a paper: that is their vote now, or, if it was already, they have none any more. The
/// posted digests that show the paper are due for new counts ([`super::tally`]).
///
/// # Errors
/// Only when the store fails.
pub fn vote(store: &dyn Store, person: &Person, paper: &PaperId, pressed: Vote, now: DateTime<Utc>) -> Result<Voted> {
    let before = readable(store.vote(person, paper))?;
    let after = (before != Some(pressed)).then_some(pressed);
    let mut writes = vec![Write::Vote {
        person: person.clone(),
        paper: paper.clone(),
        vote: after,
        at: now,
    }];
    let shown = store.digests_of_paper(paper)?.into_iter();
    let recent = shown.filter(|digest| now - digest.occurrence <= SHOWN_FOR);
    let due = now + GATHER;
    writes.extend(recent.map(|digest| Write::Outdated { digest, due }));
    store.commit(writes)?;
    let tally = tally_of(store, paper)?;
    Ok(Voted { before, after, tally })
}

/// All votes on a paper, under whichever of its names.
///
/// # Errors
/// Only when the store fails.
pub fn tally_of(store: &dyn Store, paper: &PaperId) -> Result<Tally> {
    Ok(readable(store.tally(paper).map(Some))?.unwrap_or_default())
}

/// A person presses a paper's “save”: it is on their reading list now, or, if it was already, no more. Returns whether it
/// is.
///
/// # Errors
/// Only when the store fails.
pub fn save(store: &dyn Store, person: &Person, paper: &PaperId, now: DateTime<Utc>) -> Result<bool> {
    let at = match readable(store.saved_at(person, paper))? {
        Some(_) => None,
        None => Some(now),
    };
    store.commit(vec![Write::Save {
        person: person.clone(),
        paper: paper.clone(),
        at,
    }])?;
    Ok(at.is_some())
}

/// A person's reading list, the latest saved first.
///
/// # Errors
/// Only when the store fails.
pub fn saved(store: &dyn Store, person: &Person) -> Result<Vec<Saved>> {
    store.saved(person, usize::MAX)
}

/// Which paper has this number in a digest: what a button's data name.
///
/// # Errors
/// Only when the store fails.
pub fn paper_of(store: &dyn Store, digest: &DigestId, number: u32) -> Result<Option<PaperId>> {
    let digest = readable(store.digest(digest))?;
    Ok(digest.and_then(|digest| digest.entry(number).map(|entry| entry.paper.clone())))
}

/// One of the best papers of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Top {
    /// The paper under its present name.
    pub paper: PaperId,
    /// The digest that brought it here last …
    pub digest: DigestId,
    /// … and what that says of it.
    pub entry: Entry,
    /// All votes on it, from everywhere.
    pub tally: Tally,
}

/// The best of the papers that were posted in a place at `since` or later, at most `limit`, each once: those with most votes
/// for them less those against them, then with most votes for them, then with the best score, then the latest. Papers with
/// more votes against them than for them are left out; those without votes follow by their scores, so that a week in which
/// nobody voted has its best ones, too. What a round-up repeats counts by the digest that brought it.
///
/// Plain differences, and not a bound of a confidence interval (Wilson): readers can check the order against the counts that
/// they see, and in a team no paper has so many votes that its share would say more than their number.
///
/// # Errors
/// Only when the store fails.
pub fn top(
    store: &dyn Store,
    place: &Place,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
    limit: usize,
) -> Result<Vec<Top>> {
    best_of(store, posted(store, place, since, now, false)?, limit)
}

/// As [`top`], with what is still on its way to the place.
pub(super) fn top_soon(store: &dyn Store, place: &Place, since: DateTime<Utc>, now: DateTime<Utc>) -> Result<Vec<Top>> {
    best_of(store, posted(store, place, since, now, true)?, usize::MAX)
}

fn best_of(store: &dyn Store, posted: Vec<Digest>, limit: usize) -> Result<Vec<Top>> {
    let mut best: BTreeMap<PaperId, Top> = BTreeMap::new();
    for digest in posted {
        for entry in digest.entries {
            let known = readable(store.paper(&entry.paper))?;
            let paper = known.map_or_else(|| entry.paper.clone(), |paper| paper.id);
            // The latest digest comes first.
            if best.contains_key(&paper) {
                continue;
            }
            let tally = tally_of(store, &paper)?;
            let digest = digest.id;
            let top = Top {
                paper: paper.clone(),
                digest,
                entry,
                tally,
            };
            best.insert(paper, top);
        }
    }
    let mut best: Vec<Top> = best.into_values().filter(|top| top.tally.net() >= 0).collect();
    best.sort_by_key(|top| {
        let rank = (top.tally.net(), top.tally.up, top.entry.points, top.digest);
        (std::cmp::Reverse(rank), top.entry.number)
    });
    best.truncate(limit);
    Ok(best)
}

/// The digests of which something arrived in a place and whose occurrence is in that time, the latest first; with `waiting`
/// also those that are on their way.
fn posted(
    store: &dyn Store,
    place: &Place,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
    waiting: bool,
) -> Result<Vec<Digest>> {
    let mut digests = Vec::new();
    let mut before = None;
    loop {
        let page = store.deliveries(place, before, PAGE)?;
        // Corrections stand before their post, which may be behind the last one here.
        let mut posts: Vec<DeliveryId> = page.iter().map(|delivery| delivery.id.of_post()).collect();
        posts.dedup();
        for id in posts {
            if id.digest.occurrence < since {
                return Ok(digests);
            }
            let post = readable(store.delivery(&id))?;
            let posted = post.is_some_and(|post| post.arrived() > 0 || (waiting && !post.is_finished()));
            if posted && id.digest.occurrence <= now {
                let digest = readable(store.digest(&id.digest))?;
                digests.extend(digest.filter(|digest| digest.week.is_none()));
            }
            before = Some(id.digest);
        }
        if page.len() < PAGE {
            return Ok(digests);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{
        Counting, add_channel, arxiv, back, channel, claims, news, october, paper, report, reported, sent, settings,
        take, topic,
    };
    use super::super::publish_now;
    use super::*;
    use crate::store::ModelStore;

    fn person(number: u32) -> Person {
        format!("telegram:{number}").parse().unwrap()
    }

    fn press(store: &ModelStore, who: u32, number: u64, vote: Vote) -> Voted {
        super::vote(store, &person(who), &arxiv(number), vote, october(10, 0)).unwrap()
    }

    #[test]
    fn a_vote_counts_once_can_be_changed_and_is_withdrawn_by_pressing_again() {
        let store = ModelStore::new();
        let voted = |before, after, up, down| Voted {
            before,
            after,
            tally: Tally { up, down },
        };
        assert_eq!(press(&store, 1, 4, Vote::Up), voted(None, Some(Vote::Up), 1, 0));
        assert_eq!(press(&store, 2, 4, Vote::Up), voted(None, Some(Vote::Up), 2, 0));
        assert_eq!(
            press(&store, 1, 4, Vote::Down),
            voted(Some(Vote::Up), Some(Vote::Down), 1, 1)
        );
        assert_eq!(press(&store, 1, 4, Vote::Down), voted(Some(Vote::Down), None, 1, 0));
        assert_eq!(tally_of(&store, &arxiv(5)), Ok(Tally::default()));
    }

    #[test]
    fn a_save_is_taken_back_by_pressing_again_and_the_latest_stands_first() {
        let store = ModelStore::new();
        let press = |number, hour| save(&store, &person(1), &arxiv(number), october(9, hour)).unwrap();
        assert_eq!(
            [press(1, 1), press(2, 2), press(3, 3), press(2, 4)],
            [true, true, true, false]
        );
        let papers = |who| -> Vec<PaperId> {
            let list = saved(&store, &person(who)).unwrap();
            list.into_iter().map(|saved| saved.paper).collect()
        };
        assert_eq!((papers(1), papers(2)), (vec![arxiv(3), arxiv(1)], vec![]));
        assert!(press(1, 5) != press(1, 6));
        assert_eq!(papers(1), [arxiv(1), arxiv(3)]);
    }

    #[test]
    fn a_paper_that_gets_its_real_name_keeps_its_votes_and_readers() {
        let store = ModelStore::new();
        let abstract_text = "We cut weights of large models by their second derivatives, and find that half of them can go \
                             without a loss on nine benchmarks.";
        let provisional = reported("On pruning of large models", abstract_text);
        take(&store, "report", report(vec![provisional.clone()]), october(9, 1));
        let old = |who, vote| super::vote(&store, &person(who), &provisional.id, vote, october(9, 2)).unwrap();
        old(1, Vote::Up);
        old(2, Vote::Down);
        save(&store, &person(1), &provisional.id, october(9, 3)).unwrap();
        let real = paper(1, "On pruning of large models", abstract_text);
        take(&store, "mail", news(9, vec![real.clone()]), october(9, 20));
        for name in [&real.id, &provisional.id] {
            assert_eq!(tally_of(&store, name), Ok(Tally { up: 1, down: 1 }));
        }
        // Who votes on the one has voted on the other.
        assert_eq!(press(&store, 2, 1, Vote::Down).after, None);
        assert_eq!(saved(&store, &person(1)).unwrap()[0].paper, real.id);
    }

    #[test]
    fn the_best_of_a_place_are_those_with_most_votes_then_with_the_best_score() {
        let store = ModelStore::new();
        let here = "telegram:-5";
        add_channel(&store, here, settings(), october(8, 0));
        let posted = |day: i64, papers: Vec<crate::paper::Paper>| {
            take(&store, &day.to_string(), news(day, papers), october(day, 19));
            let reader = channel(&store, here);
            publish_now(&store, &[topic()], &Counting::default(), vec![reader], october(day, 20)).unwrap()
        };
        let first = posted(1, vec![paper(1, "On pruning", "")]);
        let old = first.digests[0].0;
        let second = posted(9, (2..=6).map(|n| paper(n, "On pruning", "")).collect());
        let strong = paper(7, "Pruning a KV cache", "");
        posted(10, vec![strong]);
        let now = october(10, 22);
        let best = |since| {
            let all = top(&store, &here.parse().unwrap(), since, now, 5).unwrap();
            all.into_iter()
                .map(|top| (top.paper, top.tally.to_string()))
                .collect::<Vec<_>>()
        };
        // Nothing has arrived yet.
        assert_eq!(best(october(1, 0)), []);
        let mut jobs = claims(&store, now);
        while let Some(job) = jobs.pop() {
            jobs.extend(back(&store, &job.delivery.id, sent("1"), now).jobs);
        }
        for (who, number, vote) in [
            (1, 1, Vote::Up),
            (2, 1, Vote::Up),
            (1, 4, Vote::Up),
            (1, 5, Vote::Up),
            (2, 5, Vote::Up),
            (3, 5, Vote::Down),
            (1, 3, Vote::Down),
        ] {
            press(&store, who, number, vote);
        }
        let said = |number, tally: &str| (arxiv(number), tally.to_owned());
        assert_eq!(
            best(october(3, 0)),
            [
                said(5, "👍 2 👎 1"),
                said(4, "👍 1"),
                said(7, ""),
                said(2, ""),
                said(6, "")
            ]
        );
        assert_eq!(best(october(1, 0))[0], said(1, "👍 2"));
        let number = |digest, number| paper_of(&store, &digest, number).unwrap();
        assert_eq!([number(old, 1), number(old, 2)], [Some(arxiv(1)), None]);
        assert_eq!(number(second.digests[0].0, 1), Some(arxiv(2)));
    }
}
