//! As much of an S3 server as faults need. What a real one does is tried with a real one.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use inventories::{BucketStyle, S3Server, S3Target};

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// It is refused.
    Refuse(u16, &'static str),
    /// The connection is cut before anything is done.
    Cut,
    /// It is done, and the connection is cut before the answer.
    Lose,
    /// The answer is cut after half of its body.
    Half,
    /// The body lacks its last byte, and its length is the shorter one.
    Short,
    /// Nothing happens for so long.
    Hang(Duration),
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) objects: BTreeMap<String, Vec<u8>>,
    /// By id: the object and its parts.
    pub(super) uploads: BTreeMap<String, (String, BTreeMap<u16, Vec<u8>>)>,
    /// What was asked, a word each.
    pub(super) asked: Vec<String>,
    pub(super) faults: VecDeque<(&'static str, Fault)>,
    /// Objects of one page of a list.
    pub(super) page: usize,
    pub(super) versioned: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Server {
    port: u16,
    pub(super) state: Arc<Mutex<State>>,
}

struct Request {
    method: String,
    key: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

const NAMESPACE: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";

impl Server {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State { page: 1000, ..State::default() }));
        let server = Self { port, state };
        let own = server.clone();
        // It ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let own = own.clone();
                thread::spawn(move || own.serve(stream.unwrap()));
            }
        });
        server
    }

    pub(super) fn target(&self, prefix: &str) -> S3Target {
        S3Target {
            bucket: "bucket".to_owned(),
            prefix: prefix.to_owned(),
            server: S3Server {
                endpoint: format!("http://127.0.0.1:{}", self.port),
                region: "us-east-1".to_owned(),
                style: BucketStyle::Path,
                ca_file: None,
            },
        }
    }

    /// Makes the next requests of a kind fail.
    pub(super) fn faults(&self, of: &[(&'static str, Fault)]) {
        self.state.lock().unwrap().faults.extend(of);
    }

    pub(super) fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.state.lock().unwrap().objects.clone()
    }

    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let request = read(&stream)?;
        let (kind, fault) = {
            let mut state = self.state.lock().unwrap();
            let kind = kind(&request);
            state.asked.push(kind.to_owned());
            let at = state.faults.iter().position(|(of, _)| *of == kind || *of == "all");
            (kind, at.and_then(|at| state.faults.remove(at)).map(|(_, fault)| fault))
        };
        let done = |request: &Request| answer(&mut self.state.lock().unwrap(), kind, request);
        let answer = match fault {
            None => done(&request),
            Some(Fault::Refuse(status, code)) => refused(status, code, &request),
            Some(Fault::Cut) => return None,
            Some(Fault::Lose) => {
                done(&request);
                return None;
            }
            Some(Fault::Hang(time)) => {
                thread::sleep(time);
                return None;
            }
            Some(Fault::Short) => {
                let mut answer = done(&request);
                answer.body.pop();
                answer
            }
            Some(Fault::Half) => {
                let answer = done(&request);
                let head = head(&answer);
                stream.write_all(head.as_bytes()).ok()?;
                return stream.write_all(&answer.body[..answer.body.len() / 2]).ok();
            }
        };
        stream.write_all(head(&answer).as_bytes()).ok()?;
        if request.method != "HEAD" {
            stream.write_all(&answer.body).ok()?;
        }
        Some(())
    }
}

fn head(Answer { status, headers, body }: &Answer) -> String {
    let length = ("content-length", body.len().to_string());
    let headers = headers.iter().chain([&length]);
    let lines = headers.map(|(name, value)| format!("{name}: {value}\r\n")).collect::<String>();
    format!("HTTP/1.1 {status} X\r\nconnection: close\r\n{lines}\r\n")
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, url) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = url.split_once('?')?;
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name.to_owned(), value.replace("%2F", "/"))
    };
    let query = query.split('&').map(pair).collect();
    let key = path.strip_prefix("/bucket/")?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, key, query, headers, body })
}

fn kind(request: &Request) -> &'static str {
    let has = |name| request.query.contains_key(name);
    match request.method.as_str() {
        "POST" if has("uploads") => "begin",
        "POST" => "complete",
        "PUT" if has("partNumber") => "part",
        "PUT" => "put",
        "DELETE" if has("uploadId") => "abort",
        "DELETE" => "delete",
        "HEAD" => "head",
        _ if has("uploads") => "uploads",
        _ if has("list-type") => "list",
        _ if has("versioning") => "versioning",
        _ => "get",
    }
}

/// A server may repeat what it was sent.
fn refused(status: u16, code: &str, request: &Request) -> Answer {
    let signature = &request.query["X-Amz-Signature"];
    let url = format!("http://elsewhere.example/?X-Amz-Signature={signature}");
    let body = format!("<Error><Code>{code}</Code><Message>not {url}</Message></Error>");
    Answer { status, headers: vec![("location", url)], body: body.into_bytes() }
}

