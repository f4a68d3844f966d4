//! Institutions as people read them, from whatever a source took off a page: a school stands for its university, an address
//! is none, and 清华大学 beside Tsinghua University counts once.
//!
//! A wrong name is worse than a missing one, since a brief begins with it. So a fragment (“School of Computer Science”, “NLP
//! Lab”) is never guessed to be somebody's. Where one affiliation, or one author's, names a single institution, its fragments
//! are that one's: a school or a department says no more than its university does and goes, a laboratory or a group is put
//! behind the name (“Tsinghua University NLP Lab”). Any other fragment goes. The order stays the source's, which is the
//! authors' where the source knows it.

use crate::brief::is_han;
use crate::rule::org::Place;
use crate::text;

/// The most institutions that a paper keeps: beyond that it is a collaboration, and nobody reads on.
pub const MAX_INSTITUTIONS: usize = 40;
/// The most names that are looked at.
const MAX_NAMES: usize = 400;
/// The most bytes of a name, and of a text with names.
const MAX_NAME: usize = 160;
const MAX_TEXT: usize = 8 << 10;

/// A list of institutions repaired: footnote marks, e-mails, addresses and equal contributions gone, fragments put to their
/// institution or dropped, each institution once, under the name that the list uses first, in the list's order.
///
/// Each text is one name, or one affiliation as it is printed (“School of EECS, Peking University, Beijing 100871, China”).
pub fn repaired<S: AsRef<str>>(names: &[S]) -> Vec<String> {
    let each: Vec<[&str; 1]> = names.iter().map(|name| [name.as_ref()]).collect();
    by_author(&each)
}

/// The same of lists author by author: a laboratory is the institution's that its author names, if that is a single one.
pub fn by_author<S: AsRef<str>, A: AsRef<[S]>>(authors: &[A]) -> Vec<String> {
    let mut parts: Vec<Part> = Vec::new();
    let mut affiliation = 0;
    'all: for (author, texts) in authors.iter().enumerate() {
        for text in texts.as_ref().iter().take(MAX_NAMES) {
            let plain = without_addresses(crate::markup::cut(text.as_ref(), MAX_TEXT));
            let segments = at_marks(&plain);
            // Marks tell whose is what: no author has all of it.
            let author = (segments.len() == 1).then_some(author);
            for segment in segments {
                affiliation += 1;
                let names = split(&segment).into_iter();
                parts.extend(names.map(|name| Part {
                    author,
                    affiliation,
                    name,
                }));
                if parts.len() > MAX_NAMES {
                    parts.truncate(MAX_NAMES);
                    break 'all;
                }
            }
        }
    }
    let parts = joined(parts).into_iter();
    let parts = parts.filter_map(|part| cleaned(&part.name).map(|name| Part { name, ..part }));
    let parts: Vec<Part> = parts.filter(|part| !is_address(&part.name)).collect();
    let (wholes, fragments): (Vec<&Part>, Vec<&Part>) = parts.iter().partition(|part| !is_fragment(&part.name));
    // An institute that nobody else is named beside can be one of its own; a school or a laboratory cannot.
    if wholes.is_empty() {
        let alone = fragments.iter().map(|part| &part.name);
        let alone = alone.filter(|name| is_independent(name));
        return once(alone.map(|name| (name.clone(), None)).collect());
    }
    let named = wholes.iter().map(|part| {
        let of_author = |other: &&&Part| part.author.is_some() && other.author == part.author;
        let of_affiliation = |other: &&&Part| other.affiliation == part.affiliation;
        let unit = match wholes.iter().filter(of_author).count() {
            1 => unit_of(&part.name, fragments.iter().filter(of_author)),
            _ if wholes.iter().filter(of_affiliation).count() == 1 => {
                unit_of(&part.name, fragments.iter().filter(of_affiliation))
            }
            _ => None,
        };
        (part.name.clone(), unit)
    });
    once(named.collect())
}

/// A name in a list of institutions.
#[derive(Debug, Clone)]
struct Part {
    /// Whose it is: a number for each author, where his affiliations are nobody else's.
    author: Option<usize>,
    /// In which affiliation it stands: a number for each.
    affiliation: usize,
    name: String,
}

/// The laboratory or group among an institution's fragments, if it is a single one and can be put behind the name.
fn unit_of<'a>(institution: &str, fragments: impl Iterator<Item = &'a &'a Part>) -> Option<String> {
    let mut units: Vec<&str> = fragments
        .map(|part| part.name.as_str())
        .filter(|name| is_unit(name))
        .collect();
    units.dedup();
    let [unit] = units.as_slice() else { return None };
    let both = with_unit(institution, unit);
    let places = Place::all_in(institution);
    // What would be read as something else when it is repaired again is not put together.
    let reads: Vec<String> = at_marks(&both).iter().flat_map(|segment| split(segment)).collect();
    let same_script = institution.is_ascii() == unit.is_ascii() || !institution.chars().any(is_han) && unit.is_ascii();
    let stays = both.len() <= MAX_NAME && is_one(institution) && Place::all_in(&both) == places;
    (same_script && stays && reads == [both.clone()] && cleaned(&both).as_ref() == Some(&both))
        .then(|| (*unit).to_owned())
}

/// “Tsinghua University NLP Lab”, 清华大学自然语言处理实验室.
fn with_unit(institution: &str, unit: &str) -> String {
    match unit.starts_with(is_han) {
        true => format!("{institution}{unit}"),
        false => format!("{institution} {unit}"),
    }
}

/// Whether a text off a title page reads like an institution, rather than an author, an address or a note.
pub fn is_one(text: &str) -> bool {
    let has_place = || !Place::all_in(text).is_empty();
    has_words(text) && !is_note(text) && (names_institution(text) || has_place())
}

fn has_words(text: &str) -> bool {
    text.chars().any(char::is_alphabetic)
}

// ---- taking a text apart ----

/// What an institution is called, folded: a part that has none of these can belong to the part before.
#[rustfmt::skip]
const INSTITUTION_WORDS: [&str; 27] = [
    "universi", "institut", "college", "school", "laborator", "labs", "academy", "hospital", "research", "center",
    "centre", "department", "faculty", "inc", "corporation", "company", "group", "école", "大学", "学院", "研究院", "研究所",
    "实验室", "公司", "集团", "科学院", "医院",
];

