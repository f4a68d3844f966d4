//! The file and the environment as one tree in which every value has the type that its key wants and knows where it
//! came from. What does not fit is left out of the tree and reported.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{ConfigError, Where, nearest, quoted};
use crate::schema::{self, Key, Kind};

pub(crate) struct Node {
    pub(crate) at: Where,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    Text(String),
    Whole(u32),
    Switch(bool),
    /// Each with its own place: lists run over many lines.
    Words(Vec<(Where, String)>),
    Table(Table),
    Tables(Vec<Node>),
    /// It has been reported; kept so that it is not reported as missing as well.
    Broken,
}

pub(crate) type Table = BTreeMap<&'static str, Node>;

/// Reads the text of a file that may have these keys; `None` when it is not TOML.
pub(crate) fn parse(keys: &'static [Key], text: &str, file: &str, errors: &mut Vec<ConfigError>) -> Option<Table> {
    let file = File {
        name: file,
        line_starts: std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect(),
    };
    let (document, mistakes) = DeTable::parse_recoverable(text);
    for mistake in &mistakes {
        errors.push(ConfigError {
            // Only the message: the error as a whole quotes the line, and a secret may stand in it.
            at: file.at(mistake.span().map_or(0, |span| span.start)),
            key: String::new(),
            what: format!("not TOML: {}", mistake.message().trim().replace('\n', ", ")),
            fix: "mend this line; texts stand in quotes, lists in [ ]".to_owned(),
        });
    }
    // What the parser made up to go on after a mistake is not the user's.
    mistakes
        .is_empty()
        .then(|| file.table(keys, document.get_ref(), "", errors))
}

struct File<'a> {
    name: &'a str,
    line_starts: Vec<usize>,
}

impl File<'_> {
    fn at(&self, offset: usize) -> Where {
        Where::File {
            name: self.name.to_owned(),
            line: Some(self.line_starts.partition_point(|&start| start <= offset)),
        }
    }

    fn table(&self, keys: &'static [Key], table: &DeTable<'_>, path: &str, errors: &mut Vec<ConfigError>) -> Table {
        let mut out = Table::new();
        for (name, value) in table {
            let at = self.at(name.span().start);
            match keys.iter().find(|key| key.name == name.get_ref()) {
                Some(key) => {
                    let value = self.value(key.kind, value, &join(path, key.name), errors);
                    out.insert(key.name, Node { at, value });
                }
                None => errors.push(unknown_key(at, keys, name.get_ref(), path)),
            }
        }
        out
    }

    fn value(&self, kind: Kind, value: &Spanned<DeValue<'_>>, path: &str, errors: &mut Vec<ConfigError>) -> Value {
        let at = self.at(value.span().start);
        let mut broken = |at: Where, reason: &str| {
            errors.push(ConfigError {
                at,
                key: path.to_owned(),
                what: reason.to_owned(),
                fix: String::new(),
            });
            Value::Broken
        };
        match (kind, value.get_ref()) {
            (Kind::Text | Kind::Secret, DeValue::String(text)) => Value::Text(text.trim().to_owned()),
            (Kind::Text | Kind::Secret, _) => broken(at, "this is a text: put it in quotes"),
            (Kind::Choice(options), DeValue::String(text)) => match chosen(text, options) {
                Ok(value) => value,
                Err(reason) => broken(at, &reason),
            },
            (Kind::Choice(options), _) => broken(at, &format!("possible is {}", either(options))),
            (Kind::Whole(min, max), DeValue::Integer(number)) => {
                match u32::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) if (min..=max).contains(&number) => Value::Whole(number),
                    Ok(_) | Err(_) => broken(at, &from_to(min, max)),
                }
            }
            (Kind::Whole(min, max), _) => broken(at, &from_to(min, max)),
            (Kind::Switch, DeValue::Boolean(on)) => Value::Switch(*on),
            (Kind::Switch, _) => broken(at, "this is true or false, without quotes"),
            (Kind::Words, DeValue::Array(items)) => {
                let mut words = Vec::new();
                for item in items.iter() {
                    let at = self.at(item.span().start);
                    match item.get_ref().as_str() {
                        Some(word) => words.push((at, word.trim().to_owned())),
                        None => drop(broken(at, "this list holds texts: put each in quotes")),
                    }
                }
                Value::Words(words)
            }
            (Kind::Words, _) => broken(at, "this is a list of texts: [\"one\", \"two\"]"),
            (Kind::Table(keys), DeValue::Table(table)) => Value::Table(self.table(keys, table, path, errors)),
            (Kind::Table(_), _) => broken(at, &format!("this is a section: [{path}]")),
            (Kind::Tables(keys), DeValue::Array(items)) => {
                let mut tables = Vec::new();
                for (i, item) in items.iter().enumerate() {
                    let path = format!("{path}[{i}]");
                    let value = if let Some(table) = item.get_ref().as_table() {
                        Value::Table(self.table(keys, table, &path, errors))
                    } else {
                        errors.push(ConfigError {
                            at: self.at(item.span().start),
                            key: path,
                            what: "this is a table: { key = value }".to_owned(),
                            fix: String::new(),
                        });
                        Value::Broken
                    };
                    let at = self.at(item.span().start);
                    tables.push(Node { at, value });
                }
                Value::Tables(tables)
            }
            (Kind::Tables(_), _) => broken(at, &format!("these are sections of their own: [[{path}]]")),
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn from_to(min: u32, max: u32) -> String {
    format!("this is a whole number from {min} to {max}, without quotes")
}

