//! Names of models, data sets and systems in a brief, and whether the paper knows them.

use std::collections::HashSet;
use std::ops::Range;

/// What needs no evidence: words that anyone uses of any paper.
#[rustfmt::skip]
const COMMON: [&str; 125] = [
    "ai", "ml", "dl", "nlp", "cv", "llm", "slm", "mllm", "lmm", "vlm", "lvlm", "vla", "dllm", "agi", "gpu", "cpu", "tpu", "npu",
    "fpga", "asic", "soc", "kv", "qkv", "rl", "sft", "moe", "cnn", "rnn", "gnn", "gan", "vae", "vit", "dit", "rag", "sota", "api",
    "iot", "1d", "2d", "3d", "4d", "2k", "4k", "8k", "flops", "flop", "gflops", "macs", "qa", "vqa", "ocr", "asr", "tts", "sql", "pde", "ode", "sde", "fps",
    "iou", "miou", "map", "f1", "auc", "bleu", "rouge", "rgb", "mlp", "dnn", "snn", "peft", "rlhf", "cot", "ptq", "qat", "ar", "cuda",
    "io", "oom", "ssd", "hbm", "sram", "dram", "qos", "slo", "ttft", "tpot", "rlvr", "kd", "ann", "lm", "lms", "nn",
    "transformer", "token", "tokens", "softmax", "python", "pytorch", "top1", "top5", "topk", "nas", "e2e", "id", "ids", "www",
    "github", "arxiv", "acc", "em", "psnr", "ssim", "fid", "p99", "p95", "mha", "ffn", "lstm", "svd", "gemm", "mt", "url", "pdf", "ieee", "acm",
];

/// Model families that are written like a word.
#[rustfmt::skip]
const FAMILIES: [&str; 24] = [
    "llama", "qwen", "mistral", "mixtral", "gemini", "gemma", "claude", "deepseek", "whisper", "mamba", "vicuna", "falcon",
    "pythia", "grok", "kimi", "bert", "roberta", "flux", "alpaca", "chatgpt", "imagenet", "mnist", "cifar", "wikitext",
];

/// How many names of a paper are remembered as alternatives.
const MOST_NAMES: usize = 200;

/// A run of Latin letters and digits, with what joins them.
#[derive(Debug, Clone)]
pub(super) struct Token<'a> {
    /// Its bytes.
    pub(super) at: Range<usize>,
    /// As it is written.
    pub(super) text: &'a str,
}

/// The Latin words of a text.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    let joint = |c: char| matches!(c, '-' | '_' | '.' | '+' | '\'' | '‑' | '’');
    let mut rest = 0;
    std::iter::from_fn(move || {
        loop {
            let here = text.get(rest..)?;
            let start = rest + here.find(|c: char| c.is_ascii_alphanumeric())?;
            let run = text.get(start..)?;
            let end = run
                .find(|c: char| !(c.is_ascii_alphanumeric() || joint(c)))
                .map_or(text.len(), |n| start + n);
            rest = end;
            let word = text.get(start..end)?.trim_end_matches(joint);
            if !word.is_empty() {
                let at = start..start + word.len();
                return Some(Token { at, text: word });
            }
        }
    })
}

fn key(text: &str) -> String {
    text.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// NLP, LLaMA, H100, dInfer: what is written like a name. Text-to-Image is a title's word.
fn is_strong(part: &str) -> bool {
    let letters = part.chars().filter(char::is_ascii_alphabetic).count();
    let digits = part.chars().any(|c| c.is_ascii_digit());
    let inner = part.chars().skip(1).any(|c| c.is_ascii_uppercase());
    letters > 0 && (inner || digits)
}

/// The parts that a token's joints, humps and digits make: FlashAttention-2 is flash, attention and 2.
fn parts(word: &str) -> Vec<&str> {
    let mut cuts = vec![0];
    let mut before: Option<char> = None;
    let mut chars = word.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if let Some(last) = before {
            let next_is_small = chars.peek().is_some_and(|(_, next)| next.is_ascii_lowercase());
            let hump =
                c.is_ascii_uppercase() && (last.is_ascii_lowercase() || (last.is_ascii_uppercase() && next_is_small));
            let kind = c.is_ascii_digit() != last.is_ascii_digit();
            if hump || kind || !c.is_ascii_alphanumeric() || !last.is_ascii_alphanumeric() {
                cuts.push(at);
            }
        }
        before = Some(c);
    }
    cuts.push(word.len());
    cuts.windows(2)
        .filter_map(|pair| word.get(*pair.first()?..*pair.last()?))
        .filter(|part| part.chars().any(|c| c.is_ascii_alphanumeric()))
        .collect()
}