/// Campuses of universities that are named "University of X, Y".
#[rustfmt::skip]
const CAMPUSES: [&str; 30] = [
    "berkeley", "los angeles", "san diego", "irvine", "davis", "santa barbara", "santa cruz", "riverside", "merced",
    "san francisco", "austin", "dallas", "arlington", "san antonio", "el paso", "urbana-champaign",
    "urbana champaign", "champaign", "chicago", "madison", "milwaukee", "chapel hill", "charlotte", "college park",
    "baltimore county", "ann arbor", "amherst", "twin cities", "boulder", "knoxville",
];

/// What a note on a title page says, folded.
#[rustfmt::skip]
const NOTES: [&str; 16] = [
    "equal contribution", "equally contribut", "contributed equally", "corresponding author", "joint first author",
    "co-first author", "these authors", "work was done", "work done", "internship", "project lead", "doctor of philosophy",
    "student member", "senior member", "fellow, ieee", "preprint",
];

fn is_note(text: &str) -> bool {
    let lower = text.to_lowercase();
    NOTES.iter().any(|note| lower.contains(note))
}

/// The names in a list of institutions: separated by commas, "和" or "and" where that joins two institutions and does
/// not stand within one ("School of Computer Science and Engineering", "University of California, Berkeley").
pub fn split(raw: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for part in split_outside_brackets(raw) {
        let lower = part.to_lowercase();
        let legal_form = ["inc", "inc.", "ltd", "ltd.", "llc", "co", "co.", "gmbh"].contains(&lower.as_str());
        if let Some(last) = names.last_mut() {
            let is_campus = CAMPUSES.contains(&lower.as_str()) && last.to_lowercase().contains("university of ");
            if is_campus || legal_form {
                last.push_str(", ");
                last.push_str(&part);
                continue;
            }
        }
        if is_note(&part) {
            continue;
        }
        for name in conjoined(&part) {
            if has_words(&name) && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

fn split_outside_brackets(raw: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_usize;
    let closes = raw.matches([')', '）']).count() == raw.matches(['(', '（']).count();
    for c in raw.chars() {
        match c {
            '(' | '（' => depth += 1,
            ')' | '）' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let separates = matches!(c, '、' | '，' | ',' | ';' | '；' | '\n') && (depth == 0 || !closes);
        match parts.last_mut() {
            Some(part) if !separates => part.push(c),
            Some(_) | None => parts.push(String::new()),
        }
    }
    let parts = parts.iter().map(|part| unmarked(part));
    parts.filter(|part| has_words(part)).collect()
}

/// Without footnote marks at either end, and with a bracket that was torn open closed.
fn unmarked(part: &str) -> String {
    let mark = |c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '*' | '†' | '‡' | '§' | '¶' | '⋆' | '¹' | '²' | '³' | '⁰' | '⁴'..='⁹' | '·' | '•'
            )
    };
    let mut name = text::one_line(part.trim_matches(mark));
    if name.contains('(') && !name.contains(')') {
        name.push(')');
    }
    name
}

fn names_institution(text: &str) -> bool {
    let lower = text.to_lowercase();
    INSTITUTION_WORDS.iter().any(|word| lower.contains(word))
}

/// "Tsinghua University and ETH Research" is two; "清华大学和字节跳动公司" is two.
fn conjoined(part: &str) -> Vec<String> {
    const ENDS: [&str; 9] = [
        "大学",
        "学院",
        "研究院",
        "研究所",
        "实验室",
        "公司",
        "集团",
        "科学院",
        "医院",
    ];
    for joint in [" and ", " & ", "和", "与", "及"] {
        for (at, _) in part.match_indices(joint) {
            let (one, other) = (
                part.get(..at).unwrap_or_default().trim(),
                part.get(at + joint.len()..).unwrap_or_default().trim(),
            );
            let whole = if joint.is_ascii() {
                // "Institute of Science and Technology University": only what ends as an institution ends there.
                let ends = one.split_whitespace().next_back().unwrap_or_default();
                (names_institution(ends) || one.to_lowercase().contains("university of ")) && names_institution(other)
            } else {
                ENDS.iter().any(|suffix| one.ends_with(suffix)) && names_institution(other)
            };
            if whole && Place::named(part).is_none() {
                let mut names = vec![one.to_owned()];
                names.extend(conjoined(other));
                return names;
            }
        }
    }
    vec![part.to_owned()]
}

/// Without e-mails (`a@b.c`, `{a, b}@c.d`) and links.
fn without_addresses(raw: &str) -> String {
    let mut rest = raw;
    let mut out = String::with_capacity(raw.len());
    let ends = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | ')' | '，' | '；');
    while let Some(at) = rest.find('@') {
        let before = rest.get(..at).unwrap_or_default().trim_end();
        let start = match before.ends_with('}') {
            true => before.rfind('{').unwrap_or(0),
            false => before.rfind(ends).map_or(0, |at| {
                at + before
                    .get(at..)
                    .and_then(|s| s.chars().next())
                    .map_or(1, char::len_utf8)
            }),
        };
        out.push_str(before.get(..start).unwrap_or_default());
        let after = rest.get(at + 1..).unwrap_or_default().trim_start();
        rest = after.find(ends).and_then(|end| after.get(end..)).unwrap_or_default();
    }
    out.push_str(rest);
    let words = out
        .split(' ')
        .filter(|word| !(word.contains("://") || word.starts_with("www.")));
    words.collect::<Vec<_>>().join(" ")
}

/// A text cut into affiliations, at the marks that stand between them: `†`, superscripts, a number alone between words, a
/// semicolon. What has the same mark is the same affiliation.
fn at_marks(raw: &str) -> Vec<String> {
    let is_mark = |c: char| {
        matches!(
            c,
            '†' | '‡' | '§' | '¶' | '⋆' | '∗' | '*' | '¹' | '²' | '³' | '⁰' | '⁴'..='⁹'
        )
    };
    let ends = |c: char| is_mark(c) || matches!(c, ';' | '；' | '|' | '\t');
    let mut out: Vec<(String, String)> = Vec::new();
    let mut add = |mark: &str, words: &[&str]| {
        let words = words.join(" ");
        if !has_words(&words) {
            return;
        }
        match out.iter_mut().find(|(same, _)| !mark.is_empty() && same == mark) {
            Some((_, segment)) => {
                segment.push_str(", ");
                segment.push_str(&words);
            }
            None => out.push((mark.to_owned(), words)),
        }
    };
    let mut mark = String::new();
    let mut rest = raw;
    loop {
        let end = rest.find(ends).unwrap_or(rest.len());
        // A line that ends is a comma.
        let segment = rest.get(..end).unwrap_or_default().replace(['\n', '\r'], " , ");
        let words: Vec<&str> = segment.split_whitespace().collect();
        let mut from = 0;
        for (at, word) in words.iter().enumerate() {
            // “2”, “2.”, “(2)”.
            let digits = word.trim_matches(['.', '(', ')', '[', ']']);
            let number = (1..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
            let capital = words
                .get(at + 1)
                .is_some_and(|next| next.starts_with(|c: char| c.is_uppercase() || is_han(c)));
            // “UMR 5205”, “Université Lyon 1”: a number at the end is the name's.
            if number && capital {
                add(&mark, words.get(from..at).unwrap_or_default());
                mark = digits.to_owned();
                from = at + 1;
            }
        }
        let left = words.get(from..).unwrap_or_default();
        if !left.is_empty() {
            add(&mark, left);
            mark.clear();
        }
        let Some(c) = rest.get(end..).and_then(|rest| rest.chars().next()) else {
            break;
        };
        if is_mark(c) {
            mark.push(c);
        } else {
            mark.clear();
        }
        rest = rest.get(end + c.len_utf8()..).unwrap_or_default();
    }
    out.into_iter().map(|(_, segment)| segment).collect()
}

/// Names that were torn at a comma put together: “Shanghai Jiao”, “Tong University”.
fn joined(parts: Vec<Part>) -> Vec<Part> {
    let mut out: Vec<Part> = Vec::with_capacity(parts.len());
    for part in parts {
        if let Some(last) = out.last_mut() {
            let both = format!("{} {}", last.name, part.name);
            let torn = || Place::named(&last.name).is_none() || Place::named(&part.name).is_none();
            if let Some(place) = Place::named(&both).filter(|_| both.len() < MAX_NAME && torn()) {
                // “Institute of Automation, Chinese Academy of Sciences” has its comma back.
                let known = place
                    .names()
                    .into_iter()
                    .find(|name| text::key(name) == text::key(&both));
                last.name = known.map_or(both, str::to_owned);
                continue;
            }
        }
        out.push(part);
    }
    out
}

// ---- one name ----

/// One name as it is read, or `None` for what is none.
fn cleaned(part: &str) -> Option<String> {
    /// What one mark hid, the next look sees: “/1MIT”.
    const LOOKS: usize = 4;
    let mut name = cleaned_once(part)?;
    for _ in 1..LOOKS {
        let again = cleaned_once(&name)?;
        if again == name {
            break;
        }
        name = again;
    }
    Some(name)
}

fn cleaned_once(part: &str) -> Option<String> {
    let edge = |c: char| {
        c.is_whitespace()
            || matches!(
                c,
                ',' | '.' | ';' | ':' | '-' | '–' | '—' | '&' | '/' | '_' | '#' | '"' | '\'' | '“' | '”'
            )
    };
    let mut name = text::one_line(part).trim_matches(edge).to_owned();
    // “1Tsinghua University” and “1,2MIT”; 4Paradigm is one.
    let unnumbered = name.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ',' | ' '));
    if unnumbered.len() < name.len() && is_one(unnumbered) {
        name = unnumbered.to_owned();
    }
    for opening in ["and ", "And ", "with ", "at ", "from "] {
        if let Some(rest) = name.strip_prefix(opening) {
            name = rest.to_owned();
        }
    }
    let name = unshouted(&completed(without_chinese_school(without_school(&without_city(&name)))));
    (has_words(&name) && !is_note(&name) && name.len() <= MAX_NAME && !is_nobody(&name)).then_some(name)
}

