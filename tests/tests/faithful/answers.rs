//! What an etcd answers over HTTP, asked through its gateway.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

/// Where each member takes clients, at its own address.
pub(crate) const CLIENT_PORT: u16 = 2379;

/// How long an answer may take, while a member knows what to say.
pub(crate) const PATIENCE: Duration = Duration::from_millis(300);

/// The same on a machine that has much else to do.
pub(crate) const MORE_PATIENCE: Duration = Duration::from_secs(3);

/// How long a handover may take. One that succeeds is over within an election timeout; etcd itself
/// gives up after five seconds.
const HANDOVER: Duration = Duration::from_millis(1500);

/// What a member says of itself.
#[derive(Debug)]
pub(crate) struct Status {
    pub(crate) cluster: String,
    pub(crate) member: String,
    pub(crate) leader: Option<String>,
}

/// Asks the member at this address for its status. `None` while it gives none.
pub(crate) fn status(member: Ipv4Addr, patience: Duration) -> Option<Status> {
    let said = post(member, "/v3/maintenance/status", &json!({}), patience)?;
    let header = &said["header"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Some(Status {
        cluster: text(&header["cluster_id"])?,
        member: text(&header["member_id"])?,
        leader: text(&said["leader"]).filter(|leader| leader != "0"),
    })
}

/// Whether a read that needs the quorum succeeds.
pub(crate) fn reads(member: Ipv4Addr, patience: Duration) -> bool {
    let request = json!({ "key": "Zm9v" });
    post(member, "/v3/kv/range", &request, patience)
        .is_some_and(|said| said.get("header").is_some())
}

/// The names of the members with a client URL, as a member lists them.
pub(crate) fn published(member: Ipv4Addr, patience: Duration) -> Option<Vec<String>> {
    let said = post(member, "/v3/cluster/member/list", &json!({}), patience)?;
    let published =
        |member: &&Value| member["clientURLs"].as_array().is_some_and(|urls| !urls.is_empty());
    let members = said["members"].as_array()?.iter().filter(published);
    Some(members.filter_map(|member| Some(member["name"].as_str()?.to_owned())).collect())
}

/// Asks a leader to hand over.
pub(crate) fn hand_over(member: Ipv4Addr, to: &str) -> bool {
    let request = json!({ "targetID": to });
    post(member, "/v3/maintenance/transfer-leadership", &request, HANDOVER).is_some()
}

fn post(member: Ipv4Addr, path: &str, body: &Value, patience: Duration) -> Option<Value> {
    let (head, body) = call(member, "POST", path, body, patience)?;
    head.contains(" 200 ").then(|| serde_json::from_str(&body).ok())?
}

/// Head and body of what a member answers. `None` if it is not whole in time.
pub(crate) fn call(
    member: Ipv4Addr,
    method: &str,
    path: &str,
    body: &Value,
    patience: Duration,
) -> Option<(String, String)> {
    let body = body.to_string();
    let mut stream = TcpStream::connect((member, CLIENT_PORT)).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    // In HTTP/1.0 an answer comes in one piece, and its end is the connection's.
    let request = format!(
        "{method} {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split_once("\r\n\r\n").map(|(head, body)| (head.to_owned(), body.to_owned()))
}
