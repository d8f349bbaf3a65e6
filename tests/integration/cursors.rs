//! Lists are gone through to their end by who deletes what they see, as OpenAI's SDKs do it: the last id of a page says
//! where the next one begins, whether it is still there or not.

use serde_json::{Value, json};

use super::world::{Request, World, eventually, form};

/// Ids in order, each page fetched when the one before was deleted with `delete`, which also may stop the server.
async fn through(
    world: &mut World,
    list: &str,
    delete: impl Fn(&str) -> String,
    restart: bool,
) -> Vec<String> {
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page =
            world.get(&format!("{list}{}limit=3{cursor}", if list.contains('?') { "&" } else { "?" })).await;
        assert_eq!(page.status, 200, "{cursor}: {}", page.text());
        let page = page.json();
        let ids: Vec<String> = ids(&page);
        for id in &ids {
            assert_eq!(world.delete(&delete(id)).await.status, 200, "{id}");
        }
        seen.extend(ids);
        if page["has_more"] != true {
            return seen;
        }
        cursor = format!("&after={}", page["last_id"].as_str().expect("an id"));
        if restart {
            world.restart("").await;
        }
    }
}

fn ids(page: &Value) -> Vec<String> {
    let data = page["data"].as_array().expect("a list").iter();
    data.map(|element| element["id"].as_str().expect("an id").to_owned()).collect()
}

async fn files(world: &World, count: usize) -> Vec<String> {
    let mut made = Vec::new();
    for n in 0..count {
        let (name, text) = (format!("{n}.txt"), format!("Number {n}."));
        made.push(
            world.ask(file(&name, text.as_bytes())).await.json()["id"].as_str().expect("an id").to_owned(),
        );
    }
    made
}

fn file(name: &str, bytes: &[u8]) -> Request {
    form("/v1/files", &[("purpose", "", b"assistants"), ("file", name, bytes)])
}

#[tokio::test]
async fn everything_listed_can_be_deleted_while_it_is_listed() {
    let mut world = World::start("").await;
    for order in ["asc", "desc"] {
        let files = files(&world, 8).await;
        let in_order = |made: &[String]| -> Vec<String> {
            if order == "asc" { made.to_vec() } else { made.iter().rev().cloned().collect() }
        };
        let store =
            world.post("/v1/vector_stores", &[], "{}").await.json()["id"].as_str().expect("an id").to_owned();
        let base = format!("/v1/vector_stores/{store}");
        let body = json!({"file_ids": files}).to_string();
        let batch = world.post(&format!("{base}/file_batches"), &[], body.clone()).await.json();
        let batch_files =
            format!("{base}/file_batches/{}/files?order={order}", batch["id"].as_str().expect("an id"));
        let detach = |id: &str| format!("{base}/files/{id}");
        assert_eq!(through(&mut world, &batch_files, detach, false).await, in_order(&files));
        assert_eq!(world.post(&format!("{base}/file_batches"), &[], body).await.status, 200);
        // Nothing is read any more while the server goes down and comes up.
        eventually(|| async {
            let counts = world.get(&base).await.json()["file_counts"].clone();
            (counts["in_progress"] == 0).then_some(())
        })
        .await;
        let attached = format!("{base}/files?order={order}");
        assert_eq!(through(&mut world, &attached, detach, true).await, in_order(&files));
        let delete = |id: &str| format!("/v1/files/{id}");
        assert_eq!(
            through(&mut world, &format!("/v1/files?order={order}"), delete, false).await,
            in_order(&files)
        );
        let mut stores = vec![store];
        for n in 0..7 {
            let body = json!({"name": format!("s{n}")}).to_string();
            stores.push(
                world.post("/v1/vector_stores", &[], body).await.json()["id"]
                    .as_str()
                    .expect("an id")
                    .to_owned(),
            );
        }
        let list = format!("/v1/vector_stores?order={order}");
        let delete = |id: &str| format!("/v1/vector_stores/{id}");
        assert_eq!(through(&mut world, &list, delete, true).await, in_order(&stores));
        // An empty list, before and after what it once had.
        for end in ["after", "before"] {
            let page = world.get(&format!("/v1/vector_stores?{end}={}", stores[3])).await;
            assert_eq!((page.status, ids(&page.json()).len()), (200, 0), "{}", page.text());
        }
    }
}

