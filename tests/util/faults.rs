//! Full disks, failing system calls and kills.

use super::{Cmd, Dir, ELFGRAFT, Run, installed, is_root, same};

/// Whether file systems can be mounted for one command; says so when a test is skipped for want of it.
pub fn can_mount() -> bool {
    let dir = Dir::new();
    let mounted = is_root() && installed("unshare") && {
        let test = dir.cmd("mount", &["-t", "tmpfs", "none", "."]).through(&["unshare", "--mount"]).run();
        test.code() == Some(0)
    };
    if !mounted {
        eprintln!("skipped: file systems cannot be mounted here");
    }
    mounted
}

/// Runs `args` in a new tmpfs of `size`, which holds `file` and a file of `fill` kB; copies what is there then to `out/`.
pub fn on_tmpfs<'d>(dir: &'d Dir, size: &str, fill: u32, file: &str, program: &str, args: &[&str]) -> Run<'d> {
    let script = format!(
        "mkdir -p disk && rm -rf out && mount -t tmpfs -o size={size} none disk && cp -p {file} disk/\n\
         if [ {fill} != 0 ]; then head -c {fill}k /dev/zero >disk/fill; fi\n\
         status=0; (cd disk && \"$@\") || status=$?\n\
         rm -f disk/fill; cp -a disk out; exit $status"
    );
    dir.cmd(program, args).through(&["unshare", "--mount", "sh", "-ec", &script, "sh"]).run()
}

/// Whether `make torture` runs this: all cases, where `make test` tries a sample.
pub fn torture() -> bool {
    std::env::var_os("ELFGRAFT_TORTURE").is_some()
}

/// System calls by which a file or a directory can change, or that lead there.
pub const CALLS: [&str; 18] = [
    "open",
    "openat",
    "write",
    "pwrite64",
    "copy_file_range",
    "ioctl",
    "fallocate",
    "ftruncate",
    "fchmod",
    "fchown",
    "fremovexattr",
    "utimensat",
    "flock",
    "link",
    "linkat",
    "rename",
    "unlink",
    "unlinkat",
];

/// Runs `elfgraft ARGS`, the `nth` system call `call` meeting with `fault` (`signal=SIGKILL`, `error=EIO`).
pub fn inject<'d>(dir: &'d Dir, call: &str, fault: &str, nth: u32, args: &[&str]) -> Run<'d> {
    let fault = format!("inject={call}:{fault}:when={nth}");
    strace(dir.cmd(ELFGRAFT, args), &["-e", &format!("trace={call}"), "-e", &fault]).run()
}

/// A command under strace, which tells nobody what it sees.
pub fn strace<'d>(cmd: Cmd<'d>, options: &[&str]) -> Cmd<'d> {
    cmd.through(&[&["strace", "-f", "-qq", "-o", "/dev/null"], options].concat())
}

/// Kills `elfgraft ARGS` before every system call in turn that could change a file. `file` is then the old one or the
/// new one, at the latest when the next elfgraft command has opened it, and nothing else is left behind.
/// Gives the number of kills.
pub fn kill_everywhere(dir: &Dir, file: &str, old: &[u8], new: &[u8], args: &[&str]) -> u32 {
    dir.write(file, old);
    let names = dir.names();
    let mut kills = 0;
    for call in CALLS {
        for nth in 1.. {
            dir.write(file, old);
            let run = inject(dir, call, "signal=SIGKILL", nth, args);
            let at = format!("{args:?} killed before {call} {nth}");
            if run.killed_by(9) {
                kills += 1;
            } else {
                run.check(run.code() == Some(0), &format!("{at}: success without a kill"));
                same(&dir.read(file), new, "after a run that was not killed");
                break;
            }
            dir.elfgraft(&["show", file]).ok();
            let found = dir.read(file);
            if found != old {
                same(&found, new, &format!("{at}: neither old nor"));
            }
            // Only between getting a name and taking the other's may the new file be left under the first.
            let unfinished = format!(".{file}.elfgraft-new");
            for name in dir.names().iter().filter(|name| **name == unfinished) {
                same(&dir.read(name), new, &format!("{at}: {name}"));
            }
            dir.elfgraft(args).ok();
            same(&dir.read(file), new, &format!("{at}, run again"));
            assert_eq!(dir.names(), names, "{at}");
        }
    }
    kills
}

/// Lets every system call in turn fail that could change a file. Then the file is the new one and the exit status 0, or
/// it is the old one, or said to be the new one, and a message names it; nothing else is left. Gives the number of runs
/// that failed.
pub fn fail_everywhere(dir: &Dir, file: &str, old: &[u8], new: &[u8], errno: &str, args: &[&str]) -> u32 {
    dir.write(file, old);
    let names = dir.names();
    let mut failures = 0;
    for call in CALLS {
        // A run that goes another way around an error makes other calls; so count them without errors.
        for nth in 1..=count(dir, call, file, old, args) {
            dir.write(file, old);
            let run = inject(dir, call, &format!("error={errno}"), nth, args);
            let at = format!("{args:?}, {errno} from {call} {nth}");
            match run.code() {
                Some(0) => same(&dir.read(file), new, &at),
                _ => {
                    failures += 1;
                    let text = run.stderr();
                    // The dynamic linker has its own words.
                    if run.code() != Some(127) {
                        run.check(names.iter().any(|name| text.contains(name)), "a message that names a file");
                        run.fails(&[]);
                    }
                    // An undo file that cannot be removed does no harm: the next command sees that it is not needed.
                    // And the last of all is to sync the directory.
                    let done = ["the edit is complete", "its directory cannot be synced"]
                        .iter()
                        .any(|words| text.contains(words));
                    same(&dir.read(file), if done { new } else { old }, &at);
                    if done {
                        dir.elfgraft(&["show", file]).ok();
                        same(&dir.read(file), new, &at);
                    }
                }
            }
            assert_eq!(dir.names(), names, "{at}");
        }
    }
    failures
}

fn count(dir: &Dir, call: &str, file: &str, old: &[u8], args: &[&str]) -> u32 {
    dir.write(file, old);
    let log = dir.root().with_extension("strace");
    let options = ["-e", &format!("trace={call}"), "-o", log.to_str().unwrap()];
    strace(dir.cmd(ELFGRAFT, args), &options).run().ok();
    let lines = std::fs::read_to_string(&log).unwrap().lines().count();
    std::fs::remove_file(log).unwrap();
    u32::try_from(lines).unwrap()
}
