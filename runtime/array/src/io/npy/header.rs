//! The header of a `.npy` file: a magic string, a version, and a Python dictionary in text form.
//!
//! Format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use crate::io::descr;
use crate::io::flat::Layout;
use dask_plan::{DType, Kind};
use std::fs::File;
use std::os::unix::fs::FileExt;

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// Longest dictionary that is read. numpy's own limit is 10,000.
const MAX_HEADER: usize = 64 << 10;

/// Most axes an array may have, as in numpy.
const MAX_NDIM: usize = 64;

/// The header that `numpy.save` writes for a C-ordered, little-endian array: everything before the first element.
pub fn header(dtype: DType, shape: &[u64]) -> Vec<u8> {
    let extents: Vec<String> = shape.iter().map(u64::to_string).collect();
    let tuple = match extents.as_slice() {
        [n] => format!("({n},)"),
        many => format!("({})", many.join(", ")),
    };
    let mut text =
        format!("{{'descr': '{}', 'fortran_order': False, 'shape': {tuple}, }}", type_string(dtype));
    // numpy leaves room for the growing axis to reach 21 digits, so that files can be appended to.
    let room = extents.first().map_or(0, |n| 21usize.saturating_sub(n.len()));
    text.extend(std::iter::repeat_n(' ', room));

    let pad = |prefix: usize| (64 - (prefix + text.len() + 1) % 64) % 64;
    let mut out = MAGIC.to_vec();
    // The length takes two bytes in version 1; 64 axes stay far below that.
    let len = text.len() + pad(10) + 1;
    out.extend([1, 0]);
    out.extend((len as u16).to_le_bytes());
    out.extend(text.as_bytes());
    out.resize(10 + len - 1, b' ');
    out.push(b'\n');
    out
}

/// numpy's name of the little-endian type.
fn type_string(dtype: DType) -> String {
    let kind = match dtype.kind() {
        Kind::Bool => 'b',
        Kind::Unsigned => 'u',
        Kind::Signed => 'i',
        Kind::Float => 'f',
        Kind::Complex => 'c',
    };
    let order = if dtype.itemsize() == 1 { '|' } else { '<' };
    format!("{order}{kind}{}", dtype.itemsize())
}

/// Reads and checks a header.
///
/// # Errors
/// Says what is wrong with it, and what would read the file when we do not.
pub(in crate::io) fn read(file: &File) -> Result<Layout, String> {
    let damaged = |what: &str| format!("is not a `.npy` file: {what}; numpy.save writes one");
    let mut start = [0; 12];
    let got = read_up_to(file, &mut start, 0)?;
    if got < 10 || &start[..6] != MAGIC {
        return Err(damaged("it does not start with the magic string \\x93NUMPY"));
    }
    let (prefix, len) = match start[6] {
        1 => (10, usize::from(u16::from_le_bytes([start[8], start[9]]))),
        2 | 3 if got == 12 => (12, u32::from_le_bytes([start[8], start[9], start[10], start[11]]) as usize),
        2 | 3 => return Err(damaged("it ends within its header")),
        v => return Err(format!("has `.npy` version {v}.{}; versions 1 to 3 are read", start[7])),
    };
    if len > MAX_HEADER {
        return Err(format!("has a header of {len} bytes; at most {MAX_HEADER} are read"));
    }
    let mut text = vec![0; len];
    if read_up_to(file, &mut text, prefix)? < len {
        return Err(damaged(&format!("its header of {len} bytes is cut off")));
    }
    let text = String::from_utf8(text).map_err(|_| damaged("its header is not text"))?;
    let dict = Parser { text: &text, at: 0 }.dict().map_err(|e| damaged(&format!("in its header, {e}")))?;
    let (dtype, big_endian) = match &dict.descr {
        Some(name) => descr::parse(name, "numpy.load")?,
        None => return Err(descr::structured("numpy.load")),
    };
    Ok(Layout { offset: prefix + len as u64, dtype, shape: dict.shape, fortran: dict.fortran, big_endian })
}

fn read_up_to(file: &File, out: &mut [u8], at: u64) -> Result<usize, String> {
    let mut got = 0;
    while got < out.len() {
        match file.read_at(&mut out[got..], at + got as u64) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(format!("reading its header failed: {e}")),
        }
    }
    Ok(got)
}

#[derive(Debug, PartialEq)]
struct Dict {
    /// A type string; `None` for a list of fields.
    descr: Option<String>,
    fortran: bool,
    shape: Vec<u64>,
}

