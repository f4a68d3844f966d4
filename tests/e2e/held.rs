//! A digest that looks odd: nobody sees it but who decides about it, on both platforms, in private, with two buttons.

use std::fmt::Write as _;
use std::path::Path;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use paperwire::clock;
use paperwire::render::Renderers;
use paperwire::service::{HeldAction, Request, Response};
use paperwire_config::Config;
use paperwire_core::channel::{Channel, Place};
use paperwire_core::delivery::{Delivery, State};
use paperwire_core::paper::{Field, Paper, PaperId};
use paperwire_core::pipeline::{self, Extent, Wanted};
use paperwire_core::source::{self, Announcement, Item, Parsed, SourceKind, Window};
use paperwire_core::store::{SledStore, Store as _, Write};
use serde_json::{Value, json};

use crate::fake::discord::{FakeDiscord, Reply, Who, direct};
use crate::fake::telegram::FakeTelegram;
use crate::program::{Program, config, eventually};

const GROUP: i64 = -100_123;
const CHANNEL: u64 = 123_456_789_012_345_678;
/// Who set the channels up: on Telegram also the private chat with them.
const ADA: i64 = 1_001;
const BO: u64 = 600_000_000_000_000_001;

/// A report of a program that was given no paper: refusals and templates, and nothing else.
fn degenerate() -> String {
    const BRIEFS: [&str; 4] = [
        "未提供具体论文信息，无法生成技术简报。请补充标题与摘要。",
        "[主要机构]发布了[论文标题]论文，使用[主要技术]技术，解决了[核心问题]问题，达成了[关键效果]效果",
        "由于缺少论文标题、主要机构和摘要信息，无法生成技术简报。",
        "I cannot summarize this paper; please provide the title and abstract.",
    ];
    let mut text =
        "# 推理加速论文分析报告\n生成时间: 2025-10-18 11:26:29\n分析论文数量: 24篇\n\n## 论文技术简报\n\n".to_owned();
    for (n, brief) in (1..=24).zip(BRIEFS.iter().cycle()) {
        write!(text, "### {n}. \n\n{brief}\n\n").unwrap();
    }
    text.push_str("## 论文详细信息\n\n");
    for n in 1..=24 {
        write!(
            text,
            "### {n}. \n\n**主要机构**: \n**作者数量**: 0人\n\n**摘要**:\n\n\n"
        )
        .unwrap();
    }
    text
}

/// A mailing of forty papers of which a dozen are about the topic.
fn mailing(day: u32, to: DateTime<Utc>) -> Parsed {
    let items = (0..40_u32).map(|n| {
        let number = day * 100 + n;
        let (title, text) = match n < 12 {
            true => (
                "KV cache compression for LLM inference acceleration",
                "We speed up LLM inference with speculative decoding and a KV cache.",
            ),
            false => ("Rain over the hills", "We measure how much it rains."),
        };
        let field = |text: String| Some(Field::new(text, SourceKind::ArxivMail));
        let paper = Paper {
            title: field(format!("{title}, part {number}")),
            abstract_text: field(format!("{text} It is number {number}.")),
            ..Paper::new(PaperId::Arxiv(format!("2510.{number:05}")))
        };
        Item {
            paper,
            announcement: Announcement::New,
        }
    });
    Parsed {
        source: SourceKind::ArxivMail,
        window: Some(Window {
            source: SourceKind::ArxivMail,
            from: to - TimeDelta::days(1),
            to,
        }),
        asked: None,
        items: items.collect(),
        rejected: Vec::new(),
    }
}

