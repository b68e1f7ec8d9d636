//! Against numpy and zarr-python: what they write is read right, and what is written here they read.

use super::*;
use crate::python;
use dask_plan::program::Int;
use rand_core::{Rng, SeedableRng};
use serde_json::Value as Json;
use std::path::Path;

/// Elements of the test files, as `make_files.py` and `check_files.py` compute them.
fn values(dtype: DType, shape: &[usize]) -> Chunk {
    use num_complex::{Complex32, Complex64};
    let n: usize = shape.iter().product();
    let half = |k: usize| k as f64 * 0.5;
    match dtype {
        DType::Bool => Chunk::from_slice(shape, &(0..n).map(|k| k % 3 == 0).collect::<Vec<_>>()),
        DType::Float32 => {
            Chunk::from_slice(shape, &(0..n).map(|k| (half(k) - 3.0) as f32).collect::<Vec<_>>())
        }
        DType::Float64 => Chunk::from_slice(shape, &(0..n).map(|k| half(k) - 3.0).collect::<Vec<_>>()),
        DType::Complex64 => {
            let z = (0..n).map(|k| Complex32::new(half(k) as f32, 0.0 - k as f32));
            Chunk::from_slice(shape, &z.collect::<Vec<_>>())
        }
        DType::Complex128 => Chunk::from_slice(
            shape,
            &(0..n).map(|k| Complex64::new(half(k), 0.0 - k as f64)).collect::<Vec<_>>(),
        ),
        integer => crate::with_dtype!(integer, T in [i8, i16, i32, i64, u8, u16, u32, u64] =>
            Chunk::from_slice(shape, &(0..n).map(|k| (k * 7 % 100) as T).collect::<Vec<_>>()), else => unreachable!()),
    }
}

/// The same number everywhere.
fn full(dtype: DType, shape: &[usize], value: f64) -> Chunk {
    use num_complex::{Complex32, Complex64};
    match dtype {
        DType::Bool => Chunk::build(shape, |out: &mut [bool]| out.fill(value != 0.0)),
        DType::Complex64 => Chunk::build(shape, |out| out.fill(Complex32::new(value as f32, 0.0))),
        DType::Complex128 => Chunk::build(shape, |out| out.fill(Complex64::new(value, 0.0))),
        real => crate::with_dtype!(real, T in [i8, i16, i32, i64, u8, u16, u32, u64, f32, f64] =>
            Chunk::build(shape, |out: &mut [T]| out.fill(value as T)), else => unreachable!()),
    }
}

fn below(dir: &Path) -> Context {
    Context { data_dirs: vec![dir.into()], ..Context::default() }
}

fn ints(numbers: &[usize]) -> Vec<Int> {
    numbers.iter().map(|&n| Int::from(n)).collect()
}

fn read_region(
    file: &FileRef,
    dtype: DType,
    start: &[usize],
    shape: &[usize],
    context: &Context,
) -> Result<Chunk, Error> {
    let op = Op::Read { file: file.clone(), dtype, start: ints(start), shape: ints(shape) };
    run(&op, vec![], &[], context).map(|v| v.array().unwrap().clone())
}

