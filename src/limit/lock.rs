//! The mutex of live counters. Under test a model checker may decide, each time
//! one is asked for, who goes on.

use parking_lot::{Mutex, MutexGuard};

/// See the module.
#[derive(Default)]
pub(super) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(super) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        #[cfg(test)]
        if model::decides() {
            return model::lock(&self.0);
        }
        self.0.lock()
    }
}

/// Histories in which a model checker decides who goes on.
#[cfg(test)]
pub(super) mod model {
    use super::{Mutex, MutexGuard};
    use std::cell::Cell;

    thread_local! {
        static DECIDES: Cell<bool> = const { Cell::new(false) };
    }

    /// The checker runs all its threads on the one that called it.
    pub(super) fn decides() -> bool {
        DECIDES.get()
    }

    /// Runs this so that every lock is a place where another thread may go on.
    pub(in crate::limit) fn checked(run: impl FnOnce()) {
        DECIDES.set(true);
        run();
        DECIDES.set(false);
    }

    /// Threads that wait for each other in a circle use up the steps of the checker, which tells it.
    pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        // A fence would be no such place to the checker.
        shuttle::thread::yield_now();
        loop {
            match mutex.try_lock() {
                Some(guard) => return guard,
                None => shuttle::thread::yield_now(),
            }
        }
    }
}
