//! What tasks and clients coordinate by: semaphores, events, queues and variables, shared by name.
//!
//! A pure state machine: who asks is answered now or, where there is something to wait for, later; first come first served. It is
//! the same in the scheduler, whose values are bytes, and in a process of its own, whose values are live objects.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// What is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Bounds how many hold something at a time.
    Semaphore,
    /// A flag to wait for.
    Event,
    /// Values, first in first out.
    Queue,
    /// A value that can be set anew.
    Variable,
}

/// Which thing is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Name {
    /// What it is.
    pub kind: Kind,
    /// What it is called.
    pub name: String,
}

/// What is asked of a thing.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation<V> {
    /// How many may hold the semaphore or be in the queue: what was said first.
    Open,
    /// Forgets the thing: the next of its name is another.
    Close,
    /// Takes a lease of a semaphore; waits for one.
    Acquire,
    /// Gives one back.
    Release,
    /// How many hold the semaphore, or are in the queue.
    Count,
    /// Waits until an event is set.
    Wait,
    /// Sets or clears it.
    Turn(bool),
    /// Whether it is set.
    IsSet,
    /// Appends to a queue; waits for room.
    Put(V),
    /// Takes the first of a queue; waits for one.
    Take,
    /// Takes all that are there.
    TakeAll,
    /// Puts back to the front what was taken by somebody who was interrupted.
    PutBack(Vec<V>),
    /// Sets a variable.
    Set(V),
    /// Its value; waits until it is set.
    Get,
    /// It is as if it was never set.
    Unset,
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome<V> {
    /// It was done.
    Done,
    /// Yes or no.
    Flag(bool),
    /// A number.
    Count(u32),
    /// What was taken or read.
    Values(Vec<V>),
    /// It waited, and was given up by who asked.
    GivenUp,
    /// It cannot be done.
    Refused(String),
}

/// A question.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request<V> {
    /// Which thing.
    pub of: Name,
    /// It was given a name by somebody, and stays though nothing is in it.
    pub named: bool,
    /// How many may hold a semaphore or be in a queue (0 for no bound), if nobody said so before.
    pub limit: u32,
    /// What.
    pub operation: Operation<V>,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Asker {
    /// By which connection.
    pub connection: u32,
    /// The connection's number of the question.
    pub request: u32,
}

/// What follows from a change.
#[derive(Debug)]
pub struct Effects<V> {
    /// Answers, each for one question.
    pub answers: Vec<(Asker, Outcome<V>)>,
    /// Values that are not kept here any more, also those that are in answers.
    pub dropped: Vec<V>,
}

/// All things that are shared.
#[derive(Debug)]
pub struct Shared<V> {
    things: HashMap<Name, Thing<V>>,
    waiting: HashMap<Asker, Name>,
}

#[derive(Debug)]
struct Thing<V> {
    state: State<V>,
    named: bool,
    waiters: VecDeque<(Asker, Operation<V>)>,
}

#[derive(Debug)]
enum State<V> {
    /// Leases by connections.
    Semaphore {
        limit: u32,
        leases: BTreeMap<u32, u32>,
    },
    Event(bool),
    Queue {
        limit: u32,
        values: VecDeque<V>,
    },
    Variable(Option<V>),
}

impl<V> Outcome<V> {
    /// The same with other values.
    pub fn map<W>(self, f: impl FnMut(V) -> W) -> Outcome<W> {
        match self {
            Outcome::Done => Outcome::Done,
            Outcome::Flag(flag) => Outcome::Flag(flag),
            Outcome::Count(count) => Outcome::Count(count),
            Outcome::Values(values) => Outcome::Values(values.into_iter().map(f).collect()),
            Outcome::GivenUp => Outcome::GivenUp,
            Outcome::Refused(why) => Outcome::Refused(why),
        }
    }
}

