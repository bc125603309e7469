//! Two thousand streams on one dollar: they use what they like, hang up when
//! they like, and the hub is killed amid it all.

use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const STREAMS: u64 = 2_000;

fn mixed(n: u64) -> u64 {
    let x = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (x ^ (x >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 33
}

/// A stream of some words, whose vendor counts them rightly.
fn random(n: u64) -> Reply {
    let words = 1 + mixed(n) % 120;
    let reply = (0..words).fold(Reply::sse(), |reply, _| reply.text(" word"));
    let usage = json!({ "prompt_tokens": 9, "completion_tokens": words, "total_tokens": 9 + words });
    let mut last = vendor::usage_chunk();
    last["usage"] = usage;
    reply.event(&vendor::delta(json!({}), json!("stop"))).event(&last).done()
}

/// Some read to the end, some leave before, some amid. `true` when it was refused for want of credits.
async fn one(hub: Arc<Gateway>, n: u64) -> bool {
    let Ok(stream) = tokio::net::TcpStream::connect(hub.public).await else { return false };
    let (mut reader, mut writer) = stream.into_split();
    let request = gateway::stream(&format!("stream {n}")).bytes();
    if tokio::io::AsyncWriteExt::write_all(&mut writer, &request).await.is_err() {
        return false;
    }
    let patience = mixed(n ^ 0xABCD) % 12;
    let (mut refused, mut buffer) = (false, [0; 2_048]);
    for read in 0.. {
        match tokio::io::AsyncReadExt::read(&mut reader, &mut buffer).await {
            Ok(bytes) if bytes > 0 && (patience > 5 || read < patience) => {
                refused |= buffer.starts_with(b"HTTP/1.1 402");
                if refused || buffer[..bytes].ends_with(b"0\r\n\r\n") {
                    break;
                }
            }
            _ => break,
        }
    }
    refused
}

async fn crowd(hub: Gateway, range: std::ops::Range<u64>) -> (Gateway, u64) {
    let hub = Arc::new(hub);
    let all: Vec<_> = range.map(|n| tokio::spawn(one(hub.clone(), n))).collect();
    let mut refused = 0;
    for task in all {
        refused += u64::from(patiently("a stream to end", task).await.unwrap());
    }
    (Arc::into_inner(hub).unwrap(), refused)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_streams_never_spend_more_than_their_dollar() {
    let served = Arc::new(AtomicU64::new(0));
    let count = served.clone();
    let upstream = Upstream::answer(move |_| random(count.fetch_add(1, Ordering::Relaxed))).await;
    let conf = paying(Conf::one(&upstream))
        .set("billing", "hold_step = 64")
        .set("retry", "max_attempts = 1")
        .set("public", "threads = 2");
    let hub = Gateway::start(&conf).await;
    let given: i128 = 1_000_000_000_000;
    grant(&hub, "acme", "1").await;

    // A first half to the end, and of the second an unknown part until the hub is killed.
    let (hub, first) = crowd(hub, 0..STREAMS / 2).await;
    let hub = Arc::new(hub);
    let second: Vec<_> = (STREAMS / 2..STREAMS).map(|n| tokio::spawn(one(hub.clone(), n))).collect();
    let begun = served.load(Ordering::Relaxed);
    upstream.until("some of the second half", |counts| counts.requests as u64 >= begun + 100).await;
    hub.signal("KILL");
    for task in second {
        let _ = patiently("a stream to be cut", task).await;
    }
    let mut killed = Arc::into_inner(hub).unwrap();
    let home = killed.wait().await.home;

    let hub = Gateway::start_in(home).await;
    let (hub, _) = crowd(hub, 0..200).await;
    let home = hub.stop().await.home;
    let wallet = command(&home, &["wallet", "show", "acme"]).await;
    let report = sound(&home).await;
    let (available, held) = (pico(&wallet["available"]), pico(&wallet["held"]));
    assert!(available >= 0 && held == 0, "{wallet}");
    let journal = home.journal().await;
    let paid: i128 = sales(&journal).iter().map(|sale| sale.1).sum();
    assert_eq!(paid + available, given, "what was charged is what is gone");
    assert_eq!(paid, pico(&report["credits"]));
    // Each entry's price, and a fifth, but for what the wallet no longer had.
    let owed: i128 = journal.iter().filter_map(|r| r["cause"].get("settle")).map(|s| pico(&s["owed"])).sum();
    assert_eq!(owed - paid, pico(&report["written_off"]));
    assert_eq!(report["open"], 0);
    assert!(sales(&journal).len() > 500, "{first} refused");
}