/// A strict reader of the one dictionary that may stand there; nothing is evaluated.
struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn dict(mut self) -> Result<Dict, String> {
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        self.expect('{')?;
        while !self.eat('}') {
            let key = self.string()?;
            self.expect(':')?;
            let again = match key.as_str() {
                "descr" => {
                    if matches!(self.peek(), Some('[' | '(' | '{')) {
                        // Nothing more of it matters: a structured dtype is refused.
                        return Ok(Dict { descr: None, fortran: false, shape: vec![] });
                    }
                    descr.replace(self.string()?).is_some()
                }
                "fortran_order" => fortran.replace(self.boolean()?).is_some(),
                "shape" => shape.replace(self.tuple()?).is_some(),
                other => return Err(format!("the key {other:?} is unknown")),
            };
            if again {
                return Err(format!("the key {key:?} stands twice"));
            }
            if !self.eat(',') {
                self.expect('}')?;
                break;
            }
        }
        if let Some(c) = self.peek() {
            return Err(format!("{c:?} follows the dictionary"));
        }
        let missing = |key: &str| format!("the key {key:?} is missing");
        Ok(Dict {
            descr: Some(descr.ok_or_else(|| missing("descr"))?),
            fortran: fortran.ok_or_else(|| missing("fortran_order"))?,
            shape: shape.ok_or_else(|| missing("shape"))?,
        })
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&mut self) -> Option<char> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\n', '\t', '\r']).len();
        self.rest().chars().next()
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    fn expect(&mut self, c: char) -> Result<(), String> {
        if self.eat(c) {
            return Ok(());
        }
        let found = self.peek().map_or("the end".to_string(), |c| format!("{c:?}"));
        Err(format!("{c:?} was expected at byte {}, not {found}", self.at))
    }

    fn string(&mut self) -> Result<String, String> {
        let quote = self.peek().filter(|c| matches!(c, '\'' | '"'));
        let quote = quote.ok_or_else(|| format!("a string was expected at byte {}", self.at))?;
        self.at += 1;
        let rest = self.rest();
        let end = rest.find(quote).ok_or("a string does not end")?;
        let value = rest[..end].to_string();
        if value.contains('\\') {
            return Err(format!("the string {value:?} has an escape"));
        }
        self.at += end + 1;
        Ok(value)
    }

    fn boolean(&mut self) -> Result<bool, String> {
        self.peek();
        for (word, value) in [("True", true), ("False", false)] {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(format!("True or False was expected at byte {}", self.at))
    }

    fn tuple(&mut self) -> Result<Vec<u64>, String> {
        let mut items = vec![];
        self.expect('(')?;
        while !self.eat(')') {
            self.peek();
            let rest = self.rest();
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let n = rest[..digits]
                .parse()
                .map_err(|_| format!("the shape has no valid extent at byte {}", self.at))?;
            self.at += digits;
            // Python 2 wrote long integers as `10L`.
            self.eat('L');
            items.push(n);
            if items.len() > MAX_NDIM {
                return Err(format!("the shape has more than {MAX_NDIM} axes"));
            }
            let comma = self.eat(',');
            if !comma {
                self.expect(')')?;
                if items.len() == 1 {
                    return Err("the shape is a number, not a tuple".into());
                }
                break;
            }
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Dict, String> {
        Parser { text, at: 0 }.dict()
    }

    #[test]
    fn reads_what_numpy_writes() {
        let dict = parse("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }          \n").unwrap();
        assert_eq!(dict, Dict { descr: Some("<f8".into()), fortran: false, shape: vec![3, 4] });
        assert_eq!(parse("{'shape': (3L,), 'fortran_order': True, 'descr': '|b1'}").unwrap().shape, [3]);
        assert_eq!(parse("{'shape': (), 'fortran_order': True, 'descr': '|b1'}").unwrap().shape, [0u64; 0]);
    }

    #[test]
    fn refuses_what_is_not_the_dictionary() {
        for (text, hint) in [
            ("", "'{'"),
            ("{'descr': '<f8', 'fortran_order': False}", "\"shape\" is missing"),
            ("{'descr': '<f8', 'descr': '<f8'}", "twice"),
            ("{'descr': __import__('os')}", "a string was expected"),
            ("{'shape': (3)}", "not a tuple"),
            ("{'shape': (-3,)}", "no valid extent"),
            ("{'shape': (99999999999999999999999,)}", "no valid extent"),
            ("{'fortran_order': 1}", "True or False"),
            ("{'evil': 1}", "unknown"),
            ("{'shape': (1,), 'fortran_order': True, 'descr': 'i1'} + x", "follows"),
            ("{'descr': '<f8", "does not end"),
        ] {
            let e = parse(text).unwrap_err();
            assert!(e.contains(hint), "{text}: {e}");
        }
        let many = format!("{{'shape': ({})}}", "1,".repeat(70));
        assert!(parse(&many).unwrap_err().contains("64 axes"));
    }

    #[test]
    fn headers_are_aligned_and_read_back() {
        for shape in [vec![], vec![7], vec![3, 4], vec![1; 64]] {
            let bytes = header(DType::Complex64, &shape);
            assert_eq!(bytes.len() % 64, 0);
            let mut file = tempfile::tempfile().unwrap();
            std::io::Write::write_all(&mut file, &bytes).unwrap();
            let expected = Layout {
                offset: bytes.len() as u64,
                dtype: DType::Complex64,
                shape,
                fortran: false,
                big_endian: false,
            };
            assert_eq!(read(&file).unwrap(), expected);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[{}()'\", :a-zé0-9\\\\L]*") {
            let _ = parse(&text);
        }

        #[test]
        fn no_bytes_panic(rest in prop::collection::vec(any::<u8>(), 0..200), version in 0u8..5) {
            let mut file = tempfile::tempfile().unwrap();
            let bytes = [MAGIC.as_slice(), &[version, 0], &rest].concat();
            std::io::Write::write_all(&mut file, &bytes).unwrap();
            let _ = read(&file);
        }
    }
}
