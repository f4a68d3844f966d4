//! The page from the outside: requests in, responses out, over a store and a desk of the tests' own.

use std::sync::Mutex;

use axum::body::{Body, to_bytes};
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use futures::future::BoxFuture;
use paperwire_core::brief::{Brief, Origin, Refused};
use paperwire_core::channel::{Activity, Channel, Missed, Platform, Seq, Settings, Style, WhenEmpty};
use paperwire_core::delivery::{Delivery, DeliveryId, Tag};
use paperwire_core::digest::{Digest, DigestId, Entry, EntryBrief, RenderingId};
use paperwire_core::erratum::{Detail, Errata, Erratum, Kind};
use paperwire_core::message::{self, Block, Message, Part, Span, plain};
use paperwire_core::paper::{Field, Paper};
use paperwire_core::source::{SourceKind, Window};
use paperwire_core::store::{ContentRecord, DigestSummary, IntakeRecord, MatchRecord, StoreError, WindowRecord, Write};
use paperwire_core::subscription::Subjects;
use tower::ServiceExt as _;

use super::*;
use crate::messenger::Messenger as _;

/// What the pages read, as plain lists.
#[derive(Default)]
struct Shelf {
    channels: Vec<Channel>,
    /// Newest first.
    deliveries: Mutex<Vec<Delivery>>,
    parts: Vec<(RenderingId, Part)>,
    /// Newest first.
    digests: Vec<Digest>,
    papers: Vec<Paper>,
    errata: Option<Errata>,
    broken: bool,
}

/// Everything that no page asks for.
fn nothing<T: Default>() -> StoreResult<T> {
    Ok(T::default())
}

impl Store for Shelf {
    fn paper(&self, id: &PaperId) -> StoreResult<Option<Paper>> {
        Ok(self.papers.iter().find(|p| p.id == *id).cloned())
    }
    fn head(&self) -> StoreResult<Seq> {
        if self.broken {
            return Err(StoreError::Broken("disk full".into()));
        }
        Ok(self.papers.len() as Seq)
    }
    fn channel(&self, place: &Place) -> StoreResult<Option<Channel>> {
        Ok(self.channels.iter().find(|c| c.place == *place).cloned())
    }
    fn channels(&self) -> StoreResult<Vec<Channel>> {
        self.head()?;
        Ok(self.channels.clone())
    }
    fn digest(&self, id: &DigestId) -> StoreResult<Option<Digest>> {
        Ok(self.digests.iter().find(|d| d.id == *id).cloned())
    }
    fn digests(&self, before: Option<DigestId>, limit: usize) -> StoreResult<Vec<DigestId>> {
        let ids = self.digests.iter().map(|d| d.id);
        Ok(ids.filter(|id| before.is_none_or(|b| *id < b)).take(limit).collect())
    }
    fn part(&self, id: &RenderingId, _: u32) -> StoreResult<Option<Part>> {
        let found = self.parts.iter().find(|(each, _)| each == id);
        found.map(|(_, part)| Some(part.clone())).ok_or(StoreError::Damaged {
            key: id.to_string(),
            reason: "cut short".into(),
        })
    }
    fn deliveries(&self, place: &Place, _: Option<DigestId>, limit: usize) -> StoreResult<Vec<Delivery>> {
        let all = self.deliveries.lock().unwrap();
        Ok(all
            .iter()
            .filter(|d| d.id.place == *place)
            .take(limit)
            .cloned()
            .collect())
    }
    fn similar(&self, _: &[u64]) -> StoreResult<Vec<PaperId>> {
        nothing()
    }
    fn intake(&self, _: Seq, _: Seq, _: usize) -> StoreResult<Vec<IntakeRecord>> {
        nothing()
    }
    fn intake_of(&self, _: &PaperId) -> StoreResult<Option<IntakeRecord>> {
        nothing()
    }
    fn windows(&self) -> StoreResult<Vec<WindowRecord>> {
        nothing()
    }
    fn window(&self, _: &Window) -> StoreResult<Option<WindowRecord>> {
        nothing()
    }
    fn content(&self, _: &str) -> StoreResult<Option<ContentRecord>> {
        nothing()
    }
    fn matches(&self, _: &TopicId, _: Seq, _: Seq) -> StoreResult<Vec<MatchRecord>> {
        nothing()
    }
    fn topic_fingerprint(&self, _: &TopicId) -> StoreResult<Option<u64>> {
        nothing()
    }
    fn channels_due(&self, _: DateTime<Utc>, _: usize) -> StoreResult<Vec<Channel>> {
        nothing()
    }
    fn next_channel_due(&self) -> StoreResult<Option<DateTime<Utc>>> {
        nothing()
    }
    fn delivery(&self, id: &DeliveryId) -> StoreResult<Option<Delivery>> {
        Ok(self.deliveries.lock().unwrap().iter().find(|d| d.id == *id).cloned())
    }
    fn due(&self, _: Platform, _: DateTime<Utc>, _: usize) -> StoreResult<Vec<Delivery>> {
        nothing()
    }
    fn next_due(&self, _: Platform) -> StoreResult<Option<DateTime<Utc>>> {
        nothing()
    }
    fn leased(&self, _: Platform) -> StoreResult<Vec<Delivery>> {
        nothing()
    }
    fn messages_in_chat(&self, _: &Place, _: usize) -> StoreResult<Vec<String>> {
        nothing()
    }
    fn sends(&self, _: Platform, _: DateTime<Utc>) -> StoreResult<Vec<(String, DateTime<Utc>)>> {
        nothing()
    }
    fn limiter_memory(&self, _: Platform) -> StoreResult<Option<String>> {
        nothing()
    }
    fn finished_before(&self, _: DateTime<Utc>, _: usize) -> StoreResult<Vec<DeliveryId>> {
        nothing()
    }
    fn digest_summary(&self, _: &DigestId) -> StoreResult<Option<DigestSummary>> {
        nothing()
    }
    fn digests_of_paper(&self, _: &PaperId) -> StoreResult<Vec<DigestId>> {
        nothing()
    }
    fn deliveries_of_digest(&self, _: &DigestId) -> StoreResult<Vec<DeliveryId>> {
        nothing()
    }
    fn errata(&self, id: &DigestId) -> StoreResult<Option<Errata>> {
        Ok(self.errata.clone().filter(|errata| errata.digest == *id))
    }
    fn unfinished(&self, _: usize) -> StoreResult<Vec<Delivery>> {
        nothing()
    }
    fn dead_letters(&self, _: usize) -> StoreResult<Vec<Delivery>> {
        nothing()
    }
    fn digest_of_message(&self, _: &Place, _: &str) -> StoreResult<Option<DigestId>> {
        nothing()
    }
    fn digests_of_place(&self, _: &Place, _: usize) -> StoreResult<Vec<DigestId>> {
        nothing()
    }
    fn commit(&self, _: Vec<Write>) -> StoreResult<()> {
        nothing()
    }
    fn sync(&self) -> StoreResult<()> {
        nothing()
    }
}

