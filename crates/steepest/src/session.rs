//! A whole training run: steps, validation, reports, early stopping. Still silent and stepped from outside.

use steepest_kernels::Float;

use crate::batches::Batches;
use crate::checkpoint::{Carrier, State, misfit};
use crate::dataset::Dataset;
use crate::error::Error;
use crate::model::Model;
use crate::network::{Network, NetworkSpec};
use crate::plan::Plan;
use crate::predict::Evaluation;
use crate::trace::Trace;
use crate::trainer::{Step, Trainer};

/// Executes a [`Plan`].
pub struct Session<T> {
    plan: Plan,
    trainer: Trainer<T>,
    validation: Option<Dataset>,
    epoch: EpochSums,
    best: Option<Best<T>>,
    /// Validations since the best one.
    since_best: u64,
}

/// What came of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The step itself.
    pub step: Step,
    /// A report, when one is due.
    pub report: Option<Report>,
    /// Why this was the last step, if it was.
    pub stop: Option<Stop>,
}

/// One line of a run's metrics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// The step that it follows, from 0.
    pub iteration: u64,
    /// Epochs begun so far.
    pub epoch: u64,
    /// Learning rate of the step.
    pub lr: f64,
    /// Mean training loss: of the step, or at the end of an epoch of the whole epoch.
    pub loss: f64,
    /// Training accuracy, likewise. From the forward passes, before their updates.
    pub accuracy: Option<f64>,
    /// On the held-out rows, after the update.
    pub validation: Option<Evaluation>,
    /// Whether it is due by `training.report_every`, and not only by `training.validate_every`.
    pub is_main: bool,
}

/// Why training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// All steps are done.
    Finished,
    /// No step would lower the training loss any more: only L-BFGS can tell.
    Converged,
    /// The validation loss has stopped improving; the network is the best one, from this iteration.
    Patience {
        /// The step after which it was best, from 0; none if the validation loss was never finite: the network is then
        /// that of the last step.
        best: Option<u64>,
    },
}

#[derive(Default)]
struct EpochSums {
    loss: f64,
    correct: f64,
    rows: u64,
}

struct Best<T> {
    loss: f64,
    iteration: u64,
    network: Network<T>,
}

/// What a session may be given instead of what its plan would make.
pub struct Start<T> {
    /// Parameters to start from.
    pub network: Option<Network<T>>,
    /// The rows of each step.
    pub batches: Option<Vec<Vec<u32>>>,
}

impl<T> Default for Start<T> {
    fn default() -> Self {
        Self { network: None, batches: None }
    }
}

impl<T: Float> Session<T> {
    /// A session on the rows of `data` that `plan` was made for. It validates on `validation`, or else on the rows
    /// that the plan holds out.
    ///
    /// # Errors
    /// [`Error::Plan`] when `validation` or `start` do not fit the plan.
    pub fn new(
        plan: Plan,
        data: Dataset,
        validation: Option<Dataset>,
        start: Start<T>,
        threads: usize,
    ) -> Result<Self, Error> {
        let recipe = &plan.recipe;
        if let Some(validation) = &validation {
            plan.check_fits(validation, "the validation set")?;
        }
        let network = match start.network {
            Some(network) if *network.spec() != plan.network => {
                let about = |spec: &NetworkSpec| {
                    let NetworkSpec { sizes, bias, batch_norm, .. } = spec;
                    format!("{sizes:?} (biases: {bias}, batch normalisation: {batch_norm})")
                };
                return Err(Error::Plan(format!(
                    "the given weights are for layers {}, but the plan has {}",
                    about(network.spec()),
                    about(&plan.network)
                )));
            }
            Some(network) => network,
            None => {
                let init = &recipe.network;
                Network::random(plan.network.clone(), init.weights, init.biases, recipe.seed)
            }
        };
        let n_train = plan.split.train.len();
        let batches = match start.batches {
            Some(batches) => {
                let wrong = batches.iter().flatten().find(|&&row| row as usize >= n_train);
                if let Some(row) = wrong {
                    return Err(Error::Plan(format!(
                        "the given batches name row {row}, but there are {n_train} training rows (0..{n_train})"
                    )));
                }
                if batches.iter().any(Vec::is_empty) || batches.is_empty() {
                    return Err(Error::Plan("the given batches are empty, or one of them is".into()));
                }
                if plan.network.batch_norm && batches.iter().any(|batch| batch.len() < 2) {
                    return Err(Error::Plan(
                        "one of the given batches has a single row: network.batch_norm needs two or more"
                            .into(),
                    ));
                }
                Batches::given(n_train, batches)
            }
            None => plan.batches(),
        };
        let held_out = || (!plan.split.validation.is_empty()).then(|| data.select(&plan.split.validation));
        let validation = validation.or_else(held_out);
        // A copy only where the order changes.
        let train = if plan.split.train.iter().enumerate().all(|(i, &row)| i as u32 == row)
            && n_train == data.n_samples()
        {
            data
        } else {
            data.select(&plan.split.train)
        };
        let train = plan.weighted(train)?;
        let trainer = Trainer::new(plan.training.clone(), network, train, batches, threads);
        Ok(Self { plan, trainer, validation, epoch: EpochSums::default(), best: None, since_best: 0 })
    }

