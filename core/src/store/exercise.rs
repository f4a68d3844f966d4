//! The promises of [`Store`], each as a check. Whoever writes another store runs [`exercise`] on it; a promise that is
//! not checked here is none.
#![allow(clippy::unwrap_used, reason = "a check fails by panicking")]

use chrono::{DateTime, TimeDelta, Utc};

use super::{ContentRecord, DigestSummary, IntakeRecord, MatchRecord, MemoSpace, Store, WindowRecord, Write};
use crate::channel::{Activity, Channel, Missed, Place, Platform, Seq, Settings, Style, WhenEmpty};
use crate::delivery::{Delivery, DeliveryId, Discard, State};
use crate::digest::{Digest, DigestId, Entry, RenderingId};
use crate::erratum::Errata;
use crate::join;
use crate::locale::Lang;
use crate::message::Part;
use crate::paper::{Field, Paper, PaperId};
use crate::source::{Announcement, SourceKind, Window};
use crate::subscription::Subjects;
use crate::topic::{Hit, Score, TopicId, Verdict};
use crate::vote::{Person, Saved, Tally, Vote};

/// Runs every check, each on a fresh and empty store from `make`.
///
/// # Panics
/// When a promise is broken; the function in the backtrace is the promise.
pub(super) fn exercise(make: &mut dyn FnMut() -> Box<dyn Store>) {
    let checks: [fn(&dyn Store); 46] = [
        an_empty_store_answers_everything_with_nothing,
        a_commit_is_visible_to_the_next_read_and_sync_may_be_called_at_any_time,
        later_writes_of_a_commit_see_the_earlier_ones,
        a_paper_is_found_under_every_name_that_leads_to_it,
        an_alias_that_would_lead_back_to_itself_changes_nothing,
        similar_papers_come_with_the_most_shared_fingerprints_first,
        fingerprints_of_an_earlier_state_are_gone,
        the_intake_is_read_in_order_and_in_bounds,
        a_position_is_found_under_every_name_of_its_paper,
        a_position_given_to_another_paper_is_no_longer_the_first_ones,
        windows_come_by_source_and_time,
        a_content_is_known_by_its_hash_alone,
        clearing_matches_leaves_earlier_ones_and_other_topics,
        a_topics_fingerprint_is_remembered,
        only_active_channels_are_due_most_overdue_first,
        a_removed_channel_leaves_its_deliveries,
        equal_rules_of_different_channels_are_one_rule,
        a_rule_follows_its_channel_to_another_place_and_goes_with_the_last_one,
        digests_come_latest_first,
        a_shorter_rendering_leaves_no_parts_of_the_longer_one,
        a_record_of_any_length_comes_back_whole,
        the_earliest_unfinished_delivery_of_a_place_blocks_those_behind_it,
        a_finished_delivery_lets_the_next_one_through,
        due_deliveries_come_most_overdue_first_and_next_due_agrees,
        every_channel_gets_its_first_part_before_any_gets_its_second,
        expired_leases_come_after_all_that_is_available,
        all_leased_deliveries_are_found_whatever_stands_before_them,
        a_moved_delivery_leaves_nothing_behind,
        a_message_leads_to_its_digest_in_its_own_place_alone,
        dead_letters_come_latest_first_until_they_are_sent_again_or_gone,
        the_largest_message_ids_of_a_chat_come_from_all_its_threads,
        every_send_is_remembered_until_it_is_forgotten,
        a_limiters_memory_is_its_platforms_own,
        notes_are_kept_by_space_and_listed_in_the_order_of_their_keys,
        what_ended_comes_earliest_first_and_dead_letters_never,
        an_archived_delivery_leaves_its_messages_and_a_sum,
        only_what_ended_is_archived,
        renderings_go_with_the_last_delivery_of_their_digest,
        a_digest_is_found_by_every_name_of_its_papers,
        errata_stand_beside_their_digest,
        a_correction_stands_behind_its_post_and_before_the_next_digest,
        a_correction_leaves_the_posts_messages_rendering_and_sum_alone,
        a_tally_follows_every_vote,
        votes_and_saves_move_with_the_papers_name_and_of_two_the_later_stays,
        a_reading_list_is_its_persons_own_the_latest_saved_first,
        an_outdated_digest_is_noted_for_the_earliest_time_until_it_is_shown,
    ];
    for check in checks {
        check(&*make());
    }
}

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minutes)
}

fn place(text: &str) -> Place {
    text.parse().unwrap()
}

fn arxiv(number: u32) -> PaperId {
    PaperId::Arxiv(format!("2510.{number:05}"))
}

fn paper(id: PaperId, title: &str, abstract_text: &str) -> Paper {
    let field = |text: &str| (!text.is_empty()).then(|| Field::new(text.to_owned(), SourceKind::ArxivMail));
    Paper {
        title: field(title),
        abstract_text: field(abstract_text),
        ..Paper::new(id)
    }
}

fn put(paper: Paper) -> Write {
    Write::Paper(Box::new(paper))
}

fn intake(seq: Seq, paper: PaperId) -> IntakeRecord {
    IntakeRecord {
        seq,
        paper,
        announcement: Announcement::New,
        window: None,
        taken_at: at(0),
    }
}

fn matching(topic: &str, seq: Seq, points: u32) -> MatchRecord {
    let hits = vec![Hit {
        term: "kv cache".to_owned(),
        points,
        in_title: true,
    }];
    MatchRecord {
        seq,
        paper: arxiv(1),
        score: Score {
            topic: TopicId(topic.to_owned()),
            points,
            hits,
            verdict: Verdict::Kept,
            learned: None,
        },
    }
}

fn window(source: SourceKind, from: i64, to: i64, items: u32) -> WindowRecord {
    WindowRecord {
        window: Window {
            source,
            from: at(from),
            to: at(to),
        },
        taken_at: at(to),
        repeats: 0,
        since: 0,
        upto: 3,
        items,
        replacements: 1,
        again_at: None,
        asked: None,
        new: None,
    }
}

fn content(hash: &str, name: &str) -> ContentRecord {
    ContentRecord {
        hash: hash.to_owned(),
        name: name.to_owned(),
        source: SourceKind::Report,
        taken_at: at(1),
        repeats: vec![at(2)],
    }
}

fn channel(at_place: &str, next_due: Option<i64>) -> Channel {
    Channel {
        place: place(at_place),
        settings: Settings {
            subjects: subjects(),
            schedule: None,
            timezone: chrono_tz::Asia::Shanghai,
            language: Lang::Zh,
            when_empty: WhenEmpty::Say,
            missed: Missed::Merge,
            weekly: None,
            style: Style::Compact,
        },
        cursor: 7,
        last_fired: None,
        next_due: next_due.map(at),
        last_weekly: None,
        weekly_due: None,
        activity: Activity::Active,
        added_at: at(0),
        configured_as: None,
        configured_with: None,
        owner: None,
        resting: Subjects::default(),
        mentions: Vec::new(),
    }
}

fn subjects() -> Subjects {
    Subjects::new([TopicId("inference".to_owned())], ["kv cache".to_owned()])
}

fn digest_id(day: i64) -> DigestId {
    DigestId {
        set: 0x9f86_d081_884c_7d65,
        occurrence: at(day * 24 * 60),
    }
}

fn digest(id: DigestId, entries: u32) -> Digest {
    let entry = |number| Entry {
        number,
        paper: arxiv(number),
        title: format!("On the {number}th cache"),
        briefs: Vec::new(),
        institutions: vec!["清华大学".to_owned()],
        author_count: Some(3),
        points: 9,
        topics: vec![TopicId("inference".to_owned())],
        hits: Vec::new(),
    };
    Digest {
        id,
        subjects: subjects(),
        week: None,
        since: 0,
        upto: 40,
        windows: vec![window(SourceKind::ArxivMail, 0, 60, 1).window],
        considered: 40,
        matched: entries,
        entries: (1..=entries).map(entry).collect(),
    }
}

fn rendering(digest: DigestId) -> RenderingId {
    RenderingId {
        digest,
        platform: Platform::Telegram,
        lang: Lang::Zh,
        style: Style::Compact,
        zone: chrono_tz::Asia::Shanghai,
        revision: 0,
    }
}

fn parts(texts: &[&str]) -> Vec<Part> {
    let part = |text: &&str| Part {
        payload: (*text).to_owned(),
    };
    texts.iter().map(part).collect()
}

fn delivery(at_place: &str, digest: DigestId, state: State) -> Delivery {
    let id = DeliveryId::post(place(at_place), digest);
    Delivery {
        state,
        ..Delivery::new(id, rendering(digest), 2, at(0))
    }
}

fn available(minute: i64) -> State {
    State::Available { at: at(minute) }
}

fn send(delivery: &Delivery) -> Write {
    Write::Delivery(Box::new(delivery.clone()))
}

