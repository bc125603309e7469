//! Where a text may be cut without changing its count, and how long a slice
//! may be so that a hostile text cannot overrun the budget by much.

use std::time::Duration;

/// Bytes of the first slice. The slowest texts take about 2 µs a byte, so this
/// is about a millisecond at worst.
pub(super) const SMALLEST: usize = 512;
/// Bytes of the longest slice.
const LARGEST: usize = 64 * 1024;

/// The next slice's size: what a quarter of the time left is enough for, at the pace so far.
pub(super) fn next_size(counted_bytes: usize, spent: Duration, budget: Duration) -> usize {
    let left = budget.saturating_sub(spent).as_nanos() / 4;
    let size = counted_bytes as u128 * left / spent.as_nanos().max(1);
    usize::try_from(size).unwrap_or(LARGEST).clamp(SMALLEST, LARGEST)
}

/// How many bytes of the text the next slice takes: at most about `size`, at
/// least one character, and the whole text when it is short enough.
pub(super) fn cut(text: &str, size: usize) -> usize {
    if text.len() <= size {
        return text.len();
    }
    let limit = text.ceil_char_boundary(size);
    // The character after the limit decides too, whether the limit itself is a good place.
    let window_end = text.ceil_char_boundary(limit + 1);
    let window_start = text.floor_char_boundary(limit.saturating_sub(SMALLEST));
    let window = text.get(window_start..window_end).unwrap_or_default();
    let mut after: Option<(usize, char)> = None;
    for (at, character) in window.char_indices().rev() {
        if let Some((place, next)) = after
            && ends_word(character)
            && begins_piece(next)
        {
            return window_start + place;
        }
        after = Some((at, character));
    }
    limit
}

/// Letters and digits after which nothing but more of them, a combining mark
/// or an apostrophe can belong to the same piece. ASCII and the scripts that
/// are common and free of marks; anything else is no place to cut.
fn ends_word(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || matches!(character,
            'à'..='ö' | 'ø'..='ÿ' | 'а'..='я' | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '一'..='鿿' | '가'..='힣')
}

/// Characters that both vocabularies split off from a letter or digit before
/// them. The apostrophe is not one: `it's` may be two pieces or one.
fn begins_piece(character: char) -> bool {
    (character.is_ascii() && !character.is_ascii_alphanumeric() && character != '\'')
        || matches!(character, '、' | '。' | '「' | '」' | '，' | '！' | '？' | '：' | '；' | '（' | '）')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_falls_between_a_word_and_what_follows() {
        let text = "word ".repeat(400);
        let at = cut(&text, 1_000);
        assert_eq!(at, 999);
        assert!(text[at..].starts_with(' '));
    }

    #[test]
    fn an_apostrophe_is_no_place_to_cut() {
        let text = "it's".repeat(400);
        assert_eq!(cut(&text, 1_000), 1_000);
    }

    #[test]
    fn a_text_without_places_is_cut_between_characters() {
        let text = "é".repeat(2_000);
        let at = cut(&text, 1_001);
        assert_eq!(at, 1_002);
        assert!(text.is_char_boundary(at));
    }

    #[test]
    fn a_short_text_is_one_slice() {
        assert_eq!(cut("short", 512), 5);
        assert_eq!(cut("", 512), 0);
    }

    #[test]
    fn slices_shrink_and_grow_with_the_pace() {
        let budget = Duration::from_millis(2);
        assert_eq!(next_size(512, Duration::from_micros(1), budget), LARGEST);
        assert_eq!(next_size(512, Duration::from_micros(1_100), budget), SMALLEST);
        assert_eq!(next_size(512, budget, budget), SMALLEST);
    }
}
