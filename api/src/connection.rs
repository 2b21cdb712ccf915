//! Connections: how many there may be, how long they may keep quiet, and how they end.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, Version, header};
use axum::response::IntoResponse;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::problem::{Kind, Problem};
use crate::service::Service;

/// A handshake may take so long.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// So many connections beyond the limit are told why they are refused; others are closed without a word.
const REFUSED_MAX: usize = 64;
/// For so long.
const REFUSAL: Duration = Duration::from_secs(2);
/// Requests that one connection may have under way at a time (HTTP/2).
const STREAMS_MAX: u32 = 200;

/// What all connections share.
pub struct Ground {
    pub service: Service,
    pub router: Router,
    pub tls: Option<TlsAcceptor>,
}

/// Whether a connection is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admission {
    Admitted,
    /// There are too many: its first request is answered with that.
    Refused,
}

/// Takes connections until the service is to stop, and then waits for those that are open.
pub async fn run(ground: Ground, mut listener: TcpListener) {
    let ground = Arc::new(ground);
    let mut stop = ground.service.stop.subscribe();
    let (mut open, mut refused) = (JoinSet::new(), JoinSet::new());
    loop {
        let (stream, from) = tokio::select! {
            taken = Listener::accept(&mut listener) => taken,
            Some(_) = open.join_next() => continue,
            Some(_) = refused.join_next() => continue,
            // The sender is in the service, which is held here.
            _ = stop.wait_for(|stop| *stop) => break,
        };
        // Small answers do not wait for more.
        drop(stream.set_nodelay(true));
        if open.len() < ground.service.options.connections_max {
            open.spawn(ground.clone().serve(stream, from, Admission::Admitted));
        } else {
            ground.service.counters.connection_refused();
            tracing::debug!(%from, "there are as many connections as there may be");
            if refused.len() < REFUSED_MAX {
                refused.spawn(ground.clone().serve(stream, from, Admission::Refused));
            }
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

impl Ground {
    async fn serve(self: Arc<Self>, stream: TcpStream, from: SocketAddr, admission: Admission) {
        let _counted = (admission == Admission::Admitted).then(|| self.service.counters.connection());
        let Some(acceptor) = &self.tls else { return self.converse(stream, from, admission).await };
        match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => self.converse(stream, from, admission).await,
            Ok(Err(error)) => tracing::debug!(%from, %error, "a handshake failed"),
            Err(_) => tracing::debug!(%from, "a handshake took too long"),
        }
    }

    /// Answers the requests of a connection until it ends, is quiet for too long, or the service stops.
    async fn converse<S>(&self, stream: S, from: SocketAddr, admission: Admission)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let patience = self.patience(admission);
        let pulse = Arc::new(Pulse::new());
        let (router, counted) = (self.router.clone(), pulse.clone());
        let answering = service_fn(move |request: Request<Incoming>| {
            let (router, busy) = (router.clone(), counted.request());
            async move {
                let _busy = busy;
                match admission {
                    Admission::Admitted => router.oneshot(request.map(Body::new)).await,
                    Admission::Refused => Ok::<_, Infallible>(refusal(request.version())),
                }
            }
        });
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(patience.quiet);
        builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS_MAX);
        let stream = TokioIo::new(Watched { stream, pulse: pulse.clone() });
        let mut connection = pin!(builder.serve_connection(stream, answering));
        let mut stop = self.service.stop.subscribe();
        let mut ending: Option<Instant> = None;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%from, %error, "a connection broke");
                    }
                    return;
                }
                _ = stop.wait_for(|stop| *stop), if ending.is_none() => {
                    if pulse.requests() == 0 {
                        return;
                    }
                    ending = Some(Instant::now());
                    connection.as_mut().graceful_shutdown();
                }
                () = tokio::time::sleep(patience.tick) => match patience.judge(&pulse, ending) {
                    Patience::Lasts => {}
                    Patience::Ends if ending.is_none() => {
                        ending = Some(Instant::now());
                        connection.as_mut().graceful_shutdown();
                    }
                    Patience::Ends | Patience::IsOver => {
                        tracing::debug!(%from, "a connection was quiet for too long");
                        return;
                    }
                },
            }
        }
    }

    fn patience(&self, admission: Admission) -> Limits {
        let options = &self.service.options;
        let (first, quiet) = match admission {
            Admission::Admitted => (Duration::from_millis(options.header_ms), Duration::from_millis(options.idle_ms)),
            Admission::Refused => (REFUSAL, REFUSAL),
        };
        let tick = (first.min(quiet) / 8).clamp(Duration::from_millis(10), Duration::from_secs(1));
        Limits { first, quiet, tick }
    }
}

/// How long a connection may keep quiet.
struct Limits {
    /// Before the head of its first request has come.
    first: Duration,
    /// Without a byte in or out, while no request is worked on.
    quiet: Duration,
    /// How often that is looked at.
    tick: Duration,
}

/// What becomes of a quiet connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// It goes on.
    Lasts,
    /// It is told to end.
    Ends,
    /// It is cut off.
    IsOver,
}

impl Limits {
    fn judge(&self, pulse: &Pulse, ending: Option<Instant>) -> Patience {
        if pulse.requests() == 0 {
            return if pulse.begun.elapsed() < self.first { Patience::Lasts } else { Patience::IsOver };
        }
        if pulse.is_busy() || pulse.quiet() < self.quiet {
            return Patience::Lasts;
        }
        match ending {
            Some(since) if since.elapsed() >= self.first => Patience::IsOver,
            Some(_) => Patience::Lasts,
            None => Patience::Ends,
        }
    }
}

/// The signs of life of a connection.
struct Pulse {
    begun: Instant,
    /// The last byte in or out, in milliseconds from the beginning.
    last_ms: AtomicU64,
    requests: AtomicUsize,
    busy: AtomicUsize,
}

/// A request that is worked on.
struct Busy(Arc<Pulse>);

impl Pulse {
    fn new() -> Self {
        let begun = Instant::now();
        Pulse { begun, last_ms: AtomicU64::new(0), requests: AtomicUsize::new(0), busy: AtomicUsize::new(0) }
    }

    fn beat(&self) {
        let ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(ms, Ordering::Relaxed);
    }

    fn request(self: &Arc<Self>) -> Busy {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy(self.clone())
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) > 0
    }

    fn quiet(&self) -> Duration {
        self.begun.elapsed().saturating_sub(Duration::from_millis(self.last_ms.load(Ordering::Relaxed)))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
        self.0.beat();
    }
}

/// A stream whose bytes are signs of life.
struct Watched<S> {
    stream: S,
    pulse: Arc<Pulse>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.pulse.beat();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.seen(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.seen(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S> Watched<S> {
    fn seen(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(polled, Poll::Ready(Ok(1..))) {
            self.pulse.beat();
        }
        polled
    }
}

/// What a connection beyond the limit is told.
fn refusal(version: Version) -> Response<Body> {
    let detail = "the service has as many connections as it may; try again in a moment, and keep connections open";
    let mut response = Problem::new(Kind::Unavailable, detail).retry_after(1).into_response();
    if version < Version::HTTP_2 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
