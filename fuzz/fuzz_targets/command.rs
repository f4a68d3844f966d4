//! Whatever is typed or comes back from a button is a command, a clear refusal, or none of ours; and no bytes that were not
//! sealed here change a setting.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paperwire_core::channel::{Place, Platform};
use paperwire_core::command::press::{MOST, Press, PressError, Seal, permission};
use paperwire_core::command::{Command, CommandError, Permission, TABLE, parse, parse_named, refusal};
use paperwire_core::locale::Lang;

fuzz_target!(|text: &str| {
    if let Some(Err(error)) = parse(text, Some("paperwire_bot")) {
        short(&error);
    }
    for spec in TABLE {
        match parse_named(spec.name, text) {
            // Nobody can type what only buttons ask, or what is refused to everybody.
            Ok(command) => {
                assert!(!matches!(command, Command::Press(_) | Command::About));
                assert!(spec.permission == Permission::Managers || command.permission() == Permission::Everyone);
            }
            Err(error) => short(&error),
        }
    }
    let (place, seal) = (Place::telegram(-1, None), Seal::new([7; 32]));
    match Press::read(text, &place, &seal) {
        Ok(press) => {
            assert!(!matches!(press, Press::Follow { .. }), "a seal was guessed");
            assert_eq!(permission(text), Permission::Everyone);
            // What is longer than a button was made by nobody, and is not made here either.
            if let Some(data) = press.data(&place, &seal) {
                assert!(data.len() <= MOST);
                assert_eq!(Press::read(&data, &place, &seal), Ok(press));
            }
        }
        Err(PressError::Unknown | PressError::Forged) => {}
    }
});

fn short(error: &CommandError) {
    for platform in Platform::ALL {
        for lang in Lang::ALL {
            let said = refusal(error, platform, lang);
            assert!(!said.is_empty() && said.chars().count() <= 400, "{said}");
        }
    }
}
