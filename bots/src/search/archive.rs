//! The index on disk: what is in a paper's document, how one is replaced, and up to where the index is.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use paperwire_core::brief::Origin;
use paperwire_core::channel::Seq;
use paperwire_core::paper::{Paper, PaperId};
use paperwire_core::text::fold;
use paperwire_core::topic::TopicId;
use serde::{Deserialize, Serialize};
use tantivy::collector::{Count, TopDocs};
use tantivy::directory::MmapDirectory;
use tantivy::indexer::IndexWriterOptions;
use tantivy::query::{AllQuery, BooleanQuery, BoostQuery, ConstScoreQuery, Occur, TermQuery, TermSetQuery};
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions, Value as _,
};
use tantivy::{
    DocAddress, Index, IndexReader, IndexWriter, Order, ReloadPolicy, Searcher, TantivyDocument, TantivyError, Term,
};
use tokio::time::Instant;

use super::compile::{self, Compiled, Names, Scan};
use super::words::{self, Form};
use super::{Found, Hit, Query, SearchError, Suggestion};

/// Raised when the schema or the rules of [`super::words`] change: an index of another version is built anew.
const VERSION: u32 = 1;
/// A word of the title counts as much as so many of the abstract.
const TITLE_WEIGHT: usize = 3;
/// How much the writer gathers before it writes a segment, in bytes.
const WRITER_MEMORY: usize = 24_000_000;
/// Results are ranked by their words; of so many neighbours in that order, newer ones may pass older ones.
const NEIGHBOURS: usize = 50;
/// By how much the newest paper gains on one that is very old, in parts of the score.
const RECENCY: f32 = 0.1;
/// The most results that can be turned over to.
const DEEPEST: usize = 10_000;
/// How long a search with a regular expression may read texts.
const SCAN: Duration = Duration::from_millis(300);
/// How many of a paper's words a search for its like uses: those that tell most.
const TELLING: usize = 25;
/// How many words may begin as typed, and how many of them are looked at.
const BEGINNINGS: (usize, usize) = (64, 2_000);
/// The longest text that autocompletion looks at, in characters.
const LONGEST_TYPED: usize = 200;

/// The fields of a document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    /// The paper's id.
    pub(super) id: Field,
    /// Title, abstract and briefs; the title [`TITLE_WEIGHT`] times.
    pub(super) text: Field,
    /// The same as written.
    pub(super) text_exact: Field,
    /// The title alone.
    pub(super) title: Field,
    /// The same as written.
    pub(super) title_exact: Field,
    /// Authors.
    pub(super) author: Field,
    /// Institutions.
    pub(super) organisation: Field,
    /// `cs.cl`, and `cs` for its archive.
    pub(super) category: Field,
    /// The topics that keep it.
    pub(super) topic: Field,
    /// When it was taken in, in seconds since the epoch.
    pub(super) taken: Field,
    /// The title, to be shown.
    pub(super) shown: Field,
    /// The abstract, to be read by regular expressions.
    pub(super) read: Field,
}

/// What `taken` is called in the columns.
const TAKEN: &str = "taken";

fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let words = |form: Form, option: IndexRecordOption| {
        let indexing = TextFieldIndexing::default()
            .set_tokenizer(form.name())
            .set_index_option(option);
        TextOptions::default().set_indexing_options(indexing)
    };
    let positions = IndexRecordOption::WithFreqsAndPositions;
    let fields = Fields {
        id: schema.add_text_field("id", STRING | STORED),
        text: schema.add_text_field("text", words(Form::Stemmed, positions)),
        text_exact: schema.add_text_field("text_exact", words(Form::Exact, positions)),
        title: schema.add_text_field("title", words(Form::Stemmed, positions)),
        title_exact: schema.add_text_field("title_exact", words(Form::Exact, positions)),
        author: schema.add_text_field("author", words(Form::Name, positions)),
        organisation: schema.add_text_field("organisation", words(Form::Name, positions)),
        category: schema.add_text_field("category", STRING),
        topic: schema.add_text_field("topic", STRING),
        taken: schema.add_i64_field(TAKEN, FAST | INDEXED),
        shown: schema.add_text_field("shown", TextOptions::default().set_stored()),
        read: schema.add_text_field("read", TextOptions::default().set_stored()),
    };
    (schema.build(), fields)
}

