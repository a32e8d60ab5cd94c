//! Scripts that send more than a reply.

use std::io::{self, PipeReader, Read as _, Write as _};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::trouble::through;
use crate::frame::hex;
use crate::test_server::{Cable, Sshd, call, run, wait_for};
use crate::{Call, Payload, RemoteError, connect};

/// What comes out of a pipe: how much, and its sum.
fn drain(mut stream: PipeReader) -> JoinHandle<(usize, String)> {
    std::thread::spawn(move || {
        let (mut sum, mut count, mut buffer) = (Sha256::new(), 0, [0; 65536]);
        while let Ok(more @ 1..) = stream.read(&mut buffer) {
            count += more;
            sum.update(&buffer[..more]);
        }
        (count, hex(&sum.finalize()))
    })
}

const TENTH_GIGABYTE: &str =
    "head -c 100000000 /dev/urandom | tee /dev/fd/3 | sha256sum; echo oops >&2; exit 4";

#[tokio::test]
async fn a_stream_arrives_to_the_byte_and_the_reply_after_it() {
    for sshd in [Sshd::start(), Sshd::with("Compression no")] {
        let connection = sshd.connect().await;
        let (stream, out) = io::pipe().unwrap();
        let drained = drain(stream);
        let reply = connection.stream(call(TENTH_GIGABYTE), out).await.unwrap();
        let (count, sum) = drained.join().unwrap();
        assert_eq!(count, 100_000_000);
        assert_eq!(String::from_utf8_lossy(&reply.stdout), format!("{sum}  -\n"));
        assert_eq!((reply.status, reply.stderr.as_str()), (4, "oops"));
    }
}

#[tokio::test]
async fn a_script_that_streams_nothing_just_replies() {
    let sshd = Sshd::start();
    let connection = sshd.connect().await;
    let (stream, out) = io::pipe().unwrap();
    let drained = drain(stream);
    let reply = connection.stream(call("printf 'a\\n\\n'"), out).await.unwrap();
    assert_eq!((reply.stdout.as_slice(), drained.join().unwrap().0), (b"a\n\n".as_slice(), 0));
}

#[tokio::test]
async fn a_reader_that_stalls_holds_up_its_own_run_alone() {
    let sshd = Sshd::start();
    let connection = sshd.connect().await;
    let (stream, out) = io::pipe().unwrap();
    let streaming = {
        let connection = connection.clone();
        tokio::spawn(async move { connection.stream(call(TENTH_GIGABYTE), out).await })
    };
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = connection.counters().bytes_in;
    let started = Instant::now();
    assert_eq!(run(&connection, "echo here").await.unwrap().stdout, b"here\n");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let more = connection.counters().bytes_in - before;
    assert!(more < 10_000_000, "{more} bytes were read that nobody took");
    let drained = drain(stream);
    assert_eq!(streaming.await.unwrap().unwrap().status, 4);
    assert_eq!(drained.join().unwrap().0, 100_000_000);
}

#[tokio::test]
async fn a_stream_that_is_cut_off_has_no_reply() {
    let sshd = Sshd::start();
    let cable = Cable::to(sshd.port);
    let connection = connect(through(&sshd, &cable)).await.unwrap();
    let (stream, out) = io::pipe().unwrap();
    let drained = drain(stream);
    let cut = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        cable.cut();
    };
    let (reply, ()) = tokio::join!(connection.stream(call("cat /dev/zero >&3"), out), cut);
    assert!(matches!(reply, Err(RemoteError::Lost { .. })), "{reply:?}");
    assert!(drained.join().unwrap().0 > 0);
}

#[tokio::test]
async fn what_streams_ends_when_nobody_waits_for_it() {
    let sshd = Sshd::start();
    let connection = sshd.connect().await;
    let ended = sshd.path("ended");
    let args = vec![ended.display().to_string()];
    let asked = Call { args, ..call("cat /dev/zero >&3 || :; : > \"$1\"") };
    let (stream, out) = io::pipe().unwrap();
    let drained = drain(stream);
    let streaming = connection.stream(asked, out);
    assert!(tokio::time::timeout(Duration::from_secs(1), streaming).await.is_err());
    drained.join().unwrap();
    assert!(tokio::task::spawn_blocking(move || wait_for(|| ended.exists())).await.unwrap());
}

