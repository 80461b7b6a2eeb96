use super::*;

fn variables(pairs: &[(&str, &str)]) -> Sources {
    let variables = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Sources {
        variables,
        ..Sources::default()
    }
}

fn refused(sources: &Sources) -> String {
    Settings::from_sources(sources).unwrap_err().to_string()
}

#[test]
fn the_default_file_names_every_setting_that_is_read_and_no_other() {
    let layers = Layers::stack(&Sources::default());
    let mut reader = Reader::new(&layers);
    Settings::read(&mut reader).unwrap();
    let in_file = settings_in_default_file()
        .iter()
        .map(|setting| setting.key)
        .collect();
    assert_eq!(reader.asked, in_file);
}

#[test]
fn every_setting_is_explained_in_the_default_file() {
    for setting in settings_in_default_file() {
        assert!(setting.help.len() > 20, "{} has no comment", setting.key);
    }
}

#[test]
fn the_defaults_are_the_numbers_of_the_protocol() {
    let settings = Settings::from_sources(&Sources::default()).unwrap();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.token_ttl_max, Millis::DAY.times(90));
    assert!(settings.warnings.is_empty());
    assert_eq!(settings.timings, Timings::DEFAULT);
}

#[test]
fn flags_beat_variables_beat_the_file_beat_the_defaults() {
    let mut sources = Sources {
        file: Some((
            "keywheel.toml".into(),
            "listen = \"127.0.0.1:1\"\nrotations_max = 3".to_owned(),
        )),
        ..variables(&[("KEYWHEEL_LISTEN", "127.0.0.1:2")])
    };
    let settings = Settings::from_sources(&sources).unwrap();
    assert_eq!((settings.listen.port(), settings.rotations_max), (2, 3));
    sources.flags.push(("listen", "127.0.0.1:3".to_owned()));
    assert_eq!(Settings::from_sources(&sources).unwrap().listen.port(), 3);
}

#[test]
fn all_faults_are_named_at_once_with_place_value_and_expectation() {
    let sources = Sources {
        file: Some((
            "etc/keywheel.toml".into(),
            "log_format = \"xml\"\nverify = 1\nlease = [1]".to_owned(),
        )),
        flags: vec![("listen", "nowhere".to_owned())],
        ..variables(&[("KEYWHEEL_CALL_TIMEOUT", "2x")])
    };
    let text = refused(&sources);
    for part in [
        "etc/keywheel.toml: log_format = \"xml\": expected text or json",
        "etc/keywheel.toml: verify: not a setting",
        "etc/keywheel.toml: lease: expected a text",
        "--listen = \"nowhere\": expected an address and a port",
        "KEYWHEEL_CALL_TIMEOUT = \"2x\": expected a length of time such as 500ms, 2s, 5m or 24h, from 1ms to 30s",
    ] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
}

#[test]
fn values_below_the_floors_need_unsafe_timings_which_warns() {
    let quick = [
        ("KEYWHEEL_VERIFY_SUCCESSES", "1"),
        ("KEYWHEEL_VERIFY_SPACING", "100ms"),
        ("KEYWHEEL_VERIFY_SETTLE", "100ms"),
        ("KEYWHEEL_VERIFY_DEADLINE", "5s"),
        ("KEYWHEEL_DAY_LENGTH", "60s"),
        ("KEYWHEEL_LATE_LANDING", "2s"),
        ("KEYWHEEL_LIST_GAP", "1s"),
        ("KEYWHEEL_LEASE", "10s"),
    ];
    let text = refused(&variables(&quick));
    for (name, value) in quick {
        assert!(
            text.contains(&format!("{name} = \"{value}\": expected at least")),
            "{name} is missing in:\n{text}"
        );
    }
    assert!(
        text.contains("at least 330000 ms; lower only with unsafe_timings"),
        "{text}"
    );

    let mut allowed = quick.to_vec();
    allowed.push(("KEYWHEEL_UNSAFE_TIMINGS", "true"));
    let settings = Settings::from_sources(&variables(&allowed)).unwrap();
    assert_eq!(settings.timings.day_length, Millis::from_secs(60));
    assert!(settings.warnings[0].contains("unsafe_timings is on"));
}

#[test]
fn the_root_key_and_the_database_address_are_never_shown() {
    let planted = "planted-secret-value";
    let sources = variables(&[
        ("KEYWHEEL_ROOT_KEY", planted),
        ("KEYWHEEL_DATABASE_URL", planted),
        ("KEYWHEEL_ROOT_KEY_FILE", "x"),
    ]);
    assert!(!refused(&sources).contains(planted));
    let settings = Settings::from_sources(&variables(&[("KEYWHEEL_ROOT_KEY", planted)])).unwrap();
    assert!(!format!("{settings:?}").contains(planted));
    assert!(
        !settings_in_default_file()
            .iter()
            .any(|s| s.key == "root_key" && s.has_flag)
    );
}

#[test]
fn variables_of_others_are_ignored_with_a_warning() {
    let settings = Settings::from_sources(&variables(&[("KEYWHEEL_SERVICE_HOST", "10.0.0.1")])).unwrap();
    assert!(settings.warnings[0].contains("KEYWHEEL_SERVICE_HOST"));
}
