//! Serves until it is told to stop, and then lets what is under way come to its end.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::connection::{self, Ground};
use crate::deliver::deliver;
use crate::openapi::router;
use crate::service::Service;
use crate::tls::{TlsError, config};

/// Why the service does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Settings that make no sense.
    #[error("the settings of the service make no sense: {}", .0.join("; "))]
    Options(Vec<String>),
    /// The certificate cannot be used.
    #[error("TLS cannot be used")]
    Tls(#[from] TlsError),
    /// The socket failed.
    #[error("the socket cannot be used")]
    Socket(#[from] io::Error),
}

/// Serves on a listener until `shutdown` is ready: then no connection is taken any more, event streams end, and requests
/// that are under way have the time of `Options::drain_ms`. Events are looked for and webhooks are posted meanwhile.
///
/// # Errors
/// When the settings make no sense, the certificate cannot be used, or the socket fails.
pub async fn serve(
    service: Service,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let mut mistakes = service.options.mistakes();
    if service.options.is_dev && !listener.local_addr()?.ip().is_loopback() {
        mistakes.push("dev mode is for loopback addresses only".to_owned());
    }
    if !mistakes.is_empty() {
        return Err(ServeError::Options(mistakes));
    }
    let tls = service.options.tls.as_ref().map(config).transpose()?;
    // Made once: a router that still lacks its state is built anew, megabytes of it, for each connection.
    let router = router(&service).with_state(());
    let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    let serving = connection::run(Ground { service: service.clone(), router, tls }, listener);
    let (looking, delivering) = (tokio::spawn(look(service.clone())), tokio::spawn(deliver(service.clone())));
    let stopping = service.clone();
    tokio::spawn(async move {
        shutdown.await;
        stopping.stop.send_replace(true);
    });
    let stopped = {
        let mut stop = service.stop.subscribe();
        let drain = Duration::from_millis(service.options.drain_ms);
        async move {
            // The sender is in the service, which this function holds.
            let _ = stop.wait_for(|stop| *stop).await;
            tokio::time::sleep(drain).await;
        }
    };
    tokio::select! {
        () = serving => {}
        () = stopped => tracing::warn!("requests that are still under way are broken off"),
    }
    service.stop.send_replace(true);
    looking.abort();
    // A post that is under way is noted before the service ends.
    let _ = tokio::time::timeout(Duration::from_millis(service.options.drain_ms), delivering).await;
    Ok(())
}

/// Looks for new events, so that streams need not.
async fn look(service: Service) {
    let pause = Duration::from_millis(service.options.poll_ms);
    let mut own = service.host.events();
    loop {
        match service.store.last_event().await {
            Ok(last) => {
                service.last_event.send_if_modified(|known| std::mem::replace(known, last) != last);
            }
            Err(error) => tracing::warn!(cause = %crate::problem::chain(&error), "events wait for the store"),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = risen(&mut own) => {}
        }
    }
}

/// Ready when this process has written another event.
async fn risen(own: &mut Option<watch::Receiver<i64>>) {
    let is_over = match own {
        Some(events) => events.changed().await.is_err(),
        None => std::future::pending().await,
    };
    if is_over {
        *own = None;
        std::future::pending().await
    }
}
