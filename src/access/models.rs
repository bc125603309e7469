//! Which models a key may name: exact names, and globs in which `*` stands for
//! any text. Compiled once; matching takes no backtracking.

/// Longest pattern; as long as the longest model name.
const MAX_PATTERN_BYTES: usize = 256;

/// Which models a key may use: exact names and `*` globs (`openai/*`). Empty =
/// all. Upper and lower case differ.
#[derive(Clone, Debug, Default)]
pub struct ModelFilter {
    patterns: Vec<String>,
    /// Sorted, for binary search.
    exact: Vec<Box<str>>,
    globs: Vec<Glob>,
}

/// A pattern cut at its stars.
#[derive(Clone, Debug)]
struct Glob {
    first: Box<str>,
    middle: Vec<Box<str>>,
    last: Box<str>,
}

impl ModelFilter {
    /// Compiles the patterns. `*` may stand anywhere and any number of times.
    ///
    /// # Errors
    /// Names the first pattern that is empty, longer than 256 bytes, or holds a
    /// character that no model name can have.
    pub fn new(patterns: Vec<String>) -> Result<Self, String> {
        let (mut exact, mut globs) = (Vec::new(), Vec::new());
        for pattern in &patterns {
            check(pattern)?;
            match Glob::parse(pattern) {
                Some(glob) => globs.push(glob),
                None => exact.push(pattern.as_str().into()),
            }
        }
        exact.sort_unstable();
        Ok(Self { patterns, exact, globs })
    }

    /// May this model be used?
    pub fn allows(&self, model: &str) -> bool {
        self.patterns.is_empty()
            || self.exact.binary_search_by(|name| name.as_ref().cmp(model)).is_ok()
            || self.globs.iter().any(|glob| glob.matches(model))
    }

    /// The patterns as they were written.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }
}

fn check(pattern: &str) -> Result<(), String> {
    if pattern.is_empty() || pattern.len() > MAX_PATTERN_BYTES {
        return Err(format!("a model pattern has 1 to {MAX_PATTERN_BYTES} bytes, got {pattern:?}"));
    }
    if pattern.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\\')) {
        return Err(format!("no model name has blanks, quotes, backslashes or controls: {pattern:?}"));
    }
    Ok(())
}

impl Glob {
    /// `None` when there is no star in it.
    fn parse(pattern: &str) -> Option<Self> {
        let (first, rest) = pattern.split_once('*')?;
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        let middle = middle.split('*').filter(|part| !part.is_empty()).map(Into::into).collect();
        Some(Self { first: first.into(), middle, last: last.into() })
    }

    /// Taking the leftmost place of each part leaves the most room for the
    /// next, so one pass decides and a failed part never needs a second look.
    fn matches(&self, text: &str) -> bool {
        let inside = text.strip_prefix(&*self.first).and_then(|rest| rest.strip_suffix(&*self.last));
        let Some(mut rest) = inside else { return false };
        for part in &self.middle {
            let Some((_, behind)) = rest.split_once(&**part) else { return false };
            rest = behind;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filter(patterns: &[&str]) -> ModelFilter {
        ModelFilter::new(patterns.iter().map(|p| (*p).to_owned()).collect()).unwrap()
    }

    #[test]
    fn an_empty_list_allows_everything() {
        assert!(filter(&[]).allows("openai/gpt-4o"));
        assert!(ModelFilter::default().allows(""));
    }

    #[test]
    fn a_name_without_a_star_is_that_name_only() {
        let filter = filter(&["gpt-4o", "claude"]);
        assert!(filter.allows("gpt-4o") && filter.allows("claude"));
        for other in ["gpt-4o-mini", "GPT-4o", "gpt-4", "openai/gpt-4o", ""] {
            assert!(!filter.allows(other), "{other}");
        }
    }

    #[test]
    fn stars_stand_for_any_text_anywhere() {
        let yes = [
            ("*", ""),
            ("*", "anything"),
            ("openai/*", "openai/gpt-4o"),
            ("openai/*", "openai/"),
            ("*-mini", "gpt-4o-mini"),
            ("openai/*-mini", "openai/gpt-4o-mini"),
            ("*/llama-*-free", "openrouter/llama-3-free"),
            ("a**b", "ab"),
            ("*a*a*", "xaxa"),
            ("ab*ab", "abab"),
        ];
        for (pattern, model) in yes {
            assert!(filter(&[pattern]).allows(model), "{pattern} {model}");
        }
        let no = [("openai/*", "OpenAI/gpt"), ("*-mini", "mini"), ("ab*ba", "aba"), ("*a*a*", "xa")];
        for (pattern, model) in no {
            assert!(!filter(&[pattern]).allows(model), "{pattern} {model}");
        }
    }

    #[test]
    fn other_glob_signs_are_ordinary_characters() {
        assert!(filter(&["m?[a]"]).allows("m?[a]"));
        assert!(!filter(&["m?"]).allows("mx"));
    }

    #[test]
    fn patterns_that_can_match_no_model_are_refused() {
        for bad in ["", " ", "a b", "a\n", "\"x\"", "a\\b", &"x".repeat(257)] {
            assert!(ModelFilter::new(vec![bad.to_owned()]).is_err(), "{bad:?}");
        }
        assert!(ModelFilter::new(vec!["*".repeat(256)]).is_ok());
    }

    /// The textbook definition, exponential on purpose.
    fn slow(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|skip| slow(rest, &text[skip..])),
            Some((c, rest)) => text.split_first().is_some_and(|(t, more)| t == c && slow(rest, more)),
        }
    }

    proptest! {
        #[test]
        fn one_pass_agrees_with_the_definition(pattern in "[ab*é]{1,8}", text in "[abé]{0,10}") {
            let chars = |s: &str| s.chars().collect::<Vec<_>>();
            let expected = slow(&chars(&pattern), &chars(&text));
            prop_assert_eq!(filter(&[&pattern]).allows(&text), expected);
        }
    }
}
