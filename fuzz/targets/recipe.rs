#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(recipe) = steepest::Recipe::parse(text, &[]) {
        assert_eq!(steepest::Recipe::parse(&recipe.to_toml(), &[]).unwrap(), recipe);
    }
});
