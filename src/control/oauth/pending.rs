//! Codes that wait for their exchange: those that browsers bring back, and
//! those that devices poll with. They live for minutes and in memory alone,
//! within bounds. Time is an argument.

use super::Scopes;
use crate::types::Wall;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Codes and devices that wait, all together.
const MOST: usize = 10_000;
/// Of one user, or one address.
const MOST_EACH: usize = 32;
/// A spent code is remembered this long, so that its second use is noticed.
const MEMORY: Duration = Duration::from_secs(600);
/// A device waits this long between two questions, and so much longer each time it does not.
const INTERVAL: Duration = Duration::from_secs(5);
/// Consonants, so that no words come of them (RFC 8628 §6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const USER_CODE_LETTERS: usize = 8;

/// What an authorisation code stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Code {
    /// Id of the client.
    pub client: Arc<str>,
    /// Id of the user.
    pub user: Arc<str>,
    /// What was allowed.
    pub scopes: Scopes,
    /// Where the code was sent to.
    pub redirect_uri: String,
    /// What its verifier must fit.
    pub challenge: String,
    /// When it is over.
    pub until: Wall,
}

enum Held {
    Fresh(Code),
    /// The family that was made of it, once it is there; and until when this is known.
    Spent(Option<Arc<str>>, Wall),
}

/// A code that is presented.
#[derive(Clone, Debug, PartialEq)]
pub enum Taken {
    /// It was good, and is not any more.
    Good(Code),
    /// It was used before; what came of it.
    Spent(Option<Arc<str>>),
    /// There is none, or it is over.
    Unknown,
}

/// There is no room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// A device that waits.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// What its user types, without the dash.
    pub user_code: String,
    /// Id of the client.
    pub client: Arc<str>,
    /// What it asks for.
    pub scopes: Scopes,
    /// From where it asked.
    pub address: Option<IpAddr>,
    /// When it is over.
    pub until: Wall,
    answer: Option<DeviceAnswer>,
    interval: Duration,
    asked: Option<Wall>,
}

/// What its user said.
#[derive(Clone, Debug, PartialEq)]
pub enum DeviceAnswer {
    /// Yes: who, and to what.
    Allowed(Arc<str>, Scopes),
    /// No.
    Denied,
}

/// What a device that asks again is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Poll {
    /// Nobody has answered yet.
    Wait,
    /// It asks too often.
    SlowDown,
    /// It is over, or never was.
    Expired,
    /// Its user said no.
    Denied,
    /// Its user said yes: who, and to what. Told once.
    Allowed(Arc<str>, Scopes),
}

/// See the module.
#[derive(Default)]
pub struct Pending {
    codes: HashMap<[u8; 32], Held>,
    devices: HashMap<[u8; 32], Device>,
}

impl Pending {
    /// Keeps a code.
    ///
    /// # Errors
    /// [`Full`], for this user or for all.
    pub fn add_code(&mut self, hash: [u8; 32], code: Code, now: Wall) -> Result<(), Full> {
        self.codes.retain(|_, held| match held {
            Held::Fresh(code) => code.until > now,
            Held::Spent(_, until) => *until > now,
        });
        let own = |held: &&Held| matches!(held, Held::Fresh(known) if known.user == code.user);
        if self.codes.len() >= MOST || self.codes.values().filter(own).count() >= MOST_EACH {
            return Err(Full);
        }
        self.codes.insert(hash, Held::Fresh(code));
        Ok(())
    }

    /// Takes a code. Of two who ask at once one gets it.
    pub fn take_code(&mut self, hash: &[u8; 32], now: Wall) -> Taken {
        let Some(held) = self.codes.get_mut(hash) else { return Taken::Unknown };
        match held {
            Held::Spent(family, _) => Taken::Spent(family.clone()),
            Held::Fresh(_) => match std::mem::replace(held, Held::Spent(None, now.after(MEMORY))) {
                Held::Fresh(code) if code.until > now => Taken::Good(code),
                _ => Taken::Unknown,
            },
        }
    }

