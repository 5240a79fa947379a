//! Downloads of known data sets, from a local server that misbehaves.

mod common;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::server::{Server, nobody};
use common::*;
use md5::Md5;
use sha2::{Digest, Sha256};
use steepest_io::{
    Checksum, DataError, DataSpec, Fetch, FetchError, FetchEvent, Fetched, Known, KnownFile, LoadOptions,
    Loaded, Patience, fetch, load,
};
use tempfile::TempDir;

const NAMES: [&str; 4] = [
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
];

/// A server with a small data set, and a cache to download it into.
struct Bench {
    server: Server,
    files: Vec<(String, Vec<u8>)>,
    cache: TempDir,
    events: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let tiny = idx_folder(&folder, "tiny", "-idx?-ubyte.gz");
        let file = |name: &str| (name.to_string(), std::fs::read(tiny.join(name)).unwrap());
        let files: Vec<_> = NAMES.into_iter().map(file).collect();
        // Damaged at its end, which nobody should come to.
        let bomb = gzip(&vec![0; 1 << 19]);
        let server = Server::new(files.clone(), bomb[..bomb.len() - 4].to_vec());
        Self { server, files, cache: TempDir::new().unwrap(), events: Arc::default() }
    }

    /// The data set, from these mirrors: behaviours of the server, or addresses.
    fn known(&self, mirrors: &[&str]) -> Known {
        let mirror = |name: &&str| match name.starts_with("http:") {
            true => name.to_string(),
            false => self.server.mirror(name),
        };
        let file = |(name, packed): &(String, Vec<u8>)| KnownFile {
            name: name.clone(),
            packed: packed.len() as u64,
            unpacked: unpacked(packed).len() as u64,
            checksum: Checksum::Sha256Unpacked(hex(&Sha256::digest(unpacked(packed)))),
        };
        Known {
            name: "tiny".into(),
            mirrors: mirrors.iter().map(mirror).collect(),
            files: self.files.iter().map(file).collect(),
            elsewhere: Vec::new(),
        }
    }

    fn options(&self, known: Known) -> LoadOptions {
        let events = self.events.clone();
        let on_event = move |event: &FetchEvent| {
            let text = match event {
                FetchEvent::Begins { file, .. } => format!("begins {file}"),
                FetchEvent::Failed { file, why, .. } => format!("failed {file}: {why}"),
                FetchEvent::Done { file } => format!("done {file}"),
                _ => return,
            };
            events.lock().unwrap().push(text);
        };
        let patience = Patience {
            connect: Duration::from_secs(2),
            stall: Duration::from_millis(600),
            whole: Duration::from_secs(2),
        };
        LoadOptions {
            known: vec![known],
            cache: Some(self.cache.path().into()),
            fetch: Some(Fetch { patience, on_event: Arc::new(on_event) }),
            ..looking_in(&[])
        }
    }

    fn fetch(&self, mirrors: &[&str]) -> Result<Fetched, DataError> {
        fetch("tiny", &self.options(self.known(mirrors)))
    }

    /// All that is in the cache: folders with a slash, then files.
    fn list(&self) -> Vec<String> {
        list(self.cache.path())
    }

    fn events(&self) -> Vec<String> {
        std::mem::take(&mut self.events.lock().unwrap())
    }
}

fn list(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut names: Vec<String> = names
        .flat_map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            match entry.path().is_dir() {
                true => [vec![format!("{name}/")], list(&entry.path())].concat(),
                false => vec![name],
            }
        })
        .collect();
    names.sort_by_key(|name| (!name.ends_with('/'), name.clone()));
    names
}

fn complete() -> Vec<&'static str> {
    [&["tiny/"][..], &NAMES].concat()
}

fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(packed), &mut bytes).unwrap();
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn load_name(name: &str, options: &LoadOptions) -> Result<Loaded, DataError> {
    load(&DataSpec::parse(name)?, options)
}

/// What a mirror does wrong, and what is said of it.
const FAULTS: [(&str, &str); 16] = [
    ("cut", "breaks off after"),
    ("cut-unannounced", "cut short or damaged"),
    ("hangs-up", "hangs up too early"),
    ("mute", "nothing came for 600ms"),
    ("stalls", "nothing came for 600ms"),
    ("drips", "not done within 2s"),
    ("forbids", "status 403 (forbidden)"),
    ("fails", "status 500"),
    ("loops", "redirects more than 5 times"),
    ("lies", "cut short or damaged"),
    ("mixes-up", "wrong bytes: "),
    ("page", "a web page in place of the file"),
    ("empty", "empty"),
    ("announces", "more than the"),
    ("endless", "more than the"),
    ("bomb", "decompressed it has more than"),
];

