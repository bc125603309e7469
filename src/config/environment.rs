//! The environment, read once. Only `config` looks at it.

use std::collections::HashMap;
use std::fmt;

/// Environment variables at one moment. `Debug` shows no values: they are secrets.
#[derive(Clone, Default)]
pub struct Environment(HashMap<String, String>);

impl Environment {
    /// The process's own. Variables that are not UTF-8 are left out.
    pub fn capture() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    /// Made up, for tests and tools.
    pub fn of<const N: usize>(variables: [(&str, &str); N]) -> Self {
        Self(variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }

    /// The value, without white space around it; `None` also when it is empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|v| v.trim()).filter(|v| !v.is_empty())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({} variables)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_counts_as_missing_and_values_are_not_shown() {
        let environment = Environment::of([("A", " x\n"), ("B", " ")]);
        assert_eq!(environment.get("A"), Some("x"));
        assert_eq!(environment.get("B"), None);
        assert_eq!(format!("{environment:?}"), "Environment(2 variables)");
    }
}