/// Up to where an index is; stands in its last commit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    version: u32,
    /// Everything up to this intake position is in it.
    pub(super) seq: Seq,
    /// When the paper at that position was taken in: another store has another.
    pub(super) at: Option<DateTime<Utc>>,
    /// With which topics.
    pub(super) topics: u64,
}

impl Mark {
    /// The beginning.
    pub(super) fn new(topics: u64) -> Self {
        Self {
            version: VERSION,
            topics,
            ..Self::default()
        }
    }
}

/// A paper as it goes into the index.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) paper: Paper,
    pub(super) taken_at: DateTime<Utc>,
    pub(super) topics: Vec<TopicId>,
}

/// An index that is open.
pub(super) struct Archive {
    index: Index,
    reader: IndexReader,
    fields: Fields,
    folder: PathBuf,
}

/// Adds to an index; there is one at a time.
pub(super) struct Writer {
    writer: IndexWriter,
    fields: Fields,
}

impl Archive {
    /// Opens the index in a folder, after every byte of it was checked. `Err` when there is none, or it is damaged or of
    /// another version; why, in one sentence.
    pub(super) fn open(folder: &Path) -> Result<(Self, Mark), String> {
        let why = |error: TantivyError| error.to_string();
        let directory = MmapDirectory::open(folder).map_err(|error| error.to_string())?;
        if !Index::exists(&directory).map_err(|error| error.to_string())? {
            return Err("there is none".to_owned());
        }
        let index = Index::open(directory).map_err(why)?;
        if index.schema() != schema().0 {
            return Err("it is of another version".to_owned());
        }
        let payload = index.load_metas().map_err(why)?.payload;
        let mark = payload.and_then(|payload| serde_json::from_str::<Mark>(&payload).ok());
        let Some(mark) = mark.filter(|mark| mark.version == VERSION) else {
            return Err("it is of another version, or was never finished".to_owned());
        };
        let damaged = index.validate_checksum().map_err(why)?;
        if let Some(file) = damaged.iter().next() {
            return Err(format!("{} is damaged", file.display()));
        }
        let archive = Self::of(index, folder).map_err(why)?;
        let chinese = Term::from_field_text(archive.fields.text, "的");
        if archive.reader.searcher().doc_freq(&chinese).map_err(why)? > 0 {
            words::load_dictionary();
        }
        Ok((archive, mark))
    }

