//! Whatever URI is taken, its request reaches our own server with the same host and resource, and
//! what is printed of it holds no password.

use ws_handshake::client::Request;
use ws_handshake::server::RequestReader;
use ws_handshake::{Limits, Uri, UriOptions, Userinfo};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let mut lenient = UriOptions::default();
    (lenient.http_schemes, lenient.userinfo) = (true, Userinfo::Basic);
    if let Ok(uri) = Uri::parse(text) {
        assert_eq!(Uri::parse_with(text, lenient), Ok(uri.clone()));
        assert_eq!(uri.authorization(), None);
        let printed = Uri::parse(&uri.to_string()).expect("what is printed is a URI");
        assert_eq!(printed.authority(), uri.authority());
        assert_eq!(printed.resource_name(), uri.resource_name());
    }
    let Ok(uri) = Uri::parse_with(text, lenient) else {
        assert!(Uri::parse(text).is_err());
        return;
    };
    assert!(!uri.to_string().contains('@') || uri.resource_name().contains('@'));
    assert!(uri.port() > 0 && !uri.host().is_empty());
    assert!(uri.without_query().to_string().len() <= uri.to_string().len());
    let (request, _) = Request::new(&uri).encode([0; 16]);
    let mut limits = Limits::default();
    limits.max_start_line = request.len();
    limits.max_field_line = request.len();
    limits.max_head = request.len();
    let received = RequestReader::new(limits)
        .read(&request)
        .expect("a good request")
        .expect("a complete one");
    assert_eq!(received.target(), uri.resource_name());
    assert_eq!(received.host(), uri.authority());
    assert_eq!(
        received.header("authorization").is_some(),
        uri.authorization().is_some()
    );
    assert!(received.offer().is_ok());
}
