//! Tells the person who set a channel up what they alone can help with: that it cannot be written to any more, and that a
//! digest is held back until they decide. Where the platform lets a bot write to people, they hear it at once and not by
//! missing a digest.

use std::sync::Arc;
use std::time::Duration;

use paperwire_core::channel::{Channel, Place, Platform};
use paperwire_core::command::press::Seal;
use paperwire_core::delivery::SendError;
use paperwire_core::message::{Message, ellipsis};
use paperwire_core::pipeline::{self, Notice, To};
use paperwire_core::topic::Topic;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::messenger::{Messenger, Whom};
use crate::storage::{Storage, StorageError};
use crate::worker::nap;

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

/// Tells the owners of channels that were lost, one after the other, so that many at once leave the platform's limits to the
/// digests. Ends when nobody can send any more.
pub async fn tell_owners(
    messenger: Arc<dyn Messenger>,
    storage: Storage,
    mut losses: mpsc::UnboundedReceiver<(Place, String)>,
) {
    while let Some((place, reason)) = losses.recv().await {
        tell_owner(&*messenger, &storage, &place, &reason).await;
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
        match messenger.tell(Whom::Person(person), message, &[]).await {
            Err(SendError::RateLimited { retry_after, .. }) if retry_after <= PATIENCE => {
                tokio::time::sleep(retry_after).await;
            }
            Err(SendError::Unreachable { .. }) => tokio::time::sleep(PAUSE).await,
            Ok(()) => return Ok(()),
            Err(
                error @ (SendError::RateLimited { .. }
                | SendError::Moved { .. }
                | SendError::Gone { .. }
                | SendError::Rejected { .. }
                | SendError::Unauthorized { .. }
                | SendError::Uncertain { .. }),
            ) => return Err(error),
        }
    }
    messenger.tell(Whom::Person(person), message, &[]).await
}

/// Who decides about held digests is told of them here.
pub struct Deciders {
    /// The platforms that can be written to.
    pub messengers: Vec<Arc<dyn Messenger>>,
    /// For the digests' names.
    pub topics: Arc<[Topic]>,
    /// With which the buttons are sealed.
    pub seal: Seal,
    /// Where the operator is told, beside the owners.
    pub operator: Option<Place>,
}

