//! The functions and methods of formulas, by numpy's names: one table, in parts by subject.

mod counting;
pub(crate) mod creation;
mod elementwise;
mod linalg;
mod movement;
mod reductions;

use super::call::{Call, Parameter, Read, signature};
use super::value::Value;
use crate::builder::Array;
use crate::program::{ArgReduction, Binary, Reduction, Unary};
use std::collections::HashMap;
use std::sync::LazyLock;

/// A row of the table.
pub(super) struct Function {
    pub(super) name: &'static str,
    /// numpy's other names for it.
    pub(super) aliases: &'static [&'static str],
    /// Parameters as in Python; `*x` takes all that are left.
    pub(super) signature: &'static str,
    /// Whether it is a method too; the receiver is the parameter `x`.
    pub(super) method: bool,
    pub(super) run: Run,
}

/// What a function does.
#[derive(Clone, Copy)]
pub(super) enum Run {
    Unary(Unary),
    Binary(Binary),
    Reduce(Reduction),
    Arg(ArgReduction),
    Array(fn(&mut Call<'_, '_, '_>) -> Read<Array>),
    /// Yields something other than one array.
    Value(fn(&mut Call<'_, '_, '_>) -> Read<Value>),
}

/// A function.
const fn function(name: &'static str, signature: &'static str, run: Run) -> Function {
    Function { name, aliases: &[], signature, method: false, run }
}

/// A function that is a method too.
const fn method(name: &'static str, signature: &'static str, run: Run) -> Function {
    Function { name, aliases: &[], signature, method: true, run }
}

impl Function {
    const fn or(self, aliases: &'static [&'static str]) -> Function {
        Function { aliases, ..self }
    }
}

/// A row with its signature read.
pub(super) struct Entry {
    pub(super) function: &'static Function,
    pub(super) parameters: Vec<Parameter>,
}

impl Entry {
    /// As it is called: `sum(x, axis=None, dtype=None, keepdims=False)`.
    pub(super) fn shown(&self) -> String {
        format!("{}({})", self.function.name, self.function.signature)
    }
}

static PARTS: &[(&str, &[Function])] = &[
    ("Elementwise", elementwise::TABLE),
    ("Reductions", reductions::TABLE),
    ("Shape and order", movement::TABLE),
    ("Linear algebra", linalg::TABLE),
    ("Counting and sorting", counting::TABLE),
    ("New arrays", creation::TABLE),
];

static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let all = PARTS.iter().flat_map(|(_, table)| table.iter());
    all.map(|function| Entry { function, parameters: signature(function.signature) }).collect()
});

static BY_NAME: LazyLock<HashMap<&'static str, &'static Entry>> = LazyLock::new(|| {
    let names =
        |e: &'static Entry| std::iter::once(e.function.name).chain(e.function.aliases.iter().copied());
    ENTRIES.iter().flat_map(|e| names(e).map(move |name| (name, e))).collect()
});

/// The function of this name.
pub(super) fn find(name: &str) -> Option<&'static Entry> {
    BY_NAME.get(name).copied()
}

/// Every function's name.
pub(super) fn names<'a>() -> impl Iterator<Item = &'a str> {
    BY_NAME.keys().map(|name| -> &'a str { name })
}

/// Every method's name.
pub(super) fn methods() -> impl Iterator<Item = &'static str> {
    BY_NAME.iter().filter(|(_, e)| e.function.method).map(|(name, _)| *name)
}

/// All functions with their signatures, as Markdown.
pub fn reference() -> String {
    let mut text = String::new();
    for (subject, table) in PARTS {
        text += &format!("**{subject}.** ");
        let rows: Vec<String> = table
            .iter()
            .map(|f| {
                let shown = format!("`{}({})`", f.name, f.signature);
                let aliases: Vec<String> = f.aliases.iter().map(|a| format!("`{a}`")).collect();
                if aliases.is_empty() { shown } else { format!("{shown} (also {})", aliases.join(", ")) }
            })
            .collect();
        text += &rows.join(", ");
        text += "\n\n";
    }
    let methods: std::collections::BTreeSet<&str> = methods().collect();
    let methods: Vec<String> = methods.iter().map(|m| format!("`{m}`")).collect();
    text + &format!("**Methods too**, called as `x.sum(axis=0)`: {}.\n", methods.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signature_is_read_and_every_name_is_its_own() {
        let mut seen = std::collections::HashSet::new();
        for entry in ENTRIES.iter() {
            for name in std::iter::once(&entry.function.name).chain(entry.function.aliases) {
                assert!(crate::names::is_name(name) && seen.insert(*name), "{name}");
            }
            let names: std::collections::HashSet<_> = entry.parameters.iter().map(|p| p.name).collect();
            assert_eq!(names.len(), entry.parameters.len(), "{}", entry.shown());
            assert!(!entry.function.method || names.contains("x"), "{}", entry.shown());
        }
    }
}