/// What is left of a name that was torn: it could be anybody's.
fn is_nobody(name: &str) -> bool {
    #[rustfmt::skip]
    const NOBODY: [&str; 20] = [
        "university", "the university", "university of", "university of china", "university of technology", "tong university",
        "university of science and technology",
        "institute", "research institute", "institute of technology", "college", "department", "school", "laboratory", "lab",
        "inc", "ltd", "co", "université", "universität",
    ];
    let lower = name.to_lowercase();
    NOBODY.contains(&lower.as_str()) || name.chars().count() < 2
}

/// Without the city behind it: “Yale University New Haven”, “IBM Research Yorktown Heights”, “Princeton University Princeton”.
fn without_city(name: &str) -> String {
    let mut words: Vec<&str> = name.split_whitespace().collect();
    loop {
        let whole = words.join(" ");
        if words.len() < 2 || Place::named(&whole).is_some() {
            return whole;
        }
        let place = Place::all_in(&whole);
        let shorter = (1..=3.min(words.len() - 1)).find_map(|count| {
            let (head, tail) = words.split_at_checked(words.len() - count)?;
            let last = head.last()?.to_lowercase();
            let tail_name = tail.join(" ");
            if ["of", "at", "in", "for", "and", "the", "de", "&"].contains(&last.as_str()) {
                return None;
            }
            let after_university = matches!(
                last.as_str(),
                "university" | "researcher" | "research" | "labs" | "大学"
            );
            let same = !place.is_empty() && Place::all_in(&head.join(" ")) == place;
            let doubled = head.ends_with(tail) || count == 1 && after_university && head.first() == tail.first();
            let junk = after_university && matches!(tail_name.as_str(), "No" | "No." | "P.R." | "PR" | "SAR")
                || after_university
                    && count == 1
                    && tail_name.len() <= 4
                    && tail_name.bytes().all(|b| b.is_ascii_lowercase());
            let city = (after_university || same) && is_geography(&tail_name);
            (doubled || junk || city).then(|| head.to_vec())
        });
        match shorter {
            Some(shorter) => words = shorter,
            None => return whole,
        }
    }
}

