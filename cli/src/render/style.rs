//! Colours and the shape of tables.

use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Titles and names that matter.
pub const BOLD: Style = Style::new().bold();
/// What is less important.
pub const DIM: Style = Style::new().dimmed();
/// Good.
pub const GREEN: Style = AnsiColor::Green.on_default().bold();
/// Careful.
pub const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
/// Bad.
pub const RED: Style = AnsiColor::Red.on_default().bold();

/// The text in a style.
pub fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// A table without frames. `columns` are the headers; those that begin with `>` hold numbers.
pub fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|c| c.trim_start_matches('>')));
    for (index, header) in columns.iter().enumerate() {
        if let Some(column) = table.column_mut(index) {
            column.set_padding((0, 2));
            if header.starts_with('>') {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table
}

/// A table of these rows without the columns in which no row says anything.
pub fn table_of(columns: &[&str], rows: Vec<Vec<String>>) -> Table {
    let says = |index: usize| rows.iter().any(|row| row.get(index).is_some_and(|cell| !cell.is_empty()));
    let kept: Vec<usize> = (0..columns.len()).filter(|index| says(*index)).collect();
    let headers: Vec<&str> = kept.iter().map(|index| columns[*index]).collect();
    let mut shown = table(&headers);
    for row in &rows {
        shown.add_row(kept.iter().map(|index| row.get(*index).map_or("", String::as_str)));
    }
    shown
}

/// The lines of a table, the first dimmed as a header, each indented.
pub fn lines(table: &Table) -> String {
    let mut out = String::new();
    for (index, line) in table.to_string().lines().enumerate() {
        let line = line.trim_end();
        let line = if index == 0 { paint(DIM, line) } else { line.to_owned() };
        out.push_str("  ");
        out.push_str(&line);
        out.push('\n');
    }
    out
}
