//! Guards the shape of the code: who may import whom, where foreign crates
//! stay, and what never enters the tree. Reads text, not syntax; comments and
//! strings are taken out first, so that speaking of a thing is no use of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The most lines a file may have.
const MAX_LINES: usize = 500;

/// Crates that stay in a few places: name, and the prefixes below `src/` that may name them.
const KEPT_IN: &[(&str, &[&str])] = &[
    ("pingora", &["proxy/", "server.rs", "server/"]),
    ("pingora_proxy", &["proxy/", "server.rs", "server/"]),
    ("pingora_limits", &["proxy/", "server.rs", "server/"]),
    ("sled", &["store/", "store.rs"]),
    ("rusqlite", &["store/"]),
    ("anyhow", &["main.rs"]),
];

/// What no source file contains.
const NEVER_IN_SRC: &[&str] = &["todo!", "unimplemented!", "dbg!", "#[ignore"];
/// What no test contains either.
const NEVER_IN_TESTS: &[&str] = &["todo!", "unimplemented!", "dbg!", "#[ignore", "sleep("];

/// One file and its text.
struct File {
    /// Relative to the root it was found under, with `/`.
    path: String,
    text: String,
}

impl File {
    /// The module of the crate's root that the file belongs to.
    fn module(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }
}

/// Row of each module, from the numbered comments of `src/lib.rs`.
fn layers(lib: &str) -> BTreeMap<String, u32> {
    let mut row = 0;
    let mut layers = BTreeMap::new();
    for line in lib.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("// ") {
            let digits: String = comment.chars().take_while(char::is_ascii_digit).collect();
            row = digits.parse().unwrap_or(row);
        }
        let declared = line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("mod "));
        if let Some(name) = declared.and_then(|rest| rest.strip_suffix(';')) {
            layers.insert(name.to_owned(), row);
        }
    }
    layers
}

/// The crate's modules that a text names: `crate::a`, `crate::{a::b, c}` and the same by the crate's own name.
fn imports(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for root in ["crate::", "aigne_hub::"] {
        for (at, _) in code.match_indices(root) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
                continue;
            }
            let rest = &code[at + root.len()..];
            match rest.strip_prefix('{') {
                Some(group) => names.extend(heads(group)),
                None => names.push(identifier(rest)),
            }
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// The first name of each member of a `{…}` group, which `text` is the inside of.
fn heads(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut depth, mut expected) = (0, true);
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expected = true,
            c if expected && !c.is_whitespace() => {
                names.push(identifier(&text[at..]));
                expected = false;
            }
            _ => {}
        }
    }
    names
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The code without comments, strings and characters; line ends stay.
fn code(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => quoted(rest),
            'r' if !out.ends_with(|c: char| c.is_alphanumeric() || c == '_') => raw(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if skipped == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        out.extend(rest[..skipped].chars().filter(|&c| c == '\n'));
        rest = &rest[skipped..];
    }
    out
}

/// Length of the string literal at the start.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of the raw string at the start; 0 when there is none.
fn raw(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|&c| c == '#').count();
    let opening = 1 + hashes;
    if !text[opening..].starts_with('"') {
        return 0;
    }
    let closing = format!("\"{}", "#".repeat(hashes));
    text[opening + 1..].find(&closing).map_or(text.len(), |end| opening + 1 + end + closing.len())
}

/// Length of the character literal at the start; 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next(), chars.next()) {
        (Some((_, '\\')), Some(_), _) => text[3..].find('\'').map_or(0, |end| end + 4),
        (Some((_, _)), Some((at, '\'')), _) => at + 1,
        _ => 0,
    }
}

/// Everything that is wrong with the layers of these files.
fn layer_faults(layers: &BTreeMap<String, u32>, files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        let own = file.module();
        let Some(row) = layers.get(own) else {
            if !["lib", "main"].contains(&own) {
                faults.push(format!("{}: `{own}` has no row in src/lib.rs", file.path));
            }
            continue;
        };
        for name in imports(&code(&file.text)) {
            match layers.get(&name) {
                Some(other) if name != own && other > row => {
                    faults.push(format!("{}: `{own}` (row {row}) imports `{name}` (row {other})", file.path));
                }
                Some(other) if name != own && other == row => {
                    faults.push(format!("{}: `{own}` imports `{name}` of its own row", file.path));
                }
                _ => {}
            }
        }
    }
    faults
}

/// Foreign crates outside of the place that keeps them.
fn crate_faults(files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        let code = code(&file.text);
        for (name, places) in KEPT_IN {
            let allowed = places.iter().any(|place| file.path.starts_with(place));
            let path = format!("{name}::");
            let named = code
                .match_indices(&path)
                .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'));
            if named && !allowed {
                faults.push(format!("{}: names `{name}`, which stays in {places:?}", file.path));
            }
        }
    }
    faults
}

