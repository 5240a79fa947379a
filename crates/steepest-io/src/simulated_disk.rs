//! A disk in memory that loses power, or fails at a given call.
//!
//! It promises as little as POSIX does. What was written and not synced may be there after a power cut or not, sector by
//! sector and in any order, and the length of a file may be known before its contents. Names that were given and not synced
//! may be there or not, each by itself.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::atomic::{folder_of, write_on};
use crate::disk::Disk;

/// What a disk writes at once.
const SECTOR: usize = 512;

#[derive(Clone, Default)]
struct SimulatedDisk {
    contents: Rc<RefCell<Contents>>,
    /// The call, from 0, at which power is cut or an error comes back.
    ends_at: usize,
    /// After an error the disk works again; without power it does not.
    recovers: bool,
    /// Leaves out an operation, as a writer that forgot it would.
    forgets: Option<Operation>,
}

#[derive(Default)]
struct Contents {
    files: Vec<Bytes>,
    names: BTreeMap<PathBuf, usize>,
    synced_names: BTreeMap<PathBuf, usize>,
    /// Since the last sync of the folder: what each name was made to mean.
    renamed: Vec<Vec<(PathBuf, Option<usize>)>>,
    calls: usize,
}

#[derive(Clone, Default)]
struct Bytes {
    written: Vec<u8>,
    synced: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Operation {
    Create,
    Write,
    Sync,
    Rename,
    Remove,
    SyncFolder,
}

struct SimulatedFile {
    disk: SimulatedDisk,
    number: usize,
    at: usize,
}

impl SimulatedDisk {
    /// Counts a call; says whether it is to be carried out.
    fn call(&self, operation: Operation) -> io::Result<bool> {
        let mut contents = self.contents.borrow_mut();
        let number = contents.calls;
        contents.calls += 1;
        if number == self.ends_at || (number > self.ends_at && !self.recovers) {
            return Err(io::Error::other(format!("call {number}, {operation:?}, failed")));
        }
        Ok(self.forgets != Some(operation))
    }

    /// Names as they are while there is power.
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let contents = self.contents.borrow();
        contents.names.get(Path::new(path)).map(|&number| contents.files[number].written.clone())
    }

    fn names(&self) -> Vec<PathBuf> {
        self.contents.borrow().names.keys().cloned().collect()
    }

    /// What is on the disk when power comes back.
    fn after_power_cut(&self, rng: &mut ChaCha8Rng) -> BTreeMap<PathBuf, Vec<u8>> {
        let contents = self.contents.borrow();
        let mut names = contents.synced_names.clone();
        for change in &contents.renamed {
            // A rename is one change of two names, and happens or not.
            if rng.random_bool(0.5) {
                for (name, number) in change {
                    match number {
                        Some(number) => names.insert(name.clone(), *number),
                        None => names.remove(name),
                    };
                }
            }
        }
        names.into_iter().map(|(name, number)| (name, contents.files[number].torn(rng))).collect()
    }
}

impl Bytes {
    /// What is left of a file: of each sector, what was synced or what was written since.
    fn torn(&self, rng: &mut ChaCha8Rng) -> Vec<u8> {
        let len = if self.written == self.synced || rng.random_bool(0.5) {
            self.written.len()
        } else {
            rng.random_range(self.synced.len().min(self.written.len())..=self.written.len())
        };
        let mut bytes = vec![0; len];
        for start in (0..len).step_by(SECTOR) {
            let range = start..(start + SECTOR).min(len);
            let source = if rng.random_bool(0.5) { &self.written } else { &self.synced };
            for i in range {
                bytes[i] = source.get(i).copied().unwrap_or(0);
            }
        }
        bytes
    }
}

impl Disk for SimulatedDisk {
    type File = SimulatedFile;

    fn create(&self, path: &Path) -> io::Result<SimulatedFile> {
        self.call(Operation::Create)?;
        let mut contents = self.contents.borrow_mut();
        assert!(!contents.names.contains_key(path));
        let number = contents.files.len();
        contents.files.push(Bytes::default());
        contents.names.insert(path.into(), number);
        contents.renamed.push(vec![(path.into(), Some(number))]);
        Ok(SimulatedFile { disk: self.clone(), number, at: 0 })
    }

    fn sync(&self, file: &SimulatedFile) -> io::Result<()> {
        if self.call(Operation::Sync)? {
            let file = &mut self.contents.borrow_mut().files[file.number];
            file.synced = file.written.clone();
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(Operation::Rename)?;
        let mut contents = self.contents.borrow_mut();
        let number = contents.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        contents.names.insert(to.into(), number);
        contents.renamed.push(vec![(from.into(), None), (to.into(), Some(number))]);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call(Operation::Remove)?;
        let mut contents = self.contents.borrow_mut();
        contents.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        contents.renamed.push(vec![(path.into(), None)]);
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        if self.call(Operation::SyncFolder)? {
            let mut contents = self.contents.borrow_mut();
            assert!(contents.names.keys().all(|name| folder_of(name) == folder), "it has one folder");
            contents.synced_names = contents.names.clone();
            contents.renamed.clear();
        }
        Ok(())
    }
}

impl Write for SimulatedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.call(Operation::Write)?;
        let mut contents = self.disk.contents.borrow_mut();
        let written = &mut contents.files[self.number].written;
        let end = self.at + bytes.len();
        written.resize(written.len().max(end), 0);
        written[self.at..end].copy_from_slice(bytes);
        self.at = end;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for SimulatedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Start(at) = to else { return Err(io::ErrorKind::Unsupported.into()) };
        self.at = at as usize;
        Ok(at)
    }
}

