//! Tables in markdown.

use std::fmt;

/// A table that grows by rows.
#[derive(Clone, Debug)]
pub struct Table(String);

impl Table {
    /// A table without rows. The first column is that of their names.
    pub fn new<C: fmt::Display>(columns: impl IntoIterator<Item = C>) -> Self {
        let mut table = Self(String::new());
        let count = table.row("", columns);
        table.0.push_str(&format!("|{}\n", "---|".repeat(count)));
        table
    }

    /// Adds a row and returns the number of its cells.
    pub fn row<C: fmt::Display>(
        &mut self,
        name: impl fmt::Display,
        cells: impl IntoIterator<Item = C>,
    ) -> usize {
        let cells: Vec<String> = cells.into_iter().map(|cell| cell.to_string()).collect();
        self.0.push_str(&format!("| {name} | {} |\n", cells.join(" | ")));
        cells.len() + 1
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A number without decimals, as `1,234,567`.
#[must_use]
pub fn whole(number: f64) -> String {
    // Nothing is not negative.
    let digits = format!("{:.0}", number.round() + 0.0);
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if (digits.len() - index).is_multiple_of(3) && text.ends_with(|c: char| c.is_ascii_digit())
        {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_markdown() {
        let mut table = Table::new(["a", "b"]);
        table.row("x", [1, 2]);
        assert_eq!(table.to_string(), "|  | a | b |\n|---|---|---|\n| x | 1 | 2 |\n");
    }

    #[test]
    fn digits_are_grouped() {
        let texts = [0.4, -0.4, 999.0, 1_000.0, 1_234_567.0, -100.0, f64::NAN].map(whole);
        assert_eq!(texts, ["0", "0", "999", "1,000", "1,234,567", "-100", "NaN"]);
    }
}
