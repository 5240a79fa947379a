//! How much rows of each class count in training.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

use crate::dataset::{Dataset, Targets};
use crate::error::Error;
use crate::plan::check;

/// What a recipe says of the classes' weights.
#[derive(Clone, Debug, PartialEq)]
pub enum ClassWeight {
    /// `n_rows / (n_classes * rows of the class)`, so that all classes weigh the same (scikit-learn).
    Balanced,
    /// One for each class, in their order.
    List(Vec<f64>),
    /// By the classes' names; 1 for those that are not named.
    Table(BTreeMap<String, f64>),
}

impl ClassWeight {
    /// The weight of each class, where `rows` of `data` are learnt from. Balanced weights count each row by its own weight, if
    /// it has one; a class without rows has weight 0.
    ///
    /// # Errors
    /// [`Error::Plan`] when there are no classes, or the weights are not for these.
    pub(crate) fn of_classes(&self, data: &Dataset, rows: &[u32]) -> Result<Vec<f64>, Error> {
        let Some(Targets::Classes { labels, names }) = data.targets() else {
            return Err(Error::Plan(
                "training.class_weight is for classes, but the targets are numbers: leave it out".into(),
            ));
        };
        let weights = match self {
            Self::Balanced => {
                let mut counts = vec![0.0; names.len()];
                for &row in rows {
                    counts[labels[row as usize] as usize] += data.weights().map_or(1.0, |w| w[row as usize]);
                }
                let present = counts.iter().filter(|&&count| count > 0.0).count();
                let share = counts.iter().sum::<f64>() / present as f64;
                counts.into_iter().map(|count| if count > 0.0 { share / count } else { 0.0 }).collect()
            }
            Self::List(weights) => {
                check(weights.len() == names.len(), || {
                    format!(
                        "training.class_weight has {} weights, but there are {} classes: expected one for each of {}",
                        weights.len(),
                        names.len(),
                        shown(names)
                    )
                })?;
                weights.clone()
            }
            Self::Table(table) => {
                if let Some(unknown) = table.keys().find(|name| !names.contains(name)) {
                    return Err(Error::Plan(format!(
                        "training.class_weight has a weight for `{unknown}`, which is no class: expected some of {}",
                        shown(names)
                    )));
                }
                names.iter().map(|name| table.get(name).copied().unwrap_or(1.0)).collect()
            }
        };
        let is_good = |w: &f64| w.is_finite() && *w >= 0.0;
        check(weights.iter().all(is_good) && weights.iter().any(|&w| w > 0.0), || {
            format!("training.class_weight is {weights:?}: expected numbers from 0 on, and some above 0")
        })?;
        Ok(weights)
    }
}

/// The first few names.
fn shown(names: &[String]) -> String {
    const MOST: usize = 10;
    let more = if names.len() > MOST { ", …" } else { "" };
    format!("{}{more}", names[..names.len().min(MOST)].join(", "))
}

impl Serialize for ClassWeight {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Balanced => serializer.serialize_str("balanced"),
            Self::List(weights) => weights.serialize(serializer),
            Self::Table(weights) => weights.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ClassWeight {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = ClassWeight;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str(
                    "\"balanced\", a list with a number for each class, or a table of classes and numbers",
                )
            }
            fn visit_str<E: de::Error>(self, s: &str) -> Result<ClassWeight, E> {
                if s == "balanced" {
                    return Ok(ClassWeight::Balanced);
                }
                Err(E::invalid_value(de::Unexpected::Str(s), &self))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<ClassWeight, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(ClassWeight::List)
            }
            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<ClassWeight, A::Error> {
                BTreeMap::deserialize(MapAccessDeserializer::new(table)).map(ClassWeight::Table)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
