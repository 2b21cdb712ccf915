//! The money of a model: the code that it states or, without one, the code that its amounts name. A catalog in other
//! money is then refused instead of being compared number by number.

use super::Resolver;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::document::{MetricDocument, OneOrMany, Scalar, UtilityDocument};
use crate::span::Spanned;
use crate::unit::{CURRENCIES, parse_named_unit, unit_word};

impl Resolver<'_> {
    /// Finds the currency. Amounts in another one are reported where they are read.
    pub(super) fn settle_currency(&mut self) {
        let stated = self.document.currency.as_ref();
        self.currency.code = match stated {
            Some(stated) => self.stated_currency(stated),
            None => self.named_currency(),
        };
        self.scope.currency = self.currency.code.clone();
    }

    fn stated_currency(&mut self, stated: &Spanned<String>) -> Option<String> {
        let code = stated.value.trim();
        if code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()) {
            return Some(code.to_owned());
        }
        let finding = Diagnostic::error(stated.span, format!("`{code}` is no currency code"));
        let upper = code.to_uppercase();
        let meant = unit_word(code).and_then(|named| named.currency);
        let help = match meant.or_else(|| did_you_mean(&upper, CURRENCIES)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "write an ISO 4217 code such as `USD` or `EUR`".to_owned(),
        };
        self.report("currency", finding.help(help));
        None
    }

    /// The first currency that an amount names.
    fn named_currency(&self) -> Option<String> {
        let document = self.document;
        let constants = document.constants.iter().map(|(_, value)| value);
        let prices = document.components.iter().filter_map(|(_, c)| c.requires.as_ref()?.price.as_ref());
        let costs = document.budget.iter().chain(document.quotas.iter().filter_map(|(_, q)| q.cost.as_ref()));
        let forecasts = document.reconfigure.iter().flat_map(|r| r.forecast.iter());
        let costs = costs.chain(forecasts.map(|(_, f)| &f.violation));
        let costs = costs.chain(document.commitments.iter().filter_map(|(_, c)| c.cost.as_ref()));
        let costs = costs.chain(document.data.iter().filter_map(|(_, d)| d.storage_price.as_ref()));
        let metrics = document.metrics.iter().flat_map(|(_, metric)| match metric {
            MetricDocument::Formula(formula) => [Some(formula), None],
            MetricDocument::Full(full) => [full.formula.as_ref(), full.default.as_ref()],
        });
        let rules = document.constraints.iter().chain(document.slo.iter()).map(|(_, c)| c.formula());
        let utility = document.utility.iter().flat_map(UtilityDocument::formulas);
        let units = document.metrics.iter().filter_map(|(_, metric)| match metric {
            MetricDocument::Full(full) => parse_named_unit(full.unit.as_ref()?).ok()?.currency,
            MetricDocument::Formula(_) => None,
        });
        constants
            .chain(prices.flat_map(OneOrMany::values))
            .chain(costs)
            .chain(metrics.flatten())
            .chain(rules)
            .chain(utility)
            .filter_map(|scalar| match &scalar.value {
                Scalar::Text(text) => currency_in(text),
                _ => None,
            })
            .chain(units)
            .next()
            .map(str::to_owned)
    }
}

/// The currency of the first amount of money in a formula or quantity. A word after a number is always a unit.
fn currency_in(text: &str) -> Option<&'static str> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '€' | '£');
    let mut rest = text;
    while let Some(digit) = rest.find(|c: char| c.is_ascii_digit()) {
        rest = rest.get(digit + 1..)?;
        let unit = rest.trim_start_matches([' ', '\t']);
        let word = unit.split(|c| !is_word(c)).next().unwrap_or("");
        if let Some(code) = unit_word(word).and_then(|named| named.currency) {
            return Some(code);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::currency_in;

    #[test]
    fn finds_the_currency_of_an_amount() {
        assert_eq!(currency_in("total_cost <= 4.50 EUR/h"), Some("EUR"));
        assert_eq!(currency_in("x2 + 3€"), Some("EUR"));
        assert_eq!(currency_in("USD * 3 GB"), None);
        assert_eq!(currency_in("5"), None);
    }
}
