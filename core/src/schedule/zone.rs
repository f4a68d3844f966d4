//! Where somebody's clock stands, as they say it: `Europe/Berlin`, `berlin`, `北京`, `utc+8`. A name that means several zones
//! is asked about, never guessed: who types EST may want New York's summer time or none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use chrono_tz::{TZ_VARIANTS, Tz};

use crate::locale::Lang;
use crate::text::{fold, one_line};

/// The longest name, in characters.
const MAX_NAME: usize = 60;
/// How many zones a suggestion names at most.
const SUGGESTED: usize = 3;

/// Why a text names no zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// There is none.
    #[error("no time zone is named")]
    Empty,
    /// It is longer than any name.
    #[error("a time zone's name has at most {MAX_NAME} characters")]
    TooLong,
    /// No zone and no city that is known here.
    #[error("“{what}” is no time zone that is known")]
    Unknown {
        /// The name.
        what: String,
        /// Those that are written nearly so, nearest first.
        near: Vec<Tz>,
    },
    /// Several zones whose clocks differ.
    #[error("“{what}” means several time zones")]
    Ambiguous {
        /// The name.
        what: String,
        /// What it may mean, likeliest first.
        choices: Vec<Tz>,
    },
    /// No clock is that far from UTC, or none all the year.
    #[error("there is no time zone “{what}” that is the same all the year")]
    NoSuchOffset {
        /// The offset.
        what: String,
        /// Zones that have it for a part of the year.
        choices: Vec<Tz>,
    },
}

