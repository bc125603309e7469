//! A statement for printers: A4, no font in it, no date of making, so that the bytes follow from the statement alone.

mod letters;

use super::Statement;
use letters::{Face, cut, drawable, runs, width};
use pdf_writer::{Content, Pdf, Rect, Ref, Str};

const WIDTH: f32 = 595.0;
const HEIGHT: f32 = 842.0;
const MARGIN: f32 = 56.0;
const LINE: f32 = 14.0;
const SIZE: f32 = 9.0;
const TITLE_SIZE: f32 = 16.0;
/// In points; Courier's letters all have the same width, six tenths of the size.
const LETTER: f32 = 0.6 * SIZE;
/// What fits beside its neighbour.
const LONGEST: usize = 40;

/// One printed line: texts with the column in which they begin, or end.
struct Row {
    cells: Vec<(f32, bool, String)>,
    title: bool,
}

fn row(cells: &[(f32, bool, &str)]) -> Row {
    let cells = cells.iter().map(|(at, right, text)| (*at, *right, shortened(text))).collect();
    Row { cells, title: false }
}

fn title(text: &str) -> Row {
    Row { cells: vec![(MARGIN, false, shortened(text))], title: true }
}

pub(super) fn write(statement: &Statement) -> Vec<u8> {
    let rows = rows(statement);
    let lines_a_page = ((HEIGHT - 2.0 * MARGIN) / LINE) as usize;
    let pages: Vec<&[Row]> = rows.chunks(lines_a_page.max(1)).collect();
    let reference = |n: usize| Ref::new(i32::try_from(n).unwrap_or(i32::MAX));
    let (catalog, tree) = (reference(1), reference(2));
    let page_ids: Vec<Ref> = (0..pages.len()).map(|n| reference(3 + 2 * n)).collect();
    let mut free = 3 + 2 * pages.len();
    let faces: Vec<(Face, usize)> = used(&rows)
        .map(|face| {
            free += face.objects();
            (face, free - face.objects())
        })
        .collect();
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(tree);
    pdf.pages(tree).kids(page_ids.iter().copied()).count(i32::try_from(page_ids.len()).unwrap_or(i32::MAX));
    for (face, first) in &faces {
        face.write(&mut pdf, |n| reference(first + n));
    }
    for (n, rows) in pages.iter().enumerate() {
        let (id, body) = (reference(3 + 2 * n), reference(4 + 2 * n));
        let mut page = pdf.page(id);
        page.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).parent(tree).contents(body);
        let mut resources = page.resources();
        let mut fonts = resources.fonts();
        for (face, first) in &faces {
            fonts.pair(face.name(), reference(*first));
        }
        drop(fonts);
        drop(resources);
        drop(page);
        pdf.stream(body, &drawn(rows, &format!("{} / {}", n + 1, pages.len())));
    }
    pdf.finish()
}

fn drawn(rows: &[Row], foot: &str) -> Vec<u8> {
    let mut content = Content::new();
    let mut write = |size: f32, x: f32, y: f32, text: &str| {
        content.begin_text();
        content.set_text_matrix([1.0, 0.0, 0.0, 1.0, x, y]);
        for (face, bytes) in runs(text) {
            content.set_font(face.name(), size);
            content.show(Str(&bytes));
        }
        content.end_text();
    };
    for (n, row) in rows.iter().enumerate() {
        let y = HEIGHT - MARGIN - LINE * n as f32;
        for (at, right, text) in &row.cells {
            let x = if *right { at - LETTER * width(text) } else { *at };
            write(if row.title { TITLE_SIZE } else { SIZE }, x, y, text);
        }
    }
    write(SIZE, MARGIN, MARGIN / 2.0, foot);
    content.finish().to_vec()
}

fn rows(statement: &Statement) -> Vec<Row> {
    let right = WIDTH - MARGIN;
    let amount = |name: &str, amount: &str| row(&[(MARGIN, false, name), (right, true, amount)]);
    let empty = || row(&[]);
    let mut rows = vec![
        title(&format!("Statement {}", statement.number)),
        empty(),
        amount(statement.tenant.as_str(), &statement.month),
        empty(),
        amount("Opening balance, credits", &statement.opening.to_string()),
    ];
    rows.extend(statement.totals.lines().into_iter().map(|(name, sum)| amount(name, &sum.to_string())));
    rows.push(amount("Closing balance, credits", &statement.closing.to_string()));
    if !statement.entries.is_empty() {
        rows.extend([empty(), title("Entries"), empty()]);
    }
    for entry in &statement.entries {
        let credits = entry.amount.to_string();
        rows.push(row(&[
            (MARGIN, false, &entry.day),
            (MARGIN + 70.0, false, entry.what.title()),
            (MARGIN + 150.0, false, &entry.reason),
            (right, true, &credits),
        ]));
    }
    if !statement.usage.is_empty() {
        rows.extend([empty(), title("Usage"), empty()]);
    }
    for used in &statement.usage {
        let numbers =
            format!("{} requests, {} in, {} out", used.requests, used.input_tokens, used.output_tokens);
        rows.push(row(&[(MARGIN, false, &used.model), (right, true, &used.credits.to_string())]));
        rows.push(row(&[(MARGIN + 20.0, false, &used.by), (MARGIN + 240.0, false, &numbers)]));
    }
    let ledger = &statement.ledger;
    let range = format!("Ledger batches {} to {}", ledger.after.saturating_add(1), ledger.through);
    let (first, second) = ledger.digest.split_at(ledger.digest.len() / 2);
    rows.extend([empty(), row(&[(MARGIN, false, &range)])]);
    rows.extend([row(&[(MARGIN, false, first)]), row(&[(MARGIN, false, second)])]);
    rows
}

/// Fonts that the rows need; the first is always there, for the foot.
fn used(rows: &[Row]) -> impl Iterator<Item = Face> + '_ {
    let needs = |face: Face| {
        let mut texts = rows.iter().flat_map(|row| &row.cells);
        texts.any(|(_, _, text)| runs(text).iter().any(|(one, _)| *one == face))
    };
    Face::ALL.into_iter().filter(move |face| *face == Face::West || needs(*face))
}

/// Letters that can be drawn; what is too long is cut.
fn shortened(text: &str) -> String {
    cut(&drawable(text), LONGEST)
}
