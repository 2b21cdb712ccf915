//! Models of other systems: CAMEL and constraint problems in XMI, applications of SAGE and tables of configurations in JSON.
#![no_main]

use cardinal_fuzz::{check_findings, check_refusal, source};
use cardinal_interop::cp::Over;
use cardinal_interop::{Format, import_over};
use cardinal_models::decode::decode;
use cardinal_models::diagnostic::Source;
use cardinal_models::resolve::resolve;
use cardinal_models::write::to_yaml;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let source = source(data);
    // As it is recognised, or as a user might force it.
    let forced = [
        None,
        Some(Format::CamelXmi),
        Some(Format::SageJson),
        Some(Format::CpXmi),
        Some(Format::ChoicesJson),
    ][source.text.len() % 5];
    let over = if source.text.len() % 2 == 0 { Over::Domains } else { Over::Offers };
    let imported = match import_over(&source, forced, over) {
        Ok(imported) => imported,
        Err(findings) => return check_refusal(&source, &findings),
    };
    check_findings(&source, &imported.warnings);
    let _ = imported.report.to_string();
    match resolve(&imported.document) {
        Ok((_, warnings)) => check_findings(&source, &warnings),
        Err(findings) => check_refusal(&source, &findings),
    }
    if imported.format != Format::Native {
        let text = to_yaml(&imported.document);
        let (again, findings) = decode(&Source::new("written", text.clone()));
        assert!(!findings.has_errors(), "what is converted is not read: {findings}\n{text}");
        assert_eq!(again.as_ref(), Some(&imported.document), "{text}");
    }
});
