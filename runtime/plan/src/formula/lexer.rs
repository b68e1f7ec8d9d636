//! Text to tokens.

use super::error::{FormulaError, fail};
use super::number::Number;
use crate::names::shorten;

/// The longest formula, in bytes. Longer ones are made by programs, and programs write plans.
const MAX_LENGTH: usize = 1 << 20;

/// A piece of a formula.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(Number),
    Str(String),
    Name(String),
    /// An operator or a bracket.
    Op(&'static str),
    End,
}

/// Longest first.
const OPERATORS: &[&str] = &[
    "...", "**", "//", "<<", ">>", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "@", "&", "|", "^", "~",
    "<", ">", "(", ")", "[", "]", ",", ":", ".", "=",
];

/// The tokens of a formula, each with its column (characters, from 1), the last one [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, u32)>, FormulaError> {
    if text.len() > MAX_LENGTH {
        return fail(1, format!("the formula has {} bytes; {MAX_LENGTH} are allowed", text.len()));
    }
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = vec![];
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let column = at as u32 + 1;
        if c.is_whitespace() {
            at += 1;
        } else if c == '#' {
            return fail(
                column,
                "a formula holds no comment; write it as a YAML comment, a space before the `#`",
            );
        } else if c == '_' || c.is_alphabetic() {
            let end = end_of(&chars, at, |c| c == '_' || c.is_alphanumeric());
            let name: String = chars[at..end].iter().collect();
            if !name.is_ascii() {
                return fail(
                    column,
                    format!("`{}`: names are ASCII letters, digits and `_`", shorten(&name)),
                );
            }
            tokens.push((Token::Name(name), column));
            at = end;
        } else if c.is_ascii_digit() || (c == '.' && chars.get(at + 1).is_some_and(char::is_ascii_digit)) {
            let (number, end) = number(&chars, at)?;
            tokens.push((Token::Number(number), column));
            at = end;
        } else if c == '"' || c == '\'' {
            let (text, end) = string(&chars, at)?;
            tokens.push((Token::Str(text), column));
            at = end;
        } else if let Some(op) =
            OPERATORS.iter().find(|op| op.chars().enumerate().all(|(i, o)| chars.get(at + i) == Some(&o)))
        {
            tokens.push((Token::Op(op), column));
            at += op.len();
        } else {
            return fail(
                column,
                match c {
                    '!' => "`!` is not an operator; write `~` for not, `!=` for different".to_owned(),
                    '{' | '}' => format!("`{c}`: formulas know no sets or dictionaries"),
                    ';' => "`;`: a formula is one expression; give each array a line of its own".to_owned(),
                    _ => format!("`{c}` means nothing here"),
                },
            );
        }
    }
    tokens.push((Token::End, chars.len() as u32 + 1));
    Ok(tokens)
}

fn end_of(chars: &[char], from: usize, belongs: impl Fn(char) -> bool) -> usize {
    chars[from..].iter().position(|c| !belongs(*c)).map_or(chars.len(), |n| from + n)
}

/// A quoted string without escapes other than those of quotes and backslashes.
fn string(chars: &[char], at: usize) -> Result<(String, usize), FormulaError> {
    let quote = chars[at];
    let mut text = String::new();
    let mut i = at + 1;
    while let Some(&c) = chars.get(i) {
        match c {
            _ if c == quote => return Ok((text, i + 1)),
            '\\' => match chars.get(i + 1) {
                Some(&e @ ('\\' | '\'' | '"')) => {
                    text.push(e);
                    i += 1;
                }
                _ => return fail(i as u32 + 1, "only quotes and backslashes are escaped with `\\`"),
            },
            _ => text.push(c),
        }
        i += 1;
    }
    fail(at as u32 + 1, format!("the string has no closing {quote}"))
}

