//! Plan files: round trips, streams, and what hostile bytes are met with.
#![allow(clippy::unwrap_used, clippy::type_complexity, reason = "helpers of tests and tables of cases")]

use dask_plan::columns::{U32s, i64s, u32s};
use dask_plan::plan::{
    Block, Body, Layer, LayerPart, Output, Part, Sink, Sum, Table, TaskKind, Template, VERSION,
};
use dask_plan::program::{Binary, Instr, Int, Op, Program};
use dask_plan::{DType, Decoder, Limits, Scalar, encode, expand};
use proptest::prelude::*;

fn template(name: &str, inputs: u32, args: u32, op: Op) -> Template {
    let of = (0..inputs).collect();
    let body = Body::Program(Program { inputs, args, body: vec![Instr { op, of }] });
    Template { name: name.into(), body, nbytes: 8, scratch: 0, annotations: Default::default() }
}

fn full() -> Template {
    template(
        "full",
        0,
        1,
        Op::Full { dtype: DType::Float64, value: Scalar::Float(1.0), shape: vec![Int::Arg(0)] },
    )
}

fn add() -> Template {
    template("add", 2, 0, Op::Binary(Binary::Add))
}

/// `n` sources, then sums of neighbours.
fn explicit(n: u32) -> Part {
    Part {
        version: VERSION,
        names: vec!["x".into(), "y".into()],
        templates: vec![full(), add()],
        blocks: vec![
            Block { count: n, ndim: 1, index: u32s(0..n), args: i64s((0..n).map(|_| 3)), ..Block::default() },
            Block {
                count: n - 1,
                template: 1,
                name: 1,
                ndim: 1,
                index: u32s(0..n - 1),
                inputs: u32s((0..n - 1).flat_map(|i| [i, i + 1])),
                ..Block::default()
            },
        ],
        outputs: vec![Output {
            name: "y".into(),
            to: Sink::Keep,
            dtype: DType::Float64,
            chunks: vec![vec![3; n as usize - 1]],
            tasks: u32s(n..2 * n - 1),
        }],
        last: true,
        ..Part::default()
    }
}

fn layered() -> Part {
    let sum = |base, terms| Sum { base, terms };
    let source = LayerPart {
        template: 0,
        inputs: vec![],
        args: vec![sum(1, vec![(0, Table::Values(vec![4, 5, 6]))])],
    };
    let pair = |a, b| LayerPart { template: 1, inputs: vec![a, b], args: vec![] };
    Part {
        version: VERSION,
        names: vec!["x".into(), "y".into()],
        templates: vec![full(), add()],
        layers: vec![
            Layer { name: 0, grid: vec![3, 2], parts: vec![source], ..Layer::default() },
            Layer {
                name: 1,
                grid: vec![2, 2],
                keys: vec![Table::Values(vec![0, 2]), Table::Step(1)],
                classes: vec![vec![0, 1], vec![0, 0]],
                parts: vec![
                    pair(sum(0, vec![(1, Table::Step(1))]), sum(2, vec![(1, Table::Step(1))])),
                    pair(sum(5, vec![(1, Table::Step(-1))]), sum(0, vec![])),
                ],
            },
        ],
        outputs: vec![Output {
            name: "y".into(),
            to: Sink::Keep,
            dtype: DType::Float64,
            chunks: vec![vec![3, 3], vec![3, 3]],
            tasks: u32s(6..10),
        }],
        last: true,
        ..Part::default()
    }
}

fn decode(bytes: &[u8], limits: Limits) -> Result<Vec<Part>, String> {
    let mut d = Decoder::new(limits);
    d.feed(bytes);
    let mut parts = vec![];
    while let Some(part) = d.next_part().map_err(|e| e.to_string())? {
        parts.push(part);
    }
    d.finish().map_err(|e| e.to_string())?;
    Ok(parts)
}

fn refused(part: &Part) -> String {
    decode(&encode(std::slice::from_ref(part)).unwrap(), Limits::default()).unwrap_err()
}

