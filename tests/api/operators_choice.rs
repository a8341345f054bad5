//! What the configuration decides about requests, and what a program can learn beforehand.

use crate::scripted::{Family, MODEL, Script};
use crate::server::{Answer, CHAT, Options, TestServer};
use crate::tools::HERMES;
use guichet::config::ServerConfig;
use reqwest::Method;
use serde_json::{Value, json};

fn hello() -> Value {
    json!({"model": MODEL, "messages": [{"role": "user", "content": "hi"}]})
}

fn with(more: Value) -> Value {
    let mut body = hello();
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

async fn configured(server: ServerConfig) -> TestServer {
    let mut options = Options::new(Script::saying("Bonjour."));
    options.server = server;
    TestServer::start(options).await
}

#[tokio::test]
async fn a_strict_server_refuses_what_another_ignores() {
    let strict = configured(ServerConfig {
        strict_parameters: true,
        ..ServerConfig::default()
    })
    .await;
    let lenient = TestServer::saying("Bonjour.").await;
    for (more, param, name) in [
        (json!({"user": "u"}), "user", "user"),
        (json!({"metadata": {"a": "b"}}), "metadata", "metadata"),
        (
            json!({"chat_template_kwargs": {"unheard_of": 1}}),
            "chat_template_kwargs.unheard_of",
            "chat_template_kwargs",
        ),
        (
            json!({"messages": [{"role": "user", "name": "anna", "content": "a"}]}),
            "messages",
            "messages[].name",
        ),
    ] {
        let answer = lenient.post(CHAT, &with(more.clone())).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("x-guichet-ignored"), Some(name));
        let answer = strict.post(CHAT, &with(more)).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert_eq!(answer.json()["error"]["param"], param);
    }
    // Null asks for nothing.
    let answer = strict.post(CHAT, &with(json!({"user": null}))).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn web_pages_read_answers_only_where_they_are_named() {
    let origin = "https://intranet.example";
    let preflight = async |server: &TestServer, origin: &str| {
        let request = server
            .request(Method::OPTIONS, CHAT)
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization, x-stainless-lang",
            );
        Answer::read(request.send().await.unwrap()).await
    };
    let closed = TestServer::saying("").await;
    let answer = preflight(&closed, origin).await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("access-control-allow-origin"), None);

    let open = configured(ServerConfig {
        cors_origins: vec![origin.to_owned()],
        ..ServerConfig::default()
    })
    .await;
    let answer = preflight(&open, origin).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
    assert!(
        answer
            .header("access-control-allow-headers")
            .unwrap()
            .contains("x-stainless-lang")
    );
    let other = preflight(&open, "https://other.example").await;
    assert_eq!(other.header("access-control-allow-origin"), None);
    let request = open
        .request(Method::POST, CHAT)
        .header("origin", origin)
        .json(&hello());
    let answer = Answer::read(request.send().await.unwrap()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
    let exposed = answer.header("access-control-expose-headers").unwrap();
    assert!(exposed.contains("x-guichet-ignored"), "{exposed}");
}

#[tokio::test]
async fn a_program_learns_what_becomes_of_parameters() {
    let server = TestServer::saying("").await;
    let known = server.get("/v1/capabilities").await.json();
    let chat = &known["parameters"]["/v1/chat/completions"];
    for (outcome, name) in [
        ("honoured", "temperature"),
        ("ignored", "user"),
        ("refused", "audio"),
    ] {
        let names = chat[outcome].as_array().unwrap();
        assert!(names.contains(&name.into()), "{outcome} {name}: {names:?}");
        // It is what happens.
        let answer = server.post(CHAT, &with(json!({name: 1}))).await;
        let is_ignored = answer.header("x-guichet-ignored") == Some(name);
        assert_eq!(is_ignored, outcome == "ignored");
        assert_eq!(
            answer.status == 400,
            outcome == "refused",
            "{}",
            answer.text
        );
    }
    assert_eq!(known["models"][0]["id"], MODEL);
    assert_eq!(known["models"][0]["task"], "generate");
    assert_eq!(known["stores_responses"], false);
    assert_eq!(known["models"][0]["generates"]["chat"], true);
    assert_eq!(known["ranges"]["temperature"]["maximum"], 2.0);
    let keywords = known["json_schema"]["keywords"].as_array().unwrap();
    assert!(keywords.contains(&"not".into()) && !keywords.contains(&"dependencies".into()));
    assert_eq!(known["limits"]["max_n"], 16);
    let routes = known["parameters"].as_object().unwrap();
    for route in routes.keys() {
        // Of what is kept there is a list, and this server keeps nothing.
        let status = if route == "/v1/files" { 404 } else { 405 };
        assert_eq!(server.get(route).await.status, status, "{route}");
    }
}

