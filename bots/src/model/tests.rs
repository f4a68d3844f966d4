use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::post;
use futures::future::join_all;
use paperwire_core::chat::{Finish, Format, Message, Role};
use paperwire_core::store::ModelStore;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::fake::{FakeModel, Line, ends, fault, passing, says, status, wall};
use super::*;

const KEY: &str = "sk-SECRET-0123";

fn ask() -> Ask {
    let format = Format {
        name: "brief",
        schema: json!({ "type": "object" }),
    };
    Ask {
        messages: vec![Message::new(Role::User, "What?")],
        format: Some(format),
        most_tokens: 100,
    }
}

fn limits() -> Limits {
    Limits {
        calls_per_day: 1_000,
        tokens_per_day: 1_000_000,
        concurrency: 4,
        requests_per_minute: 1_000,
    }
}

fn storage() -> Storage {
    Storage::start(Arc::new(ModelStore::new())).unwrap().0
}

fn noon() -> DateTime<Utc> {
    "2025-10-09T12:00:00Z".parse().unwrap()
}

fn client(model: &Arc<FakeModel>, limits: Limits, storage: &Storage) -> Client {
    let transport: Arc<dyn Transport> = model.clone();
    Client::new(transport, "m", limits, storage.clone()).by(wall(noon()))
}

async fn chat(client: &Client) -> Result<Reply, ChatError> {
    passing(&client.storage, client.chat(&ask(), Purpose::Any)).await
}

fn form(body: &Value) -> &str {
    body["response_format"]["type"].as_str().unwrap_or("none")
}

