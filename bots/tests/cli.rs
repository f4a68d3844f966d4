//! The program as a process: its arguments, streams, exit codes, and what two of them do with one data folder.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests are tests, and a skipped one says so"
)]

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// The longest that a test waits for a process.
const PATIENCE: Duration = Duration::from_secs(20);

const CONFIG: &str = r#"
[web]
listen = "127.0.0.1:0"

[[channel]]
place = "web:lobby"
topics = ["inference"]
schedule = "off"
"#;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sample(name: &str) -> PathBuf {
    repository().join("bots/sample").join(name)
}

/// A folder with a configuration and a data folder.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self::with(CONFIG)
    }

    fn with(config: &str) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        fs::write(home.0.path().join("paperwire.toml"), config).unwrap();
        home
    }

    fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paperwire"));
        let inherited = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PAPERWIRE_"));
        for (name, _) in inherited {
            command.env_remove(name);
        }
        command.args(args).current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    fn paperwire<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Said {
        Said::of(self.command(args).output().unwrap())
    }

    fn ingest(&self, files: &[PathBuf]) -> Value {
        let args = ["ingest".into(), "--json".into()]
            .into_iter()
            .chain(files.iter().cloned());
        self.paperwire(args).done().json()
    }

    /// Starts `run` and waits until it serves.
    fn run(&self) -> Running {
        let mut command = self.command(["run"]);
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let log = child.stderr.take().unwrap();
        let running = Running::watch(child, log);
        running.line("the web page is at http://");
        running
    }
}

/// What a command said.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.err);
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

/// A process that goes on until it is told to end; killed when dropped.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// `pipe` is one of the child's streams, which ends when the child does.
    fn watch(child: Child, pipe: impl std::io::Read + Send + 'static) -> Self {
        let (say, lines) = channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(pipe).lines().map_while(Result::ok);
            lines.try_for_each(|line| say.send(line))
        });
        Self { child, lines }
    }

    /// Waits for a line.
    fn line(&self, part: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(part) => return line,
                Ok(_) => {}
                Err(why) => panic!("no “{part}”: {why}"),
            }
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// The exit code, once the stream has ended with the process.
    fn end(mut self) -> Option<i32> {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().unwrap().code(),
                Err(RecvTimeoutError::Timeout) => panic!("it does not end"),
            }
        }
    }
}

#[test]
fn a_second_run_on_the_same_folder_is_told_the_pid_of_the_first_and_exits_2() {
    let home = Home::new();
    let first = home.run();
    let second = home.paperwire(["run"]);
    assert_eq!((second.code, second.out.as_str()), (Some(2), ""));
    assert!(second.err.contains("Paperwire already runs on "), "{}", second.err);
    assert!(
        second.err.contains(&format!("with pid {}", first.child.id())),
        "{}",
        second.err
    );
}

#[test]
fn a_term_signal_ends_run_with_0_and_the_folder_is_free() {
    let home = Home::new();
    let running = home.run();
    running.signal("-TERM");
    assert_eq!(running.end(), Some(0));
    let status = home.paperwire(["status"]);
    assert_eq!(status.code, Some(1));
    assert!(status.err.contains("no Paperwire runs on "), "{}", status.err);
}

#[test]
fn a_killed_run_leaves_a_folder_that_the_next_one_takes_with_everything_in_it() {
    let home = Home::new();
    let running = home.run();
    let taken = home.ingest(&[sample("mailing.txt")]);
    home.paperwire(["post"]).done();
    running.signal("-KILL");
    assert_eq!(running.end(), None);
    let _again = home.run();
    let status = home.paperwire(["status", "--json"]).done().json();
    assert_eq!(
        (&status["papers"], &status["windows"]),
        (&taken["papers_new"], &json!(1))
    );
    assert!(home.paperwire(["paper", "4"]).done().out.starts_with("4. "));
}

#[test]
fn ingest_counts_as_json_and_the_same_file_again_is_a_duplicate() {
    let home = Home::new();
    let first = home.ingest(&[sample("mailing.txt")]);
    let mut keys: Vec<&String> = first.as_object().unwrap().keys().collect();
    keys.sort();
    let expected = [
        "duplicates",
        "papers_known",
        "papers_new",
        "papers_rejected",
        "papers_updated",
        "replacements",
        "windows",
    ];
    assert_eq!(keys, expected);
    assert!(first["papers_new"].as_u64().unwrap() >= 40, "{first}");
    assert_eq!((&first["windows"], &first["duplicates"]), (&json!(1), &json!(0)));
    let again = home.ingest(&[sample("mailing.txt"), sample("mailing.txt")]);
    assert_eq!(
        (&again["papers_new"], &again["windows"], &again["duplicates"]),
        (&json!(0), &json!(0), &json!(2))
    );
}

