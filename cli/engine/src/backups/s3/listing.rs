//! What a bucket has of ours, and what is being uploaded into it.

use instant_xml::FromXml;
use rusty_s3::S3Action as _;
use rusty_s3::actions::ListObjectsV2;

use super::client::{Answer, Client};
use super::error::S3Error;
use crate::backups::name::{FileName, part_of};
use crate::backups::store::Stored;

/// Pages of a thousand names. More would be a server that never ends.
const MOST_PAGES: usize = 1000;

/// The objects of ours.
pub(super) fn objects(client: &Client) -> Result<Vec<Stored>, S3Error> {
    let mut files = Vec::new();
    let mut token: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let mut action = client.bucket().list_objects_v2(Some(client.credentials()));
        action.with_prefix(client.prefix());
        action.with_delimiter("/");
        if let Some(token) = &token {
            action.with_continuation_token(token);
        }
        let page = ListObjectsV2::parse_response(&text(&client.send(action, &[], &[])?))
            .map_err(|_| S3Error::Senseless("it is not a list of objects"))?;
        for object in page.contents {
            let name = object.key.strip_prefix(client.prefix()).and_then(FileName::read);
            // What has the name of an unfinished file is an object of somebody else's.
            let Some(name) = name.filter(|name| !matches!(name, FileName::Part(_))) else {
                continue;
            };
            let size = object.size.ok_or(S3Error::Senseless("an object has no length"))?;
            files.push(Stored { name, size });
        }
        match page.next_continuation_token {
            Some(next) if token.as_ref() != Some(&next) => token = Some(next),
            _ => return Ok(files),
        }
    }
    Err(S3Error::Senseless("its list of objects has no end"))
}

/// Our unfinished uploads. Without permission to list them, or on a server that can't list them, none is shown.
pub(super) fn unfinished(client: &Client) -> Result<Vec<Stored>, S3Error> {
    let uploads = match uploads(client, client.prefix()) {
        Err(error) if error.is_no_list() => return Ok(Vec::new()),
        uploads => uploads?,
    };
    let part = |upload: OpenUpload| {
        let name = upload.key.strip_prefix(client.prefix())?;
        FileName::read(&part_of(name)).map(|name| Stored { name, size: 0 })
    };
    Ok(uploads.into_iter().filter_map(part).collect())
}

/// Whether the bucket keeps what is overwritten or deleted; `None` where the server does not say.
pub(super) fn keeps_versions(client: &Client) -> Option<bool> {
    let mut action = client.bucket().get_object(Some(client.credentials()), "");
    action.query_mut().insert("versioning", "");
    let answer = client.send(action, &[], &[]).ok()?;
    let answer = text(&answer);
    answer.contains("<VersioningConfiguration").then(|| answer.contains("<Status>Enabled</Status>"))
}

/// An upload that was neither completed nor aborted.
#[derive(Debug, FromXml)]
#[xml(rename = "Upload", ns(NAMESPACE))]
pub(super) struct OpenUpload {
    #[xml(rename = "Key")]
    pub(super) key: String,
    #[xml(rename = "UploadId")]
    pub(super) id: String,
}

#[derive(Debug, FromXml)]
#[xml(rename = "ListMultipartUploadsResult", ns(NAMESPACE))]
struct Page {
    #[xml(rename = "IsTruncated")]
    is_truncated: Option<bool>,
    #[xml(rename = "NextKeyMarker")]
    next_key: Option<String>,
    #[xml(rename = "NextUploadIdMarker")]
    next_id: Option<String>,
    uploads: Vec<OpenUpload>,
}

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// Uploads of objects whose names start so.
pub(super) fn uploads(client: &Client, prefix: &str) -> Result<Vec<OpenUpload>, S3Error> {
    let mut found = Vec::new();
    let (mut key, mut id) = (String::new(), String::new());
    for _ in 0..MOST_PAGES {
        // A request to the bucket and not to an object: the query names what is requested.
        let mut action = client.bucket().get_object(Some(client.credentials()), "");
        let query = action.query_mut();
        query.insert("uploads", "");
        query.insert("prefix", prefix);
        if !key.is_empty() {
            query.insert("key-marker", key.clone());
            query.insert("upload-id-marker", id.clone());
        }
        let answer = client.send(action, &[], &[])?;
        let page: Page = instant_xml::from_str(&text(&answer))
            .map_err(|_| S3Error::Senseless("it is not a list of uploads"))?;
        found.extend(page.uploads);
        match (page.is_truncated, page.next_key) {
            (Some(true), Some(next)) if !next.is_empty() => {
                (key, id) = (next, page.next_id.unwrap_or_default());
            }
            _ => return Ok(found),
        }
    }
    Err(S3Error::Senseless("its list of uploads has no end"))
}

fn text(answer: &Answer) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(&answer.body)
}