/// What people call a zone that the IANA does not: cities that are not named in it, countries with one zone, Chinese names,
/// abbreviations that mean one zone. Folded, with `_` for a space.
const NAMES: &[(&str, Tz)] = &[
    ("北京", Tz::Asia__Shanghai),
    ("上海", Tz::Asia__Shanghai),
    ("中国", Tz::Asia__Shanghai),
    ("深圳", Tz::Asia__Shanghai),
    ("广州", Tz::Asia__Shanghai),
    ("杭州", Tz::Asia__Shanghai),
    ("南京", Tz::Asia__Shanghai),
    ("成都", Tz::Asia__Shanghai),
    ("武汉", Tz::Asia__Shanghai),
    ("西安", Tz::Asia__Shanghai),
    ("合肥", Tz::Asia__Shanghai),
    ("重庆", Tz::Asia__Shanghai),
    ("香港", Tz::Asia__Hong_Kong),
    ("澳门", Tz::Asia__Macau),
    ("台北", Tz::Asia__Taipei),
    ("台湾", Tz::Asia__Taipei),
    ("东京", Tz::Asia__Tokyo),
    ("大阪", Tz::Asia__Tokyo),
    ("日本", Tz::Asia__Tokyo),
    ("首尔", Tz::Asia__Seoul),
    ("韩国", Tz::Asia__Seoul),
    ("新加坡", Tz::Asia__Singapore),
    ("曼谷", Tz::Asia__Bangkok),
    ("河内", Tz::Asia__Bangkok),
    ("雅加达", Tz::Asia__Jakarta),
    ("吉隆坡", Tz::Asia__Kuala_Lumpur),
    ("印度", Tz::Asia__Kolkata),
    ("新德里", Tz::Asia__Kolkata),
    ("孟买", Tz::Asia__Kolkata),
    ("迪拜", Tz::Asia__Dubai),
    ("以色列", Tz::Asia__Jerusalem),
    ("伊斯坦布尔", Tz::Europe__Istanbul),
    ("莫斯科", Tz::Europe__Moscow),
    ("伦敦", Tz::Europe__London),
    ("英国", Tz::Europe__London),
    ("剑桥", Tz::Europe__London),
    ("牛津", Tz::Europe__London),
    ("爱丁堡", Tz::Europe__London),
    ("都柏林", Tz::Europe__Dublin),
    ("巴黎", Tz::Europe__Paris),
    ("法国", Tz::Europe__Paris),
    ("柏林", Tz::Europe__Berlin),
    ("慕尼黑", Tz::Europe__Berlin),
    ("德国", Tz::Europe__Berlin),
    ("苏黎世", Tz::Europe__Zurich),
    ("瑞士", Tz::Europe__Zurich),
    ("阿姆斯特丹", Tz::Europe__Amsterdam),
    ("荷兰", Tz::Europe__Amsterdam),
    ("罗马", Tz::Europe__Rome),
    ("意大利", Tz::Europe__Rome),
    ("马德里", Tz::Europe__Madrid),
    ("西班牙", Tz::Europe__Madrid),
    ("斯德哥尔摩", Tz::Europe__Stockholm),
    ("赫尔辛基", Tz::Europe__Helsinki),
    ("纽约", Tz::America__New_York),
    ("波士顿", Tz::America__New_York),
    ("华盛顿", Tz::America__New_York),
    ("匹兹堡", Tz::America__New_York),
    ("美东", Tz::America__New_York),
    ("美国东部", Tz::America__New_York),
    ("芝加哥", Tz::America__Chicago),
    ("美国中部", Tz::America__Chicago),
    ("丹佛", Tz::America__Denver),
    ("洛杉矶", Tz::America__Los_Angeles),
    ("旧金山", Tz::America__Los_Angeles),
    ("硅谷", Tz::America__Los_Angeles),
    ("西雅图", Tz::America__Los_Angeles),
    ("美西", Tz::America__Los_Angeles),
    ("美国西部", Tz::America__Los_Angeles),
    ("多伦多", Tz::America__Toronto),
    ("蒙特利尔", Tz::America__Toronto),
    ("温哥华", Tz::America__Vancouver),
    ("圣保罗", Tz::America__Sao_Paulo),
    ("悉尼", Tz::Australia__Sydney),
    ("墨尔本", Tz::Australia__Melbourne),
    ("奥克兰", Tz::Pacific__Auckland),
    ("新西兰", Tz::Pacific__Auckland),
    ("beijing", Tz::Asia__Shanghai),
    ("china", Tz::Asia__Shanghai),
    ("shenzhen", Tz::Asia__Shanghai),
    ("guangzhou", Tz::Asia__Shanghai),
    ("hangzhou", Tz::Asia__Shanghai),
    ("nanjing", Tz::Asia__Shanghai),
    ("wuhan", Tz::Asia__Shanghai),
    ("chengdu", Tz::Asia__Shanghai),
    ("hefei", Tz::Asia__Shanghai),
    ("osaka", Tz::Asia__Tokyo),
    ("kyoto", Tz::Asia__Tokyo),
    ("korea", Tz::Asia__Seoul),
    ("daejeon", Tz::Asia__Seoul),
    ("taiwan", Tz::Asia__Taipei),
    ("hsinchu", Tz::Asia__Taipei),
    ("hanoi", Tz::Asia__Bangkok),
    ("india", Tz::Asia__Kolkata),
    ("delhi", Tz::Asia__Kolkata),
    ("new_delhi", Tz::Asia__Kolkata),
    ("mumbai", Tz::Asia__Kolkata),
    ("bangalore", Tz::Asia__Kolkata),
    ("bengaluru", Tz::Asia__Kolkata),
    ("hyderabad", Tz::Asia__Kolkata),
    ("chennai", Tz::Asia__Kolkata),
    ("abu_dhabi", Tz::Asia__Dubai),
    ("haifa", Tz::Asia__Jerusalem),
    ("uk", Tz::Europe__London),
    ("england", Tz::Europe__London),
    ("cambridge", Tz::Europe__London),
    ("oxford", Tz::Europe__London),
    ("edinburgh", Tz::Europe__London),
    ("manchester", Tz::Europe__London),
    ("ireland", Tz::Europe__Dublin),
    ("france", Tz::Europe__Paris),
    ("grenoble", Tz::Europe__Paris),
    ("germany", Tz::Europe__Berlin),
    ("munich", Tz::Europe__Berlin),
    ("frankfurt", Tz::Europe__Berlin),
    ("hamburg", Tz::Europe__Berlin),
    ("heidelberg", Tz::Europe__Berlin),
    ("tubingen", Tz::Europe__Berlin),
    ("switzerland", Tz::Europe__Zurich),
    ("geneva", Tz::Europe__Zurich),
    ("lausanne", Tz::Europe__Zurich),
    ("netherlands", Tz::Europe__Amsterdam),
    ("austria", Tz::Europe__Vienna),
    ("italy", Tz::Europe__Rome),
    ("milan", Tz::Europe__Rome),
    ("spain", Tz::Europe__Madrid),
    ("barcelona", Tz::Europe__Madrid),
    ("sweden", Tz::Europe__Stockholm),
    ("finland", Tz::Europe__Helsinki),
    ("kiev", Tz::Europe__Kyiv),
    ("nyc", Tz::America__New_York),
    ("boston", Tz::America__New_York),
    ("washington", Tz::America__New_York),
    ("washington_dc", Tz::America__New_York),
    ("pittsburgh", Tz::America__New_York),
    ("princeton", Tz::America__New_York),
    ("philadelphia", Tz::America__New_York),
    ("atlanta", Tz::America__New_York),
    ("eastern", Tz::America__New_York),
    ("us/east", Tz::America__New_York),
    ("austin", Tz::America__Chicago),
    ("dallas", Tz::America__Chicago),
    ("houston", Tz::America__Chicago),
    ("central", Tz::America__Chicago),
    ("mountain", Tz::America__Denver),
    ("san_francisco", Tz::America__Los_Angeles),
    ("sf", Tz::America__Los_Angeles),
    ("bay_area", Tz::America__Los_Angeles),
    ("silicon_valley", Tz::America__Los_Angeles),
    ("stanford", Tz::America__Los_Angeles),
    ("berkeley", Tz::America__Los_Angeles),
    ("palo_alto", Tz::America__Los_Angeles),
    ("seattle", Tz::America__Los_Angeles),
    ("redmond", Tz::America__Los_Angeles),
    ("san_diego", Tz::America__Los_Angeles),
    ("la", Tz::America__Los_Angeles),
    ("california", Tz::America__Los_Angeles),
    ("pacific", Tz::America__Los_Angeles),
    ("montreal", Tz::America__Toronto),
    ("ottawa", Tz::America__Toronto),
    ("waterloo", Tz::America__Toronto),
    ("rio", Tz::America__Sao_Paulo),
    ("canberra", Tz::Australia__Sydney),
    ("wellington", Tz::Pacific__Auckland),
    ("z", Tz::UTC),
    ("bjt", Tz::Asia__Shanghai),
    ("jst", Tz::Asia__Tokyo),
    ("kst", Tz::Asia__Seoul),
    ("hkt", Tz::Asia__Hong_Kong),
    ("sgt", Tz::Asia__Singapore),
    ("msk", Tz::Europe__Moscow),
    ("cest", Tz::CET),
    ("eest", Tz::EET),
    ("west", Tz::WET),
    ("edt", Tz::America__New_York),
    ("et", Tz::America__New_York),
    ("cdt", Tz::America__Chicago),
    ("mdt", Tz::America__Denver),
    ("pdt", Tz::America__Los_Angeles),
    ("pt", Tz::America__Los_Angeles),
    ("aedt", Tz::Australia__Sydney),
    ("nzst", Tz::Pacific__Auckland),
    ("nzdt", Tz::Pacific__Auckland),
    ("utc+5:30", Tz::Asia__Kolkata),
    ("utc+5:45", Tz::Asia__Kathmandu),
    ("utc+3:30", Tz::Asia__Tehran),
    ("utc+4:30", Tz::Asia__Kabul),
    ("utc+6:30", Tz::Asia__Yangon),
    ("utc+8:45", Tz::Australia__Eucla),
    ("utc+9:30", Tz::Australia__Darwin),
    ("utc-9:30", Tz::Pacific__Marquesas),
];

