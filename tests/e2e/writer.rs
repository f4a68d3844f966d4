//! Briefs by a model, from its server to the posted digest.

use paperwire_config::Config;

use crate::fake::model::{FakeModel, Fault, KEY};
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
