//! Plans as text, for people.

use crate::columns::U32s;
use crate::plan::{Body, Layer, Output, Part, Sink, Sum, Table, Template};
use crate::program::{Draw, Op, Program};
use serde_json::Value;
use std::fmt::{self, Write};

/// A number of things, in the plural where it is due.
pub fn counted(n: u64, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

/// The name of an operator: numpy's where it has one.
pub fn label(op: &Op) -> String {
    match op {
        Op::Unary(f) => crate::infer::numpy_name(f),
        Op::Binary(f) => crate::infer::numpy_name(f),
        Op::Fold(f) => format!("fold-{}", crate::infer::numpy_name(f)),
        Op::Reduce { f, .. } => crate::infer::numpy_name(f),
        Op::Arg { f, .. } => crate::infer::numpy_name(f),
        Op::Cumulative { f, .. } => format!("cum{}", crate::infer::numpy_name(f)),
        Op::Random { draw: Draw::Random, .. } => "random".into(),
        Op::Random { draw: Draw::Integers { .. }, .. } => "integers".into(),
        Op::Random { draw: Draw::StandardNormal, .. } => "standard_normal".into(),
        Op::Cast(_) => "astype".into(),
        Op::Literal { .. } => "array".into(),
        Op::Read { .. } => "read".into(),
        Op::Write { .. } => "write".into(),
        Op::Create { .. } => "create".into(),
        other => match serde_json::to_value(other) {
            Ok(Value::Object(map)) => map.keys().next().cloned().unwrap_or_default(),
            Ok(Value::String(name)) => name,
            _ => String::new(),
        },
    }
}

/// A value without quotes; numbers of the task are `$0`, `$1`, …
fn value(v: &Value, out: &mut String) {
    match v {
        Value::String(s) => out.push_str(s),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i == 16 && items.len() > 20 {
                    let _ = write!(out, " … {} in all", items.len());
                    break;
                }
                if i > 0 {
                    out.push(' ');
                }
                value(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => match (map.get("lit"), map.get("arg"), map.len()) {
            (Some(n), _, 1) => value(n, out),
            (_, Some(n), 1) => {
                out.push('$');
                value(n, out);
            }
            _ if map.contains_key("start") && map.contains_key("len") && map.contains_key("step") => {
                for (i, key) in ["start", "len", "step"].into_iter().enumerate() {
                    if i > 0 {
                        out.push(':');
                    }
                    value(&map[key], out);
                }
            }
            _ => {
                for (i, (key, item)) in map.iter().enumerate() {
                    if i > 0 {
                        out.push(' ');
                    }
                    let _ = write!(out, "{key}=");
                    value(item, out);
                }
            }
        },
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

impl fmt::Display for Program {
    /// One instruction a line: `%2 = add %0 %1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.body.is_empty() {
            return writeln!(f, "%0");
        }
        for (i, instr) in self.body.iter().enumerate() {
            write!(f, "%{} = {}", self.inputs as usize + i, label(&instr.op))?;
            for v in &instr.of {
                write!(f, " %{v}")?;
            }
            if let Ok(Value::Object(mut map)) = serde_json::to_value(&instr.op)
                && let Some(v) = map.values_mut().next()
            {
                if let Value::Object(fields) = v {
                    fields.remove("f");
                    fields.remove("draw");
                }
                if !matches!(&instr.op, Op::Unary(_) | Op::Binary(_) | Op::Fold(_)) {
                    let mut text = String::new();
                    value(v, &mut text);
                    if !text.is_empty() {
                        write!(f, " {text}")?;
                    }
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn sum(s: &Sum) -> String {
    let mut out = String::new();
    for (axis, table) in &s.terms {
        let name = axis_name(*axis);
        match table {
            Table::Step(1) => {
                let _ = write!(out, "{name} + ");
            }
            Table::Step(step) => {
                let _ = write!(out, "{step}{name} + ");
            }
            Table::Values(values) if values.len() <= 8 => {
                let _ = write!(out, "{values:?}[{name}] + ");
            }
            Table::Values(values) => {
                let _ = write!(out, "[{} values][{name}] + ", values.len());
            }
        }
    }
    let _ = write!(out, "{}", s.base);
    out
}

fn axis_name(axis: u32) -> String {
    ["i", "j", "k", "l"].get(axis as usize).map_or(format!("i{axis}"), |n| n.to_string())
}

/// An amount of memory for people: `8.0 MB` and the like.
pub fn size(bytes: u64) -> String {
    let mut n = bytes as f64;
    let mut unit = "B";
    for next in ["kB", "MB", "GB", "TB"] {
        if n < 1000.0 {
            break;
        }
        n /= 1000.0;
        unit = next;
    }
    if n < 10.0 && unit != "B" { format!("{n:.1} {unit}") } else { format!("{n:.0} {unit}") }
}

fn grid(g: &[u32]) -> String {
    if g.is_empty() { "1".into() } else { g.iter().map(u32::to_string).collect::<Vec<_>>().join(" × ") }
}

fn layer(
    f: &mut fmt::Formatter<'_>,
    l: &Layer,
    first: u64,
    names: &[String],
    templates: &[Template],
) -> fmt::Result {
    let name = names.get(l.name as usize).map_or("?", |n| n);
    let tasks = if l.count() == 1 { "task" } else { "tasks" };
    writeln!(f, "layer {name}: {} {tasks} from {first}", grid(&l.grid))?;
    for (p, part) in l.parts.iter().enumerate() {
        if l.parts.len() > 1 {
            writeln!(f, "  class {p} of {}", l.parts.len())?;
        }
        let inputs: Vec<String> = part.inputs.iter().take(8).map(sum).collect();
        let more = if part.inputs.len() > 8 { ", …" } else { "" };
        let args: Vec<String> = part.args.iter().map(sum).collect();
        write!(f, "  template {}", part.template)?;
        if !inputs.is_empty() {
            write!(f, " of {}{more}", inputs.join(", "))?;
        }
        if !args.is_empty() {
            write!(f, " with {}", args.join(", "))?;
        }
        writeln!(f)?;
        if templates.get(part.template as usize).is_none() {
            writeln!(f, "  (unknown)")?;
        }
    }
    Ok(())
}

/// A whole plan, for `graph info` and `graph expand`: templates with their programs and numbers of tasks, layers,
/// outputs.
pub struct Text<'a>(pub &'a [Part]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.iter().flat_map(|p| p.names.iter().cloned()).collect();
        let templates: Vec<Template> = self.0.iter().flat_map(|p| p.templates.iter().cloned()).collect();
        let mut counts = vec![0u64; templates.len()];
        let mut add = |t: u32, n: u64| {
            if let Some(c) = counts.get_mut(t as usize) {
                *c += n;
            }
        };
        for part in self.0 {
            for b in &part.blocks {
                let kinds = b.task_kinds();
                if b.kinds.is_empty() {
                    add(b.template, u64::from(b.count));
                }
                for k in U32s::new(&b.kind).iter() {
                    kinds.get(k as usize).into_iter().for_each(|k| add(k.template, 1));
                }
            }
            for l in &part.layers {
                let each: Vec<Vec<u64>> = (0..l.grid.len())
                    .map(|a| {
                        let n = l.classes.get(a).map_or(1, |c| 1 + c.iter().max().map_or(0, |&m| m as usize));
                        (0..n)
                            .map(|c| (0..l.grid[a] as usize).filter(|&i| l.class(a, i) == c).count() as u64)
                            .collect()
                    })
                    .collect();
                for (p, part) in l.parts.iter().enumerate() {
                    let mut rest = p;
                    let tasks = each.iter().rev().fold(1u64, |n, sizes| {
                        let size = sizes[rest % sizes.len()];
                        rest /= sizes.len();
                        n.saturating_mul(size)
                    });
                    add(part.template, tasks);
                }
            }
        }
        let tasks = crate::expand::count(self.0);
        writeln!(f, "{}, {}", counted(tasks, "task"), counted(templates.len() as u64, "template"))?;
        for (i, (t, n)) in templates.iter().zip(&counts).enumerate() {
            let each = if t.nbytes > 0 { format!(", {} each", size(t.nbytes)) } else { String::new() };
            writeln!(f, "template {i} {}: {}{each}", t.name, counted(*n, "task"))?;
            match &t.body {
                Body::Program(program) => {
                    for line in program.to_string().lines() {
                        writeln!(f, "    {line}")?;
                    }
                }
                Body::Python(python) => {
                    writeln!(f, "    a Python call of {}", counted(python.inputs.into(), "input"))?
                }
            }
        }
        let mut first = 0;
        for part in self.0 {
            first += part.blocks.iter().map(|b| u64::from(b.count)).sum::<u64>();
            for l in &part.layers {
                layer(f, l, first, &names, &templates)?;
                first += l.count();
            }
        }
        for o in self.0.iter().flat_map(|p| &p.outputs) {
            output(f, o)?;
        }
        Ok(())
    }
}

fn output(f: &mut fmt::Formatter<'_>, o: &Output) -> fmt::Result {
    let shape: Vec<String> = o
        .chunks
        .iter()
        .map(|c| if c.contains(&u64::MAX) { "?".into() } else { c.iter().sum::<u64>().to_string() })
        .collect();
    let to = match &o.to {
        Sink::Print { .. } => "print".into(),
        Sink::Npy { path } => format!("npy {path}"),
        Sink::Json { path } => format!("json {}", path.as_deref().unwrap_or("to standard output")),
        Sink::Zarr { path } => format!("zarr {path}"),
        Sink::Keep => "keep".into(),
    };
    writeln!(
        f,
        "output {}: {} ({}) from {}, {to}",
        o.name,
        o.dtype,
        shape.join(", "),
        counted(o.tasks.len() as u64 / 4, "task")
    )
}
