//! Orders that are being made, so that whoever learns of their end first tells
//! the task that settles them.

use super::Whereabouts;
use crate::error::Failure;
use crate::types::Usage;
use parking_lot::Mutex;
use std::collections::HashMap;
use tokio::sync::oneshot::{Receiver, Sender, channel};

/// How an order ended.
#[derive(Clone)]
pub(super) enum Final {
    /// It was made, and this was used.
    Made(Usage),
    /// It failed, and costs nothing.
    Failed(Failure),
    /// Nobody knows; it is charged as ordered.
    Unknown(Failure),
}

/// See the module. Each is named by its provider and the vendor's id.
#[derive(Default)]
pub(in crate::proxy) struct Running(Mutex<HashMap<(String, String), Sender<Final>>>);

fn name(place: &Whereabouts) -> (String, String) {
    (place.provider.name.to_string(), place.id.clone())
}

impl Running {
    /// From now on its end can be told.
    pub(super) fn begin(&self, place: &Whereabouts) -> Receiver<Final> {
        let (sender, receiver) = channel();
        self.0.lock().insert(name(place), sender);
        receiver
    }

    /// Tells the end of an order, if anybody waits for it.
    pub(super) fn tell(&self, place: &Whereabouts, end: Final) {
        if let Some(sender) = self.0.lock().remove(&name(place)) {
            let _ = sender.send(end);
        }
    }

    /// Is an order of that name not settled yet?
    pub(super) fn is_open(&self, place: &Whereabouts) -> bool {
        self.0.lock().contains_key(&name(place))
    }
}
