//! Posts events to webhooks, signed, and again later and later when they do not arrive.

use std::time::Duration;

use cardinal_adapter::driver::webhook::{Request, Secret, Transport};
use cardinal_adapter::time::UnixMs;
use cardinal_store::{Delivery, Failure, StoreError};
use tokio::task::JoinSet;

use crate::outbound::Outbound;
use crate::resources::events::document;
use crate::resources::webhooks::secret_name;
use crate::service::Service;

/// A post may take so long.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The wait after the first failure, in milliseconds; it doubles with each one.
const RETRY_MS: u64 = 5_000;
/// The longest such wait, in milliseconds.
const RETRY_MS_MAX: u64 = 6 * 3_600_000;
/// So many posts are under way at a time.
const POSTS_MAX: u32 = 16;

/// Delivers until the service stops.
pub async fn deliver(service: Service) {
    let outbound = Outbound::new(TIMEOUT);
    let mut stop = service.stop.subscribe();
    let pause = Duration::from_millis(service.options.poll_ms.max(100));
    while !*stop.borrow() {
        match round(&service, &outbound).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(cause = %crate::problem::chain(&error), "webhooks wait for the store"),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Posts what is due; true when there may be more.
async fn round(service: &Service, outbound: &Outbound) -> Result<bool, StoreError> {
    service.store.enqueue_deliveries(service.now()).await?;
    let due = service.store.due_deliveries(service.now(), POSTS_MAX).await?;
    let is_full = due.len() == POSTS_MAX as usize;
    let mut posts = JoinSet::new();
    for delivery in due {
        posts.spawn(post(service.clone(), outbound.clone(), delivery));
    }
    while let Some(done) = posts.join_next().await {
        match done {
            Ok(noted) => noted?,
            Err(error) => tracing::error!(%error, "a post failed"),
        }
    }
    Ok(is_full)
}

async fn post(service: Service, outbound: Outbound, delivery: Delivery) -> Result<(), StoreError> {
    let Delivery { webhook, event, attempts } = delivery;
    let kept = match service.store.secret(&secret_name(&webhook.id)).await {
        Ok(secret) => Secret::new(secret.expose().to_vec()),
        // A webhook whose secret is not there yet, or any more.
        Err(StoreError::NotFound { .. }) => Err("its secret is not there".to_owned()),
        Err(error) => return Err(error),
    };
    let result = match kept {
        Ok(secret) => {
            let request =
                request(&secret, &webhook.url, &webhook.id, &document(&event).to_string(), event.id, service.now());
            let sent = tokio::task::spawn_blocking(move || outbound.send(&request)).await;
            sent.unwrap_or_else(|error| Err(error.to_string()))
        }
        Err(why) => Err(why),
    };
    let is_delivered = result.as_ref().is_ok_and(|answer| (200..300).contains(&answer.status));
    service.counters.webhook(is_delivered);
    match result {
        Ok(answer) if is_delivered => service.store.delivered(&webhook.id, event.id, answer.status).await,
        result => {
            let (status, error) = match result {
                Ok(answer) => (Some(answer.status), format!("the answer was {}", answer.status)),
                Err(error) => (None, error),
            };
            let retry_at = retry_at(attempts, service.options.webhook_attempts_max, event.id, service.now());
            tracing::info!(webhook = webhook.id, event = event.id, error, again = retry_at.is_some(), "a post failed");
            service.store.delivery_failed(&webhook.id, event.id, &Failure { status, error, retry_at }).await
        }
    }
}

fn request(secret: &Secret, url: &str, id: &str, body: &str, event: i64, now: UnixMs) -> Request {
    let uri = url.parse::<axum::http::Uri>().ok();
    let path = uri.as_ref().and_then(|uri| uri.path_and_query()).map_or("/", |path| path.as_str());
    Request {
        method: "POST",
        url: url.to_owned(),
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("cardinal-signature", secret.sign(now, "POST", path, body)),
            ("idempotency-key", format!("{id}-{event}")),
        ],
        body: body.to_owned(),
    }
}

/// When to try again: later and later, and not all at the same moment; `None` to give up.
fn retry_at(attempts: i64, most: u32, event: i64, now: UnixMs) -> Option<UnixMs> {
    let tried = u32::try_from(attempts).unwrap_or(u32::MAX).saturating_add(1);
    if tried >= most {
        return None;
    }
    let wait = RETRY_MS.saturating_mul(1 << (tried - 1).min(20)).min(RETRY_MS_MAX);
    let spread = u64::try_from(event).unwrap_or(0).wrapping_mul(0x9e37_79b9) % (wait / 5 + 1);
    Some(now.plus_ms(wait + spread))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posts_are_repeated_later_and_later_and_then_given_up() {
        let wait = |attempts| retry_at(attempts, 12, 7, UnixMs(0)).map(|at| at.0);
        let waits: Vec<_> = (0..12).map(wait).collect();
        assert!(waits[..11].windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
        assert!(waits[0].is_some_and(|ms| (5_000..=6_000).contains(&ms)), "{waits:?}");
        assert_eq!(waits[11], None);
        assert_eq!(wait(i64::MAX), None);
    }
}