#[test]
fn a_file_that_is_none_is_named_on_stderr_and_the_others_are_taken_in() {
    let home = Home::new();
    let missing = PathBuf::from("nowhere.txt");
    let said = home.paperwire(["ingest".into(), missing, sample("mailing.txt")]);
    assert_eq!(said.code, Some(1));
    assert!(
        said.err.contains("nowhere.txt") && said.err.contains("1 of 2 files"),
        "{}",
        said.err
    );
    assert_eq!(said.out.lines().count(), 1, "{}", said.out);
    assert!(said.out.contains("mailing.txt: "), "{}", said.out);
}

#[test]
fn why_a_single_file_is_not_taken_in_is_said_once() {
    let home = Home::new();
    fs::write(home.0.path().join("lunch.txt"), "Dear all,\nlunch is at noon.\n").unwrap();
    for (file, why) in [
        ("nowhere.txt", "No such file"),
        ("lunch.txt", "neither an arXiv mailing"),
    ] {
        let said = home.paperwire(["ingest", file]);
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{}", said.err);
        let line = said.err.strip_suffix('\n').unwrap();
        assert!(line.starts_with("paperwire: ") && !line.contains('\n'), "{line}");
        assert!(line.contains(why) && line.matches(file).count() == 1, "{line}");
    }
}

