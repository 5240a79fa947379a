//! Deformed images: each pixel is looked up somewhere in the old image, between four of its pixels.

use crate::simd::{Kernel, Simd, dispatch};

/// Where the pixels of a deformed image come from.
///
/// The pixel in column `x` and row `y`, both counted from the middle of the image, comes from the place with column
/// (`axis` 0) and row (`axis` 1)
///
/// `map[axis] . (x, y, 1) + sum over k and l of down[y][k] bumps[axis][k][l] across[l][x]`
///
/// also counted from the middle. Between pixels lies the bilinear mean of the four around; around the image lie zeros.
#[derive(Clone, Copy, Debug)]
pub struct Deformation<'a> {
    /// Rows and columns of the image.
    pub size: (usize, usize),
    /// The linear part, and a shift in pixels.
    pub map: [[f32; 3]; 2],
    /// The shapes of the bumps of a smooth displacement along the columns, `(height, n_down)`; may be empty.
    pub down: &'a [f32],
    /// Those along the rows, `(n_across, width)`.
    pub across: &'a [f32],
    /// How high each bump is, in pixels; for each axis `(n_down, n_across)`.
    pub bumps: [&'a [f32]; 2],
}

/// What [`deform`] works with; kept from image to image.
#[derive(Default)]
pub struct DeformScratch {
    /// The image with zeros around it: one row and column before, two after.
    framed: Vec<u8>,
    /// For each place in the image and one beyond on each side the pixel there, its neighbours to the right and below, and
    /// the one to the right of that below: the four that a point between them is a mean of, in one number.
    squares: Vec<u32>,
    /// For each axis the bumps times their shapes along the rows, `(n_down, stride)`.
    ridges: [Vec<f32>; 2],
}

/// A deformed image, rounded to whole bytes. Bits do not depend on the instruction set.
///
/// # Panics
/// When the slices do not have the shapes of [`Deformation`], or a side of the image is 2^15 pixels or more.
pub fn deform(image: &[u8], how: &Deformation, scratch: &mut DeformScratch, out: &mut [u8]) {
    let (height, width) = how.size;
    assert!(height < 1 << 15 && width < 1 << 15);
    assert!(image.len() == height * width && out.len() == image.len());
    let (n_down, n_across) = how.shape();
    assert!(how.down.len() == height * n_down && how.across.len() == n_across * width);
    assert!(how.bumps.iter().all(|bumps| bumps.len() == n_down * n_across));
    if !image.is_empty() {
        dispatch(Deform { image, how, scratch, out });
    }
}

impl Deformation<'_> {
    /// Bumps in a column and in a row.
    fn shape(&self) -> (usize, usize) {
        let (height, width) = self.size;
        (self.down.len().checked_div(height).unwrap_or(0), self.across.len().checked_div(width).unwrap_or(0))
    }
}

struct Deform<'a> {
    image: &'a [u8],
    how: &'a Deformation<'a>,
    scratch: &'a mut DeformScratch,
    out: &'a mut [u8],
}

/// Pixels that are computed together: the compiler makes as many registers of them as the instruction set needs.
const GROUP: usize = 16;

impl Kernel for Deform<'_> {
    type Output = ();

    // Loops over arrays that the compiler turns into registers. Products are rounded before they are added, as everywhere
    // in Rust, so that all instruction sets agree to the last bit.
    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { image, how, scratch, out } = self;
        let (height, width) = how.size;
        let (n_down, _) = how.shape();
        let stride = width.next_multiple_of(GROUP);
        scratch.frame(image, how.size);
        for axis in 0..2 {
            ridges(how, axis, stride, &mut scratch.ridges[axis]);
        }
        let (squares, [columns, rows]) = (&scratch.squares[..], &scratch.ridges);
        let [mx, my] = how.map;
        let (middle_x, middle_y) = ((width - 1) as f32 / 2.0, (height - 1) as f32 / 2.0);
        for (y, out) in out.chunks_exact_mut(width).enumerate() {
            let down = &how.down[y * n_down..(y + 1) * n_down];
            let y = y as f32 - middle_y;
            let (start_x, start_y) = (mx[1] * y + (mx[2] + middle_x), my[1] * y + (my[2] + middle_y));
            for (g, out) in out.chunks_mut(GROUP).enumerate() {
                let first = g * GROUP;
                let (mut from_x, mut from_y) = ([0.0; GROUP], [0.0; GROUP]);
                for i in 0..GROUP {
                    let x = (first + i) as f32 - middle_x;
                    from_x[i] = mx[0] * x + start_x;
                    from_y[i] = my[0] * x + start_y;
                }
                for (k, &part) in down.iter().enumerate() {
                    let columns = &columns[k * stride + first..][..GROUP];
                    let rows = &rows[k * stride + first..][..GROUP];
                    for i in 0..GROUP {
                        from_x[i] += part * columns[i];
                        from_y[i] += part * rows[i];
                    }
                }
                let bytes = look_up(squares, how.size, from_x, from_y);
                out.copy_from_slice(&bytes[..out.len()]);
            }
        }
    }
}

