use super::*;

fn check(schema: &str, text: &str) -> Option<String> {
    let schema: Box<RawValue> = serde_json::from_str(schema).unwrap();
    violation(&schema, text)
}

const PERSON: &str = r##"{"type":"object","properties":{"name":{"type":"string","minLength":1},"age":{"type":"integer","minimum":0,"maximum":150},"tags":{"type":"array","items":{"enum":["a","b"]},"maxItems":2,"uniqueItems":true},"boss":{"$ref":"#"}},"required":["name"],"additionalProperties":false}"##;

/// Schema, answer, and what is wrong with it.
const CASES: [(&str, &str, Option<&str>); 34] = [
    (PERSON, r#"{"name":"x","age":3.0,"tags":["a","b"]}"#, None),
    (PERSON, r#"{"name":"x","boss":{"name":"y"}}"#, None),
    (PERSON, "not json", Some("it is not JSON")),
    (PERSON, r#"{"name":"x"} and words"#, Some("it is not JSON")),
    (PERSON, "[]", Some("$ must be of type object")),
    (PERSON, "{}", Some("$.name is missing")),
    (PERSON, r#"{"name":""}"#, Some("$.name must have at least 1 characters")),
    (PERSON, r#"{"name":"x","age":"3"}"#, Some("$.age must be of type integer")),
    (PERSON, r#"{"name":"x","age":1.5}"#, Some("$.age must be of type integer")),
    (PERSON, r#"{"name":"x","age":-1}"#, Some("$.age must be at least 0")),
    (PERSON, r#"{"name":"x","age":200}"#, Some("$.age must be at most 150")),
    (PERSON, r#"{"name":"x","more":1}"#, Some("$ has a field that is not allowed")),
    (
        PERSON,
        r#"{"name":"x","tags":["a","c"]}"#,
        Some("$.tags[1] must be one of the values that the schema lists"),
    ),
    (PERSON, r#"{"name":"x","tags":["a","a"]}"#, Some("$.tags must have no item twice")),
    (PERSON, r#"{"name":"x","tags":["a","b","a"]}"#, Some("$.tags must have at most 2 items")),
    (PERSON, r#"{"name":"x","boss":{}}"#, Some("$.boss.name is missing")),
    (r#"{"type":["string","null"]}"#, "null", None),
    (r#"{"type":["string","null"]}"#, "1", Some("$ must be of type string or null")),
    (r#"{"const":1}"#, "1.0", None),
    (r#"{"exclusiveMinimum":0}"#, "0", Some("$ must be above 0")),
    (r#"{"exclusiveMaximum":5}"#, "5", Some("$ must be below 5")),
    (r#"{"multipleOf":0.1}"#, "0.3", None),
    (r#"{"multipleOf":2}"#, "3", Some("$ must be a multiple of 2")),
    (r#"{"anyOf":[{"type":"string"},{"type":"number"}]}"#, "1", None),
    (
        r#"{"anyOf":[{"type":"string"},{"type":"number"}]}"#,
        "{}",
        Some("$ has none of the forms it may have ($ must be of type string)"),
    ),
    (
        r#"{"oneOf":[{"type":"integer"},{"type":"number"}]}"#,
        "1",
        Some("$ must have one of the forms it may have, and has 2"),
    ),
    (r#"{"allOf":[{"minimum":1},{"maximum":2}]}"#, "3", Some("$ must be at most 2")),
    (r#"{"not":{"type":"null"}}"#, "null", Some("$ has a form that it must not have")),
    (
        r#"{"if":{"required":["a"]},"then":{"required":["b"]},"else":{"required":["c"]}}"#,
        r#"{"a":1}"#,
        Some("$.b is missing"),
    ),
    (
        r##"{"$defs":{"n":{"type":"number"}},"type":"array","items":{"$ref":"#/$defs/n"}}"##,
        r#"[1,"x"]"#,
        Some("$[1] must be of type number"),
    ),
    (
        r#"{"prefixItems":[{"type":"string"}],"items":{"type":"number"}}"#,
        r#"["a",1,"b"]"#,
        Some("$[2] must be of type number"),
    ),
    (r#"{"contains":{"type":"null"}}"#, "[1]", Some("$ must hold an item of a certain form")),
    (r#"{"minProperties":1}"#, "{}", Some("$ must have at least 1 fields")),
    (r#"{"additionalProperties":{"type":"null"}}"#, r#"{"x":1}"#, Some("$.* must be of type null")),
];

#[test]
fn what_follows_and_what_does_not() {
    for (schema, text, want) in CASES {
        assert_eq!(check(schema, text).as_deref(), want, "{schema} {text}");
    }
}

#[test]
fn what_cannot_be_checked_is_not_held_against_an_answer() {
    assert_eq!(check(r#"{"pattern":"^a$","format":"date"}"#, r#""b""#), None);
    let patterned = r#"{"patternProperties":{"^x":{}},"additionalProperties":false}"#;
    assert_eq!(check(patterned, r#"{"y":1}"#), None);
    assert_eq!(check(r##"{"$ref":"https://example.org/s"}"##, "1"), None);
}

#[test]
fn what_cannot_be_checked_decides_nothing() {
    let addresses =
        r#"{"oneOf":[{"type":"string","format":"ipv4"},{"type":"string","format":"ipv6"}]}"#;
    for (schema, text, fits) in [
        (addresses, r#""::1""#, true),
        (addresses, "7", false),
        (r#"{"not":{"pattern":"^x"}}"#, r#""y""#, true),
        (r#"{"not":{"pattern":"^x"}}"#, "7", true),
        (r#"{"not":{"not":{"pattern":"^x"}}}"#, r#""y""#, true),
        (r#"{"if":{"format":"date"},"then":false,"else":false}"#, r#""y""#, true),
        (
            r#"{"oneOf":[{"type":"string"},{"pattern":"x"},{"type":["string","null"]}]}"#,
            r#""y""#,
            false,
        ),
    ] {
        assert_eq!(check(schema, text).is_none(), fits, "{schema} {text}");
    }
}

/// How many steps a check took.
fn steps(schema: &str, text: &str) -> usize {
    let (root, value): (Value, Value) =
        (serde_json::from_str(schema).unwrap(), serde_json::from_str(text).unwrap());
    let mut check = Check { root: &root, steps: MOST_STEPS, unsure: false };
    check.value(&root, &value, &Path::Root, DEEPEST).ok();
    MOST_STEPS - check.steps
}

#[test]
fn no_schema_makes_it_run_for_ever() {
    assert!(steps(PERSON, r#"{"name":"x","tags":["a","b"]}"#) < 20);
    let numbers: Vec<String> = (0..100_000).map(|n: u32| n.to_string()).collect();
    let numbers = numbers.join(",");
    let long = format!(
        r##"{{"$defs":{{"e":{{"enum":[{numbers}]}}}},"anyOf":[{}]}}"##,
        vec![r##"{"$ref":"#/$defs/e"}"##; 1000].join(",")
    );
    let endless = r##"{"anyOf":[{"$ref":"#"},{"$ref":"#"},{"$ref":"#"}],"type":"object"}"##;
    let all = r##"{"allOf":[{"$ref":"#"},{"$ref":"#"}]}"##;
    // Each of these would take thousands of millions.
    for (schema, text) in [(long.as_str(), "-1"), (endless, "{}"), (all, "1")] {
        assert_eq!(check(schema, text), None, "too long to say");
    }
    let unique = format!("[{numbers}]");
    assert_eq!(steps(r#"{"uniqueItems":true}"#, &unique), MOST_STEPS);
    assert_eq!(check(r#"{"uniqueItems":true}"#, &unique), None);
}
