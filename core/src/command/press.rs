//! What a button carries, in the few bytes that platforms keep for it, and how it is known to be one of ours: whoever
//! speaks a platform's protocol can send any bytes as "pressed".

use sha2::{Digest as _, Sha256};

use super::Permission;
use crate::channel::Place;
use crate::digest::DigestId;
use crate::paper::PaperId;

/// The most bytes that a button may carry (Telegram Bot API, InlineKeyboardButton: 1–64 bytes; Discord allows 100
/// characters).
pub const MOST: usize = 64;

/// A button below an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// What people read.
    pub label: String,
    /// What comes back when it is pressed; at most [`MOST`] bytes of ASCII.
    pub data: String,
}

/// The key under which buttons that change settings are sealed: who does not have it cannot make one up.
#[derive(Clone)]
pub struct Seal([u8; 32]);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// From a secret of the installation.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// HMAC-SHA-256 (RFC 2104) of a button in a place, its first 64 bits in hexadecimal.
    fn mark(&self, place: &Place, data: &str) -> String {
        self.mark_within(&place.to_string(), data)
    }

    /// The same for a button that is bound to something else than its place.
    fn mark_within(&self, scope: &str, data: &str) -> String {
        let padded = |with: u8| {
            let mut block = [with; 64];
            for (byte, key) in block.iter_mut().zip(self.0) {
                *byte ^= key;
            }
            block
        };
        let inner = Sha256::new()
            .chain_update(padded(0x36))
            .chain_update(format!("{scope}\n{data}"))
            .finalize();
        let outer = Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize();
        outer.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What is done to something that a place follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Bring nothing by it until resumed.
    Pause,
    /// Go on.
    Resume,
    /// Say how to change it.
    Edit,
    /// Follow it no more.
    Remove,
}

/// What becomes of a digest that is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldAction {
    /// It is posted as it is.
    Post,
    /// It is never posted.
    Drop,
}

/// What the buttons of a held digest are bound to in the place of a place: they stand in private chats, whose places nobody
/// knows before, and who has them may press them. No place is called so.
const HELD: &str = "held";

/// A paper that a button means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pointed {
    /// An entry of the digest in whose message the button stands.
    Here(u32),
    /// An entry of a digest.
    Entry(DigestId, u32),
    /// A paper by its id.
    Paper(PaperId),
}

/// What a button asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Press {
    /// 👍
    Up(Pointed),
    /// 👎
    Down(Pointed),
    /// To the reading list, or from it.
    Save(Pointed),
    /// What carries its brief.
    Evidence(Pointed),
    /// Why it was posted.
    Why(Pointed),
    /// What is like it.
    Similar(Pointed),
    /// Shows it.
    Open(Pointed),
    /// Another page of a search that is kept under this number.
    Page {
        /// Which search.
        search: u64,
        /// From 0.
        page: u32,
    },
    /// Another page of what the place follows, from 0.
    List(u32),
    /// A change to what the place follows; the hash of its text tells which.
    Follow {
        /// What is done.
        change: Change,
        /// [`crate::text::hash64`] of the subscription's text.
        which: u64,
    },
    /// The decision about a digest that is held back. Sealed for the digest and not for a place.
    Hold {
        /// What becomes of it.
        action: HoldAction,
        /// Which.
        digest: DigestId,
    },
}

/// Why what a button carries means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PressError {
    /// None of ours, or one of another version.
    #[error("no button of this version")]
    Unknown,
    /// It changes a setting and was not made here.
    #[error("a button that was not made here")]
    Forged,
}

/// Who may press a button that carries this.
pub fn permission(data: &str) -> Permission {
    match data.starts_with("f") {
        true => Permission::Managers,
        false => Permission::Everyone,
    }
}

/// Whether a button is heard wherever it stands, also where the bot answers nobody else: its seal alone decides.
pub fn heard_anywhere(data: &str) -> bool {
    data.starts_with("h")
}

impl Pointed {
    fn write(&self) -> String {
        match self {
            Self::Here(number) => number.to_string(),
            Self::Entry(digest, number) => format!("{digest}#{number}"),
            Self::Paper(id) => id.to_string(),
        }
    }

    fn read(text: &str) -> Option<Self> {
        if text.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().ok().map(Self::Here);
        }
        match text.split_once('#') {
            Some((digest, number)) if digest.contains('@') => {
                Some(Self::Entry(digest.parse().ok()?, number.parse().ok()?))
            }
            Some(_) | None => text.parse().ok().map(Self::Paper),
        }
    }
}

