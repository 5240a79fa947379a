//! Rows of a data set on their way into the network.

use steepest_kernels::{
    self as kernels, Csr, Element, Finish, Float, Ink, Inputs, Patches, Products, Stored,
};

use crate::augment::{AugmentScratch, Augmenter};
use crate::batches::Rows;
use crate::dataset::{Dataset, Inputs as Storage, Targets};
use crate::head::TargetRows;
use crate::layout;
use crate::noise::Noise;
use crate::sparse_rows::{SparseRows, ValueSlice};

/// Where blocks of rows come from.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub data: &'a Dataset,
    /// Which of its rows, in which order.
    pub rows: Rows<'a>,
    /// For rows that are drawn or deformed when needed.
    pub epoch: u64,
    /// What inputs are multiplied by.
    pub factor: f64,
    /// Whether it is for a network whose first layer lies transposed: bytes then come with their ink, and numbers that are mostly
    /// zero.
    pub turned: bool,
    /// For a network whose first layer lies by patches, those of all rows in their order; else none.
    pub patches: &'a [Patches],
    /// What deforms the rows, if they are images to learn from.
    pub augmenter: Option<&'a Augmenter>,
    /// What is added to the inputs. They are numbers then, whatever they are stored as.
    pub noise: Option<Noise>,
    /// How products with them are computed.
    pub products: Products,
}

impl<'a> Source<'a> {
    /// What the sum of the rows' losses is divided by: their number, or the sum of their weights.
    pub fn total(&self) -> f64 {
        let Some(weights) = self.data.weights() else { return self.rows.len() as f64 };
        let of_row = |i| weights[self.rows.get(i) as usize];
        match (0..self.rows.len()).map(of_row).sum() {
            // Rows that do not count at all have no loss and no gradient.
            0.0 => f64::INFINITY,
            total => total,
        }
    }

    /// All rows in their order and as they are, for a network whose first layer lies upright.
    pub fn new(data: &'a Dataset, factor: f64) -> Self {
        let rows = Rows::All(data.n_samples());
        Self {
            data,
            rows,
            epoch: 0,
            factor,
            turned: false,
            patches: &[],
            augmenter: None,
            noise: None,
            products: Products::Exact,
        }
    }
}

