//! Routes in other spellings: no scope and no route is got around by the way in which a path is written.

use serde_json::json;

use super::world::upstream::json_answer;
use super::world::{Request, World, question_body};

#[tokio::test]
async fn a_route_is_the_same_in_every_spelling() {
    let world = World::with_manual("").await;
    for target in [
        "/c/manual/v1/chat/completions/",
        "/c/manual/v1//chat/completions",
        "/c/manual/v1/%63hat/completions",
        "/c/manual/v1/chat//c%6Fmpletions//?x=1",
    ] {
        let reply = world.post(target, &[], question_body("Is the valve closed?")).await;
        assert_eq!((reply.status, reply.header("x-rag-status")), (200, Some("hit")), "{target}");
        let sent = world.upstream.last();
        assert_eq!(sent.target, "/v1/chat/completions");
    }
    for target in ["/v1/vector_stores/", "/v1/%76ector_stores", "/v1//vector%5fstores//"] {
        assert_eq!(world.get(target).await.json()["data"][0]["name"], "manual", "{target}");
    }
    for target in
        ["/v1/chat%2Fcompletions", "/v1/chat%5ccompletions", "/v1/%2566iles", "/c/manual/v1/rag%2fpreview"]
    {
        world.upstream.forget();
        world.post(target, &[], question_body("q")).await.error(400, "invalid_path");
        assert!(world.upstream.heads().is_empty(), "{target}");
    }
}

#[tokio::test]
async fn no_spelling_leads_around_a_scope() {
    let world = World::with_manual("").await;
    let (_, relay) =
        world.key(json!({ "name": "relay", "scopes": ["relay"], "all_collections": true })).await;
    let (_, chat) = world.key(json!({ "name": "chat", "scopes": ["chat"], "all_collections": true })).await;
    world.upstream.play(json_answer("200 OK", "{}"));
    for prefix in ["/v1", "/c/manual/v1"] {
        for path in [
            "chat/completions",
            "chat%2Fcompletions",
            "%63hat/completions",
            "/chat/completions",
            "chat/completions/",
            "chat%252fcompletions",
            "chat/completions%3Fx=y",
            "responses",
            "responses/",
            "r%65sponses",
            "files",
            "%66iles",
            "files/",
            "/files",
            "%66iles/file-1/content",
            "files%2ffile-1",
            "vector_stores/x",
            "vector%5Fstores/x",
            "rag/traces/x",
            "r%61g/traces/x",
            "Files",
            "FILES/file-1",
            "files;a=b",
            "files%3Fa=b",
            "Vector_Stores",
            "fi%00les",
        ] {
            let target = format!("{prefix}/{path}");
            for method in ["POST", "GET"] {
                // With GET, what is no list of ours is upstream's: chats that it has stored, for example.
                if method == "GET"
                    && !path.to_lowercase().contains("les")
                    && !path.to_lowercase().contains("stores")
                    && !path.contains("traces")
                {
                    continue;
                }
                world.upstream.forget();
                let request = Request::new(method, &target).json(question_body("q")).key(&relay);
                let reply = world.ask(request).await;
                assert!([400, 403, 404, 405].contains(&reply.status), "{method} {target}: {}", reply.status);
                assert!(world.upstream.heads().is_empty(), "{method} {target} reached upstream");
            }
        }
    }
    // And the other way round.
    for target in ["/v1/audio", "/v1/%61udio", "/v1//audio/", "/v1/chat/completions/x/"] {
        world.ask(Request::new("GET", target).key(&chat)).await.error(403, "insufficient_scope");
        assert_eq!(world.ask(Request::new("GET", target).key(&relay)).await.status, 200, "{target}");
        assert_eq!(world.upstream.last().target, target);
    }
}