impl Press {
    /// What a button carries; `None` where it does not fit.
    pub fn data(&self, place: &Place, seal: &Seal) -> Option<String> {
        let data = match self {
            Self::Up(what) => format!("u:{}", what.write()),
            Self::Down(what) => format!("d:{}", what.write()),
            Self::Save(what) => format!("s:{}", what.write()),
            Self::Evidence(what) => format!("e:{}", what.write()),
            Self::Why(what) => format!("w:{}", what.write()),
            Self::Similar(what) => format!("n:{}", what.write()),
            Self::Open(what) => format!("o:{}", what.write()),
            Self::Page { search, page } => format!("q:{search:016x}:{page}"),
            Self::List(page) => format!("l:{page}"),
            Self::Follow { change, which } => {
                let change = match change {
                    Change::Pause => 'p',
                    Change::Resume => 'r',
                    Change::Edit => 'e',
                    Change::Remove => 'x',
                };
                let data = format!("f{change}:{which:016x}");
                format!("{data}:{}", seal.mark(place, &data))
            }
            Self::Hold { action, digest } => {
                let action = match action {
                    HoldAction::Post => 'p',
                    HoldAction::Drop => 'd',
                };
                let data = format!("h{action}:{digest}");
                format!("{data}:{}", seal.mark_within(HELD, &data))
            }
        };
        (data.len() <= MOST && data.is_ascii()).then_some(data)
    }

    /// What a button asked for that was pressed in `place`.
    ///
    /// # Errors
    /// [`PressError`]: what it carries was not made by [`Press::data`], or not for this place.
    pub fn read(data: &str, place: &Place, seal: &Seal) -> Result<Self, PressError> {
        let (kind, rest) = data.split_once(':').ok_or(PressError::Unknown)?;
        let pointed = || Pointed::read(rest).ok_or(PressError::Unknown);
        let change = match kind {
            "u" => return pointed().map(Self::Up),
            "d" => return pointed().map(Self::Down),
            "s" => return pointed().map(Self::Save),
            "e" => return pointed().map(Self::Evidence),
            "w" => return pointed().map(Self::Why),
            "n" => return pointed().map(Self::Similar),
            "o" => return pointed().map(Self::Open),
            "q" => {
                let read = || {
                    let (search, page) = rest.split_once(':')?;
                    Some(Self::Page {
                        search: u64::from_str_radix(search, 16).ok()?,
                        page: page.parse().ok()?,
                    })
                };
                return read().ok_or(PressError::Unknown);
            }
            "l" => return rest.parse().map(Self::List).map_err(|_| PressError::Unknown),
            "fp" => Change::Pause,
            "fr" => Change::Resume,
            "fe" => Change::Edit,
            "fx" => Change::Remove,
            "hp" => return Self::read_hold(HoldAction::Post, data, rest, seal),
            "hd" => return Self::read_hold(HoldAction::Drop, data, rest, seal),
            _ => return Err(PressError::Unknown),
        };
        let (which, mark) = rest.split_once(':').ok_or(PressError::Unknown)?;
        if seal.mark(place, &format!("{kind}:{which}")) != mark {
            return Err(PressError::Forged);
        }
        let which = u64::from_str_radix(which, 16).map_err(|_| PressError::Unknown)?;
        Ok(Self::Follow { change, which })
    }

    fn read_hold(action: HoldAction, data: &str, rest: &str, seal: &Seal) -> Result<Self, PressError> {
        let (digest, mark) = rest.split_once(':').ok_or(PressError::Unknown)?;
        let sealed = data.strip_suffix(mark).and_then(|sealed| sealed.strip_suffix(':'));
        if sealed.is_none_or(|sealed| seal.mark_within(HELD, sealed) != mark) {
            return Err(PressError::Forged);
        }
        let digest = digest.parse().map_err(|_| PressError::Unknown)?;
        Ok(Self::Hold { action, digest })
    }

