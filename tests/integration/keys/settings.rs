//! Keys that come from outside, as containers have their secrets: the setting `keys`.

use lastro::access::Secret;
use serde_json::json;

use super::super::world::{Request, World, form};
use super::{chat, get};

fn generated() -> Secret {
    Secret::new().expect("random bytes")
}

#[tokio::test]
async fn a_key_of_the_settings_holds_while_it_stands_there() {
    let (admin, page) = (generated(), generated());
    let both = format!("keys = [\"{}:admin\", \"{}:chat,ingest\"]", admin.reveal(), page.reveal());
    let mut world = World::start(&both).await;
    let (admin, page) = (admin.reveal(), page.reveal());
    world.get("/v1/models").await.error(401, "invalid_api_key");
    world.ask(get("/v1/models", generated().reveal())).await.error(401, "invalid_api_key");

    let target = "/v1/vector_stores/manual/documents?create=true&wait=60";
    let upload = form(target, &[("file", "valve.txt", b"The valve is closed at noon.")]).key(page);
    assert_eq!(world.ask(upload).await.status, 200);
    for key in [admin, page] {
        assert_eq!(world.ask(chat(Some("manual"), key)).await.header("x-rag-status"), Some("hit"));
        assert!(!format!("{:?}", world.upstream.last()).contains("sk-lastro"));
    }
    // It is for what it was made for, and sees all collections.
    world.ask(get("/admin/keys", page)).await.error(403, "insufficient_scope");
    world
        .ask(Request::new("POST", "/v1/completions").json("{}").key(page))
        .await
        .error(403, "insufficient_scope");
    let made = json!({ "name": "others" }).to_string();
    assert_eq!(world.ask(Request::new("POST", "/v1/vector_stores").json(made).key(admin)).await.status, 200);
    let seen = world.ask(get("/v1/vector_stores", page)).await.json();
    assert_eq!(seen["data"].as_array().map(Vec::len), Some(2), "{seen}");

    // It is told beside those that were made, and changed where it stands alone.
    let wanted = json!({ "name": "made", "collections": ["manual"] }).to_string();
    assert_eq!(world.ask(Request::new("POST", "/admin/keys").json(wanted).key(admin)).await.status, 200);
    let list = world.ask(get("/admin/keys", admin)).await.json();
    let named: Vec<_> =
        list["data"].as_array().expect("keys").iter().map(|key| key["name"].clone()).collect();
    assert_eq!(named, ["made", "(of the settings)", "(of the settings)"], "{list}");
    assert!(!list.to_string().contains("sk-lastro"), "{list}");
    let id = list["data"][2]["id"].as_str().expect("an id").to_owned();
    let refused = world.ask(Request::new("DELETE", &format!("/admin/keys/{id}")).key(admin)).await;
    assert!(refused.text().contains("setting `keys`"), "{}", refused.text());
    refused.error(400, "invalid_value");
    let grant =
        Request::new("POST", &format!("/admin/keys/{id}/grants")).json("{\"collections\":[\"manual\"]}");
    world.ask(grant.key(admin)).await.error(400, "invalid_value");

    // What it made is its own after the next start too; where it stands no more, it is nobody's.
    world.restart(&format!("keys = [\"{page}:chat,ingest\"]")).await;
    assert_eq!(world.ask(chat(Some("manual"), page)).await.status, 200);
    let files = world.ask(get("/v1/files", page)).await.json();
    assert_eq!(files["data"][0]["filename"], "valve.txt", "{files}");
    world.ask(get("/admin/keys", admin)).await.error(401, "invalid_api_key");
    world.restart("").await;
    // A key was made meanwhile: it stays closed.
    world.ask(chat(Some("manual"), page)).await.error(401, "invalid_api_key");
}

#[tokio::test]
async fn a_key_that_was_made_too_is_as_the_settings_have_it() {
    let mut world = World::with_manual("").await;
    let (id, key) = world.key(json!({ "name": "made", "scopes": ["metrics"] })).await;
    world.restart(&format!("keys = [\"{key}:chat\"]")).await;
    assert_eq!(world.ask(chat(Some("manual"), &key)).await.status, 200);
    world.ask(get("/metrics", &key)).await.error(403, "insufficient_scope");
    let list = world.ask(get("/admin/keys", &world.local_key)).await.json();
    let told: Vec<_> = list["data"].as_array().expect("keys").iter().map(|key| key["id"].clone()).collect();
    assert_eq!(told, [id], "{list}");
}
