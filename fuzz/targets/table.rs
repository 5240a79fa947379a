#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| steepest_fuzz::encode_table("table.csv", bytes));
