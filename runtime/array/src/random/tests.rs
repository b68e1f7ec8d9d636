//! Digests of what `dask.array` (2026.8) with NumPy 2.4 computes; `tests/make_random.py` prints them. In each case four
//! blocks of another array were drawn before, from the same generator.

use super::*;
use DType::*;

fn pcg(entropy: &[u32]) -> Rng {
    Rng::Pcg64 { entropy: entropy.to_vec(), spawned: 4 }
}

fn mt(seed: u32) -> Rng {
    Rng::Mt19937 { seed, spawned: 4 }
}

fn draw(of: (&Rng, Draw, DType), block: i64, shape: &[usize]) -> Result<Chunk, Error> {
    let dims: Vec<Int> = shape.iter().map(|&n| Int::from(n)).collect();
    run(of, None, Int::Lit(block), &dims, &[], &Context::default())
}

/// Over the elements' bits in C order: `h = 31 h + bits + 1`.
fn digest(x: &Chunk) -> u64 {
    let items = x.as_bytes().unwrap().chunks_exact(x.dtype().itemsize());
    items.fold(0, |h: u64, item| {
        let mut bits = [0; 8];
        bits[..item.len()].copy_from_slice(item);
        h.wrapping_mul(31).wrapping_add(u64::from_le_bytes(bits)).wrapping_add(1)
    })
}

/// Generator, what it draws, dtype, the block's number, its shape, and the digest.
type Case<'a> = (Rng, Draw, DType, i64, &'a [usize], u64);

