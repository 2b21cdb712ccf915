//! What the fuzz targets share: bytes as a text, and what must hold of every finding about a text.
#![forbid(unsafe_code)]

use cardinal_models::diagnostic::{Diagnostics, Source};

/// The input as a text; what is not UTF-8 is replaced, as a reader of files would do before it gives up.
pub fn source(data: &[u8]) -> Source {
    Source::new("fuzz", String::from_utf8_lossy(data))
}

/// Every finding can be shown: its place lies in the text, between two characters, and it says something.
pub fn check_findings(source: &Source, findings: &Diagnostics) {
    for finding in &findings.0 {
        assert!(!finding.message.is_empty(), "a finding says nothing: {finding:?}");
        if finding.span.is_none() {
            continue;
        }
        let (start, end) = (finding.span.start as usize, finding.span.end as usize);
        assert!(source.text.get(start..end).is_some(), "the place of a finding is not in the text: {finding:?}");
        source.line_column(finding.span.start);
    }
    let _ = findings.to_string();
}

/// A refusal has a reason.
pub fn check_refusal(source: &Source, findings: &Diagnostics) {
    assert!(findings.has_errors(), "refused without an error: {findings}");
    check_findings(source, findings);
}