    /// Notes what came of a code.
    pub fn note_family(&mut self, hash: &[u8; 32], family: &Arc<str>) {
        if let Some(Held::Spent(made, _)) = self.codes.get_mut(hash) {
            *made = Some(Arc::clone(family));
        }
    }

    /// A device begins to wait; gives the seconds between its questions.
    ///
    /// # Errors
    /// [`Full`], for this address or for all; or the user's code is taken.
    #[expect(clippy::too_many_arguments, reason = "each is another thing, and all are needed once")]
    pub fn add_device(
        &mut self,
        hash: [u8; 32],
        user_code: String,
        client: &Arc<str>,
        scopes: Scopes,
        address: Option<IpAddr>,
        until: Wall,
        now: Wall,
    ) -> Result<u64, Full> {
        self.devices.retain(|_, device| device.until > now);
        let own = self.devices.values().filter(|device| device.address == address).count();
        let taken = self.devices.values().any(|device| device.user_code == user_code);
        if self.devices.len() >= MOST || own >= MOST_EACH || taken {
            return Err(Full);
        }
        let client = Arc::clone(client);
        let (answer, asked, interval) = (None, None, INTERVAL);
        self.devices
            .insert(hash, Device { user_code, client, scopes, address, until, answer, interval, asked });
        Ok(INTERVAL.as_secs())
    }

    /// The device with this code, as long as nobody has answered it.
    pub fn device(&self, user_code: &str, now: Wall) -> Option<&Device> {
        let waits = |device: &&Device| device.answer.is_none() && device.until > now;
        self.devices.values().filter(waits).find(|device| device.user_code == user_code)
    }

    /// Its user answers. `false`: it no longer waits.
    pub fn answer(&mut self, user_code: &str, answer: DeviceAnswer, now: Wall) -> bool {
        let waits = |device: &&mut Device| device.answer.is_none() && device.until > now;
        match self.devices.values_mut().filter(waits).find(|device| device.user_code == user_code) {
            Some(device) => {
                device.answer = Some(answer);
                true
            }
            None => false,
        }
    }

    /// A device of a client asks whether its user has answered.
    pub fn poll(&mut self, hash: &[u8; 32], client: &str, now: Wall) -> Poll {
        let own = |device: &&mut Device| *device.client == *client && device.until > now;
        let Some(device) = self.devices.get_mut(hash).filter(own) else { return Poll::Expired };
        let hasty = device.asked.is_some_and(|before| now < before.after(device.interval));
        device.asked = Some(now);
        match &device.answer {
            None if hasty => {
                device.interval = device.interval.saturating_add(INTERVAL);
                Poll::SlowDown
            }
            None => Poll::Wait,
            Some(_) => match self.devices.remove(hash).and_then(|device| device.answer) {
                Some(DeviceAnswer::Allowed(user, scopes)) => Poll::Allowed(user, scopes),
                _ => Poll::Denied,
            },
        }
    }

    /// Forgets what waits for a client or a user that is gone.
    pub fn forget(&mut self, gone: &dyn Fn(&str) -> bool) {
        self.codes.retain(|_, held| match held {
            Held::Fresh(code) => !gone(&code.client) && !gone(&code.user),
            Held::Spent(..) => true,
        });
        self.devices.retain(|_, device| {
            let user = match &device.answer {
                Some(DeviceAnswer::Allowed(user, _)) => gone(user),
                _ => false,
            };
            !user && !gone(&device.client)
        });
    }
}

/// A code for people, of random bytes; `None` in the rare case that too few of them serve.
pub fn user_code(random: &[u8]) -> Option<String> {
    // Bytes from 240 on would make some letters likelier than others.
    let letters = random.iter().filter(|byte| **byte < 240);
    let letters = letters.filter_map(|byte| LETTERS.get(usize::from(byte % 20)));
    let code: String = letters.take(USER_CODE_LETTERS).map(|letter| char::from(*letter)).collect();
    (code.len() == USER_CODE_LETTERS).then_some(code)
}

