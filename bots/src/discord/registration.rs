//! The table of commands as Discord wants it. Whatever breaks one of Discord's rules loses all commands at once, since they
//! are registered in one request: hence the tests of every rule.

use paperwire_core::command::{ArgKind, ArgSpec, CommandSpec, Suggest, TABLE};
use paperwire_core::locale::Lang;
use serde_json::{Value, json};
use serenity::builder::{CreateCommand, CreateCommandOption};
use serenity::model::application::{CommandOptionType, InstallationContext, InteractionContext};

/// What Discord calls the languages of whoever reads Chinese (Reference, “Locales”); everybody else gets English.
const CHINESE: [&str; 2] = ["zh-CN", "zh-TW"];

/// The body of Bulk Overwrite Global Application Commands.
pub(super) fn commands() -> Value {
    json!(TABLE.iter().map(command).collect::<Vec<_>>())
}

/// The language of somebody who uses Discord in this one.
pub(super) fn language(locale: &str) -> Lang {
    if locale.starts_with("zh") { Lang::Zh } else { Lang::En }
}

/// Where servers have added the bot, and in its direct messages. Who may change something is decided when it is asked,
/// since everyone may look.
fn command(spec: &CommandSpec) -> CreateCommand {
    let command = CreateCommand::new(spec.name)
        .description(spec.en)
        .integration_types(vec![InstallationContext::Guild])
        .contexts(vec![InteractionContext::Guild, InteractionContext::BotDm]);
    let command = CHINESE.iter().fold(command, |command, locale| {
        command.description_localized(*locale, spec.zh)
    });
    spec.args.iter().map(option).fold(command, CreateCommand::add_option)
}

fn option(arg: &ArgSpec) -> CreateCommandOption {
    let option = CreateCommandOption::new(CommandOptionType::String, arg.name, arg.en).required(arg.required);
    let option = CHINESE
        .iter()
        .fold(option, |option, locale| option.description_localized(*locale, arg.zh));
    match arg.kind {
        // Discord has no type for days.
        ArgKind::Text | ArgKind::Day => option.set_autocomplete(suggests(arg.suggest)),
        // What can be chosen is offered as it is.
        ArgKind::Choice(choices) => choices.iter().fold(option, |option, choice| {
            let (zh, en) = shown(choice);
            option.add_string_choice_localized(en, *choice, CHINESE.map(|locale| (locale, zh)))
        }),
    }
}

fn suggests(suggest: Suggest) -> bool {
    match suggest {
        Suggest::Nothing => false,
        Suggest::Papers | Suggest::Subscriptions | Suggest::Topics | Suggest::Zones => true,
    }
}

/// What people read of a word that can be chosen, in Chinese and in English. Names of formats are the same everywhere.
fn shown(choice: &str) -> (&str, &str) {
    match choice {
        "zh" => ("中文", "中文 (Chinese)"),
        "en" => ("English（英文）", "English"),
        "titles" => ("仅标题", "Titles only"),
        "compact" => ("简洁：标题、简报、机构", "Compact: title, brief, institutions"),
        "full" => ("完整：含摘要", "Full: with abstracts"),
        "rich" => ("富文本", "Rich"),
        "bibtex" => ("BibTeX", "BibTeX"),
        "ris" => ("RIS", "RIS"),
        "csl" => ("CSL JSON", "CSL JSON"),
        "markdown" => ("Markdown", "Markdown"),
        other => (other, other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(value: &Value) -> usize {
        value.as_str().unwrap().encode_utf16().count()
    }

    fn list(value: &Value) -> &[Value] {
        value.as_array().map(Vec::as_slice).unwrap_or_default()
    }

    #[test]
    fn every_command_of_the_table_is_registered_in_both_languages_within_discords_limits() {
        let commands = commands();
        let commands = list(&commands);
        assert!(commands.len() == TABLE.len() && commands.len() <= 100);
        for (command, spec) in commands.iter().zip(TABLE) {
            assert_eq!(command["name"], spec.name);
            assert_eq!(command["description"], spec.en);
            assert_eq!(
                (&command["contexts"], &command["integration_types"]),
                (&json!([0, 1]), &json!([0]))
            );
            let options = list(&command["options"]);
            assert!(options.len() == spec.args.len() && options.len() <= 25);
            for described in options.iter().chain([command]) {
                let texts = &described["description_localizations"];
                assert_eq!(texts["zh-CN"], texts["zh-TW"]);
                let lengths = [&described["description"], &texts["zh-CN"]].map(units);
                assert!(lengths.iter().all(|length| (1..=100).contains(length)), "{described}");
            }
            // All that a command says together (Application Commands, “Create Global Application Command”).
            assert!(command.to_string().encode_utf16().count() < 8_000);
        }
    }

    #[test]
    fn an_argument_is_chosen_or_suggested_or_neither_and_never_both() {
        for (command, spec) in list(&commands()).iter().zip(TABLE) {
            for (option, arg) in list(&command["options"]).iter().zip(spec.args) {
                assert_eq!(
                    (&option["type"], &option["required"]),
                    (&json!(3), &json!(arg.required))
                );
                let offered: Vec<&str> = list(&option["choices"])
                    .iter()
                    .map(|c| c["value"].as_str().unwrap())
                    .collect();
                let suggested = option["autocomplete"] == json!(true);
                match arg.kind {
                    ArgKind::Choice(choices) => assert_eq!((offered.as_slice(), suggested), (choices, false)),
                    ArgKind::Text | ArgKind::Day => {
                        assert_eq!((offered.len(), suggested), (0, arg.suggest != Suggest::Nothing));
                    }
                }
                for choice in list(&option["choices"]) {
                    let names = [&choice["name"], &choice["name_localizations"]["zh-CN"]].map(units);
                    assert!(names.iter().all(|length| (1..=100).contains(length)), "{choice}");
                }
            }
        }
    }
}
