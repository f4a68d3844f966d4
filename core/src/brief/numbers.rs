//! Numbers as papers and briefs write them, in both languages: what is the same quantity in two spellings, and what is
//! another one.

use std::ops::Range;

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Nothing that is told by a unit.
    None,
    /// `%`, percent, 百分之.
    Percent,
    /// Percentage points, points.
    Points,
    /// `×`, times, -fold, 倍.
    Times,
    /// Seconds; the scale says of which size.
    Seconds,
    /// A half of something, or halved.
    Half,
    /// Orders of magnitude of which nobody says how many.
    Magnitudes,
}

/// How exactly a number is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Exact,
    About,
    Over,
    Under,
}

/// A number in a text.
#[derive(Debug, Clone)]
pub(super) struct Quantity {
    /// Its bytes in the text, with its unit.
    pub(super) at: Range<usize>,
    /// As it is written, without its scale.
    value: f64,
    /// Digits after the point.
    decimals: i32,
    /// Digits that say something.
    digits: usize,
    /// 万 is 10,000.
    scale: f64,
    /// Its unit.
    pub(super) unit: Unit,
    bound: Bound,
    negative: Option<bool>,
    /// Part of a name such as GPT-4 or 2D.
    pub(super) in_name: bool,
    /// A small count (三个, five): whoever writes it may have counted a list.
    pub(super) counts: bool,
    /// Its unit may be a scale or not (`130m`), or it is a side of an area.
    weak: bool,
    /// "a factor of 5", "ratio of 16".
    is_ratio: bool,
    /// "3-3 times": a range from a number to itself says nothing.
    pub(super) is_empty_range: bool,
}

/// Characters with their bytes; width and dashes no longer matter.
struct Chars {
    all: Vec<(usize, char)>,
    end: usize,
}

impl Chars {
    fn new(text: &str) -> Self {
        let fold = |c: char| match c {
            // Chinese punctuation ends what a comma in a number does not.
            '，' | '；' | '：' | '！' | '？' => c,
            '\u{ff01}'..='\u{ff5e}' => u32::from(c).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(c),
            '−' | '–' | '—' | '‐' | '‑' | '‒' | '―' => '-',
            '∼' | '〜' | '˜' => '~',
            '✕' | '⨉' | '╳' => '×',
            '\u{a0}' | '\u{2009}' | '\u{202f}' => ' ',
            c => c,
        };
        Self {
            all: text.char_indices().map(|(at, c)| (at, fold(c))).collect(),
            end: text.len(),
        }
    }

    fn get(&self, at: usize) -> Option<char> {
        self.all.get(at).map(|&(_, c)| c)
    }

    fn before(&self, at: usize) -> Option<char> {
        self.get(at.checked_sub(1)?)
    }

    fn byte(&self, at: usize) -> usize {
        self.all.get(at).map_or(self.end, |&(byte, _)| byte)
    }

    fn is(&self, at: usize, test: impl Fn(char) -> bool) -> bool {
        self.get(at).is_some_and(test)
    }

    /// Where `words` end that stand at `at`, without case.
    fn follow(&self, at: usize, words: &str) -> Option<usize> {
        let mut here = at;
        for c in words.chars() {
            if !self.is(here, |found| found.to_ascii_lowercase() == c) {
                return None;
            }
            here += 1;
        }
        Some(here)
    }