/// Names that mean several.
const SEVERAL: &[(&str, &[Tz])] = &[
    (
        "est",
        &[Tz::America__New_York, Tz::America__Panama, Tz::Australia__Sydney],
    ),
    ("cst", &[Tz::Asia__Shanghai, Tz::America__Chicago, Tz::America__Havana]),
    ("mst", &[Tz::America__Denver, Tz::America__Phoenix]),
    ("pst", &[Tz::America__Los_Angeles, Tz::Asia__Manila]),
    ("ist", &[Tz::Asia__Kolkata, Tz::Europe__Dublin, Tz::Asia__Jerusalem]),
    ("bst", &[Tz::Europe__London, Tz::Asia__Dhaka]),
    ("ast", &[Tz::America__Halifax, Tz::Asia__Riyadh]),
    ("aest", &[Tz::Australia__Sydney, Tz::Australia__Brisbane]),
    ("us", US),
    ("usa", US),
    ("america", US),
    ("美国", US),
    ("canada", CANADA),
    ("加拿大", CANADA),
    ("australia", AUSTRALIA),
    ("澳大利亚", AUSTRALIA),
    ("澳洲", AUSTRALIA),
    ("europe", EUROPE),
    ("欧洲", EUROPE),
    ("brazil", &[Tz::America__Sao_Paulo, Tz::America__Manaus]),
    ("巴西", &[Tz::America__Sao_Paulo, Tz::America__Manaus]),
    (
        "russia",
        &[Tz::Europe__Moscow, Tz::Asia__Novosibirsk, Tz::Asia__Vladivostok],
    ),
    (
        "俄罗斯",
        &[Tz::Europe__Moscow, Tz::Asia__Novosibirsk, Tz::Asia__Vladivostok],
    ),
];
const US: &[Tz] = &[
    Tz::America__New_York,
    Tz::America__Chicago,
    Tz::America__Denver,
    Tz::America__Los_Angeles,
];
const CANADA: &[Tz] = &[Tz::America__Toronto, Tz::America__Winnipeg, Tz::America__Vancouver];
const AUSTRALIA: &[Tz] = &[Tz::Australia__Sydney, Tz::Australia__Adelaide, Tz::Australia__Perth];
const EUROPE: &[Tz] = &[Tz::Europe__London, Tz::Europe__Berlin, Tz::Europe__Helsinki];

