//! What the presets ask of a peer, and what that means for what is kept.

use ws_deflate::{
    Agreement, Answer, ClientWindow, Decompressor, Deflate, DeflateConfig, Inflated, Offer, Terms,
    WindowBits,
};

fn bits(bits: u8) -> WindowBits {
    WindowBits::new(bits).expect("8 to 15")
}

fn presets() -> [(DeflateConfig, Option<u8>); 3] {
    [
        (DeflateConfig::default(), Some(12)),
        (DeflateConfig::ultra(), None),
        (DeflateConfig::tiny(), Some(12)),
    ]
}

/// spec: PN-01, PN-02, PN-03
#[test]
fn a_server_asks_for_a_small_window_where_the_client_can_limit_its_own() {
    for (config, asked) in presets() {
        let cases = [
            (ClientWindow::Fixed, None),
            (ClientWindow::Limitable, asked),
            (ClientWindow::Hint(bits(15)), asked),
            // Nothing is gained by allowing more than the client will use.
            (ClientWindow::Hint(bits(9)), Some(9)),
        ];
        for (client_max_window_bits, answered) in cases {
            let offer = Offer {
                client_max_window_bits,
                ..Offer::default()
            };
            let answer = config.terms.accept([offer].into_iter()).expect("accepted");
            assert_eq!(answer.client_max_window_bits, answered.map(bits));
            assert_eq!(answer.server_max_window_bits, None, "it was not asked for");
        }
    }
}

/// What a server asks of clients is no reason for a client to demand it of servers, which may be unable to.
///
/// spec: PR-06
#[test]
fn a_client_demands_nothing_of_a_server_unless_it_is_told_to() {
    for (config, _) in presets() {
        let offer = config.terms.offer();
        assert_eq!(offer.server_max_window_bits, None);
        assert_eq!(offer.client_max_window_bits, ClientWindow::Limitable);
        for server_max_window_bits in [None, Some(bits(15)), Some(bits(8))] {
            let answer = Answer {
                server_no_context_takeover: true,
                server_max_window_bits,
                ..Answer::default()
            };
            let agreed = answer.confirm(&offer).expect("whatever the server uses");
            assert_eq!(
                agreed.server.window,
                server_max_window_bits.unwrap_or(WindowBits::MAX)
            );
        }
    }
    let mut terms = Terms::default();
    terms.server_max_window_bits = bits(11);
    assert_eq!(terms.offer().server_max_window_bits, Some(bits(11)));
    assert_eq!(terms.client_max_window_bits, WindowBits::MAX);
}

/// A client that made the bare offer may refer to all of 32 KiB; one that was asked for less must not.
///
/// spec: PA-10
#[test]
fn what_is_kept_of_the_peer_s_messages_is_what_it_was_asked_for() {
    let server = DeflateConfig::default();
    let agreed = |client_max_window_bits| -> Agreement {
        let offer = Offer {
            client_max_window_bits,
            ..Offer::default()
        };
        let answer = server.terms.accept([offer].into_iter());
        answer.expect("accepted").agreement()
    };
    let mut x = 1_u32;
    let far: Vec<u8> = std::iter::repeat_with(|| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 24) as u8
    })
    .take(30_000)
    .collect();
    let messages = lavish_peer([&far, &far[..64]]);
    assert!(messages[1].len() < 32, "it refers back");
    for (offered, is_kept) in [
        (ClientWindow::Fixed, true),
        (ClientWindow::Limitable, false),
    ] {
        let context = agreed(offered).client;
        let mut decompressor = Decompressor::new(context, &Deflate::new(server.clone()));
        let mut read = |mut input: &[u8]| {
            let mut plain = Vec::new();
            while let Inflated::Output(piece) = decompressor.inflate(&mut input, true)? {
                plain.extend_from_slice(piece);
            }
            Ok::<_, ws_deflate::InflateError>(plain)
        };
        assert_eq!(read(&messages[0]).as_ref(), Ok(&far));
        assert_eq!(read(&messages[1]).is_ok(), is_kept, "{offered:?}");
    }
}

/// Messages of a peer that uses the whole window, each referring to those before it.
fn lavish_peer(messages: [&[u8]; 2]) -> [Vec<u8>; 2] {
    let mut peer = flate2::Compress::new(flate2::Compression::default(), false);
    messages.map(|plain| {
        let mut compressed = Vec::with_capacity(2 * plain.len() + 64);
        peer.compress_vec(plain, &mut compressed, flate2::FlushCompress::Sync)
            .expect("good");
        compressed.truncate(compressed.len() - 4);
        compressed
    })
}
