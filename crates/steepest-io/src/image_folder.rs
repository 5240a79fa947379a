//! Folders of PNG images as data sets: a folder for each class, in `train` and `test` or directly.

use std::fs::FileType;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use steepest::{Dataset, Inputs, Targets};

use crate::error::DataError;
use crate::image_error::ImageError;
use crate::png::{Alpha, GreyDecoder, read_png};
use crate::rows::RowRange;
use crate::spec::Part;

/// So many images are worth a thread.
const MIN_PER_THREAD: usize = 64;

/// A folder of images, of which only the names have been read.
///
/// It has the folders `train` and `test`, or one of them, with a folder for each class; or these directly; or no
/// folders, but images that have no targets. Rows come in the order of their files' names, then of their classes, so that the
/// first rows are of all classes. The classes are those of both parts, sorted as numbers if all are whole numbers, else by
/// name.
pub struct ImageFolder {
    folder: PathBuf,
    /// In the order of [`Part`]; one without a part where there are none.
    listings: Vec<(Option<Part>, Listing)>,
    classes: Vec<String>,
    /// The first image that was read, its height and width: all others have the same.
    first: Option<(PathBuf, (usize, usize))>,
}

/// The images of a folder.
#[derive(Default)]
struct Listing {
    /// Directly in it.
    images: Vec<PathBuf>,
    /// Folders in it that have images.
    classes: Vec<(String, Vec<PathBuf>)>,
}

impl ImageFolder {
    /// Lists the images of a folder.
    ///
    /// # Errors
    /// When there are none, there are some both in class folders and beside them, or a symbolic link leads out of the
    /// folder.
    pub fn open(folder: &Path) -> Result<Self, DataError> {
        let walk = Walk::new(folder)?;
        let mut listings = Vec::new();
        for part in parts_of(folder) {
            let listing = walk.list(&folder.join(part.name()))?;
            if !listing.is_empty() {
                listings.push((Some(part), listing));
            }
        }
        if listings.is_empty() {
            listings.push((None, walk.list(folder)?));
        }
        let of_all = listings.iter().flat_map(|(_, listing)| &listing.classes);
        let mut classes: Vec<String> = of_all.map(|(name, _)| name.clone()).collect();
        sort_names(&mut classes);
        classes.dedup();
        Ok(Self { folder: folder.into(), listings, classes, first: None })
    }

    /// The parts there are; none when it is all of one piece.
    pub fn parts(&self) -> Vec<Part> {
        self.listings.iter().filter_map(|&(part, _)| part).collect()
    }

    /// Reads one part, or some of its rows: bytes `(n, height, width)` and the classes.
    ///
    /// # Errors
    /// When the part or the rows do not exist, a file is damaged or no PNG, or the images differ in size.
    pub fn read_part(&mut self, part: Part, rows: Option<RowRange>) -> Result<Dataset, DataError> {
        self.read(Some(part), rows)
    }

    /// Reads a folder that has no parts, or some of its rows: bytes `(n, height, width)` and, where there are class
    /// folders, the classes.
    ///
    /// # Errors
    /// As [`read_part`](Self::read_part).
    pub fn read_whole(&mut self, rows: Option<RowRange>) -> Result<Dataset, DataError> {
        self.read(None, rows)
    }

    fn read(&mut self, part: Option<Part>, rows: Option<RowRange>) -> Result<Dataset, DataError> {
        let Some((_, listing)) = self.listings.iter().find(|(of, _)| *of == part) else {
            let part = part.map_or("", Part::name);
            return Err(ImageError::PartMissing { folder: self.folder.clone(), part }.into());
        };
        let (files, labels) = listing.rows(&self.classes);
        let range = match rows {
            Some(rows) => rows.within(files.len())?,
            None => 0..files.len(),
        };
        let files = files.get(range.clone()).unwrap_or_default();
        let labels = labels.and_then(|labels| Some(labels.get(range)?.to_vec()));
        let (first, (height, width)) = match (&self.first, files.first()) {
            (Some(first), _) => first.clone(),
            // Read whole, so that no memory is asked for on the word of a header.
            (None, Some(&path)) => {
                let image = read_png(path, Alpha::Ignored)?;
                (path.clone(), (image.height, image.width))
            }
            (None, None) => {
                return Err(DataError::FolderWithoutData { path: self.folder.clone() });
            }
        };
        let pixels = read_all(files, &first, (height, width), &self.folder)?;
        self.first = Some((first, (height, width)));
        let targets = labels.map(|labels| Targets::Classes { labels, names: self.classes.clone() });
        let dataset = Dataset::new(Inputs::Bytes(pixels.into()), height.saturating_mul(width), targets)?;
        Ok(dataset.with_image(height, width))
    }
}

