//! Where the secrets of a destination are not: in command lines, and in environments that the
//! program's user can read.

use lyftlearn_conformance::canary::Canary;

use super::*;

const USER: u32 = 1000;

/// PID 1 and everything below it, by this machine's numbers.
fn processes(pid_one: i32) -> Vec<i32> {
    let mut all = vec![pid_one];
    let mut next = 0;
    while let Some(&pid) = all.get(next) {
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        all.extend(
            children
                .split_whitespace()
                .filter_map(|pid| pid.parse::<i32>().ok()),
        );
        next += 1;
    }
    all
}

/// `None` where the program's user may not read it.
fn read_as_user(path: &str) -> Option<Vec<u8>> {
    let id = USER.to_string();
    let mut reading = Command::new("setpriv");
    reading.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"]);
    let output = command::output(reading.args(["cat", path]));
    output.status.success().then_some(output.stdout)
}

/// Checks every process while the one with this word sends an event.
#[track_caller]
fn check(pid_one: i32, sender: &str, secrets: &[&Canary]) {
    let mut senders = 0;
    for pid in processes(pid_one) {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let file = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        senders += usize::from(words.any(|word| word == sender.as_bytes()));
        for secret in secrets {
            secret.assert_unseen("a command line", &line);
        }
        // The program has the variables of its secrets.
        if file.ends_with("lyftlearn-runtime") {
            let environment = read_as_user(&format!("/proc/{pid}/environ")).unwrap_or_default();
            for secret in secrets {
                secret.assert_unseen("an environment", &environment);
            }
        }
    }
    assert_eq!(senders, 1, "{sender}");
}

/// A header that comes from a secret, and a key in the address.
fn private(of: impl Fn(Sandbox) -> Sandbox, may_look: bool) {
    let deaf = Between::new(&json!(["hang"]));
    // The canary of the world is a variable of the container, which PID 1 has as well.
    let (query, key) = (Canary::plant(), Canary::plant());
    let job = Told::new([format!("{}/jobs?key={}", deaf.url(), query.value())]).with(
        "headers_variable = \"KEY\"\nend_seconds = 8\n\
         [secrets.key]\nfrom = \"file:/secrets/key\"\nenv = \"KEY\"\n",
    );
    let header = format!("x-key={}", key.value());
    job.world.file("secrets/key", &header);
    let container = of(job.container());
    let container = container.mount_read_only(job.world.path("secrets"), "/secrets");
    let running = container.run(&["sh", "-c", "until [ -e /shared/go ]; do sleep 0.05; done"]);
    let (pid_one, secrets) = (running.pid_one(), [&query, &key]);
    let is_whole = |asked: &Value| {
        asked["headers"]["x-key"] == key.value()
            && asked["path"].as_str().unwrap().contains(query.value())
    };
    deaf.waits_for(is_whole);
    // Else nothing would be proven.
    let looks = read_as_user(&format!("/proc/{pid_one}/environ")).is_some();
    assert_eq!(looks, may_look);
    check(pid_one, "--agent", &secrets);
    job.world.file("shared/go", "");
    let is_end = |asked: &Value| asked["body"].as_str().unwrap().contains("\"Completed\"");
    deaf.waits_for(|asked| is_whole(asked) && is_end(asked));
    check(pid_one, "--outcome", &secrets);
    let output = running.end();
    job.check(&output, 0);
    for secret in secrets {
        secret.assert_unseen("stderr", &output.stderr);
    }
}

#[test]
fn a_program_s_user_reads_no_secret_of_a_destination() {
    needs_servers!();
    private(
        |container| container.variable("LYFTLEARN_RUNTIME_USER", "1000:1000"),
        false,
    );
}

#[test]
fn a_user_who_starts_the_container_reads_none_either() {
    needs_servers!();
    private(|container| container.user(USER), true);
}
