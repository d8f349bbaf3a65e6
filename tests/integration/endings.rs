//! Either side leaves, and the other is told.

use super::world::{Piece, Request, World, eventually, question_body, within};

const STREAM: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

#[tokio::test]
async fn a_client_that_leaves_cancels_upstream() {
    let world = World::start("").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    let frame = Piece::Bytes(b"7\r\ndata: {\r\n".to_vec());
    let streaming = vec![Piece::Bytes(STREAM.to_vec()), frame, Piece::UntilClosed];
    let silent = vec![Piece::UntilClosed];
    let cases = [
        (streaming.clone(), &[][..]),
        (streaming, &[("X-RAG-Collection", "manual")]),
        (silent.clone(), &[]),
        (silent, &[("X-RAG-Collection", "manual")]),
    ];
    for (closed, (pieces, headers)) in cases.into_iter().enumerate() {
        world.upstream.play(pieces.clone());
        let before = world.upstream.requests().len();
        let request =
            Request::new("POST", "/v1/chat/completions").headers(headers).json(question_body("The valve?"));
        let mut response = request.open(world.address).await;
        if pieces.len() > 1 {
            response.read_head().await;
            assert_eq!(response.next().await, Ok(Some(b"data: {".to_vec())));
        }
        eventually(|| async { (world.upstream.requests().len() > before).then_some(()) }).await;
        assert_eq!(world.upstream.closed(), closed, "upstream was cut off while its client was there");
        drop(response);
        eventually(|| async { (world.upstream.closed() == closed + 1).then_some(()) }).await;
    }
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_finishes_open_answers() {
    let mut world = World::start("").await;
    let pieces = vec![
        Piece::Bytes(STREAM.to_vec()),
        Piece::Bytes(b"3\r\none\r\n".to_vec()),
        Piece::Gate,
        Piece::Bytes(b"3\r\ntwo\r\n0\r\n\r\n".to_vec()),
    ];
    world.upstream.play(pieces);
    let request = Request::new("POST", "/v1/chat/completions").json("{}");
    let mut response = request.send(world.address).await;
    assert_eq!(response.exactly(3).await, b"one");
    let running = world.tell_to_stop();
    // The listener is gone, the answer is not.
    let address = world.address;
    eventually(|| async { tokio::net::TcpStream::connect(address).await.is_err().then_some(()) }).await;
    world.upstream.release();
    assert_eq!(response.rest().await, (b"two".to_vec(), Ok(())));
    within(running).await.expect("the server ends well");
}

/// A client that does not wait for the answer leaves the catalog and the store of one mind.
#[tokio::test]
async fn a_client_that_leaves_while_a_collection_is_changed_leaves_it_whole() {
    let mut world = World::start("").await;
    for n in 0..24 {
        let body = |name: &str| format!("{{\"name\":\"{name}{n}\"}}");
        // A little later each time, so that each step is once the last.
        let leave = || tokio::time::sleep(std::time::Duration::from_micros(150 * (n % 12)));
        let gone = Request::new("POST", "/v1/vector_stores").json(body("left")).open(world.address).await;
        leave().await;
        drop(gone);
        let made = world.post("/v1/vector_stores", &[], body("kept")).await.json();
        let one = format!("/v1/vector_stores/{}", made["id"].as_str().expect("an id"));

        let gone = Request::new("DELETE", &one).open(world.address).await;
        leave().await;
        drop(gone);
        let reply = world.delete(&one).await;
        assert!([200, 404].contains(&reply.status), "{}", reply.text());
        // Never deleted and still to be found.
        eventually(|| async { (world.get(&one).await.status == 404).then_some(()) }).await;
        let uploaded = world.upload(&format!("kept{n}"), &[("a.txt", "The pump is red.")]).await;
        assert_ne!(uploaded[0]["vector_store_id"], made["id"], "the old one");
    }
    let listed = async |world: &World| {
        let list = world.get("/v1/vector_stores?limit=100").await.json()["data"].clone();
        let mut found = Vec::new();
        for store in list.as_array().expect("a list") {
            let id = store["id"].as_str().expect("an id").to_owned();
            assert_eq!(world.get(&format!("/v1/vector_stores/{id}")).await.status, 200);
            found.push((id, store["name"].as_str().expect("a name").to_owned()));
        }
        found
    };
    let before = listed(&world).await;
    assert_eq!(before.iter().filter(|(_, name)| name.starts_with("kept")).count(), 24);
    world.restart("").await;
    assert_eq!(listed(&world).await, before, "the catalog and the store are of one mind");
}