    /// A button with this label; `None` where what it carries does not fit.
    pub fn button(&self, label: impl Into<String>, place: &Place, seal: &Seal) -> Option<Button> {
        Some(Button {
            label: label.into(),
            data: self.data(place, seal)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seal() -> Seal {
        Seal::new([7; 32])
    }

    fn place() -> Place {
        Place::telegram(-1_001_234_567_890, Some(42))
    }

    fn pointed() -> impl Strategy<Value = Pointed> {
        prop_oneof![
            any::<u32>().prop_map(Pointed::Here),
            (any::<u64>(), any::<u32>()).prop_map(|(set, number)| {
                let occurrence = "2025-10-10T09:00:00Z".parse().unwrap();
                Pointed::Entry(DigestId { set, occurrence }, number)
            }),
            "[0-9]{2}(0[1-9]|1[0-2])\\.[0-9]{5}".prop_map(|id| Pointed::Paper(PaperId::Arxiv(id))),
        ]
    }

    fn press() -> impl Strategy<Value = Press> {
        prop_oneof![
            pointed().prop_map(Press::Up),
            pointed().prop_map(Press::Down),
            pointed().prop_map(Press::Save),
            pointed().prop_map(Press::Evidence),
            pointed().prop_map(Press::Why),
            pointed().prop_map(Press::Similar),
            pointed().prop_map(Press::Open),
            any::<u32>().prop_map(Press::List),
            (any::<u64>(), any::<u32>()).prop_map(|(search, page)| Press::Page { search, page }),
            (0..4_usize, any::<u64>()).prop_map(|(n, which)| Press::Follow {
                change: [Change::Pause, Change::Resume, Change::Edit, Change::Remove][n],
                which,
            }),
            (any::<bool>(), any::<u64>()).prop_map(|(post, set)| Press::Hold {
                action: if post { HoldAction::Post } else { HoldAction::Drop },
                digest: DigestId {
                    set,
                    occurrence: "2025-10-10T09:00:00Z".parse().unwrap()
                },
            }),
        ]
    }

    proptest! {
        #[test]
        fn a_button_means_what_it_was_made_for(press in press()) {
            let data = press.data(&place(), &seal()).unwrap();
            prop_assert!(data.len() <= MOST);
            prop_assert_eq!(Press::read(&data, &place(), &seal()), Ok(press));
        }

        #[test]
        fn whatever_is_pressed_only_what_was_sealed_changes_a_setting(
            data in "((f[prex]|h[pd]):)?([0-9a-f]{16}@20251010T090000Z:)?[0-9a-f:#@TZ]{0,60}|\\PC{0,80}",
        ) {
            let read = Press::read(&data, &place(), &seal());
            let changes = matches!(read, Ok(Press::Follow { .. } | Press::Hold { .. }));
            prop_assert!(!changes, "{:?}", data);
        }
    }

    #[test]
    fn a_sealed_button_works_only_where_it_was_made_and_only_for_managers() {
        let press = Press::Follow {
            change: Change::Remove,
            which: 1,
        };
        let data = press.data(&place(), &seal()).unwrap();
        assert_eq!(permission(&data), Permission::Managers);
        let elsewhere = Place::telegram(-1_001_234_567_890, None);
        assert_eq!(Press::read(&data, &elsewhere, &seal()), Err(PressError::Forged));
        assert_eq!(
            Press::read(&data, &place(), &Seal::new([8; 32])),
            Err(PressError::Forged)
        );
        let vote = Press::Up(Pointed::Here(4)).data(&place(), &seal()).unwrap();
        assert_eq!((vote.as_str(), permission(&vote)), ("u:4", Permission::Everyone));
    }

    #[test]
    fn the_buttons_of_a_held_digest_work_wherever_they_stand_and_for_no_other_digest() {
        let digest: DigestId = "9f86d081884c7d65@20251010T090000Z".parse().unwrap();
        let press = Press::Hold {
            action: HoldAction::Drop,
            digest,
        };
        let data = press.data(&place(), &seal()).unwrap();
        let elsewhere = Place::discord(5);
        assert_eq!(Press::read(&data, &elsewhere, &seal()), Ok(press));
        assert!(heard_anywhere(&data) && permission(&data) == Permission::Everyone);
        for (from, to) in [("hd", "hp"), ("9f86", "9f87"), ("T09", "T10")] {
            let forged = data.replacen(from, to, 1);
            assert_eq!(
                Press::read(&forged, &elsewhere, &seal()),
                Err(PressError::Forged),
                "{forged}"
            );
        }
        let other = Press::read(&data, &elsewhere, &Seal::new([8; 32]));
        assert_eq!(other, Err(PressError::Forged));
    }
}
