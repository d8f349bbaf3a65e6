use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use super::*;
use crate::prompt::default_template;

/// A server whose tokens are a fixed part of our estimate, or that does not count, and what it was asked to count.
struct Server {
    tokens: u64,
    rate: Option<f64>,
    asked: Mutex<Vec<String>>,
}

fn server(tokens: u64, rate: Option<f64>) -> Server {
    Server { tokens, rate, asked: Mutex::default() }
}

impl Server {
    fn counted(&self, messages: &str) -> Option<u64> {
        Some((estimate_request(messages, None).text as f64 * self.rate?) as u64)
    }
}

#[async_trait]
impl Window for Server {
    async fn tokens(&self, _: Option<&str>, _: Instant) -> Option<u64> {
        Some(self.tokens)
    }

    async fn count(&self, _: Option<&str>, fields: &[(&str, &str)]) -> Option<u64> {
        let body = fields.iter().map(|(name, value)| format!("{name}:{value}")).collect::<Vec<_>>();
        self.asked.lock().push(body.join(" "));
        self.counted(fields.iter().find(|(name, _)| *name == "messages")?.1)
    }
}

fn chat(body: String) -> ChatRequest {
    ChatRequest::parse(Bytes::from(body)).expect("a request")
}

fn request(max_tokens: u64) -> ChatRequest {
    chat(format!(
        r#"{{"max_tokens":{max_tokens},"messages":[{{"role":"user","content":"What is the maintenance code of the pump?"}}]}}"#
    ))
}

fn passage(text: String) -> Passage {
    Passage { document: "pump.pdf".into(), page: Some(2), text, ..Passage::default() }
}

fn passages() -> Vec<Passage> {
    let text = "The maintenance code of the pump is KX-4471. It was set in March. ".repeat(12);
    vec![passage(text); 6]
}

async fn budget<'a>(request: &'a ChatRequest, server: &'a Server) -> Budget<'a> {
    Budget::new(request, None, server, Instant::now() + Duration::from_secs(60)).await
}

async fn fitted(server: &Server, request: &ChatRequest, passages: &[Passage]) -> Option<Woven> {
    let woven = budget(request, server).await.fit(passages, &default_template(Some("en"))).await;
    let asked = server.asked.lock();
    assert!(asked.len() <= 1, "{} counts", asked.len());
    woven
}

/// Tokens of a prompt with this text before the question, as the server has them.
fn taken(server: &Server, request: &ChatRequest, text: &str) -> u64 {
    let edited = request.edited(&Edits { model: None, before_question: Some(text) });
    let edited = ChatRequest::parse(edited).expect("still a request");
    server
        .counted(edited.prompt_parts().0)
        .unwrap_or_else(|| estimate_request(edited.prompt_parts().0, None).text)
}

#[tokio::test]
async fn a_window_of_752_with_512_for_the_answer_is_grounded_and_kept() {
    for rate in [None, Some(1.0), Some(0.6)] {
        let (server, request) = (server(752, rate), request(512));
        let woven = fitted(&server, &request, &passages()).await.expect("room for a passage");
        assert!(woven.text.contains("KX-4471"), "{rate:?}");
        assert!(taken(&server, &request, &woven.text) <= 240, "{rate:?}");
    }
}

#[tokio::test]
async fn counting_makes_use_of_room_that_the_estimate_does_not_see() {
    let (estimating, counting, request) = (server(1_600, None), server(1_600, Some(0.6)), request(200));
    let estimated = fitted(&estimating, &request, &passages()).await.expect("room");
    let counted = fitted(&counting, &request, &passages()).await.expect("room");
    assert!(estimate_text(&counted.text) > estimate_text(&estimated.text) * 12 / 10);
    assert!(taken(&counting, &request, &counted.text) <= 1_400);
    // What was sent to be counted went in.
    let asked = counting.asked.lock().pop().expect("a count");
    let passages = asked.matches("<passage n=").count();
    assert!((1..=counted.passages.len()).contains(&passages), "{passages} of {}", counted.passages.len());
}

#[tokio::test]
async fn nothing_is_counted_where_the_estimate_fits() {
    let (server, request) = (server(32_000, Some(0.6)), request(200));
    assert!(!fitted(&server, &request, &passages()).await.expect("room").cut);
    assert!(server.asked.lock().is_empty());
}

#[tokio::test]
async fn what_takes_more_than_estimated_is_counted_near_the_limit() {
    let (roomy, request) = (server(32_000, None), request(100));
    let all = fitted(&roomy, &request, &passages()).await.expect("room");
    let needed = taken(&roomy, &request, &all.text);
    // All of it fits by the estimate.
    let limit = needed + 100;
    let estimating = server(limit + 100, None);
    assert!(!fitted(&estimating, &request, &passages()).await.expect("room").cut);
    for rate in [1.05, 1.3, 1.5] {
        let server = server(limit + 100, Some(rate));
        let woven = fitted(&server, &request, &passages()).await.expect("room");
        assert!(taken(&server, &request, &woven.text) <= limit, "{rate}");
        assert_eq!(server.asked.lock().len(), 1, "{rate}");
    }
}

