//! Every platform's renderer behind the one that the pipeline asks.

use paperwire_core::channel::Platform;
use paperwire_core::mention::Mention;
use paperwire_core::message::{Amendment, Message, Part, Render};

/// The renderers of all platforms.
#[derive(Debug, Clone, Copy)]
pub struct Renderers;

impl Render for Renderers {
    fn render(&self, platform: Platform, message: &Message) -> Vec<Part> {
        match platform {
            Platform::Discord => crate::discord::markup::render(message),
            Platform::Telegram => crate::telegram::markup::render(message),
            Platform::Web => crate::web::markup::render(message),
        }
    }

    fn render_rich(&self, platform: Platform, message: &Message) -> Vec<Part> {
        match platform {
            Platform::Telegram => crate::telegram::rich::render(message),
            Platform::Discord | Platform::Web => self.render(platform, message),
        }
    }

    fn call(&self, platform: Platform, calls: &[(String, Mention)]) -> Option<Part> {
        match platform {
            Platform::Discord => crate::discord::markup::call(calls),
            Platform::Telegram => crate::telegram::markup::call(calls),
            Platform::Web => None,
        }
    }

    fn numbers(&self, platform: Platform, part: &Part) -> Vec<u32> {
        match platform {
            Platform::Discord => crate::discord::amend::numbers(part),
            Platform::Telegram => crate::telegram::amend::numbers(part),
            Platform::Web => crate::web::markup::numbers(part),
        }
    }

    fn amend(&self, platform: Platform, part: &Part, amendments: &[Amendment]) -> Option<Part> {
        match platform {
            Platform::Discord => crate::discord::amend::amend(part, amendments),
            Platform::Telegram => crate::telegram::amend::amend(part, amendments),
            Platform::Web => crate::web::markup::amend(part, amendments),
        }
    }
}
