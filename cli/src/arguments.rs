//! The command line.

pub mod serve;
pub mod service;
pub mod simulate;

use std::path::PathBuf;
use std::time::Duration;

use cardinal_interop::Format;
use cardinal_interop::catalog::CatalogFormat;
use cardinal_models::unit::{conversion, parse_quantity, parse_unit};
use clap::{Args, Parser, Subcommand, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  cardinal solve examples/smartwe.yaml
  cardinal solve model.yaml --metric requests=260 --metric rt=120ms --current running.json
  cardinal solve model.xmi --catalog prices.csv --time-limit 1min --gap 1% --output json
  cardinal explain model.yaml --why-not 'web on c5.xlarge x 3'
  cardinal what-if model.yaml --set requests=2x --without region=eu-west-1
  cardinal pareto model.yaml --objective 'minimize total_cost' --objective 'minimize latency'
  cardinal check *.yaml
  cardinal catalog show --region DE --cores '>= 4' --sort price

Exit status: 0 solved within the asked gap; 1 internal failure; 2 bad usage or invalid input; 3 no admissible
placement exists; 4 a limit was reached before the asked gap (the best found is printed).";

/// The proven best placement of an application: how many instances of each component, on which machines
#[derive(Debug, Parser)]
#[command(name = "cardinal", version, after_help = EXAMPLES, propagate_version = true, max_term_width = 100)]
pub struct Arguments {
    /// When to use colours; `auto` is on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find the best placement of an application, with proof
    Solve(Solve),
    /// Solve the jobs that come on standard input, each a line of JSON, for a parent that limits and watches
    #[command(after_help = SOLVE_WORKER_HELP)]
    SolveWorker(SolveWorker),
    /// Say why the best placement is what it is: term by term, rule by rule, offer by offer
    Explain(Explain),
    /// Ask what would be if metrics, prices, offers or rules were different: compare scenarios, sweep ranges
    WhatIf(Box<WhatIf>),
    /// Run the loop against a simulated cloud in virtual time: load, faults, lost nodes, deaths of the process
    Simulate(Box<simulate::Simulate>),
    /// Keep applications at their optimal deployments, over REST: the service
    Serve(Box<serve::Serve>),
    /// Check and show the configuration of the service
    Config {
        /// What to do.
        #[command(subcommand)]
        command: serve::Config,
    },
    /// Make, list and revoke the tokens of the service
    Token {
        /// What to do.
        #[command(subcommand)]
        command: serve::Token,
    },
    /// Submit, list, show, steer and delete the applications of a service
    App {
        /// What to do.
        #[command(subcommand)]
        command: service::App,
    },
    /// Show, approve and reject the plans of a service
    Plan {
        /// What to do.
        #[command(subcommand)]
        command: service::PlanCommand,
    },
    /// List the decisions of a service about an application, or show one with its reasons
    Decisions(service::Decisions),
    /// Follow what happens in a service, as it happens
    Watch(service::WatchCommand),
    /// Send values of metrics to a service, or show what it knows
    Metrics {
        /// What to do.
        #[command(subcommand)]
        command: service::Metrics,
    },
    /// Make a stored decision of the service again, from everything that it depended on
    Replay(serve::Replay),
    /// Find the Pareto front of two objectives, such as cost against latency: every point proven
    Pareto(Box<Pareto>),
    /// Report every mistake of a model, with its place and the mend
    Check(Check),
    /// Write a model of any known format as native YAML
    Convert(Convert),
    /// Print the JSON Schema of a file, for editors and validators
    Schema(Schema),
    /// Show, import and convert catalogs of offers
    Catalog {
        /// What to do.
        #[command(subcommand)]
        command: Catalog,
    },
    /// Print the completions for a shell
    #[command(after_help = "Example: cardinal completions bash > ~/.local/share/bash-completion/completions/cardinal")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the man page
    #[command(hide = true)]
    Man {
        /// Of one command
        command: Option<String>,
    },
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Makes it the choice for everything that is printed from now on.
    pub fn apply(self) {
        match self {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

const SOLVE_EXAMPLES: &str = "\
Examples:
  cardinal solve examples/smartwe.yaml
  cardinal solve examples/smartwe.yaml --metric memory_used=97 --metric requests=260/s
  cardinal solve model.yaml --output json > running.json
  cardinal solve model.yaml --current running.json --metric rt=120ms
  generate-model | cardinal solve - --catalog prices.csv --gap 0.1% --time-limit 30s";

/// Find the best placement of an application, with proof.
#[derive(Debug, Args)]
#[command(after_help = SOLVE_EXAMPLES)]
pub struct Solve {
    /// What is asked.
    #[command(flatten)]
    pub question: Question,
    /// Leave out why the answer is what it is, which takes time to find out
    #[arg(long)]
    pub no_explain: bool,
    /// Solve in a process of its own, which is ended when it is over its time; a crash of the engine then leaves the
    /// best answer that was known
    #[arg(long)]
    pub isolated: bool,
    /// The most memory (address space) that this process may have, such as `2 GiB`
    #[arg(long, value_name = "SIZE", requires = "isolated", value_parser = memory_limit)]
    pub memory_limit: Option<u64>,
}

const SOLVE_WORKER_HELP: &str = "\
A request is `{\"solve\": JOB}` or `\"cancel\"`; JOB has `model` {name, text} and, as it likes, `from`, `catalogs`
(`\"builtin\"` or {\"text\": {name, text}}), `metrics` [NAME=VALUE], `maximize`, `minimize`, `current` {name, text},
`time_limit_ms`, `gap`, `explain` and `form` (`json`, `yaml`, `table`). Messages on standard output are lines too:
{\"phase\": ...}, {\"incumbent\": ANSWER}, {\"answer\": ANSWER}, where ANSWER has `exit` and `text`. The worker ends when
its standard input ends, at once when a job is under way.";

/// Solve the jobs that come on standard input.
#[derive(Debug, Args)]
pub struct SolveWorker {
    /// The most memory (address space) that the process may have, such as `2 GiB`
    #[arg(long, value_name = "SIZE", value_parser = memory_limit)]
    pub memory_limit: Option<u64>,
}

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  cardinal explain examples/smartwe.yaml
  cardinal explain examples/smartwe.yaml --why-not 'smart_design on t3.medium x 3'
  cardinal explain model.yaml --why-not 'web on aws/eu-west-1/* and database on aws/eu-west-1/*'
  cardinal explain model.yaml --current running.json --output json";

/// Say why the best placement is what it is.
#[derive(Debug, Args)]
#[command(after_help = EXPLAIN_EXAMPLES)]
pub struct Explain {
    /// What is asked.
    #[command(flatten)]
    pub question: Question,
    /// Force another placement and show what it costs, or which rules exclude it: `COMPONENT on OFFER x NUMBER`, several
    /// joined by `and`; OFFER is an id, a machine type, a provider or a place, and `*` stands for any characters; may be
    /// repeated, each for itself
    #[arg(long, value_name = "ALTERNATIVE")]
    pub why_not: Vec<String>,
}

/// What is asked of the solver, and in which form it answers.
#[derive(Debug, Args)]
pub struct Question {
    /// What is asked.
    #[command(flatten)]
    pub inputs: Inputs,
    /// How to write the answer
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub output: AnswerForm,
}

/// What is asked of the solver.
#[derive(Debug, Args)]
pub struct Inputs {
    /// The model: native YAML or JSON, CAMEL or CP XMI, SAGE JSON, tables of choices in JSON; `-` for standard input
    pub model: PathBuf,
    /// Take the model for this format instead of recognising it
    #[arg(long, value_name = "FORMAT", value_parser = format_parser())]
    pub from: Option<Format>,
    /// Offers to choose from; may be repeated, later files win; `builtin` is the built-in one, which is also used when
    /// none is given
    #[arg(long = "catalog", value_name = "FILE")]
    pub catalogs: Vec<PathBuf>,
    /// Latency and egress prices between places, a table with the columns from, to, latency_ms and egress_price_per_gb;
    /// may be repeated, later files win over the built-in figures and those of catalogs
    #[arg(long, value_name = "FILE")]
    pub network: Vec<PathBuf>,
    /// The value of a metric, in the metric's unit or with one: `requests=260`, `rt=120ms`; may be repeated
    #[arg(long = "metric", value_name = "NAME=VALUE")]
    pub metrics: Vec<String>,
    /// What is best, instead of the utility of the model: the larger the better; such as `web.cores / total_cost`
    #[arg(long, value_name = "FORMULA", conflicts_with = "minimize", allow_hyphen_values = true)]
    pub maximize: Option<String>,
    /// What is best, instead of the utility of the model: the smaller the better
    #[arg(long, value_name = "FORMULA", allow_hyphen_values = true)]
    pub minimize: Option<String>,
    /// What runs now: a deployment file, or the JSON or YAML answer of an earlier solve
    #[arg(long, value_name = "DEPLOYMENT")]
    pub current: Option<PathBuf>,
    /// The longest time to solve, such as `500ms`, `2min`; `none` for no limit
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time_limit)]
    pub time_limit: TimeLimit,
    /// Stop when the answer is proven to be this close to the best: `0.01` or `1%`
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = gap)]
    pub gap: f64,
}

const WHAT_IF_EXAMPLES: &str = "\
Examples:
  cardinal what-if examples/webshop.yaml --set arrival_rate=2x --price 'aws/*=+20%'
  cardinal what-if examples/webshop.yaml --without region=eu-west-1 --current running.json
  cardinal what-if examples/webshop.yaml --scenarios examples/scenarios/webshop.yaml
  cardinal what-if examples/webshop.yaml --sweep arrival_rate=100..2000:log:50 --plot rate.svg
  cardinal what-if examples/webshop.yaml --sweep arrival_rate=100..2000:20 --sweep 'price:gcp/*=-20%..+60%:9' --output csv

A CHANGE of a number is a value (`500`, `8 GB`), a factor (`2x`), a share (`+20%`, `-5%`) or what is added (`+=50`).
OFFERS are an id, a machine type, a provider or a place, or FIELD=PATTERN with provider, region, country, type, purchase,
cloud, architecture or id; `*` stands for any characters, and parts joined by commas must all hold.

Exit status: 0 everything was settled; 1 internal failure; 2 bad usage or invalid input; 3 no scenario has a placement;
4 a limit was reached or Ctrl-C pressed (what is known by then is printed).";

/// Ask what would be if something were different.
#[derive(Debug, Args)]
#[command(after_help = WHAT_IF_EXAMPLES)]
pub struct WhatIf {
    /// What is asked.
    #[command(flatten)]
    pub inputs: Inputs,
    /// Change the value of a metric or of a constant, such as a weight; may be repeated, like all changes
    #[arg(long, value_name = "NAME=CHANGE")]
    pub set: Vec<String>,
    /// Change the prices of offers: `aws/*=+20%`, `provider=gcp,purchase=spot=2x`
    #[arg(long, value_name = "OFFERS=CHANGE")]
    pub price: Vec<String>,
    /// Do without these offers; what runs on them has vanished
    #[arg(long, value_name = "OFFERS")]
    pub without: Vec<String>,
    /// Use only these offers; repeated, any of them
    #[arg(long, value_name = "OFFERS")]
    pub only: Vec<String>,
    /// Change the limit of a constraint, an SLO, the budget or a quota (`QUOTA.nodes` for one of several), what a
    /// commitment covers, how a component is divided (`spot of web`), or the penalty of a soft constraint (`NAME.penalty`)
    #[arg(long, value_name = "NAME=CHANGE")]
    pub limit: Vec<String>,
    /// Change how many instances a component may have: `web=2..10`
    #[arg(long, value_name = "COMPONENT=RANGE")]
    pub cardinality: Vec<String>,
    /// Leave out a constraint, an SLO, a structural rule, a quota or a commitment, or `spot of web` and the like
    #[arg(long, value_name = "NAME")]
    pub drop: Vec<String>,
    /// Compare the scenarios of a file, each with the model as it is
    #[arg(long, value_name = "FILE")]
    pub scenarios: Vec<PathBuf>,
    /// Sweep a metric, a constant, `price:OFFERS`, `limit:NAME` or `cardinality:COMPONENT` over a range, after the other
    /// changes; `:log` for equal factors, `:STEPS` for how many points; twice for a grid
    #[arg(long, value_name = "WHAT=LOW..HIGH[:log][:STEPS]", conflicts_with = "scenarios")]
    pub sweep: Vec<String>,
    /// Draw the sweep into this file, SVG or PNG by its ending
    #[arg(long, value_name = "FILE", requires = "sweep")]
    pub plot: Option<PathBuf>,
    /// Do not look for the exact values at which the decision changes
    #[arg(long, requires = "sweep")]
    pub no_breaks: bool,
    /// How many solves run at a time [default: as many as there are processors]
    #[arg(short, long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// The longest time for everything, such as `1min`; `none` for no limit
    #[arg(long, value_name = "TIME", default_value = "none", value_parser = time_limit)]
    pub total_time: TimeLimit,
    /// How to write the answer
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub output: TableForm,
}

const PARETO_EXAMPLES: &str = "\
Examples:
  cardinal pareto examples/webshop.yaml --objective 'minimize total_cost' --objective 'minimize response_time'
  cardinal pareto model.yaml --points 50 --resolution 1% --plot front.svg
  cardinal pareto model.yaml --objective utility --objective 'maximize web.cardinality' --output csv

An objective is `minimize FORMULA`, `maximize FORMULA`, or `utility` for that of the model with what its soft constraints
cost; without any, the total cost against the utility.

Exit status: 0 every point that was asked for is proven; 1 internal failure; 2 bad usage or invalid input; 3 no admissible
placement exists; 4 a limit was reached or Ctrl-C pressed (the points so far are printed, each of them proven).";

/// Find the Pareto front of two objectives.
#[derive(Debug, Args)]
#[command(after_help = PARETO_EXAMPLES)]
pub struct Pareto {
    /// What is asked.
    #[command(flatten)]
    pub inputs: Inputs,
    /// One of the two objectives: `minimize FORMULA`, `maximize FORMULA` or `utility`; give it twice
    #[arg(long, value_name = "OBJECTIVE", allow_hyphen_values = true)]
    pub objective: Vec<String>,
    /// At most so many points, spread over the front
    #[arg(long, value_name = "NUMBER", default_value = "20", value_parser = clap::value_parser!(u16).range(2..=10_000))]
    pub points: u16,
    /// No points that are closer to each other than this share of the range of the second objective: `0.01` or `1%`
    #[arg(long, value_name = "SHARE", default_value = "0.000001", value_parser = gap)]
    pub resolution: f64,
    /// Draw the front into this file, SVG or PNG by its ending
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// How many solves run at a time [default: as many as there are processors]
    #[arg(short, long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// The longest time for everything, such as `1min`; `none` for no limit
    #[arg(long, value_name = "TIME", default_value = "none", value_parser = time_limit)]
    pub total_time: TimeLimit,
    /// How to write the answer
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub output: TableForm,
}

/// The form of an answer that is a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TableForm {
    /// For people.
    #[default]
    Table,
    /// For spreadsheets.
    Csv,
    /// For programs.
    Json,
    /// The same as JSON, in YAML.
    Yaml,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum AnswerForm {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
    /// The same as JSON, in YAML.
    Yaml,
}

/// Report every mistake of models and policies, with its place and the mend.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cardinal check examples/*.yaml --output json\n  cardinal check --policy examples/policies/only-germany.cedar"
)]
pub struct Check {
    /// The models; `-` for standard input
    #[arg(required_unless_present = "policies", value_name = "MODEL")]
    pub models: Vec<PathBuf>,
    /// Cedar policies that plans are judged by; may be repeated
    #[arg(long = "policy", value_name = "FILE")]
    pub policies: Vec<PathBuf>,
    /// Take the models for this format instead of recognising it
    #[arg(long, value_name = "FORMAT", value_parser = format_parser())]
    pub from: Option<Format>,
    /// How to write the findings
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub output: ReportForm,
}

/// The form of findings and reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportForm {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Write a model of any known format as native YAML.
#[derive(Debug, Args)]
#[command(after_help = "Example: cardinal convert model.xmi -o model.yaml")]
pub struct Convert {
    /// The model; `-` for standard input
    pub model: PathBuf,
    /// Take the model for this format instead of recognising it
    #[arg(long, value_name = "FORMAT", value_parser = format_parser())]
    pub from: Option<Format>,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How to write, on standard error, what was decided and left out
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub report: ReportForm,
}

/// Print the schema of a file: a JSON Schema, or for policies a Cedar schema.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cardinal schema > cardinal.schema.json\n  cardinal schema scenario\n  cardinal schema policy"
)]
pub struct Schema {
    /// Of which file [default: model]
    #[arg(value_enum, value_name = "FILE")]
    pub file: Option<SchemaOf>,
    /// The same
    #[arg(long, value_enum, hide = true, conflicts_with = "file")]
    pub of: Option<SchemaOf>,
}