impl Device {
    /// A code as people type it: in any case, with or without dashes and blanks.
    pub fn read_code(text: &str) -> String {
        let plain = text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase());
        plain.take(USER_CODE_LETTERS.saturating_add(1)).collect()
    }

    /// A code as people read it.
    pub fn show_code(code: &str) -> String {
        match code.split_at_checked(USER_CODE_LETTERS / 2) {
            Some((first, second)) => format!("{first}-{second}"),
            None => code.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Wall {
        Wall(seconds * 1_000_000)
    }

    fn code(user: &str, until: i64) -> Code {
        Code {
            client: "client_1".into(),
            user: user.into(),
            scopes: Scopes::default(),
            redirect_uri: "https://a/".into(),
            challenge: String::new(),
            until: at(until),
        }
    }

    #[test]
    fn a_code_is_good_once_and_its_second_use_names_what_came_of_it() {
        let mut pending = Pending::default();
        pending.add_code([1; 32], code("ann", 60), at(0)).unwrap();
        assert!(matches!(pending.take_code(&[1; 32], at(59)), Taken::Good(_)));
        assert_eq!(pending.take_code(&[1; 32], at(59)), Taken::Spent(None));
        pending.note_family(&[1; 32], &"grant_1".into());
        assert_eq!(pending.take_code(&[1; 32], at(59)), Taken::Spent(Some("grant_1".into())));
        pending.add_code([2; 32], code("ann", 60), at(0)).unwrap();
        assert_eq!(pending.take_code(&[2; 32], at(60)), Taken::Unknown, "it is over");
        assert_eq!(pending.take_code(&[3; 32], at(0)), Taken::Unknown);
    }

    #[test]
    fn nobody_fills_the_memory() {
        let mut pending = Pending::default();
        for n in 0..32 {
            pending.add_code([n; 32], code("ann", 60), at(0)).unwrap();
        }
        assert_eq!(pending.add_code([99; 32], code("ann", 60), at(0)), Err(Full));
        pending.add_code([99; 32], code("bob", 60), at(0)).unwrap();
        pending.add_code([98; 32], code("ann", 99), at(60)).unwrap();
    }

    #[test]
    fn a_device_waits_for_its_user_and_is_told_once() {
        let mut pending = Pending::default();
        let client: Arc<str> = "client_1".into();
        let mut add = |n: u8, code: &str| {
            let scopes = Scopes::default();
            pending.add_device([n; 32], code.to_owned(), &client, scopes, None, at(600), at(0))
        };
        assert_eq!(add(1, "BCDFGHJK"), Ok(5));
        assert_eq!(add(2, "BCDFGHJK"), Err(Full), "the code is taken");
        assert_eq!(pending.poll(&[1; 32], "client_1", at(0)), Poll::Wait);
        assert_eq!(pending.poll(&[1; 32], "client_1", at(4)), Poll::SlowDown);
        assert_eq!(pending.poll(&[1; 32], "client_1", at(13)), Poll::SlowDown, "it has become 10 s");
        assert_eq!(pending.poll(&[1; 32], "client_1", at(28)), Poll::Wait);
        assert_eq!(pending.poll(&[1; 32], "client_2", at(99)), Poll::Expired);
        let yes = DeviceAnswer::Allowed("ann".into(), Scopes::default());
        assert!(pending.device("BCDFGHJK", at(0)).is_some());
        assert!(pending.answer("BCDFGHJK", yes.clone(), at(0)) && !pending.answer("BCDFGHJK", yes, at(0)));
        assert_eq!(
            pending.poll(&[1; 32], "client_1", at(99)),
            Poll::Allowed("ann".into(), Scopes::default())
        );
        assert_eq!(pending.poll(&[1; 32], "client_1", at(99)), Poll::Expired);
    }

    #[test]
    fn codes_for_people_are_plain_and_read_as_they_are_typed() {
        assert_eq!(user_code(&[0, 250, 1, 19, 20, 239, 5, 6, 7]).as_deref(), Some("BCZBZHJK"));
        assert_eq!(user_code(&[255; 40]), None);
        assert_eq!(Device::read_code(" bcdf-ghjk "), "BCDFGHJK");
        assert_eq!(Device::show_code("BCDFGHJK"), "BCDF-GHJK");
        assert!(Device::read_code(&"B".repeat(99)).len() == 9);
    }
}
