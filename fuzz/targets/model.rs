#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = steepest_io::load_model(&steepest_fuzz::file("model.safetensors", bytes));
});