/// What is offered before anything is typed.
const POPULAR: [Tz; 12] = [
    Tz::Asia__Shanghai,
    Tz::Europe__Berlin,
    Tz::America__New_York,
    Tz::America__Los_Angeles,
    Tz::Europe__London,
    Tz::Asia__Tokyo,
    Tz::Asia__Singapore,
    Tz::Asia__Kolkata,
    Tz::Europe__Paris,
    Tz::America__Chicago,
    Tz::Australia__Sydney,
    Tz::UTC,
];

/// Every name under which a zone is found, in [`normal`] form.
struct Index {
    /// For an exact name.
    exact: BTreeMap<String, Tz>,
    /// Names with their zones for what is typed so far: cities and names of our own first, then the IANA's.
    names: Vec<(String, Tz)>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut exact = BTreeMap::new();
    let (mut first, mut then) = (Vec::new(), Vec::new());
    // The names that people know go before abbreviations and old names such as EST5EDT, Cuba, US/Eastern.
    let (cities, old): (Vec<Tz>, Vec<Tz>) = TZ_VARIANTS.iter().partition(|zone| {
        let region = zone.name().split('/').next().unwrap_or_default();
        let regions = "Africa America Antarctica Arctic Asia Atlantic Australia Europe Indian Pacific UTC";
        regions.split(' ').any(|known| known == region)
    });
    for zone in cities.iter().chain(&old) {
        exact.entry(normal(zone.name())).or_insert(*zone);
    }
    for (name, zone) in NAMES {
        exact.entry((*name).to_owned()).or_insert(*zone);
        first.push(((*name).to_owned(), *zone));
    }
    for zone in cities {
        if let Some((_, city)) = zone.name().rsplit_once('/') {
            exact.entry(normal(city)).or_insert(zone);
            first.push((normal(city), zone));
        }
        then.push((normal(zone.name()), zone));
    }
    then.extend(old.into_iter().map(|zone| (normal(zone.name()), zone)));
    first.extend(then);
    Index { exact, names: first }
});

/// Folded, `_` between words.
fn normal(name: &str) -> String {
    let seen = |c: &char| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let folded: String = fold(name).chars().filter(seen).collect();
    let trimmed = folded.trim_matches(|c: char| c.is_whitespace() || ".,;\"'“”‘’`，。()".contains(c));
    let mut name = one_line(&trimmed.replace(['_', ','], " "));
    for ending in ["时间", " timezone", " time zone", "时区", " time"] {
        if let Some(before) = name.strip_suffix(ending).filter(|before| !before.is_empty()) {
            name = before.trim_end().to_owned();
        }
    }
    name.replace(' ', "_")
}

