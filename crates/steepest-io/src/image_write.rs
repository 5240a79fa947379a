//! Data sets into folders of PNG images.

use std::path::Path;

use steepest::{Dataset, Inputs, Targets};

use crate::convert::WriteError;
use crate::png::write_png;

/// Writes each row as an image, in the folder of its class where there are classes. The files are named by the numbers of
/// their rows, so that they are read in the same order.
pub(crate) fn write_images(folder: &Path, data: &Dataset) -> Result<(), WriteError> {
    let (Inputs::Bytes(pixels), Some((height, width))) = (data.inputs(), data.image()) else {
        return Err(WriteError::Cannot("PNG holds images of bytes, and these data are none: write .npz"));
    };
    let folder_of = |row: usize| match data.targets() {
        None => Some(folder.to_path_buf()),
        Some(Targets::Classes { labels, names }) => {
            let name = labels.get(row).and_then(|&label| names.get(label as usize))?;
            is_folder_name(name).then(|| folder.join(name))
        }
        Some(Targets::Values { .. }) => None,
    };
    const CLASSES: &str = "a folder of images has a folder for each class, but these targets are numbers, or classes whose \
        names no folder can have: write .npz";
    std::fs::create_dir_all(folder)?;
    let digits = data.n_samples().saturating_sub(1).to_string().len();
    for (row, image) in pixels.chunks_exact(height.saturating_mul(width).max(1)).enumerate() {
        let folder = folder_of(row).ok_or(WriteError::Cannot(CLASSES))?;
        std::fs::create_dir_all(&folder)?;
        write_png(&folder.join(format!("{row:0digits$}.png")), image, height, width)
            .map_err(WriteError::Image)?;
    }
    Ok(())
}

fn is_folder_name(name: &str) -> bool {
    // These would be read as parts.
    if ["train", "test"].contains(&name) {
        return false;
    }
    let is_plain = |c: char| !c.is_control() && !r#"/\:*?"<>|"#.contains(c);
    !name.is_empty()
        && !name.starts_with('.')
        && name.trim() == name
        && name.len() < 200
        && name.chars().all(is_plain)
}
