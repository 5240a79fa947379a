//! From stored values to the cells of a table: numbers, and texts as a CSV file would have them.

use std::borrow::Cow;
use std::fmt::Display;

use crate::csv_error::CellProblem;
use crate::parquet_encodings::Values;
use crate::parquet_footer::{Meaning, Physical, Stored};

/// What becomes of a value.
#[derive(Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Number(f64),
    Text(Cow<'a, [u8]>),
}

impl Stored {
    /// Whether its values are numbers.
    pub(crate) fn is_number(&self) -> bool {
        let are_numbers = matches!(
            self.meaning,
            Meaning::Plain | Meaning::Unsigned | Meaning::Decimal(_) | Meaning::Float16
        );
        let are_texts = matches!(self.physical, Physical::Bool | Physical::Bytes | Physical::Fixed(_));
        are_numbers && !(are_texts && matches!(self.meaning, Meaning::Plain))
    }

    /// A value as a cell, numbers as text where that is asked for; none if there is no such value.
    pub(crate) fn cell<'a>(
        &self,
        values: &'a Values,
        place: usize,
        as_text: bool,
    ) -> Option<Result<Cell<'a>, CellProblem>> {
        let text = |text: String| Ok(Cell::Text(Cow::Owned(text.into_bytes())));
        let number = |number: f64| Ok(Cell::Number(number));
        let in_range = |time: Option<String>, value: &dyn Display| match time {
            Some(time) => text(time),
            None => Err(CellProblem::NotFinite(value.to_string())),
        };
        let decimal = |int: i128, places: u32| match as_text {
            true => text(decimal_text(int, places)),
            false => number(decimal(int, places)),
        };
        Some(match values {
            Values::Flags(flags) => {
                Ok(Cell::Text(Cow::Borrowed(if *flags.get(place)? { b"true" } else { b"false" })))
            }
            Values::Floats(floats) => {
                let float = *floats.get(place)?;
                match (as_text, self.physical) {
                    (false, _) => number(float),
                    // The shortest digits that mean the same number.
                    (true, Physical::Float) => text((float as f32).to_string()),
                    (true, _) => text(float.to_string()),
                }
            }
            Values::Ints(ints) => {
                let int = *ints.get(place)?;
                let without_sign =
                    if self.physical == Physical::Int32 { (int as u32).into() } else { int as u64 };
                match self.meaning {
                    Meaning::Decimal(places) => decimal(int.into(), places),
                    Meaning::Date => in_range(date(int), &int),
                    Meaning::Time(per_second) => in_range(time(int, per_second), &int),
                    Meaning::Timestamp(per_second) => in_range(timestamp(int, per_second), &int),
                    Meaning::Unsigned if as_text => text(without_sign.to_string()),
                    Meaning::Unsigned => number(without_sign as f64),
                    _ if as_text => text(int.to_string()),
                    _ => number(int as f64),
                }
            }
            Values::Texts(texts) => {
                let bytes = texts.get(place)?;
                match self.meaning {
                    Meaning::Decimal(places) => match whole(bytes) {
                        Some(int) => decimal(int, places),
                        None => in_range(None, &"a decimal of more than 38 digits"),
                    },
                    Meaning::Float16 => {
                        let float = half(u16::from_le_bytes(bytes.try_into().ok()?));
                        if as_text { text(float.to_string()) } else { number(float) }
                    }
                    Meaning::Uuid => text(uuid(bytes)),
                    Meaning::Timestamp(_) => {
                        let (nanoseconds, day) = bytes.split_first_chunk()?;
                        let day = u32::from_le_bytes(day.try_into().ok()?);
                        in_range(julian(day, u64::from_le_bytes(*nanoseconds)), &day)
                    }
                    _ => Ok(Cell::Text(Cow::Borrowed(bytes))),
                }
            }
        })
    }
}

/// The number nearest to a whole one divided by ten to a power.
fn decimal(int: i128, places: u32) -> f64 {
    format!("{int}e-{places}").parse().unwrap_or(f64::NAN)
}

fn decimal_text(int: i128, places: u32) -> String {
    let places = places as usize;
    let digits = format!("{:0>width$}", int.unsigned_abs(), width = places.saturating_add(1));
    let (whole, part) = digits.split_at_checked(digits.len().saturating_sub(places)).unwrap_or_default();
    let (sign, point) = (if int < 0 { "-" } else { "" }, if places > 0 { "." } else { "" });
    format!("{sign}{whole}{point}{part}")
}

/// A whole number with its sign, the highest byte first.
fn whole(bytes: &[u8]) -> Option<i128> {
    let (&first, _) = bytes.split_first()?;
    let filler = if first & 0x80 == 0 { 0 } else { 0xff };
    let (more, bytes) = bytes.split_at_checked(bytes.len().saturating_sub(16))?;
    let mut all = [filler; 16];
    all.iter_mut().rev().zip(bytes.iter().rev()).for_each(|(all, byte)| *all = *byte);
    let int = i128::from_be_bytes(all);
    (more.iter().all(|&byte| byte == filler) && (int < 0) == (filler == 0xff)).then_some(int)
}