/// “Department of Bioengineering Rice University” without its first half, where the table knows the second.
fn without_school(name: &str) -> &str {
    if !opens_as_fragment(&name.to_lowercase()) {
        return name;
    }
    let places = Place::all_in(name);
    if places.is_empty() {
        return university_at_the_end(name).unwrap_or(name);
    }
    let starts = name.match_indices(' ').map(|(at, _)| at + 1).collect::<Vec<_>>();
    let suffixes = starts.into_iter().rev().filter_map(|at| name.get(at..));
    let mut suffixes = suffixes.filter(|suffix| Place::all_in(suffix) == places);
    suffixes.next().unwrap_or(name)
}

/// “Rice University” of “Department of Bioengineering Rice University”: the words before “University” that are no field's.
fn university_at_the_end(name: &str) -> Option<&str> {
    let before = name.strip_suffix(" University")?;
    let mut start = before.len();
    for (at, _) in before.rmatch_indices(' ').take(4) {
        let lower = before.get(at..start).unwrap_or_default().trim().to_lowercase();
        if is_field(&lower) || lower.ends_with("ing") || lower.ends_with("ics") || lower.ends_with("logy") {
            break;
        }
        start = at;
    }
    let found = name.get(start..)?.trim_start();
    (found != "University").then_some(found)
}

/// 清华大学 of 清华大学计算机系; 浙江大学城市学院 is one of its own.
fn without_chinese_school(name: &str) -> &str {
    let end = name.rfind("大学").map_or(0, |at| at + "大学".len());
    let (whole, school) = name.split_at_checked(end).unwrap_or((name, ""));
    let is_school = CHINESE_SCHOOLS.iter().any(|unit| school.ends_with(unit));
    match !whole.is_empty() && is_school && is_chinese_fragment(school) {
        true => whole,
        false => name,
    }
}

/// “City University of Hong” is nobody but the City University of Hong Kong.
fn completed(name: &str) -> String {
    let lower = name.to_lowercase();
    // There are more of these than the table has.
    if is_nobody(name) {
        return name.to_owned();
    }
    if !(lower.contains("university of ") || lower.ends_with(" of")) || !Place::all_in(name).is_empty() {
        return name.to_owned();
    }
    Place::completing(name).map_or_else(|| name.to_owned(), str::to_owned)
}

/// “TSINGHUA UNIVERSITY” in the letters of a name; “CNRS” and “MIT CSAIL” are names.
fn unshouted(name: &str) -> String {
    let shouts =
        !name.chars().any(char::is_lowercase) && name.split_whitespace().any(|word| word.len() > 6 && word.is_ascii());
    if !shouts || !name.contains(' ') {
        return name.to_owned();
    }
    let words = name.split_whitespace().enumerate().map(|(at, word)| {
        let lower = word.to_lowercase();
        let small = ["of", "and", "the", "for", "in", "at", "de", "on"].contains(&lower.as_str());
        if small && at > 0 {
            return lower;
        }
        let mut out = String::with_capacity(word.len());
        let mut begins = true;
        for c in word.chars() {
            if begins {
                out.push(c);
            } else {
                out.extend(c.to_lowercase());
            }
            begins = matches!(c, '-' | '/' | '(');
        }
        out
    });
    words.collect::<Vec<_>>().join(" ")
}

// ---- what is no institution of its own ----

/// Countries, states and cities as addresses name them, folded; sorted.
#[rustfmt::skip]
const GEOGRAPHY: [&str; 219] = [
    "aachen", "abu dhabi", "adelaide", "amsterdam", "ann arbor", "argentina", "atlanta", "austin", "australia",
    "austria", "ba", "baltimore", "bangalore", "bangladesh", "barcelona", "beijing", "belgium", "bengaluru", "berkeley",
    "berlin", "birmingham", "bologna", "boston", "brazil", "brisbane", "brussels", "bulgaria", "ca", "california",
    "cambridge", "canada", "canberra", "changchun", "changsha", "chengdu", "chennai", "chicago", "chile", "china",
    "chongqing", "clemson", "colombia", "copenhagen", "cuba", "czech republic", "daejeon", "dalian", "dallas", "delft",
    "delhi", "denmark", "dresden", "dubai", "dublin", "edinburgh", "egypt", "england", "erlangen", "espoo", "estonia",
    "evanston", "finland", "florida", "france", "frankfurt", "fuzhou", "gainesville", "geneva", "genoa", "georgia",
    "germany", "grenoble", "guangdong", "guangzhou", "guilin", "guiyang", "haifa", "hamburg", "hangzhou", "harbin",
    "hefei", "heidelberg", "helsinki", "hong kong", "hong kong sar", "houston", "hungary", "hyderabad", "illinois",
    "india", "indonesia", "iran", "iraq", "ireland", "israel", "istanbul", "italy", "ithaca", "japan", "jinan",
    "karlsruhe", "korea", "kunming", "kyoto", "lahore", "lanzhou", "lausanne", "leuven", "lille", "lisbon", "london",
    "los angeles", "lyon", "ma", "macao", "macau", "macau sar", "madison", "madrid", "malaysia", "manchester",
    "massachusetts", "melbourne", "mexico", "miami", "michigan", "milan", "montreal", "moscow", "mountain view",
    "mumbai", "munich", "nagoya", "nanchang", "nanjing", "netherlands", "new haven", "new jersey", "new york",
    "new zealand", "ningbo", "norway", "nsw", "ny", "osaka", "oslo", "ottawa", "oxford", "pa", "pakistan", "palo alto",
    "paris", "people's republic of china", "philadelphia", "pittsburgh", "poland", "portugal", "prague", "princeton",
    "qatar", "qingdao", "raleigh", "redmond", "republic of korea", "romania", "rome", "russia", "san diego",
    "san francisco", "san jose", "santa clara", "saudi arabia", "seattle", "seoul", "shanghai", "shenyang", "shenzhen",
    "singapore", "slovenia", "south korea", "spain", "stanford", "stockholm", "stuttgart", "suzhou", "sweden",
    "switzerland", "sydney", "taipei", "taiwan", "tampa", "tehran", "tel aviv", "texas", "the netherlands", "thuwal",
    "tianjin", "tokyo", "toronto", "turin", "turkey", "uae", "uk", "united kingdom", "united states", "urumqi", "us",
    "usa", "vancouver", "vienna", "vietnam", "virginia", "warsaw", "washington", "west lafayette", "wuhan", "xi'an",
    "yorktown heights", "zurich",
];

