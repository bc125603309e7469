//! Each kind of mistake, and what is told about it.

use super::*;

/// Lines, keys and texts of what is wrong; nothing secret is ever among them.
fn told(text: &str) -> Vec<String> {
    told_in(Path::new("/nowhere"), text)
}

fn told_in(folder: &Path, text: &str) -> Vec<String> {
    let Err(problems) = resolve_in(folder, text, &registry()) else { return Vec::new() };
    let shown = problems.to_string();
    assert!(!shown.contains("canary"), "{shown}");
    shown.lines().map(str::to_owned).collect()
}

/// The file is wrong in exactly one way, at this place, and the text says this.
#[track_caller]
fn assert_told(text: &str, place: &str, words: &str) {
    let told = told(text);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].starts_with(&format!("hub.toml:{place}: ")), "{}", told[0]);
    assert!(told[0].contains(words), "{}", told[0]);
}

#[test]
fn a_typo_in_a_key_is_told_with_what_was_meant() {
    assert_told(
        "[public]\nthreads = 1\n[admin]\nlisen = \"x\"\n",
        "4: admin.lisen",
        "did you mean `listen`?",
    );
    assert_told("\n[publik]\n", "2: publik", "did you mean `public`?");
    assert_told("[shutdown]\nbananas = 1", "2: shutdown.bananas", "known are grace, lame_duck");
    let nested = format!("{ECHO}timeouts = {{ idel = \"1s\" }}");
    assert_told(&nested, "3: provider[0].timeouts.idel", "did you mean `idle`?");
}

#[test]
fn a_value_of_the_wrong_kind_is_told_with_the_right_one() {
    for (text, place, words) in [
        ("[timeouts]\nidle = 30", "2: timeouts.idle", "expected a string, found a whole number"),
        (
            "[public]\nthreads = 1.5",
            "2: public.threads",
            "expected a whole number, found a number with a fraction",
        ),
        ("[public]\nthreads = 70000", "2: public.threads", "from 0 to 65535"),
        ("[public]\nthreads = -1", "2: public.threads", "from 0 to 65535"),
        ("[ledger]\nstrict = \"yes\"", "2: ledger.strict", "expected true or false, found a string"),
        ("[ledger]\nunpriced = \"flagg\"", "2: ledger.unpriced", "is none of refuse, flag"),
        ("[security]\nallow = \"10.0.0.0/8\"", "2: security.allow", "expected a list"),
        ("[security]\nallow = [1]", "2: security.allow[0]", "expected a string"),
        ("public = 3", "1: public", "expected a table"),
        ("[security]\npepper = \"canary\"", "2: security.pepper", "such as { env = \"NAME\" }"),
    ] {
        assert_told(text, place, words);
    }
}

#[test]
fn a_value_that_means_nothing_is_told() {
    for (text, place, words) in [
        ("[timeouts]\nidle = \"30\"", "2: timeouts.idle", "is no time"),
        ("[timeouts]\nidle = \"0s\"", "2: timeouts.idle", "longer than 0s"),
        ("[bounds]\nmax_body = \"50\"", "2: bounds.max_body", "is no size"),
        ("[bounds]\nmax_body = \"0 MB\"", "2: bounds.max_body", "more than 0"),
        ("[bounds]\nmax_buffered = \"1 MB\"", "2: bounds.max_buffered", "at least max_body"),
        ("[retry]\nmax_attempts = 0", "2: retry.max_attempts", "at least 1"),
        ("[admin]\nlisten = \"localhost\"", "2: admin.listen", "no address to listen on"),
        ("[admin]\nlisten = \"127.0.0.1:8080\"", "2: admin.listen", "taken by the public listener"),
        ("[public]\nlisten = []", "1: public.listen", "nobody could call"),
        ("[security]\ndeny = [\"10.0.0.0/8\", \"x\"]", "2: security.deny[1]", ""),
        ("[security]\npepper = { env = \"SHORT\" }", "2: security.pepper", "shorter than 32"),
        ("[data]\ndir = \"\"", "2: data.dir", "names no folder"),
    ] {
        assert_told(text, place, words);
    }
}

