//! Keeping a document within its budget: blocks are filled by need and written in order, rows are
//! cut on row boundaries, and what was left out is counted.

/// A part of the document.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// What it is called when it has to be left out whole.
    pub name: &'static str,
    /// The lower, the earlier it gets its share of the budget.
    pub need: u8,
    /// Before the rows.
    pub opening: String,
    /// The rows, each with its line break.
    pub rows: Vec<Row>,
    /// After the rows.
    pub closing: String,
}

/// A row of a block.
#[derive(Debug)]
pub(super) struct Row {
    /// Its text.
    pub text: String,
    /// Rows that matter are kept before the others.
    pub matters: bool,
}

/// Room for the line that counts what a block left out.
const COUNT_LINE: usize = 120;
/// Room for the line that names the blocks left out.
const NAMES_LINE: usize = 200;

/// Writes the blocks in their order within `budget` bytes.
pub(super) fn fit(blocks: &[Block], budget: usize) -> String {
    let mut left = budget.saturating_sub(NAMES_LINE);
    let mut written: Vec<Option<String>> = vec![None; blocks.len()];
    let mut order: Vec<usize> = (0..blocks.len()).collect();
    order.sort_by_key(|&i| blocks[i].need);
    for i in order {
        if let Some(text) = write(&blocks[i], left) {
            // One more for the empty line between blocks.
            left = left.saturating_sub(text.len() + 1);
            written[i] = Some(text);
        }
    }
    let missing: Vec<&str> = blocks
        .iter()
        .zip(&written)
        .filter(|(_, text)| text.is_none())
        .map(|(block, _)| block.name)
        .collect();
    let mut out = written.into_iter().flatten().collect::<Vec<_>>().join("\n");
    if !missing.is_empty() {
        out.push_str(&format!(
            "\n_Left out for size: {}. verdict.json has everything._\n",
            missing.join(", ")
        ));
    }
    out
}

/// A block within `room` bytes; `None` when not even one of its rows fits.
fn write(block: &Block, room: usize) -> Option<String> {
    let frame = block.opening.len() + block.closing.len();
    let all: usize = block.rows.iter().map(|r| r.text.len()).sum();
    if frame + all < room {
        let rows: String = block.rows.iter().map(|r| r.text.as_str()).collect();
        return Some(format!("{}{rows}{}", block.opening, block.closing));
    }
    let mut left = room.checked_sub(frame + COUNT_LINE)?;
    let mut keep = vec![false; block.rows.len()];
    'fill: for matters in [true, false] {
        for (kept, row) in keep.iter_mut().zip(&block.rows) {
            if row.matters == matters {
                let Some(rest) = left.checked_sub(row.text.len()) else {
                    break 'fill;
                };
                left = rest;
                *kept = true;
            }
        }
    }
    if !keep.contains(&true) {
        return None;
    }
    let rows: String = block
        .rows
        .iter()
        .zip(&keep)
        .filter(|(_, kept)| **kept)
        .map(|(row, _)| row.text.as_str())
        .collect();
    let dropped = keep.iter().filter(|kept| !**kept).count();
    Some(format!(
        "{}{rows}\n_{dropped} more left out for size; verdict.json has them all._\n{}",
        block.opening, block.closing
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(need: u8, rows: usize, matters: impl Fn(usize) -> bool) -> Block {
        Block {
            name: "things",
            need,
            opening: "open\n".to_owned(),
            rows: (0..rows)
                .map(|i| Row {
                    text: format!("row {i:04}\n"),
                    matters: matters(i),
                })
                .collect(),
            closing: "close\n".to_owned(),
        }
    }

    #[test]
    fn what_matters_stays_and_the_rest_is_counted() {
        let text = fit(&[block(0, 100, |i| i % 10 == 9)], 600);
        assert!(text.len() <= 600);
        let rows = text.lines().filter(|l| l.starts_with("row ")).count();
        for i in 0..10 {
            assert!(text.contains(&format!("row {:04}\n", i * 10 + 9)), "{text}");
        }
        assert!(text.contains(&format!("\n_{} more left out", 100 - rows)));
        assert!(text.ends_with("close\n"));
    }

    #[test]
    fn need_goes_before_order() {
        let text = fit(&[block(9, 90, |_| false), block(1, 90, |_| true)], 1100);
        assert!(text.len() <= 1100);
        assert!(text.contains("row 0089"), "{text}");
        assert!(text.contains("Left out for size: things."));
    }

    #[test]
    fn every_size_is_kept() {
        for budget in 210..2500 {
            let text = fit(
                &[block(1, 90, |i| i < 20), block(0, 90, |i| i > 70)],
                budget,
            );
            assert!(text.len() <= budget, "{budget}: {}", text.len());
        }
    }
}
