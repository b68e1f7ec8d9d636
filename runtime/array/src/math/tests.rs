//! Checks against correctly rounded results.

use super::level::{Fused, Level, Plain};
use super::*;
use crate::elementwise::kernel::Kernel;

/// Function, arguments and result, as bits.
const ORACLE: &str = include_str!("oracle.txt");

fn parse(line: &str) -> (&str, Vec<f64>) {
    let mut words = line.split(' ');
    let name = words.next().unwrap();
    (name, words.map(|w| f64::from_bits(u64::from_str_radix(w, 16).unwrap())).collect())
}

fn at1<F: Function1, L: Level>(x: f64) -> f64 {
    if F::is_rare(x) { F::rare(x) } else { F::at::<L>(x) }
}

fn at2<F: Function2, L: Level>(x: f64, y: f64) -> f64 {
    if F::is_ordinary(x, y) {
        let (short, long) = (F::ordinary::<L>(x, y), F::at::<L>(x, y));
        assert_eq!(short.to_bits(), long.to_bits(), "{x}, {y}");
    }
    if F::is_rare(x, y) { F::rare(x, y) } else { F::at::<L>(x, y) }
}

fn evaluate<L: Level>(name: &str, x: &[f64]) -> f64 {
    macro_rules! table {
        ($($one:literal $f:ident),*; $($two:literal $g:ident),*) => {
            match name {
                $($one => at1::<$f, L>(x[0]),)*
                $($two => at2::<$g, L>(x[0], x[1]),)*
                _ => panic!("{name}"),
            }
        };
    }
    table!("exp" Exp, "exp2" Exp2, "expm1" Expm1, "sinh" Sinh, "cosh" Cosh, "tanh" Tanh, "log" Log, "log2" Log2,
        "log10" Log10, "log1p" Log1p, "arcsinh" Arcsinh, "arccosh" Arccosh, "arctanh" Arctanh, "sin" Sin, "cos" Cos,
        "tan" Tan, "arcsin" Arcsin, "arccos" Arccos, "arctan" Arctan, "cbrt" Cbrt;
        "power" Power, "hypot" Hypot, "arctan2" Arctan2, "logaddexp" Logaddexp, "logaddexp2" Logaddexp2)
}

/// Numbers between two.
fn ulps(a: f64, b: f64) -> u64 {
    if a == b || a.is_nan() && b.is_nan() {
        return 0;
    }
    let order = |x: f64| if x < 0.0 { -((x.to_bits() & !(1 << 63)) as i64) } else { x.to_bits() as i64 };
    order(a).abs_diff(order(b))
}

#[test]
fn errors_stay_below_two_ulp() {
    let mut wrong = Vec::new();
    let mut worst: std::collections::BTreeMap<&str, u64> = Default::default();
    for line in ORACLE.lines().filter(|l| !l.starts_with('#')) {
        let (name, numbers) = parse(line);
        let (expected, x) = numbers.split_last().unwrap();
        for (level, y) in [("fused", evaluate::<Fused>(name, x)), ("plain", evaluate::<Plain>(name, x))] {
            let off = ulps(y, *expected);
            let limit = if name.starts_with("logaddexp") { 4 } else { 2 };
            if off > limit {
                wrong.push(format!("{name} {level} {x:?}: {y:e} {expected:e} ({off} ulp)"));
            }
            let w = worst.entry(name).or_default();
            *w = (*w).max(off);
        }
    }
    assert!(wrong.is_empty(), "{worst:?}\n{}", wrong.join("\n"));
}

/// Arguments and results.
type Pairs<'a> = &'a [(f64, f64)];
type Triples<'a> = &'a [(f64, f64, f64)];

