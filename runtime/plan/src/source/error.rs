//! What is wrong with a document, and where.

use crate::formula::FormulaError;
use std::fmt;

/// A mistake in a source document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError {
    /// The document's file.
    pub file: String,
    /// Line and column in the file, from 1, where they are known.
    pub location: Option<(usize, usize)>,
    /// The path of keys to the mistake, such as `arrays.y`.
    pub place: Option<String>,
    /// What is wrong and what would be right.
    pub message: String,
    /// The formula in which the mistake is, and the column in it, from 1.
    pub formula: Option<Box<(String, u32)>>,
}

impl SourceError {
    /// A mistake somewhere in a file.
    pub(super) fn new(file: &str, message: impl Into<String>) -> SourceError {
        SourceError {
            file: file.to_owned(),
            location: None,
            place: None,
            message: message.into(),
            formula: None,
        }
    }

    /// A mistake that the YAML reader found.
    pub(super) fn yaml(file: &str, error: &serde_yaml::Error) -> SourceError {
        let mut message = error.to_string();
        let location = error.location().map(|l| (l.line(), l.column()));
        // The location stands before the message; the reader repeats it behind.
        if let Some((line, column)) = location
            && let Some(short) = message.strip_suffix(&format!(" at line {line} column {column}"))
        {
            message = short.to_owned();
        }
        SourceError { location, ..SourceError::new(file, shortened(message)) }
    }

    /// A mistake in a formula.
    pub(super) fn formula(file: &str, text: &str, error: &FormulaError) -> SourceError {
        let formula = (error.column > 0).then(|| Box::new((text.to_owned(), error.column)));
        SourceError { formula, ..SourceError::new(file, error.message.clone()) }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.location {
            write!(f, ":{line}:{column}")?;
        }
        f.write_str(": ")?;
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if let Some((text, column)) = self.formula.as_deref() {
            write!(f, "column {column}: {}\n{}", self.message, excerpt(text, *column as usize))
        } else {
            f.write_str(&self.message)
        }
    }
}

impl std::error::Error for SourceError {}

/// The reader quotes a wrong value whole, which may be a whole file: what is wrong stands at the ends.
fn shortened(message: String) -> String {
    const END: usize = 120;
    let n = message.chars().count();
    if n <= 3 * END {
        return message;
    }
    let head: String = message.chars().take(END).collect();
    let tail: String = message.chars().skip(n - END).collect();
    format!("{head} … {tail}")
}

/// The line of a formula that holds a column, with a caret under it; long lines are cut around it.
fn excerpt(text: &str, column: usize) -> String {
    const BEFORE: usize = 60;
    const AFTER: usize = 30;
    let chars: Vec<char> = text.chars().collect();
    let at = (column - 1).min(chars.len());
    let line_start = chars[..at].iter().rposition(|c| *c == '\n').map_or(0, |i| i + 1);
    let line_end = chars[at..].iter().position(|c| *c == '\n').map_or(chars.len(), |i| at + i);
    let start = if at - line_start > BEFORE { at - BEFORE } else { line_start };
    let end = if line_end - at > AFTER { at + AFTER } else { line_end };
    let (left, right) = (if start > line_start { "…" } else { "" }, if end < line_end { "…" } else { "" });
    let shown: String = chars[start..end].iter().map(|c| if c.is_control() { ' ' } else { *c }).collect();
    format!("    {left}{shown}{right}\n    {}^", " ".repeat(at - start + left.chars().count()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_stands_under_the_column() {
        assert_eq!(excerpt("x + y", 5), "    x + y\n        ^");
        assert_eq!(excerpt("x +", 4), "    x +\n       ^");
        assert_eq!(excerpt("a\nb + c\nd", 7), "    b + c\n        ^");
        let long = "x + ".repeat(100) + "y" + &" + z".repeat(100);
        let shown = excerpt(&long, 401);
        let (line, caret) = shown.split_once('\n').unwrap();
        assert_eq!(line.chars().nth(caret.chars().count() - 1), Some('y'));
        assert!(line.chars().count() < 110);
    }
}
