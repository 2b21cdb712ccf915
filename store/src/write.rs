//! Writing: transactions, and on SQLite several of them at one go.
//!
//! What makes a small transaction slow is waiting for the disk, and SQLite lets one write at a time. Those who come while
//! others write are therefore made durable together: each is a savepoint in a common transaction, which is committed once
//! all who were waiting have had their turn, and nobody is told of success before that. A writer that fails takes back its
//! own savepoint alone.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

/// Why a commit failed; shared by all whom it concerns.
pub(crate) type CommitError = Arc<sqlx::Error>;

/// The most writers that are made durable together.
const GROUP_MAX: usize = 256;

/// Whoever writes.
pub(crate) enum Writer {
    /// To a server, which puts those who write in order by itself.
    Server(AnyPool),
    /// To an SQLite file.
    File {
        /// Of one connection.
        pool: AnyPool,
        /// The one who locks this writes; those who wait get it in the order in which they came. It holds the group that is
        /// under way, between turns.
        turn: Arc<Mutex<Option<Group>>>,
        /// How long a turn is waited for, in milliseconds.
        wait_ms_max: u64,
    },
}

/// A transaction that is begun, and those who wait for its end.
pub(crate) struct Group {
    connection: PoolConnection<Any>,
    members: Vec<oneshot::Sender<Result<(), CommitError>>>,
}

/// A transaction. What is not committed is taken back.
pub(crate) enum Writing {
    /// Of its own.
    Alone(Transaction<'static, Any>),
    /// A savepoint in the transaction of a group.
    Shared(Member),
}

/// The one of a group whose turn it is.
pub(crate) struct Member {
    turn: Arc<Mutex<Option<Group>>>,
    // INVARIANT: some until `commit`, which consumes the member, or `drop`.
    held: Option<Held>,
}

struct Held {
    slot: OwnedMutexGuard<Option<Group>>,
    group: Group,
}

impl Writer {
    pub(crate) fn to_file(pool: AnyPool, wait_ms_max: u64) -> Self {
        Writer::File { pool, turn: Arc::default(), wait_ms_max }
    }

    pub(crate) async fn begin(&self) -> Result<Writing, sqlx::Error> {
        let (pool, turn, wait_ms_max) = match self {
            Writer::Server(pool) => return pool.begin().await.map(Writing::Alone),
            Writer::File { pool, turn, wait_ms_max } => (pool, turn, *wait_ms_max),
        };
        let slot = tokio::time::timeout(Duration::from_millis(wait_ms_max), Arc::clone(turn).lock_owned()).await;
        let slot = slot.map_err(|_| sqlx::Error::PoolTimedOut)?;
        let (pool, turn) = (pool.clone(), Arc::clone(turn));
        to_the_end(Member::begin(pool, turn, slot)).await.map(Writing::Shared)
    }