    /// Where `words` begin that end right before `at`, but for spaces and an opening mark.
    fn precede(&self, at: usize, words: &str) -> Option<usize> {
        let mut here = at;
        while self
            .before(here)
            .is_some_and(|c| matches!(c, ' ' | '$' | '(' | '\\' | '+'))
        {
            here -= 1;
        }
        let start = here.checked_sub(words.chars().count())?;
        self.follow(start, words).map(|_| start)
    }
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// All numbers of a text, in order.
pub(super) fn quantities(text: &str) -> Vec<Quantity> {
    let chars = Chars::new(text);
    let mut found: Vec<Quantity> = Vec::new();
    let mut at = 0;
    while at < chars.all.len() {
        let Some(c) = chars.get(at) else { break };
        let next = if is_digit(c) {
            digits(&chars, at)
        } else if chars.before(at).is_some_and(|c| c.is_ascii_alphanumeric()) && c.is_ascii_alphabetic() {
            None
        } else {
            word(&chars, at)
        };
        match next {
            Some((quantity, end)) => {
                found.push(quantity);
                at = end.max(at + 1);
            }
            None => at += 1,
        }
    }
    share_units(&mut found, text);
    found
}

/// "3到5倍", "11-20%", "79.14%、54.9%": the first one has the unit of the second.
fn share_units(found: &mut [Quantity], text: &str) {
    for at in (1..found.len()).rev() {
        let (before, after) = found.split_at_mut(at);
        let (Some(first), Some(second)) = (before.last_mut(), after.first()) else {
            continue;
        };
        let between = text.get(first.at.end..second.at.start).unwrap_or_default();
        let between = between.trim_matches(|c: char| c.is_whitespace() || matches!(c, '$' | '\\' | '+' | '约'));
        let joined = matches!(
            between,
            "-" | "–" | "—" | "−" | "~" | "∼" | "～" | "至" | "到" | "to" | "and" | "和" | "与" | "/" | "、" | "sim"
        );
        if joined && first.unit == Unit::None && first.scale == 1.0 && !first.in_name && !second.in_name {
            first.unit = second.unit;
            first.scale = second.scale;
            first.weak |= second.weak;
        }
        let is_range = matches!(between, "-" | "–" | "—" | "~" | "∼" | "～" | "至" | "到" | "to");
        if is_range && !first.in_name && !second.in_name && first.is_measure() && first.is_same(second) {
            first.is_empty_range = true;
        }
    }
}

/// A number in digits.
fn digits(chars: &Chars, start: usize) -> Option<(Quantity, usize)> {
    let mut at = start;
    let mut raw = String::new();
    let mut groups = 0;
    while let Some(c) = chars.get(at).filter(|&c| is_digit(c)) {
        raw.push(c);
        at += 1;
        // 21,000 but not "8,16".
        let group = |from: usize| (0..3).all(|n| chars.is(from + n, is_digit)) && !chars.is(from + 3, is_digit);
        if chars.is(at, |c| c == ',') && group(at + 1) && raw.len() <= 3 + 3 * groups {
            groups += 1;
            at += 1;
        }
    }
    let mut decimals = 0;
    if chars.is(at, |c| c == '.') && chars.is(at + 1, is_digit) {
        raw.push('.');
        at += 1;
        while let Some(c) = chars.get(at).filter(|&c| is_digit(c)) {
            raw.push(c);
            decimals += 1;
            at += 1;
        }
    }
    let value: f64 = raw.parse().ok()?;
    let version = chars.is(at, |c| c == '.') && chars.is(at + 1, is_digit);
    let mut quantity = Quantity {
        at: chars.byte(start)..chars.byte(at),
        value,
        decimals,
        digits: significant(&raw),
        scale: 1.0,
        unit: Unit::None,
        bound: bound(chars, start),
        negative: sign(chars, start),
        in_name: version || begins_in_name(chars, start),
        counts: false,
        weak: false,
        is_ratio: is_ratio(chars, start),
        is_empty_range: false,
    };
    let end = suffix(chars, at, &mut quantity);
    if chars.precede(start, "百分之").is_some() {
        quantity.unit = Unit::Percent;
    }
    quantity.at.end = chars.byte(end).max(quantity.at.end);
    Some((quantity, end.max(at)))
}

fn significant(raw: &str) -> usize {
    let plain: String = raw.chars().filter(|&c| c != '.').collect();
    let from_first = plain.trim_start_matches('0');
    let shown = if raw.contains('.') {
        from_first
    } else {
        from_first.trim_end_matches('0')
    };
    shown.len().max(1)
}

/// Whether the number stands in a run of letters, digits, points and hyphens that begins with a letter: GPT-4, FLUX.1.
fn begins_in_name(chars: &Chars, start: usize) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    /// Longer runs are no names.
    const LONGEST: usize = 64;
    let mut at = start;
    while start - at < LONGEST && chars.before(at).is_some_and(part) {
        at -= 1;
    }
    // "(-3%" and "word.3": what is no letter begins no name.
    at < start && chars.is(at, |c| c.is_ascii_alphabetic())
}

fn sign(chars: &Chars, start: usize) -> Option<bool> {
    let before = chars.before(start)?;
    let alone = start
        .checked_sub(2)
        .and_then(|at| chars.get(at))
        .is_none_or(|c| !(c.is_ascii_alphanumeric() || matches!(c, ')' | '%' | '-')));
    match before {
        '+' => Some(false),
        '-' if alone => Some(true),
        _ => None,
    }
}

fn bound(chars: &Chars, start: usize) -> Bound {
    #[rustfmt::skip]
    const ABOUT: [&str; 15] = [
        "约", "大约", "近似", "左右", "around", "about", "roughly", "approximately", "approx.", "~", "≈", "sim", "约为",
        "circa", "some",
    ];
    #[rustfmt::skip]
    const OVER: [&str; 20] = [
        "超过", "超", "逾", "大于", "高于", "至少", "多达", "over", "more than", "at least", "above", "exceeding", "exceeds",
        "surpassing", "surpasses", ">", "≥", "beyond", "超出", "突破",
    ];
    #[rustfmt::skip]
    const UNDER: [&str; 17] = [
        "近", "接近", "不到", "不足", "小于", "低于", "少于", "nearly", "almost", "close to", "less than", "under", "below",
        "within", "<", "≤", "fewer than",
    ];
    let any = |words: &[&str]| words.iter().any(|words| chars.precede(start, words).is_some());
    if any(&OVER) {
        Bound::Over
    } else if any(&UNDER) {
        Bound::Under
    } else if any(&ABOUT) {
        Bound::About
    } else {
        Bound::Exact
    }
}