#[test]
fn a_mailing_can_be_piped_in() {
    let home = Home::new();
    let mut child = home
        .command(["ingest", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mailing = fs::read(sample("mailing.txt")).unwrap();
    child.stdin.take().unwrap().write_all(&mailing).unwrap();
    let said = Said::of(child.wait_with_output().unwrap()).done();
    assert!(said.json()["papers_new"].as_u64().unwrap() >= 40, "{}", said.out);
}

#[test]
fn the_ledger_shows_windows_gaps_and_what_came_twice() {
    let home = Home::new();
    let empty = home.paperwire(["windows", "--json"]).done().json();
    assert_eq!(empty, json!({"windows": [], "gaps": [], "repeats": []}));
    let mailing = fs::read_to_string(sample("mailing_next.txt")).unwrap();
    // The day after the next: one is missing in between.
    let later = mailing.replace(
        "Tue  3 Feb 26 19:00:00 GMT  to  Wed  4 Feb 26 19:00:00 GMT",
        "Thu  5 Feb 26 19:00:00 GMT  to  Fri  6 Feb 26 19:00:00 GMT",
    );
    assert_ne!(later, mailing);
    let file = home.0.path().join("later.txt");
    fs::write(&file, later).unwrap();
    home.ingest(&[sample("mailing_next.txt"), file, sample("mailing_next.txt")]);
    let ledger = home.paperwire(["windows", "--json"]).done().json();
    let span = |from: &str, to: &str| json!({"source": "arxiv-mail", "from": from, "to": to});
    let stretches = |of: &str| -> Vec<Value> {
        let list = ledger[of].as_array().unwrap();
        list.iter()
            .map(|w| json!({"source": w["source"], "from": w["from"], "to": w["to"]}))
            .collect()
    };
    let (first, second) = (
        span("2026-02-03T19:00:00Z", "2026-02-04T19:00:00Z"),
        span("2026-02-05T19:00:00Z", "2026-02-06T19:00:00Z"),
    );
    assert_eq!(stretches("windows"), [first.clone(), second]);
    assert_eq!(
        stretches("gaps"),
        [span("2026-02-04T19:00:00Z", "2026-02-05T19:00:00Z")]
    );
    assert_eq!(stretches("repeats"), [first]);
    assert_eq!(ledger["repeats"][0]["times"], 2);
}

#[test]
fn every_command_answers_the_same_whether_or_not_the_program_runs() {
    let (alone, beside) = (Home::new(), Home::new());
    let running = beside.run();
    let mailing = sample("mailing.txt");
    let mailing = mailing.to_str().unwrap();
    let commands: [&[&str]; 13] = [
        &["ingest", mailing],
        &["ingest", "--json", mailing],
        &["windows"],
        &["post", "--channel", "web:lobby"],
        &["digest", "--topic", "inference", "--format", "bibtex"],
        &["paper", "4"],
        &["paper", "2602.90011", "--lang", "zh"],
        &["paper", "99"],
        &["digest", "--topic", "nonsense"],
        &["post", "--channel", "web:nowhere"],
        &["queue", "show", "web:nowhere+9f86d081884c7d65@20251010T090000Z"],
        &["queue", "retry", "web:nowhere+9f86d081884c7d65@20251010T090000Z"],
        &["queue", "drop", "web:nowhere+9f86d081884c7d65@20251010T090000Z"],
    ];
    for command in commands {
        let (one, other) = (alone.paperwire(command), beside.paperwire(command));
        assert_eq!(
            (one.code, &one.out),
            (other.code, &other.out),
            "{command:?}: {} / {}",
            one.err,
            other.err
        );
        let failed = one.code != Some(0);
        assert_eq!(failed, one.out.is_empty(), "{command:?}: {}", one.out);
        assert_eq!(failed, other.err.contains("paperwire: "), "{command:?}: {}", other.err);
    }
    let status = beside.paperwire(["status"]).done();
    assert!(
        status.out.contains(&format!("runs with pid {}", running.child.id())),
        "{}",
        status.out
    );
    assert_eq!(
        beside.paperwire(["config", "check"]).done().out,
        "The configuration is good.\n"
    );
}

#[test]
fn every_digest_says_what_was_decided_about_it_without_a_running_program() {
    let home = Home::new();
    assert_eq!(
        home.paperwire(["digest", "list"]).done().out,
        "There is no digest yet.\n"
    );
    home.ingest(&[sample("mailing.txt")]);
    home.paperwire(["post"]).done();
    let listed = home.paperwire(["digest", "list", "--json"]).done().json();
    let [decided] = listed.as_array().unwrap().as_slice() else {
        panic!("one digest: {listed}")
    };
    let id = decided["id"].as_str().unwrap();
    assert_eq!(decided["decision"]["verdict"], "unjudged");
    assert_eq!(
        (&decided["progress"]["posted"], &decided["progress"]["waiting"]),
        (&0.into(), &1.into())
    );
    assert!(
        decided["decision"]["facts"]["matched"].as_u64().unwrap() > 10,
        "{decided}"
    );
    let lines = home.paperwire(["digest", "list"]).done().out;
    for said in [
        &format!("{id}  AI inference acceleration · "),
        "\n  Not posted yet in 1 channel, which has waited since ",
        "\n  Queued on ",
        " without being judged: a person asked for it, or it repeats what was posted.\n",
        " papers came, ",
        "Without abstract and brief: 0;",
    ] {
        assert!(lines.contains(said), "{said}: {lines}");
    }
    let shown = home.paperwire(["digest", "show", id, "--lang", "zh"]).done().out;
    assert!(
        shown.contains("未经判断即排队推送") && shown.contains("\n\n"),
        "{shown}"
    );
    let whole = home.paperwire(["digest", "show", id, "--json"]).done().json();
    assert_eq!(whole["decision"], decided["decision"]);
    assert!(whole["text"].as_str().unwrap().contains("1. "), "{whole}");
    let unknown = home.paperwire(["digest", "show", "9f86d081884c7d65@20251010T090000Z"]);
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown.err.contains("`paperwire digest list` lists the latest"),
        "{}",
        unknown.err
    );
    let neither = home.paperwire(["digest"]);
    assert_eq!(neither.code, Some(2));
    assert!(neither.err.contains("--topic"), "{}", neither.err);
}

#[test]
fn a_file_of_lines_has_its_day_in_the_ledger() {
    let home = Home::new();
    let file = home.0.path().join("papers.jsonl");
    let lines =
        ["One", "Two"].map(|n| format!("{{\"title\": \"{n} of many papers\", \"url\": \"https://a.example/{n}\"}}\n"));
    fs::write(&file, lines.concat()).unwrap();
    home.ingest(&[file.clone(), file]);
    let ledger = home.paperwire(["windows", "--json"]).done().json();
    let day = &ledger["days"][0];
    assert_eq!(
        (&day["source"], &day["new"], &day["items"]),
        (&json!("jsonl"), &json!(2), &json!(2))
    );
    assert_eq!(ledger["windows"], json!([]));
    let text = home.paperwire(["windows"]).done().out;
    assert!(
        text.starts_with("day:    ") && text.contains("  jsonl  2 new of 2 items; "),
        "{text}"
    );
}

#[test]
fn the_queue_is_listed_shown_and_mended_without_a_running_program() {
    let home = Home::new();
    let empty = home.paperwire(["queue"]).done();
    assert_eq!(empty.out, "Nothing waits, and nothing was refused.\n");
    home.ingest(&[sample("mailing.txt")]);
    home.paperwire(["post"]).done();

    let listing = home.paperwire(["queue", "list", "--json"]).done().json();
    let [waiting] = listing["waiting"].as_array().unwrap().as_slice() else {
        panic!("one delivery: {listing}")
    };
    assert_eq!(
        (&waiting["state"], &waiting["arrived"]),
        (&"available".into(), &0.into())
    );
    assert_eq!(listing["dead_letters"], json!([]));
    let id = waiting["id"].as_str().unwrap();
    assert!(id.starts_with("web:lobby+"), "{id}");
    let lines = home.paperwire(["queue"]).done().out;
    assert!(
        lines.starts_with(&format!("{id}  0 of 1 parts arrived, waits since ")),
        "{lines}"
    );

    let shown = home.paperwire(["queue", "show", id]).done().out;
    assert!(shown.contains("part 1 is next\n"), "{shown}");
    let dropped = home.paperwire(["queue", "drop", id, "--json"]).done().json();
    assert_eq!(dropped["state"], "discarded");
    assert_eq!(home.paperwire(["queue"]).done().out, empty.out);
    let back = home.paperwire(["queue", "retry", id]).done().out;
    assert!(
        back.starts_with(&format!("{id}  0 of 1 parts arrived, waits since ")),
        "{back}"
    );

    let running = home.run();
    running.line(" delivered ");
    assert_eq!(home.paperwire(["queue"]).done().out, empty.out);
    let sent = home.paperwire(["queue", "drop", id]);
    assert_eq!((sent.code, sent.out.as_str()), (Some(1), ""));
    assert!(sent.err.contains("was sent whole already"), "{}", sent.err);
    drop(running);
    let unknown = home.paperwire(["queue", "show", "web:nowhere+9f86d081884c7d65@20251010T090000Z"]);
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown.err.contains("there is no delivery web:nowhere+9f86"),
        "{}",
        unknown.err
    );
    let wrong = home.paperwire(["queue", "show", "lobby"]);
    assert_eq!(wrong.code, Some(2));
    assert!(
        wrong.err.contains("“lobby” is not a delivery id such as"),
        "{}",
        wrong.err
    );
}