/// Files that have a schema.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum SchemaOf {
    /// The application model.
    #[default]
    Model,
    /// The running deployment, for `--current`.
    Deployment,
    /// Scenarios, for `what-if --scenarios`.
    Scenario,
    /// Policies, for `check --policy` and `simulate --policy`: what they can ask about.
    Policy,
}

/// Show, import and convert catalogs of offers.
#[derive(Debug, Subcommand)]
pub enum Catalog {
    /// List offers
    Show(CatalogShow),
    /// Write catalogs of any known form as one native catalog
    Import(CatalogImport),
    /// Write a catalog with its prices in another currency
    Convert(CatalogConvert),
    /// Show what is known of the network: routes, or latency and egress prices between places
    Network(CatalogNetwork),
}

const NETWORK_EXAMPLES: &str = "\
Examples:
  cardinal catalog network
  cardinal catalog network eu-central-1 us-east-1 westeurope
  cardinal catalog network aws/eu-central-1 openstack/RegionOne --network measured.csv --output csv";

/// Show the network.
#[derive(Debug, Args)]
#[command(after_help = NETWORK_EXAMPLES)]
pub struct CatalogNetwork {
    /// Places, `provider/region` or a region: what is known between each two of them; none for all routes
    pub places: Vec<String>,
    /// Catalogs whose places and routes count; the built-in one when none is given
    #[arg(long = "catalog", value_name = "FILE")]
    pub catalogs: Vec<PathBuf>,
    /// Further routes, as in `solve --network`; may be repeated
    #[arg(long, value_name = "FILE")]
    pub network: Vec<PathBuf>,
    /// How to write the answer
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub output: CatalogForm,
}