fn an_empty_store_answers_everything_with_nothing(store: &dyn Store) {
    let telegram = place("telegram:-1");
    assert_eq!(store.paper(&arxiv(1)), Ok(None));
    assert_eq!(store.similar(&[1, 2]), Ok(vec![]));
    assert_eq!(store.head(), Ok(0));
    assert_eq!(store.intake(0, Seq::MAX, 9), Ok(vec![]));
    assert_eq!(store.intake_of(&arxiv(1)), Ok(None));
    assert_eq!(store.windows(), Ok(vec![]));
    assert_eq!(store.channels_due(at(9), 9), Ok(vec![]));
    assert_eq!((store.next_channel_due(), store.rules()), (Ok(None), Ok(vec![])));
    assert_eq!(store.digests(None, 9), Ok(vec![]));
    assert_eq!(store.part(&rendering(digest_id(1)), 0), Ok(None));
    assert_eq!(store.deliveries(&telegram, None, 9), Ok(vec![]));
    for platform in Platform::ALL {
        assert_eq!(store.due(platform, at(9), 9), Ok(vec![]));
        assert_eq!(store.next_due(platform), Ok(None));
        assert_eq!(store.leased(platform), Ok(vec![]));
        assert_eq!(store.sends(platform, at(-9)), Ok(vec![]));
        assert_eq!(store.limiter_memory(platform), Ok(None));
    }
    assert_eq!(store.digest_of_message(&telegram, "1"), Ok(None));
    assert_eq!(store.messages_in_chat(&telegram, 9), Ok(vec![]));
    assert_eq!(store.digests_of_place(&telegram, 9), Ok(vec![]));
    assert_eq!(store.finished_before(at(9), 9), Ok(vec![]));
    assert_eq!(store.digest_summary(&digest_id(1)), Ok(None));
    assert_eq!(
        (
            store.tally(&arxiv(1)),
            store.saved(&person(1), 9),
            store.next_outdated()
        ),
        (Ok(Tally::default()), Ok(vec![]), Ok(None))
    );
    assert_eq!(store.damaged(), Ok(vec![]));
    assert_eq!(
        (store.unreadable(None, 9), store.set_aside(9)),
        (Ok((vec![], None)), Ok(vec![]))
    );
}

fn a_commit_is_visible_to_the_next_read_and_sync_may_be_called_at_any_time(store: &dyn Store) {
    assert_eq!(store.sync(), Ok(()));
    assert_eq!(store.commit(vec![]), Ok(()));
    let known = paper(arxiv(1), "Paged attention", "");
    assert_eq!(store.commit(vec![put(known.clone())]), Ok(()));
    assert_eq!(store.paper(&arxiv(1)), Ok(Some(known.clone())));
    assert_eq!((store.sync(), store.sync()), (Ok(()), Ok(())));
    assert_eq!(store.paper(&arxiv(1)), Ok(Some(known)));
}

fn later_writes_of_a_commit_see_the_earlier_ones(store: &dyn Store) {
    let telegram = "telegram:-1";
    let first = delivery(telegram, digest_id(1), available(5));
    let sent = delivery(telegram, digest_id(1), State::Sent { at: at(6) });
    let second = delivery(telegram, digest_id(2), available(9));
    let renamed = paper(arxiv(1), "Continuous batching of transformer requests under load", "");
    let writes = vec![
        put(paper(arxiv(1), "Paged attention for serving large language models", "")),
        send(&second),
        send(&first),
        Write::Channel(Box::new(channel(telegram, Some(3)))),
        Write::Match(Box::new(matching("kv", 1, 5))),
        put(renamed.clone()),
        send(&sent),
        Write::Channel(Box::new(channel(telegram, Some(8)))),
        Write::ClearMatches {
            topic: TopicId("kv".to_owned()),
            after: 0,
            upto: 100,
        },
    ];
    store.commit(writes).unwrap();
    assert_eq!(
        store.similar(&join::sketch(&paper(
            arxiv(1),
            "Paged attention for serving large language models",
            ""
        ))),
        Ok(vec![])
    );
    assert_eq!(store.similar(&join::sketch(&renamed)), Ok(vec![arxiv(1)]));
    assert_eq!(store.unfinished(9), Ok(vec![second.clone()]));
    assert_eq!(store.due(Platform::Telegram, at(99), 9), Ok(vec![second]));
    assert_eq!(store.next_channel_due(), Ok(Some(at(8))));
    assert_eq!(store.channels_due(at(99), 9), Ok(vec![channel(telegram, Some(8))]));
    assert_eq!(store.matches(&TopicId("kv".to_owned()), 0, 9), Ok(vec![]));
}

fn a_paper_is_found_under_every_name_that_leads_to_it(store: &dyn Store) {
    let provisional = PaperId::provisional("a", "b");
    let doi = PaperId::Doi("10.1000/182".to_owned());
    let alias = |from: &PaperId, to: &PaperId| Write::Alias {
        from: from.clone(),
        to: to.clone(),
    };
    let old = paper(provisional.clone(), "Old", "");
    let real = paper(arxiv(1), "Real", "");
    store.commit(vec![put(old.clone())]).unwrap();
    store.commit(vec![alias(&provisional, &doi)]).unwrap();
    assert_eq!(store.paper(&provisional), Ok(None));
    assert_eq!(store.similar(&join::sketch(&old)), Ok(vec![]));
    store.commit(vec![alias(&doi, &arxiv(1)), put(real.clone())]).unwrap();
    for name in [&provisional, &doi, &arxiv(1)] {
        assert_eq!(store.paper(name), Ok(Some(real.clone())));
    }
}

fn an_alias_that_would_lead_back_to_itself_changes_nothing(store: &dyn Store) {
    let [a, b, c] = [arxiv(1), arxiv(2), arxiv(3)];
    let alias = |from: &PaperId, to: &PaperId| Write::Alias {
        from: from.clone(),
        to: to.clone(),
    };
    let real = paper(c.clone(), "Real", "");
    store
        .commit(vec![put(real.clone()), alias(&a, &b), alias(&b, &c)])
        .unwrap();
    store.commit(vec![alias(&c, &a), alias(&c, &c), alias(&b, &a)]).unwrap();
    for name in [&a, &b, &c] {
        assert_eq!(store.paper(name), Ok(Some(real.clone())));
    }
}

fn similar_papers_come_with_the_most_shared_fingerprints_first(store: &dyn Store) {
    let wanted = paper(
        arxiv(9),
        "Speculative decoding with early exits",
        "Autoregressive decoding is bound by memory bandwidth. We let a small network propose several tokens and \
         verify them in one pass of the large one, which may leave at an early layer when it is sure. Throughput \
         doubles on summarisation and translation while every output stays word for word the same.",
    );
    let both = paper(arxiv(2), wanted.title(), wanted.abstract_text());
    let one = paper(arxiv(1), wanted.title(), "");
    let other = paper(
        arxiv(3),
        "Protein folding on a budget",
        "Predicting structures needs large databases of aligned sequences; ours fits on a laptop.",
    );
    store.commit(vec![put(one), put(both), put(other)]).unwrap();
    let sketch = join::sketch(&wanted);
    assert_eq!(store.similar(&sketch), Ok(vec![arxiv(2), arxiv(1)]));
    let twice: Vec<u64> = sketch.iter().chain(&sketch).copied().collect();
    assert_eq!(store.similar(&twice), store.similar(&sketch));

    let many = (100..200).map(|n| put(paper(arxiv(n), wanted.title(), ""))).collect();
    store.commit(many).unwrap();
    let found = store.similar(&sketch).unwrap();
    assert_eq!((found.len(), found.first()), (50, Some(&arxiv(2))));

    // What hundreds have says nothing of any of them; the abstract still does.
    let hundreds = (200..400).map(|n| put(paper(arxiv(n), wanted.title(), ""))).collect();
    store.commit(hundreds).unwrap();
    assert_eq!(store.similar(&sketch), Ok(vec![arxiv(2)]));
}

fn fingerprints_of_an_earlier_state_are_gone(store: &dyn Store) {
    let before = paper(arxiv(1), "A first draft about memory-bound schedulers", "");
    let after = paper(arxiv(1), "Continuous batching of transformer requests under load", "");
    store.commit(vec![put(before.clone())]).unwrap();
    store.commit(vec![put(after.clone())]).unwrap();
    assert_eq!(store.similar(&join::sketch(&before)), Ok(vec![]));
    assert_eq!(store.similar(&join::sketch(&after)), Ok(vec![arxiv(1)]));
}

fn the_intake_is_read_in_order_and_in_bounds(store: &dyn Store) {
    let records: Vec<_> = (1..=300).map(|seq| intake(seq, arxiv(seq as u32))).collect();
    let backwards = records.iter().rev().cloned().map(Write::Intake);
    store.commit(backwards.collect()).unwrap();
    assert_eq!(store.head(), Ok(300));
    assert_eq!(store.intake(254, 258, 9).unwrap(), records[254..258]);
    assert_eq!(store.intake(0, Seq::MAX, 3).unwrap(), records[..3]);
    assert_eq!(store.intake(5, 5, 9), Ok(vec![]));
    assert_eq!(store.intake(9, 5, 9), Ok(vec![]));
    assert_eq!(store.intake(Seq::MAX, Seq::MAX, 9), Ok(vec![]));
}

fn a_position_is_found_under_every_name_of_its_paper(store: &dyn Store) {
    let provisional = PaperId::provisional("a", "b");
    let came = intake(4, provisional.clone());
    store
        .commit(vec![put(Paper::new(provisional.clone())), Write::Intake(came.clone())])
        .unwrap();
    let real_name = Write::Alias {
        from: provisional.clone(),
        to: arxiv(1),
    };
    store.commit(vec![put(Paper::new(arxiv(1))), real_name]).unwrap();
    assert_eq!(store.intake_of(&provisional), Ok(Some(came.clone())));
    assert_eq!(store.intake_of(&arxiv(1)), Ok(Some(came.clone())));
    store.commit(vec![Write::Intake(intake(7, arxiv(1)))]).unwrap();
    assert_eq!(store.intake_of(&arxiv(1)), Ok(Some(came)));
    assert_eq!(store.intake_of(&arxiv(2)), Ok(None));
}

fn a_position_given_to_another_paper_is_no_longer_the_first_ones(store: &dyn Store) {
    store.commit(vec![Write::Intake(intake(1, arxiv(1)))]).unwrap();
    store.commit(vec![Write::Intake(intake(1, arxiv(2)))]).unwrap();
    assert_eq!(store.intake_of(&arxiv(1)), Ok(None));
    assert_eq!(store.intake_of(&arxiv(2)), Ok(Some(intake(1, arxiv(2)))));
}