fn is_ratio(chars: &Chars, start: usize) -> bool {
    #[rustfmt::skip]
    const RATIO: [&str; 16] = [
        "factor of", "factors of", "ratio of", "ratios of", "rate of", "speedup of", "speed-up of", "speedups of",
        "speedup", "压缩比", "压缩率", "加速比", "压缩比为", "加速比达", "acceleration of", "gain of",
    ];
    let between = ["up to", "about", "over", "~", "around", "为", "达", "至"];
    let starts = std::iter::once(start).chain(between.iter().filter_map(|word| chars.precede(start, word)));
    let mut starts = starts;
    starts.any(|at| RATIO.iter().any(|words| chars.precede(at, words).is_some()))
}

/// Reads scale and unit behind a number that ends at `at`; returns where they end.
fn suffix(chars: &Chars, at: usize, quantity: &mut Quantity) -> usize {
    let skip = |mut at: usize, also: &[char]| {
        while chars.is(at, |c| matches!(c, '$' | '\\' | '{' | '}') || also.contains(&c)) {
            at += 1;
        }
        at
    };
    let mut at = at;
    // "3 - 5 billion": a hyphen belongs to a unit only right behind the number.
    let tight = skip(at, &[]);
    let glued = skip(at, &['-']);
    if tight == at && chars.is(at, |c| c.is_ascii_alphabetic()) {
        if let Some(end) = letters(chars, at, quantity) {
            at = end;
        } else {
            quantity.in_name = true;
            return at;
        }
    } else if let Some((end, scale)) = scale_word(chars, skip(at, &[' ', '-'])) {
        quantity.scale = scale;
        at = end;
    }
    let power = skip(at, &[' ']);
    if let Some(end) = power_of_ten(chars, power, quantity) {
        at = end;
    }
    let spaced = skip(at, &[' ']);
    const PERCENT: [&str; 5] = ["%", "percent", "per cent", "个百分比", "pct"];
    #[rustfmt::skip]
    const POINTS: [&str; 13] = [
        "percentage point", "个百分点", "百分点", "percent point", "points", "point", "pp", "pts", "个点", "absolute point",
        "%p", "% point", "%-point",
    ];
    const TIMES: [&str; 8] = ["倍", "times", "fold", "-fold", "-times", " fold", "x-fold", "-time"];
    let find = |words: &[&str], at: usize| words.iter().filter_map(|words| chars.follow(at, words)).max();
    let ends_word = |end: usize| !chars.is(end, |c| c.is_ascii_alphabetic()) || chars.is(end, |c| c == 's');
    let over = |at: usize, quantity: &mut Quantity| {
        if chars.is(at, |c| c == '+') || (chars.is(at, |c| c == '多') && chars.is(at + 1, |c| c != '个')) {
            quantity.bound = Bound::Over;
            return at + 1;
        }
        at
    };
    let spaced = over(spaced, quantity).max(spaced);
    if let Some(end) = find(&POINTS, spaced).filter(|&end| ends_word(end)) {
        quantity.unit = Unit::Points;
        end
    } else if let Some(end) = find(&PERCENT, spaced) {
        quantity.unit = Unit::Percent;
        end
    } else if let Some(end) = find(&TIMES, spaced)
        .or_else(|| find(&TIMES, glued))
        .filter(|&end| ends_word(end))
    {
        quantity.unit = Unit::Times;
        end
    } else if chars.is(spaced, |c| c == '×')
        || chars.is(spaced, |c| c == 't') && chars.follow(spaced, "times").is_some()
    {
        times_or_area(chars, spaced + 1, quantity)
    } else if let Some((end, scale)) = seconds(chars, spaced) {
        quantity.unit = Unit::Seconds;
        quantity.scale *= scale;
        end
    } else {
        small_count(chars, at, quantity);
        at
    }
}

/// `2.5×`, but `8×H800` and `512×512` are no multiples.
fn times_or_area(chars: &Chars, after: usize, quantity: &mut Quantity) -> usize {
    let next = if chars.is(after, |c| c == ' ') {
        after + 1
    } else {
        after
    };
    let hardware = chars.is(after, |c| c.is_ascii_alphanumeric()) || chars.is(next, is_digit);
    let name = next > after
        && chars.is(next, |c| c.is_ascii_uppercase())
        && chars.is(next + 1, |c| c.is_ascii_uppercase() || is_digit(c));
    if hardware || name {
        quantity.weak = true;
    } else {
        quantity.unit = Unit::Times;
    }
    after
}

