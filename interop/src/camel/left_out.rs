//! What the conversion did not use: every element that no step touched, grouped, with the reason.

use super::Conversion;
use super::tree::{self, Node};
use crate::report::Tally;

/// Elements that are known to have no bearing on which placement is best. A subtree is listed once, at its root.
const KNOWN: [(&str, &str); 33] = [
    ("configurations", "how a component is installed is not a matter of where it runs"),
    ("requiredPortConfiguration", "how a component is installed is not a matter of where it runs"),
    ("providedPortConfiguration", "how a component is installed is not a matter of where it runs"),
    ("providedCommunications", "ports restrict no offer"),
    ("requiredCommunications", "ports restrict no offer"),
    ("requiredHost", "each component runs on nodes of its own"),
    ("providedHosts", "each component runs on nodes of its own"),
    ("hostings", "each component runs on nodes of its own"),
    ("vms", "nodes are chosen among the offers of the catalog"),
    ("paases", "platforms are not offers of a catalog"),
    ("containers", "each component runs on nodes of its own"),
    ("locationCouplings", "couplings of locations are not supported"),
    ("organisationModels", "people and credentials are not a matter of where components run"),
    ("metadataModels", "the vocabulary of annotations; its ids are built in"),
    ("unitModels", "units are read where amounts of data and time refer to them"),
    ("typeModels", "ranges of values describe metrics and restrict no deployment"),
    ("securityModels", "security capabilities are not attributes of offers"),
    ("scalabilityModels", "scaling follows from the utility and the objectives, not from rules"),
    ("executionModels", "the history of past deployments"),
    ("dataModels", "where data lie is not read; write it as `data` and `links`"),
    ("importURI", "imported models must stand in the same file"),
    ("sensors", "how a metric is collected is a matter of monitoring"),
    ("schedules", "how often a metric is collected is a matter of monitoring"),
    ("windows", "no metric that is used has this window"),
    ("objectContexts", "no metric that is used has this context"),
    ("metricContexts", "no metric that is used has this context"),
    ("templates", "no metric variable that is used has this template"),
    ("attributes", "no metric variable that is used has this attribute"),
    ("metrics", "the utility, the constraints and the objectives do not use it"),
    ("constraints", "no objective and no other constraint uses it"),
    ("requirementSets", "no component has this requirement set"),
    ("features", "features describe and restrict nothing"),
    ("metricTemplates", "no metric variable that is used has this template"),
];

/// Requirements by type, for those that no requirement set of a component uses.
const REQUIREMENTS: [(&str, &str); 3] = [
    ("PaaSRequirement", "platform services are not offers of a catalog"),
    ("SecurityRequirement", "security capabilities are not attributes of offers"),
    ("CommunicationRequirement", "latency and traffic between components are not attributes of offers"),
];

/// Attributes of used elements that are known to have no bearing.
const ATTRIBUTES: [(&str, &str); 15] = [
    ("version", "versions are not kept"),
    ("longLived", "how long a component lives is not a matter of where it runs"),
    ("coInstanceHosting", "each component runs on nodes of its own"),
    ("managesDataSource", "where data lie is not read; write it as `data` and `links`"),
    ("usesDataSources", "where data lie is not read; write it as `data` and `links`"),
    ("generatesDataSources", "where data lie is not read; write it as `data` and `links`"),
    ("consumesDataSources", "where data lie is not read; write it as `data` and `links`"),
    ("is64os", "every offer has a 64-bit processor"),
    ("violationEvent", "what happens on a violation follows from the decision"),
    ("valueType", "ranges of values describe metrics and restrict no deployment"),
    ("valueDirection", "the optimisation requirement says which way is better"),
    ("sensor", "how a metric is collected is a matter of monitoring"),
    ("sensors", "how a metric is collected is a matter of monitoring"),
    ("sizeType", "a window has the time that it names, or that its measurements take"),
    ("paasRequirement", "platform services are not offers of a catalog"),
];

/// Attributes that the conversion reads, or that only name and describe.
const READ: [&str; 64] = [
    "name",
    "id",
    "description",
    "annotations",
    "alternativeNames",
    "requirementSet",
    "globalRequirementSet",
    "resourceRequirement",
    "osRequirement",
    "imageRequirement",
    "providerRequirement",
    "locationRequirement",
    "horizontalScaleRequirement",
    "verticalScaleRequirement",
    "minInstances",
    "maxInstances",
    "os",
    "images",
    "providerNames",
    "cloudType",
    "locations",
    "parentRegions",
    "parentRegion",
    "parent",
    "geographicalRegion",
    "isAssignable",
    "unit",
    "value",
    "portNumber",
    "isMandatory",
    "providedCommunication",
    "requiredCommunication",
    "metric",
    "metricTemplate",
    "metricVariable",
    "metricContext",
    "component",
    "componentMetrics",
    "formula",
    "onNodeCandidates",
    "currentConfiguration",
    "attribute",
    "objectContext",
    "window",
    "schedule",
    "timeUnit",
    "interval",
    "timeSize",
    "measurementSize",
    "windowType",
    "groupingType",
    "composingMetricContexts",
    "comparisonOperator",
    "threshold",
    "logicalOperator",
    "constraints",
    "constraint",
    "if",
    "then",
    "else",
    "ifConstraint",
    "thenConstraint",
    "minimise",
    "priority",
];

/// Fills the report with what was not used.
pub(super) fn list(conversion: &mut Conversion<'_, '_>) {
    let tree = conversion.tree;
    let (mut left_out, mut unknown) = (Tally::default(), Tally::default());
    let mut open = vec![tree.root()];
    while let Some(node) = open.pop() {
        let tag = node.tag_name().name();
        for attribute in node.attributes().filter(|a| a.namespace().is_none()) {
            let kind = || format!("{tag} {}=", attribute.name());
            match ATTRIBUTES.iter().find(|(name, _)| *name == attribute.name()) {
                _ if READ.contains(&attribute.name()) => {}
                Some((_, why)) => left_out.add(kind(), *why, tree::name(node)),
                None => unknown.add(kind(), "this attribute is not known", tree::name(node)),
            }
        }
        for child in node.children().filter(Node::is_element) {
            if tree.is_used(child) {
                open.push(child);
                continue;
            }
            let kind = tree::kind_of(child);
            match why(child) {
                _ if TEXTS.contains(&child.tag_name().name()) => {}
                Some(why) => left_out.add(kind, why, tree::label(child)),
                None => unknown.add(kind, "this element is not known", tree::label(child)),
            }
        }
    }
    conversion.report.left_out = left_out.groups();
    conversion.report.unknown = unknown.groups();
}

/// Elements that are values of an attribute of several texts.
const TEXTS: [&str; 3] = ["providerNames", "images", "alternativeNames"];

/// Why an element that nothing used has no bearing; `None` for an unknown one.
fn why(node: Node<'_>) -> Option<&'static str> {
    let tag = node.tag_name().name();
    if tag == "requirements" {
        let by_type = REQUIREMENTS.iter().find(|(kind, _)| *kind == tree::type_of(node));
        return Some(by_type.map_or("no requirement set of a component uses it", |(_, why)| why));
    }
    if tag == "deploymentModels" {
        return Some("only the first deployment type model is converted");
    }
    if tag == "requirementModels" || tag == "locationModels" || tag == "constraintModels" {
        return Some("nothing in it is used");
    }
    if tag == "deploymentInstances" || tag.ends_with("Instances") {
        return Some("what runs now is given as the current deployment");
    }
    KNOWN.iter().find(|(known, _)| *known == tag).map(|(_, why)| *why)
}
