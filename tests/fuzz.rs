//! Every fuzz target for a moment, with inputs that a seed makes from its corpus. A seed
//! that fails is printed; `FUZZ_SEED` runs it again, `FUZZ_INPUTS` runs more than usual.

use crate::targets::mutate::Mutator;
use crate::targets::{TARGETS, target};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How many inputs each target gets in an ordinary run.
const INPUTS: u64 = 1_500;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn run(name: &str) {
    let target = target(name).unwrap();
    let seed = number("FUZZ_SEED", 20_261_120);
    let corpus = (target.corpus)();
    corpus.iter().for_each(|input| (target.run)(input));
    let mut mutator = Mutator::new(seed, corpus);
    for number in 0..number("FUZZ_INPUTS", INPUTS) {
        let input = mutator.next_input();
        if catch_unwind(AssertUnwindSafe(|| (target.run)(&input))).is_err() {
            let text = String::from_utf8_lossy(&input);
            panic!("{name} fails with seed {seed} at input {number}: {input:?}\nwhich is\n{text}");
        }
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                run(stringify!($name));
            }
        )*

        #[test]
        fn no_target_is_forgotten() {
            let run = [$(stringify!($name)),*];
            let known: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(known, run);
        }
    };
}

targets! {
    json sse multipart openai_request openai_answer openai_stream request_in response_in stream_in
    videos native_end call_id rules config prices id_token client_address
}

#[test]
fn the_same_seed_makes_the_same_inputs_and_another_one_others() {
    let inputs = |seed| {
        let mut mutator = Mutator::new(seed, vec![b"corpus".to_vec(), b"another".to_vec()]);
        (0..100).map(|_| mutator.next_input()).collect::<Vec<_>>()
    };
    assert_eq!(inputs(1), inputs(1));
    assert_ne!(inputs(1), inputs(3));
    assert!(inputs(1).iter().any(|input| !input.is_empty() && input != b"corpus" && input != b"another"));
}
