//! Registers of x86-64: AVX2 with FMA, and AVX-512.
//!
//! Soundness: the values below only come into being inside [`run_avx2`], [`run_avx512`] and [`run_avx512_bf16`], whose callers have
//! checked that the processor has the instructions.

use std::arch::x86_64::*;

use crate::simd::{Kernel, MAX_LANES, Registers, Simd, transpose_plainly};

/// Runs a kernel on AVX2 registers.
#[target_feature(enable = "avx2,fma")]
pub fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2>()
}

/// Runs a kernel on AVX-512 registers.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512>()
}

/// Runs a kernel on AVX-512 registers, with the instruction for products in bf16.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
pub fn run_avx512_bf16<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512Bf16>()
}

/// 16 registers of 256 bits.
#[derive(Clone, Copy)]
pub struct Avx2;

impl Simd for Avx2 {
    type F32 = F32x8;
    type F64 = F64x4;
    const REGISTERS: usize = 16;

    #[inline(always)]
    fn nonzero(bytes: &[u8; 64]) -> u64 {
        // SAFETY: as for `registers!`; both halves lie within the 64 bytes.
        unsafe {
            let zero = _mm256_setzero_si256();
            let low = _mm256_cmpeq_epi8(_mm256_loadu_si256(bytes.as_ptr().cast()), zero);
            let high = _mm256_cmpeq_epi8(_mm256_loadu_si256(bytes.as_ptr().add(32).cast()), zero);
            let (low, high) = (_mm256_movemask_epi8(low) as u32, _mm256_movemask_epi8(high) as u32);
            !(u64::from(low) | u64::from(high) << 32)
        }
    }

    #[inline(always)]
    fn dot_bf16(a: F32x8, b: F32x8, c: F32x8) -> F32x8 {
        // SAFETY: as for `registers!`.
        unsafe {
            let mask = _mm256_castsi256_ps(_mm256_set1_epi32(0xffff_0000_u32 as i32));
            let upper = |x: F32x8| _mm256_and_ps(x.0, mask);
            let lower = |x: F32x8| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_castps_si256(x.0)));
            F32x8(_mm256_fmadd_ps(upper(a), upper(b), _mm256_fmadd_ps(lower(a), lower(b), c.0)))
        }
    }
}

/// 32 registers of 512 bits.
#[derive(Clone, Copy)]
pub struct Avx512;

impl Simd for Avx512 {
    type F32 = F32x16;
    type F64 = F64x8;
    const REGISTERS: usize = 32;

    #[inline(always)]
    fn nonzero(bytes: &[u8; 64]) -> u64 {
        // SAFETY: as for `registers!`; the load takes exactly the 64 bytes.
        unsafe {
            let bytes = _mm512_loadu_si512(bytes.as_ptr().cast());
            _mm512_test_epi8_mask(bytes, bytes)
        }
    }

    #[inline(always)]
    fn dot_bf16(a: F32x16, b: F32x16, c: F32x16) -> F32x16 {
        // SAFETY: as for `registers!`.
        unsafe {
            let mask = _mm512_castsi512_ps(_mm512_set1_epi32(0xffff_0000_u32 as i32));
            let upper = |x: F32x16| _mm512_and_ps(x.0, mask);
            let lower = |x: F32x16| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_castps_si512(x.0)));
            F32x16(_mm512_fmadd_ps(upper(a), upper(b), _mm512_fmadd_ps(lower(a), lower(b), c.0)))
        }
    }
}

/// [`Avx512`] with an instruction for products in bf16.
#[derive(Clone, Copy)]
pub struct Avx512Bf16;

impl Simd for Avx512Bf16 {
    type F32 = F32x16;
    type F64 = F64x8;
    const REGISTERS: usize = 32;

    #[inline(always)]
    fn nonzero(bytes: &[u8; 64]) -> u64 {
        Avx512::nonzero(bytes)
    }

