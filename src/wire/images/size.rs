//! How large a picture is to be.

/// A wished size.
#[derive(Clone, Debug, PartialEq)]
pub enum Size {
    /// As the model sees fit.
    Auto,
    /// Pixels across and down, neither of them 0.
    Pixels(u32, u32),
    /// A class of sizes: `1K`, `2K`, `4K`.
    Named(String),
    /// Only the shape: `16:9`.
    Ratio(String),
}

impl Size {
    /// Reads a size; `None`: it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("auto") || text.eq_ignore_ascii_case("adaptive") {
            return Some(Size::Auto);
        }
        let pair = |mark: char| text.split_once(mark).and_then(|(a, b)| Some((number(a)?, number(b)?)));
        if let Some((across, down)) = pair('x').or_else(|| pair('X')) {
            return Some(Size::Pixels(across, down));
        }
        if pair(':').is_some() {
            return Some(Size::Ratio(text.to_owned()));
        }
        let class = text.to_ascii_uppercase();
        let named = class.strip_suffix('K').and_then(number).is_some();
        named.then_some(Size::Named(class))
    }

    /// The longer side in pixels, where the size says.
    pub fn longer_side(&self) -> Option<u32> {
        match self {
            Size::Pixels(across, down) => Some(*across.max(down)),
            Size::Named(class) => number(class.strip_suffix('K')?)?.checked_mul(1024),
            Size::Auto | Size::Ratio(_) => None,
        }
    }
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| (1..=65_536).contains(number))
}

/// The ratio, written `a:b`, that comes nearest to a size. The first one where there is none.
pub fn nearest(across: u32, down: u32, known: &[&'static str]) -> &'static str {
    let wished = (f64::from(across) / f64::from(down.max(1))).ln();
    let distance = |ratio: &str| {
        let (a, b) = ratio.split_once(':').unwrap_or(("1", "1"));
        let (a, b): (f64, f64) = (a.parse().unwrap_or(1.0), b.parse().unwrap_or(1.0));
        ((a / b).ln() - wished).abs()
    };
    let nearer = |a: &&&'static str, b: &&&'static str| distance(a).total_cmp(&distance(b));
    known.iter().min_by(nearer).copied().unwrap_or("1:1")
}
