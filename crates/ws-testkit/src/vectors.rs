//! Known inputs: the frames of RFC 6455 §5.7, more computed from them, and tables of texts and status codes.

/// The masking key of RFC 6455 §5.7.
pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A server's text "Hello".
pub const SERVER_TEXT: &[u8] = b"\x81\x05Hello";
/// A client's text "Hello".
pub const CLIENT_TEXT: &[u8] = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
/// A server's text "Hello" in two fragments.
pub const SERVER_FRAGMENTS: &[u8] = b"\x01\x03Hel\x80\x02lo";
/// A server's Ping "Hello".
pub const SERVER_PING: &[u8] = b"\x89\x05Hello";
/// A client's Pong "Hello".
pub const CLIENT_PONG: &[u8] = b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
/// The header of a server's binary message of 256 bytes.
pub const SERVER_BINARY_256_HEADER: &[u8] = b"\x82\x7e\x01\x00";
/// The header of a server's binary message of 64 KiB.
pub const SERVER_BINARY_64K_HEADER: &[u8] = b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00";
/// A client's text "Hello" in two fragments.
pub const CLIENT_FRAGMENTS: &[u8] =
    b"\x01\x83\x37\xfa\x21\x3d\x7f\x9f\x4d\x80\x82\x37\xfa\x21\x3d\x5b\x95";
/// A client's empty text.
pub const CLIENT_EMPTY_TEXT: &[u8] = b"\x81\x80\x37\xfa\x21\x3d";
/// A client's Ping "Hello".
pub const CLIENT_PING: &[u8] = b"\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
/// A client's Close without a body.
pub const CLIENT_CLOSE_EMPTY: &[u8] = b"\x88\x80\x37\xfa\x21\x3d";
/// A client's Close 1000.
pub const CLIENT_CLOSE_1000: &[u8] = b"\x88\x82\x37\xfa\x21\x3d\x34\x12";
/// A client's Close 1001 "bye".
pub const CLIENT_CLOSE_1001_BYE: &[u8] = b"\x88\x85\x37\xfa\x21\x3d\x34\x13\x43\x44\x52";
/// Bad: a client's Close with half a status code.
pub const CLIENT_CLOSE_ONE_BYTE: &[u8] = b"\x88\x81\x37\xfa\x21\x3d\x34";
/// Bad: a client's Close 1005, which never goes over the wire.
pub const CLIENT_CLOSE_1005: &[u8] = b"\x88\x82\x37\xfa\x21\x3d\x34\x17";
/// Bad: a client's Close 1000 with the reason ff.
pub const CLIENT_CLOSE_BAD_REASON: &[u8] = b"\x88\x83\x37\xfa\x21\x3d\x34\x12\xde";
/// Bad: a client's text ce ba ff.
pub const CLIENT_TEXT_NOT_UTF8: &[u8] = b"\x81\x83\x37\xfa\x21\x3d\xf9\x40\xde";
/// A client's text "κόσμε".
pub const CLIENT_TEXT_GREEK: &[u8] =
    b"\x81\x8a\x37\xfa\x21\x3d\xf9\x40\xee\xb1\xf8\x79\xef\x81\xf9\x4f";
/// Bad without permessage-deflate: a client's compressed text "Hello" with RSV1.
pub const CLIENT_DEFLATED_TEXT: &[u8] = b"\xc1\x87\x37\xfa\x21\x3d\xc5\xb2\xec\xf4\xfe\xfd\x21";

/// Every client frame above that is good, under its name.
pub const GOOD_FROM_CLIENT: &[(&str, &[u8])] = &[
    ("text", CLIENT_TEXT),
    ("pong", CLIENT_PONG),
    ("fragments", CLIENT_FRAGMENTS),
    ("empty text", CLIENT_EMPTY_TEXT),
    ("ping", CLIENT_PING),
    ("greek text", CLIENT_TEXT_GREEK),
    ("close, empty", CLIENT_CLOSE_EMPTY),
    ("close 1000", CLIENT_CLOSE_1000),
    ("close 1001 bye", CLIENT_CLOSE_1001_BYE),
];

/// Every client frame above that is bad, with the status code it deserves.
pub const BAD_FROM_CLIENT: &[(&str, &[u8], u16)] = &[
    ("close of one byte", CLIENT_CLOSE_ONE_BYTE, 1002),
    ("close 1005", CLIENT_CLOSE_1005, 1002),
    ("close with a bad reason", CLIENT_CLOSE_BAD_REASON, 1007),
    ("text that is not UTF-8", CLIENT_TEXT_NOT_UTF8, 1007),
    ("RSV1 without an extension", CLIENT_DEFLATED_TEXT, 1002),
];