/// The zone that somebody means: by the IANA's name in any case, a city, an abbreviation, an offset from UTC.
///
/// # Errors
/// Suggests what was nearly written, or what the name may mean.
pub fn find(text: &str) -> Result<Tz, ZoneError> {
    if text.chars().nth(MAX_NAME).is_some() {
        return Err(ZoneError::TooLong);
    }
    let name = normal(text);
    if name.is_empty() {
        return Err(ZoneError::Empty);
    }
    named(&name, text).map_err(|error| match error {
        ZoneError::Unknown { what, .. } => ZoneError::Unknown {
            near: near(&name),
            what,
        },
        ZoneError::Empty | ZoneError::TooLong | ZoneError::Ambiguous { .. } | ZoneError::NoSuchOffset { .. } => error,
    })
}

/// The zone of this name in [`normal`] form, without a suggestion where there is none.
fn named(name: &str, text: &str) -> Result<Tz, ZoneError> {
    let what = || text.trim().to_owned();
    if let Some((_, choices)) = SEVERAL.iter().find(|(several, _)| *several == name) {
        return Err(ZoneError::Ambiguous {
            what: what(),
            choices: choices.to_vec(),
        });
    }
    if let Some(zone) = INDEX
        .exact
        .get(name)
        .or_else(|| INDEX.exact.get(&name.replace('-', "_")))
    {
        return Ok(*zone);
    }
    match offset(name) {
        Some(offset) => of_offset(offset, what()),
        None => Err(ZoneError::Unknown {
            near: Vec::new(),
            what: what(),
        }),
    }
}

/// An offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Offset {
    east: bool,
    hours: u32,
    minutes: u32,
}

/// `utc+8`, `gmt-3:30`, `+08:00`, 东八区.
fn offset(name: &str) -> Option<Offset> {
    const NUMERALS: [&str; 12] = [
        "一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二",
    ];
    if let Some(zone) = name.strip_suffix('区') {
        let east = zone.starts_with('东');
        let number = zone.strip_prefix(['东', '西'])?;
        let hours = NUMERALS.iter().position(|n| *n == number)? + 1;
        let hours = u32::try_from(hours).ok()?;
        return Some(Offset {
            east,
            hours,
            minutes: 0,
        });
    }
    let signed = name
        .strip_prefix("utc")
        .or_else(|| name.strip_prefix("gmt"))
        .unwrap_or(name);
    let signed = signed.trim_matches('_').replace(['−', '–'], "-");
    let (east, number) = match (signed.strip_prefix('+'), signed.strip_prefix('-')) {
        (Some(number), _) => (true, number),
        (None, Some(number)) => (false, number),
        (None, None) => return None,
    };
    let (hours, minutes) = match number.split_once([':', '.']) {
        Some((hours, minutes)) => (hours, minutes),
        None => number
            .split_at_checked(2)
            .filter(|_| number.len() == 4)
            .unwrap_or((number, "0")),
    };
    let digits = |text: &str| {
        let plain = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u32>().ok().filter(|_| plain)
    };
    Some(Offset {
        east,
        hours: digits(hours)?,
        minutes: digits(minutes)?,
    })
}

fn of_offset(offset: Offset, what: String) -> Result<Tz, ZoneError> {
    let Offset { east, hours, minutes } = offset;
    // POSIX, and the IANA after it, counts to the west: Etc/GMT-8 is eight hours ahead of UTC.
    let sign = if east { '-' } else { '+' };
    let found = match (hours, minutes) {
        (0, 0) => Some(Tz::UTC),
        (_, 0) => format!("Etc/GMT{sign}{hours}").parse().ok(),
        (_, _) => {
            let sign = if east { '+' } else { '-' };
            INDEX.exact.get(&format!("utc{sign}{hours}:{minutes:02}")).copied()
        }
    };
    let choices = match (east, hours, minutes) {
        (false, 3, 30) | (false, 2, 30) => vec![Tz::America__St_Johns],
        (true, 10 | 11, 30) | (true, 11, 0) => vec![Tz::Australia__Lord_Howe],
        (true, 12 | 13, 45) => vec![Tz::Pacific__Chatham],
        _ => Vec::new(),
    };
    found.ok_or(ZoneError::NoSuchOffset { what, choices })
}