fn is_geography(text: &str) -> bool {
    let plain = text::fold(text).replace('’', "'");
    let plain = plain.trim_matches(|c: char| c.is_whitespace() || c == '.');
    let known = |name: &str| GEOGRAPHY.binary_search(&name).is_ok();
    #[rustfmt::skip]
    const CHINESE: [&str; 20] = [
        "中国", "北京", "上海", "广州", "深圳", "杭州", "南京", "武汉", "西安", "成都", "合肥", "天津", "香港", "澳门", "台湾", "美国",
        "英国", "日本", "韩国", "新加坡",
    ];
    known(plain)
        || CHINESE.iter().any(|name| plain.trim_end_matches('市') == *name)
        || matches!(
            plain,
            "p.r. china" | "p. r. china" | "pr china" | "p.r.china" | "u.s.a" | "u.s" | "u.k" | "zürich"
        )
}

/// A part of a postal address.
fn is_address(part: &str) -> bool {
    if is_geography(part) {
        return true;
    }
    let lower = part.to_lowercase();
    // A conference and its year.
    let venue = lower.contains(" '2") || lower.contains(" ’2");
    if venue {
        return true;
    }
    if names_institution(part) || !Place::all_in(part).is_empty() {
        return false;
    }
    let last = lower.split_whitespace().next_back().unwrap_or_default();
    #[rustfmt::skip]
    const STREETS: [&str; 22] = [
        "district", "province", "village", "street", "st", "road", "rd", "avenue", "ave", "city", "county", "campus", "drive",
        "boulevard", "blvd", "building", "floor", "room", "state", "country", "district,", "sar",
    ];
    let code = lower.split_whitespace().any(|word| {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        digits >= 3 && digits * 2 >= word.len()
    });
    // “Beijing 100084”: what is left without the number is a place.
    let words = lower
        .split_whitespace()
        .filter(|word| !word.bytes().any(|b| b.is_ascii_digit()));
    let without = words.collect::<Vec<_>>().join(" ");
    STREETS.contains(&last) || code || is_geography(&without) || lower.starts_with("p.o. box")
}

/// Whether a folded word names a field or joins two.
fn is_field(word: &str) -> bool {
    #[rustfmt::skip]
    const FIELDS: [&str; 70] = [
        "advanced", "ai", "aided", "algorithms", "analysis", "analytics", "and", "applied", "artificial", "audio", "automation",
        "big", "brain", "clinical", "cloud", "cognitive", "communication", "communications", "compilers", "computational",
        "computer", "computing", "control", "cyber", "data", "design", "digital", "electrical", "electronic", "electronics",
        "engineering", "for", "graphics", "health", "human", "imaging", "informatics", "information", "intelligence",
        "intelligent", "interaction", "knowledge", "language", "learning", "machine", "mathematics", "media", "medical", "natural", "network",
        "neural", "nlp", "of", "pattern", "processing", "recognition", "robotics", "science", "sciences", "security", "software",
        "speech", "systems", "deep", "multimedia", "multimodal", "perception", "autonomous", "embedded", "parallel",
    ];
    const MORE: [&str; 8] = [
        "the",
        "theory",
        "vision",
        "visual",
        "technology",
        "istd",
        "research",
        "wireless",
    ];
    FIELDS.contains(&word) || MORE.contains(&word) || word == "&"
}

fn opens_as_fragment(lower: &str) -> bool {
    #[rustfmt::skip]
    const OPENERS: [&str; 36] = [
        "school of ", "school for ", "schools of ", "department ", "departments of ", "dept ", "dept. ", "faculty of ",
        "college of ", "division ", "institute of ", "institute for ", "center for ", "centre for ", "center of ",
        "centre of ", "graduate school", "laboratory of ", "laboratory for ", "lab of ", "chair of ", "group of ", "section of ",
        "state key lab", "national key lab", "key lab", "moe key lab", "moe lab", "ministry of education", "engineering research center",
        "national engineering", "research center of ", "research center for ", "advanced research center", "academy of medical", "program ",
    ];
    OPENERS.iter().any(|opener| lower.starts_with(opener)) || matches!(lower, "department" | "school")
}

/// A part of an institution that does not say which: “School of Computer Science”, “NLP Lab”, “计算机学院”.
pub(crate) fn is_fragment(part: &str) -> bool {
    if !Place::all_in(part).is_empty() {
        return false;
    }
    let lower = part.to_lowercase();
    if opens_as_fragment(&lower) {
        // Institutes of science are institutions (Institute of Science and Technology Austria).
        return !(lower.starts_with("institute of science") || lower.contains(" university"));
    }
    if part.chars().any(is_han) {
        return is_chinese_fragment(part);
    }
    // “Elmore Family School of Electrical Engineering”, “Genetics and Genomics”.
    let unit_of_field = [" school of ", " department of "].iter().any(|unit| {
        let field = lower.split_once(unit).and_then(|(_, rest)| rest.split(' ').next());
        field.is_some_and(is_field)
    });
    let words = lower.split(' ').count();
    if unit_of_field || !names_institution(part) && words > 2 && lower.contains(" and ") {
        return true;
    }
    is_unit_of_fields(&lower)
}

/// A unit of which every word is a field's: “Pattern Recognition Lab”, “Big Data Institute”.
fn is_unit_of_fields(lower: &str) -> bool {
    #[rustfmt::skip]
    const UNITS: [&str; 15] = [
        "lab", "lab.", "labs", "laboratory", "laboratories", "group", "team", "school", "department", "division", "center",
        "centre", "institute", "pillar", "unit",
    ];
    let words: Vec<&str> = lower.split(|c: char| c.is_whitespace() || c == '-').collect();
    let is_unit = words.last().is_some_and(|last| UNITS.contains(last));
    let fields = words.iter().rev().skip(1);
    is_unit && fields.into_iter().all(|word| is_field(word))
}

