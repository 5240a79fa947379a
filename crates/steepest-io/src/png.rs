//! One PNG image: to grey bytes, and grey bytes to a file.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use png::{BitDepth, ColorType, DecodeOptions, Decoder, Encoder, Limits, Reader, Transformations};

use crate::error::DataError;
use crate::file::open_regular;
use crate::image_error::ImageError;

/// What every PNG file begins with.
pub(crate) const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// The longest side of an image, and the most pixels in all.
const MAX_SIDE: usize = 1 << 14;
const MAX_PIXELS: usize = 1 << 26;
/// The most bytes of an interlaced image, in all its channels.
const MAX_FRAME_BYTES: usize = 1 << 26;
/// What the decoder may allocate beside the pixels.
const MAX_DECODER_BYTES: usize = 1 << 26;
/// The longest file: more than twice what the most pixels take in the widest format.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// Deflate makes at most this many bytes of one.
const MAX_DEFLATE_RATIO: usize = 1032;

/// A grey image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GreyImage {
    /// Rows.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// From 0, black, to 255, white: `(height, width)`.
    pub pixels: Vec<u8>,
}

/// What is done with an alpha channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpha {
    /// It is left out, as Pillow's `convert("L")` does: what is transparent has the colour that lies under it.
    Ignored,
    /// The image is laid on white paper.
    OverWhite,
}

/// Reads a PNG image of any colour type as grey, of an animated one the first frame.
///
/// The bytes are those of Pillow's `convert("L")`: colours become `(19595 R + 38470 G + 7471 B + 32768) >> 16`, grey of
/// 1, 2 or 4 bits is scaled to 0 to 255. Of 16 bits the upper eight are taken, where Pillow clips grey at 255.
///
/// # Errors
/// When the file is damaged, cut short, no PNG, or has more than 16,384 pixels on a side or 67,108,864 in all.
pub fn read_png(path: &Path, alpha: Alpha) -> Result<GreyImage, DataError> {
    let mut decoder = GreyDecoder::default();
    let mut opened = decoder.open(path)?;
    let (height, width) = opened.size;
    // Zeros that the system gives cost nothing before they are written: a header alone takes no memory.
    let mut pixels = vec![0; height.saturating_mul(width)];
    opened.decode(alpha, &mut pixels)?;
    Ok(GreyImage { height, width, pixels })
}

/// Writes grey bytes `(height, width)` as a PNG image.
///
/// # Errors
/// When there are other than `height * width` bytes, none at all, or the file cannot be written.
pub fn write_png(path: &Path, pixels: &[u8], height: usize, width: usize) -> Result<(), DataError> {
    let write = || {
        let too_large = |_| io::Error::other("more pixels than a PNG image can have");
        let width = u32::try_from(width).map_err(too_large)?;
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, width, u32::try_from(height).map_err(too_large)?);
        encoder.set_color(ColorType::Grayscale);
        encoder.set_depth(BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(pixels)?;
        writer.finish()?;
        std::fs::write(path, file)
    };
    write().map_err(|source| ImageError::Write { path: path.into(), width, height, source }.into())
}

/// Reads one image after the other, with the same buffers.
#[derive(Default)]
pub(crate) struct GreyDecoder {
    file: Vec<u8>,
    row: Vec<u8>,
}

/// An image whose header has been read.
pub(crate) struct Opened<'a> {
    path: &'a Path,
    reader: Reader<Cursor<&'a [u8]>>,
    row: &'a mut Vec<u8>,
    /// Height and width.
    pub size: (usize, usize),
}

