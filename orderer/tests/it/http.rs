//! A client for the admin listener: one request per connection.

use std::time::Duration;

use node::tls;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::network::Network;

pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn error(&self) -> String {
        self.json()["error"].as_str().unwrap().to_owned()
    }
}

/// Sends a request; `headers` are whole lines. Code 0 stands for a connection closed without an
/// answer.
pub(crate) async fn request(
    network: &Network,
    node: usize,
    line: &str,
    headers: &[&str],
    body: &[u8],
) -> Answer {
    let address = &network.nodes[node].config.admin.listen_address;
    let identity = network.client_tls();
    let config = tls::client_config(&network.roots(), Some(&identity), &[b"http/1.1"]).unwrap();
    let mut stream = tls::connect(address, None, config).await.unwrap();
    let mut text = format!("{line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for header in headers {
        text += &format!("{header}\r\n");
    }
    text += &format!("content-length: {}\r\n\r\n", body.len());
    stream.write_all(text.as_bytes()).await.unwrap();
    // Who refuses a large body need not read it to the end.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer));
    // Some servers end TLS without a goodbye.
    let _ = read.await.unwrap();
    parse(&answer)
}

fn parse(answer: &[u8]) -> Answer {
    let Some(end) = answer.windows(4).position(|w| w == b"\r\n\r\n") else {
        return Answer { code: 0, headers: String::new(), body: Vec::new() };
    };
    let headers = String::from_utf8(answer[..end].to_vec()).unwrap().to_lowercase();
    let code = headers.split(' ').nth(1).unwrap().parse().unwrap();
    let mut body = answer[end + 4..].to_vec();
    if headers.contains("transfer-encoding: chunked") {
        body = dechunk(&body);
    }
    Answer { code, headers, body }
}

fn dechunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|w| w == b"\r\n").unwrap();
        let length = std::str::from_utf8(&rest[..line]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&rest[line + 2..line + 2 + length]);
        rest = &rest[line + 4 + length..];
    }
}

/// A form with one file.
pub(crate) fn form(name: &str, content: &[u8]) -> (&'static str, Vec<u8>) {
    let mut body = format!(
        "--edge\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\n\
         content-type: application/octet-stream\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(content);
    body.extend_from_slice(b"\r\n--edge--\r\n");
    ("content-type: multipart/form-data; boundary=edge", body)
}

pub(crate) async fn post(network: &Network, node: usize, name: &str, content: &[u8]) -> Answer {
    let (kind, body) = form(name, content);
    request(network, node, "POST /participation/v1/channels", &[kind], &body).await
}