#[test]
fn a_mistake_in_a_provider_is_told() {
    for (text, place, words) in [
        ("vendor = \"opanai\"", "2: provider[0].vendor", "did you mean openai?"),
        ("name = \"x\"", "1: provider[0].vendor", "is missing"),
        ("vendor = \"openai\"", "1: provider[0].credentials", "OPENAI_API_KEY is not set"),
        ("vendor = \"openai\"\ncredentials = []", "1: provider[0].credentials", "is empty"),
        ("vendor = \"openai-compatible\"", "1: provider[0].base_url", "has no default"),
        ("vendor = \"simulator\"\nname = \"a b\"", "3: provider[0].name", "letters, digits"),
        ("vendor = \"simulator\"\nbase_url = \"h/v1\"", "3: provider[0].base_url", "is no URL"),
        (
            "vendor = \"simulator\"\nbase_url = \"https://u:canary@h\"",
            "3: provider[0].base_url",
            "user or password",
        ),
        ("vendor = \"simulator\"\nstrategy = \"fastest\"", "3: provider[0].strategy", "round_robin, latency"),
        ("vendor = \"simulator\"\nca_file = \"none.crt\"", "3: provider[0].ca_file", "cannot be read"),
        (
            "vendor = \"simulator\"\nconnect_proxy = \"https://p/x\"",
            "3: provider[0].connect_proxy",
            "http://host:port",
        ),
        (
            "vendor = \"simulator\"\nheaders = { Host = \"x\" }",
            "3: provider[0].headers.Host",
            "the hub sets itself",
        ),
        (
            "vendor = \"simulator\"\nheaders = { \"a b\" = \"x\" }",
            "3: provider[0].headers.a b",
            "no name of a header",
        ),
        (
            "vendor = \"simulator\"\nheaders = { api-key = \"canary\" }",
            "3: provider[0].headers.api-key",
            "looks like a secret",
        ),
    ] {
        assert_told(&format!("[[provider]]\n{text}\n"), place, words);
    }
}

#[test]
fn a_mistake_in_a_credential_is_told_and_no_secret_with_it() {
    for (credentials, place, words) in [
        ("{ value = \"sk-canary\" }", "3: provider[0].credentials[0].value", "never written in the file"),
        ("{ api_key = \"sk-canary\" }", "3: provider[0].credentials[0].api_key", "never written in the file"),
        ("{ env = \"NOT_THERE\" }", "3: provider[0].credentials[0]", "NOT_THERE is not set"),
        ("{ env = \"A\", file = \"b\" }", "3: provider[0].credentials[0]", "both env and file"),
        ("{ weight = 2 }", "3: provider[0].credentials[0]", "names no secret"),
        ("{ file = \"none\" }", "3: provider[0].credentials[0]", "\"none\" cannot be read"),
        ("{ env = \"SHORT\", weight = 0 }", "3: provider[0].credentials[0].weight", "must be from 1"),
        ("{ env = \"SHORT\", name = \"a/b\" }", "3: provider[0].credentials[0].name", "may have letters"),
        (
            "{ env = \"SHORT\" }, { env = \"SHORT\" }",
            "3: provider[0].credentials[1].name",
            "two credentials named default",
        ),
    ] {
        let text = format!("[[provider]]\nvendor = \"openai\"\ncredentials = [{credentials}]");
        let told = told(&text);
        let found = told.iter().any(|t| t.starts_with(&format!("hub.toml:{place}: ")) && t.contains(words));
        assert!(found, "{credentials}: {told:#?}");
    }
}

