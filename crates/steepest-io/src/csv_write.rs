//! Data sets into CSV tables.

use std::io::Write;

use steepest::{Dataset, Inputs, Targets};

/// Writes a header and a line for each row, the target in the first column.
pub(crate) fn write_csv(out: &mut impl Write, data: &Dataset) -> std::io::Result<()> {
    let mut out = csv::Writer::from_writer(out);
    if let Some(targets) = data.targets() {
        out.write_field(if matches!(targets, Targets::Classes { .. }) { "label" } else { "target" })?;
    }
    match data.image() {
        Some((height, width)) if height == width => {
            (0..data.n_features()).try_for_each(|i| out.write_field(format!("pixel{i}")))?;
        }
        Some((height, width)) => {
            for row in 1..=height {
                (1..=width).try_for_each(|column| out.write_field(format!("{row}x{column}")))?;
            }
        }
        None => (0..data.n_features()).try_for_each(|i| out.write_field(format!("x{i}")))?,
    }
    out.write_record(None::<&[u8]>)?;
    let bytes: Vec<String> = (0..=u8::MAX).map(|byte| byte.to_string()).collect();
    let width = data.n_features();
    for row in 0..data.n_samples() {
        match data.targets() {
            Some(Targets::Classes { labels, names }) => {
                let label = labels.get(row).and_then(|&label| names.get(label as usize));
                out.write_field(label.map_or("", String::as_str))?;
            }
            // With a decimal point even where it is a whole number, which would be a class.
            Some(Targets::Values { values, .. }) => {
                out.write_field(values.get(row).map_or(String::new(), |value| format!("{value:?}")))?;
            }
            None => {}
        }
        let start = row.saturating_mul(width);
        let range = start..start.saturating_add(width);
        match data.inputs() {
            Inputs::Bytes(x) => {
                for &byte in x.get(range).unwrap_or_default() {
                    out.write_field(bytes.get(usize::from(byte)).map_or("", String::as_str))?;
                }
            }
            Inputs::F32(x) => {
                let row = x.get(range).unwrap_or_default();
                row.iter().try_for_each(|x| out.write_field(format!("{x:?}")))?;
            }
            Inputs::F64(x) => {
                let row = x.get(range).unwrap_or_default();
                row.iter().try_for_each(|x| out.write_field(format!("{x:?}")))?;
            }
            Inputs::Drawn { .. } | Inputs::Sparse(_) => unreachable!("rows are at hand"),
        }
        out.write_record(None::<&[u8]>)?;
    }
    out.flush()
}