    #[inline(always)]
    fn dot_bf16(a: F32x16, b: F32x16, c: F32x16) -> F32x16 {
        // SAFETY: as for `registers!`; 512 bits are 32 numbers in bf16, whatever they are.
        unsafe {
            let pairs = |x: F32x16| std::mem::transmute::<__m512, __m512bh>(x.0);
            F32x16(_mm512_dpbf16_ps(c.0, pairs(a), pairs(b)))
        }
    }
}

/// Eight lanes of single precision.
#[derive(Clone, Copy)]
pub struct F32x8(__m256);
/// Four lanes of double precision.
#[derive(Clone, Copy)]
pub struct F64x4(__m256d);
/// Sixteen lanes of single precision.
#[derive(Clone, Copy)]
pub struct F32x16(__m512);
/// Eight lanes of double precision.
#[derive(Clone, Copy)]
pub struct F64x8(__m512d);

/// The operations that are one intrinsic each.
macro_rules! registers {
    ($v:ident, $t:ident, $lanes:literal, $splat:ident, $load:ident, $store:ident, $add:ident, $sub:ident,
     $mul:ident, $div:ident, $fma:ident, $sqrt:ident, $max:ident,
     |$lp:ident, $ln:ident| $load_first:expr, |$sv:ident, $sp:ident, $sn:ident| $store_first:expr,
     |$kv:ident, $ko:ident, $kn:ident| $keep_first:expr,
     |$pv:ident, $pt:ident, $po:ident| $where_positive:expr,
     |$wv:ident, $wb:ident, $wt:ident, $wo:ident| $where_equal:expr, |$qv:ident, $qo:ident| $equal:expr,
     |$mv:ident| $maximum:expr,
     |$ev:ident| $exp:expr, |$uv:ident| $sum:expr, |$fv:ident| $sums:expr, |$bp:ident| $load_bytes:expr, $transpose:path) => {
        // SAFETY (every block): a value of this type exists only where its instructions do (see the module's head);
        // memory is touched as the caller of `load` and `store` allows.
        #[allow(clippy::undocumented_unsafe_blocks)]
        impl Registers<$t> for $v {
            const LANES: usize = $lanes;
            #[inline(always)]
            fn splat(x: $t) -> Self {
                Self(unsafe { $splat(x) })
            }
            #[inline(always)]
            unsafe fn load(p: *const $t) -> Self {
                Self(unsafe { $load(p) })
            }
            #[inline(always)]
            unsafe fn load_first($lp: *const $t, $ln: usize) -> Self {
                Self(unsafe { $load_first })
            }
            #[inline(always)]
            unsafe fn load_bytes($bp: *const u8) -> Self {
                Self(unsafe { $load_bytes })
            }
            #[inline(always)]
            unsafe fn store(self, p: *mut $t) {
                unsafe { $store(p, self.0) }
            }
            #[inline(always)]
            unsafe fn store_first(self, $sp: *mut $t, $sn: usize) {
                let $sv = self.0;
                unsafe { $store_first }
            }
            #[inline(always)]
            fn add(self, b: Self) -> Self {
                Self(unsafe { $add(self.0, b.0) })
            }
            #[inline(always)]
            fn sub(self, b: Self) -> Self {
                Self(unsafe { $sub(self.0, b.0) })
            }
            #[inline(always)]
            fn mul(self, b: Self) -> Self {
                Self(unsafe { $mul(self.0, b.0) })
            }
            #[inline(always)]
            fn div(self, b: Self) -> Self {
                Self(unsafe { $div(self.0, b.0) })
            }
            #[inline(always)]
            fn mul_add(self, b: Self, c: Self) -> Self {
                Self(unsafe { $fma(self.0, b.0, c.0) })
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                Self(unsafe { $sqrt(self.0) })
            }
            #[inline(always)]
            fn max(self, b: Self) -> Self {
                Self(unsafe { $max(self.0, b.0) })
            }
            #[inline(always)]
            fn where_positive(self, then: Self, other: Self) -> Self {
                let ($pv, $pt, $po) = (self.0, then.0, other.0);
                Self(unsafe { $where_positive })
            }
            #[inline(always)]
            fn where_equal(self, b: Self, then: Self, other: Self) -> Self {
                let ($wv, $wb, $wt, $wo) = (self.0, b.0, then.0, other.0);
                Self(unsafe { $where_equal })
            }
            #[inline(always)]
            fn exp(self) -> Self {
                let $ev = self;
                $exp
            }
            #[inline(always)]
            fn keep_first(self, $kn: usize, other: Self) -> Self {
                let ($kv, $ko) = (self.0, other.0);
                Self(unsafe { $keep_first })
            }
            #[inline(always)]
            fn equal(self, b: Self) -> u32 {
                let ($qv, $qo) = (self.0, b.0);
                (unsafe { $equal }) as u32
            }
            #[inline(always)]
            fn maximum(self) -> $t {
                let $mv = self.0;
                unsafe { $maximum }
            }
            #[inline(always)]
            fn sum(self) -> $t {
                let $uv = self.0;
                unsafe { $sum }
            }
            #[inline(always)]
            fn sums($fv: [Self; 4]) -> [$t; 4] {
                $sums
            }
            #[inline(always)]
            unsafe fn transpose(rows: &[*const $t; MAX_LANES], to: *mut $t, stride: usize) {
                unsafe { $transpose(rows, to, stride) }
            }
        }
    };
}

