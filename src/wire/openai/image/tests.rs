use super::*;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

fn found(url: &str, more: &str) -> Vec<Option<ImageInput>> {
    let body = format!(
        r#"{{"messages":[{{"content":"text"}},{{"content":[{{"type":"text"}},{{"image_url":{{"url":"{url}"{more}}}}}]}}]}}"#
    );
    let mut all = Vec::new();
    images(body.as_bytes(), &mut |image| all.push(image));
    all
}

/// The beginning of a PNG of that size, and some more bytes.
fn png(width: u32, height: u32, more: usize) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend_from_slice(&width.to_be_bytes());
    bytes.extend_from_slice(&height.to_be_bytes());
    bytes.extend(std::iter::repeat_n(7, more));
    bytes
}

#[test]
fn the_size_is_read_from_the_first_bytes() {
    for more in [8, 9, 10, 2000, 2001, 2002] {
        let url = format!("data:image/png;base64,{}", STANDARD.encode(png(640, 480, more)));
        let expected = ImageInput { width: 640, height: 480, low_detail: false };
        assert_eq!(found(&url, ""), [Some(expected)], "{more}");
    }
    let url = format!("data:image\\/png;base64,{}", STANDARD.encode(png(1, 2, 9)).replace('/', "\\/"));
    assert_eq!(
        found(&url, r#","detail":"low""#),
        [Some(ImageInput { width: 1, height: 2, low_detail: true })]
    );
}

#[test]
fn a_source_of_anthropics_is_an_image() {
    let data = STANDARD.encode(png(640, 480, 9));
    let body =
        |source: &str| format!(r#"{{"messages":[{{"content":[{{"type":"image","source":{source}}}]}}]}}"#);
    let found = |source: &str| {
        let mut all = Vec::new();
        images(body(source).as_bytes(), &mut |image| all.push(image));
        all
    };
    let expected = ImageInput { width: 640, height: 480, low_detail: false };
    assert_eq!(
        found(&format!(r#"{{"type":"base64","media_type":"image/png","data":"{data}"}}"#)),
        [Some(expected)]
    );
    assert_eq!(found(r#"{"type":"url","url":"https://example.com/a.png"}"#), [None]);
}

#[test]
fn an_image_whose_size_is_not_here_is_still_an_image() {
    for url in [
        "https://example.com/a.png",
        "data:image/png;base64,AAAA",
        "data:image/png;base64,***",
        "data:,x",
        "",
    ] {
        assert_eq!(found(url, ""), [None], "{url}");
    }
}

proptest! {
    #[test]
    fn arbitrary_urls_never_panic(url in "data:image/png;base64,[A-Za-z0-9+/=\\PC]{0,60}") {
        let quoted = crate::wire::json::quote(&url);
        let inner = std::str::from_utf8(&quoted[1..quoted.len() - 1]).unwrap();
        prop_assert_eq!(found(inner, "").len(), 1);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        images(&bytes, &mut |_| {});
    }
}
