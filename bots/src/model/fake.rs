//! A model for tests, in the place of the wire: it says what a script says, as late as the script says, and remembers what it
//! was asked. Time is advanced and never waited for.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::transport::{Answer, Fault, Transport};
use super::{Now, lock};
use crate::storage::Storage;

/// What it does with a question.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) after: Duration,
    pub(crate) answer: Result<Answer, Fault>,
}

impl Line {
    pub(crate) fn late(self, seconds: u64) -> Self {
        let after = Duration::from_secs(seconds);
        Self { after, ..self }
    }
}

pub(crate) fn status(status: u16, retry_after: Option<u64>, body: impl ToString) -> Line {
    let retry_after = retry_after.map(Duration::from_secs);
    let body = body.to_string();
    Line {
        after: Duration::ZERO,
        answer: Ok(Answer {
            status,
            retry_after,
            body,
        }),
    }
}

/// An answer for 150 tokens.
pub(crate) fn says(text: &str) -> Line {
    ends(text, "stop")
}

pub(crate) fn ends(text: &str, finish: &str) -> Line {
    let completion = json!({
        "choices": [{ "message": { "role": "assistant", "content": text }, "finish_reason": finish }],
        "usage": { "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150 },
    });
    status(200, None, completion)
}

pub(crate) fn fault(fault: Fault) -> Line {
    Line {
        after: Duration::ZERO,
        answer: Err(fault),
    }
}

/// What the latest question says, and the paper in it: title and abstract.
pub(crate) fn paper_in(body: &Value) -> (String, String) {
    let asked = body["messages"][1]["content"].as_str().unwrap();
    let (_, data) = asked.split_once("<<<PAPER ").unwrap();
    let field = |names: [&str; 2]| {
        let mut lines = data.lines();
        lines
            .find_map(|line| names.iter().find_map(|name| line.strip_prefix(name)))
            .unwrap()
            .to_owned()
    };
    (field(["Title: ", "标题："]), field(["Abstract: ", "摘要："]))
}

/// What an honest model makes of the paper in a question.
pub(crate) fn honest(body: &Value) -> String {
    let (title, abstract_text) = paper_in(body);
    let zh = body["messages"][0]["content"].as_str().unwrap().contains("简体中文");
    let first = abstract_text.split('.').next().unwrap();
    let (does, sentence) = if zh {
        (
            "删去各层",
            format!("作者发布了《{title}》论文，使用删去各层的技术，解决了模型缓慢的问题。"),
        )
    } else {
        (
            "drops layers",
            format!("The authors released “{title}”, which drops layers of models and is faster."),
        )
    };
    let empty = json!({ "text": "", "quote": "" });
    let technique = json!({ "text": does, "quote": first });
    json!({ "who": empty, "technique": technique, "problem": empty, "effect": empty, "sentence": sentence }).to_string()
}

type Script = Box<dyn Fn(usize, &Value) -> Line + Send + Sync>;

pub(crate) struct FakeModel {
    script: Script,
    asked: Mutex<Vec<(Instant, Value)>>,
    flying: AtomicUsize,
    most: AtomicUsize,
}

impl FakeModel {
    /// It does with the nth question, from 0, what this says.
    pub(crate) fn new(script: impl Fn(usize, &Value) -> Line + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            script: Box::new(script),
            asked: Mutex::default(),
            flying: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        })
    }

    /// It does these, one after the other, and from then on answers “ok”.
    pub(crate) fn scripted(lines: impl IntoIterator<Item = Line>) -> Arc<Self> {
        let lines = Mutex::new(lines.into_iter().collect::<VecDeque<_>>());
        Self::new(move |_, _| lock(&lines).pop_front().unwrap_or_else(|| says("ok")))
    }

    pub(crate) fn asked(&self) -> Vec<Value> {
        lock(&self.asked).iter().map(|(_, body)| body.clone()).collect()
    }

    pub(crate) fn asked_at(&self) -> Vec<Instant> {
        lock(&self.asked).iter().map(|(at, _)| *at).collect()
    }

    /// The most questions that it had at the same time.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

impl Transport for FakeModel {
    fn url(&self) -> String {
        "http://fake/v1".to_owned()
    }

    fn post<'a>(&'a self, body: &'a Value) -> BoxFuture<'a, Result<Answer, Fault>> {
        Box::pin(async move {
            let nth = {
                let mut asked = lock(&self.asked);
                asked.push((Instant::now(), body.clone()));
                asked.len() - 1
            };
            let flying = self.flying.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(flying, Ordering::SeqCst);
            let Line { after, answer } = (self.script)(nth, body);
            if !after.is_zero() {
                tokio::time::sleep(after).await;
            }
            self.flying.fetch_sub(1, Ordering::SeqCst);
            answer
        })
    }
}

/// A clock on the wall that goes with the runtime's timer, from this instant on.
pub(crate) fn wall(start: DateTime<Utc>) -> Now {
    let began = Instant::now();
    Arc::new(move || start + TimeDelta::from_std(began.elapsed()).unwrap())
}

/// Time stands still while the storage thread works, and passes in steps while only timers are waited for: a paused clock by
/// itself would jump to the next timer whenever that thread, of which it knows nothing, has something to do.
pub(crate) async fn passing<F: Future>(storage: &Storage, future: F) -> F::Output {
    const STEP: Duration = Duration::from_millis(500);
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let holder = tokio::task::spawn_blocking(move || held.recv());
    let (mut future, at_rest) = (pin!(future), storage.holders());
    let output = 'passed: loop {
        let mut quiet = 0;
        while quiet < 12 {
            tokio::select! {
                biased;
                output = &mut future => break 'passed output,
                fenced = storage.run(|_| Ok(())) => fenced.unwrap(),
            }
            // What only reads has a thread of its own.
            quiet = if storage.holders() > at_rest { 0 } else { quiet + 1 };
        }
        tokio::time::advance(STEP).await;
    };
    drop(hold);
    let _ = holder.await;
    output
}
