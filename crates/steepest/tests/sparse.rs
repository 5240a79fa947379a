//! Sparse rows train and predict as the same rows do with all their zeros.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use steepest::{
    Dataset, Float, Init, Inputs, Model, Network, Plan, Pool, Recipe, SeenRows, SparseRows, SparseValues,
    Targets, Trainer,
};

const FEATURES: usize = 90;

/// A tenth of the numbers, in no order, and some in two parts.
fn sparse(n: usize) -> Dataset {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (mut values, mut columns, mut starts) = (Vec::new(), Vec::new(), vec![0]);
    let mut labels = Vec::new();
    for row in 0..n {
        // Some rows have nothing at all.
        for _ in 0..if row % 50 == 7 { 0 } else { 9 } {
            columns.push(rng.random_range(0..FEATURES as i32));
            values.push(rng.random_range(-1.0..1.0));
        }
        starts.push(values.len());
        labels.push(rng.random_range(0..5));
    }
    let names = (0..5).map(|class| class.to_string()).collect();
    let rows = SparseRows::new(SparseValues::F64(values.into()), columns.into(), starts, FEATURES).unwrap();
    Dataset::new(Inputs::Sparse(rows), FEATURES, Some(Targets::Classes { labels, names })).unwrap()
}

fn dense(data: &Dataset) -> Dataset {
    let Inputs::Sparse(rows) = data.inputs() else { unreachable!() };
    Dataset::new(rows.to_dense(), FEATURES, data.targets().cloned()).unwrap()
}

fn trainer<T: Float>(text: &str, data: &Dataset, threads: usize) -> Trainer<T> {
    let plan = Plan::new(Recipe::parse(text, &[]).unwrap(), data).unwrap();
    let network = Network::random(plan.network.clone(), Init::HeNormal, Init::Zeros, 5);
    let train = data.select(&plan.split.train);
    Trainer::new(plan.training.clone(), network, train, plan.batches(), threads)
}

fn train<T: Float>(text: &str, data: &Dataset, threads: usize) -> Network<T> {
    let mut trainer = trainer(text, data, threads);
    for _ in 0..trainer.training().total_steps {
        trainer.step().unwrap();
    }
    trainer.network()
}

/// By shards and by parts, through narrow and wide layers and those too large for the cache.
const RECIPES: [&str; 8] = [
    "[network]\nhidden = [8]\n[training]\nbatch_size = 64\niterations = 30",
    "[network]\nhidden = []\n[training]\nbatch_size = 1\niterations = 30",
    "[network]\nhidden = [100]\n[training]\nbatch_size = \"full\"\niterations = 10\nl2 = 0.01",
    "[network]\nhidden = [700, 20]\n[training]\nbatch_size = 200\niterations = 10\noptimizer = \"adam\"",
    "[network]\nhidden = [3000]\n[training]\nbatch_size = \"full\"\niterations = 3\noptimizer = \"adam\"",
    "[network]\nhidden = [700]\nbatch_norm = true\n[training]\nbatch_size = 200\niterations = 10",
    "[network]\nhidden = [20]\nbatch_norm = true\ndropout = 0.3\n[training]\nbatch_size = \"full\"\niterations = 10",
    "[data]\ndivide_by = 2\n[network]\nhidden = [70]\ndropout = 0.3\n[training]\nbatch_size = 100\niterations = 10",
];