const SHOW_EXAMPLES: &str = "\
Examples:
  cardinal catalog show --region DE --cores '>= 4' --memory '8 GiB..16 GiB'
  cardinal catalog show prices.csv --provider aws --machine-type 'm5.*' --sort memory --limit 0";

/// List offers.
#[derive(Debug, Args)]
#[command(after_help = SHOW_EXAMPLES)]
pub struct CatalogShow {
    /// The catalogs; none for the built-in one
    pub files: Vec<PathBuf>,
    /// Only this provider; `*` stands for any characters
    #[arg(long, value_name = "PATTERN")]
    pub provider: Option<String>,
    /// Only offers that lie there: a zone, region, country or continent
    #[arg(long, value_name = "PLACE")]
    pub region: Option<String>,
    /// Only this machine type; `*` stands for any characters
    #[arg(long, value_name = "PATTERN")]
    pub machine_type: Option<String>,
    /// Only so many vCPU: `4`, `2..8`, `>= 4`
    #[arg(long, value_name = "NUMBER")]
    pub cores: Option<String>,
    /// Only so much memory: `8 GiB`, `>= 8 GiB`
    #[arg(long, value_name = "AMOUNT")]
    pub memory: Option<String>,
    /// Only offers that are bought like this
    #[arg(long, value_name = "PURCHASE", value_parser = ["on-demand", "spot", "reserved"])]
    pub purchase: Option<String>,
    /// Show at most so many, 0 for all [default: 20 in a table, all otherwise]
    #[arg(long, value_name = "NUMBER")]
    pub limit: Option<usize>,
    /// In which order
    #[arg(long, value_enum, default_value_t)]
    pub sort: Sort,
    /// How to write them
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub output: CatalogForm,
}

