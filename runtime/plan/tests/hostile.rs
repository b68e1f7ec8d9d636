//! Documents that are wrong, or meant to hurt: each is refused quickly, by a message that says where and why.

use dask_plan::source::{self, Described};
use std::collections::HashMap;

const MAX_TASKS: u128 = 100_000_000;

/// The message about a document that must not build.
fn refused(text: &str) -> String {
    let document = match source::parse(text, "graph.yaml") {
        Ok(document) => document,
        Err(error) => return error.to_string(),
    };
    let described = HashMap::from_iter(source::files(&document).into_iter().map(|(_, file)| {
        (
            file,
            Described {
                shape: vec![100, 100],
                dtype: dask_plan::DType::Float32,
                chunks: Some(vec![vec![50, 50], vec![100]]),
            },
        )
    }));
    match source::build(&document, &described, MAX_TASKS) {
        Ok(_) => format!("nothing is wrong with\n{text}"),
        Err(error) => error.to_string(),
    }
}

/// A document with these arrays, of which `y` is put out.
fn arrays(lines: &str) -> String {
    let lines: String = lines.lines().map(|l| format!("  {l}\n")).collect();
    format!("version: 1\narrays:\n{lines}outputs: {{y: print}}\n")
}

/// Collects what is not as it should be, so that a test shows all of it.
#[derive(Default)]
struct Checks(Vec<String>);

impl Checks {
    /// The message about `text` has these parts.
    fn check(&mut self, text: &str, parts: &[&str]) {
        let message = refused(text);
        let short: String = text.chars().take(300).collect();
        self.0.extend(
            parts
                .iter()
                .filter(|p| !message.contains(**p))
                .map(|p| format!("no {p:?} in:\n{message}\nof\n{short}\n")),
        );
    }
}

impl Drop for Checks {
    fn drop(&mut self) {
        assert!(std::thread::panicking() || self.0.is_empty(), "{}", self.0.join("\n"));
    }
}

#[test]
fn messages_name_file_place_column_and_fix() {
    let message = refused(&arrays("x: {zeros: {shape: [4]}}\ny: x + tnah(x)"));
    assert_eq!(
        message,
        "graph.yaml:4:6: arrays.y: column 5: no function is called `tnah`; did you mean `tanh`?\n    x + tnah(x)\n        ^"
    );
    let message = refused(&arrays("x: {random: {seed: 1, shape: [4], chunk: 2}}\ny: x"));
    assert!(message.starts_with("graph.yaml:3:"), "{message}");
    assert!(message.contains("arrays.x.random: unknown field `chunk`, expected one of `seed`"), "{message}");
}

#[test]
fn versions() {
    let mut all = Checks::default();
    all.check("arrays: {x: '1'}\noutputs: {x: print}\n", &["`version` is missing", "version: 1"]);
    all.check("version: 7\nnews: 1\n", &["graph.yaml:1:10", "version 7 is from the future", "version 1"]);
    all.check("version: 0\narrays: {}\noutputs: {}\n", &["no version 0"]);
    all.check("version: '1'\narrays: {}\noutputs: {}\n", &["version"]);
    all.check("", &["empty"]);
    all.check("# nothing\n", &["empty"]);
    all.check("[1, 2]", &["a map with `version`"]);
    all.check("version: 1\n", &["arrays"]);
    all.check("version: 1\narrays: {}\noutputs: {}\n", &["nothing is asked for"]);
    all.check("version: 1\narrays: {}\noutputs: {}\nextra: 1\n", &["unknown field `extra`"]);
    all.check("version: 1\n---\nversion: 1\n", &["more than one document"]);
}