#[test]
fn blocks_are_dasks() {
    #[rustfmt::skip]
    let cases: &[Case<'_>] = &[
        (pcg(&[42]), Draw::Random, Float64, 0, &[100, 70], 3278784812305498790),
        (pcg(&[42]), Draw::Random, Float64, 3, &[50, 70], 15087363346507374985),
        (pcg(&[0]), Draw::Random, Float32, 2, &[33], 1166082878208461768),
        (pcg(&[5, 0, 64]), Draw::Random, Float64, 1, &[1000], 12613027838592916083),
        (mt(42), Draw::Random, Float64, 3, &[50, 70], 11566012925961233712),
        (pcg(&[1]), Draw::StandardNormal, Float64, 1, &[100000], 12277314007894670754),
        (pcg(&[1]), Draw::StandardNormal, Float32, 1, &[100000], 2375430638697557213),
        (mt(1), Draw::StandardNormal, Float64, 1, &[1001], 11783297080932689203),
        (pcg(&[9]), Draw::Integers { low: -5, high: 10 }, Int64, 0, &[151], 12072786868270036877),
        (pcg(&[9]), Draw::Integers { low: 0, high: 4294967296 }, Int64, 0, &[151], 4228824863446250255),
        (pcg(&[9]), Draw::Integers { low: -4611686018427387904, high: 4611686018427400249 }, Int64, 0, &[151], 3764914682287835944),
        (pcg(&[9]), Draw::Integers { low: i64::MIN, high: i64::MAX }, Int64, 0, &[151], 9880515583677249929),
        (pcg(&[9]), Draw::Integers { low: 7, high: 8 }, Int64, 0, &[151], 16912829664779228424),
        (pcg(&[9]), Draw::Integers { low: 3, high: i64::MAX }, UInt64, 0, &[151], 15768345631841968080),
        (pcg(&[9]), Draw::Integers { low: -2147483648, high: 2147483648 }, Int32, 0, &[151], 12460873267475755791),
        (pcg(&[9]), Draw::Integers { low: -7, high: 1073741824 }, Int32, 0, &[151], 17356221202136448513),
        (pcg(&[9]), Draw::Integers { low: 0, high: 4294967296 }, UInt32, 0, &[151], 4228824863446250255),
        (pcg(&[9]), Draw::Integers { low: 1, high: 4294967296 }, UInt32, 0, &[151], 4228824863446250255),
        (pcg(&[9]), Draw::Integers { low: -32768, high: 32768 }, Int16, 0, &[67003], 3720668442704505564),
        (pcg(&[9]), Draw::Integers { low: -300, high: 20000 }, Int16, 0, &[67003], 1941003169534450160),
        (pcg(&[9]), Draw::Integers { low: 0, high: 50000 }, UInt16, 0, &[151], 15019590811498211707),
        (pcg(&[9]), Draw::Integers { low: 0, high: 65536 }, UInt16, 0, &[151], 5193126572295050152),
        (pcg(&[9]), Draw::Integers { low: -100, high: 100 }, Int8, 0, &[151], 7378473215231295451),
        (pcg(&[9]), Draw::Integers { low: -128, high: 128 }, Int8, 0, &[151], 11184509458184898839),
        (pcg(&[9]), Draw::Integers { low: 0, high: 256 }, UInt8, 0, &[67003], 3253969822073053824),
        (pcg(&[9]), Draw::Integers { low: 10, high: 141 }, UInt8, 0, &[67003], 4035786913098804457),
        (pcg(&[9]), Draw::Integers { low: 0, high: 2 }, Bool, 0, &[151], 8276720820453230718),
        (pcg(&[9]), Draw::Integers { low: 1, high: 2 }, Bool, 0, &[151], 4228207416194807106),
        (pcg(&[9]), Draw::Integers { low: 0, high: 4294967295 }, Int64, 0, &[151], 2114721155348846702),
        (pcg(&[9]), Draw::Integers { low: 0, high: 1099511627776 }, Int64, 0, &[151], 17774725285464574027),
        (mt(9), Draw::Integers { low: -5, high: 10 }, Int64, 0, &[151], 9311599992593527537),
        (mt(9), Draw::Integers { low: 0, high: 4294967296 }, Int64, 0, &[151], 9436422368468778313),
        (mt(9), Draw::Integers { low: -4611686018427387904, high: 4611686018427400249 }, Int64, 0, &[151], 10152288504767657701),
        (mt(9), Draw::Integers { low: i64::MIN, high: i64::MAX }, Int64, 0, &[151], 18001200952980804552),
        (mt(9), Draw::Integers { low: 7, high: 8 }, Int64, 0, &[151], 16912829664779228424),
        (mt(9), Draw::Integers { low: 3, high: i64::MAX }, UInt64, 0, &[151], 15120140040418239403),
        (mt(9), Draw::Integers { low: -2147483648, high: 2147483648 }, Int32, 0, &[151], 11674147310184545609),
        (mt(9), Draw::Integers { low: -7, high: 1073741824 }, Int32, 0, &[151], 14373640663274843141),
        (mt(9), Draw::Integers { low: 0, high: 4294967296 }, UInt32, 0, &[151], 9436422368468778313),
        (mt(9), Draw::Integers { low: 1, high: 4294967296 }, UInt32, 0, &[151], 11550526076566181866),
        (mt(9), Draw::Integers { low: -32768, high: 32768 }, Int16, 0, &[67003], 3889140013049257598),
        (mt(9), Draw::Integers { low: -300, high: 20000 }, Int16, 0, &[67003], 4707455280866225056),
        (mt(9), Draw::Integers { low: 0, high: 50000 }, UInt16, 0, &[151], 7137245708080304045),
        (mt(9), Draw::Integers { low: 0, high: 65536 }, UInt16, 0, &[151], 17808680140196382798),
        (mt(9), Draw::Integers { low: -100, high: 100 }, Int8, 0, &[151], 2277373072343047776),
        (mt(9), Draw::Integers { low: -128, high: 128 }, Int8, 0, &[151], 15650480655931431234),
        (mt(9), Draw::Integers { low: 0, high: 256 }, UInt8, 0, &[67003], 2944290357545192469),
        (mt(9), Draw::Integers { low: 10, high: 141 }, UInt8, 0, &[67003], 4454445631683488852),
        (mt(9), Draw::Integers { low: 0, high: 2 }, Bool, 0, &[151], 1024335350393064102),
        (mt(9), Draw::Integers { low: 1, high: 2 }, Bool, 0, &[151], 4228207416194807106),
        (mt(9), Draw::Integers { low: 0, high: 4294967295 }, Int64, 0, &[151], 9436422368468778313),
        (mt(9), Draw::Integers { low: 0, high: 1099511627776 }, Int64, 0, &[151], 8383810128219476936),
    ];
    for (rng, what, dtype, block, shape, expected) in cases {
        let x = draw((rng, *what, *dtype), *block, shape).unwrap();
        assert_eq!((x.shape(), digest(&x)), (*shape, *expected), "{rng:?} {what:?} {dtype}");
    }
}

