//! `show --layout`: drawings, against tests/golden, and what must hold for any file.

use super::*;

fn draw<'d>(dir: &'d Dir, args: &[&str], columns: &str) -> Run<'d> {
    let words: Vec<&str> = ["show", "--layout"].iter().chain(args).copied().collect();
    dir.cmd(ELFGRAFT, &words).env("COLUMNS", columns).run()
}

#[test]
fn one_file_to_scale() {
    for file in ["demo-signed.ko", "hello"] {
        let dir = Dir::with(&[file]);
        golden(&format!("layout-{file}"), &draw(&dir, &[file], "100").ok().text());
    }
}

#[test]
fn what_an_edit_moved() {
    let dir = Dir::with(&["demo.ko"]);
    dir.write("blob", [7; 3000]);
    dir.elfgraft(&["set", "-o", "after.ko", ".note.new=blob", "demo.ko"]).quiet();
    let run = draw(&dir, &["demo.ko", "after.ko"], "100").ok();
    golden("layout-set", &run.text());
    assert!(run.text().contains("1 new"));
    let same = draw(&dir, &["demo.ko", "demo.ko"], "100").ok().text();
    let changed = same.lines().skip(4).find(|line| !line.ends_with(" ="));
    assert_eq!(changed, None);
}

#[test]
fn it_fits_the_terminal() {
    let dir = Dir::with(&["demo.ko", "vmlinux-relocs"]);
    for columns in ["60", "80", "132", "250"] {
        for args in [&["demo.ko"][..], &["demo.ko", "vmlinux-relocs"]] {
            let text = draw(&dir, args, columns).ok().text();
            let width: usize = columns.parse().unwrap();
            let headings = if args.len() == 2 { 3 } else { 1 };
            for line in text.lines().skip(headings) {
                assert!(line.is_ascii() && line.len() <= width.max(84), "{columns}: {line}");
            }
        }
    }
    let unicode = dir.cmd(ELFGRAFT, &["show", "--layout", "demo.ko"]).env("LC_ALL", "C.UTF-8").run().ok().text();
    assert!(unicode.contains('█') && !unicode.contains('\x1b'));
}

#[test]
fn many_sections_are_few_lines() {
    let dir = Dir::new();
    dir.write("many.o", g1_many_sections(Format::X86_64, 70_000));
    let text = draw(&dir, &["many.o"], "100").ok().text();
    assert!(text.lines().count() < 130, "{}", text.lines().count());
    assert!(text.contains(" sections"), "{text}");
    dir.elfgraft(&["remove", "-o", "less.o", ".none", "many.o"]).ok();
    let text = draw(&dir, &["many.o", "less.o"], "100").ok().text();
    assert!(text.lines().count() < 130, "{}", text.lines().count());
    draw(&dir, &["--svg", "many.svg", "many.o", "less.o"], "100").quiet();
    assert!(dir.read("many.svg").len() < 200_000);
}

/// Names from files are bytes of strangers.
#[test]
fn names_end_no_element_and_move_no_cursor() {
    let dir = Dir::with(&["demo.ko"]);
    let name = "</text><script>\u{1b}[2J\u{7}\"'&é";
    dir.write("blob", "x");
    dir.elfgraft(&["objcopy", "--add-section", &format!("{name}=blob"), "demo.ko", "odd.ko"]).quiet();
    dir.write("<a>\u{1b}&.ko", dir.read("odd.ko"));
    let text = draw(&dir, &["<a>\u{1b}&.ko"], "100").ok().text();
    assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
    draw(&dir, &["--svg", "odd.svg", "<a>\u{1b}&.ko"], "100").quiet();
    let svg = String::from_utf8(dir.read("odd.svg")).unwrap();
    assert!(!svg.contains("<script") && !svg.contains('\u{1b}'));
    assert!(svg.contains("&lt;/text&gt;&lt;script&gt;"));
}

#[test]
fn a_picture_is_xml_and_whole() {
    let dir = Dir::with(&["demo.ko", "vmlinux-relocs", "hello"]);
    for args in [&["demo.ko"][..], &["hello"], &["vmlinux-relocs"], &["demo.ko", "hello"]] {
        let words: Vec<&str> = ["--svg", "-"].iter().chain(args).copied().collect();
        let svg = draw(&dir, &words, "100").ok().text();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        for element in ["svg", "text", "rect", "title"] {
            let (opened, closed) = (format!("<{element}"), format!("</{element}>"));
            let alone =
                svg.split(&opened).skip(1).filter(|rest| rest.split('>').next().unwrap().ends_with('/')).count();
            assert_eq!(svg.matches(&opened).count() - alone, svg.matches(&closed).count(), "{element}");
        }
        assert!(!svg.contains("\"NaN") && !svg.contains("\"inf"), "{args:?}");
        dir.write("x.svg", &svg);
        if installed("xmllint") {
            dir.cmd("xmllint", &["--noout", "x.svg"]).run().quiet();
        }
    }
}

#[test]
fn what_it_does_not_take() {
    let dir = Dir::with(&["demo.ko", "vmlinux"]);
    draw(&dir, &["demo.ko", "demo.ko", "demo.ko"], "80").fails(&["--layout", "3"]);
    draw(&dir, &["none"], "80").fails(&["'none'"]);
    dir.elfgraft(&["show", "--svg", "x.svg", "demo.ko"]).fails(&["--layout"]);
    draw(&dir, &["--svg", "no/x.svg", "demo.ko"], "80").fails(&["'no/x.svg'"]);
    // The name of the picture is forgotten.
    let demo = dir.read("demo.ko");
    draw(&dir, &["--svg", "demo.ko", "vmlinux"], "80").fails(&["'demo.ko'", "ELF file", "--svg"]);
    assert!(dir.read("demo.ko") == demo);
    assert_eq!(dir.names(), ["demo.ko", "vmlinux"]);
}

// It was written over: the module was a picture then.
#[test]
fn no_output_is_a_file_that_is_read() {
    let dir = Dir::with(&["demo.ko", "vmlinux", "demo.btf", "demo-small.btf"]);
    dir.write("modules.order", "demo.o\n");
    fs::hard_link(dir.path("demo.ko"), dir.path("link.ko")).unwrap();
    for (out, args) in [
        ("demo.ko", &["show", "--layout", "--svg", "demo.ko", "demo.ko"][..]),
        ("link.ko", &["show", "--layout", "--svg", "link.ko", "vmlinux", "demo.ko"]),
        ("vmlinux", &["module-hashes", "build", "--root", "vmlinux", "--like", "vmlinux"]),
        ("modules.order", &["module-hashes", "build", "--root", "modules.order", "--like", "vmlinux"]),
        ("vmlinux", &["btf", "object", "--like", "vmlinux", "--btf", "demo.btf", "-o", "vmlinux"]),
        ("demo.btf", &["btf", "object", "--like", "vmlinux", "--btf", "demo.btf", "-o", "demo.btf"]),
    ] {
        let old = dir.read(out);
        dir.elfgraft(args).fails(&[&format!("'{out}'"), "it is a file that is read"]);
        same(&dir.read(out), &old, &format!("{args:?}"));
    }
}
