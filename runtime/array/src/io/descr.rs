//! numpy's type strings, such as `<f8`, as `.npy` and Zarr version 2 write them.

use dask_plan::DType;

/// Reads a type string. Returns the dtype and whether it is big-endian.
///
/// # Errors
/// Names what we do not take, and says that `reader` does.
pub(super) fn parse(descr: &str, reader: &str) -> Result<(DType, bool), String> {
    let bad = || format!("has dtype {descr:?}, which is none of numpy's");
    let mut chars = descr.chars();
    let (order, rest) = match chars.next() {
        Some(c @ ('<' | '>' | '|' | '=')) => (c, chars.as_str()),
        Some(_) => ('=', descr),
        None => return Err(bad()),
    };
    let refused = |what: &str, then: &str| Err(refuse(&format!("{what} ({descr:?})"), reader, then));
    let as_integers = "; save them with view('int64')";
    match (rest.chars().next(), rest) {
        (Some('O'), _) => refused("Python objects", "; save them as numbers"),
        (Some('U' | 'S' | 'a'), _) => refused("text", ""),
        (Some('M'), _) => refused("dates", as_integers),
        (Some('m'), _) => refused("time spans", as_integers),
        (Some('V'), _) => refused("raw records", ""),
        (_, "f2") => refused("float16", "; save it with astype('float32')"),
        (_, "f12" | "f16" | "c24" | "c32") => {
            refused("long double", "; save it with another dtype by astype")
        }
        (Some('b' | 'i' | 'u' | 'f' | 'c'), _) if rest.len() > 1 => {
            let big_endian = order == '>' || (order != '<' && cfg!(target_endian = "big"));
            DType::parse(rest).map(|d| (d, big_endian)).ok_or_else(bad)
        }
        _ => Err(bad()),
    }
}

/// Why an array of structures is not read.
pub(super) fn structured(reader: &str) -> String {
    refuse("a structured dtype", reader, "; save its fields as arrays of their own")
}

fn refuse(what: &str, reader: &str, then: &str) -> String {
    format!("holds {what}, which native operators do not take: {reader} in Python reads it{then}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_dtypes_by_name() {
        for (descr, hint) in [
            ("|O", "Python objects"),
            ("<U5", "text"),
            ("|S3", "text"),
            ("<M8[ns]", "dates"),
            ("<m8[s]", "time spans"),
            ("|V16", "raw records"),
            ("<f2", "float16"),
            ("<f16", "long double"),
            ("<f9", "none of numpy's"),
            ("", "none of numpy's"),
            ("é", "none of numpy's"),
        ] {
            let e = parse(descr, "numpy.load").unwrap_err();
            assert!(e.contains(hint), "{descr}: {e}");
        }
        assert_eq!(parse(">c16", ""), Ok((DType::Complex128, true)));
        assert_eq!(parse("<u2", ""), Ok((DType::UInt16, false)));
        assert_eq!(parse("|b1", ""), Ok((DType::Bool, false)));
    }
}
