//! Formulas: numpy's notation, parsed and turned into calls of the [`Builder`](crate::Builder).
//!
//! Nothing is evaluated here but Python's numbers. The operators are Python's, with its precedence; the functions
//! and methods are numpy's, all of them in one table ([`functions`]), from which errors, documentation and the
//! check of names come.

mod ast;
mod call;
mod error;
mod eval;
mod functions;
mod index;
mod lexer;
mod literal;
mod number;
mod parser;
mod value;

#[cfg(test)]
mod tests;

pub use ast::MAX_DEPTH;
pub use error::FormulaError;
pub use functions::reference;
pub use number::Number;

pub(crate) use ast::Expr;
pub(crate) use eval::{Function, Scope, evaluate};
pub(crate) use functions::creation;
pub(crate) use literal::Nest;
pub(crate) use parser::{parse, parse_head};
pub(crate) use value::{Value, parse_dtype};

/// What a name means in every formula: a function, a constant or a dtype. Arrays cannot be called so.
pub(crate) fn meaning(name: &str) -> Option<&'static str> {
    if functions::find(name).is_some() {
        Some("a function")
    } else if value::constant(name).is_some() {
        Some("a constant")
    } else if value::dtype(name).is_some() {
        Some("a dtype")
    } else if matches!(name, "np" | "numpy" | "da") {
        Some("the name of a module")
    } else {
        None
    }
}

/// The names of the constants.
pub(crate) fn constants<'a>() -> impl Iterator<Item = &'a str> {
    value::CONSTANTS.iter().map(|c| -> &'a str { c.0 })
}

/// The names of the functions.
pub(crate) fn function_names<'a>() -> impl Iterator<Item = &'a str> {
    functions::names()
}
