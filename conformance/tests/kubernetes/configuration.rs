//! ConfigMaps and Secrets in volumes, as a real kubelet writes and changes them.

use std::time::Instant;

use lyftlearn_conformance::canary::Canary;
use serde_json::json;

use crate::cluster::{Namespace, pod};

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_program_hears_of_a_config_map_that_changes() {
    // One set of keys at a time: the two values always agree.
    const PROGRAM: &str = "
import sys, threading
import lyftlearn_runtime as rt

changed = threading.Event()

@rt.config.on_change
def tell(*_):
    print('values', rt.config['first'], rt.config['second'], flush=True)
    if rt.config['first'] == '2':
        changed.set()

print('listening', rt.config['first'], flush=True)
sys.exit(0 if changed.wait(120) else 1)
";
    let namespace = Namespace::new("live");
    namespace.apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "live"},
        "data": {"first": "1", "second": "1"},
    }));
    namespace.apply(&pod(
        "main",
        &["python3", "-c", PROGRAM],
        json!({"volumeMounts": [{"name": "live", "mountPath": "/etc/lyftlearn/live"}]}),
        json!({"volumes": [{"name": "live", "configMap": {"name": "live"}}]}),
    ));
    namespace.until_logged("main", "listening 1");
    let asked = Instant::now();
    let patch = r#"{"data": {"first": "2", "second": "2"}}"#;
    namespace.ok(&["patch", "configmap", "live", "--patch", patch]);
    let ended = namespace.ended("main");
    assert_eq!(ended.exit_code, 0, "{ended:?}");
    assert!(ended.log.contains("values 2 2"), "{ended:?}");
    assert!(!ended.log.contains("values 1 2") && !ended.log.contains("values 2 1"));
    eprintln!("a changed ConfigMap arrived within {:?}", asked.elapsed());
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_file_that_is_mounted_by_sub_path_stays_old() {
    let namespace = Namespace::new("sub-path");
    namespace.apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "files"},
        "data": {"one": "1"},
    }));
    let mounts = json!({"volumeMounts": [
        {"name": "files", "mountPath": "/volume"},
        {"name": "files", "mountPath": "/single", "subPath": "one"},
    ]});
    let volumes = json!({"volumes": [{"name": "files", "configMap": {"name": "files"}}]});
    namespace.start(&pod("main", &["sleep", "600"], mounts, volumes));
    let target = || namespace.exec("main", "main", &["readlink", "/volume/..data"]);
    let before = target();
    namespace.ok(&[
        "patch",
        "configmap",
        "files",
        "--patch",
        r#"{"data": {"one": "2"}}"#,
    ]);
    namespace.until("the volume's change", || {
        (namespace.exec("main", "main", &["cat", "/volume/one"]) == "2").then_some(())
    });
    assert_ne!(target(), before);
    assert_eq!(namespace.exec("main", "main", &["cat", "/single"]), "1");
    // What tells such a file from a current one.
    namespace.until("the old file's removal", || {
        (namespace.exec("main", "main", &["stat", "-c", "%h", "/single"]) == "0\n").then_some(())
    });
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn hyperparameters_and_settings_come_from_a_config_map() {
    let namespace = Namespace::new("settings");
    namespace.apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"},
        "data": {
            "hyperparameters.json": r#"{"C": "0.5", "zip": "02139"}"#,
            "runtime.toml": "lifecycle.grace_seconds = 90\n",
        },
    }));
    let script =
        "cat \"$LYFTLEARN_HYPERPARAMETERS_FILE\"; echo; echo grace $LYFTLEARN_GRACE_SECONDS";
    let ended = namespace.run(&pod(
        "main",
        &["sh", "-c", script],
        json!({"volumeMounts": [{"name": "config", "mountPath": "/etc/lyftlearn/config"}]}),
        json!({"volumes": [{"name": "config", "configMap": {"name": "config"}}]}),
    ));
    assert_eq!(ended.exit_code, 0, "{ended:?}");
    assert!(
        ended.log.contains("\"zip\":\"02139\"") || ended.log.contains("\"zip\": \"02139\""),
        "{ended:?}"
    );
    // Ninety seconds, less what the runtime keeps for itself.
    assert!(ended.log.contains("grace 8"), "{ended:?}");
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_secrets_volume_is_a_secret_of_the_program() {
    let namespace = Namespace::new("secrets");
    let canary = Canary::plant();
    namespace.ok(&[
        "create",
        "secret",
        "generic",
        "db",
        &format!("--from-literal=password={}", canary.value()),
    ]);
    namespace.apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"},
        "data": {"runtime.toml": "[secrets.db-password]\nfrom = \"file:/mnt/db/password\"\n"},
    }));
    let script = "test \"$DB_PASSWORD\" = \"$(cat /mnt/db/password)\" && echo same; \
        stat -Lc '%a %T' -f /mnt/db >/dev/null; stat -Lc '%a' /mnt/db/password; \
        stat -fc '%T' /mnt/db; echo \"password=$DB_PASSWORD\" >/dev/termination-log; exit 3";
    let ended = namespace.run(&pod(
        "main",
        &["sh", "-c", script],
        json!({"volumeMounts": [
            {"name": "config", "mountPath": "/etc/lyftlearn/config"},
            {"name": "db", "mountPath": "/mnt/db", "readOnly": true},
        ]}),
        json!({"volumes": [
            {"name": "config", "configMap": {"name": "config"}},
            {"name": "db", "secret": {"secretName": "db"}},
        ]}),
    ));
    assert_eq!(ended.exit_code, 3, "{ended:?}");
    assert!(ended.log.contains("same\n644\ntmpfs\n"), "{ended:?}");
    canary.assert_unseen("the log", ended.log.as_bytes());
}
