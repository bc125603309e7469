//! Tokens of an image, by the rules that vendors publish. The rules change with
//! models and differ from the bills now and then, so every number here is an
//! estimate: good for admission and budgets, while the bill follows the
//! vendor's own usage.

use super::{bare_name, begins_with};

/// How a model turns pixels into tokens.
#[derive(Clone, Copy, Debug)]
enum Rule {
    /// OpenAI: shrink into 2048 × 2048, then the short side to 768; `base` and
    /// `tile` for every 512 px square. Low detail is `base` alone.
    Tiles { base: u64, tile: u64 },
    /// OpenAI: patches of 32 px, shrunk to at most `cap`, times a thousandth of
    /// `permille`. Low detail is billed like high by the models seen so far.
    Patches { permille: u64, cap: u64 },
    /// Gemini 2: 258 tokens up to 384 px; else, within 3,072 px, squares of the short side ÷ 1.5, held
    /// between 256 and 768 px, 258 each.
    Crops,
    /// A number for each resolution setting, whatever the pixels.
    Fixed { low: u64, high: u64 },
    /// Claude: pixels ÷ 750, after shrinking the long side to `edge` px; at most `cap`.
    Area { edge: u32, cap: u64 },
}

/// Model names by how they begin, first match wins.
const RULES: &[(&str, Rule)] = &[
    // OpenAI's guide to images. gpt-5-mini and -nano have been measured at 1.2
    // and 1.5; the guide says 1.62 and 2.46, and a bound takes the larger.
    ("gpt-4o-mini", Rule::Tiles { base: 2_833, tile: 5_667 }),
    ("gpt-4.1-mini", Rule::Patches { permille: 1_620, cap: 1_536 }),
    ("gpt-4.1-nano", Rule::Patches { permille: 2_460, cap: 1_536 }),
    ("o4-mini", Rule::Patches { permille: 1_720, cap: 1_536 }),
    ("gpt-5-mini", Rule::Patches { permille: 1_620, cap: 1_536 }),
    ("gpt-5-nano", Rule::Patches { permille: 2_460, cap: 1_536 }),
    // Least certain: models after GPT-5 count patches with a larger cap, and 1.2 was measured.
    ("gpt-5.", Rule::Patches { permille: 1_200, cap: 2_500 }),
    ("gpt-5", Rule::Tiles { base: 70, tile: 140 }),
    ("o1", Rule::Tiles { base: 75, tile: 150 }),
    ("o3", Rule::Tiles { base: 75, tile: 150 }),
    ("computer-use-preview", Rule::Tiles { base: 65, tile: 129 }),
    ("gpt-4o", GPT_4O),
    ("gpt-4.", GPT_4O),
    ("gpt-4", GPT_4O),
    ("chatgpt", GPT_4O),
    // Google's guides to tokens and to media resolution.
    ("gemini-1", Rule::Crops),
    ("gemini-2", Rule::Crops),
    ("gemini-flash", Rule::Crops),
    ("gemini", Rule::Fixed { low: 280, high: 1_120 }),
    // Anthropic's guide to vision: 1,568 px and about 1,600 tokens, more pixels since Opus 4.7.
    ("claude-opus-4-7", CLAUDE_LARGE),
    ("claude-opus-4-8", CLAUDE_LARGE),
    ("claude-3", CLAUDE),
    ("claude-opus-4", CLAUDE),
    ("claude-sonnet-4", CLAUDE),
    ("claude-haiku-4", CLAUDE),
    ("claude", CLAUDE_LARGE),
];

const GPT_4O: Rule = Rule::Tiles { base: 85, tile: 170 };
const CLAUDE: Rule = Rule::Area { edge: 1_568, cap: 1_600 };
const CLAUDE_LARGE: Rule = Rule::Area { edge: 2_576, cap: 4_784 };
/// For models that nobody described. Pixels ÷ 750 is also close to the 28 px patches of open models.
const UNKNOWN: Rule = CLAUDE_LARGE;

/// The longest side that a rule without a limit of its own is asked about.
const LONGEST_SIDE: u32 = 8_192;
/// Tokens of one of Gemini's squares.
const CROP_TOKENS: u64 = 258;
/// Gemini shrinks what is longer, which bounds the squares: twelve by two of a narrow image.
const CROP_LONGEST_SIDE: f64 = 3_072.0;
const MOST_CROPS: u64 = 24;

