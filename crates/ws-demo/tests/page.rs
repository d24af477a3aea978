//! The page over plain HTTP, on the port of the sockets.

mod client;

use client::Running;

#[tokio::test]
async fn the_page_comes_with_its_policy() {
    let server = Running::start().await;
    let response = server.get("/").await;
    let (head, body) = response.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    for field in [
        "Content-Type: text/html; charset=utf-8",
        &format!("Content-Length: {}", body.len()),
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Referrer-Policy: no-referrer",
        "Connection: close",
    ] {
        assert!(head.lines().any(|line| line == field), "{field} in {head}");
    }
    let policy = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Security-Policy: "))
        .expect("a policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"));
    assert!(!policy.contains("unsafe"));
    assert!(body.starts_with("<!doctype html>"));
    server.end(()).await;
}

#[tokio::test]
async fn scripts_and_styles_have_their_types() {
    let server = Running::start().await;
    for (path, media_type) in [("/app.js", "text/javascript"), ("/style.css", "text/css")] {
        let response = server.get(path).await;
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{path}");
        assert!(
            response.contains(&format!("Content-Type: {media_type}; charset=utf-8\r\n")),
            "{path}"
        );
    }
    server.end(()).await;
}

#[tokio::test]
async fn head_gives_the_head_alone() {
    let server = Running::start().await;
    let get = server.get("/app.js").await;
    let head = server
        .exchange("HEAD /app.js HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    let (head_of_get, body) = get.split_once("\r\n\r\n").expect("a head and a body");
    assert!(!body.is_empty());
    assert_eq!(head, format!("{head_of_get}\r\n\r\n"));
    let nothing = server
        .exchange("HEAD /nothing HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    assert!(
        nothing.starts_with("HTTP/1.1 404 ") && nothing.ends_with("\r\n\r\n"),
        "{nothing}"
    );
    server.end(()).await;
}

// spec: P-46
#[tokio::test]
async fn other_requests_get_the_status_that_says_why() {
    let server = Running::start().await;
    for (request, status) in [
        ("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("GET /../Cargo.toml HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("GET //app.js HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
            400,
        ),
        // A socket's route without a handshake, and a handshake without a socket's route.
        ("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n", 426),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            404,
        ),
    ] {
        let response = server.exchange(request).await;
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request:?}: {response}"
        );
    }
    server.end(()).await;
}