/// Reads one image as a data set of one row `(1, height, width)`, without targets.
pub(crate) fn read_image(path: &Path) -> Result<Dataset, DataError> {
    let image = read_png(path, Alpha::Ignored)?;
    let dataset =
        Dataset::new(Inputs::Bytes(image.pixels.into()), image.height.saturating_mul(image.width), None)?;
    Ok(dataset.with_image(image.height, image.width))
}

/// Whether a folder is a data set of images.
pub(crate) fn is_image_folder(folder: &Path) -> bool {
    let has_images = |folder: &Path| has_png(folder) || folders(folder).any(|class| has_png(&class));
    has_images(folder) || part_folders(folder).any(|part| has_images(&part))
}

/// The data set of which `folder` is a part.
pub(crate) fn whole_of_part(folder: &Path) -> Option<PathBuf> {
    let whole = match folder.parent()? {
        parent if parent.as_os_str().is_empty() => Path::new("."),
        parent => parent,
    };
    (!parts_of(whole).is_empty()).then(|| whole.into())
}

/// An image of another format in a folder, its folders, or those of its parts.
pub(crate) fn other_image(folder: &Path) -> Option<String> {
    let deeper = folders(folder).chain(part_folders(folder).flat_map(|part| folders(&part)));
    [folder.to_path_buf()].into_iter().chain(deeper).find_map(|folder| {
        let found = entries(&folder).find(|entry| is_other_image(&entry.name))?;
        Some(found.path.display().to_string())
    })
}

/// The parts that a folder has: `train` or `test`, unless these are themselves classes among others.
fn parts_of(folder: &Path) -> Vec<Part> {
    let named = [Part::Train, Part::Test];
    let is_part = |of: &Path| named.iter().any(|part| of.ends_with(part.name()));
    let has_classes = |part: &Part| folders(&folder.join(part.name())).any(|class| has_png(&class));
    let others = || folders(folder).any(|class| !is_part(&class) && has_png(&class));
    if !named.iter().any(has_classes) && others() {
        return Vec::new();
    }
    let has_images = |part: &Part| has_png(&folder.join(part.name())) || has_classes(part);
    named.into_iter().filter(has_images).collect()
}

fn part_folders(folder: &Path) -> impl Iterator<Item = PathBuf> {
    [Part::Train, Part::Test].map(|part| folder.join(part.name())).into_iter()
}

/// Something in a folder.
struct Entry {
    name: String,
    path: PathBuf,
    kind: FileType,
}

/// What is in a folder, without what is hidden. A folder that cannot be read has nothing.
fn entries(folder: &Path) -> impl Iterator<Item = Entry> + use<> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().ok()?;
        (!name.starts_with('.')).then(|| Entry { name, path: entry.path(), kind })
    })
}

fn folders(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    entries(folder).map(|entry| entry.path).filter(|path| path.is_dir())
}

fn has_png(folder: &Path) -> bool {
    entries(folder).any(|entry| has_extension(&entry.name, &["png"]))
}

fn is_other_image(name: &str) -> bool {
    has_extension(name, &["jpg", "jpeg", "gif", "bmp", "tif", "tiff", "webp", "ppm", "pgm", "heic", "avif"])
}

fn has_extension(name: &str, extensions: &[&str]) -> bool {
    let extension = Path::new(name).extension().unwrap_or_default();
    extensions.iter().any(|wanted| extension.eq_ignore_ascii_case(wanted))
}

/// Lists the images of a data set's folder, and never leaves it.
struct Walk {
    folder: PathBuf,
    /// Without symbolic links.
    real: PathBuf,
}

impl Walk {
    fn new(folder: &Path) -> Result<Self, DataError> {
        let real = folder.canonicalize().map_err(|source| DataError::io(folder, source))?;
        Ok(Self { folder: folder.into(), real })
    }

    /// The images of a folder and of the folders in it.
    fn list(&self, folder: &Path) -> Result<Listing, DataError> {
        self.check_link(folder, folder.is_symlink())?;
        let (images, folders) = self.images(folder)?;
        let mut classes = Vec::new();
        for Entry { name, path, .. } in folders {
            let (images, _) = self.images(&path)?;
            if let Some(found) = entries(&path).find(|entry| is_other_image(&entry.name)) {
                return Err(ImageError::OtherFormats { folder: path, found: found.name }.into());
            }
            if !images.is_empty() {
                classes.push((name, images));
            }
        }
        if let (Some(image), Some((class, _))) = (images.first(), classes.first()) {
            let image = image.file_name().unwrap_or_default().display().to_string();
            return Err(ImageError::Mixed { folder: folder.into(), image, class: class.clone() }.into());
        }
        Ok(Listing { images, classes })
    }

