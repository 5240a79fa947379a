//! Vector registers, and the choice of the widest ones the processor has.
//!
//! A kernel is a [`Kernel`]: a struct of its arguments with one generic `run`. [`dispatch`] compiles `run` once per
//! instruction set and picks one at run time; everything in it is inlined into a function that has that
//! instruction set's features enabled, so that each operation of [`Registers`] becomes one instruction.

use std::sync::OnceLock;

use crate::Float;

/// An instruction set: which registers hold `f32` and `f64`.
pub trait Simd: Copy {
    /// Registers of single precision.
    type F32: Registers<f32>;
    /// Registers of double precision.
    type F64: Registers<f64>;
    /// How many registers there are: bounds the size of the tiles that products keep in them.
    const REGISTERS: usize;

    /// Which of 64 bytes are not zero, the first in the lowest bit.
    fn nonzero(bytes: &[u8; 64]) -> u64;

    /// `c + a b` where each lane of `a` and `b` holds two numbers in bf16, the earlier one below: the sum of both products.
    fn dot_bf16(a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
}

/// A register of `LANES` numbers.
pub trait Registers<T: Float>: Copy {
    /// How many numbers it holds.
    const LANES: usize;

    /// The same number in every lane.
    fn splat(x: T) -> Self;
    /// # Safety
    /// `LANES` numbers can be read from `p`.
    unsafe fn load(p: *const T) -> Self;
    /// Loads `n` numbers, `n < LANES`; the other lanes are zero.
    /// # Safety
    /// `n` numbers can be read from `p`.
    unsafe fn load_first(p: *const T, n: usize) -> Self;
    /// Loads bytes, each as a number.
    /// # Safety
    /// `LANES` bytes can be read from `p`.
    unsafe fn load_bytes(p: *const u8) -> Self;
    /// # Safety
    /// `LANES` numbers can be written to `p`.
    unsafe fn store(self, p: *mut T);
    /// Stores the first `n` lanes, `n < LANES`.
    /// # Safety
    /// `n` numbers can be written to `p`.
    unsafe fn store_first(self, p: *mut T, n: usize);
    /// `self + b`
    fn add(self, b: Self) -> Self;
    /// `self - b`
    fn sub(self, b: Self) -> Self;
    /// `self * b`
    fn mul(self, b: Self) -> Self;
    /// `self / b`
    fn div(self, b: Self) -> Self;
    /// `self * b + c`, rounded once where the processor can.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// Square root of each lane.
    fn sqrt(self) -> Self;
    /// The larger of each pair of lanes; that of `b` if one is not a number.
    fn max(self, b: Self) -> Self;
    /// The lanes of `then` where this is above zero, else those of `other`.
    fn where_positive(self, then: Self, other: Self) -> Self;
    /// The lanes of `then` where this equals `b`, else those of `other`.
    fn where_equal(self, b: Self, then: Self, other: Self) -> Self;
    /// `e` to the power of each lane.
    fn exp(self) -> Self;
    /// The first `n` lanes, `n < LANES`; the others are those of `other`.
    fn keep_first(self, n: usize, other: Self) -> Self;
    /// Which lanes are equal, the first in the lowest bit.
    fn equal(self, b: Self) -> u32;
    /// The largest lane.
    fn maximum(self) -> T;
    /// The sum of all lanes, always added in the same order.
    fn sum(self) -> T;
    /// The sums of four registers.
    fn sums(registers: [Self; 4]) -> [T; 4];
    /// Writes a square with rows and columns exchanged: the first numbers of the first `LANES` rows, then, `stride` numbers on,
    /// their second ones, and so on, always in this order: with a small `stride`, what comes later is what stays.
    /// # Safety
    /// `LANES` numbers can be read from each of the first `LANES` rows, and written to `to`, `to + stride`, ...
    unsafe fn transpose(rows: &[*const T; MAX_LANES], to: *mut T, stride: usize);
}

/// What inputs may be stored as: numbers or bytes.
pub trait Stored: Copy + Sync {
    /// Which of at most 64 elements are not zero, the first in the lowest bit. What is not a number is not zero.
    fn nonzero<S: Simd>(elements: &[Self]) -> u64;
}

impl<T: Float> Stored for T {
    #[inline(always)]
    fn nonzero<S: Simd>(elements: &[T]) -> u64 {
        let (lanes, zero) = (T::Register::<S>::LANES, T::Register::<S>::splat(T::ZERO));
        let mut zeros = 0;
        for (i, elements) in elements.chunks(lanes).enumerate() {
            zeros |= u64::from(load::<S, T>(elements, T::ONE).equal(zero)) << (i * lanes);
        }
        !zeros & (!0 >> (64 - elements.len()))
    }
}

impl Stored for u8 {
    #[inline(always)]
    fn nonzero<S: Simd>(elements: &[u8]) -> u64 {
        match elements.as_array() {
            Some(bytes) => S::nonzero(bytes),
            None => {
                let mut padded = [0; 64];
                padded[..elements.len()].copy_from_slice(elements);
                S::nonzero(&padded)
            }
        }
    }
}

/// What inputs may be stored as, where the arithmetic is in `T`: numbers of that type, or bytes.
pub trait Element<T: Float>: Stored {
    /// As a number.
    fn number(self) -> T;
    /// # Safety
    /// `R::LANES` elements can be read from `p`.
    unsafe fn load<R: Registers<T>>(p: *const Self) -> R;
    /// Loads `n < R::LANES` elements; the other lanes are zero.
    /// # Safety
    /// `n` elements can be read from `p`.
    unsafe fn load_first<R: Registers<T>>(p: *const Self, n: usize) -> R;
    /// Elements that are numbers of `T` already, as such.
    fn numbers(elements: &[Self]) -> Option<&[T]>;
    /// Whether it is worth looking for stretches of zeros.
    const MAY_BE_EMPTY: bool;
    /// Zero if all of `R::LANES` elements are; not zero also where it is not worth looking.
    /// # Safety
    /// `R::LANES` elements can be read from `p`.
    unsafe fn ink<R: Registers<T>>(p: *const Self) -> u64;
}

impl<T: Float> Element<T> for T {
    #[inline(always)]
    fn number(self) -> T {
        self
    }
    #[inline(always)]
    unsafe fn load<R: Registers<T>>(p: *const T) -> R {
        // SAFETY: passed on to the caller.
        unsafe { R::load(p) }
    }
    #[inline(always)]
    unsafe fn load_first<R: Registers<T>>(p: *const T, n: usize) -> R {
        // SAFETY: passed on to the caller.
        unsafe { R::load_first(p, n) }
    }
    #[inline(always)]
    fn numbers(elements: &[T]) -> Option<&[T]> {
        Some(elements)
    }
    const MAY_BE_EMPTY: bool = false;
    #[inline(always)]
    unsafe fn ink<R: Registers<T>>(_: *const T) -> u64 {
        1
    }
}

impl<T: Float> Element<T> for u8 {
    #[inline(always)]
    fn number(self) -> T {
        T::from_u8(self)
    }
    #[inline(always)]
    unsafe fn load<R: Registers<T>>(p: *const u8) -> R {
        // SAFETY: passed on to the caller.
        unsafe { R::load_bytes(p) }
    }
    #[inline(always)]
    unsafe fn load_first<R: Registers<T>>(p: *const u8, n: usize) -> R {
        let mut bytes = [0; MAX_LANES];
        // SAFETY: the caller has `n` readable bytes, and no register has more than `MAX_LANES` lanes.
        unsafe {
            std::ptr::copy_nonoverlapping(p, bytes.as_mut_ptr(), n);
            R::load_bytes(bytes.as_ptr())
        }
    }
    #[inline(always)]
    fn numbers(_: &[u8]) -> Option<&[T]> {
        None
    }
    const MAY_BE_EMPTY: bool = true;
    #[inline(always)]
    unsafe fn ink<R: Registers<T>>(p: *const u8) -> u64 {
        // SAFETY: each reads `R::LANES` bytes.
        unsafe {
            match R::LANES {
                2 => p.cast::<u16>().read_unaligned().into(),
                4 => p.cast::<u32>().read_unaligned().into(),
                8 => p.cast::<u64>().read_unaligned(),
                16 => p.cast::<u64>().read_unaligned() | p.cast::<u64>().add(1).read_unaligned(),
                _ => 1,
            }
        }
    }
}

/// Asks for a cache line before it is needed, where the processor has an instruction for that; `p` may point anywhere.
#[inline(always)]
pub fn prefetch(p: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch never faults, wherever it points, and every x86-64 has it.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(p.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = p;
}

/// Asks for what will soon be read.
#[inline]
pub fn prefetch_slice<T>(x: &[T]) {
    const LINE: usize = 64;
    for i in (0..size_of_val(x)).step_by(LINE) {
        prefetch(x.as_ptr().cast::<u8>().wrapping_add(i));
    }
}

/// Asks for the cache line at `p`, which will be needed later: it goes to the second cache.
#[inline(always)]
pub fn prefetch_later(p: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch never faults, wherever it points, and every x86-64 has it.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(p.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = p;
}

/// Loads a whole register, or fewer numbers and `other` behind them.
#[inline(always)]
pub fn load<S: Simd, T: Float>(x: &[T], other: T) -> T::Register<S> {
    // SAFETY: in each branch, as many numbers as `x` has.
    unsafe {
        if x.len() >= T::Register::<S>::LANES {
            T::Register::<S>::load(x.as_ptr())
        } else {
            T::Register::<S>::load_first(x.as_ptr(), x.len())
                .keep_first(x.len(), T::Register::<S>::splat(other))
        }
    }
}

/// Stores a whole register, or only as many lanes as there is room for.
#[inline(always)]
pub fn store<S: Simd, T: Float>(register: T::Register<S>, out: &mut [T]) {
    // SAFETY: in each branch, as many numbers as `out` has room for.
    unsafe {
        if out.len() >= T::Register::<S>::LANES {
            register.store(out.as_mut_ptr());
        } else {
            register.store_first(out.as_mut_ptr(), out.len());
        }
    }
}

/// Lanes of the widest register.
pub const MAX_LANES: usize = 16;

/// A computation that is compiled for every instruction set.
pub trait Kernel {
    /// What it computes.
    type Output;
    /// Does it. Implementations and all they call are `#[inline(always)]`.
    fn run<S: Simd>(self) -> Self::Output;
}

/// An instruction set that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstructionSet {
    /// What every processor of this architecture has.
    Portable,
    /// 256-bit registers with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 512-bit registers.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl InstructionSet {
    /// Those that this processor has, the narrowest first.
    pub fn available() -> Vec<Self> {
        let mut sets = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                sets.push(Self::Avx2);
                let avx512 = [
                    is_x86_feature_detected!("avx512f"),
                    is_x86_feature_detected!("avx512bw"),
                    is_x86_feature_detected!("avx512dq"),
                    is_x86_feature_detected!("avx512vl"),
                ];
                if avx512 == [true; 4] {
                    sets.push(Self::Avx512);
                }
            }
        }
        sets
    }

