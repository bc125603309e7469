//! Sessions in which a program waits for a key: begun by anybody, granted by an
//! operator, read by who knows the session's id.
//!
//! Nothing is given without an operator who names the session's code, and the
//! code is of no use to anybody else. A session ends by itself.

use super::sealed::seal;
use crate::types::{KeyId, Mono, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// How long a session waits for its operator.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// How long a granted key can be fetched.
const FETCH: Duration = Duration::from_secs(2 * 60);
/// How many sessions one address may have open, and all together.
const MOST_PER_ADDRESS: usize = 4;
const MOST: usize = 256;
/// Letters and digits that nobody mistakes for one another.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKMNPQRSTVWXYZ0123456789";
const CODE_LETTERS: usize = 8;

/// What people read aloud and type: eight letters and digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code(String);

impl Code {
    /// Reads a code as people write it: any case, with or without a dash.
    pub fn parse(text: &str) -> Option<Self> {
        let code: String = text.chars().filter(|c| *c != '-').map(|c| c.to_ascii_uppercase()).collect();
        let known = code.len() == CODE_LETTERS && code.bytes().all(|byte| ALPHABET.contains(&byte));
        known.then_some(Self(code))
    }

    fn of(random: &[u8]) -> Self {
        let letter = |byte: &u8| char::from(ALPHABET[usize::from(byte % 32)]);
        Self(random.iter().take(CODE_LETTERS).map(letter).collect())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.split_at(CODE_LETTERS / 2);
        write!(f, "{first}-{second}")
    }
}

/// Why a session cannot begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no room, for this address or at all.
    TooMany,
}

/// A session as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// For the operator.
    pub code: Code,
    /// What the key is encrypted with, together with its id.
    pub challenge: String,
    /// The key's id and its encrypted secret, once granted.
    pub granted: Option<(KeyId, String)>,
}

/// A session as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// What it is approved by.
    pub code: Code,
    /// Where it was begun.
    pub address: IpAddr,
    /// For how long it waits.
    pub waits: Duration,
}

struct Session {
    seen: Seen,
    salt: [u8; 8],
    address: IpAddr,
    begun: Mono,
    until: Mono,
}

/// All sessions of this process.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<String, Session>>);

impl Sessions {
    /// Begins a session and gives its id, which is a secret of who began it.
    ///
    /// # Errors
    /// When the address, or everybody together, has too many.
    pub fn begin(&self, random: [u8; 64], address: IpAddr, now: Mono) -> Result<String, Refusal> {
        let (id, rest) = random.split_at(32);
        let (challenge, rest) = rest.split_at(16);
        let (salt, code) = rest.split_at(8);
        let id = URL_SAFE_NO_PAD.encode(id);
        let seen = Seen { code: Code::of(code), challenge: URL_SAFE_NO_PAD.encode(challenge), granted: None };
        let salt = salt.try_into().unwrap_or_default();
        let mut sessions = self.0.lock();
        sessions.retain(|_, session| now < session.until);
        let own = sessions.values().filter(|session| session.address == address).count();
        let taken = sessions.values().any(|session| session.seen.code == seen.code);
        if own >= MOST_PER_ADDRESS || sessions.len() >= MOST || taken {
            return Err(Refusal::TooMany);
        }
        let until = now.after(PATIENCE);
        sessions.insert(id.clone(), Session { seen, salt, address, begun: now, until });
        Ok(id)
    }

    /// The session of this id, if it is still open.
    pub fn look(&self, id: &str, now: Mono) -> Option<Seen> {
        let sessions = self.0.lock();
        sessions.get(id).filter(|session| now < session.until).map(|session| session.seen.clone())
    }

    /// Ends a session. One that is over is no news.
    pub fn end(&self, id: &str) {
        self.0.lock().remove(id);
    }

    /// Those that wait for an operator, the oldest first.
    pub fn open(&self, now: Mono) -> Vec<Open> {
        let sessions = self.0.lock();
        let waiting = sessions.values().filter(|s| now < s.until && s.seen.granted.is_none());
        let shown =
            |s: &Session| Open { code: s.seen.code.clone(), address: s.address, waits: now.since(s.begun) };
        let mut open: Vec<Open> = waiting.map(shown).collect();
        open.sort_by_key(|open| std::cmp::Reverse(open.waits));
        open
    }

