//! Bodies of requests whose bytes must keep coming, so that nobody holds a place by sending slowly.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::problem::{Kind, Problem};

/// What a byte adds to the time that a body may still be waited for: about 1 kB per second can go on for ever.
const BYTE: Duration = Duration::from_millis(1);

/// A body that breaks off when its bytes do not come, or come too slowly for too long.
pub struct Brisk {
    body: Body,
    /// How long it may still be waited for.
    left: Duration,
    /// The most of that.
    most: Duration,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

/// The bytes of a body did not come.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the body came too slowly")]
struct Quiet;

impl Brisk {
    /// Waits for bytes of the body for at most so long.
    pub fn new(body: Body, most: Duration) -> Self {
        Brisk { body, left: most, most, waiting: None }
    }

    fn came(&mut self, bytes: usize) {
        if let Some((since, _)) = self.waiting.take() {
            self.left = self.left.saturating_sub(since.elapsed());
        }
        let more = BYTE.saturating_mul(u32::try_from(bytes).unwrap_or(u32::MAX));
        self.left = self.left.saturating_add(more).min(self.most);
    }

    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let left = self.left;
        let (_, end) = self.waiting.get_or_insert_with(|| (Instant::now(), Box::pin(sleep(left))));
        end.as_mut().poll(cx)
    }
}

impl hyper::body::Body for Brisk {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                let piece = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
                let bytes = piece.map_or(0, Bytes::len);
                self.came(bytes);
                Poll::Ready(frame)
            }
            Poll::Pending => self.wait(cx).map(|()| Some(Err(axum::Error::new(Quiet)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The problem of a body that came too slowly, when that is what this error is about.
pub fn slow(error: &(dyn Error + 'static)) -> Option<Problem> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<Quiet>() {
            return Some(late());
        }
        cause = error.source();
    }
    None
}

/// A body is not waited for any longer.
pub fn late() -> Problem {
    Problem::new(Kind::Timeout, "the body came too slowly; send it again, whole and without pauses")
}
