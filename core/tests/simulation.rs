//! The delivery path in virtual time: core's stages under a platform that does everything a platform can do, in a process
//! that dies between any two steps. A seed decides everything, so that a failing one replays.
//!
//! ```text
//! PAPERWIRE_SEEDS=10000 cargo test -p paperwire-core --release --test simulation
//! PAPERWIRE_SEED=4711   cargo test -p paperwire-core --test simulation -- --nocapture
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests are tests, and a seed that is replayed tells what happens"
)]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use paperwire_core::channel::{Activity, Channel, Missed, Place, Platform, Seq, Settings, Style, WhenEmpty};
use paperwire_core::delivery::{
    Delivery, DeliveryId, Discard, Doubt, LimitScope, Looked, Missing, Outcome, SendError, State, UncertainPolicy,
    Verdict,
};
use paperwire_core::digest::{Digest, DigestId, RenderingId};
use paperwire_core::erratum::Errata;
use paperwire_core::limiter::{Heard, Lane, Limiter, Limits, Signal, Window as Pace};
use paperwire_core::locale::Lang;
use paperwire_core::message::{Amendment, Block, Message, Part, Render};
use paperwire_core::paper::{Field, Paper, PaperId};
use paperwire_core::pipeline::{self, Extent, Input, Job, Task, Turn, Wanted};
use paperwire_core::source::{Announcement, Item, Parsed, SourceKind, Window};
use paperwire_core::store::{
    ContentRecord, DigestSummary, IntakeRecord, MatchRecord, ModelStore, Result, Store, StoreError, WindowRecord, Write,
};
use paperwire_core::subscription::Subjects;
use paperwire_core::topic::{Tier, Topic, TopicId};

const SEEDS: u64 = 300;
/// How long the simulated Discord remembers a nonce, in ms: its documentation says “the past few minutes”.
const NONCE_MS: i64 = 5 * 60_000;
/// How many parts of a platform are on the wire at most.
const ROOM: usize = 4;
/// The HTTP client's patience, in ms.
const TIMEOUT_MS: i64 = 20_000;
/// More events than a seed ever needs; then the queue does not empty.
const MOST_EVENTS: u32 = 40_000;

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn between(&mut self, least: i64, most: i64) -> i64 {
        least + i64::try_from(self.below(u64::try_from(most - least + 1).unwrap())).unwrap()
    }

    fn permille(&mut self, chance: u64) -> bool {
        self.below(1_000) < chance
    }
}

/// A store whose process can die in a commit: nothing of that one is written, nor anything after it.
struct Mortal {
    model: ModelStore,
    commits_left: AtomicU32,
}

macro_rules! reads {
    ($($name:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
        $(fn $name(&self, $($arg: $type),*) -> Result<$out> { self.model.$name($($arg),*) })*
    };
}

impl Store for Mortal {
    reads! {
        paper(id: &PaperId) -> Option<Paper>;
        similar(sketch: &[u64]) -> Vec<PaperId>;
        head() -> Seq;
        intake(after: Seq, upto: Seq, limit: usize) -> Vec<IntakeRecord>;
        intake_of(paper: &PaperId) -> Option<IntakeRecord>;
        windows() -> Vec<WindowRecord>;
        window(window: &Window) -> Option<WindowRecord>;
        content(hash: &str) -> Option<ContentRecord>;
        matches(topic: &TopicId, after: Seq, upto: Seq) -> Vec<MatchRecord>;
        topic_fingerprint(topic: &TopicId) -> Option<u64>;
        channel(place: &Place) -> Option<Channel>;
        channels() -> Vec<Channel>;
        channels_due(now: DateTime<Utc>, limit: usize) -> Vec<Channel>;
        next_channel_due() -> Option<DateTime<Utc>>;
        digest(id: &DigestId) -> Option<Digest>;
        digests(before: Option<DigestId>, limit: usize) -> Vec<DigestId>;
        part(id: &RenderingId, index: u32) -> Option<Part>;
        delivery(id: &DeliveryId) -> Option<Delivery>;
        deliveries(place: &Place, before: Option<DigestId>, limit: usize) -> Vec<Delivery>;
        due(platform: Platform, now: DateTime<Utc>, limit: usize) -> Vec<Delivery>;
        next_due(platform: Platform) -> Option<DateTime<Utc>>;
        leased(platform: Platform) -> Vec<Delivery>;
        sends(platform: Platform, since: DateTime<Utc>) -> Vec<(String, DateTime<Utc>)>;
        limiter_memory(platform: Platform) -> Option<String>;
        digests_of_place(place: &Place, limit: usize) -> Vec<DigestId>;
        messages_in_chat(place: &Place, limit: usize) -> Vec<String>;
        finished_before(before: DateTime<Utc>, limit: usize) -> Vec<DeliveryId>;
        digest_summary(id: &DigestId) -> Option<DigestSummary>;
        digests_of_paper(paper: &PaperId) -> Vec<DigestId>;
        deliveries_of_digest(id: &DigestId) -> Vec<DeliveryId>;
        errata(id: &DigestId) -> Option<Errata>;
        unfinished(limit: usize) -> Vec<Delivery>;
        dead_letters(limit: usize) -> Vec<Delivery>;
        digest_of_message(place: &Place, message_id: &str) -> Option<DigestId>;
        sync() -> ();
    }

    fn commit(&self, writes: Vec<Write>) -> Result<()> {
        let left = self.commits_left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(StoreError::Broken("the process is dead".to_owned()));
        }
        if left < u32::MAX {
            self.commits_left.store(left - 1, Ordering::Relaxed);
        }
        self.model.commit(writes)
    }
}

/// Two papers to a part, one to a line.
struct TwoToAPart;

impl Render for TwoToAPart {
    fn render(&self, _: Platform, message: &Message) -> Vec<Part> {
        let titles: Vec<String> = message
            .blocks
            .iter()
            .filter_map(|block| match block {
                Block::Entry(entry) => Some(format!("{}{NUMBER}{}", entry.title, entry.number.unwrap_or_default())),
                Block::Heading(_) | Block::Paragraph(_) => None,
            })
            .collect();
        if titles.is_empty() {
            let payload = "nothing new".to_owned();
            return vec![Part { payload }];
        }
        let parts = titles.chunks(2).map(|two| two.join("\n"));
        parts.map(|payload| Part { payload }).collect()
    }

    fn numbers(&self, _: Platform, part: &Part) -> Vec<u32> {
        part.payload.lines().filter_map(number_of).collect()
    }

