//! Buckets as backup targets, and the server that has them.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::backups::{BucketStyle, S3Server, S3Target};
use crate::defaults;
use crate::escape::escape;
use crate::report::{At, Finding, Report};
use crate::schema;

/// The server of a cluster's S3 targets, defaults filled in; mistakes have been reported.
pub(super) fn server(raw: Option<&schema::S3>, report: &mut Report<'_>) -> S3Server {
    let none = schema::S3::default();
    let schema::S3 { endpoint, region, path_style, ca_file } = raw.unwrap_or(&none);
    let mut checked =
        |written: &Option<schema::Loc<String>>, fits: fn(&str) -> bool, hint: &str| {
            let written = written.as_ref()?;
            let at = At::new(0, written.span());
            if !fits(written) && !holds_login(written, &at, report) {
                let shown = escape(&written.chars().take(80).collect::<String>());
                let message = format!("\"{shown}\" can't be used for S3");
                report.add(Finding::error("backups", &at, message).hint(hint));
            }
            Some(written.value().clone())
        };
    let region = checked(
        region,
        is_region,
        "write the region as the server calls it, such as \"eu-central-1\"",
    );
    let endpoint = checked(
        endpoint,
        is_endpoint,
        "write the server's https URL without a path or user, such as \"https://minio.example.com:9000\"",
    );
    let ca_file = checked(ca_file, is_path, "write the path of a PEM file");
    let region = region.unwrap_or_else(|| defaults::S3_REGION.to_owned());
    let of_its_own = endpoint.is_some();
    S3Server {
        endpoint: endpoint.map_or_else(
            || format!("https://s3.{region}.amazonaws.com"),
            |url| url.trim_end_matches('/').to_owned(),
        ),
        region,
        style: if path_style.unwrap_or(of_its_own) { BucketStyle::Path } else { BucketStyle::Host },
        ca_file: ca_file.map(PathBuf::from),
    }
}

/// Reports a URL with a user or password, and repeats neither.
pub(super) fn holds_login(url: &str, at: &At, report: &mut Report<'_>) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let Some((login, _)) = rest.rsplit_once('@') else { return false };
    report.hide_part(at, login);
    let message = "this URL holds a user or a password in plain";
    let hint = "leave it out, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write ~/.aws/credentials";
    report.add(Finding::error("plain-secret", at, message).hint(hint));
    true
}

/// What follows `s3://`.
pub(super) fn target(place: &str, server: &S3Server) -> Result<S3Target, &'static str> {
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    let prefix = prefix.trim_end_matches('/');
    if !is_bucket(bucket) {
        return Err("write a bucket's name and, if you like, a prefix: \"s3://bucket/prefix\"");
    }
    if !prefix.is_empty() && !prefix.split('/').all(is_segment) {
        return Err(
            "write a prefix of letters, digits, '-', '_' and '.' between single slashes: \"s3://bucket/etcd/prod\"",
        );
    }
    Ok(S3Target { bucket: bucket.to_owned(), prefix: prefix.to_owned(), server: server.clone() })
}

fn is_bucket(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.chars().all(|c| plain(c) || c == '-' || c == '.')
        && name.starts_with(plain)
        && name.ends_with(plain)
        && !name.contains("..")
}

/// A name that no server, proxy or file system behind it reads as anything else.
fn is_segment(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.chars().all(plain) && !matches!(name, "." | "..")
}

fn is_region(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=64).contains(&name.len()) && name.chars().all(plain)
}

fn is_path(path: &str) -> bool {
    !path.is_empty() && !path.chars().any(char::is_control)
}

/// Anyone who reads a signed request can open the bucket, so it never goes over a network in the clear.
fn is_endpoint(url: &str) -> bool {
    let url = url.strip_suffix('/').unwrap_or(url);
    if let Some(authority) = url.strip_prefix("https://") {
        return is_authority(authority);
    }
    let local = |authority: &str| {
        let host = host_of(authority);
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    };
    url.strip_prefix("http://").is_some_and(|authority| is_authority(authority) && local(authority))
}

/// The host of `host:port`, where an IPv6 address has brackets.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, _)) if !authority.ends_with(']') => host,
        _ => authority,
    }
}

fn is_authority(authority: &str) -> bool {
    let host = host_of(authority);
    let port = authority[host.len()..].strip_prefix(':');
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match bare {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.chars().all(is_name)
                && host.starts_with(|c: char| c.is_ascii_alphanumeric())
        }
    };
    is_host && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn aws() -> S3Server {
        S3Server {
            endpoint: "https://s3.us-east-1.amazonaws.com".to_owned(),
            region: "us-east-1".to_owned(),
            style: BucketStyle::Host,
            ca_file: None,
        }
    }

    #[test]
    fn a_bucket_and_a_prefix_are_one_place_however_they_are_spelled() {
        let place = |text: &str| {
            target(text, &aws()).map(|S3Target { bucket, prefix, .. }| (bucket, prefix))
        };
        let expected = |bucket: &str, prefix: &str| Ok((bucket.to_owned(), prefix.to_owned()));
        assert_eq!(place("backups"), expected("backups", ""));
        assert_eq!(place("backups/"), expected("backups", ""));
        assert_eq!(place("my.backups/etcd/Prod_1/"), expected("my.backups", "etcd/Prod_1"));
        let bad = [
            "",
            "/",
            "ab",
            "Backups",
            "-backups",
            "a..b",
            "key:secret@bucket",
            "bucket//a",
            "bucket/../a",
            "bucket/a?b",
            "bucket/a b",
            "bucket/\u{e4}",
            "bucket/./a",
        ];
        for bad in bad {
            assert!(place(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_signed_request_crosses_no_network_in_the_clear() {
        for good in [
            "https://s3.example.com",
            "https://s3.example.com:9000/",
            "https://10.0.0.1:9000",
            "https://[fd00::1]:9000",
            "https://[fd00::1]",
            "http://127.0.0.1:7070",
            "http://[::1]:7070",
            "http://localhost",
        ] {
            assert!(is_endpoint(good), "{good}");
        }
        for bad in [
            "",
            "https://",
            "s3.example.com",
            "http://s3.example.com",
            "http://10.0.0.1:9000",
            "http://localhost.example.com",
            "http://127.0.0.1@example.com",
            "https://key:secret@example.com",
            "https://example.com/path",
            "https://example.com?a=b",
            "https://example.com:0",
            "https://example.com:99999",
            "https://exa mple.com",
            "https://[fd00::1",
            "ftp://example.com",
        ] {
            assert!(!is_endpoint(bad), "{bad}");
        }
    }
}
