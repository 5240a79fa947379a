//! Bytes of an address, within limits of time and length.

use std::io::{ErrorKind, Read};
use std::time::Duration;

use ureq::{Agent, Error, Timeout};

/// How long to wait for a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For its name to be resolved, and again for a connection.
    pub connect: Duration,
    /// For the answer to begin, and for each next byte of it.
    pub stall: Duration,
    /// For one whole file, redirects included.
    pub whole: Duration,
}

impl Default for Patience {
    /// 10 seconds, 30 seconds, half an hour.
    fn default() -> Self {
        let [connect, stall, whole] = [10, 30, 1800].map(Duration::from_secs);
        Self { connect, stall, whole }
    }
}

const MOST_REDIRECTS: u32 = 5;
const CHUNK: usize = 1 << 16;

/// Downloads an address, and tells how many bytes there are so far and, where the server says it, in all.
///
/// HTTP proxies are those that the environment names (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`,
/// `NO_PROXY`), except for this machine's own addresses.
///
/// # Errors
/// In words: what the server did instead of sending up to `limit` bytes.
pub(crate) fn get(
    url: &str,
    limit: u64,
    patience: &Patience,
    mut arrived: impl FnMut(u64, Option<u64>),
) -> Result<Vec<u8>, String> {
    let says = |e| in_words(e, patience);
    let mut answer = agent(url, patience).get(url).call().map_err(says)?;
    let announced = answer.body().content_length();
    let too_long = || format!("sends more than the {limit} bytes that the file may have at most");
    if announced.is_some_and(|length| length > limit) {
        return Err(too_long());
    }
    let mut body = answer.body_mut().as_reader();
    let (mut bytes, mut chunk) = (Vec::new(), vec![0; CHUNK]);
    loop {
        let n = match body.read(&mut chunk) {
            Ok(n) => n,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => {
                let so_far = bytes.len();
                return Err(format!("breaks off after {so_far} bytes: {}", says(e.into())));
            }
        };
        let Some(new @ [_, ..]) = chunk.get(..n) else { return Ok(bytes) };
        bytes.extend_from_slice(new);
        if bytes.len() as u64 > limit {
            return Err(too_long());
        }
        arrived(bytes.len() as u64, announced);
    }
}

fn agent(url: &str, patience: &Patience) -> Agent {
    let config = Agent::config_builder()
        .user_agent(concat!("steepest/", env!("CARGO_PKG_VERSION")))
        // The file as it is stored, neither compressed once more nor decompressed on the way.
        .accept_encoding("identity")
        .max_redirects(MOST_REDIRECTS)
        .max_idle_connections(0)
        .timeout_resolve(Some(patience.connect))
        .timeout_connect(Some(patience.connect))
        .timeout_send_request(Some(patience.stall))
        .timeout_recv_response(Some(patience.stall))
        .timeout_per_read(Some(patience.stall))
        .timeout_global(Some(patience.whole));
    let is_own =
        ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(|own| url.starts_with(own));
    if is_own { config.proxy(None) } else { config }.build().into()
}

/// What went wrong, as a person would say it.
fn in_words(error: Error, patience: &Patience) -> String {
    match error {
        Error::StatusCode(code) => format!("answers with status {code}{}", meaning(code)),
        Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            format!("no connection within {:?}", patience.connect)
        }
        Error::Timeout(Timeout::Global) => format!("not done within {:?}", patience.whole),
        Error::Timeout(_) => format!("nothing came for {:?}", patience.stall),
        Error::TooManyRedirects => format!("redirects more than {MOST_REDIRECTS} times"),
        Error::HostNotFound => "no such host: is there a network?".into(),
        Error::Io(e) if matches!(e.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
            "the server hangs up too early".into()
        }
        Error::Io(e) => e.to_string(),
        other => other.to_string(),
    }
}

fn meaning(code: u16) -> &'static str {
    match code {
        403 => " (forbidden)",
        404 | 410 => " (not there)",
        407 => " (the proxy wants a password)",
        429 => " (too many requests)",
        500.. => " (the server's own trouble)",
        _ => "",
    }
}
