//! What an answer rests on: pages that were searched, and texts that were repeated at length.

use crate::chat::{Citation, Json};
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Grounding {
    grounding_chunks: Vec<Chunk>,
    grounding_supports: Vec<Support>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Chunk {
    web: Option<Page>,
    retrieved_context: Option<Page>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Page {
    uri: Option<String>,
    title: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Support {
    segment: Segment,
    grounding_chunk_indices: Vec<usize>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Segment {
    text: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sources {
    #[serde(alias = "citationSources")]
    citations: Vec<Page>,
}

/// The citations of a candidate; what cannot be read is no reason to lose the answer.
pub(super) fn read(grounding: Option<&Json>, sources: Option<&Json>) -> Vec<Citation> {
    let mut citations = Vec::new();
    if let Some(grounding) = grounding.and_then(|json| json.read::<Grounding>()) {
        for support in &grounding.grounding_supports {
            let chunks = support.grounding_chunk_indices.iter();
            let chunks = chunks.filter_map(|number| grounding.grounding_chunks.get(*number));
            for page in chunks.filter_map(|chunk| chunk.web.as_ref().or(chunk.retrieved_context.as_ref())) {
                citations.push(Citation { quote: support.segment.text.clone(), ..page.clone().citation() });
            }
        }
    }
    let sources = sources.and_then(|json| json.read::<Sources>()).unwrap_or_default();
    citations.extend(sources.citations.into_iter().map(Page::citation));
    citations
}

impl Page {
    fn citation(self) -> Citation {
        Citation { url: self.uri, title: self.title, ..Citation::default() }
    }
}

/// Says where in the text each quote is. The vendor's own numbers count bytes of one part.
pub(super) fn find_quotes(citations: &mut [Citation], text: &str) {
    for citation in citations {
        let Some(quote) = citation.quote.as_deref().filter(|quote| !quote.is_empty()) else { continue };
        let Some((before, _)) = text.split_once(quote) else { continue };
        let start = before.chars().count() as u64;
        citation.span = Some((start, start + quote.chars().count() as u64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_cited_where_the_answer_rests_on_it() {
        let grounding = Json::parse(
            r#"{"groundingChunks":[{"web":{"uri":"https://a","title":"A"}},{}],
                "groundingSupports":[{"segment":{"startIndex":3,"endIndex":9,"text":"the sky"},
                                      "groundingChunkIndices":[0,1,7]}]}"#,
        );
        let sources = Json::parse(r#"{"citationSources":[{"uri":"https://b"}]}"#);
        let mut citations = read(grounding.as_ref(), sources.as_ref());
        find_quotes(&mut citations, "é: the sky");
        let urls: Vec<_> = citations.iter().map(|citation| citation.url.as_deref()).collect();
        assert_eq!(urls, [Some("https://a"), Some("https://b")]);
        assert_eq!((citations[0].span, citations[1].span), (Some((3, 10)), None));
        assert_eq!(read(Json::parse("[1,2,3]").as_ref(), Json::parse("\"x\"").as_ref()), []);
    }
}
