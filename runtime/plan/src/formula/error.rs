//! What can be wrong with a formula.

use crate::builder::BuildError;
use crate::names::is_name;

/// A problem at a place in a formula.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormulaError {
    /// Characters from the formula's start, from 1; 0 while the place is not known.
    pub column: u32,
    /// What is wrong and what would be right.
    pub message: String,
    /// The user's function in whose formula the place is, if it is not the array's own.
    pub function: Option<String>,
}

impl FormulaError {
    /// A problem at a column.
    pub(crate) fn new(column: u32, message: impl Into<String>) -> FormulaError {
        FormulaError { column, message: message.into(), function: None }
    }

    /// Fills in the place where it is not known yet.
    pub(crate) fn or_at(mut self, column: u32) -> FormulaError {
        if self.column == 0 && self.function.is_none() {
            self.column = column;
        }
        self
    }
}

impl From<BuildError> for FormulaError {
    fn from(error: BuildError) -> FormulaError {
        FormulaError::new(0, error.0)
    }
}

impl From<String> for FormulaError {
    fn from(message: String) -> FormulaError {
        FormulaError::new(0, message)
    }
}

/// An error at a column.
pub(super) fn fail<T>(column: u32, message: impl Into<String>) -> Result<T, FormulaError> {
    Err(FormulaError::new(column, message))
}

/// What to write instead of a word of Python's that arrays do not understand.
pub(super) fn hint(word: &str) -> Option<String> {
    Some(match word {
        "and" => "`and` does not work on arrays; write `(a > 0) & (b > 0)`, with the parentheses".to_owned(),
        "or" => "`or` does not work on arrays; write `(a > 0) | (b > 0)`, with the parentheses".to_owned(),
        "not" => "`not` does not work on arrays; write `~a` or `logical_not(a)`".to_owned(),
        "if" | "else" => "formulas know no `if`; write `where(condition, a, b)`".to_owned(),
        "for" | "in" => format!("formulas know no `{word}`; operators work on whole arrays"),
        "is" => "formulas know no `is`; write `==`, or `isnan(a)`".to_owned(),
        "lambda" => "formulas know no `lambda`; define a function under `functions:`".to_owned(),
        "np" | "numpy" | "da" if is_name(word) => {
            format!("numpy's names stand alone here: write `exp(x)`, not `{word}.exp(x)`")
        }
        _ => return None,
    })
}
