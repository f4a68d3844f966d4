//! How full a digest's messages are, beside the fewest that could hold the same blocks in their order. A block is never
//! split, so filling one message after the other is the best that can be done; the renderers differ from it by what a
//! part needs besides its blocks (a heading that says what it belongs to). On Discord papers stand in embeds; the text
//! above these is for what a message is, and its room is not counted.

use std::collections::BTreeMap;

use anyhow::Context as _;
use paperwire_config::Config;
use paperwire_core::channel::{Place, Platform, Style};
use paperwire_core::digest::{Digest, View};
use paperwire_core::locale::Lang;
use paperwire_core::message::{Block, Cost, Message, Part, Render as _};
use paperwire_core::pipeline::{self, Extent, Wanted};
use paperwire_core::source;
use paperwire_core::store::{ModelStore, Store as _};
use paperwire_core::subscription::Subjects;
use paperwire_core::topic::{Topic, TopicId};
use serde_json::Value;

use super::{papers, write_columns};
use crate::clock;
use crate::render::Renderers;

/// Bot API, sendMessage: characters of a text, and the entities that count.
const TELEGRAM: Cost = Cost {
    units: 4_096,
    pieces: 100,
};
/// Discord, “Embed Limits”: characters of all embeds of a message, and embeds.
const DISCORD: Cost = Cost {
    units: 6_000,
    pieces: 10,
};
/// The digest sizes that are tried.
const SIZES: [usize; 12] = [5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60];
/// The shipped samples.
const SAMPLES: [(&str, &[u8]); 2] = [
    ("sample mailing", include_bytes!("../../sample/mailing.txt")),
    ("sample next day", include_bytes!("../../sample/mailing_next.txt")),
];

/// What the invented papers are followed by.
const LANE: &str = "packing lane";

/// One digest in one form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Which digest.
    pub name: String,
    /// For which platform.
    pub platform: Platform,
    /// In which style.
    pub style: Style,
    /// In which language.
    pub lang: Lang,
    /// How many papers it has.
    pub papers: usize,
    /// The messages that the renderer makes.
    pub messages: usize,
    /// The fewest that hold the same blocks whole and in order.
    pub fewest: usize,
    /// All characters by a message's most: what nothing can go below, were blocks split anywhere.
    pub floor: usize,
}

/// A digest in memory, with what is needed to show it.
pub(super) struct Issue {
    store: ModelStore,
    digest: Digest,
    topics: Vec<Topic>,
}

impl Issue {
    /// The digest that a channel with these subjects gets from a mailing.
    pub(super) fn of(mailing: &[u8], subjects: Subjects) -> anyhow::Result<Self> {
        let config = Config::parse("", "the benchmark's configuration", &BTreeMap::new())?;
        let store = ModelStore::default();
        let now = clock::now();
        let parsed = source::parse(mailing)?;
        pipeline::accept(&store, &config.topics, &Renderers, "mailing", mailing, parsed, now)?;
        let wanted = Wanted {
            place: Place::telegram(1, None),
            settings: config.defaults.clone().settings(subjects),
        };
        pipeline::configure_channels(&store, &[wanted], Extent::Whole, now)?;
        pipeline::publish_now(&store, &config.topics, &Renderers, store.channels()?, now)?;
        let id = store.digests(None, 1)?.first().copied().context("no digest")?;
        let digest = store.digest(&id)?.context("no digest")?;
        Ok(Self {
            store,
            digest,
            topics: config.topics,
        })
    }

    /// The digest of so many invented papers.
    pub(super) fn invented(papers: usize, lane: &str) -> anyhow::Result<Self> {
        Self::of(
            papers::mailing(&[(lane, papers)]).as_bytes(),
            Subjects::new([], [lane.to_owned()]),
        )
    }

