//! One request to the server at a time: signed for a few minutes, bounded in time and size, and tried again where the
//! server is busy or its answer was lost.

use std::fmt;
use std::io::Read as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use inventories::{BucketStyle, S3Target};
use remote::bounded;
use rusty_s3::{Bucket, Credentials, Method, S3Action, UrlStyle};
use ureq::http::{Request, Response};
use ureq::tls::{PemItem, RootCerts, parse_pem};

use super::error::{S3Error, masked};
use crate::http;

/// The longest answer that is taken: a list of a thousand objects is a third of a megabyte.
pub(super) const LARGEST_ANSWER: u64 = 4 * 1024 * 1024;

/// How long a signature holds. The server looks at it when a request begins.
const SIGNED_FOR: Duration = Duration::from_secs(300);

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// One request and its answer, 8 MiB at most.
    pub(super) once: Duration,
    /// A request and its repetitions. A snapshot may stall a little longer than that, so that a target that fails is
    /// given up before all of them are.
    pub(super) all: Duration,
    /// The wait before the second try; it doubles.
    pub(super) wait: Duration,
    /// How often it is sent.
    pub(super) tries: u32,
}

/// As long as a line of 70 kB/s needs for 8 MiB.
const USUAL: Patience = Patience {
    once: Duration::from_secs(120),
    all: Duration::from_secs(240),
    wait: Duration::from_millis(250),
    tries: 6,
};

/// After so long a server that does not answer is given up.
pub(in crate::backups) const GIVEN_UP: Duration = USUAL.all;

/// What speaks with one bucket.
pub(super) struct Client {
    agent: ureq::Agent,
    bucket: Bucket,
    credentials: Credentials,
    prefix: String,
    patience: Patience,
}

/// What the server answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) etag: Option<String>,
    pub(super) length: Option<u64>,
    pub(super) range: Option<String>,
    /// Whether the request was sent before without a clear answer, so that it may have been done twice.
    pub(super) repeated: bool,
    pub(super) body: Vec<u8>,
}

impl Client {
    pub(super) fn new(
        target: &S3Target,
        ca_file: Option<&Path>,
        credentials: Credentials,
    ) -> Result<Self, S3Error> {
        let server = &target.server;
        let endpoint = server
            .endpoint
            .parse()
            .map_err(|_| S3Error::Settings("`endpoint` is not a URL".to_owned()))?;
        let style = match server.style {
            BucketStyle::Path => UrlStyle::Path,
            BucketStyle::Host => UrlStyle::VirtualHost,
        };
        let bucket = Bucket::new(endpoint, style, target.bucket.clone(), server.region.clone())
            .map_err(|error| S3Error::Settings(error.to_string()))?;
        let roots = ca_file.map_or(Ok(RootCerts::PlatformVerifier), roots)?;
        let agent = http::config(roots, USUAL.once)
            .https_only(server.endpoint.starts_with("https://"))
            // A signed request is for this server alone.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .build()
            .into();
        let prefix = match target.prefix.as_str() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Ok(Self { agent, bucket, credentials, prefix, patience: USUAL })
    }

    /// The same with less patience.
    pub(super) fn within(&self, patience: Patience) -> Self {
        Self {
            agent: self.agent.clone(),
            bucket: self.bucket.clone(),
            credentials: self.credentials.clone(),
            prefix: self.prefix.clone(),
            patience,
        }
    }

    pub(super) fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// What every name of ours starts with in the bucket.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What a file of ours is called in the bucket.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Sends a request until the server answers clearly or patience ends. `headers` are signed. The action must be one
    /// that may be done twice.
    pub(super) fn send<'a, A: S3Action<'a>>(
        &self,
        mut action: A,
        headers: &[(&'static str, String)],
        body: &[u8],
    ) -> Result<Answer, S3Error> {
        for (name, value) in headers {
            action.headers_mut().insert(*name, value.clone());
        }
        let (started, mut wait, mut repeated) = (Instant::now(), self.patience.wait, false);
        for tries in 1.. {
            let left = self.patience.all.saturating_sub(started.elapsed());
            let error = match self.send_once(&action, headers, body, left, repeated) {
                Ok(answer) => return Ok(Answer { repeated, ..answer }),
                Err(error) => error,
            };
            let over =
                started.elapsed() + wait >= self.patience.all || tries >= self.patience.tries;
            if over || !error.is_passing() {
                return Err(error);
            }
            repeated |= error.is_unclear();
            thread::sleep(wait);
            wait *= 2;
        }
        Err(S3Error::Unanswered("it was not asked".to_owned()))
    }

    fn send_once<'a, A: S3Action<'a>>(
        &self,
        action: &A,
        headers: &[(&'static str, String)],
        body: &[u8],
        left: Duration,
        repeated: bool,
    ) -> Result<Answer, S3Error> {
        let url = action.sign(SIGNED_FOR);
        let request = headers.iter().fold(
            Request::builder().method(word(A::METHOD)).uri(url.as_str()),
            |request, (name, value)| request.header(*name, value),
        );
        let request = request.body(body).map_err(|_| S3Error::Senseless("a header is not text"))?;
        let limit = self.patience.once.min(left);
        let request = self.agent.configure_request(request).timeout_global(Some(limit)).build();
        let response = self.agent.run(request).map_err(|error| unanswered(&error))?;
        let answer = read(response)?;
        match answer.status {
            200..=299 => Ok(answer),
            status => Err(S3Error::refused(status, &answer.body, repeated)),
        }
    }
}

/// Nothing of the credentials.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("bucket", &self.bucket.name()).finish_non_exhaustive()
    }
}

fn read(response: Response<ureq::Body>) -> Result<Answer, S3Error> {
    let header = |name: &str| {
        response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let mut answer = Answer {
        status: response.status().as_u16(),
        etag: header("etag"),
        length: header("content-length").and_then(|length| length.parse().ok()),
        range: header("content-range"),
        repeated: false,
        body: Vec::new(),
    };
    let limit = LARGEST_ANSWER.max(super::ranges::PIECE);
    let mut body = response.into_body().into_reader().take(limit + 1);
    body.read_to_end(&mut answer.body)
        .map_err(|error| S3Error::Unanswered(masked(&error.to_string())))?;
    if answer.body.len() as u64 > limit {
        return Err(S3Error::Senseless("it is too long"));
    }
    Ok(answer)
}

fn word(method: Method) -> &'static str {
    match method {
        Method::Head => "HEAD",
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
    }
}

/// The words of the library, without the URL that some of them hold.
fn unanswered(error: &ureq::Error) -> S3Error {
    S3Error::Unanswered(match error {
        ureq::Error::BadUri(_) => "its URL can't be used".to_owned(),
        ureq::Error::RequireHttpsOnly(_) => "it wants plain HTTP".to_owned(),
        error => masked(&error.to_string()),
    })
}

fn roots(path: &Path) -> Result<RootCerts, S3Error> {
    let unusable = |why: String| S3Error::CaFile { path: path.to_owned(), why };
    let pem = bounded::read(path, bounded::SMALL).map_err(|error| unusable(error.to_string()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        match item.map_err(|error| unusable(error.to_string()))? {
            PemItem::Certificate(certificate) => certificates.push(certificate),
            _ => return Err(unusable("it holds something else than certificates".to_owned())),
        }
    }
    if certificates.is_empty() {
        return Err(unusable("it holds no certificate".to_owned()));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}
