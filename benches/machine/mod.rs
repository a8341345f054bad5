//! What this machine could do at most: dot products without memory, and reading without work.

use std::hint::black_box;
use std::time::Instant;

/// The kind of product whose peak is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    Bf16,
    Int8,
}

/// Operations per second of all threads together, a multiplication and an addition being two:
/// the best of some rounds of independent dot products in registers. None where the processor
/// has no such instruction.
pub fn peak(product: Product, num_threads: usize) -> Option<f64> {
    #[cfg(target_arch = "x86_64")]
    {
        const LOOPS: usize = 2_000_000;
        let has = match product {
            Product::Bf16 => is_x86_feature_detected!("avx512bf16"),
            Product::Int8 => is_x86_feature_detected!("avx512vnni"),
        };
        // SAFETY: the processor has the instructions.
        let run = || unsafe {
            match product {
                Product::Bf16 => x86::bf16s(LOOPS),
                Product::Int8 => x86::int8s(LOOPS),
            }
        };
        let per_instruction = match product {
            Product::Bf16 => 64,
            Product::Int8 => 128,
        };
        let operations = LOOPS * x86::CHAINS * per_instruction * num_threads;
        has.then(|| operations as f64 / fastest(num_threads, |_| run()))
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = (product, num_threads);
        None
    }
}

/// Bytes per second that all threads together read from a buffer of this size.
pub fn read_bandwidth(num_bytes: usize, num_threads: usize) -> f64 {
    let buffer: Vec<u64> = (0..num_bytes as u64 / 8).collect();
    let part = buffer.len().div_ceil(num_threads);
    let seconds = fastest(num_threads, |thread| {
        let part = &buffer[(thread * part).min(buffer.len())..];
        let (chunks, _) = part[..part.len().min(buffer.len().div_ceil(num_threads))].as_chunks();
        let mut sums = [0u64; 16];
        for chunk in chunks {
            let chunk: &[u64; 16] = chunk;
            for (sum, x) in sums.iter_mut().zip(chunk) {
                *sum ^= x;
            }
        }
        black_box(sums);
    });
    num_bytes as f64 / seconds
}

fn fastest(num_threads: usize, run: impl Fn(usize) + Sync) -> f64 {
    (0..5)
        .map(|_| {
            let started = Instant::now();
            std::thread::scope(|scope| {
                for thread in 0..num_threads {
                    let run = &run;
                    scope.spawn(move || run(thread));
                }
            });
            started.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    use std::hint::black_box;

    /// Enough independent chains of sums for two instructions a cycle of any latency.
    pub const CHAINS: usize = 16;

    /// The chains are named one by one: an array of them would live in memory.
    macro_rules! chains {
        ($loops:ident, $zero:expr, $step:expr) => {{
            let zero = $zero;
            let (mut a, mut b, mut c, mut d) = (zero, zero, zero, zero);
            let (mut e, mut f, mut g, mut h) = (zero, zero, zero, zero);
            let (mut i, mut j, mut k, mut l) = (zero, zero, zero, zero);
            let (mut m, mut n, mut o, mut p) = (zero, zero, zero, zero);
            for _ in 0..$loops {
                a = $step(a);
                b = $step(b);
                c = $step(c);
                d = $step(d);
                e = $step(e);
                f = $step(f);
                g = $step(g);
                h = $step(h);
                i = $step(i);
                j = $step(j);
                k = $step(k);
                l = $step(l);
                m = $step(m);
                n = $step(n);
                o = $step(o);
                p = $step(p);
            }
            black_box([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]);
        }};
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    pub fn bf16s(loops: usize) {
        let x = black_box(_mm512_cvtne2ps_pbh(
            _mm512_set1_ps(1.0),
            _mm512_set1_ps(1.0),
        ));
        chains!(loops, _mm512_setzero_ps(), |sum| _mm512_dpbf16_ps(
            sum, x, x
        ));
    }

    #[target_feature(enable = "avx512f,avx512vnni")]
    pub fn int8s(loops: usize) {
        let x = black_box(_mm512_set1_epi8(1));
        chains!(loops, _mm512_setzero_si512(), |sum| _mm512_dpbusd_epi32(
            sum, x, x
        ));
    }
}
