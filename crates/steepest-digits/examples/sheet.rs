//! Draws a sheet of generated digits, a row of samples for each digit, as a binary PGM image:
//! `cargo run --release -p steepest-digits --example sheet -- digits.pgm [seed]`

use std::process::ExitCode;
use std::{env, fs};

use steepest_digits::{Digits, PIXELS, SIDE};

const DIGITS: usize = 10;
const SAMPLES: usize = 20;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let (path, seed) = (arguments.next(), arguments.next().map_or(Ok(0), |seed| seed.parse()));
    let (Some(path), Ok(seed)) = (path, seed) else {
        eprintln!("usage: sheet <file.pgm> [seed: a whole number]");
        return ExitCode::FAILURE;
    };
    match fs::write(&path, sheet(&Digits::new(seed))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write {path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn sheet(digits: &Digits) -> Vec<u8> {
    let width = SAMPLES * SIDE;
    let mut pixels = vec![0; DIGITS * SIDE * width];
    let mut image = [0; PIXELS];
    for row in 0..DIGITS * SAMPLES {
        digits.draw(0, row as u32, &mut image);
        let (digit, sample) = (row % DIGITS, row / DIGITS);
        for (y, line) in image.chunks_exact(SIDE).enumerate() {
            let start = (digit * SIDE + y) * width + sample * SIDE;
            pixels[start..start + SIDE].copy_from_slice(line);
        }
    }
    let mut file = format!("P5 {width} {} 255\n", DIGITS * SIDE).into_bytes();
    file.extend(pixels);
    file
}
