//! Medians and columns.

/// The middle of an odd number of runs, the upper middle of an even one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value below which so many per cent lie.
pub(crate) fn percentile(sorted: &[f64], per_cent: usize) -> f64 {
    let place = (sorted.len() * per_cent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

/// A heading with its columns, underlined.
pub(crate) fn heading(what: &str, columns: &[&str]) {
    let columns = row(columns.iter().copied());
    println!("\n{what:<46}{columns}");
    println!("{}", "-".repeat(46 + columns.len()));
}

/// One line; cells are printed as they are.
pub(crate) fn line(what: &str, cells: &[String]) {
    println!("{what:<46}{}", row(cells.iter().map(String::as_str)));
}

fn row<'cell>(cells: impl Iterator<Item = &'cell str>) -> String {
    cells.fold(String::new(), |row, cell| row + &format!("{cell:>15}"))
}
