//! Text from files, as messages may show it.

use std::fmt::Debug;

/// A text without what would move a terminal's cursor or colour it.
pub fn plain(text: &str) -> String {
    let plain = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(plain).collect()
}

/// The start of a text, [`plain`].
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 40;
    let end = text.char_indices().nth(LONGEST).map(|(end, _)| end);
    match end.and_then(|end| text.get(..end)) {
        Some(start) => plain(start) + "...",
        None => plain(text),
    }
}

/// Sizes of an array, the first of them if there are many.
pub(crate) fn few(sizes: &[impl Debug]) -> String {
    const MOST: usize = 8;
    match sizes.split_at_checked(MOST) {
        Some((first, rest)) if !rest.is_empty() => format!("{first:?} and {} more sizes", rest.len()),
        _ => format!("{sizes:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_start_and_nothing_that_a_terminal_obeys() {
        assert_eq!(shown("petal width (cm)"), "petal width (cm)");
        assert_eq!(shown("\x1b[2J\u{9b}\n\0été"), "\\u{1b}[2J\\u{9b}\\n\\u{0}été");
        assert_eq!(shown(&"é".repeat(40)), "é".repeat(40));
        assert_eq!(shown(&"é".repeat(41)), "é".repeat(40) + "...");
        assert_eq!(few(&[1; 8]), "[1, 1, 1, 1, 1, 1, 1, 1]");
        assert_eq!(few(&[1; 10]), "[1, 1, 1, 1, 1, 1, 1, 1] and 2 more sizes");
    }
}