#[test]
fn keys_and_names() {
    let mut all = Checks::default();
    all.check("version: 1\nversion: 1\n", &["duplicate key `version`", ":2:1"]);
    all.check(&arrays("y: '1'\ny: '2'"), &["duplicate key `y`", ":4:3"]);
    all.check(&arrays("y: {zeros: {shape: [1], shape: [2]}}"), &["duplicate key `shape`"]);
    all.check("version: 1\narrays: {y: 1}\noutputs: {y: print, y: json}\n", &["duplicate key `y`"]);
    all.check(&arrays("y: 1\ntrue: 2"), &["`true` cannot be a name", "YAML 1.1", "`y`, `n`"]);
    all.check(&arrays("y: 1\n'false': 2"), &["`false` cannot be a name", "YAML 1.1"]);
    all.check(&arrays("y: 1\nnull: 2"), &["`null` cannot be a name"]);
    all.check(&arrays("y: 1\n~: 2"), &["`null` cannot be a name"]);
    all.check(&arrays("y: 1\n5: 2"), &["the number 5 cannot be a name"]);
    all.check(&arrays("y: 1\n[a]: 2"), &["key"]);
    all.check(&arrays("y: 1\nsum: 2"), &["`sum` cannot be a name: it is a function", "`sum_` would do"]);
    all.check(&arrays("y: 1\npi: 2"), &["it is a constant"]);
    all.check(&arrays("y: 1\nfloat32: 2"), &["it is a dtype"]);
    all.check(&arrays("y: 1\nlambda: 2"), &["word of Python's"]);
    all.check(&arrays("y: 1\na-b: 2"), &["`a-b` is not a name"]);
    all.check(&arrays("y: 1\n\"\": 2"), &["not a name"]);
    all.check(&arrays("y: 1\ntemperatür: 2"), &["ASCII"]);
}

#[test]
fn sources() {
    let mut all = Checks::default();
    all.check(&arrays("y: {rondom: {seed: 1}}"), &["no source is called `rondom`; did you mean `random`?"]);
    all.check(&arrays("y: {zeros: {shape: [1]}, chunks: 1}"), &["`chunks` stands beside `zeros`"]);
    all.check(&arrays("y: {}"), &["a source is missing"]);
    all.check(&arrays("y:"), &["arrays.y", "a formula"]);
    all.check(&arrays("y: !random {seed: 1, shape: [3]}"), &["tag `!random`"]);
    all.check(&arrays("y: {random: {shape: [1]}}"), &["missing field `seed`"]);
    all.check(&arrays("y: {random: {seed: -1, shape: [1]}}"), &["arrays.y.random.seed", "-1"]);
    all.check(&arrays("y: {zeros: {shape: [3, -1]}}"), &["the extent -1 is negative"]);
    all.check(&arrays("y: {zeros: {shape: [1.5]}}"), &["arrays.y.zeros.shape[0]", "1.5"]);
    all.check(
        &arrays("y: {zeros: {shape: [3], dtype: float23}}"),
        &["no dtype is called `float23`; did you mean `float32`?"],
    );
    all.check(&arrays("y: {random: {seed: 1, shape: [3], dtype: int8}}"), &["int8"]);
    all.check(
        &arrays("y: {integers: {seed: 1, low: 5, high: 5, shape: [3]}}"),
        &["low, 5, is not below high, 5"],
    );
    all.check(
        &arrays("y: {integers: {seed: 1, high: 300, shape: [3], dtype: int8}}"),
        &["299 is out of bounds for int8"],
    );
    all.check(
        &arrays("y: {random: {seed: 5000000000, shape: [3], generator: RandomState}}"),
        &["4294967295"],
    );
    all.check(
        &arrays("y: {random: {seed: 1, shape: [3], generator: MT}}"),
        &["unknown variant `MT`", "RandomState"],
    );
    all.check(&arrays("y: {data: [[1, 2], [3]]}"), &["side by side"]);
    all.check(&arrays("y: {data: {values: [300], dtype: uint8}}"), &["from 0 to 255"]);
    all.check(&arrays("y: {data: [one]}"), &["one"]);
    all.check(&arrays("y: {full: {shape: [1], fill_value: 300, dtype: uint8}}"), &["from 0 to 255"]);
    all.check(&arrays("y: {eye: {shape: [1, 2, 3]}}"), &["two axes"]);
    all.check(&arrays("y: {npy: ''}"), &["graph.yaml:3:6: arrays.y: ", "the path is empty"]);
    all.check(&arrays("y: {zarr: \"s3://b/y\"}"), &["arrays.y: \"s3://b/y\": ", "s3:// are not supported"]);
    all.check(&arrays("y: {raw: {path: ../x, dtype: f4, shape: [1]}}"), &["arrays.y: \"../x\": `..`"]);
    all.check(&arrays("y: {npy: {path: x, dtype: f4}}"), &["unknown field `dtype`"]);
    all.check(
        &arrays("y: {raw: {path: x, dtype: f4, shape: [1], offset: 9223372036854775807}}"),
        &["offset"],
    );
    all.check(&arrays("y: {zeros: {shape: [4], chunks: [2, 2, 2]}}"), &["arrays.y"]);
    all.check(
        &arrays("y: {zeros: {shape: [4, 4], chunks: [2]}}"),
        &["chunks for 1 axes do not fit an array of 2"],
    );
    all.check(&arrays("y: {zeros: {shape: [4], chunks: 0}}"), &["arrays.y"]);
    all.check(&arrays("y: {zeros: {shape: [4], chunks: -2}}"), &["-2 is no chunk size"]);
    all.check(&arrays("y: {zeros: {shape: [4], chunks: many}}"), &["many"]);
}