#[test]
fn training_equals_that_on_dense_rows() {
    let sparse = sparse(500);
    let dense = dense(&sparse);
    for text in RECIPES {
        let (a, b) = (train::<f64>(text, &sparse, 2), train::<f64>(text, &dense, 2));
        for (a, b) in a.parameters.iter().zip(&*b.parameters) {
            assert!((a - b).abs() <= 1e-10 * (1.0 + b.abs()), "{a} instead of {b}: {text}");
        }
        for (a, b) in a.statistics.iter().zip(&*b.statistics) {
            assert!((a - b).abs() <= 1e-10 * (1.0 + b.abs()), "statistics, {a} instead of {b}: {text}");
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let data = sparse(500);
    for text in RECIPES {
        let one = train::<f32>(text, &data, 1).parameters;
        for threads in 2..=3 {
            let several = train::<f32>(text, &data, threads).parameters;
            assert!(one.iter().zip(&*several).all(|(a, b)| a.to_bits() == b.to_bits()), "{threads}: {text}");
        }
    }
}

#[test]
fn predictions_equal_those_of_dense_rows_and_do_not_depend_on_other_rows() {
    let sparse = sparse(300);
    let dense = dense(&sparse);
    for text in [RECIPES[0], RECIPES[2]] {
        let plan = Plan::new(Recipe::parse(text, &[]).unwrap(), &sparse).unwrap();
        let model = Model::<f64>::new(&plan, train(text, &sparse, 1));
        let mut pool = Pool::new(2);
        let all = model.predict(&sparse, &mut pool).values;
        for (a, b) in all.iter().zip(model.predict(&dense, &mut pool).values) {
            assert!((a - b).abs() < 1e-12, "{a} instead of {b}");
        }
        for row in [0, 7, 299] {
            let alone = model.predict(&sparse.select(&[row]), &mut pool).values;
            assert!(alone[..] == all[row as usize * 5..][..5], "row {row}: {text}");
        }
    }
}

/// A trace has its inputs with all their zeros.
#[test]
fn a_step_can_be_looked_at() {
    let sparse = sparse(60);
    let text = "[network]\nhidden = [70]\n[training]\nbatch_size = \"full\"\n[data]\nval_split = 0";
    let (_, trace) = trainer::<f64>(text, &sparse, 1).trace().unwrap();
    let (_, expected) = trainer::<f64>(text, &dense(&sparse), 1).trace().unwrap();
    for ((name, shape, a), (_, _, b)) in trace.iter().zip(&expected) {
        assert_eq!(a.len(), shape.iter().product::<usize>());
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12), "{name}");
    }
    assert_eq!(trace[0].2, expected[0].2);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let data = sparse(50);
    let message = |text: &str, data: &Dataset| {
        Plan::new(Recipe::parse(text, &[]).unwrap(), data).expect_err("refused").to_string()
    };
    assert!(message("[data]\nnoise = 0.1", &data).contains("the inputs are sparse"));
    assert!(message("[augment]\nshift = 1", &data).contains("[augment] deforms images"));
    let values = SparseValues::F32(vec![1.0, f32::NAN].into());
    let rows = SparseRows::new(values, vec![1, 0].into(), vec![0, 1, 1, 2], 2).unwrap();
    let targets = Targets::Values { values: vec![0.0; 3], n_outputs: 1 };
    let bad = Dataset::new(Inputs::Sparse(rows.clone()), 2, Some(targets)).unwrap();
    assert!(message("", &bad).contains("row 2, column 0: the input is NaN"));
    let error = Dataset::new(Inputs::Sparse(rows), 3, None).err().unwrap().to_string();
    assert_eq!(error, "sparse rows of 2 features do not make a data set of 3");
}

#[test]
fn rows_are_recognised_however_their_entries_are_written() {
    let rows = |values: &[f32], columns: &[i32], starts: &[usize]| {
        let values = SparseValues::F32(values.to_vec().into());
        let rows = SparseRows::new(values, columns.to_vec().into(), starts.to_vec(), 4).unwrap();
        Dataset::new(Inputs::Sparse(rows), 4, None).unwrap()
    };
    let seen = SeenRows::new(&rows(&[1.0, 2.0], &[0, 3], &[0, 2]), &[0]);
    let others = rows(&[2.0, 0.0, 0.5, 0.5, 1.0, 2.0], &[3, 1, 0, 0, 0, 2], &[0, 4, 6]);
    assert_eq!(seen.unseen(&others, 0..2), [1]);
}