#[test]
fn a_digest_comes_as_report_json_page_and_bibtex_and_can_be_explained() {
    let home = Home::new();
    home.ingest(&[sample("mailing.txt"), sample("report.md")]);
    let digest = |args: &[&str]| {
        let said = home
            .paperwire(["digest", "--topic", "inference"].iter().chain(args))
            .done();
        said.out
    };
    let json: Value = serde_json::from_str(&digest(&["--format", "json"])).unwrap();
    let entries = json["digest"]["entries"].as_array().unwrap();
    let titles: Vec<&str> = entries.iter().map(|entry| entry["title"].as_str().unwrap()).collect();
    assert!(titles.len() > 20 && json.get("explained").is_none());

    let report = digest(&[]);
    assert!(
        report.contains(&format!("分析论文数量: {}篇", titles.len())),
        "{report}"
    );
    assert_eq!(
        report.matches(&format!("### 4. {}", titles[3])).count(),
        2,
        "in the briefs and in the details"
    );
    let file = home.0.path().join("digest.md");
    fs::write(&file, &report).unwrap();
    let same = home
        .paperwire(["convert".as_ref(), file.as_os_str(), "--to".as_ref(), "report".as_ref()])
        .done();
    assert_eq!(same.out, report);

    let page = digest(&["--format", "html", "--date", "2026-02-03", "--lang", "zh"]);
    assert!(
        page.starts_with("<!doctype html>") && page.contains("lang=\"zh"),
        "{page}"
    );
    let bibtex = digest(&["--format", "bibtex"]);
    assert_eq!(
        bibtex.lines().filter(|line| line.starts_with('@')).count(),
        titles.len()
    );

    let explained = digest(&["--format", "bibtex", "--explain"]);
    let scores: Vec<&str> = explained.lines().filter(|line| line.starts_with('%')).collect();
    assert!(scores.len() > titles.len(), "those not kept too");
    assert!(
        scores[0].contains(" kept: arxiv:2602.") && scores[0].contains(titles[0]),
        "{}",
        scores[0]
    );
    assert!(
        scores.iter().any(|line| line.contains("below the threshold: ")),
        "{scores:?}"
    );
    let wrong_day = home.paperwire(["digest", "--topic", "inference", "--date", "2020-01-01"]);
    assert_eq!(wrong_day.code, Some(1));
    assert!(
        wrong_day.err.contains("no window ends on 2020-01-01"),
        "{}",
        wrong_day.err
    );
}

