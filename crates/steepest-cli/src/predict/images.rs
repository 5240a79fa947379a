//! Single images, brought to the model's input.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use steepest::{Dataset, Float, Inputs, Model};
use steepest_io::{Alpha, DataSpec, LoadOptions, RowRange, read_png, to_mnist_frame};

use crate::UsageError;

/// The PNG image that `file` names, if it names one.
pub fn find(file: &str) -> Result<Option<PathBuf>> {
    let spec = DataSpec::parse(file).map_err(|e| UsageError(e.to_string()))?;
    Ok(spec.png(&LoadOptions::default().folders))
}

/// Reads an image as one row, framed as MNIST's digits are, and says on stderr what was done to it.
pub fn load<T: Float>(model: &Model<T>, file: &str, path: &Path, rows: Option<&str>) -> Result<Dataset> {
    let rows = rows.map(RowRange::parse).transpose().map_err(|e| UsageError(e.to_string()))?;
    let n_features = model.n_features();
    let side = match model.image {
        Some((height, width)) if height == width => height,
        None if n_features.isqrt().pow(2) == n_features => n_features.isqrt(),
        Some((height, width)) => bail!(
            "{file} is one image, but the model takes images of {height} x {width}: an image is brought to square \
             inputs only. Say --as-is for one of exactly this size"
        ),
        None => bail!(
            "{file} is one image, but the model takes {n_features} inputs, which make no square image. Say --as-is \
             for one of exactly so many pixels"
        ),
    };
    let image = read_png(path, Alpha::OverWhite)?;
    let (pixels, framing) = to_mnist_frame(&image, side).with_context(|| file.to_string())?;
    writeln!(std::io::stderr(), "{file}: {framing}")?;
    let dataset = Dataset::new(Inputs::Bytes(pixels.into()), n_features, None)?.with_image(side, side);
    Ok(match rows {
        Some(rows) => rows.of(&dataset)?,
        None => dataset,
    })
}