#[tokio::test]
async fn whole_documents_that_take_more_than_estimated_are_not_believed() {
    let (roomy, request) = (server(32_000, None), request(100));
    let all = fitted(&roomy, &request, &passages()).await.expect("room");
    let limit = taken(&roomy, &request, &all.text) + 100;
    for (rate, holds) in [(None, true), (Some(0.9), true), (Some(1.3), false)] {
        let server = server(limit + 100, rate);
        let mut budget = budget(&request, &server).await;
        assert_eq!(budget.holds(&all).await, holds, "{rate:?}");
        if !holds {
            let woven = budget.fit(&passages(), &default_template(Some("en"))).await.expect("room for some");
            assert!(woven.cut && taken(&server, &request, &woven.text) <= limit);
        }
        assert_eq!(server.asked.lock().len(), 1, "{rate:?}");
    }
    let mut budget = budget(&request, &roomy).await;
    assert!(budget.holds(&all).await && roomy.asked.lock().is_empty());
}

/// Text of any density, in sentences so long that a little less is the same text, whether its tokens are more or fewer
/// than estimated.
#[tokio::test]
async fn whatever_room_there_is_passages_are_cut_to_it() {
    let sentence = "The maintenance code of the pump is ".to_owned() + &"KX-4471 ".repeat(40) + ". ";
    let passages = vec![passage(sentence.repeat(4)); 4];
    for rate in [0.5, 0.8, 1.0, 1.2, 1.5] {
        for tokens in (900..4_000).step_by(57) {
            let (request, server) = (request(100), server(tokens, Some(rate)));
            let woven = fitted(&server, &request, &passages).await;
            let woven = woven.unwrap_or_else(|| panic!("{tokens} {rate}: no room"));
            assert!(taken(&server, &request, &woven.text) <= tokens - 100, "{tokens} {rate}");
        }
    }
}

#[tokio::test]
async fn a_note_is_fitted_like_anything_else() {
    let request = request(100);
    for (tokens, rate, fits) in [(400, None, true), (130, None, false), (130, Some(0.4), true)] {
        let server = server(tokens, rate);
        let budget = budget(&request, &server).await;
        assert_eq!(budget.has_room_for("Nothing was found about it.").await, fits, "{tokens} {rate:?}");
    }
}

#[tokio::test]
async fn without_room_there_is_nothing() {
    for rate in [None, Some(1.0)] {
        assert_eq!(fitted(&server(752, rate), &request(752), &passages()).await, None);
        assert_eq!(fitted(&server(100, rate), &request(10), &passages()).await, None);
    }
}

#[tokio::test]
async fn pictures_take_their_room_whatever_is_counted() {
    let parts = |parts: &str| {
        chat(format!(
            r#"{{"max_tokens":100,"messages":[{{"role":"user","content":[{parts}{{"type":"text","text":"What is the code of the pump?"}}]}}]}}"#
        ))
    };
    let picture = r#"{"type":"image_url","image_url":{"url":"https://a.example/b.png"}},"#;
    for rate in [None, Some(0.6)] {
        // Three of 4,608 tokens leave nothing of a window of 14,000, and of one of 15,000 a little.
        let three = parts(&picture.repeat(3));
        assert_eq!(fitted(&server(13_900, rate), &three, &passages()).await, None, "{rate:?}");
        let server = server(15_000, rate);
        let woven = fitted(&server, &three, &passages()).await.expect("room");
        assert!(taken(&server, &three, &woven.text) + 3 * 4_608 <= 14_900);
        let asked = server.asked.lock();
        assert!(asked.iter().all(|asked| !asked.contains("a.example")), "{asked:?}");
    }
}

#[tokio::test]
async fn stored_turns_leave_a_small_part() {
    let response = |more: &str| {
        let body = format!(r#"{{{more}"input":"What is the maintenance code of the pump?"}}"#);
        ChatRequest::parse_response(Bytes::from(body)).expect("a request")
    };
    for (more, stored) in [
        ("", false),
        (r#""previous_response_id":null,"conversation":null,"#, false),
        (r#""previous_response_id":"resp_1","#, true),
        (r#""conversation":"conv_1","#, true),
        (r#""conversation":{"id":"conv_1"},"#, true),
    ] {
        let (request, server) = (response(more), server(8_000, Some(0.6)));
        let budget = budget(&request, &server).await;
        assert_eq!(budget.room_for_whole().is_none(), stored, "{more}");
        let woven = budget.fit(&passages(), &default_template(Some("en"))).await.expect("room");
        assert_eq!(estimate_text(&woven.text) <= 1_000, stored, "{more}");
        assert_eq!(woven.cut, stored);
    }
}

#[tokio::test]
async fn what_the_template_makes_of_a_request_is_counted_too() {
    let fields = r#""chat_template_kwargs":{"enable_thinking":false},"documents":[{"text":"Some words."}],"continue_final_message":true,"add_generation_prompt":false"#;
    let messages = r#"[{"role":"user","content":"What is the maintenance code of the pump?"}]"#;
    let with = chat(format!(r#"{{"max_tokens":100,{fields},"messages":{messages}}}"#));
    let (plain, server) = (request(100), server(700, Some(0.8)));
    assert!(budget(&with, &server).await.base.text > budget(&plain, &server).await.base.text + 10);
    fitted(&server, &with, &passages()).await.expect("room");
    let asked = server.asked.lock().pop().expect("a count");
    for field in
        ["enable_thinking", "Some words.", "continue_final_message:true", "add_generation_prompt:false"]
    {
        assert!(asked.contains(field), "{field}: {asked}");
    }
}
