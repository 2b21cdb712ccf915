//! A private PostgreSQL cluster: made for this run, reachable through a socket in its directory alone, and gone when this
//! process is, however it ends.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use cardinal_store::StoreUrl;
use sqlx::{AnyConnection, AssertSqlSafe, Connection};

pub struct Cluster {
    folder: PathBuf,
    databases: AtomicU32,
    // Its standard input is open as long as this process lives; when it ends, the shell stops the server.
    _shell: Child,
}

/// Runs as the server's user, in the directory `$DIR`, with the programs in `$BIN`.
const SCRIPT: &str = r#"
"$BIN/initdb" -D "$DIR/data" -U cardinal -A trust --no-sync --no-locale -E UTF8 >"$DIR/log" 2>&1 || exit 1
"$BIN/postgres" -D "$DIR/data" -k "$DIR" -c listen_addresses= -c fsync=off -c max_connections=400 >>"$DIR/log" 2>&1 &
server=$!
read -r _
kill -QUIT $server
wait $server
rm -rf "$DIR"
"#;

/// The cluster of this run; `None` when the machine has no PostgreSQL server.
pub fn cluster() -> Option<&'static Cluster> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    CLUSTER
        .get_or_init(|| {
            let found = programs();
            if found.is_none() {
                // Past the test harness, which would swallow it.
                let told = "\nskipped: no PostgreSQL server is installed here; run scripts/setup\n";
                let _ = std::io::stderr().write_all(told.as_bytes());
            }
            found.map(|programs| start(&programs))
        })
        .as_ref()
}

fn programs() -> Option<PathBuf> {
    let of_debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = of_debian.map(|entry| entry.path().join("bin")).collect();
    // The latest version first.
    found.sort_by(|a, b| b.cmp(a));
    found.extend(std::env::split_paths(&std::env::var_os("PATH")?));
    found.into_iter().find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

fn id(flag: &str, user: &str) -> Option<u32> {
    let output = Command::new("id").args([flag, user]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// The server refuses to run as root: another user then.
fn shell(folder: &Path) -> Command {
    if std::fs::metadata("/proc/self").map(|m| std::os::unix::fs::MetadataExt::uid(&m)).unwrap_or(1) != 0 {
        return Command::new("sh");
    }
    let user = ["postgres", "nobody"].into_iter().find_map(|u| Some((id("-u", u)?, id("-g", u)?)));
    let (user, group) = user.expect("neither the user postgres nor nobody exists");
    std::os::unix::fs::chown(folder, Some(user), Some(group)).unwrap();
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={user}"), format!("--regid={group}")]).args(["--clear-groups", "--", "sh"]);
    command
}

fn start(programs: &Path) -> Cluster {
    let folder = tempfile::Builder::new().prefix("cardinal-pg-").tempdir_in("/tmp").unwrap().keep();
    let shell = shell(&folder)
        .args(["-c", SCRIPT])
        .env("BIN", programs)
        .env("DIR", &folder)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let cluster = Cluster { folder, databases: AtomicU32::new(0), _shell: shell };
    let deadline = Instant::now() + Duration::from_secs(120);
    while let Err(error) = cluster.execute("postgres", "SELECT 1") {
        assert!(Instant::now() < deadline, "PostgreSQL did not start in {}: {error}", cluster.folder.display());
        std::thread::sleep(Duration::from_millis(20));
    }
    cluster
}

impl Cluster {
    pub fn address(&self, database: &str) -> String {
        format!("postgres://cardinal@localhost/{database}?host={}", self.folder.display())
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Runs a statement on a connection of its own.
    pub fn execute(&self, database: &str, sql: &str) -> Result<(), sqlx::Error> {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(sqlx::any::install_default_drivers);
        crate::site::block_on(async {
            let mut connection = AnyConnection::connect(&self.address(database)).await?;
            sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await?;
            connection.close().await
        })
    }

    /// A new and empty database.
    pub fn database(&self) -> StoreUrl {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.execute("postgres", &format!("CREATE DATABASE {name}")).unwrap();
        self.address(&name).parse().unwrap()
    }
}