fn windows_come_by_source_and_time(store: &dyn Store) {
    let ordered = [
        window(SourceKind::ArxivMail, -90_000_000, 60, 1),
        window(SourceKind::ArxivMail, 0, 60, 1),
        window(SourceKind::ArxivMail, 0, 90, 1),
        window(SourceKind::ArxivMail, 60, 70, 1),
        window(SourceKind::Report, 0, 60, 1),
    ];
    let shuffled = [3, 0, 4, 2, 1].map(|i: usize| Write::Window(ordered[i].clone()));
    store.commit(shuffled.to_vec()).unwrap();
    assert_eq!(store.windows().unwrap(), ordered);
    let again = window(SourceKind::ArxivMail, 0, 90, 8);
    store.commit(vec![Write::Window(again.clone())]).unwrap();
    assert_eq!(store.windows().unwrap().len(), ordered.len());
    assert_eq!(store.window(&again.window), Ok(Some(again)));
}

fn a_content_is_known_by_its_hash_alone(store: &dyn Store) {
    let records = [content("ab", "mail.txt"), content("abc", "mail.txt")];
    store.commit(records.clone().map(Write::Content).to_vec()).unwrap();
    assert_eq!(store.content("ab"), Ok(Some(records[0].clone())));
    assert_eq!(store.content("abc"), Ok(Some(records[1].clone())));
    assert_eq!(store.content("a"), Ok(None));
}

fn clearing_matches_leaves_earlier_ones_and_other_topics(store: &dyn Store) {
    let topic = |name: &str| TopicId(name.to_owned());
    let all: Vec<_> = ["kv", "kv-cache"]
        .iter()
        .flat_map(|name| (1..=4).map(|seq| Write::Match(Box::new(matching(name, seq, 3)))))
        .collect();
    store.commit(all).unwrap();
    let clear = Write::ClearMatches {
        topic: topic("kv"),
        after: 2,
        upto: 3,
    };
    store
        .commit(vec![clear, Write::Match(Box::new(matching("kv", 3, 6)))])
        .unwrap();
    let left = vec![
        matching("kv", 1, 3),
        matching("kv", 2, 3),
        matching("kv", 3, 6),
        matching("kv", 4, 3),
    ];
    assert_eq!(store.matches(&topic("kv"), 0, 9), Ok(left));
    assert_eq!(store.matches(&topic("kv-cache"), 1, 3).unwrap().len(), 2);
    assert_eq!(store.matches(&topic("k"), 0, Seq::MAX), Ok(vec![]));
    assert_eq!(store.matches(&topic("kv"), 9, 0), Ok(vec![]));
}

fn a_topics_fingerprint_is_remembered(store: &dyn Store) {
    let print = |fingerprint| Write::TopicFingerprint {
        topic: TopicId("kv".to_owned()),
        fingerprint,
    };
    store.commit(vec![print(1), print(u64::MAX)]).unwrap();
    assert_eq!(store.topic_fingerprint(&TopicId("kv".to_owned())), Ok(Some(u64::MAX)));
    assert_eq!(store.topic_fingerprint(&TopicId("k".to_owned())), Ok(None));
}

fn only_active_channels_are_due_most_overdue_first(store: &dyn Store) {
    let paused = Channel {
        activity: Activity::Paused {
            reason: "kicked".to_owned(),
            since: at(1),
        },
        ..channel("web:paused", Some(0))
    };
    let snoozed = |until| Activity::Snoozed {
        until,
        since: at(1),
        by: "1001".to_owned(),
    };
    let comes_back = Channel {
        activity: snoozed(Some(at(8))),
        ..channel("web:comes-back", Some(8))
    };
    let stays = Channel {
        activity: snoozed(None),
        ..channel("web:stays", None)
    };
    // Its digest is due later than its round-up.
    let round_up = Channel {
        weekly_due: Some(at(6)),
        ..channel("web:weekly", Some(7))
    };
    let all = [
        channel("telegram:-1/42", Some(5)),
        channel("telegram:-1/4", Some(5)),
        channel("telegram:-1", Some(9)),
        channel("web:lobby", Some(3)),
        channel("discord:123456789012345678", None),
        paused.clone(),
        comes_back.clone(),
        stays,
        round_up.clone(),
    ];
    store
        .commit(all.iter().cloned().map(|c| Write::Channel(Box::new(c))).collect())
        .unwrap();
    let due = |now, limit| store.channels_due(at(now), limit).unwrap();
    assert_eq!(due(2, 9), []);
    assert_eq!(due(5, 9), [all[3].clone(), all[1].clone(), all[0].clone()]);
    assert_eq!(due(9, 2), [all[3].clone(), all[1].clone()]);
    assert_eq!(due(8, 9)[3..], [round_up.clone(), comes_back]);
    let off = Channel {
        weekly_due: None,
        ..round_up
    };
    store.commit(vec![Write::Channel(Box::new(off))]).unwrap();
    assert_eq!(due(6, 9).len(), 3);
    assert_eq!(store.next_channel_due(), Ok(Some(at(3))));

    let resumed = channel("web:paused", Some(1));
    store.commit(vec![Write::Channel(Box::new(resumed.clone()))]).unwrap();
    assert_eq!(store.next_channel_due(), Ok(Some(at(1))));
    store.commit(vec![Write::Channel(Box::new(paused.clone()))]).unwrap();
    assert_eq!(store.next_channel_due(), Ok(Some(at(3))));
    assert_eq!(store.channel(&paused.place), Ok(Some(paused)));
    let order: Vec<_> = store.channels().unwrap().into_iter().map(|c| c.place).collect();
    assert!(order.is_sorted() && order.len() == all.len(), "{order:?}");
}

fn a_removed_channel_leaves_its_deliveries(store: &dyn Store) {
    let telegram = place("telegram:-1");
    let waiting = delivery("telegram:-1", digest_id(1), available(5));
    store
        .commit(vec![
            Write::Channel(Box::new(channel("telegram:-1", Some(1)))),
            send(&waiting),
        ])
        .unwrap();
    store.commit(vec![Write::RemoveChannel(telegram.clone())]).unwrap();
    assert_eq!(store.channel(&telegram), Ok(None));
    assert_eq!(store.next_channel_due(), Ok(None));
    assert_eq!(store.due(Platform::Telegram, at(5), 9), Ok(vec![waiting]));
}

fn following(at_place: &str, rules: &[&str], resting: &[&str]) -> Write {
    let of = |rules: &[&str]| Subjects::default().with_rules(rules.iter().map(|rule| rule.parse().unwrap()));
    let mut channel = channel(at_place, Some(1));
    (channel.settings.subjects, channel.resting) = (of(rules), of(resting));
    Write::Channel(Box::new(channel))
}

/// The rules of a store, with how many channels follow each, by text.
fn rules(store: &dyn Store) -> Vec<(String, u64)> {
    let rules = store.rules().unwrap();
    assert!(rules.is_sorted_by_key(|followed| followed.key));
    let mut named: Vec<_> = rules
        .into_iter()
        .map(|followed| {
            assert_eq!(followed.key, followed.rule.key());
            (followed.rule.typed().to_owned(), followed.channels)
        })
        .collect();
    named.sort();
    named
}

fn equal_rules_of_different_channels_are_one_rule(store: &dyn Store) {
    let writes = vec![
        following("telegram:-1", &["kv cache -survey", "moe"], &[]),
        following("telegram:-1/4", &["-survey cache KV"], &["MoE"]),
        following("discord:100000000000000001", &[], &[]),
    ];
    store.commit(writes).unwrap();
    let expected = [("cache kv -survey".to_owned(), 2), ("moe".to_owned(), 2)];
    assert_eq!(rules(store), expected);
    // Each channel's people see it as they typed it.
    let typed = ["telegram:-1", "telegram:-1/4"].map(|at| {
        let channel = store.channel(&place(at)).unwrap().unwrap();
        channel.settings.subjects.rules[0].typed().to_owned()
    });
    assert_eq!(typed, ["kv cache -survey", "-survey cache kv"]);
}

fn a_rule_follows_its_channel_to_another_place_and_goes_with_the_last_one(store: &dyn Store) {
    store
        .commit(vec![following("telegram:-1", &["moe", "kv"], &[])])
        .unwrap();
    let moved = vec![
        following("telegram:-1001", &["moe", "kv"], &[]),
        Write::RemoveChannel(place("telegram:-1")),
    ];
    store.commit(moved).unwrap();
    let (kv, moe) = (("kv".to_owned(), 1), ("moe".to_owned(), 1));
    assert_eq!(rules(store), [kv.clone(), moe]);
    store.commit(vec![following("telegram:-1001", &[], &["kv"])]).unwrap();
    assert_eq!(rules(store), std::slice::from_ref(&kv));
    let twice = vec![
        following("web:a", &["kv"], &[]),
        Write::RemoveChannel(place("web:a")),
        Write::RemoveChannel(place("web:b")),
    ];
    store.commit(twice).unwrap();
    assert_eq!(rules(store), [kv]);
    store
        .commit(vec![Write::RemoveChannel(place("telegram:-1001"))])
        .unwrap();
    assert_eq!(rules(store), []);
}

fn digests_come_latest_first(store: &dyn Store) {
    let other_set = DigestId { set: 1, ..digest_id(2) };
    let ordered = [digest_id(3), digest_id(2), other_set, digest_id(-1)];
    let writes = ordered.map(|id| Write::Digest(Box::new(digest(id, 2))));
    store.commit(writes.to_vec()).unwrap();
    assert_eq!(store.digests(None, 9).unwrap(), ordered);
    assert_eq!(store.digests(Some(digest_id(2)), 1).unwrap(), [other_set]);
    assert_eq!(store.digest(&other_set), Ok(Some(digest(other_set, 2))));
}