impl<V> Operation<V> {
    /// The same with other values.
    pub fn map<W>(self, mut f: impl FnMut(V) -> W) -> Operation<W> {
        match self {
            Operation::Open => Operation::Open,
            Operation::Close => Operation::Close,
            Operation::Acquire => Operation::Acquire,
            Operation::Release => Operation::Release,
            Operation::Count => Operation::Count,
            Operation::Wait => Operation::Wait,
            Operation::Turn(flag) => Operation::Turn(flag),
            Operation::IsSet => Operation::IsSet,
            Operation::Put(value) => Operation::Put(f(value)),
            Operation::Take => Operation::Take,
            Operation::TakeAll => Operation::TakeAll,
            Operation::PutBack(values) => Operation::PutBack(values.into_iter().map(f).collect()),
            Operation::Set(value) => Operation::Set(f(value)),
            Operation::Get => Operation::Get,
            Operation::Unset => Operation::Unset,
        }
    }

    /// The values that it brings.
    pub fn values(&self) -> &[V] {
        match self {
            Operation::Put(value) | Operation::Set(value) => std::slice::from_ref(value),
            Operation::PutBack(values) => values,
            _ => &[],
        }
    }
}

impl<V> Default for Effects<V> {
    fn default() -> Self {
        Effects { answers: vec![], dropped: vec![] }
    }
}

impl<V> Default for Shared<V> {
    fn default() -> Self {
        Shared { things: HashMap::new(), waiting: HashMap::new() }
    }
}

impl<V: Clone> Shared<V> {
    /// Takes a question in.
    pub fn ask(&mut self, asker: Asker, request: Request<V>) -> Effects<V> {
        let Request { of, named, limit, operation } = request;
        let mut effects = Effects::default();
        if let Operation::Close = operation {
            self.close(&of, &mut effects);
            effects.answers.push((asker, Outcome::Done));
            return effects;
        }
        let thing = self.things.entry(of.clone()).or_insert_with(|| Thing::new(of.kind, limit));
        thing.named |= named;
        match thing.attempt(asker.connection, operation, &mut effects.dropped) {
            Ok(outcome) => {
                effects.answers.push((asker, outcome));
                self.changed(&of, &mut effects);
            }
            Err(operation) => {
                thing.waiters.push_back((asker, operation));
                self.waiting.insert(asker, of);
            }
        }
        effects
    }

    /// Who asked does not wait any more. It is answered so, unless it was answered before.
    pub fn give_up(&mut self, asker: Asker) -> Effects<V> {
        let mut effects = Effects::default();
        if let Some(of) = self.waiting.remove(&asker) {
            self.drop_waiters(&of, |a| a == asker, &mut effects);
            effects.answers.push((asker, Outcome::GivenUp));
            self.changed(&of, &mut effects);
        }
        effects
    }

    /// A connection ended: it waits for nothing, and its leases are given back.
    pub fn end(&mut self, connection: u32) -> Effects<V> {
        let mut effects = Effects::default();
        let names: Vec<Name> = self.things.keys().cloned().collect();
        for of in names {
            self.drop_waiters(&of, |asker| asker.connection == connection, &mut effects);
            if let Some(Thing { state: State::Semaphore { leases, .. }, .. }) = self.things.get_mut(&of) {
                leases.remove(&connection);
            }
            self.changed(&of, &mut effects);
        }
        self.waiting.retain(|asker, _| asker.connection != connection);
        effects
    }

    fn drop_waiters(&mut self, of: &Name, who: impl Fn(Asker) -> bool, effects: &mut Effects<V>) {
        let Some(thing) = self.things.get_mut(of) else { return };
        let (gone, left) = std::mem::take(&mut thing.waiters).into_iter().partition(|(asker, _)| who(*asker));
        thing.waiters = left;
        effects.dropped.extend(gone.into_iter().flat_map(|(_, operation)| operation.values().to_vec()));
    }

    fn close(&mut self, of: &Name, effects: &mut Effects<V>) {
        let Some(thing) = self.things.remove(of) else { return };
        match thing.state {
            State::Queue { values, .. } => effects.dropped.extend(values),
            State::Variable(value) => effects.dropped.extend(value),
            State::Semaphore { .. } | State::Event(_) => {}
        }
        for (asker, operation) in thing.waiters {
            self.waiting.remove(&asker);
            effects.dropped.extend_from_slice(operation.values());
            effects.answers.push((asker, Outcome::Refused("it was closed".into())));
        }
    }

