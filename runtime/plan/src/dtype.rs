//! Element types, numpy's promotion between them (NEP 50), and scalars.

use num_complex::Complex64;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The element types that native operators know, by numpy's names.
///
/// The order is the one in which numpy ranks them within a kind.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum DType {
    /// One byte, 0 or 1.
    Bool,
    /// Signed 8-bit integer.
    Int8,
    /// Signed 16-bit integer.
    Int16,
    /// Signed 32-bit integer.
    Int32,
    /// Signed 64-bit integer.
    Int64,
    /// Unsigned 8-bit integer.
    UInt8,
    /// Unsigned 16-bit integer.
    UInt16,
    /// Unsigned 32-bit integer.
    UInt32,
    /// Unsigned 64-bit integer.
    UInt64,
    /// IEEE 754 single precision.
    Float32,
    /// IEEE 754 double precision.
    Float64,
    /// Two `float32`: real, imaginary.
    Complex64,
    /// Two `float64`: real, imaginary.
    Complex128,
}

/// What numpy calls `dtype.kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `b`
    Bool,
    /// `u`
    Unsigned,
    /// `i`
    Signed,
    /// `f`
    Float,
    /// `c`
    Complex,
}

impl DType {
    /// Every dtype.
    pub const ALL: [DType; 13] = [
        DType::Bool,
        DType::Int8,
        DType::Int16,
        DType::Int32,
        DType::Int64,
        DType::UInt8,
        DType::UInt16,
        DType::UInt32,
        DType::UInt64,
        DType::Float32,
        DType::Float64,
        DType::Complex64,
        DType::Complex128,
    ];

    /// Bytes an element takes.
    pub const fn itemsize(self) -> usize {
        match self {
            DType::Bool | DType::Int8 | DType::UInt8 => 1,
            DType::Int16 | DType::UInt16 => 2,
            DType::Int32 | DType::UInt32 | DType::Float32 => 4,
            DType::Int64 | DType::UInt64 | DType::Float64 | DType::Complex64 => 8,
            DType::Complex128 => 16,
        }
    }

    /// What kind of number it is.
    pub const fn kind(self) -> Kind {
        match self {
            DType::Bool => Kind::Bool,
            DType::Int8 | DType::Int16 | DType::Int32 | DType::Int64 => Kind::Signed,
            DType::UInt8 | DType::UInt16 | DType::UInt32 | DType::UInt64 => Kind::Unsigned,
            DType::Float32 | DType::Float64 => Kind::Float,
            DType::Complex64 | DType::Complex128 => Kind::Complex,
        }
    }

