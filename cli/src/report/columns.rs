//! Tables for people, and the sizes in them.

/// A size, short and decimal, as etcdctl writes it.
pub fn bytes(size: u64) -> String {
    const UNITS: [&str; 4] = ["B", "kB", "MB", "GB"];
    let mut value = size as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{size} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// Lines with columns as wide as what is in them.
pub fn table<R: AsRef<[String]>>(rows: &[R]) -> Vec<String> {
    let columns = rows.iter().map(|row| row.as_ref().len()).max().unwrap_or_default();
    let of = |row: &R, column: usize| row.as_ref().get(column).map(|cell| cell.chars().count());
    let width = |column: usize| rows.iter().filter_map(|row| of(row, column)).max();
    let widths: Vec<usize> = (0..columns).map(|c| width(c).unwrap_or_default()).collect();
    let line = |row: &R| {
        let cells = row.as_ref().iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// The same on a terminal of so many columns: the columns that may be spared go, the first of them first, until it
/// fits.
pub fn table_within<const COLUMNS: usize>(
    rows: &[[String; COLUMNS]],
    spared: &[usize],
    width: usize,
) -> Vec<String> {
    let mut gone: Vec<usize> = Vec::new();
    loop {
        let kept = |row: &[String; COLUMNS]| -> Vec<String> {
            let cells = row.iter().enumerate().filter(|(column, _)| !gone.contains(column));
            cells.map(|(_, cell)| cell.clone()).collect()
        };
        let lines = table(&rows.iter().map(kept).collect::<Vec<_>>());
        let fits = lines.iter().all(|line| line.chars().count() <= width);
        match spared.get(gone.len()) {
            Some(column) if !fits => gone.push(*column),
            _ => return lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_gets_the_columns_that_fit() {
        let rows = [["a", "bbbb", "cc"], ["1", "2", "3333"]].map(|row| row.map(str::to_owned));
        assert_eq!(table_within(&rows, &[1, 2], 80), table(&rows));
        assert_eq!(table_within(&rows, &[1, 2], 10), ["  a  cc", "  1  3333"]);
        assert_eq!(table_within(&rows, &[1, 2], 5), ["  a", "  1"]);
        assert_eq!(table_within(&rows, &[], 5), table(&rows));
    }

    #[test]
    fn sizes_are_short_and_decimal_as_etcdctl_writes_them() {
        let shown = [0, 999, 20_480, 1_500_000, 8_589_934_592].map(bytes);
        assert_eq!(shown, ["0 B", "999 B", "20.5 kB", "1.5 MB", "8.6 GB"]);
    }
}