fn fixture(name: &str) -> PathBuf {
    repository().join("tests/fixtures").join(name)
}

#[test]
fn a_saved_mail_is_taken_in_whatever_its_encoding_and_loses_only_its_damaged_entries() {
    let home = Home::new();
    let counts = |counts: Value| {
        ["papers_new", "papers_known", "replacements", "papers_rejected"].map(|key| counts[key].clone())
    };
    assert_eq!(counts(home.ingest(&[fixture("saved.eml")])), [4, 0, 1, 0]);
    // The same mailing in base64 is another file and no other papers.
    assert_eq!(counts(home.ingest(&[fixture("base64.eml")])), [0, 4, 1, 0]);
    let damaged = home
        .paperwire(["ingest".into(), "--json".into(), fixture("damaged.txt")])
        .done();
    assert_eq!(counts(damaged.json()), [3, 0, 0, 3]);
    for why in ["line 28", "line 51", "line 72"] {
        assert!(
            damaged.err.contains(&format!("damaged.txt: {why}: ")),
            "{}",
            damaged.err
        );
    }
}

/// Every report at hand: the deviating one of the tests, the sample's, and the real ones where they are.
fn reports() -> Vec<PathBuf> {
    let mut reports = vec![fixture("report_deviating.md"), sample("report.md")];
    // One folder further up where this is a second work tree.
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(2).take(2);
    match above
        .map(|folder| folder.join("shared/data"))
        .find(|data| data.is_dir())
    {
        None => println!("skipped: no ../shared/data beside the repository"),
        Some(data) => {
            reports.push(data.join("seed_report.md"));
            for day in fs::read_dir(data.join("arxiv-mail")).unwrap() {
                let files = fs::read_dir(day.unwrap().path())
                    .unwrap()
                    .map(|file| file.unwrap().path());
                reports.extend(files.filter(|file| file.extension().is_some_and(|ending| ending == "md")));
            }
        }
    }
    reports
}

#[test]
fn a_report_comes_out_byte_for_byte_directly_and_through_json() {
    let home = Home::new();
    let json = home.0.path().join("report.json");
    for report in reports() {
        let bytes = fs::read(&report).unwrap();
        let convert = |file: &Path, to: &str| {
            let output = home
                .command([OsStr::new("convert"), file.as_os_str(), "--to".as_ref(), to.as_ref()])
                .output();
            let output = output.unwrap();
            assert!(
                output.status.success(),
                "{}: {}",
                file.display(),
                String::from_utf8_lossy(&output.stderr)
            );
            output.stdout
        };
        assert!(convert(&report, "report") == bytes, "{}", report.display());
        fs::write(&json, convert(&report, "json")).unwrap();
        assert!(convert(&json, "report") == bytes, "{} through JSON", report.display());
    }
    assert!(
        !home.0.path().join("paperwire").exists() && !home.0.path().join("data").exists(),
        "no store is opened"
    );
}

#[test]
fn a_misspelt_key_is_a_mistake_that_names_the_nearest_and_exits_2() {
    let home = Home::with("[telegram]\ntokn = \"1:a\"\n[web]\nlissten = \"127.0.0.1:0\"\n");
    for command in [&["config", "check"][..], &["run"], &["windows"]] {
        let said = home.paperwire(command);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{command:?}");
        for part in [
            "paperwire.toml:2",
            "tokn",
            "token",
            "paperwire.toml:4",
            "lissten",
            "listen",
        ] {
            assert!(said.err.contains(part), "{part} in {}", said.err);
        }
    }
}