    /// It in one form.
    pub(super) fn message(&self, style: Style, lang: Lang) -> Message {
        let view = View {
            lang,
            zone: chrono_tz::UTC,
            style,
            topics: &self.topics,
        };
        view.message(&self.digest, &|id| {
            let paper = self.store.paper(id).ok()??;
            Some(paper.abstract_text().to_owned())
        })
    }

    fn packed(&self, name: &str, platform: Platform, style: Style, lang: Lang) -> Packed {
        let message = self.message(style, lang);
        let entry = |block: &Block| matches!(block, Block::Entry(_));
        let (blocks, limit, separator) = match platform {
            Platform::Discord => {
                // What stands before the first entry or behind the last has room in the text above the embeds, and is free.
                let from = message.blocks.iter().position(entry).unwrap_or_default();
                let to = message.blocks.iter().rposition(entry).map_or(0, |last| last + 1);
                (message.blocks.get(from..to).unwrap_or_default(), DISCORD, 0)
            }
            Platform::Telegram | Platform::Web => (message.blocks.as_slice(), TELEGRAM, 2),
        };
        let weights: Vec<Weight> = blocks.iter().map(|block| weight(platform, block)).collect();
        let units: usize = weights.iter().map(|weight| weight.cost.units + separator).sum();
        Packed {
            name: name.to_owned(),
            platform,
            style,
            lang,
            papers: self.digest.entries.len(),
            messages: Renderers.render(platform, &message).len(),
            fewest: fewest(&weights, |weights| fits(weights, limit, separator)),
            floor: units.saturating_sub(separator).div_ceil(limit.units).max(1),
        }
    }
}

/// What a block takes of a message.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    /// Where it has a piece of its own.
    cost: Cost,
    /// The characters that it takes besides where it shares the piece of the block above: the address behind its title,
    /// which counts in a text and not at an embed's title. `None` where pieces cannot be shared.
    joined: Option<usize>,
}

/// What a block weighs on a platform, taken from what its renderer makes of it alone.
fn weight(platform: Platform, block: &Block) -> Weight {
    let alone = Message {
        running_title: String::new(),
        blocks: vec![block.clone()],
    };
    let units = |value: Option<&Value>| {
        value
            .and_then(Value::as_str)
            .map_or(0, |text| text.encode_utf16().count())
    };
    let mut sum = Weight::default();
    for Part { payload } in Renderers.render(platform, &alone) {
        let body: Value = serde_json::from_str(&payload).unwrap_or_default();
        let list = |name: &str| body.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        match platform {
            Platform::Telegram | Platform::Web => {
                sum.cost.units += units(body.get("text"));
                sum.cost.pieces += list("entities").len();
            }
            Platform::Discord => {
                let embeds = list("embeds");
                let texts = embeds
                    .iter()
                    .map(|e| units(e.get("title")) + units(e.get("description")));
                sum.cost.units += texts.sum::<usize>() + units(body.get("content"));
                sum.cost.pieces += embeds.len();
                // `[](…)` and the address.
                let links = embeds
                    .iter()
                    .filter_map(|e| e.get("url"))
                    .map(|url| 4 + units(Some(url)));
                sum.joined = Some(links.sum());
            }
        }
    }
    sum
}

/// Whether one message could hold these blocks, `separator` between two. Beyond a message's pieces, those blocks share one
/// for which it costs the least, wherever they stand: no renderer can do better.
fn fits(weights: &[Weight], limit: Cost, separator: usize) -> bool {
    let units: usize = weights.iter().map(|weight| weight.cost.units).sum();
    let pieces: usize = weights.iter().map(|weight| weight.cost.pieces).sum();
    let mut joined: Vec<usize> = weights.iter().filter_map(|weight| weight.joined).collect();
    joined.sort_unstable();
    let over = pieces.saturating_sub(limit.pieces);
    let gaps = separator * weights.len().saturating_sub(1);
    let shared: usize = joined.iter().take(over).sum();
    over <= joined.len() && units + gaps + shared <= limit.units
}