#[test]
fn special_values_are_those_of_c99() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
    let one: &[(&str, Pairs<'_>)] = &[
        ("exp", &[(inf, inf), (-inf, 0.0), (nan, nan), (0.0, 1.0), (1000.0, inf), (-1000.0, 0.0)]),
        ("exp2", &[(inf, inf), (-inf, 0.0), (nan, nan), (10.0, 1024.0), (1e300, inf), (-1e300, 0.0)]),
        ("expm1", &[(inf, inf), (-inf, -1.0), (nan, nan), (-0.0, -0.0), (1000.0, inf), (-1000.0, -1.0)]),
        ("sinh", &[(inf, inf), (-inf, -inf), (nan, nan), (-0.0, -0.0), (1000.0, inf)]),
        ("cosh", &[(inf, inf), (-inf, inf), (nan, nan), (-0.0, 1.0), (-1000.0, inf)]),
        ("tanh", &[(inf, 1.0), (-inf, -1.0), (nan, nan), (-0.0, -0.0)]),
        ("log", &[(inf, inf), (0.0, -inf), (-0.0, -inf), (-1.0, nan), (-inf, nan), (nan, nan), (1.0, 0.0)]),
        ("log2", &[(inf, inf), (0.0, -inf), (-1.0, nan), (nan, nan), (1.0, 0.0), (8.0, 3.0)]),
        ("log10", &[(inf, inf), (0.0, -inf), (-1.0, nan), (nan, nan), (1.0, 0.0), (1000.0, 3.0)]),
        ("log1p", &[(inf, inf), (-1.0, -inf), (-2.0, nan), (-inf, nan), (nan, nan), (-0.0, -0.0)]),
        ("arcsinh", &[(inf, inf), (-inf, -inf), (nan, nan), (-0.0, -0.0)]),
        ("arccosh", &[(inf, inf), (0.5, nan), (nan, nan), (1.0, 0.0), (-inf, nan), (-2147483648.0, nan)]),
        ("arctanh", &[(1.0, inf), (-1.0, -inf), (2.0, nan), (nan, nan), (-0.0, -0.0), (inf, nan)]),
        ("sin", &[(inf, nan), (nan, nan), (-0.0, -0.0)]),
        ("cos", &[(inf, nan), (nan, nan), (-0.0, 1.0)]),
        ("tan", &[(inf, nan), (nan, nan), (-0.0, -0.0)]),
        ("arcsin", &[(2.0, nan), (nan, nan), (-0.0, -0.0), (-inf, nan)]),
        ("arccos", &[(2.0, nan), (nan, nan), (1.0, 0.0), (-2.0, nan)]),
        ("arctan", &[(nan, nan), (-0.0, -0.0), (inf, std::f64::consts::FRAC_PI_2)]),
        ("cbrt", &[(inf, inf), (-inf, -inf), (nan, nan), (-0.0, -0.0), (-27.0, -3.0)]),
    ];
    for (name, cases) in one {
        for &(x, expected) in *cases {
            for y in [evaluate::<Fused>(name, &[x]), evaluate::<Plain>(name, &[x])] {
                assert!(same(y, expected), "{name}({x}) = {y}, not {expected}");
            }
        }
    }
    let two: &[(&str, Triples<'_>)] = &[
        (
            "power",
            &[
                (nan, 0.0, 1.0),
                (1.0, nan, 1.0),
                (1.0, inf, 1.0),
                (-1.0, inf, 1.0),
                (0.0, -1.0, inf),
                (-0.0, -1.0, -inf),
                (-0.0, -2.0, inf),
                (-0.0, 3.0, -0.0),
                (0.0, 0.0, 1.0),
                (-8.0, 1.0 / 3.0, nan),
                (-2.0, 3.0, -8.0),
                (-2.0, 2.0, 4.0),
                (-inf, 3.0, -inf),
                (-inf, -3.0, -0.0),
                (inf, -1.0, 0.0),
                (0.5, inf, 0.0),
                (2.0, inf, inf),
                (2.0, -inf, 0.0),
                (2.0, 1e5, inf),
                (2.0, -1e5, 0.0),
                (1e300, 1e300, inf),
                (nan, 1.0, nan),
                (2.0, nan, nan),
                (-1.0, 1e17, 1.0),
                (-1.0, 9007199254740991.0, -1.0),
            ],
        ),
        (
            "hypot",
            &[
                (inf, nan, inf),
                (nan, -inf, inf),
                (nan, 1.0, nan),
                (0.0, -0.0, 0.0),
                (3.0, -4.0, 5.0),
                (1e308, 1.0, 1e308),
            ],
        ),
        (
            "arctan2",
            &[
                (0.0, 1.0, 0.0),
                (-0.0, 1.0, -0.0),
                (0.0, -1.0, std::f64::consts::PI),
                (-0.0, -0.0, -std::f64::consts::PI),
                (0.0, 0.0, 0.0),
                (1.0, 0.0, std::f64::consts::FRAC_PI_2),
                (-1.0, -0.0, -std::f64::consts::FRAC_PI_2),
                (inf, inf, std::f64::consts::FRAC_PI_4),
                (inf, -inf, 3.0 * std::f64::consts::FRAC_PI_4),
                (1.0, inf, 0.0),
                (1.0, -inf, std::f64::consts::PI),
                (-inf, 1.0, -std::f64::consts::FRAC_PI_2),
                (nan, 1.0, nan),
                (1.0, nan, nan),
            ],
        ),
        (
            "logaddexp",
            &[(inf, inf, inf), (-inf, -inf, -inf), (inf, -inf, inf), (nan, 1.0, nan), (-inf, 2.0, 2.0)],
        ),
        ("logaddexp2", &[(3.0, 3.0, 4.0), (-inf, -inf, -inf), (1.0, nan, nan)]),
    ];
    for (name, cases) in two {
        for &(x, y, expected) in *cases {
            for z in [evaluate::<Fused>(name, &[x, y]), evaluate::<Plain>(name, &[x, y])] {
                assert!(same(z, expected), "{name}({x}, {y}) = {z}, not {expected}");
            }
        }
    }
}

/// A result must not depend on where in a tile its element lies.
#[test]
fn places_do_not_matter() {
    use crate::elementwise::kernel::{leveled1, leveled2};
    let x: Vec<f64> = (0..67).map(|i| (f64::from(i) - 20.0) * 0.37).collect();
    let y: Vec<f64> = (0..67).map(|i| f64::from(i % 7) - 3.0).collect();
    let kernels: [(&str, Kernel); 8] = [
        ("exp", leveled1::<f64, f64, Exp>()),
        ("log", leveled1::<f64, f64, Log>()),
        ("sin", leveled1::<f64, f64, Sin>()),
        ("tanh", leveled1::<f64, f64, Tanh>()),
        ("arctan", leveled1::<f64, f64, Arctan>()),
        ("cbrt", leveled1::<f64, f64, Cbrt>()),
        ("power", leveled2::<f64, f64, Power>()),
        ("hypot", leveled2::<f64, f64, Hypot>()),
    ];
    for (name, kernel) in kernels {
        let run = |from: usize, to: usize| {
            let mut out = vec![0.0; to - from];
            let args = [x[from..].as_ptr().cast(), y[from..].as_ptr().cast(), std::ptr::null()];
            #[allow(unsafe_code)] // Kernels are called as tiles call them; the block says why it is sound.
            // SAFETY: slices of `to - from` elements.
            unsafe {
                kernel(args, out.as_mut_ptr().cast(), to - from);
            }
            out.iter().map(|v: &f64| v.to_bits()).collect::<Vec<_>>()
        };
        let whole = run(0, x.len());
        for from in 0..9 {
            assert_eq!(run(from, x.len()), whole[from..], "{name} from {from}");
            assert_eq!(run(from, from + 3), whole[from..from + 3], "{name} from {from}");
        }
    }
}
