//! Every platform's renderer behind the one that the pipeline asks.

use paperwire_core::channel::Platform;
use paperwire_core::message::{Message, Part, Render};

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
}