/// The fewest messages for blocks in their order.
fn fewest<T>(blocks: &[T], fits: impl Fn(&[T]) -> bool) -> usize {
    let (mut messages, mut from) = (1, 0);
    for at in 1..blocks.len() {
        if !blocks.get(from..=at).is_some_and(&fits) {
            messages += 1;
            from = at;
        }
    }
    messages
}

/// The shipped samples and digests of invented papers, in every style and language, on both platforms.
///
/// # Errors
/// When a sample cannot be read.
pub fn measure() -> anyhow::Result<Vec<Packed>> {
    let mut issues = Vec::new();
    for (name, mailing) in SAMPLES {
        let inference = TopicId("inference".to_owned());
        issues.push((name, Issue::of(mailing, Subjects::new([inference], []))?));
    }
    for papers in SIZES {
        issues.push(("invented", Issue::invented(papers, LANE)?));
    }
    let mut all = Vec::new();
    for (name, issue) in &issues {
        for platform in [Platform::Telegram, Platform::Discord] {
            for style in [Style::Compact, Style::Full] {
                all.extend(Lang::ALL.map(|lang| issue.packed(name, platform, style, lang)));
            }
        }
    }
    Ok(all)
}

/// Messages by the fewest over all of them, and the one that is packed worst.
pub(super) fn summary(all: &[Packed]) -> Option<(usize, usize, &Packed)> {
    let worst = all.iter().max_by_key(|p| (p.messages * 1_000) / p.fewest)?;
    let sum = |of: fn(&Packed) -> usize| all.iter().map(of).sum();
    Some((sum(|p| p.messages), sum(|p| p.fewest), worst))
}

/// All of it as text.
///
/// # Errors
/// When a sample cannot be read.
pub fn report() -> anyhow::Result<String> {
    let head = [
        "digest",
        "platform",
        "style",
        "lang",
        "papers",
        "messages",
        "fewest",
        "ratio",
        "characters ÷ limit",
    ];
    let mut lines = vec![head.map(str::to_owned)];
    let all = measure()?;
    for packed in &all {
        let style = packed.style.name();
        lines.push([
            packed.name.clone(),
            packed.platform.to_string(),
            style.to_owned(),
            packed.lang.code().to_owned(),
            packed.papers.to_string(),
            packed.messages.to_string(),
            packed.fewest.to_string(),
            format!("{:.3}", packed.messages as f64 / packed.fewest as f64),
            packed.floor.to_string(),
        ]);
    }
    let mut out = String::new();
    write_columns(&mut out, &lines)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_messages_fill_one_after_the_other_under_both_limits() {
        let weights = |units: &[usize], joined| {
            let weight = |&units| Weight {
                cost: Cost { units, pieces: 1 },
                joined,
            };
            units.iter().map(weight).collect::<Vec<_>>()
        };
        let messages = |weights: &[Weight], units, pieces, separator| {
            fewest(weights, |w| fits(w, Cost { units, pieces }, separator))
        };
        assert_eq!(messages(&weights(&[4, 4, 4], None), 10, 9, 2), 2);
        assert_eq!(messages(&weights(&[4, 4, 4], None), 10, 9, 3), 3);
        assert_eq!(messages(&weights(&[1, 1, 1], None), 10, 2, 0), 2);
        assert_eq!(messages(&weights(&[1, 1, 1], Some(7)), 10, 2, 0), 1);
        assert_eq!(messages(&weights(&[1, 1, 1], Some(8)), 10, 2, 0), 2);
        assert_eq!(messages(&[], 10, 2, 0), 1);
    }

    #[test]
    fn no_renderer_makes_fewer_messages_than_the_fewest() {
        for packed in measure().unwrap() {
            assert!(packed.messages >= packed.fewest && packed.fewest >= 1, "{packed:?}");
            assert!(packed.papers > 0, "{packed:?}");
        }
    }
}
