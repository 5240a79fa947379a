//! A run that goes on from its state is the run that was never interrupted.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use steepest::{
    Dataset, Error, Float, Inputs, Plan, Progress, Recipe, Session, Start, State, Stop, Targets, Value,
};

/// Small images with little ink, and three classes that have something to do with them.
fn images(n: usize) -> Dataset {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut labels = Vec::new();
    let mut x = Vec::new();
    for _ in 0..n {
        let label: u32 = rng.random_range(0..3);
        let inked = |i: usize| i / 16 == label as usize || i / 16 == 3;
        x.extend((0..64).map(|i| if inked(i) && rng.random_bool(0.4) { rng.random() } else { 0u8 }));
        labels.push(if rng.random_bool(0.2) { rng.random_range(0..3) } else { label });
    }
    let names = ["a", "b", "c"].map(String::from).to_vec();
    Dataset::new(Inputs::Bytes(x.into()), 64, Some(Targets::Classes { labels, names }))
        .unwrap()
        .with_image(8, 8)
}

fn session<T: Float>(text: &str, threads: usize, batches: Option<&[Vec<u32>]>) -> Session<T> {
    let data = images(150);
    let plan = Plan::new(Recipe::parse(text, &[]).unwrap(), &data).unwrap();
    let start = Start { network: None, batches: batches.map(<[_]>::to_vec) };
    Session::new(plan, data, None, start, threads).unwrap()
}

/// All steps to the end: what they report, and the bits of the model.
fn finish<T: Float>(session: &mut Session<T>) -> (Vec<Progress>, Vec<u64>) {
    let mut steps = Vec::new();
    while steps.last().is_none_or(|step: &Progress| step.stop.is_none()) {
        steps.push(session.advance().unwrap());
    }
    (steps, session.model().network.parameters.iter().map(|x| x.to_f64().to_bits()).collect())
}

/// Interrupted after every step in turn, and resumed with another number of threads, it ends as it does uninterrupted.
fn assert_resumes<T: Float>(text: &str, batches: Option<&[Vec<u32>]>) -> Stop {
    let (steps, bits) = finish(&mut session::<T>(text, 1, batches));
    let mut interrupted = session::<T>(text, 2, batches);
    for done in 0..steps.len() {
        let state = interrupted.state();
        assert!(state.is_finite());
        let mut resumed = session::<T>(text, 1 + done % 3, batches).resume(state.clone()).unwrap();
        assert_eq!(resumed.state(), state, "{text}: after step {done}");
        let (rest, resumed_bits) = finish(&mut resumed);
        assert_eq!(rest, steps[done..], "{text}: after step {done}");
        assert!(resumed_bits == bits, "{text}: another model after step {done}");
        interrupted.advance().unwrap();
    }
    steps.last().unwrap().stop.unwrap()
}

#[test]
fn every_kind_of_run_resumes_after_every_step() {
    for text in [
        // Layouts: by patches, transposed, upright.
        "[network]\nhidden = [6]\n[training]\nbatch_size = \"full\"\niterations = 6",
        "[network]\nhidden = [70]\n[training]\nbatch_size = 40\nepochs = 3\noptimizer = \"adamw\"\nschedule = \"cosine\"",
        "[network]\nhidden = [6]\n[training]\nbatch_size = 50\nepochs = 3\noptimizer = \"momentum\"\nl2 = 0.01",
        "[training]\nsampling = \"replacement\"\nbatch_size = 60\niterations = 8\noptimizer = \"nesterov\"",
        "[training]\nsampling = \"ordered\"\nbatch_size = 40\niterations = 8\noptimizer = \"sgd\"",
        // Images that are other ones in every epoch.
        "[augment]\nrotation = 20\nshift = 1\n[training]\nbatch_size = 60\nepochs = 3",
        // The mean of the parameters, the loss that an adaptive schedule watches, clipped gradients.
        "[training]\nbatch_size = 60\nepochs = 4\nema = 0.9\nclip_norm = 1.0\noptimizer = \"rmsprop\"",
        // The curvature of the last steps, more of them than are remembered.
        "[network]\nhidden = [12]\n[training]\nbatch_size = \"full\"\nepochs = 14\noptimizer = \"lbfgs\"",
        "[data]\nnoise = 0.1\n[network]\nhidden = [20, 10]\nbatch_norm = true\ndropout = 0.2\n[training]\nbatch_size = 60\n\
         epochs = 3\nema = 0.9",
        "[training]\nbatch_size = 60\nepochs = 6\nschedule = \"adaptive\"\ntol = 0.5\nlr_patience = 1\noptimizer = \"sgd\"",
        // By parts of the parameters.
        "[network]\nhidden = [600]\n[training]\nbatch_size = 100\niterations = 5\nschedule = \"step\"",
        "[network]\nhidden = [5]\nbias = false\n[training]\nbatch_size = 70\niterations = 6\n[quirks]\nsoftmax_axis = \"batch\"",
    ] {
        assert_eq!(assert_resumes::<f32>(text, None), Stop::Finished);
    }
    let text = "[network]\nhidden = []\n[training]\nbatch_size = \"full\"\nepochs = 99\noptimizer = \"lbfgs\"\nl2 = 0.1\ntol = 0.01";
    assert_eq!(assert_resumes::<f32>(text, None), Stop::Converged);
    assert_resumes::<f64>("[training]\nbatch_size = 50\nepochs = 2", None);
}

