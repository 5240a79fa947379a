//! How products end: what is made of sums while they are still in registers.

// Tiles are matrices of registers, and are written as such.
#![allow(clippy::needless_range_loop)]

use crate::Float;
use crate::simd::{Registers, Simd};

/// What is made of a layer's sums before they leave the registers.
#[derive(Clone, Copy, Debug)]
pub struct Finish<'a, T> {
    /// Added to the sums of each row, `(n_out)`.
    pub bias: Option<&'a [T]>,
    /// Whether the outputs `max(z, 0)` are wanted in place of the logits `z`. A NaN passes through, to be noticed.
    pub relu: bool,
}

impl<'a, T: Float> Finish<'a, T> {
    /// The logits.
    pub fn logits(bias: Option<&'a [T]>) -> Self {
        Self { bias, relu: false }
    }

    pub(crate) fn fits(self, n_out: usize) -> bool {
        self.bias.is_none_or(|bias| bias.len() == n_out)
    }
}

/// What is stored of the sums of a product.
#[derive(Clone, Copy)]
pub(crate) enum Store<'a, T> {
    /// The sums, finished.
    Sums(Finish<'a, T>),
    /// What was there, and the sums added to it.
    Added,
    /// The sums where these outputs of ReLU, which lie as they do, are above zero; else zero.
    Where(&'a [T]),
}

impl<'a, T: Float> Store<'a, T> {
    /// A gradient, or what is added to one.
    pub(crate) fn gradient(add: bool) -> Self {
        if add { Self::Added } else { Self::Sums(Finish::logits(None)) }
    }

    /// The gradient at a layer's inputs; where these are outputs of ReLU, that at what ReLU was given.
    pub(crate) fn gradient_at_inputs(relu: Option<&'a [T]>) -> Self {
        relu.map_or(Self::gradient(false), Self::Where)
    }

    /// Makes sure that what belongs to an output of `n` numbers, in rows of `width`, has as many.
    #[inline(always)]
    pub(crate) fn check(self, n: usize, width: usize) {
        assert!(match self {
            Self::Sums(finish) => finish.fits(width),
            Self::Added => true,
            Self::Where(a) => a.len() == n,
        });
    }

    /// For a stretch of the terms; whether its sums are added to those of the stretches before.
    #[inline(always)]
    pub(crate) fn of_stretch(self, is_first: bool, is_last: bool) -> (Self, bool) {
        match self {
            Self::Sums(Finish { bias, relu }) => {
                let finish = Finish { bias: bias.filter(|_| is_first), relu: relu && is_last };
                (Self::Sums(finish), !is_first)
            }
            Self::Added => (self, false),
            Self::Where(_) if is_last => (self, !is_first),
            Self::Where(_) => (Self::gradient(false), !is_first),
        }
    }

    /// Stores a tile of sums times `factor` in rows of `out` that are `width` apart, from `place` on, which is in column `column`:
    /// `V` registers of each row or, if there are so few, its `rest` last numbers. Where it `adds`, what was there is one of the terms.
    ///
    /// # Safety
    /// `out` has these numbers, and [`Store::check`] was called for it.
    #[inline(always)]
    pub(crate) unsafe fn tile<S: Simd, const R: usize, const V: usize>(
        self,
        sums: [[T::Register<S>; V]; R],
        factor: T,
        (out, width): (*mut T, usize),
        (place, column): (usize, usize),
        (rest, adds): (Option<usize>, bool),
    ) {
        let lanes = T::Register::<S>::LANES;
        let zero = T::Register::<S>::splat(T::ZERO);
        let factor = T::Register::<S>::splat(factor);
        // SAFETY: passed on to the caller.
        unsafe {
            // The branches are outside of the loops: within, they would drive the tile out of its registers.
            match self {
                Self::Sums(Finish { bias, relu }) => {
                    let least = T::Register::<S>::splat(if relu { T::ZERO } else { T::NEG_INFINITY });
                    for v in 0..V {
                        let bias = match bias {
                            Some(bias) => load::<S, T>(bias.as_ptr().add(column + v * lanes), rest),
                            None => zero,
                        };
                        for r in 0..R {
                            let out = out.add(place + r * width + v * lanes);
                            let before = if adds { load::<S, T>(out, rest) } else { bias };
                            // In this order: of a NaN, `max` gives the second.
                            store::<S, T>(least.max(sums[r][v].mul_add(factor, before)), out, rest);
                        }
                    }
                }
                Self::Added => {
                    for v in 0..V {
                        for r in 0..R {
                            let out = out.add(place + r * width + v * lanes);
                            store::<S, T>(sums[r][v].mul_add(factor, load::<S, T>(out, rest)), out, rest);
                        }
                    }
                }
                Self::Where(a) => {
                    for v in 0..V {
                        for r in 0..R {
                            let place = place + r * width + v * lanes;
                            let (out, a) = (out.add(place), load::<S, T>(a.as_ptr().add(place), rest));
                            let before = if adds { load::<S, T>(out, rest) } else { zero };
                            let sum = sums[r][v].mul_add(factor, before);
                            store::<S, T>(a.where_positive(sum, zero), out, rest);
                        }
                    }
                }
            }
        }
    }
}

/// # Safety
/// A register of numbers, or `n` of them, can be read from `p`.
#[inline(always)]
unsafe fn load<S: Simd, T: Float>(p: *const T, n: Option<usize>) -> T::Register<S> {
    // SAFETY: passed on to the caller.
    unsafe {
        match n {
            None => T::Register::<S>::load(p),
            Some(n) => T::Register::<S>::load_first(p, n),
        }
    }
}

/// # Safety
/// A register of numbers, or `n` of them, can be written to `p`.
#[inline(always)]
unsafe fn store<S: Simd, T: Float>(register: T::Register<S>, p: *mut T, n: Option<usize>) {
    // SAFETY: passed on to the caller.
    unsafe {
        match n {
            None => register.store(p),
            Some(n) => register.store_first(p, n),
        }
    }
}