/// The words of what is known of a paper.
pub(super) struct Vocabulary {
    squashed: String,
    words: HashSet<String>,
    sequence: Vec<String>,
    /// The names among them, as written.
    pub(super) names: Vec<String>,
}

impl Vocabulary {
    pub(super) fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut known = Self {
            squashed: String::new(),
            words: HashSet::new(),
            sequence: Vec::new(),
            names: Vec::new(),
        };
        for text in texts {
            for token in tokens(text) {
                known.squashed.push_str(&key(token.text));
                if is_strong(token.text)
                    && known.names.len() < MOST_NAMES
                    && !known.names.iter().any(|name| name == token.text)
                {
                    known.names.push(token.text.to_owned());
                }
                let joint = |c: char| !c.is_ascii_alphanumeric();
                for whole in token.text.split(joint).filter(|part| !part.is_empty()) {
                    known.words.insert(whole.to_ascii_lowercase());
                }
                known.words.insert(key(token.text));
                for part in parts(token.text) {
                    let part = part.to_ascii_lowercase();
                    known.words.insert(part.clone());
                    known.sequence.push(part);
                }
            }
            known.squashed.push(' ');
            known.sequence.push(String::new());
        }
        known
    }

    /// Whether a word or a name stands there, in any spelling, or shortened to its initials.
    pub(super) fn has(&self, token: &str) -> bool {
        let whole = key(token);
        if self.has_word(&whole) || COMMON.contains(&whole.as_str()) {
            return true;
        }
        let pieces: Vec<&str> = token
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|p| !p.is_empty())
            .collect();
        let single = pieces.len() == 1;
        self.has_version(&pieces)
            && pieces.iter().all(|piece| {
                let small = piece.to_ascii_lowercase();
                let plain = !is_strong(piece) && !piece.chars().all(|c| c.is_ascii_digit());
                (plain && !single)
                    || self.has_word(&small)
                    || COMMON.contains(&small.as_str())
                    || COMMON.contains(&small.trim_end_matches('s'))
                    || self.shortens(piece)
            })
    }

    /// Whether a name's numbers stand behind it: the 8B of "LLaMA-3-8B" may not be that of another model.
    fn has_version(&self, pieces: &[&str]) -> bool {
        /// "Llama 3.1 (8B and 70B)" has both sizes.
        const NEAR: usize = 10;
        let mut before = String::new();
        pieces.iter().all(|piece| {
            let small = piece.to_ascii_lowercase();
            let follows = |at: usize| {
                let rest = self.squashed.get(at + before.len()..).unwrap_or_default();
                rest.find(&small).is_some_and(|gap| gap + small.len() <= NEAR)
            };
            let numbered = before.len() >= 3 && piece.chars().any(|c| c.is_ascii_digit());
            let has = !numbered || self.squashed.match_indices(&before).any(|(at, _)| follows(at));
            before.push_str(&small);
            has || !self
                .squashed
                .contains(before.get(..before.len() - small.len()).unwrap_or_default())
        })
    }

    /// Whether the name itself stands there, not only words that everybody uses.
    pub(super) fn has_itself(&self, token: &str) -> bool {
        self.has_word(&key(token)) || self.shortens(token)
    }

    fn has_word(&self, word: &str) -> bool {
        let singular = word.strip_suffix('s').filter(|word| word.len() > 1).unwrap_or(word);
        let has = |word: &str| self.words.contains(word) || (word.len() >= 4 && self.squashed.contains(word));
        has(word) || has(singular) || self.words.contains(&format!("{word}s"))
    }

    /// Whether a word is made of the beginnings of words that follow each other: MoE of "mixture of experts".
    fn shortens(&self, piece: &str) -> bool {
        let capitals = piece.chars().filter(char::is_ascii_uppercase).count();
        if capitals < 2 || piece.len() > 10 {
            return false;
        }
        let small = piece.to_ascii_lowercase();
        let singular = match piece.ends_with('s') {
            true => small.trim_end_matches('s'),
            false => small.as_str(),
        };
        (0..self.sequence.len()).any(|at| self.spells(singular, at, 0))
    }

    fn spells(&self, rest: &str, at: usize, skipped: usize) -> bool {
        #[rustfmt::skip]
        const SMALL: [&str; 14] = [
            "of", "the", "for", "and", "to", "in", "with", "on", "a", "an", "via", "by", "from", "as",
        ];
        if rest.is_empty() {
            return true;
        }
        let Some(word) = self.sequence.get(at).filter(|word| !word.is_empty()) else {
            return false;
        };
        let longest = rest
            .bytes()
            .zip(word.bytes())
            .take_while(|(a, b)| a == b)
            .count()
            .min(5);
        (1..=longest)
            .rev()
            .any(|n| rest.get(n..).is_some_and(|rest| self.spells(rest, at + 1, 0)))
            || (skipped < 2 && SMALL.contains(&word.as_str()) && self.spells(rest, at + 1, skipped + 1))
    }

    /// Whether a word of which this is the stem stands there: "quantization" for "quantizes".
    pub(super) fn has_stem(&self, word: &str) -> bool {
        let stem = word.get(..word.len().min(5)).unwrap_or(word);
        self.words.contains(word) || self.squashed.contains(stem)
    }

    /// The name nearest to one that is not there.
    pub(super) fn nearest(&self, token: &str) -> Option<&str> {
        let wanted = key(token);
        self.names
            .iter()
            .map(|name| (strsim::sorensen_dice(&wanted, &key(name)), name))
            .filter(|&(alike, _)| alike > 0.4)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, name)| name.as_str())
    }
}