/// The bytes of the image at these places.
#[inline(always)]
fn look_up(
    squares: &[u32],
    (height, width): (usize, usize),
    x: [f32; GROUP],
    y: [f32; GROUP],
) -> [u8; GROUP] {
    let (last_x, last_y) = ((width + 1) as f32, (height + 1) as f32);
    let mut places = [0i32; GROUP];
    let (mut part_x, mut part_y) = ([0.0; GROUP], [0.0; GROUP]);
    for i in 0..GROUP {
        // In the image with its frame. Beyond that there are only zeros, as on its rim.
        let (x, y) = (between_0_and(last_x, x[i] + 1.0), between_0_and(last_y, y[i] + 1.0));
        // SAFETY: a side is shorter than 2^15, and both numbers lie between 0 and 2^15 + 1.
        let (left, above) = unsafe { (x.to_int_unchecked::<i32>(), y.to_int_unchecked::<i32>()) };
        part_x[i] = x - left as f32;
        part_y[i] = y - above as f32;
        places[i] = above * (width + 2) as i32 + left;
    }
    let mut four = [0u32; GROUP];
    for i in 0..GROUP {
        four[i] = squares[places[i] as usize];
    }
    let mut bytes = [0u8; GROUP];
    for i in 0..GROUP {
        let pixel = |n: u32| ((four[i] >> (8 * n)) & 255) as i32 as f32;
        let above = pixel(0) + (pixel(1) - pixel(0)) * part_x[i];
        let below = pixel(2) + (pixel(3) - pixel(2)) * part_x[i];
        // SAFETY: a mean of bytes, rounded, lies between 0.5 and 255.5.
        let rounded: i32 = unsafe { (above + (below - above) * part_y[i] + 0.5).to_int_unchecked() };
        bytes[i] = rounded as u8;
    }
    bytes
}

/// `x`, or the nearer end of the range; 0 for what is no number. (`clamp` would leave that as it is.)
#[inline(always)]
fn between_0_and(last: f32, x: f32) -> f32 {
    let x = if x > 0.0 { x } else { 0.0 };
    if x < last { x } else { last }
}

impl DeformScratch {
    #[inline(always)]
    fn frame(&mut self, image: &[u8], (height, width): (usize, usize)) {
        let (rows, columns) = (height + 2, width + 2);
        // The zeros around stay from image to image, as long as these have one size.
        let is_same = self.squares.len() == rows * columns && self.framed.len() == (rows + 1) * (columns + 1);
        if !is_same {
            self.framed = vec![0; (rows + 1) * (columns + 1)];
            self.squares = vec![0; rows * columns];
        }
        let framed = self.framed[columns + 2..].chunks_mut(columns + 1);
        for (framed, image) in framed.zip(image.chunks_exact(width)) {
            framed[..width].copy_from_slice(image);
        }
        for (y, squares) in self.squares.chunks_exact_mut(columns).enumerate() {
            let above = &self.framed[y * (columns + 1)..][..columns + 1];
            let below = &self.framed[(y + 1) * (columns + 1)..][..columns + 1];
            for (x, square) in squares.iter_mut().enumerate() {
                *square = u32::from_le_bytes([above[x], above[x + 1], below[x], below[x + 1]]);
            }
        }
    }
}

