//! Augmentation: in every epoch each image to learn from is deformed anew, so that a network never sees the same one twice.
//!
//! Elastic deformation is that of Simard, Steinkraus and Platt, *Best practices for convolutional neural networks applied to
//! visual document analysis* (ICDAR 2003), together with scale, shear and rotation as Cireşan, Meier, Gambardella and Schmidhuber
//! use it (*Deep, big, simple neural nets for handwritten digit recognition*, 2010). Their random field, a blurred number for each
//! pixel, is here a sum of Gaussian bumps with one random height for every few pixels.

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};
use steepest_kernels::{DeformScratch, Deformation, deform};

use crate::rng::{Purpose, row_stream};

/// `[augment]`: how far images to learn from are deformed. All zero, as by default, means not at all.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augment {
    /// The most that an image is shifted along each axis, in pixels.
    pub shift: f64,
    /// The most that it is turned, in degrees, either way.
    pub rotation: f64,
    /// The most that each axis is stretched or shrunk, as a part of its length.
    pub scale: f64,
    /// The most that it leans to either side: columns for each row.
    pub shear: f64,
    /// Standard deviation of a smooth random displacement along each axis, in pixels.
    pub elastic: f64,
    /// How smooth that is: the standard deviation of the Gaussian that its bumps are, in pixels.
    pub elastic_sigma: f64,
}

impl Default for Augment {
    fn default() -> Self {
        Self { shift: 0.0, rotation: 0.0, scale: 0.0, shear: 0.0, elastic: 0.0, elastic_sigma: 4.0 }
    }
}

impl Augment {
    /// Whether nothing is deformed.
    pub fn is_off(&self) -> bool {
        *self == Self { elastic_sigma: self.elastic_sigma, ..Self::default() }
    }
}

/// Deforms images of one size. What becomes of an image depends on the seed, the epoch and the row's number alone.
#[derive(Clone, Debug)]
pub struct Augmenter {
    augment: Augment,
    seed: u64,
    /// Rows and columns of an image.
    size: (usize, usize),
    /// Shapes of the bumps along the columns, `(height, n_down)`.
    down: Vec<f32>,
    /// Shapes of the bumps along the rows, `(n_across, width)`.
    across: Vec<f32>,
}

/// What deforming works with; kept from image to image.
#[derive(Default)]
pub struct AugmentScratch {
    deform: DeformScratch,
    bumps: Vec<f32>,
}

/// What happens to one image as a whole: it is stretched, leans, is turned, then shifted.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Affine {
    /// Factors of width and height.
    scale: [f64; 2],
    shear: f64,
    /// In degrees.
    rotation: f64,
    /// To the right and down.
    shift: [f64; 2],
}

impl Augmenter {
    /// For images of `size`, height and width.
    pub fn new(augment: Augment, size: (usize, usize), seed: u64) -> Self {
        let is_elastic = augment.elastic > 0.0;
        let shapes = |n: usize| if is_elastic { bumps(n, augment.elastic_sigma) } else { Vec::new() };
        let across = shapes(size.1);
        let n_across = across.len() / size.1.max(1);
        let across = (0..n_across).flat_map(|l| across.iter().skip(l).step_by(n_across).copied()).collect();
        Self { augment, seed, size, down: shapes(size.0), across }
    }

    /// Height and width of its images.
    pub fn size(&self) -> (usize, usize) {
        self.size
    }

    /// Deforms `image`, the row `row` of the data, as it is seen in an epoch.
    ///
    /// # Panics
    /// When `image` or `out` are not `height * width` bytes.
    pub fn deform(&self, epoch: u64, row: u32, image: &[u8], scratch: &mut AugmentScratch, out: &mut [u8]) {
        let mut rng = row_stream(self.seed, Purpose::Augment, epoch, row);
        let map = self.draw(&mut rng).inverse();
        let AugmentScratch { deform: scratch, bumps } = scratch;
        self.draw_bumps(&mut rng, bumps);
        let (of_columns, of_rows) = bumps.split_at(bumps.len() / 2);
        let (down, across) = (&self.down[..], &self.across[..]);
        let how = Deformation { size: self.size, map, down, across, bumps: [of_columns, of_rows] };
        deform(image, &how, scratch, out);
    }