/// Reads every array of a manifest, whole and in random regions, and checks each refusal.
fn read_all(dir: &Path) -> usize {
    let manifest = std::fs::read_to_string(dir.join("manifest.json")).unwrap();
    let manifest: Vec<Json> = serde_json::from_str(&manifest).unwrap();
    let context = below(dir);
    let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(1);
    for entry in &manifest {
        let path = entry["path"].as_str().unwrap().to_string();
        let format = if entry["format"] == "npy" { Format::Npy } else { Format::Zarr };
        let file = FileRef { path: path.clone(), format };
        if let Some(hint) = entry["error"].as_str() {
            let text = describe(&file, &context).unwrap_err().to_string();
            assert!(text.starts_with(&path) && text.contains(hint), "{path}: {text}");
            continue;
        }
        let dtype = DType::parse(entry["dtype"].as_str().unwrap()).unwrap();
        let shape: Vec<usize> = serde_json::from_value(entry["shape"].clone()).unwrap();
        let described = run(&Op::Describe { file: file.clone() }, vec![], &[], &context);
        let described = described.unwrap_or_else(|e| panic!("{e}")).array().unwrap().to_contiguous();
        let described: Result<Described, String> =
            serde_json::from_slice(described.as_bytes().unwrap()).unwrap();
        let described = described.unwrap();
        assert_eq!((described.dtype, described.shape.len()), (dtype, shape.len()), "{path}");
        if let Some(chunks) = entry["chunks"].as_array() {
            for (axis, extents) in described.chunks.unwrap().iter().enumerate() {
                assert_eq!(extents.iter().sum::<u64>(), shape[axis] as u64, "{path}");
                assert_eq!(
                    extents[0],
                    chunks[axis].as_u64().unwrap().min(shape[axis] as u64).max(extents[0]),
                    "{path}"
                );
            }
        }
        let expected =
            match (entry["fill"].as_f64().or(entry["fill"].as_bool().map(f64::from)), &entry["missing_from"])
            {
                (Some(fill), _) => full(dtype, &shape, fill),
                (None, Json::Number(from)) => {
                    let from = from.as_u64().unwrap() as usize;
                    let mut x = values(dtype, &shape);
                    x.as_mut_slice::<i32>().unwrap()[from..].fill(0);
                    x
                }
                _ => values(dtype, &shape),
            };
        let found = read_region(&file, dtype, &vec![0; shape.len()], &shape, &context)
            .unwrap_or_else(|e| panic!("{e}"));
        assert!(found == expected, "{path}: {:?}", found);
        for _ in 0..4 {
            let start: Vec<usize> = shape.iter().map(|&n| rng.next_u32() as usize % (n + 1)).collect();
            let len: Vec<usize> =
                shape.iter().zip(&start).map(|(n, s)| rng.next_u32() as usize % (n - s + 1)).collect();
            let found = read_region(&file, dtype, &start, &len, &context).unwrap_or_else(|e| panic!("{e}"));
            let ranges: Vec<_> = start.iter().zip(&len).map(|(&s, &l)| (s, l, 1)).collect();
            assert!(found == expected.slice(&ranges), "{path}: {start:?} {len:?}");
        }
    }
    manifest.len()
}