/// A unit of letters right behind a number; `None` where the letters make it a name (2D).
fn letters(chars: &Chars, at: usize, quantity: &mut Quantity) -> Option<usize> {
    let mut end = at;
    while chars.is(end, |c| c.is_ascii_alphabetic()) {
        end += 1;
    }
    let word: String = (at..end).filter_map(|n| chars.get(n)).collect();
    let then_digit = chars.is(end, is_digit);
    let lower = word.to_ascii_lowercase();
    match (word.as_str(), lower.as_str()) {
        ("x" | "X", _) if then_digit => quantity.weak = true,
        ("x" | "X", _) => quantity.unit = Unit::Times,
        _ if then_digit && lower.starts_with('x') => quantity.weak = true,
        ("K" | "k", _) | (_, "thousand") => quantity.scale = 1e3,
        ("M" | "Mn" | "mn" | "MM", _) | (_, "million") => quantity.scale = 1e6,
        ("B" | "bn" | "Bn", _) | (_, "billion") => quantity.scale = 1e9,
        ("T", _) | (_, "trillion") => quantity.scale = 1e12,
        ("G", _) => quantity.scale = 1e9,
        ("m" | "b" | "t" | "g", _) => quantity.weak = true,
        (_, "kb") => quantity.scale = 1e3,
        (_, "mb" | "mib") => quantity.scale = 1e6,
        (_, "gb" | "gib") => quantity.scale = 1e9,
        (_, "tb" | "tib") => quantity.scale = 1e12,
        (_, "ms" | "us" | "ns" | "s" | "sec" | "secs" | "seconds") => {
            quantity.unit = Unit::Seconds;
            quantity.scale = match lower.as_str() {
                "ms" => 1e-3,
                "us" => 1e-6,
                "ns" => 1e-9,
                _ => 1.0,
            };
        }
        (_, "times" | "fold") => quantity.unit = Unit::Times,
        (_, "percent") => quantity.unit = Unit::Percent,
        (_, "pp" | "pts" | "p") => quantity.unit = Unit::Points,
        #[rustfmt::skip]
        (_, "bit" | "bits" | "fps" | "hz" | "khz" | "mhz" | "ghz" | "w" | "mw" | "kw" | "px" | "nm" | "mm" | "cm" | "km"
        | "st" | "nd" | "rd" | "th" | "h" | "hr" | "hrs" | "min" | "mins" | "db" | "mj" | "nj" | "pj" | "j" | "kj" | "tops"
        | "tflops" | "gflops" | "gmacs" | "flops" | "shot" | "tokens" | "steps" | "layers" | "wh" | "kwh" | "v") => {}
        _ => return None,
    }
    Some(end)
}

/// 亿, billion.
fn scale_word(chars: &Chars, at: usize) -> Option<(usize, f64)> {
    #[rustfmt::skip]
    const WORDS: [(&str, f64); 22] = [
        ("万亿", 1e12), ("千亿", 1e11), ("百亿", 1e10), ("十亿", 1e9), ("亿", 1e8), ("千万", 1e7), ("百万", 1e6), ("十万", 1e5),
        ("万", 1e4), ("千", 1e3), ("thousand", 1e3), ("million", 1e6), ("billion", 1e9), ("trillion", 1e12),
        ("kb", 1e3), ("mb", 1e6), ("gb", 1e9), ("tb", 1e12), ("gib", 1e9), ("mib", 1e6), ("k", 1e3), ("b", 1e9),
    ];
    let stands = |word: &str| {
        let end = chars.follow(at, word);
        end.is_some_and(|end| !word.is_ascii() || !chars.is(end, |c| c.is_ascii_alphanumeric()))
    };
    let (word, scale) = WORDS.iter().find(|(word, _)| stands(word))?;
    let end = at + word.chars().count();
    // 千瓦 and 千米 are units.
    let unit = *word == "千" && chars.is(end, |c| matches!(c, '瓦' | '米' | '克' | '赫'));
    (!unit).then_some((end, *scale))
}

/// `×10^6`, `\times 10^{-3}`, `10⁶` after a cross.
fn power_of_ten(chars: &Chars, at: usize, quantity: &mut Quantity) -> Option<usize> {
    let after = chars
        .follow(at, "×")
        .or_else(|| chars.follow(at, "times"))
        .or_else(|| chars.follow(at, "x"))?;
    let skip = |mut at: usize| {
        while chars.is(at, |c| matches!(c, ' ' | '^' | '{' | '$' | '}')) {
            at += 1;
        }
        at
    };
    let mut at = skip(chars.follow(skip(after), "10")?);
    let negative = chars.is(at, |c| c == '-');
    at += usize::from(negative);
    let mut power = 0_i32;
    let mut any = false;
    while let Some(digit) = chars
        .get(at)
        .and_then(|c| c.to_digit(10))
        .filter(|_| !any || power < 99)
    {
        power = power * 10 + i32::try_from(digit).unwrap_or(0);
        any = true;
        at += 1;
    }
    if any {
        quantity.scale *= 10_f64.powi(if negative { -power } else { power });
    }
    any.then_some(skip(at))
}

fn seconds(chars: &Chars, at: usize) -> Option<(usize, f64)> {
    #[rustfmt::skip]
    const WORDS: [(&str, f64); 10] = [
        ("毫秒", 1e-3), ("微秒", 1e-6), ("纳秒", 1e-9), ("秒", 1.0), ("milliseconds", 1e-3), ("microseconds", 1e-6),
        ("ms", 1e-3), ("μs", 1e-6), ("µs", 1e-6), ("seconds", 1.0),
    ];
    let found = WORDS
        .iter()
        .find_map(|(word, scale)| Some((chars.follow(at, word)?, *scale)))?;
    (!chars.is(found.0, |c| c.is_ascii_alphabetic())).then_some(found)
}

