//! Tables in CSV: the comment lines with facts about the catalog, the header, and the records with their places.

use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::{Diagnostic, Source};
use cardinal_models::span::Span;
use csv::StringRecord;

use super::findings::Findings;

/// An open table, past its header.
pub(super) struct Table<'s> {
    reader: csv::Reader<&'s [u8]>,
    text: &'s str,
    /// Bytes before the text that the reader sees: a byte order mark.
    base: usize,
    header: Span,
    header_record: StringRecord,
}

impl<'s> Table<'s> {
    /// Opens the table, reads the facts and the header. `None` after an error.
    pub(super) fn open(source: &'s Source, catalog: &mut Catalog, findings: &mut Findings<'_>) -> Option<Table<'s>> {
        let text = source.text.strip_prefix('\u{feff}').unwrap_or(&source.text);
        let base = source.text.len() - text.len();
        read_facts(text, base, catalog, findings);
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .comment(Some(b'#'))
            .from_reader(text.as_bytes());
        let header_record = StringRecord::new();
        let mut table = Table { reader, text: &source.text, base, header: Span::NONE, header_record };
        let mut record = StringRecord::new();
        let Some(span) = table.next(&mut record, findings) else {
            if !findings.full() {
                let help = "the first line names the columns, such as provider,machine_type,cores,memory_gib,price";
                findings.error(Diagnostic::error(Span::NONE, "the file is empty").help(help));
            }
            return None;
        };
        table.header = span;
        table.header_record = record;
        Some(table)
    }

    /// The names of the columns, trimmed.
    pub(super) fn header(&self) -> Vec<String> {
        self.header_record.iter().map(|c| c.trim().to_owned()).collect()
    }

    /// The place of the header.
    pub(super) fn header_span(&self) -> Span {
        self.header
    }

    /// The place of a column's name.
    pub(super) fn column_span(&self, column: usize) -> Span {
        self.cell_span(self.header, column)
    }

    /// Reads the next record and tells its place; `None` at the end or after an error of the syntax. A record with
    /// another number of cells than the header is an error and is passed over.
    pub(super) fn next(&mut self, record: &mut StringRecord, findings: &mut Findings<'_>) -> Option<Span> {
        loop {
            match self.reader.read_record(record) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    let at = error.position().map_or(0, |p| p.byte() as usize) + self.base;
                    findings.error(Diagnostic::error(Span::new(at, at), format!("the table cannot be read: {error}")));
                    return None;
                }
            }
            let start = record.position().map_or(0, |p| p.byte() as usize) + self.base;
            let start = self.skip_to_record(start);
            let end = self.reader.position().byte() as usize + self.base;
            let span = Span::new(start, end.min(self.text.len()));
            let wanted = self.header_record.len();
            if wanted == 0 || record.len() == wanted {
                return Some(span);
            }
            let message = format!("this line has {} cells, the header has {wanted} columns", record.len());
            let help = "put a text that contains a comma between double quotes";
            findings.error(Diagnostic::error(span, message).help(help));
            if findings.full() {
                return None;
            }
        }
    }

    /// The place of one cell of the record that stands at `record`. Only for messages: it reads the record again.
    pub(super) fn cell_span(&self, record: Span, column: usize) -> Span {
        let start = record.start as usize;
        let bytes = self.text.as_bytes().get(start..record.end as usize).unwrap_or_default();
        let (mut at, mut begin, mut quoted) = (0, 0, false);
        for (i, byte) in bytes.iter().enumerate() {
            match byte {
                b'"' => quoted = !quoted,
                b',' if !quoted => {
                    if at == column {
                        return Span::new(start + begin, start + i);
                    }
                    at += 1;
                    begin = i + 1;
                }
                b'\n' | b'\r' if !quoted => return Span::new(start + begin, start + i),
                _ => {}
            }
        }
        Span::new(start + begin, start + bytes.len())
    }

    /// The reader counts comments and empty lines before a record to the record; the user does not.
    fn skip_to_record(&self, mut at: usize) -> usize {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(at) {
                Some(b'\r' | b'\n') => at += 1,
                Some(b'#') => at += bytes[at..].iter().position(|b| *b == b'\n').unwrap_or(bytes.len() - at),
                _ => return at,
            }
        }
    }
}

/// Reads `# currency: USD`, `# date: 2026-08-03`, `# source: ...` from the comment lines before the header.
fn read_facts(text: &str, base: usize, catalog: &mut Catalog, findings: &mut Findings<'_>) {
    let mut at = base;
    for line in text.split_inclusive('\n') {
        let span = Span::new(at, at + line.trim_end().len());
        at += line.len();
        let trimmed = line.trim();
        if trimmed.is_empty() {
            continue;
        }
        let Some(comment) = trimmed.strip_prefix('#') else { return };
        let Some((name, value)) = comment.split_once(':') else { continue };
        set_fact(catalog, name.trim(), value.trim(), span, findings);
    }
}

/// Sets currency, date or source of a catalog; any other name is a comment.
pub(super) fn set_fact(catalog: &mut Catalog, name: &str, value: &str, span: Span, findings: &mut Findings<'_>) {
    match name {
        "currency" => match currency(value) {
            Some(code) => catalog.currency = code,
            None => {
                let message = format!("`{value}` is not a currency");
                let help = "write an ISO 4217 code such as USD or EUR; leave it out for prices in an abstract unit";
                findings.error(Diagnostic::error(span, message).help(help));
            }
        },
        "date" => catalog.date = value.to_owned(),
        "source" => catalog.source = value.to_owned(),
        _ => {}
    }
}

/// A currency code in capitals; an empty one means an abstract unit. `None` when it is neither.
pub(super) fn currency(text: &str) -> Option<String> {
    let is_code = text.len() == 3 && text.bytes().all(|b| b.is_ascii_alphabetic());
    (is_code || text.is_empty()).then(|| text.to_ascii_uppercase())
}