fn a_shorter_rendering_leaves_no_parts_of_the_longer_one(store: &dyn Store) {
    let id = rendering(digest_id(1));
    let put = |texts: &[&str]| Write::Rendering {
        id: id.clone(),
        parts: parts(texts),
    };
    let long = "x".repeat(50_000);
    store.commit(vec![put(&["a", &long, "c"])]).unwrap();
    store.commit(vec![put(&["d", "e"])]).unwrap();
    let read = |index| store.part(&id, index).unwrap().map(|part| part.payload);
    assert_eq!(
        [read(0), read(1), read(2)],
        [Some("d".to_owned()), Some("e".to_owned()), None]
    );
    let other = RenderingId {
        lang: Lang::En,
        ..id.clone()
    };
    assert_eq!(store.part(&other, 0), Ok(None));
}

fn a_record_of_any_length_comes_back_whole(store: &dyn Store) {
    for entries in [0, 3000, 40, 41, 1000] {
        let written = digest(digest_id(1), entries);
        store.commit(vec![Write::Digest(Box::new(written.clone()))]).unwrap();
        assert_eq!(store.digest(&digest_id(1)).unwrap(), Some(written));
    }
}

fn the_earliest_unfinished_delivery_of_a_place_blocks_those_behind_it(store: &dyn Store) {
    let second = delivery("telegram:-1", digest_id(2), available(1));
    store.commit(vec![send(&second)]).unwrap();
    assert_eq!(store.next_due(Platform::Telegram), Ok(Some(at(1))));
    for blocking in [available(50), State::Leased { until: at(50) }] {
        let first = delivery("telegram:-1", digest_id(1), blocking);
        store.commit(vec![send(&first)]).unwrap();
        assert_eq!(store.due(Platform::Telegram, at(49), 9), Ok(vec![]));
        assert_eq!(store.next_due(Platform::Telegram), Ok(Some(at(50))));
        assert_eq!(store.due(Platform::Telegram, at(50), 9), Ok(vec![first]));
    }
    let neighbour = delivery("telegram:-1/2", digest_id(3), available(2));
    store.commit(vec![send(&neighbour)]).unwrap();
    assert_eq!(store.due(Platform::Telegram, at(49), 9), Ok(vec![neighbour]));
    assert_eq!(store.unfinished(2).unwrap().len(), 2);
}

fn a_finished_delivery_lets_the_next_one_through(store: &dyn Store) {
    let second = delivery("telegram:-1", digest_id(2), available(7));
    let dropped = State::Discarded {
        reason: Discard::Dropped,
        at: at(3),
    };
    for finished in [State::Sent { at: at(3) }, dropped] {
        let waiting = delivery("telegram:-1", digest_id(1), available(50));
        store.commit(vec![send(&waiting), send(&second)]).unwrap();
        let done = delivery("telegram:-1", digest_id(1), finished);
        store.commit(vec![send(&done)]).unwrap();
        assert_eq!(store.due(Platform::Telegram, at(7), 9), Ok(vec![second.clone()]));
        assert_eq!(store.next_due(Platform::Telegram), Ok(Some(at(7))));
        assert_eq!(store.unfinished(9), Ok(vec![second.clone()]));
        assert_eq!(
            store.deliveries(&place("telegram:-1"), None, 9),
            Ok(vec![second.clone(), done])
        );
    }
}

fn due_deliveries_come_most_overdue_first_and_next_due_agrees(store: &dyn Store) {
    let places = ["telegram:-1/42", "telegram:-1/4", "telegram:-3", "telegram:-2", "web:a"];
    let minutes = [4, 4, 2, 9, 1];
    let all: Vec<_> = places
        .iter()
        .zip(minutes)
        .map(|(place, minute)| delivery(place, digest_id(1), available(minute)))
        .collect();
    store.commit(all.iter().map(send).collect()).unwrap();
    let ordered = [&all[2], &all[1], &all[0], &all[3]].map(Clone::clone);
    assert_eq!(store.due(Platform::Telegram, at(9), 9).unwrap(), ordered);
    assert_eq!(store.due(Platform::Telegram, at(9), 2).unwrap(), ordered[..2]);
    let next = store.next_due(Platform::Telegram).unwrap().unwrap();
    assert_eq!(store.due(Platform::Telegram, next, 9).unwrap(), ordered[..1]);
    let before = next - TimeDelta::nanoseconds(1);
    assert_eq!(store.due(Platform::Telegram, before, 9), Ok(vec![]));
    assert_eq!(store.due(Platform::Web, at(9), 9).unwrap(), all[4..]);
    assert_eq!(store.due(Platform::Discord, at(9), 9), Ok(vec![]));
}

fn with_parts(delivery: Delivery, through: &[&str]) -> Delivery {
    Delivery {
        message_ids: through.iter().map(|id| (*id).to_owned()).collect(),
        ..delivery
    }
}

fn every_channel_gets_its_first_part_before_any_gets_its_second(store: &dyn Store) {
    let new = |place: &str, minute| delivery(place, digest_id(1), available(minute));
    let third = Delivery {
        parts: 9,
        ..with_parts(new("telegram:-4", 0), &["1", "2"])
    };
    let again = Delivery {
        again: vec![1],
        ..with_parts(new("telegram:-5", 2), &["3", "4"])
    };
    let ordered = [
        new("telegram:-3", 6),
        new("telegram:-1", 7),
        with_parts(new("telegram:-2", 1), &["5"]),
        again,
        third,
    ];
    let later = with_parts(new("telegram:-6", 9), &["6"]);
    store.commit(vec![send(&later)]).unwrap();
    store.commit(ordered.iter().rev().map(send).collect()).unwrap();
    let due = |now, limit| store.due(Platform::Telegram, at(now), limit).unwrap();
    assert_eq!(due(8, 9), ordered);
    assert_eq!(due(8, 3), ordered[..3]);
    assert_eq!(due(5, 9), ordered[2..]);
    assert_eq!(due(8, 0), []);
    assert_eq!(store.next_due(Platform::Telegram), Ok(Some(at(0))));
    let ended = State::Sent { at: at(8) };
    let sent = ordered.clone().map(|d| {
        send(&Delivery {
            state: ended.clone(),
            ..d
        })
    });
    store.commit(sent.to_vec()).unwrap();
    assert_eq!(store.next_due(Platform::Telegram), Ok(Some(at(9))));
}

fn expired_leases_come_after_all_that_is_available(store: &dyn Store) {
    let lease = |place: &str, minute| delivery(place, digest_id(1), State::Leased { until: at(minute) });
    let second_part = with_parts(delivery("telegram:-3", digest_id(1), available(5)), &["1"]);
    let ordered = [
        second_part,
        lease("telegram:-2", 2),
        lease("telegram:-1", 4),
        with_parts(lease("telegram:-4", 1), &["2"]),
    ];
    store.commit(ordered.iter().map(send).collect()).unwrap();
    store.commit(vec![send(&lease("telegram:-5", 6))]).unwrap();
    assert_eq!(store.due(Platform::Telegram, at(5), 9).unwrap(), ordered);
    assert_eq!(store.due(Platform::Telegram, at(5), 2).unwrap(), ordered[..2]);
    assert_eq!(store.next_due(Platform::Telegram), Ok(Some(at(1))));
}

fn all_leased_deliveries_are_found_whatever_stands_before_them(store: &dyn Store) {
    let lease = |place: &str, day, minute| delivery(place, digest_id(day), State::Leased { until: at(minute) });
    let [behind, first, other] = [
        lease("telegram:-1", 2, 3),
        lease("telegram:-2", 1, 1),
        lease("web:a", 1, 2),
    ];
    let before = delivery("telegram:-1", digest_id(1), available(9));
    store
        .commit([&first, &behind, &other, &before].map(send).to_vec())
        .unwrap();
    assert_eq!(
        store.leased(Platform::Telegram),
        Ok(vec![behind.clone(), first.clone()])
    );
    assert_eq!(store.due(Platform::Telegram, at(8), 9), Ok(vec![first.clone()]));
    store.commit(vec![Write::RemoveDelivery(first.id)]).unwrap();
    assert_eq!(store.next_due(Platform::Telegram), Ok(Some(at(9))));
    store.commit(vec![Write::RemoveDelivery(before.id)]).unwrap();
    assert_eq!(store.due(Platform::Telegram, at(8), 9), Ok(vec![behind.clone()]));
    let released = Delivery {
        state: available(4),
        ..behind
    };
    store.commit(vec![send(&released)]).unwrap();
    assert_eq!(store.leased(Platform::Telegram), Ok(vec![]));
    assert_eq!(store.due(Platform::Telegram, at(8), 9), Ok(vec![released]));
    assert_eq!(store.leased(Platform::Web), Ok(vec![other]));
}

fn the_largest_message_ids_of_a_chat_come_from_all_its_threads(store: &dyn Store) {
    let sent = |place: &str, day, ids: &[&str]| {
        let state = State::Sent { at: at(day) };
        send(&with_parts(delivery(place, digest_id(day), state), ids))
    };
    let writes = vec![
        sent("telegram:-1", 1, &["9", "10", ""]),
        sent("telegram:-1/4", 1, &["100", "no number"]),
        sent("telegram:-1/42", 2, &["11", "18446744073709551616"]),
        sent("telegram:-1/42", 3, &["11"]),
        sent("telegram:-14", 1, &["500"]),
        sent("web:a", 1, &["600"]),
    ];
    store.commit(writes).unwrap();
    let ids = |limit| store.messages_in_chat(&place("telegram:-1/7"), limit).unwrap();
    assert_eq!(ids(9), ["100", "11", "10", "9"]);
    assert_eq!(ids(2), ["100", "11"]);
    assert_eq!(ids(0), [""; 0]);
    let digests = |at: &str, limit| store.digests_of_place(&place(at), limit).unwrap();
    assert_eq!(digests("telegram:-1/42", 9), [digest_id(3), digest_id(2)]);
    assert_eq!(digests("telegram:-1/42", 1), [digest_id(3)]);
    assert_eq!(digests("telegram:-1/4", 9), [digest_id(1)]);
}