    /// numpy's name, such as `float64`.
    pub const fn name(self) -> &'static str {
        match self {
            DType::Bool => "bool",
            DType::Int8 => "int8",
            DType::Int16 => "int16",
            DType::Int32 => "int32",
            DType::Int64 => "int64",
            DType::UInt8 => "uint8",
            DType::UInt16 => "uint16",
            DType::UInt32 => "uint32",
            DType::UInt64 => "uint64",
            DType::Float32 => "float32",
            DType::Float64 => "float64",
            DType::Complex64 => "complex64",
            DType::Complex128 => "complex128",
        }
    }

    /// Reads a name that numpy understands: `float64`, `f8`, `i4`, `int`, `bool`, …
    pub fn parse(name: &str) -> Option<DType> {
        Some(match name {
            "bool" | "bool_" | "b1" | "?" => DType::Bool,
            "int8" | "i1" | "b" => DType::Int8,
            "int16" | "i2" | "h" => DType::Int16,
            "int32" | "i4" => DType::Int32,
            "int64" | "i8" | "int" | "q" | "l" => DType::Int64,
            "uint8" | "u1" | "B" => DType::UInt8,
            "uint16" | "u2" | "H" => DType::UInt16,
            "uint32" | "u4" => DType::UInt32,
            "uint64" | "u8" | "uint" => DType::UInt64,
            "float32" | "f4" | "single" => DType::Float32,
            "float64" | "f8" | "float" | "double" | "d" => DType::Float64,
            "complex64" | "c8" => DType::Complex64,
            "complex128" | "c16" | "complex" => DType::Complex128,
            _ => return None,
        })
    }

    /// The dtype that holds both, as `numpy.promote_types`.
    pub fn promote(self, other: DType) -> DType {
        use DType::*;
        if self == other {
            return self;
        }
        let (low, high) = if self.kind() <= other.kind() { (self, other) } else { (other, self) };
        let width = |d: DType| d.itemsize();
        match (low.kind(), high.kind()) {
            (a, b) if a == b => {
                if width(self) >= width(other) {
                    self
                } else {
                    other
                }
            }
            (Kind::Bool, _) => high,
            (Kind::Unsigned, Kind::Signed) => match width(low).max(width(high) / 2) {
                1 if width(high) > 1 => high,
                1 => Int16,
                2 if width(low) < width(high) => high,
                2 => Int32,
                4 if width(low) < width(high) => high,
                4 => Int64,
                _ => Float64,
            },
            (Kind::Unsigned | Kind::Signed, Kind::Float) => {
                if width(low) <= 2 {
                    high
                } else {
                    Float64
                }
            }
            (Kind::Unsigned | Kind::Signed, _) => {
                if width(low) <= 2 {
                    high
                } else {
                    Complex128
                }
            }
            _ => {
                if low == Float64 {
                    Complex128
                } else {
                    high
                }
            }
        }
    }

    /// The dtype of an operation between this one and a Python number of `kind` (NEP 50: Python numbers are
    /// weak, so only their kind counts).
    pub fn promote_weak(self, kind: Kind) -> DType {
        use DType::*;
        match kind {
            _ if kind <= self.kind() => self,
            Kind::Bool => self,
            Kind::Unsigned | Kind::Signed => {
                if self == Bool {
                    Int64
                } else {
                    self
                }
            }
            Kind::Float => Float64,
            Kind::Complex if self == Float32 => Complex64,
            Kind::Complex => Complex128,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One number, as a document or a template writes it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scalar {
    /// `true`, `false`
    Bool(bool),
    /// Integers within `int64`
    Int(i64),
    /// Integers above `int64`
    UInt(u64),
    /// Floating point
    Float(f64),
    /// Real and imaginary part
    Complex(f64, f64),
}

impl Scalar {
    /// The kind that counts in weak promotion.
    pub fn kind(self) -> Kind {
        match self {
            Scalar::Bool(_) => Kind::Bool,
            Scalar::Int(_) | Scalar::UInt(_) => Kind::Signed,
            Scalar::Float(_) => Kind::Float,
            Scalar::Complex(..) => Kind::Complex,
        }
    }

    /// The dtype that numpy gives to this Python number when nothing else decides.
    pub fn default_dtype(self) -> DType {
        match self {
            Scalar::Bool(_) => DType::Bool,
            Scalar::Int(_) => DType::Int64,
            Scalar::UInt(_) => DType::UInt64,
            Scalar::Float(_) => DType::Float64,
            Scalar::Complex(..) => DType::Complex128,
        }
    }

    /// Its value as a complex number, rounded where an integer is above 2^53.
    pub fn to_complex(self) -> Complex64 {
        match self {
            Scalar::Bool(b) => Complex64::new(f64::from(u8::from(b)), 0.0),
            Scalar::Int(i) => Complex64::new(i as f64, 0.0),
            Scalar::UInt(u) => Complex64::new(u as f64, 0.0),
            Scalar::Float(f) => Complex64::new(f, 0.0),
            Scalar::Complex(re, im) => Complex64::new(re, im),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DType::*;

    #[test]
    fn promotes_as_numpy() {
        // Read off numpy 2.4's promote_types, one row of each rule.
        for (a, b, c) in [
            (Bool, Int8, Int8),
            (Int8, UInt8, Int16),
            (Int16, UInt8, Int16),
            (Int8, UInt16, Int32),
            (Int32, UInt16, Int32),
            (Int16, UInt32, Int64),
            (Int64, UInt32, Int64),
            (Int8, UInt64, Float64),
            (Int16, Float32, Float32),
            (Int32, Float32, Float64),
            (UInt16, Complex64, Complex64),
            (Int64, Complex64, Complex128),
            (Float64, Complex64, Complex128),
            (Float32, Complex64, Complex64),
            (UInt8, UInt32, UInt32),
        ] {
            assert_eq!(a.promote(b), c, "{a} {b}");
            assert_eq!(b.promote(a), c, "{b} {a}");
        }
    }

    #[test]
    fn python_numbers_are_weak() {
        assert_eq!(UInt8.promote_weak(Kind::Signed), UInt8);
        assert_eq!(Bool.promote_weak(Kind::Signed), Int64);
        assert_eq!(Float32.promote_weak(Kind::Float), Float32);
        assert_eq!(Int32.promote_weak(Kind::Float), Float64);
        assert_eq!(Float32.promote_weak(Kind::Complex), Complex64);
        assert_eq!(Complex64.promote_weak(Kind::Float), Complex64);
    }
}
