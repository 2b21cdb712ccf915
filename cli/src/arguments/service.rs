//! The options of the commands that talk to a running service.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::AnswerForm;

/// Which service, and who asks.
#[derive(Clone, Debug, Args)]
pub struct Remote {
    /// The address of the service
    #[arg(long, value_name = "URL", env = "CARDINAL_URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// The token; a service that was started with --dev needs none
    #[arg(long, value_name = "TOKEN", env = "CARDINAL_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: AnswerForm,
}

/// Submit, list, show, steer and delete the applications of a service.
#[derive(Debug, Subcommand)]
pub enum App {
    /// Submit a model, or replace that of an application that is there
    #[command(after_help = "Example: cardinal app submit examples/smartwe.yaml --replace")]
    Submit {
        /// The model, in any format that the service takes
        model: PathBuf,
        /// Its name; that of the model by default
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Replace the model when there is such an application
        #[arg(long)]
        replace: bool,
        /// Which service.
        #[command(flatten)]
        remote: Remote,
    },
    /// List the applications
    List {
        /// Which service.
        #[command(flatten)]
        remote: Remote,
    },
    /// Show an application: what runs, what it costs, its metrics and the last decision
    Show {
        /// Which
        name: String,
        /// Which service.
        #[command(flatten)]
        remote: Remote,
    },
    /// Take everything of an application down, or let go of it
    Delete {
        /// Which
        name: String,
        /// Leave everything running and only stop looking after it
        #[arg(long)]
        detach: bool,
        /// Which service.
        #[command(flatten)]
        remote: Remote,
    },
    /// Decide now
    Decide {
        /// Which
        name: String,
        /// Which service.
        #[command(flatten)]
        remote: Remote,
    },
    /// Show the settings of an application, or change some
    #[command(after_help = "Example: cardinal app settings shop --change calmer.yaml")]
    Settings {
        /// Which
        name: String,
        /// A file with the settings that change, as YAML or JSON; `null` stands for the default
        #[arg(long, value_name = "FILE")]
        change: Option<PathBuf>,
        /// Which service.
        #[command(flatten)]
        remote: Remote,
    },
    /// Change nothing until it is resumed
    Pause {
        /// Which
        name: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// Which service.
        #[command(flatten)]
        remote: Remote,
    },
    /// Go on after a pause
    Resume {
        /// Which
        name: String,
        /// Which service.
        #[command(flatten)]
        remote: Remote,
    },
}

/// Show, approve and reject plans.
#[derive(Debug, Subcommand)]
pub enum PlanCommand {
    /// Show the plan that is proposed or carried out, or the last one
    Show {
        /// Of which application
        application: String,
        /// Which plan, by its hash
        #[arg(long, value_name = "HASH")]
        plan: Option<String>,
        /// Which service.
        #[command(flatten)]
        remote: Remote,
    },
    /// Have the proposed plan carried out
    Approve {
        /// Of which application
        application: String,
        /// Which plan, by its hash; the proposed one by default
        #[arg(long, value_name = "HASH")]
        plan: Option<String>,
        /// Which service.
        #[command(flatten)]
        remote: Remote,
    },
    /// Refuse the proposed plan
    Reject {
        /// Of which application
        application: String,
        /// Which plan, by its hash; the proposed one by default
        #[arg(long, value_name = "HASH")]
        plan: Option<String>,
        /// Which service.
        #[command(flatten)]
        remote: Remote,
    },
}

/// List the decisions of an application, the latest last, or show one with its reasons.
#[derive(Debug, Args)]
#[command(after_help = "Example: cardinal decisions shop\n         cardinal decisions shop 17 --output yaml")]
pub struct Decisions {
    /// Of which application
    pub application: String,
    /// Which one, by its number
    pub number: Option<i64>,
    /// How many
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub limit: u32,
    /// Which service.
    #[command(flatten)]
    pub remote: Remote,
}

/// Follow what happens, as it happens.
#[derive(Debug, Args)]
pub struct WatchCommand {
    /// Of which application; of all by default
    pub application: Option<String>,
    /// From after this event on; from now on by default
    #[arg(long, value_name = "NUMBER")]
    pub after: Option<i64>,
    /// End after an event of this kind, such as `plan-ended`
    #[arg(long, value_name = "KIND")]
    pub until: Option<String>,
    /// Which service.
    #[command(flatten)]
    pub remote: Remote,
}

/// Send values of metrics, or show what is known.
#[derive(Debug, Subcommand)]
pub enum Metrics {
    /// Send values, measured now
    #[command(after_help = "Example: cardinal metrics push shop requests=260 memory_used=97")]
    Push {
        /// Of which application
        application: String,
        /// `NAME=VALUE`, each in the unit of the metric
        #[arg(required = true, value_name = "NAME=VALUE")]
        values: Vec<String>,
        /// Which service.
        #[command(flatten)]
        remote: Remote,
    },
    /// Show the values with their age and quality
    Show {
        /// Of which application
        application: String,
        /// Which service.
        #[command(flatten)]
        remote: Remote,
    },
}