    /// What it executes.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The trainer inside.
    pub fn trainer(&self) -> &Trainer<T> {
        &self.trainer
    }

    /// The held-out rows.
    pub fn validation(&self) -> Option<&Dataset> {
        self.validation.as_ref()
    }

    /// The model as it is now, of averaged parameters where the plan asks for them.
    pub fn model(&self) -> Model<T> {
        Model::new(&self.plan, self.trainer.averaged())
    }

    /// Loss and accuracy of the model as it is now.
    pub fn evaluate(&mut self, data: &Dataset) -> Evaluation {
        self.trainer.evaluate(data)
    }

    /// All that has changed since the beginning: with it, [`Session::resume`] goes on as if nothing had happened.
    pub fn state(&mut self) -> State<T> {
        let mut carrier = Carrier::out();
        self.carry(&mut carrier).unwrap_or_else(|e| unreachable!("copying out does not fail: {e}"));
        carrier.into_state()
    }

    /// This session, which must be new, from the state of another one with the same plan, data and start on. What follows
    /// is the same to the last bit as without the interruption, for any number of threads.
    ///
    /// # Errors
    /// [`Error::State`] when something is missing, does not fit the plan, or is more than a session has.
    pub fn resume(mut self, state: State<T>) -> Result<Self, Error> {
        let mut carrier = Carrier::Back(state);
        self.carry(&mut carrier)?;
        match carrier.into_state().values.keys().next() {
            Some(name) => Err(misfit(name, "belongs to nothing in it")),
            None => Ok(self),
        }
    }

    fn carry(&mut self, carrier: &mut Carrier<T>) -> Result<(), Error> {
        self.trainer.carry(carrier)?;
        let (steps, n_rows) = (self.trainer.steps(), self.trainer.data().n_samples() as u64);
        carrier.float("epoch.loss", &mut self.epoch.loss)?;
        carrier.float("epoch.correct", &mut self.epoch.correct)?;
        carrier.integer("epoch.rows", &mut self.epoch.rows, n_rows)?;
        carrier.integer("since_best", &mut self.since_best, steps)?;
        if carrier.has("best.step", self.best.is_some()) {
            let network = || Network::zeros(self.plan.network.clone());
            let best = self.best.get_or_insert_with(|| Best { loss: 0.0, iteration: 0, network: network() });
            carrier.integer("best.step", &mut best.iteration, steps)?;
            carrier.float("best.loss", &mut best.loss)?;
            carrier.vector("best.parameters", &mut best.network.parameters)?;
            carrier.vector("best.statistics", &mut best.network.statistics)?;
        }
        Ok(())
    }

    /// One step, with every quantity in it.
    ///
    /// # Errors
    /// [`Error::Diverged`].
    pub fn trace(&mut self) -> Result<(Step, Trace<T>), Error> {
        self.trainer.trace()
    }

    /// One step, and validation and report when they are due; with rows to validate on, both are due at the last step.
    ///
    /// # Errors
    /// [`Error::Diverged`]; the network is then the last good one.
    pub fn advance(&mut self) -> Result<Progress, Error> {
        let step = self.trainer.step()?;
        self.epoch.add(&step);
        let training = &self.plan.recipe.training;
        let is_done = self.trainer.has_converged();
        let is_last = is_done || self.trainer.steps() == self.plan.training.total_steps;
        let is_main = match training.report_every {
            Some(every) => step.iteration % every == 0,
            None => step.ends_epoch || is_last,
        };
        let validates_last = is_last && self.validation.is_some();
        let is_main = is_main || validates_last;
        let validates = match training.validate_every {
            Some(every) => step.iteration % every == 0 || validates_last,
            None => is_main,
        };
        let mut report = None;
        let mut stop = is_last.then_some(if is_done { Stop::Converged } else { Stop::Finished });
        if is_main || validates {
            let validation = self.validation.as_ref().filter(|_| validates).map(|v| self.trainer.evaluate(v));
            let by_epoch = training.report_every.is_none() && step.ends_epoch;
            let (loss, accuracy) =
                if by_epoch { self.epoch.means(&step) } else { (step.loss, step.accuracy) };
            let lr = self.trainer.rate(step.iteration);
            let Step { iteration, epoch, .. } = step;
            report = Some(Report { iteration, epoch: epoch + 1, lr, loss, accuracy, validation, is_main });
            if let (Some(patience), Some(validation)) = (training.patience, validation) {
                stop = self.early_stop(patience, validation.loss, iteration).or(stop);
            }
        }
        if let (Some(_), Some(best)) = (stop, &self.best) {
            self.trainer.set_network(&best.network);
        }
        if step.ends_epoch {
            self.epoch = EpochSums::default();
        }
        Ok(Progress { step, report, stop })
    }