#[test]
fn a_token_that_looks_wrong_is_told_of_by_the_check_and_kept_to_itself() {
    let home = Home::with("[discord]\ntoken = \"4242SECRET\"\n");
    let said = home.paperwire(["config", "check"]).done();
    assert!(
        said.err.contains("discord.token does not look like one of Discord's"),
        "{}",
        said.err
    );
    assert!(
        !said.err.contains("4242") && !said.err.contains("SECRET"),
        "{}",
        said.err
    );
    assert!(!home.paperwire(["doctor"]).out.contains("discord.token"));
}

#[test]
fn the_shown_configuration_hides_the_token_and_says_where_values_come_from() {
    let home = Home::with("[telegram]\ntoken = \"4242:AAFromTheFile\"\n");
    let said = Said::of(
        home.command(["config", "show"])
            .env("PAPERWIRE_DISCORD__TOKEN", "MTIz.from.environment")
            .output()
            .unwrap(),
    )
    .done();
    assert!(
        !said.out.contains("AAFrom") && !said.out.contains("from.environment"),
        "{}",
        said.out
    );
    assert_eq!(said.out.matches("token = \"(hidden)\"").count(), 2, "{}", said.out);
    assert!(
        said.out.contains("# paperwire.toml:2") && said.out.contains("# PAPERWIRE_DISCORD__TOKEN"),
        "{}",
        said.out
    );
}

/// A day's folder: 24 papers, of which every third is about kernels; the report has those.
fn day_folder(home: &Home, name: &str, first: usize) -> PathBuf {
    let folder = home.0.path().join(name);
    fs::create_dir(&folder).unwrap();
    let line = "-".repeat(78);
    let mut mail = format!(
        "{line}\n Submissions to:\nMachine Learning\n received from  Mon  2 Feb 26 19:00:00 GMT  to  Tue  3 Feb 26 \
         19:00:00 GMT\n{line}\n{line}\n"
    );
    let (mut briefs, mut details) = (String::new(), String::new());
    for number in first..first + 24 {
        let wanted = number % 3 == 0;
        let subject = if wanted { "A Sparse Kernel" } else { "A Census of Birds" };
        let title = format!("{subject} for the Archipelago of Island Number {number}");
        let about = format!(
            "We study island {number}, {}.",
            if wanted { "with sparse kernels" } else { "and its birds" }
        );
        mail += &format!(
            "\\\\\narXiv:2602.9{number:04}\nDate: Tue, 3 Feb 2026 04:27:57 GMT   (614kb)\n\nTitle: {title}\nAuthors: A. One\n\
             Categories: cs.LG\n\\\\\n  {about}\n\\\\ ( https://arxiv.org/abs/2602.9{number:04} ,  614kb)\n{line}\n"
        );
        if wanted {
            let n = number / 3;
            briefs += &format!("### {n}. {title}\n\n某大学发布了论文。\n\n");
            details += &format!("### {n}. {title}\n**主要机构**: A\n**作者数量**: 1人\n\n**摘要**:\n{about}\n\n");
        }
    }
    fs::write(folder.join("mail.txt"), mail).unwrap();
    let report = format!(
        "# 报告\n生成时间: 2026-02-04 10:00:00\n分析论文数量: 8篇\n\n## 论文技术简报\n\n{briefs}## 论文详细信息\n\n{details}"
    );
    fs::write(folder.join("report_20260204_100000.md"), report).unwrap();
    folder
}

