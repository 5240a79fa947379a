//! The recipes that come with the program.

/// Name and text of each recipe in `recipes/`.
pub const RECIPES: [(&str, &str); 14] = [
    ("digits", include_str!("../../../recipes/digits.toml")),
    ("digits-transfer", include_str!("../../../recipes/digits-transfer.toml")),
    ("table", include_str!("../../../recipes/table.toml")),
    ("images", include_str!("../../../recipes/images.toml")),
    ("mnist-1s", include_str!("../../../recipes/mnist-1s.toml")),
    ("mnist-98", include_str!("../../../recipes/mnist-98.toml")),
    ("mnist-99", include_str!("../../../recipes/mnist-99.toml")),
    ("mnist-1min", include_str!("../../../recipes/mnist-1min.toml")),
    ("mnist-5min", include_str!("../../../recipes/mnist-5min.toml")),
    ("mnist-best", include_str!("../../../recipes/mnist-best.toml")),
    ("kaggle-csv-relu", include_str!("../../../recipes/kaggle-csv-relu.toml")),
    ("keras-npz-relu", include_str!("../../../recipes/keras-npz-relu.toml")),
    ("mnist-csv-relu", include_str!("../../../recipes/mnist-csv-relu.toml")),
    ("idx-sigmoid", include_str!("../../../recipes/idx-sigmoid.toml")),
];

/// The text of a built-in recipe.
pub fn recipe(name: &str) -> Option<&'static str> {
    RECIPES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The comment that a recipe opens with, without its `#`.
pub fn opening(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix('#'));
    lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}
