//! The prices that come with the hub.

use super::{Price, PriceTable};

const FILE: &str = "conf/prices.toml";
const TEXT: &str = include_str!("../../conf/prices.toml");

impl PriceTable {
    /// Public list prices of known vendors, and of the simulator. Prices of
    /// the configuration are to be added behind them.
    ///
    /// # Errors
    /// The problems of the built-in file, of which a test says there are none.
    pub fn built_in() -> Result<Vec<Price>, Vec<String>> {
        Self::parse_toml(FILE, TEXT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Pico, Usage, Wall};

    const NOW: Wall = Wall(1_795_132_800_000_000);

    fn cost(provider: &str, model: &str, usage: Usage) -> Pico {
        let table = PriceTable::new(PriceTable::built_in().unwrap());
        let price = table.find(provider, provider, model, NOW).unwrap();
        price.charge(&usage).cost
    }

    #[test]
    fn the_file_is_sound_and_small() {
        let rows = PriceTable::built_in().unwrap();
        assert!(TEXT.len() < 300_000);
        let table = PriceTable::new(rows.clone());
        assert_eq!(table.len(), rows.len(), "no two rows are the same");
        for provider in ["simulator", "openai", "deepseek", "xai", "doubao", "anthropic", "bedrock", "gemini"]
        {
            assert!(rows.iter().any(|row| &*row.provider == provider), "{provider}");
        }
    }

    #[test]
    fn known_requests_cost_what_the_vendors_pages_say() {
        let tokens = Usage { input: 1_000, cache_read: 1_000, output: 1_000, ..Usage::default() };
        assert_eq!(cost("openai", "gpt-4o", tokens).to_string(), "0.01375");
        assert_eq!(cost("deepseek", "deepseek-chat", tokens).to_string(), "0.000728");
        let minute = Usage { milliseconds: 60_000, ..Usage::default() };
        assert_eq!(cost("openai", "whisper-1", minute).to_string(), "0.006");
        let spoken = Usage { characters: 1_000, ..Usage::default() };
        assert_eq!(cost("openai", "tts-1", spoken).to_string(), "0.015");
        let long = Usage { input: 200_001, ..Usage::default() };
        assert_eq!(cost("gemini", "gemini-2.5-pro", long).to_string(), "0.5000025");
        let written = Usage { cache_write_5m: 1_000, cache_write_1h: 1_000, ..Usage::default() };
        assert_eq!(cost("anthropic", "claude-sonnet-4-5", written).to_string(), "0.00975");
    }

    #[test]
    fn whatever_the_simulator_plays_has_a_price() {
        let usage = Usage { input: 1, output: 1, ..Usage::default() };
        assert_eq!(cost("simulator", "any/model", usage), Pico(12_500_000));
    }
}
