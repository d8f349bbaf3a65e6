//! Documents that would cost the server many times their size: what is kept of each is in proportion to it.

use super::world::{World, form};

/// Bytes of the chunks, of their headings, and of the longest chunk, as the database holds them.
fn stored(world: &World) -> (i64, i64, i64) {
    let database = rusqlite::Connection::open_with_flags(
        world.data().join("lastro.sqlite3"),
        rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY,
    );
    let sums = "SELECT sum(length(CAST(text AS BLOB))), sum(length(CAST(headings AS BLOB))),
                       max(length(CAST(text AS BLOB)) + length(CAST(headings AS BLOB))) FROM chunks";
    database
        .and_then(|database| database.query_row(sums, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))))
        .expect("chunks are stored")
}

#[tokio::test]
async fn what_is_kept_of_a_hostile_document_is_in_proportion_to_it() {
    let paragraphs = |n: usize| -> String {
        (0..n).map(|n| format!("<p>Paragraph {n} says that the valve is closed at noon.\n")).collect()
    };
    let words = "many words that are no title ".repeat(10_000);
    let files = [
        ("title.html", format!("<title>{words}</title>{}", paragraphs(700))),
        ("heading.html", format!("<h1>{words}</h1>{}", paragraphs(700))),
        ("open.html", format!("<h2>Part<div>{words}<div>{}", paragraphs(700))),
        ("heading.md", format!("# {words}\n\n{}", paragraphs(700))),
        ("underlined.md", format!("{words}\n---\n\n{}", paragraphs(700))),
        ("front.md", format!("---\ntitle: {words}\n---\n\n{}", paragraphs(700))),
        ("endless.html", format!("<h1>{}</h1>{}", "x".repeat(300_000), paragraphs(700))),
        ("line.txt", "x".repeat(300_000)),
        ("log.txt", format!("{}\n", "2026-01-01 valve=closed code=4471 ".repeat(2_000)).repeat(10)),
        ("marks.txt", format!("The end.{}", ")".repeat(300_000))),
        ("picture.md", format!("![{words}](a.png)\n\n{}", "# a\n".repeat(20_000))),
    ];
    for (name, text) in files {
        let world = World::start("").await;
        let target = "/v1/vector_stores/hostile/documents?create=true&wait=60";
        let reply = world.ask(form(target, &[("file", name, text.as_bytes())])).await;
        assert_eq!(reply.json()["data"][0]["status"], "completed", "{name}: {}", reply.text());
        let (texts, headings, longest) = stored(&world);
        let length = text.len() as i64;
        assert!(texts <= length * 3 / 2, "{name}: {texts} bytes of chunks of {length}");
        assert!(headings <= length, "{name}: {headings} bytes of headings of {length}");
        assert!(longest <= 8 << 10, "{name}: {longest}");
    }
}

#[tokio::test]
async fn text_inside_a_heading_is_found_as_text() {
    let world = World::start("window = 2000\npassages = 1").await;
    let words = "The keeper writes the hour into the book and waits for the second bell. ".repeat(60);
    let page = format!("<h2>Rules<p>{words}<p>The code of the tower is KX-4471.<p>{words}</h2>");
    world.upload("manual", &[("rules.html", &page)]).await;
    world.chat("manual", "Which code has the tower?", &[("X-RAG-K", "1")]).await;
    let sent = world.upstream.last().json();
    let prompt = sent["messages"][0]["content"].as_str().expect("a text");
    assert!(prompt.contains("KX-4471") && prompt.contains("section=\"Rules\""), "{prompt}");
}

#[tokio::test]
async fn lines_that_end_with_zeros_and_texts_about_pdf_are_text() {
    let world = World::start("").await;
    let lines = "the valve is closed at noon today!\0\n".repeat(50);
    let about = "%PDF-1.7 is how the file of a valve begins.";
    world.upload("manual", &[("lines.log", &lines), ("about.txt", about)]).await;
    let found = world.search("manual", "valve").await.join("\n");
    assert!(found.contains("closed at noon today!\nthe valve") && found.contains(about), "{found}");
}