/// Repeats what it understood; pages of a search are turned, `w:` is silent, and a saved list is a file.
#[derive(Default)]
struct Echo {
    asked: Mutex<Vec<Question>>,
}

impl Desk for Echo {
    fn answer(&self, question: Question) -> BoxFuture<'_, Answer> {
        self.asked.lock().unwrap().push(question.clone());
        let message = Message::sentence(format!("{} {:?}", question.place, question.command));
        let mut answer = Answer::new(message, question.fallback_lang);
        match &question.command {
            Ok(Command::Press(data)) if data.starts_with("u:") => answer.manner = Manner::Notice,
            Ok(Command::Press(data)) if data.starts_with("w:") => answer.manner = Manner::Silent,
            Ok(Command::Press(_)) => {
                answer.manner = Manner::Replace;
                answer.buttons = pages(1);
            }
            Ok(Command::Search(_)) => answer.buttons = pages(0),
            Ok(Command::Saved(_)) => {
                answer.file = Some(command::Attachment {
                    name: "saved.bib".into(),
                    mime: "application/x-bibtex",
                    bytes: "@misc{阅读}".into(),
                });
            }
            _ => {}
        }
        Box::pin(std::future::ready(answer))
    }

    fn suggest(&self, _: crate::desk::Typing) -> BoxFuture<'_, Vec<crate::desk::Choice>> {
        Box::pin(std::future::ready(Vec::new()))
    }

    fn inline(&self, _: crate::desk::Inline) -> BoxFuture<'_, (Vec<crate::desk::Found>, Option<u32>)> {
        Box::pin(std::future::ready((Vec::new(), None)))
    }

    fn serves(&self, _: &Place) -> bool {
        true
    }

    fn moved(&self, _: Place, _: Place) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Buttons to the neighbours of a page, and one that is called after a paper.
fn pages(page: u32) -> Vec<Vec<command::press::Button>> {
    let button = |label: &str, data: String| command::press::Button {
        label: label.to_owned(),
        data,
    };
    vec![
        vec![
            button("‹", format!("q:0:{}", page.saturating_sub(1))),
            button("›", format!("q:0:{}", page + 1)),
        ],
        vec![button(NASTY, "o:1".into())],
    ]
}

const NASTY: &str = "</h3><script>alert('x')</script> & \"quotes\"";

fn noon(day: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2025, 10, day, 4, 0, 0).unwrap()
}

fn lobby() -> Place {
    Place::web("lobby").unwrap()
}

fn web_channel(name: &str) -> Channel {
    Channel {
        place: Place::web(name).unwrap(),
        settings: Settings {
            subjects: subjects(),
            schedule: None,
            timezone: Tz::Asia__Shanghai,
            language: Lang::Zh,
            when_empty: WhenEmpty::Say,
            missed: Missed::Merge,
            weekly: None,
            style: Style::Full,
        },
        cursor: 0,
        last_fired: None,
        next_due: Some(noon(13)),
        last_weekly: None,
        weekly_due: None,
        activity: Activity::Active,
        added_at: noon(1),
        configured_as: None,
        configured_with: None,
        owner: None,
        resting: Subjects::default(),
        mentions: Vec::new(),
    }
}