/// Zones whose names differ little from this one.
fn near(name: &str) -> Vec<Tz> {
    let letters = name.chars().count();
    let mut scored: Vec<(usize, usize, Tz)> = Vec::new();
    for (order, (known, zone)) in INDEX.names.iter().enumerate() {
        // A city may be short; one letter in three may be wrong.
        let length = known.chars().count();
        let most = letters.max(length) / 3;
        if length.abs_diff(letters) <= most && most > 0 {
            let distance = strsim::damerau_levenshtein(known, name);
            if distance <= most {
                scored.push((distance, order, *zone));
            }
        }
    }
    scored.sort_by_key(|(distance, order, _)| (*distance, *order));
    let mut seen = BTreeSet::new();
    let distinct = scored
        .into_iter()
        .map(|(_, _, zone)| zone)
        .filter(|zone| seen.insert(zone.name()));
    distinct.take(SUGGESTED).collect()
}

/// The zones that somebody may mean who has typed this much, likeliest first, at most `limit`; the popular ones before
/// anything is typed. A pass over some 1,400 names: for every key that is pressed.
pub fn complete(prefix: &str, limit: usize) -> Vec<Tz> {
    let name = normal(prefix.get(..prefix.len().min(4 * MAX_NAME)).unwrap_or_default());
    if name.is_empty() {
        return POPULAR.into_iter().take(limit).collect();
    }
    let mut seen = BTreeSet::new();
    let mut found: Vec<Tz> = Vec::new();
    let with = |fits: &dyn Fn(&str) -> bool| -> Vec<Tz> {
        let names = INDEX.names.iter().filter(|(known, _)| fits(known));
        names.map(|(_, zone)| *zone).collect()
    };
    let exact = match named(&name, &name) {
        Ok(zone) => vec![zone],
        Err(ZoneError::Ambiguous { choices, .. } | ZoneError::NoSuchOffset { choices, .. }) => choices,
        Err(ZoneError::Empty | ZoneError::TooLong | ZoneError::Unknown { .. }) => Vec::new(),
    };
    let mut begin: Vec<Tz> = with(&|known| known.starts_with(&name));
    begin.sort_by_key(|zone| {
        POPULAR
            .iter()
            .position(|popular| popular == zone)
            .unwrap_or(POPULAR.len())
    });
    for zone in exact
        .into_iter()
        .chain(begin)
        .chain(with(&|known| known.contains(&name)))
    {
        if found.len() == limit {
            break;
        }
        if seen.insert(zone.name()) {
            found.push(zone);
        }
    }
    found
}