registers!(
    F32x16,
    f32,
    16,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_add_ps,
    _mm512_sub_ps,
    _mm512_mul_ps,
    _mm512_div_ps,
    _mm512_fmadd_ps,
    _mm512_sqrt_ps,
    _mm512_max_ps,
    |p, n| _mm512_maskz_loadu_ps((1u16 << n) - 1, p),
    |v, p, n| _mm512_mask_storeu_ps(p, (1u16 << n) - 1, v),
    |v, other, n| _mm512_mask_mov_ps(other, (1u16 << n) - 1, v),
    |v, then, other| _mm512_mask_mov_ps(
        other,
        _mm512_cmp_ps_mask::<_CMP_GT_OQ>(v, _mm512_setzero_ps()),
        then
    ),
    |v, b, then, other| _mm512_mask_mov_ps(other, _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(v, b), then),
    |a, b| _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b),
    |v| _mm512_reduce_max_ps(v),
    |v| exp_f32(v),
    |v| _mm512_reduce_add_ps(v),
    |v| four_sums([halved(v[0].0), halved(v[1].0), halved(v[2].0), halved(v[3].0)]),
    |p| _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(p.cast()))),
    transpose_16
);
registers!(
    F64x8,
    f64,
    8,
    _mm512_set1_pd,
    _mm512_loadu_pd,
    _mm512_storeu_pd,
    _mm512_add_pd,
    _mm512_sub_pd,
    _mm512_mul_pd,
    _mm512_div_pd,
    _mm512_fmadd_pd,
    _mm512_sqrt_pd,
    _mm512_max_pd,
    |p, n| _mm512_maskz_loadu_pd((1u8 << n) - 1, p),
    |v, p, n| _mm512_mask_storeu_pd(p, (1u8 << n) - 1, v),
    |v, other, n| _mm512_mask_mov_pd(other, (1u8 << n) - 1, v),
    |v, then, other| _mm512_mask_mov_pd(
        other,
        _mm512_cmp_pd_mask::<_CMP_GT_OQ>(v, _mm512_setzero_pd()),
        then
    ),
    |v, b, then, other| _mm512_mask_mov_pd(other, _mm512_cmp_pd_mask::<_CMP_EQ_OQ>(v, b), then),
    |a, b| _mm512_cmp_pd_mask::<_CMP_EQ_OQ>(a, b),
    |v| _mm512_reduce_max_pd(v),
    |v| exp_f64(v),
    |v| _mm512_reduce_add_pd(v),
    |v| [v[0].sum(), v[1].sum(), v[2].sum(), v[3].sum()],
    |p| _mm512_cvtepi32_pd(_mm256_cvtepu8_epi32(_mm_loadl_epi64(p.cast()))),
    transpose_plainly::<8, f64>
);
registers!(
    F32x8,
    f32,
    8,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_add_ps,
    _mm256_sub_ps,
    _mm256_mul_ps,
    _mm256_div_ps,
    _mm256_fmadd_ps,
    _mm256_sqrt_ps,
    _mm256_max_ps,
    |p, n| _mm256_maskload_ps(p, _mm256_loadu_si256(MASK32.as_ptr().add(8 - n).cast())),
    |v, p, n| _mm256_maskstore_ps(p, _mm256_loadu_si256(MASK32.as_ptr().add(8 - n).cast()), v),
    |v, other, n| _mm256_blendv_ps(other, v, _mm256_loadu_ps(MASK32.as_ptr().add(8 - n).cast())),
    |v, then, other| _mm256_blendv_ps(other, then, _mm256_cmp_ps::<_CMP_GT_OQ>(v, _mm256_setzero_ps())),
    |v, b, then, other| _mm256_blendv_ps(other, then, _mm256_cmp_ps::<_CMP_EQ_OQ>(v, b)),
    |a, b| _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_EQ_OQ>(a, b)),
    |v| {
        let halves = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
        let quarters = _mm_max_ps(halves, _mm_movehl_ps(halves, halves));
        _mm_cvtss_f32(_mm_max_ss(quarters, _mm_shuffle_ps::<1>(quarters, quarters)))
    },
    |v| exp_f32(v),
    |v| {
        let halves = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
        let quarters = _mm_add_ps(halves, _mm_movehl_ps(halves, halves));
        _mm_cvtss_f32(_mm_add_ss(quarters, _mm_shuffle_ps::<1>(quarters, quarters)))
    },
    |v| four_sums([v[0].0, v[1].0, v[2].0, v[3].0]),
    |p| _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(p.cast()))),
    transpose_8
);
registers!(
    F64x4,
    f64,
    4,
    _mm256_set1_pd,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    _mm256_add_pd,
    _mm256_sub_pd,
    _mm256_mul_pd,
    _mm256_div_pd,
    _mm256_fmadd_pd,
    _mm256_sqrt_pd,
    _mm256_max_pd,
    |p, n| _mm256_maskload_pd(p, _mm256_loadu_si256(MASK64.as_ptr().add(4 - n).cast())),
    |v, p, n| _mm256_maskstore_pd(p, _mm256_loadu_si256(MASK64.as_ptr().add(4 - n).cast()), v),
    |v, other, n| _mm256_blendv_pd(other, v, _mm256_loadu_pd(MASK64.as_ptr().add(4 - n).cast())),
    |v, then, other| _mm256_blendv_pd(other, then, _mm256_cmp_pd::<_CMP_GT_OQ>(v, _mm256_setzero_pd())),
    |v, b, then, other| _mm256_blendv_pd(other, then, _mm256_cmp_pd::<_CMP_EQ_OQ>(v, b)),
    |a, b| _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_EQ_OQ>(a, b)),
    |v| {
        let halves = _mm_max_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd::<1>(v));
        _mm_cvtsd_f64(_mm_max_sd(halves, _mm_unpackhi_pd(halves, halves)))
    },
    |v| exp_f64(v),
    |v| {
        let halves = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd::<1>(v));
        _mm_cvtsd_f64(_mm_add_sd(halves, _mm_unpackhi_pd(halves, halves)))
    },
    |v| [v[0].sum(), v[1].sum(), v[2].sum(), v[3].sum()],
    |p| _mm256_cvtepi32_pd(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(p.cast::<i32>().read_unaligned()))),
    transpose_plainly::<4, f64>
);

