//! Reads tables of machine types by region, the form in which price lists of the public clouds are collected:
//! `InstanceType,vCPUs,MemoryGiB,Region,Price` and, where the provider has them, `Arch`, `GpuName`, `GpuCount`,
//! `NetworkMbps`, `LocalNvmeGB`, `SharedCPU`, `SpotPrice`, `Provider`. Prices are US dollars an hour.
//!
//! A row with a spot price gives two offers. A local NVMe disk is the offer's disk; without one the disk is open,
//! because network disks of any size can be attached. What a table leaves out is read from the machine type where the
//! provider's naming rules tell it: the architecture and the GPUs.

use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::{Diagnostics, Source};
use cardinal_models::location;
use cardinal_models::offer::{LabelValue, Purchase};
use cardinal_models::span::Span;
use csv::StringRecord;

use super::assemble::Assembler;
use super::draft::{Draft, Problem, bytes, cores, number, price};
use super::native::architecture;
use super::table::Table;

/// Where each column stands; none of the optional ones need be there.
struct Columns {
    instance_type: usize,
    cores: usize,
    memory: usize,
    region: usize,
    price: usize,
    spot: Option<usize>,
    arch: Option<usize>,
    gpu_name: Option<usize>,
    gpu_count: Option<usize>,
    network: Option<usize>,
    nvme: Option<usize>,
    shared: Option<usize>,
    provider: Option<usize>,
}

/// Reads the table.
pub(super) fn read(source: &Source) -> Result<(Catalog, Diagnostics), Diagnostics> {
    let mut into = Assembler::new(source);
    into.catalog.currency = "USD".to_owned();
    let Some(mut table) = Table::open(source, &mut into.catalog, &mut into.findings) else { return into.finish() };
    let Some(columns) = columns(&table, &mut into) else { return into.finish() };
    let mut record = StringRecord::new();
    while let Some(span) = table.next(&mut record, &mut into.findings) {
        match offer(&record, &columns) {
            Ok((draft, spot)) => {
                if let Some(spot) = spot {
                    let spot = Draft { purchase: Purchase::Spot, price: spot, ..draft.clone() };
                    into.add(draft, span);
                    into.add(spot, span);
                } else {
                    into.add(draft, span);
                }
            }
            Err((column, problem)) => {
                let at: Span = table.cell_span(span, column);
                into.refuse(at, "", problem);
            }
        }
        if into.is_over() {
            break;
        }
    }
    into.finish()
}

fn columns(table: &Table<'_>, into: &mut Assembler<'_>) -> Option<Columns> {
    let names = table.header();
    let find = |name: &str| names.iter().position(|n| n.eq_ignore_ascii_case(name));
    let mut need = |name: &str| {
        let found = find(name);
        if found.is_none() {
            let help = "the columns InstanceType, vCPUs, MemoryGiB, Region and Price are required";
            into.refuse(table.header_span(), "", Problem::new(format!("the table has no column `{name}`"), help));
        }
        found
    };
    let (instance_type, cores, memory, region, price) =
        (need("InstanceType"), need("vCPUs"), need("MemoryGiB"), need("Region"), need("Price"));
    Some(Columns {
        instance_type: instance_type?,
        cores: cores?,
        memory: memory?,
        region: region?,
        price: price?,
        spot: find("SpotPrice"),
        arch: find("Arch"),
        gpu_name: find("GpuName"),
        gpu_count: find("GpuCount"),
        network: find("NetworkMbps"),
        nvme: find("LocalNvmeGB"),
        shared: find("SharedCPU"),
        provider: find("Provider"),
    })
}

type Row<'r> = (Draft<'r>, Option<cardinal_models::quantity::Price>);