#[test]
fn parts_come_back_as_they_were_however_the_bytes_arrive() {
    let parts =
        vec![Part { last: false, ..explicit(5) }, Part { names: vec![], templates: vec![], ..layered() }];
    let mut bytes = encode(&parts).unwrap();
    // The second part's inputs count on from the first part's tasks.
    assert_eq!(decode(&bytes, Limits::default()).unwrap(), parts);
    let len = bytes.len();
    let mut d = Decoder::new(Limits::default());
    let mut got = vec![];
    for b in bytes.drain(..) {
        d.feed(&[b]);
        got.extend(d.next_part().unwrap());
    }
    d.finish().unwrap();
    assert_eq!(got, parts);
    d.feed(b"\n");
    let said = d.next_part().unwrap_err().to_string();
    assert!(said.contains(&format!("more bytes follow its last part, which ends at byte {len}")), "{said}");
    assert_eq!(d.tasks(), 9 + 10);
}

#[test]
fn explicit_plans_keep_their_order() {
    let part = explicit(5);
    assert_eq!(expand(vec![part.clone()], 100).unwrap(), [part]);
}

#[test]
fn layers_become_ordered_blocks() {
    let parts = expand(vec![layered()], 100).unwrap();
    let part = &parts[0];
    assert!(part.layers.is_empty());
    let tasks: Vec<_> = part.blocks.iter().flat_map(|b| b.tasks(&part.templates)).collect();
    let seen: Vec<_> = tasks
        .iter()
        .map(|t| {
            let numbers = |c: U32s<'_>| c.iter().collect::<Vec<_>>();
            (t.name, numbers(t.index), numbers(t.inputs), t.args.iter().collect::<Vec<_>>())
        })
        .collect();
    // y(0, j) = x(0, j) + x(1, j); y(2, j) = x(2, 1 - j) + x(0, 0).
    let x = |i: u32, j: u32| (0, vec![i, j], vec![], vec![5 + i64::from(i)]);
    assert_eq!(
        seen,
        [
            x(0, 0),
            x(1, 0),
            (1, vec![0, 0], vec![0, 1], vec![]),
            x(0, 1),
            x(1, 1),
            (1, vec![0, 1], vec![3, 4], vec![]),
            x(2, 1),
            (1, vec![2, 0], vec![6, 0], vec![]),
            x(2, 0),
            (1, vec![2, 1], vec![8, 0], vec![]),
        ]
    );
    let outputs: Vec<u32> = U32s::new(&part.outputs[0].tasks).iter().collect();
    assert_eq!(outputs, [2, 5, 7, 9]);
}

#[test]
fn wrong_numbers_are_named() {
    let with = |change: &dyn Fn(&mut Part)| {
        let mut part = explicit(5);
        change(&mut part);
        refused(&part)
    };
    let cases: [(&dyn Fn(&mut Part), &str); 12] = [
        (&|p| p.version = 2, "version 2"),
        (&|p| p.version = 0, "version 0"),
        (&|p| p.blocks[0].template = 7, "template 7 of 2"),
        (&|p| p.blocks[0].name = 9, "name 9 of 2"),
        (&|p| p.blocks[1].inputs.truncate(8), "column inputs has 8 bytes, but 4 tasks need 32"),
        (&|p| p.blocks[0].args.push(0), "column args has 41 bytes"),
        (&|p| p.blocks[1].inputs[0] = 5, "task 5 has input 5, which is not an earlier task"),
        (&|p| p.blocks[0].count = u32::MAX, "at most 100000000"),
        (&|p| p.blocks[1].blobs = u32s(0..4), "column inputs"),
        (&|p| p.outputs[0].tasks = u32s([99]), "task 99 of 9"),
        (&|p| p.outputs[0].tasks = vec![1], "not a multiple of 4"),
        (
            &|p| {
                let Body::Program(program) = &mut p.templates[1].body else { unreachable!() };
                program.body[0].of[0] = 9;
            },
            "template 1 (add): instruction 0: value 9",
        ),
    ];
    for (change, message) in cases {
        let got = with(change);
        assert!(got.contains(message), "{got:?} should say {message:?}");
    }
    let mut part = explicit(5);
    part.blocks[1].kinds = vec![TaskKind { template: 1, name: 1, ndim: 1 }];
    part.blocks[1].kind = u32s([0, 0, 1, 0]);
    assert!(refused(&part).contains("kind 1 of 1"));
}

