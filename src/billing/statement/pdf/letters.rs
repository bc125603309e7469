//! Which letter is drawn from which font. No font is in the document: Latin
//! letters are those of Courier, which every reader has; Chinese, Japanese,
//! Korean, Greek and Cyrillic ones come from the reader's own fonts, by the
//! collections that the format names for it. A letter of another script is
//! written as its number, so that nothing becomes another name.

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo};
use pdf_writer::{Name, Pdf, Rect, Ref, Str};

/// A font of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Face {
    /// Courier with the letters of western Europe.
    West,
    /// Courier with the other Latin letters that it has everywhere.
    Latin,
    /// Han and kana, Greek and Cyrillic.
    Han,
    /// Hangul.
    Hangul,
}

/// The part of Windows-1252 that is not Latin-1, from 0x80 on; a space where there is nothing.
const WINDOWS: &str = "€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ";

/// Letters of Courier beyond Windows-1252 and their names, in the order of their codes.
const LATIN: [(char, &str); 78] = [
    ('Ă', "Abreve"),
    ('Ā', "Amacron"),
    ('Ą', "Aogonek"),
    ('Ć', "Cacute"),
    ('Č', "Ccaron"),
    ('Ď', "Dcaron"),
    ('Đ', "Dcroat"),
    ('Ě', "Ecaron"),
    ('Ė', "Edotaccent"),
    ('Ē', "Emacron"),
    ('Ę', "Eogonek"),
    ('Ğ', "Gbreve"),
    ('Ģ', "Gcommaaccent"),
    ('İ', "Idotaccent"),
    ('Ī', "Imacron"),
    ('Į', "Iogonek"),
    ('Ķ', "Kcommaaccent"),
    ('Ĺ', "Lacute"),
    ('Ľ', "Lcaron"),
    ('Ļ', "Lcommaaccent"),
    ('Ł', "Lslash"),
    ('Ń', "Nacute"),
    ('Ň', "Ncaron"),
    ('Ņ', "Ncommaaccent"),
    ('Ő', "Ohungarumlaut"),
    ('Ō', "Omacron"),
    ('Ŕ', "Racute"),
    ('Ř', "Rcaron"),
    ('Ś', "Sacute"),
    ('Ş', "Scedilla"),
    ('Ș', "Scommaaccent"),
    ('Ť', "Tcaron"),
    ('Ț', "Tcommaaccent"),
    ('Ű', "Uhungarumlaut"),
    ('Ū', "Umacron"),
    ('Ų', "Uogonek"),
    ('Ů', "Uring"),
    ('Ź', "Zacute"),
    ('Ż', "Zdotaccent"),
    ('ă', "abreve"),
    ('ā', "amacron"),
    ('ą', "aogonek"),
    ('ć', "cacute"),
    ('č', "ccaron"),
    ('ď', "dcaron"),
    ('đ', "dcroat"),
    ('ı', "dotlessi"),
    ('ě', "ecaron"),
    ('ė', "edotaccent"),
    ('ē', "emacron"),
    ('ę', "eogonek"),
    ('ğ', "gbreve"),
    ('ģ', "gcommaaccent"),
    ('ī', "imacron"),
    ('į', "iogonek"),
    ('ķ', "kcommaaccent"),
    ('ĺ', "lacute"),
    ('ľ', "lcaron"),
    ('ļ', "lcommaaccent"),
    ('ł', "lslash"),
    ('ń', "nacute"),
    ('ň', "ncaron"),
    ('ņ', "ncommaaccent"),
    ('ő', "ohungarumlaut"),
    ('ō', "omacron"),
    ('ŕ', "racute"),
    ('ř', "rcaron"),
    ('ś', "sacute"),
    ('ş', "scedilla"),
    ('ș', "scommaaccent"),
    ('ť', "tcaron"),
    ('ț', "tcommaaccent"),
    ('ű', "uhungarumlaut"),
    ('ū', "umacron"),
    ('ų', "uogonek"),
    ('ů', "uring"),
    ('ź', "zacute"),
    ('ż', "zdotaccent"),
];
/// The code of the first of them.
const FIRST_CODE: u8 = 0x21;

/// A letter of Courier is six tenths as wide as it is high, one of the others as wide as high.
const WIDE: f32 = 1.0 / 0.6;

impl Face {
    pub(super) const ALL: [Face; 4] = [Face::West, Face::Latin, Face::Han, Face::Hangul];

    /// Its name in the pages' resources.
    pub(super) fn name(self) -> Name<'static> {
        match self {
            Face::West => Name(b"F"),
            Face::Latin => Name(b"L"),
            Face::Han => Name(b"H"),
            Face::Hangul => Name(b"K"),
        }
    }

    /// Objects that it takes.
    pub(super) fn objects(self) -> usize {
        match self {
            Face::West | Face::Latin => 1,
            Face::Han | Face::Hangul => 3,
        }
    }

    /// Writes the font; `object` gives its objects.
    pub(super) fn write(self, pdf: &mut Pdf, object: impl Fn(usize) -> Ref) {
        match self {
            Face::West => {
                let mut font = pdf.type1_font(object(0));
                font.base_font(Name(b"Courier")).encoding_predefined(Name(b"WinAnsiEncoding"));
            }
            Face::Latin => {
                let mut font = pdf.type1_font(object(0));
                font.base_font(Name(b"Courier"));
                let names = LATIN.iter().map(|(_, name)| Name(name.as_bytes()));
                font.encoding_custom().differences().consecutive(FIRST_CODE, names);
            }
            Face::Han => collection(pdf, object, (b"STSong-Light", b"UniGB-UTF16-H", b"GB1", 4)),
            Face::Hangul => collection(pdf, object, (b"HYSMyeongJo-Medium", b"UniKS-UTF16-H", b"Korea1", 1)),
        }
    }
}