fn subjects() -> Subjects {
    Subjects::new([TopicId("inference".into())], [])
}

const PAPERS: [(&str, &str, &str); 3] = [
    (
        "Folding the Cache: Head-wise Key-Value Eviction for Long-Context Decoding",
        "哈尔滨理工大学与远洋实验室发布了 FoldKV 论文，使用逐头键值缓存淘汰技术，解决了长上下文解码显存占用大的问题，达成了显存减少 71%、吞吐提升 2.3 倍的效果。",
        "FoldKV keeps 29 % of the cache and decodes 2.3 times faster on 128k-token prompts, without retraining.",
    ),
    (
        "Two Bits Are Enough for Most Layers: Mixed-Precision Quantisation by Curvature",
        "蒙特雷技术大学发布了 CurvQuant 论文，使用基于曲率的混合精度量化技术，解决了低比特量化精度下降的问题，达成了平均 2.4 比特下困惑度仅上升 0.3 的效果。",
        "CurvQuant spends its bits where the loss curves most: 2.4 bits a weight on average for a perplexity 0.3 higher.",
    ),
    (
        NASTY,
        "使用投机解码技术，解决了小批量推理延迟高的问题。",
        "Speculative decoding with a draft model that shares the target's first layers.",
    ),
];

fn paper_id(i: usize) -> PaperId {
    PaperId::Arxiv(format!("2510.0921{i}"))
}

fn a_paper(i: usize) -> Paper {
    let (title, zh, en) = PAPERS[i];
    let field = |text: &str| Some(Field::new(text.to_owned(), SourceKind::ArxivMail));
    let list = |items: &[&str]| {
        Some(Field::new(
            items.iter().map(|&s| s.to_owned()).collect::<Vec<_>>(),
            SourceKind::ArxivMail,
        ))
    };
    let mut paper = Paper::new(paper_id(i));
    paper.title = field(title);
    paper.authors = list(&["Mira Estévez", "Wen Qiaoyu", "Tomás Okafor", NASTY]);
    paper.institutions = list(&["Ocean Laboratory", "Harbour University of Science"]);
    paper.categories = list(&["cs.LG", "cs.CL"]);
    paper.abstract_text = field(
        "Long prompts make the key-value cache, not the weights, the bottleneck of decoding. We observe that attention heads differ \
         widely in how far back they look, and give each head a budget of its own, learned from a handful of calibration prompts. \
         The code is at https://github.com/example/foldkv.",
    );
    paper.submitted = Some(noon(8));
    paper.comments = field("12 pages, 5 figures");
    paper.briefs = vec![
        brief(Lang::Zh, Origin::Imported, zh),
        brief(Lang::En, Origin::Extracted, en),
    ];
    paper
}

fn brief(lang: Lang, origin: Origin, text: &str) -> Brief {
    Brief {
        lang,
        origin,
        text: text.into(),
    }
}

fn a_digest(day: u32) -> Digest {
    let entry = |i: usize| Entry {
        number: u32::try_from(i).unwrap() + 1,
        paper: paper_id(i),
        title: PAPERS[i].0.into(),
        briefs: Lang::ALL
            .into_iter()
            .zip(a_paper(i).briefs)
            .map(|(reader, brief)| EntryBrief {
                reader,
                brief,
                replaced: None,
            })
            .collect(),
        institutions: a_paper(i).institutions().to_vec(),
        author_count: Some(4),
        points: 20,
        topics: vec![],
        hits: vec![],
    };
    Digest {
        id: DigestId::new(&subjects(), 0, noon(day)),
        subjects: subjects(),
        week: None,
        since: 0,
        upto: 363,
        windows: vec![],
        considered: 363,
        matched: 39,
        entries: (0..PAPERS.len()).map(entry).collect(),
    }
}

fn a_message(day: u32) -> Message {
    let digest = a_digest(day);
    let mut blocks = vec![
        Block::Heading(format!("AI推理加速 · 2025-10-{day:02} · 3篇")),
        Block::Paragraph(plain("新到 363 篇，其中 39 篇相关，选出 3 篇。")),
    ];
    for (entry, i) in digest.entries.iter().zip(0..) {
        blocks.push(Block::Entry(message::Entry {
            number: Some(entry.number),
            title: entry.title.clone(),
            link: entry.paper.link(),
            lines: vec![
                plain(PAPERS[i].1),
                vec![Span::Dim(format!("{} · 4 位作者", entry.institutions.join("、")))],
            ],
            quote: Some(a_paper(i).abstract_text().to_owned()),
        }));
    }
    Message {
        running_title: "AI推理加速".into(),
        blocks,
    }
}

