//! Dropout (Srivastava et al. 2014): which numbers are dropped follows from their place, so nothing need be remembered.

use crate::Float;
use crate::simd::{Kernel, Simd, dispatch};

/// Which numbers of a matrix are dropped, and what the others are multiplied by.
#[derive(Clone, Copy, Debug)]
pub struct DropoutMask {
    /// Other keys drop other numbers.
    pub key: u64,
    /// The part that is dropped: 0 or more, below 1.
    pub rate: f64,
}

/// Drops numbers of `x`, which lie from place `first` of the matrix on: zero, or times `1 / (1 - rate)`, so that the mean stays.
///
/// The same again on the gradient is the way back. Places that are 2^32 apart share their fate.
pub fn dropout<T: Float>(mask: DropoutMask, first: usize, x: &mut [T]) {
    dispatch(Dropout { mask, first, x });
}

struct Dropout<'a, T> {
    mask: DropoutMask,
    first: usize,
    x: &'a mut [T],
}

impl<T: Float> Kernel for Dropout<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let DropoutMask { key, rate } = self.mask;
        let scale = T::from_f64(1.0 / (1.0 - rate));
        let keys = [key as u32, (key >> 32) as u32];
        let least = (rate * 2f64.powi(32)).round() as u32;
        let mut place = self.first as u32;
        for x in self.x {
            *x = if scramble(place, keys) < least { T::ZERO } else { *x * scale };
            place = place.wrapping_add(1);
        }
    }
}

/// A number without a pattern for each place: Wellons' `lowbias32`, of shifts and products that registers have, with a key before
/// and one in the middle.
#[inline(always)]
fn scramble(place: u32, [before, between]: [u32; 2]) -> u32 {
    let mut x = place ^ before;
    x ^= x >> 16;
    x = x.wrapping_mul(0x7FEB_352D) ^ between;
    x ^= x >> 15;
    x = x.wrapping_mul(0x846C_A68B);
    x ^ (x >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;
    use crate::simd::{InstructionSet, dispatch_on};

    #[test]
    fn every_instruction_set_drops_the_same_numbers_wherever_rows_are_cut() {
        let mask = DropoutMask { key: 0x0123_4567_89AB_CDEF, rate: 0.3 };
        let x: Vec<f32> = (0..1000).map(|i| i as f32 + 1.0).collect();
        let first = (1 << 33) + 5;
        let mut expected = x.clone();
        reference::dropout(mask, first, &mut expected);
        for set in InstructionSet::available() {
            for cut in [0, 1, 37, 512] {
                let mut out = x.clone();
                let (one, two) = out.split_at_mut(cut);
                dispatch_on(set, Dropout { mask, first, x: one });
                dispatch_on(set, Dropout { mask, first: first + cut, x: two });
                assert_eq!(out, expected);
            }
        }
    }

    /// As independent as coins: each rate, from row to row, column to column, and key to key.
    #[test]
    fn what_is_dropped_has_no_pattern() {
        const N: usize = 1 << 18;
        let is_kept = |key: u64, rate: f64| {
            let mut x = vec![1.0f32; N];
            dropout(DropoutMask { key, rate }, 0, &mut x);
            x.into_iter().map(|x| f64::from(x > 0.0) - (1.0 - rate)).collect::<Vec<f64>>()
        };
        for rate in [0.05, 0.2, 0.5, 0.9] {
            let (one, other) = (is_kept(1, rate), is_kept(2, rate));
            // Six deviations of a mean of as many coins, and of products of two.
            let deviation = (rate * (1.0 - rate)).sqrt() / (N as f64).sqrt();
            let mean = one.iter().sum::<f64>() / N as f64;
            assert!(mean.abs() < 6.0 * deviation, "rate {rate}: {mean}");
            let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / N as f64;
            let most = 6.0 * rate * (1.0 - rate) / (N as f64).sqrt();
            for lag in [1, 2, 10, 64, 100, 128, 512, 1000, 1024] {
                assert!(product(&one[lag..], &one).abs() < most, "rate {rate}, {lag} apart");
            }
            assert!(product(&one, &other).abs() < most, "rate {rate}, other keys");
        }
        let mut x = [1.0f64, -2.0];
        dropout(DropoutMask { key: 3, rate: 0.0 }, 0, &mut x);
        assert_eq!(x, [1.0, -2.0]);
    }
}
