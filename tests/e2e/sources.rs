//! Papers come by themselves: from what is fetched to what is posted.

use chrono::{DateTime, TimeDelta, Utc};
use paperwire::clock;
use paperwire::doctor::Mark;
use paperwire::sources::Pace;
use paperwire_core::source::calendar;

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
        let windows = program.status().await.windows;
        program.delivered().await;
        (windows == before.len()).then(|| fake.messages(GROUP).len())
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
