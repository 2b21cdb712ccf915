//! [`ModelDocument`] → [`Application`]: names resolved, formulas typed, requirements turned into tests. Every mistake
//! of a model is reported at once, with its path and place and what to write instead.
//!
//! One file for each part of the model; this one holds the order in which the parts become known to each other:
//! constants see earlier constants, metrics see components and constants, everything else sees all of them.

mod choice;
mod commitments;
mod components;
mod constants;
mod currency;
mod data;
mod division;
mod forecast;
mod graph;
mod measure;
mod metrics;
mod names;
mod objective;
mod slo;
mod soft;
mod structure;

use std::collections::HashSet;
use std::sync::Arc;

use crate::application::{Application, Component, ComponentId, Requirement, Subject, Test};
use crate::decode::{MAX_FINDINGS, decode};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, Source, did_you_mean};
use crate::document::{ModelDocument, OneOrMany, Scalar};
use crate::formula::expr::Expr;
use crate::formula::{Expected, Scope, compile};
use crate::offer::Attribute;
use crate::requirement::{self, Currency, Measure};
use crate::span::{Span, Spanned};
use crate::unit::Unit;

/// Resolves a model. Gives the application with warnings, or everything that is wrong.
pub fn resolve(document: &ModelDocument) -> Result<(Application, Diagnostics), Diagnostics> {
    resolve_doubtful(document, HashSet::new())
}

/// Reads and resolves a model. When its shape is wrong, the parts that could be read are resolved all the same, so
/// that one run shows every mistake.
pub fn load(source: &Source) -> Result<(Application, ModelDocument, Diagnostics), Diagnostics> {
    let (document, mut findings) = decode(source);
    let Some(document) = document else { return Err(findings) };
    if !findings.has_errors() {
        return match resolve(&document) {
            Ok((application, mut warnings)) => {
                warnings.0.append(&mut findings.0);
                warnings.sort();
                Ok((application, document, warnings))
            }
            Err(mut errors) => {
                errors.0.append(&mut findings.0);
                errors.sort();
                Err(errors)
            }
        };
    }
    if findings.error_count() > MAX_FINDINGS {
        return Err(findings);
    }
    // What was not understood would make other parts look wrong: those findings are left out.
    let broken: Vec<String> = findings.0.iter().map(|d| d.path.clone()).filter(|p| !p.is_empty()).collect();
    let doubtful = broken.iter().filter_map(|path| path.strip_prefix("components.")).map(String::from).collect();
    let more = match resolve_doubtful(&document, doubtful) {
        Ok((_, findings)) | Err(findings) => findings,
    };
    let is_consequence = |path: &str| broken.iter().any(|b| path == b || path.starts_with(&format!("{b}.")));
    findings.0.extend(more.0.into_iter().filter(|d| d.severity == Severity::Error && !is_consequence(&d.path)));
    findings.sort();
    Err(findings)
}

/// Resolves a model some of whose components were not read completely: `doubtful` holds paths below `components`.
fn resolve_doubtful(
    document: &ModelDocument,
    doubtful: HashSet<String>,
) -> Result<(Application, Diagnostics), Diagnostics> {
    let mut resolver = Resolver {
        document,
        doubtful,
        findings: Diagnostics::default(),
        currency: Currency::default(),
        scope: Scope::default(),
        given: HashSet::new(),
        used: HashSet::new(),
        metric_facts: Vec::new(),
        chosen: Vec::new(),
        penalty_units: Vec::new(),
    };
    let application = resolver.application();
    let mut findings = resolver.findings;
    findings.sort();
    findings.0.dedup();
    if findings.has_errors() { Err(findings) } else { Ok((application, findings)) }
}

/// After so many findings no closest name is searched for.
const SUGGESTIONS_MAX: usize = 100;

/// The state of resolving one model.
struct Resolver<'d> {
    document: &'d ModelDocument,
    /// Paths below `components` that were not read: rules about these components are not judged.
    doubtful: HashSet<String>,
    findings: Diagnostics,
    currency: Currency,
    scope: Scope,
    /// The names of components, metrics and constants.
    given: HashSet<String>,
    /// Names that formulas mention.
    used: HashSet<String>,
    /// What is known of each metric's formula.
    metric_facts: Vec<metrics::Facts>,
    /// What each component chooses from.
    chosen: Vec<choice::Chosen>,
    /// The unit of the penalty of each soft constraint that has one, with its place and path.
    penalty_units: Vec<Option<(Unit, Span, String)>>,
}