/// The on-demand offer of a row and its spot price; or the column that is wrong.
fn offer<'r>(record: &'r StringRecord, columns: &Columns) -> Result<Row<'r>, (usize, Problem)> {
    let cell = |column: usize| record.get(column).unwrap_or("").trim();
    let given = |column: Option<usize>| column.map(|c| (c, cell(c))).filter(|(_, text)| !text.is_empty());
    let figure = |column: usize| number(cell(column)).map_err(|p| (column, p));
    let optional = |column: Option<usize>| match given(column) {
        Some((column, _)) => figure(column).map(|x| Some((column, x))),
        None => Ok(None),
    };
    let machine_type = cell(columns.instance_type);
    if machine_type.is_empty() {
        return Err((columns.instance_type, Problem::new("the machine type is missing", "write it, such as m5.large")));
    }
    let region = cell(columns.region);
    let provider = match given(columns.provider) {
        Some((_, provider)) => provider,
        None => provider_of(machine_type, region, columns).ok_or_else(|| {
            let message = format!("the provider of `{machine_type}` in `{region}` cannot be told");
            (columns.region, Problem::new(message, "add a column Provider"))
        })?,
    };
    let mut draft = Draft {
        provider: provider.into(),
        region: region.into(),
        machine_type: machine_type.into(),
        cores: cores(figure(columns.cores)?).map_err(|p| (columns.cores, p))?,
        memory: bytes(figure(columns.memory)?, 1 << 30, "GiB").map_err(|p| (columns.memory, p))?,
        price: price(figure(columns.price)?).map_err(|p| (columns.price, p))?,
        gpus: gpus_by_name(provider, machine_type),
        architecture: architecture_by_name(provider, machine_type),
        ..Draft::default()
    };
    if let Some((_, arch)) = given(columns.arch) {
        draft.architecture = architecture(arch);
    }
    if let Some((column, count)) = optional(columns.gpu_count)? {
        if count.fract() != 0.0 || !(0.0..=1e6).contains(&count) {
            let problem = Problem::new(format!("`{count}` is no number of GPUs"), "write a whole number");
            return Err((column, problem));
        }
        draft.gpus = count as u32;
    }
    if let Some((column, gigabytes)) = optional(columns.nvme)?
        && gigabytes != 0.0
    {
        draft.disk = Some(bytes(gigabytes, 1_000_000_000, "GB").map_err(|p| (column, p))?);
    }
    if let Some((_, name)) = given(columns.gpu_name) {
        draft.labels.push(("gpu", LabelValue::Text(name.into())));
    }
    if let Some((_, mbps)) = optional(columns.network)? {
        draft.labels.push(("network_mbps", LabelValue::Number(mbps)));
    }
    if given(columns.shared).is_some_and(|(_, shared)| shared.eq_ignore_ascii_case("true")) {
        draft.labels.push(("shared_cpu", LabelValue::Text("true".into())));
    }
    let spot = match optional(columns.spot)? {
        Some((column, units)) => Some(price(units).map_err(|p| (column, p))?),
        None => None,
    };
    Ok((draft, spot))
}

fn provider_of(machine_type: &str, region: &str, columns: &Columns) -> Option<&'static str> {
    if machine_type.starts_with("Standard_") || machine_type.starts_with("Basic_") {
        Some("azure")
    } else if columns.shared.is_some() {
        Some("gcp")
    } else {
        location::provider_of_region(region)
    }
}

/// `arm64` where the provider's naming rules say so. Azure: a `p` among the letters after the size
/// (`Standard_D4ps_v5`), or a Grace processor. Google: the families of Axion, Ampere and Grace.
fn architecture_by_name(provider: &str, machine_type: &str) -> &'static str {
    let is_arm = match provider {
        "azure" => {
            let name = machine_type.split_once('_').map_or(machine_type, |(_, name)| name);
            let size = name.split('_').next().unwrap_or("");
            let features = size.trim_start_matches(|c: char| c.is_ascii_uppercase());
            features.contains('p') || machine_type.contains("_GB200") || machine_type.contains("_GB300")
        }
        "gcp" => ["t2a-", "c4a-", "n4a-", "a4x-"].iter().any(|family| machine_type.starts_with(family)),
        _ => false,
    };
    if is_arm { "arm64" } else { "amd64" }
}

/// The GPUs that are part of a Google machine type: `a2-highgpu-4g` has four, the G2 and G4 families a number that
/// depends on the size.
fn gpus_by_name(provider: &str, machine_type: &str) -> u32 {
    if provider != "gcp" {
        return 0;
    }
    let mut parts = machine_type.split('-');
    let (family, size) = (parts.next().unwrap_or(""), parts.nth(1).unwrap_or(""));
    match family {
        "a2" | "a3" | "a4" | "a4x" => size.strip_suffix('g').and_then(|n| n.parse().ok()).unwrap_or(0),
        "g2" => match size {
            "24" => 2,
            "48" => 4,
            "96" => 8,
            _ => 1,
        },
        // Below 48 vCPU a G4 machine has a part of one GPU.
        "g4" => size.parse::<u32>().map_or(0, |cores| cores / 48),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_architecture_and_gpus() {
        for (provider, name, arch) in [
            ("azure", "Standard_D4ps_v5", "arm64"),
            ("azure", "Standard_B2pts_v2", "arm64"),
            ("azure", "Standard_NP10s", "amd64"),
            ("azure", "Standard_F8-2amds_v7", "amd64"),
            ("azure", "Standard_D2s_v3", "amd64"),
            ("gcp", "t2a-standard-4", "arm64"),
            ("gcp", "n2-standard-4", "amd64"),
            ("azure", "", "amd64"),
        ] {
            assert_eq!(architecture_by_name(provider, name), arch, "{name}");
        }
        for (name, gpus) in [
            ("a2-highgpu-4g", 4),
            ("a2-megagpu-16g", 16),
            ("g2-standard-24", 2),
            ("g4-standard-96", 2),
            ("e2-micro", 0),
        ] {
            assert_eq!(gpus_by_name("gcp", name), gpus, "{name}");
        }
    }
}
