//! From labels to classes.

use steepest::Targets;

/// Labels up to this number are their own classes; others are numbered in their order.
const MAX_DIRECT: i64 = 9999;

/// The classes that whole-number labels stand for.
pub(crate) enum Classes {
    /// 0 to this number, whether each occurs or not.
    UpTo(i64),
    /// These numbers, sorted.
    Listed(Vec<i64>),
}

impl Classes {
    /// The classes of all `labels`: those of both parts of a data set, so that the parts agree.
    pub(crate) fn of(labels: &[&[i64]]) -> Self {
        let all = || labels.iter().copied().flatten().copied();
        let max = all().max().unwrap_or(0);
        if max <= MAX_DIRECT && all().all(|label| label >= 0) {
            return Self::UpTo(max);
        }
        let mut listed: Vec<i64> = all().collect();
        listed.sort_unstable();
        listed.dedup();
        Self::Listed(listed)
    }

    /// What they are called.
    pub(crate) fn names(&self) -> Vec<String> {
        match self {
            Self::UpTo(max) => (0..=*max).map(|class| class.to_string()).collect(),
            Self::Listed(listed) => listed.iter().map(i64::to_string).collect(),
        }
    }

    /// `labels`, each of which is among these classes, as targets.
    pub(crate) fn targets(&self, labels: &[i64]) -> Targets {
        let class = |label: &i64| match self {
            Self::UpTo(_) => *label as u32,
            Self::Listed(listed) => listed.partition_point(|class| class < label) as u32,
        };
        Targets::Classes { labels: labels.iter().map(class).collect(), names: self.names() }
    }
}

/// Labels that are text, as targets: the classes are the distinct texts of these and of `others`, sorted.
pub(crate) fn text_classes(labels: &[String], others: &[String]) -> Targets {
    let mut names: Vec<String> = labels.iter().chain(others).cloned().collect();
    names.sort_unstable();
    names.dedup();
    let labels = labels.iter().map(|label| names.partition_point(|name| name < label) as u32).collect();
    Targets::Classes { labels, names }
}
