//! What is posted to a webhook: one after the other, in order, again and again until it is taken; never in the way of the watching.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinHandle;

use crate::net::{Hook, Unposted};

/// Notifications that may wait: a namespace of 500 objects may go while the receiver restarts.
const WAITING: usize = 1000;
/// How often one is tried, over some seven minutes.
const TRIES: u32 = 12;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Posts to a webhook, behind the back of whoever gives it something to post.
#[derive(Debug)]
pub struct Notifier {
    queue: mpsc::Sender<String>,
    counts: Arc<Counts>,
    receiver: String,
    posting: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Taken, and not yet settled.
    open: AtomicUsize,
    /// Not taken since the queue was full, and not yet told.
    dropped: AtomicUsize,
    /// Taken and never posted.
    failed: AtomicUsize,
}

struct Poster<S> {
    hook: Hook,
    counts: Arc<Counts>,
    say: S,
}

impl Notifier {
    /// Must be called within a tokio runtime. `say` is told what goes wrong, in words without credentials.
    pub fn start(hook: Hook, say: impl Fn(String) + Send + Sync + 'static) -> Self {
        let (queue, mut waiting) = mpsc::channel::<String>(WAITING);
        let counts = Arc::new(Counts::default());
        let receiver = hook.shown();
        let poster = Poster {
            hook,
            counts: Arc::clone(&counts),
            say,
        };
        let posting = tokio::spawn(async move {
            while let Some(json) = waiting.recv().await {
                poster.deliver(json).await;
                poster.counts.open.fetch_sub(1, Ordering::Relaxed);
                poster.tell_dropped();
            }
        });
        Self {
            queue,
            counts,
            receiver,
            posting,
        }
    }

    /// Where to, without what could be secret.
    pub fn receiver(&self) -> &str {
        &self.receiver
    }