/// The inputs of a block of rows, in the form in which the data set stores them: bytes stay bytes.
#[derive(Clone, Copy)]
pub(crate) enum Block<'a, T> {
    Bytes(Inputs<'a, T, u8>),
    /// For a network whose first layer lies transposed. A single row needs no ink to go forward.
    Inked(Inputs<'a, T, u8>, &'a [Ink]),
    /// For a network whose first layer lies by patches; and what they are to be multiplied by.
    Patches(&'a [Patches], T),
    Floats(Inputs<'a, T, T>),
    /// For a network whose first layer lies transposed. Which of these two it is changes no bit on the way forward.
    Turned(Inputs<'a, T, T>),
    InkedFloats(Inputs<'a, T, T>, &'a [Ink]),
    /// For a network whose first layer lies transposed.
    Sparse(&'a Csr<T>),
}

impl<T: Float> Block<'_, T> {
    /// The first layer's logits, or what ReLU makes of them.
    pub fn affine(self, weight: &[T], finish: Finish<T>, z: &mut [T]) {
        let bias = finish.bias;
        match self {
            Self::Bytes(x) => return kernels::affine(x, weight, finish, z),
            Self::Inked(x, inks) => affine_inked(x, inks, weight, bias, z),
            Self::InkedFloats(x, inks) => affine_inked(x, inks, weight, bias, z),
            Self::Patches(patches, factor) => {
                let n_out = layer_width(weight, patches);
                for (patches, z) in patches.iter().zip(z.chunks_mut(Patches::ROWS * n_out)) {
                    kernels::affine_patches(patches, factor, weight, bias, z);
                }
            }
            Self::Floats(x) => return kernels::affine(x, weight, finish, z),
            Self::Turned(x) if x.x.len() == x.n_in => affine_inked(x, &[], weight, bias, z),
            Self::Turned(x) => return kernels::affine_turned(x, weight, finish, z),
            Self::Sparse(x) => kernels::affine_csr(x, weight, bias, z),
        }
        if finish.relu {
            kernels::relu_in_place(z);
        }
    }

    /// The gradient of the first layer's weights, from their row `first` on (of patches, of all).
    pub fn weight_gradient(self, delta: &[T], first: usize, add: bool, d_weight: &mut [T]) {
        match self {
            Self::Bytes(x) => kernels::weight_gradient(delta, x, first, add, d_weight),
            Self::Inked(x, inks) => weight_gradient_inked(delta, x, inks, (first, add), d_weight),
            Self::InkedFloats(x, inks) => weight_gradient_inked(delta, x, inks, (first, add), d_weight),
            Self::Patches(patches, factor) => {
                let n_out = layer_width(d_weight, patches);
                for (i, (patches, delta)) in
                    patches.iter().zip(delta.chunks(Patches::ROWS * n_out)).enumerate()
                {
                    kernels::weight_gradient_patches(delta, patches, factor, add || i > 0, d_weight);
                }
            }
            Self::Floats(x) => kernels::weight_gradient(delta, x, first, add, d_weight),
            Self::Turned(x) => kernels::weight_gradient_turned(delta, x, first, add, d_weight),
            Self::Sparse(x) => kernels::weight_gradient_csr(delta, x, first, add, d_weight),
        }
    }

    /// The inputs as numbers, scaled.
    ///
    /// # Panics
    /// Of patches, which have lost their places, and of sparse rows.
    pub fn to_floats(self) -> Vec<T> {
        match self {
            Self::Bytes(x) | Self::Inked(x, _) => {
                let mut out = vec![T::ZERO; x.x.len()];
                kernels::widen(x.x, x.factor, &mut out);
                out
            }
            Self::Floats(x) | Self::Turned(x) | Self::InkedFloats(x, _) => x.x.to_vec(),
            Self::Patches(..) | Self::Sparse(_) => unreachable!("asked for an upright network only"),
        }
    }
}

/// Units of a first layer that goes through these patches.
fn layer_width<T>(weight: &[T], patches: &[Patches]) -> usize {
    weight.len() / patches.first().map_or(1, Patches::n_in)
}

/// Rows as many at a time as one [`Ink`] is of.
fn pieces<'a, T: Float, X>(
    x: Inputs<'a, T, X>,
    inks: &'a [Ink],
) -> impl Iterator<Item = (Inputs<'a, T, X>, &'a Ink)> {
    x.x.chunks(Ink::ROWS * x.n_in).map(move |rows| Inputs { x: rows, ..x }).zip(inks)
}

/// Logits by a walk over the inputs' ink, which a single row does without.
fn affine_inked<T: Float, X: Element<T>>(
    x: Inputs<T, X>,
    inks: &[Ink],
    weight: &[T],
    bias: Option<&[T]>,
    z: &mut [T],
) {
    if x.x.len() == x.n_in {
        return kernels::affine_sparse_row(x.x, x.factor, weight, bias, z);
    }
    let n_out = weight.len() / x.n_in;
    for ((x, ink), z) in pieces(x, inks).zip(z.chunks_mut(Ink::ROWS * n_out)) {
        kernels::affine_sparse(x, ink, weight, bias, z);
    }
}

/// The gradient, by the same walk.
fn weight_gradient_inked<T: Float, X: Element<T>>(
    delta: &[T],
    x: Inputs<T, X>,
    inks: &[Ink],
    (first, add): (usize, bool),
    d_weight: &mut [T],
) {
    let n_out = delta.len() / (x.x.len() / x.n_in);
    for (i, ((x, ink), delta)) in pieces(x, inks).zip(delta.chunks(Ink::ROWS * n_out)).enumerate() {
        kernels::weight_gradient_sparse(delta, x, ink, first, add || i > 0, d_weight);
    }
}

/// Looks for the ink of a block of rows.
fn find_ink<X: Stored>(x: &[X], width: usize, inks: &mut Vec<Ink>) {
    inks.resize_with((x.len() / width).div_ceil(Ink::ROWS), Ink::default);
    inks.iter_mut().zip(x.chunks(Ink::ROWS * width)).for_each(|(ink, rows)| ink.find(rows, width));
}

/// How many rows ahead rows are asked for: they lie anywhere, and memory is slow to answer.
const AHEAD: usize = 4;

/// Where rows are brought together that do not lie together in the data set.
pub(crate) struct Gather<T> {
    bytes: Vec<u8>,
    deforming: Deforming,
    inks: Vec<Ink>, // one for every `Ink::ROWS` rows
    floats: Vec<T>,
    sparse: Csr<T>,
    /// Whether there will be a gradient.
    has_gradient: bool,
    /// The first row of the batch that lies here now.
    loaded: Option<usize>,
}

impl<T: Float> Gather<T> {
    pub fn new() -> Self {
        Self {
            bytes: Vec::new(),
            deforming: Deforming::default(),
            inks: Vec::new(),
            floats: Vec::new(),
            sparse: Csr::new(),
            has_gradient: true,
            loaded: None,
        }
    }

    /// For blocks that only go forward.
    pub fn for_predictions() -> Self {
        Self { has_gradient: false, ..Self::new() }
    }

    /// Forgets what lies here: a new batch begins.
    pub fn forget(&mut self) {
        self.loaded = None;
    }

    /// The rows `first..first + n` of a source.
    pub fn rows<'a>(&'a mut self, source: Source<'a>, first: usize, n: usize) -> Block<'a, T> {
        let Source { data, rows, epoch, factor, turned, patches, augmenter, noise, products } = source;
        if !patches.is_empty() {
            let end = (first + n).div_ceil(Patches::ROWS);
            return Block::Patches(&patches[first / Patches::ROWS..end], T::from_f64(factor));
        }
        let width = data.n_features();
        let row = |i: usize| rows.get(first + i) as usize;
        let is_here = self.loaded.replace(first) == Some(first);
        let bytes: &[u8] = match (data.inputs(), rows) {
            (Storage::Bytes(_) | Storage::Drawn { .. }, _) if augmenter.is_some() => {
                if let (false, Some(augmenter)) = (is_here, augmenter) {
                    self.bytes.resize(n * width, 0);
                    for (i, out) in self.bytes.chunks_exact_mut(width).enumerate() {
                        self.deforming.row(data, augmenter, epoch, row(i), out);
                    }
                }
                &self.bytes
            }
            (Storage::Bytes(all), Rows::All(_)) => &all[first * width..(first + n) * width],
            (Storage::Bytes(all), Rows::Some(_)) => {
                if !is_here {
                    self.bytes.clear();
                    for i in 0..n {
                        if i + AHEAD < n {
                            kernels::prefetch_slice(
                                &all[row(i + AHEAD) * width..(row(i + AHEAD) + 1) * width],
                            );
                        }
                        self.bytes.extend_from_slice(&all[row(i) * width..(row(i) + 1) * width]);
                    }
                }
                &self.bytes
            }
            (Storage::Drawn { draw, rows: numbers }, _) => {
                if !is_here {
                    self.bytes.resize(n * width, 0);
                    for (i, out) in self.bytes.chunks_exact_mut(width).enumerate() {
                        draw(epoch, numbers[row(i)], out);
                    }
                }
                &self.bytes
            }
            (Storage::Sparse(all), _) if turned && noise.is_none() => {
                if !is_here {
                    self.sparse.begin(width);
                    for i in 0..n {
                        match all.row(row(i)) {
                            (ValueSlice::F32(x), columns) => self.sparse.push(x, columns, factor),
                            (ValueSlice::F64(x), columns) => self.sparse.push(x, columns, factor),
                        }
                    }
                    if self.has_gradient {
                        self.sparse.sort();
                    }
                }
                return Block::Sparse(&self.sparse);
            }
            (Storage::Sparse(all), _) => return self.fill_in(all, row, (first, n), source, is_here),
            (Storage::F32(all), _) => return self.narrow(all, (first, n), source, is_here),
            (Storage::F64(all), _) => return self.narrow(all, (first, n), source, is_here),
        };
        if let Some(noise) = noise {
            if !is_here {
                self.floats.resize(n * width, T::ZERO);
                kernels::widen(bytes, T::from_f64(factor), &mut self.floats);
                noise.add(first, width, &mut self.floats);
            }
            let inputs = Inputs { products, ..Inputs::plain(&self.floats[..], width) };
            return if turned { Block::Turned(inputs) } else { Block::Floats(inputs) };
        }
        let inputs = Inputs { x: bytes, n_in: width, factor: T::from_f64(factor), products };
        if !turned {
            return Block::Bytes(inputs);
        }
        if !is_here {
            find_ink(bytes, width, &mut self.inks);
        }
        Block::Inked(inputs, &self.inks)
    }

    fn narrow<F: Float>(
        &mut self,
        all: &[F],
        (first, n): (usize, usize),
        source: Source,
        is_here: bool,
    ) -> Block<'_, T> {
        let width = source.data.n_features();
        let has_ink = source.turned && source.noise.is_none() && layout::are_mostly_zero(source.data);
        if !is_here {
            self.floats.resize(n * width, T::ZERO);
            match source.rows {
                Rows::All(_) => {
                    let rows = &all[first * width..(first + n) * width];
                    kernels::narrow(rows, source.factor, &mut self.floats);
                }
                Rows::Some(rows) => {
                    let rows = &rows[first..first + n];
                    kernels::gather_rows(all, width, rows, source.factor, &mut self.floats);
                }
            }
            if let Some(noise) = source.noise {
                noise.add(first, width, &mut self.floats);
            }
            if has_ink {
                find_ink(&self.floats, width, &mut self.inks);
            }
        }
        let inputs = Inputs { products: source.products, ..Inputs::plain(&self.floats[..], width) };
        match (source.turned, has_ink) {
            (false, _) => Block::Floats(inputs),
            (true, false) => Block::Turned(inputs),
            (true, true) => Block::InkedFloats(inputs, &self.inks),
        }
    }

    /// Sparse rows with all their zeros: for a network whose first layer lies upright, and under noise.
    fn fill_in(
        &mut self,
        all: &SparseRows,
        row: impl Fn(usize) -> usize,
        (first, n): (usize, usize),
        source: Source,
        is_here: bool,
    ) -> Block<'_, T> {
        let width = source.data.n_features();
        if !is_here {
            self.floats.clear();
            self.floats.resize(n * width, T::ZERO);
            for (i, out) in self.floats.chunks_exact_mut(width).enumerate() {
                for (column, value) in all.entries(row(i)) {
                    out[column] = T::from_f64(value * source.factor);
                }
            }
            if let Some(noise) = source.noise {
                noise.add(first, width, &mut self.floats);
            }
        }
        let inputs = Inputs { products: source.products, ..Inputs::plain(&self.floats[..], width) };
        if source.turned { Block::Turned(inputs) } else { Block::Floats(inputs) }
    }
}