/// "3个数据集", "3 datasets": counted by whoever wrote it, if it is small.
fn small_count(chars: &Chars, at: usize, quantity: &mut Quantity) {
    let whole = quantity.decimals == 0 && quantity.value <= 9.0 && quantity.scale == 1.0;
    let noun = chars.is(at, |c| "个种项类大".contains(c))
        || (chars.is(at, |c| c == ' ')
            && chars.is(at + 1, |c| c.is_ascii_lowercase())
            && !UNITS.iter().any(|unit| {
                chars
                    .follow(at + 1, unit)
                    .is_some_and(|end| !chars.is(end, |c| c.is_ascii_alphanumeric()))
            }));
    quantity.counts = whole && noun;
}

/// Lower-case words behind a number that count nothing in a list.
#[rustfmt::skip]
const UNITS: [&str; 16] = [
    "bits", "bit", "fps", "tokens", "steps", "step", "hours", "minutes", "days", "ms", "layers", "nm", "mm", "epochs", "shots",
    "degrees",
];

/// A number in words, and quantities that have no number: half, 一半, 两倍, an order of magnitude.
fn word(chars: &Chars, start: usize) -> Option<(Quantity, usize)> {
    let make = |end: usize, value: f64, unit: Unit| {
        let quantity = Quantity {
            at: chars.byte(start)..chars.byte(end),
            value,
            decimals: 0,
            digits: 1,
            scale: 1.0,
            unit,
            bound: bound(chars, start),
            negative: None,
            in_name: false,
            counts: unit == Unit::None,
            weak: false,
            is_ratio: is_ratio(chars, start),
            is_empty_range: false,
        };
        Some((quantity, end))
    };
    if chars.is(start, |c| c.is_ascii_alphabetic()) {
        return english(chars, start).and_then(|(end, value, unit)| make(end, value, unit));
    }
    for (words, value, unit) in [
        ("一半", 0.5, Unit::Half),
        ("减半", 0.5, Unit::Half),
        ("半数", 0.5, Unit::Half),
        ("对半", 0.5, Unit::Half),
        ("翻倍", 2.0, Unit::Times),
        ("翻番", 2.0, Unit::Times),
        ("数倍", 0.0, Unit::None),
        ("百万", 1e6, Unit::None),
        ("千万", 1e7, Unit::None),
        ("十亿", 1e9, Unit::None),
        ("百亿", 1e10, Unit::None),
        ("千亿", 1e11, Unit::None),
        ("万亿", 1e12, Unit::None),
    ] {
        if let Some(end) = chars.follow(start, words) {
            return make(end, value, unit).filter(|_| value > 0.0);
        }
    }
    let (end, value) = chinese(chars, start)?;
    let after = |words: &str| chars.follow(end, words);
    if let Some(end) = after("个数量级").or_else(|| after("数量级")) {
        return make(end, 10_f64.powf(value.min(30.0)), Unit::Times);
    }
    if let Some((end, whole)) = after("分之").and_then(|at| chinese(chars, at)) {
        return make(end, 100.0 * whole / value.max(1.0), Unit::Percent);
    }
    if let Some(end) = after("倍") {
        return make(end, value, Unit::Times);
    }
    if let Some(end) = after("成").filter(|&end| !chars.is(end, |c| "为功本果分就立效都绩熟像".contains(c)))
    {
        return make(end, 10.0 * value, Unit::Percent);
    }
    // 一种 says nothing, 二次 is a power, 三维 is 3D.
    let counted = chars.is(end, |c| "个种项类大阶步".contains(c)) && !chars.is(end + 1, |c| c == '幅' || c == '量');
    match counted && (2.0..=20.0).contains(&value) {
        true => make(end, value, Unit::None),
        false => None,
    }
}

/// A Chinese numeral up to 九千九百九十九.
fn chinese(chars: &Chars, start: usize) -> Option<(usize, f64)> {
    let (mut total, mut digit, mut at) = (0.0, None, start);
    while let Some(c) = chars.get(at) {
        let value = match c {
            '零' | '〇' => 0.0,
            '一' => 1.0,
            '二' | '两' => 2.0,
            '三' => 3.0,
            '四' => 4.0,
            '五' => 5.0,
            '六' => 6.0,
            '七' => 7.0,
            '八' => 8.0,
            '九' => 9.0,
            '十' | '百' | '千' => {
                let unit = match c {
                    '十' => 10.0,
                    '百' => 100.0,
                    _ => 1000.0,
                };
                total += digit.take().unwrap_or(1.0) * unit;
                at += 1;
                continue;
            }
            _ => break,
        };
        if digit.replace(value).is_some() && at - start > 8 {
            return None;
        }
        at += 1;
    }
    (at > start).then(|| (at, total + digit.unwrap_or(0.0)))
}

