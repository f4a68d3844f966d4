//! Markup in titles and abstracts made readable: HTML of feeds, JATS of publishers (`<jats:italic>`), MathML, entities.
//!
//! What a source calls text can be text, HTML, or text that was HTML once (“x &lt; y”), and nothing says which. So the rule
//! is [`crate::tex`]'s: only what is surely a tag is one, and `x<y` stays as it is written. Everything here is one pass over
//! the input with bounded depth, since markup comes from strangers.

use html5gum::{Token, Tokenizer};

use crate::{tex, text};

/// The most bytes of one text that are read; the rest is cut off. A title or an abstract is far shorter.
pub const MAX_BYTES: usize = 1 << 20;
/// The most bytes that come out.
const MAX_OUT: usize = 64 << 10;
/// MathML nested deeper is read as if it were flat. Below the depth that [`tex`] reads.
const MAX_MATH_DEPTH: usize = 16;
/// How far the end of a tag is looked for, in bytes.
const MAX_TAG: usize = 1024;

/// A title or abstract of any source as people read it: tags, entities, MathML and TeX resolved, paragraphs separated by
/// `\n`, no other white space than single spaces.
pub fn readable(raw: &str) -> String {
    let raw = cut(raw, MAX_BYTES);
    let plain = match raw.contains(['<', '&']) {
        true => render(&protected(raw)),
        false => paragraphs(raw),
    };
    let lines = plain.lines().map(|line| text::one_line(&tex::to_unicode(line)));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The same on one line: for titles and names.
pub fn readable_line(raw: &str) -> String {
    text::one_line(&readable(raw))
}

/// The text of HTML that is known to be HTML: every tag is one. TeX is left alone.
pub fn html_text(html: &str) -> String {
    render(cut(html, MAX_BYTES))
}

/// At most so many bytes of a text, whole characters.
pub fn cut(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Plain text: a blank line separates paragraphs, any other line end is a wrapped line's.
fn paragraphs(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for line in raw.lines() {
        let blank = line.trim().is_empty();
        if !out.is_empty() && !out.ends_with('\n') {
            out.push(if blank { '\n' } else { ' ' });
        }
        if !blank {
            out.push_str(line.trim());
        }
    }
    out
}

// ---- what is a tag ----

/// The names of HTML, MathML and JATS that stand for themselves without a prefix; sorted.
#[rustfmt::skip]
const KNOWN: [&str; 142] = [
    "a", "abbr", "abstract", "address", "annotation", "annotation-xml", "article", "aside", "audio", "b", "big",
    "blockquote", "body", "bold", "br", "button", "canvas", "caption", "center", "cite", "code", "col", "colgroup",
    "dd", "del", "details", "dfn", "disp-formula", "div", "dl", "dt", "em", "embed", "ext-link", "fig", "figcaption",
    "figure", "font", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hr", "html", "i",
    "iframe", "img", "inline-formula", "inline-graphic", "input", "ins", "italic", "kbd", "li", "link", "list",
    "list-item", "maction", "main", "mark", "math", "menclose", "merror", "meta", "mfenced", "mfrac", "mi",
    "mmultiscripts", "mn", "mo", "monospace", "mover", "mpadded", "mphantom", "mprescripts", "mroot", "mrow", "ms",
    "mspace", "msqrt", "mstyle", "msub", "msubsup", "msup", "mtable", "mtd", "mtext", "mtr", "munder", "munderover",
    "nav", "nobr", "noscript", "object", "ol", "p", "picture", "pre", "q", "s", "samp", "sc", "script", "sec",
    "section", "semantics", "small", "source", "span", "strike", "strong", "style", "sub", "summary", "sup", "svg",
    "table", "tbody", "td", "template", "tex-math", "textarea", "tfoot", "th", "thead", "time", "title", "tr", "tt",
    "u", "ul", "underline", "var", "video", "wbr", "xref",
];

/// Their prefixes in feeds of publishers.
const PREFIXES: [&str; 7] = ["jats", "mml", "m", "mathml", "xhtml", "html", "h"];

/// The text with every `<` that begins no tag and every `&` that begins no entity escaped, so that a tokenizer reads them as
/// text: HTML itself knows entities without their end, and would read `?a=1&section=2` as `?a=1§ion=2`.
fn protected(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len() + 16);
    let mut from = 0;
    for (at, found) in raw.match_indices(['<', '&']) {
        let rest = raw.get(at + 1..).unwrap_or_default();
        let (meant, escape) = match found {
            "<" => (rest.starts_with("![CDATA[") || is_tag(rest), "&lt;"),
            _ => (is_entity(rest), "&amp;"),
        };
        if meant {
            continue;
        }
        out.push_str(raw.get(from..at).unwrap_or_default());
        out.push_str(escape);
        from = at + 1;
    }
    out.push_str(raw.get(from..).unwrap_or_default());
    match out.contains("<![CDATA[") {
        true => out.replace("<![CDATA[", "").replace("]]>", ""),
        false => out,
    }
}

/// Whether what follows a `&` is an entity with its end.
fn is_entity(rest: &str) -> bool {
    let Some(end) = cut(rest, 33).find(';') else {
        return false;
    };
    let name = rest.get(..end).unwrap_or_default();
    let name = name.strip_prefix('#').unwrap_or(name);
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Whether what follows a `<` makes a tag of it.
fn is_tag(rest: &str) -> bool {
    let Some(end) = cut(rest, MAX_TAG).find('>') else {
        return false;
    };
    let inside = rest.get(..end).unwrap_or_default();
    if inside.starts_with("!--") || inside.starts_with('?') || inside.starts_with("!DOCTYPE") {
        return true;
    }
    let closing = inside.starts_with('/');
    let inside = inside.strip_prefix('/').unwrap_or(inside);
    let stop = inside.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, ':' | '-')));
    let (name, after) = inside.split_at(stop.unwrap_or(inside.len()));
    if !after.is_empty() && !after.starts_with(|c: char| c.is_whitespace() || c == '/') {
        return false;
    }
    let name = name.to_ascii_lowercase();
    if let Some((prefix, local)) = name.split_once(':') {
        return PREFIXES.contains(&prefix) && !local.is_empty();
    }
    // `<b and c>` compares; `<a href="…">` links.
    let attributes = after.trim_matches(|c: char| c.is_whitespace() || c == '/');
    let bare = closing || attributes.is_empty() || attributes.contains('=');
    KNOWN.binary_search(&name.as_str()).is_ok() && bare
}