    /// As `STEEPEST_SIMD` spells it: `portable`, `avx2`, `avx512`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
        }
    }
}

/// The instruction set in use: the widest available one, or the one that the environment variable `STEEPEST_SIMD`
/// names, if this processor has it. It stays the same while the process lives.
#[inline]
pub fn instruction_set() -> InstructionSet {
    static CHOSEN: OnceLock<InstructionSet> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        let available = InstructionSet::available();
        let wanted = std::env::var("STEEPEST_SIMD").unwrap_or_default();
        let widest = available[available.len() - 1];
        available.into_iter().find(|set| set.name() == wanted).unwrap_or(widest)
    })
}

/// Runs a kernel with the instruction set in use.
#[inline]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    dispatch_on(instruction_set(), kernel)
}

/// Runs a kernel with one instruction set of [`InstructionSet::available`].
#[inline]
pub fn dispatch_on<K: Kernel>(set: InstructionSet, kernel: K) -> K::Output {
    match set {
        InstructionSet::Portable => kernel.run::<Portable>(),
        // SAFETY: both are only reached with a set that `available` found on this processor.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => unsafe { crate::x86::run_avx2(kernel) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => unsafe { crate::x86::run_avx512(kernel) },
    }
}

/// [`dispatch_on`] of a kernel whose time goes into [`Simd::dot_bf16`], for which some processors have an instruction.
pub fn dispatch_bf16_on(set: InstructionSet, kernel: impl Kernel<Output = ()>) {
    match set {
        // SAFETY: reached only with the set that `available` found on this processor, and the instructions found here.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 if is_x86_feature_detected!("avx512bf16") => unsafe {
            crate::x86::run_avx512_bf16(kernel);
        },
        _ => dispatch_on(set, kernel),
    }
}

