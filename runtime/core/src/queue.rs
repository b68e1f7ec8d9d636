//! Queues of ready tasks, by priority.

use crate::event::{JobId, Priority};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// A queue of priorities, and so of tasks, smallest first.
///
/// Tasks mostly become ready in their order, so a queue is a list of runs of consecutive tasks, to which the
/// next one is appended in constant time and a few bytes; only what comes out of order goes through a heap.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    runs: VecDeque<Run>,
    heap: BinaryHeap<Reverse<Priority>>,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    rank: i32,
    job: JobId,
    start: u32,
    end: u32,
}

impl Run {
    fn at(&self, local: u32) -> Priority {
        Priority { rank: self.rank, job: self.job, local }
    }
}

impl Queue {
    pub(crate) fn push(&mut self, p: Priority) {
        self.len += 1;
        match self.runs.back_mut() {
            Some(last) if last.rank == p.rank && last.job == p.job && last.end == p.local => last.end += 1,
            Some(last) if last.at(last.end - 1) >= p => self.heap.push(Reverse(p)),
            _ => self.runs.push_back(Run { rank: p.rank, job: p.job, start: p.local, end: p.local + 1 }),
        }
    }

    pub(crate) fn peek(&self) -> Option<Priority> {
        let run = self.runs.front().map(|r| r.at(r.start));
        let heap = self.heap.peek().map(|p| p.0);
        match (run, heap) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Priority> {
        let p = self.peek()?;
        self.len -= 1;
        match self.runs.front_mut() {
            Some(run) if run.at(run.start) == p => {
                run.start += 1;
                if run.start == run.end {
                    self.runs.pop_front();
                }
            }
            _ => {
                self.heap.pop();
            }
        }
        Some(p)
    }

    /// Entries, of which some may be out of date.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Every entry, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Priority> {
        self.runs
            .iter()
            .flat_map(|r| (r.start..r.end).map(|local| r.at(local)))
            .chain(self.heap.iter().map(|p| p.0))
    }

    /// Bytes on the heap.
    pub(crate) fn nbytes(&self) -> usize {
        self.runs.capacity() * size_of::<Run>() + self.heap.capacity() * size_of::<Priority>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pops_in_order(entries in prop::collection::vec((-1i32..2, 0u32..3, 0u32..40), 0..200)) {
            let mut queue = Queue::default();
            let mut all: Vec<_> =
                entries.iter().map(|&(rank, job, local)| Priority { rank, job: JobId(job), local }).collect();
            for p in &all {
                queue.push(*p);
            }
            prop_assert_eq!(queue.iter().count(), all.len());
            all.sort();
            for (i, p) in all.iter().enumerate() {
                prop_assert_eq!(queue.len(), all.len() - i);
                prop_assert_eq!(queue.pop(), Some(*p));
            }
            prop_assert_eq!(queue.pop(), None);
        }
    }

    #[test]
    fn a_million_in_order_take_no_room() {
        let mut queue = Queue::default();
        for local in 0..1_000_000 {
            queue.push(Priority { rank: 0, job: JobId(0), local });
        }
        assert!(queue.nbytes() < 1000);
    }
}
