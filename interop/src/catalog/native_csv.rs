//! Reads Cardinal's own table. The columns are those of [`super::native`].

use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::{Diagnostic, Diagnostics, Source};
use cardinal_models::offer::LabelValue;
use csv::StringRecord;

use super::assemble::Assembler;
use super::draft::Problem;
use super::native::{Field, NativeOffer};
use super::table::Table;

/// What a column holds.
enum Column {
    Field(Field),
    Label(String),
}

/// Reads the table.
pub(super) fn read(source: &Source) -> Result<(Catalog, Diagnostics), Diagnostics> {
    let mut into = Assembler::new(source);
    let Some(mut table) = Table::open(source, &mut into.catalog, &mut into.findings) else { return into.finish() };
    let columns = columns(&table, &mut into);
    if into.findings.has_errors() {
        return into.finish();
    }
    let mut record = StringRecord::new();
    while let Some(span) = table.next(&mut record, &mut into.findings) {
        let mut offer = NativeOffer::default();
        let mut is_good = true;
        for (i, (column, cell)) in columns.iter().zip(&record).enumerate() {
            let cell = cell.trim();
            if cell.is_empty() {
                continue;
            }
            match column {
                Column::Label(name) => offer.label(name, label(cell)),
                Column::Field(field) => {
                    if let Err(problem) = offer.set(*field, cell) {
                        into.refuse(table.cell_span(span, i), field.name(), problem);
                        is_good = false;
                    }
                }
            }
        }
        if is_good {
            match offer.finish() {
                Ok(draft) => into.add(draft, span),
                Err(problem) => into.refuse(span, "", problem),
            }
        }
        if into.is_over() {
            break;
        }
    }
    into.finish()
}

fn columns(table: &Table<'_>, into: &mut Assembler<'_>) -> Vec<Column> {
    let names = table.header();
    let mut columns = Vec::with_capacity(names.len());
    for (i, name) in names.iter().enumerate() {
        let span = table.column_span(i);
        if names[..i].contains(name) {
            into.refuse(span, "", Problem::new(format!("the column `{name}` stands twice"), "drop one of them"));
        }
        if let Some(label) = name.strip_prefix("label:").map(str::trim).filter(|l| !l.is_empty()) {
            columns.push(Column::Label(label.to_owned()));
        } else if let Some(field) = Field::named(name) {
            columns.push(Column::Field(field));
        } else {
            let help = format!("{}; a column of your own is named `label:{name}`", Field::suggestion(name));
            into.refuse(span, "", Problem::new(format!("the column `{name}` is not known"), help));
        }
    }
    let has = |field: Field| columns.iter().any(|c| matches!(c, Column::Field(f) if *f == field));
    for (is_there, name) in [
        (has(Field::Provider), "provider"),
        (has(Field::MachineType), "machine_type"),
        (has(Field::Cores), "cores"),
        (has(Field::MemoryGib) || has(Field::Memory), "memory_gib"),
        (has(Field::Price), "price"),
    ] {
        if !is_there {
            let message = format!("the table has no column `{name}`");
            let help = "the columns provider, machine_type, cores, memory_gib (or memory) and price are required";
            into.findings.error(Diagnostic::error(table.header_span(), message).help(help));
        }
    }
    columns
}

fn label(cell: &str) -> LabelValue {
    match cell.parse::<f64>() {
        Ok(x) if x.is_finite() => LabelValue::Number(x),
        _ => LabelValue::Text(cell.into()),
    }
}