/// The order of offers, ascending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// By price.
    #[default]
    Price,
    /// By vCPU, then price.
    Cores,
    /// By memory, then price.
    Memory,
    /// By id.
    Id,
}

/// The form of a list of offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CatalogForm {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
    /// A native catalog.
    Csv,
}

/// Write catalogs of any known form as one native catalog.
#[derive(Debug, Args)]
#[command(after_help = "Example: cardinal catalog import node-candidates.json -o offers.yaml")]
pub struct CatalogImport {
    /// The catalogs; later ones win where an id occurs twice
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Take the files for this form instead of recognising it
    #[arg(long, value_name = "FORM", value_parser = catalog_format_parser())]
    pub from: Option<CatalogFormat>,
    /// Write to this file instead of standard output: YAML for `.yaml` and `.yml`, CSV otherwise
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Write a catalog with its prices in another currency.
#[derive(Debug, Args)]
#[command(after_help = "Example: cardinal catalog convert prices.csv --currency EUR --rate 0.92 -o prices-eur.csv")]
pub struct CatalogConvert {
    /// The catalog; `builtin` for the built-in one
    pub file: PathBuf,
    /// The currency to convert to
    #[arg(long, value_name = "CODE")]
    pub currency: String,
    /// How much of it one unit of the catalog's currency is worth
    #[arg(long)]
    pub rate: f64,
    /// Write to this file instead of standard output: YAML for `.yaml` and `.yml`, CSV otherwise
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// The longest time to solve; `None` for no limit.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimit(pub Option<Duration>);

fn time_limit(text: &str) -> Result<TimeLimit, String> {
    if text == "none" {
        return Ok(TimeLimit(None));
    }
    let (value, unit) = parse_quantity(text)?;
    let second = parse_unit("s")?;
    let factor = conversion(unit.unwrap_or(second), second).ok_or("write a time such as `500ms`, `10s` or `2min`")?;
    let seconds = value * factor;
    match Duration::try_from_secs_f64(seconds) {
        Ok(limit) if !limit.is_zero() => Ok(TimeLimit(Some(limit))),
        _ => Err("the time must be above zero; `none` is no limit".to_owned()),
    }
}

/// The least address space in which a worker starts and solves a small model, in bytes.
const MEMORY_BYTES_MIN: u64 = 256 << 20;

/// An amount of memory, in bytes.
fn memory_limit(text: &str) -> Result<u64, String> {
    let (value, unit) = parse_quantity(text)?;
    let byte = parse_unit("B")?;
    let factor = unit.and_then(|unit| conversion(unit, byte)).ok_or("write an amount such as `2 GiB` or `800 MB`")?;
    let bytes = value * factor;
    if !(MEMORY_BYTES_MIN as f64..=u64::MAX as f64).contains(&bytes) {
        return Err(format!("a solve needs {} MiB at least", MEMORY_BYTES_MIN >> 20));
    }
    Ok(bytes as u64)
}

fn gap(text: &str) -> Result<f64, String> {
    let (digits, factor) = match text.trim().strip_suffix('%') {
        Some(percent) => (percent.trim(), 0.01),
        None => (text.trim(), 1.0),
    };
    let value: f64 = digits.parse().map_err(|_| "write a share such as `0.01` or `1%`".to_owned())?;
    if !value.is_finite() || value < 0.0 {
        return Err("the gap is zero or more".to_owned());
    }
    Ok(value * factor)
}

fn format_parser() -> impl clap::builder::TypedValueParser<Value = Format> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};
    // The parser lets only known names pass.
    PossibleValuesParser::new(Format::ALL.map(Format::name)).map(|name| Format::named(&name).unwrap_or(Format::Native))
}