/// Arrays that the compiler may or may not vectorise: for processors without an implementation of their own.
#[derive(Clone, Copy)]
pub struct Portable;

impl Simd for Portable {
    type F32 = Array<f32, 4>;
    type F64 = Array<f64, 2>;
    const REGISTERS: usize = 16;

    #[inline(always)]
    fn nonzero(bytes: &[u8; 64]) -> u64 {
        bytes.iter().enumerate().fold(0, |bits, (i, &byte)| bits | u64::from(byte != 0) << i)
    }

    #[inline(always)]
    fn dot_bf16(a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        let upper = |x: f32| f32::from_bits(x.to_bits() & 0xffff_0000);
        let lower = |x: f32| f32::from_bits(x.to_bits() << 16);
        Array(std::array::from_fn(|i| {
            upper(a.0[i]) * upper(b.0[i]) + (lower(a.0[i]) * lower(b.0[i]) + c.0[i])
        }))
    }
}

/// A register made of an array.
#[derive(Clone, Copy)]
pub struct Array<T, const N: usize>([T; N]);

impl<T: Float, const N: usize> Array<T, N> {
    #[inline(always)]
    fn zip(self, b: Self, f: impl Fn(T, T) -> T) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], b.0[i])))
    }
}

impl<T: Float, const N: usize> Registers<T> for Array<T, N> {
    const LANES: usize = N;

