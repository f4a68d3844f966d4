//! The buttons below messages. Those below a digest's part also tell it from other messages when it has to be looked for:
//! Telegram compares a keyboard as a whole, so it depends on nothing but the part and its tag.

use paperwire_core::command::press::{Button, MOST};
use paperwire_core::delivery::Tag;
use paperwire_core::message::Part;
use serde_json::{Value, json};

use super::amend;
use super::markup::label;

/// The most buttons of a keyboard, and of one row (found by experiment, python-telegram-bot, `InlineKeyboardMarkup`: a
/// keyboard with more is refused, a row with more is cut).
const BUTTONS: usize = 100;
const ROW: usize = 8;
/// What people can say to a paper, with what [`paperwire_core::command::press::Press`] writes for it.
const SAYINGS: [(&str, &str); 3] = [("👍", "u"), ("👎", "d"), ("🔖", "s")];
const PAPERS_PER_ROW: usize = 2;
/// Beside them stands the part's own button.
const PAPERS: usize = (BUTTONS - 1) / SAYINGS.len();
/// Longer labels are cut by every app; this many characters are more than any shows.
const LABEL_CHARS: usize = 64;
/// Before the key in the data of a part's own button; with it at most 64 bytes (Bot API, InlineKeyboardButton).
const PREFIX: &str = "p:";

/// The keyboard of a digest's part: votes and bookmarks for its papers, and the button that says what the part is.
pub(super) fn of_part(part: &Part, tag: &Tag) -> Value {
    let papers: Vec<u32> = amend::numbers(part).into_iter().take(PAPERS).collect();
    let mut rows: Vec<Vec<Value>> = papers
        .chunks(PAPERS_PER_ROW)
        .map(|row| row.iter().flat_map(votes).collect())
        .collect();
    let label = match tag.of {
        0 | 1 => "ⓘ".to_owned(),
        of => format!("ⓘ {}/{of}", tag.number),
    };
    rows.push(vec![button(&label, &format!("{PREFIX}{}", tag.key))]);
    json!({ "inline_keyboard": rows })
}

fn votes(number: &u32) -> [Value; SAYINGS.len()] {
    SAYINGS.map(|(sign, kind)| button(&format!("{sign} {number}"), &format!("{kind}:{number}")))
}

/// Whether a button's data is that of a part's own button.
pub(super) fn is_of_part(data: &str) -> bool {
    data.starts_with(PREFIX)
}

/// The keyboard of an answer; `None` without any button. A button that Telegram would refuse is left out: with it, the
/// whole answer would be.
pub(super) fn of_answer(rows: &[Vec<Button>]) -> Option<Value> {
    let mut left = BUTTONS;
    let mut keyboard: Vec<Vec<Value>> = Vec::new();
    for row in rows {
        let good = row.iter().filter(|button| (1..=MOST).contains(&button.data.len()));
        let buttons: Vec<Value> = good
            .map(|good| (label(&good.label, LABEL_CHARS), &good.data))
            .filter(|(label, _)| !label.is_empty())
            .map(|(label, data)| button(&label, data))
            .take(left)
            .collect();
        left -= buttons.len();
        keyboard.extend(buttons.chunks(ROW).map(<[Value]>::to_vec));
    }
    (!keyboard.is_empty()).then(|| json!({ "inline_keyboard": keyboard }))
}

fn button(label: &str, data: &str) -> Value {
    json!({"text": label, "callback_data": data})
}

#[cfg(test)]
mod tests {
    use paperwire_core::channel::Place;
    use paperwire_core::command::press::{Pointed, Press, Seal};
    use paperwire_core::message::{Amendment, Block, Entry, Message};

    use super::super::markup::{plain, render};
    use super::*;

    fn tag(number: u32, of: u32) -> Tag {
        Tag {
            key: "e73aa823d3ca36bd56f2ed".into(),
            number,
            of,
            ..Tag::only("")
        }
    }