#[test]
fn wrong_layers_are_named() {
    let with = |change: &dyn Fn(&mut Layer)| {
        let mut part = layered();
        change(&mut part.layers[1]);
        refused(&part)
    };
    let cases: [(&dyn Fn(&mut Layer), &str); 8] = [
        (&|l| l.grid = vec![u32::MAX, u32::MAX], "at most"),
        (&|l| l.grid = vec![2, 0], "axis 1 of the grid has no indices"),
        (&|l| l.classes[0] = vec![0], "2 indices, but 1 classes"),
        (&|l| l.classes[0] = vec![0, 5], "6 combinations of classes, but 2 parts"),
        (&|l| l.parts[0].inputs[1].base = 5, "input 1 is in 5..=6, outside 0..6"),
        (&|l| l.parts[0].inputs[0].base = -1, "input 0 is in -1..=0"),
        (&|l| l.parts[0].inputs[0].terms[0].1 = Table::Values(vec![1]), "index 1 of a table of 1"),
        (&|l| l.parts[0].inputs[0].terms[0].0 = 7, "axis 7 of 2"),
    ];
    for (change, message) in cases {
        let got = with(change);
        assert!(got.contains(message), "{got:?} should say {message:?}");
    }
}

#[test]
fn hostile_bytes_are_refused_before_memory_is_taken() {
    let small = Limits { max_part_bytes: 1 << 20, ..Limits::default() };
    // A byte string, a text and an array of 4 GiB; a map of 2^32 - 1 entries.
    for head in [
        [0xc6, 255, 255, 255, 255],
        [0xdb, 255, 255, 255, 255],
        [0xdd, 255, 255, 255, 255],
        [0xdf, 255, 255, 255, 255],
    ] {
        assert!(decode(&head, small).unwrap_err().contains("at most 1048576"), "{head:?}");
    }
    // 2^60 as a number where a count belongs.
    let mut bytes = vec![0x81, 0xa6];
    bytes.extend(b"blocks");
    bytes.extend([0x91, 0x81, 0xa5]);
    bytes.extend(b"count");
    bytes.extend([0xcf, 0x10, 0, 0, 0, 0, 0, 0, 0]);
    assert!(decode(&bytes, small).is_err());
    // A million arrays inside each other.
    assert!(decode(&vec![0x91; 1_000_000], small).unwrap_err().contains("nested deeper"));
    assert!(decode(&[0xc1], small).unwrap_err().contains("0xc1"));
    let whole = encode(&[explicit(5)]).unwrap();
    for n in 1..whole.len() {
        assert!(decode(&whole[..n], small).unwrap_err().contains("breaks off after"), "{n}");
    }
    let mut d = Decoder::new(small);
    d.feed(&[0xc1]);
    assert!(d.next_part().is_err());
    d.feed(&whole);
    assert!(d.next_part().is_err(), "nothing is read after an error");
}

#[test]
fn unknown_fields_are_refused() {
    let mut bytes = vec![0x82, 0xa7];
    bytes.extend(b"version");
    bytes.push(1);
    bytes.extend([0xa5]);
    bytes.extend(b"shape");
    bytes.push(1);
    assert!(decode(&bytes, Limits::default()).unwrap_err().contains("shape"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn damaged_plans_never_panic(
        layers in any::<bool>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let part = if layers { layered() } else { explicit(6) };
        let mut bytes = encode(&[part]).unwrap();
        for (at, to) in changes {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        let limits = Limits { max_tasks: 10_000, max_part_bytes: 1 << 20 };
        if let Ok(parts) = decode(&bytes, limits) {
            let _ = dask_plan::text::Text(&parts).to_string();
            let expanded = expand(parts, 10_000).unwrap();
            for part in &expanded {
                let total: usize = part.blocks.iter().map(|b| b.tasks(&part.templates).count()).sum();
                prop_assert_eq!(total as u64, part.blocks.iter().map(|b| u64::from(b.count)).sum::<u64>());
            }
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes, Limits { max_tasks: 1000, max_part_bytes: 1 << 16 });
    }
}
