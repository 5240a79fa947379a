//! What touches files: data sets in, run folders and models out.

// Files come from strangers: what they say is never taken for an index, a size or a proof.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod array;
mod atomic;
pub mod builtin;
mod cache;
mod checkpoint_file;
mod checkpoints;
mod checksum;
mod classes;
mod convert;
mod csv;
mod csv_bytes;
mod csv_cells;
mod csv_error;
mod csv_header;
mod csv_records;
mod csv_write;
mod digits;
mod disk;
mod error;
mod fetch;
mod fetch_error;
mod file;
mod fingerprint;
mod gunzip;
mod http;
mod idx;
mod idx_write;
mod image_error;
mod image_folder;
mod image_write;
mod known;
mod load;
mod metrics;
mod mnist_frame;
mod model_columns;
mod model_file;
mod npy;
mod npy_header;
mod npz;
mod npz_write;
mod numbers;
mod order;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "parquet")]
mod parquet_cells;
#[cfg(feature = "parquet")]
mod parquet_encodings;
mod parquet_error;
#[cfg(feature = "parquet")]
mod parquet_footer;
#[cfg(feature = "parquet")]
mod parquet_pages;
#[cfg(feature = "parquet")]
mod parquet_thrift;
mod png;
mod rows;
mod run_folder;
mod run_start;
mod shown;
#[cfg(test)]
mod simulated_disk;
mod spec;
mod table;
mod table_builder;
mod tensor_file;

pub use atomic::{write_atomically, write_file};
pub use cache::user_cache;
pub use checkpoint_file::{BestCheckpoint, Checkpoint, load_checkpoint, save_checkpoint};
pub use checkpoints::{Checkpoints, Newest};
pub use convert::{DataFormat, write_dataset};
pub use csv::{CsvOptions, read_csv};
pub use csv_error::{CellProblem, CsvError};
pub use digits::digits;
pub use error::DataError;
pub use fetch::{Fetch, FetchEvent, Fetched, fetch};
pub use fetch_error::FetchError;
pub use fingerprint::fingerprint;
pub use http::Patience;
pub use idx::{read_idx, read_idx_part};
pub use image_error::ImageError;
pub use image_folder::ImageFolder;
pub use known::{Checksum, Known, KnownFile};
pub use load::{LoadOptions, Loaded, is_table, load, load_part, load_table};
pub use metrics::Metrics;
pub use mnist_frame::{Framing, to_mnist_frame};
pub use model_file::{
    check_saveable, load_model, load_noted, load_weights, model_bytes, save_model, save_noted,
};
pub use npy::{read_npy, read_npy_rows};
pub use npz::{ArrayNames, Npz};
pub use npz_write::write_npz;
pub use parquet_error::ParquetError;
pub use png::{Alpha, GreyImage, read_png, write_png};
pub use rows::RowRange;
pub use run_folder::{PLAN, RunError, RunFolder, SUMMARY};
pub use run_start::{DataSums, RunStart};
pub use shown::plain;
pub use spec::{DataSpec, Part};
pub use table::{KnownColumns, KnownTarget, TableOptions, read_table};
pub use tensor_file::{ModelError, Stored, sha256};
