//! Where parameters start.

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};
use steepest_kernels::Float;

/// A distribution of initial weights or biases. `fan_in` and `fan_out` are the layer's inputs and units.
///
/// In a recipe: `"he-normal"`, or with a number `{ uniform = 0.5 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// All zero.
    Zeros,
    /// All the same.
    Constant(f64),
    /// Uniform in `-a..a`.
    Uniform(f64),
    /// Normal with this standard deviation.
    Normal(f64),
    /// Normal with deviation `1 / sqrt(fan_in)` (LeCun 1998).
    LecunNormal,
    /// Uniform with limit `sqrt(6 / (fan_in + fan_out))` (Glorot and Bengio 2010).
    GlorotUniform,
    /// Normal with deviation `sqrt(2 / (fan_in + fan_out))` (Glorot and Bengio 2010).
    GlorotNormal,
    /// Uniform with limit `sqrt(6 / fan_in)` (He et al. 2015).
    HeUniform,
    /// Normal with deviation `sqrt(2 / fan_in)` (He et al. 2015).
    HeNormal,
    /// Uniform with limit `1 / sqrt(fan_in * fan_out)`: notebook 3's, smaller than usual.
    FanProduct,
}

impl Init {
    /// Fills the parameters of one layer.
    pub fn fill<T: Float>(self, fan_in: usize, fan_out: usize, rng: &mut impl Rng, out: &mut [T]) {
        let (fan_in, fan_out) = (fan_in as f64, fan_out as f64);
        match self {
            Self::Zeros => out.fill(T::ZERO),
            Self::Constant(c) => out.fill(T::from_f64(c)),
            Self::Uniform(limit) => uniform(limit, rng, out),
            Self::Normal(deviation) => normal(deviation, rng, out),
            Self::LecunNormal => normal(1.0 / fan_in.sqrt(), rng, out),
            Self::GlorotUniform => uniform((6.0 / (fan_in + fan_out)).sqrt(), rng, out),
            Self::GlorotNormal => normal((2.0 / (fan_in + fan_out)).sqrt(), rng, out),
            Self::HeUniform => uniform((6.0 / fan_in).sqrt(), rng, out),
            Self::HeNormal => normal((2.0 / fan_in).sqrt(), rng, out),
            Self::FanProduct => uniform(1.0 / (fan_in * fan_out).sqrt(), rng, out),
        }
    }
}

fn uniform<T: Float>(limit: f64, rng: &mut impl Rng, out: &mut [T]) {
    for x in out {
        *x = T::from_f64(limit * (2.0 * rng.random::<f64>() - 1.0));
    }
}

fn normal<T: Float>(deviation: f64, rng: &mut impl Rng, out: &mut [T]) {
    for x in out {
        *x = T::from_f64(deviation * rng.sample::<f64, _>(StandardNormal));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    #[test]
    fn spread_is_as_documented() {
        let (fan_in, fan_out) = (50, 20);
        for (init, deviation) in [
            (Init::Zeros, 0.0),
            (Init::Uniform(0.5), 0.5 / 3f64.sqrt()),
            (Init::Normal(0.01), 0.01),
            (Init::LecunNormal, (1.0f64 / 50.0).sqrt()),
            (Init::GlorotUniform, (2.0f64 / 70.0).sqrt()),
            (Init::GlorotNormal, (2.0f64 / 70.0).sqrt()),
            (Init::HeUniform, (2.0f64 / 50.0).sqrt()),
            (Init::HeNormal, (2.0f64 / 50.0).sqrt()),
            (Init::FanProduct, (1.0f64 / 1000.0 / 3.0).sqrt()),
        ] {
            let mut x = vec![1.0f64; 20_000];
            init.fill(fan_in, fan_out, &mut stream(0, Purpose::Init), &mut x);
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            let sd = (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64).sqrt();
            assert!(mean.abs() <= 0.03 * deviation, "{init:?}: mean {mean}");
            assert!((sd - deviation).abs() <= 0.02 * deviation, "{init:?}: deviation {sd}, not {deviation}");
        }
    }
}