#[test]
fn committed_files_of_numpy_and_zarr_python() {
    assert_eq!(read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/arrays")), 25);
}

/// Needs numpy and zarr-python: runs where `DASK_RUNTIME_TEST_PYTHON` names an interpreter that has them.
#[test]
fn all_files_of_numpy_and_zarr_python() {
    let dir = tempfile::tempdir().unwrap();
    let Some(out) = python::run("make_files.py", &[dir.path().as_os_str()]) else { return };
    assert_eq!(out, read_all(dir.path()).to_string());
}

fn zarr_file(path: &str) -> FileRef {
    FileRef { path: path.into(), format: Format::Zarr }
}

fn create(
    path: &str,
    dtype: DType,
    shape: &[usize],
    chunks: &[usize],
    context: &Context,
) -> Result<Value, Error> {
    let as_u64 = |v: &[usize]| v.iter().map(|&n| n as u64).collect();
    let op = Op::Create { file: zarr_file(path), dtype, shape: as_u64(shape), chunks: as_u64(chunks) };
    run(&op, vec![], &[], context)
}

fn write(path: &str, start: &[usize], block: Chunk, context: &Context) -> Result<Value, Error> {
    // The second operand stands for the task that created the store.
    let operands = vec![block.into(), Value::Tuple(vec![])];
    run(&Op::Write { file: zarr_file(path), start: ints(start) }, operands, &[], context)
}

/// Cuts `x` into blocks and hands each to `each` with its start.
fn blocks(x: &Chunk, size: usize, mut each: impl FnMut(&[usize], Chunk)) {
    let grid: Vec<usize> = x.shape().iter().map(|n| n.div_ceil(size)).collect();
    for k in (0..grid.iter().product::<usize>()).rev() {
        let mut rest = k;
        let mut start = vec![0; grid.len()];
        for (s, &n) in start.iter_mut().zip(&grid).rev() {
            *s = rest % n * size;
            rest /= n;
        }
        let ranges: Vec<_> = start.iter().zip(x.shape()).map(|(&s, &n)| (s, size.min(n - s), 1)).collect();
        each(&start, x.slice(&ranges));
    }
}

#[test]
fn what_is_written_is_read_back_here_and_by_python() {
    let dir = tempfile::tempdir().unwrap();
    let context = below(dir.path());
    let mut count = 0;
    for dtype in DType::ALL {
        for shape in [vec![], vec![0], vec![17], vec![5, 7], vec![3, 0, 2], vec![6, 5, 4]] {
            let extents: Vec<String> = shape.iter().map(usize::to_string).collect();
            let name = format!("{dtype}-{}", extents.join("x"));
            let x = values(dtype, &shape);
            let as_u64: Vec<u64> = shape.iter().map(|&n| n as u64).collect();

            let mut npy =
                npy::Writer::create(&dir.path().join(format!("{name}.npy")), dtype, &as_u64).unwrap();
            blocks(&x, 4, |start, block| {
                npy.write(&start.iter().map(|&s| s as u64).collect::<Vec<_>>(), &block).unwrap();
            });
            npy.finish().unwrap();

            // Blocks of four, each two chunks long.
            let store = format!("{name}.zarr");
            create(&store, dtype, &shape, &vec![2; shape.len()], &context).unwrap();
            blocks(&x, 4, |start, block| {
                write(&store, start, block, &context).unwrap();
            });
            for file in [zarr_file(&store), FileRef { path: format!("{name}.npy"), format: Format::Npy }] {
                let found = read_region(&file, dtype, &vec![0; shape.len()], &shape, &context).unwrap();
                assert!(found == x, "{file:?}");
            }
            count += 2;
        }
    }
    if let Some(out) = python::run("check_files.py", &[dir.path().as_os_str()]) {
        assert_eq!(out, count.to_string());
    }
}

#[test]
fn creating_twice_keeps_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let context = below(dir.path());
    let x = values(DType::Int32, &[4]);
    create("deep/x.zarr", DType::Int32, &[4], &[2], &context).unwrap();
    write("deep/x.zarr", &[0], x.clone(), &context).unwrap();
    create("deep/x.zarr", DType::Int32, &[4], &[2], &context).unwrap();
    let found = || read_region(&zarr_file("deep/x.zarr"), DType::Int32, &[0], &[4], &context);
    assert!(found().unwrap() == x);
    for (dtype, shape, chunks) in [(DType::Int64, 4, 2), (DType::Int32, 5, 2), (DType::Int32, 4, 4)] {
        let text = create("deep/x.zarr", dtype, &[shape], &[chunks], &context).unwrap_err().to_string();
        assert!(text.contains("remove it, or choose another path"), "{text}");
    }
    std::fs::write(dir.path().join("file"), "").unwrap();
    std::fs::create_dir_all(dir.path().join("notes/empty")).unwrap();
    for foreign in ["file", "notes", "file/x"] {
        let text = create(foreign, DType::Int8, &[4], &[2], &context).unwrap_err().to_string();
        assert!(text.contains("choose another path"), "{text}");
    }
    assert!(create("../x", DType::Int8, &[4], &[2], &context).unwrap_err().to_string().contains("`..`"));
    assert!(create("y", DType::Int8, &[4], &[0], &context).unwrap_err().to_string().contains("[0]"));
    assert!(
        create("y", DType::Int8, &[4, 4], &[2], &context).unwrap_err().to_string().contains("chunks [2]")
    );
    assert!(
        create("y", DType::Int8, &[1 << 40], &[1 << 33], &context)
            .unwrap_err()
            .to_string()
            .contains("rechunk")
    );
}