fn catalog_format_parser() -> impl clap::builder::TypedValueParser<Value = CatalogFormat> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};
    // The parser lets only known names pass.
    PossibleValuesParser::new(CatalogFormat::ALL.map(CatalogFormat::name))
        .map(|name| CatalogFormat::named(&name).unwrap_or(CatalogFormat::NativeCsv))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn reads_amounts_of_memory() {
        assert_eq!(memory_limit("2 GiB"), Ok(2 << 30));
        assert_eq!(memory_limit("300MB"), Ok(300_000_000));
        assert!(memory_limit("2").is_err() && memory_limit("10 MiB").is_err() && memory_limit("2 s").is_err());
    }

    #[test]
    fn reads_times_and_shares() {
        let seconds = |text: &str| time_limit(text).map(|t| t.0.map(|d| d.as_secs_f64()));
        assert_eq!(seconds("500ms"), Ok(Some(0.5)));
        assert_eq!(seconds("2min"), Ok(Some(120.0)));
        assert_eq!(seconds("3"), Ok(Some(3.0)));
        assert_eq!(seconds("none"), Ok(None));
        assert!(seconds("0").is_err() && seconds("-1s").is_err() && seconds("3 GB").is_err() && seconds("x").is_err());
        assert_eq!(gap("1%"), Ok(0.01));
        assert_eq!(gap("0.001"), Ok(0.001));
        assert!(gap("-1").is_err() && gap("NaN").is_err() && gap("").is_err());
    }
}
