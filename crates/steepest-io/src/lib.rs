//! What touches files: data sets in, run folders and models out.

pub mod builtin;
mod cache;
mod checksum;
mod classes;
mod csv;
mod csv_cells;
mod csv_header;
mod digits;
mod error;
mod fetch;
mod fetch_error;
mod file;
mod fingerprint;
mod http;
mod idx;
mod known;
mod load;
mod model_file;
mod npy;
mod npy_header;
mod npz;
mod npz_write;
mod rows;
mod run_folder;
mod spec;

pub use cache::user_cache;
pub use csv::{CsvOptions, read_csv};
pub use digits::digits;
pub use error::{CellProblem, DataError};
pub use fetch::{Fetch, FetchEvent, Fetched, fetch};
pub use fetch_error::FetchError;
pub use fingerprint::fingerprint;
pub use http::Patience;
pub use idx::{read_idx_images, read_idx_part};
pub use known::{Checksum, Known, KnownFile};
pub use load::{LoadOptions, Loaded, load, load_part};
pub use model_file::{
    ModelError, Stored, load_model, load_weights, model_bytes, save_model, write_atomically,
};
pub use npy::{read_npy, read_npy_rows};
pub use npz::Npz;
pub use npz_write::write_npz;
pub use rows::RowRange;
pub use run_folder::{Metrics, RunFolder};
pub use spec::{DataSpec, Part};