/// A number as Python writes it: `10`, `1_000`, `0x1f`, `0o17`, `0b11`, `1.`, `.5`, `1e-3`, `2j`.
fn number(chars: &[char], at: usize) -> Result<(Number, usize), FormulaError> {
    let column = at as u32 + 1;
    let radix = match (chars[at], chars.get(at + 1)) {
        ('0', Some('x' | 'X')) => 16,
        ('0', Some('o' | 'O')) => 8,
        ('0', Some('b' | 'B')) => 2,
        _ => 10,
    };
    if radix != 10 {
        let end = end_of(chars, at + 2, |c| c == '_' || c.is_alphanumeric());
        let text: String = chars[at..end].iter().collect();
        let digits = digits(&chars[at + 2..end], true).filter(|d| !d.is_empty());
        let value = digits.as_deref().map(|d| i128::from_str_radix(d, radix));
        return match value {
            Some(Ok(i)) => Ok((Number::Int(i), end)),
            Some(Err(e)) if *e.kind() == std::num::IntErrorKind::PosOverflow => too_large(column, &text),
            _ => fail(column, format!("`{}` is not a number of base {radix}", shorten(&text))),
        };
    }
    let digit = |c: char| c == '_' || c.is_ascii_digit();
    let mut end = end_of(chars, at, digit);
    let mut is_int = true;
    if chars.get(end) == Some(&'.') {
        is_int = false;
        end = end_of(chars, end + 1, digit);
    }
    if matches!(chars.get(end), Some('e' | 'E')) {
        let sign = usize::from(matches!(chars.get(end + 1), Some('+' | '-')));
        let stop = end_of(chars, end + 1 + sign, digit);
        if stop > end + 1 + sign {
            is_int = false;
            end = stop;
        }
    }
    let imaginary = matches!(chars.get(end), Some('j' | 'J'));
    let after = end + usize::from(imaginary);
    let text: String = chars[at..end].iter().collect();
    if chars.get(after).is_some_and(|c| *c == '_' || c.is_alphanumeric()) {
        let word = end_of(chars, after, |c| c == '_' || c.is_alphanumeric());
        let all: String = chars[at..word].iter().collect();
        return fail(column, format!("`{}` is neither a number nor a name", shorten(&all)));
    }
    let Some(plain) = digits(&chars[at..end], false) else {
        return fail(column, format!("`{}`: underscores stand singly between digits", shorten(&text)));
    };
    if is_int && !imaginary {
        if plain.len() > 1 && plain.starts_with('0') && plain.bytes().any(|b| b != b'0') {
            return fail(
                column,
                format!("`{}`: a number does not start with 0; octal is `0o…`", shorten(&text)),
            );
        }
        return match plain.parse() {
            Ok(i) => Ok((Number::Int(i), after)),
            Err(_) => too_large(column, &text),
        };
    }
    match plain.parse::<f64>() {
        Ok(f) => Ok((if imaginary { Number::Complex(0.0, f) } else { Number::Float(f) }, after)),
        Err(_) => fail(column, format!("`{}` is not a number", shorten(&text))),
    }
}

fn too_large<T>(column: u32, text: &str) -> Result<T, FormulaError> {
    fail(column, format!("the integer {} does not fit in 128 bits", shorten(text)))
}

/// The text without underscores; `None` when one does not stand between two digits.
fn digits(chars: &[char], leading: bool) -> Option<String> {
    let is_digit = |c: Option<&char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    for (i, c) in chars.iter().enumerate() {
        // `0x_1f` is Python's too.
        let before = if i == 0 { leading } else { is_digit(chars.get(i - 1)) };
        if *c == '_' && !(before && is_digit(chars.get(i + 1))) {
            return None;
        }
    }
    Some(chars.iter().filter(|c| **c != '_').collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Token {
        tokens(text).map(|mut t| t.remove(0).0).unwrap_or(Token::End)
    }

    #[test]
    fn numbers_are_pythons() {
        for (text, value) in [
            ("0", 0),
            ("00", 0),
            ("1_000", 1000),
            ("0x1F", 31),
            ("0x_1f", 31),
            ("0o17", 15),
            ("0b101", 5),
            ("170141183460469231731687303715884105727", i128::MAX),
        ] {
            assert_eq!(one(text), Token::Number(Number::Int(value)), "{text}");
        }
        for (text, value) in
            [("1.", 1.0), (".5", 0.5), ("1e-3", 1e-3), ("1_0.2_5E+2", 1025.0), ("1e400", f64::INFINITY)]
        {
            assert_eq!(one(text), Token::Number(Number::Float(value)), "{text}");
        }
        assert_eq!(one("2j"), Token::Number(Number::Complex(0.0, 2.0)));
        assert_eq!(one("012j"), Token::Number(Number::Complex(0.0, 12.0)));
        for bad in [
            "1__0",
            "1_",
            "0x",
            "0xg",
            "0b2",
            "012",
            "1x",
            "3if",
            "1e5x",
            &"9".repeat(40),
            "'a",
            "\"a'",
            "'\\n'",
            "é",
        ] {
            assert!(tokens(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn columns_count_characters() {
        let columns: Vec<u32> = tokens("  'é' +x").unwrap().iter().map(|t| t.1).collect();
        assert_eq!(columns, [3, 7, 8, 9]);
        assert_eq!(tokens("x + é").unwrap_err().column, 5);
    }
}