/// Every server frame above.
pub const GOOD_FROM_SERVER: &[(&str, &[u8])] = &[
    ("text", SERVER_TEXT),
    ("fragments", SERVER_FRAGMENTS),
    ("ping", SERVER_PING),
];

/// Texts that are UTF-8, boundary cases of RFC 3629 among them.
pub const UTF8: &[&[u8]] = &[
    b"",
    b"\x00",
    b"\x7f",
    b"\xc2\x80",
    b"\xdf\xbf",
    b"\xe0\xa0\x80",
    b"\xe1\x80\x80",
    b"\xec\xbf\xbf",
    b"\xed\x9f\xbf",
    b"\xee\x80\x80",
    b"\xef\xbb\xbf",
    b"\xef\xbf\xbd",
    b"\xef\xbf\xbe",
    b"\xef\xbf\xbf",
    b"\xef\xb7\x90",
    b"\xf0\x90\x80\x80",
    b"\xf0\x9f\x98\x80",
    b"\xf1\x80\x80\x80",
    b"\xf3\xbf\xbf\xbf",
    b"\xf4\x8f\xbf\xbf",
    b"\xf4\x8f\xbf\xbe",
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5",
    b"\xe2\x82\xac",
    b"\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9",
];

/// Texts that are not UTF-8, and the index of the byte that no valid text could have there: `None` where only the end
/// is missing.
pub const NOT_UTF8: &[(&[u8], Option<usize>)] = &[
    (b"\x80", Some(0)),
    (b"\xbf", Some(0)),
    (b"\x80\xbf\x80", Some(0)),
    (b"\x61\x80\x62", Some(1)),
    (b"\xc0\x80", Some(0)),
    (b"\xc0\xaf", Some(0)),
    (b"\xc1\xbf", Some(0)),
    (b"\xc2", None),
    (b"\xc2\x00", Some(1)),
    (b"\xc2\xc2\x80", Some(1)),
    (b"\xdf\xc0", Some(1)),
    (b"\xe0\x80\x80", Some(1)),
    (b"\xe0\x80\xaf", Some(1)),
    (b"\xe0\x9f\xbf", Some(1)),
    (b"\xe0", None),
    (b"\xe1", None),
    (b"\xe1\x80", None),
    (b"\xef\xbf", None),
    (b"\xe1\x80\xc0", Some(2)),
    (b"\xed\xa0\x80", Some(1)),
    (b"\xed\xaf\xbf", Some(1)),
    (b"\xed\xb0\x80", Some(1)),
    (b"\xed\xbf\xbf", Some(1)),
    (b"\xed\xa0\x80\xed\xb0\x80", Some(1)),
    (b"\xf0\x80\x80\x80", Some(1)),
    (b"\xf0\x80\x80\xaf", Some(1)),
    (b"\xf0\x8f\xbf\xbf", Some(1)),
    (b"\xf0\x90\x80", None),
    (b"\xf0\x90\x80\xc0", Some(3)),
    (b"\xf4\x90\x80\x80", Some(1)),
    (b"\xf4\xbf\xbf\xbf", Some(1)),
    (b"\xf5\x80\x80\x80", Some(0)),
    (b"\xf7\xbf\xbf\xbf", Some(0)),
    (b"\xf8\x88\x80\x80\x80", Some(0)),
    (b"\xfb\xbf\xbf\xbf\xbf", Some(0)),
    (b"\xfc\x84\x80\x80\x80\x80", Some(0)),
    (b"\xfe", Some(0)),
    (b"\xff", Some(0)),
    (b"\xfe\xfe\xff\xff", Some(0)),
    (b"\x48\x65\x6c\x6c\x6f\xff", Some(5)),
    (
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
        Some(12),
    ),
    (
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited",
        Some(12),
    ),
    (b"\xe2\x82\xac\xe2\x28\xa1", Some(4)),
];

/// Status codes that a Close frame may carry.
pub const CODES_ON_WIRE: &[u16] = &[
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3003, 3999, 4000,
    4999,
];

/// Status codes that a Close frame may not carry.
pub const CODES_NEVER_ON_WIRE: &[u16] = &[
    0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 9999, 65_535,
];

/// Chinese text and emoji: three and four bytes a character, so that a length in characters is wrong.
pub const CHINESE: &str = "你好,世界!服务器收到了 😀👩‍👩‍👧‍👦";
