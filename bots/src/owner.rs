//! Tells the person who set a channel up that it cannot be written to any more: where the platform lets a bot write to
//! people, they hear it at once and not by missing a digest.

use std::time::Duration;

use paperwire_core::channel::{Channel, Place, Platform};
use paperwire_core::delivery::SendError;
use paperwire_core::message::{Message, ellipsis};

use crate::messenger::Messenger;
use crate::storage::Storage;

/// How often it is tried.
const TRIES: u32 = 3;
/// The longest wait that is worth it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries when nobody says how long to wait.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest reason that is passed on, in characters.
const REASON_CHARS: usize = 300;

/// Tells the owner of the channel at `place` why it is paused, in its language. Whether they could be told stands in the
/// log; that they could not is no error, since most people never open a private chat with a bot. Waits up to a minute
/// where the platform asks to: run it in a task of its own.
pub async fn tell_owner(messenger: &dyn Messenger, storage: &Storage, place: &Place, reason: &str) {
    let wanted = place.clone();
    let channel = match storage.run(move |store| store.channel(&wanted)).await {
        Ok(Some(channel)) => channel,
        Ok(None) => return,
        Err(error) => return tracing::warn!(%place, %error, "the channel's owner could not be looked up"),
    };
    let Some(person) = addressee(&channel) else {
        return tracing::info!(%place, "nobody is known who could be told that the channel is paused");
    };
    let notice = channel
        .settings
        .language
        .lost_access(&place.to_string(), &ellipsis(reason, REASON_CHARS));
    match tell(messenger, person, &Message::sentence(notice)).await {
        Ok(()) => tracing::info!(%place, person, "whoever set the channel up was told that it is paused"),
        Err(error) => {
            tracing::info!(%place, person, %error, "whoever set the channel up could not be told that it is paused");
        }
    }
}

/// Whom to tell. Nobody where the place is their private chat with the bot, which is just what cannot be written to
/// (Telegram: such a chat has the person's own id), and on the web page, where nobody has a name.
fn addressee(channel: &Channel) -> Option<&str> {
    let owner = channel.owner.as_deref()?;
    match channel.place.platform() {
        Platform::Telegram => (owner != channel.place.chat()).then_some(owner),
        Platform::Discord => Some(owner),
        Platform::Web => None,
    }
}

/// Says nothing twice: what may have arrived is not said again.
async fn tell(messenger: &dyn Messenger, person: &str, message: &Message) -> Result<(), SendError> {
    for _ in 1..TRIES {
        match messenger.tell(person, message).await {
            Err(SendError::RateLimited { retry_after, .. }) if retry_after <= PATIENCE => {
                tokio::time::sleep(retry_after).await;
            }
            Err(SendError::Unreachable { .. }) => tokio::time::sleep(PAUSE).await,
            done => return done,
        }
    }
    messenger.tell(person, message).await
}
