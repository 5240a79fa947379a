//! What the targets share: bytes become a file, and what is read from it is held to its promises.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use steepest::{Dataset, Inputs, Plan, Recipe, Session, Start, Targets};
use steepest_io::{
    DataFormat, DataSpec, KnownColumns, KnownTarget, LoadOptions, Loaded, TableOptions, fingerprint, load, load_checkpoint,
    read_table, save_checkpoint, write_dataset,
};

/// A folder of this process alone; in memory where the system has such a place.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let base = if memory.is_dir() { memory.into() } else { std::env::temp_dir() };
    let folder = base.join(format!("steepest-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
});

/// Writes the bytes to a file of this name.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = FOLDER.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Reads the bytes as data. What is accepted must be whole, and must survive being written and read again.
pub fn read_data(name: &str, bytes: &[u8]) {
    let path = file(name, bytes);
    let options = LoadOptions { folders: vec![], known: vec![], cache: None, ..LoadOptions::default() };
    let open = |path: &Path| load(&DataSpec::parse(path.to_str().unwrap()).unwrap(), &options);
    let read = match open(&path) {
        Ok(read) => read,
        Err(error) => {
            check_message(&error);
            return;
        }
    };
    let copy = FOLDER.join("copy.npz");
    write_dataset(&copy, &read, DataFormat::Npz).unwrap();
    match (&read, &open(&copy).unwrap()) {
        (Loaded::One(data), Loaded::One(again)) => check(data, again),
        (Loaded::Parts { train, test }, Loaded::Parts { train: train_again, test: test_again }) => {
            check(train, train_again);
            check(test, test_again);
        }
        _ => panic!("parts are not parts any more"),
    }
}

/// Reads the bytes as a table and encodes its columns. What is accepted must be finite, and the same when it is read again with
/// its columns known.
pub fn encode_table(name: &str, bytes: &[u8]) {
    let path = file(name, bytes);
    let new = TableOptions::New { target: None, drop: vec![], kinds: Default::default() };
    let table = match read_table(&path, &new) {
        Ok(table) => table,
        Err(error) => return check_message(&error),
    };
    let recipe = Recipe::parse("[data]\nmissing = \"mean\"\nval_split = 0", &[]).unwrap();
    let (plan, data) = match Plan::of_table(recipe, &table) {
        Ok(planned) => planned,
        Err(error) => return check_message(&error),
    };
    let Inputs::F32(values) = data.inputs() else { panic!("columns become floats") };
    assert!(values.iter().all(|value| value.is_finite()));
    let columns = KnownColumns::of_model(plan.columns.as_ref().unwrap());
    let known = TableOptions::Known { columns, target: KnownTarget::SameName };
    let again = plan.encode(&read_table(&path, &known).unwrap()).unwrap();
    assert_eq!(fingerprint(&data), fingerprint(&again));
}

fn check_message(error: &impl ToString) {
    let message = error.to_string();
    assert!(message.len() < 2000 && !message.contains(char::is_control), "{message:?}");
}

/// Reads the bytes as a checkpoint. What is accepted must be finite, and must survive being written and read again; a session
/// takes it, or says why not.
pub fn read_checkpoint(bytes: &[u8]) {
    let path = file("checkpoint.safetensors", bytes);
    let checkpoint = match load_checkpoint::<f32>(&path) {
        Ok(checkpoint) => checkpoint,
        Err(error) => {
            let message = error.to_string();
            assert!(message.len() < 1000 && !message.contains(char::is_control), "{message:?}");
            return;
        }
    };
    assert!(checkpoint.state.is_finite());
    let copy = FOLDER.join("copy.safetensors");
    save_checkpoint(&checkpoint, &copy).unwrap();
    // As text, because metrics may be NaN.
    assert_eq!(format!("{:?}", load_checkpoint::<f32>(&copy).unwrap()), format!("{checkpoint:?}"));
    let labels = Targets::Classes { labels: vec![0, 1, 1, 0, 1, 0], names: vec!["no".into(), "yes".into()] };
    let data = Dataset::new(Inputs::Bytes((0..24).map(|i| i * 10).collect()), 4, Some(labels)).unwrap();
    let text = "[data]\nval_split = 2\n[network]\nhidden = [3]\n[training]\niterations = 9\npatience = 5";
    let plan = Plan::new(Recipe::parse(text, &[]).unwrap(), &data).unwrap();
    let session = Session::<f32>::new(plan, data, None, Start::default(), 1).unwrap();
    if let Ok(mut session) = session.resume(checkpoint.state) {
        while session.advance().is_ok_and(|progress| progress.stop.is_none()) {}
    }
}

fn check(data: &Dataset, again: &Dataset) {
    let n_numbers = match data.inputs() {
        Inputs::Bytes(values) => values.len(),
        Inputs::F32(values) => {
            assert!(values.iter().all(|value| value.is_finite()));
            values.len()
        }
        Inputs::F64(values) => {
            assert!(values.iter().all(|value| value.is_finite()));
            values.len()
        }
        Inputs::Drawn { .. } | Inputs::Sparse(_) => panic!("a file has no rows that are drawn or sparse"),
    };
    assert_eq!(n_numbers, data.n_samples() * data.n_features());
    if let Some((height, width)) = data.image() {
        assert_eq!(height * width, data.n_features());
    }
    if let Some(Targets::Classes { labels, names }) = data.targets() {
        assert!(labels.iter().all(|&label| (label as usize) < names.len()));
    }
    // Classes at the end of the list that no row has are not written.
    assert_eq!(fingerprint(&data.clone().without_targets()), fingerprint(&again.clone().without_targets()));
    match (data.targets(), again.targets()) {
        (
            Some(Targets::Classes { labels, names }),
            Some(Targets::Classes { labels: labels_again, names: names_again }),
        ) => {
            let names = labels.iter().map(|&label| &names[label as usize]);
            assert!(names.eq(labels_again.iter().map(|&label| &names_again[label as usize])));
        }
        (targets, again) => assert_eq!(targets, again),
    }
}
