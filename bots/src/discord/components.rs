//! What can be pressed below a message: the buttons of an answer, and the votes below a posted part. Discord refuses a whole
//! message for one button too many, so what does not fit is left out here.

use std::collections::HashSet;

use paperwire_core::command::press::Button;
use paperwire_core::locale::Lang;
use paperwire_core::message::Part;
use serenity::builder::{
    CreateActionRow, CreateButton, CreateSelectMenu, CreateSelectMenuKind, CreateSelectMenuOption,
};
use serenity::model::application::ButtonStyle;

use super::amend::titles;
use super::markup::{shortened, units};
use super::sender::MARK;

/// Rows below a message (Components Reference, “Legacy Message Component Behavior”).
const ROWS: usize = 5;
/// Buttons in a row (Components Reference, “Action Row”).
const BUTTONS: usize = 5;
/// Characters of a button's label (“Button”).
const LABEL: usize = 80;
/// Characters of a `custom_id` (“Anatomy of a Component”).
const CUSTOM_ID: usize = 100;
/// What can be chosen in one menu (“String Select”).
const OPTIONS: usize = 25;
/// Characters of what can be chosen (“Select Option”).
const OPTION: usize = 100;

/// The rows of an answer's buttons. What cannot be one (no name, or one that is there already) is left out.
pub(super) fn rows(buttons: &[Vec<Button>]) -> Vec<CreateActionRow> {
    let mut seen = HashSet::new();
    let mut rows = Vec::new();
    for row in buttons {
        let row: Vec<CreateButton> = row
            .iter()
            .filter(|Button { data, .. }| {
                let named = !data.is_empty() && units(data) <= CUSTOM_ID && !data.starts_with(MARK);
                named && seen.insert(data.as_str())
            })
            .map(|Button { label, data }| {
                let label = shortened(label.trim(), LABEL, units);
                let label = if label.is_empty() { "…".to_owned() } else { label };
                CreateButton::new(data).style(ButtonStyle::Secondary).label(label)
            })
            .collect();
        rows.extend(row.chunks(BUTTONS).map(|row| CreateActionRow::Buttons(row.to_vec())));
    }
    rows.truncate(ROWS);
    rows
}

