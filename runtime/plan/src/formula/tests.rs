//! Formulas against numpy: `numpy.txt` lists what numpy 2 makes of each.

use super::{Expr, FormulaError, Function, Scope, Value, evaluate, parse};
use crate::builder::{Builder, normalize_chunks};
use crate::chunking::Chunks;
use crate::dtype::{DType, Scalar};
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::HashMap;

/// A builder with the arrays that the formulas use, in chunks of two or more.
fn arrays() -> (Builder, HashMap<String, Value>) {
    let mut builder = Builder::new();
    let mut names = HashMap::new();
    let shapes: &[(&str, DType, &[u64])] = &[
        ("x", DType::Float64, &[4, 6]),
        ("i", DType::Int32, &[4, 6]),
        ("b", DType::Bool, &[4, 6]),
        ("u", DType::UInt8, &[6]),
        ("v", DType::Float32, &[6]),
        ("c", DType::Complex128, &[4, 6]),
        ("t", DType::Float64, &[2, 3, 4]),
    ];
    for (name, dtype, shape) in shapes {
        let chunks = normalize_chunks(&Chunks::Size(2).spec(shape.len()).unwrap(), shape, *dtype).unwrap();
        let array = builder.full(Scalar::Int(1), *dtype, chunks).unwrap();
        names.insert((*name).to_owned(), Value::Array(array));
    }
    (builder, names)
}

fn value(builder: &mut Builder, names: &HashMap<String, Value>, text: &str) -> Result<Value, FormulaError> {
    let functions: HashMap<String, Function> = [
        ("twice", vec!["a"], "a + a"),
        ("scale", vec!["a", "low", "high"], "(a - low) / (high - low)"),
        ("broken", vec!["a"], "a + reshape(a, (5, 5))"),
        ("same", vec!["a"], "a"),
    ]
    .into_iter()
    .map(|(name, parameters, body)| {
        let parameters = parameters.into_iter().map(str::to_owned).collect();
        (name.to_owned(), Function { parameters, body: parse(body).unwrap() })
    })
    .collect();
    let expr: Expr = parse(text)?;
    let steps = Cell::new(0);
    evaluate(&expr, Scope { names, functions: &functions, steps: &steps }, builder)
}