/// The names in a brief that its paper must know.
pub(super) fn names<'a>(text: &'a str, is_chinese: bool) -> impl Iterator<Item = Token<'a>> {
    tokens(text).filter(move |token| {
        let pieces = || token.text.split(|c: char| !c.is_ascii_alphanumeric());
        let family = || pieces().any(|piece| FAMILIES.contains(&piece.to_ascii_lowercase().as_str()));
        let first_is_letter = token.text.starts_with(|c: char| c.is_ascii_alphabetic());
        // Between Chinese characters every word with a capital is somebody's name.
        let foreign =
            || is_chinese && token.text.len() >= 4 && token.text.starts_with(|c: char| c.is_ascii_uppercase());
        first_is_letter && (pieces().any(is_strong) || family() || foreign())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vocabulary {
        Vocabulary::new([
            "MaskCache: a key-value cache for mixtures of experts",
            "We run Qwen2.5-3B and LLaMA-2-7B on ImageNet-1K with Flash Attention, low-rank adaptation and H800 GPUs.",
        ])
    }

    #[test]
    fn a_name_is_known_in_any_spelling_and_by_its_initials() {
        for name in [
            "Qwen2.5-3B",
            "Qwen 2.5",
            "Qwen2.5",
            "LLaMA-2",
            "Llama2",
            "ImageNet",
            "FlashAttention",
            "H800s",
            "MoE",
            "KV",
            "LoRA",
            "maskcache",
            "ImageNet-1K",
            "LLM",
            "MoEs",
            "Mask-Cache",
        ] {
            for token in tokens(name) {
                assert!(known().has(token.text), "{name}");
            }
        }
    }

    #[test]
    fn another_model_another_size_and_another_data_set_are_not_known() {
        for name in [
            "Qwen2.5-7B",
            "LLaMA-3",
            "GSM8K",
            "FlashAttention-3",
            "H100",
            "GPT-4o",
            "ImageNet-21K",
            "Mistral",
        ] {
            assert!(!known().has(name), "{name}");
        }
        assert_eq!(known().nearest("LLaMA-3-7B"), Some("LLaMA-2-7B"));
    }

    #[test]
    fn names_are_told_from_words() {
        let found = |text, chinese| {
            names(text, chinese)
                .map(|token| token.text.to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            found(
                "The authors use Text-to-Image models, dInfer and GPT-4 in 3 steps of U-Net.",
                false
            ),
            ["dInfer", "GPT-4"]
        );
        assert_eq!(found("使用Zebra框架与low-rank分解在GSM8K上", true), ["Zebra", "GSM8K"]);
    }
}