    fn amend(&self, _: Platform, part: &Part, amendments: &[Amendment]) -> Option<Part> {
        let lines = part.payload.lines().map(|line| {
            let amendment = amendments.iter().find(|a| Some(a.number) == number_of(line));
            amendment.map_or_else(|| line.to_owned(), |a| format!("{line} {:?}{:?}", a.mark, a.line))
        });
        let payload = lines.collect::<Vec<_>>().join("\n");
        Some(Part { payload })
    }
}

/// Between the title of a paper and its number; behind that follows what became of it.
const NUMBER: &str = " #";

fn title_of(line: &str) -> &str {
    line.split_once(NUMBER).map_or(line, |(title, _)| title)
}

fn number_of(line: &str) -> Option<u32> {
    let (_, behind) = line.split_once(NUMBER)?;
    behind.split(' ').next()?.parse().ok()
}

fn topic() -> Topic {
    Topic {
        id: TopicId("caching".to_owned()),
        name_zh: "缓存".to_owned(),
        name_en: "Caching".to_owned(),
        tiers: vec![Tier {
            weight: 3,
            terms: vec!["pruning".to_owned()],
        }],
        title_factor: 1,
        categories_include: Vec::new(),
        categories_exclude: Vec::new(),
        excluded_terms: Vec::new(),
        threshold: 1,
        cap: 10_000,
        learned: None,
    }
}

fn settings() -> Settings {
    Settings {
        subjects: Subjects::new([topic().id], []),
        schedule: None,
        timezone: chrono_tz::UTC,
        language: Lang::En,
        when_empty: WhenEmpty::Say,
        missed: Missed::Merge,
        weekly: None,
        style: Style::Compact,
    }
}

/// Which chat, which digest, which part of it.
type Piece = (usize, DigestId, u32);

/// A chat as its platform has it.
struct Chat {
    /// As the configuration names it.
    configured: Place,
    /// Where it is now.
    place: Place,
    former: Vec<Place>,
    blocked_until: i64,
    /// Whether nobody can find out there what has arrived: Discord without the right to read the history.
    dark: bool,
    /// The latest piece that arrived for the first time.
    last: Option<(DigestId, u32)>,
    /// In which pieces a paper arrived.
    papers: HashMap<String, Vec<(DigestId, u32)>>,
}

/// A delivery in the hands of the living process.
struct InHand {
    held: Delivery,
    part: Part,
    task: Task,
    slot: DateTime<Utc>,
    on_the_wire: bool,
}

/// A request on its way.
struct Request {
    life: u32,
    task: u64,
    place: Place,
    piece: Piece,
    key: String,
    payload: String,
    missing: Option<Missing>,
    /// The message that it edits.
    edit: Option<String>,
}

enum Event {
    /// The program starts, as the successor of one that ended.
    Start(u32),
    /// A platform's worker takes its turn; only the latest one planned counts.
    Turn(Platform, u64),
    /// A task may send.
    Permit(u32, u64),
    /// A request reaches the platform.
    Arrival(Box<Request>),
    /// The client has heard, or given up.
    Answer(u32, u64, Outcome),
    /// Somebody asks something in a chat.
    Question,
    /// Papers come in and a digest is published, by the running program or beside it.
    Publish,
    /// An update says that a chat has moved.
    Follow(Place, Place),
    /// Something else happens.
    Nature,
    /// Nothing goes wrong from now on.
    Calm,
}