#[test]
fn a_mistake_in_a_model_is_told() {
    for (model, place, words) in [
        ("targets = [\"simulator/a\"]", "3: model[0].name", "is missing"),
        ("name = \"a b\"\ntargets = [\"simulator/a\"]", "4: model[0].name", "model must be"),
        ("name = \"m\"", "3: model[0].targets", "is missing"),
        ("name = \"m\"\ntargets = []", "3: model[0].targets", "names no target"),
        ("name = \"m\"\ntargets = [\"simulatr/a\"]", "5: model[0].targets[0]", "did you mean simulator?"),
        ("name = \"m\"\ntargets = [\"nobody/a\"]", "5: model[0].targets[0]", "declare it"),
        ("name = \"m\"\ntargets = [\"gpt-5\"]", "5: model[0].targets[0]", "is no target"),
        (
            "name = \"m\"\ntargets = [{ model = \"simulator/a\", weight = 0 }]",
            "3: model[0].targets",
            "all have weight 0",
        ),
        ("name = \"m\"\ntargets = [{ weight = 1 }]", "5: model[0].targets[0].model", "is missing"),
        (
            "name = \"m\"\ntargets = [\"simulator/a\"]\nfallback = [\"x/y\"]",
            "6: model[0].fallback[0]",
            "no provider x",
        ),
        (
            "name = \"m\"\ntargets = [\"simulator/a\"]\n[[model]]\nname = \"m\"\ntargets = [\"simulator/a\"]",
            "6: model[1].name",
            "already the name",
        ),
    ] {
        assert_told(&format!("{ECHO}[[model]]\n{model}\n"), place, words);
    }
}

#[test]
fn a_model_that_its_provider_does_not_list_is_no_target() {
    let text = format!("{ECHO}models = [\"a\"]\n[[model]]\nname = \"m\"\ntargets = [\"simulator/b\"]");
    assert_told(&text, "6: model[0].targets[0]", "not among the models");
}

#[test]
fn two_rules_of_one_name_are_told_with_both_places() {
    let folder = tempfile::tempdir().unwrap();
    let rule = "[[rule]]\nname = \"night\"\nwhen = \"true\"\nthen = { stop = true }\n";
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("a.toml"), rule).unwrap();
    std::fs::write(path("b.toml"), format!("\n{rule}")).unwrap();
    let told = told_in(folder.path(), "[rules]\nfiles = [\"a.toml\", \"b.toml\"]");
    assert_eq!(told.len(), 1, "{told:#?}");
    for place in [format!("{}:2", path("b.toml").display()), format!("{}:1", path("a.toml").display())] {
        assert!(told[0].contains(&place), "{place}: {}", told[0]);
    }
}

#[test]
fn a_mistake_in_a_key_is_told() {
    const SECRET: &str = "secret = { env = \"TEAM_A_KEY\" }";
    for (key, place, words) in [
        (SECRET.to_owned(), "1: key[0].id", "is missing"),
        ("id = \"a\"".into(), "1: key[0].secret", "is missing"),
        (
            "id = \"a\"\nsecret = \"aigne_canary\"".into(),
            "3: key[0].secret",
            "expected a table such as { env",
        ),
        ("id = \"a\"\nsecret = { env = \"SHORT\" }".into(), "1: key[0].secret", "shorter than 16"),
        (format!("id = \"a b\"\n{SECRET}"), "2: key[0].id", "key id must be"),
        (format!("id = \"a\"\n{SECRET}\ntenant = \"\""), "4: key[0].tenant", "tenant must be"),
        (format!("id = \"a\"\n{SECRET}\nexpires_at = \"soon\""), "4: key[0].expires_at", "no point in time"),
        (format!("id = \"a\"\n{SECRET}\nday_cost = 12.5"), "4: key[0].day_cost", "expected a string"),
        (format!("id = \"a\"\n{SECRET}\nday_cost = \"-1\""), "4: key[0].day_cost", "negative"),
        (format!("id = \"a\"\n{SECRET}\nallow = [\"no\"]"), "4: key[0].allow[0]", ""),
        (
            format!("id = \"a\"\n{SECRET}\n[[key]]\nid = \"b\"\n{SECRET}"),
            "4: key[1].secret",
            "same as that of key a",
        ),
        (
            format!("id = \"a\"\n{SECRET}\n[[key]]\nid = \"a\"\nsecret = {{ env = \"TEAM_B_KEY\" }}"),
            "4: key[1].id",
            "already the id",
        ),
    ] {
        assert_told(&format!("[[key]]\n{key}\n"), place, words);
    }
}

