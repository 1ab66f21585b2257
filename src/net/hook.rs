//! JSON to a webhook.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};

use super::session::retry_after;
use super::{CONNECT_TIMEOUT, NetError, choose_cryptography, innermost, parse};

/// How long one post may take in all.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest wait that a receiver can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// An address that JSON is posted to. Such addresses hold secrets, in the user, the path or the query: only where the receiver is
/// is ever shown.
#[derive(Clone)]
pub struct Hook {
    address: Url,
    client: Client,
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hook({})", self.shown())
    }
}

/// Why a post did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unposted {
    /// It may arrive at another try: no connection, 408, 429 or 5xx.
    Later {
        /// In words, without credentials.
        reason: String,
        /// How long the receiver asks to wait, at most 15 minutes.
        after: Option<Duration>,
    },
    /// The receiver does not want it: any other answer that is no success.
    Refused(String),
}

impl Hook {
    /// # Errors
    /// It is no `http` or `https` address. The error does not repeat it.
    pub fn new(address: &str) -> Result<Self, NetError> {
        let unusable = |reason: &str| NetError::Address {
            address: "what was given".to_owned(),
            reason: reason.to_owned(),
        };
        let address = parse(address).map_err(|error| match error {
            NetError::Address { reason, .. } => unusable(&reason),
            other => other,
        })?;
        choose_cryptography();
        // A redirected post would arrive as a GET without a body, or at somebody else's.
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(Policy::none())
            .user_agent(concat!("refloat/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| NetError::Setup(innermost(&error)))?;
        Ok(Self { address, client })
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn shown(&self) -> String {
        self.address.origin().ascii_serialization()
    }

    /// Posts once.
    ///
    /// # Errors
    /// It did not arrive: why, and whether another try is of use.
    pub async fn post(&self, json: String) -> Result<(), Unposted> {
        let request = self
            .client
            .post(self.address.clone())
            .header(CONTENT_TYPE, "application/json");
        let answer = request.body(json).send().await.map_err(|error| Unposted::Later {
            reason: match error.is_timeout() {
                true => format!("no answer within {} s", TIMEOUT.as_secs()),
                false => innermost(&error),
            },
            after: None,
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let reason = match status.canonical_reason() {
            Some(words) => format!("it answered {} {words}", status.as_u16()),
            None => format!("it answered {}", status.as_u16()),
        };
        let passes =
            status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        Err(if passes {
            let after = retry_after(&answer).map(|wait| wait.min(LONGEST_WAIT));
            Unposted::Later { reason, after }
        } else if status.is_redirection() {
            Unposted::Refused(format!("{reason}: give the address that it points to"))
        } else {
            Unposted::Refused(reason)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::serve;
    use super::*;

    #[test]
    fn only_where_the_receiver_is_is_shown() {
        let hook = Hook::new("https://me:canary@hooks.example.com:8443/services/canary?token=canary#canary");
        let hook = hook.expect("because it is an address");
        assert_eq!(hook.shown(), "https://hooks.example.com:8443");
        assert_eq!(format!("{hook:?}"), "Hook(https://hooks.example.com:8443)");
        for bad in ["ftp://h/canary", "canary", "https://", "ht tp://me:canary@h/canary"] {
            let error = Hook::new(bad).expect_err("because it is none").to_string();
            assert!(
                error.starts_with("what was given is no usable address: ") && !error.contains("canary"),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn answers_say_whether_another_try_is_of_use() {
        async fn posted(answer: &'static [u8]) -> Result<(), Unposted> {
            let address = format!("{}/canary?canary", serve(answer));
            let hook = Hook::new(&address).expect("because it is an address");
            let posted = hook.post("{}".to_owned()).await;
            assert!(!format!("{posted:?}").contains("canary"));
            posted
        }
        assert_eq!(posted(b"HTTP/1.1 204 No Content\r\n\r\n").await, Ok(()));
        let later = |reason: &str, after| Unposted::Later {
            reason: reason.to_owned(),
            after,
        };
        assert_eq!(
            posted(b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n").await,
            Err(later("it answered 429 Too Many Requests", Some(Duration::from_secs(7))))
        );
        assert_eq!(
            posted(b"HTTP/1.1 503 x\r\nretry-after: 86400\r\ncontent-length: 0\r\n\r\n").await,
            Err(later("it answered 503 Service Unavailable", Some(LONGEST_WAIT)))
        );
        assert_eq!(
            posted(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").await,
            Err(later("it answered 502 Bad Gateway", None))
        );
        assert!(matches!(posted(b"").await, Err(Unposted::Later { .. })));
        assert_eq!(
            posted(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await,
            Err(Unposted::Refused("it answered 404 Not Found".to_owned()))
        );
        let moved = b"HTTP/1.1 302 Found\r\nlocation: /canary\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(
            posted(moved).await,
            Err(Unposted::Refused(
                "it answered 302 Found: give the address that it points to".to_owned()
            ))
        );
    }
}