fn every_send_is_remembered_until_it_is_forgotten(store: &dyn Store) {
    let sent = |at_place: &str, minute| Write::Sent {
        place: place(at_place),
        at: at(minute),
    };
    let writes = ["telegram:-1", "telegram:-1/4", "telegram:-1", "telegram:-2"].map(|place| sent(place, 2));
    store.commit(writes.to_vec()).unwrap();
    store
        .commit(vec![sent("telegram:-1", 1), sent("telegram:-1", 2), sent("web:a", 2)])
        .unwrap();
    let sends = |since| store.sends(Platform::Telegram, at(since)).unwrap();
    let [one, two] = [("-1".to_owned(), at(2)), ("-2".to_owned(), at(2))];
    let at_two = [&one, &one, &one, &one, &two].map(Clone::clone);
    assert_eq!(sends(2), at_two);
    assert_eq!((sends(3), sends(-9).len()), (vec![], 6));
    let forget = |before| Write::ForgetSent {
        platform: Platform::Telegram,
        before: at(before),
    };
    store.commit(vec![forget(2)]).unwrap();
    assert_eq!(sends(-9), at_two);
    store
        .commit(vec![sent("telegram:-2", 3), forget(4), sent("telegram:-2", 3)])
        .unwrap();
    assert_eq!(sends(-9), [("-2".to_owned(), at(3))]);
    assert_eq!(store.sends(Platform::Web, at(0)).unwrap().len(), 1);
}

fn a_limiters_memory_is_its_platforms_own(store: &dyn Store) {
    let memory = |memory: &str| Write::LimiterMemory {
        platform: Platform::Discord,
        memory: memory.to_owned(),
    };
    let long = format!("{{\"buckets\":\"{}\"}}", "界".repeat(10_000));
    for text in [&long, "{}", ""] {
        store.commit(vec![memory(text)]).unwrap();
        assert_eq!(store.limiter_memory(Platform::Discord), Ok(Some(text.to_owned())));
    }
    assert_eq!(store.limiter_memory(Platform::Telegram), Ok(None));
}

