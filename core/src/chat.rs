//! What is said to a language model and what comes back, as data: core words the question and judges the answer, and
//! whoever has a socket carries them. The forms are those of the chat completions that OpenAI's API made common
//! (<https://platform.openai.com/docs/api-reference/chat>), which vLLM, Ollama and llama.cpp speak as well.

use serde::{Deserialize, Serialize};

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// What holds for the whole conversation.
    System,
    /// The one who asks.
    User,
    /// The model.
    Assistant,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What.
    pub content: String,
}

impl Message {
    /// A turn.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self {
            role,
            content: content.into(),
        }
    }
}

/// The form that an answer shall have. A server that cannot enforce it is asked for any JSON, or for nothing of the kind:
/// whoever reads the answer checks it in any case.
#[derive(Debug, Clone, PartialEq)]
pub struct Format {
    /// Its name, of letters and underscores.
    pub name: &'static str,
    /// JSON schema, within the subset of OpenAI's strict mode: every property required, none besides.
    pub schema: serde_json::Value,
}

/// A question.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// The wanted form; `None` for text.
    pub format: Option<Format>,
    /// The most tokens of the answer, thoughts included.
    pub most_tokens: u32,
}

impl Ask {
    /// About how many tokens the question has, rather too many than too few.
    pub fn tokens(&self) -> u64 {
        // Each turn is wrapped in a few tokens of its own.
        let turns = self.messages.iter().map(|message| tokens(&message.content) + 4);
        turns.sum()
    }
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finish {
    /// The model was done, or its server does not say.
    Stop,
    /// It had no room for more.
    Length,
    /// The provider did not let it go on (`content_filter`).
    Filtered,
}

/// What a question cost, as its server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the question.
    pub prompt: u64,
    /// Tokens of the answer, thoughts included.
    pub completion: u64,
}

impl Usage {
    /// Both.
    pub fn total(self) -> u64 {
        self.prompt.saturating_add(self.completion)
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What the model said.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
    /// What it cost, if the server says.
    pub usage: Option<Usage>,
}

/// About how many tokens a text has, without knowing the model's vocabulary: three ASCII characters or one other make one.
/// English has about four characters a token and Chinese more than one, so that this is rather too many.
pub fn tokens(text: &str) -> u64 {
    let ascii = text.bytes().filter(u8::is_ascii).count();
    let other = text.chars().filter(|c| !c.is_ascii()).count();
    u64::try_from(ascii.div_ceil(3) + other).unwrap_or(u64::MAX)
}
