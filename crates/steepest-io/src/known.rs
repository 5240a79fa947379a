//! Data sets that are known by name: where they are published, and how to tell that they arrived whole.

use std::path::PathBuf;

use crate::cache::home;

/// A data set that can be downloaded: IDX files that several mirrors hold under the same names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its name, which is also that of its folder in the cache.
    pub name: String,
    /// Addresses in front of the names of files, each with a slash at its end; tried in this order.
    pub mirrors: Vec<String>,
    /// All its files.
    pub files: Vec<KnownFile>,
    /// Files of other programs that hold the same data, used where the cache does not have it.
    pub elsewhere: Vec<PathBuf>,
}

/// One gzip-compressed file of a known data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownFile {
    /// Its name.
    pub name: String,
    /// Its length as it is usually published, in bytes. A download of more than half as much again is given up.
    pub packed: u64,
    /// Its length once decompressed, in bytes.
    pub unpacked: u64,
    /// What its contents must agree with.
    pub checksum: Checksum,
}

/// A checksum, as hexadecimal digits in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// SHA-256 of the decompressed bytes: whoever compressed them again did no harm.
    Sha256Unpacked(String),
    /// MD5 of the file as it is published.
    Md5Packed(String),
}

impl Known {
    /// The data sets that every program knows: MNIST and Fashion-MNIST.
    pub fn all() -> Vec<Self> {
        vec![mnist(), fashion_mnist()]
    }

    /// A data set of MNIST's four files.
    fn four(name: &str, mirrors: &[&str], packed: [u64; 4], checksums: [Checksum; 4]) -> Self {
        const FILES: [(&str, u64); 4] = [
            ("train-images-idx3-ubyte.gz", 47_040_016),
            ("train-labels-idx1-ubyte.gz", 60_008),
            ("t10k-images-idx3-ubyte.gz", 7_840_016),
            ("t10k-labels-idx1-ubyte.gz", 10_008),
        ];
        let file = |(((name, unpacked), packed), checksum): (((&str, u64), u64), Checksum)| KnownFile {
            name: name.into(),
            packed,
            unpacked,
            checksum,
        };
        Self {
            name: name.into(),
            mirrors: mirrors.iter().map(ToString::to_string).collect(),
            files: FILES.into_iter().zip(packed).zip(checksums).map(file).collect(),
            elsewhere: Vec::new(),
        }
    }
}

fn mnist() -> Known {
    let mirrors = [
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ];
    let checksums = [
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ];
    let packed = [9_912_422, 28_881, 1_648_877, 4_542];
    let checksums = checksums.map(|sum| Checksum::Sha256Unpacked(sum.into()));
    let keras = home().map(|home| home.join(".keras/datasets/mnist.npz"));
    Known { elsewhere: keras.into_iter().collect(), ..Known::four("mnist", &mirrors, packed, checksums) }
}

fn fashion_mnist() -> Known {
    let mirrors = [
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ];
    let checksums = [
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ];
    let packed = [26_421_880, 29_515, 4_422_102, 5_148];
    Known::four("fashion-mnist", &mirrors, packed, checksums.map(|sum| Checksum::Md5Packed(sum.into())))
}
