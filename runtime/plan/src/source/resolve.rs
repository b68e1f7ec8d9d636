//! Names: which array needs which, and that all of them are there.

use super::build;
use super::document::{Definition, Document, Target};
use super::error::SourceError;
use super::sources::{FileSource, RawSource, Source};
use crate::formula::{self, Expr, FormulaError, Function};
use crate::names::{self, did_you_mean, shorten};
use std::collections::HashMap;

/// A document with its formulas parsed.
pub(super) struct Resolved {
    /// The document's functions by name.
    pub(super) functions: HashMap<String, Function>,
    /// Each function's key in the document and its formula, by name.
    pub(super) heads: HashMap<String, (String, String)>,
    /// The syntax tree of each array that is a formula, in the document's order.
    pub(super) formulas: Vec<Option<Expr>>,
    /// Arrays by their places in the document, each after those that it needs.
    pub(super) order: Vec<usize>,
}

/// Parses formulas, checks names and finds an order.
pub(super) fn resolve(document: &Document) -> Result<Resolved, SourceError> {
    let (functions, heads) = functions(document)?;
    let mut places = HashMap::new();
    for (at, (name, _)) in document.arrays.0.iter().enumerate() {
        names::check(name).map_err(|e| document.error(&["arrays", name], e))?;
        if functions.contains_key(name) {
            return Err(
                document.error(&["arrays", name], format!("`{name}` is a function of this document too"))
            );
        }
        places.insert(name.as_str(), at);
    }
    let mut formulas = vec![];
    let mut needs = vec![];
    for (name, definition) in &document.arrays.0 {
        let Definition::Formula(text) = definition else {
            formulas.push(None);
            needs.push(vec![]);
            continue;
        };
        let at = |error: FormulaError| {
            document.place(&["arrays", name], SourceError::formula(&document.origin.file, text, &error))
        };
        let expr = formula::parse(text).map_err(at)?;
        let mut needed = vec![];
        let mut wrong = None;
        expr.names(&mut |used, column, called| {
            if called {
                wrong = wrong.take().or(check_call(used, column, &functions, places.contains_key(used)));
            } else if let Some(place) = places.get(used) {
                needed.push(*place);
            } else if formula::meaning(used).is_none() && !functions.contains_key(used) && wrong.is_none() {
                let known = places.keys().copied().chain(functions.keys().map(String::as_str));
                let near = did_you_mean(used, known.chain(formula::constants()));
                wrong =
                    Some(FormulaError::new(column, format!("nothing is called `{}`{near}", shorten(used))));
            }
        });
        if let Some(error) = wrong {
            return Err(at(error));
        }
        needed.sort_unstable();
        needed.dedup();
        formulas.push(Some(expr));
        needs.push(needed);
    }
    let order = order(&needs).map_err(|cycle| {
        let name = |at: &usize| document.arrays.0.get(*at).map_or("", |a| a.0.as_str());
        let first = cycle.first().map_or("", name);
        document
            .error(&["arrays", first], format!("`{first}` is made of itself: {}", show_cycle(&cycle, name)))
    })?;
    outputs(document, &places)?;
    Ok(Resolved { functions, heads, formulas, order })
}

type Functions = HashMap<String, Function>;
type Heads = HashMap<String, (String, String)>;

/// Parses the document's functions and checks that none is made of itself.
fn functions(document: &Document) -> Result<(Functions, Heads), SourceError> {
    let file = &document.origin.file;
    let (mut functions, mut heads, mut listed) = (HashMap::new(), HashMap::new(), vec![]);
    for (key, text) in &document.functions.0 {
        let path = ["functions", key.as_str()];
        let in_head = |error: FormulaError| document.place(&path, SourceError::formula(file, key, &error));
        let (name, parameters) = formula::parse_head(key).map_err(in_head)?;
        names::check(&name).map_err(|e| document.error(&path, e))?;
        if functions.contains_key(&name) {
            return Err(document.error(&path, format!("`{name}` is defined twice")));
        }
        let mut own: Vec<String> = vec![];
        for (parameter, column) in parameters {
            names::check(&parameter).map_err(|e| in_head(FormulaError::new(column, e)))?;
            if own.contains(&parameter) {
                return Err(in_head(FormulaError::new(column, format!("`{parameter}` stands twice"))));
            }
            own.push(parameter);
        }
        let body =
            formula::parse(text).map_err(|e| document.place(&path, SourceError::formula(file, text, &e)))?;
        functions.insert(name.clone(), Function { parameters: own, body });
        heads.insert(name.clone(), (key.clone(), text.clone()));
        listed.push(name);
    }
    let places: HashMap<&str, usize> =
        listed.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
    let mut needs = vec![];
    for (name, (key, text)) in listed.iter().zip(&document.functions.0) {
        let Some(function) = functions.get(name) else { continue };
        let (mut needed, mut wrong) = (vec![], None);
        function.body.names(&mut |used, column, called| {
            let parameter = function.parameters.iter().any(|p| p == used);
            if called {
                wrong = wrong.take().or(check_call(used, column, &functions, parameter));
            } else if !parameter
                && formula::meaning(used).is_none()
                && !functions.contains_key(used)
                && wrong.is_none()
            {
                let near = did_you_mean(used, function.parameters.iter().map(String::as_str));
                let message =
                    format!("`{}` is no parameter{near}; functions see nothing but those", shorten(used));
                wrong = Some(FormulaError::new(column, message));
            }
            if !parameter {
                needed.extend(places.get(used));
            }
        });
        if let Some(error) = wrong {
            return Err(document.place(&["functions", key], SourceError::formula(file, text, &error)));
        }
        needs.push(needed);
    }
    order(&needs).map_err(|cycle| {
        let name = |at: &usize| listed.get(*at).map_or("", String::as_str);
        let key = cycle.first().and_then(|at| document.functions.0.get(*at)).map_or("", |f| f.0.as_str());
        document.error(
            &["functions", key],
            format!("functions cannot call themselves: {}", show_cycle(&cycle, name)),
        )
    })?;
    Ok((functions, heads))
}