fn english(chars: &Chars, start: usize) -> Option<(usize, f64, Unit)> {
    #[rustfmt::skip]
    const NUMBERS: [(&str, f64); 21] = [
        ("one", 1.0), ("two", 2.0), ("three", 3.0), ("four", 4.0), ("five", 5.0), ("six", 6.0), ("seven", 7.0),
        ("eight", 8.0), ("nine", 9.0), ("ten", 10.0), ("eleven", 11.0), ("twelve", 12.0), ("fifteen", 15.0),
        ("sixteen", 16.0), ("twenty", 20.0), ("thirty", 30.0), ("forty", 40.0), ("fifty", 50.0), ("hundred", 100.0),
        ("thousand", 1000.0), ("a", 1.0),
    ];
    #[rustfmt::skip]
    const QUANTITIES: [(&str, f64, Unit); 33] = [
        ("half", 0.5, Unit::Half), ("halve", 0.5, Unit::Half), ("halves", 0.5, Unit::Half), ("halved", 0.5, Unit::Half),
        ("halving", 0.5, Unit::Half), ("double", 2.0, Unit::Times), ("doubles", 2.0, Unit::Times),
        ("doubled", 2.0, Unit::Times), ("doubling", 2.0, Unit::Times), ("twice", 2.0, Unit::Times),
        ("twofold", 2.0, Unit::Times), ("triple", 3.0, Unit::Times), ("triples", 3.0, Unit::Times),
        ("tripled", 3.0, Unit::Times), ("tripling", 3.0, Unit::Times), ("threefold", 3.0, Unit::Times),
        ("fourfold", 4.0, Unit::Times), ("fivefold", 5.0, Unit::Times), ("tenfold", 10.0, Unit::Times),
        ("quadruple", 4.0, Unit::Times), ("one-third", 33.333, Unit::Percent), ("one third", 33.333, Unit::Percent),
        ("a third", 33.333, Unit::Percent), ("two-thirds", 66.667, Unit::Percent), ("two thirds", 66.667, Unit::Percent),
        ("a quarter", 25.0, Unit::Percent), ("one-quarter", 25.0, Unit::Percent), ("one quarter", 25.0, Unit::Percent),
        ("three-quarters", 75.0, Unit::Percent), ("three quarters", 75.0, Unit::Percent),
        ("million", 1e6, Unit::None), ("billion", 1e9, Unit::None), ("trillion", 1e12, Unit::None),
    ];
    let ends = |end: usize| !chars.is(end, |c| c.is_ascii_alphanumeric());
    if let Some(&(words, value, unit)) = QUANTITIES
        .iter()
        .find(|(words, ..)| chars.follow(start, words).is_some_and(ends))
    {
        return Some((start + words.chars().count(), value, unit));
    }
    let magnitudes = |at: usize| {
        let spelt = [
            "orders of magnitude",
            "order of magnitude",
            "orders-of-magnitude",
            "order-of-magnitude",
        ];
        spelt.iter().find_map(|words| chars.follow(at, words))
    };
    if let Some(end) = magnitudes(start) {
        return Some((end, 0.0, Unit::Magnitudes));
    }
    let number = |(word, value): &(&str, f64)| {
        let end = chars.follow(start, word)?;
        ends(end).then_some((end, *value))
    };
    // "sevenfold" is one word.
    let fold = |(word, value): &(&str, f64)| {
        let end = chars.follow(chars.follow(start, word)?, "fold")?;
        (ends(end) && *value > 1.0).then_some((end, *value, Unit::Times))
    };
    if let Some(found) = NUMBERS.iter().find_map(fold) {
        return Some(found);
    }
    let (end, value) = NUMBERS.iter().find_map(number).or_else(|| {
        let end = chars.follow(start, "an")?;
        ends(end).then_some((end, 1.0))
    })?;
    let spaced = if chars.is(end, |c| matches!(c, ' ' | '-')) {
        end + 1
    } else {
        end
    };
    let after = |words: &str| chars.follow(spaced, words);
    if let Some(end) = magnitudes(spaced) {
        return Some((end, 10_f64.powf(value), Unit::Times));
    }
    if let Some(end) = after("times").or_else(|| after("fold")).filter(|&end| ends(end)) {
        return Some((end, value, Unit::Times));
    }
    if let Some(end) = after("percentage point").or_else(|| after("point")) {
        return Some((end, value, Unit::Points));
    }
    if let Some(end) = after("percent") {
        return Some((end, value, Unit::Percent));
    }
    for (word, scale) in [
        ("thousand", 1e3),
        ("million", 1e6),
        ("billion", 1e9),
        ("trillion", 1e12),
        ("hundred", 100.0),
    ] {
        if let Some(end) = after(word).filter(|&end| ends(end)) {
            return Some((end, value * scale, Unit::None));
        }
    }
    // "one of" and "a" count nothing.
    (2.0..=20.0).contains(&value).then_some((end, value, Unit::None))
}

