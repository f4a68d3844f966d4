//! Papers come by themselves: from what is fetched to what is posted.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use chrono::{DateTime, TimeDelta, Utc};
use paperwire::clock;
use paperwire::doctor::Mark;
use paperwire::service::{Request, Response};
use paperwire::sources::Pace;
use paperwire_core::source::calendar;
use paperwire_core::source::daybook::{self, Event};
use paperwire_core::source::health::Health;
use paperwire_core::store::{MemoSpace, SledStore, Store as _, Write};

use crate::fake::arxiv::{FakeArxiv, Preprint};
use crate::fake::telegram::FakeTelegram;
use crate::program::{Program, config, eventually};

const GROUP: i64 = -100_123;
/// Who looks after the program, in a private chat.
const OPERATOR: i64 = 1001;

type Day = (DateTime<Utc>, DateTime<Utc>);

/// arXiv's last days of submissions that its interface has, oldest first.
fn days(count: u32) -> Vec<Day> {
    let now = clock::now() - TimeDelta::hours(4);
    let from = calendar::days_before(now, count);
    calendar::windows_between(from, calendar::announced_until(now))
}

/// What a field submits on a day: some of it about cheaper inference, most of it not.
fn submissions(day: Day, number: usize) -> Vec<Preprint> {
    let about = [
        (
            "Evicting the KV cache by age",
            "Long prompts make serving large language models slow. We propose AgeKV, which evicts the KV cache by age during \
             LLM inference. On four benchmarks AgeKV reduces the memory of the KV cache by 61% and the inference latency by \
             2.3x with the same accuracy.",
            "cs.CL",
        ),
        (
            "Four bits for every layer",
            "Quantization to few bits loses accuracy. We introduce FlatBits, a post-training quantization with one rotation \
             per layer. FlatBits keeps 99.1% of the accuracy at 4-bit weights and gives an inference speedup of 1.9x.",
            "cs.LG",
        ),
        (
            "A catalogue of river deltas",
            "We describe 412 river deltas from satellite images and release the catalogue.",
            "cs.CV",
        ),
        (
            "Voting with ranked preferences",
            "We prove that no rule satisfies three natural axioms at once.",
            "cs.GT",
        ),
    ];
    let each = about.into_iter().enumerate().map(|(at, (title, summary, category))| {
        let submitted = day.0 + TimeDelta::minutes(60 * i64::try_from(at + 1).unwrap());
        Preprint {
            id: format!("{}.{:05}", submitted.format("%y%m"), 100 * number + at + 1),
            submitted,
            title: format!("{title}, part {number}"),
            summary: summary.to_owned(),
            category,
        }
    });
    each.collect()
}

fn with_arxiv(arxiv: &FakeArxiv, days: u32, rest: &str) -> String {
    format!(
        "[[source]]\nkind = \"arxiv-api\"\nurl = \"{}\"\ncategories = [\"cs.*\"]\ndays = {days}\n{rest}",
        arxiv.url()
    )
}

/// Waits that a person would have to sit through are over at once.
fn hurried(ahead: TimeDelta) -> Pace {
    let skips = TimeDelta::seconds(10);
    Pace { skips, ahead }
}

#[tokio::test]
async fn with_arxivs_interface_alone_the_archive_fills_itself_and_a_gap_is_closed_without_being_asked() {
    let data = tempfile::tempdir().unwrap();
    let days = days(8);
    let all = days.iter().zip(1..).flat_map(|(day, number)| submissions(*day, number));
    let arxiv = FakeArxiv::start(all.collect()).await;
    let fake = FakeTelegram::start(&[GROUP, OPERATOR]).await;
    let channels = format!(
        "[operator]\nplace = \"telegram:{OPERATOR}\"\n[[channel]]\nplace = \"telegram:{GROUP}\"\ntopics = [\"inference\"]\n"
    );
    let config = config(Some(&fake), None, &with_arxiv(&arxiv, 3, &channels));

    // It ran for three days, and stopped three days ago.
    let stopped = days[days.len() - 4].1 + TimeDelta::hours(12);
    let program = Program::start_at(&config, data.path(), hurried(stopped - clock::now())).await;
    let windows = async |program: &Program, count: usize| {
        eventually(&format!("{count} windows"), || async {
            (program.status().await.windows >= count).then_some(())
        })
        .await;
    };
    let before = arxiv.asked().len();
    windows(&program, 3).await;
    let missing = program.doctor().await;
    let text = missing.text();
    assert_eq!(missing.worst(), Mark::Wrong);
    let at = |time: DateTime<Utc>| time.format("%Y-%m-%d %H:%M UTC").to_string();
    let first = days[days.len() - 4].1;
    assert!(text.contains(&format!("submissions from {} to ", at(first))), "{text}");
    let told = fake.wait_for_messages(OPERATOR, 1).await;
    assert!(
        told[0]
            .text
            .contains("were announced and have not come in. They are being fetched."),
        "{told:?}"
    );
    program.stop().await;
    assert!(arxiv.asked().len() >= before + 3);

    arxiv.away(2);
    let program = Program::start_at(&config, data.path(), hurried(TimeDelta::zero())).await;
    windows(&program, 6).await;
    assert_eq!(program.status().await.papers, 6 * 4);
    let text = program.doctor().await.text();
    assert!(text.contains("ok arXiv: everything "), "{text}");
    assert!(text.contains("ok arxiv-api: answered at"), "{text}");

    let told = fake.wait_for_messages(OPERATOR, 2).await;
    assert!(told[1].text.contains("have come in"), "{told:?}");

    // What it has taken in is posted.
    program.post(&[]).await;
    program.delivered().await;
    let digest = fake.messages(GROUP).iter().map(|m| m.text.clone()).collect::<String>();
    for title in [
        "Evicting the KV cache by age, part 8",
        "Four bits for every layer, part 8",
    ] {
        assert!(digest.contains(title), "{digest}");
    }
    assert!(!digest.contains("river deltas"), "{digest}");
    program.stop().await;
}

