//! TeX in titles, names and abstracts made readable: accents, simple math, commands.
//!
//! arXiv's metadata are what authors typed: neither TeX that compiles nor plain text. So this is no TeX engine but one
//! pass with tables, and its rule is that what is not surely TeX stays as it is written: prices, identifiers, addresses,
//! unknown macros.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{compose, is_combining_mark};

/// Groups nested deeper than this stay as they are written, which bounds both the stack and the work.
const MAX_DEPTH: u8 = 24;
/// The longest formula between dollars, in characters: beyond it, two dollars are two prices.
const MAX_MATH: usize = 800;
/// How far the closing quote of a `` `single quotation' `` is looked for, in characters.
const MAX_QUOTE: usize = 200;
/// The longest word, in characters, whose capitals braces keep.
const LONGEST_WORD: usize = 40;

/// `Est\'evez` → `Estévez`, `$10^{-3}$` → `10⁻³`; what cannot be told stays as it is written.
///
/// White space is left alone in text (a tie `~` becomes a space), so a caller that wants one line collapses it
/// afterwards. The work is linear in the length; the result is at most four times as long, in bytes.
pub fn to_unicode(tex: &str) -> String {
    let special = |c: char| matches!(c, '\\' | '$' | '~' | '^' | '_' | '{' | '`');
    if !tex.contains(special) && !tex.contains("--") && !tex.contains("''") {
        return tex.to_owned();
    }
    let chars: Vec<char> = tex.chars().collect();
    let mut pass = Pass {
        closing: closing_braces(&chars),
        chars,
        unquote: None,
        out: String::with_capacity(tex.len()),
    };
    pass.run(0, pass.chars.len(), Mode::Text, 0);
    pass.out
}

/// The same for what is surely a formula, without the dollars around it.
pub(crate) fn math_to_unicode(tex: &str) -> String {
    let chars: Vec<char> = tex.chars().collect();
    let mut pass = Pass {
        closing: closing_braces(&chars),
        chars,
        unquote: None,
        out: String::with_capacity(tex.len()),
    };
    pass.run(0, pass.chars.len(), Mode::Math, 0);
    pass.out
}