/// The bumps of one axis times their shapes along the rows.
#[inline(always)]
fn ridges(how: &Deformation, axis: usize, stride: usize, ridges: &mut Vec<f32>) {
    let (height, width) = how.size;
    let (n_down, n_across) = (how.down.len() / height, how.across.len() / width);
    ridges.clear();
    ridges.resize(n_down * stride, 0.0);
    for (k, ridge) in ridges.chunks_exact_mut(stride).enumerate() {
        let bumps = &how.bumps[axis][k * n_across..(k + 1) * n_across];
        for (&bump, across) in bumps.iter().zip(how.across.chunks_exact(width)) {
            for (ridge, &across) in ridge.iter_mut().zip(across) {
                *ridge += bump * across;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;
    use crate::simd::{InstructionSet, dispatch_on};

    const IDENTITY: [[f32; 3]; 2] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]];

    fn picture((height, width): (usize, usize)) -> Vec<u8> {
        (0..height * width).map(|i| (i * i * 31 % 257 % 256) as u8).collect()
    }

    fn on(set: InstructionSet, image: &[u8], how: &Deformation) -> Vec<u8> {
        let mut out = vec![9; image.len()];
        // Scratch of another size is made anew.
        let mut scratch = DeformScratch { squares: vec![7; 5], ..DeformScratch::default() };
        for _ in 0..2 {
            dispatch_on(set, Deform { image, how, scratch: &mut scratch, out: &mut out });
        }
        out
    }

    fn rigid(size: (usize, usize), map: [[f32; 3]; 2]) -> Deformation<'static> {
        Deformation { size, map, down: &[], across: &[], bumps: [&[]; 2] }
    }

    #[test]
    fn what_stays_where_it_is_stays_as_it_is() {
        for size in [(28, 28), (1, 1), (5, 33), (40, 3)] {
            for set in InstructionSet::available() {
                let image = picture(size);
                assert_eq!(on(set, &image, &rigid(size, IDENTITY)), image, "{size:?}");
                // Shapes of bumps, but all of them flat.
                let (height, width) = size;
                let (down, across) = (vec![0.5; height * 3], vec![0.5; 2 * width]);
                let how = Deformation {
                    down: &down,
                    across: &across,
                    bumps: [&[0.0; 6]; 2],
                    ..rigid(size, IDENTITY)
                };
                assert_eq!(on(set, &image, &how), image, "{size:?}");
            }
        }
    }

    #[test]
    fn whole_shifts_and_quarter_turns_move_pixels() {
        let (height, width) = (11, 19);
        let image = picture((height, width));
        for (right, down) in [(1, 0), (0, -2), (-3, 4), (18, 10), (19, 0), (200, -1000)] {
            let map = [[1.0, 0.0, -right as f32], [0.0, 1.0, -down as f32]];
            let expected: Vec<u8> = (0..height as i32)
                .flat_map(|y| (0..width as i32).map(move |x| (y - down, x - right)))
                .map(|(y, x)| {
                    let is_inside = (0..height as i32).contains(&y) && (0..width as i32).contains(&x);
                    if is_inside { image[y as usize * width + x as usize] } else { 0 }
                })
                .collect();
            for set in InstructionSet::available() {
                assert_eq!(on(set, &image, &rigid((height, width), map)), expected, "{right} {down}");
            }
        }
        let n = 20;
        let image = picture((n, n));
        let turned: Vec<u8> = (0..n * n).map(|i| image[i % n * n + (n - 1 - i / n)]).collect();
        let map = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]];
        assert_eq!(on(InstructionSet::Portable, &image, &rigid((n, n), map)), turned);
    }

    #[test]
    fn every_instruction_set_gives_the_rounded_numbers_of_the_reference() {
        for (n, &size) in [(28, 28), (9, 50), (31, 7), (16, 16)].iter().enumerate() {
            let (height, width) = size;
            let image = picture(size);
            let (n_down, n_across) = (height.div_ceil(4), width.div_ceil(5));
            let wave = |i: usize, step: f32| (i as f32 * step).sin();
            let down: Vec<f32> = (0..height * n_down).map(|i| wave(i, 0.7)).collect();
            let across: Vec<f32> = (0..n_across * width).map(|i| wave(i, 1.3)).collect();
            let bumps =
                [0.9, 2.1].map(|step| (0..n_down * n_across).map(|i| wave(i, step)).collect::<Vec<_>>());
            let how = Deformation {
                size,
                map: [[1.1, 0.2, -0.7], [-0.15 * n as f32, 0.9, 1.4]],
                down: &down,
                across: &across,
                bumps: [&bumps[0], &bumps[1]],
            };
            let mut expected = vec![0.0; image.len()];
            reference::deform(&image, &how, &mut expected);
            assert!(expected.iter().filter(|&&e| e > 1.0).count() > image.len() / 3);
            let first = on(InstructionSet::Portable, &image, &how);
            for (i, (&byte, &e)) in first.iter().zip(&expected).enumerate() {
                assert!((f64::from(byte) - e).abs() <= 0.5 + 1e-2, "{size:?}, pixel {i}: {byte} for {e}");
            }
            for set in InstructionSet::available() {
                assert_eq!(on(set, &image, &how), first, "{}", set.name());
            }
        }
    }

    #[test]
    fn places_that_are_no_numbers_are_empty() {
        let size = (4, 4);
        let image = [255; 16];
        for wrong in [f32::NAN, f32::INFINITY, -f32::INFINITY, 1e30, -1e30] {
            let map = [[1.0, 0.0, wrong], [0.0, 1.0, 0.0]];
            assert_eq!(on(InstructionSet::Portable, &image, &rigid(size, map)), [0; 16]);
        }
    }

    #[test]
    #[should_panic]
    fn bumps_without_shapes_are_refused() {
        let how = Deformation { bumps: [&[1.0]; 2], ..rigid((2, 2), IDENTITY) };
        deform(&[0; 4], &how, &mut DeformScratch::default(), &mut [0; 4]);
    }
}