#[test]
fn sizes() {
    let mut all = Checks::default();
    all.check(
        &arrays("y: {zeros: {shape: [9223372036854775807, 9223372036854775807]}}"),
        &["more than any machine"],
    );
    all.check(&arrays("y: {zeros: {shape: [4611686018427387904]}}"), &["more than any machine"]);
    all.check(&arrays("y: {zeros: {shape: [99999999999999999999999]}}"), &["64 bits"]);
    all.check(&arrays("y: {zeros: {shape: [1000000000000], chunks: 1}}"), &["too many"]);
    all.check(&arrays("y: {zeros: {shape: [1000000000000000000]}}"), &["arrays.y"]);
    let shape = vec!["1"; 40].join(", ");
    all.check(&arrays(&format!("y: {{zeros: {{shape: [{shape}]}}}}")), &["40 axes"]);
    // 10^9 tasks, none of which is made.
    let text = "version: 1\narrays:\n  x: {random: {seed: 1, shape: [100000, 100000], chunks: [10, 1]}}\n  y: x + x.T\noutputs: {y: {npy: y.npy}}\n";
    all.check(text, &["tasks, more than the 100000000 allowed", "chunks larger", "--max-tasks"]);
}

#[test]
fn names_that_are_not_there_and_cycles() {
    let mut all = Checks::default();
    all.check(&arrays("y: a + 1\na: b + 1\nb: y + 1"), &["`y` is made of itself: y → a → b → y"]);
    all.check(&arrays("y: y"), &["y → y"]);
    all.check(
        &arrays("temperature: 1\ny: temprature"),
        &["nothing is called `temprature`; did you mean `temperature`?"],
    );
    all.check(&arrays("x: 1\ny: x(1)"), &["`x` is an array, not a function"]);
    all.check(&arrays("y: pi(1)"), &["`pi` is a constant"]);
    all.check(
        "version: 1\narrays: {total: 1}\noutputs: {totl: print}\n",
        &["outputs.totl", "did you mean `total`?"],
    );
    all.check("version: 1\narrays: {y: 1}\noutputs: {y: show}\n", &["no output is called `show`", "`print`"]);
    all.check("version: 1\narrays: {y: 1}\noutputs: {y: npy}\n", &["needs a path: {npy: path}"]);
    for (path, named) in [("a/../b", "`..`"), ("s3://b/y", "s3://"), (".", "itself"), ("", "empty")] {
        for kind in ["npy", "json", "zarr"] {
            let text = format!("version: 1\narrays: {{y: '[1]'}}\noutputs:\n  y: {{{kind}: '{path}'}}\n");
            all.check(&text, &[&format!("graph.yaml:4:6: outputs.y: {path:?}: "), named]);
        }
    }
    all.check(
        "version: 1\narrays: {y: 1}\noutputs: {y: {npz: a}}\n",
        &["no output is called `npz`; did you mean `npy`?"],
    );
    all.check("version: 1\narrays: {y: 1}\noutputs: {y: {npy: a, json: b}}\n", &["write several as a list"]);
    all.check("version: 1\narrays: {y: 1}\noutputs: {y: []}\n", &["empty"]);
    all.check(
        "version: 1\narrays: {y: 1, x: 1}\noutputs: {y: {npy: a}, x: {npy: a}}\n",
        &["\"a\" is written for `y` too"],
    );
    all.check(
        "version: 1\narrays: {x: {zarr: a}, y: x}\noutputs: {y: {zarr: a}}\n",
        &["\"a\" is read by `x` too"],
    );
    all.check(&arrays("y: (1, 2)"), &["`y` is a tuple of 2", "`y[0]`"]);
    all.check(&arrays("y: float32"), &["the dtype float32, not an array"]);
}

