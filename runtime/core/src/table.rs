//! Two small containers: things that are numbered for ever, and a set of numbers that is fast to pick from.

use std::collections::VecDeque;
use std::ops::{Index, IndexMut};

/// Things numbered 0, 1, 2, … in the order in which they came; numbers are never used again.
///
/// A number costs 8 bytes until it and all before it are removed.
#[derive(Debug)]
pub(crate) struct Table<T> {
    first: u32,
    items: VecDeque<Option<Box<T>>>,
    live: usize,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table { first: 0, items: VecDeque::new(), live: 0 }
    }
}

impl<T> Table<T> {
    /// The number of the next thing.
    pub(crate) fn next(&self) -> u32 {
        self.first + self.items.len() as u32
    }

    pub(crate) fn push(&mut self, item: T) {
        self.items.push_back(Some(Box::new(item)));
        self.live += 1;
    }

    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        self.items.get(number.checked_sub(self.first)? as usize)?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.items.get_mut(number.checked_sub(self.first)? as usize)?.as_deref_mut()
    }

    pub(crate) fn remove(&mut self, number: u32) -> Option<Box<T>> {
        let item = self.items.get_mut(number.checked_sub(self.first)? as usize)?.take()?;
        self.live -= 1;
        while let Some(None) = self.items.front() {
            self.items.pop_front();
            self.first += 1;
        }
        Some(item)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let first = self.first;
        self.items.iter().enumerate().filter_map(move |(i, item)| Some((first + i as u32, item.as_deref()?)))
    }

    pub(crate) fn numbers(&self) -> Vec<u32> {
        self.iter().map(|(number, _)| number).collect()
    }
}

impl<T> Index<u32> for Table<T> {
    type Output = T;

    /// # Panics
    /// If it is gone: for numbers that the core itself keeps.
    fn index(&self, number: u32) -> &T {
        self.get(number).expect("the core keeps numbers of what is there only")
    }
}

impl<T> IndexMut<u32> for Table<T> {
    fn index_mut(&mut self, number: u32) -> &mut T {
        self.get_mut(number).expect("the core keeps numbers of what is there only")
    }
}

/// A set of workers' numbers: insert, remove and picking any take constant time.
#[derive(Debug, Default)]
pub(crate) struct Set {
    items: Vec<u32>,
    /// Index + 1 into `items` of each number, 0 for none.
    at: Vec<u32>,
}

impl Set {
    pub(crate) fn contains(&self, number: u32) -> bool {
        self.at.get(number as usize).is_some_and(|at| *at != 0)
    }

    pub(crate) fn insert(&mut self, number: u32) {
        let index = number as usize;
        if index >= self.at.len() {
            self.at.resize(index + 1, 0);
        }
        if self.at[index] == 0 {
            self.items.push(number);
            self.at[index] = self.items.len() as u32;
        }
    }

    pub(crate) fn remove(&mut self, number: u32) {
        if self.contains(number) {
            let at = std::mem::take(&mut self.at[number as usize]);
            self.items.swap_remove(at as usize - 1);
            if let Some(moved) = self.items.get(at as usize - 1) {
                self.at[*moved as usize] = at;
            }
        }
    }

    pub(crate) fn put(&mut self, number: u32, inside: bool) {
        if inside {
            self.insert(number);
        } else {
            self.remove(number);
        }
    }

    pub(crate) fn as_slice(&self) -> &[u32] {
        &self.items
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_never_used_again() {
        let mut table = Table::default();
        for name in ["a", "b", "c"] {
            table.push(name);
        }
        assert_eq!(table.remove(1).as_deref(), Some(&"b"));
        assert_eq!(table.remove(0).as_deref(), Some(&"a"));
        assert_eq!((table.get(0), table.get(1), table.get(2)), (None, None, Some(&"c")));
        assert_eq!((table.len(), table.next(), table.items.len()), (1, 3, 1));
        assert_eq!(table.remove(9), None);
    }

    #[test]
    fn a_set_forgets_what_is_removed() {
        let mut set = Set::default();
        for n in [5, 1, 7, 5] {
            set.insert(n);
        }
        set.remove(5);
        set.remove(6);
        assert!(set.contains(1) && set.contains(7) && !set.contains(5));
        set.remove(7);
        assert_eq!(set.as_slice(), [1]);
    }
}
