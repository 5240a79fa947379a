//! What is told of each predicted row.

use serde::ser::{Serialize, SerializeMap, Serializer};
use steepest::{Float, Model, Output};

/// What the model's outputs are.
pub enum Outputs {
    /// Probabilities of these classes.
    Classes(Vec<String>),
    /// Each the probability of a label of its own.
    Labels,
    /// Numbers.
    Numbers,
}

/// The predictions for one file.
pub struct Predicted<'a, T> {
    pub file: &'a str,
    /// The model's values, `(rows, n_outputs)`.
    pub values: Vec<T>,
    pub n_outputs: usize,
    /// Where these rows begin in the file.
    pub first_row: usize,
}

/// What is told of a row.
pub struct Row<'a, T> {
    pub number: usize,
    pub outputs: &'a Outputs,
    pub values: &'a [T],
    pub class: u32,
}

impl<T: Float + Serialize> Serialize for Row<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("row", &self.number)?;
        match self.outputs {
            Outputs::Classes(names) => {
                let values: Vec<T> = self.all_values().collect();
                let probabilities = InOrder(names.iter().zip(&values).collect());
                object.serialize_entry("prediction", &names[self.class as usize])?;
                object.serialize_entry("probability", &values[self.class as usize])?;
                object.serialize_entry("probabilities", &probabilities)?;
            }
            Outputs::Labels => {
                let set: Vec<u8> = self.values.iter().map(|&x| is_set(x)).collect();
                object.serialize_entry("prediction", &set)?;
                object.serialize_entry("probabilities", self.values)?;
            }
            Outputs::Numbers => match self.values {
                [value] => object.serialize_entry("prediction", value)?,
                values => object.serialize_entry("prediction", values)?,
            },
        }
        object.end()
    }
}

/// An object whose keys stay in their order.
struct InOrder<'a, T>(Vec<(&'a String, &'a T)>);

impl<T: Serialize> Serialize for InOrder<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

impl Outputs {
    pub fn of<T: Float>(model: &Model<T>) -> Self {
        match model.head.output() {
            Output::Identity => Self::Numbers,
            _ if !model.classes.is_empty() => Self::Classes(model.classes.clone()),
            // Learnt from parts of classes without names.
            Output::Softmax => Self::Classes((0..model.head.n_outputs()).map(|i| i.to_string()).collect()),
            Output::Sigmoid => Self::Labels,
        }
    }
}

impl<T: Float> Predicted<'_, T> {
    pub fn rows<'a>(&'a self, model: &'a Model<T>, outputs: &'a Outputs) -> impl Iterator<Item = Row<'a, T>> {
        let values = self.values.chunks_exact(self.n_outputs).enumerate();
        values.map(move |(i, values)| {
            let class = model.class(values);
            Row { number: self.first_row + i, outputs, values, class }
        })
    }
}

impl<T: Float> Row<'_, T> {
    /// The values, for two classes that share one unit both probabilities.
    pub fn all_values(&self) -> impl Iterator<Item = T> {
        let shares = matches!(self.outputs, Outputs::Classes(_)) && self.values.len() == 1;
        let first = shares.then(|| T::ONE - self.values[0]);
        first.into_iter().chain(self.values.iter().copied())
    }
}

pub fn is_set<T: Float>(probability: T) -> u8 {
    u8::from(probability.to_f64() > 0.5)
}