    /// Always the same number of draws, so that changing one key of the recipe leaves the others' numbers as they were.
    fn draw(&self, rng: &mut impl Rng) -> Affine {
        let mut within = |most: f64| most * (2.0 * rng.random::<f64>() - 1.0);
        let a = &self.augment;
        Affine {
            scale: [1.0 + within(a.scale), 1.0 + within(a.scale)],
            shear: within(a.shear),
            rotation: within(a.rotation),
            shift: [within(a.shift), within(a.shift)],
        }
    }

    /// How high the bumps are, for both axes.
    fn draw_bumps(&self, rng: &mut impl Rng, bumps: &mut Vec<f32>) {
        let (height, width) = self.size;
        let n = 2 * (self.down.len() / height) * (self.across.len() / width);
        let deviation = self.augment.elastic as f32;
        bumps.clear();
        bumps.extend((0..n).map(|_| deviation * rng.sample::<f32, _>(StandardNormal)));
    }
}

impl Affine {
    /// Where a pixel comes from, for each axis: factors of its column and its row, and a shift.
    fn inverse(&self) -> [[f32; 3]; 2] {
        let (sin, cos) = self.rotation.to_radians().sin_cos();
        let ([width, height], [right, down]) = (self.scale, self.shift);
        // Backwards: shift, turn, stand upright, shrink.
        let of_column = [cos - self.shear * -sin, sin - self.shear * cos].map(|x| x / width);
        let of_row = [-sin, cos].map(|x| x / height);
        [of_column, of_row].map(|[x, y]| [x, y, -x * right - y * down].map(|number| number as f32))
    }
}