fn local(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    match name.rsplit_once(':') {
        Some((_, local)) => local.to_owned(),
        None => name,
    }
}

/// Elements whose content nobody reads.
#[rustfmt::skip]
const UNREAD: [&str; 14] = [
    "annotation", "annotation-xml", "audio", "button", "canvas", "head", "iframe", "noscript", "object", "script", "style",
    "svg", "template", "video",
];

/// Elements that begin and end a line.
#[rustfmt::skip]
const BLOCKS: [&str; 42] = [
    "abstract", "address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dd", "details",
    "disp-formula", "div", "dl", "dt", "fig", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6",
    "header", "hr", "li", "list", "list-item", "main", "nav", "ol", "p", "pre", "sec", "section", "table", "title", "tr",
    "ul",
];

// ---- the pass ----

#[derive(Default)]
struct Page {
    out: String,
    /// White space that comes before the next word, if one comes.
    space: bool,
    lines: usize,
    /// The unread element that is open, and how often.
    unread: Option<(String, usize)>,
    /// Where the raised and lowered texts that are open begin.
    scripts: Vec<(bool, usize)>,
    math: Option<Math>,
}

fn render(html: &str) -> String {
    let mut page = Page::default();
    for token in Tokenizer::new(html) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => page.open(&local(&tag.name), tag.self_closing),
            Token::EndTag(tag) => page.close(&local(&tag.name)),
            Token::String(string) => page.text(&String::from_utf8_lossy(&string)),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
        if page.out.len() > MAX_OUT {
            break;
        }
    }
    page.end_math();
    let whole = cut(page.out.trim(), MAX_OUT);
    // Publishers give the heading as part of the abstract.
    let heading = whole.split_once('\n').filter(|(first, _)| {
        let first = first.trim().trim_end_matches([':', '：', '.']);
        ["abstract", "summary", "摘要"].contains(&first.to_lowercase().as_str())
    });
    heading.map_or(whole, |(_, rest)| rest.trim()).to_owned()
}

