//! What the platforms' tokens look like, so that one that was pasted wrongly is told of before a platform refuses it. It is
//! only told of: no platform promises the form of its tokens. No sentence has a part of one.

use paperwire_core::channel::Platform;

/// Telegram's part after the colon has 35 characters (<https://core.telegram.org/bots/api#authorizing-your-bot>).
const TELEGRAM_SECRET: std::ops::RangeInclusive<usize> = 30..=45;

/// What is odd about a token, as a sentence with what to do, if anything is.
pub(crate) fn oddity(platform: Platform, token: &str) -> Option<String> {
    const QUOTES: [char; 7] = ['"', '\'', '`', '“', '”', '‘', '’'];
    let (name, looks, whence) = match platform {
        Platform::Telegram if is_telegrams(token) => return None,
        Platform::Telegram => (
            "Telegram",
            "digits, a colon and 35 characters after it",
            "from BotFather",
        ),
        Platform::Discord if is_discords(token) => return None,
        Platform::Discord => (
            "Discord",
            "three parts with dots between them",
            "from the page “Bot” of Discord's developer portal; the client secret and the public key are something else",
        ),
        Platform::Web => return None,
    };
    Some(match token.starts_with(QUOTES) || token.ends_with(QUOTES) {
        true => format!(
            "{platform}.token has quotation marks that are a part of it, and {name} will refuse it: take them away (in a \
             file of variables a value stands without any)"
        ),
        false => format!(
            "{platform}.token does not look like one of {name}'s, which are {looks}: if {name} refuses it, copy it again \
             {whence}"
        ),
    })
}

/// Whether the name of a file that is not there is rather a secret that stands in its place: long, of one word or of a token's
/// parts.
pub(crate) fn is_likely(path: &str) -> bool {
    const LEAST: usize = 32;
    let path = path.trim();
    path.len() >= LEAST && path.split(['.', ':']).all(is_word)
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn is_telegrams(token: &str) -> bool {
    token.split_once(':').is_some_and(|(id, secret)| {
        let is_id = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
        is_id && is_word(secret) && TELEGRAM_SECRET.contains(&secret.len())
    })
}

/// As in the example of <https://docs.discord.com/developers/reference#authentication>.
fn is_discords(token: &str) -> bool {
    token.split('.').count() == 3 && token.split('.').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_as_the_platforms_show_it_is_nothing_odd() {
        let telegram = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11";
        let discord = "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs";
        assert_eq!(oddity(Platform::Telegram, telegram), None);
        assert_eq!(oddity(Platform::Discord, discord), None);
        // Each in the other's place is.
        assert!(oddity(Platform::Telegram, discord).is_some_and(|odd| odd.contains("BotFather")));
        assert!(oddity(Platform::Discord, telegram).is_some_and(|odd| odd.contains("three parts")));
    }

    #[test]
    fn a_token_that_was_pasted_wrongly_is_told_of_without_a_part_of_it() {
        let secret = "SECRETSECRETSECRETSECRETSECRETSECRE";
        for (platform, token, words) in [
            (Platform::Telegram, format!("\"123456:{secret}\""), "quotation marks"),
            (Platform::Telegram, format!("bot123456:{secret}"), "digits, a colon"),
            (Platform::Telegram, secret.to_owned(), "digits, a colon"),
            (Platform::Telegram, "123456:SECRET".to_owned(), "digits, a colon"),
            (
                Platform::Telegram,
                format!("123456:{secret}{secret}"),
                "digits, a colon",
            ),
            (Platform::Telegram, format!(":{secret}"), "digits, a colon"),
            (
                Platform::Discord,
                format!("'{secret}.SECRET.{secret}'"),
                "quotation marks",
            ),
            (
                Platform::Discord,
                format!("“{secret}.SECRET.{secret}”"),
                "quotation marks",
            ),
            (Platform::Discord, secret.to_owned(), "three parts"),
            (Platform::Discord, format!("{secret}..{secret}"), "three parts"),
            (Platform::Discord, format!("{secret}.SÉCRET.{secret}"), "three parts"),
        ] {
            let odd = oddity(platform, &token).unwrap();
            let named = format!("{platform}.token");
            assert!(odd.contains(words) && odd.starts_with(&named), "{token}: {odd}");
            assert!(!odd.contains("SECRE") && !odd.contains("123456"), "{odd}");
        }
    }
}