    /// The PNG files of a folder, sorted, and the folders in it.
    fn images(&self, folder: &Path) -> Result<(Vec<PathBuf>, Vec<Entry>), DataError> {
        // Once for the error that `entries` would pass over.
        std::fs::read_dir(folder).map_err(|source| DataError::io(folder, source))?;
        let (mut images, mut folders) = (Vec::new(), Vec::new());
        for entry in entries(folder) {
            let Entry { name, path, kind } = &entry;
            let is_png = has_extension(name, &["png"]);
            let is_dir = if kind.is_symlink() { path.is_dir() } else { kind.is_dir() };
            if is_dir || is_png {
                self.check_link(path, kind.is_symlink())?;
            }
            match (is_dir, is_png) {
                (true, _) => folders.push(entry),
                (false, true) if kind.is_file() || path.is_file() => images.push(entry.path),
                _ => {}
            }
        }
        images.sort_unstable_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
        Ok((images, folders))
    }

    fn check_link(&self, path: &Path, is_link: bool) -> Result<(), DataError> {
        if !is_link {
            return Ok(());
        }
        let target = path.canonicalize().map_err(|source| DataError::io(path, source))?;
        if target.starts_with(&self.real) {
            return Ok(());
        }
        Err(ImageError::LinkOut { link: path.into(), folder: self.folder.clone() }.into())
    }
}

impl Listing {
    fn is_empty(&self) -> bool {
        self.images.is_empty() && self.classes.is_empty()
    }

    /// The files in the order of their names, and of `classes` where several have the same name; and their labels.
    fn rows(&self, classes: &[String]) -> (Vec<&PathBuf>, Option<Vec<u32>>) {
        if self.classes.is_empty() {
            return (self.images.iter().collect(), None);
        }
        let mut rows: Vec<(&PathBuf, u32)> = Vec::new();
        for (label, class) in (0..).zip(classes) {
            let of_class = self.classes.iter().filter(|(name, _)| name == class);
            rows.extend(of_class.flat_map(|(_, images)| images).map(|path| (path, label)));
        }
        rows.sort_by_key(|(path, label)| (path.file_name(), *label));
        let (files, labels) = rows.into_iter().unzip();
        (files, Some(labels))
    }
}

/// As numbers if all are whole numbers, and then by name.
fn sort_names(names: &mut [String]) {
    names.sort_unstable();
    if names.iter().all(|name| name.parse::<i64>().is_ok()) {
        names.sort_by_key(|name| name.parse::<i64>().unwrap_or(0));
    }
}

/// Decodes `files`, all of one size, `(n, height, width)`.
fn read_all(
    files: &[&PathBuf],
    first: &Path,
    (height, width): (usize, usize),
    folder: &Path,
) -> Result<Vec<u8>, DataError> {
    let n = files.len();
    let memory = || ImageError::Memory { folder: folder.into(), n, width, height };
    let n_pixels = height.saturating_mul(width);
    let len = n.checked_mul(n_pixels).ok_or_else(memory)?;
    // Asked first, because `vec!` would abort; its zeros cost nothing before they are written.
    Vec::<u8>::new().try_reserve_exact(len).map_err(|_| memory())?;
    let mut pixels = vec![0; len];
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let per_thread = n.div_ceil(threads).max(MIN_PER_THREAD);
    // Where the first error is: what comes after it need not be read, and it is always the same one.
    let failed_at = AtomicUsize::new(usize::MAX);
    let read = |start: usize, files: &[&PathBuf], out: &mut [u8]| {
        let mut decoder = GreyDecoder::default();
        for ((row, path), out) in (start..).zip(files).zip(out.chunks_exact_mut(n_pixels)) {
            if failed_at.load(Ordering::Relaxed) < row {
                return Ok(());
            }
            read_one(&mut decoder, path, first, (height, width), out).inspect_err(|_| {
                failed_at.fetch_min(row, Ordering::Relaxed);
            })?;
        }
        Ok(())
    };
    let results: Vec<Result<(), DataError>> = thread::scope(|scope| {
        let pieces = files.chunks(per_thread).zip(pixels.chunks_mut(per_thread.saturating_mul(n_pixels)));
        let workers: Vec<_> = (0..)
            .step_by(per_thread)
            .zip(pieces)
            .map(|(start, (files, out))| scope.spawn(move || read(start, files, out)))
            .collect();
        let joined = workers.into_iter().map(|worker| worker.join());
        joined.map(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    // In the order of the rows.
    results.into_iter().collect::<Result<(), DataError>>()?;
    Ok(pixels)
}

fn read_one(
    decoder: &mut GreyDecoder,
    path: &Path,
    first: &Path,
    size: (usize, usize),
    out: &mut [u8],
) -> Result<(), DataError> {
    let mut image = decoder.open(path)?;
    if image.size != size {
        let (first, other, other_size) = (first.into(), path.into(), image.size);
        return Err(ImageError::Sizes { first, first_size: size, other, other_size }.into());
    }
    image.decode(Alpha::Ignored, out)
}