impl Page {
    fn open(&mut self, name: &str, closed: bool) {
        if let Some((unread, depth)) = &mut self.unread {
            *depth += usize::from(unread == name && !closed);
            return;
        }
        if UNREAD.contains(&name) {
            if !closed {
                self.unread = Some((name.to_owned(), 1));
            }
            return;
        }
        if let Some(math) = &mut self.math {
            math.open(name);
            if closed {
                math.close(name);
            }
            return;
        }
        match name {
            "math" if !closed => self.math = Some(Math::default()),
            "sup" | "sub" if !closed && self.scripts.len() < 4 => {
                self.flush();
                self.scripts.push((name == "sup", self.out.len()));
            }
            "td" | "th" => self.space = true,
            "img" | "wbr" => {}
            name if BLOCKS.contains(&name) => {
                self.line();
                if matches!(name, "li" | "list-item") {
                    self.out.push_str("• ");
                }
            }
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        if let Some((unread, depth)) = &mut self.unread {
            *depth -= usize::from(unread == name);
            if *depth == 0 {
                self.unread = None;
            }
            return;
        }
        if name == "math" {
            return self.end_math();
        }
        if let Some(math) = &mut self.math {
            return math.close(name);
        }
        match name {
            "sup" | "sub" => {
                if let Some((raised, start)) = self.scripts.pop().filter(|(_, start)| *start <= self.out.len()) {
                    let inner = self.out.split_off(start);
                    let mark = if raised { '^' } else { '_' };
                    let script = tex::math_to_unicode(&format!("{mark}{{{}}}", escaped(inner.trim())));
                    self.out.push_str(&script);
                }
            }
            name if BLOCKS.contains(&name) => self.line(),
            _ => {}
        }
    }

    fn text(&mut self, raw: &str) {
        if self.unread.is_some() {
            return;
        }
        if let Some(math) = &mut self.math {
            return math.text(raw);
        }
        for c in raw.chars() {
            if c.is_whitespace() {
                self.space = true;
                self.lines += usize::from(c == '\n');
            } else if !c.is_control() {
                self.flush();
                self.out.push(c);
            }
        }
    }

    /// Writes the white space that was read: a blank line is a paragraph's end, the rest a space.
    fn flush(&mut self) {
        if self.lines > 1 {
            self.line();
        } else if self.space && !self.out.is_empty() && !self.out.ends_with(char::is_whitespace) {
            self.out.push(' ');
        }
        (self.space, self.lines) = (false, 0);
    }

    fn line(&mut self) {
        (self.space, self.lines) = (false, 0);
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
    }

    fn end_math(&mut self) {
        if let Some(math) = self.math.take() {
            self.flush();
            self.out
                .push_str(text::one_line(&tex::math_to_unicode(&math.into_tex())).as_str());
        }
    }
}

// ---- MathML ----

/// A formula on its way from MathML (Core, 2024) to TeX, which knows the way to Unicode.
#[derive(Default)]
struct Math {
    open: Vec<Element>,
    /// Opened below the depth that is read; their ends are theirs.
    deeper: usize,
    root: Element,
}

#[derive(Default)]
struct Element {
    name: String,
    text: String,
    kids: Vec<Kid>,
}

#[derive(Default)]
struct Kid {
    tex: String,
    operator: bool,
}

impl Math {
    fn top(&mut self) -> &mut Element {
        self.open.last_mut().unwrap_or(&mut self.root)
    }

    fn open(&mut self, name: &str) {
        if self.open.len() >= MAX_MATH_DEPTH {
            self.deeper += 1;
            return;
        }
        self.open.push(Element {
            name: name.to_owned(),
            ..Element::default()
        });
    }

    fn text(&mut self, raw: &str) {
        let top = self.top();
        // Between elements there is only indentation.
        if matches!(top.name.as_str(), "mi" | "mn" | "mo" | "ms" | "mtext") {
            top.text.push_str(raw);
        } else if !raw.trim().is_empty() {
            top.kids.push(Kid {
                tex: escaped(raw.trim()),
                operator: false,
            });
        }
    }

    fn close(&mut self, name: &str) {
        if self.deeper > 0 {
            self.deeper -= 1;
            return;
        }
        if !self.open.iter().any(|element| element.name == name) {
            return;
        }
        while let Some(element) = self.open.pop() {
            let done = element.name == name;
            let kid = element.finish();
            self.top().kids.push(kid);
            if done {
                return;
            }
        }
    }

    fn into_tex(mut self) -> String {
        while let Some(element) = self.open.pop() {
            let kid = element.finish();
            self.top().kids.push(kid);
        }
        row(&self.root.kids)
    }
}

impl Element {
    fn finish(self) -> Kid {
        let operator = self.name == "mo";
        Kid {
            tex: self.tex(),
            operator,
        }
    }

