//! Learned rankings in the data folder: `models/<topic>.json`, made by `paperwire topic train`. They are derived: without
//! one, or with one that cannot be used, the topic's weighted terms decide.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use paperwire_config::Model;
use paperwire_core::topic::learn::{Learned, LearnedError};
use paperwire_core::topic::{Topic, TopicId};

/// Where a topic's model is.
pub fn path(data: &Path, topic: &TopicId) -> PathBuf {
    data.join("models").join(format!("{topic}.json"))
}

/// Why a model cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file cannot be read.
    #[error("{} cannot be read: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The model cannot be used.
    #[error("{}: {error}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: LearnedError,
    },
}

/// A topic's model from a file; `None` where there is none.
///
/// # Errors
/// [`ModelError`], which names the file.
pub fn load(path: &Path, topic: &Topic) -> Result<Option<Learned>, ModelError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let path = path.to_owned();
            return Err(ModelError::Io { path, error });
        }
    };
    match Learned::read(&bytes, topic) {
        Ok(learned) => Ok(Some(learned)),
        Err(error) => {
            let path = path.to_owned();
            Err(ModelError::Unusable { path, error })
        }
    }
}

/// The topics, each with its model where the data folder has one that can be used; what cannot is a warning.
pub fn attached(mut topics: Vec<Topic>, data: &Path) -> Vec<Topic> {
    for topic in &mut topics {
        match load(&path(data, &topic.id), topic) {
            Ok(learned) => topic.learned = learned.map(Arc::new),
            Err(error) => {
                tracing::warn!(topic = %topic.id, "the learned ranking is left out, the weighted terms decide: {error}");
            }
        }
    }
    topics
}

/// Has the model judge the borderline of the topics that the configuration names. Of one that was not taught there is none:
/// a warning.
pub fn judged(topics: &mut [Topic], model: &Model) {
    for topic in topics.iter_mut().filter(|topic| model.judge.contains(&topic.id)) {
        match &topic.learned {
            Some(learned) => topic.learned = Some(Arc::new(Learned::clone(learned).judged_by(&model.name))),
            None => tracing::warn!("{}", untaught(&topic.id)),
        }
    }
}

/// What is said of a topic that is to be judged and cannot be.
pub fn untaught(topic: &TopicId) -> String {
    format!(
        "model.judge names the topic {topic}, but there is no learned ranking of it that can be used, and without one nothing is \
         near its threshold: nobody is asked. Run paperwire topic train {topic} --examples DAY…, or take it out of model.judge"
    )
}

/// Writes a file so that whoever reads it, after a crash too, finds the old one or the new one whole.
///
/// # Errors
/// What the system says.
pub fn save(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = folder.join(name);
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}