    /// An empty one, whatever stood there.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn create(folder: &Path) -> Result<Self, String> {
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.to_string()),
            Ok(()) | Err(_) => {}
        }
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        let index = Index::create_in_dir(folder, schema().0).map_err(|error| error.to_string())?;
        Self::of(index, folder).map_err(|error| error.to_string())
    }

    fn of(index: Index, folder: &Path) -> tantivy::Result<Self> {
        for form in Form::ALL {
            index.tokenizers().register(form.name(), form.analyzer());
        }
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .doc_store_cache_num_blocks(16)
            .try_into()?;
        Ok(Self {
            index,
            reader,
            fields: schema().1,
            folder: folder.to_owned(),
        })
    }

    /// Begins to write.
    pub(super) fn writer(&self) -> tantivy::Result<Writer> {
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .num_merge_threads(1)
            .memory_budget_per_thread(WRITER_MEMORY)
            .build();
        Ok(Writer {
            writer: self.index.writer_with_options(options)?,
            fields: self.fields,
        })
    }

    /// Removes files that nothing needs any more: those of segments that were merged are kept while searches use them.
    pub(super) fn tidy(&self) -> tantivy::Result<()> {
        self.writer()?.writer.garbage_collect_files().wait().map(drop)
    }

    /// Lets searches see what was committed.
    pub(super) fn reload(&self) -> tantivy::Result<()> {
        self.reader.reload()
    }

    /// How many papers searches see.
    pub(super) fn documents(&self) -> u64 {
        self.reader.searcher().num_docs()
    }

    /// How much the index takes on disk, in bytes.
    pub(super) fn size(&self) -> u64 {
        let files = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        files
            .filter_map(|file| file.metadata().ok())
            .map(|metadata| metadata.len())
            .sum()
    }

    /// The papers that a query finds.
    pub(super) fn query(&self, query: &Query, limit: usize, offset: usize, names: Names) -> Result<Found, SearchError> {
        let searcher = self.reader.searcher();
        let Compiled { scan, ranked, skips } = compile::compile(query, &self.fields, names)?;
        let (query, complete) = match scan {
            Scan::No(query) => (query, true),
            Scan::Regexes(scan) => scan.run(&searcher, &self.fields, Instant::now() + SCAN)?,
        };
        let upto = offset.saturating_add(limit).min(DEEPEST);
        let whole = upto.div_ceil(NEIGHBOURS) * NEIGHBOURS;
        let best = || TopDocs::with_limit(whole).order_by_score();
        let (found, total) = if upto <= offset {
            (Vec::new(), query.count(&searcher)?)
        } else if !ranked {
            let by_time = TopDocs::with_limit(upto).order_by_fast_field::<i64>(TAKEN, Order::Desc);
            let (found, total) = searcher.search(&query, &(by_time, Count))?;
            (found.into_iter().map(|(_, at)| (0.0, at)).collect(), total)
        } else if skips {
            // Counting looks at no word's frequency, and ranking at few papers: cheaper than both in one pass.
            let found = searcher.search(&query, &best())?;
            (newer_first(&searcher, found)?, query.count(&searcher)?)
        } else {
            let (found, total) = searcher.search(&query, &(best(), Count))?;
            (newer_first(&searcher, found)?, total)
        };
        let page = found.into_iter().skip(offset).take(limit);
        Ok(Found {
            total,
            hits: page
                .map(|(score, at)| self.hit(&searcher, score, at))
                .collect::<Result<_, _>>()?,
            complete,
        })
    }

    /// The papers whose words are most like this one's.
    pub(super) fn similar(&self, paper: &Paper, limit: usize) -> Result<Vec<Hit>, SearchError> {
        let searcher = self.reader.searcher();
        let mut frequencies: HashMap<String, f32> = HashMap::new();
        let mut analyzer = Form::Stemmed.analyzer();
        for (text, weight) in [(paper.title(), TITLE_WEIGHT), (paper.abstract_text(), 1)] {
            analyzer.token_stream(text).process(&mut |token| {
                let count = frequencies.entry(token.text.clone()).or_default();
                *count += weight as f32;
            });
        }
        let papers = searcher.num_docs() as f32;
        let mut telling = Vec::new();
        for (word, frequency) in frequencies {
            // A number, or a single letter or character, says nothing about what a paper is about.
            if word.chars().count() < 2 || word.chars().all(|c| c.is_ascii_digit()) {
                continue;
            }
            let term = Term::from_field_text(self.fields.text, &word);
            let with_it = searcher.doc_freq(&term)?;
            if with_it > 0 {
                let rarity = (1.0 + papers / with_it as f32).ln();
                telling.push((frequency.sqrt() * rarity, term));
            }
        }
        telling.sort_by(|(a, x), (b, y)| b.total_cmp(a).then_with(|| x.cmp(y)));
        telling.truncate(TELLING);
        let words = telling.into_iter().map(|(weight, term)| {
            let query = TermQuery::new(term, IndexRecordOption::WithFreqs);
            let query: Box<dyn tantivy::query::Query> = Box::new(BoostQuery::new(Box::new(query), weight));
            (Occur::Should, query)
        });
        let query = BooleanQuery::new(words.collect());
        let mut hits = Vec::new();
        // One more, since the paper itself is the likest of all.
        for (score, at) in searcher.search(&query, &TopDocs::with_limit(limit + 1).order_by_score())? {
            let hit = self.hit(&searcher, score, at)?;
            if hit.paper != paper.id && hits.len() < limit {
                hits.push(hit);
            }
        }
        Ok(hits)
    }

    /// Papers whose arXiv id begins so, then those with a word in the title that does, the newest first.
    pub(super) fn complete(&self, typed: &str, limit: usize) -> Result<Vec<Suggestion>, SearchError> {
        let typed: String = typed.chars().take(LONGEST_TYPED).collect();
        let searcher = self.reader.searcher();
        let mut found: Vec<Suggestion> = Vec::new();
        let lower = fold(&typed);
        let id = lower.trim().trim_start_matches("arxiv:").trim_start();
        let queries = [self.ids(&searcher, id)?, self.title_words(&searcher, &typed)?];
        for query in queries.into_iter().flatten() {
            for (_, at) in newest(&searcher, &*query, limit)? {
                let Hit { paper, title, .. } = self.hit(&searcher, 0.0, at)?;
                if found.len() < limit && !found.iter().any(|known| known.paper == paper) {
                    found.push(Suggestion { paper, title });
                }
            }
        }
        Ok(found)
    }

    /// Papers with such an arXiv id.
    fn ids(&self, searcher: &Searcher, id: &str) -> Result<Option<Box<dyn tantivy::query::Query>>, SearchError> {
        if !id.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Ok(None);
        }
        let terms = beginnings(searcher, self.fields.id, &format!("arxiv:{id}"))?;
        Ok((!terms.is_empty()).then(|| Box::new(TermSetQuery::new(terms)) as _))
    }

    /// Papers with these words in the title, of which the last may have been typed in part.
    fn title_words(
        &self,
        searcher: &Searcher,
        typed: &str,
    ) -> Result<Option<Box<dyn tantivy::query::Query>>, SearchError> {
        let field = self.fields.title_exact;
        let mut words = Form::Exact.phrases(typed).into_iter().next().unwrap_or_default();
        let in_part = !typed.ends_with(|c: char| !c.is_alphanumeric());
        let last = if in_part { words.pop() } else { None };
        let mut all: Vec<(Occur, Box<dyn tantivy::query::Query>)> = Vec::new();
        for (_, word) in &words {
            let term = Term::from_field_text(field, word);
            all.push((Occur::Must, Box::new(TermQuery::new(term, IndexRecordOption::Basic))));
        }
        if let Some((_, last)) = last {
            let terms = beginnings(searcher, field, &last)?;
            if terms.is_empty() {
                return Ok(None);
            }
            all.push((Occur::Must, Box::new(TermSetQuery::new(terms))));
        }
        Ok((!all.is_empty()).then(|| Box::new(BooleanQuery::new(all)) as _))
    }

    fn hit(&self, searcher: &Searcher, score: f32, at: DocAddress) -> Result<Hit, SearchError> {
        let document: TantivyDocument = searcher.doc(at)?;
        let text = |field| {
            document
                .get_first(field)
                .and_then(|value| value.as_str())
                .unwrap_or_default()
        };
        let id = text(self.fields.id);
        Ok(Hit {
            paper: id
                .parse::<PaperId>()
                .map_err(|error| SearchError::Damaged(error.to_string()))?,
            title: text(self.fields.shown).to_owned(),
            score,
        })
    }
}

