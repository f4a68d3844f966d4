//! Search from any chat: what Telegram shows while somebody types behind the bot's name, and what is posted in their name
//! when they choose.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::markup::{self, label};
use crate::desk::Found;

/// The most results of one answer (Bot API, answerInlineQuery).
const RESULTS: usize = 50;
/// The longest id of a result in bytes (Bot API, InlineQueryResultArticle).
const ID_BYTES: usize = 64;
/// Apps show one line of the title and two of the description.
const LINE_CHARS: usize = 256;
/// How long Telegram's servers may give the same answer again, in seconds.
const CACHE_SECONDS: u32 = 30;

/// The body of answerInlineQuery.
pub(super) fn answer(query: &str, found: &[Found], next: Option<u32>) -> Map<String, Value> {
    let mut seen = HashSet::new();
    let results: Vec<Value> = found
        .iter()
        .filter(|found| (1..=ID_BYTES).contains(&found.id.len()) && seen.insert(&found.id))
        .take(RESULTS)
        .map(article)
        .collect();
    let body = [
        ("inline_query_id", query.into()),
        ("results", results.into()),
        ("cache_time", CACHE_SECONDS.into()),
        // What is found depends on the person's language.
        ("is_personal", true.into()),
        (
            "next_offset",
            next.map(|skip| skip.to_string()).unwrap_or_default().into(),
        ),
    ];
    body.map(|(field, value)| (field.to_owned(), value))
        .into_iter()
        .collect()
}

/// How many results were shown before, as [`answer`] wrote it. Anybody can send anything.
pub(super) fn skip(offset: &str) -> u32 {
    offset.parse().unwrap_or(0)
}

fn article(found: &Found) -> Value {
    let title = label(&found.title, LINE_CHARS);
    let description = label(&found.description, LINE_CHARS);
    let mut article = json!({
        "type": "article",
        "id": found.id,
        // Telegram refuses an article without a title, and with it all the others.
        "title": if title.is_empty() { "…" } else { &title },
        "input_message_content": content(found),
    });
    if !description.is_empty() {
        article["description"] = description.into();
    }
    if let Some(url) = found.url.as_deref().and_then(markup::web_address) {
        article["url"] = String::from(url).into();
    }
    article
}

/// What is posted (Bot API, InputTextMessageContent).
fn content(found: &Found) -> Value {
    let mut body: Map<String, Value> = serde_json::from_str(&markup::one(&found.message).payload).unwrap_or_default();
    body.retain(|field, _| matches!(field.as_str(), "text" | "entities" | "link_preview_options"));
    let text = body.remove("text").unwrap_or_default();
    body.insert("message_text".to_owned(), text);
    body.into()
}

#[cfg(test)]
mod tests {
    use paperwire_core::message::{Block, Entry, Message, plain};

    use super::*;

    fn found(id: &str) -> Found {
        Found {
            id: id.to_owned(),
            title: "Paged\nattention".to_owned(),
            description: String::new(),
            url: Some("https://arxiv.org/abs/2510.00001".to_owned()),
            message: Message {
                running_title: String::new(),
                blocks: vec![Block::Entry(Entry {
                    title: "Paged attention".to_owned(),
                    link: Some("https://arxiv.org/abs/2510.00001".to_owned()),
                    ..Entry::default()
                })],
            },
        }
    }

    #[test]
    fn a_result_has_a_title_and_what_is_posted_with_its_marks() {
        let answered = Value::from(answer("9", &[found("arxiv:2510.00001")], Some(20)));
        let expected = json!({
            "inline_query_id": "9", "cache_time": 30, "is_personal": true, "next_offset": "20",
            "results": [{
                "type": "article", "id": "arxiv:2510.00001", "title": "Paged attention",
                "url": "https://arxiv.org/abs/2510.00001",
                "input_message_content": {
                    "message_text": "Paged attention",
                    "entities": [
                        {"type": "bold", "offset": 0, "length": 15},
                        {"type": "text_link", "offset": 0, "length": 15, "url": "https://arxiv.org/abs/2510.00001"},
                    ],
                    "link_preview_options": {"is_disabled": true},
                },
            }],
        });
        assert_eq!(answered, expected);
        assert_eq!(answer("9", &[], None)["next_offset"], "");
    }

    #[test]
    fn a_result_that_telegram_would_refuse_takes_no_other_with_it() {
        let hostile = Found {
            title: " \u{202e}".to_owned(),
            description: "d".repeat(1_000),
            url: Some("tg://user?id=1".to_owned()),
            ..found("c")
        };
        let all = [found(""), found(&"x".repeat(65)), found("b"), found("b"), hostile];
        let answered = answer("9", &all, None);
        let results = answered["results"].as_array().unwrap();
        let ids: Vec<&str> = results.iter().map(|result| result["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["b", "c"]);
        assert_eq!((&results[1]["title"], results[1].get("url")), (&json!("…"), None));
        assert_eq!(results[1]["description"].as_str().unwrap().chars().count(), 256);
        let many: Vec<Found> = (0..60).map(|n| found(&n.to_string())).collect();
        assert_eq!(answer("9", &many, None)["results"].as_array().unwrap().len(), 50);
    }

    #[test]
    fn what_is_posted_is_one_message_that_says_where_something_is_missing() {
        let long = Found {
            message: Message {
                running_title: "t".to_owned(),
                blocks: (0..3).map(|_| Block::Paragraph(plain("x".repeat(3_000)))).collect(),
            },
            ..found("a")
        };
        let answered = answer("9", &[long], None);
        let text = answered["results"][0]["input_message_content"]["message_text"].as_str();
        assert_eq!(text.map(str::to_owned), Some(format!("{}\n\n…", "x".repeat(3_000))));
    }

    #[test]
    fn an_offset_that_is_none_of_ours_begins_at_the_first_result() {
        assert_eq!(["20", "", "-1", "99999999999", "x"].map(skip), [20, 0, 0, 0, 0]);
    }
}
