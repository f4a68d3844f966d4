//! How fast a model may be asked, and whether at all. Both go by the timer of the runtime, not by the wall's clock.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::lock;

const MINUTE: Duration = Duration::from_secs(60);
/// So many failures in a row, and the server is left alone.
const MOST_FAILURES: u32 = 6;
/// For so long at first, doubled while it stays that way.
const REST: Duration = Duration::from_secs(60);
const LONGEST_REST: Duration = Duration::from_secs(30 * 60);
/// So many questions refused in a row, each as if by its own fault, are the server's.
const MOST_STRANGE: u32 = 4;
/// How long a server is left alone that refuses every question: until somebody has changed something.
pub(super) const REFUSED: Duration = Duration::from_secs(10 * 60);

/// So many requests begin in any minute.
pub(super) struct Pace {
    most: usize,
    state: Mutex<Begun>,
}

#[derive(Default)]
struct Begun {
    /// When the latest of them began, or will.
    at: VecDeque<Instant>,
    shut_until: Option<Instant>,
}

impl Pace {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            state: Mutex::default(),
        }
    }

    /// Waits until one more may begin.
    pub(super) async fn permit(&self) {
        loop {
            let until = {
                let mut state = lock(&self.state);
                let now = Instant::now();
                while state.at.front().is_some_and(|at| now.duration_since(*at) >= MINUTE) {
                    state.at.pop_front();
                }
                let shut = state.shut_until.filter(|until| *until > now);
                let full = state
                    .at
                    .front()
                    .filter(|_| state.at.len() >= self.most)
                    .map(|first| *first + MINUTE);
                let until = shut.max(full);
                if until.is_none() {
                    state.at.push_back(now);
                }
                until
            };
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => return,
            }
        }
    }

    /// None begins for so long.
    pub(super) fn shut(&self, wait: Duration) {
        let until = Instant::now().checked_add(wait);
        let mut state = lock(&self.state);
        state.shut_until = state.shut_until.max(until);
    }
}

/// Whether a server is asked at all.
#[derive(Default)]
pub(super) struct Circuit {
    state: Mutex<Failed>,
}

#[derive(Default)]
struct Failed {
    in_a_row: u32,
    rests: u32,
    until: Option<Instant>,
    /// Whether somebody is trying whether it is well again; the others wait until then.
    probed: bool,
    /// Questions refused since the last answer.
    strange: u32,
}

impl Circuit {
    /// Whether a question may be asked; if not, for how long not. After a rest one may, and the others when that is answered.
    pub(super) fn pass(&self) -> Result<(), Duration> {
        let mut state = lock(&self.state);
        let Some(until) = state.until else { return Ok(()) };
        let now = Instant::now();
        if until > now {
            return Err(until - now);
        }
        // One that is never answered is followed by another.
        state.until = now.checked_add(REST);
        state.probed = true;
        Ok(())
    }

    /// For how much longer it is left alone.
    pub(super) fn resting(&self) -> Option<Duration> {
        let until = lock(&self.state).until?;
        let left = until.checked_duration_since(Instant::now());
        left.filter(|left| !left.is_zero())
    }

    /// It answered.
    pub(super) fn well(&self) {
        *lock(&self.state) = Failed::default();
    }

    /// It is well, and refuses a question: whether that is one of many.
    pub(super) fn refuses(&self) -> bool {
        let mut state = lock(&self.state);
        let strange = state.strange + 1;
        *state = Failed {
            strange,
            ..Failed::default()
        };
        strange >= MOST_STRANGE
    }

    /// It did not.
    pub(super) fn ill(&self) {
        let mut state = lock(&self.state);
        state.in_a_row += 1;
        let rests = state.until.is_some_and(|until| until > Instant::now()) && !state.probed;
        // Those that were asked together fail together: that is one rest, not many.
        if rests || (state.rests == 0 && state.in_a_row < MOST_FAILURES) {
            return;
        }
        let rest = REST
            .saturating_mul(2_u32.saturating_pow(state.rests.min(10)))
            .min(LONGEST_REST);
        *state = Failed {
            in_a_row: 0,
            rests: state.rests + 1,
            until: Instant::now().checked_add(rest),
            probed: false,
            strange: state.strange,
        };
    }

    /// It wants to be left alone.
    pub(super) fn open(&self, rest: Duration) {
        let mut state = lock(&self.state);
        *state = Failed {
            in_a_row: 0,
            rests: state.rests,
            until: Instant::now().checked_add(rest),
            probed: false,
            strange: state.strange,
        };
    }
}