impl GreyDecoder {
    /// Reads a file and its header.
    pub fn open<'a>(&'a mut self, path: &'a Path) -> Result<Opened<'a>, DataError> {
        let (file, _) = open_regular(path)?;
        read_file(file, &mut self.file).map_err(|source| DataError::io(path, source))?;
        let file = self.file.as_slice();
        if file.is_empty() {
            return Err(DataError::Empty { path: path.into() });
        }
        if !file.starts_with(&SIGNATURE) && !SIGNATURE.starts_with(file) {
            let found = format!("the bytes {:02x?}", file.get(..4).unwrap_or(file));
            return Err(ImageError::NotPng { path: path.into(), found }.into());
        }
        let mut options = DecodeOptions::default();
        options.set_ignore_adler32(false);
        let mut decoder = Decoder::new_with_options(Cursor::new(file), options);
        decoder.set_limits(Limits { bytes: MAX_DECODER_BYTES });
        decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
        decoder.set_ignore_text_chunk(true);
        decoder.set_ignore_iccp_chunk(true);
        let damaged = |e| damaged(path, e);
        let (width, height) = decoder.read_header_info().map_err(damaged)?.size();
        let (height, width) = (height as usize, width as usize);
        if height.max(width) > MAX_SIDE || height.saturating_mul(width) > MAX_PIXELS {
            let (path, max_side, max_pixels) = (path.into(), MAX_SIDE, MAX_PIXELS);
            return Err(ImageError::TooLarge { path, width, height, max_side, max_pixels }.into());
        }
        let reader = decoder.read_info().map_err(damaged)?;
        // No buffer is made for a size that so few bytes cannot fill.
        if reader.info().raw_bytes() > file.len().saturating_mul(MAX_DEFLATE_RATIO) {
            let reason = format!("{} bytes cannot hold {width} x {height} pixels", file.len());
            return Err(ImageError::Damaged { path: path.into(), reason }.into());
        }
        // An interlaced image is only known when all of it is decoded.
        let frame = reader.output_buffer_size().unwrap_or(usize::MAX);
        if reader.info().interlaced && frame > MAX_FRAME_BYTES {
            let (path, max_side, max_pixels) = (path.into(), MAX_SIDE, MAX_FRAME_BYTES / 4);
            return Err(ImageError::TooLarge { path, width, height, max_side, max_pixels }.into());
        }
        // The first frame of an animation may be smaller than the image; the standard has it the same.
        if reader
            .info()
            .frame_control
            .is_some_and(|f| (f.height as usize, f.width as usize) != (height, width))
        {
            let reason = "its first frame is not as large as the image".into();
            return Err(ImageError::Damaged { path: path.into(), reason }.into());
        }
        Ok(Opened { path, reader, row: &mut self.row, size: (height, width) })
    }
}

impl Opened<'_> {
    /// Decodes into `out`, which has a byte for each pixel.
    pub fn decode(&mut self, alpha: Alpha, out: &mut [u8]) -> Result<(), DataError> {
        self.rows(alpha, out)
            // To the end of the file, so that none is taken that is cut short.
            .and_then(|()| self.reader.finish())
            .map_err(|e| damaged(self.path, e))
    }

    fn rows(&mut self, alpha: Alpha, out: &mut [u8]) -> Result<(), png::DecodingError> {
        let (_, width) = self.size;
        let (color, _) = self.reader.output_color_type();
        let line = color.samples().saturating_mul(width);
        if self.reader.info().interlaced {
            let mut frame = vec![0; self.reader.output_buffer_size().unwrap_or(0)];
            self.reader.next_frame(&mut frame)?;
            to_grey(color, alpha, &frame, out);
            return Ok(());
        }
        self.row.resize(line.max(self.row.len()), 0);
        for out in out.chunks_exact_mut(width) {
            if color == ColorType::Grayscale {
                self.reader.read_row(out)?;
            } else if let Some(row) = self.row.get_mut(..line) {
                self.reader.read_row(row)?;
                to_grey(color, alpha, row, out);
            }
        }
        Ok(())
    }
}

/// Reads a file into `buffer`, in place of what it held.
fn read_file(file: File, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    file.take(MAX_FILE_BYTES.saturating_add(1)).read_to_end(buffer)?;
    if buffer.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("it is longer than {MAX_FILE_BYTES} bytes")));
    }
    Ok(())
}

/// Pixels of eight bits to grey.
#[allow(clippy::arithmetic_side_effects)] // no product of two bytes leaves 32 bits
fn to_grey(color: ColorType, alpha: Alpha, pixels: &[u8], out: &mut [u8]) {
    let cover = |grey: u8, a: u8| match alpha {
        Alpha::Ignored => grey,
        Alpha::OverWhite => {
            let (grey, a) = (u32::from(grey), u32::from(a));
            ((grey * a + 255 * (255 - a) + 127) / 255) as u8
        }
    };
    match color {
        ColorType::Rgb => {
            for (out, &[r, g, b]) in out.iter_mut().zip(pixels.as_chunks().0) {
                *out = luma(r, g, b);
            }
        }
        ColorType::Rgba => {
            for (out, &[r, g, b, a]) in out.iter_mut().zip(pixels.as_chunks().0) {
                *out = cover(luma(r, g, b), a);
            }
        }
        ColorType::GrayscaleAlpha => {
            for (out, &[grey, a]) in out.iter_mut().zip(pixels.as_chunks().0) {
                *out = cover(grey, a);
            }
        }
        // The palette has become RGB.
        ColorType::Grayscale | ColorType::Indexed => {
            for (out, &grey) in out.iter_mut().zip(pixels) {
                *out = grey;
            }
        }
    }
}

/// ITU-R 601-2 in fixed point, as Pillow has it.
#[allow(clippy::arithmetic_side_effects)] // the factors add up to 2^16
fn luma(r: u8, g: u8, b: u8) -> u8 {
    ((u32::from(r) * 19595 + u32::from(g) * 38470 + u32::from(b) * 7471 + 0x8000) >> 16) as u8
}

fn damaged(path: &Path, error: png::DecodingError) -> DataError {
    ImageError::Damaged { path: path.into(), reason: error.to_string() }.into()
}
