//! Watches what comes in by itself, and tells the operator once when something is missing or fails, and once when it is over.

use std::sync::Arc;
use std::time::Duration;

use paperwire_config::Operator;
use paperwire_core::alarm::{self, News};
use paperwire_core::message::{Block, Message, plain};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::doctor::Known;
use crate::messenger::{Messenger, Whom};
use crate::storage::{Storage, StorageError};

/// How often is looked when nothing comes in.
const LOOK: Duration = Duration::from_secs(60);
/// The wait after the operator could not be told.
const PAUSE: Duration = Duration::from_secs(300);

/// Who hears of alarms.
pub struct Watch {
    /// Where and in which language.
    pub operator: Operator,
    /// The sources of the configuration.
    pub sources: Vec<Known>,
    /// The platforms that can be written to.
    pub messengers: Vec<Arc<dyn Messenger>>,
}

impl Watch {
    /// Looks until `stop`; `wake` is rung when something came in or failed. What was told is durable.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn run(self, storage: Storage, wake: Arc<Notify>, stop: CancellationToken) -> Result<(), StorageError> {
        let expected = self.sources.iter().any(|known| known.kind.covers_arxiv());
        let known = self.sources.iter().map(|known| (known.name.clone(), known.kind));
        let known: Vec<alarm::Known> = known.collect();
        let mut logged: Vec<News> = Vec::new();
        loop {
            let sources = known.clone();
            let news = storage
                .run(move |store| alarm::look(store, &sources, expected, clock::now()))
                .await?;
            for one in news.iter().filter(|one| !logged.contains(one)) {
                match one.1.over {
                    None => tracing::warn!("{}", one.1.alarm.sentence(paperwire_core::locale::Lang::En, expected)),
                    Some(_) => tracing::info!("{}", one.1.alarm.over(paperwire_core::locale::Lang::En)),
                }
            }
            logged.clone_from(&news);
            let mut nap = LOOK;
            if !news.is_empty() {
                // It is not broken off by a stop: it may have arrived, and would be said again after the next start.
                match self.tell(&news, expected).await {
                    true => storage.run(move |store| alarm::tell(store, &news)).await?,
                    false => nap = PAUSE,
                }
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = wake.notified(), if nap == LOOK => {}
                () = tokio::time::sleep(nap) => {}
            }
        }
    }

    /// Whether it need not be told again: it was, may have been, or there is nowhere to tell it but the log.
    async fn tell(&self, news: &[News], filled: bool) -> bool {
        let Some(place) = &self.operator.place else { return true };
        let Some(messenger) = self.messengers.iter().find(|one| one.platform() == place.platform()) else {
            tracing::warn!(%place, "the operator cannot be told: the platform has no token");
            return true;
        };
        let lang = self.operator.language;
        let say = |(_, raised): &News| match raised.over {
            None => format!("⚠ {}", raised.alarm.sentence(lang, filled)),
            Some(_) => format!("✓ {}", raised.alarm.over(lang)),
        };
        let message = Message {
            running_title: String::new(),
            blocks: news.iter().map(|one| Block::Paragraph(plain(say(one)))).collect(),
        };
        match messenger.tell(Whom::Place(place), &message, &[]).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%place, %error, "the operator could not be told of an alarm");
                matches!(error, paperwire_core::delivery::SendError::Uncertain { .. })
            }
        }
    }
}
