//! Every document in the guide and among the samples is read, written, checked against the schema, and built.
#![allow(clippy::unwrap_used)] // A test file: helpers fail their test.

use dask_plan::program::FileRef;
use dask_plan::source::{self, Described};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

const MAX_TASKS: u128 = 100_000_000;

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Each fenced YAML block of the guide, with its line and the files that the comment before it describes.
fn examples() -> Vec<(usize, String, HashMap<String, Described>)> {
    let guide = read("docs/graph.md");
    let (mut examples, mut block, mut files) = (vec![], None::<(usize, String)>, HashMap::new());
    for (at, line) in guide.lines().enumerate() {
        if let Some(json) = line.strip_prefix("<!-- files: ").and_then(|l| l.strip_suffix(" -->")) {
            files = serde_json::from_str(json).unwrap();
        } else if line == "```yaml" {
            block = Some((at + 1, String::new()));
        } else if line == "```" {
            if let Some((at, text)) = block.take() {
                examples.push((at, text, std::mem::take(&mut files)));
            }
        } else if let Some((_, text)) = &mut block {
            text.push_str(line);
            text.push('\n');
        }
    }
    examples
}

fn samples() -> Vec<(String, String)> {
    let mut samples: Vec<_> = std::fs::read_dir(root().join("manifests/samples"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap()))
        .collect();
    samples.sort();
    samples
}

fn check(name: &str, text: &str, described: &HashMap<String, Described>) {
    let document = source::parse(text, name).unwrap_or_else(|e| panic!("{e}"));
    let schema = serde_json::to_value(source::schema()).unwrap();
    let value: Value = serde_yaml::from_str(text).unwrap();
    validate(&schema, &schema, &value).unwrap_or_else(|e| panic!("{name} against the schema: {e}"));

    let json = serde_json::to_string_pretty(&value).unwrap().replace("  ", "\t");
    let from_json = source::parse(&json, "json").unwrap_or_else(|e| panic!("{e}\n{json}"));
    assert_eq!(source::write(&from_json), source::write(&document));

    let written = source::write(&document);
    let again = source::parse(&written, "written").unwrap_or_else(|e| panic!("{e}\n{written}"));
    // As text, since NaN equals nothing.
    assert_eq!(format!("{:?}", document.arrays), format!("{:?}", again.arrays), "{written}");
    assert_eq!(document.functions, again.functions, "{written}");
    assert_eq!(document.outputs, again.outputs, "{written}");

    let files: HashMap<FileRef, Described> = source::files(&document)
        .into_iter()
        .map(|(_, file)| {
            let described =
                described.get(&file.path).unwrap_or_else(|| panic!("{name}: {} is not described", file.path));
            (file, described.clone())
        })
        .collect();
    let parts = source::build(&document, &files, MAX_TASKS).unwrap_or_else(|e| panic!("{e}"));
    let outputs: usize = parts.iter().map(|p| p.outputs.len()).sum();
    assert_eq!(outputs, document.outputs.0.iter().map(|o| o.1.0.len()).sum::<usize>(), "{name}");
}

#[test]
fn the_guides_examples_build() {
    let examples = examples();
    assert!(examples.len() >= 7, "{} examples", examples.len());
    for (line, text, files) in examples {
        check(&format!("docs/graph.md example at {line}"), &text, &files);
    }
}

#[test]
fn the_samples_build() {
    let samples = samples();
    assert!(samples.len() >= 6);
    for (name, text) in samples {
        check(&name, &text, &HashMap::new());
    }
}

/// The guide lists exactly the functions that there are. Set `UPDATE_DOCS` to write the list.
#[test]
fn the_guide_lists_all_functions() {
    let guide = read("docs/graph.md");
    let (start, end) = ("<!-- functions -->\n", "<!-- end of functions -->");
    let (before, rest) = guide.split_once(start).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    let wanted = format!("{before}{start}{}{end}{after}", dask_plan::formula::reference());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(root().join("docs/graph.md"), wanted).unwrap();
    } else {
        assert!(
            guide == wanted,
            "docs/graph.md does not list the functions that there are; run with UPDATE_DOCS=1"
        );
    }
}

