//! What touches files: data sets in, run folders and models out.

pub mod builtin;
mod classes;
mod csv;
mod csv_cells;
mod csv_header;
mod digits;
mod error;
mod file;
mod fingerprint;
mod idx;
mod image_error;
mod image_folder;
mod load;
mod mnist_frame;
mod model_file;
mod npy;
mod npy_header;
mod npz;
mod npz_write;
mod png;
mod rows;
mod run_folder;
mod spec;

pub use csv::{CsvOptions, read_csv};
pub use digits::digits;
pub use error::{CellProblem, DataError};
pub use fingerprint::fingerprint;
pub use idx::{read_idx_images, read_idx_part};
pub use image_error::ImageError;
pub use image_folder::ImageFolder;
pub use load::{LoadOptions, Loaded, load, load_part};
pub use mnist_frame::{Framing, to_mnist_frame};
pub use model_file::{
    ModelError, Stored, load_model, load_weights, model_bytes, save_model, write_atomically,
};
pub use npy::{read_npy, read_npy_rows};
pub use npz::Npz;
pub use npz_write::write_npz;
pub use png::{Alpha, GreyImage, read_png, write_png};
pub use rows::RowRange;
pub use run_folder::{Metrics, RunFolder};
pub use spec::{DataSpec, Part};