#[test]
fn functions() {
    let mut all = Checks::default();
    let with = |functions: &str, y: &str| {
        format!(
            "version: 1\nfunctions: {{{functions}}}\narrays: {{x: [1, 2], y: '{y}'}}\noutputs: {{y: print}}\n"
        )
    };
    all.check(&with("'f(a': a", "f(x)"), &["functions.f(a", "looks like `smooth(a, b)`"]);
    all.check(&with("'sum(a)': a", "x"), &["`sum` cannot be a name"]);
    all.check(&with("'f(a, a)': a", "x"), &["`a` stands twice"]);
    all.check(&with("'f(pi)': 1", "x"), &["`pi` cannot be a name"]);
    all.check(&with("'f(a)': a + x", "f(x)"), &["`x` is no parameter", "nothing but those"]);
    all.check(&with("'f(a)': a +", "f(x)"), &["ends too early"]);
    all.check(&with("'f(a)': g(a), 'g(a)': f(a)", "f(x)"), &["cannot call themselves: f → g → f"]);
    all.check(&with("'f(a)': f(a)", "f(x)"), &["f → f"]);
    all.check(&with("'x(a)': a", "x"), &["`x` is a function of this document too"]);
    all.check(&with("'f(a)': 'a.reshape(5, 5)'", "f(x)"), &["functions.f(a)", "called for `y`"]);
    // Each calls the one before twice: 2^40 operations if anybody counted.
    let doubling: Vec<String> =
        (1..=40).map(|i| format!("'f{i}(a)': f{}(a) + f{}(a)", i - 1, i - 1)).collect();
    all.check(&with(&format!("'f0(a)': a + 1, {}", doubling.join(", ")), "f40(x)"), &["too many operations"]);
    let tuples: String = (1..=40).map(|i| format!("a{i}: a{} + a{}\n", i - 1, i - 1)).collect();
    all.check(&arrays(&format!("a0: (1, 2)\n{tuples}y: a40[0]")), &["too many operations"]);
    let long: Vec<String> = (1..=300).map(|i| format!("'f{i}(a)': f{}(a)", i - 1)).collect();
    all.check(&with(&format!("'f0(a)': a, {}", long.join(", ")), "f300(x)"), &["nested deeper than 256"]);
}

