//! x
use paperwire_core::message::{Message, Part};

/// The parts of a message.
pub fn render(message: &Message) -> Vec<Part> {
    let _ = message;
    todo!()
}