/// The `version`-th contents of a file: each of another length, and other in every byte.
fn version(version: usize) -> Vec<u8> {
    vec![version as u8 + 1; 700 + 1_300 * (version % 3)]
}

/// Writes a model twice over and some checkpoints, the oldest of which go, until power is cut somewhere.
/// Returns what was not as promised after that.
fn broken_promise(seed: u64, forgets: Option<Operation>) -> Option<String> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let disk = SimulatedDisk { ends_at: rng.random_range(0..60), forgets, ..SimulatedDisk::default() };
    let write = |name: &str, bytes: &[u8]| {
        write_on(&disk, Path::new(name), |out| bytes.chunks(600).try_for_each(|part| out.write_all(part)))
    };
    // How many of each were written, as far as their writers know.
    let (mut models, mut checkpoints) = (0, 0);
    for step in 0..6 {
        if step % 2 == 0 {
            if write("./model", &version(models)).is_err() {
                break;
            }
            models += 1;
        }
        if write(&format!("./step-{step}"), &version(step)).is_err() {
            break;
        }
        checkpoints += 1;
        if step >= 2 && disk.remove(Path::new(&format!("./step-{}", step - 2))).is_err() {
            break;
        }
    }
    let left = disk.after_power_cut(&mut rng);
    let model = left.get(Path::new("./model"));
    // The one that was being written may be there already.
    let is_whole = |found: &Vec<u8>| (models.max(1) - 1..=models).any(|i| *found == version(i));
    match model {
        None if models > 0 => return Some(format!("{models} models were written, and none is there")),
        Some(found) if !is_whole(found) => return Some(format!("no whole or no new model after {models}")),
        _ => {}
    }
    let step_of = |name: &PathBuf| name.to_str()?.strip_prefix("./step-")?.parse::<usize>().ok();
    let steps: Vec<usize> = left.keys().filter_map(step_of).collect();
    let torn = steps.iter().find(|step| left[Path::new(&format!("./step-{step}"))] != version(**step));
    if let Some(step) = torn {
        return Some(format!("checkpoint {step} is torn"));
    }
    let newest = steps.iter().max().map_or(0, |step| step + 1);
    (newest < checkpoints).then(|| format!("{checkpoints} checkpoints were written, the newest is {newest}"))
}

#[test]
fn a_power_cut_at_any_moment_loses_nothing_that_was_written() {
    for seed in 0..10_000 {
        if let Some(problem) = broken_promise(seed, None) {
            panic!("seed {seed}: {problem}");
        }
    }
}

/// The simulation is strict enough to notice each of them.
#[test]
fn without_either_sync_a_power_cut_loses_something() {
    for (forgotten, says) in [(Operation::Sync, "is torn"), (Operation::SyncFolder, "were written")] {
        let problems: Vec<String> =
            (0..10_000).filter_map(|seed| broken_promise(seed, Some(forgotten))).collect();
        assert!(problems.len() > 1_000, "{forgotten:?} is missed in {} cases only", problems.len());
        assert!(problems.iter().any(|problem| problem.contains(says)), "{forgotten:?}");
    }
}

#[test]
fn an_error_at_any_call_leaves_the_old_file_and_nothing_else() {
    let path = Path::new("./model");
    let write = |disk: &SimulatedDisk, bytes: &[u8]| {
        write_on(disk, path, |out| {
            bytes.chunks(600).try_for_each(|part| {
                out.write_all(part)?;
                out.flush()
            })
        })
    };
    let old = SimulatedDisk { ends_at: usize::MAX, ..SimulatedDisk::default() };
    write(&old, &version(1)).unwrap();
    let (first, calls) = (old.contents.borrow().calls, |disk: &SimulatedDisk| disk.contents.borrow().calls);
    for n in first.. {
        let disk = SimulatedDisk { ends_at: usize::MAX, ..SimulatedDisk::default() };
        write(&disk, &version(1)).unwrap();
        let disk = SimulatedDisk { ends_at: n, recovers: true, ..disk };
        let result = write(&disk, &version(2));
        if calls(&disk) <= n {
            result.unwrap();
            assert!(n > first + 5, "it takes more calls than {}", n - first);
            break;
        }
        let message = result.unwrap_err().to_string();
        assert!(message.contains(&format!("call {n}")), "{message}");
        // The new file has its name already when its folder cannot be synced.
        let new_is_there = message.contains("SyncFolder");
        assert_eq!(disk.read("./model").unwrap(), version(if new_is_there { 2 } else { 1 }), "{message}");
        assert_eq!(disk.names(), [path], "{message}");
    }
}
