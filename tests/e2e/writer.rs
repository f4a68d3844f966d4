//! Briefs and judgements by a model, from its server to the posted digest.

use std::path::Path;

use paperwire_config::Config;
use serde_json::json;

use crate::fake::model::{FakeModel, Fault, KEY, judged_title};
use crate::fake::telegram::{FakeTelegram, TOKEN};
use crate::program::{Program, eventually, sample};

const GROUP: i64 = -100_123;

#[tokio::test]
async fn a_digest_that_is_due_has_the_briefs_of_a_model_through_its_servers_faults() {
    let data = tempfile::tempdir().unwrap();
    let telegram = FakeTelegram::start(&[GROUP]).await;
    let refusal = Fault::Says("I'm sorry, but I cannot summarise this paper.".to_owned());
    let model = FakeModel::start([Fault::Formless, Fault::Busy, Fault::Page, refusal.clone(), refusal]).await;
    let text = |schedule: &str| {
        format!(
            "[telegram]\ntoken = \"{TOKEN}\"\napi_url = \"{}\"\nmessages_per_second = 1000\nper_chat_per_second = 1000\n\
         per_group_per_minute = 1000\n[web]\nlisten = \"127.0.0.1:0\"\n{}[[channel]]\nplace = \"telegram:{GROUP}\"\n\
         topics = [\"inference\"]\nschedule = \"{schedule}\"\nwhen_empty = \"silent\"\n",
            telegram.url(),
            model.section(),
        )
    };
    let config = |schedule| Config::parse(&text(schedule), "the test's configuration", &Default::default()).unwrap();
    let program = Program::start(&config("off"), data.path()).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    program.stop().await;
    assert!(model.asked().is_empty());
    let program = Program::start(&config("* * * * * *"), data.path()).await;
    let posted = || {
        telegram
            .messages(GROUP)
            .iter()
            .map(|sent| sent.text.clone())
            .collect::<Vec<_>>()
            .join("\n")
    };
    let briefs = |posted: &str| posted.matches("as the fake model puts it.").count();
    let extracts = |posted: &str| posted.matches("[from the abstract]").count();
    let shown = eventually("the digest", || async {
        let posted = posted();
        (briefs(&posted) + extracts(&posted) >= 25).then_some(posted)
    })
    .await;
    // One paper was refused twice, or two papers once each.
    assert!(briefs(&shown) >= 23 && extracts(&shown) <= 2, "{shown}");
    let asked = model.asked();
    assert_eq!(asked[0]["response_format"]["type"], "json_schema");
    assert_eq!(asked.last().unwrap()["response_format"]["type"], "json_object");
    assert!(asked.len() < 40 && !shown.contains(KEY), "{}", asked.len());
    program.stop().await;
}

/// Teaches the shipped topic that a paper of the mailing is wanted, another hardly is and a third hardly is not.
fn teach(config: &Config, data: &Path) {
    let topic = &config.topics[0];
    let weight = |weight: f64| json!({ "w": weight });
    let file = json!({
        "version": 1, "topic": topic.id, "profile": topic.profile(), "trained_at": "2026-01-01T00:00:00Z", "days": [],
        "examples": 9, "wanted": 4, "recall": 0.95, "threshold": 0.05, "figures": null, "bias": -3.0,
        "weights": { "abstract": { "overconfident": weight(6.0), "hazard": weight(3.1), "pupil": weight(2.95) } },
    });
    std::fs::create_dir_all(data.join("models")).unwrap();
    std::fs::write(data.join("models/inference.json"), file.to_string()).unwrap();
}

const WANTED: &str = "ExitPoll";
const HARDLY: &str = "Bargaining without a Clock";
const HARDLY_NOT: &str = "An Audit of Automated School Timetables";

#[tokio::test]
async fn the_borderline_of_a_taught_topic_is_judged_and_a_judge_that_fails_changes_nothing() {
    let telegram = FakeTelegram::start(&[GROUP]).await;
    let config = |model: &FakeModel, schedule: &str| {
        let text = format!(
            "[telegram]\ntoken = \"{TOKEN}\"\napi_url = \"{}\"\nmessages_per_second = 1000\nper_chat_per_second = 1000\n\
             per_group_per_minute = 1000\n[web]\nlisten = \"127.0.0.1:0\"\n{}judge = [\"inference\"]\n[[channel]]\n\
             place = \"telegram:{GROUP}\"\ntopics = [\"inference\"]\nschedule = \"{schedule}\"\nwhen_empty = \"silent\"\n\
             language = \"en\"\n",
            telegram.url(),
            model.section(),
        );
        Config::parse(&text, "the test's configuration", &Default::default()).unwrap()
    };
    let posted = |from: usize| {
        let messages = telegram.messages(GROUP);
        let texts: Vec<String> = messages.iter().skip(from).map(|sent| sent.text.clone()).collect();
        texts.join("\n")
    };

    // A digest that is due: one paper is taken out, another is let in.
    let data = tempfile::tempdir().unwrap();
    let model = FakeModel::start([]).await;
    model.refuse(HARDLY);
    teach(&config(&model, "off"), data.path());
    let program = Program::start(&config(&model, "off"), data.path()).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    let titles = program.titles().await;
    assert!(titles.len() == 2 && titles[1].starts_with(HARDLY), "{titles:?}");
    program.stop().await;
    let program = Program::start(&config(&model, "* * * * * *"), data.path()).await;
    let shown = eventually("the digest", || async {
        Some(posted(0)).filter(|shown| shown.contains(WANTED))
    })
    .await;
    assert!(shown.contains(HARDLY_NOT) && !shown.contains(HARDLY), "{shown}");
    let asked: Vec<bool> = model.asked().iter().map(|body| judged_title(body).is_some()).collect();
    assert_eq!(asked, [true, true, false, false]);
    program.stop().await;
    // It is still so, and explained, after a restart.
    let program = Program::start(&config(&model, "off"), data.path()).await;
    for (ask, said) in [
        ("/why 2", "a model was asked: yes (“as the fake model sees it”)"),
        (
            "/why 2602.90004",
            "a model was asked: no (“it is about something else”)",
        ),
        ("/why 1", HARDLY),
    ] {
        let before = telegram.messages(GROUP).len();
        telegram.push_text(GROUP, "ada", ask);
        let answer = telegram.wait_for_messages(GROUP, before + 1).await.remove(before);
        assert!(answer.text.contains(said), "{ask}: {answer:?}");
    }
    let doctor = program.doctor().await.text();
    assert!(
        doctor.contains(
            "inference: 2 papers near the threshold were asked about in the last 30 days: 1 kept, 1 left out"
        ),
        "{doctor}"
    );
    assert_eq!(model.asked().len(), 4);
    program.stop().await;

    // A digest that a person asks for, while the judge says nothing that can be read.
    let data = tempfile::tempdir().unwrap();
    let mumbles = Fault::Says("I would rather not say.".to_owned());
    let model = FakeModel::start([mumbles.clone(), mumbles]).await;
    teach(&config(&model, "off"), data.path());
    let program = Program::start(&config(&model, "off"), data.path()).await;
    program.ingest("mailing.txt", &sample("mailing.txt")).await;
    let before = telegram.messages(GROUP).len();
    assert_eq!(program.post(&[]).await[0].1, Some(2));
    let shown = eventually("the digest", || async {
        Some(posted(before)).filter(|shown| shown.contains(WANTED))
    })
    .await;
    assert!(shown.contains(HARDLY) && !shown.contains(HARDLY_NOT), "{shown}");
    assert_eq!(shown.matches("as the fake model puts it.").count(), 2, "{shown}");
    program.stop().await;
}
