//! Values in recipes that are more than a number or a name, and how they are written.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

/// How the gradient of biases is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BiasGradient {
    /// For each unit its own (the textbook).
    PerUnit,
    /// For all units of a layer the sum over them (notebook 2): for the output layer that is nearly zero.
    Summed,
}

/// Precision of all arithmetic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Single.
    #[default]
    F32,
    /// Double.
    F64,
}

/// How products of single precision are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProductsKind {
    /// As they are.
    #[default]
    F32,
    /// In large layers of factors that are rounded to bf16, whose sums stay in single precision: faster where the processor has
    /// instructions for it.
    Bf16,
}

impl ProductsKind {
    /// Whether they are as they always were.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Rows of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchSize {
    /// All rows.
    Full,
    /// So many.
    Rows(usize),
}

/// Rows held out for validation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValSplit {
    /// So many.
    Rows(usize),
    /// This part of all.
    Part(f64),
}

/// What is to be learnt from a table's target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// To tell classes apart.
    Classification,
    /// To predict a number.
    Regression,
}

/// What is done to a table's columns of numbers, and to its target if that is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// The training rows' mean is subtracted, then divided by their standard deviation.
    #[default]
    Standard,
    /// Nothing.
    None,
}

/// What is done about values that are missing from a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// The table is refused.
    #[default]
    Refuse,
    /// The mean of the training rows takes their place; in columns of text and of flags, what is most frequent there.
    Mean,
}

/// What a table's column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColumnKind {
    /// Numbers: one input.
    Number,
    /// True or false: one input, 1 or 0.
    Flag,
    /// Text: one input for each of its categories.
    Text,
}

/// A text that may be written as a whole number.
pub(crate) fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct Reader;
    impl Visitor<'_> for Reader {
        type Value = String;
        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("a text, or a whole number from 0 on")
        }
        fn visit_u64<E: de::Error>(self, n: u64) -> Result<String, E> {
            Ok(n.to_string())
        }
        fn visit_i64<E: de::Error>(self, n: i64) -> Result<String, E> {
            let number = u64::try_from(n).map_err(|_| E::invalid_value(de::Unexpected::Signed(n), &self))?;
            Ok(number.to_string())
        }
        fn visit_str<E: de::Error>(self, s: &str) -> Result<String, E> {
            Ok(s.into())
        }
    }
    deserializer.deserialize_any(Reader).map(Some)
}

impl Serialize for BatchSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Full => serializer.serialize_str("full"),
            Self::Rows(n) => serializer.serialize_u64(*n as u64),
        }
    }
}

impl<'de> Deserialize<'de> for BatchSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = BatchSize;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a number of rows from 1 on, or \"full\"")
            }
            // TOML has signed numbers, JSON unsigned ones where it can.
            fn visit_u64<E: de::Error>(self, n: u64) -> Result<BatchSize, E> {
                self.visit_i64(i64::try_from(n).unwrap_or(i64::MAX))
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<BatchSize, E> {
                let rows = usize::try_from(n).ok().filter(|&n| n > 0);
                rows.map(BatchSize::Rows).ok_or_else(|| E::invalid_value(de::Unexpected::Signed(n), &self))
            }
            fn visit_str<E: de::Error>(self, s: &str) -> Result<BatchSize, E> {
                if s == "full" {
                    return Ok(BatchSize::Full);
                }
                Err(E::invalid_value(de::Unexpected::Str(s), &self))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl Serialize for ValSplit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Rows(n) => serializer.serialize_u64(*n as u64),
            Self::Part(part) => serializer.serialize_f64(*part),
        }
    }
}

impl<'de> Deserialize<'de> for ValSplit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = ValSplit;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a number of rows, or a part of them such as 0.1 (below 1)")
            }
            fn visit_u64<E: de::Error>(self, n: u64) -> Result<ValSplit, E> {
                self.visit_i64(i64::try_from(n).unwrap_or(i64::MAX))
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<ValSplit, E> {
                let rows = usize::try_from(n).ok();
                rows.map(ValSplit::Rows).ok_or_else(|| E::invalid_value(de::Unexpected::Signed(n), &self))
            }
            fn visit_f64<E: de::Error>(self, x: f64) -> Result<ValSplit, E> {
                if (0.0..1.0).contains(&x) {
                    return Ok(ValSplit::Part(x));
                }
                Err(E::invalid_value(de::Unexpected::Float(x), &self))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