/// Eight usual days, all posted and gone out, and then the report; what is due at the last midnight is still to come.
fn lived(data: &Path, config: &Config) {
    let store = SledStore::open(&data.join("store")).unwrap();
    let topics = &config.topics;
    let midnight = clock::now().date_naive().and_time(NaiveTime::MIN).and_utc();
    let start = midnight - TimeDelta::days(9);
    pipeline::refresh_topics(&store, topics).unwrap();
    let wanted: Vec<Wanted> = config
        .channels
        .iter()
        .map(|channel| Wanted {
            place: channel.place.clone(),
            settings: channel.settings.clone(),
        })
        .collect();
    pipeline::configure_channels(&store, &wanted, Extent::Whole, start).unwrap();
    for channel in store.channels().unwrap() {
        let owner = match channel.place == Place::discord(CHANNEL) {
            true => BO.to_string(),
            false => ADA.to_string(),
        };
        let owner = Some(owner);
        store
            .commit(vec![Write::Channel(Box::new(Channel { owner, ..channel }))])
            .unwrap();
    }
    for day in 0..8_u32 {
        let at = start + TimeDelta::days(i64::from(day)) + TimeDelta::hours(20);
        let name = format!("mail {day}");
        pipeline::accept(&store, topics, &Renderers, &name, name.as_bytes(), mailing(day, at), at).unwrap();
        let published = pipeline::publish_due(&store, topics, &Renderers, at + TimeDelta::hours(4)).unwrap();
        assert_eq!((published.held.len(), published.deliveries.len()), (0, 2), "day {day}");
    }
    let sent = store.unfinished(99).unwrap().into_iter().map(|delivery| Delivery {
        state: State::Sent { at: midnight },
        message_ids: (1..=delivery.parts).map(|id| id.to_string()).collect(),
        ..delivery
    });
    store.commit(sent.map(Box::new).map(Write::Delivery).collect()).unwrap();
    let report = degenerate();
    let parsed = source::parse(report.as_bytes()).unwrap();
    let at = midnight - TimeDelta::hours(1);
    let taken = pipeline::accept(&store, topics, &Renderers, "report", report.as_bytes(), parsed, at).unwrap();
    assert_eq!((taken.papers_new, taken.papers_rejected), (0, 24));
    store.sync().unwrap();
}

fn labels_and_data(rows: &Value, label: &str, data: &str) -> Vec<(String, String)> {
    let rows = rows.as_array().into_iter().flatten();
    let buttons = rows.flat_map(|row| row.as_array().or_else(|| row["components"].as_array()).unwrap());
    let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    buttons
        .map(|button| (part(&button[label]), part(&button[data])))
        .collect()
}

