//! Whoever waits is woken, at once and by everything that matters.

use super::*;

#[test]
fn no_wake_up_is_lost_when_writing_and_looking_coincide() {
    const ROUNDS: u64 = 20_000;
    let flights = Flights::with_grace(1 << 20, NEVER_CUT);
    let (mut writer, mut reader) = lead(&flights, 1);
    let read = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&read);
    // The next chunk follows soon after the last was taken, a little later each
    // time, which is when the reader looks again; and each chunk is the last
    // one that could wake it.
    let writing = std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        writer.head(head());
        runtime.block_on(async {
            for round in 0..ROUNDS {
                while seen.load(Ordering::Acquire) < round {
                    std::hint::spin_loop();
                }
                for _ in 0..round % 64 {
                    std::hint::spin_loop();
                }
                writer.chunk(Bytes::from_static(b"x")).await;
            }
        });
        writer.finish();
    });
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(within_a_minute(async {
        loop {
            match reader.next().await {
                Piece::Head(_) => {}
                Piece::Chunk(_) => _ = read.fetch_add(1, Ordering::Release),
                Piece::End | Piece::Failed(_) => break,
            }
        }
    }));
    writing.join().unwrap();
    assert_eq!(read.load(Ordering::Acquire), ROUNDS);
}

#[test]
fn the_writer_goes_on_as_soon_as_there_is_room() {
    on_both_runtimes(|| async {
        let flights = Flights::with_grace(4, NEVER_CUT);
        let (mut writer, mut first) = lead(&flights, 1);
        let mut second = follow(&flights, 1);
        writer.head(head());
        writer.chunk(bytes("ab")).await;
        writer.chunk(bytes("cd")).await;
        let waiting = writer.chunk(bytes("ef"));
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        for reader in [&mut first, &mut second] {
            assert!(futures_util::poll!(&mut waiting).is_pending());
            assert!(matches!(reader.ready(), Some(Piece::Head(_))));
            assert!(matches!(reader.ready(), Some(Piece::Chunk(chunk)) if chunk == "ab"));
        }
        // Nobody has read everything: room alone must wake the writer.
        assert!(futures_util::poll!(&mut waiting).is_ready());
    });
}

#[test]
fn the_writer_goes_on_when_the_slowest_leaves() {
    on_both_runtimes(|| async {
        let flights = Flights::with_grace(4, NEVER_CUT);
        let (mut writer, mut quick) = lead(&flights, 1);
        let slow = follow(&flights, 1);
        writer.head(head());
        writer.chunk(bytes("abcd")).await;
        let waiting = writer.chunk(bytes("efgh"));
        tokio::pin!(waiting);
        while quick.ready().is_some() {}
        assert!(futures_util::poll!(&mut waiting).is_pending(), "patience has no end here");
        drop(slow);
        assert!(futures_util::poll!(&mut waiting).is_ready());
        assert!(matches!(quick.ready(), Some(Piece::Chunk(chunk)) if chunk == "efgh"));
    });
}