#[tokio::test]
async fn pages_end_before_what_was_deleted_and_hold_what_came_meanwhile() {
    let world = World::start("").await;
    let made = files(&world, 5).await;
    for n in [1, 4] {
        assert_eq!(world.delete(&format!("/v1/files/{}", made[n])).await.status, 200);
    }
    // It may take the place of the last that was deleted.
    let later = files(&world, 1).await.remove(0);
    for (query, expected) in [
        (format!("order=asc&before={}", made[4]), vec![&made[0], &made[2], &made[3]]),
        (format!("order=asc&after={}", made[1]), vec![&made[2], &made[3], &later]),
        (format!("order=asc&after={}", made[4]), vec![&later]),
        (format!("after={}", made[4]), vec![&made[3], &made[2], &made[0]]),
        (format!("before={}", made[4]), vec![&later]),
        (format!("before={}", made[1]), vec![&later, &made[3], &made[2]]),
        (format!("order=asc&after={}&before={}", made[1], made[4]), vec![&made[2], &made[3]]),
    ] {
        let page = world.get(&format!("/v1/files?{query}")).await;
        assert_eq!(page.status, 200, "{query}: {}", page.text());
        assert_eq!(ids(&page.json()), expected.into_iter().cloned().collect::<Vec<_>>(), "{query}");
    }
}

/// Also where all that was there before is gone, and its numbers could be given again.
#[tokio::test]
async fn what_came_later_is_after_all_that_left() {
    let world = World::start("").await;
    let store = async || {
        world.post("/v1/vector_stores", &[], "{}").await.json()["id"].as_str().expect("an id").to_owned()
    };
    let made = files(&world, 4).await;
    let stores = [store().await, store().await, store().await];
    for id in made.iter().rev() {
        assert_eq!(world.delete(&format!("/v1/files/{id}")).await.status, 200);
    }
    for id in &stores {
        assert_eq!(world.delete(&format!("/v1/vector_stores/{id}")).await.status, 200);
    }
    let (file, store) = (files(&world, 1).await.remove(0), store().await);
    let lists = [("/v1/files", &made[..], &file), ("/v1/vector_stores", &stores[..], &store)];
    for (list, gone, later) in lists {
        for cursor in gone {
            for (query, is_there) in [
                (format!("order=asc&after={cursor}"), true),
                (format!("before={cursor}"), true),
                (format!("after={cursor}"), false),
                (format!("order=asc&before={cursor}"), false),
            ] {
                let found = ids(&world.get(&format!("{list}?{query}")).await.json());
                assert_eq!(found.contains(later), is_there, "{list}?{query}");
            }
        }
    }
}

#[tokio::test]
async fn what_a_key_never_saw_is_unknown_to_it_also_when_it_is_gone() {
    let world = World::start("").await;
    let (_, admin) = world.key(json!({"name": "admin", "scopes": ["admin"]})).await;
    let mut keys = Vec::new();
    for name in ["a", "b"] {
        keys.push(world.key(json!({"name": name, "scopes": ["chat", "ingest"]})).await.1);
    }
    let call = async |key: &str, method: &str, target: &str, body: &str| {
        let request = Request::new(method, target).key(key);
        world.ask(if body.is_empty() { request } else { request.json(body.to_owned()) }).await
    };
    let id = |value: Value| value["id"].as_str().expect("an id").to_owned();
    let file = id(world.ask(file("a.txt", b"Alpha.").key(&keys[0])).await.json());
    let store = id(call(&keys[0], "POST", "/v1/vector_stores", &json!({"file_ids": [file]}).to_string())
        .await
        .json());
    let mine = id(call(&keys[1], "POST", "/v1/vector_stores", "{}").await.json());
    let lists = |key: usize| {
        let documents = format!("/v1/vector_stores/{}/files", if key == 0 { &store } else { &mine });
        [("/v1/files".to_owned(), &file), (documents, &file), ("/v1/vector_stores".to_owned(), &store)]
    };
    let refusal = async |list: &str, cursor: &str| {
        let reply = call(&keys[1], "GET", &format!("{list}?after={cursor}"), "").await;
        reply.error(400, "invalid_value").replace(cursor, "it")
    };
    for there in [true, false] {
        for (list, cursor) in lists(1) {
            let unknown = format!("{}{}", &cursor[..cursor.len() - 24], "0123456789abcdef01234567");
            assert_eq!(refusal(&list, cursor).await, refusal(&list, &unknown).await, "{list} {there}");
        }
        for (key, limit) in [(&keys[0], 3), (&admin, 1)] {
            for (list, cursor) in lists(0).into_iter().take(limit) {
                let reply = call(key, "GET", &format!("{list}?after={cursor}"), "").await;
                assert_eq!(reply.status, 200, "{list} {there}: {}", reply.text());
            }
        }
        if there {
            let documents = format!("/v1/vector_stores/{store}/files/{file}");
            for target in [documents, format!("/v1/files/{file}")] {
                assert_eq!(call(&keys[0], "DELETE", &target, "").await.status, 200);
            }
        }
    }
    assert_eq!(call(&keys[0], "DELETE", &format!("/v1/vector_stores/{store}"), "").await.status, 200);
    let target = format!("/v1/vector_stores?after={store}");
    for key in [&keys[0], &admin] {
        assert_eq!(call(key, "GET", &target, "").await.status, 200);
    }
    let unknown = "vs_0123456789abcdef01234567";
    assert_eq!(refusal("/v1/vector_stores", &store).await, refusal("/v1/vector_stores", unknown).await);
}