#[test]
fn the_first_numbers_are_dasks() {
    // dask.array.random.default_rng(42).random((3, 3)).compute()[0]
    let x = draw((&Rng::Pcg64 { entropy: vec![42], spawned: 0 }, Draw::Random, Float64), 0, &[3, 3]).unwrap();
    assert_eq!(
        x.as_slice::<f64>().unwrap()[..3],
        [0.9167441575549085, 0.9109866676343232, 0.8765925046098457]
    );
}

#[test]
fn a_stream_gives_the_block_in_pieces() {
    for rng in [pcg(&[3]), mt(3)] {
        let whole = draw((&rng, Draw::Random, Float64), 2, &[100]).unwrap();
        let mut stream = RandomStream::new(&rng, None, 2, &Context::default()).unwrap();
        let mut out = [0.0; 100];
        out.chunks_mut(37).for_each(|tile| stream.fill(tile));
        assert_eq!(whole.as_slice::<f64>().unwrap(), out);
    }
}

#[test]
fn what_cannot_be_drawn_is_named() {
    let text = |rng: &Rng, what, dtype| draw((rng, what, dtype), 0, &[1]).unwrap_err().to_string();
    let integers = |low, high| Draw::Integers { low, high };
    assert!(text(&mt(1), Draw::Random, Float32).contains("RandomState draws float64, not float32"));
    assert!(
        text(&pcg(&[1]), Draw::StandardNormal, Int8).contains("Generator draws float64 or float32, not int8")
    );
    assert!(text(&pcg(&[1]), integers(0, 5), Float64).contains("not float64"));
    assert!(text(&pcg(&[1]), integers(5, 5), Int64).contains("from 5 below 5"));
    assert!(text(&pcg(&[1]), integers(i64::MAX, i64::MIN), Int64).contains("there are none"));
    assert!(text(&pcg(&[1]), integers(0, 257), UInt8).contains("do not fit uint8"));
    assert!(draw((&pcg(&[1]), Draw::Random, Float64), -1, &[1]).is_err());
    let late = Rng::Pcg64 { entropy: vec![1], spawned: u64::MAX };
    assert!(draw((&late, Draw::Random, Float64), 1, &[1]).is_err());
}

#[test]
fn empty_entropy_is_zero_and_empty_blocks_are_empty() {
    let (none, zero) = (pcg(&[]), pcg(&[0]));
    let of = |rng| draw((rng, Draw::Random, Float64), 0, &[5]).unwrap();
    assert_eq!(of(&none), of(&zero));
    assert!(draw((&zero, Draw::StandardNormal, Float64), 0, &[0, 3]).unwrap().is_empty());
}

#[test]
fn a_key_seeds_the_older_generator() {
    let random = |key: Option<&Chunk>, n: usize| {
        let of = (&Rng::Mt19937Key, Draw::Random, DType::Float64);
        super::run(of, key, Int::Lit(0), &[Int::from(n)], &[], &Context::default())
    };
    let key = Chunk::from_slice(&[624], &(0..624).collect::<Vec<u32>>());
    // numpy.random.RandomState(numpy.arange(624, dtype="uint32")).random_sample(1000)[[0, 1, 311, 312, 999]]
    let drawn = random(Some(&key), 1000).unwrap();
    let drawn = drawn.as_slice::<f64>().unwrap();
    assert_eq!(
        [0, 1, 311, 312, 999].map(|i| drawn[i]),
        [0.2055544696761198, 0.5330331297477218, 0.5542896363814631, 0.4859948298431046, 0.7572186500273032]
    );
    assert!(random(None, 3).unwrap_err().to_string().contains("takes a key"));
    let short = Chunk::from_slice(&[2], &[1u32, 2]);
    assert!(random(Some(&short), 3).unwrap_err().to_string().contains("it takes 624 words"));
}