fn either(options: &[&str]) -> String {
    let quoted: Vec<String> = options.iter().map(|option| format!("\"{option}\"")).collect();
    quoted.join(" or ")
}

fn chosen(text: &str, options: &[&str]) -> Result<Value, String> {
    match options.contains(&text) {
        true => Ok(Value::Text(text.to_owned())),
        false => Err(format!(
            "{} is not possible; possible is {}",
            quoted(text),
            either(options)
        )),
    }
}

fn unknown_key(at: Where, keys: &[Key], name: &str, path: &str) -> ConfigError {
    let names = || keys.iter().map(|key| key.name);
    let elsewhere = schema::sections_with(name);
    let fix = if !elsewhere.is_empty() {
        format!("it belongs under {}", elsewhere.join(" or "))
    } else if let Some(near) = nearest(name, names()) {
        format!("did you mean “{near}”?")
    } else {
        format!("known here are {}", names().collect::<Vec<_>>().join(", "))
    };
    ConfigError {
        at,
        key: path.to_owned(),
        what: format!("unknown key {}", quoted(name)),
        fix,
    }
}

/// One step of the way to a value: a key, or an index into an array of tables.
#[derive(Clone, Copy)]
enum Step {
    Key(&'static Key),
    Index(usize),
}

/// Lays the environment's variables over the file's tree. An empty variable counts as absent, since container
/// managers pass on every variable that they know of.
pub(crate) fn overlay(root: &mut Table, env: &BTreeMap<String, String>, errors: &mut Vec<ConfigError>) {
    let mut settings = Vec::new();
    for (name, text) in env {
        let text = text.trim();
        let Some(path) = name.strip_prefix(schema::PREFIX) else {
            continue;
        };
        if text.is_empty() || schema::is_foreign(name) {
            continue;
        }
        match steps(path) {
            Some((steps, kind)) => settings.push((steps, kind, name, text)),
            None => errors.push(unknown_variable(name)),
        }
    }
    // Indexes in the order of numbers, so that each new table follows the one before.
    settings.sort_by_key(|(steps, ..)| steps.iter().map(order).collect::<Vec<_>>());
    for (steps, kind, name, text) in settings {
        let at = Where::Variable(name.clone());
        let key = steps.iter().fold(String::new(), |path, step| match step {
            Step::Key(key) => join(&path, key.name),
            Step::Index(i) => format!("{path}[{i}]"),
        });
        let value = from_variable(kind, &at, text).and_then(|value| put(root, &steps, &at, value));
        if let Err(what) = value {
            errors.push(ConfigError {
                at,
                key,
                what,
                fix: String::new(),
            });
        }
    }
}

fn order(step: &Step) -> (usize, &'static str) {
    match step {
        Step::Key(key) => (0, key.name),
        Step::Index(i) => (*i, ""),
    }
}

/// The way that a variable's name (without the prefix) describes, and what is at its end.
fn steps(path: &str) -> Option<(Vec<Step>, Kind)> {
    let mut steps = Vec::new();
    let mut here = Kind::Table(schema::ROOT);
    for segment in path.split("__") {
        here = match here {
            Kind::Table(keys) => {
                let key = keys.iter().find(|key| key.name.to_ascii_uppercase() == segment)?;
                steps.push(Step::Key(key));
                key.kind
            }
            Kind::Tables(keys) => {
                steps.push(Step::Index(segment.parse().ok()?));
                Kind::Table(keys)
            }
            Kind::Text | Kind::Secret | Kind::Whole(..) | Kind::Switch | Kind::Words | Kind::Choice(_) => return None,
        };
    }
    match here {
        Kind::Table(_) | Kind::Tables(_) => None,
        Kind::Text | Kind::Secret | Kind::Whole(..) | Kind::Switch | Kind::Words | Kind::Choice(_) => {
            Some((steps, here))
        }
    }
}

fn unknown_variable(name: &str) -> ConfigError {
    let is_index = |segment: &str| !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit());
    let same_index = |text: &str| {
        let segments: Vec<&str> = text.split("__").map(|s| if is_index(s) { "0" } else { s }).collect();
        segments.join("__")
    };
    let known: Vec<String> = schema::leaves().iter().map(|path| schema::variable(path)).collect();
    let near = nearest(
        &same_index(&name.to_ascii_uppercase()),
        known.iter().map(String::as_str),
    );
    let mut indexes = name.split("__").filter(|segment| is_index(segment));
    let fix = near.map(|near| {
        let segments: Vec<&str> = near
            .split("__")
            .map(|segment| {
                if is_index(segment) {
                    indexes.next().unwrap_or("0")
                } else {
                    segment
                }
            })
            .collect();
        format!("did you mean {}?", segments.join("__"))
    });
    ConfigError {
        at: Where::Variable(quoted(name).trim_matches(['“', '”']).to_owned()),
        key: String::new(),
        what: "unknown variable".to_owned(),
        fix: fix
            .unwrap_or_else(|| "the levels of a key stand apart by two underscores: PAPERWIRE_WEB__LISTEN".to_owned()),
    }
}

