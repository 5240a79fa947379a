//! Pictures as text: half blocks and shades, light on dark, without colour codes.

use steepest::{Dataset, Inputs};

use crate::report::shorten;

/// A picture is at most so wide: five of them fit side by side into 80 columns.
const COLUMNS: usize = 14;
/// Pictures side by side.
pub const PER_LINE: usize = 5;
const GAP: &str = "  ";
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];
/// Two pixels of a character that differ by this part of white are told apart; others share one shade.
const EDGE: f32 = 0.35;

/// A picture with lines of text under it.
pub struct Picture {
    lines: Vec<String>,
    caption: Vec<String>,
}

impl Picture {
    /// Row `row` of a data set of `height` x `width` images.
    pub fn new((height, width): (usize, usize), data: &Dataset, row: usize, caption: Vec<String>) -> Self {
        Self { lines: draw(height, width, &pixels(data, row)), caption }
    }
}

/// Pictures side by side, their captions below; as many lines of pictures as it takes.
pub fn side_by_side(pictures: &[Picture]) -> String {
    let lines = |pictures: &[Picture]| {
        let height = pictures.iter().map(|p| p.lines.len()).max().unwrap_or(0);
        let captions = pictures.iter().map(|p| p.caption.len()).max().unwrap_or(0);
        let picture_lines: Vec<String> = (0..height).map(|i| line(pictures, |p| p.lines.get(i))).collect();
        // What is black in all pictures is only their margin.
        let is_inked = |line: &String| !line.trim().is_empty();
        let first = picture_lines.iter().position(is_inked).unwrap_or(height);
        let end = picture_lines.iter().rposition(is_inked).map_or(first, |last| last + 1);
        let picture_lines = picture_lines[first..end].iter().cloned();
        let caption_lines = (0..captions).map(|i| line(pictures, |p| p.caption.get(i)));
        picture_lines.chain(caption_lines).collect::<String>()
    };
    pictures.chunks(PER_LINE).map(lines).collect::<Vec<_>>().join("\n")
}

fn line<'a>(pictures: &'a [Picture], part: impl Fn(&'a Picture) -> Option<&'a String>) -> String {
    let cell = |picture| {
        let text = part(picture).map(|text| shorten(text, COLUMNS)).unwrap_or_default();
        format!("{text:<COLUMNS$}")
    };
    let cells: Vec<String> = pictures.iter().map(cell).collect();
    cells.join(GAP).trim_end().to_string() + "\n"
}

/// The inputs of a row, as numbers.
fn pixels(data: &Dataset, row: usize) -> Vec<f32> {
    let width = data.n_features();
    let place = row * width..(row + 1) * width;
    match data.inputs() {
        Inputs::Bytes(x) => x[place].iter().map(|&x| f32::from(x)).collect(),
        Inputs::F32(x) => x[place].to_vec(),
        Inputs::F64(x) => x[place].iter().map(|&x| x as f32).collect(),
        Inputs::Sparse(rows) => {
            let mut pixels = vec![0.0; width];
            rows.entries(row).into_iter().for_each(|(column, value)| pixels[column] = value as f32);
            pixels
        }
        Inputs::Drawn { draw, rows } => {
            let mut bytes = vec![0; width];
            draw(0, rows[row], &mut bytes);
            bytes.into_iter().map(f32::from).collect()
        }
    }
}

/// Lines of text for `height` x `width` pixels, of which each character shows two, one above the other.
fn draw(height: usize, width: usize, pixels: &[f32]) -> Vec<String> {
    let (height, width, pixels) = shrink(height, width, pixels);
    let white = pixels.iter().copied().fold(0.0, f32::max).max(f32::MIN_POSITIVE);
    let light = |y: usize, x: usize| match y < height {
        true => (pixels[y * width + x] / white).max(0.0),
        false => 0.0,
    };
    let line = |y: usize| (0..width).map(|x| character(light(y, x), light(y + 1, x))).collect();
    (0..height).step_by(2).map(line).collect()
}

fn character(above: f32, below: f32) -> char {
    if above - below > EDGE {
        return '▀';
    }
    if below - above > EDGE {
        return '▄';
    }
    let shade = (above + below) / 2.0 * SHADES.len() as f32;
    SHADES[(shade as usize).min(SHADES.len() - 1)]
}

/// Means of squares of pixels, as small as it takes to fit into [`COLUMNS`]. A picture that is tall keeps its shape.
fn shrink(height: usize, width: usize, pixels: &[f32]) -> (usize, usize, Vec<f32>) {
    let side = width.max(height).div_ceil(COLUMNS);
    let (low, narrow) = (height.div_ceil(side), width.div_ceil(side));
    let mean = |i: usize| {
        let (top, left) = (i / narrow * side, i % narrow * side);
        let (bottom, right) = ((top + side).min(height), (left + side).min(width));
        let square = (top..bottom).flat_map(|y| &pixels[y * width + left..y * width + right]);
        square.sum::<f32>() / ((bottom - top) * (right - left)) as f32
    };
    (low, narrow, (0..low * narrow).map(mean).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caption(text: &str) -> Vec<String> {
        vec![text.into()]
    }

    #[test]
    fn each_character_is_two_pixels() {
        let image =
            [0.0, 9.0, 0.0, 9.0, 4.0, /**/ 0.0, 0.0, 9.0, 9.0, 4.0, /**/ 9.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(draw(3, 5, &image), [" ▀▄█▒", "▀    "]);
    }

    #[test]
    fn any_picture_fits() {
        for (height, width) in [(28, 28), (1, 1), (1, 300), (300, 1), (29, 15), (200, 200)] {
            let lines = draw(height, width, &vec![1.0; height * width]);
            assert!(lines.len() <= COLUMNS && lines.iter().all(|line| line.chars().count() <= COLUMNS));
        }
        assert_eq!(draw(28, 28, &[0.5; 784]), vec!["█".repeat(14); 7]);
        assert_eq!(draw(2, 2, &[-1.0, 0.0, -0.5, 0.0]), ["  "], "nothing is lighter than black");
    }

    #[test]
    fn pictures_stand_side_by_side_over_their_captions() {
        let inputs = Inputs::F64([[0.0, 1.0], [1.0, 1.0]].concat().into());
        let data = Dataset::new(inputs, 2, None).unwrap().with_image(1, 2);
        let pictures = [0, 1].map(|row| Picture::new((1, 2), &data, row, caption(["one", "two"][row])));
        assert_eq!(side_by_side(&pictures), " ▀              ▀▀\none             two\n");
        let six: Vec<_> = (0..6).map(|_| Picture::new((1, 2), &data, 1, caption("a"))).collect();
        assert_eq!(side_by_side(&six).lines().count(), 5, "five, an empty line, one");
    }
}