impl Quantity {
    fn absolute(&self) -> f64 {
        self.value * self.scale
    }

    fn last_place(&self) -> f64 {
        10_f64.powi(-self.decimals) * self.scale
    }

    /// Whether this one, as evidence, carries what a brief says.
    pub(super) fn carries(&self, said: &Self) -> bool {
        if let (Some(a), Some(b)) = (self.negative, said.negative)
            && a != b
        {
            return false;
        }
        // The 3 of a "PlainMamba-L3" is no 3.0 points.
        if self.in_name && self.unit == Unit::None && said.is_measure() {
            return false;
        }
        // "two designs" are no two points.
        if self.counts && said.unit == Unit::Points {
            return false;
        }
        self.unit_carries(said) && self.value_carries(said) || self.other_form_carries(said)
    }

    fn unit_carries(&self, said: &Self) -> bool {
        match (said.unit, self.unit) {
            (Unit::None, Unit::Half | Unit::Magnitudes) => false,
            (Unit::None, _) => true,
            (Unit::Times, Unit::None) => self.is_ratio || self.weak,
            (Unit::Percent, Unit::None) => self.decimals > 0 && self.value > 1.0,
            (Unit::Points | Unit::Seconds, Unit::None) => true,
            (Unit::Percent, Unit::Points) | (Unit::Points, Unit::Percent) => true,
            (said, here) => said == here,
        }
    }

    fn value_carries(&self, said: &Self) -> bool {
        let (here, there) = (self.absolute(), said.absolute());
        let same = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(b.abs());
        if same(here, there) || ((self.weak || said.weak) && same(self.value, said.value)) {
            return true;
        }
        // 32K is 32,768 where it counts memory or tokens.
        let binary = |scaled: &Self, plain: &Self| {
            (1..=4).any(|n| scaled.scale == 1000_f64.powi(n) && same(scaled.value * 1024_f64.powi(n), plain.absolute()))
        };
        if binary(self, said) || binary(said, self) {
            return true;
        }
        let off = (here - there).abs() / here.abs().max(f64::MIN_POSITIVE);
        let finer = self.last_place() < said.last_place() * 0.999;
        let rounded = finer && (here - there).abs() <= said.last_place() * 0.500_001 && off <= 0.06;
        let coarser = said.digits < self.digits || finer;
        rounded
            || coarser
                && match said.bound {
                    Bound::Exact => false,
                    Bound::About => off <= 0.1,
                    Bound::Over => here >= there && off <= 0.25,
                    Bound::Under => here <= there && off <= 0.25,
                }
    }

    /// 0.5 for 50%, a half for 2×, two thirds for 67%, any orders of magnitude for those of a brief.
    fn other_form_carries(&self, said: &Self) -> bool {
        let share = |part: &Self, percent: &Self| {
            part.unit == Unit::None
                && part.decimals > 0
                && part.value <= 1.0
                && percent.unit == Unit::Percent
                && (part.value * 100.0 - percent.value).abs() <= 0.5 * 10_f64.powi(-percent.decimals) + 1e-9
        };
        let near = |half: &Self| if half.bound == Bound::Exact { 2.0 } else { 8.0 };
        let halved = match (self.unit, said.unit) {
            (Unit::Half, Unit::Half) => true,
            // A half does not carry what is exact.
            (Unit::Half, Unit::Percent | Unit::Points) => said.decimals == 0 && (said.value - 50.0).abs() <= near(self),
            (Unit::Percent | Unit::Points, Unit::Half) => (self.value - 50.0).abs() <= near(said),
            (Unit::Half, Unit::Times) => said.value == 2.0 || said.value == 0.5,
            (Unit::Times, Unit::Half) => (self.value - 2.0).abs() <= 0.2 || self.value == 0.5,
            (Unit::Half, Unit::None) => said.value == 0.5,
            (Unit::None, Unit::Half) => self.value == 0.5,
            _ => false,
        };
        let thirds = |one: &Self, other: &Self| {
            let in_words = one.decimals == 0 && one.value.fract() > 0.1;
            in_words
                && one.unit == Unit::Percent
                && other.unit == Unit::Percent
                && (one.value - other.value).abs() <= 1.0
        };
        let powers = self.unit == Unit::Magnitudes
            && (said.unit == Unit::Magnitudes
                || said.unit == Unit::Times && [100.0, 1000.0, 10_000.0].contains(&said.value));
        share(self, said) || share(said, self) || halved || thirds(self, said) || thirds(said, self) || powers
    }

    /// Whether a reader sees a number here, and not a count in words.
    pub(super) fn is_measure(&self) -> bool {
        match self.unit {
            Unit::Percent | Unit::Points | Unit::Times | Unit::Half => true,
            Unit::None | Unit::Seconds | Unit::Magnitudes => false,
        }
    }

