#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| midsim_fuzz::op::form(octets));