/// Tokens of an image by the model's rule (tiles, patches); `None` dimensions = the rule's most.
/// Always an estimate; see the table for the sources.
pub fn image(model: &str, dimensions: Option<(u32, u32)>, low_detail: bool) -> u64 {
    let name = bare_name(model);
    let row = RULES.iter().find(|(prefix, _)| begins_with(name, prefix));
    let rule = row.map_or(UNKNOWN, |(_, rule)| *rule);
    let dimensions = dimensions.map(|(w, h)| (w.clamp(1, LONGEST_SIDE), h.clamp(1, LONGEST_SIDE)));
    match (rule, dimensions) {
        (Rule::Tiles { base, .. }, _) if low_detail => base,
        (Rule::Tiles { base, tile }, None) => base + 8 * tile,
        (Rule::Tiles { base, tile }, Some(size)) => base + tile * tiles(size),
        (Rule::Patches { permille, cap }, None) => scale(cap, permille),
        (Rule::Patches { permille, cap }, Some(size)) => scale(patches(size, cap), permille),
        (Rule::Crops, None) => CROP_TOKENS * MOST_CROPS,
        (Rule::Crops, Some(size)) => CROP_TOKENS * crops(size),
        (Rule::Fixed { low, high }, _) => {
            if low_detail {
                low
            } else {
                high
            }
        }
        (Rule::Area { cap, .. }, None) => cap,
        (Rule::Area { edge, cap }, Some(size)) => area(size, edge).clamp(1, cap),
    }
}

/// Squares of 512 px after both shrinkings. Small images are not enlarged.
fn tiles((width, height): (u32, u32)) -> u64 {
    let (width, height) = (f64::from(width), f64::from(height));
    let fit = (2_048.0 / width.max(height)).min(1.0);
    let short = width.min(height) * fit;
    let fit = fit * (768.0 / short).min(1.0);
    squares(width * fit, 512.0) * squares(height * fit, 512.0)
}

/// Patches of 32 px. Past the cap the image shrinks to it, and then a little
/// more, so that one of its sides is a whole number of patches.
fn patches((width, height): (u32, u32), cap: u64) -> u64 {
    let (width, height) = (f64::from(width) / 32.0, f64::from(height) / 32.0);
    let all = squares(width, 1.0) * squares(height, 1.0);
    if all <= cap {
        return all;
    }
    let fit = (cap as f64 / (width * height)).sqrt();
    let whole = |side: f64| (side * fit).floor().max(1.0) / (side * fit);
    let fit = fit * whole(width).min(whole(height));
    (squares(width * fit, 1.0) * squares(height * fit, 1.0)).min(cap)
}

fn crops((width, height): (u32, u32)) -> u64 {
    if width <= 384 && height <= 384 {
        return 1;
    }
    let fit = (CROP_LONGEST_SIDE / f64::from(width.max(height))).min(1.0);
    let (width, height) = (f64::from(width) * fit, f64::from(height) * fit);
    let unit = (width.min(height) / 1.5).floor().clamp(256.0, 768.0);
    squares(width, unit) * squares(height, unit)
}

fn area((width, height): (u32, u32), edge: u32) -> u64 {
    let fit = (f64::from(edge) / f64::from(width.max(height))).min(1.0);
    (f64::from(width) * fit * f64::from(height) * fit / 750.0).ceil() as u64
}

/// How many squares cover a length; a whole number that floats made a hair longer is still whole.
fn squares(length: f64, side: f64) -> u64 {
    ((length / side) - 1e-9).ceil().max(1.0) as u64
}

fn scale(count: u64, permille: u64) -> u64 {
    (count * permille).div_ceil(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn published_examples_come_out() {
        for (model, size, low, expected) in [
            ("gpt-4o", (1_024, 1_024), false, 765),
            ("gpt-4o", (2_048, 4_096), false, 1_105),
            ("gpt-4o-2024-11-20", (4_096, 8_192), true, 85),
            ("gpt-4o", (128, 64), false, 255),
            ("openai/gpt-4o-mini", (512, 512), false, 8_500),
            ("gpt-4.1", (1_024, 1_024), false, 765),
            ("gpt-4.1-mini", (1_024, 1_024), false, 1_659),
            ("gpt-4.1-mini", (1_800, 2_400), false, 2_353),
            ("gpt-4.1-nano", (1_024, 1_024), false, 2_520),
            ("o4-mini", (2_048, 768), false, 2_642),
            ("gpt-5", (1_024, 1_024), false, 630),
            ("o3", (1_024, 1_024), false, 675),
            ("gemini-2.5-flash", (384, 384), false, 258),
            ("google/gemini-2.5-pro", (960, 540), false, 6 * 258),
            ("gemini-3-pro", (960, 540), false, 1_120),
            ("claude-sonnet-4-5", (1_000, 1_000), false, 1_334),
            ("claude-3-5-haiku", (8_000, 8_000), false, 1_600),
            ("claude-opus-4-7", (8_000, 8_000), false, 4_784),
        ] {
            assert_eq!(image(model, Some(size), low), expected, "{model} {size:?}");
        }
    }

    #[test]
    fn a_size_from_outside_may_be_anything() {
        for (model, _) in RULES {
            for size in [(0, 0), (u32::MAX, u32::MAX), (1, u32::MAX), (u32::MAX, 1)] {
                let tokens = image(model, Some(size), false);
                assert!((1..50_000).contains(&tokens), "{model} {size:?}: {tokens}");
            }
        }
    }

    proptest! {
        #[test]
        fn an_unknown_size_is_the_rules_most(row in 0..RULES.len(), width in 1_u32..9_000, height in 1_u32..9_000) {
            let model = RULES[row].0;
            prop_assert!(image(model, Some((width, height)), false) <= image(model, None, false));
        }
    }
}
