//! Invented papers, as many as wanted and always the same ones: nobody's work, and of the length of real ones.

use std::fmt::Write as _;

const METHODS: [&str; 8] = [
    "Lantern",
    "Quillworth",
    "Marrowfen",
    "Tidegate",
    "Osprey Ledger",
    "Copperline",
    "Halfmoon",
    "Brambleway",
];
const THINGS: [&str; 9] = [
    "long contexts",
    "sparse experts",
    "draft models",
    "quantised caches",
    "small devices",
    "tree search",
    "retrieval",
    "tool calls",
    "mixed batches",
];
const CLAIMS: [&str; 7] = [
    "We show that most of the cost comes from a single step that nobody had measured on its own before.",
    "The idea is to keep what was computed once, and to spend the time that is saved where the model is least certain.",
    "It needs no training, fits behind an existing interface, and can be switched off for each request.",
    "A simple bound explains when it helps, and predicts the cases in which it does not help at all.",
    "On twelve invented benchmarks the throughput rises by half, while the accuracy stays within 0.3 points.",
    "An ablation shows that the order of the two steps matters more than the size of either of them.",
    "We also report where it fails: very short prompts, and texts whose second half contradicts their first.",
];
const INSTITUTIONS: [&str; 4] = [
    "Harrow Institute",
    "Lakeside University",
    "Institute of Slow Machines",
    "Fen College",
];

/// A mailing of as many papers as the longest lane asks for. The phrase of a lane stands in the abstracts of its first
/// papers, so that a channel that follows it as a keyword gets exactly these.
pub(super) fn mailing(lanes: &[(&str, usize)]) -> String {
    let rule = "-".repeat(78);
    let mut out = format!(
        "{rule}\n{rule}\n Submissions to:\nArtificial Intelligence\n received from  Mon  2 Feb 26 19:00:00 GMT  to  Tue  3 Feb 26 19:00:00 GMT\n{rule}\n{rule}\n"
    );
    let papers = lanes.iter().map(|(_, papers)| *papers).max().unwrap_or(0);
    for paper in 0..papers {
        let phrases = lanes
            .iter()
            .filter(|(_, first)| paper < *first)
            .map(|(phrase, _)| *phrase);
        write_paper(&mut out, paper, &phrases.collect::<Vec<_>>());
        out.push_str(&rule);
        out.push('\n');
    }
    out
}

fn write_paper(out: &mut String, n: usize, phrases: &[&str]) {
    let pick = |list: &'static [&'static str], step: usize| {
        list.get((n * step + n / list.len()) % list.len())
            .copied()
            .unwrap_or_default()
    };
    let (method, thing, other) = (pick(&METHODS, 3), pick(&THINGS, 2), pick(&THINGS, 5));
    let mut text = format!("{method} is a method for {thing} that also serves {other}, in its variant number {n}.");
    // Five to seven sentences, as in real abstracts.
    for sentence in CLAIMS.iter().cycle().skip(n % CLAIMS.len()).take(5 + n % 3) {
        text.push(' ');
        text.push_str(sentence);
    }
    if !phrases.is_empty() {
        let _ = write!(text, " It was made for the {}.", phrases.join(" and the "));
    }
    let id = format!("2602.{:05}", 70_000 + n);
    let _ = write!(
        out,
        "\\\\\narXiv:{id}\nDate: Tue, 3 Feb 2026 04:27:57 GMT   (614kb)\n\nTitle: {method} {n}: A Better Way to Handle {thing} \
         When There Is Hardly Time for {other}\nAuthors: Ada Invented ({inst}), Bo Imagined, Cy Fictitious\nCategories: cs.LG cs.AI\n\\\\\n",
        inst = pick(&INSTITUTIONS, 1),
    );
    wrap(out, &text);
    let _ = writeln!(out, "\\\\ ( https://arxiv.org/abs/{id} ,  614kb)");
}

/// Writes an abstract in lines as arXiv's mailings have them.
pub(super) fn wrap(out: &mut String, text: &str) {
    let mut line = String::from(" ");
    for word in text.split(' ') {
        if line.len() + 1 + word.len() > 79 {
            let _ = writeln!(out, "{line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mailing_is_read_whole_and_each_lane_has_its_papers() {
        let parsed =
            paperwire_core::source::parse(mailing(&[("upper lane", 3), ("lower lane", 60)]).as_bytes()).unwrap();
        assert_eq!((parsed.items.len(), parsed.rejected.len()), (60, 0));
        let with = |phrase: &str| {
            let papers = parsed
                .items
                .iter()
                .filter(|item| item.paper.abstract_text().contains(phrase));
            papers.count()
        };
        assert_eq!((with("upper lane"), with("lower lane")), (3, 60));
    }
}