#[test]
fn hostile_yaml() {
    let mut all = Checks::default();
    // Aliases: ten of ten of ten …
    let mut bomb = String::from("version: 1\narrays:\n  a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n");
    for i in 1..30 {
        bomb += &format!("  a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 10].join(", "));
    }
    all.check(&(bomb + "outputs: {a0: print}\n"), &["values once its aliases are followed"]);
    all.check("version: 1\narrays: &a {y: *a}\noutputs: {y: print}\n", &["nested deeper"]);
    all.check("version: 1\narrays: &a [*a, *a]\n", &["nested deeper"]);
    all.check("version: *nowhere\n", &["unknown anchor"]);
    for deep in [
        "[".repeat(1_000_000),
        "{a: ".repeat(500_000),
        "- ".repeat(1_000_000),
        format!(
            "version: 1\narrays: {{y: {}1{}}}\noutputs: {{y: print}}\n",
            "[".repeat(500),
            "]".repeat(500)
        ),
        (0..1500).map(|i| " ".repeat(i) + "a:\n").collect(),
    ] {
        let message = refused(&deep);
        assert!(message.contains("nested deeper than 64"), "{message}");
    }
    all.check(&"? ".repeat(1_000_000), &["a name as a key"]);
    all.check(&" ".repeat(5 << 20), &["bytes", "put data into a file"]);
    all.check(
        &format!("version: 1\narrays: {{y: [{}]}}\n", "1,".repeat(1_500_000)),
        &["more than 1000000 values"],
    );
    all.check("version: 1\n\tarrays: {}\n", &["graph.yaml:2:1"]);
    all.check("version: 1\narrays: {y: \u{0}}\n", &["graph.yaml"]);
    all.check("version: 1\narrays: {y: 1\n", &["graph.yaml"]);
    all.check("\u{feff}version: 2\narrays: {}\n", &["from the future"]);
}

#[test]
fn hostile_formulas() {
    let mut all = Checks::default();
    let y = |formula: &str| arrays(&format!("x: {{zeros: {{shape: [4]}}}}\ny: '{formula}'"));
    for deep in [
        "(".repeat(100_000),
        "-".repeat(100_000) + "x",
        "x".to_owned() + &"[0]".repeat(100_000),
        "exp(".repeat(100_000),
    ] {
        all.check(&y(&deep), &["nested deeper than 256", "arrays.y: column"]);
    }
    all.check(&y(&"x".repeat(100_000)), &["nothing is called"]);
    all.check(&y(&format!("x + {}", "9".repeat(100_000))), &["128 bits"]);
    all.check(&y("10 ** 10 ** 10"), &["128 bits"]);
    all.check(&y("1 << 10 ** 30"), &["128 bits"]);
    all.check(&y("arange(10 ** 30)"), &["too many"]);
    all.check(&y("arange(0, 1, 1e-300)"), &["arange", "finitely"]);
    all.check(&y("diff(x, n=10 ** 9)"), &["1000"]);
    all.check(&y("repeat(x, 10 ** 18)"), &["more than any machine"]);
    all.check(&y("linspace(0, 1, 10 ** 19)"), &["int64"]);
    all.check(&y("histogram(x, bins=10 ** 12, range=(0, 1))[0]"), &["bins"]);
    all.check(&y("zeros((2,) * 1000)"), &["`*`"]);
    all.check(&y("x[2 ** 70]"), &["out of bounds"]);
}

#[test]
fn long_documents_are_no_trouble() {
    // A chain of names, backwards, and a formula of many terms.
    let mut lines = String::from("y: a0 + b\n");
    for i in 0..5000 {
        lines += &format!("a{i}: a{} + 1\n", i + 1);
    }
    lines += "a5000: {ones: {shape: [4]}}\n";
    lines += &format!("b: a5000{}\n", " + a5000".repeat(5000));
    let document = source::parse(&arrays(&lines), "long").unwrap_or_else(|e| panic!("{e}"));
    source::build(&document, &HashMap::new(), MAX_TASKS).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn what_is_written_is_read_alike_by_yaml_1_1() {
    // The right-hand sides were read with PyYAML 6.0, a reader of YAML 1.1, which saw strings and these numbers.
    let text = concat!(
        "version: 1\n",
        "functions: {\"on(y)\": y + 1}\n",
        "arrays: {y: on(n), n: '1_000', off: '0o7 + 1', yes: '1:30', no: '~y', N: 'y', a: 1.0e-20, b: {npy: 'no'}, c: {npy: '2024-01-01'}}\n",
        "outputs: {y: print, off: {npy: 'null'}}\n",
    );
    let text = text.replace("'1:30'", "'y[1:30]'");
    let document = source::parse(&text, "graph").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(
        source::write(&document),
        concat!(
            "version: 1\n",
            "arrays:\n",
            "  \"y\": on(n)\n",
            "  \"n\": \"1_000\"\n",
            "  \"off\": \"0o7 + 1\"\n",
            "  \"yes\": \"y[1:30]\"\n",
            "  \"no\": ~y\n",
            "  \"N\": \"y\"\n",
            "  a: 1.0e-20\n",
            "  b: {npy: {path: \"no\"}}\n",
            "  c: {npy: {path: \"2024-01-01\"}}\n",
            "functions:\n",
            "  on(y): y + 1\n",
            "outputs:\n",
            "  \"y\": print\n",
            "  \"off\": {npy: \"null\"}\n",
        )
    );
}

#[test]
fn a_long_wrong_value_is_not_quoted_whole() {
    let text = "no document ".repeat(10_000);
    let message = dask_plan::source::parse(&text, "notes.txt").unwrap_err().to_string();
    assert!(message.len() < 500, "{message}");
    assert!(
        message.starts_with("notes.txt:1:1: ") && message.contains("expected a map with `version`"),
        "{message}"
    );
}