fn notes_are_kept_by_space_and_listed_in_the_order_of_their_keys(store: &dyn Store) {
    let put = |space, key: &str, value: Option<&str>| Write::Memo {
        space,
        key: key.to_owned(),
        value: value.map(str::to_owned),
    };
    let long = "界".repeat(20_000);
    store
        .commit(vec![
            put(MemoSpace::Source, "b", Some("2")),
            put(MemoSpace::Source, "a", Some(&long)),
            put(MemoSpace::Source, "a\0b", Some("")),
            put(MemoSpace::Alarm, "a", Some("gap")),
        ])
        .unwrap();
    let keys = |after, limit| -> Vec<String> {
        let all = store.memos(MemoSpace::Source, after, limit).unwrap();
        all.into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(store.memo(MemoSpace::Source, "a").unwrap().as_deref(), Some(&*long));
    assert_eq!(keys(None, 9), ["a", "a\0b", "b"]);
    assert_eq!(
        (keys(Some("a"), 1), keys(Some("b"), 9)),
        (vec!["a\0b".to_owned()], vec![])
    );
    store
        .commit(vec![
            put(MemoSpace::Source, "a", None),
            put(MemoSpace::Alarm, "a", Some("now")),
        ])
        .unwrap();
    assert_eq!(store.memo(MemoSpace::Source, "a"), Ok(None));
    assert_eq!(
        store.memos(MemoSpace::Alarm, None, 9).unwrap(),
        [("a".to_owned(), "now".to_owned())]
    );
    assert_eq!(keys(None, 9), ["a\0b", "b"]);
}

fn what_ended_comes_earliest_first_and_dead_letters_never(store: &dyn Store) {
    let ended = |reason, minute| State::Discarded { reason, at: at(minute) };
    let all = [
        delivery("telegram:-2", digest_id(1), State::Sent { at: at(1) }),
        delivery(
            "telegram:-1/4",
            digest_id(1),
            ended(Discard::Gone("kicked".to_owned()), 2),
        ),
        delivery("telegram:-1/4", digest_id(2), State::Sent { at: at(2) }),
        delivery("telegram:-3", digest_id(1), ended(Discard::Dropped, 3)),
        delivery("web:a", digest_id(1), State::Sent { at: at(1) }),
        delivery("web:c", digest_id(1), ended(Discard::Rejected("bad".to_owned()), 1)),
        delivery("web:d", digest_id(1), available(1)),
        delivery("web:e", digest_id(1), State::Leased { until: at(1) }),
    ];
    store.commit(all.iter().rev().map(send).collect()).unwrap();
    let ids = |before, limit| store.finished_before(at(before), limit).unwrap();
    let expected = all.clone().map(|d| d.id);
    assert_eq!(ids(9, 9), expected[..4]);
    assert_eq!(ids(9, 2), expected[..2]);
    assert_eq!(ids(3, 9), expected[..3]);
    let [first, second, ..] = all;
    let again = Delivery {
        state: available(4),
        ..first
    };
    store
        .commit(vec![send(&again), Write::RemoveDelivery(second.id)])
        .unwrap();
    assert_eq!(ids(9, 9), expected[2..4]);
}

fn an_archived_delivery_leaves_its_messages_and_a_sum(store: &dyn Store) {
    let gone = State::Discarded {
        reason: Discard::Gone("kicked".to_owned()),
        at: at(1),
    };
    let dropped = State::Discarded {
        reason: Discard::Dropped,
        at: at(9),
    };
    let sent = |minute| State::Sent { at: at(minute) };
    let all = [
        with_parts(delivery("telegram:-1", digest_id(1), sent(5)), &["1", ""]),
        with_parts(delivery("telegram:-2", digest_id(1), sent(3)), &["2", "3"]),
        with_parts(delivery("telegram:-3", digest_id(1), sent(4)), &["4", "5"]),
        with_parts(delivery("telegram:-4", digest_id(1), gone), &["6"]),
        delivery("telegram:-5", digest_id(1), dropped),
    ];
    store.commit(all.iter().map(send).collect()).unwrap();
    for some in all.chunks(2) {
        let archive = some.iter().map(|d| Write::Archive(d.id.clone()));
        store.commit(archive.collect()).unwrap();
    }
    let summary = DigestSummary {
        digest: digest_id(1),
        channels: 3,
        parts: 7,
        first_sent: Some(at(3)),
        last_sent: Some(at(5)),
        gone: 1,
        dropped: 1,
    };
    assert_eq!(store.digest_summary(&digest_id(1)), Ok(Some(summary)));
    assert_eq!(store.finished_before(at(99), 9), Ok(vec![]));
    for delivery in &all {
        assert_eq!(store.delivery(&delivery.id), Ok(None));
        assert_eq!(store.deliveries(&delivery.id.place, None, 9), Ok(vec![]));
    }
    assert_eq!(store.digest_of_message(&all[1].id.place, "3"), Ok(Some(digest_id(1))));
    assert_eq!(store.messages_in_chat(&all[3].id.place, 9), Ok(vec!["6".to_owned()]));
    assert_eq!(store.digests_of_place(&all[3].id.place, 9), Ok(vec![digest_id(1)]));
}

fn only_what_ended_is_archived(store: &dyn Store) {
    let rejected = State::Discarded {
        reason: Discard::Rejected("too long".to_owned()),
        at: at(1),
    };
    let kept = [
        delivery("telegram:-1", digest_id(1), available(1)),
        delivery("telegram:-2", digest_id(1), State::Leased { until: at(1) }),
        delivery("telegram:-3", digest_id(1), rejected),
    ];
    let mut writes: Vec<_> = kept.iter().map(send).collect();
    writes.extend(kept.iter().map(|d| Write::Archive(d.id.clone())));
    store.commit(writes).unwrap();
    for delivery in kept {
        assert_eq!(store.delivery(&delivery.id), Ok(Some(delivery)));
    }
    assert_eq!(store.due(Platform::Telegram, at(1), 9).unwrap().len(), 2);
    assert_eq!(store.digest_summary(&digest_id(1)), Ok(None));
}

fn renderings_go_with_the_last_delivery_of_their_digest(store: &dyn Store) {
    let rendered = |day| Write::Rendering {
        id: rendering(digest_id(day)),
        parts: parts(&["a", "b"]),
    };
    let sent = |place: &str, day| delivery(place, digest_id(day), State::Sent { at: at(1) });
    let [first, last, other] = [sent("telegram:-1", 1), sent("telegram:-2", 1), sent("telegram:-1", 2)];
    let mut writes = vec![
        rendered(1),
        rendered(2),
        Write::Digest(Box::new(digest(digest_id(1), 2))),
    ];
    writes.extend([&first, &last, &other].map(send));
    store.commit(writes).unwrap();
    let left = |day, index| store.part(&rendering(digest_id(day)), index).unwrap().is_some();
    store.commit(vec![Write::Archive(first.id)]).unwrap();
    assert_eq!([left(1, 0), left(1, 1)], [true; 2]);
    store.commit(vec![Write::Archive(last.id)]).unwrap();
    assert_eq!([left(1, 0), left(1, 1), left(2, 0)], [false, false, true]);
    assert!(store.digest(&digest_id(1)).unwrap().is_some());
}

fn a_digest_is_found_by_every_name_of_its_papers(store: &dyn Store) {
    let with = |day, numbers: &[u32]| {
        let mut digest = digest(digest_id(day), 9);
        digest.entries.retain(|entry| numbers.contains(&entry.number));
        Write::Digest(Box::new(digest))
    };
    store
        .commit(vec![with(2, &[1, 3]), with(1, &[3]), with(3, &[2])])
        .unwrap();
    assert_eq!(store.digests_of_paper(&arxiv(3)), Ok(vec![digest_id(1), digest_id(2)]));
    assert_eq!(store.digests_of_paper(&arxiv(4)), Ok(vec![]));
    let alias = Write::Alias {
        from: arxiv(3),
        to: arxiv(2),
    };
    store.commit(vec![alias]).unwrap();
    for name in [arxiv(2), arxiv(3)] {
        let all = vec![digest_id(1), digest_id(2), digest_id(3)];
        assert_eq!(store.digests_of_paper(&name), Ok(all));
    }
    // Written anew with other papers.
    store.commit(vec![with(2, &[1])]).unwrap();
    assert_eq!(store.digests_of_paper(&arxiv(2)), Ok(vec![digest_id(1), digest_id(3)]));
}

fn errata_stand_beside_their_digest(store: &dyn Store) {
    let of = |day, revision| Errata {
        revision,
        ..Errata::new(digest_id(day))
    };
    let put = |errata: &Errata| Write::Errata(Box::new(errata.clone()));
    store
        .commit(vec![put(&of(1, 1)), put(&of(2, 1)), put(&of(1, 2))])
        .unwrap();
    assert_eq!(store.errata(&digest_id(1)), Ok(Some(of(1, 2))));
    assert_eq!(store.errata(&digest_id(2)), Ok(Some(of(2, 1))));
    assert_eq!(store.errata(&digest_id(3)), Ok(None));
}

/// The correction of a delivery as it is.
fn correction(post: &Delivery, revision: u32, state: State) -> Delivery {
    let id = DeliveryId {
        revision,
        ..post.id.clone()
    };
    let rendering = RenderingId {
        revision,
        ..post.rendering.clone()
    };
    Delivery {
        state,
        ..Delivery::correction(id, rendering, post.parts, vec![1], at(0))
    }
}

fn a_correction_stands_behind_its_post_and_before_the_next_digest(store: &dyn Store) {
    let telegram = "telegram:-1";
    let post = delivery(telegram, digest_id(1), available(5));
    let next = delivery(telegram, digest_id(2), available(1));
    let elsewhere = delivery("telegram:-2", digest_id(1), State::Sent { at: at(1) });
    let [first, second] = [1, 2].map(|revision| correction(&post, revision, available(2)));
    let all = [&second, &next, &first, &post, &elsewhere];
    store.commit(all.map(send).to_vec()).unwrap();
    for (at_place, before, found) in [
        (telegram, None, vec![&next, &second, &first, &post]),
        (telegram, Some(digest_id(2)), vec![&second, &first, &post]),
        (telegram, Some(digest_id(1)), vec![]),
    ] {
        let found: Vec<Delivery> = found.into_iter().cloned().collect();
        assert_eq!(store.deliveries(&place(at_place), before, 9), Ok(found));
    }
    let ids = [&post, &first, &second, &elsewhere].map(|delivery| delivery.id.clone());
    assert_eq!(store.deliveries_of_digest(&digest_id(1)), Ok(ids.to_vec()));
    let mut in_order = [post, first, second.clone(), next];
    for head in &mut in_order {
        assert_eq!(store.due(Platform::Telegram, at(9), 9), Ok(vec![head.clone()]));
        assert_eq!(store.delivery(&head.id), Ok(Some(head.clone())));
        head.state = State::Leased { until: at(20) };
        store.commit(vec![send(head)]).unwrap();
        assert_eq!(store.due(Platform::Telegram, at(9), 9), Ok(vec![]));
        assert_eq!(store.due(Platform::Telegram, at(20), 9), Ok(vec![head.clone()]));
        head.state = State::Sent { at: at(9) };
        store.commit(vec![send(head)]).unwrap();
    }
    // Newer than what is under way: it goes first.
    let third = correction(&in_order[0], 3, available(0));
    let later = delivery(telegram, digest_id(3), State::Leased { until: at(30) });
    store.commit(vec![send(&later)]).unwrap();
    store.commit(vec![send(&third)]).unwrap();
    assert_eq!(store.due(Platform::Telegram, at(30), 9), Ok(vec![third.clone()]));
    store.commit(vec![Write::RemoveDelivery(third.id)]).unwrap();
    assert_eq!(store.due(Platform::Telegram, at(30), 9), Ok(vec![later]));
    assert_eq!(store.delivery(&second.id).unwrap().map(|d| d.id), Some(second.id));
}

fn a_correction_leaves_the_posts_messages_rendering_and_sum_alone(store: &dyn Store) {
    let mut post = delivery("telegram:-1", digest_id(1), State::Sent { at: at(1) });
    post.message_ids = vec!["10".to_owned(), "11".to_owned()];
    let mut edited = correction(&post, 1, State::Sent { at: at(2) });
    edited.message_ids = vec![String::new(), "11".to_owned()];
    let rendered = |id: &RenderingId, text| Write::Rendering {
        id: id.clone(),
        parts: parts(&[text, text]),
    };
    let writes = vec![
        send(&post),
        rendered(&edited.rendering, "edited"),
        rendered(&post.rendering, "posted"),
        send(&edited),
    ];
    store.commit(writes).unwrap();
    let text = |id: &RenderingId| store.part(id, 1).unwrap().map(|part| part.payload);
    assert_eq!(text(&post.rendering).as_deref(), Some("posted"));
    assert_eq!(text(&edited.rendering).as_deref(), Some("edited"));
    let ids = vec![post.id.clone(), edited.id.clone()];
    assert_eq!(store.finished_before(at(9), 9), Ok(ids));
    store.commit(vec![Write::Archive(edited.id.clone())]).unwrap();
    assert_eq!(
        (store.delivery(&edited.id), text(&edited.rendering).is_some()),
        (Ok(None), true)
    );
    assert_eq!(store.digest_of_message(&post.id.place, "11"), Ok(Some(digest_id(1))));
    let sum = |store: &dyn Store| {
        store
            .digest_summary(&digest_id(1))
            .unwrap()
            .map(|s| (s.channels, s.parts))
    };
    assert_eq!(sum(store), Some((0, 0)));
    store.commit(vec![Write::Archive(post.id.clone())]).unwrap();
    assert_eq!(sum(store), Some((1, 2)));
    assert_eq!((text(&post.rendering), text(&edited.rendering)), (None, None));
}

fn a_moved_delivery_leaves_nothing_behind(store: &dyn Store) {
    let mut old = delivery("telegram:-1", digest_id(1), available(5));
    old.message_ids = vec!["10".to_owned()];
    store.commit(vec![send(&old)]).unwrap();
    let mut new = old.clone();
    new.id.place = place("telegram:-100");
    store
        .commit(vec![Write::RemoveDelivery(old.id.clone()), send(&new)])
        .unwrap();
    assert_eq!(store.delivery(&old.id), Ok(None));
    assert_eq!(store.deliveries(&old.id.place, None, 9), Ok(vec![]));
    assert_eq!(store.digest_of_message(&old.id.place, "10"), Ok(None));
    assert_eq!(store.digest_of_message(&new.id.place, "10"), Ok(Some(digest_id(1))));
    assert_eq!(store.due(Platform::Telegram, at(5), 9), Ok(vec![new]));
}

fn dead_letters_come_latest_first_until_they_are_sent_again_or_gone(store: &dyn Store) {
    let ended = |reason, minute| State::Discarded { reason, at: at(minute) };
    let dead = |minute| ended(Discard::Rejected("too long".to_owned()), minute);
    let letters = [
        ("web:a", 2, 7),
        ("telegram:-1/4", 1, 5),
        ("telegram:-1/4", 2, 5),
        ("web:b", 1, 5),
    ]
    .map(|(place, day, minute)| delivery(place, digest_id(day), dead(minute)));
    let dropped = delivery("web:c", digest_id(1), ended(Discard::Dropped, 6));
    let gone = delivery("web:d", digest_id(1), ended(Discard::Gone("kicked".to_owned()), 6));
    let waiting = delivery("web:e", digest_id(1), available(6));
    let all = letters.iter().rev().chain([&dropped, &gone, &waiting]);
    store.commit(all.map(send).collect()).unwrap();
    assert_eq!(store.dead_letters(9).unwrap(), letters);
    assert_eq!(store.dead_letters(2).unwrap(), letters[..2]);
    let [first, second, third, fourth] = letters;
    let again = Delivery {
        state: available(9),
        ..second
    };
    let later = Delivery {
        state: dead(8),
        ..third
    };
    store
        .commit(vec![send(&again), send(&later), Write::RemoveDelivery(fourth.id)])
        .unwrap();
    assert_eq!(store.dead_letters(9), Ok(vec![later, first]));
}

fn a_message_leads_to_its_digest_in_its_own_place_alone(store: &dyn Store) {
    let mut sent = delivery("telegram:-1/4", digest_id(1), State::Sent { at: at(5) });
    sent.message_ids = vec!["10".to_owned(), String::new()];
    let mut later = delivery("telegram:-1/4", digest_id(2), State::Sent { at: at(6) });
    later.message_ids = vec!["101".to_owned(), String::new()];
    store.commit(vec![send(&later), send(&sent)]).unwrap();
    let digest_of = |at: &str, message| store.digest_of_message(&place(at), message).unwrap();
    assert_eq!(digest_of("telegram:-1/4", "10"), Some(digest_id(1)));
    assert_eq!(digest_of("telegram:-1/4", "101"), Some(digest_id(2)));
    assert_eq!(digest_of("telegram:-1/4", "1"), None);
    assert_eq!(digest_of("telegram:-1/4", ""), None);
    assert_eq!(digest_of("telegram:-1/42", "10"), None);
    assert_eq!(digest_of("telegram:-1", "10"), None);
}

fn person(number: u32) -> Person {
    format!("telegram:{number}").parse().unwrap()
}

fn ballot(who: u32, paper: PaperId, vote: Option<Vote>, minute: i64) -> Write {
    let (person, at) = (person(who), at(minute));
    Write::Vote {
        person,
        paper,
        vote,
        at,
    }
}

fn save(who: u32, paper: PaperId, minute: Option<i64>) -> Write {
    let (person, at) = (person(who), minute.map(at));
    Write::Save { person, paper, at }
}

fn a_tally_follows_every_vote(store: &dyn Store) {
    let (up, down) = (Some(Vote::Up), Some(Vote::Down));
    let tally = |number| {
        let Tally { up, down } = store.tally(&arxiv(number)).unwrap();
        (up, down)
    };
    let one = ballot(1, arxiv(1), up, 0);
    store
        .commit(vec![
            one.clone(),
            ballot(12, arxiv(1), up, 0),
            ballot(1, arxiv(10), down, 0),
        ])
        .unwrap();
    assert_eq!((tally(1), tally(10)), ((2, 0), (0, 1)));
    // The same again, then changed, in one commit.
    store.commit(vec![one, ballot(1, arxiv(1), down, 1)]).unwrap();
    assert_eq!(tally(1), (1, 1));
    assert_eq!(
        (store.vote(&person(1), &arxiv(1)), store.vote(&person(2), &arxiv(1))),
        (Ok(down), Ok(None))
    );
    let withdrawn = [1, 2].map(|who| ballot(who, arxiv(1), None, 2));
    store.commit(withdrawn.to_vec()).unwrap();
    assert_eq!((tally(1), store.vote(&person(1), &arxiv(1))), ((1, 0), Ok(None)));
}

fn votes_and_saves_move_with_the_papers_name_and_of_two_the_later_stays(store: &dyn Store) {
    let (up, down) = (Some(Vote::Up), Some(Vote::Down));
    let (old, real) = (arxiv(1), arxiv(2));
    store
        .commit(vec![
            ballot(1, old.clone(), up, 1),
            ballot(2, old.clone(), up, 1),
            ballot(2, real.clone(), down, 2),
            ballot(3, old.clone(), down, 3),
            ballot(3, real.clone(), up, 2),
            ballot(4, old.clone(), up, 2),
            ballot(4, real.clone(), down, 2),
            save(1, old.clone(), Some(3)),
            save(2, old.clone(), Some(1)),
            save(2, real.clone(), Some(2)),
        ])
        .unwrap();
    let alias = |from: &PaperId, to: &PaperId| Write::Alias {
        from: from.clone(),
        to: to.clone(),
    };
    // A vote of the same commit, before and after the paper has its name.
    store
        .commit(vec![
            ballot(5, old.clone(), up, 4),
            alias(&old, &real),
            ballot(6, old.clone(), up, 4),
        ])
        .unwrap();
    for name in [&old, &real] {
        assert_eq!(store.tally(name), Ok(Tally { up: 3, down: 3 }));
        let votes = (1..=6).map(|who| store.vote(&person(who), name).unwrap());
        assert_eq!(votes.collect::<Vec<_>>(), [up, down, down, down, up, up]);
        assert_eq!(store.saved_at(&person(1), name), Ok(Some(at(3))));
    }
    let saved = |minute| {
        let (paper, at) = (real.clone(), at(minute));
        Ok(vec![Saved { paper, at }])
    };
    assert_eq!(
        (store.saved(&person(1), 9), store.saved(&person(2), 9)),
        (saved(3), saved(2))
    );
    // By its old name, too, it is taken off; and the real name may turn out to be another one's.
    store
        .commit(vec![save(1, old.clone(), None), alias(&real, &arxiv(3))])
        .unwrap();
    assert_eq!(store.saved(&person(1), 9), Ok(vec![]));
    assert_eq!(store.tally(&old), Ok(Tally { up: 3, down: 3 }));
    // What leads back to itself changes nothing.
    store.commit(vec![alias(&arxiv(3), &old)]).unwrap();
    assert_eq!(store.tally(&arxiv(3)), Ok(Tally { up: 3, down: 3 }));
}

fn a_reading_list_is_its_persons_own_the_latest_saved_first(store: &dyn Store) {
    store
        .commit(vec![
            save(1, arxiv(3), Some(-40_000_000)),
            save(1, arxiv(1), Some(1)),
            save(1, arxiv(2), Some(2)),
            save(12, arxiv(9), Some(9)),
            save(1, arxiv(4), Some(1)),
        ])
        .unwrap();
    let papers = |limit| -> Vec<PaperId> {
        let list = store.saved(&person(1), limit).unwrap();
        list.into_iter().map(|saved| saved.paper).collect()
    };
    assert_eq!(papers(9), [arxiv(2), arxiv(1), arxiv(4), arxiv(3)]);
    store
        .commit(vec![save(1, arxiv(1), Some(5)), save(1, arxiv(2), None)])
        .unwrap();
    assert_eq!(papers(2), [arxiv(1), arxiv(4)]);
}

fn an_outdated_digest_is_noted_for_the_earliest_time_until_it_is_shown(store: &dyn Store) {
    let note = |day, minute| Write::Outdated {
        digest: digest_id(day),
        due: at(minute),
    };
    store
        .commit(vec![note(1, 5), note(2, 3), note(1, 7), note(3, 3)])
        .unwrap();
    assert_eq!(store.next_outdated(), Ok(Some(at(3))));
    assert_eq!(store.outdated(at(2), 9), Ok(vec![]));
    assert_eq!(store.outdated(at(9), 2), Ok(vec![digest_id(2), digest_id(3)]));
    store
        .commit(vec![note(1, 2), Write::Shown(digest_id(3)), Write::Shown(digest_id(4))])
        .unwrap();
    assert_eq!(store.outdated(at(9), 9), Ok(vec![digest_id(1), digest_id(2)]));
    let shown = [1, 2].map(|day| Write::Shown(digest_id(day)));
    store.commit(shown.to_vec()).unwrap();
    store.commit(vec![note(1, 8)]).unwrap();
    assert_eq!(
        (store.next_outdated(), store.outdated(at(7), 9)),
        (Ok(Some(at(8))), Ok(vec![]))
    );
}

/// Every read of the store over the names that the checks and [`tests`] use, to compare two stores with.
#[cfg(test)]
pub(super) fn reads(store: &dyn Store) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut note = |question: String, answer: &dyn std::fmt::Debug| all.push((question, format!("{answer:?}")));
    for id in tests::papers() {
        note(format!("paper {id}"), &store.paper(&id));
        note(format!("intake_of {id}"), &store.intake_of(&id));
        note(format!("tally {id}"), &store.tally(&id));
        for who in [1, 12] {
            note(format!("vote {who} {id}"), &store.vote(&person(who), &id));
            note(format!("saved at {who} {id}"), &store.saved_at(&person(who), &id));
        }
    }
    for who in [1, 12] {
        note(format!("saved {who}"), &store.saved(&person(who), 3));
    }
    note("next_outdated".to_owned(), &store.next_outdated());
    note("outdated".to_owned(), &store.outdated(at(3), 3));
    let titles = tests::TITLES.iter().map(|t| join::sketch(&paper(arxiv(1), t, t)));
    let every: Vec<u64> = titles.flatten().collect();
    note("similar".to_owned(), &store.similar(&every));
    note("head".to_owned(), &store.head());
    note("windows".to_owned(), &store.windows());
    note("channels".to_owned(), &store.channels());
    note("configured".to_owned(), &store.configured());
    note("counts".to_owned(), &store.counts());
    note("next_channel_due".to_owned(), &store.next_channel_due());
    for platform in [Platform::Telegram, Platform::Web] {
        note(format!("next_due {platform}"), &store.next_due(platform));
        note(format!("leased {platform}"), &store.leased(platform));
        note(format!("sends {platform}"), &store.sends(platform, at(1)));
        note(format!("limiter {platform}"), &store.limiter_memory(platform));
        for (now, limit) in (-1..6).flat_map(|now| [0, 2, usize::MAX].map(|limit| (now, limit))) {
            let due = store.due(platform, at(now), limit);
            note(format!("due {platform} {now} {limit}"), &due);
        }
    }
    note("damaged".to_owned(), &store.damaged());
    note("dead letters".to_owned(), &store.dead_letters(3));
    for limit in [0, 2, usize::MAX] {
        note(format!("intake {limit}"), &store.intake(1, 5, limit));
        note(format!("unfinished {limit}"), &store.unfinished(limit));
        for now in -1..6 {
            note(
                format!("finished_before {now} {limit}"),
                &store.finished_before(at(now), limit),
            );
            note(
                format!("channels_due {now} {limit}"),
                &store.channels_due(at(now), limit),
            );
        }
    }
    for topic in tests::TOPICS.map(|t| TopicId(t.to_owned())) {
        note(format!("matches {topic}"), &store.matches(&topic, 1, 5));
        note(format!("fingerprint {topic}"), &store.topic_fingerprint(&topic));
    }
    for hash in tests::HASHES {
        note(format!("content {hash}"), &store.content(hash));
    }
    for id in tests::digests() {
        note(format!("digest {id}"), &store.digest(&id));
        note(format!("digests {id}"), &store.digests(Some(id), 2));
        note(format!("summary {id}"), &store.digest_summary(&id));
        note(format!("errata {id}"), &store.errata(&id));
        note(format!("deliveries of {id}"), &store.deliveries_of_digest(&id));
        for index in 0..3 {
            note(format!("part {id} {index}"), &store.part(&rendering(id), index));
        }
        for at in tests::PLACES.map(place) {
            note(format!("deliveries {at} {id}"), &store.deliveries(&at, Some(id), 2));
            let post = DeliveryId::post(at, id);
            for revision in 0..3 {
                let delivery = DeliveryId {
                    revision,
                    ..post.clone()
                };
                note(format!("delivery {delivery}"), &store.delivery(&delivery));
            }
        }
    }
    note("rules".to_owned(), &store.rules());
    note("digests".to_owned(), &store.digests(None, 9));
    for at in tests::PLACES.map(place) {
        note(format!("channel {at}"), &store.channel(&at));
        for limit in [0, 1, 9] {
            note(format!("messages {at} {limit}"), &store.messages_in_chat(&at, limit));
            note(format!("digests of {at} {limit}"), &store.digests_of_place(&at, limit));
        }
        note(format!("deliveries {at}"), &store.deliveries(&at, None, 9));
        for message in tests::MESSAGES {
            note(
                format!("message {at} {message}"),
                &store.digest_of_message(&at, message),
            );
        }
    }
    all
}