/// A fragment that says more than its institution's name does, and can stand behind it: “NLP Lab”, 自然语言处理实验室.
fn is_unit(fragment: &str) -> bool {
    #[rustfmt::skip]
    const UNITS: [&str; 8] = [" lab", " laboratory", " group", " team", " center", " centre", " institute", " labs"];
    if !is_fragment(fragment) {
        return false;
    }
    if fragment.chars().any(is_han) {
        return ["实验室", "课题组", "研究中心", "研究所"]
            .iter()
            .any(|unit| fragment.ends_with(unit))
            && !fragment.contains("重点");
    }
    let lower = fragment.to_lowercase();
    let joins = [" and ", " & "].iter().any(|joint| lower.contains(joint));
    UNITS.iter().any(|unit| lower.ends_with(unit)) && !joins && !opens_as_fragment(&lower) && is_unit_of_fields(&lower)
}

/// A fragment beside others that can be an institution where nothing else is named: Institute for Advanced Study.
fn is_independent(fragment: &str) -> bool {
    let lower = fragment.to_lowercase();
    let openers = ["institute of ", "institute for ", "center for ", "centre for "];
    let field = |opener: &&str| {
        lower
            .strip_prefix(*opener)
            .is_some_and(|rest| rest.split(' ').all(is_field))
    };
    let opener = openers.iter().find(|opener| lower.starts_with(**opener));
    opener.is_some_and(|opener| !field(opener))
}

/// What the parts of a Chinese university end with that say no more than its name.
const CHINESE_SCHOOLS: [&str; 2] = ["学院", "系"];

/// 计算机科学与技术学院, 自然语言处理实验室; but 南京工程学院 and 之江实验室 are institutions.
fn is_chinese_fragment(part: &str) -> bool {
    #[rustfmt::skip]
    const UNITS: [&str; 12] = [
        "国家重点实验室", "全国重点实验室", "重点实验室", "实验室", "课题组", "教研室", "研究中心", "工程中心", "研究所", "学院", "系",
        "学部",
    ];
    #[rustfmt::skip]
    const FIELDS: [&str; 58] = [
        "人工智能", "计算机", "计算", "软件", "信息", "电子", "电气", "通信", "网络空间", "网络", "空间", "安全", "自动化", "控制",
        "工程", "科学", "技术", "数学", "统计", "物理", "化学", "生物", "医学", "机械", "材料", "数据", "大数据", "智能", "机器人",
        "集成电路", "微电子", "光电", "光学", "遥感", "测绘", "管理", "经济", "自然语言", "语言", "语音", "视觉", "图像", "多媒体",
        "机器", "学习", "模式", "识别", "处理", "系统", "认知", "媒体", "交通", "能源", "环境", "应用", "学", "与", "和",
    ];
    const OPENERS: [&str; 4] = ["教育部", "国家", "省部共建", "先进"];
    let plain: String = part.chars().filter(|c| !c.is_whitespace()).collect();
    let Some(mut rest) = UNITS.iter().find_map(|unit| plain.strip_suffix(unit)) else {
        return false;
    };
    while let Some(shorter) = FIELDS.iter().chain(&OPENERS).find_map(|word| rest.strip_prefix(word)) {
        rest = shorter;
    }
    rest.is_empty()
}

// ---- each once ----

/// Each institution once, with its unit where every mention of it has that. “Qingquan Song LinkedIn” is a person's name
/// before one that the list has; one that a later name spells as the table does takes that spelling.
fn once(names: Vec<(String, Option<String>)>) -> Vec<String> {
    let behind_a_person = |name: &String| {
        names.iter().any(|(other, _)| {
            let person = name
                .strip_suffix(other.as_str())
                .and_then(|rest| rest.strip_suffix(' '));
            person.is_some_and(|person| !names_institution(person) && (2..=3).contains(&person.split(' ').count()))
        })
    };
    let mut kept: Vec<Institution> = Vec::new();
    for (name, unit) in names.iter().filter(|(name, _)| !behind_a_person(name)) {
        let places = Place::all_in(name);
        let folded = text::fold(name);
        let key = text::key(folded.strip_prefix("the ").unwrap_or(&folded));
        let same = |known: &&mut Institution| known.key == key || !places.is_empty() && known.places == places;
        match kept.iter_mut().find(same) {
            Some(known) => {
                if known.unit != *unit {
                    known.unit = None;
                }
                let both_latin = known.name.is_ascii() == name.is_ascii();
                if both_latin
                    && known.key != key
                    && Place::named(&known.name).is_none()
                    && Place::named(name).is_some()
                    && !names_unit(&known.name)
                {
                    (known.key, known.name) = (key, name.clone());
                }
            }
            None => kept.push(Institution {
                places,
                key,
                name: name.clone(),
                unit: unit.clone(),
            }),
        }
    }
    let read = |known: Institution| match known.unit {
        Some(unit) => with_unit(&known.name, &unit),
        None => known.name,
    };
    kept.into_iter().map(read).take(MAX_INSTITUTIONS).collect()
}

/// An institution of a list.
struct Institution {
    places: Vec<Place>,
    key: String,
    name: String,
    unit: Option<String>,
}