#[test]
fn dtypes_and_shapes_are_numpys() {
    let (mut builder, names) = arrays();
    let mut wrong = vec![];
    for line in include_str!("numpy.txt").lines() {
        let (text, expected) = line.split_once(" => ").unwrap();
        let result = value(&mut builder, &names, text).map(|value| match value {
            Value::Array(array) => {
                let shape: Vec<String> = builder
                    .shape(array)
                    .iter()
                    .map(|n| n.map_or("?".to_owned(), |n| n.to_string()))
                    .collect();
                format!("{} [{}]", builder.dtype(array), shape.join(", "))
            }
            other => other.describe(),
        });
        match result {
            Ok(found) if found == expected => {}
            Ok(found) => wrong.push(format!("{text}: {found}, numpy {expected}")),
            Err(error) => wrong.push(format!("{text}: {error:?}, numpy {expected}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn numbers_shapes_and_functions() {
    let (mut builder, names) = arrays();
    let mut wrong = vec![];
    for (text, expected) in [
        ("x.shape", "a tuple of 2"),
        ("x.shape[0] * 2", "the int 8"),
        ("x.shape[::-1][0]", "the int 6"),
        ("(x.shape + (1,))[-1]", "the int 1"),
        ("t.ndim", "the int 3"),
        ("t.size", "the int 24"),
        ("v.nbytes", "the int 24"),
        ("v.dtype", "the dtype float32"),
        ("x.astype(v.dtype).dtype", "the dtype float32"),
        ("2 ** 10 - 1", "the int 1023"),
        ("float", "the dtype float64"),
        ("exp", "the function `exp`"),
        ("twice(3)", "the int 6"),
        ("scale(5, high=10, low=0)", "the float 0.5"),
        ("None", "None"),
        ("twice(x)", "an array"),
        ("unique(i)", "an array"),
        ("x[x > 0.5]", "an array"),
        ("x.topk(2)", "an array"),
        ("bincount(u)", "an array"),
        ("map_overlap(twice, x, depth=1, boundary=\"reflect\")", "an array"),
        ("x.map_overlap(twice, (1, 0), (0, None))", "an array"),
        ("map_overlap(exp, x, 1)", "an array"),
        ("x.rechunk((4, -1))", "an array"),
        ("v.rechunk((2, 4))", "an array"),
        ("x.rechunk(\"auto\")", "an array"),
    ] {
        let result = value(&mut builder, &names, text).map(|v| v.describe());
        if result.as_deref() != Ok(expected) {
            wrong.push(format!("{text}: {result:?}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn mistakes_are_named_with_their_column() {
    let (mut builder, names) = arrays();
    let mut wrong = vec![];
    for (text, column, part) in [
        ("x + z", 5, "nothing is called `z`"),
        ("1 + tnah(x)", 5, "did you mean `tanh`?"),
        ("x + v[:5]", 3, "broadcast"),
        ("x.sun()", 3, "did you mean `sum`?"),
        ("x.sum", 3, "is a method"),
        ("x.T()", 3, "not a method"),
        ("x.exp()", 3, "write `exp(x)`"),
        ("x.shap", 3, "did you mean `shape`?"),
        ("sum(x, axs=0)", 8, "did you mean `axis`?"),
        ("sum(x, axis=\"a\")", 8, "not the string \"a\""),
        ("sum(x, axis=7)", 1, "axis"),
        ("sum()", 1, "needs `x`"),
        ("sum(x, 0, None, True, 5)", 23, "at most 4 arguments"),
        ("sum(x, x=1)", 8, "given twice"),
        ("clip(x, min=x, min=x)", 16, "given twice"),
        ("x.astype(\"float16\")", 10, "no dtype is called `float16`"),
        ("x.astype(floot32)", 10, "floot32"),
        ("astype(x, \"flaot32\")", 11, "did you mean `float32`?"),
        ("x @ 2", 3, "`*`"),
        ("x + \"a\"", 3, "neither a number nor an array"),
        ("x(1)", 1, "not a function"),
        ("x[\"a\"]", 3, "not an index"),
        ("x[1.5]", 3, "not an index"),
        ("x[::0]", 5, "not 0"),
        ("x[9]", 2, "9"),
        ("x[0, 0, 0]", 2, "ind"),
        ("x.shape[5]", 9, "out of bounds"),
        ("x.reshape(5, 5)", 3, "5"),
        ("1 / 0 + x", 3, "divides by zero"),
        ("2 ** 1000", 3, "128 bits"),
        ("u + 2 ** 100", 3, "out of bounds"),
        ("u + 300", 3, "300"),
        ("b - b", 3, "bool"),
        ("[1, 2] * 3", 8, "array([1, 2])"),
        ("x.shape * 2", 9, "array("),
        ("x & 1", 3, "float"),
        ("x ^ x", 3, "float"),
        ("histogram(x)[0]", 1, "range=(0, 1)"),
        ("histogram(x, bins=[3, 2, 1])[0]", 14, "rise"),
        ("arange(0, 1, 0)", 1, "step"),
        ("zeros((10 ** 10, 10 ** 10))", 1, "more than any machine"),
        ("zeros(10 ** 15, chunks=1)", 1, "too many"),
        ("zeros(-1)", 7, "negative"),
        ("zeros((2, 2), chunks=(1, 1, 1))", 15, "3 axes"),
        ("zeros((2, 2), chunks=-2)", 15, "-2"),
        ("broadcast_to(v, (10 ** 18, 6))", 1, "more than any machine"),
        ("array([[1], [1, 2]])", 7, "side by side"),
        ("array([x])", 7, "stack"),
        ("concatenate(x)", 13, "list of arrays"),
        ("concatenate([])", 13, "at least one"),
        ("twice()", 1, "needs `a`"),
        ("twice(x, x)", 10, "takes 1 argument, not 2"),
        ("twice(b=x)", 7, "no parameter `b`"),
        ("map_overlap(nothing, x, 1)", 13, "nothing is called"),
        ("map_overlap(twice, x, (1, 2, 3))", 23, "3 entries"),
        ("map_overlap(twice, x, 1, \"mirror\")", 26, "symmetric"),
        ("map_overlap(twice, x, 1, \"reflekt\")", 26, "did you mean `reflect`?"),
        ("unique(i).shape", 11, "only known when the graph runs"),
        ("x.sum(axis=(0, 0))", 3, "0"),
        ("moveaxis(x, (0, 0), (0, 1))", 13, "twice"),
        ("swapaxes(x, 0, 2)", 16, "out of bounds"),
        ("(1, 2) + x.sum", 12, "method"),
    ] {
        match value(&mut builder, &names, text) {
            Ok(value) => wrong.push(format!("{text} is {}", value.describe())),
            Err(error) if error.message.contains(part) && error.column == column => {}
            Err(error) => wrong.push(format!("{text} at {column} {part:?}: {error:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let error = value(&mut builder, &names, "1 + broken(x)").unwrap_err();
    assert_eq!((error.function.as_deref(), error.column), (Some("broken"), 5), "{error:?}");
}

/// The deepest formula that is read is also evaluated within the stack of a small thread.
#[test]
fn the_deepest_formula_fits_the_stack() {
    let run = || {
        let (mut builder, names) = arrays();
        for deep in [
            "same(".repeat(250) + "x" + &")".repeat(250),
            "-".repeat(250) + "x",
            "exp((".repeat(84) + "x" + &") + 1)".repeat(84),
            "[".repeat(20) + "1" + &"]".repeat(20),
            "x[".repeat(120) + "0" + &"]".repeat(120),
        ] {
            // Whether it makes sense does not matter, as long as it returns.
            let _ = value(&mut builder, &names, &deep);
        }
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
}

/// Formulas of every shape, most of them wrong in some way.
fn formula() -> impl Strategy<Value = String> {
    let functions: Vec<String> = super::function_names().map(str::to_owned).collect();
    let methods: Vec<String> = super::functions::methods().map(str::to_owned).collect();
    let leaf = prop::sample::select(vec![
        "x",
        "i",
        "b",
        "u",
        "v",
        "c",
        "t",
        "0",
        "1",
        "-1",
        "2",
        "3.5",
        "1e308",
        "2j",
        "True",
        "None",
        "()",
        "(1, 0)",
        "[0, 2]",
        "[True, False]",
        "nan",
        "inf",
        "float32",
        "bool",
        "\"f4\"",
        "\"auto\"",
        "\"edge\"",
        "twice",
        "exp",
        "10 ** 18",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551615",
        "x > 0.5",
        "unique(i)",
        "x[x > 0.5]",
        "zeros((0, 3))",
        "array(3)",
        "(0, 1)",
        "(-1,)",
        "[[1, 2], [3, 4]]",
        "[x, x]",
        "[v, u]",
        "x.shape",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 24, 4, move |inner| {
        let args = prop::collection::vec(
            (
                prop::option::weighted(
                    0.2,
                    prop::sample::select(vec!["axis", "keepdims", "dtype", "k", "chunks", "range"]),
                ),
                inner.clone(),
            ),
            0..4,
        )
        .prop_map(|args| {
            let mut args = args;
            args.sort_by_key(|a| a.0.is_some());
            let shown: Vec<String> =
                args.into_iter().map(|(name, x)| name.map_or(x.clone(), |n| format!("{n}={x}"))).collect();
            shown.join(", ")
        });
        let operators = prop::sample::select(vec![
            "+", "-", "*", "/", "//", "%", "**", "@", "&", "|", "^", "<<", ">>", "==", "<",
        ]);
        prop_oneof![
            (inner.clone(), operators, inner.clone()).prop_map(|(a, op, b)| format!("({a}) {op} ({b})")),
            inner.clone().prop_map(|a| format!("-({a})")),
            inner.clone().prop_map(|a| format!("~({a})")),
            (prop::sample::select(functions.clone()), args.clone())
                .prop_map(|(f, args)| format!("{f}({args})")),
            (inner.clone(), prop::sample::select(methods.clone()), args)
                .prop_map(|(x, m, args)| format!("({x}).{m}({args})")),
            (inner.clone(), prop::collection::vec(inner.clone(), 1..4))
                .prop_map(|(x, items)| format!("({x})[{}]", items.join(", "))),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(x, a, b)| format!("({x})[{a}:{b}]")),
            (inner.clone(), inner.clone()).prop_map(|(x, a)| format!("({x})[..., ::{a}]")),
            (inner, prop::sample::select(vec!["T", "real", "shape", "size", "dtype"]))
                .prop_map(|(x, a)| format!("({x}).{a}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever is written, there is an array or a message, with a place in the formula.
    #[test]
    fn nothing_that_is_written_panics(text in formula()) {
        let (mut builder, names) = arrays();
        if let Err(error) = value(&mut builder, &names, &text) {
            prop_assert!(error.column > 0 || error.function.is_some(), "{}: {:?}", text, error);
        }
    }

    #[test]
    fn no_text_is_too_odd_for_the_parser(text in "[-+*/%@&|^~<>=!().,:;'\"\\[\\]0-9a-zA-Z_é \\\\.]{0,40}") {
        let _ = parse(&text);
        let _ = super::parse_head(&text);
    }
}