/// What can be said of a paper: the sign, what comes back, and its name.
type Vote = (&'static str, &'static str, fn(Lang) -> &'static str);

const VOTES: [Vote; 3] = [
    ("👍", "u", Lang::vote_up),
    ("👎", "d", Lang::vote_down),
    ("🔖", "s", Lang::vote_save),
];

/// The rows below a posted part: its mark, and the votes for its papers. One paper has three buttons, several have three
/// menus in which a paper is chosen; what comes back is `u:4` in either case ([`chosen`]). Of more papers than a menu
/// takes, the rest are voted for where `/paper` shows them. The part's language is not known here, hence both.
pub(super) fn below_a_part(part: &Part, mark: CreateButton) -> Vec<CreateActionRow> {
    let papers = titles(part);
    if let [(number, _)] = papers.as_slice() {
        let votes = VOTES.map(|(sign, kind, _)| {
            CreateButton::new(format!("{kind}:{number}"))
                .style(ButtonStyle::Secondary)
                .label(sign)
        });
        return vec![CreateActionRow::Buttons([mark].into_iter().chain(votes).collect())];
    }
    let mut seen = HashSet::new();
    let options: Vec<CreateSelectMenuOption> = papers
        .iter()
        .filter(|(number, _)| seen.insert(*number))
        .take(OPTIONS)
        .map(|(number, title)| {
            let label = format!("{number}. {title}");
            CreateSelectMenuOption::new(shortened(label.trim(), OPTION, units), number.to_string())
        })
        .collect();
    let mut rows = vec![CreateActionRow::Buttons(vec![mark])];
    if !options.is_empty() {
        rows.extend(VOTES.map(|(sign, kind, name)| {
            let options = options.clone();
            let menu = CreateSelectMenu::new(kind, CreateSelectMenuKind::String { options });
            CreateActionRow::SelectMenu(menu.placeholder(format!("{sign} {} · {}", name(Lang::Zh), name(Lang::En))))
        }));
    }
    rows
}

/// What a choice in a menu means, as a button would say it.
pub(super) fn chosen(menu: &str, value: &str) -> String {
    format!("{menu}:{value}")
}

#[cfg(test)]
mod tests {
    use paperwire_core::message::{Block, Entry, Message};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::markup::render;
    use super::*;

    fn button(label: &str, data: &str) -> Button {
        Button {
            label: label.to_owned(),
            data: data.to_owned(),
        }
    }

    fn mark() -> CreateButton {
        CreateButton::new("p:key").label("ⓘ")
    }

    /// The parts of a digest with these titles, from 1.
    fn parts(titles: &[String]) -> Vec<Part> {
        let entry = |(number, title): (u32, &String)| {
            Block::Entry(Entry {
                number: Some(number),
                title: title.clone(),
                link: Some("https://arxiv.org/abs/2510.00001".to_owned()),
                ..Entry::default()
            })
        };
        render(&Message {
            running_title: "Caching".to_owned(),
            blocks: (1..).zip(titles).map(entry).collect(),
        })
    }

    fn below(part: &Part) -> Value {
        json!(below_a_part(part, mark()))
    }

    #[test]
    fn buttons_that_discord_would_refuse_are_left_out_and_the_others_stay() {
        let many: Vec<Button> = (0..7).map(|n| button("x", &format!("o:{n}"))).collect();
        let odd = vec![
            button("", "u:1"),
            button("again", "u:1"),
            button("no name", ""),
            button("long name", &"x".repeat(101)),
            button("a part's", "p:key"),
            button(&"é".repeat(200), "d:1"),
        ];
        let rows = json!(rows(&[many, odd, Vec::new()]));
        let shape: Vec<usize> = rows
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["components"].as_array().unwrap().len())
            .collect();
        assert_eq!(shape, [5, 2, 2]);
        let last = &rows[2]["components"];
        assert_eq!((&last[0]["label"], &last[0]["custom_id"]), (&json!("…"), &json!("u:1")));
        assert_eq!(units(last[1]["label"].as_str().unwrap()), 80);
        assert_eq!(rows_of(30), 5);
    }

    fn rows_of(count: usize) -> usize {
        let each: Vec<Vec<Button>> = (0..count).map(|n| vec![button("x", &format!("o:{n}"))]).collect();
        rows(&each).len()
    }

    #[test]
    fn one_paper_is_voted_for_with_buttons_beside_the_mark() {
        let [part] = parts(&["On *pruning*".to_owned()]).try_into().unwrap();
        let names: Vec<Value> = below(&part)[0]["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|button| button["custom_id"].clone())
            .collect();
        assert_eq!(names, ["p:key", "u:1", "d:1", "s:1"]);
        let none = render(&Message::sentence("Nothing new today")).remove(0);
        assert_eq!(below(&none).as_array().unwrap().len(), 1);
    }

    #[test]
    fn several_papers_are_chosen_by_number_and_title_as_people_read_it() {
        let titles = ["On *pruning* [draft] @everyone: https://x.org", "", "b*"].map(str::to_owned);
        let [part] = parts(&titles).try_into().unwrap();
        let below = below(&part);
        let menus: Vec<&Value> = below
            .as_array()
            .unwrap()
            .iter()
            .skip(1)
            .map(|row| &row["components"][0])
            .collect();
        assert_eq!(
            menus.iter().map(|menu| &menu["custom_id"]).collect::<Vec<_>>(),
            ["u", "d", "s"]
        );
        let labels: Vec<&str> = menus[0]["options"]
            .as_array()
            .unwrap()
            .iter()
            .map(|o| o["label"].as_str().unwrap())
            .collect();
        assert_eq!(
            labels,
            ["1. On *pruning* [draft] @everyone: https://x.org", "2.", "3. b*"]
        );
        assert_eq!(menus[2]["placeholder"], "🔖 加入阅读清单 · Save to my reading list");
        assert_eq!(chosen("u", "3"), "u:3");
    }

    proptest! {
        #[test]
        fn whatever_the_titles_are_discord_takes_the_votes(titles in prop::collection::vec("\\PC{0,200}|[*\\\\\\[]{0,40}", 0..60)) {
            for part in parts(&titles) {
                let below = below(&part);
                let rows = below.as_array().unwrap();
                prop_assert!(rows.len() == 1 || rows.len() == 4);
                for menu in rows.iter().skip(1).map(|row| &row["components"][0]) {
                    let options = menu["options"].as_array().unwrap();
                    prop_assert!((2..=25).contains(&options.len()));
                    let length = |option: &Value| units(option["label"].as_str().unwrap());
                    prop_assert!(options.iter().all(|option| (2..=100).contains(&length(option))));
                }
            }
        }
    }
}