#[tokio::test]
async fn a_degenerate_report_reaches_nobody_but_its_owners_who_post_or_drop_it() {
    let data = tempfile::tempdir().unwrap();
    let fake = FakeTelegram::start(&[GROUP, ADA]).await;
    let discord = FakeDiscord::start().await;
    // Their digests are two, since they follow different things. Nobody but the channels is served.
    let channels = format!(
        "[access]\nallow = [\"telegram:{GROUP}\"]\n\
         [[channel]]\nplace = \"telegram:{GROUP}\"\ntopics = [\"inference\"]\nschedule = \"0 0 * * *\"\ntimezone = \"UTC\"\n\
         [[channel]]\nplace = \"discord:{CHANNEL}\"\ntopics = [\"inference\"]\nkeywords = [\"quantum\"]\nschedule = \"0 0 * * *\"\n\
         timezone = \"UTC\"\nlanguage = \"zh\"\n"
    );
    let config = config(Some(&fake), Some(&discord), &channels);
    lived(data.path(), &config);
    let program = Program::start(&config, data.path()).await;
    discord.ready().await;

    let told = fake.wait_for_messages(ADA, 1).await.remove(0);
    for said in [
        "Held back",
        "24 of 24 papers have neither abstract nor brief",
        &GROUP.to_string(),
        "paperwire held post",
    ] {
        assert!(told.text.contains(said), "{said}: {}", told.text);
    }
    let buttons = labels_and_data(&told.keyboard["inline_keyboard"], "text", "callback_data");
    assert_eq!(
        buttons.iter().map(|(label, _)| label.as_str()).collect::<Vec<_>>(),
        ["Post it", "Drop it"]
    );
    let there = discord.wait_for_messages(direct(BO), 1).await.remove(0);
    assert!(
        there.to_string().contains("24 篇论文中有 24 篇既无摘要也无简报"),
        "{there}"
    );
    let choices = labels_and_data(&there["components"], "label", "custom_id");
    assert_eq!(
        choices.iter().map(|(label, _)| label.as_str()).collect::<Vec<_>>(),
        ["照发", "不发"]
    );
    assert_eq!((fake.messages(GROUP).len(), discord.messages(CHANNEL).len()), (0, 0));

    // Who was told is not told again by a restart, and nothing goes out by it.
    program.stop().await;
    let program = Program::start(&config, data.path()).await;
    discord.ready_again();
    let held = eventually("both to be told durably", async || {
        let held = program.status().await.held;
        held.iter().all(|one| one.told.len() == 1).then_some(held)
    })
    .await;
    assert_eq!((held.len(), program.status().await.waiting), (2, 0));
    let page = reqwest::get(program.page("/archive?lang=en"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        page.contains(&format!("paperwire held drop {}", held[0].digest)),
        "{page}"
    );
    let figures = reqwest::get(program.page("/metrics"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(figures.contains("paperwire_digests_held 2"), "{figures}");

    // A button that was not made here does nothing.
    let press = |data: &str| {
        let above = json!({"message_id": told.id, "date": 0, "chat": {"id": ADA, "type": "private"}});
        let from = json!({"id": ADA, "is_bot": false, "first_name": "ada", "language_code": "en"});
        fake.push_press(json!({"message": above, "data": data, "from": from}))
    };
    let (post, drop) = (&buttons[0].1, &buttons[1].1);
    let forged = post.replacen("hp:", "hd:", 1);
    let answer = fake.alert(&press(&forged)).await;
    assert!(answer.contains("too old"), "{answer}");

    // On Telegram it is posted, once.
    fake.alert(&press(post)).await;
    let posted = fake.wait_for_messages(GROUP, 1).await;
    let shown = || fake.messages(ADA).remove(0);
    fake.wait_until("the notice to say so", || shown().text.contains("queued for 1 channel"))
        .await;
    assert_eq!(shown().keyboard, Value::Null);
    fake.alert(&press(drop)).await;
    fake.wait_until("the second press to be answered", || {
        shown().text.contains(&format!("already posted by telegram:{ADA}"))
    })
    .await;
    program.delivered().await;
    assert_eq!(
        (posted.len(), fake.messages(GROUP).len(), fake.messages(ADA).len()),
        (1, 1, 1)
    );

    // On Discord it is dropped.
    let asked = discord.press_as(direct(BO), &there, &choices[1].1, Who::Member);
    let replies = discord.replies(&asked, 1).await;
    let Reply::Callback(7, body) = &replies[0] else {
        panic!("{replies:?}")
    };
    assert!(
        body.to_string().contains("不会推送") && body["components"] == json!([]),
        "{body}"
    );
    let id = held
        .iter()
        .find(|one| one.channels == [Place::discord(CHANNEL)])
        .unwrap()
        .digest;
    let again = program
        .ask(Request::HeldDigest {
            id,
            action: HeldAction::Post,
        })
        .await;
    let Response::Failed(why) = again else {
        panic!("{again:?}")
    };
    assert!(why.contains("already dropped by discord:"), "{why}");
    let Response::HeldDigest(record) = program
        .ask(Request::HeldDigest {
            id,
            action: HeldAction::Show,
        })
        .await
    else {
        panic!("the decision is kept")
    };
    let decision = record.decision.unwrap();
    assert!(decision.facts.lost == 24 && decision.is_withheld(), "{decision:?}");
    assert_eq!(
        (program.status().await.held, discord.messages(CHANNEL).len()),
        (vec![], 0)
    );
    program.stop().await;
}