#[test]
fn what_a_mirror_does_wrong_is_said_and_leaves_nothing_behind() {
    std::thread::scope(|scope| {
        for (fault, says) in FAULTS {
            scope.spawn(move || {
                let bench = Bench::new();
                let began = Instant::now();
                let url = format!("{}{}: ", bench.server.mirror(fault), NAMES[0]);
                let by_hand = bench.cache.path().join("tiny").display().to_string();
                let result = bench.fetch(&[fault]);
                assert_error!(
                    result,
                    DataError::Fetch(FetchError::Download { .. }),
                    &url,
                    says,
                    "--offline",
                    &by_hand,
                    NAMES[3]
                );
                assert!(began.elapsed() < Duration::from_secs(10), "{fault}: {:?}", began.elapsed());
                assert_eq!(bench.list(), [""; 0], "{fault}");
                let n_asked = if fault == "loops" { 6 } else { 1 };
                assert_eq!(bench.server.asked().len(), n_asked, "{fault}");
            });
        }
    });
}

#[test]
fn the_second_mirror_is_tried_and_then_stays_the_first() {
    std::thread::scope(|scope| {
        for (fault, says) in FAULTS {
            scope.spawn(move || {
                let bench = Bench::new();
                let fetched = bench.fetch(&[fault, "good"]).unwrap();
                let path = bench.cache.path().join("tiny");
                let downloaded = NAMES.map(String::from).to_vec();
                assert_eq!(fetched, Fetched { path: path.clone(), downloaded, checked: true }, "{fault}");
                assert_eq!(bench.list(), complete(), "{fault}");
                for (name, bytes) in &bench.files {
                    assert_eq!(std::fs::read(path.join(name)).unwrap(), *bytes, "{fault}");
                }
                let events = bench.events();
                let failed: Vec<_> = events.iter().filter(|event| event.starts_with("failed")).collect();
                assert_eq!(failed.len(), 1, "{fault}: {events:?}");
                assert!(failed[0].contains(says), "{fault}: {events:?}");
                let n = |what: &str| events.iter().filter(|event| event.starts_with(what)).count();
                assert_eq!((n("begins"), n("done")), (5, 4), "{fault}: {events:?}");
            });
        }
    });
}

#[test]
fn mirrors_may_move_pack_again_and_be_slow() {
    for good in ["good", "moved", "repacked", "slow"] {
        let bench = Bench::new();
        bench.fetch(&[good]).unwrap();
        assert_eq!(bench.list(), complete(), "{good}");
        let options = LoadOptions { fetch: None, ..bench.options(bench.known(&[])) };
        let (train, test) = both(load_name("tiny", &options));
        assert_eq!((bytes(&train), train.n_samples(), test.n_samples()), (&expected().0[..16], 4, 2));
    }
}

#[test]
fn an_md5_is_that_of_the_packed_file() {
    let bench = Bench::new();
    let by_md5 = |mirror: &str| {
        let mut known = bench.known(&[mirror]);
        for (file, (_, packed)) in known.files.iter_mut().zip(&bench.files) {
            file.checksum = Checksum::Md5Packed(hex(&Md5::digest(packed)));
        }
        fetch("tiny", &bench.options(known))
    };
    assert_error!(
        by_md5("repacked"),
        DataError::Fetch(FetchError::Download { .. }),
        "wrong bytes: their MD5 is"
    );
    assert_eq!(by_md5("good").unwrap().downloaded.len(), 4);
}

#[test]
fn every_mirror_fails() {
    let bench = Bench::new();
    let nobody = nobody();
    let [first, last] = ["forbids", "page"].map(|fault| bench.server.mirror(fault));
    assert_error!(
        bench.fetch(&["forbids", &nobody, "page"]),
        DataError::Fetch(FetchError::Download { .. }),
        &format!("\n  {first}{}: answers with status 403", NAMES[0]),
        &format!("\n  {nobody}{}: ", NAMES[0]),
        "refused",
        &format!("\n  {last}{}: a web page", NAMES[0])
    );
    assert_eq!(bench.list(), [""; 0]);
    let load = load_name("tiny/test", &bench.options(bench.known(&["forbids"])));
    assert_error!(load, DataError::Fetch(FetchError::Download { .. }), "status 403");
}

#[test]
fn offline_the_network_is_not_touched() {
    let bench = Bench::new();
    let options = LoadOptions { fetch: None, ..bench.options(bench.known(&["good"])) };
    let cached = bench.cache.path().join("tiny").display().to_string();
    for name in ["tiny", "tiny/train"] {
        let missing = load_name(name, &options);
        assert_error!(missing, DataError::NotFound { .. }, "steepest data fetch tiny", "--offline", &cached);
    }
    assert_error!(
        fetch("tiny", &options),
        DataError::Fetch(FetchError::Offline { .. }),
        "it is missing",
        "STEEPEST_OFFLINE"
    );
    assert!(LoadOptions::default().fetch.is_none(), "offline unless told otherwise");
    assert_eq!(bench.server.asked(), [""; 0]);
    assert_eq!(bench.list(), [""; 0]);
}