    /// Whether it is more than the other, where both have one unit.
    pub(super) fn is_more_than(&self, other: &Self) -> Option<bool> {
        let order = self.absolute().total_cmp(&other.absolute());
        (self.unit == other.unit && !order.is_eq() && !self.in_name && !other.in_name).then(|| order.is_gt())
    }

    /// Whether both are the same number in the same unit.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.unit == other.unit && self.absolute().total_cmp(&other.absolute()).is_eq()
    }

    /// Whether it is this year, and not so many of something.
    pub(super) fn is_year(&self, year: i32) -> bool {
        self.unit == Unit::None && self.scale == 1.0 && self.decimals == 0 && self.value == f64::from(year)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether every number of `said` is in `here`.
    fn carries(here: &str, said: &str) -> bool {
        let (here, said) = (quantities(here), quantities(said));
        assert!(!said.is_empty());
        said.iter().all(|said| here.iter().any(|here| here.carries(said)))
    }

    #[test]
    fn a_quantity_is_the_same_in_both_languages_and_in_every_spelling() {
        for (here, said) in [
            ("cuts cost by 48.5%", "成本降低48.5％"),
            ("by 48 percent", "百分之48"),
            (r"by 48.5\% and 2.5$\times$", "48.5%和2.5倍"),
            ("by 10.2 percentage points", "提升10.2个百分点"),
            ("1.2 billion parameters", "12亿参数"),
            ("1.2B", "1,200,000,000"),
            ("80M pairs", "8000万对"),
            ("21,000 hours of speech", "2.1万小时"),
            ("a 32K context", "上下文长度32768"),
            ("a 16 GB card", "16GB显存"),
            ("800 ms", "0.8秒"),
            ("1.5×10^6 steps", "150万步"),
            ("2.5x faster", "提速2.5倍"),
            ("2.5-fold", "2.5×"),
            ("by a factor of 16", "16倍"),
            ("from 3 to 5%", "3%到5%"),
            ("3–5× speedup", "3-5倍加速"),
            ("gains of 1.4%-5.5%", "1.4%至5.5%"),
            ("halves the memory", "内存减少一半"),
            ("half of it", "50%"),
            ("twice as fast", "2倍"),
            ("three times", "三倍"),
            ("grows sevenfold", "增至七倍"),
            ("two orders of magnitude", "两个数量级"),
            ("an order of magnitude", "10倍"),
            ("one third of them", "三分之一"),
            ("30% less", "减少三成"),
            ("an F1 of 0.623", "F1为62.3%"),
            ("62.3%", "0.623"),
            ("by +6.76", "提升6.76"),
            ("on 8× H800 GPUs", "8×H800"),
            ("at 512 x 512", "512×512"),
            ("over 1,100 tokens per second", "1100+ tokens/s"),
        ] {
            assert!(carries(here, said), "{here} | {said}");
        }
    }

    #[test]
    fn a_number_may_be_rounded_but_only_rightly() {
        for (here, said, is_right) in [
            ("48.53%", "48.5%", true),
            ("48.53%", "约49%", true),
            ("48.53%", "48.6%", false),
            ("48.53%", "48.54%", false),
            ("48.5%", "约50%", true),
            ("48.5%", "50%", false),
            ("30,412 papers", "3.04万", true),
            ("1.96x", "近2倍", true),
            ("2.3x", "超过2倍", true),
            ("2.3x", "超过3倍", false),
            ("2.3x", "more than 2x", true),
            ("95%", "至少90%", true),
            ("half", "47.51%", false),
        ] {
            assert_eq!(carries(here, said), is_right, "{here} | {said}");
        }
    }

    #[test]
    fn another_number_unit_scale_or_sign_is_not_carried() {
        for (here, said) in [
            ("48.5%", "47.5%"),
            ("2.5%", "2.5倍"),
            ("on 5 datasets", "5倍"),
            ("five datasets", "5倍"),
            ("1.2 billion", "1.2亿"),
            ("7B", "7M"),
            ("800 ms", "8毫秒"),
            ("8 ms", "8 s"),
            ("two orders of magnitude", "三个数量级"),
            ("3-5%", "4%"),
            ("PlainMamba-L3", "3.0%"),
            ("two designs", "2个点"),
            ("12 layers", "12%"),
            ("a drop of -3.1", "+3.1"),
        ] {
            assert!(!carries(here, said), "{here} | {said}");
        }
    }

    #[test]
    fn numbers_of_names_and_counts_of_lists_are_told_apart() {
        let kinds = |text: &str| {
            let of = |n: &Quantity| match (n.in_name, n.counts) {
                (true, _) => "name",
                (_, true) => "count",
                _ => "number",
            };
            quantities(text).iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(kinds("GPT-4, INT8, H100, FLUX.1 and Qwen2.5 in 3D"), ["name"; 6]);
        assert_eq!(kinds("三个数据集和5 tasks"), ["count"; 2]);
        assert_eq!(kinds("11个任务, 8 FPS, 2x"), ["number"; 3]);
        assert_eq!(kinds("一致，统一，二次复杂度，几何，三维"), [""; 0]);
    }
}
