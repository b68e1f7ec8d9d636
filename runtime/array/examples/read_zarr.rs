//! Reads a Zarr array whole, chunk by chunk through the engine's `read`, and by zarrs used directly, on one thread each.
//!
//! ```text
//! cargo run --release -p dask-array --example read_zarr
//! ```

use dask_array::{Chunk, Context, DType, Prepared, Value};
use dask_plan::program::{FileRef, Format, Instr, Int, Op, Program};
use std::sync::Arc;
use std::time::Instant;
use zarrs::array::{Array, ArraySubset};
use zarrs::filesystem::FilesystemStore;

const N: usize = 4_000;
const CHUNK: usize = 500;

fn run(op: Op, inputs: Vec<Value>, context: &Context) -> Value {
    let of = (0..inputs.len() as u32).collect();
    let program = Program { inputs: inputs.len() as u32, args: 0, body: vec![Instr { op, of }] };
    Prepared::new(program).and_then(|p| p.run(inputs, &[], context)).expect("a program that runs")
}

fn median(mut measure: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..8)
        .map(|_| {
            let from = Instant::now();
            measure();
            from.elapsed().as_secs_f64()
        })
        .skip(1)
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    let folder = std::env::temp_dir().join(format!("read-zarr-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let context = Context { data_dirs: vec![folder.clone()], ..Context::default() };
    let file = FileRef { path: "x.zarr".into(), format: Format::Zarr };
    let corners: Vec<[usize; 2]> =
        (0..N).step_by(CHUNK).flat_map(|i| (0..N).step_by(CHUNK).map(move |j| [i, j])).collect();
    let shape = vec![N as u64; 2];
    run(
        Op::Create { file: file.clone(), dtype: DType::Float64, shape, chunks: vec![CHUNK as u64; 2] },
        vec![],
        &context,
    );
    for corner in &corners {
        // Values that compress about as well as measurements do.
        let values: Vec<f64> = (0..CHUNK * CHUNK)
            .map(|k| ((k + corner[0] * 31 + corner[1]) as f64 * 0.01).sin().abs().sqrt())
            .collect();
        let block = Value::Array(Chunk::from_slice(&[CHUNK, CHUNK], &values));
        let start = corner.iter().map(|&c| Int::from(c)).collect();
        run(Op::Write { file: file.clone(), start }, vec![block], &context);
    }
    let shape = vec![Int::from(CHUNK); 2];
    let reads: Vec<Prepared> = corners
        .iter()
        .map(|corner| {
            let start = corner.iter().map(|&c| Int::from(c)).collect();
            let op = Op::Read { file: file.clone(), dtype: DType::Float64, start, shape: shape.clone() };
            Prepared::new(Program { inputs: 0, args: 0, body: vec![Instr { op, of: vec![] }] })
                .expect("a program")
        })
        .collect();
    let engine = median(|| {
        for read in &reads {
            drop(read.run(vec![], &[], &context).expect("a block"));
        }
    });
    let store = Arc::new(FilesystemStore::new(folder.join("x.zarr")).expect("a store"));
    let array = Array::open(store, "/").expect("an array");
    let chunks = N as u64 / CHUNK as u64;
    let by_chunk = median(|| {
        for i in 0..chunks {
            for j in 0..chunks {
                drop(array.retrieve_chunk::<Vec<f64>>(&[i, j]).expect("a chunk"));
            }
        }
    });
    let whole = median(|| {
        let all = ArraySubset::new_with_shape(vec![N as u64; 2]);
        drop(array.retrieve_array_subset::<Vec<f64>>(&all).expect("an array"));
    });
    std::fs::remove_dir_all(&folder).expect("removed");
    let gigabytes = (N * N * 8) as f64 / 1e9;
    println!("engine: {engine:.4} s ({:.2} GB/s)", gigabytes / engine);
    println!("zarrs, chunk by chunk: {by_chunk:.4} s");
    println!("zarrs, in one call: {whole:.4} s");
}
