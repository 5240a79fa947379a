//! What a run begins with besides its plan: what must still be so when it goes on.

use serde::{Deserialize, Serialize};
use steepest::{Dataset, instruction_set};

use crate::fingerprint::fingerprint;

/// What a run began with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunStart {
    /// Version of Steepest.
    pub version: String,
    /// The instruction set that it computes with.
    pub instruction_set: String,
    /// Fingerprints of its data.
    pub data_sha256: DataSums,
    /// The SHA-256 of the file that its batches come from, if they come from one.
    pub batches_sha256: Option<String>,
    /// Whether its first weights were given.
    pub has_given_weights: bool,
}

/// Fingerprints of a run's data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSums {
    /// Of the data that it learns from, held-out rows included.
    pub train: String,
    /// Of a data set to validate on.
    pub validation: Option<String>,
    /// Of a data set to test on.
    pub test: Option<String>,
}

impl DataSums {
    /// Of these data.
    pub fn of(train: &Dataset, validation: Option<&Dataset>, test: Option<&Dataset>) -> Self {
        Self {
            train: fingerprint(train),
            validation: validation.map(fingerprint),
            test: test.map(fingerprint),
        }
    }
}

impl RunStart {
    /// A run that begins now, with this version and this instruction set.
    pub fn new(data_sha256: DataSums, batches_sha256: Option<String>, has_given_weights: bool) -> Self {
        let (version, set) = (env!("CARGO_PKG_VERSION").into(), instruction_set().name().into());
        Self { version, instruction_set: set, data_sha256, batches_sha256, has_given_weights }
    }

    /// Whether a run that began like this can go on with what is there now, to the same last bit.
    ///
    /// # Errors
    /// In words: what is no longer as it was, and what to do.
    pub fn check(&self, now: &Self) -> Result<(), String> {
        if self.version != now.version {
            return Err(format!(
                "it began with Steepest {}, and this is {}, which may round otherwise: go on with the one that it began \
                 with",
                self.version, now.version
            ));
        }
        if self.instruction_set != now.instruction_set {
            return Err(format!(
                "it began with the instruction set {before}, and this process uses {}, which rounds otherwise: set \
                 STEEPEST_SIMD={before}, on a processor that has it",
                now.instruction_set,
                before = self.instruction_set
            ));
        }
        let (before, now_) = (&self.data_sha256, &now.data_sha256);
        let data = [
            ("training", Some(&before.train), Some(&now_.train)),
            ("validation", before.validation.as_ref(), now_.validation.as_ref()),
            ("test", before.test.as_ref(), now_.test.as_ref()),
        ];
        if let Some((which, ..)) = data.iter().find(|(_, before, now)| before != now) {
            return Err(format!(
                "the {which} data have changed since it began: put the old ones back, or begin a new run"
            ));
        }
        if self.batches_sha256 != now.batches_sha256 {
            return Err("its batches.npy has changed since it began: begin a new run".into());
        }
        Ok(())
    }
}
