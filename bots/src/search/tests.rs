//! The index as it is used: over a store, through a handle, across restarts.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeZone as _, Utc};
use paperwire_core::brief::{Brief, Origin};
use paperwire_core::paper::Field;
use paperwire_core::rule::{Scope, Term};
use paperwire_core::source::{Announcement, SourceKind};
use paperwire_core::store::{ModelStore, Write};
use paperwire_core::topic::Tier;
use tempfile::TempDir;

use super::*;

/// Everything that one run of the program has.
struct Bench {
    dir: TempDir,
    store: Arc<ModelStore>,
    search: SearchIndex,
    stop: CancellationToken,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let search = SearchIndex::new(dir.path());
        Self {
            dir,
            store: Arc::new(ModelStore::new()),
            search,
            stop: CancellationToken::new(),
        }
    }

    /// Brings the index to where the store is.
    async fn catch_up(&self) {
        let none: Arc<[Topic]> = Arc::new([]);
        self.catch_up_with(&none).await;
    }

    async fn catch_up_with(&self, topics: &Arc<[Topic]>) {
        let (storage, thread) = Storage::start(self.store.clone()).unwrap();
        let ops = Ops::new(DateTime::UNIX_EPOCH);
        let caught = self.search.catch_up(&storage, topics, &ops, false).await;
        if let Err(Failure::Index(why)) = caught {
            panic!("{why}");
        }
        storage.close();
        thread.join().unwrap();
    }

    /// The program stops and starts again.
    fn restart(&mut self) {
        self.search = SearchIndex::new(self.dir.path());
    }

    fn take(&self, paper: Paper, day: u32) {
        let seq = self.store.head().unwrap() + 1;
        let record = IntakeRecord {
            seq,
            paper: paper.id.clone(),
            announcement: Announcement::New,
            window: None,
            taken_at: Utc.with_ymd_and_hms(2026, 2, day, 12, 0, 0).unwrap(),
        };
        let writes = vec![Write::Intake(record), Write::Paper(Box::new(paper))];
        self.store.commit(writes).unwrap();
    }

    async fn page(&self, expr: Expr) -> Page {
        let zone = chrono_tz::Asia::Shanghai;
        self.search.query(Query { expr, zone }, 10, 0).await.unwrap()
    }

    /// The ids that are found, best first.
    async fn find(&self, expr: Expr) -> Vec<String> {
        let page = self.page(expr).await;
        assert_eq!(page.total, page.hits.len());
        page.hits.iter().map(|hit| hit.paper.bare().to_owned()).collect()
    }

    async fn refusal(&self, expr: Expr) -> SearchError {
        let zone = Tz::UTC;
        self.search.query(Query { expr, zone }, 10, 0).await.unwrap_err()
    }
}

fn paper(id: &str, title: &str, abstract_text: &str) -> Paper {
    let mut paper = Paper::new(PaperId::Arxiv(id.to_owned()));
    paper.title = Some(Field::new(title.to_owned(), SourceKind::ArxivMail));
    paper.abstract_text = Some(Field::new(abstract_text.to_owned(), SourceKind::ArxivMail));
    paper
}

fn words(scope: Scope, text: &str, quoted: bool) -> Expr {
    let text = text::fold(text);
    Expr::Term(Term::Words { scope, text, quoted })
}

fn word(text: &str) -> Expr {
    words(Scope::Anywhere, text, false)
}

fn not(expr: Expr) -> Expr {
    Expr::Not(Box::new(expr))
}

fn regex(pattern: &str) -> Expr {
    Expr::Term(Term::Regex(pattern.to_owned()))
}