#[tokio::test]
async fn categories_that_are_added_bring_their_papers_of_the_last_days_and_nothing_is_posted_twice() {
    let data = tempfile::tempdir().unwrap();
    let days = days(3);
    let all = days.iter().zip(1..).flat_map(|(day, number)| submissions(*day, number));
    let arxiv = FakeArxiv::start(all.collect()).await;
    let fake = FakeTelegram::start(&[GROUP]).await;
    let run = async |categories: &str, papers: u64| {
        let source = with_arxiv(&arxiv, 3, "").replace("\"cs.*\"", categories);
        let channel = format!(
            "{source}[[channel]]\nplace = \"telegram:{GROUP}\"\ntopics = [\"inference\"]\nschedule = \"off\"\n"
        );
        let program = Program::start_at(
            &config(Some(&fake), None, &channel),
            data.path(),
            hurried(TimeDelta::zero()),
        )
        .await;
        let before = fake.messages(GROUP).len();
        eventually(&format!("{papers} papers"), || async {
            (program.status().await.papers >= papers).then_some(())
        })
        .await;
        program.post(&[]).await;
        program.delivered().await;
        program.stop().await;
        let new = fake.messages(GROUP).split_off(before);
        new.into_iter().map(|message| message.text).collect::<String>()
    };
    let first = run("\"cs.CL\"", 3).await;
    assert_eq!(first.matches("Evicting the KV cache by age").count(), 3, "{first}");
    assert!(!first.contains("Four bits"), "{first}");
    let asked = arxiv.asked().len();

    let second = run("\"cs.CL\", \"cs.LG\"", 6).await;
    assert_eq!(second.matches("Four bits for every layer").count(), 3, "{second}");
    assert!(!second.contains("Evicting"), "{second}");
    assert_eq!((asked, arxiv.asked().len()), (3, 6), "each day once for each");
}

#[tokio::test]
async fn a_digest_from_arxiv_shows_its_evidence_and_a_day_without_abstracts_waits_for_a_person() {
    let data = tempfile::tempdir().unwrap();
    let days = days(3);
    let (last, before) = days.split_last().unwrap();
    let normal = before
        .iter()
        .zip(1..)
        .flat_map(|(day, number)| submissions(*day, number));
    let arxiv = FakeArxiv::start(normal.collect()).await;
    let fake = FakeTelegram::start(&[GROUP, OPERATOR]).await;
    let channels = format!(
        "[operator]\nplace = \"telegram:{OPERATOR}\"\n[[channel]]\nplace = \"telegram:{GROUP}\"\ntopics = [\"inference\"]\n\
         schedule = \"* * * * * *\"\nwhen_empty = \"silent\"\n"
    );
    let config = config(Some(&fake), None, &with_arxiv(&arxiv, 2, &channels));
    let yesterday = before.last().unwrap().1 + TimeDelta::hours(12);
    let program = Program::start_at(&config, data.path(), hurried(yesterday - clock::now())).await;
    let digest = fake.wait_for_messages(GROUP, 1).await;
    assert!(
        digest[0].text.contains("AgeKV") && digest[0].text.contains("61%"),
        "{digest:?}"
    );
    let count = eventually("everything to be posted", || async {
        program.delivered().await;
        let messages = fake.messages(GROUP);
        let text: String = messages.iter().map(|message| message.text.as_str()).collect();
        let is_there = |number| text.contains(&format!("Evicting the KV cache by age, part {number}"));
        (1..=before.len()).all(is_there).then_some(messages.len())
    })
    .await;
    fake.push_text(GROUP, "ada", "/evidence 1");
    let answer = fake.wait_for_messages(GROUP, count + 1).await.pop().unwrap();
    assert!(answer.text.contains("evicts the KV cache by age"), "{answer:?}");
    program.stop().await;

    // Titles that the topic wants, and not a word below them.
    let empty = (0..24).map(|at| {
        let submitted = last.0 + TimeDelta::minutes(at + 1);
        Preprint {
            id: format!("{}.{:05}", submitted.format("%y%m"), 9000 + at),
            submitted,
            title: format!("KV cache compression for LLM inference, part {at}"),
            summary: String::new(),
            category: "cs.CL",
        }
    });
    arxiv.add(empty.collect());
    let posted = fake.messages(GROUP).len();
    let program = Program::start_at(&config, data.path(), hurried(TimeDelta::zero())).await;
    let told = eventually("the operator to be told", || async {
        let all = fake.messages(OPERATOR);
        all.into_iter().find(|message| message.text.contains("24 of 24"))
    })
    .await;
    assert!(told.text.contains("neither abstract nor brief"), "{told:?}");
    let checkup = program.doctor().await;
    assert_eq!(checkup.worst(), Mark::Wrong);
    let text = checkup.text();
    assert!(
        text.contains("held back since") && text.contains("paperwire held post"),
        "{text}"
    );
    assert_eq!(fake.messages(GROUP).len(), posted, "nothing odd is posted by itself");
    program.stop().await;
}

