//! Why an S3 server did not do what was asked. No text here holds a signed URL, and none is longer than a line or two.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::credentials::CredentialsError;

/// More of what a server says is not shown.
const LONGEST: usize = 300;

/// Why something in a bucket failed.
#[derive(Debug, thiserror::Error)]
pub enum S3Error {
    /// Nobody says who we are.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The inventory's settings don't fit.
    #[error("the S3 settings of the inventory can't be used: {0}")]
    Settings(String),
    /// The CA file can't be used.
    #[error("the CA file {path} can't be used: {why}", path = .path.display())]
    CaFile {
        /// Which one.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The server said no.
    #[error("the server answered {status}{}", said(.code, .message))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The server's word for it; may be empty.
        code: String,
        /// What it says; may be empty.
        message: String,
        /// Whether the request was sent before without a clear answer, so that it may have been done then.
        repeated: bool,
    },
    /// No answer, or not all of it.
    #[error("no answer from the server: {0}")]
    Unanswered(String),
    /// An answer that is none.
    #[error("the server's answer makes no sense: {0}")]
    Senseless(&'static str),
    /// There is one of that name already.
    #[error("the bucket already has an object of that name")]
    Taken,
    /// It has more parts than S3 takes.
    #[error("it is larger than {0} parts, the most that S3 takes")]
    TooLarge(usize),
}

impl S3Error {
    /// The answer of a server: what its XML says, as far as it is fit to be shown.
    pub(super) fn refused(status: u16, body: &[u8], repeated: bool) -> Self {
        let text = String::from_utf8_lossy(body);
        let field = |name: &str| masked(between(&text, name).unwrap_or_default());
        Self::Refused { status, code: field("Code"), message: field("Message"), repeated }
    }

    /// The HTTP status, where the server answered.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether who asked for unfinished uploads may not, or the server does not know them.
    pub(super) fn is_no_list(&self) -> bool {
        matches!(self.status(), Some(403 | 405 | 501))
    }

    /// Whether the request may have been done all the same.
    pub(super) fn is_unclear(&self) -> bool {
        match self {
            Self::Refused { status, repeated, .. } => *repeated || *status >= 500,
            Self::Unanswered(_) | Self::Senseless(_) => true,
            _ => false,
        }
    }

    /// Whether the same request may succeed a little later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Refused { status, .. } => matches!(status, 408 | 429 | 500 | 502..=504),
            Self::Unanswered(_) => true,
            _ => false,
        }
    }

    pub(super) fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused { status: 404, .. } => ErrorKind::NotFound,
            Self::Refused { status: 401 | 403, .. } => ErrorKind::PermissionDenied,
            Self::Taken => ErrorKind::AlreadyExists,
            _ => ErrorKind::Other,
        }
    }
}

fn said(code: &str, message: &str) -> String {
    let hint = match code {
        "PermanentRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException" => ". Set `region` to the bucket's",
        _ => "",
    };
    let words: Vec<&str> = [code, message].into_iter().filter(|text| !text.is_empty()).collect();
    let words = words.iter().map(|word| format!(": {word}")).collect::<String>();
    words + hint
}

fn between<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let rest = text.split_once(&format!("<{name}>"))?.1;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

/// What others say, for people: one line, without control characters, and without the query of any URL in it, which
/// may be a signature.
pub(super) fn masked(text: &str) -> String {
    let text = remote::clean(text.as_bytes());
    let words = text.split_whitespace().map(|word| match word.split_once('?') {
        Some((before, query)) if query.contains('=') => format!("{before}?…"),
        _ if word.contains("X-Amz-") => "…".to_owned(),
        _ => word.to_owned(),
    });
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_that_a_server_repeats_is_not_shown() {
        let url = "https://s3.example.com/b/k?X-Amz-Credential=AKIA&X-Amz-Signature=5f0c";
        let body = format!(
            "<Error><Code>Bad</Code><Message>no such thing: {url}, X-Amz-Signature=5f0c\n\u{1b}[2J</Message>\
             <StringToSign>5f0c</StringToSign></Error>"
        );
        let error = S3Error::refused(400, body.as_bytes(), false);
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(!text.contains("5f0c") && !text.contains("AKIA"), "{text}");
            assert!(!text.contains('\u{1b}'), "{text}");
        }
        let shown = error.to_string();
        assert!(
            shown.starts_with(
                "the server answered 400: Bad: no such thing: https://s3.example.com/b/k?…"
            ),
            "{shown}"
        );
        let flood =
            S3Error::refused(500, format!("<Code>{}</Code>", "x".repeat(9999)).as_bytes(), false);
        assert!(flood.to_string().len() < 400);
    }
}
