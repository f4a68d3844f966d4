//! What carries a brief: the answer to who doubts one. It holds the brief that was posted against the paper as it is known
//! now.

use super::PaperQuery;
use super::answer::{Asked, shown_brief};
use crate::brief::evidence::{self, Clause, Stand};
use crate::brief::note::Outcome;
use crate::brief::{Brief, Origin, Refused, gate};
use crate::digest::{Digest, Entry};
use crate::message::{self, Block, Line, Message, Span, ellipsis, plain};
use crate::paper::{Paper, PaperId};
use crate::pipeline::writing;
use crate::store::Result;

const TITLE: usize = 120;
/// How many doubts are told.
const DOUBTS: usize = 3;

impl Asked<'_> {
    pub(super) fn evidence(&self, query: &PaperQuery, reply_to: Option<&str>) -> Result<Message> {
        match query {
            PaperQuery::Id(id) => self.evidence_id(id),
            PaperQuery::Number(n) => match self.asked_digest(reply_to)? {
                Some(digest) => self.evidence_entry(&digest, *n),
                None => Ok(Message::sentence(self.lang.no_digest_yet())),
            },
            PaperQuery::OfDay(day, n) => match self.of_day(*day)? {
                Some(digest) => self.evidence_entry(&digest, *n),
                None => self.none_on(*day),
            },
        }
    }

    pub(super) fn evidence_id(&self, id: &PaperId) -> Result<Message> {
        Ok(match self.context.store.paper(id)? {
            Some(paper) => self.carried(&paper, None)?,
            None => Message::sentence(self.unknown(id)),
        })
    }

    pub(super) fn evidence_entry(&self, digest: &Digest, n: u32) -> Result<Message> {
        let Some(entry) = digest.entry(n) else {
            return Ok(self.no_entry(digest, n));
        };
        Ok(match self.context.store.paper(&entry.paper)? {
            Some(paper) => self.carried(&paper, Some(entry))?,
            None => Message::sentence(self.unknown(&entry.paper)),
        })
    }

    fn carried(&self, paper: &Paper, entry: Option<&Entry>) -> Result<Message> {
        let lang = self.lang;
        let (brief, replaced) = shown_brief(paper, entry, lang);
        let title = match paper.title() {
            "" => lang.no_title().to_owned(),
            title => ellipsis(title, TITLE),
        };
        let mut lines: Vec<Line> = Vec::new();
        if let Some(reason) = replaced {
            lines.push(plain(self.replacement(paper, reason)));
        }
        match &brief {
            None => lines.push(plain(lang.no_brief())),
            Some(brief) => lines.extend(self.doubts(paper, brief)),
        }
        let head = message::Entry {
            number: entry.map(|entry| entry.number),
            title: title.clone(),
            link: paper.id.link(),
            lines,
            quote: None,
        };
        let mut clauses = Vec::new();
        if let Some(brief) = &brief {
            clauses = evidence::of(&brief.text, paper);
            let note = match brief.origin {
                Origin::Model => writing::evidence(self.context.store, paper, brief.lang)?,
                Origin::Imported | Origin::Extracted => None,
            };
            if let Some(Outcome::Written { slots: Some(given), .. }) = note.map(|note| note.outcome) {
                clauses = evidence::with_given(clauses, &given, paper);
            }
        }
        let clauses = clauses.into_iter().map(|clause| Block::Entry(self.clause(&clause)));
        Ok(Message {
            running_title: title,
            blocks: std::iter::once(Block::Entry(head)).chain(clauses).collect(),
        })
    }

    /// What is to be said of a brief as a whole.
    fn doubts(&self, paper: &Paper, brief: &Brief) -> Vec<Line> {
        match brief.origin {
            Origin::Extracted => vec![vec![Span::Dim(self.lang.word_for_word().to_owned())]],
            // It was posted before the paper changed, or before it was held against it.
            Origin::Imported | Origin::Model => gate::findings(&brief.text, brief.lang, paper)
                .iter()
                .take(DOUBTS)
                .map(|finding| plain(format!("⚠ {}", finding.reason(self.lang))))
                .collect(),
        }
    }

    /// Why a written brief is not shown: as exactly as can still be told.
    fn replacement(&self, paper: &Paper, reason: Refused) -> String {
        let lang = self.lang;
        let written = paper
            .briefs
            .iter()
            .filter(|b| b.lang == lang && b.origin != Origin::Extracted);
        let exact = written
            .flat_map(|brief| gate::findings(&brief.text, lang, paper))
            .find(|finding| finding.kind == reason)
            .map(|finding| finding.reason(lang));
        lang.replaced_because(&exact.unwrap_or_else(|| lang.refused(reason).to_owned()))
    }

    fn clause(&self, clause: &Clause) -> message::Entry {
        let lang = self.lang;
        let title = match clause.slot {
            Some(slot) => lang.slot(slot).to_owned(),
            None => lang.brief_slot().to_owned(),
        };
        let stand = |stand: Stand| match stand {
            Stand::Institutions => lang.institutions_label(),
            Stand::Title => lang.title_label(),
            Stand::Abstract => lang.abstract_label(),
            Stand::Comments => lang.comments_label(),
        };
        let quotes: Vec<String> = clause
            .quotes
            .iter()
            .map(|quote| format!("{}{}", stand(quote.stand), quote.text))
            .collect();
        let mut lines = vec![plain(clause.text.clone())];
        if quotes.is_empty() {
            lines.push(vec![Span::Dim(lang.nothing_carries().to_owned())]);
        }
        message::Entry {
            number: None,
            title,
            link: None,
            lines,
            quote: (!quotes.is_empty()).then(|| quotes.join("\n")),
        }
    }
}
