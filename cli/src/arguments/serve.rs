//! The options of `cardinal serve`, `cardinal token` and `cardinal replay`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
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
    #[arg(long, value_name = "FILE", env = "CARDINAL_SECRET_KEY_FILE")]
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
    /// A file with options, in YAML and by the same names; options here and variables of the environment come before it
    #[arg(long, value_name = "FILE", env = "CARDINAL_CONFIG")]
    pub config: Option<PathBuf>,
    /// Where everything is kept.
    #[command(flatten)]
    pub database: Database,
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", env = "CARDINAL_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Let everybody on this machine do everything, without a token; on loopback addresses only
    #[arg(long, env = "CARDINAL_DEV", value_parser = BoolishValueParser::new())]
    pub dev: bool,
    /// The certificate chain, PEM, the server's own first
    #[arg(long, value_name = "FILE", env = "CARDINAL_TLS_CERTIFICATE")]
    pub tls_certificate: Option<PathBuf>,
    /// The private key of the certificate, PEM
    #[arg(long, value_name = "FILE", env = "CARDINAL_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// Also take the tokens of this OpenID Connect issuer
    #[arg(long, value_name = "URL", env = "CARDINAL_OIDC_ISSUER")]
    pub oidc_issuer: Option<String>,
    /// What tokens of the issuer must be for
    #[arg(long, value_name = "AUDIENCE", env = "CARDINAL_OIDC_AUDIENCE")]
    pub oidc_audience: Option<String>,
    /// The claim whose values `viewer`, `operator` and `admin` give the scope; dots lead into objects
    #[arg(long, value_name = "CLAIM", env = "CARDINAL_OIDC_CLAIM", default_value = "roles")]
    pub oidc_claim: String,
    /// The name of this replica in logs and leases; by default the name of the machine
    #[arg(long, value_name = "NAME", env = "CARDINAL_REPLICA")]
    pub replica: Option<String>,
    /// How long a lease lasts: after a crash another replica takes over within this time
    #[arg(long, value_name = "TIME", env = "CARDINAL_LEASE", default_value = "15s", value_parser = time_limit)]
    pub lease: TimeLimit,
    /// How many decisions are made at a time; by default one for each processor
    #[arg(long, value_name = "NUMBER", env = "CARDINAL_SOLVERS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub solvers: Option<u16>,
    /// The most memory (address space) that a worker process may have
    #[arg(long, value_name = "SIZE", env = "CARDINAL_MEMORY_LIMIT", default_value = "4 GiB", value_parser = memory_limit)]
    pub memory_limit: u64,
    /// How fast the simulated cloud is: 60 lets an hour pass in a minute
    #[arg(long, value_name = "FACTOR", env = "CARDINAL_CLOUD_SPEED", default_value_t = 1.0, value_parser = speed)]
    pub cloud_speed: f64,
    /// Serve requests only; other replicas lead the applications
    #[arg(long, env = "CARDINAL_NO_LOOP", value_parser = BoolishValueParser::new())]
    pub no_loop: bool,
    /// The most open connections; more are told to come back
    #[arg(long, value_name = "NUMBER", env = "CARDINAL_CONNECTIONS", default_value_t = 2000,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub connections: u32,
    /// How long events, values of metrics that are not renewed, and ended deliveries and tokens are kept
    #[arg(long, value_name = "TIME", env = "CARDINAL_KEEP_EVENTS", default_value = "30d", value_parser = time_limit)]
    pub keep_events: TimeLimit,
    /// How long decisions, ended plans and orders are kept
    #[arg(long, value_name = "TIME", env = "CARDINAL_KEEP_DECISIONS", default_value = "90d", value_parser = time_limit)]
    pub keep_decisions: TimeLimit,
    /// So many decisions of each application are kept however old they are
    #[arg(long, value_name = "NUMBER", env = "CARDINAL_KEEP_DECISIONS_MIN", default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub keep_decisions_min: u32,
    /// Time between two looks for what is too old
    #[arg(long, value_name = "TIME", env = "CARDINAL_FORGET_EVERY", default_value = "1h", value_parser = time_limit)]
    pub forget_every: TimeLimit,
    /// What is logged: `error`, `warn`, `info`, `debug`, `trace`, or parts such as `cardinal_control=debug`
    #[arg(long, value_name = "FILTER", env = "CARDINAL_LOG", default_value = "info")]
    pub log: String,
    /// How it is logged
    #[arg(long, value_enum, value_name = "FORM", env = "CARDINAL_LOG_FORM", default_value_t)]
    pub log_form: LogForm,
}

fn speed(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|factor: &f64| (0.001..=1e6).contains(factor));
    factor.ok_or_else(|| "write a number from 0.001 to 1000000".to_owned())
}

const CONFIG_EXAMPLES: &str = "\
Examples:
  cardinal config check /etc/cardinal/cardinal.yaml
  cardinal config show --config /etc/cardinal/cardinal.yaml
  CARDINAL_LISTEN=0.0.0.0:8443 cardinal config show

Exit status: 0 it can be used; 2 it cannot; the mistakes are told with their line.";

/// Check and show the configuration of the service.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Report every mistake of a configuration file, with its place and the mend
    #[command(after_help = CONFIG_EXAMPLES)]
    Check {
        /// The file
        file: PathBuf,
    },
    /// Print every option of `cardinal serve` with its value and where that comes from; secrets are hidden
    #[command(after_help = CONFIG_EXAMPLES)]
    Show(Box<Serve>),
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