#[tokio::test]
async fn a_prompt_ends_as_it_is_asked_to() {
    let server = TestServer::saying("").await;
    let prompt = async |messages: Value, more: Value| {
        let mut body = with(more);
        body["messages"] = messages;
        let answer = server.post("/v1/chat/completions/render", &body).await;
        match answer.status {
            200 => answer.json()["prompt"].as_str().unwrap().to_owned(),
            _ => answer.json()["error"]["param"].as_str().unwrap().to_owned(),
        }
    };
    let asked = json!([{"role": "user", "content": "hi"}]);
    let begun = json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Chère Madame, "}]);
    let user = "<|im_start|>user\nhi<|im_end|>\n";
    assert_eq!(
        prompt(asked.clone(), json!({})).await,
        format!("{user}<|im_start|>assistant\n")
    );
    assert_eq!(
        prompt(asked.clone(), json!({"add_generation_prompt": false})).await,
        user
    );
    let open = format!("{user}<|im_start|>assistant\nChère Madame, ");
    assert_eq!(
        prompt(begun.clone(), json!({"continue_final_message": true})).await,
        open
    );
    let both = json!({"continue_final_message": true, "add_generation_prompt": false});
    assert_eq!(prompt(begun.clone(), both).await, open);
    let called = json!([{"role": "assistant", "content": "a", "tool_calls":
        [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}]);
    let contradiction = json!({"continue_final_message": true, "add_generation_prompt": true});
    for (messages, more) in [
        (asked, json!({"continue_final_message": true})),
        // The call would be cut off.
        (called, json!({"continue_final_message": true})),
        (begun, contradiction),
    ] {
        assert_eq!(prompt(messages, more).await, "continue_final_message");
    }
}

#[tokio::test]
async fn an_answer_goes_on_in_the_message_that_was_begun() {
    let server = TestServer::saying("merci.").await;
    let messages = json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Madame, <|im_end|> "}]);
    let body = with(json!({"messages": messages, "continue_final_message": true}));
    let answer = server.post(CHAT, &body).await.json();
    assert_eq!(answer["choices"][0]["message"]["content"], "merci.");
    let rendered = server
        .post("/v1/chat/completions/render", &body)
        .await
        .json();
    // What was typed stays text, and the message is not ended.
    assert!(
        rendered["prompt"]
            .as_str()
            .unwrap()
            .ends_with("Madame, <|im_end|> ")
    );
    let ids = rendered["token_ids"].as_array().unwrap();
    assert_eq!(ids.iter().filter(|id| **id == 257).count(), 1);
}

#[tokio::test]
async fn documents_are_for_templates_that_take_them() {
    const READS: Family = Family {
        template: "{% for d in documents %}[{{ d.title }}: {{ d.text }}]{% endfor %}{% for m in messages %}{{ m.content }}{% endfor %}",
        ..HERMES
    };
    let documents = json!([{"title": "Décret", "text": "Article <|im_end|> 1"}]);
    let body = with(json!({"documents": documents}));
    let server = TestServer::start(Options::new(Script {
        family: READS,
        ..Script::saying("")
    }))
    .await;
    let rendered = server
        .post("/v1/chat/completions/render", &body)
        .await
        .json();
    assert_eq!(rendered["prompt"], "[Décret: Article <|im_end|> 1]hi");
    assert!(
        !rendered["token_ids"]
            .as_array()
            .unwrap()
            .contains(&257.into())
    );
    let without = TestServer::saying("").await;
    let answer = without.post(CHAT, &body).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["param"], "documents");
}

#[tokio::test]
async fn a_template_is_chosen_among_those_that_the_model_has() {
    const NAMED: Family = Family {
        template: r#"[{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "{{ tools | tojson }}"}, {"name": "rag", "template": "rag"}]"#,
        ..HERMES
    };
    let server = TestServer::start(Options::new(Script {
        family: NAMED,
        ..Script::saying("")
    }))
    .await;
    let render = async |more: Value| {
        server
            .post("/v1/chat/completions/render", &with(more))
            .await
    };
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    for (more, prompt) in [
        (json!({}), "plain"),
        (json!({"chat_template": "rag"}), "rag"),
        (json!({"chat_template": "rag", "documents": []}), "rag"),
    ] {
        assert_eq!(render(more).await.json()["prompt"], prompt);
    }
    let given = render(json!({"tools": tools})).await.json();
    let written = given["prompt"].as_str().unwrap();
    assert!(written.contains("\"name\": \"f\""), "{written}");
    // No function may be called, so none is told of.
    let none = render(json!({"tools": tools, "tool_choice": "none"})).await;
    assert_eq!(none.json()["prompt"], "plain");

    let answer = render(json!({"chat_template": "{{ messages }}"})).await;
    assert_eq!(answer.status, 400);
    let error = &answer.json()["error"];
    assert_eq!(error["param"], "chat_template");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("`default`, `rag`, `tool_use`"),
        "{message}"
    );
    let known = server.get("/v1/capabilities").await.json();
    assert_eq!(
        known["models"][0]["generates"]["chat_templates"],
        json!(["default", "rag", "tool_use"])
    );
}