#[tokio::test]
async fn a_silent_host_does_not_hold_the_reader_of_a_stream_that_nobody_waits_for() {
    let sshd = Sshd::start();
    let cable = Cable::to(sshd.port);
    let connection = connect(through(&sshd, &cable)).await.unwrap();
    let (stream, out) = io::pipe().unwrap();
    let drained = drain(stream);
    {
        let mut streaming = std::pin::pin!(connection.stream(call("echo here >&3; sleep 30"), out));
        assert!(tokio::time::timeout(Duration::from_secs(1), &mut streaming).await.is_err());
        cable.fall_silent();
        assert!(tokio::time::timeout(Duration::from_millis(100), &mut streaming).await.is_err());
    }
    let left = Instant::now();
    drained.join().unwrap();
    assert!(left.elapsed() < Duration::from_secs(1), "{:?}", left.elapsed());
}

/// Sums what it is sent, and says whether it was all.
const RECEIVE: &str = "recv \"$blob1\" | sha256sum; if whole; then echo whole; else echo cut; fi";

/// A run that is fed `pieces`, each of a megabyte, though `length` bytes were promised.
async fn fed(sshd: &Sshd, pieces: u8, length: u64) -> (String, String) {
    let connection = sshd.connect().await;
    let (pipe, mut feed) = io::pipe().unwrap();
    let payload = Payload::new().with_streamed(pipe, length).unwrap();
    let asked = Call { payload, ..call(RECEIVE) };
    let feeding = std::thread::spawn(move || {
        let mut sum = Sha256::new();
        for piece in 0..pieces {
            let bytes = vec![piece; 1_000_000];
            sum.update(&bytes);
            // Its reader may have stopped early.
            let _ = feed.write_all(&bytes);
            if piece == 1 {
                std::thread::sleep(Duration::from_millis(300));
            }
        }
        hex(&sum.finalize())
    });
    let reply = connection.run(asked).await.unwrap();
    let sum = feeding.join().unwrap();
    (sum, String::from_utf8(reply.stdout).unwrap())
}

#[tokio::test]
async fn what_is_fed_arrives_to_the_byte() {
    for sshd in [Sshd::start(), Sshd::with("Compression no")] {
        let (sum, said) = fed(&sshd, 50, 50_000_000).await;
        assert_eq!(said, format!("{sum}  -\nwhole\n"));
    }
}

#[tokio::test]
async fn what_is_fed_in_part_is_not_whole() {
    let (sum, said) = fed(&Sshd::start(), 3, 3_000_001).await;
    assert_eq!(said, format!("{sum}  -\ncut\n"));
}

#[tokio::test]
async fn a_feed_that_stalls_holds_up_its_own_run_alone_and_one_that_nobody_takes_ends() {
    let sshd = Sshd::start();
    let connection = sshd.connect().await;
    let (pipe, mut feed) = io::pipe().unwrap();
    let payload = Payload::new().with_streamed(pipe, 1_000_000_000).unwrap();
    let asked = Call { payload, ..call("sleep 2; exit 7") };
    let running = {
        let connection = connection.clone();
        tokio::spawn(async move { connection.run(asked).await })
    };
    tokio::time::sleep(Duration::from_millis(200)).await;
    let started = Instant::now();
    assert_eq!(run(&connection, "echo here").await.unwrap().stdout, b"here\n");
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    let feeding = std::thread::spawn(move || {
        let mut count = 0;
        while let Ok(more) = feed.write(&[7; 100_000]) {
            count += more;
        }
        count
    });
    assert_eq!(running.await.unwrap().unwrap().status, 7);
    // The pipe is closed with the run, and no gigabyte was held for it.
    assert!(feeding.join().unwrap() < 50_000_000);
}