/// What a store must say of a record that cannot be read; used by the stores' own tests, which know how to damage one.
#[cfg(test)]
pub(super) fn names_it<T: std::fmt::Debug>(answer: super::Result<T>, name: &str) {
    match answer {
        Err(super::StoreError::Damaged { key, .. }) => assert_eq!(key, name),
        other => panic!("{name} should be named as damaged, but: {other:?}"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::store::{ModelStore, SledStore};

    pub(super) const PLACES: [&str; 5] = [
        "telegram:-1",
        "telegram:-1/4",
        "telegram:-1/42",
        "telegram:-14",
        "web:a",
    ];
    pub(super) const TITLES: [&str; 4] = [
        "",
        "Paged attention",
        "Paged attention II",
        "Speculative decoding at scale",
    ];
    pub(super) const TOPICS: [&str; 2] = ["kv", "kv-cache"];
    const RULES: [&str; 5] = ["kv", "kv cache", "cache kv", "moe -survey", "-survey MoE"];
    pub(super) const HASHES: [&str; 3] = ["a", "ab", "a\0b"];
    pub(super) const MESSAGES: [&str; 4] = ["", "1", "10", "1\0"];

    pub(super) fn papers() -> [PaperId; 5] {
        let url = |s: &str| PaperId::Url(format!("https://example.org/{s}"));
        [
            arxiv(1),
            arxiv(10),
            url("a"),
            url("ab"),
            PaperId::Doi("10.1000/182".to_owned()),
        ]
    }

    pub(super) fn digests() -> [DigestId; 4] {
        let other = |day| DigestId {
            set: 0xFF,
            ..digest_id(day)
        };
        [digest_id(-30_000), digest_id(1), other(1), digest_id(2)]
    }

    fn any_state() -> impl Strategy<Value = State> {
        (0..7, 0..5_i64).prop_map(|(kind, minute)| match kind {
            0 | 1 => available(minute),
            2 | 3 => State::Leased { until: at(minute) },
            4 => State::Sent { at: at(minute) },
            5 => State::Discarded {
                reason: Discard::Rejected("too long".to_owned()),
                at: at(minute),
            },
            _ => State::Discarded {
                reason: Discard::Dropped,
                at: at(minute),
            },
        })
    }

    fn any_place() -> impl Strategy<Value = &'static str> {
        select(PLACES.to_vec())
    }

    fn any_digest() -> impl Strategy<Value = DigestId> {
        select(digests().to_vec())
    }

    fn any_paper() -> impl Strategy<Value = PaperId> {
        select(papers().to_vec())
    }

    fn any_topic() -> impl Strategy<Value = &'static str> {
        select(TOPICS.to_vec())
    }

    fn any_person() -> impl Strategy<Value = u32> {
        select(vec![1, 12])
    }

    fn any_title() -> impl Strategy<Value = &'static str> {
        select(TITLES.to_vec())
    }

    fn any_delivery() -> impl Strategy<Value = Delivery> {
        let messages = vec(select(MESSAGES.to_vec()), 0..3);
        let revision = select(vec![0, 0, 1, 2]);
        let parts = (any_place(), any_digest(), revision, any_state(), messages);
        parts.prop_map(|(place, digest, revision, state, messages)| {
            let mut delivery = delivery(place, digest, state);
            delivery.id.revision = revision;
            delivery.message_ids = messages.into_iter().map(str::to_owned).collect();
            delivery
        })
    }

    fn any_channel() -> impl Strategy<Value = Channel> {
        let named = proptest::option::of(any_place());
        let rules = || vec(select(RULES.to_vec()), 0..3);
        let parts = (
            any_place(),
            proptest::option::of(0..5_i64),
            any::<bool>(),
            named,
            rules(),
            rules(),
        );
        parts.prop_map(|(place, due, active, named, rules, resting)| {
            let of =
                |rules: Vec<&str>| Subjects::default().with_rules(rules.into_iter().map(|rule| rule.parse().unwrap()));
            let paused = Activity::Paused {
                reason: "kicked".to_owned(),
                since: at(1),
            };
            let channel = channel(place, due);
            Channel {
                activity: if active { Activity::Active } else { paused },
                configured_as: named.map(self::place),
                settings: Settings {
                    subjects: of(rules),
                    ..channel.settings
                },
                resting: of(resting),
                ..channel
            }
        })
    }

    fn any_write() -> impl Strategy<Value = Write> {
        let sources = select(SourceKind::ALL.to_vec());
        prop_oneof![
            3 => (any_paper(), any_title(), any_title()).prop_map(|(id, title, text)| put(paper(id, title, text))),
            2 => (any_paper(), any_paper()).prop_map(|(from, to)| Write::Alias { from, to }),
            2 => (1..7_u64, any_paper()).prop_map(|(seq, paper)| Write::Intake(intake(seq, paper))),
            1 => (sources, 0..3_i64, 3..5_i64, 0..9_u32).prop_map(|(s, from, to, n)| Write::Window(window(s, from, to, n))),
            1 => (select(HASHES.to_vec()), any_title()).prop_map(|(hash, name)| Write::Content(content(hash, name))),
            2 => (any_topic(), 1..7_u64, 1..9_u32)
                .prop_map(|(topic, seq, points)| Write::Match(Box::new(matching(topic, seq, points)))),
            1 => (any_topic(), 0..7_u64, 0..9_u64)
                .prop_map(|(topic, after, upto)| Write::ClearMatches { topic: TopicId(topic.to_owned()), after, upto }),
            1 => (any_topic(), any::<u64>())
                .prop_map(|(topic, fingerprint)| Write::TopicFingerprint { topic: TopicId(topic.to_owned()), fingerprint }),
            3 => any_channel().prop_map(|channel| Write::Channel(Box::new(channel))),
            1 => any_place().prop_map(|at| Write::RemoveChannel(place(at))),
            1 => (any_digest(), select(vec![0, 1, 200])).prop_map(|(id, n)| Write::Digest(Box::new(digest(id, n)))),
            1 => (any_digest(), vec(select(vec!["a", "b"]), 0..4))
                .prop_map(|(id, texts)| Write::Rendering { id: rendering(id), parts: parts(&texts) }),
            8 => any_delivery().prop_map(|delivery| Write::Delivery(Box::new(delivery))),
            1 => (any_digest(), 0..3_u32).prop_map(|(id, revision)| Write::Errata(Box::new(Errata { revision, ..Errata::new(id) }))),
            2 => any_delivery().prop_map(|delivery| Write::RemoveDelivery(delivery.id)),
            4 => any_delivery().prop_map(|delivery| Write::Archive(delivery.id)),
            1 => any_delivery().prop_map(|delivery| Write::SetAside(delivery.id)),
            2 => (any_place(), 0..5_i64).prop_map(|(p, minute)| Write::Sent { place: place(p), at: at(minute) }),
            1 => (0..5_i64).prop_map(|minute| Write::ForgetSent { platform: Platform::Telegram, before: at(minute) }),
            4 => (any_person(), any_paper(), select(vec![None, Some(Vote::Up), Some(Vote::Down)]), 0..5_i64)
                .prop_map(|(who, paper, vote, minute)| ballot(who, paper, vote, minute)),
            3 => (any_person(), any_paper(), proptest::option::of(0..5_i64))
                .prop_map(|(who, paper, minute)| save(who, paper, minute)),
            2 => (any_digest(), 0..5_i64).prop_map(|(digest, minute)| Write::Outdated { digest, due: at(minute) }),
            1 => any_digest().prop_map(Write::Shown),
            1 => any_title().prop_map(|text| Write::LimiterMemory { platform: Platform::Web, memory: text.to_owned() }),
        ]
    }

    pub(in crate::store) fn any_commits() -> impl Strategy<Value = Vec<Vec<Write>>> {
        vec(vec(any_write(), 0..14), 1..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn sled_answers_like_the_model_after_every_commit(commits in any_commits()) {
            let dir = tempfile::tempdir().unwrap();
            let sled = SledStore::open(dir.path()).unwrap();
            let model = ModelStore::new();
            for writes in commits {
                sled.commit(writes.clone()).unwrap();
                model.commit(writes).unwrap();
                prop_assert_eq!(reads(&sled), reads(&model));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

        #[test]
        fn sled_answers_the_same_after_it_was_opened_anew(commits in any_commits()) {
            let dir = tempfile::tempdir().unwrap();
            let model = ModelStore::new();
            for writes in commits {
                let sled = SledStore::open(dir.path()).unwrap();
                sled.commit(writes.clone()).unwrap();
                sled.sync().unwrap();
                model.commit(writes).unwrap();
            }
            let sled = SledStore::open(dir.path()).unwrap();
            prop_assert_eq!(reads(&sled), reads(&model));
        }
    }
}