/// For each opening brace the index of its closing one; `usize::MAX` for everything else.
fn closing_braces(chars: &[char]) -> Vec<usize> {
    let mut closing = vec![usize::MAX; chars.len()];
    let mut open = Vec::new();
    let mut escaped = false;
    for (at, &c) in chars.iter().enumerate() {
        match c {
            '{' if !escaped => open.push(at),
            '}' if !escaped => {
                if let Some(slot) = open.pop().and_then(|start: usize| closing.get_mut(start)) {
                    *slot = at;
                }
            }
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    closing
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Text,
    Math,
}

/// What a control word stands for.
#[derive(Debug, Clone, Copy)]
enum Command {
    /// A letter of a natural language; TeX swallows the spaces after it (`\ss e`).
    Letter(&'static str),
    /// An ordinary symbol.
    Symbol(&'static str),
    /// A binary operator or relation: as much space after it as before.
    Operator(&'static str),
    /// A function's name in upright letters.
    Function(&'static str),
    /// An abbreviation that brings its own full stop (`\eg`, from the macros of the vision conferences).
    Abbreviation(&'static str),
    /// The argument without its dress.
    Unwrap,
    /// The second argument; the first is a colour or a length.
    UnwrapSecond,
    /// A switch of font or size, valid to the end of the group.
    Switch,
    /// Makes a delimiter bigger.
    Delimiter,
    /// White space.
    Space,
    /// An accent over (or under) a letter in text; whether the letter may stand without braces.
    TextAccent(char, bool),
    /// An accent over a symbol in math.
    MathAccent(char),
    /// Letters with doubled strokes.
    Blackboard,
    /// A fraction on one line.
    Fraction,
    /// A root.
    Root,
    /// An address, verbatim.
    Url,
    /// A text with an address.
    Link,
    /// A key into a bibliography that the reader does not have.
    Citation,
    /// A note, which becomes a parenthesis.
    Note,
    /// A character by its number (`\unicode{x1D4AA}`).
    Unicode,
    /// Strikes out the relation that follows.
    Not,
}

fn command(name: &str) -> Option<Command> {
    use Command::{
        Abbreviation, Blackboard, Citation, Delimiter, Fraction, Function, Letter, Link, MathAccent, Not, Note,
        Operator, Root, Space, Switch, Symbol, TextAccent, Unicode, Unwrap, UnwrapSecond, Url,
    };
    Some(match name {
        "ss" => Letter("ß"),
        "SS" => Letter("ẞ"),
        "o" => Letter("ø"),
        "O" => Letter("Ø"),
        "l" => Letter("ł"),
        "L" => Letter("Ł"),
        "aa" => Letter("å"),
        "AA" => Letter("Å"),
        "ae" => Letter("æ"),
        "AE" => Letter("Æ"),
        "oe" => Letter("œ"),
        "OE" => Letter("Œ"),
        "i" | "imath" => Letter("ı"),
        "j" | "jmath" => Letter("ȷ"),
        "dh" => Letter("ð"),
        "DH" => Letter("Ð"),
        "th" => Letter("þ"),
        "TH" => Letter("Þ"),
        "dj" => Letter("đ"),
        "DJ" => Letter("Đ"),
        "ng" => Letter("ŋ"),
        "NG" => Letter("Ŋ"),

        "c" => TextAccent('\u{327}', true),
        "v" => TextAccent('\u{30c}', true),
        "u" => TextAccent('\u{306}', true),
        "H" => TextAccent('\u{30b}', true),
        "k" => TextAccent('\u{328}', true),
        "r" => TextAccent('\u{30a}', false),
        "d" => TextAccent('\u{323}', false),
        "b" => TextAccent('\u{331}', false),
        "t" => TextAccent('\u{361}', false),

        "hat" | "widehat" => MathAccent('\u{302}'),
        "tilde" | "widetilde" => MathAccent('\u{303}'),
        "bar" => MathAccent('\u{304}'),
        "overline" => MathAccent('\u{305}'),
        "vec" => MathAccent('\u{20d7}'),
        "dot" => MathAccent('\u{307}'),
        "ddot" => MathAccent('\u{308}'),
        "check" => MathAccent('\u{30c}'),
        "breve" => MathAccent('\u{306}'),
        "acute" => MathAccent('\u{301}'),
        "grave" => MathAccent('\u{300}'),
        "mathring" => MathAccent('\u{30a}'),

        "alpha" => Symbol("α"),
        "beta" => Symbol("β"),
        "gamma" => Symbol("γ"),
        "delta" => Symbol("δ"),
        "epsilon" | "varepsilon" => Symbol("ε"),
        "zeta" => Symbol("ζ"),
        "eta" => Symbol("η"),
        "theta" => Symbol("θ"),
        "vartheta" => Symbol("ϑ"),
        "iota" => Symbol("ι"),
        "kappa" => Symbol("κ"),
        "lambda" => Symbol("λ"),
        "mu" => Symbol("μ"),
        "nu" => Symbol("ν"),
        "xi" => Symbol("ξ"),
        "pi" => Symbol("π"),
        "varpi" => Symbol("ϖ"),
        "rho" | "varrho" => Symbol("ρ"),
        "sigma" => Symbol("σ"),
        "varsigma" => Symbol("ς"),
        "tau" => Symbol("τ"),
        "upsilon" => Symbol("υ"),
        "phi" | "varphi" => Symbol("φ"),
        "chi" => Symbol("χ"),
        "psi" => Symbol("ψ"),
        "omega" => Symbol("ω"),
        "Gamma" => Symbol("Γ"),
        "Delta" => Symbol("Δ"),
        "Theta" => Symbol("Θ"),
        "Lambda" => Symbol("Λ"),
        "Xi" => Symbol("Ξ"),
        "Pi" => Symbol("Π"),
        "Sigma" => Symbol("Σ"),
        "Upsilon" => Symbol("Υ"),
        "Phi" => Symbol("Φ"),
        "Psi" => Symbol("Ψ"),
        "Omega" => Symbol("Ω"),
        "ell" => Symbol("ℓ"),
        "hbar" => Symbol("ℏ"),
        "Re" => Symbol("ℜ"),
        "Im" => Symbol("ℑ"),
        "aleph" => Symbol("ℵ"),
        "wp" => Symbol("℘"),
        "infty" => Symbol("∞"),
        "partial" => Symbol("∂"),
        "nabla" => Symbol("∇"),
        "forall" => Symbol("∀"),
        "exists" => Symbol("∃"),
        "nexists" => Symbol("∄"),
        "emptyset" | "varnothing" => Symbol("∅"),
        "neg" | "lnot" => Symbol("¬"),
        "top" => Symbol("⊤"),
        "bot" => Symbol("⊥"),
        "angle" => Symbol("∠"),
        "triangle" => Symbol("△"),
        "square" | "Box" => Symbol("□"),
        "checkmark" => Symbol("✓"),
        "prime" => Symbol("′"),
        "sum" => Symbol("∑"),
        "prod" => Symbol("∏"),
        "int" => Symbol("∫"),
        "oint" => Symbol("∮"),
        "bigcup" => Symbol("⋃"),
        "bigcap" => Symbol("⋂"),
        "bigoplus" => Symbol("⨁"),
        "bigotimes" => Symbol("⨂"),
        "langle" => Symbol("⟨"),
        "rangle" => Symbol("⟩"),
        "lfloor" => Symbol("⌊"),
        "rfloor" => Symbol("⌋"),
        "lceil" => Symbol("⌈"),
        "rceil" => Symbol("⌉"),
        "lbrace" => Symbol("{"),
        "rbrace" => Symbol("}"),
        "vert" | "lvert" | "rvert" => Symbol("|"),
        "Vert" | "lVert" | "rVert" => Symbol("‖"),
        "ldots" | "dots" | "dotsc" | "textellipsis" => Symbol("…"),
        "cdots" | "dotsb" => Symbol("⋯"),
        "copyright" | "textcopyright" => Symbol("©"),
        "textregistered" | "circledR" => Symbol("®"),
        "texttrademark" => Symbol("™"),
        "textdegree" | "degree" => Symbol("°"),
        "textmu" => Symbol("µ"),
        "textcent" => Symbol("¢"),
        "pounds" | "textsterling" => Symbol("£"),
        "euro" | "texteuro" | "EUR" => Symbol("€"),
        "yen" => Symbol("¥"),
        "S" => Symbol("§"),
        "P" => Symbol("¶"),
        "dag" | "dagger" | "textdagger" => Symbol("†"),
        "ddag" | "ddagger" => Symbol("‡"),
        "textbackslash" => Symbol("\\"),
        "textasciitilde" => Symbol("~"),
        "textasciicircum" => Symbol("^"),
        "textunderscore" => Symbol("_"),
        "textendash" => Symbol("–"),
        "textemdash" => Symbol("—"),
        "textquoteleft" | "lq" => Symbol("‘"),
        "textquoteright" | "rq" => Symbol("’"),
        "textquotedblleft" => Symbol("“"),
        "textquotedblright" => Symbol("”"),
        "TeX" => Symbol("TeX"),
        "LaTeX" => Symbol("LaTeX"),

        "times" | "texttimes" => Operator("×"),
        "div" => Operator("÷"),
        "pm" | "textpm" => Operator("±"),
        "mp" => Operator("∓"),
        "cdot" => Operator("·"),
        "ast" => Operator("∗"),
        "star" => Operator("⋆"),
        "circ" => Operator("∘"),
        "bullet" | "textbullet" => Operator("•"),
        "oplus" => Operator("⊕"),
        "ominus" => Operator("⊖"),
        "otimes" => Operator("⊗"),
        "odot" => Operator("⊙"),
        "wedge" | "land" => Operator("∧"),
        "vee" | "lor" => Operator("∨"),
        "cap" => Operator("∩"),
        "cup" => Operator("∪"),
        "setminus" => Operator("∖"),
        "ltimes" => Operator("⋉"),
        "rtimes" => Operator("⋊"),
        "le" | "leq" | "leqslant" => Operator("≤"),
        "ge" | "geq" | "geqslant" => Operator("≥"),
        "ll" => Operator("≪"),
        "gg" => Operator("≫"),
        "lt" | "textless" => Operator("<"),
        "gt" | "textgreater" => Operator(">"),
        "ne" | "neq" => Operator("≠"),
        "equiv" => Operator("≡"),
        "approx" => Operator("≈"),
        "sim" | "textasciitildelow" => Operator("∼"),
        "simeq" => Operator("≃"),
        "cong" => Operator("≅"),
        "propto" => Operator("∝"),
        "lesssim" => Operator("≲"),
        "gtrsim" => Operator("≳"),
        "prec" => Operator("≺"),
        "succ" => Operator("≻"),
        "preceq" => Operator("⪯"),
        "succeq" => Operator("⪰"),
        "triangleq" => Operator("≜"),
        "coloneqq" => Operator("≔"),
        "in" => Operator("∈"),
        "notin" => Operator("∉"),
        "ni" => Operator("∋"),
        "subset" => Operator("⊂"),
        "supset" => Operator("⊃"),
        "subseteq" => Operator("⊆"),
        "supseteq" => Operator("⊇"),
        "subsetneq" => Operator("⊊"),
        "mid" => Operator("|"),
        "nmid" => Operator("∤"),
        "parallel" => Operator("∥"),
        "perp" => Operator("⊥"),
        "vdash" => Operator("⊢"),
        "models" | "vDash" => Operator("⊨"),
        "to" | "rightarrow" | "longrightarrow" | "textrightarrow" => Operator("→"),
        "gets" | "leftarrow" | "longleftarrow" | "textleftarrow" => Operator("←"),
        "leftrightarrow" | "longleftrightarrow" => Operator("↔"),
        "Rightarrow" | "Longrightarrow" | "implies" => Operator("⇒"),
        "Leftarrow" => Operator("⇐"),
        "Leftrightarrow" | "iff" => Operator("⇔"),
        "mapsto" => Operator("↦"),
        "hookrightarrow" => Operator("↪"),
        "rightsquigarrow" | "leadsto" => Operator("⇝"),
        "rightleftharpoons" => Operator("⇌"),
        "uparrow" => Operator("↑"),
        "downarrow" => Operator("↓"),
        "nearrow" => Operator("↗"),
        "searrow" => Operator("↘"),
        "blacktriangleright" => Operator("▸"),

        "log" => Function("log"),
        "ln" => Function("ln"),
        "lg" => Function("lg"),
        "exp" => Function("exp"),
        "sin" => Function("sin"),
        "cos" => Function("cos"),
        "tan" => Function("tan"),
        "sinh" => Function("sinh"),
        "cosh" => Function("cosh"),
        "tanh" => Function("tanh"),
        "arctan" => Function("arctan"),
        "max" => Function("max"),
        "min" => Function("min"),
        "sup" => Function("sup"),
        "inf" => Function("inf"),
        "lim" => Function("lim"),
        "limsup" => Function("lim sup"),
        "liminf" => Function("lim inf"),
        "arg" => Function("arg"),
        "argmax" => Function("argmax"),
        "argmin" => Function("argmin"),
        "det" => Function("det"),
        "dim" => Function("dim"),
        "ker" => Function("ker"),
        "deg" => Function("deg"),
        "gcd" => Function("gcd"),
        "Pr" => Function("Pr"),
        "bmod" | "mod" => Function("mod"),

        "eg" => Abbreviation("e.g."),
        "ie" => Abbreviation("i.e."),
        "etc" => Abbreviation("etc."),
        "etal" => Abbreviation("et al."),

        "text" | "textbf" | "textit" | "textsl" | "textsc" | "texttt" | "textsf" | "textrm" | "textup" | "textmd"
        | "textnormal" | "emph" | "underline" | "uline" | "mbox" | "hbox" | "fbox" | "mathrm" | "mathsf" | "mathit"
        | "mathbf" | "mathtt" | "mathnormal" | "mathcal" | "mathscr" | "mathfrak" | "boldsymbol" | "bm" | "pmb"
        | "operatorname" | "ensuremath" | "mathop" | "mathbin" | "mathrel" => Unwrap,
        "textcolor" | "colorbox" => UnwrapSecond,
        "em" | "it" | "bf" | "rm" | "sc" | "sf" | "sl" | "tt" | "cal" | "bfseries" | "itshape" | "scshape"
        | "slshape" | "sffamily" | "ttfamily" | "rmfamily" | "upshape" | "normalfont" | "small" | "footnotesize"
        | "large" | "Large" | "displaystyle" | "textstyle" | "limits" | "nolimits" | "protect" | "xspace" => Switch,
        "left" | "right" | "middle" | "big" | "Big" | "bigg" | "Bigg" | "bigl" | "bigr" | "Bigl" | "Bigr" | "biggl"
        | "biggr" => Delimiter,
        "quad" | "qquad" | "space" | "newline" | "linebreak" | "thinspace" => Space,

        "mathbb" | "mathds" | "Bbb" => Blackboard,
        "frac" | "dfrac" | "tfrac" | "nicefrac" | "sfrac" => Fraction,
        "sqrt" => Root,
        "url" | "nolinkurl" | "path" => Url,
        "href" => Link,
        "cite" | "citep" | "citet" | "citealp" => Citation,
        "footnote" => Note,
        "unicode" => Unicode,
        "not" => Not,
        _ => return None,
    })
}

/// `\'e`: the accent's combining character.
fn symbol_accent(c: char) -> Option<char> {
    Some(match c {
        '\'' => '\u{301}',
        '`' => '\u{300}',
        '^' => '\u{302}',
        '"' => '\u{308}',
        '~' => '\u{303}',
        '=' => '\u{304}',
        '.' => '\u{307}',
        _ => return None,
    })
}

/// What can be raised, and below it the same raised.
const RAISED: [&str; 2] = [
    "0123456789+-=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRT⊤UVWαβγδθ∘*∗′†‡",
    "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵀᵁⱽᵂᵅᵝᵞᵟᶿ°**′†‡",
];

/// What can be lowered, and below it the same lowered.
const LOWERED: [&str; 2] = [
    "0123456789+-=()aehijklmnoprstuvxβγρφχ",
    "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ",
];

fn superscript(c: char) -> Option<char> {
    let [from, to] = RAISED;
    to.chars().nth(from.chars().position(|known| known == c)?)
}

fn subscript(c: char) -> Option<char> {
    let [from, to] = LOWERED;
    to.chars().nth(from.chars().position(|known| known == c)?)
}

/// Letters with doubled strokes; seven capitals were in Unicode before the rest (U+1D538) and kept their places.
fn blackboard(c: char) -> char {
    let shifted = |base: u32, from: char| char::from_u32(base + (c as u32) - (from as u32)).unwrap_or(c);
    match c {
        'C' => 'ℂ',
        'H' => 'ℍ',
        'N' => 'ℕ',
        'P' => 'ℙ',
        'Q' => 'ℚ',
        'R' => 'ℝ',
        'Z' => 'ℤ',
        'A'..='Z' => shifted(0x1d538, 'A'),
        'a'..='z' => shifted(0x1d552, 'a'),
        '0'..='9' => shifted(0x1d7d8, '0'),
        _ => c,
    }
}

/// An argument: its content from `start` to `stop`, and where reading goes on.
#[derive(Debug, Clone, Copy)]
struct Argument {
    start: usize,
    stop: usize,
    next: usize,
}

struct Pass {
    chars: Vec<char>,
    closing: Vec<usize>,
    /// Where the single quotation that is open ends.
    unquote: Option<usize>,
    out: String,
}

impl Pass {
    fn get(&self, at: usize, end: usize) -> Option<char> {
        if at < end { self.chars.get(at).copied() } else { None }
    }

    /// The character before `at` in the source.
    fn before(&self, at: usize) -> Option<char> {
        at.checked_sub(1).and_then(|at| self.chars.get(at)).copied()
    }

    fn slice(&self, start: usize, stop: usize) -> &[char] {
        self.chars.get(start..stop).unwrap_or_default()
    }

    fn raw(&mut self, start: usize, stop: usize) {
        self.out.extend(self.chars.get(start..stop).unwrap_or_default());
    }

    fn skip(&self, mut at: usize, end: usize, what: impl Fn(char) -> bool) -> usize {
        while self.get(at, end).is_some_and(&what) {
            at += 1;
        }
        at
    }

    fn spaces(&self, at: usize, end: usize) -> usize {
        self.skip(at, end, char::is_whitespace)
    }

    /// The end of the control sequence whose backslash is at `at`.
    fn control_end(&self, at: usize, end: usize) -> usize {
        match self.skip(at + 1, end, |c| c.is_ascii_alphabetic()) {
            stop if stop == at + 1 => (at + 2).min(end),
            stop => stop,
        }
    }

    fn group(&self, at: usize, end: usize) -> Option<Argument> {
        let stop = self.closing.get(at).copied().filter(|&stop| stop < end)?;
        Some(Argument {
            start: at + 1,
            stop,
            next: stop + 1,
        })
    }

    /// The argument at `at`: a group or, in math, one token.
    fn argument(&self, at: usize, end: usize, mode: Mode) -> Option<Argument> {
        let at = match mode {
            Mode::Text => at,
            Mode::Math => self.spaces(at, end),
        };
        if self.get(at, end)? == '{' {
            return self.group(at, end);
        }
        let next = match (mode, self.get(at, end)?) {
            (Mode::Text, _) | (_, '}' | '^' | '_') => return None,
            (Mode::Math, '\\') => self.control_end(at, end),
            (Mode::Math, _) => at + 1,
        };
        Some(Argument {
            start: at,
            stop: next,
            next,
        })
    }

    fn run(&mut self, mut at: usize, end: usize, mode: Mode, depth: u8) {
        if depth > MAX_DEPTH {
            return self.raw(at, end);
        }
        while at < end {
            at = self.step(at, end, mode, depth).max(at + 1);
        }
    }

    /// What `run` makes of a part, apart from the rest.
    fn apart(&mut self, start: usize, stop: usize, mode: Mode, depth: u8) -> String {
        let from = self.out.len();
        self.run(start, stop, mode, depth + 1);
        self.out.split_off(from)
    }

    /// Converts what stands at `at` and returns where to go on.
    fn step(&mut self, at: usize, end: usize, mode: Mode, depth: u8) -> usize {
        let Some(c) = self.get(at, end) else { return end };
        match (c, mode) {
            ('\\', _) => return self.control(at, end, mode, depth),
            ('{', Mode::Math) => {
                if let Some(group) = self.group(at, end) {
                    self.run(group.start, group.stop, mode, depth + 1);
                    return group.next;
                }
            }
            ('{', Mode::Text) => {
                if let Some(group) = self.group(at, end).filter(|group| self.is_tex_group(*group)) {
                    self.run(group.start, group.stop, mode, depth + 1);
                    return group.next;
                }
            }
            ('^' | '_', Mode::Math) => return self.script(at, end, depth),
            ('^' | '_', Mode::Text) => {
                if let Some(next) = self.script_in_text(at, end, depth) {
                    return next;
                }
            }
            ('~', Mode::Math) => {
                self.out.push(' ');
                return at + 1;
            }
            ('~', Mode::Text) => {
                let tie = self.is_tie(at, end);
                self.out.push(if tie { ' ' } else { '~' });
                return at + 1;
            }
            ('$', Mode::Text) => {
                if let Some(next) = self.dollars(at, end, depth) {
                    return next;
                }
            }
            ('-', Mode::Text) => return self.dashes(at, end),
            ('`' | '\'', Mode::Text) => return self.quotes(at, end),
            ('h', Mode::Text) => {
                if let Some(stop) = self.address_end(at, end) {
                    self.address(at, stop);
                    return stop;
                }
            }
            (_, Mode::Math) if c.is_whitespace() => {
                self.space();
                return at + 1;
            }
            _ => {}
        }
        self.out.push(c);
        at + 1
    }

    fn space(&mut self) {
        if !self.out.ends_with(char::is_whitespace) {
            self.out.push(' ');
        }
    }

    /// In text, braces are TeX's only where a command follows or where they keep the capitals of a word, as BibTeX wants it
    /// (`{HoloV}`); anything else may be a set or a template.
    fn is_tex_group(&self, group: Argument) -> bool {
        let inner = self.slice(group.start, group.stop);
        let letters = || inner.iter().filter(|c| !matches!(c, '{' | '}'));
        if inner.len() <= LONGEST_WORD
            && letters().count() > 1
            && letters().any(char::is_ascii_uppercase)
            && letters().all(|c| c.is_ascii_alphanumeric() || *c == '-')
        {
            return true;
        }
        let start = self.spaces(group.start, group.stop);
        self.get(start, group.stop) == Some('\\')
            && !matches!(self.get(start + 1, group.stop), None | Some('{' | '}' | '_' | '\\'))
    }

    /// `Figure~3` ties; `about ~3`, `~3 %` and `5~10` mean a size.
    fn is_tie(&self, at: usize, end: usize) -> bool {
        let before = self.before(at);
        let opens = before.is_none_or(|c| c.is_whitespace() || matches!(c, '(' | '[' | '"'));
        match self.get(at + 1, end) {
            None => true,
            Some(next) if next.is_alphabetic() || next.is_whitespace() || matches!(next, '-' | '(' | '{') => true,
            Some('\\') => self
                .get(at + 2, end)
                .is_some_and(|c| c.is_ascii_alphabetic() || !opens && c != '$'),
            Some(next) if next.is_ascii_digit() => !opens && !before.is_some_and(|c| c.is_ascii_digit()),
            Some('~' | '=') => false,
            Some(_) => !opens,
        }
    }

    /// An en dash is two hyphens, an em dash three. More are a rule, and before a letter after a space two are an
    /// option of a program (`--verbose`).
    fn dashes(&mut self, at: usize, end: usize) -> usize {
        let next = self.skip(at, end, |c| c == '-');
        let opens = self
            .before(at)
            .is_none_or(|c| c.is_whitespace() || matches!(c, '(' | '"' | '`'));
        let option = opens && self.get(next, end).is_some_and(|c| c.is_ascii_lowercase());
        match next - at {
            2 if !option => self.out.push('–'),
            3 => self.out.push('—'),
            _ => self.raw(at, next),
        }
        next
    }

    fn quotes(&mut self, at: usize, end: usize) -> usize {
        let c = self.get(at, end).unwrap_or('\'');
        if self.get(at + 1, end) == Some(c) {
            self.out.push(if c == '`' { '“' } else { '”' });
            return at + 2;
        }
        if c == '`'
            && self.before(at).is_none_or(|c| !c.is_alphanumeric())
            && self.get(at + 1, end).is_some_and(char::is_alphanumeric)
        {
            // Only with its closing partner: a lone one is somebody's code.
            let stop = end.min(at + MAX_QUOTE);
            let close = (at + 1..stop).find(|&i| match self.get(i, stop) {
                Some('`') => true,
                Some('\'') => !self.get(i + 1, end).is_some_and(char::is_alphanumeric),
                _ => false,
            });
            if let Some(close) = close.filter(|&i| self.get(i, stop) == Some('\'')) {
                self.unquote = Some(close);
                self.out.push('‘');
                return at + 1;
            }
        }
        self.out.push(if self.unquote == Some(at) { '’' } else { c });
        at + 1
    }

    /// The end of the web address that begins at `at`, if one does: in it `~` and `_` are themselves.
    fn address_end(&self, at: usize, end: usize) -> Option<usize> {
        let begins = |scheme: &str| {
            scheme
                .chars()
                .enumerate()
                .all(|(n, c)| self.get(at + n, end) == Some(c))
        };
        if self.before(at).is_some_and(char::is_alphanumeric) || !(begins("http://") || begins("https://")) {
            return None;
        }
        let mut stop = at;
        while let Some(c) = self.get(stop, end) {
            match c {
                '\\' if matches!(self.get(stop + 1, end), Some('_' | '%' | '&' | '#' | '~')) => stop += 2,
                '\\' | '{' | '}' | '<' | '>' | '"' | '$' | '`' => break,
                c if c.is_whitespace() => break,
                _ => stop += 1,
            }
        }
        Some(stop)
    }

    /// An address without the backslashes that TeX needs in it.
    fn address(&mut self, start: usize, stop: usize) {
        let mut at = start;
        while let Some(c) = self.get(at, stop) {
            if c != '\\' || !matches!(self.get(at + 1, stop), Some('_' | '%' | '&' | '#' | '~')) {
                self.out.push(c);
            }
            at += 1;
        }
    }

    fn control(&mut self, at: usize, end: usize, mode: Mode, depth: u8) -> usize {
        let Some(c) = self.get(at + 1, end) else {
            self.out.push('\\');
            return end;
        };
        if c.is_ascii_alphabetic() {
            return self.control_word(at, end, mode, depth);
        }
        let next = at + 2;
        match (c, mode) {
            ('%' | '&' | '_' | '$' | '#' | '{' | '}', _) => self.out.push(c),
            ('|', Mode::Math) => self.out.push('‖'),
            (',' | ';' | ':', Mode::Math) | (',', Mode::Text) => self.space(),
            (' ', _) => self.out.push(' '),
            ('!' | '>', Mode::Math) | ('-' | '/' | '@', _) => {}
            ('\\', _) => self.space(),
            ('(' | '[', Mode::Text) => {
                let close = if c == '(' { ')' } else { ']' };
                let limit = end.min(next + MAX_MATH);
                let found =
                    (next..limit).find(|&i| self.get(i, limit) == Some('\\') && self.get(i + 1, end) == Some(close));
                if let Some(stop) = found {
                    self.math(next, stop, depth);
                    return stop + 2;
                }
                self.raw(at, next);
            }
            _ => {
                let accent = symbol_accent(c).filter(|_| mode == Mode::Text);
                return match accent {
                    Some(mark) => self.accent(at, next, end, mark, true, depth),
                    None => {
                        // Not the character itself: it may begin something of its own (`\$` has been seen above).
                        self.out.push('\\');
                        at + 1
                    }
                };
            }
        }
        next
    }

    fn control_word(&mut self, at: usize, end: usize, mode: Mode, depth: u8) -> usize {
        let stop = self.control_end(at, end);
        // No command in the table is longer, and an endless name must not be collected at every letter.
        let name: String = self.slice(at + 1, stop).iter().take(24).collect();
        let Some(command) = command(&name).filter(|_| stop - at <= 24) else {
            self.raw(at, stop);
            return stop;
        };
        let depth = depth + 1;
        if depth > MAX_DEPTH {
            self.raw(at, stop);
            return stop;
        }
        let as_written = |pass: &mut Self| {
            pass.raw(at, stop);
            stop
        };
        let first = self.argument(stop, end, mode);
        match command {
            Command::Letter(letter) => {
                self.out.push_str(letter);
                let next = self.after_word(stop, end);
                if next > stop { next } else { self.spaces(stop, end) }
            }
            Command::Symbol(symbol) => {
                self.out.push_str(symbol);
                let next = self.after_word(stop, end);
                let after = self.spaces(next, end);
                let joins = self.get(after, end).is_some_and(|c| c.is_alphanumeric() || c == '\\');
                if mode == Mode::Math && joins { after } else { next }
            }
            Command::Operator(symbol) => {
                let spaced = self.before(at).is_some_and(char::is_whitespace);
                if mode == Mode::Math && spaced && !self.out.is_empty() {
                    self.space();
                }
                self.out.push_str(symbol);
                let next = self.after_word(stop, end);
                match mode {
                    Mode::Text => next,
                    Mode::Math => {
                        if spaced {
                            self.space();
                        }
                        self.spaces(next, end)
                    }
                }
            }
            Command::Function(function) => {
                if mode == Mode::Math && self.out.ends_with(|c: char| c.is_alphanumeric() || c == ')') {
                    self.out.push(' ');
                }
                self.out.push_str(function);
                let next = self.after_word(stop, end);
                if mode == Mode::Text {
                    return next;
                }
                let next = self.spaces(next, end);
                if self.get(next, end).is_some_and(|c| c.is_alphanumeric() || c == '\\') {
                    self.out.push(' ');
                }
                next
            }
            Command::Abbreviation(text) => {
                self.out.push_str(text);
                let next = self.after_word(stop, end);
                if self.get(next, end) == Some('.') {
                    next + 1
                } else {
                    next
                }
            }
            Command::Unwrap => {
                let star = usize::from(self.get(stop, end) == Some('*'));
                let Some(argument) = self.argument(stop + star, end, mode) else {
                    return as_written(self);
                };
                let inner = if name.starts_with("math")
                    || matches!(
                        name.as_str(),
                        "boldsymbol" | "bm" | "pmb" | "operatorname" | "ensuremath"
                    ) {
                    Mode::Math
                } else {
                    Mode::Text
                };
                self.run(argument.start, argument.stop, inner, depth);
                argument.next
            }
            Command::UnwrapSecond => match first.and_then(|first| self.argument(first.next, end, Mode::Text)) {
                Some(second) => {
                    self.run(second.start, second.stop, mode, depth);
                    second.next
                }
                None => as_written(self),
            },
            Command::Switch => self.spaces(self.after_word(stop, end), end),
            Command::Delimiter => {
                let next = self.spaces(stop, end);
                // `\left.` is a delimiter that is not there.
                if self.get(next, end) == Some('.') && mode == Mode::Math {
                    next + 1
                } else {
                    next
                }
            }
            Command::Space => {
                self.space();
                self.spaces(self.after_word(stop, end), end)
            }
            Command::TextAccent(mark, bare) => self.accent(at, stop, end, mark, bare, depth),
            Command::MathAccent(mark) => {
                let Some(argument) = first else { return as_written(self) };
                let inner = self.apart(argument.start, argument.stop, Mode::Math, depth);
                match accented(&inner, mark, true) {
                    Some(text) => self.out.push_str(&text),
                    None => self.out.push_str(&inner),
                }
                argument.next
            }
            Command::Blackboard => {
                let Some(argument) = first else { return as_written(self) };
                let inner = self.apart(argument.start, argument.stop, Mode::Math, depth);
                self.out.extend(inner.chars().map(blackboard));
                argument.next
            }
            Command::Fraction => {
                let second = first.and_then(|first| self.argument(first.next, end, mode));
                let (Some(above), Some(below)) = (first, second) else {
                    return as_written(self);
                };
                for (part, sign) in [(above, "/"), (below, "")] {
                    let inner = self.apart(part.start, part.stop, Mode::Math, depth);
                    self.operand(&inner);
                    self.out.push_str(sign);
                }
                below.next
            }
            Command::Root => {
                let mut at = stop;
                let mut sign = "√".to_owned();
                if self.get(at, end) == Some('[') {
                    let close = self.skip(at, end.min(at + 8), |c| c != ']');
                    if self.get(close, end) == Some(']') {
                        let order = self.slice(at + 1, close).iter().collect::<String>();
                        sign = match order.trim() {
                            "2" => sign,
                            "3" => "∛".to_owned(),
                            "4" => "∜".to_owned(),
                            order => order
                                .chars()
                                .map(|c| superscript(c).unwrap_or(c))
                                .chain(['√'])
                                .collect(),
                        };
                        at = close + 1;
                    }
                }
                let Some(argument) = self.argument(at, end, mode) else {
                    return as_written(self);
                };
                let inner = self.apart(argument.start, argument.stop, Mode::Math, depth);
                self.out.push_str(&sign);
                self.operand(&inner);
                argument.next
            }
            Command::Url => {
                let Some(argument) = first else { return as_written(self) };
                self.address(argument.start, argument.stop);
                argument.next
            }
            Command::Link => {
                let second = first.and_then(|first| self.argument(first.next, end, Mode::Text));
                let (Some(address), Some(label)) = (first, second) else {
                    return as_written(self);
                };
                let text = self.apart(label.start, label.stop, mode, depth);
                let from = self.out.len();
                self.address(address.start, address.stop);
                let address = self.out.split_off(from);
                // A label that is the address says it already; otherwise the address is what the reader needs most.
                match address
                    .trim_end_matches('/')
                    .strip_suffix(text.trim().trim_end_matches('/'))
                {
                    Some(scheme) if !text.trim().is_empty() && (scheme.is_empty() || scheme.ends_with('/')) => {
                        self.out.push_str(&address);
                    }
                    _ => {
                        self.out.push_str(&text);
                        self.out.push_str(" (");
                        self.out.push_str(&address);
                        self.out.push(')');
                    }
                }
                label.next
            }
            Command::Citation => {
                let Some(argument) = first else { return as_written(self) };
                self.out.push('[');
                self.raw(argument.start, argument.stop);
                self.out.push(']');
                argument.next
            }
            Command::Note => {
                let Some(argument) = first else { return as_written(self) };
                self.space();
                self.out.push('(');
                self.run(argument.start, argument.stop, Mode::Text, depth);
                self.out.push(')');
                argument.next
            }
            Command::Unicode => {
                let code = first.and_then(|first| {
                    let digits = self.slice(first.start, first.stop).iter().take(9).collect::<String>();
                    let code = match digits.strip_prefix(['x', 'X']) {
                        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                        None => digits.parse().ok()?,
                    };
                    char::from_u32(code)
                        .filter(|c| !c.is_control())
                        .map(|c| (c, first.next))
                });
                match code {
                    Some((c, next)) => {
                        self.out.push(c);
                        next
                    }
                    None => as_written(self),
                }
            }
            Command::Not => {
                let Some(argument) = first else { return as_written(self) };
                let inner = self.apart(argument.start, argument.stop, Mode::Math, depth);
                let mut struck = inner.trim().chars();
                match (struck.next(), struck.next()) {
                    (Some(c), None) => match compose(c, '\u{338}') {
                        Some(c) => self.out.push(c),
                        None => self.out.extend([c, '\u{338}']),
                    },
                    _ => {
                        self.out.push('¬');
                        self.out.push_str(&inner);
                    }
                }
                argument.next
            }
        }
    }

    /// After a control word an empty group only ends the word.
    fn after_word(&self, at: usize, end: usize) -> usize {
        let empty = self.get(at, end) == Some('{') && self.get(at + 1, end) == Some('}');
        if empty { at + 2 } else { at }
    }

    fn operand(&mut self, text: &str) {
        let text = text.trim();
        let simple = text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '%' | '√') || is_combining_mark(c))
            || text.starts_with('(') && text.find(')') == Some(text.len() - 1);
        if simple {
            self.out.push_str(text);
        } else {
            self.out.push('(');
            self.out.push_str(text);
            self.out.push(')');
        }
    }

    /// An accent whose control sequence stands from `at` to `stop`. Without braces (`bare`) it must give a letter that
    /// Unicode has, so that `\"quoted\"` in somebody's JSON stays.
    fn accent(&mut self, at: usize, stop: usize, end: usize, mark: char, bare: bool, depth: u8) -> usize {
        let as_written = |pass: &mut Self| {
            pass.raw(at, stop);
            stop
        };
        if depth >= MAX_DEPTH {
            return as_written(self);
        }
        let start = self.spaces(stop, end);
        let Some(c) = self.get(start, end) else {
            return as_written(self);
        };
        let in_group = c == '{';
        let (inner, next) = if let Some(group) = self.group(start, end).filter(|_| in_group) {
            (self.apart(group.start, group.stop, Mode::Text, depth), group.next)
        } else if c == '\\' && self.get(start + 1, end).is_some_and(|c| c != '\\') {
            let from = self.out.len();
            let next = self.step(start, end, Mode::Text, depth + 1);
            (self.out.split_off(from), next)
        } else if c.is_alphabetic() && bare && (start == stop || self.get(at + 1, end).is_some_and(char::is_alphabetic))
        {
            (c.to_string(), start + 1)
        } else {
            return as_written(self);
        };
        match accented(&inner, mark, in_group) {
            Some(text) => {
                self.out.push_str(&text);
                next
            }
            None => {
                // What was read is kept as it came out, or nested groups would be read again at every level.
                self.raw(at, start);
                if in_group {
                    self.out.push('{');
                }
                self.out.push_str(&inner);
                if in_group {
                    self.out.push('}');
                }
                next
            }
        }
    }

    /// `^` or `_` in math.
    fn script(&mut self, at: usize, end: usize, depth: u8) -> usize {
        let sign = self.get(at, end).unwrap_or('^');
        let Some(argument) = self.argument(at + 1, end, Mode::Math) else {
            self.out.push(sign);
            return at + 1;
        };
        if depth >= MAX_DEPTH {
            self.raw(at, argument.next);
            return argument.next;
        }
        let inner = match self.get(argument.start, argument.stop) {
            // One token may be a command with an argument of its own: `x_\text{max}`.
            Some('\\') if argument.next == argument.stop => {
                let from = self.out.len();
                let next = self.step(argument.start, end, Mode::Math, depth + 1);
                let inner = self.out.split_off(from);
                self.push_script(sign, &inner);
                return next;
            }
            _ => self.apart(argument.start, argument.stop, Mode::Math, depth),
        };
        self.push_script(sign, &inner);
        argument.next
    }

    fn push_script(&mut self, sign: char, inner: &str) {
        let inner = inner.trim();
        let map = if sign == '^' { superscript } else { subscript };
        if let Some(mapped) = inner.chars().map(map).collect::<Option<String>>() {
            self.out.push_str(&mapped);
        } else if inner.chars().nth(1).is_none() {
            self.out.push(sign);
            self.out.push_str(inner);
        } else {
            self.out.extend([sign, '{']);
            self.out.push_str(inner);
            self.out.push('}');
        }
    }

    /// Outside of dollars a script is one only where nothing else is likely: `O(n^2)`, `R^2`, `T_{1}`, but not
    /// `snake_case` and not `^_^`.
    fn script_in_text(&mut self, at: usize, end: usize, depth: u8) -> Option<usize> {
        let sign = self.get(at, end)?;
        self.before(at)
            .filter(|c| c.is_alphanumeric() || matches!(c, ')' | ']' | '}'))?;
        let next = self.get(at + 1, end)?;
        if next == '{' {
            let group = self.group(at + 1, end)?;
            let inner = self.apart(group.start, group.stop, Mode::Math, depth);
            self.push_script(sign, &inner);
            return Some(group.next);
        }
        if sign == '_' {
            return None;
        }
        let digits = at + 1 + usize::from(matches!(next, '-' | '+'));
        let mut stop = self.skip(digits, end, |c| c.is_ascii_digit());
        if stop == digits {
            // A single letter: O(n^k).
            let single = next.is_ascii_alphabetic() && !self.get(at + 2, end).is_some_and(char::is_alphanumeric);
            stop = if single { at + 2 } else { return None };
        }
        let mapped = self
            .slice(at + 1, stop)
            .iter()
            .map(|&c| superscript(c))
            .collect::<Option<String>>()?;
        self.out.push_str(&mapped);
        Some(stop)
    }

    /// `$…$` or `$$…$$` at `at`, if that is a formula.
    fn dollars(&mut self, at: usize, end: usize, depth: u8) -> Option<usize> {
        let double = self.get(at + 1, end) == Some('$');
        let start = at + 1 + usize::from(double);
        let limit = end.min(start + MAX_MATH);
        let mut stop = start;
        while self.get(stop, limit)? != '$' {
            stop += if self.get(stop, limit) == Some('\\') { 2 } else { 1 };
        }
        let next = stop + 1 + usize::from(double);
        if double && self.get(stop + 1, end) != Some('$') || !self.is_math(start, stop, self.get(next, end)) {
            return None;
        }
        self.math(start, stop, depth);
        Some(next)
    }

    fn math(&mut self, start: usize, stop: usize, depth: u8) {
        let text = self.apart(start, stop, Mode::Math, depth);
        self.out.push_str(text.trim());
    }

    /// Whether what stands between two dollars is a formula and not the text between two prices.
    fn is_math(&self, start: usize, stop: usize, after: Option<char>) -> bool {
        let content = self.slice(start, stop);
        let (Some(first), Some(last)) = (content.first(), content.last()) else {
            return false;
        };
        let (mut words, mut evidence, mut alphanumeric) = (0_usize, false, false);
        let mut at = start;
        while let Some(c) = self.get(at, stop) {
            let mut next = at + 1;
            match c {
                '\\' => {
                    next = self.control_end(at, stop);
                    evidence |= !matches!(self.get(at + 1, stop), Some('%' | '$' | '&' | '#' | ' ') | None);
                }
                '{' => {
                    evidence = true;
                    next = self.group(at, stop).map_or(next, |group| group.next);
                }
                '^' | '_' | '=' | '<' | '>' => evidence = true,
                '\n' if self.get(next, stop) == Some('\n') => return false,
                c if c.is_alphabetic() => {
                    alphanumeric = true;
                    next = self.skip(at, stop, char::is_alphabetic);
                    let apart = self
                        .get(next, stop)
                        .is_none_or(|c| c.is_whitespace() || matches!(c, ',' | '.' | ';'))
                        && (at == start || self.before(at).is_some_and(char::is_whitespace));
                    words += usize::from(apart && next - at > 1);
                }
                c => alphanumeric |= c.is_alphanumeric(),
            }
            at = next;
        }
        let digit_after = after.is_some_and(|c| c.is_ascii_digit());
        let loose = first.is_whitespace() || last.is_whitespace();
        if words > 1 || words == 1 && first.is_ascii_digit() && (loose || digit_after) {
            return false;
        }
        evidence || !(loose || digit_after && alphanumeric)
    }
}

/// One letter (perhaps with marks already) with another mark; without `loose`, only where Unicode has the result as
/// one character.
fn accented(inner: &str, mark: char, loose: bool) -> Option<String> {
    let mut chars = inner.trim().chars();
    let base = match chars.next()? {
        'ı' => 'i',
        'ȷ' => 'j',
        c if c.is_alphabetic() => c,
        _ => return None,
    };
    if !chars.clone().all(is_combining_mark) || chars.clone().nth(3).is_some() {
        return None;
    }
    let text: String = std::iter::once(base).chain(chars).chain([mark]).nfc().collect();
    (loose || text.chars().nth(1).is_none()).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(cases: &[(&str, &str)]) {
        for (tex, expected) in cases {
            assert_eq!(&to_unicode(tex), expected, "{tex}");
        }
    }

    #[test]
    fn accents_become_letters_with_and_without_braces() {
        check(&[
            (r"Silas Ruhrberg Est\'evez", "Silas Ruhrberg Estévez"),
            (r#"G\"und\"uz, V\"{a}in\"{o}"#, "Gündüz, Väinö"),
            (
                r"Jean-Fran\c{c}ois, \c{S}tefan, \c cedille",
                "Jean-François, Ştefan, çedille",
            ),
            (r"Mikol\'a\v{s}, Erdo\u{g}an, Ond\v rej", "Mikoláš, Erdoğan, Ondřej"),
            (r"Luko\v{s}i\=ut\.e, \.Zuk, K\={a}k\={a}", "Lukošiūtė, Żuk, Kākā"),
            (
                r"Rodr\'{\i}guez, Mart\'\i nez, B{\i}y{\i}k",
                "Rodríguez, Martínez, Bıyık",
            ),
            (r"Tol\'ul\d{o}p\'e \`Og\'unr\`em\'i", "Tolúlọpé Ògúnrèmí"),
            (r"\`{\d o}, \`{\d{o}}", "\\`{\\d o}, ọ\u{300}"),
            (r"Nu\~no, J\'er\^ome, Ry\^o", "Nuño, Jérôme, Ryô"),
        ]);
    }

    #[test]
    fn letters_of_other_alphabets_swallow_the_space_that_ends_their_name() {
        check(&[
            (r"Gei{\ss}ler, Stra\ss e", "Geißler, Straße"),
            (
                r"Micha{\l} {\L}ajewska, Arnbj{\o}rn, M{\aa}rten",
                "Michał Łajewska, Arnbjørn, Mårten",
            ),
            (r"\AE r\o sk\o bing, \oe{}uvre", "Ærøskøbing, œuvre"),
        ]);
    }

    #[test]
    fn what_is_no_letter_keeps_its_accent_as_written() {
        for text in [r"Fleiss' \k{appa} 0.083", r#"\"name\": \"max\""#, r"\d+ \r\n \'"] {
            assert_eq!(to_unicode(text), text);
        }
    }

    #[test]
    fn formulas_become_symbols() {
        check(&[
            (r"$10^{-3}$, $3.7 \times 10^{-24}$", "10⁻³, 3.7 × 10⁻²⁴"),
            (r"$\mathcal{O}(N^2 \log N)$", "O(N² log N)"),
            (r"$\mathbb{R}^n$ and $\ell_1$", "ℝⁿ and ℓ₁"),
            (r"$\Delta L$ Normalization", "ΔL Normalization"),
            (r"$\mathsf{P} \neq \mathsf{NP}$", "P ≠ NP"),
            (r"$N\times N$, $10\times$ faster", "N×N, 10× faster"),
            (r"$\alpha \in (0,1)$, $\geq 4$, $\le \delta t$", "α ∈ (0,1), ≥4, ≤δt"),
            (r"$\frac{a}{b}$, $\frac{a+b}{2}$, $\frac12$", "a/b, (a+b)/2, 1/2"),
            (r"$\Theta(\sqrt{T}) $, $\sqrt{x+1}$, $\sqrt[3]{x}$", "Θ(√T), √(x+1), ∛x"),
            (r"$\tilde O(UKT^{2/3})$", "Õ(UKT^{2/3})"),
            (r"$t^\star(L)$, SAM$^{*}$, $90^\circ$", "t^⋆(L), SAM*, 90°"),
            (r"$\Pr[X_i=1\mid \mathcal{I}]=1/2$", "Pr[Xᵢ=1|I]=1/2"),
            (
                r"$K_{\mathrm{poly}}\big((X_1,\ldots,X_t)\mid\Phi\big)\ge \eta t$",
                "K_{poly}((X₁,…,Xₜ)|Φ)≥ηt",
            ),
            (r"$\unicode{x1D4AA}(K^3\log K)$", "𝒪(K³ log K)"),
            (r"$a \not= b$, $\left.x\right|_{0}$", "a ≠ b, x|₀"),
            (r"\(x^2\) and $$y_1$$", "x² and y₁"),
            (r"{\lambda}Scale: ${\sim}1500$", "λScale: ∼1500"),
            (
                "{HoloV}, {{LadderSym}}: {LLM}s in {MAESTRO-E}",
                "HoloV, LadderSym: LLMs in MAESTRO-E",
            ),
        ]);
    }

    #[test]
    fn a_script_is_raised_only_when_every_character_can_be() {
        check(&[
            (r"$x_{foo}$, $w_Q$, $2^{-\Omega(t)}$", "x_{foo}, w_Q, 2^{-Ω(t)}"),
            (
                r"$T_{\rm{eff}}$, $\rho_{\text{noise}}$, $x_\text{max}$",
                "T_{eff}, ρₙₒᵢₛₑ, xₘₐₓ",
            ),
            (
                "O(n^2), R^2 = 0.41, GD^2Fusion, O(n^k)",
                "O(n²), R² = 0.41, GD²Fusion, O(nᵏ)",
            ),
            (
                "snake_case, F1_{attack}, ^_^, W_Q,W_K",
                "snake_case, F1_{attack}, ^_^, W_Q,W_K",
            ),
        ]);
    }

    #[test]
    fn everything_in_the_table_of_scripts_has_its_partner() {
        for [from, to] in [RAISED, LOWERED] {
            assert_eq!(from.chars().count(), to.chars().count());
        }
        assert_eq!(
            (superscript('T'), superscript('n'), subscript('x')),
            (Some('ᵀ'), Some('ⁿ'), Some('ₓ'))
        );
    }

    #[test]
    fn prices_are_no_formulas() {
        for text in [
            "It costs $5 and $10 a month.",
            "from $233.46 Billion in 2024 to an astonishing $ 1.2 Trillion",
            "$5-$10, US$5 to A$7, $3/$4",
            "within a budget of under $100. Our",
            "($5 vs $6) and $5%",
        ] {
            assert_eq!(to_unicode(text), text);
        }
        check(&[
            (
                r"only \$3 for 50k, more than \$2 billion, of $x$",
                "only $3 for 50k, more than $2 billion, of x",
            ),
            (
                "of $40$ instances, $4 - 7$ cities, $68.0%$, $-$5",
                "of 40 instances, 4 - 7 cities, 68.0%, -5",
            ),
            (r"by $1.6\% \sim 3.9\%$ ($>$350B)", "by 1.6% ∼ 3.9% (>350B)"),
        ]);
    }

    #[test]
    fn text_commands_lose_their_dress() {
        check(&[
            (r"\textbf{bold \emph{and} \texttt{x}}", "bold and x"),
            (
                r"{\em zkUnlearner}, {\bf more performant}, i.e.,~{\it PCR}",
                "zkUnlearner, more performant, i.e., PCR",
            ),
            (r"\underline{\textbf{C}}ustomizing", "Customizing"),
            (
                r"\eg, DINO \ie{} \textbf{x}, \etc). \etal.",
                "e.g., DINO i.e. x, etc.). et al.",
            ),
            (r"50\%, S\&P, a\_b, \#1, \{x\}", "50%, S&P, a_b, #1, {x}"),
            (
                r"a cost of 7.5\textcent~per, Call\,Recording",
                "a cost of 7.5¢ per, Call Recording",
            ),
            (r"$\copyright$ 2025, \copyright{} 2025", "© 2025, © 2025"),
            (
                r"patterns \cite{liu2025}, \textcolor{red}{hot}",
                "patterns [liu2025], hot",
            ),
        ]);
    }

    #[test]
    fn addresses_survive() {
        check(&[
            (r"\url{https://a.io/x\_y~z}", "https://a.io/x_y~z"),
            (r"\href{https://github.com/a/b}{here}", "here (https://github.com/a/b)"),
            (
                r"\href{https://github.com/a/r_1}{github.com/a/r\_1}",
                "https://github.com/a/r_1",
            ),
            (r"\href{https://a.io/x}{https://a.io/x}.", "https://a.io/x."),
            ("https://x.edu/~me/a--b_c^2 ok", "https://x.edu/~me/a--b_c^2 ok"),
        ]);
    }

    #[test]
    fn dashes_and_quotes_are_typographic_where_tex_makes_them_so() {
        check(&[
            (
                "Human--AI, 5--7 years, volume -- I, query---most",
                "Human–AI, 5–7 years, volume – I, query—most",
            ),
            (
                "--verbose and (--fast), --4 dB, -----",
                "--verbose and (--fast), –4 dB, -----",
            ),
            (
                "the ``blank'', `knows' it, don't, `code`",
                "the “blank”, ‘knows’ it, don't, `code`",
            ),
        ]);
    }

    #[test]
    fn a_tilde_ties_unless_it_measures() {
        check(&[
            (
                "Figure~3, Policy Optimization~(BPO), 1~MHz",
                "Figure 3, Policy Optimization (BPO), 1 MHz",
            ),
            (
                r"about ~20W, (~39%), 5~10, cost (~\$3)",
                "about ~20W, (~39%), 5~10, cost (~$3)",
            ),
        ]);
    }

    #[test]
    fn unknown_and_broken_tex_stays_as_written() {
        for text in [
            r"presents \M, a scalable",
            r"1st on \lite and 4th on \verified on",
            r"at \url{https://github.com/losehu/QuaDreamer",
            r"\textbf x, \frac{a}, \href{x}, \begin{x}",
            r"{a, b} and {name} \",
            r"$x and {y",
        ] {
            assert_eq!(to_unicode(text), text);
        }
        check(&[(r"$\oursol$ and $\myalgo(x)$", r"\oursol and \myalgo(x)")]);
    }

    #[test]
    fn deep_nesting_ends() {
        for open in [
            r"\textbf{",
            r"{\em ",
            r"$x^{",
            r"\c{",
            r"\'",
            r"\frac{",
            r"\href{",
            "${",
        ] {
            let deep = open.repeat(20_000);
            assert!(to_unicode(&deep).len() <= 4 * deep.len());
            let closed = format!("{deep}e{}", "}".repeat(20_000));
            assert!(to_unicode(&closed).len() <= 4 * closed.len());
        }
    }

    proptest! {
        #[test]
        fn text_without_tex_is_not_touched(text in r"[^\\$~^_{}`'-]{0,80}") {
            prop_assert_eq!(to_unicode(&text), text);
        }

        #[test]
        fn the_result_never_grows_beyond_four_times(
            text in r"([\\$~^_{}`'a-eE0-9 -]|\\(frac|sqrt|text|mathbb|c|href|left|log|not|url|footnote|times)\{?){0,60}",
        ) {
            prop_assert!(to_unicode(&text).len() <= 4 * text.len() + 4, "{}", to_unicode(&text));
        }

        #[test]
        fn what_stands_outside_of_a_formula_does_not_depend_on_it(before in "[a-z ]{0,20}", after in " [a-z ]{0,20}") {
            prop_assert_eq!(to_unicode(&format!(r"{before}$\alpha^2${after}")), format!("{before}α²{after}"));
        }
    }
}