async fn archive() -> Bench {
    let bench = Bench::new();
    let mut english = paper(
        "2602.00001",
        "Caching Keys and Values for Long Contexts",
        "We evict entries of the KV cache. A survey follows.",
    );
    let strings = |all: &[&str]| {
        Some(Field::new(
            all.iter().map(|&s| s.to_owned()).collect(),
            SourceKind::ArxivMail,
        ))
    };
    english.authors = strings(&["Klaus Müller", "Ada B. Lovelace"]);
    english.institutions = strings(&["Peking University", "Fen College"]);
    english.categories = strings(&["cs.CL", "cs.LG"]);
    bench.take(english, 1);
    let mut chinese = paper(
        "2602.00002",
        "大语言模型的推理加速",
        "本文提出一种面向混合专家模型的缓存方法，研究生命周期。",
    );
    chinese.categories = strings(&["math.CO"]);
    bench.take(chinese, 2);
    let mut brief = paper(
        "2602.00003",
        "Routing Tokens to Sparse Experts",
        "Mixture-of-experts models cache little. Memories of caches.",
    );
    brief.briefs = vec![Brief {
        lang: Lang::Zh,
        origin: Origin::Imported,
        text: "让混合专家模型更省".to_owned(),
    }];
    bench.take(brief, 3);
    bench.catch_up().await;
    bench
}

#[tokio::test]
async fn words_are_found_in_both_languages_by_their_inflections_and_the_title_counts_most() {
    let bench = archive().await;
    assert_eq!(bench.find(word("推理")).await, ["2602.00002"]);
    let mut both = bench.find(word("混合专家")).await;
    both.sort();
    assert_eq!(both, ["2602.00002", "2602.00003"]);
    assert_eq!(
        bench.find(word("cached")).await,
        ["2602.00001", "2602.00003"],
        "the title first"
    );
    assert_eq!(bench.find(word("mixture-of-experts")).await, ["2602.00003"]);
    assert_eq!(bench.find(word("memory")).await, ["2602.00003"]);
    let both = Expr::And(vec![word("kv"), word("cache")]);
    assert_eq!(bench.find(both).await, ["2602.00001"]);
    let either = Expr::Or(vec![word("推理"), word("evicted")]);
    assert_eq!(bench.page(either).await.total, 2);
    let without = Expr::And(vec![word("cache"), not(word("survey"))]);
    assert_eq!(bench.find(without).await, ["2602.00003"]);
}

#[tokio::test]
async fn what_is_quoted_is_found_as_written() {
    let bench = archive().await;
    let quoted = |text| words(Scope::Anywhere, text, true);
    assert_eq!(bench.find(quoted("caches")).await, ["2602.00003"]);
    assert_eq!(bench.find(quoted("the kv cache")).await, ["2602.00001"]);
    assert_eq!(bench.find(quoted("kv caches")).await, Vec::<String>::new());
    assert_eq!(
        bench.find(quoted("cache a survey")).await,
        Vec::<String>::new(),
        "a full stop stands between"
    );
    assert_eq!(bench.find(quoted("专家模型的缓存")).await, ["2602.00002"]);
}

#[tokio::test]
async fn each_field_answers_for_itself() {
    let bench = archive().await;
    let category = |class: Option<&str>| {
        Expr::Term(Term::Category {
            archive: "cs".to_owned(),
            class: class.map(str::to_owned),
        })
    };
    for (expr, found) in [
        (words(Scope::Title, "cache", false), vec!["2602.00001"]),
        (words(Scope::Title, "survey", false), vec![]),
        (words(Scope::Author, "muller", false), vec!["2602.00001"]),
        (words(Scope::Author, "klaus müller", true), vec!["2602.00001"]),
        (words(Scope::Author, "müller ada", false), vec![]),
        (category(Some("LG")), vec!["2602.00001"]),
        (category(None), vec!["2602.00001"]),
        (category(Some("C")), vec![]),
        (
            Expr::Term(Term::Organisation("peking university".to_owned())),
            vec!["2602.00001"],
        ),
        (Expr::Term(Term::Organisation("university fen".to_owned())), vec![]),
        (regex("kv.?cache|sparse experts$"), vec!["2602.00003", "2602.00001"]),
        (Expr::And(vec![word("cache"), not(regex("^rout"))]), vec!["2602.00001"]),
        (Expr::Or(vec![word("推理"), regex("nowhere")]), vec!["2602.00002"]),
        (not(word("cache")), vec!["2602.00002"]),
        (word("!!!"), vec![]),
    ] {
        assert_eq!(bench.find(expr.clone()).await, found, "{expr:?}");
    }
}