fn a_delivery(day: u32, key: &str) -> Delivery {
    let digest = a_digest(day).id;
    let rendering = RenderingId {
        digest,
        platform: Platform::Web,
        lang: Lang::Zh,
        style: Style::Full,
        zone: Tz::Asia__Shanghai,
        revision: 0,
    };
    let id = DeliveryId::post(lobby(), digest);
    let mut delivery = Delivery::new(id, rendering, 1, noon(day) + TimeDelta::seconds(1));
    delivery.message_ids = vec![key.into()];
    delivery
}

/// A channel with two digests that arrived.
fn shelf() -> Shelf {
    let deliveries = vec![a_delivery(10, "key10"), a_delivery(9, "key9")];
    Shelf {
        channels: vec![web_channel("lobby")],
        parts: deliveries
            .iter()
            .zip([10, 9])
            .map(|(d, day)| (d.rendering.clone(), markup::render(&a_message(day)).remove(0)))
            .collect(),
        deliveries: Mutex::new(deliveries),
        digests: (7..=10).rev().map(a_digest).collect(),
        papers: (0..PAPERS.len()).map(a_paper).collect(),
        errata: None,
        broken: false,
    }
}

struct Page {
    app: Router,
    live: Live,
    stop: CancellationToken,
    desk: Arc<Echo>,
}

fn page_over(shelf: Shelf) -> Page {
    let (storage, _) = Storage::start(Arc::new(shelf)).unwrap();
    let live = Live::default();
    let stop = CancellationToken::new();
    let desk = Arc::new(Echo::default());
    let state = WebState {
        storage,
        desk: desk.clone(),
        live: live.clone(),
        title: "Paperwire".into(),
        lang: Lang::Zh,
        zone: Tz::Asia__Shanghai,
        version: "1.2.3".into(),
        topics: vec![TopicName {
            id: TopicId("inference".into()),
            zh: "AI推理加速".into(),
            en: "AI inference acceleration".into(),
        }],
        hosts: vec!["papers.example".into()],
        ops: crate::ops::Ops::new(noon(1)),
    };
    Page {
        app: router(state, stop.clone()),
        live,
        stop,
        desk,
    }
}

fn page() -> Page {
    page_over(shelf())
}

impl Page {
    async fn send(&self, request: axum::http::request::Builder, body: &str) -> (StatusCode, HeaderMap, String) {
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        (head.status, head.headers, String::from_utf8(bytes.to_vec()).unwrap())
    }

    async fn get(&self, path: &str) -> (StatusCode, HeaderMap, String) {
        let request = Request::get(path).header(header::HOST, "localhost:8787");
        self.send(request, "").await
    }

    async fn ask(&self, headers: &[(&str, &str)], body: &str) -> (StatusCode, HeaderMap, String) {
        self.post("/c/lobby/ask", headers, body).await
    }

    async fn press(&self, headers: &[(&str, &str)], body: &str) -> (StatusCode, HeaderMap, String) {
        self.post("/c/lobby/press", headers, body).await
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> (StatusCode, HeaderMap, String) {
        let mut request = Request::post(path)
            .header(header::HOST, "localhost:8787")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request, body).await
    }
}

const PATHS: [&str; 8] = [
    "/c/lobby",
    "/archive",
    "/paper/arxiv:2510.09212",
    "/paper/arxiv:2510.99999",
    "/c/nowhere",
    "/digest/nonsense",
    "/archive?before=nonsense",
    "/no/such/page",
];

#[tokio::test]
async fn every_page_is_well_formed_in_both_languages_and_shows_papers_as_text_only() {
    let page = page();
    let digest = format!("/digest/{}", a_digest(10).id);
    for lang in Lang::ALL {
        for path in PATHS.iter().copied().chain([digest.as_str()]) {
            let joint = if path.contains('?') { '&' } else { '?' };
            let (_, headers, html) = page.get(&format!("{path}{joint}lang={lang}")).await;
            let texts = markup::tests::texts(&html);
            assert!(html.starts_with("<!doctype html>"), "{path}");
            assert!(
                html.contains(&format!("<html lang=\"{}\">", pages::code(lang))),
                "{path}"
            );
            assert!(texts.iter().any(|t| t == words::archive(lang)), "{path} in {lang}");
            assert!(
                !texts.iter().any(|t| t == words::archive(lang.pick(Lang::En, Lang::Zh))),
                "{path} in {lang}"
            );
            let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(
                policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self';"),
                "{path}"
            );
            assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert!(
                !html.contains(" style="),
                "{path}: the policy forbids styles in attributes"
            );
        }
    }
    for path in ["/c/lobby", "/paper/arxiv:2510.09212", digest.as_str()] {
        let (status, _, html) = page.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(
            markup::tests::texts(&html).concat().contains(NASTY),
            "{path} shows the title as it is"
        );
    }
}

