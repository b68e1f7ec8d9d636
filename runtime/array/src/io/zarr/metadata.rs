//! Decides from an array's metadata whether it is one that is read and written natively.
//!
//! Specifications: <https://zarr-specs.readthedocs.io/en/latest/v2/v2.0.html>,
//! <https://zarr-specs.readthedocs.io/en/latest/v3/core/index.html>.

use crate::io::descr;
use dask_plan::DType;
use serde_json::Value;

/// Largest chunk, decoded, in bytes. Damaged metadata must not make us ask for all memory there is.
const MAX_CHUNK: u64 = 64 << 30;

/// Most axes an array may have, as in numpy.
const MAX_NDIM: usize = 64;

/// Codecs of version 3.
const CODECS: [&str; 9] = [
    "bytes",
    "transpose",
    "blosc",
    "zstd",
    "gzip",
    "numcodecs.zlib",
    "numcodecs.bz2",
    "crc32c",
    "sharding_indexed",
];

/// Compressors of version 2.
const COMPRESSORS: [&str; 5] = ["blosc", "zstd", "gzip", "zlib", "bz2"];

/// What we need of an array's metadata.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Metadata {
    /// Extent along each axis.
    pub(super) shape: Vec<u64>,
    /// Extent of each chunk (of a sharded array: each shard); never zero.
    pub(super) chunks: Vec<u64>,
    /// Element type in memory.
    pub(super) dtype: DType,
}

/// Reads `zarr.json`.
///
/// # Errors
/// Names what is missing, or what is not supported and what would read it.
pub(super) fn version3(json: &Value) -> Result<Metadata, String> {
    if json["zarr_format"] != 3 {
        return Err(format!("its zarr.json has zarr_format {}; 3 was expected", json["zarr_format"]));
    }
    let dtype = match &json["data_type"] {
        Value::String(name) => DType::ALL.into_iter().find(|d| d.name() == name),
        _ => None,
    };
    let dtype = dtype.ok_or_else(|| refuse("data type", &json["data_type"], "a number or bool"))?;
    let grid = &json["chunk_grid"];
    if name(grid) != Some("regular") {
        return Err(refuse("chunk grid", grid, "regular"));
    }
    if !matches!(name(&json["chunk_key_encoding"]), Some("default" | "v2")) {
        return Err(refuse("chunk key encoding", &json["chunk_key_encoding"], "default, v2"));
    }
    check_codecs(&json["codecs"])?;
    let transformers = &json["storage_transformers"];
    if !matches!(transformers, Value::Null) && transformers != &Value::Array(vec![]) {
        return Err(refuse("storage transformer", transformers, "none"));
    }
    finish(extents(json, "shape")?, extents(&grid["configuration"], "chunk_shape")?, dtype)
}

/// Reads `.zarray`.
///
/// # Errors
/// As [`version3`].
pub(super) fn version2(json: &Value) -> Result<Metadata, String> {
    if json["zarr_format"] != 2 {
        return Err(format!("its .zarray has zarr_format {}; 2 was expected", json["zarr_format"]));
    }
    let dtype = match &json["dtype"] {
        Value::String(name) => descr::parse(name, "zarr-python")?.0,
        Value::Array(_) => return Err(descr::structured("zarr-python")),
        other => return Err(format!("its .zarray has dtype {other}; a string such as \"<f8\" was expected")),
    };
    match &json["compressor"] {
        Value::Null => {}
        compressor => match compressor["id"].as_str() {
            Some(id) if COMPRESSORS.contains(&id) => check_blosc(id, compressor)?,
            _ => return Err(refuse("compressor", compressor, &COMPRESSORS.join(", "))),
        },
    }
    if let Value::Array(filters) = &json["filters"]
        && let Some(first) = filters.first()
    {
        return Err(refuse("filter", first, "none"));
    }
    if !matches!(json["order"].as_str(), Some("C" | "F")) {
        return Err(refuse("order", &json["order"], "C, F"));
    }
    if !matches!(json["dimension_separator"].as_str(), None | Some("." | "/")) {
        return Err(refuse("dimension separator", &json["dimension_separator"], "., /"));
    }
    finish(extents(json, "shape")?, extents(json, "chunks")?, dtype)
}

fn check_codecs(codecs: &Value) -> Result<(), String> {
    // Shards may nest; JSON of serde_json is never deeper than 128.
    for codec in codecs.as_array().ok_or("its zarr.json has no list of codecs")? {
        let found = name(codec).filter(|n| CODECS.contains(n));
        let found = found.ok_or_else(|| refuse("codec", codec, &CODECS.join(", ")))?;
        let configuration = &codec["configuration"];
        check_blosc(found, configuration)?;
        if found == "sharding_indexed" {
            check_codecs(&configuration["codecs"])?;
            check_codecs(&configuration["index_codecs"])?;
        }
    }
    Ok(())
}

fn check_blosc(codec: &str, configuration: &Value) -> Result<(), String> {
    let known = ["lz4", "lz4hc", "blosclz", "zstd", "zlib"];
    match configuration["cname"].as_str() {
        Some(cname) if codec == "blosc" && !known.contains(&cname) => {
            Err(refuse("blosc compressor", &configuration["cname"], &known.join(", ")))
        }
        _ => Ok(()),
    }
}

/// Metadata of version 3 names an extension by `{"name": …}` or by the name alone.
fn name(extension: &Value) -> Option<&str> {
    extension.as_str().or_else(|| extension["name"].as_str())
}

