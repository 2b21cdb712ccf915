//! Families of random problems in which every component chooses one row of a table of configurations.

use serde_json::json;

use crate::configurations::{Configurations, parse};

/// The families: what the utility is made of.
pub const FAMILIES: [(&str, &str); 5] = [
    ("capacity", "30*{m}/({cores}) + 40/({cost}) - 0.5*({cost})"),
    ("target", "4/exp(((({n}) - 2*{m})/3)**2) + 3*log(1 + ({cores})/{m}) - 0.8*({cost})"),
    ("product", "0.01*({half_cores})*({other_memory})/{m} + 60/({cost}) - 0.3*({cost})"),
    ("ratio", "5*({cores})/({cost}) + 2*sqrt({memory}) - 0.4*({cost})"),
    ("bottleneck", "3*min({each_cores}) - 0.05*max({each_latency}) - 0.4*({cost})"),
];

/// A problem of a family with so many components, each with 240 configurations.
///
/// # Errors
///
/// When the family's formula is wrong.
pub fn problem(family: usize, components: usize, seed: u64) -> Result<Configurations, String> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (components as u64) << 8 ^ family as u64;
    let mut below = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let names: Vec<String> = (0..components).map(|i| format!("c{i}")).collect();
    let mut listed = Vec::new();
    for name in &names {
        let mut configs = Vec::new();
        for _ in 0..60 {
            let cores = [1, 2, 4, 8, 16, 32][below(6) as usize];
            let memory = cores * [2, 4, 8][below(3) as usize];
            let price = (cores as f64 * 0.03 + memory as f64 * 0.004) * (0.8 + 0.4 * below(1000) as f64 / 1000.0);
            let (price, latency) = ((price * 1e4).round() / 1e4, 5 + below(145));
            configs.extend((1..=4).map(|n| json!([n, price, cores, memory, latency])));
        }
        listed.push(json!({"name": name, "attrs": ["n", "price", "cores", "memory", "latency"], "configs": configs}));
    }
    let sum = |what: &dyn Fn(&String) -> String, of: &[String]| of.iter().map(what).collect::<Vec<_>>().join(" + ");
    let list = |what: &dyn Fn(&String) -> String| names.iter().map(what).collect::<Vec<_>>().join(", ");
    let (front, back) = names.split_at(components / 2);
    let filled = |text: &str| {
        text.replace("{cores}", &sum(&|c| format!("{c}.n*{c}.cores"), &names))
            .replace("{memory}", &sum(&|c| format!("{c}.n*{c}.memory"), &names))
            .replace("{cost}", &sum(&|c| format!("{c}.n*{c}.price"), &names))
            .replace("{half_cores}", &sum(&|c| format!("{c}.n*{c}.cores"), front))
            .replace("{other_memory}", &sum(&|c| format!("{c}.n*{c}.memory"), back))
            .replace("{each_cores}", &list(&|c| format!("{c}.n*{c}.cores")))
            .replace("{each_latency}", &list(&|c| format!("{c}.latency")))
            .replace("{n}", &sum(&|c| format!("{c}.n"), &names))
            .replace("{m}", &components.to_string())
    };
    let demand = components as u64 * (6 + below(6));
    let document = json!({
        "name": format!("{} {components} {seed}", FAMILIES[family].0),
        "components": listed,
        "utility": filled(FAMILIES[family].1),
        "constraints": [filled(&format!("{{cores}} >= {demand}"))],
        "optimum": 0.0,
    });
    parse(&document.to_string())
}

#[cfg(test)]
mod tests {
    use super::{FAMILIES, problem};

    #[test]
    fn every_family_is_read() {
        for (family, (name, _)) in FAMILIES.iter().enumerate() {
            assert_eq!(problem(family, 5, 1).map(|p| p.components), Ok(5), "{name}");
        }
    }
}