#[tokio::test(start_paused = true)]
async fn what_a_server_does_not_know_is_left_out_and_stays_so_after_a_restart_for_a_week() {
    // What OpenAI, vLLM and llama.cpp say.
    let complaints = [
        (
            400,
            json!({"error": {"message": "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."}}),
        ),
        (
            400,
            json!({"error": {"message": "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model."}}),
        ),
        (
            400,
            json!({"error": {"message": "'temperature' does not support 0 with this model."}}),
        ),
        (422, json!({"detail": "extra fields not permitted: response_format"})),
    ];
    let model = FakeModel::scripted(complaints.into_iter().map(|(code, body)| status(code, None, body)));
    let storage = storage();
    let first = client(&model, limits(), &storage);
    assert_eq!(chat(&first).await.unwrap().text, "ok");
    let asked = model.asked();
    let forms: Vec<&str> = asked.iter().map(form).collect();
    assert_eq!(
        forms,
        ["json_schema", "json_schema", "json_object", "json_object", "none"]
    );
    let last = asked.last().unwrap();
    assert_eq!(
        (&last["max_completion_tokens"], &last["max_tokens"]),
        (&json!(100), &Value::Null)
    );
    assert!(last.get("temperature").is_none() && asked[0]["temperature"] == 0);
    assert_eq!(first.report().await.rung, Rung::Plain);
    // The same one, another one after a restart, and one a week later.
    chat(&first).await.unwrap();
    chat(&client(&model, limits(), &storage)).await.unwrap();
    let later = client(&model, limits(), &storage).by(wall(noon() + chrono::TimeDelta::days(8)));
    chat(&later).await.unwrap();
    let asked = model.asked();
    let forms: Vec<&str> = asked.iter().skip(5).map(form).collect();
    assert_eq!(forms, ["none", "none", "json_schema"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_to_wait_is_left_alone_by_everybody_for_that_long() {
    let model = FakeModel::new(|nth, _| match nth {
        0 => status(429, Some(20), "{\"error\": {\"message\": \"slow down\"}}"),
        _ => says("ok"),
    });
    let (storage, began) = (storage(), Instant::now());
    let client = client(&model, limits(), &storage);
    let all = async {
        assert!(client.chat(&ask(), Purpose::Any).await.is_ok());
        join_all((0..3).map(|_| async { client.chat(&ask(), Purpose::Any).await })).await
    };
    assert!(passing(&storage, all).await.iter().all(Result::is_ok));
    let at = model.asked_at();
    assert!(at[1] - at[0] >= Duration::from_secs(20) && began.elapsed() < Duration::from_secs(30));
    // One that wants an hour gets it, and nobody waits for that.
    let model = FakeModel::scripted([status(429, Some(3_600), "")]);
    let client = super::tests::client(&model, limits(), &storage);
    assert!(matches!(chat(&client).await, Err(ChatError::Busy(_))));
    assert!(
        matches!(chat(&client).await, Err(ChatError::Resting(until)) if until > noon() + chrono::TimeDelta::minutes(59))
    );
    assert_eq!(model.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_server_are_tried_again_a_few_times() {
    let html = "<html><head><title>502 Bad Gateway</title></head></html>";
    let bad = [
        status(502, None, html),
        status(200, None, html),
        fault(Fault::Unreachable("connection refused".to_owned())),
    ];
    let model = FakeModel::scripted(bad);
    let storage = storage();
    assert_eq!(chat(&client(&model, limits(), &storage)).await.unwrap().text, "ok");
    assert_eq!(model.asked().len(), 4);
    // Four times, and slow answers twice: each costs the whole timeout.
    let gone = FakeModel::new(move |_, _| status(503, None, html));
    let error = chat(&client(&gone, limits(), &storage)).await.unwrap_err();
    assert_eq!(error, ChatError::Down("503, an HTML page".to_owned()));
    let slow = FakeModel::new(|_, _| fault(Fault::Slow).late(60));
    assert!(matches!(
        chat(&client(&slow, limits(), &storage)).await,
        Err(ChatError::Down(_))
    ));
    assert_eq!((gone.asked().len(), slow.asked().len()), (4, 2));
}

#[tokio::test(start_paused = true)]
async fn a_dead_server_is_not_asked_for_a_while_then_tried_by_one_and_used_again_when_it_answers() {
    let up = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&up);
    let model = FakeModel::new(move |_, _| match seen.load(Ordering::SeqCst) {
        0 => fault(Fault::Unreachable("connection refused".to_owned())),
        _ => says("ok"),
    });
    let storage = storage();
    let client = client(&model, limits(), &storage);
    let many = || async {
        passing(
            &storage,
            join_all((0..20).map(|_| async { client.chat(&ask(), Purpose::Any).await })),
        )
        .await
    };
    assert!(many().await.iter().all(Result::is_err));
    let asked = model.asked().len();
    assert!(asked < 12, "{asked}");
    let resting = client.report().await.resting_until;
    assert!(resting.is_some_and(|until| until <= client.now() + chrono::TimeDelta::minutes(1)));
    assert!(
        many()
            .await
            .iter()
            .all(|said| matches!(said, Err(ChatError::Resting(_))))
    );
    assert_eq!(model.asked().len(), asked);
    // Still dead after the first rest: one try, and a longer rest.
    tokio::time::advance(Duration::from_secs(61)).await;
    many().await;
    assert_eq!(model.asked().len(), asked + 1);
    tokio::time::advance(Duration::from_secs(61)).await;
    many().await;
    assert_eq!(model.asked().len(), asked + 1);
    up.store(1, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(61)).await;
    assert!(chat(&client).await.is_ok());
    assert!(many().await.iter().all(Result::is_ok));
    let report = client.report().await;
    assert_eq!(report.resting_until, None);
    assert!(
        report.failures["resting"] >= 20 && report.last_error.is_some(),
        "{report:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_back_and_wants_a_simpler_question_is_used_at_once() {
    let model = FakeModel::new(|nth, body| match (nth, form(body)) {
        (0..6, _) => fault(Fault::Unreachable("connection refused".to_owned())),
        (_, "none") => says("ok"),
        _ => status(400, None, "{\"error\": \"response_format is not supported\"}"),
    });
    let storage = storage();
    let client = client(&model, limits(), &storage);
    while client.report().await.resting_until.is_none() {
        assert!(chat(&client).await.is_err());
    }
    tokio::time::advance(Duration::from_secs(61)).await;
    assert!(chat(&client).await.is_ok());
    assert_eq!(model.asked().len(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_has_too_much_to_do_all_the_time_does_not_take_the_days_requests() {
    let model = FakeModel::new(|_, _| status(429, None, "{\"error\": \"rate limit\"}"));
    let storage = storage();
    let client = client(&model, limits(), &storage);
    let many = || join_all((0..60).map(|_| async { client.chat(&ask(), Purpose::Any).await }));
    let said = passing(&storage, many()).await;
    assert!(said.iter().any(|said| matches!(said, Err(ChatError::Busy(_)))));
    assert!(matches!(said.last(), Some(Err(ChatError::Resting(_)))), "{said:?}");
    // Each question four times would be 240.
    assert!(model.asked().len() <= 36, "{}", model.asked().len());
}

#[tokio::test(start_paused = true)]
async fn an_error_that_comes_with_200_is_what_its_body_says() {
    let error = |code: u16| json!({"error": {"code": code, "message": format!("no, {KEY}"), "metadata": {}}});
    let broken = json!({"choices": [{"finish_reason": "error", "message": {"content": "The auth"},
        "error": {"code": 502, "message": "the provider is gone"}}]});
    let storage = storage();
    let model = FakeModel::scripted([
        status(200, Some(20), error(429)),
        status(200, None, &broken),
        status(200, None, error(402)),
    ]);
    let (client, began) = (client(&model, limits(), &storage), Instant::now());
    match chat(&client).await {
        Err(ChatError::Refused(why)) => assert!(why.contains("no credit"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!(began.elapsed() >= Duration::from_secs(20));
    // What broke off on the way may be charged.
    assert_eq!(client.report().await.tokens, 106);
    let refused = FakeModel::scripted([status(200, None, error(401))]);
    let said = chat(&super::tests::client(&refused, limits(), &storage))
        .await
        .unwrap_err();
    let said = said.to_string();
    assert!(
        said.contains("check model.api_key") && !said.contains("SECRET"),
        "{said}"
    );
    let gone = FakeModel::new(move |_, _| status(200, None, &broken));
    let said = chat(&super::tests::client(&gone, limits(), &storage)).await;
    assert_eq!(said, Err(ChatError::Down("502, the provider is gone".to_owned())));
    // A filter that does not like one paper is no refused key.
    let flagged = json!({"error": {"code": 403, "message": "flagged", "metadata": {"flagged_input": "a paper"}}});
    let model = FakeModel::scripted([status(403, None, flagged)]);
    let client = super::tests::client(&model, limits(), &storage);
    assert_eq!(chat(&client).await, Err(ChatError::Unusable("403, flagged".to_owned())));
    assert!(chat(&client).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_asking_again_cannot_mend_is_asked_once_and_says_what_to_do() {
    let storage = storage();
    let refused = |line: Line| {
        let storage = storage.clone();
        async move {
            let model = FakeModel::scripted([line]);
            let error = chat(&client(&model, limits(), &storage)).await.unwrap_err();
            assert_eq!(model.asked().len(), 1);
            error.to_string()
        }
    };
    let wrong_key = json!({"error": {"message": format!("Incorrect API key provided: {KEY}")}});
    let said = refused(status(401, None, wrong_key)).await;
    assert!(
        said.contains("check model.api_key") && !said.contains("SECRET"),
        "{said}"
    );
    let said = refused(status(
        404,
        None,
        json!({"error": {"message": "model \"m\" not found"}}),
    ))
    .await;
    assert!(said.contains("model.name") && said.contains("not found"), "{said}");
    let said = refused(status(
        429,
        None,
        json!({"error": {"code": "insufficient_quota", "message": "You exceeded your quota"}}),
    ))
    .await;
    assert!(said.contains("no credit"), "{said}");
    assert!(refused(status(302, None, "")).await.contains("model.url"));
    // One question's own fault is not the server's.
    let model = FakeModel::scripted([status(
        400,
        None,
        json!({"error": {"message": "maximum context length is 2048 tokens"}}),
    )]);
    let client = client(&model, limits(), &storage);
    assert!(matches!(chat(&client).await, Err(ChatError::Unusable(why)) if why.contains("2048")));
    assert!(chat(&client).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_one_question_after_the_other_is_at_fault_itself() {
    let unloaded = json!({"error": {"message": "No models loaded"}});
    let model = FakeModel::new(move |_, _| status(400, None, &unloaded));
    let storage = storage();
    let client = client(&model, limits(), &storage);
    let mut kinds = Vec::new();
    for _ in 0..5 {
        kinds.push(chat(&client).await.unwrap_err().kind());
    }
    assert_eq!(kinds, ["unusable", "unusable", "unusable", "refused", "resting"]);
}

#[tokio::test(start_paused = true)]
async fn a_day_has_so_many_calls_and_a_restart_gives_none_back_but_midnight_does() {
    let model = FakeModel::scripted([]);
    let storage = storage();
    let few = || Limits {
        calls_per_day: 3,
        ..limits()
    };
    let first = client(&model, few(), &storage);
    let all = passing(
        &storage,
        join_all((0..9).map(|_| async { first.chat(&ask(), Purpose::Any).await })),
    )
    .await;
    assert_eq!(all.iter().filter(|said| said.is_ok()).count(), 3);
    let spent = ChatError::Spent(Spent::Calls(3));
    assert!(
        all.iter()
            .filter_map(|said| said.as_ref().err())
            .all(|error| *error == spent)
    );
    let restarted = client(&model, few(), &storage);
    assert_eq!(chat(&restarted).await, Err(spent));
    let report = restarted.report().await;
    assert_eq!((report.calls, report.tokens, report.estimated), (3, 450, false));
    tokio::time::advance(Duration::from_secs(12 * 3_600)).await;
    assert!(chat(&restarted).await.is_ok());
    assert_eq!(restarted.report().await.calls, 1);
    assert_eq!(model.asked().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn tokens_are_set_aside_before_a_question_leaves_and_counted_as_the_server_says() {
    let model = FakeModel::new(|_, _| says("ok").late(5));
    let storage = storage();
    // Each may take 106 and takes 150, so that of four at once the fourth is one too many.
    let limited = Limits {
        tokens_per_day: 330,
        ..limits()
    };
    let client = client(&model, limited, &storage);
    let all = passing(
        &storage,
        join_all((0..4).map(|_| async { client.chat(&ask(), Purpose::Any).await })),
    )
    .await;
    assert_eq!(all.iter().filter(|said| said.is_ok()).count(), 3, "{all:?}");
    assert_eq!(
        all.iter()
            .filter(|said| **said == Err(ChatError::Spent(Spent::Tokens(330))))
            .count(),
        1
    );
    assert_eq!(client.report().await.tokens, 450);
    // A server that does not say what it used: estimated, and said so.
    let silent = json!({"choices": [{"message": {"content": "a long answer"}}]});
    let model = FakeModel::scripted([status(200, None, silent)]);
    let client = super::tests::client(&model, limits(), &super::tests::storage());
    assert_eq!(chat(&client).await.unwrap().finish, Finish::Stop);
    let report = client.report().await;
    assert!(report.estimated && (1..30).contains(&report.tokens), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn the_judge_has_a_third_of_a_day_at_most_and_the_rest_is_left_for_briefs() {
    let (model, storage) = (FakeModel::scripted([]), storage());
    let few = || Limits {
        calls_per_day: 11,
        ..limits()
    };
    let first = client(&model, few(), &storage);
    let ask_all = async |client: &Client, purpose: Purpose, times: usize| {
        let all = join_all((0..times).map(|_| async { client.chat(&ask(), purpose).await }));
        let all = passing(&storage, all).await;
        let refused: Vec<ChatError> = all.iter().filter_map(|said| said.as_ref().err()).cloned().collect();
        (times - refused.len(), refused.into_iter().next())
    };
    let spent = ChatError::Spent(Spent::JudgesCalls(3));
    assert_eq!(ask_all(&first, Purpose::Judge, 5).await, (3, Some(spent.clone())));
    let restarted = client(&model, few(), &storage);
    assert_eq!(ask_all(&restarted, Purpose::Judge, 1).await, (0, Some(spent)));
    let share = restarted.report().await.judge;
    assert_eq!(
        (share.calls, share.calls_per_day, share.tokens, share.spent),
        (3, 3, 450, true)
    );
    assert_eq!(ask_all(&restarted, Purpose::Any, 9).await.0, 8);
    assert!(restarted.report().await.spent);
    tokio::time::advance(Duration::from_secs(12 * 3_600)).await;
    assert_eq!(ask_all(&restarted, Purpose::Any, 10).await.0, 10);
    // What briefs have used is gone, whoever asks.
    assert_eq!(
        ask_all(&restarted, Purpose::Judge, 2).await,
        (1, Some(ChatError::Spent(Spent::Calls(11))))
    );
    // Each question may take 106 tokens and takes 150.
    let short = Limits {
        tokens_per_day: 750,
        ..limits()
    };
    let storage = super::tests::storage();
    let client = super::tests::client(&model, short, &storage);
    let spent = Some(ChatError::Spent(Spent::JudgesTokens(250)));
    for expected in [(1, None), (0, spent)] {
        let said = passing(&storage, client.chat(&ask(), Purpose::Judge)).await;
        assert_eq!((usize::from(said.is_ok()), said.err()), expected);
    }
    assert!(!client.report().await.spent && client.report().await.judge.spent);
}

#[tokio::test(start_paused = true)]
async fn a_day_is_not_called_used_up_because_much_was_set_aside_for_a_moment() {
    let short = json!({
        "choices": [{ "message": { "content": "ok" } }],
        "usage": { "prompt_tokens": 5, "completion_tokens": 5 },
    });
    let (model, storage) = (FakeModel::new(move |_, _| status(200, None, &short).late(5)), storage());
    // Each may take 106 tokens and takes 10.
    let limited = Limits {
        tokens_per_day: 330,
        ..limits()
    };
    let client = client(&model, limited, &storage);
    for (purpose, at_once, answered) in [(Purpose::Any, 4, 3), (Purpose::Judge, 2, 1)] {
        let all = join_all((0..at_once).map(|_| async { client.chat(&ask(), purpose).await }));
        let all = passing(&storage, all).await;
        assert_eq!(all.iter().filter(|said| said.is_ok()).count(), answered, "{all:?}");
        let report = client.report().await;
        assert!(!report.spent, "{report:?}");
    }
    // Of the judge's 110 tokens 10 are used: too few are left for what was refused.
    assert!(client.report().await.judge.spent);
    assert!(chat(&client).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_may_be_charged_stays_counted_and_what_cannot_be_does_not() {
    let used = async |lines: Vec<Line>| {
        let (model, storage) = (FakeModel::scripted(lines), storage());
        let client = client(&model, limits(), &storage);
        let _ = chat(&client).await;
        let report = client.report().await;
        (report.calls, report.tokens)
    };
    let unreachable = fault(Fault::Unreachable("connection refused".to_owned()));
    let broken = fault(Fault::Broken("connection reset".to_owned()));
    // The last one answers, for 150.
    assert_eq!(used(vec![unreachable, status(500, None, "")]).await, (3, 150));
    assert_eq!(
        used(vec![broken, fault(Fault::Huge), status(200, None, "")]).await,
        (4, 3 * 106 + 150)
    );
    assert_eq!(used(vec![fault(Fault::Slow), fault(Fault::Slow)]).await, (2, 2 * 106));
    // Gemini counts its thoughts in the total alone.
    let thought = json!({
        "choices": [{ "message": { "content": "ok" } }],
        "usage": { "prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 103 },
    });
    assert_eq!(used(vec![status(200, None, thought)]).await, (1, 103));
}

#[tokio::test(start_paused = true)]
async fn a_question_beyond_the_budget_does_not_wait_for_its_turn() {
    let (model, storage) = (FakeModel::scripted([]), storage());
    let few = Limits {
        calls_per_day: 1,
        requests_per_minute: 1,
        ..limits()
    };
    let client = client(&model, few, &storage);
    assert!(chat(&client).await.is_ok());
    let began = Instant::now();
    assert_eq!(chat(&client).await, Err(ChatError::Spent(Spent::Calls(1))));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_gives_no_day_back_and_takes_none_away() {
    let (model, storage) = (FakeModel::scripted([]), storage());
    let midnight: DateTime<Utc> = "2025-10-10T00:00:00Z".parse().unwrap();
    let clock = Arc::new(Mutex::new(midnight));
    let told = Arc::clone(&clock);
    let once = Limits {
        calls_per_day: 1,
        ..limits()
    };
    let client = client(&model, once, &storage).by(Arc::new(move || *lock(&told)));
    let mut asked = Vec::new();
    for hours in [0.01, -0.01, 24.0 * 4_000.0, 24.0, 48.0, 24.0] {
        let seconds = chrono::TimeDelta::seconds((hours * 3_600.0) as i64);
        *lock(&clock) = midnight + seconds;
        asked.push(chat(&client).await.is_ok());
    }
    assert_eq!(asked, [true, false, true, true, true, false]);
}

#[tokio::test(start_paused = true)]
async fn never_more_begin_in_a_minute_or_are_under_way_than_may() {
    let model = FakeModel::new(|_, _| says("ok").late(1));
    let storage = storage();
    let slow = Limits {
        requests_per_minute: 10,
        ..limits()
    };
    let client = client(&model, slow, &storage);
    let all = passing(
        &storage,
        join_all((0..25).map(|_| async { client.chat(&ask(), Purpose::Any).await })),
    )
    .await;
    assert!(all.iter().all(Result::is_ok));
    let at = model.asked_at();
    assert!(
        at.windows(11)
            .all(|eleven| eleven[10] - eleven[0] >= Duration::from_secs(60))
    );
    assert!(at[24] - at[0] < Duration::from_secs(130));
    assert_eq!(model.most(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_a_model_says_comes_with_why_it_ended_also_in_parts_or_as_a_refusal() {
    let parts =
        json!({"choices": [{"message": {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}}]});
    let refusal = json!({"choices": [{"message": {"content": null, "refusal": "I cannot"}, "finish_reason": "stop"}]});
    let lines = [
        ends("half", "length"),
        ends("", "content_filter"),
        status(200, None, parts),
        status(200, None, refusal),
    ];
    let model = FakeModel::scripted(lines);
    let client = client(&model, limits(), &storage());
    let mut said = Vec::new();
    for _ in 0..4 {
        let reply = chat(&client).await.unwrap();
        said.push((reply.text, reply.finish));
    }
    let said: Vec<(&str, Finish)> = said.iter().map(|(text, finish)| (text.as_str(), *finish)).collect();
    let expected = [
        ("half", Finish::Length),
        ("", Finish::Filtered),
        ("ab", Finish::Stop),
        ("I cannot", Finish::Stop),
    ];
    assert_eq!(said, expected);
}

/// A server over loopback that answers each path of its own way.
async fn served() -> String {
    async fn answer(headers: HeaderMap, uri: axum::http::Uri, body: String) -> axum::response::Response {
        let keyed = headers.get(header::AUTHORIZATION).and_then(|key| key.to_str().ok());
        let keyed = keyed == Some(&format!("Bearer {KEY}"));
        assert!(serde_json::from_str::<Value>(&body).is_ok());
        match uri.path() {
            "/ok/chat/completions" => json!({"choices": [{"message": {"content": keyed.to_string()}}]})
                .to_string()
                .into_response(),
            "/echo/chat/completions" => (StatusCode::BAD_REQUEST, format!("no, {KEY}")).into_response(),
            "/page/chat/completions" => ([(header::CONTENT_TYPE, "text/html")], "{\"choices\": []}").into_response(),
            "/huge/chat/completions" => "x".repeat(1024 * 1024 + 1).into_response(),
            "/moved/chat/completions" => (
                StatusCode::TEMPORARY_REDIRECT,
                [(header::LOCATION, "/ok/chat/completions")],
            )
                .into_response(),
            "/slow/chat/completions" => std::future::pending().await,
            _ => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "7")]).into_response(),
        }
    }
    let app = Router::new().route("/{kind}/chat/completions", post(answer));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("http://{address}")
}

#[tokio::test]
async fn over_http_the_key_goes_to_the_server_alone_and_bad_answers_are_bounded() {
    let server = served().await;
    let post = |kind: &str, timeout: u64| {
        let http = Http::new(
            &format!("{server}/{kind}"),
            Some(KEY.into()),
            Duration::from_millis(timeout),
        )
        .unwrap();
        async move { http.post(&json!({})).await }
    };
    let body = |answer: Result<Answer, Fault>| answer.unwrap().body;
    assert!(body(post("ok", 9_000).await).contains("true"));
    assert_eq!(body(post("echo", 9_000).await), "no, (hidden)");
    assert_eq!(body(post("page", 9_000).await), "<html>");
    assert_eq!(post("huge", 9_000).await, Err(Fault::Huge));
    assert_eq!(post("moved", 9_000).await.unwrap().status, 307);
    assert_eq!(
        post("busy", 9_000).await.unwrap().retry_after,
        Some(Duration::from_secs(7))
    );
    assert_eq!(post("slow", 50).await, Err(Fault::Slow));
    let nobody = Http::new("http://127.0.0.1:9/SECRET", None, Duration::from_secs(9)).unwrap();
    match nobody.post(&json!({})).await {
        Err(Fault::Unreachable(why)) => assert!(!why.contains("SECRET"), "{why}"),
        other => panic!("{other:?}"),
    }
}