#[test]
fn what_is_there_is_not_fetched_again() {
    let bench = Bench::new();
    let options = bench.options(bench.known(&["good"]));
    assert_error!(load_name("tiny/valid", &options), DataError::NotFound { .. });
    assert_eq!(bench.server.asked(), [""; 0], "nothing to download for a part that does not exist");
    assert_eq!(one(load_name("tiny/test", &options)).n_samples(), 2);
    assert_eq!(bench.server.asked(), NAMES.map(|name| format!("/good/{name}")));

    assert_error!(load_name("tiny/valid", &options), DataError::Part { .. }, "`valid`", "`train` and `test`");
    both(load_name("tiny", &options));
    assert_eq!(fetch("tiny", &options).unwrap().downloaded, [""; 0]);
    assert_eq!(bench.server.asked(), [""; 0]);

    // What is missing or damaged is, and nothing else.
    let folder = bench.cache.path().join("tiny");
    std::fs::remove_file(folder.join(NAMES[1])).unwrap();
    both(load_name("tiny", &options));
    assert_eq!(bench.server.asked(), [format!("/good/{}", NAMES[1])]);
    std::fs::write(folder.join(NAMES[2]), gzip(b"something else")).unwrap();
    let offline = LoadOptions { fetch: None, ..options.clone() };
    assert_error!(
        fetch("tiny", &offline),
        DataError::Fetch(FetchError::Offline { .. }),
        NAMES[2],
        "wrong bytes"
    );
    assert_eq!(fetch("tiny", &options).unwrap().downloaded, [NAMES[2]]);
    assert_eq!(bench.server.asked(), [format!("/good/{}", NAMES[2])]);
    assert_eq!(bench.list(), complete());
    assert_eq!(fetch("tiny", &offline).unwrap(), Fetched { path: folder, downloaded: vec![], checked: true });
}

#[test]
fn other_places_come_before_the_network() {
    let (bench, folder) = (Bench::new(), TempDir::new().unwrap());
    let archive = write(&folder, "keras/tiny.npz", &std::fs::read(fixture("keras.npz")).unwrap());
    let known = Known { elsewhere: vec![archive.clone()], ..bench.known(&["good"]) };
    let options = bench.options(known);
    assert_eq!(one(load_name("tiny/test", &options)).n_samples(), 2);
    let found = |path| Fetched { path, downloaded: Vec::new(), checked: false };
    assert_eq!(fetch("tiny", &options).unwrap(), found(archive));
    let own = idx_folder(&folder, "data/tiny", "-idx?-ubyte");
    let folders = vec![folder.path().join("data")];
    let options = LoadOptions { folders, ..bench.options(bench.known(&["good"])) };
    both(load_name("tiny", &options));
    assert_eq!(fetch("tiny", &options).unwrap(), found(own));
    assert_eq!(bench.server.asked(), [""; 0]);
}

#[test]
fn two_at_once_do_not_harm_each_other() {
    let bench = Bench::new();
    std::thread::scope(|scope| {
        let both: Vec<_> = (0..2).map(|_| scope.spawn(|| bench.fetch(&["slow"]))).collect();
        both.into_iter().for_each(|one| assert!(one.join().unwrap().is_ok()));
    });
    assert_eq!(bench.list(), complete());
    assert!(bench.server.asked().len() > NAMES.len(), "they did not run at once");
}

#[test]
fn names_and_folders_that_do_not_do() {
    let bench = Bench::new();
    let options = bench.options(bench.known(&["good"]));
    assert_error!(fetch("tny", &options), DataError::Fetch(FetchError::Unknown { .. }), "`tny`", "tiny");
    let nowhere = LoadOptions { cache: None, ..options.clone() };
    assert_error!(fetch("tiny", &nowhere), DataError::Fetch(FetchError::NoCache { .. }), "STEEPEST_CACHE");
    assert_error!(
        load_name("tiny", &nowhere),
        DataError::Fetch(FetchError::NoCache { .. }),
        "STEEPEST_CACHE"
    );
    let file = write(&bench.cache, "file", b"");
    let blocked = LoadOptions { cache: Some(file.clone()), ..options };
    assert_error!(
        fetch("tiny", &blocked),
        DataError::Fetch(FetchError::Write { .. }),
        "cannot write",
        file.to_str().unwrap()
    );
}

#[test]
fn what_is_known() {
    let known = Known::all();
    assert_eq!(known.iter().map(|known| known.name.as_str()).collect::<Vec<_>>(), ["mnist", "fashion-mnist"]);
    for known in &known {
        assert!(known.mirrors.len() > 1 && known.mirrors.iter().all(|url| url.ends_with('/')));
        let mut names: Vec<_> = known.files.iter().map(|file| file.name.as_str()).collect();
        names.sort();
        assert_eq!(names, NAMES);
        for file in &known.files {
            let digits = match &file.checksum {
                Checksum::Sha256Unpacked(digits) => (digits, 64),
                Checksum::Md5Packed(digits) => (digits, 32),
            };
            assert_eq!(digits.0.len(), digits.1);
            assert!(file.packed < file.unpacked && file.packed < 32 << 20);
        }
    }
}