#[tokio::test]
async fn the_only_channel_is_the_home_page_and_several_are_listed() {
    let (status, headers, _) = page().get("/").await;
    assert_eq!(
        (status, headers[header::LOCATION].as_bytes()),
        (StatusCode::SEE_OTHER, b"/c/lobby".as_slice())
    );
    let mut two = shelf();
    two.channels.push(web_channel("team"));
    let (status, _, html) = page_over(two).get("/").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        html.contains("href=\"/c/lobby\"") && html.contains("href=\"/c/team\""),
        "{html}"
    );
}

#[tokio::test]
async fn what_became_of_a_paper_is_said_in_its_digest_and_in_the_post() {
    let mut shelf = shelf();
    let (digest, post) = (a_digest(10), a_delivery(10, "key10").rendering);
    let errata = Errata {
        digest: digest.id,
        revision: 1,
        errata: vec![Erratum {
            number: 2,
            paper: digest.entries[1].paper.clone(),
            at: noon(12),
            kind: Kind::Withdrawn,
        }],
        ..Errata::new(digest.id)
    };
    let amendments = errata.amendments(Lang::Zh, Tz::Asia__Shanghai, Detail::Values);
    let corrected = markup::amend(&markup::render(&a_message(10))[0], &amendments).unwrap();
    shelf.parts.push((RenderingId { revision: 1, ..post }, corrected));
    shelf.errata = Some(errata);
    let page = page_over(shelf);
    for path in [format!("/digest/{}", digest.id), "/c/lobby".to_owned()] {
        let (_, _, html) = page.get(&path).await;
        let texts = markup::tests::texts(&html).join("\n");
        assert_eq!(
            (texts.matches('⊘').count(), texts.matches("已撤稿（10月12日）").count()),
            (1, 1),
            "{path}: {texts}"
        );
    }
}

#[tokio::test]
async fn a_brief_that_replaces_one_without_grounds_says_so_on_the_page_too() {
    let mut shelf = shelf();
    let digest = shelf.digests.first_mut().unwrap();
    let path = format!("/digest/{}?lang=en", digest.id);
    let briefs = digest.entries[0].briefs.iter_mut();
    let reader = briefs.filter(|brief| brief.reader == Lang::En);
    for brief in reader {
        brief.brief.origin = Origin::Extracted;
        brief.replaced = Some(Refused::AnotherPaper);
    }
    let (_, _, html) = page_over(shelf).get(&path).await;
    let texts = markup::tests::texts(&html);
    let marks = |mark: &str| texts.iter().filter(|text| *text == mark).count();
    assert_eq!(marks(words::brief_replaced(Lang::En)), 1);
    assert!(marks(words::brief_extracted(Lang::En)) > 0);
}

#[tokio::test]
async fn a_channel_shows_what_was_sent_newest_last_and_nothing_that_was_not() {
    let shelf = shelf();
    let mut unsent = a_delivery(11, "key11");
    unsent.message_ids.clear();
    shelf.deliveries.lock().unwrap().insert(0, unsent);
    let (_, _, html) = page_over(shelf).get("/c/lobby").await;
    let (older, newer) = (
        html.find("id=\"p-key9\"").unwrap(),
        html.find("id=\"p-key10\"").unwrap(),
    );
    assert!(older < newer);
    assert_eq!(html.matches("data-key=").count(), 2);
}

#[tokio::test]
async fn a_silent_channel_says_what_ends_its_silence() {
    let since = noon(9);
    let wanted = Activity::Snoozed {
        until: None,
        since,
        by: "1001".to_owned(),
    };
    let broken = Activity::Paused {
        reason: "gone".to_owned(),
        since,
    };
    for (activity, ends) in [
        (wanted, Some("/resume")),
        (broken, Some("/start")),
        (Activity::Active, None),
    ] {
        let mut shelf = shelf();
        shelf
            .channels
            .iter_mut()
            .for_each(|channel| channel.activity = activity.clone());
        let (_, _, html) = page_over(shelf).get("/c/lobby?lang=en").await;
        let warning = html
            .split("class=\"warning\"")
            .nth(1)
            .and_then(|rest| rest.split('<').next());
        assert_eq!(warning.is_some(), ends.is_some(), "{html}");
        assert!(ends.is_none_or(|ends| warning.is_some_and(|said| said.contains(ends))));
    }
}

#[tokio::test]
async fn a_damaged_rendering_costs_its_own_post_only() {
    let mut damaged = shelf();
    damaged.parts.remove(0);
    let (status, _, html) = page_over(damaged).get("/c/lobby?lang=en").await;
    assert_eq!(status, StatusCode::OK);
    assert!(html.contains(words::post_damaged(Lang::En)));
    assert!(html.contains("2025-10-09"));
}

