use super::*;
use std::collections::HashSet;

#[test]
fn rows_are_complete_and_names_unique() {
    let mut seen = HashSet::new();
    for row in VENDORS {
        assert!(seen.insert(row.name), "{} twice", row.name);
        assert!(!row.title.is_empty());
        assert!(row.path(Op::Chat).is_some(), "{}", row.name);
        assert!(row.base_url.is_empty() || row.base_url.starts_with("http"), "{}", row.name);
        assert!(!row.base_url.ends_with('/'), "{}", row.name);
        let ops: HashSet<_> = row.serves.iter().map(|(op, _)| op).collect();
        assert_eq!(ops.len(), row.serves.len(), "{}", row.name);
        assert!(row.serves.iter().all(|(_, path)| path.starts_with('/')));
    }
}

#[test]
fn every_vendor_of_the_design_has_a_row() {
    for name in [
        "openai",
        "anthropic",
        "bedrock",
        "gemini",
        "deepseek",
        "ollama",
        "openrouter",
        "xai",
        "doubao",
        "poe",
    ] {
        assert!(vendor(name).is_some(), "{name}");
    }
    assert!(vendor("OpenAI").is_none());
}

#[test]
fn only_the_simulator_needs_no_network() {
    let simulated: Vec<_> = VENDORS.iter().filter(|v| v.simulated).map(|v| v.name).collect();
    assert_eq!(simulated, ["simulator"]);
}

#[test]
fn every_vendor_with_a_network_can_be_tried() {
    for row in VENDORS {
        let path = match row.trial {
            Trial::Ask(path) | Trial::AskHost(path) => path,
            Trial::OneToken(_) => row.path(Op::Chat).unwrap(),
            Trial::None => "/",
        };
        assert!(path.starts_with('/'), "{}", row.name);
        assert_eq!(row.trial == Trial::None, row.simulated, "{}", row.name);
    }
}

#[test]
fn a_vendor_without_embeddings_has_no_path_for_them() {
    assert_eq!(vendor("poe").unwrap().path(Op::Embedding), None);
    assert_eq!(vendor("openai").unwrap().path(Op::Embedding), Some("/embeddings"));
}
