//! Which format a model is in, told from its content, and the one door to all importers of models.

use cardinal_models::decode::decode;
use cardinal_models::diagnostic::{Diagnostic, Diagnostics, Source};
use cardinal_models::document::ModelDocument;
use cardinal_models::span::Span;

use crate::cp::Over;
use crate::report::ConversionReport;
use crate::{camel, choices, cp, sage};

/// A format of application models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The YAML or JSON of Cardinal itself.
    Native,
    /// A CAMEL 2.x model as XMI.
    CamelXmi,
    /// A Melodic constraint problem as XMI.
    CpXmi,
    /// An application of SAGE / MANeUveR as JSON.
    SageJson,
    /// Tables of configurations with a utility over them, as JSON.
    ChoicesJson,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 5] =
        [Format::Native, Format::CamelXmi, Format::CpXmi, Format::SageJson, Format::ChoicesJson];

    /// The name of the format for `--from`.
    pub fn name(self) -> &'static str {
        match self {
            Format::Native => "native",
            Format::CamelXmi => "camel",
            Format::CpXmi => "cp",
            Format::SageJson => "sage",
            Format::ChoicesJson => "choices",
        }
    }

    /// The format with a name, without regard to case.
    pub fn named(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|f| f.name().eq_ignore_ascii_case(name))
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// A model in the shape of a native file, wherever it came from.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The model.
    pub document: ModelDocument,
    /// The format that it was read as.
    pub format: Format,
    /// What the conversion decided and left out; empty for a native model.
    pub report: ConversionReport,
    /// What is probably not meant in a native model.
    pub warnings: Diagnostics,
}

/// Tells the format of a model from its content: the root element of XML, the keys of JSON. What is neither a known
/// foreign JSON nor XML is native. Errs for XML with another root element.
pub fn recognise(source: &Source) -> Result<Format, Diagnostic> {
    let text = source.text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with('<') {
        return recognise_xml(source);
    }
    if text.starts_with('{') && sage::is_application(&source.text) {
        return Ok(Format::SageJson);
    }
    if text.starts_with('{') && choices::is_problem(&source.text) {
        return Ok(Format::ChoicesJson);
    }
    Ok(Format::Native)
}

/// How far into an XML text the root element is looked for.
const HEAD_BYTES: usize = 64 * 1024;

fn recognise_xml(source: &Source) -> Result<Format, Diagnostic> {
    let mut end = source.text.len().min(HEAD_BYTES);
    while !source.text.is_char_boundary(end) {
        end -= 1;
    }
    let head = &source.text[..end];
    let mut at = 0;
    let mut place = Span::NONE;
    while let Some(open) = head[at..].find('<').map(|i| at + i) {
        let rest = &head[open..];
        let skip = |behind: &str| rest.find(behind).map_or(head.len(), |i| open + i + behind.len());
        if rest.starts_with("<!--") {
            at = skip("-->");
        } else if rest.starts_with("<?") {
            at = skip("?>");
        } else if rest.starts_with("<!") {
            at = skip(">");
        } else {
            let tag = &rest[1..rest.find('>').unwrap_or(rest.len())];
            let name = tag.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or("");
            let local = name.rsplit(':').next().unwrap_or("");
            place = Span::new(open, open + 1 + name.len());
            match local {
                "CamelModel" => return Ok(Format::CamelXmi),
                "ConstraintProblem" => return Ok(Format::CpXmi),
                // A wrapper around several roots: the first of them tells.
                "XMI" => at = skip(">"),
                _ => break,
            }
        }
    }
    Err(Diagnostic::error(place, "this XML is neither a CAMEL model nor a constraint problem")
        .help("the root element should be core:CamelModel or cp:ConstraintProblem"))
}

/// Reads a model. `format` forces a format; `None` tells it from the content.
///
/// Errs with every finding about the text, each with its place, when the model cannot be used.
pub fn import_model(source: &Source, format: Option<Format>) -> Result<Imported, Diagnostics> {
    import_over(source, format, Over::Domains)
}

/// Reads a model; of a constraint problem the variables stand for their domains alone or for properties of offers.
///
/// Errs like [`import_model`].
pub fn import_over(source: &Source, format: Option<Format>, over: Over) -> Result<Imported, Diagnostics> {
    let format = match format {
        Some(format) => format,
        None => recognise(source).map_err(|d| Diagnostics(vec![d]))?,
    };
    let (document, report) = match format {
        Format::CamelXmi => camel::import(source)?,
        Format::SageJson => sage::import(source)?,
        Format::CpXmi => cp::import(source, over)?,
        Format::ChoicesJson => choices::import(source)?,
        Format::Native => return native(source),
    };
    Ok(Imported { document, format, report, warnings: Diagnostics::default() })
}

fn native(source: &Source) -> Result<Imported, Diagnostics> {
    let (document, findings) = decode(source);
    match document {
        Some(document) if !findings.has_errors() => {
            let report = ConversionReport::default();
            Ok(Imported { document, format: Format::Native, report, warnings: findings })
        }
        _ => Err(findings),
    }
}