impl Deciders {
    /// Tells whoever is still to be told, until `stop`. `wake` is rung when a digest may have been held. Who was told is
    /// durable, so that nobody is told again after a restart; who could not be is tried again, ever more rarely.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn tell(self, storage: Storage, wake: Arc<Notify>, stop: CancellationToken) -> Result<(), StorageError> {
        loop {
            let (topics, seal, operator) = (Arc::clone(&self.topics), self.seal.clone(), self.operator.clone());
            let (notices, next) = storage
                .run(move |store| pipeline::notices(store, &topics, &seal, operator.as_ref(), clock::now()))
                .await?;
            for notice in notices {
                if stop.is_cancelled() {
                    return Ok(());
                }
                // What is under way is not broken off: it may have arrived, and would be said again after the next start.
                if self.notify(&notice).await {
                    let Notice { digest, to, .. } = notice;
                    storage
                        .run(move |store| pipeline::told(store, &digest, &to, clock::now()))
                        .await?;
                }
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = wake.notified() => {}
                () = tokio::time::sleep(nap(next, clock::now())) => {}
            }
        }
    }

    /// Whether somebody heard it, or may have: what may have arrived is not said again. Tried once: when it is tried again
    /// stands in the store.
    async fn notify(&self, notice: &Notice) -> bool {
        let Notice {
            digest,
            to,
            message,
            buttons,
        } = notice;
        let whom = match to {
            To::Person(person) => Whom::Person(person.id()),
            To::Place(place) => Whom::Place(place),
        };
        let platform = to.platform();
        let Some(messenger) = self.messengers.iter().find(|one| one.platform() == platform) else {
            tracing::info!(%digest, ?to, "nobody can be told there that a digest is held back: the platform has no token");
            return false;
        };
        match messenger.tell(whom, message, buttons).await {
            Ok(()) => {
                tracing::info!(%digest, ?to, "told that a digest is held back");
                true
            }
            Err(error @ SendError::Uncertain { .. }) => {
                tracing::warn!(%digest, ?to, %error, "told that a digest is held back, as far as can be known");
                true
            }
            Err(error) => {
                tracing::warn!(%digest, ?to, %error, "could not be told that a digest is held back; it is tried again");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures::future::{BoxFuture, ready};
    use paperwire_core::channel::{Activity, Missed, Settings, Style, WhenEmpty};
    use paperwire_core::command::press::Button;
    use paperwire_core::delivery::{LimitScope, Looked, Missing, Tag};
    use paperwire_core::locale::Lang;
    use paperwire_core::message::Part;
    use paperwire_core::store::{ModelStore, Store as _, Write};
    use paperwire_core::subscription::Subjects;

    use super::*;
    use crate::clock;
    use crate::messenger::Answered;

    /// Answers from a script, then with success, and keeps what it was told.
    #[derive(Default)]
    struct Confidant {
        script: Mutex<Vec<SendError>>,
        heard: Mutex<Vec<(String, String)>>,
    }

    impl Messenger for Confidant {
        fn platform(&self) -> Platform {
            Platform::Telegram
        }
        fn send<'a>(&'a self, _: &'a Place, _: &'a Part, _: &'a Tag) -> BoxFuture<'a, Answered> {
            unreachable!()
        }
        fn look<'a>(&'a self, _: &'a Place, _: &'a Part, _: &'a Missing) -> BoxFuture<'a, Looked> {
            unreachable!()
        }
        fn edit<'a>(&'a self, _: &'a Place, _: &'a str, _: &'a Part, _: &'a Tag) -> BoxFuture<'a, Answered> {
            unreachable!()
        }
        fn tell<'a>(
            &'a self,
            whom: Whom<'a>,
            message: &'a Message,
            _: &'a [Vec<Button>],
        ) -> BoxFuture<'a, Result<(), SendError>> {
            let Whom::Person(person) = whom else { unreachable!() };
            self.heard.lock().unwrap().push((person.to_owned(), message.to_plain()));
            Box::pin(ready(self.script.lock().unwrap().pop().map_or(Ok(()), Err)))
        }
        fn plain(&self, part: &Part) -> Part {
            part.clone()
        }
    }

    /// What an owner hears of a paused channel, when the platform answers with `script`, its end first.
    async fn told(place: &str, owner: Option<&str>, script: Vec<SendError>) -> Vec<(String, String)> {
        let store = ModelStore::new();
        let place: Place = place.parse().unwrap();
        let settings = Settings {
            subjects: Subjects::default(),
            schedule: None,
            timezone: chrono_tz::UTC,
            language: Lang::Zh,
            when_empty: WhenEmpty::Say,
            missed: Missed::Merge,
            weekly: None,
            style: Style::Compact,
        };
        let channel = Channel {
            place: place.clone(),
            settings,
            cursor: 0,
            last_fired: None,
            next_due: None,
            last_weekly: None,
            weekly_due: None,
            activity: Activity::Active,
            added_at: clock::now(),
            configured_as: None,
            configured_with: None,
            owner: owner.map(str::to_owned),
            resting: Subjects::default(),
            mentions: Vec::new(),
        };
        store.commit(vec![Write::Channel(Box::new(channel))]).unwrap();
        let (storage, _) = Storage::start(Arc::new(store)).unwrap();
        let messenger = Confidant {
            script: Mutex::new(script),
            ..Confidant::default()
        };
        tell_owner(&messenger, &storage, &place, "Forbidden: bot was kicked").await;
        messenger.heard.into_inner().unwrap()
    }

    fn limited(seconds: u64) -> SendError {
        SendError::RateLimited {
            retry_after: Duration::from_secs(seconds),
            scope: LimitScope::Bot,
        }
    }

    #[tokio::test]
    async fn an_owner_hears_in_the_channels_language_where_why_and_what_to_do() {
        let heard = told("telegram:-100", Some("1001"), vec![]).await;
        let [(person, text)] = heard.as_slice() else {
            panic!("{heard:?}")
        };
        assert_eq!(person, "1001");
        for said in ["telegram:-100", "Forbidden: bot was kicked", "/start", "订阅"] {
            assert!(text.contains(said), "{text}");
        }
    }

    #[tokio::test]
    async fn nobody_is_told_who_is_unknown_or_whose_own_chat_is_the_place() {
        assert_eq!(told("telegram:-100", None, vec![]).await, []);
        assert_eq!(told("telegram:1001", Some("1001"), vec![]).await, []);
        assert_eq!(told("web:lobby", Some("1001"), vec![]).await, []);
        assert_eq!(told("telegram:1001", Some("2002"), vec![]).await.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_tried_again_as_long_as_nothing_can_have_arrived_and_the_wait_is_short() {
        let reason = String::new();
        let unreachable = SendError::Unreachable { reason: reason.clone() };
        let gone = SendError::Gone { reason: reason.clone() };
        for (script, tries) in [
            (vec![limited(60), unreachable.clone()], 3),
            (vec![unreachable.clone(); 9], 3),
            (vec![limited(61)], 1),
            (vec![gone], 1),
            (vec![SendError::Uncertain { reason }], 1),
        ] {
            let shown = format!("{script:?}");
            assert_eq!(told("telegram:-100", Some("1"), script).await.len(), tries, "{shown}");
        }
    }
}