#[tokio::test]
async fn what_does_not_exist_is_404_and_says_what_to_do() {
    let page = page();
    for (path, advice) in [
        ("/no/such/page", words::not_found_page(Lang::En)),
        ("/c/nowhere", words::not_found_channel(Lang::En)),
        ("/c/NOT-A-NAME", words::not_found_channel(Lang::En)),
        ("/digest/nonsense", words::not_found_digest(Lang::En)),
        ("/paper/2510.99999", words::not_found_paper(Lang::En)),
        ("/paper/what", words::not_found_paper(Lang::En)),
        ("/assets/app.000000000000.css", words::not_found_page(Lang::En)),
    ] {
        let (status, _, html) = page.get(&format!("{path}?lang=en")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert!(
            markup::tests::texts(&html).iter().any(|t| t == advice),
            "{path}: {html}"
        );
    }
}

#[tokio::test]
async fn every_kind_of_paper_id_leads_to_its_page() {
    for id in [
        "arxiv:2510.09212",
        "arxiv:cs/0112017",
        "doi:10.1000/182(3)<4>",
        "url:https://x.org/a/b?c=d%20e#f",
        "url:paperwire:00ff",
    ] {
        let id: PaperId = id.parse().unwrap();
        let mut one = shelf();
        one.papers = vec![Paper::new(id.clone())];
        let (status, _, html) = page_over(one).get(&html::path("/paper/", &id.to_string())).await;
        assert_eq!(status, StatusCode::OK, "{id}");
        assert!(html.contains(words::title_missing(Lang::Zh)), "{id}");
    }
}

#[tokio::test]
async fn the_language_is_chosen_then_remembered_then_the_browsers_then_the_configured_one() {
    let page = page();
    let (_, headers, _) = page.get("/archive?lang=en").await;
    let cookie = headers[header::SET_COOKIE].to_str().unwrap();
    assert!(
        cookie.starts_with("lang=en; ") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&[("cookie", "a=b; lang=en"), ("accept-language", "zh")], "en"),
        (&[("accept-language", "de, en;q=0.6, zh-CN;q=0.8")], "zh-Hans"),
        (&[("accept-language", "en-GB,en;q=0.9")], "en"),
        (&[("accept-language", "fr, zh;q=0")], "zh-Hans"),
        (&[], "zh-Hans"),
    ];
    for (sent, lang) in cases {
        let mut request = Request::get("/archive").header(header::HOST, "127.0.0.1");
        for (name, value) in sent {
            request = request.header(*name, *value);
        }
        let (_, _, html) = page.send(request, "").await;
        assert!(html.contains(&format!("<html lang=\"{lang}\">")), "{sent:?}");
    }
}

#[tokio::test]
async fn a_command_is_answered_on_a_whole_page_or_alone() {
    let page = page();
    let (status, _, html) = page.ask(&[], "text=%2Fpaper+4").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        html.contains("web:lobby Ok(Paper(Number(4)))") && html.contains("id=\"p-key10\""),
        "{html}"
    );
    let (_, _, fragment) = page.ask(&[(FRAGMENT, "1")], "text=%2Fpaper+4").await;
    assert!(
        fragment.starts_with("<article class=\"answer\" data-manner=\"reply\">"),
        "{fragment}"
    );
    assert!(fragment.contains("web:lobby Ok(Paper(Number(4)))"));
}

