//! What each family writes, as its makers document it.

use super::{APERTUS, Family, GEMMA, GPT_OSS, LLAMA, MISTRAL, NONE, QWEN, check};

#[test]
fn qwen_s_calls_and_reasoning() {
    let one = r#"<tool_call>
{"name": "weather", "arguments": {"city": "Köln", "days": [1, 2]}}
</tool_call>"#;
    let arguments = r#"{"city": "Köln", "days": [1, 2]}"#;
    check(&QWEN, one, "", "", &[("weather", arguments)]);
    check(
        &QWEN,
        &format!("{one}\n{one}"),
        "",
        "",
        &[("weather", arguments), ("weather", arguments)],
    );
    check(
        &QWEN,
        &format!("Ich sehe nach.\n\n{one}\n"),
        "Ich sehe nach.",
        "",
        &[("weather", arguments)],
    );
    check(
        &QWEN,
        &format!("{one}\nDone."),
        "Done.",
        "",
        &[("weather", arguments)],
    );
    check(
        &QWEN,
        &format!("<think>\nWell.\n</think>\n\n{one}"),
        "",
        "Well.",
        &[("weather", arguments)],
    );
    check(
        &QWEN,
        "<think>\nWell: a < b.\n\n</think>\n\nYes.\n",
        "Yes.\n",
        "Well: a < b.",
        &[],
    );
    check(&QWEN, "<think>\n\n</think>\n\nYes.", "Yes.", "", &[]);
    check(&QWEN, "<think>not done", "", "not done", &[]);
    check(
        &QWEN,
        "The tags <think> and </think> hold thoughts.",
        "The tags <think> and </think> hold thoughts.",
        "",
        &[],
    );
    check(
        &QWEN,
        "Write <tool_call> first.",
        "Write <tool_call> first.",
        "",
        &[],
    );
    check(
        &QWEN,
        "Write \n<tool_call>\nfirst.",
        "Write \n<tool_call>\nfirst.",
        "",
        &[],
    );
    check(
        &QWEN,
        &format!("Write <tool_call>: {one}"),
        "Write <tool_call>:",
        "",
        &[("weather", arguments)],
    );
    check(&QWEN, "<tool_call>\n{\"nam", "<tool_call>\n{\"nam", "", &[]);
    check(
        &QWEN,
        "<tool_call>\n{\"x\": 1}\n</tool_call>",
        "<tool_call>\n{\"x\": 1}\n</tool_call>",
        "",
        &[],
    );
    check(
        &QWEN,
        "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Kö",
        "",
        "",
        &[("weather", "{\"city\": \"Kö")],
    );
    check(
        &QWEN,
        "<tool_call>\n{\"name\": \"time\", \"arguments\": {\"a\": 1\n</tool_call>",
        "",
        "",
        &[("time", "{\"a\": 1\n")],
    );
    check(
        &QWEN,
        r#"<tool_call>{"arguments": {"a": "}<"}, "name": "time"}</tool_call>"#,
        "",
        "",
        &[("time", r#"{"a": "}<"}"#)],
    );
    check(
        &QWEN,
        r#"<tool_call>{"name": "time"}</tool_call>"#,
        "",
        "",
        &[("time", "{}")],
    );
    check(
        &QWEN,
        r#"<tool_call>{"name": "time", "arguments": null}</tool_call>"#,
        "",
        "",
        &[("time", "{}")],
    );
    check(
        &QWEN,
        r#"<tool_call>{"name": "time", "arguments": "{\"a\": 1}"}</tool_call>"#,
        "",
        "",
        &[("time", r#"{"a": 1}"#)],
    );
    check(
        &QWEN,
        r#"<tool_call>{"name": "d\u00e9lai", "id": 3, "arguments": {}}</tool_call>"#,
        "",
        "",
        &[("délai", "{}")],
    );
    check(
        &QWEN,
        r#"<tool_call>[{"name": "time", "arguments": {}}, {"name": "weather", "arguments": {"a": []}}]</tool_call>"#,
        "",
        "",
        &[("time", "{}"), ("weather", r#"{"a": []}"#)],
    );
    check(
        &QWEN,
        r#"<tool_call>{"name": "time", "arguments": {}}}</tool_call>"#,
        "}</tool_call>",
        "",
        &[("time", "{}")],
    );
    check(
        &QWEN,
        r#"<tool_call>{"name": "time", "arguments": {}} <tool_call>{"name": "time", "arguments": {}}"#,
        "",
        "",
        &[("time", "{}"), ("time", "{}")],
    );
    check(&QWEN, "a < b <tool", "a < b <tool", "", &[]);
    check(&QWEN, "  \n", "  \n", "", &[]);
    check(&QWEN, "", "", "", &[]);
    check(
        &QWEN,
        r#"{"name": "time", "arguments": {}}"#,
        r#"{"name": "time", "arguments": {}}"#,
        "",
        &[],
    );
}

#[test]
fn a_prompt_may_open_the_reasoning() {
    let opened = Family {
        prompt_end: "assistant\n<think>\n",
        ..QWEN
    };
    check(&opened, "Well.\n</think>\n\nYes.", "Yes.", "Well.", &[]);
    check(&opened, "\n\nWell", "", "Well", &[]);
    check(&opened, "</think>Yes.", "Yes.", "", &[]);
    let closed = Family {
        prompt_end: "assistant\n<think>\n\n</think>\n\n",
        ..QWEN
    };
    check(&closed, "Yes.", "Yes.", "", &[]);
}

#[test]
fn llama_s_calls() {
    let one = r#"{"name": "weather", "parameters": {"city": "Köln"}}"#;
    let call = ("weather", r#"{"city": "Köln"}"#);
    check(&LLAMA, one, "", "", &[call]);
    check(&LLAMA, &format!("<|python_tag|>{one}"), "", "", &[call]);
    check(&LLAMA, &format!("\n{one}\n"), "", "", &[call]);
    check(&LLAMA, &format!("{one}; {one}"), "", "", &[call, call]);
    check(
        &LLAMA,
        &format!("{one};{one};\n{one}"),
        "",
        "",
        &[call, call, call],
    );
    check(
        &LLAMA,
        &format!("{one}; and more"),
        "; and more",
        "",
        &[call],
    );
    check(&LLAMA, &format!("{one} and more"), "and more", "", &[call]);
    check(&LLAMA, &format!("[{one}, {one}]"), "", "", &[call, call]);
    check(
        &LLAMA,
        &format!("See: {one}"),
        &format!("See: {one}"),
        "",
        &[],
    );
    check(
        &LLAMA,
        r#"{"name": "Anna", "age": 3}"#,
        r#"{"name": "Anna", "age": 3}"#,
        "",
        &[],
    );
    check(
        &LLAMA,
        r#"{"name": "time"}"#,
        r#"{"name": "time"}"#,
        "",
        &[],
    );
    check(
        &LLAMA,
        r#"<|python_tag|>{"name": "Anna", "parameters": {}}"#,
        "",
        "",
        &[("Anna", "{}")],
    );
    check(
        &LLAMA,
        r#"<|python_tag|>brave_search.call(query="x")"#,
        r#"brave_search.call(query="x")"#,
        "",
        &[],
    );
    check(
        &LLAMA,
        r#"{"type": "function", "name": "time", "parameters": {"a": "\"}"}}"#,
        "",
        "",
        &[("time", r#"{"a": "\"}"}"#)],
    );
    check(
        &LLAMA,
        r#"{"function": {"name": "time", "parameters": {"a": 1}}, "type": "function"}"#,
        "",
        "",
        &[("time", r#"{"a": 1}"#)],
    );
    check(
        &LLAMA,
        r#"{"name": "time", "parameters": {"a": "#,
        "",
        "",
        &[("time", r#"{"a": "#)],
    );
    check(&LLAMA, r#"{"name": "ti"#, r#"{"name": "ti"#, "", &[]);
    check(
        &LLAMA,
        r#"{"parameters": {"a": 1}, "name": "time"}"#,
        "",
        "",
        &[("time", r#"{"a": 1}"#)],
    );
    check(
        &LLAMA,
        r#"{"parameters": {"a": 1}, "name": "x"}"#,
        r#"{"parameters": {"a": 1}, "name": "x"}"#,
        "",
        &[],
    );
    check(&LLAMA, "[1, 2]", "[1, 2]", "", &[]);
    check(&LLAMA, "{", "{", "", &[]);
    check(
        &LLAMA,
        "Bonjour, où êtes-vous ?",
        "Bonjour, où êtes-vous ?",
        "",
        &[],
    );
}

#[test]
fn mistral_s_calls() {
    let call = ("weather", r#"{"city": "Köln"}"#);
    let new = r#"[TOOL_CALLS]weather[ARGS]{"city": "Köln"}"#;
    check(&MISTRAL, new, "", "", &[call]);
    check(&MISTRAL, &format!("{new}{new}"), "", "", &[call, call]);
    check(
        &MISTRAL,
        r#"[TOOL_CALLS]weather{"city": "Köln"}"#,
        "",
        "",
        &[call],
    );
    check(
        &MISTRAL,
        r#"[TOOL_CALLS]weather[CALL_ID]a1b2c3d4e[ARGS]{"city": "Köln"}"#,
        "",
        "",
        &[call],
    );
    check(
        &MISTRAL,
        r#"[TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Köln"}}]"#,
        "",
        "",
        &[call],
    );
    check(
        &MISTRAL,
        r#"[TOOL_CALLS][{"name": "weather", "arguments": {"city": "Köln"}, "id": "a1b2c3d4e"}, {"name": "time", "arguments": {}}]"#,
        "",
        "",
        &[call, ("time", "{}")],
    );
    check(
        &MISTRAL,
        r#"[TOOL_CALLS][{"arguments": {"city": "Köln"}, "name": "weather"}]"#,
        "",
        "",
        &[call],
    );
    check(
        &MISTRAL,
        &format!("Je regarde. {new}"),
        "Je regarde.",
        "",
        &[call],
    );
    check(
        &MISTRAL,
        &format!("[THINK]Hm.[/THINK]{new}"),
        "",
        "Hm.",
        &[call],
    );
    check(&MISTRAL, "[THINK]Hm.\n[/THINK]\nOui.", "Oui.", "Hm.", &[]);
    check(&MISTRAL, "[THINK]Hm", "", "Hm", &[]);
    check(&MISTRAL, &format!("{new} Voilà."), "Voilà.", "", &[call]);
    check(
        &MISTRAL,
        r#"[TOOL_CALLS]weather[ARGS]{"city": "Kö"#,
        "",
        "",
        &[("weather", r#"{"city": "Kö"#)],
    );
    check(
        &MISTRAL,
        "[TOOL_CALLS]weather[ARGS]",
        "",
        "",
        &[("weather", "")],
    );
    check(&MISTRAL, "[TOOL_CALLS]weath", "weath", "", &[]);
    check(
        &MISTRAL,
        "[TOOL_CALLS]pas un appel",
        "pas un appel",
        "",
        &[],
    );
    check(&MISTRAL, "[TOOL_CALLS][1]", "[1]", "", &[]);
    check(
        &MISTRAL,
        "Les [balises] et {accolades}.",
        "Les [balises] et {accolades}.",
        "",
        &[],
    );
    check(
        &MISTRAL,
        r#"[TOOL_CALLS]time[ARGS]{"a": "[ARGS"}"#,
        "",
        "",
        &[("time", r#"{"a": "[ARGS"}"#)],
    );
    check(
        &MISTRAL,
        r#"[TOOL_CALLS]time[ARGS]{"a": {"b": "}"}}"#,
        "",
        "",
        &[("time", r#"{"a": {"b": "}"}}"#)],
    );
    check(
        &MISTRAL,
        r#"[TOOL_CALLS]time[ARGS]rien du tout"#,
        "du tout",
        "",
        &[("time", "rien")],
    );
}

#[test]
fn apertus_calls() {
    let call = ("weather", r#"{"city": "Zürich"}"#);
    let one = r#"<|tools_prefix|>[{"weather": {"city": "Zürich"}}]<|tools_suffix|>"#;
    check(&APERTUS, one, "", "", &[call]);
    check(&APERTUS, &format!("Moment. {one}"), "Moment.", "", &[call]);
    check(&APERTUS, &format!("{one}{one}"), "", "", &[call, call]);
    check(
        &APERTUS,
        r#"<|tools_prefix|>[{"weather": {"city": "Zürich"}}, {"time": {}}]<|tools_suffix|>"#,
        "",
        "",
        &[call, ("time", "{}")],
    );
    check(
        &APERTUS,
        r#"<|tools_prefix|>[{"time": {"a": "#,
        "",
        "",
        &[("time", r#"{"a": "#)],
    );
    check(
        &APERTUS,
        &format!("<|inner_prefix|>Hm.<|inner_suffix|>{one}"),
        "",
        "Hm.",
        &[call],
    );
    check(
        &APERTUS,
        "<|inner_prefix|>Hm.<|inner_suffix|>\nJa.",
        "Ja.",
        "Hm.",
        &[],
    );
    check(
        &APERTUS,
        r#"<|tools_prefix|>{"time": {"a": [1, {"b": 2}]}}<|tools_suffix|>"#,
        "",
        "",
        &[("time", r#"{"a": [1, {"b": 2}]}"#)],
    );
    check(
        &APERTUS,
        "<|tools_prefix|>nichts<|tools_suffix|>",
        "nichts",
        "",
        &[],
    );
    check(
        &APERTUS,
        r#"<|tools_prefix|>[{"time": {}}<|tools_suffix|>"#,
        "",
        "",
        &[("time", "{}")],
    );
    check(&APERTUS, &format!("{one}\nFertig."), "Fertig.", "", &[call]);
    check(
        &APERTUS,
        "Ein [Text] mit {Klammern}.\n",
        "Ein [Text] mit {Klammern}.\n",
        "",
        &[],
    );
    check(
        &APERTUS,
        r#"<|tools_prefix|>[{"time": null}]<|tools_suffix|>"#,
        "",
        "",
        &[("time", "{}")],
    );
}

#[test]
fn harmony_s_channels() {
    let call = r#"<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{"city": "Köln"}<|call|>"#;
    let expected = ("weather", r#"{"city": "Köln"}"#);
    check(&GPT_OSS, call, "", "", &[expected]);
    check(
        &GPT_OSS,
        &format!("<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant{call}"),
        "",
        "Hm.",
        &[expected],
    );
    check(
        &GPT_OSS,
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Ja.<|return|>",
        "Ja.",
        "Hm.",
        &[],
    );
    check(&GPT_OSS, "<|channel|>final<|message|>Ja.", "Ja.", "", &[]);
    check(&GPT_OSS, "<|channel|>analysis<|message|>Hm", "", "Hm", &[]);
    check(&GPT_OSS, "<|channel|>ana", "", "", &[]);
    check(
        &GPT_OSS,
        &format!(
            "<|channel|>commentary<|message|>First the weather.<|end|><|start|>assistant{call}"
        ),
        "First the weather.",
        "",
        &[expected],
    );
    check(
        &GPT_OSS,
        &format!("{call}<|start|>assistant{call}"),
        "",
        "",
        &[expected, expected],
    );
    check(
        &GPT_OSS,
        r#" to=functions.time<|channel|>commentary json<|message|>{}<|call|>"#,
        "",
        "",
        &[("time", "{}")],
    );
    check(
        &GPT_OSS,
        r#"<|channel|>commentary to=functions.time<|message|>{"a"#,
        "",
        "",
        &[("time", r#"{"a"#)],
    );
    check(&GPT_OSS, "Ohne Kopf.", "Ohne Kopf.", "", &[]);
    check(
        &GPT_OSS,
        "<|channel|>final<|message|>a < b, to=functions.x",
        "a < b, to=functions.x",
        "",
        &[],
    );
    check(
        &GPT_OSS,
        "<|channel|>analysis to=browser.search code<|message|>{\"q\": 1}<|call|>",
        "",
        "",
        &[("browser.search", "{\"q\": 1}")],
    );
}

#[test]
fn gemma_s_calls() {
    let one = "<start_function_call>call:weather{city:<escape>Köln, Altstadt}<escape>,days:3,detail:{wind:true,at:[1,2.5,<escape>x<escape>]}}<end_function_call>";
    let call = (
        "weather",
        r#"{"city":"Köln, Altstadt}","days":3,"detail":{"wind":true,"at":[1,2.5,"x"]}}"#,
    );
    check(&GEMMA, one, "", "", &[call]);
    check(&GEMMA, &format!("{one}{one}"), "", "", &[call, call]);
    check(&GEMMA, &format!("Gut. {one}"), "Gut.", "", &[call]);
    check(
        &GEMMA,
        "<start_function_call>call:time{}<end_function_call>",
        "",
        "",
        &[("time", "{}")],
    );
    check(
        &GEMMA,
        "<start_function_call>call:time{a:null,b:<escape><escape>}<end_function_call>",
        "",
        "",
        &[("time", r#"{"a":null,"b":""}"#)],
    );
    check(
        &GEMMA,
        "<start_function_call>nothing<end_function_call>",
        "nothing",
        "",
        &[],
    );
    check(
        &GEMMA,
        "<start_function_call>call:time{a:<escape>b",
        "call:time{a:b",
        "",
        &[],
    );
    check(
        &GEMMA,
        "{\"name\": \"time\"}",
        "{\"name\": \"time\"}",
        "",
        &[],
    );
}

#[test]
fn a_family_without_a_form_of_its_own_takes_json() {
    let call = ("weather", r#"{"city": "Köln"}"#);
    check(
        &NONE,
        r#"{"name": "weather", "arguments": {"city": "Köln"}}"#,
        "",
        "",
        &[call],
    );
    check(
        &NONE,
        r#"<tool_call>{"name": "weather", "arguments": {"city": "Köln"}}</tool_call>"#,
        "",
        "",
        &[call],
    );
    check(&NONE, r#"{"name": "Anna"}"#, r#"{"name": "Anna"}"#, "", &[]);
    check(&NONE, "Bonjour <tool", "Bonjour <tool", "", &[]);
}