/// What deforming rows works with.
#[derive(Default)]
struct Deforming {
    scratch: AugmentScratch,
    drawn: Vec<u8>,
}

impl Deforming {
    /// A row of bytes, deformed as it is seen in an epoch. Its number is its place in the data that are learnt from.
    fn row(&mut self, data: &Dataset, augmenter: &Augmenter, epoch: u64, row: usize, out: &mut [u8]) {
        let image = match data.inputs() {
            Storage::Bytes(all) => &all[row * out.len()..(row + 1) * out.len()],
            Storage::Drawn { draw, rows: numbers } => {
                self.drawn.resize(out.len(), 0);
                draw(epoch, numbers[row], &mut self.drawn);
                &self.drawn
            }
            Storage::F32(_) | Storage::F64(_) | Storage::Sparse(_) => {
                unreachable!("a plan deforms images of bytes only")
            }
        };
        augmenter.deform(epoch, row as u32, image, &mut self.scratch, out);
    }
}

/// What rows should give.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub targets: TargetRows<'a>,
    /// How much each row counts, where not all count the same.
    pub weights: Option<&'a [f64]>,
}

/// As [`Gather`], for the rows' targets and weights.
#[derive(Default)]
pub(crate) struct GatherTargets {
    labels: Vec<u32>,
    values: Vec<f64>,
    weights: Vec<f64>,
}

impl GatherTargets {
    /// Targets of the rows `first..first + n` of a source, if it has any.
    pub fn rows<'a>(&'a mut self, source: Source<'a>, first: usize, n: usize) -> Option<Wanted<'a>> {
        let (targets, weights) = (source.data.targets()?, source.data.weights());
        let Rows::Some(rows) = source.rows else {
            let range = first..first + n;
            let weights = weights.map(|weights| &weights[range.clone()]);
            return Some(Wanted { targets: targets.rows(range), weights });
        };
        let rows = || rows[first..first + n].iter().map(|&row| row as usize);
        let targets = match targets {
            Targets::Classes { labels, .. } => {
                self.labels.clear();
                self.labels.extend(rows().map(|row| labels[row]));
                TargetRows::Classes(&self.labels)
            }
            Targets::Values { values, n_outputs: n } => {
                self.values.clear();
                rows().for_each(|row| self.values.extend_from_slice(&values[row * n..(row + 1) * n]));
                TargetRows::Values(&self.values)
            }
        };
        let weights = weights.map(|weights| {
            self.weights.clear();
            self.weights.extend(rows().map(|row| weights[row]));
            &self.weights[..]
        });
        Some(Wanted { targets, weights })
    }
}