/// A number of half precision.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = ((bits >> 10) & 0x1f, f64::from(bits & 0x3ff) / 1024.0);
    let size = match exponent {
        0 => fraction * 2f64.powi(-14),
        0x1f if fraction == 0.0 => f64::INFINITY,
        0x1f => f64::NAN,
        _ => (1.0 + fraction) * 2f64.powi(i32::from(exponent).saturating_sub(15)),
    };
    if bits >> 15 == 0 { size } else { -size }
}

fn uuid(bytes: &[u8]) -> String {
    let hyphens = [4, 6, 8, 10];
    let byte = |(i, byte): (usize, &u8)| format!("{}{byte:02x}", if hyphens.contains(&i) { "-" } else { "" });
    bytes.iter().enumerate().map(byte).collect()
}

const DAY: i64 = 24 * 60 * 60;

/// A day, counted from 1970, as ISO 8601 writes it; none outside the years 0 to 9999.
#[allow(clippy::arithmetic_side_effects)] // of days within the bounds that are checked first
fn date(days: i64) -> Option<String> {
    const FROM_0: i64 = 719_468; // to 1970, from the first of March in the year 0
    const OF_400_YEARS: i64 = 146_097;
    if !(-719_528..=2_932_896).contains(&days) {
        return None;
    }
    let days = days + FROM_0;
    // Years that begin in March end with the day that some years lack.
    let (centuries, day) = (days.div_euclid(OF_400_YEARS), days.rem_euclid(OF_400_YEARS));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    Some(format!("{:04}-{month:02}-{day:02}", 400 * centuries + year + next))
}

/// A time of day.
fn time(units: i64, per_second: i64) -> Option<String> {
    let seconds = units.div_euclid(per_second);
    let part = units.rem_euclid(per_second);
    if !(0..DAY).contains(&seconds) {
        return None;
    }
    let n_digits = per_second.checked_ilog10()? as usize;
    let part = if part == 0 { String::new() } else { format!(".{part:0n_digits$}") };
    Some(format!("{:02}:{:02}:{:02}{part}", seconds / 3600, seconds / 60 % 60, seconds % 60))
}

/// A time of a day.
fn timestamp(units: i64, per_second: i64) -> Option<String> {
    let of_a_day = per_second.checked_mul(DAY)?;
    Some(format!("{} {}", date(units.div_euclid(of_a_day))?, time(units.rem_euclid(of_a_day), per_second)?))
}

/// A time of a day that is counted as astronomers do, in nanoseconds.
fn julian(day: u32, nanoseconds: u64) -> Option<String> {
    const OF_1970: i64 = 2_440_588;
    let date = date(i64::from(day).checked_sub(OF_1970)?)?;
    Some(format!("{date} {}", time(nanoseconds.try_into().ok()?, 1_000_000_000)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (days, text) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (19_782, "2024-02-29"),
            (-25_509, "1900-02-28"),
            (-25_508, "1900-03-01"),
            (-719_528, "0000-01-01"),
            (2_932_896, "9999-12-31"),
        ] {
            assert_eq!(date(days).as_deref(), Some(text));
        }
        assert_eq!((date(-719_529), date(2_932_897), date(i64::MIN)), (None, None, None));
        assert_eq!(timestamp(-1, 1000).unwrap(), "1969-12-31 23:59:59.999");
        assert_eq!(timestamp(951_786_245_000_001, 1_000_000).unwrap(), "2000-02-29 01:04:05.000001");
        assert_eq!(time(86_400_000, 1000), None);
        assert_eq!(julian(2_440_588, 0).unwrap(), "1970-01-01 00:00:00");
    }

    #[test]
    fn decimals_are_the_nearest_numbers() {
        assert_eq!((decimal(-1234, 2), decimal_text(-1234, 2)), (-12.34, "-12.34".into()));
        assert_eq!(
            (decimal(5, 3), decimal_text(5, 3), decimal_text(7, 0)),
            (0.005, "0.005".into(), "7".into())
        );
        assert_eq!(whole(&[0xff, 0xfe]), Some(-2));
        assert_eq!(whole(&[0; 32]), Some(0));
        assert_eq!(whole(&[[0xff; 31].as_slice(), &[0xfe]].concat()), Some(-2));
        assert_eq!(whole(&[[0; 15].as_slice(), &[1; 17]].concat()), None);
        assert_eq!(whole(&[[0; 16].as_slice(), &[0xff; 16]].concat()), None, "not -1");
    }

    #[test]
    fn halves_are_of_their_precision() {
        let bits = [0x3c00, 0xc000, 0x3555, 0x0001, 0x7bff, 0x8000, 0x7c00];
        let expected = [1.0, -2.0, 0.333_251_953_125, 2f64.powi(-24), 65_504.0, 0.0, f64::INFINITY];
        assert_eq!(bits.map(half), expected);
        assert!(half(0x7e00).is_nan());
    }
}