    pub(crate) async fn close(&self) {
        match self {
            Writer::Server(pool) => pool.close().await,
            Writer::File { pool, turn, .. } => {
                // Those who are writing come first.
                finish(Arc::clone(turn).lock_owned().await).await;
                pool.close().await;
            }
        }
    }
}

/// Carries something out as a whole, also when the caller gives up in the middle: half of it would leave the connection in a
/// state that nobody knows.
async fn to_the_end<T: Send + 'static, E: From<sqlx::Error> + Send + 'static>(
    what: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, E> {
    tokio::spawn(what).await.unwrap_or_else(|_| Err(sqlx::Error::WorkerCrashed.into()))
}

async fn run(connection: &mut AnyConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(sql).execute(connection).await.map(drop)
}

impl Group {
    async fn begin(pool: &AnyPool) -> Result<Self, sqlx::Error> {
        let mut connection = pool.acquire().await?;
        // At once as the one who writes, so that nobody finds the database locked half-way.
        match run(&mut connection, "BEGIN IMMEDIATE").await {
            Ok(()) => Ok(Group { connection, members: Vec::new() }),
            Err(error) => {
                drop(connection.close().await);
                Err(error)
            }
        }
    }

    /// Ends with an answer to everyone. After an error nobody can say in which state the connection is; closing it takes
    /// back what is not committed.
    async fn end(mut self, how: &'static str) {
        let done = run(&mut self.connection, how).await.map_err(Arc::new);
        match done {
            Ok(()) => drop(self.connection),
            Err(_) => drop(self.connection.close().await),
        }
        tell(self.members, &done);
    }

    /// Takes everything back.
    async fn fail(self, error: sqlx::Error) {
        drop(self.connection.close().await);
        tell(self.members, &Err(Arc::new(error)));
    }
}

fn tell(members: Vec<oneshot::Sender<Result<(), CommitError>>>, done: &Result<(), CommitError>) {
    for member in members {
        // Who has given up is not there to be told.
        drop(member.send(done.clone()));
    }
}

/// Commits the group that is under way, if there is one.
async fn finish(mut slot: OwnedMutexGuard<Option<Group>>) {
    if let Some(group) = slot.take() {
        group.end("COMMIT").await;
    }
}

/// Takes back what a member has written. Where SQLite has taken everything back by itself, as when the disk is full, the
/// others of the group learn of it.
async fn take_back(held: Held) {
    let Held { mut slot, mut group } = held;
    let undone = run(&mut group.connection, "ROLLBACK TO member; RELEASE member").await;
    match undone {
        Ok(()) if group.members.is_empty() => group.end("ROLLBACK").await,
        Ok(()) => *slot = Some(group),
        Err(error) => group.fail(sqlx::Error::Io(std::io::Error::other(error))).await,
    }
}

impl Writing {
    /// Makes everything durable.
    pub(crate) async fn commit(self) -> Result<(), CommitError> {
        match self {
            Writing::Alone(transaction) => transaction.commit().await.map_err(Arc::new),
            Writing::Shared(member) => member.commit().await,
        }
    }
}

impl Member {
    async fn begin(
        pool: AnyPool,
        turn: Arc<Mutex<Option<Group>>>,
        mut slot: OwnedMutexGuard<Option<Group>>,
    ) -> Result<Self, sqlx::Error> {
        let group = match slot.take() {
            Some(group) => group,
            None => Group::begin(&pool).await?,
        };
        // From here on the end of the member takes care of the group.
        let mut member = Member { turn, held: Some(Held { slot, group }) };
        run(member.connection_mut(), "SAVEPOINT member").await?;
        Ok(member)
    }

    async fn commit(self) -> Result<(), CommitError> {
        let told = to_the_end(self.join()).await?;
        told.await.unwrap_or_else(|_| Err(Arc::new(sqlx::Error::WorkerCrashed)))
    }

    /// Adds what it has written to what the group commits, and gives where the outcome will be told.
    async fn join(mut self) -> Result<oneshot::Receiver<Result<(), CommitError>>, CommitError> {
        run(self.connection_mut(), "RELEASE member").await?;
        let (tell, told) = oneshot::channel();
        let Some(Held { mut slot, mut group }) = self.held.take() else { return Ok(told) };
        group.members.push(tell);
        let size = group.members.len();
        *slot = Some(group);
        if size >= GROUP_MAX {
            finish(slot).await;
        } else if size == 1 {
            // Its turn comes after that of all who wait now, and nobody who gives up keeps it from coming.
            let turn = Arc::clone(&self.turn);
            tokio::spawn(async move { finish(turn.lock_owned().await).await });
        }
        Ok(told)
    }

    #[allow(clippy::expect_used, reason = "the member is consumed when it gives its turn up")]
    fn connection_mut(&mut self) -> &mut AnyConnection {
        &mut self.held.as_mut().expect("a member has its turn").group.connection
    }

    #[allow(clippy::expect_used, reason = "the member is consumed when it gives its turn up")]
    fn connection(&self) -> &AnyConnection {
        &self.held.as_ref().expect("a member has its turn").group.connection
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            tokio::spawn(take_back(held));
        }
    }
}

impl Deref for Writing {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        match self {
            Writing::Alone(transaction) => transaction,
            Writing::Shared(member) => member.connection(),
        }
    }
}

impl DerefMut for Writing {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        match self {
            Writing::Alone(transaction) => transaction,
            Writing::Shared(member) => member.connection_mut(),
        }
    }
}