/// Words that never enter the tree, and files that grew too long.
fn word_faults(files: &[File], never: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        let lines = file.text.lines().count();
        if lines > MAX_LINES {
            faults.push(format!("{}: {lines} lines, at most {MAX_LINES}", file.path));
        }
        let code = code(&file.text);
        for (number, line) in code.lines().enumerate() {
            for word in never.iter().filter(|word| line.contains(**word)) {
                faults.push(format!("{}:{}: `{word}`", file.path, number + 1));
            }
        }
    }
    faults
}

/// All Rust files below a folder of the repository.
fn files(folder: &str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    let mut waiting = vec![root.clone()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "node_modules") {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
                found.push(File { path: relative, text: std::fs::read_to_string(&path).unwrap() });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no Rust files below {folder}");
    found
}

#[track_caller]
fn none(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn source_layers() -> BTreeMap<String, u32> {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    layers(&std::fs::read_to_string(lib).unwrap())
}

#[test]
fn lower_layers_never_import_higher_ones_nor_their_own_row() {
    none(&layer_faults(&source_layers(), &files("src")));
}

#[test]
fn foreign_crates_stay_where_they_belong() {
    none(&crate_faults(&files("src")));
}

#[test]
fn files_stay_short_and_free_of_loose_ends() {
    none(&word_faults(&files("src"), NEVER_IN_SRC));
    none(&word_faults(&files("tests"), NEVER_IN_TESTS));
}

/// The checks find what they are for: each planted text breaks one of them.
mod planted {
    use super::*;

    fn file(path: &str, text: &str) -> [File; 1] {
        [File { path: path.to_owned(), text: text.to_owned() }]
    }

    fn rows() -> BTreeMap<String, u32> {
        layers("// 1\npub mod types;\n// 3: dialects\npub mod wire;\npub mod chat;\n// 8\npub mod proxy;\n")
    }

    #[test]
    fn rows_come_from_the_numbered_comments() {
        let rows = rows();
        assert_eq!((rows["types"], rows["wire"], rows["chat"], rows["proxy"]), (1, 3, 3, 8));
        assert!(source_layers().len() > 10);
    }

    #[test]
    fn an_import_upwards_is_found_in_every_form() {
        for text in [
            "use crate::proxy::Relay;",
            "use crate::{types::Op, proxy::{Relay, Intake}};",
            "use crate::{\n    types,\n    proxy,\n};",
            "fn f() { crate::proxy::run() }",
            "use aigne_hub::proxy;",
        ] {
            assert_eq!(layer_faults(&rows(), &file("wire/sse.rs", text)).len(), 1, "{text}");
        }
    }

    #[test]
    fn an_import_of_a_sibling_is_found_and_one_of_itself_is_not() {
        assert_eq!(layer_faults(&rows(), &file("wire.rs", "use crate::chat::Event;")).len(), 1);
        none(&layer_faults(&rows(), &file("wire/mod.rs", "use crate::wire::sse; use crate::types::Op;")));
        none(&layer_faults(&rows(), &file("proxy/relay.rs", "use crate::{chat, types::{Op, Usage}, wire};")));
    }

    #[test]
    fn a_module_without_a_row_is_found() {
        assert_eq!(layer_faults(&rows(), &file("extra.rs", "")).len(), 1);
    }

    #[test]
    fn a_foreign_crate_out_of_place_is_found() {
        assert_eq!(crate_faults(&file("limit/mod.rs", "use pingora::Error;")).len(), 1);
        assert_eq!(crate_faults(&file("ledger/mod.rs", "let x = sled::open(p);")).len(), 1);
        none(&crate_faults(&file("proxy/mod.rs", "use pingora::Error;")));
        none(&crate_faults(&file("store/mod.rs", "use sled::Tree; // not pingora::Error")));
    }

    #[test]
    fn loose_ends_and_long_files_are_found() {
        for word in NEVER_IN_SRC {
            assert_eq!(word_faults(&file("a.rs", &format!("fn f() {{ {word} }}")), NEVER_IN_SRC).len(), 1);
        }
        assert_eq!(word_faults(&file("a.rs", &"\n".repeat(MAX_LINES + 1)), &[]).len(), 1);
        none(&word_faults(&file("a.rs", &"\n".repeat(MAX_LINES)), &[]));
    }

    #[test]
    fn comments_strings_and_characters_are_no_code() {
        let text = "// todo!\n/* dbg!() */ let a = \"todo! \\\" dbg!\"; let b = r#\"dbg! \" todo!\"#;\n\
                    let c = '\"'; let d = '\\''; fn e<'a>(f: &'a str) {} // \"\ntodo!()";
        assert_eq!(word_faults(&file("a.rs", text), NEVER_IN_SRC), ["a.rs:4: `todo!`"]);
    }
}