/// What is wrong with calling something of this name, if anything.
fn check_call(name: &str, column: u32, functions: &Functions, is_array: bool) -> Option<FormulaError> {
    if functions.contains_key(name) || matches!(formula::meaning(name), Some("a function" | "a dtype")) {
        return None;
    }
    let message = if is_array {
        format!("`{name}` is an array, not a function")
    } else if let Some(what) = formula::meaning(name) {
        format!("`{name}` is {what}, not a function")
    } else {
        let near = did_you_mean(name, functions.keys().map(String::as_str).chain(formula::function_names()));
        format!("no function is called `{}`{near}", shorten(name))
    };
    Some(FormulaError::new(column, message))
}

/// Every node after those it needs, or the nodes of a cycle. Depth first without recursion, since chains may be long.
fn order(needs: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut state = vec![State::New; needs.len()];
    let mut order = Vec::with_capacity(needs.len());
    for root in 0..needs.len() {
        if state[root] != State::New {
            continue;
        }
        state[root] = State::Open;
        let mut path = vec![(root, 0)];
        while let Some((node, next)) = path.last_mut() {
            let Some(&needed) = needs[*node].get(*next) else {
                state[*node] = State::Done;
                order.push(*node);
                path.pop();
                continue;
            };
            *next += 1;
            match state[needed] {
                State::Done => {}
                State::New => {
                    state[needed] = State::Open;
                    path.push((needed, 0));
                }
                State::Open => {
                    return Err(path.iter().map(|p| p.0).skip_while(|n| *n != needed).collect());
                }
            }
        }
    }
    Ok(order)
}

/// `a → b → a`
fn show_cycle<'a>(cycle: &[usize], name: impl Fn(&usize) -> &'a str) -> String {
    let mut shown: Vec<&str> = cycle.iter().map(&name).collect();
    if shown.len() > 20 {
        shown.truncate(20);
        shown.push("…");
    }
    shown.extend(cycle.first().map(&name));
    shown.join(" → ")
}

fn outputs(document: &Document, places: &HashMap<&str, usize>) -> Result<(), SourceError> {
    if document.outputs.is_empty() {
        return Err(document.error(
            &["outputs"],
            "nothing is asked for; write what to do with which array, such as `total: print`",
        ));
    }
    // Files that are read or written, and by what. What is wrong with a path shows here, before it is looked for.
    let mut files: HashMap<(&str, &str), String> = HashMap::new();
    for (name, definition) in &document.arrays.0 {
        let Definition::Source(source) = definition else { continue };
        build::file(source).map_err(|e| document.error(&["arrays", name], e))?;
        if let Source::Npy(FileSource { path, .. })
        | Source::Zarr(FileSource { path, .. })
        | Source::Raw(RawSource { path, .. }) = source
        {
            files.insert(("workers", path), format!("read by `{name}`"));
        }
    }
    for (name, targets) in &document.outputs.0 {
        let path = ["outputs", name.as_str()];
        if !places.contains_key(name.as_str()) {
            let near = did_you_mean(name, places.keys().copied());
            return Err(document.error(&path, format!("no array is called `{}`{near}", shorten(name))));
        }
        for target in &targets.0 {
            let (side, file) = match target {
                Target::Print | Target::Json(None) => continue,
                Target::Json(Some(file)) | Target::Npy(file) => ("submitter", file),
                Target::Zarr(file) => ("workers", file),
            };
            crate::path::check_output(file).map_err(|e| document.error(&path, format!("{file:?}: {e}")))?;
            if let Some(other) = files.insert((side, file), format!("written for `{name}`")) {
                return Err(document.error(&path, format!("{:?} is {other} too", shorten(file))));
            }
        }
    }
    Ok(())
}
