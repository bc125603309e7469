//! One binary for all targets; `FUZZ_TARGET` says which.
//!
//! Under `cargo fuzz` it is a libFuzzer program. With a stable compiler it runs the files
//! that it is given, or as many inputs as `FUZZ_INPUTS` says (0: for ever) of our own mutator.
#![cfg_attr(fuzzing, no_main)]

use aigne_hub_fuzz::{Target, target};

fn chosen() -> &'static Target {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_else(|_| "json".to_owned());
    target(&name).unwrap_or_else(|| panic!("there is no target {name:?}"))
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static CHOSEN: std::sync::OnceLock<&Target> = std::sync::OnceLock::new();
    (CHOSEN.get_or_init(chosen).run)(data);
});

#[cfg(not(fuzzing))]
fn main() {
    use aigne_hub_fuzz::mutate::Mutator;
    let number =
        |name: &str, default| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let target = chosen();
    let files: Vec<String> = std::env::args().skip(1).collect();
    for file in &files {
        let input = std::fs::read(file).unwrap_or_else(|error| panic!("{file}: {error}"));
        (target.run)(&input);
    }
    if !files.is_empty() {
        return;
    }
    let (seed, inputs): (u64, u64) = (number("FUZZ_SEED", 1), number("FUZZ_INPUTS", 100_000));
    let mut mutator = Mutator::new(seed, (target.corpus)());
    let mut done = 0;
    while inputs == 0 || done < inputs {
        let input = mutator.next_input();
        let last = std::env::temp_dir().join(format!("fuzz-{}-{}", target.name, std::process::id()));
        if done % 1_000 == 0 {
            println!("{} seed {seed} input {done}", target.name);
        }
        let run = std::panic::catch_unwind(|| (target.run)(&input));
        if run.is_err() {
            std::fs::write(&last, &input).unwrap_or_else(|error| panic!("{}: {error}", last.display()));
            panic!("{} fails with seed {seed} at input {done}; it is in {}", target.name, last.display());
        }
        done += 1;
    }
}