#[tokio::test]
async fn the_papers_of_a_post_can_be_voted_for_and_the_desk_hears_of_which_post_and_by_whom() {
    let page = page();
    let (_, _, html) = page.get("/c/lobby").await;
    let form = "<form class=\"press votes\" method=\"post\" action=\"/c/lobby/press#answers\"><input type=\"hidden\" \
                name=\"message\" value=\"key10\"><button name=\"data\" value=\"u:1\"";
    assert!(html.contains(form), "{html}");
    assert_eq!(html.matches("value=\"s:3\"").count(), 2, "in both posts");
    let (_, headers, fragment) = page.press(&[(FRAGMENT, "1")], "message=key10&data=u%3A1").await;
    assert!(
        fragment.starts_with("<article class=\"answer\" data-manner=\"notice\">"),
        "{fragment}"
    );
    let cookie = headers[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().unwrap();
    let (_, headers, _) = page.press(&[("cookie", cookie)], "message=key10&data=d%3A1").await;
    assert!(!headers.contains_key(header::SET_COOKIE), "it is known by now");
    page.ask(&[], "text=%2Fhelp").await;
    let asked = page.desk.asked.lock().unwrap();
    let (first, second, other) = (&asked[0], &asked[1], &asked[2]);
    assert_eq!(
        (&first.command, &first.reply_to),
        (&Ok(Command::Press("u:1".into())), &Some("key10".to_owned()))
    );
    assert_eq!(first.standing, Standing::Manager);
    assert!(first.asker.is_some() && first.asker == second.asker && first.asker != other.asker);
}

#[tokio::test]
async fn the_buttons_of_an_answer_are_forms_and_what_they_bring_takes_its_place() {
    let page = page();
    let (_, _, html) = page.ask(&[], "text=search+cache").await;
    assert!(
        html.contains("<button name=\"data\" value=\"q:0:1\">›</button>"),
        "{html}"
    );
    assert!(
        markup::tests::texts(&html).contains(&NASTY.to_owned()),
        "a label is text"
    );
    let (_, _, next) = page.press(&[(FRAGMENT, "1")], "data=q%3A0%3A1").await;
    assert!(
        next.contains("data-manner=\"replace\"") && next.contains("value=\"q:0:2\"") && !next.contains("question"),
        "{next}"
    );
    // Without JavaScript the answer stands on the whole page.
    let (_, _, whole) = page.press(&[], "data=q%3A0%3A1").await;
    assert!(
        whole.contains("value=\"q:0:2\"") && whole.contains("id=\"p-key10\""),
        "{whole}"
    );
    markup::tests::texts(&whole);
}

#[tokio::test]
async fn silence_shows_nothing_and_a_file_is_kept_in_the_page_alone() {
    let page = page();
    let (status, _, body) = page.press(&[(FRAGMENT, "1")], "data=w%3A1").await;
    assert_eq!((status, body.as_str()), (StatusCode::NO_CONTENT, ""));
    let (_, _, whole) = page.press(&[], "data=w%3A1").await;
    assert!(!whole.contains("class=\"answer\""), "{whole}");
    let (_, _, answer) = page.ask(&[(FRAGMENT, "1")], "text=saved+bibtex").await;
    let link = "<a href=\"data:application/x-bibtex;base64,QG1pc2N76ZiF6K+7fQ==\" download=\"saved.bib\">";
    assert!(answer.contains(link) && answer.contains("13 B"), "{answer}");
}

#[tokio::test]
async fn what_is_no_press_is_told_apart_and_a_forged_one_is_refused() {
    let page = page();
    let (status, _, html) = page.press(&[("accept-language", "en")], "message=key10").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let texts = markup::tests::texts(&html);
    assert!(
        texts.iter().any(|text| text == words::ask_unreadable(Lang::En)),
        "{html}"
    );
    let (status, headers, _) = page.press(&[("sec-fetch-site", "cross-site")], "data=u%3A1").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(!headers.contains_key(header::SET_COOKIE) && page.desk.asked.lock().unwrap().is_empty());
}

#[test]
fn the_slash_and_even_the_word_paper_may_be_left_out() {
    let four = Some(command::parse_named("paper", "4"));
    for text in ["/paper 4", "paper 4", "Paper 4", "4"] {
        assert_eq!(understand(text), four, "{text}");
    }
    assert_eq!(understand("help"), Some(Ok(Command::Help)));
    assert_eq!(
        understand("/paper 2510.09212"),
        understand("https://arxiv.org/abs/2510.09212v3")
    );
    for text in ["what is new?", "", "/", "帮助我"] {
        assert_eq!(understand(text), None, "{text}");
    }
}

#[tokio::test]
async fn what_is_no_command_is_told_what_commands_there_are() {
    let page = page();
    let (_, _, html) = page
        .ask(&[("accept-language", "en"), (FRAGMENT, "1")], "text=what+is+new")
        .await;
    assert!(html.contains("/paper 4 opens the fourth paper"), "{html}");
}

#[tokio::test]
async fn a_post_from_another_site_is_refused_before_anything_is_asked() {
    let page = page();
    for headers in [
        [("origin", "https://evil.example"), ("accept-language", "en")],
        [("sec-fetch-site", "cross-site"), ("accept-language", "en")],
    ] {
        let (status, _, html) = page.ask(&headers, "text=%2Fstart").await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(
            html.contains(words::forbidden_origin(Lang::En)) && !html.contains("Start"),
            "{html}"
        );
    }
}

#[tokio::test]
async fn a_foreign_host_is_refused_with_the_setting_that_would_allow_it() {
    let page = page();
    for (host, status) in [
        ("evil.example:8787", StatusCode::MISDIRECTED_REQUEST),
        ("papers.example:8787", StatusCode::OK),
        ("[::1]:8787", StatusCode::OK),
    ] {
        let (got, headers, html) = page.send(Request::get("/archive").header(header::HOST, host), "").await;
        assert_eq!(got, status, "{host}");
        assert_eq!(html.contains("web.hosts"), status != StatusCode::OK);
        assert!(headers.contains_key(header::CONTENT_SECURITY_POLICY));
    }
}

#[tokio::test]
async fn a_command_of_more_than_four_kibibytes_is_not_read() {
    let long = format!("text={}", "a".repeat(COMMAND_BYTES));
    let (status, _, html) = page().ask(&[("accept-language", "en")], &long).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(html.contains(words::ask_too_long(Lang::En)), "{html}");
}

#[tokio::test]
async fn assets_have_their_contents_hash_in_their_address_and_may_be_kept_for_ever() {
    let page = page();
    let (_, _, html) = page.get("/archive").await;
    for asset in [&*assets::STYLE, &*assets::SCRIPT] {
        assert!(html.contains(&format!("\"{}\"", asset.path)));
        let (status, headers, body) = page.get(&asset.path).await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, asset.body));
        assert_eq!(headers[header::CONTENT_TYPE], asset.mime);
        assert!(headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    }
}

