//! Votes and reading lists on disk: under a paper's real name, so that a tally is one read.

use chrono::{DateTime, Utc};

use super::super::{Result, StoreError};
use super::{Draft, Key, Reader, SledStore, bad_key, broken, paper_name};
use crate::digest::DigestId;
use crate::paper::PaperId;
use crate::vote::{Ballot, Person, Saved, Tally, Vote};

impl Key {
    fn votes(paper: &PaperId) -> Self {
        Self::new(b'V').text(&paper.to_string())
    }

    fn tally(paper: &PaperId) -> Self {
        Self::new(b'T').text(&paper.to_string())
    }

    fn saves(paper: &PaperId) -> Self {
        Self::new(b'K').text(&paper.to_string())
    }

    fn person(self, person: &Person) -> Self {
        self.text(&person.to_string())
    }

    fn listed(person: &Person, saved: &Saved) -> Self {
        let instant = Self(Vec::new()).time(saved.at).0;
        let latest_first: Vec<u8> = instant.into_iter().map(|byte| !byte).collect();
        let of_person = Self::new(b'L').person(person).raw(&latest_first);
        of_person.text(&saved.paper.to_string())
    }

    fn outdated(due: DateTime<Utc>, digest: &DigestId) -> Self {
        Self::new(b'N').time(due).digest(digest)
    }
}

impl SledStore {
    pub(super) fn vote_of(&self, person: &Person, paper: &PaperId) -> Result<Option<Vote>> {
        let _gate = self.reading()?;
        let key = Key::votes(&self.real_name(paper)?).person(person);
        Ok(self.get::<Ballot>(&key)?.map(|ballot| ballot.vote))
    }

    pub(super) fn tally_of(&self, paper: &PaperId) -> Result<Tally> {
        let _gate = self.reading()?;
        let key = Key::tally(&self.real_name(paper)?);
        Ok(self.get(&key)?.unwrap_or_default())
    }

    pub(super) fn saved_by(&self, person: &Person, limit: usize) -> Result<Vec<Saved>> {
        let _gate = self.reading()?;
        let list = Key::new(b'L').person(person);
        let mut saved = Vec::new();
        for entry in self.db.scan_prefix(list.bytes()).take(limit) {
            let (key, paper) = entry.map_err(broken)?;
            let latest_first = key.get(list.bytes().len()..).unwrap_or_default();
            let instant: Vec<u8> = latest_first.iter().map(|byte| !byte).collect();
            let at = Reader(&instant).time().ok_or_else(|| bad_key(&key))?;
            let paper = paper_name(&paper)?;
            saved.push(Saved { paper, at });
        }
        Ok(saved)
    }

    pub(super) fn saved_since(&self, person: &Person, paper: &PaperId) -> Result<Option<DateTime<Utc>>> {
        let _gate = self.reading()?;
        let key = Key::saves(&self.real_name(paper)?).person(person);
        Ok(self.get::<Saved>(&key)?.map(|saved| saved.at))
    }

    /// Those that are due then, or all; in their order.
    pub(super) fn outdated_until(
        &self,
        until: Option<DateTime<Utc>>,
        limit: usize,
    ) -> Result<Vec<(DateTime<Utc>, DigestId)>> {
        let _gate = self.reading()?;
        let from = Key::new(b'N');
        let to = until.map_or_else(|| from.clone(), |now| from.clone().time(now)).end();
        let keys = self.db.range(from.0..to).keys().take(limit);
        keys.map(|key| {
            let key = key.map_err(broken)?;
            let mut reader = Reader(key.get(1..).unwrap_or_default());
            let read = reader.time().and_then(|due| Some((due, reader.digest()?)));
            read.ok_or_else(|| bad_key(&key))
        })
        .collect()
    }
}