    /// Answers those who can go on, until nobody can.
    fn changed(&mut self, of: &Name, effects: &mut Effects<V>) {
        let Some(thing) = self.things.get_mut(of) else { return };
        loop {
            let before = thing.waiters.len();
            for (asker, operation) in std::mem::take(&mut thing.waiters) {
                match thing.attempt(asker.connection, operation, &mut effects.dropped) {
                    Ok(outcome) => {
                        self.waiting.remove(&asker);
                        effects.answers.push((asker, outcome));
                    }
                    Err(operation) => thing.waiters.push_back((asker, operation)),
                }
            }
            if thing.waiters.len() == before {
                break;
            }
        }
        if !thing.named && thing.rests() {
            self.things.remove(of);
        }
    }
}

impl<V: Clone> Thing<V> {
    fn new(kind: Kind, limit: u32) -> Thing<V> {
        let state = match kind {
            Kind::Semaphore => State::Semaphore { limit, leases: BTreeMap::new() },
            Kind::Event => State::Event(false),
            Kind::Queue => State::Queue { limit, values: VecDeque::new() },
            Kind::Variable => State::Variable(None),
        };
        Thing { state, named: false, waiters: VecDeque::new() }
    }

    /// Whether a new one would be the same.
    fn rests(&self) -> bool {
        self.waiters.is_empty()
            && match &self.state {
                State::Semaphore { leases, .. } => leases.is_empty(),
                State::Event(flag) => !flag,
                State::Queue { values, .. } => values.is_empty(),
                State::Variable(value) => value.is_none(),
            }
    }