#[test]
fn a_check_says_what_creating_would_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let context = below(dir.path());
    let check = |path: &str, shape: u64| {
        let (shape, chunks) = (vec![shape], vec![2]);
        let op = Op::CheckCreate { file: zarr_file(path), dtype: DType::Int32, shape, chunks };
        let said = run(&op, vec![], &[], &context).unwrap().array().unwrap().to_contiguous();
        serde_json::from_slice::<Result<(), String>>(said.as_bytes().unwrap()).unwrap()
    };
    assert_eq!(check("deep/x.zarr", 4), Ok(()));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    create("x.zarr", DType::Int32, &[4], &[2], &context).unwrap();
    assert_eq!(check("x.zarr", 4), Ok(()));
    assert!(check("x.zarr", 5).unwrap_err().starts_with("x.zarr: exists with shape [4]"));
    assert!(check(".", 5).unwrap_err().contains("itself"));
}

#[test]
fn blocks_must_be_whole_chunks() {
    let dir = tempfile::tempdir().unwrap();
    let context = below(dir.path());
    create("x.zarr", DType::Int32, &[5, 4], &[2, 4], &context).unwrap();
    let block = |rows, cols| values(DType::Int32, &[rows, cols]);
    for (start, block, hint) in [
        ([1, 0], block(2, 4), "elements 1 to 3 along axis 0"),
        ([0, 0], block(1, 4), "elements 0 to 1 along axis 0"),
        ([0, 0], block(2, 2), "along axis 1"),
        ([4, 0], block(2, 4), "axis 0"),
        ([0, 0], values(DType::Int64, &[2, 4]), "int64"),
    ] {
        let text = write("x.zarr", &start, block, &context).unwrap_err().to_string();
        assert!(text.starts_with("x.zarr: ") && text.contains(hint), "{text}");
    }
    write("x.zarr", &[4, 0], block(1, 4), &context).unwrap();
    write("x.zarr", &[0, 0], block(4, 4), &context).unwrap();
}

#[test]
fn changed_files_are_seen() {
    let dir = tempfile::tempdir().unwrap();
    let context = below(dir.path());
    create("x.zarr", DType::Int32, &[4], &[2], &context).unwrap();
    let read = |dtype, len| read_region(&zarr_file("x.zarr"), dtype, &[0], &[len], &context);
    assert!(read(DType::Int32, 4).is_ok());
    assert!(read(DType::Int32, 5).unwrap_err().to_string().contains("submit it again"));
    assert!(read(DType::Float32, 4).unwrap_err().to_string().contains("float32 was planned"));
    std::fs::remove_dir_all(dir.path().join("x.zarr")).unwrap();
    create("x.zarr", DType::Float32, &[10], &[2], &context).unwrap();
    assert!(read(DType::Float32, 10).is_ok());
}

#[test]
fn damaged_chunks_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let context = below(dir.path());
    create("x.zarr", DType::Float64, &[100], &[100], &context).unwrap();
    write("x.zarr", &[0], values(DType::Float64, &[100]), &context).unwrap();
    let chunk = dir.path().join("x.zarr/c/0");
    let bytes = std::fs::read(&chunk).unwrap();
    for damaged in [&bytes[..bytes.len() - 7], b"", b"garbage", &[0xff; 64]] {
        std::fs::write(&chunk, damaged).unwrap();
        let text = read_region(&zarr_file("x.zarr"), DType::Float64, &[0], &[100], &context)
            .unwrap_err()
            .to_string();
        assert!(text.starts_with("x.zarr: reading [100]"), "{text}");
    }
    std::fs::write(dir.path().join("x.zarr/zarr.json"), "{").unwrap();
    let text = describe(&zarr_file("x.zarr"), &context).unwrap_err().to_string();
    assert!(text.contains("metadata is damaged"), "{text}");
}

#[test]
fn a_full_disk_is_named() {
    let e = std::io::Error::from_raw_os_error(libc::ENOSPC);
    let text = io_error("x.zarr", "writing chunk c/0", &e).to_string();
    assert!(text.contains("x.zarr: the disk is full") && text.contains("chunk c/0"), "{text}");
}

