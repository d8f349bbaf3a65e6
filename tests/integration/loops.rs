//! A server whose upstream leads back to it notices that at once.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::world::{Request, World};

/// Listens somewhere and leads from there to an address that is known later.
async fn detour(to: watch::Receiver<SocketAddr>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let to = *to.borrow();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(to).await?;
                tokio::io::copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
    address
}

#[tokio::test]
async fn a_request_that_comes_back_is_refused() {
    let (tell, to) = watch::channel(SocketAddr::from(([127, 0, 0, 1], 9)));
    let options = format!("upstream = \"http://{}/v1\"\nmax_requests = 4", detour(to.clone()).await);
    let world = World::start(&options).await;
    tell.send(world.address).expect("somebody waits for it");
    let question = super::world::question_body("Is anybody there?");
    for (method, target) in
        [("GET", "/v1/audio"), ("POST", "/v1/chat/completions"), ("POST", "/v1/responses")]
    {
        for _ in 0..8 {
            world.ask(Request::new(method, target).json(question.clone())).await.error(508, "loop_detected");
        }
    }
    // Through another one and back.
    let other = World::start(&format!("upstream = \"http://{}/v1\"", world.address)).await;
    tell.send(other.address).expect("somebody waits for it");
    for asked in [&world, &other] {
        asked.get("/v1/audio/1").await.error(508, "loop_detected");
    }
    assert_eq!(world.get("/health").await.status, 200);
}

/// What a server says of itself comes back to it: whoever sends it on, the answer is the same.
#[tokio::test]
async fn every_request_names_the_servers_it_came_through() {
    let world = World::with_manual("").await;
    let question = super::world::question_body("Is the valve closed?");
    for target in ["/v1/chat/completions", "/c/manual/v1/chat/completions", "/v1/audio"] {
        let request = Request::new("POST", target).header("Via", "1.1 edge").json(question.clone());
        assert_eq!(world.ask(request).await.status, 200);
        let sent = world.upstream.last();
        let via = sent.all("via");
        assert_eq!((via.len(), via[0]), (2, "1.1 edge"), "{target}");
        let own = via[1].strip_prefix("1.1 lastro-").expect("a name of its own");
        // It may have come together with others'.
        let back = format!("1.0 first, 1.1 lastro-{own}, 1.1 last");
        let request = Request::new("POST", target).header("Via", &back).json(question.clone());
        let before = world.upstream.heads().len();
        world.ask(request).await.error(508, "loop_detected");
        assert_eq!(world.upstream.heads().len(), before);
        // Another server's is none.
        let other = format!("1.1 lastro-{}", "0".repeat(own.len()));
        let request = Request::new("POST", target).header("Via", &other).json(question.clone());
        assert_eq!(world.ask(request).await.status, 200);
    }
    // Its own questions too.
    world.get("/v1/models").await;
    let asked = world.upstream.everything();
    assert!(asked.iter().all(|request| !request.all("via").is_empty()), "{asked:?}");
}
