use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use super::*;

/// A service on loopback that gives these answers, by path; nothing is at another one.
fn service(answers: &[(&str, &str)]) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers: BTreeMap<String, String> =
        answers.iter().map(|(path, said)| ((*path).to_owned(), (*said).to_owned())).collect();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = [0; 4096];
            let length = stream.read(&mut asked).unwrap();
            let asked = String::from_utf8_lossy(&asked[..length]).into_owned();
            let path = asked.split_whitespace().nth(1).unwrap_or_default();
            let (status, said) = match answers.get(path) {
                Some(said) => ("200 OK", said.as_str()),
                None => ("404 Not Found", "{}"),
            };
            let length = said.len();
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n");
            write!(stream, "{head}Connection: close\r\n\r\n{said}").unwrap();
        }
    });
    url
}

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn the_token_is_the_end_of_the_url_that_the_service_makes() {
    let made = format!("https://discovery.example.net/{TOKEN}\n");
    let url = service(&[("/new?size=3", &made)]);
    assert_eq!(make(&url, 3).unwrap().as_str(), TOKEN);
    assert!(matches!(make(&url, 5), Err(DiscoveryError::Missing(_))));
    let url = service(&[("/new?size=3", "<html>Welcome to a portal</html>")]);
    let error = make(&url, 3).unwrap_err();
    assert!(error.to_string().contains("Welcome to a portal"), "{error}");
}

#[test]
fn a_service_that_is_not_there_is_reported_in_plain_words() {
    // Not a port that was free a moment ago: another test may have it by now.
    let error = make("http://127.0.0.1:1", 3).unwrap_err();
    assert!(error.to_string().starts_with("the discovery service does not answer"), "{error}");
    assert!(error.hint().contains("June 2026"));
}

#[test]
fn a_url_serves_once_and_for_its_size() {
    let size = r#"{"action":"get","node":{"key":"/_etcd/registry/t/_config/size","value":"3"}}"#;
    let member = |value: &str| {
        format!(
            r#"{{"node":{{"key":"/t","dir":true,"nodes":[{{"key":"/t/_config","dir":true}}{value}]}}}}"#
        )
    };
    let free = member("");
    let url = service(&[("/t/_config/size", size), ("/t", &free)]) + "/t";
    check(&url, 3).unwrap();
    let error = check(&url, 5).unwrap_err().to_string();
    assert!(error.ends_with("is for 3 members, and the cluster has 5"), "{error}");
    let used = member(r#",{"key":"/t/8e9","value":"a=https://10.0.0.1:2380"}"#);
    let url = service(&[("/t/_config/size", size), ("/t", &used)]) + "/t";
    let error = check(&url, 3).unwrap_err().to_string();
    assert!(error.contains("a=https://10.0.0.1:2380 registered already"), "{error}");
    assert!(matches!(check(&(url + "/x"), 3), Err(DiscoveryError::Missing(_))));
}
