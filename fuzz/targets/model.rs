//! Native models, YAML and JSON: decoding, resolving, and writing what was read.
#![no_main]

use cardinal_fuzz::{check_findings, check_refusal, source};
use cardinal_models::decode::decode;
use cardinal_models::diagnostic::Source;
use cardinal_models::resolve::load;
use cardinal_models::write::to_yaml;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let source = source(data);
    match load(&source) {
        Ok((_, document, warnings)) => {
            assert!(!warnings.has_errors(), "{warnings}");
            check_findings(&source, &warnings);
            let text = to_yaml(&document);
            let (again, findings) = decode(&Source::new("written", text.clone()));
            assert!(!findings.has_errors(), "what is written is not read: {findings}\n{text}");
            assert_eq!(again.as_ref(), Some(&document), "{text}");
        }
        Err(findings) => check_refusal(&source, &findings),
    }
});
