//! Chance: one reproducible source of random numbers per image.

use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

use crate::point::Point;

/// The dice of one image. What is drawn depends on the order of the draws, which is therefore part of the format.
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The dice of the image with this address. The address is the cipher's key, so no two images share their dice.
    pub fn new(seed: u64, stream: u64, epoch: u64, row: u64) -> Self {
        let mut key = [0; 32];
        for (part, word) in key.chunks_exact_mut(8).zip([seed, stream, epoch, row]) {
            part.copy_from_slice(&word.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Evenly spread over `low..high`.
    pub fn uniform(&mut self, low: f32, high: f32) -> f32 {
        let unit = (self.0.next_u32() >> 8) as f32 / (1 << 24) as f32;
        low + (high - low) * unit
    }

    /// Bell-shaped around zero, with standard deviation `sigma`.
    ///
    /// The sum of four even draws: no logarithm, the same on every machine, and never past 3.5 sigma, where a pen
    /// would leave the digit altogether.
    pub fn normal(&mut self, sigma: f32) -> f32 {
        const MEAN: f32 = 2.0 * 65535.0;
        const DEVIATION: f32 = 37837.227; // 65536 / sqrt(3)
        let bits = self.0.next_u64();
        let sum: u32 = (0..4).map(|quarter| (bits >> (16 * quarter)) as u32 & 0xffff).sum();
        (sum as f32 - MEAN) / DEVIATION * sigma
    }

    /// A factor around one whose logarithm is normal: as often half as double.
    pub fn factor(&mut self, sigma: f32) -> f32 {
        libm::expf(self.normal(sigma))
    }

    /// A step in a random direction, each coordinate normal.
    pub fn step(&mut self, sigma: f32) -> Point {
        Point::new(self.normal(sigma), self.normal(sigma))
    }
}
