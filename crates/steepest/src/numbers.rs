//! Numbers of a data set, whoever keeps them.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Numbers that are read and never changed: the data set's own, or somebody else's, such as an array of another program or a
/// mapped file. Clones share them.
///
/// ```
/// # use std::sync::Arc;
/// # use steepest::{Dataset, Inputs, Numbers};
/// let own = Inputs::F64(vec![0.5, 1.0].into());
/// let elsewhere: Arc<[f64]> = Arc::new([0.5, 1.0]); // anything that lends a slice
/// let shared = Inputs::F64(Numbers::shared(Arc::new(elsewhere)));
/// # assert!(Dataset::new(own, 2, None).is_ok() && Dataset::new(shared, 2, None).is_ok());
/// ```
pub struct Numbers<T>(Arc<dyn AsRef<[T]> + Send + Sync>);

impl<T> Numbers<T> {
    /// Numbers that `keeper` lends without a copy. It must lend the same ones, unchanged, as long as the data set lives.
    pub fn shared(keeper: Arc<dyn AsRef<[T]> + Send + Sync>) -> Self {
        Self(keeper)
    }
}

impl<T> Deref for Numbers<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        (*self.0).as_ref()
    }
}

impl<T: Send + Sync + 'static> From<Vec<T>> for Numbers<T> {
    fn from(own: Vec<T>) -> Self {
        Self(Arc::new(own))
    }
}

impl<T: Send + Sync + 'static> FromIterator<T> for Numbers<T> {
    fn from_iter<I: IntoIterator<Item = T>>(numbers: I) -> Self {
        numbers.into_iter().collect::<Vec<T>>().into()
    }
}

impl<T> Clone for Numbers<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: fmt::Debug> fmt::Debug for Numbers<T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_numbers_stay_where_they_are() {
        let keeper = Arc::new(vec![1.0, 2.0]);
        let numbers = Numbers::shared(keeper.clone());
        assert_eq!(numbers.clone().as_ptr(), keeper.as_ptr());
        drop(numbers);
        assert_eq!(Arc::strong_count(&keeper), 1, "given back");
    }
}