    /// Does what is asked, or gives it back where it has to wait.
    fn attempt(
        &mut self,
        connection: u32,
        operation: Operation<V>,
        dropped: &mut Vec<V>,
    ) -> Result<Outcome<V>, Operation<V>> {
        Ok(match (&mut self.state, operation) {
            (State::Semaphore { limit, .. } | State::Queue { limit, .. }, Operation::Open) => {
                Outcome::Count(*limit)
            }
            (State::Semaphore { limit, leases }, Operation::Acquire) => {
                if leases.values().sum::<u32>() >= *limit {
                    return Err(Operation::Acquire);
                }
                *leases.entry(connection).or_default() += 1;
                Outcome::Done
            }
            (State::Semaphore { leases, .. }, Operation::Release) => {
                let Some(own) = leases.get_mut(&connection) else { return Ok(Outcome::Flag(false)) };
                *own -= 1;
                if *own == 0 {
                    leases.remove(&connection);
                }
                Outcome::Flag(true)
            }
            (State::Semaphore { leases, .. }, Operation::Count) => Outcome::Count(leases.values().sum()),
            (State::Event(false), Operation::Wait) => return Err(Operation::Wait),
            (State::Event(true), Operation::Wait) => Outcome::Flag(true),
            (State::Event(flag), Operation::Turn(to)) => {
                *flag = to;
                Outcome::Done
            }
            (State::Event(flag), Operation::IsSet) => Outcome::Flag(*flag),
            (State::Queue { limit, values }, Operation::Put(value)) => {
                if *limit > 0 && values.len() >= *limit as usize {
                    return Err(Operation::Put(value));
                }
                values.push_back(value);
                Outcome::Done
            }
            (State::Queue { values, .. }, Operation::Take) => {
                let Some(value) = values.pop_front() else { return Err(Operation::Take) };
                dropped.push(value.clone());
                Outcome::Values(vec![value])
            }
            (State::Queue { values, .. }, Operation::TakeAll) => {
                let all: Vec<V> = values.drain(..).collect();
                dropped.extend_from_slice(&all);
                Outcome::Values(all)
            }
            (State::Queue { values, .. }, Operation::PutBack(back)) => {
                back.into_iter().rev().for_each(|value| values.push_front(value));
                Outcome::Done
            }
            (State::Queue { values, .. }, Operation::Count) => Outcome::Count(values.len() as u32),
            (State::Variable(value), Operation::Set(new)) => {
                dropped.extend(value.replace(new));
                Outcome::Done
            }
            (State::Variable(None), Operation::Get) => return Err(Operation::Get),
            (State::Variable(Some(value)), Operation::Get) => Outcome::Values(vec![value.clone()]),
            (State::Variable(value), Operation::Unset) => {
                dropped.extend(value.take());
                Outcome::Done
            }
            (_, operation) => {
                dropped.extend_from_slice(operation.values());
                Outcome::Refused("it is of another kind".into())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: Kind, limit: u32, operation: Operation<u8>) -> Request<u8> {
        Request { of: Name { kind, name: "x".into() }, named: true, limit, operation }
    }

    fn by(connection: u32, request: u32) -> Asker {
        Asker { connection, request }
    }

    #[test]
    fn leases_are_given_in_turn_and_come_back_when_their_connection_ends() {
        let mut shared = Shared::default();
        let mut ask = |who, operation| shared.ask(who, request(Kind::Semaphore, 2, operation)).answers;
        assert_eq!(ask(by(1, 0), Operation::Acquire), [(by(1, 0), Outcome::Done)]);
        assert_eq!(ask(by(1, 1), Operation::Acquire), [(by(1, 1), Outcome::Done)]);
        assert_eq!(ask(by(2, 0), Operation::Acquire), []);
        assert_eq!(ask(by(3, 0), Operation::Acquire), []);
        assert_eq!(ask(by(2, 9), Operation::Release), [(by(2, 9), Outcome::Flag(false))], "it holds none");
        assert_eq!(
            ask(by(1, 2), Operation::Release),
            [(by(1, 2), Outcome::Flag(true)), (by(2, 0), Outcome::Done)]
        );
        assert_eq!(shared.end(1).answers, [(by(3, 0), Outcome::Done)]);
        let count = shared.ask(by(4, 0), request(Kind::Semaphore, 2, Operation::Count)).answers;
        assert_eq!(count, [(by(4, 0), Outcome::Count(2))]);
    }

    #[test]
    fn who_gives_up_is_answered_once() {
        let mut shared = Shared::default();
        assert!(shared.ask(by(1, 0), request(Kind::Event, 0, Operation::Wait)).answers.is_empty());
        assert_eq!(shared.give_up(by(1, 0)).answers, [(by(1, 0), Outcome::GivenUp)]);
        assert!(shared.give_up(by(1, 0)).answers.is_empty());
        let set = shared.ask(by(2, 0), request(Kind::Event, 0, Operation::Turn(true)));
        assert_eq!(set.answers, [(by(2, 0), Outcome::Done)]);
        assert!(shared.give_up(by(2, 0)).answers.is_empty());
    }

    #[test]
    fn a_full_queue_takes_the_next_when_there_is_room() {
        let mut shared = Shared::default();
        let mut ask = |n, operation| shared.ask(by(1, n), request(Kind::Queue, 1, operation));
        assert_eq!(ask(0, Operation::Put(1)).answers, [(by(1, 0), Outcome::Done)]);
        assert!(ask(1, Operation::Put(2)).answers.is_empty());
        let taken = ask(2, Operation::Take);
        assert_eq!(taken.answers, [(by(1, 2), Outcome::Values(vec![1])), (by(1, 1), Outcome::Done)]);
        assert_eq!(taken.dropped, [1]);
        ask(3, Operation::PutBack(vec![7, 8]));
        assert_eq!(ask(4, Operation::TakeAll).answers, [(by(1, 4), Outcome::Values(vec![7, 8, 2]))]);
        assert!(ask(5, Operation::Take).answers.is_empty());
        let closed = ask(6, Operation::Close).answers;
        assert_eq!(closed[0], (by(1, 5), Outcome::Refused("it was closed".into())));
    }

    #[test]
    fn what_has_no_name_goes_when_nothing_is_in_it() {
        let mut shared = Shared::default();
        let mut ask = |n, operation| {
            shared.ask(by(1, n), Request { named: false, ..request(Kind::Variable, 0, operation) });
            shared.things.len()
        };
        assert_eq!(ask(0, Operation::Set(1)), 1);
        assert_eq!(ask(1, Operation::Set(2)), 1);
        assert_eq!(ask(2, Operation::Unset), 0);
        assert_eq!(ask(3, Operation::Turn(true)), 0, "of another kind");
    }
}