#[test]
fn a_topic_is_taught_measured_and_explains_itself() {
    let home = Home::new();
    let days = [(30, "a"), (60, "b")].map(|(first, name)| day_folder(&home, name, first));
    let untaught = home.paperwire(["topic", "explain", "inference"]);
    assert_eq!(untaught.code, Some(1));
    assert!(untaught.err.contains("topic train inference"), "{}", untaught.err);

    let with = |args: &[&str]| {
        let args = args
            .iter()
            .map(PathBuf::from)
            .chain(["--examples".into()])
            .chain(days.iter().cloned());
        home.paperwire(args)
    };
    let evaluated = with(&["topic", "eval", "inference", "--json"]).done().json();
    assert_eq!(evaluated["days"].as_array().unwrap().len(), 2, "{evaluated}");
    assert_eq!(
        (&evaluated["days"][0]["papers"], &evaluated["learned"]["wanted"]),
        (&json!(24), &json!(16))
    );
    assert_eq!(evaluated["learned"]["average_precision"], json!(1.0));

    let trained = with(&["topic", "train", "inference"]).done();
    assert!(
        trained.out.contains("48 papers of which 16 were wanted, from a, b"),
        "{}",
        trained.out
    );
    // Figures of the same name are of two measurements, and each says which.
    assert!(
        trained.out.contains("Cross-check on its own 2 mailings, in 2 parts: ")
            && trained.out.contains("topic eval inference"),
        "{}",
        trained.out
    );
    let table = with(&["topic", "eval", "inference"]).done().out;
    assert!(
        table.contains("ranked by what all the other days teach, ") && table.contains("R@2x: "),
        "{table}"
    );
    assert!(
        evaluated["measured"].as_array().is_some_and(|lines| lines.len() == 3),
        "{evaluated}"
    );
    assert!(home.0.path().join("data/models/inference.json").is_file());
    let explained = home.paperwire(["topic", "explain", "inference"]).done();
    assert!(explained.out.contains("“sparse kernel"), "{}", explained.out);
    let paper = with(&["topic", "explain", "inference", "2602.90030"]).done();
    assert!(
        paper.out.contains(": kept") && paper.out.contains("sparse kernel"),
        "{}",
        paper.out
    );

    let nobody = with(&["topic", "eval", "inference", "--judge"]);
    assert_eq!(nobody.code, Some(2));
    assert!(nobody.err.contains("[model]"), "{}", nobody.err);

    let empty = home.0.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let args: [&OsStr; 5] = [
        "topic".as_ref(),
        "eval".as_ref(),
        "inference".as_ref(),
        "--examples".as_ref(),
        empty.as_ref(),
    ];
    let refused = home.paperwire(args);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("mail.txt"), "{}", refused.err);
}

#[test]
fn usage_mistakes_exit_2_and_a_reader_that_leaves_is_no_failure() {
    let home = Home::new();
    for args in [
        &["frobnicate"][..],
        &["post", "--channel", "lobby"],
        &["convert", "x.md", "--to", "pdf"],
        &[],
    ] {
        let said = home.paperwire(args);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{args:?}: {}", said.err);
        assert!(!said.err.is_empty());
    }
    let version = home.paperwire(["--version"]).done();
    assert!(version.out.starts_with("paperwire "), "{}", version.out);

    let mailing = sample("mailing.txt");
    let mut child = home
        .command([
            OsStr::new("convert"),
            mailing.as_os_str(),
            "--to".as_ref(),
            "json".as_ref(),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

#[test]
fn a_demo_at_an_address_that_is_taken_names_its_own_flag() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = Said::of(
        home.command(["demo", "--listen", &address])
            .env("TMPDIR", home.0.path())
            .output()
            .unwrap(),
    );
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(
        said.err
            .contains(&format!("cannot listen on {address}; give --listen another")),
        "{}",
        said.err
    );
    assert!(!said.err.contains("web.listen"), "{}", said.err);
}

#[test]
fn the_demo_prints_its_address_shows_a_digest_and_leaves_nothing_behind() {
    let home = Home::new();
    let mut child = home
        .command(["demo", "--listen", "127.0.0.1:0"])
        .env("TMPDIR", home.0.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    let running = Running::watch(child, out);
    let line = running.line("open http://127.0.0.1:");
    let address = line
        .split("http://")
        .nth(1)
        .and_then(|rest| rest.split('/').next())
        .unwrap();
    // The stream of posts: it begins with those that are there, and goes on with those to come.
    let mut posts = std::net::TcpStream::connect(address).unwrap();
    posts.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(posts, "GET /c/lobby/events HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let digest = BufReader::new(posts)
        .lines()
        .map(Result::unwrap)
        .find(|line| line.starts_with("data:"))
        .unwrap();
    assert!(digest.contains("AI inference acceleration"), "{digest}");
    running.signal("-INT");
    assert_eq!(running.end(), Some(0));
    let left = fs::read_dir(home.0.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    assert_eq!(left.collect::<Vec<_>>(), ["paperwire.toml"]);
}
