//! Objects that appear whole or not at all, and in the place of no other. An upload that is not published is aborted.

use std::io::{self, Write};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use rusty_s3::actions::{CompleteMultipartUploadResponse, CreateMultipartUpload};

use super::client::{Client, Patience};
use super::error::S3Error;
use super::listing;
use super::ranges::Ranges;

/// A part: what is held in memory, and what is sent again if its answer was lost. S3 takes no smaller ones than 5 MiB,
/// but for the last.
const PART: usize = 8 * 1024 * 1024;

/// The most parts that S3 takes.
const MOST_PARTS: usize = 10_000;

/// Nobody waits long for what no backup depends on. An upload that stays is found by the next `prune`.
pub(super) const TIDYING: Patience = Patience {
    once: Duration::from_secs(5),
    all: Duration::from_secs(10),
    wait: Duration::from_millis(250),
    tries: 3,
};

/// An object that is being written.
#[derive(Debug)]
pub struct Upload {
    client: Arc<Client>,
    key: String,
    name: String,
    id: String,
    etags: Vec<String>,
    part: Vec<u8>,
    size: u64,
    /// Whether the server may have started more than one.
    started_twice: bool,
    published: bool,
}

impl Upload {
    pub(super) fn begin(client: Arc<Client>, name: &str) -> Result<Self, S3Error> {
        let key = client.key(name);
        let action = client.bucket().create_multipart_upload(Some(client.credentials()), &key);
        let answer = client.send(action, &[], &[])?;
        let text = String::from_utf8_lossy(&answer.body);
        let created = CreateMultipartUpload::parse_response(&text)
            .map_err(|_| S3Error::Senseless("it does not start an upload"))?;
        let id = created.upload_id().to_owned();
        Ok(Self {
            client,
            key,
            name: name.to_owned(),
            id,
            etags: Vec::new(),
            part: Vec::with_capacity(PART),
            size: 0,
            started_twice: answer.repeated,
            published: false,
        })
    }

    /// Gives the object its name. Another one of that name stays as it is, where the server knows conditions; where it
    /// does not, names that are drawn at random never meet.
    pub(in crate::backups) fn publish(mut self) -> Result<(), S3Error> {
        if !self.part.is_empty() || self.etags.is_empty() {
            self.send_part()?;
        }
        let done = unless_taken(|condition| self.complete(condition));
        match done {
            Err(error) if error.is_unclear() => match size(&self.client, &self.name) {
                Ok(size) if size == self.size => {}
                Ok(_) => return Err(S3Error::Taken),
                Err(_) => return Err(error),
            },
            done => done?,
        }
        self.published = true;
        if self.started_twice {
            let _ = abort_all(&self.client.within(TIDYING), &self.name);
        }
        Ok(())
    }

    fn complete(&self, condition: &[(&'static str, String)]) -> Result<(), S3Error> {
        let Self { client, key, id, etags, .. } = self;
        let action = || {
            let etags = etags.iter().map(String::as_str);
            client.bucket().complete_multipart_upload(Some(client.credentials()), key, id, etags)
        };
        let answer = client.send(action(), condition, action().body().as_bytes())?;
        // The status comes first, and what became of it later.
        let text = String::from_utf8_lossy(&answer.body);
        match CompleteMultipartUploadResponse::parse(&text) {
            Ok(_) => Ok(()),
            Err(_) => Err(S3Error::Senseless("it does not say that the upload is complete")),
        }
    }

    fn send_part(&mut self) -> Result<(), S3Error> {
        let number = self.etags.len() + 1;
        let short = u16::try_from(number).ok().filter(|_| number <= MOST_PARTS);
        let short = short.ok_or(S3Error::TooLarge(MOST_PARTS))?;
        let Self { client, key, id, part, .. } = &*self;
        let action = client.bucket().upload_part(Some(client.credentials()), key, short, id);
        let answer = client.send(action, &[sum(part)], part)?;
        let etag = answer.etag.ok_or(S3Error::Senseless("a part has no ETag"))?;
        self.etags.push(etag);
        self.size += self.part.len() as u64;
        self.part.clear();
        Ok(())
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.part.len() == PART {
            self.send_part()?;
        }
        let count = bytes.len().min(PART - self.part.len());
        self.part.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !mem::replace(&mut self.published, true) {
            let client = self.client.within(TIDYING);
            // What a dead server keeps of it shows as unfinished.
            let _ = abort(&client, &self.key, &self.id);
            if self.started_twice {
                let _ = abort_all(&client, &self.name);
            }
        }
    }
}

/// Writes a small object, whole or not at all, in the place of no other.
pub(super) fn put(client: &Arc<Client>, name: &str, content: &[u8]) -> Result<(), S3Error> {
    let key = client.key(name);
    let done = unless_taken(|condition| {
        let action = client.bucket().put_object(Some(client.credentials()), &key);
        let headers = [condition, &[sum(content)]].concat();
        client.send(action, &headers, content).map(drop)
    });
    match done {
        Err(error) if error.is_unclear() => match same(client, name, content) {
            Ok(true) => Ok(()),
            Ok(false) => Err(S3Error::Taken),
            Err(_) => Err(error),
        },
        done => done,
    }
}

/// Does it on the condition that the name is free. A server that knows no conditions is asked without one.
fn unless_taken(
    work: impl Fn(&[(&'static str, String)]) -> Result<(), S3Error>,
) -> Result<(), S3Error> {
    match work(&[("if-none-match", "*".to_owned())]) {
        Err(error) if error.status() == Some(501) => work(&[]),
        Err(S3Error::Refused { status: 412, repeated: false, .. }) => Err(S3Error::Taken),
        done => done,
    }
}

/// Aborts every upload of an object: those of a run that was stopped.
pub(super) fn abort_all(client: &Client, name: &str) -> Result<(), S3Error> {
    let key = client.key(name);
    let uploads = match listing::uploads(client, &key) {
        // Without permission to list uploads, or on a server that can't list them, none was shown either.
        Err(error) if error.is_no_list() => return Ok(()),
        uploads => uploads?,
    };
    let mut ours = uploads.iter().filter(|upload| upload.key == key);
    ours.try_for_each(|upload| abort(client, &key, &upload.id))
}

fn abort(client: &Client, key: &str, id: &str) -> Result<(), S3Error> {
    let action = client.bucket().abort_multipart_upload(Some(client.credentials()), key, id);
    match client.send(action, &[], &[]) {
        Err(error) if error.status() == Some(404) => Ok(()),
        aborted => aborted.map(drop),
    }
}

/// How long an object is.
fn size(client: &Client, name: &str) -> Result<u64, S3Error> {
    let key = client.key(name);
    let action = client.bucket().head_object(Some(client.credentials()), &key);
    let answer = client.send(action, &[], &[])?;
    answer.length.ok_or(S3Error::Senseless("an object has no length"))
}

fn same(client: &Arc<Client>, name: &str, content: &[u8]) -> Result<bool, S3Error> {
    let mut bytes = Vec::new();
    let limit = content.len() as u64 + 1;
    let stored = Ranges::open(Arc::clone(client), name)?;
    match io::Read::read_to_end(&mut io::Read::take(stored, limit), &mut bytes) {
        Ok(_) => Ok(bytes == content),
        Err(error) => Err(S3Error::Unanswered(error.to_string())),
    }
}

/// Servers with object lock want it, and all of them notice by it what was altered on its way.
fn sum(content: &[u8]) -> (&'static str, String) {
    ("content-md5", STANDARD.encode(Md5::digest(content)))
}
