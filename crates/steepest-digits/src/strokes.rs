//! The ways of writing each digit, read from `strokes.txt`.

use std::sync::LazyLock;

use crate::dice::Dice;
use crate::point::Point;

/// One way of writing a digit.
#[derive(Debug)]
pub struct Variant {
    digit: usize,
    weight: f32,
    /// Every point once, in a box one wide and one high.
    pub points: Vec<Point>,
    /// Each stroke as indices into `points`: strokes that share a point share its index.
    pub strokes: Vec<Vec<usize>>,
}

static VARIANTS: LazyLock<[Vec<Variant>; 10]> = LazyLock::new(|| {
    let mut by_digit: [Vec<Variant>; 10] = Default::default();
    for variant in include_str!("strokes.txt").lines().filter_map(Variant::parse) {
        by_digit[variant.digit].push(variant);
    }
    by_digit
});

impl Variant {
    /// A way of writing `digit`, chosen by weight.
    pub fn choose(digit: u8, dice: &mut Dice) -> Option<&'static Variant> {
        let variants = VARIANTS.get(usize::from(digit))?;
        let total: f32 = variants.iter().map(|variant| variant.weight).sum();
        let mut left = dice.uniform(0.0, total);
        let chosen = variants.iter().find(|variant| {
            left -= variant.weight;
            left < 0.0
        });
        chosen.or(variants.last())
    }

    /// Reads `digit weight x,y x,y ...|x,y ...`; nothing for a comment or an empty line.
    fn parse(line: &str) -> Option<Self> {
        let (digit, rest) = line.split_once(' ')?;
        let (weight, strokes) = rest.split_once(' ')?;
        let digit = digit.parse().ok().filter(|&digit| digit < 10)?;
        let mut variant =
            Self { digit, weight: weight.parse().ok()?, points: Vec::new(), strokes: Vec::new() };
        for stroke in strokes.split('|') {
            variant.add_stroke(stroke)?;
        }
        Some(variant)
    }

    fn add_stroke(&mut self, stroke: &str) -> Option<()> {
        let earlier = self.points.len();
        let mut indices = Vec::new();
        for pair in stroke.split(' ') {
            let (x, y) = pair.split_once(',')?;
            let point = Point::new(x.parse::<f32>().ok()? / 100.0, y.parse::<f32>().ok()? / 100.0);
            // Only with earlier strokes: where a loop meets its own start, a hand does not hit the same spot twice.
            let joint = self.points[..earlier].iter().position(|&other| other == point);
            indices.push(joint.unwrap_or(self.points.len()));
            if joint.is_none() {
                self.points.push(point);
            }
        }
        let drawn = indices.len() >= 2;
        self.strokes.push(indices);
        drawn.then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read() {
        let lines =
            include_str!("strokes.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        assert_eq!(VARIANTS.iter().map(Vec::len).sum::<usize>(), lines.count());
    }

    #[test]
    fn every_digit_has_variants_with_weight_and_strokes_of_two_points_or_more() {
        for variants in VARIANTS.iter() {
            assert!(!variants.is_empty());
            for variant in variants {
                assert!(variant.weight > 0.0);
                assert!(variant.strokes.iter().all(|stroke| stroke.len() >= 2), "{variant:?}");
            }
        }
    }

    #[test]
    fn strokes_share_their_joints_but_a_loop_may_stay_open() {
        let variant = Variant::parse("1 1 0,0 50,0 0,0|50,0 50,100");
        let strokes = variant.map(|variant| variant.strokes);
        assert_eq!(strokes, Some(vec![vec![0, 1, 2], vec![1, 3]]));
    }
}
