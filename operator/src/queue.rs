//! Which objects are to be looked at, and when: one look at an object at a time, many objects side by side.

use crate::action::Key;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Between two looks at an object. Of the hundred events of a group whose workers start, not each is a look.
const REST: Duration = Duration::from_millis(100);
/// Before the second try of an object whose look failed; twice as long before each one after it.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
/// The longest wait before a try.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

/// Objects that are to be looked at.
#[derive(Default)]
pub struct Queue {
    inner: Mutex<Inner>,
    wake: Notify,
}

#[derive(Default)]
struct Inner {
    due: BTreeSet<(Instant, Key)>,
    entries: HashMap<Key, Entry>,
}

#[derive(Default)]
struct Entry {
    /// When it is due, if it is.
    due: Option<Instant>,
    /// Whether somebody looks at it; then `due` is for the time after.
    is_running: bool,
    /// Looks that failed since the last one that did not.
    failures: u32,
    /// When it may be looked at again.
    rests_until: Option<Instant>,
    /// The generation of its spec.
    generation: Option<i64>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a look at an object.
    pub fn add(&self, key: Key) {
        self.add_at(key, Instant::now());
    }

    /// Asks for a look at an object of this generation. A new spec is a new start: it does not wait for what the old one
    /// has failed at.
    pub fn add_generation(&self, key: Key, generation: Option<i64>) {
        let mut inner = self.lock();
        let entry = inner.entries.entry(key.clone()).or_default();
        if entry.generation != generation {
            entry.generation = generation;
            entry.failures = 0;
            entry.rests_until = None;
        }
        inner.add(key, Instant::now());
        drop(inner);
        self.wake.notify_one();
    }

    /// Asks for a look at an object at a time, or earlier.
    pub fn add_at(&self, key: Key, at: Instant) {
        self.lock().add(key, at);
        self.wake.notify_one();
    }

    /// Objects that could be looked at now.
    pub fn depth(&self) -> usize {
        let now = Instant::now();
        self.lock().due.iter().take_while(|(at, _)| *at <= now).count()
    }

    /// The next object, when it is due. Whoever gets it says `done`.
    pub async fn next(&self) -> Key {
        loop {
            let first = {
                let mut inner = self.lock();
                let first = inner.due.first().cloned();
                match first {
                    Some((at, key)) if at <= Instant::now() => {
                        inner.due.pop_first();
                        if let Some(entry) = inner.entries.get_mut(&key) {
                            entry.due = None;
                            entry.is_running = true;
                        }
                        // Another one may be due, and somebody else waits for it.
                        self.wake.notify_one();
                        return key;
                    }
                    first => first.map(|(at, _)| at),
                }
            };
            match first {
                Some(at) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(at) => {}
                        () = self.wake.notified() => {}
                    }
                }
                None => self.wake.notified().await,
            }
        }
    }

    /// Forgets an object that is gone and that nobody looks at.
    pub fn forget(&self, key: &Key) {
        let mut inner = self.lock();
        if inner.entries.get(key).is_some_and(|e| !e.is_running && e.due.is_none()) {
            inner.entries.remove(key);
        }
    }

    /// Says that a look is over: whether it failed, and when to look again in any case. Returns the wait after a failure.
    pub fn done(&self, key: &Key, failed: bool, again: Option<Duration>) -> Option<Duration> {
        let now = Instant::now();
        let mut inner = self.lock();
        let entry = inner.entries.entry(key.clone()).or_default();
        entry.is_running = false;
        entry.rests_until = Some(now + REST);
        let asked = entry.due.take();
        let mut wait = None;
        if failed {
            let backoff = FIRST_BACKOFF.saturating_mul(1 << entry.failures.min(10)).min(LONGEST_BACKOFF);
            entry.failures += 1;
            // A change of the object does not shorten the wait: whatever hinders is likely still there.
            entry.rests_until = Some(now + backoff);
            wait = Some(backoff);
        } else {
            entry.failures = 0;
        }
        let next = [asked, again.map(|a| now + a), wait.map(|w| now + w)].into_iter().flatten().min();
        if let Some(at) = next {
            inner.add(key.clone(), at);
        }
        drop(inner);
        self.wake.notify_one();
        wait
    }
}

impl Inner {
    fn add(&mut self, key: Key, at: Instant) {
        let entry = self.entries.entry(key.clone()).or_default();
        let at = entry.rests_until.map_or(at, |rest| at.max(rest));
        if entry.due.is_some_and(|due| due <= at) {
            return;
        }
        let before = entry.due.replace(at);
        if !entry.is_running {
            if let Some(before) = before {
                self.due.remove(&(before, key.clone()));
            }
            self.due.insert((at, key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Kind;
    use futures::FutureExt;

    fn key(name: &str) -> Key {
        Key::new(Kind::Cluster, "ns", name)
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_is_looked_at_once_at_a_time() {
        let queue = Queue::default();
        queue.add(key("a"));
        queue.add(key("a"));
        assert_eq!(queue.next().await, key("a"));
        queue.add(key("a"));
        assert_eq!(queue.next().now_or_never(), None, "somebody looks at it");
        queue.done(&key("a"), false, None);
        assert_eq!(queue.next().now_or_never(), None, "it rests a moment");
        assert_eq!(queue.next().await, key("a"));
        queue.done(&key("a"), false, None);
        assert!(queue.lock().due.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn failures_wait_longer_each_time() {
        let queue = Queue::default();
        queue.add(key("a"));
        let mut waits = Vec::new();
        for _ in 0..10 {
            assert_eq!(queue.next().await, key("a"));
            waits.extend(queue.done(&key("a"), true, None).map(|w| w.as_millis()));
        }
        assert_eq!(waits[..4], [500, 1000, 2000, 4000]);
        assert_eq!(waits[9], 60_000);
        queue.next().await;
        queue.done(&key("a"), false, Some(Duration::from_secs(3600)));
        queue.add(key("a"));
        assert_eq!(queue.next().await, key("a"), "an event comes before the time that was set");
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_spec_is_a_new_start() {
        let queue = Queue::default();
        for generation in [1, 1, 2] {
            queue.add_generation(key("a"), Some(generation));
            let before = Instant::now();
            queue.next().await;
            let waited = Instant::now() - before;
            let wait = queue.done(&key("a"), true, None);
            assert_eq!(wait, Some(FIRST_BACKOFF * if waited.is_zero() { 1 } else { 2 }));
            assert_eq!(waited.is_zero(), generation == 2 || wait == Some(FIRST_BACKOFF));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_earliest_comes_first() {
        let queue = Queue::default();
        let now = Instant::now();
        queue.add_at(key("late"), now + Duration::from_secs(10));
        queue.add_at(key("soon"), now + Duration::from_secs(1));
        assert_eq!(queue.depth(), 0);
        queue.add_at(key("late"), now + Duration::from_secs(20));
        assert_eq!(queue.next().await, key("soon"));
        assert_eq!(queue.next().await, key("late"));
        assert!(Instant::now() - now < Duration::from_secs(11));
    }
}