/// A font of the reader's, by a collection of letters.
fn collection(
    pdf: &mut Pdf,
    object: impl Fn(usize) -> Ref,
    (name, encoding, ordering, supplement): (&[u8], &[u8], &[u8], i32),
) {
    let (name, [whole, letters, looks]) = (Name(name), [0, 1, 2].map(object));
    pdf.type0_font(whole).base_font(name).encoding_predefined(Name(encoding)).descendant_font(letters);
    let mut font = pdf.cid_font(letters);
    let info = SystemInfo { registry: Str(b"Adobe"), ordering: Str(ordering), supplement };
    font.subtype(CidFontType::Type0).base_font(name).system_info(info);
    font.font_descriptor(looks).default_width(1000.0);
    drop(font);
    let mut font = pdf.font_descriptor(looks);
    font.name(name)
        .flags(FontFlags::SYMBOLIC | FontFlags::SERIF)
        .bbox(Rect::new(-25.0, -254.0, 1000.0, 880.0));
    font.italic_angle(0.0).ascent(880.0).descent(-120.0).cap_height(880.0).stem_v(93.0);
}

/// The font of a letter, and its bytes there; `None`: no font has it.
fn drawn(letter: char) -> Option<(Face, Vec<u8>)> {
    let code = u32::from(letter);
    if let (0x20..=0x7e | 0xa0..=0xff, Ok(byte)) = (code, u8::try_from(code)) {
        return Some((Face::West, vec![byte]));
    }
    if let Some(byte) = (0x80_u8..).zip(WINDOWS.chars()).find(|(_, known)| *known == letter) {
        return Some((Face::West, vec![byte.0]));
    }
    if let Some(byte) = (FIRST_CODE..).zip(LATIN.iter()).find(|(_, (known, _))| *known == letter) {
        return Some((Face::Latin, vec![byte.0]));
    }
    let face = match code {
        0x0391..=0x03a1 | 0x03a3..=0x03a9 | 0x03b1..=0x03c1 | 0x03c3..=0x03c9 => Face::Han,
        0x0401 | 0x0410..=0x044f | 0x0451 => Face::Han,
        0x3001..=0x3017 | 0x3041..=0x3093 | 0x30a1..=0x30f6 | 0x30fc..=0x30fe => Face::Han,
        0x3400..=0x4db5 | 0x4e00..=0x9fa5 | 0xff01..=0xff5e => Face::Han,
        0x3131..=0x318e | 0xac00..=0xd7a3 => Face::Hangul,
        _ => return None,
    };
    let mut units = [0; 2];
    Some((face, letter.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_be_bytes()).collect()))
}

/// Text of which every letter can be drawn. What no font has is written as its number; control
/// characters are spaces.
pub(super) fn drawable(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            _ if letter.is_control() => plain.push(' '),
            _ if drawn(letter).is_some() => plain.push(letter),
            _ => plain.push_str(&format!("<U+{:04X}>", u32::from(letter))),
        }
    }
    plain
}

/// How wide a text is, in letters of Courier.
pub(super) fn width(text: &str) -> f32 {
    text.chars().map(wide).sum()
}

fn wide(letter: char) -> f32 {
    match drawn(letter) {
        Some((Face::Han | Face::Hangul, _)) => WIDE,
        _ => 1.0,
    }
}

/// A text cut so that it is at most so many letters of Courier wide.
pub(super) fn cut(text: &str, most: usize) -> String {
    let most = most as f32;
    if width(text) <= most {
        return text.to_owned();
    }
    let (mut kept, mut room) = (String::new(), most - 3.0);
    for letter in text.chars() {
        room -= wide(letter);
        if room < 0.0 {
            break;
        }
        kept.push(letter);
    }
    kept + "..."
}

/// Parts of a text with the font of each.
pub(super) fn runs(text: &str) -> Vec<(Face, Vec<u8>)> {
    let mut runs: Vec<(Face, Vec<u8>)> = Vec::new();
    for (face, bytes) in text.chars().filter_map(drawn) {
        match runs.last_mut() {
            Some((last, known)) if *last == face => known.extend(bytes),
            _ => runs.push((face, bytes)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_many_scripts_are_drawn_and_the_others_are_numbers() {
        for name in [
            "Zoë Müller",
            "Łukasz Żółć",
            "Şükrü İğdır",
            "Ωμεγα",
            "Борис Ёлкин",
            "王小明",
            "さくら カード",
            "김민준",
            "5 €",
        ] {
            assert_eq!(drawable(name), name);
            let bytes: usize = runs(name).iter().map(|(_, bytes)| bytes.len()).sum();
            assert!(bytes >= name.chars().count(), "{name}");
        }
        assert_eq!(drawable("سلام"), "<U+0633><U+0644><U+0627><U+0645>");
        assert_eq!(drawable("a\nb"), "a b");
    }

    #[test]
    fn each_letter_has_one_code() {
        assert_eq!(runs("ÿŸ€"), [(Face::West, vec![0xff, 0x9f, 0x80])]);
        assert_eq!(
            runs("Ăaż"),
            [(Face::Latin, vec![0x21]), (Face::West, vec![b'a']), (Face::Latin, vec![0x6e])]
        );
        assert_eq!(runs("中文"), [(Face::Han, vec![0x4e, 0x2d, 0x65, 0x87])]);
        assert_eq!(runs("한"), [(Face::Hangul, vec![0xd5, 0x5c])]);
    }

    #[test]
    fn a_text_is_cut_by_how_wide_it_is() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abc...");
        assert_eq!(cut("中文中文中文", 6), "中...");
    }
}