    #[inline(always)]
    fn splat(x: T) -> Self {
        Self([x; N])
    }
    #[inline(always)]
    unsafe fn load(p: *const T) -> Self {
        // SAFETY: the caller has `N` readable numbers at `p`; an unaligned read asks no more.
        Self(unsafe { p.cast::<[T; N]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn load_first(p: *const T, n: usize) -> Self {
        // SAFETY: the caller has `n` readable numbers at `p`.
        Self(std::array::from_fn(|i| if i < n { unsafe { *p.add(i) } } else { T::ZERO }))
    }
    #[inline(always)]
    unsafe fn load_bytes(p: *const u8) -> Self {
        // SAFETY: the caller has `N` readable bytes at `p`.
        Self(unsafe { p.cast::<[u8; N]>().read_unaligned() }.map(T::from_u8))
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut T) {
        // SAFETY: the caller has room for `N` numbers at `p`.
        unsafe { p.cast::<[T; N]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut T, n: usize) {
        for (i, &x) in self.0.iter().enumerate().take(n) {
            // SAFETY: the caller has room for `n` numbers at `p`.
            unsafe { *p.add(i) = x }
        }
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        self.zip(b, |x, y| x + y)
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        self.zip(b, |x, y| x - y)
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        self.zip(b, |x, y| x * y)
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        self.zip(b, |x, y| x / y)
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        // Not `T::mul_add`: without an instruction for it, that is a slow call.
        self.mul(b).add(c)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(self.0.map(T::sqrt))
    }
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        self.zip(b, |x, y| if x > y { x } else { y })
    }
    #[inline(always)]
    fn where_positive(self, then: Self, other: Self) -> Self {
        Self(std::array::from_fn(|i| if self.0[i] > T::ZERO { then.0[i] } else { other.0[i] }))
    }
    #[inline(always)]
    fn where_equal(self, b: Self, then: Self, other: Self) -> Self {
        Self(std::array::from_fn(|i| if self.0[i] == b.0[i] { then.0[i] } else { other.0[i] }))
    }
    #[inline(always)]
    fn exp(self) -> Self {
        Self(self.0.map(T::exp))
    }
    #[inline(always)]
    fn keep_first(self, n: usize, other: Self) -> Self {
        Self(std::array::from_fn(|i| if i < n { self.0[i] } else { other.0[i] }))
    }
    #[inline(always)]
    fn equal(self, b: Self) -> u32 {
        self.0.iter().zip(&b.0).enumerate().fold(0, |bits, (i, (x, y))| bits | u32::from(x == y) << i)
    }
    #[inline(always)]
    fn maximum(self) -> T {
        self.0.into_iter().fold(T::NEG_INFINITY, |m, x| if x > m { x } else { m })
    }
    #[inline(always)]
    fn sum(self) -> T {
        self.0.into_iter().sum()
    }
    #[inline(always)]
    fn sums(registers: [Self; 4]) -> [T; 4] {
        registers.map(Self::sum)
    }
    #[inline(always)]
    unsafe fn transpose(rows: &[*const T; MAX_LANES], to: *mut T, stride: usize) {
        // SAFETY: passed on to the caller.
        unsafe { transpose_plainly::<N, T>(rows, to, stride) }
    }
}

/// [`Registers::transpose`], number by number.
/// # Safety
/// As there.
#[inline(always)]
pub(crate) unsafe fn transpose_plainly<const LANES: usize, T: Float>(
    rows: &[*const T; MAX_LANES],
    to: *mut T,
    stride: usize,
) {
    for column in 0..LANES {
        for (i, row) in rows.iter().enumerate().take(LANES) {
            // SAFETY: as the caller says.
            unsafe { *to.add(column * stride + i) = *row.add(column) }
        }
    }
}