    /// Keeps the best parameters and statistics, and says when they have been the best for too long.
    fn early_stop(&mut self, patience: u64, loss: f64, iteration: u64) -> Option<Stop> {
        // What is not a number is not the best, either.
        let improves = loss < self.best.as_ref().map_or(f64::INFINITY, |best| best.loss);
        if improves {
            self.best = Some(Best { loss, iteration, network: self.trainer.averaged() });
            self.since_best = 0;
        } else {
            self.since_best += 1;
        }
        let best = self.best.as_ref().map(|best| best.iteration);
        (self.since_best >= patience).then_some(Stop::Patience { best })
    }
}

impl EpochSums {
    fn add(&mut self, step: &Step) {
        self.loss += step.loss * step.n_samples as f64;
        self.correct += step.accuracy.unwrap_or(0.0) * step.n_samples as f64;
        self.rows += step.n_samples as u64;
    }

    fn means(&self, step: &Step) -> (f64, Option<f64>) {
        let rows = self.rows as f64;
        (self.loss / rows, step.accuracy.map(|_| self.correct / rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Inputs, Targets};
    use crate::recipe::Recipe;

    /// Two classes by the sign of one input; `scale` blows up the rows to validate on.
    fn session(text: &str, scale: f32) -> Session<f32> {
        let data = |n: u32, scale: f32| {
            let x = (0..n).map(|i| (i as f32 - 20.5) * scale).collect();
            let labels = (0..n).map(|i| u32::from(i > 20)).collect();
            let names = vec!["a".into(), "b".into()];
            Dataset::new(Inputs::F32(x), 1, Some(Targets::Classes { labels, names })).unwrap()
        };
        let text = format!("[data]\nvalidation = \"given\"\n[network]\nhidden = [4]\n[training]\n{text}");
        let plan = Plan::new(Recipe::parse(&text, &[]).unwrap(), &data(40, 0.05)).unwrap();
        Session::new(plan, data(40, 0.05), Some(data(25, scale)), Start::default(), 1).unwrap()
    }

    fn run(session: &mut Session<f32>) -> (Vec<Report>, Stop) {
        let mut reports = Vec::new();
        loop {
            let progress = session.advance().unwrap();
            reports.extend(progress.report);
            if let Some(stop) = progress.stop {
                return (reports, stop);
            }
        }
    }

    #[test]
    fn the_last_step_is_validated_and_the_best_weights_come_back() {
        let text = "patience = 1000\niterations = 30\nvalidate_every = 7\nreport_every = 11\nlr = 0.3";
        // Mirrored, so that each step makes it worse.
        let mut session = session(text, -0.05);
        let (reports, stop) = run(&mut session);
        assert_eq!(stop, Stop::Finished);
        let validated: Vec<u64> =
            reports.iter().filter(|r| r.validation.is_some()).map(|r| r.iteration).collect();
        assert_eq!(validated, [0, 7, 14, 21, 28, 29]);
        assert!(reports.last().is_some_and(|r| r.is_main));
        let losses: Vec<f64> = reports.iter().filter_map(|r| r.validation).map(|v| v.loss).collect();
        let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
        assert!(losses[losses.len() - 1] > best, "the last step is not the best one: {losses:?}");
        let validation = session.validation().unwrap().clone();
        assert_eq!(session.evaluate(&validation).loss, best);
    }

    #[test]
    fn a_loss_that_is_no_number_is_never_the_best() {
        let mut session = session("patience = 3", 0.05);
        for (i, (loss, best)) in
            [(f64::NAN, None), (f64::INFINITY, None), (2.0, Some(2)), (f64::NAN, Some(2)), (1.0, Some(4))]
                .into_iter()
                .enumerate()
        {
            assert_eq!(session.early_stop(3, loss, i as u64), None);
            assert_eq!(session.best.as_ref().map(|b| b.iteration), best);
        }
        let stops = [f64::NAN, 1.0, f64::INFINITY].map(|loss| session.early_stop(3, loss, 5));
        assert_eq!(stops, [None, None, Some(Stop::Patience { best: Some(4) })]);
    }

    #[test]
    fn validation_losses_that_are_all_infinite_stop_a_run_as_it_is() {
        let mut session = session("patience = 2\nepochs = 50", 1.6e37);
        let (reports, stop) = run(&mut session);
        assert!(reports.iter().all(|r| !r.validation.unwrap().loss.is_finite()));
        assert_eq!((reports.len(), stop), (2, Stop::Patience { best: None }));
        assert!(session.trainer().network().parameters.iter().all(|w| w.is_finite()));
    }
}