#[tokio::test]
async fn institutions_are_found_under_each_of_their_names() {
    let mut bench = archive().await;
    bench.search = SearchIndex::with_names(bench.dir.path(), |name| match name {
        "北京大学" => vec!["北京大学".to_owned(), "Peking University".to_owned()],
        _ => vec![name.to_owned()],
    });
    bench.catch_up().await;
    let organisation = Expr::Term(Term::Organisation("北京大学".to_owned()));
    assert_eq!(bench.find(organisation).await, ["2602.00001"]);
}

#[tokio::test]
async fn days_are_those_of_the_askers_zone_and_without_words_the_newest_come_first() {
    let bench = archive().await;
    let day = |day| NaiveDate::from_ymd_opt(2026, 2, day).unwrap();
    let from = |d| Expr::Term(Term::From(day(d)));
    let to = |d| Expr::Term(Term::To(day(d)));
    assert_eq!(bench.find(from(2)).await, ["2602.00003", "2602.00002"]);
    assert_eq!(bench.find(Expr::And(vec![from(2), to(2)])).await, ["2602.00002"]);
    let never = Expr::And(vec![
        Expr::Term(Term::From(NaiveDate::MAX)),
        Expr::Term(Term::To(NaiveDate::MAX)),
    ]);
    assert_eq!(bench.find(never).await, Vec::<String>::new());
    // Taken in at noon of UTC: the next day has begun on Kiritimati, fourteen hours ahead.
    let (expr, zone) = (from(4), chrono_tz::Pacific::Kiritimati);
    let found = bench.search.query(Query { expr, zone }, 10, 0).await.unwrap();
    assert_eq!(found.total, 1);
}

#[tokio::test]
async fn pages_follow_one_another_and_end() {
    let bench = Bench::new();
    for n in 0..120 {
        bench.take(paper(&format!("2602.{n:05}"), &format!("Cache {n}"), "cache"), 1);
    }
    bench.catch_up().await;
    let mut seen = Vec::new();
    for offset in [0, 50, 100, 150, usize::MAX] {
        let (expr, zone) = (word("cache"), Tz::UTC);
        let page = bench.search.query(Query { expr, zone }, 50, offset).await.unwrap();
        assert_eq!(page.total, 120);
        seen.extend(page.hits.into_iter().map(|hit| hit.paper));
    }
    assert_eq!(seen.len(), 120);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 120);
}

#[tokio::test]
async fn the_like_of_a_paper_are_found_without_itself() {
    let bench = archive().await;
    bench.take(
        paper("2602.00004", "Sparse experts, again", "Routing tokens with mixtures."),
        4,
    );
    bench.catch_up().await;
    let asked = bench
        .store
        .paper(&PaperId::Arxiv("2602.00003".to_owned()))
        .unwrap()
        .unwrap();
    let like = bench.search.similar(asked, 2).await.unwrap();
    assert_eq!(like[0].paper.bare(), "2602.00004");
    assert!(like.iter().all(|hit| hit.paper.bare() != "2602.00003"));
    let unknown = Paper::new(PaperId::Arxiv("2602.09999".to_owned()));
    assert_eq!(bench.search.similar(unknown, 5).await.unwrap(), []);
}