/// [`Registers::transpose`] of 16 x 16, in squares of 4 x 4 and then square by square.
/// # Safety
/// As there.
#[inline(always)]
unsafe fn transpose_16(rows: &[*const f32; MAX_LANES], to: *mut f32, stride: usize) {
    // SAFETY: as for `registers!`.
    unsafe {
        let mut fours = [[_mm512_setzero_ps(); 4]; 4];
        for (i, four) in fours.iter_mut().enumerate() {
            let (a, b) = (_mm512_loadu_ps(rows[4 * i]), _mm512_loadu_ps(rows[4 * i + 1]));
            let (c, d) = (_mm512_loadu_ps(rows[4 * i + 2]), _mm512_loadu_ps(rows[4 * i + 3]));
            let (ab, ab_high) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
            let (cd, cd_high) = (_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
            // In quarter `q` of register `j`: number `4 q + j` of these four rows.
            *four = [
                _mm512_shuffle_ps::<0b01_00_01_00>(ab, cd),
                _mm512_shuffle_ps::<0b11_10_11_10>(ab, cd),
                _mm512_shuffle_ps::<0b01_00_01_00>(ab_high, cd_high),
                _mm512_shuffle_ps::<0b11_10_11_10>(ab_high, cd_high),
            ];
        }
        let mut columns = [[_mm512_setzero_ps(); 4]; 4];
        for (j, columns) in columns.iter_mut().enumerate() {
            let [a, b, c, d] = [fours[0][j], fours[1][j], fours[2][j], fours[3][j]];
            let even = _mm512_shuffle_f32x4::<0b10_00_10_00>(a, b);
            let odd = _mm512_shuffle_f32x4::<0b11_01_11_01>(a, b);
            let even_low = _mm512_shuffle_f32x4::<0b10_00_10_00>(c, d);
            let odd_low = _mm512_shuffle_f32x4::<0b11_01_11_01>(c, d);
            *columns = [
                _mm512_shuffle_f32x4::<0b10_00_10_00>(even, even_low),
                _mm512_shuffle_f32x4::<0b10_00_10_00>(odd, odd_low),
                _mm512_shuffle_f32x4::<0b11_01_11_01>(even, even_low),
                _mm512_shuffle_f32x4::<0b11_01_11_01>(odd, odd_low),
            ];
        }
        for q in 0..4 {
            for (j, column) in columns.iter().enumerate() {
                _mm512_storeu_ps(to.add((4 * q + j) * stride), column[q]);
            }
        }
    }
}

/// [`Registers::transpose`] of 8 x 8, in the same way.
/// # Safety
/// As there.
#[inline(always)]
unsafe fn transpose_8(rows: &[*const f32; MAX_LANES], to: *mut f32, stride: usize) {
    // SAFETY: as for `registers!`.
    unsafe {
        let mut halves = [[_mm256_setzero_ps(); 4]; 2];
        for (i, half) in halves.iter_mut().enumerate() {
            let (a, b) = (_mm256_loadu_ps(rows[4 * i]), _mm256_loadu_ps(rows[4 * i + 1]));
            let (c, d) = (_mm256_loadu_ps(rows[4 * i + 2]), _mm256_loadu_ps(rows[4 * i + 3]));
            let (ab, ab_high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            let (cd, cd_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
            *half = [
                _mm256_shuffle_ps::<0b01_00_01_00>(ab, cd),
                _mm256_shuffle_ps::<0b11_10_11_10>(ab, cd),
                _mm256_shuffle_ps::<0b01_00_01_00>(ab_high, cd_high),
                _mm256_shuffle_ps::<0b11_10_11_10>(ab_high, cd_high),
            ];
        }
        for (j, (&a, &b)) in halves[0].iter().zip(&halves[1]).enumerate() {
            _mm256_storeu_ps(to.add(j * stride), _mm256_permute2f128_ps::<0x20>(a, b));
        }
        for (j, (&a, &b)) in halves[0].iter().zip(&halves[1]).enumerate() {
            _mm256_storeu_ps(to.add((4 + j) * stride), _mm256_permute2f128_ps::<0x31>(a, b));
        }
    }
}

/// The upper half added to the lower one.
#[inline(always)]
fn halved(v: __m512) -> __m256 {
    // SAFETY: as for `registers!`.
    unsafe { _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps::<1>(v)) }
}

/// The sums of four registers, added crosswise: half the work of one after the other.
#[inline(always)]
fn four_sums([a, b, c, d]: [__m256; 4]) -> [f32; 4] {
    // SAFETY: as for `registers!`.
    unsafe {
        let quarters = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
        let sums = _mm_add_ps(_mm256_castps256_ps128(quarters), _mm256_extractf128_ps::<1>(quarters));
        let mut out = [0.0; 4];
        _mm_storeu_ps(out.as_mut_ptr(), sums);
        out
    }
}

/// Read from `8 - n` on, its first `n` entries are set.
static MASK32: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
static MASK64: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];

/// What the vector exponential needs beyond [`Registers`].
trait ExpParts: Registers<f32> {
    /// Nearest whole number.
    fn round(self) -> Self;
    /// `self * 2^n`, for whole `n` with a normal result.
    fn scale(self, n: Self) -> Self;
    /// The smaller of each pair of lanes.
    fn min(self, b: Self) -> Self;
    /// `value` where a lane is NaN, else the lane of `self`.
    fn keep_nan(self, value: Self) -> Self;
}

// SAFETY (every block): as for `registers!`.
#[allow(clippy::undocumented_unsafe_blocks)]
impl ExpParts for F32x16 {
    #[inline(always)]
    fn round(self) -> Self {
        Self(unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0) })
    }
    #[inline(always)]
    fn scale(self, n: Self) -> Self {
        Self(unsafe { _mm512_scalef_ps(self.0, n.0) })
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        Self(unsafe { _mm512_min_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn keep_nan(self, value: Self) -> Self {
        unsafe {
            Self(_mm512_mask_mov_ps(self.0, _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(value.0, value.0), value.0))
        }
    }
}

// SAFETY (every block): as for `registers!`.
#[allow(clippy::undocumented_unsafe_blocks)]
impl ExpParts for F32x8 {
    #[inline(always)]
    fn round(self) -> Self {
        Self(unsafe { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0) })
    }
    #[inline(always)]
    fn scale(self, n: Self) -> Self {
        // 2^n in two halves, so that neither exponent leaves its field: n reaches -150 and 128.
        unsafe {
            let n = _mm256_cvtps_epi32(n.0);
            let half = _mm256_srai_epi32::<1>(n);
            let power =
                |k| _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(k, _mm256_set1_epi32(127))));
            Self(_mm256_mul_ps(_mm256_mul_ps(self.0, power(half)), power(_mm256_sub_epi32(n, half))))
        }
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        Self(unsafe { _mm256_min_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn keep_nan(self, value: Self) -> Self {
        unsafe { Self(_mm256_blendv_ps(self.0, value.0, _mm256_cmp_ps::<_CMP_UNORD_Q>(value.0, value.0))) }
    }
}

/// `exp` in single precision, within 2 units in the last place: `2^n e^r` with `|r| <= ln 2 / 2` and the Taylor
/// polynomial of degree 7 for `e^r`; `ln 2` in two parts, so that `r` keeps its bits (Cody and Waite's reduction).
#[inline(always)]
fn exp_f32<V: ExpParts>(x: V) -> V {
    // Beyond these the result is infinity and zero.
    let clamped = x.max(V::splat(-104.0)).min(V::splat(89.0));
    let n = clamped.mul(V::splat(std::f32::consts::LOG2_E)).round();
    let r = n.mul_add(V::splat(-0.693_359_4), clamped);
    let r = n.mul_add(V::splat(2.121_944_4e-4), r);
    let mut p = V::splat(1.0 / 5040.0);
    for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = p.mul_add(r, V::splat(c));
    }
    p.scale(n).keep_nan(x)
}

/// `exp` in double precision, lane by lane: here exactness counts, not speed.
#[inline(always)]
fn exp_f64<V: Registers<f64>>(x: V) -> V {
    let mut lanes = [0.0; 8];
    // SAFETY: no register of doubles has more than eight lanes.
    unsafe {
        x.store(lanes.as_mut_ptr());
        for lane in lanes.iter_mut().take(V::LANES) {
            *lane = lane.exp();
        }
        V::load(lanes.as_ptr())
    }
}
