//! Data sets into folders of IDX files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use steepest::{Dataset, Inputs, Targets};

use crate::atomic::write_file;
use crate::convert::{WriteError, numbers, shape};
use crate::idx::prefix;
use crate::spec::Part;

/// Writes the two files of a part, named as MNIST's are.
pub(crate) fn write_idx_part(folder: &Path, part: Part, data: &Dataset) -> Result<(), WriteError> {
    let prefix = prefix(part);
    let shape = shape(data);
    let (code, kind) = match data.inputs() {
        Inputs::F32(_) => (0x0d, "float"),
        Inputs::F64(_) => (0x0e, "double"),
        Inputs::Bytes(_) | Inputs::Drawn { .. } | Inputs::Sparse(_) => (0x08, "ubyte"),
    };
    let name = format!("{prefix}-images-idx{}-{kind}", shape.len());
    write_idx(&folder.join(name), code, &shape, |out| match data.inputs() {
        Inputs::Bytes(x) => out.write_all(x),
        Inputs::F32(x) => x.iter().try_for_each(|x| out.write_all(&x.to_be_bytes())),
        Inputs::F64(x) => x.iter().try_for_each(|x| out.write_all(&x.to_be_bytes())),
        Inputs::Drawn { .. } | Inputs::Sparse(_) => unreachable!("rows are at hand"),
    })?;
    match data.targets() {
        None => {
            Err(WriteError::Cannot("a folder of IDX files has labels, and these data have none: write .npz"))
        }
        Some(Targets::Values { values, n_outputs }) => {
            let shape = if *n_outputs == 1 { vec![values.len()] } else { vec![data.n_samples(), *n_outputs] };
            let name = format!("{prefix}-labels-idx{}-double", shape.len());
            write_idx(&folder.join(name), 0x0e, &shape, |out| {
                values.iter().try_for_each(|x| out.write_all(&x.to_be_bytes()))
            })
        }
        Some(Targets::Classes { labels, names }) => {
            let text = WriteError::Cannot(
                "IDX holds numbers, and the names of these classes are text: write .npz or .csv",
            );
            let numbers = numbers(names).ok_or(text)?;
            let labels = labels.iter().map(|&label| numbers.get(label as usize).copied().unwrap_or_default());
            let shape = [data.n_samples()];
            if numbers.iter().all(|&number| u8::try_from(number).is_ok()) {
                let bytes: Vec<u8> = labels.map(|label| label as u8).collect();
                return write_idx(&folder.join(format!("{prefix}-labels-idx1-ubyte")), 0x08, &shape, |out| {
                    out.write_all(&bytes)
                });
            }
            let wide =
                WriteError::Cannot("IDX holds whole numbers of 32 bits, and these classes have larger ones");
            let labels: Vec<i32> = labels.map(i32::try_from).collect::<Result<_, _>>().map_err(|_| wide)?;
            write_idx(&folder.join(format!("{prefix}-labels-idx1-int")), 0x0c, &shape, |out| {
                labels.iter().try_for_each(|label| out.write_all(&label.to_be_bytes()))
            })
        }
    }
}

fn write_idx(
    path: &Path,
    code: u8,
    shape: &[usize],
    numbers: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
) -> Result<(), WriteError> {
    let too_large = WriteError::Cannot("IDX holds fewer than 2^32 rows");
    let sizes: Vec<u32> =
        shape.iter().map(|&size| u32::try_from(size)).collect::<Result<_, _>>().map_err(|_| too_large)?;
    write_file(path, |out| {
        out.write_all(&[0, 0, code, shape.len() as u8])?;
        sizes.iter().try_for_each(|size| out.write_all(&size.to_be_bytes()))?;
        numbers(out)
    })?;
    Ok(())
}