/// The zone's name for people: the IANA's, except that `Etc/GMT-8`, whose sign misleads everybody, is `UTC+8`.
pub fn label(zone: Tz, lang: Lang) -> String {
    let name = zone.name();
    match name
        .strip_prefix("Etc/GMT")
        .and_then(|offset| offset.split_at_checked(1))
    {
        Some(("-", hours)) => format!("UTC+{hours}"),
        Some(("+", hours)) => format!("UTC-{hours}"),
        Some(_) | None => match (zone, lang) {
            (Tz::Asia__Shanghai, Lang::Zh) => "北京时间".to_owned(),
            (_, Lang::Zh | Lang::En) => name.replace('_', " "),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_found_under_what_people_call_it() {
        for (text, name) in [
            ("Europe/Berlin", "Europe/Berlin"),
            ("europe/berlin", "Europe/Berlin"),
            ("AMERICA/NEW YORK", "America/New_York"),
            ("new york", "America/New_York"),
            ("Berlin time", "Europe/Berlin"),
            ("beijing", "Asia/Shanghai"),
            ("北京", "Asia/Shanghai"),
            ("北京时间", "Asia/Shanghai"),
            ("Shanghai.", "Asia/Shanghai"),
            ("port-au-prince", "America/Port-au-Prince"),
            ("san francisco", "America/Los_Angeles"),
            ("Washington, DC", "America/New_York"),
            ("eastern time", "America/New_York"),
            ("US/Pacific", "US/Pacific"),
            ("JST", "Asia/Tokyo"),
            ("CET", "CET"),
            ("utc", "UTC"),
            ("Z", "UTC"),
            ("utc+8", "Etc/GMT-8"),
            ("UTC +08:00", "Etc/GMT-8"),
            ("GMT-5", "Etc/GMT+5"),
            ("+0530", "Asia/Kolkata"),
            ("utc-9:30", "Pacific/Marquesas"),
            ("东八区", "Etc/GMT-8"),
            ("ｕｔｃ＋８", "Etc/GMT-8"),
        ] {
            assert_eq!(find(text).map(|zone| zone.name()), Ok(name), "{text}");
        }
    }

    #[test]
    fn every_name_of_the_iana_and_every_label_leads_to_its_zone() {
        for zone in TZ_VARIANTS {
            let several = SEVERAL.iter().any(|(name, _)| *name == normal(zone.name()));
            assert!(several || find(zone.name()) == Ok(zone), "{zone}");
            for lang in Lang::ALL {
                let found = find(&label(zone, lang));
                let same = found
                    .as_ref()
                    .is_ok_and(|found| *found == zone || label(*found, lang) == label(zone, lang));
                assert!(
                    several || same || label(zone, lang) == "UTC+0" || label(zone, lang) == "UTC-0",
                    "{zone}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn an_abbreviation_of_several_zones_is_asked_about() {
        let said = |text: &str, lang| find(text).unwrap_err().says(lang);
        assert!(said("PST", Lang::En).contains("America/Los Angeles, Asia/Manila"));
        assert!(said("EST", Lang::En).contains("Choose one: America/New York, America/Panama"));
        assert!(said("CST", Lang::Zh).contains("请选一个：北京时间、America/Chicago"));
        assert!(said("美国", Lang::Zh).contains("America/New York"));
    }

    #[test]
    fn what_is_no_zone_is_named_with_the_nearest_ones() {
        let near = |text: &str| {
            let error = find(text).unwrap_err();
            let ZoneError::Unknown { near, .. } = error else {
                panic!("{error:?}")
            };
            near
        };
        assert_eq!(near("Europe/Berln").first(), Some(&Tz::Europe__Berlin));
        assert_eq!(near("bejing").first(), Some(&Tz::Asia__Shanghai));
        assert_eq!(near("Shangai").first(), Some(&Tz::Asia__Shanghai));
        assert_eq!(near("xyzzyxyzzy"), []);
        for (text, wants) in [
            ("", "Name a time zone"),
            ("utc+15", "UTC-12 to UTC+14"),
            ("utc+10:30", "Australia/Lord Howe"),
            ("+99999999999", "“+99999999999”"),
            ("xyzzyxyzzy", "“xyzzyxyzzy”"),
        ] {
            let said = find(text).unwrap_err().says(Lang::En);
            assert!(said.contains(wants), "{said}");
        }
        assert_eq!(find(&"a".repeat(1_000_000)), Err(ZoneError::TooLong));
    }

    #[test]
    fn what_is_typed_so_far_offers_the_likeliest_first() {
        assert_eq!(complete("", 3), POPULAR[..3]);
        assert_eq!(complete("ber", 1), [Tz::Europe__Berlin]);
        assert_eq!(complete("北", 1), [Tz::Asia__Shanghai]);
        assert_eq!(complete("new y", 1), [Tz::America__New_York]);
        assert!(
            complete("europe/", 99)
                .iter()
                .take(30)
                .all(|zone| zone.name().starts_with("Europe/"))
        );
        assert_eq!(complete("pst", 2), [Tz::America__Los_Angeles, Tz::Asia__Manila]);
        assert_eq!(complete("utc+8", 1), [Tz::Etc__GMTMinus8]);
        assert_eq!(complete("a", 25).len(), 25);
        assert_eq!(complete("xyzzy", 25), []);
        let offered = complete("s", 999);
        let distinct: BTreeSet<&str> = offered.iter().map(|zone| zone.name()).collect();
        assert_eq!(distinct.len(), offered.len());
    }
}