#[test]
fn two_providers_of_one_name_are_told() {
    assert_told(&format!("{ECHO}{ECHO}"), "4: provider[1].vendor", "already the name of another provider");
}

#[test]
fn mistakes_of_every_kind_are_told_at_once_in_the_order_of_lines() {
    let told = told(
        "[public]\nlisten = [\"nowhere\"]\nthreds = 2\n[timeouts]\nidle = \"fast\"\ntotal = 5\n\
         [[provider]]\nvendor = \"simulator\"\nname = \"s\"\ncredentials = [{ env = \"NOT_THERE\" }]\n\
         [[model]]\nname = \"m\"\ntargets = [\"t/x\"]\n[[key]]\nid = \"k\"\nsecret = { file = \"none\" }\n",
    );
    let lines: Vec<&str> = told.iter().filter_map(|t| t.split(':').nth(1)).collect();
    assert_eq!(lines, ["2", "3", "5", "6", "10", "13", "16"], "{told:#?}");
}

#[test]
fn a_file_that_is_no_toml_is_told_with_its_lines() {
    let told = told("[public\nlisten = [\"127.0.0.1:1\"]\n[admin]\nlisten = = 3\n");
    assert!(told.iter().any(|t| t.starts_with("hub.toml:1: ")), "{told:#?}");
    assert!(told.iter().any(|t| t.starts_with("hub.toml:4: ")), "{told:#?}");
}

#[test]
fn a_key_written_twice_is_told() {
    let told = told("[admin]\nlisten = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"\n");
    assert!(told.iter().any(|t| t.starts_with("hub.toml:3: ")), "{told:#?}");
}

#[test]
fn what_is_wrong_in_other_files_is_told_too() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.toml"), "wrong").unwrap();
    let told = told_in(folder.path(), "[prices]\nfiles = [\"bad.toml\", \"*.none\", \"missing.toml\"]");
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].starts_with("hub.toml:2: prices.files[2]: "), "{}", told[0]);
    assert!(told[1].ends_with("bad.toml:1: no price"), "{}", told[1]);
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let environment = environment();
    let registry = registry();
    let inputs = Inputs {
        environment: &environment,
        registry: &registry,
        extra: &Extra::default(),
        pepper: &[7; 32],
        prices: &[],
        read_prices: |_, _| Ok(Vec::new()),
    };
    let folder = tempfile::tempdir().unwrap();
    let Err(problems) = load(Some(&folder.path().join("none.toml")), &inputs) else { panic!("was read") };
    assert!(problems.to_string().contains("none.toml: cannot be read"), "{problems}");
}

#[test]
fn an_origin_is_written_as_browsers_write_it() {
    for wrong in [
        "app.example.com",
        "https://app.example.com/",
        "https://app.example.com:443",
        "http://app.example.com:80",
        "https://App.example.com",
        "https://me@app.example.com",
        "https://",
        "",
    ] {
        let file = format!("[cors]\norigins = [\"https://good.example\", \"{wrong}\"]\n{ECHO}");
        assert_told(&file, "2: cors.origins[1]", "an origin as browsers write it");
    }
    for right in ["*", "https://app.example.com:8443", "http://127.0.0.1:3000", "http://[::1]:80a"] {
        let file = format!("[cors]\norigins = [\"{right}\"]\n{ECHO}");
        assert_eq!(told(&file).is_empty(), !right.ends_with('a'), "{right}");
    }
}