/// Gaussian bumps, one for every `sigma` pixels, `(n, bumps)`. The squares of each row sum to 1: so does, then, the variance
/// of a sum of bumps with random heights of variance 1, at every pixel.
fn bumps(n: usize, sigma: f64) -> Vec<f32> {
    let count = (n as f64 / sigma).ceil().max(1.0);
    let apart = n as f64 / count;
    let row = |i: usize| {
        let height = |k: usize| {
            let from = i as f64 + 0.5 - (k as f64 + 0.5) * apart;
            (-0.5 * (from / sigma).powi(2)).exp()
        };
        let row: Vec<f64> = (0..count as usize).map(height).collect();
        let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
        row.into_iter().map(move |x| (x / norm) as f32)
    };
    (0..n).flat_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Augment =
        Augment { shift: 1.5, rotation: 15.0, scale: 0.15, shear: 0.15, elastic: 1.2, elastic_sigma: 4.0 };

    #[test]
    fn the_inverse_leads_back() {
        let affine = Affine { scale: [1.2, 0.8], shear: 0.3, rotation: 30.0, shift: [2.0, -5.0] };
        for (x, y) in [(0.0, 0.0), (10.0, 0.0), (0.0, 10.0), (-3.0, 7.0)] {
            let (x1, y1) = (1.2 * x, 0.8 * y);
            let x2 = x1 + 0.3 * y1;
            // Rows count downwards: a positive angle turns clockwise.
            let (sin, cos) = (0.5, 0.75f64.sqrt());
            let (x3, y3) = (cos * x2 - sin * y1 + 2.0, sin * x2 + cos * y1 - 5.0);
            let back = affine.inverse().map(|[a, b, c]| f64::from(a) * x3 + f64::from(b) * y3 + f64::from(c));
            assert!((back[0] - x).abs() < 1e-5 && (back[1] - y).abs() < 1e-5, "{back:?} for {x} {y}");
        }
        // NumPy's inverse of the product of the matrices (`affine` in `benchmarks/golden/deformed.npz`).
        let affine = Affine { scale: [1.12, 0.9], shear: 0.13, rotation: -14.0, shift: [1.3, -0.8] };
        let expected = [[0.8382552, -0.3286253, -1.352632], [0.2688021, 1.0781064, 0.51304233]];
        let inverse = affine.inverse();
        let is_close = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-6;
        assert!(inverse.iter().flatten().zip(expected.iter().flatten()).all(is_close), "{inverse:?}");
    }

    #[test]
    fn draws_fill_their_ranges_evenly() {
        let augmenter = Augmenter::new(FULL, (28, 28), 1);
        let n = 4000;
        let draws: Vec<Affine> =
            (0..n).map(|row| augmenter.draw(&mut row_stream(1, Purpose::Augment, 0, row))).collect();
        type Number = (f64, fn(&Affine) -> f64);
        let numbers: [Number; 6] = [
            (0.15, |a| a.scale[0] - 1.0),
            (0.15, |a| a.scale[1] - 1.0),
            (0.15, |a| a.shear),
            (15.0, |a| a.rotation),
            (1.5, |a| a.shift[0]),
            (1.5, |a| a.shift[1]),
        ];
        for (i, (most, number)) in numbers.into_iter().enumerate() {
            let parts: Vec<f64> = draws.iter().map(|a| number(a) / most).collect();
            let mean = parts.iter().sum::<f64>() / f64::from(n);
            let square = parts.iter().map(|p| p * p).sum::<f64>() / f64::from(n);
            // Of an even spread from -1 to 1: mean 0, mean square 1/3, each to four standard errors.
            assert!(mean.abs() < 4.0 * (1.0 / 3.0 / f64::from(n)).sqrt(), "{i}: {mean}");
            assert!((square - 1.0 / 3.0).abs() < 4.0 * (4.0 / 45.0 / f64::from(n)).sqrt(), "{i}: {square}");
            let largest = parts.iter().fold(0.0f64, |m, p| m.max(p.abs()));
            assert!(largest > 0.99 && largest <= 1.0, "{i}: {largest}");
        }
    }

    /// Displacement along one axis, `(height, width)`.
    fn field(augmenter: &Augmenter, row: u32) -> Vec<f64> {
        let (height, width) = augmenter.size;
        let (n_down, n_across) = (augmenter.down.len() / height, augmenter.across.len() / width);
        let mut rng = row_stream(3, Purpose::Augment, 0, row);
        let mut bumps = Vec::new();
        augmenter.draw_bumps(&mut rng, &mut bumps);
        let at = |i: usize| {
            let (y, x) = (i / width, i % width);
            (0..n_down * n_across)
                .map(|b| {
                    let (k, l) = (b / n_across, b % n_across);
                    let shape = augmenter.down[y * n_down + k] * augmenter.across[l * width + x];
                    f64::from(bumps[b] * shape)
                })
                .sum()
        };
        (0..height * width).map(at).collect()
    }

    #[test]
    fn displacements_have_their_deviation_everywhere_and_are_as_smooth_as_blurred_noise() {
        let (height, width) = (28, 21);
        let augmenter = Augmenter::new(Augment { elastic: 1.2, ..FULL }, (height, width), 3);
        assert_eq!((augmenter.down.len(), augmenter.across.len()), (28 * 7, 6 * 21));
        let n = 3000;
        let fields: Vec<Vec<f64>> = (0..n).map(|row| field(&augmenter, row)).collect();
        let mean = |f: &dyn Fn(&[f64]) -> f64| fields.iter().map(|d| f(d)).sum::<f64>() / f64::from(n);
        for pixel in [0, 20, 300, 14 * width + 10, height * width - 1] {
            let deviation = mean(&|d| d[pixel] * d[pixel]).sqrt();
            // Four standard errors.
            assert!(
                (deviation / 1.2 - 1.0).abs() < 4.0 / (2.0 * f64::from(n)).sqrt(),
                "{pixel}: {deviation}"
            );
        }
        // White noise blurred by a Gaussian of sigma has correlation exp(-d^2 / 4 sigma^2).
        let from = 14 * width + 8;
        for apart in [1, 4, 8] {
            let correlation = mean(&|d| d[from] * d[from + apart]) / 1.44;
            let expected = (-((apart * apart) as f64) / 64.0).exp();
            assert!((correlation - expected).abs() < 0.06, "{apart}: {correlation} for {expected}");
        }
    }

    #[test]
    fn an_image_depends_on_seed_epoch_and_row_alone() {
        let image: Vec<u8> = (0..28 * 28).map(|i| (i * 7 % 256) as u8).collect();
        let seen = |seed, epoch, row| {
            let mut out = vec![0; image.len()];
            let augmenter = Augmenter::new(FULL, (28, 28), seed);
            augmenter.deform(epoch, row, &image, &mut AugmentScratch::default(), &mut out);
            out
        };
        let first = seen(1, 2, 3);
        assert_eq!(first, seen(1, 2, 3));
        assert!([seen(0, 2, 3), seen(1, 1, 3), seen(1, 2, 2)].iter().all(|other| *other != first));
        // Keys at zero leave all as it is; elastic_sigma alone asks for nothing.
        let mut out = vec![1; image.len()];
        let none = Augment { elastic_sigma: 2.0, ..Augment::default() };
        assert!(none.is_off() && !FULL.is_off());
        Augmenter::new(none, (28, 28), 1).deform(0, 0, &image, &mut AugmentScratch::default(), &mut out);
        assert_eq!(out, image);
    }
}
