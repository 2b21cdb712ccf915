//! The options of `cardinal serve`, `cardinal token` and `cardinal replay`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{AnswerForm, TimeLimit, memory_limit, time_limit};

const SERVE_EXAMPLES: &str = "\
Examples:
  cardinal serve --dev
  cardinal token create ann --scope operator && cardinal serve
  cardinal serve --database postgres://cardinal@db/cardinal --listen 0.0.0.0:8443 --tls-certificate cert.pem --tls-key key.pem

The pages are at /docs, the description of all resources at /openapi.json, figures for Prometheus at /metrics.
SIGTERM or Ctrl-C stops taking requests, lets those under way end, and gives the applications to other replicas.
Credentials of drivers are encrypted with the key in CARDINAL_SECRET_KEY (32 bytes in base64; several, separated by commas,
to change it), in the file that --secret-key-file names, or in one that is made beside the SQLite file.

Exit status: 0 stopped when asked; 1 internal failure; 2 bad usage, or the database or the address cannot be used.";

/// Where the service keeps everything.
#[derive(Clone, Debug, Args)]
pub struct Database {
    /// An SQLite file, or `postgres://USER@HOST/NAME` for several replicas
    #[arg(long, value_name = "URL", env = "CARDINAL_DATABASE", default_value = "cardinal.db", hide_env_values = true)]
    pub database: String,
    /// A file with the key that credentials are encrypted with, instead of CARDINAL_SECRET_KEY
    #[arg(long, value_name = "FILE")]
    pub secret_key_file: Option<PathBuf>,
    // Not told as an option: the arguments of a process can be seen by everybody on the machine.
    #[arg(long = "secret-key", env = "CARDINAL_SECRET_KEY", hide = true, hide_env_values = true)]
    secret_key: Option<String>,
}

impl Database {
    /// The keys that the environment gives.
    pub fn secret_key(&self) -> Option<&str> {
        self.secret_key.as_deref()
    }
}

/// Keep applications at their optimal deployments, over REST.
#[derive(Debug, Args)]
#[command(after_help = SERVE_EXAMPLES)]
pub struct Serve {
    /// Where everything is kept.
    #[command(flatten)]
    pub database: Database,
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Let everybody on this machine do everything, without a token; on loopback addresses only
    #[arg(long)]
    pub dev: bool,
    /// The certificate chain, PEM, the server's own first
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// The private key of the certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
    /// The name of this replica in logs and leases; by default the name of the machine
    #[arg(long, value_name = "NAME")]
    pub replica: Option<String>,
    /// How long a lease lasts: after a crash another replica takes over within this time
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = time_limit)]
    pub lease: TimeLimit,
    /// How many decisions are made at a time; by default one for each processor
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub solvers: Option<u16>,
    /// The most memory (address space) that a worker process may have
    #[arg(long, value_name = "SIZE", default_value = "4 GiB", value_parser = memory_limit)]
    pub memory_limit: u64,
    /// How fast the simulated cloud is: 60 lets an hour pass in a minute
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = speed)]
    pub cloud_speed: f64,
    /// Serve requests only; other replicas lead the applications
    #[arg(long)]
    pub no_loop: bool,
    /// What is logged: `error`, `warn`, `info`, `debug`, `trace`, or parts such as `cardinal_control=debug`
    #[arg(long, value_name = "FILTER", env = "CARDINAL_LOG", default_value = "info")]
    pub log: String,
    /// How it is logged
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub log_form: LogForm,
}

fn speed(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|factor: &f64| (0.001..=1e6).contains(factor));
    factor.ok_or_else(|| "write a number from 0.001 to 1000000".to_owned())
}

/// How the service logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogForm {
    /// Lines for people.
    #[default]
    Text,
    /// Lines of JSON.
    Json,
}

/// Make, list and revoke the tokens of the service.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token and print it; it is not shown again
    #[command(after_help = "Example: cardinal token create ann --scope operator --application shop --expires 90d")]
    Create {
        /// Whose or what for
        name: String,
        /// What it may do: a viewer reads, an operator also submits and steers applications, an admin also makes tokens,
        /// catalogs current, and webhooks
        #[arg(long, value_enum)]
        scope: TokenScope,
        /// Only this application; may be repeated
        #[arg(long = "application", value_name = "NAME")]
        applications: Vec<String>,
        /// It ends after this time, such as `90d`
        #[arg(long, value_name = "TIME", value_parser = time_limit)]
        expires: Option<TimeLimit>,
        /// Where everything is kept.
        #[command(flatten)]
        database: Database,
    },
    /// List the tokens
    List {
        /// How the list is printed
        #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
        output: AnswerForm,
        /// Where everything is kept.
        #[command(flatten)]
        database: Database,
    },
    /// Revoke a token, by the identity that `list` shows
    Revoke {
        /// Which
        id: String,
        /// Where everything is kept.
        #[command(flatten)]
        database: Database,
    },
}

/// What a token may do.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum TokenScope {
    /// Read.
    Viewer,
    /// Also submit and steer applications.
    Operator,
    /// Everything.
    Admin,
}

const REPLAY_EXAMPLES: &str = "\
Examples:
  cardinal replay shop/17
  cardinal replay shop/17 --settings calmer.yaml
  cardinal replay shop/1..17 --database postgres://cardinal@db/cardinal

Exit status: 0 the decision came out as stored, or was asked with other settings; 1 it came out otherwise; 2 bad usage or no
such decision.";

/// Make a stored decision again from everything that it depended on.
#[derive(Debug, Args)]
#[command(after_help = REPLAY_EXAMPLES)]
pub struct Replay {
    /// `APPLICATION/NUMBER`, or `APPLICATION/FIRST..LAST`
    pub decision: String,
    /// Settings that replace the stored ones where they say something else, as YAML or JSON
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: AnswerForm,
    /// Where everything is kept.
    #[command(flatten)]
    pub database: Database,
}
