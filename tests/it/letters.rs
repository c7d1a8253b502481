//! Letters.
#[test]
fn preview() {
    let n = seqpulse_mailer::preview::run(&[], std::path::Path::new("/tmp/prev")).unwrap();
    println!("{n}");
}