/// The terms of a field that begin so, the most frequent ones.
fn beginnings(searcher: &Searcher, field: Field, prefix: &str) -> Result<Vec<Term>, SearchError> {
    let (most, looked_at) = BEGINNINGS;
    let mut frequencies: HashMap<Vec<u8>, u32> = HashMap::new();
    for segment in searcher.segment_readers() {
        let inverted = segment.inverted_index(field)?;
        let from = inverted.terms().range().ge(prefix.as_bytes());
        let mut terms = from.into_stream().map_err(TantivyError::from)?;
        for _ in 0..looked_at {
            if !terms.advance() || !terms.key().starts_with(prefix.as_bytes()) {
                break;
            }
            *frequencies.entry(terms.key().to_vec()).or_default() += terms.value().doc_freq;
        }
    }
    let mut frequencies: Vec<(Vec<u8>, u32)> = frequencies.into_iter().collect();
    frequencies.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
    frequencies.truncate(most);
    let words = frequencies
        .into_iter()
        .filter_map(|(word, _)| String::from_utf8(word).ok());
    Ok(words.map(|word| Term::from_field_text(field, &word)).collect())
}

/// The newest that a query finds.
fn newest(
    searcher: &Searcher,
    query: &dyn tantivy::query::Query,
    limit: usize,
) -> Result<Vec<(f32, DocAddress)>, SearchError> {
    let by_time = TopDocs::with_limit(limit.max(1)).order_by_fast_field::<i64>(TAKEN, Order::Desc);
    let found = searcher.search(query, &by_time)?;
    Ok(found.into_iter().take(limit).map(|(_, at)| (0.0, at)).collect())
}