#[tokio::test]
async fn what_is_typed_is_completed_to_papers_by_title_and_by_id() {
    let bench = archive().await;
    for (typed, found) in [
        ("cach", vec!["2602.00001"]),
        ("long con", vec!["2602.00001"]),
        ("long con ", vec![]),
        ("推理加", vec!["2602.00002"]),
        ("arXiv:2602.0000", vec!["2602.00003", "2602.00002", "2602.00001"]),
        ("2602.00002", vec!["2602.00002"]),
        ("", vec![]),
        ("\u{10FFFF}", vec![]),
    ] {
        let completed = bench.search.complete(typed.to_owned(), 5).await.unwrap();
        let ids: Vec<&str> = completed.iter().map(|known| known.paper.bare()).collect();
        assert_eq!(ids, found, "{typed}");
    }
    let flood = bench.search.complete("k".repeat(10 << 20), 5).await.unwrap();
    assert_eq!(flood, []);
}

#[tokio::test]
async fn an_index_that_is_lost_damaged_or_of_another_store_is_built_anew() {
    let mut bench = archive().await;
    let index = bench.dir.path().join("search/index");
    let largest = || {
        let files = std::fs::read_dir(&index).unwrap().flatten();
        files.max_by_key(|file| file.metadata().unwrap().len()).unwrap().path()
    };
    let harms: [&dyn Fn(); 5] = [
        &|| std::fs::remove_dir_all(bench.dir.path().join("search")).unwrap(),
        &|| {
            let mut bytes = std::fs::read(largest()).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0xFF;
            std::fs::write(largest(), bytes).unwrap();
        },
        &|| std::fs::write(largest(), "").unwrap(),
        &|| std::fs::write(index.join("meta.json"), "{").unwrap(),
        &|| {
            let meta = std::fs::read_to_string(index.join("meta.json")).unwrap();
            let other = meta.replace(r#"\"version\":1"#, r#"\"version\":0"#);
            assert_ne!(other, meta);
            std::fs::write(index.join("meta.json"), other).unwrap();
        },
    ];
    for (number, harm) in harms.into_iter().enumerate() {
        harm();
        let restarted = SearchIndex::new(bench.dir.path());
        let bench = Bench {
            dir: tempfile::tempdir().unwrap(),
            store: Arc::clone(&bench.store),
            search: restarted,
            stop: CancellationToken::new(),
        };
        bench.catch_up().await;
        assert_eq!(bench.find(word("推理")).await, ["2602.00002"], "harm {number}");
        assert_eq!(bench.search.coverage(), Coverage { indexed: 3, of: 3 });
    }
    // A store that was put back from a copy is behind its index.
    bench.store = Arc::new(ModelStore::new());
    bench.take(paper("2602.00009", "Another", "推理"), 9);
    bench.restart();
    bench.catch_up().await;
    assert_eq!(bench.find(word("推理")).await, ["2602.00009"]);
    // And one that has gone on since differs at the same place.
    bench.store = Arc::new(ModelStore::new());
    bench.take(paper("2602.00010", "Yet another", "推理"), 10);
    bench.take(paper("2602.00011", "A fourth", "缓存"), 10);
    bench.restart();
    bench.catch_up().await;
    assert_eq!(bench.find(word("推理")).await, ["2602.00010"]);
}

#[tokio::test]
async fn damage_that_a_search_meets_is_answered_and_mended() {
    let bench = archive().await;
    bench.search.0.damaged.store(true, Ordering::Relaxed);
    bench.catch_up().await;
    assert_eq!(bench.find(word("推理")).await, ["2602.00002"]);
    let panicked: Result<(), SearchError> = bench.search.read(|_| panic!("this is what the test is for")).await;
    assert!(matches!(panicked, Err(SearchError::Damaged(_))));
    assert!(bench.search.0.damaged.load(Ordering::Relaxed));
}

#[tokio::test]
async fn after_a_restart_only_what_is_missing_is_taken() {
    let mut bench = archive().await;
    bench.restart();
    let unopened = bench.search.complete("cach".to_owned(), 1).await;
    assert_eq!(unopened, Err(SearchError::Opening));
    bench.take(paper("2602.00004", "Later", "推理"), 4);
    // Were the first ones taken again, this would be seen.
    let stolen = Write::Paper(Box::new(paper("2602.00002", "Stolen", "nothing")));
    bench.store.commit(vec![stolen]).unwrap();
    bench.catch_up().await;
    let mut found = bench.find(word("推理")).await;
    found.sort();
    assert_eq!(found, ["2602.00002", "2602.00004"]);
}

#[tokio::test]
async fn a_changed_paper_is_taken_anew_even_if_the_program_stopped_in_between() {
    let mut bench = archive().await;
    let repaired = paper("2602.00002", "Repaired", "Nothing of the kind.");
    let id = repaired.id.clone();
    bench.store.commit(vec![Write::Paper(Box::new(repaired))]).unwrap();
    bench.search.note_changed(&[id]);
    bench.restart();
    bench.catch_up().await;
    assert_eq!(bench.find(word("推理")).await, Vec::<String>::new());
    assert_eq!(bench.find(word("repair")).await, ["2602.00002"]);
    assert!(!bench.dir.path().join("search/changed").exists());
}

#[tokio::test]
async fn a_paper_that_got_its_real_name_is_found_once() {
    let bench = Bench::new();
    let provisional = PaperId::provisional("Caching", "kv cache");
    let mut stand_in = paper("x", "Caching", "kv cache");
    stand_in.id = provisional.clone();
    bench.take(stand_in, 1);
    bench.catch_up().await;
    assert_eq!(bench.find(word("cache")).await, [provisional.bare()]);
    let real = paper("2602.00007", "Caching", "kv cache");
    let alias = Write::Alias {
        from: provisional.clone(),
        to: real.id.clone(),
    };
    let names = [provisional, real.id.clone()];
    bench.store.commit(vec![alias, Write::Paper(Box::new(real))]).unwrap();
    bench.search.note_changed(&names);
    bench.catch_up().await;
    assert_eq!(bench.find(word("cache")).await, ["2602.00007"]);
    // Built anew, too, where the order of intake has it under the old name only.
    std::fs::remove_dir_all(bench.dir.path().join("search")).unwrap();
    bench.search.0.damaged.store(true, Ordering::Relaxed);
    bench.catch_up().await;
    assert_eq!(bench.find(word("cache")).await, ["2602.00007"]);
}

#[tokio::test]
async fn topics_are_those_that_keep_the_paper_now() {
    let bench = archive().await;
    let topic = Topic {
        id: TopicId("caches".to_owned()),
        name_zh: "缓存".to_owned(),
        name_en: "Caches".to_owned(),
        tiers: vec![Tier {
            weight: 1,
            terms: vec!["kv cache".to_owned()],
        }],
        title_factor: 1,
        excluded_terms: Vec::new(),
        categories_include: Vec::new(),
        categories_exclude: Vec::new(),
        threshold: 1,
        cap: 10,
        learned: None,
    };
    let topics: Arc<[Topic]> = Arc::new([topic.clone()]);
    let find = || bench.find(Expr::Term(Term::Topic(topic.id.clone())));
    assert_eq!(find().await, Vec::<String>::new());
    pipeline::refresh_topics(&*bench.store, &topics).unwrap();
    bench.catch_up_with(&topics).await;
    assert_eq!(find().await, ["2602.00001"]);
}

#[tokio::test]
async fn hostile_queries_are_refused_or_bounded() {
    let bench = archive().await;
    let mut deep = word("cache");
    for _ in 0..60 {
        deep = Expr::And(vec![deep, Expr::Or(vec![word("a"), word("b")])]);
    }
    let wide = Expr::Or((0..300).map(|n| word(&format!("w{n}"))).collect());
    let long = |kind: fn(String) -> Term| Expr::Term(kind("长".repeat(4 << 20)));
    for (expr, refusal) in [
        (deep, Refusal::TooDeep),
        (wide, Refusal::TooMany(200)),
        (Expr::And(vec![regex("a"); 5]), Refusal::TooMany(4)),
        (long(Term::Regex), Refusal::TooLong(500)),
        (long(Term::Organisation), Refusal::TooLong(500)),
        (word(&"y".repeat(501)), Refusal::TooLong(500)),
    ] {
        assert_eq!(bench.refusal(expr).await, SearchError::Refused(refusal));
    }
    for pattern in ["(", "(?:(?:x{200}){200}){200}", "\\p{L}{9999}", &"(".repeat(400)] {
        let refused = bench.refusal(regex(pattern)).await;
        assert!(matches!(refused, SearchError::Refused(Refusal::Regex(_))), "{pattern}");
        assert!(!refused.tell(Lang::Zh).is_empty());
    }
    assert_eq!(bench.find(regex("(a*)*(a*)*(a*)*b{3}")).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_disk_that_refuses_is_answered_with_its_reason_and_stops_nothing() {
    let bench = Bench::new();
    bench.take(paper("2602.00001", "Cache", "cache"), 1);
    // A file stands where the folder should be.
    std::fs::write(bench.dir.path().join("search"), "").unwrap();
    let (storage, _thread) = Storage::start(bench.store.clone()).unwrap();
    let ops = Ops::new(DateTime::UNIX_EPOCH);
    let run = bench.search.clone().run(storage, Arc::new([]), ops, bench.stop.clone());
    let asked = async {
        loop {
            tokio::task::yield_now().await;
            match bench.search.complete("cache".to_owned(), 1).await {
                Err(SearchError::Opening) => {}
                answer => break answer,
            }
        }
    };
    let answer = tokio::select! {
        () = run => panic!("it stopped"),
        answer = asked => answer,
    };
    assert!(
        matches!(&answer, Err(SearchError::Unavailable(why)) if !why.is_empty()),
        "{answer:?}"
    );
    assert!(bench.search.status().starts_with("search is not available"));
    assert_eq!(bench.search.finding().mark, crate::doctor::Mark::Wrong);
}

#[tokio::test]
async fn what_is_taken_in_and_repaired_through_the_service_is_found() {
    let bench = Bench::new();
    let (storage, _thread) = Storage::start(bench.store.clone()).unwrap();
    let ops = Ops::new(DateTime::UNIX_EPOCH);
    let (queued, changed) = (crate::queued::Queued::default(), Arc::default());
    let service = crate::service::Service::new(storage.clone(), Arc::new([]), queued, changed, ops.clone())
        .searching(bench.search.clone());
    let run = bench
        .search
        .clone()
        .run(storage.clone(), Arc::new([]), ops.clone(), bench.stop.clone());
    let running = tokio::spawn(run);
    let mailing = include_str!("../../sample/mailing.txt");
    let accepted = service.ingest("mailing", mailing.as_bytes().to_vec()).await.unwrap();
    let all = u64::from(accepted.papers_new);
    while bench.search.coverage() != (Coverage { indexed: all, of: all }) {
        tokio::task::yield_now().await;
    }
    let first = bench.store.intake(0, 1, 1).unwrap().remove(0).paper;
    // The same paper with a longer title: the longer one wins.
    let repaired = mailing.replacen("Title: ExitPoll:", "Title: ExitPoll Zyzzyva:", 1);
    let accepted = service.ingest("repaired", repaired.into_bytes()).await.unwrap();
    assert_eq!(accepted.changed, std::slice::from_ref(&first));
    let found = loop {
        let zone = Tz::UTC;
        let expr = word("zyzzyva");
        let page = bench.search.query(Query { expr, zone }, 10, 0).await.unwrap();
        if page.total > 0 {
            break page;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(found.hits[0].paper, first);
    assert_eq!(bench.search.status(), format!("{all} papers"));
    let good = crate::doctor::Finding::good(format!("{all} papers can be searched"));
    assert_eq!(bench.search.finding(), good);
    let figures = ops.scrape(&storage).await.unwrap();
    assert!(
        figures.contains(&format!("paperwire_search_documents {all}")),
        "{figures}"
    );
    bench.stop.cancel();
    running.await.unwrap();
}