/// Every place of a JSON document, as pointers.
fn places(json: &Json, at: String, found: &mut Vec<String>) {
    match json {
        Json::Object(map) => map.iter().for_each(|(k, v)| places(v, format!("{at}/{k}"), found)),
        Json::Array(list) => list.iter().enumerate().for_each(|(i, v)| places(v, format!("{at}/{i}"), found)),
        _ => {}
    }
    found.push(at);
}

#[test]
fn hostile_zarr_metadata_is_an_error_or_read() {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/arrays");
    let values: Vec<Json> = serde_json::from_str(
        r#"[null, true, 0, 1, -1, 3, 1e300, 9223372036854775807, 18446744073709551615, "", "NaN", "bytes", "<f8", [],
            [0], [1, 1], [1, 2, 3], [9223372036854775807, 9223372036854775807], {}, {"name": "blosc"}, {"id": "zstd"}]"#,
    )
    .unwrap();
    let mut tried = 0;
    for name in ["v3-sharded", "v3-default", "v2-blosc", "v2-big-fortran"] {
        let dir = tempfile::tempdir().unwrap();
        let context = below(dir.path());
        let store = dir.path().join("x");
        let metadata = if name.starts_with("v3") { "zarr.json" } else { ".zarray" };
        // The chunk at the origin stays as it was.
        let chunk = if name.starts_with("v3") { "c/0/0" } else { "0.0" };
        std::fs::create_dir_all(store.join(chunk).parent().unwrap()).unwrap();
        std::fs::copy(files.join(name).join(chunk), store.join(chunk)).unwrap();
        let text = std::fs::read_to_string(files.join(name).join(metadata)).unwrap();
        let json: Json = serde_json::from_str(&text).unwrap();
        let mut found = vec![];
        places(&json, String::new(), &mut found);
        for at in found {
            for value in &values {
                let mut json = json.clone();
                *json.pointer_mut(&at).unwrap() = value.clone();
                std::fs::write(store.join(metadata), json.to_string()).unwrap();
                tried += 1;
                let Ok(described) = describe(&zarr_file("x"), &context) else { continue };
                let ndim = described.shape.len();
                let few: Vec<usize> = described.shape.iter().map(|&n| n.min(3) as usize).collect();
                let _ = read_region(&zarr_file("x"), described.dtype, &vec![0; ndim], &few, &context);
            }
        }
    }
    assert!(tried > 1000);
}

#[test]
fn hostile_zarr_chunks_are_errors_or_read() {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/arrays");
    let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(2);
    let dir = tempfile::tempdir().unwrap();
    let context = below(dir.path());
    for name in ["v3-sharded", "v3-default", "v2-blosc", "v2-big-fortran"] {
        let (metadata, chunk) =
            if name.starts_with("v3") { ("zarr.json", "c/0/0") } else { (".zarray", "0.0") };
        let store = dir.path().join(name);
        std::fs::create_dir_all(store.join(chunk).parent().unwrap()).unwrap();
        std::fs::copy(files.join(name).join(metadata), store.join(metadata)).unwrap();
        let bytes = std::fs::read(files.join(name).join(chunk)).unwrap();
        let dtype = describe(&zarr_file(name), &context).unwrap().dtype;
        for _ in 0..100 {
            let mut bytes = bytes.clone();
            for _ in 0..=rng.next_u32() % 3 {
                let at = rng.next_u32() as usize % bytes.len();
                bytes[at] = [0, 0xff, 0x7f, rng.next_u32() as u8][rng.next_u32() as usize % 4];
            }
            if rng.next_u32().is_multiple_of(4) {
                bytes.truncate(rng.next_u32() as usize % bytes.len());
            }
            std::fs::write(store.join(chunk), bytes).unwrap();
            for shape in [[5, 7], [2, 2]] {
                if let Err(e) = read_region(&zarr_file(name), dtype, &[0, 0], &shape, &context) {
                    assert!(e.to_string().starts_with(name), "{e}");
                }
            }
        }
    }
}