#[test]
fn the_schema_in_docs_is_the_schema() {
    let schema = serde_json::to_string_pretty(&source::schema()).unwrap();
    assert!(
        read("docs/graph.schema.json") == schema + "\n",
        "docs/graph.schema.json is old; run `make schema`"
    );
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let schema = serde_json::to_value(source::schema()).unwrap();
    for bad in [
        "{version: 1, arrays: {}}",
        "{version: 1, arrays: {}, outputs: {}, other: 1}",
        "{version: 2, arrays: {x: '1'}, outputs: {x: print}}",
        "{version: 1, arrays: {x: {random: {shape: [1]}}}, outputs: {x: print}}",
        "{version: 1, arrays: {x: {random: {seed: 1, shape: [1], chunk: 1}}}, outputs: {x: print}}",
        "{version: 1, arrays: {x: {nothing: {}}}, outputs: {x: print}}",
        "{version: 1, arrays: {x: {zeros: {shape: [-1]}}}, outputs: {x: print}}",
        "{version: 1, arrays: {x: 'a'}, outputs: {x: show}}",
        "{version: 1, arrays: {x: 'a'}, outputs: {x: []}}",
        "{version: 1, arrays: {x: 'a'}, outputs: {x: {npy: 1}}}",
    ] {
        let value: Value = serde_yaml::from_str(bad).unwrap();
        assert!(validate(&schema, &schema, &value).is_err(), "{bad}");
        assert!(source::parse(bad, "bad").is_err(), "{bad}");
    }
}

/// Checks a value against the part of JSON Schema that the schema uses, and fails on anything else in it.
fn validate(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let schema = match schema {
        Value::Bool(true) => return Ok(()),
        Value::Object(schema) => schema,
        other => return Err(format!("{other} allows nothing")),
    };
    let is = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("type {other}"),
    };
    let any = |choices: &Value| {
        let errors: Vec<_> = choices.as_array().unwrap().iter().map(|s| validate(root, s, value)).collect();
        let met = errors.iter().filter(|e| e.is_ok()).count();
        (met, errors.into_iter().filter_map(Result::err).collect::<Vec<_>>().join("; or "))
    };
    for (keyword, wanted) in schema {
        let met = match keyword.as_str() {
            "$schema" | "title" | "description" | "default" | "$defs" | "format" => true,
            "$ref" => {
                let name = wanted.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                validate(root, &root["$defs"][name], value)?;
                true
            }
            "type" => match wanted {
                Value::String(kind) => is(kind),
                kinds => kinds.as_array().unwrap().iter().any(|k| is(k.as_str().unwrap())),
            },
            "const" => value == wanted,
            "enum" => wanted.as_array().unwrap().contains(value),
            "minimum" => value.as_f64().is_none_or(|v| v >= wanted.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|v| v <= wanted.as_f64().unwrap()),
            "minItems" => value.as_array().is_none_or(|v| v.len() as u64 >= wanted.as_u64().unwrap()),
            "maxItems" => value.as_array().is_none_or(|v| v.len() as u64 <= wanted.as_u64().unwrap()),
            "anyOf" => match any(wanted) {
                (0, errors) => return Err(errors),
                _ => true,
            },
            "oneOf" => match any(wanted) {
                (1, _) => true,
                (n, errors) => return Err(format!("{n} choices are met: {errors}")),
            },
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    validate(root, wanted, item)?;
                }
                true
            }
            "required" => wanted.as_array().unwrap().iter().all(|k| value.get(k.as_str().unwrap()).is_some()),
            "properties" => {
                for (key, schema) in wanted.as_object().unwrap() {
                    if let Some(value) = value.get(key) {
                        validate(root, schema, value).map_err(|e| format!("{key}: {e}"))?;
                    }
                }
                true
            }
            "additionalProperties" => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    if schema.get("properties").is_none_or(|p| p.get(key).is_none()) {
                        validate(root, wanted, value).map_err(|e| format!("{key}: {e}"))?;
                    }
                }
                true
            }
            other => panic!("this test does not know the keyword {other}"),
        };
        if !met {
            return Err(format!("{value} does not meet {keyword}: {wanted}"));
        }
    }
    Ok(())
}