/// What happened, for the proof that it happens.
#[derive(Default)]
struct Counts(BTreeMap<&'static str, u64>);

struct Simulation {
    telling: bool,
    random: Random,
    store: Mortal,
    topics: [Topic; 1],
    /// Virtual time in ms, which only grows; the clock that the program reads is that and `skew`.
    at: i64,
    skew: TimeDelta,
    /// The skew of the clock that never goes back while the program lives.
    steady: TimeDelta,
    events: BTreeMap<(i64, u64), Event>,
    planned: u64,
    turns: HashMap<Platform, u64>,
    limiters: HashMap<Platform, Limiter>,
    done: HashMap<Platform, Vec<(Delivery, Outcome)>>,
    /// When something went on the wire, in ms, for each platform and for each chat of it.
    launches: HashMap<(Platform, Option<String>), Vec<i64>>,
    policy: UncertainPolicy,
    faults: u64,
    deaths: u64,
    calm: bool,
    running: bool,
    stopping: bool,
    life: u32,
    tasks: BTreeMap<u64, InHand>,
    chats: Vec<Chat>,
    messages: HashMap<String, Piece>,
    /// What each message says.
    shown: HashMap<String, String>,
    /// Edits of these may still come, since they were on the wire without an answer.
    stray: HashSet<Piece>,
    nonces: HashMap<String, (i64, String, Piece)>,
    first: HashMap<Piece, i64>,
    /// A send of it was not answered: its fate was unknown at some time.
    doubtful: HashSet<Piece>,
    /// How often the platform refused it: as it is, and as plain text.
    refused: HashMap<Piece, u32>,
    published: HashSet<(usize, DigestId)>,
    papers: u64,
    publishes_left: u32,
    counts: Counts,
}

/// The process is dead, or an invariant does not hold.
enum End {
    Dead,
    Broken(String),
}

impl From<StoreError> for End {
    fn from(_: StoreError) -> Self {
        Self::Dead
    }
}

type Step = std::result::Result<(), End>;

fn broken<T>(what: impl Into<String>) -> std::result::Result<T, End> {
    Err(End::Broken(what.into()))
}

impl Simulation {
    fn new(seed: u64, telling: bool) -> Self {
        let mut random = Random(seed);
        let chats = (0..random.between(2, 6))
            .map(|n| match random.below(5) {
                0 => Place::telegram(1_000 + n, None),
                1 => Place::telegram(-5 - n, None),
                2 => Place::telegram(-1_001_000_000_000 - n, None),
                _ => Place::discord(100_000_000_000_000_000 + u64::try_from(n).unwrap()),
            })
            .collect::<Vec<Place>>();
        let chats = chats
            .into_iter()
            .map(|place| Chat {
                dark: place.platform() == Platform::Discord && random.permille(300),
                configured: place.clone(),
                place,
                former: Vec::new(),
                blocked_until: 0,
                last: None,
                papers: HashMap::new(),
            })
            .collect();
        let policy = match random.below(3) {
            0 => UncertainPolicy::Skip,
            _ => UncertainPolicy::Resend,
        };
        let store = Mortal {
            model: ModelStore::new(),
            commits_left: AtomicU32::new(u32::MAX),
        };
        let mut simulation = Self {
            telling,
            store,
            topics: [topic()],
            at: 0,
            skew: TimeDelta::zero(),
            steady: TimeDelta::zero(),
            events: BTreeMap::new(),
            planned: 0,
            turns: HashMap::new(),
            limiters: HashMap::new(),
            done: HashMap::new(),
            launches: HashMap::new(),
            policy,
            faults: [0, 150, 300][usize::try_from(random.below(3)).unwrap()],
            deaths: [0, 10, 30][usize::try_from(random.below(3)).unwrap()],
            calm: false,
            running: false,
            stopping: false,
            life: 0,
            tasks: BTreeMap::new(),
            chats,
            messages: HashMap::new(),
            shown: HashMap::new(),
            stray: HashSet::new(),
            nonces: HashMap::new(),
            first: HashMap::new(),
            doubtful: HashSet::new(),
            refused: HashMap::new(),
            published: HashSet::new(),
            papers: 0,
            publishes_left: u32::try_from(random.between(2, 6)).unwrap(),
            counts: Counts::default(),
            random,
        };
        simulation.plan(0, Event::Start(0));
        simulation.plan(1_000, Event::Publish);
        simulation.plan(5_000, Event::Nature);
        simulation.plan(3_000, Event::Question);
        simulation
    }

    fn tell(&self, what: impl FnOnce() -> String) {
        if self.telling {
            println!("{:>9} ms  {}", self.at, what());
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.0.entry(what).or_default() += 1;
    }

    /// What the program's clock shows.
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::milliseconds(self.at) + self.skew
    }

    /// The clock that the delivery path reads.
    fn steady_now(&mut self) -> DateTime<Utc> {
        if self.skew > self.steady {
            // By a clock that is put forward everything was sent long ago.
            self.launches.clear();
            self.steady = self.skew;
        }
        self.now() - self.skew + self.steady
    }

    fn plan(&mut self, delay: i64, event: Event) {
        self.planned += 1;
        self.events.insert((self.at + delay, self.planned), event);
    }

    fn wake(&mut self, platform: Platform, delay: i64) {
        self.plan(delay, Event::Turn(platform, self.planned + 1));
        self.turns.insert(platform, self.planned);
    }

    /// Until everything that was published is settled in a world where nothing goes wrong any more.
    fn run(mut self) -> std::result::Result<Counts, String> {
        for _ in 0..MOST_EVENTS {
            if self.calm && self.running && self.tasks.is_empty() && self.publishes_left == 0 {
                let waiting = self.store.unfinished(1).map_err(|error| error.to_string())?;
                if waiting.is_empty() {
                    return match self.examine() {
                        Ok(()) => Ok(self.counts),
                        Err(End::Broken(what)) => Err(what),
                        Err(End::Dead) => Err("the store failed at the end".to_owned()),
                    };
                }
            }
            let Some(((at, _), event)) = self.events.pop_first() else {
                return Err("nothing is planned any more".to_owned());
            };
            self.at = at;
            let dies = !self.calm && self.running && self.random.permille(self.deaths);
            let step = if dies && self.random.permille(500) {
                self.die();
                self.happen(event)
            } else {
                if dies {
                    let commits = u32::try_from(self.random.below(4)).unwrap();
                    self.store.commits_left.store(commits, Ordering::Relaxed);
                }
                self.happen(event)
            };
            match step {
                Ok(()) => {}
                Err(End::Dead) => self.die(),
                Err(End::Broken(what)) => return Err(what),
            }
        }
        Err(format!(
            "the queue does not empty: {:#?}",
            self.store.unfinished(3).unwrap()
        ))
    }

    /// As SIGKILL does. What is on the wire may still arrive.
    fn die(&mut self) {
        self.store.commits_left.store(u32::MAX, Ordering::Relaxed);
        if !self.running {
            return;
        }
        self.tell(|| "✝".to_owned());
        self.count("deaths");
        for task in std::mem::take(&mut self.tasks).into_values() {
            // The next life knows what was claimed, and not whether it was on the wire.
            self.doubt(
                &task.held,
                match (task.on_the_wire, &task.task) {
                    (false, _) => "deaths with a claim",
                    (true, Task::Send) => "deaths while sending",
                    (true, Task::Look(_)) => "deaths while looking",
                    (true, Task::Edit { .. }) => "deaths while editing",
                },
            );
        }
        for (held, outcome) in std::mem::take(&mut self.done).into_values().flatten() {
            if outcome != Outcome::Unused {
                self.doubt(&held, "deaths with an answer that is not settled");
            }
        }
        self.end();
    }

    /// The process is no more; another one follows.
    fn end(&mut self) {
        self.life += 1;
        self.done.clear();
        (self.running, self.stopping) = (false, false);
        let longest = if self.random.permille(300) { 50 } else { 60_000 };
        let delay = self.random.between(1, longest);
        self.plan(delay, Event::Start(self.life));
    }

    fn doubt(&mut self, held: &Delivery, why: &'static str) {
        let piece = (self.chat_of(&held.id.place), held.id.digest, held.next_part());
        self.tell(|| format!("in doubt: {} part {} ({why})", held.id, held.next_part()));
        // An edit is made again, whatever became of it.
        if held.id.is_correction() {
            self.stray.insert(piece);
        } else {
            self.doubtful.insert(piece);
        }
        self.count(why);
    }

    fn refused_for_good(&self, piece: &Piece) -> bool {
        self.refused.get(piece).is_some_and(|times| *times > 1)
    }

    fn chat_of(&self, place: &Place) -> usize {
        let found = self
            .chats
            .iter()
            .position(|c| c.place == *place || c.former.contains(place));
        found.unwrap_or_else(|| panic!("{place} is nobody's"))
    }

    fn happen(&mut self, event: Event) -> Step {
        match event {
            Event::Start(life) if life == self.life && !self.running => self.start(),
            Event::Turn(platform, number) if self.running && self.turns.get(&platform) == Some(&number) => {
                self.turn(platform)
            }
            Event::Permit(life, task) if life == self.life => self.launch(task),
            Event::Answer(life, task, outcome) if life == self.life => self.answered(task, outcome),
            Event::Question => self.question(),
            Event::Start(..) | Event::Turn(..) | Event::Permit(..) | Event::Answer(..) => Ok(()),
            Event::Arrival(request) => self.arrive(*request),
            Event::Publish => self.publish(),
            Event::Follow(from, to) if self.running => self.follow(from, to),
            Event::Follow(..) => Ok(()),
            Event::Nature => self.nature(),
            Event::Calm => self.become_calm(),
        }
    }

    // The program, as bots/ runs it.

    fn start(&mut self) -> Step {
        self.tell(|| "start".to_owned());
        self.running = true;
        // Sometimes somebody takes a channel out of the configuration, for one run.
        let left_out = if !self.calm && self.random.permille(100) {
            self.count("channels left out of the configuration");
            Some(0)
        } else {
            None
        };
        let wanted = self.wanted(left_out);
        pipeline::configure_channels(&self.store, &wanted, Extent::Whole, self.now())?;
        if self.steady != self.skew {
            // By a clock that was changed between two lives nobody can tell how long ago something was sent.
            self.launches.clear();
        }
        self.steady = self.skew;
        let now = self.steady_now();
        pipeline::take_over(&self.store, now)?;
        self.note_published()?;
        for platform in [Platform::Telegram, Platform::Discord] {
            let limiter = pipeline::limiter(&self.store, platform, limits(platform), now)?;
            self.limiters.insert(platform, limiter);
            self.wake(platform, 1);
        }
        Ok(())
    }

    fn wanted(&self, left_out: Option<usize>) -> Vec<Wanted> {
        let chats = self.chats.iter().enumerate().filter(|(n, _)| Some(*n) != left_out);
        chats
            .map(|(_, chat)| Wanted {
                place: chat.configured.clone(),
                settings: settings(),
            })
            .collect()
    }

    fn turn(&mut self, platform: Platform) -> Step {
        let flying = |task: &&InHand| task.held.id.place.platform() == platform;
        let flying: HashSet<Place> = self
            .tasks
            .values()
            .filter(flying)
            .map(|t| t.held.id.place.clone())
            .collect();
        let room = if self.stopping {
            0
        } else {
            ROOM.saturating_sub(flying.len())
        };
        let (now, policy) = (self.steady_now(), self.policy_of(platform));
        let done = self.done.remove(&platform).unwrap_or_default();
        let Some(limiter) = self.limiters.get_mut(&platform) else {
            return broken("no limiter");
        };
        let input = Input {
            done: done.clone(),
            flying,
            room,
        };
        let taken = pipeline::turn(&self.store, platform, limiter, input, policy, now);
        let Turn {
            settled, jobs, next, ..
        } = taken.inspect_err(|_| {
            // Dead before it was written down.
            self.done.insert(platform, done);
        })?;
        for verdict in settled.iter().filter_map(|settled| settled.decided.as_ref()) {
            *self
                .counts
                .0
                .entry(match verdict {
                    Verdict::Found => "found in the chat",
                    Verdict::NotThere => "not there, sent again",
                    Verdict::Resent(_) => "resent by policy",
                    Verdict::Skipped(_) => "skipped by policy",
                    Verdict::Unedited(_) => "left as it was posted",
                })
                .or_default() += 1;
        }
        if jobs.len() < room {
            self.is_busy(platform, now)?;
        }
        let nap = next.map_or(60_000, |next| (next - now).num_milliseconds().clamp(1, 60_000));
        self.wake(platform, nap);
        for Job {
            delivery,
            part,
            at,
            task,
        } in jobs
        {
            self.tell(|| format!("claimed {} part {} {task:?}", delivery.id, delivery.next_part()));
            self.planned += 1;
            let number = self.planned;
            let (held, on_the_wire) = (delivery, false);
            self.tasks.insert(
                number,
                InHand {
                    held,
                    part,
                    task,
                    slot: at,
                    on_the_wire,
                },
            );
            let delay = (at - now).num_milliseconds().max(0);
            self.plan(delay, Event::Permit(self.life, number));
        }
        self.stop_if_idle()
    }

    /// While a permit is free, nothing that is due and not on the wire waits.
    fn is_busy(&self, platform: Platform, now: DateTime<Utc>) -> Step {
        for due in self.store.due(platform, now, ROOM)? {
            let mut limiter = self.limiters[&platform].clone();
            let flying = self.tasks.values().any(|task| task.held.id.place == due.id.place);
            if !flying
                && limiter
                    .reserve(&due.id.place, Lane::Bulk, now, TimeDelta::zero())
                    .is_ok()
            {
                return broken(format!("{} waits although there is a permit", due.id));
            }
        }
        Ok(())
    }

    /// Something goes on the wire: the platform's limits hold, whatever happened before.
    fn count_launch(&mut self, place: &Place) -> Step {
        let (platform, chat) = (place.platform(), place.chat().to_owned());
        let Limits {
            bot,
            chat: chats,
            group,
            ..
        } = limits(platform);
        let mut of_chat = chats;
        if is_group(place) {
            of_chat.extend(group);
        }
        for (key, windows) in [((platform, None), vec![bot]), ((platform, Some(chat)), of_chat)] {
            let launches = self.launches.entry(key).or_default();
            launches.push(self.at);
            for Pace { messages, per } in windows {
                let since = self.at - per.num_milliseconds();
                let recent = launches.iter().rev().take_while(|at| **at > since).count();
                if recent > usize::try_from(messages).unwrap() {
                    let at = launches.iter().rev().take(recent).rev();
                    let at: Vec<String> = at.map(ToString::to_string).collect();
                    return broken(format!(
                        "{recent} messages to {place} in {per} where {messages} are allowed, at {} ms",
                        at.join(", ")
                    ));
                }
            }
        }
        Ok(())
    }

    fn launch(&mut self, number: u64) -> Step {
        let Some(task) = self.tasks.get(&number) else {
            return broken("a task is gone");
        };
        let (held, slot) = (task.held.clone(), task.slot);
        let place = held.id.place.clone();
        if self.stopping {
            self.tell(|| format!("gives back {}", held.id));
            return self.answered(number, Outcome::Unused);
        }
        let now = self.steady_now();
        if let Some(limiter) = self.limiters.get_mut(&place.platform()) {
            if limiter.closed_until(&place, now).is_some() {
                limiter.give_back(&place, slot);
                self.tell(|| format!("{place} is closed"));
                return self.answered(number, Outcome::Unused);
            }
            limiter.used_late(&place, slot, now);
        }
        self.count_launch(&place)?;
        let piece = (self.chat_of(&place), held.id.digest, held.next_part());
        let stored = self.store.part(&held.rendering, held.next_part())?;
        let Some(task) = self.tasks.get_mut(&number) else {
            return broken("a task is gone");
        };
        if stored.as_ref() != Some(&task.part) {
            return broken(format!("{} sends another part than {}", held.id, piece.2));
        }
        task.on_the_wire = true;
        let request = Request {
            life: self.life,
            task: number,
            place,
            piece,
            key: held.idempotency_key(),
            payload: task.part.payload.clone(),
            missing: match &task.task {
                Task::Send | Task::Edit { .. } => None,
                Task::Look(missing) => Some(missing.clone()),
            },
            edit: match &task.task {
                Task::Send | Task::Look(_) => None,
                Task::Edit { message, .. } => Some(message.clone()),
            },
        };
        if request.edit.is_some() != held.id.is_correction() {
            return broken(format!("{} posts although it is a correction", held.id));
        }
        let delay = self.random.between(1, 400);
        self.plan(delay, Event::Arrival(Box::new(request)));
        Ok(())
    }

    fn answered(&mut self, number: u64, outcome: Outcome) -> Step {
        let Some(task) = self.tasks.remove(&number) else {
            return broken("a task is gone");
        };
        let held = task.held;
        let platform = held.id.place.platform();
        self.tell(|| format!("back: {} part {}: {outcome:?}", held.id, held.next_part()));
        if let Outcome::Sent(sent) = &outcome {
            let heard = match sent {
                Ok(_) => Heard::Accepted,
                Err(SendError::RateLimited { retry_after, scope }) => Heard::Limited {
                    retry_after: *retry_after,
                    scope: *scope,
                },
                Err(_) => Heard::Other,
            };
            let now = self.steady_now();
            if let Some(limiter) = self.limiters.get_mut(&platform) {
                limiter.observe(&held.id.place, &heard, &Signal::default(), now);
            }
            if matches!(sent, Err(SendError::Uncertain { .. })) {
                self.doubt(&held, "sends without an answer");
            }
        }
        self.done.entry(platform).or_default().push((held, outcome));
        let latency = self.random.between(1, 20);
        self.wake(platform, latency);
        Ok(())
    }

    /// A person's question takes its permit beside the bulk, and waits no longer than its chat makes it.
    fn question(&mut self) -> Step {
        if !self.calm {
            let delay = self.random.between(100, 60_000);
            self.plan(delay, Event::Question);
        }
        let chat = usize::try_from(self.random.below(self.chats.len() as u64)).unwrap();
        let place = self.chats[chat].place.clone();
        let now = self.steady_now();
        if !self.running || self.stopping {
            return Ok(());
        }
        let Some(limiter) = self.limiters.get_mut(&place.platform()) else {
            return broken("no limiter");
        };
        // Who has to wait asks again later.
        if let Ok(at) = limiter.reserve(&place, Lane::People, now, TimeDelta::zero()) {
            self.store.commit(vec![Write::Sent {
                place: place.clone(),
                at,
            }])?;
            self.count("answers");
            self.count_launch(&place)?;
        }
        Ok(())
    }

    /// The policy that the configuration gives each platform.
    fn policy_of(&self, platform: Platform) -> UncertainPolicy {
        match platform {
            Platform::Telegram => self.policy,
            Platform::Discord | Platform::Web => UncertainPolicy::Resend,
        }
    }

    fn stop_if_idle(&mut self) -> Step {
        if self.stopping && self.tasks.is_empty() && self.done.values().all(Vec::is_empty) {
            self.tell(|| "stopped".to_owned());
            self.end();
        }
        Ok(())
    }

    fn follow(&mut self, from: Place, to: Place) -> Step {
        if pipeline::follow_chat(&self.store, &from, &to, self.now())? {
            self.count("moves that an update told");
            self.wake(Platform::Telegram, 1);
        } else {
            self.plan(200, Event::Follow(from, to));
        }
        Ok(())
    }

    fn publish(&mut self) -> Step {
        self.publishes_left = self.publishes_left.saturating_sub(1);
        if self.calm && self.publishes_left == 0 {
            // While the clock is behind the last digest, channels share what was published then; what is newer comes when
            // it has caught up.
            self.skew = TimeDelta::hours(2);
        }
        let now = self.now();
        if self.publishes_left > 0 {
            let pause = [500, 20_000, 1_200_000][usize::try_from(self.random.below(3)).unwrap()];
            let delay = self.random.between(1, pause);
            self.plan(delay, Event::Publish);
        } else if !self.calm {
            let delay = self.random.between(1, 600_000);
            self.plan(delay, Event::Calm);
        }
        if self.calm {
            // A refusal that was on the wire when it became calm paused its channel once more.
            for chat in &self.chats {
                pipeline::resume_channel(&self.store, &chat.place, now)?;
            }
        }
        if !self.running {
            // Somebody does it by a command beside the program.
            pipeline::configure_channels(&self.store, &self.wanted(None), Extent::Additions, now)?;
        }
        self.take_papers(now)?;
        let mut targets = self.store.channels()?;
        targets.retain(|channel| channel.activity == Activity::Active);
        if !self.calm {
            targets.retain(|_| self.random.permille(800));
        }
        let published = pipeline::publish_now(&self.store, &self.topics, &TwoToAPart, targets, now)?;
        self.tell(|| format!("published {:?}", published.deliveries));
        self.note_published()?;
        for platform in [Platform::Telegram, Platform::Discord] {
            self.wake(platform, 1);
        }
        Ok(())
    }

    fn take_papers(&mut self, now: DateTime<Utc>) -> Step {
        let known = self.papers;
        let item = |number: u64, version: u64, announcement| Item {
            paper: Paper {
                version: u16::try_from(version).unwrap_or(u16::MAX),
                title: Some(Field::new(format!("On pruning, {number}"), SourceKind::ArxivMail)),
                ..Paper::new(PaperId::Arxiv(format!("2510.{number:05}")))
            },
            announcement,
        };
        let mut items = Vec::new();
        for _ in 0..self.random.below(8) {
            self.papers += 1;
            items.push(item(self.papers, 1, Announcement::New));
        }
        if known > 0 && self.random.permille(700) {
            let announcement = match self.random.below(3) {
                0 => Announcement::Withdrawal,
                _ => Announcement::Replacement,
            };
            items.push(item(1 + self.random.below(known), self.planned, announcement));
        }
        let parsed = Parsed {
            source: SourceKind::ArxivMail,
            window: None,
            asked: None,
            items,
            rejected: Vec::new(),
        };
        let bytes = self.planned.to_string();
        let accepted = pipeline::accept(
            &self.store,
            &self.topics,
            &TwoToAPart,
            "mail",
            bytes.as_bytes(),
            parsed,
            now,
        )?;
        for _ in 0..accepted.corrections {
            self.count("corrections");
        }
        Ok(())
    }

    /// Whatever is in the queue now has to be there at the end.
    fn note_published(&mut self) -> Step {
        for delivery in self.all_deliveries()? {
            let chat = self.chat_of(&delivery.id.place);
            self.published.insert((chat, delivery.id.digest));
        }
        Ok(())
    }

    fn all_deliveries(&self) -> Result<Vec<Delivery>> {
        let mut all = Vec::new();
        for chat in &self.chats {
            for place in chat.former.iter().chain([&chat.place]) {
                all.extend(self.store.deliveries(place, None, usize::MAX)?);
            }
        }
        Ok(all)
    }

    // The world.

    fn nature(&mut self) -> Step {
        if self.calm {
            return Ok(());
        }
        let delay = self.random.between(1_000, 300_000);
        self.plan(delay, Event::Nature);
        let chat = usize::try_from(self.random.below(self.chats.len() as u64)).unwrap();
        match self.random.below(6) {
            0 => {
                self.skew -= TimeDelta::hours(1);
                self.count("clocks put back");
                self.tell(|| "the clock goes back an hour".to_owned());
            }
            1 if self.skew < TimeDelta::zero() => {
                self.skew += TimeDelta::hours(1);
                self.count("clocks put forward");
                self.tell(|| "the clock goes forward an hour".to_owned());
            }
            2 if self.running && !self.stopping => {
                self.stopping = true;
                self.count("stops");
                self.tell(|| "stop".to_owned());
                self.stop_if_idle()?;
            }
            3 if self.running && is_group(&self.chats[chat].place) => {
                // The chat moves and an update says so before a send finds out.
                let from = self.chats[chat].place.clone();
                let to = self.migrate(chat);
                self.plan(1, Event::Follow(from, to));
            }
            _ => {
                // Somebody writes /start.
                let place = self.chats[chat].place.clone();
                if pipeline::resume_channel(&self.store, &place, self.now())? {
                    self.count("channels resumed");
                }
            }
        }
        Ok(())
    }

    fn become_calm(&mut self) -> Step {
        self.tell(|| "calm".to_owned());
        self.calm = true;
        self.store.commits_left.store(u32::MAX, Ordering::Relaxed);
        for chat in &mut self.chats {
            chat.blocked_until = 0;
        }
        if !self.running {
            self.start()?;
        }
        self.wake(Platform::Telegram, 1);
        self.wake(Platform::Discord, 1);
        self.publishes_left = 2;
        // A stop may be under way, and a paused channel's last refusal on the wire.
        for delay in [200_000, 400_000] {
            self.plan(delay, Event::Publish);
        }
        pipeline::configure_channels(&self.store, &self.wanted(None), Extent::Whole, self.now())?;
        Ok(())
    }

    fn migrate(&mut self, chat: usize) -> Place {
        let chat_id = 1_000_000_000_000 + i64::try_from(self.planned).unwrap();
        let to = Place::telegram(-chat_id, None);
        self.tell(|| format!("{} becomes {to}", self.chats[chat].place));
        let from = std::mem::replace(&mut self.chats[chat].place, to.clone());
        self.chats[chat].former.push(from);
        // The program is about to hear of it; it may die in the middle of writing that down.
        if self.running && self.random.permille(self.deaths * 20) {
            let commits = u32::try_from(self.random.below(4)).unwrap();
            self.store.commits_left.store(commits, Ordering::Relaxed);
        }
        self.count("chats that moved");
        to
    }

    fn arrive(&mut self, request: Request) -> Step {
        let (life, task) = (request.life, request.task);
        if life != self.life {
            // Cut off in the middle of the request, or just after it.
            let open = self.chats[request.piece.0].blocked_until <= self.at;
            let there = request.missing.is_none() && request.place == self.chats[request.piece.0].place;
            if open && there && self.random.permille(500) {
                match &request.edit {
                    Some(message) => self.show(message, &request)?,
                    None => drop(self.accept(&request)?),
                }
            }
            return Ok(());
        }
        let outcome = match &request.missing {
            Some(_) => Outcome::Looked(self.seek(&request)),
            None => Outcome::Sent(self.treat(&request)?),
        };
        let unanswered = matches!(
            outcome,
            Outcome::Sent(Err(SendError::Uncertain { .. }))
                | Outcome::Looked(Looked::Failed(SendError::Uncertain { .. }))
        );
        let timeout = unanswered && self.random.permille(300);
        let delay = if timeout {
            TIMEOUT_MS
        } else {
            self.random.between(1, 400)
        };
        self.plan(delay, Event::Answer(life, task, outcome));
        Ok(())
    }

    /// What looking for a message shows.
    fn seek(&mut self, request: &Request) -> Looked {
        let reason = "as the seed wills".to_owned();
        let chat = &self.chats[request.piece.0];
        if chat.blocked_until > self.at {
            return Looked::Failed(SendError::Gone { reason });
        }
        if !self.decidable(request.piece.0) {
            return Looked::Undecidable(reason);
        }
        if !self.calm && self.random.permille(self.faults) {
            self.count("failed looks");
            return Looked::Failed(match self.random.below(3) {
                0 => SendError::Uncertain { reason },
                1 => SendError::Unreachable { reason },
                _ => SendError::RateLimited {
                    retry_after: Duration::from_secs(3),
                    scope: LimitScope::Chat,
                },
            });
        }
        let there = self.messages.iter().find(|(_, piece)| **piece == request.piece);
        there.map_or(Looked::NotThere, |(id, _)| Looked::There(id.clone()))
    }

    /// Whether a platform shows what has arrived in a chat: Telegram's private chats and basic groups do not.
    fn decidable(&self, chat: usize) -> bool {
        let Chat {
            place, dark, former, ..
        } = &self.chats[chat];
        match place.platform() {
            Platform::Telegram => place.chat().starts_with("-100") && former.is_empty(),
            Platform::Discord | Platform::Web => !dark,
        }
    }

    /// What the platform does with a request.
    fn treat(&mut self, request: &Request) -> std::result::Result<std::result::Result<String, SendError>, End> {
        let chat = request.piece.0;
        let reason = || "as the seed wills".to_owned();
        if self.chats[chat].blocked_until > self.at {
            self.count("Gone");
            return Ok(Err(SendError::Gone { reason: reason() }));
        }
        if self.chats[chat].place != request.place {
            self.count("Moved");
            let to = self.chats[chat].place.clone();
            return Ok(Err(SendError::Moved { to }));
        }
        if let Some(message) = &request.edit {
            return self.edit(message, request);
        }
        if self.refused.contains_key(&request.piece) && self.random.permille(500) {
            self.count("Rejected again");
            *self.refused.entry(request.piece).or_default() += 1;
            return Ok(Err(SendError::Rejected { reason: reason() }));
        }
        if self.calm || !self.random.permille(self.faults) {
            return self.accept(request).map(Ok);
        }
        Ok(Err(match self.random.below(12) {
            0 | 1 => {
                self.count("RateLimited");
                let longest = [3, 60_000, 3_600_000, 10_000_000_000][usize::try_from(self.random.below(4)).unwrap()];
                SendError::RateLimited {
                    retry_after: Duration::from_millis(self.random.below(longest)),
                    scope: if self.random.permille(200) {
                        LimitScope::Bot
                    } else {
                        LimitScope::Chat
                    },
                }
            }
            2 if is_group(&request.place) => {
                self.count("Moved");
                let to = self.migrate(chat);
                SendError::Moved { to }
            }
            3 => {
                self.count("Gone");
                let long = self.random.between(1, 3_600_000);
                self.chats[chat].blocked_until = self.at + long;
                SendError::Gone { reason: reason() }
            }
            4 => {
                self.count("Rejected");
                *self.refused.entry(request.piece).or_default() += 1;
                SendError::Rejected { reason: reason() }
            }
            5 | 6 => {
                self.count("Uncertain, arrived");
                self.accept(request)?;
                SendError::Uncertain { reason: reason() }
            }
            7 | 8 => {
                self.count("Uncertain, not arrived");
                SendError::Uncertain { reason: reason() }
            }
            _ => {
                self.count("Unreachable");
                SendError::Unreachable { reason: reason() }
            }
        }))
    }

    /// What the platform does with an edit in an open chat.
    fn edit(
        &mut self,
        message: &str,
        request: &Request,
    ) -> std::result::Result<std::result::Result<String, SendError>, End> {
        let reason = "as the seed wills".to_owned();
        let fault = match self.calm || !self.random.permille(self.faults) {
            true => 9,
            false => self.random.below(5),
        };
        Ok(Err(match fault {
            0 => SendError::RateLimited {
                retry_after: Duration::from_secs(3),
                scope: LimitScope::Chat,
            },
            1 => {
                self.count("edits refused");
                SendError::Rejected { reason }
            }
            2 => SendError::Unreachable { reason },
            3 => SendError::Uncertain { reason },
            4 => {
                self.show(message, request)?;
                SendError::Uncertain { reason }
            }
            _ => {
                self.show(message, request)?;
                return Ok(Ok(message.to_owned()));
            }
        }))
    }

    /// A message says something else from now on.
    fn show(&mut self, message: &str, request: &Request) -> Step {
        self.tell(|| format!("edited: {} {message}", request.place));
        if self.messages.get(message) != Some(&request.piece) {
            return broken(format!("{:?} is put in the place of message {message}", request.piece));
        }
        let payload = request.payload.clone();
        self.shown.insert(message.to_owned(), payload);
        self.count("edits");
        Ok(())
    }

    /// The message stands in the chat. What a reader would not accept is an error.
    fn accept(&mut self, request: &Request) -> std::result::Result<String, End> {
        let (chat, digest, part) = request.piece;
        let platform = request.place.platform();
        let discord = platform == Platform::Discord;
        if let Some((at, id, piece)) = self.nonces.get(&request.key).filter(|_| discord) {
            if *piece != request.piece {
                return broken(format!("{piece:?} and {:?} have the same key", request.piece));
            }
            if self.at < *at + NONCE_MS {
                let id = id.clone();
                self.count("repeats that Discord recognised");
                return Ok(id);
            }
        }
        let id = (self.messages.len() + 1).to_string();
        self.tell(|| format!("arrived: {} {digest} part {part}", request.place));
        self.messages.insert(id.clone(), request.piece);
        self.shown.insert(id.clone(), request.payload.clone());
        self.nonces
            .insert(request.key.clone(), (self.at, id.clone(), request.piece));
        let doubtful = |piece: &Piece| self.doubtful.contains(piece);
        let open = |piece: &Piece| doubtful(piece) && !self.decidable(chat);
        let skipped = |piece: &Piece| open(piece) && self.policy_of(platform) == UncertainPolicy::Skip;
        let resent = |piece: &Piece| open(piece) && self.policy_of(platform) == UncertainPolicy::Resend;
        // Where the channel was lost nobody can look, and the whole digest comes again.
        let repeatable = |piece: &Piece| doubtful(piece) && self.policy_of(platform) == UncertainPolicy::Resend;
        if let Some(first) = self.first.get(&request.piece) {
            let excused = resent(&request.piece) && (!discord || self.at - first >= NONCE_MS);
            if !excused {
                return broken(format!("{} {digest} part {part} arrives twice", request.place));
            }
            self.count(if discord {
                "twice on Discord, too late"
            } else {
                "twice on Telegram"
            });
            return Ok(id);
        }
        if self.chats[chat].last.is_some_and(|last| (digest, part) < last) && !skipped(&request.piece) {
            return broken(format!("{} {digest} part {part} comes too late", request.place));
        }
        let missing = (0..part)
            .map(|earlier| (chat, digest, earlier))
            .find(|piece| !self.first.contains_key(piece) && !self.refused_for_good(piece) && !skipped(piece));
        if let Some((_, _, earlier)) = missing {
            return broken(format!("{} {digest} part {part} comes before {earlier}", request.place));
        }
        let papers = || {
            let lines = request.payload.lines().filter(|line| line.starts_with("On pruning"));
            lines.map(title_of)
        };
        for paper in papers() {
            let before = self.chats[chat].papers.get(paper).into_iter().flatten();
            // Only where it was unknown whether the first digest's part had arrived when the channel was lost.
            let unexcused = before
                .into_iter()
                .find(|&&(digest, part)| !repeatable(&(chat, digest, part)));
            if let Some((other, _)) = unexcused {
                return broken(format!("{}: “{paper}” in {other} and in {digest}", request.place));
            }
        }
        for paper in papers() {
            let pieces = self.chats[chat].papers.entry(paper.to_owned()).or_default();
            pieces.push((digest, part));
        }
        self.chats[chat].last = self.chats[chat].last.max(Some((digest, part)));
        self.first.insert(request.piece, self.at);
        self.count("parts");
        Ok(id)
    }

    /// At the end: everything has arrived, or there is a reason.
    fn examine(&mut self) -> Step {
        let mut missing: HashSet<(usize, String)> = HashSet::new();
        let mut found = HashSet::new();
        for delivery in self.all_deliveries()? {
            let (id, next) = (&delivery.id, delivery.next_part());
            let chat = self.chat_of(&id.place);
            found.insert((chat, id.digest));
            let policy = self.policy_of(id.place.platform());
            for (part, message) in (0..).zip(&delivery.message_ids) {
                let piece = (chat, id.digest, part);
                if self.messages.get(message).is_some_and(|really| *really != piece) {
                    return broken(format!("{id} part {part} has another part's message id"));
                }
            }
            if id.is_correction() {
                self.examine_correction(chat, &delivery)?;
                continue;
            }
            let gone = match &delivery.state {
                State::Discarded { reason, .. } => matches!(reason, Discard::Gone(_)),
                State::Available { .. } | State::Leased { .. } | State::Sent { .. } => false,
            };
            // What had begun to arrive when the channel was lost is not begun anew; the rest of it is given up.
            let in_doubt = delivery.doubt != Doubt::None;
            let given_up = gone && (next > 0 || (in_doubt && policy == UncertainPolicy::Skip));
            for part in 0..delivery.parts {
                let piece = (chat, id.digest, part);
                if self.first.contains_key(&piece) {
                    continue;
                }
                let skipped =
                    policy == UncertainPolicy::Skip && self.doubtful.contains(&piece) && !self.decidable(chat);
                let excused = given_up || self.refused_for_good(&piece) || skipped;
                if !excused && !gone {
                    return broken(format!("{id} part {part} is lost: {delivery:#?}"));
                }
                if excused && let Some(lost) = self.store.part(&delivery.rendering, part)? {
                    missing.extend(lost.payload.lines().map(|line| (chat, title_of(line).to_owned())));
                }
            }
        }
        if let Some((chat, digest)) = self.published.difference(&found).next() {
            let place = &self.chats[*chat].place;
            return broken(format!("{digest} → {place} has vanished from the store"));
        }
        for record in self.store.intake(0, Seq::MAX, usize::MAX)? {
            let Some(paper) = self.store.paper(&record.paper)? else {
                return broken("a paper has vanished");
            };
            let title = paper.title();
            for (n, chat) in self.chats.iter().enumerate() {
                if !chat.papers.contains_key(title) && !missing.contains(&(n, title.to_owned())) {
                    return broken(format!("“{title}” never came to {}", chat.place));
                }
            }
        }
        Ok(())
    }
}

impl Simulation {
    /// What the latest correction of a digest has edited says what it says, unless an older edit may have come after it.
    fn examine_correction(&self, chat: usize, correction: &Delivery) -> Step {
        let errata = self.store.errata(&correction.id.digest)?;
        if errata.is_none_or(|errata| errata.revision != correction.id.revision) {
            return Ok(());
        }
        for (part, message) in (0..).zip(&correction.message_ids) {
            if message.is_empty() || self.stray.contains(&(chat, correction.id.digest, part)) {
                continue;
            }
            let says = self.store.part(&correction.rendering, part)?.map(|part| part.payload);
            if self.shown.get(message) != says.as_ref() {
                return broken(format!("{} part {part} is not what stands there", correction.id));
            }
        }
        Ok(())
    }
}

/// The platforms' limits as the program's defaults have them.
fn limits(platform: Platform) -> Limits {
    let window = |messages, seconds| Pace {
        messages,
        per: TimeDelta::seconds(seconds),
    };
    match platform {
        Platform::Telegram => Limits {
            bot: window(30, 1),
            chat: vec![window(1, 1)],
            group: vec![window(20, 60)],
            kept: 2,
            vague: true,
        },
        Platform::Discord => Limits {
            bot: window(50, 1),
            chat: vec![window(5, 5)],
            group: Vec::new(),
            kept: 0,
            vague: false,
        },
        Platform::Web => Limits::none(),
    }
}

fn is_group(place: &Place) -> bool {
    place.platform() == Platform::Telegram && place.chat().starts_with('-')
}

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

fn run(seed: u64, telling: bool) -> Counts {
    let simulation = Simulation::new(seed, telling);
    let what = match catch_unwind(AssertUnwindSafe(|| simulation.run())) {
        Ok(Ok(counts)) => return counts,
        Ok(Err(what)) => what,
        Err(_) => "a panic, see above".to_owned(),
    };
    panic!("seed {seed}: {what}\nreplay it with PAPERWIRE_SEED={seed} and --nocapture");
}

#[test]
fn whatever_happens_nothing_is_lost_or_out_of_order_and_only_what_was_in_doubt_comes_twice() {
    if let Some(seed) = variable("PAPERWIRE_SEED") {
        run(seed, true);
        return;
    }
    let seeds = variable("PAPERWIRE_SEEDS").unwrap_or(SEEDS);
    let mut sum: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in 0..seeds {
        for (what, count) in run(seed, false).0 {
            *sum.entry(what).or_default() += count;
        }
    }
    println!("{seeds} seeds");
    for (what, count) in &sum {
        println!("{count:>9}  {what}");
    }
    // A world in which these never happen proves nothing.
    for what in [
        "Gone",
        "Moved",
        "RateLimited",
        "Rejected",
        "Rejected again",
        "Uncertain, arrived",
        "Uncertain, not arrived",
        "Unreachable",
        "channels resumed",
        "corrections",
        "deaths while editing",
        "edits",
        "edits refused",
        "clocks put back",
        "answers",
        "deaths while looking",
        "deaths with an answer that is not settled",
        "deaths while sending",
        "failed looks",
        "found in the chat",
        "not there, sent again",
        "resent by policy",
        "skipped by policy",
        "repeats that Discord recognised",
        "stops",
        "twice on Telegram",
    ] {
        assert!(seeds < SEEDS || sum.contains_key(what), "no “{what}” in {seeds} seeds");
    }
}

#[test]
fn a_process_that_dies_while_a_chat_moves_leaves_all_of_it_at_one_place() {
    for commits in 0..3 {
        let mut simulation = Simulation::new(0, false);
        let (here, there) = (Place::telegram(-5, None), Place::telegram(-1_005, None));
        let now = simulation.now();
        let wanted = [Wanted {
            place: here.clone(),
            settings: settings(),
        }];
        let store = &simulation.store;
        pipeline::configure_channels(store, &wanted, Extent::Whole, now).unwrap();
        let channels = store.channels().unwrap();
        pipeline::publish_now(store, &simulation.topics, &TwoToAPart, channels, now).unwrap();
        simulation.store.commits_left = AtomicU32::new(commits);
        let moved = pipeline::move_channel(&simulation.store, &here, &there).is_ok();
        let (full, empty) = if moved { (there, here) } else { (here, there) };
        let store = &simulation.store;
        assert_eq!(store.channel(&empty), Ok(None));
        assert_eq!(store.deliveries(&empty, None, 9), Ok(vec![]));
        assert!(store.channel(&full).unwrap().is_some());
        assert_eq!(store.deliveries(&full, None, 9).unwrap().len(), 1);
    }
}
