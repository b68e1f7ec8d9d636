//! Writes documents as YAML that readers of versions 1.1 and 1.2 understand alike.

use super::document::Document;
use crate::names::needs_quotes;
use serde_json::Value;

/// A document as YAML. Keys and strings that a YAML 1.1 reader takes for something else (`y`, `on`, `1_000`, `1:30`)
/// are quoted, and floats have the point that it asks for.
pub fn write(document: &Document) -> String {
    // A document holds nothing that JSON cannot: numbers are checked when they are read.
    let value = serde_json::to_value(document).unwrap_or_default();
    let mut text = String::new();
    let Value::Object(sections) = value else { return text };
    for (section, value) in &sections {
        match value {
            Value::Object(entries) if !entries.is_empty() => {
                text += &format!("{section}:\n");
                for (name, value) in entries {
                    text += &format!("  {}: ", scalar(name));
                    flow(value, &mut text);
                    text.push('\n');
                }
            }
            value => {
                text += &format!("{section}: ");
                flow(value, &mut text);
                text.push('\n');
            }
        }
    }
    text
}

/// On one line.
fn flow(value: &Value, text: &mut String) {
    match value {
        Value::Null | Value::Bool(_) => *text += &value.to_string(),
        Value::Number(n) => *text += &number(&n.to_string()),
        Value::String(s) => *text += &scalar(s),
        Value::Array(items) => {
            text.push('[');
            for (i, item) in items.iter().enumerate() {
                *text += if i > 0 { ", " } else { "" };
                flow(item, text);
            }
            text.push(']');
        }
        Value::Object(entries) => {
            text.push('{');
            for (i, (key, value)) in entries.iter().enumerate() {
                *text += if i > 0 { ", " } else { "" };
                *text += &scalar(key);
                *text += ": ";
                flow(value, text);
            }
            text.push('}');
        }
    }
}

/// YAML 1.1 knows a float by its point: `1e-5` is text there, `1.0e-5` is not. It wants the exponent's sign too.
fn number(json: &str) -> String {
    let Some((digits, exponent)) = json.split_once(['e', 'E']) else { return json.to_owned() };
    let point = if digits.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['+', '-']) { "" } else { "+" };
    format!("{digits}{point}e{sign}{exponent}")
}

/// Text, quoted where it would be read as something else. JSON's quoting is YAML's as well.
fn scalar(text: &str) -> String {
    let flow_signs = text.contains([',', '[', ']', '{', '}', ':', '#']);
    if needs_quotes(text) || flow_signs { Value::from(text).to_string() } else { text.to_owned() }
}
