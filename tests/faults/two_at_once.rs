//! Others who read or write the file meanwhile.

use super::*;

/// Each of two processes gets its way or an error; never is the file a mix of both.
#[test]
fn two_edits_of_one_file_never_mix() {
    for options in [&["set"][..], &["set", "--in-place"]] {
        let (dir, old, _) = demo(&SET);
        dir.write("other", vec![9; 164]);
        let mut results = Vec::new();
        for blob in ["ids", "other"] {
            let content = format!(".BTF_ids={blob}");
            dir.write("demo.ko", &old);
            dir.elfgraft(&[options, &[&content, "demo.ko"]].concat()).quiet();
            results.push(dir.read("demo.ko"));
        }
        for _ in 0..40 {
            dir.write("demo.ko", &old);
            let edits = ["ids", "other"].map(|blob| {
                let content = format!(".BTF_ids={blob}");
                dir.cmd(ELFGRAFT, &[options, &[&content, "demo.ko"]].concat()).spawn()
            });
            let outputs = edits.map(|child| child.wait_with_output().unwrap());
            for output in &outputs {
                let text = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success() || text.contains("changed while it was read"), "{text}");
            }
            assert!(outputs.iter().any(|o| o.status.success()), "none of them");
            let found = dir.read("demo.ko");
            assert!(results.contains(&found), "{options:?}: a mix");
            assert_eq!(dir.names(), ["demo.btf", "demo.ko", "ids", "other"]);
        }
    }
}

#[test]
fn readers_see_the_old_or_the_new_file() {
    let (dir, old, new) = demo(&SET);
    let path = dir.path("demo.ko");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = [0, 0];
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let found = fs::read(&path).unwrap();
                assert!(found == old || found == new, "neither old nor new");
                seen[usize::from(found == new)] += 1;
            }
            seen
        });
        for _ in 0..30 {
            dir.elfgraft(&SET).quiet();
            dir.elfgraft(&["remove", ".BTF", "demo.ko"]).quiet();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let seen = reader.join().unwrap();
        assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
    });
    same(&dir.read("demo.ko"), &old, "in the end");
}

#[test]
fn a_file_that_is_replaced_meanwhile_is_not_overwritten() {
    if !installed("strace") {
        return;
    }
    // Between reading the file and taking its name it waits; somebody else is quicker.
    let (dir, _, _) = demo(&SET);
    let slow = ["-e", "trace=flock", "-e", "inject=flock:delay_enter=1000000:when=1"];
    let child = strace(dir.cmd(ELFGRAFT, &SET), &slow).spawn();
    let has_opened_it = |pid: &str| {
        let mut files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        files.any(|fd| fs::read_link(fd.path()).is_ok_and(|path| path.ends_with("demo.ko")))
    };
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap_or_default();
        if children.split_whitespace().any(has_opened_it) {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut other = File::create(dir.path("mine")).unwrap();
    other.write_all(b"somebody else's").unwrap();
    fs::rename(dir.path("mine"), dir.path("demo.ko")).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && text.contains("'demo.ko': changed while it was read"), "{text}");
    assert_eq!(dir.read("demo.ko"), b"somebody else's");
    assert_eq!(dir.names(), ["demo.btf", "demo.ko", "ids"]);
}
