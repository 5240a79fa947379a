//! What can go wrong between a recipe and a trained network.

/// Why training cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The recipe is not valid TOML, or has a key or value that no recipe has.
    #[error("{0}")]
    Recipe(String),
    /// The recipe and the data do not fit.
    #[error("{0}")]
    Plan(String),
    /// A state that belongs to another plan.
    #[error("{0}")]
    State(String),
    /// Loss or gradient are no longer finite.
    #[error(
        "training diverged at iteration {iteration}: the loss is {loss}, or its gradient is not finite; \
         the network is that of iteration {good}, the last one known to be good. \
         Try a lower learning rate (--lr), or scale the inputs (data.divide_by)"
    )]
    Diverged {
        /// The step, from 0.
        iteration: u64,
        /// Its loss.
        loss: f64,
        /// The step whose parameters, before its update, the network has now.
        good: u64,
    },
}
