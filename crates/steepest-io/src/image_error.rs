//! Why images could not be read or written.

use std::io;
use std::path::PathBuf;

/// Why a PNG image, or a folder of them, could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The first bytes are not those of a PNG image.
    #[error("{path} begins with {found}, so it is no PNG image, whatever its name says: convert it to PNG")]
    NotPng {
        /// The file.
        path: PathBuf,
        /// Its first bytes, in hexadecimal.
        found: String,
    },
    /// The decoder could not go on.
    #[error(
        "{path} is not a whole PNG image ({reason}): it is damaged or cut short; download or write it again"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        reason: String,
    },
    /// More pixels than are read.
    #[error(
        "{path} announces an image of {width} x {height} pixels; read are up to {max_side} on a side and {max_pixels} \
         in all: make it smaller"
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Announced pixels of a row.
        width: usize,
        /// Announced rows.
        height: usize,
        /// The longest side that is read.
        max_side: usize,
        /// The most pixels that are read.
        max_pixels: usize,
    },
    /// An image could not be written.
    #[error("cannot write {path}, an image of {width} x {height} pixels: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Pixels of a row.
        width: usize,
        /// Rows.
        height: usize,
        /// What the encoder or the system said.
        source: io::Error,
    },

    /// Two images of a data set differ in size.
    #[error(
        "{first} has {} x {} pixels, but {other} has {} x {}: the images of a data set have one size",
        .first_size.1, .first_size.0, .other_size.1, .other_size.0
    )]
    Sizes {
        /// The first image.
        first: PathBuf,
        /// Its height and width.
        first_size: (usize, usize),
        /// An image of another size.
        other: PathBuf,
        /// Its height and width.
        other_size: (usize, usize),
    },
    /// A folder has images in another format.
    #[error("{folder} has images such as {found}, and PNG is the only format read: convert them to PNG")]
    OtherFormats {
        /// The folder.
        folder: PathBuf,
        /// One of its files.
        found: String,
    },
    /// A folder has images both in class folders and beside them.
    #[error(
        "{folder} has both images ({image}) and folders of images ({class}): move the images into the folders of \
         their classes, or elsewhere"
    )]
    Mixed {
        /// The folder.
        folder: PathBuf,
        /// An image in it.
        image: String,
        /// A folder of images in it.
        class: String,
    },
    /// A folder of images lacks one of the two parts.
    #[error("{folder} has no folder `{part}` with PNG images, so `/{part}` cannot be asked of it")]
    PartMissing {
        /// The folder.
        folder: PathBuf,
        /// The part asked for.
        part: &'static str,
    },
    /// A symbolic link leads elsewhere.
    #[error("{link} is a symbolic link out of the data set's folder {folder}: put the file itself there")]
    LinkOut {
        /// The link.
        link: PathBuf,
        /// The folder of the data set.
        folder: PathBuf,
    },
    /// The images of a folder do not fit into memory together.
    #[error(
        "{n} images of {width} x {height} pixels, as in {folder}, are more than memory can hold: take fewer rows"
    )]
    Memory {
        /// The folder.
        folder: PathBuf,
        /// How many images.
        n: usize,
        /// Pixels of a row.
        width: usize,
        /// Rows.
        height: usize,
    },

    /// There is nothing on an image.
    #[error(
        "an image of {width} x {height} pixels without ink: nothing stands out from its border; --as-is takes the \
         pixels as they are"
    )]
    Blank {
        /// Pixels of a row.
        width: usize,
        /// Rows.
        height: usize,
    },
}
