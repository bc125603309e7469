//! What holds for every dialect, told once for all of them: the rows are in
//! `fuzz/targets/dialects.rs`.

mod any;
mod golden;
mod laws;
mod stream_laws;