impl Draft<'_> {
    fn real_name(&self, paper: &PaperId) -> Result<PaperId> {
        let mut name = paper.clone();
        while let Some(next) = self.alias_of(&name)? {
            name = next;
        }
        Ok(name)
    }

    pub(super) fn vote(&mut self, person: &Person, paper: &PaperId, ballot: Option<Ballot>) -> Result<()> {
        let paper = self.real_name(paper)?;
        let key = Key::votes(&paper).person(person);
        let old = self.take::<Ballot>(&key)?;
        if let Some(ballot) = ballot {
            self.put_record(key, ballot)?;
        }
        let counted = match (&old, self.tally(&paper)) {
            (Some(Err(())), _) | (_, Err(StoreError::Damaged { .. })) => self.count(&paper)?,
            (_, Err(error)) => return Err(error),
            (_, Ok(tally)) => {
                let others = match old {
                    Some(Ok(old)) => tally.without(old.vote),
                    Some(Err(())) | None => tally,
                };
                ballot.map_or(others, |ballot| others.with(ballot.vote))
            }
        };
        self.put_tally(&paper, counted)
    }

    fn tally(&self, paper: &PaperId) -> Result<Tally> {
        let key = Key::tally(paper);
        match self.get(key.bytes())? {
            None => Ok(Tally::default()),
            Some(_) => self
                .read(&key)?
                .ok_or_else(|| super::damaged(key.bytes(), "it cannot be read".to_owned())),
        }
    }

    /// The votes one by one: when a tally cannot be read, or those of two names come together.
    fn count(&self, paper: &PaperId) -> Result<Tally> {
        let mut tally = Tally::default();
        for key in self.keys(&Key::votes(paper))? {
            if let Some(ballot) = self.read::<Ballot>(&Key(key))? {
                tally = tally.with(ballot.vote);
            }
        }
        Ok(tally)
    }

    fn put_tally(&mut self, paper: &PaperId, tally: Tally) -> Result<()> {
        let key = Key::tally(paper);
        if tally.is_empty() {
            return self.remove_record(key.0);
        }
        self.replace_record(key, tally)
    }

    pub(super) fn save(&mut self, person: &Person, paper: &PaperId, at: Option<DateTime<Utc>>) -> Result<()> {
        let paper = self.real_name(paper)?;
        self.forget_saved(person, &paper)?;
        if let Some(at) = at {
            let saved = Saved { paper, at };
            self.put(Key::listed(person, &saved), saved.paper.to_string().as_bytes());
            self.put_record(Key::saves(&saved.paper).person(person), saved)?;
        }
        Ok(())
    }

    /// Returns when it was saved, if it was and that can be read.
    fn forget_saved(&mut self, person: &Person, paper: &PaperId) -> Result<Option<DateTime<Utc>>> {
        match self.take::<Saved>(&Key::saves(paper).person(person))? {
            Some(Ok(old)) => {
                self.remove(Key::listed(person, &old).0);
                Ok(Some(old.at))
            }
            Some(Err(())) => {
                let list = Key::new(b'L').person(person);
                self.purge(&list, Key(Vec::new()).text(&paper.to_string()).bytes())?;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// What people said of a paper under its old name is said of the real one; the later of two things stays, and of two
    /// at the same time that of the real name.
    pub(super) fn move_opinions(&mut self, from: &PaperId, to: &PaperId) -> Result<()> {
        let real = self.real_name(to)?;
        let votes = Key::votes(from);
        let old = self.keys(&votes)?;
        let voters = self.people(&votes, &old)?;
        for (person, key) in voters.iter().zip(old) {
            let Some(Ok(ballot)) = self.take::<Ballot>(&Key(key))? else {
                continue;
            };
            let key = Key::votes(&real).person(person);
            if self.read::<Ballot>(&key)?.is_none_or(|there| there.at < ballot.at) {
                self.replace_record(key, ballot)?;
            }
        }
        if !voters.is_empty() {
            let tally = self.count(&real)?;
            self.put_tally(&real, tally)?;
        }
        self.remove_record(Key::tally(from).0)?;

        let saves = Key::saves(from);
        let old = self.keys(&saves)?;
        for person in self.people(&saves, &old)? {
            let Some(at) = self.forget_saved(&person, from)? else {
                continue;
            };
            let there = self.read::<Saved>(&Key::saves(&real).person(&person))?;
            if there.is_none_or(|there| there.at < at) {
                self.save(&person, &real, Some(at))?;
            }
        }
        Ok(())
    }

    /// The persons at the ends of these keys.
    fn people(&self, table: &Key, keys: &[Vec<u8>]) -> Result<Vec<Person>> {
        let read = |key: &Vec<u8>| {
            let mut reader = Reader(key.get(table.bytes().len()..).unwrap_or_default());
            let person = reader.text().and_then(|person| person.parse().ok());
            person.ok_or_else(|| bad_key(key))
        };
        keys.iter().map(read).collect()
    }

    pub(super) fn outdated(&mut self, digest: &DigestId, due: DateTime<Utc>) -> Result<()> {
        if self.noted(digest)?.flatten().is_some_and(|noted| noted <= due) {
            return Ok(());
        }
        self.shown(digest)?;
        self.put(Key::new(b'O').digest(digest), Key(Vec::new()).time(due).bytes());
        self.put(Key::outdated(due, digest), &[]);
        Ok(())
    }

    pub(super) fn shown(&mut self, digest: &DigestId) -> Result<()> {
        match self.noted(digest)? {
            Some(Some(noted)) => self.remove(Key::outdated(noted, digest).0),
            Some(None) => self.purge(&Key::new(b'N'), Key(Vec::new()).digest(digest).bytes())?,
            None => return Ok(()),
        }
        self.remove(Key::new(b'O').digest(digest).0);
        Ok(())
    }

    /// `Some(None)`: something that cannot be read.
    fn noted(&self, digest: &DigestId) -> Result<Option<Option<DateTime<Utc>>>> {
        let noted = self.get(Key::new(b'O').digest(digest).bytes())?;
        Ok(noted.map(|value| Reader(&value).time()))
    }
}
