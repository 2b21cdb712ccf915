//! The options of `cardinal simulate`.

use std::path::PathBuf;
use std::time::Duration;

use cardinal_adapter::authorise::Zone;
use cardinal_control::Mode;
use cardinal_interop::Format;
use clap::{Args, ValueEnum};

use super::{AnswerForm, TimeLimit, format_parser, gap, time_limit};

const EXAMPLES: &str = "\
Examples:
  cardinal simulate examples/smartwe.yaml --load requests=80..260 --load memory_used=120..320/smart_design
  cardinal simulate model.yaml --trace load.csv --duration 3d --faults 5% --losses 0.5
  cardinal simulate model.yaml --load requests=100..900:6h --seeds 1..200 --crashes 2% --output json
  cardinal simulate examples/match-day.yaml --trace requests.csv --column requests=count --compare --plot day.svg
  cardinal simulate model.yaml --policy examples/policies/working-hours.cedar --time-zone Europe/Berlin

A LOAD is NAME=VALUE or NAME=LOW..HIGH[:PERIOD], a wave that is lowest at the start; with /COMPONENT the value is spread
over the serving instances of a component, and what is measured is one instance's part. A trace is a CSV whose first
column is the time, in seconds, as `minute` or as dates such as `1998-06-10 21:30:00`, and whose other columns are named
like metrics, or by --column.

--compare runs the whole loop with and without forecasts, and counts out beside it what threshold autoscalers, as many
instances as the peak needs, and hindsight come to on the machine of the loop's answer to the median load.

Exit status: 0 every invariant held; 1 one did not (the seed repeats the run); 2 bad usage or invalid input.";

/// Run the loop against a simulated cloud in virtual time.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Simulate {
    /// The model, in any known format; `-` for standard input
    #[arg(required_unless_present = "model_option", conflicts_with = "model_option")]
    pub model: Option<PathBuf>,
    /// The model, in any known format; the same as giving it without an option
    #[arg(long = "model", value_name = "MODEL")]
    pub model_option: Option<PathBuf>,
    /// Take the model for this format instead of recognising it
    #[arg(long, value_name = "FORMAT", value_parser = format_parser())]
    pub from: Option<Format>,
    /// Offers to choose from; may be repeated; the built-in ones when none are given
    #[arg(long = "catalog", value_name = "FILE")]
    pub catalogs: Vec<PathBuf>,
    /// What a metric does over time; may be repeated
    #[arg(long = "load", value_name = "LOAD")]
    pub loads: Vec<String>,
    /// Recorded values of metrics, as CSV
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// A metric and the column of the trace that it is in; may be repeated [default: columns named like metrics]
    #[arg(long = "column", value_name = "METRIC=COLUMN", requires = "trace", value_parser = column)]
    pub columns: Vec<(String, String)>,
    /// Pass over so much of the trace
    #[arg(long, value_name = "TIME", requires = "trace", value_parser = time_limit)]
    pub skip: Option<TimeLimit>,
    /// Run the load also without forecasts, against threshold autoscalers, against its peak all the time and in hindsight
    #[arg(long, conflicts_with = "seeds")]
    pub compare: bool,
    /// The targets of the threshold autoscalers, of the capacity of an instance
    #[arg(long, value_name = "SHARES", default_value = "60%,70%,75%", value_delimiter = ',', value_parser = gap)]
    pub targets: Vec<f64>,
    /// The part of an instance's capacity at which the model's rules are broken
    #[arg(long, value_name = "SHARE", default_value = "85%", value_parser = gap)]
    pub limit: f64,
    /// From an order to the moment at which a machine serves [default: 50 to 150 seconds, by machine type]
    #[arg(long, value_name = "TIME", value_parser = time_limit)]
    pub start_up: Option<TimeLimit>,
    /// What an hour in violation costs, in the currency of the catalog: forecasts the loads of the model that name none
    #[arg(long, value_name = "PRICE")]
    pub violation: Option<f64>,
    /// Draw load, capacity and cost over time into this SVG or PNG
    #[arg(long, value_name = "FILE", requires = "compare")]
    pub plot: Option<PathBuf>,
    /// Each value differs from its course by up to this share
    #[arg(long, value_name = "SHARE", default_value = "3%", value_parser = gap)]
    pub noise: f64,
    /// How much virtual time passes
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = time_limit)]
    pub duration: TimeLimit,
    /// The seed of everything that is drawn
    #[arg(long, value_name = "NUMBER", default_value_t = 1, conflicts_with = "seeds")]
    pub seed: u64,
    /// Run once for each of these seeds, and show each in a line
    #[arg(long, value_name = "FIRST..LAST", value_parser = seeds)]
    pub seeds: Option<(u64, u64)>,
    /// The share of calls to the cloud that go wrong, in all ways together
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = gap)]
    pub faults: f64,
    /// Nodes that are lost in an hour, on average
    #[arg(long, value_name = "NUMBER", default_value_t = 0.0)]
    pub losses: f64,
    /// The share of steps at which the process dies and begins again
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = gap)]
    pub crashes: f64,
    /// What may happen without a person
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    pub mode: ModeChoice,
    /// Cedar policies that every plan is judged by, beside those of the settings; may be repeated
    #[arg(long = "policy", value_name = "FILE")]
    pub policies: Vec<PathBuf>,
    /// The time zone of the local time that policies see [default: that of the settings, or UTC]
    #[arg(long, value_name = "ZONE", value_parser = Zone::named)]
    pub time_zone: Option<Zone>,
    /// Settings of the loop and the gate, as YAML or JSON; what the file does not say is as by default
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Print all settings as YAML, to begin such a file with, and simulate nothing
    #[arg(long)]
    pub show_settings: bool,
    /// How to write the answer
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub output: AnswerForm,
}

/// What may happen without a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ModeChoice {
    /// Nothing: decide and record.
    Observe,
    /// Apply what passes the gate and is small.
    AutomaticSmall,
    /// Apply what passes the gate.
    #[default]
    Automatic,
}

impl From<ModeChoice> for Mode {
    fn from(choice: ModeChoice) -> Self {
        match choice {
            ModeChoice::Observe => Mode::Observe,
            ModeChoice::AutomaticSmall => Mode::AutomaticSmall,
            ModeChoice::Automatic => Mode::Automatic,
        }
    }
}

fn column(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((metric, column)) if !metric.trim().is_empty() && !column.trim().is_empty() => {
            Ok((metric.trim().trim_matches('`').to_owned(), column.trim().to_owned()))
        }
        _ => Err("write a metric and the column that it is in, such as `requests=count`".to_owned()),
    }
}

/// The longest that is simulated.
const DURATION_MAX: Duration = Duration::from_secs(366 * 86_400);

impl Simulate {
    /// Where the model is.
    pub fn model(&self) -> &std::path::Path {
        // One of the two is required.
        self.model.as_deref().or(self.model_option.as_deref()).unwrap_or(std::path::Path::new("-"))
    }

    /// The virtual time in milliseconds.
    pub fn duration_ms(&self) -> Option<u64> {
        let duration = self.duration.0.filter(|d| *d <= DURATION_MAX)?;
        u64::try_from(duration.as_millis()).ok().filter(|ms| *ms > 0)
    }
}

fn seeds(text: &str) -> Result<(u64, u64), String> {
    let range = text.split_once("..").and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
    match range {
        Some((first, last)) if first <= last && last - first < 100_000 => Ok((first, last)),
        _ => Err("write the first and the last seed, such as `1..200`".to_owned()),
    }
}