fn refuse(what: &str, found: &Value, known: &str) -> String {
    let found = match (name(found), found["id"].as_str()) {
        (Some(name), _) | (None, Some(name)) => format!("{name:?}"),
        _ => found.to_string(),
    };
    format!(
        "uses {what} {found}, which is not read natively ({known}): zarr-python reads it; write the array again without \
         it"
    )
}

fn extents(json: &Value, key: &str) -> Result<Vec<u64>, String> {
    let list = json[key].as_array().ok_or_else(|| format!("its metadata has no list {key:?}"))?;
    let numbers: Option<Vec<u64>> = list.iter().map(Value::as_u64).collect();
    numbers.ok_or_else(|| format!("its metadata has {key} {}; integers were expected", json[key]))
}

fn finish(shape: Vec<u64>, chunks: Vec<u64>, dtype: DType) -> Result<Metadata, String> {
    if shape.len() > MAX_NDIM {
        return Err(format!("has {} axes; at most {MAX_NDIM} are read", shape.len()));
    }
    if shape.len() != chunks.len() || chunks.contains(&0) {
        return Err(format!("its chunks {chunks:?} do not fit its shape {shape:?}"));
    }
    let bytes = |extents: &[u64]| extents.iter().try_fold(dtype.itemsize() as u64, |n, &d| n.checked_mul(d));
    let too_large = |what: &str, extents: &[u64]| format!("its {what} {extents:?} of {dtype} is too large");
    bytes(&shape).filter(|&n| n < 1 << 62).ok_or_else(|| too_large("shape", &shape))?;
    bytes(&chunks).filter(|&n| n <= MAX_CHUNK).ok_or_else(|| too_large("chunk shape", &chunks))?;
    Ok(Metadata { shape, chunks, dtype })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn v3() -> Value {
        json!({
            "zarr_format": 3, "node_type": "array", "shape": [5, 4], "data_type": "float64",
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [3, 2]}},
            "chunk_key_encoding": {"name": "default"}, "fill_value": 0,
            "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "zstd"}]
        })
    }

    fn v2() -> Value {
        json!({
            "zarr_format": 2, "shape": [5], "chunks": [2], "dtype": ">f4", "order": "F", "fill_value": null,
            "filters": null, "compressor": {"id": "blosc", "cname": "lz4"}
        })
    }

    /// Sets the value at a JSON pointer.
    fn with(mut json: Value, at: &str, value: Value) -> Value {
        *json.pointer_mut(at).unwrap() = value;
        json
    }

    #[test]
    fn reads_what_is_native() {
        let expected = Metadata { shape: vec![5, 4], chunks: vec![3, 2], dtype: DType::Float64 };
        assert_eq!(version3(&v3()), Ok(expected));
        let expected = Metadata { shape: vec![5], chunks: vec![2], dtype: DType::Float32 };
        assert_eq!(version2(&v2()), Ok(expected));
    }

    #[test]
    fn refuses_the_rest_by_name() {
        let sharded = json!([{"name": "sharding_indexed", "configuration": {
            "codecs": [{"name": "zfp"}], "index_codecs": [{"name": "bytes"}]}}]);
        for (at, value, hint) in [
            ("/zarr_format", json!(4), "zarr_format 4"),
            ("/data_type", json!("float16"), "\"float16\""),
            ("/data_type", json!({"name": "numpy.datetime64"}), "numpy.datetime64"),
            ("/chunk_grid/name", json!("rectilinear"), "\"rectilinear\""),
            ("/chunk_grid/configuration/chunk_shape", json!([3, 0]), "[3, 0]"),
            ("/chunk_grid/configuration/chunk_shape", json!([3]), "[3]"),
            ("/chunk_grid/configuration/chunk_shape", json!([1u64 << 40, 1]), "too large"),
            ("/chunk_key_encoding/name", json!("hashed"), "\"hashed\""),
            ("/codecs/1/name", json!("zfp"), "\"zfp\""),
            ("/codecs/1", json!({"name": "blosc", "configuration": {"cname": "snappy"}}), "\"snappy\""),
            ("/codecs", sharded, "\"zfp\""),
            ("/codecs", json!(null), "codecs"),
            ("/shape", json!([5, -4]), "[5,-4]"),
            ("/shape", json!([u64::MAX, 2]), "too large"),
            ("/shape", json!("x"), "\"shape\""),
            ("/shape", json!(vec![1; 65]), "65 axes"),
        ] {
            let e = version3(&with(v3(), at, value)).unwrap_err();
            assert!(e.contains(hint), "{at}: {e}");
        }
        for (at, value, hint) in [
            ("/zarr_format", json!(3), "zarr_format 3"),
            ("/dtype", json!("|O"), "zarr-python"),
            ("/dtype", json!([["a", "<f8"]]), "structured"),
            ("/compressor/id", json!("lzma"), "\"lzma\""),
            ("/compressor", json!(5), "compressor 5"),
            ("/filters", json!([{"id": "delta"}]), "\"delta\""),
            ("/order", json!("K"), "\"K\""),
        ] {
            let e = version2(&with(v2(), at, value)).unwrap_err();
            assert!(e.contains(hint), "{at}: {e}");
        }
        for hostile in [json!(null), json!([]), json!(7), json!({})] {
            assert!(version2(&hostile).is_err() && version3(&hostile).is_err());
        }
    }
}