#[test]
fn early_stopping_remembers_the_best_network_and_its_patience() {
    for batch_norm in [false, true] {
        let text = format!(
            "[data]\nval_split = 50\n[network]\nhidden = [20]\nbatch_norm = {batch_norm}\n[training]\nbatch_size = 30\n\
             epochs = 40\nlr = 0.05\npatience = 4\nvalidate_every = 2"
        );
        let stop = assert_resumes::<f32>(&text, None);
        assert!(matches!(stop, Stop::Patience { best: Some(1..) }), "{stop:?}");
    }
}

#[test]
fn given_batches_go_on_where_they_were() {
    let batches = [vec![0, 1, 2, 50], vec![7, 7], vec![100, 3, 4], vec![9]];
    assert_resumes::<f32>("[training]\niterations = 9", Some(&batches));
}

#[test]
fn the_copy_of_good_parameters_is_older_than_the_state_and_comes_back_with_it() {
    let text = "[training]\nbatch_size = \"full\"\niterations = 200";
    let mut before = session::<f32>(text, 1, None);
    for _ in 0..105 {
        before.advance().unwrap();
    }
    let state = before.state();
    assert_eq!(state.values["last_good.step"], Value::Integer(100));
    assert_ne!(state.values["last_good.parameters"], state.values["parameters"]);
    assert_eq!(session::<f32>(text, 1, None).resume(state.clone()).unwrap().state(), state);
}

#[test]
fn a_resumed_run_diverges_as_it_would_have() {
    let text = "[network]\nactivation = \"identity\"\n[training]\nbatch_size = \"full\"\niterations = 400\noptimizer = \"sgd\"\n\
                lr = 4.0";
    let diverge = |session: &mut Session<f32>| {
        let mut steps = 0;
        loop {
            match session.advance() {
                Ok(_) => steps += 1,
                Err(e) => return (steps, e.to_string(), session.model().network.parameters.to_vec()),
            }
        }
    };
    let whole = diverge(&mut session(text, 1, None));
    let mut before = session::<f32>(text, 1, None);
    for _ in 0..whole.0 - 3 {
        before.advance().unwrap();
    }
    let mut resumed = session::<f32>(text, 2, None).resume(before.state()).unwrap();
    let (steps, message, parameters) = diverge(&mut resumed);
    assert_eq!((steps, message, parameters), (3, whole.1, whole.2));
}

#[test]
fn a_state_that_does_not_fit_is_refused() {
    let text = "[data]\nval_split = 50\n[training]\nbatch_size = 30\niterations = 9\npatience = 4";
    let mut before = session::<f32>(text, 1, None);
    for _ in 0..5 {
        before.advance().unwrap();
    }
    let state = before.state();
    let names: Vec<&String> = state.values.keys().collect();
    let expected = [
        "best.loss",
        "best.parameters",
        "best.step",
        "epoch.correct",
        "epoch.loss",
        "epoch.rows",
        "last_good.parameters",
        "last_good.step",
        "memory.0",
        "memory.1",
        "parameters",
        "since_best",
        "step",
    ];
    assert_eq!(names, expected);
    let refusal = |change: &dyn Fn(&mut State<f32>)| {
        let mut changed = state.clone();
        change(&mut changed);
        match session::<f32>(text, 1, None).resume(changed) {
            Err(Error::State(message)) => message,
            Err(e) => panic!("{e}"),
            Ok(_) => panic!("was resumed"),
        }
    };
    for name in expected {
        let message = refusal(&|state| drop(state.values.remove(name)));
        // Without its mark, the best network is more than there should be.
        let says = if name == "best.step" { "belongs to nothing" } else { "is missing" };
        assert!(message.contains(says), "{name}: {message}");
        let other = match state.values[name] {
            Value::Vector(_) => Value::Integer(1),
            _ => Value::Vector(vec![1.0]),
        };
        refusal(&|state| drop(state.values.insert(name.into(), other.clone())));
        let message = refusal(&|state| {
            let value = state.values.get_mut(name).unwrap();
            match value {
                Value::Integer(x) => *x = u64::MAX,
                Value::Vector(x) => drop(x.pop()),
                Value::Float(_) => *value = Value::Integer(1),
            }
        });
        assert!(message.contains(name), "{name}: {message}");
    }
    let message = refusal(&|state| drop(state.values.insert("step".into(), Value::Integer(9))));
    assert!(message.contains("step is 9, above 8"), "{message}");
    refusal(&|state| drop(state.values.insert("another".into(), Value::Float(1.0))));
    session::<f32>(text, 1, None).resume(state.clone()).unwrap();
}
