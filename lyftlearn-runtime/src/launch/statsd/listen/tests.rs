use super::{Settings, rules};

#[test]
fn the_beginnings_of_names_are_the_settings() {
    let mut settings = Settings::default();
    settings.statsd.microseconds = vec!["go.".to_owned()];
    settings.statsd.cumulative = vec!["spark.".to_owned()];
    let rules = rules(&settings);
    assert_eq!(rules.microseconds, ["go."]);
    assert_eq!(rules.cumulative, ["spark."]);
}