/// Serves these routes; returns host and port.
async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[tokio::test]
async fn while_oai_pmh_is_out_of_order_the_api_fills_what_it_had_left_to_it() {
    let data = tempfile::tempdir().unwrap();
    let all = days(3);
    let papers = all.iter().zip(1..).flat_map(|(day, number)| submissions(*day, number));
    let arxiv = FakeArxiv::start(papers.collect()).await;
    let busy = || async { (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "3600")]) };
    let oai = serve(Router::new().route("/oai", get(busy))).await;
    let oai =
        format!("[[source]]\nkind = \"arxiv-oai\"\nurl = \"http://{oai}/oai\"\ncategories = [\"cs.*\"]\ndays = 3\n");
    let config = config(None, None, &with_arxiv(&arxiv, 3, &oai));
    let (skips, ahead) = (TimeDelta::minutes(1), TimeDelta::zero());
    let program = Program::start_at(&config, data.path(), Pace { skips, ahead }).await;
    eventually("all days to be there", || async {
        (program.status().await.windows >= all.len()).then_some(())
    })
    .await;
    program.stop().await;
}

#[tokio::test]
async fn a_feed_that_was_away_for_days_has_its_day_in_the_ledger_and_says_that_papers_may_be_lost() {
    let data = tempfile::tempdir().unwrap();
    let feed = r#"{"version": "https://jsonfeed.org/version/1.1", "title": "A feed", "items": [
        {"id": "1", "url": "https://doi.org/10.1145/1.2", "title": "Evicting the KV cache by age", "content_text": "We evict."}]}"#;
    let answer = move || async move { ([("content-type", "application/feed+json")], feed) };
    let address = serve(Router::new().route("/feed", get(answer))).await;
    let name = format!("feed:{address}/feed");

    // It answered three days ago, with something else.
    let store = SledStore::open(&data.path().join("store")).unwrap();
    let before = clock::now() - TimeDelta::days(3);
    let mut health = Health::default();
    health.succeed(1, before);
    health.memory = Some(r#"{"v": 1, "ends": [1]}"#.to_owned());
    let day = daybook::note(&store, &name, &[Event::Unchanged], before).unwrap();
    let (space, key, value) = (MemoSpace::Source, name.clone(), serde_json::to_string(&health).ok());
    store.commit(vec![day, Write::Memo { space, key, value }]).unwrap();
    store.sync().unwrap();
    drop(store);

    let fake = FakeTelegram::start(&[OPERATOR]).await;
    let source = format!(
        "[[source]]\nkind = \"feed\"\nurl = \"http://{address}/feed\"\n[operator]\nplace = \"telegram:{OPERATOR}\"\n"
    );
    let config = config(Some(&fake), None, &source);
    let program = Program::start(&config, data.path()).await;
    let told = fake.wait_for_messages(OPERATOR, 1).await;
    assert!(
        told[0].text.contains(&name) && told[0].text.contains("papers in between may be lost"),
        "{told:?}"
    );
    let text = program.doctor().await.text();
    assert!(
        text.contains("listed nothing any more that it had listed before: papers may be lost"),
        "{text}"
    );
    let Response::Windows(ledger) = program.ask(Request::Windows).await else {
        panic!("the ledger")
    };
    let today = ledger.days.last().unwrap();
    assert_eq!((&today.source, today.items, today.new), (&name, 1, 1));
    assert_eq!(
        (today.answered.len(), today.turned_over, ledger.windows),
        (1, Some(before), vec![])
    );
    program.stop().await;
}