/// Whether it names a part that has a name of its own: Huawei Noah's Ark Lab.
fn names_unit(name: &str) -> bool {
    let lower = name.to_lowercase();
    ["lab", "research", "institute", "center", "centre"]
        .iter()
        .any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(raw: &str) -> Vec<String> {
        repaired(&[raw])
    }

    #[test]
    fn institutions_are_split_between_and_not_within() {
        for (raw, names) in [
            ("", vec![]),
            ("LORIA, CNRS", vec!["LORIA", "CNRS"]),
            (
                "清华大学、字节跳动公司和北京大学",
                vec!["清华大学", "字节跳动公司", "北京大学"],
            ),
            ("中国科学技术大学，和平医院", vec!["中国科学技术大学", "和平医院"]),
            (
                "School of Computer Science and Engineering; Tsinghua University and ETH Research",
                vec![
                    "School of Computer Science and Engineering",
                    "Tsinghua University",
                    "ETH Research",
                ],
            ),
            (
                "University of Science and Technology of China, University of California, San Diego",
                vec![
                    "University of Science and Technology of China",
                    "University of California, San Diego",
                ],
            ),
            ("Lambda, Inc, Rice University", vec!["Lambda, Inc", "Rice University"]),
            (
                "¹College of Computing, Equal Contribution",
                vec!["College of Computing"],
            ),
            (
                "Purdue University (Fort Wayne, LORIA, LORIA",
                vec!["Purdue University (Fort Wayne)", "LORIA"],
            ),
            ("Lab (A, B), C", vec!["Lab (A, B)", "C"]),
        ] {
            assert_eq!(split(raw), names, "{raw}");
        }
    }

    #[test]
    fn a_fragment_stands_for_its_university_and_goes() {
        for (raw, names) in [
            (
                "School of Computer Science, The University of Manchester",
                vec!["The University of Manchester"],
            ),
            (
                "Northeastern University, NLP Lab, Kunming University of Science and Technology",
                vec![
                    "Northeastern University",
                    "Kunming University of Science and Technology",
                ],
            ),
            (
                "Nanjing University, State Key Laboratory for Novel Software Technology",
                vec!["Nanjing University"],
            ),
            (
                "Department of Bioengineering Rice University Houston, Yale University New Haven",
                vec!["Rice University", "Yale University"],
            ),
            ("北京大学，计算机学院", vec!["北京大学"]),
            // Nobody knows whose.
            ("School of Computer Science, NLP Lab", vec![]),
            (
                "Imperial College London, Dartmouth College",
                vec!["Imperial College London", "Dartmouth College"],
            ),
        ] {
            assert_eq!(of(raw), names, "{raw}");
        }
    }

    #[test]
    fn a_fragment_is_put_to_its_institution_only_where_it_is_certain_whose_it_is() {
        for (raw, names) in [
            // One affiliation.
            (
                "NLP Lab, Tsinghua University, Beijing 100084, China",
                vec!["Tsinghua University NLP Lab"],
            ),
            (
                "University of Probes, Dept. of CS, Machine Learning Group",
                vec!["University of Probes Machine Learning Group"],
            ),
            (
                "Department of ECE\nUniversity of Probes\nProbeville 12345",
                vec!["University of Probes"],
            ),
            ("自然语言处理实验室，清华大学", vec!["清华大学自然语言处理实验室"]),
            // Marks and semicolons part affiliations.
            ("1 School of AI, 2 University of Probes", vec!["University of Probes"]),
            ("1 NLP Lab 2 University of Probes", vec!["University of Probes"]),
            (
                "1 NLP Lab, University of Probes 2 MIT",
                vec!["University of Probes NLP Lab", "MIT"],
            ),
            (
                "¹NLP Lab ²MIT ¹University of Probes",
                vec!["University of Probes NLP Lab", "MIT"],
            ),
            (
                "Vision Lab, Fudan University; NLP Lab, Nankai University",
                vec!["Fudan University Vision Lab", "Nankai University NLP Lab"],
            ),
            // Two institutions beside it, two laboratories, or no institution.
            (
                "Fudan University, NLP Lab, Nankai University",
                vec!["Fudan University", "Nankai University"],
            ),
            ("NLP Lab, Vision Group, Fudan University", vec!["Fudan University"]),
            ("Ada Lund, NLP Lab", vec!["Ada Lund"]),
            ("NLP Lab, 计算机学院, Dept. of Physics", vec![]),
            // What every mention has, and what only one has.
            (
                "NLP Lab, Fudan University; MIT; NLP Lab, The Fudan University",
                vec!["Fudan University NLP Lab", "MIT"],
            ),
            (
                "NLP Lab, Fudan University; School of AI, Fudan University; MIT",
                vec!["Fudan University", "MIT"],
            ),
            // Schools say no more than their university.
            (
                "1. School of EECS, Peking University; 2. 清华大学计算机系",
                vec!["Peking University", "清华大学"],
            ),
            (
                "清华大学计算机科学与技术系, 北京大学 信息科学技术学院",
                vec!["清华大学", "北京大学"],
            ),
            ("计算机学院, 国防科技大学, 长沙", vec!["国防科技大学", "长沙"]),
            // What only looks like one.
            (
                "南京工程学院, 之江实验室, 浙江大学城市学院",
                vec!["南京工程学院", "之江实验室", "浙江大学城市学院"],
            ),
            ("Institute for Advanced Study", vec!["Institute for Advanced Study"]),
            ("Institute of Artificial Intelligence", vec![]),
            (
                "Institute of Automation, Chinese Academy of Sciences",
                vec!["Institute of Automation, Chinese Academy of Sciences"],
            ),
            ("University of Science and Technology, MIT", vec!["MIT"]),
        ] {
            assert_eq!(of(raw), names, "{raw}");
        }
        let authors = |authors: &[&[&str]]| by_author(authors);
        // One author's laboratory, and two authors of whom it is not known.
        assert_eq!(
            authors(&[&["NLP Lab", "Fudan University"], &["MIT"]]),
            ["Fudan University NLP Lab", "MIT"]
        );
        assert_eq!(
            authors(&[&["NLP Lab"], &["Fudan University"], &["MIT"]]),
            ["Fudan University", "MIT"]
        );
        assert_eq!(
            authors(&[&["NLP Lab", "Fudan University", "MIT"]]),
            ["Fudan University", "MIT"]
        );
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "how long it takes is what is looked at")]
    fn a_text_of_nothing_but_short_names_is_read_in_no_time() {
        let letters = || ('a'..='z').chain('α'..='ω');
        let pairs = letters().flat_map(|a| letters().map(move |b| format!("{a}{b}")));
        let text = pairs.collect::<Vec<_>>().join(",");
        let begun = std::time::Instant::now();
        let found = of(&text);
        let took = begun.elapsed();
        assert!(
            found.len() == MAX_INSTITUTIONS && took < std::time::Duration::from_secs(10),
            "{took:?}"
        );
    }

    #[test]
    fn what_is_on_a_title_page_beside_institutions_goes() {
        for (raw, names) in [
            (
                "1 Tsinghua University, Beijing 100084, P.R. China 2 ByteDance Seed, {a.b, c}@bytedance.com",
                vec!["Tsinghua University", "ByteDance Seed"],
            ),
            (
                "Ada Lund ada@kth.se, KTH Royal Institute of Technology, Stockholm, Sweden",
                vec!["Ada Lund", "KTH Royal Institute of Technology"],
            ),
            (
                "Alibaba Cloud 3 Nanchang Research Institute",
                vec!["Alibaba Cloud", "Nanchang Research Institute"],
            ),
            (
                "Fudan University † DEI, Equal Contribution, * Corresponding author",
                vec!["Fudan University", "DEI"],
            ),
            (
                "Sun Yat-sen University, SC '25, University of Macau Macau SAR",
                vec!["Sun Yat-sen University", "University of Macau"],
            ),
            (
                "Beijing Jiaotong University No, Haidian District, Shangyuan Village",
                vec!["Beijing Jiaotong University"],
            ),
            ("Université Lyon 1, UMR 5205", vec!["Université Lyon 1"]),
            ("4Paradigm, 1Peking University", vec!["4Paradigm", "Peking University"]),
            (".0/1 MIT, /Universi AI", vec!["MIT", "Universi AI"]),
        ] {
            assert_eq!(of(raw), names, "{raw}");
        }
    }

    #[test]
    fn each_institution_counts_once_under_the_name_that_came_first() {
        for (raw, names) in [
            ("清华大学, Tsinghua University, THU", vec!["清华大学"]),
            ("Tsinghua University, 清华大学", vec!["Tsinghua University"]),
            (
                "Zhipeng Wang LinkedIn, LinkedIn, MIT, Massachusetts Institute of Technology",
                vec!["LinkedIn", "MIT"],
            ),
            (
                "The University of Sydney, University of Sydney",
                vec!["The University of Sydney"],
            ),
            (
                "TSINGHUA UNIVERSITY, MIT CSAIL, CNRS",
                vec!["Tsinghua University", "MIT CSAIL", "CNRS"],
            ),
            (
                "Stanford University, Shanghai Jiao, Tong University",
                vec!["Stanford University", "Shanghai Jiao Tong University"],
            ),
            (
                "Tencent, City University of Hong, Princeton University Princeton",
                vec!["Tencent", "City University of Hong Kong", "Princeton University"],
            ),
            (
                "The University of Hong Kong Hong Kong",
                vec!["The University of Hong Kong"],
            ),
        ] {
            assert_eq!(of(raw), names, "{raw}");
        }
    }

    #[test]
    fn the_table_of_places_is_sorted() {
        assert!(GEOGRAPHY.is_sorted());
    }

    /// Prints the figures of docs/JUDGEMENT.md.
    #[test]
    fn real_lists_are_printed_for_reading() {
        let (mut lists, mut names, mut fragments, mut kept, mut with, mut left) = (0, 0, 0, 0, 0, 0);
        for (name, text) in crate::tests::real_reports() {
            let Ok(report) = crate::report::read(&text) else {
                continue;
            };
            for entry in report.entries.iter().filter(|entry| !entry.institutions.is_empty()) {
                let (before, after) = (split(&entry.institutions), of(&entry.institutions));
                println!("{name}\n  {}\n  {}", entry.institutions, after.join(" | "));
                lists += 1;
                names += before.len();
                fragments += before.iter().filter(|name| is_fragment(name)).count();
                kept += after.len();
                with += after
                    .iter()
                    .filter(|name| before.iter().any(|unit| is_unit(unit) && name.ends_with(unit)))
                    .count();
                left += after.iter().filter(|name| is_fragment(name)).count();
                assert!(!after.is_empty(), "{}", entry.institutions);
                assert!(after.len() <= before.len() + 3);
                let lines: Vec<&str> = after.iter().map(String::as_str).collect();
                assert_eq!(repaired(&lines), after);
            }
        }
        println!(
            "{lists} lists, {names} names of which {fragments} fragments; {kept} kept, {with} with a unit, {left} fragments"
        );
        assert_eq!(left, 0);
    }

    proptest! {
        #[test]
        fn repairing_is_bounded_and_repairing_again_changes_nothing(
            names in prop::collection::vec(prop_oneof![
                Just("School of Computer Science"), Just("Tsinghua University"), Just("清华大学"), Just("NLP Lab"), Just("a@b.c"),
                Just("Shanghai Jiao"), Just("Tong University"), Just("Beijing 100084"), Just("China"), Just("Yale University New Haven"),
                Just("City University of Hong"), Just("1 MIT 2 CNRS"), Just("HARBIN INSTITUTE OF TECHNOLOGY"), Just("* Equal contribution"),
            ], 0..8),
            noise in r"\PC{0,30}",
        ) {
            let mut all: Vec<&str> = names.clone();
            all.push(&noise);
            let once = repaired(&all);
            prop_assert!(once.len() <= MAX_INSTITUTIONS && once.iter().all(|name| !name.is_empty() && name.len() <= MAX_NAME));
            let clean = repaired(&names);
            prop_assert_eq!(&repaired(&clean), &clean);
        }

        #[test]
        fn institutions_stand_in_the_authors_order_and_none_is_invented(
            authors in prop::collection::vec((
                prop::collection::vec(prop::sample::select(vec![
                    "Fudan University", "University of Probes", "MIT", "Acme Research", "复旦大学", "南开大学", "ETH Zurich", "Nankai University",
                ]), 0..3),
                prop::collection::vec(prop::sample::select(vec![
                    "NLP Lab", "School of Computer Science", "Department of ECE", "Vision Group", "自然语言处理实验室", "计算机学院",
                ]), 0..3),
                any::<bool>(), prop::sample::select(vec![", ", "; ", "\n"]),
            ), 0..5),
        ) {
            let said: Vec<Vec<String>> = authors.iter().map(|(whole, parts, first, between)| {
                let (one, other) = if *first { (parts, whole) } else { (whole, parts) };
                let all: Vec<&str> = one.iter().chain(other).copied().collect();
                vec![all.join(between)]
            }).collect();
            let found = by_author(&said);
            let once_again: Vec<&str> = found.iter().map(String::as_str).collect();
            prop_assert_eq!(&repaired(&once_again), &found);
            // In the order of their first mention, each with at most one unit behind it.
            let mut order: Vec<&str> = Vec::new();
            for name in authors.iter().flat_map(|(whole, ..)| whole) {
                let same = |known: &&&str| Place::named(known).is_some() && Place::named(known) == Place::named(name) || *known == name;
                if order.iter().find(same).is_none() {
                    order.push(name);
                }
            }
            prop_assert_eq!(found.len(), order.len());
            for (found, first) in found.iter().zip(order) {
                let unit = found.strip_prefix(first).map(str::trim);
                prop_assert!(unit.is_some_and(|unit| unit.is_empty() || is_unit(unit)), "{} of {}", found, first);
                prop_assert!(!is_fragment(found));
            }
        }
    }
}