    /// Does a session with this code wait?
    pub fn waits(&self, code: &Code, now: Mono) -> bool {
        self.open(now).iter().any(|open| open.code == *code)
    }

    /// Gives a key to the session with this code, once. `false`: none waits.
    pub fn grant(&self, code: &Code, id: &KeyId, secret: &Secret, now: Mono) -> bool {
        let mut sessions = self.0.lock();
        let waits = |s: &&mut Session| now < s.until && s.seen.granted.is_none() && s.seen.code == *code;
        let Some(session) = sessions.values_mut().find(waits) else { return false };
        let sealed = seal(secret, &session.seen.challenge, id.as_str(), session.salt);
        session.seen.granted = Some((id.clone(), sealed));
        session.until = now.after(FETCH);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn random(seed: u8) -> [u8; 64] {
        std::array::from_fn(|at| seed.wrapping_mul(31).wrapping_add(u8::try_from(at).unwrap()))
    }

    fn second(n: u64) -> Mono {
        Mono::default().after(Duration::from_secs(n))
    }

    #[test]
    fn a_session_gets_its_key_once_and_ends() {
        let sessions = Sessions::default();
        let id = sessions.begin(random(1), HERE, second(0)).unwrap();
        let seen = sessions.look(&id, second(1)).unwrap();
        assert_eq!(seen.granted, None);
        let (key, secret) = (KeyId::parse("k1").unwrap(), Secret::new("s".to_owned()));
        assert!(sessions.waits(&seen.code, second(1)));
        assert!(sessions.grant(&seen.code, &key, &secret, second(1)));
        assert!(!sessions.grant(&seen.code, &key, &secret, second(1)), "a second time");
        assert_eq!(sessions.look(&id, second(2)).unwrap().granted.unwrap().0, key);
        assert!(sessions.open(second(2)).is_empty());
        sessions.end(&id);
        assert_eq!(sessions.look(&id, second(2)), None);
    }

    #[test]
    fn what_nobody_grants_or_fetches_is_over() {
        let sessions = Sessions::default();
        let id = sessions.begin(random(1), HERE, second(0)).unwrap();
        let code = sessions.look(&id, second(899)).unwrap().code;
        assert_eq!(sessions.look(&id, second(900)), None);
        let (key, secret) = (KeyId::parse("k1").unwrap(), Secret::new("s".to_owned()));
        assert!(!sessions.grant(&code, &key, &secret, second(900)));
        let id = sessions.begin(random(2), HERE, second(900)).unwrap();
        let code = sessions.look(&id, second(900)).unwrap().code;
        assert!(sessions.grant(&code, &key, &secret, second(1000)));
        assert!(sessions.look(&id, second(1119)).is_some());
        assert_eq!(sessions.look(&id, second(1120)), None);
    }

    #[test]
    fn one_address_cannot_fill_the_room_and_all_together_neither() {
        let sessions = Sessions::default();
        for seed in 0..4 {
            sessions.begin(random(seed), HERE, second(0)).unwrap();
        }
        assert_eq!(sessions.begin(random(4), HERE, second(0)), Err(Refusal::TooMany));
        let other = |n: u8| IpAddr::from([10, 0, 0, n]);
        assert!(sessions.begin(random(5), other(1), second(0)).is_ok());
        assert!(sessions.begin(random(6), HERE, second(900)).is_ok(), "the old ones are over");
    }

    #[test]
    fn a_code_is_read_as_people_write_it() {
        let code = Code::parse("abcd-2345").unwrap();
        assert_eq!(code.to_string(), "ABCD-2345");
        assert_eq!(Code::parse("ABCD2345"), Some(code));
        for bad in ["", "ABCD-234", "ABCD-23456", "ABCD-234I", "ABCD 2345"] {
            assert_eq!(Code::parse(bad), None, "{bad}");
        }
    }
}