/// Of neighbours whose words fit about as well, the newer one first. A paper stays within its stretch of [`NEIGHBOURS`],
/// so that the pages of one search do not overlap.
fn newer_first(searcher: &Searcher, mut found: Vec<(f32, DocAddress)>) -> Result<Vec<(f32, DocAddress)>, SearchError> {
    const YEAR: f32 = 365.0 * 86_400.0;
    let columns = searcher
        .segment_readers()
        .iter()
        .map(|segment| segment.fast_fields().i64(TAKEN));
    let columns = columns.collect::<tantivy::Result<Vec<_>>>()?;
    let latest = columns
        .iter()
        .map(|column| column.max_value())
        .max()
        .unwrap_or_default();
    for (score, at) in &mut found {
        let column = columns.get(at.segment_ord as usize);
        let taken = column.and_then(|column| column.first(at.doc_id)).unwrap_or_default();
        let years = latest.saturating_sub(taken) as f32 / YEAR;
        *score *= 1.0 + RECENCY / (1.0 + years);
    }
    for stretch in found.chunks_mut(NEIGHBOURS) {
        stretch.sort_by(|(a, x), (b, y)| b.total_cmp(a).then_with(|| x.cmp(y)));
    }
    Ok(found)
}

/// Every paper, without a score.
pub(super) fn everything() -> Box<dyn tantivy::query::Query> {
    Box::new(ConstScoreQuery::new(Box::new(AllQuery), 0.0))
}

impl Writer {
    /// Removes what is known under this name.
    pub(super) fn remove(&mut self, id: &PaperId) {
        self.writer
            .delete_term(Term::from_field_text(self.fields.id, &id.to_string()));
    }

    /// Puts a paper in the place of what is known under its name.
    pub(super) fn put(&mut self, entry: &Entry) -> tantivy::Result<()> {
        self.remove(&entry.paper.id);
        self.writer.add_document(document(&self.fields, entry))?;
        Ok(())
    }

    /// Makes it durable, together with how far it goes.
    pub(super) fn commit(&mut self, mark: &Mark) -> tantivy::Result<()> {
        let payload = serde_json::to_string(mark).map_err(|error| TantivyError::InternalError(error.to_string()))?;
        let mut prepared = self.writer.prepare_commit()?;
        prepared.set_payload(&payload);
        prepared.commit()?;
        Ok(())
    }

    /// Ends when what goes on behind it has: fewer segments are faster to search.
    pub(super) fn close(self) -> tantivy::Result<()> {
        self.writer.wait_merging_threads()
    }
}

fn document(
    fields: &Fields,
    Entry {
        paper,
        taken_at,
        topics,
    }: &Entry,
) -> TantivyDocument {
    let mut document = TantivyDocument::new();
    document.add_text(fields.id, paper.id.to_string());
    let (title, abstract_text) = (paper.title(), paper.abstract_text());
    // What is taken from the abstract says nothing that the abstract does not.
    let briefs = paper.briefs.iter().filter(|brief| brief.origin != Origin::Extracted);
    let briefs: Vec<&str> = briefs.map(|brief| brief.text.as_str()).collect();
    for field in [fields.text, fields.text_exact] {
        for _ in 0..TITLE_WEIGHT {
            document.add_text(field, title);
        }
        for text in [abstract_text].iter().chain(&briefs) {
            document.add_text(field, text);
        }
    }
    for field in [fields.title, fields.title_exact, fields.shown] {
        document.add_text(field, title);
    }
    document.add_text(fields.read, abstract_text);
    for author in paper.authors() {
        document.add_text(fields.author, author);
    }
    for institution in paper.institutions() {
        document.add_text(fields.organisation, institution);
    }
    let categories: Vec<String> = paper.categories().iter().map(|name| fold(name)).collect();
    let archives = categories.iter().filter_map(|name| Some(name.split_once('.')?.0));
    let mut archives: Vec<&str> = archives.collect();
    archives.sort_unstable();
    archives.dedup();
    for name in categories.iter().map(String::as_str).chain(archives) {
        document.add_text(fields.category, name);
    }
    for topic in topics {
        document.add_text(fields.topic, &topic.0);
    }
    document.add_i64(fields.taken, taken_at.timestamp());
    document
}