    fn tex(&self) -> String {
        let kid = |n: usize| self.kids.get(n).map_or("", |kid| kid.tex.trim());
        // Scripts are written without spaces.
        let script = |n: usize| kid(n).replace(' ', "");
        let base = || match kid(0) {
            one if one.chars().count() == 1 => one.to_owned(),
            more => format!("{{{more}}}"),
        };
        match self.name.as_str() {
            "mi" | "mn" | "mo" => {
                let said = text::one_line(&self.text);
                escaped(said.replace('\u{2212}', "-").trim_matches(invisible))
            }
            "mtext" => escaped(&self.text.replace('\u{a0}', " ")),
            "ms" => format!("“{}”", escaped(self.text.trim())),
            "msup" => format!("{}^{{{}}}", base(), script(1)),
            "msub" | "munder" => format!("{}_{{{}}}", base(), script(1)),
            "msubsup" | "munderover" => format!("{}_{{{}}}^{{{}}}", base(), script(1), script(2)),
            "mover" => match accent(&script(1)) {
                Some(accent) => format!("\\{accent}{{{}}}", kid(0)),
                None => format!("{}^{{{}}}", base(), script(1)),
            },
            "mfrac" => format!("\\frac{{{}}}{{{}}}", kid(0), kid(1)),
            "msqrt" => format!("\\sqrt{{{}}}", row(&self.kids)),
            "mroot" => format!("\\sqrt[{}]{{{}}}", script(1), kid(0)),
            "mfenced" => {
                let inner: Vec<&str> = self.kids.iter().map(|kid| kid.tex.as_str()).collect();
                format!("({})", inner.join(", "))
            }
            "mtable" => {
                let rows: Vec<&str> = self.kids.iter().map(|kid| kid.tex.as_str()).collect();
                rows.join("; ")
            }
            "mtr" => {
                let cells: Vec<&str> = self.kids.iter().map(|kid| kid.tex.as_str()).collect();
                cells.join(", ")
            }
            "mspace" => " ".to_owned(),
            "mphantom" => String::new(),
            _ => row(&self.kids),
        }
    }
}

/// Function application, invisible times, separator and plus (U+2061 to U+2064): they are heard, not seen.
fn invisible(c: char) -> bool {
    matches!(c, '\u{2061}'..='\u{2064}' | '\u{200b}')
}

/// What stands side by side, with spaces around operators that join two sides.
fn row(kids: &[Kid]) -> String {
    let mut out = String::new();
    let mut after_operand = false;
    for kid in kids {
        let joins = kid.operator && after_operand && is_infix(&kid.tex);
        if joins && !out.ends_with(' ') {
            out.push(' ');
        }
        out.push_str(&kid.tex);
        if joins || kid.operator && matches!(kid.tex.as_str(), "," | ";") {
            out.push(' ');
        }
        if !kid.tex.is_empty() {
            after_operand = !kid.operator || matches!(kid.tex.as_str(), ")" | "]" | "|" | "\\}" | "!" | "′");
        }
    }
    out
}

fn is_infix(operator: &str) -> bool {
    const INFIX: &str = "=<>≤≥≠≈∼≃≅≡∝≪≫≲≳→←↔⇒⇐⇔↦∈∉∋⊂⊃⊆⊇∩∪∧∨×÷±∓+-⊕⊗⋅·∘:≔≜";
    let mut chars = operator.chars();
    chars.next().is_some_and(|c| INFIX.contains(c)) && chars.next().is_none()
}

fn accent(over: &str) -> Option<&'static str> {
    Some(match over {
        "\\textasciicircum{}" | "ˆ" | "\u{302}" => "hat",
        "\\textasciitilde{}" | "˜" | "∼" => "tilde",
        "¯" | "‾" | "―" | "_" | "\\_" => "bar",
        "→" | "⃗" => "vec",
        "˙" => "dot",
        "¨" => "ddot",
        "ˇ" => "check",
        _ => return None,
    })
}

