//! Values that are met again and again, each kept once and known by a number.

use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;

/// Gives each different value a number, in the order of their first appearance.
#[derive(Debug)]
pub struct Arena<T> {
    numbers: HashMap<Rc<T>, u32>,
    values: Vec<Rc<T>>,
}

impl<T: Eq + Hash> Arena<T> {
    /// Without any value.
    pub fn new() -> Self {
        Self { numbers: HashMap::new(), values: Vec::new() }
    }

    /// The number of a value, and whether it is met for the first time.
    pub fn number(&mut self, value: T) -> (u32, Met) {
        if let Some(number) = self.numbers.get(&value) {
            return (*number, Met::Before);
        }
        let number = u32::try_from(self.values.len())
            .unwrap_or_else(|_| panic!("a walk meets fewer than 2^32 of anything"));
        let value = Rc::new(value);
        self.values.push(Rc::clone(&value));
        self.numbers.insert(value, number);
        (number, Met::Now)
    }

    /// The value of a number that this arena gave.
    pub fn value(&self, number: u32) -> Rc<T> {
        Rc::clone(&self.values[number as usize])
    }

    /// How many different values there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

impl<T: Eq + Hash> Default for Arena<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a value was there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// It was.
    Before,
    /// It is new.
    Now,
}
