//! The operations endpoint over a real socket.

use node::operations::{Config, Operations, serve};
use node::tasks::Tasks;
use node::telemetry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn request(address: std::net::SocketAddr, line: &str, body: &str) -> (u16, String) {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let text = format!(
        "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[tokio::test]
async fn answers_what_operators_ask() {
    let tasks = Tasks::new();
    let log = telemetry::init(&telemetry::Config::default()).unwrap();
    let operations =
        Operations { version: "1.2.3".to_owned(), log: Some(log), ..Operations::default() };
    let health = operations.health.clone();
    let config = Config { listen_address: "127.0.0.1:0".to_owned(), ..Config::default() };
    let address = serve(&config, operations, &tasks).await.unwrap().unwrap();

    let (status, text) = request(address, "GET /metrics", "").await;
    assert!(status == 200 && text.contains("gauze_panics_total"), "{text}");

    let (status, text) = request(address, "GET /healthz", "").await;
    assert!(status == 200 && text.contains(r#""status":"OK""#), "{text}");
    health.register("orderer", || Err("no leader".to_owned()));
    let (status, text) = request(address, "GET /healthz", "").await;
    assert_eq!(status, 503);
    assert!(text.contains(r#"{"component":"orderer","reason":"no leader"}"#), "{text}");
    health.remove("orderer");
    assert_eq!(request(address, "GET /healthz", "").await.0, 200);

    let (_, text) = request(address, "GET /version", "").await;
    assert_eq!(text, r#"{"Version":"1.2.3"}"#);

    let (status, _) = request(address, "PUT /logspec", r#"{"spec":"warn,node=debug"}"#).await;
    assert_eq!(status, 204);
    let (_, text) = request(address, "GET /logspec", "").await;
    assert!(text.contains("node=debug"), "{text}");
    let (status, text) = request(address, "PUT /logspec", r#"{"spec":"a=b=c"}"#).await;
    assert!(status == 400 && text.contains("a=b=c"), "{text}");
    tasks.shutdown(std::time::Duration::from_secs(5)).await;
}

#[tokio::test]
async fn no_address_serves_nothing() {
    let served = serve(&Config::default(), Operations::default(), &Tasks::new()).await.unwrap();
    assert_eq!(served, None);
}