impl Resolver<'_> {
    fn application(&mut self) -> Application {
        let document = self.document;
        if document.application.trim().is_empty() {
            let finding = Diagnostic::error(document.application.span, "the application needs a name");
            self.report("application", finding);
        }
        self.settle_currency();
        self.check_names();
        self.constants();
        self.component_scope();
        self.traffic_scope();
        self.choices();
        let mut metrics = self.metrics();
        let offers = self.catalog();
        let components = self.components();
        let structure = self.structure(&components);
        let quotas = self.quotas();
        let commitments = self.commitments();
        let data = self.data();
        let links = self.links();
        let (mut constraints, mut soft) = self.constraints(&links);
        let mut slos = self.slo_rules();
        let (budgets, rules): (Vec<_>, Vec<_>) = self.error_budgets(&mut metrics).into_iter().unzip();
        constraints.extend(budgets);
        slos.extend(rules);
        let events = self.events(&constraints);
        let (objective, later) = self.objectives(&mut soft);
        let (every_s, mode) = self.reconfigure();
        let forecasts = self.forecasts();
        // Of formulas that could not be read nobody knows what they mention.
        if !self.findings.has_errors() {
            self.unused_constants();
        }
        Application {
            name: document.application.value.trim().to_owned(),
            currency: self.currency.code.clone(),
            offers,
            components,
            metrics,
            constraints,
            structure,
            quotas,
            commitments,
            soft,
            slos,
            events,
            data,
            links,
            objective,
            later,
            every_s,
            mode,
            forecasts,
        }
    }

    fn report(&mut self, path: &str, finding: Diagnostic) {
        let errors = self.findings.error_count();
        let is_error = finding.severity == Severity::Error;
        match if is_error { errors } else { self.findings.0.len() - errors } {
            n if n < MAX_FINDINGS => self.findings.push(finding.at(path)),
            // That warnings were left out is no reason to refuse a model.
            MAX_FINDINGS if is_error => self.findings.push(Diagnostic::error(finding.span, "more mistakes follow")),
            _ => {}
        }
    }

    fn report_all(&mut self, path: &str, findings: Vec<Diagnostic>) {
        for finding in findings {
            self.report(path, finding);
        }
    }

    /// The value, or nothing and a finding.
    fn keep<T>(&mut self, path: &str, result: Result<T, Diagnostic>) -> Option<T> {
        result.map_err(|finding| self.report(path, finding)).ok()
    }

    /// The value, or nothing and findings.
    fn keep_all<T>(&mut self, path: &str, result: Result<T, Vec<Diagnostic>>) -> Option<T> {
        result.map_err(|findings| self.report_all(path, findings)).ok()
    }

    /// Compiles a formula and remembers the names in it.
    fn formula(&mut self, path: &str, formula: &Spanned<Scalar>, expected: Expected) -> Option<Expr> {
        if self.findings.error_count() > MAX_FINDINGS {
            return None;
        }
        let text = formula.value.to_string();
        let mentioned = self.mentioned(&text);
        self.used.extend(mentioned.into_iter().map(|(name, _)| name));
        let compiled = compile(&text, formula.span, &self.scope, expected);
        let expr = self.keep_all(path, compiled)?;
        self.check_size(path, &expr, formula.span);
        Some(expr)
    }

    /// The component that a name means.
    fn component(&mut self, path: &str, name: &Spanned<String>) -> Option<ComponentId> {
        if let Some(component) = self.scope.components.get(name.value.as_str()) {
            return Some(component.id);
        }
        let finding = if self.scope.metrics.contains_key(name.value.as_str()) {
            Diagnostic::error(name.span, format!("`{}` is a metric, not a component", name.value))
        } else {
            let known = self.scope.components.keys().map(|k| k.as_ref());
            let finding = Diagnostic::error(name.span, format!("there is no component `{}`", name.value));
            // Of thousands of names, comparing each with all the others would take minutes.
            let meant = if self.findings.0.len() < SUGGESTIONS_MAX { did_you_mean(&name.value, known) } else { None };
            match meant {
                Some(meant) => finding.help(format!("did you mean `{meant}`?")),
                None => finding.help(format!("the components are {}", self.component_list())),
            }
        };
        self.report(path, finding);
        None
    }

    /// The components for a message; of many only the first.
    fn component_list(&self) -> String {
        const SHOWN: usize = 12;
        let names: Vec<String> = self.scope.components.keys().take(SHOWN).map(|k| format!("`{k}`")).collect();
        let more = if self.scope.components.len() > SHOWN { ", ..." } else { "" };
        names.join(", ") + more
    }

    /// A requirement on a number, if the value is there and right.
    fn number_requirement(
        &mut self,
        path: &str,
        attribute: Attribute,
        value: Option<&OneOrMany>,
        measure: Measure,
    ) -> Option<Requirement> {
        let value = value?;
        let intervals = requirement::intervals(value, measure, &self.currency);
        let intervals = self.keep_all(path, intervals)?;
        let text = requirement::words(attribute.name(), value);
        Some(Requirement {
            subject: Subject::Attribute(attribute),
            test: Test::Number(intervals),
            text,
            span: span_of(value),
        })
    }

    /// A requirement on a text, if the value is there and right. `known` holds the words when there are few.
    fn text_requirement(
        &mut self,
        path: &str,
        subject: Subject,
        word: &str,
        value: Option<&OneOrMany>,
        known: &[&str],
    ) -> Option<Requirement> {
        let value = value?;
        let test = if known.is_empty() { requirement::texts(value) } else { requirement::choice(value, known) };
        let test = self.keep_all(path, test)?;
        Some(Requirement { subject, test, text: requirement::words(word, value), span: span_of(value) })
    }

    fn reconfigure(&mut self) -> (Option<f64>, Option<crate::document::ReconfigureMode>) {
        let Some(reconfigure) = &self.document.reconfigure else { return (None, None) };
        let every = reconfigure.every.as_ref().and_then(|every| {
            let path = "reconfigure.every";
            let seconds = requirement::amount(every, Measure::Duration, &self.currency);
            let seconds = self.keep(path, seconds)?;
            if seconds < 1.0 {
                self.report(path, Diagnostic::error(every.span, "the time between decisions is at least 1s"));
                return None;
            }
            Some(seconds)
        });
        (every, reconfigure.mode)
    }

    /// True when a part of the component could not be read.
    fn is_doubtful(&self, component: &Component) -> bool {
        self.doubtful
            .iter()
            .any(|path| path.strip_prefix(component.name.as_ref()).is_some_and(|r| r.is_empty() || r.starts_with('.')))
    }
}

/// The place of a value or list.
fn span_of(value: &OneOrMany) -> Span {
    value.values().iter().fold(Span::NONE, |span, one| span.to(one.span))
}

/// A shared copy of a name.
fn shared(name: &Spanned<String>) -> Arc<str> {
    Arc::from(name.value.as_str())
}

#[cfg(test)]
mod tests;