    fn papers(numbers: impl IntoIterator<Item = u32>) -> Part {
        let entry = |number| {
            Block::Entry(Entry {
                number: Some(number),
                title: "Title".to_owned(),
                ..Entry::default()
            })
        };
        let heading = Block::Heading("Caching".to_owned());
        let message = Message {
            running_title: "Caching".to_owned(),
            blocks: std::iter::once(heading).chain(numbers.into_iter().map(entry)).collect(),
        };
        let [part] = render(&message).try_into().unwrap();
        part
    }

    fn rows(keyboard: &Value) -> Vec<Vec<(String, String)>> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let button = |button: &Value| (text(&button["text"]), text(&button["callback_data"]));
        let rows = keyboard["inline_keyboard"].as_array().unwrap().iter();
        rows.map(|row| row.as_array().unwrap().iter().map(button).collect())
            .collect()
    }

    fn labels(keyboard: &Value) -> Vec<String> {
        let row = |row: Vec<(String, String)>| row.into_iter().map(|(label, _)| label).collect::<Vec<_>>().join(" | ");
        rows(keyboard).into_iter().map(row).collect()
    }

    #[test]
    fn below_a_part_every_paper_can_be_voted_on_and_the_part_says_which_it_is() {
        let keyboard = of_part(&papers(4..=6), &tag(2, 5));
        assert_eq!(
            labels(&keyboard),
            ["👍 4 | 👎 4 | 🔖 4 | 👍 5 | 👎 5 | 🔖 5", "👍 6 | 👎 6 | 🔖 6", "ⓘ 2/5"]
        );
        let own = rows(&keyboard).pop().unwrap().remove(0).1;
        assert!(
            own == "p:e73aa823d3ca36bd56f2ed" && own.len() <= MOST && is_of_part(&own),
            "{own}"
        );
        let (place, seal) = (Place::telegram(-1, None), Seal::new([0; 32]));
        let meant: Vec<Press> = rows(&keyboard)[1]
            .iter()
            .map(|(_, data)| Press::read(data, &place, &seal).unwrap())
            .collect();
        let six = || Pointed::Here(6);
        assert_eq!(meant, [Press::Up(six()), Press::Down(six()), Press::Save(six())]);
    }

    #[test]
    fn a_part_keeps_its_keyboard_when_it_is_corrected_and_has_only_its_own_button_as_plain_text() {
        let part = papers(1..=2);
        let correction = Amendment {
            number: 2,
            mark: Some('✎'),
            line: Some("New version".to_owned()),
        };
        let corrected = amend::amend(&part, &[correction]).unwrap();
        assert_eq!(of_part(&corrected, &tag(1, 1)), of_part(&part, &tag(1, 1)));
        assert_eq!(labels(&of_part(&plain(&part), &tag(1, 1))), ["ⓘ"]);
    }

    #[test]
    fn a_part_of_very_many_papers_keeps_telegrams_limit_of_buttons() {
        let all = rows(&of_part(&papers(1..=60), &tag(1, 1)));
        assert_eq!(all.iter().map(Vec::len).sum::<usize>(), 100);
        assert!(all.iter().all(|row| row.len() <= ROW));
        assert!(is_of_part(&all.last().unwrap()[0].1));
    }

    #[test]
    fn an_answers_buttons_keep_telegrams_limits_and_what_it_would_refuse_is_left_out() {
        let button = |label: &str, data: String| Button {
            label: label.to_owned(),
            data,
        };
        assert_eq!(of_answer(&[vec![], vec![]]), None);
        let damaged = vec![
            button("no data", String::new()),
            button("too long", "x".repeat(65)),
            button(" \n\u{202e}", "x".to_owned()),
            button("a\u{202e}b\nc", "x".repeat(64)),
            button(&"l".repeat(100), "x".to_owned()),
        ];
        let long = format!("{}…", "l".repeat(63));
        assert_eq!(labels(&of_answer(&[damaged]).unwrap()), [format!("ab c | {long}")]);
        let many: Vec<Vec<Button>> = (0..12)
            .map(|_| (0..10).map(|n| button("b", n.to_string())).collect())
            .collect();
        let many = rows(&of_answer(&many).unwrap());
        assert_eq!(many.iter().map(Vec::len).sum::<usize>(), 100);
        assert_eq!((many[0].len(), many[1].len()), (8, 2));
    }
}
