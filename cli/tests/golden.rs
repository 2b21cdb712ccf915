//! What people see, word by word. `TRYCMD=overwrite cargo test --release -p cardinal-cli --test golden` renews it.

#[test]
fn people_see_this() {
    trycmd::TestCases::new().env("NO_COLOR", "1").case("tests/golden/*.trycmd").run();
}
