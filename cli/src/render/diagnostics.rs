//! Findings on standard error, each with the line of the text underlined.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use cardinal_edge::finding::Finding;
use cardinal_models::diagnostic::{Severity, Source};
use cardinal_models::span::Span;

use super::style::{BOLD, paint};

/// Lines that are longer are not shown: minified JSON says nothing to people.
const LINE_BYTES_MAX: usize = 1000;
/// Of a place over several lines so many are shown.
const LINES_MAX: usize = 4;

/// Shows findings on standard error.
pub fn show(findings: &[Finding]) {
    for finding in findings {
        anstream::eprintln!("{}\n", text(finding));
    }
}

/// Findings for people, with colours.
pub fn texts(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("{}\n\n", text(finding))).collect()
}

/// Shows one line on standard error.
pub fn note(text: &str) {
    anstream::eprintln!("{text}");
}

/// A finding for people, with colours.
fn text(finding: &Finding) -> String {
    let diagnostic = &finding.diagnostic;
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(diagnostic.message.as_str()));
    let Some(source) = &finding.source else {
        let title = Renderer::styled().render(&[group]);
        let help = diagnostic.help.as_ref().map(|help| format!("\n  {} {}", paint(BOLD, "help:"), clean(help)));
        return title + &help.unwrap_or_default();
    };
    group = place(group, source, diagnostic.span);
    if diagnostic.span.is_none() && !diagnostic.path.is_empty() {
        group = group.element(Level::NOTE.message(clean(&format!("at {}", diagnostic.path))));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(clean(help)));
    }
    Renderer::styled().render(&[group])
}

fn place<'a>(group: Group<'a>, source: &'a Source, span: Span) -> Group<'a> {
    let text = source.text.as_str();
    // The end of its last line is no part of what is shown.
    let span = if span.is_none() {
        span
    } else {
        Span { end: span.start.saturating_add(length(source.slice(span).trim_end())), ..span }
    };
    let Some(window) = window(text, span) else {
        let origin = Origin::path(source.name.as_str());
        if span.is_none() {
            return group.element(origin);
        }
        let (line, column) = source.line_column(span.start);
        return group.element(origin.line(line).char_column(column));
    };
    let shown = &text[window.clone()];
    let offset = |at: u32| (at as usize).clamp(window.start, window.end) - window.start;
    let (start, mut end) = (offset(span.start), offset(span.end));
    // A place without a length still gets a mark.
    if end <= start {
        end = shown[start..].chars().next().filter(|c| *c != '\n').map_or(start, |c| start + c.len_utf8());
    }
    let (line, _) = source.line_column(u32::try_from(window.start).unwrap_or(u32::MAX));
    let snippet = Snippet::source(shown).path(source.name.as_str()).line_start(line);
    group.element(snippet.annotation(AnnotationKind::Primary.span(start..end)))
}

fn length(text: &str) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}

/// The whole lines of a place; `None` without a place or when they are too long to be shown.
fn window(text: &str, span: Span) -> Option<std::ops::Range<usize>> {
    let (start, end) = (span.start as usize, span.end as usize);
    if span.is_none()
        || start > text.len()
        || !text.is_char_boundary(start)
        || !text.is_char_boundary(end.min(text.len()))
    {
        return None;
    }
    let from = text[..start].rfind('\n').map_or(0, |i| i + 1);
    let mut to = start;
    for _ in 0..LINES_MAX {
        let rest = &text[to..];
        let length = rest.find('\n').unwrap_or(rest.len());
        to += length;
        if to >= end || to >= text.len() {
            break;
        }
        to += 1;
    }
    // The end of a line as Windows writes it is no part of the line.
    if to > from && text[..to].ends_with('\r') {
        to -= 1;
    }
    let shown = &text[from..to];
    (shown.lines().all(|line| line.len() <= LINE_BYTES_MAX)).then_some(from..to)
}

/// The text without what a terminal could take for a command.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}