fn answer(state: &mut State, kind: &str, request: &Request) -> Answer {
    let Request { key, query, headers, body, .. } = request;
    let id = query.get("uploadId").cloned().unwrap_or_default();
    let plain = |status, body: Vec<u8>| Answer { status, headers: Vec::new(), body };
    let taken = headers.contains_key("if-none-match") && state.objects.contains_key(key);
    match kind {
        "begin" => {
            let id = format!("upload-{}", state.asked.len());
            state.uploads.insert(id.clone(), (key.clone(), BTreeMap::new()));
            let xml = format!(
                "<InitiateMultipartUploadResult {NAMESPACE}><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
            );
            plain(200, xml.into_bytes())
        }
        "part" => {
            let number = query["partNumber"].parse().unwrap();
            state.uploads.get_mut(&id).unwrap().1.insert(number, body.clone());
            let etag = format!("\"part-{number}\"");
            Answer { status: 200, headers: vec![("etag", etag)], body: Vec::new() }
        }
        "complete" | "put" if taken => refused(412, "PreconditionFailed", request),
        "complete" => {
            let Some((key, parts)) = state.uploads.remove(&id) else {
                return refused(404, "NoSuchUpload", request);
            };
            state.objects.insert(key, parts.into_values().flatten().collect());
            let xml = format!(
                "<CompleteMultipartUploadResult {NAMESPACE}><ETag>whole</ETag></CompleteMultipartUploadResult>"
            );
            plain(200, xml.into_bytes())
        }
        "put" => {
            state.objects.insert(key.clone(), body.clone());
            plain(200, Vec::new())
        }
        "abort" => {
            let gone = state.uploads.remove(&id).is_none();
            plain(if gone { 404 } else { 204 }, Vec::new())
        }
        "delete" => {
            state.objects.remove(key);
            plain(204, Vec::new())
        }
        "versioning" => {
            let status = if state.versioned { "<Status>Enabled</Status>" } else { "" };
            let xml =
                format!("<VersioningConfiguration {NAMESPACE}>{status}</VersioningConfiguration>");
            plain(200, xml.into_bytes())
        }
        "uploads" => plain(200, uploads(state, &query["prefix"]).into_bytes()),
        "list" => plain(200, list(state, query).into_bytes()),
        _ => match state.objects.get(key) {
            Some(object) => get(object, headers),
            None => refused(404, "NoSuchKey", request),
        },
    }
}

fn get(object: &[u8], headers: &BTreeMap<String, String>) -> Answer {
    let etag = ("etag", format!("\"{}\"", object.len()));
    let range = headers.get("range").and_then(|range| range.strip_prefix("bytes="));
    let Some((from, to)) = range.and_then(|range| range.split_once('-')) else {
        return Answer { status: 200, headers: vec![etag], body: object.to_vec() };
    };
    let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
    let to = to.min(object.len().saturating_sub(1));
    if from >= object.len() {
        return Answer { status: 416, headers: vec![etag], body: Vec::new() };
    }
    let said = ("content-range", format!("bytes {from}-{to}/{}", object.len()));
    Answer { status: 206, headers: vec![etag, said], body: object[from..=to].to_vec() }
}

fn uploads(state: &State, prefix: &str) -> String {
    let ours = state.uploads.iter().filter(|(_, (key, _))| key.starts_with(prefix));
    let rows = ours.map(|(id, (key, _))| {
        format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId><StorageClass>STANDARD</StorageClass></Upload>")
    });
    let rows = rows.collect::<String>();
    format!(
        "<ListMultipartUploadsResult {NAMESPACE}><Bucket>bucket</Bucket><IsTruncated>false</IsTruncated>{rows}</ListMultipartUploadsResult>"
    )
}

fn list(state: &State, query: &BTreeMap<String, String>) -> String {
    let prefix = query.get("prefix").map_or("", String::as_str);
    let after = query.get("continuation-token").cloned().unwrap_or_default();
    let fits = |key: &&String| {
        key.strip_prefix(prefix).is_some_and(|rest| !rest.contains('/')) && **key > after
    };
    let keys: Vec<&String> = state.objects.keys().filter(fits).collect();
    let page = &keys[..keys.len().min(state.page)];
    let rows = page.iter().map(|key| {
        format!("<Contents><Key>{key}</Key><Size>{}</Size></Contents>", state.objects[*key].len())
    });
    let rows = rows.collect::<String>();
    let next = match page.last() {
        Some(last) if page.len() < keys.len() => {
            format!(
                "<IsTruncated>true</IsTruncated><NextContinuationToken>{last}</NextContinuationToken>"
            )
        }
        _ => "<IsTruncated>false</IsTruncated>".to_owned(),
    };
    format!("<ListBucketResult {NAMESPACE}>{rows}{next}</ListBucketResult>")
}