    /// Posts it in its turn. Where too many wait it is dropped, and counted.
    pub fn post(&self, json: String) {
        self.counts.open.fetch_add(1, Ordering::Relaxed);
        if let Err(TrySendError::Full(_) | TrySendError::Closed(_)) = self.queue.try_send(json) {
            self.counts.open.fetch_sub(1, Ordering::Relaxed);
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits at most so long for what is open. Gives how many were taken and never posted.
    pub async fn finish(self, patience: Duration) -> usize {
        let Self {
            queue, counts, posting, ..
        } = self;
        drop(queue);
        let abort = posting.abort_handle();
        if tokio::time::timeout(patience, posting).await.is_err() {
            abort.abort();
        }
        let lost = [&counts.open, &counts.dropped, &counts.failed];
        lost.into_iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

impl<S: Fn(String)> Poster<S> {
    async fn deliver(&self, json: String) {
        let receiver = self.hook.shown();
        for attempt in 1..=TRIES {
            match self.hook.post(json.clone()).await {
                Ok(()) if attempt == 1 => return,
                Ok(()) => return (self.say)(format!("{receiver} took the notification at try {attempt}")),
                Err(Unposted::Refused(reason)) => {
                    self.counts.failed.fetch_add(1, Ordering::Relaxed);
                    return (self.say)(format!("{receiver} does not take a notification: {reason}"));
                }
                Err(Unposted::Later { reason, .. }) if attempt == TRIES => {
                    self.counts.failed.fetch_add(1, Ordering::Relaxed);
                    return (self.say)(format!(
                        "a notification to {receiver} was given up after {TRIES} tries: {reason}"
                    ));
                }
                Err(Unposted::Later { reason, after }) => {
                    self.tell_dropped();
                    if attempt == 1 {
                        (self.say)(format!(
                            "a notification to {receiver} did not arrive ({reason}); it is sent again"
                        ));
                    }
                    tokio::time::sleep(pause(attempt, after, RandomState::new().hash_one(attempt))).await;
                }
            }
        }
    }

    fn tell_dropped(&self) {
        let dropped = self.counts.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            self.counts.failed.fetch_add(dropped, Ordering::Relaxed);
            let receiver = self.hook.shown();
            (self.say)(format!(
                "{dropped} notifications were dropped: {WAITING} waited for {receiver} already"
            ));
        }
    }
}

/// The pause after an attempt (from 1): doubled each time, of which a half to all is taken; never shorter than asked for.
fn pause(attempt: u32, asked: Option<Duration>, random: u64) -> Duration {
    let whole = FIRST_PAUSE
        .saturating_mul(1 << (attempt - 1).min(10))
        .min(LONGEST_PAUSE);
    let share = (random % 1024) as f64 / 2048.0;
    (whole / 2 + whole.mul_f64(share)).max(asked.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[test]
    fn pauses_grow_to_their_longest_and_stay_within_their_jitter() {
        for (attempt, whole) in [(1, 1_000), (2, 2_000), (6, 32_000), (7, 60_000), (TRIES, 60_000)] {
            for random in 0..2048 {
                let wait = pause(attempt, None, random).as_millis();
                assert!((whole / 2..=whole).contains(&wait), "attempt {attempt}: {wait} ms");
            }
        }
        let asked = Duration::from_secs(90);
        assert_eq!(pause(1, Some(asked), 7), asked);
        assert!(pause(9, Some(FIRST_PAUSE), 7) >= LONGEST_PAUSE / 2);
    }

    /// A receiver that gives these answers in turn, then 200 for ever; it hands on the bodies that it took.
    async fn receiver(answers: &'static [u16]) -> (Hook, mpsc::UnboundedReceiver<(u16, String)>) {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("because loopback has free ports");
        let address = format!("http://{}/canary", listener.local_addr().expect("because it is bound"));
        let (tell, told) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut answers = answers.iter().copied();
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut text = Vec::new();
                while !text.ends_with(b"}") {
                    let mut chunk = [0; 1024];
                    let read = connection.read(&mut chunk).await.expect("because the test writes");
                    text.extend_from_slice(&chunk[..read]);
                }
                let status = answers.next().unwrap_or(200);
                let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                connection
                    .write_all(answer.as_bytes())
                    .await
                    .expect("because the test reads");
                let text = String::from_utf8(text).expect("because it is text");
                let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
                if tell.send((status, body)).is_err() {
                    return;
                }
            }
        });
        (Hook::new(&address).expect("because it is an address"), told)
    }

    fn notifier(hook: Hook) -> (Notifier, Arc<Mutex<Vec<String>>>) {
        let said = Arc::new(Mutex::new(Vec::new()));
        let say = Arc::clone(&said);
        let notifier = Notifier::start(hook, move |text| say.lock().expect("because nothing panics").push(text));
        (notifier, said)
    }

    #[tokio::test]
    async fn all_arrive_in_order_and_what_is_refused_is_told() {
        let (hook, mut told) = receiver(&[503, 200, 404, 200]).await;
        let (notifier, said) = notifier(hook);
        for number in 1..=3 {
            notifier.post(format!("{{\"n\":{number}}}"));
        }
        assert_eq!(notifier.finish(Duration::from_secs(30)).await, 1);
        let mut arrived = Vec::new();
        while let Ok(one) = told.try_recv() {
            arrived.push(one);
        }
        let body = |number: u32| format!("{{\"n\":{number}}}");
        assert_eq!(
            arrived,
            [(503, body(1)), (200, body(1)), (404, body(2)), (200, body(3))]
        );
        let said = said.lock().expect("because nothing panics").join("\n");
        let said = regex::Regex::new(r"127\.0\.0\.1:\d+")
            .expect("because it is right")
            .replace_all(&said, "HOST");
        insta::assert_snapshot!(said, @r"
        a notification to http://HOST did not arrive (it answered 503 Service Unavailable); it is sent again
        http://HOST took the notification at try 2
        http://HOST does not take a notification: it answered 404 Not Found
        ");
    }

    #[tokio::test]
    async fn what_is_too_much_is_dropped_and_counted() {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("because loopback has free ports");
        let address = format!("http://{}", listener.local_addr().expect("because it is bound"));
        let (notifier, _) = notifier(Hook::new(&address).expect("because it is an address"));
        // One is being posted, to a receiver that never answers.
        notifier.post("{}".to_owned());
        tokio::task::yield_now().await;
        for _ in 0..WAITING + 7 {
            notifier.post("{}".to_owned());
        }
        assert_eq!(notifier.counts.dropped.load(Ordering::Relaxed), 7);
        assert_eq!(notifier.finish(Duration::ZERO).await, WAITING + 8);
    }
}
