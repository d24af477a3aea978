//! The chat between several clients.

mod client;

use std::time::Duration;

use client::{Client, Running};
use ws_async::CloseCode;

async fn join(server: &Running, room: &str, nick: &str) -> Client {
    let mut client = server.open("/chat").await;
    client
        .send(format!(
            r#"{{"type":"join","room":"{room}","nick":"{nick}"}}"#
        ))
        .await;
    let joined = client.text().await;
    assert!(joined.starts_with(r#"{"type":"joined","#), "{joined}");
    client
}

async fn say(client: &mut Client, text: &str) {
    client
        .send(format!(r#"{{"type":"say","text":"{text}"}}"#))
        .await;
}

#[tokio::test]
async fn two_members_talk() {
    let server = Running::start().await;
    let mut ada = join(&server, "lobby", "ada").await;
    let mut grace = server.open("/chat").await;
    grace
        .send(r#"{"type":"join","room":"lobby","nick":"格蕾丝"}"#)
        .await;
    let joined = grace.text().await;
    assert!(joined.contains(r#""members":["ada","格蕾丝"]"#), "{joined}");
    ada.text_with(r#""type":"arrived""#).await;

    say(&mut ada, "hello 👋").await;
    say(&mut grace, "你好").await;
    for client in [&mut ada, &mut grace] {
        let first = client.text_with(r#""type":"said""#).await;
        let second = client.text_with(r#""type":"said""#).await;
        let said = [first, second].join("\n");
        assert!(said.contains(r#""nick":"ada","text":"hello 👋""#), "{said}");
        assert!(said.contains(r#""nick":"格蕾丝","text":"你好""#), "{said}");
    }
    server.end((ada, grace)).await;
}

#[tokio::test]
async fn members_come_and_go() {
    let server = Running::start().await;
    let mut ada = join(&server, "lobby", "ada").await;
    let mut bob = join(&server, "lobby", "bob").await;
    let arrived = ada.text_with(r#""type":"arrived""#).await;
    assert!(arrived.contains(r#""nick":"bob""#), "{arrived}");

    // By leaving, after which the connection may join again,
    bob.send(r#"{"type":"leave"}"#).await;
    bob.text_with(r#""type":"left""#).await;
    ada.text_with(r#""type":"departed""#).await;
    bob.send(r#"{"type":"join","room":"lobby","nick":"bob"}"#)
        .await;
    bob.text_with(r#""type":"joined""#).await;
    ada.text_with(r#""type":"arrived""#).await;
    // by closing,
    bob.ws
        .close(CloseCode::GOING_AWAY, "")
        .await
        .expect("a clean close");
    ada.text_with(r#""type":"departed""#).await;
    // and by being gone.
    drop(join(&server, "lobby", "bob").await);
    ada.text_with(r#""type":"departed""#).await;
    server.end((ada, bob)).await;
}

#[tokio::test]
async fn rooms_hear_nothing_of_each_other() {
    let server = Running::start().await;
    let mut here = join(&server, "here", "ada").await;
    let mut there = join(&server, "there", "ada").await;
    say(&mut here, "only here").await;
    here.text_with("only here").await;
    // What is said there comes first: nothing came from here.
    say(&mut there, "only there").await;
    let said = there.text_with(r#""type":"said""#).await;
    assert!(said.contains("only there"), "{said}");
    server.end((here, there)).await;
}

// The server speaks without being asked.
#[tokio::test]
async fn the_server_pushes_ticks() {
    let server =
        Running::start_with(|settings| settings.tick_interval = Duration::from_millis(5)).await;
    let mut ada = join(&server, "lobby", "ada").await;
    ada.text_with(r#""type":"notice""#).await;
    for seq in 1..=3 {
        let tick = ada.text_with(r#""type":"tick""#).await;
        assert!(
            tick.contains(&format!(r#""seq":{seq},"members":1"#)),
            "{tick}"
        );
    }
    server.end(ada).await;
}

#[tokio::test]
async fn a_message_too_big_ends_only_its_sender() {
    let server = Running::start().await;
    let mut ada = join(&server, "lobby", "ada").await;
    let mut eve = join(&server, "lobby", "eve").await;
    say(&mut eve, &"x".repeat(20_000)).await;
    assert_eq!(eve.closed().await.code, CloseCode::MESSAGE_TOO_BIG);
    ada.text_with(r#""type":"departed""#).await;
    say(&mut ada, "still here").await;
    ada.text_with("still here").await;
    server.end(ada).await;
}
