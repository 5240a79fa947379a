//! Everything that changes in the course of a run, by name: what a checkpoint keeps.
//!
//! [`Session::state`](crate::Session::state) gives it, [`Session::resume`](crate::Session::resume) takes it back, to the last
//! bit. Which rows come next is not in it: batches are drawn again, as many as there were steps.
//!
//! Whatever has something to keep goes through it once, in a function named `carry`: a line for each item, which copies it
//! out or puts it back, as the [`Carrier`] wants.

use std::collections::BTreeMap;

use steepest_kernels::Float;

use crate::error::Error;
use crate::layout::Layout;
use crate::network::{Layer, Network};

/// The state of a run between two steps.
#[derive(Clone, Debug, PartialEq)]
pub struct State<T> {
    /// Each item by its name.
    pub values: BTreeMap<String, Value<T>>,
}

/// An item of a [`State`].
#[derive(Clone, Debug, PartialEq)]
pub enum Value<T> {
    /// A count.
    Integer(u64),
    /// A number in double precision, whatever the network's.
    Float(f64),
    /// Many numbers. Those that belong to parameters lie as parameters do, each layer's weights `(n_out, n_in)`.
    Vector(Vec<T>),
}

/// The name of the number of steps.
pub(crate) const STEP: &str = "step";

impl<T: Float> State<T> {
    /// Steps done.
    pub fn step(&self) -> u64 {
        match self.values.get(STEP) {
            Some(Value::Integer(step)) => *step,
            _ => 0,
        }
    }

    /// Whether all numbers are finite. A state that is not belongs to a run that is about to diverge.
    pub fn is_finite(&self) -> bool {
        self.values.values().all(|value| match value {
            Value::Integer(_) => true,
            Value::Float(x) => x.is_finite(),
            Value::Vector(x) => steepest_kernels::all_finite(x),
        })
    }
}

/// Takes a state out of a session, or puts it back.
pub(crate) enum Carrier<T> {
    Out(State<T>),
    Back(State<T>),
}

impl<T: Float> Carrier<T> {
    /// To copy a state out.
    pub fn out() -> Self {
        Self::Out(State { values: BTreeMap::new() })
    }

    pub fn puts_back(&self) -> bool {
        matches!(self, Self::Back(_))
    }

    /// A count, of at most `most`.
    pub fn integer(&mut self, name: &str, integer: &mut u64, most: u64) -> Result<(), Error> {
        match self {
            Self::Out(state) => state.put(name, Value::Integer(*integer)),
            Self::Back(state) => match state.take(name)? {
                Value::Integer(found) if found <= most => *integer = found,
                Value::Integer(found) => return Err(misfit(name, &format!("is {found}, above {most}"))),
                _ => return Err(misfit(name, "is no whole number")),
            },
        }
        Ok(())
    }

    /// A number.
    pub fn float(&mut self, name: &str, float: &mut f64) -> Result<(), Error> {
        match self {
            Self::Out(state) => state.put(name, Value::Float(*float)),
            Self::Back(state) => match state.take(name)? {
                Value::Float(found) => *float = found,
                _ => return Err(misfit(name, "is no single number")),
            },
        }
        Ok(())
    }

    /// Numbers whose layout is always the same; where there are none, there is no item.
    pub fn vector(&mut self, name: &str, vector: &mut [T]) -> Result<(), Error> {
        if vector.is_empty() {
            return Ok(());
        }
        match self {
            Self::Out(state) => state.put(name, Value::Vector(vector.to_vec())),
            Self::Back(state) => match state.take(name)? {
                Value::Vector(found) if found.len() == vector.len() => vector.copy_from_slice(&found),
                Value::Vector(found) => {
                    let (found, expected) = (found.len(), vector.len());
                    return Err(misfit(name, &format!("has {found} numbers; expected {expected}")));
                }
                _ => return Err(misfit(name, "is a single number; expected many")),
            },
        }
        Ok(())
    }

    /// Numbers that are laid out as the parameters of a network are.
    pub fn parameters(&mut self, name: &str, place: &Place, flat: &mut [T]) -> Result<(), Error> {
        if self.puts_back() {
            self.vector(name, flat)?;
            Layout::Upright.rearrange(&place.layout, &place.first, flat);
            return Ok(());
        }
        let mut upright = flat.to_vec();
        place.layout.rearrange(&Layout::Upright, &place.first, &mut upright);
        self.vector(name, &mut upright)
    }

    /// Whether there is something of which `name` is an item: when copied out if it `is_there`, else if the state has it.
    pub fn has(&self, name: &str, is_there: bool) -> bool {
        match self {
            Self::Out(_) => is_there,
            Self::Back(state) => state.values.contains_key(name),
        }
    }

    /// The state that was copied out, or what nobody took back.
    pub fn into_state(self) -> State<T> {
        match self {
            Self::Out(state) | Self::Back(state) => state,
        }
    }
}

impl<T> State<T> {
    fn put(&mut self, name: &str, value: Value<T>) {
        let before = self.values.insert(name.into(), value);
        debug_assert!(before.is_none(), "two items are named {name}");
    }

    fn take(&mut self, name: &str) -> Result<Value<T>, Error> {
        self.values.remove(name).ok_or_else(|| misfit(name, "is missing"))
    }
}

/// How a network's first layer lies.
pub(crate) struct Place {
    layout: Layout,
    first: Layer,
}

impl Place {
    pub fn of<T: Float>(network: &Network<T>) -> Self {
        Self { layout: network.layout().clone(), first: network.layers()[0].clone() }
    }
}

pub(crate) fn misfit(name: &str, problem: &str) -> Error {
    Error::State(format!("the state of the run does not fit its plan: {name} {problem}"))
}