#[tokio::test]
async fn the_archive_goes_on_where_a_page_ends() {
    let mut many = shelf();
    many.digests = (1..=25).rev().map(a_digest).collect();
    let page = page_over(many);
    let (_, _, first) = page.get("/archive").await;
    assert_eq!(first.matches("href=\"/digest/").count(), read::PAGE);
    let start = first.find("/archive?before=").unwrap();
    // The links that change the language of this page have no `before`.
    let next = first[start..].split('"').next().unwrap();
    let (_, _, second) = page.get(next).await;
    assert_eq!(second.matches("href=\"/digest/").count(), 25 - read::PAGE);
    assert!(second.contains(&format!("/digest/{}\"", a_digest(1).id)));
}

#[tokio::test]
async fn health_is_what_the_store_says() {
    let (status, _, body) = page().get("/healthz").await;
    assert_eq!(
        (status, body.as_str()),
        (StatusCode::OK, r#"{"status":"ok","version":"1.2.3"}"#)
    );
    let broken = page_over(Shelf {
        broken: true,
        ..Shelf::default()
    });
    let (status, _, body) = broken.get("/healthz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("disk full"), "{body}");
    assert_eq!(broken.get("/").await.0, StatusCode::SERVICE_UNAVAILABLE);
}

async fn stream_of(page: &Page, query: &str, last_event: Option<&str>) -> axum::body::BodyDataStream {
    let mut request = Request::get(format!("/c/lobby/events{query}")).header(header::HOST, "localhost");
    if let Some(id) = last_event {
        request = request.header("last-event-id", id);
    }
    let response = page
        .app
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    response.into_body().into_data_stream()
}

async fn next_event(stream: &mut axum::body::BodyDataStream) -> Option<String> {
    let bytes = stream.next().await?.unwrap();
    Some(String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn a_post_appears_on_open_pages_of_its_channel_and_the_stream_ends_at_the_stop() {
    let page = page();
    let mut stream = stream_of(&page, "?after=key10", None).await;
    let sender = Sender::new(page.live.clone());
    let elsewhere = markup::render(&Message::sentence("elsewhere")).remove(0);
    sender
        .send(&Place::web("team").unwrap(), &elsewhere, &Tag::only("k0"))
        .await
        .outcome
        .unwrap();
    let part = markup::render(&Message::sentence(format!("live {NASTY}"))).remove(0);
    sender.send(&lobby(), &part, &Tag::only("k1")).await.outcome.unwrap();
    let event = next_event(&mut stream).await.unwrap();
    assert!(event.contains("id: k1\n") || event.contains("id:k1\n"), "{event}");
    let data = event.lines().find_map(|line| line.strip_prefix("data:")).unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let html = data["html"].as_str().unwrap();
    assert!(markup::tests::texts(html).contains(&format!("live {NASTY}")), "{html}");
    page.stop.cancel();
    assert_eq!(next_event(&mut stream).await, None);
}

#[tokio::test]
async fn a_reader_that_comes_back_gets_what_it_missed_and_nothing_else() {
    let page = page();
    let mut stream = stream_of(&page, "?after=key10", Some("key9")).await;
    let event = next_event(&mut stream).await.unwrap();
    assert!(event.contains("\"key\":\"key10\""), "{event}");
    page.stop.cancel();
    assert_eq!(next_event(&mut stream).await, None);
}

#[tokio::test]
async fn a_post_between_sent_and_settled_reaches_a_page_that_opens_just_then() {
    let page = page();
    let part = markup::render(&Message::sentence("just now")).remove(0);
    Sender::new(page.live.clone())
        .send(&lobby(), &part, &Tag::only("k2"))
        .await
        .outcome
        .unwrap();
    let mut stream = stream_of(&page, "?after=key10", None).await;
    assert!(next_event(&mut stream).await.unwrap().contains("just now"));
}

#[tokio::test]
async fn the_server_ends_at_the_stop_while_a_page_is_still_listening() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (storage, _) = Storage::start(Arc::new(shelf())).unwrap();
    let state = WebState {
        storage,
        desk: Arc::new(Echo::default()),
        live: Live::default(),
        title: "Paperwire".into(),
        lang: Lang::En,
        zone: Tz::UTC,
        version: "1".into(),
        topics: vec![],
        hosts: vec![],
        ops: crate::ops::Ops::new(noon(1)),
    };
    let stop = CancellationToken::new();
    let server = tokio::spawn(serve(listener, state, stop.clone()));
    let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET /c/lobby/events?after=key9 HTTP/1.1\r\nHost: {address}\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut got = Vec::new();
    while !String::from_utf8_lossy(&got).contains("key10") {
        assert_ne!(client.read_buf(&mut got).await.unwrap(), 0, "the stream is open");
    }
    stop.cancel();
    client.read_to_end(&mut got).await.unwrap();
    assert!(got.ends_with(b"0\r\n\r\n"), "the stream ended whole");
    server.await.unwrap().unwrap();
}