/// Text that TeX reads as itself.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\textbackslash{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '{' | '}' | '$' | '_' | '%' | '#' | '&' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_surely_is_markup_goes_and_what_is_not_stays() {
        for (raw, plain) in [
            (
                "A <i>new</i> cache<sup>2</sup> &amp; H<sub>2</sub>O",
                "A new cache² & H₂O",
            ),
            (
                "<jats:title>Abstract</jats:title><jats:p>We <jats:italic>win</jats:italic>.</jats:p>\n<jats:p>Twice.</jats:p>",
                "We win.\nTwice.",
            ),
            ("for x<y and z>w, a<b and c>d", "for x<y and z>w, a<b and c>d"),
            ("AT&T, R&amp;D, caf&eacute;, &#8212;", "AT&T, R&D, café, —"),
            ("One\nline.\n\nAnother\n  one.", "One line.\nAnother one."),
            (
                "<p>One</p><script>alert('<p>x</p>')</script><style>p{}</style><ul><li>a</li><li>b</li></ul>",
                "One\n• a\n• b",
            ),
            ("<![CDATA[<b>Bold</b>]]> word", "Bold word"),
            ("$p &lt; 10^{-3}$ by Est\\'evez<br/>next", "p < 10⁻³ by Estévez\nnext"),
            ("&lt;b&gt; is a tag", "<b> is a tag"),
            (
                "https://a.b/?id=1&section=3&copy=2 & so",
                "https://a.b/?id=1&section=3&copy=2 & so",
            ),
            ("<unknown> stays, <p unclosed", "<unknown> stays, <p unclosed"),
            ("a <a href=\"https://x.y/?a=1&amp;b\">link</a>", "a link"),
            ("<noscript><p>never</p></noscript>seen", "seen"),
        ] {
            assert_eq!(readable(raw), plain, "{raw}");
        }
        assert_eq!(readable_line("A<br>B\n\nC"), "A B C");
        assert_eq!(html_text("<my-widget>x</my-widget> <y>z</y>"), "x z");
    }

    #[test]
    fn a_formula_in_mathml_is_read_as_in_tex() {
        for (mathml, plain) in [
            (
                "<mml:msup><mml:mn>10</mml:mn><mml:mrow><mml:mo>−</mml:mo><mml:mn>3</mml:mn></mml:mrow></mml:msup>",
                "10⁻³",
            ),
            (
                "<msub><mi>x</mi><mi>i</mi></msub><mo>=</mo><mfrac><mi>a</mi><mi>b</mi></mfrac>",
                "xᵢ = a/b",
            ),
            ("<msqrt><mi>n</mi></msqrt><mo>&lt;</mo><mn>3</mn>", "√n < 3"),
            (
                "<semantics><mrow><mi>α</mi><mo>&#x2062;</mo><mi>β</mi></mrow><annotation encoding=\"application/x-tex\">\\alpha\\beta</annotation></semantics>",
                "αβ",
            ),
            (
                "<msubsup><mi>σ</mi><mi>k</mi><mn>2</mn></msubsup><mtext> per token</mtext>",
                "σₖ² per token",
            ),
            ("<mrow><mo>-</mo><mi>x</mi><mo>+</mo><mi>y</mi></mrow>", "-x + y"),
            (
                "<mi>f</mi><mo>(</mo><mi>x</mi><mo>,</mo><mi>y</mi><mo>)</mo>",
                "f(x, y)",
            ),
            ("<mover><mi>x</mi><mo>^</mo></mover>", "x̂"),
            ("<mi>{a}_b$</mi>", "{a}_b$"),
        ] {
            assert_eq!(
                readable(&format!("is <math xmlns=\"m\">\n {mathml}\n</math> here")),
                format!("is {plain} here"),
                "{mathml}"
            );
        }
        // An unclosed formula is read as far as it goes.
        assert_eq!(readable("<p>so <math><msup><mi>x</mi><mn>2</mn>"), "so x²");
    }

    #[test]
    fn bombs_take_the_time_of_their_length() {
        let deep = format!("<p>in{}out", "<div>".repeat(60_000));
        assert_eq!(readable(&deep), "in\nout");
        let math = format!(
            "<math>{}<mi>x</mi>{}</math>",
            "<msup>".repeat(30_000),
            "</msup>".repeat(30_000)
        );
        assert!(readable(&math).len() < 200);
        let scripts = format!("{}x{}", "<sup>".repeat(30_000), "</sup>".repeat(30_000));
        assert!(readable(&scripts).ends_with('x') || readable(&scripts).contains('ˣ'));
        assert_eq!(readable(&"<".repeat(300_000)).len(), MAX_OUT);
        assert!(readable(&"<p ".repeat(300_000)).len() <= MAX_OUT);
        assert!(readable(&"字".repeat(500_000)).len() <= MAX_BYTES);
    }

    #[test]
    fn the_table_of_names_is_sorted() {
        assert!(KNOWN.is_sorted());
    }

    proptest! {
        #[test]
        fn reading_is_bounded_and_leaves_no_wild_white_space(raw in r"(<[/a-z:]{0,6}>?|&[a-z#0-9]{0,5};?|math|[a-z $\\^_{}]|\n|\PC){0,40}") {
            let out = readable(&raw);
            prop_assert!(out.len() <= 8 * raw.len() + 8, "{:?}", out);
            prop_assert!(out.lines().all(|line| !line.is_empty() && line == text::one_line(line)));
        }
    }
}
