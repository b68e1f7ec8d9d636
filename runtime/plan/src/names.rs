//! Names: which ones a document may give to its arrays, and what a misspelt one was meant to be.

/// Words that no array, function or parameter may be called, with what to do about it.
const RESERVED: &[(&str, &str)] = &[
    ("true", YAML_BOOL),
    ("false", YAML_BOOL),
    ("True", YAML_BOOL),
    ("False", YAML_BOOL),
    ("null", "it is YAML's word for nothing"),
    ("None", "it stands for nothing"),
    ("and", PYTHON),
    ("or", PYTHON),
    ("not", PYTHON),
    ("if", PYTHON),
    ("else", PYTHON),
    ("for", PYTHON),
    ("in", PYTHON),
    ("is", PYTHON),
    ("lambda", PYTHON),
];

const YAML_BOOL: &str = "it is a truth value; tools that read YAML 1.1 (kubectl, Helm) also turn the names `y`, `n`, `on`, \
                         `yes` and so on into `true` and `false`, so quote such names or choose others";
const PYTHON: &str = "it is a word of Python's grammar";

/// The hint for keys that a YAML reader has already turned into a truth value.
pub(crate) fn bool_hint() -> &'static str {
    YAML_BOOL
}

/// Whether it has the form of a name: an ASCII letter or underscore, then ASCII letters, digits, underscores.
///
/// Python allows letters of every script here. This does not: names become keys, file names and metric labels,
/// and two that look alike must not differ.
pub fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b == b'_' || b.is_ascii_alphabetic())
        && bytes.all(|b| b == b'_' || b.is_ascii_alphanumeric())
}

/// Checks that an array, function or parameter may be called so.
///
/// # Errors
/// Says why not, and what would do.
pub fn check(name: &str) -> Result<(), String> {
    if !is_name(name) {
        return Err(format!(
            "`{}` is not a name: a name is an ASCII letter or `_`, then letters, digits or `_`",
            shorten(name)
        ));
    }
    if name.len() > 200 {
        return Err(format!("the name `{}` has {} characters; 200 are allowed", shorten(name), name.len()));
    }
    if let Some((_, why)) = RESERVED.iter().find(|(word, _)| *word == name) {
        return Err(format!("`{name}` cannot be a name: {why}"));
    }
    if let Some(what) = crate::formula::meaning(name) {
        return Err(format!("`{name}` cannot be a name: it is {what} in formulas; `{name}_` would do"));
    }
    Ok(())
}

/// At most 40 characters of something that the user wrote, for messages.
pub(crate) fn shorten(text: &str) -> String {
    if text.chars().count() <= 40 { text.to_owned() } else { text.chars().take(39).chain(['…']).collect() }
}

/// `; did you mean …?` for the candidate that is closest to `word`, or nothing when none is near.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    // Distances over long words cost their product; nobody misspells a word of hundreds of letters.
    if word.len() > 40 {
        return String::new();
    }
    let allowed = if word.chars().count() < 3 { 1 } else { 2 };
    candidates
        .into_iter()
        .filter(|c| c.len() <= 40 && *c != word)
        .map(|c| (distance(word, c), c))
        .filter(|(d, c)| *d <= allowed && *d < c.chars().count())
        .min()
        .map(|(_, c)| format!("; did you mean `{c}`?"))
        .unwrap_or_default()
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other (optimal string
/// alignment), not counting case.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substitute = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substitute.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// Whether a YAML 1.1 or 1.2 reader would take this plain scalar for something other than text, or stumble over it.
///
/// YAML 1.1 knows more of them: `y`, `on`, `1_000`, `0o7` is text but `07` is not, `1:30` is 90, `=` and `<<` are tags.
pub(crate) fn needs_quotes(text: &str) -> bool {
    const WORDS: &[&str] =
        &["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "=", "<<", ".inf", ".nan"];
    let lower = text.to_lowercase();
    let Some(first) = text.chars().next() else { return true };
    // Anything that starts like a number: numbers, dates, sexagesimals, octals.
    let numeric = first.is_ascii_digit() || matches!(first, '+' | '.');
    WORDS.contains(&lower.as_str())
        || numeric
        || "-?:,[]{}#&*!|>'\"%@`".contains(first)
        || text.ends_with(|c: char| c == ':' || c.is_whitespace())
        || first.is_whitespace()
        || text.contains(": ")
        || text.contains(" #")
        || text.chars().any(|c| c.is_control() || !c.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ascii_words() {
        for good in ["x", "_", "X_1", "y", "n", "temperature"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "", "1x", "a b", "a-b", "é", "x\u{301}", "true", "null", "None", "and", "sum", "pi", "float32",
            "e",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert!(check("false").unwrap_err().contains("YAML 1.1"));
    }

    /// What stays plain was read by PyYAML 6.0 (YAML 1.1) as text; most of the rest it reads as something else.
    #[test]
    fn what_yaml_1_1_misreads_is_quoted() {
        for plain in [
            "x", "nn", "yes_", "x + y", "x[1:2]", "x_1", "(1, 2)", "a=b", "nullable", "~x", "print", "e5",
            "not y", "a:b",
        ] {
            assert!(!needs_quotes(plain), "{plain}");
        }
        for quoted in [
            "",
            "y",
            "Y",
            "n",
            "N",
            "yes",
            "Yes",
            "NO",
            "on",
            "Off",
            "true",
            "FALSE",
            "null",
            "Null",
            "~",
            "=",
            "<<",
            "1",
            "+1",
            "1_000",
            "0o7",
            "07",
            "0x1f",
            "1:30",
            "1e5",
            ".5",
            ".inf",
            ".NaN",
            "2024-01-01",
            "-x",
            "- x",
            "? x",
            "[1]",
            "{a}",
            "*x",
            "&x",
            "!x",
            "%x",
            "@x",
            "`x",
            "'x",
            "\"x",
            "#x",
            "|x",
            ">x",
            "a: b",
            "a #b",
            "a:",
            " a",
            "a ",
            "a\nb",
            "é",
        ] {
            assert!(needs_quotes(quoted), "{quoted}");
        }
    }

    #[test]
    fn near_words_are_proposed() {
        let known = ["tanh", "tan", "sum", "sqrt"];
        assert_eq!(did_you_mean("tnah", known), "; did you mean `tanh`?");
        assert_eq!(did_you_mean("Sum", known), "; did you mean `sum`?");
        assert_eq!(did_you_mean("sqr", known), "; did you mean `sqrt`?");
        assert_eq!(did_you_mean("histogram", known), "");
        assert_eq!(did_you_mean(&"x".repeat(1 << 20), known), "");
    }
}