fn from_variable(kind: Kind, at: &Where, text: &str) -> Result<Value, String> {
    match kind {
        Kind::Text | Kind::Secret => Ok(Value::Text(text.to_owned())),
        Kind::Choice(options) => chosen(text, options),
        Kind::Whole(min, max) => match text.parse() {
            Ok(number) if (min..=max).contains(&number) => Ok(Value::Whole(number)),
            Ok(_) | Err(_) => Err(from_to(min, max)),
        },
        Kind::Switch => match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(Value::Switch(true)),
            "false" | "0" => Ok(Value::Switch(false)),
            _ => Err("this is true or false".to_owned()),
        },
        Kind::Words => {
            let words = words(text).ok_or("this is a list: one,two or [\"one\", \"two\"]")?;
            Ok(Value::Words(words.into_iter().map(|word| (at.clone(), word)).collect()))
        }
        // `steps` ends at values only.
        Kind::Table(_) | Kind::Tables(_) => Err("this is a section; name one of its keys".to_owned()),
    }
}

fn words(text: &str) -> Option<Vec<String>> {
    if text.starts_with('[') {
        let value = DeValue::parse(text).ok()?;
        let items = value.get_ref().as_array()?;
        return items
            .iter()
            .map(|item| Some(item.get_ref().as_str()?.trim().to_owned()))
            .collect();
    }
    let words = text.split(',').map(|word| word.trim().to_owned());
    Some(words.filter(|word| !word.is_empty()).collect())
}

fn put(table: &mut Table, steps: &[Step], at: &Where, value: Value) -> Result<(), String> {
    let new = |value| Node { at: at.clone(), value };
    match steps {
        [Step::Key(key)] => {
            table.insert(key.name, new(value));
            Ok(())
        }
        [Step::Key(key), Step::Index(i), rest @ ..] => {
            let node = table.entry(key.name).or_insert_with(|| new(Value::Tables(Vec::new())));
            let Value::Tables(tables) = &mut node.value else {
                return Ok(());
            };
            let n = tables.len();
            if *i == n {
                tables.push(new(Value::Table(Table::new())));
            }
            match tables.get_mut(*i).map(|node| &mut node.value) {
                Some(Value::Table(table)) => put(table, rest, at, value),
                Some(_) => Ok(()),
                None => Err(format!(
                    "there are {n} [[{}]] before it, so the next index is {n}",
                    key.name
                )),
            }
        }
        [Step::Key(key), rest @ ..] => {
            let node = table.entry(key.name).or_insert_with(|| new(Value::Table(Table::new())));
            match &mut node.value {
                Value::Table(table) => put(table, rest, at, value),
                // Broken in the file, and reported there.
                Value::Text(_)
                | Value::Whole(_)
                | Value::Switch(_)
                | Value::Words(_)
                | Value::Tables(_)
                | Value::Broken => Ok(()),
            }
        }
        [] | [Step::Index(_), ..] => Ok(()),
    }
}

/// Where every value came from, by its path (`channel[0].schedule`).
pub(crate) fn origins(table: &Table, path: &str, out: &mut BTreeMap<String, Where>) {
    for (name, node) in table {
        let path = join(path, name);
        match &node.value {
            Value::Table(table) => origins(table, &path, out),
            Value::Tables(tables) => {
                for (i, node) in tables.iter().enumerate() {
                    if let Value::Table(table) = &node.value {
                        origins(table, &format!("{path}[{i}]"), out);
                    }
                }
            }
            Value::Text(_) | Value::Whole(_) | Value::Switch(_) | Value::Words(_) | Value::Broken => {
                out.insert(path, node.at.clone());
            }
        }
    }
}
